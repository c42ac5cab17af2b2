//! Checks an evidence pack: files against hashes, the study against the run stores, figures and pages against the study, pixels
//! against the renderer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

use datasets::renderer::RENDERER_VERSION;
use datasets::source::FrameKey;
use datasets::synthetic::Synthetic;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::book::{Book, Entry, Point};
use super::cell::DataFacts;
use super::evidence::{self, Evidence};
use super::{RESULTS, StudyError, analyse, collect, derived};
use crate::attribution::{Map, Upsampling};
use crate::metrics::{self, Mask};
use crate::store::{AttributionRow, FrameRow, Stored};
use crate::telemetry::hex;

/// Largest relative difference of a derived figure: the last bits of a logarithm differ between machines.
pub(super) const TOLERANCE: f64 = 1e-9;
/// Largest difference of a ratio computed again from a stored map, which has 24 bits.
const RATIO_TOLERANCE: f64 = 1e-5;

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// How many were looked at.
    pub looked_at: usize,
    /// What does not hold, a line each.
    pub wrong: Vec<String>,
}

/// Check a pack; `frames` pictures of each cell are rendered again.
///
/// # Errors
/// If there is no pack in the folder, or it cannot be read. What does not hold is no error, but stands in the checks.
pub fn verify(pack: &Path, frames: usize) -> Result<Vec<Check>, StudyError> {
    let path = pack.join(evidence::FILE_NAME);
    let text = fs::read_to_string(&path).map_err(|source| StudyError::Plan {
        place: path.display().to_string(),
        problem: source.to_string(),
        remedy: "name a folder that `roadgaze study --evidence` has written".to_owned(),
    })?;
    let evidence: Evidence = serde_json::from_str(&text)
        .map_err(|source| StudyError::Json { place: path.display().to_string(), source })?;
    let mut checks = vec![files(pack, &evidence)?];
    // nothing is opened beside a journal, or outside the pack
    if checks[0].wrong.iter().any(|w| w.contains("-wal: ") || w.contains("-journal: ")) {
        return Ok(checks);
    }
    let book = Book::read(pack)?;
    let stray = book.entries.iter().find(|entry| !is_inside(&entry.id));
    if let Some(entry) = stray {
        checks[0].wrong.push(format!("cell {}: a folder inside the pack expected", entry.id));
        return Ok(checks);
    }
    checks.push(rows(pack, &book));
    checks.push(inputs(&book, &evidence));
    checks.push(figures(pack, &book)?);
    checks.push(derived::check(pack, &book)?);
    checks.push(pictures(pack, &book, frames)?);
    Ok(checks)
}

/// Whether a path of a list leads nowhere but into the pack.
fn is_inside(path: &str) -> bool {
    let normal = |c| matches!(c, Component::Normal(_));
    !path.is_empty() && Path::new(path).components().all(normal)
}

/// Every file is there with its hash, and none else.
fn files(pack: &Path, evidence: &Evidence) -> Result<Check, StudyError> {
    let mut wrong = Vec::new();
    for file in &evidence.files {
        if !is_inside(&file.path) {
            wrong.push(format!("{}: a path inside the pack expected", file.path));
            continue;
        }
        let path = pack.join(&file.path);
        if !path.is_file() {
            wrong.push(format!("{}: file expected, none found", file.path));
            continue;
        }
        let found = evidence::packed(pack, &path)?;
        if found.sha256 != file.sha256 {
            wrong.push(format!(
                "{}: sha256 {} expected, {} found",
                file.path, file.sha256, found.sha256
            ));
        }
    }
    let known: BTreeSet<&str> = evidence.files.iter().map(|f| f.path.as_str()).collect();
    let mut paths = Vec::new();
    evidence::walk(pack, &mut paths)?;
    for path in paths {
        let inner = evidence::inner(pack, &path);
        // journals of SQLite too: what stands in one would be read in place of what the hashes are of
        if inner != evidence::FILE_NAME && !known.contains(inner.as_str()) {
            wrong.push(format!("{inner}: not in {}", evidence::FILE_NAME));
        }
    }
    Ok(Check { what: "files against their hashes", looked_at: evidence.files.len(), wrong })
}

/// The rows of the study follow from the run stores.
fn rows(pack: &Path, book: &Book) -> Check {
    let (mut looked_at, mut wrong) = (0, Vec::new());
    for entry in with_frames(book) {
        // what the name of a data set says of it decides which question its frames answer
        if !DataFacts::of(&entry.data.name, &[]).is_ok_and(|told| told == entry.data) {
            wrong.push(format!(
                "{}: data set {} has other facts than its name",
                entry.id, entry.data.name
            ));
        }
        let stored = match Stored::open(&pack.join(&entry.id)) {
            Ok(stored) => stored,
            Err(error) => {
                // a store that does not hold together is a finding, not an end
                wrong.push(error.to_string());
                continue;
            }
        };
        for (name, expected, found) in [
            ("hash.model", &entry.network.sha256, stored.text("hash.model")),
            ("hash.data", &entry.hash_data, stored.text("hash.data")),
            ("hash.plan", &entry.hash_plan, collect::hash_plan(&stored, entry)),
        ] {
            if found != *expected {
                wrong.push(format!("{}: {name} {expected} expected, {found} found", entry.id));
            }
        }
        let derived = collect::points(&stored, entry);
        if derived.len() != entry.points.len() {
            let (all, here) = (derived.len(), entry.points.len());
            wrong.push(format!("{}: {all} frames expected, {here} found", entry.id));
        }
        let same_renderer =
            book.facts.get("renderer").is_some_and(|v| *v == RENDERER_VERSION.to_string());
        for (derived, kept) in derived.iter().zip(&entry.points) {
            looked_at += 1;
            // poses are drawn, not stored, and so may environments be: another renderer may draw others
            let drawn = if same_renderer { derived } else { kept };
            let environment = match stored_environment(&stored, kept.position) {
                "" => drawn.environment.clone(),
                told => told.to_owned(),
            };
            if (Point { pose: drawn.pose, environment, ..derived.clone() }) != *kept {
                wrong.push(format!("{}: frame {} differs from its run", entry.id, kept.position));
            }
        }
    }
    Check { what: "rows of the study against the run stores", looked_at, wrong }
}

fn stored_environment(stored: &Stored, position: u32) -> &str {
    let at = stored.frames.binary_search_by_key(&position, |frame| frame.position);
    at.map_or("", |at| &stored.frames[at].environment)
}

fn with_frames(book: &Book) -> impl Iterator<Item = &Entry> {
    book.entries.iter().filter(|e| !e.points.is_empty())
}

/// Hashes of networks and data sets are those of the list.
fn inputs(book: &Book, evidence: &Evidence) -> Check {
    let mut wrong = Vec::new();
    for entry in with_frames(book) {
        let network = evidence.networks.get(&entry.network.name).cloned().flatten();
        if network.as_deref() != Some(entry.network.sha256.as_str()) {
            wrong.push(format!("{}: the network is not that of the list", entry.id));
        }
        // what an import shows is held against the renderer, picture by picture
        let listed = evidence.data.get(&entry.data.name) == Some(&entry.hash_data);
        if entry.import.is_none() && !listed {
            wrong.push(format!("{}: the data set is not that of the list", entry.id));
        }
    }
    Check {
        what: "networks and data sets against the list",
        looked_at: with_frames(book).count(),
        wrong,
    }
}

/// Every figure follows from the study.
fn figures(pack: &Path, book: &Book) -> Result<Check, StudyError> {
    let path = pack.join(RESULTS);
    let json = |source| StudyError::Json { place: path.display().to_string(), source };
    let text = fs::read_to_string(&path).map_err(|source| StudyError::file(&path, source))?;
    let kept: Value = serde_json::from_str(&text).map_err(json)?;
    let derived = serde_json::to_value(analyse(book)).map_err(json)?;
    let (mut looked_at, mut wrong) = (0, Vec::new());
    compare("", &derived, &kept, &mut looked_at, &mut wrong);
    Ok(Check { what: "figures and verdicts against the study", looked_at, wrong })
}

fn compare(
    place: &str,
    derived: &Value,
    kept: &Value,
    looked_at: &mut usize,
    wrong: &mut Vec<String>,
) {
    match (derived, kept) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            for (name, value) in a {
                let other = b.get(name).unwrap_or(&Value::Null);
                compare(&format!("{place}/{name}"), value, other, looked_at, wrong);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (value, other)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}/{i}"), value, other, looked_at, wrong);
            }
        }
        _ => {
            *looked_at += 1;
            let near = match (derived.as_f64(), kept.as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0),
                _ => derived == kept,
            };
            if !near {
                wrong.push(format!("{RESULTS}{place}: {derived} expected, {kept} found"));
            }
        }
    }
}

/// Some pictures of every cell, rendered again: hash of the pixels, share of the mask, ratio of the stored map.
fn pictures(pack: &Path, book: &Book, frames: usize) -> Result<Check, StudyError> {
    let (mut looked_at, mut wrong) = (0, Vec::new());
    for entry in with_frames(book).filter(|e| !e.data.set.is_empty()) {
        let set = Synthetic::open(&entry.data.name).map_err(crate::run::RunError::from)?;
        let stored = match Stored::open(&pack.join(&entry.id)) {
            Ok(stored) => stored,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        let rule =
            serde_json::from_str(stored.settings.get("set.upsampling").map_or("", String::as_str))
                .unwrap_or(Upsampling::Nearest);
        let all = collect::frames(&stored, entry);
        let step = all.len().div_ceil(frames.max(1)).max(1);
        for frame in all.into_iter().step_by(step).take(frames) {
            looked_at += 1;
            if let Some(problem) = picture(&set, frame, entry.attribution(), rule) {
                wrong.push(format!("{}, frame {}: {problem}", entry.id, frame.position));
            }
        }
    }
    Ok(Check { what: "pictures and ratios rendered and computed again", looked_at, wrong })
}

fn picture(
    set: &Synthetic,
    frame: &FrameRow,
    method: Option<&str>,
    rule: Upsampling,
) -> Option<String> {
    let rendered = match set.render(FrameKey { class: frame.class, index: frame.index }) {
        Ok(rendered) => rendered,
        Err(error) => return Some(error.to_string()),
    };
    let hash = hex(&Sha256::digest(rendered.image.as_raw())[..8]);
    if hash != frame.image_hash {
        return Some(format!(
            "pixels with hash {} expected, {hash} rendered by version {RENDERER_VERSION}",
            frame.image_hash
        ));
    }
    let side = |n: u32| usize::try_from(n).unwrap_or(0);
    let (width, height) = rendered.mask.dimensions();
    let mask = Mask::new(side(height), side(width), rendered.mask.as_raw())?;
    if (mask.area_share() - frame.mask_share).abs() > TOLERANCE {
        return Some(format!(
            "mask of {} expected, {} rendered",
            frame.mask_share,
            mask.area_share()
        ));
    }
    // a run that was imported may hold maps of another method
    let of_cell = frame.attributions.iter().find(|a| Some(a.method.as_str()) == method);
    of_cell.and_then(|a| ratio(a, &mask, rule))
}

fn ratio(a: &AttributionRow, mask: &Mask, rule: Upsampling) -> Option<String> {
    let values = a.map.iter().map(|&v| f64::from(v)).collect();
    let Some(map) = Map::new(a.grid.0.into(), a.grid.1.into(), values) else {
        return Some("the stored map does not have the size of its grid".to_owned());
    };
    let again = metrics::pixel_ratio(&map, mask, rule);
    let same = match (&again, &a.ratio) {
        (Ok(x), Ok(y)) => (x - y).abs() <= RATIO_TOLERANCE,
        (Err(x), Err(y)) => x == y,
        _ => false,
    };
    (!same).then(|| format!("{}: ratio {:?} stored, {again:?} computed again", a.method, a.ratio))
}
