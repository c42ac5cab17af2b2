//! Weights of a linear layer or convolution in the order in which all kernels read them.
//!
//! ```text
//! data[panel][tap][k / 4][channel % 16][k % 4]      panel = channel / 16, k padded to 64 with zeros
//! ```
//!
//! 64 consecutive bytes are one AVX-512 register, a row of an AMX tile, or four NEON registers: four weights of
//! each of 16 output channels. Panels come in pairs (32 channels), the unit of work of every kernel.

use std::fmt;

use crate::buffer::AlignedBytes;
#[cfg(target_arch = "x86_64")]
use crate::saturation::Order;

/// Output channels of a panel.
pub(crate) const PANEL: usize = 16;
/// Output channels that a kernel computes at once: two panels.
pub(crate) const PAIR: usize = 2 * PANEL;
/// Weights of one output channel beyond which `i32` sums could overflow: 2^31 / (255 * 128), rounded down to 2^16.
const MAX_DEPTH: usize = 1 << 16;
/// Packed weights of one layer; the largest of ConvNeXt-Large has 9.4 million.
const MAX_BYTES: usize = 1 << 29;

/// Weights that cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackError {
    /// No channel, tap or byte.
    Empty,
    /// More weights for one output channel than sums in `i32` allow.
    TooDeep {
        /// How many were found.
        found: usize,
    },
    /// More weights than a layer may have.
    TooLarge,
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "weights: expected some, found none"),
            Self::TooDeep { found } => {
                write!(f, "weights: expected at most {MAX_DEPTH} a channel, found {found}")
            }
            Self::TooLarge => write!(f, "weights: expected at most {MAX_BYTES} bytes, found more"),
        }
    }
}

impl std::error::Error for PackError {}

/// Weights `[N, taps, K]`, packed.
#[derive(Clone, Debug)]
pub struct PackedWeights {
    taps: usize,
    depth: usize,
    channels: usize,
    data: AlignedBytes,
    sums: Vec<i32>,
    reach: u32,
    #[cfg(target_arch = "x86_64")]
    order: Order,
}

impl PackedWeights {
    /// Packs `weight(channel, tap, k)` of `channels` output channels, `taps` taps and `depth` bytes a tap.
    ///
    /// # Errors
    /// If there are none, or too many.
    pub fn new(
        channels: usize,
        taps: usize,
        depth: usize,
        weight: impl Fn(usize, usize, usize) -> i8,
    ) -> Result<Self, PackError> {
        if channels == 0 || taps == 0 || depth == 0 {
            return Err(PackError::Empty);
        }
        let column = taps.checked_mul(depth).ok_or(PackError::TooLarge)?;
        if column > MAX_DEPTH {
            return Err(PackError::TooDeep { found: column });
        }
        let padded = depth.next_multiple_of(64);
        let pairs = channels.div_ceil(PAIR);
        let bytes = pairs
            .checked_mul(PAIR)
            .and_then(|n| n.checked_mul(taps * padded))
            .filter(|bytes| *bytes <= MAX_BYTES)
            .ok_or(PackError::TooLarge)?;
        let mut data = AlignedBytes::zeroed(bytes);
        let into = data.bytes_mut();
        let mut sums = vec![0_i32; pairs * PAIR];
        let mut reach = 0;
        for channel in 0..channels {
            let (mut positive, mut negative) = (0_u32, 0_u32);
            let start = channel / PANEL * taps * padded * PANEL + channel % PANEL * 4;
            for tap in 0..taps {
                for k in 0..depth {
                    let value = weight(channel, tap, k);
                    into[start + (tap * padded + k / 4 * 4) * PANEL + k % 4] =
                        value.cast_unsigned();
                    sums[channel] += i32::from(value);
                    let into = if value > 0 { &mut positive } else { &mut negative };
                    *into += u32::from(value.unsigned_abs());
                }
            }
            reach = reach.max(255 * positive.max(negative)); // at most 2^16 weights a channel
        }
        #[cfg(target_arch = "x86_64")]
        let order = Order::of(data.bytes(), padded, depth);
        Ok(Self {
            taps,
            depth,
            channels,
            data,
            sums,
            reach,
            #[cfg(target_arch = "x86_64")]
            order,
        })
    }

    /// N.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Number of taps.
    #[must_use]
    pub const fn taps(&self) -> usize {
        self.taps
    }

    /// K, bytes of one tap.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Sum of all weights of each output channel, padded to whole pairs with zeros.
    #[must_use]
    pub fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// Largest magnitude of a sum of products of these weights with any codes.
    #[must_use]
    pub const fn reach(&self) -> u32 {
        self.reach
    }

    /// Bytes that the packed form takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.bytes().len()
    }

    /// Which pairs of groups may be added in 16 bits.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn order(&self) -> &Order {
        &self.order
    }

    pub(crate) fn pairs(&self) -> usize {
        self.sums.len() / PAIR
    }

    /// K rounded up to whole 64.
    pub(crate) const fn padded_depth(&self) -> usize {
        self.depth.next_multiple_of(64)
    }

    /// Bytes of one panel.
    pub(crate) const fn panel_bytes(&self) -> usize {
        self.taps * self.padded_depth() * PANEL
    }

    /// The two panels of a pair, one after the other.
    pub(crate) fn pair(&self, pair: usize) -> &[u8] {
        let bytes = 2 * self.panel_bytes();
        &self.data.bytes()[pair * bytes..][..bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_lie_where_the_kernels_look() {
        let value = |n: usize, t: usize, k: usize| (n * 7 + t * 3 + k) as u8 as i8;
        let packed = PackedWeights::new(19, 2, 5, value).unwrap();
        assert_eq!((packed.pairs(), packed.padded_depth()), (1, 64));
        let pair = packed.pair(0);
        let at = |n: usize, t: usize, k: usize| {
            pair[n / 16 * packed.panel_bytes() + t * 64 * 16 + k / 4 * 64 + n % 16 * 4 + k % 4]
                as i8
        };
        for (n, t, k) in [(0, 0, 0), (15, 1, 4), (16, 0, 3), (18, 1, 2)] {
            assert_eq!(at(n, t, k), value(n, t, k));
        }
        assert_eq!(at(19, 0, 0), 0, "padding");
        let sum: i32 = (0..2).flat_map(|t| (0..5).map(move |k| i32::from(value(18, t, k)))).sum();
        assert_eq!(packed.sums()[18], sum);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let zero = |_, _, _| 0;
        assert_eq!(PackedWeights::new(0, 1, 1, zero).unwrap_err(), PackError::Empty);
        let deep = PackedWeights::new(1, 2, 1 << 16, zero).unwrap_err();
        assert_eq!(deep, PackError::TooDeep { found: 1 << 17 });
        let large = PackedWeights::new(1 << 20, 1, 1 << 16, zero).unwrap_err();
        assert_eq!(large, PackError::TooLarge);
    }
}
