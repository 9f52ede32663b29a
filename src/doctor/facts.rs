//! What the doctor knows of the machine: gathered here, or made up by a test.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use reflex::realtime::{
    self, Report, Settings,
    probe::{self, CanInterface, Preemption, Probe},
};

use crate::inference::{Provider, host};

/// Enough for a p99 that is not the maximum, in a fifth of a second.
const SAMPLES: usize = 200;
const SAMPLE_PERIOD: Duration = Duration::from_millis(1);
/// The priority to try where the configuration names none: above threaded interrupt handlers.
const PRIORITY: i32 = 80;

/// What the doctor cannot find out alone.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the loop will ask for.
    pub realtime: Settings,
    /// Where libmujoco may be, best first.
    pub mujoco: Vec<PathBuf>,
    /// Where ONNX Runtime may be, best first.
    pub onnxruntime: Vec<PathBuf>,
    /// The execution providers that ONNX Runtime says it has; empty if it could not be loaded.
    pub providers: Vec<String>,
    /// What the configuration has heads run on.
    pub engine: Provider,
}

impl Default for Question {
    fn default() -> Self {
        let realtime = Settings {
            priority: Some(PRIORITY),
            lock_memory: true,
            stack_prefault_bytes: 128 * 1024,
            cpu: None,
        };
        Self {
            realtime,
            mujoco: Vec::new(),
            onnxruntime: Vec::new(),
            providers: Vec::new(),
            engine: Provider::default(),
        }
    }
}

/// A native library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Where it is, links followed.
    pub file: PathBuf,
    /// As its file name says; absent if that carries none.
    pub version: Option<[u32; 3]>,
}

impl Library {
    /// The first that is there. It is not loaded: a broken library must not take the doctor with it.
    #[must_use]
    pub fn find(candidates: &[PathBuf]) -> Option<Self> {
        let file = candidates.iter().find_map(|path| path.canonicalize().ok())?;
        Some(Self { version: version(&file), file })
    }
}

impl fmt::Display for Library {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.map_or("of unknown version".to_owned(), super::dotted);
        write!(out, "{version}: {}", self.file.display())
    }
}

/// `libname.so.1.2.3`.
fn version(file: &Path) -> Option<[u32; 3]> {
    let name = file.file_name()?.to_str()?;
    let mut parts = name.split_once(".so.")?.1.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// How late a thread of the loop's kind wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lateness {
    /// How many wakes were measured.
    pub samples: usize,
    /// Half of them were not later.
    pub median_ns: u64,
    /// 99 of 100 were not later.
    pub p99_ns: u64,
    /// None was later.
    pub max_ns: u64,
    /// What the hypervisor took from all CPUs meanwhile.
    pub stolen_ms: u64,
}

impl Lateness {
    /// Of samples in any order; `None` of no samples.
    #[must_use]
    pub fn of(mut samples_ns: Vec<u64>, stolen: Duration) -> Option<Self> {
        samples_ns.sort_unstable();
        let rank = |percent: usize| {
            let rank = (samples_ns.len() * percent).div_ceil(100).max(1);
            samples_ns.get(rank - 1).copied()
        };
        Some(Self {
            samples: samples_ns.len(),
            median_ns: rank(50)?,
            p99_ns: rank(99)?,
            max_ns: rank(100)?,
            stolen_ms: u64::try_from(stolen.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// All that the grades depend on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What a thread of the loop's kind was granted.
    pub realtime: Report,
    /// The share of a CPU that real-time threads may use; `None` is all of it.
    pub throttle: Option<f64>,
    /// How many bytes may be locked; `None` is any number.
    pub memlock_limit_bytes: Option<u64>,
    /// How readily the kernel lets go of a CPU.
    pub preemption: Preemption,
    /// What the kernel reads time from.
    pub clock_source: Option<String>,
    /// How late a thread wakes.
    pub lateness: Option<Lateness>,
    /// CPUs that the scheduler leaves alone.
    pub isolated_cpus: Vec<usize>,
    /// CPUs that are there.
    pub online_cpus: Vec<usize>,
    /// Frequency governors in use.
    pub governors: Vec<String>,
    /// The simulator's library.
    pub mujoco: Option<Library>,
    /// The inference engine's library.
    pub onnxruntime: Option<Library>,
    /// What that library can run on.
    pub providers: Vec<String>,
    /// What the configuration has heads run on.
    pub engine: Provider,
    /// GPUs whose driver is loaded, by model.
    pub gpus: Vec<String>,
    /// TensorRT's libraries.
    pub tensorrt: Vec<PathBuf>,
    /// CAN buses.
    pub can_interfaces: Vec<CanInterface>,
    /// Whether the kernel speaks CAN.
    pub can_supported: bool,
}

impl Facts {
    /// Looks at this machine, and leaves it as it was: grants are tried on a thread that ends, locked memory is
    /// released. So it belongs into a process of its own, never into a daemon that runs a robot.
    #[must_use]
    pub fn gather(question: &Question) -> Self {
        let host = Probe::default();
        let (realtime, lateness) = try_out(&question.realtime, &host);
        Self {
            realtime,
            lateness,
            throttle: host.throttle(),
            memlock_limit_bytes: probe::memlock_limit_bytes(),
            preemption: host.preemption(),
            clock_source: host.clock_source(),
            isolated_cpus: host.isolated_cpus(),
            online_cpus: host.online_cpus(),
            governors: host.governors(),
            mujoco: Library::find(&question.mujoco),
            onnxruntime: Library::find(&question.onnxruntime),
            providers: question.providers.clone(),
            engine: question.engine,
            gpus: host::gpus(),
            tensorrt: host::tensorrt_libraries(),
            can_interfaces: host.can_interfaces(),
            can_supported: probe::can_supported(),
        }
    }
}

fn try_out(settings: &Settings, host: &Probe) -> (Report, Option<Lateness>) {
    let scratch = std::thread::scope(|scope| {
        let work = || {
            let report = realtime::enter(settings);
            let before = host.stolen();
            let samples = probe::timer_lateness_ns(SAMPLES, SAMPLE_PERIOD);
            (report, Lateness::of(samples, host.stolen().saturating_sub(before)))
        };
        scope.spawn(work).join()
    });
    realtime::release_memory();
    // A scratch thread that panicked measured nothing, which is what the default says.
    scratch.unwrap_or_default()
}
