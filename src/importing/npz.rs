//! A multilayer perceptron in a `.npz` file, as the Fire Boy project keeps its body policies: `x_mean`, `x_std`, `y_mean`,
//! `y_std`, and `w0`, `b0`, `w1`, `b1`, ... of its layers, with rectifiers between them. Its answer is `y * y_std + y_mean`.
//!
//! The input's statistics go into the manifest, where they are seen, checked and can be bounded; the output's stay in the
//! network, since a chunk's steps may each have their own, and columns have one.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::NpzReader;

use super::{
    ImportError,
    material::{Answered, EXACT, Examples, Material, Seen, Statistics},
    onnx::{Layer, Perceptron},
};

/// More layers than any such policy has.
const LAYERS_MAX: usize = 16;
/// Made-up observations that the answer is computed for.
const EXAMPLES: usize = 4;

/// The arrays of a file.
struct Arrays {
    file: PathBuf,
    reader: NpzReader<File>,
    names: Vec<String>,
}

impl Arrays {
    fn open(file: &Path) -> Result<Self, ImportError> {
        let opened = File::open(file).map_err(|source| ImportError::File {
            file: file.to_path_buf(),
            source,
            remedy: "name the policy's .npz file".to_owned(),
        })?;
        let is_none = |error: ndarray_npy::ReadNpzError| {
            ImportError::bad(file, "zip", error.to_string(), "name a file that numpy.savez wrote")
        };
        let mut reader = NpzReader::new(opened).map_err(is_none)?;
        let names = reader.names().map_err(is_none)?;
        Ok(Self { file: file.to_path_buf(), reader, names })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// An array of `f32` or `f64` of this shape, row by row; all of it finite.
    fn get(&mut self, name: &str, shape: &[Option<usize>]) -> Result<ArrayD<f64>, ImportError> {
        if !self.has(name) {
            let remedy = format!("the file needs it; it has {:?}", self.names);
            return Err(ImportError::bad(&self.file, name, "nothing", remedy));
        }
        let array = match self.reader.by_name::<OwnedRepr<f32>, IxDyn>(name) {
            Ok(array) => array.mapv(f64::from),
            Err(_) => self.reader.by_name::<OwnedRepr<f64>, IxDyn>(name).map_err(|error| {
                ImportError::bad(&self.file, name, error.to_string(), "save it as float32")
            })?,
        };
        let fits = array.ndim() == shape.len()
            && array
                .shape()
                .iter()
                .zip(shape)
                .all(|(&len, wanted)| wanted.is_none_or(|w| w == len))
            && !array.is_empty();
        if !fits {
            let any = |len: &Option<usize>| len.map_or("any".to_owned(), |len| len.to_string());
            let wanted: Vec<_> = shape.iter().map(any).collect();
            let remedy = format!("the shape has to be [{}]", wanted.join(", "));
            let found = array.shape().to_vec();
            return Err(ImportError::bad(&self.file, format!("shape of {name}"), found, remedy));
        }
        match array.iter().position(|value| !value.is_finite()) {
            None => Ok(array),
            Some(at) => {
                let (key, value) = (format!("{name}[{at}]"), array.iter().nth(at).copied());
                let remedy = "every number has to be finite: train again";
                Err(ImportError::bad(&self.file, key, value.unwrap_or(f64::NAN), remedy))
            }
        }
    }

    fn list(&mut self, name: &str, len: Option<usize>) -> Result<Vec<f64>, ImportError> {
        Ok(self.get(name, &[len])?.iter().copied().collect())
    }

    /// A whole number, if the file has it.
    fn count(&mut self, name: &str) -> Option<i64> {
        let array = self.reader.by_name::<OwnedRepr<i64>, IxDyn>(name).ok()?;
        array.iter().copied().next()
    }
}

/// Reads a policy.
pub(super) fn read(file: &Path) -> Result<Material, ImportError> {
    let mut arrays = Arrays::open(file)?;
    let mean = arrays.list("x_mean", None)?;
    let inputs = mean.len();
    let std = arrays.list("x_std", Some(inputs))?;
    let mut layers = Vec::new();
    let mut width = inputs;
    while layers.is_empty() || arrays.has(&format!("w{}", layers.len())) {
        let at = layers.len();
        if at == LAYERS_MAX {
            return Err(ImportError::bad(
                file,
                format!("w{at}"),
                "there",
                "at most 16 layers are read",
            ));
        }
        let weights = arrays.get(&format!("w{at}"), &[None, Some(width)])?;
        width = weights.shape()[0];
        let bias = arrays.list(&format!("b{at}"), Some(width))?;
        layers.push(Layer { weights: narrow(weights.iter()), bias: narrow(bias.iter()) });
    }
    let y_mean = arrays.list("y_mean", Some(width))?;
    let y_std = arrays.list("y_std", Some(width))?;
    if let Some(at) = y_std.iter().position(|std| *std <= 0.0) {
        let remedy = "has to be above 0: the action did not move in the data";
        return Err(ImportError::bad(file, format!("y_std[{at}]"), y_std[at], remedy));
    }
    for (name, found) in [("input_dim", inputs), ("action_dim", width)] {
        if let Some(told) = arrays.count(name).filter(|told| usize::try_from(*told) != Ok(found)) {
            let remedy = format!("the layers say {found}: the file is not whole");
            return Err(ImportError::bad(file, name, told, remedy));
        }
    }
    let mut notes = Vec::new();
    for name in ["state_mode", "include_stage_flags"].into_iter().filter(|name| arrays.has(name)) {
        notes.push(format!("`{name}` is not looked at: the features that you tell say what the {inputs} numbers are"));
    }
    let perceptron =
        Perceptron { layers, scale: narrow(y_std.iter()), offset: narrow(y_mean.iter()) };
    let statistics = Statistics {
        file: file.to_path_buf(),
        key: "x".to_owned(),
        method: EXACT,
        lists: [("mean", mean), ("std", std)],
    };
    let examples = (0..EXAMPLES).map(|at| example(&perceptron, &statistics, at)).collect();
    Ok(Material {
        what: format!("a perceptron of {} layers, {inputs} to {width}", perceptron.layers.len()),
        network: perceptron.write("perceptron", inputs),
        inputs: vec![Seen {
            tensor: "observation".to_owned(),
            shape: vec![1, inputs],
            statistics: Some(statistics),
            is_state: false,
        }],
        output: Answered {
            tensor: "action".to_owned(),
            shape: vec![1, width],
            statistics: None,
            is_padded: false,
        },
        execute_steps: None,
        joints: None,
        examples: Examples::Given {
            by: "its layers, computed in double precision".to_owned(),
            examples,
        },
        notes,
    })
}

fn narrow<'a>(values: impl Iterator<Item = &'a f64>) -> Vec<f32> {
    values.map(|value| *value as f32).collect()
}

/// A made-up observation within one standard deviation of the mean, and what follows from it.
fn example(of: &Perceptron, seen: &Statistics, at: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    let [(_, mean), (_, std)] = &seen.lists;
    let mut random = fastrand::Rng::with_seed(1 + at as u64);
    let place: Vec<f64> = mean.iter().map(|_| 2.0 * random.f64() - 1.0).collect();
    let raw = mean.iter().zip(std).zip(&place).map(|((mean, std), at)| mean + std * at).collect();
    (raw, vec![of.answer(&place)])
}

impl Perceptron {
    /// What it answers, in double precision: a second opinion on whatever runs the network.
    fn answer(&self, normalised: &[f64]) -> Vec<f64> {
        let mut values = normalised.to_vec();
        for (at, layer) in self.layers.iter().enumerate() {
            let rows = layer.weights.chunks_exact(values.len().max(1)).zip(&layer.bias);
            let sums = rows.map(|(row, bias)| {
                let products =
                    row.iter().zip(&values).map(|(weight, value)| f64::from(*weight) * value);
                f64::from(*bias) + products.sum::<f64>()
            });
            let is_last = at + 1 == self.layers.len();
            values = sums.map(|sum| if is_last { sum } else { sum.max(0.0) }).collect();
        }
        let each = values.iter().zip(&self.scale).zip(&self.offset);
        each.map(|((value, scale), offset)| value * f64::from(*scale) + f64::from(*offset))
            .collect()
    }
}
