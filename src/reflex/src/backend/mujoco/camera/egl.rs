//! Pictures for looks: drawn by OpenGL on a surfaceless EGL display, hardware or software.
//!
//! Not the same pixels on every machine; needs libEGL (Debian: libegl1 and libgl1-mesa-dri), found at run time.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use mujoco_rs::{
    prelude::{MjData, MjModel, MjvCamera},
    renderer::MjRenderer,
};

use super::Image;
use crate::backend::mujoco::SceneError;

thread_local! {
    /// A GL context belongs to the thread that made it: each thread that draws has its own, by camera and size.
    static RENDERERS: RefCell<BTreeMap<(usize, usize, usize), MjRenderer>> = RefCell::default();
}

pub(super) fn draw(
    data: &mut MjData<Arc<MjModel>>,
    camera: usize,
    (width, height): (usize, usize),
) -> Result<Image, SceneError> {
    let failed = |error: &dyn std::fmt::Display| {
        let words = format!("EGL: {error}; install libegl1 and libgl1-mesa-dri, or choose rays");
        SceneError::Picture(words)
    };
    RENDERERS.with_borrow_mut(|renderers| {
        let key = (camera, width, height);
        if !renderers.contains_key(&key) {
            let renderer = MjRenderer::builder()
                .width(u32::try_from(width).unwrap_or(0))
                .height(u32::try_from(height).unwrap_or(0))
                .camera(MjvCamera::new_fixed(camera))
                .build(data.model())
                .map_err(|error| failed(&error))?;
            renderers.insert(key, renderer);
        }
        let Some(renderer) = renderers.get_mut(&key) else {
            return Err(failed(&"no renderer"));
        };
        renderer.sync_data(data).map_err(|error| failed(&error))?;
        renderer.render().map_err(|error| failed(&error))?;
        let rgb = renderer.rgb_flat().ok_or_else(|| failed(&"no picture"))?.to_vec();
        Ok(Image { width, height, rgb })
    })
}
