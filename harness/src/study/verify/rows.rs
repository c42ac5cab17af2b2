//! The rows of a study against what they come from: cells column by column, frames one by one.

use std::collections::BTreeMap;
use std::path::Path;

use datasets::renderer::RENDERER_VERSION;

use super::cells::{self, Again};
use super::{Check, ROWS, columns, is_inside};
use crate::store::Stored;
use crate::study::book::{Book, Entry, Point};
use crate::study::cell::DataFacts;
use crate::study::{StudyError, collect};

/// Every row follows from plan, manifests and run stores of the pack, and none is left out; frames are counted.
pub(super) fn check(pack: &Path, book: &Book) -> Check {
    let (mut looked_at, mut wrong) = (0, Vec::new());
    let version = RENDERER_VERSION.to_string();
    let same_renderer = book.facts.get("renderer").is_some_and(|told| *told == version);
    let again = cells::again(pack, book, same_renderer, &mut wrong);
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

/// Facts that follow from the plan and from the stores; versions and machine are those of the place where it was collected.
fn facts(book: &Book, again: &Again) -> Vec<String> {
    let ran = |cell: &Result<Entry, StudyError>| {
        cell.as_ref().is_ok_and(|entry| !entry.points.is_empty())
    };
    let cells = again.cells.iter().filter(|(_, cell)| ran(cell)).map(|(id, _)| id.as_str());
    let of = |facts: &BTreeMap<String, String>, name: &str| {
        facts.get(name).map_or_else(|| "nothing".to_owned(), |told| format!("`{told}`"))
    };
    // where no cell could be collected, nobody has told the title
    ["title", "about"]
        .into_iter()
        .filter(|_| !again.facts.is_empty())
        .chain(cells)
        .filter(|name| again.facts.get(*name) != book.facts.get(*name))
        .map(|name| {
            let [expected, found] = [&again.facts, &book.facts].map(|facts| of(facts, name));
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
    if !same_renderer {
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
