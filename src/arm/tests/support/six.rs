//! Arms of the tests and benches, from their makers' figures, from base to flange.

// Each of those who share this takes what it needs; the makers round pi themselves.
#![allow(dead_code, clippy::approx_constant, clippy::unwrap_used)]

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use arm::{
    Chain, Joint, Kind, Value,
    nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3},
};

/// One revolute joint: xyz, rpy, axis, lowest, highest, speed.
pub(crate) type Figure = ([f64; 3], [f64; 3], [f64; 3], f64, f64, f64);

const X: [f64; 3] = [1.0, 0.0, 0.0];
const Y: [f64; 3] = [0.0, 1.0, 0.0];
const Z: [f64; 3] = [0.0, 0.0, 1.0];

/// As a URDF's `origin`: xyz, m, and fixed-axis roll, pitch, yaw, rad.
pub(crate) fn origin(xyz: [f64; 3], rpy: [f64; 3]) -> Isometry3<f64> {
    let rotation = UnitQuaternion::from_euler_angles(rpy[0], rpy[1], rpy[2]);
    Isometry3::from_parts(Translation3::from(Vector3::from(xyz)), rotation)
}

/// Revolute joints and a tool to a chain.
pub(crate) fn chain(figures: &[Figure], tool: &Isometry3<f64>) -> Chain {
    let joints: Vec<Joint> = figures
        .iter()
        .map(|&(xyz, rpy, axis, position_min, position_max, velocity_max)| Joint {
            kind: Kind::Revolute,
            x_before_joint: origin(xyz, rpy),
            axis: Vector3::from(axis),
            value: Value::Free,
            position_min,
            position_max,
            velocity_max,
            acceleration_max: 20.0,
        })
        .collect();
    Chain::build(&joints, tool).unwrap()
}

/// AgileX, `piper_description.urdf`: agilexrobotics/Piper_ros@116596ce.
pub(crate) const PIPER: [Figure; 6] = [
    ([0.0, 0.0, 0.123], [0.0, 0.0, 0.0], Z, -2.618, 2.618, 5.0),
    ([0.0, 0.0, 0.0], [1.5708, -0.1359, -3.1416], Z, 0.0, 3.14, 5.0),
    ([0.28503, 0.0, 0.0], [0.0, 0.0, -1.7939], Z, -2.967, 0.0, 5.0),
    ([-0.021984, -0.25075, 0.0], [1.5708, 0.0, 0.0], Z, -1.745, 1.745, 5.0),
    ([0.0, 0.0, 0.0], [-1.5708, 0.0, 0.0], Z, -1.22, 1.22, 5.0),
    ([8.8259e-05, -0.091, 0.0], [1.5708, 0.0, 0.0], Z, -2.0944, 2.0944, 3.0),
];

/// AgileX, `piper_description_old.urdf`: agilexrobotics/Piper_ros@116596ce.
pub(crate) const PIPER_OLD: [Figure; 6] = [
    ([0.0, 0.0, 0.123], [0.0, 0.0, 0.0], Z, -2.618, 2.168, 5.0),
    ([0.0, 0.0, 0.0], [1.5708, -0.10095, -3.1416], Z, 0.0, 3.14, 5.0),
    ([0.28503, 0.0, 0.0], [0.0, 0.0, -1.759], Z, -2.967, 0.0, 5.0),
    ([-0.021984, -0.25075, 0.0], [1.5708, 0.0, 0.0], Z, -1.745, 1.745, 5.0),
    ([0.0, 0.0, 0.0], [-1.5708, 0.0, 0.0], Z, -1.22, 1.22, 5.0),
    ([8.8259e-05, -0.091, 0.0], [1.5708, 0.0, 0.0], Z, -2.0944, 2.0944, 3.0),
];

/// AgileX, `piper_description.urdf` of 2024; it states no speeds, 5 rad/s stand for them: agilexrobotics/Piper_ros@4f22c61f.
pub(crate) const PIPER_2024: [Figure; 6] = [
    ([0.0, 0.0, 0.123], [0.0, 0.0, -1.5708], Z, -2.618, 2.618, 5.0),
    ([0.0, 0.0, 0.0], [1.5708, -0.10095, -1.5708], Z, 0.0, 3.14, 5.0),
    ([0.28503, 0.0, 0.0], [0.0, 0.0, 1.3826], Z, -2.967, 0.0, 5.0),
    ([0.021984, 0.25075, 0.0], [-1.5708, 0.0, 0.0], [0.0, 0.0, -1.0], -1.832, 1.832, 5.0),
    ([0.0, 0.0, 0.0], [1.5708, -0.087266, 0.0], Z, -1.22, 1.22, 5.0),
    ([0.0, 0.091, 0.0014165], [-1.5708, -1.5708, 0.0], [0.0, 0.0, -1.0], -3.14, 3.14, 5.0),
];

/// AgileX, `piper_x_description.urdf`: Piper_ros@116596ce.
pub(crate) const PIPER_X: [Figure; 6] = [
    ([0.0, 0.0, 0.123], [0.0, 0.0, 0.0], Z, -2.618, 2.618, 10.0),
    ([0.0, 0.0, 0.0], [1.5708, -0.13586, 3.1416], Z, 0.0, 3.14, 10.0),
    ([0.28503, 0.0, 0.0], [0.0, 0.0, 2.8377], Z, -2.9671, 0.0, 10.0),
    ([0.27264, 0.0, 0.0], [0.0, 0.0, 0.075129], Z, -1.57, 1.57, 10.0),
    ([0.076857, 0.00062395, 0.0], [-1.5708, 0.0, 0.0], Z, -1.57, 1.57, 10.0),
    ([0.035, 0.0, 0.0], [1.5708, 0.0, 1.5708], Z, -3.14, 3.14, 10.0),
];

/// AgileX, `piper_h_description.urdf`: Piper_ros@2dc30fca.
pub(crate) const PIPER_H: [Figure; 6] = [
    ([0.0, 0.0, 0.123], [0.0, 0.0, 0.0], Z, -2.618, 2.618, 5.0),
    ([0.0, 0.0, 0.0], [1.5708, -0.13674, 3.1416], Z, 0.0, 3.14, 5.0),
    ([0.28508, 0.0, 0.0], [0.0, 0.0, -1.8796], Z, -2.967, 0.0, 5.0),
    ([0.0, -0.25666, 0.0], [1.5708, 0.0, 0.17203], [-0.087161, 0.0, 0.99619], -1.745, 1.745, 5.0),
    ([0.0, 0.0, 0.0], [-1.5708, -0.087272, 0.0], Z, -1.22, 1.22, 5.0),
    ([0.0, -0.096, 0.0], [1.5708, 0.0, 0.087272], [-0.087161, 0.0, 0.99619], -2.0944, 2.0944, 3.0),
];

/// AgileX, `piper_l_description.urdf`: Piper_ros@116596ce.
pub(crate) const PIPER_L: [Figure; 6] = [
    ([0.0, 0.0, 0.123], [0.0, 0.0, 0.0], Z, -2.618, 2.618, 3.0),
    ([0.0, 0.0, 0.0], [1.5708, -0.1745, 3.1416], Z, 0.0, 3.14, 3.0),
    ([0.33823, 0.0, 0.0], [0.0, 0.0, -1.8325], Z, -2.697, 0.0, 3.0),
    ([0.0, -0.3215, 0.0], [1.5708, 0.0, 0.1557], Z, -1.832, 1.832, 3.0),
    ([0.0, 0.0, 0.0], [-1.5708, -0.087272, 0.0], [0.0, 0.0, -1.0], -1.22, 1.22, 3.0),
    ([0.0, -0.091, 0.0], [1.5708, 0.0, 0.0], Z, -3.14, 3.14, 3.0),
];

/// Trossen Robotics, ViperX 300 S: `vx300s.urdf.xacro` of interbotix_ros_manipulators.
pub(crate) const VIPERX: [Figure; 6] = [
    ([0.0, 0.0, 0.079], [0.0; 3], Z, -3.14158, 3.14158, 3.14),
    ([0.0, 0.0, 0.04805], [0.0; 3], Y, -1.85005, 1.25664, 3.14),
    ([0.05955, 0.0, 0.3], [0.0; 3], Y, -1.76278, 1.6057, 3.14),
    ([0.2, 0.0, 0.0], [0.0; 3], X, -3.14158, 3.14158, 3.14),
    ([0.1, 0.0, 0.0], [0.0; 3], Y, -1.8675, 2.23402, 3.14),
    ([0.069744, 0.0, 0.0], [0.0; 3], X, -3.14158, 3.14158, 3.14),
];

/// ARX, X5: `X5.urdf` of real-stanford/arx5-sdk at 1c5628a7. Joint 1 may turn thrice.
pub(crate) const ARX_X5: [Figure; 6] = [
    ([0.0, 0.0, 0.0603], [0.0; 3], Z, -10.0, 10.0, 10.0),
    ([0.02, 0.0, 0.0402], [0.0; 3], Y, 0.0, 3.14, 10.0),
    ([-0.264, 0.0, 0.0], [-3.1416, 0.0, 0.0], Y, 0.0, 3.14, 10.0),
    ([0.245, 0.0, -0.056], [0.0; 3], Y, -1.57079632679, 1.57079632679, 10.0),
    ([0.06575, -0.001, -0.0825], [0.0; 3], Z, -1.67, 1.67, 10.0),
    ([0.02845, 0.0, 0.0825], [-3.1416, 0.0, 0.0], X, -1.57, 1.57, 10.0),
];

/// Universal Robots, UR5e: Denavit and Hartenberg's figures as the maker publishes them; its limits, two turns each.
pub(crate) fn ur5e() -> Chain {
    let table = [
        (0.1625, 0.0, FRAC_PI_2),
        (0.0, -0.425, 0.0),
        (0.0, -0.3922, 0.0),
        (0.1333, 0.0, FRAC_PI_2),
        (0.0997, 0.0, -FRAC_PI_2),
        (0.0996, 0.0, 0.0),
    ];
    let mut figures = [([0.0; 3], [0.0; 3], Z, -TAU, TAU, PI); 6];
    (figures[2].3, figures[2].4) = (-PI, PI);
    for (k, (d, a, alpha)) in table.into_iter().enumerate().take(5) {
        (figures[k + 1].0, figures[k + 1].1) = ([a, 0.0, d], [alpha, 0.0, 0.0]);
    }
    chain(&figures, &origin([0.0, 0.0, 0.0996], [0.0; 3]))
}

/// The firmware's Piper: the exact ortho-parallel arm of piper_sdk's modified Denavit-Hartenberg table with
/// `dh_is_offset = 1`, and the vendor's limits.
pub(crate) fn piper_sdk() -> Chain {
    let degree = PI / 180.0;
    let table = [
        (0.0, 0.0, 0.0, 0.123, -150.0, 150.0),
        (-90.0, 0.0, -172.22, 0.0, 0.0, 180.0),
        (0.0, 0.28503, -102.78, 0.0, -170.0, 0.0),
        (90.0, -0.02198, 0.0, 0.25075, -100.0, 100.0),
        (-90.0, 0.0, 0.0, 0.0, -70.0, 70.0),
        (90.0, 0.0, 0.0, 0.091, -120.0, 120.0),
    ];
    let joints = table.map(|(alpha, a, theta, d, low, high)| Joint {
        kind: Kind::Revolute,
        x_before_joint: origin([0.0; 3], [alpha * degree, 0.0, 0.0])
            * origin([a, 0.0, d], [0.0, 0.0, theta * degree]),
        axis: Vector3::z(),
        value: Value::Free,
        position_min: low * degree,
        position_max: high * degree,
        velocity_max: 5.0,
        acceleration_max: 20.0,
    });
    Chain::build(&joints, &Isometry3::identity()).unwrap()
}

/// The same figures, each length off by up to `m` and each angle by up to `rad`: an arm as it was built.
pub(crate) fn calibrated(figures: &[Figure; 6], m: f64, rad: f64, random: &mut Random) -> Chain {
    let mut figures = *figures;
    for (xyz, rpy, ..) in &mut figures {
        xyz.iter_mut().for_each(|value| *value += random.between(-m, m));
        rpy.iter_mut().for_each(|value| *value += random.between(-rad, rad));
    }
    let tool = origin([0.0; 3].map(|_: f64| random.between(-m, m)), [0.0; 3]);
    chain(&figures, &tool)
}

/// Numbers that a seed repeats (Steele, Lea and Flood's splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.next() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// Joints inside the limits of a chain.
    pub(crate) fn joints(&mut self, chain: &Chain) -> Vec<f64> {
        let (low, high) = chain.limits();
        (0..chain.len()).map(|k| self.between(low[k], high[k])).collect()
    }

    /// Joints beside others, by up to `rad`, inside the limits.
    pub(crate) fn beside(&mut self, chain: &Chain, joints: &[f64], rad: f64) -> Vec<f64> {
        let (low, high) = chain.limits();
        let beside = |k: usize| joints[k] + self.between(-rad, rad);
        let beside: Vec<f64> = (0..chain.len()).map(beside).collect();
        (0..chain.len()).map(|k| beside[k].clamp(low[k], high[k])).collect()
    }
}
