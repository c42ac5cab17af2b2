//! Which measurement of an accuracy counts: the frames of a cell, or a row of the manifest or of the plan, whichever saw most
//! pictures.

use datasets::sets::Set;

use super::seeds::stands_for;
use super::{hits, networks, plain, whole_set};
use crate::stats::{self, ShareInterval};
use crate::study::book::{Book, Entry};
use crate::study::cell::{KnownAccuracy, NetworkFacts, Told};
use crate::study::plan::StudyPlan;

/// Where a measurement comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// Frames of this cell.
    Frames(&'a Entry),
    /// A row that was measured elsewhere.
    Told(Told),
}

impl Source<'_> {
    /// All words, in the order of a table.
    pub(super) const WORDS: [&'static str; 3] = ["frames", "manifest", "plan"];

    /// As a table says it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Frames(_) => "frames",
            Self::Told(Told::Manifest) => "manifest",
            Self::Told(Told::Plan) => "plan",
        }
    }
}

/// An accuracy on one set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured<'a> {
    pub(super) share: ShareInterval,
    pub(super) source: Source<'a>,
}

/// The networks of the cells, then those that no cell asks for and whose accuracy the plan tells.
pub(super) fn known(book: &Book) -> Vec<NetworkFacts> {
    let mut all: Vec<NetworkFacts> = networks(book).into_iter().cloned().collect();
    let plan = book.facts.get("plan").and_then(|text| StudyPlan::parse(text, "plan").ok());
    for entry in plan.iter().flat_map(|p| &p.networks).filter(|e| !e.accuracy.is_empty()) {
        if all.iter().all(|n| n.name != entry.name) {
            all.push(NetworkFacts::planned(entry));
        }
    }
    all
}

/// The measurement with most pictures on the ordinary test half of a set, for a network of one shape on that shape (its manifest
/// calls this part of CF `CFT`); of two alike, frames before manifest before plan.
pub(super) fn measure<'a>(
    book: &'a Book,
    network: &NetworkFacts,
    set: &str,
) -> Option<Measured<'a>> {
    let frames = plain(book, &network.name, set, None).and_then(|entry| {
        let share = stats::wilson(hits(&entry.points), entry.points.len())?;
        Some(Measured { share, source: Source::Frames(entry) })
    });
    let shape = network.set().and_then(|own| own.shape);
    let asked =
        Set::from_name(set).map_or_else(|| set.to_owned(), |s| Set { shape, ..s }.to_string());
    let of_set = |k: &&KnownAccuracy| k.figures.set.strip_suffix("/test") == Some(&asked);
    let told = network
        .accuracy
        .iter()
        .filter(of_set)
        .filter_map(|k| Some(Measured { share: share(k)?, source: Source::Told(k.told) }));
    frames
        .into_iter()
        .chain(told)
        .reduce(|best, next| if next.share.n > best.share.n { next } else { best })
}

/// A row as it stands; where it has no interval, Wilson's of the nearest count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number of pictures"
)]
fn share(known: &KnownAccuracy) -> Option<ShareInterval> {
    let row = &known.figures;
    let n = usize::try_from(row.n).ok().filter(|n| *n > 0)?;
    match row.ci95 {
        Some(ci95) => Some(ShareInterval { value: row.top1, ci95, n }),
        None => stats::wilson((row.top1.clamp(0.0, 1.0) * n as f64).round() as usize, n),
    }
}

/// One number format speaks for a training: f32, else other floating point, else integers.
pub(super) fn format_rank(network: &NetworkFacts) -> u8 {
    match network.precision.as_str() {
        "f32" => 0,
        _ if network.is_integer() => 2,
        _ => 1,
    }
}

/// Whether a measurement of one training speaks for another as well: of no other seed (`seeds::stands_for`), and in a better number
/// format, or on more pictures of a network that is not known to be another one.
fn outdone(
    all: &[NetworkFacts],
    by: (&NetworkFacts, Measured<'_>),
    (network, measured): (&NetworkFacts, Measured<'_>),
) -> bool {
    let (other, most) = by;
    if other.architecture != network.architecture
        || other.train != network.train
        || !stands_for(all, other, network)
    {
        return false;
    }
    let (rank, own) = (format_rank(other), format_rank(network));
    let apart = !other.sha256.is_empty() && !network.sha256.is_empty();
    rank < own || (rank == own && !apart && most.share.n > measured.share.n)
}

/// What was measured on the networks' own training sets, each training once, doses left out.
pub(super) fn on_own_set<'b, 'n>(
    book: &'b Book,
    all: &'n [NetworkFacts],
    wanted: impl Fn(Set) -> bool,
) -> Vec<(&'n NetworkFacts, Measured<'b>)> {
    let found: Vec<(&NetworkFacts, Measured<'b>)> = all
        .iter()
        .filter_map(|n| {
            let set = whole_set(n).filter(|set| wanted(*set))?;
            Some((n, measure(book, n, &set.to_string())?))
        })
        .collect();
    let lasting = |n| !found.iter().any(|by| outdone(all, *by, n));
    found.iter().copied().filter(|n| lasting(*n)).collect()
}

#[cfg(test)]
mod tests {
    use models::manifest::Accuracy;

    use super::super::testing::{entry, network, seeded};
    use super::*;

    fn row(told: Told, n: u64, ci95: Option<[f64; 2]>) -> KnownAccuracy {
        KnownAccuracy { told, figures: Accuracy { set: "CF/test".to_owned(), top1: 0.99, n, ci95 } }
    }

    fn book_of(network: &NetworkFacts, frames: usize) -> Book {
        let cell = entry(network, "CF", "gradcam", frames, |_, _| {});
        Book { entries: vec![cell], ..Book::default() }
    }

    #[test]
    fn of_a_network_of_one_shape_the_manifest_tells_that_part_of_a_set() {
        let row = |set: &str, top1| KnownAccuracy {
            told: Told::Manifest,
            figures: Accuracy { set: set.to_owned(), top1, n: 100, ci95: None },
        };
        let accuracy = vec![row("CF/test", 0.3), row("CFT/test", 0.9)];
        let one = NetworkFacts { accuracy: accuracy.clone(), ..network("t", "a", "CMT") };
        let all = NetworkFacts { accuracy, ..network("m", "a", "CM") };
        let found = |n: &NetworkFacts| measure(&Book::default(), n, "CF").unwrap().share.value;
        assert_eq!([found(&one), found(&all)], [0.9, 0.3]);
    }

    #[test]
    fn the_measurement_with_most_pictures_counts() {
        let mut n = network("a", "resnet50", "CF");
        n.accuracy = vec![row(Told::Manifest, 100, None), row(Told::Plan, 100, None)];
        let word = |frames: usize, n: &NetworkFacts| {
            measure(&book_of(n, frames), n, "CF").unwrap().source.word()
        };
        assert_eq!(word(100, &n), "frames");
        assert_eq!(word(99, &n), "manifest", "of two rows alike the first counts");
        n.accuracy[1].figures.n = 101;
        assert_eq!(word(100, &n), "plan");
        assert!(measure(&book_of(&n, 100), &n, "UF").is_none());
    }

    #[test]
    fn a_row_keeps_its_interval_and_gets_wilsons_where_it_has_none() {
        let mut n = network("a", "resnet50", "CF");
        n.accuracy = vec![row(Told::Plan, 200, Some([0.98, 0.995]))];
        let book = book_of(&n, 10);
        assert_eq!(measure(&book, &n, "CF").unwrap().share.ci95, [0.98, 0.995]);
        n.accuracy = vec![row(Told::Plan, 200, None)];
        assert_eq!(measure(&book, &n, "CF").unwrap().share, stats::wilson(198, 200).unwrap());
    }

    #[test]
    fn networks_of_the_plan_are_known_without_a_cell_if_it_tells_their_accuracy() {
        let plan = "title = 't'\n[[network]]\nname = 'gone'\ntrain = 'UH'\n[[network.accuracy]]\nset = 'UH/test'\ntop1 = 0.9\n\
            n = 10\n[[network]]\nname = 'silent'\n[method.m]\n[[grid]]\nmethods = ['m']\ndata = ['CF']\nframes = 1\n";
        let mut book = book_of(&network("a", "resnet50", "CF"), 4);
        book.facts.insert("plan".to_owned(), plan.to_owned());
        let all = known(&book);
        let names: Vec<&str> = all.iter().map(|n| n.name.as_str()).collect();
        assert_eq!(names, ["a", "gone"]);
        assert_eq!(measure(&book, &all[1], "UH").unwrap().share.n, 10);
    }

    #[test]
    fn more_pictures_of_a_network_without_a_file_speak_for_it_and_two_files_are_two_networks() {
        let file = |name: &str| NetworkFacts {
            sha256: name.to_owned(),
            ..network(name, "resnet50", "CF")
        };
        let told = NetworkFacts {
            accuracy: vec![row(Told::Plan, 4_100, None)],
            ..network("told", "resnet50", "CF")
        };
        let of = |all: &[NetworkFacts]| -> Vec<String> {
            let entries = all
                .iter()
                .filter(|n| n.accuracy.is_empty())
                .map(|n| entry(n, "CF", "gradcam", if n.name == "a" { 10 } else { 20 }, |_, _| {}))
                .collect();
            let book = Book { entries, ..Book::default() };
            on_own_set(&book, all, |_| true).iter().map(|(n, _)| n.name.clone()).collect()
        };
        assert_eq!(of(&[file("a"), told]), ["told"]);
        assert_eq!(of(&[file("a"), file("b")]), ["a", "b"], "say, two seeds");
    }

    #[test]
    fn one_number_format_speaks_for_a_training_and_a_dose_for_none() {
        let float = network("float", "resnet50", "CF");
        let integer = NetworkFacts {
            precision: "int8-qdq".to_owned(),
            ..network("integer", "resnet50", "CF")
        };
        let dose = NetworkFacts { strength: Some(0.5), ..network("dose", "resnet50", "CF") };
        let alone =
            NetworkFacts { precision: "int8-qdq".to_owned(), ..network("alone", "resnet50", "CM") };
        let all = [integer, float, dose, alone];
        let entries = all
            .iter()
            .flat_map(|n| ["CF", "CM"].map(|set| entry(n, set, "gradcam", 10, |_, _| {})))
            .collect();
        let book = Book { entries, ..Book::default() };
        let found = on_own_set(&book, &all, |_| true);
        let names: Vec<&str> = found.iter().map(|(n, _)| n.name.as_str()).collect();
        assert_eq!(names, ["float", "alone"]);
    }

    #[test]
    fn the_best_number_format_of_one_seed_does_not_speak_for_another_seed() {
        let float = seeded("float-1", "resnet50", "CF", Some(1));
        let integers = [1, 2, 3].map(|seed| NetworkFacts {
            precision: "int8-qdq".to_owned(),
            ..seeded(&format!("integer-{seed}"), "resnet50", "CF", Some(seed))
        });
        let all: Vec<NetworkFacts> = [float].into_iter().chain(integers).collect();
        let entries = all.iter().map(|n| entry(n, "CF", "gradcam", 10, |_, _| {})).collect();
        let book = Book { entries, ..Book::default() };
        let found = on_own_set(&book, &all, |_| true);
        let names: Vec<&str> = found.iter().map(|(n, _)| n.name.as_str()).collect();
        assert_eq!(names, ["float-1", "integer-2", "integer-3"]);
    }

    #[test]
    fn f32_of_a_seed_that_nobody_tells_speaks_for_the_only_training_and_for_none_of_several() {
        let float = network("float", "resnet50", "CF");
        let integer = |seed: u64| NetworkFacts {
            precision: "int8-qdq".to_owned(),
            ..seeded(&format!("integer-{seed}"), "resnet50", "CF", Some(seed))
        };
        let of = |all: &[NetworkFacts]| -> Vec<String> {
            let entries = all.iter().map(|n| entry(n, "CF", "gradcam", 10, |_, _| {})).collect();
            let book = Book { entries, ..Book::default() };
            on_own_set(&book, all, |_| true).iter().map(|(n, _)| n.name.clone()).collect()
        };
        assert_eq!(of(&[integer(1), float.clone()]), ["float"]);
        let all = [integer(1), integer(2), float.clone()];
        assert_eq!(of(&all), ["integer-1", "integer-2", "float"]);
        // where the seeds have f32 of their own, one in integers that nobody tells the seed of is no further training
        let of_seed = |seed: u64| seeded(&format!("float-{seed}"), "resnet50", "CF", Some(seed));
        let untold = NetworkFacts { precision: "int8-qdq".to_owned(), ..float };
        assert_eq!(of(&[untold, of_seed(1), of_seed(2)]), ["float-1", "float-2"]);
    }
}
