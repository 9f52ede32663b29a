//! A PKI for tests and first steps: one authority, a certificate for everybody who connects, a key for everybody who signs.
//! The authority's key lies beside the rest, which no real one's may.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde::Serialize;

use super::{Role, is_name, keys, random};

/// What an authority of ours is called, for whoever finds it in a place where it should not be.
const AUTHORITY: &str = "reflexd TEST authority, not for production";
/// Clocks that are behind by less than this see a new certificate as good.
const BEFORE_S: u64 = 3600;

/// What is wanted of a test PKI.
#[derive(Clone, Debug)]
pub struct TestPki {
    /// Where it lies.
    pub folder: PathBuf,
    /// The robot.
    pub robot: String,
    /// The names and addresses that its certificate is good for.
    pub hosts: Vec<String>,
    /// Who else gets something: common names, each with its role.
    pub members: Vec<(String, Role)>,
    /// How long certificates are good.
    pub days: u32,
    /// Whether files that are there are written anew, the authority's too.
    pub force: bool,
    /// Now, ms since 1970.
    pub now_ms: u64,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The file.
    pub file: PathBuf,
    /// What it is.
    pub what: String,
    /// Whether nobody else may read it.
    pub private: bool,
}

/// Why there is no PKI.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file is there already.
    #[error("{}: it is there already; nothing was written: choose another --out or name, or --force, which makes everything anew", .0.display())]
    Exists(PathBuf),
    /// A name that is none.
    #[error(
        "{0:?}: a name has 1 to 64 of the characters a-z A-Z 0-9 _ - . and does not begin with a dot"
    )]
    Name(String),
    /// The same name twice.
    #[error("{0:?} is given twice: give everybody one name and one role")]
    Twice(String),
    /// The disk.
    #[error("{}: {source}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The cryptography.
    #[error("{what}: {words}")]
    Crypto {
        /// What was made.
        what: String,
        /// The library's words.
        words: String,
    },
}

/// What is to be written.
struct Planned {
    made: Made,
    text: String,
}

impl TestPki {
    /// Makes it; nothing is written where anything is in the way.
    ///
    /// # Errors
    /// What was in the way.
    pub fn make(&self) -> Result<Vec<Made>, PkiError> {
        let mut names: Vec<&str> = vec![&self.robot];
        for (name, _) in &self.members {
            if names.contains(&name.as_str()) {
                return Err(PkiError::Twice(name.clone()));
            }
            names.push(name);
        }
        if let Some(bad) = names.iter().find(|name| !is_name(name)) {
            return Err(PkiError::Name((*bad).to_owned()));
        }
        let authority_key = self.folder.join("ca.key");
        let extends = !self.force && authority_key.exists();
        let mut planned = Vec::new();
        let issuer =
            if extends { self.known(&authority_key)? } else { self.authority(&mut planned)? };
        let robot = format!("robot-{}", self.robot);
        if !(extends && self.folder.join(format!("{robot}.pem")).exists()) {
            let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            self.certificate(&robot, &self.hosts, &both, &issuer, &mut planned)?;
        }
        for (name, role) in &self.members {
            self.member(name, *role, &issuer, &mut planned)?;
        }
        let taken = planned.iter().find(|planned| planned.made.file.exists());
        if let Some(taken) = taken.filter(|_| !self.force) {
            return Err(PkiError::Exists(taken.made.file.clone()));
        }
        let folders = [self.folder.clone(), self.folder.join("keys")];
        for folder in folders {
            let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&folder);
            made.map_err(|source| PkiError::File { file: folder.clone(), source })?;
        }
        for Planned { made, text } in &planned {
            write(&made.file, text, made.private)
                .map_err(|source| PkiError::File { file: made.file.clone(), source })?;
        }
        Ok(planned.into_iter().map(|planned| planned.made).collect())
    }

    fn member(
        &self,
        name: &str,
        role: Role,
        issuer: &Issuer<'_, KeyPair>,
        planned: &mut Vec<Planned>,
    ) -> Result<(), PkiError> {
        match role {
            Role::Hop => {
                let both =
                    [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
                self.certificate(name, &self.hosts, &both, issuer, planned)?;
            }
            role if role.connects() => {
                let client = [ExtendedKeyUsagePurpose::ClientAuth];
                self.certificate(name, &[], &client, issuer, planned)?;
            }
            _ => {}
        }
        if role.signs() {
            let made = random().map_err(|error| error.to_string()).and_then(keys::pair);
            let (private, public) = made.map_err(|words| crypto(name, words))?;
            let what = format!("{name} signs with it");
            self.plan(format!("{name}.sign.key"), what, true, private, planned);
            let what = format!("{name}'s signatures are known by it");
            self.plan(format!("keys/{name}.pub"), what, false, public, planned);
        }
        if role.connects() && role != Role::Hop {
            let sign = if role.signs() {
                format!("sign_key = \"{name}.sign.key\"\n")
            } else {
                String::new()
            };
            let host = self.hosts.first().map_or("localhost", String::as_str);
            // An address of version 6 stands in brackets before a port.
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            let text = format!(
                "# Who you are to the robot: reflexctl --credentials {name}.toml ...\nrobot = \"{}\"\n\
                 connect = \"tls/{host}:7447\"\nca = \"ca.pem\"\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n{sign}",
                self.robot
            );
            let what = format!("reflexctl --credentials, for {name}");
            self.plan(format!("{name}.toml"), what, false, text, planned);
        }
        Ok(())
    }

    fn plan(
        &self,
        file: String,
        what: String,
        private: bool,
        text: String,
        planned: &mut Vec<Planned>,
    ) {
        let made = Made { file: self.folder.join(file), what, private };
        planned.push(Planned { made, text });
    }

    /// Parameters that all of ours have.
    fn params(&self, name: &str, hosts: &[String]) -> Result<CertificateParams, PkiError> {
        let mut params = CertificateParams::new(hosts).map_err(|error| crypto(name, error))?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let now = Duration::from_secs(self.now_ms / 1000);
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + now.saturating_sub(Duration::from_secs(BEFORE_S));
        params.not_after = epoch + now + Duration::from_secs(u64::from(self.days) * 86_400);
        Ok(params)
    }

    fn authority_params(&self) -> Result<CertificateParams, PkiError> {
        let mut params = self.params(AUTHORITY, &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(params)
    }

    fn authority(&self, planned: &mut Vec<Planned>) -> Result<Issuer<'static, KeyPair>, PkiError> {
        let wrong = |error: rcgen::Error| crypto("the authority", error);
        let key = KeyPair::generate().map_err(wrong)?;
        let params = self.authority_params()?;
        let certificate = params.self_signed(&key).map_err(wrong)?;
        let what = "the authority that everybody believes".into();
        self.plan("ca.pem".into(), what, false, certificate.pem(), planned);
        let what = "makes certificates: who has it can be anybody".into();
        self.plan("ca.key".into(), what, true, key.serialize_pem(), planned);
        Ok(Issuer::new(params, key))
    }

    /// The authority that is there already.
    fn known(&self, key: &Path) -> Result<Issuer<'static, KeyPair>, PkiError> {
        let text = fs::read_to_string(key)
            .map_err(|source| PkiError::File { file: key.to_owned(), source })?;
        let pair = KeyPair::from_pem(&text).map_err(|error| crypto("ca.key", error))?;
        // Its certificate is one of ours, so its parameters are those that we make.
        Ok(Issuer::new(self.authority_params()?, pair))
    }

    fn certificate(
        &self,
        name: &str,
        hosts: &[String],
        usages: &[ExtendedKeyUsagePurpose],
        issuer: &Issuer<'_, KeyPair>,
        planned: &mut Vec<Planned>,
    ) -> Result<(), PkiError> {
        let wrong = |error: rcgen::Error| crypto(name, error);
        let key = KeyPair::generate().map_err(wrong)?;
        let mut params = self.params(name, hosts)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages.to_vec();
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, issuer).map_err(wrong)?;
        let what = format!("certificate of {name}");
        self.plan(format!("{name}.pem"), what, false, certificate.pem(), planned);
        let what = format!("private key of {name}'s certificate");
        self.plan(format!("{name}.key"), what, true, key.serialize_pem(), planned);
        Ok(())
    }
}

fn crypto(what: &str, words: impl ToString) -> PkiError {
    PkiError::Crypto { what: what.to_owned(), words: words.to_string() }
}

/// Writes a file that nobody could read in between.
fn write(file: &Path, text: &str, private: bool) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mode = if private { 0o600 } else { 0o644 };
    let mut to = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
    to.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{Credentials, Keyring, Roster, Tls};
    use std::os::unix::fs::PermissionsExt;

    fn pki(folder: &Path) -> TestPki {
        TestPki {
            folder: folder.to_owned(),
            robot: "piper".into(),
            hosts: vec!["localhost".into(), "127.0.0.1".into(), "::1".into()],
            members: vec![
                ("operator-ada".into(), Role::Operator),
                ("viewer-wall".into(), Role::Viewer),
                ("trainer-tina".into(), Role::Trainer),
                ("hop-lab".into(), Role::Hop),
            ],
            days: 30,
            force: false,
            now_ms: 1_800_000_000_000,
        }
    }

    #[test]
    fn everybody_gets_what_the_role_needs_and_private_files_are_private() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = pki(folder.path()).make().expect("made");
        for Made { file, private, .. } in &made {
            let mode = fs::metadata(file).expect("it was made").permissions().mode() & 0o777;
            assert_eq!(mode, if *private { 0o600 } else { 0o644 }, "{}", file.display());
            let name = file.display().to_string();
            assert_eq!(*private, name.ends_with(".key"), "{name}");
        }
        let there = |name: &str| folder.path().join(name).exists();
        assert!(there("operator-ada.pem") && there("operator-ada.sign.key") && there("ca.pem"));
        assert!(there("keys/trainer-tina.pub") && !there("trainer-tina.pem"));
        assert!(there("hop-lab.pem") && !there("keys/hop-lab.pub") && !there("hop-lab.toml"));
        assert!(!there("viewer-wall.sign.key") && there("viewer-wall.toml"));
        let roster = Roster::new(pki(folder.path()).members);
        let ring = Keyring::load(&folder.path().join("keys"), &roster).expect("whole");
        assert_eq!(ring.role("operator-ada"), Some(Role::Operator));
        let file = |name: &str| folder.path().join(name);
        let tls = Tls {
            ca: file("ca.pem"),
            certificate: file("operator-ada.pem"),
            key: file("operator-ada.key"),
        };
        let shown = Credentials::load(Some(tls), Some(&file("operator-ada.sign.key")));
        assert_eq!(
            shown.expect("sound").signer.map(|it| it.name().to_owned()).as_deref(),
            Some("operator-ada")
        );
    }

    #[test]
    fn nothing_is_overwritten_and_more_people_can_come() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = pki(folder.path());
        first.make().expect("made");
        let authority = fs::read(folder.path().join("ca.pem")).expect("made");
        assert!(matches!(first.make(), Err(PkiError::Exists(_))));
        let mut more = pki(folder.path());
        more.members = vec![("operator-bob".into(), Role::Operator)];
        let made = more.make().expect("made");
        assert!(
            made.iter().all(|made| made.file.display().to_string().contains("bob")),
            "{made:?}"
        );
        assert_eq!(fs::read(folder.path().join("ca.pem")).expect("made"), authority);
        let anew = TestPki { force: true, ..first };
        anew.make().expect("made");
        assert_ne!(fs::read(folder.path().join("ca.pem")).expect("made"), authority);
    }

    #[test]
    fn names_are_names_and_stand_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let with = |members| TestPki { members, ..pki(folder.path()) }.make();
        let twice = vec![("a".into(), Role::Operator), ("a".into(), Role::Viewer)];
        assert!(matches!(with(twice), Err(PkiError::Twice(_))));
        assert!(matches!(with(vec![("a/b".into(), Role::Viewer)]), Err(PkiError::Name(_))));
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0, "nothing was written");
    }

    #[test]
    fn a_private_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        pki(folder.path()).make().expect("made");
        let key = folder.path().join("operator-ada.sign.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("ours");
        let refused = Credentials::load(None, Some(&key)).expect_err("refused").to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
