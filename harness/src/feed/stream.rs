//! The camera thread with its scenario: films, strikes, keeps time, receives, queues.

use std::collections::BTreeSet;
use std::time::Duration;

use datasets::source::{FrameSource, SourceError};
use firmware_host::{
    Arrival, Delivered, DropReason, Event, FaultInjector, FrameHeader, Micros, Packet,
};

use super::HostSlot;
use super::filmed::Filmed;
use super::intake::{Accepted, Intake, IntakeReport};
use super::lateness::Lateness;
use super::line::{Closing, Line, Waiting};
use super::scenario::{Scenario, ScenarioError};
use super::timing::Timing;
use crate::clock::Clock;

/// Who sets the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The pipeline: the camera waits for it, results do not depend on speed.
    Lockstep,
    /// The camera: open loop from this moment on, latency counts from the scheduled capture.
    Realtime {
        /// When the first frame is due.
        start: Micros,
    },
}

/// What to film.
pub struct Filming<'a> {
    /// The data set.
    pub source: &'a dyn FrameSource,
    /// Positions in it, in the order of the sequence numbers from 0.
    pub positions: &'a [u32],
    /// Camera, queue and faults.
    pub scenario: &'a Scenario,
    /// Who sets the pace.
    pub pace: Pace,
    /// Clock of the run.
    pub clock: Clock,
    /// Count frames that cannot be read instead of ending the run.
    pub skip_bad: bool,
    /// Check packets here; without it they go on as the faults left them, cut or damaged, for a receiver elsewhere to check.
    pub check: bool,
    /// Only these numbers reach the pipeline: the list of a run that is replayed.
    pub only: Option<&'a BTreeSet<u32>>,
}

impl std::fmt::Debug for Filming<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filming").field("pace", &self.pace).finish_non_exhaustive()
    }
}

/// Why filming ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilmError {
    /// A frame could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The scenario is not usable.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

/// How the filming went.
#[derive(Clone, Debug, Default)]
pub struct FilmReport {
    /// What the receiving end saw.
    pub intake: IntakeReport,
    /// Frames that each fault of the scenario struck.
    pub struck: Vec<u64>,
    /// Frames that left the simulated camera later than its own clock and faults say, because rendering
    /// was too slow: then the load was not the stated one. Time in a full queue is not in it: that is `intake.held_up`.
    pub camera_late: u64,
    /// The longest such delay.
    pub camera_late_worst: Micros,
    /// Most slots in use at once.
    pub slots_high_water: usize,
    /// Numbers of the frames that could not be read, with the reason.
    pub bad: Vec<(u32, String)>,
}

/// Film to the end, until `stop`, or until the pipeline leaves; closes the line.
///
/// # Errors
/// If the scenario is not usable, or a frame cannot be read and `skip_bad` is not set.
pub fn stream(
    filming: &Filming<'_>,
    line: &Line,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<FilmReport, FilmError> {
    let _closing = Closing(line);
    Stream::new(filming, line).and_then(|stream| stream.run(stop))
}

struct Stream<'a> {
    filming: &'a Filming<'a>,
    line: &'a Line,
    injector: FaultInjector<Filmed<'a>, Vec<u8>>,
    intake: Intake,
    lateness: Lateness,
    report: FilmReport,
    scratch: Vec<u8>,
    bad_seen: usize,
}

impl<'a> Stream<'a> {
    fn new(filming: &'a Filming<'a>, line: &'a Line) -> Result<Self, FilmError> {
        let Filming { source, positions, scenario, pace, clock, skip_bad, .. } = *filming;
        let timing = match pace {
            Pace::Lockstep => None,
            Pace::Realtime { start } => Some(Timing::new(scenario, start)),
        };
        let mut filmed = Filmed::new(source, positions, scenario, timing, clock, skip_bad);
        let plan = scenario.fault_plan()?;
        let bytes = filmed.prepare()?.unwrap_or(0);
        let faults = plan.faults().len();
        let spare = || vec![0; if faults == 0 { 0 } else { bytes }];
        let injector = FaultInjector::new(filmed, plan, scenario.period(), spare(), spare());
        let report = FilmReport { struck: vec![0; faults], ..FilmReport::default() };
        let intake = Intake::new(scenario, clock.now());
        let intake = if timing.is_some() { intake } else { intake.without_watchdog() };
        let (lateness, scratch) = (Lateness::default(), Vec::new());
        Ok(Self { filming, line, injector, intake, lateness, report, scratch, bad_seen: 0 })
    }

    fn run(mut self, stop: &(dyn Fn() -> bool + Sync)) -> Result<FilmReport, FilmError> {
        let go_on = || !stop() && !self.line.is_abandoned();
        let realtime = matches!(self.filming.pace, Pace::Realtime { .. });
        let line = self.line;
        // after the last frame the injector may still hold a packet back, of any size seen before
        let mut needed = 0;
        while go_on() {
            needed = self.injector.source().prepare()?.unwrap_or(0).max(needed);
            self.count_bad();
            let slot = if realtime {
                line.lease(needed)
            } else {
                let Some(slot) = line.lease_waiting(needed, &go_on) else { break };
                Some(slot)
            };
            let Some(mut slot) = slot else {
                // the camera goes on without a place for the picture
                self.scratch.resize(needed, 0);
                let mut scratch = std::mem::take(&mut self.scratch);
                let delivered = self.injector.next_delivery(&mut scratch[..needed])?;
                self.scratch = scratch;
                self.count_bad();
                let Some(delivered) = delivered else { break };
                self.wait(&delivered, &go_on);
                let now = self.filming.clock.now();
                if !delivered.lost {
                    self.intake.heard(now);
                }
                if !delivered.lost && !delivered.repeated {
                    self.intake.not_sent(delivered.sequence, DropReason::NoSlot, now);
                }
                continue;
            };
            // no more than was asked for: what happens must not depend on which slot was free
            let Some(delivered) = self.injector.next_delivery(&mut slot.bytes[..needed])? else {
                line.give_back(slot);
                break;
            };
            self.count_bad();
            slot.len = delivered.len;
            self.wait(&delivered, &go_on);
            self.hand_over(slot, &delivered, &go_on);
        }
        self.count_bad();
        let total = self.injector.source().filmed();
        let now = self.filming.clock.now();
        let bad = &self.injector.source().bad;
        self.report.bad = bad.iter().map(|(sequence, e)| (*sequence, e.to_string())).collect();
        self.report.intake = self.intake.finish(total, now);
        self.report.camera_late = self.lateness.frames;
        self.report.camera_late_worst = self.lateness.worst;
        self.report.slots_high_water = line.high_water();
        Ok(self.report)
    }

    /// Frames that could not be read are known to be missing.
    fn count_bad(&mut self) {
        let now = self.filming.clock.now();
        let bad = &self.injector.source().bad;
        let new: Vec<u32> = bad.iter().skip(self.bad_seen).map(|(sequence, _)| *sequence).collect();
        self.bad_seen += new.len();
        for sequence in new {
            self.intake.not_sent(sequence, DropReason::BadSource, now);
        }
    }

    /// In realtime nothing leaves before its time.
    fn wait(&mut self, delivered: &Delivered, go_on: &dyn Fn() -> bool) {
        let clock = self.filming.clock;
        for (i, count) in self.report.struck.iter_mut().enumerate() {
            if delivered.struck & (1 << i) != 0 && !delivered.repeated {
                *count += 1;
                let fault = u8::try_from(i).unwrap_or(u8::MAX);
                let event = Event::Injected { sequence: delivered.sequence, fault };
                self.intake.note(clock.now(), event);
            }
        }
        if self.filming.pace == Pace::Lockstep {
            return;
        }
        self.lateness.ready(delivered.at, clock.now());
        while go_on() {
            let now = clock.now();
            let left = delivered.at.since(now);
            if left == Micros(0) {
                return;
            }
            // the watchdog wakes up in between
            let until = self.intake.wake_by().map_or(left, |by| by.since(now).max(Micros(1000)));
            std::thread::sleep(Duration::from_micros(left.0.min(until.0).min(50_000)));
            self.intake.time(clock.now());
        }
    }

    /// Across the link and into the queue.
    fn hand_over(&mut self, slot: HostSlot, delivered: &Delivered, go_on: &dyn Fn() -> bool) {
        let (clock, line) = (self.filming.clock, self.line);
        if delivered.lost {
            return line.give_back(slot);
        }
        let sequence = delivered.sequence;
        self.intake.note(clock.now(), Event::Captured { sequence, slot: slot.number() });
        if let Some(shot) = self.injector.source().shot(sequence) {
            // pictures of a folder may differ in size; what a fault cut off is found by the difference
            self.intake.expect_size(shot.size);
        }
        let accepted = if self.filming.check {
            self.intake.packet(slot.filled(), clock.now())
        } else {
            self.intake.heard(clock.now());
            Some(unchecked(slot.filled(), delivered))
        };
        let Some(accepted) = accepted else {
            return line.give_back(slot);
        };
        if self.filming.only.is_some_and(|only| !only.contains(&accepted.header.sequence)) {
            self.intake.drop_frame(sequence, DropReason::Cut, clock.now());
            return line.give_back(slot);
        }
        let shot = self.injector.source().shot(sequence);
        let (truth, capture) =
            shot.map_or((None, Micros(0)), |s| (Some(s.truth.clone()), s.capture));
        let (waits, arrived) = (line.blocks(), clock.now());
        let dropped = line.offer(Waiting { slot, accepted, truth, capture, arrived }, go_on);
        let now = clock.now();
        self.intake.held_up(arrived, now, waits);
        if waits {
            self.lateness.held_up(arrived, now);
        }
        if let Some(dropped) = dropped {
            let reason = if go_on() { DropReason::QueueFull } else { DropReason::Cut };
            self.intake.drop_frame(dropped, reason, clock.now());
        }
    }
}

/// What a packet says of itself, right or wrong; of one too damaged to have a header, what the camera knows.
fn unchecked(bytes: &[u8], delivered: &Delivered) -> Accepted {
    let told = Packet::new(bytes).and_then(|packet| FrameHeader::parse_header(&packet));
    let header = told.unwrap_or(FrameHeader {
        sequence: delivered.sequence,
        position: u32::MAX,
        scheduled: delivered.at,
        captured: delivered.at,
        exposure_micros: 0,
        width: 0,
        height: 0,
    });
    let arrival = if delivered.repeated { Arrival::Repeated } else { Arrival::InOrder };
    Accepted { header, arrival, alarms: [false; 2] }
}
