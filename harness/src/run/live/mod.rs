//! A run whose camera has a scenario: in lockstep, in realtime, from another box, or once more from the list of a run.
//!
//! ```text
//! camera or link thread -> line (queue policy) -> classification thread -> main thread: GradCAM, metrics, store
//!                                                          \-> explanation thread, which gives way to frames
//! ```
//!
//! In lockstep there is no classification thread: results are then a function of plan and scenario. In realtime a latency
//! counts from the time at which the frame was due, so that a late pipeline cannot hide frames that it never saw.

mod beside;
mod books;
mod classify;
mod replay;
mod settings;

pub(super) use books::LiveReport;
pub use replay::{Recorded, Replay, ReplayError, Sameness};
pub use settings::{ExplainWhen, Feed, FeedPace};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datasets::source::FrameSource;
use firmware_host::link::HEADER_LEN;
use firmware_host::{Counters, Event, FrameHeader, Micros};
use image::RgbImage;
use models::{Network, Preprocessor, Session};

use self::beside::explain_beside;
use self::books::{CameraEnd, Classified, Ends, ExplainedEnd};
use self::classify::classify;
use super::deadlines::Deadlines;
use super::explain::{Decided, Explainer};
use super::plan::{Method, RunPlan};
use super::signals::{Gate, Manners};
use super::{Job, Progress, RunError, threads};
use crate::clock::Clock;
use crate::feed::remote::{self, LinkFailure, ReceiveSettings};
use crate::feed::wire::Greeting;
use crate::feed::{Filming, Line, Pace, Received, Taken, Truth, Waiting, stream};
use crate::store::{AttributionRow, FrameRow, RunStore, Stage};

/// Longest wait for a frame before the wish to stop is looked at again.
const TAKE: Duration = Duration::from_millis(100);
/// Decided frames that may wait for the store.
const UNSTORED: usize = 16;
/// Forward passes before the first frame.
const WARM_UP: u32 = 3;
/// From here to the first frame of an open-loop camera.
const HEAD_START: Micros = Micros(50_000);

/// What a live run is made of.
pub(super) struct Live<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) feed: &'a Feed,
    pub(super) network: &'a Network,
    /// The data set and the positions in it; none if the camera is elsewhere.
    pub(super) frames: Option<(&'a dyn FrameSource, &'a [u32])>,
    pub(super) clock: Clock,
}

/// What a live run ends with.
pub(super) struct LiveEnd {
    pub(super) counters: Counters,
    pub(super) report: LiveReport,
    pub(super) greeting: Option<Greeting>,
}

/// A frame that was classified.
#[derive(Debug)]
struct Frame {
    received: Received,
    truth: Truth,
    decided: Decided,
    /// Stages around the network.
    stages: [(Stage, u64); 4],
}

/// What the main thread hears of the others.
enum Note {
    Decided(Arc<Frame>),
    Explained { position: u32, sequence: u32, row: Box<AttributionRow>, taken: Micros },
}

/// Stop by the user, or because a part of the run failed.
struct Ending<'a> {
    job: &'a Job<'a>,
    failed: AtomicBool,
}

impl Ending<'_> {
    fn is_due(&self) -> bool {
        self.job.signals.stopped() || self.failed.load(Ordering::Relaxed)
    }

    fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}

impl Live<'_> {
    /// Run until the camera has no more frames or the user stops it.
    ///
    /// # Errors
    /// If a frame cannot be filmed, received, explained or stored, or the books do not balance.
    pub(super) fn run(
        &self,
        explainer: &mut Explainer,
        store: &mut RunStore,
        show: &mut dyn FnMut(&Progress),
    ) -> Result<LiveEnd, RunError> {
        let ending = Ending { job: self.job, failed: AtomicBool::new(false) };
        let mut ends = if self.feed.is_open_loop() {
            self.open_loop(&ending, explainer, store, show)?
        } else {
            self.lockstep(&ending, explainer, store, show)?
        };
        let mut counters = ends.counters();
        if ending.is_due() {
            // a frame that was being filmed is not due yet
            counters.frames_in = counters.processed + counters.dropped();
        }
        Event::Finished { counters }.log();
        if !counters.balanced() {
            let Counters { frames_in, processed, .. } = counters;
            return Err(RunError::Unbalanced { frames_in, processed, dropped: counters.dropped() });
        }
        let greeting = ends.camera.greeting.clone();
        ends.explained.warnings.sort();
        Ok(LiveEnd { counters, report: ends.report(self.feed, &counters), greeting })
    }

    fn progress(&self) -> Progress {
        let asked = self.frames.map_or(0, |(_, positions)| positions.len() as u64);
        Progress { asked, ..Progress::default() }
    }

    /// The pipeline sets the pace: one frame after the other, explained before the next is taken.
    fn lockstep(
        &self,
        ending: &Ending<'_>,
        explainer: &mut Explainer,
        store: &mut RunStore,
        show: &mut dyn FnMut(&Progress),
    ) -> Result<Ends, RunError> {
        let clock = self.clock;
        let line = Line::new(self.feed.scenario.queue);
        let mut progress = self.progress();
        let mut classified = Classified::default();
        let mut explained = ExplainedEnd::default();
        let mut deadlines = Deadlines::new(self.job.budgets);
        show(&progress);
        self.job.service.ready(progress.stored, progress.asked);
        let camera = std::thread::scope(|scope| {
            let camera = scope.spawn(|| self.camera(&line, Pace::Lockstep, ending));
            let mut work = |waiting: Waiting| -> Result<(), RunError> {
                classified.taken += 1;
                let (position, sequence) =
                    (waiting.accepted.header.position, waiting.accepted.header.sequence);
                let Some((received, truth, before)) = take_out(&line, waiting, clock) else {
                    classified.without_truth += 1;
                    return Ok(());
                };
                let methods = self.methods(&self.job.plan.attribute, sequence, position);
                let row = explainer.explain_by(&methods, &received, &truth, clock);
                let mut row = row.map_err(|source| RunError::Explain { position, source })?;
                explained.made += u64::from(methods.contains(&Method::KernelShap));
                row.stages.extend(before);
                let end = clock.now().since(received.header.scheduled);
                row.stages.push((Stage::EndToEnd, end.0));
                keep(store, &mut deadlines, &row, sequence, clock)?;
                progress.take(&row);
                progress.due = u64::from(sequence) + 1;
                progress.picture(self.job, &received.image, &row);
                show(&progress);
                self.job.service.alive(progress.stored, progress.asked);
                Ok(())
            };
            let result = loop {
                if ending.is_due() {
                    break Ok(());
                }
                match line.take(TAKE) {
                    Taken::Frame(waiting) => match work(*waiting) {
                        Ok(()) => {}
                        // the explanation at work was given up because the user wants to end
                        Err(_) if self.job.signals.stopped() => break Ok(()),
                        Err(error) => break Err(error),
                    },
                    Taken::Nothing => {}
                    Taken::Closed => break Ok(()),
                }
            };
            if result.is_err() {
                ending.fail();
            }
            line.abandon();
            let camera = camera.join().map_err(|_panic| RunError::Thread("camera"))?;
            result.and(camera)
        });
        self.job.service.stopping(self.job.signals.stopped());
        let waiting = drain(&line);
        let stored = progress.stored;
        Ok(Ends { camera: camera?, classified, explained, stored, waiting, warm_up: 0 })
    }

    /// The camera sets the pace.
    fn open_loop(
        &self,
        ending: &Ending<'_>,
        explainer: &mut Explainer,
        store: &mut RunStore,
        show: &mut dyn FnMut(&Progress),
    ) -> Result<Ends, RunError> {
        let clock = self.clock;
        let settings = &self.feed.threads;
        let line = Line::new(self.feed.scenario.queue);
        let mut progress = self.progress();
        // first: the threads of a session stay where they were started
        let mut warnings: Vec<String> = threads::bind(&settings.stream).into_iter().collect();
        let mut session = self.network.session_with_threads(settings.classify.max(1))?;
        let preprocessor = Preprocessor::new(&self.network.manifest().input);
        warm_up(&mut session, &preprocessor)?;
        let gate = Arc::new(Gate::default());
        let mut worker = self.explaining(&gate)?;
        let (notes, heard) = crossbeam_channel::bounded(UNSTORED);
        // an explanation that is due waits for the one before; one made whenever there is time does not
        let room = usize::from(self.feed.explain != ExplainWhen::WhenIdle);
        let (jobs, due) = crossbeam_channel::bounded::<Arc<Frame>>(room);
        show(&progress);
        self.job.service.ready(progress.stored, progress.asked);
        let pace = Pace::Realtime { start: clock.now().after(HEAD_START) };
        let (camera, classified, explained, result) = std::thread::scope(|scope| {
            let camera = scope.spawn(|| self.camera(&line, pace, ending));
            let explaining = worker.as_mut().map(|worker| {
                let (notes, gate) = (notes.clone(), Arc::clone(&gate));
                scope.spawn(move || {
                    explain_beside(worker, settings, &due, &notes, &gate, ending, clock)
                })
            });
            let jobs = explaining.is_some().then_some(jobs);
            let (line, gate) = (&line, &gate);
            let deciding = scope.spawn(move || {
                let done = classify(
                    self,
                    line,
                    (&preprocessor, &mut session),
                    gate,
                    &notes,
                    jobs.as_ref(),
                    ending,
                );
                line.abandon();
                done
            });
            let mut result = Ok(());
            let mut deadlines = Deadlines::new(self.job.budgets);
            for note in &heard {
                let kept = self.hear(note, explainer, store, &mut deadlines, &mut progress);
                if let Err(error) = kept {
                    ending.fail();
                    result = Err(error);
                    break;
                }
                show(&progress);
                self.job.service.alive(progress.stored, progress.asked);
            }
            // whoever still has something to tell finds nobody listening and ends
            drop(heard);
            let deciding = deciding.join().map_err(|_panic| RunError::Thread("classification"));
            if deciding.is_err() {
                // a camera that waits for room in the queue would wait for ever
                ending.fail();
            }
            let explaining = explaining.map_or(Ok(Ok(ExplainedEnd::default())), |thread| {
                thread.join().map_err(|_panic| RunError::Thread("explanation"))
            });
            let camera = camera.join().map_err(|_panic| RunError::Thread("camera"));
            (camera, deciding, explaining, result)
        });
        self.job.service.stopping(self.job.signals.stopped());
        result?;
        let (classified, mut explained) = (classified??, explained??);
        explained.warnings.append(&mut warnings);
        let waiting = drain(&line);
        let stored = progress.stored;
        let camera = camera??;
        Ok(Ends { camera, classified, explained, stored, waiting, warm_up: WARM_UP })
    }

    /// Store what the other threads tell.
    fn hear(
        &self,
        note: Note,
        explainer: &mut Explainer,
        store: &mut RunStore,
        deadlines: &mut Deadlines,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        let clock = self.clock;
        match note {
            Note::Decided(frame) => {
                let Frame { received, truth, decided, stages } = frame.as_ref();
                let FrameHeader { position, sequence, scheduled, .. } = received.header;
                let at_once: Vec<Method> = self
                    .methods(&self.job.plan.attribute, sequence, position)
                    .into_iter()
                    .filter(|&method| method != Method::KernelShap)
                    .collect();
                let row = explainer.finish(received, truth, decided, &at_once, clock);
                let mut row = row.map_err(|source| RunError::Explain { position, source })?;
                row.stages.extend(stages);
                row.stages.push((Stage::EndToEnd, clock.now().since(scheduled).0));
                keep(store, deadlines, &row, sequence, clock)?;
                progress.take(&row);
                progress.due = u64::from(sequence) + 1;
                progress.picture(self.job, &received.image, &row);
            }
            Note::Explained { position, sequence, row, taken } => {
                deadlines.judge(sequence, &[(Stage::KernelShap, taken.0)]);
                store.add_attribution(position, &row, Stage::KernelShap, taken.0)?;
                progress.take_explanation(&row);
            }
        }
        Ok(())
    }

    /// Methods for a frame.
    fn methods(&self, all: &[Method], sequence: u32, position: u32) -> Vec<Method> {
        let wanted = |m: &Method| {
            let planned = self.job.plan.explains(*m, position);
            self.feed.explains(*m, sequence, position, planned)
        };
        all.iter().copied().filter(wanted).collect()
    }

    /// An explainer for the thread beside the stream, if there is anything to explain there.
    fn explaining(&self, gate: &Arc<Gate>) -> Result<Option<Explainer>, RunError> {
        if !self.job.plan.attribute.contains(&Method::KernelShap) {
            return Ok(None);
        }
        let mut plan = RunPlan { attribute: vec![Method::KernelShap], ..self.job.plan.clone() };
        if plan.threads == 0 && !self.feed.threads.explain.is_empty() {
            plan.threads = self.feed.threads.explain.len();
        }
        let (clock, budget) = (self.clock, self.feed.explain_budget);
        let manners = Manners { gate: Arc::clone(gate), clock, budget };
        let explainer = Explainer::new(&plan, self.network, self.job.signals)?;
        Ok(Some(explainer.with_manners(manners)))
    }

    /// The feeding side, until it has no more frames or the run ends; closes the line.
    fn camera(&self, line: &Line, pace: Pace, ending: &Ending<'_>) -> Result<CameraEnd, RunError> {
        let end = match (&self.feed.pace, self.frames) {
            (FeedPace::Camera(settings), _) => self.receive(settings, line, ending),
            (_, Some((source, positions))) => self.film(source, positions, line, pace, ending),
            (_, None) => Ok(CameraEnd::default()),
        };
        line.close();
        if end.is_err() {
            ending.fail();
        }
        end
    }

    fn film(
        &self,
        source: &dyn FrameSource,
        positions: &[u32],
        line: &Line,
        pace: Pace,
        ending: &Ending<'_>,
    ) -> Result<CameraEnd, RunError> {
        let only: Option<BTreeSet<u32>> =
            self.feed.replay.as_ref().map(|replay| replay.delivered(positions));
        let filming = Filming {
            source,
            positions,
            scenario: &self.feed.scenario,
            pace,
            clock: self.clock,
            skip_bad: self.job.plan.skip_bad,
            check: true,
            only: only.as_ref(),
        };
        let film = stream(&filming, line, &|| ending.is_due())?;
        let intake = film.intake.clone();
        Ok(CameraEnd { intake, film: Some(film), ..CameraEnd::default() })
    }

    fn receive(
        &self,
        settings: &ReceiveSettings,
        line: &Line,
        ending: &Ending<'_>,
    ) -> Result<CameraEnd, RunError> {
        let stop = || ending.is_due();
        let Some(found) = remote::find(settings, self.clock, &stop)? else {
            return Ok(CameraEnd::default());
        };
        let greeting = found.greeting.clone();
        self.fits(&greeting, settings)?;
        let link = remote::receive(found, &self.feed.scenario, line, &stop)?;
        let intake = link.intake.clone();
        Ok(CameraEnd { intake, film: None, link: Some(link), greeting: Some(greeting) })
    }

    /// Whether the camera films what the network was trained for.
    fn fits(&self, greeting: &Greeting, settings: &ReceiveSettings) -> Result<(), LinkFailure> {
        let classes = &self.network.manifest().classes;
        let same_list = classes.hash.is_empty() || classes.hash == greeting.class_hash;
        if classes.count == usize::from(greeting.classes) && same_list {
            return Ok(());
        }
        Err(LinkFailure::OtherClasses {
            address: settings.address.to_string(),
            expected: format!("{} classes, hash {}", classes.count, classes.hash),
            found: format!("{} classes, hash {}", greeting.classes, greeting.class_hash),
        })
    }
}

/// What is known of a frame before it is worked on: the picture, its truth, the stages behind it.
type TakenOut = (Received, Truth, [(Stage, u64); 2]);

/// Copy a frame out of its slot and give that back; none if the frame came without its truth.
fn take_out(line: &Line, waiting: Waiting, clock: Clock) -> Option<TakenOut> {
    let Waiting { slot, accepted, truth, capture, .. } = waiting;
    let header = accepted.header;
    let transport = clock.now().since(header.captured);
    let pixels = slot.filled().get(HEADER_LEN..HEADER_LEN + header.pixel_len()).map(<[u8]>::to_vec);
    line.give_back(slot);
    let image = RgbImage::from_raw(header.width.into(), header.height.into(), pixels?)?;
    let received = Received { header, image, arrival: accepted.arrival, transport };
    let before = [(Stage::Capture, capture.0), (Stage::Transport, transport.0)];
    Some((received, truth?, before))
}

/// Store a frame and note how long that took.
fn keep(
    store: &mut RunStore,
    deadlines: &mut Deadlines,
    row: &FrameRow,
    sequence: u32,
    clock: Clock,
) -> Result<(), RunError> {
    super::note(row, sequence, deadlines);
    let (stored, taken) = clock.time(|| store.add(row));
    stored?;
    store.add_store_time(row.position, taken.0);
    deadlines.judge(sequence, &[(Stage::Store, taken.0)]);
    Ok(())
}

/// Frames that nobody took; their slots go back.
fn drain(line: &Line) -> u64 {
    let mut waiting = 0;
    while let Taken::Frame(frame) = line.take(Duration::ZERO) {
        line.give_back(frame.slot);
        waiting += 1;
    }
    waiting
}

/// The first passes of a session are slower than the rest.
fn warm_up(session: &mut Session, preprocessor: &Preprocessor) -> Result<(), RunError> {
    use models::Classifier as _;
    let (width, height) = preprocessor.size();
    let black = vec![0; width * height * 3];
    let input = preprocessor.run(&black, width, height)?;
    for _ in 0..WARM_UP {
        session.run(&input)?;
    }
    Ok(())
}
