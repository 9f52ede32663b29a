//! Robot and scene as the router's head sees them: 42 numbers.

use motion::{Ask, Joints, Nanos, RunId, State, TickIndex};

use super::{BODY, BodyRule, STATE, Thing};
use crate::{
    head::FeatureRule,
    kinematics::RobotArm,
    observation::{FeatureError, Packer, Params},
};

/// What a slot of the scene has, in order.
pub const SCENE_NAMES: [&str; 6] = ["present", "x", "y", "z", "radius", "is_berry"];

/// Slots of each kind: two for berries, then two for other things.
const OF_A_KIND: usize = 2;

/// The robot as it was measured and commanded in a tick.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Measured positions, rad or m.
    pub position: &'a Joints,
    /// Measured velocities.
    pub velocity: &'a Joints,
    /// The last command.
    pub commanded: &'a Joints,
}

/// Four slots: the two berries that are nearest to the hand, and the two nearest other things. A slot without a thing has
/// zeros.
#[must_use]
pub fn slots(things: &[Thing], hand_m: [f64; 3]) -> [f64; 24] {
    let far = |thing: &Thing| -> f64 {
        thing.position_m.iter().zip(hand_m).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let mut slots = [0.0; 24];
    for (kind, is_berry) in [true, false].into_iter().enumerate() {
        let mut near: Vec<&Thing> =
            things.iter().filter(|thing| thing.is_berry == is_berry).collect();
        // By name, where two are as near as each other: the same scene has the same numbers.
        near.sort_by(|a, b| far(a).total_cmp(&far(b)).then_with(|| a.name.cmp(&b.name)));
        for (at, thing) in near.into_iter().take(OF_A_KIND).enumerate() {
            let [x, y, z] = thing.position_m;
            let from = (kind * OF_A_KIND + at) * SCENE_NAMES.len();
            let numbers = [1.0, x, y, z, thing.radius_m, f64::from(u8::from(is_berry))];
            slots[from..from + SCENE_NAMES.len()].copy_from_slice(&numbers);
        }
    }
    slots
}

/// What the body's 18 numbers are made of, looked up once.
#[derive(Clone, Debug)]
pub(super) struct Body {
    parts: Vec<Part>,
    pub(super) hand: RobotArm,
}

#[derive(Clone, Debug)]
enum Part {
    Position(usize),
    Velocity(usize),
    Commanded(usize),
    Tool(Box<RobotArm>, usize),
}

impl Body {
    /// Looks the names of the rules up. The error is the key's part and the name that does not exist.
    pub(super) fn compile(
        rules: &[BodyRule],
        hand: &str,
        joints: &[String],
        arms: &[RobotArm],
    ) -> Result<Self, (String, String)> {
        let arm = |key: String, name: &str| {
            let found = arms.iter().find(|arm| arm.name == name).cloned();
            found.ok_or_else(|| (key, name.to_owned()))
        };
        let mut parts = Vec::with_capacity(BODY);
        for (at, rule) in rules.iter().enumerate() {
            let joint = |name: &String| {
                let found = joints.iter().position(|joint| joint == name);
                found.ok_or_else(|| (format!("state.body[{at}].joints"), name.clone()))
            };
            match rule {
                BodyRule::JointPosition { joints } => {
                    for name in joints {
                        parts.push(Part::Position(joint(name)?));
                    }
                }
                BodyRule::JointVelocity { joints } => {
                    for name in joints {
                        parts.push(Part::Velocity(joint(name)?));
                    }
                }
                BodyRule::PreviousAction { joints } => {
                    for name in joints {
                        parts.push(Part::Commanded(joint(name)?));
                    }
                }
                BodyRule::ToolPosition { arm: name, axes } => {
                    let arm = arm(format!("state.body[{at}].arm"), name)?;
                    for name in axes {
                        let axis = ["x", "y", "z"].iter().position(|axis| axis == name);
                        let unknown = || (format!("state.body[{at}].axes"), name.clone());
                        parts.push(Part::Tool(Box::new(arm.clone()), axis.ok_or_else(unknown)?));
                    }
                }
            }
        }
        Ok(Self { parts, hand: arm("state.hand".into(), hand)? })
    }

    pub(super) const fn len(&self) -> usize {
        self.parts.len()
    }

    /// All numbers of the state. A joint that the robot lacks is NaN, which no head is shown.
    pub(super) fn state(&self, view: View<'_>, things: &[Thing]) -> [f64; STATE] {
        let of = |joints: &Joints, joint: usize| joints.get(joint).copied().unwrap_or(f64::NAN);
        let mut state = [0.0; STATE];
        for (slot, part) in state.iter_mut().take(BODY).zip(&self.parts) {
            *slot = match part {
                Part::Position(joint) => of(view.position, *joint),
                Part::Velocity(joint) => of(view.velocity, *joint),
                Part::Commanded(joint) => of(view.commanded, *joint),
                Part::Tool(arm, axis) => arm.x_base_tool(view.position).translation.vector[*axis],
            };
        }
        let hand_m = self.hand.x_base_tool(view.position).translation.vector.into();
        state[BODY..].copy_from_slice(&slots(things, hand_m));
        state
    }
}

/// All 42 numbers of a router that was made elsewhere, as a head's features. The object is the nearest berry to the robot's
/// base, or the nearest thing if there is none.
#[derive(Clone, Debug)]
pub(super) struct Elsewhere {
    packer: Packer,
}

impl Elsewhere {
    pub(super) fn compile(
        features: &[FeatureRule],
        joints: &[String],
        arms: &[RobotArm],
    ) -> Result<Self, FeatureError> {
        let features = features.iter().map(FeatureRule::feature);
        Ok(Self { packer: Packer::compile(features, joints, arms)? })
    }

    pub(super) fn state(&self, view: View<'_>, things: &[Thing]) -> [f64; STATE] {
        let far = |thing: &&Thing| -> f64 { thing.position_m.iter().map(|x| x * x).sum() };
        let nearest = |of: &dyn Fn(&&Thing) -> bool| {
            things.iter().filter(of).min_by(|a, b| far(a).total_cmp(&far(b)))
        };
        let object = nearest(&|thing| thing.is_berry).or_else(|| nearest(&|_| true));
        let [target_x, target_y, target_z] = object.map_or([0.0; 3], |thing| thing.position_m);
        let params = Params { target_x, target_y, target_z, ..Params::default() };
        let (position, velocity) = (*view.position, *view.velocity);
        let state = State { position, velocity, ..State::blank(position.len()) };
        let ask = Ask::standing(RunId(0), TickIndex(0), Nanos(0), state, *view.commanded);
        let mut tensor = [0.0_f32; STATE];
        // What cannot be packed is NaN, which no head is shown.
        match self.packer.pack(&ask, &params, &mut tensor) {
            Ok(()) => tensor.map(f64::from),
            Err(_) => [f64::NAN; STATE],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(name: &str, x: f64, is_berry: bool) -> Thing {
        Thing { name: name.into(), position_m: [x, 0.0, 0.1], radius_m: 0.02, is_berry }
    }

    #[test]
    fn the_nearest_two_of_each_kind_have_slots() {
        let things = [
            thing("far", 3.0, true),
            thing("chair", 1.0, false),
            thing("near", 0.5, true),
            thing("middle", -1.0, true),
        ];
        let slots = slots(&things, [0.0, 0.0, 0.0]);
        assert_eq!(slots[..6], [1.0, 0.5, 0.0, 0.1, 0.02, 1.0]);
        assert_eq!(slots[6..12], [1.0, -1.0, 0.0, 0.1, 0.02, 1.0]);
        assert_eq!(slots[12..18], [1.0, 1.0, 0.0, 0.1, 0.02, 0.0]);
        assert_eq!(slots[18..], [0.0; 6], "there is no second one");
    }

    #[test]
    fn the_order_in_which_things_are_told_makes_no_difference() {
        let mut things = vec![thing("b", 1.0, true), thing("a", 1.0, true), thing("c", 1.0, true)];
        let before = slots(&things, [0.0; 3]);
        things.reverse();
        assert_eq!(slots(&things, [0.0; 3]), before);
    }
}
