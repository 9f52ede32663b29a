//! A house that takes nothing that is not signed.

use std::{sync::Arc, time::Duration};

use motion::Mode;
use reflexd::{
    router::Embedded,
    security::{
        Credentials, Gatekeeping, Keyring, Role, Signatures, Signer, TTL_MS, wall_clock_ms,
    },
    wire::{Client, DecisionMessage, RouterLink},
};
use serde_json::json;
use zenoh::{Wait, sample::SourceInfo};

use super::{
    house::{PATIENCE, Street, eventually, present},
    key,
};

fn signers() -> (Signer, Signer, Gatekeeping) {
    let ada = Signer::from_seed("operator-ada", &[1; 32]);
    let vlm = Signer::from_seed("router-vlm", &[2; 32]);
    let keys = Keyring::of(&[(&ada, Role::Operator), (&vlm, Role::Router)]);
    (ada, vlm, Gatekeeping { signatures: Signatures::Required, keys })
}

fn embedded(id: &str) -> Embedded {
    Embedded {
        embedding: Box::new([0.5; 1024]),
        at_ns: 1,
        instruction_id: id.into(),
        encoder: "words".into(),
        fingerprint: "f".into(),
        latency_ms: 1.0,
    }
}

#[test]
fn a_router_signs_what_it_embeds_and_what_it_decides() {
    let (_, vlm, keeping) = signers();
    let street = Street::guarded(keeping);
    *street.house.present.lock().expect("no panic") = Some(Arc::new(present(1, Mode::Holding)));
    let endpoints = [street.endpoint.clone()];
    let bare = Credentials::default();
    let signs = Credentials { tls: None, signer: Some(vlm) };
    let link = |who: &Credentials| {
        RouterLink::connect(who, "piper", &endpoints, None, PATIENCE).expect("somebody is there")
    };
    let decision: DecisionMessage = serde_json::from_value(json!({
        "v": 1, "decision_id": "d1", "skill": "pick_up", "source": "router", "ttl_ms": 500,
        "params": { "target_x": 0.3, "target_y": 0.0, "target_z": 0.1 },
    }))
    .expect("a decision");
    let unsigned = link(&bare);
    unsigned.embed(&embedded("a"), "eat").expect("open");
    eventually("it is refused", || !street.house.diary().refused.is_empty());
    assert!(street.house.diary().refused[0].2.contains("not signed"));
    let verdict = unsigned.decide(&decision).expect("an answer");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");
    let router = link(&signs);
    router.embed(&embedded("b"), "eat").expect("open");
    eventually("it arrives", || street.house.diary().embedded.len() == 1);
    assert_eq!(street.house.diary().embedded[0].instruction_id, "b", "what was said with it, too");
    let verdict = router.decide(&decision).expect("an answer");
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
    let diary = street.house.diary();
    assert_eq!(
        (diary.decisions[0].1.as_str(), diary.decisions[0].0.source.as_str()),
        ("router-vlm", "router-vlm")
    );
}

#[test]
fn a_flood_of_bad_signatures_keeps_no_good_one_out() {
    let (ada, _, keeping) = signers();
    let street = Street::guarded(keeping);
    let flooder = street.stranger();
    let full = key("cmd/arm");
    let publisher = flooder.0.declare_publisher(full.clone()).wait().expect("a good key");
    let forger = Signer::from_seed("operator-ada", &[9; 32]);
    let payload = b"{}";
    for k in 0..2_000_u32 {
        let mut nonce = [0; 16];
        nonce[..4].copy_from_slice(&k.to_be_bytes());
        let attachment =
            forger.sign(("piper", &full), (payload, None), nonce, (wall_clock_ms(), TTL_MS));
        let source = SourceInfo::new(publisher.id(), k);
        let put = publisher.put(payload.as_slice()).attachment(attachment).source_info(source);
        put.wait().expect("open");
    }
    let signs = Credentials { tls: None, signer: Some(ada) };
    let endpoints = [street.endpoint.clone()];
    let client = Client::connect_as(&signs, "piper", &endpoints, Duration::from_secs(20));
    let answer = client.expect("somebody is there").ask("cmd/arm", &json!({})).expect("an answer");
    assert_eq!(answer["accepted"], true, "{answer}");
    let diary = street.house.diary();
    let by: Vec<&str> = diary.commands.iter().map(|(_, who)| who.as_str()).collect();
    assert_eq!(by, ["operator-ada"], "and no forged one in");
}

#[test]
fn a_heartbeat_is_its_operators_own() {
    let ada = Signer::from_seed("operator-ada", &[1; 32]);
    let bob = Signer::from_seed("operator-bob", &[3; 32]);
    let keys = Keyring::of(&[(&ada, Role::Operator), (&bob, Role::Operator)]);
    // Even where signatures are optional: who has a key is believed only with it.
    for signatures in [Signatures::Optional, Signatures::Required] {
        let street = Street::guarded(Gatekeeping { signatures, keys: keys.clone() });
        let beat = json!({ "lease_id": 1, "seq": 1 });
        let endpoints = [street.endpoint.clone()];
        let tell = |signer: Option<&Signer>| {
            let shown = Credentials { tls: None, signer: signer.cloned() };
            let client = Client::connect_as(&shown, "piper", &endpoints, PATIENCE);
            let client = client.expect("somebody is there");
            client.tell("heartbeat/operator-ada", &beat).expect("open");
            client
        };
        let _kept = [tell(None), tell(Some(&bob))];
        // Told at 1, 2, 4, ...: both of them.
        eventually("both are refused", || street.house.diary().refused.len() == 2);
        let _kept = tell(Some(&ada));
        eventually("hers arrives", || street.house.diary().beats.len() == 1);
        assert_eq!(street.house.diary().beats[0].0, "operator-ada");
    }
}
