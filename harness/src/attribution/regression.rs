//! Weighted least squares of Kernel SHAP, in f64, from running normal equations.

use super::coalition::Coalition;
use super::error::AttributionError;
use super::map::exact;

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

    /// Solves by Cholesky decomposition (Golub and Van Loan, Matrix Computations, algorithm 4.2.1);
    /// `None` if the matrix is singular to working precision.
    fn solve(mut self) -> Option<Vec<f64>> {
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
        let mut x = self.right;
        for i in 0..n {
            let known: f64 = (0..i).map(|k| self.matrix[i * n + k] * x[k]).sum();
            x[i] = (x[i] - known) / self.matrix[i * n + i];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| self.matrix[k * n + i] * x[k]).sum();
            x[i] = (x[i] - known) / self.matrix[i * n + i];
        }
        Some(x)
    }
}

fn singular(players: usize, coalitions: &[Coalition]) -> AttributionError {
    let mut distinct: Vec<&Coalition> = coalitions.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    AttributionError::Singular { players, distinct: distinct.len(), advice: 3 * players }
}

/// Attributions that sum to `v(all) - v(none)` exactly: with b = v(none) and d = v(all) - b,
///
/// ```text
/// minimize sum over coalitions of w (z . phi - (v - b))^2    subject to    sum phi = d
/// ```
///
/// by eliminating the last attribution. The two ends, first in the plan, enter as constraints alone.
pub(super) fn constrained(
    players: usize,
    coalitions: &[Coalition],
    weights: &[f64],
    values: &[f64],
) -> Result<Vec<f64>, AttributionError> {
    let (full, empty) = (values[0], values[1]);
    let last = players - 1;
    let mut normal = Normal::new(last);
    let mut row = vec![0.0; last];
    for ((coalition, &weight), &value) in coalitions.iter().zip(weights).zip(values).skip(2) {
        // the ends again, drawn by chance, say nothing new
        if coalition.is_end() {
            continue;
        }
        let z_last = indicator(coalition, last);
        for (i, r) in row.iter_mut().enumerate() {
            *r = indicator(coalition, i) - z_last;
        }
        normal.add(&row, value - empty - z_last * (full - empty), weight);
    }
    let mut phi = normal.solve().ok_or_else(|| singular(players, coalitions))?;
    phi.push(full - empty - phi.iter().sum::<f64>());
    Ok(phi)
}

/// What Captum solves: least squares with an intercept, the two ends with their large but finite
/// weights. The sum of the attributions is then off by a little.
///
/// Deviation: f64 instead of f32.
pub(super) fn soft(
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
    normal.solve().ok_or_else(|| singular(players, coalitions))
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
        let x = normal.solve().unwrap();
        assert!((x[0] - 2.0).abs() < 1e-15 && (x[1] - 1.0).abs() < 1e-15, "{x:?}");
        let mut normal = Normal::new(2);
        normal.add(&[1.0, 1.0], 3.0, 1.0);
        normal.add(&[2.0, 2.0], 6.0, 1.0);
        assert!(normal.solve().is_none());
    }
}
