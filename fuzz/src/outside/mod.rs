//! What the daemon reads: messages, files and words. The crate `reflexd`.

mod files;
mod messages;

pub use files::{daemon_config, manifest, registry, robot_config, router_manifest, urdf};
pub use messages::{messages, words};

/// Every target, by name.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("messages", messages),
    ("words", words),
    ("daemon_config", daemon_config),
    ("robot_config", robot_config),
    ("manifest", manifest),
    ("registry", registry),
    ("router_manifest", router_manifest),
    ("urdf", urdf),
];
