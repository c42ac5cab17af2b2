//! roadgaze: streams frames, classifies and explains them, and logs how much of the attribution lies on the sign.

pub mod attribution;
pub mod cli;
pub mod clock;
pub mod feed;
pub mod metrics;
pub mod stats;
pub mod store;
pub mod telemetry;
