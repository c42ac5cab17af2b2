//! Small books with known answers.

use datasets::sets::{Correlation, Set};
use models::manifest::Accuracy;

use super::super::book::{Entry, Point};
use super::super::cell::{DataFacts, KnownAccuracy, NetworkFacts, Told};

/// A network of an architecture that was trained on a set.
pub(super) fn network(name: &str, architecture: &str, train: &str) -> NetworkFacts {
    NetworkFacts {
        name: name.to_owned(),
        architecture: architecture.to_owned(),
        train: train.to_owned(),
        precision: "f32".to_owned(),
        ..NetworkFacts::default()
    }
}

/// The same, from a seed of which somebody tells or not.
pub(super) fn seeded(
    name: &str,
    architecture: &str,
    train: &str,
    seed: Option<u64>,
) -> NetworkFacts {
    NetworkFacts { seed, ..network(name, architecture, train) }
}

/// Half width of an interval of 49,200 pictures or so.
const HALF: f64 = 0.0001;

/// A network that only the plan knows, with one accuracy on C and one on U of every level.
pub(super) fn told(
    architecture: &str,
    train: &str,
    precision: &str,
    [on_c, on_u]: [f64; 2],
) -> NetworkFacts {
    let rows = Set::SIX.iter().map(|set| {
        let top1 = if set.correlation == Correlation::Correlated { on_c } else { on_u };
        let ci95 = Some([top1 - HALF, top1 + HALF]);
        let figures = Accuracy { set: format!("{set}/test"), top1, n: 49_200, ci95 };
        KnownAccuracy { told: Told::Plan, figures }
    });
    NetworkFacts {
        precision: precision.to_owned(),
        accuracy: rows.collect(),
        ..network(&format!("{architecture}-{train}.{precision}"), architecture, train)
    }
}

/// A complete cell of `n` frames: right decisions, ratio 0.5, shapes in turn; `change` sets what matters.
pub(super) fn entry(
    network: &NetworkFacts,
    data: &str,
    explainer: &str,
    n: usize,
    change: impl Fn(usize, &mut Point),
) -> Entry {
    let points = (0..n)
        .map(|i| {
            let number = u16::try_from(i % 10).unwrap();
            let mut point = Point {
                position: u32::try_from(i).unwrap(),
                class: number,
                index: u32::try_from(i / 10).unwrap(),
                shape: ["circular", "triangular", "rectangular"][i % 3].to_owned(),
                environment: ["forest", "coast"][i % 2].to_owned(),
                mask_share: 0.2,
                predicted: number,
                confidence: 0.9,
                ratio: Some(0.5),
                proportional: Some(0.8),
                ..Point::default()
            };
            change(i, &mut point);
            point
        })
        .collect();
    Entry {
        id: format!("cells/{}/{data}/{explainer}", network.name),
        network: network.clone(),
        data: DataFacts::of(data, &[]).unwrap(),
        method: explainer.to_owned(),
        explainer: explainer.to_owned(),
        asked: n,
        points,
        ..Entry::default()
    }
}

/// A number from -0.5 to 0.5 that looks like noise.
pub(super) fn noise(i: usize) -> f64 {
    (i * 7919 % 1000) as f64 / 1000.0 - 0.5
}
