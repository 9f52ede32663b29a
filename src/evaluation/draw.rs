//! What an episode is made of: drawn from its seed, the same under every condition; the conditions' own trouble is
//! drawn from the seed and the condition's name.

use reflex::backend::mujoco::Push;
use reflex::draw::Draw;

use super::task::{Distractors, Object, Range, Stratum, Task, Tasks};
use crate::observation::Params;

/// Places that are tried for a distractor before an episode is given up as too full.
const TRIES: usize = 10_000;

/// One thing on the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub name: String,
    pub position_m: [f64; 3],
    pub yaw_rad: f64,
}

/// An episode, drawn.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// What is acted on.
    pub object: String,
    /// Everything that lies on the table, the object first.
    pub things: Vec<Placed>,
    /// Where the joints start, from the keyframe, as shares of the spread.
    pub start: Vec<f64>,
    /// What the decision tells.
    pub params: Params,
    pub friction: f64,
    pub mass: f64,
    pub push: Option<(String, Push)>,
    /// Seeds the noise.
    pub noise_seed: u64,
}

impl Layout {
    /// # Errors
    /// Distractors that find no place, in words.
    pub(super) fn draw(
        tasks: &Tasks,
        task: &Task,
        stratum: &Stratum,
        seed: u64,
        joints: usize,
    ) -> Result<Self, String> {
        // A seed's neighbours are seeds, too: mixed first, or their draws would be each other's.
        let mut draw = Draw::new(Draw::new(seed).bits());
        let name = &task.objects[pick(&mut draw, task.objects.len())];
        let object = &tasks.objects[name];
        let [mut x, mut y] = [draw.within(task.x_m), draw.within(task.y_m)];
        if let Some(off) = task.off {
            let (far, angle) = (draw.within(off.distance_m), draw.within(off.angle_rad));
            (x, y) = (x + far * angle.cos(), y + far * angle.sin());
        }
        let params = Params {
            target_x: x,
            target_y: y,
            target_z: task.z_m.map_or(object.rest_m, |range| draw.within(range)),
            radius: task.radius_m.map_or(object.radius_m, |range| draw.within(range)),
            speed_hint: draw.within(task.speed_hint),
            object_is_berry: object.is_berry,
        };
        let start = (0..joints).map(|_| draw.within([-1.0, 1.0])).collect();
        let mut things = vec![place(&mut draw, name, object, [x, y])];
        if let Some(distractors) = &task.distractors {
            scatter(&mut draw, tasks, task, distractors, &mut things, seed)?;
        }
        for (other, object) in &tasks.objects {
            if let Some(parked_m) = object.parked_m
                && things.iter().all(|thing| thing.name != *other)
            {
                things.push(place(&mut draw, other, object, parked_m));
            }
        }
        let layout = Self {
            object: name.clone(),
            things,
            start,
            params,
            friction: 1.0,
            mass: 1.0,
            push: None,
            noise_seed: 0,
        };
        Ok(layout.troubled(stratum, seed))
    }

    fn troubled(mut self, stratum: &Stratum, seed: u64) -> Self {
        // FNV-1a: strata differ by their names.
        let salt = stratum.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut draw = Draw::new(Draw::new(seed ^ salt).bits());
        self.noise_seed = draw.bits();
        self.friction = factor(&mut draw, stratum.friction);
        self.mass = factor(&mut draw, stratum.mass);
        let off = [-stratum.target_m, stratum.target_m];
        self.params.target_x += draw.within(off);
        self.params.target_y += draw.within(off);
        self.push = stratum.push.as_ref().map(|push| {
            let (sin, cos) = draw.within([0.0, std::f64::consts::TAU]).sin_cos();
            let force_n = [push.force_n * cos, push.force_n * sin, 0.0];
            let from_s = draw.within(push.from_s);
            (push.body.clone(), Push { force_n, from_s, duration_s: push.duration_s })
        });
        self
    }
}

fn pick(draw: &mut Draw, count: usize) -> usize {
    (draw.bits() % count as u64) as usize
}

/// Half as likely below 1 as above, for a range of a half to two.
fn factor(draw: &mut Draw, range: Option<Range>) -> f64 {
    let share = draw.unit();
    range.map_or(1.0, |[low, high]| (low.ln() + share * (high.ln() - low.ln())).exp())
}

fn place(draw: &mut Draw, name: &str, object: &Object, [x, y]: [f64; 2]) -> Placed {
    let yaw_rad = draw.within([0.0, std::f64::consts::TAU]);
    Placed { name: name.to_owned(), position_m: [x, y, object.rest_m], yaw_rad }
}

fn scatter(
    draw: &mut Draw,
    tasks: &Tasks,
    task: &Task,
    distractors: &Distractors,
    things: &mut Vec<Placed>,
    seed: u64,
) -> Result<(), String> {
    let mut names: Vec<&String> = distractors.names.iter().collect();
    let [low, high] = distractors.count;
    let count = low + pick(draw, high - low + 1);
    let wider = |[low, high]: Range| [low - distractors.margin_m, high + distractors.margin_m];
    for _ in 0..count {
        let name = names.swap_remove(pick(draw, names.len()));
        let free = (0..TRIES).find_map(|_| {
            let at = [draw.within(wider(task.x_m)), draw.within(wider(task.y_m))];
            let is_free = things.iter().enumerate().all(|(k, thing)| {
                let far = (thing.position_m[0] - at[0]).hypot(thing.position_m[1] - at[1]);
                far >= if k == 0 { distractors.from_object_m } else { distractors.apart_m }
            });
            is_free.then_some(at)
        });
        let at = free.ok_or_else(|| format!("seed {seed}: no room for {name:?} on the table"))?;
        things.push(place(draw, name, &tasks.objects[name], at));
    }
    Ok(())
}
