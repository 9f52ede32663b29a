//! What the loop asks of the kernel before its first tick, and what it was given.
//!
//! Nothing here fails: a host that refuses is a finding, not an error. The loop runs on a laptop without a single grant,
//! only later; whether that is good enough is the configuration's decision (`enforce_realtime`), not this module's.

pub mod probe;

use std::{hint::black_box, mem::MaybeUninit};

/// Stack that stays untouched below what is pre-faulted: for the frames that run while it is.
const STACK_RESERVE_BYTES: usize = 64 * 1024;
/// The smallest page of any machine we run on; touching more often than once in a page costs nothing.
const PAGE_BYTES: usize = 4096;

/// What a thread wishes for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// SCHED_FIFO at this priority, 1 to 99. 50 is where threaded interrupt handlers run: stay above to be on time,
    /// stay below if the loop waits for a device.
    pub priority: Option<i32>,
    /// The one CPU to run on.
    pub cpu: Option<usize>,
    /// Keep every page of the process in memory.
    pub lock_memory: bool,
    /// How much stack to touch now, so that no tick is the first to.
    pub stack_prefault_bytes: usize,
}

/// What became of one wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It holds from now on.
    Granted,
    /// The kernel said no.
    Refused {
        /// The kernel's reason.
        errno: i32,
        /// How to mend it.
        remedy: &'static str,
    },
    /// The settings did not ask.
    #[default]
    NotAsked,
}

/// A wish that was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked for.
    pub wish: &'static str,
    /// The kernel's reason.
    pub errno: i32,
    /// How to mend it.
    pub remedy: &'static str,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = std::io::Error::from_raw_os_error(self.errno);
        write!(out, "{} was refused: {reason}; {}", self.wish, self.remedy)
    }
}

/// What became of all wishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// SCHED_FIFO.
    pub scheduler: Outcome,
    /// The one CPU.
    pub affinity: Outcome,
    /// Locked memory.
    pub memory_lock: Outcome,
    /// Pre-faulted stack.
    pub stack: Outcome,
}

impl Report {
    /// Every wish that was refused; none means that the thread is what the settings say.
    pub fn refused(&self) -> impl Iterator<Item = Refusal> {
        [
            ("SCHED_FIFO", self.scheduler),
            ("the CPU affinity", self.affinity),
            ("locking memory", self.memory_lock),
            ("the stack", self.stack),
        ]
        .into_iter()
        .filter_map(|(wish, outcome)| match outcome {
            Outcome::Refused { errno, remedy } => Some(Refusal { wish, errno, remedy }),
            Outcome::Granted | Outcome::NotAsked => None,
        })
    }
}

/// Makes the calling thread what the settings say, as far as the host lets it.
///
/// Memory is locked before the stack is touched, so that what was touched stays.
pub fn enter(settings: &Settings) -> Report {
    Report {
        affinity: settings.cpu.map_or(Outcome::NotAsked, pin),
        scheduler: settings.priority.map_or(Outcome::NotAsked, run_fifo),
        memory_lock: if settings.lock_memory { lock_memory() } else { Outcome::NotAsked },
        stack: match settings.stack_prefault_bytes {
            0 => Outcome::NotAsked,
            bytes => prefault_stack(bytes),
        },
    }
}

/// Undoes the memory lock of the whole process: for a probe that only wanted to know.
pub fn release_memory() {
    // SAFETY: takes no pointers; a process without locked memory is not harmed.
    unsafe { libc::munlockall() };
}

/// SCHED_FIFO for this thread only: what it may start later is not real-time unless it asks for that itself.
fn run_fifo(priority: i32) -> Outcome {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: 0 is the calling thread; `parameters` outlives the call.
    let code = unsafe {
        libc::sched_setscheduler(
            0,
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const parameters,
        )
    };
    outcome(code, |errno| match errno {
        libc::EINVAL => "set fifo_priority between 1 and 99",
        _ => {
            "set LimitRTPRIO=99 in the systemd unit, or `@realtime - rtprio 99` in /etc/security/limits.d, or run as root; \
             in a container, add the capability SYS_NICE"
        }
    })
}

fn pin(cpu: usize) -> Outcome {
    const REMEDY: &str = "name a CPU that exists and that the service's cgroup may use (`nproc`, AllowedCPUs= in the unit)";
    if cpu >= libc::CPU_SETSIZE as usize {
        return Outcome::Refused { errno: libc::EINVAL, remedy: REMEDY };
    }
    // SAFETY: a cpu_set_t is a bit field for which all zeros is the empty set; `cpu` was just checked to be inside it,
    // and the kernel only reads it.
    let code = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    outcome(code, |_| REMEDY)
}

/// Makes the calling thread give way to every ordinary one: for work that nothing waits for. A kernel that refuses leaves
/// it as it was.
pub fn yield_to_others() {
    const NICEST: i32 = 19;
    // SAFETY: takes no pointers; on Linux 0 is the calling thread, not its process.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICEST) };
}

/// On fault, so that only what is used is locked: without it, every thread's whole stack and every buffer that a
/// library reserved becomes resident at once. Kernels before 4.4 do not know the flag.
fn lock_memory() -> Outcome {
    let all = libc::MCL_CURRENT | libc::MCL_FUTURE;
    // SAFETY: takes no pointers.
    let mut code = unsafe { libc::mlockall(all | libc::MCL_ONFAULT) };
    if code != 0 && errno() == libc::EINVAL {
        // SAFETY: as above.
        code = unsafe { libc::mlockall(all) };
    }
    outcome(code, |_| {
        "set LimitMEMLOCK=infinity in the systemd unit, or `@realtime - memlock unlimited` in /etc/security/limits.d, \
         or run as root; in a container, add the capability IPC_LOCK"
    })
}

fn prefault_stack(bytes: usize) -> Outcome {
    const REMEDY: &str = "give the thread a larger stack, or pre-fault less of it";
    let Some(lowest) = stack_end() else {
        return Outcome::Refused { errno: libc::ENOSYS, remedy: REMEDY };
    };
    let marker = 0_u8;
    let top = (&raw const marker) as usize;
    let Some(target) = top.checked_sub(bytes).filter(|t| *t >= lowest + STACK_RESERVE_BYTES) else {
        return Outcome::Refused { errno: libc::ENOMEM, remedy: REMEDY };
    };
    touch_down_to(target);
    Outcome::Granted
}

/// The lowest address of this thread's stack.
fn stack_end() -> Option<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut address = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: the attributes are initialised by the first call, used only if it succeeded, and destroyed once; the
    // other pointers are to live locals.
    let code = unsafe {
        match libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) {
            0 => {
                let code = libc::pthread_attr_getstack(
                    attributes.as_ptr(),
                    &raw mut address,
                    &raw mut size,
                );
                libc::pthread_attr_destroy(attributes.as_mut_ptr());
                code
            }
            code => code,
        }
    };
    (code == 0).then_some(address as usize)
}

/// Uses the stack down to an address, a page in every frame. Measured by address, not by counting: how large a frame
/// really is, only the compiler knows.
#[inline(never)]
fn touch_down_to(target: usize) {
    let mut page = [0_u8; PAGE_BYTES];
    black_box(&mut page);
    if (&raw const page) as usize > target {
        touch_down_to(target);
    }
    black_box(&page); // keeps the frame alive across the call: no tail call, no reuse
}

fn outcome(code: i32, remedy: impl Fn(i32) -> &'static str) -> Outcome {
    if code == 0 {
        return Outcome::Granted;
    }
    let errno = errno();
    Outcome::Refused { errno, remedy: remedy(errno) }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own: what it becomes must not befall the test runner's.
    fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(work).join().expect("nothing in here panics"))
    }

    fn policy() -> i32 {
        // SAFETY: 0 is the calling thread.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn asks_for_nothing_that_the_settings_do_not_name() {
        let report = on_a_thread(|| enter(&Settings::default()));
        assert_eq!(report, Report::default());
        assert_eq!(report.refused().count(), 0);
    }

    #[test]
    fn a_granted_thread_is_fifo_and_what_it_starts_is_not() {
        on_a_thread(|| {
            let report = enter(&Settings { priority: Some(5), ..Settings::default() });
            match report.scheduler {
                Outcome::Granted => {
                    assert_eq!(policy() & !libc::SCHED_RESET_ON_FORK, libc::SCHED_FIFO);
                    assert_eq!(on_a_thread(policy), libc::SCHED_OTHER);
                }
                outcome => assert!(matches!(outcome, Outcome::Refused { errno: libc::EPERM, .. })),
            }
        });
    }

    #[test]
    fn every_refusal_names_the_wish_and_the_remedy() {
        let settings = Settings {
            priority: Some(1_000),
            cpu: Some(usize::MAX),
            lock_memory: false,
            stack_prefault_bytes: usize::MAX,
        };
        let report = on_a_thread(|| enter(&settings));
        let said: Vec<String> = report.refused().map(|refusal| refusal.to_string()).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("SCHED_FIFO") && said[0].contains("between 1 and 99"));
        assert!(said[1].contains("affinity") && said[1].contains("nproc"));
        assert!(said[2].contains("stack") && said[2].contains("larger stack"));
    }

    #[test]
    fn pins_to_the_cpu_that_was_asked_for() {
        on_a_thread(|| {
            // SAFETY: takes no arguments.
            let here =
                usize::try_from(unsafe { libc::sched_getcpu() }).expect("a CPU has a number");
            let report = enter(&Settings { cpu: Some(here), ..Settings::default() });
            assert_eq!(report.affinity, Outcome::Granted);
            assert_eq!(std::thread::available_parallelism().map(usize::from).ok(), Some(1));
        });
    }

    #[test]
    fn the_stack_is_resident_after_it_was_touched_and_never_overrun() {
        let asked = Settings { stack_prefault_bytes: 512 * 1024, ..Settings::default() };
        let on = |bytes| {
            std::thread::Builder::new()
                .stack_size(bytes)
                .spawn(move || enter(&asked).stack)
                .expect("a thread starts")
                .join()
                .expect("it does not overrun")
        };
        assert_eq!(on(1024 * 1024), Outcome::Granted);
        assert!(matches!(on(256 * 1024), Outcome::Refused { errno: libc::ENOMEM, .. }));
    }

    #[test]
    fn locking_memory_is_granted_or_says_how() {
        let settings = Settings { lock_memory: true, ..Settings::default() };
        let report = on_a_thread(|| enter(&settings));
        release_memory();
        assert!(
            report.memory_lock == Outcome::Granted
                || report.refused().all(|refusal| refusal.remedy.contains("LimitMEMLOCK"))
        );
    }
}
