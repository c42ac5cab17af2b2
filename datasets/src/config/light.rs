//! Daylight: where the sun stands, clouds, dusk, and what shades the sign.

use serde::Serialize;

use crate::environment::Season;
use crate::num::lerp;

use super::Identity;

/// What casts a shadow onto the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShadowKind {
    /// Nothing.
    None,
    /// Twigs and leaves between sun and sign.
    Branches,
    /// A straight thing: a plate above, a pole, a gantry.
    Edge,
}

/// Daylight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LightConfig {
    /// Direction of the sun against the direction from camera to sign, degrees, positive to the
    /// right; 180 is behind the camera.
    pub sun_azimuth_deg: f32,
    /// Height of the sun above the horizon, degrees.
    pub sun_elevation_deg: f32,
    /// Correlated colour temperature of direct sunlight, kelvin.
    pub sun_temperature_k: f32,
    /// Share of the sky covered by clouds, 0 to 1.
    pub cloud_cover: f32,
    /// 0 in daylight, 1 at deep dusk.
    pub dusk: f32,
    /// Light from the vehicle's own headlamps that the sheeting sends back, relative to full sun.
    pub headlamp: f32,
    /// What shades the sign.
    pub shadow: ShadowKind,
    /// Depth of that shadow, 0 to 1.
    pub shadow_depth: f32,
    /// Seed of the shape of that shadow (63 bits, as all seeds here: they fit a signed column).
    pub shadow_seed: u64,
}

pub(super) fn draw(identity: &Identity, season: Season) -> LightConfig {
    let mut s = identity.stream("light");
    let highest = match season {
        Season::Spring => 52.0,
        Season::Summer => 62.0,
        Season::Autumn => 40.0,
        Season::Winter => 24.0,
    };
    let sky = s.unit();
    let is_dusk = s.chance(0.07);
    let cloud_cover = if sky < 0.45 {
        s.range(0.0, 0.25)
    } else if sky < 0.72 {
        s.range(0.25, 0.7)
    } else {
        s.range(0.8, 1.0)
    };
    let (sun_elevation_deg, dusk) = {
        let (height, depth) = (s.unit(), s.unit());
        if is_dusk {
            (lerp(-5.0, 3.0, height), lerp(0.35, 1.0, depth))
        } else {
            (lerp(6.0, highest, height), 0.0)
        }
    };
    // low sun is red: about 2,600 K at the horizon, 5,600 K from 35 degrees on
    let rise = (sun_elevation_deg / 35.0).clamp(0.0, 1.0);
    let shadow_roll = s.unit();
    LightConfig {
        sun_azimuth_deg: s.range(-180.0, 180.0),
        sun_elevation_deg,
        sun_temperature_k: lerp(2700.0, 5600.0, rise * (2.0 - rise)) + 180.0 * s.normal(),
        cloud_cover,
        dusk,
        headlamp: dusk * s.range(0.02, 0.14),
        shadow: if shadow_roll < 0.24 {
            ShadowKind::Branches
        } else if shadow_roll < 0.36 {
            ShadowKind::Edge
        } else {
            ShadowKind::None
        },
        shadow_depth: s.range(0.55, 1.0),
        shadow_seed: s.bits() >> 1,
    }
}
