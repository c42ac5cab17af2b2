//! What the pairs of a correlated and an uncorrelated network say together of familiar places, in a sentence.
//!
//! Of several seeds, one pair that is sure says less than it seems to: how many pairs were looked at belongs to it, and that they
//! agree.

use crate::stats::MeanInterval;
use crate::study::finding::Item;

/// Two networks, or several trainings of both: how much more the ratio of the correlated one changes in unfamiliar places than in
/// familiar ones.
#[derive(Clone)]
pub(super) struct Pair {
    /// Networks and method.
    pub(super) name: String,
    pub(super) difference: MeanInterval,
    /// What the interval is over.
    pub(super) unit: &'static str,
    /// After Holm.
    pub(super) p: f64,
}

impl Pair {
    const fn is_sure(&self) -> bool {
        self.p < 0.05
    }

    fn rises(&self) -> bool {
        self.difference.mean > 0.0
    }
}

/// None if no pair is sure, or if those that are contradict each other.
pub(super) fn sentence(pairs: &[Pair]) -> Option<String> {
    let sure: Vec<&Pair> = pairs.iter().filter(|pair| pair.is_sure()).collect();
    let first = sure.first()?;
    if sure.iter().any(|pair| pair.rises() != first.rises()) {
        return None;
    }
    let direction = if first.rises() { "higher" } else { "lower" };
    let start = format!(
        "Moved to a place that is unfamiliar to its class instead of a familiar one, a sign has a ratio that is {direction}"
    );
    if let [pair] = pairs {
        return Some(format!(
            "{start} by {} in the correlated network than in its twin ({}; {} {}, p (Holm) {})",
            Item::difference(Some(pair.difference)).shown(),
            pair.name,
            pair.difference.n,
            pair.unit,
            Item::P(pair.p).shown()
        ));
    }
    let all: Vec<&Pair> = pairs.iter().collect();
    Some(format!(
        "{start} in the correlated network than in its twin in {} of {} pairs (p (Holm) below 0.05), by {}; differences of all \
         pairs: {}",
        sure.len(),
        pairs.len(),
        range(&sure),
        range(&all)
    ))
}

/// Smallest and largest difference, with their signs.
fn range(pairs: &[&Pair]) -> String {
    let differences = || pairs.iter().map(|pair| pair.difference.mean);
    let least = differences().fold(f64::INFINITY, f64::min);
    let most = differences().fold(f64::NEG_INFINITY, f64::max);
    if pairs.len() == 1 { format!("{least:+.4}") } else { format!("{least:+.4} to {most:+.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(found: &[(f64, f64)]) -> Vec<Pair> {
        let one = |(mean, p): &(f64, f64)| {
            let ci95 = Some([mean - 0.01, mean + 0.01]);
            let difference = MeanInterval { mean: *mean, deviation: None, ci95, n: 60 };
            Pair { name: "a against b, GradCAM".to_owned(), difference, unit: "signs", p: *p }
        };
        found.iter().map(one).collect()
    }

    fn told(found: &[(f64, f64)]) -> String {
        sentence(&pairs(found)).unwrap_or_default()
    }

    #[test]
    fn one_pair_is_named_with_its_interval_and_its_direction() {
        let end = " in the correlated network than in its twin (a against b, GradCAM; 60 signs, p (Holm) 0.0100)";
        let higher = told(&[(0.03, 0.01)]);
        assert!(higher.contains("is higher by +0.0300 (+0.0200 to +0.0400) in"), "{higher}");
        assert!(higher.ends_with(end), "{higher}");
        let lower = told(&[(-0.03, 0.01)]);
        assert!(lower.contains("is lower by -0.0300 (-0.0400 to -0.0200) in"), "{lower}");
        assert_eq!(told(&[(0.03, 0.05)]), "");
        assert_eq!(told(&[]), "");
    }

    #[test]
    fn several_pairs_are_counted_and_say_nothing_if_they_contradict_each_other() {
        let two = told(&[(0.03, 0.2), (0.02, 0.01), (-0.01, 0.9), (0.04, 0.04)]);
        assert!(
            two.contains("is higher in the correlated network than in its twin in 2 of 4 pairs"),
            "{two}"
        );
        let end = "by +0.0200 to +0.0400; differences of all pairs: -0.0100 to +0.0400";
        assert!(two.ends_with(end), "{two}");
        let one = told(&[(0.03, 0.2), (-0.02, 0.01)]);
        assert!(one.contains("is lower in") && one.contains("in 1 of 2 pairs"), "{one}");
        assert!(one.ends_with("by -0.0200; differences of all pairs: -0.0200 to +0.0300"), "{one}");
        assert_eq!(told(&[(0.03, 0.01), (-0.02, 0.01)]), "", "both are sure, of opposite things");
    }
}
