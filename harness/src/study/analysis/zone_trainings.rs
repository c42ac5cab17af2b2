//! Attention against the pose over the seeds of a recipe: verdict, figure and table.

use super::across::{Recipe, Training as _, WAITS, recipe_name, recipes};
use super::partial::RankCorrelation;
use super::zone_asked::Asked;
use super::zone_bins::{WIDE, bins, figure};
use super::zone_pose::{NONE, POSE, VALUES, conclusion, number, reach};
use super::zone_together::{Row, Together};
use super::{not_measured, title};
use crate::study::finding::{Figure, Item, Table, Verdict};

/// Networks of two seeds or more of one architecture, number format, training set and strength, by one method on the same test sets.
pub(super) struct Group<'r> {
    first: &'r Asked<'r>,
    trainings: Vec<&'r Asked<'r>>,
    /// None if not two are complete.
    together: Option<Together>,
}

/// All groups, in the order of the networks.
pub(super) fn groups<'r>(all: &'r [Asked<'r>]) -> Vec<Group<'r>> {
    let group = |Recipe { first, trainings }: Recipe<'r, Asked<'r>>| {
        let together = (trainings.len() > 1).then(|| Together::of(&trainings));
        Group { first, trainings, together }
    };
    recipes(all).into_iter().map(group).collect()
}

impl Group<'_> {
    /// Whether a network is one of the trainings, complete or not.
    pub(super) fn holds(&self, asked: &Asked<'_>) -> bool {
        self.first.is_training_of(asked)
    }

    /// Whether they were trained on one shape alone.
    pub(super) fn is_of_one_shape(&self) -> bool {
        self.first.is_of_one_shape()
    }

    fn sets(&self) -> String {
        self.first.shared.iter().copied().collect::<Vec<_>>().join(", ")
    }

    /// The mean over the trainings; where one of them has views that turn further than those of all, that one.
    pub(super) fn figure(&self, all: &[Asked<'_>]) -> Option<Figure> {
        let method = title(self.first.explainer);
        let mean = self.together.as_ref().map(|together| {
            let (recipe, n) = (recipe_name(self.first.network), self.trainings.len());
            (format!("{recipe}, {method}, mean over {n} trainings"), bins(&together.views))
        });
        let single = all.iter().filter(|asked| self.holds(asked)).map(|asked| {
            let name = &asked.network.name;
            (format!("{name}, {method}, one of several trainings"), bins(&asked.views))
        });
        let drawn = mean.into_iter().chain(single);
        let (name, bins) = drawn.reduce(|a, b| if b.1.len() > a.1.len() { b } else { a })?;
        figure(&name, &bins)
    }

    /// What the trainings say together; none if their views do not turn.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let (recipe, method) = (recipe_name(self.first.network), title(self.first.explainer));
        let what = format!("attention against yaw, {recipe}, {method}, over trainings");
        let Some(Together { views, rows }) = &self.together else {
            return Some(not_measured(&what, None, WAITS));
        };
        if bins(views).len() < 2 {
            return None;
        }
        let n = self.trainings.len();
        let yaw = || rows.iter().filter(|row| row.pose == 0);
        let ratio = yaw().find(|row| row.value == 0)?;
        let (conclusion, ruling) =
            conclusion(&yaw().map(|row| row.against_yaw(n)).collect::<Vec<_>>(), reach(views));
        let [least, most] = ratio.ends().map(|end| end.shown());
        let over_signs = ratio.over_signs.map_or_else(|| "-".to_owned(), RankCorrelation::shown);
        Some(Verdict {
            what,
            published: None,
            found: format!(
                "over {n} trainings: {conclusion}; rank correlation of the ratio with the absolute yaw, given the area, {} over trainings, \
                 single ones {least} to {most}; {over_signs} over signs; {} signs, {} views of {}",
                ratio.mean().shown(),
                ratio.signs,
                ratio.views,
                self.sets()
            ),
            ruling,
            why: format!(
                "answered if a correlation given the area has p below 0.05 after Holm, or if all of them lie within +-{NONE} on views \
                 that turn by {WIDE} degrees or more, both over trainings (Student's t over Fisher's z of the seeds) and over signs (of \
                 the mean over the trainings): all seeds saw the same signs, and what these have by chance shows in all of them; pitch \
                 and scale stand in the table"
            ),
        })
    }

    /// A row a value and side of the pose; none if not two trainings are complete or their views do not turn.
    fn rows(&self) -> Vec<Vec<Item>> {
        let turned = self.together.as_ref().filter(|together| bins(&together.views).len() > 1);
        let names: Vec<&str> = self.trainings.iter().map(|t| t.network.name.as_str()).collect();
        let row = |row: &Row| {
            let [least, most] = row.ends();
            vec![
                Item::text(recipe_name(self.first.network)),
                Item::text(title(self.first.explainer)),
                Item::text(self.sets()),
                Item::text(POSE[row.pose]),
                Item::text(VALUES[row.value]),
                Item::Count(row.z.values().len()),
                Item::Count(row.signs),
                Item::Count(row.views),
                row.mean(),
                least,
                most,
                Item::p(row.z.p()),
                row.over_signs.map_or(Item::Nothing, |c| number(c.rho, Some(c.ci95))),
                Item::p(row.over_signs.map(|c| c.p)),
                Item::p(row.p().map(|_| row.holm)),
                Item::text(names.join(", ")),
            ]
        };
        turned.into_iter().flat_map(|together| &together.rows).map(row).collect()
    }
}

/// Rows of all groups; no table without any.
pub(super) fn table(groups: &[Group<'_>]) -> Option<Table> {
    let mut table = Table::new(
        "zones-trainings",
        "Rank correlation of the attention with the pose given the sign's area, over the seeds of the trainings",
        &[
            "network",
            "method",
            "tested on",
            "pose",
            "attention",
            "trainings",
            "signs",
            "views",
            "over trainings",
            "smallest",
            "largest",
            "p over trainings",
            "over signs",
            "p over signs",
            "p (Holm) of the larger",
            "networks",
        ],
    );
    table.rows.extend(groups.iter().flat_map(Group::rows));
    (!table.rows.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, noise, seeded};
    use super::super::zones::finding;
    use super::*;
    use crate::study::book::{Book, Entry};
    use crate::study::cell::NetworkFacts;
    use crate::study::finding::{Finding, Ruling};

    /// What the border takes from the inside: by a degree of the yaw, by the sign, and by chance of the training.
    #[derive(Clone, Copy)]
    struct Effect {
        turn: f64,
        sign: f64,
        chance: f64,
    }

    /// Signs of yaw 0 to 49 before a network.
    fn cell(n: &NetworkFacts, signs: usize, effect: Effect) -> Entry {
        let salt = usize::try_from(n.seed.unwrap_or_default()).unwrap();
        entry(n, "CH", "gradcam", signs, |i, p| {
            let yaw = (i % 50) as f64;
            let (sign, chance) =
                (noise(i * i * 31 + i * 7), noise(i * i * 17 + i * 11 + salt * 173));
            let rest = noise(i * i * 13 + i * 3 + salt * 59);
            let moved = effect.turn * yaw + effect.sign * sign + effect.chance * chance;
            p.pose = Some([yaw, 5.0 * noise(i * 3), 200.0]);
            p.zones = Some([0.4 - moved, 0.3 + moved + 0.02 * rest, 0.15, 0.1]);
            p.ratio = Some(0.55 + 0.1 * rest);
            p.mask_share = 0.2 + 0.1 * noise(i * 13);
        })
    }

    /// A network from each seed.
    fn of_seeds(train: &str, signs: usize, effects: &[Effect]) -> Vec<Entry> {
        let one = |(seed, effect): (u64, &Effect)| {
            let n = seeded(&format!("{train}{seed}"), "resnet50", train, Some(seed));
            cell(&n, signs, *effect)
        };
        (1..).zip(effects).map(one).collect()
    }

    /// Signs that do not scatter themselves, and trainings that do.
    fn turns(turns: &[f64]) -> Vec<Effect> {
        turns.iter().map(|turn| Effect { turn: *turn, sign: 0.0, chance: 0.05 }).collect()
    }

    fn found(entries: Vec<Entry>) -> Finding {
        finding(&Book { entries, ..Book::default() })
    }

    fn titles(found: &Finding) -> Vec<&str> {
        let titles = found.figures.iter().map(|figure| match figure {
            Figure::Curves { title, .. } | Figure::Intervals { title, .. } => title.as_str(),
        });
        titles.collect()
    }

    #[test]
    fn seeds_that_agree_rule_together_and_have_one_figure() {
        let f = found(of_seeds("CF", 200, &turns(&[0.004, 0.0042, 0.0044])));
        assert_eq!(f.verdicts.len(), 1, "{:?}", f.verdicts);
        let v = &f.verdicts[0];
        assert_eq!(v.what, "attention against yaw, resnet50 (f32), CF, GradCAM, over trainings");
        let words = "over 3 trainings: as the camera turns, and given the sign's area, the share inside falls, the share on the border \
                     rises; rank correlation of the ratio with the absolute yaw, given the area, -0.003 (-0.054 to +0.049) over \
                     trainings, single ones -0.022 to +0.019; ";
        assert!(v.found.starts_with(words), "{}", v.found);
        assert!(v.found.ends_with(" over signs; 200 signs, 200 views of CH"), "{}", v.found);
        assert_eq!(v.ruling, Ruling::Answered);
        let drawn =
            "Share of the attention by zone, resnet50 (f32), CF, GradCAM, mean over 3 trainings";
        assert_eq!(titles(&f), [drawn]);
        let rows: Vec<(&str, usize)> =
            f.tables.iter().map(|t| (t.name.as_str(), t.rows.len())).collect();
        assert_eq!(rows, [("zones", 15), ("zones-pose", 36), ("zones-trainings", 12)]);
        let (header, inside) = (&f.tables[2].header, &f.tables[2].rows[1]);
        assert_eq!(inside.len(), header.len());
        assert_eq!((&inside[4], &inside[5]), (&Item::text("inside"), &Item::Count(3)));
        assert_eq!(inside[8].shown(), "-0.970 (-0.977 to -0.961)");
        assert_eq!(inside[15], Item::text("CF1, CF2, CF3"));
    }

    #[test]
    fn seeds_that_scatter_leave_open_what_each_is_sure_of() {
        let entries = of_seeds("CF", 200, &turns(&[0.004, -0.004, 0.003]));
        let alone = found(entries[..1].to_vec());
        assert_eq!(alone.verdicts[0].what, "attention against yaw, CF1, GradCAM");
        assert_eq!((alone.verdicts[0].ruling, alone.tables.len()), (Ruling::Answered, 2));
        let f = found(entries);
        let words = "over 3 trainings: given the sign's area, nothing is shown to follow the yaw; ";
        assert!(f.verdicts[0].found.starts_with(words), "{:?}", f.verdicts);
        assert_eq!((f.verdicts.len(), f.verdicts[0].ruling), (1, Ruling::Undecided));
    }

    #[test]
    fn what_the_signs_have_by_chance_is_no_evidence_however_well_the_seeds_agree() {
        let f =
            found(of_seeds("CF", 200, &[Effect { turn: 0.0001, sign: 0.06, chance: 0.002 }; 4]));
        let inside = &f.tables[2].rows[1];
        assert!(matches!(inside[11], Item::P(p) if p < 0.001), "over trainings: {inside:?}");
        assert!(matches!(inside[13], Item::P(p) if p > 0.05), "over signs: {inside:?}");
        assert_eq!(f.verdicts[0].ruling, Ruling::Undecided, "{:?}", f.verdicts);
    }

    #[test]
    fn that_nothing_follows_takes_both_units_and_views_that_turn() {
        let mut entries = of_seeds("CF", 1000, &turns(&[0.0; 3]));
        let f = found(entries.clone());
        let words =
            "over 3 trainings: given the sign's area, nothing follows the yaw: all within +-0.1; ";
        assert!(f.verdicts[0].found.starts_with(words), "{:?}", f.verdicts);
        assert_eq!(f.verdicts[0].ruling, Ruling::Answered);
        for pose in entries.iter_mut().flat_map(|e| &mut e.points).filter_map(|p| p.pose.as_mut()) {
            pose[0] *= 0.4;
        }
        let f = found(entries);
        let words =
            "over 3 trainings: nothing is shown to follow the yaw, of at most 20 degrees here; ";
        assert!(f.verdicts[0].found.starts_with(words), "{:?}", f.verdicts);
        assert_eq!(f.verdicts[0].ruling, Ruling::Undecided);
    }

    #[test]
    fn a_seed_that_was_only_begun_waits() {
        let mut entries = of_seeds("CF", 200, &turns(&[0.004, 0.0042, 0.0044]));
        entries[2].points.truncate(9);
        let f = found(entries.clone());
        assert_eq!(f.verdicts.len(), 1, "{:?}", f.verdicts);
        assert!(f.verdicts[0].found.starts_with("over 2 trainings: "), "{:?}", f.verdicts);
        entries[0].points.truncate(9);
        let f = found(entries);
        let v = &f.verdicts[0];
        assert_eq!((v.ruling, v.why.as_str(), f.verdicts.len()), (Ruling::Missing, WAITS, 1));
        assert_eq!(f.tables.len(), 2, "no table over one training");
        let drawn = "Share of the attention by zone, CF2, GradCAM, one of several trainings";
        assert_eq!(titles(&f), [drawn]);
    }

    #[test]
    fn a_network_beside_them_speaks_for_itself_and_one_of_one_shape_has_no_figure() {
        let mut entries = of_seeds("CF", 200, &turns(&[0.004, 0.0042, 0.0044]));
        let alone = seeded("alone", "convnext-tiny", "CF", Some(1));
        entries.push(cell(&alone, 200, turns(&[0.004])[0]));
        let of_one_shape = of_seeds("CMT", 200, &turns(&[0.004, 0.0042]));
        entries.extend(of_one_shape.clone());
        let f = found(entries);
        let words: Vec<&str> = f.verdicts.iter().map(|v| v.what.as_str()).collect();
        assert_eq!(
            words,
            [
                "attention against yaw, alone, GradCAM",
                "attention against yaw, resnet50 (f32), CF, GradCAM, over trainings",
                "attention against yaw, resnet50 (f32), CMT, GradCAM, over trainings",
            ]
        );
        assert_eq!(f.verdicts[0].ruling, Ruling::Answered);
        let start = "Share of the attention by zone";
        let both = [
            format!("{start}, resnet50 (f32), CF, GradCAM, mean over 3 trainings"),
            format!("{start}, alone, GradCAM"),
        ];
        assert_eq!(titles(&f), both);
        // all have their rows: six networks, five bins each
        assert_eq!(f.tables[0].rows.len(), 30);
        let only = found(of_one_shape);
        assert_eq!(titles(&only).len(), 1, "where there is no other: {:?}", titles(&only));
    }

    #[test]
    fn a_test_set_that_one_training_alone_has_rules_nothing_and_is_drawn_where_it_turns_further() {
        let wide = of_seeds("CF", 200, &turns(&[0.0; 3]));
        let mut entries = wide.clone();
        for entry in &mut entries {
            entry.data.set = "CF".to_owned();
            for pose in entry.points.iter_mut().filter_map(|p| p.pose.as_mut()) {
                pose[0] %= 8.0;
            }
        }
        let before = found(entries.clone());
        assert!(before.verdicts[0].found.ends_with("200 views of CF"), "{:?}", before.verdicts);
        assert!(before.figures.is_empty(), "two bins make no curve");
        entries.push(wide[0].clone());
        let after = found(entries);
        assert_eq!(after.verdicts, before.verdicts);
        let drawn = "Share of the attention by zone, CF1, GradCAM, one of several trainings";
        assert_eq!(titles(&after), [drawn]);
    }
}
