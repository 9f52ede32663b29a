//! A TensorRT engine of a head.

use std::path::PathBuf;

use super::{HeadError, Manifest, bad_engine, file, with_signature};
use crate::inference::{
    Placement,
    compiled::{self, Builder},
};

/// Builds a TensorRT engine of a head's network into the cache, and says where it is.
///
/// # Errors
/// If the network is not the manifest's, or TensorRT is not there or refuses it.
pub fn compile(
    manifest: &Manifest,
    placement: &Placement,
    builder: Builder,
) -> Result<PathBuf, HeadError> {
    let network = file::Network::read(manifest)?;
    with_signature(manifest, |signature| {
        compiled::build(network.bytes(), signature, placement, builder)
    })
    .map_err(|error| bad_engine(manifest, error))
}
