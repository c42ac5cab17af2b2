//! A run for other tools: Parquet, CSV and JSON lines for data frames, MCAP for players of robot logs.
//!
//! Everything comes from the run store (and, for MCAP, the event log). The tables are the same in the three table formats, one
//! file a table: `frames`, `attributions`, `stages`, `device`, `settings`.

mod csv_file;
mod jsonl_file;
mod mcap_file;
mod parquet_file;
mod schemas;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

pub use table::{Column, Table, Values, tables};

use crate::store::{StoreError, Stored};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One Parquet file a table.
    Parquet,
    /// One CSV file a table.
    Csv,
    /// One file of JSON objects, a line each, a table.
    Jsonl,
    /// One MCAP file with pictures, annotations, log and diagnostics.
    Mcap,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Parquet, Self::Csv, Self::Jsonl, Self::Mcap];

    /// Name on the command line and ending of the files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Mcap => "mcap",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Why a run could not be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The run could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be written.
    #[error("{path}: {problem}; free space or choose another folder with --out")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

impl ExportError {
    fn write(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Write { path: path.to_owned(), problem: problem.to_string() }
    }
}

/// Write a run in a format into a folder; gives the files.
///
/// # Errors
/// If the run cannot be read or a file cannot be written.
pub fn export(run: &Path, format: Format, out: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let stored = Stored::open(run)?;
    fs::create_dir_all(out).map_err(|e| ExportError::write(out, e))?;
    if format == Format::Mcap {
        let path = out.join("run.mcap");
        mcap_file::write(&stored, run, &path)?;
        return Ok(vec![path]);
    }
    let mut files = Vec::new();
    for table in tables(&stored)? {
        let path = out.join(format!("{}.{}", table.name, format.name()));
        match format {
            Format::Parquet => parquet_file::write(&table, &path)?,
            Format::Csv => csv_file::write(&table, &path)?,
            Format::Jsonl | Format::Mcap => jsonl_file::write(&table, &path)?,
        }
        files.push(path);
    }
    Ok(files)
}
