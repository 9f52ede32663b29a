//! The way in and out of a [`super::Swap`]: four bounded rings, each with one writer and one reader.

use motion::{Health, Joints, Nanos, State};
use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Producer, Split},
};

use super::terms::{Refusal, Terms};
use crate::Backend;

/// Requests that may wait. One is carried out in a tick.
const REQUESTS: usize = 4;
/// Answers that may wait.
const TOLD: usize = 16;
/// Backends that may wait to be put away.
const RETIRED: usize = 4;
/// Divergences that may wait: 3 s at 20 Hz.
const DIVERGENCES: usize = 64;

/// What a backend is called outside; given out by whoever opened it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendId(pub u32);

/// Number of a request, for its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A backend that is open and warm.
pub struct Newcomer {
    /// What it is called.
    pub id: BackendId,
    /// It.
    pub backend: Box<dyn Backend>,
}

/// What becomes of the one that does not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whither {
    /// It shadows the other.
    Stay,
    /// It goes out.
    Out,
}

/// What is to change.
#[allow(clippy::large_enum_variant, reason = "nothing on the way in may need a heap of its own")]
pub enum Wish {
    /// Let this one shadow the active one, instead of the shadow that there may be.
    Shadow {
        /// Who.
        newcomer: Newcomer,
        /// For a robot that moves if it is told to. It comes in on these terms only (but that it need not be engaged: the
        /// command that is held is what engages it), and leaves before it sees any other command than that one.
        guard: Option<Terms>,
    },
    /// Let the shadow act, on these terms.
    Promote {
        /// The terms.
        terms: Terms,
        /// What becomes of the shadow if it may not.
        if_refused: Whither,
        /// What becomes of the one that has acted up to now.
        old: Whither,
    },
    /// Let the shadow go out.
    Withdraw,
}

/// A wish with its number.
pub struct Request {
    pub(super) id: RequestId,
    pub(super) wish: Wish,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// The newcomer is the shadow.
    Shadowing,
    /// The shadow acts.
    Promoted,
    /// The shadow is out.
    Withdrawn,
    /// A guarded shadow, which this request had let in, is out: another command came than the one that it may see.
    Disturbed,
    /// Who acts, acts on.
    Refused(Refusal),
}

/// An answer, and what holds after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// To which request.
    pub request: RequestId,
    /// When.
    pub at: Nanos,
    /// What became of it.
    pub outcome: Outcome,
    /// Who acts.
    pub active: BackendId,
    /// Who shadows it.
    pub shadow: Option<BackendId>,
}

/// A backend that is out. Whoever takes it may drop it: a real arm then stands at its last target with its motors on, a
/// simulated world is gone.
pub struct Retired {
    /// What it was called.
    pub id: BackendId,
    /// It.
    pub backend: Box<dyn Backend>,
    /// What was read of it last.
    pub seen: Option<State>,
}

/// How far a shadow stood from the active one in one tick.
#[derive(Clone, Copy, Debug)]
pub struct Divergence {
    /// When.
    pub at: Nanos,
    /// Who acts.
    pub active: BackendId,
    /// Who shadows it.
    pub shadow: BackendId,
    /// What the shadow says of itself.
    pub health: Health,
    /// Whether the shadow follows commands.
    pub engaged: bool,
    /// Its measured pose less that of the active one, rad or m; `None` if one of them cannot be believed.
    pub difference: Option<Joints>,
    /// The largest difference since it came, by joint, without its sign.
    pub most: Joints,
    /// How many of these found no room, since the start.
    pub lost: u64,
}

/// The loop's ends.
pub(super) struct Ends {
    pub(super) requests: HeapCons<Request>,
    pub(super) told: HeapProd<Told>,
    pub(super) retired: HeapProd<Retired>,
    pub(super) divergences: HeapProd<Divergence>,
}

/// The other ends. They have to be emptied: a swap takes no request while its answer would find no room.
pub struct Exchange {
    requests: HeapProd<Request>,
    told: HeapCons<Told>,
    retired: HeapCons<Retired>,
    divergences: HeapCons<Divergence>,
    asked: u64,
}

pub(super) fn exchange() -> (Ends, Exchange) {
    let (requests_in, requests) = HeapRb::new(REQUESTS).split();
    let (told, told_out) = HeapRb::new(TOLD).split();
    let (retired, retired_out) = HeapRb::new(RETIRED).split();
    let (divergences, divergences_out) = HeapRb::new(DIVERGENCES).split();
    let exchange = Exchange {
        requests: requests_in,
        told: told_out,
        retired: retired_out,
        divergences: divergences_out,
        asked: 0,
    };
    (Ends { requests, told, retired, divergences }, exchange)
}

impl Exchange {
    /// Sends a wish; it is carried out before one of the next ticks, and answered once.
    ///
    /// # Errors
    /// The wish comes back if too many wait.
    #[allow(clippy::result_large_err, reason = "what comes back may be a robot")]
    pub fn ask(&mut self, wish: Wish) -> Result<RequestId, Wish> {
        let id = RequestId(self.asked + 1);
        self.requests.try_push(Request { id, wish }).map_err(|request| request.wish)?;
        self.asked = id.0;
        Ok(id)
    }

    /// The next answer, if there is one.
    pub fn told(&mut self) -> Option<Told> {
        self.told.try_pop()
    }

    /// The next backend that is out, if there is one.
    pub fn retired(&mut self) -> Option<Retired> {
        self.retired.try_pop()
    }

    /// The newest divergence that has not been looked at.
    pub fn divergence(&mut self) -> Option<Divergence> {
        self.divergences.pop_iter().last()
    }
}
