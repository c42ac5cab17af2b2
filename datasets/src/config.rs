//! The complete, seeded configuration of one picture: every parameter of the scene as a plain
//! number with its unit, drawn from independent streams and written out beside the picture.
//!
//! Pairing follows from the keys of the streams. Light, season, surface, furniture and sensor are
//! drawn from (split, class, index) alone. The pose takes its *unit numbers* from (split, class, index)
//! and only then is scaled into the ranges of the camera level, so the three levels show one draw
//! more or less strongly. Only the seed of the environment's layout also knows the environment. The
//! class enters nowhere but as part of a key: no distribution depends on it.

mod formation;
mod light;
mod plate;
mod pose;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::corner_case::CornerCase;
use crate::environment::{Environment, Season};
use crate::rng::{Stream, key};
use crate::source::MetadataValue;

pub use formation::FormationConfig;
pub use light::{LightConfig, ShadowKind};
pub use plate::{FurnitureConfig, PostKind, SecondPlate, SurfaceConfig};
pub use pose::{LevelRanges, PoseConfig};

/// Side of the picture, pixels, in which all lengths of the configuration are stated; other sizes
/// show the same scene with more or fewer pixels.
pub const REFERENCE_SIZE: usize = 224;

/// The part of a data set that a picture belongs to; the streams of the two are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// For fitting networks.
    Train,
    /// For measuring them.
    Test,
}

impl Split {
    /// The word that stands for the split in the keys of random streams.
    #[must_use]
    pub const fn word(self) -> u64 {
        match self {
            Self::Train => 0,
            Self::Test => 1,
        }
    }
}

/// Which picture this is, apart from the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Identity {
    /// Part of the data set.
    pub split: Split,
    /// Class id of the sign.
    pub class: u16,
    /// Index within the class.
    pub index: u32,
}

impl Identity {
    /// The stream of one part of the scene, the same in all six sets.
    #[must_use]
    pub fn stream(&self, part: &str) -> Stream {
        Stream::from_seed(self.seed(part))
    }

    fn seed(&self, part: &str) -> u64 {
        key(part, &[self.split.word(), u64::from(self.class), u64::from(self.index)])
    }
}

/// Everything that a picture depends on besides the sign's art and its size in pixels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SceneConfig {
    /// Which picture this is.
    pub identity: Identity,
    /// What stands behind the sign.
    pub environment: Environment,
    /// Seed of the environment's layout.
    pub layout_seed: u64,
    /// Time of year.
    pub season: Season,
    /// Camera and plate.
    pub pose: PoseConfig,
    /// Daylight.
    pub light: LightConfig,
    /// State of the plate.
    pub surface: SurfaceConfig,
    /// Post and hardware.
    pub furniture: FurnitureConfig,
    /// Camera and image processing.
    pub formation: FormationConfig,
    /// Weather or obstruction beyond the ordinary.
    pub corner_case: CornerCase,
}

impl SceneConfig {
    /// Draw the configuration of a picture.
    #[must_use]
    pub fn draw(identity: Identity, level: &LevelRanges, environment: Environment) -> Self {
        let layout = [
            identity.split.word(),
            u64::from(identity.class),
            u64::from(identity.index),
            Environment::ALL.iter().position(|&e| e == environment).unwrap_or(0) as u64,
        ];
        let season = *identity.stream("season").pick(&[
            Season::Spring,
            Season::Summer,
            Season::Autumn,
            Season::Winter,
        ]);
        let light = light::draw(&identity, season);
        Self {
            identity,
            environment,
            layout_seed: key("layout", &layout) >> 1,
            season,
            pose: pose::draw(&identity, level),
            light,
            surface: plate::draw_surface(&identity),
            furniture: plate::draw_furniture(&identity),
            formation: formation::draw(&identity, &light),
            corner_case: CornerCase::NONE,
        }
    }

    /// The same scene with a corner case; sky, lamps and exposure change with the weather.
    #[must_use]
    pub fn with_corner_case(mut self, corner_case: CornerCase) -> Self {
        self.corner_case = corner_case;
        corner_case.adapt(&mut self);
        self
    }

    /// Every parameter by name, groups joined with `_`: `pose_yaw_deg`, `surface_dirt`, ...
    #[must_use]
    pub fn to_metadata(&self) -> BTreeMap<String, MetadataValue> {
        let mut rows = BTreeMap::new();
        // All fields are numbers, words or tables of them, and seeds have 63 bits, so this cannot
        // fail; a test covers it.
        if let Ok(table) = toml::Table::try_from(self) {
            flatten("", &table, &mut rows);
        }
        rows
    }
}

fn flatten(prefix: &str, table: &toml::Table, rows: &mut BTreeMap<String, MetadataValue>) {
    for (name, value) in table {
        let name = if prefix.is_empty() || prefix == "identity" {
            name.clone()
        } else {
            format!("{prefix}_{name}")
        };
        let value = match value {
            toml::Value::Table(inner) => {
                flatten(&name, inner, rows);
                continue;
            }
            toml::Value::Integer(i) => MetadataValue::Integer(*i),
            toml::Value::Float(f) => MetadataValue::Number(*f),
            toml::Value::Boolean(b) => MetadataValue::Flag(*b),
            other => MetadataValue::Text(
                other.as_str().map_or_else(|| other.to_string(), ToOwned::to_owned),
            ),
        };
        rows.insert(name, value);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const FRONTAL: LevelRanges = LevelRanges {
        yaw_deg: [-8.0, 8.0],
        pitch_deg: [1.0, 6.0],
        roll_deg: [-2.0, 2.0],
        pixels_per_metre: [134.0, 249.0],
        offset_share: [-0.04, 0.04],
        fov_deg: [26.0, 42.0],
        distortion_k1: [0.0, 0.01],
    };
    pub(crate) const HIGH: LevelRanges = LevelRanges {
        yaw_deg: [-50.0, 50.0],
        pitch_deg: [-9.0, 20.0],
        roll_deg: [-12.0, 12.0],
        pixels_per_metre: [137.0, 244.0],
        offset_share: [-0.2, 0.2],
        fov_deg: [22.0, 54.0],
        distortion_k1: [-0.05, 0.12],
    };

    fn identity(class: u16, index: u32) -> Identity {
        Identity { split: Split::Test, class, index }
    }

    #[test]
    fn levels_share_everything_but_the_pose_and_the_pose_is_one_draw_scaled() {
        let id = identity(13, 7);
        let f = SceneConfig::draw(id, &FRONTAL, Environment::Coast);
        let h = SceneConfig::draw(id, &HIGH, Environment::Coast);
        assert_eq!(SceneConfig { pose: f.pose, ..h.clone() }, f);
        assert!((f.pose.yaw_deg / 8.0 - h.pose.yaw_deg / 50.0).abs() < 1e-5);
        assert_eq!(f.pose.sign_height_m.to_bits(), h.pose.sign_height_m.to_bits());
    }

    #[test]
    fn environments_share_everything_but_the_layout() {
        let id = identity(3, 1);
        let a = SceneConfig::draw(id, &HIGH, Environment::Coast);
        let b = SceneConfig::draw(id, &HIGH, Environment::Forest);
        assert_ne!(a.layout_seed, b.layout_seed);
        let moved = SceneConfig { environment: a.environment, layout_seed: a.layout_seed, ..b };
        assert_eq!(moved, a);
    }

    #[test]
    fn pictures_differ_and_the_splits_are_independent() {
        let draw = |i| SceneConfig::draw(i, &HIGH, Environment::Coast);
        let a = draw(identity(3, 1));
        assert_ne!(a.surface.seed, draw(identity(3, 2)).surface.seed);
        assert_ne!(a.surface.seed, draw(identity(4, 1)).surface.seed);
        let train = Identity { split: Split::Train, ..identity(3, 1) };
        assert_ne!(a.surface.seed, draw(train).surface.seed);
    }

    #[test]
    fn metadata_names_every_parameter_once_and_the_columns_never_change() {
        let names = |class, index| {
            SceneConfig::draw(identity(class, index), &HIGH, Environment::Coast)
                .to_metadata()
                .into_keys()
                .collect::<Vec<_>>()
        };
        let first = names(0, 0);
        assert!(first.len() > 55, "{first:?}");
        assert!(first.contains(&"pose_yaw_deg".to_owned()), "{first:?}");
        assert!(first.contains(&"corner_case_kind".to_owned()), "{first:?}");
        for i in 0..50 {
            assert_eq!(names(5, i), first);
        }
    }
}
