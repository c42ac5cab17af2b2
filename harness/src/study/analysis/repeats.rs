//! Which networks are trainings of one kind: architecture, number format and camera level, by the strength of the correlation.

use std::collections::BTreeMap;

use datasets::sets::{Correlation, Level, SetSettings};

use super::alike::Measure;
use super::{ATTRIBUTION_SET, networks, plain};
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;

/// Trainings of an architecture in one number format at one level, explained by one method.
pub(super) struct Kind<'a> {
    pub(super) architecture: &'a str,
    pub(super) integer: bool,
    pub(super) level: Level,
    /// Strength of the correlation and cell on CF, by strength, then as in the plan.
    pub(super) trainings: Vec<(f64, &'a Entry)>,
}

impl Kind<'_> {
    /// Architecture and number format in words.
    pub(super) fn name(&self) -> String {
        format!("{} ({})", self.architecture, if self.integer { "int8" } else { "f32" })
    }

    /// Mean ratio of each training on the frames that all of them have, and the number of these frames.
    pub(super) fn means(&self) -> (Vec<f64>, usize) {
        let frames = self.frames();
        let n = frames.len();
        let mean = |i: usize| frames.iter().map(|f| f[i]).sum::<f64>() / n as f64;
        let means = if n == 0 { Vec::new() } else { (0..self.trainings.len()).map(mean).collect() };
        (means, n)
    }

    /// The ratios of all trainings for each frame that has one in each, in the order of class and index.
    pub(super) fn frames(&self) -> Vec<Vec<f64>> {
        let measure = Measure::of(self.trainings.iter().flat_map(|(_, e)| &e.points));
        let mut frames: BTreeMap<(u16, u32), Vec<f64>> = BTreeMap::new();
        for (_, entry) in &self.trainings {
            for p in &entry.points {
                if let Some(ratio) = measure.ratio(p) {
                    frames.entry(p.key()).or_default().push(ratio);
                }
            }
        }
        frames.into_values().filter(|ratios| ratios.len() == self.trainings.len()).collect()
    }

    /// Positions of the trainings of each strength.
    pub(super) fn by_strength(&self) -> Vec<(f64, Vec<usize>)> {
        let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
        for (i, (strength, _)) in self.trainings.iter().enumerate() {
            match groups.last_mut() {
                Some((same, members)) if same.total_cmp(strength).is_eq() => members.push(i),
                _ => groups.push((*strength, vec![i])),
            }
        }
        groups
    }
}

/// Level and strength of the correlation that a network was trained with; none for other sets and for single shapes.
fn recipe(network: &NetworkFacts) -> Option<(Level, f64)> {
    let set = network.set().filter(|s| s.shape.is_none())?;
    let own = || match set.correlation {
        Correlation::Uncorrelated => 0.0,
        Correlation::Correlated => SetSettings::get().correlation.strength,
    };
    Some((set.level, network.strength.unwrap_or_else(own)))
}

/// All kinds that a method explained on CF.
pub(super) fn kinds<'a>(book: &'a Book, explainer: &str) -> Vec<Kind<'a>> {
    let mut found: Vec<Kind<'a>> = Vec::new();
    // those of a known seed first: one whose seed nobody tells may be any of them
    let mut all = networks(book);
    all.sort_by_key(|network| network.seed.is_none());
    for network in all {
        let Some((level, strength)) = recipe(network) else { continue };
        let Some(entry) = plain(book, &network.name, ATTRIBUTION_SET, Some(explainer)) else {
            continue;
        };
        // a cell that was only begun would bring all others down to its few frames
        if entry.points.len() < entry.asked {
            continue;
        }
        let (architecture, integer) = (network.architecture.as_str(), network.is_integer());
        let same =
            |k: &Kind<'_>| (k.architecture, k.integer, k.level) == (architecture, integer, level);
        let at = found.iter().position(same).unwrap_or_else(|| {
            found.push(Kind { architecture, integer, level, trainings: Vec::new() });
            found.len() - 1
        });
        let trainings = &mut found[at].trainings;
        // a training in another form or from another machine, or one whose seed nobody tells, is no further training
        let again = |(other, e): &(f64, &Entry)| {
            other.total_cmp(&strength).is_eq() && e.network.is_like(network)
        };
        if !trainings.iter().any(again) {
            trainings.push((strength, entry));
        }
    }
    for kind in &mut found {
        kind.trainings.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    found
}
