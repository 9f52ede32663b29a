//! Eight numbers at a time, with AVX2, FMA and F16C.
//!
//! Unsafe code: calls of functions that are compiled for these instructions, and the loads in them, which have no safe
//! form that takes 16-bit and 8-bit numbers.

use std::arch::x86_64::{
    _mm_loadu_si128, _mm256_add_epi32, _mm256_castsi256_ps, _mm256_cvtepi8_epi16,
    _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_madd_epi16, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_setzero_si256, _mm256_slli_epi32, _mm256_storeu_ps,
};

use crate::dense::{
    program::Unary,
    weights::{Kept, Line, WIDE, widths},
};

/// That this processor has the instructions. Only [`Present::find`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dense) struct Present(());

impl Present {
    pub(super) fn find() -> Option<Self> {
        let there = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        there.then_some(Self(()))
    }
}

/// Floats in a register.
const LANES: usize = 8;

pub(super) fn dense(_: Present, kept: &mut Kept, bias: &[f32], xs: &[f32], ys: &mut [f32]) {
    // SAFETY: `Present` says that the processor has the instructions.
    unsafe { dense_here(kept, bias, xs, ys) }
}

pub(super) fn unary(_: Present, function: Unary, xs: &[f32], ys: &mut [f32]) {
    // SAFETY: `Present` says that the processor has the instructions.
    unsafe { unary_here(function, xs, ys) }
}

#[target_feature(enable = "avx2,fma")]
fn unary_here(function: Unary, xs: &[f32], ys: &mut [f32]) {
    super::unary(function, xs, ys);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dense_here(kept: &mut Kept, bias: &[f32], xs: &[f32], ys: &mut [f32]) {
    let mut done = 0;
    let scale = match kept {
        Kept::Int8 { inputs, input_max, .. } => super::to_integers(xs, inputs, *input_max),
        _ => 1.0,
    };
    for (first, width) in widths(bias.len()) {
        let (bias, ys) = (&bias[first..first + width], &mut ys[first..first + width]);
        match kept {
            Kept::Fp32(weights) => {
                let lines = &weights.lines()[done / 16..];
                if width == WIDE {
                    fp32::<8>(lines, bias, xs, ys)
                } else {
                    fp32::<4>(lines, bias, xs, ys)
                }
            }
            Kept::Fp16(weights) => {
                let lines = &weights.lines()[done / 32..];
                if width == WIDE {
                    fp16::<8>(lines, bias, xs, ys)
                } else {
                    fp16::<4>(lines, bias, xs, ys)
                }
            }
            Kept::Bf16(weights) => {
                let lines = &weights.lines()[done / 32..];
                if width == WIDE {
                    bf16::<8>(lines, bias, xs, ys)
                } else {
                    bf16::<4>(lines, bias, xs, ys)
                }
            }
            Kept::Int8 { weights, scales, inputs, .. } => {
                let lines = &weights.lines()[2 * done / 64..];
                let scales = (&scales[first..first + width], scale);
                if width == WIDE {
                    int8::<8>(lines, scales, bias, inputs, ys);
                } else {
                    int8::<4>(lines, scales, bias, inputs, ys);
                }
                done += width * (inputs.len() / 2);
                continue;
            }
        }
        done += width * xs.len();
    }
}

/// One tile of floats: a row is `8 * REGISTERS` weights, and there is a row for each of `xs`.
macro_rules! tile {
    ($name:ident, $raw:ty, $line:literal, |$from:ident| $widen:expr) => {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn $name<const REGISTERS: usize>(
            lines: &[Line<$raw, $line>],
            bias: &[f32],
            xs: &[f32],
            ys: &mut [f32],
        ) {
            assert!(lines.len() * $line >= xs.len() * REGISTERS * LANES);
            assert!(bias.len() == REGISTERS * LANES && ys.len() == REGISTERS * LANES);
            let mut sums = [_mm256_setzero_ps(); REGISTERS];
            for (at, sum) in sums.iter_mut().enumerate() {
                // SAFETY: `bias` is as long as all registers.
                *sum = unsafe { _mm256_loadu_ps(bias.as_ptr().add(at * LANES)) };
            }
            let mut row = lines.as_ptr().cast::<$raw>();
            for x in xs {
                let x = _mm256_set1_ps(*x);
                for (at, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: the tile has a whole row for each of `xs`, as asserted.
                    let weights = unsafe {
                        let $from = row.add(at * LANES);
                        $widen
                    };
                    *sum = _mm256_fmadd_ps(weights, x, *sum);
                }
                // SAFETY: at most one past the tile's last row.
                row = unsafe { row.add(REGISTERS * LANES) };
            }
            for (at, sum) in sums.into_iter().enumerate() {
                // SAFETY: `ys` is as long as all registers.
                unsafe { _mm256_storeu_ps(ys.as_mut_ptr().add(at * LANES), sum) };
            }
        }
    };
}

tile!(fp32, f32, 16, |from| _mm256_loadu_ps(from));
tile!(fp16, u16, 32, |from| _mm256_cvtph_ps(_mm_loadu_si128(from.cast())));
tile!(bf16, u16, 32, |from| {
    let words = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words))
});

/// One tile of 8-bit integers; a row is a pair of weights for each column.
#[target_feature(enable = "avx2,fma,f16c")]
fn int8<const REGISTERS: usize>(
    lines: &[Line<i8, 64>],
    (scales, scale): (&[f32], f32),
    bias: &[f32],
    inputs: &[i16],
    ys: &mut [f32],
) {
    let pairs = inputs.as_chunks::<2>().0;
    assert!(lines.len() * 64 >= pairs.len() * REGISTERS * LANES * 2);
    assert!(bias.len() == REGISTERS * LANES && ys.len() == REGISTERS * LANES);
    assert!(scales.len() == REGISTERS * LANES);
    let mut sums = [_mm256_setzero_si256(); REGISTERS];
    let mut row = lines.as_ptr().cast::<i8>();
    for [low, high] in pairs {
        let x = i32::from(*high) << 16 | i32::from(*low as u16);
        let x = _mm256_set1_epi32(x);
        for (at, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the tile has a whole row for each pair, as asserted.
            let weights = unsafe { _mm_loadu_si128(row.add(at * LANES * 2).cast()) };
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(weights), x));
        }
        // SAFETY: at most one past the tile's last row.
        row = unsafe { row.add(REGISTERS * LANES * 2) };
    }
    for (at, sum) in sums.into_iter().enumerate() {
        // SAFETY: `bias`, `scales` and `ys` are as long as all registers.
        unsafe {
            let worth = _mm256_mul_ps(
                _mm256_loadu_ps(scales.as_ptr().add(at * LANES)),
                _mm256_set1_ps(scale),
            );
            let bias = _mm256_loadu_ps(bias.as_ptr().add(at * LANES));
            let sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), worth, bias);
            _mm256_storeu_ps(ys.as_mut_ptr().add(at * LANES), sum);
        }
    }
}
