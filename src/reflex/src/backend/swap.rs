//! Two robots under one law: one acts, another may shadow it, and they may change places while everything stands still.
//!
//! ```text
//!                        ┌────────────── Swap ──────────────┐
//!   Exchange ──requests──►  between two ticks, in `read`    │──retired, told, divergences──► Exchange
//!                        │  active  ◄── read, write ──► law │
//!                        │  shadow  ◄── the same commands   │
//!                        └──────────────────────────────────┘
//! ```
//!
//! The law reads the active one and nothing else. Its command goes to both; the shadow is read too, for what it differs
//! by. Who is active changes for a request only, never by itself: whatever becomes of the active one, a shadow does not
//! stand in for it. And it changes in `read`, before anything is read for the tick, so that a tick has one robot.
//!
//! Backends are moved in and out through rings: nothing is opened, allocated or freed on the loop's thread. What ends
//! there is not ended here either. It comes out through [`Exchange::retired`] with whatever it was told last, and is put
//! away by whoever takes it out: a real arm stands at its last target with its motors on, a simulated world is dropped.

mod exchange;
mod terms;

use motion::{Command, Health, Joints, Nanos, State};
use ringbuf::{
    HeapCons, HeapProd,
    traits::{Consumer, Observer, Producer},
};

use super::Backend;
use crate::ports::StopSwitch;
pub use exchange::{
    BackendId, Divergence, Exchange, Newcomer, Outcome, Request, RequestId, Retired, Told, Whither,
    Wish,
};
use terms::Stillness;
pub use terms::{Reference, Refusal, Side, Terms};

/// A backend, and what it is called outside.
struct Member {
    id: BackendId,
    backend: Box<dyn Backend>,
    /// What was read of it last; nothing has been, so far, if this is `None`.
    seen: Option<State>,
    /// In the tick of this moment: a loop that was held up makes nothing old that was fresh then.
    seen_at: Nanos,
    stillness: Stillness,
}

/// Who follows the same commands.
struct Shadow {
    member: Member,
    /// The request by which it came.
    came_by: RequestId,
    /// The one command that it may see, if it is guarded.
    only: Option<Command>,
    /// The largest difference so far, by joint.
    most: Joints,
}

/// What the law has commanded.
#[derive(Default)]
struct Commanded {
    last: Option<Command>,
    /// How often in a row, up to now.
    times: u32,
}

/// A backend that is one of two.
pub struct Swap {
    active: Member,
    shadow: Option<Shadow>,
    commanded: Commanded,
    /// How far a joint that stands still may seem to have moved, rad or m; as many as the robot has joints.
    still: Joints,
    stop: StopSwitch,
    requests: HeapCons<Request>,
    told: HeapProd<Told>,
    retired: HeapProd<Retired>,
    divergences: HeapProd<Divergence>,
    /// Divergences that found no room.
    lost: u64,
}

impl Swap {
    /// `active` alone, and the way to change that. A joint stands still if it keeps within `still` (rad or m) of where it
    /// was. `stop` is the loop's own: while it is raised nothing changes places.
    #[must_use]
    pub fn new(active: Newcomer, still: Joints, stop: StopSwitch) -> (Self, Exchange) {
        let (ends, exchange) = exchange::exchange();
        let exchange::Ends { requests, told, retired, divergences } = ends;
        let swap = Self {
            active: Member::new(active, &still),
            shadow: None,
            commanded: Commanded::default(),
            still,
            stop,
            requests,
            told,
            retired,
            divergences,
            lost: 0,
        };
        (swap, exchange)
    }

    /// Carries out one request. One is left waiting for as long as there might be no room for what it sends back: a
    /// request retires one backend at most, and one place is kept for a guarded shadow that has to go.
    fn serve(&mut self, now: Nanos, state: &mut State) {
        if self.retired.vacant_len() < 2 || self.told.vacant_len() < 2 {
            return;
        }
        let Some(Request { id, wish }) = self.requests.try_pop() else { return };
        let outcome = match wish {
            Wish::Shadow { newcomer, guard } => self.admit(newcomer, guard.as_ref(), id, now),
            Wish::Promote { terms, if_refused, old } => {
                self.promote(&terms, old, state).inspect_err(|_| {
                    if if_refused == Whither::Out {
                        self.dismiss();
                    }
                })
            }
            Wish::Withdraw => self.dismiss().map(|()| Outcome::Withdrawn).ok_or(Refusal::NoShadow),
        };
        self.tell(id, now, outcome.unwrap_or_else(Outcome::Refused));
    }

    /// Takes a shadow in, instead of the one that there may be.
    fn admit(
        &mut self,
        newcomer: Newcomer,
        guard: Option<&Terms>,
        came_by: RequestId,
        now: Nanos,
    ) -> Result<Outcome, Refusal> {
        let mut member = Member::new(newcomer, &self.still);
        member.look(now, &self.still);
        // A guarded one follows from the next command on: what would make it move keeps it out. Whether it stands still, one
        // look does not tell: whoever sends it has looked for longer.
        let fit = guard.map_or(Ok(()), |terms| self.judge(&member, terms, 0));
        if let Err(why) = fit {
            self.retire(member);
            return Err(why);
        }
        self.dismiss();
        let only = guard.and(self.commanded.last);
        self.shadow = Some(Shadow { member, came_by, only, most: self.nothing() });
        Ok(Outcome::Shadowing)
    }

    /// Lets shadow and active change places, if it can be told that nothing will move.
    fn promote(
        &mut self,
        terms: &Terms,
        old: Whither,
        state: &mut State,
    ) -> Result<Outcome, Refusal> {
        let shadow = self.shadow.as_ref().ok_or(Refusal::NoShadow)?;
        let seen = self.judge(&shadow.member, terms, terms.rest_ticks).and_then(|()| {
            let seen = shadow.member.seen.ok_or(Refusal::Unread(Side::Shadow))?;
            if seen.engaged { Ok(seen) } else { Err(Refusal::NotEngaged) }
        })?;
        let Some(shadow) = self.shadow.take() else { return Err(Refusal::NoShadow) };
        // What the new one does not fill in must not be what is left of the old one.
        *state = seen;
        let came_by = shadow.came_by;
        let old_one = core::mem::replace(&mut self.active, shadow.member);
        match old {
            Whither::Out => self.retire(old_one),
            Whither::Stay => {
                let most = self.nothing();
                self.shadow = Some(Shadow { member: old_one, came_by, only: None, most });
            }
        }
        Ok(Outcome::Promoted)
    }

    /// Whether `other`, which has to have stood still for so many ticks, could stand where the active one stands still.
    fn judge(&self, other: &Member, terms: &Terms, stood: u32) -> Result<(), Refusal> {
        if self.stop.raised().is_some() {
            return Err(Refusal::Stopped);
        }
        let command = terms.rests(self.commanded.last.as_ref(), self.commanded.times)?;
        let joints = self.still.len();
        let active =
            terms.is_well(Side::Active, self.active.seen.as_ref(), joints, self.active.seen_at)?;
        self.active.stillness.lasts(Side::Active, terms.rest_ticks)?;
        let (stillness, at) = (&other.stillness, other.seen_at);
        let other = terms.is_well(Side::Shadow, other.seen.as_ref(), joints, at)?;
        stillness.lasts(Side::Shadow, stood)?;
        terms.agree(&other.position, command.position(), Reference::Command)?;
        terms.agree(&other.position, &active.position, Reference::Active)
    }

    /// The shadow goes out, if there is one.
    fn dismiss(&mut self) -> Option<()> {
        let shadow = self.shadow.take()?;
        self.retire(shadow.member);
        Some(())
    }

    fn retire(&mut self, member: Member) {
        let Member { id, backend, seen, .. } = member;
        let refused = self.retired.try_push(Retired { id, backend, seen });
        // There is room, see `serve`. If there were not, losing memory would be better than to free it on this thread.
        core::mem::forget(refused);
    }

    fn tell(&mut self, request: RequestId, at: Nanos, outcome: Outcome) {
        let shadow = self.shadow.as_ref().map(|shadow| shadow.member.id);
        // There is room, see `serve`.
        let _ = self.told.try_push(Told { request, at, outcome, active: self.active.id, shadow });
    }

    /// Reads the shadow, and tells what it differs by from what the active one has just measured.
    fn compare(&mut self, now: Nanos) {
        let Some(shadow) = &mut self.shadow else { return };
        shadow.member.look(now, &self.still);
        let (Some(active), Some(seen)) = (&self.active.seen, &shadow.member.seen) else { return };
        let difference = difference(active, seen, self.still.len());
        if let Some(difference) = &difference {
            for (most, difference) in shadow.most.iter_mut().zip(difference.iter()) {
                *most = most.max(difference.abs());
            }
        }
        let divergence = Divergence {
            at: now,
            active: self.active.id,
            shadow: shadow.member.id,
            health: seen.health,
            engaged: seen.engaged,
            difference,
            most: shadow.most,
            lost: self.lost,
        };
        if self.divergences.try_push(divergence).is_err() {
            self.lost += 1;
        }
    }

    /// A zero for each joint.
    fn nothing(&self) -> Joints {
        Joints::zeros(self.still.len())
    }

    /// Whether this is what a guarded shadow may not see.
    fn disturbs(&self, command: &Command) -> bool {
        let only = self.shadow.as_ref().and_then(|shadow| shadow.only.as_ref());
        only.is_some_and(|only| only != command)
    }
}

impl Backend for Swap {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.serve(now, state);
        self.active.backend.read(now, state);
        (self.active.seen, self.active.seen_at) = (Some(*state), now);
        self.active.stillness.take_in(&state.position, &self.still);
        self.compare(now);
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        self.commanded.take_in(command);
        self.active.backend.write(now, command);
        if self.disturbs(command)
            && let Some(came_by) = self.shadow.as_ref().map(|shadow| shadow.came_by)
        {
            self.dismiss();
            self.tell(came_by, now, Outcome::Disturbed);
        }
        if let Some(shadow) = &mut self.shadow {
            shadow.member.backend.write(now, command);
        }
    }
}

impl Member {
    fn new(newcomer: Newcomer, still: &Joints) -> Self {
        let Newcomer { id, backend } = newcomer;
        let stillness = Stillness::new(still.len());
        Self { id, backend, seen: None, seen_at: Nanos(0), stillness }
    }

    fn look(&mut self, now: Nanos, still: &Joints) {
        let state = self.seen.get_or_insert(State::blank(still.len()));
        self.backend.read(now, state);
        self.seen_at = now;
        self.stillness.take_in(&state.position, still);
    }
}

impl Commanded {
    fn take_in(&mut self, command: &Command) {
        let same = self.last.as_ref() == Some(command);
        self.times = if same { self.times.saturating_add(1) } else { 1 };
        self.last = Some(*command);
    }
}

/// By how much the shadow stands further than the active one, where both can be believed.
fn difference(active: &State, shadow: &State, joints: usize) -> Option<Joints> {
    let is_believed = |state: &State| {
        state.health != Health::Lost && state.position.len() == joints && state.position.is_finite()
    };
    (is_believed(active) && is_believed(shadow)).then(|| {
        let mut difference = shadow.position;
        for (value, active) in difference.iter_mut().zip(active.position.iter()) {
            *value -= active;
        }
        difference
    })
}
