//! Signatures of files, beside them: `FILE.sig`. Of heads' manifests, which carry the digests of everything else, and of
//! the policy registry.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use ed25519_dalek::Signature;
use serde::{Deserialize, Serialize};

use super::{
    Heads, KeyError, Keyring, Role, Signer, from_hexadecimal, keys::read, signature::lengths_first,
};

/// What is appended to the name of a file that is signed.
pub const SIGNATURE_SUFFIX: &str = ".sig";

/// What a signature of a file begins with, so that it is no signature of anything else.
const DOMAIN: &[u8] = b"reflex.file.v1";

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Detached {
    v: u64,
    signer: String,
    signed_at_ms: u64,
    /// Of the file, hexadecimal.
    sha256: String,
    /// 64 bytes, hexadecimal.
    signature: String,
}

impl Detached {
    fn bytes(signer: &str, signed_at_ms: u64, sha256: &str) -> Vec<u8> {
        let at = signed_at_ms.to_be_bytes();
        lengths_first(&[DOMAIN, signer.as_bytes(), &at, sha256.as_bytes()])
    }
}

/// Where the signature of a file lies.
fn beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(SIGNATURE_SUFFIX);
    name.into()
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}; {remedy}", file.display())]
pub struct SealError {
    /// The file that is not used.
    pub file: PathBuf,
    /// Why.
    pub why: String,
    /// What to do.
    pub remedy: String,
}

/// Signs a file of which this is the SHA-256, in hexadecimal; returns where the signature lies.
///
/// # Errors
/// It cannot be written.
pub fn sign_file(file: &Path, sha256: &str, signer: &Signer, now_ms: u64) -> io::Result<PathBuf> {
    let signature = signer.sign_bytes(&Detached::bytes(signer.name(), now_ms, sha256));
    let detached = Detached {
        v: 1,
        signer: signer.name().to_owned(),
        signed_at_ms: now_ms,
        sha256: sha256.to_owned(),
        signature,
    };
    let mut text = serde_json::to_string_pretty(&detached)?;
    text.push('\n');
    let to = beside(file);
    std::fs::write(&to, text)?;
    Ok(to)
}

/// Which files are used.
#[derive(Clone, Debug, Default)]
pub struct Seal {
    heads: Heads,
    keys: Keyring,
}

impl Seal {
    /// Those that the setting wants, signed by these.
    #[must_use]
    pub const fn new(heads: Heads, keys: Keyring) -> Self {
        Self { heads, keys }
    }

    /// Whether a file may be used, whose bytes have this SHA-256, in hexadecimal.
    ///
    /// # Errors
    /// It has to be signed, and is not, or not by a trainer who is known, or was changed since.
    pub fn check(&self, file: &Path, sha256: &str) -> Result<(), SealError> {
        if self.heads == Heads::Any {
            return Ok(());
        }
        let refuse = |why: String, remedy: &str| SealError {
            file: file.to_owned(),
            why,
            remedy: remedy.to_owned(),
        };
        let sign = format!(
            "look at it, then `reflexd head sign {} --key TRAINER.sign.key`; or set security.heads = \"any\"",
            file.display()
        );
        let detached = beside(file);
        let bytes = match read(&detached, "") {
            Ok(bytes) => bytes,
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(refuse("it is not signed".into(), &sign));
            }
            Err(error) => return Err(refuse(error.to_string(), &sign)),
        };
        let signed: Detached = serde_json::from_slice(&bytes)
            .map_err(|error| refuse(format!("{}: {error}", detached.display()), &sign))?;
        let named = || format!("{} says that {:?} signed it", detached.display(), signed.signer);
        if self.keys.role(&signed.signer) != Some(Role::Trainer) {
            let remedy =
                "if that is somebody to be trusted with heads, put the name on security.trainers";
            return Err(refuse(format!("{}, who is no trainer", named()), remedy));
        }
        let verified = from_hexadecimal::<64>(&signed.signature)
            .zip(self.keys.key(&signed.signer))
            .is_some_and(|(signature, key)| {
                let bytes = Detached::bytes(&signed.signer, signed.signed_at_ms, sha256);
                let is_it = signed.v == 1 && signed.sha256 == sha256;
                is_it && key.verify_strict(&bytes, &Signature::from_bytes(&signature)).is_ok()
            });
        if !verified {
            let why = format!("{}, but the signature is not of this file", named());
            return Err(refuse(why, &format!("it was changed since, or replaced: {sign}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_is_the_one_that_a_trainer_signed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("head.toml");
        let (tina, ada) = (
            Signer::from_seed("trainer-tina", &[1; 32]),
            Signer::from_seed("operator-ada", &[2; 32]),
        );
        let keys = Keyring::of(&[(&tina, Role::Trainer), (&ada, Role::Operator)]);
        let seal = Seal::new(Heads::Signed, keys.clone());
        let (good, other) = ("a".repeat(64), "b".repeat(64));
        let why = |sha256: &str| seal.check(&file, sha256).expect_err("refused").to_string();
        assert!(why(&good).contains("not signed") && why(&good).contains("reflexd head sign"));
        sign_file(&file, &good, &tina, 5).expect("writable");
        assert!(seal.check(&file, &good).is_ok());
        assert!(why(&other).contains("not of this file"), "{}", why(&other));
        let sig = folder.path().join("head.toml.sig");
        let text = std::fs::read_to_string(&sig).expect("it was written");
        std::fs::write(&sig, text.replace(&good, &other)).expect("writable");
        assert!(why(&other).contains("not of this file"), "the digest is signed, not only told");
        sign_file(&file, &good, &ada, 5).expect("writable");
        assert!(why(&good).contains("no trainer"), "{}", why(&good));
        let eve = Signer::from_seed("trainer-tina", &[3; 32]);
        sign_file(&file, &good, &eve, 5).expect("writable");
        assert!(why(&good).contains("not of this file"));
        std::fs::write(&sig, "{}").expect("writable");
        assert!(why(&good).contains("missing field"));
        assert!(Seal::new(Heads::Any, keys).check(&file, &other).is_ok());
    }
}
