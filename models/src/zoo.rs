//! Finds networks: by path, or by name in the folders where a zoo may lie.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::describe::manifest_path;
use crate::error::ModelError;

/// Environment variable with the folder of a zoo, looked at first.
pub const ZOO_VARIABLE: &str = "ROADGAZE_ZOO";

/// Folders in which a zoo may lie, in the order in which they are searched: `ROADGAZE_ZOO`, `zoo`
/// and `models/zoo` beside the binary, the source tree that cargo runs it in, the one it was built from,
/// `/usr/share/roadgaze/zoo`.
#[must_use]
pub fn folders() -> Vec<PathBuf> {
    let named = env::var_os(ZOO_VARIABLE).map(PathBuf::from);
    let binary = env::current_exe().ok().and_then(|p| p.parent().map(Path::to_owned));
    let beside = binary.into_iter().flat_map(|f| [f.join("zoo"), f.join("models/zoo")]);
    // under cargo the tree that it is run in counts: two trees may share a target folder, and the path that the compiler saw
    // may be that of the other
    let tree =
        env::var_os("CARGO_MANIFEST_DIR").map(|package| Path::new(&package).join("../models/zoo"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo");
    let system = PathBuf::from("/usr/share/roadgaze/zoo");
    named.into_iter().chain(beside).chain(tree).chain([source, system]).collect()
}

/// Path of the manifest of a network, given the name of a zoo entry, the path of a manifest, or the
/// path of an ONNX file with its manifest beside it. `NAME.f32` also finds `NAME.f16`.
///
/// # Errors
/// If there is no such network; the message lists those that were found.
pub fn find(name_or_path: &str) -> Result<PathBuf, ModelError> {
    find_in(name_or_path, &folders())
}

/// [`find`] in given folders.
///
/// # Errors
/// As [`find`].
pub fn find_in(name_or_path: &str, folders: &[PathBuf]) -> Result<PathBuf, ModelError> {
    let path = Path::new(name_or_path);
    let has = |ending: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
    if has("toml") {
        return if path.is_file() {
            Ok(path.to_owned())
        } else {
            Err(ModelError::file(path, "no such manifest", known(folders)))
        };
    }
    if has("onnx") {
        if !path.is_file() {
            return Err(ModelError::file(path, "no such model file", known(folders)));
        }
        let manifest = manifest_path(path);
        return if manifest.is_file() {
            Ok(manifest)
        } else {
            let problem = format!("expected its manifest {}, found none", manifest.display());
            let remedy =
                "write one from the graph with --write-manifest, then check mean, std and classes";
            Err(ModelError::file(path, problem, remedy))
        };
    }
    // weights in halves are computed in f32, so that file answers to either name
    let halves = name_or_path.strip_suffix(".f32").map(|name| format!("{name}.f16"));
    std::iter::once(name_or_path)
        .chain(halves.as_deref())
        .flat_map(|name| folders.iter().map(move |f| f.join(format!("{name}.toml"))))
        .find(|p| p.is_file())
        .ok_or_else(|| ModelError::file(path, "no network of this name in the zoo", known(folders)))
}

/// Names of all networks in these folders, sorted, each once.
#[must_use]
pub fn names(folders: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = folders
        .iter()
        .filter_map(|f| fs::read_dir(f).ok())
        .flatten()
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .filter_map(|p| p.file_stem().map(|s| s.to_string_lossy().into_owned()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn known(folders: &[PathBuf]) -> String {
    let names = names(folders);
    if names.is_empty() {
        let searched: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        return format!("no zoo was found in {}: set {ZOO_VARIABLE}", searched.join(", "));
    }
    format!("give a path or one of: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_cargo_the_zoo_of_the_tree_that_it_runs_in_is_looked_at_before_that_of_the_compiler() {
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap();
        let tree = Path::new(&package).join("../models/zoo");
        let all = folders();
        let at = |wanted: &Path| all.iter().position(|f| f == wanted);
        assert!(
            tree.is_dir() && at(&tree) < at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo"))
        );
        assert!(at(&tree).is_some(), "{all:?}");
    }

    #[test]
    fn networks_are_found_by_name_manifest_and_model() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("net.toml");
        let model = folder.path().join("net.onnx");
        fs::write(&manifest, "").unwrap();
        let folders = [folder.path().to_owned()];
        let find = |what: &Path| find_in(what.to_str().unwrap(), &folders);
        assert_eq!(find(Path::new("net")).unwrap(), manifest);
        assert_eq!(find(&manifest).unwrap(), manifest);
        assert!(find(&model).unwrap_err().to_string().contains("no such model file"));
        fs::write(&model, "").unwrap();
        assert_eq!(find(&model).unwrap(), manifest);
        let halves = folder.path().join("net.f16.toml");
        fs::write(&halves, "").unwrap();
        assert_eq!(find(Path::new("net.f32")).unwrap(), halves);
        fs::remove_file(&halves).unwrap();
        assert!(find(Path::new("net.f32")).is_err());
        let error = find(Path::new("other")).unwrap_err().to_string();
        assert!(error.contains("one of: net"), "{error}");
        fs::remove_file(&manifest).unwrap();
        let error = find(&model).unwrap_err().to_string();
        assert!(error.contains("--write-manifest"), "{error}");
    }
}
