//! Compiles the shim once against the headers of each TensorRT: their classes differ, so each has functions of its own.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=cpp/shim.cpp");
    println!("cargo::rerun-if-changed=include");
    println!("cargo::rerun-if-env-changed=TENSORRT10_INCLUDE");
    println!("cargo::rustc-check-cfg=cfg(trt10)");
    let mut flavours =
        vec![("rtx1", PathBuf::from("include/rtx1")), ("trt11", "include/trt11".into())];
    if let Some(folder) = env::var_os("TENSORRT10_INCLUDE") {
        println!("cargo::rustc-cfg=trt10");
        flavours.push(("trt10", folder.into()));
    }
    for (flavour, include) in flavours {
        cc::Build::new()
            .cpp(true)
            .std("c++17")
            .include(include)
            .include("include/cuda")
            .define("FLAVOUR", flavour)
            // What is wrong in the vendored headers is not ours to mend.
            .warnings(false)
            .file("cpp/shim.cpp")
            .compile(&format!("shim_{flavour}"));
    }
}
