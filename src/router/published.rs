//! The stabilisers of the system that this router follows, as it published them: rules beside the network.

/// The least and the most of each parameter: target x, y, z, radius, speed, whether it is a berry.
const RANGES: [(f64, f64); 6] =
    [(-2.5, 2.5), (-2.5, 2.5), (-0.2, 1.2), (0.0, 1.4), (0.0, 1.5), (0.0, 1.0)];

/// Words that make a text an explicit command.
const EXPLICIT: [&str; 13] = [
    "eat", "berry", "pick", "grab", "hold", "run", "walk", "go", "marker", "there", "sit", "chair",
    "seat",
];

/// Where a berry is expected when nobody says where anything is.
const SOMEWHERE: [f64; 3] = [0.42, -0.1, 0.08];

/// A thing, as those rules look at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What kind of thing it is, and what it is good for: `berry`, `chair`, `go_to`, `pick_up`.
    pub kinds: Vec<String>,
    /// Where.
    pub position_m: [f64; 3],
}

/// What the rules make of a request, without a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Which of [`SKILLS`].
    pub skill: usize,
    /// Parameters: target x, y, z, radius, speed, whether it is a berry.
    pub params: [f64; 6],
}

/// Parameters within the ranges that the system knows. Finite ones: a network's answer that is not is no answer.
#[must_use]
pub fn bounded(params: [f64; 6]) -> [f64; 6] {
    let mut bounded = params;
    for (value, (least, most)) in bounded.iter_mut().zip(RANGES) {
        *value = value.max(least).min(most);
    }
    bounded
}

/// A skill by keywords, at the place that was pointed at or that a thing of the right kind has.
#[must_use]
pub fn route(text: &str, target: Option<[f64; 3]>, seen: &[Seen]) -> Route {
    let words = words(text);
    let says = |any: &[&str]| any.iter().any(|word| words.iter().any(|said| said == word));
    let skill = if says(&["eat"]) {
        3
    } else if says(&["pick", "grab", "hold"]) {
        2
    } else if says(&["run"]) {
        1
    } else {
        0
    };
    let is = |thing: &Seen, any: &[&str]| thing.kinds.iter().any(|kind| any.contains(&&**kind));
    let first = |any: &[&str]| seen.iter().find(|thing| is(thing, any));
    let marker = || first(&["marker", "go_to"]);
    let thing = if says(&["sit", "chair", "seat"]) {
        first(&["chair", "seat"]).or_else(marker)
    } else if says(&["marker", "there"]) {
        marker()
    } else {
        first(&["berry", "ball", "pick_up", "eat"]).or_else(marker)
    };
    let [x, y, z] = target.or(thing.map(|thing| thing.position_m)).unwrap_or(SOMEWHERE);
    let (radius, speed, berry) = match skill {
        0 => (0.0, 0.55, 0.0),
        1 => (0.55, 1.0, 0.0),
        _ => (0.0, 0.25, 1.0),
    };
    Route { skill, params: [x, y, z, radius, speed, berry] }
}

/// The network's parameters, bounded; the rules' where somebody pointed at a place or told what lies about.
#[must_use]
pub fn copied(raw: [f64; 6], route: &Route, is_explicit: bool) -> [f64; 6] {
    if is_explicit { bounded(route.params) } else { bounded(raw) }
}

/// The rules' skill where the text is an explicit command, the network's otherwise, or if that is forced.
#[must_use]
pub fn served_skill(neural: usize, route: &Route, text: &str, force_neural: bool) -> usize {
    let is_explicit = words(text).iter().any(|word| EXPLICIT.contains(&&**word));
    if is_explicit && !force_neural { route.skill } else { neural }
}

fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect()
}

#[cfg(test)]
#[path = "published_test.rs"]
mod tests;
