//! What a live run says of its feed: every frame in one account, delays alone and beside an explanation, the camera's own
//! lateness. Stored as one JSON value, from which the report is made.

use std::collections::BTreeMap;

use firmware_host::{Ailment, Counters, DropReason, Event};
use serde::Serialize;

use super::settings::{ExplainWhen, Feed};
use crate::feed::remote::RemoteReport;
use crate::feed::wire::Greeting;
use crate::feed::{FilmReport, IntakeReport};
use crate::stats::Percentiles;

/// What came of the feeding side.
#[derive(Debug, Default)]
pub(super) struct CameraEnd {
    pub(super) intake: IntakeReport,
    pub(super) film: Option<FilmReport>,
    pub(super) link: Option<RemoteReport>,
    pub(super) greeting: Option<Greeting>,
}

/// What came of the classifying side.
#[derive(Debug, Default)]
pub(super) struct Classified {
    /// Frames taken out of the queue.
    pub(super) taken: u64,
    /// Of those, frames that came without their truth.
    pub(super) without_truth: u64,
    /// Frames that were due to be explained while the explanation before was not done.
    pub(super) skipped: u64,
    /// Delays of decisions while nothing was explained, microseconds.
    pub(super) alone: Vec<u64>,
    /// Delays of decisions while a frame was explained beside it.
    pub(super) beside: Vec<u64>,
}

/// What came of the explaining side.
#[derive(Debug, Default)]
pub(super) struct ExplainedEnd {
    /// Explanations made.
    pub(super) made: u64,
    /// Explanations given up because their budget was spent.
    pub(super) over_budget: u64,
    /// What could not be set for the thread.
    pub(super) warnings: Vec<String>,
}

/// A picture alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(in crate::run) struct Alarm {
    /// Times that it went on.
    pub(in crate::run) raised: u32,
    /// Frames during which it was on.
    pub(in crate::run) frames: u64,
}

/// The feed of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::run) struct LiveReport {
    /// Who set the pace.
    pub(in crate::run) pace: String,
    /// Frames a second that were due; none in lockstep.
    pub(in crate::run) fps: Option<f64>,
    /// What happens when the queue is full, and how many frames may wait.
    pub(in crate::run) queue: String,
    /// Seed of the scenario.
    pub(in crate::run) seed: u64,
    /// Frames held in memory and shown in a loop.
    pub(in crate::run) preload: Option<usize>,
    /// Frames due.
    pub(in crate::run) sent: u64,
    /// Frames classified and stored.
    pub(in crate::run) processed: u64,
    /// The rest, by reason; those without one are left out.
    pub(in crate::run) dropped: BTreeMap<&'static str, u64>,
    /// Packets beyond one a frame.
    pub(in crate::run) repeated: u64,
    /// Frames that each fault of the scenario struck, in their order.
    pub(in crate::run) struck: Vec<String>,
    /// Alarms by ailment.
    pub(in crate::run) alarms: BTreeMap<&'static str, Alarm>,
    /// Times that the camera was found stalled.
    pub(in crate::run) stalls: u32,
    /// Times that the receiver had to find the next packet mark.
    pub(in crate::run) resynchronized: u64,
    /// Events of the receiving end by kind; kinds that did not happen are left out.
    pub(in crate::run) events: BTreeMap<&'static str, u64>,
    /// Frames that waited for room in the queue (`block`), which is the pipeline's doing; none in lockstep.
    pub(in crate::run) held_up: u64,
    /// How long they waited, all together, milliseconds.
    pub(in crate::run) held_up_ms: f64,
    /// Frames that left the simulated camera later than it was told to, time in a full queue not counted.
    pub(in crate::run) camera_late: u64,
    /// The longest such delay, milliseconds.
    pub(in crate::run) camera_late_worst_ms: f64,
    /// Most slots in use at once.
    pub(in crate::run) slots_high_water: usize,
    /// Connections to a camera elsewhere.
    pub(in crate::run) connections: Option<u32>,
    /// Whether a camera elsewhere said that it was done.
    pub(in crate::run) camera_ended: Option<bool>,
    /// Forward passes before the first frame, which are not counted.
    pub(in crate::run) warm_up: u32,
    /// Which frames Kernel SHAP was to explain.
    pub(in crate::run) explain: String,
    /// Budget of an explanation, milliseconds.
    pub(in crate::run) explain_budget_ms: Option<f64>,
    /// Explanations made beside the stream.
    pub(in crate::run) explained: u64,
    /// Frames due to be explained while the explanation before was not done.
    pub(in crate::run) explain_skipped: u64,
    /// Explanations given up because their budget was spent.
    pub(in crate::run) explain_over_budget: u64,
    /// From the scheduled capture to the class, while nothing was explained, milliseconds.
    pub(in crate::run) decision_alone_ms: Option<Percentiles>,
    /// The same while a frame was explained beside it.
    pub(in crate::run) decision_beside_ms: Option<Percentiles>,
    /// Cores of the stream and of explanations, and how much nicer these are.
    pub(in crate::run) threads: String,
    /// What could not be set.
    pub(in crate::run) warnings: Vec<String>,
    /// Frames that differ from the run that is replayed.
    pub(in crate::run) replay_different: Option<u64>,
}

/// Everything that is known when all threads have ended.
pub(super) struct Ends {
    pub(super) camera: CameraEnd,
    pub(super) classified: Classified,
    pub(super) explained: ExplainedEnd,
    pub(super) stored: u64,
    /// Frames that were still waiting.
    pub(super) waiting: u64,
    pub(super) warm_up: u32,
}

impl Ends {
    /// Close the books: each frame due is stored, or dropped for one reason.
    pub(super) fn counters(&self) -> Counters {
        let mut counters = self.camera.intake.counters;
        counters.processed = self.stored;
        let add = |counters: &mut Counters, reason: DropReason, n: u64| {
            counters.dropped_by[reason as usize] += n;
        };
        add(&mut counters, DropReason::BadPacket, self.classified.without_truth);
        let given_up = self.classified.taken - self.classified.without_truth;
        let cut = self.waiting + given_up.saturating_sub(self.stored);
        add(&mut counters, DropReason::Cut, cut);
        counters
    }

    /// What the store shall know.
    pub(super) fn report(self, feed: &Feed, counters: &Counters) -> LiveReport {
        let Self { camera, classified, explained, warm_up, .. } = self;
        let CameraEnd { intake, film, link, greeting } = camera;
        let film = film.unwrap_or_default();
        let plan = feed.scenario.fault_plan();
        let names: Vec<&str> = plan.as_ref().map_or_else(
            |_| Vec::new(),
            |plan| plan.faults().iter().map(|fault| fault.kind.name()).collect(),
        );
        let period = greeting.as_ref().map(|g| g.period_nanos);
        let own_fps = feed.is_open_loop().then_some(feed.scenario.camera.fps);
        let fps = match period {
            Some(0) => None,
            Some(nanos) => Some(1e9 / nanos as f64),
            None => own_fps,
        };
        let queue = &feed.scenario.queue;
        let named = |counts: &[u64]| -> BTreeMap<&'static str, u64> {
            Event::KINDS.into_iter().zip(counts.iter().copied()).filter(|(_, n)| *n > 0).collect()
        };
        LiveReport {
            pace: feed.pace_name(),
            fps,
            queue: format!("{}, {} may wait", queue.policy.policy().name(), queue.depth),
            seed: feed.scenario.seed,
            preload: feed.preload,
            sent: counters.frames_in,
            processed: counters.processed,
            dropped: DropReason::ALL
                .iter()
                .map(|r| (r.name(), counters.dropped_by[*r as usize]))
                .filter(|(_, n)| *n > 0)
                .collect(),
            repeated: counters.repeated,
            struck: names
                .into_iter()
                .zip(&film.struck)
                .map(|(kind, n)| format!("{kind}: {n} frames"))
                .collect(),
            alarms: Ailment::ALL
                .into_iter()
                .enumerate()
                .map(|(i, a)| {
                    let alarm = Alarm { raised: intake.alarms[i], frames: intake.alarm_frames[i] };
                    (a.name(), alarm)
                })
                .collect(),
            stalls: intake.stalls,
            resynchronized: intake.resyncs,
            events: named(&intake.tally),
            held_up: intake.held_up,
            held_up_ms: intake.held_up_for.0 as f64 / 1000.0,
            camera_late: film.camera_late,
            camera_late_worst_ms: film.camera_late_worst.0 as f64 / 1000.0,
            slots_high_water: link
                .as_ref()
                .map_or(film.slots_high_water, |link| link.slots_high_water),
            connections: link.as_ref().map(|link| link.connections),
            camera_ended: link.as_ref().map(|link| link.ended),
            warm_up,
            explain: match feed.explain {
                _ if feed.replay.is_some() => "those of the run that is replayed".to_owned(),
                ExplainWhen::AsPlanned => "as planned".to_owned(),
                ExplainWhen::Every(n) => format!("every {n}"),
                ExplainWhen::WhenIdle => "whenever the one before is done".to_owned(),
            },
            explain_budget_ms: feed.explain_budget.map(|b| b.0 as f64 / 1000.0),
            explained: explained.made,
            explain_skipped: classified.skipped,
            explain_over_budget: explained.over_budget,
            decision_alone_ms: Percentiles::of(classified.alone),
            decision_beside_ms: Percentiles::of(classified.beside),
            threads: in_words(feed),
            warnings: explained.warnings,
            replay_different: None,
        }
    }
}

fn in_words(feed: &Feed) -> String {
    let cores = |list: &[usize]| match list {
        [] => "any".to_owned(),
        list => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    };
    let threads = &feed.threads;
    format!(
        "stream on cores {}, explanations on {}, {} nicer; {} a forward pass",
        cores(&threads.stream),
        cores(&threads.explain),
        threads.explain_nice,
        threads.classify.max(1),
    )
}
