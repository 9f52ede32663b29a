//! What a manifest says on time: taken as it stands, or refused by its key; and the small head that corrects a large one.

use std::fs;

use motion::{FirstStep, JointLimits, Seam};

use super::{
    tests::{Changed, ROBOT, body, engine, fixture, refused, says},
    *,
};

/// The plan of the sound head, its manifest changed.
#[track_caller]
fn plan(changes: &[(&str, &str)]) -> Plan {
    let changed = Changed::new("", "");
    changed.also(changes);
    let manifest = Manifest::load(&changed.path()).unwrap_or_else(|error| panic!("{error}"));
    manifest.plan(HeadDigest(1), 9)
}

const FADE: &str = "method = \"fade\"\nticks = 2";
const INLINE: &str = "mode = \"inline\"";
const PREVIOUS: &str = "name = \"previous_action\"";
const PREFIX: (&str, &str) = (PREVIOUS, "name = \"prefix\"\nsteps = 1");

#[test]
fn a_plan_is_what_the_manifest_says() {
    let seam = |words| plan(&[(FADE, words), PREFIX]).seam;
    assert_eq!(seam("method = \"cut\""), Seam::Cut);
    assert_eq!(seam(FADE), Seam::Fade { ticks: 2 });
    assert_eq!(seam("method = \"ensemble\""), Seam::Ensemble { coefficient: 0.01 });
    let flat = "method = \"ensemble\"\ncoefficient = 0.0";
    assert_eq!(seam(flat), Seam::Ensemble { coefficient: 0.0 });
    assert_eq!(seam("method = \"prefix\""), Seam::Prefix { ticks: 0 });
    assert_eq!(seam("method = \"prefix\"\nticks = 3"), Seam::Prefix { ticks: 3 });

    let first = |words| plan(&[(INLINE, words)]).first_step;
    assert_eq!(first(INLINE), FirstStep::Observation);
    assert_eq!(first("mode = \"inline\"\nfirst_step = \"take_over\""), FirstStep::TakeOver);
    assert_eq!(first("mode = \"inline\"\nroll_forward = true"), FirstStep::TakeOver);
}

#[test]
fn words_on_time_that_make_no_sense_are_refused_with_key_value_and_remedy() {
    let rolled = "mode = \"inline\"\nroll_forward = true\nfirst_step = \"observation\"";
    refused(INLINE, rolled, "bad_value", &["timing.first_step", "leave it out"]);
    for (to, words) in [
        ("method = \"ensemble\"\nticks = 2", ["seam.ticks", "coefficient"]),
        ("method = \"ensemble\"\ncoefficient = 11.0", ["seam.coefficient", "-10 to 10"]),
        ("method = \"ensemble\"\ncoefficient = nan", ["seam.coefficient", "NaN"]),
        ("method = \"fade\"\nticks = 2\ncoefficient = 0.1", ["seam.coefficient", "leave it out"]),
        ("method = \"prefix\"", ["seam.method", "add a feature \"prefix\""]),
        ("method = \"prefix\"\nticks = 5", ["seam.ticks", "1 to 4"]),
    ] {
        refused(FADE, to, "bad_value", &words);
    }
    for (to, words) in [
        ("name = \"prefix\"", ["features[1].steps", "1 to 8"]),
        ("name = \"prefix\"\nsteps = 9", ["features[1].steps", "1 to 8"]),
        ("name = \"previous_action\"\nsteps = 1", ["features[1].steps", "leave it out"]),
        ("name = \"previous_action\"\nalign = \"end\"", ["features[1].align", "leave it out"]),
        ("name = \"delay\"", ["features[1].joints", "takes nothing"]),
    ] {
        refused(PREVIOUS, to, "bad_value", &words);
    }
    let changed = Changed::new(INLINE, "mode = \"inline\"\nroll_forward = true");
    changed.also(&[PREFIX]);
    let error = Manifest::load(&changed.path()).expect_err("told twice");
    says(&error, "bad_value", &["timing.roll_forward", "prefix"]);
}

/// The toy, with limits.
fn limited() -> Body {
    let limits = JointLimits {
        position_min: -2.0,
        position_max: 2.0,
        velocity_max: 1.0,
        acceleration_max: 8.0,
        jerk_max: 200.0,
        step_max: 0.5,
        divergence_max: 0.5,
        gripper: false,
    };
    Body { limits: vec![limits; 3], ..body("toy", &ROBOT) }
}

const SMALL: (&str, &str) = (
    "[seam]",
    "[correction]\nhead = \"small.toml\"\ndeadline_ms = 5.0\nmax_share = 0.01\n\n[seam]",
);

/// The sound head, corrected by itself cut to one step; the manifests of both changed.
fn corrected(base: &[(&str, &str)], small: &[(&str, &str)]) -> Changed {
    let changed = Changed::new("", "");
    changed.also(&[SMALL]);
    changed.also(base);
    let mut manifest = fs::read_to_string(fixture("good.toml")).expect("a manifest");
    // One row of each golden action is what a head of one step answers.
    let mut row = 0;
    manifest = manifest
        .lines()
        .filter(|line| {
            row = if line.starts_with("    [") { row + 1 } else { 0 };
            row < 2
        })
        .map(|line| format!("{line}\n"))
        .collect();
    for (from, to) in [
        ("chunk_steps = 4", "chunk_steps = 1"),
        ("execute_steps = 3", "execute_steps = 1"),
        (FADE, "method = \"cut\""),
    ]
    .iter()
    .chain(small)
    {
        assert!(manifest.contains(from), "`{from}` is not in the manifest");
        manifest = manifest.replacen(from, to, 1);
    }
    // Its network gives four steps: the first is taken.
    manifest =
        manifest.replacen("tensor = \"action\"", "tensor = \"action\"\nshape = [1, 4, 3]", 1);
    let small = changed.path().with_file_name("small.toml");
    fs::write(small, manifest).expect("a file");
    changed
}

#[test]
fn a_correction_head_is_proved_with_the_head_that_it_corrects() {
    let changed = corrected(&[], &[]);
    let head = Head::load(&changed.path(), &limited(), engine()).unwrap_or_else(|e| panic!("{e}"));
    let rule = head.plan(9).correction.expect("a rule");
    assert_eq!((rule.deadline_ns, &rule.offset_max[..]), (5_000_000, &[0.04; 3][..]));
    let small = head.corrector().expect("a corrector");
    let small = small.lock().expect("nobody panicked");
    assert_eq!((small.digest(), small.proof().goldens), (rule.head, 3));
    assert!(small.corrector().is_none());
}

#[test]
fn a_correction_that_does_not_fit_is_refused_with_key_value_and_remedy() {
    const SHARE: &str = "max_share = 0.01";
    for (from, to, words) in [
        (
            "deadline_ms = 5.0\nmax",
            "deadline_ms = 50.0\nmax",
            ["correction.deadline_ms", "one period"],
        ),
        (SHARE, "max_share = 0.5", ["correction.max_share", "0.2"]),
        (SHARE, "max_share = nan", ["correction.max_share", "NaN"]),
        (SHARE, "", ["correction.max_correction", "max_share"]),
        (SHARE, "max_correction = [0.1, 0.1]", ["correction.max_correction", "shoulder"]),
        (SHARE, "max_correction = [0.1, -0.1, 0.1]", ["correction.max_correction", "below 0"]),
        ("small.toml", "/small.toml", ["correction.head", "relative"]),
    ] {
        let changed = corrected(&[(from, to)], &[]);
        let error = Head::load(&changed.path(), &limited(), engine()).expect_err(to);
        says(&error, "bad_value", &words);
    }
    for (from, to, words) in [
        (
            "chunk_steps = 1",
            "chunk_steps = 1\nprefetch_ticks = 1",
            ["timing.prefetch_ticks", "small.toml"],
        ),
        ("period_ms = 50", "period_ms = 20", ["timing.period_ms", "that it corrects"]),
        SMALL_OF_ITS_OWN,
    ] {
        let changed = corrected(&[], &[(from, to)]);
        let error = Head::load(&changed.path(), &limited(), engine()).expect_err(to);
        says(&error, "bad_value", &words);
    }
    // A head of several steps is no correction.
    let changed = corrected(&[("small.toml", "good.toml")], &[]);
    let error = Head::load(&changed.path(), &limited(), engine()).expect_err("four steps");
    says(&error, "bad_value", &["timing.chunk_steps", "one step"]);
}

const SMALL_OF_ITS_OWN: (&str, &str, [&str; 2]) =
    (SMALL.0, SMALL.1, ["correction.head", "not corrected"]);
