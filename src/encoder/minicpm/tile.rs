//! A picture as one tile of patches: its size, its numbers, and where each patch lies.

use super::{description::Pictures, resize::resize};
use crate::picture::RgbImage;

/// What the vision network is given.
pub(super) struct Tile {
    /// Patches beneath one another, and beside one another.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// `[1, 3, patch, patch x patches]`: of each channel and line, the patches one after another.
    pub(super) pixels: Vec<f32>,
    /// Which learnt position each patch has.
    pub(super) positions: Vec<i64>,
    /// The patches in the order of the windows of four that the tower condenses to one.
    pub(super) windows: Vec<i64>,
    /// What is left of them, in the order of the fours that become one token.
    pub(super) merges: Vec<i64>,
}

impl Tile {
    pub(super) fn of(image: &RgbImage, how: &Pictures) -> Self {
        let patch = how.patch_size;
        let (width, height) = size(image.width(), image.height(), how);
        let (rows, columns) = (height / patch, width / patch);
        let bytes = resize(image, width, height);
        let merges =
            if how.condensed { by_fours(rows / 2, columns / 2) } else { by_fours(rows, columns) };
        Self {
            rows,
            columns,
            pixels: packed(&bytes, rows, columns, how),
            positions: positions(rows, columns, &how.boundaries),
            windows: by_fours(rows, columns),
            merges,
        }
    }

    /// How many tokens stand for the picture.
    pub(super) fn tokens(&self) -> usize {
        self.merges.len() / 4
    }
}

/// Width and height in pixels: about as many as a square of the scale has, in the picture's own shape, in whole squares
/// of patches that become one token.
fn size(width: u32, height: u32, how: &Pictures) -> (usize, usize) {
    let shape = f64::from(width) / f64::from(height);
    let high = (how.scale_resolution as f64 / shape.sqrt()).trunc();
    let wide = (high * shape).trunc();
    let step = how.patch_size * if how.condensed { 4 } else { 2 };
    // Half-way goes to the even one, as Python rounds.
    let whole = |length: f64| ((length / step as f64).round_ties_even() as usize).max(1) * step;
    (whole(wide), whole(high))
}

/// The picture's numbers, normalised: channel, line within a patch, patch, column within it.
fn packed(bytes: &[u8], rows: usize, columns: usize, how: &Pictures) -> Vec<f32> {
    let patch = how.patch_size;
    let width = columns * patch;
    let mut pixels = Vec::with_capacity(bytes.len());
    for channel in 0..3 {
        let values: Vec<f32> = (0..=u8::MAX).map(|value| how.normalised(value, channel)).collect();
        for line in 0..patch {
            for row in 0..rows {
                let from = (row * patch + line) * width;
                let line = bytes[from * 3..(from + width) * 3].iter().skip(channel).step_by(3);
                pixels.extend(line.map(|&value| values[usize::from(value)]));
            }
        }
    }
    pixels
}

/// Positions were learnt on a square grid; a patch takes the one that is nearest to its place in its own grid.
fn positions(rows: usize, columns: usize, boundaries: &[f32]) -> Vec<i64> {
    let side = boundaries.len() + 1;
    let bucket = |at: usize, of: usize| {
        let place = at as f32 / of as f32;
        boundaries.partition_point(|&boundary| boundary <= place)
    };
    let across: Vec<_> = (0..columns).map(|column| bucket(column, columns)).collect();
    let down = (0..rows).map(|row| bucket(row, rows) * side);
    down.flat_map(|start| across.iter().map(move |column| (start + column) as i64)).collect()
}

/// The cells of a grid, those of each square of four beside one another.
fn by_fours(rows: usize, columns: usize) -> Vec<i64> {
    let mut order = Vec::with_capacity(rows * columns);
    for row in (0..rows).step_by(2) {
        for column in (0..columns).step_by(2) {
            let at = row * columns + column;
            order.extend([at, at + 1, at + columns, at + columns + 1].map(|cell| cell as i64));
        }
    }
    order
}
