//! What was signed is taken once.

use std::collections::{BTreeSet, HashSet};

use super::{Bad, Signed};

/// Nonces that are alive at once. More than are verified in the time that the longest lived of them has.
const ALIVE_MAX: usize = 16_384;

/// The nonces that were used, for as long as a signature with one of them could be good.
#[derive(Debug)]
pub struct Nonces {
    started_ms: u64,
    /// The latest moment that was seen: a clock that is set back does not bring back what is over.
    latest_ms: u64,
    used: HashSet<[u8; 16]>,
    by_end: BTreeSet<(u64, [u8; 16])>,
}

impl Nonces {
    /// None yet. What was issued before `started_ms` is refused: an earlier run may have taken it.
    #[must_use]
    pub fn new(started_ms: u64) -> Self {
        Self { started_ms, latest_ms: started_ms, used: HashSet::new(), by_end: BTreeSet::new() }
    }

    /// Whether a signature could be taken now: its time is now and ends within `longest_ms`, and it has not been seen. Costs next to nothing.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&mut self, signed: &Signed, now_ms: u64, longest_ms: u64) -> Result<(), Bad> {
        self.latest_ms = self.latest_ms.max(now_ms);
        let now_ms = self.latest_ms;
        while let Some(over) = self.by_end.first().copied().filter(|(end, _)| *end <= now_ms) {
            self.by_end.remove(&over);
            self.used.remove(&over.1);
        }
        signed.is_timely(now_ms, self.started_ms, longest_ms)?;
        let (nonce, _) = signed.once()?;
        if self.used.contains(&nonce) {
            return Err(Bad::Replayed);
        }
        if self.used.len() >= ALIVE_MAX {
            return Err(Bad::TooMany);
        }
        Ok(())
    }

    /// Takes one that is good; from now on it is used.
    ///
    /// # Errors
    /// It was taken in the meantime.
    pub fn take(&mut self, signed: &Signed) -> Result<(), Bad> {
        let (nonce, end) = signed.once()?;
        if !self.used.insert(nonce) {
            return Err(Bad::Replayed);
        }
        self.by_end.insert((end, nonce));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{Keyring, LIFETIME_MS_MAX, Role, Signer};

    const AT: (&str, &str) = ("piper", "reflex/piper/cmd/arm");
    const NOW: u64 = 1_000_000;

    fn signer() -> Signer {
        Signer::from_seed("operator-ada", &[7; 32])
    }

    fn signed(nonce: u8, now_ms: u64, ttl_ms: u64) -> Signed {
        let attachment = signer().sign(AT, (b"{}", None), [nonce; 16], (now_ms, ttl_ms));
        Signed::read(attachment.as_bytes()).expect("signed").expect("sound")
    }

    #[test]
    fn what_was_signed_is_good_for_that_and_nothing_else() {
        let ada = signer();
        let ring = Keyring::of(&[(&ada, Role::Operator)]);
        let one = signed(1, NOW, 5_000);
        assert_eq!(ring.verify(&one, AT, b"{}"), Ok(()));
        for (robot, key, payload) in [
            ("fireboy", AT.1, &b"{}"[..]),
            (AT.0, "reflex/piper/cmd/hold", b"{}"),
            (AT.0, AT.1, b"{ }"),
            (AT.0, AT.1, b""),
        ] {
            assert_eq!(
                ring.verify(&one, (robot, key), payload),
                Err(Bad::Wrong(ada.name().into()))
            );
        }
        let eve = Signer::from_seed("operator-ada", &[8; 32]);
        let other = Keyring::of(&[(&eve, Role::Operator)]);
        assert!(matches!(other.verify(&one, AT, b"{}"), Err(Bad::Wrong(_))), "another key");
        assert!(matches!(Keyring::default().verify(&one, AT, b"{}"), Err(Bad::Unknown(_))));
    }

    #[test]
    fn every_part_of_a_signature_counts() {
        let ring = Keyring::of(&[(&signer(), Role::Operator)]);
        let attachment = signer().sign(AT, (b"{}", Some("{\"v\":1}")), [3; 16], (NOW, 5_000));
        let whole: serde_json::Value = serde_json::from_str(&attachment).expect("JSON");
        let verdict = |change: (&str, serde_json::Value)| {
            let mut other = whole.clone();
            other[change.0] = change.1;
            let read = Signed::read(other.to_string().as_bytes()).expect("a signature")?;
            ring.verify(&read, AT, b"{}")
        };
        assert_eq!(verdict(("v", 1.into())), Ok(()));
        for (field, value) in [
            ("signer", "operator-eve".into()),
            ("nonce", "00000000000000000000000000000000".into()),
            ("issued_at_ms", (NOW + 1).into()),
            ("expires_at_ms", (NOW + 5_001).into()),
            ("said", "{\"v\":2}".into()),
            ("signature", "0".repeat(128).into()),
            ("signature", "0".into()),
            ("v", 2.into()),
            ("sudo", true.into()),
        ] {
            assert!(verdict((field, value)).is_err(), "{field}");
        }
    }

    #[test]
    fn a_nonce_is_taken_once_and_forgotten_when_it_is_over() {
        let mut nonces = Nonces::new(NOW);
        let one = signed(1, NOW, 5_000);
        assert_eq!(nonces.check(&one, NOW, LIFETIME_MS_MAX), Ok(()));
        assert_eq!(nonces.take(&one), Ok(()));
        assert_eq!(nonces.check(&one, NOW + 4_999, LIFETIME_MS_MAX), Err(Bad::Replayed));
        assert_eq!(nonces.take(&one), Err(Bad::Replayed));
        assert_eq!(nonces.check(&one, NOW + 5_000, LIFETIME_MS_MAX), Err(Bad::Over(0)));
        assert!(nonces.used.is_empty() && nonces.by_end.is_empty());
        assert_eq!(
            nonces.check(&one, NOW, LIFETIME_MS_MAX),
            Err(Bad::Over(0)),
            "a clock that is set back"
        );
    }

    #[test]
    fn a_signature_has_its_time() {
        let mut nonces = Nonces::new(NOW);
        let too_long = signed(1, NOW, LIFETIME_MS_MAX + 1);
        assert_eq!(
            nonces.check(&too_long, NOW, LIFETIME_MS_MAX),
            Err(Bad::TooLong(LIFETIME_MS_MAX + 1, LIFETIME_MS_MAX))
        );
        assert_eq!(nonces.check(&too_long, NOW + 1, LIFETIME_MS_MAX), Ok(()));
        let before = signed(2, NOW - 1, 5_000);
        assert_eq!(
            nonces.check(&before, NOW + 1, LIFETIME_MS_MAX),
            Err(Bad::BeforeStart(1)),
            "of an earlier run"
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut nonces = Nonces::new(NOW);
        for k in 0..ALIVE_MAX as u64 {
            let mut nonce = [0; 16];
            nonce[..8].copy_from_slice(&k.to_be_bytes());
            nonces.used.insert(nonce);
            nonces.by_end.insert((NOW + 9_000, nonce));
        }
        let one = signed(255, NOW, 5_000);
        assert_eq!(nonces.check(&one, NOW, LIFETIME_MS_MAX), Err(Bad::TooMany));
        assert_eq!(
            nonces.check(&signed(255, NOW + 9_000, 5_000), NOW + 9_000, LIFETIME_MS_MAX),
            Ok(())
        );
    }

    #[test]
    fn other_attachments_are_none_of_our_business() {
        for other in [&b""[..], b"{}", b"[1]", b"\xff", br#"{"at_ns":5}"#] {
            assert!(Signed::read(other).is_none(), "{other:?}");
        }
        assert!(matches!(Signed::read(br#"{"signature":7}"#), Some(Err(Bad::NotUnderstood(_)))));
        assert!(Signed::read(&vec![b' '; 1 << 20]).is_some_and(|read| read.is_err()));
    }
}
