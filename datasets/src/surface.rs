//! What years at the roadside do to a plate: dirt, stains, scratches, bleaching, dents, haze, growth.
//!
//! Everything is procedural and unique per picture. Positions are millimetres on the face, right and
//! up of its centre. The pattern is evaluated once a pixel, so it is kept as coarse as a pixel or
//! softened to the pixel's footprint.

use crate::canvas::Rgb;
use crate::config::SurfaceConfig;
use crate::environment::tile::{Field, Pattern};
use crate::num::{lerp, sin_cos, smoothstep};
use crate::rng::Stream;

/// A point of the face, as [`Surface::weather`] needs it.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    /// Millimetres right of the centre.
    pub x: f32,
    /// Millimetres above the centre.
    pub y: f32,
    /// Signed distance to the outline, millimetres, negative inside.
    pub edge: f32,
    /// Width of the pixel on the face, millimetres.
    pub footprint: f32,
}

/// Colour and finish of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finish {
    /// Diffuse reflectance.
    pub albedo: Rgb,
    /// 1 for clean film, 0 for a matt crust.
    pub gloss: f32,
}

/// The weathering of one plate.
#[derive(Clone, Debug)]
pub struct Surface {
    config: SurfaceConfig,
    /// Half the height of the plate, millimetres.
    half_height: f32,
    film: Field,
    spatter: Field,
    runs: Field,
    clouds: Field,
    dirt_colour: Rgb,
    streaks: Vec<Streak>,
    scratches: Vec<Scratch>,
    dents: Vec<Dent>,
    stickers: Vec<Sticker>,
    bolts: Vec<[f32; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct Streak {
    x: f32,
    top: f32,
    length: f32,
    width: f32,
    strength: f32,
    colour: Rgb,
}

#[derive(Clone, Copy, Debug)]
struct Scratch {
    /// Middle and half size of a box around it, millimetres.
    middle: [f32; 2],
    half: [f32; 2],
    from: [f32; 2],
    along: [f32; 2],
    length: f32,
    width: f32,
    opacity: f32,
    tone: f32,
}

#[derive(Clone, Copy, Debug)]
struct Dent {
    at: [f32; 2],
    radius: f32,
    /// Steepest slope.
    slope: f32,
}

#[derive(Clone, Copy, Debug)]
struct Sticker {
    at: [f32; 2],
    axis: [f32; 2],
    half: [f32; 2],
    round: bool,
    paper: Rgb,
    ink: Rgb,
}

const METRES: f32 = 1e-3;

impl Surface {
    /// The weathering of a plate of the given half width and half height, millimetres, with bolt
    /// heads at the given places.
    #[must_use]
    pub fn new(config: &SurfaceConfig, half: [f32; 2], bolts: Vec<[f32; 2]>) -> Self {
        let mut s = Stream::from_seed(config.seed);
        let field = |s: &mut Stream, pattern, metres| Field::new(pattern, s.bits(), metres);
        let film = field(&mut s, Pattern::Fractal, 1.3);
        let spatter = field(&mut s, Pattern::Leaves, 0.9);
        let runs = field(&mut s, Pattern::Blades, 0.8);
        let clouds = field(&mut s, Pattern::Fractal, 2.6);
        // soil brown, soot grey or pale dust
        let dirt_colour = *s.pick(&[
            Rgb::new(0.145, 0.105, 0.068),
            Rgb::new(0.085, 0.078, 0.070),
            Rgb::new(0.24, 0.215, 0.175),
            Rgb::new(0.17, 0.135, 0.095),
        ]);
        Self {
            half_height: half[1],
            film,
            spatter,
            runs,
            clouds,
            dirt_colour,
            streaks: draw_streaks(&mut s, config.streaks, half, &bolts),
            scratches: draw_scratches(&mut s, config.scratches, half),
            dents: draw_dents(&mut s, config.dents, half),
            stickers: (0..config.stickers).map(|_| draw_sticker(&mut s, half)).collect(),
            bolts,
            config: *config,
        }
    }

    /// The finish of a point whose clean colour is `art`.
    #[must_use]
    pub fn weather(&self, art: Rgb, spot: Spot) -> Finish {
        let c = &self.config;
        let mut albedo = fade(art, c.fading * self.fading_share(spot));
        let mut gloss = 1.0;
        for scratch in &self.scratches {
            if !scratch.may_reach(spot) {
                continue;
            }
            let opacity = scratch.opacity_at(spot);
            if opacity > 0.0 {
                albedo = albedo.mix(Rgb::grey(scratch.tone), opacity);
            }
        }
        for sticker in &self.stickers {
            if let Some((colour, opacity)) = sticker.colour_at(spot) {
                albedo = albedo.mix(colour, opacity);
            }
        }
        for bolt in &self.bolts {
            albedo = bolt_at(albedo, *bolt, spot);
        }
        if c.haze > 0.0 {
            let cloud = self.clouds.at(spot.x * METRES, spot.y * METRES, 0.02);
            let opacity = c.haze * (0.10 + 0.42 * cloud);
            albedo = albedo.mix(Rgb::new(0.50, 0.50, 0.485), opacity);
            gloss *= 1.0 - 0.8 * c.haze;
        }
        let mut wobble = None;
        for streak in &self.streaks {
            if !streak.may_reach(spot) {
                continue;
            }
            let wobble = *wobble
                .get_or_insert_with(|| WOBBLE * self.runs.signed(0.3, spot.y * METRES, 0.004));
            let opacity = streak.opacity_at(spot, wobble);
            if opacity > 0.0 {
                albedo = albedo.mix(streak.colour, opacity);
                gloss *= 1.0 - 0.5 * opacity;
            }
        }
        if c.algae > 0.0 {
            let opacity = self.algae_at(spot);
            albedo = albedo.mix(Rgb::new(0.085, 0.115, 0.045), opacity);
            gloss *= 1.0 - opacity;
        }
        if c.dirt > 0.0 {
            let opacity = self.dirt_at(spot);
            albedo = albedo.mix(self.dirt_colour, opacity);
            gloss *= 1.0 - 0.9 * opacity;
        }
        Finish { albedo, gloss }
    }

    /// Slope of the sheet to the right and upwards: dents and the slight waves of every plate.
    #[must_use]
    pub fn slope(&self, spot: Spot) -> (f32, f32) {
        let (mut sx, mut sy) = (0.0, 0.0);
        for dent in &self.dents {
            let (dx, dy) = (spot.x - dent.at[0], spot.y - dent.at[1]);
            let (distance2, radius2) = (dx * dx + dy * dy, dent.radius * dent.radius);
            // spares most points the division
            if distance2 >= radius2 {
                continue;
            }
            let q = 1.0 - distance2 / radius2;
            if q > 0.0 {
                // of the bowl (1 - r^2)^2; its steepest slope is 1.54 depths over the radius
                let k = 2.6 * dent.slope * q / dent.radius;
                sx += k * dx;
                sy += k * dy;
            }
        }
        (sx, sy)
    }

    /// Weathering is uneven: sun bleaches in clouds.
    fn fading_share(&self, spot: Spot) -> f32 {
        if self.config.fading <= 0.0 {
            return 0.0;
        }
        0.75 + 0.5 * (self.clouds.at(spot.x * METRES + 0.7, spot.y * METRES, 0.02) - 0.5)
    }

    fn dirt_at(&self, spot: Spot) -> f32 {
        let amount = self.config.dirt;
        let (x, y) = (spot.x * METRES, spot.y * METRES);
        // 0 at the upper edge, 1 at the lower: spray comes from the carriageway
        let low = (0.5 - 0.5 * spot.y / self.half_height).clamp(0.0, 1.0);
        let reach = 0.12 + 0.88 * low * low;
        let soft = 1e-3 * spot.footprint;
        let patches = self.film.at(x, y, soft);
        let film = 0.80 * amount * reach * smoothstep(0.18, 0.85, patches + 0.25 * low);
        // drops dry to spots: dense clusters below, single ones above
        let drops = self.spatter.at(x, y, soft);
        let threshold = 0.97 - 0.42 * amount * reach;
        let spots = 0.65 * smoothstep(threshold, threshold + 0.10, drops) * amount.min(0.8);
        // rain washes clean runs into the film
        let run = self.runs.at(x, y, soft);
        (film * (0.55 + 0.75 * run) + spots).min(0.92)
    }

    fn algae_at(&self, spot: Spot) -> f32 {
        let (x, y) = (spot.x * METRES, spot.y * METRES);
        let patches = self.film.at(1.7 * x + 0.4, 1.7 * y, 1.7e-3 * spot.footprint);
        let near_edge = smoothstep(-130.0, 0.0, spot.edge);
        let low = 0.6 - 0.4 * (spot.y / self.half_height).clamp(-1.0, 1.0);
        self.config.algae * 0.75 * low * smoothstep(0.42, 0.85, patches * (0.45 + 0.75 * near_edge))
    }
}

/// Bleaching: red pigment fades towards a pale orange, then blue and black towards grey.
fn fade(art: Rgb, amount: f32) -> Rgb {
    if amount <= 0.0 {
        return art;
    }
    let red = (art.r - art.g.max(art.b)).max(0.0);
    let blue = (art.b - art.r.max(art.g)).max(0.0);
    let dark = (0.35 - art.luminance()).max(0.0);
    let k = 0.85 * amount;
    Rgb::new(
        art.r + k * (0.15 * red + 0.35 * blue + 0.22 * dark),
        art.g + k * (0.52 * red + 0.40 * blue + 0.24 * dark),
        art.b + k * (0.36 * red - 0.05 * blue + 0.23 * dark),
    )
}

fn bolt_at(albedo: Rgb, bolt: [f32; 2], spot: Spot) -> Rgb {
    let (dx, dy) = (spot.x - bolt[0], spot.y - bolt[1]);
    let d2 = dx * dx + dy * dy;
    if d2 > 400.0 {
        return albedo;
    }
    let d = d2.sqrt();
    let soft = 0.5 * spot.footprint;
    let head = smoothstep(6.5 + soft, 6.5 - soft, d);
    let ring = smoothstep(10.0 + soft, 8.0 - soft, d) * 0.45;
    // the head is lit from above
    let tone = 0.36 + 0.018 * dy.clamp(-6.0, 6.0);
    albedo.scale(1.0 - ring).mix(Rgb::grey(tone), head)
}

/// Twice the most millimetres that a streak swings to a side.
const WOBBLE: f32 = 6.0;

/// Bend of a scratch, 1/mm: times its distances from both ends.
const BEND: f32 = 0.0006;

impl Streak {
    /// False only where the opacity is 0.
    #[inline]
    fn may_reach(&self, spot: Spot) -> bool {
        // noise lies within +-0.5 and the width grows by up to 0.8; a millimetre for the rounding
        let reach = 0.5 * WOBBLE + 1.8 * self.width + 0.5 * spot.footprint + 1.0;
        (spot.x - self.x).abs() <= reach && spot.y <= self.top
    }

    fn opacity_at(&self, spot: Spot, wobble: f32) -> f32 {
        let below = self.top - spot.y;
        if below < 0.0 || below > self.length {
            return 0.0;
        }
        let d = (spot.x - self.x - wobble).abs();
        // a run spreads a little on its way down and thins out
        let t = below / self.length;
        let width = self.width * (1.0 + 0.8 * t) + 0.5 * spot.footprint;
        if d > width {
            return 0.0;
        }
        let profile = 1.0 - (d / width) * (d / width);
        let start = (below / 6.0).min(1.0);
        self.strength * profile * start * (1.0 - t) * (1.0 - 0.4 * t)
    }
}

fn draw_streaks(s: &mut Stream, amount: f32, half: [f32; 2], bolts: &[[f32; 2]]) -> Vec<Streak> {
    if amount <= 0.0 {
        return Vec::new();
    }
    let rust = Rgb::new(0.16, 0.065, 0.022);
    let soot = Rgb::new(0.065, 0.06, 0.052);
    let mut streaks = Vec::new();
    for bolt in bolts {
        for _ in 0..2 {
            streaks.push(Streak {
                x: bolt[0] + s.range(-4.0, 4.0),
                top: bolt[1] - 5.0,
                length: s.range(50.0, 60.0 + 260.0 * amount),
                width: s.range(3.0, 8.0),
                strength: (0.35 + 0.5 * amount) * s.range(0.5, 1.0),
                colour: rust.mix(soot, s.unit()),
            });
        }
    }
    let count = s.below(4) + s.below(8);
    for _ in 0..count {
        let from_top = s.chance(0.7);
        let y = s.range(-0.5, 0.95) * half[1];
        streaks.push(Streak {
            x: s.range(-0.9, 0.9) * half[0],
            top: if from_top { half[1] } else { y },
            length: s.range(0.3, 1.5) * half[1],
            width: s.range(2.5, 11.0),
            strength: (0.12 + 0.4 * amount) * s.range(0.4, 1.0),
            colour: soot.mix(rust, 0.25 * s.unit()),
        });
    }
    streaks
}

impl Scratch {
    fn new(
        from: [f32; 2],
        along: [f32; 2],
        length: f32,
        width: f32,
        opacity: f32,
        tone: f32,
    ) -> Self {
        let half_way = along.map(|a| 0.5 * length * a);
        // a millimetre for the rounding
        let beside = 0.25 * BEND * length * length + 0.5 * width + 1.0;
        Self {
            middle: [from[0] + half_way[0], from[1] + half_way[1]],
            half: half_way.map(|h| h.abs() + beside),
            from,
            along,
            length,
            width,
            opacity,
            tone,
        }
    }

    /// False only where the opacity is 0.
    #[inline]
    fn may_reach(&self, spot: Spot) -> bool {
        let pixel = 0.5 * spot.footprint;
        (spot.x - self.middle[0]).abs() <= self.half[0] + pixel
            && (spot.y - self.middle[1]).abs() <= self.half[1] + pixel
    }

    fn opacity_at(&self, spot: Spot) -> f32 {
        let (dx, dy) = (spot.x - self.from[0], spot.y - self.from[1]);
        let t = dx * self.along[0] + dy * self.along[1];
        if t < 0.0 || t > self.length {
            return 0.0;
        }
        // slightly bent, thinner at both ends
        let end = (4.0 * t * (self.length - t) / (self.length * self.length)).min(1.0);
        let bend = BEND * t * (self.length - t);
        let d = (dx * self.along[1] - dy * self.along[0] + bend).abs();
        let width = self.width * end;
        let reach = 0.5 * (width + spot.footprint);
        if d >= reach {
            return 0.0;
        }
        // share of the pixel that the line covers
        let cover = ((reach - d) / spot.footprint).min(width / spot.footprint).min(1.0);
        self.opacity * cover
    }
}

fn draw_scratches(s: &mut Stream, amount: f32, half: [f32; 2]) -> Vec<Scratch> {
    if amount <= 0.0 {
        return Vec::new();
    }
    // one pass of a branch or a vehicle leaves a bundle of about one direction
    let main = s.range(-0.9, 0.9);
    let count = 2 + s.below(6) + s.below(6);
    (0..count)
        .map(|_| {
            let (sin, cos) = sin_cos(main + 0.25 * s.normal());
            let from = [s.range(-0.9, 0.7) * half[0], s.range(-0.9, 0.9) * half[1]];
            let length = s.range(30.0, 60.0 + 330.0 * amount);
            let width = s.range(0.7, 1.4 + 2.4 * amount);
            let opacity = s.range(0.35, 0.8);
            let tone = if s.chance(0.65) { s.range(0.4, 0.62) } else { s.range(0.06, 0.2) };
            Scratch::new(from, [cos, sin], length, width, opacity, tone)
        })
        .collect()
}

/// Dents, and the wide shallow bowls that every sheet has from cutting and mounting.
fn draw_dents(s: &mut Stream, amount: f32, half: [f32; 2]) -> Vec<Dent> {
    let mut dent = |radius: [f32; 2], slope: [f32; 2]| Dent {
        at: [s.range(-1.0, 1.0) * half[0], s.range(-1.0, 1.0) * half[1]],
        radius: s.range(radius[0], radius[1]),
        slope: s.range(slope[0], slope[1]),
    };
    let mut dents: Vec<Dent> = (0..2).map(|_| dent([250.0, 480.0], [-0.03, 0.03])).collect();
    if amount > 0.0 {
        dents.extend((0..3).map(|_| dent([45.0, 190.0], [0.12 * amount, 0.36 * amount])));
    }
    dents
}

impl Sticker {
    fn colour_at(&self, spot: Spot) -> Option<(Rgb, f32)> {
        let (dx, dy) = (spot.x - self.at[0], spot.y - self.at[1]);
        let u = dx * self.axis[0] + dy * self.axis[1];
        let v = dy * self.axis[0] - dx * self.axis[1];
        let outside = if self.round {
            (u * u + v * v).sqrt() - self.half[0]
        } else {
            (u.abs() - self.half[0]).max(v.abs() - self.half[1])
        };
        let opacity = (0.5 - outside / spot.footprint).clamp(0.0, 1.0);
        if opacity <= 0.0 {
            return None;
        }
        // a blot and lines of print, too small to read
        let (un, vn) = (u / self.half[0], v / self.half[1]);
        let blot = (un + 0.35) * (un + 0.35) + vn * vn < 0.16;
        let line = un > 0.05 && un < 0.85 && (vn.abs() < 0.14 || (vn.abs() - 0.5).abs() < 0.11);
        let colour = if blot || line { self.paper.mix(self.ink, 0.85) } else { self.paper };
        Some((colour, opacity))
    }
}

fn draw_sticker(s: &mut Stream, half: [f32; 2]) -> Sticker {
    let (sin, cos) = sin_cos(0.35 * s.normal());
    let side = s.range(22.0, 46.0);
    let round = s.chance(0.4);
    let hue =
        |s: &mut Stream| Rgb::new(s.range(0.02, 0.8), s.range(0.02, 0.7), s.range(0.02, 0.75));
    let (paper, ink) = (hue(s), hue(s));
    Sticker {
        at: [s.range(-0.6, 0.6) * half[0], s.range(-0.7, 0.6) * half[1]],
        axis: [cos, sin],
        half: [side, if round { side } else { side * s.range(0.4, 0.8) }],
        round,
        paper: if s.chance(0.5) { Rgb::grey(lerp(0.6, 0.8, s.unit())) } else { paper },
        ink,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(amount: f32) -> SurfaceConfig {
        SurfaceConfig {
            dirt: amount,
            streaks: amount,
            scratches: amount,
            fading: amount,
            dents: amount,
            haze: amount,
            algae: amount,
            stickers: 0,
            gloss_width_deg: 8.0,
            seed: 5,
        }
    }

    fn spots() -> impl Iterator<Item = Spot> {
        (0..40 * 40_u16).map(|i| Spot {
            x: f32::from(i % 40) * 15.0 - 300.0,
            y: f32::from(i / 40) * 15.0 - 300.0,
            edge: -40.0,
            footprint: 5.0,
        })
    }

    #[test]
    fn a_new_plate_shows_its_art_unchanged() {
        let art = Rgb::new(0.6, 0.1, 0.05);
        let surface = Surface::new(&config(0.0), [300.0, 300.0], Vec::new());
        for spot in spots() {
            assert_eq!(surface.weather(art, spot), Finish { albedo: art, gloss: 1.0 });
            assert!(surface.slope(spot).0.abs() < 0.1);
        }
    }

    #[test]
    fn a_worn_plate_is_dirtier_below_and_every_value_stays_physical() {
        let surface = Surface::new(&config(1.0), [300.0, 300.0], vec![[0.0, 150.0]]);
        let (mut upper, mut lower) = (0.0, 0.0);
        for spot in spots() {
            let f = surface.weather(Rgb::grey(0.8), spot);
            let l = f.albedo.luminance();
            assert!((0.0..=1.0).contains(&l) && (0.0..=1.0).contains(&f.gloss), "{f:?}");
            if spot.y > 0.0 { upper += l } else { lower += l }
        }
        assert!(lower < 0.85 * upper, "{lower} {upper}");
    }

    #[test]
    fn red_bleaches_before_blue() {
        let red = fade(Rgb::new(0.55, 0.02, 0.02), 1.0);
        let blue = fade(Rgb::new(0.02, 0.08, 0.4), 1.0);
        assert!(red.g - 0.02 > 0.2 && red.g > red.b);
        assert!(blue.r - 0.02 < red.g - 0.02);
    }
}
