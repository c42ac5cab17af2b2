//! Sampling error of attributions, by the jackknife over the units that were drawn.
//!
//! With phi the estimate from n units and phi(-u) that without unit u:
//!
//! ```text
//! var f(phi) = (n - 1) / n * sum over u of (f(phi(-u)) - mean f)^2
//! ```
//!
//! for any function f: one attribution, or the pixel ratio. Efron and Stein, Annals of Statistics
//! 9(3), 1981. A unit is a coalition (captum), a coalition with its complement (paired, leverage), or an order with its
//! reverse (permutation), whose jackknife for a single attribution is that of batch means.
//!
//! The error is that of the draw of coalitions alone. It says nothing of the bias that clipping at zero
//! gives the pixel ratio.

use super::map::exact;

/// Attributions with one unit of the sample left out at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Replicates {
    pub(super) phi: Vec<f64>,
    /// phi(-u) - phi, a row a unit.
    pub(super) changes: Vec<Vec<f64>>,
    /// Factor before the sum of squares.
    pub(super) factor: f64,
    /// Whether each unit is an unbiased estimate by itself, and phi their mean.
    pub(super) batches: bool,
}

impl Replicates {
    /// What no draw had a part in.
    pub(super) fn certain(phi: &[f64]) -> Self {
        Self { phi: phi.to_vec(), changes: Vec::new(), factor: 0.0, batches: false }
    }

    /// Number of units; 0 if nothing was drawn.
    #[must_use]
    pub const fn units(&self) -> usize {
        self.changes.len()
    }

    /// The estimate itself.
    #[must_use]
    pub fn attributions(&self) -> &[f64] {
        &self.phi
    }

    /// Standard error of every attribution.
    #[must_use]
    pub fn errors(&self) -> Vec<f64> {
        (0..self.phi.len()).map(|i| self.error(|phi| Some(phi[i])).unwrap_or(f64::NAN)).collect()
    }

    /// Standard error of a function of the attributions; `None` if it does not exist for one of the
    /// replicates.
    #[must_use]
    pub fn error(&self, f: impl Fn(&[f64]) -> Option<f64>) -> Option<f64> {
        if self.changes.is_empty() {
            return f(&self.phi).map(|_| 0.0);
        }
        let mut without = vec![0.0; self.phi.len()];
        let mut values = Vec::with_capacity(self.changes.len());
        for change in &self.changes {
            for ((w, p), c) in without.iter_mut().zip(&self.phi).zip(change) {
                *w = p + c;
            }
            values.push(f(&without)?);
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Some((self.factor * squares).sqrt())
    }

    /// The estimates of the single units, where those are unbiased: orders with their reverses.
    #[must_use]
    pub fn batches(&self) -> Option<Vec<Vec<f64>>> {
        // phi(-u) = (n phi - b) / (n - 1), so b = phi - (n - 1) change
        let others = self.changes.len().checked_sub(1)? as f64;
        let batch =
            |c: &Vec<f64>| self.phi.iter().zip(c).map(|(p, c)| p - others * c).collect::<Vec<_>>();
        self.batches.then(|| self.changes.iter().map(batch).collect())
    }

    /// What single estimates that are unbiased and drawn alike say together, each row one; `None` for fewer than two.
    #[must_use]
    pub fn of_batches(batches: &[Vec<f64>]) -> Option<Self> {
        let n = exact(batches.len());
        let mut phi = vec![0.0; batches.first().filter(|_| batches.len() > 1)?.len()];
        for batch in batches {
            phi.iter_mut().zip(batch).for_each(|(p, b)| *p += b / n);
        }
        let change =
            |batch: &Vec<f64>| phi.iter().zip(batch).map(|(p, b)| (p - b) / (n - 1.0)).collect();
        let changes = batches.iter().map(change).collect();
        Some(Self { phi, changes, factor: (n - 1.0) / n, batches: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let batches = [3.0, 5.0, 4.0, 8.0];
        let r = Replicates::of_batches(&batches.map(|b| vec![b])).unwrap();
        assert_eq!(r.attributions(), [5.0]);
        // s^2 = 14 / 3, error = sqrt(s^2 / 4)
        assert!((r.errors()[0] - (14.0_f64 / 12.0).sqrt()).abs() < 1e-12);
        let back: Vec<f64> = r.batches().unwrap().into_iter().map(|b| b[0]).collect();
        assert!(back.iter().zip(batches).all(|(a, b)| (a - b).abs() < 1e-12), "{back:?}");
        assert_eq!(Replicates::certain(&[1.0]).errors(), [0.0]);
        assert_eq!(r.error(|_| None), None);
        assert_eq!(Replicates::of_batches(&[vec![3.0]]), None);
    }
}
