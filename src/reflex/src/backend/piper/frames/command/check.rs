//! What fields allow: almost the same for what is sent and for what is heard.

use super::{Command, GripperCommand, JointSetup, LimitSetup, ModeCommand, Servo, ServoVerb};
use crate::backend::piper::frames::{
    Code, ControlMode, FieldError, GripperSetup, LEAVE,
    bytes::{check, out_of},
};

/// The byte that means "do it" in a good many fields.
pub(super) const DO: u8 = 0xAE;

/// Whether a command that was heard can be one. A leading arm's effort has a sign, ours has not.
pub(super) fn heard(command: &Command) -> Result<(), FieldError> {
    match *command {
        Command::Gripper(GripperCommand { effort_mnm, .. }) if effort_mnm < 0 => {
            check(effort_mnm >= -5000, "gripper effort (mN m)", effort_mnm)
        }
        _ => sent(command),
    }
}

/// Whether every field of a command allows its value. Fields that a type already bounds are not looked at again.
pub(super) fn sent(command: &Command) -> Result<(), FieldError> {
    match *command {
        Command::Mode(mode) => mode_command(mode),
        Command::Gripper(GripperCommand { effort_mnm, .. }) => {
            check((0..=5000).contains(&effort_mnm), "gripper effort (mN m)", effort_mnm)
        }
        Command::Servo(Servo { verb: ServoVerb::Answer, .. }) => Err(out_of("verb", b'a')),
        Command::SetLimits(LimitSetup { speed_crad_s: speed, .. }) => {
            check(speed <= 3000 || speed == LEAVE, "joint speed (0.01 rad/s)", speed)
        }
        Command::SetJoint(JointSetup { acceleration_crad_s2: acceleration, .. }) => {
            let allowed = acceleration <= 500 || acceleration == LEAVE;
            check(allowed, "joint acceleration (0.01 rad/s^2)", acceleration)
        }
        Command::SetCollision { levels } => levels
            .into_iter()
            .try_for_each(|level| check(level <= 8 || level == u8::MAX, "collision level", level)),
        Command::SetGripper(setup) => gripper_setup(setup),
        _ => Ok(()),
    }
}

fn mode_command(mode: ModeCommand) -> Result<(), FieldError> {
    let reported_only =
        matches!(mode.control, ControlMode::Teach | ControlMode::Remote | ControlMode::Linkage);
    check(!reported_only, "control mode", mode.control.code())?;
    check(mode.speed_percent <= 100, "speed (%)", mode.speed_percent)
}

fn gripper_setup(setup: GripperSetup) -> Result<(), FieldError> {
    let GripperSetup { teach_percent, range_mm, teach_friction } = setup;
    check((100..=200).contains(&teach_percent), "teaching stroke (%)", teach_percent)?;
    check(matches!(range_mm, 0 | 70 | 100), "gripper range (mm)", range_mm)?;
    check((1..=10).contains(&teach_friction), "teaching friction", teach_friction)
}
