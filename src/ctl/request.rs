//! The message that each sub-command sends.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::{
    Trouble,
    args::{Act, Cli, LeaseAct, RecordAct, RegistryAct, Shadow, TargetShape},
};

/// A jog that is not renewed for so long brakes; it is renewed twice as often.
pub(super) const JOG_TTL_MS: u64 = 250;

/// A message to a key.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) key: &'static str,
    pub(super) payload: Value,
}

impl Act {
    /// The message of a sub-command that sends one. `names` asks the daemon for its joints.
    pub(super) fn request(
        &self,
        cli: &Cli,
        names: impl FnOnce() -> Result<Vec<String>, Trouble>,
    ) -> Result<Request, Trouble> {
        let operator = cli.operator();
        let mut payload = Map::new();
        let mut say = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                payload.insert(name.to_owned(), value);
            }
        };
        let key = match self {
            Self::Arm => "cmd/arm",
            Self::Disarm => "cmd/disarm",
            Self::Hold => "cmd/hold",
            Self::ClearFault => "cmd/clear_fault",
            Self::Release { arm_may_fall } => {
                say("arm_may_fall", Some(json!(arm_may_fall)));
                "cmd/release"
            }
            Self::Estop => "cmd/estop",
            Self::Home { speed } => {
                say("speed", speed.speed.map(Value::from));
                "cmd/home"
            }
            Self::Goto { joint, joints, pose, route, via, speed } => {
                if pose.pose.is_empty() {
                    let of_pose = [
                        ("--route", route.is_some()),
                        ("--via", via.is_some()),
                        ("--frame", pose.frame.frame.is_some()),
                        ("--arm", pose.frame.arm.is_some()),
                    ];
                    if let Some((option, _)) = of_pose.iter().find(|(_, given)| *given) {
                        return Err(Trouble::Usage(format!("{option} belongs to a --pose")));
                    }
                    let named = if joints.is_empty() {
                        once_each("joint", joint)?
                    } else {
                        in_order(joints, names()?)?
                    };
                    say("joints", Some(json!(named)));
                } else {
                    say("pose", Some(pose_message(&pose.pose)?));
                    say("frame", pose.frame.frame.map(word));
                    say("arm", pose.frame.arm.as_ref().map(|arm| json!(arm)));
                    say("route", route.map(word).or(via.map(|_| json!("circular"))));
                    say("via_m", via.map(|via| json!(via)));
                }
                say("speed", speed.speed.map(Value::from));
                "cmd/goto"
            }
            Self::Jog { joint, linear, angular, frame, arm, gives_way, .. } => {
                if joint.is_empty() {
                    let mut tool = Map::new();
                    let mut tell = |name: &str, value: Option<Value>| {
                        value.map(|value| tool.insert(name.to_owned(), value));
                    };
                    tell("linear_m_s", linear.map(|v| json!(v)));
                    tell("angular_rad_s", angular.map(|v| json!(v)));
                    tell("frame", frame.map(word));
                    tell("arm", arm.as_ref().map(|arm| json!(arm)));
                    tell("gives_way", gives_way.map(word));
                    say("tool", Some(tool.into()));
                } else {
                    say("joints", Some(json!(once_each("joint", joint)?)));
                }
                say("ttl_ms", Some(json!(JOG_TTL_MS)));
                "cmd/jog"
            }
            Self::Ik { pose, from } => {
                say("pose", Some(pose_message(&pose.pose)?));
                say("frame", pose.frame.frame.map(word));
                say("arm", pose.frame.arm.as_ref().map(|arm| json!(arm)));
                say("from", Some(json!(once_each("from", from)?)));
                "ask/ik"
            }
            Self::Skill { name, target } => {
                say("name", Some(json!(name)));
                say("params", target.target.map(|at| target_params(at, &target.shape)));
                "cmd/skill"
            }
            Self::Registry(act) => {
                let (word, file, skill) = match act {
                    RegistryAct::Reload { file } => ("reload", file.as_ref(), None),
                    RegistryAct::Promote { skill } => ("promote", None, Some(skill)),
                    RegistryAct::Rollback { skill } => ("rollback", None, Some(skill)),
                    RegistryAct::Status => {
                        return Err(Trouble::Usage("this sub-command sends nothing".into()));
                    }
                };
                say("act", Some(json!(word)));
                say("file", file.map(|file| json!(file)));
                say("skill", skill.map(|skill| json!(skill)));
                "cmd/registry"
            }
            Self::Record(act) => {
                let word = match act {
                    RecordAct::Start => "start",
                    RecordAct::Stop => "stop",
                    RecordAct::Status => "status",
                    RecordAct::BlackBox => "black_box",
                };
                say("act", Some(json!(word)));
                "cmd/record"
            }
            Self::Backend { to, from_present, keep_shadow } => {
                say("to", Some(word(*to)));
                say("pose", from_present.then(|| json!("present")));
                say("keep_shadow", keep_shadow.then(|| json!(true)));
                "cmd/backend"
            }
            Self::Shadow { what } => {
                let nobody = *what == Shadow::Off;
                say("shadow", Some(if nobody { Value::Null } else { word(*what) }));
                "cmd/backend"
            }
            Self::Inject(inject) => {
                let fault = inject.fault.map(|trouble| trouble.known().name);
                say("fault", fault.map(|name| json!(name)));
                say("for_ms", fault.map(|_| json!(inject.for_ms)));
                say("amount", inject.amount.map(|amount| json!(amount)));
                say("clear", inject.clear.then_some(Value::Bool(true)));
                "cmd/inject"
            }
            Self::Lease { act: None, takeover, ttl_ms, .. } => {
                say("act", Some(json!("acquire")));
                say("takeover", takeover.then(|| json!(true)));
                say("ttl_ms", ttl_ms.map(|ttl_ms| json!(ttl_ms)));
                "lease"
            }
            Self::Lease { act: Some(LeaseAct::Release), .. } => {
                say("act", Some(json!("release")));
                "lease"
            }
            Self::Decide { skill, target, instruction, ttl_ms, id } => {
                say("v", Some(json!(1)));
                say("decision_id", Some(json!(id.clone().unwrap_or_else(new_id))));
                say("skill", Some(json!(skill)));
                say("params", Some(target_params(target.target, &target.shape)));
                say("instruction", instruction.as_ref().map(|text| json!(text)));
                say("ttl_ms", Some(json!(ttl_ms)));
                say("source", Some(json!(operator)));
                return Ok(Request { key: "decision", payload: payload.into() });
            }
            Self::Say { text, target, radius, force_neural, ttl_ms, .. } => {
                say("text", Some(json!(text)));
                let target = target.map(|[x, y, z]| match radius {
                    Some(radius) => json!({ "x": x, "y": y, "z": z, "radius": radius }),
                    None => json!({ "x": x, "y": y, "z": z }),
                });
                say("target", target);
                say("force_neural_skill", force_neural.then(|| json!(true)));
                say("ttl_ms", ttl_ms.map(|ttl_ms| json!(ttl_ms)));
                "instruction"
            }
            Self::Lease { act: Some(LeaseAct::Status), .. }
            | Self::Failsafe { .. }
            | Self::Status
            | Self::Watch { .. }
            | Self::Events { .. }
            | Self::Version
            | Self::Certs(_)
            | Self::Info { .. } => {
                return Err(Trouble::Usage("this sub-command sends nothing".into()));
            }
        };
        payload.insert("operator".into(), json!(operator));
        Ok(Request { key, payload: payload.into() })
    }
}

fn target_params([x, y, z]: [f64; 3], shape: &TargetShape) -> Value {
    let mut params = json!({ "target_x": x, "target_y": y, "target_z": z });
    if let Some(radius) = shape.radius {
        params["radius"] = json!(radius);
    }
    if let Some(speed_hint) = shape.speed_hint {
        params["speed_hint"] = json!(speed_hint);
    }
    params
}

/// A choice of the command line, as the wire says it.
fn word(choice: impl ValueEnum) -> Value {
    choice.to_possible_value().map_or(Value::Null, |value| json!(value.get_name()))
}

fn pose_message(numbers: &[f64]) -> Result<Value, Trouble> {
    match numbers {
        [x, y, z] => Ok(json!({ "position_m": [x, y, z] })),
        [x, y, z, roll, pitch, yaw] => {
            Ok(json!({ "position_m": [x, y, z], "rpy_rad": [roll, pitch, yaw] }))
        }
        [x, y, z, i, j, k, w] => {
            Ok(json!({ "position_m": [x, y, z], "quaternion_xyzw": [i, j, k, w] }))
        }
        _ => Err(Trouble::Usage(format!(
            "--pose has {} numbers; want 3 (x,y,z in m), 6 (and roll,pitch,yaw in rad) or 7 (and a quaternion x,y,z,w)",
            numbers.len()
        ))),
    }
}

fn once_each(option: &str, joints: &[(String, f64)]) -> Result<BTreeMap<String, f64>, Trouble> {
    let mut named = BTreeMap::new();
    for (name, position) in joints {
        if named.insert(name.clone(), *position).is_some() {
            return Err(Trouble::Usage(format!("--{option} {name} is given twice")));
        }
    }
    Ok(named)
}

fn in_order(positions: &[f64], names: Vec<String>) -> Result<BTreeMap<String, f64>, Trouble> {
    if positions.len() != names.len() {
        return Err(Trouble::Usage(format!(
            "--joints has {} positions, the robot has {} joints: {}",
            positions.len(),
            names.len(),
            names.join(", ")
        )));
    }
    Ok(names.into_iter().zip(positions.iter().copied()).collect())
}

/// An id that nobody else gives: the moment and the process.
fn new_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("reflexctl-{}-{}", now.as_nanos(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn request(args: &[&str]) -> Result<Request, Trouble> {
        let args = ["reflexctl", "--operator", "ada"].iter().chain(args);
        let cli = Cli::try_parse_from(args).map_err(|error| Trouble::Usage(error.to_string()))?;
        cli.act.request(&cli, || Ok(vec!["a".into(), "b".into()]))
    }

    fn payload(args: &[&str]) -> Value {
        request(args).expect("a good command line").payload
    }

    #[test]
    fn command_lines_become_messages() {
        assert_eq!(payload(&["arm"]), json!({ "operator": "ada" }));
        assert_eq!(
            payload(&["release", "--arm-may-fall"]),
            json!({ "arm_may_fall": true, "operator": "ada" })
        );
        assert_eq!(
            payload(&["home", "--speed", "0.5"]),
            json!({ "speed": 0.5, "operator": "ada" })
        );
        assert_eq!(
            payload(&["goto", "--joint", "a=-0.5", "--joint", "b=1"]),
            json!({ "joints": { "a": -0.5, "b": 1.0 }, "operator": "ada" })
        );
        assert_eq!(
            payload(&["goto", "--joints", "-1,0.5"]),
            json!({ "joints": { "a": -1.0, "b": 0.5 }, "operator": "ada" })
        );
        assert_eq!(
            payload(&["skill", "reach", "--target", "-0.1,0,1", "--radius", "0.02"])["params"],
            json!({ "target_x": -0.1, "target_y": 0.0, "target_z": 1.0, "radius": 0.02 })
        );
        assert_eq!(
            payload(&["goto", "--pose", "0.3,-0.1,0.2,0,2.8,0", "--route", "straight"]),
            json!({ "pose": { "position_m": [0.3, -0.1, 0.2], "rpy_rad": [0.0, 2.8, 0.0] },
                    "route": "straight", "operator": "ada" })
        );
        assert_eq!(
            payload(&["goto", "--pose", "0,0,0.1", "--frame", "tool", "--via", "0.1,0,0"]),
            json!({ "pose": { "position_m": [0.0, 0.0, 0.1] }, "frame": "tool",
                    "route": "circular", "via_m": [0.1, 0.0, 0.0], "operator": "ada" })
        );
        assert_eq!(
            payload(&["jog", "--linear", "0,0,-0.05", "--gives-way", "orientation"]),
            json!({ "tool": { "linear_m_s": [0.0, 0.0, -0.05], "gives_way": "orientation" },
                    "ttl_ms": 250, "operator": "ada" })
        );
        assert_eq!(
            payload(&["ik", "--pose", "0,0,1,0,0,0,1", "--from", "a=0.5"]),
            json!({ "pose": { "position_m": [0.0, 0.0, 1.0], "quaternion_xyzw": [0.0, 0.0, 0.0, 1.0] },
                    "from": { "a": 0.5 }, "operator": "ada" })
        );
        assert_eq!(
            payload(&["registry", "reload", "--file", "b.json"]),
            json!({ "act": "reload", "file": "b.json", "operator": "ada" })
        );
        assert_eq!(
            payload(&["registry", "promote", "pick_up"]),
            json!({ "act": "promote", "skill": "pick_up", "operator": "ada" })
        );
        assert_eq!(
            payload(&["backend", "mujoco", "--from-present"]),
            json!({ "to": "mujoco", "pose": "present", "operator": "ada" })
        );
        assert_eq!(
            payload(&["backend", "loopback", "--keep-shadow"]),
            json!({ "to": "loopback", "keep_shadow": true, "operator": "ada" })
        );
        assert_eq!(
            payload(&["shadow", "mujoco"]),
            json!({ "shadow": "mujoco", "operator": "ada" })
        );
        assert_eq!(payload(&["shadow", "off"]), json!({ "shadow": null, "operator": "ada" }));
        assert_eq!(
            payload(&["inject", "--fault", "delay", "--amount", "300", "--for", "0.5s"]),
            json!({ "fault": "delay", "amount": 300, "for_ms": 500, "operator": "ada" })
        );
        assert_eq!(payload(&["inject", "--clear"]), json!({ "clear": true, "operator": "ada" }));
        assert_eq!(payload(&["inject"]), json!({ "operator": "ada" }));
        assert_eq!(
            payload(&["lease", "--takeover", "--ttl-ms", "2000"]),
            json!({ "act": "acquire", "takeover": true, "ttl_ms": 2000, "operator": "ada" })
        );
        assert_eq!(payload(&["lease", "release"]), json!({ "act": "release", "operator": "ada" }));
        assert_eq!(payload(&["skill", "rest"]), json!({ "name": "rest", "operator": "ada" }));
    }

    #[test]
    fn every_message_is_one_that_the_daemon_understands() {
        let args = [
            "decide",
            "pick_up",
            "--target",
            "0.3,0.1,0.02",
            "--instruction",
            "eat",
            "--ttl-ms",
            "500",
        ];
        let text = payload(&args).to_string();
        let decision = crate::wire::decision_message(text.as_bytes()).expect("understood");
        assert_eq!(
            (decision.params.target_x, decision.ttl_ms, decision.source.as_str()),
            (0.3, 500, "ada")
        );
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for args in [
            &["goto"][..],
            &["goto", "--joint", "a"],
            &["goto", "--joint", "a=nan"],
            &["goto", "--joint", "a=1", "--joint", "a=2"],
            &["goto", "--joint", "a=1", "--joints", "1,2"],
            &["goto", "--joints", "1,2,3"],
            &["decide", "pick_up"],
            &["decide", "pick_up", "--target", "1,2"],
            &["skill", "rest", "--radius", "1"],
            &["goto", "--pose", "1,2"],
            &["goto", "--pose", "1,2,3", "--joint", "a=1"],
            &["goto", "--joint", "a=1", "--route", "straight"],
            &["goto", "--pose", "1,2,3", "--route", "straight", "--via", "1,2,3"],
            &["jog"],
            &["jog", "--joint", "a=1", "--linear", "0,0,1"],
            &["jog", "--joint", "a=1", "--for", "0"],
            &["inject", "--fault", "gremlins"],
            &["inject", "--amount", "3"],
            &["inject", "--fault", "freeze", "--for", "2"],
            &["inject", "--fault", "freeze", "--for", "61s"],
            &["inject", "--clear", "--list"],
            &["ik"],
            &["ik", "--pose", "nan,0,0"],
            &["fly"],
        ] {
            assert!(matches!(request(args), Err(Trouble::Usage(_))), "{args:?}");
        }
    }
}
