//! A bus of another computer, over socketcand's text protocol on TCP, in its raw mode.
//!
//! The server greets, opens the interface that we name, and goes to raw mode; from then on every frame is a message between
//! angle brackets, both ways. Nothing separates messages otherwise, so they are read between brackets, and what stands
//! outside of them is nothing.
//!
//! Frames that were handed over stand in a small buffer of our own until TCP takes them, and TCP is given little room, so
//! that [`Bus::flush`] still finds what does not leave. What TCP has taken cannot be taken back.

mod line;
mod outbox;

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    ops::Range,
    os::fd::AsFd,
    time::Duration,
};

use motion::Nanos;
use socket2::{Domain, SockRef, Socket, Type};

pub(super) use self::line::Lines;
use self::{line::Message, outbox::Outbox};
use super::{Bus, BusError, Frame, Inbox, OpenError, Received};
use crate::clock::{Ready, monotonic_now, wait_for};

/// How much TCP may take that has not left: a burst of set-points several times over. The kernel doubles it.
const TCP_ROOM: usize = 4096;

/// How long a server may take for its part of an opening before we begin anew.
const PATIENCE_NS: u64 = 2_000_000_000;

/// How many bytes are read at once.
const CHUNK: usize = 4096;

/// How often a look reads on before it hands over what was found: garbage can come for ever.
const READS_MAX: usize = 8;

/// How far an opening has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is no connection, for this reason.
    Gone(BusError),
    /// TCP is connecting.
    Connecting,
    /// The server is to greet.
    Greeting,
    /// It is to open the interface.
    Opening,
    /// It is to go to raw mode.
    Entering,
    /// Frames come and go.
    Open,
}

/// A connection to a socketcand server.
pub(super) struct Socketcand {
    addresses: Vec<SocketAddr>,
    /// Which address is next.
    next: usize,
    /// `< open can0 >`.
    request: Vec<u8>,
    stage: Stage,
    since: Nanos,
    stream: Option<TcpStream>,
    outbox: Outbox,
    lines: Lines,
    chunk: Box<[u8; CHUNK]>,
    /// What of it has not been taken in, and when it came.
    read: Range<usize>,
    read_at: Nanos,
    /// What the server said when it refused.
    said: String,
}

/// Connects, and waits for it for at most `within`; the system looks up names in its own time before that.
pub(super) fn open(
    (host, port, channel): (&str, u16, &str),
    within: Duration,
) -> Result<Socketcand, OpenError> {
    let name = format!("socketcand://{host}:{port}/{channel}");
    let error = |reason: String| OpenError::new(name.clone(), reason);
    let addresses: Vec<_> = (host, port)
        .to_socket_addrs()
        .map_err(|why| error(format!("{host} is not known: {why}")))?
        .collect();
    if addresses.is_empty() {
        return Err(error(format!("{host} has no address")));
    }
    let mut bus = Socketcand::new(addresses, channel);
    let until = monotonic_now().after(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX));
    let mut failed = None;
    loop {
        let told = match bus.reopen() {
            Ok(()) => return Ok(bus),
            Err(BusError::Refused) => return Err(error(bus.refusal(channel))),
            Err(BusError::Opening) => None,
            Err(why) => Some(why),
        };
        failed = told.or(failed);
        let now = monotonic_now();
        if now >= until || told.is_some() && bus.next >= bus.addresses.len() {
            return Err(error(bus.reason(failed, port, channel)));
        }
        bus.rest(until).map_err(|why| error(why.to_string()))?;
    }
}

impl Socketcand {
    fn new(addresses: Vec<SocketAddr>, channel: &str) -> Self {
        Self {
            addresses,
            next: 0,
            request: format!("< open {channel} >").into_bytes(),
            stage: Stage::Gone(BusError::Closed),
            since: Nanos(0),
            stream: None,
            outbox: Outbox::new(),
            lines: Lines::new(),
            chunk: Box::new([0; CHUNK]),
            read: 0..0,
            read_at: Nanos(0),
            said: String::with_capacity(line::LONGEST),
        }
    }

    /// Why the server would not.
    fn refusal(&self, channel: &str) -> String {
        let said = self.said.trim();
        format!(
            "the server does not open {channel}: {}; start it as `socketcand -i {channel}`",
            if said.is_empty() { "it did not say why" } else { said }
        )
    }

    /// Why it did not come to an opening.
    fn reason(&self, failed: Option<BusError>, port: u16, channel: &str) -> String {
        let refused = BusError::Os(libc::ECONNREFUSED);
        match (self.stage, failed) {
            (_, Some(why)) if why == refused => format!(
                "nobody listens on port {port}; start `socketcand -i {channel} -p {port}` there"
            ),
            (Stage::Greeting, _) => "it does not greet as a socketcand server does".into(),
            (Stage::Opening | Stage::Entering, _) => "the server stopped answering".into(),
            (_, Some(BusError::Closed)) => "it closed the connection at once".into(),
            (_, Some(why)) => why.to_string(),
            _ => "it does not answer; is the address right, and the network up?".into(),
        }
    }

    /// Waits until an opening can go on.
    fn rest(&self, until: Nanos) -> io::Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        let connecting = self.stage == Stage::Connecting;
        let what = if connecting { Ready::ReadOrWrite } else { Ready::Read };
        wait_for(stream.as_fd(), what, until).map(drop)
    }

    /// What a call that needs an open bus gets while there is none.
    const fn trouble(&self) -> Option<BusError> {
        match self.stage {
            Stage::Open => None,
            Stage::Gone(why) => Some(why),
            _ => Some(BusError::Opening),
        }
    }

    /// Lets go of the connection.
    fn lose(&mut self, why: BusError) -> BusError {
        self.stream = None;
        self.stage = Stage::Gone(why);
        why
    }

    /// Begins to connect to the next address.
    fn connect(&mut self) -> Result<(), BusError> {
        if self.next >= self.addresses.len() {
            self.next = 0;
        }
        let Some(address) = self.addresses.get(self.next).copied() else {
            return Err(BusError::Closed);
        };
        self.next += 1;
        self.outbox.clear();
        self.lines.clear();
        self.read = 0..0;
        let stream = begin(address).map_err(|why| self.lose(os(&why)))?;
        self.stream = Some(stream);
        self.stage = Stage::Connecting;
        self.since = monotonic_now();
        Ok(())
    }

    /// Whether TCP has connected.
    fn connected(&mut self) -> Result<bool, BusError> {
        let Some(stream) = &self.stream else { return Err(self.lose(BusError::Closed)) };
        // Without room to write it is still under way; an error is readable, too.
        let ready = wait_for(stream.as_fd(), Ready::ReadOrWrite, Nanos(0));
        match (ready, stream.take_error()) {
            (Ok(false), Ok(None)) => Ok(false),
            (Ok(true), Ok(None)) => Ok(true),
            (Err(why), _) | (_, Err(why) | Ok(Some(why))) => Err(self.lose(os(&why))),
        }
    }

    /// Goes on with an opening as far as it goes without waiting.
    fn go_on(&mut self) -> Result<(), BusError> {
        if self.stage == Stage::Connecting && self.connected()? {
            self.stage = Stage::Greeting;
        }
        let mut reads = 0;
        while matches!(self.stage, Stage::Greeting | Stage::Opening | Stage::Entering) {
            self.answer()?;
            if self.stage == Stage::Open {
                return Ok(());
            }
            reads += 1;
            if reads > READS_MAX || !self.fill()? {
                break;
            }
        }
        if monotonic_now().since(self.since) > PATIENCE_NS {
            return Err(self.lose(BusError::Os(libc::ETIMEDOUT)));
        }
        Err(BusError::Opening)
    }

    /// Answers what the server said during an opening.
    fn answer(&mut self) -> Result<(), BusError> {
        while let Some(at) = self.read.next() {
            let Some(message) = self.lines.push(self.chunk[at]) else { continue };
            let next = match (self.stage, message) {
                (Stage::Greeting, Message::Hi) => {
                    self.outbox.put(&self.request);
                    Stage::Opening
                }
                (Stage::Opening, Message::Ok) => {
                    self.outbox.put(b"< rawmode >");
                    Stage::Entering
                }
                (Stage::Entering, Message::Ok) => Stage::Open,
                (_, Message::Refusal(words)) => {
                    self.said.clear();
                    // Never more than there is room for: a message is no longer than that.
                    words.chars().for_each(|c| self.said.push(c));
                    return Err(self.lose(BusError::Refused));
                }
                (stage, _) => stage,
            };
            self.stage = next;
            self.pump()?;
            if next == Stage::Open {
                break;
            }
        }
        Ok(())
    }

    /// Reads what has come, and says whether anything has. Only when all that was read before was taken in.
    fn fill(&mut self) -> Result<bool, BusError> {
        let Some(stream) = &mut self.stream else { return Err(BusError::Closed) };
        loop {
            match stream.read(&mut self.chunk[..]) {
                Ok(0) => return Err(self.lose(BusError::Closed)),
                Ok(len) => {
                    (self.read, self.read_at) = (0..len, monotonic_now());
                    return Ok(true);
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(self.lose(os(&why))),
            }
        }
    }

    /// Gives TCP as much of the outbox as it takes: whole messages, when it has room for them. A server of the reference
    /// closes the connection at a read that brings it no whole message, and TCP keeps together what it was given at once.
    fn pump(&mut self) -> Result<(), BusError> {
        let Some(stream) = &mut self.stream else { return Err(BusError::Closed) };
        while !self.outbox.bytes().is_empty() {
            match wait_for(stream.as_fd(), Ready::Write, Nanos(0)) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(why) => return Err(self.lose(os(&why))),
            }
            match stream.write(self.outbox.whole()) {
                Ok(0) => return Err(self.lose(BusError::Closed)),
                Ok(len) => self.outbox.sent(len),
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(self.lose(os(&why))),
            }
        }
        Ok(())
    }

    /// Takes in what was read, as far as there is room.
    fn take_in(&mut self, into: &mut Inbox) {
        while into.room() > 0 {
            let Some(index) = self.read.next() else { return };
            let message = self.lines.push(self.chunk[index]);
            if let Some(heard) = message.and_then(|message| message.heard()) {
                into.push(Received { heard, at: self.read_at });
            }
        }
    }

    /// Takes in what has come, without waiting.
    fn look(&mut self, into: &mut Inbox) -> Result<(), BusError> {
        self.pump()?;
        self.take_in(into);
        for _ in 0..READS_MAX {
            if !self.read.is_empty() || into.room() == 0 || !self.fill()? {
                break;
            }
            self.take_in(into);
        }
        Ok(())
    }

    /// Waits until there is something to take in, or room for what is to be sent.
    fn pause(&mut self, until: Nanos) -> Result<(), BusError> {
        let Some(stream) = &self.stream else { return Err(BusError::Closed) };
        let is_idle = self.outbox.bytes().is_empty();
        let what = if is_idle { Ready::Read } else { Ready::ReadOrWrite };
        wait_for(stream.as_fd(), what, until).map(drop).map_err(|why| self.lose(os(&why)))
    }
}

impl Bus for Socketcand {
    fn wait(&mut self, until: Nanos, into: &mut Inbox) -> Result<(), BusError> {
        if let Some(trouble) = self.trouble() {
            return Err(trouble);
        }
        let room = into.room();
        loop {
            let looked = self.look(into);
            // What was heard before the connection was lost comes first; that it was, the next call says.
            if into.room() < room || into.room() == 0 {
                return Ok(());
            }
            looked?;
            if monotonic_now() >= until {
                return Ok(());
            }
            self.pause(until)?;
        }
    }

    fn send(&mut self, frame: &Frame) -> Result<(), BusError> {
        if let Some(trouble) = self.trouble() {
            return Err(trouble);
        }
        // First what waits: a frame must not be refused for want of room that TCP has.
        self.pump()?;
        if !self.outbox.frame(frame) {
            return Err(BusError::Full);
        }
        self.pump()
    }

    fn flush(&mut self) -> usize {
        self.outbox.flush()
    }

    fn reopen(&mut self) -> Result<(), BusError> {
        match self.stage {
            Stage::Open => return Ok(()),
            Stage::Gone(_) => self.connect()?,
            _ => {}
        }
        self.go_on()
    }
}

/// Begins to connect without waiting for it.
fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(why) if why.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(why) => return Err(why),
    }
    let stream = TcpStream::from(socket);
    // A set-point waits for no other to share a packet with.
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_send_buffer_size(TCP_ROOM)?;
    Ok(stream)
}

/// An error of the system, as ours.
fn os(why: &io::Error) -> BusError {
    match why.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            BusError::Closed
        }
        ErrorKind::NetworkDown => BusError::Down,
        _ => BusError::Os(why.raw_os_error().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests;
