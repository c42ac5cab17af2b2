//! Paints a flat plate: exact inverse mapping, supersampled outline and art, rim, light and weathering.
//!
//! For every pixel in the plate's bounding box the lens and the plane's homography give the point of
//! the face in millimetres. Pixels that the outline crosses are resolved with 4 x 4 samples, each
//! weighted with the signed distance over its own width, so that coverage is close to the exact area;
//! pixels inside take 2 x 2 samples of the prefiltered art.

mod projection;

use crate::camera_pose::{PlaneMap, PlatePose, ScenePose};
use crate::canvas::{Canvas, Rgb};
use crate::environment::Light;
use crate::num::{pow, radians};
use crate::shadow::Shadow;
use crate::surface::{Spot, Surface};

use projection::{Patch, is_inside, reach};
pub use projection::{PixelBox, Projection, pixel_box};

/// The printed side of a plate.
pub trait Face {
    /// Distance to the outline in millimetres, negative inside; x right, y up of the centre.
    fn signed_distance_mm(&self, x: f32, y: f32) -> f32;

    /// [`Face::signed_distance_mm`] of many points at once.
    fn signed_distances_mm(&self, x: &[f32], y: &[f32], distances: &mut [f32]) {
        for ((d, x), y) in distances.iter_mut().zip(x).zip(y) {
            *d = self.signed_distance_mm(*x, *y);
        }
    }

    /// Half width and half height of the box around the outline, millimetres.
    fn half_mm(&self) -> [f32; 2];

    /// Diffuse reflectance around a point, averaged over about `footprint` millimetres. Points a
    /// little outside continue the colour at the outline.
    fn colour(&self, x: f32, y: f32, footprint: f32) -> Rgb;

    /// The value of [`Face::colour`] if it is known to be the same at all points no farther than `radius`
    /// millimetres to the right or left and up or down.
    fn plain_colour(&self, _x: f32, _y: f32, _radius: f32, _footprint: f32) -> Option<Rgb> {
        None
    }
}

/// Everything besides the face that the look of a plate depends on.
#[derive(Clone, Copy, Debug)]
pub struct PlateScene<'a> {
    /// Camera and lens.
    pub pose: &'a ScenePose,
    /// Where the plate is.
    pub plate: PlatePose,
    /// Daylight.
    pub light: &'a Light,
    /// Shadows from outside the picture.
    pub shadow: &'a Shadow,
    /// Light of the vehicle's headlamps that the sheeting sends back, relative to full sun.
    pub headlamp: f32,
    /// Weathering.
    pub surface: &'a Surface,
    /// Depth of the folded rim, millimetres.
    pub rim_depth_mm: f32,
    /// Width of the sun's reflection, degrees.
    pub gloss_width_deg: f32,
}

/// Width of the bare aluminium edge around the film, millimetres.
const BARE_EDGE_MM: f32 = 1.6;
/// Samples a pixel side where the outline crosses.
const EDGE_SAMPLES: usize = 4;
/// Samples a pixel side inside.
const INNER_SAMPLES: usize = 2;

/// Paint a plate, and, with a mask, add its coverage (0 to 1) to `mask`.
pub fn paint<F: Face>(
    face: &F,
    scene: &PlateScene<'_>,
    projection: &Projection,
    canvas: &mut Canvas,
    mut mask: Option<&mut [f32]>,
) {
    let depth = scene.rim_depth_mm;
    let back =
        [0.34, 0.67, 1.0].map(|k| PlaneMap::new(&scene.pose.camera, &scene.plate, k * depth));
    let shading = Shading::new(scene);
    let area = projection.area();
    for py in area.top..area.bottom.min(canvas.height) {
        for px in area.left..area.right {
            let index = projection.index(px, py);
            let patch = projection.patch(index);
            let (long, short) = patch.extents();
            let edge = projection.edge(index);
            let reach = reach(&patch);
            // the rim can show beside the face by at most its depth times the slant of the view
            if edge > reach && edge < reach + 2.5 * depth {
                let rim = rim_coverage(face, projection, &back, index, long);
                if rim > 0.0 {
                    canvas.blend(px, py, shading.rim(face, &patch), rim);
                }
                continue;
            }
            if edge > reach {
                continue;
            }
            let (colour, cover) = if is_inside(edge, reach) {
                (inner_colour(face, &patch, short), 1.0)
            } else {
                edge_colour(face, &patch, short)
            };
            if cover < 0.999 {
                let rim = rim_coverage(face, projection, &back, index, long);
                if rim > cover {
                    canvas.blend(px, py, shading.rim(face, &patch), rim);
                }
            }
            if cover <= 0.0 {
                continue;
            }
            let spot = Spot { x: patch.x, y: patch.y, edge, footprint: short };
            let lit = shading.shade(colour, spot, projection.ideal(index));
            if cover < 1.0 {
                canvas.blend(px, py, lit, cover);
            } else {
                // not by blending: its rounding would let the background through by one unit
                canvas.pixels[py * canvas.width + px] = lit;
            }
            if let Some(mask) = mask.as_deref_mut() {
                mask[py * canvas.width + px] = cover;
            }
        }
    }
}

fn inner_colour<F: Face>(face: &F, patch: &Patch, short: f32) -> Rgb {
    // less than the sample's share: the mean of the samples is the filter, the pyramid only keeps
    // what is finer than a sample from glittering
    let footprint = 0.6 * short / INNER_SAMPLES as f32;
    let mut sum = Rgb::default();
    if let Some(plain) = face.plain_colour(patch.x, patch.y, patch.radius(), footprint) {
        // added up as below: the mean of equal numbers need not have their last bit
        for _ in 0..INNER_SAMPLES * INNER_SAMPLES {
            sum = sum.plus(plain);
        }
        return sum.scale(1.0 / (INNER_SAMPLES * INNER_SAMPLES) as f32);
    }
    for j in 0..INNER_SAMPLES {
        for i in 0..INNER_SAMPLES {
            let (x, y) = patch.sample(i, j, INNER_SAMPLES);
            sum = sum.plus(face.colour(x, y, footprint));
        }
    }
    sum.scale(1.0 / (INNER_SAMPLES * INNER_SAMPLES) as f32)
}

/// The samples of a pixel that the outline crosses, row by row.
fn edge_samples(patch: &Patch) -> [(f32, f32); EDGE_SAMPLES * EDGE_SAMPLES] {
    core::array::from_fn(|k| patch.sample(k % EDGE_SAMPLES, k / EDGE_SAMPLES, EDGE_SAMPLES))
}

/// Signed distances of the samples of a pixel.
fn distances<F: Face>(
    face: &F,
    samples: &[(f32, f32); EDGE_SAMPLES * EDGE_SAMPLES],
) -> [f32; EDGE_SAMPLES * EDGE_SAMPLES] {
    let mut distances = [0.0; EDGE_SAMPLES * EDGE_SAMPLES];
    face.signed_distances_mm(&samples.map(|s| s.0), &samples.map(|s| s.1), &mut distances);
    distances
}

/// Mean colour of the covered part of a pixel, and the share that is covered.
fn edge_colour<F: Face>(face: &F, patch: &Patch, short: f32) -> (Rgb, f32) {
    let width = short / EDGE_SAMPLES as f32;
    let (mut sum, mut cover) = (Rgb::default(), 0.0);
    let samples = edge_samples(patch);
    for ((x, y), distance) in samples.into_iter().zip(distances(face, &samples)) {
        let part = (0.5 - distance / width).clamp(0.0, 1.0);
        if part <= 0.0 {
            continue;
        }
        let bare = ((distance + BARE_EDGE_MM) / width + 0.5).clamp(0.0, 1.0);
        let art = face.colour(x, y, width);
        sum = sum.plus(art.mix(Rgb::grey(0.5), 0.8 * bare).scale(part));
        cover += part;
    }
    if cover <= 0.0 {
        return (Rgb::default(), 0.0);
    }
    (sum.scale(1.0 / cover), cover / (EDGE_SAMPLES * EDGE_SAMPLES) as f32)
}

/// Share of a pixel that the body behind the face covers, seen from the camera; the pixel is at most
/// `long` millimetres long on the face.
fn rim_coverage<F: Face>(
    face: &F,
    projection: &Projection,
    back: &[PlaneMap; 3],
    index: usize,
    long: f32,
) -> f32 {
    // most pixels beside the face lie wholly beside the rim, or wholly on it
    let reach = 1.1 * long;
    let mut outside = true;
    let ideal = projection.ideal(index);
    for map in back {
        let (x, y) = map.at(ideal.0, ideal.1);
        let distance = face.signed_distance_mm(x, y);
        if distance < -reach {
            return 1.0;
        }
        outside &= distance > reach;
    }
    if outside {
        return 0.0;
    }
    let patches = back.each_ref().map(|map| projection.patch_on(map, index));
    let width = patches[0].extents().1 / EDGE_SAMPLES as f32;
    let mut nearest = [f32::MAX; EDGE_SAMPLES * EDGE_SAMPLES];
    for patch in &patches {
        for (n, d) in nearest.iter_mut().zip(distances(face, &edge_samples(patch))) {
            *n = n.min(d);
        }
    }
    let cover: f32 = nearest.iter().map(|n| (0.5 - n / width).clamp(0.0, 1.0)).sum();
    cover / (EDGE_SAMPLES * EDGE_SAMPLES) as f32
}

/// Light on one plate, with what is the same for all its points worked out once.
#[derive(Debug)]
struct Shading<'a> {
    scene: &'a PlateScene<'a>,
    /// Exponent of the reflection of the sun.
    shine: f32,
    /// Cosine below which the reflection of the sun is invisible.
    shine_from: f32,
    /// What falls onto level ground.
    on_ground: Rgb,
}

/// Reflectance of film at normal incidence (refractive index 1.5).
const FILM_REFLECTANCE: f32 = 0.04;

impl<'a> Shading<'a> {
    fn new(scene: &'a PlateScene<'a>) -> Self {
        let width = radians(scene.gloss_width_deg);
        let shine = (1.4 / (width * width)).max(8.0);
        let light = scene.light;
        let on_ground = light.sun.scale(light.to_sun.y.max(0.0)).plus(light.sky);
        Self { scene, shine, shine_from: (1.0 - 8.0 / shine).max(0.0), on_ground }
    }

    /// Light that leaves a point of the face towards the camera, which sees it at the ideal position.
    fn shade(&self, art: Rgb, spot: Spot, ideal: (f32, f32)) -> Rgb {
        let scene = self.scene;
        let finish = scene.surface.weather(art, spot);
        let (slope_x, slope_y) = scene.surface.slope(spot);
        let frame = &scene.plate.rotation;
        let normal = scene
            .plate
            .normal()
            .minus(frame.right.scale(slope_x))
            .minus(frame.up.scale(slope_y))
            .unit();
        let camera = &scene.pose.camera;
        let to_eye = camera.ray(ideal.0, ideal.1).scale(-1.0);
        let light = scene.light;
        let facing = normal.dot(light.to_sun).max(0.0);
        let sun_share = if facing > 0.0 { scene.shadow.sun_share(spot.x, spot.y) } else { 0.0 };
        // what shades the sun also takes a little of the sky
        let sky = light.sky.scale((0.6 + 0.4 * normal.y) * (0.82 + 0.18 * sun_share.max(0.5)));
        let retro = scene.headlamp * finish.gloss;
        let received = light
            .sun
            .scale(facing * sun_share)
            .plus(sky)
            // the ground sends light up, which carries the sun's colour
            .plus(self.on_ground.scale(0.18 * (0.5 - 0.5 * normal.y)))
            .plus(Rgb::new(1.0, 0.93, 0.80).scale(retro));
        let mut out = finish.albedo.times(received);

        let cos_eye = normal.dot(to_eye).clamp(0.0, 1.0);
        let grazing = 1.0 - cos_eye;
        let g2 = grazing * grazing;
        let mirror = FILM_REFLECTANCE + (1.0 - FILM_REFLECTANCE) * 0.6 * g2 * g2 * grazing;
        let reflected = normal.scale(2.0 * normal.dot(to_eye)).minus(to_eye);
        // half the sheen of the sky: the film is slightly rough and the film's own white hides it
        let horizon = (0.5 + 2.0 * reflected.y).clamp(0.12, 1.0);
        out = out.plus(light.sky.scale(mirror * horizon * finish.gloss));
        if facing > 0.0 && sun_share > 0.0 {
            let half = light.to_sun.plus(to_eye).unit();
            let cos_half = normal.dot(half);
            if cos_half > self.shine_from {
                // normalized Blinn-Phong; 1 is the radiance of a white matt surface
                let lobe = (self.shine + 2.0) * 0.125 * pow(cos_half, self.shine);
                let strength = mirror * lobe * finish.gloss * sun_share * facing.min(1.0);
                out = out.plus(light.sun.scale(strength));
            }
        }
        out
    }

    /// Light that leaves the folded rim beside a point.
    fn rim<F: Face>(&self, face: &F, patch: &Patch) -> Rgb {
        let at = |dx: f32, dy: f32| face.signed_distance_mm(patch.x + dx, patch.y + dy);
        let here = at(0.0, 0.0);
        let (gx, gy) = (at(2.0, 0.0) - here, at(0.0, 2.0) - here);
        let frame = &self.scene.plate.rotation;
        let outward = frame.right.scale(gx).plus(frame.up.scale(gy)).unit();
        let metal = Rgb::new(0.40, 0.41, 0.42);
        metal.times(self.scene.light.on(outward))
    }
}
