//! The receiving end of the camera link: checks every packet before a pixel of it is used.

use firmware_host::{
    Arrival, DropReason, Event, FrameHeader, LinkError, Micros, Packet, SequenceTracker,
};
use image::RgbImage;

use super::camera::Delivery;
use crate::clock::Clock;

/// A frame that arrived whole.
#[derive(Debug)]
pub struct Received {
    /// What the header says.
    pub header: FrameHeader,
    /// The pixels, copied out of the slot.
    pub image: RgbImage,
    /// How it stands to the frames before it.
    pub arrival: Arrival,
    /// From the queue to here: waiting and checking.
    pub transport: Micros,
}

/// State of the receiver: which frames it has seen.
#[derive(Debug, Default)]
pub struct Receiver {
    sequence: SequenceTracker,
}

impl Receiver {
    /// Check a packet and copy its pixels out of the slot.
    ///
    /// # Errors
    /// What is wrong with the packet; the caller counts it as dropped.
    pub fn receive(&mut self, delivery: &Delivery, clock: Clock) -> Result<Received, LinkError> {
        let result = self.read(delivery, clock);
        match &result {
            Ok(frame) => Event::Arrived {
                sequence: frame.header.sequence,
                arrival: frame.arrival,
                age: clock.now().since(frame.header.scheduled),
            }
            .log(),
            Err(_) => Event::Dropped { sequence: 0, reason: DropReason::BadPacket }.log(),
        }
        result
    }

    fn read(&mut self, delivery: &Delivery, clock: Clock) -> Result<Received, LinkError> {
        let packet = Packet::new(delivery.slot.filled())?;
        let header = FrameHeader::parse(&packet)?;
        let pixels = packet.pixels(&header)?.to_vec();
        let found = pixels.len();
        let image = RgbImage::from_raw(header.width.into(), header.height.into(), pixels)
            .ok_or(LinkError::Truncated { expected: header.pixel_len(), found })?;
        let arrival = self.sequence.arrive(header.sequence);
        Ok(Received { header, image, arrival, transport: clock.now().since(delivery.sent) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use datasets::source::{Frame, FrameKey, FrameSource, SourceError};
    use image::{GrayImage, Rgb, RgbImage};

    use super::super::{CameraReport, film};
    use super::*;

    /// Frames whose first pixel tells their position; position 3 cannot be read.
    struct Numbered {
        broken: Option<usize>,
    }

    impl FrameSource for Numbered {
        fn name(&self) -> String {
            "numbered".to_owned()
        }
        fn content_hash(&self) -> String {
            String::new()
        }
        fn class_names(&self) -> &[String] {
            &[]
        }
        fn len(&self) -> usize {
            10
        }
        fn key(&self, position: usize) -> Result<FrameKey, SourceError> {
            Ok(FrameKey { class: 0, index: u32::try_from(position).unwrap() })
        }
        fn frame(&self, position: usize) -> Result<Frame, SourceError> {
            if self.broken == Some(position) {
                return Err(SourceError::OutOfRange { position, len: 0 });
            }
            let shade = u8::try_from(position).unwrap();
            Ok(Frame {
                key: self.key(position)?,
                image: RgbImage::from_pixel(5, 4, Rgb([shade, 1, 2])),
                mask: GrayImage::new(5, 4),
                metadata: BTreeMap::new(),
            })
        }
    }

    fn run(
        source: &Numbered,
        skip_bad: bool,
        take: usize,
    ) -> (Result<CameraReport, SourceError>, Vec<u8>) {
        let (link, arriving) = crossbeam_channel::bounded(1);
        let (give_back, returned) = crossbeam_channel::bounded(super::super::SLOTS);
        let clock = Clock::start();
        std::thread::scope(|scope| {
            let camera = scope.spawn(move || {
                let positions: Vec<u32> = (0..10).collect();
                film(source, &positions, clock, skip_bad, &link, &returned, &|| false)
            });
            let mut receiver = Receiver::default();
            let mut seen = Vec::new();
            for delivery in arriving.iter().take(take) {
                let frame = receiver.receive(&delivery, clock).unwrap();
                assert_eq!(frame.header.position, delivery.truth.key.index);
                seen.push(frame.image.get_pixel(4, 3).0[0]);
                drop(give_back.send(delivery.slot)); // the camera may have finished
            }
            drop((arriving, give_back));
            (camera.join().unwrap(), seen)
        })
    }

    #[test]
    fn every_frame_arrives_once_and_in_order() {
        let (report, seen) = run(&Numbered { broken: None }, false, usize::MAX);
        assert_eq!(seen, (0..10).collect::<Vec<u8>>());
        let report = report.unwrap();
        assert_eq!(report.counters.frames_in, 10);
        assert!((1..=4).contains(&report.slots_high_water));
    }

    #[test]
    fn a_bad_frame_ends_the_run_or_is_counted() {
        let (report, _) = run(&Numbered { broken: Some(3) }, false, usize::MAX);
        assert!(report.is_err());
        let (report, seen) = run(&Numbered { broken: Some(3) }, true, usize::MAX);
        let report = report.unwrap();
        assert_eq!(seen.len(), 9);
        assert_eq!((report.counters.dropped(), report.bad.len()), (1, 1));
    }

    #[test]
    fn a_receiver_that_leaves_does_not_hang_the_camera() {
        let (report, seen) = run(&Numbered { broken: None }, false, 2);
        assert_eq!(seen, [0, 1]);
        assert!(report.is_ok());
    }
}
