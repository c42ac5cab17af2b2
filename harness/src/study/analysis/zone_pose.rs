//! Attention against the pose of the camera: rank correlations over the views of one network, and what those with the yaw say.

use super::partial::{self, RankCorrelation};
use super::title;
use super::views::{View, signs};
use super::zone_bins::WIDE;
use crate::stats;
use crate::study::finding::{Item, Ruling, Verdict};

/// A rank correlation whose interval lies within this counts as none; our choice: a hundredth of the variance of the ranks.
pub(super) const NONE: f64 = 0.1;
/// Fewest signs of a correlation. Fewer have a perfect one by chance too often, which Fisher's transformation does not know.
const FEWEST: usize = 10;
pub(super) const POSE: [&str; 3] = ["absolute yaw", "absolute pitch", "pixels a metre"];
/// What is held against the pose, the ratio first.
pub(super) const VALUES: [&str; 4] = ["ratio", "inside", "border", "outside"];

/// One value against one side of the pose.
pub(super) struct Correlated {
    /// Position in [`POSE`].
    pub(super) pose: usize,
    /// Position in [`VALUES`].
    pub(super) value: usize,
    pub(super) signs: usize,
    pub(super) views: usize,
    pub(super) plain: Option<RankCorrelation>,
    pub(super) given_area: Option<RankCorrelation>,
    /// After Holm, of both.
    pub(super) holm: [f64; 2],
}

/// Every value against every side of the pose.
pub(super) fn correlations(views: &[View]) -> Vec<Correlated> {
    let mut rows = Vec::new();
    for pose in 0..POSE.len() {
        for value in 0..VALUES.len() {
            let of = |v: &View| if value == 0 { v.ratio } else { Some(v.shares[value - 1]) };
            let known: Vec<(&View, f64)> = views.iter().filter_map(|v| Some((v, of(v)?))).collect();
            let x: Vec<f64> = known.iter().map(|(v, _)| v.pose[pose]).collect();
            let y: Vec<f64> = known.iter().map(|(_, y)| *y).collect();
            let area: Vec<f64> = known.iter().map(|(v, _)| v.area).collect();
            let signs = signs(known.iter().map(|(v, _)| *v));
            let enough = |c: Option<RankCorrelation>| c.filter(|_| signs >= FEWEST);
            rows.push(Correlated {
                pose,
                value,
                signs,
                views: known.len(),
                plain: enough(partial::plain(&x, &y, signs)),
                given_area: enough(partial::given(&x, &y, &area, signs)),
                holm: [1.0; 2],
            });
        }
    }
    let p = |of: &dyn Fn(&Correlated) -> Option<RankCorrelation>| {
        stats::holm(&rows.iter().map(|r| of(r).map_or(1.0, |c| c.p)).collect::<Vec<_>>())
    };
    let (plain, given) = (p(&|r| r.plain), p(&|r| r.given_area));
    for (i, row) in rows.iter_mut().enumerate() {
        row.holm = [plain[i], given[i]];
    }
    rows
}

/// A correlation for a table.
pub(super) const fn number(rho: f64, ci95: Option<[f64; 2]>) -> Item {
    Item::Number { value: rho, ci95, decimals: 3, signed: true }
}

/// Whether an interval says that there is no correlation.
pub(super) fn is_none([low, high]: [f64; 2]) -> bool {
    low > -NONE && high < NONE
}

/// How far the camera turns, degrees.
pub(super) fn reach(views: &[View]) -> f64 {
    views.iter().map(|v| v.pose[0]).fold(0.0, f64::max)
}

impl Correlated {
    pub(super) fn items(&self, network: &str, explainer: &str) -> Vec<Item> {
        let of =
            |c: Option<RankCorrelation>| c.map_or(Item::Nothing, |c| number(c.rho, Some(c.ci95)));
        vec![
            Item::text(network),
            Item::text(title(explainer)),
            Item::text(POSE[self.pose]),
            Item::text(VALUES[self.value]),
            Item::Count(self.signs),
            Item::Count(self.views),
            of(self.plain),
            Item::p(self.plain.map(|_| self.holm[0])),
            of(self.given_area),
            Item::p(self.given_area.map(|_| self.holm[1])),
        ]
    }

    fn against_yaw(&self) -> AgainstYaw {
        AgainstYaw {
            value: self.value,
            follows: self.given_area.filter(|_| self.holm[1] < 0.05).map(|c| c.rho),
            is_none: self.given_area.is_some_and(|c| is_none(c.ci95)),
        }
    }
}

/// What is known of one value against the yaw, given the sign's area.
pub(super) struct AgainstYaw {
    /// Position in [`VALUES`].
    pub(super) value: usize,
    /// The correlation, if there is one for sure.
    pub(super) follows: Option<f64>,
    /// Whether there is none for sure.
    pub(super) is_none: bool,
}

/// What the zones do when the camera turns, the sign's area being the same, in one line.
///
/// That nothing follows the yaw takes views that turn as far as the last bin.
pub(super) fn conclusion(yaw: &[AgainstYaw], reach: f64) -> (String, Ruling) {
    let moved: Vec<String> = yaw
        .iter()
        .filter_map(|r| {
            let word = if r.follows? > 0.0 { "rises" } else { "falls" };
            let what = if r.value == 0 {
                "the ratio".to_owned()
            } else {
                format!("the share {}", ["inside", "on the border", "outside"][r.value - 1])
            };
            Some(format!("{what} {word}"))
        })
        .collect();
    if !moved.is_empty() {
        let line = format!("as the camera turns, and given the sign's area, {}", moved.join(", "));
        return (line, Ruling::Answered);
    }
    if reach < WIDE {
        let line =
            format!("nothing is shown to follow the yaw, of at most {reach:.0} degrees here");
        (line, Ruling::Undecided)
    } else if yaw.iter().all(|r| r.is_none) {
        let line = format!("given the sign's area, nothing follows the yaw: all within +-{NONE}");
        (line, Ruling::Answered)
    } else {
        ("given the sign's area, nothing is shown to follow the yaw".to_owned(), Ruling::Undecided)
    }
}

/// What one network says, by all its rows.
pub(super) fn verdict(
    network: &str,
    explainer: &str,
    rows: &[Correlated],
    reach: f64,
) -> Option<Verdict> {
    let yaw = || rows.iter().filter(|r| r.pose == 0);
    let ratio = yaw().find(|r| r.value == 0)?;
    let shown =
        |c: Option<RankCorrelation>| c.map_or_else(|| "-".to_owned(), RankCorrelation::shown);
    let (conclusion, ruling) =
        conclusion(&yaw().map(Correlated::against_yaw).collect::<Vec<_>>(), reach);
    Some(Verdict {
        what: format!("attention against yaw, {network}, {}", title(explainer)),
        published: None,
        found: format!(
            "{conclusion}; rank correlation of the ratio with the absolute yaw {}, given the area {}; {} signs, {} views",
            shown(ratio.plain),
            shown(ratio.given_area),
            ratio.signs,
            ratio.views
        ),
        ruling,
        why: format!(
            "answered if a correlation given the area has p below 0.05 after Holm, or if all of them lie within +-{NONE} on views \
             that turn by {WIDE} degrees or more; pitch and scale stand in the table"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signs that turn by a degree each; the share inside falls with every one, and their scale is the same.
    fn turning(signs: u32) -> Vec<View> {
        let view = |i: u32| View {
            sign: (0, i),
            pose: [f64::from(i), f64::from(i * 7 % 5), 200.0],
            area: 0.2 + 0.01 * f64::from(i * 3 % 7),
            ratio: None,
            shares: [0.5 - 0.001 * f64::from(i), 0.2, 0.3 + 0.001 * f64::from(i)],
            areas: [0.2, 0.1, 0.7],
        };
        (0..signs).map(view).collect()
    }

    #[test]
    fn a_perfect_correlation_of_few_signs_is_left_out_and_one_of_enough_is_finite() {
        assert!(correlations(&turning(9)).iter().all(|r| r.plain.is_none()));
        assert!(correlations(&turning(9)).iter().all(|r| r.given_area.is_none()));
        let rows = correlations(&turning(10));
        let inside = rows.iter().find(|r| r.pose == 0 && r.value == 1).unwrap();
        let c = inside.plain.unwrap();
        assert!((c.rho + 1.0).abs() < 1e-9 && c.ci95.iter().all(|end| end.is_finite()), "{c:?}");
        assert!(inside.given_area.unwrap().p < 0.001, "{:?}", inside.given_area);
    }

    #[test]
    fn what_does_not_vary_has_no_correlation() {
        let rows = correlations(&turning(20));
        // no sign has a ratio, all have one border, and all are of one scale
        for row in rows.iter().filter(|r| r.value == 0 || r.value == 2 || r.pose == 2) {
            assert!(row.plain.is_none() && row.given_area.is_none(), "{:?}", row.plain);
        }
        assert_eq!(rows.iter().map(|r| r.signs).min(), Some(0));
    }
}
