//! Joints there and back, and columns that do not fit the robot.

use motion::{ChunkId, HeadDigest, RunId, TickIndex};

use super::*;

const ROBOT: [&str; 3] = ["base", "shoulder", "gripper"];

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A robot without an arm.
fn body(joints: &[&str]) -> Body {
    Body { name: "toy".to_owned(), joints: names(joints), limits: Vec::new(), arms: Vec::new() }
}

fn chunk(joints: usize) -> Chunk {
    Chunk::empty(ChunkId(1), RunId(2), HeadDigest(3), TickIndex(4), joints)
}

fn range(joints: &[&str], min: &[f64], max: &[f64]) -> Columns {
    Columns::JointRange(JointRange { joints: names(joints), min: min.into(), max: max.into() })
}

fn absolute(joints: &[&str]) -> Columns {
    Columns::JointAbsolute(JointAbsolute { joints: names(joints), ..Default::default() })
}

fn compile(columns: &[Columns], robot: &[&str]) -> Result<Lowering, ColumnsError> {
    Lowering::compile(columns, &body(robot), 0.05)
}

fn lower(lowering: &mut Lowering, tensor: &[f32], chunk: &mut Chunk) -> Result<(), LowerError> {
    let none = Joints::zeros(0);
    let anywhere = Start { measured: none, commanded: none, velocity: none };
    lowering.lower(Values::F32(tensor), &anywhere, chunk)
}

#[test]
fn a_range_there_and_back_is_the_same_target_in_the_robots_order() {
    let (min, max) = ([0.0, -2.5, -0.5], [0.035, 2.5, 3.0]);
    let mut lowering =
        compile(&[range(&["gripper", "base", "shoulder"], &min, &max)], &ROBOT).expect("it fits");
    let targets = [[0.01, -2.5, 3.0], [0.035, 0.0, 1.25]];
    let tensor: Vec<f32> = targets
        .iter()
        .flat_map(|row| {
            (0..3).map(|at| (2.0 * (row[at] - min[at]) / (max[at] - min[at]) - 1.0) as f32)
        })
        .collect();
    let mut chunk = chunk(3);
    lower(&mut lowering, &tensor, &mut chunk).expect("it lowers");
    assert_eq!(chunk.len(), 2);
    for (step, row) in targets.iter().enumerate() {
        let got = chunk.step(step).expect("the step is there");
        for (got, wanted) in got.iter().zip([row[1], row[2], row[0]]) {
            assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
        }
    }
}

#[test]
fn an_absolute_target_passes_as_it_is() {
    let mut lowering = compile(&[absolute(&ROBOT)], &ROBOT).expect("it fits");
    let mut chunk = chunk(3);
    lower(&mut lowering, &[0.5, -7.25, 0.125], &mut chunk).expect("it lowers");
    assert_eq!(chunk.step(0).as_deref(), Some(&[0.5, -7.25, 0.125][..]));
}

#[test]
fn groups_stand_side_by_side() {
    let groups = [range(&["gripper"], &[0.0], &[0.07]), absolute(&["shoulder", "base"])];
    let mut lowering = compile(&groups, &ROBOT).expect("it fits");
    let mut chunk = chunk(3);
    lower(&mut lowering, &[1.0, 0.25, 0.5, -1.0, 1.25, 1.5], &mut chunk).expect("it lowers");
    assert_eq!(chunk.step(0).as_deref(), Some(&[0.5, 0.25, 0.07][..]));
    assert_eq!(chunk.step(1).as_deref(), Some(&[1.5, 1.25, 0.0][..]));
}

#[test]
fn a_head_that_asks_beyond_its_range_is_not_silently_clamped() {
    let mut lowering = compile(&[range(&["base"], &[-1.0], &[1.0])], &["base"]).expect("it fits");
    let mut chunk = chunk(1);
    lower(&mut lowering, &[1.5], &mut chunk).expect("it lowers");
    assert_eq!(chunk.step(0).as_deref(), Some(&[1.5][..]));
}

#[test]
fn columns_that_do_not_fit_the_robot_are_refused_by_name() {
    let refused = |columns: &[Columns]| compile(columns, &ROBOT).err();
    assert_eq!(
        refused(&[absolute(&["base"])]),
        Some(ColumnsError::Undriven(names(&["shoulder", "gripper"])))
    );
    let unknown = refused(&[absolute(&["base"]), absolute(&["shoulder", "wrist"])]);
    assert_eq!(unknown, Some(ColumnsError::NoJoint { at: 1, joint: "wrist".to_owned() }));
    let twice = refused(&[absolute(&ROBOT), absolute(&["base"])]);
    assert_eq!(twice, Some(ColumnsError::Twice { at: 1, joint: "base".to_owned() }));
    let short = refused(&[range(&ROBOT, &[0.0; 3], &[1.0; 2])]);
    assert_eq!(short, Some(ColumnsError::Normalisation { at: 0 }));
}

#[test]
fn a_target_that_is_not_finite_or_does_not_fit_is_refused() {
    let robot = ["base", "shoulder"];
    let mut lowering =
        compile(&[range(&robot, &[-1.0; 2], &[1.0, 1e300])], &robot).expect("it fits");
    for bad in [f32::NAN, f32::INFINITY, f32::MAX] {
        let refused = lower(&mut lowering, &[0.0, 0.0, 0.0, bad], &mut chunk(2));
        let wanted = LowerError::NotFinite { step: 1, column: "shoulder".to_owned() };
        assert_eq!(refused, Err(wanted), "{bad}");
    }
    assert_eq!(lower(&mut lowering, &[0.0; 3], &mut chunk(2)), Err(LowerError::Shape));
    assert_eq!(lower(&mut lowering, &[0.0; 2], &mut chunk(3)), Err(LowerError::Shape));
    let too_many = vec![0.0; 2 * (motion::MAX_STEPS + 1)];
    assert_eq!(lower(&mut lowering, &too_many, &mut chunk(2)), Err(LowerError::Shape));
}
