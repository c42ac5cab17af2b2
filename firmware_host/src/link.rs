//! Camera link packets: one frame on the wire, version 1.
//!
//! All numbers are little-endian. The header is 48 bytes, the pixels follow without a gap.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | magic `RGZL` |
//! | 4 | version, 1 |
//! | 5 | pixel format, 1 = RGB, 8 bits a channel, rows from the top |
//! | 6..8 | header length, 48 |
//! | 8..12 | sequence number, counts every captured frame, wraps |
//! | 12..16 | source position: which frame of the data set this is |
//! | 16..24 | scheduled capture time, microseconds |
//! | 24..32 | actual capture time, microseconds |
//! | 32..36 | exposure time, microseconds |
//! | 36..38 | width, pixels |
//! | 38..40 | height, pixels |
//! | 40..44 | CRC-32 of the pixels |
//! | 44..48 | CRC-32 of bytes 0..44 |
//!
//! CRC-32 is the ISO-HDLC one (IEEE 802.3). As in smoltcp there are two levels: [`Packet`] reads
//! fields and judges nothing but its length; [`FrameHeader`] can only hold a header that was checked.

use core::fmt;
use core::ops::Range;

use crate::checksum::checksum;
use crate::time::Micros;

/// Bytes before the pixels.
pub const HEADER_LEN: usize = 48;
/// Version that this code writes and reads.
pub const VERSION: u8 = 1;
/// Pixel format 1: RGB, 8 bits a channel.
pub const FORMAT_RGB8: u8 = 1;
/// Longest side that a receiver accepts, pixels: a length limit that holds before anything is allocated.
pub const MAX_SIDE: u16 = 4096;

const MAGIC: [u8; 4] = *b"RGZL";

mod field {
    use super::Range;
    pub(super) const MAGIC: Range<usize> = 0..4;
    pub(super) const VERSION: usize = 4;
    pub(super) const FORMAT: usize = 5;
    pub(super) const HEADER_LEN: Range<usize> = 6..8;
    pub(super) const SEQUENCE: Range<usize> = 8..12;
    pub(super) const POSITION: Range<usize> = 12..16;
    pub(super) const SCHEDULED: Range<usize> = 16..24;
    pub(super) const CAPTURED: Range<usize> = 24..32;
    pub(super) const EXPOSURE: Range<usize> = 32..36;
    pub(super) const WIDTH: Range<usize> = 36..38;
    pub(super) const HEIGHT: Range<usize> = 38..40;
    pub(super) const PIXEL_CRC: Range<usize> = 40..44;
    pub(super) const HEADER_CRC: Range<usize> = 44..48;
}

/// Why a packet was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LinkError {
    /// Fewer bytes than the header, or than header and pixels, need.
    Truncated {
        /// Bytes needed.
        expected: usize,
        /// Bytes there.
        found: usize,
    },
    /// The first four bytes are not those of a camera link packet.
    Magic,
    /// Another version of the link.
    Version {
        /// Version found.
        found: u8,
    },
    /// A pixel format other than RGB8.
    Format {
        /// Format found.
        found: u8,
    },
    /// Width or height zero or above [`MAX_SIDE`], or a header length other than [`HEADER_LEN`].
    Geometry {
        /// Width found, pixels.
        width: u16,
        /// Height found, pixels.
        height: u16,
    },
    /// The header was altered on the way.
    HeaderCrc {
        /// CRC that the header carries.
        stated: u32,
        /// CRC of the bytes received.
        calculated: u32,
    },
    /// The pixels were altered on the way.
    PixelCrc {
        /// CRC that the header carries.
        stated: u32,
        /// CRC of the bytes received.
        calculated: u32,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { expected, found } => {
                write!(f, "camera link: packet of {expected} bytes expected, {found} found")
            }
            Self::Magic => write!(f, "camera link: packet does not start with RGZL"),
            Self::Version { found } => {
                write!(f, "camera link: version {VERSION} expected, {found} found")
            }
            Self::Format { found } => {
                write!(f, "camera link: pixel format {FORMAT_RGB8} expected, {found} found")
            }
            Self::Geometry { width, height } => {
                write!(
                    f,
                    "camera link: sides of 1 to {MAX_SIDE} pixels expected, {width} x {height} found"
                )
            }
            Self::HeaderCrc { stated, calculated } => {
                write!(
                    f,
                    "camera link: header CRC {stated:08x} stated, {calculated:08x} calculated"
                )
            }
            Self::PixelCrc { stated, calculated } => {
                write!(f, "camera link: pixel CRC {stated:08x} stated, {calculated:08x} calculated")
            }
        }
    }
}

impl core::error::Error for LinkError {}

/// What the header of a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameHeader {
    /// Counts every captured frame, wraps.
    pub sequence: u32,
    /// Which frame of the data set this is.
    pub position: u32,
    /// When the frame was due.
    pub scheduled: Micros,
    /// When it was captured.
    pub captured: Micros,
    /// Exposure time.
    pub exposure_micros: u32,
    /// Pixels across, 1 to [`MAX_SIDE`].
    pub width: u16,
    /// Pixels down, 1 to [`MAX_SIDE`].
    pub height: u16,
}

impl FrameHeader {
    /// Bytes of the pixels.
    #[must_use]
    pub const fn pixel_len(&self) -> usize {
        self.width as usize * self.height as usize * 3
    }

    /// Bytes of the whole packet.
    #[must_use]
    pub const fn packet_len(&self) -> usize {
        HEADER_LEN + self.pixel_len()
    }

    /// Write header and checksums before the pixels, which already stand at `buffer[HEADER_LEN..]`;
    /// gives the length of the packet.
    ///
    /// # Errors
    /// If the buffer is too short or the geometry is out of range.
    pub fn seal(&self, buffer: &mut [u8]) -> Result<usize, LinkError> {
        self.check_geometry()?;
        let len = self.packet_len();
        let found = buffer.len();
        let Some(packet) = buffer.get_mut(..len) else {
            return Err(LinkError::Truncated { expected: len, found });
        };
        let pixel_crc = checksum(&packet[HEADER_LEN..]);
        packet[field::MAGIC].copy_from_slice(&MAGIC);
        packet[field::VERSION] = VERSION;
        packet[field::FORMAT] = FORMAT_RGB8;
        packet[field::HEADER_LEN].copy_from_slice(&48_u16.to_le_bytes());
        packet[field::SEQUENCE].copy_from_slice(&self.sequence.to_le_bytes());
        packet[field::POSITION].copy_from_slice(&self.position.to_le_bytes());
        packet[field::SCHEDULED].copy_from_slice(&self.scheduled.0.to_le_bytes());
        packet[field::CAPTURED].copy_from_slice(&self.captured.0.to_le_bytes());
        packet[field::EXPOSURE].copy_from_slice(&self.exposure_micros.to_le_bytes());
        packet[field::WIDTH].copy_from_slice(&self.width.to_le_bytes());
        packet[field::HEIGHT].copy_from_slice(&self.height.to_le_bytes());
        packet[field::PIXEL_CRC].copy_from_slice(&pixel_crc.to_le_bytes());
        let header_crc = checksum(&packet[..field::HEADER_CRC.start]);
        packet[field::HEADER_CRC].copy_from_slice(&header_crc.to_le_bytes());
        Ok(len)
    }

    /// Check a packet completely and read its header.
    ///
    /// # Errors
    /// The first thing that is wrong: length, magic, header CRC, version, format, geometry, pixel CRC.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Self, LinkError> {
        let header = Self::parse_header(packet)?;
        let (stated, calculated) = (packet.pixel_crc(), checksum(packet.pixels(&header)?));
        if stated != calculated {
            return Err(LinkError::PixelCrc { stated, calculated });
        }
        Ok(header)
    }

    /// Check and read the header alone, before the pixels have arrived.
    ///
    /// # Errors
    /// As [`FrameHeader::parse`], without the pixels.
    pub fn parse_header<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Self, LinkError> {
        if packet.magic() != MAGIC {
            return Err(LinkError::Magic);
        }
        let (stated, calculated) = (packet.header_crc(), packet.calculated_header_crc());
        if stated != calculated {
            return Err(LinkError::HeaderCrc { stated, calculated });
        }
        if packet.version() != VERSION {
            return Err(LinkError::Version { found: packet.version() });
        }
        if packet.format() != FORMAT_RGB8 {
            return Err(LinkError::Format { found: packet.format() });
        }
        let header = Self {
            sequence: packet.u32_at(field::SEQUENCE),
            position: packet.u32_at(field::POSITION),
            scheduled: Micros(packet.u64_at(field::SCHEDULED)),
            captured: Micros(packet.u64_at(field::CAPTURED)),
            exposure_micros: packet.u32_at(field::EXPOSURE),
            width: packet.u16_at(field::WIDTH),
            height: packet.u16_at(field::HEIGHT),
        };
        header.check_geometry()?;
        if usize::from(packet.u16_at(field::HEADER_LEN)) != HEADER_LEN {
            return Err(LinkError::Geometry { width: header.width, height: header.height });
        }
        Ok(header)
    }

    fn check_geometry(&self) -> Result<(), LinkError> {
        let side = |s: u16| (1..=MAX_SIDE).contains(&s);
        if side(self.width) && side(self.height) {
            Ok(())
        } else {
            Err(LinkError::Geometry { width: self.width, height: self.height })
        }
    }
}

/// Bytes that are long enough to be a header; fields are read as they stand, right or wrong.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T> {
    bytes: T,
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// Bytes of at least [`HEADER_LEN`]; this is what makes the field accessors safe to call.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn new(bytes: T) -> Result<Self, LinkError> {
        let found = bytes.as_ref().len();
        if found < HEADER_LEN {
            return Err(LinkError::Truncated { expected: HEADER_LEN, found });
        }
        Ok(Self { bytes })
    }

    /// The pixels that a checked header announces.
    ///
    /// # Errors
    /// If the packet ends before they do.
    pub fn pixels(&self, header: &FrameHeader) -> Result<&[u8], LinkError> {
        let bytes = self.bytes.as_ref();
        let expected = header.packet_len();
        bytes.get(HEADER_LEN..expected).ok_or(LinkError::Truncated { expected, found: bytes.len() })
    }

    fn magic(&self) -> [u8; 4] {
        self.array_at(field::MAGIC)
    }

    fn version(&self) -> u8 {
        self.bytes.as_ref()[field::VERSION]
    }

    fn format(&self) -> u8 {
        self.bytes.as_ref()[field::FORMAT]
    }

    /// CRC of the pixels as the header states it; checked by [`FrameHeader::parse`].
    #[must_use]
    pub fn pixel_crc(&self) -> u32 {
        self.u32_at(field::PIXEL_CRC)
    }

    fn header_crc(&self) -> u32 {
        self.u32_at(field::HEADER_CRC)
    }

    fn calculated_header_crc(&self) -> u32 {
        checksum(&self.bytes.as_ref()[..field::HEADER_CRC.start])
    }

    fn u16_at(&self, at: Range<usize>) -> u16 {
        u16::from_le_bytes(self.array_at(at))
    }

    fn u32_at(&self, at: Range<usize>) -> u32 {
        u32::from_le_bytes(self.array_at(at))
    }

    fn u64_at(&self, at: Range<usize>) -> u64 {
        u64::from_le_bytes(self.array_at(at))
    }

    fn array_at<const N: usize>(&self, at: Range<usize>) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes.as_ref()[at]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> FrameHeader {
        FrameHeader {
            sequence: 7,
            position: 1234,
            scheduled: Micros(33_333),
            captured: Micros(33_400),
            exposure_micros: 5_000,
            width: 4,
            height: 3,
        }
    }

    fn sealed() -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..84).collect();
        assert_eq!(header().seal(&mut bytes), Ok(84));
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<FrameHeader, LinkError> {
        FrameHeader::parse(&Packet::new(bytes)?)
    }

    #[test]
    fn what_was_sealed_is_read_back() {
        let bytes = sealed();
        let packet = Packet::new(&bytes).unwrap();
        assert_eq!(FrameHeader::parse(&packet), Ok(header()));
        assert_eq!(packet.pixels(&header()).unwrap(), &(48..84).collect::<Vec<u8>>()[..]);
    }

    #[test]
    fn every_single_bit_flip_is_noticed() {
        let good = sealed();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bytes).is_err(), "flip of bit {bit} went unnoticed");
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let good = sealed();
        for len in 0..good.len() {
            assert!(
                matches!(parse(&good[..len]), Err(LinkError::Truncated { found, .. }) if found == len),
                "cut at {len}"
            );
        }
    }

    #[test]
    fn impossible_sizes_are_refused_on_both_sides() {
        let wide = FrameHeader { width: MAX_SIDE + 1, ..header() };
        assert!(matches!(wide.seal(&mut [0; 200]), Err(LinkError::Geometry { .. })));
        assert!(matches!(
            header().seal(&mut [0; 83]),
            Err(LinkError::Truncated { expected: 84, found: 83 })
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).is_err());
        }
    }
}
