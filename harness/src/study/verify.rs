//! Checks an evidence pack: files against hashes, the study against the run stores, figures and pages against the study, pixels
//! against the renderer.
//!
//! What cannot be opened is a finding like any other. Whoever has a damaged pack wants to see which file has another hash and
//! what still holds, not the first error; so no check ends the others, and one that could not be made says why and does not hold.

mod cells;
mod columns;
mod pictures;
mod rows;
mod values;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

use serde_json::Value;

use super::book::{self, Book, Entry};
use super::cell::DataFacts;
use super::evidence::{self, Evidence};
use super::{RESULTS, StudyError, analyse, derived};
use crate::store::{self, Stored};

/// Largest relative difference of a derived figure: the last bits of a logarithm differ between machines.
pub(super) const TOLERANCE: f64 = 1e-9;

const FILES: &str = "files against their hashes";
const ROWS: &str = "rows of the study against the run stores";
const INPUTS: &str = "networks and data sets against the list";
const FIGURES: &str = "figures and verdicts against the study";
pub(super) const PAGES: &str = "report and tables against the study";
const PICTURES: &str = "pictures and ratios rendered and computed again";

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// How many were looked at.
    pub looked_at: usize,
    /// What does not hold, a line each.
    pub wrong: Vec<String>,
}

/// Check a pack; `frames` pictures of each cell are rendered again.
///
/// # Errors
/// If there is no list of evidence in the folder, it is of another schema, or it cannot be read. What does not hold is no error,
/// but stands in the checks, and so does what else cannot be read.
pub fn verify(pack: &Path, frames: usize) -> Result<Vec<Check>, StudyError> {
    let evidence = Evidence::read(pack)?;
    let mut files = files(pack, &evidence);
    if files.wrong.iter().any(|w| w.contains("-wal: ") || w.contains("-journal: ")) {
        let why = "what stands in a journal would be read in place of what has a hash";
        let others = [ROWS, INPUTS, FIGURES, PAGES, PICTURES].map(|what| not_made(what, why));
        return Ok([files].into_iter().chain(others).collect());
    }
    let book = match Book::read(pack) {
        Ok(book) => book,
        Err(error) => return Ok(without_study(files, pack, &evidence, frames, &error)),
    };
    let stray = book.entries.iter().filter(|entry| !is_inside(&entry.id));
    files.wrong.extend(stray.map(|e| format!("cell {}: a folder inside the pack expected", e.id)));
    Ok(vec![
        files,
        rows::check(pack, &book),
        inputs(&book, &evidence),
        figures(pack, &book),
        derived::check(pack, &book, &evidence),
        pictures::check(pack, with_frames(&book), frames),
    ])
}

fn not_made(what: &'static str, why: &str) -> Check {
    Check { what, looked_at: 0, wrong: vec![format!("not made: {why}")] }
}

/// The checks of a pack whose study cannot be read: what the run stores tell by themselves is still held against the renderer.
fn without_study(
    files: Check,
    pack: &Path,
    evidence: &Evidence,
    frames: usize,
    error: &StudyError,
) -> Vec<Check> {
    let (cells, unopened) = told_by_stores(pack, evidence);
    let mut wrong = unread(error, evidence);
    wrong.extend(unopened.iter().cloned());
    let mut pictures = pictures::check(pack, &cells, frames);
    pictures.wrong.extend(unopened);
    let why = format!("{} cannot be read", book::FILE_NAME);
    vec![
        files,
        Check { what: ROWS, looked_at: 0, wrong },
        not_made(INPUTS, &why),
        not_made(FIGURES, &why),
        not_made(PAGES, &why),
        pictures,
    ]
}

/// What was expected of the study's store and what was found; for another schema, with the program that made the pack.
fn unread(error: &StudyError, evidence: &Evidence) -> Vec<String> {
    let expected = format!("{}: study store expected", book::FILE_NAME);
    match error {
        StudyError::NoStudy { .. } => vec![format!("{expected}, no file found")],
        StudyError::Schema { expected: schema, found, .. } => {
            let other = evidence.other_program();
            [format!("{expected} of schema {schema}, schema {found} found")]
                .into_iter()
                .chain(other.map(|programs| format!("{programs}; verify it with that one")))
                .collect()
        }
        StudyError::Book { source, .. } => {
            vec![format!("{expected}, found what cannot be read as one ({source})")]
        }
        other => vec![other.to_string()],
    }
}

/// Cells as the run stores of the list tell them, enough to render their pictures again; why others cannot be opened.
fn told_by_stores(pack: &Path, evidence: &Evidence) -> (Vec<Entry>, Vec<String>) {
    let (mut cells, mut unopened) = (Vec::new(), Vec::new());
    let end = format!("/{}", store::FILE_NAME);
    let folders = evidence.files.iter().filter_map(|file| file.path.strip_suffix(end.as_str()));
    for id in folders.filter(|id| is_inside(id)) {
        match Stored::open(&pack.join(id)) {
            Ok(stored) => cells.push(Entry {
                id: id.to_owned(),
                data: DataFacts::of(&stored.text("data.name"), &[]).unwrap_or_default(),
                // a run of the study has one method; of an import the first does
                explainer: stored.methods().into_iter().next().unwrap_or_default(),
                ..Entry::default()
            }),
            Err(error) => unopened.push(error.to_string()),
        }
    }
    (cells, unopened)
}

/// Whether a path of a list leads nowhere but into the pack.
fn is_inside(path: &str) -> bool {
    let normal = |c| matches!(c, Component::Normal(_));
    !path.is_empty() && Path::new(path).components().all(normal)
}

/// Every file is there with its hash, and none else.
fn files(pack: &Path, evidence: &Evidence) -> Check {
    let mut wrong = Vec::new();
    for file in &evidence.files {
        if !is_inside(&file.path) {
            wrong.push(format!("{}: a path inside the pack expected", file.path));
            continue;
        }
        let path = pack.join(&file.path);
        if !path.is_file() {
            wrong.push(format!("{}: file expected, none found", file.path));
            continue;
        }
        match evidence::packed(pack, &path) {
            Ok(found) if found.sha256 == file.sha256 => {}
            Ok(found) => wrong.push(format!(
                "{}: sha256 {} expected, {} found",
                file.path, file.sha256, found.sha256
            )),
            Err(error) => wrong.push(format!("a file that can be read expected, {error}")),
        }
    }
    let known: BTreeSet<&str> = evidence.files.iter().map(|f| f.path.as_str()).collect();
    let mut paths = Vec::new();
    if let Err(error) = evidence::walk(pack, &mut paths) {
        wrong.push(format!("a folder that can be read expected, {error}"));
    }
    for path in paths {
        let inner = evidence::inner(pack, &path);
        // journals of SQLite too: what stands in one would be read in place of what the hashes are of
        if inner != evidence::FILE_NAME && !known.contains(inner.as_str()) {
            wrong.push(format!("{inner}: not in {}", evidence::FILE_NAME));
        }
    }
    Check { what: FILES, looked_at: evidence.files.len(), wrong }
}

fn with_frames(book: &Book) -> impl Iterator<Item = &Entry> {
    // nothing is opened outside the pack; such a cell stands among the files
    book.entries.iter().filter(|e| !e.points.is_empty() && is_inside(&e.id))
}

/// Hashes of networks and data sets are those of the list.
fn inputs(book: &Book, evidence: &Evidence) -> Check {
    let mut wrong = Vec::new();
    for entry in with_frames(book) {
        let network = evidence.networks.get(&entry.network.name).cloned().flatten();
        if network.as_deref() != Some(entry.network.sha256.as_str()) {
            wrong.push(format!("{}: the network is not that of the list", entry.id));
        }
        // what an import shows is held against the renderer, picture by picture
        let listed = evidence.data.get(&entry.data.name) == Some(&entry.hash_data);
        if entry.import.is_none() && !listed {
            wrong.push(format!("{}: the data set is not that of the list", entry.id));
        }
    }
    Check { what: INPUTS, looked_at: with_frames(book).count(), wrong }
}

/// Every figure follows from the study.
fn figures(pack: &Path, book: &Book) -> Check {
    let (mut looked_at, mut wrong) = (0, Vec::new());
    let bytes = fs::read(pack.join(RESULTS)).map_err(|error| error.to_string());
    let kept = bytes.and_then(|b| serde_json::from_slice::<Value>(&b).map_err(|e| e.to_string()));
    let derived = serde_json::to_value(analyse(book)).map_err(|error| error.to_string());
    match (derived, kept) {
        (Ok(derived), Ok(kept)) => {
            values::compare(RESULTS, &derived, &kept, &mut looked_at, &mut wrong);
        }
        (Err(problem), _) | (_, Err(problem)) => {
            wrong.push(format!("{RESULTS}: figures as JSON expected, found none ({problem})"));
        }
    }
    Check { what: FIGURES, looked_at, wrong }
}
