//! Whether a library runs on this machine, found out where it may die of it: in a child process.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{CUDA_LIBRARY, Cuda, Library, TrtError};

/// Looks in this very process: version, driver, GPU, and whether TensorRT makes a runtime. Without a driver some versions
/// answer with a runtime that kills whoever uses it, so the driver comes first, and the child has nothing to lose.
///
/// # Errors
/// What is wrong.
pub fn look(library: &Path) -> Result<String, TrtError> {
    let library = Library::open(library)?;
    let cuda = Cuda::open(Path::new(CUDA_LIBRARY), 0)?;
    let runtime = library.runtime()?;
    // SAFETY: it was made just now, and nothing was made of it.
    unsafe { (library.shim().free_runtime)(runtime.as_ptr()) };
    Ok(format!("{}, {}", library.version(), cuda.name()))
}

/// Has `program` look, with the library as its last argument; it has to end with [`look`]'s answer on standard output and
/// code 0.
///
/// # Errors
/// If it does not: what it said, or how it died.
pub fn probe(program: &Path, arguments: &[&str], library: &Path) -> Result<String, TrtError> {
    let dead = |words: String| TrtError::Probe { library: library.into(), words };
    let output = Command::new(program)
        .args(arguments)
        .arg(library)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| dead(format!("{}: {error}", program.display())))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.lines().map(str::trim).rfind(|line| !line.is_empty());
    Err(dead(last.map_or_else(|| output.status.to_string(), str::to_owned)))
}
