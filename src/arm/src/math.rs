//! Three by three arithmetic for the hot path, once with and once without fused multiply-add.
//!
//! `nalgebra` stands at the edges. Inside, its generic loops are not inlined into functions that are compiled for more
//! than the baseline instruction set, and a `mul_add` outside of one is a call into the C library. So everything hot is
//! generic over [`Math`] and `inline(always)`, and an entry point picks the twin that this machine can run.

use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};

/// How to multiply and add.
pub(crate) trait Math: Copy {
    /// `a * b + c`.
    fn fma(a: f64, b: f64, c: f64) -> f64;
}

/// One instruction: only where the caller is compiled for it.
#[derive(Clone, Copy)]
pub(crate) struct Fused;

/// Two instructions, anywhere.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Math for Fused {
    #[inline(always)]
    fn fma(a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }
}

impl Math for Plain {
    #[inline(always)]
    fn fma(a: f64, b: f64, c: f64) -> f64 {
        a * b + c
    }
}

/// Three numbers.
pub(crate) type Vec3 = [f64; 3];
/// Row-major.
pub(crate) type Mat3 = [[f64; 3]; 3];

/// A rigid transform, for arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) r: Mat3,
    pub(crate) p: Vec3,
}

impl Frame {
    pub(crate) const IDENTITY: Self =
        Self { r: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], p: [0.0; 3] };

    pub(crate) fn from_isometry(x: &Isometry3<f64>) -> Self {
        let m = x.rotation.to_rotation_matrix();
        let m = m.matrix();
        let row = |i: usize| [m[(i, 0)], m[(i, 1)], m[(i, 2)]];
        let t = &x.translation.vector;
        Self { r: [row(0), row(1), row(2)], p: [t.x, t.y, t.z] }
    }

    pub(crate) fn to_isometry(self) -> Isometry3<f64> {
        let [a, b, c] = self.r;
        let m = Matrix3::new(a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]);
        let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(m));
        Isometry3::from_parts(Translation3::from(Vector3::from(self.p)), rotation)
    }

    /// `self * other`.
    #[inline(always)]
    pub(crate) fn then<M: Math>(&self, other: &Self) -> Self {
        let mut p = mat_vec::<M>(&self.r, &other.p);
        for (value, offset) in p.iter_mut().zip(self.p) {
            *value += offset;
        }
        Self { r: mat_mat::<M>(&self.r, &other.r), p }
    }

    /// Turns about its own z axis.
    #[inline(always)]
    pub(crate) fn turn_z<M: Math>(&mut self, sin: f64, cos: f64) {
        for row in &mut self.r {
            let (x, y) = (row[0], row[1]);
            row[0] = M::fma(x, cos, y * sin);
            row[1] = M::fma(y, cos, -(x * sin));
        }
    }

    /// Moves along its own z axis.
    #[inline(always)]
    pub(crate) fn slide_z<M: Math>(&mut self, distance: f64) {
        for (value, row) in self.p.iter_mut().zip(&self.r) {
            *value = M::fma(row[2], distance, *value);
        }
    }
}

#[inline(always)]
pub(crate) fn dot<M: Math>(a: &Vec3, b: &Vec3) -> f64 {
    M::fma(a[0], b[0], M::fma(a[1], b[1], a[2] * b[2]))
}

#[inline(always)]
pub(crate) fn cross<M: Math>(a: &Vec3, b: &Vec3) -> Vec3 {
    [
        M::fma(a[1], b[2], -(a[2] * b[1])),
        M::fma(a[2], b[0], -(a[0] * b[2])),
        M::fma(a[0], b[1], -(a[1] * b[0])),
    ]
}

#[inline(always)]
pub(crate) fn sub(a: &Vec3, b: &Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[inline(always)]
pub(crate) fn mat_vec<M: Math>(m: &Mat3, v: &Vec3) -> Vec3 {
    [dot::<M>(&m[0], v), dot::<M>(&m[1], v), dot::<M>(&m[2], v)]
}

#[inline(always)]
pub(crate) fn mat_mat<M: Math>(a: &Mat3, b: &Mat3) -> Mat3 {
    let mut m = [[0.0; 3]; 3];
    for (row, left) in m.iter_mut().zip(a) {
        for (j, value) in row.iter_mut().enumerate() {
            *value = M::fma(left[0], b[0][j], M::fma(left[1], b[1][j], left[2] * b[2][j]));
        }
    }
    m
}

/// Position error in the base frame, and the rotation vector in the base frame that turns `from` into `to`.
///
/// For angles below about pi; the rotation vector of a half turn has no unique direction, any of the two is right.
#[inline(always)]
pub(crate) fn pose_error<M: Math>(from: &Frame, to: &Frame) -> (Vec3, Vec3) {
    let dp = sub(&to.p, &from.p);
    // R = to * from^T; its skew part is sin(angle) axis, its trace 1 + 2 cos(angle).
    let r = |i: usize, j: usize| dot::<M>(&to.r[i], &from.r[j]);
    let s = [0.5 * (r(2, 1) - r(1, 2)), 0.5 * (r(0, 2) - r(2, 0)), 0.5 * (r(1, 0) - r(0, 1))];
    let (xx, yy, zz) = (r(0, 0), r(1, 1), r(2, 2));
    let sin = dot::<M>(&s, &s).sqrt();
    let cos = 0.5 * (xx + yy + zz - 1.0);
    if cos > 0.9 {
        // asin(x)/x to 1e-12 for x below 0.44 would need many terms; small ones are what the hot path sees.
        let scale = if sin < 1e-4 { 1.0 + sin * sin / 6.0 } else { sin.atan2(cos) / sin };
        return (dp, [s[0] * scale, s[1] * scale, s[2] * scale]);
    }
    let angle = sin.atan2(cos);
    if sin > 1e-6 {
        let scale = angle / sin;
        return (dp, [s[0] * scale, s[1] * scale, s[2] * scale]);
    }
    // Nearly a half turn: the axis stands in the symmetric part, (R + 1) / 2 = axis axis^T.
    let column = if xx >= yy && xx >= zz {
        [0.5 * (xx + 1.0), 0.25 * (r(1, 0) + r(0, 1)), 0.25 * (r(2, 0) + r(0, 2))]
    } else if yy >= zz {
        [0.25 * (r(0, 1) + r(1, 0)), 0.5 * (yy + 1.0), 0.25 * (r(2, 1) + r(1, 2))]
    } else {
        [0.25 * (r(0, 2) + r(2, 0)), 0.25 * (r(1, 2) + r(2, 1)), 0.5 * (zz + 1.0)]
    };
    let length = dot::<M>(&column, &column).sqrt();
    let sign = if dot::<M>(&column, &s) < 0.0 { -1.0 } else { 1.0 };
    let scale = sign * angle / length;
    (dp, [column[0] * scale, column[1] * scale, column[2] * scale])
}
