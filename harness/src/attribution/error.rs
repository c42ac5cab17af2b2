//! What can go wrong while a decision is explained.

use std::path::PathBuf;

use models::ModelError;

/// Why there is no attribution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttributionError {
    /// The network cannot be run, or not be explained this way.
    #[error(transparent)]
    Network(#[from] ModelError),
    /// Two things that must agree do not.
    #[error("{place}: expected {expected}, found {found}; {remedy}")]
    Mismatch {
        /// Plan, picture, target.
        place: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
        /// What the user can do.
        remedy: String,
    },
    /// A plan file cannot be read or written.
    #[error("{}: {problem}; {remedy}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// The coalitions leave the attributions undetermined.
    #[error(
        "plan: expected coalitions that determine {players} attributions, found {distinct} distinct \
         ones that do not; ask for more evaluations (at least {advice})"
    )]
    Singular {
        /// M.
        players: usize,
        /// Number of distinct coalitions.
        distinct: usize,
        /// Number of evaluations that nearly always suffices.
        advice: usize,
    },
    /// Whoever asked for the explanation no longer wants it.
    #[error("explanation: stopped before all coalitions were evaluated")]
    Stopped,
    /// A worker thread ended without a result.
    #[error("explanation: a worker thread ended without a result; run with one thread to see why")]
    Worker,
}

impl AttributionError {
    pub(crate) fn mismatch(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Mismatch {
            place: place.into(),
            expected: expected.into(),
            found: found.into(),
            remedy: remedy.into(),
        }
    }
}
