//! A head: a small network that carries out one skill, with the manifest that says how it is to be used.
//!
//! ```text
//! Ask, Params ──pack──► input tensor ──run──► output tensor ──lower──► Chunk
//! ```
//!
//! Nothing gets as far as a [`Head`] that has not been proved on this very engine: manifest, digest, tensors, golden
//! vectors, warm-up, in this order.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use motion::{Ask, Chunk, ChunkId, HeadDigest, JointLimits, Joints, Plan, RunId, TickIndex};

use crate::{
    action::{Body, Codec, ColumnsError, LowerError, Lowering, Sizes, Start},
    inference::{
        Element, Engine, EngineError, Fallback, Placement, Provider, Session, Signature, Slot,
        TensorSpec, Values,
    },
    observation::{
        Clipped, Context, FeatureError, FeatureName, PackError, Packer, Params, Sight,
        belief::{Belief, BeliefError},
    },
};

mod bench;
#[cfg(feature = "tensorrt")]
mod compile;
mod correction;
mod error;
mod file;
mod manifest;
mod proof;

pub use bench::{Bench, Pace, Spread};
#[cfg(feature = "tensorrt")]
pub use compile::compile;
use correction::Corrects;
pub use error::HeadError;
pub use file::{digest_of, digest_of_file};
pub use manifest::{
    At, CorrectionTable, EncoderTable, EngineRule, Evaluation, FeatureRule, FirstStep, Golden,
    Input, Manifest, Mode, Output, Provenance, SCHEMA, SeamMethod, SeamRule, Stratum, Timing,
};
pub use proof::Proof;

/// A head that is ready to answer.
#[derive(Debug)]
pub struct Head {
    manifest: Manifest,
    digest: HeadDigest,
    /// What it believes of the object and of the stage.
    belief: Belief,
    /// One for each input tensor.
    packers: Box<[Packer]>,
    session: Session,
    lowering: Lowering,
    /// The middle of the robot's joint ranges: where the arm stands for rehearsals.
    middle: Joints,
    limits: Vec<JointLimits>,
    correction: Option<Corrects>,
    proof: Proof,
}

impl Head {
    /// Loads a head for a robot, and the one that corrects it, and proves both.
    ///
    /// # Errors
    /// If anything of it is not as its manifest says, or it is not for this robot.
    pub fn load(path: &Path, body: &Body, engine: &Engine) -> Result<Self, HeadError> {
        let mut head = Self::load_one(path, body, engine)?;
        head.correction = Corrects::load(&head.manifest, body, engine)?;
        Ok(head)
    }

    /// The same, run by a provider whatever manifest and configuration say, or refused.
    ///
    /// # Errors
    /// As [`Self::load`]; or if the provider is not there, or cannot keep the weights as the manifest wants them.
    pub fn load_on(
        path: &Path,
        body: &Body,
        engine: &Engine,
        provider: Provider,
    ) -> Result<Self, HeadError> {
        let strict = Placement { fallback: Fallback::Refuse, ..engine.placement().clone() };
        let mut manifest = Manifest::load(path)?;
        manifest.engine.provider = Some(provider);
        let mut head = Self::proved(manifest, body, engine.placed(strict))?;
        head.correction = Corrects::load(&head.manifest, body, engine)?;
        Ok(head)
    }

    fn load_one(path: &Path, body: &Body, engine: &Engine) -> Result<Self, HeadError> {
        Self::proved(Manifest::load(path)?, body, engine)
    }

    fn proved(manifest: Manifest, body: &Body, engine: &Engine) -> Result<Self, HeadError> {
        let mut head = Self::assemble(manifest, body, engine)?;
        head.proof = head.prove()?;
        Ok(head)
    }

    /// What a head answers to raw observations, each row by row, before any of them is known to be right: golden vectors
    /// for a manifest that has none yet.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn answers(
        path: &Path,
        body: &Body,
        engine: &Engine,
        observations: &[Vec<f64>],
    ) -> Result<Vec<Vec<Vec<f64>>>, HeadError> {
        let mut head = Self::assemble(Manifest::unproved(path)?, body, engine)?;
        let width = head.manifest.output.width();
        let rows = |answer: &[f64]| answer.chunks_exact(width).map(<[f64]>::to_vec).collect();
        observations.iter().map(|raw| head.answer(raw).map(rows)).collect()
    }

    fn assemble(manifest: Manifest, body: &Body, engine: &Engine) -> Result<Self, HeadError> {
        if manifest.robot != body.name {
            return Err(HeadError::OtherRobot {
                file: manifest.path().to_path_buf(),
                found: manifest.robot.clone(),
                wanted: body.name.to_owned(),
            });
        }
        let belief =
            Belief::compile(manifest.object.as_ref(), &manifest.stages, &body.joints, &body.arms)
                .map_err(|error| bad_belief(&manifest, &error, body))?;
        let stages: Vec<&str> = manifest.stages.iter().map(|stage| stage.name.as_str()).collect();
        let packer = |(at, input): (usize, &Input)| {
            Packer::staged(input.features(), &body.joints, &body.arms, &stages)
                .map_err(|error| bad_feature(&manifest, at, &error, body))
        };
        let packers = manifest.inputs.iter().enumerate().map(packer).collect::<Result<_, _>>()?;
        let period_s = manifest.timing.period_ms / 1e3;
        let mut lowering = Lowering::compile(&manifest.output.columns, body, period_s)
            .map_err(|error| bad_columns(&manifest, &error, body))?;
        if let Some(codec) = codec(&manifest)? {
            lowering = lowering.reading(codec);
        }
        let network = file::Network::read(&manifest)?;
        let placement = manifest.engine.placement(engine.placement(), &manifest.sha256);
        let session = with_signature(&manifest, |signature| {
            Session::place(engine, network.bytes(), signature, &placement)
        })
        .map_err(|error| bad_engine(&manifest, error))?;
        let mut middle = Joints::zeros(body.joints.len());
        for (middle, limits) in middle.iter_mut().zip(&body.limits) {
            *middle = limits.position_min.midpoint(limits.position_max);
        }
        Ok(Self {
            digest: network.digest(),
            middle,
            limits: body.limits.clone(),
            correction: None,
            proof: Proof::default(),
            manifest,
            belief,
            packers,
            session,
            lowering,
        })
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

    /// What the law has to know to follow it, for at most `ticks_max` ticks.
    #[must_use]
    pub fn plan(&self, ticks_max: u64) -> Plan {
        let correction = self.correction.as_ref().map(Corrects::rule);
        Plan { correction, ..self.manifest.plan(self.digest, ticks_max) }
    }

    /// The head that corrects it in every tick, if there is one.
    #[must_use]
    pub fn corrector(&self) -> Option<Arc<Mutex<Self>>> {
        self.correction.as_ref().map(Corrects::head)
    }

    /// An ask as it will be seen in the tick of the take-over: see [`Ask::rolled_forward`].
    #[must_use]
    pub fn roll_forward(&self, ask: &Ask) -> Ask {
        ask.rolled_forward(&self.limits, self.manifest.timing.period_ms / 1e3)
    }

    /// What loading it has shown.
    #[must_use]
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// What runs it, in words.
    #[must_use]
    pub fn runs_on(&self) -> &str {
        self.session.description()
    }

    /// Why it runs on the processor although it was to run elsewhere; absent where it runs as it was to.
    #[must_use]
    pub fn fell_back(&self) -> Option<&str> {
        self.session.fell_back()
    }

    /// Makes the chunk that an ask wants, the first of a run. The chunk keeps its id; all else of it is overwritten.
    ///
    /// # Errors
    /// As [`Self::infer_in`].
    pub fn infer(
        &mut self,
        ask: &Ask,
        params: &Params,
        chunk: &mut Chunk,
    ) -> Result<(), HeadError> {
        self.infer_in(ask, &mut Context::of(*params), false, chunk)
    }

    /// The same in the course of a run, which is told by its context; `rolls`: whatever the manifest says, the observation
    /// is rolled forward to the take-over. What is remembered is what was measured, rolled forward or not.
    ///
    /// # Errors
    /// If the observation or the answer is not finite, an embedding is missing, the engine refuses, or the arm is not to
    /// be put in a pose that is asked for. The chunk then has no steps.
    pub fn infer_in(
        &mut self,
        ask: &Ask,
        context: &mut Context,
        rolls: bool,
        chunk: &mut Chunk,
    ) -> Result<(), HeadError> {
        *chunk = Chunk::answering(chunk.id, self.digest, ask);
        let Context { params, memory, embedding, clipped } = context;
        *clipped = Clipped::default();
        self.belief.observe(ask, params, memory);
        let rolls = rolls || self.manifest.timing.roll_forward;
        let rolled = rolls.then(|| self.roll_forward(ask));
        let ask = rolled.as_ref().unwrap_or(ask);
        let newest = embedding.as_ref().and_then(|slot| slot.newest());
        let embedding = newest.as_ref().map_or(&[][..], |embedding| &embedding.numbers);
        let object = self.belief.object(ask, params, memory);
        let sight = Sight { ask, params, memory, object, embedding };
        self.knows(embedding)?;
        let mut before = 0;
        for (at, packer) in self.packers.iter().enumerate() {
            let found = packer
                .see(&sight, self.session.input_mut(at))
                .map_err(|error| bad_observation(&self.manifest, before, error))?;
            *clipped = clipped.and(found, before);
            before += packer.len();
        }
        self.run(&Start::from(ask), chunk)
    }

    /// Whether the embedding is one that it can see, if it sees one.
    fn knows(&self, embedding: &[f32]) -> Result<(), HeadError> {
        let Some(encoder) = &self.manifest.encoder else { return Ok(()) };
        let features = self.manifest.inputs.iter().flat_map(|input| &input.features);
        let mut wide = features.filter(|feature| feature.name == FeatureName::Embedding);
        let what = match wide.find(|feature| feature.width() != embedding.len()) {
            None => return Ok(()),
            Some(_) if embedding.is_empty() => {
                format!("no embedding by encoder `{}` has come for this run", encoder.name)
            }
            Some(feature) => {
                let (wanted, found) = (feature.width(), embedding.len());
                format!("the embedding has {found} numbers, and {wanted} are wanted")
            }
        };
        Err(HeadError::BadObservation { file: self.manifest.path().to_path_buf(), what })
    }

    /// Fills the input tensors from raw numbers in the order of the inputs and their features.
    fn normalise(&mut self, mut raw: &[f64]) -> Result<(), HeadError> {
        let mut before = 0;
        for (at, packer) in self.packers.iter().enumerate() {
            let (these, others) = raw.split_at_checked(packer.len()).unwrap_or((raw, &[]));
            packer
                .normalise(these, self.session.input_mut(at))
                .map_err(|error| bad_observation(&self.manifest, before, error))?;
            before += packer.len();
            raw = others;
        }
        Ok(())
    }

    /// The values of the output's columns that follow from raw numbers in the order of the features.
    fn answer(&mut self, raw: &[f64]) -> Result<&[f64], HeadError> {
        self.normalise(raw)?;
        let output = self.session.run().map_err(|error| bad_engine(&self.manifest, error))?;
        self.lowering
            .decode(rows(output, &self.manifest))
            .map_err(|error| bad_action(&self.manifest, error))
    }

    /// As [`Self::infer`], from raw numbers. Nothing moves: a pose that cannot be reached from the middle of the ranges
    /// has warmed the caches all the same.
    fn rehearse(&mut self, raw: &[f64]) -> Result<(), HeadError> {
        let joints = self.middle.len();
        let mut chunk = Chunk::empty(ChunkId(0), RunId(0), self.digest, TickIndex(0), joints);
        self.normalise(raw)?;
        let velocity = Joints::zeros(joints);
        let start = Start { measured: self.middle, commanded: self.middle, velocity };
        match self.run(&start, &mut chunk) {
            Err(HeadError::Refused { .. }) => Ok(()),
            done => done,
        }
    }

    /// Runs what stands in the input tensor; half a chunk is no chunk.
    fn run(&mut self, start: &Start, chunk: &mut Chunk) -> Result<(), HeadError> {
        let output = self.session.run().map_err(|error| bad_engine(&self.manifest, error))?;
        self.lowering.lower(rows(output, &self.manifest), start, chunk).map_err(|error| {
            *chunk = Chunk::empty(chunk.id, chunk.run, chunk.head, chunk.observed, chunk.joints());
            bad_action(&self.manifest, error)
        })
    }
}

fn bad_value(manifest: &Manifest, key: String, value: String, remedy: String) -> HeadError {
    HeadError::BadValue { file: manifest.path().to_path_buf(), key, value, remedy }
}

fn bad_feature(manifest: &Manifest, at: usize, error: &FeatureError, body: &Body) -> HeadError {
    let (FeatureError::Unknown { feature, .. }
    | FeatureError::NoArm { feature, .. }
    | FeatureError::Lengths { feature }) = error;
    let features = manifest.inputs.get(at).map_or(&[][..], |input| &input.features);
    let found = features.get(*feature);
    let items = found.map_or("joints", FeatureRule::items_key);
    let mut remedy = format!("the robot \"{}\" has the joints {:?}", body.name, body.joints);
    let (key, value) = match error {
        FeatureError::Unknown { item, .. } => {
            let is_item = found.is_some_and(|found| found.items().contains(item));
            let is_yaw = found.is_some_and(|found| found.yaw.as_ref() == Some(item));
            let key = match (is_item, is_yaw) {
                (true, _) => items,
                (false, true) => "yaw",
                (false, false) => "origin",
            };
            (key, format!("\"{item}\""))
        }
        FeatureError::Lengths { .. } => (items, error.to_string()),
        FeatureError::NoArm { arm, .. } => {
            remedy = no_such_arm(body);
            ("arm", format!("\"{arm}\""))
        }
    };
    bad_value(manifest, format!("inputs[{at}].features[{feature}].{key}"), value, remedy)
}

fn bad_belief(manifest: &Manifest, error: &BeliefError, body: &Body) -> HeadError {
    let (key, value, remedy) = match error {
        BeliefError::NoJoint { key, joint } => {
            (key, joint, format!("the robot \"{}\" has the joints {:?}", body.name, body.joints))
        }
        BeliefError::NoArm { key, arm } => (key, arm, no_such_arm(body)),
    };
    bad_value(manifest, key.clone(), format!("\"{value}\""), remedy)
}

fn no_such_arm(body: &Body) -> String {
    let arms: Vec<&str> = body.arms.iter().map(|arm| arm.name.as_str()).collect();
    format!("the robot \"{}\" has the arms {arms:?}", body.name)
}

fn bad_columns(manifest: &Manifest, error: &ColumnsError, body: &Body) -> HeadError {
    let joints = format!("the robot \"{}\" has the joints {:?}", body.name, body.joints);
    let (key, remedy) = match error {
        ColumnsError::NoJoint { at, .. } => (format!("[{at}].joints"), joints),
        ColumnsError::NoArm { at, .. } => (format!("[{at}].arm"), no_such_arm(body)),
        ColumnsError::Twice { at, .. } => {
            (format!("[{at}]"), "drive each joint once, an arm's by its pose".to_owned())
        }
        ColumnsError::Undriven(_) => {
            (String::new(), format!("drive each joint of the robot once: {joints}"))
        }
        ColumnsError::Normalisation { at } => {
            (format!("[{at}]"), "give each of its lists, whole".to_owned())
        }
    };
    bad_value(manifest, format!("output.columns{key}"), error.to_string(), remedy)
}

fn bad_engine(manifest: &Manifest, error: EngineError) -> HeadError {
    let file = manifest.path().to_path_buf();
    match error {
        EngineError::Tensor { slot, wanted, found } => {
            HeadError::WrongTensor { file, key: key(slot), wanted, found }
        }
        EngineError::Shape { slot, wanted, found } => {
            HeadError::WrongShape { file, key: key(slot), wanted, found }
        }
        EngineError::NotFinite { element, value } => {
            let width = manifest.output.width().max(1);
            let column = manifest.output.column_name(element % width);
            let what = format!("step {}, column `{column}` is {value}", element / width);
            HeadError::NonFinite { file, what }
        }
        source => HeadError::Engine { file, onnx: manifest.onnx.display().to_string(), source },
    }
}

/// The tensors that a manifest says its network has.
fn with_signature<T>(manifest: &Manifest, then: impl FnOnce(&Signature<'_>) -> T) -> T {
    let shapes: Vec<_> = manifest.inputs.iter().map(Input::shape).collect();
    let named = manifest.inputs.iter().zip(&shapes);
    let inputs: Vec<_> =
        named.map(|(input, shape)| tensor(&input.tensor, shape, Element::F32)).collect();
    let shape = manifest.output.shape(manifest.timing.chunk_steps);
    let output = tensor(&manifest.output.tensor, &shape, manifest.output.element());
    then(&Signature { inputs: &inputs, output })
}

const fn tensor<'a>(name: &'a str, shape: &'a [usize], element: Element) -> TensorSpec<'a> {
    TensorSpec { name, shape, element }
}

/// The manifest's key for a tensor.
fn key(slot: Slot) -> String {
    match slot {
        Slot::Input(at) => format!("inputs[{at}].tensor"),
        Slot::Output => "output.tensor".to_owned(),
    }
}

/// What a head answered, without the rows of numbers that its chunk has no use for. Tokens are cut by their codec, which
/// alone knows what of them is a row.
fn rows<'a>(values: Values<'a>, manifest: &Manifest) -> Values<'a> {
    let len = manifest.timing.chunk_steps as usize * manifest.output.width();
    match values {
        Values::F32(values) => Values::F32(values.get(..len).unwrap_or_default()),
        tokens @ Values::I64(_) => tokens,
    }
}

/// What reads the head's tokens, if it answers in these.
fn codec(manifest: &Manifest) -> Result<Option<Codec>, HeadError> {
    let Some(tokens) = &manifest.output.tokens else { return Ok(None) };
    let file = match tokens.file() {
        None => None,
        Some((path, sha256)) => Some(file::read_tokens(manifest, path, sha256)?),
    };
    let shape = manifest.output.shape(manifest.timing.chunk_steps);
    let sizes = Sizes {
        tokens: shape.iter().product(),
        steps: manifest.timing.chunk_steps as usize,
        columns: manifest.output.width(),
    };
    let codec = Codec::compile(tokens, file.as_deref(), sizes).map_err(|error| {
        let value = tokens.file().map(|(path, _)| path.display().to_string()).unwrap_or_default();
        let remedy = format!("{error}; export it again with the head");
        bad_value(manifest, "output.tokens.file".to_owned(), value, remedy)
    })?;
    Ok(Some(codec))
}

/// `before`: numbers of the tensors before the one that could not be filled.
fn bad_observation(manifest: &Manifest, before: usize, error: PackError) -> HeadError {
    let what = match error {
        PackError::NotFinite { index, value } => {
            format!("{} is {value}", manifest.input_name(before + index))
        }
        PackError::Shape => error.to_string(),
    };
    HeadError::BadObservation { file: manifest.path().to_path_buf(), what }
}

fn bad_action(manifest: &Manifest, error: LowerError) -> HeadError {
    let file = manifest.path().to_path_buf();
    match error {
        LowerError::NotFinite { .. } => HeadError::NonFinite { file, what: error.to_string() },
        LowerError::Start { .. } | LowerError::StartJoint { .. } => {
            HeadError::BadObservation { file, what: error.to_string() }
        }
        LowerError::Pose { .. } => HeadError::Refused { file, what: error.to_string() },
        LowerError::Tokens(_) => HeadError::Tokens { file, what: error.to_string() },
        LowerError::Shape => HeadError::Engine {
            file,
            onnx: manifest.onnx.display().to_string(),
            source: EngineError::Refused(error.to_string()),
        },
    }
}

#[cfg(test)]
mod actions_test;
#[cfg(test)]
mod encoder_test;
#[cfg(test)]
pub(crate) mod jukebox_test;
#[cfg(test)]
mod manifest_test;
#[cfg(test)]
mod memory_test;
#[cfg(test)]
mod schedule_test;
#[cfg(test)]
mod tests;
