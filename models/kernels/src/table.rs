//! A function of one code: 256 answers, looked up (GELU and every other elementwise function of one tensor).

use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;
use crate::threads::Threads;

/// Codes of one task.
const CHUNK: usize = 16 << 10;

/// Entries that `vpshufb` looks up at once.
#[cfg(target_arch = "x86_64")]
const ROW: usize = 16;

/// 256 answers, ready for every instruction set.
#[derive(Clone, Debug)]
pub struct Table {
    answers: Box<[u8; 256]>,
    /// Each row of 16 answers, xor the row before it in the same half of the table.
    #[cfg(target_arch = "x86_64")]
    steps: Box<[[u8; ROW]; 256 / ROW]>,
}

impl Table {
    /// From the answer to each code.
    #[must_use]
    pub fn new(answers: &[u8; 256]) -> Self {
        #[cfg(target_arch = "x86_64")]
        let steps = std::array::from_fn(|row| {
            std::array::from_fn(|i| {
                let before = if row % 8 == 0 { 0 } else { answers[(row - 1) * ROW + i] };
                answers[row * ROW + i] ^ before
            })
        });
        Self {
            answers: Box::new(*answers),
            #[cfg(target_arch = "x86_64")]
            steps: Box::new(steps),
        }
    }

    /// The answer to each code.
    #[must_use]
    pub const fn answers(&self) -> &[u8; 256] {
        &self.answers
    }

    /// Replaces every code by its answer.
    pub fn apply(&self, isa: Isa, codes: &mut [u8]) {
        match isa.kind() {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vnni | Kind::Amx if is_x86_feature_detected!("avx512vbmi") => {
                // SAFETY: the features were found: AVX-512 with the `Isa`, VBMI just now
                unsafe { avx512::lookup(&self.answers, codes) }
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 | Kind::AvxVnni | Kind::Avx512Vnni | Kind::Amx => {
                // SAFETY: the `Isa` exists, so the processor has AVX2
                unsafe { avx2::lookup(self, codes) }
            }
            _ => self.scalar(codes),
        }
    }

    pub(crate) fn scalar(&self, codes: &mut [u8]) {
        codes.iter_mut().for_each(|code| *code = self.answers[usize::from(*code)]);
    }
}

/// Looks up one tensor into another, on several threads.
///
/// # Panics
/// If the tensors have different lengths.
pub fn map(isa: Isa, threads: &Threads, table: &Table, codes: &[u8], out: &mut [u8]) {
    assert_eq!(codes.len(), out.len(), "a table keeps the shape");
    let chunks = crate::elementwise::Chunks::new(out, CHUNK);
    threads.for_each(chunks.count(), |index| {
        let (start, out) = chunks.take(index);
        out.copy_from_slice(&codes[start..start + out.len()]);
        table.apply(isa, out);
    });
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_loadu_si128, _mm256_broadcastsi128_si256, _mm256_loadu_si256,
        _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_storeu_si256,
        _mm256_subs_epi8, _mm256_xor_si256,
    };

    use super::{ROW, Table};

    /// Codes of a register.
    const LANES: usize = 32;

    /// 32 codes at a time.
    #[target_feature(enable = "avx2")]
    pub(super) fn lookup(table: &Table, codes: &mut [u8]) {
        let (whole, rest) = codes.as_chunks_mut::<LANES>();
        for part in whole {
            // SAFETY: a part has 32 bytes
            let index = unsafe { _mm256_loadu_si256(part.as_ptr().cast::<__m256i>()) };
            let found = answers(table, index);
            // SAFETY: as above
            unsafe { _mm256_storeu_si256(part.as_mut_ptr().cast::<__m256i>(), found) };
        }
        table.scalar(rest);
    }

    /// `vpshufb` looks up the low four bits of a code in one row of 16, and gives 0 where the highest bit is set. After 16
    /// was subtracted k times (saturating, signed), it is set for codes below 16 k. So the lookups in the rows'
    /// differences up to that of the code add up (xor) to the answer: codes below 128 in the lower eight rows, and with their highest
    /// bit flipped the others in the upper eight.
    #[target_feature(enable = "avx2")]
    pub(crate) fn answers(table: &Table, codes: __m256i) -> __m256i {
        let sixteen = _mm256_set1_epi8(16);
        let mut low = codes;
        let mut high = _mm256_xor_si256(codes, _mm256_set1_epi8(i8::MIN));
        let mut found = [_mm256_setzero_si256(); 2];
        let (lower, upper) = table.steps.split_at(table.steps.len() / 2);
        for (lower, upper) in lower.iter().zip(upper) {
            found[0] = _mm256_xor_si256(found[0], _mm256_shuffle_epi8(row(lower), low));
            found[1] = _mm256_xor_si256(found[1], _mm256_shuffle_epi8(row(upper), high));
            low = _mm256_subs_epi8(low, sixteen);
            high = _mm256_subs_epi8(high, sixteen);
        }
        _mm256_xor_si256(found[0], found[1])
    }

    #[target_feature(enable = "avx2")]
    fn row(entries: &[u8; ROW]) -> __m256i {
        // SAFETY: a row has 16 bytes
        let row = unsafe { _mm_loadu_si128(entries.as_ptr().cast::<__m128i>()) };
        _mm256_broadcastsi128_si256(row)
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
        let answers: [u8; 256] = std::array::from_fn(|i| (i * i * 37 + i / 3 + 11) as u8);
        let table = Table::new(&answers);
        for isa in Isa::available() {
            for length in (0..200).chain([1000]) {
                let codes: Vec<u8> = (0..length).map(|i| (i * 151) as u8).collect();
                let mut out = codes.clone();
                table.apply(isa, &mut out);
                let expected: Vec<u8> = codes.iter().map(|&c| answers[usize::from(c)]).collect();
                assert_eq!(out, expected, "{isa}, {length} codes");
            }
        }
    }
}
