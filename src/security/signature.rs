//! Signatures of messages: who wrote this, for which robot and key, once, and not later than.
//!
//! What is signed is a list of byte strings, each after its length as four bytes, most significant first; numbers are
//! eight bytes, likewise. Nothing of it can be read in two ways, and nothing that is signed for one purpose is valid for
//! another:
//!
//! ```text
//!   "reflex.signed.v1"  robot  key  signer  payload  said  nonce  issued_at_ms  expires_at_ms
//! ```

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::{from_hexadecimal, hexadecimal, is_name};

/// What a signature of a message begins with, so that it is no signature of anything else.
const DOMAIN: &[u8] = b"reflex.signed.v1";
/// Longest time from now to a signature's end, ms.
pub const LIFETIME_MS_MAX: u64 = 10_000;
/// How long a signature of ours is good, ms: a slow network, and clocks that are a little apart.
pub const TTL_MS: u64 = 5_000;
/// The longest attachment that is read: a signature and what is said with an embedding.
const ATTACHMENT_BYTES_MAX: usize = 64 << 10;

/// Why a signature is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// It is none.
    #[error("the signature is not understood: {0}")]
    NotUnderstood(String),
    /// Nobody knows the signer.
    #[error(
        "{0:?} is no signer that is known here: put the public key into security.keys, and the name on its list"
    )]
    Unknown(String),
    /// It is somebody else's, or of other bytes.
    #[error("the signature is not {0}'s, or the message is not the one that was signed")]
    Wrong(String),
    /// Its time is over.
    #[error(
        "the signature ended {0} ms ago by this daemon's clock: compare the clocks, then sign anew"
    )]
    Over(u64),
    /// It is good for too long.
    #[error(
        "the signature is good for {0} ms from now; at most {1}: compare the clocks, and sign for less"
    )]
    TooLong(u64, u64),
    /// It was issued before this daemon started.
    #[error("the signature was issued {0} ms before this daemon started: sign anew")]
    BeforeStart(u64),
    /// It has been seen.
    #[error("the signature was used before: each message is signed once")]
    Replayed,
    /// Too many are alive.
    #[error("too many signatures at once: try again")]
    TooMany,
}

/// A signature as it goes with a message, in the attachment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// 1.
    v: u64,
    /// Who signs.
    signer: String,
    /// 16 bytes, hexadecimal: never the same twice.
    nonce: String,
    issued_at_ms: u64,
    expires_at_ms: u64,
    /// 64 bytes, hexadecimal.
    signature: String,
    /// What would be the attachment of an unsigned message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<String>,
}

/// What a message is, apart from who signs it and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) robot: &'a str,
    /// The full key.
    pub(super) key: &'a str,
    pub(super) payload: &'a [u8],
    pub(super) said: &'a str,
}

/// The bytes of a list of byte strings.
pub(super) fn lengths_first(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        // Nothing that is signed comes near to 4 GiB: messages are measured before they are read.
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

/// The bytes that a signature of a message is of.
#[must_use]
pub fn bytes_to_sign(
    (robot, key): (&str, &str),
    signer: &str,
    (payload, said): (&[u8], &str),
    nonce: &[u8; 16],
    (issued_at_ms, expires_at_ms): (u64, u64),
) -> Vec<u8> {
    lengths_first(&[
        DOMAIN,
        robot.as_bytes(),
        key.as_bytes(),
        signer.as_bytes(),
        payload,
        said.as_bytes(),
        nonce,
        &issued_at_ms.to_be_bytes(),
        &expires_at_ms.to_be_bytes(),
    ])
}

impl Signed {
    /// The signature in an attachment; nothing if there is none in it.
    ///
    /// # Errors
    /// There is one, and it makes no sense.
    pub fn read(attachment: &[u8]) -> Option<Result<Self, Bad>> {
        #[derive(Deserialize)]
        struct Glance {
            #[serde(default)]
            signature: Option<serde::de::IgnoredAny>,
        }
        if attachment.len() > ATTACHMENT_BYTES_MAX {
            let words = format!("{} bytes; at most {ATTACHMENT_BYTES_MAX}", attachment.len());
            return Some(Err(Bad::NotUnderstood(words)));
        }
        // Other attachments are no business of ours.
        serde_json::from_slice::<Glance>(attachment).ok()?.signature?;
        let read = serde_json::from_slice::<Self>(attachment);
        let signed = match read {
            Ok(signed) => signed,
            Err(error) => return Some(Err(Bad::NotUnderstood(error.to_string()))),
        };
        let sound = if signed.v == 1 && is_name(&signed.signer) {
            Ok(signed)
        } else {
            Err(Bad::NotUnderstood("v has to be 1, and signer a name".into()))
        };
        Some(sound)
    }

    /// Who says to have signed.
    #[must_use]
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// What would be the attachment of an unsigned message.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// The nonce, and when it may be forgotten.
    pub(super) fn once(&self) -> Result<([u8; 16], u64), Bad> {
        let nonce = from_hexadecimal(&self.nonce).ok_or_else(|| {
            Bad::NotUnderstood("nonce has to be 32 hexadecimal digits, in lower case".into())
        })?;
        Ok((nonce, self.expires_at_ms))
    }

    /// Whether its time is now.
    pub(super) fn is_timely(
        &self,
        now_ms: u64,
        started_ms: u64,
        longest_ms: u64,
    ) -> Result<(), Bad> {
        if self.expires_at_ms <= now_ms {
            return Err(Bad::Over(now_ms - self.expires_at_ms));
        }
        let left = self.expires_at_ms - now_ms;
        if left > longest_ms {
            return Err(Bad::TooLong(left, longest_ms));
        }
        if self.issued_at_ms < started_ms {
            return Err(Bad::BeforeStart(started_ms - self.issued_at_ms));
        }
        Ok(())
    }

    /// Whether it is of this message, by whoever has this key.
    pub(super) fn verify(&self, key: &VerifyingKey, content: &Content<'_>) -> Result<(), Bad> {
        let (nonce, _) = self.once()?;
        let signature = from_hexadecimal::<64>(&self.signature).ok_or_else(|| {
            Bad::NotUnderstood("signature has to be 128 hexadecimal digits, in lower case".into())
        })?;
        let bytes = bytes_to_sign(
            (content.robot, content.key),
            &self.signer,
            (content.payload, content.said),
            &nonce,
            (self.issued_at_ms, self.expires_at_ms),
        );
        // Strictly: of several spellings of one signature only one is taken.
        key.verify_strict(&bytes, &Signature::from_bytes(&signature))
            .map_err(|_| Bad::Wrong(self.signer.clone()))
    }
}

/// Signs messages by a name.
#[derive(Clone)]
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.name)
    }
}

impl Signer {
    pub(super) const fn new(name: String, key: SigningKey) -> Self {
        Self { name, key }
    }

    /// Whose signatures these are.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn public(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    pub(super) fn sign_bytes(&self, bytes: &[u8]) -> String {
        hexadecimal(&self.key.sign(bytes).to_bytes())
    }

    /// The attachment of a message that is signed now and good for `ttl_ms`. `said`: its own attachment, if it has one.
    #[must_use]
    pub fn sign(
        &self,
        (robot, key): (&str, &str),
        (payload, said): (&[u8], Option<&str>),
        nonce: [u8; 16],
        (now_ms, ttl_ms): (u64, u64),
    ) -> String {
        let until = now_ms.saturating_add(ttl_ms);
        let bytes = bytes_to_sign(
            (robot, key),
            &self.name,
            (payload, said.unwrap_or_default()),
            &nonce,
            (now_ms, until),
        );
        let signed = Signed {
            v: 1,
            signer: self.name.clone(),
            nonce: hexadecimal(&nonce),
            issued_at_ms: now_ms,
            expires_at_ms: until,
            signature: self.sign_bytes(&bytes),
            said: said.map(str::to_owned),
        };
        // Strings and numbers have no way to fail.
        serde_json::to_string(&signed).unwrap_or_default()
    }
}
