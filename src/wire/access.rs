//! Who may send what, and how much of it: from the table of keys, so that zenoh's access control, the check of signatures
//! and the documentation cannot differ.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Key, Kind, TABLE};
use crate::security::{LIFETIME_MS_MAX, Role, Roster};

/// How much of a key is taken. What is above it is refused before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Messages a second from one session, in the long run.
    pub per_session_hz: u32,
    /// And so many at once.
    pub burst: u32,
    /// Messages a second from everybody together; as many at once.
    pub all_hz: u32,
}

impl Key {
    /// Who may send to it. Nobody, where only the daemon speaks.
    #[must_use]
    pub const fn senders(&self) -> &'static [Role] {
        match self.kind {
            // A robot is stopped by anyone who may connect.
            Kind::Stop => &[Role::Operator, Role::Router, Role::Viewer],
            Kind::Command | Kind::Beat => &[Role::Operator],
            Kind::Decision | Kind::Fed | Kind::Shared | Kind::Watched => &[Role::Router],
            Kind::Instruction | Kind::Question => &[Role::Operator, Role::Router],
            Kind::Stream | Kind::Present | Kind::Happening | Kind::Info | Kind::Alive => &[],
        }
    }

    /// Whether everybody who may connect may look at it.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        matches!(
            self.kind,
            Kind::Stream | Kind::Present | Kind::Happening | Kind::Info | Kind::Fed | Kind::Shared
        )
    }

    /// Whether its messages are taken only with a signature, where signatures are required.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        matches!(
            self.kind,
            Kind::Command
                | Kind::Beat
                | Kind::Decision
                | Kind::Instruction
                | Kind::Fed
                | Kind::Shared
        )
    }

    /// The longest time from now to the end of a signature, ms. Whoever is in between may hold a message back for as long: a
    /// heartbeat that was held back says that somebody is there who is not.
    #[must_use]
    pub const fn signed_for_ms(&self) -> u64 {
        match self.kind {
            Kind::Beat => 2_000,
            _ => LIFETIME_MS_MAX,
        }
    }

    /// Whether it is the key of this name: `heartbeat/*` is that of every operator's.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(folder) => name.strip_prefix(folder).is_some_and(|rest| !rest.contains('/')),
            None => self.name == name,
        }
    }

    /// Whether it only ever calms a robot: some of it is taken whoever crowds the key, for twice is no more than once.
    #[must_use]
    pub fn calms(&self) -> bool {
        matches!(self.name, "cmd/hold" | "cmd/disarm")
    }

    /// How much of it is taken; nothing is said of keys that nobody sends to, and of the e-stop, which always counts.
    #[must_use]
    pub const fn limit(&self) -> Option<Limit> {
        let (per_session_hz, all_hz) = match self.kind {
            // Jogs come 20 times a second.
            Kind::Command => (100, 1000),
            // Heartbeats come some ten times.
            Kind::Beat => (50, 400),
            Kind::Decision | Kind::Instruction | Kind::Question => (50, 200),
            Kind::Fed | Kind::Shared => (100, 400),
            Kind::Stream | Kind::Present | Kind::Info => (400, 2000),
            Kind::Stop | Kind::Happening | Kind::Alive | Kind::Watched => return None,
        };
        Some(Limit { per_session_hz, burst: per_session_hz, all_hz })
    }
}

/// Roles that connect.
const CONNECTS: [Role; 4] = [Role::Operator, Role::Router, Role::Viewer, Role::Hop];

/// Whether a role may send to a key. A hop passes on what any of the others may.
fn may_send(role: Role, key: &Key) -> bool {
    match role {
        Role::Hop => !key.senders().is_empty(),
        role => key.senders().contains(&role),
    }
}

/// The key expression that a rule has for a key.
fn expression(robot: &str, key: &Key) -> String {
    match key.kind {
        // All robots at once are stopped by `reflex/*/cmd/estop`.
        Kind::Stop => format!("reflex/*/{}", key.name),
        _ => format!("reflex/{robot}/{}", key.name),
    }
}

/// What everybody may look at. Keys with a common first part are one expression, so that one question gets them all.
fn told(robot: &str) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for key in TABLE.iter().filter(|key| key.is_told()) {
        let expression = match key.name.split_once('/') {
            Some((folder, _)) => format!("reflex/{robot}/{folder}/**"),
            None => format!("reflex/{robot}/{}", key.name),
        };
        if !told.contains(&expression) {
            told.push(expression);
        }
    }
    told
}

/// zenoh's `access_control` for a robot's daemon: deny by default, and by role what the table allows.
///
/// With `robot_name` it is that of a hop: the same rules for those who connect to it, and everything of this robot for the
/// robot itself, whose certificate has that common name.
#[must_use]
pub fn access_control(robot: &str, roster: &Roster, robot_name: Option<&str>) -> Value {
    let alive = format!("reflex/{robot}/alive");
    // Who looks for robots asks for all of them, and is told of this one.
    let robots = "reflex/*/alive";
    let rule = |id: &str, flow: &str, messages: &[&str], key_exprs: &[String]| json!({ "id": id, "permission": "allow", "flows": [flow], "messages": messages, "key_exprs": key_exprs });
    let told = told(robot);
    let mut rules = vec![
        rule("told", "egress", &["put", "delete", "reply", "declare_queryable"], &told),
        rule("asked", "ingress", &["declare_subscriber", "query"], &told),
        rule("alive", "egress", &["liveliness_token"], std::slice::from_ref(&alive)),
        rule(
            "who-is-alive",
            "ingress",
            &["liveliness_query", "declare_liveliness_subscriber"],
            &[robots.to_owned()],
        ),
    ];
    let mut subjects = Vec::new();
    let mut policies = Vec::new();
    for role in CONNECTS {
        let names: Vec<&str> = roster.with(role).collect();
        if names.is_empty() {
            continue;
        }
        let may = |key: &&Key| may_send(role, key);
        let of = |is_so: &dyn Fn(&Key) -> bool| -> Vec<String> {
            let keys = TABLE.iter().filter(may).filter(|key| is_so(key));
            keys.map(|key| expression(robot, key)).collect()
        };
        let mut ids = vec!["told", "asked", "alive", "who-is-alive"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let mut add = |what: &str, flow: &str, messages: &[&str], keys: Vec<String>| {
            if !keys.is_empty() {
                let id = format!("{role}-{what}");
                rules.push(rule(&id, flow, messages, &keys));
                ids.push(id);
            }
        };
        let messages = of(&|key| key.kind != Kind::Watched);
        add("sends", "ingress", &["put", "query"], messages.clone());
        // Whatever arrives on the e-stop's key stops the robot.
        add("stops", "ingress", &["delete"], of(&|key| key.kind == Kind::Stop));
        add("answered", "egress", &["reply", "declare_subscriber", "declare_queryable"], messages);
        let present = of(&|key| key.kind == Kind::Watched);
        add("present", "ingress", &["liveliness_token"], present.clone());
        add("watched", "egress", &["liveliness_query", "declare_liveliness_subscriber"], present);
        let subject = role.name();
        subjects.push(json!({ "id": subject, "cert_common_names": names }));
        policies.push(json!({ "rules": ids, "subjects": [subject] }));
    }
    if let Some(name) = robot_name {
        let all = [format!("reflex/{robot}/**"), robots.to_owned(), "reflex/*/cmd/estop".into()];
        let every = [
            "put",
            "delete",
            "query",
            "reply",
            "declare_subscriber",
            "declare_queryable",
            "liveliness_token",
            "liveliness_query",
            "declare_liveliness_subscriber",
        ];
        rules.push(json!({ "id": "robot", "permission": "allow", "flows": ["ingress", "egress"],
                           "messages": every, "key_exprs": all }));
        subjects.push(json!({ "id": "robot", "cert_common_names": [name] }));
        policies.push(json!({ "rules": ["robot"], "subjects": ["robot"] }));
    }
    json!({ "enabled": true, "default_permission": "deny", "rules": rules, "subjects": subjects,
            "policies": policies })
}

/// The tables of `docs/security.md` that are made from the code.
#[must_use]
pub fn security_tables() -> String {
    let mut page = String::from(
        "| key | operator | router | viewer | signed where required | at most, a second |\n|---|---|---|---|---|---|\n",
    );
    for key in TABLE {
        let cell = |role: Role| match (may_send(role, key), key.is_told()) {
            (true, true) => "sends, looks",
            (true, false) => "sends",
            (false, true) => "looks",
            (false, false) if key.kind == Kind::Alive => "sees",
            (false, false) => "",
        };
        let signed = if key.is_signed() { "yes" } else { "" };
        let limit = key.limit().map_or_else(String::new, |limit| {
            let Limit { per_session_hz, burst, all_hz } = limit;
            format!("{per_session_hz} from a session ({burst} at once), {all_hz} in all")
        });
        let limit = if key.kind == Kind::Stop { "no limit".to_owned() } else { limit };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {signed} | {limit} |",
            key.name,
            cell(Role::Operator),
            cell(Role::Router),
            cell(Role::Viewer),
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_only_looks_and_a_router_commands_nothing() {
        for key in TABLE {
            let may = |role| may_send(role, key);
            let is_stop = key.kind == Kind::Stop;
            assert_eq!(may(Role::Viewer), is_stop, "{}", key.name);
            assert!(!key.name.starts_with("cmd/") || may(Role::Operator), "{}", key.name);
            assert!(!key.name.starts_with("cmd/") || is_stop || !may(Role::Router), "{}", key.name);
            assert!(!may(Role::Trainer), "{}", key.name);
        }
    }

    #[test]
    fn whatever_is_sent_is_limited_but_for_the_stop() {
        for key in TABLE.iter().filter(|key| !key.senders().is_empty()) {
            let none = matches!(key.kind, Kind::Stop | Kind::Watched);
            assert_eq!(key.limit().is_none(), none, "{}", key.name);
        }
    }

    #[test]
    fn nobody_is_a_subject_without_a_name() {
        let roster = Roster::new(vec![("a".into(), Role::Operator), ("t".into(), Role::Trainer)]);
        let control = access_control("piper", &roster, None);
        assert_eq!(control["subjects"], json!([{ "id": "operator", "cert_common_names": ["a"] }]));
        assert_eq!(control["default_permission"], "deny");
        let hop = access_control("piper", &roster, Some("robot-piper"));
        assert_eq!(hop["subjects"][1]["cert_common_names"], json!(["robot-piper"]));
    }
}
