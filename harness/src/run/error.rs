//! Why a run cannot be started, or ends early.

use std::path::PathBuf;

use datasets::source::SourceError;
use models::ModelError;

use super::{ExplainError, PlanError};
use crate::attribution::AttributionError;
use crate::feed::remote::LinkFailure;
use crate::feed::{FilmError, ScenarioError};
use crate::report::ReportError;
use crate::store::StoreError;

/// Why a run could not be started or ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The plan is not usable.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The network could not be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data set could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The explanation that was asked for is not possible.
    #[error(transparent)]
    Attribution(AttributionError),
    /// A frame could not be explained.
    #[error("frame {position}: {source}")]
    Explain {
        /// Position of the frame.
        position: u32,
        /// What went wrong.
        source: ExplainError,
    },
    /// The scenario is not usable.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The camera elsewhere could not be used.
    #[error(transparent)]
    Link(#[from] LinkFailure),
    /// The run could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file of the run could not be written.
    #[error("{path}: {source}; free space or choose another folder with --out")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread of the run ended by a panic.
    #[error("the {0} thread failed; this is a bug in roadgaze")]
    Thread(&'static str),
    /// The books do not balance.
    #[error(
        "{frames_in} frames in, but {processed} processed and {dropped} dropped; this is a bug in roadgaze"
    )]
    Unbalanced {
        /// Frames due.
        frames_in: u64,
        /// Frames stored.
        processed: u64,
        /// Frames dropped.
        dropped: u64,
    },
}

impl From<FilmError> for RunError {
    fn from(error: FilmError) -> Self {
        match error {
            FilmError::Source(source) => Self::Source(source),
            FilmError::Scenario(source) => Self::Scenario(source),
        }
    }
}
