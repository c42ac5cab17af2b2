//! The cells of a study as plan, manifests and run stores of its pack tell them.
//!
//! The study is collected once more, by the very function that collected it, with what lies in the pack in place of what lay where
//! it was run. So a row that says otherwise than its plan, its network or its run does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::slice;

use crate::study::book::{self, Book, Entry};
use crate::study::cell::{self, Cell, DataFacts, NetworkFacts, Told};
use crate::study::collect::collect;
use crate::study::plan::{NetworkEntry, StudyPlan};
use crate::study::{StudyError, evidence};

/// The plan inside a pack.
const PLAN: &str = "plan.toml";

/// A study as its pack tells it.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// Facts; those of the plan and of cells are the same wherever it is collected.
    pub(super) facts: BTreeMap<String, String>,
    /// By the id of each cell of the plan: the row and the frames that follow, or why it was refused.
    pub(super) cells: BTreeMap<String, Result<Entry, StudyError>>,
}

impl Again {
    /// Collects cells; nothing is added if one of them is refused.
    fn add(&mut self, pack: &Path, plan: &StudyPlan, cells: &[Cell]) -> Result<(), StudyError> {
        let book = collect(pack, plan, cells, &BTreeMap::new())?;
        self.facts.extend(book.facts);
        self.cells.extend(book.entries.into_iter().map(|entry| (entry.id.clone(), Ok(entry))));
        Ok(())
    }
}

/// Collects the study of a pack once more; nothing if the plan cannot be read, or none was needed.
///
/// What plan, manifests and study say against each other before a store is opened goes into `wrong`.
pub(super) fn again(
    pack: &Path,
    book: &Book,
    same_renderer: bool,
    wrong: &mut Vec<String>,
) -> Option<Again> {
    let plan = plan(pack, book, wrong)?;
    let mut cells = match cells(pack, book, &plan, wrong) {
        Ok(cells) => cells,
        Err(error) => {
            wrong.push(format!("{PLAN}, {error}"));
            return None;
        }
    };
    let data: Vec<DataFacts> = cells.iter().map(|cell| cell.data.clone()).collect();
    if !same_renderer {
        // another renderer has another hash for every set; whether its pictures are the same is looked at frame by frame
        cells.iter_mut().for_each(|cell| cell.data.set.clear());
    }
    let mut again = Again::default();
    if let Err(whole) = again.add(pack, &plan, &cells) {
        // one that is refused keeps nobody from the others
        for cell in &cells {
            if let Err(error) = again.add(pack, &plan, slice::from_ref(cell)) {
                again.cells.insert(cell.id.clone(), Err(error));
            }
        }
        if again.cells.values().all(Result::is_ok) {
            // each by itself is sound, and they contradict each other
            wrong.push(whole.to_string());
        }
    }
    for (cell, data) in cells.iter().zip(data) {
        if let Some(Ok(entry)) = again.cells.get_mut(&cell.id) {
            entry.data = data;
        }
    }
    Some(again)
}

/// The plan of the pack, which the study has as well.
fn plan(pack: &Path, book: &Book, wrong: &mut Vec<String>) -> Option<StudyPlan> {
    let told = book.facts.get("plan").map_or("", String::as_str);
    let text = fs::read_to_string(pack.join(PLAN)).unwrap_or_else(|error| {
        wrong.push(format!("{PLAN}: the plan of the study expected, found none ({error})"));
        told.to_owned()
    });
    if text != told {
        wrong.push(format!("{PLAN}: another plan than in {}", book::FILE_NAME));
    }
    let tells = |entry: &Entry| !entry.points.is_empty() || !entry.network.accuracy.is_empty();
    if text.is_empty() && !book.entries.iter().any(tells) {
        // nothing was measured: no plan is needed
        return None;
    }
    match StudyPlan::parse(&text, PLAN) {
        Ok(plan) => Some(plan),
        Err(error) => {
            wrong.push(error.to_string());
            None
        }
    }
}

/// The cells of a plan, with networks and runs as they lie in the pack.
fn cells(
    pack: &Path,
    book: &Book,
    plan: &StudyPlan,
    wrong: &mut Vec<String>,
) -> Result<Vec<Cell>, StudyError> {
    let mut packed = plan.clone();
    for network in &mut packed.networks {
        manifest(pack, network, wrong);
        wrong.extend(without_manifest(pack, book, &network.name));
    }
    let mut seen = BTreeSet::new();
    for import in plan.imports.iter().filter(|import| seen.insert(import.network.name.as_str())) {
        imported(pack, book, &import.network, wrong);
    }
    let mut cells = cell::cells(&packed)?;
    for cell in &mut cells {
        if let Some(import) = &mut cell.import {
            import.folder = pack.join(&cell.id);
            continue;
        }
        // a run tells its network by the name that the plan has for it
        if let Some(named) = plan.networks.iter().find(|n| n.name == cell.network.name) {
            cell.plan.model.clone_from(named.model.as_ref().unwrap_or(&named.name));
        }
        let kept = book.entries.iter().find(|kept| kept.id == cell.id);
        if let Some(kept) = kept.filter(|kept| was_at_hand(kept))
            && cell.network.missing.is_some()
        {
            cell.network = as_told(&cell.network, &kept.network);
        }
    }
    Ok(cells)
}

/// Has a network described by its manifest inside the pack and by none outside; gives what manifest and plan tell together, if
/// the manifest is there.
fn manifest(
    pack: &Path,
    network: &mut NetworkEntry,
    wrong: &mut Vec<String>,
) -> Option<NetworkFacts> {
    let path = evidence::manifest(pack, &network.name);
    network.model = Some(path.to_string_lossy().into_owned());
    // where they contradict each other the manifest knows better
    let contradictions = NetworkFacts::correct(network);
    wrong.extend(contradictions.iter().map(|error| format!("{PLAN}, {error}")));
    let facts = NetworkFacts::find(network).ok()?;
    if let Some(why) = &facts.missing {
        if path.is_file() {
            wrong.push(format!("a manifest that can be read expected, {why}"));
        }
        return None;
    }
    Some(facts)
}

/// A run that was imported brings no manifest; one of its very network may have been at hand all the same.
fn imported(pack: &Path, book: &Book, network: &NetworkEntry, wrong: &mut Vec<String>) {
    let Some(facts) = manifest(pack, &mut network.clone(), wrong) else { return };
    let of_it = |entry: &&Entry| entry.import.is_some() && entry.network.name == network.name;
    for entry in book.entries.iter().filter(of_it).filter(|e| !e.points.is_empty()) {
        let found = &entry.network.sha256;
        if *found != facts.sha256 {
            wrong.push(format!(
                "{}, network/sha256: {} expected, as its manifest says, {found} found",
                entry.id, facts.sha256
            ));
        }
    }
}

/// Whether the network of a cell was at hand where the study was collected; then its manifest was as well, and is packed.
fn was_at_hand(kept: &Entry) -> bool {
    // a run that was imported brings its network's hash alone
    kept.import.is_none() && (!kept.points.is_empty() || kept.network.missing.is_none())
}

/// A network that was at hand and has no manifest in the pack: the study's word alone would tell its hash, the accuracies of the
/// manifest and what the plan leaves out.
fn without_manifest(pack: &Path, book: &Book, name: &str) -> Option<String> {
    let path = evidence::manifest(pack, name);
    let of_it = |kept: &&Entry| kept.network.name == name && was_at_hand(kept);
    let cells: Vec<&Entry> = book.entries.iter().filter(of_it).collect();
    if cells.is_empty() || path.is_file() {
        return None;
    }
    let ran = cells.iter().any(|kept| !kept.points.is_empty());
    let (place, what) = (evidence::inner(pack, &path), if ran { "run" } else { "at hand" });
    Some(format!("{place}: manifest of a network that was {what} expected, none found"))
}

/// A network whose manifest should be in the pack and is not there or cannot be read, which is a finding: beyond it, the plan alone can
/// be held against the study.
fn as_told(plan: &NetworkFacts, study: &NetworkFacts) -> NetworkFacts {
    let or = |plan: &String, study: &String| match plan.as_str() {
        "" => study.clone(),
        told => told.to_owned(),
    };
    let of_manifest = study.accuracy.iter().filter(|known| known.told == Told::Manifest);
    NetworkFacts {
        name: plan.name.clone(),
        architecture: or(&plan.architecture, &study.architecture),
        train: or(&plan.train, &study.train),
        precision: or(&plan.precision, &study.precision),
        strength: plan.strength.or(study.strength),
        seed: plan.seed.or(study.seed),
        accuracy: of_manifest.chain(&plan.accuracy).cloned().collect(),
        ..study.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "title = 't'\n[[network]]\nname = 'a'\n[method.cam]\nattribute = 'gradcam'\n\
        [[grid]]\nmethods = ['cam']\ndata = ['CF']\nframes = 2\n";
    const ID: &str = "cells/a/CF-test/cam-2";

    /// A folder with a plan and with the manifest of a network of the zoo, in which one text stands for another.
    fn pack(text: &str, from: &str, to: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(PLAN), text).unwrap();
        let zoo = fs::read_to_string(models::zoo::find("resnet50-cf").unwrap()).unwrap();
        assert!(zoo.contains(from), "{from}");
        let path = evidence::manifest(folder.path(), "a");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, zoo.replacen(from, to, 1)).unwrap();
        folder
    }

    /// A study with that plan and one cell, which was not run.
    fn study(text: &str, network: NetworkFacts) -> Book {
        let entry = Entry { id: ID.to_owned(), network, ..Entry::default() };
        let facts = BTreeMap::from([("plan".to_owned(), text.to_owned())]);
        Book { facts, entries: vec![entry] }
    }

    /// The only network as it is collected again, and what was found on the way.
    fn told(pack: &Path, book: &Book) -> (NetworkFacts, Vec<String>) {
        let mut wrong = Vec::new();
        let mut collected = again(pack, book, true, &mut wrong).unwrap();
        assert_eq!(collected.facts["title"], "t");
        let entry = collected.cells.remove(ID).unwrap().unwrap();
        assert_eq!((entry.asked, entry.data.set.as_str()), (2, "CF"));
        (entry.network, wrong)
    }

    #[test]
    fn manifests_of_the_pack_tell_what_the_plan_leaves_out() {
        let book = study(TEXT, NetworkFacts::default());
        for (from, to, seed, train) in [
            ("seed = 1", "seed = 1", Some(1), "CF"),
            ("seed = 1", "seed = 3", Some(3), "CF"),
            ("set = \"CF\"", "set = \"UF\"", Some(1), "UF"),
        ] {
            let folder = pack(TEXT, from, to);
            let (network, wrong) = told(folder.path(), &book);
            assert!(wrong.is_empty(), "{wrong:?}");
            assert_eq!((network.seed, network.train.as_str()), (seed, train));
            assert_eq!((&*network.architecture, &*network.precision), ("resnet50", "int8-qdq"));
            assert_eq!((network.sha256.len(), network.missing), (64, None));
            assert!(!network.accuracy.is_empty() && !network.float_sha256.is_empty());
        }
        // a name for the architecture and a strength are the plan's to give
        let text = TEXT.replace("'a'\n", "'a'\narchitecture = 'mine'\nstrength = 0.5\n");
        let folder = pack(&text, "", "");
        let (network, wrong) = told(folder.path(), &study(&text, NetworkFacts::default()));
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!((network.architecture.as_str(), network.strength), ("mine", Some(0.5)));
    }

    #[test]
    fn a_plan_and_a_manifest_that_contradict_each_other_are_named_and_the_manifest_counts() {
        let cases = [
            ("train = 'UF'", "train: expected CF, as its manifest says, found UF"),
            ("precision = 'f32'", "precision: expected int8-qdq, as its manifest says, found f32"),
            ("strength = 0.25", "strength: expected 1, as its manifest says, found 0.25"),
            ("seed = 2", "seed: expected 1, as its manifest says, found 2"),
        ];
        let all: Vec<&str> = cases.iter().map(|(line, _)| *line).collect();
        let each = cases.iter().map(|(line, problem)| ((*line).to_owned(), vec![*problem]));
        let together = (all.join("\n"), cases.map(|(_, problem)| problem).to_vec());
        for (lines, problems) in each.chain([together]) {
            let text = TEXT.replace("'a'\n", &format!("'a'\n{lines}\n"));
            let folder = pack(&text, "seed = 1", "seed = 1\nstrength = 1");
            let (network, wrong) = told(folder.path(), &study(&text, NetworkFacts::default()));
            assert_eq!((network.train.as_str(), network.precision.as_str()), ("CF", "int8-qdq"));
            assert_eq!((network.strength, network.seed), (Some(1.0), Some(1)), "{lines}");
            assert_eq!(wrong.len(), problems.len(), "{wrong:?}");
            for (line, problem) in wrong.iter().zip(problems) {
                assert!(line.starts_with(&format!("plan.toml, network a, {problem}")), "{wrong:?}");
            }
        }
    }

    #[test]
    fn a_network_that_was_at_hand_has_its_manifest_in_the_pack_and_no_other_has_one_made_up() {
        let text = TEXT.replace("'a'\n", "'a'\ntrain = 'UF'\n");
        let figures = models::manifest::Accuracy {
            set: "CF/test".to_owned(),
            top1: 0.99,
            n: 9000,
            ci95: None,
        };
        let kept = NetworkFacts {
            name: "a".to_owned(),
            train: "CF".to_owned(),
            precision: "f32".to_owned(),
            seed: Some(9),
            sha256: "ab".to_owned(),
            accuracy: vec![cell::KnownAccuracy { told: Told::Manifest, figures }],
            ..NetworkFacts::default()
        };
        let of_plan = NetworkFacts { train: "UF".to_owned(), ..kept.clone() };
        let folder = pack(&text, "", "");
        let path = evidence::manifest(folder.path(), "a");
        fs::write(&path, "[").unwrap();
        let mut book = study(&text, kept);
        // the plan counts, and the rest is compared with nothing, beside the line that says why
        let (network, wrong) = told(folder.path(), &book);
        assert_eq!(network, of_plan);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("a manifest that can be read expected, "), "{wrong:?}");

        fs::remove_file(&path).unwrap();
        let line = |what: &str| {
            format!("networks/a.toml: manifest of a network that was {what} expected, none found")
        };
        assert_eq!(told(folder.path(), &book), (of_plan.clone(), vec![line("at hand")]));
        book.entries.push(book.entries[0].clone());
        book.entries[1].id = "cells/a/UF-test/cam-2".to_owned();
        book.entries[1].points = vec![book::Point::default()];
        assert_eq!(told(folder.path(), &book), (of_plan, vec![line("run")]), "once");

        // one that was not there has none, and what a manifest would have told is not believed
        book.entries.truncate(1);
        book.entries[0].network.missing = Some("gone".to_owned());
        let (network, wrong) = told(folder.path(), &book);
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(network.missing.is_some() && network.accuracy.is_empty(), "{network:?}");
        assert_eq!((network.sha256.as_str(), network.seed, &*network.train), ("", None, "UF"));
    }

    #[test]
    fn a_manifest_of_another_network_than_that_of_an_imported_run_is_named() {
        let import = "[[import]]\nrun = 'there'\ndata = 'UF'\nmethod = 'cam'\nnetwork = { name = 'b', train = 'CF' }\n";
        let text = format!("{TEXT}{import}");
        let folder = pack(&text, "", "");
        fs::rename(evidence::manifest(folder.path(), "a"), evidence::manifest(folder.path(), "b"))
            .unwrap();
        let known = models::Manifest::read(&evidence::manifest(folder.path(), "b")).unwrap().sha256;
        for (sha256, expected) in [(known.as_str(), 0), ("ff", 1)] {
            let mut book = study(&text, NetworkFacts::default());
            let mut entry = book.entries[0].clone();
            entry.network.name = "b".to_owned();
            entry.network.sha256 = sha256.to_owned();
            entry.import = Some("there".to_owned());
            entry.points = vec![book::Point::default()];
            book.entries.push(entry);
            let wrong = told(folder.path(), &book).1;
            assert_eq!(wrong.len(), expected, "{wrong:?}");
            let all = wrong.iter().all(|w| w.ends_with("as its manifest says, ff found"));
            assert!(all, "{wrong:?}");
        }
        // what the plan tells of it must not contradict that manifest either
        let text = text.replace("train = 'CF' }", "train = 'CF', seed = 2 }");
        fs::write(folder.path().join(PLAN), &text).unwrap();
        let wrong = told(folder.path(), &study(&text, NetworkFacts::default())).1;
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        let problem = "plan.toml, network b, seed: expected 1, as its manifest says, found 2";
        assert!(wrong[0].starts_with(problem), "{wrong:?}");
    }

    #[test]
    fn a_plan_is_that_of_the_study_and_none_is_needed_where_nothing_was_run() {
        let folder = pack(&TEXT.replace("'CF'", "'UF'"), "", "");
        let mut wrong = Vec::new();
        let study_of = |text| study(text, NetworkFacts::default());
        let collected = again(folder.path(), &study_of(TEXT), true, &mut wrong).unwrap();
        assert_eq!(wrong, ["plan.toml: another plan than in study.sqlite"]);
        assert!(collected.cells.contains_key("cells/a/UF-test/cam-2"), "that of the pack");

        let mut bare = study_of("");
        fs::write(folder.path().join(PLAN), "").unwrap();
        for (points, expected) in [(Vec::new(), 0), (vec![book::Point::default()], 1)] {
            bare.entries[0].points = points;
            wrong.clear();
            assert!(again(folder.path(), &bare, true, &mut wrong).is_none());
            assert_eq!(wrong.len(), expected, "{wrong:?}");
        }
    }
}
