//! What can go wrong between a model file and a prediction, in the order: place, expected, found, remedy.

use std::path::{Path, PathBuf};

/// Why a network could not be read, understood or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file is missing, unreadable or damaged.
    #[error("{}: {problem}; {remedy}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// Two things that must agree do not.
    #[error("{place}: expected {expected}, found {found}; {remedy}")]
    Mismatch {
        /// File, and the part of it.
        place: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
        /// What the user can do.
        remedy: String,
    },
    /// The graph is valid ONNX, but not one that can be run here.
    #[error("{place}: {problem}; {remedy}")]
    Graph {
        /// File, and the node where it is known.
        place: String,
        /// What was expected and what was found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// GradCAM in closed form does not hold for the end of this network.
    #[error(
        "{place}: head not supported for GradCAM: {problem}; explain this network with kernel-shap, \
         or name `feature_map` and `head` in the manifest if it ends in global average pooling, an \
         optional layer norm and one linear layer"
    )]
    Head {
        /// Which network.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The network failed while it ran.
    #[error("{place}: {problem}")]
    Run {
        /// Which network.
        place: String,
        /// What the runtime said.
        problem: String,
    },
}

impl ModelError {
    pub(crate) fn file(path: &Path, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }

    pub(crate) fn graph(
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Graph { place: place.into(), problem: problem.into(), remedy: remedy.into() }
    }

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

    pub(crate) fn run(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Run { place: place.into(), problem: problem.into() }
    }
}
