//! A layer times a vector, and functions over vectors: the way that this processor is best at.

use super::{
    number,
    program::{Binary, Unary},
    weights::{Dense, Kept, Line, widths},
};

#[cfg(target_arch = "x86_64")]
mod avx2;

/// Which of the twins runs; found out once, at load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processor {
    /// Eight numbers at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Present),
    /// What the compiler makes of plain loops.
    Plain,
}

impl Processor {
    pub(super) fn here() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(present) = avx2::Present::find() {
            return Self::Avx2(present);
        }
        Self::Plain
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "AVX2",
            Self::Plain => "plain",
        }
    }

    /// `ys = xs W + b`; `ys` is as long as the layer's padded columns.
    pub(super) fn dense(self, layer: &mut Dense, xs: &[f32], ys: &mut [f32]) {
        let Dense { rows, kept, bias } = layer;
        let xs = &xs[..*rows];
        match (self, kept) {
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2(present), kept) => avx2::dense(present, kept, bias, xs, ys),
            (Self::Plain, kept) => plain(kept, bias, xs, ys),
        }
    }

    pub(super) fn unary(self, function: Unary, xs: &[f32], ys: &mut [f32]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(present) => avx2::unary(present, function, xs, ys),
            Self::Plain => unary(function, xs, ys),
        }
    }

    pub(super) fn binary(self, function: Binary, a: &[f32], b: &[f32], ys: &mut [f32]) {
        // One operation a number: it waits for memory, not for the processor.
        binary(function, a, b, ys);
    }
}

/// As [`Processor::dense`], anywhere.
fn plain(kept: &mut Kept, bias: &[f32], xs: &[f32], ys: &mut [f32]) {
    match kept {
        Kept::Fp32(weights) => tiles(weights.lines(), |weight| weight, bias, xs, ys),
        Kept::Fp16(weights) => tiles(weights.lines(), number::from_fp16, bias, xs, ys),
        Kept::Bf16(weights) => tiles(weights.lines(), number::from_bf16, bias, xs, ys),
        Kept::Int8 { weights, scales, inputs, input_max } => {
            let scale = to_integers(xs, inputs, *input_max);
            let mut pairs = weights.lines().iter().flat_map(|line| line.0.as_chunks::<2>().0);
            for (first, width) in widths(bias.len()) {
                let mut sums = [0_i32; super::weights::WIDE];
                for x in inputs.as_chunks::<2>().0 {
                    for (sum, pair) in sums[..width].iter_mut().zip(&mut pairs) {
                        *sum += i32::from(pair[0]) * i32::from(x[0]);
                        *sum += i32::from(pair[1]) * i32::from(x[1]);
                    }
                }
                for (column, sum) in (first..first + width).zip(sums) {
                    ys[column] = bias[column] + sum as f32 * (scales[column] * scale);
                }
            }
        }
    }
}

fn tiles<T: Copy, const N: usize>(
    lines: &[Line<T, N>],
    widen: impl Fn(T) -> f32,
    bias: &[f32],
    xs: &[f32],
    ys: &mut [f32],
) {
    let mut lines = lines.iter();
    for (first, width) in widths(bias.len()) {
        let mut sums = [0.0; super::weights::WIDE];
        sums[..width].copy_from_slice(&bias[first..first + width]);
        for x in xs {
            for part in sums[..width].chunks_exact_mut(N) {
                let Some(line) = lines.next() else { return };
                for (sum, weight) in part.iter_mut().zip(line.0) {
                    *sum += widen(weight) * x;
                }
            }
        }
        ys[first..first + width].copy_from_slice(&sums[..width]);
    }
}

/// Numbers as integers up to `largest`, and what one of them is worth.
#[inline(always)]
fn to_integers(xs: &[f32], integers: &mut [i16], largest: f32) -> f32 {
    // A NaN would be lost in integers: it makes the scale, and so every answer, none.
    let larger = |size: f32, x: &f32| if x.abs() > size || x.is_nan() { x.abs() } else { size };
    let size = xs.iter().fold(0.0, larger);
    if size == 0.0 {
        integers.fill(0);
        return 0.0;
    }
    for (integer, x) in integers.iter_mut().zip(xs) {
        *integer = (x / size * largest).round_ties_even() as i16;
    }
    size / largest
}

#[inline(always)]
fn unary(function: Unary, xs: &[f32], ys: &mut [f32]) {
    #[inline(always)]
    fn each(xs: &[f32], ys: &mut [f32], function: impl Fn(f32) -> f32) {
        for (y, x) in ys.iter_mut().zip(xs) {
            *y = function(*x);
        }
    }
    // Comparisons throughout: a NaN must not get lost.
    match function {
        Unary::Sigmoid => each(xs, ys, number::sigmoid),
        Unary::Tanh => each(xs, ys, number::tanh),
        Unary::Exp => each(xs, ys, number::exp),
        Unary::Negate => each(xs, ys, |x| -x),
        Unary::Leaky { slope } => each(xs, ys, |x| if x < 0.0 { x * slope } else { x }),
        Unary::Elu { alpha } => {
            each(xs, ys, |x| if x < 0.0 { alpha * (number::exp(x) - 1.0) } else { x });
        }
        Unary::Clip { low, high } => each(xs, ys, |x| {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        }),
    }
}

fn binary(function: Binary, a: &[f32], b: &[f32], ys: &mut [f32]) {
    fn each(a: &[f32], b: &[f32], ys: &mut [f32], function: impl Fn(f32, f32) -> f32) {
        match (a, b) {
            (&[a], b) => ys.iter_mut().zip(b).for_each(|(y, b)| *y = function(a, *b)),
            (a, &[b]) => ys.iter_mut().zip(a).for_each(|(y, a)| *y = function(*a, b)),
            (a, b) => {
                ys.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (a, b))| *y = function(*a, *b))
            }
        }
    }
    match function {
        Binary::Add => each(a, b, ys, |a, b| a + b),
        Binary::Subtract => each(a, b, ys, |a, b| a - b),
        Binary::Multiply => each(a, b, ys, |a, b| a * b),
        Binary::Divide => each(a, b, ys, |a, b| a / b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dense::weights::Precision;

    #[test]
    fn both_twins_multiply_as_mathematics_does() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as f32 / u32::MAX as f32 - 0.5
        };
        for (rows, columns) in [(1, 1), (7, 31), (27, 64), (33, 70), (128, 200)] {
            let weights: Vec<f32> = (0..rows * columns).map(|_| random()).collect();
            let bias: Vec<f32> = (0..columns).map(|_| random()).collect();
            let xs: Vec<f32> = (0..rows).map(|_| random()).collect();
            for (precision, tolerance) in [
                (Precision::Fp32, 1e-6),
                (Precision::Fp16, 3e-4),
                (Precision::Bf16, 2e-3),
                (Precision::Int8, 4e-3),
            ] {
                for processor in [Processor::Plain, Processor::here()] {
                    let layer = Dense::new(&weights, &bias, rows, precision);
                    let mut layer = layer.expect("in range");
                    let mut ys = vec![f32::NAN; layer.padded()];
                    processor.dense(&mut layer, &xs, &mut ys);
                    for (column, y) in ys[..columns].iter().enumerate() {
                        let products =
                            (0..rows).map(|row| xs[row] * weights[row * columns + column]);
                        let wanted = bias[column] + products.sum::<f32>();
                        let error = (y - wanted).abs() / (rows as f32).sqrt();
                        assert!(error < tolerance, "{precision:?} {processor:?} {rows}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for precision in [Precision::Fp32, Precision::Fp16, Precision::Bf16, Precision::Int8] {
            for processor in [Processor::Plain, Processor::here()] {
                let mut layer = Dense::new(&[1.0; 64], &[0.0; 32], 2, precision).expect("in range");
                let mut ys = [0.0; 32];
                processor.dense(&mut layer, &[f32::NAN, 1.0], &mut ys);
                assert!(ys.iter().all(|y| y.is_nan()), "{precision:?} {processor:?}");
            }
        }
        for function in [Unary::Leaky { slope: 0.0 }, Unary::Clip { low: 0.0, high: 1.0 }] {
            let mut ys = [0.0; 9];
            Processor::here().unary(function, &[f32::NAN; 9], &mut ys);
            assert!(ys.iter().all(|y| y.is_nan()), "{function:?}");
        }
    }
}
