//! Familiar places: does a network that learned where a class stands react otherwise to a place where it never stood?

use super::across;
use super::familiar_pairs::{Pair, sentence};
use super::familiar_rows::{CONTRAST, Row, fine, rows};
use super::familiar_trainings::{self, Group};
use super::mean;
use super::moved::{Both, Moved};
use crate::study::finding::{Figure, Item, Ruling, Table, Verdict};

/// When a verdict is an answer, and what it says.
pub(super) const RULE: &str = "answered if the change in unfamiliar places less that in familiar ones has p below 0.05 after Holm. A ratio that rises in an \
     unfamiliar place says that the background there draws less attention than that of the sign's own place; its own place is mostly \
     a familiar one on C pictures and mostly an unfamiliar one on U pictures";

/// What is found of familiar places.
pub(super) struct Found {
    pub(super) table: Table,
    /// None without a network of several seeds.
    pub(super) over_trainings: Option<Table>,
    pub(super) figure: Figure,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) headline: Option<String>,
}

/// Holm's adjustment is over the tests that decide: those of networks and pairs that stand alone, and those over seeds.
pub(super) fn places<'m>(all: &'m [Moved<'m>], pairs: &'m [Both<'m>]) -> Found {
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
            "p",
            "p (Holm)",
            "change of confidence",
        ],
    );
    let rows = rows(all, pairs);
    let groups = familiar_trainings::groups(&rows);
    let alone = |row: &Row<'_>| groups.iter().all(|group| !group.holds(row));
    let [of_rows, of_groups] = across::holm(
        rows.iter().map(|row| alone(row).then_some(row.p)),
        groups.iter().map(Group::p),
    );
    table.rows.extend(rows.iter().zip(&of_rows).map(|(row, p)| row.items(*p)));
    let marks = groups.iter().filter_map(Group::mark).chain(rows.iter().filter_map(Row::mark));
    let figure = Figure::Intervals {
        title: "Change of the pixel ratio by whether the class is familiar there".to_owned(),
        axis: "ratio in the other place less ratio in its own".to_owned(),
        marks: marks.collect(),
        published: None,
        line: Some(0.0),
    };
    let decide: Vec<(&Row<'_>, f64)> =
        rows.iter().zip(of_rows).filter_map(|(row, p)| Some((row, p?))).collect();
    let mut verdicts = verdicts(&decide);
    verdicts.extend(familiar_trainings::verdicts(&groups, &of_groups));
    Found {
        table,
        over_trainings: familiar_trainings::table(&groups, &of_groups),
        figure,
        verdicts,
        headline: headline(&decide, &familiar_trainings::pairs(&groups, &of_groups)),
    }
}

/// What a reader should take away: what the pairs of networks say of unfamiliar places less familiar ones, those of several seeds
/// together first.
fn headline(decide: &[(&Row<'_>, f64)], over_trainings: &[Pair]) -> Option<String> {
    let alone = decide.iter().filter(|(row, _)| row.kind == CONTRAST && row.of.is_pair());
    let alone = alone.filter_map(|(row, p)| {
        let name = format!("{}, {}", row.of.name(), row.of.method());
        Some(Pair { name, difference: mean(&row.ratio)?, unit: "signs", p: *p })
    });
    sentence(&over_trainings.iter().cloned().chain(alone).collect::<Vec<_>>())
}

/// One verdict a network or pair, over its two kinds of places.
fn verdicts(decide: &[(&Row<'_>, f64)]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = Vec::new();
    for group in decide.chunk_by(|(a, _), (b, _)| a.of.is(b.of)) {
        let Some((row, _)) = group.first() else { continue };
        let each: Vec<String> = group
            .iter()
            .map(|(r, p)| {
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
        let sure = group.iter().any(|(r, p)| r.kind == CONTRAST && *p < 0.05);
        verdicts.push(Verdict {
            what: format!("{}, {}, {}", row.of.question(), row.of.name(), row.of.method()),
            published: None,
            found: each.join("; "),
            ruling: if sure { Ruling::Answered } else { Ruling::Undecided },
            why: RULE.to_owned(),
        });
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use datasets::environment::Environment;
    use datasets::sets::spec::environment_word;

    use super::super::familiar_rows::{KINDS, Places};
    use super::super::testing::{entry, network, noise};
    use super::*;
    use crate::study::book::{Book, Point};
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
            let sign = |i: usize, p: &mut Point| {
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
    fn a_gain_in_unfamiliar_places_is_told_by_network_and_of_the_pair() {
        let found = super::super::counterfactual::finding(&book());
        let rows = &table(&found).rows;
        let of = |name: &str, kind: &str| {
            let row = rows.iter().find(|r| r[0] == Item::text(name) && r[2] == Item::text(kind));
            let row = row.unwrap();
            let Item::Number { value, .. } = row[6] else { panic!("{row:?}") };
            let Item::P(p) = row[8] else { panic!("{row:?}") };
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
        assert_eq!(rows[1][9].shown(), "-0.003000 (-0.003000 to -0.003000)");
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
        assert_eq!(row[9].shown(), "-0.003000 (-0.003000 to -0.003000)");
    }
}
