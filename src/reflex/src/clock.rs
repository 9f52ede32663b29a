//! The only door to the system's time, and the only place that sleeps.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use motion::Nanos;

/// Where the loop's time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// CLOCK_MONOTONIC.
    Monotonic,
    /// Virtual time: sleeping until a moment makes it that moment. Clones share it.
    Virtual(Arc<AtomicU64>),
}

impl Clock {
    /// Virtual time that begins at zero.
    #[must_use]
    pub fn lockstep() -> Self {
        Self::Virtual(Arc::default())
    }

    /// Whether time is virtual.
    #[must_use]
    pub const fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Nanos {
        match self {
            Self::Monotonic => monotonic_now(),
            Self::Virtual(now) => Nanos(now.load(Ordering::Acquire)),
        }
    }

    /// Lets so much time pass, as a tick that takes too long does.
    pub(crate) fn stall(&self, ns: u64) {
        match self {
            Self::Monotonic => std::thread::sleep(Duration::from_nanos(ns)),
            Self::Virtual(now) => {
                now.fetch_add(ns, Ordering::AcqRel);
            }
        }
    }

    /// Sleeps until `deadline`, or until the bell has rung since `seen`; returns early in the second case.
    pub(crate) fn sleep_until(&self, deadline: Nanos, bell: &Bell, seen: u32) {
        match self {
            Self::Monotonic => bell.wait_until(seen, deadline),
            Self::Virtual(now) => {
                now.fetch_max(deadline.0, Ordering::AcqRel);
            }
        }
    }
}

/// The present of CLOCK_MONOTONIC.
#[must_use]
pub fn monotonic_now() -> Nanos {
    now_of(libc::CLOCK_MONOTONIC)
}

fn now_of(clock: libc::clockid_t) -> Nanos {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; both clocks that are asked for always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// When it was on CLOCK_MONOTONIC that the kernel's wall clock said `wall`. The wall clock may have been set in between:
/// more than a second ago, or not yet, is not believed, and counts as now.
pub(crate) fn monotonic_of(wall: SystemTime) -> Nanos {
    let now = monotonic_now();
    let age = wall.duration_since(SystemTime::UNIX_EPOCH).ok().and_then(|since| {
        let stamp = u64::try_from(since.as_nanos()).ok()?;
        now_of(libc::CLOCK_REALTIME).0.checked_sub(stamp)
    });
    Nanos(now.0.saturating_sub(age.filter(|age| *age <= 1_000_000_000).unwrap_or(0)))
}

/// What to wait for on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Something to read, or an end of it.
    Read,
    /// Room to write, or an end of it.
    Write,
    /// That, or room to write.
    ReadOrWrite,
}

/// Waits until a file is ready, or until `until` of CLOCK_MONOTONIC, and says whether it is. Signals do not cut it short.
pub(crate) fn wait_for(file: BorrowedFd<'_>, what: Ready, until: Nanos) -> io::Result<bool> {
    let events = match what {
        Ready::Read => libc::POLLIN,
        Ready::Write => libc::POLLOUT,
        Ready::ReadOrWrite => libc::POLLIN | libc::POLLOUT,
    };
    loop {
        let left = until.since(monotonic_now());
        let timeout = libc::timespec {
            tv_sec: (left / 1_000_000_000) as libc::time_t,
            tv_nsec: (left % 1_000_000_000) as libc::c_long,
        };
        let mut poll = libc::pollfd { fd: file.as_raw_fd(), events, revents: 0 };
        // SAFETY: one valid pollfd and a valid timespec, which outlive the call; no signal mask is changed.
        let found = unsafe { libc::ppoll(&raw mut poll, 1, &raw const timeout, ptr::null()) };
        if found >= 0 {
            return Ok(found > 0);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Wakes one sleeping thread. Ringing never blocks; a ring before the wait is not lost.
///
/// A futex with an absolute CLOCK_MONOTONIC timeout: the same kernel timer as `clock_nanosleep` with TIMER_ABSTIME, but
/// one that an e-stop or a chunk can cut short.
#[derive(Debug, Default)]
pub struct Bell(AtomicU32);

impl Bell {
    /// How often it has rung. Take this before looking for work, then wait on it.
    #[must_use]
    pub fn rung(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Rings.
    pub fn ring(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
        // SAFETY: the address is that of a live, aligned 32-bit atomic; FUTEX_WAKE reads nothing else.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            );
        }
    }

    /// Waits until it has rung since `seen`, or until `deadline` of CLOCK_MONOTONIC.
    pub fn wait_until(&self, seen: u32, deadline: Nanos) {
        while self.rung() == seen && monotonic_now() < deadline {
            let until = libc::timespec {
                tv_sec: (deadline.0 / 1_000_000_000) as libc::time_t,
                tv_nsec: (deadline.0 % 1_000_000_000) as libc::c_long,
            };
            // SAFETY: the address is that of a live, aligned 32-bit atomic, `until` a valid timespec that outlives the
            // call. Spurious returns are caught by the loop.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.0.as_ptr(),
                    libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
                    seen,
                    &raw const until,
                    std::ptr::null::<u32>(),
                    libc::FUTEX_BITSET_MATCH_ANY,
                );
            }
        }
    }

    /// Waits until it has rung since `seen`, for at most so long.
    pub fn wait(&self, seen: u32, at_most: Duration) {
        let ns = u64::try_from(at_most.as_nanos()).unwrap_or(u64::MAX);
        self.wait_until(seen, monotonic_now().after(ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let bell = Bell::default();
        let seen = bell.rung();
        bell.ring();
        bell.wait_until(seen, Nanos(u64::MAX / 2));
    }

    #[test]
    fn a_ring_from_another_thread_wakes() {
        let bell = Arc::new(Bell::default());
        let seen = bell.rung();
        let other = Arc::clone(&bell);
        let ringer = std::thread::spawn(move || other.ring());
        bell.wait_until(seen, Nanos(u64::MAX / 2));
        ringer.join().expect("the ringer does not panic");
    }

    #[test]
    fn virtual_time_jumps_and_never_goes_back() {
        let clock = Clock::lockstep();
        clock.sleep_until(Nanos(70), &Bell::default(), 0);
        clock.sleep_until(Nanos(50), &Bell::default(), 0);
        assert_eq!(clock.now(), Nanos(70));
    }
}
