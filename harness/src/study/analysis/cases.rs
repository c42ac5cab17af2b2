//! Cases: an architecture, a camera level of training and one of testing, with the accuracies of correlated and uncorrelated training
//! and test; once a training seed, and in one number format.

use std::collections::BTreeSet;

use datasets::sets::{Correlation, Level, Set};

use super::measurement::{Measured, Source, format_rank, measure};
use super::seeds::{meet, stands_for};
use super::shares::{self, ShareDifference};
use super::{hits_of, paired, whole_set};
use crate::stats::{self, ShareInterval};
use crate::study::book::{Book, Entry, Point};
use crate::study::cell::NetworkFacts;
use crate::study::paper;

/// C on C, C on U, U on C, U on U: networks trained and tested on correlated and uncorrelated pictures.
pub(super) type Four<T> = [T; 4];

/// Two trainings of one seed on the C and the U set of a level, tested at a level.
pub(super) struct Case<'a> {
    /// The one trained on C.
    pub(super) network: &'a NetworkFacts,
    /// The one trained on U.
    twin: &'a NetworkFacts,
    pub(super) train: Level,
    pub(super) test: Level,
    pub(super) at: Four<Measured<'a>>,
    pub(super) shares: Four<ShareInterval>,
}

/// A way to come to 18 cases, or ours.
pub(super) struct Reading {
    pub(super) words: &'static str,
    pub(super) holds: fn(Level, Level) -> bool,
}

pub(super) const READINGS: [Reading; 3] = [
    Reading { words: "every level on every level (ours)", holds: |_, _| true },
    Reading { words: "tested at another level", holds: |train, test| train != test },
    Reading {
        words: "tested at most at the level of training",
        holds: |train, test| test <= train,
    },
];

impl Reading {
    /// Cases in the whole grid of the paper.
    pub(super) fn full(&self) -> usize {
        let of = |train| Level::ALL.into_iter().filter(|&test| (self.holds)(train, test)).count();
        paper::PARAMETERS.len() * Level::ALL.into_iter().map(of).sum::<usize>()
    }
}

/// Whether C on U is the worst of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worst {
    Yes,
    Tie,
    No,
}

impl Worst {
    /// What several trainings say of one case: yes or no if all of them do, else neither.
    pub(super) fn of_all(seeds: &[Self]) -> Self {
        match seeds.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other == first) => *first,
            _ => Self::Tie,
        }
    }
}

impl<'a> Case<'a> {
    /// Architecture, level of training and level of testing: what is one case, however often it was trained.
    pub(super) fn key(&self) -> (&'a str, Level, Level) {
        (&self.network.architecture, self.train, self.test)
    }

    pub(super) fn worst(&self) -> Worst {
        let [cc, cu, uc, uu] = self.shares.map(|s| s.value);
        let least = cc.min(uc).min(uu);
        if cu < least {
            Worst::Yes
        } else if cu <= least {
            Worst::Tie
        } else {
            Worst::No
        }
    }

    /// Whether this says what another case would, in whatever number format: of one kind, from one seed as far as is known.
    fn stands_for(&self, other: &Self, all: &[NetworkFacts]) -> bool {
        self.key() == other.key()
            && stands_for(all, self.network, other.network)
            && stands_for(all, self.twin, other.twin)
    }

    /// What the correlated network loses from C to U pictures.
    pub(super) fn loss(&self) -> Option<ShareDifference> {
        match (self.at[0].source, self.at[1].source) {
            (Source::Frames(c), Source::Frames(u)) => {
                let both = paired(c, u);
                let right: Vec<_> = both.iter().map(|(c, u)| (c.correct(), u.correct())).collect();
                shares::paired(&right)
            }
            _ => Some(shares::unpaired(&self.shares[0], &self.shares[1])),
        }
    }
}

/// The four accuracies: of the signs that all four saw where all are frames, else as each was measured.
fn shares(at: &Four<Measured<'_>>) -> Option<Four<ShareInterval>> {
    let mut cells: Vec<&Entry> = Vec::new();
    for measured in at {
        match measured.source {
            Source::Frames(entry) => cells.push(entry),
            Source::Told(_) => return Some(at.map(|m| m.share)),
        }
    }
    let keys = |e: &Entry| e.points.iter().map(Point::key).collect::<BTreeSet<_>>();
    let common = cells.iter().map(|e| keys(e)).reduce(|a, b| &a & &b)?;
    let of = |e: &Entry| {
        let seen = e.points.iter().filter(|p| common.contains(&p.key()));
        stats::wilson(hits_of(seen), common.len())
    };
    let found: Vec<ShareInterval> = cells.iter().filter_map(|e| of(e)).collect();
    found.try_into().ok()
}

/// Every case in the number format that counts, once a seed (`seeds::stands_for`). Networks on C and on U meet by their seeds
/// (`seeds::meet`).
pub(super) fn cases<'a>(book: &'a Book, all: &'a [NetworkFacts]) -> Vec<Case<'a>> {
    let like = |a: &NetworkFacts, b: &NetworkFacts| {
        a.architecture == b.architecture && format_rank(a) == format_rank(b)
    };
    let mut found: Vec<Case<'_>> = Vec::new();
    for c in all {
        let Some(set) = whole_set(c).filter(|s| s.correlation == Correlation::Correlated) else {
            continue;
        };
        let twin = Some(Set { correlation: Correlation::Uncorrelated, ..set });
        let twins =
            all.iter().filter(|u| like(u, c) && whole_set(u) == twin && meet(all, like, [c, u]));
        for u in twins {
            found.extend(Level::ALL.iter().filter_map(|&test| case(book, [c, u], set.level, test)));
        }
    }
    let best = |case: &Case<'_>| {
        let same = found.iter().filter(|o| o.stands_for(case, all));
        same.map(|o| format_rank(o.network)).min()
    };
    let kept: Vec<bool> =
        found.iter().map(|case| best(case) == Some(format_rank(case.network))).collect();
    found.into_iter().zip(kept).filter_map(|(case, kept)| kept.then_some(case)).collect()
}

fn case<'a>(
    book: &'a Book,
    [c, u]: [&'a NetworkFacts; 2],
    train: Level,
    test: Level,
) -> Option<Case<'a>> {
    let of =
        |network, correlation| measure(book, network, &Set::new(correlation, test).to_string());
    let at = [
        of(c, Correlation::Correlated)?,
        of(c, Correlation::Uncorrelated)?,
        of(u, Correlation::Correlated)?,
        of(u, Correlation::Uncorrelated)?,
    ];
    Some(Case { network: c, twin: u, train, test, at, shares: shares(&at)? })
}
