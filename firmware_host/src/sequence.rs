//! What the sequence numbers of arriving frames tell: lost, repeated and reordered frames.

/// How a frame stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Arrival {
    /// The next one, as it should be.
    InOrder,
    /// This many frames before it are missing (they may still come late).
    AfterGap {
        /// Frames missing.
        missing: u32,
    },
    /// A number that was seen already, within the last 64 numbers.
    Repeated,
    /// Older than the newest seen.
    Late {
        /// How many frames older.
        behind: u32,
    },
}

/// Remembers the newest sequence number and which of the 64 up to it were seen (the window of RFC 4303);
/// numbers wrap, half the range ahead counts as newer (RFC 1982).
#[derive(Clone, Copy, Debug, Default)]
pub struct SequenceTracker {
    newest: Option<u32>,
    /// Bit k: the number k before the newest was seen.
    window: u64,
}

impl SequenceTracker {
    /// A tracker that has seen nothing; the first frame is in order whatever its number.
    #[must_use]
    pub const fn new() -> Self {
        Self { newest: None, window: 0 }
    }

    /// The newest number seen.
    #[must_use]
    pub const fn newest(&self) -> Option<u32> {
        self.newest
    }

    /// Take note of a frame.
    pub fn arrive(&mut self, sequence: u32) -> Arrival {
        let Some(newest) = self.newest else {
            self.newest = Some(sequence);
            self.window = 1;
            return Arrival::InOrder;
        };
        let ahead = sequence.wrapping_sub(newest);
        match ahead {
            0 => Arrival::Repeated,
            1..=0x7fff_ffff => {
                self.newest = Some(sequence);
                self.window = self.window.checked_shl(ahead).unwrap_or(0) | 1;
                if ahead == 1 { Arrival::InOrder } else { Arrival::AfterGap { missing: ahead - 1 } }
            }
            _ => {
                let behind = newest.wrapping_sub(sequence);
                let bit = 1_u64.checked_shl(behind).unwrap_or(0);
                let seen = self.window & bit != 0;
                self.window |= bit;
                if seen { Arrival::Repeated } else { Arrival::Late { behind } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_repeats_and_latecomers_are_told_apart_across_the_wrap() {
        let mut tracker = SequenceTracker::new();
        let seen = [u32::MAX - 1, u32::MAX, 2, 2, 1, 1, 3].map(|s| tracker.arrive(s));
        assert_eq!(
            seen,
            [
                Arrival::InOrder,
                Arrival::InOrder,
                Arrival::AfterGap { missing: 2 },
                Arrival::Repeated,
                Arrival::Late { behind: 1 },
                Arrival::Repeated,
                Arrival::InOrder,
            ]
        );
    }
}
