//! What breaks a wall: windows with what is behind and mirrored in them, doors, shop fronts.

use crate::canvas::Rgb;
use crate::environment::tile::{floor_fast, fract};
use crate::noise::lattice;
use crate::num::smoothstep;

use super::{Facade, Finish, Lit, SHOP, band};

/// Place in a table of `count` entries for a random value in [0, 1).
fn table_index(value: f32, count: usize) -> usize {
    let index = floor_fast(value * count as f32);
    usize::try_from(index).unwrap_or(0).min(count - 1)
}

impl Facade {
    /// A window (or the wall around it); (x, y) metres from the middle of its sill.
    pub(super) fn opening(
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
    pub(super) fn street_windows(
        &self,
        lit: &Lit,
        falls: Rgb,
        wall: Rgb,
        u: f32,
        v: f32,
        fp: f32,
    ) -> Rgb {
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
    pub(super) fn shop(&self, lit: &Lit, falls: Rgb, wall: Rgb, u: f32, v: f32, fp: f32) -> Rgb {
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
