use std::{error::Error, fmt};

/// Why a bus did not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// There is no room for another frame: what was handed over before has not left yet.
    Full,
    /// The interface is down.
    Down,
    /// The other end closed the connection, or the interface is gone.
    Closed,
    /// It is being opened.
    Opening,
    /// It refused to be opened, by the protocol.
    Refused,
    /// The system's error number.
    Os(i32),
}

impl fmt::Display for BusError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => out.write_str("there is no room for another frame"),
            Self::Down => out.write_str("the interface is down"),
            Self::Closed => out.write_str("the connection is closed"),
            Self::Opening => out.write_str("it is still being opened"),
            Self::Refused => out.write_str("it refused"),
            Self::Os(number) => std::io::Error::from_raw_os_error(*number).fmt(out),
        }
    }
}

impl Error for BusError {}

/// Why a bus could not be opened, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError {
    address: String,
    reason: String,
}

impl OpenError {
    pub(super) const fn new(address: String, reason: String) -> Self {
        Self { address, reason }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.address, self.reason)
    }
}

impl Error for OpenError {}
