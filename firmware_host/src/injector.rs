//! The fault injector: wraps any source of packets and delivers them as a broken camera or cable would.
//!
//! ```text
//! source -> picture faults (resealed: the camera itself is at fault, the CRC is right)
//!        -> packet faults  (after the seal: the cable is at fault, the CRC finds it)
//!        -> order and time -> receiver
//! ```
//!
//! It owns two spare buffers, one for the picture before and one for a packet that is held back; nothing else
//! is kept. Ground truth follows: [`Picture::apply`] does to a mask what was done to the pixels.

use crate::fault::{FaultPlan, Kind};
use crate::link::{FrameHeader, HEADER_LEN, Packet};
use crate::time::Micros;

/// Whatever yields sealed camera link packets, one after the other.
pub trait PacketSource {
    /// Why there is no next packet although there should be.
    type Error;

    /// Write the next packet to the start of the buffer; its length, or none at the end.
    ///
    /// # Errors
    /// If the source fails; what that means is the source's business.
    fn next_packet(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Self::Error>;

    /// Hear what was done to the picture of a frame, in the order of the frames: ground truth is kept here.
    fn picture(&mut self, sequence: u32, picture: Picture) {
        let _: (u32, Picture) = (sequence, picture);
    }
}

/// What was done to a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Picture {
    /// Nothing.
    #[default]
    Whole,
    /// The picture before is shown again.
    Frozen,
    /// Nothing is seen.
    Black,
    /// From this row on it is the picture before.
    Torn {
        /// First row of the picture before.
        row: u16,
    },
    /// From this row on the rows are moved.
    Shifted {
        /// First row that is moved.
        row: u16,
        /// Columns to the right; negative to the left.
        columns: i16,
    },
    /// A rectangle is covered.
    Occluded {
        /// First column.
        left: u16,
        /// First row.
        top: u16,
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Rows at the end are missing.
    Cut {
        /// Rows that are left.
        rows: u16,
    },
}

/// Grey of what covers the lens.
const DIRT: u8 = 90;

impl Picture {
    /// Do it to a plane of `channels` bytes a pixel, row by row from the top; `previous` is the plane of the
    /// picture before. For a mask use one channel and `covered` 0.
    ///
    /// Planes that are not `width * height * channels` long are left alone. [`Picture::Cut`] changes the length,
    /// which is the caller's business.
    pub fn apply(
        self,
        plane: &mut [u8],
        previous: &[u8],
        (width, height): (u16, u16),
        channels: usize,
        covered: u8,
    ) {
        let row_len = usize::from(width) * channels;
        let len = row_len * usize::from(height);
        if plane.len() != len || row_len == 0 {
            return;
        }
        match self {
            Self::Whole | Self::Cut { .. } => {}
            Self::Frozen if previous.len() == len => plane.copy_from_slice(previous),
            Self::Torn { row } if previous.len() == len => {
                let from = (usize::from(row) * row_len).min(len);
                plane[from..].copy_from_slice(&previous[from..]);
            }
            Self::Frozen | Self::Torn { .. } => {}
            Self::Black => plane.fill(0),
            Self::Shifted { row, columns } => {
                let by = usize::from(columns.unsigned_abs()).min(usize::from(width)) * channels;
                for line in plane.chunks_exact_mut(row_len).skip(usize::from(row)) {
                    if columns >= 0 {
                        line.copy_within(..row_len - by, by);
                        line[..by].fill(0);
                    } else {
                        line.copy_within(by.., 0);
                        line[row_len - by..].fill(0);
                    }
                }
            }
            Self::Occluded { left, top, width: across, height: down } => {
                let from = (usize::from(left) * channels).min(row_len);
                let to = (from + usize::from(across) * channels).min(row_len);
                for line in
                    plane.chunks_exact_mut(row_len).skip(usize::from(top)).take(usize::from(down))
                {
                    line[from..to].fill(covered);
                }
            }
        }
    }
}

/// A packet as it comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Delivered {
    /// Number that the source gave the frame.
    pub sequence: u32,
    /// Bytes at the start of the buffer; 0 if the frame is lost.
    pub len: usize,
    /// When it leaves the camera: never before one that left earlier.
    pub at: Micros,
    /// What was done to the picture.
    pub picture: Picture,
    /// Which faults struck: bit n is fault number n. There is room for one packet that is held back or comes again; a
    /// reorder or duplicate that finds it taken, or its frame lost, does not strike. Nor does a fault of a packet that is
    /// lost, a second fault of one picture, or one with no picture of that size to show again.
    pub struck: u16,
    /// It does not arrive at all.
    pub lost: bool,
    /// It was delivered before.
    pub repeated: bool,
}

/// A source with faults; `B` is an array on a microcontroller, a vector on a host.
#[derive(Debug)]
pub struct FaultInjector<S, B> {
    source: S,
    plan: FaultPlan,
    period: Micros,
    /// Pixels of the last picture that was filmed while nothing was frozen.
    previous: B,
    previous_size: Option<(u16, u16)>,
    held: B,
    waiting: Option<Delivered>,
    /// Whether the packet held back may go now.
    ready: bool,
    last: Micros,
}

impl<S: PacketSource, B: AsRef<[u8]> + AsMut<[u8]>> FaultInjector<S, B> {
    /// Wrap a source that films one frame a period. The buffers are as long as its longest packet; a
    /// fault for which they are too short does not strike.
    pub const fn new(source: S, plan: FaultPlan, period: Micros, previous: B, held: B) -> Self {
        Self {
            source,
            plan,
            period,
            previous,
            previous_size: None,
            held,
            waiting: None,
            ready: false,
            last: Micros(0),
        }
    }

    /// The source.
    pub const fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// The next packet, or none at the end. The buffer is as long as the longest packet of the source, also
    /// after the source has ended: one that was held back may still come. It is lost if it does not fit.
    ///
    /// # Errors
    /// If the source fails.
    pub fn next_delivery(&mut self, buffer: &mut [u8]) -> Result<Option<Delivered>, S::Error> {
        if self.ready
            && let Some(held) = self.release(buffer)
        {
            return Ok(Some(held));
        }
        loop {
            let Some(len) = self.source.next_packet(buffer)? else {
                return Ok(self.release(buffer));
            };
            let Some(header) = buffer.get(..len).and_then(|b| {
                Packet::new(b).ok().and_then(|packet| FrameHeader::parse_header(&packet).ok())
            }) else {
                // not a packet of ours: nothing to go by, hand it on as it is
                return Ok(Some(self.arrives(u32::MAX, len, Micros(0), Picture::Whole, 0)));
            };
            let delivered = self.strike(buffer, header, len);
            let reorder = self.bits(|k| matches!(k, Kind::Reorder));
            let duplicate = self.bits(|k| matches!(k, Kind::Duplicate));
            let overtaken = delivered.struck & reorder != 0;
            let wanted = delivered.struck & (reorder | duplicate) != 0;
            let free = self.waiting.is_none() && !delivered.lost && wanted;
            let room = self.held.as_mut().get_mut(..delivered.len).filter(|_| free);
            let Some(room) = room else {
                // whatever waits was overtaken now; a fault that finds no place to keep the packet does not strike
                self.ready |= self.waiting.is_some();
                let struck = delivered.struck & !(reorder | duplicate);
                return Ok(Some(Delivered { struck, ..delivered }));
            };
            room.copy_from_slice(&buffer[..delivered.len]);
            // a packet that is overtaken comes once
            let idle = if overtaken { duplicate } else { 0 };
            let struck = delivered.struck & !idle;
            let delivered = Delivered { struck, ..delivered };
            self.waiting = Some(Delivered { repeated: !overtaken, ..delivered });
            self.ready = !overtaken;
            if !overtaken {
                return Ok(Some(delivered));
            }
        }
    }

    fn release(&mut self, buffer: &mut [u8]) -> Option<Delivered> {
        let held = self.waiting.take()?;
        self.ready = false;
        self.last = self.last.max(held.at);
        let held = Delivered { at: self.last, ..held };
        let Some(room) = buffer.get_mut(..held.len) else {
            return Some(Delivered { len: 0, lost: true, ..held });
        };
        room.copy_from_slice(&self.held.as_ref()[..held.len]);
        Some(held)
    }

    /// Bits of the faults of such kinds, as in [`Delivered::struck`].
    fn bits(&self, is: impl Fn(Kind) -> bool) -> u16 {
        let all = self.plan.faults().iter().enumerate();
        all.filter(|(_, fault)| is(fault.kind)).fold(0, |bits, (i, _)| bits | (1_u16 << i))
    }

    fn arrives(
        &mut self,
        sequence: u32,
        len: usize,
        at: Micros,
        picture: Picture,
        struck: u16,
    ) -> Delivered {
        self.last = self.last.max(at);
        let (at, lost, repeated) = (self.last, false, false);
        Delivered { sequence, len, at, picture, struck, lost, repeated }
    }

    /// Let all faults of the plan loose on a packet.
    fn strike(&mut self, buffer: &mut [u8], header: FrameHeader, len: usize) -> Delivered {
        let sequence = header.sequence;
        let mut struck = 0_u16;
        let mut picture = Picture::Whole;
        let mut lost = false;
        for (i, fault) in self.plan.faults().iter().enumerate() {
            if !self.plan.strikes(i, sequence) {
                continue;
            }
            if fault.kind.is_of_picture() {
                if picture != Picture::Whole {
                    continue;
                }
                picture = self.picture_fault(i, fault.kind, &header);
                if picture == Picture::Whole {
                    continue;
                }
            }
            struck |= 1 << i;
            lost |= matches!(fault.kind, Kind::Drop);
        }
        if lost {
            struck &= !self.bits(Kind::is_of_packet);
        }
        self.source.picture(sequence, picture);
        let delay = self.plan.delay(sequence, self.period);
        let size = (header.width, header.height);
        let pixels_end = HEADER_LEN + header.pixel_len();
        let mut header = header;
        let mut len = len;
        if picture != Picture::Whole {
            let previous = self.previous.as_ref().get(..header.pixel_len()).unwrap_or(&[]);
            picture.apply(&mut buffer[HEADER_LEN..pixels_end], previous, size, 3, DIRT);
        }
        if self.plan.needs_previous() && picture != Picture::Frozen {
            let room = self.previous.as_mut().get_mut(..header.pixel_len());
            // one that cannot be kept is still the one before: an older picture must not be shown in its place
            self.previous_size = room.map(|room| {
                room.copy_from_slice(&buffer[HEADER_LEN..pixels_end]);
                size
            });
        }
        if let Picture::Cut { rows } = picture {
            header.height = rows;
        }
        if picture != Picture::Whole {
            // the buffer held this packet, so it is long enough and the geometry is in range
            len = header.seal(buffer).unwrap_or(len);
        }
        len = self.packet_faults(&mut buffer[..len], struck, sequence);
        let at = header.captured.after(delay);
        let delivered = self.arrives(sequence, len, at, picture, struck);
        Delivered { lost, len: if lost { 0 } else { len }, ..delivered }
    }

    fn picture_fault(&self, index: usize, kind: Kind, header: &FrameHeader) -> Picture {
        let mut random = self.plan.random(index, header.sequence);
        let mut below = |count: u16| {
            #[expect(clippy::cast_possible_truncation, reason = "below a 16-bit number")]
            let drawn = random.below(u32::from(count)) as u16;
            drawn
        };
        let (width, height) = (header.width, header.height);
        let again = self.previous_size == Some((width, height));
        match kind {
            Kind::Freeze if again => Picture::Frozen,
            Kind::Tear if again => Picture::Torn { row: 1 + below(height.saturating_sub(1)) },
            Kind::Black => Picture::Black,
            Kind::Shift { columns } => Picture::Shifted { row: below(height), columns },
            Kind::Occlude => {
                let (across, down) = (width.div_ceil(4), height.div_ceil(4));
                let left = below(width - across + 1);
                Picture::Occluded {
                    left,
                    top: below(height - down + 1),
                    width: across,
                    height: down,
                }
            }
            Kind::WrongSize if height > 1 => Picture::Cut { rows: height - height.div_ceil(8) },
            _ => Picture::Whole,
        }
    }

    /// Damage a sealed packet; gives its new length.
    fn packet_faults(&self, packet: &mut [u8], struck: u16, sequence: u32) -> usize {
        let mut len = packet.len();
        for (i, fault) in self.plan.faults().iter().enumerate() {
            if struck & (1 << i) == 0 {
                continue;
            }
            let mut random = self.plan.random(i, sequence);
            let bytes = u32::try_from(len).unwrap_or(u32::MAX);
            match fault.kind {
                Kind::FlipBits { count } => {
                    for _ in 0..count {
                        let at = random.below(bytes) as usize;
                        packet[at] ^= 1 << random.below(8);
                    }
                }
                Kind::Truncate => len = random.below(bytes) as usize,
                _ => {}
            }
        }
        len
    }
}

#[cfg(test)]
mod tests;
