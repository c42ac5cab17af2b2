//! Which trainings on two sets are held against each other, and which measurement speaks for a training: those of one seed, as far as
//! seeds are known.
//!
//! A seed that nobody tells may be any. Taken for equal to all of them, one network without a seed would meet every training of
//! the other side, and trainings of different seeds would meet through it; and one measurement would stand for all seeds of a set,
//! though it can be of one of them at most.

use crate::study::cell::NetworkFacts;

/// Whether two trainings that are alike but for their sets are a pair: both of one seed, or both of an unknown one; or one of an
/// unknown seed, and no training of `all` on its set has the seed of the other. `like` tells architecture and kind of numbers.
pub(super) fn meet<'a>(
    all: impl IntoIterator<Item = &'a NetworkFacts>,
    like: impl Fn(&NetworkFacts, &NetworkFacts) -> bool,
    [a, b]: [&NetworkFacts; 2],
) -> bool {
    let (known, unknown) = match (a.seed, b.seed) {
        (Some(_), None) => (a, b),
        (None, Some(_)) => (b, a),
        _ => return a.seed == b.seed,
    };
    !all.into_iter().any(|n| {
        n.seed == known.seed
            && n.train == unknown.train
            && n.strength == unknown.strength
            && like(n, known)
    })
}

/// Whether a measurement of `by` may take the place of one of `network`, trained on the same set: both are of one seed, as far as is
/// known. If nobody tells the seed of `by`, no other seed than that of `network` may be known of its architecture and set.
pub(super) fn stands_for<'a>(
    all: impl IntoIterator<Item = &'a NetworkFacts>,
    by: &NetworkFacts,
    network: &NetworkFacts,
) -> bool {
    let trained_again = |n: &NetworkFacts| {
        n.architecture == network.architecture
            && n.train == network.train
            && n.strength == network.strength
            && !n.has_seed_of(network)
    };
    by.has_seed_of(network) && (by.seed.is_some() || !all.into_iter().any(trained_again))
}

#[cfg(test)]
mod tests {
    use super::super::testing::seeded;
    use super::*;

    /// Which of these trainings on C and on U are pairs.
    fn pairs(correlated: &[Option<u64>], uncorrelated: &[Option<u64>]) -> Vec<[Option<u64>; 2]> {
        let of = |train: &str, seeds: &[Option<u64>]| -> Vec<NetworkFacts> {
            let one = |seed: &Option<u64>| seeded(&format!("{train}{seed:?}"), "a", train, *seed);
            seeds.iter().map(one).collect()
        };
        let (left, right) = (of("CF", correlated), of("UF", uncorrelated));
        let all: Vec<&NetworkFacts> = left.iter().chain(&right).collect();
        let mut found = Vec::new();
        for c in &left {
            for u in &right {
                if meet(all.iter().copied(), NetworkFacts::is_like, [c, u]) {
                    found.push([c.seed, u.seed]);
                }
            }
        }
        found
    }

    #[test]
    fn equal_seeds_meet_and_one_that_nobody_tells_takes_no_place_of_a_known_one() {
        let (one, two, none) = (Some(1), Some(2), None);
        assert_eq!(pairs(&[one, two], &[one, two]), [[one, one], [two, two]]);
        assert_eq!(pairs(&[one], &[none, one]), [[one, one]]);
        assert_eq!(pairs(&[one, none], &[one]), [[one, one]]);
        assert_eq!(pairs(&[one, none], &[one, none]), [[one, one], [none, none]]);
        assert_eq!(pairs(&[one], &[two]), Vec::<[Option<u64>; 2]>::new());
        // nobody has the seed of the other: whatever may be a pair is one
        assert_eq!(pairs(&[one], &[none, two]), [[one, none]]);
        assert_eq!(pairs(&[none], &[one, two]), [[none, one], [none, two]]);
    }

    #[test]
    fn a_seed_that_nobody_tells_stands_for_the_only_one_and_for_none_of_several() {
        let of = |seed| seeded(&format!("{seed:?}"), "a", "CF", seed);
        let (one, two, none) = (of(Some(1)), of(Some(2)), of(None));
        let again = NetworkFacts { name: "again".to_owned(), ..one.clone() };
        let dose = NetworkFacts { strength: Some(0.5), ..two.clone() };
        let other = NetworkFacts { train: "UF".to_owned(), ..two.clone() };
        let alone = [&one, &again, &none, &dose, &other];
        assert!(stands_for(alone, &none, &one), "other sets and strengths are other trainings");
        assert!(stands_for(alone, &none, &none));
        let several = [&one, &two, &none];
        assert!(!stands_for(several, &none, &one) && !stands_for(several, &none, &two));
        assert!(stands_for(several, &one, &again) && !stands_for(several, &one, &two));
        // it may be any of them, and is no further training
        assert!(stands_for(several, &one, &none));
    }
}
