//! What travels between two boxes: greeting, frames with their truth, the end. Each is one COBS frame.
//!
//! | first bytes | packet |
//! |---|---|
//! | `RGZH` | greeting: who films what, how many frames, how large |
//! | `RGZL` | a camera link packet, and behind its pixels the truth (`RGZT`), which a real camera would not send |
//! | `RGZE` | the end: how many frames were due |
//! | `RGZS` | from the receiver, as a datagram: send to me |
//!
//! Numbers are little-endian; every packet ends in a CRC-32 of what stands before it. Nothing is allocated by a length that
//! the other side states before that length was compared with a limit.

use std::collections::BTreeMap;

use datasets::source::{FrameKey, MetadataValue};
use firmware_host::checksum;
use firmware_host::link::{HEADER_LEN, MAX_SIDE};
use firmware_host::{Micros, cobs};
use image::GrayImage;

use super::camera::Truth;

/// Version of greeting, truth and end.
const VERSION: u8 = 1;
/// Longest name in a packet, bytes.
const MAX_TEXT: usize = 255;
/// Longest packet of any kind, bytes: what a receiver is ready to hold.
pub const MAX_PACKET: usize = 64 << 20;
/// Longest packet before the greeting told the size of frames.
pub const MAX_GREETING: usize = 2048;

/// What the receiver sends to a camera on UDP, again and again while it listens.
pub const SUBSCRIBE: &[u8] = b"RGZS\x01";

/// Why bytes were not the packet they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not long enough, or of another kind.
    #[error("camera link: {what} expected, {found} other bytes found")]
    Kind {
        /// What was expected.
        what: &'static str,
        /// Bytes found.
        found: usize,
    },
    /// Another version.
    #[error(
        "camera link: version {VERSION} expected, {found} found; use the same roadgaze on both sides"
    )]
    Version {
        /// Version found.
        found: u8,
    },
    /// The checksum does not fit.
    #[error("camera link: damaged {what}")]
    Damaged {
        /// Which packet.
        what: &'static str,
    },
    /// A size above the limit.
    #[error(
        "camera link: frames of 1 to {MAX_SIDE} pixels a side and {MAX_PACKET} bytes expected, {width} x {height} found"
    )]
    Size {
        /// Width stated.
        width: u16,
        /// Height stated.
        height: u16,
    },
}

/// How a camera introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Other for every start of a camera.
    pub session: u64,
    /// Frames that will be due.
    pub frames: u32,
    /// Nanoseconds from one to the next; 0 if the receiver sets the pace.
    pub period_nanos: u64,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Name of the data set.
    pub name: String,
    /// Identity of its content.
    pub content_hash: String,
    /// Classes that it tells apart.
    pub classes: u16,
    /// Hash of their names in their order.
    pub class_hash: String,
}

impl Greeting {
    /// Longest packet that this camera will send.
    #[must_use]
    pub fn packet_limit(&self) -> usize {
        let pixels = usize::from(self.width) * usize::from(self.height);
        // pixels, a run of the mask at worst every pixel, two names, fixed fields
        HEADER_LEN + pixels * 3 + pixels * 2 + 2 * MAX_TEXT + 64
    }

    /// As bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"RGZH".to_vec();
        out.push(VERSION);
        out.extend(self.session.to_le_bytes());
        out.extend(self.frames.to_le_bytes());
        out.extend(self.period_nanos.to_le_bytes());
        out.extend(self.width.to_le_bytes());
        out.extend(self.height.to_le_bytes());
        put_text(&mut out, &self.name);
        put_text(&mut out, &self.content_hash);
        out.extend(self.classes.to_le_bytes());
        put_text(&mut out, &self.class_hash);
        seal(out)
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are no greeting, damaged, or announce frames above the limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = open(bytes, "greeting", *b"RGZH")?;
        let greeting = (|| {
            Some(Self {
                session: u64::from_le_bytes(reader.array()?),
                frames: u32::from_le_bytes(reader.array()?),
                period_nanos: u64::from_le_bytes(reader.array()?),
                width: u16::from_le_bytes(reader.array()?),
                height: u16::from_le_bytes(reader.array()?),
                name: reader.text()?,
                content_hash: reader.text()?,
                classes: u16::from_le_bytes(reader.array()?),
                class_hash: reader.text()?,
            })
        })()
        .ok_or(WireError::Kind { what: "greeting", found: bytes.len() })?;
        let Self { width, height, .. } = greeting;
        let side = |s: u16| (1..=MAX_SIDE).contains(&s);
        if !side(width) || !side(height) || greeting.packet_limit() > MAX_PACKET {
            return Err(WireError::Size { width, height });
        }
        Ok(greeting)
    }
}

/// The end: frames that were due.
#[must_use]
pub fn end_bytes(total: u64) -> Vec<u8> {
    let mut out = b"RGZE".to_vec();
    out.push(VERSION);
    out.extend(total.to_le_bytes());
    seal(out)
}

/// Read the end.
///
/// # Errors
/// If the bytes are not the end, damaged, or tell of more frames than have a number.
pub fn parse_end(bytes: &[u8]) -> Result<u64, WireError> {
    let mut reader = open(bytes, "end", *b"RGZE")?;
    reader
        .array()
        .map(u64::from_le_bytes)
        .filter(|&total| total <= u64::from(u32::MAX))
        .ok_or(WireError::Kind { what: "end", found: bytes.len() })
}

/// The truth of a frame, to stand behind its packet.
#[must_use]
pub fn truth_bytes(truth: &Truth, capture: Micros) -> Vec<u8> {
    let mut out = b"RGZT".to_vec();
    out.push(VERSION);
    out.extend(truth.key.class.to_le_bytes());
    out.extend(truth.key.index.to_le_bytes());
    out.extend(capture.0.to_le_bytes());
    let side = |s: u32| u16::try_from(s).unwrap_or(u16::MAX);
    out.extend(side(truth.mask.width()).to_le_bytes());
    out.extend(side(truth.mask.height()).to_le_bytes());
    for name in ["shape", "environment"] {
        let text = match truth.metadata.get(name) {
            Some(MetadataValue::Text(text)) => text.as_str(),
            _ => "",
        };
        put_text(&mut out, text);
    }
    let mut rest = truth.mask.as_raw().as_slice();
    while let Some(&value) = rest.first() {
        let run = rest.iter().take(255).take_while(|&&v| v == value).count();
        out.extend([u8::try_from(run).unwrap_or(u8::MAX), value]);
        rest = &rest[run..];
    }
    seal(out)
}

/// Read the truth of a frame of that size.
///
/// # Errors
/// If the bytes are no truth, damaged, or of a mask of another size.
pub fn parse_truth(bytes: &[u8], limit: (u16, u16)) -> Result<(Truth, Micros), WireError> {
    let mut reader = open(bytes, "truth", *b"RGZT")?;
    let kind = WireError::Kind { what: "truth", found: bytes.len() };
    let (key, capture, width, height, shape, environment) = (|| {
        let key = FrameKey {
            class: u16::from_le_bytes(reader.array()?),
            index: u32::from_le_bytes(reader.array()?),
        };
        let capture = Micros(u64::from_le_bytes(reader.array()?));
        let width = u16::from_le_bytes(reader.array()?);
        let height = u16::from_le_bytes(reader.array()?);
        Some((key, capture, width, height, reader.text()?, reader.text()?))
    })()
    .ok_or(kind)?;
    if (width, height) != limit {
        return Err(WireError::Size { width, height });
    }
    let pixels = usize::from(width) * usize::from(height);
    let mut mask = Vec::with_capacity(pixels);
    for run in reader.rest().chunks_exact(2) {
        if mask.len() + usize::from(run[0]) > pixels {
            return Err(kind);
        }
        mask.resize(mask.len() + usize::from(run[0]), run[1]);
    }
    let mask = GrayImage::from_raw(width.into(), height.into(), mask).ok_or(kind)?;
    let metadata: BTreeMap<String, MetadataValue> =
        [("shape", shape), ("environment", environment)]
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| (name.to_owned(), MetadataValue::Text(text)))
            .collect();
    Ok((Truth { key, mask, metadata }, capture))
}

/// Put a packet into a stream.
pub fn frame_into(stream: &mut Vec<u8>, packet: &[u8]) {
    stream.reserve(cobs::encoded_len_at_most(packet.len()));
    cobs::encode(packet, |piece| stream.extend_from_slice(piece));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.push(u8::try_from(end).unwrap_or(u8::MAX));
    out.extend_from_slice(&text.as_bytes()[..end]);
}

fn seal(mut out: Vec<u8>) -> Vec<u8> {
    let crc = checksum(&out);
    out.extend(crc.to_le_bytes());
    out
}

/// Check kind, checksum and version; what is left is the content.
fn open<'a>(bytes: &'a [u8], what: &'static str, magic: [u8; 4]) -> Result<Reader<'a>, WireError> {
    let kind = WireError::Kind { what, found: bytes.len() };
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(kind)?;
    let (found, rest) = body.split_first_chunk::<4>().ok_or(kind)?;
    if *found != magic {
        return Err(kind);
    }
    if u32::from_le_bytes(*crc) != checksum(body) {
        return Err(WireError::Damaged { what });
    }
    match rest.split_first() {
        Some((&VERSION, rest)) => Ok(Reader { rest }),
        Some((&found, _)) => Err(WireError::Version { found }),
        None => Err(kind),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    fn text(&mut self) -> Option<String> {
        let (&len, rest) = self.rest.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(len))?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use image::Luma;
    use proptest::prelude::*;

    use super::*;

    fn greeting() -> Greeting {
        Greeting {
            session: 77,
            frames: 1000,
            period_nanos: 33_333_333,
            width: 224,
            height: 224,
            name: "synthetic:CF/test".to_owned(),
            content_hash: "ab".repeat(32),
            classes: 82,
            class_hash: "cd".repeat(32),
        }
    }

    fn truth() -> Truth {
        Truth {
            key: FrameKey { class: 81, index: 12 },
            mask: GrayImage::from_fn(300, 7, |x, y| Luma([if x > 20 + y { 255 } else { 3 }])),
            metadata: BTreeMap::from([
                ("shape".to_owned(), MetadataValue::Text("circular".to_owned())),
                ("fog".to_owned(), MetadataValue::Integer(3)),
            ]),
        }
    }

    #[test]
    fn what_is_sent_is_read_back() {
        assert_eq!(Greeting::parse(&greeting().bytes()), Ok(greeting()));
        assert_eq!(parse_end(&end_bytes(5)), Ok(5));
        let (read, capture) = parse_truth(&truth_bytes(&truth(), Micros(9)), (300, 7)).unwrap();
        assert_eq!((read.key, capture), (truth().key, Micros(9)));
        assert_eq!(read.mask, truth().mask);
        assert_eq!(read.metadata.len(), 1, "only what the store needs");
    }

    #[test]
    fn damage_other_versions_and_sizes_above_the_limit_are_refused() {
        let good = greeting().bytes();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(Greeting::parse(&bad).is_err(), "byte {at}");
        }
        let huge = Greeting { width: 4096, height: 4096, ..greeting() };
        assert!(matches!(Greeting::parse(&huge.bytes()), Err(WireError::Size { .. })));
        assert!(matches!(
            parse_truth(&truth_bytes(&truth(), Micros(0)), (7, 300)),
            Err(WireError::Size { .. })
        ));
        assert!(matches!(parse_end(&good), Err(WireError::Kind { .. })));
        assert!(matches!(parse_end(&end_bytes(u64::MAX)), Err(WireError::Kind { .. })));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Greeting::parse(&bytes).is_err());
            prop_assert!(parse_truth(&bytes, (10, 10)).is_err());
            let sealed = seal(bytes);
            prop_assert!(parse_end(&sealed).is_err());
        }
    }
}
