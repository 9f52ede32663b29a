//! MiniCPM-V 4.6 without Python: an exported folder, run by ONNX Runtime.
//!
//! ```text
//! picture ──resize, patches──► vision.onnx ──┐
//! instruction ──template, tokenizer──► rows ─┴─► text.onnx ──► the mean of the last hidden state
//! ```
//!
//! The folder is made by `router/export.py`, which also writes what transformers itself answers to a few questions;
//! an encoder that answers otherwise is not used. Its fingerprint is of this code, of the runtime's version and of
//! `encoder.toml`, which holds the digest of every other file.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{Embedding, EncodeError, Encoder, Identity, Look, WIDTH};
use crate::{
    head::digest_of,
    inference::{Element, Engine, FreeSession, Given},
    picture::RgbImage,
};

mod description;
mod prompt;
mod resize;
mod tile;

use description::Description;
use prompt::Prompt;
use tile::Tile;

#[cfg(test)]
mod tests;

/// Of this code and what it computes: a change of the numbers is a new version, and so another fingerprint.
const VERSION: u32 = 1;
/// How far from transformers' answer a golden may be: rounding on another processor, and no more.
const TOLERANCE: f32 = 1e-4;
const ROW_BYTES: usize = WIDTH * size_of::<f32>();

/// Why there is no encoder.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The description cannot be read or makes no sense.
    #[error("{}: {what}. Remedy: export the encoder again with router/export.py", file.display())]
    Description {
        /// The file.
        file: PathBuf,
        /// What is wrong, with the key.
        what: String,
    },
    /// One of its files is not what the description says.
    #[error("{}: {what}. Remedy: export the encoder again with router/export.py", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It answers otherwise than transformers did.
    #[error(
        "{}: golden {golden}: the answer is {furthest:e} away from transformers', more than {TOLERANCE:e}. \
         Remedy: export it again with router/export.py, and run the ONNX Runtime of `make setup`",
        folder.display()
    )]
    Golden {
        /// The folder.
        folder: PathBuf,
        /// Which one.
        golden: usize,
        /// By how much.
        furthest: f32,
    },
}

/// MiniCPM-V 4.6, ready to encode.
#[derive(Debug)]
pub struct MiniCpm {
    identity: Identity,
    prompt: Prompt,
    vision: Option<(FreeSession, description::Pictures)>,
    text: FreeSession,
    /// The embedding table: rows are read when they are wanted, since the real one has 248,094.
    table: File,
    rows: u64,
}

impl MiniCpm {
    /// Opens an exported folder, and proves it.
    ///
    /// # Errors
    /// If a file is not what `encoder.toml` says, ONNX Runtime refuses a network, or a golden answer is missed.
    pub fn open(folder: &Path, engine: &Engine, threads: usize) -> Result<Self, OpenError> {
        let Description { name, prompt, instruction_max, template, image, goldens, digest, .. } =
            Description::read(folder)?;
        let file = |name: &str| Description::file(folder, name);
        let broken = |name: &str, what: String| OpenError::File { file: file(name), what };
        let open = |name: &str, inputs: &[(&str, Element)], output: &str| {
            FreeSession::open(engine, &file(name), inputs, output, threads)
                .map_err(|error| broken(name, error.to_string()))
        };
        let vision = match image {
            Some(pictures) => {
                let inputs = [
                    ("pixels", Element::F32),
                    ("positions", Element::I64),
                    ("merges", Element::I64),
                    ("windows", Element::I64),
                ];
                // Where nothing is condensed by windows, the graph has no such input.
                let inputs = &inputs[..if pictures.condensed { 4 } else { 3 }];
                Some((open("vision.onnx", inputs, "features")?, pictures))
            }
            None => None,
        };
        let text = open("text.onnx", &[("rows", Element::F32)], "embedding")?;
        let failed = |error: io::Error| broken("embedding.f32", error.to_string());
        let table = File::open(file("embedding.f32")).map_err(failed)?;
        let rows = table.metadata().map_err(failed)?.len() / ROW_BYTES as u64;
        let prompt_text = Prompt::read(&file("tokenizer.json"), template, instruction_max)?;
        let shapes = format!("minicpm {VERSION}\nONNX Runtime {}\n{digest}\n", engine.version());
        let identity = Identity { name, prompt, fingerprint: digest_of(shapes.as_bytes()) };
        let mut encoder = Self { identity, prompt: prompt_text, vision, text, table, rows };
        encoder.prove(folder, &goldens)?;
        Ok(encoder)
    }

    /// Asks what was asked of transformers.
    fn prove(&mut self, folder: &Path, goldens: &[description::Golden]) -> Result<(), OpenError> {
        let file = Description::file(folder, "goldens.f32");
        let broken = |what: String| OpenError::File { file: file.clone(), what };
        let bytes = fs::read(&file).map_err(|error| broken(error.to_string()))?;
        if bytes.len() != goldens.len() * ROW_BYTES {
            return Err(broken(format!("{} bytes for {} goldens", bytes.len(), goldens.len())));
        }
        for (at, (golden, wanted)) in goldens.iter().zip(bytes.chunks(ROW_BYTES)).enumerate() {
            let image = pattern(golden.image[0], golden.image[1]);
            let look = Look { instruction: &golden.instruction, image: Some(&image) };
            let found = self.embed(&look).map_err(|error| broken(error.to_string()))?;
            let wanted = wanted.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let errors: Vec<f32> = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).collect();
            // An error that is no number is not near.
            if !errors.iter().all(|error| *error <= TOLERANCE) {
                let furthest = errors.into_iter().fold(0.0, f32::max);
                return Err(OpenError::Golden {
                    folder: folder.to_path_buf(),
                    golden: at,
                    furthest,
                });
            }
        }
        Ok(())
    }

    /// The numbers, of an instruction that is plain already.
    fn answer(&mut self, said: &str, image: Option<&RgbImage>) -> Result<Embedding, String> {
        let features = match (&mut self.vision, image) {
            (Some((session, how)), Some(image)) => see(session, how, image)?,
            _ => Vec::new(),
        };
        let (ids, first) = self.prompt.ids(said, features.len() / WIDTH)?;
        let mut rows = self.look_up(&ids)?;
        rows[first * WIDTH..][..features.len()].copy_from_slice(&features);
        let shape = [1, ids.len(), WIDTH];
        let answer = self.text.run(&[Given::F32(&shape, &rows)]).map_err(|e| e.to_string())?;
        let count = answer.len();
        let embedding = answer.into_boxed_slice().try_into();
        embedding.map_err(|_| format!("text.onnx answered {count} numbers, not {WIDTH}"))
    }

    /// The rows of the embedding table. Those of the picture's tokens are read too, and then written over.
    fn look_up(&self, ids: &[u32]) -> Result<Vec<f32>, String> {
        let mut rows = Vec::with_capacity(ids.len() * WIDTH);
        let mut bytes = vec![0; ROW_BYTES];
        for &id in ids {
            if u64::from(id) >= self.rows {
                return Err(format!(
                    "embedding.f32 has {} rows and none for token {id}",
                    self.rows
                ));
            }
            let at = u64::from(id) * ROW_BYTES as u64;
            self.table.read_exact_at(&mut bytes, at).map_err(|error| error.to_string())?;
            rows.extend(bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)));
        }
        Ok(rows)
    }
}

impl Encoder for MiniCpm {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn embed(&mut self, look: &Look<'_>) -> Result<Embedding, EncodeError> {
        let encoder = self.identity.name.clone();
        if self.vision.is_some() && look.image.is_none() {
            return Err(EncodeError::NoImage { encoder });
        }
        let said = match self.prompt.plain(look.instruction) {
            Ok(said) => said,
            Err(reason) => return Err(EncodeError::Refused { encoder, reason }),
        };
        self.answer(&said, look.image).map_err(|reason| EncodeError::Failed { encoder, reason })
    }
}

/// The vectors that stand for a picture among the tokens.
fn see(
    session: &mut FreeSession,
    how: &description::Pictures,
    image: &RgbImage,
) -> Result<Vec<f32>, String> {
    if image.width() == 0 || image.height() == 0 {
        return Err("the picture is empty".to_owned());
    }
    let tile = Tile::of(image, how);
    let patches = tile.rows * tile.columns;
    let shape = [1, 3, how.patch_size, how.patch_size * patches];
    let (all, left) = ([patches], [tile.merges.len()]);
    let mut given = vec![
        Given::F32(&shape, &tile.pixels),
        Given::I64(&all, &tile.positions),
        Given::I64(&left, &tile.merges),
    ];
    if how.condensed {
        given.push(Given::I64(&all, &tile.windows));
    }
    let features = session.run(&given).map_err(|error| error.to_string())?;
    let wanted = tile.tokens() * WIDTH;
    if features.len() == wanted {
        Ok(features)
    } else {
        Err(format!("vision.onnx answered {} numbers, not {wanted}", features.len()))
    }
}

/// A picture with edges and slopes that both programs can make: the same integers as in `router/export.py`.
fn pattern(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let value = |channel: u32| ((7 * x + 13 * y + 29 * channel + x * y / 16) % 256) as u8;
        [value(0), value(1), value(2)].into()
    })
}
