//! From what somebody said to a skill and its parameters: the router's part that needs no network and no thread.
//!
//! ```text
//!   text ──► command (hold? known?) ──► ledger (decided about once) ──► embedding ──┐
//!   measured joints, tools, objects ──► scene (42 numbers) ─────────────────────────┴──► head ──► stabilise ──► decision
//! ```
//!
//! The 42 numbers tell of the robot and of the things around it, and of no task: what is to be done, the network has to
//! learn from what was said.

use crate::encoder::Embedding;

pub mod command;
mod decide;
mod head;
mod ledger;
mod manifest;
mod published;
mod scene;
mod stabilise;
mod tally;

pub use decide::{Decided, Kept, decide};
pub use head::{Answer, RouterHead, RouterHeadError};
pub use ledger::{Entry, Fate, Ledger};
pub use manifest::{BodyRule, RouterManifest, SCHEMA};
pub use published::{Route, Seen, bounded, copied, route, served_skill};
pub use scene::{SCENE_NAMES, View, slots};
pub use stabilise::{Change, Served, stabilise};
pub use tally::Tally;

/// The skills that a router chooses from, in the order of its network's outputs.
pub const SKILLS: [&str; 4] = ["walk_to", "run_around", "pick_up", "find_and_eat_berry"];

/// The words that a skill goes by where nobody said any.
#[must_use]
pub fn default_phrase(skill: &str) -> &'static str {
    match skill {
        "walk_to" => "walk to the marker",
        "run_around" => "run around the marker",
        "find_and_eat_berry" => "find the berry and eat it",
        _ => "pick up the berry",
    }
}

/// How many numbers tell of the robot.
pub const BODY: usize = 18;

/// How many numbers tell of robot and scene.
pub const STATE: usize = BODY + 24;

/// Something that lies about.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    /// What it is called.
    pub name: String,
    /// Its centre in the robot's base frame.
    pub position_m: [f64; 3],
    /// How large it is.
    pub radius_m: f64,
    /// Whether it can be eaten.
    pub is_berry: bool,
}

/// Where somebody wants something done.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// In the robot's base frame.
    pub position_m: [f64; 3],
    /// How large the thing there is, if it was said.
    pub radius_m: Option<f64>,
    /// Whether it is a berry, if it was said.
    pub is_berry: Option<bool>,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    /// Chosen by the sender, or by the daemon.
    pub id: String,
    /// The words.
    pub text: String,
    /// Who said it.
    pub operator: Option<String>,
    /// Where it is to be done, if it was pointed at.
    pub target: Option<Target>,
    /// What lies about, if the sender knows better than the daemon.
    pub things: Vec<Thing>,
    /// Whether the network's choice counts, whatever the words seem to say.
    pub force_neural: bool,
    /// How long it may take until it is begun.
    pub ttl_ms: u64,
}

/// An embedding of somebody's words, and perhaps of what a camera saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// The numbers.
    pub embedding: Embedding,
    /// The moment that it is about, by the daemon's clock.
    pub at_ns: u64,
    /// Whose words they are.
    pub instruction_id: String,
    /// The encoder's name.
    pub encoder: String,
    /// The encoder's fingerprint.
    pub fingerprint: String,
    /// How long the encoder took.
    pub latency_ms: f64,
}
