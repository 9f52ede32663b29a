//! Straight and circular ways of a tool, and how they are gone along in time.
//!
//! A [`ToolPath`] gives the pose at each part `s` of the way; a [`TimeLaw`] gives `s` at each tick, from rest to rest.

mod law;

use nalgebra::{Isometry3, Translation3, Unit, UnitQuaternion, Vector3};

pub use law::{PathLimits, Peaks, TimeLaw};

/// Why there is no way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError {
    /// A number is not finite, or an orientation is none.
    NotFinite,
    /// It leads nowhere: neither the position nor the orientation changes.
    Nowhere,
    /// The orientations are half a turn apart, and which way to turn is not told.
    HalfTurn,
    /// The three points of an arc are on one line, or two of them are one.
    Collinear,
    /// The arc's centre is under the tool, or its axis has no direction.
    Centre,
    /// A limit, or the period, is not a positive finite number.
    Limits,
    /// It would take more than [`TimeLaw::TICKS_MAX`] ticks.
    TooLong,
}

/// A way of a tool.
pub trait ToolPath {
    /// The tool in the base frame at part `s` of the way; below 0 its start, above 1 its end.
    fn pose_at(&self, s: f64) -> Isometry3<f64>;
    /// How far the tool's origin goes, m. It goes evenly over `s`.
    fn length_m(&self) -> f64;
    /// How far the tool turns, rad. It turns evenly over `s`, about one axis.
    fn angle_rad(&self) -> f64;
    /// Radius of the curve, m; infinite where it is straight.
    fn radius_m(&self) -> f64 {
        f64::INFINITY
    }
}

/// Straight on, turning about one axis (spherical linear interpolation).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    from: Isometry3<f64>,
    move_m: Vector3<f64>,
    turn_rad: Vector3<f64>,
}

impl Line {
    /// From one `x_base_tool` to another.
    ///
    /// # Errors
    /// The poses are no poses, are the same, or are half a turn apart.
    pub fn new(from: &Isometry3<f64>, to: &Isometry3<f64>) -> Result<Self, LineError> {
        let (from, to) = (checked(from)?, checked(to)?);
        let line = Self {
            from,
            move_m: to.translation.vector - from.translation.vector,
            turn_rad: turn(&from.rotation, &to.rotation)?,
        };
        if line.length_m() < SMALL && line.angle_rad() < SMALL {
            return Err(LineError::Nowhere);
        }
        Ok(line)
    }
}

impl ToolPath for Line {
    fn pose_at(&self, s: f64) -> Isometry3<f64> {
        let s = part(s);
        let position = self.from.translation.vector + self.move_m * s;
        Isometry3::from_parts(position.into(), turned(&self.from.rotation, &self.turn_rad, s))
    }

    fn length_m(&self) -> f64 {
        self.move_m.norm()
    }

    fn angle_rad(&self) -> f64 {
        self.turn_rad.norm()
    }
}

/// What the tool's orientation does on an arc about a centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// It stays.
    Fixed,
    /// It turns with the arc, as if the tool were on a turntable.
    Turning,
}

/// A part of a circle, or several of its turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arc {
    from: Isometry3<f64>,
    centre: Vector3<f64>,
    axis: Unit<Vector3<f64>>,
    /// About the axis, right-handed.
    sweep_rad: f64,
    turn_rad: Vector3<f64>,
}

impl Arc {
    /// From one `x_base_tool` to another, the tool's origin passing a point `via_m` of the base frame on the way.
    ///
    /// The orientation turns about one axis, as a [`Line`]'s.
    ///
    /// # Errors
    /// The poses are no poses, the points are on one line, or the orientations are half a turn apart.
    pub fn through(
        from: &Isometry3<f64>,
        via_m: &Vector3<f64>,
        to: &Isometry3<f64>,
    ) -> Result<Self, LineError> {
        let (from, to) = (checked(from)?, checked(to)?);
        if !via_m.iter().all(|value| value.abs() < FAR) {
            return Err(LineError::NotFinite);
        }
        let start = from.translation.vector;
        let (a, b) = (via_m - start, to.translation.vector - start);
        let normal = a.cross(&b);
        let longest = a.norm().max(b.norm()).max((b - a).norm());
        // Flatter than a part in a million: the centre would be rounding.
        if normal.norm() <= 1e-6 * longest * longest || longest < SMALL {
            return Err(LineError::Collinear);
        }
        // The centre of the circle through 0, a and b.
        let offset = (b * a.norm_squared() - a * b.norm_squared()).cross(&normal)
            / (2.0 * normal.norm_squared());
        let axis = Unit::new_normalize(normal);
        let (x, end) = (-offset, b - offset);
        let sweep = axis.cross(&x).dot(&end).atan2(x.dot(&end));
        let sweep_rad = if sweep <= 0.0 { sweep + core::f64::consts::TAU } else { sweep };
        let turn_rad = turn(&from.rotation, &to.rotation)?;
        Ok(Self { from, centre: start + offset, axis, sweep_rad, turn_rad })
    }

    /// From an `x_base_tool` by an angle about an axis through a centre, both in the base frame; right-handed, and as many
    /// turns as the angle has.
    ///
    /// # Errors
    /// A number is not finite, the axis has no direction or passes through the tool, or the angle is none.
    pub fn about(
        from: &Isometry3<f64>,
        centre_m: &Vector3<f64>,
        axis: &Vector3<f64>,
        angle_rad: f64,
        heading: Heading,
    ) -> Result<Self, LineError> {
        let from = checked(from)?;
        let numbers = centre_m.iter().chain(axis.iter()).chain([&angle_rad]);
        if !numbers.into_iter().all(|value| value.abs() < FAR) {
            return Err(LineError::NotFinite);
        }
        let axis = Unit::try_new(*axis, 1e-9).ok_or(LineError::Centre)?;
        // The foot of the tool on the axis.
        let arm = from.translation.vector - centre_m;
        let centre = centre_m + axis.into_inner() * axis.dot(&arm);
        if (from.translation.vector - centre).norm() < SMALL {
            return Err(LineError::Centre);
        }
        if angle_rad.abs() < SMALL {
            return Err(LineError::Nowhere);
        }
        let turn_rad = match heading {
            Heading::Fixed => Vector3::zeros(),
            Heading::Turning => axis.into_inner() * angle_rad,
        };
        Ok(Self { from, centre, axis, sweep_rad: angle_rad, turn_rad })
    }
}

impl ToolPath for Arc {
    fn pose_at(&self, s: f64) -> Isometry3<f64> {
        let s = part(s);
        let spoke = self.from.translation.vector - self.centre;
        let swept = UnitQuaternion::from_axis_angle(&self.axis, s * self.sweep_rad) * spoke;
        let position = Translation3::from(self.centre + swept);
        Isometry3::from_parts(position, turned(&self.from.rotation, &self.turn_rad, s))
    }

    fn length_m(&self) -> f64 {
        self.radius_m() * self.sweep_rad.abs()
    }

    fn angle_rad(&self) -> f64 {
        self.turn_rad.norm()
    }

    fn radius_m(&self) -> f64 {
        (self.from.translation.vector - self.centre).norm()
    }
}

/// Metres or radians that are no way.
const SMALL: f64 = 1e-9;
/// Metres or radians that are no workplace of an arm.
const FAR: f64 = 1e4;

fn part(s: f64) -> f64 {
    // Not a number is the start.
    if s > 0.0 { s.min(1.0) } else { 0.0 }
}

fn checked(x: &Isometry3<f64>) -> Result<Isometry3<f64>, LineError> {
    let whole = (x.rotation.norm_squared() - 1.0).abs() < 1e-3;
    if !whole || !x.translation.vector.iter().all(|value| value.abs() < FAR) {
        return Err(LineError::NotFinite);
    }
    let rotation = UnitQuaternion::new_normalize(*x.rotation);
    Ok(Isometry3::from_parts(x.translation, rotation))
}

/// The rotation vector, in the base frame, that turns one orientation into another.
fn turn(from: &UnitQuaternion<f64>, to: &UnitQuaternion<f64>) -> Result<Vector3<f64>, LineError> {
    let turn = (to * from.inverse()).scaled_axis();
    if turn.norm() > core::f64::consts::PI - 1e-6 { Err(LineError::HalfTurn) } else { Ok(turn) }
}

fn turned(from: &UnitQuaternion<f64>, turn_rad: &Vector3<f64>, s: f64) -> UnitQuaternion<f64> {
    UnitQuaternion::from_scaled_axis(turn_rad * s) * from
}
