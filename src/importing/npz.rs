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
    FeaturesTold, ImportError, Told,
    material::{Answered, EXACT, Examples, Material, Seen, Statistics},
    onnx::{Layer, Perceptron},
};

/// More layers than any such policy has.
const LAYERS_MAX: usize = 16;
/// Made-up observations that the answer is computed for.
const EXAMPLES: usize = 4;
/// The bound on inputs, in standard deviations, unless another one is told. A published one of these policies had a number
/// that moved by 6e-6 in its data: a millimetre more, and 1572 deviations decide everything.
const CLIP: f64 = 10.0;
/// The smallest standard deviation that anything is divided by, unless another one is told: numbers that stood still in
/// the data were given 1e-6.
const STD_FLOOR: f64 = 1e-4;

/// Bounds what nobody has told a bound for: the format has none.
pub(super) fn bound(told: &mut Told) {
    told.clip.get_or_insert(CLIP);
    told.std_floor.get_or_insert(STD_FLOOR);
}

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

    /// Whether something is so, if the file says it.
    fn flag(&mut self, name: &str) -> Option<bool> {
        let array = self.reader.by_name::<OwnedRepr<bool>, IxDyn>(name).ok()?;
        array.iter().copied().next()
    }

    /// A whole number, if the file has it.
    fn count(&mut self, name: &str) -> Option<i64> {
        let array = self.reader.by_name::<OwnedRepr<i64>, IxDyn>(name).ok()?;
        array.iter().copied().next()
    }
}

/// Reads a policy. `floor`: the one that its user has told, who then knows that something stood still.
pub(super) fn read(file: &Path, told: &Told, floor: Option<f64>) -> Result<Material, ImportError> {
    let mut arrays = Arrays::open(file)?;
    let mean = arrays.list("x_mean", None)?;
    let inputs = mean.len();
    let std = arrays.list("x_std", Some(inputs))?;
    if let Some(at) = std.iter().position(|std| *std <= 0.0).filter(|_| floor.is_none()) {
        let remedy =
            "has to be above 0: it did not move in the data; train without it, or tell --std-floor";
        return Err(ImportError::bad(file, format!("x_std[{at}]"), std[at], remedy));
    }
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
    let notes = notes(file, &mut arrays, inputs, told)?;
    let perceptron =
        Perceptron { layers, scale: narrow(y_std.iter()), offset: narrow(y_mean.iter()) };
    let statistics = Statistics {
        file: file.to_path_buf(),
        key: "x".to_owned(),
        method: EXACT,
        lists: [("mean", mean), ("std", std)],
    };
    let within = Bounds {
        floor: told.std_floor.unwrap_or_default(),
        reach: told.clip.unwrap_or(f64::INFINITY).min(1.0),
    };
    let examples = (0..EXAMPLES).map(|at| example(&perceptron, &statistics, within, at)).collect();
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
            bounded: true,
            examples,
        },
        notes,
    })
}

fn narrow<'a>(values: impl Iterator<Item = &'a f64>) -> Vec<f32> {
    values.map(|value| *value as f32).collect()
}

/// What the file says of its state, against what is told of it.
fn notes(
    file: &Path,
    arrays: &mut Arrays,
    inputs: usize,
    told: &Told,
) -> Result<Vec<String>, ImportError> {
    let mode = arrays.has("state_mode").then(|| text_of(file, "state_mode")).flatten();
    if let Some(wanted) = &told.state_mode
        && mode.as_ref() != Some(wanted)
    {
        let remedy = format!("the layout is for \"{wanted}\": take one for this state");
        return Err(ImportError::bad(file, "state_mode", mode, remedy));
    }
    let flags = arrays.flag("include_stage_flags");
    let has_stage = told.inputs.iter().any(|input| match &input.features {
        FeaturesTold::Words(words) => words.contains("stage"),
        FeaturesTold::Tables(tables) => tables
            .iter()
            .any(|table| table.get("name").and_then(|name| name.as_str()) == Some("stage")),
    });
    if flags == Some(false) && has_stage {
        let remedy = "the policy was trained without stages, and the layout has some: take another";
        return Err(ImportError::bad(file, "include_stage_flags", false, remedy));
    }
    let mut notes = Vec::new();
    if told.state_mode.is_none() {
        for name in ["state_mode", "include_stage_flags"].iter().filter(|name| arrays.has(name)) {
            notes.push(format!(
                "`{name}` is not looked at: the features that you tell say what the {inputs} numbers are"
            ));
        }
    }
    Ok(notes)
}

/// A text that NumPy wrote as `<U`, if it is stored as it is. No reader of arrays has texts.
fn text_of(file: &Path, name: &str) -> Option<String> {
    /// A member's header: its mark, then at these places its method, and the lengths of its name and of what follows that.
    const MARK: &[u8] = b"PK\x03\x04";
    const HEADER: usize = 30;
    let bytes = std::fs::read(file).ok()?;
    let member = format!("{name}.npy");
    let mut heads = bytes.windows(HEADER + member.len()).enumerate();
    let (at, head) = heads
        .find(|(_, window)| window.starts_with(MARK) && window[HEADER..] == *member.as_bytes())?;
    let two = |from: usize| usize::from(u16::from_le_bytes([head[from], head[from + 1]]));
    if two(8) != 0 || two(26) != member.len() {
        return None;
    }
    let array = bytes.get(at + HEADER + member.len() + two(28)..)?;
    let length = array.get(8..10).filter(|_| array.starts_with(b"\x93NUMPY\x01"))?;
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    let header = str::from_utf8(array.get(10..10 + length)?).ok()?;
    let (_, width) = header.split_once("'<U")?;
    let width: usize = width.split('\'').next()?.parse().ok()?;
    let letters = array.get(10 + length..10 + length + 4 * width)?.chunks_exact(4);
    let letters = letters.map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    letters.take_while(|letter| *letter != 0).map(char::from_u32).collect()
}

/// Where examples may lie, so that a bound on the inputs changes nothing.
#[derive(Clone, Copy)]
struct Bounds {
    /// What varies less than this stays at its mean.
    floor: f64,
    /// What varies stays within so many deviations.
    reach: f64,
}

/// A made-up observation within one standard deviation of the mean, and what follows from it.
fn example(
    of: &Perceptron,
    seen: &Statistics,
    within: Bounds,
    at: usize,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let [(_, mean), (_, std)] = &seen.lists;
    let mut random = fastrand::Rng::with_seed(1 + at as u64);
    let mut draw = |std: &f64| {
        let place = within.reach * (2.0 * random.f64() - 1.0);
        if *std < within.floor { 0.0 } else { place }
    };
    let place: Vec<f64> = std.iter().map(&mut draw).collect();
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
