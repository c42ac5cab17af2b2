//! Runs that exist already, made by this program or by another, taken into a study as cells.
//!
//! Such a store may tell less than one that the study wrote: those of the desktop name neither the hash of the data set nor the
//! whole plan. So it is held against what it claims to be: the network by the hash in the store, the explanations by all
//! that the store tells of them, class and index of every frame against the data set, and the pixels of some frames, rendered again
//! (all of them would take longer than the run).

mod method;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use datasets::sets::SetName;
use datasets::source::{FrameKey, FrameSource as _};
use datasets::synthetic::Synthetic;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::StudyError;
use super::book::Entry;
use super::cell::{self, Cell, DataFacts, NetworkFacts};
use super::plan::{NAME_RULE, NetworkEntry, StudyPlan, is_plain_name};
use super::work::State;
use crate::run::{Method, RunError, ShapSettings};
use crate::store::{FILE_NAME, FrameRow, Stored};
use crate::telemetry::hex;

/// Frames whose pixels are rendered again, the first and the last among them.
const LOOKED_AT: usize = 5;

/// A run that exists, as a plan names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportEntry {
    /// Folder of the run, absolute or relative to the plan's file.
    pub run: String,
    /// Data set that it ran on.
    pub data: String,
    /// Name of the method whose attribution is taken.
    pub method: String,
    /// Hash of the network's file, if the run must be of that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// First frames that are taken; all of them unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// The network, which need not exist here.
    pub network: NetworkEntry,
}

/// Where the run of an imported cell lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// As the plan names it.
    pub run: String,
    /// The folder.
    pub folder: PathBuf,
    /// Hash that the network must have.
    pub sha256: Option<String>,
    /// First frames that are taken.
    pub frames: Option<usize>,
}

/// What is wrong with the imports of a plan: place, what was expected, what was found.
pub(super) fn wrong(plan: &StudyPlan) -> Option<(String, String, String)> {
    (1..).zip(&plan.imports).find_map(|(number, import)| {
        let name = &import.network.name;
        let (what, expected, found) = if !is_plain_name(name) {
            ("network.name", NAME_RULE.to_owned(), format!("`{name}`"))
        } else if plan.networks.iter().any(|n| n.name == *name) {
            // one network on two machines is two rows
            let expected = "a name that no [[network]] has".to_owned();
            ("network.name", expected, format!("`{name}`"))
        } else if let Some(model) = &import.network.model {
            (
                "network.model",
                "nothing (the run tells its network)".to_owned(),
                format!("`{model}`"),
            )
        } else if let Some(other) =
            plan.imports.iter().find(|o| o.network.name == *name && o.network != import.network)
        {
            let expected = format!("equal facts of `{name}` in every import");
            ("network", expected, format!("others beside {}", other.run))
        } else if !plan.method.contains_key(&import.method) {
            let all: Vec<&str> = plan.method.keys().map(String::as_str).collect();
            ("method", all.join(", "), format!("`{}`", import.method))
        } else if import.frames == Some(0) {
            ("frames", "at least 1".to_owned(), "0".to_owned())
        } else {
            return None;
        };
        Some((format!("import {number}, {what}"), expected, found))
    })
}

/// The imports of a plan as cells, whether their runs are there or not.
pub(super) fn cells(plan: &StudyPlan) -> Result<Vec<Cell>, StudyError> {
    let mut seen = BTreeSet::new();
    let mut cells = Vec::new();
    for (number, entry) in (1..).zip(&plan.imports) {
        let Some(settings) = plan.method.get(&entry.method) else { continue };
        let wrong = |what: &str, expected: &str, found: String| StudyError::Plan {
            place: format!("import {number}, {what}"),
            problem: format!("expected {expected}, found {found}"),
            remedy: "docs/study.md describes the file".to_owned(),
        };
        let data = DataFacts::of(&entry.data, &[])?;
        if data.set.is_empty() {
            return Err(wrong("data", "a rendered set such as CF", format!("`{}`", entry.data)));
        }
        let facts = NetworkFacts::planned(&entry.network);
        let named = (entry.method.as_str(), settings);
        let frames = entry.frames.unwrap_or(usize::MAX);
        let mut cell = Cell::new(&facts, &facts.name, data, named, frames, plan.threads);
        cell.id = format!("cells/imported/{}/{}/{}", facts.name, cell.data.slug(), entry.method);
        if !seen.insert(cell.id.clone()) {
            let expected = "every network, data set and method once";
            return Err(wrong("run", expected, format!("{} twice", cell.id)));
        }
        cell.import = Some(Import {
            run: entry.run.clone(),
            folder: plan.folder.join(&entry.run),
            sha256: entry.sha256.clone(),
            frames: entry.frames,
        });
        cells.push(cell);
    }
    Ok(cells)
}

/// How far an import is: everything is there, unless the run is missing or was cut off.
pub(super) fn state(import: &Import, cell: &Cell) -> Result<State, StudyError> {
    if !import.folder.join(FILE_NAME).is_file() {
        let place = import.folder.join(FILE_NAME);
        return Ok(State::NoRun(format!("{}: no run is there to be imported", place.display())));
    }
    let stored = Stored::open(&import.folder)?;
    check(import, &stored, cell)?;
    let explained = taken(&stored, cell.attribution(), usize::MAX).count();
    let asked = stored.settings.get("frames.asked").and_then(|n| n.parse().ok()).unwrap_or(0);
    // Kernel SHAP may have been asked for on some frames of a run alone
    let whole = if stored.frames.len() < asked { asked } else { explained };
    let of = whole.min(import.frames.unwrap_or(usize::MAX));
    Ok(State::Stored { frames: explained.min(of), of })
}

/// The first frames of a run that a method has explained; every frame counts if that is `None`.
pub(super) fn taken<'a>(
    stored: &'a Stored,
    method: Option<&str>,
    limit: usize,
) -> impl Iterator<Item = &'a FrameRow> {
    let explained = move |frame: &&FrameRow| {
        method.is_none_or(|wanted| frame.attributions.iter().any(|a| a.method == wanted))
    };
    stored.frames.iter().filter(explained).take(limit)
}

/// Coalitions of a frame, ends and repeats included; 0 if none were evaluated.
pub(super) fn evaluations(stored: &Stored, cell: &Cell) -> usize {
    if cell.plan.attribute.first() != Some(&Method::KernelShap) {
        return 0;
    }
    let told = stored.settings.get("set.shap.evaluations").and_then(|n| n.parse().ok());
    if let Some(evaluations) = told {
        return cell::coalitions(&ShapSettings { evaluations, ..cell.plan.shap });
    }
    // the desktop counts repeats
    let of_method = |frame: &FrameRow| {
        frame
            .attributions
            .iter()
            .find(|a| a.method == Method::KernelShap.name())
            .map(|a| a.evaluations)
    };
    let most = stored.frames.iter().filter_map(of_method).max().unwrap_or(0);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// Runs of one name must be of one network.
pub(super) fn check_networks(entries: &[Entry]) -> Result<(), StudyError> {
    let mut known: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in entries.iter().filter(|e| e.import.is_some() && !e.points.is_empty()) {
        let (first, hash) =
            (known.entry(&entry.network.name).or_insert(entry), &entry.network.sha256);
        if first.network.sha256 != *hash {
            return Err(StudyError::Plan {
                place: format!("import {}, hash.model", entry.import.as_deref().unwrap_or("")),
                problem: format!(
                    "expected {}, as in {}, found {hash}",
                    first.network.sha256,
                    first.import.as_deref().unwrap_or("")
                ),
                remedy: "give another network another name".to_owned(),
            });
        }
    }
    Ok(())
}

impl Import {
    fn refused(&self, at: &str, expected: &str, found: &str, remedy: &str) -> StudyError {
        StudyError::Plan {
            place: format!("import {}, {at}", self.folder.display()),
            problem: format!("expected {expected}, found {found}"),
            remedy: remedy.to_owned(),
        }
    }
}

fn check(import: &Import, stored: &Stored, cell: &Cell) -> Result<(), StudyError> {
    let hash = stored.text("hash.model");
    if hash.is_empty() {
        let remedy = "a run of an unknown network proves nothing; leave it out";
        return Err(import.refused("hash.model", "the sha256 of its network", "nothing", remedy));
    }
    if let Some(wanted) = import.sha256.as_ref().filter(|wanted| **wanted != hash) {
        let remedy = "name the run of that network, or correct `sha256`";
        return Err(import.refused("hash.model", wanted, &hash, remedy));
    }
    let told = DataFacts::of(&stored.text("data.name"), &[]);
    let other = |told: &DataFacts| !same_pictures(&told.name, &cell.data.name);
    if let Some(told) = told.ok().filter(|told| !told.set.is_empty() && other(told)) {
        return Err(import.refused("data.name", &cell.data.name, &told.name, "correct `data`"));
    }
    method::check_settings(import, stored, cell)?;
    check_frames(import, stored, cell)
}

/// Whether two names mean the same pictures but for how many there are of a class: that changes none of the first ones, and stores
/// from before the desktop told the whole name are silent about it.
fn same_pictures(a: &str, b: &str) -> bool {
    let of = |name: &str| name.parse::<SetName>().ok().map(|set| set.per_class(1));
    of(a) == of(b)
}

/// Class, index and map of every frame, and the pixels of some.
fn check_frames(import: &Import, stored: &Stored, cell: &Cell) -> Result<(), StudyError> {
    let frames: Vec<&FrameRow> = taken(stored, cell.attribution(), cell.plan.frames).collect();
    let Some(last) = frames.len().checked_sub(1) else {
        let expected = format!("frames by {}", cell.attribution().unwrap_or("any method"));
        let methods = stored.methods().join(", ");
        let found = format!("{} frames, methods: {methods}", stored.frames.len());
        let remedy = "name a run with them, or another `method`";
        return Err(import.refused("frames", &expected, &found, remedy));
    };
    let set = Synthetic::open(&cell.data.name).map_err(RunError::from)?;
    let refused = |frame: &FrameRow, expected: &str, found: &str| {
        let at = format!("frame {}", frame.position);
        let remedy = "name the data set that the run was made of, by a renderer of this version";
        Err(import.refused(&at, expected, found, remedy))
    };
    for frame in &frames {
        let found = format!("class {}, index {}", frame.class, frame.index);
        let key = usize::try_from(frame.position).ok().and_then(|position| set.key(position).ok());
        let expected = key.map_or_else(
            || format!("a position below {}", set.len()),
            |key| format!("class {}, index {}", key.class, key.index),
        );
        if expected != found {
            return refused(frame, &expected, &found);
        }
        method::check_map(import, frame, cell)?;
    }
    let chosen: BTreeSet<usize> = (0..LOOKED_AT).map(|i| i * last / (LOOKED_AT - 1)).collect();
    for frame in chosen.into_iter().map(|i| frames[i]) {
        let key = FrameKey { class: frame.class, index: frame.index };
        let rendered = set.render(key).map_err(RunError::from)?;
        let hash = hex(&Sha256::digest(rendered.image.as_raw())[..8]);
        if hash != frame.image_hash {
            let expected = format!("pixels of {} with hash {hash}", cell.data.name);
            return refused(frame, &expected, &frame.image_hash);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
