//! Files with a limit, and a network that is the one its manifest means.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use motion::HeadDigest;
use sha2::{Digest, Sha256};

use super::{HeadError, Manifest};

/// Largest network in bytes: whatever is bigger does not answer within a tick on a robot's computer.
const ONNX_MAX_BYTES: u64 = 1 << 30;

/// Largest map of tokens or tokenizer in bytes: those of the largest language models have a quarter of it.
const TOKENS_MAX_BYTES: u64 = 64 << 20;

/// The bytes of a file that has at most `max_bytes`.
pub(super) fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let message = format!("larger than {max_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The digest of some bytes, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes and the digest of a file beside a manifest, which is named under a key with the digest that it must have. The
/// digest is taken of the very bytes that will be used, not of the file a second time: it may change in between.
fn read_proved(
    manifest: &Manifest,
    (key, path): (&'static str, &Path),
    sha256: &str,
    max_bytes: u64,
) -> Result<(Vec<u8>, [u8; 32]), HeadError> {
    let path = manifest.beside(path);
    let bytes = read(&path, max_bytes).map_err(|source| HeadError::File {
        file: manifest.path().to_path_buf(),
        key,
        value: path.display().to_string(),
        source,
        remedy: "put the file beside the manifest, or correct its name",
    })?;
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    let found = hexadecimal(&digest);
    if !found.eq_ignore_ascii_case(sha256) {
        return Err(HeadError::WrongDigest {
            file: manifest.path().to_path_buf(),
            found_in: path,
            wanted: sha256.to_owned(),
            found,
        });
    }
    Ok((bytes, digest))
}

/// A map of tokens, or a tokenizer.
pub(super) fn read_tokens(
    manifest: &Manifest,
    path: &Path,
    sha256: &str,
) -> Result<Vec<u8>, HeadError> {
    let named = ("output.tokens.file", path);
    read_proved(manifest, named, sha256, TOKENS_MAX_BYTES).map(|(bytes, _)| bytes)
}

/// The SHA-256 of a network, in hexadecimal, as a manifest has it.
#[must_use]
pub fn digest_of(network: &[u8]) -> String {
    sha256(network)
}

/// The SHA-256 of a file that may be too large to be held, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn digest_of_file(path: &Path) -> io::Result<String> {
    let (mut file, mut digest) = (File::open(path)?, Sha256::new());
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(hexadecimal(&digest.finalize())),
            Ok(read) => digest.update(&block[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// An ONNX file whose digest is the manifest's. There is no other way to make one.
pub(super) struct Network {
    bytes: Vec<u8>,
    digest: HeadDigest,
}

impl Network {
    /// Reads the file that a manifest names.
    pub(super) fn read(manifest: &Manifest) -> Result<Self, HeadError> {
        let named = ("onnx", manifest.onnx.as_path());
        let (bytes, digest) = read_proved(manifest, named, &manifest.sha256, ONNX_MAX_BYTES)?;
        let [a, b, c, d, e, f, g, h, ..] = digest;
        let digest = HeadDigest(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        Ok(Self { bytes, digest })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn digest(&self) -> HeadDigest {
        self.digest
    }
}
