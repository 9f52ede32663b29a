//! `[security]`: who may do what, how it is known who speaks, and which heads are used.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ConfigError, DaemonSettings};
use crate::security::{
    Credentials, Gatekeeping, Heads, KeyError, Keyring, Role, Roster, Seal, Signatures, Tls,
    is_name,
};

/// The `[security]` table. Names are common names of certificates, and of signing keys.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecuritySettings {
    /// Who commands.
    pub operators: Vec<String>,
    /// Who decides.
    pub routers: Vec<String>,
    /// Who looks.
    pub viewers: Vec<String>,
    /// Zenoh routers in between.
    pub hops: Vec<String>,
    /// Who signs heads.
    pub trainers: Vec<String>,
    /// Whether messages have to be signed.
    pub signatures: Signatures,
    /// Where the public keys are: `NAME.pub`.
    pub keys: Option<PathBuf>,
    /// Whether heads have to be signed.
    pub heads: Heads,
    /// Where a real robot may be commanded in plaintext.
    pub plaintext: Plaintext,
}

/// Where a real robot may be commanded in plaintext.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Plaintext {
    /// From its own computer only.
    #[default]
    Loopback,
    /// From anywhere: whoever reaches the port commands the robot.
    Anywhere,
}

impl SecuritySettings {
    /// Who is known.
    #[must_use]
    pub fn roster(&self) -> Roster {
        let lists = self.lists().into_iter();
        let each = |(role, _, names): (Role, _, &Vec<String>)| {
            names.iter().map(move |name| (name.clone(), role)).collect::<Vec<_>>()
        };
        Roster::new(lists.flat_map(each).collect())
    }

    fn lists(&self) -> [(Role, &'static str, &Vec<String>); 5] {
        [
            (Role::Operator, "security.operators", &self.operators),
            (Role::Router, "security.routers", &self.routers),
            (Role::Viewer, "security.viewers", &self.viewers),
            (Role::Hop, "security.hops", &self.hops),
            (Role::Trainer, "security.trainers", &self.trainers),
        ]
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(keys) = &mut self.keys {
            *keys = folder.join(&*keys);
        }
    }

    /// Reads the public keys of everybody who signs; without a folder nobody's are known.
    ///
    /// # Errors
    /// A key that is not there.
    pub fn keyring(&self) -> Result<Keyring, KeyError> {
        let Some(keys) = &self.keys else { return Ok(Keyring::default()) };
        Keyring::load(keys, &self.roster())
    }

    /// How it is known who speaks.
    ///
    /// # Errors
    /// A key that is not there.
    pub fn gatekeeping(&self) -> Result<Gatekeeping, KeyError> {
        Ok(Gatekeeping { signatures: self.signatures, keys: self.keyring()? })
    }

    /// Which heads are used.
    ///
    /// # Errors
    /// A key that is not there.
    pub fn seal(&self) -> Result<Seal, KeyError> {
        match self.heads {
            Heads::Any => Ok(Seal::default()),
            Heads::Signed => Ok(Seal::new(Heads::Signed, self.keyring()?)),
        }
    }
}

/// Whether whoever reaches an endpoint commands the robot: it is not encrypted, and not of this computer alone.
#[must_use]
pub fn is_open(endpoint: &str) -> bool {
    let Some((protocol, rest)) = endpoint.split_once('/') else { return true };
    match protocol {
        "tls" | "unixsock-stream" | "unixpipe" | "serial" => false,
        _ => {
            let address = rest.split(['?', '#']).next().unwrap_or_default();
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let is_loopback =
                host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
            !(is_loopback || host == "localhost")
        }
    }
}

/// Whether anything of these endpoints is spoken in TLS.
fn speaks_tls(endpoints: &[String]) -> bool {
    endpoints.iter().any(|endpoint| endpoint.starts_with("tls/"))
}

impl DaemonSettings {
    /// Endpoints at which whoever reaches them commands the robot.
    pub fn open_endpoints(&self) -> impl Iterator<Item = &str> {
        self.zenoh.listen.iter().map(String::as_str).filter(|endpoint| is_open(endpoint))
    }

    /// What anybody should know who starts this.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .open_endpoints()
            .map(|endpoint| {
                format!(
                    "zenoh.listen has {endpoint}: WHOEVER REACHES THAT PORT COMMANDS THE ROBOT, unseen and unencrypted; \
                     use tls/... with [zenoh.tls] and [security]: docs/security.md"
                )
            })
            .collect();
        let relays = self.zenoh.connect.iter().any(|endpoint| is_open(endpoint));
        if relays && self.security.signatures != Signatures::Required {
            warnings.push(
                "zenoh.connect leads to another computer in plaintext: whoever is there, or in between, commands the \
                 robot; use tls/..., and security.signatures = \"required\""
                    .into(),
            );
        }
        if !self.security.hops.is_empty() && self.security.signatures != Signatures::Required {
            warnings.push(
                "security.hops are there, and signatures are not required: what a hop passes on is believed to be from \
                 whoever it says; set security.signatures = \"required\""
                    .into(),
            );
        }
        warnings
    }

    /// Whether a real robot may be driven as this daemon is reached.
    pub(super) fn check_security(&self, file: &Path) -> Result<(), ConfigError> {
        let wrong = |key: &str, value: &dyn std::fmt::Debug, remedy: &str| {
            Err(ConfigError::value(file, key, value, remedy))
        };
        let security = &self.security;
        let mut seen: Vec<&str> = Vec::new();
        for (_, key, names) in security.lists() {
            for name in names {
                if !is_name(name) {
                    let remedy = "1 to 64 of the characters a-z A-Z 0-9 _ - . and no dot in front";
                    return wrong(key, name, remedy);
                }
                if seen.contains(&name.as_str()) {
                    return wrong(
                        key,
                        name,
                        "it stands on another list, or twice: give everybody one role",
                    );
                }
                seen.push(name);
            }
        }
        if self.zenoh.tls.is_none()
            && (speaks_tls(&self.zenoh.listen) || speaks_tls(&self.zenoh.connect))
        {
            let remedy = "a tls/ endpoint wants a [zenoh.tls] table with ca, certificate and key: docs/security.md";
            return wrong("zenoh.tls", &"absent", remedy);
        }
        if self.zenoh.tls.is_some() && security.operators.is_empty() {
            let remedy =
                "with [zenoh.tls] nobody may do anything who is on no list: name who commands";
            return wrong("security.operators", &security.operators, remedy);
        }
        if security.keys.is_none() {
            let remedy = "name the folder with everybody's public keys, NAME.pub; `reflexctl certs` makes one";
            if security.signatures == Signatures::Required || security.heads == Heads::Signed {
                return wrong("security.keys", &"absent", remedy);
            }
        }
        if security.heads == Heads::Signed && security.trainers.is_empty() {
            return wrong("security.trainers", &security.trainers, "name who signs heads");
        }
        if self.backend.is_hardware() {
            self.may_drive_hardware().map_err(|(key, endpoint, remedy)| {
                ConfigError::value(file, key, endpoint, remedy)
            })?;
        }
        Ok(())
    }

    /// Whether a real robot may be driven by whoever reaches this daemon; the key, the endpoint and the remedy, if not.
    ///
    /// # Errors
    /// Why not.
    pub fn may_drive_hardware(&self) -> Result<(), (&'static str, String, &'static str)> {
        let relays = self.zenoh.connect.iter().map(String::as_str).filter(|it| is_open(it));
        let open = self.open_endpoints().map(|endpoint| ("zenoh.listen", endpoint));
        match open.chain(relays.map(|endpoint| ("zenoh.connect", endpoint))).next() {
            Some((key, endpoint)) if self.security.plaintext == Plaintext::Loopback => Err((
                key,
                endpoint.to_owned(),
                "whoever is at the other end would command a real robot: use tls/... (docs/security.md), or 127.0.0.1; or \
                 write security.plaintext = \"anywhere\" and mean it",
            )),
            _ => Ok(()),
        }
    }
}

/// A client's file: what `reflexctl certs` writes for everybody who connects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialsFile {
    /// The robot's name.
    pub robot: Option<String>,
    /// Where its daemon listens.
    pub connect: Option<String>,
    /// The authority that is believed.
    pub ca: Option<PathBuf>,
    /// One's own certificate.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The key that messages are signed with.
    pub sign_key: Option<PathBuf>,
}

impl CredentialsFile {
    /// Reads one.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let mut read: Self = super::parse(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for path in [&mut read.ca, &mut read.certificate, &mut read.key, &mut read.sign_key] {
            *path = path.take().map(|path| folder.join(path));
        }
        Ok(read)
    }
}

/// What a client's command line, or its file, says of who it is.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The authority that is believed.
    pub ca: Option<PathBuf>,
    /// One's own certificate.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The key that messages are signed with.
    pub sign_key: Option<PathBuf>,
}

impl Shown {
    /// These, completed by the credentials' file, or by the one that REFLEX_CREDENTIALS names; and that file.
    ///
    /// # Errors
    /// The file cannot be read, or is none.
    pub fn completed(self, file: Option<&Path>) -> Result<(CredentialsFile, Self), ConfigError> {
        let named = std::env::var_os("REFLEX_CREDENTIALS").filter(|name| !name.is_empty());
        let file = file.map(Path::to_owned).or_else(|| named.map(PathBuf::from));
        let file = file.as_deref().map(CredentialsFile::load).transpose()?.unwrap_or_default();
        let shown = Self {
            ca: self.ca.or_else(|| file.ca.clone()),
            certificate: self.certificate.or_else(|| file.certificate.clone()),
            key: self.key.or_else(|| file.key.clone()),
            sign_key: self.sign_key.or_else(|| file.sign_key.clone()),
        };
        Ok((file, shown))
    }

    /// The credentials; a certificate comes with authority and key, or not at all.
    ///
    /// # Errors
    /// In words: what is missing, or a file that is not what it should be.
    pub fn load(self) -> Result<Credentials, String> {
        let tls = match (self.ca, self.certificate, self.key) {
            (None, None, None) => None,
            (Some(ca), Some(certificate), Some(key)) => Some(Tls { ca, certificate, key }),
            (ca, certificate, key) => {
                let parts = [("ca", ca), ("certificate", certificate), ("key", key)];
                let missing = parts.iter().filter(|(_, path)| path.is_none());
                let missing: Vec<_> = missing.map(|(name, _)| format!("--{name}")).collect();
                return Err(format!(
                    "{} missing: a certificate goes with the authority and its private key",
                    missing.join(" and ")
                ));
            }
        };
        Credentials::load(tls, self.sign_key.as_deref()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_is_what_others_reach_in_plaintext() {
        for open in [
            "tcp/0.0.0.0:7447",
            "tcp/[::]:7447",
            "tcp/robot.local:7447",
            "udp/10.0.0.1:1",
            "tcp",
            "quic/1.2.3.4:5",
        ] {
            assert!(is_open(open), "{open}");
        }
        for shut in [
            "tcp/127.0.0.1:7447",
            "tcp/127.9.9.9:7447",
            "tcp/[::1]:7447",
            "tcp/localhost:7447#iface=lo",
            "tls/0.0.0.0:7447",
            "unixsock-stream//run/x",
        ] {
            assert!(!is_open(shut), "{shut}");
        }
    }
}
