//! A picture as a game: super-pixels that are absent show the baseline.

use models::{Classifier, Preprocessor};
use serde::{Deserialize, Serialize};

use super::coalition::Coalition;
use super::error::AttributionError;
use super::game::Game;
use super::gradcam::softmax;
use super::plan::Grid;

/// The number that is explained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// The logit of the target class.
    #[default]
    Logit,
    /// Its softmax probability.
    Probability,
}

impl Output {
    /// The name in settings and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logit => "logit",
            Self::Probability => "probability",
        }
    }

    /// The number, from the logits.
    #[must_use]
    pub fn of(self, logits: &[f32], target: usize) -> Option<f64> {
        match self {
            Self::Logit => logits.get(target).map(|&l| f64::from(l)),
            Self::Probability => softmax(logits).get(target).copied(),
        }
    }
}

/// What an absent super-pixel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// The mean colour of the picture, each channel rounded to 8 bits.
    MeanColour,
    /// 0 in the network's input, which is the mean colour of its training pictures: Captum's default.
    Zero,
    /// The picture blurred by three box filters of this radius in pixels (nearly Gaussian), edges
    /// repeated.
    Blur {
        /// Half width of each box, pixels.
        radius: usize,
    },
    /// A given colour: red, green, blue, 8 bits each.
    Colour([u8; 3]),
}

impl Baseline {
    /// The baseline tensor `[3, height, width]` of a picture of interleaved RGB bytes that has the size of the
    /// network's input, and of its input tensor.
    #[must_use]
    pub fn tensor(self, rgb: &[u8], input: &[f32], preprocessor: &Preprocessor) -> Vec<f32> {
        let (width, height) = preprocessor.size();
        let flat = |colour: [u8; 3]| {
            preprocessor.colour(colour).iter().flat_map(|&v| vec![v; width * height]).collect()
        };
        match self {
            Self::Zero => vec![0.0; input.len()],
            Self::Colour(colour) => flat(colour),
            Self::MeanColour => flat(mean_colour(rgb)),
            Self::Blur { radius } => {
                (0..3).fold(input.to_vec(), |x, _| blur(&x, width, height, radius))
            }
        }
    }
}

/// Mean of each channel, rounded half up.
fn mean_colour(rgb: &[u8]) -> [u8; 3] {
    let (pixels, _) = rgb.as_chunks::<3>();
    let count = (pixels.len() as u64).max(1);
    std::array::from_fn(|c| {
        let sum: u64 = pixels.iter().map(|p| u64::from(p[c])).sum();
        u8::try_from((2 * sum + count) / (2 * count)).unwrap_or(u8::MAX)
    })
}

/// Mean over a square of `2 radius + 1` pixels on each plane, first along rows, then along columns.
fn blur(planes: &[f32], width: usize, height: usize, radius: usize) -> Vec<f32> {
    let mut result = planes.to_vec();
    for plane in result.chunks_exact_mut((width * height).max(1)) {
        for y in 0..height {
            line(plane, y * width, 1, width, radius);
        }
        for x in 0..width {
            line(plane, x, width, height, radius);
        }
    }
    result
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a mean in f64, rounded to f32 once"
)]
fn line(plane: &mut [f32], start: usize, step: usize, length: usize, radius: usize) {
    let values: Vec<f64> = (0..length).map(|i| f64::from(plane[start + i * step])).collect();
    let at = |i: usize| values[i.saturating_sub(radius).min(length - 1)];
    let mut sum: f64 = (0..=2 * radius).map(at).sum();
    for i in 0..length {
        plane[start + i * step] = (sum / (2 * radius + 1) as f64) as f32;
        sum += at(i + 2 * radius + 1) - at(i);
    }
}

/// A picture, its baseline and its super-pixels: what all threads share.
#[derive(Clone, Debug)]
pub struct MaskedPicture {
    input: Vec<f32>,
    baseline: Vec<f32>,
    segments: Vec<usize>,
}

impl MaskedPicture {
    /// A picture from its input tensor and baseline tensor, both `[3, height, width]`.
    ///
    /// # Errors
    /// If their lengths do not fit the size.
    pub fn new(
        input: Vec<f32>,
        baseline: Vec<f32>,
        (height, width): (usize, usize),
        grid: Grid,
    ) -> Result<Self, AttributionError> {
        let expected = height * width * 3;
        if input.len() != expected || baseline.len() != expected {
            return Err(AttributionError::mismatch(
                "picture and baseline",
                format!("{expected} values each for 3 x {height} x {width}"),
                format!("{} and {}", input.len(), baseline.len()),
                "preprocess both as the manifest says",
            ));
        }
        Ok(Self { input, baseline, segments: grid.segments(height, width) })
    }

    /// The input tensor in which the super-pixels outside a coalition show the baseline.
    pub fn masked(&self, coalition: &Coalition, tensor: &mut Vec<f32>) {
        let present: Vec<bool> = (0..coalition.players()).map(|i| coalition.contains(i)).collect();
        tensor.clear();
        let pixels = self.input.iter().zip(&self.baseline).zip(self.segments.iter().cycle());
        tensor.extend(pixels.map(
            |((&x, &b), &s)| {
                if present.get(s).copied().unwrap_or(false) { x } else { b }
            },
        ));
    }
}

/// The game of a picture on one thread's session.
#[derive(Debug)]
pub struct PictureGame<'a, C> {
    picture: &'a MaskedPicture,
    classifier: &'a mut C,
    target: usize,
    output: Output,
    tensor: Vec<f32>,
}

impl<'a, C: Classifier> PictureGame<'a, C> {
    /// The game of the output of a class.
    pub const fn new(
        picture: &'a MaskedPicture,
        classifier: &'a mut C,
        target: usize,
        output: Output,
    ) -> Self {
        Self { picture, classifier, target, output, tensor: Vec::new() }
    }
}

impl<C: Classifier> Game for PictureGame<'_, C> {
    fn value(&mut self, coalition: &Coalition) -> Result<f64, AttributionError> {
        self.picture.masked(coalition, &mut self.tensor);
        let logits = self.classifier.logits(&self.tensor)?;
        self.output.of(&logits, self.target).ok_or_else(|| {
            AttributionError::mismatch(
                "target",
                format!("a class below {}", logits.len()),
                self.target.to_string(),
                "use a network trained on the classes of this data set",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use models::manifest::{ChannelOrder, Input, Resize};

    use super::*;

    fn preprocessor() -> Preprocessor {
        Preprocessor::new(&Input {
            width: 4,
            height: 2,
            mean: [0.5; 3],
            std: [0.25; 3],
            channel_order: ChannelOrder::Rgb,
            resize: Resize::None,
        })
    }

    #[test]
    fn absent_super_pixels_show_the_baseline() {
        let rgb: Vec<u8> = (0..24).collect();
        let p = preprocessor();
        let input = p.run(&rgb, 4, 2).unwrap();
        let baseline = Baseline::Colour([9, 8, 7]).tensor(&rgb, &input, &p);
        let grid = Grid { rows: 1, columns: 2 };
        let picture = MaskedPicture::new(input.clone(), baseline.clone(), (2, 4), grid).unwrap();
        let mut tensor = Vec::new();
        picture.masked(&Coalition::full(2), &mut tensor);
        assert_eq!(tensor, input);
        picture.masked(&Coalition::empty(2), &mut tensor);
        assert_eq!(tensor, baseline);
        picture.masked(&Coalition::parse("10").unwrap(), &mut tensor);
        for (i, value) in tensor.iter().enumerate() {
            let expected = if i % 4 < 2 { input[i] } else { baseline[i] };
            assert_eq!(value.to_bits(), expected.to_bits(), "{i}");
        }
        MaskedPicture::new(input, vec![0.0; 3], (2, 4), grid).unwrap_err();
    }

    #[test]
    fn baselines_are_what_they_say() {
        let rgb: Vec<u8> = (0..8).flat_map(|i| [i * 10, 100, 255]).collect();
        let p = preprocessor();
        let input = p.run(&rgb, 4, 2).unwrap();
        assert!(Baseline::Zero.tensor(&rgb, &input, &p).iter().all(|&v| v == 0.0));
        let mean = Baseline::MeanColour.tensor(&rgb, &input, &p);
        assert_eq!(mean, Baseline::Colour([35, 100, 255]).tensor(&rgb, &input, &p));
        let blurred = Baseline::Blur { radius: 1 }.tensor(&rgb, &input, &p);
        // a constant stays, a ramp keeps its mean
        assert!(blurred[8..16].iter().zip(&input[8..16]).all(|(a, b)| (a - b).abs() < 1e-6));
        let mean = |x: &[f32]| x[..8].iter().sum::<f32>() / 8.0;
        assert!((mean(&blurred) - mean(&input)).abs() < 1e-5);
        assert!(blurred[7] < input[7] && blurred[0] > input[0]);
    }
}
