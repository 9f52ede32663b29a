//! An AgileX Piper on its CAN bus.

pub mod bus;
pub mod frames;
