//! The filming end: frames of a data set through the sensor into sealed packets, with the truth kept beside them.

use std::collections::VecDeque;

use datasets::source::{Frame, FrameSource, SourceError};
use firmware_host::link::{HEADER_LEN, MAX_SIDE};
use firmware_host::{FrameHeader, Micros, PacketSource, Picture};
use image::{GrayImage, RgbImage};

use super::camera::Truth;
use super::scenario::Scenario;
use super::sensor::Sensor;
use super::timing::Timing;
use crate::clock::Clock;

/// Truths that are kept for frames that were held back or are late.
const KEPT: usize = 16;

/// Width and height of a picture as the camera link states them.
///
/// # Errors
/// If the link cannot carry pictures of that size.
pub(super) fn size_on_link(
    source: &dyn FrameSource,
    position: u32,
    image: &RgbImage,
) -> Result<(u16, u16), SourceError> {
    let side = |s: u32| u16::try_from(s).ok().filter(|s| (1..=MAX_SIDE).contains(s));
    let (width, height) = image.dimensions();
    side(width).zip(side(height)).ok_or_else(|| SourceError::Name {
        name: source.name(),
        problem: format!(
            "frame {position}: 1 to {MAX_SIDE} pixels a side expected, {width} x {height} found"
        ),
        remedy: "resize its pictures, or leave them out with --skip-bad".to_owned(),
    })
}

/// A truth with the number of its frame and how long the frame took to make.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    pub(super) sequence: u32,
    pub(super) truth: Truth,
    pub(super) capture: Micros,
    /// Width and height as filmed; a fault may cut the picture.
    pub(super) size: (u16, u16),
}

/// A data set as a source of packets.
pub(super) struct Filmed<'a> {
    source: &'a dyn FrameSource,
    positions: &'a [u32],
    next: usize,
    timing: Option<Timing>,
    clock: Clock,
    sensor: Option<Sensor>,
    skip_bad: bool,
    ready: Option<(u32, Frame, Micros, u32)>,
    shots: VecDeque<Shot>,
    previous_mask: Option<GrayImage>,
    /// Numbers and reasons of frames that could not be read.
    pub(super) bad: Vec<(u32, SourceError)>,
}

impl<'a> Filmed<'a> {
    /// With a timing frames carry the times of an open-loop camera, without one the time at which they are made.
    pub(super) fn new(
        source: &'a dyn FrameSource,
        positions: &'a [u32],
        scenario: &Scenario,
        timing: Option<Timing>,
        clock: Clock,
        skip_bad: bool,
    ) -> Self {
        let sensor = scenario.camera.sensor.clone().map(|s| Sensor::new(s, scenario.seed));
        let (ready, bad) = (None, Vec::new());
        let shots = VecDeque::with_capacity(KEPT);
        Self {
            source,
            positions,
            next: 0,
            timing,
            clock,
            sensor,
            skip_bad,
            ready,
            shots,
            previous_mask: None,
            bad,
        }
    }

    /// Frames that were due so far, those that could not be read included; one that is made but not yet taken is not due.
    pub(super) fn filmed(&self) -> u64 {
        self.next as u64 - u64::from(self.ready.is_some())
    }

    /// Make the next frame if it is not made yet; gives the bytes that its packet needs, or none at the end.
    pub(super) fn prepare(&mut self) -> Result<Option<usize>, SourceError> {
        while self.ready.is_none() {
            let Some(&position) = self.positions.get(self.next) else { return Ok(None) };
            let sequence = u32::try_from(self.next).unwrap_or(u32::MAX);
            self.next += 1;
            let index = usize::try_from(position).unwrap_or(usize::MAX);
            let (made, capture) = self.clock.time(|| -> Result<(Frame, u32), SourceError> {
                let mut frame = self.source.frame(index)?;
                let exposure = self
                    .sensor
                    .as_mut()
                    .map_or(0, |sensor| sensor.expose(&mut frame.image, &mut frame.mask, sequence));
                Ok((frame, exposure))
            });
            let made = made.and_then(|(frame, exposure)| {
                size_on_link(self.source, position, &frame.image).map(|_size| (frame, exposure))
            });
            match made {
                Ok((frame, exposure)) => self.ready = Some((sequence, frame, capture, exposure)),
                Err(error) if self.skip_bad => self.bad.push((sequence, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(self.ready.as_ref().map(|(_, frame, ..)| HEADER_LEN + frame.image.as_raw().len()))
    }

    /// The truth of a frame, as the faults left it.
    pub(super) fn shot(&self, sequence: u32) -> Option<&Shot> {
        self.shots.iter().rev().find(|shot| shot.sequence == sequence)
    }
}

impl PacketSource for Filmed<'_> {
    type Error = SourceError;

    fn next_packet(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, SourceError> {
        self.prepare()?;
        let Some((sequence, frame, capture, exposure_micros)) = self.ready.take() else {
            return Ok(None);
        };
        let pixels = frame.image.as_raw();
        let room = buffer.get_mut(HEADER_LEN..HEADER_LEN + pixels.len());
        let Some(room) = room else {
            // the buffer was made for a smaller frame, which a fault holds back: that one goes first
            self.ready = Some((sequence, frame, capture, exposure_micros));
            return Ok(None);
        };
        room.copy_from_slice(pixels);
        let position = self.positions.get(self.next - 1).copied().unwrap_or(u32::MAX);
        let now = self.clock.now();
        let (scheduled, captured) = self.timing.map_or((now.since(capture), now), |timing| {
            (timing.scheduled(sequence), timing.captured(sequence))
        });
        let (width, height) = size_on_link(self.source, position, &frame.image)?;
        let header =
            FrameHeader { sequence, position, scheduled, captured, exposure_micros, width, height };
        let len = header.seal(buffer).map_err(|error| SourceError::Name {
            name: self.source.name(),
            problem: format!("frame {position}: {error}"),
            remedy: "this is a bug in roadgaze".to_owned(),
        })?;
        if self.shots.len() == KEPT {
            self.shots.pop_front();
        }
        let truth = Truth { key: frame.key, mask: frame.mask, metadata: frame.metadata };
        self.shots.push_back(Shot { sequence, truth, capture, size: (width, height) });
        Ok(Some(len))
    }

    /// The mask follows the picture.
    fn picture(&mut self, sequence: u32, picture: Picture) {
        let previous = self.previous_mask.as_ref().map_or(&[][..], |mask| mask.as_raw());
        let Some(shot) = self.shots.iter_mut().rev().find(|shot| shot.sequence == sequence) else {
            return;
        };
        let mask = &mut shot.truth.mask;
        let side = |s: u32| u16::try_from(s).unwrap_or(u16::MAX);
        let size = (side(mask.width()), side(mask.height()));
        picture.apply(mask.as_flat_samples_mut().as_mut_slice(), previous, size, 1, 0);
        if picture != Picture::Frozen {
            // as whole as the picture that the injector keeps
            self.previous_mask = Some(mask.clone());
        }
        if let Picture::Cut { rows } = picture {
            *mask = image::imageops::crop_imm(mask, 0, 0, mask.width(), rows.into()).to_image();
        }
    }
}
