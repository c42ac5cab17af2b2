//! Which weights may be multiplied and added in 16 bits, found out once when they are packed.
//!
//! ```text
//! vpmaddubsw      t[j] = x[2j] w[2j] + x[2j + 1] w[2j + 1]             16 bits, saturating
//! vpaddw          t[j] + t'[j]                                         16 bits, wrapping
//! vpmaddwd        acc += t[2j] + t[2j + 1]                             32 bits
//! ```
//!
//! Codes are 0 to 255. So a 16-bit sum of any codes lies between -255 n and 255 p, with p the sum of its positive
//! weights and n that of its negative ones without sign: it cannot leave 16 bits if both are at most [`LIMIT`]. Pairs of
//! groups (8 bytes of K, 4 weights a 16-bit sum) that keep to this in all 16 channels of a panel are *joint*: two
//! `vpmaddubsw` share one `vpmaddwd`. With 7-bit weights of a trained network that are 19 of 20 pairs. The others are
//! *apart* (each group by itself keeps to it) or *wide* (none does; one product a sum).

use crate::pack::PANEL;

/// 128 * 255 = 32,640 fits 16 bits with either sign, 129 * 255 = 32,895 does not.
const LIMIT: i32 = 128;
/// Bytes of a group of a panel: 4 weights of 16 channels.
const GROUP_BYTES: usize = 4 * PANEL;

/// How the sums of some weights may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Two groups in one 16-bit sum.
    Joint,
    /// One group in a 16-bit sum.
    Apart,
    /// One product in a 16-bit sum.
    Wide,
}

/// Sums of positive and of negative weights that share a 16-bit sum.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    positive: i32,
    negative: i32,
}

impl Extent {
    const fn of(a: i8, b: i8) -> Self {
        let (a, b) = (a as i32, b as i32);
        Self {
            positive: if a > 0 { a } else { 0 } + if b > 0 { b } else { 0 },
            negative: if a < 0 { -a } else { 0 } + if b < 0 { -b } else { 0 },
        }
    }

    const fn fits(self) -> bool {
        self.positive <= LIMIT && self.negative <= LIMIT
    }

    const fn with(self, other: Self) -> Self {
        Self { positive: self.positive + other.positive, negative: self.negative + other.negative }
    }
}

/// Class of two vectors of weights whose `vpmaddubsw` sums would be added, two bytes a sum.
pub(crate) fn classify(first: &[i8], second: &[i8]) -> Class {
    let pairs = first.as_chunks::<2>().0.iter().zip(second.as_chunks::<2>().0);
    pairs.fold(Class::Joint, |class, (a, b)| {
        let (a, b) = (Extent::of(a[0], a[1]), Extent::of(b[0], b[1]));
        class.max(if a.with(b).fits() {
            Class::Joint
        } else if a.fits() && b.fits() {
            Class::Apart
        } else {
            Class::Wide
        })
    })
}

/// For each panel and tap, its pairs of groups ordered by class.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// `[panel][tap][pairs]`: numbers of pairs, joint ones first.
    pairs: Vec<u16>,
    /// `[panel][tap]`: how many are joint, and how many are joint or apart.
    ends: Vec<[u16; 2]>,
    /// Pairs of groups of a tap.
    count: usize,
}

/// Numbers of the pairs of one panel and tap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Classes<'a> {
    pub(crate) joint: &'a [u16],
    pub(crate) apart: &'a [u16],
    pub(crate) wide: &'a [u16],
}

impl Order {
    /// Looks at packed weights, `[panel and tap][padded / 4][16][4]`, of which the first `depth` of each tap count.
    pub(crate) fn of(packed: &[u8], padded: usize, depth: usize) -> Self {
        let count = depth.div_ceil(8);
        let (mut pairs, mut ends) = (Vec::new(), Vec::new());
        for tap in packed.chunks_exact(padded * PANEL) {
            let class = |pair: &usize| {
                let signed = |g: usize| -> [i8; GROUP_BYTES] {
                    std::array::from_fn(|i| tap[g * GROUP_BYTES + i].cast_signed())
                };
                classify(&signed(2 * pair), &signed(2 * pair + 1))
            };
            let classes: Vec<Class> = (0..count).map(|pair| class(&pair)).collect();
            let mut end = [0; 2];
            for class in [Class::Joint, Class::Apart, Class::Wide] {
                let of_it = (0..count).filter(|&pair| classes[pair] == class);
                pairs.extend(of_it.map(|pair| pair as u16)); // K is at most 2^16
                let so_far = (pairs.len() - ends.len() * count) as u16;
                match class {
                    Class::Joint => end = [so_far; 2],
                    Class::Apart => end[1] = so_far,
                    Class::Wide => {}
                }
            }
            ends.push(end);
        }
        Self { pairs, ends, count }
    }

    /// Pairs of one panel and tap; `index` is `panel * taps + tap`.
    #[inline]
    pub(crate) fn classes(&self, index: usize) -> Classes<'_> {
        let pairs = &self.pairs[index * self.count..][..self.count];
        let [joint, narrow] = self.ends[index].map(usize::from);
        Classes { joint: &pairs[..joint], apart: &pairs[joint..narrow], wide: &pairs[narrow..] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_tightest_that_no_codes_can_break() {
        let class = |w: [i8; 4]| classify(&w[..2], &w[2..]);
        assert_eq!(class([64, 0, 0, 64]), Class::Joint);
        assert_eq!(class([127, -128, 1, 0]), Class::Joint);
        assert_eq!(class([64, 64, 1, 0]), Class::Apart);
        assert_eq!(class([-64, -64, -1, 0]), Class::Apart);
        assert_eq!(class([65, 64, 0, 0]), Class::Wide);
        assert_eq!(class([0, 0, -128, -1]), Class::Wide);
    }

    #[test]
    fn the_limit_is_where_16_bits_end() {
        for (sum, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
            assert_eq!(i16::try_from(255 * sum).is_ok() && i16::try_from(-255 * sum).is_ok(), fits);
        }
    }

    #[test]
    fn every_pair_is_in_one_class_of_its_tap() {
        // two panels and taps of three pairs of groups: the second pair of the second tap is wide in one channel
        let mut packed = vec![0_u8; 2 * 64 * PANEL];
        let at = |tap: usize, group: usize, channel: usize| {
            (tap * 64 / 4 + group) * GROUP_BYTES + channel * 4
        };
        packed[at(1, 2, 7)..][..2].copy_from_slice(&[127, 127]);
        packed[at(1, 0, 3)..][..2].copy_from_slice(&[100, 28]);
        packed[at(1, 1, 3)] = 5;
        let order = Order::of(&packed, 64, 20);
        let first = order.classes(0);
        assert_eq!((first.joint, first.apart.len(), first.wide.len()), (&[0, 1, 2][..], 0, 0));
        let second = order.classes(1);
        assert_eq!((second.joint, second.apart, second.wide), (&[2][..], &[0][..], &[1][..]));
    }
}
