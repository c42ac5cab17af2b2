//! The estimators of Shapley values behind one trait: how coalitions are drawn, how attributions follow
//! from their values, and what leaving one unit of the sample out would change.

use serde::{Deserialize, Serialize};

use super::coalition::Coalition;
use super::error::AttributionError;
use super::kernel_shap::Solution;
use super::plan::MAX_PLAYERS;
use super::replicates::Replicates;
use super::{permutation, regression, shapley};

/// How coalitions are drawn and attributions follow from their values.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Estimator {
    /// Kernel SHAP with Captum's sampling law: single coalitions, with repeats.
    #[default]
    Captum,
    /// The same law, each coalition followed by its complement (Covert and Lee, arXiv 2012.01536).
    Paired,
    /// Pairs without repeats, sizes alike often, weighted by the inverse of that (Musco and Witter,
    /// arXiv 2410.01917).
    Leverage,
    /// Random orders, each with its reverse.
    Permutation,
    /// All coalitions, at most 20 super-pixels.
    Exact,
}

impl Estimator {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Captum, Self::Paired, Self::Leverage, Self::Permutation, Self::Exact];

    /// The name in settings and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Captum => "captum",
            Self::Paired => "paired",
            Self::Leverage => "leverage",
            Self::Permutation => "permutation",
            Self::Exact => "exact",
        }
    }

    /// The estimator of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == name)
    }

    pub(super) fn rule(self) -> &'static dyn Rule {
        match self {
            Self::Captum => &regression::Captum,
            Self::Paired => &regression::Paired,
            Self::Leverage => &regression::Leverage,
            Self::Permutation => &permutation::Antithetic,
            Self::Exact => &shapley::Enumeration,
        }
    }
}

/// Coalitions with their weights in the fit, all and none first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawn {
    pub(super) coalitions: Vec<Coalition>,
    pub(super) weights: Vec<f64>,
}

impl Drawn {
    /// Every drawn coalition counts alike, the ends as in Captum.
    pub(super) fn alike(coalitions: Vec<Coalition>) -> Self {
        let weight = |i| if i < 2 { END_WEIGHT } else { 1.0 };
        Self { weights: (0..coalitions.len()).map(weight).collect(), coalitions }
    }
}

/// Captum's stand-in for the infinite weight of the full and the empty coalition.
pub(super) const END_WEIGHT: f64 = 1e6;

/// Coalitions of M players with weight and value each, all and none first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    pub(super) players: usize,
    pub(super) coalitions: &'a [Coalition],
    pub(super) weights: &'a [f64],
    pub(super) values: &'a [f64],
}

impl Sample<'_> {
    /// Value of the full coalition.
    pub(super) fn full(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }

    /// Value of the empty coalition.
    pub(super) fn empty(&self) -> f64 {
        self.values.get(1).copied().unwrap_or(f64::NAN)
    }
}

/// An estimator.
pub(super) trait Rule: Sync {
    /// Players beyond which a plan is refused.
    fn most_players(&self) -> usize {
        MAX_PLAYERS
    }

    /// Coalitions for about this many evaluations, ends and repeats included: as many whole units
    /// as fit, at least one.
    fn draw(&self, players: usize, evaluations: usize, seed: u64) -> Drawn;

    /// Attributions of the players.
    fn solve(&self, sample: Sample<'_>, solution: Solution) -> Result<Vec<f64>, AttributionError>;

    /// What leaving one unit out changes; `None` if that cannot be told from this sample.
    fn replicates(
        &self,
        sample: Sample<'_>,
        phi: &[f64],
    ) -> Result<Option<Replicates>, AttributionError>;

    /// Evaluations in one unit of the sample, if any number of whole units, the ends before them, is
    /// a plan by itself.
    fn unit(&self, players: usize) -> Option<usize>;
}
