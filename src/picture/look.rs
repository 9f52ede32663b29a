//! Whether a file is a picture, and which: all of it is decoded, so that a torn one is found.

use std::{
    fs::{self, File},
    io::{Cursor, Read},
    path::Path,
};

use image::{AnimationDecoder, ImageFormat, codecs::gif::GifDecoder};

use super::PictureError;

/// Nothing that people look at on a page is larger.
const BYTES_MAX: u64 = 32 << 20;

/// What a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its format.
    pub kind: Kind,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames; 1 of what does not move.
    pub frames: usize,
}

/// A picture's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Portable Network Graphics.
    Png,
    /// Graphics Interchange Format.
    Gif,
    /// JPEG.
    Jpeg,
}

/// Looks at a picture.
///
/// # Errors
/// A file that cannot be read, or is no picture.
pub fn look(file: &Path) -> Result<Look, PictureError> {
    let unreadable = |source| PictureError::Unreadable { file: file.to_owned(), source };
    let broken = |source| PictureError::Broken { file: file.to_owned(), source };
    if fs::metadata(file).map_err(unreadable)?.len() > BYTES_MAX {
        return Err(unreadable(std::io::Error::other("it is larger than 32 MiB")));
    }
    let mut bytes = Vec::new();
    File::open(file)
        .map_err(unreadable)?
        .take(BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let format = image::guess_format(&bytes).map_err(broken)?;
    let kind = match format {
        ImageFormat::Png => Kind::Png,
        ImageFormat::Gif => {
            let frames = GifDecoder::new(Cursor::new(&bytes)).map_err(broken)?.into_frames();
            let frames = frames.collect_frames().map_err(broken)?;
            let (width, height) = frames.first().map_or((0, 0), |one| one.buffer().dimensions());
            return Ok(Look { kind: Kind::Gif, width, height, frames: frames.len() });
        }
        ImageFormat::Jpeg => Kind::Jpeg,
        _ => return Err(unreadable(std::io::Error::other("it is no PNG, GIF or JPEG"))),
    };
    let picture = image::load_from_memory_with_format(&bytes, format).map_err(broken)?;
    Ok(Look { kind, width: picture.width(), height: picture.height(), frames: 1 })
}
