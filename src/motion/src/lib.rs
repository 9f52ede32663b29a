//! The law of reflexd: what a robot is allowed to do next.
//!
//! Everything here is a pure function of its inputs: no clock, no heap, no I/O, no panic on any input. Time comes in
//! with the state, set-points leave as a [`Command`], which only the safety filter can make. Units are radians for
//! revolute and metres for prismatic joints, per second, nanoseconds for time.
//!
//! The modules stand in the order in which data flows through a tick.
#![no_std]
#![forbid(unsafe_code)]

mod joints;
mod time;
mod words;

mod geometry;
mod workspace;

mod ailment;
pub mod failsafe;
mod robot;
mod state;

mod chunk;
mod correction;
mod course;
mod plan;
mod schedule;

mod safety;

mod mode;
mod seam;

mod controller;

pub use ailment::Ailment;
pub use chunk::{Chunk, ChunkId, HeadDigest, MAX_STEPS};
pub use controller::{Controller, Inputs};
pub use correction::{Corrected, Correction, CorrectionRule};
pub use course::{Course, MAX_AHEAD, MAX_BACK};
pub use joints::{Joints, MAX_JOINTS};
pub use mode::{Ending, Fault, Mode, StopSource};
pub use plan::{ChunkRefusal, FirstStep, Plan, Seam, Source};
pub use robot::{Attendance, JointLimits, LimitError, Robot, Rules};
pub use safety::{Command, Drive, Foresight, LimitedBy, Limits};
pub use seam::{
    Ask, Epoch, Event, Events, MAX_EVENTS, Order, OrderId, Refusal, Reply, Run, RunId, Tick, What,
};
pub use state::{Health, State};
pub use time::{Nanos, TickIndex};
pub use words::{Reading, Sheet, Words};
pub use workspace::{
    Body, BodyKind, Capsule, Contact, MAX_BODIES, MAX_CAPSULES, MAX_PAIRS, MAX_PLANES, Obstacle,
    Pair, Plane, Workspace, WorkspaceError,
};
