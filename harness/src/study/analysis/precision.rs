//! Integers against floating point: does quantization move the decision or the attention?

use super::alike::Measure;
use super::shares::{self, ShareDifference};
use super::twins::{Twin, twins};
use super::{SEED, differences, empty, holm, mean, not_measured, paired, title};
use crate::stats::{self, Equivalence};
use crate::study::book::{Book, Point};
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};

/// Largest change of the mean ratio that counts as none: the goal of docs/quantization.md.
const MARGIN: f64 = 0.005;

const HEADER: [&str; 16] = [
    "integers",
    "floating point",
    "test",
    "method",
    "frames",
    "same class",
    "change of accuracy",
    "change of ratio",
    "p",
    "p (Holm)",
    "p, equivalent",
    "p (Holm), equivalent",
    "rank correlation of maps",
    "lowest",
    "ratios",
    "pair",
];

/// What was found of two networks.
struct Compared<'a> {
    twin: Twin<'a>,
    both: Vec<(&'a Point, &'a Point)>,
    measure: Measure,
    change: Vec<f64>,
    moved: Option<f64>,
    equivalent: Option<Equivalence>,
}

impl<'a> Compared<'a> {
    fn new(twin: Twin<'a>) -> Self {
        let both = paired(twin.float, twin.integer);
        let measure = Measure::of_pairs(&both);
        let change = differences(&measure.pairs(&both));
        let moved = stats::sign_flip(&change, SEED).map(|t| t.p);
        let equivalent = stats::tost(&change, MARGIN);
        Self { twin, both, measure, change, moved, equivalent }
    }

    fn same(&self) -> usize {
        self.both.iter().filter(|(f, i)| f.predicted == i.predicted).count()
    }

    /// Rank correlations of the maps where both predict one class.
    fn order(&self) -> Vec<f64> {
        let same = self.both.iter().filter(|(f, i)| f.predicted == i.predicted);
        same.filter_map(|(f, i)| correlation(f, i)).collect()
    }

    fn row(&self, [moved, equivalent]: [Option<f64>; 2]) -> Vec<Item> {
        let right: Vec<(bool, bool)> =
            self.both.iter().map(|(f, i)| (i.correct(), f.correct())).collect();
        let order = self.order();
        let mut row = names(&self.twin);
        row.extend([
            Item::Count(self.both.len()),
            Item::share(stats::wilson(self.same(), self.both.len())),
            shares::paired(&right).map_or(Item::Nothing, ShareDifference::item),
            Item::difference(mean(&self.change)),
            Item::p(self.moved),
            Item::p(moved),
            Item::p(self.equivalent.map(|t| t.p)),
            Item::p(equivalent),
            Item::mean(mean(&order)),
            Item::number(order.iter().copied().reduce(f64::min), 3),
            Item::text(self.measure.words()),
            Item::text(&self.twin.origin),
        ]);
        row
    }

    fn mark(&self) -> Option<Mark> {
        let Twin { integer, float, explainer, .. } = &self.twin;
        let mean = mean(&self.change)?;
        Some(Mark {
            name: format!(
                "{} less {} on {}, {}",
                integer.network.name,
                float.network.name,
                integer.data.set,
                title(explainer)
            ),
            group: title(explainer),
            value: mean.mean,
            ci95: mean.ci95,
        })
    }

    fn verdict(&self) -> Verdict {
        let Twin { integer, float, explainer, .. } = &self.twin;
        let change = mean(&self.change);
        let within = self.equivalent.is_some_and(|t| t.equivalent);
        let beyond =
            change.and_then(|m| m.ci95).is_some_and(|[low, high]| low > MARGIN || high < -MARGIN);
        let outcome = if within {
            "no change within the margin"
        } else if beyond {
            "the attention moves by more than the margin"
        } else {
            "the interval is too wide for the margin"
        };
        Verdict {
            what: format!(
                "{} against {}, {}",
                integer.network.name,
                float.network.name,
                title(explainer)
            ),
            published: None,
            found: format!(
                "ratio {}, mean rank correlation of the maps {}, same class on {} of {}: {outcome}",
                Item::difference(change).shown(),
                Item::mean(mean(&self.order())).shown(),
                self.same(),
                self.both.len(),
            ),
            ruling: if within || beyond { Ruling::Answered } else { Ruling::Undecided },
            why: format!("rule: equivalence within +-{MARGIN}, or an interval beyond it"),
        }
    }
}

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "precision",
        "Does quantization move the attention?",
        "The network in 8-bit integers less the same network in floating point, frame by frame. Rank correlation: Spearman's, of \
         the two maps, where both predict one class. Equivalence: two one-sided t-tests at 5 % against +-0.005, each pair by \
         itself; p-values are adjusted by Holm's method over all rows, those of a change and those of equivalence apart. `pair` \
         tells why the two are held against each other: the manifest of the integer network names the hash of the other, or, \
         where it names none, both are of one architecture and training set. Maps of other coalitions are not compared.",
    );
    let mut table = Table::new("precision", "Integers less floating point", &HEADER);
    let (fit, unfit): (Vec<_>, Vec<_>) =
        twins(book).into_iter().partition(|t| t.obstacle.is_none());
    let compared: Vec<Compared<'_>> = fit.into_iter().map(Compared::new).collect();
    let moved = holm(compared.iter().map(|c| c.moved));
    let equivalent = holm(compared.iter().map(|c| c.equivalent.map(|t| t.p)));
    for (i, c) in compared.iter().enumerate() {
        table.rows.push(c.row([moved[i], equivalent[i]]));
        finding.verdicts.push(c.verdict());
    }
    for twin in &unfit {
        let mut row = names(twin);
        row.resize(HEADER.len() - 1, Item::Nothing);
        row.push(Item::text(format!("left out: {}", twin.obstacle.as_deref().unwrap_or(""))));
        table.rows.push(row);
    }
    if finding.verdicts.is_empty() {
        let needed = "needs a network in integers and in floating point on the same frames";
        let obstacle = unfit.first().and_then(|twin| twin.obstacle.as_deref());
        let why = obstacle.map_or_else(|| needed.to_owned(), |why| format!("{needed}; {why}"));
        finding.verdicts.push(not_measured("integers against floating point", None, &why));
    }
    finding.figures.push(Figure::Intervals {
        title: "Integers less floating point".to_owned(),
        axis: "change of the mean pixel ratio".to_owned(),
        marks: compared.iter().filter_map(Compared::mark).collect(),
        published: None,
        line: Some(0.0),
    });
    finding.tables.push(table);
    finding
}

fn names(twin: &Twin<'_>) -> Vec<Item> {
    vec![
        Item::text(&twin.integer.network.name),
        Item::text(&twin.float.network.name),
        Item::text(&twin.integer.data.set),
        Item::text(title(twin.explainer)),
    ]
}

fn correlation(a: &Point, b: &Point) -> Option<f64> {
    let wide = |map: &[f32]| map.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    stats::spearman(&wide(&a.map), &wide(&b.map))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;
    use crate::study::book::Entry;

    fn book(shift: f64) -> Book {
        let float = network("a.f32", "resnet50", "CF");
        let mut integer = network("a", "resnet50", "CF");
        "int8-qdq".clone_into(&mut integer.precision);
        let map = |i: usize| [1.0, 2.0, 3.0, i as f32];
        Book {
            entries: vec![
                entry(&float, "CF", "gradcam", 100, |i, p| {
                    p.ratio = Some(0.6 + 0.2 * noise(i));
                    p.map = map(i).to_vec();
                }),
                entry(&integer, "CF", "gradcam", 80, |i, p| {
                    p.ratio = Some(0.6 + 0.2 * noise(i) + shift + 0.002 * noise(i * 11));
                    p.map = map(i).map(|v| 10.0 * v).to_vec();
                    p.predicted = if i == 0 { p.class + 1 } else { p.class };
                }),
            ],
            ..Book::default()
        }
    }

    #[test]
    fn equal_attention_is_equivalent_and_a_shift_is_seen() {
        let found = finding(&book(0.0));
        assert!(
            found.verdicts[0].found.ends_with("no change within the margin"),
            "{}",
            found.verdicts[0].found
        );
        let row = &found.tables[0].rows[0];
        assert_eq!(row[4], Item::Count(80));
        assert!(
            row[5].shown().starts_with("98.75 %") && row[12].shown().starts_with("1.0000"),
            "{row:?}"
        );
        let found = finding(&book(-0.02));
        assert!(
            found.verdicts[0].found.ends_with("more than the margin"),
            "{}",
            found.verdicts[0].found
        );
    }

    /// The same cells by permutation sampling.
    fn sampled(book: &Book, change: impl Fn(usize, &mut Entry)) -> Book {
        let mut entries = book.entries.clone();
        for (i, entry) in entries.iter_mut().enumerate() {
            "permutation, 962".clone_into(&mut entry.explainer);
            "one".clone_into(&mut entry.hash_plan);
            change(i, entry);
        }
        Book { entries, ..Book::default() }
    }

    #[test]
    fn p_values_are_those_that_holm_leaves_of_all_rows() {
        let mut both = book(0.0005);
        both.entries.extend(sampled(&book(0.0), |_, _| {}).entries);
        let rows = finding(&both).tables[0].rows.clone();
        assert_eq!(rows.len(), 2);
        for (raw, adjusted) in [(8, 9), (10, 11)] {
            let p = |column: usize| -> Vec<f64> {
                let of = |row: &Vec<Item>| match row[column] {
                    Item::P(p) => p,
                    _ => panic!("{row:?}"),
                };
                rows.iter().map(of).collect()
            };
            assert_eq!(p(adjusted), stats::holm(&p(raw)));
        }
        assert_ne!(rows[0][8], rows[0][9], "the smaller of two is doubled");
    }

    #[test]
    fn maps_of_other_coalitions_are_left_out_by_name() {
        let found = finding(&sampled(&book(0.0), |i, e| e.hash_plan = format!("{i}23456789")));
        let row = &found.tables[0].rows[0];
        assert_eq!(row.len(), HEADER.len());
        let why = row[15].shown();
        assert!(why.contains("left out") && why.contains("12345678 and 02345678"), "{why}");
        assert_eq!(row[7], Item::Nothing);
        assert_eq!(found.verdicts[0].ruling, Ruling::Missing);
        assert!(found.verdicts[0].why.contains("coalitions"), "{}", found.verdicts[0].why);
    }

    #[test]
    fn a_ratio_without_correction_is_held_against_the_plain_one() {
        let book = sampled(&book(0.0), |i, e| {
            for p in &mut e.points {
                p.plain_ratio = p.ratio;
                // the device corrects, an import does not
                if i == 1 {
                    p.ratio = p.ratio.map(|r| r + 0.02);
                    p.corrected = true;
                }
            }
        });
        let found = finding(&book);
        assert!(
            found.verdicts[0].found.ends_with("no change within the margin"),
            "{:?}",
            found.verdicts[0]
        );
        assert!(found.tables[0].rows[0][14].shown().contains("not all have a correction"));
    }
}
