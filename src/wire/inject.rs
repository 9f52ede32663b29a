//! Faults on purpose, as they are asked for on the wire.

use reflex::trouble::{Amount, KNOWN, Trouble};
use serde::Deserialize;

use super::messages::{BadMessage, must, read};
use crate::operator::{
    Command, InjectAct,
    inject::{FOR_MS, FOR_MS_MAX},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inject {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    fault: Option<String>,
    #[serde(default)]
    for_ms: Option<u64>,
    #[serde(default)]
    amount: Option<u64>,
    #[serde(default)]
    clear: Option<bool>,
}

/// Reads the payload of `cmd/inject`.
pub(super) fn command(payload: &[u8]) -> Result<(Command, Option<String>), BadMessage> {
    let Inject { operator, fault, for_ms, amount, clear, .. } = read(payload)?;
    let Some(name) = fault else {
        let belongs = "left out, unless a fault is named";
        must(for_ms.is_none(), "for_ms", &"given", belongs)?;
        must(amount.is_none(), "amount", &"given", belongs)?;
        let act = if clear == Some(true) { InjectAct::Clear } else { InjectAct::Show };
        return Ok((Command::Inject(act), operator));
    };
    must(clear.is_none(), "clear", &"given", "left out where a fault is named")?;
    let Some(trouble) = Trouble::named(&name) else {
        let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
        return Err(BadMessage::NotUnderstood(format!(
            "fault {name:?} is unknown: choose one of {}",
            names.join(", ")
        )));
    };
    let for_ms = for_ms.unwrap_or(FOR_MS);
    must((1..=FOR_MS_MAX).contains(&for_ms), "for_ms", &for_ms, "in 1..=60000")?;
    let amount = match (trouble.known().amount, amount) {
        (None, None) => 0,
        (None, Some(amount)) => {
            must(false, "amount", &amount, "left out: this fault has none")?;
            0
        }
        (Some(of), amount) => {
            let amount = amount.unwrap_or(of.default);
            let Amount { name, min, max, .. } = of;
            if !(min..=max).contains(&amount) {
                return Err(BadMessage::NotUnderstood(format!(
                    "amount = {amount}: {name} of this fault is {min} to {max}"
                )));
            }
            amount
        }
    };
    Ok((Command::Inject(InjectAct::Begin { trouble, for_ms, amount }), operator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(payload: &str) -> Result<Command, String> {
        command(payload.as_bytes()).map(|(command, _)| command).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_fault_is_named_with_what_belongs_to_it() {
        let begin = |trouble, for_ms, amount| {
            Ok(Command::Inject(InjectAct::Begin { trouble, for_ms, amount }))
        };
        assert_eq!(act(r#"{"fault":"freeze"}"#), begin(Trouble::Freeze, 2_000, 0));
        assert_eq!(
            act(r#"{"fault":"delay","for_ms":500,"amount":250,"operator":"ada"}"#),
            begin(Trouble::Delay, 500, 250)
        );
        assert_eq!(act(r#"{"fault":"delay"}"#), begin(Trouble::Delay, 2_000, 300));
        assert_eq!(act(r#"{"clear":true}"#), Ok(Command::Inject(InjectAct::Clear)));
        assert_eq!(act(""), Ok(Command::Inject(InjectAct::Show)));
        for bad in [
            r#"{"fault":"gremlins"}"#,
            r#"{"fault":"freeze","for_ms":0}"#,
            r#"{"fault":"freeze","for_ms":60001}"#,
            r#"{"fault":"freeze","amount":3}"#,
            r#"{"fault":"delay","amount":0}"#,
            r#"{"fault":"delay","amount":2001}"#,
            r#"{"fault":"freeze","clear":true}"#,
            r#"{"clear":true,"for_ms":3}"#,
            r#"{"fault":"freeze","joint":3}"#,
        ] {
            assert!(act(bad).is_err(), "{bad:?}");
        }
        let why = act(r#"{"fault":"gremlins"}"#).expect_err("unknown");
        assert!(why.contains("gremlins") && why.contains("router-freeze"), "{why}");
    }
}
