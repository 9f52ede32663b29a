//! Where a tool is: forward kinematics of the joints as they were measured, or as they were commanded last.
//!
//! A network learns angles from positions and positions from angles with effort and some error; a skill that is about
//! a place in the room sees the place.

use motion::Ask;
use serde::Deserialize;

use crate::kinematics::RobotArm;

/// The axes of a position, in the frame of the arm's base link.
pub const AXES: [&str; 3] = ["x", "y", "z"];

/// Whose joints a position is worked out from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joints {
    /// The measured ones.
    #[default]
    Measured,
    /// Those of the last command, which lead the measured ones by the lag of the servos.
    Commanded,
}

/// A tool that a feature names.
#[derive(Clone, Copy, Debug)]
pub struct ToolOf<'a> {
    /// The arm that carries it.
    pub arm: &'a str,
    /// Whose joints count.
    pub joints: Joints,
}

/// A tool, looked up.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub arm: RobotArm,
    pub joints: Joints,
}

/// Positions of the tools of one ask: each is worked out once, however many of its axes are seen. Enough for the arms of
/// any robot, measured and commanded; more tools than that are worked out anew for every axis.
#[derive(Default)]
pub(super) struct Positions([Option<[f64; 3]>; 8]);

impl Positions {
    /// One coordinate of tool `at` of `tools`, m. Joints that the robot lacks make it NaN, which nobody packs.
    pub(super) fn of(&mut self, tools: &[Tool], at: usize, axis: usize, ask: &Ask) -> Option<f64> {
        self.place(tools, at, ask)?.get(axis).copied()
    }

    /// All three.
    pub(super) fn place(&mut self, tools: &[Tool], at: usize, ask: &Ask) -> Option<[f64; 3]> {
        let tool = tools.get(at)?;
        let work_out = || {
            let joints = match tool.joints {
                Joints::Measured => &ask.state.position,
                Joints::Commanded => &ask.last_command,
            };
            tool.arm.x_base_tool(joints).translation.vector.into()
        };
        Some(match self.0.get_mut(at) {
            Some(slot) => *slot.get_or_insert_with(work_out),
            None => work_out(),
        })
    }
}
