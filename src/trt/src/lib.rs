//! Runs TensorRT engines directly, and builds them: `libnvinfer.so.11`, `libnvinfer_lean.so.11`, `libtensorrt_rtx.so.1`.
//!
//! ```text
//! probe (a child process) ──► Library::open ──► Network::load(plan) ──► input_mut ──► run ──► output
//!                                       └─────► Library::build(onnx) ──► plan
//! ```
//!
//! Nothing of TensorRT or CUDA is linked or needed to build this. The libraries are loaded at run time, their version is
//! compared with the headers that the shim was compiled against before anything else is called in them, and a run is one
//! CUDA graph: copies and kernels, launched at once.
//!
//! All unsafe code of TensorRT and CUDA is in this crate.

mod cuda;
mod error;
mod library;
mod network;
mod probe;
mod shim;

pub use cuda::{Cuda, LIBRARY as CUDA_LIBRARY};
pub use error::TrtError;
pub use library::{Flavour, Library};
pub use network::{Element, Network, Tensor};
pub use probe::{look, probe};
