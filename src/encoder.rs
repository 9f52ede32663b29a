//! What is looked at and what was said, as 1024 numbers: the same contract for every encoder.
//!
//! ```text
//! Look { instruction, image } ──► Encoder ──► Embedding ──► heads that were trained with this very encoder
//! ```
//!
//! Numbers of two encoders mean nothing to each other, so each has an [`Identity`], and its fingerprint covers whatever
//! shapes the numbers. A head names the one that it was trained with, and is refused for any other.

pub use crate::picture::RgbImage;

mod minicpm;
mod words;

pub use minicpm::{MiniCpm, OpenError};
pub use words::{ACTS, Act, Reading, Words};

/// How many numbers an embedding has.
pub const WIDTH: usize = 1024;

/// What an encoder makes of a look.
pub type Embedding = Box<[f32; WIDTH]>;

/// Which encoder it is, exactly.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// How an instruction is put to it; `{instruction}` stands for the text.
    pub prompt: String,
    /// SHA-256, in hexadecimal, of all that shapes the numbers: weights or dictionary, prompt, runtime, version of the code.
    pub fingerprint: String,
}

/// What an encoder is shown.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What somebody said.
    pub instruction: &'a str,
    /// What the camera sees, for encoders that look.
    pub image: Option<&'a RgbImage>,
}

/// Turns looks into embeddings.
pub trait Encoder: Send {
    /// Which one it is. Does not change.
    fn identity(&self) -> &Identity;

    /// The embedding of a look.
    ///
    /// # Errors
    /// Why there is none.
    fn embed(&mut self, look: &Look<'_>) -> Result<Embedding, EncodeError>;
}

/// Why there is no embedding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// There is nothing in the text that the encoder knows.
    #[error(
        "none of the words in {text:?} is known: say it in other words, such as \"pick up the berry\""
    )]
    NotUnderstood {
        /// The text, shortened.
        text: String,
    },
    /// This encoder needs to see something.
    #[error(
        "the encoder {encoder} wants a picture, and none has come: look at the camera and its key"
    )]
    NoImage {
        /// The encoder.
        encoder: String,
    },
    /// The text cannot be put to it.
    #[error("the encoder {encoder} does not take this instruction: {reason}")]
    Refused {
        /// The encoder.
        encoder: String,
        /// What is wrong with the text.
        reason: String,
    },
    /// Its engine refused, or answered with something that is no number.
    #[error("the encoder {encoder} failed: {reason}")]
    Failed {
        /// The encoder.
        encoder: String,
        /// In the engine's words.
        reason: String,
    },
}
