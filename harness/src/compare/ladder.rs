//! The ladder: at which step from picture to decision do two runs part?

use serde::Serialize;

use super::Pair;
use super::cause;
use super::margins::LadderMargins;
use crate::stats::percentile;

/// A step from the picture to the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Hash of the picture.
    Input,
    /// What the network is given.
    Tensor,
    /// What it says.
    Logits,
    /// Its last feature map.
    Features,
    /// Maps of all methods.
    Attribution,
    /// Pixel ratios of all methods.
    Ratio,
    /// Best class, and whether it is the true one.
    Decision,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 7] = [
        Self::Input,
        Self::Tensor,
        Self::Logits,
        Self::Features,
        Self::Attribution,
        Self::Ratio,
        Self::Decision,
    ];

    /// Name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Tensor => "tensor",
            Self::Logits => "logits",
            Self::Features => "feature map",
            Self::Attribution => "attribution",
            Self::Ratio => "ratio",
            Self::Decision => "decision",
        }
    }

    fn margin(self, margins: &LadderMargins) -> f64 {
        match self {
            // the same or not: a difference is 0 or 1
            Self::Input | Self::Decision => 0.5,
            Self::Tensor => margins.tensor,
            Self::Logits => margins.logits,
            Self::Features => margins.features,
            Self::Attribution => margins.attribution,
            Self::Ratio => margins.ratio,
        }
    }
}

/// What was found at a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rung {
    /// The step.
    pub step: Step,
    /// Largest difference that counts as numerics.
    pub margin: f64,
    /// Median difference over the frames.
    pub median: f64,
    /// Largest difference.
    pub worst: f64,
    /// Position of the frame with the largest difference.
    pub worst_frame: u32,
    /// Frames that both runs have something of at this step.
    pub frames: usize,
    /// Frames beyond the margin.
    pub beyond: usize,
}

impl Rung {
    /// Whether the runs differ here by more than numerics.
    #[must_use]
    pub const fn parts(&self) -> bool {
        self.beyond > 0
    }
}

/// The rungs that both runs have, from the picture to the decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ladder {
    /// In order.
    pub rungs: Vec<Rung>,
    /// The first one that parts.
    pub first: Option<Step>,
    /// What explains the difference there, as far as the stored values tell.
    pub cause: Option<String>,
}

impl Ladder {
    pub(super) fn climb(pairs: &[Pair<'_>], margins: &LadderMargins) -> Self {
        let rungs: Vec<Rung> =
            Step::ALL.into_iter().filter_map(|s| rung(s, pairs, s.margin(margins))).collect();
        let first = rungs.iter().find(|r| r.parts());
        let cause = first.and_then(|r| {
            let beyond: Vec<Pair<'_>> = pairs
                .iter()
                .filter(|p| difference(r.step, p).is_some_and(|d| d > r.margin))
                .copied()
                .collect();
            cause::of(r.step, &beyond)
        });
        Self { first: first.map(|r| r.step), cause, rungs }
    }

    /// What was found at a step, if both runs have something of it.
    #[must_use]
    pub fn rung(&self, step: Step) -> Option<&Rung> {
        self.rungs.iter().find(|r| r.step == step)
    }
}

fn rung(step: Step, pairs: &[Pair<'_>], margin: f64) -> Option<Rung> {
    let found: Vec<(u32, f64)> =
        pairs.iter().filter_map(|p| Some((p.a.position, difference(step, p)?))).collect();
    let values: Vec<f64> = found.iter().map(|f| f.1).collect();
    let (worst_frame, worst) = found.iter().copied().max_by(|x, y| x.1.total_cmp(&y.1))?;
    Some(Rung {
        step,
        margin,
        median: percentile(&values, 0.5)?,
        worst,
        worst_frame,
        frames: found.len(),
        beyond: values.iter().filter(|v| **v > margin).count(),
    })
}

/// How far a frame's two values are apart; `None` if one run has none. What has another shape is infinitely far.
fn difference(step: Step, pair: &Pair<'_>) -> Option<f64> {
    let (a, b) = (pair.a, pair.b);
    let differs = |same: bool| if same { 0.0 } else { 1.0 };
    match step {
        Step::Input => (!a.image_hash.is_empty() && !b.image_hash.is_empty())
            .then(|| differs(a.image_hash == b.image_hash)),
        Step::Tensor => relative_rms(&a.tensor, &b.tensor),
        Step::Logits => relative_peak(&a.logits, &b.logits),
        Step::Features => relative_rms(&a.features, &b.features),
        Step::Attribution => maps(pair)
            .filter_map(|(a, b)| {
                if a.target == b.target && a.grid == b.grid {
                    relative_rms(&a.map, &b.map)
                } else {
                    // other classes or grids are explained: the decision or the settings differ, not the map
                    None
                }
            })
            .reduce(f64::max),
        Step::Ratio => maps(pair)
            .filter(|(a, b)| a.target == b.target)
            .map(|(a, b)| match (a.ratio, b.ratio) {
                (Ok(a), Ok(b)) => (a - b).abs(),
                (Err(a), Err(b)) if a == b => 0.0,
                _ => 1.0,
            })
            .reduce(f64::max),
        Step::Decision => {
            Some(differs(a.top5.first() == b.top5.first() && a.correct() == b.correct()))
        }
    }
}

/// The maps of methods that both runs have.
pub(super) fn maps<'a>(
    pair: &Pair<'a>,
) -> impl Iterator<Item = (&'a crate::store::AttributionRow, &'a crate::store::AttributionRow)> {
    let others = &pair.b.attributions;
    pair.a
        .attributions
        .iter()
        .filter_map(|a| others.iter().find(|b| b.method == a.method).map(|b| (a, b)))
}

/// RMS of the difference over the larger RMS.
fn relative_rms(a: &[f32], b: &[f32]) -> Option<f64> {
    let square = |x: f64| x * x;
    relative(a, b, |values| values.map(square).sum::<f64>().sqrt())
}

/// Largest difference over the largest value.
fn relative_peak(a: &[f32], b: &[f32]) -> Option<f64> {
    relative(a, b, |values| values.map(f64::abs).fold(0.0, f64::max))
}

fn relative(
    a: &[f32],
    b: &[f32],
    norm: impl Fn(&mut dyn Iterator<Item = f64>) -> f64,
) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    if a.len() != b.len() {
        return Some(f64::INFINITY);
    }
    let wide = |v: &f32| f64::from(*v);
    let apart = norm(&mut a.iter().zip(b).map(|(a, b)| wide(a) - wide(b)));
    let size = norm(&mut a.iter().map(wide)).max(norm(&mut b.iter().map(wide)));
    Some(if size > 0.0 { apart / size } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative_and_shapes_must_agree() {
        assert_eq!(relative_rms(&[3.0, 4.0], &[3.0, 4.0]), Some(0.0));
        assert!((relative_rms(&[3.0, 4.0], &[0.0, 0.0]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(relative_rms(&[1.0], &[1.0, 2.0]), Some(f64::INFINITY));
        assert_eq!(relative_rms(&[], &[1.0]), None);
        assert!((relative_peak(&[1.0, -8.0], &[1.0, -7.0]).unwrap() - 0.125).abs() < 1e-12);
        assert_eq!(relative_peak(&[0.0], &[0.0]), Some(0.0));
    }
}
