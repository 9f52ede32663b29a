//! What the user has to say, since no policy's files do: on the command line, or in a small file.

use std::{collections::BTreeMap, path::Path, str::FromStr};

use serde::Deserialize;

use super::ImportError;
use crate::head::At;

/// Everything that may be told. A flag counts more than the file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Told {
    /// The head's name; the name of the file that is written, if left out.
    pub name: Option<String>,
    /// The robot that it is for, where the configuration's is another one.
    pub robot: Option<String>,
    /// The skill that it carries out.
    pub skill: Option<String>,
    /// The time from one action to the next that the policy was trained for, ms.
    pub period_ms: Option<f64>,
    /// In which loop it may run; absent: in one of that period.
    pub at: Option<At>,
    /// The robot's joints, in the order of the policy's actions.
    pub joints: Option<Vec<String>>,
    /// In what the policy counts the angles of joints.
    pub units: Option<Units>,
    /// What one of the policy's units is in rad or m, where it is not as `units` says: `gripper=0.0007`.
    pub scale: Vec<Factor>,
    /// What stands in the input tensors.
    pub inputs: Vec<InputTold>,
    /// What a number of the output means.
    pub action: Option<Action>,
    /// Which columns are displacements from the observed state, as openpi writes it: `6,-1` is six that are, one that is
    /// not.
    pub delta: Option<Vec<i64>>,
    /// How much of the previous action a target keeps, 0 to less than 1; absent: nothing.
    pub smoothing: Option<f64>,
    /// The ranges that -1 and +1 are the ends of, rad or m; absent: those of the robot's file.
    pub ranges: BTreeMap<String, [f64; 2]>,
    /// How the policy's file calls its state, where it says so: for another one these words are not.
    pub state_mode: Option<String>,
    /// Which of the tasks it was trained for.
    pub task: Option<String>,
    /// What differs from task to task.
    pub tasks: BTreeMap<String, TaskTold>,
    /// The manifest's table of that name.
    pub object: Option<toml::Table>,
    /// The manifest's list of that name.
    pub stages: Vec<toml::Table>,
    /// Steps of a chunk, of a tensor that has them all in one row.
    pub chunk_steps: Option<u32>,
    /// Steps that are executed before the next chunk is wanted.
    pub execute_steps: Option<u32>,
    /// Ticks ahead of need at which a chunk is asked for; absent: the loop waits for it.
    pub prefetch_ticks: Option<u32>,
    /// How long it may take, ms.
    pub deadline_ms: Option<f64>,
    /// The bound on normalised inputs, in standard deviations; absent: none.
    pub clip: Option<f64>,
    /// The smallest standard deviation that an input is divided by; absent: any above 0.
    pub std_floor: Option<f64>,
    /// How far golden actions may be away, rad or m.
    pub tolerance: Option<f64>,
    /// The data that it learnt from.
    pub dataset: Option<String>,
    /// The command that trained it.
    pub command: Option<String>,
    /// Under which terms it may be used.
    pub licence: Option<String>,
}

/// What a layout says of one of its tasks.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskTold {
    /// The skill that is.
    pub skill: Option<String>,
    /// Its time from one action to the next, ms.
    pub period_ms: Option<f64>,
    /// The numbers of features whose `values` are `"task"`.
    pub values: Vec<f64>,
    /// Its stages.
    pub stages: Vec<toml::Table>,
    /// What people should know.
    pub note: Option<String>,
}

/// In what a policy counts angles. Lengths are in m.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Units {
    /// Radians.
    Rad,
    /// Degrees.
    Deg,
}

/// What the numbers of an output mean, once un-normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Joint targets, in the policy's units.
    #[default]
    Absolute,
    /// Places in the joints' ranges, as the robot's file has them: -1 is the lowest, +1 the highest.
    Range,
}

/// What one of the policy's units is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Factor {
    /// Of which joint or parameter.
    pub item: String,
    /// In rad or m.
    pub si: f64,
}

impl FromStr for Factor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let of = || {
            format!(
                "\"{text}\" is not like gripper=0.0007: a name, and what one unit is in rad or m"
            )
        };
        let (item, si) = text.split_once('=').ok_or_else(of)?;
        let si: f64 = si.trim().parse().map_err(|_| of())?;
        let is_scale = si.is_finite() && si > 0.0;
        if is_scale { Ok(Self { item: item.trim().to_owned(), si }) } else { Err(of()) }
    }
}

impl TryFrom<String> for Factor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What stands in one input tensor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputTold {
    /// Which tensor; may be left out where there is only one.
    pub tensor: Option<String>,
    /// Its features.
    pub features: FeaturesTold,
    /// Taken away from each number, in the policy's units, where no file says it.
    pub mean: Option<Vec<f64>>,
    /// What each is divided by.
    pub std: Option<Vec<f64>>,
}

/// Features, in few words or as a manifest has them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum FeaturesTold {
    /// Joined by `+`: `joint_position + decision:target_x,target_y`. Those of joints have all of `joints` unless they name
    /// their own.
    Words(String),
    /// Tables as in a manifest, without `mean`, `std` and `clip`. Those of joints have all of `joints` unless they name their
    /// own; with `ranged = true` they have the ranges of the joints as `min` and `max`.
    Tables(Vec<toml::Table>),
}

impl Default for FeaturesTold {
    fn default() -> Self {
        Self::Words(String::new())
    }
}

impl FromStr for InputTold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tensor, features) = match text.split_once('=') {
            Some((tensor, features)) => (Some(tensor.trim().to_owned()), features),
            None => (None, text),
        };
        let features = FeaturesTold::Words(features.trim().to_owned());
        Ok(Self { tensor, features, ..Self::default() })
    }
}

/// One feature, as it is told: its name, and its items if they are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FeatureTold {
    pub(super) name: String,
    pub(super) items: Option<Vec<String>>,
}

impl FeatureTold {
    /// Out of few words, one by one.
    pub(super) fn all(words: &str) -> Vec<Self> {
        let parts = words.split('+').map(str::trim).filter(|part| !part.is_empty());
        let items = |list: &str| list.split(',').map(|item| item.trim().to_owned()).collect();
        parts
            .map(|part| match part.split_once(':') {
                Some((name, list)) => {
                    Self { name: name.trim().to_owned(), items: Some(items(list)) }
                }
                None => Self { name: part.to_owned(), items: None },
            })
            .collect()
    }
}

impl Told {
    /// With what is told of its task.
    ///
    /// # Errors
    /// A task that is not told of, or none where there are some.
    pub(super) fn of_its_task(mut self) -> Result<Self, ImportError> {
        let known: Vec<&str> = self.tasks.keys().map(String::as_str).collect();
        let told = match &self.task {
            None if known.is_empty() => return Ok(self),
            None => {
                let why = "the layout is for several, and no policy's file says which it is";
                let flag = format!("--task NAME, of {known:?}");
                return Err(ImportError::untold("the task", why, flag));
            }
            Some(task) => self.tasks.get(task).cloned().ok_or_else(|| {
                let remedy = format!("the layout has the tasks {known:?}");
                ImportError::told("--task", task, remedy)
            })?,
        };
        let values: toml::Value = told.values.clone().into();
        let of_task = toml::Value::String("task".to_owned());
        for input in &mut self.inputs {
            let FeaturesTold::Tables(tables) = &mut input.features else { continue };
            for table in tables {
                let of = table.get_mut("values").filter(|found| **found == of_task);
                of.into_iter().for_each(|found| found.clone_from(&values));
            }
        }
        self.skill = self.skill.or(told.skill);
        self.period_ms = self.period_ms.or(told.period_ms);
        if self.stages.is_empty() {
            self.stages = told.stages;
        }
        Ok(self)
    }

    /// What people should know of its task.
    pub(super) fn task_note(&self) -> Option<String> {
        self.tasks.get(self.task.as_deref()?)?.note.clone()
    }

    /// What is told of an input tensor. `one`: whether it is the only one, which needs no name.
    pub(super) fn input(&self, tensor: &str, one: bool) -> Option<&InputTold> {
        self.inputs.iter().find(|input| match &input.tensor {
            Some(named) => named == tensor,
            None => one,
        })
    }

    /// Reads the small file.
    ///
    /// # Errors
    /// If it cannot be read, or is not such a file.
    pub fn read(file: &Path) -> Result<Self, ImportError> {
        let text = std::fs::read_to_string(file).map_err(|source| ImportError::File {
            file: file.to_path_buf(),
            source,
            remedy: "name the file that you made of what --template prints".to_owned(),
        })?;
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text[..at.min(text.len())].matches('\n').count() + 1;
            let remedy = format!("{}; --template prints a whole one", error.message());
            ImportError::bad(file, format!("line {line}"), text.lines().nth(line - 1), remedy)
        })
    }

    /// What is told here, and the rest from there.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        Self {
            name: self.name.or(file.name),
            robot: self.robot.or(file.robot),
            skill: self.skill.or(file.skill),
            period_ms: self.period_ms.or(file.period_ms),
            at: self.at.or(file.at),
            smoothing: self.smoothing.or(file.smoothing),
            ranges: if self.ranges.is_empty() { file.ranges } else { self.ranges },
            state_mode: self.state_mode.or(file.state_mode),
            task: self.task.or(file.task),
            tasks: if self.tasks.is_empty() { file.tasks } else { self.tasks },
            object: self.object.or(file.object),
            stages: if self.stages.is_empty() { file.stages } else { self.stages },
            joints: self.joints.or(file.joints),
            units: self.units.or(file.units),
            scale: if self.scale.is_empty() { file.scale } else { self.scale },
            inputs: if self.inputs.is_empty() { file.inputs } else { self.inputs },
            action: self.action.or(file.action),
            delta: self.delta.or(file.delta),
            chunk_steps: self.chunk_steps.or(file.chunk_steps),
            execute_steps: self.execute_steps.or(file.execute_steps),
            prefetch_ticks: self.prefetch_ticks.or(file.prefetch_ticks),
            deadline_ms: self.deadline_ms.or(file.deadline_ms),
            clip: self.clip.or(file.clip),
            std_floor: self.std_floor.or(file.std_floor),
            tolerance: self.tolerance.or(file.tolerance),
            dataset: self.dataset.or(file.dataset),
            command: self.command.or(file.command),
            licence: self.licence.or(file.licence),
        }
    }
}
