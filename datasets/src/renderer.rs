//! From a configuration to a finished frame: the one entry to the renderer.

use image::{GrayImage, RgbImage};

use crate::compose::{self, Background, Scratch};
use crate::config::SceneConfig;
use crate::formation;
use crate::light::{exposure_gain, light_from_config};
use crate::num::to_u8;
use crate::plate::Face;
use crate::source::{Frame, FrameKey};

/// Version of the pictures. The golden hashes in `tests` hold for one version: a change of any pixel
/// needs the next one.
pub const RENDERER_VERSION: u32 = 2;

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

impl Rendered {
    /// The picture as a labelled frame with all its parameters.
    #[must_use]
    pub fn into_frame(self, config: &SceneConfig) -> Frame {
        let key = FrameKey { class: config.identity.class, index: config.identity.index };
        Frame { key, image: self.image, mask: self.mask, metadata: config.to_metadata() }
    }
}

/// A size that the renderer does not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "picture size {0}: expected {min} to {max} pixels",
    min = SIZE_RANGE.start(),
    max = SIZE_RANGE.end()
)]
pub struct SizeError(pub usize);

/// Renders pictures of one size. Holds nothing else: every picture is a function of its
/// configuration, so one renderer may serve any number of threads, each with its own [`Scratch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renderer {
    size: usize,
}

impl Renderer {
    /// A renderer of square pictures, `size` pixels a side.
    ///
    /// # Errors
    /// If the size lies outside [`SIZE_RANGE`].
    pub fn new(size: usize) -> Result<Self, SizeError> {
        if SIZE_RANGE.contains(&size) { Ok(Self { size }) } else { Err(SizeError(size)) }
    }

    /// Pixels a side.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Render a sign in the environment of its configuration.
    pub fn render<F: Face>(
        &self,
        config: &SceneConfig,
        face: &F,
        scratch: &mut Scratch,
    ) -> Rendered {
        self.render_over(config, face, Background::Painted, scratch)
    }

    /// Render a sign over any background.
    pub fn render_over<F: Face>(
        &self,
        config: &SceneConfig,
        face: &F,
        background: Background<'_>,
        scratch: &mut Scratch,
    ) -> Rendered {
        scratch.fit(self.size);
        render_face(config, face, background, scratch)
    }
}

/// Render any face over any background, at the size of the scratch.
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
