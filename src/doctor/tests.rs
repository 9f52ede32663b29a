use super::*;
use crate::inference::Provider;
use reflex::realtime::{Report, probe::CanInterface};
use std::time::Duration;

/// A robot's computer as it should be.
fn sound() -> Facts {
    let library = |name: &str, version| Library { file: name.into(), version: Some(version) };
    Facts {
        realtime: Report {
            scheduler: Outcome::Granted,
            memory_lock: Outcome::Granted,
            ..Report::default()
        },
        throttle: Some(0.95),
        memlock_limit_bytes: None,
        preemption: Preemption::Realtime,
        clock_source: Some("tsc".to_owned()),
        lateness: Lateness::of(vec![40_000; 200], Duration::ZERO),
        isolated_cpus: vec![7],
        online_cpus: (0..8).collect(),
        governors: vec!["performance".to_owned()],
        mujoco: Some(library("libmujoco.so.3.17.0", [3, 17, 0])),
        onnxruntime: Some(library("libonnxruntime.so.1.31.1", [1, 31, 1])),
        providers: vec!["CPUExecutionProvider".to_owned()],
        engine: Provider::Cpu,
        gpus: Vec::new(),
        tensorrt: Vec::new(),
        can_interfaces: vec![CanInterface { name: "can0".to_owned(), up: true }],
        can_supported: true,
    }
}

/// Changes one fact of a sound machine, and returns the finding that this led to.
#[track_caller]
fn finding(area: &str, change: impl FnOnce(&mut Facts)) -> Finding {
    let mut facts = sound();
    change(&mut facts);
    let diagnosis = diagnose(&facts);
    let (mine, others): (Vec<Finding>, Vec<Finding>) =
        diagnosis.findings.into_iter().partition(|finding| finding.area == area);
    assert!(others.iter().all(|finding| finding.grade == Grade::Good), "{others:?}");
    assert_eq!(diagnosis.grade, mine[0].grade);
    assert_eq!(mine[0].grade == Grade::Good, mine[0].remedy.is_none(), "{mine:?}");
    mine[0].clone()
}

#[test]
fn a_sound_machine_is_ready() {
    let diagnosis = diagnose(&sound());
    assert_eq!(diagnosis.grade, Grade::Good);
    assert_eq!(diagnosis.verdict, "ready to drive a robot");
    assert_eq!(diagnosis.findings.len(), 12);
}

#[test]
fn a_refused_grant_is_bad_and_says_why_and_how() {
    let refused = Outcome::Refused { errno: 1, remedy: "set LimitRTPRIO=99" };
    let found = finding("scheduler", |facts| facts.realtime.scheduler = refused);
    assert_eq!(found.grade, Grade::Bad);
    assert!(found.found.contains("not permitted"), "{}", found.found);
    assert_eq!(found.remedy.as_deref(), Some("set LimitRTPRIO=99"));
    let found = finding("memory lock", |facts| {
        facts.realtime.memory_lock = refused;
        facts.memlock_limit_bytes = Some(8 << 20);
    });
    assert_eq!(found.grade, Grade::Bad);
    assert!(found.found.contains("limit 8192 KiB"), "{}", found.found);
}

#[test]
fn lateness_is_graded_by_what_a_tick_can_bear() {
    let grade = |samples_ns: Vec<u64>, stolen_ms| {
        finding("timer latency", |facts| {
            facts.lateness = Lateness::of(samples_ns, Duration::from_millis(stolen_ms));
        })
    };
    assert_eq!(grade(vec![499_000; 200], 0).grade, Grade::Good);
    assert_eq!(grade(vec![600_000; 200], 0).grade, Grade::Fair);
    assert_eq!(grade(vec![6_000_000; 200], 0).grade, Grade::Bad);
    // One late wake of two hundred does not make the p99, but it is a late tick all the same.
    let mut once = vec![40_000; 200];
    once[77] = 30_000_000;
    let found = grade(once, 30);
    assert_eq!(found.grade, Grade::Fair);
    assert!(found.found.contains("max 30000 us") && found.found.contains("took 30 ms"));
    assert!(found.remedy.is_some_and(|remedy| remedy.contains("hypervisor")));
    assert_eq!(grade(Vec::new(), 0).grade, Grade::Fair);
}

#[test]
fn percentiles_are_of_the_sorted_samples() {
    let late = Lateness::of((1..=200).rev().collect(), Duration::ZERO).expect("samples");
    assert_eq!((late.median_ns, late.p99_ns, late.max_ns), (100, 198, 200));
    let late = Lateness::of(vec![7], Duration::ZERO).expect("a sample");
    assert_eq!((late.median_ns, late.p99_ns, late.max_ns), (7, 7, 7));
}

#[test]
fn the_hosts_set_up_is_graded() {
    let clock = |name: Option<&str>| {
        finding("clock source", |facts| facts.clock_source = name.map(str::to_owned)).grade
    };
    assert_eq!(clock(Some("arch_sys_counter")), Grade::Good);
    assert_eq!(clock(Some("xen")), Grade::Fair);
    assert_eq!(clock(Some("hpet")), Grade::Bad);
    assert_eq!(clock(None), Grade::Fair);
    let kernel = finding("kernel", |facts| facts.preemption = Preemption::Full);
    assert_eq!(kernel.grade, Grade::Fair);
    let cores = finding("isolated cores", |facts| facts.isolated_cpus.clear());
    assert!(cores.remedy.is_some_and(|remedy| remedy.contains("isolcpus=7")));
    let cores = finding("isolated cores", |facts| {
        facts.isolated_cpus.clear();
        facts.online_cpus = vec![0, 1];
    });
    assert!(cores.remedy.is_some_and(|remedy| remedy.contains("too few")));
    let governor = finding("CPU governor", |facts| facts.governors = vec!["schedutil".to_owned()]);
    assert!(governor.remedy.is_some_and(|remedy| remedy.contains("cpupower")));
    assert_eq!(finding("CPU governor", |facts| facts.governors.clear()).grade, Grade::Good);
}

#[test]
fn libraries_are_graded_by_what_cannot_run_without_them() {
    assert_eq!(finding("libmujoco", |facts| facts.mujoco = None).grade, Grade::Fair);
    assert_eq!(finding("ONNX Runtime", |facts| facts.onnxruntime = None).grade, Grade::Bad);
    assert_eq!(finding("execution providers", |facts| facts.providers.clear()).grade, Grade::Bad);
    let with = |version| {
        finding("ONNX Runtime", |facts| {
            facts.onnxruntime = Some(Library { file: "libonnxruntime.so".into(), version });
        })
        .grade
    };
    assert_eq!(with(Some([1, 24, 0])), Grade::Good);
    assert_eq!(with(Some([2, 0, 0])), Grade::Good);
    assert_eq!(with(Some([1, 23, 9])), Grade::Bad);
    assert_eq!(with(None), Grade::Fair);
    let other = finding("libmujoco", |facts| {
        facts.mujoco = Some(Library { file: "x".into(), version: Some([3, 16, 0]) });
    });
    assert_eq!(other.grade, Grade::Fair);
}

#[test]
fn a_library_is_found_behind_its_link_with_its_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let real = folder.path().join("libmujoco.so.3.17.0");
    std::fs::write(&real, "").expect("a file");
    let link = folder.path().join("libmujoco.so");
    std::os::unix::fs::symlink("libmujoco.so.3.17.0", &link).expect("a link");
    let missing = folder.path().join("missing.so");
    let library = Library::find(&[missing.clone(), link]).expect("it is there");
    assert_eq!(library.version, Some([3, 17, 0]));
    assert!(library.file.ends_with("libmujoco.so.3.17.0"));
    assert_eq!(Library::find(&[missing]), None);
    let plain = folder.path().join("libonnxruntime.so");
    std::fs::write(&plain, "").expect("a file");
    assert_eq!(Library::find(&[plain]).expect("it is there").version, None);
}

#[test]
fn can_is_graded_from_the_bus_down_to_the_kernel() {
    let can = |up: &[bool], supported| {
        finding("CAN", |facts| {
            let name = |i| format!("can{i}");
            facts.can_interfaces = (0..)
                .zip(up)
                .map(|(i, up): (usize, &bool)| CanInterface { name: name(i), up: *up })
                .collect();
            facts.can_supported = supported;
        })
    };
    assert_eq!(can(&[false, true], true).found, "can1 up");
    let down = can(&[false], true).remedy.expect("a remedy");
    assert_eq!(down, "ip link set can0 up type can bitrate 1000000");
    assert!(can(&[], true).remedy.is_some_and(|remedy| remedy.contains("adapter")));
    assert!(can(&[], false).remedy.is_some_and(|remedy| remedy.contains("CONFIG_CAN")));
}

#[test]
fn the_same_is_said_to_people_and_to_programs() {
    let mut facts = sound();
    facts.onnxruntime = None;
    let diagnosis = diagnose(&facts);
    let table = diagnosis.table(100);
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.ends_with("bad: fit for simulation only, until what is bad below is mended\n"));
    let json: serde_json::Value =
        serde_json::from_str(&diagnosis.json().expect("JSON")).expect("JSON");
    assert_eq!(json["grade"], "bad");
    for (said, finding) in
        json["findings"].as_array().expect("a list").iter().zip(diagnosis.findings)
    {
        assert_eq!(said["area"], finding.area);
        assert_eq!(said.get("remedy").is_some(), finding.grade != Grade::Good);
        assert!(table.contains(finding.area.split(' ').next().expect("a word")));
    }
}

#[test]
fn this_machine_can_be_examined_and_is_left_as_it_was() {
    let diagnosis = examine(&Question::default());
    assert_eq!(diagnosis.findings.len(), 12);
    assert!(diagnosis.findings.iter().any(|finding| finding.found.contains("of 200 wakes")));
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let locked = status.lines().find(|line| line.starts_with("VmLck")).expect("a line");
    assert!(locked.contains(" 0 kB"), "{locked}");
}

/// To look at: `cargo test doctor_to_look_at -- --ignored --nocapture`.
#[test]
#[ignore = "for the eye"]
#[expect(clippy::print_stdout, reason = "it is there to be looked at")]
fn doctor_to_look_at() {
    let third_party = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("third_party");
    let question = Question {
        mujoco: vec![third_party.join("mujoco/libmujoco.so")],
        onnxruntime: vec![third_party.join("onnxruntime/libonnxruntime.so")],
        providers: vec!["CPU".to_owned()],
        ..Question::default()
    };
    println!("{}", examine(&question).table(120));
}

#[test]
fn a_gpu_that_is_asked_for_and_not_there_is_bad() {
    let found = finding("accelerators", |facts| facts.engine = Provider::Tensorrt);
    assert_eq!(found.grade, Grade::Bad);
    assert!(found.found.contains("no GPU") && found.found.contains("tensorrt"), "{}", found.found);
    let found = finding("accelerators", |facts| {
        facts.engine = Provider::Compiled;
        facts.gpus = vec!["NVIDIA L4".to_owned()];
    });
    assert_eq!(found.grade, Grade::Bad);
    assert!(found.found.contains("no TensorRT"), "{}", found.found);
    let found = finding("accelerators", |facts| {
        facts.gpus = vec!["NVIDIA L4".to_owned()];
        facts.tensorrt = vec!["/lib/libnvinfer.so.10.13.2".into()];
    });
    assert_eq!(found.grade, Grade::Good);
    assert!(
        found.found.contains("NVIDIA L4") && found.found.contains("10.13.2"),
        "{}",
        found.found
    );
}
