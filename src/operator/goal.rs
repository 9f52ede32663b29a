//! Where an operator wants a robot to go, and how. Metres, radians, seconds.

use std::collections::BTreeMap;

use arm::nalgebra::{UnitQuaternion, Vector3};

/// Where to go.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// Joint name to position, rad or m; joints that are not named stay.
    Joints(BTreeMap<String, f64>),
    /// An arm's tool.
    Tool(ToolGoal),
}

/// Where a tool is to go.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolGoal {
    /// Which arm; the first, if left out.
    pub arm: Option<String>,
    /// The frame that position and orientation are told in.
    pub frame: Frame,
    /// Where its origin goes, m.
    pub position_m: Vector3<f64>,
    /// How it is turned; as it is, if left out.
    pub orientation: Option<UnitQuaternion<f64>>,
    /// The way there.
    pub route: Route,
}

/// The frame that a pose or a velocity is told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frame {
    /// The arm's base.
    #[default]
    Base,
    /// The tool, where it is commanded to be at that moment.
    Tool,
}

/// The way of a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Route {
    /// Whatever the joints' fastest motion makes of it.
    #[default]
    Joints,
    /// A straight line, turning evenly.
    Straight,
    /// The arc of a circle through this point, in the goal's frame, m.
    Circular {
        /// Which the tool's origin passes.
        via_m: Vector3<f64>,
    },
}

/// A motion that goes on for as long as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Jog {
    /// Joint name to velocity, rad/s or m/s; joints that are not named rest.
    Joints(BTreeMap<String, f64>),
    /// An arm's tool.
    Tool(ToolVelocity),
}

/// How a tool is to move.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolVelocity {
    /// Which arm; the first, if left out.
    pub arm: Option<String>,
    /// The frame that the velocities are told in. Both are the tool's origin's.
    pub frame: Frame,
    /// m/s.
    pub linear_m_s: [f64; 3],
    /// rad/s, about these axes.
    pub angular_rad_s: [f64; 3],
    /// What gives way where the joints cannot follow.
    pub gives_way: Yield,
}

/// What gives way where the joints cannot follow a tool's velocity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Yield {
    /// The speed: the direction is kept.
    #[default]
    Time,
    /// The orientation: the tool's origin keeps its velocity.
    Orientation,
}

/// How could this pose be reached?
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The pose. Its route is not looked at.
    pub goal: ToolGoal,
    /// Joint name to position, to start from; joints that are not named are where they are commanded to be.
    pub from: BTreeMap<String, f64>,
}
