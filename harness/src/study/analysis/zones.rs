//! The camera question: where on the sign and its border does the attention lie, and how does that follow the pose?

use super::{empty, explainers, mean, networks, not_measured, title};
use crate::stats::{self, MeanInterval};
use crate::study::book::{Book, Entry, Point};
use crate::study::finding::{Curve, Figure, Finding, Item, Ruling, Table, Verdict};

/// Bins of the absolute yaw, degrees; the last ends where level H does.
const YAW: [f64; 6] = [0.0, 4.0, 8.0, 16.0, 28.0, 50.0];
/// Fewest frames of a bin.
const FEWEST: usize = 8;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "zones",
        "Why does the camera show no trend? Inside, border and outside against the pose",
        "Zones by distance to the sign's edge: border within 1/28 of the picture on either side, inside and outside the rest. \
         Density is the share of the positive attribution over the share of the area; 1 is what a map that knows nothing has. \
         All ordinary test pictures of a network, whatever the level, by yaw of the camera. Spearman's rank correlation with \
         the absolute yaw, interval by Fisher's transformation with 1.03 / sqrt(n - 3). A cell of a 7 x 7 map is twice as wide \
         as the border: the zones tell directions, not millimetres.",
    );
    let mut table = Table::new(
        "zones",
        "Attention by zone and yaw",
        &[
            "network",
            "method",
            "yaw, degrees",
            "frames",
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
    for network in networks(book) {
        for explainer in explainers(book) {
            let points = points(book, &network.name, explainer);
            if points.len() < FEWEST {
                continue;
            }
            let bins = bins(&points);
            for bin in &bins {
                table.rows.push(bin.row(&network.name, explainer));
            }
            if bins.len() > 1 {
                finding.figures.push(figure(&network.name, explainer, &bins));
                finding.verdicts.extend(verdict(&network.name, explainer, &points));
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
    finding.tables.push(table);
    finding
}

/// Frames of a network with zones and pose, each picture of a set once.
fn points<'a>(book: &'a Book, network: &str, explainer: &str) -> Vec<&'a Point> {
    let mut sets: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for entry in &book.entries {
        let fits = |e: &Entry| {
            e.network.name == network && e.explainer == explainer && e.data.is_plain_test()
        };
        if !fits(entry) || sets.contains(&entry.data.set.as_str()) {
            continue;
        }
        sets.push(&entry.data.set);
        if let Some(largest) = super::plain(book, network, &entry.data.set, Some(explainer)) {
            found.extend(largest.points.iter().filter(|p| p.zones.is_some() && p.pose.is_some()));
        }
    }
    found
}

struct Bin<'a> {
    from: f64,
    to: f64,
    points: Vec<&'a Point>,
}

fn bins<'a>(points: &[&'a Point]) -> Vec<Bin<'a>> {
    YAW.windows(2)
        .map(|ends| {
            let inside = |p: &&&Point| {
                p.pose.is_some_and(|[yaw, ..]| (ends[0]..ends[1]).contains(&yaw.abs()))
            };
            Bin {
                from: ends[0],
                to: ends[1],
                points: points.iter().filter(inside).copied().collect(),
            }
        })
        .filter(|bin| bin.points.len() >= FEWEST)
        .collect()
}

/// Inside, border, outside of the attribution and of the area.
fn zones(p: &Point) -> Option<([f64; 3], [f64; 3])> {
    let [inside, border, inside_area, border_area] = p.zones?;
    Some((
        [inside, border, 1.0 - inside - border],
        [inside_area, border_area, 1.0 - inside_area - border_area],
    ))
}

fn density(p: &Point, zone: usize) -> Option<f64> {
    let (share, area) = zones(p)?;
    (area[zone] > 0.0).then(|| share[zone] / area[zone])
}

impl Bin<'_> {
    fn mean(&self, value: impl Fn(&Point) -> Option<f64>) -> Option<MeanInterval> {
        mean(&self.points.iter().filter_map(|p| value(p)).collect::<Vec<_>>())
    }

    fn row(&self, network: &str, explainer: &str) -> Vec<Item> {
        let mut row = vec![
            Item::text(network),
            Item::text(title(explainer)),
            Item::text(format!("{} to {}", self.from, self.to)),
            Item::Count(self.points.len()),
            Item::mean(self.mean(|p| p.ratio)),
        ];
        row.extend((0..3).map(|z| Item::mean(self.mean(|p| Some(zones(p)?.0[z])))));
        row.extend(
            (0..2).map(|z| Item::number(self.mean(|p| Some(zones(p)?.1[z])).map(|m| m.mean), 3)),
        );
        row.extend((0..3).map(|z| Item::number(self.mean(|p| density(p, z)).map(|m| m.mean), 2)));
        row
    }
}

fn figure(network: &str, explainer: &str, bins: &[Bin<'_>]) -> Figure {
    let curve = |name: &str, zone: usize| Curve {
        name: name.to_owned(),
        points: bins
            .iter()
            .filter_map(|bin| {
                let m = bin.mean(|p| Some(zones(p)?.0[zone]))?;
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

fn verdict(network: &str, explainer: &str, points: &[&Point]) -> Option<Verdict> {
    let yaw = |p: &Point| p.pose.map(|[yaw, ..]| yaw.abs());
    let correlation = |value: &dyn Fn(&Point) -> Option<f64>| {
        let pairs: Vec<(f64, f64)> =
            points.iter().filter_map(|p| Some((yaw(p)?, value(p)?))).collect();
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        Some((stats::spearman(&x, &y)?, x.len()))
    };
    let shown = |c: Option<(f64, usize)>| {
        c.map_or_else(
            || "-".to_owned(),
            |(rho, n)| {
                let [low, high] = fisher(rho, n);
                format!("{rho:+.3} ({low:+.3} to {high:+.3})")
            },
        )
    };
    let ratio = correlation(&|p| p.ratio)?;
    let [low, high] = fisher(ratio.0, ratio.1);
    Some(Verdict {
        what: format!("attention against yaw, {network}, {}", title(explainer)),
        published: None,
        found: format!(
            "rank correlation with the absolute yaw: ratio {}, inside {}, border {}, outside {}, area of the sign {}; densities: \
             inside {}, border {}, outside {}",
            shown(Some(ratio)),
            shown(correlation(&|p| Some(zones(p)?.0[0]))),
            shown(correlation(&|p| Some(zones(p)?.0[1]))),
            shown(correlation(&|p| Some(zones(p)?.0[2]))),
            shown(correlation(&|p| Some(p.mask_share))),
            shown(correlation(&|p| density(p, 0))),
            shown(correlation(&|p| density(p, 1))),
            shown(correlation(&|p| density(p, 2))),
        ),
        ruling: if low > 0.0 || high < 0.0 { Ruling::Answered } else { Ruling::Undecided },
        why: "answered if the interval of the ratio's correlation leaves out zero. Area and pose go together: a turned sign is \
              narrower, so its share falls although its density may not"
            .to_owned(),
    })
}

/// 95 % interval of a rank correlation: Fisher's z with the standard error of Fieller, Hartley and Pearson (1957).
fn fisher(rho: f64, n: usize) -> [f64; 2] {
    if n <= 3 {
        return [-1.0, 1.0];
    }
    let z = rho.clamp(-0.999_999, 0.999_999).atanh();
    let half = 1.959_964 * 1.03 / (n as f64 - 3.0).sqrt();
    [(z - half).tanh(), (z + half).tanh()]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    #[test]
    fn a_border_that_grows_with_the_yaw_is_seen() {
        let n = network("a", "resnet50", "CF");
        let cell = entry(&n, "CH", "gradcam", 200, |i, p| {
            let yaw = (i % 50) as f64;
            p.pose = Some([if i % 2 == 0 { yaw } else { -yaw }, 0.0, 200.0]);
            p.zones = Some([0.4 - 0.004 * yaw, 0.3 + 0.004 * yaw, 0.15, 0.1]);
            p.ratio = Some(0.55 + 0.1 * noise(i));
        });
        let found = finding(&Book { entries: vec![cell], ..Book::default() });
        let rows = &found.tables[0].rows;
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[0][2], Item::text("0 to 4"));
        // yaw 0, 1, 2, 3: inside 0.394 of the attention on 0.15 of the area
        assert!(rows[0][5].shown().starts_with("0.3940"), "{}", rows[0][5].shown());
        assert_eq!(rows[0][10].shown(), "2.63");
        assert!(found.verdicts[0].found.contains("border +1.000"), "{}", found.verdicts[0].found);
        assert_eq!(found.verdicts[0].ruling, Ruling::Undecided);
    }

    #[test]
    fn fishers_interval_of_a_known_correlation() {
        // atanh(0.5) = 0.549306, half width 1.959964 * 1.03 / 10 = 0.201876
        let [low, high] = fisher(0.5, 103);
        assert!((low - 0.334_094).abs() < 1e-4 && (high - 0.635_854).abs() < 1e-4, "{low} {high}");
        assert_eq!(fisher(0.5, 3), [-1.0, 1.0]);
    }
}
