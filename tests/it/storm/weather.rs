//! What happens to a daemon, drawn from a seed: each kind of trouble has a stream of its own, so that a kind that is left out
//! changes nothing of the others.

use motion::{
    Joints, Mode,
    failsafe::{Condition, Conditions},
};
use reflex::{
    draw::Draw,
    trouble::{KNOWN, Trouble},
};
use reflexd::skill::registry::Bounds;
use serde_json::{Value, json};

use crate::bottle::{Bottle, Made, Swapping};

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Somebody who does what there is to be done, most of the time.
    Operator,
    /// Somebody who does anything.
    Flapping,
    /// E-stops.
    EStop,
    /// Decisions: fresh, stale, twice, out of order, from the future.
    Router,
    /// Messages that were good before something happened to them.
    Corrupt,
    /// Heads that are slow, dead, or answer nonsense.
    Heads,
    /// Measurements that are lost, frozen, late, or nonsense; commands that are.
    Sensors,
    /// Ticks that are late, and too long.
    Late,
    /// A machine that was asleep.
    Asleep,
    /// Nobody takes the reports, or everybody orders at once.
    Rings,
    /// Backends that change places.
    Swap,
    /// What others than the law find out.
    Told,
    /// Leases that are taken, taken over and given back; operators who are not heard of.
    Lease,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Operator,
        Self::Flapping,
        Self::EStop,
        Self::Router,
        Self::Corrupt,
        Self::Heads,
        Self::Sensors,
        Self::Late,
        Self::Asleep,
        Self::Rings,
        Self::Swap,
        Self::Told,
        Self::Lease,
    ];

    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Ticks between two of them, on average.
    const fn every(self) -> f64 {
        match self {
            Self::Operator => 12.0,
            Self::Flapping => 300.0,
            Self::EStop => 600.0,
            Self::Router => 60.0,
            Self::Corrupt => 40.0,
            Self::Heads => 400.0,
            Self::Sensors => 700.0,
            Self::Late => 150.0,
            Self::Asleep => 2_500.0,
            Self::Rings => 900.0,
            Self::Swap => 250.0,
            Self::Told => 500.0,
            Self::Lease => 200.0,
        }
    }
}

struct Stream {
    kind: Kind,
    draw: Draw,
    next: u64,
    /// How much rarer than usual it is in this weather.
    rarity: f64,
}

impl Stream {
    fn pause(&mut self) -> u64 {
        1 + (-(1.0 - self.draw.unit()).ln() * self.kind.every() * self.rarity) as u64
    }
}

/// The weather of one daemon.
pub(crate) struct Weather {
    streams: Vec<Stream>,
    skills: Vec<String>,
    bodies: &'static [Made],
    sleeps_until: u64,
    silent_until: u64,
    beat: u64,
    decisions: u64,
    /// A decision that was held back, and one that was sent last.
    held_back: Option<Vec<u8>>,
    last: (String, Vec<u8>),
    /// What happened last, newest last.
    pub(crate) log: std::collections::VecDeque<String>,
}

const LOG: usize = 60;

impl Weather {
    /// Of a seed, with these kinds.
    pub(crate) fn new(
        seed: u64,
        kinds: &[Kind],
        skills: Vec<String>,
        bodies: &'static [Made],
    ) -> Self {
        let stream = |kind: &Kind| {
            let mut draw = Draw::new(seed ^ ((*kind as u64 + 1) << 40));
            // Some days are worse than others: from three times as often to ten times as rare.
            let rarity = 10_f64.powf(draw.within([-0.5, 1.0]));
            let rarity = if *kind == Kind::Operator { 1.0 } else { rarity };
            let mut stream = Stream { kind: *kind, draw, next: 0, rarity };
            stream.next = stream.pause();
            stream
        };
        Self {
            streams: kinds.iter().map(stream).collect(),
            skills,
            bodies,
            sleeps_until: 0,
            silent_until: 0,
            beat: 0,
            decisions: 0,
            held_back: None,
            last: (String::new(), Vec::new()),
            log: std::collections::VecDeque::with_capacity(LOG),
        }
    }

    /// What happens before a tick.
    pub(crate) fn blow(&mut self, tick: u64, bottle: &mut Bottle<'_>) {
        bottle.herald_sleeps = tick < self.sleeps_until;
        if tick >= self.silent_until && tick >= self.beat {
            bottle.beat();
            self.beat = tick + 2;
        }
        for k in 0..self.streams.len() {
            if self.streams[k].next > tick {
                continue;
            }
            let kind = self.streams[k].kind;
            let mut draw = self.streams[k].draw;
            let what = self.happen(kind, tick, &mut draw, bottle);
            self.streams[k].draw = draw;
            self.streams[k].next = tick + self.streams[k].pause();
            if self.log.len() == LOG {
                self.log.pop_front();
            }
            self.log.push_back(format!("tick {tick:>7}  {:<9} {what}", kind.name()));
        }
    }

    fn happen(
        &mut self,
        kind: Kind,
        tick: u64,
        draw: &mut Draw,
        bottle: &mut Bottle<'_>,
    ) -> String {
        match kind {
            Kind::Operator => self.operate(draw, bottle),
            Kind::Flapping => {
                let keys = ["arm", "disarm", "hold", "clear_fault", "home", "release"];
                let payload = json!({ "operator": "grace", "arm_may_fall": true });
                let mut told = String::new();
                for _ in 0..=pick(draw, 6) {
                    let key = format!("cmd/{}", keys[pick(draw, keys.len())]);
                    let payload = if key == "cmd/release" { payload.clone() } else { json!({}) };
                    told += &self.send(bottle, &key, payload.to_string().into_bytes(), "grace");
                }
                told
            }
            Kind::EStop => {
                let mut payload = vec![0; pick(draw, 40)];
                payload.iter_mut().for_each(|byte| *byte = draw.bits() as u8);
                for _ in 0..=pick(draw, 3) {
                    let _ = bottle.send("cmd/estop", &payload, "anybody");
                }
                "pulled".to_owned()
            }
            Kind::Router => self.decide(draw, bottle),
            Kind::Corrupt => self.corrupt(draw, bottle),
            Kind::Heads => self.inject(
                draw,
                bottle,
                &[
                    Trouble::GpuStall,
                    Trouble::Nan,
                    Trouble::WrongShape,
                    Trouble::Wild,
                    Trouble::ChunkFlood,
                ],
            ),
            Kind::Sensors => self.inject(
                draw,
                bottle,
                &[
                    Trouble::CanDrop,
                    Trouble::Freeze,
                    Trouble::Garbage,
                    Trouble::GarbageNan,
                    Trouble::GarbageShape,
                    Trouble::Delay,
                    Trouble::Lost,
                    Trouble::Deaf,
                    Trouble::Warm,
                    Trouble::Hot,
                    Trouble::LetGo,
                ],
            ),
            // A tick that is late and one that a stop woke are two.
            Kind::Late | Kind::Asleep if bottle.switch.raised().is_some() => "not now".to_owned(),
            Kind::Late => {
                if pick(draw, 3) == 0 {
                    return self.inject(draw, bottle, &[Trouble::Overrun]);
                }
                let ns = 10_u64.pow(4 + pick(draw, 4) as u32) * (1 + pick(draw, 30) as u64);
                bottle.pass(ns);
                format!("by {:.3} ms", ns as f64 / 1e6)
            }
            Kind::Asleep => {
                let ns = 10_u64.pow(8 + pick(draw, 4) as u32);
                bottle.pass(ns);
                format!("for {:.1} s", ns as f64 / 1e9)
            }
            Kind::Rings => {
                if pick(draw, 2) == 0 {
                    self.sleeps_until = tick + 1 + pick(draw, 700) as u64;
                    return format!("the herald sleeps until {}", self.sleeps_until);
                }
                for _ in 0..80 {
                    let key = if pick(draw, 2) == 0 { "cmd/arm" } else { "cmd/hold" };
                    let _ = bottle.send(key, b"{}", "crowd");
                }
                "80 orders at once".to_owned()
            }
            Kind::Swap => self.swap(draw, bottle),
            Kind::Lease => self.lease(tick, draw, bottle),
            Kind::Told => {
                let of: Vec<Condition> = Conditions::OUTSIDE.iter().collect();
                let (condition, is_so) = (of[pick(draw, of.len())], pick(draw, 3) == 0);
                bottle.switch.tell(condition, is_so);
                format!("{condition:?} {is_so}")
            }
        }
    }

    /// What somebody does who wants to get on.
    fn operate(&mut self, draw: &mut Draw, bottle: &mut Bottle<'_>) -> String {
        let Some(present) = bottle.present() else { return "nobody is seen".to_owned() };
        if present.lease.required && present.lease.holder.is_none() {
            let said = json!({ "act": "acquire" });
            return self.send(bottle, "lease", said.to_string().into_bytes(), "ada");
        }
        let patient = pick(draw, 4) > 0;
        let (key, payload) = match present.tick.mode {
            Mode::Faulted { .. } | Mode::EStopped { .. } => ("clear_fault", json!({})),
            Mode::Disarmed => ("arm", json!({})),
            Mode::Moving { .. } if patient => return "waits".to_owned(),
            Mode::Holding | Mode::Moving { .. } => self.motion(draw, bottle),
            _ => return "waits".to_owned(),
        };
        self.send(bottle, &format!("cmd/{key}"), payload.to_string().into_bytes(), "ada")
    }

    fn motion(&self, draw: &mut Draw, bottle: &Bottle<'_>) -> (&'static str, Value) {
        let stock = bottle.stock;
        let speed = draw.within([0.05, 1.0]);
        let mut joints = serde_json::Map::new();
        let share = draw.unit();
        for (name, limits) in stock.names.iter().zip(stock.robot.limits()) {
            if draw.unit() < share {
                let at = draw.within([limits.position_min, limits.position_max]);
                joints.insert(name.clone(), json!(at));
            }
        }
        match pick(draw, 12) {
            0 => ("home", json!({ "speed": speed })),
            1..=3 => ("goto", json!({ "joints": joints, "speed": speed })),
            4..=6 => {
                // For a while and anywhere: at the speed limit, too, and beyond.
                let mut rates = serde_json::Map::new();
                for (name, limits) in stock.names.iter().zip(stock.robot.limits()) {
                    let most = limits.velocity_max * 1.2;
                    if draw.unit() < share {
                        rates.insert(name.clone(), json!(draw.within([-most, most])));
                    }
                }
                ("jog", json!({ "joints": rates, "ttl_ms": 1 + pick(draw, 1_000) }))
            }
            7 => {
                let linear: Vec<f64> = (0..3).map(|_| draw.within([-0.3, 0.3])).collect();
                ("jog", json!({ "tool": { "linear_m_s": linear, "frame": "base" }, "ttl_ms": 600 }))
            }
            8 => {
                let pose = json!({ "position_m": point(draw) });
                ("goto", json!({ "pose": pose, "speed": speed }))
            }
            _ => {
                let skill = &self.skills[pick(draw, self.skills.len())];
                let params = params(draw, &stock.bounds(skill));
                ("skill", json!({ "name": skill, "params": params }))
            }
        }
    }

    fn decide(&mut self, draw: &mut Draw, bottle: &mut Bottle<'_>) -> String {
        self.decisions += 1;
        let skill = &self.skills[pick(draw, self.skills.len())];
        let mut said = json!({
            "v": 1,
            "decision_id": format!("d{}", self.decisions),
            "skill": skill,
            "params": params(draw, &bottle.stock.bounds(skill)),
            "ttl_ms": 1 + pick(draw, 1_500),
            "source": "router",
        });
        let newest = bottle.present().map_or(0, |present| present.tick.tick.0);
        match pick(draw, 6) {
            0 => said["observed_tick"] = json!(newest.saturating_sub(pick(draw, 60) as u64)),
            1 => said["observed_tick"] = json!(newest + pick(draw, 60) as u64),
            2 => said["observed_at_ns"] = json!(bottle.clock.now().0),
            3 => said["ttl_ms"] = json!(draw.bits()),
            _ => {}
        }
        let bytes = said.to_string().into_bytes();
        match pick(draw, 8) {
            // One is overtaken by the next.
            0 => {
                self.held_back = Some(bytes);
                return "held back".to_owned();
            }
            1 if self.last.0 == "decision" => {
                let again = self.last.1.clone();
                return self.send(bottle, "decision", again, "router");
            }
            _ => {}
        }
        let told = self.send(bottle, "decision", bytes, "router");
        match self.held_back.take() {
            Some(late) => told + &self.send(bottle, "decision", late, "router"),
            None => told,
        }
    }

    /// The last message once more, and something happened to it.
    fn corrupt(&mut self, draw: &mut Draw, bottle: &mut Bottle<'_>) -> String {
        let (mut key, mut bytes) = self.last.clone();
        if key.is_empty() {
            return "nothing yet".to_owned();
        }
        for _ in 0..=pick(draw, 4) {
            let at = pick(draw, bytes.len().max(1));
            match pick(draw, 6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), draw.bits() as u8),
                2 if at < bytes.len() => bytes[at] ^= 1 << pick(draw, 8),
                3 if at < bytes.len() => bytes[at] = b"0123456789eE+-.{}[]\":,"[pick(draw, 22)],
                4 => bytes.extend_from_within(at.min(bytes.len())..),
                _ => {
                    let keys = ["cmd/goto", "cmd/jog", "cmd/skill", "cmd/home", "decision"];
                    key = keys[pick(draw, keys.len())].to_owned();
                }
            }
        }
        let sent = bottle.send(&key, &bytes, "noise");
        format!("{key} {} bytes: {}", bytes.len(), outcome(&sent))
    }

    /// Ada has the lease, most of the time, and is heard of, most of the time.
    fn lease(&mut self, tick: u64, draw: &mut Draw, bottle: &mut Bottle<'_>) -> String {
        let who = if pick(draw, 5) == 0 { "grace" } else { "ada" };
        let said = match pick(draw, 8) {
            0 => json!({ "act": "release" }),
            1 => json!({ "act": "renew" }),
            2 | 3 => {
                self.silent_until = tick + 1 + pick(draw, 120) as u64;
                return format!("silent until {}", self.silent_until);
            }
            _ => json!({ "act": "acquire", "takeover": pick(draw, 3) > 0 }),
        };
        self.send(bottle, "lease", said.to_string().into_bytes(), who)
    }

    fn inject(&self, draw: &mut Draw, bottle: &Bottle<'_>, of: &[Trouble]) -> String {
        let trouble = of[pick(draw, of.len())];
        let known = &KNOWN[trouble as usize];
        let amount = known.amount.map_or(0, |amount| {
            // Small ones as often as large ones.
            let most = (amount.max as f64).min(5_000.0);
            (amount.min as f64 * (most / amount.min as f64).powf(draw.unit())) as u64
        });
        let for_ms = 50 + pick(draw, 4_000) as u64;
        bottle.inject(trouble, amount, for_ms);
        format!("{} {amount} for {for_ms} ms", known.name)
    }

    fn swap(&self, draw: &mut Draw, bottle: &mut Bottle<'_>) -> String {
        let wish = match pick(draw, 5) {
            0 => Swapping::Withdraw,
            1 | 2 => Swapping::Promote { keep: pick(draw, 2) == 0 },
            _ => {
                let made = self.bodies[pick(draw, self.bodies.len())];
                let pose = bottle.present().map(|present| present.tick.applied);
                let mut pose = pose.unwrap_or(bottle.stock.home);
                if pick(draw, 4) == 0 {
                    pose = somewhere(draw, bottle);
                }
                Swapping::Shadow { made, pose, guarded: pick(draw, 2) == 0 }
            }
        };
        bottle.swap(wish);
        match wish {
            Swapping::Shadow { made, guarded, .. } => {
                format!("{made:?} shadows, guarded {guarded}")
            }
            other => format!("{other:?}"),
        }
    }

    fn send(&mut self, bottle: &mut Bottle<'_>, key: &str, bytes: Vec<u8>, who: &str) -> String {
        let sent = bottle.send(key, &bytes, who);
        let told = format!("{key} {}: {}; ", String::from_utf8_lossy(&bytes), outcome(&sent));
        self.last = (key.to_owned(), bytes);
        told
    }
}

fn outcome(sent: &Result<(), String>) -> &str {
    sent.as_ref().map_or_else(String::as_str, |()| "sent")
}

fn pick(draw: &mut Draw, of: usize) -> usize {
    (draw.bits() % of.max(1) as u64) as usize
}

/// What a skill is to act on: mostly where it may be.
fn params(draw: &mut Draw, bounds: &Bounds) -> Value {
    let wild = if pick(draw, 8) == 0 { draw.within([-0.5, 0.5]) } else { 0.0 };
    json!({
        "target_x": draw.within(bounds.target_x_m) + wild,
        "target_y": draw.within(bounds.target_y_m),
        "target_z": draw.within(bounds.target_z_m),
        "radius": draw.within(bounds.radius_m),
        "speed_hint": draw.within(bounds.speed_hint),
    })
}

/// Somewhere that an arm may or may not reach.
fn point(draw: &mut Draw) -> [f64; 3] {
    [draw.within([-0.1, 0.6]), draw.within([-0.5, 0.5]), draw.within([-0.05, 0.6])]
}

fn somewhere(draw: &mut Draw, bottle: &Bottle<'_>) -> Joints {
    let mut pose = bottle.stock.home;
    for (at, limits) in pose.iter_mut().zip(bottle.stock.robot.limits()) {
        *at = draw.within([limits.position_min, limits.position_max]);
    }
    pose
}
