//! The work of one convolution in Winograd's form: which tiles and which weights meet when, and on which thread.
//!
//! ```text
//! some tiles, so that V stays in the second cache
//!     V of these tiles                                  shared by all threads
//!     each pair of panels (32 output channels)          shared by all threads
//!         U of the pair; M, sums and codes of a few tiles at a time
//! ```

use std::ops::Range;

use super::SIDE;
use crate::buffer::{SharedMut, with_numbers, with_scratch};
use crate::elementwise::Chunks;
use crate::epilogue::{self, Block, Epilogue, SKIP};
use crate::gemm::part;
use crate::isa::Isa;
use crate::layout::Window;
use crate::pack::{PAIR, PANEL, PackedWeights};
use crate::threads::Threads;

/// Rows and columns of the picture that a tile needs.
pub(super) const NEEDS: usize = 6;
/// Elements of V, U and M.
pub(super) const ELEMENTS: usize = NEEDS * NEEDS;
/// Tiles whose products are kept at once.
const TILES: usize = 12;
/// Tiles of one micro-kernel.
const ROWS: usize = 6;
/// Groups of 4 input channels whose weights are transformed at once where they meet no more than [`TILES`].
const SLICE: usize = 16;
/// Bytes of V that all weights meet before the next tiles come: they stay in the second cache.
const INPUT_IN_CACHE: usize = 512 << 10;
/// Tiles that are worth a transformation of weights of their own, on another thread.
const MIN_TILES: usize = 24;

/// Products of some tiles with the weights of a pair of panels.
pub(super) struct Products {
    /// `[tiles][36][channels]`.
    pub(super) v: *const i16,
    /// Words from tile to tile.
    pub(super) tile: usize,
    /// Words from element to element.
    pub(super) channels: usize,
    pub(super) tiles: usize,
    /// Two panels, each `[36][stride]` with `[pairs][16][2]` in front.
    pub(super) u: [*const i16; 2],
    pub(super) stride: usize,
    /// Pairs of input channels.
    pub(super) pairs: usize,
    /// `[tiles][36][32]`.
    pub(super) m: *mut i32,
    /// Whether M starts at zero.
    pub(super) fresh: bool,
}

impl Products {
    /// Nearly equal parts of the tiles, each for one micro-kernel.
    pub(super) fn rows(&self) -> impl Iterator<Item = Range<usize>> {
        let (tiles, count) = (self.tiles, self.tiles.div_ceil(ROWS));
        (0..count).map(move |index| part(tiles, count, index))
    }
}

/// An instruction set's version of the transforms and of the products.
pub(super) trait Kernel {
    /// Channels that the transform of the input takes at once.
    const LANES: usize;

    /// `transform::tile_of_input`.
    ///
    /// # Safety
    /// Its contract, and the processor has the instruction set.
    unsafe fn input(cells: *const u8, strides: [usize; 2], channels: usize, into: *mut i16);

    /// `transform::panel_of_weights`.
    ///
    /// # Safety
    /// Its contract, and the processor has the instruction set.
    unsafe fn weights(
        panel: *const u8,
        tap: usize,
        channels: usize,
        groups: Range<usize>,
        into: *mut i16,
        stride: usize,
    );

    /// Products of tiles and weights.
    ///
    /// # Safety
    /// The processor has the instruction set, and the tensors have the sizes that [`Products`] says, U and M at
    /// multiples of 64 bytes.
    unsafe fn products(job: &Products);

    /// `transform::tile_of_output`.
    ///
    /// # Safety
    /// Its contract, and the processor has the instruction set.
    unsafe fn output(products: *const i32, into: *mut i32);
}

/// One convolution with everything that it needs.
pub(super) struct Job<'a> {
    pub(super) isa: Isa,
    pub(super) window: &'a Window,
    pub(super) codes: &'a [u8],
    pub(super) zero: u8,
    pub(super) weights: &'a PackedWeights,
    pub(super) epilogue: &'a Epilogue,
    pub(super) other: Option<&'a [u8]>,
    pub(super) out: SharedMut<u8>,
    /// Rows and columns of the result.
    pub(super) size: [usize; 2],
}

impl Job<'_> {
    /// Tiles of a row.
    fn across(&self) -> usize {
        self.size[1].div_ceil(SIDE)
    }

    /// Some tiles at a time: first V of them on all threads, then the pairs of panels.
    pub(super) fn share<K: Kernel>(&self, threads: &Threads) {
        let channels = self.window.channels.next_multiple_of(K::LANES);
        let tile_bytes = ELEMENTS * channels * size_of::<i16>();
        let all = self.size[0].div_ceil(SIDE) * self.across();
        let groups = all.div_ceil((INPUT_IN_CACHE / tile_bytes).max(TILES));
        let pairs = self.weights.pairs();
        with_scratch(all.div_ceil(groups) * tile_bytes, |v| {
            for group in 0..groups {
                let tiles = part(all, groups, group);
                let v = &mut v[..tiles.len() * tile_bytes];
                let chunks = Chunks::new(v, tile_bytes);
                let tasks = (threads.count() * 2).min(tiles.len());
                threads.for_each(tasks, |task| {
                    with_scratch(ELEMENTS * channels, |border| {
                        for index in part(tiles.len(), tasks, task) {
                            let (_, into) = chunks.take(index);
                            self.input::<K>(tiles.start + index, channels, border, into);
                        }
                    });
                });
                // few pairs, many tiles: tiles are shared too
                let most = if threads.count() == 1 { 1 } else { tiles.len() / MIN_TILES };
                let shares = tasks.div_ceil(pairs).min(most).max(1);
                let v = &*v;
                threads.for_each(pairs * shares, |task| {
                    let own = part(tiles.len(), shares, task % shares);
                    let v = &v[own.start * tile_bytes..own.end * tile_bytes];
                    let own = tiles.start + own.start..tiles.start + own.end;
                    self.pair::<K>(task / shares, own, channels, v);
                });
            }
        });
    }

    /// V of a tile, read from the picture as it is, or from a copy where it meets the border.
    fn input<K: Kernel>(&self, tile: usize, channels: usize, border: &mut [u8], into: &mut [u8]) {
        let Window { height, width, channels: c, pads: [top, left, ..], .. } = *self.window;
        let [y, x] = [tile / self.across() * SIDE, tile % self.across() * SIDE];
        let into = into.as_mut_ptr().cast::<i16>();
        let within = |at: usize, before: usize, size: usize| {
            at.checked_sub(before).filter(|at| at + NEEDS <= size)
        };
        if c == channels
            && let (Some(y), Some(x)) = (within(y, top, height), within(x, left, width))
        {
            let cells = self.codes[(y * width + x) * c..].as_ptr();
            // SAFETY: the processor has the instruction set (see `share`); 6 x 6 cells are within the picture, the chunk
            // is `[36][channels]` words, `channels` is a multiple of `LANES`
            unsafe { K::input(cells, [width * c, c], channels, into) };
            return;
        }
        for (row, cells) in border.chunks_exact_mut(NEEDS * channels).enumerate() {
            cells.fill(self.zero);
            let Some(y) = (y + row).checked_sub(top).filter(|y| *y < height) else { continue };
            for (column, cell) in cells.chunks_exact_mut(channels).enumerate() {
                let Some(x) = (x + column).checked_sub(left).filter(|x| *x < width) else {
                    continue;
                };
                cell[..c].copy_from_slice(&self.codes[(y * width + x) * c..][..c]);
            }
        }
        // SAFETY: as above, with the copy of 6 x 6 cells of `channels` codes
        unsafe { K::input(border.as_ptr(), [NEEDS * channels, channels], channels, into) };
    }

    /// The results of 32 output channels at some tiles, of which `v` holds V.
    fn pair<K: Kernel>(&self, pair: usize, tiles: Range<usize>, channels: usize, v: &[u8]) {
        let blocks = tiles.len().div_ceil(TILES);
        let groups = self.window.channels / 4;
        // weights that meet one block alone need not be kept
        let slice = if blocks == 1 { SLICE.min(groups) } else { groups };
        // one line more, or all elements would compete for the same places of the first cache
        let stride = slice * 4 * PANEL + 32;
        let of_m = TILES * ELEMENTS * PAIR;
        let of_sums = TILES * SIDE * SIDE * PAIR;
        with_scratch(2 * ELEMENTS * stride * size_of::<i16>(), |u| {
            with_numbers(of_m + of_sums, |numbers| {
                let (m, sums) = numbers.split_at_mut(of_m);
                for first in (0..groups).step_by(slice) {
                    let own = first..groups.min(first + slice);
                    let last = own.end == groups;
                    let u = self.weights::<K>(pair, own.clone(), u, stride);
                    for block in 0..blocks {
                        let Range { start, end } = part(tiles.len(), blocks, block);
                        let at = (start * ELEMENTS * channels + 4 * first) * size_of::<i16>();
                        let job = Products {
                            v: v[at..].as_ptr().cast(),
                            tile: ELEMENTS * channels,
                            channels,
                            tiles: end - start,
                            u,
                            stride,
                            pairs: 2 * own.len(),
                            m: m.as_mut_ptr(),
                            fresh: first == 0,
                        };
                        // SAFETY: the processor has the instruction set (see `share`); sizes as made here
                        unsafe { K::products(&job) };
                        if last {
                            let own = tiles.start + start..tiles.start + end;
                            self.output::<K>(pair, own, m, sums);
                        }
                    }
                }
            });
        });
    }

    /// U of two panels and some groups of input channels.
    fn weights<K: Kernel>(
        &self,
        pair: usize,
        groups: Range<usize>,
        u: &mut [u8],
        stride: usize,
    ) -> [*const i16; 2] {
        let packed = self.weights.pair(pair);
        let tap = self.weights.padded_depth() * PANEL;
        let (low, high) = u.split_at_mut(ELEMENTS * stride * size_of::<i16>());
        let panels = packed.chunks_exact(self.weights.panel_bytes());
        for (packed, into) in panels.zip([&mut *low, &mut *high]) {
            let (packed, into) = (packed.as_ptr(), into.as_mut_ptr().cast());
            // SAFETY: the processor has the instruction set (see `share`); `fits` made sure of three taps of three
            // columns; `[36][stride]` words
            unsafe {
                K::weights(packed, tap, self.window.channels, groups.clone(), into, stride);
            }
        }
        [low.as_ptr().cast(), high.as_ptr().cast()]
    }

    /// From the products of some tiles to codes.
    fn output<K: Kernel>(
        &self,
        pair: usize,
        tiles: Range<usize>,
        elements: &[i32],
        sums: &mut [i32],
    ) {
        let mut positions = [SKIP; TILES * SIDE * SIDE];
        let [rows, columns] = self.size;
        let of_elements = elements.chunks_exact(ELEMENTS * PAIR);
        let of_sums = sums.chunks_exact_mut(SIDE * SIDE * PAIR);
        let of_positions = positions.chunks_exact_mut(SIDE * SIDE);
        let count = tiles.len();
        for (tile, ((elements, sums), positions)) in
            tiles.zip(of_elements.zip(of_sums).zip(of_positions))
        {
            // SAFETY: the processor has the instruction set (see `share`); `[36][32]` and `[16][32]` numbers
            unsafe { K::output(elements.as_ptr(), sums.as_mut_ptr()) };
            let [top, left] = [tile / self.across() * SIDE, tile % self.across() * SIDE];
            for (at, position) in positions.iter_mut().enumerate() {
                let [y, x] = [top + at / SIDE, left + at % SIDE];
                *position = if y < rows && x < columns { y * columns + x } else { SKIP };
            }
        }
        let block = Block {
            acc: &*sums,
            positions: &positions[..count * SIDE * SIDE],
            first: pair * PAIR,
            channels: self.weights.channels(),
            other: self.other,
        };
        epilogue::codes(self.isa, self.epilogue, &block, self.out);
    }
}
