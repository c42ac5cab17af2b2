//! Trees and bushes: a trunk with branches and a crown of overlapping clumps of leaves.
//!
//! A crown is about twenty clumps spread over an ellipsoid, painted from the back to the front. Each
//! has a ragged edge and gaps from noise, and is lit as part of a sphere that is itself part of the
//! crown, so crowns have light and dark sides, and sky shows through them. In winter the same tree is
//! a skeleton, see `bare_tree.rs`.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::{sin_cos, smoothstep};
use crate::rng::Stream;

use super::Light;
use super::painter::Painter;
use super::season::Palette;
use super::tile::{Field, Pattern};

/// Shape of a crown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Wide round crown: oak, lime, maple.
    Round,
    /// Oval, taller than wide: birch, ash, fruit tree.
    Oval,
    /// Column: poplar, cypress.
    Column,
    /// No trunk to be seen: bush, young shoots.
    Bush,
    /// Spruce or fir.
    Conifer,
    /// Pine: bare reddish trunk, flat crown.
    Pine,
}

/// A tree, described so far that painting it needs no further choice.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Where it stands.
    pub base: Vec3,
    /// Height, metres.
    pub height: f32,
    /// Shape.
    pub habit: Habit,
    /// Reflectance of leaves or needles.
    pub leaf: Rgb,
    /// True without leaves.
    pub bare: bool,
    /// Snow on the branches, 0 to 1.
    pub snow: f32,
    /// Everything else.
    pub seed: u64,
}

impl Tree {
    /// A tree of a habit with the colours of the season.
    #[must_use]
    pub fn new(
        base: Vec3,
        height: f32,
        habit: Habit,
        palette: &Palette,
        stream: &mut Stream,
    ) -> Self {
        let evergreen = matches!(habit, Habit::Conifer | Habit::Pine);
        let leaf = if evergreen { palette.needle(stream) } else { palette.leaf(stream) };
        // a few keep their dry leaves in winter
        let bare = palette.bare() && !evergreen && stream.chance(0.93);
        Self { base, height, habit, leaf, bare, snow: palette.snow, seed: stream.bits() }
    }

    /// Paint it, without its shadow.
    pub fn paint(&self, painter: &mut Painter<'_>) {
        let visible =
            painter.camera.project(self.base.plus(Vec3::new(0.0, self.height * 0.5, 0.0)));
        let Some((x, y, depth)) = visible else { return };
        let reach = painter.camera.focal_px * self.height / depth;
        let (width, height) = (painter.canvas.width as f32, painter.canvas.height as f32);
        if x < -reach || x > width + reach || y < -reach || y > height + reach {
            return;
        }
        match self.habit {
            Habit::Conifer => super::conifer::paint(self, painter),
            _ if self.bare => super::bare_tree::paint(self, painter),
            _ => self.paint_leafy(painter),
        }
    }

    /// Shadow on the ground below it.
    pub fn shadow(&self, painter: &mut Painter<'_>) {
        let spread = match self.habit {
            Habit::Round => 0.36,
            Habit::Oval | Habit::Pine => 0.26,
            Habit::Column => 0.14,
            Habit::Bush => 0.5,
            Habit::Conifer => 0.2,
        };
        let lighter = if self.bare { 0.5 } else { 1.0 };
        painter.ground_shadow(self.base, spread * self.height * lighter, self.height);
    }

    /// Width and height of the crown's half axes and height of its middle, in tree heights.
    #[must_use]
    pub fn crown(&self) -> (f32, f32, f32) {
        match self.habit {
            Habit::Round => (0.40, 0.37, 0.62),
            Habit::Oval => (0.26, 0.40, 0.59),
            Habit::Column => (0.11, 0.46, 0.53),
            Habit::Bush => (0.62, 0.50, 0.45),
            Habit::Conifer => (0.2, 0.45, 0.5),
            Habit::Pine => (0.27, 0.20, 0.80),
        }
    }

    fn paint_leafy(&self, painter: &mut Painter<'_>) {
        let mut s = Stream::from_seed(self.seed);
        let (wide, tall, middle) = self.crown();
        let h = self.height;
        let right = painter.facing_right(self.base);
        let toward = Vec3::new(right.z, 0.0, -right.x);
        if self.habit != Habit::Bush {
            self.paint_trunk(painter, &mut s, right);
        }
        let look = Foliage::new(painter.light, self.leaf, right, toward, h, s.bits());
        let count: u8 = match self.habit {
            Habit::Bush => 9,
            Habit::Column => 20,
            Habit::Pine => 13,
            _ => 22,
        };
        let sway = s.range(-0.06, 0.06);
        let clumps: Vec<Clump> = (0..count)
            .map(|i| {
                // spread over the ellipsoid by the golden angle, with jitter
                let t = (f32::from(i) + 0.5) / f32::from(count);
                let y = 1.0 - 2.0 * t + s.range(-0.12, 0.12);
                let ring = (1.0 - y * y).max(0.0).sqrt();
                let (sin, cos) = sin_cos(2.4 * f32::from(count) * t + s.range(-0.5, 0.5));
                let r = s.range(0.55, 0.86);
                let place = Vec3::new(ring * cos * r, y * r, ring * sin * r);
                let size = s.range(0.30, 0.46);
                // inner and lower clumps get less of the sky
                let open = 0.42
                    + 0.30 * (place.y + 0.8).clamp(0.0, 1.6) / 1.6
                    + 0.28 * (0.5 + 0.5 * place.z);
                Clump {
                    centre: ((place.x + sway * place.y) * wide * h, (place.y * tall + middle) * h),
                    radii: (size * wide.max(0.6 * tall) * h, size * tall.min(1.3 * wide + 0.1) * h),
                    outward: place,
                    open: open * s.range(0.9, 1.1),
                }
            })
            .collect();
        look.crown(painter, self.base, clumps);
    }

    fn paint_trunk(&self, painter: &mut Painter<'_>, s: &mut Stream, right: Vec3) {
        let h = self.height;
        let bark = if self.habit == Habit::Pine {
            Rgb::new(0.20, 0.12, 0.075)
        } else {
            Rgb::new(0.085, 0.072, 0.058).scale(s.range(0.8, 1.5))
        };
        let top = if self.habit == Habit::Pine { 0.85 } else { 0.6 };
        let lean = right.scale(h * s.range(-0.04, 0.04));
        let fork = self.base.plus(Vec3::new(0.0, h * top, 0.0)).plus(lean);
        let radius = h * s.range(0.016, 0.026);
        painter.pole(self.base, fork, radius, radius * 0.35, bark);
        for _ in 0..5 {
            let t = s.range(0.45, 0.9);
            let from = self.base.plus(fork.minus(self.base).scale(t));
            let out = right.scale(h * s.range(-0.24, 0.24));
            let to = from.plus(out).plus(Vec3::new(0.0, h * s.range(0.08, 0.25), 0.0));
            painter.pole(from, to, radius * 0.4, radius * 0.15, bark);
        }
    }
}

/// A mass of leaves on a twig: an ellipse of the crown.
#[derive(Clone, Copy, Debug)]
pub struct Clump {
    /// Right of and above the foot of the plant, metres.
    pub centre: (f32, f32),
    /// Half axes, metres.
    pub radii: (f32, f32),
    /// Place on the crown: right, up, toward the viewer; about unit length.
    pub outward: Vec3,
    /// Share of the sky that it sees.
    pub open: f32,
}

/// Squared distance, in half axes, up to which noise may carry the edge of a clump.
const CLUMP_REACH2: f32 = 1.8;

/// For each cell of a coarse grid over a crown, the clumps that reach into it: bit i stands for clump i,
/// so that the order, nearest first, is kept.
struct ClumpGrid {
    cells: [u64; Self::SIDE * Self::SIDE],
    low: [f32; 2],
    cells_a_metre: [f32; 2],
}

impl ClumpGrid {
    const SIDE: usize = 6;

    fn new(clumps: &[Clump], inverse: &[(f32, f32)], low: [f32; 2], high: [f32; 2]) -> Self {
        let side = Self::SIDE as f32;
        let size = [(high[0] - low[0]) / side, (high[1] - low[1]) / side];
        let mut cells = [0; Self::SIDE * Self::SIDE];
        // distance of a clump's middle from the nearest point of a column or row of cells, half axes
        let gaps = |centre: f32, axis: usize, scale: f32| {
            let mut gaps = [0.0_f32; Self::SIDE];
            let mut from = low[axis] - centre;
            for gap in &mut gaps {
                let away = from.max(-(from + size[axis])).max(0.0) * scale;
                *gap = away * away;
                from += size[axis];
            }
            gaps
        };
        for (index, (c, k)) in clumps.iter().zip(inverse).enumerate() {
            let (x, y) = (gaps(c.centre.0, 0, k.0), gaps(c.centre.1, 1, k.1));
            for (cell, mask) in cells.iter_mut().enumerate() {
                // a little more than the reach: rounding must not lose a pixel
                if x[cell % Self::SIDE] + y[cell / Self::SIDE] < 1.01 * CLUMP_REACH2 {
                    *mask |= 1_u64 << index.min(63);
                }
            }
        }
        Self { cells, low, cells_a_metre: [1.0 / size[0], 1.0 / size[1]] }
    }

    /// Indices of the clumps that may cover a point.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the grid"
    )]
    #[inline]
    fn at(&self, u: f32, v: f32) -> impl Iterator<Item = usize> {
        let last = (Self::SIDE - 1) as f32;
        let cell = |a: f32, axis: usize| {
            ((a - self.low[axis]) * self.cells_a_metre[axis]).clamp(0.0, last) as usize
        };
        let mut mask = self.cells[cell(v, 1) * Self::SIDE + cell(u, 0)];
        core::iter::from_fn(move || {
            (mask != 0).then(|| {
                let index = mask.trailing_zeros() as usize;
                mask &= mask - 1;
                index
            })
        })
    }
}

/// How the leaves of one plant look: colour, light in the plant's own axes, noise.
#[derive(Clone, Copy, Debug)]
pub struct Foliage {
    leaf: Rgb,
    /// Sun in (right, up, toward the viewer).
    sun: Vec3,
    sun_colour: Rgb,
    sky_colour: Rgb,
    rough: Field,
    leaves: Field,
}

impl Foliage {
    /// Leaves of a colour on a plant about `size` metres tall; `right` and `toward` as for a billboard.
    #[must_use]
    pub fn new(light: Light, leaf: Rgb, right: Vec3, toward: Vec3, size: f32, seed: u64) -> Self {
        let mut s = Stream::from_seed(seed);
        Self {
            leaf,
            sun: Vec3::new(light.to_sun.dot(right), light.to_sun.y, light.to_sun.dot(toward)),
            sun_colour: light.sun,
            sky_colour: light.sky,
            rough: Field::new(Pattern::Fractal, s.bits(), 0.9 * size),
            leaves: Field::new(Pattern::Leaves, s.bits(), (0.30 * size).clamp(0.9, 4.5)),
        }
    }

    /// Light from leaves whose mean normal is (right, up, toward); `open` is the share of sky they see
    /// and `gloss` the noise of single leaves, 0 to 1.
    #[must_use]
    #[inline]
    pub fn lit(&self, normal: Vec3, open: f32, gloss: f32) -> Rgb {
        // leaves let light through: the terminator is soft and lies behind the edge
        let direct = ((normal.dot(self.sun) + 0.30) / 1.30).max(0.0) * open;
        let sky = open * (0.45 + 0.4 * normal.y.max(-0.6));
        let light = self.sun_colour.scale(direct * 0.95).plus(self.sky_colour.scale(sky));
        // gaps between leaves are dark, lit leaves yellowish
        let k = 0.30 + 1.25 * gloss;
        let through = Rgb::new(1.08, 1.04, 0.82);
        let tint = Rgb::grey(1.0).mix(through, direct.min(1.0));
        self.leaf.times(light).times(tint).scale(k * 1.15)
    }

    /// Noise of outline and leaves at (u, v) metres.
    #[must_use]
    #[inline]
    pub fn noise(&self, u: f32, v: f32, footprint: f32) -> (f32, f32) {
        (self.rough.at(u, v, footprint), self.leaves.at(u, v, footprint))
    }

    /// Paint overlapping clumps of a plant whose foot is `base`. Each pixel looks for the nearest clump
    /// that covers it, so a crown costs little more than one billboard.
    pub fn crown(&self, painter: &mut Painter<'_>, base: Vec3, mut clumps: Vec<Clump>) {
        // nearest first
        clumps.sort_by(|a, b| b.outward.z.total_cmp(&a.outward.z));
        // noise pushes the edge of a clump out by up to a third
        let reach = 1.35;
        let (mut low, mut high) = (f32::MAX, f32::MIN);
        let (mut left_edge, mut right_edge) = (f32::MAX, f32::MIN);
        for c in &clumps {
            low = low.min(c.centre.1 - reach * c.radii.1);
            high = high.max(c.centre.1 + reach * c.radii.1);
            left_edge = left_edge.min(c.centre.0 - reach * c.radii.0);
            right_edge = right_edge.max(c.centre.0 + reach * c.radii.0);
        }
        if low >= high {
            return;
        }
        let inverse: Vec<(f32, f32)> =
            clumps.iter().map(|c| (1.0 / c.radii.0, 1.0 / c.radii.1)).collect();
        let right = painter.facing_right(base);
        let near = ClumpGrid::new(&clumps, &inverse, [left_edge, low], [right_edge, high]);
        let corner = base.plus(right.scale(left_edge)).plus(Vec3::new(0.0, low, 0.0));
        let edge_u = right.scale(right_edge - left_edge);
        let edge_v = Vec3::new(0.0, high - low, 0.0);
        painter.quad(corner, edge_u, edge_v, |u, v, footprint| {
            let (u, v) = (u + left_edge, v + low);
            let mut noise: Option<(f32, f32, f32)> = None;
            let (mut colour, mut left) = (Rgb::default(), 1.0_f32);
            for index in near.at(u, v) {
                let (c, k) = (&clumps[index], &inverse[index]);
                let (nx, ny) = ((u - c.centre.0) * k.0, (v - c.centre.1) * k.1);
                let r2 = nx * nx + ny * ny;
                if r2 > CLUMP_REACH2 {
                    continue;
                }
                let (rough, leaf, edge2) = *noise.get_or_insert_with(|| {
                    let (rough, leaf) = self.noise(u, v, footprint);
                    let edge = 1.0 + 1.15 * (rough - 0.5) + 0.55 * (leaf - 0.5);
                    (rough, leaf, edge * edge)
                });
                let soft = 0.12 + footprint * k.0;
                let cover = smoothstep(-soft, soft, edge2 - r2);
                if cover <= 0.0 {
                    continue;
                }
                let front = (1.0 - 0.8 * r2).max(0.0).sqrt();
                let normal = Vec3::new(
                    0.5 * nx + 0.6 * c.outward.x,
                    0.5 * ny + 0.6 * c.outward.y + 0.12,
                    0.5 * front + 0.45 * c.outward.z,
                );
                let shade = c.open * (0.80 + 0.30 * ny + 0.5 * (rough - 0.5));
                let lit = self.lit(normal, shade.max(0.08), leaf);
                colour = colour.plus(lit.scale(left * cover));
                left *= 1.0 - cover;
                if left < 0.02 {
                    break;
                }
            }
            let cover = 1.0 - left;
            if cover <= 0.0 { (colour, 0.0) } else { (colour.scale(1.0 / cover), cover) }
        });
    }
}
