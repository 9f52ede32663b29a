//! Who sent a message, as far as it can be known: what the session says of itself, and what the message says.

use serde::Deserialize;
use serde_json::Value;

/// Longest name that is believed; the rest is cut, so that nobody floods the log with their name.
const NAME_CHARS_MAX: usize = 128;

/// A message with this number says which session it is of only so that it is not held up by others: people have names, and
/// the audit trail is about people.
pub(super) const QUIET_SN: u32 = u32::MAX;

/// Said of someone who gave no name.
pub(super) const NOBODY: &str = "unknown";

/// The parts of any message that are wanted even if the rest makes no sense.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Peek {
    #[serde(default)]
    pub(super) v: Option<Value>,
    #[serde(default)]
    operator: Option<Value>,
    #[serde(default)]
    source: Option<Value>,
}

impl Peek {
    /// Looks into a payload; sees nothing in one that is no JSON object.
    pub(super) fn at(payload: &[u8]) -> Self {
        serde_json::from_slice(payload).unwrap_or_default()
    }

    /// Whom it names as its sender, and in which field.
    pub(super) fn claims(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = [("operator", &self.operator), ("source", &self.source)];
        fields.into_iter().filter_map(|(field, name)| Some((field, name.as_ref()?.as_str()?)))
    }

    /// The sender: `name@session`, or whichever half there is.
    pub(super) fn who(&self, session: Option<&str>) -> String {
        let name = [&self.operator, &self.source].into_iter().flatten().find_map(Value::as_str);
        match (name.map(tame).filter(|name| !name.is_empty()), session) {
            (Some(name), Some(session)) => format!("{name}@{session}"),
            (Some(name), None) => name,
            (None, Some(session)) => session.into(),
            (None, None) => NOBODY.into(),
        }
    }
}

/// A name without line breaks and the like: it goes into logs, and a log line must not be forged.
fn tame(name: &str) -> String {
    name.chars()
        .take(NAME_CHARS_MAX)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_believed_only_as_far_as_it_is_one() {
        let who = |payload: &[u8], session| Peek::at(payload).who(session);
        assert_eq!(who(br#"{"operator":"ada","nonsense":1}"#, None), "ada");
        assert_eq!(who(br#"{"source":"router"}"#, Some("a1b2")), "router@a1b2");
        assert_eq!(who(br#"{"operator":7}"#, Some("a1b2")), "a1b2");
        assert_eq!(who(br#"{"operator":""}"#, None), NOBODY);
        assert_eq!(who(b"\xff\xfe", None), NOBODY);
        assert_eq!(who(b"[1,2]", None), NOBODY);
        assert!(!who(br#"{"operator":"a\nERROR forged"}"#, None).contains('\n'));
        let long = format!(r#"{{"operator":"{}"}}"#, "x".repeat(5000));
        assert_eq!(who(long.as_bytes(), None).len(), NAME_CHARS_MAX);
    }
}
