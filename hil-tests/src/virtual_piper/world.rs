//! The world's door: what a test may see and do that no bus tells or allows. JSON, one line each way.

use serde_json::{Value, json};

use super::{Arm, Fault, body::GRIPPER};

/// What is asked of it, apart from `quit`, which is for those who serve.
const REQUESTS: &str = "state, reset, place, pose, fault, quit";

impl Arm {
    /// Answers one request. `ok` says whether it was done; if it was not, `error` says why, and nothing has changed.
    pub fn ask(&mut self, request: &Value) -> Value {
        let done = match request["do"].as_str() {
            Some("state") => Ok(self.state()),
            Some("reset") => {
                self.restart(request["seed"].as_u64().unwrap_or(self.setup.seed));
                Ok(json!({}))
            }
            Some("place") => self.ask_place(request),
            Some("pose") => self.ask_pose(request),
            Some("fault") => Fault::read(request).map(|fault| {
                self.set_fault(fault);
                json!({ "fault": request["fault"] })
            }),
            _ => Err(format!("do takes one of {REQUESTS}")),
        };
        match done {
            Ok(mut answer) => {
                answer["ok"] = true.into();
                answer
            }
            Err(error) => json!({ "ok": false, "error": error }),
        }
    }

    fn state(&mut self) -> Value {
        let (joints, tally) = (self.joints(), self.tally());
        let mut things = serde_json::Map::new();
        for (name, [x, y, z, qw, qx, qy, qz]) in self.body.things() {
            let thing = json!({ "position_m": [x, y, z], "quaternion_wxyz": [qw, qx, qy, qz] });
            things.insert(name, thing);
        }
        let (body, speeds) = (self.body.position(), self.body.velocity());
        json!({
            "joints_rad": joints,
            "speeds_rad_s": speeds[..6],
            "gripper_m": body[GRIPPER],
            "enabled": self.power.map(|power| power.on),
            "gripper_enabled": self.hand.on,
            "control": words(self.mode.control),
            "movement": words(self.mode.movement),
            "follow": words(self.mode.follow),
            "speed_percent": (self.mode.speed * 100.0).round(),
            "halted": self.halted,
            "arm_status": words(self.status),
            "reached": self.has_reached(),
            "targets_rad": self.motion.targets,
            "gripper_target_m": self.hand.target_m,
            "things": things,
            "fault": self.fault().map_or("none", |fault| fault.name()),
            "firmware": self.setup.firmware.to_string(),
            "heard": tally.heard,
            "said": tally.said,
            "refused": tally.refused,
        })
    }

    fn ask_place(&mut self, request: &Value) -> Result<Value, String> {
        let body = request["body"].as_str().ok_or("body takes the name of a free body")?;
        let at = numbers::<3>(&request["position_m"]).ok_or("position_m takes [x, y, z]")?;
        let yaw = request["yaw_rad"].as_f64().unwrap_or(0.0);
        self.place(body, at, yaw).map_err(|error| error.to_string())?;
        Ok(json!({}))
    }

    fn ask_pose(&mut self, request: &Value) -> Result<Value, String> {
        let joints = numbers::<6>(&request["joints_rad"]).ok_or("joints_rad takes six numbers")?;
        let opening = match &request["gripper_m"] {
            Value::Null => self.body.position()[GRIPPER],
            other => other.as_f64().ok_or("gripper_m takes a number")?,
        };
        let mut pose = [opening; 7];
        pose[..6].copy_from_slice(&joints);
        self.pose(&pose);
        Ok(json!({}))
    }

    /// What is worth a line in a log when it changes.
    pub(super) fn in_short(&self) -> String {
        let on: String = self.power.iter().map(|power| if power.on { '1' } else { '0' }).collect();
        format!(
            "motors {on}, gripper {}, {} {} {} {:.0} %, status {}{}, fault {}",
            u8::from(self.hand.on),
            words(self.mode.control),
            words(self.mode.movement),
            words(self.mode.follow),
            self.mode.speed * 100.0,
            words(self.status),
            if self.halted { ", halted" } else { "" },
            self.fault().map_or("none", |fault| fault.name()),
        )
    }
}

/// The name of a code, as other names on the wire are written.
fn words(code: impl std::fmt::Debug) -> String {
    let mut words = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn numbers<const N: usize>(value: &Value) -> Option<[f64; N]> {
    let numbers = value.as_array()?.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?;
    numbers.try_into().ok()
}
