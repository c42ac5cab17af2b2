//! Ground: strips along the road, each with its own surface, and the lines painted on it.
//!
//! Every pixel below the horizon is traced to the plane y = 0 and looked up in the road frame, so
//! lanes converge and bend as they should. Textures are filtered by the pixel's footprint; edges of
//! strips and markings are filtered analytically across the road, dashes also along it.

mod row;

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::{Stream, key};

use super::View;
use super::painter::Painter;
use super::road::Road;
use super::season::Palette;
use super::tile::{Field, Pattern, fract};

use row::{Rays, Row};

/// What a strip of ground is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Surface {
    /// Bituminous road, with grain, patches, cracks and wheel tracks; the value is its tone, about 0.8 (new, dark) to 1.3 (old, pale).
    Asphalt(f32),
    /// Concrete slabs, joints every 5 m.
    Concrete,
    /// Kerb stones, 1 m long.
    Kerb,
    /// Pavement of small slabs, 0.3 m.
    Slabs,
    /// Cobbles, about 0.12 m.
    Cobbles,
    /// Mown or wild grass.
    Grass,
    /// A field of one colour with rows this far apart (metres) along the road.
    Crop(Rgb, f32),
    /// Bare soil with ruts and clods.
    Soil,
    /// Pale sand.
    Sand,
    /// Gravel or ballast.
    Gravel,
    /// Dark leaf litter.
    Litter,
    /// Any smooth colour.
    Plain(Rgb),
}

/// A strip from one position across the road to the next strip's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strip {
    /// Left edge, metres across (see [`Road`]).
    pub from: f32,
    /// Material.
    pub surface: Surface,
}

/// A painted line along the road.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marking {
    /// Middle of the line, metres across.
    pub across: f32,
    /// Width, metres.
    pub width: f32,
    /// Length of dash and gap, metres; `None` for a solid line.
    pub dash: Option<(f32, f32)>,
    /// Paint.
    pub colour: Rgb,
}

impl Marking {
    /// A solid white edge line (0.12 m, as on rural roads).
    #[must_use]
    pub fn edge(across: f32) -> Self {
        Self { across, width: 0.12, dash: None, colour: Rgb::grey(0.72) }
    }

    /// A centre line as outside towns: 4 m dash, 8 m gap, 0.12 m wide.
    #[must_use]
    pub fn centre_rural(across: f32) -> Self {
        Self { across, width: 0.12, dash: Some((4.0, 8.0)), colour: Rgb::grey(0.72) }
    }

    /// A centre line as in towns: 3 m dash, 3 m gap, 0.12 m wide.
    #[must_use]
    pub fn centre_town(across: f32) -> Self {
        Self { across, width: 0.12, dash: Some((3.0, 3.0)), colour: Rgb::grey(0.72) }
    }

    /// A lane line as on motorways: 6 m dash, 12 m gap, 0.15 m wide.
    #[must_use]
    pub fn lane_motorway(across: f32) -> Self {
        Self { across, width: 0.15, dash: Some((6.0, 12.0)), colour: Rgb::grey(0.75) }
    }

    /// Share of the pixel that the paint covers.
    #[inline]
    fn cover(&self, across: f32, along: f32, px_across: f32, px_along: f32) -> f32 {
        let half = 0.5 * self.width;
        let line = overlap(across - self.across, half, px_across);
        if line <= 0.0 {
            return 0.0;
        }
        let Some((dash, gap)) = self.dash else { return line };
        let period = dash + gap;
        let position = fract(along / period) * period;
        // distance from the middle of the nearest dash
        let from_dash = (position - 0.5 * dash).abs();
        let from_dash = from_dash.min(period - from_dash);
        let sharp = overlap(from_dash, 0.5 * dash, px_along);
        let blur = (px_along / period).clamp(0.0, 1.0);
        line * (sharp + (dash / period - sharp) * blur)
    }
}

/// Share of an interval of width `pixel` round `offset` that lies within +-half.
#[inline]
fn overlap(offset: f32, half: f32, pixel: f32) -> f32 {
    let h = 0.5 * pixel;
    let common = (offset + h).min(half) - (offset - h).max(-half);
    (common / pixel.max(1e-6)).clamp(0.0, 1.0)
}

/// The ground of a place.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Strips from left to right; the first also covers everything to its left.
    pub strips: Vec<Strip>,
    /// Lines, painted on top.
    pub markings: Vec<Marking>,
    /// Share of snow lying on unpaved ground, 0 to 1.
    pub snow: f32,
    palette: Palette,
    road: Road,
    coarse: Field,
    medium: Field,
    grain: Field,
    blades: Field,
}

/// More than a ragged edge reaches beyond its line, metres.
const RAGGED_METRES: f32 = 0.2;

/// A ground position with its pixel's extent.
#[derive(Clone, Copy)]
struct Spot {
    across: f32,
    along: f32,
    px_across: f32,
    px_along: f32,
    footprint: f32,
}

impl Ground {
    /// Ground without strips or markings yet.
    #[must_use]
    pub fn new(view: &View, road: Road, palette: Palette) -> Self {
        let mut s = Stream::from_seed(key("ground", &[view.seed]));
        Self {
            strips: Vec::new(),
            markings: Vec::new(),
            snow: palette.snow,
            palette,
            road,
            coarse: Field::new(Pattern::Fractal, s.bits(), 90.0),
            medium: Field::new(Pattern::Fractal, s.bits(), 9.0),
            grain: Field::new(Pattern::Grain, s.bits(), 256.0 * 0.012),
            blades: Field::new(Pattern::Blades, s.bits(), 3.0),
        }
    }

    /// Add the next strip to the right.
    #[must_use]
    pub fn strip(mut self, from: f32, surface: Surface) -> Self {
        self.strips.push(Strip { from, surface });
        self
    }

    /// Add a line.
    #[must_use]
    pub fn marking(mut self, marking: Marking) -> Self {
        self.markings.push(marking);
        self
    }

    /// A two-lane road from `-width` to 0 with verges: grass on both sides, and the lines that its width
    /// and place call for.
    #[must_use]
    pub fn rural(view: &View, road: Road, palette: Palette, width: f32, tone: f32) -> Self {
        let mut ground = Self::new(view, road, palette)
            .strip(-1e4, Surface::Grass)
            .strip(-width - 0.6, Surface::Gravel)
            .strip(-width - 0.15, Surface::Asphalt(tone))
            .strip(0.15, Surface::Gravel)
            .strip(0.5, Surface::Grass)
            .marking(Marking::edge(-0.15))
            .marking(Marking::edge(0.15 - width));
        if width > 5.4 {
            ground = ground.marking(Marking::centre_rural(-0.5 * width));
        }
        ground
    }

    /// Paint every pixel whose ray falls.
    pub fn paint(&self, painter: &mut Painter<'_>) {
        let light = painter.light.on(Vec3::new(0.0, 1.0, 0.0));
        let Painter { canvas, layers, nearest, haze, .. } = painter;
        let width = canvas.width;
        let rays = Rays::new(painter.camera, self.road, painter.haze_metres, width);
        let mut row = Row::default();
        for y in 0..canvas.height {
            let first = y * width;
            let open = |x: &usize| !layers.hides(first + x);
            let (Some(from), Some(last)) = ((0..width).find(open), (0..width).rfind(open)) else {
                continue;
            };
            row.trace(&rays, y);
            for x in from..=last {
                let index = first + x;
                if layers.hides(index) {
                    continue;
                }
                let Some((depth, air)) = row.seen(x) else { continue };
                if nearest.get(index).is_some_and(|&n| depth > n) {
                    continue;
                }
                let colour = if depth > 20_000.0 {
                    *haze
                } else {
                    self.albedo(&row.spot(x)).times(light).mix(*haze, air)
                };
                layers.set(index, &mut canvas.pixels[index], colour);
            }
        }
    }

    /// Reflectance at a spot.
    fn albedo(&self, spot: &Spot) -> Rgb {
        let mut index = 0;
        while index + 1 < self.strips.len() && self.strips[index + 1].from <= spot.across {
            index += 1;
        }
        let Some(strip) = self.strips.get(index) else { return self.palette.grass[0] };
        // unpaved edges are ragged
        let mut colour = self.surface(strip.surface, spot);
        // neither the pixel nor a ragged edge reaches farther
        let near = |next: &&Strip| spot.across + 0.5 * spot.px_across - next.from > -RAGGED_METRES;
        if let Some(next) = self.strips.get(index + 1).filter(near) {
            let over = (spot.across + 0.5 * spot.px_across - next.from) / spot.px_across;
            let ragged = matches!(next.surface, Surface::Grass | Surface::Gravel | Surface::Soil);
            let reach = if ragged {
                0.25 * self.medium.at(spot.across, spot.along, spot.footprint)
            } else {
                0.0
            };
            let over = over + (reach - 0.1 * f32::from(u8::from(ragged))) / spot.px_across;
            if over > 0.0 {
                colour = colour.mix(self.surface(next.surface, spot), over.min(1.0));
            }
        }
        for line in &self.markings {
            let cover = line.cover(spot.across, spot.along, spot.px_across, spot.px_along);
            if cover > 0.0 {
                // worn paint
                let wear =
                    self.medium.at(spot.across * 3.0, spot.along * 3.0, spot.footprint * 3.0);
                colour = colour.mix(line.colour, cover * (0.6 + 0.4 * smoothstep(0.2, 0.6, wear)));
            }
        }
        colour
    }

    fn surface(&self, surface: Surface, spot: &Spot) -> Rgb {
        let Spot { across: u, along: v, footprint, .. } = *spot;
        let coarse = self.coarse.signed(u, v, footprint);
        match surface {
            Surface::Asphalt(tone) => {
                let medium = self.medium.signed(u, v, footprint);
                let grain = self.grain.signed(u, v, footprint);
                // wheel tracks are polished darker, 1.7 m apart
                let track = (fract(u / 3.1 + 0.21) - 0.5).abs();
                let k = 1.0 + 0.22 * coarse + 0.16 * medium + 0.35 * grain + 0.12 * (track - 0.25);
                let crack = self.crack(u, v, spot);
                Rgb::new(0.125, 0.125, 0.122).scale(tone * k * (1.0 - 0.5 * crack))
            }
            Surface::Concrete => {
                let medium = self.medium.signed(u, v, footprint);
                let grain = self.grain.signed(u, v, footprint);
                let joint = overlap((fract(v / 5.0) - 0.5) * 5.0, 0.015, spot.px_along);
                Rgb::new(0.33, 0.32, 0.30)
                    .scale((1.0 + 0.2 * coarse + 0.2 * medium + 0.12 * grain) * (1.0 - 0.6 * joint))
            }
            Surface::Kerb => {
                let joint = overlap((fract(v) - 0.5).abs() - 0.5, 0.012, spot.px_along);
                let stone = self.grain.signed(fract(v) + v * 0.01, 0.3, 0.02);
                Rgb::new(0.34, 0.34, 0.33)
                    .scale((1.0 + 0.15 * stone + 0.2 * coarse) * (1.0 - 0.5 * joint))
            }
            Surface::Slabs => {
                let (a, b) = (fract(u / 0.3), fract(v / 0.3));
                let joint = overlap((a - 0.5) * 0.3, 0.006, spot.px_across).max(overlap(
                    (b - 0.5) * 0.3,
                    0.006,
                    spot.px_along,
                ));
                let tint = self.grain.signed(u - a * 0.3, v - b * 0.3, footprint * 0.1);
                let medium = self.medium.signed(u, v, footprint);
                Rgb::new(0.27, 0.265, 0.255)
                    .scale((1.0 + 0.1 * tint + 0.25 * medium + 0.2 * coarse) * (1.0 - 0.5 * joint))
            }
            Surface::Cobbles => {
                let shift = if fract(v / 0.24) < 0.5 { 0.06 } else { 0.0 };
                let (a, b) = (fract((u + shift) / 0.12) - 0.5, fract(v / 0.12) - 0.5);
                let dome = 1.0 - 1.6 * (a * a + b * b);
                let detail = (1.0 - footprint / 0.08).max(0.0);
                let grain = self.grain.signed(u * 0.2, v * 0.2, footprint * 0.2);
                Rgb::new(0.22, 0.21, 0.20)
                    .scale((1.0 + 0.3 * grain + 0.25 * coarse) * (1.0 + (dome - 0.8) * detail))
            }
            Surface::Grass => self.grass(spot, coarse),
            Surface::Crop(colour, row_metres) => self.crop(colour, row_metres, spot, coarse),
            Surface::Soil => {
                let medium = self.medium.signed(u, v * 0.5, footprint);
                let grain = self.grain.signed(u * 0.3, v * 0.3, footprint * 0.3);
                let c = self.palette.soil.scale(1.0 + 0.5 * coarse + 0.5 * medium + 0.3 * grain);
                self.snowed(c, spot, 0.8)
            }
            Surface::Sand => {
                let medium = self.medium.signed(u, v, footprint);
                let grain = self.grain.signed(u, v, footprint);
                Rgb::new(0.50, 0.42, 0.30).scale(1.0 + 0.15 * coarse + 0.15 * medium + 0.1 * grain)
            }
            Surface::Gravel => {
                let medium = self.medium.signed(u, v, footprint);
                let grain = self.grain.signed(u * 0.4, v * 0.4, footprint * 0.4);
                let c = Rgb::new(0.27, 0.25, 0.22)
                    .scale(1.0 + 0.2 * coarse + 0.3 * medium + 0.5 * grain);
                self.snowed(c, spot, 0.7)
            }
            Surface::Litter => {
                let medium = self.medium.signed(u, v, footprint);
                let leaf = self.grain.signed(u * 0.25, v * 0.25, footprint * 0.25);
                let brown = Rgb::new(0.10, 0.068, 0.038);
                let green = self.palette.grass[1].scale(0.7);
                let moss = smoothstep(-0.05, 0.25, coarse + 0.4 * medium);
                let c = brown.mix(green, 0.8 * moss).scale(1.0 + 0.4 * medium + 0.6 * leaf);
                self.snowed(c, spot, 0.8)
            }
            Surface::Plain(colour) => colour.scale(1.0 + 0.1 * coarse),
        }
    }

    /// Thin dark cracks: where a smooth noise passes its mean.
    fn crack(&self, u: f32, v: f32, spot: &Spot) -> f32 {
        if spot.footprint > 0.06 {
            return 0.0;
        }
        let n = self.medium.signed(u * 0.8 + 7.0, v * 0.5, 0.02);
        let line = 1.0 - smoothstep(0.0, 0.006 + 0.4 * spot.footprint, n.abs());
        if line <= 0.0 {
            return 0.0;
        }
        let where_old = smoothstep(0.05, 0.2, self.coarse.signed(u + 31.0, v, 0.5));
        line * where_old * (1.0 - spot.footprint / 0.06)
    }

    fn grass(&self, spot: &Spot, coarse: f32) -> Rgb {
        let Spot { across: u, along: v, footprint, .. } = *spot;
        let medium = self.medium.signed(u, v, footprint);
        let blade = self.blades.signed(v * 0.7 + u, u * 0.4, footprint);
        let [light, dark] = self.palette.grass;
        let tone = (0.5 + 0.9 * coarse + 0.8 * medium).clamp(0.0, 1.0);
        let dry = smoothstep(0.12, 0.4, coarse - 0.5 * medium);
        let c = dark.mix(light, tone).mix(self.palette.straw, 0.45 * dry);
        self.snowed(c.scale(0.85 + 0.75 * blade + 0.25 * medium), spot, 1.0)
    }

    fn crop(&self, colour: Rgb, row_metres: f32, spot: &Spot, coarse: f32) -> Rgb {
        let Spot { across: u, along: v, footprint, .. } = *spot;
        let medium = self.medium.signed(u, v * 0.3, footprint);
        let blade = self.blades.signed(u, v * 0.3, footprint);
        // rows: dark soil between, blurred out with the pixel's width
        let phase = (fract(u / row_metres + 0.15 * medium) - 0.5).abs() * 2.0;
        let rows = (1.0 - 1.5 * spot.px_across / row_metres).clamp(0.0, 1.0);
        let gap = smoothstep(0.55, 0.95, phase) * rows;
        // tractor lanes every 12 m
        let lane = (fract(u / 12.0) * 12.0 - 6.0).abs();
        let wheel = overlap(lane - 0.9, 0.2, spot.px_across);
        let c = colour.scale(1.0 + 0.3 * coarse + 0.25 * medium + 0.5 * blade);
        let c = c.mix(self.palette.soil, 0.45 * gap).mix(self.palette.soil, 0.4 * wheel);
        self.snowed(c, spot, 0.9)
    }

    /// Snow that lies in patches.
    fn snowed(&self, colour: Rgb, spot: &Spot, hold: f32) -> Rgb {
        if self.snow <= 0.0 {
            return colour;
        }
        let Spot { across: u, along: v, footprint, .. } = *spot;
        let n = 0.65 * self.coarse.at(u * 1.7, v * 1.7, footprint)
            + 0.35 * self.medium.at(u * 0.6, v * 0.6, footprint);
        let edge = 1.05 - 0.95 * self.snow * hold;
        let cover = smoothstep(edge - 0.22, edge + 0.1, n + 0.15);
        let bumps = 1.0 + 0.12 * (n - 0.5);
        colour.mix(self.palette.snow_colour.scale(bumps), 0.95 * cover)
    }
}
