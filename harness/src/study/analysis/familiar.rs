//! Familiar places: does a network that learned where a class stands react otherwise to a place where it never stood?

use std::collections::BTreeMap;

use datasets::environment::Environment;
use datasets::sets::spec::environment_word;
use datasets::sets::{Conditional, Correlation, Set};

use super::counterfactual::{Moved, Views, against, flips, moved, ratio_change};
use super::familiar_pairs::{Pair, sentence};
use super::{SEED, mean, title};
use crate::stats::{self, MeanInterval};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Figure, Item, Mark, Ruling, Table, Verdict};

/// Where a sign is moved to.
const KINDS: [(bool, &str); 2] = [(true, "familiar"), (false, "unfamiliar")];
/// What the question asks for: the change in unfamiliar places less that in familiar ones, of signs that were in both.
const CONTRAST: &str = "unfamiliar less familiar";

/// P(environment | class) in the correlated training set of a camera level.
struct Places(Conditional);

impl Places {
    /// Those of a network's training set, or of its correlated twin. None if the set is none of ours.
    fn of(network: &NetworkFacts) -> Option<Self> {
        let set = Set { correlation: Correlation::Correlated, ..network.set()? };
        Some(Self(set.environment_table()))
    }

    /// Whether the class stands there more often than classes in general: P(environment | class) > P(environment).
    fn familiar(&self, class: u16, environment: &str) -> Option<bool> {
        let column = Environment::ALL.iter().position(|&e| environment_word(e) == environment)?;
        let here = *self.0.row(class.into()).get(column)?;
        Some(here > *self.0.marginal().get(column)?)
    }
}

/// Views into places of one kind, by sign.
type Signs<'a> = BTreeMap<(u16, u32), Views<'a>>;

fn signs<'a>(m: &'a Moved<'_>, familiar: bool) -> Option<Signs<'a>> {
    let places = Places::of(&m.own.network)?;
    let mut signs = Signs::new();
    for place in &m.places {
        for view in moved(m.own, place) {
            if places.familiar(view.0.class, &place.data.environment) == Some(familiar) {
                signs.entry(view.0.key()).or_default().push(view);
            }
        }
    }
    Some(signs)
}

/// Mean change of each sign over its views.
fn means(signs: &Signs<'_>, change: impl Fn(&Views<'_>) -> Vec<f64>) -> BTreeMap<(u16, u32), f64> {
    signs.iter().filter_map(|(key, views)| Some((*key, mean(&change(views))?.mean))).collect()
}

/// Change of the confidence in the class that both pictures are given.
fn confidence_change(views: &Views<'_>) -> Vec<f64> {
    let same = views.iter().filter(|(own, there)| own.predicted == there.predicted);
    same.map(|(own, there)| there.confidence - own.confidence).collect()
}

/// First less second, of the signs that both have.
fn less(first: &BTreeMap<(u16, u32), f64>, second: &BTreeMap<(u16, u32), f64>) -> Vec<f64> {
    first.iter().filter_map(|(key, a)| Some(a - second.get(key)?)).collect()
}

/// A row before its p-value is adjusted.
struct Row {
    name: String,
    method: String,
    kind: &'static str,
    /// Views and flips; none for a difference of two networks.
    views: Option<[usize; 2]>,
    ratio: Vec<f64>,
    confidence: Vec<f64>,
    p: f64,
}

impl Row {
    fn new(
        name: String,
        method: String,
        kind: &'static str,
        views: Option<[usize; 2]>,
        [ratio, confidence]: [Vec<f64>; 2],
    ) -> Self {
        let p = stats::sign_flip(&ratio, SEED).map_or(1.0, |t| t.p);
        Self { name, method, kind, views, ratio, confidence, p }
    }

    fn items(&self, p: f64) -> Vec<Item> {
        let count = |i: usize| self.views.map_or(Item::Nothing, |v| Item::Count(v[i]));
        vec![
            Item::text(&self.name),
            Item::text(&self.method),
            Item::text(self.kind),
            Item::Count(self.ratio.len()),
            count(0),
            count(1),
            Item::difference(mean(&self.ratio)),
            Item::P(p),
            fine(mean(&self.confidence)),
        ]
    }
}

/// Six decimals: confidences lie close to 1.
fn fine(m: Option<MeanInterval>) -> Item {
    m.map_or(Item::Nothing, |m| Item::Number {
        value: m.mean,
        ci95: m.ci95,
        decimals: 6,
        signed: true,
    })
}

fn network_row(m: &Moved<'_>, (familiar, kind): (bool, &'static str)) -> Option<Row> {
    let signs = signs(m, familiar)?;
    let views = signs.values().map(Vec::len).sum();
    let flips = signs.values().map(|v| flips(v)).sum();
    let values = [
        means(&signs, |v| ratio_change(v)).into_values().collect(),
        means(&signs, confidence_change).into_values().collect(),
    ];
    let row = Row::new(m.name(), title(&m.own.explainer), kind, Some([views, flips]), values);
    (views > 0).then_some(row)
}

fn pair_row(pair: &[&Moved<'_>; 2], (familiar, kind): (bool, &'static str)) -> Option<Row> {
    let [c, u] = [signs(pair[0], familiar)?, signs(pair[1], familiar)?];
    let ratio = |s: &Signs<'_>| means(s, |v| ratio_change(v));
    let confidence = |s: &Signs<'_>| means(s, confidence_change);
    let values = [less(&ratio(&c), &ratio(&u)), less(&confidence(&c), &confidence(&u))];
    let some = !values[0].is_empty();
    some.then(|| Row::new(against(pair), title(&pair[0].own.explainer), kind, None, values))
}

/// Change in unfamiliar places less that in familiar ones, sign by sign.
fn contrast(
    m: &Moved<'_>,
    change: impl Fn(&Views<'_>) -> Vec<f64>,
) -> Option<BTreeMap<(u16, u32), f64>> {
    let [familiar, unfamiliar] =
        [means(&signs(m, true)?, &change), means(&signs(m, false)?, &change)];
    let both = unfamiliar.iter().filter_map(|(key, u)| Some((*key, u - familiar.get(key)?)));
    Some(both.collect())
}

fn network_contrast(m: &Moved<'_>) -> Option<Row> {
    let ratio: Vec<f64> = contrast(m, |v| ratio_change(v))?.into_values().collect();
    let confidence = contrast(m, confidence_change)?.into_values().collect();
    let some = !ratio.is_empty();
    let method = title(&m.own.explainer);
    some.then(|| Row::new(m.name(), method, CONTRAST, None, [ratio, confidence]))
}

fn pair_contrast(pair: &[&Moved<'_>; 2]) -> Option<Row> {
    let of = |change: fn(&Views<'_>) -> Vec<f64>| {
        Some(less(&contrast(pair[0], change)?, &contrast(pair[1], change)?))
    };
    let values = [of(|v| ratio_change(v))?, of(confidence_change)?];
    let some = !values[0].is_empty();
    some.then(|| Row::new(against(pair), title(&pair[0].own.explainer), CONTRAST, None, values))
}

/// What is found of familiar places.
pub(super) struct Found {
    pub(super) table: Table,
    pub(super) figure: Figure,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) headline: Option<String>,
}

/// Pairs hold the correlated network first.
pub(super) fn places(all: &[Moved<'_>], pairs: &[[&Moved<'_>; 2]]) -> Found {
    let mut table = Table::new(
        "counterfactual-familiar",
        "Moved to places where the correlated training set shows the class, and to others",
        &[
            "network",
            "method",
            "places",
            "signs",
            "views",
            "flips",
            "change of ratio",
            "p (Holm)",
            "change of confidence",
        ],
    );
    let of_networks = all.iter().flat_map(|m| {
        KINDS.map(|kind| network_row(m, kind)).into_iter().chain([network_contrast(m)])
    });
    let mut rows: Vec<Row> = of_networks.flatten().collect();
    let single = rows.len();
    let of_pairs = pairs.iter().flat_map(|pair| {
        KINDS.map(|kind| pair_row(pair, kind)).into_iter().chain([pair_contrast(pair)])
    });
    rows.extend(of_pairs.flatten());
    let holm = stats::holm(&rows.iter().map(|r| r.p).collect::<Vec<_>>());
    let mut marks = Vec::new();
    for (row, p) in rows.iter().zip(&holm) {
        table.rows.push(row.items(*p));
        marks.extend(mean(&row.ratio).map(|m| Mark {
            name: format!("{}, {}: {}", row.name, row.method, row.kind),
            group: row.kind.to_owned(),
            value: m.mean,
            ci95: m.ci95,
        }));
    }
    let figure = Figure::Intervals {
        title: "Change of the pixel ratio by whether the class is familiar there".to_owned(),
        axis: "ratio in the other place less ratio in its own".to_owned(),
        marks,
        published: None,
        line: Some(0.0),
    };
    let headline = headline(&rows, &holm, single);
    Found { table, figure, verdicts: verdicts(&rows, &holm, single), headline }
}

/// What a reader should take away: what the pairs of networks say of unfamiliar places less familiar ones.
fn headline(rows: &[Row], holm: &[f64], single: usize) -> Option<String> {
    let of_pairs = rows.iter().zip(holm).skip(single).filter(|(row, _)| row.kind == CONTRAST);
    let pairs = of_pairs.filter_map(|(row, p)| {
        let name = format!("{}, {}", row.name, row.method);
        Some(Pair { name, difference: mean(&row.ratio)?, p: *p })
    });
    sentence(&pairs.collect::<Vec<_>>())
}

/// One verdict a network or pair, over its two kinds of places.
fn verdicts(rows: &[Row], holm: &[f64], single: usize) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = Vec::new();
    let adjusted: Vec<(usize, &Row, f64)> =
        rows.iter().zip(holm).enumerate().map(|(i, (row, p))| (i, row, *p)).collect();
    for group in adjusted.chunk_by(|a, b| (&a.1.name, &a.1.method) == (&b.1.name, &b.1.method)) {
        let Some((first, row, _)) = group.first() else { continue };
        let each: Vec<String> = group
            .iter()
            .map(|(_, r, p)| {
                format!(
                    "{}: ratio {}, p (Holm) {}, confidence {}, {} signs",
                    r.kind,
                    Item::difference(mean(&r.ratio)).shown(),
                    Item::P(*p).shown(),
                    fine(mean(&r.confidence)).shown(),
                    r.ratio.len()
                )
            })
            .collect();
        let sure = group.iter().any(|(_, r, p)| r.kind == CONTRAST && *p < 0.05);
        let what = if *first < single {
            "the ratio in a familiar and an unfamiliar place"
        } else {
            "the same, correlated less uncorrelated training"
        };
        verdicts.push(Verdict {
            what: format!("{what}, {}, {}", row.name, row.method),
            published: None,
            found: each.join("; "),
            ruling: if sure { Ruling::Answered } else { Ruling::Undecided },
            why: "answered if the change in unfamiliar places less that in familiar ones has p below 0.05 after Holm. A ratio that rises in an unfamiliar place \
                  says that the background there draws less attention than that of the sign's own place; its own place is mostly a \
                  familiar one on C pictures and mostly an unfamiliar one on U pictures"
                .to_owned(),
        });
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::super::super::book::Book;
    use super::super::testing::{entry, network, noise};
    use super::*;
    use crate::study::finding::Finding;

    /// A place where class 0 stands in CF, and one where it does not.
    fn two_places() -> [String; 2] {
        let places = Places::of(&network("n", "resnet50", "CF")).unwrap();
        KINDS.map(|(wanted, _)| {
            let words = Environment::ALL.map(environment_word);
            words.into_iter().find(|w| places.familiar(0, w) == Some(wanted)).unwrap()
        })
    }

    /// Signs of class 0, which stand nowhere of these at first; the network of CF gains 0.03 in an unfamiliar place.
    fn book() -> Book {
        let mut entries = Vec::new();
        for train in ["CF", "UF"] {
            let n = network(train, "resnet50", train);
            let sign = |i: usize, p: &mut super::super::Point| {
                (p.class, p.predicted, p.index) = (0, 0, u32::try_from(i).unwrap());
                p.ratio = Some(0.6 + 0.1 * noise(i));
            };
            entries.push(entry(&n, "CF", "gradcam", 60, |i, p| {
                sign(i, p);
                "nowhere".clone_into(&mut p.environment);
            }));
            for (place, familiar) in two_places().into_iter().zip([true, false]) {
                let name = format!("synthetic:CF/test?environment={place}");
                entries.push(entry(&n, &name, "gradcam", 60, |i, p| {
                    sign(i, p);
                    place.clone_into(&mut p.environment);
                    let gain = if train == "CF" && !familiar { 0.03 } else { 0.0 };
                    let own = 0.01 * noise(i * 7 + train.len() + place.len());
                    p.ratio = p.ratio.map(|r| r + gain + own);
                    p.confidence = 0.9 - gain / 10.0;
                }));
            }
        }
        Book { entries, ..Book::default() }
    }

    fn table(found: &Finding) -> &Table {
        found.tables.iter().find(|t| t.name == "counterfactual-familiar").unwrap()
    }

    #[test]
    fn a_place_is_familiar_where_the_class_stands_more_often_than_others() {
        // sign 0, 20 km/h: inner city, residential, village, in this order
        let places = Places::of(&network("n", "resnet50", "UM")).unwrap();
        assert_eq!(places.familiar(0, "inner_city"), Some(true), "the table of the C twin");
        assert_eq!(places.familiar(0, "motorway"), Some(false));
        assert_eq!(places.familiar(0, "nowhere"), None);
        assert_eq!(places.familiar(900, "motorway"), None);
        assert!(Places::of(&network("n", "resnet50", "")).is_none());
    }

    #[test]
    fn a_gain_in_unfamiliar_places_is_told_by_network_and_of_the_pair() {
        let found = super::super::counterfactual::finding(&book());
        let rows = &table(&found).rows;
        let of = |name: &str, kind: &str| {
            let row = rows.iter().find(|r| r[0] == Item::text(name) && r[2] == Item::text(kind));
            let row = row.unwrap();
            let Item::Number { value, .. } = row[6] else { panic!("{row:?}") };
            let Item::P(p) = row[7] else { panic!("{row:?}") };
            (value, p < 0.05)
        };
        for (name, kind, gain, sure) in [
            ("CF", "familiar", 0.0, false),
            ("CF", "unfamiliar", 0.03, true),
            ("UF", "familiar", 0.0, false),
            ("UF", "unfamiliar", 0.0, false),
            ("CF against UF", "familiar", 0.0, false),
            ("CF against UF", "unfamiliar", 0.03, true),
            ("CF", CONTRAST, 0.03, true),
            ("UF", CONTRAST, 0.0, false),
            ("CF against UF", CONTRAST, 0.03, true),
        ] {
            let (value, significant) = of(name, kind);
            assert!((value - gain).abs() < 0.002, "{name} {kind}: {value}");
            assert_eq!(significant, sure, "{name} {kind}");
        }
        let told = found.headline.as_deref().unwrap();
        assert!(told.contains("CF against UF") && told.contains("higher by +0.03"), "{told}");
        assert_eq!(rows[1][8].shown(), "-0.003000 (-0.003000 to -0.003000)");
        assert_eq!((&rows[1][4], &rows[1][5]), (&Item::Count(60), &Item::Count(0)));
        let rulings: Vec<Ruling> = found
            .verdicts
            .iter()
            .filter(|v| v.found.starts_with("familiar:"))
            .map(|v| v.ruling)
            .collect();
        assert_eq!(rulings, [Ruling::Answered, Ruling::Undecided, Ruling::Answered]);
    }

    #[test]
    fn the_confidence_of_a_view_that_flips_is_of_another_class_and_left_out() {
        let mut book = book();
        for p in &mut book.entries[2].points {
            if p.index < 10 {
                (p.predicted, p.confidence) = (5, 0.1);
            }
        }
        let found = super::super::counterfactual::finding(&book);
        let row = &table(&found).rows[1];
        assert_eq!(row[5], Item::Count(10));
        assert_eq!(row[8].shown(), "-0.003000 (-0.003000 to -0.003000)");
    }
}
