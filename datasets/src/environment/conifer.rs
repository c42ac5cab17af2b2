//! Spruces and firs: tiers of drooping branches on one billboard.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::painter::Painter;
use super::plants::{Foliage, Tree};
use super::tile::{Field, Pattern, fract};

/// Half width at the ground, lowest and highest point (metres) of the triangle in the middle of a conifer
/// through which nothing is seen.
pub(super) fn core(height: f32) -> (f32, f32, f32) {
    (0.085 * height, 0.13 * height, 0.80 * height)
}

/// Paint a conifer.
pub(super) fn paint(tree: &Tree, painter: &mut Painter<'_>) {
    let mut s = Stream::from_seed(tree.seed);
    let h = tree.height;
    let right = painter.facing_right(tree.base);
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let look = Foliage::new(painter.light, tree.leaf, right, toward, h, s.bits());
    let needles = Field::new(Pattern::Blades, s.bits(), 0.35 * h);
    let wide = h * s.range(0.15, 0.24);
    let clear = s.range(0.02, 0.12) * h;
    let tiers = s.range(10.0, 17.0);
    let lean = s.range(-0.02, 0.02);
    let power = s.range(0.75, 1.05);
    let snow = tree.snow;
    let snow_light = painter.light.on(Vec3::new(0.0, 1.0, 0.0)).scale(0.8);
    let trunk = Rgb::new(0.085, 0.065, 0.05);
    painter.pole(
        tree.base,
        tree.base.plus(Vec3::new(0.0, 0.5 * h, 0.0)),
        0.012 * h,
        0.008 * h,
        trunk,
    );
    let (core_half, core_low, core_top) = core(h);
    painter.billboard(tree.base, 2.4 * wide, h, |u, v, footprint| {
        let t = (v - clear) / (h - clear);
        if !(-0.06..1.0).contains(&t) {
            return (Rgb::default(), 0.0);
        }
        let u = u - lean * v;
        let taper = crate::num::lerp(1.0 - t, (1.0 - t) * (1.0 - t), power - 0.6);
        if u.abs() > 1.45 * wide * taper.max(0.0) + 0.05 * wide + footprint {
            return (Rgb::default(), 0.0);
        }
        let (rough, _) = look.noise(u, v, footprint);
        // branches rise from the trunk and droop outside: follow them
        let reach = (u.abs() / wide).min(1.2);
        let along = v + 0.10 * h * reach * (0.6 + t) + 0.06 * h * (rough - 0.5);
        let tier = fract(along / h * tiers);
        let strand = needles.at(along * 1.6, u * 0.8, footprint);
        let flare = 0.72 + 0.26 * (1.0 - tier) + 0.9 * (rough - 0.5) + 0.5 * (strand - 0.5);
        let half = wide * taper.max(0.0) * flare;
        let soft = 0.04 * wide + footprint;
        let cover = smoothstep(-soft, soft, half - u.abs() + 0.02 * wide);
        // gaps between the tiers near the outline
        let gap = smoothstep(0.72, 0.98, tier) * smoothstep(0.35, 0.9, u.abs() / half.max(1e-3));
        // the core is closed, see `core`
        let inner = core_half * (1.0 - v / core_top) * 1.1 + footprint;
        let solid = (u + lean * v).abs() < inner && v > core_low;
        let cover = if solid { 1.0 } else { cover * (1.0 - 0.85 * gap) };
        if cover <= 0.0 {
            return (Rgb::default(), 0.0);
        }
        let nx = (u / half.max(1e-3)).clamp(-1.0, 1.0);
        let normal = Vec3::new(0.8 * nx, 0.25 + 0.5 * (0.5 - tier), (1.0 - nx * nx).sqrt() * 0.8);
        // the upper side of each tier is light, its root in the shade of the next
        let open =
            0.42 + 0.36 * (1.0 - tier) + 0.45 * (strand - 0.5) + 0.5 * (rough - 0.5) + 0.2 * t;
        let mut colour = look.lit(normal, open.max(0.06), 0.15 + 0.7 * strand);
        if snow > 0.0 {
            let lying =
                smoothstep(0.55, 0.1, tier) * smoothstep(0.40, 0.62, rough + 0.3 * (snow - 0.5));
            colour = colour.mix(snow_light, 0.8 * lying * snow);
        }
        (colour, cover)
    });
}
