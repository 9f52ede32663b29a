//! How chunks are asked for, delivered and joined, where it is not to be as the head's manifest says.

use std::{fmt, str::FromStr};

use motion::Seam;
use reflex::Delivery;

use crate::{head::SeamRule, skill::policy::Policy};

/// What is not to be as the head's manifest says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions {
    /// Steps executed of each chunk.
    pub execute: Option<u32>,
    /// How late answers reach the law, beyond what the stratum says.
    pub delivery: Delivery,
    /// Whether chunks are asked for as many ticks ahead as they are late: a prefetch that knows its delay.
    pub ahead: bool,
    /// How chunks are joined.
    pub joining: Option<Joining>,
}

impl Conditions {
    /// A policy under these conditions, whose chunks come so many ticks late.
    #[must_use]
    pub fn of(&self, policy: Policy, late: u32) -> Policy {
        let policy = match self.execute {
            Some(steps) => policy.executing(steps),
            None => policy,
        };
        let policy = if self.ahead { policy.led(late) } else { policy };
        match self.joining {
            None => policy,
            Some(Joining { seam, rolled: false }) => policy.joined(seam),
            Some(Joining { seam, rolled: true }) => policy.joined(seam).rolled(),
        }
    }
}

/// How chunks are joined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Joining {
    /// The method.
    pub seam: Seam,
    /// Whether observations are rolled forward to the take-over.
    pub rolled: bool,
}

/// Words that are no way to join chunks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no way to join chunks: write cut, fade:TICKS, ensemble:COEFFICIENT, prefix:TICKS, or roll:TICKS (roll the \
     state forward, then fade)"
)]
pub struct NoJoining(String);

/// Ticks of a fade that is not told how long to be.
const FADE_TICKS: u32 = 2;

impl FromStr for Joining {
    type Err = NoJoining;

    fn from_str(words: &str) -> Result<Self, NoJoining> {
        let no = || NoJoining(words.to_owned());
        let (name, figure) = words.split_once(':').map_or((words, None), |(a, b)| (a, Some(b)));
        let ticks = |otherwise: u32| match figure {
            None => Ok(otherwise),
            Some(ticks) => ticks.parse::<u8>().map(u32::from).map_err(|_| no()),
        };
        let seam = match name {
            "cut" if figure.is_none() => Seam::Cut,
            "fade" | "roll" => Seam::Fade { ticks: ticks(FADE_TICKS)? },
            "prefix" => Seam::Prefix { ticks: ticks(0)? },
            "ensemble" => {
                let coefficient = match figure {
                    None => SeamRule::COEFFICIENT,
                    Some(figure) => figure.parse().map_err(|_| no())?,
                };
                if !f64::is_finite(coefficient) {
                    return Err(no());
                }
                Seam::Ensemble { coefficient }
            }
            _ => return Err(no()),
        };
        Ok(Self { seam, rolled: name == "roll" })
    }
}

impl fmt::Display for Joining {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seam {
            Seam::Cut => write!(out, "cut"),
            Seam::Fade { ticks } if self.rolled => write!(out, "roll:{ticks}"),
            Seam::Fade { ticks } => write!(out, "fade:{ticks}"),
            Seam::Ensemble { coefficient } => write!(out, "ensemble:{coefficient}"),
            Seam::Prefix { ticks } => write!(out, "prefix:{ticks}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for words in ["cut", "fade:3", "ensemble:0.1", "ensemble:-0.5", "prefix:0", "roll:2"] {
            let joining: Joining = words.parse().expect("a way to join chunks");
            assert_eq!(joining.to_string(), words);
        }
        let of = |words: &str| words.parse::<Joining>().expect("it says enough").to_string();
        assert_eq!(
            ["fade", "ensemble", "prefix", "roll"].map(of),
            ["fade:2", "ensemble:0.01", "prefix:0", "roll:2"]
        );
    }

    #[test]
    fn what_is_no_way_to_join_chunks_is_refused() {
        for words in ["", "glue", "cut:1", "fade:-1", "fade:1000", "ensemble:nan", "prefix:x"] {
            let refused = words.parse::<Joining>().expect_err(words).to_string();
            assert!(refused.contains("write cut"), "{refused}");
        }
    }
}
