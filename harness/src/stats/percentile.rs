//! Percentiles of a sample.

/// Percentile by nearest rank: the smallest value that at least this share of the sample does not
/// exceed (Hyndman and Fan 1996, type 1). It is a value that occurred, as latencies are reported.
///
/// `share` runs from 0 to 1. `None` for no values, a share outside, or a value that is not a number.
#[must_use]
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&share) || values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // the first rank r (from 1) with r >= share * n
    let needed = share * count(values);
    let rank = (1..=sorted.len()).find(|&r| rank_value(r) >= needed)?;
    sorted.get(rank - 1).copied()
}

#[expect(clippy::cast_precision_loss, reason = "sample sizes are far below 2^53")]
const fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

#[expect(clippy::cast_precision_loss, reason = "ranks are far below 2^53")]
const fn rank_value(rank: usize) -> f64 {
    rank as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank_on_the_textbook_sample() {
        let values = [35.0, 20.0, 15.0, 50.0, 40.0];
        for (share, expected) in
            [(0.0, 15.0), (0.05, 15.0), (0.3, 20.0), (0.4, 20.0), (0.5, 35.0), (1.0, 50.0)]
        {
            assert_eq!(percentile(&values, share), Some(expected), "{share}");
        }
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&values, 1.5), None);
    }
}
