//! Does anything import what stands to its right?
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of `harness` in the order in which data flows.
const MODULES: [&str; 16] = [
    "clock",
    "telemetry",
    "feed",
    "attribution",
    "metrics",
    "stats",
    "games",
    "store",
    "compare",
    "report",
    "run",
    "doctor",
    "bench",
    "export",
    "study",
    "cli",
];

/// Crates and those of ours that each may use.
const CRATES: [(&str, &[&str]); 7] = [
    ("firmware_host", &[]),
    ("datasets", &[]),
    ("models/kernels", &[]),
    ("models", &["kernels"]),
    ("calibration", &["models", "datasets"]),
    ("harness/defmt_host", &[]),
    ("harness", &["firmware_host", "datasets", "models", "calibration", "defmt_host"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Modules of the crate that a source text names, in code or in documentation links.
fn named(text: &str) -> Vec<&str> {
    text.split("crate::")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap())
        .collect()
}

#[test]
fn no_module_of_the_harness_imports_one_to_its_right() {
    let folder = root().join("harness/src");
    let rank = |name: &str| MODULES.iter().position(|m| *m == name);
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let mut checked = 0;
    for file in files {
        let inner = file.strip_prefix(&folder).unwrap();
        let first = inner.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.strip_suffix(".rs").unwrap_or(first);
        if matches!(module, "lib" | "main") {
            continue;
        }
        let own =
            rank(module).unwrap_or_else(|| panic!("module `{module}` has no place in the order"));
        for name in named(&fs::read_to_string(&file).unwrap()) {
            let Some(other) = rank(name) else { continue };
            assert!(
                other <= own,
                "{}: `{module}` imports `{name}`, which stands to its right",
                inner.display()
            );
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} imports seen: does the test still look at the code?");
}

#[test]
fn crates_depend_only_on_those_to_their_left() {
    let ours: Vec<&str> = CRATES.iter().map(|(path, _)| path.rsplit('/').next().unwrap()).collect();
    for (path, allowed) in CRATES {
        let manifest = fs::read_to_string(root().join(path).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or("");
        let dependencies = dependencies.split("\n[").next().unwrap();
        for line in dependencies.lines() {
            let name = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
            if ours.contains(&name) {
                assert!(allowed.contains(&name), "{path} depends on {name}");
            }
        }
    }
}

#[test]
fn main_stays_short() {
    let main = fs::read_to_string(root().join("harness/src/main.rs")).unwrap();
    assert!(main.lines().count() < 60, "main.rs has {} lines", main.lines().count());
}
