//! What the real-time side reads and obeys: the crates `motion` and `reflex`.

mod bus;
mod law;
mod tape;

pub use bus::can_frames;
pub use law::{Lived, law, live};
pub use tape::tape;

/// What a target is called, and itself.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by name.
pub const TARGETS: &[Target] = &[("can_frames", can_frames), ("law", law), ("tape", tape)];
