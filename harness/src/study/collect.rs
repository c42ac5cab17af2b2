//! From the run folders of all cells to one book.

use std::collections::BTreeMap;
use std::path::Path;

use datasets::catalogue::Catalogue;
use datasets::config::SceneConfig;
use datasets::sets::spec::environment_word;
use datasets::source::FrameKey;
use datasets::synthetic::Synthetic;

use super::StudyError;
use super::book::{Book, Entry, Point};
use super::cell::Cell;
use super::import;
use super::plan::StudyPlan;
use super::work::{self, State};
use crate::attribution::Estimator;
use crate::run::machine;
use crate::store::{AttributionRow, FrameRow, Stored};
use crate::telemetry;

/// Settings of a store that tell what computed it.
const MADE_BY: [&str; 3] = ["backend", "machine.device", "machine.torch"];

/// Reads the stores of all cells.
///
/// `failed` tells why a cell could not be run, by its id.
///
/// # Errors
/// If a store cannot be read, or was made with another network or other settings.
pub fn collect(
    folder: &Path,
    plan: &StudyPlan,
    cells: &[Cell],
    failed: &BTreeMap<String, String>,
) -> Result<Book, StudyError> {
    let mut facts = BTreeMap::from([
        ("plan".to_owned(), plan.to_toml()?),
        ("title".to_owned(), plan.title.clone()),
        ("about".to_owned(), plan.about.clone()),
        ("roadgaze".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("renderer".to_owned(), datasets::renderer::RENDERER_VERSION.to_string()),
        ("run_store_schema".to_owned(), crate::store::SCHEMA.to_string()),
        ("executable".to_owned(), executable()),
    ]);
    for (name, value) in machine::facts() {
        facts.insert(format!("machine.{name}"), value);
    }
    let entries: Vec<Entry> = cells
        .iter()
        .map(|cell| entry(folder, cell, failed.get(&cell.id)))
        .collect::<Result<_, _>>()?;
    import::check_networks(&entries)?;
    for entry in entries.iter().filter(|e| !e.made_by.is_empty()) {
        let facts_of = entry.made_by.iter().map(|(name, value)| format!("{name} {value}"));
        let from = entry.import.iter().map(|run| format!("run {run}"));
        let all: Vec<String> = from.chain(facts_of).collect();
        facts.insert(entry.id.clone(), all.join(", "));
    }
    Ok(Book { facts, entries })
}

/// Hash of the running program.
pub(super) fn executable() -> String {
    std::env::current_exe()
        .and_then(|path| telemetry::file_hash(&path))
        .unwrap_or_else(|_| "unknown".to_owned())
}

fn entry(folder: &Path, cell: &Cell, failed: Option<&String>) -> Result<Entry, StudyError> {
    let mut entry = Entry {
        id: cell.id.clone(),
        network: cell.network.clone(),
        data: cell.data.clone(),
        method: cell.method.clone(),
        evaluations: cell.evaluations(),
        explainer: cell.explainer(cell.evaluations()),
        asked: cell.plan.frames,
        problem: failed.cloned(),
        import: cell.import.as_ref().map(|import| import.run.clone()),
        ..Entry::default()
    };
    // the place of the manifest differs from machine to machine
    entry.network.manifest = None;
    match work::state(folder, cell)? {
        State::NoNetwork(_) => {
            entry.problem = Some("the network does not exist".to_owned());
            entry.network.missing = Some("no network of this name was found".to_owned());
        }
        State::NoRun(_) => {
            // how many there would be stands in the run
            entry.asked = cell.import.as_ref().and_then(|import| import.frames).unwrap_or(1);
            // the folder as the plan names it: where it lies differs from machine to machine
            let run = entry.import.clone().unwrap_or_default();
            entry.problem = Some(format!("{run}: no run is there to be imported"));
        }
        State::Failed(why) => entry.problem = Some(why),
        State::Stored { frames: 0, .. } => {
            entry.problem.get_or_insert_with(|| "not run yet".to_owned());
        }
        State::Stored { frames, of } => {
            if frames < of {
                entry.problem.get_or_insert_with(|| format!("{frames} of {of} frames"));
            }
            let stored = match &cell.import {
                Some(import) => Stored::open(&import.folder)?,
                None => Stored::open(&folder.join(&cell.id))?,
            };
            if cell.import.is_some() {
                entry.asked = of;
                entry.network.sha256 = stored.text("hash.model");
                entry.evaluations = import::evaluations(&stored, cell);
                entry.explainer = cell.explainer(entry.evaluations);
            }
            entry.executable = stored.text("hash.executable");
            entry.hash_data = stored.text("hash.data");
            entry.hash_plan = hash_plan(&stored, &entry);
            if !entry.hash_plan.is_empty() && one_plan(&stored) {
                entry.explainer.push_str(ONE_PLAN);
            }
            let told = MADE_BY.iter().map(|name| ((*name).to_owned(), stored.text(name)));
            entry.made_by = told.filter(|(_, value)| !value.is_empty()).collect();
            entry.points = points(&stored, &entry);
        }
    }
    Ok(entry)
}

/// What all frames of a run with a single coalition plan share is in no interval over frames (docs/kernel-shap.md), so such maps are
/// another method.
pub(super) const ONE_PLAN: &str = ", one plan";

/// Whether all frames followed the same plan, though another could have been drawn.
fn one_plan(stored: &Stored) -> bool {
    let plans = stored.settings.get("set.shap.plans").map_or("1", String::as_str);
    plans == "1" && stored.text("set.shap.estimator") != Estimator::Exact.name()
}

/// Hash of the coalition plans that an entry's maps come from; a run of two methods has one for the other.
pub(super) fn hash_plan(stored: &Stored, entry: &Entry) -> String {
    if entry.evaluations > 0 { stored.text("hash.plan") } else { String::new() }
}

/// The frames of a run that belong to an entry.
pub(super) fn frames<'a>(stored: &'a Stored, entry: &Entry) -> Vec<&'a FrameRow> {
    match &entry.import {
        Some(_) => import::taken(stored, entry.attribution(), entry.asked).collect(),
        None => stored.frames.iter().collect(),
    }
}

/// The frames of a run as a study keeps them; poses are drawn again, which renders nothing.
pub(super) fn points(stored: &Stored, entry: &Entry) -> Vec<Point> {
    let set = Synthetic::open(&entry.data.name).ok();
    let of = |frame| point(frame, entry.attribution(), set.as_ref());
    frames(stored, entry).into_iter().map(of).collect()
}

/// Shape and environment, where the store does not tell them: the desktop's do not.
fn scene(frame: &FrameRow, drawn: Option<&SceneConfig>) -> [String; 2] {
    let or = |told: &str, known: Option<String>| match told {
        "" => known.unwrap_or_default(),
        told => told.to_owned(),
    };
    let shape = || Some(Catalogue::get().sign(frame.class)?.shape.word().to_owned());
    let environment = drawn.map(|config| environment_word(config.environment));
    [or(&frame.shape, drawn.and_then(|_| shape())), or(&frame.environment, environment)]
}

fn point(frame: &FrameRow, method: Option<&str>, set: Option<&Synthetic>) -> Point {
    let a = frame.attributions.iter().find(|a| Some(a.method.as_str()) == method);
    let config = set.map(|set| set.config(FrameKey { class: frame.class, index: frame.index }));
    let pose = config.as_ref().map(|config| {
        let pose = config.pose;
        [pose.yaw_deg, pose.pitch_deg, pose.pixels_per_metre].map(f64::from)
    });
    // what stands in photographs is not drawn
    let painted = set.is_some_and(|set| set.set_name().photographs.is_none());
    let [shape, environment] = scene(frame, config.as_ref().filter(|_| painted));
    Point {
        position: frame.position,
        class: frame.class,
        index: frame.index,
        shape,
        environment,
        mask_share: frame.mask_share,
        predicted: frame.top5.first().copied().unwrap_or(u16::MAX),
        confidence: f64::from(frame.confidence),
        ratio: a.and_then(AttributionRow::shown),
        plain_ratio: a.and_then(|a| a.ratio.ok()),
        corrected: a.is_some_and(|a| a.corrected().is_some()),
        ratio_error: a.and_then(|a| a.ratio_error).map(|e| e.standard_error),
        proportional: a.and_then(|a| a.proportional),
        zones: a
            .and_then(|a| a.localisation)
            .map(|l| [l.inside, l.border, l.inside_area, l.border_area]),
        map: a.map(|a| a.map.clone()).unwrap_or_default(),
        pose,
    }
}
