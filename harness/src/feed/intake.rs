//! The receiving end of the camera link: checks every packet, keeps the books, watches camera and pictures.
//!
//! Every frame that the camera was due to deliver ends in exactly one account: processed, or dropped for one reason. What
//! never arrives is found by its sequence number, so the books of both ends of a cable can be compared.

use firmware_host::watchdog::Input;
use firmware_host::{
    Ailment, Arrival, Counters, DropReason, Event, EventRing, FrameHeader, FramingError, Micros,
    Packet, PictureWatch, SequenceTracker, Watchdog, WatchdogSettings,
};

use super::scenario::Scenario;

/// Events that are kept beside the log.
const RING: usize = 64;

/// A packet that passed all checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What its header says.
    pub header: FrameHeader,
    /// How it stands to those before it.
    pub arrival: Arrival,
    /// Which picture alarms are on, in the order of [`Ailment::ALL`].
    pub alarms: [bool; 2],
}

/// What an intake has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntakeReport {
    /// The books; `processed` is for the pipeline to fill in.
    pub counters: Counters,
    /// How often each picture alarm went on, in the order of [`Ailment::ALL`].
    pub alarms: [u32; 2],
    /// Frames during which it was on.
    pub alarm_frames: [u64; 2],
    /// Times that the camera was found stalled.
    pub stalls: u32,
    /// Times that the receiver had to find the next packet mark.
    pub resyncs: u64,
    /// Frames that waited for room in the queue, where the camera keeps its own time: back-pressure of the pipeline.
    pub held_up: u64,
    /// How long they waited, all together.
    pub held_up_for: Micros,
    /// Events by kind, in the order of [`Event::KINDS`].
    pub tally: Vec<u64>,
}

/// State of the receiving end.
#[derive(Debug)]
pub struct Intake {
    sequence: SequenceTracker,
    watchdog: Watchdog,
    watch: PictureWatch,
    counters: Counters,
    ring: EventRing<RING>,
    size: Option<(u16, u16)>,
    /// Packets that failed their checks since the last good one.
    bad: u64,
    /// Frames since the last good one that are known not to have been sent, or not to be wanted.
    known: u64,
    /// Frames up to the newest one. The numbers of a link wrap, this does not.
    due: u64,
    /// The last one that is known not to have been sent: a second copy of it is not worked on either.
    unsent: Option<u32>,
    stalls: u32,
    resyncs: u64,
    held_up: u64,
    held_up_for: Micros,
    /// Whether silence means something: in lockstep the camera waits for the pipeline, however long that takes.
    watches: bool,
    /// After the camera started anew: numbers up to here were seen from the one before.
    floor: Option<u32>,
}

impl Intake {
    /// An intake that starts to wait now.
    #[must_use]
    pub fn new(scenario: &Scenario, now: Micros) -> Self {
        Self {
            sequence: SequenceTracker::new(),
            watchdog: Watchdog::new(WatchdogSettings::for_period(scenario.period()), now),
            watch: PictureWatch::new(scenario.watch.detectors()),
            counters: Counters::default(),
            ring: EventRing::new(),
            size: None,
            bad: 0,
            known: 0,
            due: 0,
            unsent: None,
            stalls: 0,
            resyncs: 0,
            held_up: 0,
            held_up_for: Micros(0),
            watches: true,
            floor: None,
        }
    }

    /// An intake of a camera that waits for the pipeline: it cannot stall.
    #[must_use]
    pub const fn without_watchdog(mut self) -> Self {
        self.watches = false;
        self
    }

    /// The camera says how often it films; none if it waits for the pipeline.
    pub fn expect_period(&mut self, period: Option<Micros>, now: Micros) {
        self.watches = period.is_some();
        if let Some(period) = period {
            self.watchdog = Watchdog::new(WatchdogSettings::for_period(period), now);
        }
    }

    /// Width and height of the next picture; without this word they are those of the first one.
    pub const fn expect_size(&mut self, size: (u16, u16)) {
        self.size = Some(size);
    }

    /// The camera was started anew and counts from 0 again: what it shows once more is no loss and no news.
    pub const fn starts_anew(&mut self) {
        self.floor = self.sequence.newest();
    }

    /// Log an event and keep it.
    pub fn note(&mut self, now: Micros, event: Event) {
        event.log();
        self.ring.push(now, event);
    }

    /// A packet came: gives it back if it is a frame to work on.
    pub fn packet(&mut self, bytes: &[u8], now: Micros) -> Option<Accepted> {
        self.alive(Input::Frame, now);
        let Ok((packet, header)) =
            Packet::new(bytes).and_then(|packet| Ok((packet, FrameHeader::parse(&packet)?)))
        else {
            self.bad += 1;
            // the number of a damaged packet is not to be trusted; the gap will tell it
            self.note(now, Event::Dropped { sequence: u32::MAX, reason: DropReason::BadPacket });
            return None;
        };
        let sequence = header.sequence;
        if let Some(floor) = self.floor {
            if sequence <= floor {
                self.counters.repeated += 1;
                return None;
            }
            self.floor = None;
        }
        if self.unsent == Some(sequence) {
            self.counters.repeated += 1;
            return None;
        }
        let first = self.sequence.newest().is_none();
        let arrival = self.sequence.arrive(sequence);
        let missing = match arrival {
            Arrival::AfterGap { missing } => u64::from(missing),
            // the first frames of the run may be missing as well
            Arrival::InOrder if first => u64::from(sequence),
            Arrival::InOrder => 0,
            Arrival::Repeated => {
                self.counters.repeated += 1;
                self.note(
                    now,
                    Event::Arrived { sequence, arrival, age: now.since(header.scheduled) },
                );
                return None;
            }
            Arrival::Late { .. } => {
                self.stale(sequence, now);
                return None;
            }
        };
        self.due = self.due.saturating_add(missing).saturating_add(1);
        self.settle(missing, now);
        let expected = *self.size.get_or_insert((header.width, header.height));
        if expected != (header.width, header.height) {
            self.drop_frame(sequence, DropReason::WrongSize, now);
            return None;
        }
        self.note(now, Event::Arrived { sequence, arrival, age: now.since(header.scheduled) });
        let pixels = packet.pixels(&header).unwrap_or(&[]);
        let changes = self.watch.look(pixels, packet.pixel_crc());
        for (ailment, change) in Ailment::ALL.into_iter().zip(changes) {
            if let Some(change) = change {
                self.note(now, Event::Alarm { sequence, ailment, change });
            }
        }
        let alarms = Ailment::ALL.map(|ailment| self.watch.raised(ailment));
        Some(Accepted { header, arrival, alarms })
    }

    /// Nothing came.
    pub fn time(&mut self, now: Micros) {
        self.alive(Input::Time, now);
    }

    /// A packet came that nobody looks into here, for want of a slot or because a receiver elsewhere does: the camera is
    /// alive.
    pub fn heard(&mut self, now: Micros) {
        self.alive(Input::Frame, now);
    }

    /// From `since` to `now` the pipeline kept this end from listening: no silence of the camera. `full`: a frame waited
    /// for room in the queue.
    pub const fn held_up(&mut self, since: Micros, now: Micros, full: bool) {
        let deaf = now.since(since);
        self.watchdog = self.watchdog.excused(deaf);
        // a camera that the pipeline sets the pace of always waits
        if full && self.watches {
            self.held_up += 1;
            self.held_up_for = self.held_up_for.after(deaf);
        }
    }

    /// When silence would next change the condition of the camera.
    #[must_use]
    pub const fn wake_by(&self) -> Option<Micros> {
        self.watchdog.wake_by()
    }

    /// Bytes between two marks were no packet.
    pub fn broken(&mut self, error: FramingError, now: Micros) {
        self.bad += 1;
        self.resyncs += 1;
        self.note(now, Event::Resynchronized { error });
    }

    /// A frame with a number was not sent, for a reason that the camera knows.
    pub fn not_sent(&mut self, sequence: u32, reason: DropReason, now: Micros) {
        if self.sequence.newest().is_none_or(|newest| sequence > newest) {
            self.known += 1;
        } else {
            // held back until a later frame had come: its gap is booked already
            self.take_back();
        }
        self.unsent = Some(sequence);
        self.drop_frame(sequence, reason, now);
    }

    /// An accepted frame was dropped after all.
    pub fn drop_frame(&mut self, sequence: u32, reason: DropReason, now: Micros) {
        self.counters.drop_frame(reason);
        self.note(now, Event::Dropped { sequence, reason });
    }

    /// Close the books after `total` frames were due.
    #[must_use]
    pub fn finish(mut self, total: u64, now: Micros) -> IntakeReport {
        self.settle(total.saturating_sub(self.due), now);
        self.counters.frames_in = total.max(self.due);
        IntakeReport {
            counters: self.counters,
            alarms: Ailment::ALL.map(|a| self.watch.raised_count(a)),
            alarm_frames: Ailment::ALL.map(|a| self.watch.frames(a)),
            stalls: self.stalls,
            resyncs: self.resyncs,
            held_up: self.held_up,
            held_up_for: self.held_up_for,
            tally: self.ring.tally().to_vec(),
        }
    }

    /// Book the frames of a gap: those known, those that came damaged, and the rest as lost.
    fn settle(&mut self, missing: u64, now: Micros) {
        let known = self.known.min(missing);
        let bad = self.bad.min(missing - known);
        let lost = missing - known - bad;
        self.counters.dropped_by[DropReason::BadPacket as usize] += bad;
        self.counters.dropped_by[DropReason::Lost as usize] += lost;
        // damaged packets that fill no gap were repeats, or no frames at all
        self.counters.repeated += self.bad - bad;
        // a known one that fills no gap yet is behind a frame that was held back
        self.known -= known;
        self.bad = 0;
        if lost > 0 {
            let sequence = self.sequence.newest().unwrap_or(0);
            self.note(now, Event::Dropped { sequence, reason: DropReason::Lost });
        }
    }

    /// A frame that was missed comes after all: too late to be of use.
    fn stale(&mut self, sequence: u32, now: Micros) {
        if self.take_back() {
            self.drop_frame(sequence, DropReason::Stale, now);
        } else {
            self.counters.repeated += 1;
        }
    }

    /// Take a frame of a gap out of the books again; false if none stands there.
    fn take_back(&mut self) -> bool {
        for reason in [DropReason::Lost, DropReason::BadPacket] {
            let count = &mut self.counters.dropped_by[reason as usize];
            if *count > 0 {
                *count -= 1;
                return true;
            }
        }
        false
    }

    fn alive(&mut self, input: Input, now: Micros) {
        if !self.watches {
            return;
        }
        let (watchdog, transition) = self.watchdog.step(input, now);
        self.watchdog = watchdog;
        if let Some(transition) = transition {
            self.stalls += u32::from(transition.to == firmware_host::Condition::Stalled);
            self.note(now, Event::Camera { transition });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u32) -> Vec<u8> {
        let header = FrameHeader {
            sequence,
            position: sequence,
            scheduled: Micros(0),
            captured: Micros(0),
            exposure_micros: 0,
            width: 4,
            height: 3,
        };
        let mut bytes = vec![sequence.to_le_bytes()[0]; header.packet_len()];
        header.seal(&mut bytes).unwrap();
        bytes
    }

    fn stalls(period: Option<Micros>, gap: Micros) -> u32 {
        let mut intake = Intake::new(&Scenario::default(), Micros(0));
        intake.expect_period(period, Micros(0));
        for n in 0..20_u32 {
            let now = Micros(u64::from(n) * gap.0);
            intake.packet(&packet(n), now);
            intake.time(Micros(now.0 + gap.0 * 9 / 10));
        }
        intake.finish(20, Micros(20 * gap.0)).stalls
    }

    #[test]
    fn a_slow_camera_stalls_by_its_own_period_alone() {
        let gap = Micros(200_000);
        assert_eq!(stalls(Some(gap), gap), 0);
        assert_eq!(stalls(None, gap), 0);
        assert!(stalls(Some(Micros(33_000)), gap) > 10, "the test would show nothing");
    }

    #[test]
    fn a_pipeline_that_holds_the_feed_up_is_no_stall_of_the_camera() {
        let report = |told: bool, period: Option<Micros>| {
            let mut intake = Intake::new(&Scenario::default(), Micros(0));
            intake.expect_period(period, Micros(0));
            for n in 0..20_u32 {
                let came = Micros(u64::from(n) * 100_000);
                intake.packet(&packet(n), came);
                // the queue was full for so long; the next frame waits at the camera's end
                let room = came.after(Micros(95_000));
                if told {
                    intake.held_up(came, room, n % 2 == 0);
                }
                intake.time(room);
            }
            intake.finish(20, Micros(2_000_000))
        };
        let period = Some(Micros(10_000));
        let told = report(true, period);
        assert_eq!((told.stalls, told.held_up, told.held_up_for), (0, 10, Micros(950_000)));
        assert!(report(false, period).stalls > 10, "the test would show nothing");
        // the pipeline sets the pace: it holds nobody up
        assert_eq!(report(true, None).held_up, 0);
        // a frame for which there is no slot has come all the same
        let mut intake = Intake::new(&Scenario::default(), Micros(0));
        intake.expect_period(Some(Micros(10_000)), Micros(0));
        for n in 0..20_u32 {
            let now = Micros(u64::from(n) * 10_000);
            intake.heard(now);
            intake.not_sent(n, DropReason::NoSlot, now);
            intake.time(now.after(Micros(9_000)));
        }
        let report = intake.finish(20, Micros(200_000));
        let counters = report.counters;
        assert_eq!((report.stalls, counters.dropped_by[DropReason::NoSlot as usize]), (0, 20));
    }

    #[test]
    fn frames_that_are_known_to_be_missing_are_booked_once_in_whatever_order_they_come() {
        let now = Micros(0);
        // 3 is held back, 4 cannot be read, 5 overtakes
        let mut intake = Intake::new(&Scenario::default(), now);
        assert!((0..3).all(|n| intake.packet(&packet(n), now).is_some()));
        intake.not_sent(4, DropReason::BadSource, now);
        for n in [3, 5] {
            assert!(intake.packet(&packet(n), now).is_some());
        }
        let counters = intake.finish(6, now).counters;
        assert_eq!(
            (counters.dropped(), counters.dropped_by[DropReason::BadSource as usize]),
            (1, 1)
        );
        // 3 is held back, 4 overtakes, and then there is no place for 3
        let mut intake = Intake::new(&Scenario::default(), now);
        assert!([0, 1, 2, 4].iter().all(|&n| intake.packet(&packet(n), now).is_some()));
        intake.not_sent(3, DropReason::NoSlot, now);
        assert!(intake.packet(&packet(5), now).is_some());
        let counters = intake.finish(6, now).counters;
        assert_eq!((counters.dropped(), counters.dropped_by[DropReason::NoSlot as usize]), (1, 1));
    }

    #[test]
    fn the_books_balance_where_the_numbers_wrap() {
        let now = Micros(0);
        let mut intake = Intake::new(&Scenario::default(), now);
        // a camera that was on for years: 1 is lost behind the wrap
        for n in [u32::MAX - 1, u32::MAX, 0, 2] {
            assert!(intake.packet(&packet(n), now).is_some(), "{n}");
        }
        let mut counters = intake.finish(0, now).counters;
        counters.processed = 4;
        assert!(counters.balanced(), "{counters:?}");
        assert_eq!(counters.frames_in, u64::from(u32::MAX) + 4);
    }

    #[test]
    fn a_second_copy_of_a_frame_that_found_no_slot_is_not_worked_on() {
        let now = Micros(0);
        let mut intake = Intake::new(&Scenario::default(), now);
        assert!(intake.packet(&packet(0), now).is_some());
        intake.not_sent(1, DropReason::NoSlot, now);
        assert!(intake.packet(&packet(1), now).is_none(), "it is booked already");
        assert!(intake.packet(&packet(2), now).is_some());
        let mut counters = intake.finish(3, now).counters;
        counters.processed = 2;
        assert!(counters.balanced(), "{counters:?}");
        assert_eq!((counters.dropped(), counters.repeated), (1, 1));
    }
}
