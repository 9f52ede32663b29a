//! The desk's side of the backends: what somebody may ask for, and why it is refused, in words.

use std::time::Duration;

use motion::Health;
use reflex::backend::swap::{Reference, Refusal, Side};
use tokio::sync::oneshot;

use super::{Answer, Desk, desk::lock};
use crate::config::BackendKind;

/// Opening, warming and engaging a robot takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(9);

/// A change of who carries out the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendAct {
    /// Let this one act.
    To {
        /// Who.
        kind: BackendKind,
        /// Set it to the pose that is measured now, before it is compared; for simulated ones.
        from_present: bool,
        /// Who has acted up to now shadows it from then on.
        keep_shadow: bool,
    },
    /// Let this one follow the same commands beside the active one; or nobody.
    Shadow(Option<BackendKind>),
}

/// For whoever keeps the backends: what somebody wants, who waits for what is new, or why not.
pub struct BackendErrand {
    /// What.
    pub act: BackendAct,
    /// Who.
    pub who: String,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Vec<String>, String>>,
}

impl Desk {
    pub(super) async fn change_backend(&self, act: BackendAct, who: &str) -> Answer {
        let (answer, answered) = oneshot::channel();
        let sent = lock(self.backends()).send(BackendErrand { act, who: who.to_owned(), answer });
        let outcome = match sent {
            Err(_) => Err("the backends' thread has ended: restart the daemon".to_owned()),
            Ok(()) => match tokio::time::timeout(PATIENCE, answered).await {
                Ok(Ok(outcome)) => outcome,
                _ => Err("still at work: look at state/backend and event/backend".to_owned()),
            },
        };
        self.changed(outcome)
    }
}

impl BackendAct {
    /// For the audit trail.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::To { kind, from_present, keep_shadow } => {
                let from = if *from_present { ", from the present pose" } else { "" };
                let keep = if *keep_shadow { ", with a shadow" } else { "" };
                format!("let {} act{from}{keep}", kind.name())
            }
            Self::Shadow(Some(kind)) => format!("let {} shadow", kind.name()),
            Self::Shadow(None) => "let nobody shadow".into(),
        }
    }
}

/// What a refusal is told with.
pub struct Told<'a> {
    /// Joint names, in joint order.
    pub joints: &'a [String],
    /// Who acts.
    pub active: &'a str,
    /// Who would act.
    pub other: &'a str,
}

impl Told<'_> {
    /// Why a change of places was refused, and what to do about it.
    #[must_use]
    pub fn words(&self, refusal: Refusal) -> String {
        let of = |side: Side| match side {
            Side::Active => self.active,
            Side::Shadow => self.other,
        };
        let joint = |joint: usize| self.joints.get(joint).map_or("?", String::as_str);
        match refusal {
            Refusal::NoShadow => format!(
                "{} was withdrawn, because the robot was to do something else meanwhile: hold, and try again",
                self.other
            ),
            Refusal::Stopped => {
                "an e-stop was pulled: clear_fault, then arm, then try again".into()
            }
            Refusal::NotHolding => "the robot does not hold: arm it first".into(),
            Refusal::Moving => "the robot moves: hold it first".into(),
            Refusal::Unread(side) => format!("{} has not been seen for long enough", of(side)),
            Refusal::Unhealthy(side, Health::Unwell(ailment)) => {
                let what = ailment.words();
                match ailment.joint() {
                    Some(at) => format!("{} is not well: {} {what}", of(side), joint(at)),
                    None => format!("{} is not well: {what}", of(side)),
                }
            }
            Refusal::Unhealthy(side, _) => {
                format!("{} is lost: look at its power and connection", of(side))
            }
            Refusal::Shape(side) => format!("{} measures another number of joints", of(side)),
            Refusal::NotFinite(side, at) => {
                format!("the {} of {} is not finite", joint(at), of(side))
            }
            Refusal::Stale(side, age_ns) => {
                format!("what was measured of {} is {:.0} ms old", of(side), age_ns as f64 / 1e6)
            }
            Refusal::Moves { side, joint: at, by } => {
                format!("{} of {} moves: by {by:.4} (rad or m) just now", joint(at), of(side))
            }
            Refusal::NotEngaged => {
                format!("the motors of {} did not begin to follow commands in time", self.other)
            }
            Refusal::Apart { joint: at, from, is, should, tolerance } => {
                let from = match from {
                    Reference::Command => "it is commanded to".to_owned(),
                    Reference::Active => format!("it stands in {} at", self.active),
                };
                format!(
                    "{} stands in {} at {is:.4}, and {from} {should:.4}: further apart than {tolerance} (rad or m)",
                    joint(at),
                    self.other
                )
            }
        }
    }
}
