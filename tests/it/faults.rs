//! What do faults and queue policies do to each other? A simulated camera and a simulated pipeline in simulated time, one
//! seeded table: every row must balance, and any change of behaviour shows as a change of the table.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firmware_host::link::HEADER_LEN;
use firmware_host::queue::Offer;
use firmware_host::{
    Ailment, Counters, DropReason, FaultInjector, FrameHeader, FrameQueue, LinkError, Micros,
    PacketSource, Policy,
};
use harness::feed::{Intake, Scenario, Timing};

/// Frames of a simulated camera: noise, so that no two are equal.
struct Noise {
    timing: Timing,
    next: u32,
    frames: u32,
}

const WIDTH: u16 = 16;
const HEIGHT: u16 = 12;
const PACKET: usize = HEADER_LEN + 16 * 12 * 3;

impl PacketSource for Noise {
    type Error = LinkError;

    fn next_packet(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, LinkError> {
        if self.next == self.frames {
            return Ok(None);
        }
        let sequence = self.next;
        self.next += 1;
        let mut random = datasets::rng::Stream::new("matrix", &[sequence.into()]);
        buffer[HEADER_LEN..PACKET].fill_with(|| 30 + u8::try_from(random.below(120)).unwrap());
        let header = FrameHeader {
            sequence,
            position: sequence,
            scheduled: self.timing.scheduled(sequence),
            captured: self.timing.captured(sequence),
            exposure_micros: 0,
            width: WIDTH,
            height: HEIGHT,
        };
        header.seal(buffer).map(Some)
    }
}

struct Row {
    counters: Counters,
    alarms: [u32; 2],
    stalls: u32,
    p50: u64,
    p99: u64,
}

/// A pipeline that needs `service` for a frame, behind a queue of two.
fn simulate(scenario: &Scenario, policy: Policy, frames: u32, service: Micros) -> Row {
    let timing = Timing::new(scenario, Micros(0));
    let plan = scenario.fault_plan().unwrap();
    let spare = || vec![0; PACKET];
    let source = Noise { timing, next: 0, frames };
    let mut injector = FaultInjector::new(source, plan, scenario.period(), spare(), spare());
    let mut intake = Intake::new(scenario, Micros(0));
    let mut queue = FrameQueue::<(u32, Micros, Micros), 16>::with_depth(policy, 2);
    let (mut free, mut latencies) = (Micros(0), Vec::new());
    let mut work =
        |queue: &mut FrameQueue<(u32, Micros, Micros), 16>, until: Micros, free: &mut Micros| {
            while *free <= until {
                let Some((_, scheduled, arrived)) = queue.take() else { break };
                *free = (*free).max(arrived).after(service);
                latencies.push(free.since(scheduled).0);
            }
        };
    let mut buffer = vec![0; PACKET];
    let mut blocked = Micros(0);
    while let Some(delivered) = injector.next_delivery(&mut buffer).unwrap() {
        let mut now = delivered.at.max(blocked);
        work(&mut queue, now, &mut free);
        intake.time(now);
        if delivered.lost {
            continue;
        }
        let Some(accepted) = intake.packet(&buffer[..delivered.len], now) else { continue };
        let mut frame = (accepted.header.sequence, accepted.header.scheduled, now);
        loop {
            match queue.offer(frame) {
                Offer::Queued => break,
                Offer::Displaced((sequence, ..)) | Offer::Dropped((sequence, ..)) => {
                    intake.drop_frame(sequence, DropReason::QueueFull, now);
                    break;
                }
                Offer::Full(refused) => {
                    // the camera waits until the pipeline takes one
                    now = free;
                    blocked = now;
                    work(&mut queue, now, &mut free);
                    frame = refused;
                }
            }
        }
    }
    work(&mut queue, Micros(u64::MAX / 2), &mut free);
    let report = intake.finish(frames.into(), free);
    let mut counters = report.counters;
    counters.processed = latencies.len() as u64;
    latencies.sort_unstable();
    let at =
        |share: usize| latencies[(latencies.len() * share).div_ceil(100).saturating_sub(1)] / 1000;
    Row { counters, alarms: report.alarms, stalls: report.stalls, p50: at(50), p99: at(99) }
}

fn scenario(fault: &str) -> Scenario {
    let text = format!("seed = 2024\n{fault}");
    let scenario: Scenario = toml::from_str(&text).unwrap();
    scenario.check().unwrap();
    scenario
}

#[test]
fn the_matrix_of_faults_and_policies() {
    let faults = [
        ("none", String::new()),
        ("drop 5 %", "[[fault]]\nkind = \"drop\"\nshare = 0.05".to_owned()),
        ("drop bursts of 4", "[[fault]]\nkind = \"drop\"\nshare = 0.01\nlength = 4".to_owned()),
        ("drop every 10th", "[[fault]]\nkind = \"drop\"\nevery = 10".to_owned()),
        ("late 50 ms 5 %", "[[fault]]\nkind = \"late\"\nshare = 0.05\nby_ms = 50".to_owned()),
        (
            "stall 200 ms / 50",
            "[[fault]]\nkind = \"stall\"\nevery = 50\nlasting_ms = 200".to_owned(),
        ),
        ("duplicate 5 %", "[[fault]]\nkind = \"duplicate\"\nshare = 0.05".to_owned()),
        ("reorder 5 %", "[[fault]]\nkind = \"reorder\"\nshare = 0.05".to_owned()),
        ("freeze of 6", "[[fault]]\nkind = \"freeze\"\nshare = 0.01\nlength = 6".to_owned()),
        ("black of 6", "[[fault]]\nkind = \"black\"\nshare = 0.01\nlength = 6".to_owned()),
        ("tear 5 %", "[[fault]]\nkind = \"tear\"\nshare = 0.05".to_owned()),
        ("shift 5 %", "[[fault]]\nkind = \"shift\"\nshare = 0.05\ncolumns = 4".to_owned()),
        ("occlude 5 %", "[[fault]]\nkind = \"occlude\"\nshare = 0.05".to_owned()),
        ("wrong size 5 %", "[[fault]]\nkind = \"wrong-size\"\nshare = 0.05".to_owned()),
        ("bit flips 5 %", "[[fault]]\nkind = \"flip-bits\"\nshare = 0.05\ncount = 3".to_owned()),
        ("truncate 5 %", "[[fault]]\nkind = \"truncate\"\nshare = 0.05".to_owned()),
    ];
    let mut table = String::from(
        "300 frames at 30 a second, a pipeline of 40 ms, a queue of 2\n\
         fault              policy       processed  full  lost   bad stale  size repeat frozen black stalls p50ms p99ms\n",
    );
    for (name, fault) in &faults {
        for policy in Policy::ALL {
            let row = simulate(&scenario(fault), policy, 300, Micros(40_000));
            let c = row.counters;
            assert!(c.balanced(), "{name}, {}: {c:?}", policy.name());
            let by = |reason: DropReason| c.dropped_by[reason as usize];
            writeln!(
                table,
                "{name:<18} {:<12} {:>9} {:>5} {:>5} {:>5} {:>5} {:>5} {:>6} {:>6} {:>5} {:>6} {:>5} {:>5}",
                policy.name(),
                c.processed,
                by(DropReason::QueueFull),
                by(DropReason::Lost),
                by(DropReason::BadPacket),
                by(DropReason::Stale),
                by(DropReason::WrongSize),
                c.repeated,
                row.alarms[0],
                row.alarms[1],
                row.stalls,
                row.p50,
                row.p99,
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_stall_of_200_ms_every_500_frames_is_in_p99_and_not_in_the_median() {
    let stall = "[[fault]]\nkind = \"stall\"\nevery = 500\nlasting_ms = 200";
    let with = simulate(&scenario(stall), Policy::Block, 5000, Micros(20_000));
    let without = simulate(&scenario(""), Policy::Block, 5000, Micros(20_000));
    assert_eq!((without.p50, without.p99), (20, 20));
    assert_eq!(with.p50, 20);
    assert!(with.p99 > 100, "p99 {} ms", with.p99);
    assert_eq!(with.stalls, 9, "the watchdog noticed each of them");
}

/// Delay and false alarms of the two picture detectors over many seeds.
#[test]
fn detectors_have_the_stated_delay_and_raise_no_false_alarm() {
    let mut delays: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for seed in 0..20_u64 {
        for (kind, ailment) in [("freeze", Ailment::Frozen), ("black", Ailment::Black)] {
            let mut scenario =
                scenario(&format!("[[fault]]\nkind = \"{kind}\"\nat = 100\nlength = 20"));
            scenario.seed = seed;
            let timing = Timing::new(&scenario, Micros(0));
            let spare = || vec![0; PACKET];
            let source = Noise { timing, next: 0, frames: 400 };
            let plan = scenario.fault_plan().unwrap();
            let mut injector =
                FaultInjector::new(source, plan, scenario.period(), spare(), spare());
            let mut intake = Intake::new(&scenario, Micros(0));
            let mut buffer = vec![0; PACKET];
            let mut first = None;
            while let Some(delivered) = injector.next_delivery(&mut buffer).unwrap() {
                let accepted = intake.packet(&buffer[..delivered.len], delivered.at).unwrap();
                let on = accepted.alarms[ailment as usize];
                let sequence = accepted.header.sequence;
                assert!(!on || (100..120).contains(&sequence), "{kind}: false alarm at {sequence}");
                if on && first.is_none() {
                    first = Some(sequence);
                }
            }
            delays.entry(kind).or_default().push(first.unwrap() - 100);
        }
    }
    // the first repeat, and the first black frame, are not yet an alarm; the second one is
    assert!(delays.values().flatten().all(|&delay| delay == 1), "{delays:?}");
}
