//! The router's end of the wire: what is said and seen, the newest of each, and what is made of it.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use zenoh::{Session, Wait, liveliness::LivelinessToken, pubsub::Subscriber, sample::Sample};

use super::{Client, DecisionMessage, Keys, WireError, heard, keys::is_name};
use crate::{
    router::{Embedded, Thing},
    security::Credentials,
};

/// The newest of everything; what was not looked at in time is gone.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// `state/instruction`.
    pub instruction: Value,
    /// `state/joints`.
    pub joints: Value,
    /// What lies about.
    pub things: Vec<Thing>,
    /// A camera's JPEG, and when it was taken.
    pub frame: Option<(Arc<[u8]>, u64)>,
}

#[derive(Default)]
struct Shared {
    sight: Mutex<(Sight, u64)>,
    bell: Condvar,
}

/// A router's connection to a daemon. While it lives, the daemon knows that a router is there.
pub struct RouterLink {
    client: Client,
    shared: Arc<Shared>,
    _subscribers: Vec<Subscriber<()>>,
    _token: LivelinessToken,
}

impl RouterLink {
    /// Connects; fails at once when nobody listens. `camera`: whose pictures are looked at.
    ///
    /// # Errors
    /// A bad name; nobody at the endpoints; nobody of that name behind them.
    pub fn connect(
        credentials: &Credentials,
        robot: &str,
        endpoints: &[String],
        camera: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, WireError> {
        let client = Client::connect_as(credentials, robot, endpoints, timeout)?;
        client.read("state/mode")?;
        let (session, keys) = client.parts();
        let shared = Arc::new(Shared::default());
        let mut subscribers = Vec::new();
        let mut listen = |name: &str, take: fn(&mut Sight, &Sample)| -> Result<(), WireError> {
            let full = keys.full(name);
            let shared = Arc::clone(&shared);
            let subscriber = session
                .declare_subscriber(&full)
                .callback(move |sample| shared.take(|sight| take(sight, &sample)))
                .wait()
                .map_err(|error| WireError::zenoh(format!("subscribe {full}"), error))?;
            subscribers.push(subscriber);
            Ok(())
        };
        listen("state/instruction", |sight, sample| put(&mut sight.instruction, sample))?;
        listen("state/joints", |sight, sample| put(&mut sight.joints, sample))?;
        listen("objects", |sight, sample| {
            // The daemon stamps what it tells; the rest is as a detector would tell it.
            if let Ok(things) = heard::objects(&sample.payload().to_bytes()) {
                sight.things = things;
            }
        })?;
        if let Some(camera) = camera {
            if !is_name(camera) {
                return Err(WireError::Name(camera.into()));
            }
            listen(&format!("camera/{camera}"), |sight, sample| {
                let said = sample.attachment().map(|said| said.to_bytes()).unwrap_or_default();
                let said: Value = serde_json::from_slice(&said).unwrap_or_default();
                if let Some(at_ns) = said["at_ns"].as_u64() {
                    sight.frame = Some((sample.payload().to_bytes().into(), at_ns));
                }
            })?;
        }
        // What was said before we came.
        if let Ok(Some(said)) =
            client.read("state/instruction").map(|mut told| told.remove("state/instruction"))
        {
            shared.take(|sight| sight.instruction = said);
        }
        let token = token(session, keys)?;
        Ok(Self { client, shared, _subscribers: subscribers, _token: token })
    }

    /// The newest of everything, once there is more than `seen`; or what there is when the time is up. And how much that is.
    #[must_use]
    pub fn look(&self, seen: u64, timeout: Duration) -> (Sight, u64) {
        let sight = self.shared.lock();
        let old = |sight: &mut (Sight, u64)| sight.1 == seen;
        let waited = self.shared.bell.wait_timeout_while(sight, timeout, old);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Publishes an embedding.
    ///
    /// # Errors
    /// Zenoh's.
    pub fn embed(&self, embedded: &Embedded, instruction: &str) -> Result<(), WireError> {
        let (session, keys) = self.client.parts();
        let sign = |bytes: &[u8], said: String| {
            let signed = self.client.attachment("embedding", (bytes, Some(&said)))?;
            Ok(signed.unwrap_or(said))
        };
        heard::put_embedding(session, keys, embedded, instruction, sign)
    }

    /// Sends a decision; returns the daemon's verdict.
    ///
    /// # Errors
    /// No answer in time.
    pub fn decide(&self, decision: &DecisionMessage) -> Result<Value, WireError> {
        let mut decision = serde_json::json!(decision);
        // Who signs is who decides.
        if let Some(signer) = self.client.signer() {
            decision["source"] = signer.into();
        }
        self.client.ask("decision", &decision)
    }
}

fn put(into: &mut Value, sample: &Sample) {
    if let Ok(told) = serde_json::from_slice(&sample.payload().to_bytes()) {
        *into = told;
    }
}

fn token(session: &Session, keys: &Keys) -> Result<LivelinessToken, WireError> {
    let full = keys.full("router");
    let token = session.liveliness().declare_token(&full).wait();
    token.map_err(|error| WireError::zenoh(format!("declare {full}"), error))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, (Sight, u64)> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, take: impl FnOnce(&mut Sight)) {
        let mut sight = self.lock();
        take(&mut sight.0);
        sight.1 += 1;
        drop(sight);
        self.bell.notify_all();
    }
}
