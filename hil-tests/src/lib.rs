//! Hardware in the loop: the daemon as a process against an arm that can hurt somebody.
//!
//! [`virtual_piper`] is an arm that cannot: a Piper on a CAN bus, with a simulated body. It is held against clients that
//! are not ours, and the daemon is held against it.
//!
//! The crate is a member of the workspace but not a default one: `cargo test` never reaches an arm by accident.

#[cfg(feature = "mujoco")]
pub mod virtual_piper;
