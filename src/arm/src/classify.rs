//! What kind of arm a chain is, from its axes at zero alone: no Denavit-Hartenberg table, no figure by hand.
//!
//! A real description is never ideal: angles are rounded, a wrist misses its centre by a tenth of a millimetre, a
//! calibration moves everything. So the tests have tolerances, the nearest ideal arm is taken, and how far it is from
//! the exact one is measured; the inverse starts from the ideal and ends on the exact.

use nalgebra::{Isometry3, Matrix3, Translation3, Unit, UnitQuaternion, Vector3};

use crate::{
    answer::PoseError,
    chain::{Chain, Kind},
    ideal::{Ideal, Measures},
    math::Plain,
    vector::MAX_JOINTS,
};

/// How an arm is inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Joint 1 across joint 2, 2 and 3 parallel, 3 across 4, and a wrist whose three axes meet at right angles: most
    /// arms with six joints, Piper among them. Closed form.
    OrthoParallel,
    /// Joint 1 across joint 2; 2, 3 and 4 parallel; 4 across 5, and 5 across 6 where they meet: the arms of Universal
    /// Robots, Piper X, ARX X5. Closed form.
    ThreeParallel,
    /// Anything else. By iteration.
    Numeric,
}

/// How the axes of two neighbouring joints lie at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pair {
    /// Angle between the lines, rad, 0 (parallel) to pi/2 (across).
    pub angle_rad: f64,
    /// Least distance of the lines, m.
    pub distance_m: f64,
}

/// Why an arm is in its class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Every test of the class was passed.
    Fits,
    /// A closed form is known for six joints; this many joints the chain has.
    Joints(usize),
    /// This joint slides.
    Slides(usize),
    /// This joint follows another.
    Follows(usize),
    /// This joint and the next are neither as parallel nor as square as either class wants them.
    Angle {
        /// The first of the two.
        joint: usize,
        /// From what the nearer class wants, rad.
        off_rad: f64,
    },
    /// The axes of the wrist miss each other.
    Wrist {
        /// By this, m: of the last three axes, or of the last two where the three before them are parallel.
        miss_m: f64,
    },
    /// Two of the axes that carry the upper arm and the forearm lie too near to each other.
    Short {
        /// Length of the shorter, m.
        length_m: f64,
    },
}

/// The ideal arm: lengths in its own frame, whose z is axis 1 and whose y is the direction of axis 2.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// From axis 1 to axis 2, along x, m.
    pub shoulder_offset_m: f64,
    /// From axis 1 to the wrist, along y, m.
    pub side_offset_m: f64,
    /// From axis 2 to axis 3, m.
    pub upper_arm_m: f64,
    /// From axis 3 to the wrist's centre, or to axis 4 where that is parallel, m.
    pub forearm_m: f64,
    /// From axis 4 to the wrist's centre, m; 0 where they meet.
    pub wrist_offset_m: f64,
    /// From the wrist's centre to the tool, m.
    pub tool_m: f64,
}

/// What was found out about an arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explanation {
    /// Its class.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// Neighbouring axes.
    pairs: [Pair; MAX_JOINTS],
    pair_count: usize,
    /// How far the last three axes miss one point, m; of arms with six joints.
    pub wrist_miss_m: f64,
    /// The nearest ideal arm, of arms with a closed form.
    pub ideal: Option<Figures>,
    /// Largest difference of the ideal from the exact arm over the sampled joints.
    pub mismatch: PoseError,
    /// What passed as parallel or square, rad.
    pub tolerance_rad: f64,
    /// What passed as meeting, m.
    pub tolerance_m: f64,
}

impl Explanation {
    /// How each axis lies to the next, in order.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs[..self.pair_count]
    }
}

/// Axes may be off by this, rad: more than rounded figures (4e-6) and a calibration (3e-3 on every angle) make.
const TOLERANCE_RAD: f64 = 0.01;
/// Lines that should meet may miss by this part of the arm's length: 3 to 5 mm of a small arm.
const TOLERANCE_PART: f64 = 0.008;

type Vector = Vector3<f64>;

/// A line.
#[derive(Clone, Copy)]
struct Line {
    z: Vector,
    p: Vector,
}

impl Line {
    /// Where it crosses the plane through `point` with normal `normal`, to which it is nearly parallel.
    fn at(&self, normal: &Vector, point: &Vector) -> Vector {
        self.p + self.z * (normal.dot(&(point - self.p)) / normal.dot(&self.z))
    }

    /// Its point nearest to another.
    fn foot(&self, point: &Vector) -> Vector {
        self.p + self.z * self.z.dot(&(point - self.p))
    }

    fn pair(&self, other: &Self) -> Pair {
        let across = self.z.cross(&other.z);
        let between = other.p - self.p;
        let distance_m = across
            .try_normalize(1e-6)
            .map_or_else(|| between.cross(&self.z).norm(), |normal| between.dot(&normal).abs());
        Pair { angle_rad: across.norm().atan2(self.z.dot(&other.z).abs()), distance_m }
    }
}

/// The point with the least sum of squared distances from lines, and the largest of those distances.
fn meeting(lines: &[Line]) -> Option<(Vector, f64)> {
    let (mut m, mut b) = (Matrix3::zeros(), Vector::zeros());
    for line in lines {
        let off = Matrix3::identity() - line.z * line.z.transpose();
        m += off;
        b += off * line.p;
    }
    let point = m.try_inverse()? * b;
    let miss = |line: &Line| (point - line.p).cross(&line.z).norm();
    Some((point, lines.iter().map(miss).fold(0.0, f64::max)))
}

/// `v` without its part along the unit vector `of`, of length one.
fn across(v: &Vector, of: &Vector) -> Option<Vector> {
    (v - of * of.dot(v)).try_normalize(1e-3)
}

pub(crate) fn classify(chain: &Chain) -> (Explanation, Option<Ideal>) {
    let (mut lines, mut count) = ([Line { z: Vector::z(), p: Vector::zeros() }; MAX_JOINTS], 0);
    let (_, axes) = chain.frame_and_axes::<Plain>(&[]);
    for (line, (z, p)) in lines.iter_mut().zip(axes).take(chain.links().len()) {
        *line = Line { z: Vector::from(z), p: Vector::from(p) };
        count += 1;
    }
    let lines = &lines[..count];
    let mut explanation = Explanation {
        class: Class::Numeric,
        reason: Reason::Joints(chain.len()),
        pairs: [Pair::default(); MAX_JOINTS],
        pair_count: count.saturating_sub(1),
        wrist_miss_m: 0.0,
        ideal: None,
        mismatch: PoseError::default(),
        tolerance_rad: TOLERANCE_RAD,
        tolerance_m: 0.0,
    };
    for (pair, two) in explanation.pairs.iter_mut().zip(lines.windows(2)) {
        *pair = two[0].pair(&two[1]);
    }
    let ideal = closed_form(chain, lines, &mut explanation);
    match ideal {
        Ok(ideal) => (explanation, Some(ideal)),
        Err(reason) => {
            (explanation.class, explanation.reason) = (Class::Numeric, reason);
            (explanation, None)
        }
    }
}

fn closed_form(
    chain: &Chain,
    lines: &[Line],
    explanation: &mut Explanation,
) -> Result<Ideal, Reason> {
    for (index, link) in chain.links().iter().enumerate() {
        if link.multiplier != 1.0 || link.offset != 0.0 || link.of != index {
            return Err(Reason::Follows(index));
        }
        if link.kind == Kind::Prismatic {
            return Err(Reason::Slides(index));
        }
    }
    let &[one, two, three, four, five, six] = lines else {
        return Err(Reason::Joints(chain.len()));
    };
    let (wrist, miss) = meeting(&[four, five, six]).unwrap_or((five.p, f64::INFINITY));
    explanation.wrist_miss_m = miss;
    // The class that the angles are nearer to; its worst angle tells whether they are near enough.
    let square = core::f64::consts::FRAC_PI_2;
    let wants = [[square, 0.0, square, square, square], [square, 0.0, 0.0, square, square]];
    let worst = wants.map(|want| {
        let mut worst = (0, 0.0);
        for (joint, (pair, want)) in explanation.pairs().iter().zip(want).enumerate() {
            let off = (pair.angle_rad - want).abs();
            if off > worst.1 {
                worst = (joint, off);
            }
        }
        worst
    });
    let parallel = worst[1].1 < worst[0].1;
    let (joint, off_rad) = worst[usize::from(parallel)];
    if off_rad > TOLERANCE_RAD {
        return Err(Reason::Angle { joint, off_rad });
    }
    // The plane of the arm: across axis 1, as parallel to the axes within it as it can be.
    let toward = |line: &Line| line.z * two.z.dot(&line.z).signum();
    let mean = two.z + toward(&three) + if parallel { toward(&four) } else { Vector::zeros() };
    let h = across(&mean, &one.z).ok_or(Reason::Angle { joint: 0, off_rad })?;
    let (wrist, miss) =
        if parallel { meeting(&[five, six]).unwrap_or((five.p, miss)) } else { (wrist, miss) };
    // The arm carries a point of the wrist's first axis, which that axis does not move; the tool is seen from a point of
    // its last, for the same reason. How far the two are apart is the whole mismatch of such a wrist.
    let (last_point, wrist) =
        (six.foot(&wrist), if parallel { five.foot(&wrist) } else { four.foot(&wrist) });
    let p2 = two.at(&h, &wrist);
    let p3 = three.at(&h, &wrist);
    let p4 = if parallel { four.at(&h, &wrist) } else { wrist };
    let (upper, fore) = ((p3 - p2).norm(), (p4 - p3).norm());
    explanation.tolerance_m = TOLERANCE_PART * (upper + fore);
    if miss > explanation.tolerance_m {
        return Err(Reason::Wrist { miss_m: miss });
    }
    if upper.min(fore) < 4.0 * explanation.tolerance_m {
        return Err(Reason::Short { length_m: upper.min(fore) });
    }
    // The frame of the arm at zero, on axis 1 at the height of axis 2.
    let x = h.cross(&one.z);
    let origin = one.p + one.z * one.z.dot(&(p2 - one.p));
    let base = Matrix3::from_columns(&[x, h, one.z]);
    let flat = |v: Vector| {
        let v = base.transpose() * v;
        [v.z, v.x]
    };
    // The wrist as a rotation about z, then y, then z, of a frame whose first z is axis 4 (or the common direction of
    // the three parallel axes) and whose y at zero is axis 5.
    let last =
        if parallel { h } else { across(&four.z, &h).ok_or(Reason::Wrist { miss_m: miss })? };
    let start = if parallel {
        Matrix3::from_columns(&[one.z, x, h])
    } else {
        Matrix3::from_columns(&[h.cross(&last), h, last])
    };
    let refuse = Reason::Wrist { miss_m: miss };
    let z5 = across(&five.z, &last).ok_or(refuse)?;
    let z6 = across(&six.z, &z5).ok_or(refuse)?;
    let first = start.transpose() * z5;
    let turn_first = (-first.x).atan2(first.y);
    let x5 = z5.cross(&last);
    let turn_second = z6.dot(&x5).atan2(z6.dot(&last));
    let end = Matrix3::from_columns(&[z5.cross(&z6), z5, z6]);
    let tool = chain.x_base_tool(&[0.0; 6]);
    let tool_r = tool.rotation.to_rotation_matrix();
    // Joint 2 turns about `h` by its choice of sign.
    let (sign3, sign4) = (three.z.dot(&h).signum(), four.z.dot(&h).signum());
    let wrist_in_tool = tool_r.transpose() * (last_point - tool.translation.vector);
    let mut ideal = Ideal::of(&Measures {
        parallel,
        base: rows(&base.transpose()),
        origin: (base.transpose() * origin).into(),
        wrist_in_tool: wrist_in_tool.into(),
        end: rows(&(tool_r.transpose() * end)),
        shoulder: x.dot(&(p2 - origin)),
        side: h.dot(&(wrist - origin)),
        upper: flat(p3 - p2),
        fore: flat(p4 - p3),
        hand: flat(wrist - p4),
        axis4: flat(last),
        turn_first,
        turn_second,
        sign3,
        sign4: if parallel { sign4 } else { 1.0 },
    });
    explanation.class = if parallel { Class::ThreeParallel } else { Class::OrthoParallel };
    explanation.reason = Reason::Fits;
    explanation.ideal = Some(Figures {
        shoulder_offset_m: x.dot(&(p2 - origin)),
        side_offset_m: h.dot(&(wrist - origin)),
        upper_arm_m: upper,
        forearm_m: fore,
        wrist_offset_m: (wrist - p4).norm(),
        tool_m: wrist_in_tool.norm(),
    });
    let z = [one.z, h, h * sign3, if parallel { h * sign4 } else { last }, z5, z6];
    let p = [origin, p2, p3, p4, wrist, wrist];
    let shift = Translation3::from(wrist - last_point);
    explanation.mismatch = mismatch(chain, &z, &p, &(shift * tool));
    ideal.mismatch_rad =
        explanation.mismatch.angle_rad + explanation.mismatch.position_m / upper.min(fore);
    Ok(ideal)
}

/// Largest difference of the exact arm from the one with axes `z` through `p` and the tool at `home` at zero, over a
/// lattice of joints.
fn mismatch(chain: &Chain, z: &[Vector; 6], p: &[Vector; 6], home: &Isometry3<f64>) -> PoseError {
    let mut worst = PoseError::default();
    for sample in 0_u32..64 {
        let mut x = Isometry3::identity();
        let mut q = [0.0; 6];
        for k in 0..6 {
            // Kronecker's lattice with square roots of primes: even, and the same on every machine.
            let part = (f64::from(sample + 1) * [2_f64, 3., 5., 7., 11., 13.][k].sqrt()).fract();
            let (low, high) = (chain.position_min[k].max(-4.0), chain.position_max[k].min(4.0));
            q[k] = low + part * (high - low);
            let turn = UnitQuaternion::from_axis_angle(&Unit::new_normalize(z[k]), q[k]);
            let shift = Translation3::from(p[k] - turn * p[k]);
            x *= Isometry3::from_parts(shift, turn);
        }
        let error = chain.error(&q, &(x * home));
        worst.position_m = worst.position_m.max(error.position_m);
        worst.angle_rad = worst.angle_rad.max(error.angle_rad);
    }
    worst
}

/// Row-major.
pub(crate) fn rows(m: &Matrix3<f64>) -> [[f64; 3]; 3] {
    let row = |i: usize| [m[(i, 0)], m[(i, 1)], m[(i, 2)]];
    [row(0), row(1), row(2)]
}
