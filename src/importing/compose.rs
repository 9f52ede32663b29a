//! From what a policy's files say and what the user says to a manifest: which number is what, in rad and m.

use std::f64::consts::PI;

use motion::MAX_STEPS;

use super::{
    ImportError, Told,
    material::{Answered, Examples, Material, Seen, Statistics},
    text::{self, Manifest},
    told::{Action, Units},
};
use crate::config::{JointSettings, RobotSettings};

mod inputs;

use inputs::Number;

/// Seed of made-up observations: the same import twice is the same head.
const SEED: u64 = 1;
/// How many there are.
const EXAMPLES: usize = 4;
/// Tolerance of golden actions, rad or m: engines differ by a hundredth of it, and no joint tells it.
const TOLERANCE: f64 = 1e-4;
/// A number that hardly moved in the data: whatever moves it more is far away from all that the network has seen.
const STD_SUSPICIOUS: f64 = 1e-4;

/// A head that is not yet proved.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) manifest: Manifest,
    pub(super) network: Vec<u8>,
    pub(super) goldens: Goldens,
    pub(super) tolerance: f64,
    pub(super) notes: Vec<String>,
}

/// What is to prove it, in rad and m.
#[derive(Debug)]
pub(super) enum Goldens {
    /// Answers of somebody else.
    Given { by: String, goldens: Vec<(Vec<f64>, Vec<Vec<f64>>)> },
    /// The engine is to answer these.
    Asked(Vec<Vec<f64>>),
}

/// What is known while a head is composed.
struct Composer<'a> {
    told: &'a Told,
    robot: &'a RobotSettings,
    joints: Vec<String>,
    arm: Option<String>,
    notes: Vec<String>,
}

/// Composes a head. `name` is the name of the file that it will be in.
pub(super) fn compose(
    material: Material,
    told: &Told,
    robot: &RobotSettings,
    name: &str,
) -> Result<Draft, ImportError> {
    let skill = told.skill.clone().ok_or_else(|| {
        ImportError::untold(
            "the skill",
            "policies have none",
            "--skill NAME, as in --skill pick_up",
        )
    })?;
    let period_ms = told.period_ms.ok_or_else(|| {
        let why = "no policy's files say at which rate it was trained, and at another one it is another policy";
        ImportError::untold("the control period", why, "--period-ms MS, as in --period-ms 33.333")
    })?;
    let joints = told.joints.clone().or_else(|| material.joints.clone()).ok_or_else(|| {
        let names: Vec<&str> = robot.joints.iter().map(JointSettings::name).collect();
        let why = "no policy's files say which joint each column of its action is";
        let flag = format!("--joints A,B,... in the policy's order, of {names:?}");
        ImportError::untold("the order of the joints", why, flag)
    })?;
    let arm = robot.arms.first().map(|arm| arm.name.clone());
    let mut notes = material.notes;
    notes.extend(told.task_note());
    let mut composer = Composer { told, robot, joints, arm, notes };
    composer.every_joint_is_the_robots()?;
    composer.every_input_is_there(&material.inputs)?;

    let one = material.inputs.len() == 1;
    let mut inputs = Vec::new();
    let mut numbers = Vec::new();
    for seen in &material.inputs {
        let (text, of_it) = composer.input(seen, one)?;
        inputs.push(text);
        numbers.extend(of_it);
    }
    let output = composer.output(&material.output)?;
    let execute_steps = composer.execute_steps(material.execute_steps, output.steps);
    let goldens = composer.goldens(material.examples, &numbers, &output)?;
    let manifest = Manifest {
        what: material.what,
        name: told.name.clone().unwrap_or_else(|| name.to_owned()),
        robot: robot.name.clone(),
        skill,
        timing: text::timing(told, period_ms, output.steps, execute_steps),
        seam: text::seam(output.steps),
        belief: text::belief(told),
        inputs,
        output: output.text,
        provenance: text::provenance(told),
    };
    let tolerance = told.tolerance.unwrap_or(TOLERANCE);
    Ok(Draft { manifest, network: material.network, goldens, tolerance, notes: composer.notes })
}

/// An output, compiled.
struct Output {
    text: String,
    steps: u32,
    /// Each column's value in rad or m: of the policy's number, `number * factor + offset`.
    columns: Vec<(f64, f64)>,
}

impl Composer<'_> {
    fn joint(&self, name: &str) -> Option<&JointSettings> {
        self.robot.joints.iter().find(|joint| joint.name() == name)
    }

    fn every_joint_is_the_robots(&self) -> Result<(), ImportError> {
        let names: Vec<&str> = self.robot.joints.iter().map(JointSettings::name).collect();
        for (at, joint) in self.joints.iter().enumerate() {
            if self.joint(joint).is_none() {
                let remedy = format!("the robot \"{}\" has the joints {names:?}", self.robot.name);
                return Err(ImportError::told("--joints", joint, remedy));
            }
            if self.joints[..at].contains(joint) {
                return Err(ImportError::told("--joints", joint, "name each joint only once"));
            }
        }
        let undriven: Vec<_> =
            names.iter().filter(|name| !self.joints.iter().any(|joint| joint == *name)).collect();
        if undriven.is_empty() {
            return Ok(());
        }
        let remedy = format!(
            "nothing drives {undriven:?}: a head has to drive every joint of the robot \"{}\"",
            self.robot.name
        );
        Err(ImportError::told("--joints", &self.joints, remedy))
    }

    /// Every tensor that is told of exists; the others may have a meaning of their own.
    fn every_input_is_there(&self, inputs: &[Seen]) -> Result<(), ImportError> {
        let names: Vec<_> = inputs.iter().map(|seen| seen.tensor.as_str()).collect();
        for input in &self.told.inputs {
            let is_there = match &input.tensor {
                Some(tensor) => names.contains(&tensor.as_str()),
                None => names.len() == 1,
            };
            if !is_there {
                let remedy = format!("write TENSOR=FEATURES; the network has the inputs {names:?}");
                let found = input.tensor.clone().unwrap_or_else(|| format!("{:?}", input.features));
                return Err(ImportError::told("--input", found, remedy));
            }
        }
        Ok(())
    }

    /// What one of the policy's units is in rad or m.
    fn factor(&self, item: &str) -> Result<f64, ImportError> {
        if let Some(factor) = self.told.scale.iter().find(|factor| factor.item == item) {
            return Ok(factor.si);
        }
        let Some(joint) = self.joint(item) else { return Ok(1.0) };
        match (joint, self.told.units) {
            (_, Some(Units::Rad)) => Ok(1.0),
            (JointSettings::Revolute(_), Some(Units::Deg)) => Ok(PI / 180.0),
            (JointSettings::Prismatic(_), Some(Units::Deg)) => {
                let why = format!("joint `{item}` slides, and degrees say nothing of it");
                let flag = format!("--scale {item}=M: what one of the policy's units is in m");
                Err(ImportError::untold("the unit of a joint", why, flag))
            }
            (_, None) => {
                let why = "no policy's files say whether its angles are in degrees or radians";
                Err(ImportError::untold(
                    "the unit of the joints",
                    why,
                    "--units deg or --units rad",
                ))
            }
        }
    }

    fn output(&mut self, answered: &Answered) -> Result<Output, ImportError> {
        let joints = self.joints.len();
        let (rows, width) = self.rows(answered)?;
        let steps = rows.min(MAX_STEPS);
        if rows > steps {
            self.notes.push(format!(
                "of the {rows} steps of a chunk the first {steps} count: a head has no more"
            ));
        }
        let factors: Vec<f64> =
            self.joints.iter().map(|joint| self.factor(joint)).collect::<Result<_, _>>()?;
        if let Some(statistics) = &answered.statistics {
            let [(name, list), _] = &statistics.lists;
            if list.len() != joints {
                let key = format!("length of {}.{name}", statistics.key);
                let remedy = format!("{joints} joints are told: {:?}", self.joints);
                return Err(ImportError::bad(&statistics.file, key, list.len(), remedy));
            }
            let moves = statistics.mean_and_std(0.0).map(drop);
            // A column that never moved is one that nothing was learnt for.
            moves?;
        }
        let action = self.told.action.unwrap_or_default();
        if let Some(smoothing) = self.told.smoothing.filter(|_| action == Action::Absolute) {
            let remedy = "it smooths places in ranges: tell --action range, or leave it out";
            return Err(ImportError::told("--smoothing", smoothing, remedy));
        }
        let (mut text, columns) = match action {
            Action::Absolute => self.targets(answered.statistics.as_ref(), &factors)?,
            Action::Range if self.told.delta.is_some() => {
                let remedy = "displacements are in units, and not places in a range: leave out --delta or --action";
                return Err(ImportError::told("--action", "range", remedy));
            }
            Action::Range => self.places(answered.statistics.as_ref())?,
        };
        if width > joints {
            text += &text::unused(width - joints);
            self.notes
                .push(format!("the last {} of {width} columns drive nothing", width - joints));
        }
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        let text = text::output(&answered.tensor, &answered.shape, steps, width, &text);
        Ok(Output { text, steps, columns })
    }

    /// How many rows a tensor has, and how many columns.
    fn rows(&self, answered: &Answered) -> Result<(usize, usize), ImportError> {
        let joints = self.joints.len();
        let all: usize = answered.shape.iter().product();
        let told = self.told.chunk_steps.map(|steps| steps as usize);
        let (rows, width) = match (told, &answered.shape[..]) {
            (Some(0), _) => (0, 0),
            (Some(steps), _) => (steps, all / steps),
            (None, [1, steps, width]) => (*steps, *width),
            (None, [steps, width]) if *steps > 1 => (*steps, *width),
            (None, _) if answered.is_padded && all >= joints => (1, all),
            (None, _) => (all / joints.max(1), joints),
        };
        let fits = width == joints || answered.is_padded && width > joints;
        if rows > 0 && rows * width == all && fits {
            return Ok((rows, width));
        }
        let found = format!("{} of shape {:?}", answered.tensor, answered.shape);
        let remedy = match told {
            Some(_) => format!("tensor {found} does not have so many steps of {joints} joints"),
            None => format!(
                "tensor {found} does not fit these {joints} joints: one column for each is wanted"
            ),
        };
        let (flag, value) = match told {
            Some(steps) => ("--chunk-steps", format!("{steps}")),
            None => ("--joints", format!("{:?}", self.joints)),
        };
        Err(ImportError::Told { flag, value, remedy })
    }

    /// Columns that are targets, or displacements.
    fn targets(
        &self,
        statistics: Option<&Statistics>,
        factors: &[f64],
    ) -> Result<(String, Vec<(f64, f64)>), ImportError> {
        let normalised = match statistics {
            Some(statistics) => Some(statistics.in_units(factors).table()),
            None if factors.iter().all(|factor| *factor == 1.0) => None,
            None => Some(text::range(factors)),
        };
        let mask = self.mask()?;
        let text = text::joints(&self.joints, mask.as_deref(), normalised.as_ref());
        Ok((text, factors.iter().map(|factor| (*factor, 0.0)).collect()))
    }

    /// Columns that are places in the joints' ranges.
    fn places(
        &mut self,
        statistics: Option<&Statistics>,
    ) -> Result<(String, Vec<(f64, f64)>), ImportError> {
        let ranges = self.joints.iter().map(|joint| self.range(joint));
        let ranges: Vec<(f64, f64)> = ranges.collect::<Result<_, _>>()?;
        let columns: Vec<_> =
            ranges.iter().map(|(low, high)| ((high - low) / 2.0, low.midpoint(*high))).collect();
        let numbers = match statistics {
            Some(statistics) => {
                statistics.scales()?.iter().map(|s| (s.decode(-1.0), s.decode(1.0))).collect()
            }
            None => vec![(-1.0, 1.0); columns.len()],
        };
        let ends = columns.iter().zip(&numbers);
        let (min, max): (Vec<f64>, Vec<f64>) = ends
            .map(|((factor, offset), (low, high))| (low * factor + offset, high * factor + offset))
            .unzip();
        if self.told.ranges.is_empty() {
            self.notes.push(format!(
                "actions are places in the ranges of robot \"{}\"'s file; another one's would be other motions",
                self.robot.name
            ));
        }
        let text = match self.told.smoothing {
            None => text::places(&self.joints, &min, &max),
            Some(smoothing) => text::smooth_places(&self.joints, (&min, &max), &ranges, smoothing),
        };
        Ok((text, columns))
    }

    /// Which columns are displacements: openpi's `make_bool_mask`.
    fn mask(&self) -> Result<Option<Vec<bool>>, ImportError> {
        let Some(runs) = &self.told.delta else { return Ok(None) };
        let mask: Vec<bool> = runs
            .iter()
            .flat_map(|run| std::iter::repeat_n(*run > 0, run.unsigned_abs().min(1000) as usize))
            .collect();
        if mask.len() == self.joints.len() {
            return Ok(Some(mask));
        }
        let remedy =
            format!("it has {} columns, but {} joints are told", mask.len(), self.joints.len());
        Err(ImportError::told("--delta", runs, remedy))
    }

    fn execute_steps(&mut self, told: Option<u32>, steps: u32) -> u32 {
        let wanted = self.told.execute_steps.or(told);
        match wanted {
            Some(wanted) if wanted > steps && self.told.execute_steps.is_none() => {
                self.notes.push(format!(
                    "the policy executes {wanted} steps of a chunk; here it is {steps}"
                ));
                steps
            }
            Some(wanted) => wanted,
            // Four fifths: the rest is there for a chunk that is late.
            None => (steps * 4 / 5).max(1),
        }
    }

    fn goldens(
        &mut self,
        examples: Examples,
        numbers: &[Number],
        output: &Output,
    ) -> Result<Goldens, ImportError> {
        let is_bounded = self.told.clip.is_some() || self.told.std_floor.is_some();
        match examples {
            Examples::Given { by, bounded, examples } if bounded || !is_bounded => {
                let each = examples.into_iter().map(|(raw, rows)| {
                    let raw = raw
                        .iter()
                        .zip(numbers)
                        .map(|(value, number)| value * number.factor + number.offset);
                    let rows = rows.iter().take(output.steps as usize).map(|row| {
                        let columns = row.iter().zip(&output.columns);
                        columns.map(|(value, (factor, offset))| value * factor + offset).collect()
                    });
                    (raw.collect(), rows.collect())
                });
                Ok(Goldens::Given { by, goldens: each.collect() })
            }
            // Whoever gave them knew of no bound.
            Examples::Given { by, .. } => {
                self.notes.push(format!(
                    "{by} knows nothing of --clip and --std-floor: the golden vectors are this engine's own"
                ));
                Ok(Goldens::Asked(drawn(numbers)))
            }
            Examples::None => Ok(Goldens::Asked(drawn(numbers))),
        }
    }
}

/// Observations near the mean of the data, and within the joints' ranges.
fn drawn(numbers: &[Number]) -> Vec<Vec<f64>> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut draw = |number: &Number| {
        let value = number.mean + number.std * (2.0 * random.f64() - 1.0);
        // Short, to be read; nothing is lost, since the engine is asked this very number.
        let value = (value * 1e6).round() / 1e6;
        number.range.map_or(value, |(low, high)| value.clamp(low, high))
    };
    (0..EXAMPLES).map(|_| numbers.iter().map(&mut draw).collect()).collect()
}
