//! Rows of plants on one upright surface: tree lines, forest edges, hedges, tall grass.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::painter::Painter;
use super::plants::Foliage;
use super::season::Palette;
use super::tile::{Field, Pattern, floor_fast, fract};

/// A row of crowns along a straight line on the ground.
#[derive(Clone, Copy, Debug)]
pub struct TreeLine {
    /// One end.
    pub from: Vec3,
    /// Other end.
    pub to: Vec3,
    /// Height of the tallest crowns, metres.
    pub height: f32,
    /// Mean width of a crown, metres.
    pub crown: f32,
    /// Share of conifers, 0 to 1.
    pub conifers: f32,
    /// Share of crowns that are missing, 0 (closed) to 1.
    pub gaps: f32,
    /// Everything else.
    pub seed: u64,
}

impl TreeLine {
    /// Paint the row. Meant for distances where single trees are under a fifth of the picture.
    pub fn paint(&self, painter: &mut Painter<'_>, palette: &Palette) {
        let mut s = Stream::from_seed(self.seed);
        let edge = self.to.minus(self.from);
        let along = edge.unit();
        let mut right = along;
        let middle = self.from.plus(edge.scale(0.5));
        if right.dot(painter.facing_right(middle)) < 0.0 {
            right = right.scale(-1.0);
        }
        let toward = Vec3::new(right.z, 0.0, -right.x);
        let look =
            Foliage::new(painter.light, Rgb::grey(1.0), right, toward, self.height, s.bits());
        let ids = Field::new(Pattern::Grain, s.bits(), 256.0);
        let twigs = Field::new(Pattern::Blades, s.bits(), 0.4 * self.height);
        let tones: [Rgb; 5] = core::array::from_fn(|_| palette.leaf(&mut s));
        let needles: [Rgb; 2] = core::array::from_fn(|_| palette.needle(&mut s));
        let bare = palette.bare();
        let sign = along.dot(right);
        let (h, crown) = (self.height, self.crown);
        let (conifers, gaps, snow) = (self.conifers, self.gaps, palette.snow);
        let up = Vec3::new(0.0, h * 1.08, 0.0);
        painter.quad(self.from, edge, up, |u, v, footprint| {
            let (rough, leaf) = look.noise(u, v, footprint);
            let mut result = (Rgb::default(), 0.0);
            // two ranks of crowns, the farther one taller and shifted by half a crown
            for rank in [1.0_f32, 0.0] {
                let x = u / crown + 0.5 * rank + 0.35 * (rough - 0.5);
                let cell = floor_fast(x) as f32;
                let id = ids.at(cell * 3.7 + 0.5, 11.5 + 40.0 * rank, 0.5);
                let kind = fract(id * 57.0);
                if fract(id * 23.0) < gaps {
                    continue;
                }
                let t = fract(x) * 2.0 - 1.0;
                let tall = h * (0.62 + 0.38 * id) * (0.86 + 0.14 * rank);
                let conifer = kind < conifers;
                let profile = if conifer {
                    1.0 - 0.55 * t.abs() - 0.10 * fract(v / h * 9.0)
                } else {
                    0.70 + 0.30 * (1.0 - t * t).max(0.0).sqrt()
                };
                let top = tall * (profile + 0.28 * (rough - 0.5) + 0.16 * (leaf - 0.5));
                let soft = footprint + 0.01 * h;
                let mut cover = smoothstep(-soft, soft, top - v);
                if cover <= 0.0 {
                    continue;
                }
                let level = (v / tall).clamp(0.0, 1.0);
                let leafless = bare && !conifer;
                if leafless {
                    // dense below, single twigs at the top
                    let strand = twigs.at(u * 1.5, v * 0.6, footprint);
                    let dense = 1.05 - 0.75 * level + 1.2 * (strand - 0.5);
                    cover *= dense.clamp(0.0, 1.0);
                }
                let normal =
                    Vec3::new(0.75 * t * sign, 0.75 * (level - 0.35) + 0.5 * (rough - 0.5), 0.6);
                let deep = smoothstep(0.0, 0.35, level);
                let open = (0.28 + 0.72 * deep) * (0.55 + 0.45 * level) * (1.0 - 0.25 * rank)
                    + 0.5 * (rough - 0.5);
                let tone = if conifer {
                    needles[usize::from(kind < conifers * 0.5)]
                } else if leafless {
                    Rgb::new(0.10, 0.085, 0.072)
                } else {
                    tones[tone_index(id)]
                };
                let mut colour = look.lit(normal, open.max(0.07), leaf).times(tone);
                if conifer && snow > 0.0 {
                    colour = colour.mix(look.lit(normal, 0.8, 0.5).scale(0.8), 0.5 * snow * rough);
                }
                result = if result.1 <= 0.0 {
                    (colour, cover)
                } else {
                    (result.0.mix(colour, cover), result.1 + (1.0 - result.1) * cover)
                };
            }
            result
        });
    }
}

/// One of five tones from a random value.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4")]
fn tone_index(id: f32) -> usize {
    ((fract(id * 91.0) * 5.0) as usize).min(4)
}

/// Paint a clipped or wild hedge from one point to another. `ragged` from 0 (clipped) to 1 (wild).
pub fn hedge(
    painter: &mut Painter<'_>,
    palette: &Palette,
    from: Vec3,
    to: Vec3,
    height: f32,
    ragged: f32,
    seed: u64,
) {
    let mut s = Stream::from_seed(seed);
    let edge = to.minus(from);
    let right = painter.facing_right(from.plus(edge.scale(0.5)));
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let tone = if palette.bare() && s.chance(0.6) {
        Rgb::new(0.12, 0.09, 0.06)
    } else if palette.bare() {
        palette.needle(&mut s)
    } else {
        palette.leaf(&mut s).mix(palette.needle(&mut s), 0.4)
    };
    let look = Foliage::new(painter.light, tone, right, toward, 2.2, s.bits());
    let snow = palette.snow;
    let reach = height * (1.0 + 0.35 * ragged);
    painter.quad(from, edge, Vec3::new(0.0, reach, 0.0), |u, v, footprint| {
        let (rough, leaf) = look.noise(u, v, footprint);
        let bulge = 0.06 + 0.6 * ragged;
        let top = height * (1.0 + bulge * (rough - 0.5) + 0.08 * (leaf - 0.5));
        let soft = footprint + 0.01;
        let cover = smoothstep(-soft, soft, top - v);
        let level = v / height;
        let lip = smoothstep(0.78, 1.0, level);
        let normal = Vec3::new(0.4 * (rough - 0.5), 0.1 + 0.9 * lip, 0.8);
        let open = 0.40 + 0.45 * level + 0.8 * (rough - 0.5);
        let colour = look.lit(normal, open.max(0.08), leaf);
        let white = look.lit(Vec3::new(0.0, 1.0, 0.0), 0.9, 0.55);
        let white = Rgb::grey(white.luminance() / tone.luminance().max(1e-3) * 0.7);
        (colour.mix(white, snow * lip * 0.85), cover)
    });
}

/// Paint a fringe of tall grass from one point to another; the blades are `height` metres tall.
pub fn tall_grass(
    painter: &mut Painter<'_>,
    palette: &Palette,
    from: Vec3,
    to: Vec3,
    height: f32,
    seed: u64,
) {
    let mut s = Stream::from_seed(seed);
    let edge = to.minus(from);
    let blades = Field::new(Pattern::Blades, s.bits(), 1.1);
    let patches = Field::new(Pattern::Fractal, s.bits(), 6.0);
    let light = painter.light.on(Vec3::new(0.0, 0.8, 0.0));
    let [pale, dark] = palette.grass;
    let dry = palette.straw;
    let lean = s.range(-0.3, 0.3);
    painter.quad(from, edge, Vec3::new(0.0, height, 0.0), |u, v, footprint| {
        let level = v / height;
        let n = blades.at(u + lean * v * level, 0.15 * v, footprint);
        let patch = patches.at(u, 0.0, footprint);
        let top = (0.15 + 0.95 * patch) * (0.35 + 1.1 * n);
        let soft = 0.08 + footprint / height;
        let cover = smoothstep(-soft, soft, top - level);
        let tone = dark.mix(pale, (0.2 + level).min(1.0)).mix(dry, 0.7 * patch * level);
        (tone.times(light).scale(0.35 + 0.6 * level + 0.7 * (n - 0.4)), cover)
    });
}
