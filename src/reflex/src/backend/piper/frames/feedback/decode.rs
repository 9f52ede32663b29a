use super::{
    Ack, Driver, DriverBits, Feedback, Gripper, GripperBits, JointBits, Limits, Speed, Status,
};
use crate::backend::piper::frames::{
    FieldError, Frame, Joint, Pair, Servo, ServoVerb, Told,
    bytes::{body, motor, read_two},
    command::{end_from, gripper_setup_from, is_question, pose_from, servo_from, six_from},
};

pub(super) fn feedback(frame: &Frame) -> Result<Option<Feedback>, FieldError> {
    Ok(Some(match frame.id {
        0x181..=0x187 => match servo_from(frame)? {
            servo @ Servo { verb: ServoVerb::Answer, .. } => Feedback::Servo(servo),
            _ => return Ok(None),
        },
        0x251..=0x256 => Feedback::Speed(speed(joint(frame.id - 0x251), frame)?),
        0x261..=0x266 => Feedback::Driver(driver(joint(frame.id - 0x261), frame)?),
        0x2A1 => Feedback::Status(status(frame)?),
        0x2A2..=0x2A4 => Feedback::Pose(pose_from(frame.id - 0x2A2, frame)?),
        0x2A5..=0x2A7 => {
            Feedback::JointPair { first: pair(frame.id - 0x2A5), mdeg: read_two(frame)? }
        }
        0x2A8 => Feedback::Gripper(gripper(frame)?),
        0x2AA..=0x2AC => {
            Feedback::IkJointPair { first: pair(frame.id - 0x2AA), mdeg: read_two(frame)? }
        }
        0x473 => Feedback::Limits(limits(frame)?),
        0x476 => {
            let [id_low, zero_set, point, pack, ..] = body(frame, 4)?;
            Feedback::Ack(Ack { id_low, zero_set, point, pack: Told::of_code(pack) })
        }
        0x478 => Feedback::End(end_from(frame)?),
        0x47B => Feedback::Collision { levels: six_from(frame)? },
        0x47C => {
            let [number, high, low, ..] = body(frame, 3)?;
            let acceleration_crad_s2 = u16::from_be_bytes([high, low]);
            Feedback::Acceleration { motor: motor(number)?, acceleration_crad_s2 }
        }
        0x47E => Feedback::GripperSetup(gripper_setup_from(frame)?),
        0x488 => Feedback::Assist { ratings: six_from(frame)? },
        // Another host may ask; that is not an answer.
        0x4AF if !is_question(frame) => Feedback::FirmwarePart(body(frame, 8)?),
        _ => return Ok(None),
    }))
}

fn joint(index: u16) -> Joint {
    Joint::ALL[usize::from(index)]
}

fn pair(index: u16) -> Pair {
    Pair::ALL[usize::from(index)]
}

fn speed(joint: Joint, frame: &Frame) -> Result<Speed, FieldError> {
    let [a, b, c, d, e, f, g, h] = body(frame, 8)?;
    Ok(Speed {
        joint,
        speed_mrad_s: i16::from_be_bytes([a, b]),
        current_ma: i16::from_be_bytes([c, d]),
        position_mrad: i32::from_be_bytes([e, f, g, h]),
    })
}

fn driver(joint: Joint, frame: &Frame) -> Result<Driver, FieldError> {
    let [a, b, c, d, motor, status, e, f] = body(frame, 8)?;
    Ok(Driver {
        joint,
        volt_dv: u16::from_be_bytes([a, b]),
        driver_c: i16::from_be_bytes([c, d]),
        motor_c: i8::from_be_bytes([motor]),
        status: DriverBits(status),
        bus_current_ma: u16::from_be_bytes([e, f]),
    })
}

fn status(frame: &Frame) -> Result<Status, FieldError> {
    let [control, arm, movement, teach, reached, track, at_limit, silent] = body(frame, 8)?;
    Ok(Status {
        control: Told::of_code(control),
        arm: Told::of_code(arm),
        movement: Told::of_code(movement),
        teach: Told::of_code(teach),
        reached: Told::of_code(reached),
        track,
        at_limit: JointBits(at_limit),
        silent: JointBits(silent),
    })
}

fn gripper(frame: &Frame) -> Result<Gripper, FieldError> {
    let [a, b, c, d, e, f, status, _] = body(frame, 7)?;
    Ok(Gripper {
        stroke_um: i32::from_be_bytes([a, b, c, d]),
        effort_mnm: i16::from_be_bytes([e, f]),
        status: GripperBits(status),
    })
}

fn limits(frame: &Frame) -> Result<Limits, FieldError> {
    let [number, a, b, c, d, e, f, _] = body(frame, 7)?;
    Ok(Limits {
        motor: motor(number)?,
        max_ddeg: i16::from_be_bytes([a, b]),
        min_ddeg: i16::from_be_bytes([c, d]),
        speed_crad_s: u16::from_be_bytes([e, f]),
    })
}
