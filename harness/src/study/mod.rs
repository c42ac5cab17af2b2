//! A study: a grid of networks, data sets and ways to explain, worked through cell by cell, and what follows from it.
//!
//! ```text
//! plan -> cells -> work (an ordinary run a cell) -> collect -> study.sqlite -> analyse -> results.json, report.html, tables
//! ```
//!
//! Every figure is derived from `study.sqlite` alone, so a report can be made again at any time, and checked on another
//! machine.

pub mod analysis;
pub mod book;
pub mod cell;
pub mod collect;
mod cost;
mod derived;
pub mod evidence;
pub mod finding;
pub mod import;
mod latex;
mod overview;
mod page;
mod paper;
pub mod plan;
mod tables;
mod verify;
pub mod work;

pub use analysis::analyse;
pub use book::Book;
pub use cell::{Cell, cells};
pub use collect::collect;
pub use cost::shard;
pub use finding::Findings;
pub use plan::StudyPlan;
pub use verify::{Check, verify};
pub use work::{State, StudyProgress, work};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::report::ReportError;
use crate::run::RunError;
use crate::store::StoreError;

/// Figures with intervals and verdicts, for machines.
pub const RESULTS: &str = "results.json";
/// The page.
pub const REPORT: &str = "report.html";
/// Folder of the tables as CSV and LaTeX.
pub const TABLES: &str = "tables";

/// Why a study could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The plan is not usable.
    #[error("{place}: {problem}; {remedy}")]
    Plan {
        /// File or setting.
        place: String,
        /// What was expected and found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// A cell could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The store of a cell could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A figure could not be drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The folder of a cell holds another run.
    #[error(
        "{folder}: run with {setting} = {wanted} expected, {found} found; choose another --out or remove that folder"
    )]
    OtherCell {
        /// Folder of the cell.
        folder: PathBuf,
        /// First setting that differs.
        setting: String,
        /// Value in the store.
        found: String,
        /// Value of the plan.
        wanted: String,
    },
    /// There is no study in a folder.
    #[error(
        "{path}: study store expected, no file found; name a folder that `roadgaze study` has written"
    )]
    NoStudy {
        /// The store.
        path: PathBuf,
    },
    /// The store of a study is of another version.
    #[error(
        "{path}: study store of schema {expected} expected, schema {found} found; collect it again with `roadgaze study`"
    )]
    Schema {
        /// The store.
        path: PathBuf,
        /// Version that this program reads.
        expected: i64,
        /// What is there.
        found: i64,
    },
    /// The store of a study cannot be read or written.
    #[error("{path}: {source}")]
    Book {
        /// The store.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Results cannot be written or read as JSON.
    #[error("{place}: {source}")]
    Json {
        /// Which.
        place: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl StudyError {
    fn book(path: &Path, source: rusqlite::Error) -> Self {
        Self::Book { path: path.to_owned(), source }
    }

    fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// Write `results.json`, `report.html` and the tables from the study's store; gives the findings.
///
/// # Errors
/// If the store cannot be read, a figure not be drawn or a file not be written.
pub fn report(folder: &Path) -> Result<Findings, StudyError> {
    let book = Book::read(folder)?;
    let findings = analyse(&book);
    let json = serde_json::to_string_pretty(&findings)
        .map_err(|source| StudyError::Json { place: RESULTS.to_owned(), source })?;
    write(&folder.join(RESULTS), &json)?;
    let tables = folder.join(TABLES);
    fs::create_dir_all(&tables).map_err(|source| StudyError::file(&tables, source))?;
    for (name, text) in texts(&book, &findings)? {
        write(&folder.join(name), &text)?;
    }
    Ok(findings)
}

/// Report and tables, of which every byte follows from the book: path inside the folder of the study, and text.
fn texts(book: &Book, findings: &Findings) -> Result<Vec<(String, String)>, StudyError> {
    let mut texts = vec![(REPORT.to_owned(), page::html(book, findings)?)];
    let verdicts = overview::verdict_table(findings);
    for table in findings.findings.iter().flat_map(|f| &f.tables).chain([&verdicts]) {
        texts.push((format!("{TABLES}/{}.csv", table.name), tables::csv(table)?));
        texts.push((format!("{TABLES}/{}.tex", table.name), latex::latex(table)));
    }
    Ok(texts)
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), StudyError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, text)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|source| StudyError::file(path, source))
}
