//! What the correlated network of a case loses from C to U pictures.

use std::collections::BTreeSet;

use super::accuracy::all_of;
use super::cases::Case;
use super::{NOT_OF_THE_PAPER, OF_OTHERS, beside_zero, not_measured, range_ruling};
use crate::study::finding::{Ruling, Verdict};
use crate::study::paper;

const WHAT: &str = "loss of the correlated network on uncorrelated pictures";

/// Twice the published range: an interval that is wider could lie on either side of it.
pub(super) fn widest() -> f64 {
    let [smallest, largest] = paper::WORST_LOSS;
    2.0 * (largest - smallest)
}

/// A loss is there and of the published size, beside it, or not told.
fn ruling([low, high]: [f64; 2]) -> Ruling {
    match range_ruling(Some([low, high]), paper::WORST_LOSS, widest()) {
        // what holds zero may be no loss at all
        Ruling::Reproduced if low <= 0.0 => Ruling::Undecided,
        ruling => ruling,
    }
}

/// The losses of some cases.
struct Losses {
    /// `3 cases, losses of +0.0002 to +0.0010`.
    words: String,
    intervals: Vec<[f64; 2]>,
}

impl Losses {
    fn of(cases: &[&Case<'_>]) -> Option<Self> {
        let losses: Vec<_> = cases.iter().filter_map(|c| Some((c.key(), c.loss()?))).collect();
        let values = || losses.iter().map(|(_, l)| l.value);
        let (least, most) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        let cases = losses.iter().map(|(key, _)| key).collect::<BTreeSet<_>>().len();
        let trainings = if cases < losses.len() {
            format!(" of {} pairs of trainings", losses.len())
        } else {
            String::new()
        };
        Some(Self {
            words: format!("{cases} cases{trainings}, losses of {least:+.4} to {most:+.4}"),
            intervals: losses.iter().map(|(_, l)| l.ci95).collect(),
        })
    }

    fn narrowest(&self) -> f64 {
        self.intervals.iter().map(|[low, high]| high - low).fold(f64::INFINITY, f64::min)
    }
}

/// Losses of the paper's networks against those that it published.
pub(super) fn of_paper(cases: &[&Case<'_>]) -> Verdict {
    let [smallest, largest] = paper::WORST_LOSS;
    let published = Some(format!("about {smallest} to {largest}"));
    let Some(losses) = Losses::of(cases) else {
        return not_measured(WHAT, published, "needs a case");
    };
    let rulings: Vec<Ruling> = losses.intervals.iter().map(|ci95| ruling(*ci95)).collect();
    let like = |wanted: Ruling| rulings.iter().filter(|r| **r == wanted).count();
    Verdict {
        what: WHAT.to_owned(),
        published,
        found: format!(
            "{}: {} of the published size, {} beside it, {} not told",
            losses.words,
            like(Ruling::Reproduced),
            like(Ruling::NotReproduced),
            like(Ruling::Undecided)
        ),
        ruling: all_of(&rulings),
        why: format!(
            "rule: every interval lies above 0, meets the published range and is at most {:.4} wide; one wholly beside it \
             contradicts. The narrowest here is {:.4}; one picture of 49,200 is 0.00002, one of 820 is 0.0012",
            widest(),
            losses.narrowest()
        ),
    }
}

/// Losses of other networks: whether there is one.
pub(super) fn of_others(cases: &[&Case<'_>]) -> Verdict {
    let what = format!("{WHAT}, {OF_OTHERS}");
    let Some(losses) = Losses::of(cases) else {
        return not_measured(&what, None, "no case has a loss");
    };
    let beside = losses.intervals.iter().filter(|ci95| beside_zero(Some(**ci95))).count();
    let sure = beside == losses.intervals.len();
    Verdict {
        what,
        published: None,
        found: format!("{}: {beside} with an interval that leaves out zero", losses.words),
        ruling: if sure { Ruling::Answered } else { Ruling::Undecided },
        why: format!(
            "{NOT_OF_THE_PAPER}. Answered if every interval leaves out zero; the narrowest here is {:.4} wide",
            losses.narrowest()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::super::worst_case::table;
    use super::*;
    use crate::study::book::Book;
    use crate::study::finding::Item;

    #[test]
    fn a_loss_of_rows_is_newcombes() {
        let all = [
            told("resnet50", "CF", "f32", [0.9990, 0.9985]),
            told("resnet50", "UF", "f32", [0.9990; 2]),
        ];
        let (cases, _) = table(&Book::default(), &all);
        // 0.0005 +- sqrt(2) 0.0001
        assert_eq!(cases.rows[0][12].shown(), "+0.0005 (+0.0004 to +0.0006)");
        assert_eq!(cases.rows[0][5], Item::text("plan"));
    }

    #[test]
    fn one_loss_against_the_published_range_is_enough_and_one_picture_is_not() {
        let (near, far) = ([0.0003, 0.0007], [0.0030, 0.0040]);
        let ruling =
            |losses: &[[f64; 2]]| all_of(&losses.iter().map(|l| ruling(*l)).collect::<Vec<_>>());
        assert_eq!(ruling(&[near, near]), Ruling::Reproduced);
        assert_eq!(ruling(&[far, near]), Ruling::NotReproduced);
        assert_eq!(ruling(&[near, [-0.0002, 0.0004]]), Ruling::Undecided, "it may be none");
        assert_eq!(ruling(&[near, [0.0001, 0.0014]]), Ruling::Undecided, "too wide");
        assert_eq!(table(&Book::default(), &[]).1[1].ruling, Ruling::Missing);
    }

    #[test]
    fn a_loss_of_networks_that_the_paper_does_not_have_is_there_or_not() {
        let verdict = |on_u: f64| {
            let all = [
                told("resnet-tiny", "CF", "f32", [0.9990, on_u]),
                told("resnet-tiny", "UF", "f32", [0.9990; 2]),
            ];
            table(&Book::default(), &all).1.remove(1)
        };
        // far beyond what was published of others
        let loss = verdict(0.9500);
        assert_eq!((loss.ruling, &loss.published), (Ruling::Answered, &None));
        assert!(
            loss.found.starts_with("3 cases, losses of +0.0490 to +0.0490: 3 with"),
            "{loss:?}"
        );
        assert!(loss.why.starts_with(NOT_OF_THE_PAPER), "{}", loss.why);
        assert_eq!(verdict(0.9990).ruling, Ruling::Undecided);
    }
}
