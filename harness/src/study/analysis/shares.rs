//! Differences of two accuracies, with intervals that hold where accuracies lie: near 1, with few errors or none.

use crate::stats::ShareInterval;
use crate::study::finding::Item;

/// Two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A difference of two shares with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ShareDifference {
    pub(super) value: f64,
    pub(super) ci95: [f64; 2],
}

impl ShareDifference {
    /// Four decimals and a sign.
    pub(super) const fn item(self) -> Item {
        Item::Number { value: self.value, ci95: Some(self.ci95), decimals: 4, signed: true }
    }
}

/// First less second, of independent pictures: Newcombe (1998, Statistics in Medicine 17, 873-890), method 10, from the Wilson
/// intervals (l, u) of both shares p:
///
/// ```text
/// d - sqrt((p1 - l1)^2 + (u2 - p2)^2)   to   d + sqrt((u1 - p1)^2 + (p2 - l2)^2)
/// ```
///
/// For the same signs in two sets it is wider than it need be.
pub(super) fn unpaired(first: &ShareInterval, second: &ShareInterval) -> ShareDifference {
    let value = first.value - second.value;
    let down = |s: &ShareInterval| s.value - s.ci95[0];
    let up = |s: &ShareInterval| s.ci95[1] - s.value;
    let ci95 = [value - down(first).hypot(up(second)), value + up(first).hypot(down(second))];
    ShareDifference { value, ci95 }
}

/// First less second, both right or wrong on the same pictures: Bonett and Price (2012, Journal of Educational and Behavioral
/// Statistics 37, 479-488), with f10 pictures right in the first alone and f01 in the second alone of n:
///
/// ```text
/// p = (f10 + 1) / (n + 2),   q = (f01 + 1) / (n + 2)
/// p - q +- z sqrt((p + q - (p - q)^2) / (n + 2))
/// ```
///
/// Where no picture differs it still says what n pictures can tell: +-2.8 / (n + 2). `None` for no pictures.
pub(super) fn paired(pairs: &[(bool, bool)]) -> Option<ShareDifference> {
    if pairs.is_empty() {
        return None;
    }
    let n = pairs.len() as f64;
    let of = |wanted: (bool, bool)| pairs.iter().filter(|pair| **pair == wanted).count() as f64;
    let (first, second) = (of((true, false)), of((false, true)));
    let (p, q) = ((first + 1.0) / (n + 2.0), (second + 1.0) / (n + 2.0));
    let half = Z * ((p + q - (p - q) * (p - q)) / (n + 2.0)).sqrt();
    Some(ShareDifference {
        value: (first - second) / n,
        ci95: [(p - q - half).max(-1.0), (p - q + half).min(1.0)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats;

    #[test]
    fn newcombes_own_example() {
        // 56 of 70 against 48 of 80, table II of the paper, method 10: 0.0524 to 0.3339
        let d = unpaired(&stats::wilson(56, 70).unwrap(), &stats::wilson(48, 80).unwrap());
        assert!((d.value - 0.2).abs() < 1e-12, "{d:?}");
        assert!((d.ci95[0] - 0.0524).abs() < 5e-5 && (d.ci95[1] - 0.3339).abs() < 5e-5, "{d:?}");
    }

    #[test]
    fn paired_shares_by_hand() {
        // n 21, 1 and 7 that differ: p = 2/23, q = 8/23, half = 1.959964 sqrt((10/23 - 36/529) / 23) = 0.247490
        let mut pairs = vec![(true, true); 13];
        pairs.push((true, false));
        pairs.extend([(false, true); 7]);
        let d = paired(&pairs).unwrap();
        assert!((d.value + 6.0 / 21.0).abs() < 1e-12, "{d:?}");
        assert!((d.ci95[0] + 0.508_359).abs() < 1e-5, "{d:?}");
        assert!((d.ci95[1] + 0.013_380).abs() < 1e-5, "{d:?}");
        assert!(paired(&[]).is_none());
    }

    #[test]
    fn where_nothing_differs_the_number_of_pictures_still_limits_what_is_known() {
        let d = paired(&[(true, true); 98]).unwrap();
        // sqrt(2) z / 100
        assert!((d.ci95[1] - 0.027_718).abs() < 1e-6 && d.value.abs() < 1e-12, "{d:?}");
    }
}
