//! The contrast with trainings as the unit: what pairs of several seeds say together.
//!
//! Two networks differ by what they were trained on and by the training itself. Over frames, however many, the two cannot be told
//! apart; the mean differences of pairs from several seeds scatter by the training alone.

use super::across::{self, WAITS};
use super::contrast_row::Row;
use super::contrast_rule::{published, published_or_not, rule};
use super::{level_letter, not_measured, title};
use crate::study::finding::{Item, Mark, Table, Verdict};

/// Pairs of two seeds or more of one architecture, number format and level, by one method on one test set.
pub(super) type Group<'r> = across::Group<'r, Row<'r>>;

/// All groups, in the order of the rows.
pub(super) fn groups<'r>(rows: &'r [Row<'r>]) -> Vec<Group<'r>> {
    across::groups(rows, |row| row.paired.difference.mean)
}

impl Group<'_> {
    /// Test set.
    pub(super) const fn set(&self) -> &'static str {
        self.first.set
    }

    /// `resnet50 (int8-qdq), GradCAM, level F`.
    fn name(&self) -> String {
        format!("{}, level {}", self.first.name(), level_letter(self.first.level))
    }

    fn architecture(&self) -> &str {
        &self.first.correlated.architecture
    }

    /// Whether both are of networks of one recipe, so that a sentence on both need not name it.
    fn shares_recipe_with(&self, other: &Self) -> bool {
        across::is_of_recipe(self.first.correlated, other.first.correlated)
    }

    /// `GradCAM +0.0120 (+0.0070 to +0.0170), 3 seeds, p (Holm) 0.0091`; none if there was no test.
    fn in_short(&self, p_holm: Option<f64>, named: bool) -> Option<String> {
        let (m, p) = (self.across.mean()?, p_holm?);
        let of = if named { format!("{}:", self.name()) } else { title(self.first.explainer) };
        let difference = Item::difference(Some(m)).shown();
        Some(format!("{of} {difference}, {} seeds, p (Holm) {}", m.n, Item::P(p).shown()))
    }

    /// What the trainings say together.
    pub(super) fn verdict(&self, p_holm: Option<f64>) -> Verdict {
        let what = format!("{}: correlated against uncorrelated, over trainings", self.name());
        let published = published(self.architecture());
        let across = &self.across;
        let (Some(m), Some(p), Some(found)) = (across.mean(), p_holm, across.found(p_holm)) else {
            return not_measured(&what, published, WAITS);
        };
        // without scatter there is no interval, and nothing to be equivalent
        let values = m.ci95.map_or(&[][..], |_| across.values());
        let (ruling, rule) = rule(self.architecture(), values, m.ci95, p);
        Verdict {
            what,
            published,
            found,
            ruling,
            why: format!(
                "{rule}. Student's t over the mean differences of the seeds, each over frames: it speaks of further trainings on these \
                 sets, on these signs"
            ),
        }
    }

    /// The mean over the seeds. Of two the interval (12.7 standard errors) would hide all others and is left out.
    pub(super) fn mark(&self) -> Option<Mark> {
        let m = self.across.mean()?;
        let (set, level) = (self.first.set, level_letter(self.first.level));
        Some(Mark {
            name: format!("{} on {set}, level {level}, over {} trainings", self.first.name(), m.n),
            group: "over trainings".to_owned(),
            value: m.mean,
            ci95: m.ci95.filter(|_| m.n > 2),
        })
    }

    fn items(&self, p_holm: Option<f64>) -> Vec<Item> {
        let c = self.first.correlated;
        let networks: Vec<String> = self.trainings.iter().map(|row| row.networks()).collect();
        let [least, most] = self.across.ends();
        vec![
            Item::text(&c.architecture),
            Item::text(&c.precision),
            Item::text(level_letter(self.first.level)),
            Item::text(self.first.set),
            Item::text(title(self.first.explainer)),
            Item::Count(self.trainings.len()),
            Item::difference(self.across.mean()),
            least,
            most,
            Item::text(published_or_not(&c.architecture)),
            Item::p(self.p()),
            Item::p(p_holm),
            Item::text(networks.join("; ")),
        ]
    }
}

/// A row a group; no table without any.
pub(super) fn table(groups: &[Group<'_>], holm: &[Option<f64>]) -> Option<Table> {
    let mut table = Table::new(
        "contrast-trainings",
        "Uncorrelated less correlated training, over the seeds of the trainings",
        &[
            "architecture",
            "weights",
            "level",
            "test",
            "method",
            "trainings",
            "difference over trainings",
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

/// What every group says, the first method first; none without a group that was tested. Short, since it stands in the overview:
/// networks are named where there are several, and what single seeds say is left to the verdicts.
pub(super) fn headline(groups: &[(&Group<'_>, Option<f64>)]) -> Option<String> {
    let named = groups.windows(2).any(|pair| !pair[0].0.shares_recipe_with(pair[1].0));
    let each: Vec<String> =
        groups.iter().filter_map(|(group, p)| group.in_short(*p, named)).collect();
    (!each.is_empty())
        .then(|| format!("Uncorrelated less correlated training: {}", each.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::super::contrast::finding;
    use super::super::testing::{entry, noise, seeded};
    use super::*;
    use crate::stats;
    use crate::study::book::{Book, Entry};
    use crate::study::finding::{Figure, Finding, Ruling};

    /// C and U of level F from a seed; the ratio on U is higher by `shift`.
    fn pair(architecture: &str, seed: Option<u64>, shift: f64) -> [Entry; 2] {
        ["CF", "UF"].map(|train| {
            let name = seed.map_or_else(|| "x".to_owned(), |seed| seed.to_string());
            let n = seeded(&format!("{architecture}-{train}-{name}"), architecture, train, seed);
            let own = if train == "UF" { shift } else { 0.0 };
            entry(&n, "CF", "gradcam", 100, |i, p| p.ratio = Some(0.5 + 0.3 * noise(i) + own))
        })
    }

    fn of_seeds(architecture: &str, shifts: &[f64]) -> Vec<Entry> {
        (1..).zip(shifts).flat_map(|(seed, shift)| pair(architecture, Some(seed), *shift)).collect()
    }

    fn found(entries: Vec<Entry>) -> Finding {
        finding(&Book { entries, ..Book::default() })
    }

    #[test]
    fn several_seeds_rule_and_a_single_one_of_them_does_not() {
        let f = found(of_seeds("convnext-tiny", &[0.010, 0.012, 0.014]));
        let v = &f.verdicts[0];
        assert_eq!(
            v.what,
            "convnext-tiny (f32), GradCAM, level F: correlated against uncorrelated, over trainings"
        );
        // 0.012 +- 4.303 x 0.002 / sqrt(3); t = 10.392 of 2 degrees of freedom: p = 1 - t / sqrt(2 + t^2)
        let words = "+0.0120 (+0.0070 to +0.0170) over 3 trainings of each set, p (Holm) 0.0091; single ones +0.0100 to +0.0140";
        assert_eq!((v.found.as_str(), v.ruling), (words, Ruling::Reproduced));
        let headline = "Uncorrelated less correlated training: GradCAM +0.0120 (+0.0070 to +0.0170), 3 seeds, p (Holm) 0.0091";
        assert_eq!(f.headline.as_deref(), Some(headline));
        for (seed, single) in (1..).zip(&f.verdicts[1..4]) {
            assert_eq!(single.ruling, Ruling::NotComparable);
            assert_eq!(single.why, "one of several trainings: see over trainings");
            let names = format!(", level F, convnext-tiny-CF-{seed} and convnext-tiny-UF-{seed}: ");
            assert!(single.what.contains(&names), "{}", single.what);
        }
        // the figure and both tables tell the pairs apart
        let Figure::Intervals { marks, .. } = &f.figures[0] else { panic!("{:?}", f.figures) };
        let names: std::collections::BTreeSet<&str> =
            marks.iter().map(|m| m.name.as_str()).collect();
        assert_eq!((names.len(), marks.len()), (4, 4));
        assert!(marks[0].name.ends_with("over 3 trainings"), "{}", marks[0].name);
        let rows = &f.tables[0].rows;
        assert_eq!(rows[1][17], Item::text("convnext-tiny-CF-2, convnext-tiny-UF-2"));
        assert_eq!(f.tables[1].rows[0].len(), f.tables[1].header.len());
        assert_eq!(f.tables[1].rows[0][5], Item::Count(3));
    }

    #[test]
    fn the_sentence_of_the_overview_is_short_and_names_networks_only_to_tell_them_apart() {
        let of_methods = |architecture: &str| -> Vec<Entry> {
            let entries = of_seeds(architecture, &[0.010, 0.012, 0.014]);
            let others = ["captum, 1000", "permutation, 962"].into_iter().flat_map(|explainer| {
                let explainer = explainer.to_owned();
                entries.iter().map(move |e| Entry { explainer: explainer.clone(), ..e.clone() })
            });
            let others: Vec<Entry> = others.collect();
            entries.into_iter().chain(others).collect()
        };
        let f = found(of_methods("resnet-tiny"));
        let headline = f.headline.as_deref().unwrap();
        let is_word = |word: &&str| word.chars().any(char::is_alphabetic);
        assert!(headline.split_whitespace().filter(is_word).count() <= 25, "{headline}");
        for method in ["GradCAM", "Kernel SHAP (captum, 1000)", "Kernel SHAP (permutation, 962)"] {
            let numbers = format!("{method} +0.0120 (+0.0070 to +0.0170), 3 seeds, p (Holm) ");
            assert!(headline.contains(&numbers), "{headline}");
        }
        let mut entries = of_methods("resnet-tiny");
        entries.extend(of_seeds("convnext-tiny", &[0.010, 0.012, 0.014]));
        let f = found(entries);
        let headline = f.headline.as_deref().unwrap();
        for name in ["resnet-tiny (f32), GradCAM, level F", "convnext-tiny (f32), GradCAM, level F"]
        {
            assert!(headline.contains(&format!("{name}: +0.0120 (")), "{headline}");
        }
    }

    #[test]
    fn seeds_that_all_give_the_same_difference_decide_nothing() {
        for (architecture, shift) in
            [("convnext-tiny", 0.012), ("resnet50", 0.0), ("resnet-tiny", 0.25)]
        {
            let f = found(of_seeds(architecture, &[shift; 3]));
            let v = &f.verdicts[0];
            let one = format!("{shift:+.4}");
            let words = format!(
                "{one} over 3 trainings of each set, p (Holm) 1.0000; single ones {one} to {one}"
            );
            assert_eq!((v.found.as_str(), v.ruling), (words.as_str(), Ruling::Undecided));
            // an interval of no width is none, in the figure and in the table
            let Figure::Intervals { marks, .. } = &f.figures[0] else { panic!("{:?}", f.figures) };
            assert_eq!(marks[0].ci95, None);
            let row = &f.tables[1].rows[0];
            assert!(matches!(row[6], Item::Number { ci95: None, .. }), "{row:?}");
            assert_eq!([&row[10], &row[11]], [&Item::P(1.0), &Item::P(1.0)]);
            assert!(!format!("{f:?}").contains("NaN"), "{f:?}");
        }
    }

    #[test]
    fn what_frames_call_a_difference_is_none_where_seeds_scatter_as_far() {
        let f = found(of_seeds("convnext-tiny", &[0.020, -0.020, 0.004]));
        assert_eq!(f.verdicts[0].ruling, Ruling::Undecided, "{:?}", f.verdicts[0]);
        assert!(f.verdicts.iter().all(|v| !v.ruling.is_decided()), "{:?}", f.verdicts);
        let Item::P(p) = f.tables[0].rows[0][10] else { panic!("{:?}", f.tables[0].rows) };
        assert!(p < 0.001, "over frames it is sure: {p}");
    }

    #[test]
    fn holm_is_over_the_tests_that_decide() {
        let mut entries = of_seeds("convnext-tiny", &[0.010, 0.012, 0.014]);
        entries.extend(pair("resnet50", Some(1), 0.0));
        let f = found(entries);
        let p = |table: usize, row: usize, column: usize| match f.tables[table].rows[row][column] {
            Item::P(p) => Some(p),
            _ => None,
        };
        let raw = [p(0, 3, 10).unwrap(), p(1, 0, 10).unwrap()];
        let adjusted = [p(0, 3, 11).unwrap(), p(1, 0, 11).unwrap()];
        assert_eq!(stats::holm(&raw), adjusted);
        assert!((adjusted[1] - 2.0 * 0.00913).abs() < 1e-4, "{adjusted:?}");
        for single in 0..3 {
            assert_eq!(p(0, single, 11), None, "decides nothing");
        }
        let alone = f.verdicts.iter().find(|v| v.what.starts_with("resnet50 (f32), GradCAM:"));
        assert_eq!(alone.unwrap().ruling, Ruling::Reproduced);
        assert!(alone.unwrap().why.contains("(one training a set)"), "{alone:?}");
    }

    #[test]
    fn one_training_a_set_is_said_of_no_set_with_several() {
        // two trainings on C, one on U: seed 1 alone is a pair
        let mut entries = of_seeds("resnet50", &[0.001, 0.001]);
        entries.pop();
        let f = found(entries);
        assert_eq!(f.tables.len(), 1, "one pair is no group");
        assert!(f.verdicts[0].why.contains("(one of several trainings)"), "{:?}", f.verdicts[0]);
        // pairs whose seeds nobody tells may share a training
        let mut entries = of_seeds("resnet50", &[0.001, 0.001]);
        for entry in &mut entries {
            entry.network.seed = None;
        }
        let f = found(entries);
        assert_eq!((f.tables.len(), f.tables[0].rows.len()), (1, 4));
        assert!(f.verdicts[..4].iter().all(|v| v.why.contains("(one of several trainings)")));
        assert_eq!(f.headline, None);
    }

    #[test]
    fn of_networks_that_the_paper_does_not_have_a_sure_difference_is_an_answer() {
        for (shifts, ruling) in [
            ([0.100, 0.101, 0.102], Ruling::Answered),
            ([-0.100, -0.101, -0.102], Ruling::Answered),
            ([0.020, -0.020, 0.004], Ruling::Undecided),
        ] {
            let f = found(of_seeds("resnet-tiny", &shifts));
            let v = &f.verdicts[0];
            assert_eq!((v.ruling, &v.published), (ruling, &None), "{v:?}");
            assert!(v.why.starts_with("not one of the paper's networks"), "{v:?}");
            assert_eq!(f.tables[0].rows[0][9], Item::text("not published"));
            assert_eq!(f.tables[1].rows[0][9], Item::text("not published"));
            let Figure::Intervals { published, .. } = &f.figures[0] else { panic!() };
            assert_eq!(*published, None, "no band that is not theirs");
        }
        let single = found(of_seeds("resnet-tiny", &[0.1]));
        assert_eq!(
            (single.verdicts[0].ruling, &single.verdicts[0].published),
            (Ruling::Answered, &None)
        );
        let paper = found(of_seeds("resnet50", &[0.1]));
        let Figure::Intervals { published, .. } = &paper.figures[0] else { panic!() };
        assert!(published.is_some());
    }

    #[test]
    fn a_seed_whose_cell_was_only_begun_waits() {
        let mut entries = of_seeds("convnext-tiny", &[0.010, 0.012, 0.5]);
        entries[4].points.truncate(3);
        let f = found(entries.clone());
        assert!(f.verdicts[0].found.contains("over 2 trainings"), "{:?}", f.verdicts[0]);
        assert_eq!(f.verdicts[3].ruling, Ruling::NotComparable, "{:?}", f.verdicts[3]);
        entries[0].points.truncate(3);
        let f = found(entries);
        assert_eq!(f.verdicts[0].ruling, Ruling::Missing);
        assert_eq!(f.headline, None);
        assert_eq!(f.tables[1].rows[0][6], Item::Nothing);
    }
}
