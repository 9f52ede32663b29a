//! Threads that stand between a socket and the thread that has the arm.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
};

use serde_json::{Value, json};

use super::{
    Event, be_on_time,
    text::{Request, Requests},
};

/// Batches that may wait for a client who is slow: a second of what the arm says.
const OUTBOX: usize = 256;
/// The longest line at the world's door.
const LINE_MAX: u64 = 1 << 16;

/// Takes in clients of the bus, each with an id of its own.
pub(super) fn socketcand(listener: TcpListener, channel: String, events: Sender<Event>) {
    thread::spawn(move || {
        for (id, stream) in (1..).zip(listener.incoming()) {
            let (Ok(stream), events, channel) = (stream, events.clone(), channel.clone()) else {
                continue;
            };
            thread::spawn(move || {
                be_on_time();
                // A client may break off at any word; what matters is that it is gone.
                let _ = converse(stream, id, &channel, &events);
                let _ = events.send(Event::Left(id));
            });
        }
    });
}

/// Its handshake, and then what it says.
fn converse(
    mut stream: TcpStream,
    id: u64,
    channel: &str,
    events: &Sender<Event>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (outbox, words) = mpsc::sync_channel(OUTBOX);
    let writer = stream.try_clone()?;
    thread::spawn(move || write(writer, &words));
    let say = |words: &str| say(&outbox, words);
    say("< hi >")?;
    let (mut requests, mut bytes) = (Requests::default(), [0; 4096]);
    let (mut is_open, mut hears) = (false, false);
    loop {
        let read = stream.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        for request in requests.take(&bytes[..read]) {
            match request {
                Request::Open(asked) if asked == channel => {
                    is_open = true;
                    say("< ok >")?;
                }
                Request::Open(_) => say("< error could not open bus >")?,
                Request::RawMode if is_open => {
                    say("< ok >")?;
                    if !hears {
                        hears = true;
                        tell(events, Event::Joined(id, outbox.clone()))?;
                    }
                }
                Request::Echo => say("< echo >")?,
                Request::Send(frame) if hears => tell(events, Event::Said(id, frame))?,
                Request::RawMode | Request::Send(_) | Request::Unknown => {
                    say("< error unknown command >")?;
                }
            }
        }
    }
}

fn say(outbox: &SyncSender<Arc<str>>, words: &str) -> std::io::Result<()> {
    outbox.send(words.into()).map_err(|_| ErrorKind::BrokenPipe.into())
}

fn tell(events: &Sender<Event>, event: Event) -> std::io::Result<()> {
    events.send(event).map_err(|_| ErrorKind::BrokenPipe.into())
}

fn write(mut stream: TcpStream, words: &Receiver<Arc<str>>) {
    be_on_time();
    for batch in words {
        if stream.write_all(batch.as_bytes()).is_err() {
            return;
        }
    }
}

/// Answers those who come to the world's door.
pub(super) fn world(listener: TcpListener, events: Sender<Event>) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), events) = (stream, events.clone()) else { continue };
            thread::spawn(move || {
                // Who asks may go at any moment.
                let _ = answer(&stream, &events);
            });
        }
    });
}

fn answer(stream: &TcpStream, events: &Sender<Event>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut line) = (BufReader::new(stream), String::new());
    loop {
        line.clear();
        if (&mut reader).take(LINE_MAX).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let request = serde_json::from_str::<Value>(&line);
        let told = match request {
            Ok(request) if request["do"] == "quit" => {
                writeln!(&mut &*stream, "{}", json!({ "ok": true }))?;
                return tell(events, Event::Quit);
            }
            Ok(request) => {
                let (sender, told) = mpsc::channel();
                tell(events, Event::Asked(request, sender))?;
                told.recv().map_err(|_| std::io::Error::from(ErrorKind::BrokenPipe))?
            }
            Err(error) => json!({ "ok": false, "error": format!("not JSON: {error}") }),
        };
        writeln!(&mut &*stream, "{told}")?;
    }
}
