//! Like with like: ratios that are corrected for sampling are compared with such, and where one side has no correction, neither
//! side is corrected.
//!
//! The correction moves a mean by up to 0.02 (docs/kernel-shap.md), more than most differences here; a corrected ratio less a
//! plain one is that, not what is asked for.

use crate::study::book::Point;

/// Which ratio of the frames is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// The corrected one, which all frames have.
    Corrected,
    /// The one of the maps as they stand, because no frame has another.
    Plain,
    /// The one of the maps as they stand, because not all frames have another.
    Common,
}

impl Measure {
    /// What all of these frames have.
    pub(super) fn of<'a>(points: impl Iterator<Item = &'a Point>) -> Self {
        let (mut corrected, mut plain) = (false, false);
        for point in points.filter(|p| p.ratio.is_some()) {
            corrected |= point.corrected;
            plain |= !point.corrected;
        }
        match (corrected, plain) {
            (true, false) => Self::Corrected,
            (true, true) => Self::Common,
            (false, _) => Self::Plain,
        }
    }

    /// What both sides have, on all frames that are compared.
    pub(super) fn of_pairs(pairs: &[(&Point, &Point)]) -> Self {
        let compared = pairs.iter().filter(|(a, b)| a.ratio.is_some() && b.ratio.is_some());
        Self::of(compared.flat_map(|(a, b)| [*a, *b]))
    }

    /// That ratio of a frame.
    pub(super) const fn ratio(self, point: &Point) -> Option<f64> {
        match self {
            Self::Corrected | Self::Plain => point.ratio,
            Self::Common => point.plain_ratio,
        }
    }

    /// That ratio of both sides where both have one.
    pub(super) fn pairs(self, pairs: &[(&Point, &Point)]) -> Vec<(f64, f64)> {
        pairs.iter().filter_map(|(a, b)| Some((self.ratio(a)?, self.ratio(b)?))).collect()
    }

    /// In words, for a table.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Plain => "as the maps stand",
            Self::Common => "as the maps stand (not all have a correction)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(ratio: f64, plain: f64, corrected: bool) -> Point {
        Point { ratio: Some(ratio), plain_ratio: Some(plain), corrected, ..Point::default() }
    }

    #[test]
    fn one_side_without_correction_takes_it_from_both() {
        let (corrected, plain) = (point(0.8, 0.7, true), point(0.6, 0.6, false));
        let none = Point::default();
        for (pairs, measure, wanted) in [
            (vec![(&corrected, &corrected)], Measure::Corrected, vec![(0.8, 0.8)]),
            (vec![(&plain, &plain)], Measure::Plain, vec![(0.6, 0.6)]),
            (vec![(&corrected, &plain)], Measure::Common, vec![(0.7, 0.6)]),
            // one frame decides for all of them
            (
                vec![(&corrected, &corrected), (&corrected, &plain)],
                Measure::Common,
                vec![(0.7, 0.7), (0.7, 0.6)],
            ),
            // a frame that is not compared decides nothing
            (vec![(&corrected, &corrected), (&none, &plain)], Measure::Corrected, vec![(0.8, 0.8)]),
        ] {
            let found = Measure::of_pairs(&pairs);
            assert_eq!((found, found.pairs(&pairs)), (measure, wanted));
        }
    }
}
