//! Does a network that was trained on correlated backgrounds react more strongly to another place than its twin? Sign by sign, and over
//! the seeds where there are several.

use super::across::{Across, Recipe, Training, WAITS, recipes};
use super::moved::{Both, Views, flips};
use super::moving::spread;
use super::{SEED, mean, not_measured};
use crate::stats;
use crate::study::finding::{Item, Ruling, Verdict};

const RULE: &str = "answered if one of the two has p below 0.05 after Holm over them. A network that leans on the background should flip more \
                    often and shift its attention more";
/// Instead of an interval of differences that are all zero, which would say more than it can.
const NONE: &str = "no difference";

/// Correlated less uncorrelated, sign by sign: share of flips, and spread of the ratio over the places.
struct Reaction<'m> {
    both: &'m Both<'m>,
    differences: [Vec<f64>; 2],
}

impl Training for Reaction<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        self.both.is_training_of(other.both)
    }

    fn seed(&self) -> Option<u64> {
        self.both.seed()
    }

    fn is_complete(&self) -> bool {
        self.both.is_complete()
    }
}

/// One verdict for two networks that stand alone, and one for several seeds of them.
pub(super) fn verdicts<'m>(pairs: &'m [Both<'m>]) -> Vec<Verdict> {
    let all: Vec<Reaction<'m>> = pairs.iter().map(Reaction::of).collect();
    let recipes = recipes(&all);
    let alone = all.iter().filter(|r| recipes.iter().all(|of| !of.first.is_training_of(r)));
    alone.map(Reaction::verdict).chain(recipes.iter().map(together)).collect()
}

impl<'m> Reaction<'m> {
    fn of(both: &'m Both<'m>) -> Self {
        let [signs_c, signs_u] = [both.correlated, both.uncorrelated].map(|m| m.by_sign());
        let share = |v: &Views<'_>| flips(v) as f64 / v.len() as f64;
        let shared = || signs_c.iter().filter_map(|(key, vc)| Some((vc, signs_u.get(key)?)));
        let flipped = shared().map(|(vc, vu)| share(vc) - share(vu)).collect();
        let spreads = shared().filter_map(|(vc, vu)| Some(spread(vc)? - spread(vu)?)).collect();
        Self { both, differences: [flipped, spreads] }
    }

    fn verdict(&self) -> Verdict {
        let p = self.differences.each_ref().map(|d| stats::sign_flip(d, SEED).map_or(1.0, |t| t.p));
        let [flips, spread] = self
            .differences
            .each_ref()
            .map(|d| if are_zero(d) { NONE.to_owned() } else { Item::difference(mean(d)).shown() });
        Verdict {
            what: what(&self.both.name(), &self.both.method()),
            published: None,
            found: format!(
                "share of flips: {flips}; spread of the ratio over the places {spread} (correlated less uncorrelated, sign by sign)"
            ),
            ruling: ruling(&stats::holm(&p)),
            why: RULE.to_owned(),
        }
    }
}

/// What several seeds say.
fn together(recipe: &Recipe<'_, Reaction<'_>>) -> Verdict {
    let both = recipe.first.both;
    let what = format!("{}, over trainings", what(&both.recipe(), &both.method()));
    let across = [0, 1].map(|i| {
        let of = |r: &&Reaction<'_>| Some(mean(&r.differences[i])?.mean);
        Across::new(recipe.trainings.iter().filter_map(of).collect())
    });
    let [Some(flips), Some(spread)] = across.each_ref().map(Across::p) else {
        return not_measured(&what, None, WAITS);
    };
    let p = stats::holm(&[flips, spread]);
    let words = |i: usize| {
        let found = across[i].found(Some(p[i])).filter(|_| !are_zero(across[i].values()));
        found.unwrap_or_else(|| NONE.to_owned())
    };
    Verdict {
        what,
        published: None,
        found: format!(
            "share of flips: {}; spread of the ratio over the places {} (correlated less uncorrelated)",
            words(0),
            words(1)
        ),
        ruling: ruling(&p),
        why: format!(
            "{RULE}. Student's t over the mean differences of the seeds, each over the signs"
        ),
    }
}

fn what(networks: &str, method: &str) -> String {
    format!("correlated against uncorrelated training, {networks}, {method}")
}

fn are_zero(differences: &[f64]) -> bool {
    !differences.is_empty() && differences.iter().all(|d| *d == 0.0)
}

/// Whether one of the p-values is small, Holm's adjustment made.
fn ruling(holm: &[f64]) -> Ruling {
    if holm.iter().any(|p| *p < 0.05) { Ruling::Answered } else { Ruling::Undecided }
}

#[cfg(test)]
mod tests {
    use super::super::counterfactual::finding;
    use super::super::testing::{entry, network, noise, seeded};
    use super::*;
    use crate::study::book::{Book, Entry};
    use crate::study::cell::NetworkFacts;

    /// A network before a forest and at the coast, where its ratio is lower by a loss.
    fn cells(n: &NetworkFacts, loss: f64, flips: bool) -> [Entry; 2] {
        let own = entry(n, "CF", "gradcam", 80, |i, p| {
            "forest".clone_into(&mut p.environment);
            p.ratio = Some(0.6 + 0.1 * noise(i));
        });
        let there = entry(n, "synthetic:CF/test?environment=coast", "gradcam", 80, |i, p| {
            "coast".clone_into(&mut p.environment);
            p.ratio = Some(0.6 + 0.1 * noise(i) - loss - 0.001 * noise(i * 7 + 3));
            p.predicted = p.class + u16::from(flips && i % 8 == 0);
        });
        [own, there]
    }

    /// A network of C and one of U from each seed; the first loses more than the second, which loses 0.010.
    fn of_seeds(more: &[f64]) -> Vec<Entry> {
        let pair = |(seed, more): (u64, &f64)| {
            ["CF", "UF"].map(|train| {
                let n = seeded(&format!("{train}{seed}"), "resnet50", train, Some(seed));
                cells(&n, if train == "CF" { 0.010 + more } else { 0.010 }, false)
            })
        };
        (1..).zip(more).flat_map(pair).flatten().collect()
    }

    fn reactions(entries: Vec<Entry>) -> Vec<Verdict> {
        let all = finding(&Book { entries, ..Book::default() }).verdicts;
        all.into_iter().filter(|v| v.what.starts_with("correlated against")).collect()
    }

    #[test]
    fn seeds_rule_together_and_those_that_scatter_leave_it_open() {
        let found = reactions(of_seeds(&[0.020, 0.022, 0.024]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].what,
            "correlated against uncorrelated training, resnet50 (f32), CF against UF, GradCAM, over trainings"
        );
        // a loss of 0.022 more at the one place is 0.022 / sqrt(2) more of spread
        let start = "share of flips: no difference; spread of the ratio over the places +0.015";
        assert!(found[0].found.starts_with(start), "{}", found[0].found);
        assert!(found[0].found.contains(" over 3 trainings of each set, p (Holm) "), "{found:?}");
        assert_eq!(found[0].ruling, Ruling::Answered);
        let scattered = reactions(of_seeds(&[0.020, -0.008]));
        let rulings: Vec<Ruling> = scattered.iter().map(|v| v.ruling).collect();
        assert_eq!(rulings, [Ruling::Undecided]);
        let alone = reactions(of_seeds(&[0.020]));
        assert_eq!(alone[0].ruling, Ruling::Answered, "over signs it is sure: {alone:?}");
    }

    #[test]
    fn two_networks_are_compared_by_flips_and_by_spread() {
        let of = |flips| {
            let (c, u) = (network("c", "resnet50", "CF"), network("u", "resnet50", "UF"));
            reactions([cells(&c, 0.01, flips), cells(&u, 0.01, false)].concat())
        };
        let found = of(true);
        assert!(found[0].found.starts_with("share of flips: +0.1250 ("), "{found:?}");
        assert_eq!(found[0].ruling, Ruling::Answered);
        let none = of(false);
        assert!(none[0].found.starts_with("share of flips: no difference; spread"), "{none:?}");
        assert_eq!(none[0].ruling, Ruling::Undecided);
    }
}
