//! Robots with limits of many kinds, some in a workspace.

use motion::{
    Attendance, Body, BodyKind, Capsule, JointLimits, Obstacle, Pair, Plane, Robot, Rules,
    Workspace,
    failsafe::{Action, Policy},
};

use super::bytes::Bytes;

const UPRIGHT: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// z becomes -y: an arm that lies along x rises as its joint grows.
const LYING: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]];

/// A robot of one to eight joints, and of three if it has a workspace.
pub(super) fn robot(bytes: &mut Bytes) -> Robot {
    let guarded = bytes.byte() < 96;
    let joints = if guarded { 3 } else { 1 + usize::from(bytes.byte() % 8) };
    let period_s = [0.05, 0.05, 0.02, 0.1][usize::from(bytes.byte() % 4)];
    let attendance = match bytes.byte() % 16 {
        0 => Attendance::Required,
        1 => Attendance::Physical,
        _ => Attendance::Optional,
    };
    let rules = Rules {
        extrapolate_ticks: u32::from(bytes.byte() % 4),
        give_up_ticks: 4 + u32::from(bytes.byte() % 24),
        divergence_ticks: 1 + u32::from(bytes.byte() % 8),
        attendance,
        heartbeat_ns: 1_000_000_000,
        slow_factor: bytes.within(0.05, 1.0),
        policy: Policy { estop: Action::ALL[usize::from(bytes.byte()) % Action::ALL.len()] },
        ..Rules::default()
    };
    // A turret has to get about.
    let limits: [JointLimits; 8] = std::array::from_fn(|_| {
        if guarded {
            JointLimits { position_min: -2.9, position_max: 2.9, ..limits(bytes) }
        } else {
            limits(bytes)
        }
    });
    let robot = Robot::build(period_s, &limits[..joints], rules).expect("limits that make sense");
    if guarded { robot.with_workspace(workspace()) } else { robot }
}

/// From slow and soft to faster than any arm.
fn limits(bytes: &mut Bytes) -> JointLimits {
    let position_min = bytes.within(-3.0, 1.0);
    let mut decades = |low: f64, decades: f64| low * 10_f64.powf(decades * bytes.share());
    let (velocity_max, acceleration_max, jerk_max) =
        (decades(0.05, 2.0), decades(0.2, 2.5), decades(1.0, 3.0));
    JointLimits {
        position_min,
        position_max: position_min + bytes.within(0.05, 5.0),
        velocity_max,
        acceleration_max,
        jerk_max,
        step_max: bytes.within(0.2, 8.0),
        divergence_max: bytes.within(0.05, 1.0),
        gripper: bytes.byte() < 32,
    }
}

/// A turret on a column over a floor, with an upper arm and a forearm of 0.3 m.
fn workspace() -> Workspace {
    let turns = |before, rotation, origin_m, joint| Body {
        before,
        rotation,
        origin_m,
        kind: BodyKind::Turns,
        joint,
        multiplier: 1.0,
        offset: 0.0,
        slide_max_m: 0.0,
    };
    let bodies = [
        turns(None, UPRIGHT, [0.0, 0.0, 0.2], 0),
        turns(Some(0), LYING, [0.0; 3], 1),
        turns(Some(1), UPRIGHT, [0.3, 0.0, 0.0], 2),
    ];
    let along = |body, to_m, radius_m| Capsule { body, from_m: [0.0; 3], to_m, radius_m };
    let capsules = [
        along(None, [0.0, 0.0, 0.2], 0.05),
        along(Some(1), [0.3, 0.0, 0.0], 0.04),
        along(Some(2), [0.3, 0.0, 0.0], 0.03),
    ];
    let floor = Plane { point_m: [0.0; 3], normal: [0.0, 0.0, 2.0] };
    let pairs = [
        Pair { capsule: 2, obstacle: Obstacle::Capsule(0) },
        Pair { capsule: 2, obstacle: Obstacle::Plane(0) },
        Pair { capsule: 1, obstacle: Obstacle::Plane(0) },
    ];
    Workspace::build(&bodies, &capsules, &[floor], &pairs, 0.01).expect("it makes sense")
}
