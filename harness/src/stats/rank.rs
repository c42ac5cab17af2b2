//! Do two lists have the same order, and how is that averaged?

/// Spearman's rank correlation with mean ranks for ties, -1 to 1: Pearson's correlation of the ranks.
/// `None` for lists of different length, fewer than two values, or one without any order.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 {
        return None;
    }
    let (ranks_a, ranks_b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 + 1.0) / 2.0;
    let sum = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum()
    };
    let spread = (sum(&ranks_a, &ranks_a) * sum(&ranks_b, &ranks_b)).sqrt();
    (spread > 0.0).then(|| (sum(&ranks_a, &ranks_b) / spread).clamp(-1.0, 1.0))
}

/// A correlation as Fisher's z, `atanh(r)`, which scatters alike whatever it is, so that several have a mean; `tanh` leads back.
///
/// A perfect one counts as 0.999999 (z = 7.25), since an infinite one would leave no mean.
#[must_use]
pub fn fisher_z(r: f64) -> f64 {
    r.clamp(-0.999_999, 0.999_999).atanh()
}

/// Rank of each value from 1, ties sharing the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for run in order.chunk_by(|&i, &j| values[i].total_cmp(&values[j]).is_eq()) {
        let rank = before as f64 + (run.len() as f64 + 1.0) / 2.0;
        run.iter().for_each(|&i| ranks[i] = rank);
        before += run.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let a = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(spearman(&a, &[10.0, 20.0, 30.0, 40.0]), Some(1.0));
        assert_eq!(spearman(&a, &[4.0, 3.0, 2.0, 1.0]), Some(-1.0));
        // scipy.stats.spearmanr([1, 2, 2, 3], [1, 3, 2, 4])
        let tied = spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 3.0, 2.0, 4.0]).unwrap();
        assert!((tied - 0.948_683).abs() < 1e-6, "{tied}");
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&a, &[1.0]), None);
    }

    #[test]
    fn fishers_z_is_finite_and_leads_back() {
        assert!((fisher_z(0.5) - 0.549_306).abs() < 1e-6);
        assert!((fisher_z(-0.3).tanh() + 0.3).abs() < 1e-12);
        let perfect = [fisher_z(1.0), -fisher_z(-1.0)];
        assert!(perfect.iter().all(|z| (z - 7.254_329).abs() < 1e-5), "{perfect:?}");
    }
}
