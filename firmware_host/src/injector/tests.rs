//! Does every kind of fault do what its name says, and do the books of the injector agree with it?

use std::vec::Vec;

use super::*;
use crate::fault::{Fault, Start};
use crate::sequence::{Arrival, SequenceTracker};

const WIDTH: u16 = 6;
const HEIGHT: u16 = 8;

/// Frames whose every byte tells their number.
struct Numbered {
    next: u32,
    end: u32,
}

impl PacketSource for Numbered {
    type Error = ();

    fn next_packet(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ()> {
        if self.next == self.end {
            return Ok(None);
        }
        let at = Micros(u64::from(self.next) * 1000);
        let header = FrameHeader {
            sequence: self.next,
            position: self.next,
            scheduled: at,
            captured: at,
            exposure_micros: 0,
            width: WIDTH,
            height: HEIGHT,
        };
        buffer[HEADER_LEN..header.packet_len()].fill(u8::try_from(self.next + 1).unwrap());
        self.next += 1;
        Ok(header.seal(buffer).ok())
    }
}

type Out = Vec<(Delivered, Vec<u8>)>;

fn deliver(frames: u32, faults: &[(Kind, Start, u32)]) -> Out {
    let mut plan = FaultPlan::new(5);
    for &(kind, start, length) in faults {
        plan.push(Fault { kind, start, length }).unwrap();
    }
    let source = Numbered { next: 0, end: frames };
    let spare = || std::vec![0_u8; 400];
    let mut injector = FaultInjector::new(source, plan, Micros(1000), spare(), spare());
    let mut buffer = std::vec![0; 400];
    let mut out = Vec::new();
    while let Some(delivered) = injector.next_delivery(&mut buffer).unwrap() {
        out.push((delivered, buffer[..delivered.len].to_vec()));
    }
    out
}

fn at(sequence: u32) -> Start {
    Start::At { sequence }
}

fn parse(bytes: &[u8]) -> Result<FrameHeader, crate::LinkError> {
    FrameHeader::parse(&Packet::new(bytes)?)
}

#[test]
fn without_faults_everything_passes_unchanged() {
    let out = deliver(5, &[]);
    assert_eq!(out.len(), 5);
    for (n, (delivered, bytes)) in (0_u32..).zip(&out) {
        assert_eq!(
            (delivered.sequence, delivered.struck, delivered.at.0),
            (n, 0, u64::from(n) * 1000)
        );
        assert_eq!(parse(bytes).unwrap().sequence, n);
    }
}

#[test]
fn order_and_number_of_packets() {
    let numbers =
        |kind| deliver(5, &[(kind, at(2), 1)]).iter().map(|(d, _)| d.sequence).collect::<Vec<_>>();
    assert_eq!(numbers(Kind::Duplicate), [0, 1, 2, 2, 3, 4]);
    assert_eq!(numbers(Kind::Reorder), [0, 1, 3, 2, 4]);
    let lost = deliver(5, &[(Kind::Drop, at(2), 2)]);
    assert_eq!(
        lost.iter().filter(|(d, _)| d.lost).map(|(d, _)| d.sequence).collect::<Vec<_>>(),
        [2, 3]
    );
    let last = deliver(3, &[(Kind::Reorder, at(2), 1)]);
    assert_eq!(last.len(), 3, "a packet held back at the end still comes");
    let mut tracker = SequenceTracker::new();
    let arrivals: Vec<Arrival> = deliver(5, &[(Kind::Reorder, at(2), 1)])
        .iter()
        .map(|(d, _)| tracker.arrive(d.sequence))
        .collect();
    assert_eq!(arrivals[2..4], [Arrival::AfterGap { missing: 1 }, Arrival::Late { behind: 1 }]);
}

#[test]
fn a_packet_held_back_is_lost_where_it_does_not_fit() {
    let mut plan = FaultPlan::new(5);
    plan.push(Fault { kind: Kind::Reorder, start: at(1), length: 1 }).unwrap();
    let spare = || std::vec![0_u8; 400];
    let source = Numbered { next: 0, end: 2 };
    let mut injector = FaultInjector::new(source, plan, Micros(1000), spare(), spare());
    let first = injector.next_delivery(&mut spare()).unwrap().unwrap();
    assert_eq!((first.sequence, first.lost), (0, false));
    // the source ends while the second packet is held back
    let mut buffer = spare();
    let second = injector.next_delivery(&mut buffer).unwrap().unwrap();
    assert_eq!((second.sequence, second.lost, second.repeated), (1, false, false));
    assert_eq!(parse(&buffer[..second.len]).unwrap().sequence, 1);
    assert_eq!(injector.next_delivery(&mut []).unwrap(), None);

    let mut plan = FaultPlan::new(5);
    plan.push(Fault { kind: Kind::Duplicate, start: at(0), length: 1 }).unwrap();
    let source = Numbered { next: 0, end: 1 };
    let mut injector = FaultInjector::new(source, plan, Micros(1000), spare(), spare());
    assert!(!injector.next_delivery(&mut spare()).unwrap().unwrap().lost);
    let again = injector.next_delivery(&mut []).unwrap().unwrap();
    assert_eq!((again.sequence, again.len, again.lost, again.repeated), (0, 0, true, true));
}

#[test]
fn a_fault_that_finds_no_place_for_its_packet_does_not_strike() {
    let told = |faults: &[(Kind, Start, u32)]| {
        let out = deliver(7, faults);
        out.iter().map(|(d, _)| (d.sequence, d.struck)).collect::<Vec<_>>()
    };
    let (reorder, duplicate) = ((Kind::Reorder, at(2), 1), (Kind::Duplicate, at(3), 1));
    // 3 overtakes 2, which takes the place that a copy of 3 would need
    let expected = [(0, 0), (1, 0), (3, 0), (2, 1), (4, 0), (5, 0), (6, 0)];
    assert_eq!(told(&[reorder, duplicate]), expected);
    // 2 and 3 shall both be overtaken: only 2 is
    let expected = [(0, 0), (1, 0), (3, 0), (2, 1), (4, 0), (5, 0), (6, 0)];
    assert_eq!(told(&[(Kind::Reorder, at(2), 2)]), expected);
    // what is overtaken comes once
    let expected = [(0, 0), (1, 0), (3, 0), (2, 1), (4, 0), (5, 0), (6, 0)];
    assert_eq!(told(&[reorder, (Kind::Duplicate, at(2), 1)]), expected);
    // what is lost is neither late nor there twice
    let expected = [(0, 0), (1, 0), (2, 4), (3, 4), (4, 0), (5, 0), (6, 0)];
    assert_eq!(told(&[reorder, duplicate, (Kind::Drop, at(2), 2)]), expected);
    // and with a place each of them strikes
    let expected = [(0, 0), (1, 0), (2, 1), (2, 1), (3, 0), (5, 0), (4, 2), (6, 0)];
    assert_eq!(told(&[(Kind::Duplicate, at(2), 1), (Kind::Reorder, at(4), 1)]), expected);
}

#[test]
fn a_fault_that_changes_nothing_does_not_strike() {
    let told = |faults: &[(Kind, Start, u32)]| {
        deliver(4, faults).iter().map(|(d, _)| d.struck).collect::<Vec<_>>()
    };
    // nothing to show again
    assert_eq!(told(&[(Kind::Freeze, at(0), 2), (Kind::Tear, at(0), 1)]), [0, 1, 0, 0]);
    // a picture has one fault, the first in the plan
    let both = [(Kind::Tear, at(0), 2), (Kind::Black, at(0), 2), (Kind::Occlude, at(1), 2)];
    assert_eq!(told(&both), [2, 1, 4, 0]);
    // what never arrives is not damaged on its way, but the camera showed it all the same
    let lost = [(Kind::FlipBits { count: 1 }, at(2), 2), (Kind::Black, at(2), 1)];
    assert_eq!(told(&lost), [0, 0, 3, 1]);
    assert_eq!(told(&[lost[0], lost[1], (Kind::Drop, at(2), 1)]), [0, 0, 6, 1]);
}

/// Frames of these heights, each of a shade of its own.
struct Heights {
    next: u32,
    heights: &'static [u16],
}

impl PacketSource for Heights {
    type Error = ();

    fn next_packet(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ()> {
        let (sequence, at) = (self.next, Micros(u64::from(self.next) * 1000));
        let Some(&height) = self.heights.get(sequence as usize) else { return Ok(None) };
        self.next += 1;
        let header = FrameHeader {
            sequence,
            position: sequence,
            scheduled: at,
            captured: at,
            exposure_micros: 0,
            width: WIDTH,
            height,
        };
        buffer[HEADER_LEN..header.packet_len()].fill(u8::try_from(sequence + 1).unwrap());
        Ok(header.seal(buffer).ok())
    }
}

#[test]
fn an_older_picture_is_not_shown_where_the_one_before_was_too_large_to_keep() {
    let mut plan = FaultPlan::new(5);
    plan.push(Fault { kind: Kind::Freeze, start: at(1), length: 4 }).unwrap();
    let source = Heights { next: 0, heights: &[8, 16, 8, 8, 8] };
    // room for one of 6 x 8 pixels
    let spare = || std::vec![0_u8; 144];
    let mut injector = FaultInjector::new(source, plan, Micros(1000), spare(), spare());
    let (mut buffer, mut out) = (std::vec![0_u8; 400], Vec::new());
    while let Some(delivered) = injector.next_delivery(&mut buffer).unwrap() {
        out.push((buffer[HEADER_LEN], delivered.picture, delivered.struck));
    }
    let (whole, frozen) = (Picture::Whole, Picture::Frozen);
    let expected = [(1, whole, 0), (2, whole, 0), (3, whole, 0), (3, frozen, 1), (3, frozen, 1)];
    assert_eq!(out, expected);
}

#[test]
fn late_frames_hold_up_those_behind_them() {
    let out = deliver(6, &[(Kind::Late { by: Micros(2500) }, at(2), 1)]);
    let times: Vec<u64> = out.iter().map(|(d, _)| d.at.0).collect();
    assert_eq!(times, [0, 1000, 4500, 4500, 4500, 5000]);
}

#[test]
fn picture_faults_are_sealed_rightly_and_packet_faults_are_found() {
    for kind in [
        Kind::Freeze,
        Kind::Black,
        Kind::Tear,
        Kind::Shift { columns: 2 },
        Kind::Shift { columns: -2 },
        Kind::Occlude,
        Kind::WrongSize,
    ] {
        let out = deliver(4, &[(kind, at(2), 1)]);
        let header = parse(&out[2].1).unwrap_or_else(|e| panic!("{}: {e}", kind.name()));
        assert_eq!(header.sequence, 2);
        assert_ne!(out[2].1, deliver(4, &[])[2].1, "{} did nothing", kind.name());
        assert_eq!(out[3].1, deliver(4, &[])[3].1, "{} went on", kind.name());
    }
    for kind in [Kind::FlipBits { count: 1 }, Kind::FlipBits { count: 9 }, Kind::Truncate] {
        let out = deliver(200, &[(kind, Start::Every { n: 1, first: 0 }, 1)]);
        assert_eq!(out.len(), 200);
        for (delivered, bytes) in &out {
            assert!(
                parse(bytes).is_err(),
                "{} of frame {} passed",
                kind.name(),
                delivered.sequence
            );
        }
    }
}

#[test]
fn a_frozen_camera_shows_the_picture_before_the_freeze_all_the_time() {
    let out = deliver(6, &[(Kind::Freeze, at(2), 3)]);
    let shades: Vec<u8> = out.iter().map(|(_, bytes)| bytes[HEADER_LEN]).collect();
    assert_eq!(shades, [1, 2, 2, 2, 2, 6]);
    assert_eq!(
        deliver(3, &[(Kind::Freeze, at(0), 1)])[0].0.picture,
        Picture::Whole,
        "nothing to show again"
    );
}

#[test]
fn the_mask_follows_the_picture() {
    // a mask that is 255 in columns 1 and 2 of every row
    let mask: Vec<u8> = (0..HEIGHT).flat_map(|_| [0, 255, 255, 0, 0, 0]).collect();
    let after = |picture: Picture, previous: &[u8]| {
        let mut mask = mask.clone();
        picture.apply(&mut mask, previous, (WIDTH, HEIGHT), 1, 0);
        mask
    };
    let sum = |m: &[u8]| m.iter().filter(|&&v| v > 127).count();
    let moved = after(Picture::Shifted { row: 4, columns: 3 }, &[]);
    assert_eq!(moved[..6], [0, 255, 255, 0, 0, 0]);
    assert_eq!(moved[24..30], [0, 0, 0, 0, 255, 255]);
    assert_eq!(sum(&moved), 16);
    assert_eq!(after(Picture::Shifted { row: 0, columns: -2 }, &[])[..6], [255, 0, 0, 0, 0, 0]);
    let covered = after(Picture::Occluded { left: 2, top: 0, width: 4, height: 4 }, &[]);
    assert_eq!(sum(&covered), 12, "the occlusion takes one column of four rows");
    assert_eq!(sum(&after(Picture::Black, &[])), 0);
    let before = [255_u8; 48];
    assert_eq!(sum(&after(Picture::Torn { row: 6 }, &before)), 12 + 12);
    assert_eq!(after(Picture::Frozen, &before), before);
}

#[test]
fn the_same_seed_delivers_the_same_bytes() {
    let faults = [
        (Kind::Drop, Start::Chance { per_million: 100_000 }, 1),
        (Kind::Tear, Start::Chance { per_million: 100_000 }, 1),
        (Kind::FlipBits { count: 3 }, Start::Chance { per_million: 100_000 }, 1),
        (Kind::Duplicate, Start::Chance { per_million: 100_000 }, 1),
        (Kind::Occlude, Start::Chance { per_million: 100_000 }, 2),
        (Kind::Reorder, Start::Chance { per_million: 100_000 }, 1),
    ];
    let out = deliver(200, &faults);
    let algorithm = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut all = algorithm.digest();
    for (_, bytes) in &out {
        all.update(bytes);
    }
    // taken on x86-64; integers alone decide, so every processor must give it
    assert_eq!(all.finalize(), DELIVERED, "{} packets", out.len());
}

const DELIVERED: u32 = 3_046_892_198;
