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

/// What an absent super-pixel shows. As text, also in files: `zero`, `mean-colour`, `blur:RADIUS`, `#RRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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

/// Radius of a blur at most, pixels: the largest side of a picture.
const LARGEST_BLUR: usize = 4096;

impl std::str::FromStr for Baseline {
    type Err = AttributionError;

    /// `mean-colour`, `zero`, `blur:RADIUS` or `#RRGGBB`.
    fn from_str(text: &str) -> Result<Self, AttributionError> {
        let radius = || text.strip_prefix("blur:")?.parse().ok().filter(|r| *r <= LARGEST_BLUR);
        let colour = || {
            let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii())?;
            let part = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok();
            Some([part(0)?, part(1)?, part(2)?])
        };
        match text {
            "mean-colour" => Ok(Self::MeanColour),
            "zero" => Ok(Self::Zero),
            _ => radius()
                .map(|radius| Self::Blur { radius })
                .or_else(|| colour().map(Self::Colour))
                .ok_or_else(|| {
                    AttributionError::mismatch(
                        "baseline",
                        "zero, mean-colour, blur:RADIUS (at most 4096) or #RRGGBB",
                        format!("`{text}`"),
                        "for example blur:8 or #7c7468",
                    )
                }),
        }
    }
}

impl TryFrom<String> for Baseline {
    type Error = AttributionError;

    fn try_from(text: String) -> Result<Self, AttributionError> {
        text.parse()
    }
}

impl From<Baseline> for String {
    fn from(baseline: Baseline) -> Self {
        baseline.to_string()
    }
}

impl std::fmt::Display for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MeanColour => f.write_str("mean-colour"),
            Self::Zero => f.write_str("zero"),
            Self::Blur { radius } => write!(f, "blur:{radius}"),
            Self::Colour([r, g, b]) => write!(f, "#{r:02x}{g:02x}{b:02x}"),
        }
    }
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
    size: (usize, usize),
    grid: Grid,
}

impl MaskedPicture {
    /// A picture from its input tensor and baseline tensor, both `[3, height, width]`.
    ///
    /// # Errors
    /// If their lengths do not fit the size, or a super-pixel would have no pixel.
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
        if grid.rows > height || grid.columns > width || grid.players() == 0 {
            return Err(AttributionError::mismatch(
                "super-pixels",
                format!("a grid of at most {height} x {width}, the pixels of the picture"),
                format!("{} x {}", grid.rows, grid.columns),
                "choose a coarser grid",
            ));
        }
        Ok(Self { input, baseline, size: (height, width), grid })
    }

    /// The input tensor in which the super-pixels outside a coalition show the baseline.
    pub fn masked(&self, coalition: &Coalition, tensor: &mut Vec<f32>) {
        tensor.clone_from(&self.baseline);
        coalition.members().for_each(|player| self.paint(player, true, tensor));
    }

    /// Turns the tensor of one coalition into that of another: only super-pixels that come or go are
    /// written.
    pub fn change(&self, from: &Coalition, to: &Coalition, tensor: &mut [f32]) {
        for player in 0..self.grid.players() {
            let present = to.contains(player);
            if present != from.contains(player) {
                self.paint(player, present, tensor);
            }
        }
    }

    /// Shows the picture or the baseline in one super-pixel: those pixels for which
    /// `floor(pixel * cells / pixels)` is its row and its column.
    fn paint(&self, player: usize, present: bool, tensor: &mut [f32]) {
        let (height, width) = self.size;
        let Grid { rows, columns } = self.grid;
        let (row, column) = (player / columns, player % columns);
        let first = |cell: usize, pixels: usize, cells: usize| (cell * pixels).div_ceil(cells);
        let (left, right) = (first(column, width, columns), first(column + 1, width, columns));
        let source = if present { &self.input } else { &self.baseline };
        for plane in 0..3 {
            for y in first(row, height, rows)..first(row + 1, height, rows) {
                let line = (plane * height + y) * width;
                let pixels = line + left..line + right;
                tensor[pixels.clone()].copy_from_slice(&source[pixels]);
            }
        }
    }
}

/// The game of a picture on one thread's session.
#[derive(Debug)]
pub struct PictureGame<'a, C> {
    picture: &'a MaskedPicture,
    classifier: &'a mut C,
    target: usize,
    output: Output,
    /// The tensor of the coalition that was valued last.
    last: Option<(Coalition, Vec<f32>)>,
    /// Whether successive coalitions are alike.
    alike: bool,
}

impl<'a, C: Classifier> PictureGame<'a, C> {
    /// The game of the output of a class.
    pub const fn new(
        picture: &'a MaskedPicture,
        classifier: &'a mut C,
        target: usize,
        output: Output,
    ) -> Self {
        Self { picture, classifier, target, output, last: None, alike: false }
    }
}

impl<C: Classifier> Game for PictureGame<'_, C> {
    fn value(&mut self, coalition: &Coalition) -> Result<f64, AttributionError> {
        let nobody = || (Coalition::empty(coalition.players()), self.picture.baseline.clone());
        let (last, tensor) = self.last.get_or_insert_with(nobody);
        self.picture.change(last, coalition, tensor);
        last.clone_from(coalition);
        let logits = if self.alike {
            self.classifier.logits_by_difference(tensor)?
        } else {
            self.classifier.logits(tensor)?
        };
        self.output.of(&logits, self.target).ok_or_else(|| {
            AttributionError::mismatch(
                "target",
                format!("a class below {}", logits.len()),
                self.target.to_string(),
                "use a network trained on the classes of this data set",
            )
        })
    }

    fn begin_run(&mut self, coalitions: usize) {
        self.alike = coalitions > 1;
    }
}

#[cfg(test)]
mod tests {
    use models::manifest::{ChannelOrder, Input, Resize};

    use super::*;
    use crate::attribution::estimator::Estimator;
    use crate::attribution::plan::Plan;

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
        MaskedPicture::new(input.clone(), vec![0.0; 3], (2, 4), grid).unwrap_err();
        let finer = Grid { rows: 3, columns: 2 };
        let error = MaskedPicture::new(input.clone(), input, (2, 4), finer).unwrap_err();
        assert!(error.to_string().contains("at most 2 x 4"), "{error}");
    }

    #[test]
    fn a_tensor_that_is_changed_equals_one_that_is_made_anew_on_uneven_grids() {
        let (height, width) = (23, 17);
        let input: Vec<f32> = (0..3 * height * width).map(|i| i as f32).collect();
        let baseline: Vec<f32> = input.iter().map(|v| -v - 1.0).collect();
        for (rows, columns) in [(1, 2), (7, 7), (5, 3), (23, 17), (16, 9)] {
            let grid = Grid { rows, columns };
            let picture =
                MaskedPicture::new(input.clone(), baseline.clone(), (height, width), grid).unwrap();
            let segments = grid.segments(height, width);
            let plan = Plan::draw(Estimator::Captum, grid, 20, 3).unwrap();
            let mut last = Coalition::empty(grid.players());
            let mut changed = baseline.clone();
            for coalition in plan.coalitions() {
                picture.change(&last, coalition, &mut changed);
                last.clone_from(coalition);
                let mut anew = Vec::new();
                picture.masked(coalition, &mut anew);
                assert_eq!(changed, anew, "{rows} x {columns}");
                for (i, value) in anew.iter().enumerate() {
                    let present = coalition.contains(segments[i % (height * width)]);
                    let expected = if present { input[i] } else { baseline[i] };
                    assert!(value.to_bits() == expected.to_bits(), "{rows} x {columns}: {i}");
                }
            }
        }
    }

    #[test]
    fn baselines_have_names_that_can_be_typed() {
        for name in ["zero", "mean-colour", "blur:8", "#7c7468"] {
            assert_eq!(name.parse::<Baseline>().unwrap().to_string(), name);
        }
        for wrong in ["", "blur", "blur:x", "blur:4097", "#12345", "#12345g", "grey"] {
            let error = wrong.parse::<Baseline>().unwrap_err().to_string();
            assert!(error.contains("blur:RADIUS"), "{error}");
        }
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
