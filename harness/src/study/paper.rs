//! What the paper published: "Measuring the Effect of Background on Classification and Feature Importance in Deep Learning for
//! AV Perception", Sielemann, Barner, Wolf, Roschani, Ziehn, Beyerer, IAVVC 2025, arXiv 2512.05937.
//!
//! Only ranges over its networks were at hand, not the single entries of its tables.

/// Difference of the mean pixel ratio, uncorrelated less correlated training, smallest and largest.
pub(super) const RATIO_DROP: [f64; 2] = [0.0049, 0.0257];
/// Half width of the 95 % interval of its mean ratios, at [`FRAMES`].
pub(super) const HALF_WIDTH: f64 = 0.0035;
/// Test images whose attribution was measured, "1/3CF".
pub(super) const FRAMES: usize = 16_400;
/// Standard deviation of the ratio of an image: half width times the root of the number over 1.96.
pub(super) const DEVIATION: f64 = 0.229;
/// Mean `GradCAM` ratio of ConvNeXt-Small on CF lies below.
pub(super) const CONVNEXT_SMALL_BELOW: f64 = 0.5;
/// Accuracy, correlated training and test.
pub(super) const ACCURACY_CORRELATED: [f64; 2] = [0.9980, 0.9989];
/// Accuracy with the camera of level H.
pub(super) const ACCURACY_HIGH: [f64; 2] = [0.9915, 0.9937];
/// Cases whose worst combination is correlated training and uncorrelated test, of [`CASES`].
pub(super) const WORST_CASES: usize = 16;
/// Cases.
pub(super) const CASES: usize = 18;
/// What the worst combination loses, in shares.
pub(super) const WORST_LOSS: [f64; 2] = [0.0002, 0.0008];
/// Single-shape training against all shapes: gain of the pixel ratio.
pub(super) const SHAPE_GAIN: [f64; 2] = [0.0304, 0.0740];
/// Pairs of means that were compared by permutation tests.
pub(super) const PAIRS: usize = 54;

/// Trainable parameters with 82 classes, in millions, of the paper's three architectures.
pub(super) const PARAMETERS: [(&str, f64); 3] =
    [("resnet50", 23.68), ("convnext-tiny", 27.88), ("convnext-small", 49.52)];

/// Parameters of an architecture, in millions.
pub(super) fn parameters(architecture: &str) -> Option<f64> {
    PARAMETERS.iter().find(|(name, _)| *name == architecture).map(|(_, millions)| *millions)
}

/// Whether the paper has networks of an architecture; of others it published nothing.
pub(super) fn has(architecture: &str) -> bool {
    parameters(architecture).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_our_own_is_none_of_the_papers() {
        assert!(has("resnet50") && has("convnext-small") && !has("resnet-tiny") && !has(""));
    }

    #[test]
    fn the_published_interval_gives_the_deviation() {
        let deviation = HALF_WIDTH * (FRAMES as f64).sqrt() / 1.96;
        assert!((deviation - DEVIATION).abs() < 0.0005, "{deviation}");
    }
}
