//! The run store: one SQLite file that survives a crash at any moment and opens in every tool.
//!
//! A frame's row, its attributions and its stage times go in by one transaction (WAL journal,
//! `synchronous = FULL`): after a power cut a frame is there whole or not at all. So a run is resumed by
//! asking which positions are missing, and every figure of a report is derived from this file alone.
//!
//! Tables: `setting` (name, JSON value), `frame` (a row a frame), `attribution` (a row a frame and
//! method), `stage_time` (a row a frame and stage), `plan` (coalition plans by hash), `preview` (JPEG
//! and mask of the frames kept for the report), `seal` (a digest of each of these). Schema version: `PRAGMA user_version`.

mod device;
pub mod kernels;
mod merge;
mod read;
mod rows;
mod seal;
mod shard;
pub mod sketch;
mod write;

pub use merge::{MergeError, SHARD, merge};
pub use read::{Stored, StoredFrame};
pub use rows::{AttributionRow, FrameRow, Preview, Stage};
pub use shard::Shard;
pub use write::RunStore;

use std::path::{Path, PathBuf};

/// Schema version that this code writes and reads.
pub const SCHEMA: i64 = 2;
/// Name of the store inside a run folder.
pub const FILE_NAME: &str = "run.sqlite";
/// Setting with the judgement on the whole run.
pub(crate) const VERDICT: &str = "verdict";
/// Setting with the number of frames that were left out, by reason.
pub(crate) const DROPPED: &str = "frames.dropped";
/// Setting with the number of device events that the log had no room for.
pub(crate) const UNLOGGED: &str = "telemetry.frames_dropped";

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full.
    #[error(
        "{path}: no room left on the disk ({source}); free some, then go on with --resume: \
         what was stored before is safe"
    )]
    Full {
        /// The store.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The run folder cannot be written.
    #[error(
        "{path}: a run folder that can be written expected, {source}; choose another with --out"
    )]
    Folder {
        /// Folder or store.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database reported an error.
    #[error("{path}: {source}")]
    Database {
        /// The store.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Not a run store, or one of another version.
    #[error("{path}: run store of schema {expected} expected, {found}; {remedy}")]
    Schema {
        /// The file.
        path: PathBuf,
        /// Version that this program reads.
        expected: i64,
        /// What is there.
        found: String,
        /// What the user can do.
        remedy: String,
    },
    /// The file is no longer where it was opened.
    #[error(
        "{path}: the run store is gone: its folder was removed or replaced while the run went on; \
         begin anew with a folder that stays"
    )]
    Gone {
        /// The store.
        path: PathBuf,
    },
    /// A stored value is not the one that was written.
    #[error(
        "{path}: {place} is not as it was written: the disk or another program changed it; \
         restore the folder from a copy, or begin anew with another --out"
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What is wrong.
        place: String,
    },
    /// A stored value does not have the form that the schema promises.
    #[error(
        "{path}: {what} expected in {place}, found {found}; the file was changed by another program"
    )]
    Value {
        /// The store.
        path: PathBuf,
        /// Table and row.
        place: String,
        /// What was expected.
        what: &'static str,
        /// What is there.
        found: String,
    },
    /// The folder holds a run already.
    #[error(
        "{path}: this folder already holds a run; choose another --out, or continue it with --resume"
    )]
    Exists {
        /// The store.
        path: PathBuf,
    },
    /// A run was to be resumed with other settings.
    #[error(
        "{path}: the run was started with {setting} = {stored}, now it is {wanted}; \
         resume with the same settings or choose another --out"
    )]
    OtherSettings {
        /// The store.
        path: PathBuf,
        /// Name of the first setting that differs.
        setting: String,
        /// Value in the store.
        stored: String,
        /// Value asked for.
        wanted: String,
    },
    /// A folder or file could not be made or read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl StoreError {
    /// An error of the database, with the remedy where there is one.
    fn database(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full { path, source },
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Damaged { path, place: format!("the file ({source})") }
            }
            _ => Self::Database { path, source },
        }
    }
}

/// A frame for tests elsewhere.
#[cfg(test)]
pub(crate) mod testing {
    pub(crate) use super::read::tests::row;
}
