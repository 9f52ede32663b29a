//! Against a small server on a thread, which does what servers do, and worse.

use std::{
    net::{Shutdown, TcpListener},
    sync::mpsc,
    thread,
};

use proptest::prelude::*;

use super::{
    super::{BusTrouble, Heard, read_socketcand},
    *,
};

const WITHIN: Duration = Duration::from_secs(5);

/// A server that does something with each client, one after the other.
struct Server {
    port: u16,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn new(mut serve: impl FnMut(usize, TcpStream) -> bool + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let thread = thread::spawn(move || {
            for turn in 0.. {
                let (stream, _) = listener.accept().expect("a client");
                stream.set_read_timeout(Some(WITHIN)).expect("a time-out");
                if !serve(turn, stream) {
                    break;
                }
            }
        });
        Self { port, thread: Some(thread) }
    }

    fn open(&self) -> Result<Socketcand, OpenError> {
        open(("127.0.0.1", self.port, "can0"), WITHIN)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let thread = self.thread.take().expect("only once");
        if !thread::panicking() {
            thread.join().expect("the server does not panic");
        }
    }
}

/// Reads one message.
fn hear(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while text.last() != Some(&b'>') && stream.read(&mut byte).unwrap_or(0) == 1 {
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("text")
}

/// Opens can0 as the protocol wants it.
fn greet(stream: &mut TcpStream) {
    say(stream, "< hi >");
    assert_eq!(hear(stream), "< open can0 >");
    say(stream, "< ok >");
    assert_eq!(hear(stream), "< rawmode >");
    say(stream, "< ok >");
}

fn say(stream: &mut TcpStream, text: impl AsRef<[u8]>) {
    stream.write_all(text.as_ref()).expect("a client that listens");
}

/// What is heard until so many items are there.
fn collect(bus: &mut Socketcand, count: usize) -> Vec<Heard> {
    let (mut inbox, mut found) = (Inbox::new(3), Vec::new());
    let until = monotonic_now().after(5_000_000_000);
    while found.len() < count && monotonic_now() < until {
        if bus.wait(until, &mut inbox).is_err() {
            break;
        }
        found.extend(inbox.items().iter().map(|one| one.heard));
        inbox.clear();
    }
    found
}

fn frame(id: u16, bytes: &[u8]) -> Frame {
    Frame::new(id, bytes).expect("a frame")
}

fn all(frames: &[Frame]) -> Vec<Heard> {
    frames.iter().map(|frame| Heard::Frame(*frame)).collect()
}

fn words(result: Result<Socketcand, OpenError>) -> String {
    let Err(why) = result else { panic!("it is open") };
    why.to_string()
}

#[test]
fn frames_go_both_ways() {
    let server = Server::new(|_, mut stream| {
        greet(&mut stream);
        for message in
            ["< send 150 8 01 00 00 00 00 00 00 00 >", "< send 7FF 0 >", "< send 00A 2 AB CD >"]
        {
            assert_eq!(hear(&mut stream), message);
        }
        say(&mut stream, "< frame 2A5 1700000000.000001 0001e240FFFFFFFF >");
        say(&mut stream, "< frame 123 23.424242 11 22 33 >\n< frame 7FF 1.0  >");
        say(&mut stream, "< error 040 23.5 >< error 100 >< error 004 23.7 >");
        false
    });
    let mut bus = server.open().expect("a server");
    for sent in
        [frame(0x150, &[1, 0, 0, 0, 0, 0, 0, 0]), frame(0x7FF, &[]), frame(10, &[0xAB, 0xCD])]
    {
        bus.send(&sent).expect("room");
    }
    let before = monotonic_now();
    let mut heard = all(&[
        frame(0x2A5, &[0, 1, 0xE2, 0x40, 0xFF, 0xFF, 0xFF, 0xFF]),
        frame(0x123, &[0x11, 0x22, 0x33]),
        frame(0x7FF, &[]),
    ]);
    heard.extend([BusTrouble::Off, BusTrouble::Restarted, BusTrouble::Warning].map(Heard::Error));
    assert_eq!(collect(&mut bus, 6), heard);
    assert!(monotonic_now() >= before);
}

#[test]
fn garbage_and_messages_that_were_cut_or_never_end_do_no_harm() {
    let server = Server::new(|_, mut stream| {
        say(&mut stream, "welcome\n< motd >< hi ");
        say(&mut stream, " >");
        assert_eq!(hear(&mut stream), "< open can0 >");
        say(&mut stream, "< ok >");
        assert_eq!(hear(&mut stream), "< rawmode >");
        // The first frame comes with the answer, in one piece.
        say(&mut stream, "< ok >< frame 001 1.0 01 >");
        say(&mut stream, [0xFF, 0xFE, b'<', 0xFF, b'>', b'>', b'>']);
        say(&mut stream, [b'x'; 10_000]);
        say(&mut stream, "< frame ");
        say(&mut stream, [b'1'; 10_000]);
        say(&mut stream, "< frame 002 1.0 02 >");
        for odd in [
            "< frame 12345678 1.0 00 >",
            "< frame 1FFF 1.0 00 >",
            "< frame 800 1.0 00 >",
            "< frame 123 1.0 0 >",
            "< frame 123 1.0 001122334455667788 >",
            "< frame 123 1.0 zz >",
            "< frame 123 now 00 >",
            "< frame 123 >",
            "< frame >",
            "< frame 12é 1.0 00 >",
            "< >",
            "<>",
            "< ok >",
            "< error >",
            "< error unknown command >",
            "< frame 123 1.0 00 < frame 003 1.0 03 >",
        ] {
            say(&mut stream, odd);
        }
        for byte in "< frame 004 1.000000 04 >".bytes() {
            say(&mut stream, [byte]);
            thread::yield_now();
        }
        false
    });
    let mut bus = server.open().expect("a server, for all its talk");
    let frames = [1, 2, 3, 4].map(|number| frame(number, &[number as u8]));
    assert_eq!(collect(&mut bus, 4), all(&frames));
}

#[test]
fn a_connection_that_ends_in_the_middle_is_told_and_can_be_opened_anew() {
    let server = Server::new(|turn, mut stream| {
        greet(&mut stream);
        say(&mut stream, "< frame 001 1.0 01 >");
        if turn == 0 {
            say(&mut stream, "< frame 002 1.0 0");
            stream.shutdown(Shutdown::Both).expect("an end");
        }
        turn == 0
    });
    let mut bus = server.open().expect("a server");
    let mut inbox = Inbox::new(8);
    let until = monotonic_now().after(5_000_000_000);
    let told = loop {
        match bus.wait(until, &mut inbox) {
            Ok(()) => assert!(monotonic_now() < until, "it never ends"),
            Err(why) => break why,
        }
    };
    assert_eq!(told, BusError::Closed);
    assert_eq!(inbox.items().len(), 1, "half a frame is none");
    // Gone is gone: at once, every time.
    assert_eq!(bus.wait(until, &mut inbox), Err(BusError::Closed));
    assert_eq!(bus.send(&frame(1, &[])), Err(BusError::Closed));
    // Step by step, without waiting; how many steps it takes is the network's.
    while let Err(why) = bus.reopen() {
        assert_eq!(why, BusError::Opening);
        assert_eq!(bus.send(&frame(1, &[])), Err(BusError::Opening));
        assert!(monotonic_now() < until, "it never opens");
        thread::yield_now();
    }
    assert_eq!(bus.reopen(), Ok(()));
    assert_eq!(collect(&mut bus, 1), all(&[frame(1, &[1])]), "nothing of the old connection");
}

#[test]
fn a_peer_that_does_not_read_never_makes_us_wait() {
    let (go, gone) = mpsc::channel::<()>();
    let server = Server::new(move |_, mut stream| {
        greet(&mut stream);
        gone.recv().expect("the word to go on");
        // All that was not flushed arrives whole.
        let mut last = String::new();
        loop {
            let message = hear(&mut stream);
            if message.is_empty() {
                break;
            }
            assert!(message.starts_with("< send ") && message.ends_with(" >"), "{message}");
            last = message;
        }
        assert_eq!(last, "< send 7FF 1 77 >");
        false
    });
    let mut bus = server.open().expect("a server");
    let sent = frame(0x155, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let mut count = 0_u32;
    let full = loop {
        match bus.send(&sent) {
            Ok(()) => count += 1,
            Err(why) => break why,
        }
        assert!(count < 10_000_000, "it swallows everything");
    };
    assert_eq!(full, BusError::Full);
    assert_eq!(bus.send(&sent), Err(BusError::Full));
    // What TCP has not begun is forgotten, and there is room for what counts now.
    let dropped = bus.flush();
    assert!(dropped > 0);
    assert_eq!(bus.flush(), 0, "nothing twice");
    bus.send(&frame(0x7FF, &[0x77])).expect("room again");
    go.send(()).expect("a server");
    // A wait gives TCP the rest as soon as there is room.
    let mut inbox = Inbox::new(1);
    let until = monotonic_now().after(5_000_000_000);
    while !bus.outbox.bytes().is_empty() && monotonic_now() < until {
        bus.wait(monotonic_now().after(1_000_000), &mut inbox).expect("open");
    }
    assert!(bus.outbox.bytes().is_empty());
    drop(bus);
}

#[test]
fn a_look_does_not_wait_and_a_wait_ends() {
    let (done, end) = mpsc::channel::<()>();
    let server = Server::new(move |_, mut stream| {
        greet(&mut stream);
        end.recv().expect("the end of the test");
        false
    });
    let mut bus = server.open().expect("a server");
    let mut inbox = Inbox::new(1);
    bus.wait(Nanos(0), &mut inbox).expect("open");
    let until = monotonic_now().after(3_000_000);
    bus.wait(until, &mut inbox).expect("open");
    assert!(monotonic_now() >= until && inbox.items().is_empty());
    done.send(()).expect("a server");
}

#[test]
fn an_inbox_without_room_loses_nothing() {
    let server = Server::new(|_, mut stream| {
        greet(&mut stream);
        for number in 0..500_u16 {
            say(&mut stream, format!("< frame {number:03X} 1.0 >"));
        }
        false
    });
    let mut bus = server.open().expect("a server");
    let frames: Vec<Frame> = (0..500).map(|number| frame(number, &[])).collect();
    let mut none = Inbox::new(0);
    bus.wait(monotonic_now().after(5_000_000_000), &mut none).expect("at once");
    assert_eq!(collect(&mut bus, 500), all(&frames));
}

#[test]
fn what_is_wrong_is_told_with_a_remedy() {
    let refusing = Server::new(|_, mut stream| {
        say(&mut stream, "< hi >");
        hear(&mut stream);
        say(&mut stream, "< error could not open bus >");
        false
    });
    let why = words(refusing.open());
    assert!(why.contains("could not open bus") && why.contains("socketcand -i can0"), "{why}");

    let closing = Server::new(|_, _| false);
    let why = words(closing.open());
    assert!(why.contains("closed the connection"), "{why}");

    let (done, end) = mpsc::channel::<()>();
    let silent = Server::new(move |_, stream| {
        end.recv().expect("the end of the test");
        drop(stream);
        false
    });
    let why = words(open(("127.0.0.1", silent.port, "can0"), Duration::from_millis(50)));
    assert!(why.contains("does not greet"), "{why}");
    done.send(()).expect("a server");

    let free = TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("one");
    let why = words(open(("127.0.0.1", free.port(), "can0"), WITHIN));
    assert!(why.contains("nobody listens") && why.contains("-p"), "{why}");
}

#[test]
fn messages_take_no_more_room_than_they_were_given() {
    let mut outbox = Outbox::new();
    let widest = frame(0x7FF, &[0xFF; 8]);
    let count = std::iter::repeat_with(|| outbox.frame(&widest)).take_while(|fits| *fits).count();
    assert_eq!(count, 2048 / 38);
    // One that was begun is finished, the others are forgotten.
    outbox.sent(10);
    assert_eq!(outbox.flush(), count - 1);
    let rest = b" 8 FF FF FF FF FF FF FF FF >";
    assert_eq!(outbox.bytes(), rest);
    outbox.sent(rest.len());
    assert!(outbox.frame(&widest) && outbox.flush() == 1 && outbox.bytes().is_empty());
}

#[test]
fn text_is_read_without_a_connection_and_as_far_as_there_is_room() {
    let text = b"< frame 001 1.0 01 >< frame 002 1.0 02 >< frame 003 1.0 03 >";
    let mut inbox = Inbox::new(2);
    assert_eq!(read_socketcand(text, Nanos(5), &mut inbox), 40);
    let frames = [1, 2].map(|number| frame(number, &[number as u8]));
    assert_eq!(inbox.items().iter().map(|one| one.heard).collect::<Vec<_>>(), all(&frames));
    assert!(inbox.items().iter().all(|one| one.at == Nanos(5)));
}

proptest! {
    #[test]
    fn frames_come_back_from_text_and_no_text_makes_it_panic(
        id in 0..=0x7FF_u16,
        bytes in proptest::collection::vec(any::<u8>(), 0..=8),
        before in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'<'), Just(b' ')], 0..200),
    ) {
        let sent = frame(id, &bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let message = format!("< frame {id:03X} 1.000001 {hex} >");
        let text = [&before[..], message.as_bytes()].concat();
        let mut inbox = Inbox::new(100);
        assert_eq!(read_socketcand(&text, Nanos(0), &mut inbox), text.len());
        prop_assert_eq!(inbox.items().last().map(|one| one.heard), Some(Heard::Frame(sent)));
    }
}

/// The reference server closes a connection as soon as a read brings it no whole message. So a message may be cut only
/// behind others, whatever the backlog.
#[test]
fn a_server_that_wants_whole_messages_gets_them() {
    const SENT: u32 = 30_000;
    let server = Server::new(|_, mut stream| {
        greet(&mut stream);
        let (mut buffer, mut len, mut count) = ([0; 4000], 0, 0);
        while count < SENT {
            // It is busy elsewhere at times, and the backlog grows.
            if count % 1000 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
            match stream.read(&mut buffer[len..]) {
                Ok(0) | Err(_) => panic!("the client has gone after {count}"),
                Ok(more) => len += more,
            }
            let text = &buffer[..len];
            let end = text.iter().rposition(|byte| *byte == b'>').expect("a whole message");
            count += text[..=end].iter().filter(|byte| **byte == b'>').count() as u32;
            buffer.copy_within(end + 1..len, 0);
            len -= end + 1;
        }
        // The client leaves first.
        assert_eq!((len, stream.read(&mut buffer).expect("an end")), (0, 0));
        false
    });
    let mut bus = server.open().expect("a server");
    let (sent, mut count, mut full) = (frame(0x155, &[0xFF; 8]), 0, 0);
    let mut inbox = Inbox::new(1);
    while count < SENT {
        match bus.send(&sent) {
            Ok(()) => count += 1,
            Err(BusError::Full) => {
                full += 1;
                bus.wait(monotonic_now().after(100_000), &mut inbox).expect("open");
            }
            Err(why) => panic!("{why} after {count}"),
        }
    }
    while !bus.outbox.bytes().is_empty() {
        bus.wait(monotonic_now().after(100_000), &mut inbox).expect("open");
    }
    assert!(full > 0, "there was no backlog");
    drop(bus);
}
