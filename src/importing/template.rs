//! The small file that a user fills in instead of typing flags.

use std::path::Path;

use super::{ImportError, material, onnx};
use crate::config::{JointSettings, RobotSettings};

/// A template: with the tensors of a network, if there is one.
pub(super) fn write(network: Option<&Path>, robot: &RobotSettings) -> Result<String, ImportError> {
    let joints: Vec<&str> = robot.joints.iter().map(JointSettings::name).collect();
    let inputs = match network {
        None => input("observation", "as many numbers as it has"),
        Some(file) => {
            let bytes = material::read(file, "name the .onnx file")?;
            let shown = onnx::read(file, &bytes)?;
            let each = shown
                .inputs
                .iter()
                .map(|outlet| Ok(input(&outlet.name, &format!("shape {:?}", outlet.shape(file)?))));
            each.collect::<Result<Vec<_>, ImportError>>()?.join("\n")
        }
    };
    Ok(format!(
        r#"# What the policy's own files do not say. Fill it in, then: reflexd head import ... --spec THIS_FILE
# A flag of the same name counts more than a line here. Lines that begin with # may stay as they are.
skill = "pick_up"

# The control period that it was trained for, ms: at another rate it is another policy.
period_ms = 50.0

# The robot's joints in the order of the policy's actions, and in what it counts angles: "rad" or "deg". Lengths are in m.
joints = {joints:?}
units = "rad"
# Where a unit is another one: what one of the policy's is in rad or m.
# scale = ["gripper=0.0007"]

# Each action: "absolute" is a target, "range" a place in the joint's range, -1 to +1.
action = "absolute"
# Which columns are displacements from the observed state, as openpi counts them: six are, one is not.
# delta = [6, -1]
# Steps of a chunk that stands in one row.
# chunk_steps = 10
# execute_steps = 8
# prefetch_ticks = 3
# deadline_ms = 10.0

# The bound on normalised inputs, and the smallest standard deviation that anything is divided by.
# clip = 10.0
# std_floor = 0.001

# dataset = "where the data come from"
# command = "what trained it"
# licence = "MIT"

{inputs}"#
    ))
}

fn input(tensor: &str, size: &str) -> String {
    format!(
        r#"# What stands in `{tensor}` ({size}), in order: features joined by +. Those of joints have all of `joints` unless
# they name theirs: joint_position, joint_sine, joint_cosine, joint_velocity, previous_action, object_position,
# decision:target_x,target_y,target_z,radius,speed_hint,object_is_berry, tool_position:x,y,z. Or [[inputs.features]] tables,
# as in a manifest, without mean, std and clip.
[[inputs]]
tensor = {tensor:?}
features = "joint_position + previous_action + decision:target_x,target_y,target_z"
# If it is not normalised inside the network: what is taken away from each number, and what it is divided by.
# mean = [0.0]
# std = [1.0]
"#
    )
}
