//! An episode, tick by tick, with its pictures.

use motion::{Source, Tick};
use reflex::backend::mujoco::{Camera, Renderer, Spectator};
use serde::{Deserialize, Serialize};

use super::{Plan, RolloutError};
use crate::{
    action::Body,
    evaluation::{Evaluation, Glance},
    observation::Params,
    picture::{Frame, jpeg},
};

/// Pictures of an episode that its statistics are of: as many say the same as all of them.
const STATS_PICTURES: usize = 64;

/// An episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Which one.
    pub index: u64,
    /// The seed that repeats it.
    pub seed: u64,
    /// What was said.
    pub instruction: String,
    /// What was decided: [`Params::NAMES`].
    pub params: [f64; 6],
    /// What was acted on.
    pub object: String,
    /// All free things of the world.
    pub objects: Vec<String>,
    /// Whether it succeeded.
    pub success: bool,
    /// Why it failed or ended early, if it did.
    pub trouble: Option<String>,
    /// Its ticks.
    pub samples: Vec<Sample>,
    /// What its pictures look like.
    pub image_stats: ImageStats,
}

/// A tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// By the loop's clock, since the first tick of the episode, ns.
    pub at_ns: u64,
    /// Measured positions, rad or m.
    pub position: Vec<f64>,
    /// Measured velocities, per second.
    pub velocity: Vec<f64>,
    /// The set-points that were due.
    pub requested: Vec<f64>,
    /// The set-points that were commanded, after the safety filter.
    pub applied: Vec<f64>,
    /// Where each arm's tool is, by the measured joints, m in the base frame.
    pub tools_m: Vec<[f64; 3]>,
    /// Where each free thing really is: position (m) and quaternion (w first).
    pub objects: Vec<[f64; 7]>,
    /// No chunk was there to follow: none had come yet, or the last one was used up.
    pub starved: bool,
    /// The safety filter changed a set-point.
    pub limited: bool,
    /// Bytes of its picture.
    pub image_bytes: u32,
}

/// How often each value, 0 to 255, was seen in each channel of some pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageStats {
    /// How many pictures.
    pub pictures: u64,
    /// Red, green, blue.
    pub histograms: [Vec<u64>; 3],
}

impl Default for ImageStats {
    fn default() -> Self {
        Self { pictures: 0, histograms: [(); 3].map(|()| vec![0; 256]) }
    }
}

impl ImageStats {
    fn add(&mut self, rgb: &[u8]) {
        self.pictures += 1;
        for (channel, histogram) in self.histograms.iter_mut().enumerate() {
            for value in rgb.iter().skip(channel).step_by(3) {
                histogram[usize::from(*value)] += 1;
            }
        }
    }
}

/// Plays an episode and records it; `index` counts from the plan's first seed.
///
/// # Errors
/// An episode that cannot be played, or a camera that the scene lacks.
pub fn record(
    row: &Evaluation<'_>,
    body: &Body,
    plan: &Plan,
    index: u64,
) -> Result<(Trace, Vec<Vec<u8>>), RolloutError> {
    let seed = plan.seed.wrapping_add(index);
    let no = |words: String| RolloutError::Episode { seed, words };
    let told = row.params(seed).map_err(no)?;
    let instruction = &plan.instructions[(index % plan.instructions.len() as u64) as usize];
    let mut trace = Trace {
        index,
        seed,
        instruction: instruction.clone(),
        params: numbers(&told),
        object: String::new(),
        objects: Vec::new(),
        success: false,
        trouble: None,
        samples: Vec::new(),
        image_stats: ImageStats::default(),
    };
    let row = Evaluation { instruction: Some(instruction), ..row.clone() };
    let (mut images, mut trouble, mut camera) = (Vec::new(), None, None);
    let mut eye = Eye { plan, camera: &mut camera };
    let episode = row
        .watched(seed, &mut |glance: Glance<'_>| {
            if trouble.is_some() {
                return;
            }
            match eye.see(glance.world) {
                Ok((rgb, image)) => {
                    let mut sample = sample(body, glance.tick, glance.world);
                    sample.image_bytes = image.len() as u32;
                    if trace.samples.is_empty() {
                        let names = glance.world.objects().map(|(name, _)| name.to_owned());
                        trace.objects = names.collect();
                    }
                    trace.samples.push(sample);
                    let every = 1 + trace.samples.len() / STATS_PICTURES;
                    if trace.samples.len().is_multiple_of(every) {
                        trace.image_stats.add(&rgb);
                    }
                    images.push(image);
                }
                Err(words) => trouble = Some(words),
            }
        })
        .map_err(no)?;
    if let Some(words) = trouble {
        return Err(no(words));
    }
    let Some(first_ns) = trace.samples.first().map(|sample| sample.at_ns) else {
        return Err(no("it has no tick".into()));
    };
    for sample in &mut trace.samples {
        sample.at_ns -= first_ns;
    }
    trace.object = episode.object;
    trace.success = episode.success;
    trace.trouble = episode.trouble;
    Ok((trace, images))
}

/// Who looks through the camera.
struct Eye<'a> {
    plan: &'a Plan,
    camera: &'a mut Option<Camera>,
}

impl Eye<'_> {
    /// The world now: its pixels, and the same as JPEG.
    fn see(&mut self, world: &mut Spectator) -> Result<(Vec<u8>, Vec<u8>), String> {
        let [width, height] = self.plan.picture_px;
        let camera = match self.camera {
            Some(camera) => camera,
            None => {
                let made = world.camera(&self.plan.camera, (width, height), Renderer::Rays);
                self.camera.insert(made.map_err(|error| error.to_string())?)
            }
        };
        let image = world.picture(camera).map_err(|error| error.to_string())?;
        let frame = Frame { width: image.width, height: image.height, rgb: image.rgb };
        let jpeg = jpeg(&frame, self.plan.jpeg_quality).map_err(|error| error.to_string())?;
        Ok((frame.rgb, jpeg))
    }
}

fn sample(body: &Body, tick: &Tick, world: &Spectator) -> Sample {
    let measured = &tick.state.position;
    let tools = body.arms.iter().map(|arm| arm.x_base_tool(measured).translation.vector.into());
    Sample {
        at_ns: tick.at.0,
        position: measured.to_vec(),
        velocity: tick.state.velocity.to_vec(),
        requested: tick.requested.to_vec(),
        applied: tick.applied.to_vec(),
        tools_m: tools.collect(),
        objects: world.poses().map(|(_, pose)| pose).collect(),
        starved: !matches!(tick.source, Source::Chunk { .. }),
        limited: tick.limited_by.iter().any(|limits| limits.0 != 0),
        image_bytes: 0,
    }
}

fn numbers(params: &Params) -> [f64; 6] {
    let Params { target_x, target_y, target_z, radius, speed_hint, object_is_berry } = *params;
    [target_x, target_y, target_z, radius, speed_hint, f64::from(u8::from(object_is_berry))]
}
