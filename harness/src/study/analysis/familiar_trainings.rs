//! Familiar places with trainings as the unit: what networks of several seeds, and their differences, say together.

use super::across::{Across, Recipe, Training as _, WAITS, recipes};
use super::familiar::RULE;
use super::familiar_pairs::Pair;
use super::familiar_rows::{CONTRAST, Of, Row, fine};
use super::{mean, not_measured};
use crate::study::finding::{Item, Mark, Ruling, Table, Verdict};

/// Rows of one kind, of two seeds or more of one recipe.
pub(super) struct Group<'r> {
    first: &'r Row<'r>,
    trainings: Vec<&'r Row<'r>>,
    /// Mean change of the ratio over the signs.
    ratio: Across,
    /// The same of the confidence.
    confidence: Across,
}

/// All groups, in the order of the rows.
pub(super) fn groups<'r>(rows: &'r [Row<'r>]) -> Vec<Group<'r>> {
    let group = |Recipe { first, trainings }: Recipe<'r, Row<'r>>| {
        let means = |of: fn(&Row<'_>) -> Option<f64>| {
            Across::new(trainings.iter().filter_map(|row| of(row)).collect())
        };
        let ratio = means(|row| Some(mean(&row.ratio)?.mean));
        let confidence = means(|row| Some(mean(&row.confidence)?.mean));
        Group { first, trainings, ratio, confidence }
    };
    recipes(rows).into_iter().map(group).collect()
}

impl Group<'_> {
    /// Whether a row is of one of the trainings, complete or not, whatever its places.
    pub(super) fn holds(&self, row: &Row<'_>) -> bool {
        self.first.of.is_training_of(&row.of)
    }

    /// Two-sided p-value of no change by Student's t over the seeds.
    pub(super) fn p(&self) -> Option<f64> {
        self.ratio.p()
    }

    const fn of(&self) -> Of<'_> {
        self.first.of
    }

    /// What there is one of a seed.
    const fn unit(&self) -> &'static str {
        if self.of().is_pair() { "trainings of each set" } else { "trainings" }
    }

    /// The mean over the seeds. Of two the interval (12.7 standard errors) would hide all others and is left out.
    pub(super) fn mark(&self) -> Option<Mark> {
        let (m, of) = (self.ratio.mean()?, self.of());
        Some(Mark {
            name: format!(
                "{}, {}: {}, over {} trainings",
                of.recipe(),
                of.method(),
                self.first.kind,
                m.n
            ),
            group: self.first.kind.to_owned(),
            value: m.mean,
            ci95: m.ci95.filter(|_| m.n > 2),
        })
    }

    fn words(&self, p_holm: Option<f64>) -> String {
        let found = self.ratio.words(self.unit(), p_holm).unwrap_or_else(|| "-".to_owned());
        let confidence = fine(self.confidence.mean()).shown();
        format!("{}: ratio {found}, confidence {confidence}", self.first.kind)
    }

    fn items(&self, p_holm: Option<f64>) -> Vec<Item> {
        let [least, most] = self.ratio.ends();
        let networks: Vec<String> = self.trainings.iter().map(|row| row.of.name()).collect();
        vec![
            Item::text(self.of().recipe()),
            Item::text(self.of().method()),
            Item::text(self.first.kind),
            Item::Count(self.trainings.len()),
            Item::difference(self.ratio.mean()),
            least,
            most,
            Item::p(self.p()),
            Item::p(p_holm),
            fine(self.confidence.mean()),
            Item::text(networks.join("; ")),
        ]
    }
}

/// A row a group; no table without any.
pub(super) fn table(groups: &[Group<'_>], holm: &[Option<f64>]) -> Option<Table> {
    let mut table = Table::new(
        "counterfactual-familiar-trainings",
        "Moved to familiar places and to others, over the seeds of the trainings",
        &[
            "network",
            "method",
            "places",
            "trainings",
            "change of ratio over trainings",
            "smallest",
            "largest",
            "p",
            "p (Holm)",
            "change of confidence",
            "networks",
        ],
    );
    table.rows.extend(groups.iter().zip(holm).map(|(group, p)| group.items(*p)));
    (!table.rows.is_empty()).then_some(table)
}

/// What correlated less uncorrelated networks say of unfamiliar places less familiar ones.
pub(super) fn pairs(groups: &[Group<'_>], holm: &[Option<f64>]) -> Vec<Pair> {
    let pair = |(group, p): (&Group<'_>, &Option<f64>)| {
        let of = Some(group.of()).filter(|of| of.is_pair() && group.first.kind == CONTRAST)?;
        Some(Pair {
            name: format!("{}, {}", of.recipe(), of.method()),
            difference: group.ratio.mean()?,
            unit: "trainings of each set",
            p: (*p)?,
        })
    };
    groups.iter().zip(holm).filter_map(pair).collect()
}

/// One verdict for all kinds of places of a recipe.
pub(super) fn verdicts(groups: &[Group<'_>], holm: &[Option<f64>]) -> Vec<Verdict> {
    let mut kinds: Vec<Vec<(&Group<'_>, Option<f64>)>> = Vec::new();
    for (group, p) in groups.iter().zip(holm) {
        let of_recipe = |(other, _): &(&Group<'_>, Option<f64>)| other.holds(group.first);
        match kinds.iter().position(|kind| kind.iter().any(of_recipe)) {
            Some(i) => kinds[i].push((group, *p)),
            None => kinds.push(vec![(group, *p)]),
        }
    }
    kinds.iter().filter_map(|kind| verdict(kind)).collect()
}

fn verdict(kinds: &[(&Group<'_>, Option<f64>)]) -> Option<Verdict> {
    let of = kinds.first()?.0.of();
    let what = format!("{}, {}, {}, over trainings", of.question(), of.recipe(), of.method());
    let asked = kinds.iter().find(|(group, _)| group.first.kind == CONTRAST);
    let Some(p) = asked.and_then(|(_, p)| *p) else {
        return Some(not_measured(&what, None, WAITS));
    };
    let each: Vec<String> = kinds.iter().map(|(group, p)| group.words(*p)).collect();
    Some(Verdict {
        what,
        published: None,
        found: each.join("; "),
        ruling: if p < 0.05 { Ruling::Answered } else { Ruling::Undecided },
        why: format!("{RULE}. Student's t over the mean changes of the seeds, each over the signs"),
    })
}

#[cfg(test)]
mod tests {
    use datasets::environment::Environment;
    use datasets::sets::spec::environment_word;

    use super::super::counterfactual::finding;
    use super::super::familiar_rows::{KINDS, Places};
    use super::super::testing::{entry, network, noise, seeded};
    use super::*;
    use crate::study::book::{Book, Entry};
    use crate::study::finding::Finding;

    /// A place where class 0 stands in CF, and one where it does not.
    fn two_places() -> [String; 2] {
        let places = Places::of(&network("n", "resnet50", "CF")).unwrap();
        KINDS.map(|(wanted, _)| {
            let words = Environment::ALL.map(environment_word);
            words.into_iter().find(|w| places.familiar(0, w) == Some(wanted)).unwrap()
        })
    }

    /// Signs of class 0 before two networks a seed: that of CF gains so much in an unfamiliar place, that of UF nothing anywhere.
    fn of_seeds(gains: &[f64]) -> Vec<Entry> {
        let [familiar, unfamiliar] = two_places();
        let mut entries = Vec::new();
        for (seed, gain) in (1..).zip(gains) {
            for train in ["CF", "UF"] {
                let n = seeded(&format!("{train}{seed}"), "resnet50", train, Some(seed));
                for place in ["nowhere", &familiar, &unfamiliar] {
                    let data = match place {
                        "nowhere" => "CF".to_owned(),
                        place => format!("synthetic:CF/test?environment={place}"),
                    };
                    let here = if train == "CF" && place == unfamiliar { *gain } else { 0.0 };
                    entries.push(entry(&n, &data, "gradcam", 60, |i, p| {
                        (p.class, p.predicted, p.index) = (0, 0, u32::try_from(i).unwrap());
                        place.clone_into(&mut p.environment);
                        let own = 0.01 * noise(i * 7 + place.len());
                        p.ratio = Some(0.6 + 0.1 * noise(i) + here + own);
                    }));
                }
            }
        }
        entries
    }

    fn found(entries: Vec<Entry>) -> Finding {
        finding(&Book { entries, ..Book::default() })
    }

    fn told(found: &Finding) -> Vec<&Verdict> {
        let start = |v: &&Verdict| {
            v.what.starts_with("the ratio in a") || v.what.starts_with("the same, c")
        };
        found.verdicts.iter().filter(start).collect()
    }

    #[test]
    fn seeds_rule_together_and_are_the_headline() {
        let f = found(of_seeds(&[0.030, 0.032, 0.034]));
        let verdicts = told(&f);
        let words: Vec<&str> = verdicts.iter().map(|v| v.what.as_str()).collect();
        assert_eq!(
            words,
            [
                "the ratio in a familiar and an unfamiliar place, resnet50 (f32), CF, GradCAM, over trainings",
                "the ratio in a familiar and an unfamiliar place, resnet50 (f32), UF, GradCAM, over trainings",
                "the same, correlated less uncorrelated training, resnet50 (f32), CF against UF, GradCAM, over trainings",
            ]
        );
        // nothing that scatters over the seeds of UF is no evidence
        let rulings: Vec<Ruling> = verdicts.iter().map(|v| v.ruling).collect();
        assert_eq!(rulings, [Ruling::Answered, Ruling::Undecided, Ruling::Answered]);
        // 0.032 +- 4.303 x 0.002 / sqrt(3)
        let pair = "unfamiliar less familiar: ratio +0.0320 (+0.0270 to +0.0370) over 3 trainings of each set, p (Holm) 0.0";
        assert!(verdicts[2].found.contains(pair), "{}", verdicts[2].found);
        let headline = f.headline.as_deref().unwrap();
        let end = "(resnet50 (f32), CF against UF, GradCAM; 3 trainings of each set, p (Holm) 0.0";
        assert!(headline.contains(end), "{headline}");
        let table = |name: &str| f.tables.iter().find(|t| t.name == name).unwrap();
        let single = table("counterfactual-familiar");
        assert!(single.rows.iter().all(|row| row[8] == Item::Nothing), "none decides: {single:?}");
        let groups = table("counterfactual-familiar-trainings");
        assert_eq!((groups.rows.len(), groups.rows[0].len()), (9, groups.header.len()));
        assert_eq!(
            groups.rows[8][10],
            Item::text("CF1 against UF1; CF2 against UF2; CF3 against UF3")
        );
    }

    #[test]
    fn seeds_that_scatter_leave_it_open_and_one_that_was_only_begun_waits() {
        let f = found(of_seeds(&[0.030, -0.020]));
        assert!(told(&f).iter().all(|v| v.ruling == Ruling::Undecided), "{:?}", told(&f));
        assert_eq!(f.headline, None);
        let mut entries = of_seeds(&[0.030, 0.032]);
        entries[1].points.truncate(10);
        let f = found(entries);
        let rulings: Vec<Ruling> = told(&f).iter().map(|v| v.ruling).collect();
        assert_eq!(rulings, [Ruling::Missing, Ruling::Undecided, Ruling::Missing]);
    }
}
