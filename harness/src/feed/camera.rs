//! The camera thread: one frame after the other, from the data set into a slot and onto the link.

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, Sender};
use datasets::source::{FrameKey, FrameSource, MetadataValue, SourceError};
use firmware_host::link::HEADER_LEN;
use firmware_host::queue::Offer;
use firmware_host::{
    Counters, DropReason, Event, FrameHeader, FrameQueue, Micros, Policy, SlotPool,
};
use image::GrayImage;

use super::filmed::size_on_link;
use super::{HostSlot, QUEUE_FRAMES, SLOTS};
use crate::clock::Clock;

/// What is known of a frame beside its pixels.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Class and index.
    pub key: FrameKey,
    /// Coverage of each pixel by the sign.
    pub mask: GrayImage,
    /// Parameters of the picture.
    pub metadata: BTreeMap<String, MetadataValue>,
}

/// A packet on its way to the receiver.
#[derive(Debug)]
pub struct Delivery {
    /// The slot with the packet; give it back when done.
    pub slot: HostSlot,
    /// Ground truth.
    pub truth: Truth,
    /// How long rendering or reading took.
    pub capture: Micros,
    /// When the packet was handed to the queue.
    pub sent: Micros,
}

/// How the filming went.
#[derive(Debug, Default)]
pub struct CameraReport {
    /// Frames due, and those that the camera itself had to drop; `processed` is the receiver's to fill.
    pub counters: Counters,
    /// Most slots in use at once.
    pub slots_high_water: usize,
    /// Frames that the data set could not deliver, with the reason; only with `skip_bad`.
    pub bad: Vec<(u32, SourceError)>,
}

/// Film the given positions in order until the end, until `stop` says so or the receiver is gone.
///
/// Runs in lockstep: the queue blocks, nothing is dropped for lack of room.
///
/// # Errors
/// The first frame that the data set cannot deliver, unless `skip_bad`.
pub fn film(
    source: &dyn FrameSource,
    positions: &[u32],
    clock: Clock,
    skip_bad: bool,
    link: &Sender<Delivery>,
    returned: &Receiver<HostSlot>,
    stop: &dyn Fn() -> bool,
) -> Result<CameraReport, SourceError> {
    let mut report = CameraReport::default();
    let mut pool = SlotPool::<Box<[u8]>, SLOTS>::new(Box::default);
    let mut queue = FrameQueue::<Delivery, QUEUE_FRAMES>::new(Policy::Block);
    for (sequence, &position) in (0_u32..).zip(positions) {
        if stop() {
            break;
        }
        while let Ok(slot) = returned.try_recv() {
            take_back(&mut pool, slot);
        }
        report.counters.frames_in += 1;
        let scheduled = clock.now();
        let index = usize::try_from(position).unwrap_or(usize::MAX);
        let (frame, capture) = clock.time(|| source.frame(index));
        let frame = frame.and_then(|frame| {
            size_on_link(source, position, &frame.image).map(|size| (frame, size))
        });
        let (frame, (width, height)) = match frame {
            Ok(frame) => frame,
            Err(error) if skip_bad => {
                report.counters.drop_frame(DropReason::BadSource);
                Event::Dropped { sequence, reason: DropReason::BadSource }.log();
                report.bad.push((position, error));
                continue;
            }
            Err(error) => return Err(error),
        };
        // lockstep waits for a slot instead of dropping the frame
        let mut slot = loop {
            if let Some(slot) = pool.lease() {
                break slot;
            }
            flush(&mut queue, link);
            match returned.recv() {
                Ok(slot) => take_back(&mut pool, slot),
                Err(_) => return Ok(report), // the receiver is gone
            }
        };
        report.slots_high_water = report.slots_high_water.max(pool.high_water());
        let header = FrameHeader {
            sequence,
            position,
            scheduled,
            captured: clock.now(),
            exposure_micros: 0,
            width,
            height,
        };
        let pixels = frame.image.as_raw();
        let needed = HEADER_LEN + pixels.len();
        if slot.bytes.len() < needed {
            slot.bytes = vec![0; needed].into_boxed_slice();
        }
        slot.bytes[HEADER_LEN..needed].copy_from_slice(pixels);
        slot.len = match header.seal(&mut slot.bytes) {
            Ok(len) => len,
            Err(error) => {
                return Err(SourceError::Name {
                    name: source.name(),
                    problem: format!("frame {position}: {error}"),
                    remedy: "this is a bug in roadgaze".to_owned(),
                });
            }
        };
        Event::Captured { sequence, slot: slot.number() }.log();
        let truth = Truth { key: frame.key, mask: frame.mask, metadata: frame.metadata };
        let mut delivery = Delivery { slot, truth, capture, sent: clock.now() };
        while let Offer::Full(refused) = queue.offer(delivery) {
            delivery = refused;
            if !forward(&mut queue, link) {
                return Ok(report);
            }
        }
        if link.is_empty() && !forward(&mut queue, link) {
            return Ok(report);
        }
    }
    flush(&mut queue, link);
    Ok(report)
}

/// Hand the oldest waiting frame to the receiver, waiting for room; false if the receiver is gone.
fn forward(queue: &mut FrameQueue<Delivery, QUEUE_FRAMES>, link: &Sender<Delivery>) -> bool {
    queue.take().is_none_or(|delivery| link.send(delivery).is_ok())
}

fn flush(queue: &mut FrameQueue<Delivery, QUEUE_FRAMES>, link: &Sender<Delivery>) {
    while !queue.is_empty() && forward(queue, link) {}
}

fn take_back(pool: &mut SlotPool<Box<[u8]>, SLOTS>, slot: HostSlot) {
    let accepted = pool.give_back(slot);
    debug_assert!(accepted.is_ok(), "a slot came back twice");
}
