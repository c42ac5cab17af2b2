//! The sets and splits: UF UM UH CF CM CH, the shape subsets of CM, train and test.
//!
//! A set is a pair (correlation of background and class, camera level). Everything that the sets share is
//! drawn from streams that do not know the set, see [`crate::config`].

pub mod settings;
pub mod spec;
mod strength;
pub mod table;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use settings::SetSettings;
pub use spec::SetName;
pub use strength::Strength;
pub use table::{Conditional, CorrelationSettings};

use crate::catalogue::{Catalogue, Shape, Sign};
use crate::config::Split;
use crate::environment::Environment;

/// Whether the background tells something about the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Correlation {
    /// U: the environment is drawn uniformly, whatever the class.
    Uncorrelated,
    /// C: every class prefers the environments in which it stands in reality.
    Correlated,
}

/// How far the camera moves away from the frontal view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// F.
    Frontal,
    /// M.
    Medium,
    /// H.
    High,
}

impl Level {
    /// From the smallest to the largest variation.
    pub const ALL: [Self; 3] = [Self::Frontal, Self::Medium, Self::High];
}

/// Images of each class unless another number is asked for: the paper's 500 and 600.
#[must_use]
pub fn default_per_class(split: Split) -> u32 {
    let splits = SetSettings::get().splits;
    match split {
        Split::Train => splits.train_per_class,
        Split::Test => splits.test_per_class,
    }
}

impl Split {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Train, Self::Test];

    /// `train` or `test`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One of the six sets, or the part of CM with signs of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// Background and class.
    pub correlation: Correlation,
    /// Camera.
    pub level: Level,
    /// Only signs of this shape; `None` for all signs.
    pub shape: Option<Shape>,
}

impl Set {
    /// The six sets, in the order of the paper.
    pub const SIX: [Self; 6] = [
        Self::new(Correlation::Uncorrelated, Level::Frontal),
        Self::new(Correlation::Uncorrelated, Level::Medium),
        Self::new(Correlation::Uncorrelated, Level::High),
        Self::new(Correlation::Correlated, Level::Frontal),
        Self::new(Correlation::Correlated, Level::Medium),
        Self::new(Correlation::Correlated, Level::High),
    ];

    /// Shapes that have a subset of CM of their own.
    pub const SUBSET_SHAPES: [Shape; 3] = [Shape::Circular, Shape::Triangular, Shape::Rectangular];

    /// A set with all signs.
    #[must_use]
    pub const fn new(correlation: Correlation, level: Level) -> Self {
        Self { correlation, level, shape: None }
    }

    /// The set of a name such as `CF` or `CMC`; letters of either case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let subsets = Self::SUBSET_SHAPES.map(|shape| Self {
            shape: Some(shape),
            ..Self::new(Correlation::Correlated, Level::Medium)
        });
        let all = Self::SIX.into_iter().chain(subsets);
        all.into_iter().find(|set| set.to_string().eq_ignore_ascii_case(name))
    }

    /// The signs of the set, in the order of their ids.
    #[must_use]
    pub fn signs(self) -> Vec<&'static Sign> {
        let signs = Catalogue::get().signs().iter();
        signs.filter(|sign| self.shape.is_none_or(|shape| shape == sign.shape)).collect()
    }

    /// P(environment | class) over the painted environments, one row a class of the whole catalogue.
    #[must_use]
    pub fn environment_table(self) -> Conditional {
        self.environment_table_with(self.correlation_settings())
    }

    /// The same under other settings of the correlation.
    #[must_use]
    pub fn environment_table_with(self, correlation: CorrelationSettings) -> Conditional {
        let preferences: Vec<Vec<usize>> =
            Catalogue::get().signs().iter().map(|sign| columns(&sign.environments)).collect();
        Conditional::new(&preferences, Environment::ALL.len(), correlation)
    }

    /// How strongly the environments of the set go with the class.
    #[must_use]
    pub fn correlation_settings(self) -> CorrelationSettings {
        match self.correlation {
            Correlation::Uncorrelated => CorrelationSettings::INDEPENDENT,
            Correlation::Correlated => SetSettings::get().correlation,
        }
    }
}

/// Columns of the table for a list of environments.
fn columns(list: &[Environment]) -> Vec<usize> {
    let column = |e: &Environment| Environment::ALL.iter().position(|a| a == e);
    list.iter().filter_map(column).collect()
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.correlation {
            Correlation::Uncorrelated => "U",
            Correlation::Correlated => "C",
        })?;
        f.write_str(match self.level {
            Level::Frontal => "F",
            Level::Medium => "M",
            Level::High => "H",
        })?;
        f.write_str(match self.shape {
            None => "",
            Some(Shape::Circular) => "C",
            Some(Shape::Triangular) => "T",
            Some(Shape::Rectangular) => "R",
            Some(Shape::Other) => "O",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_set() {
        for set in Set::SIX {
            assert_eq!(Set::from_name(&set.to_string()), Some(set));
        }
        let cmt = Set::from_name("cmt").unwrap();
        assert_eq!(cmt.shape, Some(Shape::Triangular));
        assert_eq!(cmt.to_string(), "CMT");
        assert_eq!(Set::from_name("CX"), None);
        assert_eq!(Set::from_name("UMC"), None, "the paper has subsets of CM only");
    }

    #[test]
    fn the_background_carries_bits_about_the_class_in_c_and_none_in_u() {
        for set in Set::SIX {
            let table = set.environment_table();
            let bits = table.information_bits();
            for class in 0..table.classes() {
                let row = table.row(class);
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{set} {class}: {row:?}");
                let seen = row.iter().filter(|&&p| p >= 0.03).count();
                assert!(seen >= 3, "{set} class {class} is seen in {seen} environments: {row:?}");
            }
            match set.correlation {
                Correlation::Uncorrelated => assert_eq!(bits.to_bits(), 0.0_f64.to_bits()),
                Correlation::Correlated => assert!((1.5..=2.2).contains(&bits), "{set}: {bits}"),
            }
            let marginal = table.marginal();
            assert!(marginal.iter().all(|p| (0.04..0.2).contains(p)), "{set}: {marginal:?}");
        }
    }
}
