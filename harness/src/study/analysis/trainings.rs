//! Several trainings on one set: what they differ by, and what that makes of a difference between two sets.
//!
//! An interval over frames speaks of two files. Whether it speaks of two ways to train depends on how far two trainings lie apart
//! that differ in nothing but their seed.

use std::collections::BTreeSet;

use super::repeats::{Kind, kinds};
use super::{SEED, empty, explainers, level_letter, mean, not_measured, title};
use crate::stats;
use crate::study::book::{Book, Entry};
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};

/// What a study of single trainings would have called a difference.
const LEVEL: f64 = 0.05;
/// A deviation is told if the upper end of its interval is no more than so many times it: from four degrees of freedom on.
const WIDEST: f64 = 3.0;
/// Two values of one deviation lie closer together than so many deviations in 95 of 100 cases: 1.96 times the root of 2.
const APART: f64 = 2.772;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "trainings",
        "Do two networks differ by what they were trained on, or only by the training?",
        "Networks of one architecture and camera level, several seeds to a strength of the correlation, on the same CF pictures. \
         Standard deviation of their mean ratios within a strength, pooled, with the interval of chi squared; where a seed recurs \
         at several strengths (same first weights, same order of batches), the degrees of freedom are those of the seeds alone. Of \
         every pair of trainings on one set, whether a sign-flip test over frames calls the two different (p < 0.05, no \
         adjustment): what a study of one training a set would have reported. What differences between sets come to over several \
         trainings stands under `contrast` and `dose`.",
    );
    let mut table = Table::new(
        "trainings",
        "Trainings on one set",
        &[
            "architecture",
            "method",
            "level",
            "strength",
            "trainings",
            "frames",
            "mean ratio (over trainings)",
            "deviation between trainings",
            "accuracy",
        ],
    );
    let mut marks = Vec::new();
    for explainer in explainers(book) {
        for kind in kinds(book, explainer) {
            let groups = kind.by_strength();
            if groups.iter().all(|(_, members)| members.len() < 2) {
                continue;
            }
            let (means, frames) = kind.means();
            let of = |members: &[usize]| {
                members.iter().filter_map(|&i| means.get(i).copied()).collect::<Vec<f64>>()
            };
            for (strength, members) in &groups {
                let m = mean(&of(members));
                table.rows.push(vec![
                    Item::text(kind.name()),
                    Item::text(title(explainer)),
                    Item::text(level_letter(kind.level)),
                    Item::number(Some(*strength), 2),
                    Item::Count(members.len()),
                    Item::Count(frames),
                    Item::mean(m),
                    Item::number(m.and_then(|m| m.deviation), 4),
                    Item::text(accuracies(members.iter().map(|&i| kind.trainings[i].1))),
                ]);
                marks.extend(members.iter().zip(of(members)).map(|(&i, value)| Mark {
                    name: format!("{}, {}", kind.trainings[i].1.network.name, title(explainer)),
                    group: format!("strength {strength:.2}"),
                    value,
                    ci95: None,
                }));
            }
            let name = format!(
                "{}, level {}, {}",
                kind.name(),
                level_letter(kind.level),
                title(explainer)
            );
            let values: Vec<Vec<f64>> = groups.iter().map(|(_, members)| of(members)).collect();
            finding.verdicts.push(apart(name, &kind, &groups, &values, frames));
        }
    }
    if finding.verdicts.is_empty() {
        finding.verdicts.push(not_measured(
            "what two trainings on one set differ by",
            None,
            "needs two trainings or more on one set, told apart by `seed` in manifest or plan, with complete cells",
        ));
    }
    finding.figures.push(Figure::Intervals {
        title: "Mean pixel ratio of every training".to_owned(),
        axis: "mean pixel ratio on CF".to_owned(),
        marks,
        published: None,
        line: None,
    });
    finding.tables.push(table);
    finding
}

/// Degrees of freedom that trainings of several strengths have: those of their seeds, if a seed recurs.
fn independent(kind: &Kind<'_>) -> usize {
    let seeds: BTreeSet<_> = kind.trainings.iter().map(|(_, e)| e.network.seed).collect();
    if seeds.len() < kind.trainings.len() { seeds.len().saturating_sub(1) } else { usize::MAX }
}

/// How far trainings on one set lie apart, and how often a test over frames takes them for different.
fn apart(
    name: String,
    kind: &Kind<'_>,
    groups: &[(f64, Vec<usize>)],
    values: &[Vec<f64>],
    frames: usize,
) -> Verdict {
    let what = format!("{name}: trainings on one set");
    let Some(spread) = stats::pooled_deviation(values, independent(kind)) else {
        return not_measured(&what, None, "the trainings share no frame with a ratio");
    };
    let (told, pairs) = told_apart(kind, groups);
    let deviation = Item::Number {
        value: spread.deviation,
        ci95: Some(spread.ci95),
        decimals: 4,
        signed: false,
    };
    let trainings: usize = groups.iter().map(|(_, m)| m.len()).filter(|&n| n > 1).sum();
    let sure = spread.ci95[1] <= WIDEST * spread.deviation;
    Verdict {
        what,
        published: None,
        found: format!(
            "standard deviation {} of the mean ratio ({trainings} trainings, {} degrees of freedom); a test over frames calls \
             {told} of {pairs} pairs of one set different",
            deviation.shown(),
            spread.free
        ),
        ruling: if sure { Ruling::Answered } else { Ruling::Undecided },
        why: format!(
            "pooled within strengths, on these {frames} frames; undecided if the interval reaches beyond three times the deviation. \
             Two single trainings on one set lie up to {:.4} apart in 95 of 100 cases: a smaller difference of two sets may be one \
             of two trainings, whatever a test over frames says",
            APART * spread.deviation
        ),
    }
}

/// Pairs of trainings on one set that a test over frames calls different, and all pairs.
fn told_apart(kind: &Kind<'_>, groups: &[(f64, Vec<usize>)]) -> (usize, usize) {
    let frames = kind.frames();
    let (mut told, mut pairs) = (0, 0);
    for (_, members) in groups {
        for (k, &a) in members.iter().enumerate() {
            for &b in &members[k + 1..] {
                let differences: Vec<f64> = frames.iter().map(|f| f[b] - f[a]).collect();
                let test = stats::sign_flip(&differences, SEED);
                told += usize::from(test.is_some_and(|test| test.p < LEVEL));
                pairs += 1;
            }
        }
    }
    (told, pairs)
}

/// Shares of right decisions on the same pictures, smallest to largest.
fn accuracies<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let share = |e: &Entry| 100.0 * super::hits(&e.points) as f64 / e.points.len().max(1) as f64;
    let mut all: Vec<f64> = entries.map(share).collect();
    all.sort_by(f64::total_cmp);
    match (all.first(), all.last()) {
        (Some(low), Some(high)) if low < high => format!("{low:.2} to {high:.2} %"),
        (Some(one), _) => format!("{one:.2} %"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    /// `seeds` trainings a strength, `apart` from one another; `new` makes every seed one of its own.
    fn trainings(seeds: u64, apart: f64, new: bool) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (k, strength) in (0..).zip([0.0, 0.5, 1.0]) {
            for seed in 1..=seeds {
                let mut n = network(&format!("t-{strength}-{seed}"), "tiny", "CF");
                let own = if new { seed + k * seeds } else { seed };
                (n.strength, n.seed) = (Some(strength), Some(own));
                let off = apart * (seed as f64 - (seeds as f64 + 1.0) / 2.0);
                entries.push(entry(&n, "CF", "gradcam", 200, |i, p| {
                    p.ratio = Some(0.7 + 0.1 * noise(i) + off - 0.02 * strength);
                }));
            }
        }
        entries
    }

    fn found(entries: Vec<Entry>) -> Finding {
        finding(&Book { entries, ..Book::default() })
    }

    #[test]
    fn the_deviation_between_trainings_is_found_and_frames_alone_would_call_them_different() {
        let f = found(trainings(3, 0.01, true));
        // means 0.01 apart about each strength: deviation 0.01, df 6: chi2 14.449375 and 1.237344
        let v = &f.verdicts[0];
        assert!(v.found.starts_with("standard deviation 0.0100 (0.0064 to 0.0220)"), "{v:?}");
        assert!(v.found.contains("9 trainings, 6 degrees of freedom"), "{v:?}");
        assert!(v.found.contains("a test over frames calls 9 of 9 pairs"), "{v:?}");
        assert!(v.why.contains("up to 0.0277 apart"), "{v:?}");
        assert_eq!((v.ruling, f.tables[0].rows.len()), (Ruling::Answered, 3));
    }

    #[test]
    fn seeds_that_recur_are_no_further_draws() {
        let f = found(trainings(3, 0.01, false));
        // df 2: chi2 7.377759 and 0.050636
        let v = &f.verdicts[0];
        assert!(v.found.starts_with("standard deviation 0.0100 (0.0052 to 0.0628)"), "{v:?}");
        assert!(v.found.contains("2 degrees of freedom"), "{v:?}");
        assert_eq!(v.ruling, Ruling::Undecided);
    }

    #[test]
    fn one_training_a_set_says_nothing_and_a_second_copy_is_none() {
        assert_eq!(found(trainings(1, 0.01, false)).verdicts[0].ruling, Ruling::Missing);
        let mut entries = trainings(1, 0.0, false);
        let mut copy = entries[0].clone();
        copy.network.name = "the same from another machine".to_owned();
        let mut untold = entries[1].clone();
        (untold.network.name, untold.network.seed) = ("nobody knows".to_owned(), None);
        entries.insert(0, untold);
        entries.push(copy);
        assert_eq!(found(entries).verdicts[0].ruling, Ruling::Missing);
    }

    #[test]
    fn a_cell_that_was_only_begun_takes_no_frames_from_the_others() {
        let mut entries = trainings(2, 0.01, true);
        entries[5].points.truncate(3);
        let f = found(entries);
        let counts: Vec<String> = f.tables[0].rows.iter().map(|r| r[5].shown()).collect();
        assert_eq!(counts, ["200"; 3]);
        assert_eq!(f.tables[0].rows[2][4], Item::Count(1), "{:?}", f.tables[0].rows);
    }

    #[test]
    fn trainings_without_a_common_frame_are_told() {
        let mut entries = trainings(2, 0.01, true);
        for p in &mut entries[0].points {
            p.ratio = None;
        }
        let v = &found(entries).verdicts[0];
        assert_eq!(v.ruling, Ruling::Missing);
        assert!(v.why.contains("share no frame"), "{v:?}");
    }
}
