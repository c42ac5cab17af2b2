//! Things in front of the sign: a branch, a pole, a poster. They hide a stated share of it, and the
//! mask loses what they hide.

use crate::camera_pose::{PlaneMap, ScenePose};
use crate::canvas::{Canvas, Rgb};
use crate::environment::{Light, Season};
use crate::num::sin_cos;
use crate::plate::{Face, PixelBox};
use crate::rng::Stream;

/// Share of the sign that each severity hides, about.
const HIDDEN_SHARE: [f32; 5] = [0.08, 0.17, 0.28, 0.42, 0.58];

/// What an occluder needs to know of the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) pose: &'a ScenePose,
    pub(crate) light: &'a Light,
    pub(crate) season: Season,
}

/// Hide a part of the sign.
pub(crate) fn cover<F: Face>(
    step: usize,
    seed: u64,
    face: &F,
    scene: &Scene<'_>,
    canvas: &mut Canvas,
    mask: &mut [f32],
) {
    let mut s = Stream::from_seed(seed);
    let share = HIDDEN_SHARE[step];
    let roll = s.unit();
    if roll < 0.6 {
        branch(share, &mut s, face, scene, canvas, mask);
    } else if roll < 0.8 {
        pole(share, &mut s, face, scene, canvas, mask);
    } else {
        poster(share, &mut s, face, scene, canvas, mask);
    }
}

fn hide(canvas: &mut Canvas, mask: &mut [f32], px: usize, py: usize, colour: Rgb, opacity: f32) {
    canvas.blend(px, py, colour, opacity);
    mask[py * canvas.width + px] *= 1.0 - opacity;
}

/// Points spread evenly over the face, to measure which share of it is hidden.
fn probes<F: Face>(face: &F) -> Vec<[f32; 2]> {
    const N: u16 = 28;
    let half = face.half_mm();
    let at = |k: u16, h: f32| ((f32::from(k) + 0.5) / f32::from(N) * 2.0 - 1.0) * h;
    (0..N * N)
        .map(|i| [at(i % N, half[0]), at(i / N, half[1])])
        .filter(|p| face.signed_distance_mm(p[0], p[1]) < 0.0)
        .collect()
}

/// A leaf: two arcs that meet in points.
struct Leaf {
    at: [f32; 2],
    along: [f32; 2],
    half_length: f32,
    half_width: f32,
    colour: Rgb,
}

impl Leaf {
    /// Millimetres outside the outline (negative inside) and position across, -1 to 1.
    fn outside(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = (x - self.at[0], y - self.at[1]);
        let u = (dx * self.along[0] + dy * self.along[1]) / self.half_length;
        let v = dy * self.along[0] - dx * self.along[1];
        let width = self.half_width * (1.0 - u * u) * (1.0 - 0.25 * u);
        if u.abs() >= 1.0 {
            return ((u.abs() - 1.0) * self.half_length + v.abs(), 0.0);
        }
        (v.abs() - width, v / width.max(1.0))
    }
}

fn leaf_colour(season: Season, s: &mut Stream) -> Rgb {
    let (a, b) = match season {
        Season::Spring => (Rgb::new(0.115, 0.215, 0.035), Rgb::new(0.20, 0.30, 0.06)),
        Season::Summer => (Rgb::new(0.035, 0.095, 0.018), Rgb::new(0.095, 0.175, 0.035)),
        Season::Autumn => (Rgb::new(0.38, 0.20, 0.03), Rgb::new(0.24, 0.065, 0.02)),
        // what hangs on through the winter is ivy and fir
        Season::Winter => (Rgb::new(0.025, 0.06, 0.022), Rgb::new(0.05, 0.085, 0.03)),
    };
    a.mix(b, s.unit()).scale(s.range(0.75, 1.25))
}

fn branch<F: Face>(
    share: f32,
    s: &mut Stream,
    face: &F,
    scene: &Scene<'_>,
    canvas: &mut Canvas,
    mask: &mut [f32],
) {
    let half = face.half_mm();
    let reach = half[0].max(half[1]);
    let plane_mm = -s.range(60.0, 220.0);
    let map = PlaneMap::new(&scene.pose.camera, &scene.pose.plate, plane_mm);
    let mut open = probes(face);
    let target = share * open.len() as f32;
    let total = open.len() as f32;
    // twigs grow in from one side, a little downwards under their load
    let from = s.range(0.2, 2.9) * if s.chance(0.5) { 1.0 } else { -1.0 };
    let (sin, cos) = sin_cos(from);
    let root = [1.5 * reach * cos, 1.5 * reach * sin];
    let mut twigs = 0;
    while total - (open.len() as f32) < target && twigs < 60 {
        twigs += 1;
        let (spread_sin, spread_cos) = sin_cos(from + core::f32::consts::PI + 0.55 * s.normal());
        let length = reach * s.range(0.5, 1.1 + 1.4 * share);
        let start = [root[0] + 0.35 * reach * s.normal(), root[1] + 0.35 * reach * s.normal()];
        let count = 8 + s.below(7);
        let bark = Rgb::new(0.10, 0.075, 0.055);
        for part in 0..count {
            let t = (part as f32 + 0.6) / count as f32;
            let at = [
                start[0] + spread_cos * t * length,
                start[1] + spread_sin * t * length - 0.12 * reach * t * t,
            ];
            let wood = Leaf {
                at,
                along: [spread_cos, spread_sin],
                half_length: 0.75 * length / count as f32,
                half_width: 5.0 * (1.1 - t),
                colour: bark,
            };
            paint_leaf(&wood, 0.8, plane_mm, &map, scene, canvas, mask);
            for side in [-1.0_f32, 1.0] {
                let turn = side * s.range(0.4, 1.1);
                let (ts, tc) = sin_cos(turn);
                let along = [spread_cos * tc - spread_sin * ts, spread_sin * tc + spread_cos * ts];
                let half_length = s.range(20.0, 38.0);
                let leaf = Leaf {
                    at: [at[0] + along[0] * half_length, at[1] + along[1] * half_length],
                    along,
                    half_length,
                    half_width: half_length * s.range(0.36, 0.58),
                    colour: leaf_colour(scene.season, s),
                };
                let facing = s.range(0.35, 1.15);
                paint_leaf(&leaf, facing, plane_mm, &map, scene, canvas, mask);
                open.retain(|p| leaf.outside(p[0], p[1]).0 > 0.0);
            }
        }
    }
}

/// `facing` is how squarely the leaf takes the light.
fn paint_leaf(
    leaf: &Leaf,
    facing: f32,
    plane_mm: f32,
    map: &PlaneMap,
    scene: &Scene<'_>,
    canvas: &mut Canvas,
    mask: &mut [f32],
) {
    let pose = scene.pose;
    let Some((cx, cy)) = pose.pixel(pose.plate.world(leaf.at[0], leaf.at[1], plane_mm)) else {
        return;
    };
    let distance = pose.plate.centre.minus(pose.camera.position).length();
    let mm_per_px = 1000.0 * distance / pose.camera.focal_px;
    let area =
        PixelBox::around(&[(cx, cy)], 1.3 * leaf.half_length / mm_per_px + 1.0, canvas.width);
    let lit = scene.light.sun.scale(0.55 * facing).plus(scene.light.sky.scale(0.75));
    for py in area.top..area.bottom {
        for px in area.left..area.right {
            let (ix, iy) = pose.lens.undistort(px as f32 + 0.5, py as f32 + 0.5);
            let (x, y) = map.at(ix, iy);
            let (outside, across) = leaf.outside(x, y);
            let opacity = (0.5 - outside / mm_per_px).clamp(0.0, 1.0);
            if opacity > 0.0 {
                // pale midrib, one half darker than the other
                let vein = 1.0 + 0.5 * (1.0 - 8.0 * across.abs()).max(0.0);
                let half = if across > 0.0 { 0.82 } else { 1.08 };
                let colour = leaf.colour.scale(vein * half).times(lit);
                hide(canvas, mask, px, py, colour, opacity);
            }
        }
    }
}

/// A pole that stands between camera and sign, out of focus.
fn pole<F: Face>(
    share: f32,
    s: &mut Stream,
    face: &F,
    scene: &Scene<'_>,
    canvas: &mut Canvas,
    mask: &mut [f32],
) {
    let half = face.half_mm();
    let map = PlaneMap::new(&scene.pose.camera, &scene.pose.plate, -400.0);
    let middle = s.range(-0.25, 0.25) * half[0];
    let half_width = widened(share, face, |p, w| (p[0] - middle).abs() < w);
    let coat = *s.pick(&[
        Rgb::new(0.30, 0.31, 0.32),
        Rgb::new(0.07, 0.10, 0.08),
        Rgb::new(0.17, 0.12, 0.08),
    ]);
    let side_light = s.range(-0.9, 0.9);
    let lean = s.range(-0.03, 0.03);
    let width = canvas.width;
    for i in 0..width * canvas.height {
        let (px, py) = (i % width, i / width);
        let (ix, iy) = scene.pose.lens.undistort(px as f32 + 0.5, py as f32 + 0.5);
        let (x, y) = map.at(ix, iy);
        let t = (x - middle - lean * y) / half_width;
        // soft by the defocus of a thing much nearer than the sign
        let opacity = (0.5 + (1.0 - t.abs()) * half_width / 14.0).clamp(0.0, 1.0);
        if opacity <= 0.0 {
            continue;
        }
        let t = t.clamp(-1.0, 1.0);
        let toward = (1.0 - t * t).sqrt();
        let direct = (t * side_light + toward * 0.45).max(0.0);
        let lit =
            scene.light.sun.scale(0.8 * direct).plus(scene.light.sky.scale(0.45 + 0.2 * toward));
        hide(canvas, mask, px, py, coat.times(lit), opacity);
    }
}

/// Half width, millimetres, at which a band of probes hides the wanted share.
fn widened<F: Face>(share: f32, face: &F, inside: impl Fn(&[f32; 2], f32) -> bool) -> f32 {
    let probes = probes(face);
    let mut half_width = 15.0;
    while half_width < 600.0 {
        let hidden = probes.iter().filter(|p| inside(p, half_width)).count();
        if hidden as f32 >= share * probes.len() as f32 {
            break;
        }
        half_width += 5.0;
    }
    half_width
}

/// A poster or a refuse bag taped over the sign.
fn poster<F: Face>(
    share: f32,
    s: &mut Stream,
    face: &F,
    scene: &Scene<'_>,
    canvas: &mut Canvas,
    mask: &mut [f32],
) {
    let half = face.half_mm();
    let map = PlaneMap::new(&scene.pose.camera, &scene.pose.plate, -1.0);
    let at = [s.range(-0.35, 0.35) * half[0], s.range(-0.35, 0.35) * half[1]];
    let (sin, cos) = sin_cos(0.3 * s.normal());
    let aspect = s.range(0.7, 1.4);
    let place = |x: f32, y: f32| {
        let (dx, dy) = (x - at[0], y - at[1]);
        (dx * cos + dy * sin, (dy * cos - dx * sin) / aspect)
    };
    let side = widened(share, face, |p, w| {
        let (u, v) = place(p[0], p[1]);
        u.abs().max(v.abs()) < w
    });
    let paper = Rgb::new(s.range(0.2, 0.8), s.range(0.2, 0.75), s.range(0.15, 0.75));
    let ink = Rgb::new(s.range(0.02, 0.4), s.range(0.02, 0.3), s.range(0.02, 0.4));
    let (lines, blot) = (s.range(4.0, 8.0), s.range(0.2, 0.5));
    let lit = scene.light.on(scene.pose.plate.normal());
    let distance = scene.pose.plate.centre.minus(scene.pose.camera.position).length();
    let mm_per_px = 1000.0 * distance / scene.pose.camera.focal_px;
    let width = canvas.width;
    for i in 0..width * canvas.height {
        // only where the sign is: the paper is glued to it
        let on_sign = mask[i];
        if on_sign <= 0.0 {
            continue;
        }
        let (px, py) = (i % width, i / width);
        let (ix, iy) = scene.pose.lens.undistort(px as f32 + 0.5, py as f32 + 0.5);
        let (x, y) = map.at(ix, iy);
        let (u, v) = place(x, y);
        let opacity = (0.5 + (side - u.abs().max(v.abs())) / mm_per_px).clamp(0.0, 1.0);
        if opacity <= 0.0 {
            continue;
        }
        let (un, vn) = (u / side, v / side);
        let row = (vn + 1.0) * 0.5 * lines;
        let text = vn < 0.2 && un.abs() < 0.8 && row - row.floor() < 0.45;
        let picture = (un * un + (vn - 0.5) * (vn - 0.5)) < blot * blot;
        let albedo = if text || picture { paper.mix(ink, 0.8) } else { paper };
        let crumple = 0.9 + 0.1 * (un * 2.1 + vn * 1.3).clamp(-1.0, 1.0);
        hide(canvas, mask, px, py, albedo.times(lit).scale(crumple), opacity * on_sign.min(1.0));
    }
}
