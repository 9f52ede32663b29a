//! The manifest's text: as a person would write it, since persons read it.

use std::fmt::{Debug, Write};

use super::Told;

/// Features that an import may name.
pub(super) const FEATURES: [&str; 9] = [
    "joint_position",
    "joint_sine",
    "joint_cosine",
    "joint_velocity",
    "previous_action",
    "decision",
    "tool_position",
    "object_position",
    "delay",
];

/// What share of the time that there is a head may take, unless told.
const DEADLINE_SHARE: f64 = 0.5;
/// Ticks over which a chunk fades into the next.
const FADE_TICKS: u32 = 2;

/// A manifest without its digest and its golden vectors.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) what: String,
    pub(super) name: String,
    pub(super) robot: String,
    pub(super) skill: String,
    pub(super) timing: String,
    pub(super) seam: String,
    pub(super) belief: String,
    pub(super) inputs: Vec<String>,
    pub(super) output: String,
    pub(super) provenance: String,
}

impl Manifest {
    /// The whole of it. `onnx` is the file beside it.
    pub(super) fn text(&self, onnx: &str, sha256: &str, goldens: &str) -> String {
        let Self { what, name, robot, skill, timing, seam, belief, inputs, output, provenance } =
            self;
        let inputs = inputs.join("\n");
        let [name, robot, skill, onnx] = [name, robot, skill, onnx].map(text);
        format!(
            "# Made by `reflexd head import` of {what}.\nschema = \"reflex.head.v1\"\nname = {name}\nrobot = {robot}\n\
             skill = {skill}\nonnx = {onnx}\nsha256 = \"{sha256}\"\n\n{timing}\n{seam}\n{belief}{inputs}\n{output}\n{provenance}{goldens}"
        )
    }
}

pub(super) fn timing(told: &Told, period_ms: f64, steps: u32, execute: u32) -> String {
    let (mode, ahead) = match told.prefetch_ticks {
        None => ("inline", 1.0),
        Some(ticks) => ("prefetch", f64::from(ticks)),
    };
    let deadline_ms = told.deadline_ms.unwrap_or(DEADLINE_SHARE * ahead * period_ms);
    let prefetch = told.prefetch_ticks.map(|ticks| format!("prefetch_ticks = {ticks}\n"));
    let prefetch = prefetch.unwrap_or_default();
    let at = told.at.map(|at| format!("at = \"{}\"\n", at.as_str())).unwrap_or_default();
    format!(
        "[timing]\nperiod_ms = {period_ms:?}\n{at}chunk_steps = {steps}\nexecute_steps = {execute}\nmode = \"{mode}\"\n\
         {prefetch}deadline_ms = {deadline_ms:?}\n"
    )
}

pub(super) fn seam(steps: u32) -> String {
    match steps {
        1 => "[seam]\nmethod = \"cut\"\n".to_owned(),
        steps => format!("[seam]\nmethod = \"fade\"\nticks = {}\n", FADE_TICKS.min(steps)),
    }
}

pub(super) fn provenance(told: &Told) -> String {
    let Told { dataset, command, licence, .. } = told;
    let lines = [("dataset", dataset), ("command", command), ("licence", licence)];
    let mut table = String::new();
    for (key, said) in lines.into_iter().filter_map(|(key, said)| Some((key, said.as_ref()?))) {
        let _ = writeln!(table, "{key} = {}", text(said));
    }
    if table.is_empty() { table } else { format!("[provenance]\n{table}\n") }
}

pub(super) fn input(tensor: &str, shape: &[usize], len: usize, features: &str) -> String {
    let shape = if shape == [1, len] { String::new() } else { format!("shape = {shape:?}\n") };
    format!("[[inputs]]\ntensor = {}\n{shape}{features}", text(tensor))
}

/// The tables of a belief and of stages, as they are told.
pub(super) fn belief(told: &Told) -> String {
    let object = told.object.iter().map(|table| format!("[object]\n{}\n", table_keys(table)));
    let stages = told.stages.iter().map(|table| format!("[[stages]]\n{}\n", table_keys(table)));
    object.chain(stages).collect()
}

/// A table's keys, its name first.
fn table_keys(table: &toml::Table) -> String {
    let (names, others): (Vec<_>, Vec<_>) = table.iter().partition(|(key, _)| *key == "name");
    let line = |(key, value): (&String, &toml::Value)| format!("{key} = {value}\n");
    names.into_iter().chain(others).map(line).collect()
}

/// The keys of a feature that is told as a table.
pub(super) fn table(table: &toml::Table) -> String {
    table_keys(table)
}

/// The keys of a feature that is told in words.
pub(super) fn keys(name: &str, items: &[String], arm: Option<&str>) -> String {
    let items = match name {
        "decision" => format!("params = {items:?}\n"),
        "tool_position" => format!("arm = {}\naxes = {items:?}\n", text(arm.unwrap_or_default())),
        "object_position" => format!("axes = {items:?}\n"),
        "delay" => String::new(),
        _ => format!("joints = {items:?}\n"),
    };
    format!("name = {}\n{items}", text(name))
}

pub(super) fn feature(keys: &str, mean: &[f64], std: &[f64], clip: Option<f64>) -> String {
    let clip = clip.map_or_else(String::new, |clip| format!("clip = {clip:?}\n"));
    let (mean, std) = (numbers(mean), numbers(std));
    format!("\n[[inputs.features]]\n{keys}mean = {mean}\nstd = {std}\n{clip}")
}

pub(super) fn output(
    tensor: &str,
    shape: &[usize],
    steps: u32,
    width: usize,
    columns: &str,
) -> String {
    let is_usual = shape == [1, steps as usize, width];
    let shape = if is_usual { String::new() } else { format!("shape = {shape:?}\n") };
    format!("[output]\ntensor = {}\n{shape}{columns}", text(tensor))
}

/// Columns that are targets, or displacements where the mask says so.
pub(super) fn joints(
    joints: &[String],
    mask: Option<&[bool]>,
    normalised: Option<&toml::Table>,
) -> String {
    let normalised = normalised.map_or_else(String::new, |table| {
        format!("normalised = {}\n", toml::Value::Table(table.clone()))
    });
    let kind = match mask {
        None => format!("representation = \"joint_absolute\"\njoints = {joints:?}\n"),
        Some(mask) => format!(
            "representation = \"joint_delta\"\njoints = {joints:?}\nrelative_to = \"measured\"\nsteps = \"independent\"\n\
             mask = {mask:?}\n"
        ),
    };
    format!("\n[[output.columns]]\n{kind}{normalised}")
}

/// Columns that are places between `min` and `max`.
pub(super) fn places(joints: &[String], min: &[f64], max: &[f64]) -> String {
    let (min, max) = (numbers(min), numbers(max));
    format!(
        "\n[[output.columns]]\nrepresentation = \"joint_range\"\njoints = {joints:?}\nmin = {min}\nmax = {max}\n"
    )
}

/// The same, smoothed with the previous action and ended at the ranges only then.
pub(super) fn smooth_places(
    joints: &[String],
    (min, max): (&[f64], &[f64]),
    ranges: &[(f64, f64)],
    smoothing: f64,
) -> String {
    let (low, high): (Vec<f64>, Vec<f64>) = ranges.iter().copied().unzip();
    let [min, max, low, high] = [min, max, &low, &high].map(numbers);
    format!(
        "\n[[output.columns]]\nrepresentation = \"joint_absolute\"\njoints = {joints:?}\nsmoothing = {smoothing:?}\n\
         clip = {{ min = {low}, max = {high} }}\nclip_when = \"after_smoothing\"\n\
         normalised = {{ method = \"range\", min = {min}, max = {max} }}\n"
    )
}

/// Columns that drive nothing.
pub(super) fn unused(columns: usize) -> String {
    format!("\n[[output.columns]]\nrepresentation = \"unused\"\ncolumns = {columns}\n")
}

/// A number times a factor, in the words of a range.
pub(super) fn range(factors: &[f64]) -> toml::Table {
    let min: Vec<f64> = factors.iter().map(|factor| -factor).collect();
    let mut table = toml::Table::new();
    table.insert("method".to_owned(), "range".into());
    table.insert("min".to_owned(), min.into());
    table.insert("max".to_owned(), factors.to_vec().into());
    table
}

/// Golden vectors, and whose they are.
pub(super) fn goldens(by: &str, goldens: &[(Vec<f64>, Vec<Vec<f64>>)], tolerance: f64) -> String {
    let mut all = format!("# The golden actions are those of {by}.\n");
    for (at, (observation, action)) in goldens.iter().enumerate() {
        let rows: String = action.iter().map(|row| format!("    {},\n", numbers(row))).collect();
        let gap = if at == 0 { "" } else { "\n" };
        let _ = write!(
            all,
            "{gap}[[golden]]\nobservation = {}\naction = [\n{rows}]\ntolerance = {tolerance:?}\n",
            numbers(observation)
        );
    }
    all
}

/// A list, with a point in each number: TOML tells whole numbers from others.
fn numbers(values: &[f64]) -> String {
    format!("{values:?}")
}

/// A text, escaped.
fn text(value: impl AsRef<str> + Debug) -> String {
    toml::Value::String(value.as_ref().to_owned()).to_string()
}
