//! Camera and image processing: exposure, blur, noise, compression.

use serde::Serialize;

use super::Identity;
use super::light::LightConfig;

/// Camera and image processing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FormationConfig {
    /// Deviation from the metered exposure, stops.
    pub exposure_stops: f32,
    /// Gain error of the red channel, 1 = none.
    pub balance_red: f32,
    /// Gain error of the blue channel, 1 = none.
    pub balance_blue: f32,
    /// Loss of light at the corner, 0 to 1.
    pub vignetting: f32,
    /// Radius of the circle of confusion at the sign, pixels of a 224-pixel picture.
    pub defocus_px: f32,
    /// Further radius for everything far behind the sign, pixels of a 224-pixel picture.
    pub background_defocus_px: f32,
    /// Length of the motion blur, pixels of a 224-pixel picture.
    pub motion_px: f32,
    /// Direction of the motion in the picture, degrees.
    pub motion_angle_deg: f32,
    /// Shot noise at full scale, share of full scale.
    pub shot_noise: f32,
    /// Read noise, share of full scale.
    pub read_noise: f32,
    /// Seed of the noise field.
    pub noise_seed: u64,
    /// Quality (1 to 100) of a JPEG compression in the camera; 0 for none.
    pub jpeg_quality: u8,
}

pub(super) fn draw(identity: &Identity, light: &LightConfig) -> FormationConfig {
    let mut s = identity.stream("formation");
    let gain = 1.0 + 2.5 * light.dusk;
    let moving = s.chance(0.4);
    let u = s.unit();
    let compressed = s.chance(0.35);
    let quality = s.below(43);
    FormationConfig {
        exposure_stops: (0.33 * s.normal()).clamp(-0.8, 0.8),
        balance_red: 1.0 + 0.035 * s.normal(),
        balance_blue: 1.0 + 0.045 * s.normal(),
        vignetting: s.range(0.0, 0.32),
        defocus_px: 0.35 + 0.9 * s.unit() * s.unit(),
        background_defocus_px: s.range(0.3, 1.6),
        motion_px: if moving { 0.6 + 4.4 * u * u * u } else { 0.0 },
        motion_angle_deg: s.range(-25.0, 25.0) + if s.chance(0.3) { 90.0 } else { 0.0 },
        shot_noise: s.range(0.004, 0.016) * gain,
        read_noise: s.range(0.0008, 0.004) * gain,
        noise_seed: s.bits() >> 1,
        jpeg_quality: if compressed { u8::try_from(52 + quality).unwrap_or(90) } else { 0 },
    }
}
