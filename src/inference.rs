//! The engine that runs networks, as the rest of the house knows it: the crate `engine`.

pub use engine::*;
