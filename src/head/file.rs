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

/// An ONNX file whose digest is the manifest's. There is no other way to make one.
pub(super) struct Network {
    bytes: Vec<u8>,
    digest: HeadDigest,
}

impl Network {
    /// Reads the file that a manifest names. The digest is taken of the very bytes that will be run, not of the file a
    /// second time: it may change in between.
    pub(super) fn read(manifest: &Manifest) -> Result<Self, HeadError> {
        let onnx = manifest.onnx_path();
        let bytes = read(&onnx, ONNX_MAX_BYTES).map_err(|source| HeadError::File {
            file: manifest.path().to_path_buf(),
            key: "onnx",
            value: onnx.display().to_string(),
            source,
            remedy: "put the file beside the manifest, or correct its name",
        })?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let found = hexadecimal(&digest);
        if !found.eq_ignore_ascii_case(&manifest.sha256) {
            return Err(HeadError::WrongDigest {
                file: manifest.path().to_path_buf(),
                onnx,
                wanted: manifest.sha256.clone(),
                found,
            });
        }
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
