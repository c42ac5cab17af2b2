//! Small books with known answers.

use super::super::book::{Entry, Point};
use super::super::cell::{DataFacts, NetworkFacts};

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
