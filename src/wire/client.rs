//! The other side of the doors: how a program asks a daemon. Without an asynchronous runtime.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::Value;
use zenoh::{
    Session, Wait,
    handlers::FifoChannelHandler,
    pubsub::Subscriber,
    qos::{CongestionControl, Priority},
    query::{QueryTarget, Reply},
    sample::{Sample, SourceInfo},
};

use super::{Keys, TABLE, WireError, publish::json_of, sender::QUIET_SN, session};
use crate::security::{Credentials, Signer, TTL_MS, random, wall_clock_ms};

/// A connection to one robot's daemon.
#[derive(Debug)]
pub struct Client {
    session: Session,
    keys: Keys,
    timeout: Duration,
    signer: Option<Signer>,
}

/// Messages as they come.
#[derive(Debug)]
pub struct Watch {
    subscriber: Subscriber<FifoChannelHandler<Sample>>,
    keys: Keys,
}

impl Client {
    /// Connects; fails at once when nobody listens.
    ///
    /// # Errors
    /// A bad name; nobody at the endpoints.
    pub fn connect(
        robot: &str,
        endpoints: &[String],
        timeout: Duration,
    ) -> Result<Self, WireError> {
        Self::connect_as(&Credentials::default(), robot, endpoints, timeout)
    }

    /// The same, as somebody: with a certificate, or a key that commands are signed with.
    ///
    /// # Errors
    /// As [`Self::connect`]; a certificate that is not believed there.
    pub fn connect_as(
        credentials: &Credentials,
        robot: &str,
        endpoints: &[String],
        timeout: Duration,
    ) -> Result<Self, WireError> {
        let keys = Keys::new(robot)?;
        let session = session::dial(endpoints, timeout, credentials.tls.as_ref())?;
        Ok(Self { session, keys, timeout, signer: credentials.signer.clone() })
    }

    /// The robot that is asked.
    #[must_use]
    pub fn robot(&self) -> &str {
        self.keys.robot()
    }

    /// Who signs what is sent.
    #[must_use]
    pub fn signer(&self) -> Option<&str> {
        self.signer.as_ref().map(Signer::name)
    }

    /// Which session this is, so that it is not held up by the crowd of those who do not say.
    pub(super) fn source(&self) -> SourceInfo {
        SourceInfo::new(self.session.id(), QUIET_SN)
    }

    /// The attachment of a message to a key: a signature, where there is a signer; else what is to be said, if anything.
    pub(super) fn attachment(
        &self,
        name: &str,
        (payload, said): (&[u8], Option<&str>),
    ) -> Result<Option<String>, WireError> {
        let key = TABLE.iter().find(|key| key.is_named(name) && key.is_signed());
        let Some((signer, key)) = self.signer.as_ref().zip(key) else {
            return Ok(said.map(str::to_owned));
        };
        // Half of what is allowed, for clocks that are a little apart.
        let ttl_ms = TTL_MS.min(key.signed_for_ms() / 2);
        let nonce = random().map_err(|error| WireError::zenoh("get random bytes", error))?;
        let at = (self.keys.robot(), &*self.keys.full(name));
        Ok(Some(signer.sign(at, (payload, said), nonce, (wall_clock_ms(), ttl_ms))))
    }

    /// What others of the wire use.
    pub(super) const fn parts(&self) -> (&Session, &Keys) {
        (&self.session, &self.keys)
    }

    /// Sends a payload to a key and returns the answer.
    ///
    /// # Errors
    /// No answer in time: the robot's name may be wrong, and whether the command was carried out is not known.
    pub fn ask(&self, name: &str, payload: &Value) -> Result<Value, WireError> {
        let key = self.keys.full(name);
        let payload = payload.to_string();
        let attachment = self.attachment(name, (payload.as_bytes(), None))?;
        let replies = self
            .session
            .get(&key)
            .payload(payload)
            .attachment(attachment)
            .source_info(self.source())
            .encoding(json_of("reflex.request.v1"))
            .timeout(self.timeout)
            .wait()
            .map_err(|error| WireError::zenoh(format!("ask {key}"), error))?;
        let mut answers = self.collect(&key, &replies);
        answers.pop().map_or_else(|| Err(self.silence(&key)), |(_, answer)| answer)
    }

    /// Sends a payload to a key, and waits for nothing.
    ///
    /// # Errors
    /// Zenoh's.
    pub fn tell(&self, name: &str, payload: &Value) -> Result<(), WireError> {
        let key = self.keys.full(name);
        let payload = payload.to_string();
        let attachment = self.attachment(name, (payload.as_bytes(), None))?;
        self.session
            .put(&key, payload)
            .attachment(attachment)
            .source_info(self.source())
            .encoding(json_of("reflex.request.v1"))
            .congestion_control(CongestionControl::Drop)
            .priority(Priority::RealTime)
            .express(true)
            .wait()
            .map_err(|error| WireError::zenoh(format!("put {key}"), error))
    }

    /// What the keys that match a pattern say now, by name. Those that have nothing to say are left out.
    ///
    /// # Errors
    /// Nobody answered.
    pub fn read(&self, pattern: &str) -> Result<BTreeMap<String, Value>, WireError> {
        let key = self.keys.full(pattern);
        let replies = self
            .session
            .get(&key)
            .target(QueryTarget::All)
            .source_info(self.source())
            .timeout(self.timeout)
            .wait()
            .map_err(|error| WireError::zenoh(format!("read {key}"), error))?;
        let answers = self.collect(&key, &replies);
        if answers.is_empty() {
            return Err(self.silence(&key));
        }
        let named = |(full, answer): (String, Result<Value, _>)| {
            Some((self.keys.name(&full)?.to_owned(), answer.ok()?))
        };
        Ok(answers.into_iter().filter_map(named).collect())
    }

    /// Listens to the keys that match a pattern.
    ///
    /// # Errors
    /// Zenoh's.
    pub fn watch(&self, pattern: &str) -> Result<Watch, WireError> {
        let key = self.keys.full(pattern);
        let subscriber = self
            .session
            .declare_subscriber(&key)
            .wait()
            .map_err(|error| WireError::zenoh(format!("subscribe {key}"), error))?;
        Ok(Watch { subscriber, keys: self.keys.clone() })
    }

    /// Names of the robots whose daemons can be seen from here.
    #[must_use]
    pub fn robots(&self) -> Vec<String> {
        let asked = self.session.liveliness().get("reflex/*/alive").timeout(self.timeout).wait();
        let Ok(replies) = asked else { return Vec::new() };
        let name = |reply: Reply| {
            let sample = reply.into_result().ok()?;
            Some(sample.key_expr().as_str().split('/').nth(1)?.to_owned())
        };
        self.until_done(&replies).into_iter().filter_map(name).collect()
    }

    /// Answers with the keys that they came from; a refusal to answer comes as the error that it is.
    fn collect(
        &self,
        asked: &str,
        replies: &FifoChannelHandler<Reply>,
    ) -> Vec<(String, Result<Value, WireError>)> {
        let answer = |reply: Reply| match reply.into_result() {
            Ok(sample) => {
                let key = sample.key_expr().as_str().to_owned();
                let answer = serde_json::from_slice(&sample.payload().to_bytes());
                (key, answer.map_err(|error| WireError::zenoh(format!("answer on {asked}"), error)))
            }
            Err(error) => {
                let reason = serde_json::from_slice::<Value>(&error.payload().to_bytes())
                    .unwrap_or_default();
                let reason = reason["reason"].as_str().unwrap_or("no answer in time").to_owned();
                (String::new(), Err(WireError::Declined { key: asked.to_owned(), reason }))
            }
        };
        self.until_done(replies).into_iter().map(answer).collect()
    }

    /// Replies until zenoh says that there are no more, or the time is up.
    fn until_done(&self, replies: &FifoChannelHandler<Reply>) -> Vec<Reply> {
        let deadline = Instant::now() + self.timeout;
        let next = || replies.recv_deadline(deadline).ok().flatten();
        std::iter::from_fn(next).collect()
    }

    fn silence(&self, key: &str) -> WireError {
        WireError::NoAnswer { key: key.to_owned(), waited_ms: self.timeout.as_millis() }
    }
}

impl Watch {
    /// The next message as it came, such as a camera's picture, and the name of its key.
    #[must_use]
    pub fn next_bytes(&self, timeout: Duration) -> Option<(String, Vec<u8>)> {
        let sample = self.subscriber.recv_timeout(timeout).ok().flatten()?;
        let name = self.keys.name(sample.key_expr().as_str())?.to_owned();
        Some((name, sample.payload().to_bytes().into_owned()))
    }

    /// The next message and the name of its key; nothing if none comes in time.
    #[must_use]
    pub fn next(&self, timeout: Duration) -> Option<(String, Value)> {
        let (name, bytes) = self.next_bytes(timeout)?;
        Some((name, serde_json::from_slice(&bytes).ok()?))
    }
}
