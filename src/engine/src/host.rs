//! What this machine has for networks besides its processor, as far as files tell: nothing is loaded.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Where NVIDIA's kernel driver tells of its GPUs.
const GPUS: &str = "/proc/driver/nvidia/gpus";
/// Where libraries are, besides what LD_LIBRARY_PATH names.
const FOLDERS: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
    "/usr/local/cuda/lib64",
    "/usr/local/tensorrt/lib",
    "/usr/lib",
];
/// Where `make setup-tensorrt` puts TensorRT-RTX.
const FOLDER: &str = "third_party/tensorrt-rtx";

/// The GPUs whose driver is loaded, by model.
#[must_use]
pub fn gpus() -> Vec<String> {
    gpus_in(Path::new(GPUS))
}

fn gpus_in(folder: &Path) -> Vec<String> {
    let mut folders: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|e| e.path())
        .collect();
    folders.sort();
    let model = |folder: &PathBuf| {
        let text = fs::read_to_string(folder.join("information")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
        Some(line.trim().to_owned())
    };
    folders.iter().filter_map(model).collect()
}

/// TensorRT's libraries, by path: `libnvinfer.so.10`, `libnvinfer_lean.so.11`, `libtensorrt_rtx.so.1`.
#[must_use]
pub fn tensorrt_libraries() -> Vec<PathBuf> {
    let named = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let above = |path: PathBuf| -> Vec<PathBuf> {
        path.ancestors().map(|folder| folder.join(FOLDER)).collect()
    };
    let here = [env::current_dir(), env::current_exe()].into_iter().filter_map(Result::ok);
    let folders =
        env::split_paths(&named).chain(FOLDERS.map(PathBuf::from)).chain(here.flat_map(above));
    let mut found: Vec<_> = folders.flat_map(|folder| libraries_in(&folder)).collect();
    found.dedup();
    found
}

/// Links to the same file are one library, told by the name that carries the most of its version.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let named = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        let is_one = ["libnvinfer.so.", "libnvinfer_lean.so.", "libtensorrt_rtx.so."]
            .iter()
            .any(|start| name.strip_prefix(start).is_some_and(|rest| !rest.is_empty()));
        is_one.then(|| path.canonicalize().ok())?
    };
    let mut found: Vec<_> = files.filter_map(|file| named(&file.path())).collect();
    found.sort();
    found.dedup();
    found
}

/// The version in a library's name: `libnvinfer.so.10.13.2` -> `10.13.2`.
#[must_use]
pub fn version_of(library: &Path) -> &str {
    let name = library.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split_once(".so.").map_or("", |(_, version)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_told_by_model() {
        let folder = tempfile::tempdir().expect("a folder");
        for (bus, model) in [("0000:01:00.0", "NVIDIA L4"), ("0000:02:00.0", "NVIDIA H200")] {
            fs::create_dir(folder.path().join(bus)).expect("a folder");
            let text = format!("Model: \t\t {model}\nIRQ:   \t\t 0\n");
            fs::write(folder.path().join(bus).join("information"), text).expect("a file");
        }
        assert_eq!(gpus_in(folder.path()), ["NVIDIA L4", "NVIDIA H200"]);
        assert!(gpus_in(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn a_library_is_found_once_whatever_it_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().join("libnvinfer.so.10.13.2");
        fs::write(&real, "").expect("a file");
        std::os::unix::fs::symlink(&real, folder.path().join("libnvinfer.so.10")).expect("a link");
        fs::write(folder.path().join("libnvinfer_plugin.so.10"), "").expect("a file");
        fs::write(folder.path().join("libtensorrt_rtx.so.1"), "").expect("a file");
        let found = libraries_in(folder.path());
        let versions: Vec<_> = found.iter().map(|library| version_of(library)).collect();
        assert_eq!(versions, ["10.13.2", "1"]);
    }
}
