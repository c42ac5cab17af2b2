//! Steps from one camera level to the next, frame by frame or seed by seed, and whether they make a trend.

use super::across::Across;
use super::{SEED, differences, mean, paired, ratio_pairs};
use crate::stats::{self, MeanInterval};
use crate::study::book::Entry;
use crate::study::paper;

/// Smallest change from F to H that could be a trend: the paper's smallest difference of two trainings.
pub(super) const MARGIN: f64 = paper::RATIO_DROP[0];

/// Second level less first.
struct Step {
    mean: MeanInterval,
    p: f64,
    /// Equivalent to none within the margin.
    none: bool,
}

impl Step {
    /// Frame by frame.
    fn between(first: &Entry, second: &Entry) -> Option<Self> {
        let d = differences(&ratio_pairs(&paired(first, second)));
        Some(Self { mean: mean(&d)?, p: stats::sign_flip(&d, SEED)?.p, none: is_none(&d) })
    }

    /// Seed by seed. Seeds that do not scatter at all have no interval and show nothing, no equivalence either.
    fn over(across: &Across) -> Option<Self> {
        let mean = across.mean()?;
        let none = mean.ci95.is_some() && is_none(across.values());
        Some(Self { mean, p: across.p()?, none })
    }

    /// The whole interval lies beyond the margin on this side.
    fn beyond(&self, sign: f64) -> bool {
        self.mean.ci95.is_some_and(|[low, high]| sign * low > MARGIN && sign * high > MARGIN)
    }
}

/// Whether differences are equivalent to none within the margin.
fn is_none(differences: &[f64]) -> bool {
    stats::tost(differences, MARGIN).is_some_and(|e| e.equivalent)
}

/// F to M, M to H, F to H.
pub(super) struct Steps([Step; 3]);

impl Steps {
    /// Frame by frame; none without a frame that both have.
    pub(super) fn between([f, m, h]: [&Entry; 3]) -> Option<Self> {
        Some(Self([Step::between(f, m)?, Step::between(m, h)?, Step::between(f, h)?]))
    }

    /// Of several seeds; none if there are not two.
    pub(super) fn over(seeds: &[&Self]) -> Option<Self> {
        let of =
            |i: usize| Step::over(&Across::new(seeds.iter().map(|s| s.0[i].mean.mean).collect()));
        Some(Self([of(0)?, of(1)?, of(2)?]))
    }

    /// Mean differences.
    pub(super) fn means(&self) -> [MeanInterval; 3] {
        self.0.each_ref().map(|step| step.mean)
    }

    /// p-values with Holm's adjustment over the three.
    pub(super) fn holm(&self) -> Vec<f64> {
        stats::holm(&self.0.each_ref().map(|step| step.p))
    }

    /// `rises`, `falls`, `none` or `not decided`.
    pub(super) fn trend(&self) -> &'static str {
        let (Self([first, second, whole]), holm) = (self, self.holm());
        let sure = holm[0] < 0.05 && holm[1] < 0.05;
        match (first.mean.mean > 0.0, second.mean.mean > 0.0) {
            (true, true) if sure && whole.beyond(1.0) => "rises",
            (false, false) if sure && whole.beyond(-1.0) => "falls",
            (a, b) if sure && a != b => "none",
            // nothing found is not the same as nothing there
            _ if whole.none => "none",
            _ => "not decided",
        }
    }
}
