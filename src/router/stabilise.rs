//! The network's answer, made safe to use: within bounds, at places where things are, and as the words plainly say.
//!
//! Whatever is changed is told, and counted. The network's own answer is carried beside what is served.

use super::{
    Answer, Instruction, SKILLS, Seen, Target, Thing, bounded, command, route, served_skill,
};
use crate::{observation::Params, skill::registry::Bounds};

/// The network's target is nowhere if it is so near to the origin, where its training had what is not there.
const NOWHERE_M: f64 = 0.1;

/// The network means a thing if its target is so near to it.
const MEANT_WITHIN_M: f64 = 0.25;

/// What was changed of the network's answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Change {
    /// A plain command won over the network.
    Skill {
        /// What the network had chosen.
        from: &'static str,
    },
    /// The target is where somebody pointed, or where a thing is.
    Target {
        /// Which.
        of: String,
    },
    /// A parameter was out of bounds.
    Bounded {
        /// Which.
        param: &'static str,
    },
}

/// What is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Which of [`SKILLS`].
    pub skill: usize,
    /// Its parameters.
    pub params: Params,
    /// What was changed.
    pub changes: Vec<Change>,
}

/// Makes an answer safe to use. `things`: what is known to lie about; `bounds`: of a skill, if the robot has it.
///
/// # Errors
/// Nobody pointed anywhere, and nothing is known to lie about: the network's target would be a guess.
pub fn stabilise(
    said: &Instruction,
    answer: &Answer,
    things: &[Thing],
    bounds: impl Fn(&str) -> Option<Bounds>,
) -> Result<Served, String> {
    let mut changes = Vec::new();
    let neural = answer.choice().0;
    let skill = skill(said, neural, things);
    if skill != neural {
        changes.push(Change::Skill { from: SKILLS[neural] });
    }
    let raw = answer.params;
    let mut params = bounded(raw);
    let place = place(said, skill, raw, things)?;
    let same = params[..3] == place.position_m;
    params[..3].copy_from_slice(&place.position_m);
    if !same {
        changes.push(Change::Target { of: place.name });
    }
    // The radius of a run around something is the path's; of everything else, the thing's.
    if SKILLS[skill] != "run_around" || skill != neural {
        params[3] = place.radius_m.unwrap_or(params[3]);
    }
    params[5] = f64::from(u8::from(place.is_berry.unwrap_or(params[5] >= 0.5)));
    if let Some(Bounds { radius_m, speed_hint, .. }) = bounds(SKILLS[skill]) {
        params[3] = params[3].max(radius_m[0]).min(radius_m[1]);
        params[4] = params[4].max(speed_hint[0]).min(speed_hint[1]);
    }
    for (at, param) in [(3, "radius"), (4, "speed_hint")] {
        let copied = at == 3 && place.radius_m == Some(params[at]);
        if !copied && (params[at] - raw[at]).abs() > 1e-9 {
            changes.push(Change::Bounded { param });
        }
    }
    let [target_x, target_y, target_z, radius, speed_hint, berry] = params;
    let object_is_berry = berry >= 0.5;
    let params = Params { target_x, target_y, target_z, radius, speed_hint, object_is_berry };
    Ok(Served { skill, params, changes })
}

/// A plain command wins over the network where the published rules and the dictionary read the same in it.
fn skill(said: &Instruction, neural: usize, things: &[Thing]) -> usize {
    let seen: Vec<Seen> = things.iter().map(seen).collect();
    let target = said.target.as_ref().map(|target| target.position_m);
    let ruled =
        served_skill(neural, &route(&said.text, target, &seen), &said.text, said.force_neural);
    if command::explicit(&said.text) == Some(ruled) { ruled } else { neural }
}

fn seen(thing: &Thing) -> Seen {
    let parts = thing.name.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    let mut kinds: Vec<String> = parts.collect();
    if thing.is_berry {
        kinds.push("berry".into());
    }
    Seen { kinds, position_m: thing.position_m }
}

struct Place {
    name: String,
    position_m: [f64; 3],
    radius_m: Option<f64>,
    is_berry: Option<bool>,
}

impl From<&Thing> for Place {
    fn from(thing: &Thing) -> Self {
        Self {
            name: thing.name.clone(),
            position_m: thing.position_m,
            radius_m: Some(thing.radius_m),
            is_berry: Some(thing.is_berry),
        }
    }
}

impl From<&Target> for Place {
    fn from(target: &Target) -> Self {
        Self {
            name: "the instruction".into(),
            position_m: target.position_m,
            radius_m: target.radius_m,
            is_berry: target.is_berry,
        }
    }
}

/// Where it is to happen: where somebody pointed; at the thing that the network means; or at the nearest to that of the
/// kind that the skill is for.
fn place(
    said: &Instruction,
    skill: usize,
    raw: [f64; 6],
    things: &[Thing],
) -> Result<Place, String> {
    if let Some(target) = &said.target {
        return Ok(target.into());
    }
    let far = |thing: &Thing| -> f64 {
        thing.position_m.iter().zip(raw).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    };
    let nearest = |any: &dyn Fn(&Thing) -> bool| {
        let some = things.iter().filter(|thing| any(thing));
        some.min_by(|a, b| far(a).total_cmp(&far(b)).then_with(|| a.name.cmp(&b.name)))
    };
    let meant = nearest(&|thing| far(thing) <= MEANT_WITHIN_M);
    let from_origin_m = raw[..3].iter().map(|x| x * x).sum::<f64>().sqrt();
    if !things.is_empty() && meant.is_none() && from_origin_m < NOWHERE_M {
        return Err("nothing of what was named is known to be within reach: give a target, or name what is there".into());
    }
    let wants_berry = matches!(SKILLS[skill], "pick_up" | "find_and_eat_berry");
    meant
        .or_else(|| nearest(&|thing| thing.is_berry == wants_berry))
        .or_else(|| nearest(&|_| true))
        .map(Place::from)
        .ok_or_else(|| {
            "nobody pointed anywhere and nothing is known to lie about: give a target, or let a detector publish \
             `objects`"
                .into()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Instruction {
        Instruction {
            id: "i".into(),
            text: text.into(),
            operator: None,
            target: None,
            things: Vec::new(),
            force_neural: false,
            ttl_ms: 1000,
        }
    }

    fn answer(skill: usize, params: [f64; 6]) -> Answer {
        let mut probabilities = [0.02; 4];
        probabilities[skill] = 0.94;
        Answer { probabilities, params, out_of_distribution: Vec::new() }
    }

    fn thing(name: &str, x: f64, is_berry: bool) -> Thing {
        Thing { name: name.into(), position_m: [x, 0.0, 0.1], radius_m: 0.02, is_berry }
    }

    fn bounds(_: &str) -> Option<Bounds> {
        let any = [-3.0, 3.0];
        Some(Bounds {
            target_x_m: any,
            target_y_m: any,
            target_z_m: any,
            radius_m: [0.01, 0.6],
            speed_hint: [0.2, 1.0],
        })
    }

    #[test]
    fn the_target_is_where_the_meant_thing_is() {
        let things = [thing("berry", 0.4, true), thing("chair", 1.0, false)];
        let near = answer(2, [0.43, 0.02, 0.11, 0.02, 0.5, 1.0]);
        let served = stabilise(&said("pick up the berry"), &near, &things, bounds).expect("served");
        assert_eq!((served.params.target_x, served.params.target_z), (0.4, 0.1));
        assert_eq!(served.changes, [Change::Target { of: "berry".into() }]);
        let nowhere = answer(0, [-2.0, 2.0, 0.0, 0.02, 0.5, 0.0]);
        let served = stabilise(&said("walk over"), &nowhere, &things, bounds).expect("served");
        assert_eq!(served.params.target_x, 1.0, "no thing is meant: the nearest that is no berry");
    }

    #[test]
    fn where_somebody_points_counts_most() {
        let mut said = said("pick it up");
        said.target = Some(Target { position_m: [0.3, 0.2, 0.1], radius_m: None, is_berry: None });
        let things = [thing("berry", 0.4, true)];
        let served = stabilise(&said, &answer(2, [0.4, 0.0, 0.1, 0.03, 0.5, 0.9]), &things, bounds);
        let Served { params, changes, .. } = served.expect("served");
        assert_eq!([params.target_x, params.target_y, params.target_z], [0.3, 0.2, 0.1]);
        assert!(params.object_is_berry && (params.radius - 0.03).abs() < 1e-9);
        assert_eq!(changes, [Change::Target { of: "the instruction".into() }]);
    }

    #[test]
    fn a_target_is_never_guessed() {
        let guessed = stabilise(&said("pick it up"), &answer(2, [0.0; 6]), &[], bounds);
        assert!(guessed.is_err_and(|reason| reason.contains("objects")));
    }

    #[test]
    fn what_is_named_and_not_there_is_refused() {
        let things = [thing("berry", 0.4, true)];
        let nowhere = answer(0, [0.01, -0.02, 0.0, 0.0, 0.5, 0.0]);
        let refused = stabilise(&said("walk to the flag"), &nowhere, &things, bounds);
        assert!(refused.is_err_and(|reason| reason.contains("named")));
    }

    #[test]
    fn a_plain_command_wins_unless_the_network_is_to_count() {
        let things = [thing("berry", 0.4, true)];
        let other = answer(0, [0.4, 0.0, 0.1, 0.02, 0.5, 1.0]);
        let mut eat = said("go find the berry and eat it");
        let served = stabilise(&eat, &other, &things, bounds).expect("served");
        assert_eq!(served.skill, 3);
        assert_eq!(
            served.changes,
            [Change::Skill { from: "walk_to" }, Change::Target { of: "berry".into() }][..1]
        );
        eat.force_neural = true;
        assert_eq!(stabilise(&eat, &other, &things, bounds).expect("served").skill, 0);
        let negated = said("don't eat the berry, pick it up");
        let served = stabilise(&negated, &other, &things, bounds).expect("served");
        assert_eq!(served.skill, 0, "what is negated is no plain command");
    }

    #[test]
    fn speed_and_radius_stay_within_the_skills_bounds() {
        let things = [thing("post", 0.5, false)];
        let wild = answer(1, [0.5, 0.0, 0.1, 9.0, -4.0, 0.0]);
        let served = stabilise(&said("run around"), &wild, &things, bounds).expect("served");
        assert_eq!((served.params.radius, served.params.speed_hint), (0.6, 0.2));
        let bounded = |param| served.changes.contains(&Change::Bounded { param });
        assert!(bounded("radius") && bounded("speed_hint"));
    }
}
