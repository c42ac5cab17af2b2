//! How often the worst combination of a case is correlated training with uncorrelated test, under each reading of the paper's 18 cases.
//!
//! Trainings of one case from several seeds are not so many cases: they see the same pictures and ask the same question.

use std::collections::BTreeMap;

use datasets::sets::Level;

use super::case_loss::widest;
use super::cases::{Case, READINGS, Worst};
use super::{NOT_OF_THE_PAPER, OF_OTHERS, answered, not_measured};
use crate::stats;
use crate::study::finding::{Ruling, Verdict};
use crate::study::paper;

/// Cases below which a count decides nothing.
const LEAST_CASES: usize = 9;
/// Share of cases in which one of four combinations is the worst by lot.
const BLIND: f64 = 0.25;
const WHAT: &str = "the worst of a case is correlated training with uncorrelated test";

/// All trainings of one architecture at a level, tested at a level.
struct Group {
    train: Level,
    test: Level,
    worst: Worst,
    /// Whether the loss of every training is told so closely that its worst is not drawn by lot.
    telling: bool,
}

fn groups(cases: &[&Case<'_>]) -> Vec<Group> {
    let mut found: BTreeMap<(&str, Level, Level), Vec<&Case<'_>>> = BTreeMap::new();
    for &case in cases {
        found.entry(case.key()).or_default().push(case);
    }
    let telling = |case: &&Case<'_>| case.loss().is_some_and(|l| l.ci95[1] - l.ci95[0] <= widest());
    found
        .into_iter()
        .map(|((_, train, test), seeds)| Group {
            train,
            test,
            worst: Worst::of_all(&seeds.iter().map(|case| case.worst()).collect::<Vec<_>>()),
            telling: seeds.iter().all(telling),
        })
        .collect()
}

/// Cases whose worst is C on U, ties, and all.
fn tally<'g>(groups: impl Iterator<Item = &'g Group>) -> [usize; 3] {
    groups.fold([0; 3], |[worst, ties, all], group| match group.worst {
        Worst::Yes => [worst + 1, ties, all + 1],
        Worst::Tie => [worst, ties + 1, all + 1],
        Worst::No => [worst, ties, all + 1],
    })
}

/// Wilson's interval of the share holds the published one and lies above blind chance.
fn against_paper(worst: usize, of: usize) -> Ruling {
    let target = paper::WORST_CASES as f64 / paper::CASES as f64;
    let Some(share) = stats::wilson(worst, of).filter(|_| of >= LEAST_CASES) else {
        return Ruling::Undecided;
    };
    let [low, high] = share.ci95;
    match ((low..=high).contains(&target), low > BLIND) {
        (true, true) => Ruling::Reproduced,
        (true, false) => Ruling::Undecided,
        (false, _) => Ruling::NotReproduced,
    }
}

/// Wilson's interval of the share lies above blind chance, or below it.
fn against_chance(worst: usize, of: usize) -> Ruling {
    match stats::wilson(worst, of).map(|share| share.ci95) {
        Some([low, _]) if low > BLIND => Ruling::Reproduced,
        Some([_, high]) if high < BLIND => Ruling::NotReproduced,
        _ => Ruling::Undecided,
    }
}

/// What was counted under each reading, and the ruling of a rule on which all readings agree.
fn counted(groups: &[Group], rule: fn(usize, usize) -> Ruling) -> (String, Ruling) {
    let (mut words, mut rulings) = (Vec::new(), Vec::new());
    for reading in &READINGS {
        let here = || groups.iter().filter(|g| (reading.holds)(g.train, g.test));
        let [worst, ties, of] = tally(here());
        words.push(format!(
            "{}: {worst} of {of}, ties {ties} ({} cases in the whole grid)",
            reading.words,
            reading.full()
        ));
        let [worst, ties, of] = tally(here().filter(|g| g.telling));
        if of >= LEAST_CASES {
            // a tie may have been decided by rounding, either way
            rulings.extend([rule(worst, of), rule(worst + ties, of)]);
        }
    }
    let ruling = match rulings.split_first() {
        Some((first, rest)) if rest.iter().all(|r| r == first) => *first,
        _ => Ruling::Undecided,
    };
    (words.join("; "), ruling)
}

fn rest_of_rule(groups: &[Group]) -> String {
    format!(
        "alike under every reading with at least {LEAST_CASES} telling cases and however ties are counted (rows of a plan are rounded). \
         A case is telling if its loss has an interval of at most {:.4}: with fewer pictures the worst is drawn by lot, whatever is \
         true. Telling here: {} of {}. Several seeds of a case are one case: yes or no if all of them say so, else a tie. Cases of \
         one architecture are not independent",
        widest(),
        groups.iter().filter(|g| g.telling).count(),
        groups.len()
    )
}

/// The count over cases of the paper's networks.
pub(super) fn of_paper(cases: &[&Case<'_>]) -> Verdict {
    let published = Some(format!("{} of {}", paper::WORST_CASES, paper::CASES));
    if cases.is_empty() {
        let why = "needs both networks of an architecture on the C and the U set of a level";
        return not_measured(WHAT, published, why);
    }
    let groups = groups(cases);
    let (found, ruling) = counted(&groups, against_paper);
    Verdict {
        what: WHAT.to_owned(),
        published,
        found,
        ruling,
        why: format!(
            "rule: Wilson's interval of the share holds {}/{} and lies above the 1/4 of blind chance, {}",
            paper::WORST_CASES,
            paper::CASES,
            rest_of_rule(&groups)
        ),
    }
}

/// The count over cases of other networks, against blind chance alone.
pub(super) fn of_others(cases: &[&Case<'_>]) -> Verdict {
    let groups = groups(cases);
    let (found, ruling) = counted(&groups, against_chance);
    Verdict {
        what: format!("{WHAT}, {OF_OTHERS}"),
        published: None,
        found,
        ruling: answered(ruling),
        why: format!(
            "{NOT_OF_THE_PAPER}. Answered if Wilson's interval of the share lies above or below the 1/4 of blind chance, {}",
            rest_of_rule(&groups)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::measurement::known;
    use super::super::testing::{network, told};
    use super::super::worst_case::table;
    use super::*;
    use crate::study::StudyPlan;
    use crate::study::book::Book;
    use crate::study::cell::NetworkFacts;

    /// What is counted over these networks, which only the plan knows.
    fn count(all: &[NetworkFacts]) -> Verdict {
        table(&Book::default(), all).1.remove(0)
    }

    #[test]
    fn one_number_format_counts_and_every_reading_is_printed() {
        // the whole grid in two formats; C on U is the worst in f32, never in integers
        let mut all = Vec::new();
        for (architecture, _) in paper::PARAMETERS {
            for level in ["F", "M", "H"] {
                for (precision, c) in [("f32", [0.9990, 0.9985]), ("int8-qdq", [0.9985, 0.9990])] {
                    all.push(told(architecture, &format!("C{level}"), precision, c));
                    all.push(told(architecture, &format!("U{level}"), precision, [0.9990; 2]));
                }
            }
        }
        let (cases, verdicts) = table(&Book::default(), &all);
        assert_eq!(cases.rows.len(), 27);
        for (reading, count) in READINGS.iter().zip([27, paper::CASES, paper::CASES]) {
            let words = format!("{}: {count} of {count}, ties 0 ({count} cases", reading.words);
            assert!(verdicts[0].found.contains(&words), "{}", verdicts[0].found);
        }
        assert_eq!(verdicts[0].ruling, Ruling::Reproduced);
        assert_eq!(verdicts[1].ruling, Ruling::Reproduced, "{:?}", verdicts[1]);
        // where no f32 is, integers speak
        all.retain(NetworkFacts::is_integer);
        let (cases, verdicts) = table(&Book::default(), &all);
        assert_eq!((cases.rows.len(), verdicts[0].ruling), (27, Ruling::NotReproduced));
    }

    /// Nine cases of one architecture, the C-trained network with these accuracies on C and on U.
    fn grid(architecture: &str, c: [f64; 2]) -> Vec<NetworkFacts> {
        ["F", "M", "H"]
            .iter()
            .flat_map(|level| {
                let other = told(architecture, &format!("U{level}"), "f32", [0.9990; 2]);
                [told(architecture, &format!("C{level}"), "f32", c), other]
            })
            .collect()
    }

    #[test]
    fn cases_of_few_pictures_and_ties_of_rounding_decide_nothing() {
        // C on U never the worst
        assert_eq!(count(&grid("resnet50", [0.9985, 0.9990])).ruling, Ruling::NotReproduced);
        let tie = count(&grid("resnet50", [0.9990, 0.9990]));
        assert_eq!(tie.ruling, Ruling::Undecided, "none of 9, or all of them");
        let mut few = grid("resnet50", [0.9985, 0.9990]);
        for row in few.iter_mut().flat_map(|n| &mut n.accuracy) {
            row.figures.ci95 = Some([row.figures.top1 - 0.0009, 1.0]);
        }
        let few = count(&few);
        assert_eq!(few.ruling, Ruling::Undecided);
        assert!(few.why.contains("Telling here: 0 of 9"), "{}", few.why);
    }

    #[test]
    fn the_plan_of_the_zoo_has_cases_without_a_frame() {
        let plan = StudyPlan::open("zoo").unwrap().to_toml().unwrap();
        let facts = BTreeMap::from([("plan".to_owned(), plan)]);
        let book = Book { facts, ..Book::default() };
        let (cases, verdicts) = table(&book, &known(&book));
        // ResNet50 of three levels on three, ConvNeXt-Tiny of one on three
        assert_eq!(cases.rows.len(), 12);
        assert!(
            verdicts[0].found.starts_with("every level on every level (ours): 4 of 12, ties 3")
        );
    }

    /// A network of level F from a seed, which only the plan knows.
    fn of_seed(train: &str, precision: &str, seed: Option<u64>, shares: [f64; 2]) -> NetworkFacts {
        let told = told("resnet50", train, precision, shares);
        NetworkFacts { name: format!("{}-{seed:?}", told.name), seed, ..told }
    }

    #[test]
    fn seeds_of_one_case_are_one_case_and_a_yes_only_if_all_of_them_say_so() {
        let pair = |seed, c| {
            let u = of_seed("UF", "f32", Some(seed), [0.9990; 2]);
            [of_seed("CF", "f32", Some(seed), c), u]
        };
        let (worst, other) = ([0.9990, 0.9985], [0.9985, 0.9990]);
        let of = |seeds: [[f64; 2]; 3]| -> Vec<NetworkFacts> {
            (1..).zip(seeds).flat_map(|(seed, c)| pair(seed, c)).collect()
        };
        let three = of([worst; 3]);
        let (cases, verdicts) = table(&Book::default(), &three);
        assert_eq!(cases.rows.len(), 9, "three levels of testing, three seeds");
        let names: Vec<String> = cases.rows.iter().step_by(3).map(|row| row[1].shown()).collect();
        assert_eq!(names, [1, 2, 3].map(|seed| format!("resnet50-CF.f32-Some({seed})")));
        let start = "every level on every level (ours): 3 of 3, ties 0";
        assert!(verdicts[0].found.starts_with(start), "{}", verdicts[0].found);
        assert_eq!(verdicts[0].ruling, Ruling::Undecided, "three cases decide nothing");
        assert!(verdicts[0].why.contains("Telling here: 3 of 3"), "{}", verdicts[0].why);
        assert!(verdicts[1].found.starts_with("3 cases of 9 pairs"), "{}", verdicts[1].found);
        for (seeds, counts) in [
            ([other; 3], "0 of 3, ties 0"),
            ([worst, worst, other], "0 of 3, ties 3"),
            ([worst, other, other], "0 of 3, ties 3"),
        ] {
            let found = count(&of(seeds)).found;
            assert!(found.starts_with(&format!("every level on every level (ours): {counts}")));
        }
    }

    #[test]
    fn the_f32_of_one_seed_takes_no_case_from_others_and_a_seedless_network_no_place_of_a_seed() {
        let (shares, twin) = ([0.9990, 0.9985], [0.9990; 2]);
        let pair = |precision: &str, seed| {
            [of_seed("CF", precision, seed, shares), of_seed("UF", precision, seed, twin)]
        };
        let all: Vec<NetworkFacts> = [("f32", 1), ("int8-qdq", 1), ("int8-qdq", 2)]
            .into_iter()
            .flat_map(|(precision, seed)| pair(precision, Some(seed)))
            .collect();
        let rows = table(&Book::default(), &all).0.rows;
        let names: Vec<String> = rows.iter().step_by(3).map(|row| row[1].shown()).collect();
        assert_eq!(names, ["resnet50-CF.f32-Some(1)", "resnet50-CF.int8-qdq-Some(2)"]);
        // a U-trained network of which nobody tells the seed, beside the one of the C-trained network's own seed
        let mut all = pair("f32", Some(1)).to_vec();
        all.insert(0, of_seed("UF", "f32", None, [0.5; 2]));
        let rows = table(&Book::default(), &all).0.rows;
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row[9].shown().starts_with("99.90 %")), "{rows:?}");
    }

    #[test]
    fn the_f32_of_a_seed_that_nobody_tells_takes_no_case_from_several_seeds() {
        let pair = |precision: &str, seed| {
            [("CF", [0.9990, 0.9985]), ("UF", [0.9990; 2])]
                .map(|(train, shares)| of_seed(train, precision, seed, shares))
        };
        let names = |all: &[NetworkFacts]| -> Vec<String> {
            let rows = table(&Book::default(), all).0.rows;
            rows.iter().step_by(3).map(|row| row[1].shown()).collect()
        };
        let mut all = [pair("f32", None), pair("int8-qdq", Some(1))].concat();
        assert_eq!(names(&all), ["resnet50-CF.f32-None"], "the only training");
        all.extend(pair("int8-qdq", Some(2)));
        let three = ["f32-None", "int8-qdq-Some(1)", "int8-qdq-Some(2)"];
        assert_eq!(names(&all), three.map(|name| format!("resnet50-CF.{name}")));
    }

    #[test]
    fn networks_that_the_paper_does_not_have_are_held_against_chance_alone() {
        for (c, ruling) in [
            ([0.9990, 0.9985], Ruling::Answered),
            ([0.9990, 0.9990], Ruling::Undecided),
            // none of nine may be chance
            ([0.9985, 0.9990], Ruling::Undecided),
        ] {
            let (cases, verdicts) = table(&Book::default(), &grid("resnet-tiny", c));
            assert_eq!(verdicts.len(), 2);
            assert_eq!((verdicts[0].ruling, &verdicts[0].published), (ruling, &None));
            assert!(verdicts[0].why.starts_with(NOT_OF_THE_PAPER), "{}", verdicts[0].why);
            assert_eq!(verdicts[1].published, None);
            assert_eq!(cases.rows[0][13].shown(), "not published");
        }
        // beside the paper's, each is judged by itself
        let mut all = grid("resnet-tiny", [0.9990, 0.9985]);
        all.extend(grid("resnet50", [0.9990, 0.9985]));
        let verdicts = table(&Book::default(), &all).1;
        let rulings: Vec<Ruling> = verdicts.iter().map(|v| v.ruling).collect();
        assert_eq!(rulings[..2], [Ruling::Reproduced; 2]);
        assert_eq!(rulings[2..], [Ruling::Answered; 2]);
        assert_eq!(against_chance(0, 12), Ruling::NotReproduced, "0 to 24.2 %");
        let nobody = network("n", "resnet-tiny", "CF");
        assert_eq!(count(&[nobody]).ruling, Ruling::Missing);
    }
}
