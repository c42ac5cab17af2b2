//! Effect sizes: how large a difference is beside the spread.

use statrs::function::gamma::ln_gamma;

/// Cohen's `d_z` of paired differences: mean over standard deviation (divisor n - 1). Cohen 1988,
/// section 2.3.5. `None` for fewer than two values or no spread.
#[must_use]
pub fn cohen_dz(differences: &[f64]) -> Option<f64> {
    let (mean, variance) = moments(differences)?;
    (variance > 0.0).then(|| mean / variance.sqrt())
}

/// Hedges' g of two independent samples, second less first: difference of means over the pooled
/// standard deviation, corrected for small samples by
///
/// ```text
/// J = gamma(m / 2) / (sqrt(m / 2) gamma((m - 1) / 2)),   m = n_a + n_b - 2
/// ```
///
/// Hedges, Journal of Educational Statistics 6(2), 1981. `None` for fewer than two values in either or no spread.
#[must_use]
pub fn hedges_g(a: &[f64], b: &[f64]) -> Option<f64> {
    let ((mean_a, var_a), (mean_b, var_b)) = (moments(a)?, moments(b)?);
    let (free_a, free_b) = (a.len() as f64 - 1.0, b.len() as f64 - 1.0);
    let m = free_a + free_b;
    let pooled = ((free_a * var_a + free_b * var_b) / m).sqrt();
    // with one degree of freedom the correction is 0 over infinity
    if pooled <= 0.0 || m < 2.0 {
        return None;
    }
    let j = (ln_gamma(m / 2.0) - ln_gamma((m - 1.0) / 2.0)).exp() / (m / 2.0).sqrt();
    Some(j * (mean_b - mean_a) / pooled)
}

fn moments(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < 2 || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    Some((mean, squares / (n - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // mean 2, deviation 1
        assert!((cohen_dz(&[1.0, 2.0, 3.0]).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(cohen_dz(&[1.0, 1.0]), None);
        // d = 2 / 1; J(4) = gamma(2) / (sqrt(2) gamma(1.5)) = 0.797885
        let g = hedges_g(&[1.0, 2.0, 3.0], &[3.0, 4.0, 5.0]).unwrap();
        assert!((g - 2.0 * 0.797_884_6).abs() < 1e-6, "{g}");
        assert_eq!(hedges_g(&[1.0], &[2.0, 3.0]), None);
    }
}
