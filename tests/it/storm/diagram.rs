//! The mode machine's diagram (`src/motion/src/mode.rs`, `docs/failsafe.md`), said once more: which modes a tick may end in,
//! given what it was told.

use motion::{Ending, Epoch, Event, Fault, Mode, Order, What, failsafe::Condition};

use super::judge::{Promise, must};
use crate::bottle::Seen;

/// What a tick went through.
pub(super) struct Walked {
    /// Orders that move or take hold, with the epoch at which each was carried out.
    pub(super) begun: Vec<(Order, Epoch)>,
}

impl Walked {
    /// Whether the robot was taken hold of.
    pub(super) fn arms(&self) -> bool {
        self.begun.iter().any(|(order, _)| matches!(order.what, What::Arm))
    }
}

/// Goes the way of a tick from `mode`; the mode that it tells has to be one that the way leads to.
pub(super) fn walk(mode: &Mode, epoch: Epoch, seen: &Seen) -> Result<Walked, (Promise, String)> {
    let (mut at, mut epoch, mut begun) = (*mode, epoch, Vec::new());
    let wrong = |what: String| Err((Promise::Mode, what));
    let mut stop = |at: &mut Mode, to: Mode| {
        epoch.0 += 1;
        *at = to;
    };
    if at == Mode::Booting && seen.trouble.is_none() {
        at = Mode::Disarmed;
    }
    let latched = |mode: &Mode| matches!(mode, Mode::Faulted { .. } | Mode::EStopped { .. });
    if let Some(by) = seen.stop {
        if !matches!(at, Mode::EStopped { .. }) {
            stop(&mut at, Mode::EStopped { by, at: seen.tick });
        }
    } else if let Some(why) = seen.trouble {
        if at != Mode::Booting && !latched(&at) {
            stop(&mut at, Mode::Faulted { why, at: seen.tick });
        }
    } else {
        held(&mut at, seen, &mut stop);
    }
    if let Mode::Arming { .. } = at {
        match seen.mode {
            Mode::Faulted { .. } => stop(&mut at, seen.mode),
            _ if seen.measured.engaged => at = Mode::Holding,
            _ => {}
        }
    }
    for order in seen.orders.iter().filter(|order| seen.accepted(order)) {
        match (order.what, at) {
            (What::Arm, Mode::Disarmed) => {
                begun.push((*order, epoch));
                at = if seen.measured.engaged {
                    Mode::Holding
                } else {
                    Mode::Arming { since: seen.at }
                };
            }
            (What::Arm, Mode::Arming { .. } | Mode::Holding) => {}
            (What::Begin(run), Mode::Holding | Mode::Moving { .. }) => {
                begun.push((*order, epoch));
                at = Mode::Moving { run: run.id };
            }
            (What::HandOver(run), Mode::Moving { run: followed }) if run.id == followed => {
                begun.push((*order, epoch));
            }
            (What::Hold | What::Disarm, Mode::Moving { .. } | Mode::Holding) => {
                let disarm = matches!(order.what, What::Disarm);
                epoch.0 += 1;
                at = Mode::Stopping { disarm };
            }
            (What::Hold | What::Disarm, Mode::Arming { .. }) => {
                epoch.0 += 1;
                at = Mode::Disarmed;
            }
            (What::Hold | What::Disarm, Mode::Stopping { disarm }) => {
                at = Mode::Stopping { disarm: disarm || matches!(order.what, What::Disarm) };
            }
            (What::Disarm, Mode::Disarmed) => {}
            (What::End(run), Mode::Moving { run: followed }) if run == followed => {
                epoch.0 += 1;
                at = Mode::Stopping { disarm: false };
            }
            (What::ClearFault, Mode::Faulted { .. } | Mode::EStopped { .. }) => at = Mode::Disarmed,
            (
                What::Release,
                Mode::Booting | Mode::Disarmed | Mode::Faulted { .. } | Mode::EStopped { .. },
            ) => epoch.0 += 1,
            (What::Attend | What::Leave, _) => {}
            (what, at) => return wrong(format!("{what:?} was carried out in {at:?}")),
        }
    }
    ends(&at, &mut epoch, seen)?;
    must(seen.epoch == epoch, Promise::Queued, || {
        format!("{:?} after {mode:?} to {:?}, not {epoch:?}", seen.epoch, seen.mode)
    })?;
    Ok(Walked { begun })
}

/// What holds a robot, and lets go of one that was left alone.
fn held(at: &mut Mode, seen: &Seen, stop: &mut impl FnMut(&mut Mode, Mode)) {
    let deserted = seen.has(Condition::Deserted);
    if deserted || seen.has(Condition::Unattended) || seen.has(Condition::Overruns) {
        match at {
            Mode::Moving { .. } => stop(at, Mode::Stopping { disarm: false }),
            Mode::Arming { .. } => stop(at, Mode::Disarmed),
            _ => {}
        }
    }
    match at {
        Mode::Holding if deserted => stop(at, Mode::Stopping { disarm: true }),
        Mode::Stopping { disarm } => *disarm |= deserted,
        _ => {}
    }
}

/// What the step of a tick may make of the mode.
fn ends(at: &Mode, epoch: &mut Epoch, seen: &Seen) -> Result<(), (Promise, String)> {
    let by_itself = |event: &Event| match event {
        Event::Ended { ending, .. } => !matches!(ending, Ending::Superseded | Ending::Stopped),
        _ => false,
    };
    let legal = match (at, &seen.mode) {
        (before, after) if before == after => true,
        _ if seen.early => false,
        (Mode::Moving { .. }, Mode::Holding) => seen.events.iter().any(by_itself),
        (Mode::Moving { .. }, Mode::Faulted { why, at }) => {
            epoch.0 += 1;
            *at == seen.tick
                && matches!(why, Fault::RequestNotFinite { .. } | Fault::GrossJump { .. })
        }
        (Mode::Stopping { disarm: false }, Mode::Holding)
        | (Mode::Stopping { disarm: true }, Mode::Disarmed) => true,
        _ => false,
    };
    must(legal, Promise::Mode, || format!("{at:?} to {:?}", seen.mode))
}
