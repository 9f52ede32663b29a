//! The closed form: every way in which the ideal arm holds a pose, four at a time and without a branch.
//!
//! In the arm's own frame (z on axis 1, y along axis 2, origin on axis 1 at the height of axis 2) the wrist's centre is
//! carried by joints 1 to 3 alone, or the direction of axis 6 by joint 1 and the wrist alone, so that each unknown
//! stands in a quadratic: shoulder, elbow and wrist, two roots each (Pieper, 1968; for the second class Hawkins, 2013).
//! Vectors in the plane of the arm are complex numbers z + i x, so that turning about y multiplies.

use crate::{
    lanes::Lanes,
    math::{Frame, Mat3, Math, Vec3, mat_mat, mat_vec, sub},
    six::{Joints6, Still},
};

/// What an ideal arm is made of. Complex numbers are `[re, im]`.
pub(crate) struct Measures {
    /// Whether joint 4 is parallel to 2 and 3.
    pub(crate) parallel: bool,
    /// From the base's frame to the arm's.
    pub(crate) base: Mat3,
    /// The arm's origin, in the arm's directions.
    pub(crate) origin: Vec3,
    /// The wrist's centre in the tool's frame.
    pub(crate) wrist_in_tool: Vec3,
    /// The last frame of the wrist (z on axis 6, y on axis 5, at zero) in the tool's.
    pub(crate) end: Mat3,
    /// Axis 1 to axis 2, along x.
    pub(crate) shoulder: f64,
    /// Axis 1 to the wrist's centre, along y.
    pub(crate) side: f64,
    /// Axis 2 to axis 3 at zero.
    pub(crate) upper: [f64; 2],
    /// Axis 3 to the wrist's centre, or to axis 4 where that is parallel, at zero.
    pub(crate) fore: [f64; 2],
    /// Axis 4 to the wrist's centre at zero.
    pub(crate) hand: [f64; 2],
    /// Direction of axis 4 at zero, where it is not parallel.
    pub(crate) axis4: [f64; 2],
    /// The wrist as turns about z, y, z: its first angle at zero.
    pub(crate) turn_first: f64,
    /// Its second.
    pub(crate) turn_second: f64,
    /// Which way joint 3 turns.
    pub(crate) sign3: f64,
    /// Which way joint 4 turns.
    pub(crate) sign4: f64,
}

/// The ideal arm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ideal {
    parallel: bool,
    base: Mat3,
    origin: Vec3,
    wrist_in_tool: Vec3,
    end: Mat3,
    shoulder: f64,
    side: f64,
    upper: f64,
    fore: f64,
    hand: [f64; 2],
    /// `exp(i (angle of axis 4 - angle of forearm))`.
    axis4: [f64; 2],
    /// `exp(-i turn_first)`.
    untwist: [f64; 2],
    /// joint = sign * (angle - offset).
    signs: Joints6,
    offsets: Joints6,
    /// How far the angles of the exact arm may be from those of the ideal far from singularities, rad.
    pub(crate) mismatch_rad: f64,
}

/// A pose, seen by the arm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// The wrist's centre in the base's frame.
    pub(crate) wrist: Vec3,
    /// And in the arm's.
    center: Vec3,
    /// The last frame of the wrist, in the arm's directions.
    end: Mat3,
}

/// Four of the eight ways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    /// Joints, in some turn.
    pub(crate) joints: [Lanes; 6],
    /// Squares of the distances from the singularities of shoulder, elbow and wrist, each about 1 far from it; negative
    /// where the ideal arm does not reach.
    pub(crate) clear: [Lanes; 3],
}

const SHOULDER: Lanes = Lanes([1.0, -1.0, 1.0, -1.0]);
const SECOND: Lanes = Lanes([1.0, 1.0, -1.0, -1.0]);
const TINY: Lanes = Lanes::all(1e-30);

#[inline(always)]
fn times<M: Math>(a: [Lanes; 2], b: [Lanes; 2]) -> [Lanes; 2] {
    [a[0].fma::<M>(b[0], -(a[1] * b[1])), a[0].fma::<M>(b[1], a[1] * b[0])]
}

/// `a` times the conjugate of `b`.
#[inline(always)]
fn over<M: Math>(a: [Lanes; 2], b: [Lanes; 2]) -> [Lanes; 2] {
    [a[0].fma::<M>(b[0], a[1] * b[1]), a[1].fma::<M>(b[0], -(a[0] * b[1]))]
}

#[inline(always)]
fn unit<M: Math>(a: [Lanes; 2]) -> [Lanes; 2] {
    let scale = Lanes::all(1.0) / (a[0].fma::<M>(a[0], a[1].fma::<M>(a[1], TINY))).sqrt();
    [a[0] * scale, a[1] * scale]
}

#[inline(always)]
fn complex(value: [f64; 2]) -> [Lanes; 2] {
    [Lanes::all(value[0]), Lanes::all(value[1])]
}

fn turn(angle: f64) -> [f64; 2] {
    [angle.cos(), angle.sin()]
}

fn angle(value: [f64; 2]) -> f64 {
    value[1].atan2(value[0])
}

impl Ideal {
    pub(crate) fn of(m: &Measures) -> Self {
        let (upper, fore) = (angle(m.upper), angle(m.fore));
        let fourth = if m.parallel { m.turn_first - fore } else { m.turn_first };
        Self {
            parallel: m.parallel,
            base: m.base,
            origin: m.origin,
            wrist_in_tool: m.wrist_in_tool,
            end: m.end,
            shoulder: m.shoulder,
            side: m.side,
            upper: m.upper[0].hypot(m.upper[1]),
            fore: m.fore[0].hypot(m.fore[1]),
            hand: m.hand,
            axis4: turn(angle(m.axis4) - fore),
            untwist: turn(-m.turn_first),
            signs: [1.0, 1.0, m.sign3, m.sign4, 1.0, 1.0],
            offsets: [0.0, upper, fore - upper, fourth, m.turn_second, 0.0],
            mismatch_rad: 0.0,
        }
    }

    /// Whether joint 4 is parallel to 2 and 3.
    #[inline(always)]
    pub(crate) const fn parallel(&self) -> bool {
        self.parallel
    }

    #[inline(always)]
    pub(crate) fn see<M: Math>(&self, target: &Frame) -> Seen {
        let mut wrist = mat_vec::<M>(&target.r, &self.wrist_in_tool);
        for (value, origin) in wrist.iter_mut().zip(target.p) {
            *value += origin;
        }
        let turned = mat_mat::<M>(&self.base, &target.r);
        Seen {
            wrist,
            center: sub(&mat_vec::<M>(&self.base, &wrist), &self.origin),
            end: mat_mat::<M>(&turned, &self.end),
        }
    }

    /// The branch of joints: the signs of the wrist's distance from axis 1, of the elbow's bend and of the wrist's.
    #[inline(always)]
    pub(crate) fn branch<M: Math>(&self, q: &Joints6) -> u8 {
        let mut angle = [0.0; 6];
        for k in 1..5 {
            angle[k] = M::fma(self.signs[k], q[k], self.offsets[k]);
        }
        let fore = angle[1] + angle[2];
        let (sin, _) = Lanes([angle[1], fore, angle[2], angle[4]]).sin_cos::<M>();
        let mut reach = M::fma(self.upper, sin.0[0], M::fma(self.fore, sin.0[1], self.shoulder));
        if self.parallel {
            let (sin, cos) = Lanes::all(fore + angle[3]).sin_cos::<M>();
            let [_, carried] =
                times::<M>(times::<M>([cos, sin], complex(self.untwist)), complex(self.hand));
            reach += carried.0[0];
        }
        u8::from(reach < 0.0) | u8::from(sin.0[2] < 0.0) << 1 | u8::from(sin.0[3] < 0.0) << 2
    }

    /// How far the arm may be from a singularity, as [`Ways::clear`] measures it, before the closed form no longer tells
    /// where the exact arm's solutions are.
    pub(crate) fn doubt(&self) -> [f64; 3] {
        let m = self.mismatch_rad;
        let side = self.side.abs() / (self.upper + self.fore);
        // A wrist that misses axis 1 by the mismatch may stand anywhere about it; so may the last joints where axes 4
        // and 6 are in line; but a bend, and a side offset, stand under a root.
        [64.0 * m * m + 8.0 * m * side + 1e-10, 8.0 * m + 1e-10, 64.0 * m * m + 1e-10]
    }

    /// The value of joint 3 nearest to this at which the arm is stretched or folded.
    pub(crate) fn straight(&self, joint: f64) -> f64 {
        let bend = self.signs[2] * joint + self.offsets[2];
        let whole = (bend / core::f64::consts::PI).round() * core::f64::consts::PI;
        self.signs[2] * (whole - self.offsets[2])
    }

    /// The four ways of the first half, and of the second. With a joint held, that joint is given instead of solved
    /// for, all else as well as it can be; of a held wrist only the first half counts.
    #[inline(always)]
    pub(crate) fn ways<M: Math>(&self, seen: &Seen, held: Option<(Still, f64)>) -> [Ways; 2] {
        let all = Lanes::all;
        let (zero, one) = (all(0.0), all(1.0));
        // Shoulder: the arm's plane holds the wrist's centre.
        let [wx, wy, wz] = seen.center;
        let r2 = M::fma(wx, wx, wy * wy);
        let b = self.side;
        let clear = M::fma(-b, b, r2);
        let (mut x, c1, s1);
        if let Some((Still::Shoulder, q)) = held {
            let (s, c) = q.sin_cos();
            (x, c1, s1) = (all(M::fma(c, wx, s * wy)), all(c), all(s));
        } else {
            let root = if clear > 0.0 { clear.sqrt() } else { 0.0 };
            x = SHOULDER * all(root);
            let scale = all(1.0 / (r2 * M::fma(root, root, b * b) + 1e-60).sqrt());
            c1 = x.fma::<M>(all(wx), all(wy * b)) * scale;
            s1 = x.fma::<M>(all(wy), all(-(wx * b))) * scale;
        }
        x = x - all(self.shoulder);
        let reach = self.upper + self.fore;
        let clear_shoulder = all(clear / (reach * reach));
        // The last frame of the wrist, seen from the arm's plane: x, y, z of each column.
        let mut g = [[zero; 3]; 3];
        for k in 0..3 {
            let (a, b) = (all(seen.end[0][k]), all(seen.end[1][k]));
            g[k] = [c1.fma::<M>(a, s1 * b), c1.fma::<M>(b, -(s1 * a)), all(seen.end[2][k])];
        }
        let first = Lanes::atan2::<M>(s1, c1);
        let mut clear = [clear_shoulder; 3];
        if self.parallel {
            // Turns about h begin the wrist: seen as (z, x, y).
            let n = [
                [g[0][2], g[1][2], g[2][2]],
                [g[0][0], g[1][0], g[2][0]],
                [g[0][1], g[1][1], g[2][1]],
            ];
            let wrist = self.wrist::<M>(&n, SECOND, held);
            let fore = times::<M>(wrist.first, complex(self.untwist));
            let carried = times::<M>(fore, complex(self.hand));
            let d = [all(wz) - carried[0], x - carried[1]];
            let up = self.elbow::<M>(d, one, held);
            let down = self.elbow::<M>(d, -one, held);
            (clear[1], clear[2]) = (up.clear, wrist.clear);
            let [sum, five, six] = wrist.angles;
            let up = [first, up.first, up.bend, sum - up.first - up.bend, five, six];
            let down = [first, down.first, down.bend, sum - down.first - down.bend, five, six];
            [Ways { joints: self.joints(up), clear }, Ways { joints: self.joints(down), clear }]
        } else {
            let elbow = self.elbow::<M>([all(wz), x], SECOND, held);
            let [c, s] = times::<M>(elbow.second, complex(self.axis4));
            let mut n = [[zero; 3]; 3];
            for k in 0..3 {
                n[0][k] = c.fma::<M>(g[k][0], -(s * g[k][2]));
                n[1][k] = g[k][1];
                n[2][k] = s.fma::<M>(g[k][0], c * g[k][2]);
            }
            let wrist = self.wrist::<M>(&n, one, held);
            (clear[1], clear[2]) = (elbow.clear, wrist.clear);
            let [four, five, six] = wrist.angles;
            let half = all(core::f64::consts::PI);
            let same = [first, elbow.first, elbow.bend, four, five, six];
            let flipped = [first, elbow.first, elbow.bend, four + half, -five, six + half];
            [
                Ways { joints: self.joints(same), clear },
                Ways { joints: self.joints(flipped), clear },
            ]
        }
    }

    /// Two links in a plane, from the shoulder to `d`.
    #[inline(always)]
    fn elbow<M: Math>(&self, d: [Lanes; 2], sign: Lanes, held: Option<(Still, f64)>) -> Elbow {
        let all = Lanes::all;
        let (upper, fore) = (self.upper, self.fore);
        let scale = 0.5 / (upper * fore);
        let d2 = d[0].fma::<M>(d[0], d[1] * d[1]);
        let cos = d2.fma::<M>(all(scale), all(-(upper * upper + fore * fore) * scale));
        let clear = all(1.0) - cos * cos;
        let (bend, cos, sin) = if let Some((Still::Elbow, q)) = held {
            let bend = self.signs[2] * q + self.offsets[2];
            (all(bend), all(bend.cos()), all(bend.sin()))
        } else {
            let cos = cos.max(all(-1.0)).min(all(1.0));
            let sin = clear.max(all(0.0)).sqrt() * sign;
            (Lanes::atan2::<M>(sin, cos), cos, sin)
        };
        let link = [cos.fma::<M>(all(fore), all(upper)), sin * all(fore)];
        let first = unit::<M>(over::<M>(d, link));
        let second = times::<M>(first, [cos, sin]);
        Elbow { first: Lanes::atan2::<M>(first[1], first[0]), bend, clear, second }
    }

    /// A rotation as turns about z, y, z.
    #[inline(always)]
    fn wrist<M: Math>(
        &self,
        n: &[[Lanes; 3]; 3],
        sign: Lanes,
        held: Option<(Still, f64)>,
    ) -> Wrist {
        let clear = n[0][2].fma::<M>(n[0][2], n[1][2] * n[1][2]);
        if let Some((Still::Wrist, q)) = held {
            let (s, c) = q.sin_cos();
            let (s, c) = (Lanes::all(s), Lanes::all(c));
            let first =
                unit::<M>([n[1][0].fma::<M>(s, n[1][1] * c), -n[0][0].fma::<M>(s, n[0][1] * c)]);
            let sin = -n[2][0].fma::<M>(c, -(n[2][1] * s));
            let angles = [
                Lanes::atan2::<M>(first[1], first[0]),
                Lanes::atan2::<M>(sin, n[2][2]),
                Lanes::all(q),
            ];
            return Wrist { angles, clear, first };
        }
        let direction = [n[0][2] * sign, n[1][2] * sign];
        let angles = [
            Lanes::atan2::<M>(direction[1], direction[0]),
            Lanes::atan2::<M>(clear.sqrt() * sign, n[2][2]),
            Lanes::atan2::<M>(n[2][1] * sign, -(n[2][0] * sign)),
        ];
        Wrist { angles, clear, first: unit::<M>(direction) }
    }

    #[inline(always)]
    fn joints(&self, angles: [Lanes; 6]) -> [Lanes; 6] {
        let mut joints = angles;
        for k in 0..6 {
            joints[k] = (angles[k] - Lanes::all(self.offsets[k])) * Lanes::all(self.signs[k]);
        }
        joints
    }
}

/// Two links in a plane.
struct Elbow {
    /// The angle of the first.
    first: Lanes,
    /// Between them.
    bend: Lanes,
    /// How far from stretched or folded.
    clear: Lanes,
    /// The direction of the second.
    second: [Lanes; 2],
}

/// A rotation as turns about z, y, z.
struct Wrist {
    angles: [Lanes; 3],
    /// How far from a turn about z alone.
    clear: Lanes,
    /// The direction of the first angle.
    first: [Lanes; 2],
}
