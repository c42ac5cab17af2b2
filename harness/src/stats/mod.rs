//! What can be said about a population from a sample: means, shares, percentiles, differences, each with
//! its interval; tests of difference and of equivalence; effect sizes.
//!
//! Intervals assume that frames are independent draws; frames of one class are not quite, so an
//! interval over few classes is too narrow. Whatever is drawn is drawn from a seed that the caller states.

mod bootstrap;
pub mod claim;
mod effect;
mod equivalence;
mod latency;
mod line;
mod mean;
mod multiple;
mod paired;
mod percentile;
mod rank;
mod resampling;
mod share;
mod spread;

pub use bootstrap::{BcaInterval, bca, bca_mean};
pub use effect::{cohen_dz, hedges_g};
pub use equivalence::{Equivalence, tost};
pub use latency::Percentiles;
pub use line::{Line, line};
pub use mean::{MeanInterval, mean_interval};
pub use multiple::holm;
pub use paired::{Paired, paired};
pub use percentile::percentile;
pub use rank::{fisher_z, spearman};
pub use resampling::{PermutationTest, label_permutation, sign_flip};
pub use share::{ShareInterval, wilson};
pub use spread::{Spread, pooled_deviation};
