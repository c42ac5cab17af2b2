//! A function of one code: 256 answers, looked up (GELU and every other elementwise function of one tensor).

use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;
use crate::threads::Threads;

/// Codes of one task.
const CHUNK: usize = 16 << 10;

/// Replaces every code by `table[code]`.
pub fn lookup(isa: Isa, table: &[u8; 256], codes: &mut [u8]) {
    match isa.kind() {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni | Kind::Amx if is_x86_feature_detected!("avx512vbmi") => {
            // SAFETY: the features were found: AVX-512 with the `Isa`, VBMI just now
            unsafe { avx512::lookup(table, codes) }
        }
        _ => scalar(table, codes),
    }
}

/// The same from one tensor into another, on several threads.
///
/// # Panics
/// If the tensors have different lengths.
pub fn map(isa: Isa, threads: &Threads, table: &[u8; 256], codes: &[u8], out: &mut [u8]) {
    assert_eq!(codes.len(), out.len(), "a table keeps the shape");
    let chunks = crate::elementwise::Chunks::new(out, CHUNK);
    threads.for_each(chunks.count(), |index| {
        let (start, out) = chunks.take(index);
        out.copy_from_slice(&codes[start..start + out.len()]);
        lookup(isa, table, out);
    });
}

fn scalar(table: &[u8; 256], codes: &mut [u8]) {
    for code in codes {
        *code = table[usize::from(*code)];
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512i, __mmask64, _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_mask_storeu_epi8,
        _mm512_maskz_loadu_epi8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
    };

    /// 64 codes at a time: two lookups in 128 entries each, chosen by the highest bit of the code.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn lookup(table: &[u8; 256], codes: &mut [u8]) {
        let quarter = |q: usize| -> __m512i {
            // SAFETY: the table has four quarters of 64 bytes
            unsafe { _mm512_loadu_si512(table[q * 64..].as_ptr().cast::<__m512i>()) }
        };
        let (t0, t1, t2, t3) = (quarter(0), quarter(1), quarter(2), quarter(3));
        for part in codes.chunks_mut(64) {
            let mask: __mmask64 = u64::MAX >> (64 - part.len());
            // SAFETY: the mask has one bit for each byte of the part
            let index = unsafe { _mm512_maskz_loadu_epi8(mask, part.as_ptr().cast::<i8>()) };
            let low = _mm512_permutex2var_epi8(t0, index, t1);
            let high = _mm512_permutex2var_epi8(t2, index, t3);
            let found = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high);
            // SAFETY: as above
            unsafe { _mm512_mask_storeu_epi8(part.as_mut_ptr().cast::<i8>(), mask, found) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_isa_finds_the_same_answers_at_every_length() {
        let table: [u8; 256] = std::array::from_fn(|i| (i * 37 + 11) as u8);
        for isa in Isa::available() {
            for length in (0..200).chain([1000]) {
                let codes: Vec<u8> = (0..length).map(|i| (i * 151) as u8).collect();
                let mut out = codes.clone();
                lookup(isa, &table, &mut out);
                let expected: Vec<u8> = codes.iter().map(|&c| table[usize::from(c)]).collect();
                assert_eq!(out, expected, "{isa}, {length} codes");
            }
        }
    }
}
