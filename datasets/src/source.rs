//! One trait for every place that frames come from: the renderer, a folder on disk, a camera.

use std::collections::BTreeMap;
use std::path::PathBuf;

use image::{GrayImage, RgbImage};

/// Identity of a frame inside its data set: indices restart in every class, so only the pair is a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameKey {
    /// Class id, 0 to 81 for our own sets.
    pub class: u16,
    /// Index of the frame within its class.
    pub index: u32,
}

/// One labelled picture with its ground truth.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Which frame this is.
    pub key: FrameKey,
    /// sRGB, 8 bits a channel.
    pub image: RgbImage,
    /// Coverage of each pixel by the sign, 0 to 255, same size as the image; the binary mask is `> 127`.
    pub mask: GrayImage,
    /// Every known parameter of the picture, by name, in the order of the names.
    pub metadata: BTreeMap<String, MetadataValue>,
}

/// A parameter of a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataValue {
    /// A number, in the unit that its name says.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// A word, for example the environment.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// Why a frame or a data set could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file or folder could not be read.
    #[error("{path}: {problem}; {remedy}")]
    File {
        /// Where.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// A position beyond the end was asked for.
    #[error("frame {position} asked for, the data set has {len}")]
    OutOfRange {
        /// Position asked for.
        position: usize,
        /// Number of frames.
        len: usize,
    },
    /// The name of a data set could not be understood.
    #[error("data set `{name}`: {problem}; {remedy}")]
    Name {
        /// As given.
        name: String,
        /// What is wrong with it.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
}

/// A frame that was left out because it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file that cannot be used.
    pub path: PathBuf,
    /// What was expected and what was found.
    pub problem: String,
}

impl From<SourceError> for Skipped {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::File { path, problem, .. } => Self { path, problem },
            other => Self { path: PathBuf::new(), problem: other.to_string() },
        }
    }
}

impl core::fmt::Display for Skipped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

/// A finite, ordered, randomly accessible list of frames. Every prefix holds (almost) equally many frames of
/// each class.
pub trait FrameSource: Send + Sync {
    /// What this is, for the log: for example `synthetic:CF/test` or a folder.
    fn name(&self) -> String;

    /// Identity of the content: equal hashes mean equal frames (hexadecimal sha256).
    fn content_hash(&self) -> String;

    /// Class names by class id.
    fn class_names(&self) -> &[String];

    /// Number of frames.
    fn len(&self) -> usize;

    /// Whether there are no frames.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was left out when the data set was opened, to be listed at the end of a run; nothing unless it was
    /// asked to skip what cannot be used.
    fn skipped(&self) -> &[Skipped] {
        &[]
    }

    /// Key of the frame at a position.
    ///
    /// # Errors
    /// If the position is not below [`FrameSource::len`].
    fn key(&self, position: usize) -> Result<FrameKey, SourceError>;

    /// The frame at a position.
    ///
    /// # Errors
    /// If the position is out of range or its files cannot be read.
    fn frame(&self, position: usize) -> Result<Frame, SourceError>;
}
