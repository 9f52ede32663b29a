//! What the world is told, as long as the door is open.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::mpsc as channel;

use crate::{
    kinematics::Arms,
    recorder::Recorder,
    telemetry::Tidings,
    wire::{Pose, Service},
};

/// What is open to the world.
pub(super) struct Door {
    pub(super) service: Arc<Service>,
    pub(super) telling: tokio::task::JoinHandle<()>,
}

impl Door {
    /// Nothing is told any more, and nobody is answered.
    pub(super) fn close(self) {
        self.telling.abort();
        drop(self.service);
    }
}

/// What there is to tell.
pub(super) struct News {
    pub(super) tidings: channel::Receiver<Tidings>,
    /// How much of it has been told.
    pub(super) told: Arc<AtomicU64>,
    pub(super) arms: Arms,
    /// Who takes it down.
    pub(super) recorder: Recorder,
}

/// Tells whatever happens, until nothing does any more.
pub(super) async fn tell_world(service: Arc<Service>, mut news: News) {
    while let Some(tidings) = news.tidings.recv().await {
        news.recorder.tell(&tidings);
        let told = match tidings {
            Tidings::Tick(present) => {
                let tool = news.arms.first().map(|arm| arm.pose(&present.tick.state.position));
                let tool = tool.map(|tool| Pose {
                    position_m: tool.position_m,
                    quaternion_xyzw: tool.quaternion_xyzw,
                });
                service.publish_present(&present, tool)
            }
            Tidings::Timing(timing) => service.publish_timing(&timing),
            Tidings::Shadows(shadows) => service.publish_shadows(&shadows),
            Tidings::Backend(told) => service.publish_backend(&told),
            Tidings::Shadow(told) => service.publish_shadow(&told),
            Tidings::Instruction(told) => service.publish_instruction(&told),
            Tidings::Router(told) => service.publish_router(&told),
            Tidings::Embedded(embedded, text) => service.publish_embedding(&embedded, &text),
            Tidings::Recorder(told) => service.publish_recorder(&told),
            Tidings::Event(kind, event) => service.publish_event(kind, &event),
        };
        if let Err(error) = told {
            tracing::warn!("not told: {error}");
        }
        news.told.fetch_add(1, Ordering::Relaxed);
    }
}
