//! How a daemon ends: a signal, the robot at rest, the threads one after the other.

use std::{thread::JoinHandle, time::Duration};

use reflex::{StopSwitch, Summary};

use crate::{
    operator::{Command, Desk},
    wire::TimingMessage,
};

/// Coming to rest at the end takes no longer than this.
const REST_WITHIN: Duration = Duration::from_secs(5);
/// And a thread that was told to end takes no longer than this.
const ENDS_WITHIN: Duration = Duration::from_millis(500);
/// How often it is looked whether either is so.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Returns when SIGTERM or SIGINT has come.
pub(crate) async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be waited for: stopping");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: coming to an end"),
        _ = interrupt.recv() => tracing::info!("SIGINT: coming to an end"),
    }
}

/// The robot is brought to rest before the loop ends.
pub(super) async fn come_to_rest(desk: &Desk) -> Option<()> {
    desk.command(Command::Disarm, "reflexd").await;
    // A fault or an e-stop refuses to disarm, and brakes by itself: what counts is that the set-points stand still.
    let at_rest = async {
        let mut before = desk.present()?.tick;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = desk.present()?.tick;
            if now.tick > before.tick && now.applied == before.applied {
                return Some(());
            }
            before = now;
        }
    };
    tokio::time::timeout(REST_WITHIN, at_rest).await.ok().flatten()
}

/// Ends the loop, and those who wait on it.
pub(super) fn end(
    switch: &StopSwitch,
    turns: JoinHandle<Summary>,
    thinking: JoinHandle<()>,
    listening: JoinHandle<TimingMessage>,
) -> TimingMessage {
    switch.quit();
    let _ = join("the loop", turns);
    let _ = join("the thinker", thinking);
    join("the herald", listening).unwrap_or_default()
}

/// What a thread ends with. One that does not end is left behind: what hangs in a head must not keep the process.
pub(super) fn join<T>(what: &str, thread: JoinHandle<T>) -> Option<T> {
    let mut left = ENDS_WITHIN;
    while !thread.is_finished() && !left.is_zero() {
        std::thread::sleep(LOOK_EVERY);
        left = left.saturating_sub(LOOK_EVERY);
    }
    if !thread.is_finished() {
        tracing::error!("{what} does not end: it is left behind");
        return None;
    }
    let ended = thread.join();
    if ended.is_err() {
        tracing::error!("{what} panicked");
    }
    ended.ok()
}
