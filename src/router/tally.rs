//! What the router has done so far, counted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Change, Fate, Served};

/// A duration that is seen again and again.
#[derive(Clone, Copy, Debug, Default)]
struct Latency {
    count: u64,
    last_ms: f64,
    sum_ms: f64,
    max_ms: f64,
}

impl Latency {
    fn take(&mut self, ms: f64) {
        self.count += 1;
        self.last_ms = ms;
        self.sum_ms += ms;
        self.max_ms = self.max_ms.max(ms);
    }

    fn tell(&self) -> Value {
        let mean = if self.count == 0 { 0.0 } else { self.sum_ms / self.count as f64 };
        json!({ "count": self.count, "last": self.last_ms, "mean": mean, "max": self.max_ms })
    }
}

/// Counts since the start.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    instructions: BTreeMap<&'static str, u64>,
    embeddings: BTreeMap<&'static str, u64>,
    stabilisers: BTreeMap<&'static str, u64>,
    out_of_distribution: u64,
    strange: Vec<String>,
    encode: Latency,
    head: Latency,
    answer: Latency,
}

impl Tally {
    /// An instruction was heard, or came to an end.
    pub fn instruction(&mut self, what: &'static str) {
        *self.instructions.entry(what).or_default() += 1;
    }

    /// What became of one.
    pub fn fate(&mut self, fate: &Fate) {
        self.instruction(fate.words().0);
    }

    /// What became of an embedding; how often that was so.
    pub fn embedding(&mut self, what: &'static str) -> u64 {
        let count = self.embeddings.entry(what).or_default();
        *count += 1;
        *count
    }

    /// What the stabilisers changed of an answer.
    pub fn served(&mut self, served: &Served) {
        for change in &served.changes {
            self.stabiliser(match change {
                Change::Skill { .. } => "skill",
                Change::Target { .. } => "target",
                Change::Bounded { .. } => "bounds",
            });
        }
        if served.changes.is_empty() {
            self.stabiliser("unchanged");
        }
    }

    /// A stabiliser changed an answer, or kept it back.
    pub fn stabiliser(&mut self, what: &'static str) {
        *self.stabilisers.entry(what).or_default() += 1;
    }

    /// Inputs were further from the training than the head's clip.
    pub fn strange(&mut self, names: &[String]) {
        if !names.is_empty() {
            self.out_of_distribution += 1;
            self.strange = names.to_vec();
        }
    }

    /// How long encoding took.
    pub fn encoded(&mut self, ms: f64) {
        self.encode.take(ms);
    }

    /// How long the head took.
    pub fn headed(&mut self, ms: f64) {
        self.head.take(ms);
    }

    /// How long it took from the instruction to the decision's verdict.
    pub fn answered(&mut self, ms: f64) {
        self.answer.take(ms);
    }

    /// All of it.
    #[must_use]
    pub fn tell(&self) -> Value {
        json!({
            "instructions": self.instructions,
            "embeddings": self.embeddings,
            "stabilisers": self.stabilisers,
            "out_of_distribution": { "count": self.out_of_distribution, "last": self.strange },
            "latency_ms": {
                "encode": self.encode.tell(),
                "head": self.head.tell(),
                "answer": self.answer.tell(),
            },
        })
    }
}
