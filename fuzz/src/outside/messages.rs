//! Arbitrary bytes as whatever somebody may send.

use reflexd::{
    decision::Decision,
    encoder::Words,
    operator::{Command, Goal, Jog},
    router::{command, route},
    security::{Nonces, Signed},
    wire::{BadMessage, DecisionMessage, reading, said_of},
};

/// Longest complaint about a message: it goes to a log and back to the sender, who may be anybody.
const COMPLAINT_MAX: usize = 4096;

/// One byte says which key it came on, the others are the payload.
///
/// # Panics
/// If something is understood that makes no sense, or does not come back as it was understood.
pub fn messages(bytes: &[u8]) {
    const VERBS: [&str; 13] = [
        "arm",
        "disarm",
        "hold",
        "home",
        "clear_fault",
        "release",
        "goto",
        "jog",
        "skill",
        "registry",
        "backend",
        "lease",
        "no_such_command",
    ];
    let Some((key, payload)) = bytes.split_first() else { return };
    match key % 19 {
        0 => heard(reading::decision(payload), |decision| decided(&decision)),
        1 => heard(reading::instruction(payload), |said| {
            assert!(said.things.len() <= 64 && !said.text.trim().is_empty());
            assert!((1..=600_000).contains(&said.ttl_ms));
            let target = said.target.iter().flat_map(|target| target.position_m);
            assert!(target.chain(said.things.iter().flat_map(|of| of.position_m)).all(finite));
        }),
        2 => heard(reading::objects(payload), |things| {
            let radii = things.iter().map(|thing| thing.radius_m);
            assert!(
                things.len() <= 64
                    && radii.clone().all(finite)
                    && radii.min_by(f64::total_cmp) >= Some(0.0).filter(|_| !things.is_empty())
            );
        }),
        3 => {
            // The attachment first, and then what is missing of 4096 bytes of numbers.
            let (said, numbers) = payload.split_at(payload.len().min(1024));
            let mut embedding = numbers.to_vec();
            embedding.resize(4096, 0);
            heard(reading::embedded(&embedding, said), |embedded| {
                assert!(embedded.embedding.iter().all(|number| number.is_finite()));
            });
            heard(reading::embedded(payload, payload), |_| {});
        }
        4 => heard(reading::beat(payload), |_| {}),
        5 => heard(reading::question(payload), |question| {
            assert!(question.from.values().copied().all(finite));
            assert!(question.goal.position_m.iter().all(|at| at.abs() <= 100.0));
        }),
        k => heard(reading::command(VERBS[usize::from(k) - 6], payload), |told| obeyed(&told)),
    }
    // An e-stop stops whatever is in it; what is in it is read afterwards.
    heard(reading::plain(payload), |_| {});
    if let Ok(told) = serde_json::from_slice(payload) {
        let _ = said_of(&told);
    }
}

fn finite(value: f64) -> bool {
    value.is_finite()
}

fn heard<T>(read: Result<T, BadMessage>, judge: impl FnOnce(T)) {
    match read {
        Ok(understood) => judge(understood),
        Err(bad) => {
            let words = bad.to_string();
            let plain = !words.chars().any(char::is_control);
            assert!(plain && words.len() <= COMPLAINT_MAX, "{words:?}");
        }
    }
}

fn decided(decision: &Decision) {
    assert!((1..=600_000).contains(&decision.ttl_ms));
    assert!((1..=128).contains(&decision.decision_id.chars().count()));
    assert!(decision.params.speed_hint > 0.0 && decision.params.speed_hint <= 1.0);
    let told = serde_json::to_vec(&DecisionMessage::from(decision)).expect("it was read");
    let again = reading::decision(&told).expect("told again");
    // The JSON that is read here may be off by the last bit of a number.
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
    assert!(near(again.params.target_x, decision.params.target_x));
    let Decision { params, raw_params, confidence, .. } = decision.clone();
    assert_eq!(Decision { params, raw_params, confidence, ..again }, *decision);
}

fn obeyed(command: &Command) {
    match command {
        Command::Home { speed } => assert!(*speed > 0.0 && *speed <= 1.0),
        Command::Goto { goal, speed } => {
            assert!(*speed > 0.0 && *speed <= 1.0);
            match goal {
                Goal::Joints(joints) => assert!(joints.values().copied().all(finite)),
                Goal::Tool(goal) => {
                    assert!(goal.position_m.iter().all(|at| at.abs() <= 100.0));
                    let norm = goal.orientation.map_or(1.0, |turned| turned.norm());
                    assert!((norm - 1.0).abs() < 1e-9, "{norm}");
                }
            }
        }
        Command::Jog { jog, ttl_ms } => {
            assert!((1..=1000).contains(ttl_ms));
            match jog {
                Jog::Joints(joints) => assert!(joints.values().copied().all(finite)),
                Jog::Tool(tool) => {
                    let all = tool.linear_m_s.iter().chain(&tool.angular_rad_s);
                    assert!(all.copied().all(finite));
                }
            }
        }
        Command::Skill { params, .. } => assert!(params.radius > 0.0 && finite(params.target_x)),
        _ => {}
    }
}

/// Attachments with a signature, as they are read before anything is verified. Two bytes say how far the clock goes on
/// between two of them; a line is one.
///
/// # Panics
/// If one is taken twice.
pub fn signatures(bytes: &[u8]) {
    let mut nonces = Nonces::new(1_000_000);
    let mut now_ms = 1_000_000;
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(([low, high], attachment)) = line.split_first_chunk() else { continue };
        now_ms += u64::from(u16::from_le_bytes([*low, *high]));
        let Some(Ok(signed)) = Signed::read(attachment) else { continue };
        let _ = (signed.signer(), signed.said());
        if nonces.check(&signed, now_ms, 60_000).is_ok() {
            nonces.take(&signed).expect("nobody was in between");
            assert!(nonces.check(&signed, now_ms, 60_000).is_err(), "taken twice");
        }
    }
}

/// Arbitrary words, as the router and its default encoder read them.
///
/// # Panics
/// If a number that the network sees is not finite, or the same words are read twice in two ways.
pub fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let reading = Words::read(&text);
    let _ = (reading.is_known(), reading.acts().count());
    assert_eq!(command::read(&text), command::read(&text));
    assert!(command::explicit(&text).is_none_or(|skill| skill < 4));
    let _ = route(&text, None, &[]);
    let _ = route(&text, Some([0.3, 0.0, 0.1]), &[]);
}
