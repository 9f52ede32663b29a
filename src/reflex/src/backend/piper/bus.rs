//! A CAN bus: SocketCAN, or socketcand over TCP.
//!
//! Once it is open nothing in a [`Bus`] allocates, locks, or waits for longer than it was told to.
//!
//! **Whose frames are heard.** Those of everybody else: of the arm, and of other programs on the same bus. On SocketCAN
//! the kernel hands frames of other sockets of this host round (loopback), so a second master on the same computer is
//! seen as well, unless it switched loopback off, as piper_sdk 0.6.2 does; our own do not come back. A socketcand server
//! sends its other clients' frames on if its own sockets hear each other, and ours never back to us.

mod address;
mod error;
mod inbox;
mod socketcan;
mod socketcand;

use std::time::Duration;

use motion::Nanos;

use super::frames::Frame;

pub use address::{Address, AddressError};
pub use error::{BusError, OpenError};
pub use inbox::{BusTrouble, Heard, Inbox, Received};

/// A CAN bus that is open.
pub trait Bus: Send {
    /// Waits until something was heard, or until a moment of CLOCK_MONOTONIC, whichever is first; a moment that has passed
    /// only looks. What was heard is appended to `into` as far as there is room, the rest is left for the next call; with
    /// no room at all it returns at once.
    ///
    /// # Errors
    /// The bus is gone. Until [`Bus::reopen`] has succeeded it then says so at once, every time, without waiting.
    fn wait(&mut self, until: Nanos, into: &mut Inbox) -> Result<(), BusError>;

    /// Hands a frame over to be sent. Never waits.
    ///
    /// # Errors
    /// [`BusError::Full`] if there is no room: the frame is not sent, and nothing else has changed. Anything else means
    /// that the bus is gone.
    fn send(&mut self, frame: &Frame) -> Result<(), BusError>;

    /// Forgets what was handed over and has not left yet, as far as that is possible, and says how many frames that was.
    fn flush(&mut self) -> usize;

    /// Opens a bus anew that is gone, step by step: each call goes on where the last one was, and waits for nothing.
    /// [`BusError::Opening`] means that it is on its way: call again, a while later.
    ///
    /// # Errors
    /// Why it is not open yet.
    fn reopen(&mut self) -> Result<(), BusError>;
}

/// Reads text as a socketcand server sends it in raw mode, from between two messages on, as far as there is room, and says
/// how much of it was read. For recordings and fuzzers; a [`Bus`] does it by itself.
pub fn read_socketcand(text: &[u8], at: Nanos, into: &mut Inbox) -> usize {
    let mut lines = socketcand::Lines::new();
    let mut read = 0;
    while let Some(byte) = text.get(read).filter(|_| into.room() > 0) {
        read += 1;
        if let Some(heard) = lines.push(*byte).and_then(|message| message.heard()) {
            into.push(Received { heard, at });
        }
    }
    read
}

/// Opens a bus, and waits for it for at most `within`; a name is looked up before that, in the system's own time.
///
/// # Errors
/// Why it cannot be, with the remedy.
pub fn open(address: &Address, within: Duration) -> Result<Box<dyn Bus>, OpenError> {
    Ok(match address {
        Address::Interface(name) => Box::new(socketcan::open(name)?),
        Address::Socketcand { host, port, channel } => {
            Box::new(socketcand::open((host, *port, channel), within)?)
        }
    })
}
