//! Winograd's form with `vpmaddwd`, or `vpdpwssd` on 256 bits (AVX-VNNI): 6 tiles x 16 channels in 12 registers, a panel at a time.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "loads, stores and calls under one contract"
)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm256_add_epi16, _mm256_add_epi32, _mm256_castsi256_si128,
    _mm256_cvtepi8_epi16, _mm256_cvtepu8_epi16, _mm256_dpwssd_avx_epi32, _mm256_extracti128_si256,
    _mm256_load_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mullo_epi16,
    _mm256_mullo_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16,
    _mm256_slli_epi32, _mm256_srai_epi32, _mm256_store_si256, _mm256_storeu_si256,
    _mm256_sub_epi16, _mm256_sub_epi32,
};
use std::ops::Range;

use super::job::{ELEMENTS, Kernel, Products};
use super::transform::{
    INVERSE_OF_NINE, Lanes, Longs, Words, panel_of_weights, tile_of_input, tile_of_output,
};
use crate::pack::{PAIR, PANEL};

pub(super) struct Avx2;
pub(super) struct AvxVnni;

/// A step of the sums of products.
trait Step {
    /// Adds two products of words to each sum.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn add(sums: __m256i, v: __m256i, u: __m256i) -> __m256i;
}

impl Step for Avx2 {
    #[inline(always)]
    unsafe fn add(sums: __m256i, v: __m256i, u: __m256i) -> __m256i {
        // SAFETY: the contract of this function
        unsafe { _mm256_add_epi32(sums, _mm256_madd_epi16(v, u)) }
    }
}

impl Step for AvxVnni {
    #[inline(always)]
    unsafe fn add(sums: __m256i, v: __m256i, u: __m256i) -> __m256i {
        // SAFETY: the contract of this function
        unsafe { _mm256_dpwssd_avx_epi32(sums, v, u) }
    }
}

macro_rules! kernel {
    ($type:ident, $products:ident) => {
        impl Kernel for $type {
            const LANES: usize = 16;

            unsafe fn input(
                cells: *const u8,
                strides: [usize; 2],
                channels: usize,
                into: *mut i16,
            ) {
                // SAFETY: the contract of this function
                unsafe { input(cells, strides, channels, into) };
            }

            unsafe fn weights(
                panel: *const u8,
                tap: usize,
                channels: usize,
                groups: Range<usize>,
                into: *mut i16,
                stride: usize,
            ) {
                // SAFETY: the contract of this function
                unsafe { weights(panel, tap, channels, groups, into, stride) };
            }

            unsafe fn products(job: &Products) {
                // SAFETY: the contract of this function
                unsafe { $products(job) };
            }

            unsafe fn output(products: *const i32, into: *mut i32) {
                // SAFETY: the contract of this function
                unsafe { output(products, into) };
            }
        }
    };
}

kernel!(Avx2, products_avx2);
kernel!(AvxVnni, products_avx_vnni);

#[target_feature(enable = "avx2")]
unsafe fn input(cells: *const u8, strides: [usize; 2], channels: usize, into: *mut i16) {
    // SAFETY: the contract of this function
    unsafe { tile_of_input::<Words16>(cells, strides, channels, into) };
}

#[target_feature(enable = "avx2")]
unsafe fn weights(
    panel: *const u8,
    tap: usize,
    channels: usize,
    groups: Range<usize>,
    into: *mut i16,
    stride: usize,
) {
    // SAFETY: the contract of this function
    unsafe { panel_of_weights::<Words16>(panel, tap, channels, groups, into, stride) };
}

#[target_feature(enable = "avx2")]
unsafe fn output(products: *const i32, into: *mut i32) {
    // SAFETY: the contract of this function
    unsafe { tile_of_output::<Longs8>(products, into) };
}

#[target_feature(enable = "avx2")]
unsafe fn products_avx2(job: &Products) {
    // SAFETY: the contract of this function
    unsafe { products::<Avx2>(job) };
}

#[target_feature(enable = "avx2,avxvnni")]
unsafe fn products_avx_vnni(job: &Products) {
    // SAFETY: the contract of this function
    unsafe { products::<AvxVnni>(job) };
}

/// # Safety
/// That of [`Kernel::products`].
#[inline(always)]
unsafe fn products<S: Step>(job: &Products) {
    for element in 0..ELEMENTS {
        for (panel, u) in job.u.into_iter().enumerate() {
            for rows in job.rows() {
                // SAFETY: the contract of this function
                unsafe {
                    let v = job.v.add(rows.start * job.tile + element * job.channels);
                    let u = u.add(element * job.stride);
                    let m = job.m.add((rows.start * ELEMENTS + element) * PAIR + panel * PANEL);
                    match rows.len() {
                        1 => self::rows::<1, S>(job, v, u, m),
                        2 => self::rows::<2, S>(job, v, u, m),
                        3 => self::rows::<3, S>(job, v, u, m),
                        4 => self::rows::<4, S>(job, v, u, m),
                        5 => self::rows::<5, S>(job, v, u, m),
                        _ => self::rows::<6, S>(job, v, u, m),
                    }
                }
            }
        }
    }
}

/// # Safety
/// R tiles from `v` on, weights from `u` on, room for the sums from `m` on.
#[inline(always)]
unsafe fn rows<const R: usize, S: Step>(job: &Products, v: *const i16, u: *const i16, m: *mut i32) {
    // SAFETY: no memory
    let mut acc = [[unsafe { _mm256_setzero_si256() }; 2]; R];
    if !job.fresh {
        for (r, row) in acc.iter_mut().enumerate() {
            // SAFETY: 64 bytes at a multiple of 64 for each tile
            unsafe {
                let from = m.add(r * ELEMENTS * PAIR);
                row[0] = _mm256_load_si256(from.cast::<__m256i>());
                row[1] = _mm256_load_si256(from.add(8).cast::<__m256i>());
            }
        }
    }
    for pair in 0..job.pairs {
        // SAFETY: two channels of each tile, and their 64 bytes of weights, which start at multiples of 64
        unsafe {
            let u = u.add(pair * 2 * PANEL);
            let low = _mm256_load_si256(u.cast::<__m256i>());
            let high = _mm256_load_si256(u.add(PANEL).cast::<__m256i>());
            for (r, acc) in acc.iter_mut().enumerate() {
                let v = v.add(r * job.tile + 2 * pair).cast::<i32>();
                let v = _mm256_set1_epi32(v.read_unaligned());
                acc[0] = S::add(acc[0], v, low);
                acc[1] = S::add(acc[1], v, high);
            }
        }
    }
    for (r, row) in acc.iter().enumerate() {
        // SAFETY: 64 bytes at a multiple of 64 for each tile
        unsafe {
            let into = m.add(r * ELEMENTS * PAIR);
            _mm256_store_si256(into.cast::<__m256i>(), row[0]);
            _mm256_store_si256(into.add(8).cast::<__m256i>(), row[1]);
        }
    }
}

/// 16 words. Values exist only in functions compiled for AVX2.
#[derive(Clone, Copy)]
struct Words16(__m256i);

/// 8 longs. Values exist only in functions compiled for AVX2.
#[derive(Clone, Copy)]
struct Longs8(__m256i);

macro_rules! lanes {
    ($type:ident, $add:ident, $sub:ident, $shift:ident, $product:ident, $all:ident) => {
        impl Lanes for $type {
            #[inline(always)]
            fn zero() -> Self {
                // SAFETY: the processor has AVX2, says the caller of the kernel
                Self(unsafe { _mm256_setzero_si256() })
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: as above
                Self(unsafe { $add(self.0, other.0) })
            }

            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                // SAFETY: as above
                Self(unsafe { $sub(self.0, other.0) })
            }

            #[inline(always)]
            fn double(self) -> Self {
                // SAFETY: as above
                Self(unsafe { $add(self.0, self.0) })
            }

            #[inline(always)]
            fn four(self) -> Self {
                // SAFETY: as above
                Self(unsafe { $shift::<2>(self.0) })
            }

            #[inline(always)]
            fn six(self) -> Self {
                // SAFETY: as above
                Self(unsafe { $product(self.0, $all(6)) })
            }
        }
    };
}

lanes!(
    Words16,
    _mm256_add_epi16,
    _mm256_sub_epi16,
    _mm256_slli_epi16,
    _mm256_mullo_epi16,
    _mm256_set1_epi16
);
lanes!(
    Longs8,
    _mm256_add_epi32,
    _mm256_sub_epi32,
    _mm256_slli_epi32,
    _mm256_mullo_epi32,
    _mm256_set1_epi32
);

impl Words for Words16 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn codes(from: *const u8) -> Self {
        // SAFETY: 16 bytes, says the caller
        Self(unsafe { _mm256_cvtepu8_epi16(_mm_loadu_si128(from.cast::<__m128i>())) })
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> [Self; 2] {
        // SAFETY: 32 bytes, says the caller
        unsafe {
            let bytes = _mm256_loadu_si256(from.cast::<__m256i>());
            // within each half: the first two weights of four channels, then the others
            let order = _mm256_setr_epi8(
                0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, //
                0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15,
            );
            let bytes =
                _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_shuffle_epi8(bytes, order));
            let high = _mm256_extracti128_si256::<1>(bytes);
            [
                Self(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(bytes))),
                Self(_mm256_cvtepi8_epi16(high)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn store(self, into: *mut i16) {
        // SAFETY: 16 words, says the caller
        unsafe { _mm256_storeu_si256(into.cast::<__m256i>(), self.0) };
    }
}

impl Longs for Longs8 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: 8 numbers, says the caller
        Self(unsafe { _mm256_loadu_si256(from.cast::<__m256i>()) })
    }

    #[inline(always)]
    unsafe fn store(self, into: *mut i32) {
        // SAFETY: 8 numbers, says the caller
        unsafe { _mm256_storeu_si256(into.cast::<__m256i>(), self.0) };
    }

    #[inline(always)]
    fn divide(self, bits: u32) -> Self {
        // SAFETY: as in `Lanes`
        unsafe {
            let product = _mm256_mullo_epi32(self.0, _mm256_set1_epi32(INVERSE_OF_NINE));
            Self(match bits {
                2 => _mm256_srai_epi32::<2>(product),
                3 => _mm256_srai_epi32::<3>(product),
                4 => _mm256_srai_epi32::<4>(product),
                5 => _mm256_srai_epi32::<5>(product),
                _ => _mm256_srai_epi32::<6>(product),
            })
        }
    }
}
