//! The weights of one dense layer, laid out to be read once, from front to back, and multiplied on the way.
//!
//! Such a layer is as fast as its weights come out of memory. So they stand in tiles of up to 64 columns, row after row:
//! one stream, whose sums stay in registers, and which is half as long with 16-bit weights.

use serde::{Deserialize, Serialize};

use super::number;

/// Columns of a wide tile; with fewer left, tiles are half as wide.
pub(super) const WIDE: usize = 64;
/// Columns of a narrow tile; every layer is filled up to a multiple of them.
pub(super) const NARROW: usize = 32;

/// How the weights of a network are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As they come: 32-bit floats.
    #[default]
    Fp32,
    /// 16-bit floats with 11 bits of mantissa.
    Fp16,
    /// 16-bit floats with 8 bits of mantissa.
    Bf16,
    /// 8-bit integers with one scale for each column; what flows between layers has 16 bits.
    Int8,
}

impl Precision {
    /// Its name in manifests and configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

/// A cache line, so that no load straddles two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line<T, const N: usize>(pub(super) [T; N]);

/// Numbers that begin at a cache line.
pub(super) struct Aligned<T, const N: usize>(Vec<Line<T, N>>);

impl<T: Copy + Default, const N: usize> Aligned<T, N> {
    fn new(values: &[T]) -> Self {
        let line = |chunk: &[T]| {
            let mut line = Line([T::default(); N]);
            line.0[..chunk.len()].copy_from_slice(chunk);
            line
        };
        Self(values.chunks(N).map(line).collect())
    }

    pub(super) fn lines(&self) -> &[Line<T, N>] {
        &self.0
    }
}

/// The weights, by precision.
pub(super) enum Kept {
    Fp32(Aligned<f32, 16>),
    Fp16(Aligned<u16, 32>),
    Bf16(Aligned<u16, 32>),
    Int8 { weights: Aligned<i8, 64>, scales: Box<[f32]>, inputs: Box<[i16]>, input_max: f32 },
}

/// `y = x W + b`.
pub(super) struct Dense {
    pub(super) rows: usize,
    pub(super) kept: Kept,
    /// One for each column of the tiles.
    pub(super) bias: Box<[f32]>,
}

impl Dense {
    /// Takes `[rows, columns]` weights, row by row; `None` if a weight is out of the precision's range.
    pub(super) fn new(
        weights: &[f32],
        bias: &[f32],
        rows: usize,
        precision: Precision,
    ) -> Option<Self> {
        let columns = bias.len();
        let padded = columns.next_multiple_of(NARROW);
        let at = |row: usize, column: usize| {
            if row < rows && column < columns { weights[row * columns + column] } else { 0.0 }
        };
        let tiled = |convert: &dyn Fn(f32) -> u16| -> Aligned<u16, 32> {
            Aligned::new(&tiles(padded, rows).map(|(r, c)| convert(at(r, c))).collect::<Vec<_>>())
        };
        let kept = match precision {
            Precision::Fp32 => Kept::Fp32(Aligned::new(
                &tiles(padded, rows).map(|(r, c)| at(r, c)).collect::<Vec<_>>(),
            )),
            Precision::Fp16 => {
                if weights.iter().any(|weight| weight.abs() > number::FP16_MAX) {
                    return None;
                }
                Kept::Fp16(tiled(&number::to_fp16))
            }
            Precision::Bf16 => Kept::Bf16(tiled(&number::to_bf16)),
            Precision::Int8 => {
                let largest =
                    |column| (0..rows).map(|row| at(row, column).abs()).fold(0.0, f32::max);
                let scale = |largest: f32| if largest > 0.0 { largest / 127.0 } else { 1.0 };
                let scales: Box<[f32]> = (0..padded).map(|column| scale(largest(column))).collect();
                let weight = |r, c: usize| (at(r, c) / scales[c]).round_ties_even() as i8;
                // Two rows side by side: they are multiplied and added in one instruction.
                let pairs = tiles(padded, rows.div_ceil(2));
                let pairs = pairs.flat_map(|(r, c)| [weight(2 * r, c), weight(2 * r + 1, c)]);
                let weights = Aligned::new(&pairs.collect::<Vec<_>>());
                let inputs = vec![0; rows.next_multiple_of(2)].into();
                // So that no sum of products leaves 32 bits.
                let input_max = (i32::MAX as f32 / (127.0 * rows as f32)).min(32_000.0).floor();
                Kept::Int8 { weights, scales, inputs, input_max }
            }
        };
        let mut padded_bias = bias.to_vec();
        padded_bias.resize(padded, 0.0);
        Some(Self { rows, kept, bias: padded_bias.into() })
    }

    /// Columns with the filling.
    pub(super) fn padded(&self) -> usize {
        self.bias.len()
    }
}

/// The places of weights in the order in which they are read: tile by tile, in it row by row.
fn tiles(padded: usize, rows: usize) -> impl Iterator<Item = (usize, usize)> {
    widths(padded).flat_map(move |(first, width)| {
        (0..rows).flat_map(move |row| (first..first + width).map(move |column| (row, column)))
    })
}

/// First column and width of each tile.
pub(super) fn widths(padded: usize) -> impl Iterator<Item = (usize, usize)> {
    let wide = padded / WIDE;
    let narrow = (!padded.is_multiple_of(WIDE)).then_some((wide * WIDE, NARROW));
    (0..wide).map(|tile| (tile * WIDE, WIDE)).chain(narrow)
}
