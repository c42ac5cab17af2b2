//! Counterfactual pairs: the same sign before another environment. Does the decision flip, does the attention change?

use std::collections::BTreeMap;

use super::moved::{Moved, Views, both, collect, flips, moved, ratio_change};
use super::moving::{self, Group, spread};
use super::{SEED, empty, familiar, mean, not_measured, reaction};
use crate::stats;
use crate::study::book::Book;
use crate::study::finding::{Figure, Finding, Item, Mark, Table};

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "counterfactual",
        "The same sign before another environment: does the decision flip, does the attention change?",
        "Every sign is rendered again in each environment with the same pose, light, surface and noise; views in the environment \
         that it had anyway are left out. A flip is another class than in its own place. Change of the ratio: in the other place \
         less in its own; change of the confidence likewise, over views that keep their class. Holm over the environments of a \
         network. Views of one sign are not independent: intervals over all views are taken over means of signs. A place is familiar \
         to a class if the correlated training set of that camera level shows the class there more often than classes in general, \
         P(environment | class) > P(environment); the same places are held against the network trained on the uncorrelated set, to \
         which none is more familiar than another. Correlated against uncorrelated: the two networks of a level, sign by sign. Where \
         there are two seeds or more of one architecture, number format and training set, with their signs in the same places, \
         Student's t over the means of the seeds decides, and a single seed does not.",
    );
    let all = collect(book);
    let groups = moving::groups(&all);
    let mut places = Table::new(
        "counterfactual-environment",
        "Moved into an environment",
        &[
            "network",
            "method",
            "environment",
            "views",
            "flips",
            "right before, wrong after",
            "change of ratio",
            "p (Holm)",
        ],
    );
    let mut classes = Table::new(
        "counterfactual-class",
        "Flips and spread of the ratio by class",
        &[
            "network",
            "method",
            "class",
            "shape",
            "views",
            "flips",
            "change of ratio",
            "spread of ratio over environments",
        ],
    );
    let mut marks = Vec::new();
    for m in &all {
        let (name, method) = (&m.name(), m.method());
        let tested: Vec<_> = m
            .places
            .iter()
            .map(|place| {
                let views = moved(m.own, place);
                let change = ratio_change(&views);
                let p = stats::sign_flip(&change, SEED).map_or(1.0, |t| t.p);
                (place, views, change, p)
            })
            .collect();
        let holm = stats::holm(&tested.iter().map(|t| t.3).collect::<Vec<_>>());
        for ((place, views, change, _), p) in tested.iter().zip(holm) {
            let lost = views.iter().filter(|(a, b)| a.correct() && !b.correct()).count();
            let environment = place.data.environment.replace('_', " ");
            marks.extend(mean(change).map(|c| Mark {
                name: format!("{name}: {environment}"),
                group: name.clone(),
                value: c.mean,
                ci95: c.ci95,
            }));
            places.rows.push(vec![
                Item::text(name),
                Item::text(&method),
                Item::text(environment),
                Item::Count(views.len()),
                Item::share(stats::wilson(flips(views), views.len())),
                Item::Count(lost),
                Item::difference(mean(change)),
                Item::P(p),
            ]);
        }
        for (class, views) in by_class(m) {
            let change = ratio_change(&views);
            classes.rows.push(vec![
                Item::text(name),
                Item::text(&method),
                Item::Count(class.into()),
                Item::text(views.first().map_or("", |(a, _)| a.shape.as_str())),
                Item::Count(views.len()),
                Item::Count(flips(&views)),
                Item::difference(mean(&change)),
                Item::number(spread(&views), 4),
            ]);
        }
        if groups.iter().all(|group| !group.holds(m)) {
            finding.verdicts.push(moving::verdict(m));
        }
    }
    finding.verdicts.extend(groups.iter().map(Group::verdict));
    let pairs = both(book, &all);
    finding.verdicts.extend(reaction::verdicts(&pairs));
    let familiar = familiar::places(&all, &pairs);
    finding.headline = familiar.headline;
    finding.verdicts.extend(familiar.verdicts);
    if all.is_empty() {
        let what = "the same sign before another environment";
        finding.verdicts.push(not_measured(what, None, "no cells with forced environments"));
    }
    finding.figures.push(Figure::Intervals {
        title: "Change of the pixel ratio when a sign is moved".to_owned(),
        axis: "ratio in that environment less ratio in its own".to_owned(),
        marks,
        published: None,
        line: Some(0.0),
    });
    finding.figures.push(familiar.figure);
    finding.tables.push(places);
    finding.tables.push(familiar.table);
    finding.tables.extend(familiar.over_trainings);
    finding.tables.push(classes);
    finding
}

fn by_class<'a>(m: &'a Moved<'_>) -> BTreeMap<u16, Views<'a>> {
    let mut classes: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for view in m.views() {
        classes.entry(view.0.class).or_default().push(view);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;
    use crate::study::book::Entry;
    use crate::study::finding::{Ruling, Verdict};

    /// The correlated network flips every fourth moved sign and loses 0.05 of its ratio at the coast.
    fn book() -> Book {
        let mut entries = Vec::new();
        for train in ["CF", "UF"] {
            let n = network(train, "resnet50", train);
            entries
                .push(entry(&n, "CF", "gradcam", 80, |i, p| p.ratio = Some(0.6 + 0.1 * noise(i))));
            for place in ["coast", "forest"] {
                let name = format!("synthetic:CF/test?environment={place}");
                entries.push(entry(&n, &name, "gradcam", 80, |i, p| {
                    place.clone_into(&mut p.environment);
                    let loss = if train == "CF" && place == "coast" { 0.05 } else { 0.0 };
                    p.ratio =
                        Some(0.6 + 0.1 * noise(i) - loss + 0.004 * noise(i * 7 + place.len()));
                    let flip = train == "CF" && i % 8 == 0;
                    p.predicted = p.class + u16::from(flip);
                }));
            }
        }
        Book { entries, ..Book::default() }
    }

    #[test]
    fn only_moved_signs_count_and_flips_are_counted_by_place_and_class() {
        let found = finding(&book());
        let coast = &found.tables[0].rows[0];
        // every second sign of the helper stands in the forest, the rest at the coast
        assert_eq!(coast[3], Item::Count(40));
        assert!(coast[4].shown().starts_with("25.00 %"), "{}", coast[4].shown());
        assert_eq!(coast[5], Item::Count(10));
        assert!(coast[6].shown().starts_with("-0.0"), "{}", coast[6].shown());
        assert!(matches!(coast[7], Item::P(p) if p < 0.001));
        let forest = &found.tables[0].rows[1];
        assert!(matches!(forest[7], Item::P(p) if p > 0.05), "{forest:?}");
        assert_eq!(found.tables[2].rows.len(), 2 * 10);
    }

    #[test]
    fn a_sign_is_moved_within_its_own_set() {
        let mut book = book();
        let n = network("CF", "resnet50", "CF");
        // the same keys before another camera: other ratios altogether
        for data in ["CM", "synthetic:CM/test?environment=coast"] {
            book.entries.push(entry(&n, data, "gradcam", 80, |i, p| {
                "coast".clone_into(&mut p.environment);
                if data == "CM" {
                    "village".clone_into(&mut p.environment);
                }
                p.ratio = Some(0.1 + 0.01 * noise(i));
            }));
        }
        let found = finding(&book);
        let rows = &found.tables[0].rows;
        assert_eq!(rows[0][3], Item::Count(40), "views of CF as before");
        let other = rows.iter().find(|row| row[0] == Item::text("CF on CM")).unwrap();
        assert_eq!(other[3], Item::Count(80));
        assert!(other[6].shown().starts_with("+0.0000"), "{}", other[6].shown());
        assert_eq!(found.verdicts.iter().filter(|v| v.what.starts_with("correlated")).count(), 1);
    }

    #[test]
    fn twins_of_any_level_are_compared_sign_by_sign_and_doses_are_none() {
        let reaction = |book: &Book| {
            let start = |v: &Verdict| v.what.starts_with("correlated against");
            finding(book).verdicts.into_iter().find(start)
        };
        let v = reaction(&book()).unwrap();
        assert_eq!(v.ruling, Ruling::Answered);
        assert!(v.found.starts_with("share of flips: +0.12"), "{}", v.found);
        let renamed = |change: &dyn Fn(&mut Entry)| {
            let mut book = book();
            book.entries.iter_mut().for_each(change);
            reaction(&book)
        };
        let medium = renamed(&|e| e.network.train = e.network.train.replace('F', "M")).unwrap();
        assert_eq!((medium.found, medium.ruling), (v.found, v.ruling));
        let dose = renamed(&|e| {
            e.network.strength = (e.network.train == "CF").then_some(0.5);
        });
        assert!(dose.is_none(), "{dose:?}");
        assert_eq!(finding(&Book::default()).verdicts[0].ruling, Ruling::Missing);
    }
}
