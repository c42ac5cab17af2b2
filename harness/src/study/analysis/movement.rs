//! From which severity on something has moved: by significance, and by a size that matters.

use super::shares::{self, ShareDifference};
use super::{SEED, differences, mean};
use crate::stats;
use crate::study::book::Point;
use crate::study::finding::Item;

/// Change of something against the ordinary picture of the same sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) value: f64,
    pub(super) ci95: Option<[f64; 2]>,
    /// Sign-flip test of no change.
    p: f64,
}

impl Change {
    /// Second less first, of a number.
    pub(super) fn of_numbers(pairs: &[(f64, f64)]) -> Option<Self> {
        let d = differences(pairs);
        let m = mean(&d)?;
        Some(Self { value: m.mean, ci95: m.ci95, p: stats::sign_flip(&d, SEED)?.p })
    }

    /// Second less first, of being right.
    pub(super) fn of_decisions(pairs: &[(&Point, &Point)]) -> Option<Self> {
        let right: Vec<(bool, bool)> =
            pairs.iter().map(|(a, b)| (b.correct(), a.correct())).collect();
        let ShareDifference { value, ci95 } = shares::paired(&right)?;
        let d: Vec<f64> =
            right.iter().map(|&(b, a)| f64::from(u8::from(b)) - f64::from(u8::from(a))).collect();
        Some(Self { value, ci95: Some(ci95), p: stats::sign_flip(&d, SEED)?.p })
    }

    pub(super) const fn item(self) -> Item {
        Item::Number { value: self.value, ci95: self.ci95, decimals: 4, signed: true }
    }
}

/// Changes by severity, in their order.
pub(super) type Changes = [(u8, Option<Change>)];

/// The severity from which on all changes are significant in the wanted direction, p below 0.05 after Holm.
pub(super) fn by_significance(changes: &Changes, wanted: impl Fn(f64) -> bool) -> Option<u8> {
    let p: Vec<f64> = changes.iter().map(|(_, c)| c.map_or(1.0, |c| c.p)).collect();
    let holm = stats::holm(&p);
    let moved: Vec<bool> = changes
        .iter()
        .zip(holm)
        .map(|((_, c), p)| c.is_some_and(|c| wanted(c.value)) && p < 0.05)
        .collect();
    let first = moved.iter().rposition(|m| !m).map_or(0, |last| last + 1);
    changes.get(first).map(|(severity, _)| *severity)
}

/// Which changes of a size count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Falls alone.
    Down,
    /// Falls and rises.
    Either,
}

/// Where a change of at least a size begins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Onset {
    /// First severity whose interval lies wholly beyond the size, with the change there.
    pub(super) moved: Option<(u8, f64)>,
    /// First severity whose interval does not rule such a change out.
    pub(super) possible: Option<u8>,
}

impl Onset {
    pub(super) fn find(changes: &Changes, size: f64, direction: Direction) -> Self {
        let either = direction == Direction::Either;
        let mut onset = Self::default();
        for (severity, change) in changes {
            let ends = change.and_then(|c| Some((c.value, c.ci95?)));
            let excluded =
                ends.is_some_and(|(_, [low, high])| low > -size && (!either || high < size));
            if !excluded {
                onset.possible.get_or_insert(*severity);
            }
            let beyond =
                |(_, [low, high]): &(f64, [f64; 2])| *high <= -size || (either && *low >= size);
            if let Some((value, _)) = ends.filter(beyond) {
                onset.moved.get_or_insert((*severity, value));
            }
        }
        onset
    }

    fn severity(&self) -> Option<u8> {
        self.moved.map(|(severity, _)| severity)
    }

    /// Whether this has moved before the other can have.
    fn before(&self, other: &Self) -> bool {
        self.severity().is_some_and(|s| other.possible.is_none_or(|p| s < p))
    }

    /// `from severity 3`, and from where on it cannot be ruled out, if that is earlier.
    pub(super) fn words(&self) -> String {
        match (self.severity(), self.possible) {
            (Some(moved), Some(possible)) if possible < moved => {
                format!("from severity {moved} (not ruled out from {possible})")
            }
            (Some(moved), _) => format!("from severity {moved}"),
            (None, Some(possible)) => format!("not shown (not ruled out from severity {possible})"),
            (None, None) => "at no severity".to_owned(),
        }
    }
}

/// Which of the two moves first, and whether that is certain.
pub(super) fn order(accuracy: &Onset, attention: &Onset) -> (&'static str, bool) {
    let alone = |other: &Onset| other.possible.is_none();
    match (accuracy.severity(), attention.severity()) {
        _ if accuracy.before(attention) && alone(attention) => ("accuracy moves alone", true),
        _ if attention.before(accuracy) && alone(accuracy) => ("attention moves alone", true),
        _ if accuracy.before(attention) => ("accuracy moves first", true),
        _ if attention.before(accuracy) => ("attention moves first", true),
        (Some(a), Some(t))
            if a == t && accuracy.possible == Some(a) && attention.possible == Some(t) =>
        {
            ("both move at the same severity", true)
        }
        (None, None) if alone(accuracy) && alone(attention) => ("neither moves", true),
        (None, None) => ("neither is shown to move", false),
        _ => ("which moves first is open", false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(severity: u8, low: f64, high: f64) -> (u8, Option<Change>) {
        let value = f64::midpoint(low, high);
        (severity, Some(Change { value, ci95: Some([low, high]), p: 0.5 }))
    }

    #[test]
    fn a_size_is_shown_ruled_out_or_open() {
        let changes = [
            change(1, -0.004, 0.004),
            change(2, -0.015, 0.001),
            change(3, -0.04, -0.012),
            change(4, -0.2, -0.1),
        ];
        let onset = Onset::find(&changes, 0.01, Direction::Down);
        assert_eq!((onset.severity(), onset.possible), (Some(3), Some(2)));
        assert_eq!(onset.words(), "from severity 3 (not ruled out from 2)");
        let up = [change(1, 0.03, 0.05)];
        assert_eq!(Onset::find(&up, 0.02, Direction::Down), Onset::default());
        let onset = Onset::find(&up, 0.02, Direction::Either);
        assert!(onset.moved.is_some_and(|(s, value)| s == 1 && value > 0.0), "{onset:?}");
        // nothing is known of a severity without an interval
        assert_eq!(Onset::find(&[(1, None)], 0.02, Direction::Either).possible, Some(1));
    }

    #[test]
    fn an_order_is_certain_only_if_the_other_cannot_have_been_earlier() {
        let onset = |moved: Option<u8>, possible: Option<u8>| Onset {
            moved: moved.map(|s| (s, -0.1)),
            possible,
        };
        let (none, at) = (onset(None, None), |s| onset(Some(s), Some(s)));
        for (accuracy, attention, expected) in [
            (at(3), at(4), ("accuracy moves first", true)),
            (at(4), at(3), ("attention moves first", true)),
            (at(3), at(3), ("both move at the same severity", true)),
            (at(3), none, ("accuracy moves alone", true)),
            (none, at(1), ("attention moves alone", true)),
            (none, none, ("neither moves", true)),
            (onset(None, Some(1)), none, ("neither is shown to move", false)),
            // too few signs: accuracy may have moved at once
            (onset(Some(4), Some(1)), at(1), ("which moves first is open", false)),
            (onset(Some(4), Some(2)), at(1), ("attention moves first", true)),
            (onset(None, Some(1)), at(2), ("which moves first is open", false)),
        ] {
            assert_eq!(order(&accuracy, &attention), expected, "{accuracy:?} {attention:?}");
        }
    }

    #[test]
    fn significance_must_last_to_the_end() {
        let with = |p: [f64; 3]| -> Vec<(u8, Option<Change>)> {
            let change = |(s, p)| (s, Some(Change { value: -0.1, ci95: None, p }));
            (1..).zip(p).map(change).collect()
        };
        assert_eq!(by_significance(&with([0.5, 0.001, 0.001]), |d| d < 0.0), Some(2));
        assert_eq!(by_significance(&with([0.001, 0.001, 0.5]), |d| d < 0.0), None);
        assert_eq!(by_significance(&with([0.5, 0.001, 0.001]), |d| d > 0.0), None);
    }
}
