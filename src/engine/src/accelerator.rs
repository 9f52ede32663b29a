//! ONNX Runtime's other providers, strictly: a network is theirs altogether, or refused.

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use ort::{
    ep,
    session::{Session, builder::SessionBuilder},
};

use crate::{Engine, EngineError, Placement, Precision, Provider, host, runtime::CPU};

/// A session on the provider that a placement names.
pub(crate) fn session(
    engine: &Engine,
    builder: SessionBuilder,
    model: &[u8],
    placement: &Placement,
) -> Result<Session, EngineError> {
    // Without this the runtime gives the processor whatever a provider does not take, and says nothing.
    let builder = builder.with_disable_cpu_fallback()?;
    match placement.provider {
        Provider::Cuda => cuda(builder, model, placement),
        Provider::Tensorrt => tensorrt(builder, model, placement),
        Provider::Plugin => plugin(engine, builder, model, placement),
        Provider::Compiled => {
            let reason =
                "this program was built without TensorRT: build it with `--features tensorrt`";
            Err(refused(placement, reason))
        }
        Provider::Cpu | Provider::OnnxRuntime => {
            Err(refused(placement, "it is none of ONNX Runtime's accelerators"))
        }
    }
}

fn refused(placement: &Placement, reason: impl Into<String>) -> EngineError {
    EngineError::Provider { provider: placement.provider, reason: reason.into() }
}

fn device(placement: &Placement) -> i32 {
    i32::try_from(placement.device).unwrap_or(i32::MAX)
}

fn cuda(
    builder: SessionBuilder,
    model: &[u8],
    placement: &Placement,
) -> Result<Session, EngineError> {
    // TF32 has ten bits of mantissa: whoever asks for 32 bits shall have them.
    let provider = ep::CUDA::default().with_device_id(device(placement)).with_tf32(false);
    let mut builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
    Ok(builder.commit_from_memory(model)?)
}

fn tensorrt(
    builder: SessionBuilder,
    model: &[u8],
    placement: &Placement,
) -> Result<Session, EngineError> {
    let libraries = host::tensorrt_libraries();
    let version = libraries.first().map_or("unknown", |library| host::version_of(library));
    let gpus = host::gpus();
    let gpu = gpus.get(placement.device as usize).map_or("no GPU", String::as_str);
    let folder = placement.key(&format!("tensorrt{version}"), gpu)?;
    fs::create_dir_all(&folder)
        .map_err(|error| refused(placement, format!("{}: {error}", folder.display())))?;
    let context = folder.join("context.onnx");
    let place = folder.display();
    let provider = ep::TensorRT::default()
        .with_device_id(device(placement))
        .with_fp16(placement.precision == Precision::Fp16)
        .with_bf16(placement.precision == Precision::Bf16)
        .with_engine_cache(true)
        .with_engine_cache_path(place)
        .with_timing_cache(true)
        .with_timing_cache_path(folder.display());
    let made = context.is_file();
    let provider = if made {
        provider
    } else {
        provider
            .with_dump_ep_context_model(true)
            .with_ep_context_file_path(context.display())
            .with_ep_context_embed_mode(1)
    };
    let mut builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
    Ok(if made { builder.commit_from_file(context)? } else { builder.commit_from_memory(model)? })
}

fn plugin(
    engine: &Engine,
    builder: SessionBuilder,
    model: &[u8],
    placement: &Placement,
) -> Result<Session, EngineError> {
    // The runtime takes a library once; every head after the first finds it there.
    static REGISTERED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let Some(library) = &placement.library else {
        return Err(refused(placement, "set inference.plugin to the plugin's library"));
    };
    let environment = engine.environment();
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if !registered.contains(library) {
        environment.register_ep_library(format!("reflexd-{}", registered.len()), library)?;
        registered.push(library.clone());
    }
    drop(registered);
    let devices = environment.devices().filter(|device| device.ep().is_ok_and(|ep| ep != CPU));
    let Some(device) = devices.into_iter().nth(placement.device as usize) else {
        return Err(refused(placement, format!("the plugin has no device {}", placement.device)));
    };
    Ok(builder.with_devices([device], None)?.commit_from_memory(model)?)
}
