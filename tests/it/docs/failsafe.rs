//! The tables of `docs/failsafe.md` that are made of `motion::failsafe`.

use std::fmt::Write as _;

use motion::failsafe::{Action, TABLE};

use super::read;

const PAGE: &str = "docs/failsafe.md";
const FROM: &str = "<!-- Made from src/motion/src/failsafe.rs. After a change: REFLEX_WRITE_DOCS=1 cargo test --features mujoco --test it docs -->\n";
const UNTIL: &str = "<!-- until here -->\n";

// Writing to a String cannot fail.
fn tables() -> String {
    let mut page = String::from(
        "\nThe actions, the least severe first:\n\n| action | what the robot does |\n|---|---|\n",
    );
    for action in Action::ALL.into_iter().filter(|action| *action != Action::None) {
        let _ = writeln!(page, "| `{}` | {} |", action.name(), action.words());
    }
    page.push_str("\n| condition | action | when | ends | who ends it |\n|---|---|---|---|---|\n");
    for rule in TABLE {
        let (action, clear) = (rule.action.name(), rule.clear);
        let (ends, who) = (clear.words(), clear.who());
        let _ = writeln!(page, "| `{}` | {action} | {} | {ends} | {who} |", rule.name, rule.when);
    }
    page.push('\n');
    page
}

#[test]
fn the_tables_of_conditions_are_those_of_the_law() {
    let page = read(PAGE);
    let (before, rest) = page.split_once(FROM).expect("the mark where they begin");
    let (_, after) = rest.split_once(UNTIL).expect("the mark where they end");
    let made = format!("{before}{FROM}{}{UNTIL}{after}", tables());
    if std::env::var_os("REFLEX_WRITE_DOCS").is_some() {
        std::fs::write(crate::rig::here(PAGE), &made).expect("the page is ours");
    }
    assert_eq!(read(PAGE), made, "{PAGE} is stale: REFLEX_WRITE_DOCS=1 cargo test --test it docs");
}
