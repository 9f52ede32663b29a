//! Features by name, their normalisation, and what is refused.

use motion::{Joints, Nanos, RunId, State, TickIndex};

use super::{prefix::Rows, *};

const ROBOT: [&str; 3] = ["base", "shoulder", "gripper"];

fn joints(values: &[f64]) -> Joints {
    Joints::from_slice(values).expect("few joints")
}

fn ask() -> Ask {
    let mut state = State::blank(3);
    state.position = joints(&[0.1, 0.2, 0.3]);
    state.velocity = joints(&[1.0, 2.0, 3.0]);
    Ask::standing(RunId(1), TickIndex(1), Nanos(1), state, joints(&[-0.1, -0.2, -0.3]))
}

fn packer(name: FeatureName, items: &[&str], mean: f64, std: f64, clip: f64) -> Packer {
    let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
    let width = if name.is_one_number() { 1 } else { items.len() };
    let (mean, std) = (vec![mean; width], vec![std; width]);
    let (mean, std) = (&mean, &std);
    let feature = Feature {
        name,
        items: &items,
        tool: None,
        rows: Rows::ONE,
        extra: Extra::None,
        mean,
        std,
        clip,
    };
    Packer::compile([feature], &ROBOT, &[]).expect("the names exist")
}

fn pack(packer: &Packer, ask: &Ask, params: &Params) -> Result<Vec<f32>, PackError> {
    let mut tensor = vec![f32::NAN; packer.len()];
    packer.pack(ask, params, &mut tensor).map(|()| tensor)
}

#[test]
fn each_feature_finds_its_numbers_by_name() {
    let (ask, none) = (ask(), Params::default());
    let some = ["gripper", "base"];
    let of = |name| pack(&packer(name, &some, 0.0, 1.0, 9.0), &ask, &none);
    assert_eq!(of(FeatureName::JointPosition), Ok(vec![0.3, 0.1]));
    assert_eq!(of(FeatureName::JointVelocity), Ok(vec![3.0, 1.0]));
    assert_eq!(of(FeatureName::PreviousAction), Ok(vec![-0.3, -0.1]));
    let params = Params {
        target_x: 1.0,
        target_y: 2.0,
        target_z: 3.0,
        radius: 4.0,
        speed_hint: 5.0,
        object_is_berry: true,
    };
    let all = packer(FeatureName::Decision, &Params::NAMES, 0.0, 1.0, 9.0);
    assert_eq!(pack(&all, &ask, &params), Ok(vec![1.0, 2.0, 3.0, 4.0, 5.0, 1.0]));
    for (name, value) in Params::NAMES.iter().zip([1.0, 2.0, 3.0, 4.0, 5.0, 1.0]) {
        assert_eq!(params.get(name), Some(value));
    }
    assert_eq!(params.get("target_w"), None);
}

#[test]
fn a_number_far_from_its_mean_is_clipped() {
    let packer = packer(FeatureName::JointVelocity, &ROBOT, 2.0, 0.1, 5.0);
    assert_eq!(pack(&packer, &ask(), &Params::default()), Ok(vec![-5.0, 0.0, 5.0]));
}

#[test]
fn a_head_may_be_told_the_delay_and_a_correction_what_it_corrects() {
    let mut ask = ask();
    ask.course.push(&joints(&[0.5, 5.0, 50.0]));
    (ask.delay, ask.step) = (2, 7);
    let number = |name| pack(&packer(name, &[], 1.0, 2.0, 99.0), &ask, &Params::default());
    assert_eq!(number(FeatureName::Delay), Ok(vec![0.5]));
    assert_eq!(number(FeatureName::ChunkStep), Ok(vec![3.0]));
    let base = packer(FeatureName::BaseAction, &["shoulder"], 0.0, 1.0, 99.0);
    assert_eq!(pack(&base, &ask, &Params::default()), Ok(vec![5.0]));
}

#[test]
fn denormals_never_reach_the_network() {
    let packer = packer(FeatureName::JointPosition, &ROBOT, 0.0, 1.0, 5.0);
    let mut ask = ask();
    ask.state.position = joints(&[1e-41, -9e-31, 2e-30]);
    let tensor = pack(&packer, &ask, &Params::default()).expect("it packs");
    assert_eq!(tensor, [0.0, 0.0, 2e-30]);
    assert!(tensor.iter().all(|value| !value.is_subnormal()));
}

#[test]
fn what_is_not_finite_is_refused_not_clipped() {
    let packer = packer(FeatureName::JointPosition, &ROBOT, 0.0, 1.0, 5.0);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut ask = ask();
        ask.state.position[1] = bad;
        let refused = pack(&packer, &ask, &Params::default());
        assert!(matches!(refused, Err(PackError::NotFinite { index: 1, .. })), "{refused:?}");
    }
}

#[test]
fn a_state_of_another_robot_is_refused() {
    let packer = packer(FeatureName::JointPosition, &ROBOT, 0.0, 1.0, 5.0);
    let mut ask = ask();
    ask.state = State::blank(2);
    assert_eq!(pack(&packer, &ask, &Params::default()), Err(PackError::Shape));
    assert_eq!(packer.normalise(&[0.0; 2], &mut [0.0; 3]), Err(PackError::Shape));
    assert_eq!(packer.normalise(&[0.0; 3], &mut [0.0; 2]), Err(PackError::Shape));
}

#[test]
fn a_name_that_does_not_exist_is_refused() {
    let items = ["wrist".to_owned()];
    let feature = Feature {
        name: FeatureName::JointPosition,
        items: &items,
        tool: None,
        rows: Rows::ONE,
        extra: Extra::None,
        mean: &[0.0],
        std: &[1.0],
        clip: 5.0,
    };
    let refused = Packer::compile([feature], &ROBOT, &[]).err();
    let unknown = FeatureError::Unknown { feature: 0, item: "wrist".to_owned() };
    assert_eq!(refused, Some(unknown));
    let short = Packer::compile([Feature { mean: &[], ..feature }], &ROBOT, &[]).err();
    assert_eq!(short, Some(FeatureError::Lengths { feature: 0 }));
}
