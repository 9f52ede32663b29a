//! Every backend keeps the promises of a backend.

use reflex::{
    Clock,
    backend::loopback::Loopback,
    conformance::{Expected, check},
};

use crate::rig::{joints, plain_robot};

#[test]
fn loopback_keeps_its_promises() {
    let robot = plain_robot(7);
    let pose = joints(&[0.1, -0.2, 0.3, 0.0, 0.5, 0.0, 1.0]);
    let goal = joints(&[0.4, 0.2, -0.3, 0.1, 0.0, 0.9, 0.6]);
    let expected = Expected { boot_ticks: 0, rest_error_max: 0.0, drift_max: 0.0, settle_ticks: 5 };
    let loopback = Loopback::new(pose, robot.period_s());
    check(Box::new(loopback), &robot, Clock::lockstep(), &goal, &expected)
        .expect("loopback is a backend");
}

#[cfg(feature = "mujoco")]
#[test]
fn mujoco_keeps_its_promises() {
    use reflex::backend::mujoco::Mujoco;
    use reflexd::config::Settings;

    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let robot = settings.robot_settings.build(0.05).expect("shipped limits");
    let scene = reflexd::daemon::scene(&settings.robot_settings).expect("shipped scene");
    let mut goal = settings.robot_settings.home().expect("shipped home");
    for (joint, by) in [0.3, 0.2, -0.3, 0.2, -0.2, 0.4, -0.02].iter().enumerate() {
        goal[joint] += by;
    }
    let expected =
        Expected { boot_ticks: 0, rest_error_max: 6e-3, drift_max: 6e-3, settle_ticks: 20 };
    let (world, _spectator) = Mujoco::new(&scene);
    check(Box::new(world), &robot, Clock::lockstep(), &goal, &expected)
        .expect("MuJoCo is a backend");
}
