//! A LeRobotDataset v3.0: tables of ticks, a film, and what LeRobot wants to know about both.
//!
//! ```text
//!   data/chunk-000/file-000.parquet              a row for each tick
//!   videos/KEY/chunk-000/file-000.mp4            a picture for each tick
//!   meta/episodes/chunk-000/file-000.parquet     where each episode stands in them, and its statistics
//!   meta/tasks.parquet, stats.json, info.json    what was said; all statistics; which features there are
//! ```

mod features;
mod stats;
mod table;
mod video;

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Plan, Roll, RolloutError, files, numbered, trace::Trace};
use features::Features;
use stats::Stats;
use table::{Column, Values};
use video::Video;

/// A file that has grown so large is closed, and the next episode begins another one: LeRobot's own bounds, MB.
const DATA_MB: u64 = 100;
const VIDEO_MB: u64 = 200;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Episodes.
    pub episodes: u64,
    /// Ticks, and so rows and pictures.
    pub frames: u64,
    /// Different instructions.
    pub tasks: u64,
    /// Files with rows.
    pub data_files: u64,
    /// Files with pictures.
    pub video_files: u64,
}

/// Writes a data set.
pub(super) struct Writer<'a> {
    plan: &'a Plan,
    folder: PathBuf,
    fps: u64,
    features: Option<Features>,
    data: Option<table::Writer>,
    data_roll: Roll,
    video: Option<Video>,
    video_roll: Roll,
    episodes: Option<table::Writer>,
    tasks: Vec<String>,
    stats: Vec<Vec<(String, Stats)>>,
    written: Written,
}

impl<'a> Writer<'a> {
    pub(super) fn new(plan: &'a Plan, folder: PathBuf) -> Result<Self, RolloutError> {
        let fps = fps(plan.period_s)?;
        Ok(Self {
            plan,
            folder,
            fps,
            features: None,
            data: None,
            data_roll: Roll::default(),
            video: None,
            video_roll: Roll::default(),
            episodes: None,
            tasks: Vec::new(),
            stats: Vec::new(),
            written: Written::default(),
        })
    }

    pub(super) fn add(&mut self, trace: &Trace, images: &[Vec<u8>]) -> Result<(), RolloutError> {
        let (plan, index, first) = (self.plan, self.written.episodes, self.written.frames);
        let features = self.features.get_or_insert_with(|| Features::of(plan, trace));
        let task = self.tasks.iter().position(|task| *task == trace.instruction);
        let task = task.unwrap_or_else(|| {
            self.tasks.push(trace.instruction.clone());
            self.tasks.len() - 1
        });
        let columns = features.columns(trace, index, first, task as u64);
        let mut stats: Vec<(String, Stats)> = columns.iter().map(of_column).collect();
        stats.push((features.video(), Stats::of_pictures(&trace.image_stats)));
        let video_key = features.video();

        if self.data.as_ref().is_some_and(|data| data.bytes() >= DATA_MB << 20)
            && let Some(full) = self.data.take()
        {
            full.finish()?;
            self.data_roll = self.data_roll.next();
        }
        let path = self.folder.join(numbered("data", self.data_roll, "parquet"));
        let data = match &mut self.data {
            Some(data) => data,
            empty => {
                self.written.data_files += 1;
                empty.insert(table::Writer::new(path, &columns, &[])?)
            }
        };
        data.add(&columns)?;

        if self.video.as_ref().is_some_and(|video| video.bytes() >= VIDEO_MB << 20)
            && let Some(full) = self.video.take()
        {
            full.finish()?;
            self.video_roll = self.video_roll.next();
        }
        let kind = format!("videos/{video_key}");
        let path = self.folder.join(numbered(&kind, self.video_roll, "mp4"));
        let video = match &mut self.video {
            Some(video) => video,
            empty => {
                self.written.video_files += 1;
                empty.insert(Video::new(path, plan.picture_px)?)
            }
        };
        let from_s = video.seconds();
        let period_ns = (plan.period_s * 1e9).round() as u64;
        let begins = trace.samples.iter().map(|sample| sample.at_ns);
        let ends = begins.clone().skip(1).map(Some).chain([None]);
        for ((begin, end), image) in begins.zip(ends).zip(images) {
            video.add(image, end.map_or(period_ns, |end| end - begin))?;
        }
        let to_s = video.seconds();

        self.written.episodes += 1;
        self.written.frames += trace.samples.len() as u64;
        let place = Place { first, video_s: [from_s, to_s], video_key };
        self.note(trace, index, &place, &stats)?;
        self.stats.push(stats);
        Ok(())
    }

    /// An episode's row in `meta/episodes`.
    fn note(
        &mut self,
        trace: &Trace,
        index: u64,
        place: &Place,
        stats: &[(String, Stats)],
    ) -> Result<(), RolloutError> {
        let int = |name: &str, value: u64| Column::int(name, vec![value as i64]);
        let video = |name: &str| format!("videos/{}/{name}", place.video_key);
        let length = trace.samples.len() as u64;
        let mut columns = vec![
            int("episode_index", index),
            Column::new("tasks", &[1], Values::Text(vec![trace.instruction.clone()])),
            int("length", length),
            int("data/chunk_index", self.data_roll.chunk),
            int("data/file_index", self.data_roll.file),
            int("dataset_from_index", place.first),
            int("dataset_to_index", place.first + length),
            int(&video("chunk_index"), self.video_roll.chunk),
            int(&video("file_index"), self.video_roll.file),
            Column::double(video("from_timestamp"), vec![place.video_s[0]]),
            Column::double(video("to_timestamp"), vec![place.video_s[1]]),
            int("meta/episodes/chunk_index", 0),
            int("meta/episodes/file_index", 0),
            int("seed", trace.seed),
            Column::bool("success", vec![trace.success]),
        ];
        for (feature, stats) in stats {
            let name = |figure: &str| format!("stats/{feature}/{figure}");
            // LeRobot keeps a channel's figures in three axes.
            let width = stats.mean.len();
            let shape = if *feature == place.video_key { vec![width, 1, 1] } else { vec![width] };
            for (figure, values) in stats.each() {
                columns.push(Column::new(name(figure), &shape, Values::Double(values.clone())));
            }
            let count = Values::Int(vec![stats.count as i64]);
            columns.push(Column::new(name("count"), &[1], count));
        }
        let path = self.folder.join(numbered("meta/episodes", Roll::default(), "parquet"));
        let episodes = match &mut self.episodes {
            Some(episodes) => episodes,
            empty => empty.insert(table::Writer::new(path, &columns, &[])?),
        };
        episodes.add(&columns)
    }

    pub(super) fn finish(mut self) -> Result<Written, RolloutError> {
        let files = [self.data.take(), self.episodes.take()];
        for file in files.into_iter().flatten() {
            file.finish()?;
        }
        if let Some(video) = self.video.take() {
            video.finish()?;
        }
        self.written.tasks = self.tasks.len() as u64;
        self.write_tasks()?;
        files::json(self.folder.join("meta/stats.json"), &self.all_stats())?;
        files::json(self.folder.join("meta/info.json"), &self.info())?;
        Ok(self.written)
    }

    /// The instructions, as a table of pandas whose index they are.
    fn write_tasks(&self) -> Result<(), RolloutError> {
        let columns = [
            Column::int("task_index", (0..self.tasks.len() as i64).collect()),
            Column::new("task", &[], Values::Text(self.tasks.clone())),
        ];
        let of = |name: &str, kind: &str, numpy: &str| {
            json!({
                "name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": null
            })
        };
        let pandas = json!({
            "index_columns": ["task"],
            "column_indexes": [],
            "columns": [of("task_index", "int64", "int64"), of("task", "unicode", "object")],
            "pandas_version": "2.2.0",
        });
        let path = self.folder.join("meta/tasks.parquet");
        let mut tasks = table::Writer::new(path, &columns, &[("pandas", pandas.to_string())])?;
        tasks.add(&columns)?;
        tasks.finish().map(drop)
    }

    fn all_stats(&self) -> Value {
        let names = self.stats.first().into_iter().flatten().map(|(name, _)| name);
        let video_key = self.features.as_ref().map(Features::video);
        let all = names.enumerate().map(|(at, name)| {
            let episodes: Vec<Stats> =
                self.stats.iter().map(|episode| episode[at].1.clone()).collect();
            let stats = Stats::of_all(&episodes);
            let figure = |values: &Vec<f64>| {
                if video_key.as_ref() == Some(name) {
                    json!(values.iter().map(|value| [[value]]).collect::<Vec<_>>())
                } else {
                    json!(values)
                }
            };
            let mut told: serde_json::Map<String, Value> =
                stats.each().map(|(name, values)| (name.to_owned(), figure(values))).collect();
            told.insert("count".into(), json!([stats.count]));
            (name.clone(), Value::Object(told))
        });
        Value::Object(all.collect())
    }

    fn info(&self) -> Value {
        json!({
            "codebase_version": "v3.0",
            "robot_type": self.plan.robot,
            "total_episodes": self.written.episodes,
            "total_frames": self.written.frames,
            "total_tasks": self.written.tasks,
            "chunks_size": Roll::FILES_MAX,
            "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB,
            "fps": self.fps,
            "splits": { "train": format!("0:{}", self.written.episodes) },
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
            "features": self.features.as_ref().map(|features| features.info(self.plan, self.fps)),
        })
    }
}

/// Where an episode stands.
struct Place {
    first: u64,
    video_s: [f64; 2],
    video_key: String,
}

/// Whole ticks of a second.
pub(super) fn fps(period_s: f64) -> Result<u64, RolloutError> {
    let fps = (1.0 / period_s).round();
    if fps < 1.0 || (fps * period_s - 1.0).abs() > 1e-9 {
        return Err(RolloutError::NoWholeRate { period_ms: period_s * 1e3 });
    }
    Ok(fps as u64)
}

fn of_column(column: &Column) -> (String, Stats) {
    let width = column.shape.iter().product();
    let numbers: Vec<f64> = match &column.values {
        Values::Int(values) => values.iter().map(|value| *value as f64).collect(),
        Values::Float(values) => values.iter().map(|value| f64::from(*value)).collect(),
        Values::Double(values) => values.clone(),
        Values::Bool(values) => values.iter().map(|value| f64::from(u8::from(*value))).collect(),
        Values::Text(_) => Vec::new(),
    };
    (column.name.clone(), Stats::of(&numbers, width))
}
