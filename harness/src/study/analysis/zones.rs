//! The camera question: where on the sign and its border does the attention lie, and how does that follow the pose?

use std::collections::BTreeMap;

use super::partial::{self, RankCorrelation};
use super::views::{View, signs, views};
use super::{empty, explainers, mean, networks, not_measured, title};
use crate::stats::{self, MeanInterval};
use crate::study::book::Book;
use crate::study::finding::{Curve, Figure, Finding, Item, Ruling, Table, Verdict};

/// Bins of the absolute yaw, degrees; the last ends where level H does.
const YAW: [f64; 6] = [0.0, 4.0, 8.0, 16.0, 28.0, 50.0];
/// Fewest signs of a bin.
const FEWEST: usize = 8;
/// A rank correlation whose interval lies within this counts as none; our choice: a hundredth of the variance of the ranks.
const NONE: f64 = 0.1;
const POSE: [&str; 3] = ["absolute yaw", "absolute pitch", "pixels a metre"];
/// What is held against the pose, the ratio first.
const VALUES: [&str; 4] = ["ratio", "inside", "border", "outside"];

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "zones",
        "Why does the camera show no trend? Inside, border and outside against the pose",
        "Zones by distance to the sign's edge: border within 1/28 of the picture on either side, inside and outside the rest. \
         Density is the share of the positive attribution over the share of the area; 1 is what a map that knows nothing has. \
         All ordinary test pictures of a network, whatever the level; C and U pictures of one sign in one pose are one view, their \
         mean, and intervals count signs, not views. Spearman's rank correlation of the ratio and of each zone's share with yaw, \
         pitch and scale of the camera, as it is and given the share of the picture that the sign covers (partial rank correlation), \
         because a turned sign is a smaller sign. Interval and p by Fisher's transformation with 1.03 / sqrt(n - 3), Holm's \
         adjustment over all rows of a network and method, each column for itself. A cell of a 7 x 7 map is twice as wide as the \
         border: the zones tell directions, not millimetres.",
    );
    let mut by_yaw = Table::new(
        "zones",
        "Attention by zone and yaw",
        &[
            "network",
            "method",
            "yaw, degrees",
            "signs",
            "ratio",
            "inside",
            "border",
            "outside",
            "area inside",
            "area border",
            "density inside",
            "density border",
            "density outside",
        ],
    );
    let mut by_pose = Table::new(
        "zones-pose",
        "Rank correlation of the attention with the pose",
        &[
            "network",
            "method",
            "pose",
            "attention",
            "signs",
            "views",
            "correlation",
            "p (Holm)",
            "given the sign's area",
            "p (Holm), given the area",
        ],
    );
    for network in networks(book) {
        for explainer in explainers(book) {
            let views = views(book, &network.name, explainer);
            if signs(views.iter()) < FEWEST {
                continue;
            }
            let bins = bins(&views);
            for bin in &bins {
                by_yaw.rows.push(bin.row(&network.name, explainer));
            }
            if bins.len() > 1 {
                finding.figures.push(figure(&network.name, explainer, &bins));
                let rows = correlations(&views);
                for row in &rows {
                    by_pose.rows.push(row.items(&network.name, explainer));
                }
                let reach = views.iter().map(|v| v.pose[0].abs()).fold(0.0, f64::max);
                finding.verdicts.extend(verdict(&network.name, explainer, &rows, reach));
            }
        }
    }
    if finding.verdicts.is_empty() {
        let what = "attention by zone against the pose";
        finding.verdicts.push(not_measured(
            what,
            None,
            "no maps of ordinary pictures of several yaws",
        ));
    }
    finding.tables.push(by_yaw);
    finding.tables.push(by_pose);
    finding
}

struct Bin<'a> {
    from: f64,
    to: f64,
    views: Vec<&'a View>,
}

fn bins(views: &[View]) -> Vec<Bin<'_>> {
    YAW.windows(2)
        .map(|ends| {
            let inside = |v: &&View| (ends[0]..ends[1]).contains(&v.pose[0]);
            Bin { from: ends[0], to: ends[1], views: views.iter().filter(inside).collect() }
        })
        .filter(|bin| signs(bin.views.iter().copied()) >= FEWEST)
        .collect()
}

impl Bin<'_> {
    /// Mean over the signs of the bin, each the mean of its views.
    fn mean(&self, value: impl Fn(&View) -> Option<f64>) -> Option<MeanInterval> {
        let mut signs: BTreeMap<(u16, u32), Vec<f64>> = BTreeMap::new();
        for view in &self.views {
            signs.entry(view.sign).or_default().extend(value(view));
        }
        let means: Vec<f64> = signs.values().filter_map(|v| Some(mean(v)?.mean)).collect();
        mean(&means)
    }

    fn row(&self, network: &str, explainer: &str) -> Vec<Item> {
        let mut row = vec![
            Item::text(network),
            Item::text(title(explainer)),
            Item::text(format!("{} to {}", self.from, self.to)),
            Item::Count(signs(self.views.iter().copied())),
            Item::mean(self.mean(|v| v.ratio)),
        ];
        row.extend((0..3).map(|z| Item::mean(self.mean(|v| Some(v.shares[z])))));
        row.extend(
            (0..2).map(|z| Item::number(self.mean(|v| Some(v.areas[z])).map(|m| m.mean), 3)),
        );
        row.extend((0..3).map(|z| Item::number(self.mean(|v| v.density(z)).map(|m| m.mean), 2)));
        row
    }
}

fn figure(network: &str, explainer: &str, bins: &[Bin<'_>]) -> Figure {
    let curve = |name: &str, zone: usize| Curve {
        name: name.to_owned(),
        points: bins
            .iter()
            .filter_map(|bin| {
                let m = bin.mean(|v| Some(v.shares[zone]))?;
                Some((f64::midpoint(bin.from, bin.to), m.mean, m.ci95))
            })
            .collect(),
    };
    Figure::Curves {
        title: format!("Share of the attention by zone, {network}, {}", title(explainer)),
        axes: [
            "absolute yaw of the camera, degrees".to_owned(),
            "share of positive attribution".to_owned(),
        ],
        curves: vec![curve("inside", 0), curve("border", 1), curve("outside", 2)],
        line: None,
    }
}

/// One value against one side of the pose.
struct Correlated {
    pose: usize,
    value: usize,
    signs: usize,
    views: usize,
    plain: Option<RankCorrelation>,
    given_area: Option<RankCorrelation>,
    /// After Holm, of both.
    holm: [f64; 2],
}

fn correlations(views: &[View]) -> Vec<Correlated> {
    let mut rows = Vec::new();
    for pose in 0..POSE.len() {
        for value in 0..VALUES.len() {
            let of = |v: &View| if value == 0 { v.ratio } else { Some(v.shares[value - 1]) };
            let known: Vec<(&View, f64)> = views.iter().filter_map(|v| Some((v, of(v)?))).collect();
            let x: Vec<f64> = known.iter().map(|(v, _)| v.pose[pose]).collect();
            let y: Vec<f64> = known.iter().map(|(_, y)| *y).collect();
            let area: Vec<f64> = known.iter().map(|(v, _)| v.area).collect();
            let signs = signs(known.iter().map(|(v, _)| *v));
            rows.push(Correlated {
                pose,
                value,
                signs,
                views: known.len(),
                plain: partial::plain(&x, &y, signs),
                given_area: partial::given(&x, &y, &area, signs),
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

impl Correlated {
    fn items(&self, network: &str, explainer: &str) -> Vec<Item> {
        let of = |c: Option<RankCorrelation>| {
            c.map_or(Item::Nothing, |c| Item::Number {
                value: c.rho,
                ci95: Some(c.ci95),
                decimals: 3,
                signed: true,
            })
        };
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

    /// Given the area: whether it follows the pose, and in which direction.
    fn follows(&self) -> Option<f64> {
        self.given_area.filter(|_| self.holm[1] < 0.05).map(|c| c.rho)
    }
}

/// What the zones do when the camera turns, the sign's area being the same, in one line.
///
/// That nothing follows the yaw takes views that turn as far as the last bin.
fn conclusion(yaw: &[&Correlated], reach: f64) -> (String, Ruling) {
    let moved: Vec<String> = yaw
        .iter()
        .filter_map(|r| {
            let word = if r.follows()? > 0.0 { "rises" } else { "falls" };
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
    let none = |c: RankCorrelation| c.ci95[0] > -NONE && c.ci95[1] < NONE;
    if reach < YAW[YAW.len() - 2] {
        let line =
            format!("nothing is shown to follow the yaw, of at most {reach:.0} degrees here");
        (line, Ruling::Undecided)
    } else if yaw.iter().all(|r| r.given_area.is_some_and(none)) {
        let line = format!("given the sign's area, nothing follows the yaw: all within +-{NONE}");
        (line, Ruling::Answered)
    } else {
        ("given the sign's area, nothing is shown to follow the yaw".to_owned(), Ruling::Undecided)
    }
}

fn verdict(network: &str, explainer: &str, rows: &[Correlated], reach: f64) -> Option<Verdict> {
    let yaw: Vec<&Correlated> = rows.iter().filter(|r| r.pose == 0).collect();
    let ratio = yaw.iter().find(|r| r.value == 0)?;
    let shown =
        |c: Option<RankCorrelation>| c.map_or_else(|| "-".to_owned(), RankCorrelation::shown);
    let (conclusion, ruling) = conclusion(&yaw, reach);
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
             that turn by 28 degrees or more; pitch and scale stand in the table"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    /// Signs of yaw 0 to 49 whose border takes from the inside as they turn, by `step` a degree.
    fn book(step: f64) -> Book {
        let n = network("a", "resnet50", "CF");
        let cell = entry(&n, "CH", "gradcam", 200, |i, p| {
            let yaw = (i % 50) as f64;
            p.pose = Some([if i % 2 == 0 { yaw } else { -yaw }, 5.0 * noise(i * 3), 200.0]);
            let moved = step * yaw + 0.01 * noise(i * 11);
            p.zones = Some([0.4 - moved, 0.3 + moved, 0.15, 0.1]);
            p.ratio = Some(0.55 + 0.1 * noise(i * 7 + 1));
            p.mask_share = 0.2 + 0.1 * noise(i * 13);
        });
        Book { entries: vec![cell], ..Book::default() }
    }

    #[test]
    fn a_border_that_grows_with_the_yaw_is_seen_and_said() {
        let found = finding(&book(0.004));
        let rows = &found.tables[0].rows;
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[0][2], Item::text("0 to 4"));
        // yaw 0, 1, 2, 3: inside about 0.394 of the attention on 0.15 of the area
        assert!(rows[0][5].shown().starts_with("0.39"), "{}", rows[0][5].shown());
        assert_eq!(rows[0][10].shown(), "2.63");
        let v = &found.verdicts[0];
        let words = "as the camera turns, and given the sign's area, the share inside falls, the share on the border rises;";
        assert!(v.found.starts_with(words), "{}", v.found);
        assert_eq!(v.ruling, Ruling::Answered);
        // three sides of the pose, four values; pixels a metre never change
        assert_eq!(found.tables[1].rows.len(), 12);
        assert_eq!(found.tables[1].rows[11][6..], [const { Item::Nothing }; 4]);
    }

    #[test]
    fn what_follows_the_area_alone_does_not_pass_for_an_effect_of_the_yaw() {
        let mut book = book(0.0);
        for (i, p) in book.entries[0].points.iter_mut().enumerate() {
            let yaw = p.pose.unwrap()[0].abs();
            // a turned sign is smaller, and the ratio is a matter of its size
            p.mask_share = 0.4 - 0.005 * yaw + 0.02 * noise(i * 3);
            p.ratio = Some(p.mask_share + 0.02 * noise(i * 17 + 5));
        }
        let found = finding(&book);
        let ratio = &found.tables[1].rows[0];
        assert!(matches!(ratio[7], Item::P(p) if p < 0.001), "{ratio:?}");
        assert!(matches!(ratio[9], Item::P(p) if p > 0.05), "{ratio:?}");
        assert_eq!(found.verdicts[0].ruling, Ruling::Undecided);
        let words = "given the sign's area, nothing is shown to follow the yaw";
        assert!(found.verdicts[0].found.starts_with(words), "{}", found.verdicts[0].found);
    }

    #[test]
    fn the_family_of_a_network_is_adjusted() {
        let rows = correlations(&views(&book(0.004), "a", "gradcam"));
        let inside = rows.iter().find(|r| r.pose == 1 && r.value == 1).unwrap();
        let p = inside.plain.unwrap().p;
        assert!(p < 0.999 && inside.holm[0] > p, "{p} {}", inside.holm[0]);
    }

    #[test]
    fn two_pictures_of_a_pose_are_no_more_than_one() {
        let mut book = book(0.004);
        let one = finding(&book);
        let mut twin = book.entries[0].clone();
        twin.data.set = "UH".to_owned();
        book.entries.push(twin);
        let two = finding(&book);
        assert_eq!(one.tables, two.tables);
    }
}
