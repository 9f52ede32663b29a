//! FAST: a chunk as the byte pairs of its cosine coefficients (Pertsch et al., 2025, arXiv 2501.09747).
//!
//! ```text
//! ids ──byte pairs──► bytes ──UTF-8──► characters ──+ min_token──► coefficients ──/ scale, inverse cosine──► numbers
//! ```
//!
//! The tokenizer is read by the crate `tokenizers`; what an id stands for is taken out of it once, at load, so that a run
//! needs no heap. Where the reference answers zeros because the length is wrong, which is a motion to the middle of
//! everything, this refuses.

use std::f64::consts::PI;

use tokenizers::{DecoderWrapper, Tokenizer};

use super::tokens::{CodecError, EncodeError, Fast, LanguageIds, Sizes, TokenRefusal};

/// The largest id that a tokenizer may have: vocabularies of the largest language models have a quarter of it.
const ID_MAX: usize = 1 << 20;

/// Room that is kept for a text from the start, bytes: more than any chunk has, less than a mad tokenizer asks for.
const TEXT_MAX: usize = 1 << 20;

/// A FAST tokenizer, ready for chunks of one shape.
#[derive(Debug)]
pub(super) struct FastCodec {
    /// Only to encode.
    tokenizer: Tokenizer,
    /// What each id stands for: it begins where the one before it ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Whether there is such an id.
    known: Vec<bool>,
    language_ids: Option<LanguageIds>,
    pad_token: Option<i64>,
    tokens_max: usize,
    min_token: i64,
    scale: f64,
    columns: usize,
    cosine: Cosine,
    /// Kept from run to run.
    text: Vec<u8>,
    coefficients: Vec<f64>,
}

impl FastCodec {
    pub(super) fn compile(fast: &Fast, json: &[u8], sizes: Sizes) -> Result<Self, CodecError> {
        let tokenizer = Tokenizer::from_bytes(json)
            .map_err(|error| CodecError::Tokenizer(format!("it is no tokenizer: {error}")))?;
        if !matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
            let wanted = "its decoder is not `ByteLevel`, as that of a FAST tokenizer is";
            return Err(CodecError::Tokenizer(wanted.to_owned()));
        }
        let (bytes, ends, known) = table(&tokenizer)?;
        let Sizes { tokens: tokens_max, steps, columns } = sizes;
        let steps = fast.steps.map_or(steps, |steps| steps as usize);
        // The longest text that so many ids can make.
        let longest = (0..ends.len()).map(|id| span(&ends, id).len()).max().unwrap_or_default();
        Ok(Self {
            tokenizer,
            bytes,
            ends,
            known,
            language_ids: fast.language_ids,
            pad_token: fast.pad_token,
            tokens_max,
            min_token: fast.min_token.into(),
            scale: fast.scale,
            columns,
            cosine: Cosine::new(steps),
            text: Vec::with_capacity(TEXT_MAX.min(longest.saturating_mul(tokens_max))),
            coefficients: Vec::with_capacity(steps * columns),
        })
    }

    /// Appends the numbers of a chunk.
    pub(super) fn decode(
        &mut self,
        ids: &[i64],
        numbers: &mut Vec<f64>,
    ) -> Result<(), TokenRefusal> {
        self.text.clear();
        let is_padding = |id: &i64| Some(*id) == self.pad_token;
        let told = ids.iter().position(is_padding).unwrap_or(ids.len());
        if let Some(behind) = ids[told..].iter().position(|id| !is_padding(id)) {
            let at = told + behind;
            return Err(TokenRefusal::BehindPadding { at, token: ids[at] });
        }
        for (at, &token) in ids[..told].iter().enumerate() {
            let id = self.language_ids.map_or(token, |language| language.swap(token));
            let id = usize::try_from(id).ok().filter(|id| self.known.get(*id) == Some(&true));
            let Some(id) = id else {
                let known = format!("its tokenizer has {}", self.vocabulary());
                return Err(TokenRefusal::Unknown { at, token, known });
            };
            self.text.extend_from_slice(&self.bytes[span(&self.ends, id)]);
        }
        let text = str::from_utf8(&self.text).map_err(|_| TokenRefusal::NoText)?;
        let wanted = self.cosine.steps * self.columns;
        self.coefficients.clear();
        for symbol in text.chars().take(wanted) {
            let coefficient = i64::from(u32::from(symbol)) + self.min_token;
            self.coefficients.push(coefficient as f64 / self.scale);
        }
        // Counted only now, so that no text is too long for what is kept.
        let found = text.chars().count();
        if found != wanted {
            return Err(TokenRefusal::Length { found, wanted });
        }
        self.cosine.inverse(&self.coefficients, self.columns, numbers);
        Ok(())
    }

    /// The ids of a chunk of numbers, row by row, padded where there is something to pad with.
    pub(super) fn encode(&self, numbers: &[f64]) -> Result<Vec<i64>, EncodeError> {
        let symbol = |coefficient: f64| {
            let rounded = (coefficient * self.scale).round_ties_even();
            // Below the alphabet the reference takes the lowest symbol; above it, it drops the coefficient.
            let code = (rounded - self.min_token as f64).max(0.0);
            let is_code = code <= f64::from(u32::from(char::MAX));
            is_code.then_some(code as u32).and_then(char::from_u32).ok_or(EncodeError::Alphabet)
        };
        let wanted = self.cosine.steps * self.columns;
        if numbers.len() != wanted {
            return Err(EncodeError::Count { found: numbers.len(), wanted });
        }
        let coefficients = self.cosine.forward(numbers, self.columns);
        let text = coefficients.into_iter().map(symbol).collect::<Result<String, _>>()?;
        let refused = |error: tokenizers::Error| EncodeError::Tokenizer(error.to_string());
        let encoding = self.tokenizer.encode_fast(text.as_str(), false).map_err(refused)?;
        if self.tokenizer.decode(encoding.get_ids(), false).map_err(refused)? != text {
            return Err(EncodeError::Alphabet);
        }
        let to_language = |id: i64| self.language_ids.map_or(id, |language| language.swap(id));
        let mut ids: Vec<i64> =
            encoding.get_ids().iter().map(|id| to_language(i64::from(*id))).collect();
        let is_too_long = ids.len() > self.tokens_max;
        if is_too_long || (ids.len() < self.tokens_max && self.pad_token.is_none()) {
            return Err(EncodeError::Count { found: ids.len(), wanted: self.tokens_max });
        }
        ids.resize(self.tokens_max, self.pad_token.unwrap_or_default());
        Ok(ids)
    }

    fn vocabulary(&self) -> String {
        let count = self.known.iter().filter(|known| **known).count();
        let highest = self.known.len().saturating_sub(1);
        match self.language_ids {
            None => format!("{count} ids, the highest is {highest}"),
            Some(language) => {
                let highest = i64::try_from(highest).unwrap_or_default();
                let (from, to) = (language.swap(highest), language.swap(0));
                format!("{count} ids, {from} to {to} in the language model")
            }
        }
    }
}

/// Where in the bytes an id's are.
fn span(ends: &[usize], id: usize) -> std::ops::Range<usize> {
    let start = id.checked_sub(1).map_or(0, |before| ends[before]);
    start..ends[id]
}

type Table = (Vec<u8>, Vec<usize>, Vec<bool>);

/// The bytes of each id, their ends, and whether the id exists.
fn table(tokenizer: &Tokenizer) -> Result<Table, CodecError> {
    let vocabulary = tokenizer.get_vocab(true);
    let highest = vocabulary.values().max().copied().unwrap_or_default() as usize;
    if vocabulary.is_empty() || highest > ID_MAX {
        let message = format!("its highest id is {highest}, where 0 to {ID_MAX} make sense");
        return Err(CodecError::Tokenizer(message));
    }
    let byte_of = bytes_of_symbols();
    let mut bytes = Vec::new();
    let (mut ends, mut known) = (Vec::new(), Vec::new());
    for id in 0..=highest {
        // By id and not by the map above: an added token may stand for another's id, and then counts.
        let token = u32::try_from(id).ok().and_then(|id| tokenizer.id_to_token(id));
        known.push(token.is_some());
        let token = token.unwrap_or_default();
        let start = bytes.len();
        for symbol in token.chars() {
            match byte_of.iter().position(|of| *of == symbol) {
                Some(byte) => bytes.push(byte as u8),
                None => {
                    // A token that is not written in the byte alphabet stands for itself, as a whole.
                    bytes.truncate(start);
                    bytes.extend_from_slice(token.as_bytes());
                    break;
                }
            }
        }
        ends.push(bytes.len());
    }
    Ok((bytes, ends, known))
}

/// The symbol that each byte is written as in a byte-level vocabulary: itself where it can be printed in Latin 1, and
/// otherwise the next letter from U+0100 on (Radford et al., 2019, the code of GPT-2).
fn bytes_of_symbols() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        let prints = matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
        if prints {
            return char::from(byte);
        }
        next += 1;
        char::from_u32(next - 1).unwrap_or_default()
    })
}

/// The orthonormal cosine transform over the steps of a chunk (DCT-II), and its inverse (DCT-III).
#[derive(Debug)]
pub(super) struct Cosine {
    steps: usize,
    /// By frequency, then step.
    basis: Vec<f64>,
}

impl Cosine {
    pub(super) fn new(steps: usize) -> Self {
        let n = steps as f64;
        let basis = (0..steps * steps).map(|at| {
            let (frequency, step) = ((at / steps) as f64, (at % steps) as f64);
            let weight = if frequency == 0.0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
            weight * (PI * (2.0 * step + 1.0) * frequency / (2.0 * n)).cos()
        });
        Self { steps, basis: basis.collect() }
    }

    /// Appends rows of numbers for rows of coefficients.
    pub(super) fn inverse(&self, coefficients: &[f64], columns: usize, numbers: &mut Vec<f64>) {
        for step in 0..self.steps {
            for column in 0..columns {
                let number = (0..self.steps)
                    .map(|k| self.basis[k * self.steps + step] * coefficients[k * columns + column])
                    .sum();
                numbers.push(number);
            }
        }
    }

    /// Rows of coefficients of rows of numbers.
    pub(super) fn forward(&self, numbers: &[f64], columns: usize) -> Vec<f64> {
        let places = (0..self.steps).flat_map(|k| (0..columns).map(move |column| (k, column)));
        let coefficient = |(k, column): (usize, usize)| {
            (0..self.steps)
                .map(|step| self.basis[k * self.steps + step] * numbers[step * columns + column])
                .sum()
        };
        places.map(coefficient).collect()
    }
}
