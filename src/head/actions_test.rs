//! Each representation from end to end: a manifest as its author writes it, a network, and what comes out as joints.

use std::{fs, path::Path};

use motion::{ChunkId, Joints, Nanos, State};

use super::{
    jukebox_test::{self as jukebox, BY_DECISION, Rows},
    *,
};
use crate::inference;

const JOINTS: [&str; 3] = ["base", "shoulder", "gripper"];
/// Where the robot is measured and commanded to be in these tests.
const MEASURED: [f64; 3] = [0.5, 1.0, 0.01];
const COMMANDED: [f64; 3] = [0.6, 1.1, 0.02];

fn body() -> Body {
    let joints = JOINTS.map(str::to_owned).to_vec();
    Body { name: "toy".to_owned(), joints, limits: Vec::new(), arms: Vec::new() }
}

fn load(path: &Path) -> Result<Head, HeadError> {
    let library = inference::find_library().expect("run `make setup` first");
    Head::load(path, &body(), Engine::start(&library).expect("the engine starts"))
}

/// What the head sends for one of its rows.
fn infer(head: &mut Head, which: usize) -> Result<Vec<Joints>, HeadError> {
    let at = |joints: [f64; 3]| Joints::from_slice(&joints).expect("three joints");
    let mut state = State::blank(3);
    state.position = at(MEASURED);
    let ask = Ask::standing(RunId(7), TickIndex(42), Nanos(0), state, at(COMMANDED));
    let params = Params { target_x: which as f64, ..Params::default() };
    let mut chunk = Chunk::empty(ChunkId(9), RunId(0), HeadDigest(0), TickIndex(0), 0);
    match head.infer(&ask, &params, &mut chunk) {
        Ok(()) => Ok((0..chunk.len()).filter_map(|step| chunk.step(step)).collect()),
        Err(error) => {
            assert_eq!((chunk.len(), chunk.run), (0, RunId(7)), "half a chunk is no chunk");
            Err(error)
        }
    }
}

#[track_caller]
fn sends(head: &mut Head, which: usize, wanted: &[[f64; 3]]) {
    let got = infer(head, which).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(got.len(), wanted.len());
    for (got, wanted) in got.iter().zip(wanted) {
        for (got, wanted) in got.iter().zip(wanted) {
            assert!((got - wanted).abs() < 1e-6, "{got}, not {wanted}");
        }
    }
}

#[track_caller]
fn refuses(head: &mut Head, which: usize, words: &[&str]) {
    let error = infer(head, which).expect_err("no action");
    assert_eq!(error.code(), "tokens_refused", "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "no `{word}` in: {error}");
    }
}

/// Columns of all three joints, in another order than the robot's.
fn range_columns() -> &'static str {
    "[[output.columns]]\nrepresentation = \"joint_range\"\njoints = [\"gripper\", \"base\", \"shoulder\"]\n\
     min = [0.0, -1.0, -2.0]\nmax = [0.07, 1.0, 2.0]\n"
}

#[test]
fn normalised_numbers_become_joints() {
    let output = "[[output.columns]]\nrepresentation = \"joint_absolute\"\n\
        joints = [\"base\", \"shoulder\"]\n\
        normalised = { method = \"lerobot_mean_std\", mean = [0.25, 1.0], std = [0.5, 0.0] }\n\n\
        [[output.columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"gripper\"]\n\
        normalised = { method = \"openpi_quantile\", q01 = [0.0], q99 = [0.07] }\n\n\
        [[output.columns]]\nrepresentation = \"unused\"\ncolumns = 2\n";
    let rows = Rows::Numbers(vec![vec![1.0, 3.0, -1.0, 8.0, 9.0], vec![-0.5, 0.0, 1.0, 0.0, 0.0]]);
    let golden = vec![vec![vec![0.75, 1.0, 0.0, 8.0, 9.0]]];
    let folder = tempfile::tempdir().expect("a folder");
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 1, 5]), output, &golden);
    let mut head = load(&path).unwrap_or_else(|error| panic!("{error}"));
    sends(&mut head, 0, &[[0.75, 1.0, 0.0]]);
    sends(&mut head, 1, &[[0.0, 1.0, 0.070_001]]);
}

#[test]
fn displacements_and_a_binary_gripper_become_joints() {
    let output = "[[output.columns]]\nrepresentation = \"joint_delta\"\n\
        joints = [\"base\", \"shoulder\"]\nrelative_to = \"measured\"\nsteps = \"independent\"\n\n\
        [output.columns.normalised]\nmethod = \"openpi_z_score\"\nmean = [0.0, 0.0]\nstd = [0.1, 0.1]\n\n\
        [[output.columns]]\nrepresentation = \"gripper\"\njoint = \"gripper\"\nclosed = 0.0\nopen = 0.07\n\
        closed_at = 0.0\nopen_at = 1.0\nthreshold = 0.5\n";
    let rows = Rows::Numbers(vec![vec![1.0, -1.0, 0.9, 2.0, 0.0, 0.5]]);
    // A golden vector is what the head tells, before anything depends on where the joints are.
    let golden = vec![vec![vec![0.100_001, -0.100_001, 0.9], vec![0.200_002, 0.0, 0.5]]];
    let folder = tempfile::tempdir().expect("a folder");
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 2, 3]), output, &golden);
    let mut head = load(&path).unwrap_or_else(|error| panic!("{error}"));
    sends(&mut head, 0, &[[0.600_001, 0.899_999, 0.07], [0.700_002, 1.0, 0.07]]);
}

#[test]
fn bins_of_a_vocabulary_become_joints_and_other_ids_are_refused() {
    let output = format!(
        "[output.tokens]\ncodec = \"openvla_bins\"\nvocabulary = 32000\n\n{}",
        "[[output.columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"base\", \"shoulder\", \"gripper\"]\n\n\
         [output.columns.normalised]\nmethod = \"openvla_bounds_q99\"\nq01 = [-1.0, 0.0, 0.0]\n\
         q99 = [1.0, 2.0, 1.0]\nmask = [true, true, false]\n"
    );
    let rows = Rows::Tokens(vec![
        vec![31_872, 31_999, 31_744],
        vec![32_000, 31_999, 31_999],
        vec![31_999, 31_743, 31_999],
        vec![31_999, 31_999, i64::MIN],
    ]);
    let (low, high) = (-1.0 + 1.0 / 255.0, 1.0 - 1.0 / 255.0);
    let golden = vec![vec![vec![0.0, 1.0 + low, high]]];
    let folder = tempfile::tempdir().expect("a folder");
    // As a language model generates them: in one row.
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 3]), &output, &golden);
    let mut head = load(&path).unwrap_or_else(|error| panic!("{error}"));
    sends(&mut head, 0, &[[0.0, 1.0 + low, high]]);
    refuses(&mut head, 1, &["token 0 is 32000", "31744 to 31999"]);
    refuses(&mut head, 2, &["token 1 is 31743"]);
    refuses(&mut head, 3, &["token 2"]);
    // And goes on as if nothing had been.
    sends(&mut head, 0, &[[0.0, 1.0 + low, high]]);
}

/// A map of four bins, and where its manifest names it.
fn map_output(folder: &Path, map: &str) -> String {
    fs::write(folder.join("action_token_map.json"), map).expect("a file");
    format!(
        "[output.tokens]\ncodec = \"token_map\"\nfile = \"action_token_map.json\"\nsha256 = \"{}\"\n\n{}",
        file::sha256(map.as_bytes()),
        range_columns()
    )
}

#[test]
fn mapped_ids_become_joints_and_others_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = map_output(folder.path(), r#"{"0": 17, "1": 5, "2": 4000, "3": 9}"#);
    // Three bins of a third each; the last id is the upper end itself.
    let rows = Rows::Tokens(vec![vec![17, 5, 4000], vec![9, 5, 17], vec![17, 5, 6]]);
    let golden = vec![vec![vec![0.07 / 6.0, 0.0, 4.0 / 3.0]]];
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 1, 3]), &output, &golden);
    let mut head = load(&path).unwrap_or_else(|error| panic!("{error}"));
    sends(&mut head, 0, &[[0.0, 4.0 / 3.0, 0.07 / 6.0]]);
    sends(&mut head, 1, &[[0.0, -4.0 / 3.0, 0.07 * 5.0 / 6.0]]);
    refuses(&mut head, 2, &["token 2 is 6", "4 of its map"]);
}

#[test]
fn a_map_that_is_none_or_another_is_refused_with_the_head() {
    let rows = Rows::Tokens(vec![vec![17, 5, 17]]);
    let golden = vec![vec![vec![0.0, 1.0, -2.0]]];
    for (map, words) in [
        ("[1, 2]", &["output.tokens.file", "JSON object"][..]),
        (r#"{"0": 17, "2": 5}"#, &["bin 1 is missing"]),
        (r#"{"0": 17, "1": 17}"#, &["id 17", "more than one"]),
        (r#"{"0": 17}"#, &["1 bins"]),
        (r#"{"0": 1.5, "1": 2}"#, &["JSON object"]),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = map_output(folder.path(), map);
        let path =
            jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 1, 3]), &output, &golden);
        let error = load(&path).expect_err(map);
        assert_eq!(error.code(), "bad_value", "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "no `{word}` in: {error}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = map_output(folder.path(), r#"{"0": 17, "1": 5}"#);
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 1, 3]), &output, &golden);
    fs::write(folder.path().join("action_token_map.json"), "{}").expect("a file");
    let error = load(&path).expect_err("another file");
    assert_eq!(error.code(), "wrong_digest", "{error}");
    assert!(error.to_string().contains("action_token_map.json"), "{error}");
    fs::remove_file(folder.path().join("action_token_map.json")).expect("it was there");
    let error = load(&path).expect_err("no file");
    assert_eq!(error.code(), "file_unreadable", "{error}");
    assert!(error.to_string().contains("output.tokens.file"), "{error}");
}

#[test]
fn uniform_tokens_become_joints_and_others_are_refused() {
    let output = format!("[output.tokens]\ncodec = \"mint_uniform\"\n\n{}", range_columns());
    let rows =
        Rows::Tokens(vec![vec![0, 256, 384], vec![512, 0, 0], vec![0, -1, 0], vec![256, 256, 0]]);
    let golden = vec![vec![vec![0.0, 0.0, 1.0]]];
    let folder = tempfile::tempdir().expect("a folder");
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 1, 3]), &output, &golden);
    let mut head = load(&path).unwrap_or_else(|error| panic!("{error}"));
    sends(&mut head, 0, &[[0.0, 1.0, 0.0]]);
    sends(&mut head, 3, &[[0.0, -2.0, 0.035]]);
    refuses(&mut head, 1, &["token 0 is 512", "0 to 511"]);
    refuses(&mut head, 2, &["token 1 is -1"]);
}

/// FAST with an alphabet of plain bytes: two steps of three joints, coefficients of 0.1 from -60 on, padded with -1.
fn fast_output(folder: &Path, more: &str) -> String {
    let json = crate::action::random_test::byte_tokenizer();
    fs::write(folder.join("tokenizer.json"), &json).expect("a file");
    format!(
        "[output.tokens]\ncodec = \"fast\"\nfile = \"tokenizer.json\"\nsha256 = \"{}\"\nscale = 10.0\n\
         min_token = -60\npad_token = -1\n{more}\n{}",
        file::sha256(json.as_bytes()),
        range_columns()
    )
}

#[test]
fn byte_pairs_become_joints_and_what_is_no_whole_chunk_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = fast_output(folder.path(), "");
    // Zero everywhere but in the first coefficient of the second column, 0.7: 0.7 / sqrt(2) in both steps.
    let rows = Rows::Tokens(vec![
        vec![60, 67, 60, 60, 60, 60, -1],
        vec![60, 67, 60, 60, 60, -1, -1],
        vec![60, 67, 60, 60, 60, 60, 60],
        vec![60, 67, 60, -1, 60, 60, 60],
        vec![60, 67, 60, 60, 60, 256, -1],
        vec![60, 67, 60, 60, 60, 200, -1],
        vec![-1, -1, -1, -1, -1, -1, -1],
        vec![60, 67, 60, 60, 60, 195, 164],
    ]);
    let base = 0.7 / 2.0_f64.sqrt();
    let golden = vec![vec![vec![0.035, base, 0.0], vec![0.035, base, 0.0]]];
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 7]), &output, &golden);
    let mut head = load(&path).unwrap_or_else(|error| panic!("{error}"));
    sends(&mut head, 0, &[[base, 0.0, 0.035], [base, 0.0, 0.035]]);
    refuses(&mut head, 1, &["5 numbers instead of 6"]);
    refuses(&mut head, 2, &["7 numbers instead of 6"]);
    refuses(&mut head, 3, &["token 4 is 60", "behind padding"]);
    refuses(&mut head, 4, &["token 5 is 256", "256 ids"]);
    // A byte that begins a letter without its second: the tokenizer's own decoder would put U+FFFD there.
    refuses(&mut head, 5, &["UTF-8"]);
    refuses(&mut head, 6, &["0 numbers instead of 6"]);
    // Two bytes of one letter are one coefficient, U+00E4 - 60 = 168: 16.8 in the last.
    let last = 2.0 * 16.8 / 2.0_f64.sqrt();
    sends(&mut head, 7, &[[base, last, 0.035], [base, -last, 0.035]]);
}

#[test]
fn fast_in_a_language_models_ids_and_over_more_steps_than_are_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let more = "steps = 4\nlanguage_ids = { vocabulary = 257152, skip = 128 }\n";
    let output = fast_output(folder.path(), more);
    let language = |fast: i64| 257_152 - 1 - 128 - fast;
    let mut row = vec![language(60); 12];
    row[1] = language(70);
    let mut bad = row.clone();
    bad[3] = 60;
    // One coefficient of 1.0 over four steps is 0.5 in each; the chunk has the first two of them.
    let golden = vec![vec![vec![0.035, 0.5, 0.0]; 2]];
    let rows = Rows::Tokens(vec![row, bad]);
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 12]), &output, &golden);
    let mut head = load(&path).unwrap_or_else(|error| panic!("{error}"));
    sends(&mut head, 0, &[[0.5, 0.0, 0.035]; 2]);
    refuses(&mut head, 1, &["token 3 is 60", "256768 to 257023"]);
}

#[test]
fn a_head_whose_golden_vector_is_no_action_is_refused() {
    let output = format!("[output.tokens]\ncodec = \"mint_uniform\"\n\n{}", range_columns());
    let folder = tempfile::tempdir().expect("a folder");
    let rows = Rows::Tokens(vec![vec![0, 512, 0]]);
    let golden = vec![vec![vec![0.0, 0.0, 1.0]]];
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 1, 3]), &output, &golden);
    assert_eq!(load(&path).expect_err("512").code(), "tokens_refused");
}

#[test]
fn a_network_of_numbers_is_no_network_of_tokens() {
    let output = format!("[output.tokens]\ncodec = \"mint_uniform\"\n\n{}", range_columns());
    let folder = tempfile::tempdir().expect("a folder");
    let golden = vec![vec![vec![0.0, 0.0, 1.0]]];
    let rows = Rows::Numbers(vec![vec![0.0, 256.0, 384.0]]);
    let path = jukebox::write(folder.path(), BY_DECISION, (&rows, &[1, 1, 3]), &output, &golden);
    let error = load(&path).expect_err("f32");
    assert_eq!(error.code(), "wrong_tensor", "{error}");
    assert!(error.to_string().contains("i64"), "{error}");
}

#[test]
fn an_output_that_makes_no_sense_is_refused_with_key_value_and_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let fast =
        fast_output(folder.path(), "steps = 2\nlanguage_ids = { vocabulary = 600, skip = 1 }");
    let bins = format!(
        "[output.tokens]\ncodec = \"openvla_bins\"\nvocabulary = 32000\nbins = 256\n\n{}",
        range_columns()
    );
    let joints = "[[output.columns]]\nrepresentation = \"joint_delta\"\njoints = [\"base\", \"shoulder\"]\n\
        relative_to = \"measured\"\nsteps = \"cumulative\"\nmask = [true, true]\nsmoothing = 0.5\n\
        clip = { min = [0.0, 0.0], max = [1.0, 1.0] }\n\
        normalised = { method = \"lerobot_quantiles\", q01 = [0.0, 0.0], q99 = [1.0, 0.0] }\n\n\
        [[output.columns]]\nrepresentation = \"gripper\"\njoint = \"gripper\"\nclosed = 0.0\nopen = 0.07\n\
        closed_at = 0.0\nopen_at = 1.0\nthreshold = 0.5\n"
        .to_owned();
    let padded =
        format!("{}\n[[output.columns]]\nrepresentation = \"unused\"\ncolumns = 2\n", joints);
    let rows = Rows::Numbers(vec![vec![0.0; 6]]);
    let golden = vec![vec![vec![0.0; 3]; 2]];
    let check = |output: &str, shape: &[usize]| {
        let path = jukebox::write(folder.path(), BY_DECISION, (&rows, shape), output, &golden);
        Manifest::load(&path)
    };
    let six: &[usize] = &[1, 2, 3];
    for (whole, shape) in [(&fast, &[1, 7][..]), (&bins, six), (&joints, six)] {
        check(whole, shape).unwrap_or_else(|error| panic!("{error}"));
    }
    let mut wrong = Vec::new();
    for (whole, from, to, code, words) in [
        (
            &fast,
            "scale = 10.0",
            "scale = 0.0",
            "bad_value",
            &["output.tokens.scale", "more than 0"][..],
        ),
        (&fast, "scale = 10.0", "scale = inf", "bad_value", &["output.tokens.scale"]),
        (&fast, "steps = 2", "steps = 1", "bad_value", &["output.tokens.steps", "2"]),
        (&fast, "steps = 2", "steps = 1000", "bad_value", &["output.tokens.steps", "256"]),
        (&fast, "skip = 1", "skip = 600", "bad_value", &["output.tokens.language_ids.skip"]),
        (&fast, "sha256 = \"", "sha256 = \"x", "bad_value", &["output.tokens.sha256"]),
        (&fast, "\"tokenizer.json\"", "\"/a.json\"", "bad_value", &["output.tokens.file"]),
        (&fast, "min_token = -60\n", "", "not_a_manifest", &["min_token"]),
        (&fast, "min_token", "max_token", "not_a_manifest", &["max_token"]),
        (&bins, "bins = 256", "bins = 1", "bad_value", &["output.tokens.bins", "2 to"]),
        (&bins, "= 32000", "= 255", "bad_value", &["output.tokens.vocabulary", "256"]),
        (&bins, "= 32000", "= -1", "not_a_manifest", &["output.tokens", "u32"]),
        (&bins, "openvla_bins", "openvla", "not_a_manifest", &["openvla", "mint_uniform"]),
        (&joints, "mask = [true, true]", "mask = [true]", "bad_value", &["columns[0].mask", "2"]),
        (&joints, "smoothing = 0.5", "smoothing = 1.0", "bad_value", &["columns[0].smoothing"]),
        (&joints, "smoothing = 0.5", "smoothing = nan", "bad_value", &["columns[0].smoothing"]),
        (&joints, "min = [0.0, 0.0]", "min = [0.0, 1.0]", "bad_value", &["columns[0].clip.min[1]"]),
        (&joints, "q01 = [0.0, 0.0]", "q01 = [0.0]", "bad_value", &["columns[0].normalised.q01"]),
        (&joints, "q01 = [0.0,", "q01 = [2.0,", "bad_value", &["normalised.q01[0]", "at most"]),
        (&joints, "q01 = [0.0,", "q01 = [nan,", "bad_value", &["normalised.q01[0]", "NaN"]),
        (&joints, "lerobot_quantiles", "quantiles", "not_a_manifest", &["openpi_quantile"]),
        (&joints, "q01", "q02", "not_a_manifest", &["q02"]),
        (&joints, "relative_to = \"measured\"\n", "", "not_a_manifest", &["relative_to"]),
        (&joints, "threshold = 0.5", "threshold = 2.0", "bad_value", &["columns[1].threshold"]),
        (&joints, "open = 0.07", "open = 0.0", "bad_value", &["columns[1].open", "differ"]),
        (&joints, "open_at = 1.0", "open_at = 0.0", "bad_value", &["columns[1].open_at"]),
        (&joints, "joint = \"gripper\"", "joint = \"\"", "bad_value", &["columns[1].joint"]),
        (&padded, "columns = 2", "columns = 0", "bad_value", &["columns[2].columns", "1 to"]),
        (&padded, "columns = 2", "columns = 9999", "bad_value", &["columns[2].columns"]),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(&changed, whole, "`{from}` is not there");
        let shape = if std::ptr::eq(whole, &fast) { &[1, 7][..] } else { six };
        let error = check(&changed, shape).expect_err(to);
        let told = error.to_string();
        let misses = words.iter().any(|word| !told.contains(word));
        if misses || error.code() != code || !told.contains("jukebox.toml") {
            wrong.push(format!("{code} {words:?}: {} {told}", error.code()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The shapes: FAST has to say how many ids, the others have a row for each step.
    let error = check(&fast, &[1, 0]).expect_err("no ids");
    assert!(error.to_string().contains("output.shape"), "{error}");
    let error = check(&bins, &[1, 3]).expect_err("a step too few");
    assert!(error.to_string().contains("output.shape"), "{error}");
}
