//! How sure a sampled pixel ratio is: its standard error, its interval, and the correction for what clipping makes of noise.
//!
//! Clipping at zero makes positive mass of sampling noise, mostly off the sign: the plain ratio errs low. The cross-fit ratio
//! lets all units but one say which cells count, and that one what they are worth, each in turn:
//!
//! ```text
//! cross-fit   sum over u, k in S(u) of inside_k phi_k(u) / sum over u, k in S(u) of all_k phi_k(u)
//!             phi(u) = estimate of unit u alone, S(u) = cells that are positive in the mean of the others
//! corrected   (plain ratio + cross-fit ratio) / 2
//! interval    corrected +- t(0.975, units - 1) * standard error, cut to 0..1
//! ```
//!
//! There noise decides which cells count but not what they count, so it errs high. With s the standard error of a cell of
//! value m, what noise adds to its positive part is `s (f(m/s) - |m/s| F(-|m/s|))` in the plain sum and `-|m| F(-|m|/s)` in the other, f and F the
//! density and distribution function of the normal law. Over values that are spread evenly around zero the integrals are s^2 / 2 and
//! -s^2 / 2 (times n / (n - 1) for n units, since n - 1 choose): what noise adds to the sums cancels in the mean of the two, but for a share of
//! 1 / (n - 1). Where many cells *are* zero, the first adds 0.4 s and the second nothing: half of the bias is left. What this leaves of the
//! bias of the ratio is measured in `docs/kernel-shap.md`.
//!
//! More than ten units are dealt into ten groups, which then stand for them: the jackknife of the corrected ratio errs high where one unit
//! of very many turns the sign of a cell. (Groups of unequal size, 11 to 19 units, make it up to 7 % too wide.) The units have to be unbiased estimates by themselves: orders with their reverses (`permutation`), three or more. A single coalition
//! of a regression is none, so regressions have the plain ratio and its standard error alone.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::mask::Mask;
use crate::attribution::{Replicates, Upsampling};

/// With fewer, leaving one out leaves no other to choose the cells for the last.
const LEAST_UNITS: usize = 3;
/// So many groups at most.
const GROUPS: usize = 10;

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
    /// Whether the ratio of the spread cells is that of the pixels.
    #[serde(default = "exactly", skip_serializing_if = "is_exact")]
    exact: bool,
}

const fn exactly() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_exact(exact: &bool) -> bool {
    *exact
}

impl Shares {
    /// The shares of a mask for maps of this size.
    #[must_use]
    pub fn of(mask: &Mask, rows: usize, columns: usize, rule: Upsampling) -> Self {
        let cells = mask.spread(rule, rows, columns);
        let cells = cells.iter().map(|s| CellShare { all: s.all, inside: s.inside }).collect();
        Self { cells, exact: rule == Upsampling::Nearest }
    }

    /// Shares that were stored.
    #[must_use]
    pub const fn from_cells(cells: Vec<CellShare>) -> Self {
        Self { cells, exact: true }
    }

    /// The shares, cell by cell.
    #[must_use]
    pub fn cells(&self) -> &[CellShare] {
        &self.cells
    }

    /// The pixel ratio of attributions; `None` if none is positive.
    #[must_use]
    pub fn ratio(&self, phi: &[f64]) -> Option<f64> {
        let (mut all, mut inside) = (0.0, 0.0);
        for (cell, phi) in self.cells.iter().zip(phi) {
            if *phi > 0.0 {
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
    /// Standard error from the draw of coalitions: of the corrected ratio where there is one, else of the plain one.
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
        let units = replicates.units();
        // where cells mix, the ratio of the pixels is another, and the mean of the two would be neither
        if shares.exact
            && let Some((standard_error, cross_fit)) = corrected(replicates, shares)
        {
            return Some(Self { standard_error, units, cross_fit: Some(cross_fit) });
        }
        let standard_error = replicates.error(|phi| shares.ratio(phi))?;
        Some(Self { standard_error, units, cross_fit: None })
    }

    /// A plain ratio freed of what clipping makes of noise, where that can be told.
    #[must_use]
    pub fn corrected(&self, plain: f64) -> Option<f64> {
        self.cross_fit.map(|cross_fit| f64::midpoint(plain, cross_fit))
    }

    /// Half the width of the 95 % interval.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        let groups = if self.cross_fit.is_some() { self.units.min(GROUPS) } else { self.units };
        let Some(freedom) = groups.checked_sub(1) else { return 0.0 };
        StudentsT::new(0.0, 1.0, freedom as f64)
            .map_or(f64::INFINITY, |t| t.inverse_cdf(0.975) * self.standard_error)
    }

    /// The 95 % interval, given the plain ratio; around the corrected one where there is one.
    #[must_use]
    pub fn interval(&self, plain: f64) -> [f64; 2] {
        let (centre, half) = (self.corrected(plain).unwrap_or(plain), self.half_width());
        [(centre - half).max(0.0), (centre + half).min(1.0)]
    }
}

/// Standard error of the corrected ratio, by the jackknife over groups of units, and the cross-fit ratio.
fn corrected(replicates: &Replicates, shares: &Shares) -> Option<(f64, f64)> {
    let batches = replicates.batches().filter(|b| b.len() >= LEAST_UNITS)?;
    let add = |sum: &mut Vec<f64>, batch: &[f64]| {
        sum.iter_mut().zip(batch).for_each(|(s, v)| *s += v);
    };
    let mut groups = vec![vec![0.0; shares.cells.len()]; batches.len().min(GROUPS)];
    for (number, batch) in batches.iter().enumerate() {
        add(&mut groups[number % GROUPS], batch);
    }
    let mut sum = vec![0.0; shares.cells.len()];
    groups.iter().for_each(|group| add(&mut sum, group));
    let cross_fit = cross_fit(&groups, &sum, None, shares)?;
    let without = (0..groups.len()).map(|out| {
        let sum: Vec<f64> = sum.iter().zip(&groups[out]).map(|(s, v)| s - v).collect();
        let crossed = self::cross_fit(&groups, &sum, Some(out), shares)?;
        Some(f64::midpoint(shares.ratio(&sum)?, crossed))
    });
    let values: Vec<f64> = without.collect::<Option<_>>()?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    Some((((n - 1.0) / n * squares).sqrt(), cross_fit))
}

/// The cross-fit ratio of all groups but `out`, whose `sum` is given.
fn cross_fit(groups: &[Vec<f64>], sum: &[f64], out: Option<usize>, shares: &Shares) -> Option<f64> {
    let (mut all, mut inside) = (0.0, 0.0);
    for (_, group) in groups.iter().enumerate().filter(|(g, _)| Some(*g) != out) {
        for ((cell, sum), phi) in shares.cells.iter().zip(sum).zip(group) {
            if sum - phi > 0.0 {
                all += cell.all * phi;
                inside += cell.inside * phi;
            }
        }
    }
    (all > 0.0).then(|| (inside / all).clamp(0.0, 1.0))
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

    /// The same with interactions of three that have no fixed sign, so that what a background player adds is noise.
    fn rough_game(c: &Coalition) -> f64 {
        let mut x = 12_345_u32;
        let mut draw = |n: u32| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 8) % n
        };
        let mut sum = 0.0;
        for _ in 0..400 {
            let players: [u32; 3] = std::array::from_fn(|_| draw(49));
            let worth = f64::from(draw(2001)) / 1000.0 - 1.0;
            if players.iter().all(|&p| c.contains(p as usize)) {
                sum += worth;
            }
        }
        game(c) + 0.03 * sum
    }

    fn explained(game: Played, evaluations: usize, seed: u64) -> (f64, RatioError) {
        let shares = Shares::of(&mask(), 7, 7, Upsampling::Nearest);
        let plan = Plan::draw(Estimator::Permutation, Grid::default(), evaluations, seed);
        let e = explain(&plan.unwrap(), &mut [game], Solution::Exact).unwrap();
        let error = RatioError::of(e.replicates.as_ref().unwrap(), &shares).unwrap();
        (shares.ratio(e.map.values()).unwrap(), error)
    }

    type Played = fn(&Coalition) -> f64;

    #[test]
    fn the_corrected_ratio_is_nearer_to_the_truth_than_either_of_its_parts() {
        let (truth, known) = explained(rough_game, 100_000, 999);
        let truth = known.corrected(truth).unwrap();
        let (mut plain, mut crossed, mut corrected, mut covered) = (0.0, 0.0, 0.0, 0);
        let seeds = 60;
        for seed in 0..seeds {
            let (ratio, error) = explained(rough_game, 500, seed);
            plain += (ratio - truth) / seeds as f64;
            crossed += (error.cross_fit.unwrap() - truth) / seeds as f64;
            corrected += (error.corrected(ratio).unwrap() - truth) / seeds as f64;
            let [low, high] = error.interval(ratio);
            covered += usize::from((low..=high).contains(&truth));
        }
        let told = format!("{plain} {crossed} {corrected} {covered} {known:?}");
        let slack = 3.0 * known.standard_error;
        assert!(plain < -slack && crossed > slack, "{told}");
        assert!(corrected.abs() < plain.abs().min(crossed.abs()) / 2.0, "{told}");
        // 57 are expected; fewer than 51 would happen once in 1,350 such tests
        assert!(covered >= 51, "{told}");
    }

    #[test]
    fn where_cells_mix_nothing_is_corrected() {
        let plan = Plan::draw(Estimator::Permutation, Grid::default(), 290, 1).unwrap();
        let e = explain(&plan, &mut [rough_game], Solution::Exact).unwrap();
        let replicates = e.replicates.unwrap();
        let error = |rule| RatioError::of(&replicates, &Shares::of(&mask(), 7, 7, rule)).unwrap();
        assert!(error(Upsampling::Nearest).cross_fit.is_some());
        let mixed = error(Upsampling::Bilinear);
        assert!(mixed.cross_fit.is_none() && mixed.standard_error > 0.0, "{mixed:?}");
        // files of games keep the word
        let shares = Shares::of(&mask(), 7, 7, Upsampling::Bilinear);
        let text = serde_json::to_string(&shares).unwrap();
        assert_eq!(serde_json::from_str::<Shares>(&text).unwrap(), shares);
    }

    #[test]
    fn without_noise_nothing_is_corrected() {
        let additive: Played = |c| c.members().map(|i| (i % 5) as f64 - 1.0).sum();
        let (ratio, error) = explained(additive, 300, 1);
        assert!((error.cross_fit.unwrap() - ratio).abs() < 1e-12);
        assert!(error.standard_error < 1e-12 && error.units == 3);
        // two orders with their reverses: none is left to choose for the other when one is left out
        let (_, error) = explained(additive, 200, 1);
        assert_eq!((error.units, error.cross_fit), (2, None));
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
