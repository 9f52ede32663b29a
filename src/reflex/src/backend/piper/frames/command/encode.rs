use super::{
    Command, GripperCommand, JointSetup, Light, LimitSetup, ModeCommand, Motion, ParameterSetup,
    Role, Servo, check, check::DO,
};
use crate::backend::piper::frames::{
    Code, EndLimits, FieldError, Frame, GripperSetup, Homing, Mit, Motors, PosePart,
    bytes::{eight, four, padded, two},
};

pub(super) fn frame(command: &Command) -> Result<Frame, FieldError> {
    check::sent(command)?;
    Ok(match *command {
        Command::Light(Light { on, joint, led, rgb: [r, g, b], count }) => {
            eight(0x121, [u8::from(on), joint.number(), led, r, g, b, 0, count])
        }
        Command::Motion(motion) => stop(motion),
        Command::Mode(mode) => mode_of(mode),
        Command::Pose(part) => pose(0x152, part),
        Command::JointPair { first, mdeg } => two(0x155 + first as u16, mdeg),
        Command::Arc(point) => padded(0x158, [point.code()]),
        Command::Gripper(gripper) => gripper_of(gripper),
        Command::Mit(Mit { joint, wire }) => eight(0x15A + joint.index() as u16, wire),
        Command::Servo(servo) => servo_of(servo),
        Command::Homing(homing) => padded(0x191, home(homing)),
        Command::Role(Role { linkage, feedback, control, target }) => {
            padded(0x470, [linkage.code(), feedback.code(), control.code(), target.code()])
        }
        Command::Power { motors, on } => padded(0x471, [power(motors), 1 + u8::from(on)]),
        Command::AskLimits { motor, kind } => padded(0x472, [motor.number(), kind.code()]),
        Command::SetLimits(limits) => limits_of(limits),
        Command::SetJoint(setup) => joint_setup(setup),
        Command::SetParameters(setup) => parameters(setup),
        Command::SetEnd(limits) => end(0x479, limits),
        Command::SetCollision { levels } => padded(0x47A, levels),
        Command::SetGripper(setup) => gripper_setup(0x47D, setup),
        Command::Assist { ratings } => padded(0x487, ratings),
        Command::AskFirmware => padded(0x4AF, [1]),
    })
}

fn stop(motion: Motion) -> Frame {
    let Motion { stop, track, teach, point, name, crc } = motion;
    let ([name_high, name_low], [crc_high, crc_low]) = (name.to_be_bytes(), crc.to_be_bytes());
    let codes = [stop.code(), track.code(), teach.code(), point];
    let [stop, track, teach, point] = codes;
    eight(0x150, [stop, track, teach, point, name_high, name_low, crc_high, crc_low])
}

fn mode_of(mode: ModeCommand) -> Frame {
    let ModeCommand { control, movement, speed_percent, follow, dwell_s, mount } = mode;
    let (control, movement) = (control.code(), movement.code());
    padded(0x151, [control, movement, speed_percent, follow.code(), dwell_s, mount.code()])
}

/// A part of a pose, below an id of commands or of feedback.
pub(in crate::backend::piper::frames) fn pose(first: u16, part: PosePart) -> Frame {
    match part {
        PosePart::Xy { x_um, y_um } => two(first, [x_um, y_um]),
        PosePart::ZRx { z_um, rx_mdeg } => two(first + 1, [z_um, rx_mdeg]),
        PosePart::RyRz { ry_mdeg, rz_mdeg } => two(first + 2, [ry_mdeg, rz_mdeg]),
    }
}

fn gripper_of(gripper: GripperCommand) -> Frame {
    let GripperCommand { stroke_um, effort_mnm, enable, clear_error, set_zero } = gripper;
    let ([a, b, c, d], [e, f]) = (stroke_um.to_be_bytes(), effort_mnm.to_be_bytes());
    let code = u8::from(enable) | u8::from(clear_error) << 1;
    eight(0x159, [a, b, c, d, e, f, code, done(set_zero)])
}

/// A value of a motor's own control; feedback has it under the same id.
pub(in crate::backend::piper::frames) fn servo_of(servo: Servo) -> Frame {
    let Servo { motor, verb, value, raw } = servo;
    let ([first, second], [a, b, c, d]) = (value.letters(), raw.to_be_bytes());
    let data = [verb.letter(), first, second, a, b, c, d, 0];
    Frame { id: 0x180 + u16::from(motor.number()), len: 7, data }
}

const fn home(homing: Homing) -> [u8; 3] {
    match homing {
        Homing::Restore => [1, 0, 0],
        Homing::Leader => [1, 1, 1],
        Homing::Both => [1, 0, 1],
    }
}

const fn power(motors: Motors) -> u8 {
    match motors {
        Motors::One(joint) => joint.number(),
        Motors::Seven => 7,
        Motors::All => u8::MAX,
    }
}

fn limits_of(limits: LimitSetup) -> Frame {
    let LimitSetup { joint, max_ddeg, min_ddeg, speed_crad_s } = limits;
    let ([a, b], [c, d]) = (max_ddeg.to_be_bytes(), min_ddeg.to_be_bytes());
    let [e, f] = speed_crad_s.to_be_bytes();
    padded(0x474, [joint.number(), a, b, c, d, e, f])
}

fn joint_setup(setup: JointSetup) -> Frame {
    let [high, low] = setup.acceleration_crad_s2.to_be_bytes();
    let (zero, counts) = (done(setup.set_zero), done(setup.acceleration_counts));
    padded(0x475, [setup.motor.number(), zero, counts, high, low, done(setup.clear_error)])
}

fn parameters(setup: ParameterSetup) -> Frame {
    let ParameterSetup { query, restore, stream, load_counts, load } = setup;
    let (query, restore, stream) = (query.code(), restore.code(), stream.code());
    padded(0x477, [query, restore, stream, done(load_counts), load.code()])
}

/// Limits of the tool, as commanded or as answered.
pub(in crate::backend::piper::frames) fn end(id: u16, limits: EndLimits) -> Frame {
    let EndLimits { speed_mm_s, turn_mrad_s, acceleration_mm_s2, turn_acceleration_mrad_s2 } =
        limits;
    four(id, [speed_mm_s, turn_mrad_s, acceleration_mm_s2, turn_acceleration_mrad_s2])
}

/// Gripper and teaching handle, as commanded or as answered.
pub(in crate::backend::piper::frames) fn gripper_setup(id: u16, setup: GripperSetup) -> Frame {
    let GripperSetup { teach_percent, range_mm, teach_friction } = setup;
    padded(id, [teach_percent, range_mm, teach_friction])
}

const fn done(yes: bool) -> u8 {
    if yes { DO } else { 0 }
}
