//! dev
#[path = "../tests/support/npz.rs"]
mod npz;
#[path = "../tests/support/six.rs"]
mod six;
use arm::nalgebra::Isometry3;
use arm::*;
use six::*;
use std::time::Instant;

fn stats(mut v: Vec<f64>) -> String {
    v.sort_by(f64::total_cmp);
    let p = |x: f64| v[((v.len() - 1) as f64 * x) as usize];
    format!("med {:.3} p99 {:.2} max {:.1} us", p(0.5), p(0.99), p(1.0))
}

fn run(name: &str, chain: &Chain, cases: &[(Isometry3<f64>, Vec<f64>)]) {
    let arm = Arm::compile(*chain);
    let o = Options::default();
    let mut times = vec![];
    let (mut e4, mut e6) = (0, 0);
    let mut shown = 0;
    for (x, s) in cases {
        let t = Instant::now();
        let a = arm.solve(x, s, &o);
        times.push(t.elapsed().as_nanos() as f64 / 1e3);
        if times[times.len() - 1] > 150.0 && shown < 3 {
            shown += 1;
            println!(
                "  slow {} {} {:?} cost {:?}",
                times[times.len() - 1],
                match a {
                    Answer::Exact { .. } => 'E',
                    Answer::Approximate { .. } => 'A',
                    _ => 'U',
                },
                a.joints(),
                a.joints().map(|q| chain.error(q, x))
            );
        }
        if let Some(q) = a.joints() {
            let e = chain.error(q, x);
            if chain.holds(q, 1e-9) {
                e4 += u32::from(e.within(1e-4, 1e-4));
                e6 += u32::from(e.within(1e-6, 1e-6));
            }
        } else if shown < 3 {
            shown += 1;
            println!("  fail {a:?}");
        }
    }
    let n = cases.len() as f64;
    println!(
        "{name:28} n {:6} 1e-4 {:8.4} % 1e-6 {:8.4} %  {}",
        n,
        100.0 * e4 as f64 / n,
        100.0 * e6 as f64 / n,
        stats(times)
    );
}

fn all(name: &str, chain: &Chain, cases: &[(Isometry3<f64>, Vec<f64>)]) {
    let arm = Arm::compile(*chain);
    let o = Options::default();
    let mut times = vec![];
    let mut sols = Solutions::none();
    let mut n = 0;
    let mut capped = 0;
    for (x, s) in cases {
        let t = Instant::now();
        arm.solve_all(x, s, &o, &mut sols);
        times.push(t.elapsed().as_nanos() as f64 / 1e3);
        n += sols.as_slice().iter().filter(|s| s.outside.is_none()).count();
        capped += usize::from(sols.search == Search::Capped);
    }
    println!(
        "{name:28} all: in-limit solutions {n} for {} capped {capped} {}",
        cases.len(),
        stats(times)
    );
}

fn fresh(chain: &Chain, n: usize, seed: u64, d: f64) -> Vec<(Isometry3<f64>, Vec<f64>)> {
    let mut r = Random(seed);
    (0..n)
        .map(|_| {
            let q = r.joints(chain);
            (
                chain.x_base_tool(&q),
                if d > 0.0 {
                    r.beside(chain, &q, d)
                } else {
                    let (l, h) = chain.limits();
                    (0..6).map(|k| 0.5 * (l[k] + h[k]) + 0.1).collect()
                },
            )
        })
        .collect()
}

fn main() {
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let none = Isometry3::identity();
    let arms: Vec<(&str, Chain)> = vec![
        ("piper", chain(&PIPER, &none)),
        ("old", chain(&PIPER_OLD, &none)),
        ("2024", chain(&PIPER_2024, &none)),
        ("h", chain(&PIPER_H, &none)),
        ("l", chain(&PIPER_L, &none)),
        ("x", chain(&PIPER_X, &none)),
        ("viperx", chain(&VIPERX, &none)),
        ("arx", chain(&ARX_X5, &none)),
        ("ur5e", ur5e()),
        ("sdk", piper_sdk()),
    ];
    for (n, c) in &arms {
        let a = Arm::compile(*c);
        let e = a.explain();
        println!("{n}: {:?} {:?} {:?} {:?}", e.class, e.reason, e.mismatch, e.ideal);
    }
    for (n, c) in &arms {
        run(n, c, &fresh(c, 20000, 1, 0.1));
        run(n, c, &fresh(c, 20000, 2, 0.0));
        all(n, c, &fresh(c, 20000, 1, 0.1));
    }
    let mut r = Random(7);
    for i in 0..20 {
        let c = calibrated(&PIPER, 1e-3, 3e-3, &mut r);
        let a = Arm::compile(c);
        println!("{:?} {:?}", a.explain().class, a.explain().mismatch);
        run(&format!("cal {i}"), &c, &fresh(&c, 1000, 1, 0.1));
    }
    if let Some(z) = npz::piper_cases() {
        let c = &arms[0].1;
        let get = |p: &str| {
            let (rr, pp, ss) =
                (&z[&format!("{p}_R")], &z[&format!("{p}_p")], &z[&format!("{p}_seed")]);
            (0..pp.len() / 3)
                .map(|i| {
                    let m = nalgebra::Matrix3::from_row_slice(&rr[9 * i..9 * i + 9]);
                    let rot = nalgebra::UnitQuaternion::from_matrix(&m);
                    (
                        Isometry3::from_parts(
                            nalgebra::Translation3::new(pp[3 * i], pp[3 * i + 1], pp[3 * i + 2]),
                            rot,
                        ),
                        ss[6 * i..6 * i + 6].to_vec(),
                    )
                })
                .collect::<Vec<_>>()
        };
        let with = |v: &[(Isometry3<f64>, Vec<f64>)], s: &str| {
            v.iter().map(|(x, _)| (*x, z[s].clone())).collect::<Vec<_>>()
        };
        for p in ["rand", "sing"] {
            let v = get(p);
            run(&format!("{p} near"), c, &v);
            run(&format!("{p} neutral"), c, &with(&v, "neutral"));
            run(&format!("{p} home"), c, &with(&v, "home"));
            all(p, c, &v);
        }
        let v = get("unr");
        let arm = Arm::compile(*c);
        let o = Options::default();
        let (mut falses, mut near, mut times) = (0, 0, vec![]);
        let mut kinds = [0; 4];
        for (i, (x, s)) in v.iter().enumerate() {
            let t = Instant::now();
            let a = arm.solve(x, s, &o);
            times.push(t.elapsed().as_nanos() as f64 / 1e3);
            let r = z["unr_ref_cost"][i];
            match a {
                Answer::Unreachable { error, .. } => {
                    kinds[0] += 1;
                    let c = error.cost_m(0.2);
                    near += usize::from(c < r + 1e-3 || c < 1.05 * r);
                }
                Answer::LimitBlocked { error, .. } => {
                    kinds[1] += 1;
                    let c = error.cost_m(0.2);
                    near += usize::from(c < r + 1e-3 || c < 1.05 * r);
                }
                _ => falses += 1,
            }
        }
        println!(
            "unreachable: false {falses} nearest {:.2} % kinds {kinds:?} {}",
            100.0 * near as f64 / v.len() as f64,
            stats(times)
        );
    }
}
