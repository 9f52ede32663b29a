//! Every encoding means the rotation that its convention says, and what means none is refused.

use std::f64::consts::{FRAC_PI_2, PI};

use nalgebra::{UnitQuaternion, Vector3};

use super::rotation::Rotation;

pub(super) const ALL: [Rotation; 5] = [
    Rotation::Quaternion,
    Rotation::Vector,
    Rotation::RollPitchYaw,
    Rotation::SixDColumns,
    Rotation::SixDRows,
];

/// The numbers that a network would be trained to give.
pub(super) fn encode(encoding: Rotation, rotation: &UnitQuaternion<f64>) -> Vec<f64> {
    let m = rotation.to_rotation_matrix();
    match encoding {
        Rotation::Quaternion => rotation.coords.as_slice().to_vec(),
        Rotation::Vector => rotation.scaled_axis().as_slice().to_vec(),
        Rotation::RollPitchYaw => {
            let (roll, pitch, yaw) = rotation.euler_angles();
            vec![roll, pitch, yaw]
        }
        Rotation::SixDColumns => {
            vec![m[(0, 0)], m[(1, 0)], m[(2, 0)], m[(0, 1)], m[(1, 1)], m[(2, 1)]]
        }
        Rotation::SixDRows => {
            vec![m[(0, 0)], m[(0, 1)], m[(0, 2)], m[(1, 0)], m[(1, 1)], m[(1, 2)]]
        }
    }
}

/// Evenly over all rotations: the direction of four normal numbers, here of a cube's inside cut to its ball.
pub(super) fn random_rotation(random: &mut fastrand::Rng) -> UnitQuaternion<f64> {
    loop {
        let numbers: Vec<f64> = (0..4).map(|_| 2.0 * random.f64() - 1.0).collect();
        if numbers.iter().map(|value| value * value).sum::<f64>() > 1.0 {
            continue;
        }
        if let Some(rotation) = Rotation::Quaternion.decode(&numbers) {
            return rotation;
        }
    }
}

#[test]
fn each_encoding_of_one_rotation_means_that_rotation() {
    // A quarter turn about x, then one about the fixed z: x goes to y, y to z, z to x. Its axis is (1, 1, 1), its angle a
    // third of a turn.
    let third = 2.0 * PI / 3.0 / 3.0_f64.sqrt();
    for (encoding, numbers) in [
        (Rotation::Quaternion, &[0.5, 0.5, 0.5, 0.5][..]),
        (Rotation::Quaternion, &[-0.5, -0.5, -0.5, -0.5]),
        (Rotation::Quaternion, &[3.0, 3.0, 3.0, 3.0]),
        (Rotation::Vector, &[third, third, third]),
        (Rotation::RollPitchYaw, &[FRAC_PI_2, 0.0, FRAC_PI_2]),
        (Rotation::SixDColumns, &[0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        (Rotation::SixDColumns, &[0.0, 2.0, 0.0, 0.0, 5.0, 3.0]),
        (Rotation::SixDRows, &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]),
        (Rotation::SixDRows, &[0.0, 0.0, 0.1, 7.0, 0.0, 4.0]),
    ] {
        let rotation = encoding.decode(numbers).unwrap_or_else(|| panic!("{encoding:?}"));
        for (from, to) in [
            (Vector3::x(), Vector3::y()),
            (Vector3::y(), Vector3::z()),
            (Vector3::z(), Vector3::x()),
        ] {
            let got = rotation * from;
            assert!((got - to).norm() < 1e-12, "{encoding:?} {numbers:?}: {got}");
        }
    }
}

#[test]
fn roll_pitch_and_yaw_turn_about_fixed_axes_in_this_order() {
    let [roll, pitch, yaw] = [0.3, -0.7, 2.1];
    let turn = |axis, angle| UnitQuaternion::from_axis_angle(&axis, angle);
    let wanted = turn(Vector3::z_axis(), yaw)
        * turn(Vector3::y_axis(), pitch)
        * turn(Vector3::x_axis(), roll);
    let got = Rotation::RollPitchYaw.decode(&[roll, pitch, yaw]).expect("a rotation");
    assert!(got.angle_to(&wanted) < 1e-12);
}

#[test]
fn what_is_encoded_is_decoded() {
    let mut random = fastrand::Rng::with_seed(31);
    for case in 0..2_000 {
        let rotation = random_rotation(&mut random);
        for encoding in ALL {
            let numbers = encode(encoding, &rotation);
            assert_eq!(numbers.len(), encoding.names().len());
            let got = encoding.decode(&numbers).unwrap_or_else(|| panic!("{encoding:?}"));
            let angle = got.angle_to(&rotation);
            assert!(angle < 1e-7, "seed 31, case {case}, {encoding:?}: {angle} rad off");
        }
    }
}

#[test]
fn no_turn_at_all_is_a_rotation_too() {
    let none = Rotation::Vector.decode(&[0.0; 3]).expect("a rotation");
    assert_eq!(none.angle(), 0.0);
    let whole = Rotation::Vector.decode(&[0.0, 0.0, 2.0 * PI]).expect("a rotation");
    assert!(whole.angle() < 1e-12);
}

#[test]
fn numbers_that_leave_the_rotation_open_are_refused() {
    for (encoding, numbers) in [
        (Rotation::Quaternion, &[0.0, 0.0, 0.0, 0.0][..]),
        (Rotation::Quaternion, &[1e-4, -1e-4, 0.0, 1e-4]),
        (Rotation::Quaternion, &[1e200, 0.0, 0.0, 1.0]),
        (Rotation::Quaternion, &[f64::NAN, 0.0, 0.0, 1.0]),
        (Rotation::Quaternion, &[0.0, 0.0, 1.0]),
        (Rotation::Vector, &[1e200, 1e200, 0.0]),
        (Rotation::Vector, &[f64::INFINITY, 0.0, 0.0]),
        (Rotation::RollPitchYaw, &[0.0, f64::NAN, 0.0]),
        (Rotation::SixDColumns, &[0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        (Rotation::SixDColumns, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (Rotation::SixDColumns, &[1.0, 2.0, 3.0, -2.0, -4.0, -6.0]),
        (Rotation::SixDRows, &[1.0, 2.0, 3.0, 2.0, 4.0, 6.0]),
        (Rotation::SixDRows, &[1e200, 0.0, 0.0, 0.0, 1.0, 0.0]),
    ] {
        assert_eq!(encoding.decode(numbers), None, "{encoding:?} {numbers:?}");
    }
}
