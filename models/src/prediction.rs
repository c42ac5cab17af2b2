//! What a network says about a picture, and the trait of whatever says it.

use crate::error::ModelError;

/// Output of the last convolutional stage: `[channels, height, width]`, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap {
    /// C.
    pub channels: usize,
    /// Cells, 7 for 224 pixels.
    pub height: usize,
    /// Cells, 7 for 224 pixels.
    pub width: usize,
    /// `channels * height * width` values, the column fastest.
    pub data: Vec<f32>,
}

/// What a network says about one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// One value a class, before any softmax.
    pub logits: Vec<f32>,
    /// What the global average pooling saw; absent if the network has none.
    pub feature_map: Option<FeatureMap>,
}

/// Facts about a loaded network.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkInfo {
    /// Name in the manifest.
    pub name: String,
    /// K.
    pub classes: usize,
    /// Pixels.
    pub height: usize,
    /// Pixels.
    pub width: usize,
    /// Channels, height and width of the feature map.
    pub feature_map: Option<[usize; 3]>,
    /// Multiply-accumulate operations of one forward pass.
    pub macs: u64,
    /// Share of `macs` done on integers, 0 to 1.
    pub integer_mac_share: f64,
}

/// Whatever turns an input tensor into logits: a [`Session`](crate::Session), or a stand-in in tests.
pub trait Classifier: Send {
    /// Facts about the network.
    fn info(&self) -> &NetworkInfo;

    /// One forward pass. The input is `[3, height, width]`, normalized, the column fastest.
    ///
    /// # Errors
    /// If the input has another length or the runtime fails.
    fn run(&mut self, input: &[f32]) -> Result<Prediction, ModelError>;

    /// One forward pass of which only the logits matter.
    ///
    /// # Errors
    /// As [`Classifier::run`].
    fn logits(&mut self, input: &[f32]) -> Result<Vec<f32>, ModelError> {
        Ok(self.run(input)?.logits)
    }

    /// [`Classifier::logits`] of a picture that is mostly like that of the last such call: whatever computes by
    /// difference may do so here. The bits are the same, however alike the pictures are.
    ///
    /// # Errors
    /// As [`Classifier::run`].
    fn logits_by_difference(&mut self, input: &[f32]) -> Result<Vec<f32>, ModelError> {
        self.logits(input)
    }
}
