//! A plain ONNX network: it says which tensors it has, and the user says what stands in them.

use std::path::Path;

use super::{
    ImportError, Told,
    material::{self, Answered, EXACT, Examples, Material, Seen, Statistics},
    onnx::{self, Outlet},
};

/// Reads a network. `spec` is where told statistics stand, for errors.
pub(super) fn read(file: &Path, told: &Told, spec: &Path) -> Result<Material, ImportError> {
    let network = material::read(file, "name the .onnx file")?;
    let shown = onnx::read(file, &network)?;
    let one = shown.inputs.len() == 1;
    let mut inputs = Vec::new();
    for outlet in &shown.inputs {
        inputs.push(seen(outlet, one, told, file, spec)?);
    }
    if inputs.is_empty() {
        let remedy = "a head needs an observation: export it with an input";
        return Err(ImportError::bad(file, "inputs", "none", remedy));
    }
    let outlet = material::output_of(&shown.outputs, None, file)?;
    let mut notes = Vec::new();
    let told_of = |key: &str| shown.metadata.iter().find(|(known, _)| known == key);
    let joints = told_of("joint_names")
        .map(|(_, names)| names.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>());
    if let Some(joints) = &joints {
        notes.push(format!(
            "the file names its joints {joints:?}; they count unless you tell others"
        ));
    }
    for key in
        ["action_scale", "default_joint_pos"].into_iter().filter(|key| told_of(key).is_some())
    {
        notes.push(format!(
            "the file has `{key}`, which is not applied: its numbers may be offsets from a pose, and not targets"
        ));
    }
    Ok(Material {
        what: "an ONNX network".to_owned(),
        output: Answered {
            tensor: outlet.name.clone(),
            shape: outlet.shape(file)?,
            statistics: None,
            is_padded: false,
        },
        network,
        inputs,
        execute_steps: None,
        joints,
        examples: Examples::None,
        notes,
    })
}

fn seen(
    outlet: &Outlet,
    one: bool,
    told: &Told,
    file: &Path,
    spec: &Path,
) -> Result<Seen, ImportError> {
    let shape = outlet.shape(file)?;
    let input = told.input(&outlet.name, one);
    let statistics = match input.map(|input| (&input.mean, &input.std)) {
        None | Some((None, None)) => None,
        Some((mean, std)) => {
            let len = shape.iter().product();
            let statistics = Statistics {
                file: spec.to_path_buf(),
                key: format!("inputs.{}", outlet.name),
                method: EXACT,
                lists: [
                    ("mean", mean.clone().unwrap_or_else(|| vec![0.0; len])),
                    ("std", std.clone().unwrap_or_else(|| vec![1.0; len])),
                ],
            };
            Some(statistics.checked(len)?)
        }
    };
    Ok(Seen { tensor: outlet.name.clone(), shape, statistics, is_state: false })
}
