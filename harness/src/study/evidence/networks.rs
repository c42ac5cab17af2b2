//! Where the networks of a study come from: their manifests and calibration reports, copied into the pack.
//!
//! The networks themselves are not in the pack, only their hashes; the manifest tells set, pictures, start and seed of the training, the
//! report with what pictures and settings a network was quantized.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use models::Manifest;

use super::{copy as copy_file, text};
use crate::study::StudyError;
use crate::study::book::Book;
use crate::study::plan::StudyPlan;

/// Folder inside the pack.
pub(super) const FOLDER: &str = "networks";

/// Where the manifest of a network lies in a pack that has it.
pub(in crate::study) fn manifest(pack: &Path, name: &str) -> PathBuf {
    pack.join(FOLDER).join(format!("{name}.toml"))
}

/// Copies what is at hand for the networks of which the study has a hash, run or not: what the report says of them stands in their
/// manifests. Gives what is not in the pack, with the reason.
///
/// A manifest is taken only if it is that of the very file that was measured: the one that the plan names, else one of the zoo (a run that
/// was imported does not tell where its network lies). A network that the study found itself has one, or its hash would not be known; so
/// `verify` expects it.
pub(super) fn copy(book: &Book, pack: &Path) -> Result<BTreeMap<String, String>, StudyError> {
    let known = book.entries.iter().map(|e| &e.network).filter(|n| !n.sha256.is_empty());
    let hashes: BTreeMap<&str, &str> =
        known.map(|n| (n.name.as_str(), n.sha256.as_str())).collect();
    let mut not_packed = BTreeMap::new();
    if hashes.is_empty() {
        return Ok(not_packed);
    }
    let plan = book.facts.get("plan").map_or("", String::as_str);
    let plan = StudyPlan::parse(plan, "the plan of the study")?;
    let zoo: Vec<(PathBuf, String)> = models::zoo::names(&models::zoo::folders())
        .iter()
        .filter_map(|name| hashed(name))
        .collect();
    for (name, sha256) in hashes {
        let [manifest, report] = ["toml", "calibration.json"].map(|end| format!("{name}.{end}"));
        let entry = plan.networks.iter().find(|n| n.name == name);
        let named = entry.and_then(|n| hashed(n.model.as_ref().unwrap_or(&n.name)));
        let found = named.iter().chain(&zoo).find(|(_, hash)| hash == sha256);
        let Some((path, _)) = found else {
            let why = format!("no manifest of {sha256} was at hand where the pack was written");
            not_packed.insert(manifest, why);
            continue;
        };
        copy_file(path, &pack.join(FOLDER).join(manifest))?;
        // networks in floating point have none
        let path = path.with_extension("calibration.json");
        if !path.is_file() {
            continue;
        }
        let content =
            fs::read_to_string(&path).map_err(|source| StudyError::file(&path, source))?;
        if content.contains(sha256) {
            text(&pack.join(FOLDER).join(report), &content)?;
        } else {
            not_packed.insert(report, format!("the one at hand does not name {sha256}"));
        }
    }
    Ok(not_packed)
}

/// Manifest of a network, and the hash of the file that it describes.
fn hashed(model: &str) -> Option<(PathBuf, String)> {
    let path = models::zoo::find(model).ok()?;
    let sha256 = Manifest::read(&path).ok()?.sha256;
    Some((path, sha256))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::book::{Entry, Point};
    use crate::study::cell::NetworkFacts;

    #[test]
    fn manifests_of_the_very_files_are_packed_and_others_are_named() {
        let folder = tempfile::tempdir().unwrap();
        // a manifest that no zoo has
        let zoo = models::zoo::find("resnet50-cf").unwrap();
        let known = Manifest::read(&zoo).unwrap().sha256;
        let sha256 = known.replace(|c: char| c.is_ascii_digit(), "0");
        let manifest = fs::read_to_string(&zoo).unwrap().replace(&known, &sha256);
        let (mine, pack) = (folder.path().join("mine.toml"), folder.path().join("pack"));
        fs::write(&mine, &manifest).unwrap();
        let report = folder.path().join("mine.calibration.json");
        fs::write(&report, format!("{{\"output\": \"{sha256}\"}}")).unwrap();

        let networks = [
            ("a", "mine.toml"),
            ("b", "mine.toml"),
            ("c", "nowhere.toml"),
            ("waiting", "mine.toml"),
            ("missing", "nowhere.toml"),
        ];
        let mut plan = "title = 't'\n".to_owned();
        for (name, file) in networks {
            let model = folder.path().join(file);
            plan.push_str(&format!(
                "[[network]]\nname = '{name}'\nmodel = '{}'\n",
                model.display()
            ));
        }
        plan.push_str("[method.m]\n[[grid]]\nmethods = ['m']\ndata = ['CF']\nframes = 1\n");
        let entry = |name: &str, sha256: &str| Entry {
            id: name.to_owned(),
            network: NetworkFacts {
                name: name.to_owned(),
                sha256: sha256.to_owned(),
                ..NetworkFacts::default()
            },
            points: vec![Point::default()],
            ..Entry::default()
        };
        let book = Book {
            facts: BTreeMap::from([("plan".to_owned(), plan)]),
            entries: vec![
                entry("a", &sha256),
                entry("b", "another"),
                entry("c", &sha256),
                entry("imported", &known),
                Entry { points: Vec::new(), ..entry("waiting", &sha256) },
                Entry { points: Vec::new(), ..entry("missing", "") },
            ],
        };
        let not_packed = copy(&book, &pack).unwrap();
        let packed = |name: &str| fs::read(pack.join(FOLDER).join(name)).ok();
        assert_eq!(packed("waiting.toml"), packed("a.toml"), "its accuracies count as well");
        assert_eq!(packed("a.toml"), Some(manifest.into_bytes()));
        assert_eq!(packed("imported.toml"), fs::read(&zoo).ok(), "found in the zoo by its hash");
        assert_eq!(packed("a.calibration.json"), fs::read(&report).ok());
        assert_eq!((packed("b.toml"), packed("c.toml")), (None, None));
        assert_eq!(not_packed.keys().collect::<Vec<_>>(), ["b.toml", "c.toml"]);
        assert!(not_packed["b.toml"].contains("another"), "{not_packed:?}");

        // a report of another file is not this network's
        fs::write(&report, "{}").unwrap();
        let again = folder.path().join("again");
        let not_packed = copy(&book, &again).unwrap();
        assert!(not_packed.contains_key("a.calibration.json"), "{not_packed:?}");
        assert!(!again.join(FOLDER).join("a.calibration.json").exists());
        // no network was there: no plan is needed
        assert!(copy(&Book::default(), &pack).unwrap().is_empty());
    }
}
