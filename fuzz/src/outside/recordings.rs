//! Arbitrary bytes as a recording's file: MCAP, and in it the entries that the law is executed once more from.

use reflex::replay::Replay;
use reflexd::recorder::{Piece, read};

/// Reads it to its end, and takes every message for an entry.
///
/// # Panics
/// If more was read than was there.
pub fn recording(bytes: &[u8]) {
    let mut replay = Replay::default();
    let _ = read(bytes, &mut |piece| match piece {
        Piece::Message { data, .. } => {
            let words: Vec<u64> =
                data.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
            let _ = replay.take(&words);
        }
        Piece::Progress(read) => assert!(read <= bytes.len() as u64),
        _ => {}
    });
}
