//! The features of a data set: their names, what they are made of, and their columns.

use serde_json::{Value, json};

use super::{
    super::{Plan, trace::Sample, trace::Trace},
    table::{Column, Values},
};

/// Where joints' numbers come from.
type Of = fn(&Sample) -> &Vec<f64>;

/// The features of a robot in a world.
pub(super) struct Features {
    camera: String,
    joints: Vec<String>,
    tools: Vec<String>,
    objects: Vec<String>,
}

/// Features with a number for each joint.
const JOINTS: [(&str, Of); 4] = [
    ("observation.state", |sample| &sample.position),
    ("observation.velocity", |sample| &sample.velocity),
    ("action", |sample| &sample.applied),
    // Not below `action`: LeRobot would take it for one.
    ("requested", |sample| &sample.requested),
];

impl Features {
    pub(super) fn of(plan: &Plan, trace: &Trace) -> Self {
        let axes = |name: &String| ["x", "y", "z"].map(|axis| format!("{name}.{axis}"));
        Self {
            camera: plan.camera.clone(),
            joints: plan.joints.clone(),
            tools: plan.arms.iter().flat_map(axes).collect(),
            objects: trace.objects.iter().flat_map(axes).collect(),
        }
    }

    /// The film's key.
    pub(super) fn video(&self) -> String {
        format!("observation.images.{}", self.camera)
    }

    /// An episode's rows; `first` counts the rows before it.
    pub(super) fn columns(
        &self,
        trace: &Trace,
        episode: u64,
        first: u64,
        task: u64,
    ) -> Vec<Column> {
        let samples = &trace.samples;
        let floats = |name: &str, names: &[String], of: &dyn Fn(&Sample) -> Vec<f64>| {
            let values = samples.iter().flat_map(of).map(|value| value as f32).collect();
            Column::floats(name, names.len(), values)
        };
        let bools = |name: &str, is_so: &dyn Fn(usize, &Sample) -> bool| {
            let each = samples.iter().enumerate();
            Column::bool(name, each.map(|(at, sample)| is_so(at, sample)).collect())
        };
        let ints = |name: &str, of: &dyn Fn(usize) -> u64| {
            Column::int(name, (0..samples.len()).map(|at| of(at) as i64).collect())
        };
        let last = samples.len() - 1;
        let mut columns: Vec<Column> = JOINTS
            .iter()
            .map(|(name, of)| floats(name, &self.joints, &|sample| of(sample).clone()))
            .collect();
        if !self.tools.is_empty() {
            let of = |sample: &Sample| sample.tools_m.concat();
            columns.push(floats("observation.tool", &self.tools, &of));
        }
        if !self.objects.is_empty() {
            let of = |sample: &Sample| {
                sample.objects.iter().flat_map(|pose| pose[..3].to_vec()).collect()
            };
            columns.push(floats("observation.environment_state", &self.objects, &of));
        }
        columns.extend([
            bools("starved", &|_, sample| sample.starved),
            bools("limited", &|_, sample| sample.limited),
            bools("next.success", &|at, _| at == last && trace.success),
            bools("next.done", &|at, _| at == last),
            ints("time_ns", &|at| samples[at].at_ns),
            Column::new(
                "timestamp",
                &[],
                Values::Float(samples.iter().map(|one| (one.at_ns as f64 / 1e9) as f32).collect()),
            ),
            ints("frame_index", &|at| at as u64),
            ints("episode_index", &|_| episode),
            ints("index", &|at| first + at as u64),
            ints("task_index", &|_| task),
        ]);
        columns
    }

    /// As `info.json` tells them.
    pub(super) fn info(&self, plan: &Plan, fps: u64) -> Value {
        let floats = |names: &[String]| json!({ "dtype": "float32", "shape": [names.len()], "names": names });
        let one = |dtype: &str| json!({ "dtype": dtype, "shape": [1], "names": null });
        let mut features = serde_json::Map::new();
        for (name, _) in JOINTS {
            features.insert(name.into(), floats(&self.joints));
        }
        for (name, names) in
            [("observation.tool", &self.tools), ("observation.environment_state", &self.objects)]
        {
            if !names.is_empty() {
                features.insert(name.into(), floats(names));
            }
        }
        let flags = ["starved", "limited", "next.success", "next.done"].map(|name| (name, "bool"));
        let counts = ["time_ns", "frame_index", "episode_index", "index", "task_index"];
        for (name, dtype) in flags.into_iter().chain(counts.map(|name| (name, "int64"))) {
            features.insert(name.into(), one(dtype));
        }
        features.insert("timestamp".into(), one("float32"));
        let [width, height] = plan.picture_px;
        let film = json!({
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": height,
                "video.width": width,
                "video.codec": "mjpeg",
                "video.pix_fmt": "yuv444p",
                "video.is_depth_map": false,
                "video.fps": fps,
                "video.channels": 3,
                "has_audio": false,
            },
        });
        features.insert(self.video(), film);
        Value::Object(features)
    }
}
