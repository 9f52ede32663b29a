//! `encoder.toml`: what `router/export.py` tells of an exported encoder. The only reader of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::OpenError;
use crate::head::{digest_of, digest_of_file};

pub(super) const FILE: &str = "encoder.toml";
const SCHEMA: &str = "reflex.encoder.v1";
/// Longer lists of boundaries no model has.
const SIDE_MAX: usize = 1024;

/// All of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    schema: String,
    pub(super) name: String,
    pub(super) prompt: String,
    /// The fingerprint of the same encoder in transformers: for people.
    #[serde(rename = "made_from")]
    _made_from: String,
    #[serde(rename = "made_with")]
    _made_with: String,
    pub(super) instruction_max: usize,
    files: BTreeMap<String, String>,
    pub(super) template: Template,
    /// Absent: the encoder does not look.
    pub(super) image: Option<Pictures>,
    #[serde(rename = "golden")]
    pub(super) goldens: Vec<Golden>,
    /// SHA-256 of the file itself.
    #[serde(skip)]
    pub(super) digest: String,
}

/// The prompt in pieces: before, the picture's tokens, behind, the instruction, after.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Template {
    pub(super) before: String,
    /// -1: there is no picture in it.
    pub(super) image_token: i64,
    pub(super) behind: String,
    pub(super) after: String,
    /// What an instruction may not have in it.
    pub(super) refused: Vec<String>,
}

/// What is done to a picture.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pictures {
    pub(super) patch_size: usize,
    pub(super) scale_resolution: usize,
    rescale_factor: f64,
    image_mean: [f32; 3],
    image_std: [f32; 3],
    /// Sixteen patches become one token, else four.
    pub(super) condensed: bool,
    pub(super) boundaries: Vec<f32>,
}

impl Pictures {
    /// A byte of a channel as the network sees it, rounded where Python rounds.
    pub(super) fn normalised(&self, value: u8, channel: usize) -> f32 {
        let value = (f64::from(value) * self.rescale_factor) as f32;
        (value - self.image_mean[channel]) / self.image_std[channel]
    }
}

/// A question whose answer is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Golden {
    pub(super) instruction: String,
    /// Width and height of the pattern that is shown.
    pub(super) image: [u32; 2],
}

impl Description {
    /// Reads it, and proves every file that it names.
    pub(super) fn read(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join(FILE);
        let told = |what: String| OpenError::Description { file: file.clone(), what };
        let text = fs::read_to_string(&file).map_err(|error| told(error.to_string()))?;
        let mut read: Self = toml::from_str(&text).map_err(|error| told(error.to_string()))?;
        if read.schema != SCHEMA {
            return Err(told(format!("schema: {:?} is not {SCHEMA:?}", read.schema)));
        }
        read.check().map_err(told)?;
        for (name, wanted) in &read.files {
            let path = folder.join(name);
            let found = digest_of_file(&path)
                .map_err(|error| OpenError::File { file: path.clone(), what: error.to_string() })?;
            if !found.eq_ignore_ascii_case(wanted) {
                let what = format!("its SHA-256 is {found}, {FILE} says {wanted}");
                return Err(OpenError::File { file: path, what });
            }
        }
        read.digest = digest_of(text.as_bytes());
        Ok(read)
    }

    fn check(&self) -> Result<(), String> {
        for name in self.files.keys() {
            if name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(format!("files: {name:?} is no name of a file in its folder"));
            }
        }
        let sees = self.image.is_some();
        let mut needed = vec!["text.onnx", "embedding.f32", "tokenizer.json", "goldens.f32"];
        if sees {
            needed.push("vision.onnx");
        }
        if let Some(missing) = needed.iter().find(|name| !self.files.contains_key(**name)) {
            return Err(format!("files: {missing:?} is missing, so no digest covers it"));
        }
        if sees != (self.template.image_token >= 0) {
            return Err(
                "template.image_token: a picture without a token, or the reverse".to_owned()
            );
        }
        if self.goldens.is_empty() {
            return Err("golden: there is none, so nothing proves the encoder".to_owned());
        }
        let Some(image) = &self.image else { return Ok(()) };
        let numbers = [image.rescale_factor as f32].into_iter();
        let numbers = numbers.chain(image.image_mean).chain(image.image_std);
        let sane = image.patch_size > 0
            && image.patch_size <= 256
            && (image.patch_size..=4096).contains(&image.scale_resolution)
            && (1..SIDE_MAX).contains(&image.boundaries.len())
            && image.boundaries.is_sorted()
            && image.image_std.iter().all(|std| *std > 0.0)
            && numbers.chain(image.boundaries.iter().copied()).all(f32::is_finite);
        if sane { Ok(()) } else { Err("image: its numbers make no sense".to_owned()) }
    }

    /// Where a file of it is.
    pub(super) fn file(folder: &Path, name: &str) -> PathBuf {
        folder.join(name)
    }
}
