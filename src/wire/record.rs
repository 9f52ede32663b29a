//! The payload of `cmd/record`.

use serde::Deserialize;

use super::messages::{BadMessage, read};
use crate::operator::{Command, RecordAct};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    act: Act,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    Start,
    Stop,
    BlackBox,
    Status,
}

/// Reads it.
pub(super) fn command(payload: &[u8]) -> Result<(Command, Option<String>), BadMessage> {
    let Record { operator, act, .. } = read(payload)?;
    let act = match act {
        Act::Start => RecordAct::Start,
        Act::Stop => RecordAct::Stop,
        Act::BlackBox => RecordAct::BlackBox,
        Act::Status => RecordAct::Status,
    };
    Ok((Command::Record(act), operator))
}

/// What `state/recorder` says, for the documentation.
pub(super) const SAMPLE: &str = r#"{"v":1,"at_ns":61700000000,"recording":true,"file":"piper-000012-run-20261129T163012Z.mcap","bytes":1843200,"safe_seq":1228,"black_box":"piper-000011-box-20261129T161155Z.mcap","black_boxes":1,"ticks_dropped":0,"messages_dropped":0,"frames_dropped":3,"disk_full":false,"free_mb":51234,"trouble":null}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_four_acts_is_asked_for() {
        let act = |payload: &str| command(payload.as_bytes()).map(|(command, _)| command).ok();
        for (word, wanted) in [
            ("start", RecordAct::Start),
            ("stop", RecordAct::Stop),
            ("black_box", RecordAct::BlackBox),
            ("status", RecordAct::Status),
        ] {
            let payload = format!(r#"{{"act":"{word}","operator":"ada"}}"#);
            assert_eq!(act(&payload), Some(Command::Record(wanted)));
        }
        for bad in ["", "{}", r#"{"act":"erase"}"#, r#"{"act":"start","file":"/etc/passwd"}"#] {
            assert_eq!(act(bad), None, "{bad:?}");
        }
    }
}
