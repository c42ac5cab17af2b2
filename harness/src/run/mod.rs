//! The main job: frames through the camera into the network, explained, measured and stored.
//!
//! The one module that knows all the others.

mod explain;
pub mod machine;
mod plan;
mod service;
mod shard;
mod signals;
mod target;

pub use explain::{ExplainError, Explainer};
pub use plan::{Method, PlanError, RunPlan, ShapSettings, Target};
pub use shard::Shard;
pub use signals::Signals;
pub use target::{CoreProfile, TargetProfile};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datasets::folder::OpenOptions;
use datasets::source::{FrameSource, SourceError};
use firmware_host::{Counters, DropReason, Event, Micros};
use models::{ModelError, Network};

use crate::attribution::AttributionError;
use crate::clock::{self, Clock};
use crate::feed::{self, Receiver, SLOTS};
use crate::report::{self, ReportError, Summary};
use crate::store::{FrameRow, RunStore, Stage, StoreError};
use crate::telemetry;

/// Name of the event log inside a run folder.
pub const TELEMETRY: &str = "telemetry.defmt";

/// Folder of the recorded games inside a run folder.
pub const GAMES: &str = "games";

/// Why a run could not be started or ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The plan is not usable.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The network could not be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data set could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The explanation that was asked for is not possible.
    #[error(transparent)]
    Attribution(AttributionError),
    /// A frame could not be explained.
    #[error("frame {position}: {source}")]
    Explain {
        /// Position of the frame.
        position: u32,
        /// What went wrong.
        source: ExplainError,
    },
    /// The run could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file of the run could not be written.
    #[error("{path}: {source}; free space or choose another folder with --out")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread of the run ended by a panic.
    #[error("the {0} thread failed; this is a bug in roadgaze")]
    Thread(&'static str),
    /// The books do not balance.
    #[error(
        "{frames_in} frames in, but {processed} processed and {dropped} dropped; this is a bug in roadgaze"
    )]
    Unbalanced {
        /// Frames due.
        frames_in: u64,
        /// Frames stored.
        processed: u64,
        /// Frames dropped.
        dropped: u64,
    },
}

/// What is known while the run goes on, for whoever shows progress.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Frames stored, those of an earlier part included.
    pub stored: u64,
    /// Frames asked for.
    pub asked: u64,
    /// Frames of this part classified rightly.
    pub correct: u64,
    /// Frames of this part.
    pub here: u64,
    /// Sum and number of the pixel ratios of this part, by method.
    pub ratios: BTreeMap<String, (f64, u64)>,
    /// The frame that was stored last.
    pub last: Option<LastFrame>,
}

/// What became of a frame, in short.
#[derive(Clone, Debug)]
pub struct LastFrame {
    /// Position in the data set.
    pub position: u32,
    /// True class.
    pub truth: u16,
    /// Class with the highest logit.
    pub predicted: u16,
    /// Its softmax probability.
    pub confidence: f32,
    /// Pixel ratio by method, where there is one.
    pub ratios: Vec<(String, f64)>,
}

/// Where a run gets its frames, its network and its orders from.
#[derive(Debug)]
pub struct Job<'a> {
    /// Settings.
    pub plan: &'a RunPlan,
    /// Folder to write.
    pub folder: &'a Path,
    /// Continue what is there.
    pub resume: bool,
    /// Tells the run to end early and cleanly, and watchers how far it is.
    pub signals: &'a Arc<Signals>,
}

/// Run to the end, or until told to stop; gives the summary, which says whether it is complete.
///
/// # Errors
/// If anything cannot be read, computed or stored. What was stored before stays stored.
///
/// # Panics
/// Never by design; a panic of a thread is reported as [`RunError::Thread`].
pub fn run(
    job: &Job<'_>,
    network: &Network,
    source: &dyn FrameSource,
    show: &mut dyn FnMut(&Progress),
) -> Result<Summary, RunError> {
    network.manifest().check_classes(source.class_names())?;
    let asked = job.plan.positions(source.len())?;
    let mut explainer =
        Explainer::new(job.plan, network, job.signals)?.with_games(job.folder.join(GAMES));
    let settings = describe(job.plan, network, source, &explainer, asked.len());
    let mut store = if job.resume {
        RunStore::resume(job.folder, &settings, decides_results)?
    } else {
        RunStore::create(job.folder, &settings)?
    };
    if let Some((hash, body)) = explainer.plan_body()? {
        store.add_plan(&hash, body.as_bytes())?;
    }
    let log_path = job.folder.join(TELEMETRY);
    let executable = settings.get("hash.executable").map_or("", String::as_str);
    let log = telemetry::open_log(&log_path, executable.trim_matches('"'))
        .map_err(|source| RunError::File { path: log_path.clone(), source })?;

    let missing: Vec<u32> = asked.iter().copied().filter(|p| !store.done().contains(p)).collect();
    let before = (asked.len() - missing.len()) as u64;
    let outcome = stream(job, source, &missing, &mut explainer, &mut store, before, show);
    let telemetry_end = log.finish();
    let counters = outcome?;
    telemetry_end.map_err(|source| RunError::File { path: log_path, source })?;
    let dropped: BTreeMap<&str, u64> =
        DropReason::ALL.iter().map(|r| (r.name(), counters.dropped_by[*r as usize])).collect();
    let dropped = serde_json::to_string(&dropped).map_err(ReportError::Json)?;
    store.set("frames.dropped", &dropped)?;
    store.set("telemetry.frames_dropped", &defmt_host::dropped().to_string())?;
    store.finish()?;
    Ok(report::write(job.folder)?)
}

/// Film, receive, explain and store the positions; counts how each frame ended.
fn stream(
    job: &Job<'_>,
    source: &dyn FrameSource,
    positions: &[u32],
    explainer: &mut Explainer,
    store: &mut RunStore,
    before: u64,
    show: &mut dyn FnMut(&Progress),
) -> Result<Counters, RunError> {
    let clock = Clock::start();
    // capacity 1: the next frame is rendered while this one is explained, not more
    let (link, arriving) = crossbeam_channel::bounded(1);
    let (give_back, returned) = crossbeam_channel::bounded(SLOTS);
    let stop = || job.signals.stopped();
    let skip_bad = job.plan.skip_bad;
    std::thread::scope(|scope| {
        let camera = scope
            .spawn(move || feed::film(source, positions, clock, skip_bad, &link, &returned, &stop));
        let mut receiver = Receiver::default();
        let mut counters = Counters::default();
        let mut progress = Progress { stored: before, ..Progress::default() };
        progress.asked = before + positions.len() as u64;
        show(&progress);
        service::ready();
        let mut failure = None;
        for delivery in &arriving {
            if stop() {
                break;
            }
            let result = receiver.receive(&delivery, clock);
            let (truth, capture, slot) = (delivery.truth, delivery.capture, delivery.slot);
            // the camera may have finished and no longer need it
            drop(give_back.send(slot));
            let Ok(received) = result else {
                counters.drop_frame(DropReason::BadPacket);
                continue;
            };
            let position = received.header.position;
            let explained = explainer
                .explain(&received, &truth, clock)
                .map_err(|source| RunError::Explain { position, source });
            let mut row = match explained {
                Ok(row) => row,
                Err(_) if stop() => break,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            row.stages.push((Stage::Capture, capture.0));
            row.stages.push((Stage::Transport, received.transport.0));
            let end = clock.now().since(received.header.scheduled);
            row.stages.push((Stage::EndToEnd, end.0));
            note(&row, received.header.sequence);
            let (stored, taken) = clock.time(|| store.add(&row));
            if let Err(error) = stored {
                failure = Some(error.into());
                break;
            }
            store.add_store_time(row.position, taken.0);
            counters.processed += 1;
            progress.take(&row);
            show(&progress);
            service::alive(progress.stored, progress.asked);
        }
        service::stopping();
        // a camera that still films finds nobody listening and ends
        drop((arriving, give_back));
        let camera = camera.join().map_err(|_panic| RunError::Thread("camera"))?;
        if let Some(error) = failure {
            return Err(error);
        }
        let film = camera?;
        for reason in DropReason::ALL {
            counters.dropped_by[reason as usize] += film.counters.dropped_by[reason as usize];
        }
        counters.frames_in = film.counters.frames_in;
        if stop() {
            // frames that were filmed but not yet stored are taken back: --resume films them again
            counters.frames_in = counters.processed + counters.dropped();
        }
        Event::Finished { counters }.log();
        if counters.balanced() {
            Ok(counters)
        } else {
            let Counters { frames_in, processed, .. } = counters;
            Err(RunError::Unbalanced { frames_in, processed, dropped: counters.dropped() })
        }
    })
}

impl Progress {
    fn take(&mut self, row: &FrameRow) {
        self.stored += 1;
        self.here += 1;
        self.correct += u64::from(row.correct());
        let ratios =
            row.attributions.iter().filter_map(|a| Some((a.method.clone(), a.ratio.ok()?)));
        let ratios: Vec<(String, f64)> = ratios.collect();
        for (method, ratio) in &ratios {
            let (sum, count) = self.ratios.entry(method.clone()).or_default();
            *sum += ratio;
            *count += 1;
        }
        self.last = Some(LastFrame {
            position: row.position,
            truth: row.class,
            predicted: row.top5.first().copied().unwrap_or(u16::MAX),
            confidence: row.confidence,
            ratios,
        });
    }
}

fn note(row: &FrameRow, sequence: u32) {
    let time = |stage: Stage| {
        Micros(row.stages.iter().filter(|(s, _)| *s == stage).map(|(_, us)| us).sum())
    };
    let class = row.top5.first().copied().unwrap_or(u16::MAX);
    Event::Classified { sequence, class, taken: time(Stage::Network) }.log();
    if !row.attributions.is_empty() {
        let evaluations = row.attributions.iter().map(|a| a.evaluations).sum();
        let taken = Micros(time(Stage::Gradcam).0 + time(Stage::KernelShap).0);
        Event::Explained { sequence, evaluations, taken }.log();
    }
}

/// Settings and hashes that must not change when a run is resumed.
fn decides_results(name: &str) -> bool {
    name.starts_with("set.") || (name.starts_with("hash.") && name != "hash.executable")
}

fn describe(
    plan: &RunPlan,
    network: &Network,
    source: &dyn FrameSource,
    explainer: &Explainer,
    asked: usize,
) -> BTreeMap<String, String> {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let mut all = BTreeMap::new();
    for (name, value) in plan.settings() {
        all.insert(format!("set.{name}"), value.to_string());
    }
    all.insert("hash.model".to_owned(), text(network.sha256()));
    all.insert("hash.data".to_owned(), text(&source.content_hash()));
    if let Some(hash) = explainer.plan_hash() {
        all.insert("hash.plan".to_owned(), text(hash));
    }
    let executable = std::env::current_exe()
        .and_then(|path| telemetry::file_hash(&path))
        .unwrap_or_else(|_| "unknown".to_owned());
    all.insert("hash.executable".to_owned(), text(&executable));
    all.insert("class_names".to_owned(), serde_json::json!(source.class_names()).to_string());
    all.insert("data.name".to_owned(), text(&source.name()));
    all.insert("frames.asked".to_owned(), asked.to_string());
    let share = network.info().integer_mac_share;
    all.insert("integer_mac_share".to_owned(), serde_json::json!(share).to_string());
    all.insert("model.macs".to_owned(), network.info().macs.to_string());
    all.insert("started_unix".to_owned(), clock::unix_seconds().to_string());
    for (name, value) in machine::facts() {
        all.insert(format!("machine.{name}"), text(&value));
    }
    all
}

/// Open a data set by its name, for example `synthetic:CF/test`, or a folder of pictures with masks.
///
/// # Errors
/// If the name is not understood, or the folder is no data set for this network.
pub fn open_source(plan: &RunPlan, network: &Network) -> Result<Box<dyn FrameSource>, SourceError> {
    let options = OpenOptions {
        skip_bad: plan.skip_bad,
        classes: u16::try_from(network.info().classes).ok(),
        list: None,
        threads: plan.threads,
    };
    datasets::open::open(&plan.data, &options)
}
