//! A TensorRT library: loaded, of a version that is known here, and the engines that it builds.

use std::{
    ffi::{CStr, c_char, c_void},
    path::{Path, PathBuf},
    ptr::NonNull,
    slice,
    sync::{Mutex, PoisonError},
};

use libloading::Library as Loaded;

use crate::{
    TrtError,
    shim::{self, Factory, ParserFactory, Shim},
};

/// Whose library it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// TensorRT-RTX 1.
    Rtx1,
    /// TensorRT 11, whole or lean.
    Trt11,
    /// TensorRT 10, whole or lean.
    #[cfg(trt10)]
    Trt10,
}

/// Loaded, and of a version that is known here.
pub struct Library {
    loaded: Loaded,
    path: PathBuf,
    flavour: Flavour,
    version: [i32; 3],
}

/// The last error that a library told, for whoever has to say why.
static LAST_WORDS: Mutex<String> = Mutex::new(String::new());

/// Severities are those of `ILogger::Severity`.
pub(crate) extern "C" fn say(severity: i32, words: *const c_char) {
    if words.is_null() {
        return;
    }
    // SAFETY: TensorRT hands over a string with a terminating zero that lives until this returns.
    let words = unsafe { CStr::from_ptr(words) }.to_string_lossy();
    match severity {
        0 | 1 => {
            tracing::error!(target: "tensorrt", "{words}");
            *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = words.into_owned();
        }
        2 => tracing::warn!(target: "tensorrt", "{words}"),
        3 => tracing::debug!(target: "tensorrt", "{words}"),
        _ => tracing::trace!(target: "tensorrt", "{words}"),
    }
}

/// That it would not, with its last words.
pub(crate) fn refused(what: &'static str) -> TrtError {
    let mut words = LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    let words = std::mem::take(&mut *words);
    TrtError::Refused {
        what,
        words: if words.is_empty() { "it does not say why".into() } else { words },
    }
}

/// Loads a library.
pub(crate) fn load(path: &Path) -> Result<Loaded, TrtError> {
    // SAFETY: its initialisers run. It is a library that the configuration names, or NVIDIA's by its name; whoever can
    // replace it can replace this program.
    unsafe { Loaded::new(path) }.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let message = cause.unwrap_or_else(|| error.to_string());
        TrtError::Library { library: path.into(), message }
    })
}

/// A function of a library.
///
/// # Safety
/// `F` has to be the function's type.
pub(crate) unsafe fn function<F: Copy>(
    library: &Loaded,
    path: &Path,
    name: &str,
) -> Result<F, TrtError> {
    // SAFETY: as promised by the caller.
    unsafe { library.get::<F>(name) }.map(|symbol| *symbol).map_err(|_| TrtError::Library {
        library: path.into(),
        message: format!("it has no function {name}"),
    })
}

impl Library {
    /// Loads a library and compares its version with those that are known here. Nothing is called in it that needs a
    /// driver.
    ///
    /// # Errors
    /// If it is not there, is no TensorRT, or one of another version.
    pub fn open(path: &Path) -> Result<Self, TrtError> {
        let loaded = load(path)?;
        let mut version = [0; 3];
        for (part, name) in version.iter_mut().zip(["Major", "Minor", "Patch"]) {
            let name = format!("getInferLib{name}Version");
            // SAFETY: the functions are declared so in NvInferRuntime.h, take nothing and touch nothing.
            *part = unsafe { function::<unsafe extern "C" fn() -> i32>(&loaded, path, &name)?() };
        }
        let name = path.canonicalize().unwrap_or_else(|_| path.into());
        let is_rtx =
            name.file_name().is_some_and(|name| name.to_string_lossy().contains("tensorrt_rtx"));
        let flavour = match (is_rtx, version[0]) {
            (true, 1) => Flavour::Rtx1,
            (false, 11) => Flavour::Trt11,
            #[cfg(trt10)]
            (false, 10) => Flavour::Trt10,
            _ => {
                let found = version.map(|part| part.to_string()).join(".");
                let known = if is_rtx { "TensorRT-RTX 1" } else { "TensorRT 11" };
                let known = if cfg!(trt10) { format!("{known} and 10") } else { known.into() };
                return Err(TrtError::Version { library: path.into(), found, known });
            }
        };
        Ok(Self { loaded, path: path.into(), flavour, version })
    }

    /// Whose it is.
    #[must_use]
    pub const fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// Its version: `tensorrt-rtx 1.7.1`.
    #[must_use]
    pub fn version(&self) -> String {
        let name = if self.flavour == Flavour::Rtx1 { "tensorrt-rtx" } else { "tensorrt" };
        format!("{name} {}", self.version.map(|part| part.to_string()).join("."))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn shim(&self) -> &'static Shim {
        let shim = match self.flavour {
            Flavour::Rtx1 => &shim::rtx1::SHIM,
            Flavour::Trt11 => &shim::trt11::SHIM,
            #[cfg(trt10)]
            Flavour::Trt10 => &shim::trt10::SHIM,
        };
        // SAFETY: it returns a constant.
        debug_assert_eq!(unsafe { (shim.major)() }, self.version[0]);
        shim
    }

    /// A runtime.
    ///
    /// # Errors
    /// If there is none. Without a driver some versions die instead: see [`crate::probe`].
    pub(crate) fn runtime(&self) -> Result<NonNull<c_void>, TrtError> {
        // SAFETY: the factory is declared so in NvInferRuntime.h of this version, as `open` has found out; the logger
        // lives for ever.
        let runtime = unsafe {
            let create: Factory =
                function(&self.loaded, &self.path, "createInferRuntime_INTERNAL")?;
            (self.shim().runtime)(create, say)
        };
        NonNull::new(runtime).ok_or_else(|| refused("creating a runtime"))
    }

    /// Builds an engine from the bytes of an ONNX file, with the parser's library. TensorRT-RTX needs no GPU for this.
    ///
    /// # Errors
    /// If a library is not there or not whole, or TensorRT refuses the network.
    pub fn build(&self, parser: &Path, onnx: &[u8], half: bool) -> Result<Vec<u8>, TrtError> {
        let parser_library = load(parser)?;
        let shim = self.shim();
        // SAFETY: the factories are declared so in NvInfer.h and NvOnnxParser.h; the bytes live until after the call.
        let memory = unsafe {
            let builder: Factory =
                function(&self.loaded, &self.path, "createInferBuilder_INTERNAL")?;
            let parser: ParserFactory =
                function(&parser_library, parser, "createNvOnnxParser_INTERNAL")?;
            (shim.build)(builder, parser, say, onnx.as_ptr().cast(), onnx.len(), i32::from(half))
        };
        let memory = NonNull::new(memory).ok_or_else(|| refused("building an engine"))?;
        let mut size = 0;
        // SAFETY: the memory is TensorRT's until it is freed, which happens once, after its bytes were copied.
        let plan = unsafe {
            let data = (shim.plan)(memory.as_ptr(), &raw mut size);
            let plan = slice::from_raw_parts(data.cast::<u8>(), size).to_vec();
            (shim.free_plan)(memory.as_ptr());
            plan
        };
        Ok(plan)
    }
}
