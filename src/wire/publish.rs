//! Telling the world. For one telemetry task: a put may block for tens of milliseconds, and must never be near the loop.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use zenoh::{
    Session, Wait,
    bytes::Encoding,
    liveliness::LivelinessToken,
    pubsub::{Publisher, Subscriber},
    qos::{CongestionControl, Priority},
    query::Queryable,
};

use super::{
    BackendMessage, EventMessage, Key, Keys, Kind, Pose, ShadowMessage, Shape, TABLE,
    TimingMessage, WireError, backend, heard, keys::is_name, state,
};
use crate::{
    operator::Present,
    router::{Embedded, Thing},
};

/// What stays as it is, is told again after so long: for those who joined without asking.
const REPEAT_NS: u64 = 1_000_000_000;

/// The newest messages that the house does not know itself: tool and timing.
pub(super) type Newest = Arc<Mutex<BTreeMap<&'static str, String>>>;

/// An open session that serves the house behind it, until dropped.
#[derive(Debug)]
pub struct Service {
    pub(super) session: Session,
    pub(super) keys: Keys,
    pub(super) shape: Arc<Shape>,
    pub(super) newest: Newest,
    pub(super) said: Mutex<BTreeMap<&'static str, Said>>,
    pub(super) cameras: Mutex<BTreeMap<String, Publisher<'static>>>,
    pub(super) doors: Vec<Door>,
}

/// What was last said on a key, and when, by the loop's clock.
#[derive(Debug)]
pub(super) struct Said {
    body: Value,
    at_ns: u64,
}

/// Something that stays declared for as long as it is kept.
#[derive(Debug)]
#[expect(dead_code, reason = "kept for their drop")]
pub(super) enum Door {
    Queryable(Queryable<()>),
    Subscriber(Subscriber<()>),
    Alive(LivelinessToken),
}

impl Service {
    /// Tells a tick: joints, chunk and tool every time, the rest when it changed or a second has passed.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_present(&self, present: &Present, tool: Option<Pose>) -> Result<(), WireError> {
        for name in state::TOLD {
            let Some((key, body)) = entry(name).zip(state::tell(name, present, &self.shape)) else {
                continue;
            };
            if key.kind == Kind::Stream || self.is_news(key.name, &body, present.tick.at.0) {
                self.put(key, key.name, state::stamp(&body, present))?;
            }
        }
        match tool {
            Some(pose) => self.put_newest("state/tool", state::stamp(&pose, present)),
            None => Ok(()),
        }
    }

    /// Tells how punctual the loop is; once a second is enough.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_timing(&self, timing: &TimingMessage) -> Result<(), WireError> {
        self.put_newest("diag/timing", state::version(timing))
    }

    /// Tells what has been seen of the shadows; twice a second is enough.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_shadows(&self, shadows: &Value) -> Result<(), WireError> {
        self.put_newest("diag/shadow", state::version(shadows))
    }

    /// Tells who acts; on a change, and once a second.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_backend(&self, told: &BackendMessage) -> Result<(), WireError> {
        self.put_newest("state/backend", state::version(&backend::backend(told)))
    }

    /// Tells how far a shadow stands from who acts; five times a second is enough.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_shadow(&self, told: &ShadowMessage) -> Result<(), WireError> {
        self.put_newest("state/shadow", state::version(&backend::shadow(told)))
    }

    /// Tells how the recorder is; on a change, and once a second.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_recorder(&self, told: &Value) -> Result<(), WireError> {
        self.put_newest("state/recorder", state::version(told))
    }

    /// Adds a line to the audit trail; `kind` is the last part of its key.
    ///
    /// # Errors
    /// A kind that is no part of a key; the session is closed.
    pub fn publish_event(&self, kind: &str, event: &EventMessage) -> Result<(), WireError> {
        if !is_name(kind) {
            return Err(WireError::Name(kind.into()));
        }
        match entry("event/*") {
            Some(key) => self.put(key, &format!("event/{kind}"), state::version(event)),
            None => Ok(()),
        }
    }

    /// Tells where things are.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_objects(&self, things: &[Thing], at_ns: u64) -> Result<(), WireError> {
        match entry("objects") {
            Some(key) => {
                self.put(key, key.name, state::version(&heard::things_told(things, at_ns)))
            }
            None => Ok(()),
        }
    }

    /// Tells the newest instruction and what became of it.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_instruction(&self, instruction: &Value) -> Result<(), WireError> {
        self.put_newest("state/instruction", state::version(instruction))
    }

    /// Tells what the router has done; once a second is enough.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_router(&self, router: &Value) -> Result<(), WireError> {
        self.put_newest("diag/router", state::version(router))
    }

    /// Shows an embedding that the daemon made of `instruction`.
    ///
    /// # Errors
    /// The session is closed.
    pub fn publish_embedding(
        &self,
        embedded: &Embedded,
        instruction: &str,
    ) -> Result<(), WireError> {
        heard::put_embedding(&self.session, &self.keys, embedded, instruction, |_, said| Ok(said))
    }

    /// Whether anybody looks through a camera: a picture that nobody sees need not be made.
    pub fn is_watched(&self, camera: &str) -> bool {
        let watched = self.through(camera, |publisher| {
            let status = publisher.matching_status().wait();
            status.map_err(|error| WireError::zenoh(format!("look who watches {camera}"), error))
        });
        watched.is_ok_and(|status| status.matching())
    }

    /// Shows a camera's frame.
    ///
    /// # Errors
    /// A name that is no part of a key; the session is closed.
    pub fn publish_camera(&self, name: &str, at_ns: u64, jpeg: &[u8]) -> Result<(), WireError> {
        self.through(name, |publisher| {
            let put = publisher.put(jpeg).attachment(json!({ "at_ns": at_ns }).to_string()).wait();
            put.map_err(|error| WireError::zenoh(format!("publish camera/{name}"), error))
        })
    }

    /// Does something with a camera's publisher, which is declared when it is first needed.
    fn through<T>(
        &self,
        camera: &str,
        act: impl FnOnce(&Publisher<'static>) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        if !is_name(camera) {
            return Err(WireError::Name(camera.into()));
        }
        let mut cameras = locked(&self.cameras);
        if let Some(publisher) = cameras.get(camera) {
            return act(publisher);
        }
        let key = self.keys.full(&format!("camera/{camera}"));
        let publisher = self
            .session
            .declare_publisher(key.clone())
            .encoding(Encoding::IMAGE_JPEG)
            .congestion_control(CongestionControl::Drop)
            .priority(Priority::Background)
            .wait()
            .map_err(|error| WireError::zenoh(format!("declare {key}"), error))?;
        act(cameras.entry(camera.to_owned()).or_insert(publisher))
    }

    /// Closes every door and then the session: nothing more comes in, and everyone sees that the daemon went.
    ///
    /// # Errors
    /// Zenoh's; the doors are closed all the same.
    pub fn close(self) -> Result<(), WireError> {
        drop(self.doors);
        self.session.close().wait().map_err(|error| WireError::zenoh("close the session", error))
    }

    fn put_newest(&self, name: &'static str, message: String) -> Result<(), WireError> {
        locked(&self.newest).insert(name, message.clone());
        match entry(name) {
            Some(key) => self.put(key, name, message),
            None => Ok(()),
        }
    }

    fn put(&self, key: &Key, name: &str, message: String) -> Result<(), WireError> {
        let full = self.keys.full(name);
        let (priority, express) = urgency(key);
        self.session
            .put(&full, message)
            .encoding(json_of(key.schema))
            .congestion_control(CongestionControl::Drop)
            .priority(priority)
            .express(express)
            .wait()
            .map_err(|error| WireError::zenoh(format!("publish {full}"), error))
    }

    fn is_news(&self, name: &'static str, body: &Value, at_ns: u64) -> bool {
        let mut said = locked(&self.said);
        // A clock that stands before what was said is another clock: that is news, too.
        let told = said.get(name).is_some_and(|said| {
            said.body == *body && at_ns >= said.at_ns && at_ns - said.at_ns < REPEAT_NS
        });
        if !told {
            said.insert(name, Said { body: body.clone(), at_ns });
        }
        !told
    }
}

/// Poison is no reason to fall silent: what is behind these locks is whole after every statement.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn json_of(schema: &str) -> Encoding {
    Encoding::APPLICATION_JSON.with_schema(format!("schema={schema}"))
}

fn entry(name: &str) -> Option<&'static Key> {
    TABLE.iter().find(|key| key.name == name)
}

/// What may overtake what on a slow link, and what is sent at once rather than batched.
fn urgency(key: &Key) -> (Priority, bool) {
    match (key.kind, key.name) {
        (Kind::Stream, "state/chunk") => (Priority::Data, false),
        (Kind::Stream, _) => (Priority::RealTime, true),
        (
            _,
            "diag/timing" | "diag/shadow" | "diag/router" | "state/shadow" | "state/recorder"
            | "objects",
        ) => (Priority::DataLow, false),
        (Kind::Present, _) => (Priority::InteractiveHigh, true),
        _ => (Priority::DataHigh, false),
    }
}
