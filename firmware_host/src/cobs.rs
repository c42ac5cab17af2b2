//! Consistent overhead byte stuffing: packets on a byte stream, with a mark that no packet can contain.
//!
//! ```text
//! packet     11 22 00 33          no byte of the encoded packet is zero,
//! on the wire 03 11 22 02 33 00   so a zero is always the end of a packet
//! ```
//!
//! Cheshire and Baker, IEEE/ACM Trans. Networking 7 (1999), doi:10.1109/90.769765. The cost is one byte in 254 and the
//! mark. A receiver that lost bytes, or joined in the middle, is right again at the next zero: what
//! stood before it is counted as broken, and the packet after it is whole.

/// Longest run of bytes behind one code byte.
const RUN: usize = 254;

/// Bytes that a packet takes on the wire at most, the mark included.
#[must_use]
pub const fn encoded_len_at_most(len: usize) -> usize {
    len + len / RUN + 2
}

/// Encode a packet and its mark; `write` gets pieces of at most 254 bytes, in order.
pub fn encode(packet: &[u8], mut write: impl FnMut(&[u8])) {
    let mut rest = packet;
    loop {
        let limit = rest.len().min(RUN);
        let run = rest[..limit].iter().position(|&byte| byte == 0).unwrap_or(limit);
        #[expect(clippy::cast_possible_truncation, reason = "a run has at most 254 bytes")]
        let code = run as u8 + 1;
        write(&[code]);
        write(&rest[..run]);
        if run == rest.len() {
            break;
        }
        // a full run stands for its bytes alone, a shorter one for its bytes and a zero
        rest = &rest[if run == RUN { run } else { run + 1 }..];
    }
    write(&[0]);
}

/// Why bytes between two marks were no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FramingError {
    /// The mark came in the middle of a run: bytes were lost.
    Broken {
        /// Bytes decoded before it.
        decoded: usize,
    },
    /// More bytes than the buffer holds; the rest up to the next mark is skipped.
    Overlong {
        /// Bytes that the buffer holds.
        capacity: usize,
    },
}

impl core::fmt::Display for FramingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Broken { decoded } => {
                write!(f, "camera link: packet broken off after {decoded} bytes")
            }
            Self::Overlong { capacity } => {
                write!(f, "camera link: packet of at most {capacity} bytes expected, more found")
            }
        }
    }
}

impl core::error::Error for FramingError {}

/// What happened on the way through the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FramingCounters {
    /// Packets handed out.
    pub packets: u64,
    /// Times that something between two marks was no packet.
    pub resyncs: u64,
    /// Bytes thrown away for it.
    pub skipped_bytes: u64,
}

/// The receiving end: takes the stream in pieces of any size, decodes into a buffer of the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deframer {
    /// Decoded bytes of the packet under way.
    len: usize,
    /// Bytes of the current run that are still to come.
    left: u8,
    /// Whether the run that ends now stands for a zero, if another run follows.
    zero_due: bool,
    /// Whether a code byte of this packet was seen.
    begun: bool,
    /// Skipping to the next mark.
    lost: bool,
    counters: FramingCounters,
}

impl Deframer {
    /// A receiver at the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        let counters = FramingCounters { packets: 0, resyncs: 0, skipped_bytes: 0 };
        Self { len: 0, left: 0, zero_due: false, begun: false, lost: false, counters }
    }

    /// A receiver that joins a stream at an unknown place: it waits for the first mark.
    #[must_use]
    pub const fn joining() -> Self {
        let mut new = Self::new();
        new.lost = true;
        new
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> FramingCounters {
        self.counters
    }

    /// Take bytes in, up to the end of a packet: gives how many were taken and, at a mark, the length of
    /// the packet that now stands at the start of `buffer`, or why there is none. Call again with the rest.
    ///
    /// The buffer must be the same from call to call until a packet ends.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        buffer: &mut [u8],
    ) -> (usize, Option<Result<usize, FramingError>>) {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if byte == 0 {
                at += 1;
                if let Some(result) = self.mark() {
                    return (at, Some(result));
                }
                continue;
            }
            if self.lost {
                at += 1;
                self.counters.skipped_bytes += 1;
                continue;
            }
            if self.left == 0 {
                at += 1;
                let zero = self.zero_due;
                self.begun = true;
                self.left = byte - 1;
                self.zero_due = byte != u8::MAX;
                if zero && !self.put(&[0], buffer) {
                    return (at, Some(Err(self.overlong(buffer.len()))));
                }
                continue;
            }
            // as much of the run as is there and holds no mark
            let limit = (bytes.len() - at).min(usize::from(self.left));
            let piece = &bytes[at..at + limit];
            let run = piece.iter().position(|&b| b == 0).unwrap_or(limit);
            at += run;
            #[expect(clippy::cast_possible_truncation, reason = "at most `left`, which is a byte")]
            let taken = run as u8;
            self.left -= taken;
            if !self.put(&piece[..run], buffer) {
                return (at, Some(Err(self.overlong(buffer.len()))));
            }
        }
        (at, None)
    }

    fn put(&mut self, piece: &[u8], buffer: &mut [u8]) -> bool {
        let end = self.len + piece.len();
        let Some(room) = buffer.get_mut(self.len..end) else { return false };
        room.copy_from_slice(piece);
        self.len = end;
        true
    }

    fn overlong(&mut self, capacity: usize) -> FramingError {
        self.counters.resyncs += 1;
        self.counters.skipped_bytes += self.len as u64;
        self.start_anew();
        self.lost = true;
        FramingError::Overlong { capacity }
    }

    fn mark(&mut self) -> Option<Result<usize, FramingError>> {
        let (decoded, broken, begun, lost) = (self.len, self.left > 0, self.begun, self.lost);
        self.start_anew();
        if lost || !begun {
            return None; // idle marks, or the end of what was skipped
        }
        if broken {
            self.counters.resyncs += 1;
            self.counters.skipped_bytes += decoded as u64;
            return Some(Err(FramingError::Broken { decoded }));
        }
        self.counters.packets += 1;
        Some(Ok(decoded))
    }

    const fn start_anew(&mut self) {
        self.len = 0;
        self.left = 0;
        self.zero_due = false;
        self.begun = false;
        self.lost = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(packet: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(packet, |piece| out.extend_from_slice(piece));
        out
    }

    fn receive(stream: &[u8], step: usize, capacity: usize) -> (Vec<Vec<u8>>, FramingCounters) {
        let (mut deframer, mut buffer) = (Deframer::new(), vec![0; capacity]);
        let mut packets = Vec::new();
        for chunk in stream.chunks(step) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let (taken, outcome) = deframer.feed(rest, &mut buffer);
                rest = &rest[taken..];
                if let Some(Ok(len)) = outcome {
                    packets.push(buffer[..len].to_vec());
                }
            }
        }
        (packets, deframer.counters())
    }

    #[test]
    fn the_examples_of_the_paper() {
        // the table of examples in the Wikipedia article on COBS, and the two ends of a full run
        for (packet, encoded) in [
            (&[][..], &[1, 0][..]),
            (&[0], &[1, 1, 0]),
            (&[0, 0], &[1, 1, 1, 0]),
            (&[0, 0x11, 0], &[1, 2, 0x11, 1, 0]),
            (&[0x11, 0x22, 0, 0x33], &[3, 0x11, 0x22, 2, 0x33, 0]),
            (&[0x11, 0, 0, 0], &[2, 0x11, 1, 1, 1, 0]),
        ] {
            assert_eq!(wire(packet), encoded);
        }
        let full: Vec<u8> = (1..=254).collect();
        assert_eq!(wire(&full).len(), 256);
        assert_eq!(wire(&full)[0], 255);
    }

    #[test]
    fn a_loss_costs_the_packet_that_it_hits_and_no_other() {
        let packets: Vec<Vec<u8>> = (0..5_u8).map(|n| vec![n, 0, n, 7, n]).collect();
        let stream: Vec<u8> = packets.iter().flat_map(|p| wire(p)).collect();
        let each = wire(&packets[0]).len();
        for lost in 0..each - 1 {
            let mut damaged = stream.clone();
            damaged.remove(2 * each + lost);
            let (got, _) = receive(&damaged, 3, 64);
            for n in [0, 1, 3, 4] {
                assert!(
                    got.contains(&packets[n]),
                    "packet {n} after byte {lost} was lost: {got:?}"
                );
            }
            assert!(!got.contains(&packets[2]) || lost == each, "{lost}");
        }
    }

    #[test]
    fn an_overlong_packet_is_skipped_up_to_its_mark() {
        let mut stream = wire(&[9; 100]);
        stream.extend(wire(&[1, 2, 3]));
        let (got, counters) = receive(&stream, 7, 50);
        assert_eq!(got, [vec![1, 2, 3]]);
        assert_eq!(counters.resyncs, 1);
    }

    #[test]
    fn one_who_joins_in_the_middle_waits_for_a_mark() {
        let mut stream = wire(&[5; 20])[7..].to_vec();
        stream.extend(wire(&[6; 20]));
        let (mut deframer, mut buffer) = (Deframer::joining(), [0; 64]);
        let (taken, outcome) = deframer.feed(&stream, &mut buffer);
        assert_eq!((taken, outcome), (stream.len(), Some(Ok(20))));
        assert_eq!(buffer[..20], [6; 20]);
    }

    proptest! {
        #[test]
        fn what_was_sent_arrives_whatever_the_pieces(
            packets in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..600), 1..5),
            step in 1_usize..700,
        ) {
            let stream: Vec<u8> = packets.iter().flat_map(|p| wire(p)).collect();
            for packet in &packets {
                prop_assert!(wire(packet).len() <= encoded_len_at_most(packet.len()));
                prop_assert!(wire(packet)[..wire(packet).len() - 1].iter().all(|&b| b != 0));
            }
            let (got, counters) = receive(&stream, step, 600);
            prop_assert_eq!(&got, &packets);
            prop_assert_eq!(counters.resyncs, 0);
        }

        #[test]
        fn arbitrary_bytes_never_panic_nor_overflow(
            bytes in proptest::collection::vec(any::<u8>(), 0..400), step in 1_usize..50,
        ) {
            let (got, _) = receive(&bytes, step, 40);
            prop_assert!(got.iter().all(|p| p.len() <= 40));
        }
    }
}
