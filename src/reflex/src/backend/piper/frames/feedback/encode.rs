use super::{Ack, Driver, Feedback, Gripper, Limits, Speed, Status};
use crate::backend::piper::frames::{
    Code, FieldError, Frame, ServoVerb, Told,
    bytes::{eight, out_of, padded, two},
    command::{end, gripper_setup, is_question, pose, servo_of},
};

pub(super) fn frame(feedback: &Feedback) -> Result<Frame, FieldError> {
    Ok(match *feedback {
        Feedback::Speed(speed) => speed_of(speed),
        Feedback::Driver(driver) => driver_of(driver),
        Feedback::Status(status) => status_of(status)?,
        Feedback::Pose(part) => pose(0x2A2, part),
        Feedback::JointPair { first, mdeg } => two(0x2A5 + first as u16, mdeg),
        Feedback::Gripper(gripper) => gripper_of(gripper),
        Feedback::IkJointPair { first, mdeg } => two(0x2AA + first as u16, mdeg),
        Feedback::Servo(servo) if servo.verb == ServoVerb::Answer => servo_of(servo),
        Feedback::Servo(servo) => return Err(out_of("verb", servo.verb.letter())),
        Feedback::Limits(limits) => limits_of(limits),
        Feedback::Ack(Ack { id_low, zero_set, point, pack }) => {
            padded(0x476, [id_low, zero_set, point, told("pack", pack)?])
        }
        Feedback::End(limits) => end(0x478, limits),
        Feedback::Collision { levels } => padded(0x47B, levels),
        Feedback::Acceleration { motor, acceleration_crad_s2 } => {
            let [high, low] = acceleration_crad_s2.to_be_bytes();
            padded(0x47C, [motor.number(), high, low])
        }
        Feedback::GripperSetup(setup) => gripper_setup(0x47E, setup),
        Feedback::Assist { ratings } => padded(0x488, ratings),
        Feedback::FirmwarePart(part) => {
            let frame = eight(0x4AF, part);
            if is_question(&frame) {
                return Err(out_of("part of a firmware's identity", i64::from_be_bytes(part)));
            }
            frame
        }
    })
}

/// The byte of what was told, unless it claims that the byte of a known value is unknown.
fn told<T: Code>(field: &'static str, told: Told<T>) -> Result<u8, FieldError> {
    match told {
        Told::Unknown(code) if T::of_code(code).is_some() => Err(out_of(field, code)),
        told => Ok(told.code()),
    }
}

fn status_of(status: Status) -> Result<Frame, FieldError> {
    Ok(eight(
        0x2A1,
        [
            told("control mode", status.control)?,
            told("arm status", status.arm)?,
            told("move mode", status.movement)?,
            told("teaching", status.teach)?,
            told("target reached", status.reached)?,
            status.track,
            status.at_limit.0,
            status.silent.0,
        ],
    ))
}

fn speed_of(speed: Speed) -> Frame {
    let Speed { joint, speed_mrad_s, current_ma, position_mrad } = speed;
    let ([a, b], [c, d]) = (speed_mrad_s.to_be_bytes(), current_ma.to_be_bytes());
    let [e, f, g, h] = position_mrad.to_be_bytes();
    eight(0x250 + u16::from(joint.number()), [a, b, c, d, e, f, g, h])
}

fn driver_of(driver: Driver) -> Frame {
    let Driver { joint, volt_dv, driver_c, motor_c, status, bus_current_ma } = driver;
    let ([a, b], [c, d]) = (volt_dv.to_be_bytes(), driver_c.to_be_bytes());
    let ([motor], [e, f]) = (motor_c.to_be_bytes(), bus_current_ma.to_be_bytes());
    eight(0x260 + u16::from(joint.number()), [a, b, c, d, motor, status.0, e, f])
}

fn gripper_of(gripper: Gripper) -> Frame {
    let Gripper { stroke_um, effort_mnm, status } = gripper;
    let ([a, b, c, d], [e, f]) = (stroke_um.to_be_bytes(), effort_mnm.to_be_bytes());
    padded(0x2A8, [a, b, c, d, e, f, status.0])
}

fn limits_of(limits: Limits) -> Frame {
    let Limits { motor, max_ddeg, min_ddeg, speed_crad_s } = limits;
    let ([a, b], [c, d]) = (max_ddeg.to_be_bytes(), min_ddeg.to_be_bytes());
    let [e, f] = speed_crad_s.to_be_bytes();
    padded(0x473, [motor.number(), a, b, c, d, e, f])
}
