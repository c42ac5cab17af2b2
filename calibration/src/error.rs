//! What can go wrong between a network in f32 and its quantized file: place, expected, found, remedy.

use std::path::PathBuf;

use datasets::source::SourceError;
use models::ModelError;

/// Why a network could not be quantized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The network could not be read or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A picture could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The network is no candidate.
    #[error("{place}: {problem}; {remedy}")]
    Network {
        /// File, and the node where it is known.
        place: String,
        /// What was expected and what was found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// An activation has no usable range.
    #[error("activation `{tensor}`: {problem}; {remedy}")]
    Activation {
        /// Which tensor.
        tensor: String,
        /// What was expected and what was found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// There are no pictures, or fewer than were asked for.
    #[error("{place}: {problem}; {remedy}")]
    Images {
        /// Which data set.
        place: String,
        /// What was expected and what was found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// A setting is outside its range.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// Which.
        name: &'static str,
        /// The range.
        expected: String,
        /// The value.
        found: String,
    },
    /// A file could not be written.
    #[error("{path}: {source}; free space or choose another place with --out")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread ended by a panic.
    #[error("a calibration thread failed; this is a bug in roadgaze")]
    Thread,
}

impl CalibrationError {
    pub(crate) fn network(
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Network { place: place.into(), problem: problem.into(), remedy: remedy.into() }
    }
}
