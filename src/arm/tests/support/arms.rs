//! Arms of the tests, from their makers' figures.

#![allow(clippy::unwrap_used, reason = "only tests build these")]
#![allow(
    clippy::approx_constant,
    reason = "the makers round pi, and that is part of their figures"
)]

use std::f64::consts::{FRAC_PI_2, PI};

use arm::{
    Chain, Joint, Kind, Value,
    nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3},
};

/// As a URDF's `origin`: xyz, m, and fixed-axis roll, pitch, yaw, rad.
pub(crate) fn origin(xyz: [f64; 3], rpy: [f64; 3]) -> Isometry3<f64> {
    Isometry3::from_parts(
        Translation3::from(Vector3::from(xyz)),
        UnitQuaternion::from_euler_angles(rpy[0], rpy[1], rpy[2]),
    )
}

/// A joint about (or along) z.
pub(crate) fn joint(
    kind: Kind,
    xyz: [f64; 3],
    rpy: [f64; 3],
    limits: [f64; 2],
    speed: f64,
) -> Joint {
    Joint {
        kind,
        x_before_joint: origin(xyz, rpy),
        axis: Vector3::z(),
        value: Value::Free,
        position_min: limits[0],
        position_max: limits[1],
        velocity_max: speed,
        acceleration_max: 20.0,
    }
}

/// xyz, rpy, position limits, speed.
type Figures = ([f64; 3], [f64; 3], [f64; 2], f64);

fn turning(figures: &[Figures], tool: [f64; 3]) -> Chain {
    let joints: Vec<_> = figures
        .iter()
        .map(|(xyz, rpy, limits, speed)| joint(Kind::Revolute, *xyz, *rpy, *limits, *speed))
        .collect();
    Chain::build(&joints, &origin(tool, [0.0; 3])).unwrap()
}

/// AgileX Piper, `piper_description.urdf`, to the flange: agilexrobotics/Piper_ros at 116596ce.
pub(crate) fn piper() -> Chain {
    turning(
        &[
            ([0.0, 0.0, 0.123], [0.0; 3], [-2.618, 2.618], 5.0),
            ([0.0; 3], [1.5708, -0.1359, -3.1416], [0.0, 3.14], 5.0),
            ([0.28503, 0.0, 0.0], [0.0, 0.0, -1.7939], [-2.967, 0.0], 5.0),
            ([-0.021984, -0.25075, 0.0], [1.5708, 0.0, 0.0], [-1.745, 1.745], 5.0),
            ([0.0; 3], [-1.5708, 0.0, 0.0], [-1.22, 1.22], 5.0),
            ([8.8259e-05, -0.091, 0.0], [1.5708, 0.0, 0.0], [-2.0944, 2.0944], 3.0),
        ],
        [0.0; 3],
    )
}

/// AgileX Nero, seven joints, `nero_description.urdf`: agilexrobotics/Piper_ros at 3fdffd5e. It states no speeds.
pub(crate) fn nero() -> Chain {
    turning(
        &[
            ([0.0, 0.0, 0.138], [0.0; 3], [-2.7, 2.7], 3.0),
            ([0.0; 3], [1.5708, 3.1415, 0.0], [-1.74, 1.74], 3.0),
            ([0.0, -0.31, 0.0], [-1.5708, 0.0, 3.1416], [-2.75, 2.75], 3.0),
            ([0.0; 3], [-1.5708, 0.0, 3.1416], [-1.01, 2.14], 3.0),
            ([0.0, -0.27001, 0.0], [1.5708, -1.5708, 0.0], [-2.75, 2.75], 3.0),
            ([0.0; 3], [1.5708, -1.5708, 0.0], [-0.73, 0.95], 3.0),
            ([0.0, -0.0235, 0.0], [1.5708, 0.0, 0.0], [-1.57, 1.57], 3.0),
        ],
        [0.033, 0.0, -0.0235],
    )
}

/// Franka Panda, seven joints: Denavit and Hartenberg's figures and limits of the Franka control interface documents.
pub(crate) fn panda() -> Chain {
    turning(
        &[
            ([0.0, 0.0, 0.333], [0.0; 3], [-2.8973, 2.8973], 2.175),
            ([0.0; 3], [-FRAC_PI_2, 0.0, 0.0], [-1.7628, 1.7628], 2.175),
            ([0.0, -0.316, 0.0], [FRAC_PI_2, 0.0, 0.0], [-2.8973, 2.8973], 2.175),
            ([0.0825, 0.0, 0.0], [FRAC_PI_2, 0.0, 0.0], [-3.0718, -0.0698], 2.175),
            ([-0.0825, 0.384, 0.0], [-FRAC_PI_2, 0.0, 0.0], [-2.8973, 2.8973], 2.61),
            ([0.0; 3], [FRAC_PI_2, 0.0, 0.0], [-0.0175, 3.7525], 2.61),
            ([0.088, 0.0, 0.0], [FRAC_PI_2, 0.0, 0.0], [-2.8973, 2.8973], 2.61),
        ],
        [0.0, 0.0, 0.107],
    )
}

/// Five joints, as the small arms of hobby servos have: yaw, three parallel pitches, roll.
pub(crate) fn five() -> Chain {
    turning(
        &[
            ([0.0, 0.0, 0.1], [0.0; 3], [-1.9, 1.9], 4.0),
            ([0.03, 0.0, 0.05], [FRAC_PI_2, 0.0, 0.0], [-0.2, 3.3], 4.0),
            ([0.12, 0.0, 0.0], [0.0; 3], [-2.8, 0.2], 4.0),
            ([0.13, 0.0, 0.0], [0.0; 3], [-1.7, 1.7], 4.0),
            ([0.06, 0.0, 0.0], [FRAC_PI_2, 0.0, FRAC_PI_2], [-2.8, 2.8], 4.0),
        ],
        [0.0, 0.0, 0.08],
    )
}

/// Six joints none of whose axes meet or are parallel, the second sliding: no closed form that is known.
pub(crate) fn odd() -> Chain {
    let r = Kind::Revolute;
    let joints = [
        joint(r, [0.0, 0.0, 0.2], [0.0; 3], [-PI, PI], 3.0),
        joint(Kind::Prismatic, [0.05, 0.02, 0.1], [0.2, 0.3, 0.0], [-0.1, 0.35], 1.0),
        joint(r, [0.1, 0.03, 0.0], [1.4, 0.2, 0.1], [-2.5, 2.5], 3.0),
        joint(r, [0.3, 0.02, 0.05], [0.3, -1.2, 0.4], [-2.5, 2.5], 3.0),
        joint(r, [0.04, 0.25, 0.03], [-1.3, 0.4, 0.2], [-2.5, 2.5], 3.0),
        joint(r, [0.05, 0.03, 0.1], [0.9, 0.8, -0.3], [-2.5, 2.5], 3.0),
    ];
    Chain::build(&joints, &origin([0.02, 0.0, 0.06], [0.0; 3])).unwrap()
}
