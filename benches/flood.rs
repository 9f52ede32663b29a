//! What a flood does to the loop: lateness of the ticks of a real daemon while 20,000 messages a second come in that are
//! denied, malformed, oversized or badly signed, against the same daemon left alone, and against the same flood to somebody
//! else on this machine.
//!
//! Prints figures. Run by `make flood`; as a test it takes a few seconds and asserts nothing about time: machines are shared
//! and noisy. `make flood CPU=3` pins the loop to a processor, as `loop.cpu` does; `taskset --cpu-list 0-2 make flood CPU=3`
//! keeps everything else away from it.

use std::{
    fs::{self, File},
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reflexd::security::{Signer, TTL_MS, wall_clock_ms};
use serde_json::{Value, json};
use zenoh::{Config, Session, Wait, qos::CongestionControl};

/// A short period has many ticks to look at.
const PERIOD_MS: u64 = 10;
const PERIOD_NS: u64 = PERIOD_MS * 1_000_000;
const RATE_HZ: u64 = 20_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent.
#[derive(Clone, Copy)]
struct Flood {
    what: &'static str,
    who: &'static str,
    key: &'static str,
    bytes: usize,
    is_signed: bool,
}

const FLOODS: [Flood; 4] = [
    Flood { what: "denied", who: "viewer-wall", key: "cmd/arm", bytes: 100, is_signed: false },
    Flood { what: "malformed", who: "operator-ada", key: "cmd/arm", bytes: 100, is_signed: false },
    Flood {
        what: "oversized",
        who: "operator-ada",
        key: "cmd/arm",
        bytes: 65_537,
        is_signed: false,
    },
    Flood {
        what: "badly signed",
        who: "operator-ada",
        key: "cmd/arm",
        bytes: 100,
        is_signed: true,
    },
];

/// Each of these is carried out: what counts is how many ticks the loop makes of them.
const STOPS: Flood =
    Flood { what: "e-stops", who: "viewer-wall", key: "cmd/estop", bytes: 0, is_signed: false };

fn main() {
    // Cargo says `--bench` to a bench that is to be measured, and nothing to one that is run as a test.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let (rounds, window) =
        if measured { (6, Duration::from_secs(6)) } else { (1, Duration::from_millis(400)) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pki = folder.path().join("pki");
    let made = Command::new(env!("CARGO_BIN_EXE_reflexctl"))
        .args(["certs", "--operator", "ada", "--viewer", "wall", "--out"])
        .arg(&pki)
        .stdout(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "reflexctl makes a PKI");
    let port = free_port();
    let (mut daemon, endpoint) = start(folder.path(), &pki, port);
    let sink_endpoint = format!("tcp/127.0.0.1:{}", free_port());
    let sink = open(&sink_endpoint, "listen", None);
    let _heard = sink.declare_subscriber("reflex/**").callback(|_| {}).wait().expect("a good key");
    let watcher = open(&endpoint, "connect", Some((&pki, "operator-ada")));
    let at_ns = Arc::new(Mutex::new(Vec::<u64>::new()));
    let seen = Arc::clone(&at_ns);
    let _ticks = watcher
        .declare_subscriber("reflex/piper/state/joints")
        .callback(move |sample| {
            let told: Value =
                serde_json::from_slice(&sample.payload().to_bytes()).unwrap_or_default();
            if let (Some(at), Ok(mut seen)) = (told["at_ns"].as_u64(), seen.lock()) {
                seen.push(at);
            }
        })
        .wait()
        .expect("a good key");
    let begun = Instant::now();
    while at_ns.lock().expect("no panic").len() < 10 {
        assert!(begun.elapsed() < PATIENCE, "no ticks: {}", log(folder.path()));
        std::thread::sleep(Duration::from_millis(20));
    }
    let take = || std::mem::take(&mut *at_ns.lock().expect("no panic"));
    let out = &mut std::io::stdout();
    let stolen = steal();
    let granted = !log(folder.path()).contains("SCHED_FIFO");
    let _ = writeln!(
        out,
        "{RATE_HZ} messages a second, {rounds} x {:.1} s each, a tick every {PERIOD_MS} ms; SCHED_FIFO {}\n\
         | messages | sent a second | p99 quiet, us | p99 elsewhere, us | p99 flooded, us | to quiet | to elsewhere |",
        window.as_secs_f64(),
        if granted { "granted" } else { "refused" },
    );
    for flood in FLOODS {
        let mut lateness = [Vec::new(), Vec::new(), Vec::new()];
        let mut sent = 0;
        let mut stops = 0;
        for _ in 0..rounds {
            for (kind, to) in
                [None, Some((&sink_endpoint, None)), Some((&endpoint, Some(flood.who)))]
                    .into_iter()
                    .enumerate()
            {
                let session = to.map(|(endpoint, who)| {
                    open(endpoint, "connect", who.map(|who| (pki.as_path(), who)))
                });
                std::thread::sleep(window / 8);
                take();
                let count = match &session {
                    Some(session) => pour(session, flood, window),
                    None => {
                        std::thread::sleep(window);
                        0
                    }
                };
                lateness[kind].push(take());
                if kind == 2 {
                    sent += count;
                    stops += 1;
                }
            }
        }
        // One grid for all of them: the earliest that any tick has ever been.
        let all = lateness.iter().flatten().flatten();
        let Some(grid) = grid(all.copied()) else { continue };
        let p99 = lateness.map(|windows| {
            let mut late: Vec<u64> = windows
                .into_iter()
                .flatten()
                .map(|at| (at + PERIOD_NS - grid) % PERIOD_NS)
                .collect();
            late.sort_unstable();
            late.get(late.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default() as f64
                / 1e3
        });
        let seconds = window.as_secs_f64() * f64::from(stops.max(1));
        let _ = writeln!(
            out,
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} |",
            flood.what,
            f64::from(u32::try_from(sent).unwrap_or(u32::MAX)) / seconds,
            p99[0],
            p99[1],
            p99[2],
            p99[2] / p99[0],
            p99[2] / p99[1],
        );
        let _ = out.flush();
    }
    let session = open(&endpoint, "connect", Some((&pki, STOPS.who)));
    take();
    let sent = pour(&session, STOPS, window);
    let ticks = take().len();
    let _ = writeln!(
        out,
        "{}: {:.0} a second, {:.0} ticks a second told of, {} on the grid",
        STOPS.what,
        sent as f64 / window.as_secs_f64(),
        ticks as f64 / window.as_secs_f64(),
        1000 / PERIOD_MS,
    );
    let _ = writeln!(out, "stolen by the hypervisor: {} ms", (steal() - stolen) * 10);
    let _ = daemon.kill();
    let _ = daemon.wait();
    if measured {
        let told = log(folder.path());
        let lines = told.lines().count();
        let _ = writeln!(out, "the daemon's log has {lines} lines");
    }
}

/// The phase of the grid. Most ticks come right after it and none before, so it is the earliest of those that are near the
/// most frequent phase; outliers, which may be anywhere behind it, do not count.
fn grid(at_ns: impl Iterator<Item = u64>) -> Option<u64> {
    const BIN_NS: u64 = 20_000;
    const NEAR_NS: u64 = 500_000;
    let phases: Vec<u64> = at_ns.map(|at| at % PERIOD_NS).collect();
    let mut bins = vec![0_u32; (PERIOD_NS / BIN_NS + 1) as usize];
    for phase in &phases {
        bins[(phase / BIN_NS) as usize] += 1;
    }
    let fullest = (0..bins.len()).max_by_key(|bin| bins[*bin])?;
    let from = (fullest as u64 * BIN_NS + PERIOD_NS - NEAR_NS) % PERIOD_NS;
    let after = phases.iter().map(|phase| (phase + PERIOD_NS - from) % PERIOD_NS);
    let first = after.filter(|after| *after <= NEAR_NS + BIN_NS).min()?;
    Some((from + first) % PERIOD_NS)
}

/// Sends for as long as the window lasts; how many were sent.
fn pour(session: &Session, flood: Flood, window: Duration) -> u64 {
    let (ended, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let key = format!("reflex/piper/{}", flood.key);
    let payload = vec![b'{'; flood.bytes];
    // Of somebody who is not who they say.
    let forger = Signer::from_seed("operator-ada", &[9; 32]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let publisher = session
                .declare_publisher(&key)
                .congestion_control(CongestionControl::Drop)
                .wait()
                .expect("a good key");
            let begun = Instant::now();
            let mut signature = None;
            while !ended.load(Ordering::Relaxed) {
                let due = begun.elapsed().as_micros() as u64 * RATE_HZ / 1_000_000;
                let sent = count.load(Ordering::Relaxed);
                for k in sent..due.min(sent + 200) {
                    if flood.is_signed && k % 1000 == 0 {
                        let mut nonce = [0; 16];
                        nonce[..8].copy_from_slice(&k.to_be_bytes());
                        let at = ("piper", key.as_str());
                        let now = (wall_clock_ms(), TTL_MS);
                        signature = Some(forger.sign(at, (&payload, None), nonce, now));
                    }
                    let put = publisher.put(payload.as_slice()).attachment(signature.as_deref());
                    if put.wait().is_ok() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        std::thread::sleep(window);
        ended.store(true, Ordering::Relaxed);
    });
    count.into_inner()
}

fn open(endpoint: &str, how: &str, who: Option<(&Path, &str)>) -> Session {
    let mut config = Config::default();
    let mode = if how == "listen" { "peer" } else { "client" };
    let mut settings = vec![
        ("mode".to_owned(), json!(mode)),
        (format!("{how}/endpoints"), json!([endpoint])),
        ("scouting/multicast/enabled".to_owned(), json!(false)),
    ];
    if let Some((pki, name)) = who {
        let tls = |key: &str, file: String| {
            (format!("transport/link/tls/{key}"), json!(pki.join(file).display().to_string()))
        };
        settings.push(tls("root_ca_certificate", "ca.pem".into()));
        settings.push(tls("connect_certificate", format!("{name}.pem")));
        settings.push(tls("connect_private_key", format!("{name}.key")));
        settings.push(("transport/link/tls/enable_mtls".into(), json!(true)));
    }
    for (key, value) in settings {
        config.insert_json5(&key, &value.to_string()).expect("a zenoh setting");
    }
    // Right after a flood there may be a backlog.
    let begun = Instant::now();
    loop {
        match zenoh::open(config.clone()).wait() {
            Ok(session) => return session,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "nobody listens: {error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn start(folder: &Path, pki: &Path, port: u16) -> (Child, String) {
    let endpoint = format!("tls/127.0.0.1:{port}");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cpu = std::env::var("CPU").map(|cpu| format!("cpu = {cpu}")).unwrap_or_default();
    let config = format!(
        r#"
robot = {robot:?}
backend = "loopback"

[loop]
period_ms = {PERIOD_MS}
fifo_priority = 80
{cpu}

[zenoh]
listen = [{endpoint:?}]

[zenoh.tls]
ca = "{pki}/ca.pem"
certificate = "{pki}/robot-piper.pem"
key = "{pki}/robot-piper.key"

[security]
operators = ["operator-ada"]
viewers = ["viewer-wall"]
signatures = "required"
keys = "{pki}/keys"
"#,
        robot = here.join("config/robots/piper.toml").display().to_string(),
        pki = pki.display(),
    );
    let file = folder.join("daemon.toml");
    fs::write(&file, config).expect("a temporary file");
    let log_file = File::create(folder.join("log")).expect("a temporary file");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_reflexd"))
        .args(["run", "--config"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log_file)
        .spawn()
        .expect("reflexd was built");
    let begun = Instant::now();
    while !log(folder).contains("ready:") {
        let ended = daemon.try_wait().expect("our own child");
        let late = begun.elapsed() > PATIENCE;
        assert!(ended.is_none() && !late, "the daemon is not ready:\n{}", log(folder));
        std::thread::sleep(Duration::from_millis(20));
    }
    (daemon, endpoint)
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Hundredths of a second that the hypervisor gave to others, all processors together.
fn steal() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    line.split_whitespace().nth(8).and_then(|field| field.parse().ok()).unwrap_or(0)
}
