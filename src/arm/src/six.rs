//! The exact chain of six revolute joints, arranged for the hot path, and Newton's step on it.

use crate::{
    answer::PoseError,
    chain::{Chain, Kind},
    lanes::Lanes,
    math::{Frame, Math, Vec3, cross, dot, sub},
};

/// Six joints, rad.
pub(crate) type Joints6 = [f64; 6];

/// Columns x, y, z and origin; the fourth lane is idle.
type Columns = [Lanes; 4];

/// The exact chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Six {
    links: [Columns; 6],
    tool: Columns,
}

/// The arm at some joints, in the base frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Directions of the axes.
    pub(crate) z: [Vec3; 6],
    /// A point on each.
    pub(crate) p: [Vec3; 6],
    tool: Columns,
}

/// What separates a view from the pose that is wanted, in the base frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Off {
    /// From tool to target, m.
    position: Vec3,
    /// Axis times sine of the angle that turns the tool onto the target.
    turn: Vec3,
    pub(crate) error: PoseError,
}

/// A joint that stands still in a step, and the direction in which the tool may stay off instead: the one that the arm
/// cannot move in at the singularity of that joint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Still {
    /// Joint 1; off across the arm's plane.
    Shoulder,
    /// Joint 3; off along the stretched arm.
    Elbow,
    /// Joint 6; off in orientation, about the normal of axes 4 and 5.
    Wrist,
}

impl Still {
    /// Which joint.
    #[inline(always)]
    pub(crate) const fn joint(self) -> usize {
        match self {
            Self::Shoulder => 0,
            Self::Elbow => 2,
            Self::Wrist => 5,
        }
    }
}

#[inline(always)]
fn columns(x: &Frame) -> Columns {
    let column = |j: usize| Lanes([x.r[0][j], x.r[1][j], x.r[2][j], 0.0]);
    [column(0), column(1), column(2), Lanes([x.p[0], x.p[1], x.p[2], 0.0])]
}

#[inline(always)]
fn vec3(column: &Lanes) -> Vec3 {
    [column.0[0], column.0[1], column.0[2]]
}

#[inline(always)]
fn turned<M: Math>(x: &Columns, v: &Lanes) -> Lanes {
    let [a, b, c, _] = v.0;
    x[0].fma::<M>(Lanes::all(a), x[1].fma::<M>(Lanes::all(b), x[2] * Lanes::all(c)))
}

#[inline(always)]
fn then<M: Math>(x: &Columns, c: &Columns) -> Columns {
    [
        turned::<M>(x, &c[0]),
        turned::<M>(x, &c[1]),
        turned::<M>(x, &c[2]),
        turned::<M>(x, &c[3]) + x[3],
    ]
}

impl Six {
    /// `None` unless six revolute joints follow no other.
    pub(crate) fn of(chain: &Chain) -> Option<Self> {
        let links = chain.links();
        let plain = |link: &crate::chain::Link| {
            link.kind == Kind::Revolute && link.multiplier == 1.0 && link.offset == 0.0
        };
        if links.len() != 6 || chain.len() != 6 || !links.iter().all(plain) {
            return None;
        }
        let mut six = Self { links: [[Lanes::all(0.0); 4]; 6], tool: columns(&chain.tool) };
        for (six, link) in six.links.iter_mut().zip(links) {
            *six = columns(&link.c);
        }
        Some(six)
    }

    /// Where the arm is. Angles beyond [`Lanes::SIN_COS_MAX`] give nonsense, but finite or NaN.
    #[inline(always)]
    pub(crate) fn view<M: Math>(&self, q: &Joints6) -> View {
        let (s_low, c_low) = Lanes([q[0], q[1], q[2], q[3]]).sin_cos::<M>();
        let (s_high, c_high) = Lanes([q[4], q[5], 0.0, 0.0]).sin_cos::<M>();
        let s = [s_low.0[0], s_low.0[1], s_low.0[2], s_low.0[3], s_high.0[0], s_high.0[1]];
        let c = [c_low.0[0], c_low.0[1], c_low.0[2], c_low.0[3], c_high.0[0], c_high.0[1]];
        let (mut z, mut p) = ([[0.0; 3]; 6], [[0.0; 3]; 6]);
        let mut x = self.links[0];
        for k in 0..6 {
            if k > 0 {
                x = then::<M>(&x, &self.links[k]);
            }
            (z[k], p[k]) = (vec3(&x[2]), vec3(&x[3]));
            let (sin, cos) = (Lanes::all(s[k]), Lanes::all(c[k]));
            let turned = x[0].fma::<M>(cos, x[1] * sin);
            x[1] = x[1].fma::<M>(cos, -(x[0] * sin));
            x[0] = turned;
        }
        View { z, p, tool: then::<M>(&x, &self.tool) }
    }
}

impl View {
    #[inline(always)]
    pub(crate) fn off<M: Math>(&self, target: &Frame) -> Off {
        let position = sub(&target.p, &vec3(&self.tool[3]));
        let (mut turn, mut trace) = ([0.0; 3], 0.0);
        for j in 0..3 {
            let have = vec3(&self.tool[j]);
            let want = [target.r[0][j], target.r[1][j], target.r[2][j]];
            let across = cross::<M>(&have, &want);
            for k in 0..3 {
                turn[k] = M::fma(0.5, across[k], turn[k]);
            }
            trace += dot::<M>(&have, &want);
        }
        let sin = dot::<M>(&turn, &turn).sqrt();
        // The cube of a small angle is far below what is asked of it; a large one is only told.
        let angle_rad = if sin < 1e-3 && trace > 1.0 {
            M::fma(sin * sin, sin / 6.0, sin)
        } else {
            sin.atan2(0.5 * (trace - 1.0))
        };
        let position_m = dot::<M>(&position, &position).sqrt();
        Off { position, turn, error: PoseError { position_m, angle_rad } }
    }

    /// Newton's step. With a joint still, its place holds how far off the tool stays in its direction.
    ///
    /// All seen from the point `about`, where the wrist's axes (nearly) meet: there the last three joints hardly move
    /// the tool, so the blocks D = [z4 z5 z6] and A - B D^-1 C of the Jacobian are well scaled, and two systems of three
    /// stand for one of six. `None` where they are singular.
    #[inline(always)]
    pub(crate) fn step<M: Math>(
        &self,
        off: &Off,
        target: &Frame,
        about: &Vec3,
        still: Option<Still>,
    ) -> Option<Joints6> {
        let (mut w, mut v) = (self.z, [[0.0; 3]; 6]);
        for k in 0..6 {
            v[k] = cross::<M>(&w[k], &sub(about, &self.p[k]));
        }
        match still {
            None => {}
            Some(Still::Wrist) => (w[5], v[5]) = (cross::<M>(&w[3], &w[4]), [0.0; 3]),
            Some(Still::Shoulder) => (w[0], v[0]) = ([0.0; 3], w[1]),
            Some(Still::Elbow) => {
                // Across the arm's plane joint 1 acts; only the part within it counts.
                let along = sub(about, &self.p[1]);
                let across = cross::<M>(&w[1], &along);
                let along = cross::<M>(&across, &w[1]);
                let scale = 1.0 / (dot::<M>(&along, &along).sqrt() + f64::MIN_POSITIVE);
                (w[2], v[2]) = ([0.0; 3], scaled(&along, scale));
            }
        }
        let dp = add(&off.position, &cross::<M>(&off.turn, &sub(about, &target.p)));
        let dual = Dual::of::<M>(&w[3], &w[4], &w[5])?;
        // What the wrist turns to make up for each of the first three joints, and what that moves.
        let wrist = dual.solve::<M>(&off.turn);
        let answers = [dual.solve::<M>(&w[0]), dual.solve::<M>(&w[1]), dual.solve::<M>(&w[2])];
        let moves = [v[3], v[4], v[5]];
        let first = Dual::of::<M>(
            &sub(&v[0], &combine::<M>(&moves, &answers[0])),
            &sub(&v[1], &combine::<M>(&moves, &answers[1])),
            &sub(&v[2], &combine::<M>(&moves, &answers[2])),
        )?
        .solve::<M>(&sub(&dp, &combine::<M>(&moves, &wrist)));
        let last = sub(&wrist, &combine::<M>(&answers, &first));
        let step = [first[0], first[1], first[2], last[0], last[1], last[2]];
        let mut most = 0.0;
        for value in step {
            most += value.abs();
        }
        // Also false for NaN.
        if most < 1e6 { Some(step) } else { None }
    }
}

#[inline(always)]
fn add(a: &Vec3, b: &Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// The sum of vectors, each as many times as `times` says.
#[inline(always)]
fn combine<M: Math>(vectors: &[Vec3; 3], times: &Vec3) -> Vec3 {
    let mut sum = [0.0; 3];
    for k in 0..3 {
        sum[k] = M::fma(
            vectors[0][k],
            times[0],
            M::fma(vectors[1][k], times[1], vectors[2][k] * times[2]),
        );
    }
    sum
}

#[inline(always)]
fn scaled(v: &Vec3, by: f64) -> Vec3 {
    [v[0] * by, v[1] * by, v[2] * by]
}

/// The inverse of a matrix of three columns: its rows are the dual basis.
struct Dual([Vec3; 3]);

impl Dual {
    #[inline(always)]
    fn of<M: Math>(a: &Vec3, b: &Vec3, c: &Vec3) -> Option<Self> {
        let bc = cross::<M>(b, c);
        let volume = dot::<M>(a, &bc);
        let scale = 1.0 / volume;
        let (ca, ab) = (cross::<M>(c, a), cross::<M>(a, b));
        let dual = [scaled(&bc, scale), scaled(&ca, scale), scaled(&ab, scale)];
        // Also false for NaN.
        if volume.abs() > 1e-14 { Some(Self(dual)) } else { None }
    }

    #[inline(always)]
    fn solve<M: Math>(&self, v: &Vec3) -> Vec3 {
        [dot::<M>(&self.0[0], v), dot::<M>(&self.0[1], v), dot::<M>(&self.0[2], v)]
    }
}
