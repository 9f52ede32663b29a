//! The router at work: what is said and seen becomes embeddings and, if it is told to, decisions. One at a time, of the
//! newest frame: what came in between is not caught up with.

use std::{
    collections::BTreeMap,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;
use motion::Joints;
use reflex::clock::monotonic_now;
use serde_json::json;

use super::EncoderArguments;
use crate::{
    cli::{CliError, Exit},
    config::{Settings, Shown},
    daemon,
    encoder::{EncodeError, Encoder, Look, RgbImage},
    picture::decode_jpeg,
    router::{Embedded, Instruction, RouterHead, Thing, View, decide},
    skill::registry::{Bounds, RegistryFile},
    wire::{DecisionMessage, RouterLink, Sight, said_of},
};

/// How often a router that has nothing to do looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the daemon may take to answer a decision.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The daemon's configuration: its robot, endpoint and router's head.
    #[arg(long, value_name = "FILE", default_value = "config/daemon.toml")]
    config: PathBuf,
    /// Where the daemon listens, instead of the configuration's first endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    connect: Option<String>,
    /// Who this is to the robot: a file of `reflexctl certs`; REFLEX_CREDENTIALS, if left out.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// The authority whose certificates are believed, for tls/ endpoints.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// This router's certificate.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Its private key.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The Ed25519 key that embeddings and decisions are signed with; its name is the signer's.
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// The camera that is looked through, by encoders that look.
    #[arg(long, value_name = "NAME")]
    camera: Option<String>,
    /// Decide as well: for daemons with router.where = "process".
    #[arg(long)]
    decide: bool,
    #[command(flatten)]
    encoder: EncoderArguments,
}

/// What decides, where this process does.
struct Decider {
    head: RouterHead,
    bounds: BTreeMap<String, Bounds>,
    confidence_min: f64,
}

pub(super) fn run(
    arguments: &RunArguments,
    json: bool,
    out: &mut impl Write,
) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config)?;
    let mut decider = arguments.decide.then(|| Decider::load(&settings)).transpose()?;
    let mut encoder = arguments.encoder.open()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| CliError::Words(format!("the asynchronous runtime: {error}")))?;
    let _inside = runtime.enter();
    let quits = Arc::new(AtomicBool::new(false));
    let quit = Arc::clone(&quits);
    runtime.spawn(async move {
        daemon::wait_for_signal().await;
        quit.store(true, Ordering::Release);
    });
    let given = Shown {
        ca: arguments.ca.clone(),
        certificate: arguments.certificate.clone(),
        key: arguments.key.clone(),
        sign_key: arguments.sign_key.clone(),
    };
    let (file, shown) = given.completed(arguments.credentials.as_deref())?;
    let credentials = shown.load().map_err(CliError::Usage)?;
    let endpoint = arguments.connect.clone().or(file.connect);
    let endpoint = endpoint.or_else(|| settings.daemon.zenoh.listen.first().cloned());
    let endpoints: Vec<String> = endpoint.into_iter().collect();
    let robot = &settings.robot_settings.name;
    let camera = arguments.camera.as_deref();
    let link = RouterLink::connect(&credentials, robot, &endpoints, camera, ANSWER_WITHIN)
        .map_err(|error| {
            CliError::Words(format!("{error}; is reflexd running there? `reflexctl status` tells"))
        })?;
    let identity = encoder.identity().clone();
    let ready = json!({ "robot": robot, "endpoints": endpoints, "encoder": identity, "decides": decider.is_some() });
    if json {
        writeln!(out, "{ready}")?;
    } else {
        let does = if decider.is_some() { "embeddings and decisions" } else { "embeddings" };
        writeln!(out, "{robot} at {}: {does} by {:?}", endpoints.join(", "), identity.name)?;
    }
    out.flush()?;
    let mut seen = 0;
    let mut done = Done::default();
    while !quits.load(Ordering::Acquire) {
        let (sight, now) = link.look(seen, LOOK_EVERY);
        seen = now;
        let Some(said) = said_of(&sight.instruction) else { continue };
        if let Err(words) =
            work(&link, encoder.as_mut(), decider.as_mut(), (&sight, &said), &mut done)
        {
            tracing::warn!(instruction_id = said.id, "{words}");
        }
    }
    tracing::info!("coming to an end");
    Ok(Exit::Done)
}

/// What was done about the newest instruction.
#[derive(Default)]
struct Done {
    id: String,
    /// When the frame was taken that was encoded last; nothing if none was wanted.
    frame_ns: Option<u64>,
    /// Whether it came to nothing, so that nothing more is tried.
    failed: bool,
}

fn work(
    link: &RouterLink,
    encoder: &mut dyn Encoder,
    decider: Option<&mut Decider>,
    (sight, said): (&Sight, &Instruction),
    done: &mut Done,
) -> Result<(), String> {
    let is_new = done.id != said.id;
    let waits = sight.instruction["outcome"] == "waiting";
    let frame_ns = sight.frame.as_ref().map(|(_, at_ns)| *at_ns);
    // A run goes on: its head may fuse what is seen now. Words stay what they are.
    let sees_more = !is_new
        && !done.failed
        && frame_ns > done.frame_ns
        && matches!(sight.instruction["outcome"].as_str(), Some("waiting" | "began"));
    if !(is_new && waits || sees_more) {
        return Ok(());
    }
    let image = image(sight)?;
    let began = monotonic_now();
    let encoded = encoder.embed(&Look { instruction: &said.text, image: image.as_ref() });
    let latency_ms = monotonic_now().0.saturating_sub(began.0) as f64 / 1e6;
    let embedding = match encoded {
        // The next look may have one.
        Err(EncodeError::NoImage { .. }) => return Ok(()),
        Err(error) => {
            *done = Done { id: said.id.clone(), frame_ns, failed: true };
            return Err(error.to_string());
        }
        Ok(embedding) => embedding,
    };
    *done = Done { id: said.id.clone(), frame_ns, failed: false };
    let identity = encoder.identity();
    let at_ns = frame_ns.or_else(|| sight.joints["at_ns"].as_u64()).unwrap_or_default();
    let embedded = Embedded {
        embedding,
        at_ns,
        instruction_id: said.id.clone(),
        encoder: identity.name.clone(),
        fingerprint: identity.fingerprint.clone(),
        latency_ms,
    };
    link.embed(&embedded, &said.text).map_err(|error| error.to_string())?;
    tracing::info!(instruction_id = said.id, latency_ms, "embedded {:?}", said.text);
    match decider {
        Some(decider) if is_new => decider.decide(link, sight, said, &embedded),
        _ => Ok(()),
    }
}

fn image(sight: &Sight) -> Result<Option<RgbImage>, String> {
    let Some((jpeg, _)) = &sight.frame else { return Ok(None) };
    let frame = decode_jpeg(jpeg).map_err(|error| error.to_string())?;
    let size = |length: usize| u32::try_from(length).unwrap_or_default();
    let image = RgbImage::from_raw(size(frame.width), size(frame.height), frame.rgb);
    image.map(Some).ok_or_else(|| "the camera's picture is not of its size".into())
}

impl Decider {
    fn load(settings: &Settings) -> Result<Self, CliError> {
        let head = daemon::router_head(settings)?.ok_or_else(|| {
            let file = settings.file.display();
            CliError::Usage(format!(
                "{file}: router.head is absent: name the head that is to decide"
            ))
        })?;
        let mut bounds = BTreeMap::new();
        if let Some(file) = &settings.daemon.registry {
            let registry = RegistryFile::load(file)?;
            for (skill, entry) in &registry.skills {
                if let Some(robot) = entry.robots.get(&settings.robot_settings.name) {
                    bounds.insert(skill.clone(), robot.bounds);
                }
            }
        }
        let confidence_min =
            settings.daemon.router.as_ref().map_or(0.0, |router| router.confidence_min);
        Ok(Self { head, bounds, confidence_min })
    }

    fn decide(
        &mut self,
        link: &RouterLink,
        sight: &Sight,
        said: &Instruction,
        embedded: &Embedded,
    ) -> Result<(), String> {
        let joints = |key: &str| -> Result<Joints, String> {
            let told: Vec<f64> = serde_json::from_value(sight.joints[key].clone())
                .map_err(|_| format!("state/joints has no {key}, or not of every joint"))?;
            Joints::from_slice(&told).ok_or_else(|| format!("{key} has too many joints"))
        };
        let position = joints("position_rad_or_m")?;
        let velocity = joints("velocity_rad_or_m_per_s")?;
        let commanded = joints("commanded_rad_or_m")?;
        let view = View { position: &position, velocity: &velocity, commanded: &commanded };
        let things: &[Thing] = if said.things.is_empty() { &sight.things } else { &said.things };
        let bounds = |skill: &str| self.bounds.get(skill).copied();
        let decided =
            decide(&mut self.head, (said, embedded), (view, things), self.confidence_min, bounds)?;
        let told = decided.tell();
        let decision = decided.decision.map_err(|kept| kept.reason)?;
        let verdict = link.decide(&DecisionMessage::from(&decision)).map_err(|e| e.to_string())?;
        tracing::info!(instruction_id = said.id, %told, %verdict, "decided");
        Ok(())
    }
}
