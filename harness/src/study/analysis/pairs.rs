//! The permutation tests of the paper: do the mean ratios of two trainings differ?

use std::collections::BTreeMap;

use datasets::sets::Correlation;

use super::seeds::meet;
use super::{
    ATTRIBUTION_SET, CM, NOT_OF_THE_PAPER, NOT_PUBLISHED, SEED, SINGLE, empty, explainers, mean,
    networks, not_measured, paired, plain, ratio_pairs, shape_word, single_shape, title, whole_set,
};
use crate::stats;
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Finding, Item, Ruling, Table, Verdict};
use crate::study::paper;

/// Two cells whose means are compared, over the frames of one shape if one of the trainings knew that shape alone.
struct Pair<'a> {
    a: &'a Entry,
    b: &'a Entry,
    shape: Option<&'static str>,
}

/// Architecture, number formats and sets of two trainings, whichever stands first in the plan.
type Sets<'a> = (&'a str, [(&'a str, &'a str); 2]);

impl Pair<'_> {
    fn of_paper(&self) -> bool {
        paper::has(&self.a.network.architecture)
    }

    /// What is one pair of sets, from however many seeds, and whether the plan has it the other way round.
    fn sets(&self) -> (Sets<'_>, bool) {
        let [a, b] = [&self.a.network, &self.b.network];
        let [first, second] = [a, b].map(|n| (n.train.as_str(), n.precision.as_str()));
        let turned = second < first;
        let sets = if turned { [second, first] } else { [first, second] };
        ((a.architecture.as_str(), sets), turned)
    }

    /// What the paper tells of this difference: single shapes, and correlated against uncorrelated at one level.
    fn published(&self) -> String {
        if !self.of_paper() {
            return NOT_PUBLISHED.to_owned();
        }
        let range = |[low, high]: [f64; 2], sign: &str| format!("{sign}{low} to {sign}{high}");
        if self.shape.is_some() {
            return range(paper::SHAPE_GAIN, "+");
        }
        let (Some(a), Some(b)) = (whole_set(&self.a.network), whole_set(&self.b.network)) else {
            return NOT_PUBLISHED.to_owned();
        };
        if a.level != b.level || a.correlation == b.correlation {
            return NOT_PUBLISHED.to_owned();
        }
        match (self.a.network.architecture.as_str(), a.correlation) {
            ("resnet50", _) => "minimal".to_owned(),
            (_, Correlation::Correlated) => range(paper::RATIO_DROP, "+"),
            (_, Correlation::Uncorrelated) => range(paper::RATIO_DROP, "-"),
        }
    }
}

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "pairs",
        "Which trainings differ in their mean ratio?",
        "How the paper's 54 pairs are made up was not at hand. Our reading gives 54: within each of three architectures the 15 \
         pairs of the six training sets, and three single-shape trainings against CM on the matching pictures. Each pair has the \
         paper's test (permutation of labels, frames as independent) and the sign-flip test of the same frames, which is \
         stronger; p-values are adjusted by Holm's method within each method and number format, floating point and integers apart. \
         Trainings of one seed are paired; several seeds of a pair of sets are counted as one pair, which differs if all of them do, \
         in one direction.",
    );
    let mut table = Table::new(
        "pairs",
        "Pairs of trainings, pixel ratio on CF (CM for single shapes)",
        &[
            "method",
            "weights",
            "first",
            "second",
            "frames",
            "second less first",
            "published",
            "p, labels",
            "p (Holm), labels",
            "p, paired",
            "p (Holm), paired",
        ],
    );
    let mut verdicts = Vec::new();
    let families =
        explainers(book).into_iter().flat_map(|e| [(e, false), (e, true)]).collect::<Vec<_>>();
    for (explainer, integer) in families {
        let of_family = |p: &Pair<'_>| p.a.network.is_integer() == integer;
        let tested: Vec<_> = pairs(book, explainer)
            .into_iter()
            .filter(of_family)
            .filter_map(|p| Some((test(&p)?, p)))
            .collect();
        let weights = if integer { "integers" } else { "floating point" };
        let labels = stats::holm(&tested.iter().map(|(t, _)| t.labels).collect::<Vec<_>>());
        let flips = stats::holm(&tested.iter().map(|(t, _)| t.flips).collect::<Vec<_>>());
        for (i, (t, pair)) in tested.iter().enumerate() {
            table.rows.push(vec![
                Item::text(title(explainer)),
                Item::text(&pair.a.network.precision),
                Item::text(&pair.a.network.name),
                Item::text(&pair.b.network.name),
                Item::Count(t.differences.len()),
                Item::difference(mean(&t.differences)),
                Item::text(pair.published()),
                Item::P(t.labels),
                Item::P(labels[i]),
                Item::P(t.flips),
                Item::P(flips[i]),
            ]);
        }
        let counts = [&labels, &flips].map(|p| count(&tested, p));
        verdicts.extend(verdict(&format!("{}, {weights}", title(explainer)), &tested, counts));
    }
    if verdicts.is_empty() {
        let published = Some(format!("{} pairs", paper::PAIRS));
        verdicts.push(not_measured(
            "permutation tests over pairs",
            published,
            "no pair of trainings exists",
        ));
    }
    finding.tables.push(table);
    finding.verdicts = verdicts;
    finding
}

/// Pairs of sets, and of these how many differ by a test.
#[derive(Clone, Copy)]
struct Count {
    sets: usize,
    seeds: usize,
    differ: usize,
}

/// A pair of sets differs if all of its seeds say so, in one direction.
fn count(tested: &[(Tested, Pair<'_>)], p: &[f64]) -> Count {
    let mut sets: BTreeMap<Sets<'_>, Vec<Option<bool>>> = BTreeMap::new();
    for ((t, pair), p) in tested.iter().zip(p) {
        let (key, turned) = pair.sets();
        let rises = mean(&t.differences).is_some_and(|m| (m.mean > 0.0) != turned);
        sets.entry(key).or_default().push((*p < 0.05).then_some(rises));
    }
    let differs = |seeds: &&Vec<Option<bool>>| {
        let (first, rest) = (seeds.first().copied().flatten(), seeds.get(1..).unwrap_or_default());
        first.is_some() && rest.iter().all(|other| *other == first)
    };
    Count {
        sets: sets.len(),
        seeds: sets.values().map(Vec::len).max().unwrap_or(0),
        differ: sets.values().filter(differs).count(),
    }
}

/// One family: how many pairs differ by the test of labels and frame by frame.
fn verdict(
    family: &str,
    tested: &[(Tested, Pair<'_>)],
    [labels, flips]: [Count; 2],
) -> Option<Verdict> {
    if tested.is_empty() {
        return None;
    }
    let of_paper = tested.iter().any(|(_, pair)| pair.of_paper());
    let (pairs, which) = if labels.sets < tested.len() {
        let words = format!(
            "pairs of sets {} (of networks {}, up to {} seeds)",
            labels.sets,
            tested.len(),
            labels.seeds
        );
        (words, "every seed with p below 0.05 after Holm, in one direction")
    } else {
        (format!("pairs {}", tested.len()), "p below 0.05 after Holm")
    };
    let (ruling, why) = match (of_paper, flips.differ) {
        (true, _) => (
            Ruling::NotComparable,
            "single results of the paper were not at hand; the same frames are compared by a test that does not know it and by one \
             that does"
                .to_owned(),
        ),
        (false, differ) => (
            if differ > 0 { Ruling::Answered } else { Ruling::Undecided },
            format!("{NOT_OF_THE_PAPER}. Answered if a pair differs frame by frame. {SINGLE}"),
        ),
    };
    Some(Verdict {
        what: format!("permutation tests over pairs, {family}"),
        published: of_paper.then(|| format!("{} pairs; single p-values not at hand", paper::PAIRS)),
        found: format!(
            "{pairs}: {} differ by the test of labels, {} frame by frame ({which})",
            labels.differ, flips.differ
        ),
        ruling,
        why,
    })
}

struct Tested {
    differences: Vec<f64>,
    labels: f64,
    flips: f64,
}

fn test(pair: &Pair<'_>) -> Option<Tested> {
    let both: Vec<_> = paired(pair.a, pair.b)
        .into_iter()
        .filter(|(p, _)| pair.shape.is_none_or(|s| p.shape == s))
        .collect();
    let ratios = ratio_pairs(&both);
    let (a, b): (Vec<f64>, Vec<f64>) = ratios.iter().copied().unzip();
    let differences = super::differences(&ratios);
    let labels = stats::label_permutation(&a, &b, SEED)?.p;
    let flips = stats::sign_flip(&differences, SEED)?.p;
    Some(Tested { differences, labels, flips })
}

fn pairs<'a>(book: &'a Book, explainer: &str) -> Vec<Pair<'a>> {
    let all = networks(book);
    let mut found = Vec::new();
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            if whole_set(a).is_some()
                && whole_set(b).is_some()
                && a.is_like(b)
                && a.train != b.train
                && meet(all.iter().copied(), NetworkFacts::is_like, [a, b])
            {
                let of = |n: &NetworkFacts| plain(book, &n.name, ATTRIBUTION_SET, Some(explainer));
                if let (Some(a), Some(b)) = (of(a), of(b)) {
                    found.push(Pair { a, b, shape: None });
                }
            }
        }
    }
    for single in &all {
        let Some(shape) = single_shape(single) else { continue };
        let wholes = || {
            all.iter().filter(|n| {
                whole_set(n) == Some(CM)
                    && n.is_like(single)
                    && meet(all.iter().copied(), NetworkFacts::is_like, [single, n])
            })
        };
        let cells = ["CM", ATTRIBUTION_SET].into_iter().find_map(|set| {
            let of = |n: &NetworkFacts| plain(book, &n.name, set, Some(explainer));
            Some((wholes().find_map(|n| of(n))?, of(single)?))
        });
        if let Some((a, b)) = cells {
            found.push(Pair { a, b, shape: Some(shape_word(shape)) });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    /// All 27 networks in f32; those trained on C are 0.02 lower.
    fn full() -> Book {
        let mut entries = Vec::new();
        for architecture in ["resnet50", "convnext-tiny", "convnext-small"] {
            for train in ["UF", "UM", "UH", "CF", "CM", "CH", "CMC", "CMT", "CMR"] {
                let n = network(&format!("{architecture}-{train}"), architecture, train);
                entries.push(cell(&n));
            }
        }
        Book { entries, ..Book::default() }
    }

    fn cell(n: &NetworkFacts) -> Entry {
        let train = n.train.clone();
        let shift = if train.starts_with('C') { -0.02 } else { 0.0 };
        entry(n, "CF", "gradcam", 60, |i, p| {
            let own = train.len() * 31 + usize::from(train.as_bytes()[1]);
            p.ratio = Some(0.6 + shift + 0.3 * noise(i) + 0.004 * noise(i * 7 + own));
        })
    }

    #[test]
    fn the_full_grid_has_54_pairs_and_pairing_sees_what_labels_do_not() {
        let found = finding(&full());
        assert_eq!(found.tables[0].rows.len(), paper::PAIRS);
        let significant = |column: usize| {
            let p = |row: &Vec<Item>| matches!(row[column], Item::P(p) if p < 0.05);
            found.tables[0].rows.iter().filter(|r| p(r)).count()
        };
        // 9 of the 15 pairs of an architecture are C against U
        assert!(significant(10) >= 27, "{}", significant(10));
        assert_eq!(
            significant(8),
            0,
            "60 frames with a spread of 0.09 do not show 0.02 as independent groups"
        );
    }

    #[test]
    fn integers_are_a_family_of_their_own() {
        let alone = finding(&full());
        let mut mixed = full();
        for i in 0..mixed.entries.len() {
            let float = mixed.entries[i].network.clone();
            if float.set().is_some_and(|s| s.shape.is_none()) {
                let name = format!("{}-int8", float.name);
                let integer = NetworkFacts { name, precision: "int8-qdq".to_owned(), ..float };
                mixed.entries.push(cell(&integer));
            }
        }
        let found = finding(&mixed);
        assert_eq!(found.tables[0].rows[..paper::PAIRS], alone.tables[0].rows[..]);
        assert_eq!(found.tables[0].rows.len(), paper::PAIRS + 45);
        let starts: Vec<&str> =
            found.verdicts.iter().filter_map(|v| v.found.split(':').next()).collect();
        assert_eq!(starts, ["pairs 54", "pairs 45"]);
    }

    #[test]
    fn published_numbers_stand_beside_the_pairs_that_have_one() {
        let found = finding(&full());
        let of = |first: &str, second: &str| {
            let row = found.tables[0]
                .rows
                .iter()
                .find(|r| r[2] == Item::text(first) && r[3] == Item::text(second));
            row.unwrap()[6].shown()
        };
        assert_eq!(of("resnet50-UF", "resnet50-CF"), "minimal");
        assert_eq!(of("convnext-tiny-UF", "convnext-tiny-CF"), "-0.0049 to -0.0257");
        assert_eq!(of("convnext-tiny-UF", "convnext-tiny-CM"), "not published");
        assert_eq!(of("resnet50-CM", "resnet50-CMT"), "+0.0304 to +0.074");
    }

    /// C and U of these seeds; C is lower by `drop` of the seed, and stands behind U in the plan of every second.
    fn seeds(architecture: &str, drops: &[f64]) -> Book {
        let mut entries = Vec::new();
        for (seed, drop) in (1..).zip(drops) {
            let mut both = ["CF", "UF"].map(|train| {
                let mut n = network(&format!("{train}-{seed}"), architecture, train);
                n.seed = Some(seed);
                let shift = if train == "CF" { -drop } else { 0.0 };
                entry(&n, "CF", "gradcam", 60, |i, p| {
                    let own = 0.004 * noise(i * 7 + train.len() + usize::from(train == "CF"));
                    p.ratio = Some(0.6 + shift + 0.1 * noise(i) + own);
                })
            });
            if seed % 2 == 0 {
                both.reverse();
            }
            entries.extend(both);
        }
        Book { entries, ..Book::default() }
    }

    #[test]
    fn seeds_of_a_pair_of_sets_are_one_pair_that_differs_if_all_of_them_do_in_one_direction() {
        for (drops, differ) in
            [([0.02; 3], 1), ([0.02, 0.0, 0.02], 0), ([0.02, -0.02, 0.02], 0), ([-0.02; 3], 1)]
        {
            let found = finding(&seeds("resnet50", &drops));
            assert_eq!(found.tables[0].rows.len(), 3, "each seed is a row");
            let words = &found.verdicts[0].found;
            let start = "pairs of sets 1 (of networks 3, up to 3 seeds): ";
            assert!(words.starts_with(start), "{words}");
            let end = format!("{differ} frame by frame (every seed");
            assert!(words.contains(&end), "{drops:?}: {words}");
        }
        let one = finding(&seeds("resnet50", &[0.02]));
        assert!(one.verdicts[0].found.starts_with("pairs 1: "), "{:?}", one.verdicts[0]);
    }

    #[test]
    fn pairs_of_networks_that_the_paper_does_not_have_have_nothing_published() {
        for (drop, ruling) in [(0.02, Ruling::Answered), (0.0, Ruling::Undecided)] {
            let found = finding(&seeds("resnet-tiny", &[drop]));
            assert_eq!(found.tables[0].rows[0][6].shown(), "not published");
            let verdict = &found.verdicts[0];
            assert_eq!((verdict.ruling, &verdict.published), (ruling, &None), "{verdict:?}");
            assert!(verdict.why.starts_with(NOT_OF_THE_PAPER), "{verdict:?}");
        }
        let published = &finding(&seeds("resnet50", &[0.02])).verdicts[0].published;
        assert!(published.is_some());
    }
}
