//! What stands in an input: a policy's numbers in its own units, as features of a manifest.

use super::{
    super::{
        ImportError,
        material::Seen,
        text,
        told::{FeatureTold, FeaturesTold, InputTold},
    },
    Composer, STD_SUSPICIOUS,
};
use crate::{config::JointSettings, head::FeatureRule};

/// One number of an input, compiled.
#[derive(Clone, Debug)]
pub(super) struct Number {
    /// Its name, for people: `joint_position.joint1`.
    pub(super) name: String,
    /// What one of the policy's units is, and where its zero is.
    pub(super) factor: f64,
    pub(super) offset: f64,
    /// SI.
    pub(super) mean: f64,
    pub(super) std: f64,
    /// As the manifest has them.
    pub(super) scale: (f64, f64),
    /// Where it lies, if it is a joint's position.
    pub(super) range: Option<(f64, f64)>,
}

/// How one number of an input is written by the policy.
#[derive(Clone, Debug)]
struct Unit {
    name: String,
    /// What one of its units is in SI, and where its zero is.
    factor: f64,
    offset: f64,
    range: Option<(f64, f64)>,
    /// Whether the manifest's own mean and std are of the policy's numbers: it knows their range.
    is_ranged: bool,
}

impl Unit {
    /// Mean and std are in the policy's units. Numbers that no one normalises are not in other units for that: the network
    /// still sees the policy's.
    fn number(&self, (mean, std): (f64, f64)) -> Number {
        let Self { name, factor, offset, range, is_ranged } = self.clone();
        let si = (mean * factor + offset, std * factor);
        let scale = if is_ranged { (mean, std) } else { si };
        Number { name, factor, offset, mean: si.0, std: si.1, scale, range }
    }
}

/// A feature, compiled: its keys but `mean`, `std` and `clip`, and its numbers.
struct Part {
    keys: String,
    units: Vec<Unit>,
}

impl Composer<'_> {
    pub(super) fn input(
        &mut self,
        seen: &Seen,
        one: bool,
    ) -> Result<(String, Vec<Number>), ImportError> {
        let words = FeaturesTold::Words("joint_position".to_owned());
        let state = InputTold { features: words, ..InputTold::default() };
        let input = match self.told.input(&seen.tensor, one) {
            Some(input) => input,
            None if seen.is_state && seen.len() == self.joints.len() => {
                self.notes.push(format!(
                    "`{}` is taken for the measured positions of the joints; tell --input otherwise",
                    seen.tensor
                ));
                &state
            }
            None => {
                let why = format!(
                    "no file says what the {} numbers of input `{}` are",
                    seen.len(),
                    seen.tensor
                );
                let flag = format!(
                    "--input {}=FEATURES, as in --input {0}=joint_position+decision:target_x,target_y",
                    seen.tensor
                );
                return Err(ImportError::untold("the meaning of an input", why, flag));
            }
        };
        let mut parts = Vec::new();
        match &input.features {
            FeaturesTold::Words(words) => {
                for feature in FeatureTold::all(words) {
                    parts.push(self.words(&feature)?);
                }
            }
            FeaturesTold::Tables(tables) => {
                for table in tables {
                    parts.push(self.table(table)?);
                }
            }
        }
        let len: usize = parts.iter().map(|part| part.units.len()).sum();
        if len != seen.len() {
            let remedy = format!(
                "these are {len} numbers, but tensor `{}` has {:?}: name a feature for each",
                seen.tensor, seen.shape
            );
            return Err(ImportError::told("--input", &input.features, remedy));
        }
        let scales = match &seen.statistics {
            Some(statistics) => {
                statistics.mean_and_std(0.0_f64.max(self.told.std_floor.unwrap_or_default()))?
            }
            None => vec![(0.0, 1.0); len],
        };
        let mut numbers = Vec::new();
        let mut scales = scales.into_iter();
        let mut tables = String::new();
        for part in &parts {
            let first = numbers.len();
            for (unit, scale) in part.units.iter().zip(scales.by_ref()) {
                numbers.push(unit.number(scale));
            }
            let these = numbers[first..].iter().map(|number: &Number| number.scale);
            let (mean, std): (Vec<f64>, Vec<f64>) = these.unzip();
            tables += &text::feature(&part.keys, &mean, &std, self.told.clip);
        }
        self.tell_of_what_stood_still(seen, &numbers);
        Ok((text::input(&seen.tensor, &seen.shape, len, &tables), numbers))
    }

    /// What hardly moved in the data is told of.
    fn tell_of_what_stood_still(&mut self, seen: &Seen, numbers: &[Number]) {
        let Some(statistics) = &seen.statistics else { return };
        let [_, (_, std)] = &statistics.lists;
        let bound = self.told.std_floor.unwrap_or(STD_SUSPICIOUS);
        let still: Vec<_> = numbers.iter().zip(std).filter(|(_, std)| **std < bound).collect();
        let Some((first, std)) = still.first() else { return };
        let many = match still.len() {
            1 => String::new(),
            len => format!(", and {} more with it,", len - 1),
        };
        self.notes.push(match self.told.std_floor {
            Some(floor) => format!(
                "{}{many} hardly moved in the data (std {std:.1e}): divided by {floor} instead",
                first.name
            ),
            None if self.told.clip.is_some() => return,
            None => format!(
                "{}{many} hardly moved in the data (std {std:.1e}): a change of 0.01 counts as {:.0} of them; think of --clip 10 or --std-floor",
                first.name, 0.01 / **std
            ),
        });
    }

    /// A feature in few words.
    fn words(&self, feature: &FeatureTold) -> Result<Part, ImportError> {
        let (name, items) = (&feature.name, self.items(feature)?);
        let mut units = Vec::new();
        for item in &items {
            let range = (name == "joint_position" || name == "previous_action")
                .then(|| self.joint(item).map(JointSettings::range))
                .flatten();
            let factor = self.factor(item)?;
            units.push(Unit {
                name: format!("{name}.{item}"),
                factor,
                offset: 0.0,
                range,
                is_ranged: false,
            });
        }
        Ok(Part { keys: text::keys(name, &items, self.arm.as_deref()), units })
    }

    /// A feature as a manifest has it.
    fn table(&self, told: &toml::Table) -> Result<Part, ImportError> {
        let bad = |error: toml::de::Error| {
            let remedy = format!("{}; docs/manifest_keys.md has every key", error.message());
            ImportError::told("--layout", told.to_string(), remedy)
        };
        let mut table = told.clone();
        let ranged = table.remove("ranged").and_then(|ranged| ranged.as_bool()) == Some(true);
        let read = |table: &toml::Table| {
            let mut whole = table.clone();
            for list in ["mean", "std"] {
                whole.insert(list.to_owned(), toml::Value::Array(Vec::new()));
            }
            whole.try_into::<FeatureRule>().map_err(bad)
        };
        let mut rule = read(&table)?;
        if rule.items_key() == "joints" && rule.joints.is_none() {
            table.insert("joints".to_owned(), self.joints.clone().into());
            rule = read(&table)?;
        }
        if ranged {
            let ranges = rule.items().iter().map(|joint| self.range(joint));
            let (min, max): (Vec<f64>, Vec<f64>) =
                ranges.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
            table.insert("min".to_owned(), min.into());
            table.insert("max".to_owned(), max.into());
            rule = read(&table)?;
        }
        let mut units = Vec::new();
        for (at, name) in rule.names().enumerate() {
            let item = rule.items().get(at).filter(|_| rule.items_key() == "joints");
            let range = item.and_then(|item| self.joint(item)).map(JointSettings::range);
            let range = range.filter(|_| {
                name.starts_with("joint_position") || name.starts_with("previous_action")
            });
            let ends = rule.min.as_ref().zip(rule.max.as_ref());
            let ends = ends.and_then(|(min, max)| min.get(at).zip(max.get(at)));
            let (factor, offset) = match (ends, item) {
                (Some((min, max)), _) => ((max - min) / 2.0, min.midpoint(*max)),
                (None, Some(item)) => (self.factor(item)?, 0.0),
                (None, None) => (1.0, 0.0),
            };
            units.push(Unit { name, factor, offset, range, is_ranged: ends.is_some() });
        }
        Ok(Part { keys: text::table(&table), units })
    }

    /// Where -1 and +1 of a joint are.
    pub(super) fn range(&self, joint: &str) -> Result<(f64, f64), ImportError> {
        if let Some([low, high]) = self.told.ranges.get(joint) {
            return Ok((*low, *high));
        }
        let of_robot = self.joint(joint).map(JointSettings::range);
        of_robot.ok_or_else(|| {
            let remedy = format!("the robot \"{}\" has no such joint", self.robot.name);
            ImportError::told("--joints", joint, remedy)
        })
    }

    /// The items of a feature: those told, or all joints.
    fn items(&self, feature: &FeatureTold) -> Result<Vec<String>, ImportError> {
        let FeatureTold { name, items } = feature;
        if !text::FEATURES.contains(&name.as_str()) {
            let remedy = format!("the features are {:?}, joined by +", text::FEATURES);
            return Err(ImportError::told("--input", name, remedy));
        }
        match (name.as_str(), items) {
            ("delay", _) => Ok(vec!["ticks".to_owned()]),
            (_, Some(items)) => Ok(items.clone()),
            ("decision", None) => {
                let remedy = "name its parameters, as in decision:target_x,target_y,target_z";
                Err(ImportError::told("--input", name, remedy))
            }
            ("tool_position" | "object_position", None) => {
                Ok(["x", "y", "z"].map(str::to_owned).to_vec())
            }
            (_, None) => Ok(self.joints.clone()),
        }
    }
}
