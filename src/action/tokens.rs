//! Heads that answer tokens: from a language model's ids to the numbers of the columns.
//!
//! ```text
//! ids ──table, or byte-pair decoding and an inverse cosine transform──► numbers, mostly -1..1 ──columns──► values
//! ```
//!
//! What the published decoders do with an id that is no action token (clip it to an extreme, or answer zeros, which after
//! un-normalisation are a real motion) is refused here, and the chunk with it. Formulas and sources: docs/actions.md.

use std::{collections::HashMap, path::PathBuf};

use serde::Deserialize;

use super::fast::FastCodec;

/// OpenVLA's number of bin edges.
const OPENVLA_BINS: u32 = 256;
/// MinT's tokens are 0 to 511, each a step of 1/256 from -1 on.
const MINT_TOKENS: i64 = 512;
const MINT_STEPS: f64 = 256.0;
/// The most tokens that a map may have: beyond that it is no map of least-used ids but a vocabulary.
const MAP_MAX: usize = 65_536;

/// How the ids of an output tensor are to be read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "codec", rename_all = "snake_case")]
pub enum Tokens {
    /// The last ids of a vocabulary are bins, the very last the lowest: OpenVLA.
    OpenvlaBins(OpenvlaBins),
    /// A file says which id is which bin: MiniMind-V as a VLA.
    TokenMap(TokenMap),
    /// `id / 256 - 1`, as MinT's page on OpenPI tokens states it.
    MintUniform(MintUniform),
    /// Byte pairs of cosine coefficients: FAST.
    Fast(Fast),
}

/// The last `bins` ids of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenvlaBins {
    /// Ids of the tokenizer, without what the model is padded by.
    pub vocabulary: u32,
    /// How many of them are bin edges.
    #[serde(default = "openvla_bins")]
    pub bins: u32,
}

fn openvla_bins() -> u32 {
    OPENVLA_BINS
}

/// A map from bins to ids, as JSON: `{"0": 5012, "1": 733, ...}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenMap {
    /// The file, relative to the manifest.
    pub file: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// Nothing has to be said of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintUniform {}

/// A FAST tokenizer and what was shown to it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fast {
    /// Its `tokenizer.json`, relative to the manifest.
    pub file: PathBuf,
    /// That file's SHA-256, in hexadecimal.
    pub sha256: String,
    /// What coefficients were multiplied by before they were rounded.
    pub scale: f64,
    /// The coefficient that the character 0 stands for.
    pub min_token: i32,
    /// How many steps its chunks have; absent: `chunk_steps`.
    pub steps: Option<u32>,
    /// The id that fills the tensor up behind the last token. Absent: every id is a token.
    pub pad_token: Option<i64>,
    /// The ids are a language model's, whose last ones stand for the tokenizer's. Absent: they are the tokenizer's.
    pub language_ids: Option<LanguageIds>,
}

/// Where a language model keeps a FAST tokenizer's ids: `vocabulary - 1 - skip - id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageIds {
    /// Ids of the language model's tokenizer.
    pub vocabulary: u32,
    /// How many at its end are left alone.
    pub skip: u32,
}

impl LanguageIds {
    /// The other one's id; it is its own inverse.
    #[must_use]
    pub fn swap(&self, id: i64) -> i64 {
        (i64::from(self.vocabulary) - 1 - i64::from(self.skip)).saturating_sub(id)
    }
}

impl Tokens {
    /// The file that it needs, the key that names it, and the digest that it must have.
    #[must_use]
    pub fn file(&self) -> Option<(&PathBuf, &str)> {
        match self {
            Self::TokenMap(map) => Some((&map.file, &map.sha256)),
            Self::Fast(fast) => Some((&fast.file, &fast.sha256)),
            Self::OpenvlaBins(_) | Self::MintUniform(_) => None,
        }
    }
}

/// Why a codec could not be made of what a manifest says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The file was not given.
    #[error("it needs its file")]
    NoFile,
    /// The map is no JSON object of numbers.
    #[error("it is no JSON object from bins to ids: {0}")]
    NoMap(String),
    /// The map's bins are not 0, 1, 2 and so on, each once.
    #[error("bin {0} is missing: the keys have to be all of \"0\" up to their number less one")]
    NoBin(usize),
    /// The map has too few or too many bins.
    #[error("it has {0} bins, but 2 to 65536 make sense")]
    Bins(usize),
    /// An id stands for two bins.
    #[error("id {0} stands for more than one bin")]
    Twice(i64),
    /// The tokenizer cannot be used.
    #[error("{0}")]
    Tokenizer(String),
}

/// Why ids are no actions. The chunk is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// The tensor has another number of ids than the codec reads.
    #[error("{found} tokens instead of {wanted}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many were wanted.
        wanted: usize,
    },
    /// An id that is no action token.
    #[error("token {at} is {token}, which is no action token ({known})")]
    Unknown {
        /// Which.
        at: usize,
        /// The id.
        token: i64,
        /// What would be one.
        known: String,
    },
    /// A token behind the first that only fills up.
    #[error("token {at} is {token}, behind padding")]
    BehindPadding {
        /// Which.
        at: usize,
        /// The id.
        token: i64,
    },
    /// The bytes of the tokens are no text.
    #[error("the tokens' bytes are no UTF-8 text")]
    NoText,
    /// The text has another length than the chunk.
    #[error("the tokens are {found} numbers instead of {wanted} (steps times columns)")]
    Length {
        /// How many there are.
        found: usize,
        /// How many a chunk has.
        wanted: usize,
    },
}

/// Why numbers cannot be told in tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The numbers are no chunk.
    #[error("{found} numbers instead of {wanted}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many a chunk has.
        wanted: usize,
    },
    /// A number is NaN or infinite.
    #[error("number {0} is not finite")]
    NotFinite(usize),
    /// A coefficient is beyond the tokenizer's alphabet: the reference drops it without a word.
    #[error("the tokenizer has no symbol for a coefficient of these numbers")]
    Alphabet,
    /// The tokenizer said no.
    #[error("{0}")]
    Tokenizer(String),
}

/// The tensor that a codec reads, and the chunk that is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Ids in the tensor.
    pub tokens: usize,
    /// Steps of the chunk. Ids may stand for more; those are cut.
    pub steps: usize,
    /// Columns of each.
    pub columns: usize,
}

/// A codec, ready: it keeps what it needs, and decodes without a heap.
#[derive(Debug)]
pub struct Codec {
    sizes: Sizes,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// `vocabulary` and `bins`.
    Openvla(i64, i64),
    /// The bin of each id, and the id of each bin.
    Map(HashMap<i64, u32>, Vec<i64>),
    Mint,
    Fast(Box<FastCodec>),
}

impl Codec {
    /// Prepares a codec. `file` is what [`Tokens::file`] names, digest checked.
    ///
    /// # Errors
    /// If the file is not what it should be.
    pub fn compile(tokens: &Tokens, file: Option<&[u8]>, sizes: Sizes) -> Result<Self, CodecError> {
        let kind = match tokens {
            Tokens::OpenvlaBins(of) => Kind::Openvla(of.vocabulary.into(), of.bins.into()),
            Tokens::TokenMap(_) => {
                let (bins, ids) = read_map(file.ok_or(CodecError::NoFile)?)?;
                Kind::Map(bins, ids)
            }
            Tokens::MintUniform(_) => Kind::Mint,
            Tokens::Fast(of) => {
                let file = file.ok_or(CodecError::NoFile)?;
                let codec = FastCodec::compile(of, file, sizes)?;
                Kind::Fast(Box::new(codec))
            }
        };
        Ok(Self { sizes, kind })
    }

    /// Appends the numbers that the ids stand for, row by row.
    ///
    /// # Errors
    /// If an id is no action token, or they are no whole chunk. What was appended until then is the caller's to drop.
    pub fn decode(&mut self, ids: &[i64], numbers: &mut Vec<f64>) -> Result<(), TokenRefusal> {
        let Sizes { tokens, steps, columns } = self.sizes;
        if ids.len() != tokens {
            return Err(TokenRefusal::Count { found: ids.len(), wanted: tokens });
        }
        let whole = numbers.len() + steps * columns;
        if let Kind::Fast(fast) = &mut self.kind {
            fast.decode(ids, numbers)?;
        } else {
            for (at, &token) in ids.iter().enumerate() {
                let number = self.number(token).ok_or_else(|| TokenRefusal::Unknown {
                    at,
                    token,
                    known: self.known(),
                })?;
                numbers.push(number);
            }
        }
        if numbers.len() < whole {
            return Err(TokenRefusal::Length { found: numbers.len(), wanted: whole });
        }
        numbers.truncate(whole);
        Ok(())
    }

    /// The number of one id, of the codecs that have a number for each.
    fn number(&self, token: i64) -> Option<f64> {
        match &self.kind {
            Kind::Openvla(vocabulary, bins) => {
                let edge = vocabulary.checked_sub(token)?;
                (1..=*bins).contains(&edge).then(|| centre(edge - 1, *bins))
            }
            Kind::Map(bins, ids) => {
                let bin = bins.get(&token)?;
                Some(centre(i64::from(*bin), i64::try_from(ids.len()).ok()?))
            }
            Kind::Mint => {
                (0..MINT_TOKENS).contains(&token).then(|| token as f64 / MINT_STEPS - 1.0)
            }
            Kind::Fast(_) => None,
        }
    }

    /// Which ids are action tokens, in words.
    fn known(&self) -> String {
        match &self.kind {
            Kind::Openvla(vocabulary, bins) => {
                format!("those are {} to {}", vocabulary - bins, vocabulary - 1)
            }
            Kind::Map(_, ids) => format!("those are the {} of its map", ids.len()),
            Kind::Mint => format!("those are 0 to {}", MINT_TOKENS - 1),
            Kind::Fast(_) => "those are the tokenizer's".to_owned(),
        }
    }

    /// The ids that a trainer shows a head for rows of numbers; of FAST exactly those of its chunk.
    ///
    /// # Errors
    /// If the numbers are no such chunk, not finite, or beyond what the codec can tell.
    pub fn encode(&self, numbers: &[f64]) -> Result<Vec<i64>, EncodeError> {
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(EncodeError::NotFinite(at));
        }
        Ok(match &self.kind {
            Kind::Openvla(vocabulary, bins) => {
                numbers.iter().map(|&number| vocabulary - 1 - edge(number, *bins)).collect()
            }
            Kind::Map(_, ids) => {
                let bins = i64::try_from(ids.len()).unwrap_or(i64::MAX);
                numbers.iter().map(|&number| ids[edge(number, bins) as usize]).collect()
            }
            Kind::Mint => {
                let nearest = |number: f64| ((number + 1.0) * MINT_STEPS).round_ties_even() as i64;
                numbers.iter().map(|&number| nearest(number).clamp(0, MINT_TOKENS - 1)).collect()
            }
            Kind::Fast(fast) => return fast.encode(numbers),
        })
    }
}

/// The middle between bin edge `bin` and the next of `bins` edges spread evenly over -1..1. The last edge has none after
/// it: it is what +1 itself was encoded as, and reads as the bin below.
fn centre(bin: i64, bins: i64) -> f64 {
    let last = bins - 1;
    let bin = bin.min(last - 1);
    (2 * bin + 1) as f64 / last as f64 - 1.0
}

/// The last of `bins` edges that a number has reached, numbers beyond -1 and +1 counted as these.
fn edge(number: f64, bins: i64) -> i64 {
    let last = bins - 1;
    let place = |edge: i64| -1.0 + edge as f64 * (2.0 / last as f64);
    let guess = ((number.clamp(-1.0, 1.0) + 1.0) * 0.5 * last as f64) as i64;
    // The edges are where `numpy.linspace` puts them, so the division above may be off by one.
    let edges = [guess + 1, guess, guess - 1];
    let reached = |edge: &i64| {
        let at = if *edge == last { 1.0 } else { place(*edge) };
        (0..=last).contains(edge) && number.clamp(-1.0, 1.0) >= at
    };
    edges.into_iter().find(reached).unwrap_or_default()
}

/// Bins to ids, as the lab's script writes them: an object whose keys are the bins in decimal.
fn read_map(json: &[u8]) -> Result<(HashMap<i64, u32>, Vec<i64>), CodecError> {
    let map: HashMap<String, i64> =
        serde_json::from_slice(json).map_err(|error| CodecError::NoMap(error.to_string()))?;
    if !(2..=MAP_MAX).contains(&map.len()) {
        return Err(CodecError::Bins(map.len()));
    }
    let id = |bin: usize| map.get(&bin.to_string()).copied().ok_or(CodecError::NoBin(bin));
    let ids = (0..map.len()).map(id).collect::<Result<Vec<_>, _>>()?;
    let mut bins = HashMap::with_capacity(ids.len());
    for (bin, &id) in (0..).zip(&ids) {
        if bins.insert(id, bin).is_some() {
            return Err(CodecError::Twice(id));
        }
    }
    Ok((bins, ids))
}

/// How openpi writes a state into a prompt: bins of 1/128 from -1 on. A number below -1 is -1, one that has reached
/// 0.9921875 is 255; `None` for one that is not finite.
#[must_use]
pub fn openpi_state_bin(number: f64) -> Option<i64> {
    let bin = ((number + 1.0) * 128.0).floor().clamp(-1.0, 255.0);
    // The edges are exact in binary, but a number just below one may be rounded up to it by the sum above.
    let is_below = bin >= 0.0 && number < bin / 128.0 - 1.0;
    number.is_finite().then(|| bin as i64 - i64::from(is_below))
}
