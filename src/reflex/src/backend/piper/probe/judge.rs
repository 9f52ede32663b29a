//! From what an arm said to what is to be thought of it.

use super::{
    ArmStatus, ControlMode, Finding, Grade, Joint, LEAVE, MoveMode, Probe, Robot, Settings,
    StreamMode, Told, Units,
};
use crate::backend::piper::{
    frames::{Firmware, Limits, Zero},
    senses::WARM_C,
};

/// A tenth of a degree is the wire's step of a limit.
const STEP_RAD: f64 = 0.001_8;
/// Supplies of 24 V that are lower than this sag.
const VOLT_MIN: f64 = 20.0;

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &'static str, grade: Grade, words: impl Into<String>) {
        self.0.push(Finding { what, grade, words: words.into() });
    }
}

pub(super) fn findings(probe: &Probe, settings: &Settings, robot: &Robot) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    if !traffic(&mut found, probe, settings) {
        return found.0;
    }
    let Some(firmware) = firmware(&mut found, probe, settings) else { return found.0 };
    limits(&mut found, probe, settings, robot, firmware);
    gripper(&mut found, probe, settings, robot);
    pose(&mut found, probe, settings, robot);
    mode(&mut found, probe, settings, firmware);
    health(&mut found, probe);
    found.0
}

/// Whether there is an arm that can be talked to.
fn traffic(found: &mut Findings, probe: &Probe, settings: &Settings) -> bool {
    if let Some(error) = probe.bus {
        found.add("bus", Grade::Bad, format!("{}: {error}; look at the adapter", settings.bus));
        return false;
    }
    let rate = probe.frames as f64 / (probe.listened_ns.max(1) as f64 / 1e9);
    if probe.frames == 0 {
        let words = format!(
            "{}: nothing is heard; switch the arm on, look at its cable, and at the bit rate of 1 Mbit/s",
            settings.bus
        );
        found.add("bus", Grade::Bad, words);
        return false;
    }
    found.add("bus", Grade::Good, format!("{}, {rate:.0} frames a second", settings.bus));
    if probe.leads {
        let words = "it is a leading arm, which commands others and cannot be commanded; make it a follower \
                     (0x470 FC, piper_sdk's MasterSlaveConfig(0xFC, 0, 0, 0)) and switch it off and on";
        found.add("role", Grade::Bad, words);
        return false;
    }
    if let Some(offset) = probe.shifted {
        let words = format!(
            "its feedback ids are shifted by {:#x}, as those of a leading arm are; put them back (0x470 FC 00 00 00) \
             and switch it off and on",
            offset as u16
        );
        found.add("role", Grade::Bad, words);
        return false;
    }
    let gripper = settings.gripper.is_some();
    let missing: Vec<String> = probe
        .missing
        .iter()
        .filter(|id| gripper || **id != 0x2A8)
        .map(|id| format!("{id:#05x}"))
        .collect();
    if missing.is_empty() {
        found.add("role", Grade::Good, "a follower, its feedback at the usual ids");
    } else {
        let words = format!(
            "no {}: a joint or the controller is silent; look at the arm's cables, switch it off and on",
            missing.join(", ")
        );
        found.add("role", Grade::Bad, words);
    }
    if probe.commanded_by_others > 0 {
        let words = format!(
            "somebody else commands this arm ({} frames in {:.1} s); stop the other program",
            probe.commanded_by_others,
            probe.listened_ns as f64 / 1e9
        );
        found.add("master", Grade::Bad, words);
    } else {
        found.add("master", Grade::Good, "nobody else commands it");
    }
    if probe.strange > 0 {
        let words = format!("{} frames that no Piper sends; look who else is there", probe.strange);
        found.add("bus", Grade::Odd, words);
    }
    true
}

fn firmware(found: &mut Findings, probe: &Probe, settings: &Settings) -> Option<Firmware> {
    let Some(firmware) = probe.firmware else {
        let words = "it does not say which firmware it runs, and where its zero is depends on that; \
                     switch it off and on, or look at its firmware with the vendor's tool";
        found.add("firmware", Grade::Bad, words);
        return None;
    };
    let zero = match firmware.zero() {
        Zero::New => "zero of the robot's description",
        Zero::Old => "old zero: J2 and J3 are taken two degrees elsewhere",
    };
    let (hardware, date) = (probe.identity.hardware(), probe.identity.date());
    let words = format!("{firmware} of {date} on {hardware}; {zero}");
    found.add("firmware", Grade::Good, words);
    if let StreamMode::Mit { .. } = settings.stream {
        let words = format!(
            "MIT on {firmware}: {:?}{}; wrong gains can hurt somebody",
            firmware.mit_layout(),
            if firmware.mit_is_negated() { ", signs of J1, J2, J4 and J6 turned" } else { "" }
        );
        found.add("stream", Grade::Odd, words);
    }
    Some(firmware)
}

fn limits(
    found: &mut Findings,
    probe: &Probe,
    settings: &Settings,
    robot: &Robot,
    firmware: Firmware,
) {
    let units = Units::of(firmware);
    let of_robot = settings.limits(robot);
    let mut ranges = Vec::new();
    let before = found.0.len();
    for joint in Joint::ALL {
        let (number, index) = (joint.number(), joint.index());
        let Some(limits) = probe.limits[index] else {
            let words = format!("J{number} does not tell its limits; switch the arm off and on");
            found.add("limits", Grade::Bad, words);
            continue;
        };
        if is_nonsense(&limits) {
            let words = format!(
                "J{number} tells {} to {} (0.1 deg) at {} (0.01 rad/s): what it keeps is broken; restore its limits \
                 (0x477 00 02, piper_sdk's ArmParamEnquiryAndConfig(0x00, 0x02)) and switch it off and on",
                limits.min_ddeg, limits.max_ddeg, limits.speed_crad_s
            );
            found.add("limits", Grade::Bad, words);
            continue;
        }
        let rad = |ddeg: i16| units.shifted_rad(index, f64::from(ddeg).to_radians() / 10.0);
        let (low, high) = (rad(limits.min_ddeg), rad(limits.max_ddeg));
        let (wanted_low, wanted_high) = of_robot.range[index];
        if wanted_low < low - STEP_RAD || wanted_high > high + STEP_RAD {
            let words = format!(
                "J{number} keeps itself to {low:.4} .. {high:.4} rad, and the robot's file lets it go to \
                 {wanted_low:.4} .. {wanted_high:.4}; narrow position_min_rad and position_max_rad, or set the arm's own"
            );
            found.add("limits", Grade::Bad, words);
        }
        let speed = f64::from(limits.speed_crad_s) / 100.0;
        let own = speed * f64::from(settings.speed_percent) / 100.0;
        if of_robot.velocity_max[index] > own + 1e-9 && settings.stream == StreamMode::Position {
            let words = format!(
                "J{number} turns at {own:.2} rad/s at most ({speed:.2} at {} %), and the robot's file lets it go at \
                 {:.2}: it would fall behind; lower velocity_max_rad_s",
                settings.speed_percent, of_robot.velocity_max[index]
            );
            found.add("limits", Grade::Bad, words);
        }
        ranges.push(format!("{low:.3}..{high:.3} at {speed:.1}"));
    }
    if found.0.len() == before {
        found.add("limits", Grade::Good, format!("rad at rad/s: {}", ranges.join(", ")));
    }
    let accelerations: Vec<String> = probe
        .accelerations
        .iter()
        .map(|raw| raw.map_or("?".into(), |raw| format!("{:.1}", f64::from(raw) / 100.0)))
        .collect();
    let of_arm =
        |index: usize| probe.accelerations[index].map_or(0.0, |raw| f64::from(raw) / 100.0);
    if let Some(index) = (0..6).find(|index| of_robot.acceleration_max[*index] > of_arm(*index)) {
        let words = format!(
            "J{} brakes at {:.1} rad/s2 by itself and at {:.1} by the robot's file: it comes to rest later than it is told \
             to; lower acceleration_max_rad_s2",
            index + 1,
            of_arm(index),
            of_robot.acceleration_max[index]
        );
        found.add("accelerations", Grade::Odd, words);
    }
    let known =
        probe.accelerations.iter().all(|raw| raw.is_some_and(|raw| (1..=2000).contains(&raw)));
    let grade = if known { Grade::Good } else { Grade::Odd };
    found.add("accelerations", grade, format!("{} rad/s2", accelerations.join(", ")));
}

/// What flash was seen to hold when it was broken: 0x7FFF, 0xFFFF, -0.1 degrees.
fn is_nonsense(limits: &Limits) -> bool {
    let leave = LEAVE as i16;
    let angles = [limits.min_ddeg, limits.max_ddeg];
    angles.contains(&leave)
        || angles.iter().any(|angle| angle.unsigned_abs() > 3600)
        || limits.min_ddeg >= limits.max_ddeg
        || limits.speed_crad_s == 0
        || limits.speed_crad_s > 3000
}

fn gripper(found: &mut Findings, probe: &Probe, settings: &Settings, robot: &Robot) {
    let Some(joint) = settings.gripper else { return };
    let wanted_m = robot.limits().get(joint).map_or(0.0, |limits| limits.position_max);
    match probe.gripper {
        None => {
            let words = "it does not tell its range; look at its cable, or take piper.gripper out";
            found.add("gripper", Grade::Bad, words);
        }
        Some(setup) if setup.range_mm == 0 => {
            let words = "its range was never set, so it does nothing; set it once, the arm disabled: 70 or 100 mm \
                         (0x47D, piper_sdk's GripperTeachingPendantParamConfig(100, 70, 1))";
            found.add("gripper", Grade::Bad, words);
        }
        Some(setup) if wanted_m > f64::from(setup.range_mm) / 1e3 + 1e-6 => {
            let words = format!(
                "it opens {} mm, and the robot's file says {:.0}; lower position_max_m",
                setup.range_mm,
                wanted_m * 1e3
            );
            found.add("gripper", Grade::Bad, words);
        }
        Some(setup) => {
            found.add("gripper", Grade::Good, format!("opens {} mm", setup.range_mm));
        }
    }
}

fn pose(found: &mut Findings, probe: &Probe, settings: &Settings, robot: &Robot) {
    let Some(pose) = probe.pose else {
        found.add(
            "pose",
            Grade::Bad,
            "not all joints say where they are; look at the arm's cables",
        );
        return;
    };
    if probe.all_zero {
        let words = "all joints say exactly 0: an arm that was not initialised, or one that leads; switch it off and on \
                     and look at its role (0x470)";
        found.add("pose", Grade::Bad, words);
        return;
    }
    let limits = settings.limits(robot);
    let outside = (0..6).find(|index| {
        let (low, high) = limits.range[*index];
        !(low - robot.rules().arm_tolerance..=high + robot.rules().arm_tolerance)
            .contains(&pose[*index])
    });
    let told: Vec<String> = pose[..6].iter().map(|rad| format!("{rad:.3}")).collect();
    let told = format!("{} rad, gripper {:.1} mm", told.join(", "), pose[6] * 1e3);
    match outside {
        Some(index) => {
            let words = format!(
                "J{} is at {:.3} rad, outside its limits; move it inside by hand: it cannot be armed there ({told})",
                index + 1,
                pose[index]
            );
            found.add("pose", Grade::Odd, words);
        }
        None => found.add("pose", Grade::Good, told),
    }
}

fn mode(found: &mut Findings, probe: &Probe, settings: &Settings, firmware: Firmware) {
    let Some(status) = probe.status else {
        found.add("mode", Grade::Bad, "it does not say in which mode it is; switch it off and on");
        return;
    };
    let control = match status.control {
        Told::Known(ControlMode::Standby | ControlMode::Can) => Ok(()),
        Told::Known(ControlMode::Teach) => {
            Err("it is being taught by hand; press its teach button, \
             then `reflexctl release --arm-may-fall` while somebody holds it")
        }
        Told::Known(ControlMode::Linkage) => {
            Err("it leads or follows another arm; make it a follower (0x470 FC)")
        }
        _ => Err(
            "somebody commands it in another way (Ethernet, Wi-Fi, a remote control, a stored trajectory); \
             put it into standby",
        ),
    };
    if let Err(words) = control {
        found.add("mode", Grade::Bad, words);
        return;
    }
    let in_mit = status.movement.is(MoveMode::Mit) || status.movement.is(MoveMode::MitTwelveBit);
    if in_mit && settings.stream == StreamMode::Position && firmware.leaves_mit_by_reset() {
        let words = format!(
            "it is in MIT mode, which {firmware} leaves by a reset only, and that drops the arm; hold it and \
             switch it off and on"
        );
        found.add("mode", Grade::Bad, words);
        return;
    }
    let text = |told: Option<String>, code: u8| told.unwrap_or_else(|| format!("code {code}"));
    let known = |known: Told<ControlMode>| match known {
        Told::Known(mode) => Some(format!("{mode:?}")),
        Told::Unknown(_) => None,
    };
    let words = text(known(status.control), status.control.code());
    let movement = match status.movement {
        Told::Known(mode) => format!("{mode:?}"),
        Told::Unknown(code) => format!("code {code}"),
    };
    found.add("mode", Grade::Good, format!("control {words}, movement {movement}"));
}

fn health(found: &mut Findings, probe: &Probe) {
    if let Some(ailment) = probe.ailment {
        found.add("health", Grade::Unwell, format!("{}: {ailment}", ailment.name()));
    } else {
        let well = probe.status.is_none_or(|status| status.arm.is(ArmStatus::Normal));
        if well {
            found.add("health", Grade::Good, "the arm says that it is well");
        }
    }
    let drivers: Vec<_> = probe.drivers.iter().flatten().collect();
    let on = drivers.iter().filter(|driver| driver.status.enabled()).count();
    let volts = drivers.iter().map(|driver| f64::from(driver.volt_dv) / 10.0);
    let volts = volts.fold(f64::INFINITY, f64::min);
    let driver_c = drivers.iter().map(|driver| driver.driver_c).max().unwrap_or(0);
    let motor_c = drivers.iter().map(|driver| i16::from(driver.motor_c)).max().unwrap_or(0);
    let odd = volts < VOLT_MIN || driver_c.max(motor_c) > WARM_C;
    let words = format!(
        "{on} of {} motors on, {volts:.1} V at least, drivers up to {driver_c} C, motors up to {motor_c} C",
        drivers.len()
    );
    found.add("motors", if odd { Grade::Odd } else { Grade::Good }, words);
}
