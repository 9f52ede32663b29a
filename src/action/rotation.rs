//! Rotations as networks write them.

use nalgebra::{Matrix3, Quaternion, Rotation3, Unit, UnitQuaternion, Vector3};
use serde::Deserialize;

/// A vector that should have length 1 and is shorter than this has no direction: what is left of it is the noise of
/// single precision, and of a network between two minds.
const LENGTH_MIN: f64 = 1e-3;

/// How a rotation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Rotation {
    /// x, y, z, w. Of any length and either sign: it is normalised, and both signs are the same rotation.
    #[serde(rename = "quaternion_xyzw")]
    Quaternion,
    /// The axis, as long as the angle in rad.
    #[serde(rename = "rotation_vector")]
    Vector,
    /// Roll, pitch and yaw about the fixed x, y and z axes in this order, rad: `R = Rz(yaw) Ry(pitch) Rx(roll)`, as a
    /// URDF and the Piper's controller write it.
    #[serde(rename = "roll_pitch_yaw")]
    RollPitchYaw,
    /// The first two columns of the matrix, one after the other, made orthonormal by Gram and Schmidt (Zhou et al., On
    /// the Continuity of Rotation Representations in Neural Networks, 2019).
    #[serde(rename = "rotation_6d_columns")]
    SixDColumns,
    /// The same of its first two rows, as PyTorch3D writes it, and with it diffusion policy and UMI.
    #[serde(rename = "rotation_6d_rows")]
    SixDRows,
}

impl Rotation {
    /// What each of its numbers is.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Quaternion => &["qx", "qy", "qz", "qw"],
            Self::Vector => &["rx", "ry", "rz"],
            Self::RollPitchYaw => &["roll", "pitch", "yaw"],
            Self::SixDColumns => &["r11", "r21", "r31", "r12", "r22", "r32"],
            Self::SixDRows => &["r11", "r12", "r13", "r21", "r22", "r23"],
        }
    }

    /// The rotation that is meant; `None` if the numbers leave its direction open, or are not as many.
    #[must_use]
    pub fn decode(self, numbers: &[f64]) -> Option<UnitQuaternion<f64>> {
        let rotation = match (self, numbers) {
            (Self::Quaternion, &[x, y, z, w]) => {
                Unit::try_new(Quaternion::new(w, x, y, z), LENGTH_MIN)
            }
            (Self::Vector, &[x, y, z]) => {
                Some(UnitQuaternion::from_scaled_axis(Vector3::new(x, y, z)))
            }
            (Self::RollPitchYaw, &[roll, pitch, yaw]) => {
                Some(UnitQuaternion::from_euler_angles(roll, pitch, yaw))
            }
            (Self::SixDColumns, &[a, b, c, d, e, f]) => orthonormal([a, b, c], [d, e, f]),
            (Self::SixDRows, &[a, b, c, d, e, f]) => {
                orthonormal([a, b, c], [d, e, f]).map(|transposed| transposed.inverse())
            }
            _ => None,
        };
        // Finite numbers may still be too large to be squared.
        rotation.filter(|rotation| (rotation.coords.norm() - 1.0).abs() < LENGTH_MIN)
    }
}

/// The rotation whose matrix has these first two columns, as nearly as can be.
fn orthonormal(first: [f64; 3], second: [f64; 3]) -> Option<UnitQuaternion<f64>> {
    let (first, second) = (Vector3::from(first), Vector3::from(second));
    let x = Unit::try_new(first, LENGTH_MIN)?.into_inner();
    let y = Unit::try_new(second - x * x.dot(&second), LENGTH_MIN)?.into_inner();
    let matrix = Matrix3::from_columns(&[x, y, x.cross(&y)]);
    Some(UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(matrix)))
}
