//! Pillow's bicubic resize, to the bit: first along rows, then along columns, in fixed point of 22 bits.
//!
//! An encoder was trained on pictures that Pillow has resized. Another filter, or the same one in another order, differs
//! by a few of 255 at edges, and by a thousandth in the embedding.

use crate::picture::RgbImage;

const BITS: u32 = 22;
/// How many pixels to either side the cubic reaches, before it is widened to shrink a picture.
const REACH: f64 = 2.0;
const CHANNELS: usize = 3;

/// A picture of another size.
pub(super) fn resize(image: &RgbImage, width: usize, height: usize) -> Vec<u8> {
    let (from_width, from_height) = (image.width() as usize, image.height() as usize);
    let wide = pass(image.as_raw(), &taps(from_width, width), from_height, |row, x| {
        (row * from_width + x) * CHANNELS
    });
    // What came out is row by row; now a line of it is a column.
    let tall =
        pass(&wide, &taps(from_height, height), width, |column, y| (y * width + column) * CHANNELS);
    transposed(&tall, width, height)
}

/// Which pixels make one pixel of the result, and with which weights.
struct Tap {
    first: usize,
    weights: Vec<i32>,
}

fn taps(from: usize, to: usize) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let widened = scale.max(1.0);
    let reach = REACH * widened;
    (0..to)
        .map(|at| {
            let centre = (at as f64 + 0.5) * scale;
            // Towards zero, as C casts; then kept inside.
            let first = ((centre - reach + 0.5) as i64).max(0) as usize;
            let end = ((centre + reach + 0.5) as i64).clamp(0, from as i64) as usize;
            let raw: Vec<f64> =
                (first..end).map(|x| cubic((x as f64 - centre + 0.5) * (1.0 / widened))).collect();
            let sum: f64 = raw.iter().sum();
            let weights =
                raw.iter().map(|&w| fixed(if sum == 0.0 { w } else { w / sum })).collect();
            Tap { first, weights }
        })
        .collect()
}

/// Keys' cubic with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << BITS);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

/// One direction: `lines` lines, whose pixels `place` finds; line by line what the taps make of them.
fn pass(
    pixels: &[u8],
    taps: &[Tap],
    lines: usize,
    place: impl Fn(usize, usize) -> usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines * taps.len() * CHANNELS);
    for line in 0..lines {
        for tap in taps {
            let mut sums = [1_i32 << (BITS - 1); CHANNELS];
            for (step, &weight) in tap.weights.iter().enumerate() {
                let at = place(line, tap.first + step);
                for (sum, &value) in sums.iter_mut().zip(&pixels[at..at + CHANNELS]) {
                    *sum += i32::from(value) * weight;
                }
            }
            out.extend(sums.map(|sum| (sum >> BITS).clamp(0, 255) as u8));
        }
    }
    out
}

/// Columns beside one another to rows beneath one another.
fn transposed(columns: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut rows = Vec::with_capacity(columns.len());
    for y in 0..height {
        for x in 0..width {
            let at = (x * height + y) * CHANNELS;
            rows.extend_from_slice(&columns[at..at + CHANNELS]);
        }
    }
    rows
}
