//! From the run folders of all cells to one book.

use std::collections::BTreeMap;
use std::path::Path;

use datasets::source::FrameKey;
use datasets::synthetic::Synthetic;

use super::StudyError;
use super::book::{Book, Entry, Point};
use super::cell::Cell;
use super::plan::StudyPlan;
use super::work::{self, State};
use crate::run::machine;
use crate::store::{AttributionRow, FrameRow, Stored};
use crate::telemetry;

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
    let entries = cells
        .iter()
        .map(|cell| entry(folder, cell, failed.get(&cell.id)))
        .collect::<Result<_, _>>()?;
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
        explainer: cell.explainer(),
        asked: cell.plan.frames,
        problem: failed.cloned(),
        ..Entry::default()
    };
    // the place of the manifest differs from machine to machine
    entry.network.manifest = None;
    match work::state(folder, cell)? {
        State::NoNetwork(_) => {
            entry.problem = Some("the network does not exist".to_owned());
            entry.network.missing = Some("no network of this name was found".to_owned());
        }
        State::Failed(why) => entry.problem = Some(why),
        State::Stored { frames: 0, .. } => {
            entry.problem.get_or_insert_with(|| "not run yet".to_owned());
        }
        State::Stored { frames, of } => {
            if frames < of {
                entry.problem.get_or_insert_with(|| format!("{frames} of {of} frames"));
            }
            let stored = Stored::open(&folder.join(&cell.id))?;
            entry.executable = stored.text("hash.executable");
            entry.hash_data = stored.text("hash.data");
            entry.points = points(&stored, &cell.data.name);
        }
    }
    Ok(entry)
}

/// The frames of a run as a study keeps them; poses are drawn again, which renders nothing.
pub(super) fn points(stored: &Stored, data: &str) -> Vec<Point> {
    let set = Synthetic::open(data).ok();
    stored.frames.iter().map(|frame| point(frame, set.as_ref())).collect()
}

fn point(frame: &FrameRow, set: Option<&Synthetic>) -> Point {
    let a = frame.attributions.first();
    let pose = set.map(|set| {
        let pose = set.config(FrameKey { class: frame.class, index: frame.index }).pose;
        [pose.yaw_deg, pose.pitch_deg, pose.pixels_per_metre].map(f64::from)
    });
    Point {
        position: frame.position,
        class: frame.class,
        index: frame.index,
        shape: frame.shape.clone(),
        environment: frame.environment.clone(),
        mask_share: frame.mask_share,
        predicted: frame.top5.first().copied().unwrap_or(u16::MAX),
        confidence: f64::from(frame.confidence),
        ratio: a.and_then(AttributionRow::shown),
        plain_ratio: a.and_then(|a| a.ratio.ok()),
        ratio_error: a.and_then(|a| a.ratio_error).map(|e| e.standard_error),
        proportional: a.and_then(|a| a.proportional),
        zones: a
            .and_then(|a| a.localisation)
            .map(|l| [l.inside, l.border, l.inside_area, l.border_area]),
        map: a.map(|a| a.map.clone()).unwrap_or_default(),
        pose,
    }
}
