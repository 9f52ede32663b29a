//! From targets to motion.

use reflex::backend::piper::frames::{
    ArcPoint, ArmStatus, Command, ControlMode, Follow, Mit, MitTarget, ModeCommand, Mount,
    MoveMode, Reached,
};

use crate::rig::{Rig, firmware, joint, setup};

const GOALS: [[f64; 6]; 2] = [[0.4, 1.0, -0.9, 0.3, 0.5, -0.4], [-0.5, 1.4, -1.3, -0.2, 0.2, 0.6]];

#[test]
fn joints_reach_their_targets_within_the_arms_own_limits() {
    let mut rig = Rig::ready();
    for goal in GOALS {
        rig.said.clear();
        rig.aim(&goal);
        rig.run(60);
        assert!(rig.status().reached.is(Reached::No));
        rig.run(2_440);
        assert!(rig.away(&goal) < 0.002, "{goal:?} {:?}", rig.joints());
        assert!(rig.status().reached.is(Reached::Yes));
        for number in 1..=6 {
            let id = 0x250 + number;
            let speeds = rig.said.iter().filter(|(_, frame)| frame.id == id);
            let fastest =
                speeds.map(|(_, f)| i16::from_be_bytes([f.data[0], f.data[1]]).abs()).max();
            assert!(fastest < Some(3_200), "joint {number}: {fastest:?} mrad/s");
        }
    }
}

#[test]
fn the_percentage_of_speed_is_one() {
    let mut rig = Rig::ready();
    rig.mode(MoveMode::Joint, Follow::Planned, 10);
    let from = rig.joints()[0];
    let mut goal = rig.joints();
    goal[0] += 1.0;
    rig.aim(&goal);
    rig.run(1_000);
    let gone = rig.joints()[0] - from;
    assert!((0.2..0.31).contains(&gone), "{gone} rad in a second at 0.3 rad/s");
}

#[test]
fn a_later_target_counts_and_standby_stops() {
    let mut rig = Rig::ready();
    rig.aim(&GOALS[0]);
    rig.run(200);
    rig.aim(&GOALS[1]);
    rig.run(300);
    let mode = ModeCommand {
        control: ControlMode::Standby,
        movement: MoveMode::Joint,
        speed_percent: 100,
        follow: Follow::Planned,
        dwell_s: 0,
        mount: Mount::Leave,
    };
    rig.say(Command::Mode(mode));
    rig.run(1_000);
    let stopped = rig.joints();
    rig.run(500);
    assert!(rig.away(&stopped) < 0.002 && rig.away(&GOALS[1]) > 0.05);
}

#[test]
fn targets_beyond_the_limits_are_clamped_and_told() {
    let mut rig = Rig::ready();
    let mut goal = rig.joints();
    goal[4] = 2.0;
    rig.aim(&goal);
    rig.run(2_000);
    assert!((rig.joints()[4] - 70_f64.to_radians()).abs() < 0.005, "{:?}", rig.joints());
    assert!(rig.status().at_limit.has(joint(5)) && !rig.status().at_limit.has(joint(4)));
    goal[4] = 0.5;
    rig.aim(&goal);
    rig.run(50);
    assert!(!rig.status().at_limit.any());
}

#[test]
fn move_p_reaches_poses_and_refuses_others() {
    let mut rig = Rig::ready();
    rig.aim(&GOALS[0]);
    rig.run(2_500);
    rig.mode(MoveMode::Pose, Follow::Planned, 100);
    let mut goal = rig.tool();
    goal[0] += 20_000;
    goal[2] -= 30_000;
    goal[4] += 4_000;
    rig.aim_tool(goal);
    rig.run(2_500);
    for (k, (is, wanted)) in rig.tool().into_iter().zip(goal).enumerate() {
        assert!((is - wanted).abs() < 200, "{k}: {is} {wanted}");
    }
    let held = rig.joints();
    rig.aim_tool([900_000, 0, 200_000, 0, 85_000, 0]);
    rig.run(300);
    assert!(rig.is(ArmStatus::NoSolution) && rig.away(&held) < 0.002);
    rig.aim_tool([200_000, 0, 150_000, 180_000, 0, 0]);
    rig.run(300);
    assert!(
        rig.is(ArmStatus::TargetOverLimit),
        "straight down needs more of joint 5 than there is"
    );
    rig.aim_tool(goal);
    rig.run(50);
    assert!(rig.is(ArmStatus::Normal));
}

#[test]
fn move_l_keeps_to_its_line_and_move_c_to_its_circle() {
    let mut rig = Rig::ready();
    rig.aim(&GOALS[0]);
    rig.run(2_500);
    rig.mode(MoveMode::Linear, Follow::Planned, 100);
    let (from, mut goal) = (rig.tool(), rig.tool());
    goal[1] -= 80_000;
    rig.aim_tool(goal);
    let mut off = 0;
    for _ in 0..200 {
        rig.run(10);
        off = off.max((rig.tool()[0] - from[0]).abs()).max((rig.tool()[2] - from[2]).abs());
    }
    assert!((rig.tool()[1] - goal[1]).abs() < 300 && off < 2_500, "{off} um off the line");

    rig.mode(MoveMode::Circular, Follow::Planned, 100);
    let from = rig.tool();
    let at = |y: i32, z: i32| [from[0], from[1] + y, from[2] + z, from[3], from[4], from[5]];
    for (pose, point) in [
        (from, ArcPoint::Start),
        (at(40_000, 40_000), ArcPoint::Middle),
        (at(80_000, 0), ArcPoint::End),
    ] {
        rig.aim_tool(pose);
        rig.say(Command::Arc(point));
    }
    let mut highest = 0;
    for _ in 0..200 {
        rig.run(10);
        highest = highest.max(rig.tool()[2] - from[2]);
    }
    assert!((36_000..41_000).contains(&highest), "half a circle of 40 mm rises {highest} um");
    assert!((rig.tool()[1] - from[1] - 80_000).abs() < 300, "{:?}", rig.tool());
}

#[test]
fn direct_following_passes_through_and_is_left_by_a_reset_on_older_firmware() {
    for (name, leaves) in [("S-V1.8-2", false), ("S-V1.8-8", true)] {
        let mut rig = Rig::ready_with(setup(name));
        rig.mode(MoveMode::Joint, Follow::Direct, 1);
        let mut goal = rig.joints();
        goal[0] += 0.3;
        rig.aim(&goal);
        rig.run(400);
        assert!((rig.joints()[0] - goal[0]).abs() < 0.02, "{name}: no planning, no percentage");
        rig.mode(MoveMode::Joint, Follow::Planned, 1);
        goal[0] -= 0.3;
        rig.aim(&goal);
        rig.run(400);
        let gone = (goal[0] + 0.3 - rig.joints()[0]).abs();
        assert_eq!(gone < 0.02, leaves, "{name}: {gone} rad");
    }
}

#[test]
fn mit_moves_the_same_way_on_every_generation_that_is_told_in_its_own_frames() {
    for (name, movement) in [
        ("S-V1.5-2", MoveMode::Mit),
        ("S-V1.6-5", MoveMode::Mit),
        ("S-V1.8-2", MoveMode::Mit),
        ("S-V1.8-8", MoveMode::MitTwelveBit),
    ] {
        let mut rig = Rig::ready_with(setup(name));
        rig.mode(movement, Follow::Direct, 100);
        let goal = rig.joints()[0] + 0.2;
        let target =
            MitTarget { position_rad: goal, speed_rad_s: 0.0, kp: 60.0, kd: 4.0, torque_nm: 0.0 };
        let mit = Mit::new(joint(1), &target, firmware(name)).expect("a frame");
        rig.say(Command::Mit(mit));
        rig.run(2_000);
        assert!((rig.joints()[0] - goal).abs() < 0.02, "{name}: {} {goal}", rig.joints()[0]);
        assert!(rig.away(&rig.joints()) == 0.0 && rig.is(ArmStatus::Normal));
    }
}

#[test]
fn mit_of_another_generation_is_refused_by_its_mode() {
    let mut rig = Rig::ready_with(setup("S-V1.8-8"));
    let refused = rig.arm.tally().refused;
    rig.mode(MoveMode::Mit, Follow::Direct, 100);
    assert_eq!(rig.arm.tally().refused, refused + 1);
    assert!(rig.status().movement.is(MoveMode::Joint));
}

#[test]
fn a_streamed_target_is_followed_late_by_its_brakes_and_its_motors() {
    for (speed, lag) in [(0.5, 0.05), (1.0, 0.15)] {
        let mut rig = Rig::ready();
        rig.aim(&[-0.8, 1.2, -1.1, 0.1, 0.4, -0.1]);
        rig.run(2_000);
        let (mut goal, mut farthest) = (rig.joints(), 0.0_f64);
        for _ in 0..150 {
            goal[0] += speed * 0.01;
            rig.aim(&goal);
            rig.run(10);
            farthest = farthest.max(goal[0] - rig.joints()[0]);
        }
        assert!((farthest - lag).abs() < 0.25 * lag, "{farthest} rad behind at {speed} rad/s");
    }
}
