//! A house that writes down what it is asked, and a client that can send anything.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use motion::{
    Corrected, Drive, Epoch, Events, JointLimits, Joints, Limits, MAX_JOINTS, Mode, Nanos, Source,
    State, Tick, TickIndex,
};
use reflexd::{
    decision::{Decision, Verdict},
    operator::{Answer, Command, Heard, LeaseTold, Present, Question},
    router::{Embedded, Instruction, Thing},
    security::Gatekeeping,
    wire::{Beat, House, Service, Shape, Wire, WireSettings},
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::Notify};
use zenoh::{Session, Wait, qos::CongestionControl};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that a house was asked for.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    pub(crate) commands: Vec<(Command, String)>,
    pub(crate) stops: Vec<String>,
    pub(crate) beats: Vec<(String, Beat)>,
    pub(crate) decisions: Vec<(Decision, String)>,
    pub(crate) heard: Vec<(Instruction, String)>,
    pub(crate) embedded: Vec<Embedded>,
    pub(crate) things: Vec<Vec<Thing>>,
    pub(crate) router: Vec<bool>,
    /// Who, key, reason.
    pub(crate) refused: Vec<(String, String, String)>,
    /// How many on each key were not even read.
    pub(crate) crowded: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Default)]
pub(crate) struct FakeHouse {
    diary: Arc<Mutex<Diary>>,
    /// Whether commands are taken and never answered.
    pub(crate) is_stuck: Arc<AtomicBool>,
    /// How many wait for an answer, and what lets them go.
    pub(crate) waiting: Arc<AtomicUsize>,
    pub(crate) release: Arc<Notify>,
    pub(crate) present: Arc<Mutex<Option<Arc<Present>>>>,
}

impl FakeHouse {
    pub(crate) fn diary(&self) -> MutexGuard<'_, Diary> {
        self.diary.lock().expect("no panic while it was held")
    }
}

impl House for FakeHouse {
    async fn command(&self, command: Command, who: &str) -> Answer {
        let refused = command == Command::ClearFault;
        self.diary().commands.push((command, who.into()));
        if self.is_stuck.load(Ordering::Relaxed) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            self.release.notified().await;
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        let reason = refused.then(|| "there is nothing to clear".into());
        Answer { accepted: !refused, reason, changed: Vec::new(), lease: None, state_seq: 7 }
    }

    fn estop(&self, who: &str) -> Answer {
        self.diary().stops.push(who.into());
        Answer { accepted: true, reason: None, changed: Vec::new(), lease: None, state_seq: 7 }
    }

    fn heartbeat(&self, who: &str, beat: Beat) -> bool {
        self.diary().beats.push((who.into(), beat));
        beat.lease_id == 1
    }

    async fn decide(&self, decision: Decision, who: &str) -> Verdict {
        let known = decision.skill == "pick_up";
        self.diary().decisions.push((decision, who.into()));
        if known {
            Verdict::Accepted { run: 5, superseded: Some(4) }
        } else {
            Verdict::Refused { reason: "no such skill".into() }
        }
    }

    async fn hear(&self, said: Instruction, who: &str) -> Heard {
        let instruction_id = Some(said.id.clone());
        self.diary().heard.push((said, who.into()));
        Heard { accepted: true, reason: None, instruction_id, next: Some("embedding") }
    }

    fn embedded(&self, embedded: Embedded) {
        self.diary().embedded.push(embedded);
    }

    fn told_of(&self, things: Vec<Thing>, _who: &str) {
        self.diary().things.push(things);
    }

    fn router_alive(&self, is_alive: bool) {
        self.diary().router.push(is_alive);
    }

    async fn consider(&self, question: Question) -> Result<Value, String> {
        match question.goal.arm {
            None => Ok(json!({ "v": 1, "reached": true, "from": question.from })),
            Some(name) => Err(format!("arm {name:?} is unknown")),
        }
    }

    fn present(&self) -> Option<Arc<Present>> {
        self.present.lock().expect("no panic while it was held").clone()
    }

    fn info(&self, what: &str) -> Option<Value> {
        (what == "version").then(|| json!({ "name": "reflexd", "version": "0.0.0" }))
    }

    fn refused_message(&self, who: &str, key: &str, reason: &str) {
        self.diary().refused.push((who.into(), key.into(), reason.into()));
    }

    fn crowded_out(&self, key: &'static str, _who: impl Fn() -> String) -> bool {
        *self.diary().crowded.entry(key).or_default() += 1;
        true
    }
}

/// A tick in which nothing happens.
pub(crate) fn present(seq: u64, mode: Mode) -> Present {
    let joints = Joints::from_slice(&[0.1, 0.2]).expect("two joints");
    let mut limited_by = [Limits::default(); MAX_JOINTS];
    limited_by[0] = Limits::VELOCITY;
    Present {
        tick: Tick {
            tick: TickIndex(seq),
            at: Nanos(seq * 50_000_000),
            mode,
            epoch: Epoch(1),
            drive: Drive::On,
            trouble: None,
            conditions: motion::failsafe::Conditions::NONE,
            verdict: motion::failsafe::Verdict::default(),
            state: State { position: joints, ..State::blank(2) },
            requested: joints,
            applied: joints,
            limited_by,
            barred: None,
            source: Source::Rest,
            corrected: Corrected::NotWanted,
            events: Events::default(),
        },
        run: None,
        last_run: None,
        trouble: None,
        lease: LeaseTold { required: false, holder: None, since: None, until: None, heard: None },
    }
}

/// A house behind open doors on a port of its own.
pub(crate) struct Street {
    pub(crate) house: FakeHouse,
    pub(crate) service: Service,
    pub(crate) endpoint: String,
    _runtime: Runtime,
}

impl Street {
    pub(crate) fn open() -> Self {
        Self::guarded(Gatekeeping::default())
    }

    /// One that wants to know who speaks.
    pub(crate) fn guarded(gatekeeping: Gatekeeping) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let _inside = runtime.enter();
        let endpoint = free_endpoint();
        let listen = vec![endpoint.clone()];
        let settings = WireSettings { listen, gatekeeping, ..WireSettings::local("piper") };
        let house = FakeHouse::default();
        let wire = Wire::open(&settings).expect("the port was free");
        let service = wire.serve(house.clone(), shape()).expect("the keys are good");
        drop(_inside);
        Self { house, service, endpoint, _runtime: runtime }
    }

    /// Any zenoh client.
    pub(crate) fn stranger(&self) -> Stranger {
        let mut config = zenoh::Config::default();
        for (key, value) in [
            ("mode", json!("client")),
            ("connect/endpoints", json!([self.endpoint])),
            ("scouting/multicast/enabled", json!(false)),
        ] {
            config.insert_json5(key, &value.to_string()).expect("a zenoh setting");
        }
        Stranger(zenoh::open(config).wait().expect("the house listens"))
    }
}

fn shape() -> Shape {
    let limits = JointLimits {
        position_min: -1.0,
        position_max: 1.0,
        velocity_max: 1.0,
        acceleration_max: 1.0,
        jerk_max: 1.0,
        step_max: 1.0,
        divergence_max: 1.0,
        gripper: false,
    };
    Shape { joints: ["joint1".to_owned(), "joint2".to_owned()].into(), limits: vec![limits; 2] }
}

pub(crate) fn free_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("tcp/{}", listener.local_addr().expect("it is bound"))
}

/// A client that sends whatever it is told to.
pub(crate) struct Stranger(pub(crate) Session);

impl Stranger {
    /// Every answer to a query, as JSON; what could not be answered is `{"error": ...}`.
    pub(crate) fn ask_all(&self, selector: &str, payload: Option<&[u8]>) -> Vec<Value> {
        let get = self.0.get(selector).timeout(PATIENCE);
        let get = match payload {
            Some(payload) => get.payload(payload),
            None => get,
        };
        let replies = get.wait().expect("the session is open");
        let json = |reply: zenoh::query::Reply| match reply.result() {
            Ok(sample) => {
                serde_json::from_slice(&sample.payload().to_bytes()).expect("answers are JSON")
            }
            Err(error) => json!({ "error": String::from_utf8_lossy(&error.payload().to_bytes()) }),
        };
        std::iter::from_fn(|| replies.recv().ok()).map(json).collect()
    }

    /// The one answer.
    pub(crate) fn ask(&self, key: &str, payload: &[u8]) -> Value {
        let mut answers = self.ask_all(key, Some(payload));
        assert_eq!(answers.len(), 1, "{key}: {answers:?}");
        answers.remove(0)
    }

    pub(crate) fn put(&self, key: &str, payload: &[u8]) {
        // What is counted must not be dropped on the way, however busy the machine is.
        let put = self.0.put(key, payload).congestion_control(CongestionControl::Block);
        put.wait().expect("the session is open");
    }
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
