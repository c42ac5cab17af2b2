//! The main job: frames through the camera into the network, explained, measured and stored.
//!
//! The one module that knows all the others.

mod deadlines;
mod error;
mod explain;
mod facts;
mod live;
pub mod machine;
mod plan;
mod progress;
pub(crate) mod service;
mod signals;
mod target;
mod threads;

pub use crate::store::Shard;
pub use error::RunError;
pub use explain::{ExplainError, Explainer};
pub use live::{ExplainWhen, Feed, FeedPace, Recorded, Replay, ReplayError, Sameness};
pub use plan::{Method, PlanError, RunPlan, ShapSettings, Target};
pub use progress::{LastFrame, Progress, Shown, ShownMap};
pub use service::Service;
pub use signals::Signals;
pub use target::{CoreProfile, TargetProfile};
pub use threads::ThreadSettings;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datasets::folder::OpenOptions;
use datasets::source::{FrameSource, SourceError};
use firmware_host::{Counters, DropReason, Event, Micros};
use models::Network;

use self::deadlines::Deadlines;
use self::facts::{decides_results, describe};
use self::live::{Live, LiveEnd};
use crate::clock::Clock;
use crate::feed::{self, Receiver, SLOTS};
use crate::report::budget::{Budgets, Verdict, judge};
use crate::report::{self, ReportError, Summary};
use crate::store::kernels::INTEGER_KERNELS;
use crate::store::{DROPPED, FrameRow, RunStore, Stage, Stored, VERDICT};
use crate::telemetry;
use crate::telemetry::device::Sampler;

/// Name of the event log inside a run folder.
pub const TELEMETRY: &str = "telemetry.defmt";

/// Folder of the recorded games inside a run folder.
pub const GAMES: &str = "games";

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
    /// Whether its beginning and end are those of the command, for the service manager.
    pub service: Service,
}

impl<'a> Job<'a> {
    /// A run from its beginning, in lockstep, of every frame as it is.
    #[must_use]
    pub const fn plain(plan: &'a RunPlan, folder: &'a Path, signals: &'a Arc<Signals>) -> Self {
        Self {
            plan,
            folder,
            resume: false,
            signals,
            feed: None,
            budgets: None,
            pictures: false,
            service: Service::Whole,
        }
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
        job.service.ready(progress.stored, progress.asked);
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
            job.service.alive(progress.stored, progress.asked);
        }
        job.service.stopping(stop());
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
