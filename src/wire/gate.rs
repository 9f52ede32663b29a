//! The gate: how much is taken, and who it is from. On the network's own thread, so whatever is cheap comes first.
//!
//! ```text
//!   a message ──► room for one more? ──► small enough? ──► signed? by whom? in time? for the first time?
//!             ──► room for one more verification? ──► verified ──► its lane
//! ```

use std::sync::{Arc, Mutex};

use reflex::clock::monotonic_now;
use zenoh::session::ZenohId;

use super::{Key, access::Limit, bucket::Buckets, publish::locked, sender::Peek};
use crate::security::{Bad, Gatekeeping, Nonces, Role, Signatures, Signed, wall_clock_ms};

/// A verification costs some ten microseconds: so many are worth it.
const VERIFIED: (&str, Limit) =
    ("verification", Limit { per_session_hz: 200, burst: 200, all_hz: 1000 });

/// What calms a robot has room beyond its limit, shared by everybody: whoever floods a key with it has it carried out.
const CALMING: (&str, Limit) = ("calming", Limit { per_session_hz: 200, burst: 50, all_hz: 200 });

/// Clones are one.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    robot: String,
    keeping: Gatekeeping,
    nonces: Mutex<Nonces>,
    buckets: Mutex<Buckets<ZenohId>>,
}

/// A message, as far as it matters who sent it.
#[derive(Clone, Copy)]
pub(super) struct Letter<'a> {
    pub(super) key: &'static Key,
    /// The full key that it came on.
    pub(super) full: &'a str,
    pub(super) payload: &'a [u8],
    pub(super) attachment: &'a [u8],
    pub(super) session: Option<ZenohId>,
    /// Whom the key names: a heartbeat is of one operator.
    pub(super) named: Option<&'a str>,
}

/// Whose message it is, if that was proved, and what it says beside its payload.
#[derive(Debug, Default)]
pub(super) struct Proved {
    pub(super) signer: Option<String>,
    pub(super) said: Option<String>,
}

impl Gate {
    pub(super) fn new(robot: &str, keeping: Gatekeeping) -> Self {
        let nonces = Mutex::new(Nonces::new(wall_clock_ms()));
        let buckets = Mutex::new(Buckets::new());
        Self { inner: Arc::new(Inner { robot: robot.to_owned(), keeping, nonces, buckets }) }
    }

    /// Whether there is room for one more message on a key.
    pub(super) fn has_room(&self, key: &'static Key, session: Option<ZenohId>) -> bool {
        let Some(limit) = key.limit() else { return true };
        let mut buckets = locked(&self.inner.buckets);
        let now_ns = monotonic_now().0;
        let (what, more) = CALMING;
        buckets.take(key.name, session, limit, now_ns)
            || (key.calms() && buckets.take(what, None, more, now_ns))
    }

    /// Who it is from; why it is not taken, in words.
    pub(super) fn prove(&self, letter: Letter<'_>) -> Result<Proved, String> {
        if !letter.key.is_signed() {
            return Ok(Proved::default());
        }
        match Signed::read(letter.attachment) {
            Some(Ok(signed)) => self.verify(letter, &signed),
            Some(Err(bad)) => Err(bad.to_string()),
            None => self.unsigned(letter).map(|()| Proved::default()),
        }
    }

    fn unsigned(&self, letter: Letter<'_>) -> Result<(), String> {
        let Gatekeeping { signatures, keys } = &self.inner.keeping;
        if *signatures == Signatures::Required {
            return Err(
                "not signed, and this robot takes nothing that is not: reflexctl --sign-key, \
                        docs/security.md"
                    .into(),
            );
        }
        if keys.is_empty() {
            return Ok(());
        }
        let peek = Peek::at(letter.payload);
        let named = letter.named.map(|name| ("key", name));
        // What stands behind an `@` is a session's.
        let bare = |name: &str| name.split('@').next().is_some_and(|it| keys.role(it).is_some());
        match peek.claims().chain(named).find(|(_, name)| bare(name)) {
            Some((_, name)) => Err(format!(
                "not signed, but {name:?} has a key here: who has one is believed only with it"
            )),
            None => Ok(()),
        }
    }

    fn verify(&self, letter: Letter<'_>, signed: &Signed) -> Result<Proved, String> {
        let inner = &*self.inner;
        let (keys, signer) = (&inner.keeping.keys, signed.signer());
        let words = |bad: Bad| bad.to_string();
        let role = keys.role(signer).ok_or_else(|| words(Bad::Unknown(signer.to_owned())))?;
        let senders = letter.key.senders();
        if !senders.contains(&role) {
            let may: Vec<_> = senders.iter().copied().map(Role::name).collect();
            let may = may.join(" or ");
            return Err(format!("{signer:?} is a {role}; here only the role {may} is listened to"));
        }
        let longest_ms = letter.key.signed_for_ms();
        locked(&inner.nonces).check(signed, wall_clock_ms(), longest_ms).map_err(words)?;
        let (what, limit) = VERIFIED;
        if !locked(&inner.buckets).take(what, letter.session, limit, monotonic_now().0) {
            return Err("too many signatures to verify: send less".into());
        }
        keys.verify(signed, (&inner.robot, letter.full), letter.payload).map_err(words)?;
        // From here on it is used, whatever comes of it.
        locked(&inner.nonces).take(signed).map_err(words)?;
        let peek = Peek::at(letter.payload);
        let named = letter.named.map(|name| ("key", name));
        if let Some((field, other)) = peek.claims().chain(named).find(|(_, name)| *name != signer) {
            return Err(format!("{field} = {other:?}, but it is signed by {signer:?}"));
        }
        Ok(Proved { signer: Some(signer.to_owned()), said: signed.said().map(str::to_owned) })
    }
}
