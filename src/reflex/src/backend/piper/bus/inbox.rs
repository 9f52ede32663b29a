use motion::Nanos;

use crate::backend::piper::frames::Frame;

/// Something that was heard on a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A frame.
    Frame(Frame),
    /// The bus, or our controller on it, is in trouble.
    Error(BusTrouble),
}

/// What a CAN controller reports of its bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusTrouble {
    /// Bus-off: too many errors, nothing is sent or heard until it is restarted.
    Off,
    /// Error-passive: many errors. A cable that was pulled ends here, since nobody acknowledges what is sent.
    Passive,
    /// More errors than there should be.
    Warning,
    /// The controller came back from bus-off, or from its errors.
    Restarted,
    /// Frames were lost on the way to us: nobody fetched them in time.
    Lost,
    /// Anything else: a broken frame, a lost arbitration, what has no number.
    Other,
}

/// Something heard, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// What.
    pub heard: Heard,
    /// When, on CLOCK_MONOTONIC: by the kernel where it says so, else when it was read.
    pub at: Nanos,
}

/// Where what was heard is put. It never grows.
#[derive(Debug)]
pub struct Inbox {
    items: Vec<Received>,
    room: usize,
}

impl Inbox {
    /// Room for so many.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self { items: Vec::with_capacity(room), room }
    }

    /// For how many more there is room.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room - self.items.len()
    }

    /// Puts one in; without room it is not taken, and the answer is `false`.
    pub fn push(&mut self, one: Received) -> bool {
        let fits = self.room() > 0;
        if fits {
            self.items.push(one);
        }
        fits
    }

    /// In the order in which they were heard.
    #[must_use]
    pub fn items(&self) -> &[Received] {
        &self.items
    }

    /// Takes all of them out.
    pub fn clear(&mut self) {
        self.items.clear();
    }
}
