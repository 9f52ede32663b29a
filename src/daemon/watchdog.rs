//! What systemd is told: that the daemon is ready, what it does, that all of it lives, and that it ends.
//!
//! The watchdog is stroked only while everything lives: threads that must not end have not, and what must go on has gone
//! on. Whoever stops stroking is killed and started again, with a robot that is disarmed. Started by hand, nobody listens,
//! and nothing is done.

use std::{future::pending, thread::JoinHandle, time::Duration};

use sd_notify::NotifyState;

/// How often it is looked where no watchdog asks for more.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks within the watchdog's time: one that is late is no harm.
const LOOKS: u32 = 4;

/// Whether a thread has ended.
type IsOver<'a> = Box<dyn Fn() -> bool + 'a>;

/// What tells life from death.
#[derive(Default)]
pub(super) struct Vitals<'a> {
    threads: Vec<(&'static str, IsOver<'a>)>,
    signs: Vec<Sign<'a>>,
}

/// A count that grows while its part lives.
struct Sign<'a> {
    of: &'static str,
    within: Duration,
    count: Box<dyn Fn() -> u64 + 'a>,
    seen: u64,
    still: Duration,
}

impl<'a> Vitals<'a> {
    /// A thread that has to be there for as long as the daemon is.
    pub(super) fn minds<T>(&mut self, of: &'static str, thread: &'a JoinHandle<T>) -> &mut Self {
        self.threads.push((of, Box::new(move || thread.is_finished())));
        self
    }

    /// A count that has to grow within such a time.
    pub(super) fn moves(
        &mut self,
        of: &'static str,
        within: Duration,
        count: impl Fn() -> u64 + 'a,
    ) {
        let seen = count();
        self.signs.push(Sign { of, within, count: Box::new(count), seen, still: Duration::ZERO });
    }

    /// Looks, so long after the last look: the first part that does not live, in words.
    fn look(&mut self, after: Duration) -> Option<String> {
        for sign in &mut self.signs {
            let count = (sign.count)();
            let moved = count != std::mem::replace(&mut sign.seen, count);
            sign.still = if moved { Duration::ZERO } else { sign.still + after };
        }
        let ended = self.threads.iter().find(|(_, ended)| ended());
        let stands = || self.signs.iter().find(|sign| sign.still >= sign.within);
        ended
            .map(|(of, _)| format!("{of} has ended"))
            .or_else(|| stands().map(|sign| format!("{} has stood still", sign.of)))
    }
}

/// The one who tells systemd.
pub(super) struct Watchdog<'a> {
    vitals: Vitals<'a>,
    every: Duration,
    strokes: bool,
    listens: bool,
    status: String,
    ailing: Option<String>,
}

impl<'a> Watchdog<'a> {
    /// As the environment asks for it: `NOTIFY_SOCKET`, `WATCHDOG_USEC`.
    pub(super) fn new(vitals: Vitals<'a>) -> Self {
        let within = sd_notify::watchdog_enabled();
        Self {
            vitals,
            every: within.map_or(LOOK_EVERY, |within| (within / LOOKS).min(LOOK_EVERY)),
            strokes: within.is_some(),
            listens: std::env::var_os("NOTIFY_SOCKET").is_some(),
            status: String::new(),
            ailing: None,
        }
    }

    /// The door is open. From now on it is looked, and told what `status` says, until somebody asks for the end.
    pub(super) async fn keep(&mut self, status: impl Fn() -> String) {
        if !self.listens {
            return pending().await;
        }
        self.status = status();
        tell(&[NotifyState::Ready, NotifyState::Status(&self.status)]);
        loop {
            tokio::time::sleep(self.every).await;
            self.turn(&status());
        }
    }

    /// The end has begun.
    pub(super) fn ends(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("bringing the robot to rest")]);
    }

    fn turn(&mut self, status: &str) {
        let ailing = self.vitals.look(self.every);
        if ailing != self.ailing {
            match &ailing {
                Some(what) => tracing::error!("{what}: the watchdog is not stroked"),
                None => tracing::warn!("everything goes on again: the watchdog is stroked"),
            }
        }
        let status = ailing.as_ref().map_or(status.to_owned(), |what| format!("{status}; {what}"));
        if status != self.status {
            tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
        if self.strokes && ailing.is_none() {
            tell(&[NotifyState::Watchdog]);
        }
        self.ailing = ailing;
    }
}

fn tell(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::warn!("systemd was not told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_grows_lives_and_what_stands_still_is_named_until_it_moves_again() {
        let (ticks, thoughts) = (Cell::new(0), Cell::new(0));
        let mut vitals = Vitals::default();
        vitals.moves("the loop", SECOND, || ticks.get());
        vitals.moves("the thinker", 3 * SECOND, || thoughts.get());
        ticks.set(1);
        assert_eq!(vitals.look(SECOND / 2), None, "the thinker may take its time");
        assert_eq!(vitals.look(SECOND / 2), None, "half a second is no second");
        assert_eq!(vitals.look(SECOND / 2).as_deref(), Some("the loop has stood still"));
        ticks.set(2);
        assert_eq!(vitals.look(SECOND), None);
        ticks.set(3);
        assert_eq!(vitals.look(SECOND).as_deref(), Some("the thinker has stood still"));
        thoughts.set(1);
        ticks.set(4);
        assert_eq!(vitals.look(SECOND), None);
    }

    #[test]
    fn a_thread_that_has_ended_is_dead_however_the_rest_does() {
        let (stay, end) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || end.recv().is_ok());
        let ticks = Cell::new(0);
        let mut vitals = Vitals::default();
        vitals.minds("the loop", &thread);
        vitals.moves("the loop", SECOND, || {
            ticks.set(ticks.get() + 1);
            ticks.get()
        });
        assert_eq!(vitals.look(SECOND), None);
        drop(stay);
        while !thread.is_finished() {
            std::thread::yield_now();
        }
        assert_eq!(vitals.look(SECOND).as_deref(), Some("the loop has ended"));
    }
}
