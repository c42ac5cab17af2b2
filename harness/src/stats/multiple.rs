//! Many tests at once.

/// Holm's adjustment (Scandinavian Journal of Statistics 6, 1979): reject at 5 % what is below 0.05
/// afterwards, and at most one family in twenty has a false rejection, however the tests depend.
///
/// ```text
/// sorted p(1) <= ... <= p(m):    adjusted(i) = max over j <= i of min(1, (m - j + 1) p(j))
/// ```
///
/// In the order of the input.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut so_far = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        so_far = so_far.max(((p.len() - rank) as f64 * p[i]).min(1.0));
        adjusted[i] = so_far;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert!(holm(&[]).is_empty());
    }
}
