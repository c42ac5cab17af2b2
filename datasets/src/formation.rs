//! From radiance to the 8-bit picture: lens blur, motion, vignetting, exposure, noise, tone, JPEG.

use std::sync::OnceLock;

use image::RgbImage;

use crate::blur;
use crate::canvas::{Canvas, Rgb, srgb_encode};
use crate::config::{FormationConfig, REFERENCE_SIZE};
use crate::jpeg;
use crate::num::{exp, exp2, floor_small, radians, to_u8};
use crate::rng::{mix, normal_from_bits};

/// Develop a canvas of linear radiance into a picture. `gain` brings radiance to the sensor's scale
/// (1 = full scale); the canvas is left blurred.
pub fn develop(
    canvas: &mut Canvas,
    config: &FormationConfig,
    gain: Rgb,
    spare: &mut Vec<Rgb>,
) -> RgbImage {
    let scale = canvas.width as f32 / REFERENCE_SIZE as f32;
    blur::defocus(canvas, config.defocus_px * scale);
    blur::motion(canvas, config.motion_px * scale, radians(config.motion_angle_deg), spare);
    let stops = exp2(config.exposure_stops);
    let gain = Rgb::new(config.balance_red, 1.0, config.balance_blue).times(gain).scale(stops);
    let mut image = expose(canvas, config, gain);
    if config.jpeg_quality > 0 {
        jpeg::degrade(&mut image, config.jpeg_quality);
    }
    image
}

fn expose(canvas: &Canvas, config: &FormationConfig, gain: Rgb) -> RgbImage {
    let (width, height) = (canvas.width, canvas.height);
    let tone = ToneTable::get();
    let mut bytes = Vec::with_capacity(3 * width * height);
    let (cx, cy) = (0.5 * width as f32, 0.5 * height as f32);
    let to_corner = 1.0 / (cx * cx + cy * cy);
    let mut noise = Noise::new(config);
    // in steps over whole rows, whose arithmetic processors do for several values at a time
    let mut values = vec![0.0; 3 * width];
    for (y, row) in canvas.pixels.chunks_exact(width).enumerate() {
        let dy = y as f32 + 0.5 - cy;
        for ((x, pixel), v) in row.iter().enumerate().zip(values.chunks_exact_mut(3)) {
            let dx = x as f32 + 0.5 - cx;
            let r2 = (dx * dx + dy * dy) * to_corner;
            // the fall-off of a simple lens is flat in the middle and steep towards the corner
            let light = 1.0 - config.vignetting * r2 * (0.4 + 0.6 * r2);
            let lit = pixel.times(gain).scale(light);
            v.copy_from_slice(&[lit.r, lit.g, lit.b]);
        }
        noise.add(&mut values, y * width);
        bytes.extend(values.iter().map(|&v| tone.level(v)));
    }
    let (width, height) = (u32::try_from(width), u32::try_from(height));
    RgbImage::from_raw(width.unwrap_or(0), height.unwrap_or(0), bytes).unwrap_or_default()
}

/// Sensor noise: variance = read^2 + shot^2 * signal, one random number a pixel and channel.
struct Noise {
    seed: u64,
    read_variance: f32,
    shot_variance: f32,
    /// Standard normal numbers of a row.
    normals: Vec<f32>,
}

impl Noise {
    fn new(config: &FormationConfig) -> Self {
        Self {
            seed: config.noise_seed,
            read_variance: config.read_noise * config.read_noise,
            shot_variance: config.shot_noise * config.shot_noise,
            normals: Vec::new(),
        }
    }

    /// Add noise to the three values each of a row of pixels, of which the first has the number `first`.
    fn add(&mut self, values: &mut [f32], first: usize) {
        self.normals.resize(values.len(), 0.0);
        for (pixel, normals) in self.normals.chunks_exact_mut(3).enumerate() {
            let index = (first + pixel) as u64;
            for (normal, channel) in normals.iter_mut().zip(0..) {
                let place = (4 * index + channel).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                *normal = normal_from_bits(mix(self.seed ^ place));
            }
        }
        for (v, normal) in values.iter_mut().zip(&self.normals) {
            let variance = self.read_variance + self.shot_variance * v.clamp(0.0, 1.5);
            *v += variance.sqrt() * normal;
        }
    }
}

/// Linear light to 8-bit sRGB, with a shoulder instead of hard clipping.
struct ToneTable {
    levels: Vec<u8>,
}

/// Entries for one unit of linear light. The steepest part of the curve is 12.92 * 255 = 3,295 levels
/// a unit, so neighbouring entries differ by at most one level.
const ENTRIES_A_UNIT: usize = 4096;
/// Linear light at the end of the table.
const TABLE_END: f32 = 3.0;
/// Where the shoulder begins.
const SHOULDER: f32 = 0.70;

impl ToneTable {
    #[inline]
    fn get() -> &'static Self {
        static TABLE: OnceLock<ToneTable> = OnceLock::new();
        TABLE.get_or_init(|| {
            let count = 3 * ENTRIES_A_UNIT;
            let level = |i: usize| {
                let v = (i as f32 + 0.5) / ENTRIES_A_UNIT as f32;
                to_u8(srgb_encode(shoulder(v)))
            };
            Self { levels: (0..count).map(level).collect() }
        })
    }

    #[expect(clippy::cast_sign_loss, reason = "clamped to the table just before")]
    #[inline]
    fn level(&self, v: f32) -> u8 {
        let entry = v.clamp(0.0, TABLE_END - 0.001) * ENTRIES_A_UNIT as f32;
        // what is not a number has no entry
        self.levels.get(floor_small(entry) as usize).copied().unwrap_or(0)
    }
}

/// Identity below [`SHOULDER`], then an exponential approach to full scale with the same slope.
fn shoulder(v: f32) -> f32 {
    if v <= SHOULDER {
        return v;
    }
    let room = 1.0 - SHOULDER;
    SHOULDER + room * (1.0 - exp((SHOULDER - v) / room))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> FormationConfig {
        FormationConfig {
            exposure_stops: 0.0,
            balance_red: 1.0,
            balance_blue: 1.0,
            vignetting: 0.0,
            defocus_px: 0.0,
            background_defocus_px: 0.0,
            motion_px: 0.0,
            motion_angle_deg: 0.0,
            shot_noise: 0.0,
            read_noise: 0.0,
            noise_seed: 9,
            jpeg_quality: 0,
        }
    }

    fn develop_grey(level: f32, config: &FormationConfig) -> RgbImage {
        let mut canvas = Canvas::new(64, 64, Rgb::grey(level));
        develop(&mut canvas, config, Rgb::grey(1.0), &mut Vec::new())
    }

    #[test]
    fn middle_grey_is_encoded_as_srgb_and_a_stop_doubles_it() {
        let plain = develop_grey(0.18, &config());
        assert!(plain.as_raw().iter().all(|&v| v.abs_diff(118) <= 1), "{}", plain.as_raw()[0]);
        let brighter = develop_grey(0.09, &FormationConfig { exposure_stops: 1.0, ..config() });
        assert_eq!(plain, brighter);
    }

    #[test]
    fn noise_has_the_stated_strength_and_vignetting_darkens_corners() {
        let noisy = develop_grey(0.25, &FormationConfig { shot_noise: 0.04, ..config() });
        let mean = noisy.as_raw().iter().map(|&v| f64::from(v)).sum::<f64>() / 12288.0;
        let var = noisy.as_raw().iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>();
        // 0.04 * sqrt(0.25) = 0.02 of full scale; the curve's slope at 0.25 is 0.98 * 255 levels
        let sigma = (var / 12288.0).sqrt();
        assert!((sigma - 5.0).abs() < 0.6, "{sigma} levels");
        let dark = develop_grey(0.25, &FormationConfig { vignetting: 0.4, ..config() });
        assert!(dark.get_pixel(0, 0).0[0] + 15 < dark.get_pixel(32, 32).0[0]);
    }
}
