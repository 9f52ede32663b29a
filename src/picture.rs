//! Pictures of an episode: a contact sheet (PNG), an animation (GIF), and camera frames (JPEG) for the wire.
//! With the files below, the only door to `image`, `gif`, `color_quant` and `font8x8`.

mod film;
mod look;

use std::{
    fs,
    path::{Path, PathBuf},
};

use font8x8::UnicodeFonts;
use image::{
    DynamicImage, ExtendedColorType, Rgb,
    codecs::{
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
    },
    imageops,
};

pub use film::{animation, animation_within};
pub use image::RgbImage;
pub use look::{Kind, Look, look};

/// Between tiles, and around the sheet.
const GAP_PX: u32 = 6;
/// Side of a glyph of the font, before it is scaled.
const GLYPH_PX: u32 = 8;
/// Tiles wider than this have captions of twice the size: on them, 8 pixels are hard to read.
const LARGE_PX: u32 = 400;
/// The format counts pixels in 16 bits, and nobody looks at a sheet that is larger.
const SIDE_MAX_PX: u64 = 65_535;

const PAPER: Rgb<u8> = Rgb([24, 26, 30]);
const INK: Rgb<u8> = Rgb([235, 235, 225]);

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A frame's bytes are not a picture of its size.
    #[error(
        "frame {index}: {width} x {height} with {bytes} bytes is not an RGB8 picture{expected}"
    )]
    Frame {
        /// Which one of those that were given.
        index: usize,
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
        /// How many bytes it has.
        bytes: usize,
        /// What it should have been.
        expected: String,
    },
    /// There is nothing to show.
    #[error("{}: no frames were given; record at least one", file.display())]
    Empty {
        /// The file that was to be written.
        file: PathBuf,
    },
    /// The picture would be too large.
    #[error("{}: {width} x {height} pixels are too many; show fewer or smaller frames", file.display())]
    TooLarge {
        /// The file that was to be written.
        file: PathBuf,
        /// Its width.
        width: u64,
        /// Its height.
        height: u64,
    },
    /// The encoder refused.
    #[error("{}: cannot be encoded: {source}", file.display())]
    Encoding {
        /// The file that was to be written, or the name of what was to be encoded.
        file: PathBuf,
        /// The encoder's reason.
        source: image::ImageError,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is no picture.
    #[error("{}: is no picture that can be decoded: {source}; give a PNG or a JPEG", file.display())]
    Broken {
        /// Which file.
        file: PathBuf,
        /// The decoder's reason.
        source: image::ImageError,
    },
    /// The file cannot be written.
    #[error("{}: cannot be written: {source}; check the folder, its permissions and the disk", file.display())]
    Unwritable {
        /// Which file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// A picture: rows from the top, three bytes a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue of each pixel.
    pub rgb: Vec<u8>,
}

/// A frame and what stands below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    /// The picture.
    pub frame: Frame,
    /// One line; what does not fit is cut, with dots.
    pub caption: String,
}

/// Writes all shots, in reading order, `columns` to a row, as one PNG.
///
/// # Errors
/// No shots, shots of different sizes, or a file that cannot be written.
pub fn contact_sheet(file: &Path, shots: &[Shot], columns: usize) -> Result<(), PictureError> {
    let tiles = tiles(file, shots)?;
    let (width, height) = tiles[0].dimensions();
    let columns = columns.clamp(1, tiles.len()) as u64;
    let rows = (tiles.len() as u64).div_ceil(columns);
    let side = |count: u64, tile: u32| count * u64::from(tile + GAP_PX) + u64::from(GAP_PX);
    let (sheet_width, sheet_height) = (side(columns, width), side(rows, height));
    if sheet_width.max(sheet_height) > SIDE_MAX_PX {
        return Err(PictureError::TooLarge {
            file: file.to_owned(),
            width: sheet_width,
            height: sheet_height,
        });
    }
    let mut sheet = RgbImage::from_pixel(sheet_width as u32, sheet_height as u32, PAPER);
    for (tile, index) in tiles.iter().zip(0_u64..) {
        let x = side(index % columns, width);
        let y = side(index / columns, height);
        imageops::replace(&mut sheet, tile, x as i64, y as i64);
    }
    let mut bytes = Vec::new();
    // A third of what the encoder makes of it in a hurry: sheets are kept.
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    sheet.write_with_encoder(encoder).map_err(|source| encoding(file, source))?;
    write(file, &bytes)
}

/// A frame as JPEG; `quality` from 1 to 100.
///
/// # Errors
/// A frame whose bytes are not a picture of its size.
pub fn jpeg(frame: &Frame, quality: u8) -> Result<Vec<u8>, PictureError> {
    let picture = checked(0, frame)?;
    let (width, height) = picture.dimensions();
    let mut bytes = Vec::with_capacity(frame.rgb.len() / 8);
    JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100))
        .encode(picture.as_raw(), width, height, ExtendedColorType::Rgb8)
        .map_err(|source| encoding(Path::new("camera frame"), source))?;
    Ok(bytes)
}

/// Every shot with its caption below, all of one size.
fn tiles(file: &Path, shots: &[Shot]) -> Result<Vec<RgbImage>, PictureError> {
    let first = shots.first().ok_or_else(|| PictureError::Empty { file: file.to_owned() })?;
    let (width, height) = (first.frame.width, first.frame.height);
    shots
        .iter()
        .enumerate()
        .map(|(index, shot)| {
            if (shot.frame.width, shot.frame.height) != (width, height) {
                let expected = format!(" of {width} x {height} like the first one");
                return Err(wrong(index, &shot.frame, expected));
            }
            checked(index, &shot.frame).map(|picture| captioned(&picture, &shot.caption))
        })
        .collect()
}

/// Reads a picture from a file.
///
/// # Errors
/// If there is none, or it is no picture.
pub fn open(file: &Path) -> Result<RgbImage, PictureError> {
    let read = image::open(file).map(DynamicImage::into_rgb8);
    read.map_err(|source| PictureError::Broken { file: file.to_path_buf(), source })
}

/// A frame out of a JPEG, such as a camera's topic carries.
///
/// # Errors
/// Bytes that are no JPEG.
pub fn decode_jpeg(bytes: &[u8]) -> Result<Frame, PictureError> {
    let picture = image::load_from_memory_with_format(bytes, image::ImageFormat::Jpeg)
        .map_err(|source| encoding(Path::new("camera frame"), source))?
        .into_rgb8();
    let (width, height) = picture.dimensions();
    Ok(Frame { width: width as usize, height: height as usize, rgb: picture.into_raw() })
}

fn checked(
    index: usize,
    frame: &Frame,
) -> Result<image::ImageBuffer<Rgb<u8>, &[u8]>, PictureError> {
    let side = |pixels: usize| u32::from(u16::try_from(pixels).unwrap_or(0));
    let (width, height) = (side(frame.width), side(frame.height));
    let bytes = 3 * width as usize * height as usize;
    let picture = (bytes > 0 && frame.rgb.len() == bytes)
        .then(|| image::ImageBuffer::from_raw(width, height, frame.rgb.as_slice()))
        .flatten();
    let expected = || format!(": width * height * 3 bytes, sides from 1 to {SIDE_MAX_PX}");
    picture.ok_or_else(|| wrong(index, frame, expected()))
}

fn wrong(index: usize, frame: &Frame, expected: String) -> PictureError {
    PictureError::Frame {
        index,
        width: frame.width,
        height: frame.height,
        bytes: frame.rgb.len(),
        expected,
    }
}

fn captioned(picture: &image::ImageBuffer<Rgb<u8>, &[u8]>, caption: &str) -> RgbImage {
    let (width, height) = picture.dimensions();
    let scale = if width > LARGE_PX { 2 } else { 1 };
    let margin = GLYPH_PX * scale / 2;
    let mut tile = RgbImage::from_pixel(width, height + GLYPH_PX * scale + 2 * margin, PAPER);
    imageops::replace(&mut tile, picture, 0, 0);
    let room = (width.saturating_sub(2 * margin) / (GLYPH_PX * scale)) as usize;
    for (character, column) in fit(caption, room).chars().zip(0_u32..) {
        let x = margin + column * GLYPH_PX * scale;
        draw(&mut tile, character, x, height + margin, scale);
    }
    tile
}

/// The caption, or as much of it as there is room for.
fn fit(caption: &str, room: usize) -> String {
    if caption.chars().count() <= room {
        return caption.to_owned();
    }
    let kept: String = caption.chars().take(room.saturating_sub(2)).collect();
    format!("{}{}", kept.trim_end(), &".."[..room.min(2)])
}

/// One glyph; what the font lacks is a question mark.
fn draw(tile: &mut RgbImage, character: char, x: u32, y: u32, scale: u32) {
    let glyph = font8x8::BASIC_FONTS
        .get(character)
        .or_else(|| font8x8::LATIN_FONTS.get(character))
        .or_else(|| font8x8::GREEK_FONTS.get(character))
        .or_else(|| font8x8::BASIC_FONTS.get('?'))
        .unwrap_or_default();
    for (row, line) in (0_u32..).zip(glyph) {
        // The lowest bit is the leftmost pixel.
        for column in (0..GLYPH_PX).filter(|column| line >> column & 1 == 1) {
            for (dx, dy) in (0..scale * scale).map(|i| (i % scale, i / scale)) {
                let (x, y) = (x + column * scale + dx, y + row * scale + dy);
                if let Some(pixel) = tile.get_pixel_mut_checked(x, y) {
                    *pixel = INK;
                }
            }
        }
    }
}

fn encoding(file: &Path, source: image::ImageError) -> PictureError {
    PictureError::Encoding { file: file.to_owned(), source }
}

/// Into a folder that is made if need be; whole or not at all.
fn write(file: &Path, bytes: &[u8]) -> Result<(), PictureError> {
    let mut partial = file.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&partial, bytes))
        .and_then(|()| fs::rename(&partial, file))
        .map_err(|source| {
            let _ = fs::remove_file(&partial); // it may never have been there
            PictureError::Unwritable { file: file.to_owned(), source }
        })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{AnimationDecoder, ImageReader, codecs::gif::GifDecoder};

    use super::*;

    /// A gradient with a square that wanders with the time `k`.
    fn shot(width: usize, height: usize, k: usize) -> Shot {
        let rgb = (0..width * height)
            .flat_map(|i| {
                let (x, y) = (i % width, i / width);
                let inside = x.abs_diff(20 + 8 * k) < 12 && y.abs_diff(height / 2) < 12;
                if inside {
                    [220, 30, 60]
                } else {
                    [(x * 255 / width) as u8, (y * 255 / height) as u8, 128]
                }
            })
            .collect();
        let caption = format!("{:.2} s  reaching, gripper at 100 %", k as f64 * 0.05);
        Shot { frame: Frame { width, height, rgb }, caption }
    }

    fn shots(count: usize) -> Vec<Shot> {
        (0..count).map(|k| shot(160, 120, k)).collect()
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn a_sheet_shows_every_frame_in_reading_order_with_its_caption() {
        let folder = folder();
        let file = folder.path().join("new/sheet.png");
        contact_sheet(&file, &shots(5), 3).expect("a sheet");
        let sheet = ImageReader::open(&file).expect("a file").decode().expect("a PNG").into_rgb8();
        let (tile_width, tile_height) = (160 + GAP_PX, 120 + 16 + GAP_PX);
        assert_eq!(sheet.dimensions(), (3 * tile_width + GAP_PX, 2 * tile_height + GAP_PX));
        // The square of the fifth frame, in the second row, second column.
        let (x, y) = (GAP_PX + tile_width + 20 + 8 * 4, GAP_PX + tile_height + 60);
        assert_eq!(*sheet.get_pixel(x, y), Rgb([220, 30, 60]));
        assert_eq!(*sheet.get_pixel(0, 0), PAPER);
        let caption = (0..160)
            .flat_map(|x| (120..136).map(move |y| (x, y)))
            .filter(|(x, y)| *sheet.get_pixel(GAP_PX + x, GAP_PX + y) == INK)
            .count();
        assert!(caption > 100, "{caption} pixels of ink");
        // No sixth frame.
        assert_eq!(*sheet.get_pixel(sheet.width() - 20, sheet.height() - 60), PAPER);
        assert!(fs::read_dir(folder.path().join("new")).expect("a folder").count() == 1);
    }

    #[test]
    fn an_animation_has_every_frame_at_its_pace_and_its_colours() {
        let folder = folder();
        let file = folder.path().join("episode.gif");
        animation(&file, &shots(7), 50).expect("an animation");
        let bytes = fs::read(&file).expect("a file");
        assert!(bytes.windows(11).any(|window| window == b"NETSCAPE2.0"), "it loops");
        let frames = GifDecoder::new(Cursor::new(&bytes)).expect("a GIF").into_frames();
        let frames = frames.collect_frames().expect("frames");
        assert_eq!(frames.len(), 7);
        for (frame, (k, shot)) in frames.iter().zip(shots(7).iter().enumerate()) {
            assert_eq!(frame.delay().numer_denom_ms(), (50, 1));
            assert_eq!(frame.buffer().dimensions(), (160, 136));
            let square = frame.buffer().get_pixel(20 + 8 * k as u32, 60).0;
            let off = square.iter().zip([220, 30, 60]).map(|(a, b)| a.abs_diff(b));
            assert!(off.max() < Some(24), "{square:?}");
            let wrong: u64 = shot
                .frame
                .rgb
                .chunks(3)
                .zip(frame.buffer().pixels())
                .flat_map(|(own, seen)| {
                    own.iter().zip(seen.0).map(|(a, b)| u64::from(a.abs_diff(b)))
                })
                .sum();
            assert!(wrong / (160 * 120 * 3) < 8, "colours are off by {wrong} in all");
        }
    }

    #[test]
    fn what_does_not_move_costs_nothing_and_what_was_drawn_over_it_is_seen() {
        let folder = folder();
        let (moving, still) = (folder.path().join("moving.gif"), folder.path().join("still.gif"));
        let mut frames = shots(12);
        animation(&moving, &frames, 50).expect("an animation");
        for frame in &mut frames {
            frame.clone_from(&shot(160, 120, 0));
        }
        animation(&still, &frames, 50).expect("an animation");
        let size = |file: &Path| fs::metadata(file).expect("a file").len();
        let one = folder.path().join("one.gif");
        animation(&one, &shots(1), 50).expect("an animation");
        assert!(size(&still) < size(&one) + 12 * 40, "{} {}", size(&still), size(&one));
        assert!(size(&moving) > size(&still));
        assert_eq!(look(&still).expect("a picture").frames, 12);
    }

    #[test]
    fn a_film_that_is_too_large_loses_every_second_frame_but_not_its_end() {
        let folder = folder();
        let (all, half) = (folder.path().join("all.gif"), folder.path().join("half.gif"));
        animation(&all, &shots(32), 50).expect("an animation");
        let size = fs::metadata(&all).expect("a file").len() as usize;
        animation_within(&half, &shots(32), 50, size - 1).expect("an animation");
        let small = fs::metadata(&half).expect("a file").len() as usize;
        assert!(small < size, "{small} of {size}");
        let frames = GifDecoder::new(Cursor::new(fs::read(&half).expect("a file"))).expect("a GIF");
        let frames = frames.into_frames().collect_frames().expect("frames");
        assert_eq!((frames.len(), frames[0].delay().numer_denom_ms()), (16, (100, 1)));
        // Where the square is in the 32nd shot.
        let seen = frames[15].buffer().get_pixel(159, 60).0;
        let last = shot(160, 120, 31).frame.rgb[3 * (60 * 160 + 159)];
        assert!(seen[0].abs_diff(last) < 24, "{seen:?} for {last}");
        // Fewer frames than a film has are never left out.
        animation_within(&half, &shots(10), 50, 1).expect("an animation");
        assert_eq!(look(&half).expect("a picture").frames, 10);
    }

    #[test]
    fn pictures_are_told_from_what_is_none() {
        let folder = folder();
        let sheet = folder.path().join("sheet.png");
        contact_sheet(&sheet, &shots(2), 2).expect("a sheet");
        let seen = look(&sheet).expect("a picture");
        assert_eq!((seen.kind, seen.frames, seen.width), (Kind::Png, 1, 2 * 166 + 6));
        let torn = fs::read(&sheet).expect("a file");
        fs::write(&sheet, &torn[..torn.len() / 2]).expect("a file");
        assert!(look(&sheet).expect_err("torn").to_string().contains("sheet.png"));
        fs::write(&sheet, "no picture").expect("a file");
        assert!(look(&sheet).is_err() && look(&folder.path().join("nobody.png")).is_err());
    }

    #[test]
    fn a_jpeg_is_the_frame_and_quality_is_paid_in_bytes() {
        let frame = shot(160, 120, 3).frame;
        let fine = jpeg(&frame, 90).expect("a picture");
        let coarse = jpeg(&frame, 0).expect("a picture");
        assert!(coarse.len() < fine.len());
        let seen = image::load_from_memory(&fine).expect("a JPEG").into_rgb8();
        assert_eq!(seen.dimensions(), (160, 120));
        for (own, seen) in frame.rgb.chunks(3).zip(seen.pixels()).step_by(997) {
            let off = own.iter().zip(seen.0).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off < Some(40), "{own:?} became {seen:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_picture_and_names_it() {
        let file = Path::new("sheet.png");
        let said = |shots: &[Shot]| contact_sheet(file, shots, 3).expect_err("refused").to_string();
        assert!(said(&[]).contains("sheet.png: no frames"));
        let mut odd = shots(3);
        odd[1].frame.rgb.pop();
        assert!(said(&odd).contains("frame 1: 160 x 120 with 57599 bytes"));
        let mixed = [shot(160, 120, 0), shot(80, 120, 0)];
        assert!(said(&mixed).contains("frame 1") && said(&mixed).contains("like the first one"));
        let huge = Frame { width: usize::MAX, height: usize::MAX, rgb: Vec::new() };
        assert!(jpeg(&huge, 80).is_err());
        let many = vec![shot(160, 4, 0); 500];
        assert!(
            contact_sheet(file, &many, 500).expect_err("refused").to_string().contains("too many")
        );
        assert!(!file.exists());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = folder();
        let blocked = folder.path().join("blocked");
        fs::write(&blocked, "a file").expect("a file");
        let error = animation(&blocked.join("a.gif"), &shots(1), 50).expect_err("refused");
        assert!(error.to_string().contains("blocked/a.gif: cannot be written"), "{error}");
    }

    #[test]
    fn captions_fit_whatever_they_say() {
        assert_eq!(fit("reach", 5), "reach");
        assert_eq!(fit("reaching", 5), "rea..");
        assert_eq!(fit("reaching", 1), ".");
        assert_eq!(fit("reaching", 0), "");
        let mut narrow = shot(3, 3, 0);
        narrow.caption = "μ ß 你 \u{0} tall".to_owned();
        let folder = folder();
        contact_sheet(&folder.path().join("narrow.png"), &[narrow.clone()], 0).expect("a sheet");
        narrow.frame = shot(160, 120, 0).frame;
        contact_sheet(&folder.path().join("wide.png"), &[narrow], 9).expect("a sheet");
    }

    /// To look at: `PICTURES=folder cargo test pictures_to_look_at -- --ignored`.
    #[test]
    #[ignore = "for the eye"]
    fn pictures_to_look_at() {
        let folder = PathBuf::from(std::env::var("PICTURES").expect("PICTURES names a folder"));
        contact_sheet(&folder.join("sheet.png"), &shots(12), 4).expect("a sheet");
        let large: Vec<Shot> = (0..20).map(|k| shot(480, 360, k)).collect();
        contact_sheet(&folder.join("large.png"), &large[..4], 2).expect("a sheet");
        animation(&folder.join("episode.gif"), &large, 50).expect("an animation");
    }
}
