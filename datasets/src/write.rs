//! Writing a data set to disk so that it can be trained on, read back and checked.
//!
//! ```text
//! OUT/dataset.toml           what this is: set, split, versions, counts, hashes; written last
//! OUT/metadata.parquet       one row a frame, every parameter
//! OUT/CsvFiles/<set>_<split>.csv                     png: one column, no header, backslash paths
//! OUT/Cycles/<id>_<Name>/<index>_cycles.png          png: pictures
//! OUT/Masks/<id>_<Name>/<index>_msk.png              png: masks, coverage 0 to 255
//! OUT/{images,masks,labels,indices}-<shard>.npy      npy: u8 n H W 3, u8 n H W, i64 n, i64 n
//! ```
//! A frame counts as written once its line stands in the journal, and the line follows the files, which appear whole or
//! not at all. So a run that was killed continues where it stopped, and ends with the same bytes as one that
//! was not; the number of threads does not show either.

pub mod description;
pub mod disk;
pub mod journal;
pub mod metadata;
pub mod npy;
mod pictures;
mod shards;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use description::{Description, Request};
pub use disk::WriteError;

use crate::digest;
use crate::source::{Frame, FrameSource, MetadataValue};
use journal::{Journal, Row};

/// File format of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One PNG a picture and one a mask, in the layout of the published sister set.
    Png,
    /// Shards of arrays for training.
    Npy {
        /// Frames of a shard; the last may hold fewer.
        shard_frames: usize,
    },
}

impl Format {
    /// Frames of a shard unless another number is asked for: 822 MB with masks at 224 pixels.
    pub const SHARD_FRAMES: usize = 4096;
}

/// Where to and how.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// The folder; created if missing.
    pub out: PathBuf,
    /// File format.
    pub format: Format,
    /// Worker threads, at least 1.
    pub threads: usize,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Frames on disk.
    pub written: usize,
    /// Those of them that an earlier run wrote.
    pub resumed: usize,
    /// Frames of the data set.
    pub total: usize,
}

/// Write every frame of a source.
///
/// `identity` are further entries for `dataset.toml`, such as set and split. `progress` is called
/// after every frame, from any thread.
///
/// # Errors
/// If the folder cannot be written, holds something else, or is in use by another run; if a frame
/// cannot be read.
pub fn write(
    source: &dyn FrameSource,
    identity: &toml::Table,
    options: &WriteOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Description, WriteError> {
    let request = Request::new(source, identity, options.format);
    let out = options.out.as_path();
    if let Some(done) = description::prepare(out, &request)? {
        progress(Progress { written: done.frames(), resumed: done.frames(), total: done.frames() });
        return Ok(done);
    }
    let mut journal = Journal::open(&out.join(journal::FILE), source.len())?;
    match options.format {
        Format::Png => pictures::forget_missing(source, out, &mut journal)?,
        Format::Npy { shard_frames } => {
            shards::forget_missing(source, out, shard_frames, &mut journal);
        }
    }
    let resumed = journal.written();
    let run = Run {
        source,
        out,
        threads: options.threads.max(1),
        total: source.len(),
        resumed,
        progress,
        written: AtomicUsize::new(resumed),
    };
    progress(run.state());
    match options.format {
        Format::Png => pictures::write_all(&run, &mut journal)?,
        Format::Npy { shard_frames } => shards::write_all(&run, shard_frames, &mut journal)?,
    }
    finish(source, out, &request, &mut journal)
}

fn finish(
    source: &dyn FrameSource,
    out: &Path,
    request: &Request,
    journal: &mut Journal,
) -> Result<Description, WriteError> {
    let hashes = metadata::write(&out.join(metadata::FILE), journal)?;
    if request.is_pictures() {
        pictures::write_list(source, out, &request.list_name())?;
    }
    let content = digest::content(hashes.iter().map(|(k, h)| (k.class, k.index, h.as_str())));
    let done = description::finish(out, request, source, &content)?;
    journal.remove()?;
    Ok(done)
}

/// What the workers of one run share.
struct Run<'a> {
    source: &'a dyn FrameSource,
    out: &'a Path,
    threads: usize,
    total: usize,
    resumed: usize,
    progress: &'a (dyn Fn(Progress) + Sync),
    written: AtomicUsize,
}

impl Run<'_> {
    fn state(&self) -> Progress {
        Progress {
            written: self.written.load(Ordering::Relaxed),
            resumed: self.resumed,
            total: self.total,
        }
    }

    fn one_more(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
        (self.progress)(self.state());
    }

    /// Do the work of every position on the worker threads; the first error stops all of them.
    fn each(
        &self,
        positions: &[usize],
        work: &(dyn Fn(usize) -> Result<(), WriteError> + Sync),
    ) -> Result<(), WriteError> {
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<WriteError>> = Mutex::new(None);
        let worker = || {
            while let Some(&position) = positions.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = work(position) {
                    // the other workers find nothing more to do
                    next.store(positions.len(), Ordering::Relaxed);
                    if let Ok(mut failure) = failure.lock() {
                        failure.get_or_insert(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.threads.min(positions.len()) {
                scope.spawn(worker);
            }
        });
        match failure.into_inner() {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(error),
            Err(_) => Err(WriteError::worker_died(self.out)),
        }
    }
}

/// The journal line of a frame: its parameters and what the writer adds to them.
fn row_of(source: &dyn FrameSource, position: usize, frame: &Frame) -> Row {
    let mut values = frame.metadata.clone();
    let class = usize::from(frame.key.class);
    let name = source.class_names().get(class).cloned().unwrap_or_default();
    let text = |value: String| MetadataValue::Text(value);
    values.insert("class".into(), MetadataValue::Integer(i64::from(frame.key.class)));
    values.insert("class_name".into(), text(name));
    values.insert("index".into(), MetadataValue::Integer(i64::from(frame.key.index)));
    values.insert("mask_share".into(), MetadataValue::Number(mask_share(frame)));
    values.insert("pixels_sha256".into(), text(digest::pixels(&frame.image, &frame.mask)));
    Row { position, values }
}

/// Share of the picture whose mask is above 127.
fn mask_share(frame: &Frame) -> f64 {
    let inside = frame.mask.as_raw().iter().filter(|&&v| v > 127).count();
    inside as f64 / frame.mask.as_raw().len().max(1) as f64
}
