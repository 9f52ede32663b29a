//! Who may do what, and how it is known who speaks. Knows no zenoh.
//!
//! ```text
//!   a certificate's common name ──► zenoh's access control ──┐
//!                                                            ├──► role ──► what may be sent (src/wire/access.rs)
//!   a signature's signer ─────────► the key of that name ────┘
//! ```
//!
//! Certificates say who holds the other end of a connection; signatures say who wrote a message, however many hands it
//! went through. Names are the same in both.

mod certificates;
mod credentials;
mod detached;
mod keys;
mod nonces;
mod signature;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use certificates::{Made, PkiError, TestPki};
pub use credentials::{Credentials, Tls};
pub use detached::{SIGNATURE_SUFFIX, Seal, SealError, sign_file};
pub use keys::{KeyError, Keyring};
pub use nonces::Nonces;
pub use signature::{Bad, LIFETIME_MS_MAX, Signed, Signer, TTL_MS, bytes_to_sign};

/// What somebody is to a robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Commands it.
    Operator,
    /// Decides what of its skills is to be done.
    Router,
    /// Looks, and may stop it.
    Viewer,
    /// A zenoh router in between: passes on what others send, and has to keep the same rules itself.
    Hop,
    /// Signs heads. Has no business on the network.
    Trainer,
}

impl Role {
    /// Every one, in the order of the documentation.
    pub const ALL: [Self; 5] =
        [Self::Operator, Self::Router, Self::Viewer, Self::Hop, Self::Trainer];

    /// Its name in files, and at the beginning of common names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Router => "router",
            Self::Viewer => "viewer",
            Self::Hop => "hop",
            Self::Trainer => "trainer",
        }
    }

    /// Whether it signs messages or files: it needs a signing key.
    #[must_use]
    pub const fn signs(self) -> bool {
        matches!(self, Self::Operator | Self::Router | Self::Trainer)
    }

    /// Whether it connects to a robot: it needs a certificate.
    #[must_use]
    pub const fn connects(self) -> bool {
        !matches!(self, Self::Trainer)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who is known, by role: common names of certificates, which are the names of signing keys too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    members: Vec<(String, Role)>,
}

impl Roster {
    /// A roster of these; of two roles for one name the first counts, so do not give it two.
    #[must_use]
    pub fn new(members: Vec<(String, Role)>) -> Self {
        Self { members }
    }

    /// The role of a name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<Role> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, role)| *role)
    }

    /// The names that have a role.
    pub fn with(&self, role: Role) -> impl Iterator<Item = &str> {
        self.members.iter().filter(move |(_, its)| *its == role).map(|(name, _)| name.as_str())
    }

    /// Everybody.
    pub fn members(&self) -> impl Iterator<Item = (&str, Role)> {
        self.members.iter().map(|(name, role)| (name.as_str(), *role))
    }

    /// Whether nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// Whether messages have to be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signatures {
    /// One that is there has to be right; who has a key is believed only with it.
    #[default]
    Optional,
    /// Nothing but an e-stop is taken without one.
    Required,
}

/// Whether heads have to be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Heads {
    /// Any head that is what its manifest says.
    #[default]
    Any,
    /// Only heads, and a registry, that a trainer has signed.
    Signed,
}

/// How a daemon knows who speaks.
#[derive(Clone, Debug, Default)]
pub struct Gatekeeping {
    /// Whether messages have to be signed.
    pub signatures: Signatures,
    /// Whose signatures are known.
    pub keys: Keyring,
}

/// A name that may be a common name, a file's name, a part of a key and of an audit trail, where `@` stands before a session.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.')
}

/// The wall's clock, ms since 1970: what two computers can agree about.
#[must_use]
pub fn wall_clock_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Bytes that nobody can guess.
///
/// # Errors
/// The system has none to give.
pub fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
    Ok(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly so many bytes, of lower-case hexadecimal digits.
fn from_hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths() {
        for good in ["operator-ada", "ada.lab_1", "A1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "..", ".hidden", "a/b", "a\\b", "a\nb", "a@b", "a b", "é", &"x".repeat(65)]
        {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn hexadecimal_goes_both_ways_and_has_one_spelling() {
        assert_eq!(from_hexadecimal::<2>(&hexadecimal(&[0, 0xaf])), Some([0, 0xaf]));
        for bad in ["00AF", "00a", "00afff", "00ag", "é0a"] {
            assert_eq!(from_hexadecimal::<2>(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_roster_knows_each_by_one_role() {
        let roster = Roster::new(vec![("a".into(), Role::Operator), ("b".into(), Role::Viewer)]);
        assert_eq!((roster.role("a"), roster.role("c")), (Some(Role::Operator), None));
        assert_eq!(roster.with(Role::Viewer).collect::<Vec<_>>(), ["b"]);
    }
}
