//! The evidence pack of a study: everything that is needed to check its figures on another machine, with hashes and versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use super::book::{self, Book};
use super::{REPORT, RESULTS, StudyError, TABLES};
use crate::store;
use crate::store::Stored;
use crate::telemetry::file_hash;

/// Name of the list of hashes and versions.
pub const FILE_NAME: &str = "evidence.json";
/// Version of that list.
pub const SCHEMA: u32 = 1;

const LIMITS: &str = include_str!("limits.md");
const REQUIREMENTS: &str = include_str!("requirements.md");
const README: &str = include_str!("readme.md");
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
    /// Hash of the content by data set.
    pub data: BTreeMap<String, String>,
    /// Hashes of the coalition plans.
    pub coalition_plans: BTreeSet<String>,
    /// Versions: program, renderer, schemas, and every library that is linked.
    pub tools: BTreeMap<String, String>,
    /// Every other file of the pack.
    pub files: Vec<PackedFile>,
}

/// Write the pack of the study in `study` into `pack`; gives the list.
///
/// # Errors
/// If the study cannot be read, or the pack holds files already or cannot be written.
pub fn write(study: &Path, pack: &Path) -> Result<Evidence, StudyError> {
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
    for name in [RESULTS, REPORT] {
        copy(&study.join(name), &pack.join(name))?;
    }
    for name in names_in(&study.join(TABLES))? {
        copy(&study.join(TABLES).join(&name), &pack.join(TABLES).join(&name))?;
    }
    let mut plans = BTreeSet::new();
    for entry in book.entries.iter().filter(|e| !e.points.is_empty()) {
        let (from, to) = (study.join(&entry.id), pack.join(&entry.id));
        plans.extend(Some(Stored::open(&from)?.text("hash.plan")).filter(|h| !h.is_empty()));
        copy_store(&from.join(store::FILE_NAME), &to.join(store::FILE_NAME))?;
    }
    let text = |name: &str, text: &str| {
        let path = pack.join(name);
        fs::write(&path, text).map_err(|source| StudyError::file(&path, source))
    };
    text("plan.toml", book.facts.get("plan").map_or("", String::as_str))?;
    text("LIMITS.md", LIMITS)?;
    text("REQUIREMENTS.md", REQUIREMENTS)?;
    text("README.md", README)?;
    let mut paths = Vec::new();
    walk(pack, &mut paths)?;
    let files = paths.iter().map(|path| packed(pack, path)).collect::<Result<_, _>>()?;
    let evidence = describe(&book, plans, files);
    let json = serde_json::to_string_pretty(&evidence)
        .map_err(|source| StudyError::Json { place: FILE_NAME.to_owned(), source })?;
    text(FILE_NAME, &json)?;
    Ok(evidence)
}

fn describe(book: &Book, coalition_plans: BTreeSet<String>, files: Vec<PackedFile>) -> Evidence {
    let mut executables: BTreeSet<String> =
        book.entries.iter().map(|e| e.executable.clone()).filter(|h| !h.is_empty()).collect();
    executables.insert(super::collect::executable());
    let networks = book.entries.iter().map(|e| {
        let hash = Some(e.network.sha256.clone()).filter(|hash| !hash.is_empty());
        (e.network.name.clone(), hash)
    });
    let data = book.entries.iter().filter(|e| !e.hash_data.is_empty());
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
        networks: networks.collect(),
        data: data.map(|e| (e.data.name.clone(), e.hash_data.clone())).collect(),
        coalition_plans,
        tools,
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
    let inner = path.strip_prefix(pack).unwrap_or(path);
    let parts: Vec<_> = inner.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    Ok(PackedFile {
        path: parts.join("/"),
        sha256: file_hash(path).map_err(wrong)?,
        bytes: fs::metadata(path).map_err(wrong)?.len(),
    })
}

fn copy(from: &Path, to: &Path) -> Result<(), StudyError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|source| StudyError::file(folder, source))?;
    }
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

    #[test]
    fn the_map_names_the_three_standards_and_only_files_that_are_packed() {
        for standard in ["ISO 26262-8", "ISO 21448", "ISO/PAS 8800"] {
            assert!(REQUIREMENTS.contains(standard), "{standard}");
        }
        for name in [FILE_NAME, "LIMITS.md", "plan.toml", RESULTS, REPORT, book::FILE_NAME] {
            assert!(REQUIREMENTS.contains(name) || README.contains(name), "{name}");
        }
        let findings = super::super::analyse(&Book::default());
        let known = |id: &str| id == "missing" || findings.findings.iter().any(|f| f.id == id);
        for place in REQUIREMENTS.split("`#").chain(REQUIREMENTS.split("report.html#")).skip(1) {
            let id: String =
                place.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            assert!(place.starts_with("# From") || known(&id), "#{id} is no part of the report");
        }
        for name in REQUIREMENTS.split("`tables/").skip(1) {
            let name = name.split(".csv").next().unwrap();
            let tables = || findings.findings.iter().flat_map(|f| &f.tables);
            assert!(name.starts_with('`') || tables().any(|t| t.name == name), "{name}");
        }
    }
}
