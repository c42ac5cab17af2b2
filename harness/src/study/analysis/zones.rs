//! The camera question: where on the sign and its border does the attention lie, and how does that follow the pose?

use super::zone_asked::asked;
use super::zone_bins::bins;
use super::zone_pose::{correlations, reach, verdict};
use super::zone_trainings::{self, Group, groups};
use super::{empty, not_measured, title, zone_bins};
use crate::study::book::Book;
use crate::study::finding::{Figure, Finding, Table};

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
         adjustment over all rows of a network and method, each column for itself; of fewer than ten signs, or of values that are all \
         the same, there is no correlation. Where there are two seeds or more of one architecture, number format, training set and \
         strength, they rule together and a single one does not, on the views of the test sets that all of them have: Student's t \
         over Fisher's z of the seeds' correlations given the area (a perfect one counts as 0.999999), and beside it the correlation \
         over the signs of what the seeds have in the mean, because all seeds saw the same signs, and what these have by chance shows \
         in all of them; of both p the larger counts. Figures: the mean over such seeds, or, where one of them has views that turn \
         further, that one; three bins or more; networks of one shape where there are no others. A cell of a 7 x 7 map is twice as \
         wide as the border: the zones tell directions, not millimetres.",
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
    let all = asked(book);
    let groups = groups(&all);
    let mut drawn = Drawn::default();
    for group in &groups {
        drawn.add(group.is_of_one_shape(), group.figure(&all));
    }
    for own in &all {
        let (network, explainer) = (&own.network.name, own.explainer);
        let bins = bins(&own.views);
        by_yaw.rows.extend(bins.iter().map(|bin| bin.row(network, explainer)));
        if bins.len() < 2 {
            continue;
        }
        let rows = correlations(&own.views);
        by_pose.rows.extend(rows.iter().map(|row| row.items(network, explainer)));
        if groups.iter().all(|group| !group.holds(own)) {
            let name = format!("{network}, {}", title(explainer));
            drawn.add(own.is_of_one_shape(), zone_bins::figure(&name, &bins));
            finding.verdicts.extend(verdict(network, explainer, &rows, reach(&own.views)));
        }
    }
    finding.verdicts.extend(groups.iter().filter_map(Group::verdict));
    if finding.verdicts.is_empty() {
        let what = "attention by zone against the pose";
        finding.verdicts.push(not_measured(
            what,
            None,
            "no maps of ordinary pictures of several yaws",
        ));
    }
    finding.figures = drawn.figures();
    finding.tables.extend([by_yaw, by_pose]);
    finding.tables.extend(zone_trainings::table(&groups));
    finding
}

/// Figures of networks that know all shapes, and of such as know one.
#[derive(Default)]
struct Drawn {
    of_all: Vec<Figure>,
    of_one: Vec<Figure>,
}

impl Drawn {
    fn add(&mut self, is_of_one_shape: bool, figure: Option<Figure>) {
        let kind = if is_of_one_shape { &mut self.of_one } else { &mut self.of_all };
        kind.extend(figure);
    }

    /// The zones of the few signs of one shape say little beside others.
    fn figures(self) -> Vec<Figure> {
        if self.of_all.is_empty() { self.of_one } else { self.of_all }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::super::views::views;
    use super::*;
    use crate::study::finding::{Item, Ruling};

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
