//! Puts one picture together, far to near: environment, post, second plate, sign, what is in front of it.

use crate::blur;
use crate::camera_pose::{PlatePose, ScenePose};
use crate::canvas::{Canvas, Rgb};
use crate::config::{FurnitureConfig, PostKind, SceneConfig, SecondPlate};
use crate::corner_case;
use crate::environment::{self, Light, View};
use crate::geometry::Camera;
use crate::num::floor_small;
use crate::plate::{self, Face, PlateScene, Projection};
use crate::post::Post;
use crate::shadow::Shadow;
use crate::supplement::Supplement;
use crate::surface::Surface;
use crate::unseen;

/// Samples of a polygon of the environment that a pixel of the picture is the mean of, at least.
const BACKGROUND_SAMPLES: f32 = 4.0;

/// Canvas pixels an output pixel, each way, in which the environment is painted.
///
/// Its polygons are sampled once a canvas pixel. A pixel then is the mean over its own area of 1 and over
/// the 4 pi sigma^2 of the Gaussian of the background's defocus (the area of a kernel is one over the
/// integral of its square), so that the number of samples is scale^2 (1 + 4 pi sigma^2). A stronger
/// blur needs a coarser canvas.
fn background_scale(config: &SceneConfig, pose: &ScenePose) -> f32 {
    let sigma = 0.5 * config.formation.background_defocus_px * pose.scale();
    let area = 1.0 + 4.0 * core::f32::consts::PI * sigma * sigma;
    (BACKGROUND_SAMPLES / area).sqrt().clamp(1.0, 2.0)
}

/// Buffers that are reused from picture to picture; one a thread.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) background: Canvas,
    /// Colour of what nothing in the picture depends on; a test changes it.
    pub(crate) unseen: Rgb,
    /// Linear radiance of the picture.
    pub(crate) canvas: Canvas,
    /// Coverage by the sign, 0 to 1.
    pub(crate) mask: Vec<f32>,
    /// For the blurs.
    pub(crate) spare: Vec<Rgb>,
}

impl Scratch {
    /// Buffers for pictures of `size` x `size` pixels.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let empty = || Canvas::new(0, 0, Rgb::default());
        let mut scratch = Self {
            background: empty(),
            unseen: Rgb::default(),
            canvas: empty(),
            mask: Vec::new(),
            spare: Vec::new(),
        };
        scratch.fit(size);
        scratch
    }

    /// Make the buffers fit pictures of `size` x `size` pixels.
    pub fn fit(&mut self, size: usize) {
        if self.canvas.width != size {
            self.canvas = Canvas::new(size, size, Rgb::default());
            self.mask = vec![0.0; size * size];
        }
    }
}

/// Where the background comes from.
#[derive(Clone, Copy, Debug)]
pub enum Background<'a> {
    /// Painted by the environment of the configuration.
    Painted,
    /// A photograph, in linear light, stretched over the picture.
    Photograph(&'a Canvas),
}

/// Fill the scratch canvas with the scene and the scratch mask with the sign's visible coverage.
pub fn compose<F: Face>(
    config: &SceneConfig,
    face: &F,
    light: &Light,
    background: Background<'_>,
    scratch: &mut Scratch,
) {
    let size = scratch.canvas.width;
    let pose = ScenePose::new(&config.pose, size);
    match background {
        Background::Painted => {
            let scale = background_scale(config, &pose);
            paint_environment(config, face, &pose, light, scale, &mut scratch.background);
            scratch.background.fill_unseen(scratch.unseen);
            resample(&scratch.background, scale, &pose, &mut scratch.canvas);
        }
        Background::Photograph(photo) => stretch(photo, &mut scratch.canvas),
    }
    let radius = config.formation.background_defocus_px * pose.scale();
    blur::defocus(&mut scratch.canvas, radius);
    corner_case::behind(config, &pose, light, &mut scratch.canvas);
    paint_sign(config, face, &pose, light, scratch);
    let Scratch { canvas, mask, spare, .. } = scratch;
    corner_case::in_front(config, face, &pose, light, canvas, mask, spare);
}

/// Paint the environment with an ideal pinhole, wide enough for the lens to look beyond the frame.
fn paint_environment<F: Face>(
    config: &SceneConfig,
    face: &F,
    pose: &ScenePose,
    light: &Light,
    focal_scale: f32,
    canvas: &mut Canvas,
) {
    let side = background_side(pose, focal_scale);
    if canvas.width == side && canvas.height == side {
        canvas.pixels.fill(Rgb::default());
    } else {
        *canvas = Canvas::new(side, side, Rgb::default());
    }
    let centre = 0.5 * side as f32;
    let view = View {
        camera: Camera {
            focal_px: pose.camera.focal_px * focal_scale,
            centre_x: centre,
            centre_y: centre,
            ..pose.camera
        },
        road_bearing: pose.road_bearing,
        kerb_x: pose.kerb_x,
        light: *light,
        season: config.season,
        seed: config.layout_seed,
    };
    // what the defocus of the background carries from behind the sign to beside it must be there
    let margin = blur::reach(config.formation.background_defocus_px * pose.scale()) + 1.5;
    unseen::mark(face, pose, focal_scale, margin, canvas);
    environment::paint(config.environment, &view, canvas);
}

/// Side of the background canvas.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a canvas side below 4,096"
)]
fn background_side(pose: &ScenePose, scale: f32) -> usize {
    let size = 2.0 * pose.lens.centre;
    let margin = 1.0 + pose.lens.k1.max(0.0);
    (size * margin * scale + 0.999) as usize
}

/// Look at the background through the lens: one bilinear sample at the centre of each output pixel,
/// which for an undistorted lens and two canvas pixels a pixel is the mean of its 2 x 2 canvas pixels.
fn resample(background: &Canvas, scale: f32, pose: &ScenePose, out: &mut Canvas) {
    let shift = 0.5 * background.width as f32;
    let width = out.width;
    // a row of positions first: that is arithmetic on rows, which processors do several pixels at a time
    let centres: Vec<f32> = (0..width).map(|x| x as f32 + 0.5).collect();
    let mut places = vec![(0.0, 0.0); width];
    for (y, row) in out.pixels.chunks_exact_mut(width).enumerate() {
        let yc = y as f32 + 0.5;
        for (place, &xc) in places.iter_mut().zip(&centres) {
            let (ix, iy) = pose.lens.undistort(xc, yc);
            let bx = (ix - pose.lens.centre) * scale + shift;
            let by = (iy - pose.lens.centre) * scale + shift;
            *place = (bx, by);
        }
        for (pixel, &(bx, by)) in row.iter_mut().zip(&places) {
            *pixel = bilinear(background, bx, by);
        }
    }
}

/// [`Canvas::sample`] without library calls.
#[expect(clippy::cast_sign_loss, reason = "clamped to the canvas")]
#[inline]
fn bilinear(canvas: &Canvas, x: f32, y: f32) -> Rgb {
    let x = (x - 0.5).clamp(0.0, (canvas.width - 1) as f32 - 0.001);
    let y = (y - 0.5).clamp(0.0, (canvas.height - 1) as f32 - 0.001);
    let (x0, y0) = (floor_small(x), floor_small(y));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = y0 as usize * canvas.width + x0 as usize;
    let below = at + canvas.width;
    let top = canvas.pixels[at].mix(canvas.pixels[at + 1], fx);
    let bottom = canvas.pixels[below].mix(canvas.pixels[below + 1], fx);
    top.mix(bottom, fy)
}

fn stretch(photo: &Canvas, out: &mut Canvas) {
    let (kx, ky) = (photo.width as f32 / out.width as f32, photo.height as f32 / out.height as f32);
    let width = out.width;
    for (i, pixel) in out.pixels.iter_mut().enumerate() {
        let (x, y) = ((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        *pixel = photo.sample(x * kx, y * ky);
    }
}

/// Post, second plate and sign.
fn paint_sign<F: Face>(
    config: &SceneConfig,
    face: &F,
    pose: &ScenePose,
    light: &Light,
    scratch: &mut Scratch,
) {
    let furniture = &config.furniture;
    let half = face.half_mm();
    let shadow = Shadow::new(&config.light);
    let bolts = if furniture.bolts {
        vec![[0.0, 0.52 * half[1]], [0.0, -0.52 * half[1]]]
    } else {
        Vec::new()
    };
    let surface = Surface::new(&config.surface, half, bolts);
    let scene = PlateScene {
        pose,
        plate: pose.plate,
        light,
        shadow: &shadow,
        headlamp: config.light.headlamp,
        surface: &surface,
        rim_depth_mm: furniture.rim_depth_mm,
        gloss_width_deg: config.surface.gloss_width_deg,
    };
    let size = scratch.canvas.width;
    let projection = Projection::new(face, &scene, size);
    let post = Post::new(furniture, &pose.plate, half);
    let hidden = |px, py| projection.covers(px, py);
    post.paint(pose, light, &pose.plate, face, hidden, &mut scratch.canvas);
    if let Some((second, plate)) = second_plate(furniture, &pose.plate, half) {
        let mut aged = config.surface;
        aged.seed ^= 0x5851_f42d;
        aged.stickers = 0;
        let surface = Surface::new(&aged, second.half_mm(), Vec::new());
        let scene = PlateScene { plate, surface: &surface, ..scene };
        let projection = Projection::new(&second, &scene, size);
        plate::paint(&second, &scene, &projection, &mut scratch.canvas, None);
    }
    scratch.mask.fill(0.0);
    let mask = Some(&mut scratch.mask[..]);
    plate::paint(face, &scene, &projection, &mut scratch.canvas, mask);
}

fn second_plate(
    furniture: &FurnitureConfig,
    plate: &PlatePose,
    half_mm: [f32; 2],
) -> Option<(Supplement, PlatePose)> {
    // above the sign there is no post to carry it, unless it is a lamp post
    let side = match (furniture.second_plate, furniture.post) {
        (SecondPlate::None, _) => return None,
        (SecondPlate::Above, PostKind::LampPost | PostKind::TwinTube) => 1.0,
        _ => -1.0,
    };
    let second = Supplement::new(furniture.seed ^ 0x0b4d_b0d5);
    let gap = 22.0;
    let centre = plate.world(0.0, side * (half_mm[1] + gap + second.half_mm()[1]), 0.0);
    Some((second, PlatePose { centre, ..*plate }))
}
