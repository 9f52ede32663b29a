//! What a head remembers of its run: it begins anew with each, and rules that make no sense are refused.

use std::{fs, path::Path};

use motion::{Ask, Nanos, RunId, State, TickIndex};

use super::{
    jukebox_test::{self as jukebox, Rows},
    tests::{body, engine, says},
    *,
};

/// Answers which entry it is shown: the one-hot of two stages, the elapsed ticks, cut to a whole number.
const OUTPUT: &str = "[[output.columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"a\"]";

/// Of the stages `far` and `near` the second.
const SEEN: &str = "name = \"stage\"\nstages = [\"near\"]";
const STAGES: &str = "[[stages]]\nname = \"near\"\nwhen = [{ of = \"ticks\", at_least = 3 }]\n";

/// A head that answers 1 where the only number that it sees is 1, and 0 where that is 0.
fn written(folder: &Path, seen: &str, tables: &str) -> Result<Head, HeadError> {
    let rows = Rows::Numbers(vec![vec![0.0], vec![1.0]]);
    let golden = [vec![vec![0.0]], vec![vec![1.0]]];
    let path = jukebox::write(folder, seen, (&rows, &[1, 1, 1]), OUTPUT, &golden);
    let text = fs::read_to_string(&path).expect("a manifest");
    let text = text.replacen("[[inputs]]", &format!("{tables}\n[[inputs]]"), 1);
    fs::write(&path, text).expect("a file");
    Head::load(&path, &body("toy", &["a"]), engine())
}

fn ask(tick: u64, position: f64) -> Ask {
    let mut state = State::blank(1);
    state.position[0] = position;
    Ask::standing(RunId(1), TickIndex(tick), Nanos(1), state, Joints::zeros(1))
}

#[test]
fn a_run_remembers_and_the_next_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut head = written(folder.path(), SEEN, STAGES).unwrap_or_else(|error| panic!("{error}"));
    let mut chunk = tests::blank_chunk();
    let mut answer = |context: &mut Context, tick| {
        head.infer_in(&ask(tick, 0.0), context, false, &mut chunk).expect("it answers");
        chunk.step(0).expect("a step")[0]
    };
    let mut run = Context::of(Params::default());
    assert_eq!([10, 11, 12].map(|tick| answer(&mut run, tick)), [0.0; 3]);
    assert_eq!([13, 20].map(|tick| answer(&mut run, tick)), [1.0; 2]);
    let mut next = Context::of(Params::default());
    assert_eq!([21, 22].map(|tick| answer(&mut next, tick)), [0.0; 2]);
    assert_eq!(answer(&mut run, 23), 1.0, "another run changes nothing");
}

#[test]
fn a_posture_may_make_a_stage() {
    let folder = tempfile::tempdir().expect("a folder");
    let stages = "[[stages]]\nname = \"near\"\nwhen = [{ of = \"joint\", joint = \"a\", at_least = 0.5, below = 1.0 }]\n";
    let mut head = written(folder.path(), SEEN, stages).unwrap_or_else(|error| panic!("{error}"));
    let mut chunk = tests::blank_chunk();
    let mut run = Context::of(Params::default());
    for (tick, (position, wanted)) in
        [(0.0, 0.0), (0.5, 1.0), (0.99, 1.0), (1.0, 0.0)].iter().enumerate()
    {
        let ask = ask(tick as u64 + 1, *position);
        head.infer_in(&ask, &mut run, false, &mut chunk).expect("it answers");
        assert_eq!(chunk.step(0).expect("a step")[0], *wanted, "at {position}");
    }
}

#[test]
fn a_memory_that_makes_no_sense_is_refused_with_key_value_and_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let object =
        "[object]\narm = \"hand\"\nfingers = [\"a\"]\nclosed_below = 0.03\nreach_m = 0.1\n";
    let grasped = "name = \"grasped\"";
    let stage = |rest: &str| format!("[[stages]]\nname = \"near\"\n{rest}\n");
    let when = |condition: &str| stage(&format!("when = [{{ {condition} }}]"));
    for (seen, tables, words) in [
        (grasped, String::new(), &["object", "add [object]"][..]),
        (grasped, object.to_owned(), &["object.arm", "hand", "arms"]),
        (grasped, object.replace("\"a\"", "\"b\""), &["object.fingers", "\"b\"", "joints"]),
        (grasped, object.replace("0.1", "0.0"), &["object.reach_m", "more than 0"]),
        (grasped, object.to_owned() + "empty_below = 0.05\n", &["object.empty_below", "0.03"]),
        (grasped, object.to_owned() + "mouth = \"hand\"\n", &["object.mouth", "eaten_within_m"]),
        ("name = \"eaten\"", object.to_owned(), &["object.mouth", "needs it"]),
        (SEEN, String::new(), &["stages", "add [[stages]]"]),
        (SEEN, STAGES.replace("near", "nigh"), &["stages[0].name", "nigh"]),
        (SEEN, when("of = \"ticks\""), &["stages[0].when[0].below", "at_least"]),
        (SEEN, when("of = \"ticks\", at_least = 5, below = 5"), &["when[0].below", "more than"]),
        (SEEN, when("of = \"joint\", below = 5"), &["when[0].joint", "name the joint"]),
        (
            SEEN,
            when("of = \"joint\", joint = \"b\", below = 5"),
            &["stages[0].when[0].joint", "\"b\""],
        ),
        (SEEN, when("of = \"distance\", below = 5"), &["when[0].arm", "from where"]),
        (
            SEEN,
            when("of = \"distance\", origin = [\"a\"], below = 5"),
            &["when[0].origin", "two joints"],
        ),
        (SEEN, when("of = \"ticks\", arm = \"hand\", below = 5"), &["when[0].arm", "leave it out"]),
        (SEEN, when("of = \"grasped\", at_least = 1"), &["when[0].of", "add [object]"]),
        (SEEN, stage("after = [\"far\"]"), &["stages[0].after", "far"]),
    ] {
        let error = written(folder.path(), seen, &tables).expect_err(&tables);
        says(&error, "bad_value", words);
    }
    for (seen, words) in [
        ("name = \"relative\"\nmeasures = [\"dx\"]", &["features[0].arm", "from where"][..]),
        (
            "name = \"relative\"\nmeasures = [\"dw\"]\narm = \"hand\"",
            &["features[0].measures", "dw"],
        ),
        ("name = \"relative\"\nmeasures = [\"sin_heading\"]\narm = \"hand\"", &["features[0].yaw"]),
        (
            "name = \"relative\"\nmeasures = [\"dx\"]\norigin = [\"a\", \"b\"]",
            &["features[0].origin", "\"b\"", "joints"],
        ),
        ("name = \"constant\"", &["features[0].values", "needs it"]),
        ("name = \"elapsed\"", &["features[0].per_tick", "needs it"]),
        ("name = \"joint_position\"\njoints = [\"a\"]\nmin = [0.0]", &["features[0].min", "both"]),
        (
            "name = \"joint_position\"\njoints = [\"a\"]\nmin = [0.0]\nmax = [0.0]",
            &["features[0].min", "below"],
        ),
        (
            "name = \"joint_sine\"\njoints = [\"a\"]\nmin = [0.0]\nmax = [1.0]",
            &["features[0].min", "leave it out"],
        ),
    ] {
        let error = written(folder.path(), seen, "").expect_err(seen);
        says(&error, "bad_value", words);
    }
}

#[test]
fn a_head_of_any_loop_does_not_count_in_its_own_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let sees = "name = \"elapsed\"\nper_tick = 1.0";
    let change = |from: &str, to: &str| {
        let rows = Rows::Numbers(vec![vec![0.0], vec![1.0]]);
        let golden = [vec![vec![0.0]], vec![vec![1.0]]];
        let path = jukebox::write(folder.path(), sees, (&rows, &[1, 1, 1]), OUTPUT, &golden);
        let text = fs::read_to_string(&path).expect("a manifest").replace(from, to);
        fs::write(&path, text).expect("a file");
        Head::load(&path, &body("toy", &["a"]), engine())
    };
    let own = change("period_ms = 50", "period_ms = 12").expect_err("40 ms of 12");
    says(&own, "bad_value", &["timing.deadline_ms"]);
    let own = change("period_ms = 50", "period_ms = 50").expect("as it was").manifest().timing;
    assert_eq!((own.at, own.action_ms(12.0)), (At::Own, 50.0));
    let why = own.fits(12.0).expect_err("another period");
    assert!(why.contains("loop.period_ms = 12") && why.contains("own"), "{why}");
    assert_eq!(own.fits(50.0), Ok(()));
    let any = change("period_ms = 50", "period_ms = 50\nat = \"loop\"");
    let any = any.expect("sound").manifest().timing;
    assert_eq!((any.at, any.action_ms(100.0)), (At::Loop, 100.0));
    assert_eq!((any.fits(100.0), any.fits(50.0)), (Ok(()), Ok(())));
    let why = any.fits(12.0).expect_err("it may take 40 ms");
    assert!(why.contains("deadline_ms = 40"), "{why}");
    let rolled = change("period_ms = 50", "period_ms = 50\nat = \"loop\"\nroll_forward = true");
    says(&rolled.expect_err("it counts in seconds"), "bad_value", &["timing.at", "own"]);
}
