//! The shell around the arm: sockets, real time, and nothing that knows what a frame means.
//!
//! One thread has the arm and sleeps until it is due or somebody says something; each client has one that reads and one
//! that writes, so that a client who does not listen loses frames and nobody waits.

mod clients;

use std::{
    collections::BTreeMap,
    fmt,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender, SyncSender, TrySendError},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ::motion::Nanos;
use reflex::{
    backend::piper::{
        bus::{self, Address, Bus, BusError, Heard, Inbox},
        frames::Frame,
    },
    clock::monotonic_now,
    realtime,
};
use serde_json::Value;

use super::{Arm, Line, text};

/// python-can reads its last `< ok >` in one piece, and takes what follows too soon for a part of it. So what follows is
/// kept back for so long, or until the client says something itself. (piper_sdk has two connections, and only one of them
/// ever says anything.)
const GRACE_NS: u64 = 100_000_000;
/// How long to wait for an interface at the start, and before a lost one is tried again.
const OPEN_WITHIN: Duration = Duration::from_secs(2);
const REOPEN_NS: u64 = 200_000_000;
/// With an interface to wait on, requests of the other doors wait for this long at most, ns.
const LOOK_NS: u64 = 5_000_000;
/// SCHED_FIFO, where the host lets us: a real arm has a computer of its own, and is not late because ours is busy. Below
/// what a daemon asks for.
const PRIORITY: i32 = 20;
/// Classes of error frames: bus-off, and restarted.
const ERROR_BUS_OFF: u32 = 0x40;
const ERROR_RESTARTED: u32 = 0x100;

/// Where it is served.
#[derive(Clone, Debug)]
pub struct Doors {
    /// As a socketcand server, `host:port`; port 0 is any.
    pub socketcand: Option<String>,
    /// Under which name of a channel.
    pub channel: String,
    /// Its world's door, `host:port`.
    pub world: Option<String>,
    /// On an interface of this computer, such as `vcan0`.
    pub interface: Option<String>,
}

/// Where it is, once it is served.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The socketcand server.
    pub socketcand: Option<SocketAddr>,
    /// The world's door.
    pub world: Option<SocketAddr>,
}

/// Why it cannot be served.
#[derive(Debug)]
pub enum ServeError {
    /// Nobody can listen there.
    Listen(String, std::io::Error),
    /// The interface cannot be opened.
    Bus(String),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Bus(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for ServeError {}

/// What others want of the thread that has the arm.
enum Event {
    /// A client hears from now on.
    Joined(u64, SyncSender<Arc<str>>),
    /// It said a frame.
    Said(u64, Frame),
    /// It is gone.
    Left(u64),
    /// Somebody asks at the world's door.
    Asked(Value, Sender<Value>),
    /// Somebody there said that it is enough, and was answered.
    Quit,
}

struct Client {
    outbox: SyncSender<Arc<str>>,
    /// Not before this; until then it is kept here.
    from: Nanos,
    kept: String,
    lost: u64,
}

struct Shell<'a> {
    arm: Arm,
    clients: BTreeMap<u64, Client>,
    bus: Option<Box<dyn Bus>>,
    reopen_at: Option<Nanos>,
    inbox: Inbox,
    said: Vec<Frame>,
    line: Line,
    short: String,
    log: &'a mut dyn FnMut(&str),
}

/// Serves an arm until somebody says `quit` at its world's door. `ready` is called once, when clients may come.
///
/// # Errors
/// A door that cannot be opened.
pub fn serve(
    arm: Arm,
    doors: &Doors,
    ready: impl FnOnce(&Addresses),
    log: &mut dyn FnMut(&str),
) -> Result<(), ServeError> {
    let (events, inlet) = mpsc::channel();
    let listen = |address: &String| {
        let wrong = |error| ServeError::Listen(address.clone(), error);
        // The standard library sets SO_REUSEADDR: a killed server's port can be had again at once.
        let listener = TcpListener::bind(address).map_err(wrong)?;
        let at = listener.local_addr().map_err(wrong)?;
        Ok((listener, at))
    };
    let socketcand = doors.socketcand.as_ref().map(listen).transpose()?;
    let world = doors.world.as_ref().map(listen).transpose()?;
    let bus = match &doors.interface {
        Some(name) => {
            let address = Address::Interface(name.clone());
            let bus = bus::open(&address, OPEN_WITHIN);
            Some(bus.map_err(|error| ServeError::Bus(error.to_string()))?)
        }
        None => None,
    };
    let addresses = Addresses {
        socketcand: socketcand.as_ref().map(|(_, at)| *at),
        world: world.as_ref().map(|(_, at)| *at),
    };
    if let Some((listener, _)) = socketcand {
        clients::socketcand(listener, doors.channel.clone(), events.clone());
    }
    if let Some((listener, _)) = world {
        clients::world(listener, events.clone());
    }
    let mut shell = Shell {
        arm,
        clients: BTreeMap::new(),
        bus,
        reopen_at: None,
        inbox: Inbox::new(256),
        said: Vec::new(),
        line: Line::Well,
        short: String::new(),
        log,
    };
    for refusal in be_on_time().refused() {
        (shell.log)(&format!("frames may be late: {refusal}"));
    }
    shell.tick();
    ready(&addresses);
    shell.run(&inlet);
    Ok(())
}

/// What the thread that calls this is promised; what it starts later is not.
fn be_on_time() -> realtime::Report {
    realtime::enter(&realtime::Settings { priority: Some(PRIORITY), ..Default::default() })
}

impl Shell<'_> {
    fn run(&mut self, inlet: &Receiver<Event>) {
        loop {
            let event = self.wait(inlet);
            let more = std::iter::from_fn(|| inlet.try_recv().ok());
            for event in event.into_iter().chain(more) {
                if self.take(event) {
                    return;
                }
            }
            self.tick();
        }
    }

    /// Until the arm is due or somebody says something; events of the bus are taken at once.
    fn wait(&mut self, inlet: &Receiver<Event>) -> Option<Event> {
        let (now, next) = (monotonic_now(), self.arm.next());
        if self.bus.is_none() || self.reopen_at.is_some() {
            self.reopen(now);
            return inlet.recv_timeout(Duration::from_nanos(next.since(now))).ok();
        }
        let until = next.min(now.after(LOOK_NS));
        self.inbox.clear();
        let waited = self.bus.as_mut().map(|bus| bus.wait(until, &mut self.inbox));
        let heard = std::mem::replace(&mut self.inbox, Inbox::new(0));
        for received in heard.items() {
            if let Heard::Frame(frame) = received.heard {
                self.arm.hear(&frame);
                self.relay(None, &frame);
            }
        }
        self.inbox = heard;
        if let Some(Err(error)) = waited {
            (self.log)(&format!("the interface: {error}"));
            self.reopen_at = Some(now.after(REOPEN_NS));
        }
        None
    }

    fn reopen(&mut self, now: Nanos) {
        let (Some(bus), Some(at)) = (&mut self.bus, self.reopen_at) else { return };
        if now >= at {
            self.reopen_at = match bus.reopen() {
                Ok(()) => {
                    (self.log)("the interface is back");
                    None
                }
                Err(_) => Some(now.after(REOPEN_NS)),
            };
        }
    }

    /// Says whether it was the last.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Joined(id, outbox) => {
                (self.log)(&format!("client {id} hears"));
                let from = monotonic_now().after(GRACE_NS);
                self.clients.insert(id, Client { outbox, from, kept: String::new(), lost: 0 });
            }
            Event::Said(id, frame) => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.from = Nanos(0);
                }
                self.arm.hear(&frame);
                self.relay(Some(id), &frame);
            }
            Event::Left(id) => {
                if let Some(client) = self.clients.remove(&id) {
                    (self.log)(&format!("client {id} is gone; it lost {} batches", client.lost));
                }
            }
            Event::Asked(request, answer) => {
                let told = self.arm.ask(&request);
                if request["do"] != "state" {
                    (self.log)(&format!("asked {request}, answered {told}"));
                }
                // Who asked may be gone by now.
                let _ = answer.send(told);
            }
            Event::Quit => return true,
        }
        false
    }

    /// The arm goes on to now, and everybody hears it.
    fn tick(&mut self) {
        let now = monotonic_now();
        let mut said = std::mem::take(&mut self.said);
        self.arm.step(now, &mut said);
        self.tell_line();
        if !said.is_empty() {
            let mut words = String::new();
            let (seconds, micros) = since_1970();
            for frame in &said {
                text::tell(&mut words, frame, seconds, micros);
            }
            self.broadcast(None, now, &words.into());
            for frame in &said {
                self.send(frame);
            }
        }
        said.clear();
        self.said = said;
        let short = self.arm.in_short();
        if short != self.short {
            (self.log)(&short);
            self.short = short;
        }
    }

    /// Says that the bus is off, or on again, where a transport has words for it.
    fn tell_line(&mut self) {
        let line = self.arm.line();
        let class = match (self.line, line) {
            (Line::Well | Line::Cut, Line::Off) => ERROR_BUS_OFF,
            (Line::Off, Line::Well | Line::Cut) => ERROR_RESTARTED,
            _ => 0,
        };
        self.line = line;
        if class != 0 {
            let mut words = String::new();
            let (seconds, micros) = since_1970();
            text::tell_error(&mut words, class, seconds, micros);
            self.broadcast(None, monotonic_now(), &words.into());
        }
    }

    /// What one client said, the others hear as well: it is a bus.
    fn relay(&mut self, from: Option<u64>, frame: &Frame) {
        if self.arm.line() == Line::Off {
            return;
        }
        let mut words = String::new();
        let (seconds, micros) = since_1970();
        text::tell(&mut words, frame, seconds, micros);
        self.broadcast(from, monotonic_now(), &words.into());
        if from.is_some() {
            self.send(frame);
        }
    }

    fn broadcast(&mut self, but: Option<u64>, now: Nanos, words: &Arc<str>) {
        self.clients.retain(|id, client| {
            if Some(*id) == but {
                return true;
            }
            if now < client.from {
                client.kept.push_str(words);
                return true;
            }
            let kept = std::mem::take(&mut client.kept);
            let words = if kept.is_empty() { Arc::clone(words) } else { (kept + words).into() };
            match client.outbox.try_send(words) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    client.lost += 1;
                    true
                }
                Err(TrySendError::Disconnected(_)) => false,
            }
        });
    }

    fn send(&mut self, frame: &Frame) {
        let Some(bus) = &mut self.bus else { return };
        match bus.send(frame) {
            // A full queue loses frames, as a real controller does; a dead bus is noticed where it is waited for.
            Ok(()) | Err(BusError::Full) => {}
            Err(_) => {
                if self.reopen_at.is_none() {
                    self.reopen_at = Some(monotonic_now().after(REOPEN_NS));
                }
            }
        }
    }
}

fn since_1970() -> (u64, u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs(), since.subsec_micros())
}
