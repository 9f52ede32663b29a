//! Who commands: one operator at a time, for as long as their heartbeat is heard.
//!
//! The desk knows who holds the lease; the law only knows until when somebody is there. A heartbeat crosses the seam as an
//! order, so that the robot holds without it even if this side of the seam hangs. Who has just taken the lease is not
//! believed to be there before the first heartbeat.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::atomic::Ordering,
};

use motion::{Epoch, Nanos, Order, OrderId, What};

use super::{Answer, Command, Desk, desk::lock};
use crate::config::{AuthoritySettings, LeaseKind, Takeover};

/// What may be asked for about the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseAct {
    /// To have it.
    Acquire {
        /// It ends so long after the last sign of life.
        ttl_ms: Option<u32>,
        /// From somebody else, if need be.
        takeover: bool,
    },
    /// To keep it for another while.
    Renew,
    /// To give it back.
    Release,
}

/// What its holder is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// To be sent with every heartbeat: those of an earlier grant count for nothing.
    pub lease_id: u64,
    /// It ends so long after the last sign of life.
    pub ttl_ms: u32,
    /// Who was not heard for so long is not there.
    pub heartbeat_ms: u32,
}

/// Who holds the lease, for whoever looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseTold {
    /// Whether the robot moves for its holder only, now.
    pub required: bool,
    /// Who, and which grant.
    pub holder: Option<(String, u64)>,
    /// Since when.
    pub since: Option<Nanos>,
    /// Until when, if nothing more is heard.
    pub until: Option<Nanos>,
    /// When the last heartbeat came.
    pub heard: Option<Nanos>,
}

/// The lease's book. Pure: time comes with every call.
#[derive(Clone, Debug)]
pub(super) struct Book {
    terms: AuthoritySettings,
    holder: Option<Holder>,
    next_id: u64,
}

#[derive(Clone, Debug)]
struct Holder {
    who: String,
    id: u64,
    ttl_ms: u32,
    since: Nanos,
    until: Nanos,
    heard: Option<Nanos>,
    seq: Option<u64>,
}

/// Who asks, without where from: the lease is a person's, whatever programs they use.
fn name(who: &str) -> &str {
    who.rsplit_once('@').map_or(who, |(name, _)| name)
}

/// Heartbeats cross the seam no more often than this, however fast they come.
const BEAT_EVERY_NS: u64 = 20_000_000;

impl Book {
    pub(super) fn new(terms: AuthoritySettings) -> Self {
        // Another one after every start, so that no heartbeat of an earlier life counts; small enough for JSON.
        let next_id = RandomState::new().build_hasher().finish() >> 24;
        Self { terms, holder: None, next_id }
    }

    /// Whether the robot moves for the holder of the lease only, even if nobody holds it.
    fn requires(&self, is_physical: bool) -> bool {
        match self.terms.lease {
            LeaseKind::Required => true,
            LeaseKind::Physical => is_physical,
            LeaseKind::Optional => false,
        }
    }

    /// Forgets a holder whose time is up; says whether there was one.
    fn expire(&mut self, now: Nanos) -> bool {
        let is_over = self.holder.as_ref().is_some_and(|holder| now > holder.until);
        if is_over {
            self.holder = None;
        }
        is_over
    }

    /// Gives the lease to somebody, and says from whom it was taken.
    fn acquire(
        &mut self,
        who: &str,
        (ttl_ms, takeover): (Option<u32>, bool),
        now: Nanos,
    ) -> Result<(Granted, Option<String>), String> {
        self.expire(now);
        let before = self.holder.as_ref().filter(|holder| holder.who != who);
        if let Some(holder) = before {
            let silent = self.silence(holder, now);
            let name = &holder.who;
            match self.terms.takeover {
                _ if !takeover => {
                    return Err(format!(
                        "{name} holds the lease{}: ask them to release it, or take it over with `takeover`",
                        told(silent)
                    ));
                }
                Takeover::Never => {
                    return Err(format!("{name} holds the lease, and nobody takes it over here"));
                }
                Takeover::WhenSilent if silent.is_none() => {
                    return Err(format!(
                        "{name} holds the lease and is heard of: it is taken over only from who is silent"
                    ));
                }
                Takeover::Always | Takeover::WhenSilent => {}
            }
        }
        let from = before.map(|holder| holder.who.clone());
        self.next_id += 1;
        let ttl_ms = ttl_ms.unwrap_or(self.terms.ttl_ms).min(self.terms.ttl_ms);
        self.holder = Some(Holder {
            who: who.to_owned(),
            id: self.next_id,
            ttl_ms,
            since: now,
            until: after(now, ttl_ms),
            heard: None,
            seq: None,
        });
        let heartbeat_ms = self.terms.heartbeat_ms;
        Ok((Granted { lease_id: self.next_id, ttl_ms, heartbeat_ms }, from))
    }

    fn renew(&mut self, who: &str, now: Nanos) -> Result<Granted, String> {
        self.expire(now);
        let heartbeat_ms = self.terms.heartbeat_ms;
        let holder = self.holder.as_mut().filter(|holder| holder.who == who);
        let holder = holder.ok_or("you do not hold the lease: acquire it")?;
        holder.until = after(now, holder.ttl_ms);
        Ok(Granted { lease_id: holder.id, ttl_ms: holder.ttl_ms, heartbeat_ms })
    }

    fn release(&mut self, who: &str) -> Result<(), String> {
        match &self.holder {
            Some(holder) if holder.who == who => {
                self.holder = None;
                Ok(())
            }
            Some(holder) => Err(format!("{} holds the lease, not you", holder.who)),
            None => Err("nobody holds the lease".into()),
        }
    }

    /// Takes in a heartbeat; whether it is one of the holder's, and newer than the last.
    fn beat(&mut self, who: &str, lease_id: u64, seq: u64, now: Nanos) -> bool {
        self.expire(now);
        let Some(holder) = &mut self.holder else { return false };
        let is_new = holder.seq.is_none_or(|last| seq > last);
        if holder.who != who || holder.id != lease_id || !is_new {
            return false;
        }
        (holder.seq, holder.heard) = (Some(seq), Some(now));
        holder.until = after(now, holder.ttl_ms);
        true
    }

    /// Whether somebody may command what moves or changes the robot.
    fn admit(&mut self, who: &str, is_physical: bool, now: Nanos) -> Result<(), String> {
        match &self.holder {
            Some(holder) if holder.who == who => Ok(()),
            Some(holder) => Err(format!(
                "{} holds the lease{}: take it over first (`reflexctl lease --takeover`), or ask them",
                holder.who,
                told(self.silence(holder, now))
            )),
            None if self.requires(is_physical) => Err(
                "nobody commands this robot without the lease: hold it (`reflexctl lease`), in another terminal"
                    .into(),
            ),
            None => Ok(()),
        }
    }

    /// For how long its holder has been silent, ms, if that is too long.
    fn silence(&self, holder: &Holder, now: Nanos) -> Option<u64> {
        let silent_ms = now.since(holder.heard.unwrap_or(holder.since)) / 1_000_000;
        (silent_ms > u64::from(self.terms.heartbeat_ms)).then_some(silent_ms)
    }
}

fn after(now: Nanos, ms: u32) -> Nanos {
    now.after(u64::from(ms) * 1_000_000)
}

fn told(silent_ms: Option<u64>) -> String {
    silent_ms.map_or_else(String::new, |ms| format!(" (silent for {:.1} s)", ms as f64 / 1e3))
}

impl Command {
    /// Whether it is for whoever holds the lease. What stops the robot is for everybody, and so are
    /// asking for the lease and recording, which moves nothing.
    #[must_use]
    pub const fn needs_lease(&self) -> bool {
        match self {
            Self::Hold | Self::Disarm | Self::Lease(_) | Self::Record(_) => false,
            Self::Arm
            | Self::Home { .. }
            | Self::ClearFault
            | Self::Release
            | Self::Goto { .. }
            | Self::Jog { .. }
            | Self::Skill { .. }
            | Self::Registry(_)
            | Self::Backend(_) => true,
        }
    }
}

impl Desk {
    /// Whether somebody may command what is not for everybody.
    ///
    /// # Errors
    /// Who holds the lease instead, or that somebody has to, in words.
    pub fn admit(&self, who: &str) -> Result<(), String> {
        let who = name(who);
        let now = self.clock().now();
        let physical = self.present().is_some_and(|present| present.tick.state.physical);
        let (over, admitted) = {
            let mut book = lock(self.book());
            (book.expire(now), book.admit(who, physical, now))
        };
        if over {
            self.drop_in(What::Leave);
        }
        admitted
    }

    /// Takes in a heartbeat. Waits for nothing.
    pub fn heartbeat(&self, who: &str, lease_id: u64, seq: u64) -> bool {
        let now = self.clock().now();
        if !lock(self.book()).beat(who, lease_id, seq, now) {
            return false;
        }
        let last = self.beaten_ns().load(Ordering::Acquire);
        if now.since(Nanos(last)) >= BEAT_EVERY_NS || last == 0 {
            self.beaten_ns().store(now.0.max(1), Ordering::Release);
            self.drop_in(What::Attend);
        }
        true
    }

    /// Who holds the lease.
    #[must_use]
    pub fn lease(&self, now: Nanos, is_physical: bool) -> LeaseTold {
        let book = lock(self.book());
        let holder = book.holder.as_ref().filter(|holder| now <= holder.until);
        LeaseTold {
            required: book.requires(is_physical),
            holder: holder.map(|holder| (holder.who.clone(), holder.id)),
            since: holder.map(|holder| holder.since),
            until: holder.map(|holder| holder.until),
            heard: holder.and_then(|holder| holder.heard),
        }
    }

    pub(super) async fn change_lease(&self, act: LeaseAct, who: &str) -> Answer {
        let who = name(who);
        let now = self.clock().now();
        let outcome = match act {
            LeaseAct::Acquire { ttl_ms, takeover } => {
                // Their heartbeats come on a key of that name.
                let acquired = if who.contains(['/', '*', '$', '?', '#', ' ']) {
                    Err(format!("{who:?} cannot be part of a key: choose another operator's name"))
                } else {
                    lock(self.book()).acquire(who, (ttl_ms, takeover), now)
                };
                match acquired {
                    Ok((granted, None)) => Ok((Some(granted), Vec::new())),
                    Ok((granted, Some(from))) => {
                        self.beaten_ns().store(0, Ordering::Release);
                        // Whoever takes over takes over a robot that stands; at rest already is as good.
                        let _ = self.order(What::Hold).await;
                        Ok((
                            Some(granted),
                            vec![format!("taken over from {from}; the robot holds")],
                        ))
                    }
                    Err(reason) => Err(reason),
                }
            }
            LeaseAct::Renew => {
                let renewed = lock(self.book()).renew(who, now);
                renewed.map(|granted| (Some(granted), Vec::new()))
            }
            LeaseAct::Release => {
                let released = lock(self.book()).release(who);
                match released {
                    Ok(()) => {
                        let _ = self.order(What::Hold).await;
                        self.drop_in(What::Leave);
                        Ok((None, Vec::new()))
                    }
                    Err(reason) => Err(reason),
                }
            }
        };
        let (granted, outcome) = match outcome {
            Ok((granted, changed)) => (granted, Ok(changed)),
            Err(reason) => (None, Err(reason)),
        };
        Answer { lease: granted, ..self.changed(outcome) }
    }

    /// An order that nobody waits for. One that finds no room is made up for by the next heartbeat.
    fn drop_in(&self, what: What) {
        let order = Order { id: OrderId(self.id()), epoch: Epoch(0), what };
        let _ = lock(self.commander()).send(order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn book(lease: LeaseKind, takeover: Takeover) -> Book {
        Book::new(AuthoritySettings { lease, takeover, ..AuthoritySettings::default() })
    }

    fn at(ms: u64) -> Nanos {
        Nanos(1_000 * MS + ms * MS)
    }

    #[test]
    fn one_holds_it_and_everybody_else_is_told_who() {
        let mut book = book(LeaseKind::Physical, Takeover::Always);
        assert!(book.admit("bob", false, at(0)).is_ok(), "a simulated robot that nobody holds");
        assert!(book.admit("bob", true, at(0)).is_err_and(|why| why.contains("reflexctl lease")));
        let (granted, from) = book.acquire("ada", (None, false), at(0)).expect("it is free");
        assert_eq!((from, granted.ttl_ms, granted.heartbeat_ms), (None, 5_000, 300));
        assert!(book.admit("ada", true, at(1)).is_ok());
        let refused = book.admit("bob", false, at(1)).expect_err("ada holds it");
        assert!(refused.contains("ada holds the lease:"), "{refused}");
        let refused = book.admit("bob", false, at(2_000)).expect_err("ada holds it");
        assert!(refused.contains("silent for 2.0 s"), "{refused}");
        assert!(book.release("bob").is_err() && book.release("ada").is_ok());
        assert!(book.admit("bob", false, at(3_000)).is_ok());
    }

    #[test]
    fn it_ends_without_a_sign_of_life_and_heartbeats_and_renewals_are_signs() {
        let mut book = book(LeaseKind::Required, Takeover::Never);
        let (granted, _) = book.acquire("ada", (Some(2_000), false), at(0)).expect("free");
        assert!(book.beat("ada", granted.lease_id, 1, at(1_500)));
        assert!(!book.expire(at(3_400)));
        assert!(book.renew("ada", at(3_400)).is_ok());
        assert!(!book.expire(at(5_300)) && book.expire(at(5_401)));
        assert!(
            book.renew("ada", at(5_402)).is_err() && book.admit("ada", false, at(5_402)).is_err()
        );
        let (long, _) = book.acquire("ada", (Some(60_000), false), at(6_000)).expect("free");
        assert_eq!(long.ttl_ms, 5_000, "no longer than the configuration's");
    }

    #[test]
    fn heartbeats_count_only_in_order_of_this_grant_and_by_its_holder() {
        let mut book = book(LeaseKind::Required, Takeover::Always);
        let (first, _) = book.acquire("ada", (None, false), at(0)).expect("free");
        assert!(!book.beat("bob", first.lease_id, 1, at(1)));
        assert!(!book.beat("ada", first.lease_id + 1, 1, at(1)));
        assert!(book.beat("ada", first.lease_id, 7, at(1)));
        assert!(!book.beat("ada", first.lease_id, 7, at(2)), "replayed");
        assert!(!book.beat("ada", first.lease_id, 6, at(2)), "reordered");
        let (second, from) = book.acquire("ada", (None, false), at(3)).expect("her own");
        assert_eq!(from, None);
        assert!(!book.beat("ada", first.lease_id, 8, at(4)), "of the grant before");
        assert!(book.beat("ada", second.lease_id, 1, at(4)));
    }

    #[test]
    fn it_is_taken_over_as_the_rule_says_and_only_in_so_many_words() {
        for (rule, heard, silent) in [
            (Takeover::Always, true, true),
            (Takeover::WhenSilent, false, true),
            (Takeover::Never, false, false),
        ] {
            let mut book = book(LeaseKind::Required, rule);
            let (granted, _) = book.acquire("ada", (None, false), at(0)).expect("free");
            assert!(book.beat("ada", granted.lease_id, 1, at(0)));
            assert!(book.acquire("bob", (None, false), at(2_000)).is_err());
            let mut early = book.clone();
            assert_eq!(early.acquire("bob", (None, true), at(100)).is_ok(), heard, "{rule:?}");
            let late = book.acquire("bob", (None, true), at(2_000));
            assert_eq!(late.is_ok(), silent, "{rule:?}");
            if let Ok((_, from)) = late {
                assert_eq!(from.as_deref(), Some("ada"));
            }
        }
    }
}
