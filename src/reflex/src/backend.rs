//! A robot, as the loop sees it.

pub mod loopback;
#[cfg(feature = "mujoco")]
pub mod mujoco;
pub mod noisy;
pub mod piper;
pub mod swap;
pub mod troubled;

use motion::{Command, Nanos, State};

/// A robot that can be read and commanded, whatever it is made of.
///
/// Units are the robot's: rad or m, in joint order. Neither method allocates, locks, logs or blocks for longer than a
/// fraction of a period: what is not there is told through [`State::health`] and [`State::sampled_at`], not waited for.
pub trait Backend: Send {
    /// Fills in what was measured last, as of `now`. After trouble it says `Health::Lost` until the robot answers again.
    fn read(&mut self, now: Nanos, state: &mut State);

    /// Passes a command on. `Drive::Off` leaves the robot as it is: a backend never lets an arm fall, nor moves it, for
    /// want of a command.
    ///
    /// Motors are switched on by the edge from `Drive::Off` to `Drive::On`, and by nothing else: what lost its power in
    /// between says so by [`State::engaged`] and stays off until the next edge. While they come up every command is the pose
    /// that was measured. [`Command::is_stop`] is for a robot that has a stop of its own; [`Command::releases`], once, is
    /// the only thing that takes power off motors that hold something up.
    fn write(&mut self, now: Nanos, command: &Command);
}
