//! Training on one shape alone, with trainings as the unit: what the gains of several seeds say together.

use super::across::{self, WAITS};
use super::one_shape::{Gain, WHAT, published, published_or_not, ruling};
use super::{NOT_OF_THE_PAPER, beside_zero, not_measured, title};
use crate::study::finding::{Item, Ruling, Table, Verdict};

/// Gains of two seeds or more of one architecture, number format and shape, by one method on one test set.
pub(super) type Group<'r> = across::Group<'r, Gain<'r>>;

/// All groups, in the order of the gains.
pub(super) fn groups<'r>(gains: &'r [Gain<'r>]) -> Vec<Group<'r>> {
    across::groups(gains, |gain| gain.paired.difference.mean)
}

impl Group<'_> {
    /// What the trainings say together.
    pub(super) fn verdict(&self, p_holm: Option<f64>) -> Verdict {
        let (single, of_paper) = (self.first.single, self.first.of_paper());
        let what = format!(
            "{WHAT}, {} ({}), {} on {}, {}, over trainings",
            single.architecture,
            single.precision,
            single.train,
            self.first.set,
            title(self.first.explainer)
        );
        let published = of_paper.then(published);
        let across = &self.across;
        let (Some(m), Some(p), Some(found)) = (across.mean(), p_holm, across.found(p_holm)) else {
            return not_measured(&what, published, WAITS);
        };
        let sure = p < 0.05;
        let (ruling, rule) = if of_paper {
            let found = ruling(m.ci95);
            let rule = "rule: the interval lies above 0 and meets the published range, p (Holm) < 0.05; one wholly beside the range \
                        contradicts";
            let kept = if found == Ruling::Reproduced && !sure { Ruling::Undecided } else { found };
            (kept, rule.to_owned())
        } else {
            let found = beside_zero(m.ci95) && sure;
            let rule = "answered if the interval leaves out zero and p (Holm) < 0.05";
            let ruling = if found { Ruling::Answered } else { Ruling::Undecided };
            (ruling, format!("{NOT_OF_THE_PAPER}; {rule}"))
        };
        Verdict {
            what,
            published,
            found,
            ruling,
            why: format!(
                "{rule}. Student's t over the mean gains of the seeds, each over the frames of the shape: it speaks of further trainings \
                 on these sets, on these signs"
            ),
        }
    }

    fn items(&self, p_holm: Option<f64>) -> Vec<Item> {
        let single = self.first.single;
        let names = |g: &&Gain<'_>| format!("{}, {}", g.every.name, g.single.name);
        let networks: Vec<String> = self.trainings.iter().map(names).collect();
        let [least, most] = self.across.ends();
        vec![
            Item::text(&single.architecture),
            Item::text(&single.precision),
            Item::text(&single.train),
            Item::text(self.first.set),
            Item::text(title(self.first.explainer)),
            Item::Count(self.trainings.len()),
            Item::difference(self.across.mean()),
            least,
            most,
            Item::text(published_or_not(single)),
            Item::p(self.p()),
            Item::p(p_holm),
            Item::text(networks.join("; ")),
        ]
    }
}

/// A row a group; no table without any.
pub(super) fn table(groups: &[Group<'_>], holm: &[Option<f64>]) -> Option<Table> {
    let mut table = Table::new(
        "single-shape-trainings",
        "Training on one shape less training on all shapes (CM), over the seeds of the trainings",
        &[
            "architecture",
            "weights",
            "trained on",
            "tested on",
            "method",
            "trainings",
            "gain over trainings",
            "smallest",
            "largest",
            "published",
            "p",
            "p (Holm)",
            "networks",
        ],
    );
    table.rows.extend(groups.iter().zip(holm).map(|(group, p)| group.items(*p)));
    (!table.rows.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::super::one_shape::tables;
    use super::super::testing::{entry, noise, seeded};
    use super::*;
    use crate::study::book::{Book, Entry};

    /// A network of CM and one of triangles alone from each seed; the second's ratio is higher by a gain.
    fn of_seeds(architecture: &str, gains: &[f64]) -> Vec<Entry> {
        let pair = |(seed, gain): (u64, &f64)| {
            ["CM", "CMT"].map(|train| {
                let n = seeded(&format!("{train}{seed}"), architecture, train, Some(seed));
                let own = if train == "CMT" { *gain } else { 0.0 };
                entry(&n, "CM", "gradcam", 120, |i, p| p.ratio = Some(0.4 + 0.2 * noise(i) + own))
            })
        };
        (1..).zip(gains).flat_map(pair).collect()
    }

    fn found(entries: Vec<Entry>) -> (Vec<Table>, Vec<Verdict>) {
        tables(&Book { entries, ..Book::default() })
    }

    #[test]
    fn several_seeds_rule_together() {
        let (tables, verdicts) = found(of_seeds("convnext-tiny", &[0.050, 0.052, 0.054]));
        assert_eq!(verdicts.len(), 1, "{verdicts:?}");
        let v = &verdicts[0];
        assert_eq!(
            v.what,
            "single-shape training against all shapes, convnext-tiny (f32), CMT on CM, GradCAM, over trainings"
        );
        // 0.052 +- 4.303 x 0.002 / sqrt(3)
        assert!(v.found.starts_with("+0.0520 (+0.0470 to +0.0570) over 3 trainings"), "{v:?}");
        assert_eq!(v.ruling, Ruling::Reproduced);
        // a gain decides nothing by itself: no adjusted p-value of its own
        assert_eq!(tables[0].rows.len(), 3);
        assert!(tables[0].rows.iter().all(|row| row[10] == Item::Nothing), "{:?}", tables[0]);
        assert_eq!(tables[1].rows[0].len(), tables[1].header.len());
        assert_eq!(tables[1].rows[0][12], Item::text("CM1, CMT1; CM2, CMT2; CM3, CMT3"));
    }

    #[test]
    fn seeds_that_scatter_decide_nothing_and_a_loss_contradicts() {
        let ruling = |architecture, gains: &[f64]| found(of_seeds(architecture, gains)).1[0].ruling;
        assert_eq!(ruling("resnet50", &[0.10, -0.09, 0.05]), Ruling::Undecided);
        assert_eq!(ruling("resnet50", &[-0.050, -0.051, -0.052]), Ruling::NotReproduced);
        assert_eq!(ruling("resnet-tiny", &[0.10, -0.09, 0.05]), Ruling::Undecided);
        assert_eq!(ruling("resnet-tiny", &[-0.050, -0.051, -0.052]), Ruling::Answered);
    }

    #[test]
    fn a_single_seed_beside_them_is_judged_by_frames() {
        let mut entries = of_seeds("resnet-tiny", &[0.050, 0.052, 0.054]);
        entries.extend(of_seeds("resnet50", &[0.05]).into_iter().map(|mut e| {
            e.network.name.push_str("-large");
            e
        }));
        let (tables, verdicts) = found(entries);
        assert_eq!((tables[0].rows.len(), tables[1].rows.len(), verdicts.len()), (4, 1, 2));
        assert!(verdicts[0].found.starts_with("CMT1-large on CM"), "{verdicts:?}");
        assert!(verdicts[1].what.ends_with("over trainings"), "{verdicts:?}");
    }
}
