//! What the daemon reads: messages, files and words. The crate `reflexd`.

mod files;
mod messages;
mod recordings;

pub use files::{daemon_config, manifest, registry, robot_config, router_manifest, urdf};
pub use messages::{messages, signatures, words};
pub use recordings::recording;

/// What a target is called, and itself.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    ("messages", messages),
    ("signatures", signatures),
    ("words", words),
    ("daemon_config", daemon_config),
    ("robot_config", robot_config),
    ("manifest", manifest),
    ("registry", registry),
    ("router_manifest", router_manifest),
    ("urdf", urdf),
    ("recording", recording),
];
