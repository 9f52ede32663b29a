//! The program, over its sockets and in real time. Waits have bounds; nothing else is timed.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

/// Long enough for the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Which motors are on.
const ALL: [bool; 6] = [true; 6];
const NONE: [bool; 6] = [false; 6];

pub(crate) struct Served {
    process: Child,
    socketcand: String,
    world: BufReader<TcpStream>,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Served {
    /// More arguments than the two addresses may take the first one back.
    pub(crate) fn new(socketcand: &str, more: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_reflexd-virtual-piper"))
            .args(["--socketcand", socketcand, "--world", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the virtual arm starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let addresses: Value = serde_json::from_str(&line).expect("JSON");
        let socketcand = addresses["socketcand"].as_str().unwrap_or_default().to_owned();
        let world = connect(addresses["world"].as_str().expect("an address"));
        Self { process, socketcand, world: BufReader::new(world) }
    }

    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.world.get_mut(), "{request}").expect("written");
        let mut line = String::new();
        self.world.read_line(&mut line).expect("answered");
        serde_json::from_str(&line).expect("JSON")
    }

    fn client(&self) -> Client {
        let mut client = Client { stream: connect(&self.socketcand), text: String::new() };
        client.hears("< hi >");
        client.says("< open can0 >");
        client.hears("< ok >");
        client.says("< rawmode >");
        client.hears("< ok >");
        client
    }
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

struct Client {
    stream: TcpStream,
    text: String,
}

impl Client {
    fn says(&mut self, words: &str) {
        self.stream.write_all(words.as_bytes()).expect("written");
    }

    /// Waits for a message that begins so, and gives it; what came before it is dropped.
    fn hears(&mut self, beginning: &str) -> String {
        let mut bytes = [0; 4096];
        loop {
            while let Some(end) = self.text.find('>') {
                let rest = self.text.split_off(end + 1);
                let message = std::mem::replace(&mut self.text, rest);
                if message.starts_with(beginning) {
                    return message;
                }
            }
            let read = self.stream.read(&mut bytes).expect("something within patience");
            assert!(read > 0, "it closed before {beginning}");
            self.text.push_str(std::str::from_utf8(&bytes[..read]).expect("ASCII"));
        }
    }
}

#[test]
fn two_clients_hear_the_arm_and_each_other() {
    let served = Served::new("127.0.0.1:0", &[]);
    let (mut one, mut two) = (served.client(), served.client());
    one.hears("< frame 2A1 ");
    two.hears("< frame 2A1 ");
    one.says("< send 472 8 2 1 0 0 0 0 0 0 >");
    assert!(two.hears("< frame 472 ").ends_with(" 0201000000000000 >"));
    assert!(two.hears("< frame 473 ").ends_with(" 0207080000012C00 >"));
    one.hears("< frame 473 ");
    one.says("< echo >");
    one.hears("< echo >");
    one.says("< fly >");
    one.hears("< error unknown command >");
    let mut other = Client { stream: connect(&served.socketcand), text: String::new() };
    other.hears("< hi >");
    other.says("< rawmode >");
    other.hears("< error unknown command >");
    other.says("< open can7 >");
    other.hears("< error could not open bus >");
}

#[test]
fn a_bus_that_goes_off_says_so_and_comes_back() {
    let mut served = Served::new("127.0.0.1:0", &[]);
    let mut client = served.client();
    client.hears("< frame 2A1 ");
    assert_eq!(served.ask(&json!({ "do": "fault", "fault": "bus_off" }))["ok"], true);
    client.hears("< error 040 ");
    assert_eq!(served.ask(&json!({ "do": "fault", "fault": "none" }))["ok"], true);
    client.hears("< error 100 ");
    client.hears("< frame 2A1 ");
}

#[test]
fn killed_it_can_be_had_again_at_the_same_port_without_power() {
    let mut served = Served::new("127.0.0.1:0", &[]);
    let mut client = served.client();
    for _ in 0..200 {
        client.says("< send 471 8 7 2 0 0 0 0 0 0 >");
        std::thread::sleep(Duration::from_millis(10));
        if served.ask(&json!({ "do": "state" }))["enabled"] == json!(ALL) {
            break;
        }
    }
    assert_eq!(served.ask(&json!({ "do": "state" }))["enabled"], json!(ALL));
    let address = served.socketcand.clone();
    drop(served);
    let mut bytes = [0; 4096];
    while client.stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
    let mut again = Served::new(&address, &["--pose", "0.1,0.9,-0.8,0,0.5,0,0.05"]);
    let mut client = again.client();
    client.hears("< frame 2A5 ");
    let state = again.ask(&json!({ "do": "state" }));
    assert_eq!(state["enabled"], json!(NONE));
    assert!((state["joints_rad"][0].as_f64().expect("a joint") - 0.1).abs() < 0.05, "{state}");
}

#[test]
fn it_ends_well_when_it_is_told_to_and_badly_where_it_cannot_begin() {
    let mut served = Served::new("127.0.0.1:0", &[]);
    assert_eq!(served.ask(&json!({ "do": "quit" }))["ok"], true);
    assert_eq!(served.process.wait().expect("it ends").code(), Some(0));
    for (arguments, code) in [
        (&["--interface", "nocan0"][..], 1),
        (&["--scene", "nowhere.xml"], 1),
        (&["--firmware", "new"], 2),
        (&["--gripper-range", "50"], 2),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_reflexd-virtual-piper"))
            .args(["--socketcand", "127.0.0.1:0"])
            .args(arguments)
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
}
