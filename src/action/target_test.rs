//! Joint targets: absolute, displaced from each base, smoothed, clipped; and grippers.

use motion::{ChunkId, HeadDigest, RunId, TickIndex};

use super::*;

/// An empty chunk for so many joints.
pub(super) fn chunk(joints: usize) -> Chunk {
    Chunk::empty(ChunkId(1), RunId(2), HeadDigest(3), TickIndex(4), joints)
}

/// A robot of two joints that is measured at 1 and 2, and commanded to 1.5 and 2.5.
fn lower(columns: &str, rows: &[f32]) -> Result<Vec<[f64; 2]>, LowerError> {
    lower_from(columns, rows, [1.0, 2.0], [1.5, 2.5])
}

fn lower_from(
    columns: &str,
    rows: &[f32],
    measured: [f64; 2],
    commanded: [f64; 2],
) -> Result<Vec<[f64; 2]>, LowerError> {
    #[derive(serde::Deserialize)]
    struct Groups {
        columns: Vec<Columns>,
    }
    let groups: Groups = toml::from_str(columns).unwrap_or_else(|error| panic!("{error}"));
    let joints = ["a", "b"].map(str::to_owned).to_vec();
    let body = Body { name: "toy".to_owned(), joints, limits: Vec::new(), arms: Vec::new() };
    let mut lowering = Lowering::compile(&groups.columns, &body, 0.05).expect("it fits");
    let at = |joints: [f64; 2]| Joints::from_slice(&joints).expect("two joints");
    let start =
        Start { measured: at(measured), commanded: at(commanded), velocity: Joints::zeros(2) };
    let mut chunk = chunk(2);
    lowering.lower(Values::F32(rows), &start, &mut chunk)?;
    let step = |step| chunk.step(step).expect("a step");
    Ok((0..chunk.len()).map(|at| [step(at)[0], step(at)[1]]).collect())
}

fn delta(relative_to: &str, steps: &str, more: &str) -> String {
    format!(
        "[[columns]]\nrepresentation = \"joint_delta\"\njoints = [\"a\", \"b\"]\n\
         relative_to = \"{relative_to}\"\nsteps = \"{steps}\"\n{more}"
    )
}

#[test]
fn displacements_start_from_what_the_manifest_says() {
    let rows = [0.5, -0.5, 0.25, 0.25];
    for (relative_to, steps, wanted) in [
        ("measured", "independent", [[1.5, 1.5], [1.25, 2.25]]),
        ("commanded", "independent", [[2.0, 2.0], [1.75, 2.75]]),
        ("measured", "cumulative", [[1.5, 1.5], [1.75, 1.75]]),
        ("commanded", "cumulative", [[2.0, 2.0], [2.25, 2.25]]),
    ] {
        let got = lower(&delta(relative_to, steps, ""), &rows).expect("finite");
        assert_eq!(got, wanted, "{relative_to}, {steps}");
    }
}

#[test]
fn a_mask_leaves_targets_as_they_are() {
    let columns = delta("measured", "independent", "mask = [true, false]");
    let got = lower(&columns, &[0.5, 0.5, -0.5, 0.25]).expect("finite");
    assert_eq!(got, [[1.5, 0.5], [0.5, 0.25]]);
}

#[test]
fn a_normalisation_counts_before_the_base() {
    let columns = delta(
        "measured",
        "independent",
        "normalised = { method = \"range\", min = [-0.5, -1.0], max = [0.5, 3.0] }",
    );
    assert_eq!(lower(&columns, &[1.0, 0.0]).expect("finite"), [[1.5, 3.0]]);
}

#[test]
fn smoothing_goes_on_from_the_last_command_and_then_from_itself() {
    let columns = "[[columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"a\", \"b\"]\n\
                   smoothing = 0.25";
    let got = lower(columns, &[0.0, 0.0, 0.0, 0.0]).expect("finite");
    assert_eq!(got, [[0.375, 0.625], [0.09375, 0.15625]]);
}

/// From 1.5 and 2.5, a quarter of which is kept, in ranges that end at 2.
#[test]
fn what_is_beyond_a_clip_pulls_harder_where_it_ends_there_after_smoothing_only() {
    let columns = "[[columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"a\", \"b\"]\n\
                   smoothing = 0.25\nclip = { min = [0.0, 0.0], max = [2.0, 4.0] }\n";
    let both = lower(columns, &[3.0, -1.0]).expect("finite");
    assert_eq!(both, [[0.375 + 1.5, 0.625]], "3 is 2, and -1 is 0");
    let after = format!("{columns}clip_when = \"after_smoothing\"");
    let after = lower(&after, &[3.0, -0.5]).expect("finite");
    assert_eq!(after, [[2.0, 0.25]], "2.625 is 2");
}

#[test]
fn displacements_of_smoothed_targets_are_from_what_is_sent() {
    let columns = delta("commanded", "cumulative", "smoothing = 0.5");
    assert_eq!(lower(&columns, &[1.0, 1.0, 1.0, 1.0]).expect("finite"), [[2.0, 3.0], [2.5, 3.5]]);
}

#[test]
fn targets_end_where_they_are_clipped() {
    let clip = "clip = { min = [0.0, 0.0], max = [1.25, 9.0] }";
    let columns = delta("measured", "cumulative", clip);
    // What is clipped winds nothing up.
    let got = lower(&columns, &[1.0, 1.0, 1.0, 1.0, -0.25, 1.0]).expect("finite");
    assert_eq!(got, [[1.25, 3.0], [1.25, 4.0], [1.0, 5.0]]);
}

#[test]
fn a_base_that_is_not_finite_refuses_who_needs_it_and_nobody_else() {
    let (nan, fine) = ([f64::NAN, 0.0], [0.0, 0.0]);
    let refused = Err(LowerError::StartJoint { joint: "a".to_owned() });
    let from = |columns: &str, measured, commanded| {
        lower_from(columns, &[0.0, 0.0], measured, commanded).map(|_| ())
    };
    assert_eq!(from(&delta("measured", "cumulative", ""), nan, fine), refused);
    assert_eq!(from(&delta("measured", "cumulative", ""), fine, nan), Ok(()));
    assert_eq!(from(&delta("commanded", "cumulative", ""), fine, nan), refused);
    assert_eq!(from(&delta("commanded", "cumulative", ""), nan, fine), Ok(()));
    let plain = "[[columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"a\", \"b\"]\n";
    assert_eq!(from(plain, nan, nan), Ok(()));
    assert_eq!(from(&format!("{plain}smoothing = 0.5"), nan, nan), refused);
    assert_eq!(from(&delta("measured", "cumulative", "mask = [false, false]"), nan, nan), Ok(()));
}

#[test]
fn a_sum_that_is_not_finite_is_refused() {
    let columns = delta("measured", "independent", "");
    let refused = lower_from(&columns, &[f32::MAX, 0.0], [f64::MAX, 0.0], [0.0; 2]);
    // `f32::MAX` is nothing beside `f64::MAX`, which stays what it is.
    assert_eq!(refused, Ok(vec![[f64::MAX + f64::from(f32::MAX), 0.0]]));
    let big = "normalised = { method = \"range\", min = [-1e308, 0.0], max = [0.7e308, 1.0] }";
    let columns = delta("measured", "independent", big);
    let refused = lower_from(&columns, &[1.0, 0.0], [1.7e308, 0.0], [0.0; 2]);
    let wanted = LowerError::NotFinite { step: 0, column: "a".to_owned() };
    assert_eq!(refused, Err(wanted));
}

fn gripper(more: &str) -> String {
    format!(
        "[[columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"a\"]\n\n[[columns]]\n\
         representation = \"gripper\"\njoint = \"b\"\nclosed = 0.0\nopen = 0.07\n{more}"
    )
}

#[test]
fn a_gripper_opens_in_proportion() {
    for (ends, numbers, wanted) in [
        ("closed_at = 0.0\nopen_at = 1.0", [0.0, 0.5, 1.0], [0.0, 0.035, 0.07]),
        ("closed_at = 1.0\nopen_at = -1.0", [1.0, 0.0, -1.0], [0.0, 0.035, 0.07]),
        // Beyond the ends the law clamps, and says so.
        ("closed_at = 0.0\nopen_at = 1.0", [-1.0, 2.0, 0.0], [-0.07, 0.14, 0.0]),
    ] {
        let rows = numbers.map(|number| [0.0, number]);
        let got = lower(&gripper(ends), rows.as_flattened()).expect("finite");
        for (got, wanted) in got.iter().zip(wanted) {
            assert!((got[1] - wanted).abs() < 1e-12, "{ends}: {got:?}, {wanted}");
        }
    }
}

#[test]
fn a_gripper_with_a_threshold_is_open_or_closed_and_stays_at_the_threshold() {
    let open_above = "closed_at = 0.0\nopen_at = 1.0\nthreshold = 0.5";
    let rows = [0.0, 0.9, 0.0, 0.5, 0.0, 0.49, 0.0, 0.5];
    let got = lower(&gripper(open_above), &rows).expect("finite");
    assert_eq!(second(&got), [0.07, 0.07, 0.0, 0.0]);
    let open_below = "closed_at = 1.0\nopen_at = -1.0\nthreshold = 0.0";
    // In the first step it stays where the last command has it.
    let got = lower(&gripper(open_below), &[0.0, 0.0, 0.0, -0.1, 0.0, 0.1]).expect("finite");
    assert_eq!(second(&got), [2.5, 0.07, 0.0]);
}

fn second(rows: &[[f64; 2]]) -> Vec<f64> {
    rows.iter().map(|row| row[1]).collect()
}

#[test]
fn unused_columns_drive_nothing_but_have_to_be_finite() {
    let columns = "[[columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"a\", \"b\"]\n\n\
                   [[columns]]\nrepresentation = \"unused\"\ncolumns = 2";
    assert_eq!(lower(columns, &[0.1, 0.2, 7.0, 8.0]).expect("finite").len(), 1);
    let refused = lower(columns, &[0.1, 0.2, 7.0, f32::NAN]);
    let wanted = LowerError::NotFinite { step: 0, column: "unused 1".to_owned() };
    assert_eq!(refused, Err(wanted));
}

#[test]
fn an_infinity_that_is_clipped_is_refused_all_the_same() {
    let columns = "[[columns]]\nrepresentation = \"joint_absolute\"\njoints = [\"a\", \"b\"]\n\
                   normalised = { method = \"centre_half\", centre = [0, 0], half = [1, 1] }"
        .replace("[0, 0]", "[0.0, 0.0]")
        .replace("[1, 1]", "[1.0, 1.0]");
    assert_eq!(lower(&columns, &[7.0, -7.0]).expect("finite"), [[1.0, -1.0]]);
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let wanted = LowerError::NotFinite { step: 0, column: "b".to_owned() };
        assert_eq!(lower(&columns, &[0.0, bad]), Err(wanted));
    }
}

#[test]
fn a_joint_is_driven_once_whatever_drives_it() {
    let twice =
        gripper("closed_at = 0.0\nopen_at = 1.0").replace("joints = [\"a\"]", "joints = [\"b\"]");
    #[derive(serde::Deserialize)]
    struct Groups {
        columns: Vec<Columns>,
    }
    let groups: Groups = toml::from_str(&twice).expect("columns");
    let joints = ["a", "b"].map(str::to_owned).to_vec();
    let body = Body { name: "toy".to_owned(), joints, limits: Vec::new(), arms: Vec::new() };
    let refused = Lowering::compile(&groups.columns, &body, 0.05).err();
    assert_eq!(refused, Some(ColumnsError::Twice { at: 1, joint: "b".to_owned() }));
}
