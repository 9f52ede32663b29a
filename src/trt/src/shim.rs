//! The shim's functions, by flavour, as values.

use std::ffi::{c_char, c_int, c_void};

/// What TensorRT tells: a severity, 0 to 4, and words.
pub(crate) type Say = extern "C" fn(i32, *const c_char);
/// `createInferRuntime_INTERNAL`, `createInferBuilder_INTERNAL`.
pub(crate) type Factory = unsafe extern "C" fn(*mut c_void, i32) -> *mut c_void;
/// `createNvOnnxParser_INTERNAL`.
pub(crate) type ParserFactory =
    unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> *mut c_void;

macro_rules! shim {
    ($($field:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions that were compiled against one TensorRT's headers.
        pub(crate) struct Shim {
            $(pub(crate) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }
    };
}

shim! {
    major: fn() -> i32;
    runtime: fn(Factory, Say) -> *mut c_void;
    engine: fn(*mut c_void, *const c_void, usize) -> *mut c_void;
    context: fn(*mut c_void) -> *mut c_void;
    tensors: fn(*mut c_void) -> i32;
    tensor: fn(*mut c_void, i32, *mut *const c_char, *mut i32, *mut i32, *mut i64) -> i32;
    bind: fn(*mut c_void, *const c_char, *mut c_void) -> i32;
    enqueue: fn(*mut c_void, *mut c_void) -> i32;
    free_context: fn(*mut c_void);
    free_engine: fn(*mut c_void);
    free_runtime: fn(*mut c_void);
    build: fn(Factory, ParserFactory, Say, *const c_void, usize, i32) -> *mut c_void;
    plan: fn(*mut c_void, *mut usize) -> *const c_void;
    free_plan: fn(*mut c_void);
}

macro_rules! flavour {
    ($module:ident, $prefix:literal) => {
        pub(crate) mod $module {
            use super::*;

            unsafe extern "C" {
                #[link_name = concat!($prefix, "_major")]
                fn major() -> i32;
                #[link_name = concat!($prefix, "_runtime")]
                fn runtime(create: Factory, say: Say) -> *mut c_void;
                #[link_name = concat!($prefix, "_engine")]
                fn engine(runtime: *mut c_void, plan: *const c_void, size: usize) -> *mut c_void;
                #[link_name = concat!($prefix, "_context")]
                fn context(engine: *mut c_void) -> *mut c_void;
                #[link_name = concat!($prefix, "_tensors")]
                fn tensors(engine: *mut c_void) -> i32;
                #[link_name = concat!($prefix, "_tensor")]
                fn tensor(
                    engine: *mut c_void,
                    at: i32,
                    name: *mut *const c_char,
                    is_input: *mut i32,
                    element: *mut i32,
                    sizes: *mut i64,
                ) -> i32;
                #[link_name = concat!($prefix, "_bind")]
                fn bind(context: *mut c_void, name: *const c_char, address: *mut c_void) -> i32;
                #[link_name = concat!($prefix, "_enqueue")]
                fn enqueue(context: *mut c_void, stream: *mut c_void) -> i32;
                #[link_name = concat!($prefix, "_free_context")]
                fn free_context(context: *mut c_void);
                #[link_name = concat!($prefix, "_free_engine")]
                fn free_engine(engine: *mut c_void);
                #[link_name = concat!($prefix, "_free_runtime")]
                fn free_runtime(runtime: *mut c_void);
                #[link_name = concat!($prefix, "_build")]
                fn build(
                    builder: Factory,
                    parser: ParserFactory,
                    say: Say,
                    onnx: *const c_void,
                    size: usize,
                    half: i32,
                ) -> *mut c_void;
                #[link_name = concat!($prefix, "_plan")]
                fn plan(memory: *mut c_void, size: *mut usize) -> *const c_void;
                #[link_name = concat!($prefix, "_free_plan")]
                fn free_plan(memory: *mut c_void);
            }

            pub(crate) static SHIM: Shim = Shim {
                major,
                runtime,
                engine,
                context,
                tensors,
                tensor,
                bind,
                enqueue,
                free_context,
                free_engine,
                free_runtime,
                build,
                plan,
                free_plan,
            };
        }
    };
}

flavour!(rtx1, "rtx1");
flavour!(trt11, "trt11");
#[cfg(trt10)]
flavour!(trt10, "trt10");
