//! Where something is, seen from somewhere else: differences, distances, bearings.

use motion::Ask;
use serde::Deserialize;

use super::{
    Params,
    tool::{Positions, Tool},
};

/// From where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Viewpoint<'a> {
    /// The tool of this arm, at the measured joints.
    Arm(&'a str),
    /// A body whose place these two or three measured joints are: x, y, and z if there is one.
    Joints(&'a [String]),
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// The object, where it is believed to be.
    #[default]
    Object,
    /// The decision's target.
    Target,
}

/// One number of how two places lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How far along x, m.
    Dx,
    /// Along y.
    Dy,
    /// Along z.
    Dz,
    /// How far, m.
    Distance,
    /// How far on the ground, m.
    DistanceXy,
    /// Sine of the direction on the ground, from the x axis.
    SinBearing,
    /// Its cosine.
    CosBearing,
    /// Sine of the same, from where the yaw joint points.
    SinHeading,
    /// Its cosine.
    CosHeading,
}

impl Measure {
    /// All of them, with their names.
    const ALL: [(&'static str, Self); 9] = [
        ("dx", Self::Dx),
        ("dy", Self::Dy),
        ("dz", Self::Dz),
        ("distance", Self::Distance),
        ("distance_xy", Self::DistanceXy),
        ("sin_bearing", Self::SinBearing),
        ("cos_bearing", Self::CosBearing),
        ("sin_heading", Self::SinHeading),
        ("cos_heading", Self::CosHeading),
    ];

    /// Their names.
    #[must_use]
    pub fn names() -> [&'static str; 9] {
        Self::ALL.map(|(name, _)| name)
    }

    /// The measure of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, measure)| *measure)
    }

    /// Whether a yaw joint has to be known.
    #[must_use]
    pub const fn turns(self) -> bool {
        matches!(self, Self::SinHeading | Self::CosHeading)
    }

    /// Of the way between two places. On the spot the direction is that of the x axis.
    #[must_use]
    pub fn of(self, from: [f64; 3], to: [f64; 3], yaw: f64) -> f64 {
        let [dx, dy, dz] = [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
        let bearing = || dy.atan2(dx);
        match self {
            Self::Dx => dx,
            Self::Dy => dy,
            Self::Dz => dz,
            Self::Distance => (dx * dx + dy * dy + dz * dz).sqrt(),
            Self::DistanceXy => dx.hypot(dy),
            Self::SinBearing => bearing().sin(),
            Self::CosBearing => bearing().cos(),
            Self::SinHeading => (bearing() - yaw).sin(),
            Self::CosHeading => (bearing() - yaw).cos(),
        }
    }
}

/// [`Viewpoint`], looked up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// One of the tools.
    Tool(usize),
    /// Joints; the last is `None` on the ground.
    Joints(usize, usize, Option<usize>),
}

impl Origin {
    /// Looks joints up.
    pub(super) fn joints(
        names: &[String],
        joint: impl Fn(&str) -> Option<usize>,
    ) -> Result<Self, String> {
        let find = |at: usize| {
            let name = names.get(at).map_or("", String::as_str);
            joint(name).ok_or_else(|| name.to_owned())
        };
        let z = (names.len() > 2).then(|| find(2)).transpose()?;
        Ok(Self::Joints(find(0)?, find(1)?, z))
    }

    /// Where it is. `None` if the state has fewer joints than the robot.
    pub(super) fn of(self, ask: &Ask, tools: &[Tool], seen: &mut Positions) -> Option<[f64; 3]> {
        match self {
            Self::Tool(at) => seen.place(tools, at, ask),
            Self::Joints(x, y, z) => {
                let at = |joint: usize| ask.state.position.get(joint).copied();
                Some([at(x)?, at(y)?, z.map_or(Some(0.0), at)?])
            }
        }
    }
}

/// A measure, looked up: from where to what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) origin: Origin,
    pub(super) to: To,
    pub(super) yaw: Option<usize>,
    pub(super) measure: Measure,
}

impl Way {
    /// The number. `None` if the state has fewer joints than the robot.
    pub(super) fn of(
        &self,
        ask: &Ask,
        params: &Params,
        object: [f64; 3],
        tools: &[Tool],
        seen: &mut Positions,
    ) -> Option<f64> {
        let to = match self.to {
            To::Object => object,
            To::Target => params.target(),
        };
        let yaw = match self.yaw {
            Some(joint) => ask.state.position.get(joint).copied()?,
            None => 0.0,
        };
        Some(self.measure.of(self.origin.of(ask, tools, seen)?, to, yaw))
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, SQRT_2};

    use super::*;

    #[test]
    fn every_measure_is_what_its_name_says() {
        let of = |name: &str, yaw| {
            let measure = Measure::named(name).expect("a name");
            measure.of([1.0, 1.0, 0.0], [3.0, 3.0, 1.0], yaw)
        };
        for (name, wanted) in [
            ("dx", 2.0),
            ("dy", 2.0),
            ("dz", 1.0),
            ("distance", 3.0),
            ("distance_xy", 2.0 * SQRT_2),
            ("sin_bearing", SQRT_2 / 2.0),
            ("cos_bearing", SQRT_2 / 2.0),
            ("sin_heading", -SQRT_2 / 2.0),
            ("cos_heading", SQRT_2 / 2.0),
        ] {
            let got = of(name, FRAC_PI_2);
            assert!((got - wanted).abs() < 1e-12, "{name}: {got}, not {wanted}");
        }
        assert!(of("sin_heading", FRAC_PI_4).abs() < 1e-12, "it points there");
        assert_eq!(Measure::named("dw"), None);
    }

    #[test]
    fn on_the_spot_there_is_a_direction_all_the_same() {
        let here = [0.5, -0.5, 0.0];
        assert_eq!(Measure::CosBearing.of(here, here, 0.0), 1.0);
        assert_eq!(Measure::SinBearing.of(here, here, 0.0), 0.0);
    }
}
