//! The description and the scene are the same arm.

use motion::Joints;
use reflexd::{config::Settings, kinematics::Arms};

use crate::descriptions::matrix;

#[test]
fn urdf_and_mjcf_put_the_tool_in_the_same_place() {
    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let robot = &settings.robot_settings;
    let scene = reflexd::daemon::scene(robot).expect("shipped scene");
    let arms = Arms::load(robot).expect("shipped description");
    let arm = arms.first().expect("an arm");
    let seed = 20_261_121;
    let mut random = fastrand::Rng::with_seed(seed);
    for k in 0..1000 {
        let mut pose = Joints::zeros(robot.joints.len());
        for (value, joint) in pose.iter_mut().zip(&robot.joints) {
            let (min, max) = joint.range();
            *value = min + random.f64() * (max - min);
        }
        let by_urdf = arm.pose(&pose);
        let (position, rotation) = scene.site_pose("tool", &pose).expect("a tool site");
        let gap =
            |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let apart_m = gap(&by_urdf.position_m, &position);
        let apart = gap(&matrix(by_urdf.quaternion_xyzw), &rotation);
        assert!(
            apart_m < 1e-6 && apart < 1e-6,
            "seed {seed}, vector {k}: {apart_m} m, {apart} at {pose:?}"
        );
    }
}
