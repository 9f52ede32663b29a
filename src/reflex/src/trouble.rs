//! Faults on purpose: what is wrong with the world now, for as long as somebody wants it to be.
//!
//! One switch a fault, on one board. Whoever is to misbehave looks at its switch and waits for nothing; whoever throws it
//! says until when, by the loop's clock, so that every fault ends by itself. Here is only what is wrong: who may ask for it
//! is `src/operator/inject.rs`, what comes of it [`crate::backend::troubled`], the loop, the thinker, the desk, the
//! recorder and whoever minds the wall clock.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use motion::Nanos;

/// What can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// What is measured does not come.
    CanDrop,
    /// What is measured comes, and does not change.
    Freeze,
    /// A joint is measured where it cannot be.
    Garbage,
    /// A joint is measured to be no number.
    GarbageNan,
    /// One joint too few is measured.
    GarbageShape,
    /// What is measured comes late, and so do commands.
    Delay,
    /// The robot does not answer at all.
    Lost,
    /// The robot hears no commands.
    Deaf,
    /// The robot says that it is getting warm.
    Warm,
    /// The robot says that a motor is too hot.
    Hot,
    /// The motors let go.
    LetGo,
    /// The loop is held up in every tick.
    Overrun,
    /// Answers of heads come late, or not at all.
    GpuStall,
    /// Heads answer what is no number.
    Nan,
    /// Heads answer for one joint too few.
    WrongShape,
    /// Heads answer leaps.
    Wild,
    /// Each answer of a head comes with others that nobody asked for.
    ChunkFlood,
    /// Nothing comes of instructions, embeddings and decisions.
    RouterFreeze,
    /// The operator's heartbeats do not come.
    OperatorSilent,
    /// The wall clock is set to another time, and back.
    ClockStep,
    /// The recorder has no room.
    DiskFull,
}

/// What a fault is told besides how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Its name, with its unit.
    pub name: &'static str,
    /// What it is for.
    pub what: &'static str,
    /// Least.
    pub min: u64,
    /// Most.
    pub max: u64,
    /// If nothing is said.
    pub default: u64,
}

/// Everything that is known of one fault.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The fault.
    pub trouble: Trouble,
    /// What it is called.
    pub name: &'static str,
    /// What goes wrong.
    pub what: &'static str,
    /// What it is told besides.
    pub amount: Option<Amount>,
}

const fn known(trouble: Trouble, name: &'static str, what: &'static str) -> Known {
    Known { trouble, name, what, amount: None }
}

const fn with(known: Known, amount: Amount) -> Known {
    Known { amount: Some(amount), ..known }
}

/// Longest delay of what is measured and commanded: what is on the way has to be kept.
pub(crate) const DELAY_MAX_MS: u64 = 2_000;

/// Every fault, in the order of [`Trouble`].
pub const KNOWN: [Known; 21] = [
    with(
        known(Trouble::CanDrop, "can-drop", "measurements get lost"),
        Amount {
            name: "share_percent",
            what: "how many of a hundred",
            min: 1,
            max: 100,
            default: 100,
        },
    ),
    known(Trouble::Freeze, "freeze", "measurements come, and do not change"),
    known(Trouble::Garbage, "garbage", "one joint is measured where it cannot be"),
    known(Trouble::GarbageNan, "garbage-nan", "one joint is measured to be no number"),
    known(Trouble::GarbageShape, "garbage-shape", "one joint too few is measured"),
    with(
        known(Trouble::Delay, "delay", "measurements and commands arrive late"),
        Amount { name: "delay_ms", what: "by how much", min: 1, max: DELAY_MAX_MS, default: 300 },
    ),
    known(Trouble::Lost, "lost", "the backend says that it lost the robot"),
    known(Trouble::Deaf, "deaf", "commands do not reach the robot"),
    known(Trouble::Warm, "warm", "the robot says that it is getting warm"),
    known(Trouble::Hot, "hot", "the robot says that a motor is too hot"),
    known(Trouble::LetGo, "let-go", "the motors follow no commands, and say so"),
    with(
        known(Trouble::Overrun, "overrun", "each tick takes longer"),
        Amount { name: "stall_ms", what: "by how much", min: 1, max: 1_000, default: 120 },
    ),
    with(
        known(Trouble::GpuStall, "gpu-stall", "answers of heads come late"),
        Amount {
            name: "stall_ms",
            what: "by how much; not before it is over, if left out",
            min: 1,
            max: 60_000,
            default: 60_000,
        },
    ),
    known(Trouble::Nan, "nan", "heads answer what is no number"),
    known(Trouble::WrongShape, "wrong-shape", "heads answer for one joint too few"),
    known(Trouble::Wild, "wild", "heads answer leaps"),
    known(Trouble::ChunkFlood, "chunk-flood", "heads answer what nobody asked for besides"),
    known(
        Trouble::RouterFreeze,
        "router-freeze",
        "nothing comes of instructions, embeddings and decisions",
    ),
    known(Trouble::OperatorSilent, "operator-silent", "the operator's heartbeats get lost"),
    with(
        known(Trouble::ClockStep, "clock-step", "the wall clock leaps, and back when it is over"),
        Amount {
            name: "step_ms",
            what: "by how much",
            min: 200,
            max: 86_400_000,
            default: 3_600_000,
        },
    ),
    known(Trouble::DiskFull, "disk-full", "the recorder has no room"),
];

impl Trouble {
    /// What is known of it.
    #[must_use]
    pub const fn known(self) -> &'static Known {
        &KNOWN[self as usize]
    }

    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        KNOWN.iter().find(|known| known.name == name).map(|known| known.trouble)
    }
}

#[derive(Debug, Default)]
struct Switch {
    /// The loop's time at which it ends; zero if it is off.
    until_ns: AtomicU64,
    amount: AtomicU64,
}

/// The board. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    switches: Arc<[Switch; KNOWN.len()]>,
}

impl Troubles {
    /// Lets a fault be until then; instead of what it was before.
    pub fn begin(&self, trouble: Trouble, amount: u64, until: Nanos) {
        let switch = &self.switches[trouble as usize];
        switch.amount.store(amount, Ordering::Relaxed);
        switch.until_ns.store(until.0, Ordering::Release);
    }

    /// Ends all of them.
    pub fn clear(&self) {
        for switch in self.switches.iter() {
            switch.until_ns.store(0, Ordering::Release);
        }
    }

    /// The amount of a fault, if it is on.
    #[must_use]
    pub fn on(&self, trouble: Trouble, now: Nanos) -> Option<u64> {
        let switch = &self.switches[trouble as usize];
        (switch.until_ns.load(Ordering::Acquire) > now.0)
            .then(|| switch.amount.load(Ordering::Relaxed))
    }

    /// For how much longer a fault is on, in nanoseconds; zero if it is not.
    #[must_use]
    pub fn left_ns(&self, trouble: Trouble, now: Nanos) -> u64 {
        Nanos(self.switches[trouble as usize].until_ns.load(Ordering::Acquire)).since(now)
    }

    /// By how much an answer that is made now comes late, in nanoseconds: never later than when the heads are well again.
    #[must_use]
    pub fn stall_ns(&self, now: Nanos) -> u64 {
        let stall_ms = self.on(Trouble::GpuStall, now).unwrap_or(0);
        stall_ms.saturating_mul(1_000_000).min(self.left_ns(Trouble::GpuStall, now))
    }

    /// Whether anything is on.
    #[must_use]
    pub fn any(&self, now: Nanos) -> bool {
        KNOWN.iter().any(|known| self.on(known.trouble, now).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_its_amounts_make_sense() {
        for (place, known) in KNOWN.iter().enumerate() {
            assert_eq!(known.trouble as usize, place, "{}", known.name);
            assert_eq!(Trouble::named(known.name), Some(known.trouble));
            if let Some(Amount { name, min, max, default, .. }) = known.amount {
                assert!((min..=max).contains(&default), "{}: {name}", known.name);
            }
        }
        assert_eq!(Trouble::named("gremlins"), None);
    }

    #[test]
    fn a_fault_ends_by_itself_and_all_of_them_at_a_word() {
        let (troubles, at) = (Troubles::default(), |ms: u64| Nanos(ms * 1_000_000));
        assert!(!troubles.any(at(0)));
        troubles.begin(Trouble::Delay, 300, at(50));
        troubles.begin(Trouble::GpuStall, 20, at(40));
        assert_eq!(troubles.on(Trouble::Delay, at(49)), Some(300));
        assert_eq!(troubles.on(Trouble::Delay, at(50)), None);
        assert_eq!(troubles.stall_ns(at(10)), 20_000_000);
        assert_eq!(troubles.stall_ns(at(35)), 5_000_000, "then it is over");
        assert_eq!(troubles.stall_ns(at(41)), 0);
        assert!(troubles.clone().any(at(45)), "clones are one board");
        troubles.clear();
        assert!(!troubles.any(at(0)));
    }
}
