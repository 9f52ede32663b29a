//! The engine that runs a network: the only door to `ort`, and through it to ONNX Runtime.
//!
//! ```text
//! Engine::start ──► Session::load(bytes, signature) ──► input_mut ──► run ──► Values
//! ```
//!
//! Everything that a run needs is allocated at load, and a run allocates nothing. Nothing here knows what a network is
//! for: names, digests and meaning belong to the head.
//!
//! The runtime's official builds send telemetry home unless `ORT_DISABLE_TELEMETRY=1` stands in the environment before
//! their first call. [`silence_telemetry`] puts it there, and [`Engine::start`] refuses to run without it, so that
//! forgetting it is an error at start and not a leak in the field.

mod accelerator;
#[cfg(feature = "tensorrt")]
pub mod compiled;
mod dense;
mod error;
mod free;
#[cfg(feature = "tensorrt")]
mod half;
pub mod host;
mod onnx;
mod placement;
mod raw;
mod runtime;
mod session;
mod signature;

pub use dense::Precision;
pub use error::{EngineError, Slot};
pub use free::{FreeSession, Given};
pub use placement::{Fallback, Placement, Provider};
pub use runtime::{Engine, find_library, silence_telemetry};
pub use session::Session;
pub use signature::{Element, Signature, TensorSpec, Values};

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "a test that skips says so")]
mod session_test;
#[cfg(test)]
mod tests;
