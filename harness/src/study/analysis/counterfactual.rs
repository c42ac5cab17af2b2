//! Counterfactual pairs: the same sign before another environment. Does the decision flip, does the attention change?

use std::collections::BTreeMap;

use super::{
    SEED, contrasts, empty, explainers, familiar, mean, networks, not_measured, paired, plain,
    title,
};
use crate::stats;
use crate::study::book::{Book, Entry, Point};
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};

/// One network with the cells in which every sign stands in one place.
pub(super) struct Moved<'a> {
    pub(super) own: &'a Entry,
    pub(super) places: Vec<&'a Entry>,
}

/// The same sign in its own place and in another.
pub(super) type Views<'a> = Vec<(&'a Point, &'a Point)>;

impl Moved<'_> {
    /// Own picture and picture in another place, for all signs that a place moved.
    fn views(&self) -> Views<'_> {
        self.places.iter().flat_map(|place| moved(self.own, place)).collect()
    }

    /// Network, and test set where it is not the usual one.
    pub(super) fn name(&self) -> String {
        super::on_set(&self.own.network, &self.own.data.set)
    }
}

/// Signs that did not stand there anyway.
pub(super) fn moved<'a>(own: &'a Entry, place: &'a Entry) -> Views<'a> {
    paired(own, place).into_iter().filter(|(a, b)| a.environment != b.environment).collect()
}

pub(super) fn flips(views: &[(&Point, &Point)]) -> usize {
    views.iter().filter(|(a, b)| a.predicted != b.predicted).count()
}

pub(super) fn ratio_change(views: &[(&Point, &Point)]) -> Vec<f64> {
    super::differences(&super::ratio_pairs(views))
}

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
         which none is more familiar than another. Correlated against uncorrelated: the two networks of a level, sign by sign.",
    );
    let all = collect(book);
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
        let (name, method) = (&m.name(), title(&m.own.explainer));
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
        finding.verdicts.push(verdict(m));
    }
    let pairs = twins(book, &all);
    finding.verdicts.extend(pairs.iter().map(|pair| reaction(pair)));
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
    finding.tables.push(classes);
    finding
}

fn collect(book: &Book) -> Vec<Moved<'_>> {
    let mut found = Vec::new();
    for network in networks(book) {
        for explainer in explainers(book) {
            let places = book
                .entries
                .iter()
                .filter(|e| e.network.name == network.name && e.explainer == explainer)
                .filter(|e| !e.data.environment.is_empty() && e.data.differs_in("environment"))
                .filter(|e| !e.points.is_empty());
            // pictures of another set differ in more than the place
            let mut sets: Vec<(&str, Vec<&Entry>)> = Vec::new();
            for place in places {
                match sets.iter_mut().find(|(set, _)| *set == place.data.set) {
                    Some((_, places)) => places.push(place),
                    None => sets.push((&place.data.set, vec![place])),
                }
            }
            for (set, places) in sets {
                if let Some(own) = plain(book, &network.name, set, Some(explainer)) {
                    found.push(Moved { own, places });
                }
            }
        }
    }
    found
}

fn by_class<'a>(m: &'a Moved<'_>) -> BTreeMap<u16, Views<'a>> {
    let mut classes: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for view in m.views() {
        classes.entry(view.0.class).or_default().push(view);
    }
    classes
}

fn by_sign<'a>(m: &'a Moved<'_>) -> BTreeMap<(u16, u32), Views<'a>> {
    let mut signs: BTreeMap<(u16, u32), Vec<_>> = BTreeMap::new();
    for view in m.views() {
        signs.entry(view.0.key()).or_default().push(view);
    }
    signs
}

/// Standard deviation of the ratio of one sign over the places, as the root of the mean variance over the signs.
fn spread(views: &[(&Point, &Point)]) -> Option<f64> {
    let mut signs: BTreeMap<(u16, u32), Vec<f64>> = BTreeMap::new();
    for (own, there) in views {
        let ratios = signs.entry(own.key()).or_insert_with(|| own.ratio.into_iter().collect());
        ratios.extend(there.ratio);
    }
    let variances: Vec<f64> =
        signs.values().filter_map(|r| Some(mean(r)?.deviation?.powi(2))).collect();
    Some(mean(&variances)?.mean.sqrt())
}

fn verdict(m: &Moved<'_>) -> Verdict {
    let views = m.views();
    let signs = by_sign(m);
    let steady = signs.values().filter(|v| flips(v) == 0).count();
    let changes: Vec<f64> =
        signs.values().filter_map(|v| Some(mean(&ratio_change(v))?.mean)).collect();
    let share = |n, of| Item::share(stats::wilson(n, of)).shown();
    Verdict {
        what: format!("moving a sign, {}, {}", m.name(), title(&m.own.explainer)),
        published: None,
        found: format!(
            "{} of {} views flip; {} of the signs keep their class everywhere; ratio changes by {}; spread of one sign over the places {}",
            flips(&views),
            views.len(),
            share(steady, signs.len()),
            Item::difference(mean(&changes)).shown(),
            Item::number(spread(&views), 4).shown()
        ),
        ruling: Ruling::Answered,
        why: format!(
            "{} signs in {} places; interval over the means of signs",
            signs.len(),
            m.places.len()
        ),
    }
}

/// The two networks of a level, correlated first, with the same pictures moved.
fn twins<'m, 'a>(book: &Book, all: &'m [Moved<'a>]) -> Vec<[&'m Moved<'a>; 2]> {
    let mut found = Vec::new();
    for contrast in contrasts(book) {
        for c in all.iter().filter(|m| m.own.network.name == contrast.correlated.name) {
            let twin = all.iter().find(|u| {
                u.own.network.name == contrast.uncorrelated.name
                    && u.own.explainer == c.own.explainer
                    && u.own.data.set == c.own.data.set
            });
            found.extend(twin.map(|u| [c, u]));
        }
    }
    found
}

/// `resnet50-cf against resnet50-uf`.
pub(super) fn against([c, u]: &[&Moved<'_>; 2]) -> String {
    format!("{} against {}", c.name(), u.own.network.name)
}

/// Does the network trained on correlated backgrounds react more strongly? Sign by sign against its twin.
fn reaction(pair: &[&Moved<'_>; 2]) -> Verdict {
    let [signs_c, signs_u] = pair.map(by_sign);
    let share = |v: &Views<'_>| flips(v) as f64 / v.len() as f64;
    let both = || signs_c.iter().filter_map(|(key, vc)| Some((vc, signs_u.get(key)?)));
    let flipped: Vec<f64> = both().map(|(vc, vu)| share(vc) - share(vu)).collect();
    let reaction: Vec<f64> =
        both().filter_map(|(vc, vu)| Some(spread(vc)? - spread(vu)?)).collect();
    let p = [&flipped, &reaction].map(|d| stats::sign_flip(d, SEED).map_or(1.0, |t| t.p));
    let sure = stats::holm(&p).into_iter().any(|p| p < 0.05);
    // an interval of differences that are all zero would say more than it can
    let flips = if flipped.iter().all(|d| *d == 0.0) {
        "no difference".to_owned()
    } else {
        Item::difference(mean(&flipped)).shown()
    };
    Verdict {
        what: format!(
            "correlated against uncorrelated training, {}, {}",
            against(pair),
            title(&pair[0].own.explainer)
        ),
        published: None,
        found: format!(
            "share of flips: {flips}; spread of the ratio over the places {} (correlated less uncorrelated, sign by sign)",
            Item::difference(mean(&reaction)).shown()
        ),
        ruling: if sure { Ruling::Answered } else { Ruling::Undecided },
        why: "answered if one of the two has p below 0.05 after Holm over them. A network that leans on the background should flip more often \
              and shift its attention more"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

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
