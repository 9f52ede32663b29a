//! Reads a recording, whole or not: piece by piece, up to where it makes sense.
//!
//! A file is outside data. Each chunk is unpacked only below a bound, and its checksum is looked at before any of it is
//! believed; one that is damaged is left out and counted. A file that just ends, as after a crash, is read up to there.

use std::{collections::BTreeMap, io::Read};

use mcap::{
    McapError,
    records::{Record, op},
    sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions},
};

use super::writer::ABOUT;

/// What a file begins and ends with.
pub(super) const MAGIC: &[u8; 8] = b"\x89MCAP0\r\n";

/// No record of ours comes near this: what is larger is damage, or not ours.
const RECORD_BYTES_MAX: usize = 64 << 20;
/// So much is read at once at most, whatever a length field claims.
const READ_BYTES_MAX: usize = 1 << 20;

/// A piece of a recording.
#[derive(Debug)]
pub enum Piece<'a> {
    /// What the file is.
    About(BTreeMap<String, String>),
    /// A schema.
    Schema {
        /// Its number.
        id: u16,
        /// Its name.
        name: String,
        /// Its language.
        encoding: String,
        /// Itself.
        data: &'a [u8],
    },
    /// A channel.
    Channel {
        /// Its number.
        id: u16,
        /// Its schema's; 0 for none.
        schema: u16,
        /// Its name.
        topic: String,
        /// How its messages are encoded.
        encoding: String,
    },
    /// A message.
    Message {
        /// Its channel's number.
        channel: u16,
        /// Its time, by the wall's clock.
        unix_ns: u64,
        /// Itself.
        data: &'a [u8],
    },
    /// So many bytes of the file were read up to now.
    Progress(u64),
}

/// How the reading of a recording ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Why it ended before the file's end; `None` for a file that was finished.
    pub cut: Option<String>,
    /// Chunks that were left out.
    pub damaged: u64,
}

/// Why nothing was read at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system's reason.
    #[error("cannot be read: {0}; check the path and its permissions")]
    Io(#[from] std::io::Error),
    /// Something else.
    #[error("is no MCAP file: give a recording of reflexd, *.mcap")]
    Foreign,
}

/// Reads a recording to its end; `look` sees every piece.
///
/// # Errors
/// A file that cannot be read, or that is none of these from its first byte on.
pub fn read(mut from: impl Read, look: &mut dyn FnMut(Piece<'_>)) -> Result<Ending, Unreadable> {
    let options = LinearReaderOptions::default()
        .with_emit_chunks(true)
        .with_skip_end_magic(true)
        .with_record_length_limit(RECORD_BYTES_MAX);
    let mut reader = LinearReader::new_with_options(options);
    let (mut ending, mut bytes, mut footer) = (Ending::default(), 0, false);
    loop {
        match reader.next_event() {
            None => break,
            Some(Ok(LinearReadEvent::ReadRequest(wanted))) => {
                let room = reader.insert(wanted.min(READ_BYTES_MAX));
                let got = from.read(room)?;
                reader.notify_read(got);
                bytes += got as u64;
            }
            Some(Ok(LinearReadEvent::Record { opcode: op::CHUNK, data })) => {
                if unpack(data, look).is_err() {
                    ending.damaged += 1;
                }
                look(Piece::Progress(bytes));
            }
            Some(Ok(LinearReadEvent::Record { opcode, data })) => {
                footer |= opcode == op::FOOTER;
                // A record beside the chunks is checked by nothing; one that makes no sense is left out.
                let _ = show(opcode, data, look);
            }
            Some(Err(McapError::BadMagic)) => return Err(Unreadable::Foreign),
            Some(Err(McapError::UnexpectedEof)) => {
                if bytes < MAGIC.len() as u64 {
                    return Err(Unreadable::Foreign);
                }
                break;
            }
            Some(Err(error)) => {
                ending.cut = Some(format!("after {bytes} bytes: {error}"));
                break;
            }
        }
    }
    if !footer && ending.cut.is_none() {
        ending.cut = Some(format!("it ends after {bytes} bytes, without having been finished"));
    }
    Ok(ending)
}

/// Shows what is in a chunk, if all of it is as it was written.
fn unpack(chunk: &[u8], look: &mut dyn FnMut(Piece<'_>)) -> Result<(), McapError> {
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_skip_end_magic(true)
        .with_prevalidate_chunk_crcs(true)
        .with_record_length_limit(RECORD_BYTES_MAX);
    let mut reader = LinearReader::new_with_options(options);
    let mut head = [op::CHUNK; 9];
    head[1..].copy_from_slice(&(chunk.len() as u64).to_le_bytes());
    let mut from = head.as_slice().chain(chunk);
    while let Some(event) = reader.next_event() {
        match event? {
            LinearReadEvent::ReadRequest(wanted) => {
                let got = from.read(reader.insert(wanted.min(READ_BYTES_MAX)))?;
                reader.notify_read(got);
            }
            LinearReadEvent::Record { opcode, data } => show(opcode, data, look)?,
        }
    }
    Ok(())
}

/// Shows a record, if it is one that says something.
fn show(opcode: u8, data: &[u8], look: &mut dyn FnMut(Piece<'_>)) -> Result<(), McapError> {
    // The others are not even parsed: what is not needed cannot be wrong.
    if ![op::METADATA, op::SCHEMA, op::CHANNEL, op::MESSAGE].contains(&opcode) {
        return Ok(());
    }
    match mcap::parse_record(opcode, data)? {
        Record::Metadata(about) if about.name == ABOUT => look(Piece::About(about.metadata)),
        Record::Schema { header, data } => look(Piece::Schema {
            id: header.id,
            name: header.name,
            encoding: header.encoding,
            data: &data,
        }),
        Record::Channel(channel) => look(Piece::Channel {
            id: channel.id,
            schema: channel.schema_id,
            topic: channel.topic,
            encoding: channel.message_encoding,
        }),
        Record::Message { header, data } => look(Piece::Message {
            channel: header.channel_id,
            unix_ns: header.log_time,
            data: &data,
        }),
        _ => {}
    }
    Ok(())
}
