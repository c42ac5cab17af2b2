//! Weighted least squares of Kernel SHAP, in f64, from running normal equations, and what leaving one unit
//! of the sample out changes.

use super::coalition::Coalition;
use super::error::AttributionError;
use super::estimator::{Drawn, Rule, Sample};
use super::kernel_shap::Solution;
use super::map::exact;
use super::replicates::Replicates;
use super::sampler;
use super::strata::{self, strata};

/// Replicates of more numbers than this (128 MiB) are not kept; there is no standard error then.
const MAX_REPLICATE_NUMBERS: usize = 1 << 24;
/// A unit whose leverage is nearer to 1 than this cannot be left out.
const LEAST_SLACK: f64 = 1e-9;

/// The estimator `captum`.
#[derive(Debug)]
pub(super) struct Captum;

/// The estimator `paired`.
#[derive(Debug)]
pub(super) struct Paired;

/// The estimator `leverage`.
#[derive(Debug)]
pub(super) struct Leverage;

impl Rule for Captum {
    fn draw(&self, players: usize, evaluations: usize, seed: u64) -> Drawn {
        Drawn::alike(sampler::captum(players, evaluations, seed))
    }

    fn solve(&self, sample: Sample<'_>, solution: Solution) -> Result<Vec<f64>, AttributionError> {
        fit(sample, solution)
    }

    fn replicates(
        &self,
        sample: Sample<'_>,
        phi: &[f64],
    ) -> Result<Option<Replicates>, AttributionError> {
        without_each(sample, phi, 1)
    }

    fn unit(&self, _: usize) -> Option<usize> {
        Some(1)
    }
}

impl Rule for Paired {
    fn draw(&self, players: usize, evaluations: usize, seed: u64) -> Drawn {
        Drawn::alike(sampler::paired(players, evaluations, seed))
    }

    fn solve(&self, sample: Sample<'_>, solution: Solution) -> Result<Vec<f64>, AttributionError> {
        check_pairs(sample, "paired")?;
        fit(sample, solution)
    }

    fn replicates(
        &self,
        sample: Sample<'_>,
        phi: &[f64],
    ) -> Result<Option<Replicates>, AttributionError> {
        without_each(sample, phi, 2)
    }

    fn unit(&self, _: usize) -> Option<usize> {
        Some(2)
    }
}

impl Rule for Leverage {
    fn draw(&self, players: usize, evaluations: usize, seed: u64) -> Drawn {
        strata::draw(players, evaluations, seed)
    }

    fn solve(&self, sample: Sample<'_>, solution: Solution) -> Result<Vec<f64>, AttributionError> {
        check_pairs(sample, "leverage")?;
        fit(sample, solution)
    }

    /// Sizes are drawn each for itself, without repeats: changes count from the mean of their size, and a size of
    /// which all were drawn adds nothing (Cochran, Sampling Techniques, 3rd edition, section 5.6).
    fn replicates(
        &self,
        sample: Sample<'_>,
        phi: &[f64],
    ) -> Result<Option<Replicates>, AttributionError> {
        let Some(mut replicates) = without_each(sample, phi, 2)? else { return Ok(None) };
        let players = sample.players;
        let smaller = |pair: &[Coalition]| pair[0].size().min(players - pair[0].size());
        let sizes: Vec<usize> = sample.coalitions[2..].chunks_exact(2).map(smaller).collect();
        let known = strata(players, sizes.len());
        for (h, stratum) in (1..).zip(known) {
            let members: Vec<usize> = (0..sizes.len()).filter(|&u| sizes[u] == h).collect();
            let n = exact(members.len());
            let rest = (1.0 - n / stratum.capacity).max(0.0);
            // a single pair of its size has nothing to be compared with and keeps its whole change
            let (mean, scale) = if members.len() > 1 {
                let mut mean = vec![0.0; players];
                for &u in &members {
                    mean.iter_mut().zip(&replicates.changes[u]).for_each(|(m, c)| *m += c / n);
                }
                (mean, (rest * (n - 1.0) / n).sqrt())
            } else {
                (vec![0.0; players], rest.sqrt())
            };
            for &u in &members {
                for (c, m) in replicates.changes[u].iter_mut().zip(&mean) {
                    *c = scale * (*c - m);
                }
            }
        }
        replicates.factor = 1.0;
        Ok(Some(replicates))
    }

    fn unit(&self, _: usize) -> Option<usize> {
        None
    }
}

fn check_pairs(sample: Sample<'_>, name: &str) -> Result<(), AttributionError> {
    let pair = |p: &[Coalition]| p.len() == 2 && p[0].complement() == p[1];
    if sample.coalitions[2..].chunks(2).all(pair) {
        return Ok(());
    }
    Err(AttributionError::mismatch(
        format!("plan for estimator {name}"),
        "each coalition followed by its complement",
        "others",
        "draw the plan again",
    ))
}

fn fit(sample: Sample<'_>, solution: Solution) -> Result<Vec<f64>, AttributionError> {
    let Sample { players, coalitions, weights, values } = sample;
    match solution {
        Solution::Exact => constrained(sample),
        Solution::CaptumSoft => soft(players, coalitions, weights, values),
    }
}

/// A pivot below this share of the largest diagonal element counts as zero.
const PIVOT_SHARE: f64 = 1e-11;

/// Lower triangle of a symmetric matrix and a right-hand side, filled row by row: memory does not
/// depend on the number of rows.
struct Normal {
    order: usize,
    matrix: Vec<f64>,
    right: Vec<f64>,
}

impl Normal {
    fn new(order: usize) -> Self {
        Self { order, matrix: vec![0.0; order * order], right: vec![0.0; order] }
    }

    /// Adds an equation `row . x = value` with a weight.
    fn add(&mut self, row: &[f64], value: f64, weight: f64) {
        for (i, &a) in row.iter().enumerate() {
            if a == 0.0 {
                continue;
            }
            let scaled = weight * a;
            self.right[i] += scaled * value;
            let start = i * self.order;
            for (m, b) in self.matrix[start..=start + i].iter_mut().zip(row) {
                *m += scaled * b;
            }
        }
    }

    /// Cholesky decomposition (Golub and Van Loan, Matrix Computations, algorithm 4.2.1); `None` if
    /// the matrix is singular to working precision.
    fn factor(mut self) -> Option<Factor> {
        let n = self.order;
        let largest = (0..n).map(|i| self.matrix[i * n + i]).fold(0.0, f64::max);
        for j in 0..n {
            let head = |m: &[f64], i: usize, k: usize| -> f64 {
                (0..j).map(|l| m[i * n + l] * m[k * n + l]).sum()
            };
            let pivot = self.matrix[j * n + j] - head(&self.matrix, j, j);
            if pivot.is_nan() || pivot <= PIVOT_SHARE * largest {
                return None;
            }
            let root = pivot.sqrt();
            self.matrix[j * n + j] = root;
            for i in j + 1..n {
                let rest = self.matrix[i * n + j] - head(&self.matrix, i, j);
                self.matrix[i * n + j] = rest / root;
            }
        }
        Some(Factor { order: n, lower: self.matrix, right: self.right })
    }
}

/// A factored system.
struct Factor {
    order: usize,
    lower: Vec<f64>,
    right: Vec<f64>,
}

impl Factor {
    /// The solution for the right-hand side that was gathered.
    fn solution(&self) -> Vec<f64> {
        self.solve(&self.right)
    }

    /// The solution for another right-hand side.
    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (n, lower) = (self.order, &self.lower);
        let mut x = right.to_vec();
        for i in 0..n {
            let known: f64 = (0..i).map(|k| lower[i * n + k] * x[k]).sum();
            x[i] = (x[i] - known) / lower[i * n + i];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| lower[k * n + i] * x[k]).sum();
            x[i] = (x[i] - known) / lower[i * n + i];
        }
        x
    }
}

fn singular(players: usize, coalitions: &[Coalition]) -> AttributionError {
    let mut distinct: Vec<&Coalition> = coalitions.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    AttributionError::Singular { players, distinct: distinct.len(), advice: 3 * players }
}

/// The equations of a sample with the last attribution eliminated: with b = v(none), d = v(all) - b,
///
/// ```text
/// (z_i - z_last) . phi_i = v - b - z_last d       for i below last
/// ```
struct Eliminated<'a> {
    sample: Sample<'a>,
    last: usize,
}

impl<'a> Eliminated<'a> {
    const fn new(sample: Sample<'a>) -> Self {
        Self { sample, last: sample.players - 1 }
    }

    /// Left side of an equation into `row`; gives the right side.
    fn equation(&self, position: usize, row: &mut [f64]) -> f64 {
        let coalition = &self.sample.coalitions[position];
        let z_last = indicator(coalition, self.last);
        for (i, r) in row.iter_mut().enumerate() {
            *r = indicator(coalition, i) - z_last;
        }
        let (full, empty) = (self.sample.full(), self.sample.empty());
        self.sample.values[position] - empty - z_last * (full - empty)
    }

    /// Whether a drawn coalition says anything: the ends, drawn again by chance, do not.
    fn counts(&self, position: usize) -> bool {
        !self.sample.coalitions[position].is_end()
    }

    fn factor(&self) -> Result<Factor, AttributionError> {
        let mut normal = Normal::new(self.last);
        let mut row = vec![0.0; self.last];
        for position in (2..self.sample.values.len()).filter(|&p| self.counts(p)) {
            let value = self.equation(position, &mut row);
            normal.add(&row, value, self.sample.weights[position]);
        }
        normal.factor().ok_or_else(|| singular(self.sample.players, self.sample.coalitions))
    }
}

/// Attributions that sum to `v(all) - v(none)` exactly: with b = v(none) and d = v(all) - b,
///
/// ```text
/// minimize sum over coalitions of w (z . phi - (v - b))^2    subject to    sum phi = d
/// ```
///
/// by eliminating the last attribution. The two ends, first in the plan, enter as constraints alone.
fn constrained(sample: Sample<'_>) -> Result<Vec<f64>, AttributionError> {
    let mut phi = Eliminated::new(sample).factor()?.solution();
    phi.push(sample.full() - sample.empty() - phi.iter().sum::<f64>());
    Ok(phi)
}

/// Changes of the attributions when a unit of one coalition, or of two complements, is left out:
///
/// ```text
/// change = - A^-1 x w r / (1 - w x . A^-1 x),      r = y - x . phi
/// ```
///
/// exactly (Sherman and Morrison 1950). The row of a complement is the negative of that of its coalition, so a
/// pair is one equation with the weight of both and the mean of both right sides.
fn without_each(
    sample: Sample<'_>,
    phi: &[f64],
    unit: usize,
) -> Result<Option<Replicates>, AttributionError> {
    let units = sample.values.len().saturating_sub(2) / unit;
    if units < 2 || units.saturating_mul(sample.players) > MAX_REPLICATE_NUMBERS {
        return Ok(None);
    }
    let equations = Eliminated::new(sample);
    let factor = equations.factor()?;
    let mut row = vec![0.0; equations.last];
    let mut changes = Vec::with_capacity(units);
    for first in (2..2 + units * unit).step_by(unit) {
        if !equations.counts(first) {
            changes.push(vec![0.0; sample.players]);
            continue;
        }
        let mut weight = sample.weights[first];
        let mut right = 0.0;
        if unit == 2 {
            right = -equations.equation(first + 1, &mut row);
            weight += sample.weights[first + 1];
        }
        right = (right + equations.equation(first, &mut row)) / exact(unit);
        let moved = factor.solve(&row);
        let dot = |a: &[f64]| row.iter().zip(a).map(|(x, a)| x * a).sum::<f64>();
        let slack = 1.0 - weight * dot(&moved);
        if slack < LEAST_SLACK {
            return Ok(None);
        }
        let step = -weight * (right - dot(phi)) / slack;
        let mut change: Vec<f64> = moved.iter().map(|m| step * m).collect();
        change.push(-change.iter().sum::<f64>());
        changes.push(change);
    }
    let n = exact(units);
    Ok(Some(Replicates { phi: phi.to_vec(), changes, factor: (n - 1.0) / n, batches: false }))
}

/// What Captum solves: least squares with an intercept, the two ends with their large but finite
/// weights. The sum of the attributions is then off by a little.
///
/// Deviation: f64 instead of f32.
fn soft(
    players: usize,
    coalitions: &[Coalition],
    weights: &[f64],
    values: &[f64],
) -> Result<Vec<f64>, AttributionError> {
    // centred on the weighted mean, as scikit-learn removes the intercept
    let total: f64 = weights.iter().sum();
    let mean = |f: &dyn Fn(usize) -> f64| -> f64 {
        (0..values.len()).map(|s| weights[s] * f(s)).sum::<f64>() / total
    };
    let mean_value = mean(&|s| values[s]);
    let means: Vec<f64> = (0..players).map(|i| mean(&|s| indicator(&coalitions[s], i))).collect();
    let mut normal = Normal::new(players);
    let mut row = vec![0.0; players];
    for ((coalition, &weight), &value) in coalitions.iter().zip(weights).zip(values) {
        for (i, r) in row.iter_mut().enumerate() {
            *r = indicator(coalition, i) - means[i];
        }
        normal.add(&row, value - mean_value, weight);
    }
    let factor = normal.factor().ok_or_else(|| singular(players, coalitions))?;
    Ok(factor.solution())
}

fn indicator(coalition: &Coalition, player: usize) -> f64 {
    exact(usize::from(coalition.contains(player)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_system_is_solved_and_a_singular_one_refused() {
        let mut normal = Normal::new(2);
        normal.add(&[1.0, 1.0], 3.0, 1.0);
        normal.add(&[1.0, -1.0], 1.0, 2.0);
        let x = normal.factor().unwrap().solution();
        assert!((x[0] - 2.0).abs() < 1e-15 && (x[1] - 1.0).abs() < 1e-15, "{x:?}");
        let mut normal = Normal::new(2);
        normal.add(&[1.0, 1.0], 3.0, 1.0);
        normal.add(&[2.0, 2.0], 6.0, 1.0);
        assert!(normal.factor().is_none());
    }

    #[test]
    fn leaving_a_unit_out_equals_solving_without_it() {
        let value = |c: &Coalition| {
            let worth: f64 = c.members().map(|i| (i * i % 7) as f64 - 2.0).sum();
            worth + if worth > 3.0 { 4.0 } else { 0.0 }
        };
        let rules: [(&dyn Rule, usize); 2] = [(&Captum, 1), (&Paired, 2)];
        for (rule, unit) in rules {
            let drawn = rule.draw(8, 82, 3);
            let values: Vec<f64> = drawn.coalitions.iter().map(value).collect();
            let (coalitions, weights) = (&drawn.coalitions, &drawn.weights);
            let sample = Sample { players: 8, coalitions, weights, values: &values };
            let phi = rule.solve(sample, Solution::Exact).unwrap();
            let replicates = rule.replicates(sample, &phi).unwrap().unwrap();
            assert_eq!(replicates.units(), 80 / unit);
            for u in [0, 7, 80 / unit - 1] {
                let keep = |i: &usize| !(2 + u * unit..2 + (u + 1) * unit).contains(i);
                let kept: Vec<usize> = (0..values.len()).filter(keep).collect();
                let coalitions: Vec<_> = kept.iter().map(|&i| coalitions[i].clone()).collect();
                let weights: Vec<_> = kept.iter().map(|&i| weights[i]).collect();
                let values: Vec<_> = kept.iter().map(|&i| values[i]).collect();
                let sample = Sample {
                    players: 8,
                    coalitions: &coalitions,
                    weights: &weights,
                    values: &values,
                };
                let without = rule.solve(sample, Solution::Exact).unwrap();
                for i in 0..8 {
                    let change = without[i] - phi[i];
                    assert!((replicates.changes[u][i] - change).abs() < 1e-9, "unit {u}");
                }
            }
        }
    }
}
