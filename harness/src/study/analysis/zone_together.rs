//! Attention against the pose over several trainings, with trainings and with signs as the unit.
//!
//! All seeds saw the same signs, and what these have by chance shows in all of them: seeds that agree are no evidence by themselves.

use std::collections::BTreeMap;

use super::across::Across;
use super::partial::RankCorrelation;
use super::views::View;
use super::zone_asked::{Asked, Pose};
use super::zone_pose::{AgainstYaw, Correlated, correlations, is_none, number};
use crate::stats;
use crate::study::finding::Item;

/// One value against one side of the pose, given the sign's area.
pub(super) struct Row {
    /// Position in [`super::zone_pose::POSE`].
    pub(super) pose: usize,
    /// Position in [`super::zone_pose::VALUES`].
    pub(super) value: usize,
    pub(super) signs: usize,
    pub(super) views: usize,
    /// Fisher's z of each training that has a correlation.
    pub(super) z: Across,
    /// Of the mean over the trainings.
    pub(super) over_signs: Option<RankCorrelation>,
    /// The larger p of both, after Holm.
    pub(super) holm: f64,
}

impl Row {
    /// The larger one of both units.
    pub(super) fn p(&self) -> Option<f64> {
        Some(self.z.p()?.max(self.over_signs?.p))
    }

    /// Interval over the trainings, as correlations.
    fn ci95(&self) -> Option<[f64; 2]> {
        Some(self.z.mean()?.ci95?.map(f64::tanh))
    }

    /// Over the trainings, as a correlation.
    pub(super) fn mean(&self) -> Item {
        self.z.mean().map_or(Item::Nothing, |m| number(m.mean.tanh(), self.ci95()))
    }

    /// Smallest and largest of a training.
    pub(super) fn ends(&self) -> [Item; 2] {
        let of = |pick: fn(f64, f64) -> f64| self.z.values().iter().copied().reduce(pick);
        [of(f64::min), of(f64::max)].map(|z| z.map_or(Item::Nothing, |z| number(z.tanh(), None)))
    }

    /// Whether both units say so, in one direction, or both say that there is nothing.
    pub(super) fn against_yaw(&self, trainings: usize) -> AgainstYaw {
        let mean = self.z.mean().zip(self.over_signs).map(|(z, signs)| [z.mean, signs.rho]);
        let follows = mean.filter(|[z, rho]| self.holm < 0.05 && z * rho > 0.0);
        let intervals = [self.ci95(), self.over_signs.map(|c| c.ci95)];
        let in_all = self.z.values().len() == trainings;
        AgainstYaw {
            value: self.value,
            follows: follows.map(|[_, rho]| rho),
            is_none: in_all && intervals.into_iter().all(|ends| ends.is_some_and(is_none)),
        }
    }
}

/// A view as the mean over the trainings; with a ratio if all of them have one.
fn mean_view(views: &[&View]) -> Option<View> {
    let first = *views.first()?;
    let n = views.len() as f64;
    let ratios: Option<Vec<f64>> = views.iter().map(|v| v.ratio).collect();
    Some(View {
        ratio: ratios.map(|ratios| ratios.iter().sum::<f64>() / n),
        shares: [0, 1, 2].map(|zone| views.iter().map(|v| v.shares[zone]).sum::<f64>() / n),
        ..first.clone()
    })
}

/// Two trainings or more, on the views that all of them have.
pub(super) struct Together {
    /// Each as the mean over the trainings.
    pub(super) views: Vec<View>,
    pub(super) rows: Vec<Row>,
}

impl Together {
    pub(super) fn of(trainings: &[&Asked<'_>]) -> Self {
        let all: Vec<BTreeMap<Pose, View>> = trainings.iter().map(|t| t.by_pose()).collect();
        let in_all =
            |pose: &Pose| all.iter().map(|views| views.get(pose)).collect::<Option<Vec<&View>>>();
        let shared: Vec<Vec<&View>> =
            all.iter().take(1).flat_map(|first| first.keys()).filter_map(in_all).collect();
        let each: Vec<Vec<Correlated>> = (0..all.len())
            .map(|i| correlations(&shared.iter().map(|of| of[i].clone()).collect::<Vec<_>>()))
            .collect();
        let views: Vec<View> = shared.iter().filter_map(|of| mean_view(of)).collect();
        let row = |(i, mean): (usize, Correlated)| {
            let of = |rows: &Vec<Correlated>| rows.get(i)?.given_area;
            let z = each.iter().filter_map(of).map(|c| stats::fisher_z(c.rho));
            Row {
                pose: mean.pose,
                value: mean.value,
                signs: mean.signs,
                views: mean.views,
                z: Across::new(z.collect()),
                over_signs: mean.given_area,
                holm: 1.0,
            }
        };
        let mut rows: Vec<Row> = correlations(&views).into_iter().enumerate().map(row).collect();
        let p: Vec<f64> = rows.iter().map(|row| row.p().unwrap_or(1.0)).collect();
        for (row, p) in rows.iter_mut().zip(stats::holm(&p)) {
            row.holm = p;
        }
        Self { views, rows }
    }
}
