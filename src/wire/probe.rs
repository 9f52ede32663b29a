//! How long zenoh itself takes on this machine: what an e-stop is measured against.

use std::{
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use serde_json::json;
use zenoh::{
    Session, Wait,
    qos::{CongestionControl, Priority},
};

use super::{WireError, session};

/// The key of a probe: under a root that no robot has.
const KEY: &str = "reflex-probe/loopback";

/// Two sessions on the loopback interface: one puts, the other listens.
#[derive(Debug)]
pub struct Probe {
    sender: Session,
    arrivals: Receiver<u64>,
    _listener: Session,
    _subscriber: zenoh::pubsub::Subscriber<()>,
    now_ns: fn() -> u64,
}

impl Probe {
    /// Opens both, on a port that has to be free; `now_ns` is a clock for both ends.
    ///
    /// # Errors
    /// Zenoh's.
    pub fn open(endpoint: &str, now_ns: fn() -> u64) -> Result<Self, WireError> {
        let listener = session::listen(&[endpoint.to_owned()])?;
        let (arrived, arrivals) = channel();
        let subscriber = listener
            .declare_subscriber(KEY)
            .callback(move |_| {
                // Whoever measures may have gone.
                let _ = arrived.send(now_ns());
            })
            .wait()
            .map_err(|error| WireError::zenoh("declare a probe", error))?;
        let sender = session::dial(&[endpoint.to_owned()], Duration::from_secs(5), None)?;
        Ok(Self { sender, arrivals, _listener: listener, _subscriber: subscriber, now_ns })
    }

    /// From a put to its arrival, as urgent as an e-stop; nothing if it does not arrive within a second.
    #[must_use]
    pub fn ping(&self) -> Option<Duration> {
        while self.arrivals.try_recv().is_ok() {}
        let begun = (self.now_ns)();
        let put = self.sender.put(KEY, json!({ "operator": "probe" }).to_string());
        let put = put.congestion_control(CongestionControl::Drop).priority(Priority::RealTime);
        put.express(true).wait().ok()?;
        let arrived = self.arrivals.recv_timeout(Duration::from_secs(1)).ok()?;
        Some(Duration::from_nanos(arrived.saturating_sub(begun)))
    }
}
