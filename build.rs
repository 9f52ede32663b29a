//! Tells the linker where `make setup` put libmujoco, so that the binaries find it without an environment variable.
//! Link arguments of a dependency do not propagate: the package that links binaries has to say it.

fn main() {
    println!("cargo::rerun-if-env-changed=MUJOCO_DYNAMIC_LINK_DIR");
    if std::env::var_os("CARGO_FEATURE_MUJOCO").is_some()
        && let Ok(dir) = std::env::var("MUJOCO_DYNAMIC_LINK_DIR")
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN");
        // Where the Debian package puts it.
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/reflexd");
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }
}
