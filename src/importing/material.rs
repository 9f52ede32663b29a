//! What a policy's own files say of it, wherever they come from: the network, its tensors, and the statistics that its
//! numbers are normalised by, still in the policy's own units.

use std::path::{Path, PathBuf};

use super::{ImportError, onnx::Outlet};
use crate::action::{Normalisation, Scale};

/// A policy, as its files have it.
#[derive(Debug)]
pub(super) struct Material {
    /// What it is, for people.
    pub(super) what: String,
    /// The ONNX file's bytes.
    pub(super) network: Vec<u8>,
    pub(super) inputs: Vec<Seen>,
    pub(super) output: Answered,
    /// Steps that are executed of each chunk, if a file says so.
    pub(super) execute_steps: Option<u32>,
    /// The joints' names, if a file has them.
    pub(super) joints: Option<Vec<String>>,
    pub(super) examples: Examples,
    /// What people should know.
    pub(super) notes: Vec<String>,
}

/// An input tensor.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) tensor: String,
    pub(super) shape: Vec<usize>,
    /// How its numbers are normalised before the network sees them; `None`: not at all.
    pub(super) statistics: Option<Statistics>,
    /// Whether it holds the joints' positions unless the user says otherwise: whoever made the format wants it so.
    pub(super) is_state: bool,
}

impl Seen {
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The output tensor.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) tensor: String,
    pub(super) shape: Vec<usize>,
    /// How numbers become actions; `None`: they are.
    pub(super) statistics: Option<Statistics>,
    /// Whether columns beyond the joints are there for other robots only, and are to be left alone.
    pub(super) is_padded: bool,
}

/// Observations, and the actions that follow from them.
#[derive(Debug)]
pub(super) enum Examples {
    /// By somebody else than the engine, in the policy's units; numbers of all inputs one after the other, and rows.
    /// `bounded`: they stay within every bound on inputs that was told.
    Given { by: String, bounded: bool, examples: Vec<(Vec<f64>, Vec<Vec<f64>>)> },
    /// There are none: the engine itself is asked.
    None,
}

/// `(x - mean) / std` and back, with no epsilon: what is said of numbers by whoever has added one to `std` already.
pub(super) const EXACT: &str = "exact";

/// Two numbers for each column of a tensor, and the formula that they are for.
#[derive(Clone, Debug)]
pub(super) struct Statistics {
    /// Where they stand.
    pub(super) file: PathBuf,
    /// Under which name.
    pub(super) key: String,
    /// The formula: [`EXACT`], or as a manifest names it.
    pub(super) method: &'static str,
    /// The names of the two lists, and the lists.
    pub(super) lists: [(&'static str, Vec<f64>); 2],
}

impl Statistics {
    /// Statistics of `len` columns.
    ///
    /// # Errors
    /// A list of another length, or a number that is none.
    pub(super) fn checked(self, len: usize) -> Result<Self, ImportError> {
        for (name, list) in &self.lists {
            let key = format!("{}.{name}", self.key);
            if list.len() != len {
                let remedy = format!("the tensor has {len} columns: give each a number");
                return Err(ImportError::bad(
                    &self.file,
                    format!("length of {key}"),
                    list.len(),
                    remedy,
                ));
            }
            if let Some(at) = list.iter().position(|value| !value.is_finite()) {
                let remedy = "statistics have to be finite: compute them again from the data";
                return Err(ImportError::bad(&self.file, format!("{key}[{at}]"), list[at], remedy));
            }
        }
        Ok(self)
    }

    /// The same in other units: one of the old ones is so many new ones, column by column; columns without are left out.
    pub(super) fn in_units(&self, factors: &[f64]) -> Self {
        let lists = self.lists.clone().map(|(name, list)| {
            (name, list.iter().zip(factors).map(|(value, factor)| value * factor).collect())
        });
        Self { lists, ..self.clone() }
    }

    /// As a manifest has it, for an output: LeRobot's way back has no epsilon either.
    pub(super) fn table(&self) -> toml::Table {
        let method = if self.method == EXACT { "lerobot_mean_std" } else { self.method };
        let mut table = toml::Table::new();
        table.insert("method".to_owned(), method.into());
        for (name, list) in &self.lists {
            table.insert((*name).to_owned(), list.clone().into());
        }
        table
    }

    /// Each column's formula.
    ///
    /// # Errors
    /// If the manifest knows no such normalisation.
    pub(super) fn scales(&self) -> Result<Vec<Scale>, ImportError> {
        let none = |why: String| ImportError::bad(&self.file, &*self.key, self.method, why);
        let normalisation: Normalisation =
            self.table().try_into().map_err(|error: toml::de::Error| none(error.to_string()))?;
        let scales = normalisation.scales(self.lists[0].1.len());
        scales.ok_or_else(|| none("give two lists of one length".to_owned()))
    }

    /// What every number of an input is reduced by and divided by.
    ///
    /// # Errors
    /// A column that never moved in the data: nothing can be divided by that, and whatever moves it at all would be
    /// further away than anything that the network was trained on.
    pub(super) fn mean_and_std(&self, floor: f64) -> Result<Vec<(f64, f64)>, ImportError> {
        let scales = self.scales()?;
        let each = scales.into_iter().enumerate().map(|(at, scale)| {
            let (mean, std) = match scale {
                Scale::Affine { scale, offset, .. } if self.method == EXACT => (offset, scale),
                Scale::Same => (0.0, 1.0),
                Scale::Affine { divisor, offset, .. } => (offset, divisor),
                Scale::Span { low, divisor, .. } => (low + divisor / 2.0, divisor / 2.0),
                Scale::Clipped { centre, half } => (centre, half),
            };
            let [(a, low), (b, high)] = &self.lists;
            let moves = if *b == "std" { high[at] } else { high[at] - low[at] };
            if moves > 0.0 || moves == 0.0 && floor > std {
                return Ok((mean, std.max(floor)));
            }
            let key = format!("{}.{b}[{at}]", self.key);
            let remedy = match *b {
                "std" => "has to be above 0: it did not move in the data; train without it, or tell --std-floor".to_owned(),
                _ => format!("has to be above {a}[{at}] = {:?}: train without it, or tell --std-floor", low[at]),
            };
            Err(ImportError::bad(&self.file, key, high[at], remedy))
        });
        each.collect()
    }
}

/// Reads a whole file.
pub(super) fn read(file: &Path, remedy: &str) -> Result<Vec<u8>, ImportError> {
    std::fs::read(file).map_err(|source| ImportError::File {
        file: file.to_path_buf(),
        source,
        remedy: remedy.to_owned(),
    })
}

/// The output of a network that is named `wanted`, or the only one.
pub(super) fn output_of<'a>(
    outputs: &'a [Outlet],
    wanted: Option<&str>,
    file: &Path,
) -> Result<&'a Outlet, ImportError> {
    let names: Vec<_> = outputs.iter().map(|outlet| outlet.name.as_str()).collect();
    match (wanted, outputs) {
        (None, [outlet]) => Ok(outlet),
        (None, _) => {
            let remedy = "export it with one output: a head answers with one tensor";
            Err(ImportError::bad(file, "outputs", names, remedy))
        }
        (Some(wanted), _) => outputs.iter().find(|outlet| outlet.name == wanted).ok_or_else(|| {
            ImportError::bad(file, "outputs", names, format!("an output `{wanted}` is wanted"))
        }),
    }
}
