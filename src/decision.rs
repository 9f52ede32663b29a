//! A decision arrives, and is accepted or refused with a reason. Knows no zenoh.

use std::collections::VecDeque;

use crate::observation::Params;

/// Somebody's choice of a skill and its parameters, already parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Chosen by the sender; the same one twice is a duplicate.
    pub decision_id: String,
    /// The skill to run.
    pub skill: String,
    /// What the skill is to act on, metres in the robot's base frame.
    pub params: Params,
    /// The raw network's choice, where an instruction overrode it.
    pub neural_skill: Option<String>,
    /// The raw network's parameters, in the order of [`Params::NAMES`], before anything was made safe of them.
    pub raw_params: Option<[f64; 6]>,
    /// The router's confidence, 0..=1.
    pub confidence: Option<f64>,
    /// The instruction that was followed.
    pub instruction: Option<String>,
    /// Its id, if the daemon heard it: it is decided about once.
    pub instruction_id: Option<String>,
    /// What the sender had seen when it decided.
    pub observed: Observed,
    /// How long after that the decision may still be begun, in milliseconds.
    pub ttl_ms: u64,
    /// Who decided.
    pub source: String,
}

/// The moment that a decision is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// A tick that the daemon reported.
    Tick(u64),
    /// Nanoseconds of the daemon's state clock, as in `state/joints`.
    AtNs(u64),
    /// Not said: the moment of arrival.
    Now,
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its skill runs.
    Accepted {
        /// The run's number.
        run: u64,
        /// The run that it took over from.
        superseded: Option<u64>,
    },
    /// It does not.
    Refused {
        /// Why, in words.
        reason: String,
    },
}

/// How many decision ids are remembered to recognise duplicates.
const REMEMBERED: usize = 1024;

/// Decides on decisions: the checks that need no robot.
#[derive(Debug, Default)]
pub struct Clerk {
    seen: VecDeque<String>,
    newest_observed_ns: u64,
}

/// The present, as far as a decision depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    /// The loop's clock.
    pub now_ns: u64,
    /// The newest tick.
    pub tick: u64,
    /// The loop's period.
    pub period_ns: u64,
    /// When the robot was last stopped: by an e-stop, a fault, a hold or disarming. Zero: not yet.
    pub stopped_ns: u64,
}

impl Clerk {
    /// Checks a decision against those before it and against the clock; returns when it was observed, in nanoseconds
    /// of the loop's clock.
    ///
    /// # Errors
    /// The reason for refusing it.
    pub fn check(&mut self, decision: &Decision, present: Present) -> Result<u64, String> {
        let observed_ns = observed_ns(decision.observed, present)?;
        let age_ms = present.now_ns.saturating_sub(observed_ns) / 1_000_000;
        if age_ms > decision.ttl_ms {
            return Err(format!(
                "stale: observed {age_ms} ms ago, ttl_ms is {}; observe again and decide anew",
                decision.ttl_ms
            ));
        }
        if observed_ns <= present.stopped_ns && present.stopped_ns > 0 {
            return Err(format!(
                "before the last stop: it observed a moment {} ms before the robot was stopped; observe again and decide \
                 anew",
                (present.stopped_ns - observed_ns) / 1_000_000
            ));
        }
        if self.seen.contains(&decision.decision_id) {
            return Err(format!(
                "duplicate: decision_id {:?} was seen before",
                decision.decision_id
            ));
        }
        if observed_ns < self.newest_observed_ns {
            return Err(
                "out of order: a decision that observed a later moment was accepted before".into(),
            );
        }
        Ok(observed_ns)
    }

    /// Remembers an accepted decision.
    pub fn remember(&mut self, decision: &Decision, observed_ns: u64) {
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(decision.decision_id.clone());
        self.newest_observed_ns = observed_ns;
    }
}

fn observed_ns(observed: Observed, present: Present) -> Result<u64, String> {
    match observed {
        Observed::Now => Ok(present.now_ns),
        Observed::AtNs(at) if at > present.now_ns => Err(format!(
            "observed_at_ns {at} lies in the future of the daemon's clock ({}); use the time in state/joints",
            present.now_ns
        )),
        Observed::AtNs(at) => Ok(at),
        Observed::Tick(tick) if tick > present.tick => {
            Err(format!("observed_tick {tick} has not been yet: the newest is {}", present.tick))
        }
        Observed::Tick(tick) => Ok(present
            .now_ns
            .saturating_sub((present.tick - tick).saturating_mul(present.period_ns))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: Present =
        Present { now_ns: 10_000_000_000, tick: 200, period_ns: 50_000_000, stopped_ns: 0 };

    fn decision(id: &str, observed: Observed) -> Decision {
        Decision {
            decision_id: id.into(),
            skill: "pick_up".into(),
            params: Params::default(),
            neural_skill: None,
            raw_params: None,
            confidence: None,
            instruction: None,
            instruction_id: None,
            observed,
            ttl_ms: 500,
            source: "test".into(),
        }
    }

    fn refusal(clerk: &mut Clerk, decision: &Decision) -> String {
        clerk.check(decision, PRESENT).expect_err("it is to be refused")
    }

    #[test]
    fn stale_decisions_are_refused_by_tick_and_by_time() {
        let mut clerk = Clerk::default();
        assert!(
            refusal(&mut clerk, &decision("a", Observed::Tick(189)))
                .starts_with("stale: observed 550 ms")
        );
        assert!(
            refusal(&mut clerk, &decision("a", Observed::AtNs(9_400_000_000))).starts_with("stale")
        );
        assert_eq!(clerk.check(&decision("a", Observed::Tick(190)), PRESENT), Ok(9_500_000_000));
    }

    #[test]
    fn decisions_from_the_future_are_refused() {
        let mut clerk = Clerk::default();
        assert!(
            refusal(&mut clerk, &decision("a", Observed::Tick(201))).contains("has not been yet")
        );
        assert!(refusal(&mut clerk, &decision("a", Observed::AtNs(u64::MAX))).contains("future"));
    }

    #[test]
    fn duplicates_and_reordered_ones_are_refused_once_one_was_accepted() {
        let mut clerk = Clerk::default();
        let first = decision("a", Observed::Now);
        let at = clerk.check(&first, PRESENT).expect("fresh");
        assert_eq!(clerk.check(&first, PRESENT), Ok(at), "not accepted yet, so not a duplicate");
        clerk.remember(&first, at);
        assert!(refusal(&mut clerk, &first).starts_with("duplicate"));
        assert!(
            refusal(&mut clerk, &decision("b", Observed::Tick(199))).starts_with("out of order")
        );
    }

    #[test]
    fn what_observed_a_moment_before_the_last_stop_is_refused() {
        let mut clerk = Clerk::default();
        let stopped = Present { stopped_ns: 9_900_000_000, ..PRESENT };
        let mut check = |observed| clerk.check(&decision("a", observed), stopped);
        for before in [Observed::Tick(197), Observed::AtNs(9_900_000_000)] {
            assert!(check(before).is_err_and(|why| why.starts_with("before the last stop")));
        }
        assert_eq!(check(Observed::Tick(199)), Ok(9_950_000_000));
        assert_eq!(check(Observed::Now), Ok(10_000_000_000));
    }

    #[test]
    fn only_so_many_ids_are_remembered() {
        let mut clerk = Clerk::default();
        for k in 0..=REMEMBERED {
            clerk.remember(&decision(&k.to_string(), Observed::Now), 0);
        }
        assert_eq!(clerk.seen.len(), REMEMBERED);
        assert!(clerk.check(&decision("0", Observed::Now), PRESENT).is_ok());
    }
}
