//! What years at the roadside do to a plate: dirt, stains, scratches, bleaching, dents, haze, growth.
//!
//! Everything is procedural and unique per picture. Positions are millimetres on the face, right and
//! up of its centre. The pattern is evaluated once a pixel, so it is kept as coarse as a pixel or
//! softened to the pixel's footprint.

mod marks;

use self::marks::{
    Dent, Scratch, Sticker, Streak, WOBBLE, draw_dents, draw_scratches, draw_sticker, draw_streaks,
};
use crate::canvas::Rgb;
use crate::config::SurfaceConfig;
use crate::environment::tile::{Field, Pattern};
use crate::num::smoothstep;
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
