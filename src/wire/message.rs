//! A message as it came: measured, and copied out of the network's buffers if it is not too large to be read.

use zenoh::{
    bytes::ZBytes,
    query::Query,
    sample::{Sample, SourceInfo},
    session::ZenohId,
};

use super::{
    Key, MESSAGE_BYTES_MAX,
    sender::{Peek, QUIET_SN},
};

/// A message, and whom to answer, if anyone.
pub(super) struct Message {
    pub(super) key: &'static Key,
    /// Nothing of it, if it is too large.
    pub(super) payload: Vec<u8>,
    /// How large it was.
    pub(super) bytes: usize,
    pub(super) attachment: Vec<u8>,
    pub(super) session: Option<ZenohId>,
    /// Who signed it, if that was proved.
    pub(super) signer: Option<String>,
    /// Whether it was not proved although it had to be: whom it names is only named.
    pub(super) is_doubted: bool,
    pub(super) query: Option<Query>,
    /// Whether the session is to be told of beside a name.
    names_session: bool,
}

impl Message {
    /// Somebody put it.
    pub(super) fn put(key: &'static Key, sample: &Sample) -> Self {
        Self {
            key,
            payload: small(sample.payload()),
            bytes: sample.payload().len(),
            attachment: sample.attachment().map_or_else(Vec::new, small),
            session: sample.source_info().map(zid),
            signer: None,
            is_doubted: false,
            query: None,
            names_session: sample.source_info().is_some_and(names_session),
        }
    }

    /// Somebody asked it.
    pub(super) fn asked(key: &'static Key, query: Query) -> Self {
        Self {
            key,
            payload: query.payload().map_or_else(Vec::new, small),
            bytes: query.payload().map_or(0, ZBytes::len),
            attachment: query.attachment().map_or_else(Vec::new, small),
            session: query.source_info().map(zid),
            signer: None,
            is_doubted: false,
            names_session: query.source_info().is_some_and(names_session),
            query: Some(query),
        }
    }

    /// The session, if it is to be told of.
    pub(super) fn named_session(&self) -> Option<String> {
        self.session.filter(|_| self.names_session).map(|session| session.to_string())
    }

    /// Who signed it, or else who it says that it is from.
    pub(super) fn who(&self) -> String {
        let claimed = || {
            let who = Peek::at(&self.payload).who(self.named_session().as_deref());
            if self.is_doubted { format!("{who} (not proved)") } else { who }
        };
        self.signer.clone().unwrap_or_else(claimed)
    }
}

/// What is not too large to be read; nothing of what is.
fn small(bytes: &ZBytes) -> Vec<u8> {
    if bytes.len() > MESSAGE_BYTES_MAX { Vec::new() } else { bytes.to_bytes().into_owned() }
}

fn names_session(source: &SourceInfo) -> bool {
    source.source_sn() != QUIET_SN
}

/// The session that a source says it is.
pub(super) fn zid(source: &SourceInfo) -> ZenohId {
    source.source_id().zid()
}
