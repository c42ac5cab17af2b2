//! From the run store to figures a person can use: `summary.json`, the terminal table, `report.html`.
//!
//! Everything here is derived from the store alone, so a report can be made again at any time.

pub mod budget;
pub mod chart;
#[cfg(test)]
mod colour_distance;
pub mod comparison;
#[cfg(test)]
pub(crate) mod contrast;
mod gallery;
pub mod interval_chart;
pub mod mark_rows;
mod name_colours;
mod page;
mod picture;
mod plot;
pub mod summary;
mod table;

pub use page::html;
pub use picture::{overlay, preview};
pub use summary::Summary;
pub use table::terminal_tables;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::store::{StoreError, Stored};

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The run could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be written.
    #[error("{path}: {source}; free space or choose another folder")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A stored picture could not be decoded, or one not be encoded.
    #[error("{path}, frame {position}: {problem}")]
    Picture {
        /// The store.
        path: PathBuf,
        /// Which frame.
        position: u32,
        /// What is wrong.
        problem: String,
    },
    /// A plot could not be drawn.
    #[error("plot {name}: {problem}")]
    Plot {
        /// Which.
        name: &'static str,
        /// What the plotting library says.
        problem: String,
    },
    /// The summary could not be written as JSON.
    #[error("summary: {0}")]
    Json(#[from] serde_json::Error),
}

/// Write `summary.json` and `report.html` into the run folder; gives the summary.
///
/// # Errors
/// If the run cannot be read or the files cannot be written.
pub fn write(folder: &Path) -> Result<Summary, ReportError> {
    let stored = Stored::open(folder)?;
    let summary = Summary::of(&stored);
    let json = serde_json::to_string_pretty(&summary)?;
    write_whole(&folder.join("summary.json"), json.as_bytes())?;
    let page = html(&stored, &summary, folder)?;
    write_whole(&folder.join("report.html"), page.as_bytes())?;
    Ok(summary)
}

/// Write a file so that it is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let temporary = path.with_extension("part");
    let run = || -> std::io::Result<()> {
        // anew, so that a link in its place is not followed
        drop(fs::remove_file(&temporary));
        let mut file = fs::File::create_new(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    run().map_err(|source| {
        // a part of a report is of no use; if it cannot be removed, the error tells why
        drop(fs::remove_file(&temporary));
        ReportError::Write { path: path.to_owned(), source }
    })
}
