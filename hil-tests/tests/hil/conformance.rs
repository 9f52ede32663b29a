//! The Piper's backend is held to what every backend promises, against the virtual arm on the bus.

use motion::Joints;
use reflex::{
    Clock,
    backend::piper::Piper,
    conformance::{Expected, check},
};
use reflexd::config::RobotSettings;

use crate::rig::{HOME, VirtualArm, alone, here};

#[test]
fn the_piper_keeps_what_a_backend_promises() {
    let _alone = alone();
    let arm = VirtualArm::start(&[]);
    let mut settings =
        RobotSettings::load(&here("config/robots/piper.toml")).expect("the shipped robot");
    settings.piper.as_mut().expect("[piper]").bus.clone_from(&arm.bus);
    let robot = settings.build(0.05).expect("limits that make sense");
    let piper = settings.piper().expect("values that make sense").expect("[piper]");
    let backend = Piper::open(&piper, &robot).expect("an arm that is fit");
    let mut goal = HOME;
    goal[0] += 0.3;
    goal[4] -= 0.2;
    goal[6] -= 0.02;
    let goal = Joints::from_slice(&goal).expect("seven joints");
    let expected =
        Expected { rest_error_max: 0.02, drift_max: 0.01, settle_ticks: 20, boot_ticks: 20 };
    check(Box::new(backend), &robot, Clock::Monotonic, &goal, &expected).expect("it keeps them");
}
