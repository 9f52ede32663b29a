//! Grades a machine for real-time work: what was found, how good that is, how to mend it.
//!
//! [`Facts`] are gathered once; everything after is a pure function of them.

mod facts;

use std::path::PathBuf;

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use reflex::realtime::{Outcome, probe::Preemption};
use serde::Serialize;

use crate::inference::Provider;

pub use facts::{Facts, Lateness, Library, Question};

/// Lateness that nobody notices: a hundredth of the default period of 50 ms.
const LATE_GOOD_NS: u64 = 500_000;
/// Lateness that a chunk's time grid begins to feel: a tenth of the period.
const LATE_FAIR_NS: u64 = 5_000_000;
/// With fewer, giving one away to the loop costs the rest of the daemon half its machine.
const CPUS_TO_SPARE: usize = 4;
/// The build of mujoco-rs links exactly this one.
const MUJOCO: [u32; 3] = [3, 17, 0];
/// The programming interface that `inference` asks for came with it.
const ONNXRUNTIME_OLDEST: [u32; 3] = [1, 24, 0];

const SET_UP: &str = "run `make setup` in the checkout";

/// How good something is; the order is from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Nothing to do.
    Good,
    /// It works; the remedy makes it better.
    Fair,
    /// A robot should not be driven like this.
    Bad,
}

impl Grade {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Bad => "bad",
        }
    }
}

/// One thing about the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub area: &'static str,
    /// How good it is.
    pub grade: Grade,
    /// What there is.
    pub found: String,
    /// How to mend it; absent if there is nothing to mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn good(area: &'static str, found: impl Into<String>) -> Self {
        Self { area, grade: Grade::Good, found: found.into(), remedy: None }
    }

    fn fair(area: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { area, grade: Grade::Fair, found: found.into(), remedy: Some(remedy.into()) }
    }

    fn bad(area: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { area, grade: Grade::Bad, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Everything that was found, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The worst grade of any finding.
    pub grade: Grade,
    /// What that means.
    pub verdict: &'static str,
    /// In the order in which a loop depends on them.
    pub findings: Vec<Finding>,
}

/// Looks at this machine; takes about a quarter of a second, most of it the timer's sample.
#[must_use]
pub fn examine(question: &Question) -> Diagnosis {
    diagnose(&Facts::gather(question))
}

/// Grades what was found.
#[must_use]
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let findings = vec![
        scheduler(facts),
        memory(facts),
        kernel(facts),
        clock(facts),
        timer(facts),
        cores(facts),
        governor(facts),
        mujoco(facts),
        onnxruntime(facts),
        providers(facts),
        accelerators(facts),
        can(facts),
    ];
    let grade = findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Good);
    let verdict = match grade {
        Grade::Good => "ready to drive a robot",
        Grade::Fair => "fit to drive a robot; what is fair below may cost punctuality or a feature",
        Grade::Bad => "fit for simulation only, until what is bad below is mended",
    };
    Diagnosis { grade, verdict, findings }
}

impl Diagnosis {
    /// For a terminal that is so many characters wide.
    #[must_use]
    pub fn table(&self, width: u16) -> String {
        let mut table = Table::new();
        table
            .load_style(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width.max(60))
            .set_header(["area", "grade", "found", "remedy"]);
        for finding in &self.findings {
            let remedy = finding.remedy.as_deref().unwrap_or("");
            table.add_row([finding.area, finding.grade.word(), &finding.found, remedy]);
        }
        format!("{}\n\n{}: {}\n", table.trim_fmt(), self.grade.word(), self.verdict)
    }

    /// For a program.
    ///
    /// # Errors
    /// None that is known: there is nothing in it that JSON cannot say.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

fn scheduler(facts: &Facts) -> Finding {
    const AREA: &str = "scheduler";
    let throttle = facts.throttle.map_or_else(
        || "never throttled".to_owned(),
        |share| format!("throttled above {:.0} % of a CPU", share * 100.0),
    );
    match facts.realtime.scheduler {
        Outcome::Refused { errno, remedy } => {
            Finding::bad(AREA, format!("SCHED_FIFO refused: {}", reason(errno)), remedy)
        }
        Outcome::NotAsked => Finding::bad(
            AREA,
            "SCHED_FIFO is not asked for",
            "set loop.fifo_priority in the configuration",
        ),
        Outcome::Granted => Finding::good(AREA, format!("SCHED_FIFO granted; {throttle}")),
    }
}

fn memory(facts: &Facts) -> Finding {
    const AREA: &str = "memory lock";
    let limit = facts
        .memlock_limit_bytes
        .map_or("no limit".to_owned(), |bytes| format!("limit {} KiB", bytes / 1024));
    match facts.realtime.memory_lock {
        Outcome::Granted => Finding::good(AREA, format!("granted ({limit})")),
        Outcome::NotAsked => {
            Finding::fair(AREA, "not asked for", "set loop.lock_memory = true in the configuration")
        }
        Outcome::Refused { errno, remedy } => {
            Finding::bad(AREA, format!("refused: {} ({limit})", reason(errno)), remedy)
        }
    }
}

fn kernel(facts: &Facts) -> Finding {
    const AREA: &str = "kernel";
    const REMEDY: &str = "install a PREEMPT_RT kernel (Debian: linux-image-rt-amd64 or linux-image-rt-arm64; \
                          Jetson: the vendor's real-time kernel package)";
    match facts.preemption {
        Preemption::Realtime => Finding::good(AREA, "PREEMPT_RT"),
        Preemption::Full => {
            Finding::fair(AREA, "PREEMPT, not PREEMPT_RT: a driver may delay a tick", REMEDY)
        }
        Preemption::Voluntary => {
            Finding::fair(AREA, "no preemption known: any system call may delay a tick", REMEDY)
        }
    }
}

fn clock(facts: &Facts) -> Finding {
    const AREA: &str = "clock source";
    const REMEDY: &str =
        "boot with clocksource=tsc (x86-64), or ask whoever runs the hypervisor for a stable TSC";
    match facts.clock_source.as_deref() {
        // Read in user space, in tens of nanoseconds.
        Some(
            source @ ("tsc" | "arch_sys_counter" | "kvm-clock" | "hyperv_clocksource_tsc_page"),
        ) => Finding::good(AREA, source),
        // A device, read over a bus: microseconds, and every reader waits for every other.
        Some(source @ ("hpet" | "acpi_pm" | "jiffies" | "refined-jiffies")) => {
            Finding::bad(AREA, format!("{source}: slow to read"), REMEDY)
        }
        Some(source) => {
            Finding::fair(AREA, format!("{source}: each reading is a system call"), REMEDY)
        }
        None => Finding::fair(AREA, "unknown", "make /sys readable to the daemon"),
    }
}

fn timer(facts: &Facts) -> Finding {
    const AREA: &str = "timer latency";
    let Some(late) = facts.lateness else {
        return Finding::fair(AREA, "not measured", "run `reflexd doctor` again");
    };
    let us = |ns: u64| ns / 1_000;
    let fifo = if facts.realtime.scheduler == Outcome::Granted { "" } else { ", without FIFO" };
    let mut found = format!(
        "median {} us, p99 {} us, max {} us of {} wakes{fifo}",
        us(late.median_ns),
        us(late.p99_ns),
        us(late.max_ns),
        late.samples,
    );
    if late.stolen_ms > 0 {
        found += &format!("; the hypervisor took {} ms meanwhile", late.stolen_ms);
    }
    let remedy = if late.stolen_ms > 0 {
        "this is the hypervisor's doing: use bare metal, or have the virtual CPUs pinned"
    } else if fifo.is_empty() {
        "isolate a core for the loop, use the performance governor and a PREEMPT_RT kernel, and look for firmware \
         interrupts with `hwlatdetect`"
    } else {
        "mend the scheduler first"
    };
    if late.p99_ns < LATE_GOOD_NS && late.max_ns < LATE_FAIR_NS {
        Finding::good(AREA, found)
    } else if late.p99_ns < LATE_FAIR_NS {
        Finding::fair(AREA, found, remedy)
    } else {
        Finding::bad(AREA, found, remedy)
    }
}

fn cores(facts: &Facts) -> Finding {
    const AREA: &str = "isolated cores";
    let online = facts.online_cpus.len();
    if !facts.isolated_cpus.is_empty() {
        return Finding::good(AREA, format!("{:?} of {online}", facts.isolated_cpus));
    }
    let found = format!("none of {online}");
    if online >= CPUS_TO_SPARE {
        let last = facts.online_cpus.last().copied().unwrap_or(online - 1);
        let remedy =
            format!("boot with isolcpus={last} nohz_full={last} and set loop.cpu = {last}");
        Finding::fair(AREA, found, remedy)
    } else {
        Finding::fair(
            AREA,
            found,
            "too few to spare one: keep other work off this machine, or use a larger one",
        )
    }
}

fn governor(facts: &Facts) -> Finding {
    const AREA: &str = "CPU governor";
    match facts.governors.as_slice() {
        [] => Finding::good(AREA, "none: this kernel does not scale the clock"),
        [one] if one == "performance" => Finding::good(AREA, "performance"),
        others => Finding::fair(
            AREA,
            format!("{}: a waking CPU starts slow", others.join(", ")),
            "cpupower frequency-set -g performance (Jetson: nvpmodel -m 0 and jetson_clocks)",
        ),
    }
}

fn mujoco(facts: &Facts) -> Finding {
    const AREA: &str = "libmujoco";
    match &facts.mujoco {
        Some(library) if library.version == Some(MUJOCO) => {
            Finding::good(AREA, library.to_string())
        }
        Some(library) => Finding::fair(
            AREA,
            format!("{library}; the simulator is built for {}", dotted(MUJOCO)),
            SET_UP,
        ),
        None => Finding::fair(AREA, "not found: no simulator, only hardware", SET_UP),
    }
}

fn onnxruntime(facts: &Facts) -> Finding {
    const AREA: &str = "ONNX Runtime";
    match &facts.onnxruntime {
        Some(library) if library.version >= Some(ONNXRUNTIME_OLDEST) => {
            Finding::good(AREA, library.to_string())
        }
        Some(library) if library.version.is_none() => Finding::fair(
            AREA,
            library.to_string(),
            format!("make sure that it is {} or newer, or {SET_UP}", dotted(ONNXRUNTIME_OLDEST)),
        ),
        Some(library) => Finding::bad(
            AREA,
            format!("{library}; {} or newer is needed", dotted(ONNXRUNTIME_OLDEST)),
            SET_UP,
        ),
        None => Finding::bad(
            AREA,
            "not found: no policy can run",
            format!("{SET_UP}, or let ORT_DYLIB_PATH name your own"),
        ),
    }
}

fn providers(facts: &Facts) -> Finding {
    const AREA: &str = "execution providers";
    match facts.providers.as_slice() {
        [] => Finding::bad(AREA, "none", "mend ONNX Runtime first: see above"),
        [one] if one.to_lowercase().starts_with("cpu") => {
            Finding::good(AREA, "CPU only; the shipped heads need no more")
        }
        some => Finding::good(AREA, some.join(", ")),
    }
}

fn accelerators(facts: &Facts) -> Finding {
    const AREA: &str = "accelerators";
    let gpus = match facts.gpus.as_slice() {
        [] => "no GPU whose driver is loaded".to_owned(),
        gpus => gpus.join(", "),
    };
    let name =
        |library: &PathBuf| library.file_name().map(|name| name.to_string_lossy().into_owned());
    let tensorrt = match facts.tensorrt.as_slice() {
        [] => "no TensorRT".to_owned(),
        libraries => libraries.iter().filter_map(name).collect::<Vec<_>>().join(", "),
    };
    let engine = facts.engine.name();
    let found = format!("{gpus}; {tensorrt}; the configuration has heads run on \"{engine}\"");
    let needs = match facts.engine {
        Provider::Cpu | Provider::OnnxRuntime => return Finding::good(AREA, found),
        Provider::Cuda | Provider::Plugin => facts.gpus.is_empty(),
        Provider::Tensorrt | Provider::Compiled => {
            facts.gpus.is_empty() || facts.tensorrt.is_empty()
        }
    };
    if needs {
        Finding::bad(
            AREA,
            found,
            "install NVIDIA's driver, and TensorRT where it is asked for (docs/engines.md); or set inference.engine = \"cpu\"",
        )
    } else {
        Finding::good(AREA, found)
    }
}

fn can(facts: &Facts) -> Finding {
    const AREA: &str = "CAN";
    let names = |up: bool| {
        let names: Vec<&str> = facts
            .can_interfaces
            .iter()
            .filter(|can| can.up == up)
            .map(|can| can.name.as_str())
            .collect();
        names.join(", ")
    };
    let first = facts.can_interfaces.first().map_or("can0", |can| can.name.as_str());
    if !names(true).is_empty() {
        Finding::good(AREA, format!("{} up", names(true)))
    } else if !facts.can_interfaces.is_empty() {
        Finding::fair(
            AREA,
            format!("{} down", names(false)),
            format!("ip link set {first} up type can bitrate 1000000"),
        )
    } else if facts.can_supported {
        Finding::fair(
            AREA,
            "the kernel speaks it, but there is no interface: no arm over CAN",
            "plug in the adapter and `modprobe gs_usb`; for tests, `ip link add vcan0 type vcan`",
        )
    } else {
        Finding::fair(
            AREA,
            "the kernel does not speak it: no arm over CAN",
            "modprobe can_raw, or use a kernel with CONFIG_CAN and CONFIG_CAN_RAW",
        )
    }
}

fn reason(errno: i32) -> String {
    std::io::Error::from_raw_os_error(errno).to_string()
}

fn dotted(version: [u32; 3]) -> String {
    version.map(|part| part.to_string()).join(".")
}

#[cfg(test)]
mod tests;
