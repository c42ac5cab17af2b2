//! ONNX in, classifier out.
//!
//! A network is an ONNX file and a [`Manifest`] beside it. [`Network`] loads both once, adds the
//! last feature map as a second output, and optimizes the graph for batch 1; every worker thread
//! runs its own [`Session`]. [`Head`] holds the weights behind the global average pooling, from
//! which GradCAM follows in closed form.
//!
//! ```text
//! picture -> Preprocessor -> [1, 3, H, W] -> Session -> Prediction { logits, feature map }
//! ```
//!
//! Shapes: N images (always 1), C channels, H x W cells, K classes.
//!
//! Not done here: training and export (`models/desktop`), quantization (`calibration`), networks
//! with several inputs, dynamic shapes, other tasks than classification.
#![forbid(unsafe_code)]

pub mod classifier;
pub mod describe;
pub mod digest;
pub mod engine;
pub mod error;
pub mod head;
pub mod identity;
mod integer;
pub mod manifest;
pub mod onnx;
pub mod prediction;
pub mod preprocess;
pub mod probe;
mod resize;
pub mod topology;
pub mod zoo;

// what a run needs
pub use classifier::{Network, Session};
pub use engine::{EngineOptions, LayerProfile, Report};
pub use error::ModelError;
pub use head::{Head, LayerNorm};
pub use manifest::Manifest;
pub use prediction::{Classifier, FeatureMap, NetworkInfo, Prediction};
pub use preprocess::Preprocessor;
pub use probe::{Probe, ProbeSession};
