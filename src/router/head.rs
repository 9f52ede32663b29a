//! The router's network: an embedding, robot and scene to one of four skills and six parameters. Proved before it decides.

use std::path::{Path, PathBuf};

use super::{
    BODY, BodyRule, RouterManifest, SCENE_NAMES, SKILLS, STATE, Thing, View,
    manifest::{RouterGolden, Scale},
    scene::{Body, Elsewhere},
};
use crate::{
    action,
    config::ConfigError,
    encoder::{EncodeError, Encoder, Identity, Look, WIDTH, Words},
    head::{FeatureRule, digest_of},
    inference::{Element, Engine, EngineError, Session, Signature, TensorSpec, Values},
};

/// How many numbers a router's head sees.
const INPUT: usize = WIDTH + STATE;

/// Largest network in bytes; the one of 814,090 weights has 3.3 million.
const ONNX_MAX_BYTES: u64 = 64 << 20;

/// Why a router's head is refused.
#[derive(Debug, thiserror::Error)]
pub enum RouterHeadError {
    /// Its manifest.
    #[error(transparent)]
    Manifest(#[from] ConfigError),
    /// It is for another robot.
    #[error("{}: robot = {found:?}, but this robot is {wanted:?}: give it the head that was trained for it", file.display())]
    OtherRobot {
        /// The manifest.
        file: PathBuf,
        /// The manifest's robot.
        found: String,
        /// This robot.
        wanted: String,
    },
    /// Its encoder is one of this program, but of another version.
    #[error(
        "{}: encoder.fingerprint = {wanted}, but the encoder {name:?} of this program has {found}: its embeddings mean \
         something else to this head; train it again (models/training), or run the program that it was trained with",
        file.display()
    )]
    OtherEncoder {
        /// The manifest.
        file: PathBuf,
        /// The encoder's name.
        name: String,
        /// The manifest's fingerprint.
        wanted: String,
        /// The program's.
        found: String,
    },
    /// The engine does not load or run it.
    #[error("{}: onnx = `{}`: {source}; export it again", file.display(), network.display())]
    Engine {
        /// The manifest.
        file: PathBuf,
        /// The network.
        network: PathBuf,
        /// The engine's words.
        source: EngineError,
    },
    /// It answers something else than what was exported.
    #[error(
        "{}: golden[{at}].{key}[{column}] = {wanted}, this engine gives {got}, which is more than tolerance = {tolerance} \
         away: network, normalisation or encoder are not what was exported; export again",
        file.display()
    )]
    Golden {
        /// The manifest.
        file: PathBuf,
        /// Which golden vector.
        at: usize,
        /// Which of its lists.
        key: &'static str,
        /// Which number.
        column: usize,
        /// The manifest's.
        wanted: f64,
        /// This engine's.
        got: f64,
        /// How far they may be apart.
        tolerance: f64,
    },
}

/// What the network answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How sure it is of each of [`SKILLS`]; together 1.
    pub probabilities: [f64; 4],
    /// Target x, y, z, radius, speed, whether it is a berry; as the network has them.
    pub params: [f64; 6],
    /// Names of the inputs that are further from what it was trained on than its clip.
    pub out_of_distribution: Vec<String>,
}

impl Answer {
    /// The likeliest skill's number, and how sure the network is of it.
    #[must_use]
    pub fn choice(&self) -> (usize, f64) {
        let likelier = |best: (usize, f64), (at, p): (usize, &f64)| {
            if *p > best.1 { (at, *p) } else { best }
        };
        self.probabilities.iter().enumerate().fold((0, f64::NEG_INFINITY), likelier)
    }
}

/// How it sees robot and scene.
#[derive(Debug)]
enum Sees {
    /// As this project's routers do.
    Scene(Box<Body>),
    /// As one does that was made elsewhere.
    Features(Box<Elsewhere>),
}

/// What comes out of the network, in its units.
struct Raw {
    logits: [f64; 4],
    params: [f64; 6],
    /// Names of inputs beyond the clip.
    strange: Vec<String>,
}

/// A router's head, ready to answer.
#[derive(Debug)]
pub struct RouterHead {
    manifest: RouterManifest,
    sees: Sees,
    names: Vec<String>,
    /// A network has one output here: one session for each.
    skills: Session,
    params: Session,
}

impl RouterHead {
    /// Loads a head for a robot and proves it.
    ///
    /// # Errors
    /// If anything of it is not as its manifest says, it is not for this robot, or not for this program's encoder.
    pub fn load(
        file: &Path,
        robot: &action::Body,
        engine: &Engine,
    ) -> Result<Self, RouterHeadError> {
        let manifest = RouterManifest::load(file)?;
        if manifest.robot != robot.name {
            return Err(RouterHeadError::OtherRobot {
                file: file.to_owned(),
                found: manifest.robot.clone(),
                wanted: robot.name.clone(),
            });
        }
        check_encoder(&manifest, Words.identity())?;
        let rule = &manifest.state;
        let sees = sees(&manifest, robot)?;
        let network = read(&manifest)?;
        let session = |output: &'static str, width: usize| {
            let input = [TensorSpec { name: "x", shape: &[1, INPUT], element: Element::F32 }];
            let output = TensorSpec { name: output, shape: &[1, width], element: Element::F32 };
            Session::load(engine, &network, &Signature { inputs: &input, output })
                .map_err(|source| engine_error(&manifest, source))
        };
        let (skills, params) = (session("skill_logits", 4)?, session("params", 6)?);
        let names = match &sees {
            Sees::Scene(_) => names(&rule.body),
            Sees::Features(_) => rule.features.iter().flat_map(FeatureRule::names).collect(),
        };
        let mut head = Self { sees, names, skills, params, manifest };
        head.prove()?;
        Ok(head)
    }

    /// Its manifest.
    #[must_use]
    pub const fn manifest(&self) -> &RouterManifest {
        &self.manifest
    }

    /// Whether it was trained with what has this fingerprint; otherwise why not, with the remedy.
    ///
    /// # Errors
    /// The reason.
    pub fn fits(&self, encoder: &str, fingerprint: &str) -> Result<(), String> {
        let wanted = &self.manifest.encoder;
        if fingerprint.eq_ignore_ascii_case(&wanted.fingerprint) {
            return Ok(());
        }
        Err(format!(
            "the embedding is of encoder {encoder:?} with fingerprint {fingerprint}, but {} was trained with {:?} and \
             {}: run that encoder, or train a head for this one",
            self.manifest.path().display(),
            wanted.name,
            wanted.fingerprint
        ))
    }

    /// Robot and scene as it sees them.
    #[must_use]
    pub fn state(&self, view: View<'_>, things: &[Thing]) -> [f64; STATE] {
        match &self.sees {
            Sees::Scene(body) => body.state(view, things),
            Sees::Features(elsewhere) => elsewhere.state(view, things),
        }
    }

    /// What it makes of an embedding and a state.
    ///
    /// # Errors
    /// A number that is not finite, by name; or the engine's words.
    pub fn answer(
        &mut self,
        embedding: &[f32; WIDTH],
        state: &[f64; STATE],
    ) -> Result<Answer, String> {
        let Raw { logits, params, strange } = self.run(embedding, state)?;
        Ok(Answer { probabilities: softmax(logits), params, out_of_distribution: strange })
    }

    fn run(&mut self, embedding: &[f32; WIDTH], state: &[f64; STATE]) -> Result<Raw, String> {
        let clip = self.manifest.clip;
        let mut x = [0.0_f32; INPUT];
        let (words, rest) = x.split_at_mut(WIDTH);
        for (at, (slot, value)) in words.iter_mut().zip(embedding).enumerate() {
            // Finiteness first: a NaN would pass the bounds.
            if !value.is_finite() {
                return Err(format!("embedding[{at}] is {value}"));
            }
            *slot = clipped(normalised(&self.manifest.embedding, at, f64::from(*value)), clip);
        }
        let mut strange = Vec::new();
        for (at, (slot, value)) in rest.iter_mut().zip(state).enumerate() {
            if !value.is_finite() {
                return Err(format!("{} is {value}", self.names[at]));
            }
            let z = (value - self.manifest.state.mean[at]) / self.manifest.state.std[at];
            if z.abs() > clip {
                strange.push(self.names[at].clone());
            }
            *slot = clipped(z, clip);
        }
        let mut logits = [0.0; 4];
        answers(&mut self.skills, &x, &mut logits)?;
        let mut params = [0.0; 6];
        answers(&mut self.params, &x, &mut params)?;
        for (at, param) in params.iter_mut().enumerate() {
            *param = *param * self.manifest.params.std[at] + self.manifest.params.mean[at];
        }
        Ok(Raw { logits, params, strange })
    }

    fn prove(&mut self) -> Result<(), RouterHeadError> {
        for (at, golden) in self.manifest.golden.clone().iter().enumerate() {
            let embedding = self.golden_embedding(at, golden)?;
            let mut state = [0.0; STATE];
            state.copy_from_slice(&golden.state);
            let Raw { logits, params, .. } = self.run(&embedding, &state).map_err(|words| {
                engine_error(&self.manifest, EngineError::Refused(format!("golden[{at}]: {words}")))
            })?;
            compare(&self.manifest, at, golden, ("logits", &golden.logits, &logits))?;
            compare(&self.manifest, at, golden, ("params", &golden.params, &params))?;
        }
        Ok(())
    }

    fn golden_embedding(
        &self,
        at: usize,
        golden: &RouterGolden,
    ) -> Result<[f32; WIDTH], RouterHeadError> {
        let mut embedding = [0.0; WIDTH];
        if let Some(numbers) = &golden.embedding {
            embedding.copy_from_slice(numbers);
            return Ok(embedding);
        }
        let text = golden.instruction.as_deref().unwrap_or_default();
        let key = || format!("golden[{at}].instruction");
        if self.manifest.encoder.name != Words.identity().name {
            let remedy = "this program has no such encoder built in: give the embedding instead";
            return Err(self.manifest.no(key(), text, remedy).into());
        }
        let encoded: Result<_, EncodeError> = Words.embed(&Look { instruction: text, image: None });
        Ok(*encoded.map_err(|error| self.manifest.no(key(), text, error.to_string()))?)
    }
}

fn sees(manifest: &RouterManifest, robot: &action::Body) -> Result<Sees, ConfigError> {
    let rule = &manifest.state;
    let arms: Vec<&str> = robot.arms.iter().map(|arm| arm.name.as_str()).collect();
    let remedy = || format!("this robot has the joints {:?} and the arms {arms:?}", robot.joints);
    if !rule.features.is_empty() {
        let sees = Elsewhere::compile(&rule.features, &robot.joints, &robot.arms);
        return sees
            .map(|sees| Sees::Features(Box::new(sees)))
            .map_err(|error| manifest.no("state.features", error.to_string(), remedy()));
    }
    let hand = rule.hand.as_deref().unwrap_or_default();
    let body = Body::compile(&rule.body, hand, &robot.joints, &robot.arms);
    let body = body.map_err(|(key, name)| manifest.no(key, name, remedy()))?;
    if body.len() != BODY {
        let remedy = format!("name {BODY} numbers in all");
        return Err(manifest.no("state.body", body.len(), remedy));
    }
    Ok(Sees::Scene(Box::new(body)))
}

/// A head for an encoder that is built in has to be for this version of it.
fn check_encoder(manifest: &RouterManifest, words: &Identity) -> Result<(), RouterHeadError> {
    let of = &manifest.encoder;
    if of.name != words.name || of.fingerprint.eq_ignore_ascii_case(&words.fingerprint) {
        return Ok(());
    }
    Err(RouterHeadError::OtherEncoder {
        file: manifest.path().to_owned(),
        name: of.name.clone(),
        wanted: of.fingerprint.clone(),
        found: words.fingerprint.clone(),
    })
}

fn read(manifest: &RouterManifest) -> Result<Vec<u8>, RouterHeadError> {
    let network = manifest.network();
    let shown = network.display().to_string();
    let size = std::fs::metadata(&network).map(|file| file.len());
    if size.as_ref().is_ok_and(|size| *size > ONNX_MAX_BYTES) {
        let remedy = format!("larger than {ONNX_MAX_BYTES} bytes: that is no router's head");
        return Err(manifest.no("onnx", shown, remedy).into());
    }
    let bytes = std::fs::read(&network).map_err(|error| {
        manifest.no("onnx", &shown, format!("{error}; put the file beside the manifest"))
    })?;
    let found = digest_of(&bytes);
    if !found.eq_ignore_ascii_case(&manifest.sha256) {
        let remedy = format!("{shown} has {found}: restore the file, or export it again");
        return Err(manifest.no("sha256", &manifest.sha256, remedy).into());
    }
    Ok(bytes)
}

fn engine_error(manifest: &RouterManifest, source: EngineError) -> RouterHeadError {
    let file = manifest.path().to_owned();
    RouterHeadError::Engine { file, network: manifest.network(), source }
}

fn normalised(scale: &Scale, at: usize, value: f64) -> f64 {
    let of = |list: &[f64]| list[if list.len() == 1 { 0 } else { at }];
    (value - of(&scale.mean)) / of(&scale.std)
}

#[expect(clippy::cast_possible_truncation, reason = "networks have single precision")]
fn clipped(z: f64, clip: f64) -> f32 {
    z.max(-clip).min(clip) as f32
}

fn answers(session: &mut Session, x: &[f32], into: &mut [f64]) -> Result<(), String> {
    session.input_mut(0).copy_from_slice(x);
    match session.run().map_err(|error| error.to_string())? {
        Values::F32(values) if values.len() == into.len() => {
            into.iter_mut().zip(values).for_each(|(into, value)| *into = f64::from(*value));
            Ok(())
        }
        _ => Err("the network's answer has another shape than it had when it was loaded".into()),
    }
}

fn softmax(logits: [f64; 4]) -> [f64; 4] {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = logits.map(|logit| (logit - most).exp());
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

fn compare(
    manifest: &RouterManifest,
    at: usize,
    golden: &RouterGolden,
    (key, wanted, got): (&'static str, &[f64], &[f64]),
) -> Result<(), RouterHeadError> {
    for (column, (&wanted, &got)) in wanted.iter().zip(got).enumerate() {
        let near = (wanted - got).abs() <= golden.tolerance;
        if !near {
            let (file, tolerance) = (manifest.path().to_owned(), golden.tolerance);
            return Err(RouterHeadError::Golden { file, at, key, column, wanted, got, tolerance });
        }
    }
    Ok(())
}

/// What each number of the state is called.
fn names(body: &[BodyRule]) -> Vec<String> {
    let mut names = Vec::with_capacity(STATE);
    for rule in body {
        let (what, items) = match rule {
            BodyRule::JointPosition { joints } => ("joint_position".to_owned(), joints),
            BodyRule::JointVelocity { joints } => ("joint_velocity".to_owned(), joints),
            BodyRule::PreviousAction { joints } => ("previous_action".to_owned(), joints),
            BodyRule::ToolPosition { arm, axes } => (format!("tool_position {arm}"), axes),
        };
        names.extend(items.iter().map(|item| format!("{what} {item}")));
    }
    let slot = |slot: usize| SCENE_NAMES.map(|name| format!("scene slot {slot} {name}"));
    names.extend((0..SKILLS.len()).flat_map(slot));
    names
}
