//! Paints a flat plate: exact inverse mapping, supersampled outline and art, rim, light and weathering.
//!
//! For every pixel in the plate's bounding box the lens and the plane's homography give the point of
//! the face in millimetres. Pixels that the outline crosses are resolved with 4 x 4 samples, each
//! weighted with the signed distance over its own width, so that coverage is close to the exact area;
//! pixels inside take 2 x 2 samples of the prefiltered art.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions are clamped to the canvas before the cast"
)]

use crate::camera_pose::{PlaneMap, PlatePose, ScenePose};
use crate::canvas::{Canvas, Rgb};
use crate::environment::Light;
use crate::num::{pow, radians};
use crate::shadow::Shadow;
use crate::surface::{Spot, Surface};

/// The printed side of a plate.
pub trait Face {
    /// Distance to the outline in millimetres, negative inside; x right, y up of the centre.
    fn signed_distance_mm(&self, x: f32, y: f32) -> f32;

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

/// First and last pixel column and row (exclusive) that a plate can touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelBox {
    /// First column.
    pub left: usize,
    /// Column after the last.
    pub right: usize,
    /// First row.
    pub top: usize,
    /// Row after the last.
    pub bottom: usize,
}

impl PixelBox {
    /// Around points of the picture, `pad` pixels wider, cut to a canvas of `size` x `size`.
    #[must_use]
    pub fn around(points: &[(f32, f32)], pad: f32, size: usize) -> Self {
        let limit = size as f32;
        let (mut low, mut high) = ((limit, limit), (0.0_f32, 0.0_f32));
        for &(x, y) in points {
            low = (low.0.min(x - pad), low.1.min(y - pad));
            high = (high.0.max(x + pad), high.1.max(y + pad));
        }
        let cut = |v: f32| v.clamp(0.0, limit) as usize;
        Self {
            left: cut(low.0),
            right: cut(high.0 + 1.0),
            top: cut(low.1),
            bottom: cut(high.1 + 1.0),
        }
    }
}

/// Pixels that the plate or its rim may cover.
#[must_use]
pub fn pixel_box(half: [f32; 2], scene: &PlateScene<'_>, size: usize) -> PixelBox {
    let mut points = Vec::with_capacity(16);
    for behind in [0.0, scene.rim_depth_mm] {
        for (kx, ky) in
            [(-1., -1.), (0., -1.), (1., -1.), (1., 0.), (1., 1.), (0., 1.), (-1., 1.), (-1., 0.)]
        {
            let corner = scene.plate.world(kx * half[0], ky * half[1], behind);
            points.extend(scene.pose.pixel(corner));
        }
    }
    PixelBox::around(&points, 2.0, size)
}

/// A pixel on the face: its centre and how it moves with a step of one pixel right and one down.
#[derive(Clone, Copy, Debug)]
struct Patch {
    x: f32,
    y: f32,
    right: [f32; 2],
    down: [f32; 2],
}

/// The centre of a pixel: its ideal pinhole position and the point of the face, millimetres.
#[derive(Clone, Copy, Debug)]
struct Centre {
    ideal: (f32, f32),
    face: (f32, f32),
}

impl Centre {
    #[inline]
    fn new(pose: &ScenePose, map: &PlaneMap, px: usize, py: usize) -> Self {
        let ideal = pose.lens.undistort(px as f32 + 0.5, py as f32 + 0.5);
        Self { ideal, face: map.at(ideal.0, ideal.1) }
    }
}

impl Patch {
    fn new(pose: &ScenePose, map: &PlaneMap, px: usize, py: usize) -> Self {
        let at = |px, py| Centre::new(pose, map, px, py).face;
        Self::between(at(px, py), at(px + 1, py), at(px, py + 1))
    }

    /// From the centres of the pixel, of the one to its right and of the one below.
    #[inline]
    fn between((x, y): (f32, f32), (rx, ry): (f32, f32), (dx, dy): (f32, f32)) -> Self {
        // Within one pixel the homography is affine to about one pixel over the focal length.
        Self { x, y, right: [rx - x, ry - y], down: [dx - x, dy - y] }
    }

    #[inline]
    fn sample(&self, i: usize, j: usize, n: usize) -> (f32, f32) {
        let step = 1.0 / n as f32;
        let (a, b) = ((i as f32 + 0.5) * step - 0.5, (j as f32 + 0.5) * step - 0.5);
        (
            self.x + a * self.right[0] + b * self.down[0],
            self.y + a * self.right[1] + b * self.down[1],
        )
    }

    /// No point of the pixel lies farther than this from its centre in x or in y, millimetres.
    #[inline]
    fn radius(&self) -> f32 {
        let half = |k: usize| 0.5 * (self.right[k].abs() + self.down[k].abs());
        half(0).max(half(1))
    }

    /// Longest and shortest extent of the pixel on the face, millimetres.
    #[inline]
    fn extents(&self) -> (f32, f32) {
        let length = |v: [f32; 2]| (v[0] * v[0] + v[1] * v[1]).sqrt();
        let (a, b) = (length(self.right), length(self.down));
        (a.max(b), a.min(b))
    }
}

/// Paint a plate, and, with a mask, add its coverage (0 to 1) to `mask`.
pub fn paint<F: Face>(
    face: &F,
    scene: &PlateScene<'_>,
    canvas: &mut Canvas,
    mut mask: Option<&mut [f32]>,
) {
    let map = PlaneMap::new(&scene.pose.camera, &scene.plate, 0.0);
    let depth = scene.rim_depth_mm;
    let back =
        [0.34, 0.67, 1.0].map(|k| PlaneMap::new(&scene.pose.camera, &scene.plate, k * depth));
    let shading = Shading::new(scene);
    let area = pixel_box(face.half_mm(), scene, canvas.width);
    // a row of pixels and the row below it
    let mut below: Vec<_> =
        (area.left..=area.right).map(|px| Centre::new(scene.pose, &map, px, area.top)).collect();
    let mut row: Vec<Centre> = Vec::with_capacity(below.len());
    for py in area.top..area.bottom.min(canvas.height) {
        core::mem::swap(&mut row, &mut below);
        below.clear();
        below.extend((area.left..=area.right).map(|px| Centre::new(scene.pose, &map, px, py + 1)));
        for (i, px) in (area.left..area.right).enumerate() {
            let patch = Patch::between(row[i].face, row[i + 1].face, below[i].face);
            let (long, short) = patch.extents();
            let edge = face.signed_distance_mm(patch.x, patch.y);
            let reach = 0.75 * long;
            // the rim can show beside the face by at most its depth times the slant of the view
            if edge > reach && edge < reach + 2.5 * depth {
                let rim = rim_coverage(face, scene.pose, &back, px, py, long);
                if rim > 0.0 {
                    canvas.blend(px, py, shading.rim(face, &patch), rim);
                }
                continue;
            }
            if edge > reach {
                continue;
            }
            let (colour, cover) = if edge < -reach - BARE_EDGE_MM {
                (inner_colour(face, &patch, short), 1.0)
            } else {
                edge_colour(face, &patch, short)
            };
            if cover < 0.999 {
                let rim = rim_coverage(face, scene.pose, &back, px, py, long);
                if rim > cover {
                    canvas.blend(px, py, shading.rim(face, &patch), rim);
                }
            }
            if cover <= 0.0 {
                continue;
            }
            let spot = Spot { x: patch.x, y: patch.y, edge, footprint: short };
            let lit = shading.shade(colour, spot, row[i].ideal);
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

/// Mean colour of the covered part of a pixel, and the share that is covered.
fn edge_colour<F: Face>(face: &F, patch: &Patch, short: f32) -> (Rgb, f32) {
    let width = short / EDGE_SAMPLES as f32;
    let (mut sum, mut cover) = (Rgb::default(), 0.0);
    for j in 0..EDGE_SAMPLES {
        for i in 0..EDGE_SAMPLES {
            let (x, y) = patch.sample(i, j, EDGE_SAMPLES);
            let distance = face.signed_distance_mm(x, y);
            let part = (0.5 - distance / width).clamp(0.0, 1.0);
            if part <= 0.0 {
                continue;
            }
            let bare = ((distance + BARE_EDGE_MM) / width + 0.5).clamp(0.0, 1.0);
            let art = face.colour(x, y, width);
            sum = sum.plus(art.mix(Rgb::grey(0.5), 0.8 * bare).scale(part));
            cover += part;
        }
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
    pose: &ScenePose,
    back: &[PlaneMap; 3],
    px: usize,
    py: usize,
    long: f32,
) -> f32 {
    // most pixels beside the face lie wholly beside the rim, or wholly on it
    let reach = 1.1 * long;
    let mut outside = true;
    for map in back {
        let (x, y) = Centre::new(pose, map, px, py).face;
        let distance = face.signed_distance_mm(x, y);
        if distance < -reach {
            return 1.0;
        }
        outside &= distance > reach;
    }
    if outside {
        return 0.0;
    }
    let patches = back.map(|map| Patch::new(pose, &map, px, py));
    let width = patches[0].extents().1 / EDGE_SAMPLES as f32;
    let mut cover = 0.0;
    for j in 0..EDGE_SAMPLES {
        for i in 0..EDGE_SAMPLES {
            let nearest = patches.iter().fold(f32::MAX, |d, patch| {
                let (x, y) = patch.sample(i, j, EDGE_SAMPLES);
                d.min(face.signed_distance_mm(x, y))
            });
            cover += (0.5 - nearest / width).clamp(0.0, 1.0);
        }
    }
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
