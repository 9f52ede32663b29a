//! The promises of the house, in one binary.

mod wire;
