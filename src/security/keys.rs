//! Signing keys as files: one's own, private; everybody's, public, by name and role.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes, spki,
    },
};

use super::{
    Role, Roster, Signed, Signer, is_name,
    signature::{Bad, Content},
};

/// A key's file has some hundred bytes.
const BYTES_MAX: u64 = 16 << 10;

/// Why a key is not there.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{}: {source}; {remedy}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
        /// What to do.
        remedy: String,
    },
    /// It is no key.
    #[error("{}: no Ed25519 {what}: {words}; `reflexctl certs` makes them, as does `openssl genpkey -algorithm ed25519`", file.display())]
    NoKey {
        /// Which file.
        file: PathBuf,
        /// Which kind was wanted.
        what: &'static str,
        /// The decoder's words.
        words: String,
    },
    /// A file of TLS is none.
    #[error("{}: no {what}: {words}; `reflexctl certs` makes a test PKI: docs/security.md", file.display())]
    NoPem {
        /// Which file.
        file: PathBuf,
        /// Which kind was wanted.
        what: &'static str,
        /// What is wrong.
        words: String,
    },
    /// Others may read it.
    #[error("{}: others may read this private key (mode {mode:o}): chmod 600 {}", file.display(), file.display())]
    Open {
        /// Which file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file's name is the signer's.
    #[error("{}: the file's name has to be the signer's, such as operator-ada.sign.key", file.display())]
    Name {
        /// Which file.
        file: PathBuf,
    },
}

/// Reads a small file.
pub(super) fn read(file: &Path, remedy: &str) -> Result<Vec<u8>, KeyError> {
    use io::Read;
    let wrong =
        |source| KeyError::File { file: file.to_owned(), source, remedy: remedy.to_owned() };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(wrong)?;
    opened.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(wrong(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 KiB")));
    }
    Ok(bytes)
}

/// Refuses a private file that others may read.
pub(super) fn private(file: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(file).map_err(|source| KeyError::File {
        file: file.to_owned(),
        source,
        remedy: "check the path".into(),
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { file: file.to_owned(), mode });
    }
    Ok(())
}

impl Signer {
    /// Reads a private key, PKCS#8 as PEM. The file's name, without its ending, is the signer's.
    ///
    /// # Errors
    /// A file that is not there, is no key, or that others may read.
    pub fn load(file: &Path) -> Result<Self, KeyError> {
        private(file)?;
        let bytes = read(file, "check the path")?;
        let no_key =
            |words: String| KeyError::NoKey { file: file.to_owned(), what: "private key", words };
        let text = String::from_utf8(bytes).map_err(|error| no_key(error.to_string()))?;
        let key = SigningKey::from_pkcs8_pem(&text).map_err(|error| no_key(error.to_string()))?;
        let name = file.file_stem().and_then(|stem| stem.to_str()).filter(|stem| is_name(stem));
        // `operator-ada.sign.key` is a signing key beside a certificate's `operator-ada.key`.
        let name = name.map(|name| name.strip_suffix(".sign").unwrap_or(name));
        let name = name.ok_or_else(|| KeyError::Name { file: file.to_owned() })?;
        Ok(Self::new(name.to_owned(), key))
    }

    /// A signer from its secret.
    #[must_use]
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Self {
        Self::new(name.to_owned(), SigningKey::from_bytes(seed))
    }
}

/// A new key pair as PEM, private (PKCS#8 that every reader understands) and public (SPKI).
pub(super) fn pair(seed: [u8; 32]) -> Result<(String, String), String> {
    let public = SigningKey::from_bytes(&seed).verifying_key();
    let line = spki::der::pem::LineEnding::LF;
    // Without the public half: OpenSSL does not read the newer form of PKCS#8.
    let private = KeypairBytes { secret_key: seed, public_key: None };
    let private = private.to_pkcs8_pem(line).map_err(|error| error.to_string())?;
    let public = public.to_public_key_pem(line).map_err(|error| error.to_string())?;
    Ok((private.to_string(), public))
}

/// Whose signatures are known: public keys by name, each with its role. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: Arc<BTreeMap<String, (Role, VerifyingKey)>>,
}

impl Keyring {
    /// Reads `NAME.pub` in a folder for everybody on the roster who signs.
    ///
    /// # Errors
    /// A key that is not there or is none.
    pub fn load(folder: &Path, roster: &Roster) -> Result<Self, KeyError> {
        let mut keys = BTreeMap::new();
        for (name, role) in roster.members().filter(|(_, role)| role.signs()) {
            let file = folder.join(format!("{name}.pub"));
            let remedy =
                format!("put the public key of {name:?} there, or take the name off its list");
            let no_key =
                |words: String| KeyError::NoKey { file: file.clone(), what: "public key", words };
            let text = String::from_utf8(read(&file, &remedy)?)
                .map_err(|error| no_key(error.to_string()))?;
            let key = VerifyingKey::from_public_key_pem(&text)
                .map_err(|error| no_key(error.to_string()))?;
            if key.is_weak() {
                return Err(no_key("anybody could sign by it".into()));
            }
            keys.insert(name.to_owned(), (role, key));
        }
        Ok(Self { keys: Arc::new(keys) })
    }

    /// One of these signers.
    #[must_use]
    pub fn of(signers: &[(&Signer, Role)]) -> Self {
        let known =
            |(signer, role): &(&Signer, Role)| (signer.name().to_owned(), (*role, signer.public()));
        Self { keys: Arc::new(signers.iter().map(known).collect()) }
    }

    /// The role of a signer.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<Role> {
        self.keys.get(name).map(|(role, _)| *role)
    }

    /// Whether nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn key(&self, name: &str) -> Option<&VerifyingKey> {
        self.keys.get(name).map(|(_, key)| key)
    }

    /// Whether a message is the one that its signer signed. The costly part: some hundred thousand instructions.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(
        &self,
        signed: &Signed,
        (robot, key): (&str, &str),
        payload: &[u8],
    ) -> Result<(), Bad> {
        let by =
            self.key(signed.signer()).ok_or_else(|| Bad::Unknown(signed.signer().to_owned()))?;
        let said = signed.said().unwrap_or_default();
        signed.verify(by, &Content { robot, key, payload, said })
    }
}
