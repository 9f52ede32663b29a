//! A bus that is open neither allocates nor frees, whatever comes and goes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use reflex::{
    backend::piper::{
        bus::{self, Address, BusError, Inbox},
        frames::Frame,
    },
    clock::monotonic_now,
};

struct Counting;

thread_local! {
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
}

fn touch() {
    let _ = TOUCHED.try_with(|touched| touched.set(touched.get() + 1));
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Greets, answers everything with a frame and garbage, and leaves after so many bytes.
fn serve(listener: &TcpListener, bytes: usize) {
    let (mut stream, _) = listener.accept().expect("a client");
    stream.write_all(b"< hi >< ok >< ok >").expect("a client");
    let (mut read, mut buffer) = (0, [0; 512]);
    while read < bytes {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(len) => read += len,
        }
        let told = b"< frame 2A5 1.0 0102030405060708 >garbage< error x >< frame 1";
        if stream.write_all(told).is_err() {
            return;
        }
    }
}

#[test]
fn a_bus_does_not_allocate_once_it_is_open() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = thread::spawn(move || {
        serve(&listener, 50_000);
        serve(&listener, 1_000);
    });
    let address: Address = format!("socketcand://127.0.0.1:{port}/can0").parse().expect("a bus");
    let mut bus = bus::open(&address, Duration::from_secs(5)).expect("a server");
    let mut inbox = Inbox::new(16);
    let frame = Frame::new(0x155, &[7; 8]).expect("a frame");

    let (before, mut heard, mut closed) = (TOUCHED.get(), 0, 0);
    let until = monotonic_now().after(10_000_000_000);
    while closed < 2 && monotonic_now() < until {
        let told = match bus.send(&frame) {
            Err(BusError::Full) => {
                bus.flush();
                Ok(())
            }
            told => told,
        };
        let told = told.and_then(|()| bus.wait(monotonic_now().after(100_000), &mut inbox));
        heard += inbox.items().len();
        inbox.clear();
        match told {
            Err(BusError::Opening) => _ = bus.reopen(),
            Err(_) if closed == 0 => {
                closed = 1;
                _ = bus.reopen();
            }
            Err(_) => closed += 1,
            Ok(()) => {}
        }
    }
    assert_eq!(TOUCHED.get() - before, 0, "it allocates");
    assert_eq!(closed, 2, "it has been closed, opened again and closed again");
    assert!(heard > 100, "{heard}");
    server.join().expect("the server does not panic");
}
