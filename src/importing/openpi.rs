//! The statistics of an openpi data set, `norm_stats.json`, beside a network that was exported as ONNX. Pi0 itself has
//! three billion parameters and does not answer within a tick; what is imported here is a small head that was trained on
//! such data.
//!
//! openpi keeps mean, std, q01 and q99 of `state` and `actions`; which of them count is the model's, not the file's: pi0
//! uses mean and std, every later one the quantiles. Source: `transforms.py` of openpi 15a9616.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{
    ImportError, Told,
    material::{self, Answered, Examples, Material, Seen, Statistics},
    onnx,
};

const FILE: &str = "norm_stats.json";

/// Which of the statistics count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenpiNorm {
    /// The quantiles: every model but pi0.
    Quantile,
    /// Mean and standard deviation: pi0.
    ZScore,
}

/// Reads the statistics in `path`, a file or the folder that it lies in, and a network.
pub(super) fn read(
    path: &Path,
    network_file: &Path,
    norm: OpenpiNorm,
    told: &Told,
) -> Result<Material, ImportError> {
    let file = if path.is_dir() { path.join(FILE) } else { path.to_path_buf() };
    let remedy = "name norm_stats.json, or the folder assets/<asset_id> that it lies in";
    let bytes = material::read(&file, remedy)?;
    let stats: Value = serde_json::from_slice(&bytes)
        .map_err(|error| ImportError::bad(&file, "JSON", error.to_string(), remedy))?;
    let stats = stats.get("norm_stats").cloned().unwrap_or(stats);
    let network = material::read(network_file, "name the network with --onnx")?;
    let shown = onnx::read(network_file, &network)?;
    let one = shown.inputs.len() == 1;
    let mut inputs = Vec::new();
    for outlet in &shown.inputs {
        let shape = outlet.shape(network_file)?;
        // Openpi normalises what it calls the state; anything else comes as it is.
        let is_state = one || outlet.name.contains("state");
        let statistics = match is_state {
            true => {
                Some(statistics(&file, &stats, "state", norm)?.checked(shape.iter().product())?)
            }
            false => None,
        };
        inputs.push(Seen { tensor: outlet.name.clone(), shape, statistics, is_state });
    }
    let outlet = material::output_of(&shown.outputs, None, network_file)?;
    let actions = statistics(&file, &stats, "actions", norm)?;
    let len = actions.lists[0].1.len();
    let mut notes = Vec::new();
    if told.delta.is_none() {
        notes.push(
            "the actions are taken for absolute: tell --delta 6,-1 if the data set's transforms have DeltaActions".to_owned(),
        );
    }
    Ok(Material {
        what: format!("a network with openpi's statistics, {norm:?}"),
        output: Answered {
            tensor: outlet.name.clone(),
            shape: outlet.shape(network_file)?,
            statistics: Some(actions.checked(len)?),
            is_padded: true,
        },
        network,
        inputs,
        execute_steps: None,
        joints: None,
        examples: Examples::None,
        notes,
    })
}

fn statistics(
    file: &Path,
    stats: &Value,
    key: &str,
    norm: OpenpiNorm,
) -> Result<Statistics, ImportError> {
    let (method, names) = match norm {
        OpenpiNorm::Quantile => ("openpi_quantile", ["q01", "q99"]),
        OpenpiNorm::ZScore => ("openpi_z_score", ["mean", "std"]),
    };
    let list = |name: &'static str| {
        let found = stats.get(key).and_then(|of| of.get(name)).filter(|found| !found.is_null());
        let key = format!("norm_stats.{key}.{name}");
        let found = found.ok_or_else(|| {
            let remedy = match norm {
                OpenpiNorm::Quantile => {
                    "the file has none: tell --norm z_score if it is pi0's, or compute them again"
                }
                OpenpiNorm::ZScore => "the file has none: compute it again",
            };
            ImportError::bad(file, &*key, "nothing", remedy)
        })?;
        let numbers: Option<Vec<f64>> =
            found.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
        numbers.map(|numbers| (name, numbers)).ok_or_else(|| {
            ImportError::bad(file, key, found.to_string(), "a list of finite numbers is wanted")
        })
    };
    let lists = [list(names[0])?, list(names[1])?];
    Ok(Statistics { file: PathBuf::from(file), key: format!("norm_stats.{key}"), method, lists })
}
