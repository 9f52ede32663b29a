//! Arbitrary bytes as the files that a robot is told by: configuration, manifests, registry, description.

use std::path::Path;

use motion::{
    Chunk, ChunkId, Controller, Epoch, HeadDigest, Inputs, Nanos, Order, OrderId, Plan, Reply, Run,
    RunId, State, TickIndex, What, failsafe::Conditions,
};
use reflexd::{
    config::{ConfigError, RobotSettings, Settings},
    head::Manifest,
    kinematics::{Arms, Description, Guard, RobotArm},
    router::RouterManifest,
    skill::registry::RegistryFile,
};

/// What the files are said to be called. Those that they name are looked for beside it, and not found.
const FILE: &str = "no/such/folder/file";

/// A robot that is there whatever the bytes say.
const ROBOT: &str = r#"
name = "plain"
urdf = "plain.urdf"
home = { a = 0.0 }
[[joints]]
kind = "revolute"
name = "a"
position_min_rad = -1.0
position_max_rad = 1.0
velocity_max_rad_s = 1.0
acceleration_max_rad_s2 = 4.0
jerk_max_rad_s3 = 80.0
step_max_rad = 0.5
divergence_max_rad = 0.3
"#;

/// A daemon's file, with a plain robot.
///
/// # Panics
/// If what is understood cannot be told, or a complaint does not name the file.
pub fn daemon_config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let robot = |_: &Path| RobotSettings::of_text(Path::new(FILE), ROBOT);
    if let Some(settings) = told(Settings::of_text(Path::new(FILE), text, None, robot)) {
        serde_json::to_string(&settings).expect("`info/config` tells it");
        assert!((1..=1000).contains(&settings.daemon.loop_.period_ms));
    }
}

/// A robot's file. A robot that is understood can be driven.
///
/// # Panics
/// If it cannot.
pub fn robot_config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Some(settings) = told(RobotSettings::of_text(Path::new(FILE), text)) else { return };
    serde_json::to_string(&settings).expect("`info/config` tells it");
    for period_s in [0.001, 0.05, 1.0] {
        drive(&settings, period_s);
    }
    if let Ok(description) = Description::of_bytes(Path::new(FILE), PIPER.into()) {
        let _ = Arms::build(&settings, &description);
        let _ = Guard::build(&settings, &description);
    }
}

const PIPER: &str = include_str!("../../../urdf/piper.urdf");

/// Armed at home, and sent to the middle of every range.
fn drive(settings: &RobotSettings, period_s: f64) {
    let robot = settings.build(period_s).expect("it was understood");
    let home = settings.home().expect("it was understood");
    let mut law = Controller::new(robot);
    let mut state = State { position: home, ..State::blank(home.len()) };
    let plan = Plan::plain(HeadDigest(1), 4);
    let orders = [What::Arm, What::Begin(Run { id: RunId(1), plan, expires: Nanos(u64::MAX) })];
    let orders = orders.map(|what| Order { id: OrderId(1), epoch: Epoch(u64::MAX), what });
    let mut chunk = Chunk::empty(ChunkId(1), RunId(1), HeadDigest(1), TickIndex(0), home.len());
    let mut step = home;
    for k in 1..=40 {
        for ((at, home), limits) in step.iter_mut().zip(home.iter()).zip(robot.limits()) {
            let middle = 0.5 * limits.position_min + 0.5 * limits.position_max;
            *at = home + (middle - home) * f64::from(k) / 40.0;
        }
        chunk.push(&step);
    }
    let replies = [Reply::Chunk(chunk)];
    for k in 0..48_usize {
        let (command, _) = law.tick(&Inputs {
            now: Nanos(k as u64),
            state: &state,
            stop: None,
            early: false,
            outside: Conditions::NONE,
            orders: if k == 0 { &orders } else { &[] },
            replies: if k == 1 { &replies } else { &[] },
            correction: None,
        });
        assert!(command.position().is_finite(), "{:?}", command.position());
        for (at, limits) in command.position().iter().zip(robot.limits()) {
            assert!(*at >= limits.position_min && *at <= limits.position_max, "{at}: {limits:?}");
        }
        state.position = *command.position();
    }
}

/// A head's manifest.
///
/// # Panics
/// If one that is understood cannot be asked about, or a complaint does not name the file.
pub fn manifest(bytes: &[u8]) {
    match Manifest::of_bytes(Path::new(FILE), bytes) {
        Ok(manifest) => {
            let len = manifest.input_len();
            assert!(len > 0 && len < 1 << 24, "{len}");
            let _ = (manifest.input_name(len), manifest.output.column_name(0));
            let plan = manifest.plan(HeadDigest(1), u64::MAX);
            assert!(plan.execute > 0 && manifest.period_ns() > 0);
        }
        Err(error) => named(&error),
    }
}

/// `policy_registry.json`.
///
/// # Panics
/// If one that is understood is another one when it is told again.
pub fn registry(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Some(registry) = told(RegistryFile::of_text(Path::new(FILE), text)) else { return };
    let again = serde_json::to_string(&registry).expect("it was understood");
    let again = told(RegistryFile::of_text(Path::new(FILE), &again)).expect("and is again");
    // Not all of it: a number may be off by its last bit.
    let names = |of: &RegistryFile| {
        let of =
            of.policies().map(|(skill, robot, _, policy)| format!("{skill} {robot} {policy:?}"));
        of.map(|all| all.split(" evaluation").next().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!((names(&again), &again.aliases), (names(&registry), &registry.aliases));
    for (skill, robot, _, _) in registry.policies() {
        let _ = registry.active_head(skill, robot);
    }
}

/// A router's manifest.
///
/// # Panics
/// If a complaint does not name the file.
pub fn router_manifest(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(manifest) = told(RouterManifest::of_text(Path::new(FILE), text)) {
        assert!(manifest.golden.len() >= 2);
    }
}

/// A robot's description, and what arms there are in it.
///
/// # Panics
/// If a pose is a number that the description did not have, or a complaint does not name the file.
pub fn urdf(bytes: &[u8]) {
    let description = match Description::of_bytes(Path::new(FILE), bytes.to_vec()) {
        Ok(description) => description,
        Err(error) => return named(&error),
    };
    for (k, joint) in description.joints.iter().enumerate() {
        assert!(joint.before.is_none_or(|before| before < k), "a parent comes first");
        assert!(joint.mimic.is_none_or(|(followed, ..)| followed != k));
        assert_eq!(description.joint(&joint.name), Some(k));
    }
    for joint in description.joints.iter().rev().take(2) {
        match RobotArm::of_description(&description, None, &joint.child) {
            Ok(arm) => {
                let _ = arm.class();
                let _ = arm.x_base_tool(&motion::Joints::zeros(motion::MAX_JOINTS));
            }
            Err(error) => named(&error),
        }
    }
}

fn told<T>(read: Result<T, ConfigError>) -> Option<T> {
    read.inspect_err(named).ok()
}

/// A complaint says of which file it is, and no more than somebody reads.
fn named<E: std::error::Error>(error: &E) {
    let words = error.to_string();
    assert!(words.contains(FILE), "{words}");
}
