//! Random numbers of the fault injector: integers alone, a pure function of a seed and a key.
//!
//! `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014, doi:10.1145/2660193.2660195). The same seed gives the same
//! draws on every processor, and a fault that draws more does not change what another fault draws.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One million: probabilities are counts in a million, so that no float decides anything.
pub const MILLION: u32 = 1_000_000;

const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A sequence of draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The draws that belong to a seed, a stream (for example the number of a fault) and a frame.
    #[must_use]
    pub const fn new(seed: u64, stream: u32, frame: u32) -> Self {
        let key = ((stream as u64) << 32) | frame as u64;
        Self { state: mix(seed ^ mix(key.wrapping_add(GOLDEN_GAMMA))) }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// Uniform in `0..count`; 0 when `count` is 0.
    pub const fn below(&mut self, count: u32) -> u32 {
        // the top 32 bits of a 32 x 32 product: a bias of at most count / 2^32
        let wide = (self.bits() >> 32) * count as u64;
        (wide >> 32) as u32
    }

    /// True this often in a million.
    pub const fn hits(&mut self, per_million: u32) -> bool {
        self.below(MILLION) < per_million
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_key_and_evenly_spread() {
        assert_eq!(Random::new(1, 2, 3), Random::new(1, 2, 3));
        assert_ne!(Random::new(1, 2, 3).bits(), Random::new(1, 3, 2).bits());
        let mut random = Random::new(7, 0, 0);
        let mut seen = [0_u32; 5];
        (0..10_000).for_each(|_| seen[random.below(5) as usize] += 1);
        // five standard deviations of a binomial with p = 1/5
        assert!(seen.iter().all(|&n| (1800..2200).contains(&n)), "{seen:?}");
        assert_eq!(random.below(0), 0);
        let hits = (0..100_000).filter(|_| random.hits(20_000)).count();
        assert!((1770..2230).contains(&hits), "{hits} of 100,000 at 2 %");
    }

    #[test]
    fn known_answers_hold_on_every_processor() {
        let mut random = Random::new(42, 1, 1000);
        let drawn = [random.bits(), random.bits()];
        assert_eq!(drawn, KNOWN, "{drawn:x?}");
    }

    // computed apart, with Python's integers
    const KNOWN: [u64; 2] = [0x7d73_4e4c_f06b_d2ef, 0xb23c_6ed7_c45a_8385];
}
