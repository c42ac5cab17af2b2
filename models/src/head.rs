//! The layers behind the global average pooling, with their weights: all that GradCAM needs.

use crate::error::ModelError;
use crate::manifest::HeadKind;

/// Layer norm over the channels: `(g - mean g) / sqrt(var g + eps) * weight + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// Scale, one a channel.
    pub weight: Vec<f32>,
    /// Shift, one a channel.
    pub bias: Vec<f32>,
    /// Added to the variance.
    pub eps: f64,
}

/// Global average pooling, an optional layer norm, and a linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    classes: usize,
    channels: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
    norm: Option<LayerNorm>,
}

impl Head {
    /// A head from its weights; `weight` is `[classes, channels]`, row by row.
    ///
    /// # Errors
    /// If the lengths do not agree or a number is not finite.
    pub fn new(
        weight: Vec<f32>,
        bias: Vec<f32>,
        channels: usize,
        norm: Option<LayerNorm>,
    ) -> Result<Self, ModelError> {
        let classes = bias.len();
        let wrong = |part: &str, expected: String, found: usize| {
            let remedy = "correct the names under `head` in the manifest";
            Err(ModelError::mismatch(format!("head {part}"), expected, found.to_string(), remedy))
        };
        if classes == 0 || channels == 0 || classes.checked_mul(channels) != Some(weight.len()) {
            return wrong("weight", format!("{classes} x {channels} values"), weight.len());
        }
        if let Some(norm) = &norm {
            for (part, values) in [("norm_weight", &norm.weight), ("norm_bias", &norm.bias)] {
                if values.len() != channels {
                    return wrong(part, format!("{channels} values"), values.len());
                }
            }
        }
        let normed = norm.iter().flat_map(|n| n.weight.iter().chain(&n.bias));
        if let Some(bad) = weight.iter().chain(&bias).chain(normed).find(|v| !v.is_finite()) {
            return Err(ModelError::mismatch(
                "head",
                "finite weights",
                bad.to_string(),
                "the network is damaged or was trained to overflow: export it again",
            ));
        }
        Ok(Self { classes, channels, weight, bias, norm })
    }

    /// Number of classes K.
    #[must_use]
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// Number of channels C of the feature map.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// The row of the linear layer that makes the logit of a class, C values.
    #[must_use]
    pub fn row(&self, class: usize) -> Option<&[f32]> {
        self.weight.chunks_exact(self.channels).nth(class)
    }

    /// Bias of the linear layer, K values.
    #[must_use]
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// The layer norm between pooling and linear layer.
    #[must_use]
    pub const fn norm(&self) -> Option<&LayerNorm> {
        self.norm.as_ref()
    }

    /// Which layers these are.
    #[must_use]
    pub const fn kind(&self) -> HeadKind {
        if self.norm.is_some() { HeadKind::LayernormLinear } else { HeadKind::Linear }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked_once_at_the_door() {
        let head = Head::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![0.0; 2], 3, None).unwrap();
        assert_eq!(head.row(1), Some(&[4.0, 5.0, 6.0][..]));
        assert_eq!(head.row(2), None);
        let error = Head::new(vec![1.0; 5], vec![0.0; 2], 3, None).unwrap_err().to_string();
        assert!(error.contains("head weight: expected 2 x 3 values, found 5"), "{error}");
        let norm = LayerNorm { weight: vec![1.0; 3], bias: vec![0.0; 2], eps: 1e-6 };
        let error = Head::new(vec![1.0; 6], vec![0.0; 2], 3, Some(norm)).unwrap_err().to_string();
        assert!(error.contains("head norm_bias: expected 3 values, found 2"), "{error}");
        Head::new(vec![f32::NAN; 6], vec![0.0; 2], 3, None).unwrap_err();
    }
}
