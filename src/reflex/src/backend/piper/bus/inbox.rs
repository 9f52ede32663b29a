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
    /// The controller has lost frames: nobody fetched them in time.
    Lost,
    /// Anything else: a broken frame, a lost arbitration, what has no number.
    Other,
}

impl BusTrouble {
    /// What an error frame of the kernel says, as `linux/can/error.h` has it: classes in its id, more in its bytes. The
    /// worst counts, and coming back counts before what went before it.
    pub(super) const fn of_error_frame(class: u32, data: [u8; 8]) -> Self {
        const OVERFLOW: u8 = 0x01;
        const WARNING: u8 = 0x0C;
        const PASSIVE: u8 = 0x30;
        const ACTIVE: u8 = 0x40;
        let controller = data[1];
        if class & libc::CAN_ERR_RESTARTED != 0 {
            Self::Restarted
        } else if class & libc::CAN_ERR_BUSOFF != 0 {
            Self::Off
        } else if class & libc::CAN_ERR_CRTL == 0 {
            Self::Other
        } else if controller & PASSIVE != 0 {
            Self::Passive
        } else if controller & WARNING != 0 || controller == 0 {
            Self::Warning
        } else if controller & ACTIVE != 0 {
            Self::Restarted
        } else if controller & OVERFLOW != 0 {
            Self::Lost
        } else {
            Self::Other
        }
    }
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
