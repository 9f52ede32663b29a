//! The promises of a backend, checked on every one.
