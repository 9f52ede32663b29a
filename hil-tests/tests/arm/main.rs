//! The virtual Piper alone: it is held to what a Piper does before anything of ours is held against it.
//!
//! Most of it runs in virtual time, without a socket; `served` and `vcan` are the program, as its clients find it.

mod faults;
mod generations;
mod motion;
mod power;
mod rig;
mod served;
mod settings;
mod vcan;
