//! The inverse against its targets and its peers, in one run and with the same flags for all.
//!
//! Poses are drawn afresh from a seed; the shared cases (`../shared/ik/cases/piper.npz` beside the repository) are used
//! where they are. The peers are crates: `rs-opw-kinematics` with the figures that fit the vendor's description best, and
//! the solver of `k`. `cargo test` runs a few poses of each; `cargo bench -p arm` all.

#![allow(clippy::unwrap_used, reason = "a bench that cannot begin ends")]

#[allow(dead_code, reason = "shared with tests that use all of it")]
#[path = "../tests/support/arms.rs"]
mod arms;
#[path = "../tests/support/npz.rs"]
mod npz;
#[path = "../tests/support/six.rs"]
mod six;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fmt::Write as _,
    io::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use arm::{
    Answer, Arm, Chain, Hold, JointVector, Options, Search, Solutions,
    nalgebra::{Isometry3, Matrix3, Translation3, UnitQuaternion},
};
use k::InverseKinematicsSolver;
use rs_opw_kinematics::{
    constraints::{BY_PREV, Constraints},
    glam::{DQuat, DVec3},
    kinematic_traits::{Kinematics, Pose},
    kinematics_impl::OPWKinematics,
    parameters::opw_kinematics::Parameters,
};
use six::{
    ARX_X5, PIPER, PIPER_2024, PIPER_H, PIPER_L, PIPER_OLD, PIPER_X, Random, VIPERX, calibrated,
    chain, piper_sdk, ur5e,
};

/// Counts allocations: a solve makes none.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A pose and the joints to start from.
type Case = (Isometry3<f64>, Vec<f64>);

/// What a solver did with cases.
#[derive(Default)]
struct Tally {
    micros: Vec<f64>,
    acceptable: usize,
    exact: usize,
    allocations: u64,
}

impl Tally {
    fn percent(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.micros.len().max(1) as f64
    }

    fn micros(&self, part: f64) -> f64 {
        let mut sorted = self.micros.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(((sorted.len().max(1) - 1) as f64 * part) as usize).copied().unwrap_or(0.0)
    }

    fn row(&self, name: &str) -> String {
        format!(
            "{name:<44} {:>7} {:>9.3} {:>9.3} {:>9.3} {:>9.2} {:>9.1} {:>6}\n",
            self.micros.len(),
            self.percent(self.acceptable),
            self.percent(self.exact),
            self.micros(0.5),
            self.micros(0.99),
            self.micros(1.0),
            self.allocations,
        )
    }
}

/// In microseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1e6
}

/// Every solver is judged by the exact chain, and by its limits.
fn tally(
    chain: &Chain,
    cases: &[Case],
    mut solve: impl FnMut(&Isometry3<f64>, &[f64]) -> Option<JointVector>,
) -> Tally {
    let mut tally = Tally::default();
    tally.micros.reserve(cases.len());
    for (target, start) in cases {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut joints = None;
        let mut micros = timed(|| joints = solve(target, start));
        tally.allocations += ALLOCATIONS.load(Ordering::Relaxed) - before;
        // Again if it seems slow: that another program had the processor is no part of it.
        for _ in 0..if micros > 100.0 { 3 } else { 0 } {
            micros = micros.min(timed(|| joints = solve(target, start)));
        }
        tally.micros.push(micros);
        if let Some(joints) = joints.filter(|joints| chain.holds(joints, 1e-9)) {
            let error = chain.error(&joints, target);
            tally.acceptable += usize::from(error.within(1e-4, 1e-4));
            tally.exact += usize::from(error.within(1e-6, 1e-6));
        }
    }
    tally
}

fn ours(arm: &Arm, cases: &[Case]) -> Tally {
    tally(arm.chain(), cases, |target, start| {
        arm.solve(target, start, &Options::default()).joints().copied()
    })
}

/// Poses of joints drawn evenly between the limits, and starts up to 0.1 rad beside those joints.
fn fresh(chain: &Chain, count: usize, seed: u64) -> Vec<Case> {
    let mut random = Random(seed);
    let case = |_| {
        let joints = random.joints(chain);
        (chain.x_base_tool(&joints), random.beside(chain, &joints, 0.1))
    };
    (0..count).map(case).collect()
}

fn from(cases: &[Case], start: &[f64]) -> Vec<Case> {
    cases.iter().map(|(target, _)| (*target, start.to_vec())).collect()
}

fn every(arm: &Arm, cases: &[Case]) -> (Tally, usize, usize) {
    let (mut solutions, mut tally) = (Solutions::none(), Tally::default());
    let (mut inside, mut capped) = (0, 0);
    tally.micros.reserve(cases.len());
    for (target, start) in cases {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let options = Options::default();
        let mut micros = timed(|| arm.solve_all(target, start, &options, &mut solutions));
        tally.allocations += ALLOCATIONS.load(Ordering::Relaxed) - before;
        for _ in 0..if micros > 100.0 { 3 } else { 0 } {
            let again = timed(|| arm.solve_all(target, start, &options, &mut solutions));
            micros = micros.min(again);
        }
        tally.micros.push(micros);
        let of_these = solutions.as_slice().iter().filter(|s| s.outside.is_none());
        let errors = of_these.map(|s| arm.chain().error(&s.joints, target));
        let errors: Vec<_> = errors.collect();
        inside += errors.len();
        capped += usize::from(solutions.search == Search::Capped);
        tally.acceptable += usize::from(errors.iter().any(|error| error.within(1e-4, 1e-4)));
        tally.exact += usize::from(errors.iter().any(|error| error.within(1e-6, 1e-6)));
    }
    (tally, inside, capped)
}

/// `rs-opw-kinematics` with the figures that fit the vendor's description best, inside its limits.
fn opw(chain: &Chain, cases: &[Case]) -> Tally {
    let parameters = Parameters {
        a1: 0.0,
        a2: -0.021984,
        b: 0.0,
        c1: 0.123,
        c2: 0.28503,
        c3: 0.25075,
        c4: 0.091,
        offsets: [0.0, 1.434896327, -2.918488980, 0.0, 0.0, 0.0],
        sign_corrections: [1; 6],
        dof: 6,
    };
    let (low, high) = chain.limits();
    let ends = |limits: &[f64]| <[f64; 6]>::try_from(limits).unwrap();
    let constraints = Constraints::new(ends(&low), ends(&high), BY_PREV);
    let peer = OPWKinematics::new_with_constraints(parameters, constraints);
    tally(chain, cases, |target, start| {
        let (p, q) = (&target.translation, &target.rotation);
        let pose =
            Pose::from_parts(DVec3::new(p.x, p.y, p.z), DQuat::from_xyzw(q.i, q.j, q.k, q.w));
        JointVector::from_slice(peer.inverse_continuing(&pose, &ends(start)).first()?)
    })
}

/// `k`'s solver as its documents show it, but for the tolerance, on the same figures.
fn jacobian(chain: &Chain, cases: &[Case]) -> Tally {
    let mut nodes: Vec<k::Node<f64>> = Vec::new();
    for (index, (xyz, rpy, axis, low, high, _)) in PIPER.into_iter().enumerate() {
        let origin = six::origin(xyz, rpy);
        let axis = k::nalgebra::Unit::new_normalize(k::nalgebra::Vector3::from(axis));
        let q = origin.rotation;
        let rotation = k::nalgebra::UnitQuaternion::from_quaternion(k::nalgebra::Quaternion::new(
            q.w, q.i, q.j, q.k,
        ));
        let node = k::NodeBuilder::new()
            .name(&format!("joint{index}"))
            .joint_type(k::JointType::Rotational { axis })
            .limits(Some(k::joint::Range::new(low, high)))
            .translation(k::nalgebra::Translation3::new(xyz[0], xyz[1], xyz[2]))
            .rotation(rotation)
            .into_node();
        if let Some(last) = nodes.last() {
            node.set_parent(last);
        }
        nodes.push(node);
    }
    let serial = k::SerialChain::from_end(nodes.last().unwrap());
    let solver = k::JacobianIkSolver::new(1e-5, 1e-5, 0.5, 100);
    tally(chain, cases, |target, start| {
        let (p, q) = (&target.translation, &target.rotation);
        let pose = k::nalgebra::Isometry3::from_parts(
            k::nalgebra::Translation3::new(p.x, p.y, p.z),
            k::nalgebra::UnitQuaternion::from_quaternion(k::nalgebra::Quaternion::new(
                q.w, q.i, q.j, q.k,
            )),
        );
        serial.set_joint_positions_clamped(start);
        solver.solve(&serial, &pose).ok()?;
        JointVector::from_slice(&serial.joint_positions())
    })
}

fn shared(cases: &npz::Arrays, set: &str) -> Vec<Case> {
    let [r, p, seed] = ["R", "p", "seed"].map(|entry| &cases[&format!("{set}_{entry}")]);
    let case = |index: usize| {
        let r = Matrix3::from_row_slice(&r[9 * index..9 * index + 9]);
        let p = Translation3::new(p[3 * index], p[3 * index + 1], p[3 * index + 2]);
        let start = seed[6 * index..6 * index + 6].to_vec();
        (Isometry3::from_parts(p, UnitQuaternion::from_matrix(&r)), start)
    };
    (0..seed.len() / 6).map(case).collect()
}

/// False successes, and how many of the nearest are within 1 mm or 5 % of the best that is known.
fn unreachable(arm: &Arm, cases: &[Case], best: &[f64]) -> String {
    let (mut said, mut near, mut blocked) = (0, 0, 0);
    let mut tally = Tally::default();
    for ((target, start), best) in cases.iter().zip(best) {
        let mut micros = f64::INFINITY;
        let mut answer = Answer::Held(Hold::Shape);
        for _ in 0..3 {
            let options = Options::default();
            micros = micros.min(timed(|| answer = arm.solve(target, start, &options)));
        }
        tally.micros.push(micros);
        match answer {
            Answer::Unreachable { error, .. } | Answer::LimitBlocked { error, .. } => {
                blocked += usize::from(matches!(answer, Answer::LimitBlocked { .. }));
                let cost = error.cost_m(Options::default().lever_m);
                near += usize::from(cost <= best + 1e-3 || cost <= 1.05 * best);
            }
            _ => said += 1,
        }
    }
    format!(
        "unreachable: {} poses, false successes {said}, nearest found {:.2} %, limits named {blocked}, \
         median {:.0} us, worst {:.0} us\n",
        tally.micros.len(),
        tally.percent(near),
        tally.micros(0.5),
        tally.micros(1.0)
    )
}

fn table(brief: bool) -> Result<String, std::fmt::Error> {
    let some = |count: usize| if brief { count / 1000 } else { count };
    let flange = Isometry3::identity();
    let piper = Arm::compile(chain(&PIPER, &flange));
    let mut out = format!(
        "{:<44} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6}\n",
        "poses", "count", "1e-4 %", "1e-6 %", "median us", "p99 us", "worst us", "allocs"
    );
    let cases = fresh(piper.chain(), some(100_000), 1);
    // Once for the caches and the clock of the processor.
    ours(&piper, &cases[..cases.len() / 10]);
    let mine = ours(&piper, &cases);
    out += &mine.row("Piper, fresh, start beside");
    let neutral = [0.0, 1.57, -1.3485, 0.2, 0.5, 0.0];
    out += &ours(&piper, &from(&cases, &neutral)).row("  from neutral");
    out += &ours(&piper, &from(&cases, &[0.0; 6])).row("  from zero");
    let peer = opw(piper.chain(), &cases[..cases.len().min(20_000)]);
    out += &peer.row("  rs-opw-kinematics 3.0");
    out += &jacobian(piper.chain(), &cases[..cases.len().min(2_000)]).row("  k 0.32, start beside");
    let far = from(&cases[..cases.len().min(2_000)], &neutral);
    out += &jacobian(piper.chain(), &far).row("  k 0.32, from neutral");
    let ratio = mine.micros(0.5) / peer.micros(0.5);
    writeln!(out, "nearest, median: {ratio:.3} of rs-opw's (at most 0.15 is wanted)")?;
    let (tally, inside, _) = every(&piper, &cases[..cases.len().min(20_000)]);
    out += &tally.row("  all branches");
    writeln!(
        out,
        "  {:.4} solutions inside the limits each",
        inside as f64 / tally.micros.len() as f64
    )?;
    let arms = [
        ("Piper, older", chain(&PIPER_OLD, &flange)),
        ("Piper, 2024", chain(&PIPER_2024, &flange)),
        ("Piper, firmware", piper_sdk()),
        ("Piper H", chain(&PIPER_H, &flange)),
        ("Piper L", chain(&PIPER_L, &flange)),
        ("Piper X", chain(&PIPER_X, &flange)),
        ("ViperX 300 S", chain(&VIPERX, &flange)),
        ("ARX X5", chain(&ARX_X5, &flange)),
        ("UR5e", ur5e()),
    ];
    for (name, chain) in arms {
        let arm = Arm::compile(chain);
        let cases = fresh(&chain, some(20_000), 2);
        out += &ours(&arm, &cases).row(&format!("{name} ({:?})", arm.explain().class));
        let middle = [0.1; 6];
        out += &ours(&arm, &from(&cases, &middle)).row("  from one place");
    }
    for (name, chain) in [("Panda, 7 joints", arms::panda()), ("Nero, 7 joints", arms::nero())] {
        let arm = Arm::compile(chain);
        let cases = fresh(&chain, some(5_000), 4);
        out += &ours(&arm, &cases).row(&format!("{name} ({:?})", arm.explain().class));
        let (low, high) = chain.limits();
        let middle: Vec<f64> = (0..chain.len()).map(|k| 0.5 * (low[k] + high[k])).collect();
        out += &ours(&arm, &from(&cases, &middle)).row("  from the middle");
    }
    let (mut random, mut all) = (Random(3), Tally::default());
    for _ in 0..20 {
        let arm = Arm::compile(calibrated(&PIPER, 1e-3, 3e-3, &mut random));
        let one = ours(&arm, &fresh(arm.chain(), some(2_000), random.next()));
        all.micros.extend(&one.micros);
        (all.acceptable, all.exact) = (all.acceptable + one.acceptable, all.exact + one.exact);
        all.allocations += one.allocations;
    }
    out += &all.row("Piper, 20 calibrations, 1 mm and 3 mrad");
    let Some(arrays) = npz::piper_cases().filter(|_| !brief) else { return Ok(out) };
    for (set, name) in [("rand", "shared random"), ("sing", "shared near-singular")] {
        let cases = shared(&arrays, set);
        out += &ours(&piper, &cases).row(&format!("{name}, start beside"));
        out += &ours(&piper, &from(&cases, &arrays["neutral"])).row("  from neutral");
        out += &ours(&piper, &from(&cases, &arrays["home"])).row("  from home");
        out += &opw(piper.chain(), &cases).row("  rs-opw-kinematics 3.0");
        out += &jacobian(piper.chain(), &cases[..1_000]).row("  k 0.32, start beside");
        let (tally, inside, capped) = every(&piper, &cases);
        out += &tally.row("  all branches");
        writeln!(out, "  {inside} solutions inside the limits, {capped} searches capped")?;
    }
    out += &unreachable(&piper, &shared(&arrays, "unr"), &arrays["unr_ref_cost"]);
    Ok(out)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test` says --test, `cargo bench` says --bench.
    let brief = !std::env::args().any(|argument| argument == "--bench");
    Ok(std::io::stdout().write_all(table(brief)?.as_bytes())?)
}
