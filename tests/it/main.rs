//! The promises of the house, in one binary.
#![allow(clippy::print_stderr, reason = "a test that skips says so")]

mod bottle;
mod rig;

mod docs;
mod tidy;

mod allocation;
#[cfg(feature = "mujoco")]
mod body;
#[cfg(feature = "mujoco")]
mod camera;
mod conformance;
mod degenerate;
mod descriptions;
mod fuzz;
mod punctual;
mod reasons;
mod scheduling;
#[cfg(feature = "mujoco")]
mod twins;

mod ctl;
mod wire;

mod authority;
mod daemon;
#[cfg(feature = "mujoco")]
mod demo;
#[cfg(feature = "mujoco")]
mod determinism;
mod gallery;
mod grip;
mod guard;
mod heads;
mod ik;
mod importing;
mod inject;
mod odd;
#[cfg(feature = "mujoco")]
mod published;
mod python;
mod record;
mod registry;
mod reload;
mod router;
mod router_head;
mod security;
mod service;
mod shipped;
#[cfg(feature = "mujoco")]
mod skills;
#[cfg(feature = "mujoco")]
mod soak;
mod starts;
mod storm;
mod story;
mod swap;
mod tool;
#[cfg(feature = "mujoco")]
mod trouble;
