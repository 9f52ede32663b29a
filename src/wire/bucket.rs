//! How much is taken, from whom: a bucket for each key and session, and one for each key. Pure: time comes in.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use super::access::Limit;

/// Sessions that have buckets of their own. More share those of whoever does not say who they are.
const SESSIONS_MAX: usize = 64;

/// A bucket, as the moment at which it will be full again: the first message that is one too many is known by that alone.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_ns: u64,
}

impl Bucket {
    fn take(&mut self, now_ns: u64, rate_hz: u32, burst: u32) -> bool {
        let each_ns = 1_000_000_000 / u64::from(rate_hz.max(1));
        let full_ns = self.full_ns.max(now_ns);
        if full_ns - now_ns > each_ns * u64::from(burst.saturating_sub(1)) {
            return false;
        }
        self.full_ns = full_ns + each_ns;
        true
    }

    const fn is_full(self, now_ns: u64) -> bool {
        self.full_ns <= now_ns
    }
}

/// The buckets of all keys and sessions. `S` is what a session says that it is: nobody proves it, so it only keeps the
/// careless apart. Who is kept out by access control never gets here, and who signs has proved it.
#[derive(Debug)]
pub(super) struct Buckets<S> {
    sessions: HashMap<Option<S>, BTreeMap<&'static str, Bucket>>,
    all: BTreeMap<&'static str, Bucket>,
}

impl<S: Copy + Eq + Hash> Buckets<S> {
    pub(super) fn new() -> Self {
        Self { sessions: HashMap::new(), all: BTreeMap::new() }
    }

    /// Whether there is room for one more of `what`.
    pub(super) fn take(
        &mut self,
        what: &'static str,
        session: Option<S>,
        limit: Limit,
        now_ns: u64,
    ) -> bool {
        let session = self.known(session, now_ns);
        let own = self.sessions.entry(session).or_default().entry(what).or_default();
        own.take(now_ns, limit.per_session_hz, limit.burst)
            && self.all.entry(what).or_default().take(now_ns, limit.all_hz, limit.all_hz)
    }

    /// The session whose buckets are used.
    fn known(&mut self, session: Option<S>, now_ns: u64) -> Option<S> {
        if self.sessions.contains_key(&session) || self.sessions.len() < SESSIONS_MAX {
            return session;
        }
        // Whoever has been silent for long enough loses nothing by being forgotten.
        self.sessions.retain(|_, buckets| buckets.values().any(|bucket| !bucket.is_full(now_ns)));
        if self.sessions.len() < SESSIONS_MAX { session } else { None }
    }
}

/// How often something that repeats is told: the first few, then at 16, 32, 64, ... until it has been quiet for a while.
#[derive(Debug, Default)]
pub struct Tally {
    streaks: BTreeMap<String, Streak>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    count: u64,
    last_ns: u64,
}

impl Tally {
    /// After so long without another it is news again.
    const QUIET_NS: u64 = 1_000_000_000;
    /// The first few are each told.
    const FIRST: u64 = 8;
    /// Streaks that are told apart; whatever comes then is one more.
    const STREAKS_MAX: usize = 256;
    /// The one more.
    const REST: &'static str = "";

    /// One more of these: how many there were, if that is to be told.
    pub fn one_more(&mut self, what: &str, now_ns: u64) -> Option<u64> {
        let mut is_known = self.streaks.contains_key(what);
        if !is_known && self.streaks.len() >= Self::STREAKS_MAX {
            self.streaks.retain(|_, streak| now_ns.saturating_sub(streak.last_ns) < Self::QUIET_NS);
        }
        let what =
            if is_known || self.streaks.len() < Self::STREAKS_MAX { what } else { Self::REST };
        is_known = self.streaks.contains_key(what);
        if !is_known {
            self.streaks.insert(what.to_owned(), Streak::default());
        }
        let streak = self.streaks.get_mut(what)?;
        if now_ns.saturating_sub(streak.last_ns) >= Self::QUIET_NS {
            streak.count = 0;
        }
        streak.last_ns = now_ns;
        streak.count += 1;
        let count = streak.count;
        (count <= Self::FIRST || count.is_power_of_two()).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { per_session_hz: 100, burst: 20, all_hz: 1000 };
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_then_the_rate_and_nobody_pays_for_another() {
        let mut buckets = Buckets::<u8>::new();
        let mut taken = |session, from_ns: u64, count: u64, every_ns: u64| {
            let each = (0..count).map(|k| from_ns + k * every_ns);
            each.filter(|at| buckets.take("cmd/arm", session, LIMIT, *at)).count()
        };
        assert_eq!(taken(Some(1), 0, 1000, 0), 20, "a burst");
        assert_eq!(taken(Some(2), 0, 15, 0), 15, "another session is another matter");
        let in_a_second = taken(Some(1), SECOND, 20_000, SECOND / 20_000);
        assert!((119..=121).contains(&in_a_second), "{in_a_second}: a burst, a second's worth");
        assert_eq!(taken(None, 5 * SECOND, 3, 0), 3, "those who do not say who they are");
    }

    #[test]
    fn all_together_have_a_limit_too() {
        let mut buckets = Buckets::<u8>::new();
        let taken = (0..60_u8)
            .map(|session| (0..20).filter(|_| buckets.take("x", Some(session), LIMIT, 0)).count());
        assert_eq!(taken.sum::<usize>(), 1000);
    }

    #[test]
    fn memory_is_bounded_however_many_claim_to_be_somebody_else() {
        let mut buckets = Buckets::<u32>::new();
        let taken = (0..100_000_u32).filter(|k| buckets.take("x", Some(*k), LIMIT, 0)).count();
        assert!(buckets.sessions.len() <= SESSIONS_MAX + 1);
        assert!(taken <= SESSIONS_MAX + 20, "{taken}: the rest share one bucket");
        assert!(buckets.take("x", Some(7_000_000), LIMIT, 60 * SECOND), "later there is room");
    }

    #[test]
    fn what_repeats_is_told_less_and_less_until_it_is_quiet() {
        let mut tally = Tally::default();
        let told = |tally: &mut Tally, from: u64| {
            (0..1000).filter_map(|k| tally.one_more("x", from + k * 1000)).collect::<Vec<_>>()
        };
        let want = [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128, 256, 512];
        assert_eq!(told(&mut tally, SECOND), want);
        assert_eq!(tally.one_more("y", SECOND), Some(1));
        assert_eq!(told(&mut tally, 10 * SECOND), want, "news again");
        for k in 0..10_000 {
            tally.one_more(&k.to_string(), 10 * SECOND);
        }
        assert!(tally.streaks.len() <= Tally::STREAKS_MAX + 1);
    }
}
