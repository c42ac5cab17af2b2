//! The rows of a study against what they come from: cells column by column, frames one by one.

use std::collections::BTreeMap;
use std::path::Path;

use datasets::renderer::RENDERER_VERSION;
use datasets::source::FrameSource as _;
use datasets::synthetic::Synthetic;

use super::cells::{self, Again};
use super::{Check, ROWS, columns, is_inside, with_frames};
use crate::store::Stored;
use crate::study::book::{Book, Entry, Point};
use crate::study::cell::DataFacts;
use crate::study::{StudyError, collect};

/// Fact of a study with the version of its renderer.
const RENDERER: &str = "renderer";

/// Every row follows from plan, manifests and run stores of the pack, and none is left out; frames are counted.
pub(super) fn check(pack: &Path, book: &Book) -> Check {
    let (mut looked_at, mut wrong) = (0, Vec::new());
    let version = RENDERER_VERSION.to_string();
    let told = book.facts.get(RENDERER) == Some(&version);
    // the study's word that it was another one does not count against the stores: its own poses would be taken for true
    let stored = told || rendered(book).any(|entry| has_hash_of_this_renderer(pack, entry));
    let again = cells::again(pack, book, stored, &mut wrong);
    let shown = |again: &Again| has_pictures_of_this_renderer(book, again);
    let same_renderer = stored || again.as_ref().is_some_and(shown);
    if same_renderer && !told {
        let found = fact(&book.facts, RENDERER);
        wrong.push(format!("fact {RENDERER}: `{version}` expected, {found} found"));
    }
    if let Some(again) = &again {
        wrong.extend(facts(book, again));
        wrong.extend(strangers(book, again));
    }
    // nothing is opened outside the pack; such a cell stands among the files
    for kept in book.entries.iter().filter(|entry| is_inside(&entry.id)) {
        let told = again.as_ref().and_then(|again| again.cells.get(&kept.id));
        looked_at += row(pack, kept, told, same_renderer, &mut wrong);
    }
    Check { what: ROWS, looked_at, wrong }
}

/// Cells whose pictures a renderer has made.
fn rendered(book: &Book) -> impl Iterator<Item = &Entry> {
    with_frames(book).filter(|entry| !entry.data.set.is_empty())
}

/// Whether the hash of its data set says that this renderer made the pictures of a run: the version is part of it.
fn has_hash_of_this_renderer(pack: &Path, entry: &Entry) -> bool {
    let Ok(set) = Synthetic::open(&entry.data.name) else { return false };
    let stored = Stored::open(&pack.join(&entry.id));
    stored.is_ok_and(|stored| stored.text("hash.data") == set.content_hash())
}

/// Whether pictures say so, where the study ran no cell on rendered pictures: an import that was collected again has the pixels that
/// this renderer gives, the first frame among them, even if its store tells no hash.
fn has_pictures_of_this_renderer(book: &Book, again: &Again) -> bool {
    let collected = |entry: &Entry| match again.cells.get(&entry.id) {
        Some(Ok(derived)) => derived.import.is_some() && !derived.points.is_empty(),
        _ => false,
    };
    rendered(book).all(|entry| entry.import.is_some()) && rendered(book).any(collected)
}

/// A fact in a line.
fn fact(facts: &BTreeMap<String, String>, name: &str) -> String {
    facts.get(name).map_or_else(|| "nothing".to_owned(), |told| format!("`{told}`"))
}

/// Facts that follow from the plan and from the stores; versions and machine are those of the place where it was collected.
fn facts(book: &Book, again: &Again) -> Vec<String> {
    let ran = |cell: &Result<Entry, StudyError>| {
        cell.as_ref().is_ok_and(|entry| !entry.points.is_empty())
    };
    let cells = again.cells.iter().filter(|(_, cell)| ran(cell)).map(|(id, _)| id.as_str());
    // where no cell could be collected, nobody has told the title
    ["title", "about"]
        .into_iter()
        .filter(|_| !again.facts.is_empty())
        .chain(cells)
        .filter(|name| again.facts.get(*name) != book.facts.get(*name))
        .map(|name| {
            let [expected, found] = [&again.facts, &book.facts].map(|facts| fact(facts, name));
            format!("fact {name}: {expected} expected, {found} found")
        })
        .collect()
}

/// Cells of the plan that the study does not have, and the other way round.
fn strangers(book: &Book, again: &Again) -> Vec<String> {
    let known = |id: &str| book.entries.iter().any(|entry| entry.id == id);
    let lost = again.cells.keys().filter(|id| !known(id));
    let lost = lost.map(|id| format!("{id}: a cell of the study expected, none found"));
    let strange = book.entries.iter().filter(|entry| !again.cells.contains_key(&entry.id));
    lost.chain(strange.map(|entry| format!("{}: no cell of the plan", entry.id))).collect()
}

/// One cell, against what was collected again if it could be; gives how many frames were compared.
fn row(
    pack: &Path,
    kept: &Entry,
    told: Option<&Result<Entry, StudyError>>,
    same_renderer: bool,
    wrong: &mut Vec<String>,
) -> usize {
    let ran = !kept.points.is_empty();
    // what the name of a data set says of it decides which question its frames answer
    if ran && !DataFacts::of(&kept.data.name, &[]).is_ok_and(|told| told == kept.data) {
        wrong.push(format!(
            "{}: data set {} has other facts than its name",
            kept.id, kept.data.name
        ));
    }
    let derived = match told {
        Some(Ok(derived)) => Some(derived),
        // a store that does not hold together is a finding, not an end
        Some(Err(error @ StudyError::Store(_))) => {
            wrong.push(error.to_string());
            return 0;
        }
        Some(Err(error)) => {
            wrong.push(refused(&kept.id, error));
            None
        }
        None => None,
    };
    let of_store;
    let points = match derived {
        Some(derived) if !ran || (same_renderer && !derived.points.is_empty()) => &derived.points,
        None if !ran => return 0,
        // not collected, or by another renderer, or without its store, which then says so
        _ => match Stored::open(&pack.join(&kept.id)) {
            Ok(stored) => {
                if derived.is_none() {
                    wrong.extend(hashes(&stored, kept));
                }
                of_store = stored_points(&stored, kept, same_renderer);
                &of_store
            }
            Err(error) => {
                wrong.push(error.to_string());
                return 0;
            }
        },
    };
    wrong.extend(frames(kept, points));
    if let Some(derived) = derived {
        wrong.extend(columns::differences(kept, derived));
    }
    points.len().min(kept.points.len())
}

/// Why a cell was not collected, for somebody who verifies and cannot run it again.
fn refused(id: &str, error: &StudyError) -> String {
    match error {
        StudyError::OtherCell { setting, wanted, found, .. } => {
            format!("{id}: {setting} {wanted} expected, {found} found")
        }
        other => format!("{id}: {other}"),
    }
}

/// Hashes of a cell that was not collected again.
fn hashes(stored: &Stored, kept: &Entry) -> Vec<String> {
    [
        ("network/sha256", stored.text("hash.model"), &kept.network.sha256),
        ("hash_data", stored.text("hash.data"), &kept.hash_data),
        ("hash_plan", collect::hash_plan(stored, kept), &kept.hash_plan),
    ]
    .into_iter()
    .filter(|(_, expected, found)| expected != *found)
    .map(|(name, expected, found)| {
        format!("{}, {name}: \"{expected}\" expected, \"{found}\" found", kept.id)
    })
    .collect()
}

/// The frames of a store as the study has to keep them, as far as this renderer can tell.
fn stored_points(stored: &Stored, kept: &Entry, same_renderer: bool) -> Vec<Point> {
    let mut points = collect::points(stored, kept);
    // nothing is drawn in a folder, by no renderer
    if !same_renderer && !kept.data.set.is_empty() {
        // poses are drawn, not stored, and so may environments be: another renderer may draw others
        for (point, kept) in points.iter_mut().zip(&kept.points) {
            point.pose = kept.pose;
            if environment(stored, kept.position).is_empty() {
                point.environment.clone_from(&kept.environment);
            }
        }
    }
    points
}

fn environment(stored: &Stored, position: u32) -> &str {
    let at = stored.frames.binary_search_by_key(&position, |frame| frame.position);
    at.map_or("", |at| &stored.frames[at].environment)
}

/// Frame by frame, in the order of their positions.
fn frames(kept: &Entry, points: &[Point]) -> Vec<String> {
    let (all, here) = (points.len(), kept.points.len());
    let number = (all != here).then(|| format!("{}: {all} frames expected, {here} found", kept.id));
    let other = points.iter().zip(&kept.points).filter(|(derived, kept)| derived != kept);
    let other = other
        .map(|(_, point)| format!("{}: frame {} differs from its run", kept.id, point.position));
    number.into_iter().chain(other).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::store::{FrameRow, RunStore};
    use crate::study::cell;
    use crate::study::plan::StudyPlan;
    use crate::telemetry::hex;

    const DATA: &str = "synthetic:CF/test?size=64";
    const ID: &str = "cells/imported/b/CF-test-size-64/m";
    const PLAN: &str = "title = 't'\n[[network]]\nname = 'a'\n[method.m]\n[[import]]\nrun = 'there'\n\
        data = 'synthetic:CF/test?size=64'\nmethod = 'm'\nnetwork = { name = 'b', train = 'CF' }\n";

    /// A pack of one import of three frames, of which the store tells neither hash nor environment; `change` may spoil a frame.
    fn packed(change: impl Fn(&mut FrameRow)) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let plan = StudyPlan::parse(PLAN, "p").unwrap().to_toml().unwrap();
        fs::write(folder.path().join("plan.toml"), plan).unwrap();
        let told = [("frames.asked", "3"), ("hash.model", "\"aa\"")];
        let told = told.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut store = RunStore::create(&folder.path().join(ID), &BTreeMap::from(told)).unwrap();
        let set = Synthetic::open(DATA).unwrap();
        for position in 0..3_u32 {
            let key = set.key(usize::try_from(position).unwrap()).unwrap();
            let rendered = set.render(key).unwrap();
            let mut row = FrameRow {
                position,
                class: key.class,
                index: key.index,
                image_hash: hex(&Sha256::digest(rendered.image.as_raw())[..8]),
                mask_share: 0.25,
                top5: vec![key.class],
                confidence: 0.75,
                ..FrameRow::default()
            };
            change(&mut row);
            store.add(&row).unwrap();
        }
        store.finish().unwrap();
        folder
    }

    /// The study of that pack.
    fn study(pack: &Path) -> Book {
        let plan = StudyPlan::parse(PLAN, "p").unwrap();
        let mut cells = cell::cells(&plan).unwrap();
        cells[0].import.as_mut().unwrap().folder = pack.join(ID);
        collect(pack, &plan, &cells, &BTreeMap::new()).unwrap()
    }

    #[test]
    fn who_claims_another_renderer_is_held_against_pixels_where_no_store_tells_a_hash() {
        let folder = packed(|_| {});
        let mut book = study(folder.path());
        let sound = check(folder.path(), &book);
        assert_eq!((sound.looked_at, sound.wrong), (3, Vec::new()));

        book.facts.insert(RENDERER.to_owned(), "0".to_owned());
        let mut wrong = vec![format!("fact renderer: `{RENDERER_VERSION}` expected, `0` found")];
        assert_eq!(check(folder.path(), &book).wrong, wrong);
        book.entries[0].points[1].pose = Some([40.0, 0.0, 200.0]);
        book.entries[0].points[2].environment = "nowhere".to_owned();
        wrong.extend([1, 2].map(|frame| format!("{ID}: frame {frame} differs from its run")));
        assert_eq!(check(folder.path(), &book).wrong, wrong);
        book.facts.remove(RENDERER);
        let none = format!("fact renderer: `{RENDERER_VERSION}` expected, nothing found");
        assert_eq!(check(folder.path(), &book).wrong[0], none);

        // pixels that this renderer does not give do not hold, and which poses another one draws nobody knows here
        let folder = packed(|frame| frame.image_hash = "00".repeat(8));
        let wrong = check(folder.path(), &book).wrong;
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains("frame 0: expected pixels of"), "{wrong:?}");
    }

    #[test]
    fn no_renderer_draws_the_pose_of_a_picture_in_a_folder() {
        let folder = packed(|_| {});
        let mut kept = study(folder.path()).entries.remove(0);
        let stored = Stored::open(&folder.path().join(ID)).unwrap();
        kept.points[0].pose = Some([40.0, 0.0, 200.0]);
        assert_eq!(stored_points(&stored, &kept, false)[0].pose, kept.points[0].pose);
        kept.data = DataFacts::of("pictures", &[]).unwrap();
        let points = stored_points(&stored, &kept, false);
        assert!(points.iter().all(|p| p.pose.is_none() && p.environment.is_empty()), "{points:?}");
        assert_eq!(frames(&kept, &points).len(), 3);
    }
}
