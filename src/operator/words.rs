//! The law's terse reasons, in words that an operator can act on.

use motion::{Ailment, Ending, Fault, Mode, Refusal, failsafe::Condition};
use reflex::backend::piper::frames::{ArmStatus, Code};

use super::{Command, Goal, Jog, LeaseAct, RegistryAct, Route};

/// A mode's name on the wire.
#[must_use]
pub fn mode(mode: &Mode) -> &'static str {
    match mode {
        Mode::Booting => "booting",
        Mode::Disarmed => "disarmed",
        Mode::Arming { .. } => "arming",
        Mode::Holding => "holding",
        Mode::Moving { .. } => "moving",
        Mode::Stopping { .. } => "stopping",
        Mode::Faulted { .. } => "faulted",
        Mode::EStopped { .. } => "estopped",
    }
}

/// A command, for the audit trail.
#[must_use]
pub fn command(command: &Command) -> String {
    match command {
        Command::Goto { goal: Goal::Tool(goal), speed } => {
            let [x, y, z] = goal.position_m.into();
            let turned = goal.orientation.map_or_else(String::new, |orientation| {
                let (roll, pitch, yaw) = orientation.euler_angles();
                format!(", turned {roll:.4} {pitch:.4} {yaw:.4} rad")
            });
            let route = match goal.route {
                Route::Joints => "by joints",
                Route::Straight => "straight",
                Route::Circular { .. } => "on a circle",
            };
            let (frame, arm) = (goal.frame, goal.arm.as_deref().unwrap_or("the first arm"));
            format!(
                "take {arm} to {x:.4} {y:.4} {z:.4} m{turned} in {frame:?}, {route}, at {speed}"
            )
        }
        Command::Jog { jog: Jog::Joints(joints), ttl_ms } => {
            format!("jog {joints:?} for {ttl_ms} ms")
        }
        Command::Jog { jog: Jog::Tool(tool), ttl_ms } => format!(
            "jog the tool {:?} m/s, {:?} rad/s in {:?} for {ttl_ms} ms",
            tool.linear_m_s, tool.angular_rad_s, tool.frame
        ),
        Command::Registry(RegistryAct::Reload { file: None }) => "reload the registry".into(),
        Command::Registry(RegistryAct::Reload { file: Some(file) }) => {
            format!("reload the registry from {}", file.display())
        }
        Command::Registry(RegistryAct::Promote { skill }) => {
            format!("promote the shadow of {skill}")
        }
        Command::Registry(RegistryAct::Rollback { skill }) => format!("roll {skill} back"),
        Command::Backend(act) => act.words(),
        Command::Record(act) => act.words().into(),
        Command::Lease(LeaseAct::Acquire { takeover: true, .. }) => "take the lease over".into(),
        Command::Lease(LeaseAct::Acquire { .. }) => "take the lease".into(),
        Command::Lease(LeaseAct::Renew) => "keep the lease".into(),
        Command::Lease(LeaseAct::Release) => "release the lease".into(),
        plain => format!("{plain:?}"),
    }
}

/// How a run ended.
#[must_use]
pub const fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::TimeUp => "time_up",
        Ending::Superseded => "superseded",
        Ending::Stopped => "stopped",
        Ending::RanDry => "ran_dry",
        Ending::Workspace => "workspace",
        Ending::LeftBehind => "left_behind",
    }
}

/// What was wrong, and what to do about it.
#[must_use]
pub fn fault(fault: Fault, joints: &[String]) -> String {
    let name = |joint: usize| joints.get(joint).map_or("?", String::as_str);
    match fault {
        Fault::RequestNotFinite { joint } => {
            format!("a set-point of {} was not finite: look at the skill that sent it", name(joint))
        }
        Fault::GrossJump { joint } => format!(
            "a set-point of {} jumped further than step_max: look at the skill that sent it",
            name(joint)
        ),
        Fault::StateNotFinite { joint } => {
            format!("the measured {} is not finite: look at the backend", name(joint))
        }
        Fault::StateShape => {
            "the backend measures another number of joints: look at the robot's file".into()
        }
        Fault::StateStale => "the measured state is too old: look at the robot's connection".into(),
        Fault::Unwell(Ailment::OwnFault { code }) => format!(
            "the arm says that it cannot do what it was told, code {code}{}: look at it, free it, or `reflexctl release`",
            ArmStatus::of_code(code).map_or_else(String::new, |status| format!(" ({status:?})"))
        ),
        Fault::Unwell(ailment) => match ailment.joint() {
            Some(joint) => format!("{} {}", name(joint), ailment.words()),
            None => ailment.words().into(),
        },
        Fault::BackendLost => "the backend lost the robot: look at its power and connection".into(),
        Fault::Diverged { joint } => format!(
            "{} does not follow its set-points: free it, or look for a collision",
            name(joint)
        ),
        Fault::NotEngaged => {
            "the motors did not take hold in time: look at the robot's power and its own buttons, clear the fault and arm again".into()
        }
        Fault::Disengaged => {
            "the motors let go of the robot: support it, look at its power, clear the fault and arm again".into()
        }
        Fault::OutsideLimits { joint } => format!(
            "{} sank out of its limits before the motors took hold: move it inside by hand, clear the fault and arm again",
            name(joint)
        ),
    }
}

/// Why a robot in this mode is not released.
#[must_use]
pub fn not_released(present: &Mode) -> String {
    let remedy = match present {
        Mode::Stopping { .. } => "wait until it has come to rest, then disarm it",
        Mode::Faulted { .. } | Mode::EStopped { .. } => "it still brakes: wait until it rests",
        _ => "disarm it first",
    };
    format!("not while {}: {remedy}", mode(present))
}

/// Why an order was refused.
#[must_use]
pub fn refusal(refusal: Refusal, joints: &[String]) -> String {
    match refusal {
        Refusal::Mode(present) => {
            let remedy = match present {
                Mode::Booting => "wait for the robot's first state",
                Mode::Disarmed => "arm it first",
                Mode::Arming { .. } => "wait until its motors have taken hold",
                Mode::Stopping { .. } => "wait until it has come to rest",
                Mode::Faulted { .. } | Mode::EStopped { .. } => {
                    "clear_fault once it rests, then arm"
                }
                Mode::Holding => "there is nothing to clear",
                Mode::Moving { .. } => "hold it first",
            };
            format!("not while {}: {remedy}", mode(&present))
        }
        Refusal::Stale => "it was given before the robot was last stopped: give it again".into(),
        Refusal::Expired => "its time to live was over before it could begin".into(),
        Refusal::OutsideLimits { joint } => format!(
            "{} stands outside its limits: move it inside by hand",
            joints.get(joint).map_or("?", String::as_str)
        ),
        Refusal::StillFaulty => "the trouble is still there".into(),
        Refusal::Barred(Condition::Unattended | Condition::Deserted) => {
            "nobody is there who answers for it: hold the lease, and send heartbeats (`reflexctl lease`)".into()
        }
        Refusal::Barred(condition) => {
            format!("not while {}: {}", condition.rule().name, condition.rule().clear.words())
        }
        Refusal::NoSuchRun => "no such run is being followed".into(),
    }
}
