//! How sure a sampled pixel ratio is: its standard error, its interval, and a second look from the other side.
//!
//! ```text
//! interval    ratio +- t(0.975, units - 1) * standard error, cut to 0..1
//! cross-fit   sum over S of inside_i phi_i / sum over S of all_i phi_i,
//!             S = cells positive in one half of the sample, phi from the other half; both ways, mean
//! ```
//!
//! Clipping at zero makes positive mass of sampling noise, mostly off the sign: the plain ratio errs low. In
//! the cross-fit ratio noise decides which cells count but not what they count, so it errs high, and
//! the two lie on either side of the truth. That holds where halves of the sample are unbiased and still precise: for orders
//! (`permutation`). Half of a regression's sample is far noisier than the whole, the selection then follows noise, and
//! the second ratio misleads; so regressions have none.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::mask::Mask;
use crate::attribution::{Replicates, Upsampling};

/// What a cell of a map spreads over the picture, one unit in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellShare {
    /// Over all pixels.
    pub all: f64,
    /// Over the sign.
    pub inside: f64,
}

/// What every cell spreads; with it the ratio follows from the attributions alone.
///
/// Exact for [`Upsampling::Nearest`], where cells do not mix. For other rules the ratio of the spread cells stands in for
/// that of the pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    cells: Vec<CellShare>,
}

impl Shares {
    /// The shares of a mask for maps of this size.
    #[must_use]
    pub fn of(mask: &Mask, rows: usize, columns: usize, rule: Upsampling) -> Self {
        let cells = mask.spread(rule, rows, columns);
        Self { cells: cells.iter().map(|s| CellShare { all: s.all, inside: s.inside }).collect() }
    }

    /// Shares that were stored.
    #[must_use]
    pub const fn from_cells(cells: Vec<CellShare>) -> Self {
        Self { cells }
    }

    /// The shares, cell by cell.
    #[must_use]
    pub fn cells(&self) -> &[CellShare] {
        &self.cells
    }

    /// The pixel ratio of attributions; `None` if none is positive.
    #[must_use]
    pub fn ratio(&self, phi: &[f64]) -> Option<f64> {
        self.selected(phi, phi)
    }

    /// The ratio of the attributions `phi` over the cells that `choice` finds positive.
    fn selected(&self, choice: &[f64], phi: &[f64]) -> Option<f64> {
        let (mut all, mut inside) = (0.0, 0.0);
        for ((cell, choice), phi) in self.cells.iter().zip(choice).zip(phi) {
            if *choice > 0.0 {
                all += cell.all * phi;
                inside += cell.inside * phi;
            }
        }
        (all > 0.0).then(|| inside / all)
    }
}

/// How sure a ratio is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioError {
    /// Standard error from the draw of coalitions.
    pub standard_error: f64,
    /// Units of the sample; 0 if nothing was drawn.
    pub units: usize,
    /// The cross-fit ratio, where there is one.
    pub cross_fit: Option<f64>,
}

impl RatioError {
    /// From what leaving single units out changes; `None` if a replicate has no positive attribution.
    #[must_use]
    pub fn of(replicates: &Replicates, shares: &Shares) -> Option<Self> {
        let standard_error = replicates.error(|phi| shares.ratio(phi))?;
        let cross_fit = replicates.batches().and_then(|b| cross_fit(&b, shares));
        Some(Self { standard_error, units: replicates.units(), cross_fit })
    }

    /// Half the width of the 95 % interval.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        let Some(freedom) = self.units.checked_sub(1) else { return 0.0 };
        StudentsT::new(0.0, 1.0, freedom as f64)
            .map_or(f64::INFINITY, |t| t.inverse_cdf(0.975) * self.standard_error)
    }

    /// The 95 % interval around a ratio.
    #[must_use]
    pub fn interval(&self, ratio: f64) -> [f64; 2] {
        let half = self.half_width();
        [(ratio - half).max(0.0), (ratio + half).min(1.0)]
    }
}

/// Needs four batches, so that each half has two.
fn cross_fit(batches: &[Vec<f64>], shares: &Shares) -> Option<f64> {
    if batches.len() < 4 {
        return None;
    }
    let mean = |first: usize| -> Vec<f64> {
        let half: Vec<&Vec<f64>> = batches.iter().skip(first).step_by(2).collect();
        let n = half.len() as f64;
        (0..shares.cells.len()).map(|i| half.iter().map(|b| b[i]).sum::<f64>() / n).collect()
    };
    let (even, odd) = (mean(0), mean(1));
    let (one, other) = (shares.selected(&even, &odd)?, shares.selected(&odd, &even)?);
    Some(f64::midpoint(one, other).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{Coalition, Map};
    use crate::attribution::{Estimator, Grid, Plan, Solution, explain};
    use crate::metrics::pixel_ratio;

    /// 49 players: nine on the sign matter, the others are noise around zero, and a soft threshold mixes all.
    fn game(c: &Coalition) -> f64 {
        let worth = |i: usize| {
            let (row, column) = (i / 7, i % 7);
            if (2..5).contains(&row) && (2..5).contains(&column) {
                20.0
            } else {
                ((i * 37) % 11) as f64 / 5.0 - 1.0
            }
        };
        let sum: f64 = c.members().map(worth).sum();
        1.0 / (1.0 + (-(sum - 60.0) / 15.0).exp())
    }

    fn mask() -> Mask {
        let bytes: Vec<u8> = (0..224 * 224_i32)
            .map(|i| {
                let (y, x) = (i / 224 - 112, i % 224 - 112);
                if y * y + x * x < 50 * 50 { 255 } else { 0 }
            })
            .collect();
        Mask::new(224, 224, &bytes).unwrap()
    }

    #[test]
    fn shares_give_the_pixel_ratio() {
        let values: Vec<f64> = (0..49).map(|i| f64::from(i * 29 % 17) - 8.0).collect();
        let map = Map::new(7, 7, values.clone()).unwrap();
        let shares = Shares::of(&mask(), 7, 7, Upsampling::Nearest);
        let slow = pixel_ratio(&map, &mask(), Upsampling::Nearest).unwrap();
        assert!((shares.ratio(&values).unwrap() - slow).abs() < 1e-12);
        assert_eq!(shares.ratio(&[-1.0; 49]), None);
    }

    #[test]
    fn plain_and_cross_fit_ratio_of_orders_enclose_the_truth() {
        let shares = Shares::of(&mask(), 7, 7, Upsampling::Nearest);
        let explained = |evaluations, seed| {
            let plan = Plan::draw(Estimator::Permutation, Grid::default(), evaluations, seed);
            let e = explain(&plan.unwrap(), &mut [game], Solution::Exact).unwrap();
            let error = RatioError::of(e.replicates.as_ref().unwrap(), &shares).unwrap();
            (shares.ratio(e.map.values()).unwrap(), error)
        };
        let (truth, known) = explained(200_000, 999);
        let (mut plain, mut crossed, mut covered) = (0.0, 0.0, 0);
        let seeds = 40;
        for seed in 0..seeds {
            let (ratio, error) = explained(1000, seed);
            plain += ratio / seeds as f64;
            crossed += error.cross_fit.unwrap() / seeds as f64;
            let [low, high] = error.interval(ratio);
            covered += usize::from((low..=high).contains(&truth));
        }
        let slack = 3.0 * known.standard_error;
        assert!(plain < truth + slack && crossed > truth - slack, "{plain} {truth} {crossed}");
        assert!(crossed - plain < 0.1, "{plain} {crossed}");
        assert!(covered >= 34, "{covered} of {seeds}");
    }

    #[test]
    fn regressions_have_no_second_ratio_and_exact_values_no_error() {
        let shares = Shares::of(&mask(), 7, 7, Upsampling::Nearest);
        for estimator in [Estimator::Captum, Estimator::Paired, Estimator::Leverage] {
            let plan = Plan::draw(estimator, Grid::default(), 1000, 1).unwrap();
            let e = explain(&plan, &mut [game], Solution::Exact).unwrap();
            let error = RatioError::of(e.replicates.as_ref().unwrap(), &shares).unwrap();
            assert!(error.cross_fit.is_none() && error.standard_error > 0.0, "{estimator:?}");
        }
        let grid = Grid { rows: 2, columns: 3 };
        let plan = Plan::draw(Estimator::Exact, grid, 0, 0).unwrap();
        let e = explain(&plan, &mut [|c: &Coalition| c.size() as f64], Solution::Exact).unwrap();
        let shares = Shares::of(&mask(), 2, 3, Upsampling::Nearest);
        let error = RatioError::of(e.replicates.as_ref().unwrap(), &shares).unwrap();
        assert_eq!((error.standard_error, error.units), (0.0, 0));
        assert_eq!(error.interval(0.5), [0.5, 0.5]);
    }
}
