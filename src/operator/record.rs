//! The desk's side of the recorder: what somebody may ask for.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{Answer, Desk, desk::lock};

/// Beginning a file takes no longer than this, unless its disk hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordAct {
    /// Everything, from now on.
    Start,
    /// No more.
    Stop,
    /// The last ticks, now.
    BlackBox,
    /// Nothing: how is it?
    Status,
}

/// For the recorder: what somebody wants, who waits for what is new, or why not.
pub struct RecordErrand {
    /// What.
    pub act: RecordAct,
    /// Who.
    pub who: String,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Vec<String>, String>>,
}

impl RecordAct {
    /// For the audit trail.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Start => "start recording",
            Self::Stop => "stop recording",
            Self::BlackBox => "write a black box",
            Self::Status => "how is the recorder?",
        }
    }
}

impl Desk {
    pub(super) async fn record(&self, act: RecordAct, who: &str) -> Answer {
        let (answer, answered) = oneshot::channel();
        let sent = lock(self.recorder()).send(RecordErrand { act, who: who.to_owned(), answer });
        let outcome = match sent {
            Err(_) => Err("the recorder's thread has ended: restart the daemon".to_owned()),
            Ok(()) => match tokio::time::timeout(PATIENCE, answered).await {
                Ok(Ok(outcome)) => outcome,
                _ => Err("the recorder does not answer: its disk may hang; look at state/recorder"
                    .to_owned()),
            },
        };
        self.changed(outcome)
    }
}
