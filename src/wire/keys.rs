//! Every key of the robot, as one table. `docs/zenoh.md` is made from it.

use super::{WireError, docs::samples, record};

/// How a key is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In. A queryable that answers, and a subscriber for clients that can only put.
    Command,
    /// In. As a command, but latches whatever the payload, on the network's own thread.
    Stop,
    /// In. As a command, answered with a verdict.
    Decision,
    /// In. As a command, answered with what comes of it.
    Instruction,
    /// In. A subscriber only: the newest counts, nobody is answered.
    Fed,
    /// In. A subscriber only: who is there says so again and again, each on a key of their own.
    Beat,
    /// Out, and in from others: whoever knows better tells.
    Shared,
    /// A question with a payload: answered on query only, and nothing moves.
    Question,
    /// Out. Published every tick; a query is answered with the newest.
    Stream,
    /// Out. Published on change and once a second; a query is answered with the present, for those who join late.
    Present,
    /// Out. Published when there is something to tell; the last part of the key says what.
    Happening,
    /// Out. Answered on query only.
    Info,
    /// A liveliness token: there while the daemon is. Presence, not a dead-man: a frozen peer keeps it for a while.
    Alive,
    /// Somebody else's liveliness token, which the daemon watches.
    Watched,
}

impl Kind {
    /// Whether clients send to it.
    #[must_use]
    pub const fn is_in(self) -> bool {
        matches!(self, Self::Command | Self::Stop | Self::Decision | Self::Instruction)
    }

    /// Whether the daemon answers queries for it out of what it knows.
    #[must_use]
    pub const fn is_asked(self) -> bool {
        matches!(self, Self::Stream | Self::Present | Self::Info)
    }

    /// In words, for the documentation.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Command | Self::Stop | Self::Decision | Self::Instruction => {
                "queryable + subscriber"
            }
            Self::Fed | Self::Beat => "subscriber",
            Self::Shared => "publisher + subscriber",
            Self::Watched => "liveliness token (the router's)",
            Self::Stream => "publisher + queryable",
            Self::Present => "publisher (on change, 1 Hz) + queryable",
            Self::Happening => "publisher",
            Self::Question | Self::Info => "queryable",
            Self::Alive => "liveliness token",
        }
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name beneath `reflex/<robot>/`; `*` stands for one name that is given elsewhere.
    pub name: &'static str,
    /// How it is served.
    pub kind: Kind,
    /// The schema that its encoding names, `application/json;schema=...`; empty where the payload is not JSON.
    pub schema: &'static str,
    /// What it is for.
    pub what: &'static str,
    /// A payload, as it really crosses.
    pub example: fn() -> String,
}

/// The schema of what commands are answered with.
pub(super) const ANSWER_SCHEMA: &str = "reflex.answer.v1";

/// The schema of what decisions are answered with.
pub(super) const VERDICT_SCHEMA: &str = "reflex.verdict.v1";

/// The schema of what instructions are answered with.
pub(super) const HEARD_SCHEMA: &str = "reflex.heard.v1";

/// Every key, in the order of the documentation.
pub const TABLE: &[Key] = &[
    Key {
        name: "cmd/estop",
        kind: Kind::Stop,
        schema: "reflex.command.v1",
        what: "Stops the robot within its limits and latches. Any message does it, even one that makes no sense or is \
               far too large; from anyone who may connect. It does not wait for the tick, nor for other messages.",
        example: || r#"{"operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/arm",
        kind: Kind::Command,
        schema: "reflex.command.v1",
        what: "Takes hold of the robot where it stands. Answered when it is held, or with the reason if its motors do \
               not take hold in time.",
        example: || r#"{"operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/disarm",
        kind: Kind::Command,
        schema: "reflex.command.v1",
        what: "Comes to rest, then lets go.",
        example: || r#"{"operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/hold",
        kind: Kind::Command,
        schema: "reflex.command.v1",
        what: "Comes to rest and stands.",
        example: || r#"{"operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/home",
        kind: Kind::Command,
        schema: "reflex.home.v1",
        what: "Goes to the robot's home pose. `speed` is a fraction of the planned motion's limit, in (0, 1]; 1 if \
               left out.",
        example: || r#"{"speed":0.5,"operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/clear_fault",
        kind: Kind::Command,
        schema: "reflex.command.v1",
        what: "Forgets a fault or an e-stop. Leaves the robot disarmed: arming is another act.",
        example: || r#"{"operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/release",
        kind: Kind::Command,
        schema: "reflex.release.v1",
        what: "Takes the power off the motors. The arm falls unless somebody holds it, so `arm_may_fall` has to be \
               `true`. Refused while the robot is held, moves, is being armed or still brakes. It is not driven \
               afterwards; what was wrong with it still is ([failsafe.md](failsafe.md)).",
        example: || r#"{"arm_may_fall":true,"operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/goto",
        kind: Kind::Command,
        schema: "reflex.goto.v1",
        what: "Goes to joint positions, rad or m (`joints`; those that are not named stay), or takes an arm's tool to \
               a `pose`: `position_m`, and `quaternion_xyzw` or `rpy_rad` (R = Rz Ry Rx); turned as it is, if both are \
               left out. `frame` is `base` or `tool`; `route` is `joints` (the fastest), `straight`, or `circular` \
               through the point `via_m`. `arm` is the robot's first, if left out; `speed` as in `cmd/home`. The whole \
               way is checked before anything moves.",
        example: || {
            r#"{"pose":{"position_m":[0.3,0.1,0.2],"rpy_rad":[0.0,2.8,0.0]},"frame":"base","route":"straight","speed":0.5,"operator":"ada"}"#.into()
        },
    },
    Key {
        name: "cmd/jog",
        kind: Kind::Command,
        schema: "reflex.jog.v1",
        what: "Moves joints (`joints`: name to rad/s or m/s) or an arm's tool (`tool`: `linear_m_s`, `angular_rad_s`, in \
               `frame` `base` or `tool`) for as long as it is sent again: after `ttl_ms` (1 to 1000; 250 if left out) \
               without another, the robot brakes. Where the joints cannot follow a tool, `gives_way` is `time` (slower, \
               in the same direction) or `orientation`.",
        example: || {
            r#"{"tool":{"linear_m_s":[0.0,0.0,0.05],"frame":"tool","gives_way":"time"},"ttl_ms":250,"operator":"ada"}"#.into()
        },
    },
    Key {
        name: "cmd/skill",
        kind: Kind::Command,
        schema: "reflex.skill.v1",
        what: "Runs a skill, as an operator's own decision. `params` as in `decision`; a skill without a target needs \
               none.",
        example: || samples::SKILL.into(),
    },
    Key {
        name: "cmd/registry",
        kind: Kind::Command,
        schema: "reflex.registry_act.v1",
        what: "Changes which policies carry out the skills. `act` is `reload` (of `file`, a path on the daemon's machine; \
               of the present one, if left out), or, of a `skill`, `promote` (its shadow) or `rollback`. The answer's \
               `changed` tells what is new. A run that goes on is handed over at its next seam; a bad registry is \
               refused, and the old one goes on ([registry.md](registry.md)).",
        example: || r#"{"act":"reload","operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/backend",
        kind: Kind::Command,
        schema: "reflex.backend_act.v1",
        what: "Lets another backend carry out the commands (`to`: `mujoco`, `piper` or `loopback`), between two ticks, \
               while the robot holds and nothing moves. It is opened, warmed and proved first, and refused if it is not \
               well or stands further away than `[swap]` of the robot's file allows. With `pose` `present` a simulated \
               one is set to the measured pose first; with `keep_shadow` the one before follows the same commands from \
               then on. Or, with `shadow` instead: a simulated backend that follows the same commands, set to the \
               measured pose; `null` sends it away. Cameras and `objects` show the simulated world that acts, not the \
               one that shadows.",
        example: || r#"{"to":"mujoco","pose":"present","operator":"ada"}"#.into(),
    },
    Key {
        name: "cmd/record",
        kind: Kind::Command,
        schema: "reflex.record.v1",
        what: "Records ([recording.md](recording.md)). `act` is `start` (a continuous file, and the next when it is full), \
               `stop`, `black_box` (the last 2,000 ticks, now) or `status`. The answer's `changed` names the file.",
        example: || r#"{"act":"start","operator":"ada"}"#.into(),
    },
    Key {
        name: "lease",
        kind: Kind::Command,
        schema: "reflex.lease.v1",
        what: "Who commands. `act` is `acquire`, `renew` or `release`. One operator holds it at a time, for `ttl_ms` (1000 to \
               the configuration's, which it is if left out) after the last heartbeat; with `takeover` it is taken from whoever holds it, as far as \
               `authority.takeover` allows, and the robot holds first. The answer's `lease` has the `lease_id`, and \
               `heartbeat_ms`: the robot holds when none came for so long. Everybody else's commands are then refused, but for \
               `cmd/estop`, `cmd/hold`, `cmd/disarm` and `cmd/record`; a physical robot moves under a lease only ([failsafe.md](failsafe.md)).",
        example: || r#"{"act":"acquire","ttl_ms":5000,"operator":"ada"}"#.into(),
    },
    Key {
        name: "heartbeat/*",
        kind: Kind::Beat,
        schema: "reflex.heartbeat.v1",
        what: "Says that the operator of that name, who holds the lease, is there; `seq` is higher every time. Send \
               one at least three times in `heartbeat_ms`. One of another grant, or not newer, counts for nothing.",
        example: || r#"{"lease_id":812034,"seq":17}"#.into(),
    },
    Key {
        name: "decision",
        kind: Kind::Decision,
        schema: "reflex.decision.v1",
        what: "A router's choice of a skill and what it acts on. Begins it, unless it is stale, a duplicate, out of \
               order, unknown, or about a moment before the last stop. `neural_skill` and `raw_params` are the network's \
               own answer, before anything was made safe of it. With `instruction_id` it is the one decision about that \
               instruction.",
        example: || samples::DECISION.into(),
    },
    Key {
        name: "instruction",
        kind: Kind::Instruction,
        schema: "reflex.instruction.v1",
        what: "What somebody wants done, in words ([router.md](router.md)). `target` (m) is where it is to be done, \
               `objects` what lies about, if the sender knows better than the daemon; `force_neural_skill` lets the \
               network's choice count whatever the words seem to say; `ttl_ms` (5000 if left out) is how long it may take \
               until it is begun. Refused unless the robot is armed, and from anybody but the holder of the lease, if somebody holds it; decided about once; void after any stop. Words such as \
               `stop`, `wait` or `hold still` make the robot hold at once.",
        example: || samples::INSTRUCTION.into(),
    },
    Key {
        name: "embedding",
        kind: Kind::Fed,
        schema: "",
        what: "An instruction, and perhaps a camera's frame, as 1024 numbers: 4096 bytes, float32, little-endian, with \
               JSON as the attachment: `v`, `at_ns` (the daemon's clock, of the newest thing that was seen), \
               `instruction_id`, `instruction`, `encoder`, `fingerprint`, `latency_ms`. The daemon publishes those that it \
               makes itself.",
        example: || "(4096 bytes)".into(),
    },
    Key {
        name: "state/joints",
        kind: Kind::Stream,
        schema: "reflex.joints.v1",
        what: "What was measured, requested and commanded in a tick, and which limits made the difference; arrays in \
               the order of `names`. `driven` says whether set-points are commanded, `engaged` whether the motors follow \
               them.",
        example: samples::joints,
    },
    Key {
        name: "state/tool",
        kind: Kind::Stream,
        schema: "reflex.tool.v1",
        what: "The tool's pose in the robot's base frame, of the measured joints.",
        example: samples::tool,
    },
    Key {
        name: "state/chunk",
        kind: Kind::Stream,
        schema: "reflex.chunk.v1",
        what: "Where the requested set-point came from: `rest`, `waiting`, `chunk`, `extrapolated` or `dry`; for a \
               chunk also which one, its step, and the first eight bytes of its head's SHA-256.",
        example: samples::chunk,
    },
    Key {
        name: "state/mode",
        kind: Kind::Present,
        schema: "reflex.mode.v1",
        what: "`booting`, `disarmed`, `arming`, `holding`, `moving`, `stopping`, `faulted` or `estopped`; the run that \
               moves it; why it stands or does not boot, and who stopped it (`by`: the daemon's number for them, `why` \
               has the name); everything that is not as it should be (`conditions`), and what is done about it (`action`, \
               [failsafe.md](failsafe.md)).",
        example: samples::mode,
    },
    Key {
        name: "state/fault",
        kind: Kind::Present,
        schema: "reflex.fault.v1",
        what: "What is wrong, and how to mend it; nulls if nothing is. While `booting` it is what keeps the robot from it.",
        example: samples::fault,
    },
    Key {
        name: "state/skill",
        kind: Kind::Present,
        schema: "reflex.running.v1",
        what: "The skill that runs, and how the last one ended.",
        example: samples::skill,
    },
    Key {
        name: "state/limits",
        kind: Kind::Present,
        schema: "reflex.limits.v1",
        what: "The limits that every set-point keeps; arrays in the order of `names`.",
        example: samples::limits,
    },
    Key {
        name: "state/lease",
        kind: Kind::Present,
        schema: "reflex.holder.v1",
        what: "Who holds the lease, which grant it is and since when, nulls if nobody does; and whether the robot moves for \
               its holder only, even then.",
        example: samples::lease,
    },
    Key {
        name: "state/backend",
        kind: Kind::Present,
        schema: "reflex.backend.v1",
        what: "Who carries out the commands, who shadows it, and since when; and, of an arm on a bus, what its bus was \
               seen to do since it was opened: frames `heard`, `strange` ones, measured values `disbelieved`, `foreign` \
               commands, set-points `sent_late`, times that the loop was gone, times that the bus was reopened.",
        example: samples::backend,
    },
    Key {
        name: "state/shadow",
        kind: Kind::Present,
        schema: "reflex.divergence.v1",
        what: "How far the backend that shadows stands from the one that acts: measured pose less measured pose, and the \
               largest difference since it came, in the order of `names`; nulls where one of them cannot be believed, or \
               nobody shadows. Five times a second while somebody does.",
        example: samples::shadow,
    },
    Key {
        name: "state/recorder",
        kind: Kind::Present,
        schema: "reflex.recorder.v1",
        what: "How the recorder is: the file that is being written, its `bytes` on the disk and the last tick that is safe \
               there (`safe_seq`), the last black box, what was dropped, the room that is free, whether the disk is full, and \
               what keeps it from recording (`trouble`).",
        example: || record::SAMPLE.into(),
    },
    Key {
        name: "state/instruction",
        kind: Kind::Present,
        schema: "reflex.said.v1",
        what: "The newest instruction, for routers and for whoever waits: when it was heard (`at_ns`, `seq`), its `outcome` \
               (`waiting`, `deciding`, `began`, `held`, `refused`, `expired`, `void`, `superseded`) and why, its run, and \
               what was `decided`: served and raw answer, and what was changed. A router encodes what is `waiting`.",
        example: samples::instruction,
    },
    Key {
        name: "diag/timing",
        kind: Kind::Present,
        schema: "reflex.timing.v1",
        what: "How punctual the loop is, and what was skipped, late, dropped or refused since the start. Once a second.",
        example: samples::timing,
    },
    Key {
        name: "diag/shadow",
        kind: Kind::Present,
        schema: "reflex.shadow.v1",
        what: "What has been seen of the heads that run beside active ones: how far their set-points were from the active \
               head's, joint by joint, and what has to hold before they may be promoted. Twice a second.",
        example: || samples::SHADOW.into(),
    },
    Key {
        name: "diag/router",
        kind: Kind::Present,
        schema: "reflex.router_diag.v1",
        what: "What the router has done since the start: how instructions ended, what became of embeddings, how often each \
               stabiliser changed the answer, how often inputs were out of distribution, and how long things took. Once a \
               second.",
        example: || samples::ROUTER.into(),
    },
    Key {
        name: "event/*",
        kind: Kind::Happening,
        schema: "reflex.event.v1",
        what: "The audit trail: who asked for what on which key, and what became of it. The kinds are `command`, \
               `decision`, `estop`, `refused`, `run`, `mode`, `fault`, `chunk`, `registry`, `backend`, `lease`, `condition`, `instruction`, `router` and `recorder`.",
        example: samples::event,
    },
    Key {
        name: "camera/*",
        kind: Kind::Happening,
        schema: "",
        what: "Frames of a camera: JPEG, encoding `image/jpeg`, with `{\"at_ns\":...}` as the attachment.",
        example: || "(JPEG)".into(),
    },
    Key {
        name: "objects",
        kind: Kind::Shared,
        schema: "reflex.objects.v1",
        what: "Where things are, m in the robot's base frame: told by the simulator, or by a detector beside a real robot. \
               The router's network and its stabilisers see the newest; no skill's head does.",
        example: samples::objects,
    },
    Key {
        name: "ask/ik",
        kind: Kind::Question,
        schema: "reflex.ik.v1",
        what: "How an arm could reach a pose: every solution with its branch, how far it is from where the robot stands, \
               and the verdict: `chosen`, `further`, or why it is refused. Send `pose`, `arm` and `frame` as in \
               `cmd/goto`; `from` (joint name to position) is where to start from, as commanded if left out. Moves \
               nothing.",
        example: || r#"{"pose":{"position_m":[0.3,0.1,0.2],"rpy_rad":[0.0,2.8,0.0]}}"#.into(),
    },
    Key {
        name: "info/version",
        kind: Kind::Info,
        schema: "reflex.version.v1",
        what: "Which program this is.",
        example: || r#"{"name":"reflexd","version":"0.1.0"}"#.into(),
    },
    Key {
        name: "info/config",
        kind: Kind::Info,
        schema: "reflex.config.v1",
        what: "The configuration as it was understood.",
        example: || r#"{"robot":"piper","period_ms":50}"#.into(),
    },
    Key {
        name: "info/manifest",
        kind: Kind::Info,
        schema: "reflex.manifest.v1",
        what: "The heads and what each wants to see.",
        example: || r#"{"piper_pick_up":{"chunk_steps":16}}"#.into(),
    },
    Key {
        name: "info/registry",
        kind: Kind::Info,
        schema: "reflex.skills.v1",
        what: "The skills of this robot: their aliases, the bounds of their parameters, the policy that each runs, and \
               every other one with its status, its digests and how it was evaluated ([registry.md](registry.md)).",
        example: || samples::REGISTRY.into(),
    },
    Key {
        name: "alive",
        kind: Kind::Alive,
        schema: "",
        what: "Says that the daemon is there.",
        example: || "(none)".into(),
    },
    Key {
        name: "router",
        kind: Kind::Watched,
        schema: "",
        what: "Says that a router's process is there: the daemon then waits for its embeddings instead of making its own.",
        example: || "(none)".into(),
    },
];

/// Full keys of one robot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    root: String,
}

impl Keys {
    /// Keys of the robot with this name.
    ///
    /// # Errors
    /// A name that would not be one part of a key: `/` and `*` would make it address something else.
    pub fn new(robot: &str) -> Result<Self, WireError> {
        if !is_name(robot) {
            return Err(WireError::Name(robot.into()));
        }
        Ok(Self { root: format!("reflex/{robot}") })
    }

    /// The robot's name.
    #[must_use]
    pub fn robot(&self) -> &str {
        self.root.strip_prefix("reflex/").unwrap_or(&self.root)
    }

    /// The full key of a name.
    #[must_use]
    pub fn full(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    /// The name of a full key, if it is one of this robot.
    #[must_use]
    pub fn name<'a>(&self, full: &'a str) -> Option<&'a str> {
        full.strip_prefix(&self.root)?.strip_prefix('/')
    }
}

/// Whether `name` may be one part of a key.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_robots_name_is_one_part_of_a_key() {
        for bad in ["", "a/b", "*", "**", "a b", "$x", "é", "@x", "x?y", &"x".repeat(65)] {
            assert!(Keys::new(bad).is_err(), "{bad:?}");
        }
        let keys = Keys::new("piper-2").expect("a good name");
        assert_eq!(keys.full("cmd/arm"), "reflex/piper-2/cmd/arm");
        assert_eq!(keys.name("reflex/piper-2/cmd/arm"), Some("cmd/arm"));
        assert_eq!(keys.name("reflex/piper-22/cmd/arm"), None);
    }

    #[test]
    fn no_key_stands_twice() {
        for (k, key) in TABLE.iter().enumerate() {
            assert!(TABLE[..k].iter().all(|other| other.name != key.name), "{}", key.name);
        }
    }
}
