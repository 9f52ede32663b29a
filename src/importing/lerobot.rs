//! A folder that LeRobot's `save_pretrained` wrote, and the network that models/training/import/export_lerobot_act.py
//! made of it.
//!
//! `config.json` says which policy it is and how its features are normalised; the statistics lie in the `state_file` of
//! the normalising step of policy_preprocessor.json and policy_postprocessor.json, or, in folders from before LeRobot had
//! processors, among the weights. Nothing in the folder says how often the policy is asked, whose joints these are, and
//! what their units are. Source: `normalize_processor.py` of LeRobot 0.4.4, the same in 0.6.1.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use super::{
    ImportError,
    material::{self, Answered, Examples, Material, Seen, Statistics},
    onnx,
};

/// What the exporter writes.
const NETWORK: &str = "policy.onnx";
const EXAMPLES: &str = "policy_goldens.json";
const EXPORT: &str = "run models/training/import/export_lerobot_act.py on the folder first, or name a network with --onnx";
const ACTION: &str = "action";
/// What LeRobot adds to a standard deviation.
const EPSILON: f64 = 1e-8;

/// What counts here of `config.json`.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(rename = "type")]
    kind: String,
    input_features: BTreeMap<String, Feature>,
    output_features: BTreeMap<String, Feature>,
    normalization_mapping: BTreeMap<String, String>,
    #[serde(default = "one")]
    n_obs_steps: u32,
    chunk_size: Option<u32>,
    n_action_steps: Option<u32>,
    temporal_ensemble_coeff: Option<f64>,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize)]
struct Feature {
    #[serde(rename = "type")]
    kind: String,
    shape: Vec<usize>,
}

/// What counts of the exporter's answers.
#[derive(Debug, Deserialize)]
struct Answers {
    made_with: String,
    goldens: Vec<Answer>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    observation: BTreeMap<String, Vec<f64>>,
    action: Vec<Vec<f64>>,
}

/// Statistics by name, as in `observation.state.mean`.
struct Stats {
    file: PathBuf,
    /// How each kind of feature is normalised, where the step says so itself.
    mapping: Option<(PathBuf, BTreeMap<String, String>)>,
    lists: BTreeMap<String, Vec<f64>>,
}

/// Reads a folder; the network too, if the user names another.
pub(super) fn read(folder: &Path, network_file: Option<&Path>) -> Result<Material, ImportError> {
    let file = folder.join("config.json");
    let config = config(&file)?;
    let network_file = network_file.map_or_else(|| folder.join(NETWORK), Path::to_path_buf);
    let network = material::read(&network_file, EXPORT)?;
    let shown = onnx::read(&network_file, &network)?;
    let before = Stats::of(folder, "policy_preprocessor.json", "normalizer_processor")?;
    let after = Stats::of(folder, "policy_postprocessor.json", "unnormalizer_processor")?;

    let mut inputs = Vec::new();
    for outlet in &shown.inputs {
        let Some(feature) = config.input_features.get(&outlet.name) else {
            let known: Vec<_> = config.input_features.keys().collect();
            let remedy = format!("the policy has the inputs {known:?}: {EXPORT}");
            return Err(ImportError::bad(&network_file, "inputs", &outlet.name, remedy));
        };
        let shape = outlet.shape(&network_file)?;
        let len = shape.iter().product();
        if len != feature.shape.iter().product::<usize>() {
            let key = format!("shape of `{}`", outlet.name);
            let remedy = format!("config.json says {:?}: {EXPORT}", feature.shape);
            return Err(ImportError::bad(&network_file, key, shape, remedy));
        }
        let statistics = before.for_feature(&config, &file, &outlet.name, &feature.kind)?;
        let statistics = statistics.map(|statistics| statistics.checked(len)).transpose()?;
        let is_state = outlet.name == "observation.state";
        inputs.push(Seen { tensor: outlet.name.clone(), shape, statistics, is_state });
    }
    let outlet = material::output_of(&shown.outputs, Some(ACTION), &network_file)?;
    let shape = outlet.shape(&network_file)?;
    let width = match config.output_features.get(ACTION).map(|feature| &feature.shape[..]) {
        Some([width]) if shape.last() == Some(width) => *width,
        found => {
            let remedy = format!("the network answers {shape:?}: {EXPORT}");
            return Err(ImportError::bad(&file, "output_features.action.shape", found, remedy));
        }
    };
    let statistics = after.for_feature(&config, &file, ACTION, "ACTION")?;
    let statistics = statistics.map(|statistics| statistics.checked(width)).transpose()?;
    let names: Vec<_> = inputs.iter().map(|seen| seen.tensor.clone()).collect();
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    let mut notes = Vec::new();
    if config.temporal_ensemble_coeff.is_some() {
        notes.push(
            "the policy was made for temporal_ensemble_coeff: set [seam] method = \"ensemble\""
                .to_owned(),
        );
    }
    Ok(Material {
        what: format!("LeRobot's {} `{}`", config.kind, name.to_string_lossy()),
        network,
        inputs,
        output: Answered { tensor: ACTION.to_owned(), shape, statistics, is_padded: false },
        execute_steps: config.n_action_steps.or(config.chunk_size),
        joints: None,
        examples: examples(folder, &names)?,
        notes,
    })
}

fn config(file: &Path) -> Result<Config, ImportError> {
    let remedy = "name the folder that LeRobot's save_pretrained wrote, with config.json";
    let bytes = material::read(file, remedy)?;
    let config: Config = serde_json::from_slice(&bytes)
        .map_err(|error| ImportError::bad(file, "JSON", error.to_string(), remedy))?;
    if config.kind != "act" {
        let remedy = match config.kind.as_str() {
            "diffusion" | "vqbet" => {
                "its sampling does not stand in one graph; only act is read so far"
            }
            "smolvla" | "pi0" | "pi0_fast" | "pi05" | "groot" => {
                "a vision-language-action model of this size does not answer within a tick on a robot's computer; only act is read"
            }
            _ => {
                "only act is read so far; a policy of another type can be exported to ONNX and read with --from onnx"
            }
        };
        return Err(ImportError::bad(file, "type", &config.kind, remedy));
    }
    if config.n_obs_steps != 1 {
        let remedy = "a head sees one observation: train with n_obs_steps = 1";
        return Err(ImportError::bad(file, "n_obs_steps", config.n_obs_steps, remedy));
    }
    for (name, feature) in &config.input_features {
        if feature.kind == "VISUAL" {
            let remedy = "camera inputs are not supported yet: train on observation.state and observation.environment_state";
            let key = format!("input_features.{name}");
            return Err(ImportError::bad(file, key, (&feature.kind, &feature.shape), remedy));
        }
    }
    Ok(config)
}

impl Stats {
    /// Those of a processor's step, or those among the weights where there is no processor.
    fn of(folder: &Path, processor: &str, step: &str) -> Result<Self, ImportError> {
        let file = folder.join(processor);
        if !file.exists() {
            return Self::among_weights(folder);
        }
        let remedy = "name a folder that LeRobot's save_pretrained wrote whole";
        let bytes = material::read(&file, remedy)?;
        let pipeline: Value = serde_json::from_slice(&bytes)
            .map_err(|error| ImportError::bad(&file, "JSON", error.to_string(), remedy))?;
        let steps = pipeline.get("steps").and_then(Value::as_array).cloned().unwrap_or_default();
        steps.iter().try_for_each(|step| understood(&file, step))?;
        let is_it =
            |other: &&Value| other.get("registry_name").and_then(Value::as_str) == Some(step);
        let found = steps.iter().find(is_it);
        let state_file = found.and_then(|step| step.get("state_file"));
        let Some(state_file) = state_file.and_then(Value::as_str) else {
            let remedy = format!("a step `{step}` with a `state_file` is wanted: {remedy}");
            return Err(ImportError::bad(&file, "steps", "none", remedy));
        };
        let stats = Self::read(&folder.join(state_file), |key| Some(key.to_owned()))?;
        // The step's own mapping is what runs; the one of config.json is what it was made of.
        let mapping = found.and_then(|step| step.pointer("/config/norm_map")).cloned();
        let mapping = mapping.and_then(|map| serde_json::from_value(map).ok());
        Ok(Self { mapping: mapping.map(|mapping| (file, mapping)), ..stats })
    }

    /// `normalize_inputs.buffer_observation_state.mean`: how LeRobot kept them until 0.3.
    fn among_weights(folder: &Path) -> Result<Self, ImportError> {
        Self::read(&folder.join("model.safetensors"), |key| {
            let (owner, rest) = key.split_once(".buffer_")?;
            let (name, statistic) = rest.rsplit_once('.')?;
            ["normalize_inputs", "unnormalize_outputs"].contains(&owner).then(|| {
                format!("{}.{statistic}", name.replacen("observation_", "observation.", 1))
            })
        })
    }

    fn read(file: &Path, name: impl Fn(&str) -> Option<String>) -> Result<Self, ImportError> {
        let remedy = "name a folder that LeRobot's save_pretrained wrote whole";
        let bytes = material::read(file, remedy)?;
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|error| ImportError::bad(file, "safetensors", error.to_string(), remedy))?;
        let mut lists = BTreeMap::new();
        for (key, tensor) in tensors.iter() {
            let Some(name) = name(key) else { continue };
            let numbers = match tensor.dtype() {
                Dtype::F32 => tensor
                    .data()
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| f64::from(f32::from_le_bytes(*b)))
                    .collect(),
                Dtype::F64 => {
                    tensor.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
                }
                // Counts of samples, and the like.
                _ => continue,
            };
            lists.insert(name, numbers);
        }
        Ok(Self { file: file.to_path_buf(), mapping: None, lists })
    }

    /// The statistics that a feature's normalisation wants; `None` if it has none. As LeRobot does, a kind that the mapping
    /// does not name, or a feature without statistics, is left as it is.
    fn for_feature(
        &self,
        config: &Config,
        config_file: &Path,
        name: &str,
        kind: &str,
    ) -> Result<Option<Statistics>, ImportError> {
        let (file, key, mapping) = match &self.mapping {
            Some((file, mapping)) => (file.as_path(), "steps.config.norm_map", mapping),
            None => (config_file, "normalization_mapping", &config.normalization_mapping),
        };
        let mode = mapping.get(kind).map_or("IDENTITY", String::as_str);
        let (method, keys) = match mode {
            "IDENTITY" => return Ok(None),
            "MEAN_STD" => ("lerobot_mean_std", ["mean", "std"]),
            "MIN_MAX" => ("lerobot_min_max", ["min", "max"]),
            "QUANTILES" => ("lerobot_quantiles", ["q01", "q99"]),
            "QUANTILE10" => ("lerobot_quantile10", ["q10", "q90"]),
            _ => {
                let key = format!("{key}.{kind}");
                let remedy = "MEAN_STD, MIN_MAX, QUANTILES, QUANTILE10 and IDENTITY are known";
                return Err(ImportError::bad(file, key, mode, remedy));
            }
        };
        if !self.lists.keys().any(|key| key.rsplit_once('.').is_some_and(|(of, _)| of == name)) {
            return Ok(None);
        }
        let list = |statistic: &'static str| {
            let key = format!("{name}.{statistic}");
            let found = self.lists.get(&key).cloned();
            let remedy =
                format!("{mode} of config.json needs it: compute the data set's statistics again");
            found
                .map(|list| (statistic, list))
                .ok_or_else(|| ImportError::bad(&self.file, key, "nothing", remedy))
        };
        let lists = [list(keys[0])?, list(keys[1])?];
        Ok(Some(Statistics { file: self.file.clone(), key: name.to_owned(), method, lists }))
    }
}

/// Steps of a pipeline whose doing is known: the rest of it only brings numbers to where they are computed.
const UNDERSTOOD: [&str; 5] = [
    "rename_observations_processor",
    "to_batch_processor",
    "device_processor",
    "normalizer_processor",
    "unnormalizer_processor",
];

/// Whether a step does nothing but what an import does too.
fn understood(file: &Path, step: &Value) -> Result<(), ImportError> {
    let name = step.get("registry_name").and_then(Value::as_str).unwrap_or_default();
    let of = |key: &str| step.get("config").and_then(|config| config.get(key)).cloned();
    let (key, value, remedy) = if !UNDERSTOOD.contains(&name) {
        let remedy =
            format!("only the steps {UNDERSTOOD:?} are read: what this one does would be lost");
        ("registry_name", name.to_owned(), remedy)
    } else if let Some(map) = of("rename_map").filter(|map| map != &serde_json::json!({})) {
        let remedy = "save the policy with the names that it was trained with";
        ("config.rename_map", map.to_string(), remedy.to_owned())
    } else if let Some(eps) = of("eps").filter(|eps| eps.as_f64() != Some(EPSILON)) {
        ("config.eps", eps.to_string(), format!("only LeRobot's own {EPSILON:?} is read"))
    } else if let Some(keys) = of("normalize_observation_keys") {
        (
            "config.normalize_observation_keys",
            keys.to_string(),
            "only all of them are read".to_owned(),
        )
    } else {
        return Ok(());
    };
    Err(ImportError::bad(file, format!("steps.{key}"), value, remedy))
}

/// What LeRobot itself answered, if the exporter has asked it.
fn examples(folder: &Path, inputs: &[String]) -> Result<Examples, ImportError> {
    let file = folder.join(EXAMPLES);
    if !file.exists() {
        return Ok(Examples::None);
    }
    let remedy = "run models/training/import/export_lerobot_act.py again, or take the file away";
    let bytes = material::read(&file, remedy)?;
    let answers: Answers = serde_json::from_slice(&bytes)
        .map_err(|error| ImportError::bad(&file, "JSON", error.to_string(), remedy))?;
    let mut examples = Vec::new();
    for (at, answer) in answers.goldens.into_iter().enumerate() {
        let mut raw = Vec::new();
        for name in inputs {
            let of = answer.observation.get(name).ok_or_else(|| {
                let key = format!("goldens[{at}].observation.{name}");
                ImportError::bad(&file, key, "nothing", remedy)
            })?;
            raw.extend_from_slice(of);
        }
        examples.push((raw, answer.action));
    }
    let by = format!("PyTorch ({})", answers.made_with);
    Ok(Examples::Given { by, bounded: false, examples })
}
