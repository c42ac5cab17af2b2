//! A data set held in memory and shown in a loop: a camera that costs no rendering time.

use datasets::source::{Frame, FrameKey, FrameSource, SourceError};

/// The first frames of a data set, again and again.
pub struct Preloaded {
    name: String,
    hash: String,
    class_names: Vec<String>,
    frames: Vec<Frame>,
    len: usize,
}

impl std::fmt::Debug for Preloaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Preloaded").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Preloaded {
    /// Read the first `count` frames (at most as many as there are) and show them in a loop `len` long.
    ///
    /// # Errors
    /// If there are no frames, or one cannot be read.
    pub fn load(
        source: &dyn FrameSource,
        count: usize,
        len: usize,
        mut progress: impl FnMut(usize),
    ) -> Result<Self, SourceError> {
        let count = count.min(source.len());
        if count == 0 {
            return Err(SourceError::OutOfRange { position: 0, len: source.len() });
        }
        let mut frames = Vec::with_capacity(count);
        for position in 0..count {
            frames.push(source.frame(position)?);
            progress(position + 1);
        }
        Ok(Self {
            name: format!("{}, the first {count} frames in a loop", source.name()),
            hash: format!("{}:{count}", source.content_hash()),
            class_names: source.class_names().to_vec(),
            frames,
            len,
        })
    }

    fn at(&self, position: usize) -> Result<&Frame, SourceError> {
        if position >= self.len {
            return Err(SourceError::OutOfRange { position, len: self.len });
        }
        Ok(&self.frames[position % self.frames.len()])
    }
}

impl FrameSource for Preloaded {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn content_hash(&self) -> String {
        self.hash.clone()
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn len(&self) -> usize {
        self.len
    }

    fn key(&self, position: usize) -> Result<FrameKey, SourceError> {
        Ok(self.at(position)?.key)
    }

    fn frame(&self, position: usize) -> Result<Frame, SourceError> {
        self.at(position).cloned()
    }
}
