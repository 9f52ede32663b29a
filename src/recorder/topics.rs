//! Everything that a recording holds, as one table. The schemas in the files and the table in `docs/recording.md` are made
//! from it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// What a field of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    /// A whole number.
    Whole,
    /// Any number.
    Number,
    /// Text.
    Text,
    /// Yes or no.
    Flag,
    /// Numbers, in joint order.
    Numbers,
    /// Texts.
    Texts,
    /// Rows of a chunk: each the tick that it is for, and its numbers.
    Rows,
    /// A histogram's figures.
    Quantiles,
    /// More fields, that are described elsewhere.
    Table,
}

/// One topic of a recording.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// The number of its channel and of its schema: the same in every file.
    pub id: u16,
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub what: &'static str,
    /// The fields of its messages; empty for one whose messages are no JSON.
    pub fields: &'static [(&'static str, Is)],
}

/// The law's words.
pub const LAW: Topic = Topic {
    id: 1,
    name: "/law",
    what: "What the law was given in each tick and what it made of it, as 64-bit words, little-endian: what `reflexd replay` \
           executes once more. Not JSON; of use to no other program.",
    fields: &[],
};
/// A tick.
pub const TICK: Topic = Topic {
    id: 2,
    name: "/tick",
    what: "Every tick: its mode, what is not as it should be, how punctual it was, what came in with it, and how many entries had been lost before it.",
    fields: &[
        ("seq", Is::Whole),
        ("at_ns", Is::Whole),
        ("mode", Is::Text),
        ("conditions", Is::Texts),
        ("early", Is::Flag),
        ("stop", Is::Flag),
        ("lateness_us", Is::Number),
        ("execution_us", Is::Number),
        ("orders", Is::Whole),
        ("replies", Is::Whole),
        ("lost", Is::Whole),
    ],
};
/// Joints.
pub const JOINTS: Topic = Topic {
    id: 3,
    name: "/state/joints",
    what: "Every tick: what was measured, requested and commanded, and which limits made the difference, in the order of `names`.",
    fields: &[
        ("seq", Is::Whole),
        ("at_ns", Is::Whole),
        ("sampled_at_ns", Is::Whole),
        ("driven", Is::Flag),
        ("engaged", Is::Flag),
        ("names", Is::Texts),
        ("position_rad_or_m", Is::Numbers),
        ("velocity_rad_or_m_per_s", Is::Numbers),
        ("requested_rad_or_m", Is::Numbers),
        ("commanded_rad_or_m", Is::Numbers),
        ("limited_by", Is::Texts),
        ("age_s", Is::Numbers),
    ],
};
/// A chunk.
pub const CHUNK: Topic = Topic {
    id: 4,
    name: "/chunk",
    what: "A chunk, when a tick took it in (`seq`): the tick that it observed, the tick that its first row is for, and its \
           `rows`, one a tick: `seq` and `position_rad_or_m`; none, if none could be made.",
    fields: &[
        ("seq", Is::Whole),
        ("at_ns", Is::Whole),
        ("run", Is::Whole),
        ("chunk", Is::Whole),
        ("observed_seq", Is::Whole),
        ("first_seq", Is::Whole),
        ("head_sha256_head", Is::Text),
        ("ends", Is::Flag),
        ("rows", Is::Rows),
    ],
};
/// An order.
pub const ORDER: Topic = Topic {
    id: 5,
    name: "/order",
    what: "An order to the law, in the tick that took it in.",
    fields: &[
        ("seq", Is::Whole),
        ("at_ns", Is::Whole),
        ("order", Is::Whole),
        ("epoch", Is::Whole),
        ("what", Is::Text),
        ("run", Is::Whole),
    ],
};
/// A run.
pub const RUN: Topic = Topic {
    id: 6,
    name: "/run",
    what: "The run that is being followed, on every change; nulls, if none is.",
    fields: &[
        ("seq", Is::Whole),
        ("at_ns", Is::Whole),
        ("run", Is::Whole),
        ("skill", Is::Text),
        ("policy", Is::Text),
        ("decision_id", Is::Text),
        ("source", Is::Text),
        ("target_m", Is::Numbers),
    ],
};
/// A command.
pub const COMMAND: Topic = Topic {
    id: 7,
    name: "/command",
    what: "An operator's command and its answer.",
    fields: &[
        ("at_ns", Is::Whole),
        ("who", Is::Text),
        ("command", Is::Text),
        ("what", Is::Text),
        ("accepted", Is::Flag),
        ("reason", Is::Text),
        ("changed", Is::Texts),
        ("state_seq", Is::Whole),
    ],
};
/// A decision.
pub const DECISION: Topic = Topic {
    id: 8,
    name: "/decision",
    what: "A decision as it came (`decision`: its fields are those of the key `decision`), and the verdict on it.",
    fields: &[
        ("at_ns", Is::Whole),
        ("who", Is::Text),
        ("decision", Is::Table),
        ("accepted", Is::Flag),
        ("reason", Is::Text),
        ("run", Is::Whole),
        ("superseded_run", Is::Whole),
    ],
};
/// An instruction.
pub const INSTRUCTION: Topic = Topic {
    id: 9,
    name: "/instruction",
    what: "The newest instruction and what became of it, on every change (`said`: its fields are those of `state/instruction`).",
    fields: &[("at_ns", Is::Whole), ("said", Is::Table)],
};
/// The audit trail.
pub const EVENT: Topic = Topic {
    id: 10,
    name: "/event",
    what: "The audit trail: what is told on `event/*`, its `kind` being the last part of the key.",
    fields: &[
        ("at_ns", Is::Whole),
        ("kind", Is::Text),
        ("who", Is::Text),
        ("key", Is::Text),
        ("what", Is::Text),
        ("outcome", Is::Text),
        ("reason", Is::Text),
    ],
};
/// Punctuality.
pub const TIMING: Topic = Topic {
    id: 11,
    name: "/timing",
    what: "Once a second: what is told on `diag/timing`.",
    fields: &[
        ("at_ns", Is::Whole),
        ("lateness", Is::Quantiles),
        ("execution", Is::Quantiles),
        ("ticks", Is::Whole),
        ("skipped", Is::Whole),
        ("late_chunks", Is::Whole),
        ("reports_dropped", Is::Whole),
        ("refused_messages", Is::Whole),
    ],
};
/// The pairing of the clocks.
pub const CLOCK: Topic = Topic {
    id: 12,
    name: "/clock",
    what: "Once a second: the loop's clock and the wall's at the same moment, and how far the wall's has moved away since the \
           file was begun.",
    fields: &[("at_ns", Is::Whole), ("unix_ns", Is::Whole), ("moved_ms", Is::Number)],
};

/// Every topic but the cameras'.
pub const TABLE: [Topic; 12] =
    [LAW, TICK, JOINTS, CHUNK, ORDER, RUN, COMMAND, DECISION, INSTRUCTION, EVENT, TIMING, CLOCK];

/// Cameras are numbered from here on.
pub(super) const FIRST_CAMERA: u16 = 100;

impl Topic {
    /// The name of its schema.
    #[must_use]
    pub fn schema_name(&self) -> String {
        format!("reflex.recorded{}.v1", self.name.replace('/', "."))
    }

    /// The JSON schema of its messages.
    #[must_use]
    pub fn schema(&self) -> String {
        let properties: Map<String, Value> =
            self.fields.iter().map(|(name, is)| ((*name).to_owned(), is.schema())).collect();
        json!({ "title": self.schema_name(), "type": "object", "properties": properties })
            .to_string()
    }
}

impl Is {
    fn schema(self) -> Value {
        let list = |of: Value| json!({ "type": "array", "items": of });
        let whole = || json!({ "type": "integer" });
        let number = || json!({ "type": "number" });
        // Viewers know neither lists of lists nor objects whose fields are not named.
        let table = |of: Value| json!({ "type": "object", "properties": of });
        match self {
            Self::Whole => whole(),
            Self::Number => number(),
            Self::Text => json!({ "type": "string" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Numbers => list(number()),
            Self::Texts => list(json!({ "type": "string" })),
            Self::Rows => {
                list(table(json!({ "seq": whole(), "position_rad_or_m": list(number()) })))
            }
            Self::Quantiles => table(json!({
                "p50_us": number(), "p99_us": number(), "p99_9_us": number(), "max_us": number(),
            })),
            Self::Table => table(json!({})),
        }
    }
}

/// The name of the schema of a camera's frames, which viewers know.
pub(super) const CAMERA_SCHEMA: &str = "foxglove.CompressedImage";

/// That schema: the fields that its maker has published.
pub(super) fn camera_schema() -> String {
    let whole = || json!({ "type": "integer", "minimum": 0 });
    json!({
        "title": CAMERA_SCHEMA,
        "type": "object",
        "properties": {
            "timestamp": {
                "type": "object",
                "title": "time",
                "properties": { "sec": whole(), "nsec": whole() },
            },
            "frame_id": { "type": "string" },
            "data": { "type": "string", "contentEncoding": "base64" },
            "format": { "type": "string" },
        },
    })
    .to_string()
}

/// The table for `docs/recording.md`.
#[must_use]
pub fn docs() -> String {
    let mut page = String::from("| topic | schema | what | fields |\n|---|---|---|---|\n");
    for topic in &TABLE {
        let fields: Vec<String> =
            topic.fields.iter().map(|(name, _)| format!("`{name}`")).collect();
        let schema = if topic.fields.is_empty() {
            String::new()
        } else {
            format!("`{}`", topic.schema_name())
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {schema} | {} | {} |",
            topic.name,
            topic.what,
            fields.join(", ")
        );
    }
    let _ = writeln!(
        page,
        "| `/camera/<name>` | `{CAMERA_SCHEMA}` | A camera's frame: a JPEG, in base64. Only in continuous files, and only of \
         the cameras that `recorder.cameras` names. | `timestamp`, `frame_id`, `data`, `format` |"
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_and_no_name_stands_twice() {
        for (k, topic) in TABLE.iter().enumerate() {
            let others = &TABLE[..k];
            assert!(others.iter().all(|other| other.id != topic.id && other.name != topic.name));
            assert!(topic.id < FIRST_CAMERA);
        }
    }

    /// As strict as viewers are: Foxglove Studio's reader of schemas refuses everything else, and the whole topic with it.
    fn viewers_know(schema: &Value) {
        match schema["type"].as_str() {
            Some("boolean" | "string" | "number" | "integer") => {}
            Some("object") => {
                let fields = schema["properties"].as_object().expect("named fields");
                fields.values().for_each(viewers_know);
            }
            Some("array") => {
                assert_ne!(schema["items"]["type"], "array", "a list of lists: {schema}");
                viewers_know(&schema["items"]);
            }
            other => panic!("{other:?}: {schema}"),
        }
    }

    #[test]
    fn schemas_are_json_schemas_that_viewers_know() {
        viewers_know(&serde_json::from_str(&camera_schema()).expect("JSON"));
        for topic in TABLE.iter().filter(|topic| !topic.fields.is_empty()) {
            let schema: Value = serde_json::from_str(&topic.schema()).expect("JSON");
            assert_eq!(schema["type"], "object", "{}", topic.name);
            viewers_know(&schema);
            assert_eq!(schema["properties"].as_object().map(Map::len), Some(topic.fields.len()));
        }
    }
}
