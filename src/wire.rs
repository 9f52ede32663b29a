//! The robot's doors on the network: the only place that knows zenoh and what crosses it as JSON.
//!
//! ```text
//!   a client's message ──► server ──► messages (parsed, bounded) ──► House ──► answer
//!   a tick's Present   ──► publish ──► state (names, SI units) ──► whoever listens, or asks later
//! ```
//!
//! What comes in is not trusted: it is measured before it is read, read strictly, and answered with a reason when it is
//! not understood. An e-stop is the exception: whatever arrives on its key latches.

mod access;
mod answers;
mod backend;
mod bucket;
mod client;
mod docs;
mod gate;
mod heard;
mod inject;
mod keys;
mod lane;
mod lease;
mod link;
mod message;
mod messages;
mod poses;
mod probe;
mod publish;
mod record;
mod sender;
mod server;
mod session;
mod state;

use std::{future::Future, sync::Arc};

use motion::JointLimits;

use crate::{
    decision, operator, router,
    security::{Gatekeeping, Roster, Tls},
};

pub use access::{Limit, access_control, security_tables};
pub use answers::{CommandAnswer, DecisionAnswer, GrantedMessage, HeardAnswer};
pub use backend::{BackendMessage, ShadowMessage};
pub use bucket::Tally;
pub use client::{Client, Watch};
pub use docs::docs;
pub use heard::{instruction_told, said_of};
pub use keys::{Key, Keys, Kind, TABLE};
pub use lease::Beat;
pub use link::{RouterLink, Sight};
pub use messages::{
    BadMessage, DecisionMessage, MESSAGE_BYTES_MAX, ParamsMessage, RawParamsMessage,
    decision_message,
};
pub use probe::Probe;
pub use publish::Service;
pub use session::Wire;
pub use state::{BUCKETS, EventMessage, Pose, Quantiles, TimingMessage};

/// What each payload is read by: nothing that comes in is read by anything else.
pub mod reading {
    pub use super::{
        heard::{embedded, instruction, objects},
        lease::beat,
        messages::{command, decision_message as decision, plain, question},
    };
}

/// Where a daemon is to be found when nobody says otherwise: by programs on its own machine only.
pub const DEFAULT_ENDPOINT: &str = "tcp/127.0.0.1:7447";

/// How the daemon opens its doors.
#[derive(Clone, Debug)]
pub struct WireSettings {
    /// The robot's name: one part of every key.
    pub robot: String,
    /// Endpoints to listen on, such as `tcp/0.0.0.0:7447`.
    pub listen: Vec<String>,
    /// Endpoints of others to connect to, such as a zenoh router.
    pub connect: Vec<String>,
    /// Whether to look for others by multicast and gossip. Off, so that only who was told the endpoint can command.
    pub scouting: bool,
    /// The robot's certificate. With it everything is denied that the roster does not allow.
    pub tls: Option<Tls>,
    /// Who may do what.
    pub roster: Roster,
    /// How it is known who speaks.
    pub gatekeeping: Gatekeeping,
}

impl WireSettings {
    /// A robot that is reachable from its own machine.
    #[must_use]
    pub fn local(robot: &str) -> Self {
        Self {
            robot: robot.into(),
            listen: vec![DEFAULT_ENDPOINT.into()],
            connect: Vec::new(),
            scouting: false,
            tls: None,
            roster: Roster::default(),
            gatekeeping: Gatekeeping::default(),
        }
    }
}

/// What the wire has to know of a robot to speak of it in names.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Joint names, in joint order.
    pub joints: operator::JointNames,
    /// Limits, in joint order.
    pub limits: Vec<JointLimits>,
}

/// Who lives behind the doors. Knows no zenoh.
pub trait House: Clone + Send + Sync + 'static {
    /// Carries out an operator's command. What it does before it first waits is done in the order of arrival.
    fn command(
        &self,
        command: operator::Command,
        who: &str,
    ) -> impl Future<Output = operator::Answer> + Send;

    /// Latches the e-stop. Called on the network's own thread: must not block.
    fn estop(&self, who: &str) -> operator::Answer;

    /// A heartbeat of whoever holds the lease; whether it counts. Called on the network's own thread: must not block.
    fn heartbeat(&self, who: &str, beat: Beat) -> bool;

    /// Takes or refuses a decision. What it does before it first waits is done in the order of arrival.
    fn decide(
        &self,
        decision: decision::Decision,
        who: &str,
    ) -> impl Future<Output = decision::Verdict> + Send;

    /// Hears an instruction, and says whether anything will come of it. What it does before it first waits is done in the
    /// order of arrival.
    fn hear(
        &self,
        said: router::Instruction,
        who: &str,
    ) -> impl Future<Output = operator::Heard> + Send;

    /// An embedding has come. Called on the network's own thread: must not block.
    fn embedded(&self, embedded: router::Embedded);

    /// A detector tells where things are. Called on the network's own thread: must not block.
    fn told_of(&self, things: Vec<router::Thing>, who: &str);

    /// Whether a router's process is there. Called on the network's own thread: must not block.
    fn router_alive(&self, is_alive: bool);

    /// Whether a key of the table is served at all.
    fn serves(&self, _key: &str) -> bool {
        true
    }

    /// The newest tick; nothing before the first.
    fn present(&self) -> Option<Arc<operator::Present>>;

    /// What the daemon says of itself: `version`, `config`, `manifest` or `registry`.
    fn info(&self, what: &str) -> Option<serde_json::Value>;

    /// How a pose could be reached; why not, in words. Moves nothing.
    fn consider(
        &self,
        question: operator::Question,
    ) -> impl Future<Output = Result<serde_json::Value, String>> + Send;

    /// A message was not understood, or came when there was no room for it. To be counted and logged.
    fn refused_message(&self, who: &str, key: &str, reason: &str);

    /// A message came on a key that takes no more for now, and was not read. To be counted; whether it is to be told, too.
    /// Called on the network's own thread for each of a flood: must cost next to nothing.
    fn crowded_out(&self, key: &'static str, who: impl Fn() -> String) -> bool;
}

/// Why a door does not open, or nobody answers behind it.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The name of a robot, a camera or an event cannot be part of a key.
    #[error("{0:?} cannot be part of a key: a name has 1 to 64 of the characters a-z A-Z 0-9 _ -")]
    Name(String),
    /// Someone listens there already.
    #[error(
        "listen endpoint {endpoint}: the port is in use, perhaps by another reflexd; stop that one (`systemctl stop \
         reflexd`), or set another port in zenoh.listen"
    )]
    PortInUse {
        /// The endpoint.
        endpoint: String,
    },
    /// The endpoint cannot be listened on.
    #[error(
        "cannot listen on {endpoints}: {reason}; zenoh.listen wants endpoints such as tcp/127.0.0.1:7447"
    )]
    Listen {
        /// The endpoints.
        endpoints: String,
        /// In zenoh's words.
        reason: String,
    },
    /// The endpoint cannot be connected to.
    #[error("cannot connect to {endpoints} ({reason})")]
    Connect {
        /// The endpoints.
        endpoints: String,
        /// In zenoh's words.
        reason: String,
    },
    /// A connection stands, but nobody answered on the key.
    #[error("no answer on {key} within {waited_ms} ms")]
    NoAnswer {
        /// The key.
        key: String,
        /// How long was waited.
        waited_ms: u128,
    },
    /// The daemon answered that it cannot.
    #[error("{key}: {reason}")]
    Declined {
        /// The key.
        key: String,
        /// In the daemon's words.
        reason: String,
    },
    /// No asynchronous runtime to serve on.
    #[error("the wire has to be served from within a multi-threaded tokio runtime")]
    NoRuntime,
    /// Anything else that zenoh did not do.
    #[error("{doing}: {reason}")]
    Zenoh {
        /// What was tried.
        doing: String,
        /// In zenoh's words.
        reason: String,
    },
}

impl WireError {
    fn zenoh(doing: impl Into<String>, error: impl std::fmt::Display) -> Self {
        Self::Zenoh { doing: doing.into(), reason: session::words(&error) }
    }
}
