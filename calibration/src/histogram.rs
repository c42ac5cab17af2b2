//! A histogram whose range grows with what it sees, in memory that does not.
//!
//! Bins have a width of a power of two and edges at its multiples, so that two neighbours of one
//! width are exactly one bin of the next. The width is the smallest that holds all values in
//! [`BINS`] bins. Hence the result does not depend on the order of the values, and histograms of
//! parts add up to that of the whole, bit for bit.

/// Most bins; the grid that is chosen from them has 256 values.
pub const BINS: i64 = 8192;
/// Bin numbers stay below this, so that they are exact in f32.
const MAX_INDEX: f64 = 4_194_304.0;
/// Narrowest width, 2 to this power: what is smaller counts as a multiple of it.
const MIN_EXPONENT: i32 = -100;

/// Shifting further changes nothing: all bins have become 0 or -1.
const MAX_SHIFT: i32 = 63;

/// Counts of values, those that are exactly 0 apart: they are on every grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    exponent: Option<i32>,
    /// Number of the first bin: it begins at `first * width`.
    first: i64,
    bins: Vec<u64>,
    zeros: u64,
    min: f32,
    max: f32,
}

/// One bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Where it begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// Values in it.
    pub count: u64,
}

impl Bin {
    /// The middle.
    #[must_use]
    pub fn centre(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }
}

impl Histogram {
    /// Counts values.
    ///
    /// # Errors
    /// With the first value that is not finite; nothing is counted then.
    pub fn add(&mut self, values: &[f32]) -> Result<(), f32> {
        let (mut min, mut max, mut finite) = (f32::INFINITY, f32::NEG_INFINITY, true);
        for &value in values {
            min = min.min(value);
            max = max.max(value);
            // a product with 0 is 0 for every number, NaN otherwise
            finite &= value * 0.0 == 0.0;
        }
        if !finite {
            return Err(values.iter().copied().find(|v| !v.is_finite()).unwrap_or(f32::NAN));
        }
        if values.is_empty() {
            return Ok(());
        }
        self.cover(min, max);
        let inverse = power_of_two(-self.exponent.unwrap_or(MIN_EXPONENT));
        let first = self.first;
        for &value in values {
            if value == 0.0 {
                self.zeros += 1;
            } else {
                let bin = index(value, inverse) - first;
                if let Some(count) = usize::try_from(bin).ok().and_then(|b| self.bins.get_mut(b)) {
                    *count += 1;
                }
            }
        }
        Ok(())
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: &Self) {
        let Some(exponent) = other.exponent else { return };
        self.cover(other.min, other.max);
        let shift = (self.exponent.unwrap_or(exponent) - exponent).min(MAX_SHIFT);
        for (bin, &count) in (other.first..).zip(&other.bins).filter(|(_, count)| **count > 0) {
            let at = (bin >> shift) - self.first;
            if let Some(sum) = usize::try_from(at).ok().and_then(|b| self.bins.get_mut(b)) {
                *sum += count;
            }
        }
        self.zeros += other.zeros;
    }

    /// Smallest value seen, 0 if none.
    #[must_use]
    pub const fn min(&self) -> f32 {
        self.min
    }

    /// Largest value seen, 0 if none.
    #[must_use]
    pub const fn max(&self) -> f32 {
        self.max
    }

    /// Values seen that were exactly 0.
    #[must_use]
    pub const fn zeros(&self) -> u64 {
        self.zeros
    }

    /// Values seen.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.zeros + self.bins.iter().sum::<u64>()
    }

    /// Bins with values, from low to high; those that are exactly 0 are not among them.
    pub fn bins(&self) -> impl Iterator<Item = Bin> + '_ {
        let width = power_of_two(self.exponent.unwrap_or(0));
        (self.first..).zip(&self.bins).filter(|(_, count)| **count > 0).map(move |(i, &count)| {
            let low = exact(i) * f64::from(width);
            Bin { low, high: low + f64::from(width), count }
        })
    }

    /// The value that this share of all values does not exceed: the upper edge of its bin, within
    /// the values seen. `share` runs from 0 to 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let needed = share * exact_count(self.count());
        let mut below = 0;
        let mut zeros = Some(self.zeros);
        for bin in self.bins() {
            if bin.low >= 0.0 {
                below += zeros.take().unwrap_or(0);
                if below > 0 && exact_count(below) >= needed {
                    return 0.0_f64.clamp(f64::from(self.min), f64::from(self.max));
                }
            }
            below += bin.count;
            if exact_count(below) >= needed {
                return bin.high.clamp(f64::from(self.min), f64::from(self.max));
            }
        }
        f64::from(self.max)
    }

    /// Widens bins and range so that both values fit.
    fn cover(&mut self, min: f32, max: f32) {
        let (low, high) = match self.exponent {
            Some(_) => (self.min.min(min), self.max.max(max)),
            None => (min, max),
        };
        (self.min, self.max) = (low, high);
        let old = self.exponent;
        let mut exponent = old.unwrap_or(MIN_EXPONENT);
        while !fits(low, high, exponent) {
            exponent += 1;
        }
        self.exponent = Some(exponent);
        let inverse = power_of_two(-exponent);
        let (first, last) = (index(low, inverse), index(high, inverse));
        let mut bins = vec![0; usize::try_from(last - first + 1).unwrap_or(0)];
        let shift = (exponent - old.unwrap_or(exponent)).min(MAX_SHIFT);
        for (bin, count) in (self.first..).zip(&self.bins).filter(|(_, count)| **count > 0) {
            let at = (bin >> shift) - first;
            if let Some(sum) = usize::try_from(at).ok().and_then(|b| bins.get_mut(b)) {
                *sum += count;
            }
        }
        (self.first, self.bins) = (first, bins);
    }
}

/// Whether a width is wide enough for a range.
fn fits(low: f32, high: f32, exponent: i32) -> bool {
    let inverse = power_of_two(-exponent);
    let largest = f64::from(low.abs().max(high.abs())) * f64::from(inverse);
    largest < MAX_INDEX && index(high, inverse) - index(low, inverse) < BINS
}

#[expect(clippy::cast_possible_truncation, reason = "below 2^22 in size, see `fits`")]
fn index(value: f32, inverse_width: f32) -> i64 {
    let index = i64::from((value * inverse_width).floor() as i32);
    // a product that underflows would cross to the other side of 0
    if value < 0.0 { index.min(-1) } else { index }
}

#[expect(clippy::cast_precision_loss, reason = "bin numbers are far below 2^53")]
const fn exact(n: i64) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "2^53 values would be 10^9 frames")]
pub(crate) const fn exact_count(n: u64) -> f64 {
    n as f64
}

/// 2 to this power, exactly; from -126 to 127.
fn power_of_two(exponent: i32) -> f32 {
    let biased = u32::try_from(exponent.clamp(-126, 127) + 127).unwrap_or(127);
    f32::from_bits(biased << 23)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.add(values).unwrap();
        histogram
    }

    #[test]
    fn bins_are_where_the_values_are() {
        let h = of(&[0.0, 0.0, 1.0, 1.0, -3.0, 4.0]);
        assert_eq!((h.min(), h.max(), h.zeros(), h.count()), (-3.0, 4.0, 2, 6));
        let bins: Vec<Bin> = h.bins().collect();
        assert_eq!(bins.iter().map(|b| b.count).collect::<Vec<_>>(), [1, 2, 1]);
        for (bin, value) in bins.iter().zip([-3.0, 1.0, 4.0]) {
            assert!(bin.low <= value && value < bin.high, "{bin:?}");
            // 7 in at most 8192 bins
            assert!((bin.high - bin.low - 1.0 / 1024.0).abs() < 1e-12, "{bin:?}");
        }
    }

    #[test]
    fn quantiles_on_the_numbers_up_to_a_thousand() {
        let h = of(&(0..1000_u16).map(f32::from).collect::<Vec<_>>());
        for (share, expected) in [(0.0, 0.0), (0.5, 499.0), (0.999, 998.0), (1.0, 999.0)] {
            let found = h.quantile(share);
            assert!((found - expected).abs() <= 0.25, "{share}: {found}");
        }
        let h = of(&[-1.0, 0.0, 0.0, 0.0, 5.0]);
        assert_eq!(h.quantile(0.6), 0.0, "zeros are values");
        assert!((h.quantile(0.2) + 1.0).abs() < 0.01);
    }

    #[test]
    fn what_is_not_finite_is_refused_whole() {
        let mut h = of(&[1.0]);
        assert!(h.add(&[2.0, f32::NAN]).unwrap_err().is_nan());
        assert_eq!(h.add(&[f32::NEG_INFINITY]).unwrap_err(), f32::NEG_INFINITY);
        assert_eq!(h, of(&[1.0]));
    }

    #[test]
    fn memory_does_not_grow_with_values_or_range() {
        let mut h = Histogram::default();
        for step in 0..60_u8 {
            h.add(&[1.5_f32.powi(i32::from(step)), -f32::from(step)]).unwrap();
            assert!(h.bins.len() <= usize::try_from(BINS).unwrap());
        }
        assert_eq!(h.count(), 120);
    }

    proptest! {
        #[test]
        fn order_and_parts_do_not_matter(
            a in prop::collection::vec(-1e4_f32..1e4, 1..40),
            b in prop::collection::vec(prop::num::f32::NORMAL.prop_map(|v| v % 1e9), 1..40),
            split in 0_usize..40,
        ) {
            let all: Vec<f32> = a.iter().chain(&b).copied().collect();
            let whole = of(&all);
            let mut turned = Histogram::default();
            for value in all.iter().rev() {
                turned.add(&[*value]).unwrap();
            }
            // not `prop_assert_eq`, which prints thousands of bins
            prop_assert!(turned == whole, "order");
            let (left, right) = all.split_at(split.min(all.len()));
            let mut merged = of(right);
            merged.merge(&of(left));
            prop_assert!(merged == whole, "parts");
        }
    }
}
