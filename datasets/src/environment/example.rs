//! Plausible views drawn from a number, for the example sheet, the bench and the tests.
//!
//! The data sets draw theirs from a scene configuration; these only have the same ranges.

use crate::canvas::Rgb;
use crate::geometry::{Camera, Rotation, Vec3};
use crate::num::{radians, sin_cos, tan};
use crate::rng::Stream;

use super::{Light, Season, View};

/// A view for a square canvas of the given size: a sign would stand in the middle of the picture.
#[must_use]
pub fn view(seed: u64, canvas_size: usize) -> View {
    let mut s = Stream::new("example-view", &[seed]);
    let size = canvas_size as f32;
    let focal_px = 0.5 * size / tan(radians(0.5 * s.range(24.0, 44.0)));
    let height = s.range(1.5, 2.1);
    // distance at which a sign covers a usual share of the picture
    let distance = focal_px / (size / 224.0) / s.range(123.0, 256.0);
    let yaw = radians(s.range(-12.0, 12.0));
    let pitch = (s.range(1.9, 2.5) - height) / distance.max(1.0) + radians(s.range(-2.0, 2.0));
    let camera = Camera {
        position: Vec3::new(0.0, height, 0.0),
        rotation: Rotation::from_angles(yaw, pitch, radians(s.range(-3.0, 3.0))),
        focal_px,
        centre_x: 0.5 * size,
        centre_y: 0.5 * size,
    };
    let season = *s.pick(&[Season::Spring, Season::Summer, Season::Autumn, Season::Winter]);
    View {
        camera,
        road_bearing: radians(s.range(-16.0, 10.0)),
        kerb_x: -s.range(0.6, 1.6),
        light: light(&mut s),
        season,
        seed: s.bits(),
    }
}

fn light(s: &mut Stream) -> Light {
    let azimuth = s.range(-3.1, 3.1);
    let elevation = radians(s.range(8.0, 60.0));
    let ((sa, ca), (se, ce)) = (sin_cos(azimuth), sin_cos(elevation));
    let to_sun = Vec3::new(sa * ce, se, ca * ce);
    let cloud_cover = s.unit();
    let dusk = if s.chance(0.15) { s.range(0.3, 1.0) } else { 0.0 };
    let warm = (1.0 - elevation / 0.9).clamp(0.0, 1.0);
    let open = ((0.95 - cloud_cover) * 4.0).clamp(0.0, 1.0);
    let bright = 1.0 - 0.85 * dusk;
    let sun =
        Rgb::new(1.0, 0.95 - 0.15 * warm, 0.88 - 0.35 * warm).scale(0.85 * open * (1.0 - dusk));
    let sky = Rgb::new(0.30, 0.36, 0.46).mix(Rgb::new(0.66, 0.68, 0.70), 1.0 - open);
    Light { to_sun, sun, sky: sky.scale(bright), cloud_cover, dusk }
}
