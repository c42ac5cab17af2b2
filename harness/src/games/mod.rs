//! Recorded games: the outputs of a network for very many coalitions of a picture, kept so that estimators
//! can be compared offline.
//!
//! ```text
//! picture + network -> record -> game file -> study -> bias, RMSE, coverage, evaluations
//! ```
//!
//! A game file holds a long reference and one part for each estimator and repeat. Coalitions are not
//! stored: they follow from estimator, number of evaluations and seed, and a hash guards that.

mod file;
mod record;
mod study;

pub use file::{About, Part, Recorded};
pub use record::{RecordSettings, record};
pub use study::{Line, Reference, Study, study};

use std::path::PathBuf;

use crate::attribution::AttributionError;

/// Why a game could not be recorded, read or replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GameError {
    /// A file cannot be read or written.
    #[error("{}: {source}; check the path and free space", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not a game.
    #[error("{}: expected {expected}, found {found}; record it again with `roadgaze run --record-game`", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A plan could not be drawn, or does not determine the attributions.
    #[error(transparent)]
    Attribution(#[from] AttributionError),
    /// The games do not have what the study needs.
    #[error("{place}: expected {expected}, found {found}; {remedy}")]
    Study {
        /// Game or list of games.
        place: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
        /// What the user can do.
        remedy: String,
    },
}
