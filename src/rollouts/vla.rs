//! Rows for vision-language-action models, as the Fire Boy project published them: a picture, what was said, the robot's
//! state and the next actions; and for a router the skill and the parameters that were decided.
//!
//! Keys and their order are the published ones; what is added stands behind them.

mod step;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Plan, RolloutError,
    files::{self, Draft},
    trace::Trace,
};
use crate::observation::Params;
use step::{State, Step};

/// The tasks that have flags, in their order, and the skills that carry them out.
const TASKS: [(&str, &str); 4] = [
    ("pick_up", "pick_up"),
    ("go_eat_berry", "find_and_eat_berry"),
    ("run_around", "run_around"),
    ("go_to_point", "walk_to"),
];
/// The skills that a router chooses from, in the order of their numbers.
const SKILLS: [&str; 4] = ["walk_to", "run_around", "pick_up", "find_and_eat_berry"];

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Pictures.
    pub images: u64,
    /// Rows with an action chunk.
    pub action_rows: u64,
    /// Rows with a skill and its parameters.
    pub skill_rows: u64,
}

/// Writes rows.
pub(super) struct Writer<'a> {
    plan: &'a Plan,
    folder: PathBuf,
    actions: Draft,
    skills: Draft,
    pictures: Vec<PathBuf>,
    written: Written,
}

impl<'a> Writer<'a> {
    pub(super) fn new(plan: &'a Plan, folder: PathBuf) -> Result<Self, RolloutError> {
        files::json(folder.join("meta.json"), &meta(plan))?;
        let actions = Draft::new(folder.join("action_chunks.jsonl"))?;
        let skills = Draft::new(folder.join("skill_params.jsonl"))?;
        Ok(Self {
            plan,
            folder,
            actions,
            skills,
            pictures: Vec::new(),
            written: Written::default(),
        })
    }

    pub(super) fn add(&mut self, trace: &Trace, images: &[Vec<u8>]) -> Result<(), RolloutError> {
        let plan = self.plan;
        let steps: Vec<Step> =
            (0..trace.samples.len()).map(|at| Step::of(plan, trace, at)).collect();
        let episode_file = format!("episodes/{:06}.jsonl", trace.index);
        let mut episode = Draft::new(self.folder.join(&episode_file))?;
        let pictures = self.folder.join(format!("images/{:06}", trace.index));
        fs::create_dir_all(&pictures).map_err(files::unwritable(&pictures))?;
        for (step, image) in steps.iter().zip(images) {
            let picture = self.folder.join(&step.image);
            files::quick(&picture, image)?;
            self.pictures.push(picture);
            episode.line(&EpisodeRow::of(trace, step, task(&plan.skill)))?;
        }
        episode.finish()?;
        self.written.images += images.len() as u64;
        let folder = std::path::absolute(&self.folder).map_err(files::unwritable(&self.folder))?;
        let of = Of { plan, trace, folder: &folder, episode_file: &episode_file };
        for at in (0..steps.len()).step_by(plan.stride) {
            // The last action stands for those after the end.
            let chunk = (at..at + plan.chunk_steps).map(|step| step.min(steps.len() - 1));
            let chunk = chunk.map(|step| steps[step].action.as_slice()).collect();
            self.actions.line(&of.action_row(&steps[at], chunk))?;
            self.skills.line(&of.skill_row(&steps[at]))?;
            self.written.action_rows += 1;
            self.written.skill_rows += 1;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Written, RolloutError> {
        for picture in &self.pictures {
            files::settle(picture)?;
        }
        self.actions.finish()?;
        self.skills.finish()?;
        let summary = json!({
            "rows_written": self.written.skill_rows,
            "skill_names": SKILLS,
            "param_names": Params::NAMES,
            "skills": { self.plan.skill.as_str(): self.written.skill_rows },
            "action_type": "skill_parameters_v1",
        });
        files::json(self.folder.join("skill_params.summary.json"), &summary)?;
        Ok(self.written)
    }
}

fn meta(plan: &Plan) -> Value {
    let tools = plan.arms.iter().map(|arm| tool_key(arm));
    let keys = ["qpos", "qvel", "ctrl", "previous_action"].map(str::to_owned).into_iter();
    let keys: Vec<String> =
        keys.chain(tools).chain(["ball_pos", "task_flags"].map(str::to_owned)).collect();
    json!({
        "task": task(&plan.skill),
        "simulator": "mujoco",
        "action_type": "normalized_joint_targets",
        "camera_keys": [plan.camera],
        "state_keys": keys,
        "language_templates": plan.instructions,
        "image_stride": 1,
        "robot": plan.robot,
        "skill": plan.skill,
        "joints": plan.joints,
        "joint_ranges": plan.joint_ranges,
        "period_s": plan.period_s,
    })
}

/// A skill's task, by its published name.
fn task(skill: &str) -> &str {
    TASKS.iter().find(|(_, of)| *of == skill).map_or(skill, |(task, _)| task)
}

/// `right` is `right_hand_pos`, `mouth` is `mouth_pos`.
fn tool_key(arm: &str) -> String {
    match arm {
        "right" | "left" => format!("{arm}_hand_pos"),
        _ => format!("{arm}_pos"),
    }
}

/// A tick, in its episode's own file.
#[derive(Serialize)]
struct EpisodeRow<'a> {
    episode_id: u64,
    step: usize,
    task: &'a str,
    stage: Option<&'a str>,
    instruction: &'a str,
    #[serde(flatten)]
    state: &'a State,
    action: &'a [f64],
    success: bool,
    grasped: bool,
    eaten: bool,
    image_path: &'a str,
    time_s: f64,
    starved: bool,
}

impl<'a> EpisodeRow<'a> {
    fn of(trace: &'a Trace, step: &'a Step, task: &'a str) -> Self {
        Self {
            episode_id: trace.index,
            step: step.at,
            task,
            stage: None,
            instruction: &trace.instruction,
            state: &step.state,
            action: &step.action,
            success: step.success,
            grasped: step.grasped,
            eaten: step.eaten,
            image_path: &step.image,
            time_s: step.time_s,
            starved: step.starved,
        }
    }
}

/// A picture, what was said and the robot's state; and what it did next.
#[derive(Serialize)]
struct ActionRow<'a> {
    dataset_dir: &'a Path,
    episode_file: &'a str,
    episode_id: u64,
    step: usize,
    task: &'a str,
    stage: Option<&'a str>,
    instruction: &'a str,
    image_path: PathBuf,
    robot_state: &'a State,
    action_type: &'static str,
    action_chunk_steps: usize,
    action_chunk: Vec<&'a [f64]>,
    success_so_far: bool,
    grasped: bool,
    eaten: bool,
    image: &'a str,
    time_s: f64,
    starved: bool,
}

/// The same; and what was decided.
#[derive(Serialize)]
struct SkillRow<'a> {
    source_action_type: &'static str,
    source_episode_file: &'a str,
    episode_id: u64,
    step: usize,
    task: &'a str,
    stage: Option<&'a str>,
    instruction: &'a str,
    image_path: PathBuf,
    robot_state: &'a State,
    action_type: &'static str,
    skill: &'a str,
    skill_id: Option<usize>,
    skill_names: [&'static str; 4],
    param_names: [&'static str; 6],
    target_params: [f64; 6],
    target: Value,
    dispatch: String,
    success_so_far: bool,
    grasped: bool,
    eaten: bool,
    image: &'a str,
    time_s: f64,
}

/// What the rows of an episode share.
struct Of<'a> {
    plan: &'a Plan,
    trace: &'a Trace,
    folder: &'a Path,
    episode_file: &'a str,
}

impl<'a> Of<'a> {
    fn action_row(&self, step: &'a Step, chunk: Vec<&'a [f64]>) -> ActionRow<'a> {
        ActionRow {
            dataset_dir: self.folder,
            episode_file: self.episode_file,
            episode_id: self.trace.index,
            step: step.at,
            task: task(&self.plan.skill),
            stage: None,
            instruction: &self.trace.instruction,
            image_path: self.folder.join(&step.image),
            robot_state: &step.state,
            action_type: "normalized_joint_targets",
            action_chunk_steps: chunk.len(),
            action_chunk: chunk,
            success_so_far: step.success,
            grasped: step.grasped,
            eaten: step.eaten,
            image: &step.image,
            time_s: step.time_s,
            starved: step.starved,
        }
    }

    fn skill_row(&self, step: &'a Step) -> SkillRow<'a> {
        let skill = self.plan.skill.as_str();
        let [x, y, z, radius, speed_hint, is_berry] = self.trace.params;
        SkillRow {
            source_action_type: "normalized_joint_targets",
            source_episode_file: self.episode_file,
            episode_id: self.trace.index,
            step: step.at,
            task: task(skill),
            stage: None,
            instruction: &self.trace.instruction,
            image_path: self.folder.join(&step.image),
            robot_state: &step.state,
            action_type: "skill_parameters_v1",
            skill,
            skill_id: SKILLS.iter().position(|name| *name == skill),
            skill_names: SKILLS,
            param_names: Params::NAMES,
            target_params: self.trace.params,
            target: json!({
                "target_xy": [x, y],
                "target_z": z,
                "radius": radius,
                "speed_hint": speed_hint,
                "object_is_berry": is_berry > 0.5,
            }),
            dispatch: format!("registry:{skill}"),
            success_so_far: step.success,
            grasped: step.grasped,
            eaten: step.eaten,
            image: &step.image,
            time_s: step.time_s,
        }
    }
}
