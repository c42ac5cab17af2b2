//! Halls of industry: cladding, roofs, doors and docks, the firm's name.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::noise::lattice;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::facade::{band, cladding, pick_colour};
use super::industry::SODIUM;
use super::painter::Painter;
use super::solids::{Cuboid, Face, Side};
use super::steelwork::{Facet, Prism};
use super::tile::{Field, Pattern, floor_fast, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Cladding (sRGB): aluminium greys, sand, dull blues and greens.
const CLADDING: [(u8, u8, u8); 9] = [
    (186, 188, 186),
    (164, 168, 170),
    (206, 204, 196),
    (140, 146, 152),
    (184, 174, 152),
    (104, 122, 142),
    (122, 140, 126),
    (98, 104, 110),
    (172, 156, 138),
];
/// Stripes, doors and trim of the firms (sRGB).
const ACCENT: [(u8, u8, u8); 7] = [
    (36, 70, 122),
    (142, 42, 38),
    (44, 100, 74),
    (196, 144, 40),
    (60, 64, 70),
    (176, 92, 36),
    (200, 200, 196),
];

/// Shape of a hall's roof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roof {
    /// Flat behind a parapet, with vents.
    Flat,
    /// One low ridge over the short side.
    Gable,
    /// A row of saw teeth with glazing.
    Saw,
}

/// A long hall; its front (see [`Side::Front`]) has doors at ground level or docks.
#[derive(Clone, Copy, Debug)]
pub struct Hall {
    /// Walls.
    pub body: Cuboid,
    /// Roof.
    pub roof: Roof,
    /// Whether the doors are raised to the floor of a lorry.
    pub docks: bool,
    /// Distance between doors, metres.
    pub door_pitch: f32,
    wall: Rgb,
    accent: Rgb,
    upright_ribs: bool,
    windows: bool,
    name: bool,
    stain: Field,
    seed: u64,
}

impl Hall {
    /// A hall with drawn colours and openings on given walls.
    #[must_use]
    pub fn new(s: &mut Stream, body: Cuboid) -> Self {
        Self {
            body,
            roof: *s.pick(&[Roof::Flat, Roof::Flat, Roof::Gable, Roof::Saw, Roof::Saw]),
            docks: s.chance(0.5),
            door_pitch: s.range(5.2, 8.5),
            wall: pick_colour(s, &CLADDING),
            accent: pick_colour(s, &ACCENT),
            upright_ribs: s.chance(0.65),
            windows: s.chance(0.75),
            name: s.chance(0.6),
            stain: Field::new(Pattern::Fractal, s.bits(), 34.0),
            seed: s.bits(),
        }
    }

    /// Middle of the foot of a door in the front wall.
    #[must_use]
    pub fn door(&self, index: f32) -> Vec3 {
        let x = (index + 0.5) * self.door_pitch / self.body.size.x - 0.5;
        self.body.point(x, 0.0, -0.5)
    }

    /// Paint walls and roof.
    pub fn paint(&self, p: &mut Painter<'_>) {
        let (dusk, sky) = (p.light.dusk, p.light.sky);
        let hall = *self;
        p.cuboid(&self.body, |face, u, v, fp| (hall.wall(face, u, v, fp, sky, dusk), 1.0));
        match self.roof {
            Roof::Flat => self.vents(p),
            Roof::Gable => self.gable(p),
            Roof::Saw => self.saw(p),
        }
    }

    fn wall(&self, face: &Face, u: f32, v: f32, fp: f32, sky: Rgb, dusk: f32) -> Rgb {
        let (w, h) = (face.width, face.height);
        let falls = face.light;
        if face.side == Side::Top {
            return Rgb::grey(0.2).times(falls);
        }
        let (a, b) = if self.upright_ribs { (u, v) } else { (v, u) };
        let sheet = if self.upright_ribs {
            cladding(self.wall, &self.stain, 0.33, a, b, fp)
        } else {
            cladding(self.wall, &self.stain, 0.42, a, b + 2.0, fp)
                .scale(1.0 + 0.25 * self.stain.signed(1.5 * u, 0.15 * v, fp))
        };
        // frames every 6 m show as lines of fixings and down pipes
        let pipe = band(fract(u / 12.0) * 12.0, 0.0, 0.14, fp);
        let mut c = sheet.mix(self.wall.scale(0.62), 0.8 * pipe);
        let stripe = band(v, h - 1.9, h - 0.9, fp);
        c = c.mix(self.accent, 0.9 * stripe);
        c = c.mix(self.accent.scale(0.5), band(v, h - 0.28, h + 1.0, fp));
        c = c.mix(Rgb::srgb8(128, 124, 116), band(v, -1.0, 0.7, fp));
        let mut out = c.times(falls).scale(0.72 + 0.28 * smoothstep(0.0, 1.4, v));
        if self.name && face.side == Side::Front {
            out = self.lettering(out, falls, u, v - (h - 3.5), w, fp);
        }
        if self.windows {
            let (low, high) = (0.5 * h, 0.5 * h + 1.3);
            let hole = band(v, low, high, fp) * band(u, 1.0, w - 1.0, fp);
            if hole > 0.0 {
                let pane = floor_fast(u / 1.25);
                let frame = 1.0
                    - band(fract(u / 1.25) * 1.25, 0.06, 1.2, fp)
                        * band(v, low + 0.07, high - 0.07, fp);
                let tone = lattice(self.seed, pane, 1);
                let lamp = Rgb::new(0.8, 0.85, 0.7)
                    .scale(0.4 * dusk * f32::from(u8::from(lattice(self.seed, pane / 5, 2) < 0.7)));
                let glass = sky.scale(0.12 + 0.22 * tone).plus(lamp);
                out = out.mix(glass.mix(falls.scale(0.3), frame), hole);
            }
        }
        if face.side == Side::Front { self.openings(out, falls, u, v, fp, dusk) } else { out }
    }

    /// The firm's name: blocks of letter shape, too coarse to read.
    fn lettering(&self, out: Rgb, falls: Rgb, u: f32, v: f32, w: f32, fp: f32) -> Rgb {
        let from = w * (0.15 + 0.3 * lattice(self.seed, 8, 8));
        let x = u - from;
        if !(0.0..11.0).contains(&x) || !(-0.3..1.5).contains(&v) {
            return out;
        }
        let cell = floor_fast(x / 1.1);
        let kind = lattice(self.seed ^ 0x1e77, cell, 0);
        let (a, b) = (fract(x / 1.1) * 1.1, v);
        let stems =
            band(a, 0.12, 0.36, fp).max(band(a, 0.62, 0.86, fp) * f32::from(u8::from(kind < 0.7)));
        let bar = if kind < 0.35 {
            0.5
        } else if kind < 0.65 {
            0.0
        } else {
            0.96
        };
        let bars = band(b, bar, bar + 0.24, fp) * band(a, 0.12, 0.86, fp);
        let ink = stems.max(bars) * band(b, 0.0, 1.2, fp) * f32::from(u8::from(kind > 0.06));
        out.mix(self.accent.times(falls), 0.95 * ink)
    }

    /// Roller doors, docks with rubber seals and a small door beside them.
    fn openings(&self, out: Rgb, falls: Rgb, u: f32, v: f32, fp: f32, dusk: f32) -> Rgb {
        let number = floor_fast(u / self.door_pitch);
        let x = (fract(u / self.door_pitch) - 0.5) * self.door_pitch;
        let tone = lattice(self.seed ^ 0xd0, number, 1);
        let mut out = out;
        if dusk > 0.05 && v < 7.0 {
            // a lamp above each door throws a cone down the wall
            let d = x * x + (v - 5.4) * (v - 5.4) * if v > 5.4 { 6.0 } else { 0.35 };
            out = out.plus(SODIUM.times(self.wall).scale(dusk * 0.9 / (1.0 + d)));
        }
        if tone < 0.18 {
            let leaf = band(x, -0.5, 0.5, fp) * band(v, 0.0, 2.1, fp);
            return out.mix(self.accent.times(falls).scale(0.7), leaf);
        }
        let (low, high, half) = if self.docks { (1.15, 4.2, 1.5) } else { (0.0, 4.5, 2.1) };
        let seal = band(x, -half - 0.4, half + 0.4, fp) * band(v, low - 0.2, high + 0.5, fp);
        let seal_colour = if self.docks { Rgb::grey(0.025) } else { self.wall.scale(0.55) };
        out = out.mix(seal_colour.times(falls), seal);
        let leaf = band(x, -half, half, fp) * band(v, low, high, fp);
        if leaf > 0.0 {
            let slat = fract(v / 0.22);
            let fade = 1.0 - smoothstep(0.06, 0.2, fp);
            let relief =
                1.0 + fade * (0.22 * (slat - 0.5) - 0.3 * f32::from(u8::from(slat < 0.14)));
            let paint = if tone < 0.55 { Rgb::srgb8(178, 180, 178) } else { self.accent };
            let mut door = paint.scale(relief).times(falls);
            let pane = band(v, 1.9 + 0.4 * low, 2.3 + 0.4 * low, fp)
                * band(fract(x / 0.9 + 0.5) * 0.9, 0.12, 0.78, fp);
            door = door
                .mix(Rgb::grey(0.05).plus(Rgb::new(0.7, 0.6, 0.35).scale(0.4 * dusk)), 0.9 * pane);
            if tone > 0.8 {
                // rolled up: a dark hall with lamps far inside
                let inside = Rgb::grey(0.03).times(falls).plus(
                    Rgb::new(0.8, 0.75, 0.55).scale((0.02 + 0.3 * dusk) * smoothstep(low, high, v)),
                );
                door = door.mix(inside, band(v, -1.0, high - 0.6, fp));
            }
            out = out.mix(door, leaf);
        }
        let bumper = band((x.abs() - half).abs(), -1.0, 0.15, fp) * band(v, 0.0, 1.0, fp);
        let stripes = fract((v + x) / 0.4) < 0.5;
        let warn = if stripes { Rgb::srgb8(214, 168, 30) } else { Rgb::grey(0.03) };
        if self.docks { out } else { out.mix(warn.times(falls), 0.9 * bumper) }
    }

    fn vents(&self, p: &mut Painter<'_>) {
        let mut s = Stream::from_seed(self.seed);
        for _ in 0..2 + s.below(4) {
            let at = self.body.point(s.range(-0.45, 0.45), self.body.size.y, s.range(-0.48, -0.3));
            if s.chance(0.5) {
                let (h, r) = (s.range(1.2, 3.5), s.range(0.25, 0.6));
                p.cylinder(at, h, r, r, |_, v, fp, lit| {
                    lit.scale(0.34 + 0.12 * band(fract(v), 0.0, 0.1, fp))
                });
            } else {
                let plant =
                    Cuboid::new(at, self.body.right, s.range(2.0, 5.0), s.range(1.2, 2.2), 2.0);
                p.cuboid(&plant, |f, u, v, fp| {
                    let louvre = 0.85 + 0.3 * f32::from(u8::from(fract(v / 0.3) < 0.5 && fp < 0.2));
                    let seam = 1.0 - 0.4 * band(fract(u / 1.4) * 1.4, 0.0, 0.07, fp);
                    (f.light.scale(0.36 * louvre * seam), 1.0)
                });
            }
        }
    }

    fn gable(&self, p: &mut Painter<'_>) {
        let size = self.body.size;
        let half = 0.5 * size.z + 0.3;
        let outline = [(-half, 0.0), (half, 0.0), (0.0, 0.24 * half)];
        let base = self.body.base.plus(UP.scale(size.y));
        let prism = Prism { base, along: self.body.inward(), outline: &outline, thickness: size.x };
        let (wall, stain) = (self.wall, self.stain);
        p.prism(&prism, |facet, light, u, v, fp| match facet {
            Facet::Cap => (cladding(wall, &stain, 0.33, u, v + 2.0, fp).times(light), 1.0),
            Facet::Edge(_) => {
                let c = cladding(Rgb::grey(0.3), &stain, 0.5, v, u + 2.0, fp);
                let dome =
                    band(fract(v / 9.0) * 9.0, 3.0, 4.6, fp) * band(u, 0.3 * half, 0.8 * half, fp);
                (c.times(light).mix(light.scale(0.75), 0.7 * dome), 1.0)
            }
        });
    }

    fn saw(&self, p: &mut Painter<'_>) {
        let size = self.body.size;
        let teeth = (size.x / 7.5).floor().max(2.0);
        let width = size.x / teeth;
        let rise = 0.42 * width;
        let outline = [(0.0, 0.0), (width, 0.0), (0.15, rise), (0.0, rise)];
        let start = self.body.point(-0.5, size.y, 0.0);
        let right = self.body.right;
        // farthest tooth first
        let eye = p.camera.position.minus(start).dot(right) / size.x;
        let (wall, stain, sky, dusk, seed) =
            (self.wall, self.stain, p.light.sky, p.light.dusk, self.seed);
        let mut paint = |i: f32| {
            let base = start.plus(right.scale(i * width));
            let prism = Prism { base, along: right, outline: &outline, thickness: size.z };
            p.prism(&prism, |facet, light, u, v, fp| match facet {
                Facet::Cap => {
                    let edge = band(v + rise * u / width, rise - 0.25, rise + 1.0, fp);
                    let c = cladding(wall, &stain, 0.33, u, v + 2.0, fp);
                    (c.mix(Rgb::grey(0.12), 0.8 * edge).times(light), 1.0)
                }
                Facet::Edge(3) => {
                    let bar = 1.0
                        - band(fract(v), 0.06, 0.94, fp)
                            * band(fract(u / 1.3) * 1.3, 0.08, 1.22, fp);
                    let t = lattice(seed, floor_fast(v), floor_fast(u / 1.3));
                    let glass =
                        sky.scale(0.25 + 0.3 * t).plus(Rgb::new(0.8, 0.8, 0.6).scale(0.4 * dusk));
                    (glass.mix(light.scale(0.2), bar), 1.0)
                }
                Facet::Edge(_) => {
                    (cladding(Rgb::grey(0.26), &stain, 0.5, v, u + 2.0, fp).times(light), 1.0)
                }
            });
        };
        let mut i = 0.0;
        if eye < 0.5 {
            i = teeth - 1.0;
            while i >= 0.0 {
                paint(i);
                i -= 1.0;
            }
        } else {
            while i < teeth {
                paint(i);
                i += 1.0;
            }
        }
    }
}
