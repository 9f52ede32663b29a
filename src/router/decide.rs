//! From an embedding to a decision, wherever it is made: in the daemon or in the router's process.

use serde_json::{Map, Value, json};

use super::{
    Answer, Change, Embedded, Instruction, RouterHead, SKILLS, Served, Thing, View, stabilise,
};
use crate::{
    decision::{Decision, Observed},
    observation::Params,
    skill::registry::Bounds,
};

/// What a network answered, and what was made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The network's own answer.
    pub answer: Answer,
    /// What is served; nothing where it was kept back before.
    pub served: Option<Served>,
    /// The decision, or why there is none.
    pub decision: Result<Decision, Kept>,
}

/// An answer that does not become a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which rule kept it back.
    pub rule: &'static str,
    /// Why, and what to do.
    pub reason: String,
}

/// Decides about an instruction. `confidence_min`: nothing is begun of which the network is less sure.
///
/// # Errors
/// The embedding is of another encoder than the head was trained with, or a number is not finite.
pub fn decide(
    head: &mut RouterHead,
    (said, embedded): (&Instruction, &Embedded),
    (view, things): (View<'_>, &[Thing]),
    confidence_min: f64,
    bounds: impl Fn(&str) -> Option<Bounds>,
) -> Result<Decided, String> {
    head.fits(&embedded.encoder, &embedded.fingerprint)?;
    let reach: Vec<Bounds> = SKILLS.iter().filter_map(|skill| bounds(skill)).collect();
    let things = &within(things, &reach);
    let state = head.state(view, things);
    let answer = head.answer(&embedded.embedding, &state)?;
    let (neural, confidence) = answer.choice();
    let kept = |answer: Answer, rule: &'static str, reason: String| {
        Ok(Decided { answer, served: None, decision: Err(Kept { rule, reason }) })
    };
    if confidence < confidence_min {
        let reason = format!(
            "the network is not sure: {} with {confidence:.2}, less than router.confidence_min = {confidence_min}; say it \
             in other words",
            SKILLS[neural]
        );
        return kept(answer, "not_confident", reason);
    }
    let served = match stabilise(said, &answer, things, bounds) {
        Err(reason) => return kept(answer, "no_target", reason),
        Ok(served) => served,
    };
    let decision = Decision {
        decision_id: said.id.clone(),
        skill: SKILLS[served.skill].to_owned(),
        params: served.params,
        neural_skill: Some(SKILLS[neural].to_owned()),
        raw_params: Some(answer.params),
        confidence: Some(confidence),
        instruction: Some(said.text.clone()),
        instruction_id: Some(said.id.clone()),
        observed: Observed::AtNs(embedded.at_ns),
        ttl_ms: said.ttl_ms,
        source: "router".into(),
    };
    Ok(Decided { answer, served: Some(served), decision: Ok(decision) })
}

/// Things that a skill of this robot can reach: with the others nothing can be done.
fn within(things: &[Thing], reach: &[Bounds]) -> Vec<Thing> {
    let is_in = |[least, most]: [f64; 2], at: f64| least <= at && at <= most;
    let reached = |thing: &&Thing| {
        let [x, y, _] = thing.position_m;
        let by = |bounds: &Bounds| is_in(bounds.target_x_m, x) && is_in(bounds.target_y_m, y);
        reach.is_empty() || reach.iter().any(by)
    };
    things.iter().filter(reached).cloned().collect()
}

impl Decided {
    /// Served and raw, and what was changed: for whoever wants to know.
    #[must_use]
    pub fn tell(&self) -> Value {
        let Self { answer, served, .. } = self;
        let (neural, confidence) = answer.choice();
        let probabilities: Map<String, Value> = SKILLS
            .iter()
            .zip(answer.probabilities)
            .map(|(skill, p)| ((*skill).to_owned(), json!(p)))
            .collect();
        let params = served.as_ref().map(|served| {
            named(Params::NAMES.map(|name| served.params.get(name).unwrap_or(f64::NAN)))
        });
        let changes: &[Change] = served.as_ref().map_or(&[], |served| &served.changes);
        json!({
            "skill": served.as_ref().map(|served| SKILLS[served.skill]),
            "neural_skill": SKILLS[neural],
            "confidence": confidence,
            "probabilities": probabilities,
            "params": params,
            "raw_params": named(answer.params),
            "changes": changes,
            "out_of_distribution": answer.out_of_distribution,
        })
    }
}

fn named(params: [f64; 6]) -> Map<String, Value> {
    let pairs = Params::NAMES.iter().zip(params);
    pairs.map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}
