//! What is done with arbitrary bytes, one function for each door that bytes come in by. The targets of libFuzzer call
//! these, and so does `tests/it/fuzz.rs` in every run of the tests.

pub mod heap;
#[cfg(feature = "outside")]
pub mod outside;
pub mod realtime;
