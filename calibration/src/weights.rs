//! Weights of a layer as integers: a scale for each output channel, bias in i32, mean error taken back.
//!
//! ```text
//! limit = 2^(bits - 1) - 1                         63 for 7 bits, 127 for 8
//! code  = saturate(round_half_even(w / scale_k))   within -limit..=limit
//! bias  = round_half_even(b / (input scale x scale_k))
//! ```
//!
//! 7 bits keep sums of two u8 x s8 products within i16, which is what `vpmaddubsw` adds to.
//!
//! Bias correction (Nagel et al., arXiv 1906.04721, section 4.2, with means seen on pictures):
//!
//! ```text
//! b'_k = b_k - sum over inputs i of (code_ki scale_k - w_ki) E[x_i]
//! ```
//!
//! Deviation: E\[x\] is the mean of the channel over the picture, so the border where padding takes
//! the place of pixels is a little overcorrected.

use serde::Serialize;

/// Largest bias code: sums of products stay below 2^27, so the sum with the bias fits in i32.
const BIAS_LIMIT: f64 = 536_870_912.0;
/// Smallest scale, so that `input scale x scale` stays a normal f32.
const MIN_SCALE: f64 = 1e-12;

/// How the scale of an output channel is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightRange {
    /// The largest weight gets the largest code.
    Max,
    /// The scale with the smallest squared error.
    #[default]
    Mse,
}

/// What a layer is made of, as far as its weights are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Dimensions of the weight.
    pub dims: &'a [usize],
    /// Axis of the output channels.
    pub axis: usize,
    /// Groups of a convolution; 1 for linear layers.
    pub groups: usize,
}

impl Shape<'_> {
    /// Output channels K.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.dims.get(self.axis).copied().unwrap_or(0)
    }

    /// Output channel of a weight.
    #[must_use]
    pub fn channel(&self, at: usize) -> usize {
        let inner: usize = self.dims.iter().skip(self.axis + 1).product();
        at / inner.max(1) % self.channels().max(1)
    }

    /// Input channel of a weight, counted over all groups.
    #[must_use]
    pub fn input_channel(&self, at: usize) -> usize {
        if self.axis == 1 {
            return at / self.channels().max(1);
        }
        let (inputs, window) = (self.dims.get(1).copied().unwrap_or(1), self.window());
        let group = self.channel(at) / (self.channels() / self.groups.max(1)).max(1);
        group * inputs + at / window % inputs.max(1)
    }

    /// Weights of one pair of channels: height x width of a convolution.
    #[must_use]
    pub fn window(&self) -> usize {
        self.dims.iter().skip(2).product()
    }

    /// Input channels C over all groups.
    #[must_use]
    pub fn inputs(&self) -> usize {
        let other = self.dims.get(1 - self.axis.min(1)).copied().unwrap_or(1);
        if self.axis == 1 { self.dims.first().copied().unwrap_or(1) } else { other * self.groups }
    }
}

/// Weights and bias of a layer on the grids of its channels.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedLayer {
    /// One code a weight, in the order of the weight.
    pub codes: Vec<i8>,
    /// Scale of each output channel.
    pub scales: Vec<f32>,
    /// Bias codes.
    pub bias: Vec<i32>,
    /// Scale of each bias code.
    pub bias_scales: Vec<f32>,
}

/// Settings of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightSettings {
    /// 2 to 8.
    pub bits: u32,
    /// How scales are chosen.
    pub range: WeightRange,
}

impl WeightSettings {
    /// Largest code.
    #[must_use]
    pub fn limit(self) -> f64 {
        f64::from((1_u32 << (self.bits.clamp(2, 8) - 1)) - 1)
    }
}

/// Quantizes a layer whose input has this scale; `means` holds the mean of each input channel if the
/// bias shall be corrected.
#[must_use]
pub fn quantize(
    weights: &[f32],
    shape: Shape<'_>,
    bias: Option<&[f32]>,
    input_scale: f32,
    means: Option<&[f64]>,
    settings: WeightSettings,
) -> QuantizedLayer {
    let (channels, limit) = (shape.channels(), settings.limit());
    let input_scale = f64::from(input_scale);
    let mut scales = largest(weights, shape);
    scales.iter_mut().for_each(|s| *s /= limit);
    if settings.range == WeightRange::Mse {
        refine(weights, shape, limit, &mut scales);
    }
    let mut bias: Vec<f64> =
        bias.map_or_else(|| vec![0.0; channels], |b| b.iter().map(|&v| f64::from(v)).collect());
    for (scale, b) in scales.iter_mut().zip(&bias) {
        // a channel of (nearly) no weights must still hold its bias
        *scale = scale.max(b.abs() / (input_scale * BIAS_LIMIT)).max(MIN_SCALE);
    }
    let scales: Vec<f32> = scales.into_iter().map(narrow).collect();
    let codes: Vec<i8> = weights
        .iter()
        .enumerate()
        .map(|(i, &w)| code(f64::from(w), f64::from(scales[shape.channel(i)]), limit))
        .collect();
    if let Some(means) = means {
        for (i, (&code, &w)) in codes.iter().zip(weights).enumerate() {
            let channel = shape.channel(i);
            let error = f64::from(code).mul_add(f64::from(scales[channel]), -f64::from(w));
            bias[channel] -= error * means.get(shape.input_channel(i)).copied().unwrap_or(0.0);
        }
    }
    let bias_scales: Vec<f32> =
        scales.iter().map(|&s| narrow(input_scale * f64::from(s))).collect();
    let bias = bias.iter().zip(&bias_scales).map(|(b, &s)| bias_code(b / f64::from(s))).collect();
    QuantizedLayer { codes, scales, bias, bias_scales }
}

impl QuantizedLayer {
    /// The weights that the codes stand for.
    #[must_use]
    pub fn weights(&self, shape: Shape<'_>) -> Vec<f32> {
        let value = |(i, &code): (usize, &i8)| f32::from(code) * self.scales[shape.channel(i)];
        self.codes.iter().enumerate().map(value).collect()
    }

    /// The bias that the codes stand for.
    #[must_use]
    pub fn bias(&self) -> Vec<f32> {
        let codes = self.bias.iter().zip(&self.bias_scales);
        codes.map(|(&code, &scale)| narrow(f64::from(code) * f64::from(scale))).collect()
    }
}

/// Largest absolute weight of each output channel.
fn largest(weights: &[f32], shape: Shape<'_>) -> Vec<f64> {
    let mut largest = vec![0.0_f64; shape.channels()];
    for (i, &w) in weights.iter().enumerate() {
        let max = &mut largest[shape.channel(i)];
        *max = max.max(f64::from(w.abs()));
    }
    largest
}

/// Tries smaller scales for each channel, down to 0.6 of the largest, and keeps that with the
/// smallest squared error.
fn refine(weights: &[f32], shape: Shape<'_>, limit: f64, scales: &mut [f64]) {
    let full = scales.to_vec();
    let mut lowest = vec![f64::INFINITY; scales.len()];
    for step in 0..=20_u8 {
        let share = 1.0 - 0.02 * f64::from(step);
        let mut errors = vec![0.0; scales.len()];
        for (i, &w) in weights.iter().enumerate() {
            let (channel, w) = (shape.channel(i), f64::from(w));
            let scale = full[channel] * share;
            if scale > 0.0 {
                let code = (w / scale).round_ties_even().clamp(-limit, limit);
                let off = code.mul_add(-scale, w);
                errors[channel] += off * off;
            }
        }
        for (channel, &error) in errors.iter().enumerate() {
            if error < lowest[channel] {
                lowest[channel] = error;
                scales[channel] = full[channel] * share;
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to -127..=127")]
fn code(weight: f64, scale: f64, limit: f64) -> i8 {
    (weight / scale).round_ties_even().clamp(-limit, limit) as i8
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to 2^30")]
fn bias_code(value: f64) -> i32 {
    value.round_ties_even().clamp(-2.0 * BIAS_LIMIT, 2.0 * BIAS_LIMIT) as i32
}

#[expect(clippy::cast_possible_truncation, reason = "scales and biases are f32")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: WeightSettings = WeightSettings { bits: 7, range: WeightRange::Max };

    #[test]
    fn codes_and_biases_by_hand() {
        let shape = Shape { dims: &[2, 2, 1, 1], axis: 0, groups: 1 };
        let weights = [63.0, -31.5, 126.0, 1.0];
        let layer = quantize(&weights, shape, Some(&[1.0, -2.25]), 0.5, None, SEVEN);
        assert_eq!(layer.codes, [63, -32, 63, 0], "-31.5 and 0.5 are ties and go to even");
        assert_eq!(layer.scales, [1.0, 2.0]);
        // 1 / (0.5 * 1) and -2.25 / (0.5 * 2)
        assert_eq!(layer.bias, [2, -2]);
        assert_eq!(layer.bias(), [1.0, -2.0]);
        assert_eq!(layer.weights(shape), [63.0, -32.0, 126.0, 0.0]);
        let eight = WeightSettings { bits: 8, ..SEVEN };
        // -31.5 * 127 / 63 = -63.5 within rounding, 127 / 126 = 1.008
        let codes = quantize(&weights, shape, None, 0.5, None, eight).codes;
        assert!(codes[0] == 127 && (-64..=-63).contains(&codes[1]) && codes[2..] == [127, 1]);
    }

    #[test]
    fn the_mean_error_of_weights_is_taken_back() {
        // linear layer [C, K] = [2, 1]: 0.263 becomes 0.26, 0.63 stays
        let shape = Shape { dims: &[2, 1], axis: 1, groups: 1 };
        let weights = [0.263, 0.63];
        let means = [10.0, 3.0];
        let plain = quantize(&weights, shape, None, 1e-3, None, SEVEN);
        assert_eq!(plain.codes, [26, 63]);
        let corrected = quantize(&weights, shape, None, 1e-3, Some(&means), SEVEN);
        let found = f64::from(corrected.bias[0]) * 1e-3 * 0.01;
        assert!((found - 0.003 * 10.0).abs() < 1e-4, "{found}");
    }

    #[test]
    fn channels_of_grouped_and_linear_weights() {
        // 4 outputs, 2 groups of 3 inputs, 1 x 2 window
        let conv = Shape { dims: &[4, 3, 1, 2], axis: 0, groups: 2 };
        assert_eq!((conv.channel(0), conv.channel(6), conv.channel(23)), (0, 1, 3));
        assert_eq!(
            (conv.input_channel(0), conv.input_channel(5), conv.input_channel(12)),
            (0, 2, 3)
        );
        assert_eq!((conv.inputs(), conv.window()), (6, 2));
        let gemm = Shape { dims: &[2, 3], axis: 0, groups: 1 };
        assert_eq!((gemm.channel(4), gemm.input_channel(4), gemm.inputs()), (1, 1, 3));
        let matmul = Shape { dims: &[3, 2], axis: 1, groups: 1 };
        assert_eq!((matmul.channel(3), matmul.input_channel(3), matmul.inputs()), (1, 1, 3));
    }

    #[test]
    fn a_channel_without_weights_keeps_its_bias() {
        let shape = Shape { dims: &[2, 1, 1, 1], axis: 0, groups: 1 };
        let layer = quantize(&[0.0, 1.0], shape, Some(&[123.0, 0.0]), 0.01, None, SEVEN);
        assert_eq!(layer.codes[0], 0);
        assert!((layer.bias()[0] - 123.0).abs() < 1e-3, "{layer:?}");
    }

    #[test]
    fn a_smaller_scale_is_taken_where_it_pays() {
        // one large weight among a thousand small ones that lie between two codes
        let mut weights = vec![0.0149_f32; 1000];
        weights.push(0.63);
        let shape = Shape { dims: &[1, 1001], axis: 0, groups: 1 };
        let error = |range| {
            let layer =
                quantize(&weights, shape, None, 1.0, None, WeightSettings { bits: 7, range });
            let found = layer.weights(shape);
            found.iter().zip(&weights).map(|(a, b)| f64::from((a - b).powi(2))).sum::<f64>()
        };
        assert!(error(WeightRange::Mse) < 0.7 * error(WeightRange::Max));
    }
}
