//! The 42 lines through or near a wrist singularity, tick by tick at 20 Hz: what is kept, what yields, how long it takes.
//!
//! Needs the shared cases (`../shared/ik/cases/` beside the repository). Run alone: `cargo bench -p arm --bench servo`.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used, reason = "as in a test")]

use std::{hint::black_box, time::Instant};

use arm::{
    Chain, JointVector, Servo, Wish, Yield,
    nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion},
};

#[allow(dead_code, reason = "shared with tests that use all of it")]
#[path = "../tests/support/arms.rs"]
mod arms;
#[path = "../tests/support/npz.rs"]
mod npz;

const PERIOD_S: f64 = 0.05;
const TICKS: usize = 100;

#[derive(Default)]
struct Tally {
    ticks: usize,
    on_target: usize,
    violations: usize,
    peak_rad_s: f64,
    position_mm: f64,
    rotation_mrad: f64,
    us: Vec<f64>,
}

fn main() {
    let Some(cases) = npz::piper_cases() else { return };
    let chain = arms::piper();
    println!(
        "{:12} {:>10} {:>10} {:>11} {:>8} {:>13} {:>13} {:>8} {:>8} {:>8}",
        "yields",
        "ticks",
        "on target",
        "violations",
        "peak",
        "position mm",
        "rotation mrad",
        "med us",
        "p99 us",
        "max us"
    );
    for set in ["path", "spath"] {
        let poses = poses(&cases, set);
        for yields in [Yield::Orientation, Yield::Time] {
            let Some(servo) = Servo::new(chain, PERIOD_S, yields) else { return };
            let mut tally = Tally::default();
            for (line, joints) in
                poses.chunks(TICKS).zip(cases[&format!("{set}_q")].chunks(6 * TICKS))
            {
                follow(&servo, line, joints, &mut tally);
            }
            tally.us.sort_by(f64::total_cmp);
            let us = |part: f64| tally.us[((tally.us.len() - 1) as f64 * part) as usize];
            println!(
                "{:12} {:>10} {:>9.2}% {:>11} {:>8.2} {:>13.4} {:>13.1} {:>8.3} {:>8.3} {:>8.3}",
                format!("{set} {yields:?}").chars().take(12).collect::<String>(),
                tally.ticks,
                100.0 * tally.on_target as f64 / tally.ticks as f64,
                tally.violations,
                tally.peak_rad_s,
                tally.position_mm,
                tally.rotation_mrad,
                us(0.5),
                us(0.99),
                us(1.0)
            );
        }
    }
}

/// Starts on the line and at its speed, then asks for one pose after the other.
fn follow(servo: &Servo, line: &[Isometry3<f64>], truth: &[f64], tally: &mut Tally) {
    let chain = servo.chain();
    let at = |tick: usize| JointVector::from_slice(&truth[6 * tick..6 * tick + 6]).unwrap();
    let (mut joints, mut velocity) = (at(0), at(1));
    for (k, value) in velocity.iter_mut().enumerate() {
        *value = (*value - joints[k]) / PERIOD_S;
    }
    for pose in &line[1..] {
        let start = Instant::now();
        let step = black_box(servo.step(&joints, &velocity, &Wish::Pose(*pose)));
        tally.us.push(start.elapsed().as_secs_f64() * 1e6);
        let Ok(step) = step else { return };
        tally.violations += violations(chain, &joints, &velocity, &step.joints, &step.velocity);
        let error = chain.error(&step.joints, pose);
        tally.ticks += 1;
        tally.on_target += usize::from(error.within(1e-5, 1e-5));
        tally.position_mm = tally.position_mm.max(1e3 * error.position_m);
        tally.rotation_mrad = tally.rotation_mrad.max(1e3 * error.angle_rad);
        tally.peak_rad_s = step.velocity.iter().fold(tally.peak_rad_s, |most, v| most.max(v.abs()));
        (joints, velocity) = (step.joints, step.velocity);
    }
}

fn violations(chain: &Chain, q: &[f64], v: &[f64], q_next: &[f64], v_next: &[f64]) -> usize {
    const SPEED: [f64; 6] = [5.0, 5.0, 5.0, 5.0, 5.0, 3.0];
    const CHANGE: f64 = 20.0 * PERIOD_S;
    let speed = (0..6).filter(|k| (q_next[*k] - q[*k]).abs() / PERIOD_S > SPEED[*k] + 1e-9).count();
    let told = (0..6).filter(|k| v_next[*k].abs() > SPEED[*k]).count();
    let change = (0..6).filter(|k| (v_next[*k] - v[*k]).abs() > CHANGE + 1e-9).count();
    speed + told + change + usize::from(!chain.holds(q_next, 0.0))
}

fn poses(cases: &npz::Arrays, set: &str) -> Vec<Isometry3<f64>> {
    let (r, p) = (&cases[&format!("{set}_R")], &cases[&format!("{set}_p")]);
    let pose = |(r, p): (&[f64], &[f64])| {
        let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_row_slice(r));
        Isometry3::from_parts(
            Translation3::new(p[0], p[1], p[2]),
            UnitQuaternion::from_rotation_matrix(&rotation),
        )
    };
    r.chunks(9).zip(p.chunks(3)).map(pose).collect()
}
