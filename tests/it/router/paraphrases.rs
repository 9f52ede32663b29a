//! What people may say, to the heads that are shipped, through real daemons.

use std::path::PathBuf;

use serde_json::json;

use super::{Stranger, fate, fixture};
use crate::{daemon::Daemon, rig::here};

/// At least this share of the paraphrases has to find its skill, by the network alone.
const RIGHT_MIN: f64 = 0.98;

fn shipped(robot: &str) -> Option<PathBuf> {
    let head = here(&format!("models/heads/{robot}_router.toml"));
    if !head.exists() {
        eprintln!("skipped: {} is not there", head.display());
        return None;
    }
    Some(head)
}

/// Pairs of a skill and what is said.
fn paraphrases() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(here("tests/data/router/paraphrases.txt")).expect("a file");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let pair = |line: &str| {
        let (skill, said) = line.split_once(':').expect("skill: words");
        (skill.trim().to_owned(), said.trim().to_owned())
    };
    lines.map(pair).collect()
}

#[test]
fn two_hundred_paraphrases_find_their_skill() {
    let Some(head) = shipped("piper") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = fixture::config(folder.path(), &head, "timeout_ms = 60000");
    let daemon = Daemon::start_with(&config, folder);
    let stranger = Stranger::beside(&daemon);
    stranger.tell_of_things();
    daemon.arm();
    let all = paraphrases();
    assert!(all.len() >= 200, "{}", all.len());
    let mut wrong = Vec::new();
    for (at, (skill, text)) in all.iter().enumerate() {
        let id = format!("paraphrase-{at}");
        let message = json!({ "text": text, "instruction_id": id, "force_neural_skill": true, "ttl_ms": 60000 });
        let answer = daemon.ask("instruction", &message);
        if answer["accepted"] != true || answer["next"] == "held" {
            wrong.push(format!("{skill}: {text}: {answer}"));
            continue;
        }
        let told = fate(&daemon, &id);
        // The skill's own bounds may refuse a place; which skill it is, is the question here.
        if told["decided"]["skill"] != *skill {
            wrong.push(format!(
                "{skill}: {text}: {} {}",
                told["decided"]["neural_skill"], told["reason"]
            ));
        }
    }
    let right = (all.len() - wrong.len()) as f64 / all.len() as f64;
    eprintln!("{right:.4} of {} right; wrong: {wrong:#?}", all.len());
    assert!(right >= RIGHT_MIN, "{right}: {wrong:#?}");
}
