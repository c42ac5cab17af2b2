//! Tiles in portable code: the oracle of all other kernels.

use super::{Kernel, Tile};
use crate::pack::{PAIR, PANEL, PackedWeights};

pub(super) struct Scalar;

impl Kernel for Scalar {
    const ROWS: usize = 4;

    unsafe fn new(_: &PackedWeights) -> Self {
        Self
    }

    fn reads(weights: &PackedWeights) -> usize {
        weights.depth()
    }

    unsafe fn tile(&mut self, tile: Tile<'_>) {
        let panel_bytes = tile.taps * tile.padded_depth * PANEL;
        for row in 0..tile.rows {
            let mut sums = [0_i32; PAIR];
            for tap in 0..tile.taps {
                let start = tile.start.wrapping_add(row * tile.step + tap * tile.tap_stride);
                // SAFETY: `depth` bytes can be read at every tap of every position, says the caller
                let bytes = unsafe { std::slice::from_raw_parts(start, tile.depth) };
                for (k, &x) in bytes.iter().enumerate() {
                    let at = (tap * tile.padded_depth + k / 4 * 4) * PANEL + k % 4;
                    for (n, sum) in sums.iter_mut().enumerate() {
                        let weight = tile.weights[n / PANEL * panel_bytes + at + n % PANEL * 4];
                        *sum += i32::from(x) * i32::from(weight.cast_signed());
                    }
                }
            }
            tile.acc[row * PAIR..][..PAIR].copy_from_slice(&sums);
        }
    }
}
