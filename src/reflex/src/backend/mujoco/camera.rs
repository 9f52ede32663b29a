//! Pictures cast with MuJoCo's own rays: no display, no GPU, no GL, and the same pixels on every machine.

#[cfg(feature = "egl")]
mod egl;

use std::sync::Arc;

use mujoco_rs::prelude::{MjData, MjModel, MjtObjBase};

use super::SceneError;

/// Where the light comes from, metres in the world's frame.
const LIGHT_M: [f64; 3] = [0.4, -1.2, 2.4];
/// Brightness of what no light reaches.
const AMBIENT: f64 = 0.38;
/// Brightness that remains in a cast shadow, of the diffuse part.
const SHADOW: f64 = 0.25;
/// Colour where a ray hits nothing, at the horizon and at the zenith.
const SKY: [[f64; 3]; 2] = [[0.86, 0.89, 0.92], [0.55, 0.66, 0.78]];
/// A shadow's ray starts so far off its surface, not to hit it.
const CLEARANCE_M: f64 = 1e-4;

/// An RGB picture, row by row from the top left, one byte a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

/// How a camera makes its pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Renderer {
    /// By casting rays: the same everywhere.
    #[default]
    Rays,
    /// By OpenGL on EGL, for looks; a build without the `egl` feature refuses it.
    Egl,
}

/// A camera of a scene, and its rays.
pub struct Camera {
    renderer: Renderer,
    id: usize,
    width: usize,
    height: usize,
    /// Ray directions in the camera's frame, unit length.
    rays: Vec<[f64; 3]>,
    colours: Vec<[f32; 4]>,
}

impl Camera {
    pub(super) fn new(
        model: &MjModel,
        name: &str,
        (width, height): (usize, usize),
        renderer: Renderer,
    ) -> Result<Self, SceneError> {
        if renderer == Renderer::Egl && !cfg!(feature = "egl") {
            return Err(SceneError::Picture(
                "built without EGL: build with `--features egl`".into(),
            ));
        }
        let missing = || SceneError::Missing { kind: "camera", name: name.into() };
        let id = model.name_to_id(MjtObjBase::mjOBJ_CAMERA, name).ok_or_else(missing)?;
        let half = (model.cam_fovy()[id].to_radians() / 2.0).tan();
        let aspect = width as f64 / height as f64;
        let mut rays = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let x = (2.0 * (column as f64 + 0.5) / width as f64 - 1.0) * half * aspect;
                let y = (1.0 - 2.0 * (row as f64 + 0.5) / height as f64) * half;
                rays.push(unit([x, y, -1.0]));
            }
        }
        Ok(Self { renderer, id, width, height, rays, colours: colours(model) })
    }

    pub(super) fn picture(&self, data: &mut MjData<Arc<MjModel>>) -> Result<Image, SceneError> {
        match self.renderer {
            Renderer::Rays => Ok(self.cast(data)),
            #[cfg(feature = "egl")]
            Renderer::Egl => egl::draw(data, self.id, (self.width, self.height)),
            #[cfg(not(feature = "egl"))]
            Renderer::Egl => Err(SceneError::Picture("built without EGL".into())),
        }
    }

    /// One ray a pixel. `mj_multiRay` is faster, but as of 3.17 it cuts pieces off small boxes (a gripper's fingers).
    fn cast(&self, data: &mut MjData<Arc<MjModel>>) -> Image {
        let (eye, turn) = (data.cam_xpos()[self.id], data.cam_xmat()[self.id]);
        let mut rgb = Vec::with_capacity(self.rays.len() * 3);
        for ray in &self.rays {
            let ray = turned(&turn, ray);
            let mut normal = [0.0; 3];
            let (geom, far) = data.ray(&eye, &ray, None, true, None, Some(&mut normal));
            let colour = match geom {
                Some(geom) if far >= 0.0 => {
                    let bright = brightness(data, &ahead(&eye, &ray, far), &normal);
                    let [red, green, blue, _] = self.colours[geom].map(f64::from);
                    [red, green, blue].map(|channel| channel * bright)
                }
                _ => sky(&ray),
            };
            rgb.extend(colour.map(|channel| (channel * 255.0).round().clamp(0.0, 255.0) as u8));
        }
        Image { width: self.width, height: self.height, rgb }
    }
}

/// How bright a surface is: less the more it turns from the light, and in a shadow.
fn brightness(data: &mut MjData<Arc<MjModel>>, hit: &[f64; 3], normal: &[f64; 3]) -> f64 {
    let to_light = minus(&LIGHT_M, hit);
    let far = length(to_light);
    let to_light = unit(to_light);
    let facing = dot(normal, &to_light);
    if facing <= 0.0 {
        return AMBIENT;
    }
    let start = ahead(hit, &to_light, CLEARANCE_M);
    let (_, blocked) = data.ray(&start, &to_light, None, true, None, None);
    let shadowed = blocked >= 0.0 && blocked < far;
    AMBIENT + (1.0 - AMBIENT) * facing * if shadowed { SHADOW } else { 1.0 }
}

/// A geom's own colour, or its material's.
fn colours(model: &MjModel) -> Vec<[f32; 4]> {
    let materials = model.geom_matid();
    let own = model.geom_rgba().iter().zip(materials);
    own.map(|(rgba, material)| match usize::try_from(*material) {
        Ok(material) => model.mat_rgba()[material],
        Err(_) => *rgba,
    })
    .collect()
}

fn sky(ray: &[f64; 3]) -> [f64; 3] {
    let up = ray[2].clamp(0.0, 1.0);
    [0, 1, 2].map(|k| SKY[0][k] * (1.0 - up) + SKY[1][k] * up)
}

fn turned(turn: &[f64; 9], v: &[f64; 3]) -> [f64; 3] {
    [0, 3, 6].map(|row| turn[row] * v[0] + turn[row + 1] * v[1] + turn[row + 2] * v[2])
}

fn ahead(from: &[f64; 3], ray: &[f64; 3], far: f64) -> [f64; 3] {
    [0, 1, 2].map(|k| from[k] + ray[k] * far.max(0.0))
}

fn minus(a: &[f64; 3], b: &[f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn length(v: [f64; 3]) -> f64 {
    dot(&v, &v).sqrt()
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = length(v).max(1e-12);
    v.map(|value| value / length)
}
