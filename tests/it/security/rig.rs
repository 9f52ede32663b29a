//! What the tests of security set up: a PKI, a daemon behind it, clients that show what they are told to, and a hop.

use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reflexd::security::{Signer, TTL_MS, random, wall_clock_ms};
use serde_json::{Value, json};
use tempfile::TempDir;
use zenoh::{
    Config, Session, Wait, handlers::FifoChannelHandler, pubsub::Subscriber, sample::Sample,
};

use crate::{
    daemon::{PATIENCE, reflexd, wait},
    rig::here,
    wire::house::free_endpoint,
};

/// Tells a process of this binary that it is a hop, and how.
const HOP: &str = "REFLEX_TEST_HOP";
/// Answers take no longer than this, however busy the machine is.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A test PKI, made by `reflexctl certs`.
pub(super) struct Pki {
    folder: TempDir,
}

impl Pki {
    pub(super) fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = Command::new(env!("CARGO_BIN_EXE_reflexctl"))
            .args(["certs", "--robot", "piper", "--operator", "ada", "--router", "vlm"])
            .args(["--viewer", "wall", "--hop", "lab", "--trainer", "tina", "--out"])
            .arg(folder.path())
            .output()
            .expect("reflexctl was built");
        let told = text(&made.stdout);
        assert!(made.status.success() && told.contains("TEST PKI"), "{made:?}");
        Self { folder }
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What a client of zenoh is told of TLS: whom to believe, and what to show.
    fn tls(&self, shows: Option<&str>, believes: &Pki) -> Vec<(&'static str, Value)> {
        let mut tls = vec![
            ("transport/link/tls/root_ca_certificate", json!(believes.file("ca.pem"))),
            ("transport/link/tls/enable_mtls", json!(shows.is_some())),
        ];
        if let Some(name) = shows {
            let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
            tls.push(("transport/link/tls/connect_certificate", json!(self.file(&certificate))));
            tls.push(("transport/link/tls/connect_private_key", json!(self.file(&key))));
        }
        tls
    }
}

/// A client of any kind.
pub(super) struct Person {
    pub(super) name: String,
    session: Session,
}

/// What is heard on some keys.
pub(super) struct Trail(Subscriber<FifoChannelHandler<Sample>>);

fn open(endpoint: &str, more: Vec<(&str, Value)>) -> Option<Session> {
    let mut config = Config::default();
    let basis = [
        ("mode", json!("client")),
        ("connect/endpoints", json!([endpoint])),
        ("connect/timeout_ms", json!(0)),
        ("connect/exit_on_failure", json!(true)),
        ("scouting/multicast/enabled", json!(false)),
    ];
    for (key, value) in basis.into_iter().chain(more) {
        config.insert_json5(key, &value.to_string()).expect("a zenoh setting");
    }
    zenoh::open(config).wait().ok()
}

impl Person {
    /// Somebody with no certificate at all.
    pub(super) fn connect_bare(endpoint: &str, believes: &Pki) -> Option<Self> {
        let session = open(endpoint, believes.tls(None, believes))?;
        Some(Self { name: "nobody".into(), session })
    }

    pub(super) fn put(&self, key: &str, payload: &[u8]) {
        self.session.put(key, payload).wait().expect("the API says nothing of a refusal");
    }

    pub(super) fn ask(&self, key: &str, payload: &[u8]) -> Vec<Value> {
        self.ask_signed(key, payload, None)
    }

    /// Every answer to a question.
    pub(super) fn ask_signed(
        &self,
        key: &str,
        payload: &[u8],
        attachment: Option<&str>,
    ) -> Vec<Value> {
        let get = self.session.get(key).payload(payload).timeout(ANSWER_WITHIN);
        let replies = get.attachment(attachment).wait().expect("the session is open");
        let json = |reply: zenoh::query::Reply| match reply.result() {
            Ok(sample) => serde_json::from_slice(&sample.payload().to_bytes()).expect("JSON"),
            Err(error) => json!({ "error": text(&error.payload().to_bytes()) }),
        };
        std::iter::from_fn(|| replies.recv().ok()).map(json).collect()
    }

    /// The same from whoever has to answer: who has just connected may not have been told yet who that is, and then a question
    /// goes nowhere.
    pub(super) fn answered(
        &self,
        key: &str,
        payload: &[u8],
        attachment: Option<&str>,
    ) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let answers = self.ask_signed(key, payload, attachment);
            if !answers.is_empty() {
                return answers;
            }
            assert!(begun.elapsed() < PATIENCE, "{}: nobody answers on {key}", self.name);
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// A command that this person signs.
    pub(super) fn command(&self, pki: &Pki, name: &str) -> Value {
        let key = format!("reflex/piper/{name}");
        let payload = json!({ "operator": self.name }).to_string();
        let signer = Signer::load(pki.file(&format!("{}.sign.key", self.name)).as_ref());
        let nonce = random().expect("the system has some");
        let signature = signer.expect("ours").sign(
            ("piper", &key),
            (payload.as_bytes(), None),
            nonce,
            (wall_clock_ms(), TTL_MS),
        );
        let mut answers = self.answered(&key, payload.as_bytes(), Some(&signature));
        assert_eq!(answers.len(), 1, "{key}: {answers:?}");
        answers.remove(0)
    }

    /// How many daemons are seen to be alive.
    pub(super) fn alive(&self) -> usize {
        let seen = self.session.liveliness().get("reflex/*/alive").timeout(ANSWER_WITHIN);
        seen.wait().expect("the session is open").iter().count()
    }

    pub(super) fn listen(&self, key: &str) -> Trail {
        Trail(self.session.declare_subscriber(key).wait().expect("a good key"))
    }
}

impl Trail {
    /// Everything that was heard up to what is looked for.
    pub(super) fn until(&self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let sample = self.0.recv_timeout(PATIENCE).expect("open").unwrap_or_else(|| {
                panic!("not heard of: {heard:#?}");
            });
            let event = serde_json::from_slice(&sample.payload().to_bytes()).expect("JSON");
            heard.push(event);
            if heard.last().is_some_and(&is_it) {
                return heard;
            }
        }
    }
}

/// A daemon behind TLS.
pub(super) struct Guarded {
    child: Child,
    folder: TempDir,
    pub(super) endpoint: String,
}

impl Guarded {
    /// Starts one. `security` is what stands in its table beside the names.
    pub(super) fn start(pki: &Pki, security: &str) -> Self {
        let folder = Self::written(pki, security);
        let (child, endpoint) = Self::spawn(&folder);
        Self { child, folder, endpoint }
    }

    fn written(pki: &Pki, security: &str) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = format!(
            r#"
robot = {robot:?}
backend = "loopback"

[loop]
lock_memory = false

[zenoh.tls]
ca = {ca:?}
certificate = {certificate:?}
key = {key:?}

[authority]
lease = "optional"

[security]
operators = ["operator-ada"]
routers = ["router-vlm"]
viewers = ["viewer-wall"]
{security}"#,
            robot = here("config/robots/piper.toml").display().to_string(),
            ca = pki.file("ca.pem"),
            certificate = pki.file("robot-piper.pem"),
            key = pki.file("robot-piper.key"),
        );
        fs::write(folder.path().join("daemon.toml"), config).expect("a temporary file");
        folder
    }

    fn spawn(folder: &TempDir) -> (Child, String) {
        let begun = Instant::now();
        loop {
            let endpoint = free_endpoint().replace("tcp/", "tls/");
            let log = File::create(folder.path().join("log")).expect("a temporary file");
            let mut command = reflexd();
            command.args(["run", "--listen", &endpoint, "--config"]);
            command.arg(folder.path().join("daemon.toml")).stdout(Stdio::null()).stderr(log);
            let mut child = command.spawn().expect("reflexd was built");
            loop {
                let told = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                if told.contains("ready:") {
                    return (child, endpoint);
                }
                if let Some(status) = child.try_wait().expect("our own child") {
                    assert!(told.contains("in use"), "the daemon ended with {status}:\n{told}");
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "the daemon is not ready:\n{told}");
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// A start that has to fail: the exit code, and what was told.
    pub(super) fn fails_to_start(pki: &Pki, security: &str) -> (Option<i32>, String) {
        let folder = Self::written(pki, security);
        let endpoint = free_endpoint().replace("tcp/", "tls/");
        let file = folder.path().join("daemon.toml");
        crate::daemon::fail_to_start(&file, &endpoint, &[])
    }

    /// The same one, killed and started again; it listens somewhere else.
    pub(super) fn restart(mut self) -> Self {
        self.end();
        (self.child, self.endpoint) = Self::spawn(&self.folder);
        self
    }

    /// What it has logged so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Somebody who is known here.
    pub(super) fn person(&self, pki: &Pki, name: &str) -> Person {
        self.try_person(pki, pki, name).expect("a known certificate is let in")
    }

    /// Somebody who shows a certificate of `shows`.
    pub(super) fn try_person(&self, believes: &Pki, shows: &Pki, name: &str) -> Option<Person> {
        let session = open(&self.endpoint, shows.tls(Some(name), believes))?;
        Some(Person { name: name.into(), session })
    }

    pub(super) fn mode(&self, person: &Person) -> String {
        let said = person.answered("reflex/piper/state/mode", b"", None);
        said[0]["mode"].as_str().unwrap_or("not known yet").to_owned()
    }

    pub(super) fn wait_for_mode(&self, person: &Person, mode: &str) {
        let begun = Instant::now();
        while self.mode(person) != mode {
            assert!(begun.elapsed() < PATIENCE, "not {mode}: {}", self.mode(person));
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

/// A zenoh router with somebody's certificate and no access control, as a process.
pub(super) struct Hop {
    child: Child,
    endpoint: String,
}

impl Hop {
    pub(super) fn start(pki: &Pki, shows: &str, daemon: &str) -> Self {
        Self::spawn(pki, shows, daemon, free_endpoint(), Vec::new())
    }

    /// One that has a certificate of its own and the rules that `reflexd acl` prints.
    pub(super) fn with_rules(pki: &Pki, daemon: &Guarded) -> Self {
        let config = daemon.folder.path().join("daemon.toml").display().to_string();
        let printed = crate::daemon::run(&["acl", "--config", &config, "--hop", "robot-piper"]);
        let told: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
        let mut rules = vec![("access_control", told["access_control"].clone())];
        let listen = "transport/link/tls/listen_certificate";
        rules.push((listen, json!(pki.file("hop-lab.pem"))));
        rules.push(("transport/link/tls/listen_private_key", json!(pki.file("hop-lab.key"))));
        let endpoint = free_endpoint().replace("tcp/", "tls/");
        Self::spawn(pki, "hop-lab", &daemon.endpoint, endpoint, rules)
    }

    fn spawn(
        pki: &Pki,
        shows: &str,
        daemon: &str,
        endpoint: String,
        more: Vec<(&str, Value)>,
    ) -> Self {
        let mut settings = pki.tls(Some(shows), pki);
        settings.extend(more);
        settings.extend([
            ("mode", json!("router")),
            ("listen/endpoints", json!([endpoint])),
            ("connect/endpoints", json!([daemon])),
            ("scouting/multicast/enabled", json!(false)),
        ]);
        let test = "security::a_zenoh_router_in_between";
        let child = Command::new(std::env::current_exe().expect("this binary"))
            .args([test, "--exact", "--ignored"])
            .env(HOP, json!(settings).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this binary runs");
        Self { child, endpoint }
    }

    /// Somebody who reaches the daemon through it, without any certificate.
    pub(super) fn stranger(&self) -> Person {
        self.reach("mallory", Vec::new())
    }

    /// Somebody who is known there.
    pub(super) fn person(&self, pki: &Pki, name: &str) -> Person {
        self.reach(name, pki.tls(Some(name), pki))
    }

    fn reach(&self, name: &str, tls: Vec<(&str, Value)>) -> Person {
        let begun = Instant::now();
        loop {
            if let Some(session) = open(&self.endpoint, tls.clone()) {
                let person = Person { name: name.into(), session };
                if !person.ask("reflex/piper/state/mode", b"").is_empty() {
                    return person;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "the hop does not pass on anything");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = wait(&mut self.child, "the hop");
    }
}

/// The hop's own process: passes on whatever comes until it is ended, or whoever started it is gone.
pub(super) fn be_a_hop(at_most: Duration) {
    let Ok(settings) = std::env::var(HOP) else { return };
    let settings: Vec<(String, Value)> = serde_json::from_str(&settings).expect("our own");
    let mut config = Config::default();
    for (key, value) in settings {
        config.insert_json5(&key, &value.to_string()).expect("a zenoh setting");
    }
    let _session = zenoh::open(config).wait().expect("the daemon is there");
    let (gone, is_gone) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = gone.send(());
    });
    let _ = is_gone.recv_timeout(at_most);
}
