//! The kinematics of one serial arm: where its tool is, and which joints put it there.
//!
//! Metres, radians, seconds. Poses are named in monogram form: `x_base_tool` maps tool coordinates to base coordinates.
//! Nothing here but [`plan`] allocates, and nothing panics on bad numbers, or reads a clock.

#![allow(clippy::needless_range_loop, reason = "one index runs through several arrays at once")]
#![allow(clippy::neg_cmp_op_on_partial_ord, reason = "not a number must take the safe way")]

mod answer;
mod chain;
mod classify;
mod closed;
mod dispatch;
mod every;
mod ideal;
mod inverse;
mod lanes;
mod line;
mod math;
mod nearest;
mod num;
mod numeric;
mod path;
mod servo;
mod six;
mod sweep;
mod vector;

pub use answer::{Answer, Branch, Hold, PoseError, Search};
pub use chain::{Chain, ChainError, Jacobian, Joint, Kind, Value};
pub use classify::{Class, Explanation, Figures, Pair, Reason};
pub use inverse::{Arm, MAX_SOLUTIONS, Options, Solution, Solutions};
pub use line::{Arc, Heading, Line, LineError, PathLimits, Peaks, TimeLaw, ToolPath};
pub use path::{PathError, plan};
pub use servo::{Axes, Bound, Servo, Step, Wish, Yield};
pub use vector::{JointVector, MAX_JOINTS};

pub use nalgebra;

// So that unit tests can share the arms of `tests/support`, which know this crate by its name.
#[cfg(test)]
extern crate self as arm;
