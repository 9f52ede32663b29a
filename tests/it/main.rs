//! The promises of the house, in one binary.

mod allocation;
mod conformance;
mod ctl;
mod docs;
mod punctual;
mod rig;
#[cfg(feature = "mujoco")]
mod twins;
mod wire;
