//! Motion JPEG in an MP4 file: every picture stands for itself, so any of them is found at once and an episode can be
//! cut out without decoding its neighbours; and nothing is needed to write it.
//!
//! ```text
//!   ftyp │ mdat: picture, picture, ...  │ moov: when each is shown, how large it is, where it begins
//! ```
//! ISO/IEC 14496-12 and -14. The pictures' kind is `mp4v` with the object type 0x6C, "ISO/IEC 10918-1", which FFmpeg, and
//! so PyAV and TorchCodec, read as `mjpeg`.

use std::{
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
};

use crate::rollouts::{
    RolloutError,
    files::{Draft, unwritable},
};

/// Ticks of the file's clock in a second: 50, 16 and 12 ms are whole numbers of them.
const CLOCK_HZ: u64 = 90_000;
/// Bytes before the first picture, its `ftyp` and the head of its `mdat`.
const HEAD: u32 = 28 + 8;

/// A film being written.
pub(super) struct Video {
    draft: Draft,
    width: u16,
    height: u16,
    sizes: Vec<u32>,
    bytes: u32,
    /// When each picture is shown, and when the last one is over.
    times: Vec<u64>,
    end_ns: u64,
}

impl Video {
    pub(super) fn new(path: PathBuf, [width, height]: [usize; 2]) -> Result<Self, RolloutError> {
        let mut draft = Draft::new(path)?;
        let brands = [&b"isom"[..], &512_u32.to_be_bytes(), b"isomiso2mp41"].concat();
        draft.write(&boxed(b"ftyp", &[&brands]))?;
        draft.write(&boxed(b"mdat", &[]))?;
        let side = |pixels: usize| u16::try_from(pixels).unwrap_or(u16::MAX);
        let (sizes, times) = (Vec::new(), Vec::new());
        let (width, height) = (side(width), side(height));
        Ok(Self { draft, width, height, sizes, bytes: 0, times, end_ns: 0 })
    }

    /// How large it is by now.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// How long it is by now, s.
    pub(super) fn seconds(&self) -> f64 {
        self.end_ns as f64 / 1e9
    }

    /// The next picture, a JPEG, is shown for so long.
    pub(super) fn add(&mut self, jpeg: &[u8], shown_ns: u64) -> Result<(), RolloutError> {
        self.draft.write(jpeg)?;
        self.sizes.push(jpeg.len() as u32);
        self.bytes += jpeg.len() as u32;
        self.times.push(clock(self.end_ns));
        self.end_ns += shown_ns;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<u64, RolloutError> {
        let index = self.index();
        self.draft.write(&index)?;
        let length = (self.bytes + 8).to_be_bytes();
        let out = &mut self.draft.out;
        // The head of `mdat`, now that its length is known.
        let done =
            out.seek(SeekFrom::Start(u64::from(HEAD - 8))).and_then(|_| out.write_all(&length));
        done.map_err(unwritable(self.draft.path()))?;
        self.draft.finish()
    }

    fn index(&self) -> Vec<u8> {
        let long = clock(self.end_ns) as u32;
        let (width, height) = (u32::from(self.width), u32::from(self.height));
        let matrix: Vec<u8> = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000]
            .iter()
            .flat_map(|value: &u32| value.to_be_bytes())
            .collect();
        let film = full(
            b"mvhd",
            0,
            &[
                &words(&[0, 0, CLOCK_HZ as u32, long, 0x10000, 0x0100_0000, 0, 0]),
                &matrix,
                &[0; 24],
                &words(&[2]),
            ],
        );
        let track = full(
            b"tkhd",
            3,
            &[
                &words(&[0, 0, 1, 0, long, 0, 0, 0, 0]),
                &matrix,
                &words(&[width << 16, height << 16]),
            ],
        );
        // 0x55C4 is "und", no language.
        let media = full(b"mdhd", 0, &[&words(&[0, 0, CLOCK_HZ as u32, long, 0x55C4_0000])]);
        let kind = full(b"hdlr", 0, &[&words(&[0]), b"vide", &[0; 12], b"camera\0"]);
        let here = full(b"dref", 0, &[&words(&[1]), &full(b"url ", 1, &[])]);
        let content = boxed(
            b"minf",
            &[
                &full(b"vmhd", 1, &[&[0; 8]]),
                &boxed(b"dinf", &[&here]),
                &boxed(b"stbl", &[&self.format(), &self.durations(), &self.places()]),
            ],
        );
        let media = boxed(b"mdia", &[&media, &kind, &content]);
        boxed(b"moov", &[&film, &boxed(b"trak", &[&track, &media])])
    }

    /// What a picture is.
    fn format(&self) -> Vec<u8> {
        // Elementary stream 1, of the object type JPEG, a visual stream; nothing of it needs a buffer.
        let decoder = descriptor(4, &[&[0x6C, 0x11, 0, 0, 0], &words(&[0, 0])[..]].concat());
        let stream = [&[0, 1, 0][..], &decoder, &descriptor(6, &[2])].concat();
        let size = [self.width.to_be_bytes(), self.height.to_be_bytes()].concat();
        let entry = boxed(
            b"mp4v",
            &[
                &[0, 0, 0, 0, 0, 0, 0, 1],
                &[0; 16],
                &size,
                // 72 dots an inch, one picture a sample.
                &words(&[0x48_0000, 0x48_0000, 0]),
                &[0, 1],
                &[0; 32],
                // 24 bits, no table of colours.
                &[0, 24, 0xFF, 0xFF],
                &full(b"esds", 0, &[&descriptor(3, &stream)]),
            ],
        );
        full(b"stsd", 0, &[&words(&[1]), &entry])
    }

    /// How long each picture is shown: equal ones in a row are told once.
    fn durations(&self) -> Vec<u8> {
        let ends = self.times.iter().skip(1).copied().chain([clock(self.end_ns)]);
        let mut runs: Vec<[u32; 2]> = Vec::new();
        for duration in self.times.iter().zip(ends).map(|(begin, end)| (end - begin) as u32) {
            match runs.last_mut() {
                Some([count, same]) if *same == duration => *count += 1,
                _ => runs.push([1, duration]),
            }
        }
        full(b"stts", 0, &[&words(&[runs.len() as u32]), &words(runs.as_flattened())])
    }

    /// All pictures lie in one piece.
    fn places(&self) -> Vec<u8> {
        let count = self.sizes.len() as u32;
        let pieces = full(b"stsc", 0, &[&words(&[1, 1, count, 1])]);
        let sizes = full(b"stsz", 0, &[&words(&[0, count]), &words(&self.sizes)]);
        let begins = full(b"stco", 0, &[&words(&[1, HEAD])]);
        [pieces, sizes, begins].concat()
    }
}

/// A time by the file's clock. Rounded from the beginning, so that errors do not add up.
const fn clock(ns: u64) -> u64 {
    (ns as u128 * CLOCK_HZ as u128 + 500_000_000) as u64 / 1_000_000_000
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    [&(length as u32).to_be_bytes()[..], kind, &parts.concat()].concat()
}

/// A box with a version, 0, and flags.
fn full(kind: &[u8; 4], flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    boxed(kind, &[&flags.to_be_bytes(), &parts.concat()])
}

fn descriptor(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, 0x80, 0x80, 0x80, content.len() as u8][..], content].concat()
}
