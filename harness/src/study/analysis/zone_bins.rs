//! Attention by zone in bins of the yaw: rows of a table, and curves.

use std::collections::BTreeMap;

use super::views::{View, signs};
use super::{mean, title};
use crate::stats::MeanInterval;
use crate::study::finding::{Curve, Figure, Item};

/// Bins of the absolute yaw, degrees; the last ends where level H does.
const YAW: [f64; 6] = [0.0, 4.0, 8.0, 16.0, 28.0, 50.0];
/// Where the last of them begins: views that turn less say nothing of a camera that turns.
pub(super) const WIDE: f64 = YAW[YAW.len() - 2];
/// Fewest signs of a bin.
const FEWEST: usize = 8;
/// Fewest bins of a figure: what a line between two points shows, the table says.
const CURVE: usize = 3;

/// Views whose yaw lies between two ends.
pub(super) struct Bin<'a> {
    from: f64,
    to: f64,
    views: Vec<&'a View>,
}

/// Those with enough signs.
pub(super) fn bins(views: &[View]) -> Vec<Bin<'_>> {
    YAW.windows(2)
        .map(|ends| {
            let inside = |v: &&View| (ends[0]..ends[1]).contains(&v.pose[0]);
            Bin { from: ends[0], to: ends[1], views: views.iter().filter(inside).collect() }
        })
        .filter(|bin| signs(bin.views.iter().copied()) >= FEWEST)
        .collect()
}

impl Bin<'_> {
    /// Mean over the signs of the bin, each the mean of its views.
    fn mean(&self, value: impl Fn(&View) -> Option<f64>) -> Option<MeanInterval> {
        let mut signs: BTreeMap<(u16, u32), Vec<f64>> = BTreeMap::new();
        for view in &self.views {
            signs.entry(view.sign).or_default().extend(value(view));
        }
        let means: Vec<f64> = signs.values().filter_map(|v| Some(mean(v)?.mean)).collect();
        mean(&means)
    }

    pub(super) fn row(&self, network: &str, explainer: &str) -> Vec<Item> {
        let mut row = vec![
            Item::text(network),
            Item::text(title(explainer)),
            Item::text(format!("{} to {}", self.from, self.to)),
            Item::Count(signs(self.views.iter().copied())),
            Item::mean(self.mean(|v| v.ratio)),
        ];
        row.extend((0..3).map(|z| Item::mean(self.mean(|v| Some(v.shares[z])))));
        row.extend(
            (0..2).map(|z| Item::number(self.mean(|v| Some(v.areas[z])).map(|m| m.mean), 3)),
        );
        row.extend((0..3).map(|z| Item::number(self.mean(|v| v.density(z)).map(|m| m.mean), 2)));
        row
    }
}

/// A curve a zone; none of a few bins.
pub(super) fn figure(name: &str, bins: &[Bin<'_>]) -> Option<Figure> {
    let curve = |name: &str, zone: usize| Curve {
        name: name.to_owned(),
        points: bins
            .iter()
            .filter_map(|bin| {
                let m = bin.mean(|v| Some(v.shares[zone]))?;
                Some((f64::midpoint(bin.from, bin.to), m.mean, m.ci95))
            })
            .collect(),
    };
    (bins.len() >= CURVE).then(|| Figure::Curves {
        title: format!("Share of the attention by zone, {name}"),
        axes: [
            "absolute yaw of the camera, degrees".to_owned(),
            "share of positive attribution".to_owned(),
        ],
        curves: vec![curve("inside", 0), curve("border", 1), curve("outside", 2)],
        line: None,
    })
}
