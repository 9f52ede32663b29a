#![allow(clippy::unwrap_used, reason = "a test that cannot begin fails")]

#[path = "../../tests/support/six.rs"]
mod six;

use super::*;
use crate::{answer::Search, math::Plain};
use six::{PIPER, PIPER_X, Random, chain};

#[test]
fn both_twins_come_to_the_same() {
    for figures in [&PIPER, &PIPER_X] {
        let arm = Arm::compile(chain(figures, &nalgebra::Isometry3::identity()));
        let (mut random, options) = (Random(17), Options::default());
        let (mut one, mut other) = (Solutions::none(), Solutions::none());
        for _ in 0..300 {
            let joints = random.joints(arm.chain());
            let start = JointVector::from_slice(&random.beside(arm.chain(), &joints, 0.1)).unwrap();
            let target = Frame::from_isometry(&arm.chain().x_base_tool(&joints));
            let wide = solve(&arm, &target, &start, &options);
            let plain = inverse::solve::<Plain>(&arm, &target, &start, &options);
            let (wide, plain) = (wide.joints().unwrap(), plain.joints().unwrap());
            for k in 0..6 {
                assert!((wide[k] - plain[k]).abs() < 1e-5, "{joints:?}: {wide:?}, {plain:?}");
            }
            one.clear();
            other.clear();
            solve_all(&arm, &target, &start, &options, &mut one);
            inverse::solve_all::<Plain>(&arm, &target, &start, &options, &mut other);
            assert_eq!(one.as_slice().len(), other.as_slice().len(), "{joints:?}");
            assert_eq!((one.search, other.search), (Search::Complete, Search::Complete));
        }
    }
}
