//! An animated GIF of a camera that stands still: one palette for all of it, and of each frame only what has moved.

use std::path::Path;

use color_quant::NeuQuant;
use gif::{DisposalMethod, Encoder, Repeat};
use image::{ImageError, RgbImage, error::EncodingError};

use super::{PictureError, Shot, encoding, tiles, write};

/// Colours of the palette; the 256th of the format is the one that shows what was there before.
const COLOURS: usize = 255;
/// The palette is learnt from every n-th sampled pixel: at 1 the best, at 10 nearly as good and far faster.
const PALETTE_SPEED: i32 = 3;
/// Pixels from which the palette is learnt, at most.
const SAMPLES: usize = 400_000;
/// A pixel that differs by no more than this in any channel has not changed: nobody sees it, and it costs bytes.
const SAME: u8 = 3;
/// Fewer frames are no film.
const FRAMES_MIN: usize = 8;

/// Writes all shots as one GIF that never stops, each shown for `frame_ms` (in steps of 10 ms: the format's unit).
///
/// # Errors
/// No shots, shots of different sizes, or a file that cannot be written.
pub fn animation(file: &Path, shots: &[Shot], frame_ms: u32) -> Result<(), PictureError> {
    write(file, &encode(file, &tiles(file, shots)?, frame_ms)?)
}

/// The same in at most `bytes_max`, if it can be had by leaving out every second frame, again and again.
///
/// # Errors
/// As [`animation`].
pub fn animation_within(
    file: &Path,
    shots: &[Shot],
    frame_ms: u32,
    bytes_max: usize,
) -> Result<(), PictureError> {
    let mut tiles = tiles(file, shots)?;
    let mut frame_ms = frame_ms;
    loop {
        let bytes = encode(file, &tiles, frame_ms)?;
        if bytes.len() <= bytes_max || tiles.len() < 2 * FRAMES_MIN {
            return write(file, &bytes);
        }
        // The last one is how it ended: it stays.
        let odd = (tiles.len() - 1) % 2;
        let mut at = 0;
        tiles.retain(|_| {
            at += 1;
            (at - 1) % 2 == odd
        });
        frame_ms *= 2;
    }
}

fn encode(file: &Path, tiles: &[RgbImage], frame_ms: u32) -> Result<Vec<u8>, PictureError> {
    let refused = |error: gif::EncodingError| {
        let error = EncodingError::new(image::ImageFormat::Gif.into(), error);
        encoding(file, ImageError::Encoding(error))
    };
    let (width, height) = tiles[0].dimensions();
    // The format counts in 16 bits; `tiles` has refused what is larger, but for the caption's few rows.
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    let palette = Palette::of(tiles);
    let mut bytes = Vec::new();
    let mut encoder =
        Encoder::new(&mut bytes, side(width), side(height), &palette.rgb).map_err(refused)?;
    encoder.set_repeat(Repeat::Infinite).map_err(refused)?;
    let mut shown: Option<RgbImage> = None;
    for tile in tiles {
        let patch = match &mut shown {
            None => Patch::whole(tile, &palette),
            Some(shown) => Patch::between(shown, tile, &palette),
        };
        shown.get_or_insert_with(|| tile.clone());
        let frame = gif::Frame {
            // Viewers take less than two units for "as fast as you like", and then show it slowly.
            delay: u16::try_from(frame_ms.max(20) / 10).unwrap_or(u16::MAX),
            dispose: DisposalMethod::Keep,
            transparent: Some(COLOURS as u8),
            left: side(patch.left),
            top: side(patch.top),
            width: side(patch.width),
            height: side(patch.height),
            buffer: patch.indices.into(),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).map_err(refused)?;
    }
    drop(encoder); // writes the trailer
    Ok(bytes)
}

/// The colours of a whole film.
struct Palette {
    net: NeuQuant,
    rgb: Vec<u8>,
}

impl Palette {
    fn of(tiles: &[RgbImage]) -> Self {
        let pixels: usize = tiles.iter().map(|tile| tile.as_raw().len() / 3).sum();
        // Odd, so that it is not always the same column of every picture.
        let every = (pixels / SAMPLES) | 1;
        let sampled = tiles.iter().flat_map(RgbImage::pixels).step_by(every);
        let rgba: Vec<u8> =
            sampled.flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], 255]).collect();
        let net = NeuQuant::new(PALETTE_SPEED, COLOURS, &rgba);
        let mut rgb = net.color_map_rgb();
        rgb.resize(3 * (COLOURS + 1), 0);
        Self { net, rgb }
    }

    fn index(&self, [red, green, blue]: [u8; 3]) -> u8 {
        self.net.index_of(&[red, green, blue, 255]).min(COLOURS - 1) as u8
    }
}

/// A part of a picture that is drawn over what is there.
struct Patch {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    indices: Vec<u8>,
}

impl Patch {
    fn whole(tile: &RgbImage, palette: &Palette) -> Self {
        let (width, height) = tile.dimensions();
        let indices = tile.pixels().map(|pixel| palette.index(pixel.0)).collect();
        Self { left: 0, top: 0, width, height, indices }
    }

    /// What has changed; `shown` becomes what is seen after it.
    fn between(shown: &mut RgbImage, tile: &RgbImage, palette: &Palette) -> Self {
        let differs = |(x, y): (u32, u32)| {
            let (old, new) = (shown.get_pixel(x, y).0, tile.get_pixel(x, y).0);
            old.iter().zip(new).any(|(old, new)| old.abs_diff(new) > SAME)
        };
        let (width, height) = tile.dimensions();
        let all = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let changed: Vec<(u32, u32)> = all.filter(|at| differs(*at)).collect();
        let range = |of: fn(&(u32, u32)) -> u32| {
            let (least, most) = (changed.iter().map(of).min(), changed.iter().map(of).max());
            // A frame of nothing is one pixel that shows through.
            (least.unwrap_or(0), most.unwrap_or(0))
        };
        let ((left, right), (top, bottom)) = (range(|at| at.0), range(|at| at.1));
        let (width, height) = (right - left + 1, bottom - top + 1);
        let mut indices = vec![COLOURS as u8; (width * height) as usize];
        for (x, y) in changed {
            let pixel = *tile.get_pixel(x, y);
            shown.put_pixel(x, y, pixel);
            indices[((y - top) * width + x - left) as usize] = palette.index(pixel.0);
        }
        Self { left, top, width, height, indices }
    }
}
