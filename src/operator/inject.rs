//! Faults on purpose, as somebody asks for them: where they may be asked for, and what is refused.
//!
//! They are for simulated robots. While a real one acts, or is about to, there are none; and while there is one, no real
//! robot is let in.

use std::sync::Mutex;

use motion::Nanos;
use reflex::trouble::{Amount, KNOWN, Trouble, Troubles};

use super::{Desk, desk::lock};
use crate::config::BackendKind;

/// Longest that a fault lasts without being asked for again.
pub const FOR_MS_MAX: u64 = 60_000;
/// How long one lasts if nothing is said.
pub const FOR_MS: u64 = 2_000;

/// What may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectAct {
    /// Let this be wrong.
    Begin {
        /// What.
        trouble: Trouble,
        /// For how long, by the loop's time.
        for_ms: u64,
        /// How much of it, in its own unit.
        amount: u64,
    },
    /// End all of them.
    Clear,
    /// Say what is on.
    Show,
}

impl InjectAct {
    /// For the audit trail.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Begin { trouble, for_ms, amount } => {
                let known = trouble.known();
                let amount = known.amount.map(|of| format!(", {} {amount}", of.name));
                format!("let {} be for {for_ms} ms{}", known.name, amount.unwrap_or_default())
            }
            Self::Clear => "end all faults that were injected".into(),
            Self::Show => "say which faults are injected".into(),
        }
    }
}

/// Who may inject faults, and the board of those that are on.
#[derive(Debug)]
pub struct Injection {
    troubles: Troubles,
    acts: Mutex<BackendKind>,
}

impl Injection {
    /// A board without a fault, while this backend acts.
    #[must_use]
    pub fn new(acts: BackendKind) -> Self {
        Self { troubles: Troubles::default(), acts: Mutex::new(acts) }
    }

    /// The board.
    #[must_use]
    pub const fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// Another backend is about to act. A real one is not let in while anything is wrong on purpose, and from then on nothing
    /// may be.
    ///
    /// # Errors
    /// What is still on.
    pub fn about_to_act(&self, kind: BackendKind, now: Nanos) -> Result<(), String> {
        let mut acts = lock(&self.acts);
        if kind.is_hardware() {
            if self.troubles.any(now) {
                return Err(format!(
                    "faults are injected ({}), and {} is a real arm: `reflexctl inject --clear` first",
                    self.shown(now).join(", "),
                    kind.name()
                ));
            }
            *acts = kind;
        }
        Ok(())
    }

    /// This one acts from now on.
    pub fn acts(&self, kind: BackendKind) {
        let mut acts = lock(&self.acts);
        *acts = kind;
        if kind.is_hardware() {
            self.troubles.clear();
        }
    }

    /// Carries out an act; what is on from now on.
    ///
    /// # Errors
    /// A real robot acts.
    pub fn act(&self, act: InjectAct, now: Nanos) -> Result<Vec<String>, String> {
        let acts = lock(&self.acts);
        match act {
            InjectAct::Begin { trouble, for_ms, amount } => {
                if acts.is_hardware() {
                    return Err(format!(
                        "{} acts, which is a real arm: faults are injected into simulated robots only",
                        acts.name()
                    ));
                }
                let until = now.after(for_ms.min(FOR_MS_MAX) * 1_000_000);
                self.troubles.begin(trouble, amount, until);
            }
            InjectAct::Clear => self.troubles.clear(),
            InjectAct::Show => {}
        }
        drop(acts);
        let shown = self.shown(now);
        Ok(if shown.is_empty() { vec!["nothing is injected".into()] } else { shown })
    }

    fn shown(&self, now: Nanos) -> Vec<String> {
        let on = |known: &&reflex::trouble::Known| self.troubles.on(known.trouble, now).is_some();
        let words = |known: &reflex::trouble::Known| {
            let amount = self.troubles.on(known.trouble, now).unwrap_or_default();
            let left_s = self.troubles.left_ns(known.trouble, now) as f64 / 1e9;
            match known.amount {
                Some(Amount { name, .. }) => {
                    format!("{} ({name} {amount}) for {left_s:.1} s", known.name)
                }
                None => format!("{} for {left_s:.1} s", known.name),
            }
        };
        KNOWN.iter().filter(on).map(words).collect()
    }
}

impl Desk {
    /// Carries out an act, where that is allowed.
    pub(super) fn inject(&self, act: InjectAct) -> Result<Vec<String>, String> {
        let injection = self.injection().ok_or(
            "faults are not allowed here: set [inject] enabled = true in the daemon's configuration",
        )?;
        injection.act(act, self.clock().now())
    }

    /// Whether this goes wrong on purpose, now.
    #[must_use]
    pub fn suffers(&self, trouble: Trouble) -> bool {
        self.amount(trouble).is_some()
    }

    /// By how much the wall clock is wrong on purpose, now.
    #[must_use]
    pub fn stepped_ms(&self) -> u64 {
        self.amount(Trouble::ClockStep).unwrap_or(0)
    }

    fn amount(&self, trouble: Trouble) -> Option<u64> {
        self.injection()?.troubles().on(trouble, self.clock().now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREEZE: InjectAct =
        InjectAct::Begin { trouble: Trouble::Freeze, for_ms: 2_000, amount: 0 };

    #[test]
    fn a_real_arm_and_a_fault_are_never_there_together() {
        let injection = Injection::new(BackendKind::Mujoco);
        let at = |ms: u64| Nanos(ms * 1_000_000);
        assert_eq!(injection.act(FREEZE, at(0)), Ok(vec!["freeze for 2.0 s".to_owned()]));
        let why = injection.about_to_act(BackendKind::Piper, at(1)).expect_err("a fault is on");
        assert!(why.contains("freeze for 2.0 s") && why.contains("--clear"), "{why}");
        assert_eq!(injection.about_to_act(BackendKind::Loopback, at(1)), Ok(()));
        assert_eq!(injection.about_to_act(BackendKind::Piper, at(2_000)), Ok(()), "it is over");
        let why = injection.act(FREEZE, at(2_001)).expect_err("a real arm comes in");
        assert!(why.contains("piper") && why.contains("simulated"), "{why}");
        // It did not come in after all.
        injection.acts(BackendKind::Mujoco);
        assert!(injection.act(FREEZE, at(2_002)).is_ok());
        injection.acts(BackendKind::Piper);
        assert!(!injection.troubles().any(at(2_003)), "who acts as a real arm ends them all");
        assert_eq!(
            injection.act(InjectAct::Clear, at(2_004)),
            Ok(vec!["nothing is injected".to_owned()])
        );
    }

    #[test]
    fn what_is_on_is_told_with_its_amount() {
        let injection = Injection::new(BackendKind::Loopback);
        let act = InjectAct::Begin { trouble: Trouble::Delay, for_ms: 1_500, amount: 300 };
        assert_eq!(act.words(), "let delay be for 1500 ms, delay_ms 300");
        assert_eq!(
            injection.act(act, Nanos(0)),
            Ok(vec!["delay (delay_ms 300) for 1.5 s".to_owned()])
        );
        assert_eq!(
            injection.act(InjectAct::Show, Nanos(2_000_000_000)),
            Ok(vec!["nothing is injected".to_owned()])
        );
    }
}
