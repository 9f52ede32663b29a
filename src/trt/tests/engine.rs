//! What can be shown of TensorRT without a GPU: a library that is missing, of another version, without a driver, deadly;
//! and a whole run through the shim, on a mock that is built here against the same headers.

#![allow(clippy::print_stderr, reason = "a test that skips says so")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;
use trt::{Cuda, Element, Library, Network, TrtError};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Everything that is pure in TensorRT's classes, overridden by the end of the process.
fn pure(header: &str) -> String {
    let mut made =
        "#pragma once\n#include <cstdlib>\nnamespace pure {\nusing namespace nvinfer1;\n"
            .to_owned();
    for class in ["VRuntime", "VCudaEngine", "VExecutionContext"] {
        let start = header.find(&format!("class {class} : public VRoot")).expect("the class");
        let body = &header[start..];
        let body = &body[body.find('{').expect("a body") + 1..body.find("\n};").expect("an end")];
        made += &format!("struct {class} : apiv::{class} {{\n");
        for method in body.split(';').filter(|method| method.contains("= 0")) {
            let from = method.find("virtual").expect("pure and virtual") + "virtual".len();
            let signature = method[from..].replace("= 0", "override");
            made += &format!("{signature} {{ std::abort(); }}\n");
        }
        made += "};\n";
    }
    made + "}\n"
}

/// A mock that says it is of this version, under this name.
fn mock(folder: &Path, headers: &str, name: &str, major: &str) -> PathBuf {
    let include = here("include").join(headers);
    let header = fs::read_to_string(include.join("NvInferImpl.h")).expect("vendored");
    fs::write(folder.join("pure.h"), pure(&header)).expect("room");
    let library = folder.join(name);
    let output = Command::new(env::var("CXX").unwrap_or_else(|_| "c++".into()))
        .args(["-std=c++17", "-w", "-shared", "-fPIC", &format!("-DMAJOR={major}"), "-I"])
        .arg(&include)
        .arg("-I")
        .arg(here("include/cuda"))
        .arg("-I")
        .arg(folder)
        .arg(here("tests/mock/mock.cpp"))
        .arg("-o")
        .arg(&library)
        .output()
        .expect("the C++ compiler that built the shim");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

struct Mocks {
    folder: TempDir,
    rtx1: PathBuf,
    trt11: PathBuf,
    trt9: PathBuf,
}

fn mocks() -> &'static Mocks {
    static MOCKS: OnceLock<Mocks> = OnceLock::new();
    MOCKS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let rtx1 = mock(folder.path(), "rtx1", "libtensorrt_rtx.so.1", "1");
        let trt11 = mock(folder.path(), "trt11", "libnvinfer.so.11", "11");
        let trt9 = mock(folder.path(), "trt11", "libnvinfer.so.9", "9");
        Mocks { folder, rtx1, trt11, trt9 }
    })
}

#[test]
fn a_library_that_is_missing_or_none_is_refused() {
    let refused = Library::open(Path::new("/nowhere/libnvinfer.so.11")).err().expect("missing");
    assert!(refused.to_string().contains("/nowhere/libnvinfer.so.11"), "{refused}");
    let text = mocks().folder.path().join("libnvinfer.so");
    fs::write(&text, "no library").expect("room");
    assert!(matches!(Library::open(&text), Err(TrtError::Library { .. })));
    // A library, but not TensorRT's.
    let other = Library::open(Path::new("libm.so.6")).err().expect("another");
    assert!(other.to_string().contains("getInferLibMajorVersion"), "{other}");
}

#[test]
fn a_library_of_another_version_is_refused() {
    let refused = Library::open(&mocks().trt9).err().expect("9");
    assert!(matches!(refused, TrtError::Version { .. }), "{refused}");
    let words = refused.to_string();
    assert!(words.contains("TensorRT 9.") && words.contains("TensorRT 11"), "{words}");
}

#[test]
fn without_a_driver_nothing_is_run() {
    let refused = Cuda::open(Path::new("/nowhere/libcuda.so.1"), 0).err().expect("no driver");
    assert!(matches!(refused, TrtError::Library { .. }), "{refused}");
    let refused = Cuda::open(&mocks().rtx1, 3).err().expect("one device");
    assert!(refused.to_string().contains("device 3 is asked for, of 1"), "{refused}");
}

#[test]
fn an_engine_runs_through_the_shim_as_one_graph() {
    for library in [&mocks().rtx1, &mocks().trt11] {
        let loaded = Library::open(library).expect("a mock");
        let version = loaded.version();
        let cuda = Cuda::open(library, 0).expect("a mock");
        let mut network = Network::load(loaded, cuda, b"plan").expect("a mock's plan");
        assert_eq!(network.description(), format!("{version}, Mock GPU"));
        let [x, y] = network.tensors() else { panic!("{:?}", network.tensors()) };
        assert_eq!((x.name.as_str(), x.is_input, x.len()), ("x", true, 4));
        assert_eq!((y.name.as_str(), y.is_input, y.element), ("y", false, Element::F32));
        assert_eq!(y.shape, [1, 4]);
        network.floats_mut(0).copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
        network.run().expect("it runs");
        let first = network.floats_mut(1).to_vec();
        let runs = first[0] - 2.0;
        assert_eq!(first, [2.0 + runs, 4.0 + runs, 6.0 + runs, 8.0 + runs]);
        network.floats_mut(0)[3] = 0.0;
        let thread = std::thread::spawn(move || {
            network.run().expect("on another thread");
            network.floats_mut(1)[3]
        });
        assert_eq!(thread.join().expect("well"), runs + 1.0);
        assert!(Element::F32 != Element::I64);
    }
}

#[test]
fn what_is_no_plan_is_refused_in_the_librarys_words() {
    let library = Library::open(&mocks().trt11).expect("a mock");
    let cuda = Cuda::open(&mocks().trt11, 0).expect("a mock");
    let refused = Network::load(library, cuda, b"plane").err().expect("no plan");
    let words = refused.to_string();
    assert!(words.contains("loading an engine") && words.contains("this is no plan"), "{words}");
}

#[test]
fn a_library_that_kills_its_user_kills_a_child_only() {
    let library = &mocks().trt11;
    for (script, words) in [
        ("kill -SEGV $$", "signal: 11"),
        ("echo 'no CUDA-capable device' >&2; exit 1", "no CUDA-capable device"),
    ] {
        let refused = trt::probe(Path::new("/bin/sh"), &["-c", script], library).expect_err("dead");
        assert!(matches!(refused, TrtError::Probe { .. }), "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let found = trt::probe(Path::new("/bin/sh"), &["-c", "echo sound"], library);
    assert_eq!(found.as_deref(), Ok("sound"));
}

/// TensorRT-RTX as `make setup-tensorrt` puts it.
fn rtx() -> Option<PathBuf> {
    let library = here("../../third_party/tensorrt-rtx/libtensorrt_rtx.so.1");
    let there = library.is_file();
    if !there {
        eprintln!("skipped: there is no TensorRT-RTX; `make setup-tensorrt` fetches it (95 MB)");
    }
    there.then_some(library)
}

#[test]
fn an_engine_is_built_on_a_machine_without_a_gpu() {
    let Some(library) = rtx() else { return };
    let rtx = Library::open(&library).expect("TensorRT-RTX");
    let parser = library.with_file_name("libtensorrt_onnxparser_rtx.so.1");
    let onnx = fs::read(here("../../models/heads/piper_pick_up.onnx")).expect("shipped");
    let plan = rtx.build(&parser, &onnx, false).expect("a plan");
    assert!(plan.len() > 100_000, "{} bytes", plan.len());
    let refused = rtx.build(&parser, b"no network", false).expect_err("no network");
    assert!(matches!(refused, TrtError::Refused { .. }), "{refused}");
    match trt::look(&library) {
        Ok(found) => eprintln!("there is a GPU: {found}"),
        Err(error) => {
            assert!(matches!(error, TrtError::Library { .. } | TrtError::Cuda { .. }), "{error}")
        }
    }
}
