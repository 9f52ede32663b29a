use super::*;
use crate::math::Fused;
use std::time::Instant;
#[path = "../../tests/support/arms.rs"]
mod arms;
#[path = "../../tests/support/npz.rs"]
mod npz;

#[inline(never)]
fn go(chain: &Chain, t: &Frame, starts: &[JointVector], goal: &Goal, work: &mut u32) -> Reach {
    search::<Fused>(chain, t, starts, goal, work)
}
#[inline(never)]
fn one(chain: &Chain, t: &Frame, start: &JointVector, goal: &Goal, work: &mut u32) -> Reach {
    refine::<Fused>(chain, t, start, goal, work)
}
const GOAL: Goal = Goal { exact_m: 1e-6, exact_rad: 1e-6, lever_m: 0.2, posture: None };

fn stats(name: &str, ok: usize, n: usize, mut us: Vec<f64>, mut evals: Vec<f64>) {
    us.sort_by(f64::total_cmp);
    evals.sort_by(f64::total_cmp);
    let q = |v: &Vec<f64>, f: f64| v[((v.len() - 1) as f64 * f) as usize];
    println!(
        "{name:28} {:.3}% us med {:.2} p99 {:.1} max {:.0} | evals med {} p99 {} max {} | us/eval {:.3}",
        100.0 * ok as f64 / n as f64,
        q(&us, 0.5),
        q(&us, 0.99),
        q(&us, 1.0),
        q(&evals, 0.5),
        q(&evals, 0.99),
        q(&evals, 1.0),
        us.iter().sum::<f64>() / evals.iter().sum::<f64>()
    );
}

fn frames(z: &npz::Arrays, k: &str) -> Vec<Frame> {
    z[&format!("{k}_R")]
        .chunks(9)
        .zip(z[&format!("{k}_p")].chunks(3))
        .map(|(r, p)| Frame {
            r: [[r[0], r[1], r[2]], [r[3], r[4], r[5]], [r[6], r[7], r[8]]],
            p: [p[0], p[1], p[2]],
        })
        .collect()
}
struct Rng(u64);
impl Rng {
    fn f(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn measure() {
    let z = npz::piper_cases().unwrap();
    let chain = arms::piper();
    let neutral = JointVector::from_slice(&z["neutral"]).unwrap();
    let cap = 1400;
    for k in ["rand", "sing"] {
        let f = frames(&z, k);
        for single in [true, false] {
            for seed in [false, true] {
                let (mut ok, mut us, mut ev) = (0, vec![], vec![]);
                for (i, t) in f.iter().enumerate() {
                    let s = if seed {
                        JointVector::from_slice(&z[&format!("{k}_seed")][i * 6..i * 6 + 6]).unwrap()
                    } else {
                        neutral
                    };
                    let mut w = cap;
                    let t0 = Instant::now();
                    let r = if single {
                        one(&chain, t, &s, &GOAL, &mut w)
                    } else {
                        go(&chain, t, &[s], &GOAL, &mut w)
                    };
                    us.push(t0.elapsed().as_secs_f64() * 1e6);
                    ev.push((cap - w) as f64);
                    ok += GOAL.met(&r.error) as usize;
                }
                stats(&format!("piper {k} single={single} seed={seed}"), ok, f.len(), us, ev);
            }
        }
    }
    let f = frames(&z, "unr");
    for single in [true, false] {
        let (mut ok, mut us, mut ev, mut fals) = (0, vec![], vec![], 0);
        let mut kinds = [[0; 2]; 3];
        for (i, t) in f.iter().enumerate() {
            let mut w = cap;
            let t0 = Instant::now();
            let r = if single {
                one(&chain, t, &neutral, &GOAL, &mut w)
            } else {
                go(&chain, t, &[neutral], &GOAL, &mut w)
            };
            us.push(t0.elapsed().as_secs_f64() * 1e6);
            ev.push((cap - w) as f64);
            fals += GOAL.met(&r.error) as usize;
            let rf = z["unr_ref_cost"][i];
            let good = r.cost <= (rf + 1e-3).max(rf * 1.05);
            ok += good as usize;
            let kk = z["unr_kind"][i] as usize;
            kinds[kk][0] += 1;
            kinds[kk][1] += good as usize;
        }
        stats(&format!("piper unr single={single} false {fals} {kinds:?}"), ok, f.len(), us, ev);
    }
    for (name, chain) in [
        ("nero", arms::nero()),
        ("panda", arms::panda()),
        ("five", arms::five()),
        ("odd", arms::odd()),
        ("piper", arms::piper()),
    ] {
        let mut rng = Rng(88172645463325252);
        let n = chain.len();
        let mut mid = JointVector::zeros(n);
        for k in 0..n {
            mid[k] = 0.5 * (chain.position_min[k] + chain.position_max[k])
        }
        for warm in [true, false] {
            let (mut ok, mut us, mut ev) = (0, vec![], vec![]);
            for _ in 0..10000 {
                let mut q = JointVector::zeros(n);
                let mut s = mid;
                for k in 0..n {
                    q[k] = chain.position_min[k]
                        + (chain.position_max[k] - chain.position_min[k]) * rng.f();
                    if warm {
                        s[k] = q[k] + (rng.f() - 0.5) * 0.2
                    }
                }
                let t = chain.frame::<Fused>(&q);
                let mut w = cap;
                let t0 = Instant::now();
                let r = go(&chain, &t, &[s], &GOAL, &mut w);
                us.push(t0.elapsed().as_secs_f64() * 1e6);
                ev.push((cap - w) as f64);
                ok += (GOAL.met(&r.error) && chain.holds(&r.joints, 0.0)) as usize;
            }
            stats(&format!("{name} warm={warm}"), ok, 10000, us, ev);
        }
    }
}
