//! Which instruction waits for a decision. Each is decided about once; none survives a stop, its time, or a newer one.

use std::collections::VecDeque;

use motion::Epoch;

use super::Instruction;

/// How many ids are remembered to recognise those that were heard before.
const REMEMBERED: usize = 256;

/// What became of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits for a decision.
    Waiting,
    /// Somebody is deciding.
    Deciding,
    /// It became a run.
    Began {
        /// Which.
        run: u64,
    },
    /// The robot was told to stand still.
    Held,
    /// It came to nothing.
    Refused {
        /// Why.
        reason: String,
    },
    /// Nobody decided in time.
    Expired {
        /// Who was waited for.
        reason: String,
    },
    /// The robot was stopped.
    Void,
    /// A newer one came.
    Superseded,
}

impl Fate {
    /// Its name on the wire, and why.
    #[must_use]
    pub fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Waiting => ("waiting", None),
            Self::Deciding => ("deciding", None),
            Self::Began { .. } => ("began", None),
            Self::Held => ("held", None),
            Self::Refused { reason } => ("refused", Some(reason)),
            Self::Expired { reason } => ("expired", Some(reason)),
            Self::Void => ("void", Some("the robot was stopped after it was said: say it again")),
            Self::Superseded => ("superseded", Some("a newer instruction came")),
        }
    }

    const fn is_open(&self) -> bool {
        matches!(self, Self::Waiting | Self::Deciding)
    }
}

/// An instruction and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What was said.
    pub said: Instruction,
    /// When it was heard, by the loop's clock.
    pub at_ns: u64,
    /// The tick then.
    pub tick: u64,
    /// The stops until then.
    pub epoch: Epoch,
    /// When it is given up.
    pub until_ns: u64,
    /// What became of it.
    pub fate: Fate,
}

/// The newest instruction.
#[derive(Debug, Default)]
pub struct Ledger {
    newest: Option<Entry>,
    seen: VecDeque<String>,
}

impl Ledger {
    /// The newest instruction.
    #[must_use]
    pub const fn newest(&self) -> Option<&Entry> {
        self.newest.as_ref()
    }

    /// Takes an instruction in; returns the one that it supersedes, if that was still open.
    ///
    /// # Errors
    /// Its id was heard before.
    pub fn hear(&mut self, entry: Entry) -> Result<Option<Entry>, String> {
        let id = &entry.said.id;
        if self.seen.contains(id) {
            return Err(format!("duplicate: instruction_id {id:?} was heard before"));
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(id.clone());
        let before = self.newest.replace(entry).filter(|entry| entry.fate.is_open());
        Ok(before.map(|entry| Entry { fate: Fate::Superseded, ..entry }))
    }

    /// Whoever claims an instruction decides about it, and nobody else.
    ///
    /// # Errors
    /// Why it is not to be decided about.
    pub fn claim(&mut self, id: &str, epoch: Epoch, now_ns: u64) -> Result<Entry, String> {
        let Some(entry) = self.newest.as_mut().filter(|entry| entry.said.id == id) else {
            let known =
                if self.seen.iter().any(|seen| seen == id) { "superseded" } else { "unknown" };
            return Err(format!(
                "instruction {id:?} is {known}: decide about the one in state/instruction"
            ));
        };
        if entry.fate != Fate::Waiting {
            let (fate, _) = entry.fate.words();
            return Err(format!("instruction {id:?} was decided about before: it is {fate}"));
        }
        if entry.epoch != epoch {
            return Err(format!(
                "instruction {id:?} is void: the robot was stopped after it was said"
            ));
        }
        if now_ns > entry.until_ns {
            return Err(format!("instruction {id:?} has expired: say it again"));
        }
        entry.fate = Fate::Deciding;
        Ok(entry.clone())
    }

    /// Writes down what became of the newest instruction, if it is this one and still open.
    pub fn settle(&mut self, id: &str, fate: Fate) -> Option<Entry> {
        let open = |entry: &&mut Entry| entry.said.id == id && entry.fate.is_open();
        let entry = self.newest.as_mut().filter(open)?;
        entry.fate = fate;
        Some(entry.clone())
    }

    /// Gives the waiting one up if its time is over or the robot was stopped. `waited_for`: whom, in words.
    pub fn give_up(&mut self, epoch: Epoch, now_ns: u64, waited_for: &str) -> Option<Entry> {
        let entry = self.newest.as_mut().filter(|entry| entry.fate == Fate::Waiting)?;
        if entry.epoch != epoch {
            entry.fate = Fate::Void;
        } else if now_ns > entry.until_ns {
            let waited_ms = now_ns.saturating_sub(entry.at_ns) / 1_000_000;
            let reason =
                format!("no {waited_for} within {waited_ms} ms: the robot goes on as before");
            entry.fate = Fate::Expired { reason };
        } else {
            return None;
        }
        Some(entry.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry {
        let said = Instruction {
            id: id.into(),
            text: "run around".into(),
            operator: None,
            target: None,
            things: Vec::new(),
            force_neural: false,
            ttl_ms: 1000,
        };
        Entry { said, at_ns: 100, tick: 2, epoch: Epoch(1), until_ns: 200, fate: Fate::Waiting }
    }

    #[test]
    fn an_instruction_is_decided_about_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.hear(entry("a")), Ok(None));
        assert!(ledger.hear(entry("a")).is_err_and(|why| why.starts_with("duplicate")));
        assert!(ledger.claim("b", Epoch(1), 150).is_err_and(|why| why.contains("unknown")));
        assert!(ledger.claim("a", Epoch(1), 150).is_ok());
        assert!(ledger.claim("a", Epoch(1), 150).is_err_and(|why| why.contains("before")));
        assert!(ledger.settle("a", Fate::Began { run: 7 }).is_some());
        assert_eq!(ledger.settle("a", Fate::Held), None, "what is settled stays so");
    }

    #[test]
    fn nothing_survives_a_stop_its_time_or_a_newer_one() {
        let mut ledger = Ledger::default();
        let _ = ledger.hear(entry("a"));
        assert!(ledger.claim("a", Epoch(2), 150).is_err_and(|why| why.contains("void")));
        assert!(ledger.claim("a", Epoch(1), 201).is_err_and(|why| why.contains("expired")));
        let before = ledger.hear(entry("b")).expect("new").expect("a was open");
        assert_eq!((before.said.id.as_str(), before.fate), ("a", Fate::Superseded));
        assert!(ledger.claim("a", Epoch(1), 150).is_err_and(|why| why.contains("superseded")));
        assert_eq!(ledger.give_up(Epoch(1), 150, "embedding"), None);
        let given_up = ledger.give_up(Epoch(1), 201, "embedding").expect("overdue");
        assert!(
            matches!(given_up.fate, Fate::Expired { reason } if reason.contains("no embedding"))
        );
        let _ = ledger.hear(entry("c"));
        assert_eq!(ledger.give_up(Epoch(2), 150, "embedding").map(|e| e.fate), Some(Fate::Void));
    }
}
