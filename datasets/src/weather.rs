//! Fog, rain, snow and glare on a painted canvas.
//!
//! Fog follows Beer and Lambert: light from a distance d is weakened by T = exp(-extinction d) and air
//! light fills up the rest. The picture is composed far to near: what lies behind the sign gets the
//! fog between it and the sign first, then, with everything painted, the whole picture the fog
//! between the sign and the camera.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions are clamped to the canvas before the cast"
)]

use crate::camera_pose::{PlaneMap, ScenePose};
use crate::canvas::{Canvas, Rgb};
use crate::config::REFERENCE_SIZE;
use crate::environment::Light;
use crate::environment::tile::{Field, Pattern};
use crate::num::{exp, lerp, smoothstep};
use crate::plate::{Face, PixelBox};
use crate::rng::Stream;

/// Extinction of each severity, 1/m. Meteorological visibility is 3.9 over it: 98 m to 10 m.
const FOG_EXTINCTION: [f32; 5] = [0.04, 0.07, 0.13, 0.22, 0.38];

fn air_light(light: &Light) -> Rgb {
    light.sky.scale(0.75).plus(light.sun.scale(0.22))
}

/// Fog between the sign and what lies behind it.
pub(crate) fn fog_behind(step: usize, pose: &ScenePose, light: &Light, canvas: &mut Canvas) {
    let sign = pose.plate.centre.minus(pose.camera.position).length();
    let air = air_light(light);
    let width = canvas.width;
    for (i, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (ix, iy) = pose.lens.undistort((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        let ray = pose.camera.ray(ix, iy);
        let distance = scene_distance(ray.y, pose.camera.position.y);
        let through = exp(-FOG_EXTINCTION[step] * (distance - sign).max(0.0));
        *pixel = air.mix(*pixel, through);
    }
}

/// Mean distance of the background along a ray, metres: the ground below the horizon; above it
/// things thin out from about 60 m at the horizon to the open sky.
fn scene_distance(up: f32, camera_height: f32) -> f32 {
    if up < -0.02 { (camera_height / -up).min(60.0) } else { 60.0 + 250.0 * up.max(0.0) }
}

/// Fog between the camera and the sign.
pub(crate) fn fog_in_front(step: usize, pose: &ScenePose, light: &Light, canvas: &mut Canvas) {
    let distance = pose.plate.centre.minus(pose.camera.position).length();
    veil(canvas, air_light(light), exp(-FOG_EXTINCTION[step] * distance));
}

fn veil(canvas: &mut Canvas, air: Rgb, through: f32) {
    canvas.pixels.iter_mut().for_each(|p| *p = air.mix(*p, through));
}

/// Rain: a veil, streaks that brighten what is behind them, and drops on the windscreen that show
/// the scene upside down and small.
pub(crate) fn rain(
    step: usize,
    seed: u64,
    light: &Light,
    canvas: &mut Canvas,
    spare: &mut Vec<Rgb>,
) {
    let mut s = Stream::from_seed(seed);
    let scale = canvas.width as f32 / REFERENCE_SIZE as f32;
    let air = air_light(light);
    veil(canvas, air, [0.95, 0.90, 0.84, 0.76, 0.66][step]);
    let slant = s.range(-0.25, 0.25);
    for _ in 0..[60, 120, 210, 320, 450][step] {
        let near = s.unit();
        let streak = Streak {
            x: s.range(-0.1, 1.1) * canvas.width as f32,
            y: s.range(-0.1, 1.0) * canvas.height as f32,
            length: lerp(7.0, 34.0, near * near) * scale,
            slant,
            width: lerp(0.5, 1.3, near) * scale,
            opacity: lerp(0.30, 0.16, near) * s.range(0.5, 1.0),
        };
        streak.paint(air.scale(1.25), canvas);
    }
    spare.clear();
    spare.extend_from_slice(&canvas.pixels);
    for _ in 0..[2, 5, 9, 14, 21][step] {
        let radius = (1.5 + 6.5 * s.unit() * s.unit()) * scale * (0.9 + 0.12 * step as f32);
        let centre = (s.unit() * canvas.width as f32, s.unit() * canvas.height as f32);
        drop_on_glass(centre, radius, s.range(0.9, 1.25), spare, canvas);
    }
}

struct Streak {
    x: f32,
    y: f32,
    length: f32,
    slant: f32,
    width: f32,
    opacity: f32,
}

impl Streak {
    fn paint(&self, colour: Rgb, canvas: &mut Canvas) {
        let top = self.y.max(0.0) as usize;
        let bottom = (self.y + self.length).clamp(0.0, canvas.height as f32) as usize;
        for py in top..bottom {
            let t = (py as f32 + 0.5 - self.y) / self.length;
            let middle = self.x + self.slant * t * self.length;
            let fade = 4.0 * t * (1.0 - t);
            for px in columns(middle, self.width + 1.0, canvas.width) {
                let d = (px as f32 + 0.5 - middle).abs();
                let cover = (0.5 + 0.5 * self.width - d).clamp(0.0, self.width.min(1.0));
                canvas.blend(px, py, colour, self.opacity * fade * cover);
            }
        }
    }
}

fn columns(middle: f32, reach: f32, width: usize) -> core::ops::Range<usize> {
    let cut = |v: f32| v.clamp(0.0, width as f32) as usize;
    cut(middle - reach)..cut(middle + reach + 1.0)
}

fn drop_on_glass(centre: (f32, f32), radius: f32, tall: f32, scene: &[Rgb], canvas: &mut Canvas) {
    let (width, height) = (canvas.width, canvas.height);
    let area = PixelBox::around(&[centre], radius * tall + 1.0, width);
    for py in area.top..area.bottom {
        for px in area.left..area.right {
            let dx = px as f32 + 0.5 - centre.0;
            let dy = (py as f32 + 0.5 - centre.1) / tall;
            let r = (dx * dx + dy * dy).sqrt();
            let cover = (radius - r + 0.5).clamp(0.0, 1.0);
            if cover <= 0.0 {
                continue;
            }
            // a drop is a strong lens close to the camera: upside down, about six times as small
            let look = |c: f32, d: f32, limit: usize| {
                (c - 5.5 * d).clamp(0.0, limit as f32 - 1.0) as usize
            };
            let seen = scene[look(centre.1, dy, height) * width + look(centre.0, dx, width)];
            let rim = 1.0 - 0.45 * smoothstep(0.6, 1.0, r / radius);
            canvas.blend(px, py, seen.scale(rim), 0.8 * cover);
        }
    }
}

/// Flakes between camera and scene: small sharp ones far away, large blurred ones close by.
pub(crate) fn snowfall(step: usize, seed: u64, light: &Light, canvas: &mut Canvas) {
    let mut s = Stream::from_seed(seed ^ 0x1ce);
    let scale = canvas.width as f32 / REFERENCE_SIZE as f32;
    veil(canvas, air_light(light), [0.96, 0.92, 0.86, 0.78, 0.68][step]);
    let flake = light.sky.plus(light.sun.scale(0.3));
    let fall = s.range(-0.7, 0.7);
    for _ in 0..[70, 140, 240, 380, 560][step] {
        let near = s.unit();
        let near = near * near * near * near;
        let radius = lerp(0.55, 3.6, near) * scale;
        let stretch = 1.0 + 1.2 * near + s.range(0.0, 0.8);
        let centre = (s.unit() * canvas.width as f32, s.unit() * canvas.height as f32);
        let opacity = lerp(0.75, 0.35, near);
        let area = PixelBox::around(&[centre], radius * stretch + 1.5, canvas.width);
        for py in area.top..area.bottom {
            for px in area.left..area.right {
                let (dx, dy) = (px as f32 + 0.5 - centre.0, py as f32 + 0.5 - centre.1);
                let across = dx - fall * dy;
                let r = (across * across + dy * dy / (stretch * stretch)).sqrt();
                let soft = 0.5 + 0.6 * near * radius;
                let cover = smoothstep(radius + soft, radius - soft, r) * radius.min(1.0);
                canvas.blend(px, py, flake, opacity * cover);
            }
        }
    }
}

/// Snow on the upper edges of the sign and, from the third severity on, stuck to its face.
pub(crate) fn snow_on_plate<F: Face>(
    step: usize,
    seed: u64,
    face: &F,
    pose: &ScenePose,
    light: &Light,
    canvas: &mut Canvas,
    mask: &mut [f32],
) {
    let depth = Field::new(Pattern::Fractal, seed, 0.9);
    let crust = Field::new(Pattern::Fractal, seed ^ 7, 1.1);
    let thickness = [10.0, 18.0, 28.0, 40.0, 55.0][step];
    let sticks_above = [2.0, 2.0, 0.80, 0.70, 0.61][step];
    let map = PlaneMap::new(&pose.camera, &pose.plate, 0.0);
    let white =
        Rgb::new(0.80, 0.82, 0.86).times(light.on(pose.plate.normal()).plus(light.sky.scale(0.25)));
    let width = canvas.width;
    for (i, cover) in mask.iter_mut().enumerate() {
        if *cover <= 0.0 {
            continue;
        }
        let (px, py) = (i % width, i / width);
        let (ix, iy) = pose.lens.undistort(px as f32 + 0.5, py as f32 + 0.5);
        let (x, y) = map.at(ix, iy);
        // covered where the outline, pushed down by the thickness, no longer reaches
        let here = thickness * (0.35 + 1.3 * depth.at(1e-3 * x, 0.0, 0.01));
        let cap = smoothstep(-4.0, 4.0, face.signed_distance_mm(x, y + here));
        let patch = crust.at(1e-3 * x, 1e-3 * y, 0.004);
        let stick = smoothstep(sticks_above, sticks_above + 0.08, patch);
        let snow = cap.max(0.93 * stick);
        let shade = 0.86 + 0.28 * patch;
        canvas.blend(px, py, white.scale(shade), snow * *cover);
        *cover *= 1.0 - snow;
    }
}

/// Place of the sun in the picture, kept near the frame, and whether it is ahead of the camera.
fn sun_place(pose: &ScenePose, light: &Light, size: f32) -> (f32, f32, bool) {
    let far = pose.camera.position.plus(light.to_sun.scale(1000.0));
    match pose.pixel(far) {
        Some((x, y)) => (x.clamp(-0.3 * size, 1.3 * size), y.clamp(-0.3 * size, 1.3 * size), true),
        None => (0.5 * size, -0.3 * size, false),
    }
}

/// The disc of the sun and the bright sky around it, behind everything else.
pub(crate) fn sun_disc(pose: &ScenePose, light: &Light, canvas: &mut Canvas) {
    let size = canvas.width as f32;
    let (x, y, ahead) = sun_place(pose, light, size);
    if !ahead {
        return;
    }
    for (i, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (px, py) = ((i % canvas.width) as f32 + 0.5, (i / canvas.width) as f32 + 0.5);
        let (dx, dy) = ((px - x) / size, (py - y) / size);
        let r2 = dx * dx + dy * dy;
        let glow = 12.0 * smoothstep(0.0022, 0.0009, r2) + 0.02 / (r2 + 0.012);
        *pixel = pixel.plus(light.sun.scale(glow));
    }
}

/// Sun into the lens: a bloom around its place, a veil over everything and ghosts of the aperture.
pub(crate) fn glare(step: usize, pose: &ScenePose, light: &Light, canvas: &mut Canvas) {
    let strength = [0.3, 0.55, 0.9, 1.4, 2.1][step];
    let size = canvas.width as f32;
    let (x, y, ahead) = sun_place(pose, light, size);
    let colour = light.sun.scale(if ahead { strength } else { 0.5 * strength });
    let (cx, cy) = (0.5 * size, 0.5 * canvas.height as f32);
    for (i, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (px, py) = ((i % canvas.width) as f32 + 0.5, (i / canvas.width) as f32 + 0.5);
        let (dx, dy) = ((px - x) / size, (py - y) / size);
        // stray light falls off like 1/r^2 around a bright core
        let mut stray = 0.09 + 0.030 / (dx * dx + dy * dy + 0.014);
        for (place, radius, weight) in [(0.55, 0.05, 0.08), (1.35, 0.09, 0.05), (1.7, 0.035, 0.10)]
        {
            let (gx, gy) = (x + (cx - x) * place, y + (cy - y) * place);
            let d2 = ((px - gx) * (px - gx) + (py - gy) * (py - gy)) / (size * size);
            stray += weight * smoothstep(radius * radius, 0.75 * radius * radius, d2);
        }
        *pixel = pixel.plus(colour.scale(stray));
    }
}
