//! The exact chain of six revolute joints, arranged for the hot path, and Newton's step on it.

use crate::{
    answer::PoseError,
    chain::{Chain, Kind},
    math::{Frame, Math},
    num::{Num, V3, add, combine, cross, dot, scaled, sub, vector},
};

/// Six joints, rad.
pub(crate) type Joints6 = [f64; 6];

/// Columns x, y, z and origin.
type Columns<T> = [V3<T>; 4];

/// The exact chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Six {
    links: [Columns<f64>; 6],
    tool: Columns<f64>,
}

/// The arm at some joints, in the base frame; or four arms at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<T> {
    /// Directions of the axes.
    pub(crate) z: [V3<T>; 6],
    /// A point on each.
    pub(crate) p: [V3<T>; 6],
    tool: Columns<T>,
}

/// What separates a view from the pose that is wanted, in the base frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Off<T> {
    /// From tool to target, m.
    position: V3<T>,
    /// Axis times sine of the angle that turns the tool onto the target.
    turn: V3<T>,
    /// Length of the first.
    pub(crate) distance: T,
    /// Of the second.
    pub(crate) sin: T,
    /// 1 + 2 cos of that angle.
    pub(crate) trace: T,
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

fn columns(x: &Frame) -> Columns<f64> {
    let column = |j: usize| [x.r[0][j], x.r[1][j], x.r[2][j]];
    [column(0), column(1), column(2), x.p]
}

#[inline(always)]
fn turned<T: Num, M: Math>(x: &Columns<T>, v: &V3<f64>) -> V3<T> {
    combine::<T, M>(&[x[0], x[1], x[2]], &vector(v))
}

#[inline(always)]
fn then<T: Num, M: Math>(x: &Columns<T>, c: &Columns<f64>) -> Columns<T> {
    [
        turned::<T, M>(x, &c[0]),
        turned::<T, M>(x, &c[1]),
        turned::<T, M>(x, &c[2]),
        add(&turned::<T, M>(x, &c[3]), &x[3]),
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
        let mut six = Self { links: [[[0.0; 3]; 4]; 6], tool: columns(&chain.tool) };
        for (six, link) in six.links.iter_mut().zip(links) {
            *six = columns(&link.c);
        }
        Some(six)
    }

    /// Where the arm is. Angles beyond [`crate::lanes::Lanes::SIN_COS_MAX`] give nonsense, but finite or NaN.
    #[inline(always)]
    pub(crate) fn view<T: Num, M: Math>(&self, q: &[T; 6]) -> View<T> {
        let (sin, cos) = T::sin_cos::<M>(q);
        let zero = [T::all(0.0); 3];
        let (mut z, mut p) = ([zero; 6], [zero; 6]);
        let mut x = [zero; 4];
        for k in 0..6 {
            x = if k == 0 {
                self.links[0].map(|v| vector(&v))
            } else {
                then::<T, M>(&x, &self.links[k])
            };
            (z[k], p[k]) = (x[2], x[3]);
            for i in 0..3 {
                let (a, b) = (x[0][i], x[1][i]);
                x[0][i] = a.fma::<M>(cos[k], b * sin[k]);
                x[1][i] = b.fma::<M>(cos[k], -(a * sin[k]));
            }
        }
        View { z, p, tool: then::<T, M>(&x, &self.tool) }
    }
}

impl<T: Num> View<T> {
    #[inline(always)]
    pub(crate) fn off<M: Math>(&self, target: &Frame) -> Off<T> {
        let position = sub(&vector(&target.p), &self.tool[3]);
        let (mut turn, mut trace) = ([T::all(0.0); 3], T::all(0.0));
        for j in 0..3 {
            let want = vector(&[target.r[0][j], target.r[1][j], target.r[2][j]]);
            let across = cross::<T, M>(&self.tool[j], &want);
            turn = add(&turn, &scaled(&across, T::all(0.5)));
            trace = trace + dot::<T, M>(&self.tool[j], &want);
        }
        let distance = dot::<T, M>(&position, &position).sqrt();
        Off { position, turn, distance, sin: dot::<T, M>(&turn, &turn).sqrt(), trace }
    }

    /// Newton's step, infinite or NaN where there is none. With a joint still, its place holds how far off the tool
    /// stays in its direction.
    ///
    /// All seen from the point `about`, where the wrist's axes (nearly) meet: there the last three joints hardly move
    /// the tool, so the blocks D = [z4 z5 z6] and A - B D^-1 C of the Jacobian are well scaled, and two systems of three
    /// stand for one of six.
    #[inline(always)]
    pub(crate) fn step<M: Math>(
        &self,
        off: &Off<T>,
        target: &Frame,
        about: &[f64; 3],
        still: Option<Still>,
    ) -> [T; 6] {
        let about: V3<T> = vector(about);
        let zero = [T::all(0.0); 3];
        let (mut w, mut v) = (self.z, [zero; 6]);
        for k in 0..6 {
            v[k] = cross::<T, M>(&w[k], &sub(&about, &self.p[k]));
        }
        match still {
            None => {}
            Some(Still::Wrist) => (w[5], v[5]) = (cross::<T, M>(&w[3], &w[4]), zero),
            Some(Still::Shoulder) => (w[0], v[0]) = (zero, w[1]),
            Some(Still::Elbow) => {
                // Across the arm's plane joint 1 acts; only the part within it counts.
                let along = sub(&about, &self.p[1]);
                let across = cross::<T, M>(&w[1], &along);
                let along = cross::<T, M>(&across, &w[1]);
                let length = dot::<T, M>(&along, &along).sqrt() + T::all(f64::MIN_POSITIVE);
                (w[2], v[2]) = (zero, scaled(&along, length.recip()));
            }
        }
        let arm = sub(&about, &vector(&target.p));
        let dp = add(&off.position, &cross::<T, M>(&off.turn, &arm));
        let dual = Dual::of::<M>(&w[3], &w[4], &w[5]);
        // What the wrist turns to make up for each of the first three joints, and what that moves.
        let wrist = dual.solve::<M>(&off.turn);
        let answers = [dual.solve::<M>(&w[0]), dual.solve::<M>(&w[1]), dual.solve::<M>(&w[2])];
        let moves = [v[3], v[4], v[5]];
        let first = Dual::of::<M>(
            &sub(&v[0], &combine::<T, M>(&moves, &answers[0])),
            &sub(&v[1], &combine::<T, M>(&moves, &answers[1])),
            &sub(&v[2], &combine::<T, M>(&moves, &answers[2])),
        )
        .solve::<M>(&sub(&dp, &combine::<T, M>(&moves, &wrist)));
        let last = sub(&wrist, &combine::<T, M>(&answers, &first));
        [first[0], first[1], first[2], last[0], last[1], last[2]]
    }
}

impl Off<f64> {
    #[inline(always)]
    pub(crate) fn error(&self) -> PoseError {
        error(self.distance, self.sin, self.trace)
    }
}

/// From the distance, the sine of the angle, and 1 + 2 of its cosine.
#[inline(always)]
pub(crate) fn error(position_m: f64, sin: f64, trace: f64) -> PoseError {
    // The next term of the arcsine of a small angle is far below what is asked of it; a large one is only told.
    let angle_rad = if sin < 1e-3 && trace > 1.0 {
        sin + sin * sin * sin / 6.0
    } else {
        sin.atan2(0.5 * (trace - 1.0))
    };
    PoseError { position_m, angle_rad }
}

/// The inverse of a matrix of three columns: its rows are the dual basis.
struct Dual<T>([V3<T>; 3]);

impl<T: Num> Dual<T> {
    #[inline(always)]
    fn of<M: Math>(a: &V3<T>, b: &V3<T>, c: &V3<T>) -> Self {
        let bc = cross::<T, M>(b, c);
        let scale = dot::<T, M>(a, &bc).recip();
        let (ca, ab) = (cross::<T, M>(c, a), cross::<T, M>(a, b));
        Self([scaled(&bc, scale), scaled(&ca, scale), scaled(&ab, scale)])
    }

    #[inline(always)]
    fn solve<M: Math>(&self, v: &V3<T>) -> V3<T> {
        [dot::<T, M>(&self.0[0], v), dot::<T, M>(&self.0[1], v), dot::<T, M>(&self.0[2], v)]
    }
}
