//! Random numbers as a pure function of a key: no global state, no order of calls across threads.
//!
//! A [`Stream`] is `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014) started from a hash of its key. Streams with other
//! keys are independent for all that matters here, so every part of a scene draws from a stream of
//! its own and adding a draw in one part leaves the others as they were.

/// The finalizer of `SplitMix64`: a bijection on 64 bits that mixes well.
#[must_use]
#[inline]
pub const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hash of a domain name and some words: the seed of a [`Stream`], or of a noise field.
#[must_use]
pub fn key(domain: &str, words: &[u64]) -> u64 {
    // FNV-1a over the name keeps domains apart; `mix` after each word makes the order matter.
    let name = domain.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    words.iter().fold(mix(name), |h, &w| mix(h.wrapping_add(GOLDEN_GAMMA) ^ mix(w)))
}

/// A deterministic sequence of random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The stream of a domain and a key, for example `("surface", &[split, class, index])`.
    #[must_use]
    pub fn new(domain: &str, words: &[u64]) -> Self {
        Self { state: key(domain, words) }
    }

    /// The stream that starts from a seed made by [`key`].
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// Uniform in [0, 1), with 24 random bits.
    #[inline]
    pub fn unit(&mut self) -> f32 {
        unit_from_bits(self.bits())
    }

    /// Uniform in [low, high).
    #[inline]
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Uniform in `0..count`; 0 when `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        let wide = u128::from(self.bits()) * (count as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// One of the items.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        assert!(!items.is_empty(), "nothing to pick from");
        &items[self.below(items.len())]
    }

    /// Approximately standard normal, see [`normal_from_bits`].
    pub fn normal(&mut self) -> f32 {
        normal_from_bits(self.bits())
    }
}

/// Uniform in [0, 1) from the top 24 of 64 random bits.
#[must_use]
#[inline]
pub fn unit_from_bits(bits: u64) -> f32 {
    // 24 bits are exact in f32
    small_number(bits >> 40) * (1.0 / 16_777_216.0)
}

/// Approximately standard normal: the sum of four 16-bit uniforms, scaled to variance 1 (Irwin-Hall,
/// n = 4). Tails end at 3.46 standard deviations, which for sensor noise is an advantage; in return
/// it needs no logarithm.
#[must_use]
#[inline]
pub fn normal_from_bits(bits: u64) -> f32 {
    let part = |shift: u32| (bits >> shift) & 0xffff;
    let sum = small_number(part(0) + part(16) + part(32) + part(48));
    // mean 2 * 65535, variance 4 * (65536^2 - 1) / 12
    (sum - 131_070.0) * (1.732_050_8 / 65_536.0)
}

/// A whole number below 2^24, exactly.
#[expect(
    clippy::cast_possible_truncation,
    reason = "below 2^24; processors convert signed numbers of 32 bits fastest"
)]
#[inline]
const fn small_number(n: u64) -> f32 {
    n as i32 as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_with_other_keys_differ_and_the_same_key_repeats() {
        let draw = |d: &str, w: &[u64]| Stream::new(d, w).bits();
        assert_eq!(draw("a", &[1, 2]), draw("a", &[1, 2]));
        assert_ne!(draw("a", &[1, 2]), draw("a", &[2, 1]));
        assert_ne!(draw("a", &[1, 2]), draw("b", &[1, 2]));
        assert_ne!(draw("a", &[1]), draw("a", &[1, 0]));
    }

    #[test]
    fn moments_of_the_draws_are_right() {
        let mut s = Stream::new("moments", &[]);
        let n = 100_000;
        let (mut mean, mut var, mut umean) = (0.0_f64, 0.0_f64, 0.0_f64);
        for _ in 0..n {
            let z = f64::from(s.normal());
            mean += z / f64::from(n);
            var += z * z / f64::from(n);
            umean += f64::from(s.unit()) / f64::from(n);
        }
        assert!(mean.abs() < 0.015, "mean {mean}");
        assert!((var - 1.0).abs() < 0.02, "variance {var}");
        assert!((umean - 0.5).abs() < 0.005, "uniform mean {umean}");
        let mut seen = [0_u32; 7];
        (0..7000).for_each(|_| seen[s.below(7)] += 1);
        assert!(seen.iter().all(|&c| (850..1150).contains(&c)), "{seen:?}");
    }
}
