//! The machine: load on it, and what can be seen of it while the daemon runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::wire::Probe;

/// Bytes that a thread of the load writes over and over, and gives back.
const CHURN_BYTES: usize = 32 << 20;
/// How often process and machine are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How much of the run is warming up: caches, arenas, the first of everything.
const WARM_UP: f64 = 0.25;
/// And at most so long.
const WARM_UP_MAX_S: f64 = 300.0;

/// Threads that keep every processor busy at the usual priority, and memory moving.
pub(super) struct Stress(Vec<JoinHandle<u64>>);

impl Stress {
    pub(super) fn start(ends: &Arc<AtomicBool>) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let busy = |_| {
            let ends = Arc::clone(ends);
            std::thread::spawn(move || {
                let mut sum = 0_u64;
                while !ends.load(Ordering::Acquire) {
                    let mut room = vec![0_u8; CHURN_BYTES];
                    for (k, byte) in room.iter_mut().enumerate().step_by(64) {
                        *byte = (k as u64 ^ sum) as u8;
                    }
                    for k in 0..2_000_000_u64 {
                        sum = sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(k);
                    }
                    sum ^= u64::from(room[sum as usize % room.len()]);
                }
                sum
            })
        };
        Self((0..processors).map(busy).collect())
    }
}

impl Drop for Stress {
    fn drop(&mut self) {
        for thread in self.0.drain(..) {
            let _ = thread.join();
        }
    }
}

/// `cyclictest` beside the daemon, at its priority and period: what this machine can do.
pub(super) struct Cyclictest(Child);

/// What it found, us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cyclic {
    pub(super) p99_us: f64,
    pub(super) max_us: f64,
    pub(super) wakeups: u64,
}

impl Cyclictest {
    /// Nothing if it is not installed, or may not do what it does.
    pub(super) fn start(priority: Option<i32>, period_ms: u32, length: Duration) -> Option<Self> {
        let mut command = Command::new("cyclictest");
        command.args(["--quiet", "--mlockall", "--threads=1", "--histogram=1000000"]);
        command.arg(format!("--interval={}", u64::from(period_ms) * 1000));
        command.arg(format!("--priority={}", priority.unwrap_or(0)));
        command.arg(format!("--loops={}", length.as_millis() as u64 / u64::from(period_ms.max(1))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().ok().map(Self)
    }

    /// What it found; it ends by itself.
    pub(super) fn figures(self) -> Option<Cyclic> {
        let told = self.0.wait_with_output().ok().filter(|told| told.status.success())?;
        cyclic(&String::from_utf8_lossy(&told.stdout))
    }
}

/// Reads its histogram: lines of microseconds and a count.
fn cyclic(text: &str) -> Option<Cyclic> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let us: u64 = words.next()?.parse().ok()?;
        let count: u64 = words.next()?.parse().ok()?;
        (count > 0).then_some((us, count))
    };
    let rows: Vec<(u64, u64)> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(row).collect();
    let wakeups: u64 = rows.iter().map(|(_, count)| count).sum();
    let mut seen = 0;
    let p99 = rows.iter().find(|(_, count)| {
        seen += count;
        seen as f64 >= 0.99 * wakeups as f64
    })?;
    Some(Cyclic { p99_us: p99.0 as f64, max_us: rows.last()?.0 as f64, wakeups })
}

/// One look.
#[derive(Clone, Copy, Debug)]
struct Look {
    at_s: f64,
    rss_kib: u64,
    stolen_ms: u64,
}

/// What is seen of the daemon's process, of the machine, and of zenoh itself.
pub(super) struct Watched {
    process: u32,
    folder: PathBuf,
    begun: Instant,
    looks: Vec<Look>,
    pings_us: Vec<f64>,
    next_ping: Instant,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) rss_kib: u64,
    /// How much it grew after warming up, as a line through all looks.
    pub(super) rss_kib_per_hour: f64,
    /// The machine's steal time in the whole run, and the most of it in one look.
    pub(super) stolen_ms: u64,
    pub(super) stolen_worst_ms: u64,
    pub(super) pings_us: Vec<f64>,
    pub(super) files_bytes: u64,
}

impl Watched {
    pub(super) fn begin(process: u32, folder: &Path) -> Self {
        let now = Instant::now();
        let mut watched = Self {
            process,
            folder: folder.to_owned(),
            begun: now,
            looks: Vec::new(),
            pings_us: Vec::new(),
            next_ping: now,
        };
        watched.look();
        watched
    }

    pub(super) fn look(&mut self) {
        let at_s = self.begun.elapsed().as_secs_f64();
        if self.looks.last().is_some_and(|last| at_s - last.at_s < LOOK_EVERY.as_secs_f64()) {
            return;
        }
        let look = Look {
            at_s,
            rss_kib: rss_kib(self.process).unwrap_or_default(),
            stolen_ms: stolen_ms().unwrap_or_default(),
        };
        self.looks.push(look);
    }

    /// Twenty times a second, as often as the loop turns.
    pub(super) fn ping(&mut self, probe: &Probe) {
        if Instant::now() < self.next_ping {
            return;
        }
        self.next_ping = Instant::now() + Duration::from_millis(50);
        if let Some(took) = probe.ping() {
            self.pings_us.push(took.as_secs_f64() * 1e6);
        }
    }

    pub(super) fn words(&self) -> String {
        let last = self.looks.last().map_or(0, |look| look.rss_kib);
        format!("{:.1} MiB resident", last as f64 / 1024.0)
    }

    pub(super) fn figures(&self) -> Figures {
        let length = self.looks.last().map_or(0.0, |look| look.at_s);
        let warm_s = (length * WARM_UP).min(WARM_UP_MAX_S);
        let warm: Vec<&Look> = self.looks.iter().filter(|look| look.at_s >= warm_s).collect();
        let points: Vec<(f64, f64)> =
            warm.iter().map(|look| (look.at_s / 3600.0, look.rss_kib as f64)).collect();
        let stolen = |look: &Look| look.stolen_ms;
        let (first, last) =
            (self.looks.first().map_or(0, stolen), self.looks.last().map_or(0, stolen));
        let worst =
            self.looks.windows(2).map(|two| two[1].stolen_ms.saturating_sub(two[0].stolen_ms));
        Figures {
            rss_kib: self.looks.last().map_or(0, |look| look.rss_kib),
            rss_kib_per_hour: slope(&points),
            stolen_ms: last.saturating_sub(first),
            stolen_worst_ms: worst.max().unwrap_or(0),
            pings_us: self.pings_us.clone(),
            files_bytes: bytes_in(&self.folder),
        }
    }
}

/// The slope of the line of least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (xy, xx) = points.iter().fold((0.0, 0.0), |(xy, xx), (x, y)| {
        (xy + (x - mean_x) * (y - mean_y), xx + (x - mean_x) * (x - mean_x))
    });
    if xx > 0.0 { xy / xx } else { 0.0 }
}

fn rss_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Time that the hypervisor gave to others, of all processors; the kernel counts in hundredths of a second.
fn stolen_ms() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: u64 = stat.lines().next()?.split_whitespace().nth(8)?.parse().ok()?;
    Some(ticks * 10)
}

fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_in(&entry.path()),
        _ => entry.metadata().map_or(0, |told| told.len()),
    };
    entries.flatten().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_of_cyclictest_is_read() {
        let text = "# /dev/cpu_dma_latency set to 0us\n# Histogram\n000000 000000\n000004 000090\n\
                    000007 000009\n000250 000001\n# Total: 000000100\n# Max Latencies: 00250\n";
        let found = cyclic(text).expect("a histogram");
        assert_eq!((found.p99_us, found.max_us, found.wakeups), (7.0, 250.0, 100));
        assert!(cyclic("# nothing\n").is_none());
    }

    #[test]
    fn growth_is_the_slope_of_all_looks() {
        let points: Vec<(f64, f64)> =
            (0..10).map(|k| (f64::from(k), 5.0 + 3.0 * f64::from(k))).collect();
        assert!((slope(&points) - 3.0).abs() < 1e-12);
        assert_eq!(slope(&points[..1]), 0.0);
    }
}
