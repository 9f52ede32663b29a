//! A file that is being written: MCAP, in chunks that are on the disk as a whole or not at all.
//!
//! What is written waits in memory until [`Film::flush`], which hands it to the system in one piece and waits until the
//! disk has it. Whatever happens between two flushes, the file ends after a whole chunk, or in one that readers leave out.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use mcap::{
    Compression, McapError, WriteOptions, Writer,
    records::{MessageHeader, Metadata},
};

use super::{
    reader::Piece,
    topics::{self, CAMERA_SCHEMA, FIRST_CAMERA, LAW, Topic},
};

/// Who wrote a file, in its header: channels of such a one have the numbers of the table.
pub(super) const PROFILE: &str = "reflexd";
/// The name of the record that says what a file is.
pub(super) const ABOUT: &str = "reflexd";
/// How the law's words are encoded.
const WORDS_ENCODING: &str = "x-reflex-words";
/// A chunk that has grown to this is closed before its time.
const CHUNK_BYTES: u64 = 4 << 20;
/// What is written twenty times a second has to be cheap before it is small.
const ZSTD_LEVEL: u32 = 1;

/// A file that is being written.
pub(super) struct Film {
    writer: Writer<Sink>,
    bytes: Arc<AtomicU64>,
    cameras: Vec<String>,
    sequence: u32,
}

/// The file beneath: what was written waits here until it is flushed.
struct Sink {
    file: File,
    pending: Vec<u8>,
    /// Bytes that the file has.
    safe: u64,
    bytes: Arc<AtomicU64>,
    /// Whether each flush waits for the disk.
    waits: bool,
}

impl Sink {
    const fn new(file: File, bytes: Arc<AtomicU64>, waits: bool) -> Self {
        Self { file, pending: Vec::new(), safe: 0, bytes, waits }
    }
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut written = self.file.write_all(&self.pending);
        if self.waits {
            written = written.and_then(|()| self.file.sync_data());
        }
        if let Err(error) = written {
            // Half a chunk is no use to anybody, and its room is of use to everybody.
            let _ = self.file.set_len(self.safe);
            return Err(error);
        }
        self.safe += self.pending.len() as u64;
        self.pending.clear();
        self.bytes.store(self.safe, Ordering::Relaxed);
        Ok(())
    }
}

impl Seek for Sink {
    /// Tells where it is; it goes nowhere else.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let here = self.safe + self.pending.len() as u64;
        if to == SeekFrom::Current(0) { Ok(here) } else { Err(io::ErrorKind::Unsupported.into()) }
    }
}

/// As the system said it, if it did.
pub(super) fn io_of(error: McapError) -> io::Error {
    match error {
        McapError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// How our files are written.
fn options() -> WriteOptions {
    WriteOptions::new()
        .compression(Some(Compression::Zstd))
        .compression_level(ZSTD_LEVEL)
        .compression_threads(0)
        .chunk_size(Some(CHUNK_BYTES))
        // Seeking back over what has been written would tear it.
        .disable_seeking(true)
        .profile(PROFILE)
        .library(concat!("reflexd ", env!("CARGO_PKG_VERSION")))
}

impl Film {
    /// Begins a file that does not exist yet; it is locked for as long as it is being written.
    pub(super) fn create(
        path: &Path,
        about: &BTreeMap<String, String>,
        cameras: &[String],
    ) -> io::Result<Self> {
        let file = File::create_new(path)?;
        // Who tidies up leaves a locked file alone. Where there are no locks, there is only us.
        let _ = file.try_lock();
        let bytes = Arc::default();
        let sink = Sink::new(file, Arc::clone(&bytes), true);
        let writer = options().create(sink).map_err(io_of)?;
        let mut film = Self { writer, bytes, cameras: cameras.to_vec(), sequence: 0 };
        let about = Metadata { name: ABOUT.into(), metadata: about.clone() };
        film.writer.write_metadata(&about).map_err(io_of)?;
        film.declare().map_err(io_of)?;
        film.flush()?;
        Ok(film)
    }

    fn declare(&mut self) -> Result<(), McapError> {
        let none = BTreeMap::new();
        for topic in &topics::TABLE {
            let (schema, encoding) = if topic.fields.is_empty() {
                (0, WORDS_ENCODING)
            } else {
                let schema = topic.schema();
                let name = topic.schema_name();
                self.writer.add_schema_with_id(topic.id, &name, "jsonschema", schema.as_bytes())?;
                (topic.id, "json")
            };
            self.writer.add_channel_with_id(topic.id, schema, topic.name, encoding, &none)?;
        }
        if self.cameras.is_empty() {
            return Ok(());
        }
        let schema = topics::camera_schema();
        self.writer.add_schema_with_id(
            FIRST_CAMERA,
            CAMERA_SCHEMA,
            "jsonschema",
            schema.as_bytes(),
        )?;
        for (id, camera) in (FIRST_CAMERA..).zip(&self.cameras) {
            let topic = format!("/camera/{camera}");
            self.writer.add_channel_with_id(id, FIRST_CAMERA, &topic, "json", &none)?;
        }
        Ok(())
    }

    /// Writes a message, of this moment of the wall's clock.
    pub(super) fn put(&mut self, topic: &Topic, unix_ns: u64, data: &[u8]) -> io::Result<()> {
        self.put_in(topic.id, unix_ns, data)
    }

    /// Writes words of the law.
    pub(super) fn put_words(&mut self, unix_ns: u64, words: &[u64]) -> io::Result<()> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&LAW, unix_ns, &bytes)
    }

    /// Writes a camera's frame; one of a camera that the file does not know is left out.
    pub(super) fn put_frame(&mut self, camera: &str, unix_ns: u64, data: &[u8]) -> io::Result<()> {
        let known = (FIRST_CAMERA..).zip(&self.cameras).find(|(_, known)| *known == camera);
        match known {
            Some((id, _)) => self.put_in(id, unix_ns, data),
            None => Ok(()),
        }
    }

    fn put_in(&mut self, channel_id: u16, unix_ns: u64, data: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = MessageHeader {
            channel_id,
            sequence: self.sequence,
            log_time: unix_ns,
            publish_time: unix_ns,
        };
        self.writer.write_to_known_channel(&header, data).map_err(io_of)
    }

    /// Whatever was written up to now is on the disk when this returns.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().map_err(io_of)
    }

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Ends the file: with an index, so that viewers need not read all of it to find their way.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.writer.finish().map_err(io_of)?;
        let mut sink = self.writer.into_inner();
        sink.waits = true;
        sink.flush()
    }
}

/// A file that takes over what another one holds, under the same numbers.
pub(super) struct Copy {
    film: Film,
}

impl Copy {
    /// Begins a new file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        let bytes = Arc::default();
        // Until it is finished the one that is copied is there.
        let sink = Sink::new(file, Arc::clone(&bytes), false);
        let writer = options().create(sink).map_err(io_of)?;
        let mut film = Film { writer, bytes, cameras: Vec::new(), sequence: 0 };
        // The chunk that held them may be the one that is damaged.
        film.declare().map_err(io_of)?;
        Ok(Self { film })
    }

    /// Takes over a piece; `false` for one that has no place here.
    pub(super) fn take(&mut self, piece: &Piece<'_>) -> io::Result<bool> {
        let writer = &mut self.film.writer;
        let taken = match piece {
            Piece::About(about) => {
                let about = Metadata { name: ABOUT.into(), metadata: about.clone() };
                writer.write_metadata(&about)
            }
            Piece::Schema { id, name, encoding, data } => {
                writer.add_schema_with_id(*id, name, encoding, data).map(drop)
            }
            Piece::Channel { id, schema, topic, encoding } => writer
                .add_channel_with_id(*id, *schema, topic, encoding, &BTreeMap::new())
                .map(drop),
            Piece::Message { channel, unix_ns, data } => {
                return match self.film.put_in(*channel, *unix_ns, data) {
                    Ok(()) => Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::Other => Ok(false),
                    Err(error) => Err(error),
                };
            }
            Piece::Progress(_) => Ok(()),
        };
        match taken {
            Ok(()) => Ok(true),
            Err(McapError::Io(error)) => Err(error),
            // Of another file's numbers, or of no sense.
            Err(_) => Ok(false),
        }
    }

    /// As [`Film::flush`].
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.film.flush()
    }

    /// As [`Film::finish`].
    pub(super) fn finish(self) -> io::Result<()> {
        self.film.finish()
    }
}
