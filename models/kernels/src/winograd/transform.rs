//! The three transforms of F(4 x 4, 3 x 3), a channel a lane, each first along columns and then along rows.

use std::ops::Range;

/// Numbers modulo 2^16 or 2^32, one a channel.
pub(super) trait Lanes: Copy {
    /// Zero in every lane.
    fn zero() -> Self;
    /// Sum.
    fn add(self, other: Self) -> Self;
    /// Difference.
    fn sub(self, other: Self) -> Self;
    /// Times 2.
    fn double(self) -> Self;
    /// Times 4.
    fn four(self) -> Self;
    /// Times 6.
    fn six(self) -> Self;
}

/// Lanes of 16 bits.
pub(super) trait Words: Lanes {
    /// How many.
    const LANES: usize;

    /// Codes.
    ///
    /// # Safety
    /// `LANES` bytes can be read.
    unsafe fn codes(from: *const u8) -> Self;

    /// Four weights of each of `LANES / 2` output channels: the first two of each, and the others.
    ///
    /// # Safety
    /// `2 * LANES` bytes can be read.
    unsafe fn weights(from: *const u8) -> [Self; 2];

    /// Writes them.
    ///
    /// # Safety
    /// `LANES` words can be written.
    unsafe fn store(self, into: *mut i16);
}

/// Lanes of 32 bits.
pub(super) trait Longs: Lanes {
    /// How many.
    const LANES: usize;

    /// Sums.
    ///
    /// # Safety
    /// `LANES` numbers can be read.
    unsafe fn load(from: *const i32) -> Self;

    /// Writes them.
    ///
    /// # Safety
    /// `LANES` numbers can be written.
    unsafe fn store(self, into: *mut i32);

    /// Divides multiples of `9 * 2^bits`, `bits` from 2 to 6.
    fn divide(self, bits: u32) -> Self;
}

/// Its product with 9 is 2^33 + 1.
pub(super) const INVERSE_OF_NINE: i32 = 0x38e3_8e39;
/// Powers of two that a row or column of the result is too large by, beside a factor of 3.
pub(super) const EXCESS: [u32; 4] = [3, 2, 1, 1];

/// `B^T d`.
#[inline(always)]
pub(super) fn input<V: Lanes>([d0, d1, d2, d3, d4, d5]: [V; 6]) -> [V; 6] {
    let (p, q) = (d4.sub(d2.four()), d3.sub(d1.four()));
    let (s, t) = (d4.sub(d2), d3.sub(d1).double());
    [
        s.add(d0.sub(d2).four()),   // 4, 0, -5, 0, 1, 0
        p.add(q),                   // 0, -4, -4, 1, 1, 0
        p.sub(q),                   // 0, 4, -4, -1, 1, 0
        s.add(t),                   // 0, -2, -1, 2, 1, 0
        s.sub(t),                   // 0, 2, -1, -2, 1, 0
        d5.sub(d3).sub(t.double()), // 0, 4, 0, -5, 0, 1
    ]
}

/// `G g`.
#[inline(always)]
pub(super) fn weights<V: Lanes>([g0, g1, g2]: [V; 3]) -> [V; 6] {
    let (e, g1_2, g2_4) = (g0.add(g2), g1.double(), g2.four());
    let f = g0.add(g2_4);
    [
        g0.six(),    // 6, 0, 0
        e.add(g1),   // 1, 1, 1
        e.sub(g1),   // 1, -1, 1
        f.add(g1_2), // 1, 2, 4
        f.sub(g1_2), // 1, -2, 4
        g2.six(),    // 0, 0, 6
    ]
}

/// `A^T m`.
#[inline(always)]
pub(super) fn output<V: Lanes>([m0, m1, m2, m3, m4, m5]: [V; 6]) -> [V; 4] {
    let (a, b) = (m1.add(m2), m3.add(m4));
    let (c, d) = (m1.sub(m2), m3.sub(m4));
    [
        m0.add(b).sub(a.four()),   // 1, -4, -4, 1, 1, 0
        d.sub(c.double()),         // 0, -2, 2, 1, -1, 0
        b.sub(a),                  // 0, -1, -1, 1, 1, 0
        m5.add(d.double()).sub(c), // 0, -1, 1, 2, -2, 1
    ]
}

/// A column; not `map`, whose closures would be compiled without the instruction set.
#[inline(always)]
fn across<V: Lanes, const N: usize>(rows: &[[V; N]; 6], at: usize) -> [V; 6] {
    [rows[0][at], rows[1][at], rows[2][at], rows[3][at], rows[4][at], rows[5][at]]
}

/// `V = B^T d B` of the 6 x 6 cells from `cells`, into `[36][channels]`.
///
/// # Safety
/// `channels` is a multiple of `LANES`; so many codes can be read of each cell, and words be written of each number.
#[inline(always)]
pub(super) unsafe fn tile_of_input<W: Words>(
    cells: *const u8,
    [row, column]: [usize; 2],
    channels: usize,
    into: *mut i16,
) {
    for c in (0..channels).step_by(W::LANES) {
        let mut half = [[W::zero(); 6]; 6];
        for (x, half) in half.iter_mut().enumerate() {
            let mut d = [W::zero(); 6];
            for (y, d) in d.iter_mut().enumerate() {
                // SAFETY: a cell of `channels` codes, from a multiple of `LANES` on
                *d = unsafe { W::codes(cells.wrapping_add(y * row + x * column + c)) };
            }
            *half = input(d);
        }
        for i in 0..6 {
            let whole = input(across(&half, i));
            for (j, v) in whole.into_iter().enumerate() {
                // SAFETY: within `[36][channels]`, from a multiple of `LANES` on
                unsafe { v.store(into.wrapping_add((i * 6 + j) * channels + c)) };
            }
        }
    }
}

/// `U = G g G^T` of some groups of 4 input channels of a panel of packed weights, into `[36][stride]`, each
/// `[2 * groups][16][2]`.
///
/// # Safety
/// The panel has three taps of `tap` bytes, in each three columns of `channels`, a multiple of 4, the groups among them;
/// `36 * stride` words can be written, and `stride` is at least 64 a group.
#[inline(always)]
pub(super) unsafe fn panel_of_weights<W: Words>(
    panel: *const u8,
    tap: usize,
    channels: usize,
    groups: Range<usize>,
    into: *mut i16,
    stride: usize,
) {
    let first = groups.start;
    for group in groups {
        for part in (0..32).step_by(W::LANES) {
            let mut g = [[[W::zero(); 2]; 3]; 3];
            for (y, row) in g.iter_mut().enumerate() {
                for (x, g) in row.iter_mut().enumerate() {
                    let at = y * tap + (x * channels / 4 + group) * 64 + 2 * part;
                    // SAFETY: within the 64 bytes of a group
                    *g = unsafe { W::weights(panel.wrapping_add(at)) };
                }
            }
            for pair in 0..2 {
                let mut half = [[W::zero(); 6]; 3];
                for (x, half) in half.iter_mut().enumerate() {
                    *half = weights([g[0][x][pair], g[1][x][pair], g[2][x][pair]]);
                }
                for i in 0..6 {
                    let whole = weights([half[0][i], half[1][i], half[2][i]]);
                    for (j, u) in whole.into_iter().enumerate() {
                        let at = (i * 6 + j) * stride + (2 * (group - first) + pair) * 32 + part;
                        // SAFETY: within `[36][stride]`
                        unsafe { u.store(into.wrapping_add(at)) };
                    }
                }
            }
        }
    }
}

/// The 4 x 4 sums of 32 output channels, `[16][32]`, from their products `[36][32]`.
///
/// # Safety
/// So many numbers can be read and written.
#[inline(always)]
pub(super) unsafe fn tile_of_output<L: Longs>(products: *const i32, into: *mut i32) {
    for n in (0..32).step_by(L::LANES) {
        let mut half = [[L::zero(); 4]; 6];
        for (j, half) in half.iter_mut().enumerate() {
            let mut m = [L::zero(); 6];
            for (i, m) in m.iter_mut().enumerate() {
                // SAFETY: within `[36][32]`
                *m = unsafe { L::load(products.wrapping_add((i * 6 + j) * 32 + n)) };
            }
            *half = output(m);
        }
        for i in 0..4 {
            let whole = output(across(&half, i));
            for (j, y) in whole.into_iter().enumerate() {
                let sum = y.divide(EXCESS[i] + EXCESS[j]);
                // SAFETY: within `[16][32]`
                unsafe { sum.store(into.wrapping_add((i * 4 + j) * 32 + n)) };
            }
        }
    }
}
