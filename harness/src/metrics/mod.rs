//! What an explanation and a classification are worth: pixel ratio with its sampling error, chance,
//! ceiling, pointing game, relevance rank, zones of the sign, accuracy. Formulas: `docs/metrics.md`.
//!
//! Not done here: averaging over frames (`stats`), significance.

mod accuracy;
pub mod border;
mod localisation;
mod mask;
mod pixel_ratio;
mod ratio_error;

pub use accuracy::{rank_of, top_classes};
pub use localisation::{Localisation, Zoned};
pub use mask::Mask;
pub use pixel_ratio::{Undefined, ceiling, pixel_ratio, proportional};
pub use ratio_error::{CellShare, RatioError, Shares};
