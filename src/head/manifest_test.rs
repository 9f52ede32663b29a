//! What a manifest says of tensors, of bounds and of its own evaluation.

use std::fs;

use super::{
    tests::{Changed, ask, blank_chunk, fixture, load, refused, says},
    *,
};

/// A manifest with this evaluation, which has 100 episodes and two strata unless told otherwise.
fn evaluated(from: &str, to: &str) -> Result<Manifest, HeadError> {
    const RECORD: &str = r#"[evaluation]
command = "reflexd eval"
date = "2026-11-21"
first_seed = 7
episodes = 100
successes = 90

[[evaluation.strata]]
name = "pushed"
episodes = 60
successes = 55

[[evaluation.strata]]
name = "late"
episodes = 40
successes = 35

[provenance]"#;
    assert!(RECORD.contains(from), "`{from}` is not there");
    Manifest::load(&Changed::new("[provenance]", &RECORD.replacen(from, to, 1)).path())
}

#[test]
fn a_record_of_an_evaluation_is_whole_or_refused() {
    let manifest = evaluated("", "").expect("it is sound");
    let record = manifest.evaluation.expect("it is there");
    assert_eq!((record.success_rate(), record.strata.len()), (0.9, 2));
    for (from, to, words) in [
        ("\"reflexd eval\"", "\" \"", &["evaluation.command"][..]),
        ("2026-11-21", "2026-13-21", &["evaluation.date", "2026-13-21", "month"]),
        ("2026-11-21", "21.11.2026", &["evaluation.date"]),
        ("2026-11-21", "2026-1-021", &["evaluation.date"]),
        ("first_seed = 7", "first_seed = 7\nnote = \"\"", &["evaluation.note"]),
        ("episodes = 100\n", "episodes = 0\n", &["evaluation.episodes", "at least 1"]),
        ("successes = 90", "successes = 101", &["evaluation.successes", "101", "100 episodes"]),
        ("\"pushed\"", "\"\"", &["evaluation.strata[0].name"]),
        ("\"late\"", "\"pushed\"", &["evaluation.strata[1].name", "once"]),
        ("episodes = 60", "episodes = 101", &["evaluation.strata[0].episodes", "100"]),
        ("successes = 35", "successes = 41", &["evaluation.strata[1].successes", "40"]),
        ("successes = 55", "successes = 91\n", &["evaluation.strata[0].successes", "91"]),
    ] {
        says(&evaluated(from, to).expect_err(to), "bad_value", words);
    }
    for (from, to) in [("first_seed = 7\n", ""), ("successes = 55", ""), ("successes", "sucesses")]
    {
        assert_eq!(evaluated(from, to).expect_err(to).code(), "not_a_manifest");
    }
}

#[test]
fn without_a_clip_a_number_has_no_bound_but_has_to_be_finite() {
    let changed = Changed::new("std = [0.8, 0.5, 0.01]\nclip = 5.0\n", "std = [0.8, 0.5, 0.01]\n");
    let mut head = load(&changed.path()).expect("its goldens are all inside the clip");
    assert_eq!(head.manifest().inputs[0].features[0].clip, None);
    let (ask, params) = ask(&[1e300, 0.2, 0.03, 0.0, 0.1, 0.3, 0.1, 1.0]);
    let error = head.infer(&ask, &params, &mut blank_chunk()).expect_err("no f32");
    says(&error, "bad_observation", &["joint_position.base"]);
}

#[test]
fn a_tensor_of_another_shape_has_to_have_room_for_what_is_in_it() {
    let at_once = |shape: &str| format!("tensor = \"action\"\nshape = {shape}");
    let output = "tensor = \"action\"";
    for shape in ["[1, 4, 4]", "[1, 3, 3]", "[]", "[0]", "[1, 18446744073709551615, 3]"] {
        let says = at_once(shape);
        refused(output, &says, "bad_value", &["output.shape", "4 (timing.chunk_steps) rows"]);
    }
    refused(output, &at_once("[1, 12]"), "wrong_shape", &["output.tensor", "[1, 12]", "[1, 4, 3]"]);
    let input = "tensor = \"observation\"";
    let says = "tensor = \"observation\"\nshape = [1, 7]";
    refused(input, says, "bad_value", &["inputs[0].shape", "8 numbers"]);
    let says = "tensor = \"observation\"\nshape = [8]";
    refused(input, says, "wrong_shape", &["inputs[0].tensor", "[8]", "[1, 8]"]);
}

#[test]
fn a_network_of_more_steps_than_its_head_wants_is_cut() {
    let text = fs::read_to_string(fixture("good.toml")).expect("a manifest");
    let text = text.replace("chunk_steps = 4", "chunk_steps = 3");
    let text = text.replace("tensor = \"action\"", "tensor = \"action\"\nshape = [1, 4, 3]");
    let rows: Vec<&str> = text.lines().collect();
    let kept = rows.iter().enumerate().filter(|(at, _)| rows.get(at + 1) != Some(&"]"));
    let changed = Changed::new("clip", "clip");
    let text: Vec<&str> = kept.map(|(_, row)| *row).collect();
    fs::write(changed.path(), text.join("\n")).expect("a file");
    let mut head = load(&changed.path()).expect("its first three steps are the same");
    let (ask, params) = ask(&head.manifest().golden[0].observation.clone());
    let mut chunk = blank_chunk();
    head.infer(&ask, &params, &mut chunk).expect("it answers");
    assert_eq!(chunk.len(), 3);
}

#[test]
fn several_tensors_have_different_names_and_features_of_their_own() {
    let again = "[[inputs]]\ntensor = \"observation\"\n\n[[inputs.features]]\nname = \"decision\"";
    let from = "[[inputs.features]]\nname = \"decision\"";
    refused(from, again, "bad_value", &["inputs[1].tensor", "observation", "once"]);
    let other = again.replace("observation", "goal");
    refused(from, &other, "wrong_shape", &["inputs[0].tensor", "[1, 5]", "[1, 8]"]);
    let none = "[[inputs]]\ntensor = \"goal\"\nfeatures = []\n\n[output]";
    refused("[output]", none, "bad_value", &["inputs[1].features", "at least one"]);
}
