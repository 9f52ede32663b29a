//! ONNX Runtime in this process: found, loaded once, silent.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use ort::{
    environment::Environment, ep::ExecutionProvider, logging::LogLevel,
    session::builder::SessionBuilder,
};

use super::{EngineError, Placement, raw};

/// The runtime's own switch; nothing but `1` will do.
const TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";
/// Names the library, or its folder, where it is not in the usual place.
const LIBRARY: &str = "REFLEX_ONNXRUNTIME";
/// Where `make setup` puts the library.
pub(crate) const FOLDER: &str = "third_party/onnxruntime";
/// Where the Debian package puts it, beside the folder of the executable.
const PACKAGED: &str = "lib/reflexd";

/// Switches ONNX Runtime's telemetry off for this process. To be called first in `main`, before any thread exists.
///
/// # Errors
/// If the switch is not set yet and other threads already run: the environment cannot be changed under them.
pub fn silence_telemetry() -> Result<(), EngineError> {
    if is_silent() {
        return Ok(());
    }
    if raw::set_variable_if_alone(TELEMETRY, "1") {
        Ok(())
    } else {
        Err(EngineError::TelemetryTooLate)
    }
}

pub(crate) fn is_silent() -> bool {
    env::var_os(TELEMETRY).is_some_and(|value| value == "1")
}

/// Looks for the library: `REFLEX_ONNXRUNTIME` (a file or a folder), else `third_party/onnxruntime/` in the current
/// folder, else in a folder above the executable; last, `lib/reflexd/` beside the executable's folder, for what was
/// installed.
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
    let installed =
        executable.iter().filter_map(|path| Some(path.parent()?.parent()?.join(PACKAGED)));
    let mut folders: Vec<_> = here.into_iter().chain(above).map(|path| path.join(FOLDER)).collect();
    folders.extend(installed);
    folders.dedup();
    folders
}

/// The library of a folder; of several the highest version, so that which one runs never depends on the file system.
pub(crate) fn newest_library(folder: &Path) -> Option<PathBuf> {
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
    placement: Placement,
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
        Ok(Self { environment, library, placement: Placement::default() })
    }

    /// The same engine, which places networks so unless it is told otherwise.
    #[must_use]
    pub fn placed(&self, placement: Placement) -> &'static Self {
        // Few, since they come out of configuration; and for the life of the process, as the runtime is.
        static PLACED: Mutex<Vec<&'static Engine>> = Mutex::new(Vec::new());
        let mut placed = PLACED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = placed.iter().find(|engine| engine.placement == placement) {
            return same;
        }
        let Self { environment, library, .. } = self;
        let (environment, library) = (environment.clone(), library.clone());
        let engine = &*Box::leak(Box::new(Self { environment, library, placement }));
        placed.push(engine);
        engine
    }

    /// Where networks run of which nothing else is said.
    #[must_use]
    pub const fn placement(&self) -> &Placement {
        &self.placement
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
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

pub(crate) const CPU: &str = "CPUExecutionProvider";
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
