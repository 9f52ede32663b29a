//! What a program shows of itself to a daemon: a certificate, and a key that it signs with.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    KeyError, Signer,
    keys::{private, read},
};

/// A certificate with its key, and whose certificates are believed. Files, as PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The authority that has signed everybody's certificates.
    pub ca: PathBuf,
    /// One's own certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Tls {
    /// Makes relative paths relative to a folder.
    pub fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.ca, &mut self.certificate, &mut self.key] {
            *path = folder.join(&*path);
        }
    }

    /// Whether the files are there and the key is private: what goes wrong with them later is told by nobody.
    ///
    /// # Errors
    /// The first that is not as it should be.
    pub fn check(&self) -> Result<(), KeyError> {
        let remedy = "`reflexctl certs` makes a test PKI: docs/security.md";
        for (file, what, label) in [
            (&self.ca, "certificate", "BEGIN CERTIFICATE"),
            (&self.certificate, "certificate", "BEGIN CERTIFICATE"),
            (&self.key, "private key", "PRIVATE KEY"),
        ] {
            let pem = read(file, remedy)?;
            if !String::from_utf8_lossy(&pem).contains(&format!("{label}-----")) {
                let words = "there is none in it, as PEM".into();
                return Err(KeyError::NoPem { file: file.clone(), what, words });
            }
        }
        private(&self.key)?;
        Ok(())
    }
}

/// Everything that a client shows.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The certificate; without one, only plaintext is spoken.
    pub tls: Option<Tls>,
    /// Signs what is sent; without one, nothing is signed.
    pub signer: Option<Signer>,
}

impl Credentials {
    /// Reads what the paths lead to.
    ///
    /// # Errors
    /// A file that is not there, or not what it should be.
    pub fn load(tls: Option<Tls>, sign_key: Option<&Path>) -> Result<Self, KeyError> {
        if let Some(tls) = &tls {
            tls.check()?;
        }
        Ok(Self { tls, signer: sign_key.map(Signer::load).transpose()? })
    }
}
