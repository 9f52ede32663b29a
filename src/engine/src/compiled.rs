//! TensorRT engines that were built ahead of time, run directly; and building them. The only door to `trt`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use trt::{CUDA_LIBRARY, Cuda, Flavour, Library, Network, TrtError};

use crate::{
    Element, EngineError, Placement, Precision, Provider, Signature, Slot, TensorSpec, Values,
    half::in_half, host, session::Runner,
};

/// The hidden command with which this program looks at a library in a child process.
pub const PROBE: &str = "probe-tensorrt";
/// The engine, in its folder of the cache.
const FILE: &str = "network.engine";
/// RTX engines are finished on the GPU that they meet.
const ANY_GPU: &str = "any";

/// Which TensorRT builds an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    /// TensorRT-RTX: on any machine, for GPUs of consecutive generations.
    Rtx,
    /// TensorRT: on a machine with the GPU that is to run it.
    Tensorrt,
}

impl From<TrtError> for EngineError {
    fn from(error: TrtError) -> Self {
        Self::Provider { provider: Provider::Compiled, reason: error.to_string() }
    }
}

fn refused(reason: impl Into<String>) -> EngineError {
    EngineError::Provider { provider: Provider::Compiled, reason: reason.into() }
}

/// What this process finds of a library that may end it: for the child that [`PROBE`] names.
///
/// # Errors
/// What is wrong with the library, the driver or the GPU.
pub fn look(library: &Path) -> Result<String, EngineError> {
    Ok(trt::look(library)?)
}

/// The library that a placement names, or else the first that is found.
fn library(placement: &Placement, is_one: impl Fn(&str) -> bool) -> Result<PathBuf, EngineError> {
    if let Some(library) = &placement.library {
        return Ok(library.clone());
    }
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| is_one(&name.to_string_lossy()));
    host::tensorrt_libraries().into_iter().find(named).ok_or_else(|| {
        refused("no TensorRT was found; install it, run `make setup-tensorrt`, or name it in inference.runtime")
    })
}

/// Where an engine for a library is kept.
fn file(placement: &Placement, library: &Library, gpu: &str) -> Result<PathBuf, EngineError> {
    let gpu = if library.flavour() == Flavour::Rtx1 { ANY_GPU } else { gpu };
    Ok(placement.key(&library.version(), gpu)?.join(FILE))
}

/// Builds an engine of a network into the cache, and says where it is.
///
/// # Errors
/// If there is no TensorRT that can, it refuses the network, or the file cannot be written.
pub fn build(
    model: &[u8],
    signature: &Signature<'_>,
    placement: &Placement,
    builder: Builder,
) -> Result<PathBuf, EngineError> {
    let path = library(placement, |name| match builder {
        Builder::Rtx => name.contains("tensorrt_rtx"),
        Builder::Tensorrt => name.starts_with("libnvinfer.so"),
    })?;
    let library = Library::open(&path)?;
    // RTX needs no GPU to build; TensorRT measures on the one that is there, and dies of a driver that is not.
    let gpu = match library.flavour() {
        Flavour::Rtx1 => ANY_GPU.to_owned(),
        _ => Cuda::open(Path::new(CUDA_LIBRARY), placement.device)?.name().to_owned(),
    };
    let half = placement.precision == Precision::Fp16;
    let halved = half.then(|| in_half(model, signature)).transpose().map_err(refused)?;
    let plan = library.build(&parser(&path), halved.as_deref().unwrap_or(model), half)?;
    let file = file(placement, &library, &gpu)?;
    let written = |error: std::io::Error| refused(format!("{}: {error}", file.display()));
    // Aside first: who reads it meanwhile gets a whole one, or none.
    let aside = file.with_extension("new");
    fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).map_err(written)?;
    fs::write(&aside, &plan).and_then(|()| fs::rename(&aside, &file)).map_err(written)?;
    Ok(file)
}

/// The ONNX parser that belongs to a library: beside it, of the same number.
fn parser(library: &Path) -> PathBuf {
    let name = library.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let number = host::version_of(library).split('.').next().unwrap_or_default();
    let parser =
        if name.contains("tensorrt_rtx") { "tensorrt_onnxparser_rtx" } else { "nvonnxparser" };
    library.with_file_name(format!("lib{parser}.so.{number}"))
}

/// An engine at work.
pub(crate) struct CompiledRunner {
    network: Network,
    /// The engine's number of each input of the signature.
    inputs: Vec<usize>,
    output: usize,
    element: Element,
}

impl CompiledRunner {
    pub(crate) fn load(
        signature: &Signature<'_>,
        placement: &Placement,
    ) -> Result<Self, EngineError> {
        let path = library(placement, |_| true)?;
        let program = env::current_exe().map_err(|error| refused(error.to_string()))?;
        trt::probe(&program, &[PROBE], &path)?;
        let library = Library::open(&path)?;
        let cuda = Cuda::open(Path::new(CUDA_LIBRARY), placement.device)?;
        let file = file(placement, &library, cuda.name())?;
        let plan = fs::read(&file).map_err(|error| {
            refused(format!("{}: {error}: build it with `reflexd compile`", file.display()))
        })?;
        Self::of(Network::load(library, cuda, &plan)?, signature)
    }

    fn of(network: Network, signature: &Signature<'_>) -> Result<Self, EngineError> {
        let find = |slot, spec: &TensorSpec<'_>, is_input: bool| {
            let tensors = network.tensors();
            let at = tensors.iter().position(|t| t.name == spec.name && t.is_input == is_input);
            let wanted = || format!("an {} tensor `{}`", spec.element, spec.name);
            let names = || tensors.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
            let at =
                at.ok_or_else(|| EngineError::Tensor { slot, wanted: wanted(), found: names() })?;
            let is_f32 = tensors[at].element == trt::Element::F32;
            if is_f32 != (spec.element == Element::F32) {
                let found = format!("{:?}", tensors[at].element);
                return Err(EngineError::Tensor { slot, wanted: wanted(), found });
            }
            spec.check(slot, &tensors[at].shape)?;
            Ok(at)
        };
        let inputs = signature.inputs.iter().enumerate();
        let inputs =
            inputs.map(|(at, spec)| find(Slot::Input(at), spec, true)).collect::<Result<_, _>>()?;
        let output = find(Slot::Output, &signature.output, false)?;
        Ok(Self { inputs, output, element: signature.output.element, network })
    }

    pub(crate) fn description(&self) -> String {
        self.network.description()
    }
}

impl Runner for CompiledRunner {
    fn input_mut(&mut self, at: usize) -> &mut [f32] {
        self.network.floats_mut(self.inputs[at])
    }

    fn run(&mut self) -> Result<Values<'_>, EngineError> {
        self.network.run()?;
        match self.element {
            Element::F32 => Values::finite(self.network.floats_mut(self.output)),
            Element::I64 => Ok(Values::I64(self.network.integers(self.output))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "a test that skips says so")]
mod tests {
    use super::*;
    use crate::{Engine, Session, session_test::network, tests::library};

    const SIGNATURE: Signature<'_> = Signature {
        inputs: &[
            TensorSpec { name: "state", shape: &[1, 27], element: Element::F32 },
            TensorSpec { name: "embedding", shape: &[1, 1024], element: Element::F32 },
        ],
        output: TensorSpec { name: "action_chunk", shape: &[1, 10, 32], element: Element::F32 },
    };

    #[test]
    fn a_network_in_half_answers_nearly_the_same() {
        let engine = Engine::start(&library()).expect("it starts");
        let model = network::head();
        let half = in_half(&model, &SIGNATURE).expect("it can be halved");
        assert!(half.len() * 2 < model.len() + 4000, "{} of {}", half.len(), model.len());
        let mut answers = Vec::new();
        for model in [&model, &half] {
            let placement = Placement { provider: Provider::OnnxRuntime, ..Placement::default() };
            let mut session = Session::place(engine, model, &SIGNATURE, &placement).expect("loads");
            for at in 0..2 {
                let input = session.input_mut(at).iter_mut().enumerate();
                input.for_each(|(k, value)| *value = (k as f32 * 0.37).sin());
            }
            let Ok(Values::F32(values)) = session.run() else { panic!("no floats") };
            answers.push(values.to_vec());
        }
        let apart = answers[0].iter().zip(&answers[1]).map(|(a, b)| (a - b).abs());
        let apart = apart.fold(0.0, f32::max);
        assert!(apart > 0.0 && apart < 0.01, "{apart}");
    }

    /// In `third_party`, if it was fetched.
    #[test]
    fn an_engine_is_built_into_the_cache_without_a_gpu() {
        let rtx = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../third_party/tensorrt-rtx/libtensorrt_rtx.so.1");
        if !rtx.is_file() {
            eprintln!(
                "skipped: there is no TensorRT-RTX; `make setup-tensorrt` fetches it (95 MB)"
            );
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let model = network::head();
        let mut placement = Placement {
            provider: Provider::Compiled,
            library: Some(rtx),
            cache: Some(folder.path().into()),
            digest: "0123456789abcdef".into(),
            ..Placement::default()
        };
        let mut sizes = Vec::new();
        for precision in [Precision::Fp32, Precision::Fp16] {
            placement.precision = precision;
            let file = build(&model, &SIGNATURE, &placement, Builder::Rtx).expect("an engine");
            let folder = file.parent().and_then(Path::file_name).expect("a folder");
            let wanted = format!("0123456789abcdef-{}-tensorrt_rtx_1.", precision.name());
            let name = folder.to_string_lossy();
            assert!(name.starts_with(&wanted) && name.ends_with("-any"), "{name}");
            sizes.push(fs::metadata(&file).expect("a file").len());
        }
        assert!(sizes[1] * 3 < sizes[0] * 2, "{sizes:?}");
    }

    /// Runs where there is a GPU; what it prints belongs into docs/engines.md.
    #[test]
    fn a_gpu_answers_as_the_processor_does() {
        let Ok(cuda) = Cuda::open(Path::new(CUDA_LIBRARY), 0) else {
            eprintln!("skipped: there is no GPU");
            return;
        };
        let placement = Placement {
            provider: Provider::Compiled,
            cache: Some(tempfile::tempdir().expect("a folder").keep()),
            digest: "0123456789abcdef".into(),
            ..Placement::default()
        };
        let Ok(path) = super::library(&placement, |name| !name.contains("lean")) else {
            eprintln!("skipped: there is no TensorRT to build with");
            return;
        };
        let builder = match Library::open(&path).expect("TensorRT").flavour() {
            Flavour::Rtx1 => Builder::Rtx,
            _ => Builder::Tensorrt,
        };
        let model = network::head();
        let file = build(&model, &SIGNATURE, &placement, builder).expect("an engine");
        let plan = fs::read(file).expect("an engine");
        let library = Library::open(&path).expect("TensorRT");
        let network = Network::load(library, cuda, &plan).expect("it loads");
        let mut gpu = CompiledRunner::of(network, &SIGNATURE).expect("the signature");
        let engine = Engine::start(&crate::tests::library()).expect("it starts");
        let mut cpu = Session::load(engine, &model, &SIGNATURE).expect("it loads");
        for at in 0..2 {
            let inputs = gpu.input_mut(at).iter_mut().zip(cpu.input_mut(at));
            inputs.enumerate().for_each(|(k, (a, b))| {
                *a = (k as f32 * 0.37).sin();
                *b = *a;
            });
        }
        let mut times = Vec::new();
        for _ in 0..2000 {
            let began = std::time::Instant::now();
            gpu.run().expect("it runs");
            times.push(began.elapsed());
        }
        times.sort();
        let (Ok(Values::F32(a)), Ok(Values::F32(b))) = (gpu.run(), cpu.run()) else {
            panic!("no floats");
        };
        let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let (p50, p99) = (times[1000], times[1980]);
        let what = gpu.description();
        eprintln!("{what}: p50 {p50:?}, p99 {p99:?}, {apart:e} from the processor");
        assert!(apart < 1e-4, "{apart}");
    }
}
