//! Descriptions become the arms that they describe: against the vendor's controller, pinocchio and `k`.

use std::fs;

use motion::Joints;
use nalgebra::Isometry3;
use reflexd::{
    config::Settings,
    kinematics::{Arms, Description, RobotArm},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::rig::{here, joints};

/// Rotation matrix (row-major) of a unit quaternion.
pub(crate) fn matrix([x, y, z, w]: [f64; 4]) -> [f64; 9] {
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

/// The arm of a test description, from its base to one of its links.
fn arm(name: &str, tool_link: &str) -> RobotArm {
    let description = Description::read(&here(&format!("tests/data/urdf/{name}.urdf")));
    let description = description.unwrap_or_else(|error| panic!("{error}"));
    RobotArm::of_description(&description, None, tool_link)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Holds an arm to vectors of another program, which lie outside of the checkout: `../shared/piper/vectors`.
fn is_that_of(arm: &RobotArm, vectors: &str) {
    let path = here(&format!("../shared/piper/vectors/{vectors}.json"));
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: needs {}", path.display());
        return;
    };
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let vectors = file["vectors"].as_array().expect("vectors");
    assert!(vectors.len() > 1000);
    let mut worst: f64 = 0.0;
    for vector in vectors {
        let numbers = |value: &Value| -> Vec<f64> {
            value.as_array().expect("array").iter().map(|v| v.as_f64().expect("number")).collect()
        };
        let pose = arm.pose(&joints(&numbers(&vector["q"])));
        let rows = vector["R"].as_array().expect("rows").iter().flat_map(numbers);
        let is = pose.position_m.into_iter().chain(matrix(pose.quaternion_xyzw));
        for (is, should) in is.zip(numbers(&vector["xyz"]).into_iter().chain(rows)) {
            worst = worst.max((is - should).abs());
        }
    }
    assert!(worst < 1e-9, "{}: {worst}", path.display());
}

#[test]
fn the_shipped_arm_is_that_of_current_firmware() {
    let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
    let mut robot = settings.robot_settings;
    robot.arms[0].tool_link = "link6".into();
    let arms = Arms::load(&robot).expect("shipped description");
    is_that_of(arms.first().expect("an arm"), "fk_sdk_dh1");
}

#[test]
fn a_description_of_older_firmware_is_that_of_older_firmware() {
    is_that_of(&arm("piper_dh0", "link6"), "fk_sdk_dh0");
}

#[test]
fn descriptions_by_the_vendors_figures_are_the_vendors() {
    is_that_of(&arm("piper_new", "link6"), "fk_urdf_new");
    is_that_of(&arm("piper_old", "link6"), "fk_urdf_old");
    is_that_of(&arm("piper_2024", "link6"), "fk_urdf_2024");
}

/// Every test description with its flange, how many joints can be chosen, and its class.
const ARMS: [(&str, &str, usize, &str); 15] = [
    ("piper_new", "link6", 6, "ortho_parallel"),
    ("piper_old", "link6", 6, "ortho_parallel"),
    ("piper_2024", "link6", 6, "ortho_parallel"),
    ("piper_dh0", "link6", 6, "ortho_parallel"),
    ("piper_h", "link6", 6, "ortho_parallel"),
    ("piper_l", "link6", 6, "ortho_parallel"),
    ("piper_x", "link6", 6, "three_parallel"),
    ("viperx_300s", "link6", 6, "ortho_parallel"),
    ("arx_x5", "link6", 6, "three_parallel"),
    ("ur5e", "link7", 6, "three_parallel"),
    ("nero", "link7", 7, "numeric"),
    ("so101", "link6", 5, "numeric"),
    ("five", "link5", 5, "numeric"),
    ("lifted", "link8", 6, "numeric"),
    ("two_arms", "right_link6", 6, "ortho_parallel"),
];

#[test]
fn every_arm_is_recognised_by_its_description_alone() {
    for (name, tool, joints, class) in ARMS {
        let arm = arm(name, tool);
        assert_eq!(arm.arm.chain().len(), joints, "{name}");
        assert_eq!(arm.explain().class, class, "{name}: {:?}", arm.explain());
    }
}

/// Fixed joints folded in, mimics followed, axes of any direction: as `k`, which does none of that beforehand.
#[test]
fn every_arm_puts_its_tool_where_k_puts_it() {
    let seed = 20_261_121;
    let mut random = fastrand::Rng::with_seed(seed);
    for (name, tool, ..) in ARMS {
        let arm = arm(name, tool);
        let text = fs::read_to_string(here(&format!("tests/data/urdf/{name}.urdf")));
        let robot = urdf_rs::read_from_string(&text.expect("a description")).expect("a robot");
        let tree = k::Chain::<f64>::from(&robot);
        let (min, max) = arm.arm.chain().limits();
        for _ in 0..200 {
            let mut q = Joints::zeros(min.len());
            for (k, value) in q.iter_mut().enumerate() {
                *value = min[k] + random.f64() * (max[k] - min[k]);
                let node = tree.find(&arm.joint_names[k]).expect("a joint");
                node.set_joint_position(*value).expect("inside its limits");
            }
            tree.update_transforms();
            let should = tree.find_link(tool).expect("a link").world_transform().expect("updated");
            let is = arm.x_base_tool(&q);
            let apart = (is.translation.vector - should.translation.vector).norm();
            let turned = is.rotation.angle_to(&should.rotation);
            assert!(apart < 1e-12 && turned < 1e-7, "{name}, seed {seed}: {apart} m, {turned} rad");
        }
    }
}

#[test]
fn a_continuous_joint_turns_twice_and_a_mimic_is_no_choice() {
    let lifted = arm("lifted", "link8");
    let (min, max) = lifted.arm.chain().limits();
    let turn = 2.0 * std::f64::consts::PI;
    assert_eq!((min[1], max[1]), (-turn, turn));
    assert_eq!(lifted.joint_names[..2], ["joint1", "joint4"], "the second stage follows the first");
}

/// The shipped robot with something about its arms changed.
fn robot(arms: &str) -> Result<(Settings, TempDir), reflexd::config::ConfigError> {
    robot_with(arms, &[])
}

fn robot_with(
    arms: &str,
    files: &[(&str, &str)],
) -> Result<(Settings, TempDir), reflexd::config::ConfigError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shipped = fs::read_to_string(here("config/robots/piper.toml")).expect("shipped");
    let plain = "[[arms]]\nname = \"arm\"\ntool_link = \"tool\"\n";
    assert!(shipped.contains(plain), "the shipped arm has changed: nothing was replaced");
    let urdf = here("urdf/piper.urdf").display().to_string();
    let scene = here("models/scenes/piper_berry.xml").display().to_string();
    let text = shipped
        .replace(plain, arms)
        .replace("../../urdf/piper.urdf", &urdf)
        .replace("../../models/scenes/piper_berry.xml", &scene);
    for (name, text) in [("robot.toml", text.as_str())].iter().chain(files) {
        fs::write(folder.path().join(name), text).expect("a temporary file");
    }
    let daemon = folder.path().join("daemon.toml");
    fs::write(&daemon, "robot = \"robot.toml\"\nbackend = \"loopback\"\n").expect("a file");
    Ok((Settings::load(&daemon)?, folder))
}

fn home(settings: &Settings) -> Joints {
    settings.robot_settings.home().expect("a home")
}

#[test]
fn a_tool_may_stand_off_its_link_and_an_arm_begin_anywhere() {
    let (settings, _folder) = robot(
        "[[arms]]\nname = \"tcp\"\ntool_link = \"link6\"\ntool_xyz_m = [0, 0, 0.145]\n\
         [[arms]]\nname = \"turned\"\ntool_link = \"tool\"\ntool_rpy_rad = [0, 0, 0.5]\n\
         [[arms]]\nname = \"fore\"\nbase_link = \"link2\"\ntool_link = \"tool\"\n\
         [[arms]]\nname = \"finger\"\nbase_link = \"link6\"\ntool_link = \"link8\"\n",
    )
    .expect("four arms");
    let error = Arms::load(&settings.robot_settings).expect_err("a finger that follows another");
    let words = error.to_string();
    for part in ["joint8", "joint7", "link8", "tool_link"] {
        assert!(words.contains(part), "{part:?} is not in: {words}");
    }
    let mut robot = settings.robot_settings.clone();
    robot.arms.pop();
    let arms = Arms::load(&robot).expect("three arms");
    let home = home(&settings);
    let of = |name: &str| arms.find(name).expect("an arm");
    let tcp = of("tcp").x_base_tool(&home);
    let turned = of("turned").x_base_tool(&home);
    assert!((tcp.translation.vector - turned.translation.vector).norm() < 1e-12);
    assert!((tcp.rotation.angle_to(&turned.rotation) - 0.5).abs() < 1e-9);
    let fore = of("fore");
    assert_eq!((fore.arm.chain().len(), fore.robot_joint(0)), (4, Some((2, 1.0))));
    let mut other = home;
    fore.place(&[-1.0, 0.1, 0.2, 0.3], &mut other);
    assert_eq!(other[..3], [home[0], home[1], -1.0]);
    assert_eq!(fore.joints(&other)[..], [-1.0, 0.1, 0.2, 0.3]);
}

#[test]
fn a_gripper_counts_openings_and_its_finger_half_of_that() {
    let (settings, _folder) =
        robot("[[arms]]\nname = \"finger\"\ntool_link = \"link7\"\n").expect("an arm");
    let arms = Arms::load(&settings.robot_settings).expect("an arm");
    let finger = arms.first().expect("an arm");
    let mut robot = home(&settings);
    assert_eq!(finger.joints(&robot)[6], 0.035);
    let (min, max) = finger.arm.chain().limits();
    assert_eq!((min[6], max[6]), (0.0, 0.035));
    let open = finger.x_base_tool(&robot);
    robot[6] = 0.0;
    let apart = (open.translation.vector - finger.x_base_tool(&robot).translation.vector).norm();
    assert!((apart - 0.035).abs() < 1e-12, "{apart}");
}

#[test]
fn a_calibration_moves_what_it_says_and_nothing_else() {
    let calibrated = |text: &str| {
        let arm = "[[arms]]\nname = \"arm\"\ntool_link = \"tool\"\ncalibration = \"arm.toml\"\n";
        let (settings, _folder) = robot_with(arm, &[("arm.toml", text)])?;
        let arms =
            Arms::load(&settings.robot_settings).unwrap_or_else(|error| panic!("{text}: {error}"));
        let at =
            |joints: &[f64]| arms.first().expect("an arm").x_base_tool(&crate::rig::joints(joints));
        Ok::<_, reflexd::config::ConfigError>((
            at(&[0.0, 0.75, -0.7, 0.0, 0.75, 0.0, 0.07]),
            at(&[0.02, 0.75, -0.7, 0.0, 0.75, 0.0, 0.07]),
        ))
    };
    let (plain, turned) = calibrated("").expect("nothing to correct");
    let same = |a: &Isometry3<f64>, b: &Isometry3<f64>| {
        (a.translation.vector - b.translation.vector).norm() < 1e-12
            && a.rotation.angle_to(&b.rotation) < 1e-7
    };
    let (zero, _) = calibrated("[joints.joint1]\nzero_rad = 0.02\n").expect("a zero");
    assert!(same(&zero, &turned) && !same(&zero, &plain));
    let (yaw, _) = calibrated("[joints.joint1]\nrpy_rad = [0, 0, 0.02]\n").expect("a yaw");
    assert!(same(&yaw, &turned));
    let (shifted, _) = calibrated("[joints.joint1]\nxyz_m = [0.001, 0, 0]\n").expect("a shift");
    let gap = shifted.translation.vector - plain.translation.vector;
    assert!((gap - nalgebra::Vector3::new(0.001, 0.0, 0.0)).norm() < 1e-12, "{gap}");
    let (tool, _) = calibrated("[tool]\nxyz_m = [0, 0, 0.002]\n").expect("a tool");
    let gap = plain.inverse_transform_vector(&(tool.translation.vector - plain.translation.vector));
    assert!((gap - nalgebra::Vector3::new(0.0, 0.0, 0.002)).norm() < 1e-12, "{gap}");

    for (text, says) in [
        ("[joints.joint1]\nzero_rad = 0.2\n", &["joints.joint1.zero_rad = [0.2]", "0.05"][..]),
        ("[joints.joint1]\nxyz_m = [0, nan, 0]\n", &["joints.joint1.xyz_m", "NaN", "0.02"]),
        ("[joints.joint1]\nzero = 0.1\n", &["zero", "unknown field"]),
        ("[tool]\nzero_rad = 0.01\n", &["tool.zero_rad", "no zero"]),
    ] {
        let words = calibrated(text).expect_err(text).to_string();
        for part in ["arm.toml"].iter().chain(says) {
            assert!(words.contains(part), "{part:?} is not in: {words}");
        }
    }
}

#[test]
fn a_calibration_of_another_arm_is_refused_by_joint() {
    let arm = "[[arms]]\nname = \"arm\"\ntool_link = \"tool\"\ncalibration = \"arm.toml\"\n";
    for (text, says) in [
        ("[joints.elbow]\nzero_rad = 0.01\n", "has no joint \"elbow\""),
        ("[joints.joint7]\nzero_m = 0.001\n", "has no joint \"joint7\""),
        ("[joints.joint2]\nzero_m = 0.001\n", "zero_rad"),
    ] {
        let (settings, _folder) = robot_with(arm, &[("arm.toml", text)]).expect("it can be read");
        let words = Arms::load(&settings.robot_settings).expect_err(text).to_string();
        assert!(words.contains(says) && words.contains("arm.toml"), "{says:?}: {words}");
    }
}
