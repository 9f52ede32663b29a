//! Where something is, or is to go, on the command line.

use clap::{Args, ValueEnum};

/// Where the tool goes.
#[derive(Args, Debug)]
pub(in crate::ctl) struct Pose {
    /// Position in m; then, if wanted, roll, pitch, yaw in rad (R = Rz Ry Rx), or a quaternion x, y, z, w.
    #[arg(long, value_name = "X,Y,Z[,...]", value_delimiter = ',', allow_hyphen_values = true,
          value_parser = number)]
    pub(in crate::ctl) pose: Vec<f64>,
    #[command(flatten)]
    pub(in crate::ctl) frame: PoseFrame,
}

/// The same, where joints may be given instead.
#[derive(Args, Debug)]
pub(in crate::ctl) struct MaybePose {
    /// Position in m; then, if wanted, roll, pitch, yaw in rad (R = Rz Ry Rx), or a quaternion x, y, z, w.
    #[arg(long, value_name = "X,Y,Z[,...]", value_delimiter = ',', allow_hyphen_values = true,
          value_parser = number, conflicts_with_all = ["joint", "joints"])]
    pub(in crate::ctl) pose: Vec<f64>,
    #[command(flatten)]
    pub(in crate::ctl) frame: PoseFrame,
}

#[derive(Args, Debug)]
pub(in crate::ctl) struct PoseFrame {
    /// The frame that the pose is told in.
    #[arg(long, value_enum, requires = "pose")]
    pub(in crate::ctl) frame: Option<Frame>,
    /// Which arm; the robot's first, if left out.
    #[arg(long, value_name = "NAME", requires = "pose")]
    pub(in crate::ctl) arm: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::ctl) enum Frame {
    /// The arm's base.
    Base,
    /// The tool, where it is commanded to be.
    Tool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::ctl) enum Route {
    /// As fast as the joints can.
    Joints,
    /// A straight line.
    Straight,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::ctl) enum GivesWay {
    /// Slower, in the same direction.
    Time,
    /// The tool turns otherwise.
    Orientation,
}

#[derive(Args, Debug)]
pub(in crate::ctl) struct Speed {
    /// Fraction of the planned motion's speed limit, in (0, 1].
    #[arg(long)]
    pub(in crate::ctl) speed: Option<f64>,
}

#[derive(Args, Debug)]
pub(in crate::ctl) struct Target {
    /// Where, in metres in the robot's base frame.
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, value_parser = point)]
    pub(in crate::ctl) target: [f64; 3],
    #[command(flatten)]
    pub(in crate::ctl) shape: TargetShape,
}

#[derive(Args, Debug)]
pub(in crate::ctl) struct MaybeTarget {
    /// Where, in metres in the robot's base frame.
    #[arg(long, value_name = "X,Y,Z", allow_hyphen_values = true, value_parser = point)]
    pub(in crate::ctl) target: Option<[f64; 3]>,
    #[command(flatten)]
    pub(in crate::ctl) shape: TargetShape,
}

#[derive(Args, Debug)]
pub(in crate::ctl) struct TargetShape {
    /// The target's radius in metres.
    #[arg(long, requires = "target")]
    pub(in crate::ctl) radius: Option<f64>,
    /// Fraction of full speed, in (0, 1].
    #[arg(long, requires = "target")]
    pub(in crate::ctl) speed_hint: Option<f64>,
}

pub(super) fn number(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("{text:?} is no number"))?;
    if value.is_finite() { Ok(value) } else { Err(format!("{text:?} is not finite")) }
}

pub(super) fn joint(text: &str) -> Result<(String, f64), String> {
    let (name, position) = text.split_once('=').ok_or("want NAME=POSITION, such as joint1=0.2")?;
    Ok((name.to_owned(), number(position)?))
}

pub(super) fn point(text: &str) -> Result<[f64; 3], String> {
    let values = text.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
    values.try_into().map_err(|_| "want three numbers, X,Y,Z, such as 0.3,0.1,0.02".to_owned())
}
