//! Facades and roofs as functions of metres on the wall: finish, window grid, shop front, weathering.
//!
//! A [`Facade`] holds the drawn proportions of one wall, [`Lit`] the light on it. Nothing here knows
//! the camera: `shade(u, v, footprint)` is pure, so a wall can be painted on any plane, near or far.
//! Edges are softened over the footprint of the pixel.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::noise::lattice;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::Light;
use super::tile::{Field, Pattern, floor_fast, fract};

/// Coverage of the interval [low, high] by a pixel of the given footprint centred on x, 0 to 1.
#[must_use]
#[inline]
pub fn band(x: f32, low: f32, high: f32, footprint: f32) -> f32 {
    let wide = footprint.max(1e-4);
    let inside = |d: f32| (d / wide + 0.5).clamp(0.0, 1.0);
    inside(x - low) * inside(high - x)
}

/// Light on one wall.
#[derive(Clone, Copy, Debug)]
pub struct Lit {
    /// What falls onto the wall where the sun reaches it.
    pub open: Rgb,
    /// What falls onto it in the shade of something.
    pub shade: Rgb,
    /// What a window that faces the sky mirrors.
    pub sky: Rgb,
    /// As [`Light::dusk`].
    pub dusk: f32,
    /// Height below which the sun is blocked by what stands opposite, metres.
    pub shaded_below: f32,
}

impl Lit {
    /// Light on a wall with this outward normal, nothing opposite.
    #[must_use]
    pub fn new(light: &Light, normal: Vec3) -> Self {
        let open = light.on(normal);
        let overcast = Light { sun: Rgb::default(), ..*light };
        Self {
            open,
            shade: overcast.on(normal),
            sky: light.sky.scale(1.25),
            dusk: light.dusk,
            shaded_below: -1.0,
        }
    }

    /// The same wall with something `height` metres tall opposite, `distance` metres away.
    #[must_use]
    pub fn opposite(self, light: &Light, normal: Vec3, height: f32, distance: f32) -> Self {
        let toward = normal.dot(light.to_sun);
        let drop = if toward > 0.02 { distance * (light.to_sun.y.max(0.0) / toward) } else { 0.0 };
        Self { shaded_below: height - drop, ..self }
    }

    /// Light at a height on the wall, metres.
    #[must_use]
    #[inline]
    pub fn at(&self, v: f32) -> Rgb {
        let t = smoothstep(self.shaded_below - 0.25, self.shaded_below + 0.25, v);
        self.shade.mix(self.open, t)
    }
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

/// Place in a table of `count` entries for a random value in [0, 1).
fn table_index(value: f32, count: usize) -> usize {
    let index = floor_fast(value * count as f32);
    usize::try_from(index).unwrap_or(0).min(count - 1)
}

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

    /// A window (or the wall around it); (x, y) metres from the middle of its sill.
    fn opening(
        &self,
        lit: &Lit,
        falls: Rgb,
        around: Rgb,
        (x, y): (f32, f32),
        id: (i32, i32),
        v: f32,
        fp: f32,
    ) -> Rgb {
        let (mut w, mut h) = self.window;
        let mut y = y;
        if self.finish == Finish::Glass {
            w = self.bay_width - 0.12;
            h = self.storey_height - 0.5;
            y += self.sill - 0.25;
        }
        let half = 0.5 * w;
        let ax = x.abs();
        if ax > half + 0.75 || y < -0.7 || y > h + 0.6 {
            return around;
        }
        let mut out = around;
        // streaks of rain below the ends of the sill
        let streak =
            band(ax, half - 0.02, half + 0.14, fp) * (1.0 - smoothstep(-0.7, -0.1, -y - 0.7));
        out = out.scale(1.0 - 0.12 * streak * f32::from(u8::from(y < 0.0)));
        if let Some(colour) = self.shutters {
            let leaf = band(ax, half + 0.05, half + 0.05 + 0.46 * w, fp) * band(y, 0.0, h, fp);
            let slat = 0.8 + 0.3 * fract(y / 0.09);
            out = out.mix(colour.times(falls).scale(slat), leaf);
        }
        if self.ornate {
            let surround = band(ax, 0.0, half + 0.16, fp) * band(y, -0.02, h + 0.18, fp);
            out = out.mix(self.trim.times(falls), surround);
            let hood = band(ax, 0.0, half + 0.26, fp) * band(y, h + 0.2, h + 0.36, fp);
            out = out.mix(self.trim.times(falls).scale(1.12), hood);
            let below = band(ax, 0.0, half + 0.24, fp) * band(y, h + 0.08, h + 0.2, fp);
            out = out.scale(1.0 - 0.35 * below);
        }
        let sill = band(ax, 0.0, half + 0.1, fp) * band(y, -0.1, 0.0, fp);
        out = out.mix(self.trim.times(falls).scale(1.1), sill);
        let cast = band(ax, 0.0, half + 0.1, fp) * band(y, -0.3, -0.1, fp);
        out = out.scale(1.0 - 0.28 * cast);
        let hole = band(ax, 0.0, half, fp) * band(y, 0.0, h, fp);
        if hole > 0.0 {
            out = out.mix(self.window(lit, falls, (x, y), (w, h), id, v, fp), hole);
        }
        out
    }

    /// The inside of an opening of size (w, h): frame, panes, what is behind and what they mirror.
    fn window(
        &self,
        lit: &Lit,
        falls: Rgb,
        (x, y): (f32, f32),
        (w, h): (f32, f32),
        (i, j): (i32, i32),
        v: f32,
        fp: f32,
    ) -> Rgb {
        let half = 0.5 * w;
        let [a, b, c] = [0, 1, 2].map(|k: u64| lattice(self.seed ^ (k << 40), i, j));
        // each pane hangs a little out of true and mirrors another part of the sky
        let mirror = smoothstep(0.1, 1.1, 0.6 * y / h + 0.9 * a - 0.25 + 0.025 * v);
        let strength = if self.finish == Finish::Glass { 0.55 } else { 0.36 };
        let reflected = falls.scale(0.10).mix(lit.sky, mirror).scale(strength);
        let mut inside = falls.scale(0.035);
        if b < 0.45 {
            let cloth = smoothstep(half * 0.35, half * 0.5, x.abs() + 0.1 * (c - 0.5));
            let pleat = 0.8 + 0.2 * fract(x * 7.0 + c);
            inside = inside.mix(falls.scale(0.34 * pleat), cloth);
        } else if b < 0.6 {
            let net = Rgb::srgb8(200, 196, 186).times(falls).scale(0.45);
            inside = inside.mix(net, f32::from(u8::from(y < h * 0.55)));
        }
        if c * 0.9 + 0.1 < 0.62 * smoothstep(0.1, 0.7, lit.dusk) {
            let warm = Rgb::new(1.0, 0.62 + 0.2 * a, 0.28 + 0.3 * a);
            let lamp = 0.55 + 0.45 * y / h;
            inside = inside.plus(warm.scale(0.5 * lamp * lit.dusk * (0.6 + 0.6 * b)));
        }
        let mut out = inside.plus(reflected);
        if b > 0.8 && self.finish != Finish::Glass {
            // roller blind, let down some way
            let down = y > h * (1.0 - (0.25 + 0.7 * c));
            let slat = 0.82 + 0.18 * smoothstep(0.0, 0.4, fract(y / 0.055));
            if down {
                out = Rgb::srgb8(176, 174, 166).times(falls).scale(0.85 * slat);
            }
        }
        let bar = 0.035;
        let mut frame = 1.0 - band(x, -half + 0.07, half - 0.07, fp) * band(y, 0.07, h - 0.07, fp);
        frame = frame.max(band(x, -bar, bar, fp) * f32::from(u8::from(w > 0.9)));
        if h > 1.7 {
            frame = frame.max(band(y, 0.7 * h - bar, 0.7 * h + bar, fp));
        }
        out = out.mix(self.frame.times(falls), frame);
        // the reveal shades the top and one side of the window
        let depth = 1.0 - 0.55 * (1.0 - smoothstep(0.0, 0.28, h - y));
        out.scale(depth * (1.0 - 0.3 * (1.0 - smoothstep(0.0, 0.16, x + half))))
    }

    /// Ground floor with windows and one door.
    fn street_windows(&self, lit: &Lit, falls: Rgb, wall: Rgb, u: f32, v: f32, fp: f32) -> Rgb {
        let (bay, x) = self.bay(u);
        let bays = floor_fast(self.width / self.bay_width + 0.5).max(1);
        let door = floor_fast(lattice(self.seed ^ 0xd00, 1, 1) * bays as f32);
        let plinth = band(v, -1.0, 0.5, fp);
        let wall = wall.mix(Rgb::srgb8(112, 108, 102).times(falls), 0.8 * plinth);
        if bay != door {
            return self.opening(lit, falls, wall, (x, v - self.sill), (bay, 0), v, fp);
        }
        let leaf = band(x, -0.55, 0.55, fp) * band(v, 0.0, 2.15, fp);
        let wood = Rgb::srgb8(86, 60, 44).mix(self.frame, lattice(self.seed, 7, 7));
        let pane = band(x, -0.3, 0.3, fp) * band(v, 1.1, 1.9, fp);
        let leaf_colour = wood.times(falls).scale(0.7).mix(falls.scale(0.08), pane);
        let canopy = band(x, -0.85, 0.85, fp) * band(v, 2.3, 2.42, fp);
        wall.mix(leaf_colour, leaf).mix(self.trim.times(falls).scale(0.9), canopy)
    }

    /// Ground floor with shop windows, glass door, board with lettering too small to read.
    fn shop(&self, lit: &Lit, falls: Rgb, wall: Rgb, u: f32, v: f32, fp: f32) -> Rgb {
        let shop_width = self.bay_width * 2.0;
        let number = floor_fast(u / shop_width);
        let x = u - number as f32 * shop_width;
        let shop_width = shop_width.min(self.width - number as f32 * shop_width);
        let tone = |k: u64| lattice(self.seed ^ (k << 32), number, 3);
        let top = self.ground_height - 0.9;
        let colour = {
            let (r, g, b) = SHOP[table_index(tone(1), SHOP.len())];
            Rgb::srgb8(r, g, b)
        };
        let hole = band(x, 0.3, shop_width - 0.3, fp) * band(v, 0.0, top, fp);
        let mut out = wall;
        // board
        let board = band(x, 0.2, shop_width - 0.2, fp) * band(v, top + 0.08, top + 0.68, fp);
        if board > 0.0 {
            let middle = 0.5 * shop_width;
            let reach = 0.3 * shop_width * (0.5 + 0.5 * tone(2));
            let cell = floor_fast(x / 0.17);
            let letter = lattice(self.seed ^ 0x1e77, cell, number);
            let low = top + 0.22 + if letter > 0.8 { 0.12 } else { 0.0 };
            let glyph = band(fract(x / 0.17) * 0.17, 0.02, 0.06 + 0.09 * letter, fp)
                * band(v, low, top + 0.46 + 0.1 * (letter - 0.5), fp)
                * band(x, middle - reach, middle + reach, fp)
                * f32::from(u8::from(letter > 0.15));
            let ink = if colour.luminance() > 0.25 { Rgb::grey(0.06) } else { Rgb::grey(0.7) };
            let light = falls.plus(Rgb::new(0.9, 0.8, 0.6).scale(0.35 * lit.dusk));
            out = out.mix(colour.mix(ink, 0.9 * glyph).times(light), board);
        }
        if hole <= 0.0 {
            return out;
        }
        // behind the glass: shelves with goods under lamps
        let warm = Rgb::new(1.0, 0.86, 0.66);
        let lamps = 0.06 + 0.5 * lit.dusk * f32::from(u8::from(tone(3) < 0.85));
        let shelf = floor_fast(v / 0.55);
        let goods = floor_fast(x / 0.23);
        let hue = lattice(self.seed ^ 0x600d, goods.wrapping_add(number * 97), shelf);
        let item =
            Rgb::new(0.55 - 0.3 * hue, 0.28 + 0.2 * fract(hue * 7.0), 0.2 + 0.3 * fract(hue * 3.0));
        let filled = band(fract(v / 0.55) * 0.55, 0.0, 0.2 + 0.25 * fract(hue * 5.0), fp);
        let back = Rgb::grey(0.25).mix(item, 0.6 * filled * (1.0 - smoothstep(0.1, 0.3, fp)));
        let inside = back.times(warm.scale(lamps).plus(falls.scale(0.13)));
        let mirror = smoothstep(1.2, 3.6, v + 0.9 * tone(4));
        let reflected = falls.scale(0.03).mix(lit.sky.scale(0.22), mirror * 0.6);
        let mut glass = inside.plus(reflected);
        let frame_colour = self.frame.mix(colour, 0.5).times(falls).scale(0.6);
        let pane = fract((x - 0.3) / 1.45) * 1.45;
        let posts = band(pane, -0.1, 0.06, fp).max(band(v, top - 0.55, top - 0.49, fp));
        let plinth = band(v, -0.1, 0.38, fp) * f32::from(u8::from((x - 0.3) > 1.45));
        glass = glass.mix(frame_colour, posts.max(plinth));
        // recess: shadow under the board
        glass = glass.scale(1.0 - 0.5 * smoothstep(top - 0.5, top, v));
        out.mix(glass, hole)
    }
}

/// Albedo of a tiled roof slope, v metres up the slope.
#[must_use]
pub fn roof_tiles(colour: Rgb, stain: &Field, u: f32, v: f32, footprint: f32) -> Rgb {
    let weather = stain.signed(u, v * 0.6, footprint);
    let moss = smoothstep(0.15, 0.4, stain.signed(u * 1.7 + 40.0, v * 1.3, footprint));
    let fade = 1.0 - smoothstep(0.1, 0.3, footprint);
    let course = 0.5 - fract(v / 0.34);
    let wave = 0.5 - (fract(u / 0.24) - 0.5).abs() * 2.0;
    let relief = 1.0 + fade * (0.3 * course + 0.22 * wave) + 0.35 * weather;
    colour.scale(relief).mix(Rgb::srgb8(92, 92, 70), 0.3 * moss)
}

/// Albedo of corrugated metal with ribs every `pitch` metres, joints and rust below fixings.
#[must_use]
pub fn cladding(colour: Rgb, stain: &Field, pitch: f32, u: f32, v: f32, footprint: f32) -> Rgb {
    let t = fract(u / pitch);
    let fade = 1.0 - smoothstep(0.35, 0.9, footprint / pitch);
    // flank to the light, crest, flank in shade, trough
    let rib = if t < 0.2 {
        0.16
    } else if t < 0.5 {
        0.03
    } else if t < 0.7 {
        -0.22
    } else {
        -0.04
    };
    let joint = band(fract(v / 3.6) * 3.6, 0.0, 0.03, footprint);
    let streak = stain.signed(u * 1.6, v * 0.12, footprint);
    let dirt = 0.35 * (1.0 - smoothstep(0.0, 1.6, v)) * (0.6 + stain.at(u, v, footprint));
    let c = colour.scale(1.0 + rib * fade + 0.22 * streak - 0.25 * joint);
    c.mix(Rgb::srgb8(96, 86, 74), dirt.clamp(0.0, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::testing;

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
