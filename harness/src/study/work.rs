//! Works through the cells that are missing: each by the ordinary run, in a folder of its own, resumed where it was cut off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datasets::source::FrameSource as _;
use datasets::synthetic::Synthetic;
use models::Network;

use super::StudyError;
use super::cell::Cell;
use super::import;
use crate::clock::Clock;
use crate::run::{self, Job, RunPlan, Service, Signals};
use crate::store::{FILE_NAME, StoreError, Stored};

/// How far a cell is.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Frames stored, of all that the plan asks for.
    Stored {
        /// Frames that are there.
        frames: usize,
        /// Frames that the plan asks for.
        of: usize,
    },
    /// Its network does not exist.
    NoNetwork(String),
    /// The run that was to be imported is not there.
    NoRun(String),
    /// It could not be run.
    Failed(String),
}

impl State {
    /// Whether every frame is there.
    #[must_use]
    pub const fn complete(&self) -> bool {
        matches!(self, Self::Stored { frames, of } if *frames == *of)
    }
}

/// What is known while the study goes on.
#[derive(Clone, Debug)]
pub struct StudyProgress<'a> {
    /// The cell at work.
    pub cell: &'a Cell,
    /// Its number, from 1, among those to be worked through.
    pub number: usize,
    /// Cells to be worked through.
    pub cells: usize,
    /// Frames of this cell that are stored, and all of them.
    pub frames: (u64, u64),
    /// Share of the whole work that is done, 0 to 1, by cost.
    pub share: f64,
    /// Seconds left at the pace so far; nothing before the first frame.
    pub seconds_left: Option<f64>,
}

/// How far a cell is, from its folder alone.
///
/// # Errors
/// If its store cannot be read, or was made with another network or other settings or pictures.
pub fn state(folder: &Path, cell: &Cell) -> Result<State, StudyError> {
    if let Some(run) = &cell.import {
        return import::state(run, cell);
    }
    if let Some(why) = &cell.network.missing {
        return Ok(State::NoNetwork(why.clone()));
    }
    let of = cell.plan.frames;
    let path = folder.join(&cell.id);
    if !path.join(FILE_NAME).is_file() {
        return Ok(State::Stored { frames: 0, of });
    }
    let stored = match Stored::open(&path) {
        Ok(stored) => stored,
        // killed before the first transaction: the run starts anew by itself
        Err(StoreError::Schema { found, .. }) if found.contains("schema 0") => {
            return Ok(State::Stored { frames: 0, of });
        }
        Err(error) => return Err(error.into()),
    };
    check_same(&path, &stored, cell)?;
    Ok(State::Stored { frames: stored.frames.len(), of })
}

/// A store of another network or other settings must not pass for this cell.
fn check_same(path: &Path, stored: &Stored, cell: &Cell) -> Result<(), StudyError> {
    let differs = |setting: &str, found: String, wanted: String| StudyError::OtherCell {
        folder: path.to_owned(),
        setting: setting.to_owned(),
        found,
        wanted,
    };
    for (name, wanted) in cell.plan.settings() {
        let (key, wanted) = (format!("set.{name}"), wanted.to_string());
        let found = stored.settings.get(&key).cloned().unwrap_or_default();
        if found != wanted {
            return Err(differs(&key, found, wanted));
        }
    }
    let found = stored.text("hash.model");
    if found != cell.network.sha256 {
        return Err(differs("hash.model", found, cell.network.sha256.clone()));
    }
    if !cell.data.set.is_empty() {
        // rendered: the hash knows the version of the renderer and costs nothing
        let wanted = Synthetic::open(&cell.data.name).map_err(run::RunError::from)?.content_hash();
        let found = stored.text("hash.data");
        if found != wanted {
            return Err(differs("hash.data", found, wanted));
        }
    }
    Ok(())
}

/// Run what is missing of the cells; gives how far each is afterwards, in their order.
///
/// A cell that fails is noted and the next one begins; a full disk or a folder of another study ends the work.
///
/// # Errors
/// If a store cannot be read, or belongs to another network or other settings.
pub fn work(
    folder: &Path,
    cells: &[Cell],
    signals: &Arc<Signals>,
    show: &mut dyn FnMut(&StudyProgress<'_>),
) -> Result<Vec<State>, StudyError> {
    let mut states: Vec<State> =
        cells.iter().map(|cell| state(folder, cell)).collect::<Result<_, _>>()?;
    let threads =
        RunPlan { threads: cells.first().map_or(0, |c| c.plan.threads), ..RunPlan::default() }
            .thread_count();
    let left = |cell: &Cell, state: &State| match state {
        State::Stored { frames, of } => (of - frames.min(of)) as f64 * cell.cost_of_frame(threads),
        _ => 0.0,
    };
    let todo: Vec<usize> =
        (0..cells.len()).filter(|&i| left(&cells[i], &states[i]) > 0.0).collect();
    let whole: f64 = todo.iter().map(|&i| left(&cells[i], &states[i])).sum();
    let clock = Clock::start();
    let mut done = 0.0;
    let mut loaded: Option<(PathBuf, Network)> = None;
    for (number, &i) in (1..).zip(&todo) {
        if signals.stopped() {
            break;
        }
        let cell = &cells[i];
        let cost = cell.cost_of_frame(threads);
        let before = match &states[i] {
            State::Stored { frames, .. } => *frames as u64,
            _ => 0,
        };
        let mut tell = |stored: u64, asked: u64| {
            let now = done + stored.saturating_sub(before) as f64 * cost;
            let seconds = clock.now().0 as f64 / 1e6;
            show(&StudyProgress {
                cell,
                number,
                cells: todo.len(),
                frames: (stored, asked),
                share: now / whole,
                seconds_left: (now > 0.0).then(|| seconds * (whole - now) / now),
            });
        };
        tell(before, cell.plan.frames as u64);
        let service = Service::Part { number, of: todo.len() };
        let result = network_of(cell, &mut loaded).and_then(|network| {
            run_cell(&folder.join(&cell.id), cell, network, signals, service, &mut tell)
        });
        states[i] = match result {
            Ok(()) => state(folder, cell)?,
            Err(StudyError::Run(run::RunError::Store(error @ StoreError::Full { .. }))) => {
                return Err(error.into());
            }
            Err(error) => State::Failed(error.to_string()),
        };
        done += cell.plan.frames.saturating_sub(usize::try_from(before).unwrap_or(0)) as f64 * cost;
    }
    Ok(states)
}

fn network_of<'a>(
    cell: &Cell,
    loaded: &'a mut Option<(PathBuf, Network)>,
) -> Result<&'a Network, StudyError> {
    let path = cell.network.manifest.clone().unwrap_or_default();
    let kept = loaded.take().filter(|(known, _)| *known == path);
    let pair = match kept {
        Some(pair) => pair,
        None => {
            let network = Network::load(&path).map_err(run::RunError::from)?;
            (path, network)
        }
    };
    Ok(&loaded.insert(pair).1)
}

fn run_cell(
    folder: &Path,
    cell: &Cell,
    network: &Network,
    signals: &Arc<Signals>,
    service: Service,
    tell: &mut dyn FnMut(u64, u64),
) -> Result<(), StudyError> {
    let source = run::open_source(&cell.plan, network).map_err(run::RunError::from)?;
    let job = Job { resume: true, service, ..Job::plain(&cell.plan, folder, signals) };
    run::run(&job, network, Some(source.as_ref()), &mut |p| tell(p.stored, p.asked))?;
    Ok(())
}
