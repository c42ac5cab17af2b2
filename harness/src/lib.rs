//! roadgaze: streams frames through a camera, classifies and explains them, and logs how much of the attribution lies on the sign.
//!
//! Modules in the order in which data flows; none imports one that stands after it:
//!
//! ```text
//! clock telemetry feed attribution metrics stats games store compare report run doctor bench export study cli
//! ```
#![expect(clippy::cast_precision_loss, reason = "counts and pixel sums stay far below 2^53")]

pub mod attribution;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod doctor;
pub mod export;
pub mod feed;
pub mod games;
pub mod metrics;
pub mod report;
pub mod run;
pub mod stats;
pub mod store;
pub mod study;
pub mod telemetry;
