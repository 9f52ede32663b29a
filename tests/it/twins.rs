//! The description and the scene are the same arm.

use motion::Joints;
use reflexd::{config::Settings, kinematics::ToolChain};

/// Rotation matrix (row-major) of a unit quaternion.
fn matrix([x, y, z, w]: [f64; 4]) -> [f64; 9] {
    [
        1.0 - 2.0 * (y * y + z * z),
        2.0 * (x * y - z * w),
        2.0 * (x * z + y * w),
        2.0 * (x * y + z * w),
        1.0 - 2.0 * (x * x + z * z),
        2.0 * (y * z - x * w),
        2.0 * (x * z - y * w),
        2.0 * (y * z + x * w),
        1.0 - 2.0 * (x * x + y * y),
    ]
}

#[test]
fn urdf_and_mjcf_put_the_tool_in_the_same_place() {
    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let robot = &settings.robot_settings;
    let scene = reflexd::daemon::scene(robot).expect("shipped scene");
    let chain = ToolChain::load(robot).expect("shipped description");
    let seed = 20_261_121;
    let mut random = fastrand::Rng::with_seed(seed);
    for k in 0..1000 {
        let mut pose = Joints::zeros(robot.joints.len());
        for (value, joint) in pose.iter_mut().zip(&robot.joints) {
            let (min, max) = joint.range();
            *value = min + random.f64() * (max - min);
        }
        let by_urdf = chain.x_base_tool(&pose);
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

#[test]
fn urdf_has_the_kinematics_of_current_firmware() {
    let path = crate::rig::here("../shared/piper/vectors/fk_sdk_dh1.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: needs {}", path.display());
        return;
    };
    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let mut robot = settings.robot_settings;
    robot.tool_link = "link6".into();
    let chain = ToolChain::load(&robot).expect("shipped description");
    let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let vectors = file["vectors"].as_array().expect("vectors");
    assert!(vectors.len() > 1000);
    for vector in vectors {
        let numbers = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().expect("array").iter().map(|v| v.as_f64().expect("number")).collect()
        };
        let mut q = numbers(&vector["q"]);
        q.push(0.0);
        let pose = chain.x_base_tool(&crate::rig::joints(&q));
        for (is, should) in pose.position_m.iter().zip(numbers(&vector["xyz"])) {
            assert!((is - should).abs() < 1e-9, "{pose:?} at {q:?}");
        }
        let rows = vector["R"].as_array().expect("rows");
        let rotation = rows.iter().flat_map(numbers);
        for (is, should) in matrix(pose.quaternion_xyzw).iter().zip(rotation) {
            assert!((is - should).abs() < 1e-9, "{pose:?} at {q:?}");
        }
    }
}
