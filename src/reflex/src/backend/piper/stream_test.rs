use proptest::prelude::*;

use super::*;

const PERIOD_NS: u64 = 50_000_000;
const STEP_NS: u64 = 10_000_000;
const ACCELERATION: f64 = 8.0;
const JERK: f64 = 200.0;

fn stream(pose: f64) -> Stream {
    let range = [(-3.0, 3.0); AXES];
    Stream::standing(PERIOD_NS, [ACCELERATION; AXES], range, [pose; AXES], Nanos(0))
}

/// What is sent when these set-points come so much after their ticks, then nothing more for `after` periods.
fn sent(stream: &mut Stream, set_points: &[f64], late_ns: &[u64], after: u64) -> Vec<f64> {
    let mut out = Vec::new();
    let end = (set_points.len() as u64 + after) * PERIOD_NS;
    let mut next = 0;
    for now in (0..end).step_by(STEP_NS as usize) {
        while next < set_points.len() {
            let at = next as u64 * PERIOD_NS;
            if at + late_ns.get(next).copied().unwrap_or(0) > now {
                break;
            }
            stream.push([set_points[next]; AXES], Nanos(at));
            next += 1;
        }
        out.push(stream.at(Nanos(now))[0]);
    }
    out
}

/// Set-points that keep the law's limits: a jerk in every period.
fn lawful(jerks: &[f64]) -> Vec<f64> {
    let period_s = PERIOD_NS as f64 / 1e9;
    let (mut position, mut velocity, mut acceleration) = (0.0_f64, 0.0_f64, 0.0_f64);
    jerks
        .iter()
        .map(|jerk| {
            acceleration = (acceleration + jerk * period_s).clamp(-ACCELERATION, ACCELERATION);
            velocity = (velocity + acceleration * period_s).clamp(-3.0, 3.0);
            position += velocity * period_s;
            position
        })
        .collect()
}

proptest! {
    #[test]
    fn no_difference_is_larger_than_what_the_law_let_pass(
        jerks in prop::collection::vec(-JERK..JERK, 4..40),
        late in prop::collection::vec(0..12_000_000_u64, 40),
    ) {
        let points = lawful(&jerks);
        let with_rest = |order: usize| {
            // Differences of the set-points, the rest before them included; what comes after them is braking.
            let mut all = vec![0.0; 4];
            all.extend(&points);
            for _ in 0..order {
                all = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
            }
            let period_s = PERIOD_NS as f64 / 1e9;
            all.iter().fold(0.0_f64, |max, d| max.max(d.abs())) / period_s.powi(order as i32)
        };
        let mut stream = stream(0.0);
        let out = sent(&mut stream, &points, &late, 0);
        let step_s = STEP_NS as f64 / 1e9;
        let mut differences = out.clone();
        for order in 1..=3 {
            differences = differences.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let max = differences.iter().fold(0.0_f64, |max, d| max.max(d.abs()));
            prop_assert!(max / step_s.powi(order) <= with_rest(order as usize) + 1e-6);
        }
    }

    #[test]
    fn a_loop_that_dies_leaves_an_arm_that_brakes_and_stands(
        jerks in prop::collection::vec(-JERK..JERK, 4..20),
    ) {
        let points = lawful(&jerks);
        prop_assume!(points.iter().all(|point| point.abs() < 1.0));
        let mut stream = stream(0.0);
        let out = sent(&mut stream, &points, &[], 40);
        prop_assert!(stream.is_abandoned());
        prop_assert!(out.iter().all(|value| value.abs() <= 3.0));
        let end = &out[out.len() - 10..];
        prop_assert!(end.iter().all(|value| (value - end[0]).abs() < 1e-12));
        let period_s = PERIOD_NS as f64 / 1e9;
        let last = points[points.len() - 1];
        let velocity = (last - points[points.len() - 2]) / period_s;
        let way = velocity * velocity / (2.0 * ACCELERATION) + velocity.abs() * period_s;
        prop_assert!((end[0] - last).abs() <= way + 1e-9, "{} from {last} at {velocity}", end[0]);
    }
}

#[test]
fn the_end_of_a_motion_is_the_last_set_point_exactly() {
    let mut points: Vec<f64> = (0..10).map(|k| 0.01 * f64::from(k)).collect();
    points.extend([0.09; 6]);
    let out = sent(&mut stream(0.0), &points, &[], 0);
    assert!((out[out.len() - 1] - 0.09).abs() < 1e-12);
}

#[test]
fn a_set_point_that_is_missed_once_is_bridged_and_caught_up_with() {
    // 1 rad/s, and the eighth set-point comes a period late, together with the ninth.
    let points: Vec<f64> = (0..20).map(|k| 0.05 * f64::from(k)).collect();
    let mut late = [0; 20];
    late[8] = PERIOD_NS;
    let out = sent(&mut stream(0.0), &points, &late, 0);
    let steps: Vec<f64> = out.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| *step > -1e-12 && *step < 0.02), "{steps:?}");
    assert!((steps[steps.len() - 1] - 0.01).abs() < 1e-9);
}

#[test]
fn a_servo_that_slept_goes_to_the_end_of_the_way_and_not_beyond() {
    let mut stream = stream(0.5);
    stream.push([0.51; AXES], Nanos(0));
    let late = stream.at(Nanos(10_000 * PERIOD_NS))[0];
    assert!((late - 0.51).abs() < 0.03, "{late}");
}
