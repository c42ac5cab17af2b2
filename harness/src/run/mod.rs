//! The main job: frames through the camera into the network, explained, measured and stored.
//!
//! The one module that knows all the others.

mod deadlines;
mod explain;
mod live;
pub mod machine;
mod plan;
mod service;
mod signals;
mod target;
mod threads;

pub use crate::store::Shard;
pub use explain::{ExplainError, Explainer};
pub use live::{ExplainWhen, Feed, FeedPace, Recorded, Replay, ReplayError, Sameness};
pub use plan::{Method, PlanError, RunPlan, ShapSettings, Target};
pub use signals::Signals;
pub use target::{CoreProfile, TargetProfile};
pub use threads::ThreadSettings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datasets::folder::OpenOptions;
use datasets::source::{FrameSource, SourceError};
use firmware_host::{Counters, DropReason, Event, Micros};
use image::RgbImage;
use models::engine::Isa;
use models::{ModelError, Network};

use self::deadlines::Deadlines;
use self::live::{Live, LiveEnd};
use crate::attribution::AttributionError;
use crate::clock::{self, Clock};
use crate::feed::remote::LinkFailure;
use crate::feed::{self, FilmError, Receiver, SLOTS, ScenarioError};
use crate::report::budget::{Budgets, Verdict, judge};
use crate::report::{self, ReportError, Summary};
use crate::store::kernels::{self, INTEGER_KERNELS};
use crate::store::{
    AttributionRow, DROPPED, FrameRow, RunStore, Stage, StoreError, Stored, VERDICT,
};
use crate::telemetry;
use crate::telemetry::device::Sampler;

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
    /// The scenario is not usable.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The camera elsewhere could not be used.
    #[error(transparent)]
    Link(#[from] LinkFailure),
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

impl From<FilmError> for RunError {
    fn from(error: FilmError) -> Self {
        match error {
            FilmError::Source(source) => Self::Source(source),
            FilmError::Scenario(source) => Self::Scenario(source),
        }
    }
}

/// What is known while the run goes on, for whoever shows progress.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Frames stored, those of an earlier part included.
    pub stored: u64,
    /// Frames asked for; 0 if only the camera knows.
    pub asked: u64,
    /// Frames that were due up to the last one stored.
    pub due: u64,
    /// Frames of this part classified rightly.
    pub correct: u64,
    /// Frames of this part.
    pub here: u64,
    /// Sum and number of the pixel ratios of this part, corrected where they can be, by method.
    pub ratios: BTreeMap<String, (f64, u64)>,
    /// The frame that was stored last.
    pub last: Option<LastFrame>,
    /// Its picture, if the job asks for pictures.
    pub shown: Option<Shown>,
}

/// A picture with its newest map, to be looked at.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The picture.
    pub image: Arc<RgbImage>,
    /// `GradCAM` if there is one, else Kernel SHAP.
    pub map: Option<ShownMap>,
}

/// A map over a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownMap {
    /// Rows and columns.
    pub grid: (u16, u16),
    /// Attribution of each cell, row by row.
    pub values: Vec<f32>,
}

impl ShownMap {
    fn of(row: &AttributionRow) -> Self {
        Self { grid: row.grid, values: row.map.clone() }
    }
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
    /// From the scheduled capture to the class, or to all results where there is no such time.
    pub delay: Option<Micros>,
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
    /// Camera with a scenario, in lockstep or live; none = every frame of the data set as it is.
    pub feed: Option<&'a Feed>,
    /// What the run is judged by at its end.
    pub budgets: Option<&'a Budgets>,
    /// Whether whoever watches wants pictures.
    pub pictures: bool,
}

impl<'a> Job<'a> {
    /// A run from its beginning, in lockstep, of every frame as it is.
    #[must_use]
    pub const fn plain(plan: &'a RunPlan, folder: &'a Path, signals: &'a Arc<Signals>) -> Self {
        Self { plan, folder, resume: false, signals, feed: None, budgets: None, pictures: false }
    }
}

/// What a run ends with.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its figures.
    pub summary: Summary,
    /// The verdict, if there were budgets.
    pub verdict: Option<Verdict>,
    /// How a replay compares with the run that it replays.
    pub sameness: Option<Sameness>,
}

/// Run to the end, or until told to stop; gives the summary, which says whether it is complete.
///
/// `source` is none if the camera is elsewhere.
///
/// # Errors
/// If anything cannot be read, computed or stored. What was stored before stays stored.
///
/// # Panics
/// Never by design; a panic of a thread is reported as [`RunError::Thread`].
pub fn run(
    job: &Job<'_>,
    network: &Network,
    source: Option<&dyn FrameSource>,
    show: &mut dyn FnMut(&Progress),
) -> Result<Done, RunError> {
    let asked = match source {
        Some(source) => {
            network.manifest().check_classes(source.class_names())?;
            job.plan.positions(source.len())?
        }
        None => Vec::new(),
    };
    let mut explainer =
        Explainer::new(job.plan, network, job.signals)?.with_games(job.folder.join(GAMES));
    let settings = describe(job, network, source, &explainer, asked.len());
    let log_path = job.folder.join(TELEMETRY);
    let file = |source| RunError::File { path: log_path.clone(), source };
    telemetry::refuse_busy(&log_path).map_err(file)?;
    let mut store = if job.resume {
        RunStore::resume(job.folder, &settings, decides_results)?
    } else {
        RunStore::create(job.folder, &settings)?
    };
    if let Some(used) = settings.get(INTEGER_KERNELS).filter(|_| store.done().len() < asked.len()) {
        store.add_kernels(used)?;
    }
    store.add_plans(&explainer.plan_bodies()?)?;
    let executable = settings.get("hash.executable").map_or("", String::as_str);
    let log = telemetry::open_log(&log_path, executable.trim_matches('"')).map_err(file)?;
    // the logger counts for the whole process, of which this run may be one of many
    let unlogged_before = defmt_host::dropped();
    let clock = Clock::start();
    let sampler = Sampler::start(clock).map_err(file)?;
    let outcome = match (job.feed, source) {
        (None, Some(source)) => {
            let missing: Vec<u32> =
                asked.iter().copied().filter(|p| !store.done().contains(p)).collect();
            let before = (asked.len() - missing.len()) as u64;
            stream(job, source, &missing, &mut explainer, &mut store, before, clock, show)
        }
        (Some(feed), source) => {
            let frames = source.map(|source| (source, asked.as_slice()));
            let live = Live { job, feed, network, frames, clock };
            live.run(&mut explainer, &mut store, show).and_then(|end| remember(&store, end))
        }
        (None, None) => Ok(Counters::default()),
    };
    let samples = sampler.finish();
    let telemetry_end = log.finish();
    let unlogged = defmt_host::dropped().saturating_sub(unlogged_before);
    let counters = outcome?;
    telemetry_end.map_err(file)?;
    store.add_device_samples(&samples)?;
    let dropped: BTreeMap<&str, u64> =
        DropReason::ALL.iter().map(|r| (r.name(), counters.dropped_by[*r as usize])).collect();
    let dropped = serde_json::to_string(&dropped).map_err(ReportError::Json)?;
    store.set(DROPPED, &dropped)?;
    store.add_unlogged(unlogged)?;
    store.settle()?;
    let (verdict, sameness) = judge_run(job, &store)?;
    store.finish()?;
    Ok(Done { summary: report::write(job.folder)?, verdict, sameness })
}

/// Judge what is stored, and store the judgement.
fn judge_run(
    job: &Job<'_>,
    store: &RunStore,
) -> Result<(Option<Verdict>, Option<Sameness>), RunError> {
    let replay = job.feed.and_then(|feed| feed.replay.as_ref());
    if job.budgets.is_none() && replay.is_none() {
        return Ok((None, None));
    }
    let stored = Stored::open(job.folder)?;
    let verdict = job.budgets.map(|budgets| judge(budgets, &stored)).transpose()?;
    if let Some(verdict) = &verdict {
        store.set(VERDICT, &serde_json::to_string(verdict).map_err(ReportError::Json)?)?;
    }
    let sameness = replay.map(|replay| replay.compare(&stored));
    if let Some(sameness) = &sameness {
        store.set("feed.replay_frames", &sameness.frames.to_string())?;
        store.set("feed.replay_different", &sameness.different.len().to_string())?;
    }
    Ok((verdict, sameness))
}

/// Store what a live run says of its feed.
fn remember(store: &RunStore, end: LiveEnd) -> Result<Counters, RunError> {
    let LiveEnd { counters, report, greeting } = end;
    let json = serde_json::to_string(&report).map_err(ReportError::Json)?;
    store.set("feed", &json)?;
    store.set("frames.due", &counters.frames_in.to_string())?;
    store.set("feed.camera_late", &report.camera_late.to_string())?;
    let worst = report.camera_late_worst_ms * 1000.0;
    store.set("feed.camera_late_worst_micros", &format!("{worst:.0}"))?;
    if let Some(greeting) = greeting {
        let text = |value: &str| serde_json::Value::from(value).to_string();
        store.set("data.name", &text(&greeting.name))?;
        store.set("hash.data", &text(&greeting.content_hash))?;
        store.set("frames.asked", &greeting.frames.to_string())?;
    }
    Ok(counters)
}

/// Film, receive, explain and store the positions; counts how each frame ended.
fn stream(
    job: &Job<'_>,
    source: &dyn FrameSource,
    positions: &[u32],
    explainer: &mut Explainer,
    store: &mut RunStore,
    before: u64,
    clock: Clock,
    show: &mut dyn FnMut(&Progress),
) -> Result<Counters, RunError> {
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
        let mut deadlines = Deadlines::new(job.budgets);
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
            note(&row, received.header.sequence, &mut deadlines);
            let (stored, taken) = clock.time(|| store.add(&row));
            if let Err(error) = stored {
                failure = Some(error.into());
                break;
            }
            store.add_store_time(row.position, taken.0);
            deadlines.judge(received.header.sequence, &[(Stage::Store, taken.0)]);
            counters.processed += 1;
            progress.take(&row);
            progress.due = progress.stored;
            progress.picture(job, &received.image, &row);
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
        let ratios = row.attributions.iter().filter_map(|a| Some((a.method.clone(), a.shown()?)));
        let ratios: Vec<(String, f64)> = ratios.collect();
        row.attributions.iter().for_each(|a| self.take_explanation(a));
        self.last = Some(LastFrame {
            position: row.position,
            truth: row.class,
            predicted: row.top5.first().copied().unwrap_or(u16::MAX),
            confidence: row.confidence,
            ratios,
            delay: [Stage::Decision, Stage::EndToEnd]
                .iter()
                .find_map(|wanted| row.stages.iter().find(|(stage, _)| stage == wanted))
                .map(|(_, micros)| Micros(*micros)),
        });
    }

    /// The picture of the frame that was taken last; copied only if somebody wants to see it.
    fn picture(&mut self, job: &Job<'_>, image: &RgbImage, row: &FrameRow) {
        if job.pictures {
            let map = row.attributions.first().map(ShownMap::of);
            self.shown = Some(Shown { image: Arc::new(image.clone()), map });
        }
    }
}

impl Progress {
    fn take_explanation(&mut self, row: &AttributionRow) {
        if let Some(ratio) = row.shown() {
            let (sum, count) = self.ratios.entry(row.method.clone()).or_default();
            *sum += ratio;
            *count += 1;
        }
    }
}

/// Tell the device's log what became of a frame that is about to be stored.
fn note(row: &FrameRow, sequence: u32, deadlines: &mut Deadlines) {
    deadlines.judge(sequence, &row.stages);
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
    job: &Job<'_>,
    network: &Network,
    source: Option<&dyn FrameSource>,
    explainer: &Explainer,
    asked: usize,
) -> BTreeMap<String, String> {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let mut all = BTreeMap::new();
    for (name, value) in job.plan.settings() {
        all.insert(format!("set.{name}"), value.to_string());
    }
    all.insert("hash.model".to_owned(), text(network.sha256()));
    if let Some(source) = source {
        all.insert("hash.data".to_owned(), text(&source.content_hash()));
        all.insert("data.name".to_owned(), text(&source.name()));
    }
    if let Some(feed) = job.feed {
        let scenario = serde_json::to_string(&feed.scenario).unwrap_or_default();
        all.insert("feed.scenario".to_owned(), scenario);
        all.insert("feed.pace".to_owned(), text(&feed.pace_name()));
        if let Some(count) = feed.preload {
            all.insert("feed.preload".to_owned(), count.to_string());
        }
        if let Some(replay) = &feed.replay {
            let run = replay.run().display().to_string();
            all.insert("feed.replay_of".to_owned(), text(&run));
        }
    }
    if let Some(hash) = explainer.plan_hash() {
        all.insert("hash.plan".to_owned(), text(hash));
    }
    let executable = std::env::current_exe()
        .and_then(|path| telemetry::file_hash(&path))
        .unwrap_or_else(|_| "unknown".to_owned());
    all.insert("hash.executable".to_owned(), text(&executable));
    let names = source.map_or(&[][..], |source| source.class_names());
    all.insert("class_names".to_owned(), serde_json::json!(names).to_string());
    all.insert("frames.asked".to_owned(), asked.to_string());
    let share = network.info().integer_mac_share;
    all.insert("integer_mac_share".to_owned(), serde_json::json!(share).to_string());
    all.insert("model.macs".to_owned(), network.info().macs.to_string());
    all.insert("started_unix".to_owned(), clock::unix_seconds().to_string());
    for (name, value) in machine::facts() {
        all.insert(format!("machine.{name}"), text(&value));
    }
    let isa = network.integer_kernels().map_or(kernels::NONE, Isa::name);
    all.insert(INTEGER_KERNELS.to_owned(), text(isa));
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
