//! What still counts as the same, from a TOML file.
//!
//! ```toml
//! [ladder]                  # largest difference of any frame that counts as numerics
//! tensor = 1e-4             # RMS of the difference over RMS, values of the input tensor
//! logits = 1e-3             # largest difference over the largest logit
//! features = 1e-3           # RMS of the difference over RMS, values of the feature map
//! attribution = 2e-3        # RMS of the difference over RMS, cells of a map
//! ratio = 2e-3              # absolute
//! strict = false            # whether parting after the tensor fails the comparison
//!
//! [equivalence]             # margins of mean differences, frame by frame (two one-sided tests at 5 %)
//! accuracy = 0.005
//! pixel_ratio = 0.005
//! one_sided = 0.01          # most frames whose ratio is undefined in one run alone, as a share
//! rank_correlation = 0.95   # least mean rank correlation of the maps
//! latency_factor = 1.0      # most median network time of the second run over that of the first; absent: not held
//! ```

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::CompareError;

/// All margins; what a file does not name keeps its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Margins {
    /// Of the ladder.
    pub ladder: LadderMargins,
    /// Of the paired statistics.
    pub equivalence: PairedMargins,
}

/// Largest difference of any frame that counts as numerics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LadderMargins {
    /// Input tensor: RMS of the difference over RMS.
    pub tensor: f64,
    /// Logits: largest difference over the largest absolute logit.
    pub logits: f64,
    /// Feature map: RMS of the difference over RMS.
    pub features: f64,
    /// Map: RMS of the difference over RMS.
    pub attribution: f64,
    /// Pixel ratio: absolute.
    pub ratio: f64,
    /// Whether parting anywhere fails the comparison; else only at input or tensor.
    pub strict: bool,
}

impl Default for LadderMargins {
    fn default() -> Self {
        Self {
            tensor: 1e-4,
            logits: 1e-3,
            features: 1e-3,
            attribution: 2e-3,
            ratio: 2e-3,
            strict: false,
        }
    }
}

/// Margins of mean differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairedMargins {
    /// Of the accuracy, 0 to 1.
    pub accuracy: f64,
    /// Of the mean pixel ratio.
    pub pixel_ratio: f64,
    /// Most frames whose ratio is undefined in one run alone, as a share of those that have one: means cannot see them.
    pub one_sided: f64,
    /// Least mean rank correlation of the maps.
    pub rank_correlation: f64,
    /// Most median network time of the second run over that of the first.
    pub latency_factor: Option<f64>,
}

impl Default for PairedMargins {
    fn default() -> Self {
        Self {
            accuracy: 0.005,
            pixel_ratio: 0.005,
            one_sided: 0.01,
            rank_correlation: 0.95,
            latency_factor: None,
        }
    }
}

impl Margins {
    /// Reads a margins file.
    ///
    /// # Errors
    /// If it cannot be read, names an unknown margin, or one that is not positive.
    pub fn read(path: &Path) -> Result<Self, CompareError> {
        let wrong = |problem: String| CompareError::Margins { path: path.to_owned(), problem };
        let text = fs::read_to_string(path).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        let margins: Self = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        let (l, e) = (&margins.ladder, &margins.equivalence);
        for (name, value) in [
            ("ladder.tensor", l.tensor),
            ("ladder.logits", l.logits),
            ("ladder.features", l.features),
            ("ladder.attribution", l.attribution),
            ("ladder.ratio", l.ratio),
            ("equivalence.accuracy", e.accuracy),
            ("equivalence.pixel_ratio", e.pixel_ratio),
            ("equivalence.latency_factor", e.latency_factor.unwrap_or(1.0)),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(wrong(format!("{name}: a number above 0 expected, {value} found")));
            }
        }
        Ok(margins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_keep_their_defaults_and_refuse_the_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = dir.path().join("margins.toml");
            fs::write(&path, text).unwrap();
            Margins::read(&path)
        };
        let m = read("[ladder]\nlogits = 0.1\n[equivalence]\nlatency_factor = 0.5\n").unwrap();
        assert!((m.ladder.logits - 0.1).abs() < 1e-12 && m.equivalence.latency_factor == Some(0.5));
        assert!((m.ladder.tensor - 1e-4).abs() < 1e-12);
        assert!(read("[ladder]\nlogit = 0.1\n").unwrap_err().to_string().contains("unknown field"));
        let error = read("[equivalence]\naccuracy = 0.0\n").unwrap_err().to_string();
        assert!(
            error.contains("equivalence.accuracy: a number above 0 expected, 0 found"),
            "{error}"
        );
    }
}
