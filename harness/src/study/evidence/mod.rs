//! The evidence pack of a study: everything that is needed to check its figures on another machine, with hashes and versions.
//!
//! `evidence.json` lists every other file with its hash. Its own hash is the [`anchor`] of the pack: whoever keeps that number elsewhere can
//! tell a pack from one that was forged as a whole.

mod documents;
mod networks;
mod program;
mod read;
mod toolchain;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

pub(super) use networks::manifest;
pub use toolchain::Toolchain;

use super::StudyError;
use super::book::{self, Book};
use super::cell::Cell;
use crate::store;
use crate::store::Stored;
use crate::telemetry::file_hash;

/// Name of the list of hashes and versions.
pub const FILE_NAME: &str = "evidence.json";
/// Version of that list.
pub const SCHEMA: u32 = 2;

const LOCK: &str = include_str!("../../../../Cargo.lock");

/// A file of the pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedFile {
    /// Path inside the pack, with `/`.
    pub path: String,
    /// Hexadecimal sha256.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
}

/// Hashes and versions behind a study.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Version of this list.
    pub schema: u32,
    /// When it was written, seconds since 1970 (UTC).
    pub written_unix: u64,
    /// Hash of the program that wrote the pack, and of those that ran the cells.
    pub executables: BTreeSet<String>,
    /// sha256 of the model file by network; nothing for networks that do not exist.
    pub networks: BTreeMap<String, Option<String>>,
    /// Manifests and calibration reports that are not in the pack, with the reason.
    #[serde(default)]
    pub not_packed: BTreeMap<String, String>,
    /// Hash of the content by data set.
    pub data: BTreeMap<String, String>,
    /// Hashes of the coalition plans.
    pub coalition_plans: BTreeSet<String>,
    /// Versions: program, renderer, schemas, and every package of the lock file.
    pub tools: BTreeMap<String, String>,
    /// What built the program that wrote the pack; those that ran the cells are known by their hashes.
    #[serde(default)]
    pub toolchain: Toolchain,
    /// Every other file of the pack.
    pub files: Vec<PackedFile>,
}

/// Write the pack of the study in `study` into `pack`; gives the list. Of the cells those are looked at whose runs were imported:
/// their stores lie elsewhere, and go where the others are, by the id of the cell.
///
/// # Errors
/// If the study cannot be read, or the pack holds files already or cannot be written.
pub fn write(study: &Path, pack: &Path, cells: &[Cell]) -> Result<Evidence, StudyError> {
    let book = Book::read(study)?;
    if fs::read_dir(pack).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(StudyError::Plan {
            place: pack.display().to_string(),
            problem: "expected an empty or new folder, found files".to_owned(),
            remedy: "choose another folder for --evidence".to_owned(),
        });
    }
    fs::create_dir_all(pack).map_err(|source| StudyError::file(pack, source))?;
    copy_store(&study.join(book::FILE_NAME), &pack.join(book::FILE_NAME))?;
    // made again from the store that is packed, so that it holds nothing that another program or hand has left in the study
    super::report(pack)?;
    let not_packed = networks::copy(&book, pack)?;
    let mut plans = BTreeSet::new();
    for entry in book.entries.iter().filter(|e| !e.points.is_empty()) {
        let cell = cells.iter().find(|cell| cell.id == entry.id);
        let imported = cell.and_then(|cell| Some(cell.import.as_ref()?.folder.clone()));
        let (from, to) = (imported.unwrap_or_else(|| study.join(&entry.id)), pack.join(&entry.id));
        // a store that does not hold together is no evidence
        drop(Stored::open(&from)?);
        plans.extend(Some(entry.hash_plan.clone()).filter(|hash| !hash.is_empty()));
        copy_store(&from.join(store::FILE_NAME), &to.join(store::FILE_NAME))?;
    }
    text(&pack.join("plan.toml"), book.facts.get("plan").map_or("", String::as_str))?;
    for (name, content) in documents::ALL {
        text(&pack.join(name), content)?;
    }
    let mut paths = Vec::new();
    walk(pack, &mut paths)?;
    let files = paths.iter().map(|path| packed(pack, path)).collect::<Result<_, _>>()?;
    let evidence = describe(&book, plans, not_packed, files);
    let json = serde_json::to_string_pretty(&evidence)
        .map_err(|source| StudyError::Json { place: FILE_NAME.to_owned(), source })?;
    text(&pack.join(FILE_NAME), &json)?;
    Ok(evidence)
}

/// The number to keep elsewhere: sha256 of the list, which has the hashes of all else.
///
/// # Errors
/// If there is no list.
pub fn anchor(pack: &Path) -> Result<String, StudyError> {
    let path = pack.join(FILE_NAME);
    file_hash(&path).map_err(|source| StudyError::file(&path, source))
}

fn describe(
    book: &Book,
    coalition_plans: BTreeSet<String>,
    not_packed: BTreeMap<String, String>,
    files: Vec<PackedFile>,
) -> Evidence {
    let mut executables: BTreeSet<String> =
        book.entries.iter().map(|e| e.executable.clone()).filter(|h| !h.is_empty()).collect();
    executables.insert(super::collect::executable());
    let mut networks: BTreeMap<String, Option<String>> = BTreeMap::new();
    for network in book.entries.iter().map(|e| &e.network) {
        // of two imports of one network, one may be missing
        let known = networks.entry(network.name.clone()).or_default();
        *known = Some(network.sha256.clone()).filter(|hash| !hash.is_empty()).or(known.take());
    }
    let data = book.entries.iter().filter(|e| e.import.is_none() && !e.hash_data.is_empty());
    let mut tools = linked();
    for name in ["roadgaze", "renderer", "run_store_schema"] {
        tools.insert(name.to_owned(), book.facts.get(name).cloned().unwrap_or_default());
    }
    tools.insert("sqlite".to_owned(), rusqlite::version().to_owned());
    tools.insert("rust (least)".to_owned(), env!("CARGO_PKG_RUST_VERSION").to_owned());
    Evidence {
        schema: SCHEMA,
        written_unix: crate::clock::unix_seconds(),
        executables,
        networks,
        not_packed,
        data: data.map(|e| (e.data.name.clone(), e.hash_data.clone())).collect(),
        coalition_plans,
        tools,
        toolchain: Toolchain::of_this_program(),
        files,
    }
}

/// Name and version of every package of the build.
fn linked() -> BTreeMap<String, String> {
    let lock: toml::Table = LOCK.parse().unwrap_or_default();
    let packages = lock.get("package").and_then(|p| p.as_array()).cloned().unwrap_or_default();
    let text = |package: &toml::Value, key: &str| {
        package.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
    };
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for package in &packages {
        let versions = found.entry(format!("crate {}", text(package, "name"))).or_default();
        if !versions.is_empty() {
            versions.push_str(", ");
        }
        versions.push_str(&text(package, "version"));
    }
    found
}

/// All files below a folder, sorted.
pub(super) fn walk(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), StudyError> {
    for name in names_in(folder)? {
        let path = folder.join(name);
        if path.is_dir() { walk(&path, into)? } else { into.push(path) }
    }
    Ok(())
}

fn names_in(folder: &Path) -> Result<BTreeSet<std::ffi::OsString>, StudyError> {
    let read = || -> std::io::Result<BTreeSet<std::ffi::OsString>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
    };
    read().map_err(|source| StudyError::file(folder, source))
}

pub(super) fn packed(pack: &Path, path: &Path) -> Result<PackedFile, StudyError> {
    let wrong = |source| StudyError::file(path, source);
    Ok(PackedFile {
        path: inner(pack, path),
        sha256: file_hash(path).map_err(wrong)?,
        bytes: fs::metadata(path).map_err(wrong)?.len(),
    })
}

/// Path inside the pack, with `/`.
pub(super) fn inner(pack: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(pack).unwrap_or(path);
    let parts: Vec<_> = inner.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// Writes a file, and the folder that it lies in.
fn text(path: &Path, text: &str) -> Result<(), StudyError> {
    folder_of(path)?;
    fs::write(path, text).map_err(|source| StudyError::file(path, source))
}

fn folder_of(path: &Path) -> Result<(), StudyError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|source| StudyError::file(folder, source))
}

fn copy(from: &Path, to: &Path) -> Result<(), StudyError> {
    folder_of(to)?;
    fs::copy(from, to).map(drop).map_err(|source| StudyError::file(from, source))
}

/// One whole file, whatever is still in the journal of the original.
fn copy_store(from: &Path, to: &Path) -> Result<(), StudyError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|source| StudyError::file(folder, source))?;
    }
    let run = || -> rusqlite::Result<()> {
        let db = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map(drop)
    };
    run().map_err(|source| StudyError::book(from, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_library_of_the_build_is_listed_with_its_version() {
        let tools = linked();
        assert!(tools.len() > 100, "{}", tools.len());
        assert_eq!(tools["crate harness"], env!("CARGO_PKG_VERSION"));
        assert!(tools["crate tract-core"].starts_with("0.23"), "{}", tools["crate tract-core"]);
    }
}
