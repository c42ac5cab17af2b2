//! From a configuration to a finished frame: the one entry to the renderer.

use image::{GrayImage, RgbImage};

use crate::compose::{self, Background, Scratch};
use crate::config::SceneConfig;
use crate::formation;
use crate::light::{exposure_gain, light_from_config};
use crate::num::to_u8;
use crate::plate::Face;

/// Version of the pictures. The golden hashes in `tests` hold for one version: a change of any pixel
/// needs the next one.
pub const RENDERER_VERSION: u32 = 1;

/// Smallest and largest side of a picture, pixels.
pub const SIZE_RANGE: core::ops::RangeInclusive<usize> = 64..=1024;

/// A finished picture and its ground truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// sRGB, 8 bits a channel.
    pub image: RgbImage,
    /// Coverage by the visible part of the sign, 0 to 255; before lens and motion blur.
    pub mask: GrayImage,
}

/// Render any face, over any background.
#[must_use]
pub fn render_face<F: Face>(
    config: &SceneConfig,
    face: &F,
    background: Background<'_>,
    scratch: &mut Scratch,
) -> Rendered {
    let light = light_from_config(&config.light);
    compose::compose(config, face, &light, background, scratch);
    let gain = exposure_gain(&light);
    let image =
        formation::develop(&mut scratch.canvas, &config.formation, gain, &mut scratch.spare);
    let coverage = scratch.mask.iter().map(|&c| to_u8(c)).collect();
    let mask = GrayImage::from_raw(image.width(), image.height(), coverage).unwrap_or_default();
    Rendered { image, mask }
}
