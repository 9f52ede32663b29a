//! Taking hold of the robot and letting it go, with answers that come when that has really happened.

use std::time::Duration;

use motion::{Mode, Refusal, What};

use super::{
    Desk,
    desk::{PATIENCE, Settled},
    words,
};

/// Whoever asks is answered by then, held or not: nobody waits longer at the door.
const ANSWER_WITHIN: Duration = Duration::from_secs(9);

impl Desk {
    /// Motors may take seconds until they follow: the answer comes when they do, or have not.
    pub(super) async fn arm(&self) -> Result<Settled, String> {
        let settled = self.order(What::Arm).await?;
        if settled.outcome.is_err() || !matches!(settled.mode, Mode::Arming { .. }) {
            return Ok(settled);
        }
        let engage_max = Duration::from_nanos(self.planner().robot().rules().engage_max_ns);
        let mut present = self.watch();
        let decided = present.wait_for(|present| {
            let tick = present.as_ref().map(|present| present.tick);
            tick.is_some_and(|tick| {
                tick.tick.0 >= settled.seq && !matches!(tick.mode, Mode::Arming { .. })
            })
        });
        let within = (engage_max + PATIENCE).min(ANSWER_WITHIN);
        let Ok(Ok(present)) = tokio::time::timeout(within, decided).await else {
            return Err("its motors have not taken hold yet: look at state/mode".into());
        };
        let Some(present) = present.clone() else { return Ok(settled) };
        let mode = present.tick.mode;
        match mode {
            Mode::Holding | Mode::Moving { .. } | Mode::Stopping { .. } => {
                Ok(Settled { outcome: Ok(()), seq: present.tick.tick.0, mode })
            }
            Mode::Faulted { .. } | Mode::EStopped { .. } => {
                Err(present.trouble.clone().unwrap_or_else(|| words::mode(&mode).to_owned()))
            }
            _ => Err("somebody had it let go before its motors took hold".into()),
        }
    }

    /// Takes the power off the motors.
    pub(super) async fn release(&self) -> Result<Settled, String> {
        let settled = self.order(What::Release).await?;
        match settled.outcome {
            Err(Refusal::Mode(mode)) => Err(words::not_released(&mode)),
            _ => Ok(settled),
        }
    }
}
