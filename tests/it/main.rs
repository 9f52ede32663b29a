//! The promises of the house, in one binary.

mod ctl;
mod wire;
