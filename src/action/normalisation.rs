//! How a head's numbers are scaled, and back: each formula with the epsilon and the clipping of the code it was trained with.
//!
//! A trainer divides by a standard deviation or a range, and keeps it from being zero in a way of its own. Whoever runs the
//! head has to undo exactly that: an epsilon of 1e-6 is nothing to an arm's joint, and everything to a column that hardly
//! moved in the data. Formulas and sources: docs/actions.md.

use serde::Deserialize;

/// LeRobot's epsilon: added to a standard deviation on the way in only, in place of a range of zero both ways.
const LEROBOT_EPSILON: f64 = 1e-8;
/// openpi's: added both ways, to standard deviations and to ranges.
const OPENPI_EPSILON: f64 = 1e-6;
/// OpenVLA's: added to a range on the way in only.
const OPENVLA_EPSILON: f64 = 1e-8;

/// How the numbers of a group of columns become values, rad or m. Every list has one number for each column.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Normalisation {
    /// -1 is `min`, +1 is `max`, linear between them and beyond.
    Range(MinMax),
    /// LeRobot's `MEAN_STD`.
    LerobotMeanStd(MeanStd),
    /// LeRobot's `MIN_MAX`.
    LerobotMinMax(MinMax),
    /// LeRobot's `QUANTILES`.
    LerobotQuantiles(Quantiles),
    /// LeRobot's `QUANTILE10`.
    LerobotQuantile10(Deciles),
    /// openpi's normalisation of pi0.
    OpenpiZScore(MeanStd),
    /// openpi's normalisation of every other model.
    OpenpiQuantile(Quantiles),
    /// OpenVLA's `bounds_q99`.
    OpenvlaBoundsQ99(MaskedQuantiles),
    /// A number is clipped to -1..1 and then counts in halves of a range from its centre: Fire Boy's `ActionCoder`.
    CentreHalf(CentreHalf),
}

/// Smallest and largest value of the data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinMax {
    /// The value of -1.
    pub min: Vec<f64>,
    /// The value of +1.
    pub max: Vec<f64>,
}

/// Mean and standard deviation of the data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanStd {
    /// The value of 0.
    pub mean: Vec<f64>,
    /// How much a step of 1 is.
    pub std: Vec<f64>,
}

/// 1st and 99th percentile of the data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// The value of -1.
    pub q01: Vec<f64>,
    /// The value of +1.
    pub q99: Vec<f64>,
}

/// 10th and 90th percentile of the data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deciles {
    /// The value of -1.
    pub q10: Vec<f64>,
    /// The value of +1.
    pub q90: Vec<f64>,
}

/// 1st and 99th percentile, and which columns they count for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedQuantiles {
    /// The value of -1.
    pub q01: Vec<f64>,
    /// The value of +1.
    pub q99: Vec<f64>,
    /// Columns that are normalised; the numbers of the others are their values. Absent: all are.
    pub mask: Option<Vec<bool>>,
}

/// Centre and half-width of a range.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentreHalf {
    /// The value of 0.
    pub centre: Vec<f64>,
    /// How far -1 and +1 are from it.
    pub half: Vec<f64>,
}

/// One column's way between numbers and values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// The number is the value.
    Same,
    /// `number * scale + offset`, and back `(value - offset) / divisor`.
    Affine {
        /// Value per number.
        scale: f64,
        /// The same on the way back, which has an epsilon of its own.
        divisor: f64,
        /// The value of 0.
        offset: f64,
    },
    /// `low + (number + 1) / 2 * width`, and back `2 (value - low) / divisor - 1`.
    Span {
        /// The value of -1.
        low: f64,
        /// From there to the value of +1.
        width: f64,
        /// The same on the way back.
        divisor: f64,
        /// On the way back the number ends at -1 and +1, and is 0 where the data never moved.
        clips: bool,
    },
    /// `centre + clip(number) * half`, and back `clip((value - centre) / half)`.
    Clipped {
        /// The value of 0.
        centre: f64,
        /// From there to the values of -1 and +1.
        half: f64,
    },
}

impl Scale {
    fn span(low: f64, high: f64) -> Self {
        let width = high - low;
        Self::Span { low, width, divisor: width, clips: false }
    }

    fn lerobot_span(low: f64, high: f64) -> Self {
        let width = if high - low == 0.0 { LEROBOT_EPSILON } else { high - low };
        Self::Span { low, width, divisor: width, clips: false }
    }

    /// The value of a head's number. It is not clamped unless the method says so: a head that asks for more than it was
    /// trained for is the law's business, which clamps it and says so; hidden here, nobody would see it.
    #[must_use]
    pub fn decode(&self, number: f64) -> f64 {
        match *self {
            Self::Same => number,
            Self::Affine { scale, offset, .. } => number * scale + offset,
            Self::Span { low, width, .. } => low + (number + 1.0) * 0.5 * width,
            // A NaN stays one: `max` and `min` would make a motion of it.
            Self::Clipped { centre, half } => centre + number.clamp(-1.0, 1.0) * half,
        }
    }

    /// The number that a trainer shows a head for a value.
    #[must_use]
    pub fn encode(&self, value: f64) -> f64 {
        match *self {
            Self::Same => value,
            Self::Affine { divisor, offset, .. } => (value - offset) / divisor,
            Self::Span { width: 0.0, clips: true, .. } => 0.0,
            Self::Span { low, divisor, clips, .. } => {
                let number = 2.0 * (value - low) / divisor - 1.0;
                if clips { number.clamp(-1.0, 1.0) } else { number }
            }
            Self::Clipped { centre, half } => ((value - centre) / half).clamp(-1.0, 1.0),
        }
    }
}

/// A list of a normalisation: the key that it has in a manifest, and its numbers.
type List<'a> = (&'static str, &'a [f64]);

impl Normalisation {
    /// Its two lists, the lower one first where one is.
    #[must_use]
    pub fn lists(&self) -> [List<'_>; 2] {
        match self {
            Self::Range(of) | Self::LerobotMinMax(of) => [("min", &of.min), ("max", &of.max)],
            Self::LerobotMeanStd(of) | Self::OpenpiZScore(of) => {
                [("mean", &of.mean), ("std", &of.std)]
            }
            Self::LerobotQuantiles(of) | Self::OpenpiQuantile(of) => {
                [("q01", &of.q01), ("q99", &of.q99)]
            }
            Self::LerobotQuantile10(of) => [("q10", &of.q10), ("q90", &of.q90)],
            Self::OpenvlaBoundsQ99(of) => [("q01", &of.q01), ("q99", &of.q99)],
            Self::CentreHalf(of) => [("centre", &of.centre), ("half", &of.half)],
        }
    }

    /// Which columns it counts for, if it says so.
    #[must_use]
    pub fn mask(&self) -> Option<&[bool]> {
        match self {
            Self::OpenvlaBoundsQ99(of) => of.mask.as_deref(),
            _ => None,
        }
    }

    /// Each of `width` columns' own scale; `None` if a list has another length.
    #[must_use]
    pub fn scales(&self, width: usize) -> Option<Vec<Scale>> {
        let [(_, low), (_, high)] = self.lists();
        let mask = self.mask();
        if low.len() != width || high.len() != width || mask.is_some_and(|mask| mask.len() != width)
        {
            return None;
        }
        let counts = |at: usize| mask.is_none_or(|mask| mask[at]);
        let each = low.iter().zip(high).enumerate();
        Some(each.map(|(at, (&low, &high))| self.scale(low, high, counts(at))).collect())
    }

    /// The scale of a column whose two numbers are these.
    fn scale(&self, a: f64, b: f64, counts: bool) -> Scale {
        match self {
            Self::Range(_) => Scale::span(a, b),
            Self::LerobotMeanStd(_) => {
                Scale::Affine { offset: a, scale: b, divisor: b + LEROBOT_EPSILON }
            }
            Self::LerobotMinMax(_) | Self::LerobotQuantiles(_) | Self::LerobotQuantile10(_) => {
                Scale::lerobot_span(a, b)
            }
            Self::OpenpiZScore(_) => {
                let scale = b + OPENPI_EPSILON;
                Scale::Affine { offset: a, scale, divisor: scale }
            }
            Self::OpenpiQuantile(_) => {
                let width = b - a + OPENPI_EPSILON;
                Scale::Span { low: a, width, divisor: width, clips: false }
            }
            Self::OpenvlaBoundsQ99(_) if !counts => Scale::Same,
            Self::OpenvlaBoundsQ99(_) => {
                let width = b - a;
                Scale::Span { low: a, width, divisor: width + OPENVLA_EPSILON, clips: true }
            }
            Self::CentreHalf(_) => Scale::Clipped { centre: a, half: b },
        }
    }
}
