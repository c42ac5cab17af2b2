//! Why the network decided so: `GradCAM` in closed form and Kernel SHAP from a plan.
//!
//! ```text
//! prediction + head weights                          -> gradcam    -> Map
//! plan + picture + baseline -> game -> values by plan -> kernel_shap -> Map
//! ```
//!
//! A [`Plan`] fixes which coalitions of super-pixels are evaluated before anything runs, so that
//! device and desktop differ in numerics alone. A [`Game`] turns a coalition into one number; here
//! it is a [`MaskedPicture`] behind a network, in tests a formula. [`shapley`] enumerates small
//! games exactly, as the oracle of the estimators.
//!
//! Shapes: M super-pixels (players), S coalitions, C channels, h x w cells of a map, K classes.
//!
//! Not done here: attribution at other layers than the last feature map, gradients through the
//! network, training-based explainers.

mod coalition;
mod error;
mod estimator;
mod game;
pub mod gradcam;
pub mod kernel_shap;
mod map;
mod permutation;
mod picture;
mod plan;
mod plans;
mod regression;
mod replicates;
mod sampler;
pub mod shapley;
mod strata;
mod walk;

// maps
pub use error::AttributionError;
pub use gradcam::{GradCamSettings, gradcam};
pub use map::{Map, Upsampling};
// games
pub use coalition::Coalition;
pub use estimator::Estimator;
pub use game::{Evaluator, Game};
pub use picture::{Baseline, MaskedPicture, Output, PictureGame};
pub use plan::{Grid, Plan};
pub use plans::Plans;
// estimates
pub use kernel_shap::{
    Explanation, Solution, Stop, explain, explain_until, kernel_shap, solve, solve_with_error,
};
pub use replicates::Replicates;
