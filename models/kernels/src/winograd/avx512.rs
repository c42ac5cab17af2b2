//! Winograd's form with `vpdpwssd` on 512 bits: 6 tiles x 32 channels in 12 registers.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "loads, stores and calls under one contract"
)]

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_loadu_si256, _mm512_add_epi16, _mm512_add_epi32,
    _mm512_castsi512_si256, _mm512_cvtepi8_epi16, _mm512_cvtepu8_epi16, _mm512_dpwssd_epi32,
    _mm512_extracti64x4_epi64, _mm512_load_si512, _mm512_loadu_si512, _mm512_mullo_epi16,
    _mm512_mullo_epi32, _mm512_permutexvar_epi64, _mm512_set1_epi16, _mm512_set1_epi32,
    _mm512_set4_epi32, _mm512_setr_epi64, _mm512_setzero_si512, _mm512_shuffle_epi8,
    _mm512_slli_epi16, _mm512_slli_epi32, _mm512_srai_epi32, _mm512_store_si512,
    _mm512_storeu_si512, _mm512_sub_epi16, _mm512_sub_epi32,
};
use std::ops::Range;

use super::job::{ELEMENTS, Kernel, Products};
use super::transform::{
    INVERSE_OF_NINE, Lanes, Longs, Words, panel_of_weights, tile_of_input, tile_of_output,
};
use crate::pack::{PAIR, PANEL};

pub(super) struct Avx512Vnni;

impl Kernel for Avx512Vnni {
    const LANES: usize = 32;

    unsafe fn input(cells: *const u8, strides: [usize; 2], channels: usize, into: *mut i16) {
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
        unsafe { products(job) };
    }

    unsafe fn output(products: *const i32, into: *mut i32) {
        // SAFETY: the contract of this function
        unsafe { output(products, into) };
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn input(cells: *const u8, strides: [usize; 2], channels: usize, into: *mut i16) {
    // SAFETY: the contract of this function
    unsafe { tile_of_input::<Words32>(cells, strides, channels, into) };
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn weights(
    panel: *const u8,
    tap: usize,
    channels: usize,
    groups: Range<usize>,
    into: *mut i16,
    stride: usize,
) {
    // SAFETY: the contract of this function
    unsafe { panel_of_weights::<Words32>(panel, tap, channels, groups, into, stride) };
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn output(products: *const i32, into: *mut i32) {
    // SAFETY: the contract of this function
    unsafe { tile_of_output::<Longs16>(products, into) };
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn products(job: &Products) {
    for element in 0..ELEMENTS {
        for rows in job.rows() {
            // SAFETY: the contract of this function
            unsafe {
                let v = job.v.add(rows.start * job.tile + element * job.channels);
                let u = job.u.map(|u| u.add(element * job.stride));
                let m = job.m.add((rows.start * ELEMENTS + element) * PAIR);
                match rows.len() {
                    1 => self::rows::<1>(job, v, u, m),
                    2 => self::rows::<2>(job, v, u, m),
                    3 => self::rows::<3>(job, v, u, m),
                    4 => self::rows::<4>(job, v, u, m),
                    5 => self::rows::<5>(job, v, u, m),
                    _ => self::rows::<6>(job, v, u, m),
                }
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn rows<const R: usize>(job: &Products, v: *const i16, u: [*const i16; 2], m: *mut i32) {
    let mut acc = [[_mm512_setzero_si512(); 2]; R];
    if !job.fresh {
        for (r, row) in acc.iter_mut().enumerate() {
            // SAFETY: 128 bytes at a multiple of 64 for each tile
            unsafe {
                let from = m.add(r * ELEMENTS * PAIR);
                row[0] = _mm512_load_si512(from.cast::<__m512i>());
                row[1] = _mm512_load_si512(from.add(PANEL).cast::<__m512i>());
            }
        }
    }
    for pair in 0..job.pairs {
        // SAFETY: two channels of each tile, and their 64 bytes of weights, which start at multiples of 64
        unsafe {
            let low = _mm512_load_si512(u[0].add(pair * 2 * PANEL).cast::<__m512i>());
            let high = _mm512_load_si512(u[1].add(pair * 2 * PANEL).cast::<__m512i>());
            for (r, acc) in acc.iter_mut().enumerate() {
                let v = v.add(r * job.tile + 2 * pair).cast::<i32>();
                let v = _mm512_set1_epi32(v.read_unaligned());
                acc[0] = _mm512_dpwssd_epi32(acc[0], v, low);
                acc[1] = _mm512_dpwssd_epi32(acc[1], v, high);
            }
        }
    }
    for (r, row) in acc.iter().enumerate() {
        // SAFETY: 128 bytes at a multiple of 64 for each tile
        unsafe {
            let into = m.add(r * ELEMENTS * PAIR);
            _mm512_store_si512(into.cast::<__m512i>(), row[0]);
            _mm512_store_si512(into.add(PANEL).cast::<__m512i>(), row[1]);
        }
    }
}

/// 32 words. Values exist only in functions compiled for AVX-512.
#[derive(Clone, Copy)]
struct Words32(__m512i);

/// 16 longs. Values exist only in functions compiled for AVX-512.
#[derive(Clone, Copy)]
struct Longs16(__m512i);

macro_rules! lanes {
    ($type:ident, $add:ident, $sub:ident, $shift:ident, $product:ident, $all:ident) => {
        impl Lanes for $type {
            #[inline(always)]
            fn zero() -> Self {
                // SAFETY: the processor has AVX-512, says the caller of the kernel
                Self(unsafe { _mm512_setzero_si512() })
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
    Words32,
    _mm512_add_epi16,
    _mm512_sub_epi16,
    _mm512_slli_epi16,
    _mm512_mullo_epi16,
    _mm512_set1_epi16
);
lanes!(
    Longs16,
    _mm512_add_epi32,
    _mm512_sub_epi32,
    _mm512_slli_epi32,
    _mm512_mullo_epi32,
    _mm512_set1_epi32
);

impl Words for Words32 {
    const LANES: usize = 32;

    #[inline(always)]
    unsafe fn codes(from: *const u8) -> Self {
        // SAFETY: 32 bytes, says the caller
        Self(unsafe { _mm512_cvtepu8_epi16(_mm256_loadu_si256(from.cast::<__m256i>())) })
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> [Self; 2] {
        // SAFETY: 64 bytes, says the caller
        unsafe {
            let bytes = _mm512_loadu_si512(from.cast::<__m512i>());
            // within each quarter: the first two weights of four channels, then the others
            let order = _mm512_set4_epi32(0x0f0e_0b0a, 0x0706_0302, 0x0d0c_0908, 0x0504_0100);
            let quads = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
            let bytes = _mm512_permutexvar_epi64(quads, _mm512_shuffle_epi8(bytes, order));
            let high = _mm512_extracti64x4_epi64::<1>(bytes);
            [
                Self(_mm512_cvtepi8_epi16(_mm512_castsi512_si256(bytes))),
                Self(_mm512_cvtepi8_epi16(high)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn store(self, into: *mut i16) {
        // SAFETY: 32 words, says the caller
        unsafe { _mm512_storeu_si512(into.cast::<__m512i>(), self.0) };
    }
}

impl Longs for Longs16 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: 16 numbers, says the caller
        Self(unsafe { _mm512_loadu_si512(from.cast::<__m512i>()) })
    }

    #[inline(always)]
    unsafe fn store(self, into: *mut i32) {
        // SAFETY: 16 numbers, says the caller
        unsafe { _mm512_storeu_si512(into.cast::<__m512i>(), self.0) };
    }

    #[inline(always)]
    fn divide(self, bits: u32) -> Self {
        // SAFETY: as in `Lanes`
        unsafe {
            let product = _mm512_mullo_epi32(self.0, _mm512_set1_epi32(INVERSE_OF_NINE));
            Self(match bits {
                2 => _mm512_srai_epi32::<2>(product),
                3 => _mm512_srai_epi32::<3>(product),
                4 => _mm512_srai_epi32::<4>(product),
                5 => _mm512_srai_epi32::<5>(product),
                _ => _mm512_srai_epi32::<6>(product),
            })
        }
    }
}
