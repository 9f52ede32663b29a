//! What the host is, as far as it matters to a loop: read before the loop starts, never on its thread.
//!
//! Everything is optional: a container hides half of these files, and what cannot be read is not a fault.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use motion::Nanos;

use crate::clock::{Bell, monotonic_now};

/// The kernel's kind of preemption, as its version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// PREEMPT_RT: nearly everything can be preempted, interrupt handlers included.
    Realtime,
    /// PREEMPT, or PREEMPT_DYNAMIC, whose degree is chosen at boot.
    Full,
    /// None, or voluntary.
    Voluntary,
}

/// A network interface that is a CAN bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanInterface {
    /// Its name.
    pub name: String,
    /// Whether it carries frames now.
    pub up: bool,
}

/// Reads /proc and /sys below a root: `/`, or a folder that a test has made.
#[derive(Clone, Debug)]
pub struct Probe {
    root: PathBuf,
}

impl Default for Probe {
    fn default() -> Self {
        Self::at("/")
    }
}

impl Probe {
    /// A probe of what lies below `root`.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// What the kernel reads time from.
    #[must_use]
    pub fn clock_source(&self) -> Option<String> {
        self.read("sys/devices/system/clocksource/clocksource0/current_clocksource")
    }

    /// CPUs that the scheduler leaves alone (`isolcpus`).
    #[must_use]
    pub fn isolated_cpus(&self) -> Vec<usize> {
        cpu_list(&self.read("sys/devices/system/cpu/isolated").unwrap_or_default())
    }

    /// CPUs that are there.
    #[must_use]
    pub fn online_cpus(&self) -> Vec<usize> {
        cpu_list(&self.read("sys/devices/system/cpu/online").unwrap_or_default())
    }

    /// The share of each period that real-time threads may use before the kernel stops them; `None` is all of it.
    #[must_use]
    pub fn throttle(&self) -> Option<f64> {
        let number = |name| self.read(name)?.parse::<f64>().ok();
        let runtime_us = number("proc/sys/kernel/sched_rt_runtime_us")?;
        let period_us = number("proc/sys/kernel/sched_rt_period_us")?;
        (runtime_us >= 0.0 && runtime_us < period_us).then(|| runtime_us / period_us)
    }

    /// How readily the kernel lets go of a CPU.
    #[must_use]
    pub fn preemption(&self) -> Preemption {
        let version = self.read("proc/sys/kernel/version").unwrap_or_default();
        let realtime = self.read("sys/kernel/realtime").as_deref() == Some("1");
        if realtime || version.contains("PREEMPT_RT") {
            Preemption::Realtime
        } else if version.contains("PREEMPT") {
            Preemption::Full
        } else {
            Preemption::Voluntary
        }
    }

    /// The frequency governors in use, each once; empty where the clock is not scaled by this kernel.
    #[must_use]
    pub fn governors(&self) -> Vec<String> {
        let mut governors: Vec<String> = self
            .online_cpus()
            .iter()
            .filter_map(|cpu| {
                self.read(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
            })
            .collect();
        governors.sort();
        governors.dedup();
        governors
    }

    /// Time that the hypervisor gave to others while a CPU of ours had work, over all CPUs, since boot.
    #[must_use]
    pub fn stolen(&self) -> Duration {
        let stat = self.read("proc/stat").unwrap_or_default();
        let total = stat.lines().next().unwrap_or_default();
        let ticks: u64 =
            total.split_whitespace().nth(8).and_then(|field| field.parse().ok()).unwrap_or(0);
        // SAFETY: takes a number, returns a number.
        let ticks_a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1);
        Duration::from_secs_f64(ticks as f64 / ticks_a_second as f64)
    }

    /// CAN buses, by the hardware type that Linux gives them.
    #[must_use]
    pub fn can_interfaces(&self) -> Vec<CanInterface> {
        const ARPHRD_CAN: &str = "280";
        let Ok(folder) = fs::read_dir(self.root.join("sys/class/net")) else {
            return Vec::new();
        };
        let mut found: Vec<CanInterface> = folder
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| read(&path.join("type")).as_deref() == Some(ARPHRD_CAN))
            .filter_map(|path| {
                let name = path.file_name()?.to_string_lossy().into_owned();
                // A virtual bus says "unknown" while it is up.
                let up = read(&path.join("operstate")).is_some_and(|state| state != "down");
                Some(CanInterface { name, up })
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    fn read(&self, name: &str) -> Option<String> {
        read(&self.root.join(name))
    }
}

/// How many bytes this process may lock; `None` is any number.
#[must_use]
pub fn memlock_limit_bytes() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit to write to.
    let code = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
    (code == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// Whether the kernel can speak CAN: asked by opening a socket, which also makes it load the module if it has one.
#[must_use]
pub fn can_supported() -> bool {
    // SAFETY: takes numbers; the descriptor is closed if there is one, and nobody else knows of it.
    unsafe {
        let socket = libc::socket(libc::AF_CAN, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::CAN_RAW);
        socket >= 0 && libc::close(socket) == 0
    }
}

/// How late this thread wakes from sleeps with absolute deadlines, in nanoseconds, one after the other. It sleeps just
/// as the loop does.
#[must_use]
pub fn timer_lateness_ns(samples: usize, period: Duration) -> Vec<u64> {
    let period_ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
    let bell = Bell::default(); // nobody rings it
    let mut deadline = monotonic_now().after(period_ns);
    (0..samples)
        .map(|_| {
            bell.wait_until(bell.rung(), deadline);
            let late_ns = monotonic_now().since(deadline);
            deadline = next(deadline, late_ns, period_ns);
            late_ns
        })
        .collect()
}

/// The next deadline on the grid that is not already gone: one stall is one late sample, not a burst of them.
fn next(deadline: Nanos, late_ns: u64, period_ns: u64) -> Nanos {
    deadline.after((late_ns / period_ns + 1) * period_ns)
}

fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `0,2-4` as the kernel writes it. What is not a list of numbers is no CPU.
fn cpu_list(text: &str) -> Vec<usize> {
    /// More than any machine has; keeps a damaged file from asking for the memory of a number.
    const CPUS_MAX: usize = 65_536;
    text.split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.trim().parse::<usize>().ok()?..=last.trim().parse::<usize>().ok()?)
        })
        .flatten()
        .take(CPUS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host of files, removed at the end.
    struct Host(PathBuf);

    impl Host {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("reflex-{}-{name}", std::process::id()));
            for (file, text) in files {
                let path = root.join(file);
                fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
                fs::write(path, text).expect("a file");
            }
            Self(root)
        }

        fn probe(&self) -> Probe {
            Probe::at(&self.0)
        }
    }

    impl Drop for Host {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn reads_a_robots_computer() {
        let host = Host::new(
            "robot",
            &[
                ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
                ("sys/devices/system/cpu/isolated", "2-3,5\n"),
                ("sys/devices/system/cpu/online", "0-5\n"),
                ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
                ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
                ("proc/sys/kernel/sched_rt_runtime_us", "950000\n"),
                ("proc/sys/kernel/sched_rt_period_us", "1000000\n"),
                ("proc/sys/kernel/version", "#1 SMP PREEMPT_RT Debian 6.1.0\n"),
                ("proc/stat", "cpu  1 2 3 4 5 6 7 250 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n"),
                ("sys/class/net/eth0/type", "1\n"),
                ("sys/class/net/can1/type", "280\n"),
                ("sys/class/net/can1/operstate", "down\n"),
                ("sys/class/net/can0/type", "280\n"),
                ("sys/class/net/can0/operstate", "up\n"),
            ],
        );
        let probe = host.probe();
        assert_eq!(probe.clock_source().as_deref(), Some("tsc"));
        assert_eq!(probe.isolated_cpus(), [2, 3, 5]);
        assert_eq!(probe.online_cpus().len(), 6);
        assert_eq!(probe.governors(), ["performance"]);
        assert_eq!(probe.throttle(), Some(0.95));
        assert_eq!(probe.preemption(), Preemption::Realtime);
        assert_eq!(probe.stolen(), Duration::from_millis(2_500));
        let names: Vec<(String, bool)> =
            probe.can_interfaces().into_iter().map(|can| (can.name, can.up)).collect();
        assert_eq!(names, [("can0".to_owned(), true), ("can1".to_owned(), false)]);
    }

    #[test]
    fn what_a_container_hides_is_not_a_fault() {
        let host = Host::new("container", &[("proc/sys/kernel/sched_rt_runtime_us", "-1\n")]);
        let probe = host.probe();
        assert_eq!(probe.clock_source(), None);
        assert!(probe.isolated_cpus().is_empty() && probe.governors().is_empty());
        assert_eq!(probe.throttle(), None);
        assert_eq!(probe.stolen(), Duration::ZERO);
        assert_eq!(probe.preemption(), Preemption::Voluntary);
        assert!(probe.can_interfaces().is_empty());
    }

    #[test]
    fn a_damaged_list_of_cpus_is_no_cpus() {
        assert_eq!(cpu_list("0,2-4"), [0, 2, 3, 4]);
        for damaged in ["", " ", "x", "1-", "-", "4-2", "1-x"] {
            assert!(cpu_list(damaged).is_empty(), "{damaged:?}");
        }
        assert_eq!(cpu_list("0-18446744073709551615").len(), 65_536);
    }

    #[test]
    fn samples_one_lateness_a_period() {
        let start = monotonic_now();
        let late_ns = timer_lateness_ns(20, Duration::from_millis(1));
        assert_eq!(late_ns.len(), 20);
        assert!(monotonic_now().since(start) >= 20_000_000);
        assert_eq!(next(Nanos(100), 0, 10), Nanos(110));
        assert_eq!(next(Nanos(100), 25, 10), Nanos(130));
    }
}
