//! Embeddings into a file, for training.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::{EncoderArguments, unreadable};
use crate::{
    cli::{CliError, Exit},
    encoder::{Embedding, Look, WIDTH},
    picture,
};

#[derive(Debug, Args)]
pub(super) struct EmbedArguments {
    /// A text file with one instruction a line, and behind a tab the file of a picture, for encoders that look; standard
    /// input, if left out.
    file: Option<PathBuf>,
    /// Where the array goes: float32, one row a line.
    #[arg(long, value_name = "FILE.npy")]
    out: PathBuf,
    #[command(flatten)]
    encoder: EncoderArguments,
}

pub(super) fn run(
    arguments: &EmbedArguments,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<Exit, CliError> {
    let lines = match &arguments.file {
        Some(file) => File::open(file).and_then(|file| BufReader::new(file).lines().collect()),
        None => input.lines().collect(),
    };
    let lines: Vec<String> = lines.map_err(|error| unreadable(&arguments.file, &error))?;
    let mut encoder = arguments.encoder.open()?;
    let mut rows = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let wrong =
            |error: &dyn std::fmt::Display| CliError::Words(format!("line {}: {error}", at + 1));
        let (instruction, file) = line.split_once('\t').unzip();
        let image = file.map(|file| picture::open(Path::new(file))).transpose();
        let image = image.map_err(|error| wrong(&error))?;
        let look = Look { instruction: instruction.unwrap_or(line), image: image.as_ref() };
        rows.push(encoder.embed(&look).map_err(|error| wrong(&error))?);
    }
    write(&arguments.out, &rows).map_err(|error| {
        CliError::Words(format!("{}: cannot be written: {error}", arguments.out.display()))
    })?;
    let told = json!({ "rows": rows.len(), "width": WIDTH, "encoder": encoder.identity() });
    writeln!(out, "{told}")?;
    Ok(Exit::Done)
}

/// As NumPy's format 1.0 wants it: a header that ends at a multiple of 64 bytes, then the numbers, row by row.
fn write(file: &Path, rows: &[Embedding]) -> std::io::Result<()> {
    let shape = format!("({}, {WIDTH})", rows.len());
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let width = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut out = BufWriter::new(File::create(file)?);
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&u16::try_from(width).unwrap_or(u16::MAX).to_le_bytes())?;
    writeln!(out, "{header:<rest$}", rest = width - 1)?;
    for number in rows.iter().flat_map(|row| row.iter()) {
        out.write_all(&number.to_le_bytes())?;
    }
    out.flush()
}
