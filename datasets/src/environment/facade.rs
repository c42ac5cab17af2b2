//! Facades and roofs as functions of metres on the wall: finish, window grid, shop front, weathering.
//!
//! A [`Facade`] holds the drawn proportions of one wall, [`Lit`] the light on it. Nothing here knows
//! the camera: `shade(u, v, footprint)` is pure, so a wall can be painted on any plane, near or far.
//! Edges are softened over the footprint of the pixel.

mod covering;
mod lit;
mod openings;

use crate::canvas::Rgb;
use crate::noise::lattice;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::tile::{Field, Pattern, floor_fast, fract};

pub use covering::{cladding, roof_tiles};
pub use lit::Lit;

/// Coverage of the interval [low, high] by a pixel of the given footprint centred on x, 0 to 1.
#[must_use]
#[inline]
pub fn band(x: f32, low: f32, high: f32, footprint: f32) -> f32 {
    let wide = footprint.max(1e-4);
    let inside = |d: f32| (d / wide + 0.5).clamp(0.0, 1.0);
    inside(x - low) * inside(high - x)
}

/// What the wall is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Painted render with rain streaks.
    Plaster,
    /// Courses of brick or clinker.
    Brick,
    /// Grid of glass panes.
    Glass,
    /// Large concrete panels with joints.
    Concrete,
}

/// What stands at street level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroundFloor {
    /// Windows like above, a door in one bay.
    Windows,
    /// Shop windows with a sign board above.
    Shops,
    /// No openings but doors.
    Closed,
}

/// One wall of a building: proportions in metres, colours as albedo.
#[derive(Clone, Copy, Debug)]
pub struct Facade {
    /// Extent along u.
    pub width: f32,
    /// Extent along v, up to the eaves.
    pub height: f32,
    /// Material.
    pub finish: Finish,
    /// Colour of the wall.
    pub wall: Rgb,
    /// Colour of surrounds, cornices, sills.
    pub trim: Rgb,
    /// Colour of window frames.
    pub frame: Rgb,
    /// Street level.
    pub ground_floor: GroundFloor,
    /// Height of the ground floor.
    pub ground_height: f32,
    /// Height of an upper storey.
    pub storey_height: f32,
    /// Upper storeys.
    pub storeys: i32,
    /// Distance between window axes.
    pub bay_width: f32,
    /// Width and height of a window.
    pub window: (f32, f32),
    /// Height of the sill above the floor.
    pub sill: f32,
    /// Colour of shutters beside the windows.
    pub shutters: Option<Rgb>,
    /// Whether windows have moulded surrounds and storeys string courses.
    pub ornate: bool,
    /// Seed of windows, curtains, shop colours.
    pub seed: u64,
    stain: Field,
    grain: Field,
}

/// Muted render colours of German streets (sRGB).
const RENDER: [(u8, u8, u8); 12] = [
    (206, 198, 180),
    (214, 205, 190),
    (190, 178, 152),
    (198, 186, 170),
    (176, 166, 150),
    (203, 184, 148),
    (186, 160, 134),
    (170, 172, 168),
    (196, 170, 150),
    (158, 164, 158),
    (210, 208, 200),
    (178, 148, 128),
];
const BRICK: [(u8, u8, u8); 4] = [(128, 74, 60), (112, 66, 56), (142, 92, 74), (96, 64, 58)];
/// Boards and awnings of shops (sRGB), dulled by years of sun.
const SHOP: [(u8, u8, u8); 10] = [
    (120, 44, 40),
    (44, 66, 96),
    (52, 84, 64),
    (168, 142, 70),
    (70, 70, 74),
    (196, 190, 180),
    (98, 60, 78),
    (150, 88, 52),
    (40, 44, 50),
    (88, 112, 122),
];

/// One of a table of sRGB colours.
#[must_use]
pub fn pick_colour(s: &mut Stream, table: &[(u8, u8, u8)]) -> Rgb {
    let &(r, g, b) = s.pick(table);
    let k = s.range(0.88, 1.06);
    Rgb::srgb8(r, g, b).scale(k)
}

/// Colour of a shop's board or awning.
#[must_use]
pub fn shop_colour(s: &mut Stream) -> Rgb {
    pick_colour(s, &SHOP)
}

impl Facade {
    fn base(s: &mut Stream, width: f32) -> Self {
        let seed = s.bits();
        Self {
            width,
            height: 0.0,
            finish: Finish::Plaster,
            wall: pick_colour(s, &RENDER),
            trim: Rgb::srgb8(208, 202, 190),
            frame: *s.pick(&[
                Rgb::srgb8(222, 222, 216),
                Rgb::srgb8(206, 200, 186),
                Rgb::srgb8(84, 62, 48),
                Rgb::srgb8(70, 74, 78),
            ]),
            ground_floor: GroundFloor::Windows,
            ground_height: 2.9,
            storey_height: 2.8,
            storeys: 1,
            bay_width: 2.8,
            window: (1.2, 1.4),
            sill: 0.9,
            shutters: None,
            ornate: false,
            seed,
            stain: Field::new(Pattern::Fractal, seed, 22.0),
            grain: Field::new(Pattern::Grain, seed, 12.0),
        }
    }

    fn fit(mut self, bay: f32) -> Self {
        let bays = (self.width / bay + 0.5).floor().max(1.0);
        self.bay_width = self.width / bays;
        self.window.0 = self.window.0.min(self.bay_width - 0.5);
        self.height = self.ground_height + self.storeys as f32 * self.storey_height;
        self
    }

    /// A house of a closed city block with the given upper storeys; every fourth one is modern.
    #[must_use]
    pub fn town(s: &mut Stream, width: f32, storeys: i32) -> Self {
        let mut f = Self::base(s, width);
        f.storeys = storeys;
        f.ground_floor = if s.chance(0.8) { GroundFloor::Shops } else { GroundFloor::Windows };
        f.ground_height = s.range(3.8, 4.5);
        let kind = s.unit();
        if kind < 0.6 {
            // about 1900: tall windows, mouldings
            f.storey_height = s.range(3.3, 3.8);
            f.window = (s.range(1.05, 1.3), s.range(1.9, 2.2));
            f.sill = 0.75;
            f.ornate = true;
            f.trim = f.wall.mix(Rgb::srgb8(222, 216, 204), s.range(0.4, 0.8));
            if s.chance(0.3) {
                f.finish = Finish::Brick;
                f.wall = pick_colour(s, &BRICK);
            }
            f.fit(s.range(2.2, 2.8))
        } else if kind < 0.85 {
            // about 1960: plain, wide windows
            f.storey_height = s.range(2.9, 3.1);
            f.window = (s.range(1.6, 2.2), s.range(1.4, 1.6));
            f.fit(s.range(2.9, 3.6))
        } else {
            f.storey_height = s.range(3.2, 3.5);
            f.finish = if s.chance(0.5) { Finish::Glass } else { Finish::Concrete };
            f.wall = Rgb::srgb8(150, 150, 146).scale(s.range(0.8, 1.15));
            f.frame = Rgb::srgb8(60, 64, 68);
            f.window = (2.6, 1.9);
            f.sill = 0.8;
            f.fit(s.range(2.7, 3.4))
        }
    }

    /// A wall of a detached house with its upper storeys (0 or 1).
    #[must_use]
    pub fn detached(s: &mut Stream, width: f32, storeys: i32) -> Self {
        let mut f = Self::base(s, width);
        f.storeys = storeys;
        f.wall = f.wall.mix(Rgb::srgb8(224, 220, 210), s.range(0.1, 0.75));
        f.window = (s.range(1.1, 1.7), s.range(1.2, 1.45));
        if s.chance(0.22) {
            f.finish = Finish::Brick;
            f.wall = pick_colour(s, &BRICK);
        }
        if s.chance(0.3) && f.window.0 < 1.4 {
            f.shutters = Some(*s.pick(&[
                Rgb::srgb8(64, 84, 66),
                Rgb::srgb8(96, 70, 50),
                Rgb::srgb8(90, 98, 110),
            ]));
        }
        f.fit(s.range(2.9, 3.8))
    }

    /// A plain office wing of an industrial estate.
    #[must_use]
    pub fn office(s: &mut Stream, width: f32, storeys: i32) -> Self {
        let mut f = Self::base(s, width);
        f.storeys = storeys;
        f.finish = Finish::Concrete;
        f.wall = Rgb::srgb8(176, 174, 166).scale(s.range(0.75, 1.05));
        f.frame = Rgb::srgb8(70, 74, 80);
        f.storey_height = 3.2;
        f.ground_height = 3.4;
        f.window = (2.9, 1.5);
        f.fit(3.1)
    }

    /// Light that leaves the wall at (u, v) metres from its lower left corner.
    #[must_use]
    pub fn shade(&self, lit: &Lit, u: f32, v: f32, footprint: f32) -> Rgb {
        let falls = lit.at(v);
        let under_eaves = 1.0 - 0.3 * smoothstep(self.height - 0.9, self.height, v);
        let near_ground = 0.66 + 0.34 * smoothstep(0.0, 1.3, v);
        let falls = falls.scale(under_eaves * near_ground);
        let wall = self.material(u, v, footprint).times(falls);
        if v < self.ground_height {
            return match self.ground_floor {
                GroundFloor::Shops => self.shop(lit, falls, wall, u, v, footprint),
                GroundFloor::Windows => self.street_windows(lit, falls, wall, u, v, footprint),
                GroundFloor::Closed => wall,
            };
        }
        let level = (v - self.ground_height) / self.storey_height;
        let storey = floor_fast(level);
        if storey >= self.storeys {
            return wall;
        }
        let y = (level - storey as f32) * self.storey_height;
        let mut out = wall;
        if self.ornate {
            let course = band(y, 0.0, 0.22, footprint);
            out = out.mix(self.trim.times(falls), course);
            let shadow = band(y, self.storey_height - 0.14, self.storey_height, footprint);
            out = out.scale(1.0 - 0.35 * shadow);
        }
        let (bay, x) = self.bay(u);
        self.opening(lit, falls, out, (x, y - self.sill), (bay, storey + 1), v, footprint)
    }

    /// Index of the bay and metres from its axis.
    #[inline]
    fn bay(&self, u: f32) -> (i32, f32) {
        let t = u / self.bay_width;
        let bay = floor_fast(t);
        (bay, (t - bay as f32 - 0.5) * self.bay_width)
    }

    /// Albedo of the bare wall.
    fn material(&self, u: f32, v: f32, footprint: f32) -> Rgb {
        let stain = self.stain.signed(u, v * 0.35, footprint);
        let mut c = self.wall.scale(1.0 + 0.28 * stain);
        match self.finish {
            Finish::Plaster => {
                // splash zone at the foot
                let damp = 1.0 - smoothstep(0.1, 0.9 + 0.8 * stain, v);
                c = c.mix(Rgb::srgb8(104, 98, 88), 0.4 * damp);
            }
            Finish::Brick => {
                if footprint < 0.12 {
                    let row = floor_fast(v / 0.083);
                    let shift = if row & 1 == 0 { 0.0 } else { 0.125 };
                    let brick = floor_fast((u + shift) / 0.25);
                    let tone = lattice(self.seed, brick, row) - 0.5;
                    let joint = band(fract(v / 0.083), 0.0, 0.16, footprint / 0.083).max(band(
                        fract((u + shift) / 0.25),
                        0.0,
                        0.05,
                        footprint / 0.25,
                    ));
                    let fade = 1.0 - smoothstep(0.05, 0.12, footprint);
                    c = c.scale(1.0 + 0.45 * tone * fade);
                    c = c.mix(Rgb::srgb8(150, 142, 132), 0.55 * joint * fade);
                }
                c = c.scale(0.9 + 0.2 * self.grain.at(u, v, footprint));
            }
            Finish::Concrete | Finish::Glass => {
                let joint = band(fract(v / self.storey_height), 0.0, 0.012, footprint / 3.0)
                    .max(band(fract(u / self.bay_width), 0.0, 0.012, footprint / 3.0));
                c = c.scale(1.0 - 0.45 * joint);
            }
        }
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::testing;
    use crate::geometry::Vec3;

    #[test]
    fn facades_are_finite_and_positive_and_differ_by_seed() {
        let light = testing::view(1).light;
        let normal = Vec3::new(0.0, 0.0, -1.0);
        let mut sums = Vec::new();
        for seed in 0..12 {
            let mut s = Stream::new("facade-test", &[seed]);
            let facade = match seed % 3 {
                0 => Facade::town(&mut s, 14.0, 4),
                1 => Facade::detached(&mut s, 9.0, 1),
                _ => Facade::office(&mut s, 30.0, 2),
            };
            let lit = Lit::new(&light, normal).opposite(&light, normal, 15.0, 16.0);
            let mut sum = 0.0;
            for i in 0..2000_u16 {
                let u = facade.width * fract(f32::from(i) * 0.618_034);
                let v = facade.height * f32::from(i) / 2000.0;
                let c = facade.shade(&lit, u, v, 0.01 + 0.001 * f32::from(i));
                assert!(c.r.is_finite() && c.r >= 0.0 && c.luminance() < 4.0, "{c:?}");
                sum += c.luminance();
            }
            sums.push(sum);
        }
        sums.sort_by(f32::total_cmp);
        assert!(sums.windows(2).all(|w| w[0] < w[1]), "{sums:?}");
    }
}
