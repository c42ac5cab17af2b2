//! Several trainings on one set: what they differ by, and what that makes of a difference between two sets.
//!
//! An interval over frames speaks of two files. Whether it speaks of two ways to train depends on how far two trainings lie apart
//! that differ in nothing but their seed.

use super::repeats::{Kind, kinds};
use super::{SEED, empty, explainers, level_letter, mean, not_measured, title};
use crate::stats::{self, Difference};
use crate::study::book::{Book, Entry};
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};

/// What counts as a difference.
const LEVEL: f64 = 0.05;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "trainings",
        "Do two networks differ by what they were trained on, or only by the training?",
        "Networks of one architecture and camera level, several seeds to a strength of the correlation, on the same CF pictures. \
         Standard deviation of their mean ratios within a strength, pooled, with the interval of chi squared. Of every pair of \
         trainings on one set, whether a sign-flip test over frames calls the two different (p < 0.05, no adjustment): what a \
         study of one training a set would have reported. The weakest less the strongest correlation with trainings as the unit: \
         Welch's t, Holm's adjustment over all of them.",
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
    let (mut marks, mut tested) = (Vec::new(), Vec::new());
    for explainer in explainers(book) {
        for kind in kinds(book, explainer) {
            let groups = kind.by_strength();
            if groups.iter().all(|(_, members)| members.len() < 2) {
                continue;
            }
            let (means, frames) = kind.means();
            if frames == 0 {
                continue;
            }
            let name = format!("{}, level {}", kind.name(), level_letter(kind.level));
            let of = |members: &[usize]| members.iter().map(|&i| means[i]).collect::<Vec<f64>>();
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
                marks.extend(members.iter().map(|&i| Mark {
                    name: format!("{}, {}", kind.trainings[i].1.network.name, title(explainer)),
                    group: format!("strength {strength:.2}"),
                    value: means[i],
                    ci95: None,
                }));
            }
            finding.verdicts.extend(apart(&name, explainer, &kind, &groups, &of));
            if let [first, .., last] = groups.as_slice()
                && let Some(found) = stats::welch(&of(&last.1), &of(&first.1))
            {
                tested.push(Contrast {
                    what: format!(
                        "{name}, {}: strength {:.2} less {:.2}, over trainings",
                        title(explainer),
                        first.0,
                        last.0
                    ),
                    found,
                    trainings: [first.1.len(), last.1.len()],
                });
            }
        }
    }
    let holm = stats::holm(&tested.iter().map(|t| t.found.p).collect::<Vec<_>>());
    finding.verdicts.extend(tested.iter().zip(holm).map(|(t, p)| t.verdict(p)));
    if finding.verdicts.is_empty() {
        finding.verdicts.push(not_measured(
            "what two trainings on one set differ by",
            None,
            "needs two trainings or more on one set, told apart by `seed` in manifest or plan",
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

/// The weakest correlation less the strongest, trainings as the unit.
struct Contrast {
    what: String,
    found: Difference,
    trainings: [usize; 2],
}

impl Contrast {
    fn verdict(&self, holm: f64) -> Verdict {
        let Difference { difference: value, ci95, .. } = self.found;
        let shown = Item::Number { value, ci95: Some(ci95), decimals: 4, signed: true }.shown();
        let beside = ci95[0] > 0.0 || ci95[1] < 0.0;
        let [a, b] = self.trainings;
        Verdict {
            what: self.what.clone(),
            published: None,
            found: format!("{shown}, {a} and {b} trainings; p (Holm) {}", Item::P(holm).shown()),
            ruling: if beside && holm < LEVEL { Ruling::Answered } else { Ruling::Undecided },
            why: "answered if the interval over trainings leaves out zero and p after Holm is below 0.05".to_owned(),
        }
    }
}

/// How far trainings on one set lie apart, and how often a test over frames takes them for different.
fn apart(
    name: &str,
    explainer: &str,
    kind: &Kind<'_>,
    groups: &[(f64, Vec<usize>)],
    of: &impl Fn(&[usize]) -> Vec<f64>,
) -> Option<Verdict> {
    let values: Vec<Vec<f64>> = groups.iter().map(|(_, members)| of(members)).collect();
    let spread = stats::pooled_deviation(&values)?;
    let frames = kind.frames();
    let (mut pairs, mut told) = (0, 0);
    for (_, members) in groups {
        for (k, &a) in members.iter().enumerate() {
            for &b in &members[k + 1..] {
                let differences: Vec<f64> = frames.iter().map(|f| f[b] - f[a]).collect();
                pairs += 1;
                told += usize::from(
                    stats::sign_flip(&differences, SEED).is_some_and(|test| test.p < LEVEL),
                );
            }
        }
    }
    let deviation = Item::Number {
        value: spread.deviation,
        ci95: Some(spread.ci95),
        decimals: 4,
        signed: false,
    };
    let trainings: usize = groups.iter().map(|(_, m)| m.len()).filter(|&n| n > 1).sum();
    Some(Verdict {
        what: format!("{name}, {}: trainings on one set", title(explainer)),
        published: None,
        found: format!(
            "standard deviation {} of the mean ratio, {trainings} trainings; a test over frames calls {told} of {pairs} pairs of \
             one set different",
            deviation.shown()
        ),
        ruling: Ruling::Answered,
        why: "pooled within strengths; where trainings on one set are called different, a difference of two single trainings says \
              nothing of the sets"
            .to_owned(),
    })
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

    /// `seeds` trainings a strength; trainings lie apart by `apart`, strengths by `effect`.
    fn trainings(seeds: u64, apart: f64, effect: f64) -> Vec<Entry> {
        let mut entries = Vec::new();
        for strength in [0.0, 0.5, 1.0] {
            for seed in 1..=seeds {
                let mut n = network(&format!("t-{strength}-{seed}"), "tiny", "CF");
                (n.strength, n.seed) = (Some(strength), Some(seed));
                let own = apart * (seed as f64 - (seeds as f64 + 1.0) / 2.0);
                entries.push(entry(&n, "CF", "gradcam", 200, |i, p| {
                    p.ratio = Some(0.7 + 0.1 * noise(i) + own - effect * strength);
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
        let f = found(trainings(3, 0.01, 0.002));
        // means 0.69, 0.70, 0.71 about each strength: deviation 0.01, df 6: chi2 14.449375 and 1.237344
        assert!(
            f.verdicts[0].found.starts_with("standard deviation 0.0100 (0.0064 to 0.0220)"),
            "{:?}",
            f.verdicts[0]
        );
        assert!(f.verdicts[0].found.contains("9 trainings; a test over frames calls 9 of 9"));
        assert_eq!(
            f.verdicts[1].what,
            "tiny (f32), level F, GradCAM: strength 0.00 less 1.00, over trainings"
        );
        assert_eq!(f.verdicts[1].ruling, Ruling::Undecided, "an effect below the deviation");
        assert_eq!(f.tables[0].rows.len(), 3);
    }

    #[test]
    fn an_effect_far_above_the_deviation_is_one_of_the_sets() {
        let f = found(trainings(3, 0.001, 0.02));
        assert_eq!(f.verdicts[1].ruling, Ruling::Answered);
        assert!(f.verdicts[1].found.starts_with("+0.0200 ("), "{}", f.verdicts[1].found);
        assert!(f.verdicts[1].found.contains("3 and 3 trainings"));
    }

    #[test]
    fn one_training_a_set_says_nothing_and_a_second_copy_is_none() {
        assert_eq!(found(trainings(1, 0.01, 0.02)).verdicts[0].ruling, Ruling::Missing);
        let mut entries = trainings(1, 0.0, 0.02);
        let mut copy = entries[0].clone();
        copy.network.name = "the same from another machine".to_owned();
        entries.push(copy);
        assert_eq!(found(entries).verdicts[0].ruling, Ruling::Missing);
    }
}
