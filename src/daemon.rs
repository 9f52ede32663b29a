//! Wiring: what is started, in which order, and how it ends.
//!
//! ```text
//!   settings ─► robot, heads (proved, warm) ─► zenoh session ─► loop ─► thinker, herald ─► zenoh serves ─► ... signal
//!   signal ─► nothing begins any more ─► come to rest, disarm ─► zenoh closes ─► loop ends ─► the others follow
//! ```
//!
//! The door opens last: who is answered is answered by a daemon that is ready. It closes when the robot stands: closing a
//! session may take its time, and braking does not wait for it.

mod ending;
mod error;
mod house;
mod keeper;
mod router;
mod skills;
#[cfg(feature = "mujoco")]
mod spectacle;
mod swap;
mod telling;
mod wallclock;
mod watchdog;
mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use motion::{Controller, Robot, failsafe::Condition};
use reflex::{
    Backend, Clock, Listener, Loop, Ports, Summary, Thinker,
    backend::swap::{Newcomer, Swap},
    realtime,
    tape::{self, Tape},
};
use tokio::sync::{mpsc as channel, watch};

pub(crate) use ending::wait_for_signal;
use ending::{come_to_rest, end};
use keeper::Keeper;
use router::RouterDesk;
use swap::Backends;
use telling::{Door, News, tell_world};
use watchdog::{Vitals, Watchdog};

pub use error::DaemonError;
pub use house::Reception;
pub use skills::{registry, registry_of};
#[cfg(feature = "mujoco")]
pub use world::scene;

use crate::{
    config::{Pace, RobotSettings, RouterPlace, RouterSettings, Settings},
    inference::{self, Engine, EngineError},
    kinematics::{Arms, Guard},
    operator::{Desk, DeskParts, Notice, words},
    planning::Planner,
    recorder::{Recorder, RecorderParts},
    router::RouterHead,
    skill::{Assignment, Remark, think_aloud},
    telemetry::{Herald, Tidings},
    wire::{EventMessage, House as _, Shape, TimingMessage, Wire, WireSettings},
};

/// A loop's last words, by thread.
type Joined<T> = std::thread::JoinHandle<T>;

/// Tidings that may wait to be told.
const TIDINGS: usize = 1024;
/// A loop that makes no tick for so long, or ticks that nobody tells, are a daemon that is dead. The longest period is a
/// second.
const TICKS_WITHIN: Duration = Duration::from_millis(1500);
/// The thinker may be at one answer for as long as this: a large head on a small machine.
const THINKS_WITHIN: Duration = Duration::from_secs(10);
/// The robot under the law, and what keeps it from touching itself and what is around it.
///
/// # Errors
/// A limit that makes no sense, or a description that does not fit.
pub fn guarded(
    robot: &RobotSettings,
    period_s: f64,
) -> Result<(Robot, Option<Guard>), DaemonError> {
    let law = robot.build(period_s)?;
    let guard = Guard::load(robot)?;
    let law = guard.as_ref().map_or(law, |guard| law.with_workspace(*guard.workspace()));
    Ok((law, guard))
}

/// Starts ONNX Runtime from where the settings, or `make setup`, put it; heads run where the settings say.
///
/// # Errors
/// A library that is missing or unusable.
pub fn engine(settings: &Settings) -> Result<&'static Engine, EngineError> {
    let engine = match &settings.daemon.inference.library {
        Some(library) => Engine::start(library)?,
        None => Engine::start(&inference::find_library()?)?,
    };
    Ok(engine.placed(settings.daemon.inference.placement()))
}

/// Runs a daemon until a signal ends it; returns how punctual it was.
///
/// # Errors
/// Why it did not start.
pub fn run(settings: &Settings) -> Result<TimingMessage, DaemonError> {
    let period_s = f64::from(settings.daemon.loop_.period_ms) / 1e3;
    let arms = Arms::load(&settings.robot_settings)?;
    let (robot, guard) = guarded(&settings.robot_settings, period_s)?;
    let robot = settings.daemon.authority.over(robot);
    let registry = Arc::new(registry(settings, period_s)?);
    let decides = |router: &RouterSettings| router.place == RouterPlace::Daemon;
    let router_head = match &settings.daemon.router {
        Some(router) if decides(router) => router_head(settings)?,
        _ => None,
    };
    let opened = world::open(settings.daemon.backend, settings, &robot, None)?;
    let spectacle = world::Spectacle::default();
    spectacle.reseat(opened.seats);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| DaemonError::Thread { what: "the asynchronous runtime", source })?;

    let clock = match settings.daemon.loop_.pace {
        Pace::Realtime => Clock::Monotonic,
        Pace::Lockstep => Clock::lockstep(),
    };
    let (ports, commander, thinker, listener, switch) = reflex::ports();
    // A port that is in use is found out before anything runs; the door opens when everything does.
    let wire = open_wire(settings, &runtime)?;
    let first = Newcomer { id: swap::FIRST, backend: opened.backend };
    let (backend, exchange) = Swap::new(first, swap::still(settings), switch.clone());
    let (tape, reel) = tape::tape();
    let backend = (Box::new(backend) as Box<dyn Backend>, tape);
    let turns = start_loop(settings, clock.clone(), backend, &robot, ports)?;
    let (assign, assignments) = mpsc::channel();
    let (tell_present, present) = watch::channel(None);
    let (tell, tidings) = channel::channel(TIDINGS);
    let info = house::Info::of(settings);
    let (errand, errands) = mpsc::channel();
    let (swap, swaps) = mpsc::channel();
    let (record, records) = mpsc::channel();
    let desk = Desk::new(DeskParts {
        planner: Arc::new(Planner::new(
            robot,
            settings.robot_settings.joint_names(),
            arms.clone(),
            guard,
        )),
        home: settings.robot_settings.home()?,
        registry,
        clock: clock.clone(),
        commander,
        switch: switch.clone(),
        assignments: assign,
        errands: errand.clone(),
        backends: swap,
        recorder: record,
        present,
        authority: settings.daemon.authority.clone(),
    });
    let law = switch.clone();
    // Nobody minds whether it lives: a robot does not depend on being recorded.
    let (recorder, recording) = Recorder::start(RecorderParts {
        settings: settings.daemon.recorder.clone(),
        name: settings.robot_settings.name.clone(),
        joints: settings.robot_settings.joint_names(),
        robot,
        clock: clock.clone(),
        reel,
        errands: records,
        tidings: tell.clone(),
        disk_full: Box::new(move |is_full| law.tell(Condition::DiskFull, is_full)),
    })
    .map_err(|source| DaemonError::Thread { what: "reflex-recorder", source })?;
    let pulse = thinker.pulse();
    let telling = (clock.clone(), tell.clone());
    let thinking = start_thinker(settings, thinker, assignments, desk.clone(), telling)?;
    let telling = (runtime.handle().clone(), tell.clone());
    // It ends with the process, as the next two do: nothing that it holds has to be put away.
    let keeping =
        Keeper::start(settings, period_s, desk.clone(), clock.clone(), telling, (errand, errands))?;
    let around = swap::Around {
        settings: settings.clone(),
        robot,
        desk: desk.clone(),
        clock: clock.clone(),
        tidings: tell.clone(),
        spectacle: spectacle.clone(),
    };
    let swapping = Backends::start(around, exchange, swaps, opened.watch)?;
    let herald = Herald::new(desk.clone(), tell_present, tell.clone());
    let listening = start_herald(herald, listener)?;

    let instructions = RouterDesk::new(
        desk.clone(),
        clock.clone(),
        tell.clone(),
        settings.daemon.router.clone(),
        (router_head.as_ref(), spectacle.clone()),
    );
    let deciding = instructions.start(router_head, runtime.handle().clone())?;
    let behind = (info, instructions, recorder.clone());
    let reception = Reception::new(desk.clone(), clock, tell, behind);
    let told = Arc::new(AtomicU64::new(0));
    let mut vitals = Vitals::default();
    vitals
        .minds("the loop", &turns)
        .minds("the thinker", &thinking)
        .minds("the herald", &listening);
    vitals.minds("the registry's keeper", &keeping).minds("the backends' keeper", &swapping);
    vitals.minds("the router", &deciding);
    // A tick is seen here when the loop has made it and the herald has told it.
    vitals.moves("the loop", TICKS_WITHIN, || desk.present().map_or(0, |it| it.tick.tick.0));
    vitals.moves("the thinker", THINKS_WITHIN, || pulse.beats());
    vitals.moves("the telling side", TICKS_WITHIN, || told.load(Ordering::Relaxed));
    if settings.daemon.loop_.pace == Pace::Realtime {
        runtime.spawn(wallclock::watch(switch.clone()));
    }
    let news = News { tidings, told: Arc::clone(&told), arms, recorder: recorder.clone() };
    let watchdog = Watchdog::new(vitals);
    let door =
        runtime.block_on(serve(wire, settings, &robot, &reception, news, spectacle, watchdog));
    desk.close();
    match runtime.block_on(come_to_rest(&desk)) {
        Some(()) => tracing::info!("the robot is at rest"),
        None => tracing::error!("the robot was not seen to come to rest"),
    }
    // Elsewhere, so that it cannot keep the process: what it has not done when the runtime is shut down stays undone.
    let ended = door.map(|door| drop(runtime.spawn_blocking(move || door.close())));
    let summary = end(&switch, turns, thinking, listening);
    recorder.end();
    let _ = ending::join("the recorder", recording);
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended.map(|()| summary)
}

/// The router's head of the settings, proved; nothing where there is none.
///
/// # Errors
/// A head that is not as it should be.
pub fn router_head(settings: &Settings) -> Result<Option<RouterHead>, DaemonError> {
    let head = settings.daemon.router.as_ref().and_then(|router| router.head.as_deref());
    let Some(file) = head else { return Ok(None) };
    // A file that cannot be read is told of by whoever loads it.
    if let Ok(sha256) = crate::head::digest_of_file(file) {
        settings.daemon.security.seal()?.check(file, &sha256)?;
    }
    let body = crate::action::Body::load(&settings.robot_settings)?;
    Ok(Some(RouterHead::load(file, &body, engine(settings)?)?))
}

fn start_loop(
    settings: &Settings,
    clock: Clock,
    (backend, tape): (Box<dyn Backend>, Tape),
    robot: &Robot,
    ports: Ports,
) -> Result<Joined<Summary>, DaemonError> {
    let wanted = &settings.daemon.loop_;
    let lockstep = clock.is_virtual();
    let realtime = realtime::Settings {
        // Virtual time runs as fast as it can: at a real-time priority it would take the machine from everybody.
        priority: wanted.fifo_priority.filter(|_| !lockstep),
        cpu: wanted.cpu,
        lock_memory: wanted.lock_memory && !lockstep,
        ..realtime::Settings::default()
    };
    let law = Controller::new(*robot);
    let (granted, answer) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let thread = spawn("reflex-loop", move || {
        let _ = granted.send(realtime::enter(&realtime));
        // Without the word the daemon does not start after all.
        let turns = Loop::new(clock, backend, law, ports).recorded(tape);
        if wait.recv().is_ok() { turns.run() } else { Summary::default() }
    })?;
    let Ok(report) = answer.recv() else { return Ok(thread) };
    let reasons: Vec<String> = report.refused().map(|refusal| refusal.to_string()).collect();
    for reason in &reasons {
        tracing::warn!("real time: {reason}");
    }
    if wanted.enforce_realtime && !reasons.is_empty() {
        return Err(DaemonError::Realtime { reasons: reasons.join("; ") });
    }
    let _ = go.send(());
    Ok(thread)
}

fn start_thinker(
    settings: &Settings,
    thinker: Thinker,
    assignments: mpsc::Receiver<Assignment>,
    desk: Desk,
    (clock, tidings): (Clock, channel::Sender<Tidings>),
) -> Result<Joined<()>, DaemonError> {
    let wanted = &settings.daemon.loop_;
    let lockstep = wanted.pace == Pace::Lockstep;
    // What the loop waits for is as urgent as the loop, but for the loop itself; and on the loop's own processor, if it
    // has one, it is handed over instead of sent for.
    let wishes = realtime::Settings {
        priority: wanted
            .fifo_priority
            .filter(|priority| !lockstep && *priority > 1)
            .map(|it| it - 1),
        cpu: wanted.cpu.filter(|_| !lockstep),
        lock_memory: false,
        stack_prefault_bytes: 0,
    };
    spawn("reflex-thinker", move || {
        for refusal in realtime::enter(&wishes).refused() {
            tracing::debug!("the thinker, in real time: {refusal}");
        }
        think_aloud(thinker, &assignments, |remark| match remark {
            Remark::Failed(failure) => {
                tracing::error!(run = failure.run.0, "no chunk: {}", failure.reason);
                if let Some(running) = desk.running(failure.run) {
                    desk.notice(Notice::Trip(running, format!("no chunk: {}", failure.reason)));
                }
            }
            Remark::Odd { run, oddity, name } => {
                desk.saw_odd(run, oddity.numbers, name.as_deref());
                let Some(name) = name else { return };
                let reason = format!("{name} is at its clip, one of {} numbers", oddity.numbers);
                tracing::warn!(run = run.0, "out of distribution: {reason}");
                let event = EventMessage {
                    who: "thinker".into(),
                    what: format!("run {}", run.0),
                    outcome: "out_of_distribution".into(),
                    reason: Some(reason),
                    at_ns: clock.now().0,
                    ..EventMessage::default()
                };
                let _ = tidings.try_send(Tidings::Event("run", event));
            }
        });
    })
}

fn start_herald(herald: Herald, listener: Listener) -> Result<Joined<TimingMessage>, DaemonError> {
    spawn("reflex-herald", move || herald.listen(listener))
}

fn spawn<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Joined<T>, DaemonError> {
    let builder = std::thread::Builder::new().name(what.into());
    builder.spawn(work).map_err(|source| DaemonError::Thread { what, source })
}

fn open_wire(settings: &Settings, runtime: &tokio::runtime::Runtime) -> Result<Wire, DaemonError> {
    let _inside = runtime.enter();
    for warning in settings.daemon.warnings() {
        tracing::warn!("{warning}");
    }
    if let Some(tls) = &settings.daemon.zenoh.tls {
        tls.check()?;
    }
    let gatekeeping = settings.daemon.security.gatekeeping()?;
    Ok(Wire::open(&WireSettings {
        robot: settings.robot_settings.name.clone(),
        listen: settings.daemon.zenoh.listen.clone(),
        connect: settings.daemon.zenoh.connect.clone(),
        scouting: false,
        tls: settings.daemon.zenoh.tls.clone(),
        roster: settings.daemon.security.roster(),
        gatekeeping,
    })?)
}

/// Opens the door, tells the world what happens, and returns when a signal asks for the end.
async fn serve(
    wire: Wire,
    settings: &Settings,
    robot: &Robot,
    reception: &Reception,
    news: News,
    spectacle: world::Spectacle,
    mut watchdog: Watchdog<'_>,
) -> Result<Door, DaemonError> {
    let name = &settings.robot_settings.name;
    let joints = settings.robot_settings.joint_names();
    let shape = Shape { joints, limits: robot.limits().to_vec() };
    let service = Arc::new(wire.serve(reception.clone(), shape)?);
    let endpoints = settings.daemon.zenoh.listen.join(", ");
    tracing::info!(robot = name, endpoints, "ready: try `reflexctl status`");
    spectacle.show(&service, reception)?;
    let telling = tokio::spawn(tell_world(Arc::clone(&service), news));
    let doing = || {
        let Some(present) = reception.present() else { return format!("{name}: starting") };
        let mode = words::mode(&present.tick.mode);
        let trouble = present.trouble.as_ref().map(|trouble| format!(": {trouble}"));
        format!("{name}: {mode}{}", trouble.unwrap_or_default())
    };
    tokio::select! {
        () = watchdog.keep(doing) => {}
        () = wait_for_signal() => {}
    }
    watchdog.ends();
    Ok(Door { service, telling })
}
