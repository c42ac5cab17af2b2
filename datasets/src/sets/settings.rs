//! The settings in `sets.toml`, compiled in: splits, correlation, camera levels.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::config::LevelRanges;
use crate::sets::{CorrelationSettings, Level};

/// The text of `sets.toml`, part of the identity of every set.
pub const SETS_TOML: &str = include_str!("../../sets.toml");

/// The content of `sets.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSettings {
    /// Numbers of images.
    pub splits: SplitSettings,
    /// Strength of the correlation of C.
    pub correlation: CorrelationSettings,
    /// Ranges of the camera.
    pub levels: LevelSettings,
}

/// Images of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitSettings {
    /// Of the training split.
    pub train_per_class: u32,
    /// Of the test split.
    pub test_per_class: u32,
}

/// Ranges by camera level.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelSettings {
    /// F.
    pub frontal: LevelRanges,
    /// M.
    pub medium: LevelRanges,
    /// H.
    pub high: LevelRanges,
}

impl SetSettings {
    /// The compiled-in settings.
    ///
    /// # Panics
    /// Never: a test reads the compiled-in text.
    #[must_use]
    pub fn get() -> &'static Self {
        static SETTINGS: OnceLock<SetSettings> = OnceLock::new();
        SETTINGS.get_or_init(|| toml::from_str(SETS_TOML).expect("sets.toml is checked by a test"))
    }

    /// Camera ranges of a level.
    #[must_use]
    pub fn level(&self, level: Level) -> &LevelRanges {
        match level {
            Level::Frontal => &self.levels.frontal,
            Level::Medium => &self.levels.medium,
            Level::High => &self.levels.high,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_level_contains_the_lower_ones() {
        let settings = SetSettings::get();
        let spans = |level| {
            let r = settings.level(level);
            [r.yaw_deg, r.pitch_deg, r.roll_deg, r.offset_share, r.fov_deg, r.distortion_k1]
        };
        for pair in Level::ALL.windows(2) {
            for (low, high) in spans(pair[0]).iter().zip(spans(pair[1])) {
                assert!(high[0] <= low[0] && low[1] <= high[1], "{pair:?}: {low:?} {high:?}");
            }
        }
        assert_eq!((settings.splits.train_per_class, settings.splits.test_per_class), (500, 600));
    }
}
