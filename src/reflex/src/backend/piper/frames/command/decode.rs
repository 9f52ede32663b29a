use super::{
    Command, GripperCommand, JointSetup, Light, LimitSetup, ModeCommand, Motion, ParameterSetup,
    Role, Servo, ServoVerb, check, check::DO,
};
use crate::backend::piper::frames::{
    EndLimits, FieldError, Frame, GripperSetup, Homing, Joint, Mit, Motors, Pair, PosePart,
    ServoValue,
    bytes::{body, code, flag, motor, out_of, read_four, read_two},
};

pub(super) fn command(frame: &Frame) -> Result<Option<Command>, FieldError> {
    let Some(command) = read(frame)? else { return Ok(None) };
    check::heard(&command)?;
    Ok(Some(command))
}

fn read(frame: &Frame) -> Result<Option<Command>, FieldError> {
    Ok(Some(match frame.id {
        0x121 => Command::Light(light(frame)?),
        0x150 => Command::Motion(motion(frame)?),
        0x151 => Command::Mode(mode(frame)?),
        0x152..=0x154 => Command::Pose(pose(frame.id - 0x152, frame)?),
        0x155..=0x157 => {
            let first = Pair::ALL[usize::from(frame.id - 0x155)];
            Command::JointPair { first, mdeg: read_two(frame)? }
        }
        0x158 => Command::Arc(code("point of a circle", body(frame, 1)?[0])?),
        0x159 => Command::Gripper(gripper(frame)?),
        0x15A..=0x15F => {
            let joint = Joint::ALL[usize::from(frame.id - 0x15A)];
            Command::Mit(Mit { joint, wire: body(frame, 8)? })
        }
        0x181..=0x187 => match servo(frame)? {
            Servo { verb: ServoVerb::Answer, .. } => return Ok(None),
            servo => Command::Servo(servo),
        },
        0x191 => Command::Homing(homing(frame)?),
        0x470 => Command::Role(role(frame)?),
        0x471 => power(frame)?,
        0x472 => {
            let bytes = body(frame, 2)?;
            Command::AskLimits { motor: motor(bytes[0])?, kind: code("kind of limits", bytes[1])? }
        }
        0x474 => Command::SetLimits(limits(frame)?),
        0x475 => Command::SetJoint(joint_setup(frame)?),
        0x477 => Command::SetParameters(parameters(frame)?),
        0x479 => Command::SetEnd(end(frame)?),
        0x47A => Command::SetCollision { levels: six(frame)? },
        0x47D => Command::SetGripper(gripper_setup(frame)?),
        0x487 => Command::Assist { ratings: six(frame)? },
        0x4AF if is_question(frame) => Command::AskFirmware,
        _ => return Ok(None),
    }))
}

/// Whether 0x4AF asks. The vendor's older SDK sends eight bytes, its newer one.
pub(in crate::backend::piper::frames) fn is_question(frame: &Frame) -> bool {
    matches!(frame.bytes(), [1, rest @ ..] if rest.iter().all(|byte| *byte == 0))
}

fn light(frame: &Frame) -> Result<Light, FieldError> {
    let [on, joint, led, r, g, b, _, count] = body(frame, 8)?;
    let on = flag("light", on, 1)?;
    Ok(Light { on, joint: one_of_six(joint)?, led, rgb: [r, g, b], count })
}

fn one_of_six(number: u8) -> Result<Joint, FieldError> {
    Joint::new(number).ok_or_else(|| out_of("joint", number))
}

fn motion(frame: &Frame) -> Result<Motion, FieldError> {
    // A short frame is taken for what it says: a stop is a stop.
    let [stop, track, teach, point, a, b, c, d] = body(frame, 1)?;
    Ok(Motion {
        stop: code("stop", stop)?,
        track: code("trajectory", track)?,
        teach: code("teaching", teach)?,
        point,
        name: u16::from_be_bytes([a, b]),
        crc: u16::from_be_bytes([c, d]),
    })
}

fn mode(frame: &Frame) -> Result<ModeCommand, FieldError> {
    let [control, movement, speed_percent, follow, dwell_s, mount, ..] = body(frame, 6)?;
    Ok(ModeCommand {
        control: code("control mode", control)?,
        movement: code("move mode", movement)?,
        speed_percent,
        follow: code("follow mode", follow)?,
        dwell_s,
        mount: code("mount", mount)?,
    })
}

/// A part of a pose, by its place among the three.
pub(in crate::backend::piper::frames) fn pose(
    index: u16,
    frame: &Frame,
) -> Result<PosePart, FieldError> {
    let [a, b] = read_two(frame)?;
    Ok(match index {
        0 => PosePart::Xy { x_um: a, y_um: b },
        1 => PosePart::ZRx { z_um: a, rx_mdeg: b },
        _ => PosePart::RyRz { ry_mdeg: a, rz_mdeg: b },
    })
}

fn gripper(frame: &Frame) -> Result<GripperCommand, FieldError> {
    let [a, b, c, d, e, f, code, zero] = body(frame, 8)?;
    if code > 3 {
        return Err(out_of("gripper code", code));
    }
    Ok(GripperCommand {
        stroke_um: i32::from_be_bytes([a, b, c, d]),
        effort_mnm: i16::from_be_bytes([e, f]),
        enable: code & 1 == 1,
        clear_error: code & 2 == 2,
        set_zero: flag("gripper zero", zero, DO)?,
    })
}

/// A value of a motor's own control, whoever says it.
pub(in crate::backend::piper::frames) fn servo(frame: &Frame) -> Result<Servo, FieldError> {
    let [verb, first, second, a, b, c, d, _] = body(frame, 7)?;
    let letters = [first, second];
    let strange = || out_of("value of a motor", u16::from_be_bytes(letters));
    Ok(Servo {
        motor: motor((frame.id & 0xF) as u8)?,
        verb: ServoVerb::of_letter(verb).ok_or_else(|| out_of("verb", verb))?,
        value: ServoValue::of_letters(letters).ok_or_else(strange)?,
        raw: i32::from_be_bytes([a, b, c, d]),
    })
}

fn homing(frame: &Frame) -> Result<Homing, FieldError> {
    match body(frame, 3)? {
        [1, 0, 0, ..] => Ok(Homing::Restore),
        [1, 1, 1, ..] => Ok(Homing::Leader),
        [1, 0, 1, ..] => Ok(Homing::Both),
        [a, b, c, ..] => Err(out_of("homing", u32::from_be_bytes([0, a, b, c]))),
    }
}

fn role(frame: &Frame) -> Result<Role, FieldError> {
    let [linkage, feedback, control, target, ..] = body(frame, 4)?;
    Ok(Role {
        linkage: code("linkage", linkage)?,
        feedback: code("offset of feedback", feedback)?,
        control: code("offset of commands", control)?,
        target: code("offset of linkage", target)?,
    })
}

fn power(frame: &Frame) -> Result<Command, FieldError> {
    let [motors, on, ..] = body(frame, 2)?;
    let motors = match motors {
        7 => Motors::Seven,
        u8::MAX => Motors::All,
        number => Motors::One(Joint::new(number).ok_or_else(|| out_of("motors", number))?),
    };
    match on {
        1 => Ok(Command::Power { motors, on: false }),
        2 => Ok(Command::Power { motors, on: true }),
        _ => Err(out_of("power", on)),
    }
}

fn limits(frame: &Frame) -> Result<LimitSetup, FieldError> {
    let [joint, a, b, c, d, e, f, _] = body(frame, 7)?;
    Ok(LimitSetup {
        joint: one_of_six(joint)?,
        max_ddeg: i16::from_be_bytes([a, b]),
        min_ddeg: i16::from_be_bytes([c, d]),
        speed_crad_s: u16::from_be_bytes([e, f]),
    })
}

fn joint_setup(frame: &Frame) -> Result<JointSetup, FieldError> {
    let [number, zero, counts, high, low, clear, ..] = body(frame, 6)?;
    Ok(JointSetup {
        motor: motor(number)?,
        set_zero: flag("joint zero", zero, DO)?,
        acceleration_counts: flag("acceleration counts", counts, DO)?,
        acceleration_crad_s2: u16::from_be_bytes([high, low]),
        clear_error: flag("clear error", clear, DO)?,
    })
}

fn parameters(frame: &Frame) -> Result<ParameterSetup, FieldError> {
    let [query, restore, stream, counts, load, ..] = body(frame, 5)?;
    Ok(ParameterSetup {
        query: code("query", query)?,
        restore: code("restore", restore)?,
        stream: code("feedback 0x48x", stream)?,
        load_counts: flag("load counts", counts, DO)?,
        load: code("load", load)?,
    })
}

/// Limits of the tool, as commanded or as answered.
pub(in crate::backend::piper::frames) fn end(frame: &Frame) -> Result<EndLimits, FieldError> {
    let [speed_mm_s, turn_mrad_s, acceleration_mm_s2, turn_acceleration_mrad_s2] =
        read_four(frame)?;
    Ok(EndLimits { speed_mm_s, turn_mrad_s, acceleration_mm_s2, turn_acceleration_mrad_s2 })
}

/// A byte for each joint.
pub(in crate::backend::piper::frames) fn six(frame: &Frame) -> Result<[u8; 6], FieldError> {
    let [a, b, c, d, e, f, ..] = body(frame, 6)?;
    Ok([a, b, c, d, e, f])
}

/// Gripper and teaching handle, as commanded or as answered.
pub(in crate::backend::piper::frames) fn gripper_setup(
    frame: &Frame,
) -> Result<GripperSetup, FieldError> {
    let [teach_percent, range_mm, teach_friction, ..] = body(frame, 3)?;
    Ok(GripperSetup { teach_percent, range_mm, teach_friction })
}
