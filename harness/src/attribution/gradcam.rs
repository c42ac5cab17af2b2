//! `GradCAM` in closed form, for networks that end in pooling, an optional layer norm and a linear layer.
//!
//! With A the last feature map of n cells, g its spatial mean and W\[c\] the row of class c:
//!
//! ```text
//! linear             weight = W[c] / n
//! layer norm gamma   u = gamma * W[c],  h = (g - mean g) / sigma,  sigma = sqrt(var g + eps)
//!                    weight = (u - mean u - h * mean(u h)) / (sigma n)
//! map[cell] = sum over channels of weight[k] * A[k, cell]
//! ```
//!
//! For a softmax target, W\[c\] is replaced by `p_c (W[c] - sum_j p_j W[j])`. This is the gradient of
//! the target with respect to A, averaged over the cells as `GradCAM` asks (Selvaraju et al., arXiv
//! 1610.02391, equations 1 and 2): every cell has the same gradient, so the average is exact.
//! All sums are in f64.
//!
//! Deviation: no `ReLU` unless asked for, as in Captum's `LayerGradCam`; the paper has one.

use models::{Head, Prediction};
use serde::{Deserialize, Serialize};

use super::error::AttributionError;
use super::map::{Map, exact};
use super::picture::Output;

/// What `GradCAM` is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradCamSettings {
    /// Logit or probability of the target class.
    pub output: Output,
    /// Whether negative cells become 0.
    pub relu: bool,
}

/// The `GradCAM` map of a class.
///
/// # Errors
/// If the prediction has no feature map, another shape than the head, or no such class.
pub fn gradcam(
    prediction: &Prediction,
    head: &Head,
    target: usize,
    settings: GradCamSettings,
) -> Result<Map, AttributionError> {
    let features = prediction.feature_map.as_ref().ok_or_else(|| {
        AttributionError::mismatch(
            "GradCAM",
            "a feature map beside the logits",
            "none",
            "name `feature_map` in the manifest",
        )
    })?;
    let cells = features.height * features.width;
    let remedy = "correct `feature_map` and `head` in the manifest";
    if features.channels != head.channels() || features.data.len() != features.channels * cells {
        let expected = format!("a feature map of {} channels", head.channels());
        let found = format!("{} ({} values)", features.channels, features.data.len());
        return Err(AttributionError::mismatch("GradCAM", expected, found, remedy));
    }
    if target >= head.classes() || prediction.logits.len() != head.classes() {
        let expected = format!("a class below {} and as many logits", head.classes());
        let found = format!("class {target} of {}", prediction.logits.len());
        return Err(AttributionError::mismatch("GradCAM", expected, found, remedy));
    }
    let gradient = match settings.output {
        Output::Logit => row(head, target),
        Output::Probability => softmax_row(head, target, &softmax(&prediction.logits)),
    };
    let pooled: Vec<f64> = features
        .data
        .chunks_exact(cells)
        .map(|channel| channel.iter().map(|&v| f64::from(v)).sum::<f64>() / exact(cells))
        .collect();
    let weights = through_norm(head, gradient, &pooled);
    let mut values = vec![0.0; cells];
    for (channel, weight) in features.data.chunks_exact(cells).zip(weights) {
        for (value, &a) in values.iter_mut().zip(channel) {
            *value += weight / exact(cells) * f64::from(a);
        }
    }
    if settings.relu {
        values.iter_mut().for_each(|v| *v = v.max(0.0));
    }
    Map::new(features.height, features.width, values).ok_or_else(|| {
        AttributionError::mismatch("GradCAM", "a feature map with cells", "none", remedy)
    })
}

/// Probabilities of the classes, in f64.
#[must_use]
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&l| (f64::from(l) - f64::from(top)).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

fn row(head: &Head, class: usize) -> Vec<f64> {
    head.row(class).unwrap_or_default().iter().map(|&w| f64::from(w)).collect()
}

/// `p_c (W[c] - sum_j p_j W[j])`.
fn softmax_row(head: &Head, class: usize, p: &[f64]) -> Vec<f64> {
    let mut mean = vec![0.0; head.channels()];
    for (j, pj) in p.iter().enumerate() {
        for (m, &w) in mean.iter_mut().zip(head.row(j).unwrap_or_default()) {
            *m += pj * f64::from(w);
        }
    }
    row(head, class).iter().zip(mean).map(|(w, m)| p[class] * (w - m)).collect()
}

/// Gradient with respect to the pooled features, from that behind the layer norm.
fn through_norm(head: &Head, gradient: Vec<f64>, pooled: &[f64]) -> Vec<f64> {
    let Some(norm) = head.norm() else { return gradient };
    let channels = exact(pooled.len());
    let mean = pooled.iter().sum::<f64>() / channels;
    let variance = pooled.iter().map(|g| (g - mean) * (g - mean)).sum::<f64>() / channels;
    let sigma = (variance + norm.eps).sqrt();
    let h: Vec<f64> = pooled.iter().map(|g| (g - mean) / sigma).collect();
    let u: Vec<f64> =
        gradient.iter().zip(&norm.weight).map(|(w, &gamma)| w * f64::from(gamma)).collect();
    let mean_u = u.iter().sum::<f64>() / channels;
    let mean_uh = u.iter().zip(&h).map(|(u, h)| u * h).sum::<f64>() / channels;
    u.iter().zip(&h).map(|(u, h)| (u - mean_u - h * mean_uh) / sigma).collect()
}

#[cfg(test)]
mod tests {
    use datasets::rng::Stream;
    use models::{FeatureMap, LayerNorm};

    use super::*;

    const CHANNELS: usize = 5;
    const CLASSES: usize = 3;
    const CELLS: usize = 4;

    fn draw(stream: &mut Stream, n: usize) -> Vec<f32> {
        (0..n).map(|_| stream.normal()).collect()
    }

    fn head(normed: bool) -> Head {
        let s = &mut Stream::new("gradcam test", &[u64::from(normed)]);
        let norm = normed.then(|| LayerNorm {
            weight: draw(s, CHANNELS),
            bias: draw(s, CHANNELS),
            eps: 1e-6,
        });
        Head::new(draw(s, CLASSES * CHANNELS), draw(s, CLASSES), CHANNELS, norm).unwrap()
    }

    /// The layers behind the feature map, written out in f64.
    fn logits(head: &Head, features: &[f64]) -> Vec<f64> {
        let mut g: Vec<f64> =
            features.chunks_exact(CELLS).map(|c| c.iter().sum::<f64>() / 4.0).collect();
        if let Some(norm) = head.norm() {
            let mean = g.iter().sum::<f64>() / 5.0;
            let var = g.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 5.0;
            for (k, v) in g.iter_mut().enumerate() {
                *v = (*v - mean) / (var + norm.eps).sqrt() * f64::from(norm.weight[k])
                    + f64::from(norm.bias[k]);
            }
        }
        (0..CLASSES)
            .map(|c| {
                let row = head.row(c).unwrap();
                f64::from(head.bias()[c])
                    + row.iter().zip(&g).map(|(&w, g)| f64::from(w) * g).sum::<f64>()
            })
            .collect()
    }

    fn output(head: &Head, features: &[f64], class: usize, which: Output) -> f64 {
        let logits = logits(head, features);
        match which {
            Output::Logit => logits[class],
            Output::Probability => {
                logits[class].exp() / logits.iter().map(|l| l.exp()).sum::<f64>()
            }
        }
    }

    #[test]
    fn closed_form_equals_finite_differences() {
        for (normed, which) in [
            (false, Output::Logit),
            (false, Output::Probability),
            (true, Output::Logit),
            (true, Output::Probability),
        ] {
            let head = head(normed);
            let data = draw(&mut Stream::new("features", &[]), CHANNELS * CELLS);
            let wide: Vec<f64> = data.iter().map(|&v| f64::from(v)).collect();
            #[expect(clippy::cast_possible_truncation, reason = "logits of the network are f32")]
            let prediction = Prediction {
                logits: logits(&head, &wide).iter().map(|&v| v as f32).collect(),
                feature_map: Some(FeatureMap { channels: CHANNELS, height: 2, width: 2, data }),
            };
            let settings = GradCamSettings { output: which, relu: false };
            let map = gradcam(&prediction, &head, 1, settings).unwrap();
            let mut expected = [0.0; CELLS];
            for channel in 0..CHANNELS {
                let step = 1e-5;
                let mean_gradient = (0..CELLS)
                    .map(|cell| {
                        let at = |delta: f64| {
                            let mut moved = wide.clone();
                            moved[channel * CELLS + cell] += delta;
                            output(&head, &moved, 1, which)
                        };
                        (at(step) - at(-step)) / (2.0 * step)
                    })
                    .sum::<f64>()
                    / 4.0;
                for (cell, e) in expected.iter_mut().enumerate() {
                    *e += mean_gradient * wide[channel * CELLS + cell];
                }
            }
            for (found, expected) in map.values().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected} {which:?} {normed}");
            }
            let relu = gradcam(&prediction, &head, 1, GradCamSettings { relu: true, ..settings });
            assert!(relu.unwrap().values().iter().all(|v| *v >= 0.0));
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let head = head(false);
        let settings = GradCamSettings::default();
        let mut prediction = Prediction { logits: vec![0.0; CLASSES], feature_map: None };
        let error = gradcam(&prediction, &head, 0, settings).unwrap_err().to_string();
        assert!(error.contains("expected a feature map beside the logits"), "{error}");
        prediction.feature_map =
            Some(FeatureMap { channels: 4, height: 1, width: 1, data: vec![0.0; 4] });
        let error = gradcam(&prediction, &head, 0, settings).unwrap_err().to_string();
        assert!(error.contains("expected a feature map of 5 channels, found 4"), "{error}");
        prediction.feature_map =
            Some(FeatureMap { channels: 5, height: 1, width: 1, data: vec![0.0; 5] });
        gradcam(&prediction, &head, 3, settings).unwrap_err();
    }
}
