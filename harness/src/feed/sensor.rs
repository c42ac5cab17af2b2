//! The sensor model: exposure and gain that follow the light with a lag, noise, Bayer mosaic, rolling shutter.
//!
//! ```text
//! sRGB -> linear -> * exposure * gain -> rolling shutter -> electrons: shot + dark noise -> mosaic -> sRGB
//! ```
//!
//! Noise after EMVA 1288 (release 4.0, 2021, section 2): with `mu` electrons of a pixel the variance is
//! `mu + sigma_dark^2` electrons squared, to which the gain and the quantization to 8 bits are applied. All arithmetic is
//! f32 additions, multiplications, divisions and square roots, which IEEE 754 fixes to the bit; random numbers are integers.
//!
//! Deviation: `mu` is the same in all colours (no quantum efficiency by wavelength), and the mosaic is undone by averaging the
//! neighbours of each colour (bilinear), not by an edge-directed method.

use datasets::num;
use datasets::rng::{Stream, normal_from_bits};
use image::{GrayImage, RgbImage};
use serde::{Deserialize, Serialize};

/// Longest exposure, microseconds: the longest that f32 counts to the microsecond is a little above.
const MAX_EXPOSURE: u32 = 16_000_000;

/// What the sensor is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SensorSettings {
    /// Exposure time at which a picture is as bright as it was rendered.
    pub exposure_micros: u32,
    /// Shortest and longest exposure that the control may choose.
    pub exposure_range_micros: [u32; 2],
    /// Analogue gain on top of it, which lifts noise as well.
    pub gain: f32,
    /// Frames after which the control has gone about two thirds of the way to the right exposure; 0 switches it off.
    pub auto_exposure_lag_frames: f32,
    /// Mean of the picture, 0 to 255, that the control aims at.
    pub target_level: f32,
    /// Electrons at full scale and gain 1; 0 switches noise off.
    pub full_well_electrons: f32,
    /// Standard deviation of the dark noise, electrons.
    pub dark_noise_electrons: f32,
    /// One colour a pixel (RGGB), the others from its neighbours.
    pub bayer: bool,
    /// How far the scene moves to the right while the sensor is read, pixels; 0 is a global shutter.
    pub rolling_shutter_pixels: f32,
}

impl Default for SensorSettings {
    fn default() -> Self {
        Self {
            exposure_micros: 8000,
            exposure_range_micros: [100, 30_000],
            gain: 1.0,
            auto_exposure_lag_frames: 0.0,
            target_level: 110.0,
            full_well_electrons: 10_000.0,
            dark_noise_electrons: 5.0,
            bayer: false,
            rolling_shutter_pixels: 0.0,
        }
    }
}

impl SensorSettings {
    /// The first setting that is out of its range: its name, what is possible, and what was given.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str, String)> {
        const TIMES: &str = "1 to 16000000 (16 s)";
        let range = self.exposure_range_micros;
        let times = 1..=MAX_EXPOSURE;
        if !times.contains(&self.exposure_micros) {
            return Some(("exposure_micros", TIMES, self.exposure_micros.to_string()));
        }
        if range[0] > range[1] || !range.iter().all(|time| times.contains(time)) {
            let expected = "shortest and longest, each 1 to 16000000 (16 s),";
            return Some(("exposure_range_micros", expected, format!("{range:?}")));
        }
        [
            ("gain", "0 to 1000", self.gain, 0.0_f32..=1e3),
            ("auto_exposure_lag_frames", "0 to 1000000", self.auto_exposure_lag_frames, 0.0..=1e6),
            ("target_level", "0 to 255", self.target_level, 0.0..=255.0),
            ("full_well_electrons", "0 to 1000000000", self.full_well_electrons, 0.0..=1e9),
            ("dark_noise_electrons", "0 to 1000000", self.dark_noise_electrons, 0.0..=1e6),
            ("rolling_shutter_pixels", "-10000 to 10000", self.rolling_shutter_pixels, -1e4..=1e4),
        ]
        .into_iter()
        .find(|(.., value, range)| !range.contains(value))
        .map(|(name, expected, value, _)| (name, expected, value.to_string()))
    }
}

/// A sensor with the state of its exposure control.
#[derive(Clone, Debug)]
pub struct Sensor {
    settings: SensorSettings,
    seed: u64,
    exposure: f32,
    linear: [f32; 256],
}

impl Sensor {
    /// A sensor that begins with the nominal exposure.
    #[must_use]
    pub fn new(settings: SensorSettings, seed: u64) -> Self {
        let mut linear = [0.0; 256];
        for (level, value) in (0_u8..=255).zip(linear.iter_mut()) {
            *value = to_linear(f32::from(level) / 255.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "exposure times are below 2^24 us")]
        let exposure = settings.exposure_micros as f32;
        Self { settings, seed, exposure, linear }
    }

    /// Take a picture: what was rendered becomes what the sensor delivers; the mask moves with the rows. Gives the
    /// exposure time in microseconds.
    pub fn expose(&mut self, image: &mut RgbImage, mask: &mut GrayImage, sequence: u32) -> u32 {
        let SensorSettings { gain, full_well_electrons, dark_noise_electrons, .. } = self.settings;
        #[expect(clippy::cast_precision_loss, reason = "exposure times are below 2^24 us")]
        let nominal = (self.settings.exposure_micros as f32).max(1.0);
        let used = self.exposure;
        let light = used / nominal;
        if self.settings.rolling_shutter_pixels != 0.0 {
            roll(image, 3, self.settings.rolling_shutter_pixels);
            roll(mask, 1, self.settings.rolling_shutter_pixels);
        }
        let mut random = Stream::new("sensor", &[self.seed, u64::from(sequence)]);
        let width = usize::try_from(image.width()).unwrap_or(1).max(1);
        let mut sum = 0_u64;
        for (i, pixel) in image.as_flat_samples_mut().as_mut_slice().chunks_exact_mut(3).enumerate()
        {
            for (c, value) in pixel.iter_mut().enumerate() {
                if self.settings.bayer && colour_at(i % width, i / width) != c {
                    *value = 0;
                    continue;
                }
                let mut level = self.linear[usize::from(*value)] * light;
                if full_well_electrons > 0.0 {
                    let mu = level.min(1.0) * full_well_electrons;
                    let sigma = (mu + dark_noise_electrons * dark_noise_electrons).sqrt();
                    level = (mu + sigma * normal_from_bits(random.bits())) / full_well_electrons;
                }
                *value = num::to_u8(to_srgb((level * gain).clamp(0.0, 1.0)));
                sum += u64::from(*value);
            }
        }
        if self.settings.bayer {
            demosaic(image);
        }
        let colours = if self.settings.bayer { 1 } else { 3 };
        self.follow(sum, image.as_raw().len() / 3 * colours);
        micros(used)
    }

    /// Bring the exposure nearer to what would have given the target.
    fn follow(&mut self, sum: u64, count: usize) {
        let lag = self.settings.auto_exposure_lag_frames;
        if lag <= 0.0 || count == 0 {
            return;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a mean of bytes needs no more than 24 bits"
        )]
        let mean = (sum as f32 / count as f32).max(1.0) / 255.0;
        let target = (self.settings.target_level / 255.0).clamp(0.01, 0.99);
        let right = self.exposure * to_linear(target) / to_linear(mean).max(1e-4);
        let [low, high] = self.settings.exposure_range_micros;
        #[expect(clippy::cast_precision_loss, reason = "exposure times are below 2^24 us")]
        let (low, high) = (low as f32, high as f32);
        let step = 1.0 / (1.0 + lag);
        self.exposure = (self.exposure + (right - self.exposure) * step).clamp(low, high.max(low));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the stated range"
)]
fn micros(exposure: f32) -> u32 {
    (exposure + 0.5) as u32
}

/// Opto-electronic transfer of IEC 61966-2-1.
fn to_linear(v: f32) -> f32 {
    if v <= 0.040_45 { v / 12.92 } else { num::pow((v + 0.055) / 1.055, 2.4) }
}

fn to_srgb(v: f32) -> f32 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * num::pow(v, 1.0 / 2.4) - 0.055 }
}

/// Colour of a pixel behind the mosaic: rows R G R G and G B G B.
const fn colour_at(x: usize, y: usize) -> usize {
    (x & 1) + (y & 1)
}

/// Fill the missing colours with the mean of the neighbours that have them.
fn demosaic(image: &mut RgbImage) {
    let raw = image.clone();
    let (width, height) = raw.dimensions();
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let own = colour_at(to_usize(x), to_usize(y));
        for c in (0..3).filter(|&c| c != own) {
            let (mut sum, mut count) = (0_u32, 0_u32);
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    if colour_at(to_usize(nx), to_usize(ny)) == c {
                        sum += u32::from(raw.get_pixel(nx, ny).0[c]);
                        count += 1;
                    }
                }
            }
            pixel.0[c] = u8::try_from((sum + count / 2) / count.max(1)).unwrap_or(u8::MAX);
        }
    }
}

/// Shift each row by its share of the motion, rounded to whole pixels; the border is repeated.
fn roll<P: image::Pixel<Subpixel = u8>>(
    image: &mut image::ImageBuffer<P, Vec<u8>>,
    channels: usize,
    pixels: f32,
) {
    let (width, height) = (to_usize(image.width()), to_usize(image.height()));
    let row_len = width * channels;
    if row_len == 0 {
        return;
    }
    for (y, row) in image.as_flat_samples_mut().as_mut_slice().chunks_exact_mut(row_len).enumerate()
    {
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^24")]
        let by = pixels * (y as f32 / height as f32);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "limited to the width"
        )]
        let columns = ((by.abs() + 0.5) as usize).min(width - 1);
        let bytes = columns * channels;
        if by >= 0.0 {
            let edge: Vec<u8> = row[..channels].to_vec();
            row.copy_within(..row_len - bytes, bytes);
            row[..bytes].chunks_exact_mut(channels).for_each(|p| p.copy_from_slice(&edge));
        } else {
            let edge: Vec<u8> = row[row_len - channels..].to_vec();
            row.copy_within(bytes.., 0);
            row[row_len - bytes..]
                .chunks_exact_mut(channels)
                .for_each(|p| p.copy_from_slice(&edge));
        }
    }
}

fn to_usize(side: u32) -> usize {
    usize::try_from(side).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgb};

    use super::*;

    fn grey(level: u8) -> (RgbImage, GrayImage) {
        (RgbImage::from_pixel(64, 48, Rgb([level; 3])), GrayImage::new(64, 48))
    }

    fn quiet() -> SensorSettings {
        SensorSettings { full_well_electrons: 0.0, ..SensorSettings::default() }
    }

    fn statistics(image: &RgbImage) -> (f64, f64) {
        let values: Vec<f64> = image.as_raw().iter().map(|&v| f64::from(v)).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn a_quiet_sensor_at_nominal_exposure_changes_nothing() {
        let mut sensor = Sensor::new(quiet(), 1);
        for level in [0, 1, 17, 128, 254, 255] {
            let (mut image, mut mask) = grey(level);
            assert_eq!(sensor.expose(&mut image, &mut mask, 0), 8000);
            assert!(image.as_raw().iter().all(|&v| v.abs_diff(level) <= 1), "{level}");
        }
    }

    #[test]
    fn noise_has_the_variance_of_the_standard() {
        // linear 0.2158 is sRGB 128; sigma = sqrt(mu + dark^2) electrons
        let settings =
            SensorSettings { full_well_electrons: 1000.0, dark_noise_electrons: 8.0, ..quiet() };
        let (mut image, mut mask) = grey(128);
        Sensor::new(settings, 1).expose(&mut image, &mut mask, 7);
        let (mean, sigma) = statistics(&image);
        let mu = 215.8_f64;
        let in_linear = (mu + 64.0).sqrt() / 1000.0;
        // slope of the transfer at 0.2158: 1.055 / 2.4 * v^(1/2.4 - 1), in levels
        let expected = in_linear * 255.0 * 1.055 / 2.4 * 0.2158_f64.powf(1.0 / 2.4 - 1.0);
        assert!((mean - 128.0).abs() < 0.6, "{mean}");
        assert!((sigma / expected - 1.0).abs() < 0.05, "{sigma} against {expected}");
    }

    #[test]
    fn the_exposure_control_reaches_its_target_with_the_stated_lag() {
        let settings = SensorSettings { auto_exposure_lag_frames: 3.0, ..quiet() };
        let mut sensor = Sensor::new(settings, 1);
        let mut levels = Vec::new();
        for n in 0..60 {
            let (mut image, mut mask) = grey(60);
            sensor.expose(&mut image, &mut mask, n);
            levels.push(statistics(&image).0);
        }
        assert!((levels[0] - 60.0).abs() < 1.5, "the first picture is as it was: {}", levels[0]);
        assert!(levels[2] > levels[1] && levels[1] > levels[0]);
        assert!(levels[2] < 100.0, "not there at once: {}", levels[2]);
        assert!((levels[59] - 110.0).abs() < 2.0, "{}", levels[59]);
    }

    #[test]
    fn a_mosaic_keeps_even_areas_and_loses_fine_colour() {
        let settings = SensorSettings { bayer: true, ..quiet() };
        let (mut image, mut mask) = grey(100);
        Sensor::new(settings.clone(), 1).expose(&mut image, &mut mask, 0);
        assert!(image.as_raw().iter().all(|&v| v.abs_diff(100) <= 1));
        let mut stripes =
            RgbImage::from_fn(64, 48, |x, _| Rgb([if x % 2 == 0 { 255 } else { 0 }; 3]));
        let before = stripes.clone();
        Sensor::new(settings, 1).expose(&mut stripes, &mut mask, 0);
        assert_ne!(stripes, before);
    }

    #[test]
    fn a_rolling_shutter_moves_rows_and_the_mask_with_them() {
        let settings = SensorSettings { rolling_shutter_pixels: 10.0, ..quiet() };
        let mut image = RgbImage::from_fn(64, 50, |x, _| Rgb([if x < 20 { 200 } else { 10 }; 3]));
        let mut mask = GrayImage::from_fn(64, 50, |x, _| Luma([if x < 20 { 255 } else { 0 }]));
        Sensor::new(settings, 1).expose(&mut image, &mut mask, 0);
        let edge = |y: u32| (0..64).find(|&x| mask.get_pixel(x, y).0[0] == 0).unwrap();
        assert_eq!((edge(0), edge(25), edge(49)), (20, 25, 30));
        for y in [0, 25, 49] {
            assert!(
                image.get_pixel(edge(y) - 1, y).0[0] > 150 && image.get_pixel(edge(y), y).0[0] < 50
            );
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let shot = |seed, n| {
            let (mut image, mut mask) = grey(90);
            Sensor::new(SensorSettings { bayer: true, ..SensorSettings::default() }, seed)
                .expose(&mut image, &mut mask, n);
            image
        };
        assert_eq!(shot(1, 5), shot(1, 5));
        assert_ne!(shot(1, 5), shot(1, 6));
        assert_ne!(shot(1, 5), shot(2, 5));
    }
}
