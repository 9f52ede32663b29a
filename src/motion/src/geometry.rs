//! Frames and segments, as far as the guard needs them.

pub(crate) type Vec3 = [f64; 3];

/// A rotation (row-major) and a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) r: [[f64; 3]; 3],
    pub(crate) p: Vec3,
}

impl Frame {
    pub(crate) const IDENTITY: Self =
        Self { r: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], p: [0.0; 3] };

    /// A point of this frame, in the frame outside.
    pub(crate) fn at(&self, point: &Vec3) -> Vec3 {
        let turned = self.r.map(|row| dot(&row, point));
        [turned[0] + self.p[0], turned[1] + self.p[1], turned[2] + self.p[2]]
    }

    /// `self * inner`.
    pub(crate) fn then(&self, inner: &Self) -> Self {
        let mut r = [[0.0; 3]; 3];
        for (row, left) in r.iter_mut().zip(&self.r) {
            for (j, value) in row.iter_mut().enumerate() {
                *value =
                    left[0] * inner.r[0][j] + left[1] * inner.r[1][j] + left[2] * inner.r[2][j];
            }
        }
        Self { r, p: self.at(&inner.p) }
    }

    /// Turns about its own z axis.
    pub(crate) fn turn_z(&mut self, angle: f64) {
        let (sin, cos) = libm::sincos(angle);
        for row in &mut self.r {
            let (x, y) = (row[0], row[1]);
            row[0] = x * cos + y * sin;
            row[1] = y * cos - x * sin;
        }
    }

    /// Moves along its own z axis.
    pub(crate) fn slide_z(&mut self, distance: f64) {
        for (value, row) in self.p.iter_mut().zip(&self.r) {
            *value += row[2] * distance;
        }
    }
}

pub(crate) const fn dot(a: &Vec3, b: &Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) const fn sub(a: &Vec3, b: &Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn norm(a: &Vec3) -> f64 {
    libm::sqrt(dot(a, a))
}

/// Distance of two segments; each may be a point. NaN in, NaN out.
///
/// The squared distance is a convex quadratic of two parameters in [0, 1]: its unconstrained minimum is clamped in one
/// of them, then the other follows and is clamped, then the first once more (Ericson, Real-Time Collision Detection,
/// 2005, 5.1.9).
pub(crate) fn segment_distance(p1: &Vec3, q1: &Vec3, p2: &Vec3, q2: &Vec3) -> f64 {
    /// Shorter than a micrometre is a point.
    const POINT_M2: f64 = 1e-12;
    let (d1, d2, r) = (sub(q1, p1), sub(q2, p2), sub(p1, p2));
    let (a, e, f) = (dot(&d1, &d1), dot(&d2, &d2), dot(&d2, &r));
    let unit = |value: f64| value.clamp(0.0, 1.0);
    let (s, t) = if a <= POINT_M2 && e <= POINT_M2 {
        (0.0, 0.0)
    } else if a <= POINT_M2 {
        (0.0, unit(f / e))
    } else {
        let c = dot(&d1, &r);
        if e <= POINT_M2 {
            (unit(-c / a), 0.0)
        } else {
            let b = dot(&d1, &d2);
            let denominator = a * e - b * b;
            // Parallel segments: any point of the first will do to begin with.
            let s =
                if denominator > 1e-12 * a * e { unit((b * f - c * e) / denominator) } else { 0.0 };
            let t = (b * s + f) / e;
            if t < 0.0 {
                (unit(-c / a), 0.0)
            } else if t > 1.0 {
                (unit((b - c) / a), 1.0)
            } else {
                (s, t)
            }
        }
    };
    let gap = [0, 1, 2].map(|k| r[k] + d1[k] * s - d2[k] * t);
    norm(&gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_cross_touch_and_points_are_segments() {
        let [o, x, y, z] = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(segment_distance(&o, &x, &[0.5, -1.0, 0.0], &[0.5, 1.0, 0.0]), 0.0));
        assert!(near(segment_distance(&o, &x, &[0.5, -1.0, 0.3], &[0.5, 1.0, 0.3]), 0.3));
        assert!(near(segment_distance(&o, &o, &x, &x), 1.0));
        assert!(near(segment_distance(&o, &o, &[-1.0, 1.0, 0.0], &[1.0, 1.0, 0.0]), 1.0));
        assert!(near(segment_distance(&[-1.0, 0.0, 2.0], &[1.0, 0.0, 2.0], &o, &o), 2.0));
        assert!(near(segment_distance(&o, &x, &y, &[1.0, 1.0, 0.0]), 1.0), "parallel");
        assert!(near(segment_distance(&o, &x, &[2.0, 0.0, 0.0], &[3.0, 0.0, 0.0]), 1.0), "in line");
        assert!(near(segment_distance(&o, &x, &[3.0, 0.0, 0.0], &[2.0, 0.0, 0.0]), 1.0));
        assert!(near(segment_distance(&o, &z, &o, &x), 0.0));
        assert!(segment_distance(&o, &x, &[f64::NAN, 0.0, 0.0], &y).is_nan());
    }

    /// Against a fine grid over both segments: never longer than the grid's best, never shorter by more than its mesh.
    #[test]
    fn the_distance_is_the_least_over_both_segments() {
        let mut random = 12_345_u64;
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            f64::from((random >> 40) as u32) / f64::from(1_u32 << 24) - 0.5
        };
        for _ in 0..300 {
            let [p1, mut q1, p2, q2] = [0; 4].map(|_| [next(), next(), next()]);
            if next() < -0.3 {
                q1 = [0, 1, 2].map(|k| p1[k] + 1e-3 * (q2[k] - p2[k]));
            }
            let along = |p: &Vec3, q: &Vec3, s: f64| [0, 1, 2].map(|k| p[k] + (q[k] - p[k]) * s);
            let mut best = f64::INFINITY;
            for i in 0..=40 {
                for j in 0..=40 {
                    let (s, t) = (f64::from(i) / 40.0, f64::from(j) / 40.0);
                    best = best.min(norm(&sub(&along(&p1, &q1, s), &along(&p2, &q2, t))));
                }
            }
            let is = segment_distance(&p1, &q1, &p2, &q2);
            assert!(is <= best + 1e-12 && is >= best - 0.045, "{is} {best}");
        }
    }
}
