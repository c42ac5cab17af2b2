//! Does training on one shape alone help? Networks trained on CMC, CMT or CMR less the one trained on CM.

use super::accuracy::all_of;
use super::across::{self, Training};
use super::one_shape_trainings::{self, Group, groups};
use super::seeds::meet;
use super::{
    ATTRIBUTION_SET, CM, NOT_OF_THE_PAPER, NOT_PUBLISHED, OF_OTHERS, SEED, SINGLE, beside_zero,
    explainers, networks, not_measured, paired, plain, ratio_pairs, shape_word, single_shape,
    title, whole_set,
};
use crate::stats::{self, Paired};
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Item, Ruling, Table, Verdict};
use crate::study::paper;

pub(super) const WHAT: &str = "single-shape training against all shapes";

/// A network of one shape less the one of all shapes, on the frames of that shape.
pub(super) struct Gain<'a> {
    pub(super) single: &'a NetworkFacts,
    pub(super) every: &'a NetworkFacts,
    pub(super) set: &'static str,
    pub(super) explainer: &'a str,
    pub(super) paired: Paired,
    complete: bool,
}

impl Training for Gain<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        let (own, others) = (self.single, other.single);
        own.architecture == others.architecture
            && own.precision == others.precision
            && own.train == others.train
            && (self.set, self.explainer) == (other.set, other.explainer)
    }

    fn seed(&self) -> Option<u64> {
        self.single.seed.zip(self.every.seed).map(|(seed, _)| seed)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }
}

/// The interval of a gain lies above zero and meets the published range, beside the range, or neither.
pub(super) fn ruling(ci95: Option<[f64; 2]>) -> Ruling {
    let [smallest, largest] = paper::SHAPE_GAIN;
    match ci95 {
        Some([low, high]) if low > 0.0 && low <= largest && high >= smallest => Ruling::Reproduced,
        Some([low, high]) if high < smallest || low > largest => Ruling::NotReproduced,
        _ => Ruling::Undecided,
    }
}

impl Gain<'_> {
    pub(super) fn of_paper(&self) -> bool {
        paper::has(&self.single.architecture)
    }

    fn row(&self, p_holm: Option<f64>) -> Vec<Item> {
        let r = &self.paired;
        vec![
            Item::text(&self.single.architecture),
            Item::text(&self.single.precision),
            Item::text(&self.single.train),
            Item::text(self.set),
            Item::text(title(self.explainer)),
            Item::Count(r.difference.n),
            Item::number(Some(r.mean_a), 4),
            Item::number(Some(r.mean_b), 4),
            Item::difference(Some(r.difference)),
            Item::text(published_or_not(self.single)),
            Item::p(p_holm),
        ]
    }
}

pub(super) fn published() -> String {
    format!("+{} to +{}", paper::SHAPE_GAIN[0], paper::SHAPE_GAIN[1])
}

/// The same for a column.
pub(super) fn published_or_not(single: &NetworkFacts) -> String {
    if paper::has(&single.architecture) { published() } else { NOT_PUBLISHED.to_owned() }
}

/// Single gains, and those of several seeds together where there are such.
pub(super) fn tables(book: &Book) -> (Vec<Table>, Vec<Verdict>) {
    let mut table = Table::new(
        "single-shape",
        "Training on one shape less training on all shapes (CM), matching test pictures",
        &[
            "architecture",
            "weights",
            "trained on",
            "tested on",
            "method",
            "frames",
            "all shapes",
            "one shape",
            "gain",
            "published",
            "p (Holm)",
        ],
    );
    let found = gains(book);
    let groups = groups(&found);
    let alone = |gain: &Gain<'_>| groups.iter().all(|group| !group.holds(gain));
    let [of_gains, of_groups] = across::holm(
        found.iter().map(|gain| alone(gain).then_some(gain.paired.test.p)),
        groups.iter().map(Group::p),
    );
    table.rows.extend(found.iter().zip(&of_gains).map(|(gain, p)| gain.row(*p)));
    let (of_paper, others): (Vec<_>, Vec<_>) = found
        .iter()
        .zip(of_gains)
        .filter_map(|(gain, p)| Some((gain, p?)))
        .partition(|(gain, _)| gain.of_paper());
    let mut verdicts = Vec::new();
    if !of_paper.is_empty() || found.is_empty() {
        verdicts.push(against_paper(&of_paper));
    }
    if !others.is_empty() {
        verdicts.push(of_others(&others));
    }
    verdicts.extend(groups.iter().zip(&of_groups).map(|(group, p)| group.verdict(*p)));
    let mut tables = vec![table];
    tables.extend(one_shape_trainings::table(&groups, &of_groups));
    (tables, verdicts)
}

fn gains(book: &Book) -> Vec<Gain<'_>> {
    let all = networks(book);
    let mut found = Vec::new();
    for &single in &all {
        let Some(shape) = single_shape(single) else { continue };
        let wholes: Vec<&NetworkFacts> = all
            .iter()
            .copied()
            .filter(|n| whole_set(n) == Some(CM) && n.is_like(single))
            .filter(|n| meet(all.iter().copied(), NetworkFacts::is_like, [n, single]))
            .collect();
        for explainer in explainers(book) {
            let gain = ["CM", ATTRIBUTION_SET].into_iter().find_map(|set| {
                let cell = |n: &NetworkFacts| plain(book, &n.name, set, Some(explainer));
                let (one, every) = (cell(single)?, wholes.iter().find_map(|n| cell(n))?);
                let paired = matching(every, one, shape_word(shape))?;
                let complete = [one, every].iter().all(|e| e.points.len() >= e.asked);
                Some(Gain { single, every: &every.network, set, explainer, paired, complete })
            });
            found.extend(gain);
        }
    }
    found
}

/// Second less first, of the frames of a shape.
fn matching(every: &Entry, one: &Entry, shape: &str) -> Option<Paired> {
    let frames: Vec<_> = paired(every, one).into_iter().filter(|(p, _)| p.shape == shape).collect();
    stats::paired(&ratio_pairs(&frames), SEED)
}

type Tested<'g, 'a> = [(&'g Gain<'a>, f64)];

fn words(found: &Tested<'_, '_>) -> String {
    let each = found.iter().map(|(g, _)| {
        let gain = Item::difference(Some(g.paired.difference)).shown();
        format!("{} on {}, {}: {gain}", g.single.name, g.set, title(g.explainer))
    });
    each.collect::<Vec<_>>().join("; ")
}

fn against_paper(found: &Tested<'_, '_>) -> Verdict {
    if found.is_empty() {
        let why = "no networks trained on CMC, CMT or CMR beside one trained on CM";
        return not_measured(WHAT, Some(published()), why);
    }
    let rulings: Vec<Ruling> =
        found.iter().map(|(gain, _)| ruling(gain.paired.difference.ci95)).collect();
    Verdict {
        what: WHAT.to_owned(),
        published: Some(published()),
        found: words(found),
        ruling: all_of(&rulings),
        why: format!(
            "rule: every interval lies above 0 and meets the published range; one that misses it contradicts. {SINGLE}"
        ),
    }
}

fn of_others(found: &Tested<'_, '_>) -> Verdict {
    let sure = |(gain, p): &(&Gain<'_>, f64)| beside_zero(gain.paired.difference.ci95) && *p < 0.05;
    Verdict {
        what: format!("{WHAT}, {OF_OTHERS}"),
        published: None,
        found: words(found),
        ruling: if found.iter().all(sure) { Ruling::Answered } else { Ruling::Undecided },
        why: format!(
            "{NOT_OF_THE_PAPER}. Answered if every interval leaves out zero with p (Holm) below 0.05. {SINGLE}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::finding;
    use super::super::testing::{entry, network, noise, seeded};
    use super::*;

    #[test]
    fn single_shape_training_is_compared_on_its_own_shape_alone() {
        let (all, one) = (network("m", "resnet50", "CM"), network("t", "resnet50", "CMT"));
        let cells = vec![
            entry(&all, "CM", "gradcam", 300, |i, p| p.ratio = Some(0.5 + 0.2 * noise(i))),
            entry(&one, "CM", "gradcam", 300, |i, p| {
                // 0.05 more on triangles, far less elsewhere
                let gain = if p.shape == "triangular" { 0.05 } else { -0.3 };
                p.ratio = Some(0.5 + 0.2 * noise(i) + gain + 0.01 * noise(i * 3 + 2));
            }),
        ];
        let found = finding(&Book { entries: cells, ..Book::default() });
        let row = &found.tables[1].rows[0];
        assert_eq!((&row[3], &row[5]), (&Item::text("CM"), &Item::Count(100)));
        assert!(row[8].shown().starts_with("+0.0"), "{}", row[8].shown());
        assert_eq!(found.verdicts.last().unwrap().ruling, Ruling::Reproduced);
    }

    #[test]
    fn a_dose_is_no_twin_and_the_test_set_is_named() {
        let dose = NetworkFacts { strength: Some(0.5), ..network("d", "resnet50", "CM") };
        let one = network("t", "resnet50", "CMT");
        let cell = |n: &NetworkFacts, set| {
            entry(n, set, "gradcam", 30, |i, p| p.ratio = Some(0.5 + 0.1 * noise(i)))
        };
        let entries = vec![cell(&dose, "CF"), cell(&one, "CF")];
        let mut book = Book { entries, ..Book::default() };
        assert_eq!(finding(&book).verdicts.last().unwrap().ruling, Ruling::Missing);
        book.entries.push(cell(&network("m", "resnet50", "CM"), "CF"));
        let found = finding(&book);
        assert_eq!(found.tables[1].rows[0][3], Item::text("CF"));
        assert!(found.verdicts.last().unwrap().found.starts_with("t on CF, GradCAM:"));
    }

    /// A network of all shapes and one of triangles alone, whose ratio is higher by `gain`.
    fn pair(architecture: &str, gain: f64) -> Vec<Entry> {
        let (all, one) = (network("m", architecture, "CM"), network("t", architecture, "CMT"));
        [(all, 0.0), (one, gain)]
            .map(|(n, gain)| {
                entry(&n, "CM", "gradcam", 300, |i, p| {
                    let own = 0.01 * noise(i * 3 + n.train.len());
                    p.ratio = Some(0.5 + 0.2 * noise(i) + gain + own);
                })
            })
            .into()
    }

    #[test]
    fn a_gain_of_networks_that_the_paper_does_not_have_is_sure_in_a_direction_or_not() {
        let verdicts = |entries| tables(&Book { entries, ..Book::default() }).1;
        for (gain, ruling) in
            [(0.2, Ruling::Answered), (-0.05, Ruling::Answered), (0.0, Ruling::Undecided)]
        {
            let found = verdicts(pair("resnet-tiny", gain));
            assert_eq!((found.len(), found[0].ruling, &found[0].published), (1, ruling, &None));
            assert!(found[0].why.starts_with(NOT_OF_THE_PAPER), "{found:?}");
        }
        // beside the paper's, each is judged by itself
        let mut both = pair("resnet-tiny", 0.2);
        for entry in &mut both {
            entry.network.name.push_str("-tiny");
        }
        both.extend(pair("resnet50", 0.05));
        let found = verdicts(both);
        let rulings: Vec<Ruling> = found.iter().map(|v| v.ruling).collect();
        assert_eq!(rulings, [Ruling::Reproduced, Ruling::Answered]);
        assert!(found.iter().all(|v| v.why.contains("question `trainings`")), "{found:?}");
    }

    #[test]
    fn the_whole_set_of_the_own_seed_comes_before_one_of_which_nobody_tells_it() {
        let cell = |n: &NetworkFacts, shift: f64| {
            entry(n, "CM", "gradcam", 60, |i, p| p.ratio = Some(0.5 + 0.2 * noise(i) + shift))
        };
        let entries = vec![
            cell(&seeded("any", "resnet50", "CM", None), 0.3),
            cell(&seeded("two", "resnet50", "CM", Some(2)), 0.2),
            cell(&seeded("own", "resnet50", "CM", Some(1)), 0.0),
            cell(&seeded("one", "resnet50", "CMT", Some(1)), 0.05),
        ];
        let rows = tables(&Book { entries, ..Book::default() }).0.remove(0).rows;
        assert_eq!(rows.len(), 1);
        assert!(rows[0][8].shown().starts_with("+0.0500"), "{rows:?}");
    }
}
