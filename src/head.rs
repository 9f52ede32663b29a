//! A head: a small network that carries out one skill, with the manifest that says how it is to be used.
//!
//! ```text
//! Ask, Params ──pack──► input tensor ──run──► output tensor ──lower──► Chunk
//! ```
//!
//! Nothing gets as far as a [`Head`] that has not been proved on this very engine: manifest, digest, tensors, golden
//! vectors, warm-up, in this order.

use std::path::Path;

use motion::{Ask, Chunk, HeadDigest, RunId, TickIndex};

use crate::{
    action::{ColumnsError, LowerError, Lowering},
    inference::{Engine, EngineError, Session, Signature},
    observation::{FeatureError, PackError, Packer, Params},
};

mod error;
mod file;
mod manifest;
mod proof;

pub use error::HeadError;
pub use manifest::{
    FeatureRule, Golden, Input, Manifest, Mode, Output, Provenance, SCHEMA, SeamMethod, SeamRule,
    Timing,
};
pub use proof::Proof;

/// A head that is ready to answer.
#[derive(Debug)]
pub struct Head {
    manifest: Manifest,
    digest: HeadDigest,
    packer: Packer,
    session: Session,
    lowering: Lowering,
    joints: usize,
    proof: Proof,
}

impl Head {
    /// Loads a head for a robot and proves it.
    ///
    /// # Errors
    /// If anything of it is not as its manifest says, or it is not for this robot.
    pub fn load(
        path: &Path,
        robot_name: &str,
        robot_joints: &[impl AsRef<str>],
        engine: &Engine,
    ) -> Result<Self, HeadError> {
        let manifest = Manifest::load(path)?;
        if manifest.robot != robot_name {
            return Err(HeadError::OtherRobot {
                file: path.to_path_buf(),
                found: manifest.robot,
                wanted: robot_name.to_owned(),
            });
        }
        let robot: Vec<&str> = robot_joints.iter().map(AsRef::as_ref).collect();
        let packer = Packer::compile(manifest.features(), &robot)
            .map_err(|error| bad_feature(&manifest, &error, &robot))?;
        let lowering = Lowering::compile(&manifest.columns(), &robot)
            .map_err(|error| bad_columns(&manifest, &error, &robot))?;
        let network = file::Network::read(&manifest)?;
        let signature = Signature {
            input: &manifest.input.tensor,
            input_len: manifest.input_len(),
            output: &manifest.output.tensor,
            steps: manifest.timing.chunk_steps as usize,
            joints: manifest.output.joints.len(),
        };
        let session = Session::load(engine, network.bytes(), &signature)
            .map_err(|error| bad_engine(&manifest, error))?;
        let mut head = Self {
            digest: network.digest(),
            joints: robot.len(),
            proof: Proof::default(),
            manifest,
            packer,
            session,
            lowering,
        };
        head.proof = head.prove()?;
        Ok(head)
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The first eight bytes of its network's SHA-256.
    #[must_use]
    pub fn digest(&self) -> HeadDigest {
        self.digest
    }

    /// What loading it has shown.
    #[must_use]
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Makes the chunk that an ask wants. The chunk keeps its id; all else of it is overwritten.
    ///
    /// # Errors
    /// If the observation or the answer is not finite or the engine refuses. The chunk then has no steps.
    pub fn infer(
        &mut self,
        ask: &Ask,
        params: &Params,
        chunk: &mut Chunk,
    ) -> Result<(), HeadError> {
        *chunk = Chunk::empty(chunk.id, ask.run, self.digest, ask.tick, self.joints);
        self.packer
            .pack(ask, params, self.session.input_mut())
            .map_err(|error| bad_observation(&self.manifest, error))?;
        self.run(chunk)
    }

    /// As [`Self::infer`], from raw numbers in the order of the features.
    fn infer_raw(&mut self, raw: &[f64], chunk: &mut Chunk) -> Result<(), HeadError> {
        *chunk = Chunk::empty(chunk.id, RunId(0), self.digest, TickIndex(0), self.joints);
        self.packer
            .normalise(raw, self.session.input_mut())
            .map_err(|error| bad_observation(&self.manifest, error))?;
        self.run(chunk)
    }

    /// Runs what stands in the input tensor; half a chunk is no chunk.
    fn run(&mut self, chunk: &mut Chunk) -> Result<(), HeadError> {
        let output = self.session.run().map_err(|error| bad_engine(&self.manifest, error))?;
        self.lowering.lower(output, chunk).map_err(|error| {
            *chunk = Chunk::empty(chunk.id, chunk.run, chunk.head, chunk.observed, self.joints);
            bad_action(&self.manifest, error)
        })
    }
}

fn bad_value(manifest: &Manifest, key: String, value: String, remedy: String) -> HeadError {
    HeadError::BadValue { file: manifest.path().to_path_buf(), key, value, remedy }
}

fn bad_feature(manifest: &Manifest, error: &FeatureError, robot: &[&str]) -> HeadError {
    let (FeatureError::Unknown { feature, .. } | FeatureError::Lengths { feature }) = error;
    let items = manifest.input.features.get(*feature).map_or("joints", FeatureRule::items_key);
    let value = match error {
        FeatureError::Unknown { item, .. } => format!("\"{item}\""),
        FeatureError::Lengths { .. } => error.to_string(),
    };
    let remedy = format!("the robot \"{}\" has the joints {robot:?}", manifest.robot);
    bad_value(manifest, format!("input.features[{feature}].{items}"), value, remedy)
}

fn bad_columns(manifest: &Manifest, error: &ColumnsError, robot: &[&str]) -> HeadError {
    let value = format!("{:?} ({error})", manifest.output.joints);
    let remedy = format!("name each joint of the robot \"{}\": {robot:?}", manifest.robot);
    bad_value(manifest, "output.joints".to_owned(), value, remedy)
}

fn bad_engine(manifest: &Manifest, error: EngineError) -> HeadError {
    let file = manifest.path().to_path_buf();
    match error {
        EngineError::Tensor { key, wanted, found } => {
            HeadError::WrongTensor { file, key, wanted, found }
        }
        EngineError::Shape { key, wanted, found } => {
            HeadError::WrongShape { file, key, wanted, found }
        }
        EngineError::NotFinite { element, value } => {
            let joints = &manifest.output.joints;
            let (step, column) = (element / joints.len().max(1), element % joints.len().max(1));
            let joint = joints.get(column).map_or("?", String::as_str);
            let what = format!("step {step}, joint `{joint}` is {value}");
            HeadError::NonFinite { file, what }
        }
        source => HeadError::Engine { file, onnx: manifest.onnx.display().to_string(), source },
    }
}

fn bad_observation(manifest: &Manifest, error: PackError) -> HeadError {
    let what = match error {
        PackError::NotFinite { index, value } => {
            format!("{} is {value}", manifest.input_name(index))
        }
        PackError::Shape => error.to_string(),
    };
    HeadError::BadObservation { file: manifest.path().to_path_buf(), what }
}

fn bad_action(manifest: &Manifest, error: LowerError) -> HeadError {
    let file = manifest.path().to_path_buf();
    match error {
        LowerError::NotFinite { .. } => HeadError::NonFinite { file, what: error.to_string() },
        LowerError::Shape => HeadError::Engine {
            file,
            onnx: manifest.onnx.display().to_string(),
            source: EngineError::Refused(error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests;
