//! Hardware in the loop: the daemon as a process against an arm that can hurt somebody.
//!
//! Nothing stands here yet, because there is no driver for a physical arm yet. What the daemon does as a process
//! against a simulated arm is promised in `tests/it/story.rs`. With the first driver come its tests: against a virtual
//! CAN bus, run by everybody, and against a physical arm, run only where somebody says `--arm-is-clear`.
//!
//! The crate is a member of the workspace but not a default one: `cargo test` never reaches an arm by accident.
