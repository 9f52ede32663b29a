//! A daemon in a storm: everything that can go wrong at once, drawn from a seed, and promises that hold in every tick.
//!
//! ```text
//!   seed ──► weather ──► messages, faults, late ticks, swaps ──► bottle: the whole daemon, a tick ──► judge
//! ```
//!
//! A seed is one daemon's life. The same seed is the same life, to the bit. One that breaks a promise prints the command
//! that lives it once more, which kinds of trouble it takes, and what happened last.

mod diagram;
pub(crate) mod judge;
mod mutation;
mod weather;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::{Duration, Instant},
};

use motion::{Event, Mode, TickIndex};
use reflexd::config::{AuthoritySettings, LeaseKind};

use crate::bottle::{Bottle, Digest, Made, Stock};
use judge::{Broken, Judge, Promise};
use mutation::Mutation;
use weather::{Kind, Weather};

/// Ticks of a life: five minutes at 20 Hz.
const TICKS: u64 = 6_000;
/// How long the storm of `make test` lasts.
const SHORT: Duration = Duration::from_secs(15);
/// Its first seed.
const SEED: u64 = 20_261_129;
/// How often a long storm says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// A simulated day.
const DAY_S: f64 = 86_400.0;

#[cfg(feature = "mujoco")]
const BODIES: &[Made] = &[Made::Loopback, Made::Mujoco];
#[cfg(not(feature = "mujoco"))]
const BODIES: &[Made] = &[Made::Loopback];

/// The shipped robots, by name.
const ROBOTS: [(&str, &str); 2] =
    [("piper", "config/daemon.toml"), ("fireboy", "config/fireboy.toml")];

/// One daemon's life.
#[derive(Clone, Debug)]
struct Life {
    seed: u64,
    robot: usize,
    made: Made,
    /// Whether nobody commands without the lease.
    lease: bool,
    ticks: u64,
    kinds: Vec<Kind>,
}

/// How it went.
#[derive(Clone, Debug, Default)]
struct Lived {
    digest: Option<Digest>,
    ticks: u64,
    simulated_s: f64,
    moved_ticks: u64,
    braked_ticks: u32,
    modes: BTreeMap<String, u64>,
    happened: BTreeSet<String>,
}

/// How it broke.
struct Wreck {
    broken: Broken,
    log: Vec<String>,
}

impl Life {
    /// The life of a seed: mostly without physics, which take their time.
    fn of(seed: u64) -> Self {
        let made = if seed % 8 < 6 { BODIES[0] } else { BODIES[BODIES.len() - 1] };
        let ticks = if made == Made::Loopback { TICKS } else { TICKS / 6 };
        let robot = (seed % 2) as usize;
        Self { seed, robot, made, lease: seed % 16 >= 8, ticks, kinds: Kind::ALL.to_vec() }
    }

    fn live(&self, stocks: &Stocks) -> Result<Lived, Box<Wreck>> {
        self.live_with(stocks, None)
    }

    /// The same, with something changed on its way to the judge.
    fn live_with(
        &self,
        stocks: &Stocks,
        mut mutation: Option<Mutation>,
    ) -> Result<Lived, Box<Wreck>> {
        let stock = stocks.get(self.robot, self.lease);
        let mut bottle = Bottle::start(stock, self.made, self.seed);
        let mut judge = Judge::new(stock.robot);
        let bodies = if self.made == Made::Loopback { &BODIES[..1] } else { BODIES };
        let mut weather = Weather::new(self.seed, &self.kinds, stock.skills(), bodies);
        let mut lived = Lived::default();
        let mut last = TickIndex(0);
        for tick in 0..self.ticks {
            weather.blow(tick, &mut bottle);
            bottle.spoils_the_tape =
                tick > 100 && mutation.as_ref().is_some_and(|it| it.promise == Promise::Replay);
            let panicked = |words| Broken { promise: Promise::Panic, tick: last, words };
            let looked = bottle.turn().map_err(panicked).and_then(|mut seen| {
                last = seen.tick;
                if let Some(mutation) = &mut mutation {
                    mutation.change(&mut seen, stock)?;
                }
                judge.look(&seen)?;
                lived.take_in(&seen.mode, &seen.events);
                lived.simulated_s = seen.at.0 as f64 / 1e9;
                same_again(&bottle, seen.tick)
            });
            if let Err(broken) = looked {
                return Err(Box::new(Wreck { broken, log: weather.log.into() }));
            }
            lived.ticks += 1;
        }
        lived.moved_ticks = judge.moved_ticks;
        lived.braked_ticks = judge.braked_ticks;
        lived.digest = Some(bottle.digest);
        Ok(lived)
    }

    /// The command that lives it once more.
    fn command(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|kind| kind.name()).collect();
        let kinds = if self.kinds.len() == Kind::ALL.len() {
            String::new()
        } else {
            format!(" STORM_KINDS={}", kinds.join(","))
        };
        format!(
            "STORM_SEED={} STORM_ROBOT={} STORM_BODY={} STORM_LEASE={} STORM_TICKS={}{kinds} cargo test --locked --features mujoco \
             --workspace --exclude trt --test it storm::a_storm -- --nocapture",
            self.seed,
            ROBOTS[self.robot].0,
            made_name(self.made),
            self.lease,
            self.ticks
        )
    }

    /// The same without what it does not take to break the same promise: fewer kinds of trouble, then no longer than that.
    fn shrunk(&self, stocks: &Stocks, wreck: &Wreck) -> (Self, Box<Wreck>) {
        let mut life = Self { ticks: wreck.broken.tick.0 + 1, ..self.clone() };
        let mut worst = None;
        for kind in Kind::ALL {
            let kinds = life.kinds.iter().copied().filter(|other| *other != kind).collect();
            let without = Self { kinds, ticks: self.ticks, ..life.clone() };
            if let Err(again) = without.live(stocks)
                && again.broken.promise == wreck.broken.promise
            {
                life = Self { ticks: again.broken.tick.0 + 1, ..without };
                worst = Some(again);
            }
        }
        let same = || Box::new(Wreck { broken: wreck.broken.clone(), log: wreck.log.clone() });
        (life, worst.unwrap_or_else(same))
    }
}

impl Lived {
    fn take_in(&mut self, mode: &Mode, events: &[Event]) {
        let debug = format!("{mode:?}");
        let name = debug.split([' ', '{']).next().unwrap_or_default();
        *self.modes.entry(name.to_owned()).or_default() += 1;
        if let Mode::Faulted { why, .. } = mode {
            let why = format!("{why:?}");
            self.happened.insert(why.split([' ', '{', '(']).next().unwrap_or_default().to_owned());
        }
        for event in events {
            if let Event::Ended { ending, .. } = event {
                self.happened.insert(format!("{ending:?}"));
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.ticks += other.ticks;
        self.simulated_s += other.simulated_s;
        self.moved_ticks += other.moved_ticks;
        self.braked_ticks = self.braked_ticks.max(other.braked_ticks);
        for (mode, ticks) in other.modes {
            *self.modes.entry(mode).or_default() += ticks;
        }
        self.happened.extend(other.happened);
    }
}

/// What was recorded is executed once more, and the same comes of it.
fn same_again(bottle: &Bottle<'_>, tick: TickIndex) -> Result<(), Broken> {
    let found = bottle.replay.found();
    if found.different == 0 && found.unchecked == 0 {
        return Ok(());
    }
    Err(Broken { promise: Promise::Replay, tick, words: format!("{found:?}") })
}

/// What the robots have in common, loaded when it is first needed.
#[derive(Default)]
struct Stocks([[OnceCell<Stock>; 2]; ROBOTS.len()]);

impl Stocks {
    fn get(&self, robot: usize, lease: bool) -> &Stock {
        let kind = if lease { LeaseKind::Required } else { LeaseKind::Physical };
        // Who is away for so long is gone soon enough for a storm.
        let authority =
            AuthoritySettings { lease: kind, park_after_ms: 2_000, ..AuthoritySettings::default() };
        let stock = &self.0[robot][usize::from(lease)];
        stock.get_or_init(|| Stock::load(ROBOTS[robot].1, authority))
    }
}

fn made_name(made: Made) -> String {
    format!("{made:?}").to_lowercase()
}

/// Ends the test with everything that somebody has to know who mends it.
fn report(life: &Life, stocks: &Stocks, wreck: &Wreck) -> ! {
    let mut told = String::new();
    let Broken { promise, tick, words } = &wreck.broken;
    let _ = writeln!(told, "\nthe promise {promise:?} was broken in tick {}: {words}", tick.0);
    let _ = writeln!(told, "once more:\n  {}", life.command());
    let (smaller, again) = life.shrunk(stocks, wreck);
    if smaller.kinds.len() < life.kinds.len() {
        let Broken { tick, words, .. } = &again.broken;
        let _ = writeln!(told, "with less, in tick {}: {words}\n  {}", tick.0, smaller.command());
    }
    let _ = writeln!(told, "what happened last:\n  {}", again.log.join("\n  "));
    panic!("{told}");
}

fn environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} makes no sense")))
}

/// The one life that the environment asks for.
fn asked_for() -> Option<Life> {
    let robot: String = environment("STORM_ROBOT")?;
    let mut life = Life::of(environment("STORM_SEED").expect("STORM_ROBOT needs STORM_SEED"));
    life.robot = ROBOTS.iter().position(|(name, _)| *name == robot).expect("piper or fireboy");
    if let Some(made) = environment::<String>("STORM_BODY") {
        let known = BODIES.iter().find(|body| made_name(**body) == made);
        life.made = *known.expect("loopback or mujoco");
    }
    life.lease = environment("STORM_LEASE").unwrap_or(life.lease);
    life.ticks = environment("STORM_TICKS").unwrap_or(life.ticks);
    if let Some(kinds) = environment::<String>("STORM_KINDS") {
        life.kinds.retain(|kind| kinds.split(',').any(|name| name == kind.name()));
    }
    Some(life)
}

#[test]
fn a_storm_breaks_no_promise() {
    let stocks = Stocks::default();
    if let Some(life) = asked_for() {
        return match life.live(&stocks) {
            Ok(lived) => eprintln!("storm: {lived:?}"),
            Err(wreck) => report(&life, &stocks, &wreck),
        };
    }
    let hours: Option<f64> = environment("STORM_HOURS");
    let lasts = hours.map_or(SHORT, |hours| Duration::from_secs_f64(hours * 3_600.0));
    let first: u64 = environment("STORM_SEED").unwrap_or(SEED);
    eprintln!("storm: seeds from {first}");
    let (mut all, mut lives) = (Lived::default(), 0);
    let (begun, mut told) = (Instant::now(), Instant::now());
    // At least one life of each robot on each body.
    while begun.elapsed() < lasts || lives < 16 {
        let life = Life::of(first + lives);
        match life.live(&stocks) {
            Ok(lived) => all.add(lived),
            Err(wreck) => report(&life, &stocks, &wreck),
        }
        lives += 1;
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            tell(&all, first, lives, begun.elapsed());
        }
    }
    tell(&all, first, lives, begun.elapsed());
    // A storm in which nothing happens proves nothing.
    assert!(all.moved_ticks * 20 > all.ticks, "the robot hardly moved: {all:?}");
    for mode in ["Disarmed", "Holding", "Moving", "Stopping", "Faulted", "EStopped"] {
        assert!(all.modes.get(mode).is_some_and(|ticks| *ticks > 100), "{mode}: {all:?}");
    }
    for happened in ["StateStale", "StateNotFinite", "StateShape", "BackendLost", "Diverged"]
        .iter()
        .chain(&["GrossJump", "Done", "Superseded", "Stopped", "RanDry"])
    {
        assert!(all.happened.contains(*happened), "no {happened}: {all:?}");
    }
}

fn tell(all: &Lived, first: u64, lives: u64, took: Duration) {
    eprintln!(
        "storm: {lives} lives, seeds {first} to {}, {:.2} simulated robot-days in {:.0} s, {:.0} % of {} ticks in motion, \
         braked within {} ticks; {:?} {:?}",
        first + lives - 1,
        all.simulated_s / DAY_S,
        took.as_secs_f64(),
        100.0 * all.moved_ticks as f64 / all.ticks as f64,
        all.ticks,
        all.braked_ticks,
        all.modes,
        all.happened,
    );
}

#[test]
fn the_same_seed_is_the_same_storm_to_the_bit() {
    let stocks = Stocks::default();
    for (robot, made) in [(0, BODIES[0]), (1, BODIES[BODIES.len() - 1])] {
        let life = Life { robot, made, ticks: 2_000, ..Life::of(SEED) };
        let live = |life: &Life| {
            let lived = life.live(&stocks).unwrap_or_else(|wreck| report(life, &stocks, &wreck));
            lived.digest
        };
        assert_eq!(live(&life), live(&life), "{}", life.command());
        let other = Life { seed: SEED + 1, ..life.clone() };
        assert_ne!(live(&life), live(&other), "another seed is another storm");
    }
}

#[test]
fn every_promise_is_one_that_can_be_broken() {
    let stocks = Stocks::default();
    for promise in Mutation::ALL {
        // Somebody moves the robot about, and stops it now and then.
        let kinds = vec![Kind::Operator, Kind::Flapping, Kind::EStop, Kind::Lease];
        let life = Life { robot: 0, made: BODIES[0], ticks: 6_000, kinds, ..Life::of(SEED) };
        let caught = match life.live_with(&stocks, Some(Mutation::of(promise))) {
            Err(wreck) => wreck.broken,
            Ok(_) => panic!("{promise:?}: nobody noticed; {}", life.command()),
        };
        assert_eq!(caught.promise, promise, "{caught:?}");
    }
}
