//! Why TensorRT does not run.

use std::path::PathBuf;

/// Why TensorRT, or CUDA under it, does not run a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrtError {
    /// A library is not there, or is none.
    #[error("{}: {message}: install it, or name it in inference.runtime", library.display())]
    Library {
        /// Its path.
        library: PathBuf,
        /// What the loader said.
        message: String,
    },
    /// A library of another version than the shim was compiled for.
    #[error("{}: is TensorRT {found}; this program knows {known}", library.display())]
    Version {
        /// Its path.
        library: PathBuf,
        /// Its version.
        found: String,
        /// The versions that would do.
        known: String,
    },
    /// There is no driver, or no GPU.
    #[error("CUDA: {what}: {words}; install NVIDIA's driver, or choose a device that is there")]
    Cuda {
        /// Which call.
        what: &'static str,
        /// What it said.
        words: String,
    },
    /// TensorRT would not.
    #[error("TensorRT: {what} failed: {words}")]
    Refused {
        /// What it was asked to do.
        what: &'static str,
        /// Its last words.
        words: String,
    },
    /// The child that looks whether a library is sound did not come back well.
    #[error("{}: does not run on this machine: {words}", library.display())]
    Probe {
        /// The library.
        library: PathBuf,
        /// The child's last words, or how it died.
        words: String,
    },
}
