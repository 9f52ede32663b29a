//! The command line.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use super::certs;
use crate::{config::Shown, security::Credentials, wire::DEFAULT_ENDPOINT};
use clap::{Args, Parser, Subcommand, ValueEnum};
use motion::failsafe::{Condition, TABLE};

const EXAMPLES: &str = "\
Examples:
  reflexctl arm
  reflexctl goto --joint joint1=0.2 --joint joint2=0.8 --speed 0.5
  reflexctl goto --pose 0.3,0.1,0.2 --route straight
  reflexctl jog --linear 0,0,0.05 --frame tool
  reflexctl decide pick_up --target 0.3,0.1,0.02
  reflexctl say 'go find the berry and eat it'
  reflexctl status --json
  reflexctl --connect tcp/robot.local:7447 --robot piper estop
  reflexctl --credentials pki/operator-ada.toml arm

Exit codes: 0 accepted, 1 refused by the daemon, 2 usage, 3 no daemon reached or no answer.";

/// Commands a robot through its reflexd.
#[derive(Debug, Parser)]
#[command(name = "reflexctl", version, after_help = EXAMPLES)]
pub(super) struct Cli {
    /// The robot's name; piper, if neither this nor the credentials say.
    #[arg(long, global = true, value_name = "NAME")]
    robot: Option<String>,
    /// Where its daemon listens; on this computer, if neither this nor the credentials say.
    #[arg(long, global = true, value_name = "ENDPOINT")]
    connect: Option<String>,
    /// Who you are to the robot: a file of `reflexctl certs`; REFLEX_CREDENTIALS, if left out.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) credentials: Option<PathBuf>,
    /// The authority whose certificates are believed, for tls/ endpoints.
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Your certificate.
    #[arg(long, global = true, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Its private key.
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The Ed25519 key that commands are signed with; its name is the signer's.
    #[arg(long, global = true, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// Who you are, for the audit trail; who signs, or your login name, if left out.
    #[arg(long, global = true, value_name = "NAME")]
    operator: Option<String>,
    /// How long to wait for an answer.
    #[arg(long, global = true, default_value_t = 2000, value_name = "MS",
          value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,
    /// Print what the daemon said, as JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Who signs, once that is known.
    #[arg(skip)]
    signer: OnceLock<String>,
    #[command(subcommand)]
    pub(super) act: Act,
}

/// What the command line and the credentials' file say together.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) robot: String,
    pub(super) connect: String,
    pub(super) credentials: Credentials,
}

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Take hold of the robot where it stands.
    Arm,
    /// Come to rest, then let go.
    Disarm,
    /// Come to rest and stand.
    Hold,
    /// Go to the home pose.
    Home {
        #[command(flatten)]
        speed: Speed,
    },
    /// Forget a fault or an e-stop; arm again afterwards.
    ClearFault,
    /// Take the power off the motors of an arm that is not held: it falls.
    Release {
        /// Somebody holds the arm, or it may fall.
        #[arg(long)]
        arm_may_fall: bool,
    },
    /// Stop at once, and latch.
    Estop,
    /// Go to joint positions, or take the tool to a pose.
    #[command(
        after_help = "Examples:\n  reflexctl goto --joint joint1=0.2 --joint gripper=0.03\n  \
                            reflexctl goto --joints 0,1.2,-1,0,0.5,0,0.03 --speed 0.3\n  \
                            reflexctl goto --pose 0.3,0.1,0.2,0,2.8,0\n  \
                            reflexctl goto --pose 0,0,0.05 --frame tool --route straight --speed 0.2\n  \
                            reflexctl goto --pose 0.3,0.1,0.2 --via 0.35,0.05,0.2"
    )]
    Goto {
        /// One joint, rad or m; the others stay.
        #[arg(long, value_name = "NAME=POSITION", value_parser = joint,
              required_unless_present_any = ["joints", "pose"])]
        joint: Vec<(String, f64)>,
        /// Every joint, in the robot's order.
        #[arg(long, value_name = "POSITIONS", value_delimiter = ',', allow_hyphen_values = true,
              value_parser = number, conflicts_with = "joint")]
        joints: Vec<f64>,
        #[command(flatten)]
        pose: MaybePose,
        /// The way there.
        #[arg(long, value_enum, requires = "pose")]
        route: Option<Route>,
        /// Along the arc of a circle through this point, m, in the pose's frame.
        #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, value_parser = point,
              requires = "pose", conflicts_with = "route")]
        via: Option<[f64; 3]>,
        #[command(flatten)]
        speed: Speed,
    },
    /// Move joints or the tool by hand, for a while; Ctrl-C brakes.
    #[command(after_help = "Examples:\n  reflexctl jog --joint joint1=0.2 --for 1.5\n  \
                            reflexctl jog --linear 0,0,0.05 --frame tool\n  \
                            reflexctl jog --angular 0,0,0.3 --gives-way orientation --for 2")]
    Jog {
        /// One joint and its velocity, rad/s or m/s; the others rest.
        #[arg(long, value_name = "NAME=VELOCITY", value_parser = joint,
              required_unless_present_any = ["linear", "angular"])]
        joint: Vec<(String, f64)>,
        /// Velocity of the tool, m/s.
        #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, value_parser = point,
              conflicts_with = "joint")]
        linear: Option<[f64; 3]>,
        /// Turn rate of the tool, rad/s.
        #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, value_parser = point,
              conflicts_with = "joint")]
        angular: Option<[f64; 3]>,
        /// The frame that both are told in.
        #[arg(long, value_enum, conflicts_with = "joint")]
        frame: Option<Frame>,
        /// Which arm; the robot's first, if left out.
        #[arg(long, value_name = "NAME", conflicts_with = "joint")]
        arm: Option<String>,
        /// What gives way where the joints cannot follow: the speed, or the orientation.
        #[arg(long, value_enum, conflicts_with = "joint")]
        gives_way: Option<GivesWay>,
        /// How long, in seconds.
        #[arg(long = "for", value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
        seconds: f64,
    },
    /// Every way to reach a pose, and why each other one was not chosen. Moves nothing.
    #[command(after_help = "Examples:\n  reflexctl ik --pose 0.3,0.1,0.2,0,2.8,0\n  \
                            reflexctl ik --pose 0.3,0.1,0.2,0,1,0,0 --from joint1=0.5 --json")]
    Ik {
        #[command(flatten)]
        pose: Pose,
        /// A joint to start from; the others are where they are commanded to be.
        #[arg(long, value_name = "NAME=POSITION", value_parser = joint)]
        from: Vec<(String, f64)>,
    },
    /// Run a skill as an operator's own decision.
    Skill {
        /// Its name.
        name: String,
        #[command(flatten)]
        target: MaybeTarget,
    },
    /// Decide as a router would.
    #[command(after_help = "Example:\n  reflexctl goto --pose 0.3,0.1,0.2 --route straight
  reflexctl jog --linear 0,0,0.05 --frame tool
  reflexctl decide pick_up --target 0.3,0.1,0.02 --instruction 'eat the berry'")]
    Decide {
        /// The skill.
        skill: String,
        #[command(flatten)]
        target: Target,
        /// The instruction that is followed.
        #[arg(long)]
        instruction: Option<String>,
        /// How long the decision may wait to be begun.
        #[arg(long, default_value_t = 1000)]
        ttl_ms: u64,
        /// Its id; a new one if left out.
        #[arg(long)]
        id: Option<String>,
    },
    /// Say what is to be done, in words.
    #[command(after_help = "Examples:\n  reflexctl say 'go find the berry and eat it'\n  \
                            reflexctl say 'walk over there' --target 0.4,0.2,0 --wait\n  reflexctl say stop")]
    Say {
        /// The words.
        text: String,
        /// Where it is to be done, in metres in the robot's base frame; what lies about is told otherwise.
        #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, value_parser = point)]
        target: Option<[f64; 3]>,
        /// The radius of the thing there, in metres.
        #[arg(long, requires = "target")]
        radius: Option<f64>,
        /// The network's choice counts, whatever the words seem to say.
        #[arg(long)]
        force_neural: bool,
        /// How long it may take until it is begun.
        #[arg(long, value_name = "MS")]
        ttl_ms: Option<u64>,
        /// Wait until it came to nothing, or its run is over.
        #[arg(long)]
        wait: bool,
    },
    /// Change which policies carry out the skills, while they run.
    #[command(
        subcommand,
        after_help = "Examples:\n  reflexctl registry status\n  reflexctl registry reload\n  \
                            reflexctl registry reload --file policy_registry_2.json\n  \
                            reflexctl registry promote pick_up"
    )]
    Registry(RegistryAct),
    /// Record what happens, on the daemon's machine.
    #[command(
        subcommand,
        after_help = "Examples:\n  reflexctl record start\n  reflexctl record status\n  \
                            reflexctl record black-box"
    )]
    Record(RecordAct),
    /// Let another backend carry out the commands, while the robot holds.
    #[command(after_help = "Examples:\n  reflexctl backend mujoco --from-present\n  \
                            reflexctl backend loopback --keep-shadow")]
    Backend {
        /// Which.
        to: Backend,
        /// Set it to the pose that is measured now, before it is compared; simulated ones only.
        #[arg(long)]
        from_present: bool,
        /// The one before follows the same commands from then on.
        #[arg(long)]
        keep_shadow: bool,
    },
    /// Let a simulated backend follow the same commands, beside the one that acts.
    Shadow {
        /// Which.
        what: Shadow,
    },
    /// Hold the lease: be the one who commands, and say so until Ctrl-C. Without you the robot holds.
    #[command(
        after_help = "Examples:\n  reflexctl --operator ada lease\n  reflexctl --operator bob lease --takeover\n  \
                            reflexctl lease --for 60\n  reflexctl lease release\n  reflexctl lease status --json\n\n\
                            Commands of the same operator, from another terminal, are then carried out; everybody else's are refused."
    )]
    Lease {
        #[command(subcommand)]
        act: Option<LeaseAct>,
        /// Take it from whoever holds it; the robot holds first.
        #[arg(long)]
        takeover: bool,
        /// It ends so long after the last heartbeat.
        #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(1_000..=60_000))]
        ttl_ms: Option<u32>,
        /// Release it after so long, in seconds.
        #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
        seconds: Option<f64>,
    },
    /// What is done about everything that can be wrong: the law itself, asked what if. Needs no daemon.
    #[command(
        after_help = "Examples:\n  reflexctl failsafe\n  reflexctl failsafe unattended warm\n  \
                            reflexctl failsafe backend_lost --from moving\n  reflexctl failsafe estop --estop cut --json\n"
    )]
    Failsafe {
        /// Conditions that are so at once; without any, the whole table.
        #[arg(value_name = "CONDITION", value_parser = condition)]
        conditions: Vec<Condition>,
        /// What the robot is doing when they begin.
        #[arg(long, value_enum, default_value_t = From::Moving)]
        from: From,
        /// What the robot chose an e-stop to do.
        #[arg(long, value_enum, default_value_t = EStop::Stop)]
        estop: EStop,
    },
    /// Mode, run, joints, limits and timing, once.
    Status,
    /// The state as it goes by, a line a tick, until Ctrl-C.
    Watch {
        /// Stop after so many lines.
        #[arg(long)]
        count: Option<u64>,
    },
    /// The audit trail as it grows, until Ctrl-C.
    Events {
        /// Stop after so many lines.
        #[arg(long)]
        count: Option<u64>,
    },
    /// Make a TEST authority, certificates and signing keys. Nobody is asked, and no robot is reached.
    #[command(after_help = certs::EXAMPLES)]
    Certs(certs::CertsArguments),
    /// Which daemon this is.
    Version,
    /// What the daemon says of itself.
    Info {
        /// About what.
        #[arg(default_value = "version")]
        what: Info,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RegistryAct {
    /// Which policy runs each skill, what is on trial, and what has been seen of the shadows.
    Status,
    /// Read the registry again. A bad one is refused, and the old one goes on.
    Reload {
        /// Another file, on the daemon's machine; relative to the folder of the present one.
        #[arg(long, value_name = "FILE")]
        file: Option<String>,
    },
    /// Make a skill's shadow its active policy, if its criteria hold; or end a trial well.
    Promote {
        /// The skill.
        skill: String,
    },
    /// Go back to the policy before, or to the fallback.
    Rollback {
        /// The skill.
        skill: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum RecordAct {
    /// Everything, from now on.
    Start,
    /// No more.
    Stop,
    /// How the recorder is.
    Status,
    /// The last 2,000 ticks, now.
    BlackBox,
}

/// What a robot is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    Disarmed,
    Holding,
    Moving,
}

/// What an e-stop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EStop {
    Stop,
    Damp,
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum LeaseAct {
    /// Who holds it.
    Status,
    /// Give it back; the robot holds.
    Release,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Backend {
    /// The scene of the robot's `[mujoco]` table.
    Mujoco,
    /// The arm on the bus of the robot's `[piper]` table.
    Piper,
    /// A robot without a body.
    Loopback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shadow {
    /// The scene of the robot's `[mujoco]` table.
    Mujoco,
    /// A robot without a body.
    Loopback,
    /// Nobody.
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Info {
    Version,
    Config,
    Manifest,
    Registry,
}

impl Info {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Version => "info/version",
            Self::Config => "info/config",
            Self::Manifest => "info/manifest",
            Self::Registry => "info/registry",
        }
    }
}

/// Where the tool goes.
#[derive(Args, Debug)]
pub(super) struct Pose {
    /// Position in m; then, if wanted, roll, pitch, yaw in rad (R = Rz Ry Rx), or a quaternion x, y, z, w.
    #[arg(long, value_name = "X,Y,Z[,...]", value_delimiter = ',', allow_hyphen_values = true,
          value_parser = number)]
    pub(super) pose: Vec<f64>,
    #[command(flatten)]
    pub(super) frame: PoseFrame,
}

/// The same, where joints may be given instead.
#[derive(Args, Debug)]
pub(super) struct MaybePose {
    /// Position in m; then, if wanted, roll, pitch, yaw in rad (R = Rz Ry Rx), or a quaternion x, y, z, w.
    #[arg(long, value_name = "X,Y,Z[,...]", value_delimiter = ',', allow_hyphen_values = true,
          value_parser = number, conflicts_with_all = ["joint", "joints"])]
    pub(super) pose: Vec<f64>,
    #[command(flatten)]
    pub(super) frame: PoseFrame,
}

#[derive(Args, Debug)]
pub(super) struct PoseFrame {
    /// The frame that the pose is told in.
    #[arg(long, value_enum, requires = "pose")]
    pub(super) frame: Option<Frame>,
    /// Which arm; the robot's first, if left out.
    #[arg(long, value_name = "NAME", requires = "pose")]
    pub(super) arm: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Frame {
    /// The arm's base.
    Base,
    /// The tool, where it is commanded to be.
    Tool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Route {
    /// As fast as the joints can.
    Joints,
    /// A straight line.
    Straight,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum GivesWay {
    /// Slower, in the same direction.
    Time,
    /// The tool turns otherwise.
    Orientation,
}

#[derive(Args, Debug)]
pub(super) struct Speed {
    /// Fraction of the planned motion's speed limit, in (0, 1].
    #[arg(long)]
    pub(super) speed: Option<f64>,
}

#[derive(Args, Debug)]
pub(super) struct Target {
    /// Where, in metres in the robot's base frame.
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, value_parser = point)]
    pub(super) target: [f64; 3],
    #[command(flatten)]
    pub(super) shape: TargetShape,
}

#[derive(Args, Debug)]
pub(super) struct MaybeTarget {
    /// Where, in metres in the robot's base frame.
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, value_parser = point)]
    pub(super) target: Option<[f64; 3]>,
    #[command(flatten)]
    pub(super) shape: TargetShape,
}

#[derive(Args, Debug)]
pub(super) struct TargetShape {
    /// The target's radius in metres.
    #[arg(long, requires = "target")]
    pub(super) radius: Option<f64>,
    /// Fraction of full speed, in (0, 1].
    #[arg(long, requires = "target")]
    pub(super) speed_hint: Option<f64>,
}

impl Cli {
    pub(super) const fn timeout(&self) -> Duration {
        // Loading and proving heads takes its time, as motors do that have to take hold first, and a robot that is opened.
        let is_slow = matches!(
            self.act,
            Act::Registry(_) | Act::Arm | Act::Record(_) | Act::Backend { .. } | Act::Shadow { .. }
        );
        let least_ms = if is_slow { 10_000 } else { 0 };
        let longer = self.timeout_ms > least_ms;
        Duration::from_millis(if longer { self.timeout_ms } else { least_ms })
    }

    pub(super) fn operator(&self) -> String {
        let login = || std::env::var("USER").ok().filter(|name| !name.is_empty());
        let signs = || self.signer.get().cloned();
        let named = self.operator.clone().or_else(signs).or_else(login);
        named.unwrap_or_else(|| "reflexctl".into())
    }

    /// The robot's name, where no credentials say another.
    pub(super) fn robot(&self) -> &str {
        self.robot.as_deref().unwrap_or("piper")
    }

    /// Where the robot is, and who we are to it: what the command line says, or else the credentials' file.
    pub(super) fn place(&self) -> Result<Place, String> {
        let given = Shown {
            ca: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            sign_key: self.sign_key.clone(),
        };
        let (file, shown) =
            given.completed(self.credentials.as_deref()).map_err(|error| error.to_string())?;
        let credentials = shown.load()?;
        if let Some(signer) = &credentials.signer {
            // Set once: a command line has one place.
            let _ = self.signer.set(signer.name().to_owned());
        }
        let robot = self.robot.clone().or(file.robot).unwrap_or_else(|| self.robot().to_owned());
        let connect = self.connect.clone().or(file.connect);
        let connect = connect.unwrap_or_else(|| DEFAULT_ENDPOINT.into());
        Ok(Place { robot, connect, credentials })
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    Condition::named(text).ok_or_else(|| {
        let names: Vec<&str> = TABLE.iter().map(|rule| rule.name).collect();
        format!("{text:?} is none: choose of {}", names.join(", "))
    })
}

fn number(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("{text:?} is no number"))?;
    if value.is_finite() { Ok(value) } else { Err(format!("{text:?} is not finite")) }
}

fn joint(text: &str) -> Result<(String, f64), String> {
    let (name, position) = text.split_once('=').ok_or("want NAME=POSITION, such as joint1=0.2")?;
    Ok((name.to_owned(), number(position)?))
}

fn seconds(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    let fits = value > 0.0 && value <= 3600.0;
    if fits { Ok(value) } else { Err(format!("{text:?} is not in (0, 3600]")) }
}

fn point(text: &str) -> Result<[f64; 3], String> {
    let values = text.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
    values.try_into().map_err(|_| "want three numbers, X,Y,Z, such as 0.3,0.1,0.02".to_owned())
}
