//! Far relief: hills, wooded slopes and mountain peaks as upright rings round the camera.
//!
//! A ring is a row of upright quads at one distance that spans what the camera can see; its profile
//! cuts it off at the top. The texture is in metres on the ring, so forests and rocks keep their size.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "table positions are limited to the table"
)]

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::noise;
use crate::num::{atan2, sin_cos, smoothstep};
use crate::rng::{Stream, key};

use super::painter::Painter;
use super::season::Palette;
use super::tile::{Field, Pattern, floor_fast, fract};
use super::{Light, Season};

const QUADS: u8 = 6;
const TABLE: usize = 512;

/// A skyline: height over the arc, metres.
#[derive(Clone, Debug)]
pub struct Profile {
    heights: Vec<f32>,
    start: f32,
    per_metre: f32,
}

impl Profile {
    /// A rolling or jagged skyline between `low` and `high` metres. `feature_metres` is the width of a hill;
    /// `jagged` from 0 (rounded) to 1 (ridged like rock).
    #[must_use]
    pub fn new(
        reach_metres: f32,
        low: f32,
        high: f32,
        feature_metres: f32,
        jagged: f32,
        seed: u64,
    ) -> Self {
        let start = -reach_metres;
        let step = 2.0 * reach_metres / (TABLE - 1) as f32;
        let heights = (0..TABLE)
            .map(|i| {
                let x = (start + step * i as f32) / feature_metres + 500.0;
                let smooth = noise::fractal(seed, x, 0.5, 4);
                let ridged = |k: f32, lane: f32| {
                    1.0 - (2.0 * noise::value(seed ^ 0x77, x * k, lane) - 1.0).abs()
                };
                let rock = 0.55 * ridged(0.8, 0.5)
                    + 0.25 * ridged(2.1, 3.5)
                    + 0.13 * ridged(5.3, 7.5)
                    + 0.07 * ridged(13.0, 9.5);
                let t = smoothstep(0.12, 0.88, smooth);
                let t = t + (rock - t) * jagged;
                low + (high - low) * t
            })
            .collect();
        Self { heights, start, per_metre: 1.0 / step }
    }

    /// Height at an arc position, metres.
    #[must_use]
    pub fn at(&self, u: f32) -> f32 {
        let x = ((u - self.start) * self.per_metre).clamp(0.0, (TABLE - 2) as f32);
        let i = (x as usize).min(TABLE - 2);
        let f = (x - i as f32).clamp(0.0, 1.0);
        self.heights[i] + (self.heights[i + 1] - self.heights[i]) * f
    }
}

/// Width of the arc on each side of the viewing direction, metres, that a ring at this distance needs.
#[must_use]
pub fn reach(painter: &Painter<'_>, distance: f32) -> f32 {
    distance * half_angle(painter) * 1.02
}

fn half_angle(painter: &Painter<'_>) -> f32 {
    // the diagonal's half angle and a margin for pitch and roll
    let c = &painter.camera;
    let half = (c.centre_x * c.centre_x + c.centre_y * c.centre_y).sqrt();
    (atan2(half, c.focal_px) * 1.25 + 0.1).min(1.5)
}

impl Painter<'_> {
    /// Paint an upright ring at a distance up to `height` metres. `shade(u, v, footprint)`: u metres along the
    /// arc from the viewing direction (right positive), v metres above the ground.
    pub fn ring(
        &mut self,
        distance: f32,
        height: f32,
        mut shade: impl FnMut(f32, f32, f32) -> (Rgb, f32),
    ) {
        let f = self.camera.rotation.forward;
        let bearing = atan2(f.x, f.z);
        let half = half_angle(self);
        let step = 2.0 * half / f32::from(QUADS);
        let centre = Vec3::new(self.camera.position.x, 0.0, self.camera.position.z);
        let at = |angle: f32| {
            let (s, c) = sin_cos(bearing + angle);
            centre.plus(Vec3::new(s * distance, 0.0, c * distance))
        };
        for i in 0..QUADS {
            let angle = -half + step * f32::from(i);
            let (a, b) = (at(angle), at(angle + step));
            let edge = b.minus(a);
            let stretch = distance * step / edge.length();
            let u0 = distance * angle;
            self.quad(a, edge, Vec3::new(0.0, height, 0.0), |u, v, footprint| {
                shade(u0 + u * stretch, v, footprint)
            });
        }
    }

    /// Announce (see [`Painter::occlude`]) what is solid below a ring's skyline.
    pub fn occlude_ring(&mut self, distance: f32, profile: &Profile) {
        const PIECES: u8 = 24;
        let f = self.camera.rotation.forward;
        let bearing = atan2(f.x, f.z);
        let half = half_angle(self);
        let step = 2.0 * half / f32::from(PIECES);
        let centre = Vec3::new(self.camera.position.x, 0.0, self.camera.position.z);
        let at = |angle: f32| {
            let (s, c) = sin_cos(bearing + angle);
            centre.plus(Vec3::new(s * distance, 0.0, c * distance))
        };
        for i in 0..PIECES {
            let angle = -half + step * f32::from(i);
            let lowest = (0..9_u8)
                .map(|k| profile.at(distance * (angle + step * f32::from(k) / 8.0)))
                .fold(f32::MAX, f32::min);
            let up = Vec3::new(0.0, 0.93 * lowest, 0.0);
            let (a, b) = (at(angle), at(angle + step));
            self.occlude(&[a, b, b.plus(up), a.plus(up)]);
        }
    }

    /// Axes (right, toward the viewer) of a ring in the middle of the picture.
    #[must_use]
    pub fn ring_axes(&self) -> (Vec3, Vec3) {
        let right = self.level_right();
        (right, Vec3::new(right.z, 0.0, -right.x))
    }
}

/// What grows on a hill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Closed forest.
    Wood,
    /// Patchwork of fields, meadows and copses.
    Fields,
    /// Grass.
    Meadow,
}

/// A hill range: distance and height in metres, what grows there.
#[derive(Clone, Copy, Debug)]
pub struct Hills {
    /// Distance of the ring.
    pub distance: f32,
    /// Lowest and highest point of the skyline.
    pub height: (f32, f32),
    /// Width of a hill.
    pub feature: f32,
    /// Vegetation.
    pub cover: Cover,
    /// Everything else.
    pub seed: u64,
}

impl Hills {
    fn profile(&self, painter: &Painter<'_>, s: &mut Stream) -> Profile {
        let (low, high) = self.height;
        Profile::new(reach(painter, self.distance), low, high, self.feature, 0.0, s.bits())
    }

    /// Announce what they hide, see [`Painter::occlude`].
    pub fn announce(&self, painter: &mut Painter<'_>) {
        let mut s = Stream::from_seed(key("hills", &[self.seed]));
        let profile = self.profile(painter, &mut s);
        painter.occlude_ring(self.distance, &profile);
    }

    /// Paint them.
    pub fn paint(&self, painter: &mut Painter<'_>, palette: &Palette) {
        let mut s = Stream::from_seed(key("hills", &[self.seed]));
        let high = self.height.1;
        let profile = self.profile(painter, &mut s);
        let (right, toward) = painter.ring_axes();
        let light = painter.light;
        let crowns = Field::new(Pattern::Fractal, s.bits(), 160.0);
        let patches = Field::new(Pattern::Fractal, s.bits(), self.feature * 1.6);
        let wood: [Rgb; 2] = if palette.bare() {
            [Rgb::new(0.082, 0.070, 0.062), palette.needle(&mut s)]
        } else {
            [palette.leaf(&mut s).scale(0.62), palette.needle(&mut s)]
        };
        let crops: [Rgb; 4] = core::array::from_fn(|_| palette.crop(&mut s));
        let [grass, dark_grass] = palette.grass;
        let snow = palette.snow;
        let white = palette.snow_colour;
        let cover = self.cover;
        let field_width = s.range(60.0, 140.0);
        let slant = s.range(-0.9, 0.9);
        let base = Shaded::new(&light, right, toward);
        painter.ring(self.distance, high * 1.06 + 20.0, |u, v, footprint| {
            let skyline = profile.at(u);
            let patch = patches.at(u, v * 3.0, footprint);
            let crown = crowns.at(u, v * 1.5, footprint);
            let wooded = match cover {
                Cover::Wood => 1.0,
                Cover::Fields => smoothstep(0.60, 0.64, patch),
                Cover::Meadow => smoothstep(0.70, 0.74, patch),
            };
            let top = skyline + wooded * 14.0 * (crown + 0.2);
            let alpha = smoothstep(-footprint, footprint, top - v);
            if alpha <= 0.0 {
                return (Rgb::default(), 0.0);
            }
            // slopes turn to the light with the hill's shape
            let slope = (profile.at(u + 0.08 * self.feature) - profile.at(u - 0.08 * self.feature))
                / (0.16 * self.feature);
            let field = {
                let x = (u + slant * v * 4.0) / field_width;
                let y = v * 4.0 / field_width;
                let id = patches.at(
                    (floor_fast(x) as f32 + 0.5) * 37.0,
                    (floor_fast(y) as f32 + 0.5) * 23.0,
                    0.1,
                );
                let pick = crops[((fract(id * 37.0)) * 4.0) as usize & 3];
                let hedge = (fract(x).min(fract(y)) * field_width) < 5.0;
                if hedge { wood[0].scale(0.8) } else { pick }
            };
            let meadow = dark_grass.mix(grass, patch).scale(0.85 + 0.3 * crown);
            let open = match cover {
                Cover::Fields => field.scale(0.9 + 0.2 * crown),
                _ => meadow,
            };
            let open = open.mix(white, 0.9 * snow);
            let trees =
                wood[0].mix(wood[1], smoothstep(0.42, 0.58, patch)).scale(0.45 + 1.1 * crown);
            let trees = trees.mix(white, 0.18 * snow);
            let albedo = open.mix(trees, wooded);
            let lit = base.at(-slope * 1.2 + 0.9 * (crown - 0.5), 0.75, 0.5);
            (albedo.times(lit), alpha)
        });
    }
}

/// Light on surfaces given in the axes of a ring.
#[derive(Clone, Copy, Debug)]
pub struct Shaded {
    sun: Vec3,
    direct: Rgb,
    sky: Rgb,
}

impl Shaded {
    /// Axes: right, and toward the viewer.
    #[must_use]
    pub fn new(light: &Light, right: Vec3, toward: Vec3) -> Self {
        Self {
            sun: Vec3::new(light.to_sun.dot(right), light.to_sun.y, light.to_sun.dot(toward)),
            direct: light.sun,
            sky: light.sky,
        }
    }

    /// Light on a surface whose normal has these components (right, up, toward), not normalized.
    #[must_use]
    pub fn at(&self, right: f32, up: f32, toward: f32) -> Rgb {
        let n = Vec3::new(right, up, toward).unit();
        let direct = n.dot(self.sun).max(0.0);
        self.direct.scale(direct).plus(self.sky.scale(0.6 + 0.4 * n.y))
    }
}

/// A range of rocky peaks with snow, forests on the lower slopes.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// Distance of the ring, metres.
    pub distance: f32,
    /// Lowest and highest point of the skyline, metres.
    pub height: (f32, f32),
    /// Width of a peak, metres.
    pub feature: f32,
    /// Height above which snow lies, metres.
    pub snow_line: f32,
    /// Height up to which trees grow, metres.
    pub tree_line: f32,
    /// Everything else.
    pub seed: u64,
}

impl Peaks {
    fn profile(&self, painter: &Painter<'_>, s: &mut Stream) -> Profile {
        let (low, high) = self.height;
        Profile::new(reach(painter, self.distance), low, high, self.feature, 0.65, s.bits())
    }

    /// Announce what they hide, see [`Painter::occlude`].
    pub fn announce(&self, painter: &mut Painter<'_>) {
        let mut s = Stream::from_seed(key("peaks", &[self.seed]));
        let profile = self.profile(painter, &mut s);
        painter.occlude_ring(self.distance, &profile);
    }

    /// Paint them.
    pub fn paint(&self, painter: &mut Painter<'_>, palette: &Palette) {
        let mut s = Stream::from_seed(key("peaks", &[self.seed]));
        let high = self.height.1;
        let profile = self.profile(painter, &mut s);
        let (right, toward) = painter.ring_axes();
        let base = Shaded::new(&painter.light, right, toward);
        let folds = Field::new(Pattern::Fractal, s.bits(), self.feature * 1.3);
        let rough = Field::new(Pattern::Fractal, s.bits(), self.feature * 0.30);
        let rock = Rgb::srgb8(128, 122, 114).mix(Rgb::srgb8(142, 124, 104), s.unit());
        let wood = palette.needle(&mut s).scale(0.8);
        let other = palette.leaf(&mut s).scale(0.6);
        let meadow = palette.grass[1].mix(palette.grass[0], 0.5);
        let white = palette.snow_colour;
        let low_snow = palette.snow;
        let (snow_line, tree_line) = (self.snow_line, self.tree_line);
        let winter = palette.season == Season::Winter;
        painter.ring(self.distance, high * 1.02, |u, v, footprint| {
            let top = profile.at(u);
            let alpha = smoothstep(-footprint, footprint, top - v);
            if alpha <= 0.0 {
                return (Rgb::default(), 0.0);
            }
            // gullies run down from the skyline: displace the noise sideways with depth below it
            let below = top - v;
            let fine = rough.at(u, v * 0.7, footprint);
            let x = u + 0.25 * below * (fine - 0.5);
            let e = self.feature * 0.02;
            let fold = folds.at(x, v * 0.45, footprint);
            let slope = folds.at(x + e, v * 0.45 + 0.4 * e, footprint) - fold;
            let face = -slope * 9.0 - (fine - 0.5) * 1.6;
            let lit = base.at(face, 0.55 + 0.5 * (fine - 0.5), 0.55);
            let ragged = (fold - 0.5) * 0.6 + (fine - 0.5) * 0.5;
            // snow keeps off the steep faces
            let height = v / high;
            let line = snow_line / high;
            let snow = smoothstep(-0.06, 0.08, height - line + 0.55 * ragged - 0.10 * face.abs());
            let trees = smoothstep(-0.05, 0.05, (tree_line - v) / high + 0.40 * ragged);
            let grass = smoothstep(-0.10, 0.10, (tree_line * 1.35 - v) / high + 0.5 * ragged);
            let strata = 0.88 + 0.24 * rough.at(u * 0.4 + v, v * 3.0, footprint);
            let mut albedo = rock.scale(strata * (0.75 + 0.5 * fine));
            albedo = albedo.mix(meadow, 0.75 * grass);
            let leafy = smoothstep(0.55, 0.65, fold);
            albedo = albedo.mix(wood.mix(other, 0.5 * leafy).scale(0.5 + 1.0 * fine), trees);
            let snow = if winter { snow.max(low_snow * (1.0 - 0.8 * trees)) } else { snow };
            albedo = albedo.mix(white, 0.96 * snow);
            (albedo.times(lit), alpha)
        });
    }
}
