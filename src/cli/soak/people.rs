//! People and a router, as they are: operators who take the lease, command, forget themselves, and vanish; decisions, good
//! and bad; somebody who pulls the e-stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use fastrand::Rng;
use reflex::clock::monotonic_now;
use serde_json::{Value, json};

use super::machine::Watched;
use crate::{
    cli::CliError,
    wire::{Client, GrantedMessage, Probe, Watch},
};

/// Skills that a router may choose.
const SKILLS: [&str; 4] = ["pick_up", "walk_to", "run_around", "find_and_eat_berry"];
/// E-stops at the end, one after the other: as many as there were seconds before, and enough for a 99th percentile.
const STOPS: (usize, usize) = (20, 300);
/// What is waited for takes no longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Heartbeats of one operator, from a thread of its own.
struct Heart {
    beats: Arc<AtomicBool>,
    last_ns: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    fn start(
        robot: &str,
        endpoint: &str,
        who: &str,
        granted: GrantedMessage,
    ) -> Result<Self, CliError> {
        let client = Client::connect(robot, &[endpoint.to_owned()], PATIENCE)
            .map_err(|error| CliError::Words(error.to_string()))?;
        let (beats, last_ns) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
        let (goes_on, told) = (Arc::clone(&beats), Arc::clone(&last_ns));
        let key = format!("heartbeat/{who}");
        let every = Duration::from_millis(u64::from(granted.heartbeat_ms) / 4);
        let thread = std::thread::spawn(move || {
            let mut seq = 0_u64;
            while goes_on.load(Ordering::Acquire) {
                seq += 1;
                let beat = json!({ "lease_id": granted.lease_id, "seq": seq });
                told.store(monotonic_now().0, Ordering::Release);
                if client.tell(&key, &beat).is_err() {
                    break;
                }
                std::thread::sleep(every);
            }
        });
        Ok(Self { beats, last_ns, thread: Some(thread) })
    }

    /// From now on nothing is heard; when the last heartbeat was sent.
    fn falls_silent(&mut self) -> u64 {
        self.beats.store(false, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.last_ns.load(Ordering::Acquire)
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.falls_silent();
    }
}

/// What was done, and what was seen of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) decisions: u64,
    pub(super) accepted: u64,
    pub(super) nonsense: u64,
    pub(super) leases: u64,
    pub(super) takeovers: u64,
    pub(super) estops: u64,
    pub(super) faults: u64,
    /// From the last heartbeat to the tick that held the robot, ms.
    pub(super) lost_ms: Vec<f64>,
    pub(super) pictures: u64,
    /// What should not have happened.
    pub(super) wrong: Vec<String>,
}

/// All of them.
pub(super) struct People<'a> {
    client: &'a Client,
    robot: &'a str,
    endpoint: &'a str,
    random: Rng,
    heart: Option<Heart>,
    who: &'static str,
    leaves: Instant,
    next: Instant,
    modes: Watch,
    pictures: Watch,
    mode: String,
    tally: Tally,
    ids: u64,
    begun: Instant,
}

impl<'a> People<'a> {
    pub(super) fn new(
        client: &'a Client,
        robot: &'a str,
        endpoint: &'a str,
        seed: u64,
    ) -> Result<Self, CliError> {
        let watch =
            |key: &str| client.watch(key).map_err(|error| CliError::Words(error.to_string()));
        let now = Instant::now();
        Ok(Self {
            client,
            robot,
            endpoint,
            random: Rng::with_seed(seed),
            heart: None,
            who: "ada",
            leaves: now,
            next: now,
            modes: watch("state/mode")?,
            pictures: watch("camera/*")?,
            mode: String::new(),
            tally: Tally::default(),
            ids: 0,
            begun: now,
        })
    }

    /// Does what is due, and waits a moment.
    pub(super) fn act(&mut self) -> Result<(), CliError> {
        self.look(Duration::from_millis(5));
        let now = Instant::now();
        if self.heart.is_none() {
            return self.come();
        }
        if now >= self.leaves {
            return self.go();
        }
        if now >= self.next {
            self.next = now + Duration::from_millis(self.random.u64(200..3_000));
            self.work();
        }
        Ok(())
    }

    pub(super) fn words(&self) -> String {
        let Tally { decisions, accepted, leases, estops, .. } = &self.tally;
        format!(
            "{accepted} of {decisions} decisions begun, {leases} leases, {estops} e-stops, {}",
            self.mode
        )
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally.clone()
    }

    fn look(&mut self, within: Duration) {
        let mut wait = within;
        while let Some((_, mode)) = self.modes.next(wait) {
            wait = Duration::ZERO;
            let now = mode["mode"].as_str().unwrap_or_default();
            if now != self.mode {
                if now == "faulted" {
                    self.tally.faults += 1;
                    self.tally.wrong.push(format!("a fault: {}", mode["why"]));
                }
                now.clone_into(&mut self.mode);
            }
        }
        while self.pictures.next_bytes(Duration::ZERO).is_some() {
            self.tally.pictures += 1;
        }
    }

    fn ask(&mut self, key: &str, payload: &Value) -> Option<Value> {
        let answer = self.client.ask(key, payload);
        if let Err(error) = &answer {
            self.tally.wrong.push(format!("{key}: {error}"));
        }
        answer.ok()
    }

    /// Somebody takes the lease, arms the robot, and stays for a while.
    fn come(&mut self) -> Result<(), CliError> {
        self.who = ["ada", "bob", "cid"][self.random.usize(..3)];
        let asked =
            json!({ "act": "acquire", "takeover": true, "ttl_ms": 2000, "operator": self.who });
        let Some(answer) = self.ask("lease", &asked) else { return Ok(()) };
        let Ok(granted) = serde_json::from_value::<GrantedMessage>(answer["lease"].clone()) else {
            self.tally.wrong.push(format!("no lease: {answer}"));
            return Ok(());
        };
        self.tally.leases += 1;
        self.tally.takeovers += u64::from(answer["changed"][0].is_string());
        self.heart = Some(Heart::start(self.robot, self.endpoint, self.who, granted)?);
        let stays = Duration::from_millis(self.random.u64(5_000..40_000));
        (self.leaves, self.next) = (Instant::now() + stays, Instant::now());
        let begun = Instant::now();
        // The first heartbeat has to be heard before anybody believes it.
        while begun.elapsed() < PATIENCE {
            let _ = self.client.ask("cmd/clear_fault", &json!({ "operator": self.who }));
            let armed = self.client.ask("cmd/arm", &json!({ "operator": self.who }));
            if armed.is_ok_and(|answer| answer["accepted"] == true) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.tally.wrong.push("nobody could arm the robot".into());
        Ok(())
    }

    /// And leaves: in order, or by falling silent in the middle of something.
    fn go(&mut self) -> Result<(), CliError> {
        let Some(mut heart) = self.heart.take() else { return Ok(()) };
        if self.random.bool() {
            self.ask("lease", &json!({ "act": "release", "operator": self.who }));
            return Ok(());
        }
        self.decide();
        let silent_since = heart.falls_silent();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let Some((_, mode)) = self.modes.next(Duration::from_millis(200)) else { continue };
            let unattended = mode["conditions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == "unattended"));
            if let (true, Some(at)) = (unattended, mode["at_ns"].as_u64()) {
                self.tally.lost_ms.push(at.saturating_sub(silent_since) as f64 / 1e6);
                return Ok(());
            }
        }
        self.tally.wrong.push("an operator fell silent, and the robot went on".into());
        Ok(())
    }

    fn work(&mut self) {
        match self.random.u32(..20) {
            0 => {
                self.ask("cmd/estop", &json!({ "operator": "somebody" }));
                self.tally.estops += 1;
                self.recover();
            }
            1 => {
                self.ask("cmd/hold", &json!({ "operator": self.who }));
            }
            2 => {
                self.ask("cmd/home", &json!({ "operator": self.who, "speed": 0.5 }));
            }
            3 => {
                self.tally.nonsense += 1;
                let bad = ["{}", "[", "{\"v\":9}", "{\"decision_id\":1}"][self.random.usize(..4)];
                let _ = self.client.tell("decision", &json!(bad));
                let _ = self.client.ask("cmd/goto", &json!({ "joints": { "elbow": 1 } }));
            }
            _ => self.decide(),
        }
        if self.mode == "faulted" || self.mode == "estopped" {
            self.recover();
        }
    }

    fn decide(&mut self) {
        let number = |random: &mut Rng, low: f64, high: f64| low + (high - low) * random.f64();
        self.ids += 1;
        let decision = json!({
            "v": 1,
            "decision_id": format!("soak-{}", self.ids),
            "skill": SKILLS[self.random.usize(..SKILLS.len())],
            "params": {
                "target_x": number(&mut self.random, 0.28, 0.42),
                "target_y": number(&mut self.random, -0.1, 0.1),
                "target_z": 0.02,
                "radius": 0.04,
            },
            "ttl_ms": 2000,
            "source": "router",
        });
        self.tally.decisions += 1;
        if let Some(answer) = self.ask("decision", &decision) {
            self.tally.accepted += u64::from(answer["verdict"] == "accepted");
        }
    }

    fn recover(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let _ = self.client.ask("cmd/clear_fault", &json!({ "operator": self.who }));
            let armed = self.client.ask("cmd/arm", &json!({ "operator": self.who }));
            if armed.is_ok_and(|answer| answer["accepted"] == true) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.tally.wrong.push("the robot could not be armed again".into());
    }

    /// E-stops, one after the other: from the put to the begin of the tick that stops, us, by the clock that both
    /// processes share.
    pub(super) fn stops(
        &mut self,
        probe: &Probe,
        watched: &mut Watched,
    ) -> Result<Vec<f64>, CliError> {
        self.heart = None;
        let stops = (self.begun.elapsed().as_secs() as usize).clamp(STOPS.0, STOPS.1);
        let mut took_us = Vec::new();
        let asked = json!({ "act": "acquire", "takeover": true, "operator": "eve" });
        let granted = self.ask("lease", &asked).map(|answer| answer["lease"].clone());
        let granted = granted.and_then(|it| serde_json::from_value::<GrantedMessage>(it).ok());
        let Some(granted) = granted else { return Ok(took_us) };
        self.who = "eve";
        let heart = Heart::start(self.robot, self.endpoint, "eve", granted)?;
        self.recover();
        self.decide();
        for _ in 0..stops {
            watched.ping(probe);
            // Wherever in the period.
            std::thread::sleep(Duration::from_micros(self.random.u64(..50_000)));
            while self.modes.next(Duration::ZERO).is_some() {}
            let Ok(before) = self.client.ask("state/mode", &Value::Null) else { continue };
            let begun = monotonic_now().0;
            if let Err(error) = self.client.tell("cmd/estop", &json!({ "operator": "eve" })) {
                self.tally.wrong.push(format!("e-stop: {error}"));
                continue;
            }
            let stopped = std::iter::from_fn(|| self.modes.next(Duration::from_secs(2)))
                .map(|(_, mode)| mode)
                .find(|mode| {
                    let is_new = mode["epoch"].as_u64() > before["epoch"].as_u64();
                    mode["mode"] == "estopped" && is_new
                });
            match stopped.and_then(|mode| mode["at_ns"].as_u64()) {
                // One that comes while a tick is on is taken by that tick, which began before it.
                Some(at) => took_us.push(at.saturating_sub(begun) as f64 / 1e3),
                None => self.tally.wrong.push("an e-stop was not seen to stop the robot".into()),
            }
            self.tally.estops += 1;
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE {
                let cleared = self.client.ask("cmd/clear_fault", &json!({ "operator": "eve" }));
                if cleared.is_ok_and(|answer| answer["accepted"] == true) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        drop(heart);
        Ok(took_us)
    }
}
