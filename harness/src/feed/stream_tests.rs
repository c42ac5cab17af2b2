//! Tests of the whole feed: books, policies, faults, replay.

mod back_pressure;
mod failure;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use datasets::source::{Frame, FrameKey, FrameSource, SourceError};
use firmware_host::DropReason;
use image::{GrayImage, Luma, Rgb, RgbImage};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::scenario::{FaultName, FaultSettings, PolicyName, QueueSettings};
use super::*;
use crate::clock::Clock;

/// Noisy frames of 24 x 16 pixels; the mask is the left half.
#[derive(Default)]
struct Noisy {
    len: usize,
    broken: Vec<usize>,
    /// Rows more in each frame than in the one before, modulo 11: as in a folder of pictures of any size.
    growing: u32,
    /// Frames wider than any link carries.
    huge: Option<usize>,
    /// The mask begins at the column of the frame's number.
    walking: bool,
}

impl FrameSource for Noisy {
    fn name(&self) -> String {
        "noisy".to_owned()
    }
    fn content_hash(&self) -> String {
        String::new()
    }
    fn class_names(&self) -> &[String] {
        &[]
    }
    fn len(&self) -> usize {
        self.len
    }
    fn key(&self, position: usize) -> Result<FrameKey, SourceError> {
        Ok(FrameKey { class: 0, index: u32::try_from(position).unwrap() })
    }
    fn frame(&self, position: usize) -> Result<Frame, SourceError> {
        if self.broken.contains(&position) {
            return Err(SourceError::OutOfRange { position, len: 0 });
        }
        let n = u32::try_from(position).unwrap();
        let height = 16 + n * self.growing % 11;
        let width = if self.huge == Some(position) { 5000 } else { 24 };
        let left = if self.walking { n % 12 } else { 0 };
        let mut random = datasets::rng::Stream::new("noisy", &[position as u64]);
        let mut shade = || 40 + u8::try_from(random.below(100)).unwrap();
        Ok(Frame {
            key: self.key(position)?,
            image: RgbImage::from_fn(width, height, |_, _| Rgb([shade(), shade(), shade()])),
            mask: GrayImage::from_fn(width, height, |x, _| {
                Luma([if (left..left + 12).contains(&x) { 255 } else { 0 }])
            }),
            metadata: BTreeMap::new(),
        })
    }
}

struct Outcome {
    report: FilmReport,
    /// Sequence numbers in the order in which they were taken.
    taken: Vec<u32>,
    /// Of all pixels and masks taken.
    hash: String,
    masks: BTreeMap<u32, GrayImage>,
}

fn fault(kind: FaultName, share: f64) -> FaultSettings {
    FaultSettings {
        kind,
        share: Some(share),
        every: None,
        first: None,
        at: None,
        length: 1,
        by_ms: Some(5),
        lasting_ms: Some(20),
        columns: Some(6),
        count: Some(2),
    }
}

fn at(kind: FaultName, sequence: u32, length: u32) -> FaultSettings {
    FaultSettings { share: None, at: Some(sequence), length, ..fault(kind, 0.0) }
}

fn run(
    source: &Noisy,
    scenario: &Scenario,
    pace: Option<Pace>,
    only: Option<&BTreeSet<u32>>,
    work: Duration,
) -> Outcome {
    let clock = Clock::start();
    let line = Line::new(scenario.queue);
    let positions: Vec<u32> = (0..u32::try_from(source.len).unwrap()).collect();
    let pace = pace.unwrap_or(Pace::Lockstep);
    let filming = Filming {
        source,
        positions: &positions,
        scenario,
        pace,
        clock,
        skip_bad: true,
        check: true,
        only,
    };
    std::thread::scope(|scope| {
        let camera = scope.spawn(|| stream(&filming, &line, &|| false));
        let (mut taken, mut hash, mut masks) = (Vec::new(), Sha256::new(), BTreeMap::new());
        loop {
            match line.take(Duration::from_secs(5)) {
                Taken::Frame(frame) => {
                    hash.update(&frame.slot.filled()[firmware_host::link::HEADER_LEN..]);
                    let truth = frame.truth.unwrap();
                    hash.update(truth.mask.as_raw());
                    taken.push(frame.accepted.header.sequence);
                    masks.insert(frame.accepted.header.sequence, truth.mask);
                    std::thread::sleep(work);
                    line.give_back(frame.slot);
                }
                Taken::Closed => break,
                Taken::Nothing => panic!("nothing came for five seconds"),
            }
        }
        let mut report = camera.join().unwrap().unwrap();
        report.intake.counters.processed = taken.len() as u64;
        Outcome { report, taken, hash: crate::telemetry::hex(&hash.finalize()), masks }
    })
}

fn lockstep(frames: usize, faults: Vec<FaultSettings>, seed: u64) -> Outcome {
    let queue = QueueSettings { policy: PolicyName::Block, depth: 2 };
    let scenario = Scenario { seed, faults, queue, ..Scenario::default() };
    run(&Noisy { len: frames, ..Noisy::default() }, &scenario, None, None, Duration::ZERO)
}

fn dropped(outcome: &Outcome, reason: DropReason) -> u64 {
    outcome.report.intake.counters.dropped_by[reason as usize]
}

#[test]
fn in_lockstep_every_frame_arrives_once_and_in_order() {
    let outcome = lockstep(50, Vec::new(), 1);
    assert_eq!(outcome.taken, (0..50).collect::<Vec<u32>>());
    assert!(outcome.report.intake.counters.balanced());
    assert!(outcome.report.slots_high_water <= 5);
}

#[test]
fn each_fault_is_found_by_its_reason() {
    use DropReason::{BadPacket, Lost, Stale, WrongSize};
    for (kind, reason) in [
        (FaultName::Drop, Some(Lost)),
        (FaultName::FlipBits, Some(BadPacket)),
        (FaultName::Truncate, Some(BadPacket)),
        (FaultName::WrongSize, Some(WrongSize)),
        (FaultName::Reorder, Some(Stale)),
        (FaultName::Duplicate, None),
    ] {
        let outcome = lockstep(200, vec![fault(kind, 0.1)], 3);
        let counters = outcome.report.intake.counters;
        let struck = outcome.report.struck[0];
        assert!(struck > 8, "{kind:?} struck {struck} frames");
        assert!(counters.balanced(), "{kind:?}: {counters:?}");
        match reason {
            // nothing overtakes the last frame
            Some(Stale) => {
                let stale = dropped(&outcome, Stale);
                assert!((struck - 1..=struck).contains(&stale), "{struck} struck: {counters:?}");
            }
            Some(reason) => assert_eq!(dropped(&outcome, reason), struck, "{kind:?}: {counters:?}"),
            None => {
                assert_eq!(counters.dropped(), 0);
                assert_eq!(counters.repeated, struck);
            }
        }
    }
}

#[test]
fn frozen_and_black_pictures_raise_their_alarm() {
    let outcome = lockstep(60, vec![at(FaultName::Freeze, 20, 10), at(FaultName::Black, 40, 5)], 3);
    let intake = &outcome.report.intake;
    assert_eq!(intake.alarms, [1, 1]);
    // the first repeat is no alarm yet, nor is the first black picture
    assert_eq!(intake.alarm_frames, [9, 4]);
    assert_eq!(lockstep(2000, Vec::new(), 3).report.intake.alarms, [0, 0], "no false alarm");
}

#[test]
fn the_mask_follows_the_fault() {
    let faults =
        vec![at(FaultName::Shift, 3, 1), at(FaultName::Occlude, 5, 1), at(FaultName::Black, 7, 1)];
    let outcome = lockstep(10, faults, 3);
    let area = |n: u32| outcome.masks[&n].as_raw().iter().filter(|&&v| v > 127).count();
    assert_eq!(area(0), 12 * 16);
    let moved = &outcome.masks[&3];
    assert_eq!((moved.get_pixel(2, 15).0[0], moved.get_pixel(14, 15).0[0]), (0, 255));
    assert!(area(5) <= 12 * 16);
    assert_eq!(area(7), 0);
}

#[test]
fn a_last_frame_that_is_held_back_or_sent_twice_still_arrives() {
    // with one frame no other slot was ever filled when the second copy needs one
    for kind in [FaultName::Duplicate, FaultName::Reorder] {
        for frames in [1, 2, 5, 120] {
            let outcome =
                lockstep(frames, vec![at(kind, u32::try_from(frames).unwrap() - 1, 1)], 3);
            let counters = outcome.report.intake.counters;
            assert_eq!(outcome.taken.len(), frames, "{kind:?}, {frames}: {counters:?}");
            assert!(counters.balanced(), "{kind:?}, {frames}: {counters:?}");
            assert_eq!(counters.repeated, u64::from(kind == FaultName::Duplicate));
        }
    }
}

#[test]
fn frames_that_cannot_be_read_are_booked_and_do_not_end_the_run() {
    let source = Noisy { len: 20, broken: vec![7], ..Noisy::default() };
    let outcome = run(
        &source,
        &Scenario {
            queue: QueueSettings { policy: PolicyName::Block, depth: 1 },
            ..Scenario::default()
        },
        None,
        None,
        Duration::ZERO,
    );
    assert_eq!(dropped(&outcome, DropReason::BadSource), 1);
    assert_eq!(outcome.taken.len(), 19);
    assert!(outcome.report.intake.counters.balanced(), "{:?}", outcome.report.intake.counters);
}

/// A lockstep run of such a source, books balanced.
fn balanced(source: &Noisy, faults: Vec<FaultSettings>) -> Outcome {
    let queue = QueueSettings { policy: PolicyName::Block, depth: 2 };
    let scenario = Scenario { faults, queue, ..Scenario::default() };
    let outcome = run(source, &scenario, None, None, Duration::ZERO);
    assert!(outcome.report.intake.counters.balanced(), "{:?}", outcome.report.intake.counters);
    outcome
}

#[test]
fn an_unreadable_frame_beside_one_that_is_held_back_is_booked_once() {
    use FaultName::{Drop, Reorder};
    let source = |bad| Noisy { len: 12, broken: vec![bad], ..Noisy::default() };
    let outcome = balanced(&source(6), vec![at(Reorder, 5, 1)]);
    assert_eq!(dropped(&outcome, DropReason::BadSource), 1);
    assert_eq!(outcome.report.intake.counters.dropped(), 2, "6 unreadable, 5 overtaken");
    let outcome = balanced(&source(7), vec![at(Reorder, 5, 1), at(Drop, 6, 1)]);
    assert_eq!(outcome.report.intake.counters.dropped(), 2, "6 lost, 7 unreadable");
}

#[test]
fn pictures_of_any_size_are_frames_and_only_what_a_fault_cut_is_of_the_wrong_size() {
    let source = Noisy { len: 60, growing: 3, ..Noisy::default() };
    let outcome = balanced(&source, Vec::new());
    assert_eq!(outcome.taken.len(), 60);
    // one that is held back while a larger one is filmed
    let outcome = balanced(&source, vec![fault(FaultName::Reorder, 0.3)]);
    assert_eq!(dropped(&outcome, DropReason::BadSource), 0);
    // even the first one
    let cut = vec![at(FaultName::WrongSize, 0, 1), at(FaultName::WrongSize, 20, 2)];
    let outcome = balanced(&source, cut);
    assert_eq!(dropped(&outcome, DropReason::WrongSize), 3);
    assert_eq!(outcome.taken.len(), 57);
}

#[test]
fn a_picture_that_no_link_carries_is_booked_like_one_that_cannot_be_read() {
    let source = Noisy { len: 9, huge: Some(4), ..Noisy::default() };
    let outcome = balanced(&source, Vec::new());
    assert_eq!(dropped(&outcome, DropReason::BadSource), 1);
    assert!(outcome.report.bad[0].1.contains("5000 x"), "{:?}", outcome.report.bad);
}

#[test]
fn the_mask_of_a_frozen_picture_is_that_of_the_picture_which_is_shown() {
    let source = Noisy { len: 10, walking: true, ..Noisy::default() };
    let faults = vec![at(FaultName::WrongSize, 5, 1), at(FaultName::Freeze, 6, 1)];
    let outcome = balanced(&source, faults);
    let left = |n: u32| (0..24).find(|&x| outcome.masks[&n].get_pixel(x, 0).0[0] == 255).unwrap();
    assert_eq!((left(4), left(6), left(7)), (4, 5, 7));
}

#[test]
fn in_realtime_a_slow_pipeline_loses_frames_by_policy_and_the_books_balance() {
    for policy in [PolicyName::DropOldest, PolicyName::DropNewest, PolicyName::LatestOnly] {
        let mut scenario =
            Scenario { queue: QueueSettings { policy, depth: 2 }, ..Scenario::default() };
        scenario.camera.fps = 500.0;
        let pace = Pace::Realtime { start: firmware_host::Micros(1000) };
        let source = Noisy { len: 100, ..Noisy::default() };
        let outcome = run(&source, &scenario, Some(pace), None, Duration::from_millis(8));
        let counters = outcome.report.intake.counters;
        assert!(counters.balanced(), "{policy:?}: {counters:?}");
        assert!(dropped(&outcome, DropReason::QueueFull) > 20, "{policy:?}: {counters:?}");
        if policy == PolicyName::DropNewest {
            // what the queue holds at first; how soon the pipeline makes room is the system's business
            assert_eq!(outcome.taken[..2], [0, 1]);
        } else {
            assert_eq!(*outcome.taken.last().unwrap(), 99, "the newest frame is kept");
        }
    }
}

#[test]
fn the_delivered_list_of_a_realtime_run_replays_to_the_same_pictures() {
    let mut scenario = Scenario {
        seed: 9,
        faults: vec![
            fault(FaultName::Freeze, 0.1),
            fault(FaultName::Tear, 0.1),
            fault(FaultName::Drop, 0.1),
        ],
        queue: QueueSettings { policy: PolicyName::LatestOnly, depth: 1 },
        ..Scenario::default()
    };
    scenario.camera.fps = 500.0;
    scenario.camera.sensor = Some(sensor::SensorSettings {
        auto_exposure_lag_frames: 3.0,
        ..sensor::SensorSettings::default()
    });
    let source = Noisy { len: 80, ..Noisy::default() };
    let pace = Pace::Realtime { start: firmware_host::Micros(1000) };
    let live = run(&source, &scenario, Some(pace), None, Duration::from_millis(5));
    assert!(live.taken.len() < 80, "nothing was dropped: the test shows nothing");
    let only: BTreeSet<u32> = live.taken.iter().copied().collect();
    scenario.queue = QueueSettings { policy: PolicyName::Block, depth: 2 };
    let again = run(&source, &scenario, None, Some(&only), Duration::ZERO);
    assert_eq!(again.taken, live.taken);
    assert_eq!(again.hash, live.hash);
}

#[test]
fn a_pipeline_that_leaves_does_not_hang_the_camera() {
    let scenario = Scenario {
        queue: QueueSettings { policy: PolicyName::Block, depth: 1 },
        ..Scenario::default()
    };
    let line = Line::new(scenario.queue);
    let source = Noisy { len: 1000, ..Noisy::default() };
    let positions: Vec<u32> = (0..1000).collect();
    let (clock, pace) = (Clock::start(), Pace::Lockstep);
    let filming = Filming {
        source: &source,
        positions: &positions,
        scenario: &scenario,
        pace,
        clock,
        skip_bad: false,
        check: true,
        only: None,
    };
    std::thread::scope(|scope| {
        let camera = scope.spawn(|| stream(&filming, &line, &|| false));
        assert!(matches!(line.take(Duration::from_secs(5)), Taken::Frame(_)));
        line.abandon();
        assert!(camera.join().unwrap().is_ok());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_books_balance_whatever_goes_wrong(
        seed in any::<u64>(), mask in 1_u32..8192, broken in prop::collection::vec(0_usize..120, 0..20),
        growing in 0_u32..4, huge in prop::option::of(0_usize..120),
    ) {
        let all = [
            FaultName::Drop, FaultName::Duplicate, FaultName::Reorder, FaultName::Freeze, FaultName::Black,
            FaultName::Tear, FaultName::Shift, FaultName::Occlude, FaultName::WrongSize, FaultName::FlipBits,
            FaultName::Truncate, FaultName::Late, FaultName::Stall,
        ];
        let faults: Vec<_> = all.into_iter().enumerate()
            .filter(|(i, _)| mask & (1 << i) != 0).map(|(_, kind)| fault(kind, 0.15)).collect();
        let queue = QueueSettings { policy: PolicyName::Block, depth: 2 };
        let scenario = Scenario { seed, faults, queue, ..Scenario::default() };
        let source = Noisy { len: 120, broken, growing, huge, walking: true };
        let first = run(&source, &scenario, None, None, Duration::ZERO);
        prop_assert!(first.report.intake.counters.balanced(), "{:?}", first.report.intake.counters);
        let second = run(&source, &scenario, None, None, Duration::ZERO);
        prop_assert_eq!(first.hash, second.hash);
    }
}
