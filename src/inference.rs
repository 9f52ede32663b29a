//! The engine that runs a network: the only door to `ort`, and through it to ONNX Runtime.
//!
//! The runtime's official builds send telemetry home unless `ORT_DISABLE_TELEMETRY=1` stands in the environment before
//! their first call. [`silence_telemetry`] puts it there, and [`Engine::start`] refuses to run without it, so that
//! forgetting it is an error at start and not a leak in the field.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use ort::{
    environment::Environment,
    ep::ExecutionProvider,
    logging::LogLevel,
    session::{Session as OrtSession, builder::SessionBuilder},
    value::{Outlet, Tensor, TensorElementType},
};

/// The runtime's own switch; nothing but `1` will do.
const TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";
/// Names the library, or its folder, where it is not in the usual place.
const LIBRARY: &str = "REFLEX_ONNXRUNTIME";
/// Where `make setup` puts the library.
const FOLDER: &str = "third_party/onnxruntime";
/// A folder that cannot exist, for weights that a model wants to take from beside itself; see [`Session::load`].
const NO_FOLDER: &str = "/dev/null/weights-must-be-inside-the-model";

/// Why the engine did not start, or a network did not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Telemetry was not switched off.
    #[error(
        "ORT_DISABLE_TELEMETRY is not 1, so ONNX Runtime would send telemetry: call inference::silence_telemetry() \
         first in main, or set it in the environment"
    )]
    Telemetry,
    /// Telemetry cannot be switched off any more.
    #[error(
        "ORT_DISABLE_TELEMETRY cannot be set once other threads may run: call inference::silence_telemetry() first in \
         main, or set ORT_DISABLE_TELEMETRY=1 in the environment"
    )]
    TelemetryTooLate,
    /// The library is nowhere.
    #[error(
        "libonnxruntime.so is not in {searched:?}: run `make setup`, or name it in REFLEX_ONNXRUNTIME"
    )]
    LibraryMissing {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// The library is there but is no ONNX Runtime that this program can use.
    #[error("{}: {message}; run `make setup` for the version this program was built for", path.display())]
    LibraryBroken {
        /// The library.
        path: PathBuf,
        /// What was wrong.
        message: String,
    },
    /// One process can have one runtime.
    #[error("ONNX Runtime already runs from {}, not from {}", running.display(), asked.display())]
    AlreadyStarted {
        /// What runs.
        running: PathBuf,
        /// What was asked for.
        asked: PathBuf,
    },
    /// The runtime would not load or run the network.
    #[error("ONNX Runtime: {0}")]
    Refused(String),
    /// A tensor has another name or element type.
    #[error("{key} should be {wanted}, the model has {found}")]
    Tensor {
        /// The manifest's key for it.
        key: &'static str,
        /// What was expected.
        wanted: String,
        /// What the model has.
        found: String,
    },
    /// A tensor has another shape.
    #[error("{key} should have shape {wanted:?}, the model has {found:?} (-1: any)")]
    Shape {
        /// The manifest's key for it.
        key: &'static str,
        /// What was expected.
        wanted: Vec<i64>,
        /// What the model has.
        found: Vec<i64>,
    },
    /// The network's output has a NaN or an infinity.
    #[error("output {element} is {value}")]
    NotFinite {
        /// Which element.
        element: usize,
        /// What it is, as text: a NaN equals nothing.
        value: String,
    },
}

impl<R> From<ort::Error<R>> for EngineError {
    fn from(error: ort::Error<R>) -> Self {
        Self::Refused(error.message().to_owned())
    }
}

/// Switches ONNX Runtime's telemetry off for this process. To be called first in `main`, before any thread exists.
///
/// # Errors
/// If the switch is not set yet and other threads already run: the environment cannot be changed under them.
pub fn silence_telemetry() -> Result<(), EngineError> {
    if is_silent() {
        return Ok(());
    }
    // Unreadable is as good as many: what cannot be proved alone is treated as company.
    let threads = fs::read_dir("/proc/self/task").map_or(usize::MAX, Iterator::count);
    if threads != 1 {
        return Err(EngineError::TelemetryTooLate);
    }
    // SAFETY: no other thread exists, as just counted, so none can read or write the environment meanwhile; and only
    // this one could start another.
    unsafe { env::set_var(TELEMETRY, "1") };
    Ok(())
}

fn is_silent() -> bool {
    env::var_os(TELEMETRY).is_some_and(|value| value == "1")
}

/// Looks for the library: `REFLEX_ONNXRUNTIME` (a file or a folder), else `third_party/onnxruntime/` in the current
/// folder, else in a folder above the executable.
///
/// # Errors
/// If it is in none of them; the error lists where it was looked for. A `REFLEX_ONNXRUNTIME` that is wrong is not passed
/// over: whoever set it means that one.
pub fn find_library() -> Result<PathBuf, EngineError> {
    let named = env::var_os(LIBRARY).filter(|value| !value.is_empty()).map(PathBuf::from);
    let searched = match named {
        Some(path) if path.is_file() => return Ok(path),
        Some(path) => vec![path],
        None => usual_folders(),
    };
    searched
        .iter()
        .find_map(|folder| newest_library(folder))
        .ok_or(EngineError::LibraryMissing { searched })
}

fn usual_folders() -> Vec<PathBuf> {
    let here = env::current_dir().ok();
    let executable = env::current_exe().ok();
    let above = executable.iter().flat_map(|path| path.ancestors().skip(1)).map(Path::to_path_buf);
    let mut folders: Vec<_> = here.into_iter().chain(above).map(|path| path.join(FOLDER)).collect();
    folders.dedup();
    folders
}

/// The library of a folder; of several the highest version, so that which one runs never depends on the file system.
fn newest_library(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    files.filter_map(|path| Some((version_in_name(&path)?, path))).max().map(|(_, path)| path)
}

/// `libonnxruntime.so.1.31.1` -> `[1, 31, 1]`; `None` for any other file.
fn version_in_name(path: &Path) -> Option<Vec<u32>> {
    let suffix = path.file_name()?.to_str()?.strip_prefix("libonnxruntime.so")?;
    suffix.split('.').skip(1).map(|part| part.parse().ok()).collect()
}

/// ONNX Runtime, loaded and started; one in a process.
#[derive(Debug)]
pub struct Engine {
    environment: Environment,
    library: PathBuf,
}

impl Engine {
    /// Loads the runtime from a library and starts it, once; later calls with the same path return the same engine.
    ///
    /// # Errors
    /// If telemetry is on, the library cannot be used, or another one runs already.
    pub fn start(library: &Path) -> Result<&'static Self, EngineError> {
        // The environment has to live in a static: the runtime allows one for the life of the process, dropped or not.
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_silent() {
            return Err(EngineError::Telemetry);
        }
        // Resolved, so that the same library by another way is the same; and so that its version is in the name.
        let missing = |_| EngineError::LibraryMissing { searched: vec![library.to_path_buf()] };
        let library = library.canonicalize().map_err(missing)?;
        if let Some(engine) = ENGINE.get() {
            return if engine.library == library {
                Ok(engine)
            } else {
                let running = engine.library.clone();
                Err(EngineError::AlreadyStarted { running, asked: library })
            };
        }
        let engine = Self::load(library)?;
        Ok(ENGINE.get_or_init(|| engine))
    }

    fn load(library: PathBuf) -> Result<Self, EngineError> {
        let broken = |message| EngineError::LibraryBroken { path: library.clone(), message };
        let builder = ort::init_from(&library).map_err(|error| broken(error.to_string()))?;
        let environment = builder
            .with_name("reflexd")
            // Not enough by itself (threads and files appear all the same), but it costs nothing.
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(|error| broken(error.to_string()))?;
        // With a logger of one's own the runtime starts at its most talkative; formatting that in each run is not free.
        environment.set_log_level(LogLevel::Warning);
        Ok(Self { environment, library })
    }

    /// The library that runs.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Its version, from the library's name; or what the build says of itself if the name does not tell.
    #[must_use]
    pub fn version(&self) -> String {
        match version_in_name(&self.library).as_deref() {
            None | Some([]) => ort::info().to_owned(),
            Some(parts) => parts.iter().map(u32::to_string).collect::<Vec<_>>().join("."),
        }
    }

    /// The execution providers that this build of the runtime contains. That one is contained does not say that its
    /// driver or its hardware is there.
    #[must_use]
    pub fn providers(&self) -> Vec<&'static str> {
        let contained = [
            (CPU, true),
            (Probe::<0>::NAME, Probe::<0>::is_available().unwrap_or(false)),
            (Probe::<1>::NAME, Probe::<1>::is_available().unwrap_or(false)),
            (Probe::<2>::NAME, Probe::<2>::is_available().unwrap_or(false)),
        ];
        contained.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
    }
}

const CPU: &str = "CPUExecutionProvider";
const ACCELERATORS: [&str; 3] =
    ["CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"];

/// Asks whether a provider is there, without the cargo feature that using it would need.
struct Probe<const N: usize>;

impl<const N: usize> ExecutionProvider for Probe<N> {
    const NAME: &'static str = ACCELERATORS[N];

    fn register(&self, _: &mut SessionBuilder) -> ort::Result<()> {
        Err(ort::Error::new("a probe only asks"))
    }
}

/// The runtime's words go where all words go.
fn log(level: LogLevel, category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Fatal | LogLevel::Error => {
            tracing::error!(target: "onnxruntime", category, location, "{message}");
        }
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", category, location, "{message}"),
        LogLevel::Info => tracing::debug!(target: "onnxruntime", category, location, "{message}"),
        LogLevel::Verbose => {
            tracing::trace!(target: "onnxruntime", category, location, "{message}")
        }
    }
}

/// What a network has to look like: one input of `[1, input_len]`, one output of `[1, steps, columns]`, all `f32`.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The input tensor's name.
    pub input: &'a str,
    /// Numbers in it.
    pub input_len: usize,
    /// The output tensor's name.
    pub output: &'a str,
    /// Steps in it.
    pub steps: usize,
    /// Numbers in each step.
    pub columns: usize,
}

/// One network, ready to run on the thread that owns it.
pub struct Session {
    session: OrtSession,
    /// Written in place, run after run.
    input: Tensor<f32>,
    output: Box<[f32]>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("outputs", &self.output.len()).finish_non_exhaustive()
    }
}

impl Session {
    /// Loads a network from the bytes of an ONNX file, which its owner has checked against a digest.
    ///
    /// Weights in files of their own are refused: no digest would cover them.
    ///
    /// # Errors
    /// If the runtime refuses it, or it does not have the signature.
    pub fn load(
        engine: &Engine,
        model: &[u8],
        signature: &Signature<'_>,
    ) -> Result<Self, EngineError> {
        let session = OrtSession::builder(&engine.environment)?
            // These networks are too small to share: with one thread of either kind the runtime makes no pool at all,
            // and runs on the caller's thread, with that thread's priority.
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            // A pool that does appear must not burn a core between ticks.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_execution_providers([ort::ep::CPU::default()
                .with_arena_allocator(true)
                .build()
                .error_on_failure()])?
            .with_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)?
            .commit_from_memory(model)?;
        let Signature { input, input_len, output, steps, columns } = *signature;
        let input_shape = [1, dimension(input_len)];
        let output_shape = [1, dimension(steps), dimension(columns)];
        check("inputs[0].tensor", session.inputs(), input, &input_shape)?;
        check("output.tensor", session.outputs(), output, &output_shape)?;
        let input = Tensor::from_array((input_shape, vec![0.0_f32; input_len]))?;
        Ok(Self { session, input, output: vec![0.0; steps * columns].into_boxed_slice() })
    }

    /// The input tensor, to be written before a run.
    pub fn input_mut(&mut self) -> &mut [f32] {
        self.input.extract_tensor_mut().1
    }

    /// Runs the network on what stands in the input tensor.
    ///
    /// # Errors
    /// If the runtime refuses, or a number of the output is not finite.
    pub fn run(&mut self) -> Result<&[f32], EngineError> {
        // By position, not by name: a map of names would be one more allocation, and there is only one input.
        let outputs = self.session.run(ort::inputs![&self.input])?;
        let (_, values) = outputs[0].try_extract_tensor::<f32>()?;
        // The shape was checked at load, but a model may still compute another than it declares.
        if values.len() != self.output.len() {
            let message = format!("{} outputs instead of {}", values.len(), self.output.len());
            return Err(EngineError::Refused(message));
        }
        if let Some(element) = values.iter().position(|value| !value.is_finite()) {
            return Err(EngineError::NotFinite { element, value: values[element].to_string() });
        }
        self.output.copy_from_slice(values);
        Ok(&self.output)
    }
}

/// A length as ONNX counts; one that does not fit matches no model.
fn dimension(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn check(
    key: &'static str,
    outlets: &[Outlet],
    name: &str,
    shape: &[i64],
) -> Result<(), EngineError> {
    let other =
        |found| EngineError::Tensor { key, wanted: format!("one f32 tensor `{name}`"), found };
    let [outlet] = outlets else {
        let names: Vec<_> = outlets.iter().map(Outlet::name).collect();
        return Err(other(format!("{} of them: {names:?}", outlets.len())));
    };
    if outlet.name() != name {
        return Err(other(format!("`{}`", outlet.name())));
    }
    if outlet.dtype().tensor_type() != Some(TensorElementType::Float32) {
        return Err(other(format!("`{name}` of type {}", outlet.dtype())));
    }
    let found = outlet.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default();
    if found == shape {
        Ok(())
    } else {
        Err(EngineError::Shape { key, wanted: shape.to_vec(), found })
    }
}

#[cfg(test)]
mod tests;
