//! The order of the shapes with trainings as the unit: what the steps of several seeds say together.
//!
//! Frames of one network, however many, cannot tell a step that belongs to the shapes from one that this training has by chance.

use std::collections::BTreeMap;

use super::across::{Across, Recipe, Training, WAITS, is_of_recipe, recipe_name, recipes};
use super::alike::Measure;
use super::shape_order::{Asked, PUBLISHED, SHAPES, STEPS, of_paper, verdict};
use super::{NOT_PUBLISHED, mean, not_measured, title};
use crate::stats;
use crate::study::book::Entry;
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Item, Table, Verdict};

const OVER_SEEDS: &str = "Student's t over the steps of the seeds, each the difference of two means of one network on the frames that all \
                          of them have: it speaks of further trainings on this set, on these signs";

impl Training for Asked<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        is_of_recipe(&self.entry.network, &other.entry.network)
            && self.entry.explainer == other.entry.explainer
    }

    fn seed(&self) -> Option<u64> {
        self.entry.network.seed
    }

    fn is_complete(&self) -> bool {
        self.entry.points.len() >= self.entry.asked
    }
}

/// The steps of the order over several seeds.
struct Steps {
    /// Means of the shapes over the trainings.
    means: [f64; 3],
    /// Of each training, in the order of [`STEPS`].
    across: [Across; 3],
    /// Their p-values after Holm.
    holm: Vec<f64>,
}

/// Networks of two seeds or more of one architecture, number format and training set, by one method.
pub(super) struct Group<'r> {
    first: &'r Asked<'r>,
    trainings: Vec<&'r Asked<'r>>,
    /// None if not two are complete and share frames of every shape.
    steps: Option<Steps>,
}

/// All groups, in the order of the cells.
pub(super) fn groups<'r>(asked: &'r [Asked<'r>]) -> Vec<Group<'r>> {
    let group = |Recipe { first, trainings }: Recipe<'r, Asked<'r>>| {
        let steps = Steps::over(&trainings.iter().map(|t| t.entry).collect::<Vec<_>>());
        Group { first, trainings, steps }
    };
    recipes(asked).into_iter().map(group).collect()
}

/// Shape and ratio of each cell, of frames that have a ratio in all of them.
fn frames<'a>(cells: &[&'a Entry]) -> Vec<(&'a str, Vec<f64>)> {
    let points = || cells.iter().copied().flat_map(|e| &e.points);
    let measure = Measure::of(points());
    let mut frames: BTreeMap<(u16, u32), (&str, Vec<f64>)> = BTreeMap::new();
    for point in points() {
        let (_, ratios) =
            frames.entry(point.key()).or_insert_with(|| (point.shape.as_str(), Vec::new()));
        ratios.extend(measure.ratio(point));
    }
    frames.into_values().filter(|(_, ratios)| ratios.len() == cells.len()).collect()
}

impl Steps {
    fn over(cells: &[&Entry]) -> Option<Self> {
        let frames = frames(cells);
        let of = |cell: usize| -> Option<[f64; 3]> {
            let [low, middle, high] = SHAPES.map(|shape| {
                let here = frames.iter().filter(|(own, _)| *own == shape);
                mean(&here.map(|(_, ratios)| ratios[cell]).collect::<Vec<_>>())
            });
            Some([low?.mean, middle?.mean, high?.mean])
        };
        let each: Vec<[f64; 3]> = (0..cells.len()).map(of).collect::<Option<_>>()?;
        let means = [0, 1, 2].map(|i| each.iter().map(|m| m[i]).sum::<f64>() / each.len() as f64);
        let across = STEPS.map(|[a, b]| Across::new(each.iter().map(|m| m[b] - m[a]).collect()));
        let p: Vec<f64> = across.iter().map(Across::p).collect::<Option<_>>()?;
        Some(Self { means, across, holm: stats::holm(&p) })
    }
}

impl Group<'_> {
    /// Whether a cell is of one of the trainings, complete or not.
    pub(super) fn holds(&self, asked: &Asked<'_>) -> bool {
        self.first.is_training_of(asked)
    }

    const fn network(&self) -> &NetworkFacts {
        &self.first.entry.network
    }

    fn method(&self) -> String {
        title(&self.first.entry.explainer)
    }

    /// What the trainings say together.
    pub(super) fn verdict(&self) -> Verdict {
        let network = self.network();
        let what =
            format!("order of shapes, {}, {}, over trainings", recipe_name(network), self.method());
        let Some(steps) = &self.steps else {
            let published = of_paper(network).then(|| PUBLISHED.to_owned());
            let why = format!("{WAITS} and share frames of every shape");
            return not_measured(&what, published, &why);
        };
        let found = verdict(what, network, steps.means, &steps.holm, OVER_SEEDS);
        let [first, second, _] =
            steps.across.each_ref().map(|across| Item::difference(across.mean()).shown());
        Verdict {
            found: format!(
                "over {} trainings: steps {first} and {second}; {}",
                self.trainings.len(),
                found.found
            ),
            ..found
        }
    }

    /// A row a step; none if not two trainings are complete.
    fn rows(&self) -> Vec<Vec<Item>> {
        let network = self.network();
        let names: Vec<&str> =
            self.trainings.iter().map(|t| t.entry.network.name.as_str()).collect();
        let Some(steps) = &self.steps else { return Vec::new() };
        let row = |i: usize| {
            let (across, [from, to]) = (&steps.across[i], STEPS[i]);
            let [least, most] = across.ends();
            vec![
                Item::text(&network.architecture),
                Item::text(&network.precision),
                Item::text(&network.train),
                Item::text(self.method()),
                Item::text(format!("{} to {}", SHAPES[from], SHAPES[to])),
                Item::Count(self.trainings.len()),
                Item::difference(across.mean()),
                least,
                most,
                Item::text(if of_paper(network) { PUBLISHED } else { NOT_PUBLISHED }),
                Item::p(across.p()),
                Item::P(steps.holm[i]),
                Item::text(names.join(", ")),
            ]
        };
        (0..STEPS.len()).map(row).collect()
    }
}

/// Rows of all groups; no table without any.
pub(super) fn table(groups: &[Group<'_>]) -> Option<Table> {
    let mut table = Table::new(
        "shape-trainings",
        "Steps from shape to shape, over the seeds of the trainings",
        &[
            "architecture",
            "weights",
            "trained on",
            "method",
            "step",
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
    table.rows.extend(groups.iter().flat_map(Group::rows));
    (!table.rows.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::super::shapes::finding;
    use super::super::testing::{entry, noise, seeded};
    use super::*;
    use crate::study::book::Book;
    use crate::study::finding::{Finding, Ruling};

    /// A network from each seed, by its steps from rectangular to circular and from circular to triangular.
    fn of_seeds(architecture: &str, steps: &[[f64; 2]]) -> Vec<Entry> {
        let one = |(seed, [below, above]): (u64, &[f64; 2])| {
            let n = seeded(&format!("s{seed}"), architecture, "CF", Some(seed));
            entry(&n, "CF", "gradcam", 300, |i, p| {
                // circular, triangular, rectangular in turn, all three with the same noise
                p.ratio = Some(0.6 + [0.0, *above, -below][i % 3] + 0.1 * noise(i / 3));
            })
        };
        (1..).zip(steps).map(one).collect()
    }

    fn found(entries: Vec<Entry>) -> Finding {
        finding(&Book { entries, ..Book::default() })
    }

    /// Verdicts on the order, without those on single shapes.
    fn orders(found: &Finding) -> Vec<&Verdict> {
        found.verdicts.iter().filter(|v| v.what.starts_with("order of shapes")).collect()
    }

    #[test]
    fn seeds_that_agree_rule_together_and_a_single_one_does_not() {
        let up = [[0.050, 0.040], [0.052, 0.042], [0.048, 0.038]];
        let f = found(of_seeds("resnet50", &up));
        let verdicts = orders(&f);
        assert_eq!(verdicts.len(), 1, "{verdicts:?}");
        let v = verdicts[0];
        assert_eq!(v.what, "order of shapes, resnet50 (f32), CF, GradCAM, over trainings");
        // 0.050 +- 4.303 x 0.002 / sqrt(3)
        let start = "over 3 trainings: steps +0.0500 (+0.0450 to +0.0550) and +0.0400 (+0.0350 to +0.0450); rectangular 0.";
        assert!(v.found.starts_with(start), "{v:?}");
        assert_eq!((v.ruling, v.published.as_deref()), (Ruling::Reproduced, Some(PUBLISHED)));
        assert_eq!(f.tables[0].rows.len(), 9, "every network keeps its rows");
        let (table, rows) = (&f.tables[1], &f.tables[1].rows);
        assert_eq!((table.name.as_str(), rows.len()), ("shape-trainings", 3));
        assert!(rows.iter().all(|row| row.len() == table.header.len()), "{rows:?}");
        assert_eq!(rows[2][4], Item::text("rectangular to triangular"));
        assert!(rows[2][6].shown().starts_with("+0.0900 ("), "{rows:?}");
        // t of 43.3, 34.6 and 39.0 with 2 degrees of freedom: p = 1 - t / sqrt(2 + t^2), three times the smallest
        assert_eq!([rows[0][11].shown(), rows[1][11].shown()], ["0.0016", "0.0016"]);
        let down = up.map(|[below, above]| [-below, -above]);
        for (architecture, ruling) in
            [("resnet50", Ruling::NotReproduced), ("resnet-tiny", Ruling::Answered)]
        {
            assert_eq!(orders(&found(of_seeds(architecture, &down)))[0].ruling, ruling);
        }
    }

    #[test]
    fn seeds_that_scatter_decide_nothing_however_sure_each_of_them_is() {
        let steps = [[0.05, 0.05], [0.01, -0.04]];
        for (seed, ruling) in [(0, Ruling::Reproduced), (1, Ruling::NotReproduced)] {
            let alone = found(of_seeds("resnet50", &steps[seed..=seed]));
            assert_eq!(orders(&alone)[0].ruling, ruling);
        }
        let both = found(of_seeds("resnet50", &steps));
        let rulings: Vec<Ruling> = orders(&both).iter().map(|v| v.ruling).collect();
        assert_eq!(rulings, [Ruling::Undecided]);
    }

    #[test]
    fn a_seed_whose_cell_was_only_begun_waits() {
        let mut entries = of_seeds("resnet50", &[[0.05, 0.04], [0.052, 0.042], [-0.9, -0.9]]);
        entries[2].points.truncate(9);
        let f = found(entries.clone());
        let verdicts = orders(&f);
        assert_eq!(verdicts.len(), 1, "{verdicts:?}");
        assert!(verdicts[0].found.starts_with("over 2 trainings: steps +0.0510 ("), "{verdicts:?}");
        entries[0].points.truncate(2);
        let f = found(entries);
        let verdicts = orders(&f);
        assert_eq!((verdicts.len(), verdicts[0].ruling), (1, Ruling::Missing), "{verdicts:?}");
        assert!(f.tables.iter().all(|table| table.name != "shape-trainings"));
    }

    #[test]
    fn trainings_are_compared_on_the_frames_that_all_of_them_have() {
        let mut entries = of_seeds("resnet50", &[[0.05, 0.04], [0.052, 0.042]]);
        let before = orders(&found(entries.clone()))[0].found.clone();
        let [first, second] = entries.as_mut_slice() else { panic!("two") };
        first.points.truncate(150);
        first.asked = 150;
        for point in &mut second.points[150..] {
            point.ratio = Some(0.0);
        }
        let after = orders(&found(entries))[0].found.clone();
        let steps = |found: &str| found.split("; ").next().map(str::to_owned);
        assert_eq!(steps(&after), steps(&before));
    }

    #[test]
    fn a_network_of_its_own_and_several_without_seeds_are_judged_by_frames() {
        let mut entries = of_seeds("resnet50", &[[0.05, 0.04], [0.05, 0.04]]);
        for entry in &mut entries {
            entry.network.seed = None;
        }
        entries.extend(of_seeds("convnext-tiny", &[[0.05, 0.04]]).into_iter().map(|mut e| {
            e.network.name.push_str("-tiny");
            e
        }));
        let f = found(entries);
        let verdicts = orders(&f);
        assert_eq!(verdicts.len(), 3);
        assert!(verdicts.iter().all(|v| v.ruling == Ruling::Reproduced), "{verdicts:?}");
    }
}
