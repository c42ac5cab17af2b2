//! What an explanation and a classification are worth: pixel ratio, chance, ceiling, accuracy.
//!
//! Not done here: averaging over frames (`stats`), significance.

mod accuracy;
mod mask;
mod pixel_ratio;

pub use accuracy::{rank_of, top_classes};
pub use mask::Mask;
pub use pixel_ratio::{Undefined, ceiling, pixel_ratio, proportional};
