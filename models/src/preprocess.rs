//! Pictures into input tensors, exactly as the manifest says.
//!
//! ```text
//! x[c, row, column] = (picture[row, column, c] / 255 - mean[c]) / std[c]     in f32, in this order
//! ```
//!
//! which is `torchvision.transforms.functional.to_tensor` followed by `normalize`, bit for bit. The
//! order matters: folding the division by 255 into mean and standard deviation moves the last bit.

use crate::error::ModelError;
use crate::manifest::{ChannelOrder, Input, Resize};
use crate::resize;

/// Turns 8-bit RGB pictures into input tensors.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    input: Input,
    /// Normalized value of each of the 256 levels, one table for each channel plane.
    levels: [[f32; 256]; 3],
}

impl Preprocessor {
    /// A preprocessor for networks with this input.
    #[must_use]
    pub fn new(input: &Input) -> Self {
        let mut levels = [[0.0; 256]; 3];
        for (c, table) in levels.iter_mut().enumerate() {
            for (value, level) in (0_u8..=255).zip(table.iter_mut()) {
                *level = (f32::from(value) / 255.0 - input.mean[c]) / input.std[c];
            }
        }
        Self { input: input.clone(), levels }
    }

    /// Width and height of the input, in pixels.
    #[must_use]
    pub const fn size(&self) -> (usize, usize) {
        (self.input.width, self.input.height)
    }

    /// Input tensor `[3, height, width]` of a picture with interleaved RGB bytes, row by row.
    ///
    /// # Errors
    /// If the number of bytes does not fit the size, or the picture has another size than the
    /// input and the manifest does not say how to resize.
    pub fn run(&self, rgb: &[u8], width: usize, height: usize) -> Result<Vec<f32>, ModelError> {
        let expected = width.checked_mul(height).and_then(|n| n.checked_mul(3));
        if expected != Some(rgb.len()) || rgb.is_empty() {
            return Err(ModelError::mismatch(
                "picture",
                format!("{width} x {height} pixels of 3 bytes"),
                format!("{} bytes", rgb.len()),
                "decode it as 8-bit RGB",
            ));
        }
        let (to_width, to_height) = self.size();
        if (width, height) == (to_width, to_height) {
            return Ok(self.normalize_levels(rgb));
        }
        match self.input.resize {
            Resize::None => Err(ModelError::mismatch(
                "picture",
                format!("{to_width} x {to_height} pixels"),
                format!("{width} x {height}"),
                "render or crop to the size of the network, or set `input.resize` in its manifest",
            )),
            Resize::PillowBilinear => {
                let resized = resize::pillow(rgb, (width, height), (to_width, to_height));
                Ok(self.normalize_levels(&resized))
            }
            Resize::BilinearAntialias => {
                let resized = resize::antialias(rgb, (width, height), (to_width, to_height));
                Ok(self.normalize_values(&resized))
            }
        }
    }

    /// Normalized value that a colour has in each channel plane: what a masked pixel becomes.
    #[must_use]
    pub fn colour(&self, rgb: [u8; 3]) -> [f32; 3] {
        std::array::from_fn(|c| self.levels[c][usize::from(rgb[self.source_channel(c)])])
    }

    const fn source_channel(&self, plane: usize) -> usize {
        match self.input.channel_order {
            ChannelOrder::Rgb => plane,
            ChannelOrder::Bgr => 2 - plane,
        }
    }

    fn normalize_levels(&self, rgb: &[u8]) -> Vec<f32> {
        let (pixels, _) = rgb.as_chunks::<3>();
        // written into place: collected from a flat map, whose length nobody knows, it takes several times as long
        let mut planes = vec![0.0; 3 * pixels.len()];
        for (plane, values) in planes.chunks_exact_mut(pixels.len()).enumerate() {
            let channel = self.source_channel(plane);
            let table = &self.levels[plane];
            for (value, pixel) in values.iter_mut().zip(pixels) {
                *value = table[usize::from(pixel[channel])];
            }
        }
        planes
    }

    /// The same for interleaved values on the scale 0 to 1.
    fn normalize_values(&self, rgb: &[f32]) -> Vec<f32> {
        let (pixels, _) = rgb.as_chunks::<3>();
        let mut planes = vec![0.0; 3 * pixels.len()];
        for (plane, values) in planes.chunks_exact_mut(pixels.len()).enumerate() {
            let channel = self.source_channel(plane);
            let (mean, std) = (self.input.mean[plane], self.input.std[plane]);
            for (value, pixel) in values.iter_mut().zip(pixels) {
                *value = (pixel[channel] - mean) / std;
            }
        }
        planes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(channel_order: ChannelOrder, resize: Resize) -> Input {
        Input {
            width: 2,
            height: 1,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            channel_order,
            resize,
        }
    }

    #[test]
    fn planes_follow_the_channel_order_and_bits_match_torchvision() {
        let rgb = [0, 128, 255, 13, 77, 200];
        let x = Preprocessor::new(&input(ChannelOrder::Rgb, Resize::None)).run(&rgb, 2, 1).unwrap();
        // torchvision 0.29: normalize(to_tensor(picture), mean, std)
        let expected: [u32; 6] =
            [0xc007_8bbd, 0xbff2_989b, 0x3e52_1b48, 0xbf30_0b78, 0x4028_f5c3, 0x3fd7_37ef];
        assert_eq!(x.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected);
        let bgr = Preprocessor::new(&input(ChannelOrder::Bgr, Resize::None));
        let y = bgr.run(&rgb, 2, 1).unwrap();
        assert_eq!(y[0].to_bits(), ((255.0_f32 / 255.0 - 0.485) / 0.229).to_bits());
        assert_eq!(bgr.colour([0, 128, 255])[0].to_bits(), y[0].to_bits());
    }

    #[test]
    fn other_sizes_are_refused_without_a_rule() {
        let p = Preprocessor::new(&input(ChannelOrder::Rgb, Resize::None));
        let error = p.run(&[0; 12], 2, 2).unwrap_err().to_string();
        assert!(error.contains("expected 2 x 1 pixels, found 2 x 2"), "{error}");
        let error = p.run(&[0; 5], 2, 1).unwrap_err().to_string();
        assert!(error.contains("found 5 bytes"), "{error}");
    }
}
