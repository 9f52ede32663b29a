//! JSON as people write it: keys keep their order and stand once, and what fits into a line stays in one.

use std::fmt::{self, Write};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// Longest line that is written, in characters.
const WIDTH: usize = 120;

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    Leaf(Value),
}

impl Json {
    /// What stands under a key of an object.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        members.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Sets a key of an object; a new one stands after `after`, or last.
    pub(super) fn set(&mut self, key: &str, value: Self, after: &str) {
        if let Some(old) = self.get_mut(key) {
            *old = value;
        } else if let Self::Object(members) = self {
            let before = members.iter().position(|(name, _)| name == after);
            let at = before.map_or(members.len(), |at| at + 1);
            members.insert(at, (key.to_owned(), value));
        }
    }

    /// As text, with a line feed at its end.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(0, 0, &mut text);
        text.push('\n');
        text
    }

    /// `used`: characters of the line that are taken already.
    fn write(&self, depth: usize, used: usize, text: &mut String) {
        let line = self.line();
        let members = match self {
            _ if depth > 0 && used + line.chars().count() < WIDTH => 0,
            Self::Object(members) => members.len(),
            Self::Array(items) => items.len(),
            Self::Leaf(_) => 0,
        };
        if members == 0 {
            text.push_str(&line);
            return;
        }
        let indent = "  ".repeat(depth + 1);
        let (open, close) = if matches!(self, Self::Object(_)) { ('{', '}') } else { ('[', ']') };
        text.push(open);
        let mut separator = "\n";
        let mut begin = |key: &str, text: &mut String| {
            text.push_str(separator);
            text.push_str(&indent);
            text.push_str(key);
            separator = ",\n";
            indent.len() + key.chars().count()
        };
        match self {
            Self::Object(members) => {
                for (key, value) in members {
                    let used = begin(&format!("{}: ", Value::from(key.as_str())), text);
                    value.write(depth + 1, used, text);
                }
            }
            Self::Array(items) => {
                for item in items {
                    let used = begin("", text);
                    item.write(depth + 1, used, text);
                }
            }
            Self::Leaf(_) => {}
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}{close}", "  ".repeat(depth));
    }

    /// All of it in one line.
    fn line(&self) -> String {
        let joined = |parts: Vec<String>| parts.join(", ");
        match self {
            Self::Leaf(value) => value.to_string(),
            Self::Array(items) => format!("[{}]", joined(items.iter().map(Self::line).collect())),
            Self::Object(members) if members.is_empty() => "{}".into(),
            Self::Object(members) => {
                let member = |(key, value): &(String, Self)| {
                    format!("{}: {}", Value::from(key.as_str()), value.line())
                };
                format!("{{ {} }}", joined(members.iter().map(member).collect()))
            }
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(members) => {
                Self::Object(members.into_iter().map(|(key, value)| (key, value.into())).collect())
            }
            Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            leaf => Self::Leaf(leaf),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Ordered)
    }
}

struct Ordered;

impl<'de> Visitor<'de> for Ordered {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((key, value)) = access.next_entry::<String, Json>()? {
            // Of two values for one key neither is meant.
            if members.iter().any(|(name, _)| *name == key) {
                return Err(de::Error::custom(format_args!("key {key:?} stands twice")));
            }
            members.push((key, value));
        }
        Ok(Json::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Leaf(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_what_fits_stays_in_a_line() {
        let text = "{\n  \"z\": [0.15, 0.5],\n  \"a\": {\n    \"long\": \"".to_owned()
            + &"x".repeat(120)
            + "\",\n    \"b\": { \"c\": true }\n  }\n}\n";
        let read: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read.text(), text);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        let told = serde_json::from_str::<Json>(r#"{"a": [{"b": 1, "b": 2}]}"#).expect_err("twice");
        assert!(told.to_string().contains("\"b\" stands twice"), "{told}");
    }

    #[test]
    fn a_new_key_stands_where_it_belongs() {
        let mut json: Json = serde_json::from_str(r#"{"a": 1, "c": 3}"#).expect("JSON");
        let leaf = |value: u64| Json::Leaf(value.into());
        json.set("b", leaf(2), "a");
        json.set("c", leaf(4), "a");
        json.set("d", leaf(5), "nobody");
        assert_eq!(json.line(), r#"{ "a": 1, "b": 2, "c": 4, "d": 5 }"#);
    }
}
