//! What can be said about a population from a sample: means, shares, percentiles, each with its interval.
//!
//! Intervals assume that frames are independent draws; frames of one class are not quite, so an
//! interval over few classes is too narrow.

pub mod claim;
mod latency;
mod mean;
mod percentile;
mod share;

pub use latency::Percentiles;
pub use mean::{MeanInterval, mean_interval};
pub use percentile::percentile;
pub use share::{ShareInterval, wilson};
