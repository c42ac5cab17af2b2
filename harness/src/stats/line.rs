//! A straight line through points: slope with its interval, and how far the points scatter about it.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// A least-squares line through points (x, y).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Rise of y a unit of x.
    pub slope: f64,
    /// 95 % interval of the slope; absent for two points.
    pub ci95: Option<[f64; 2]>,
    /// Two-sided p-value of no slope; absent for two points.
    pub p: Option<f64>,
    /// Standard deviation of the points about the line (divisor n - 2); absent for two points.
    pub deviation: Option<f64>,
    /// Number of points.
    pub n: usize,
}

/// Least squares with the interval of Student's t, n - 2 degrees of freedom (Draper and Smith, Applied Regression Analysis,
/// section 1.4):
///
/// ```text
/// slope = sum (x - x') y / sum (x - x')^2,   s^2 = sum (y - line)^2 / (n - 2)
/// slope +- t(0.975, n - 2) * s / sqrt(sum (x - x')^2)
/// ```
///
/// `None` for fewer than two points, for points above one another, or one that is not finite.
#[must_use]
pub fn line(points: &[(f64, f64)]) -> Option<Line> {
    if points.len() < 2 || points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return None;
    }
    let n = points.len() as f64;
    let middle = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let height = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let spread: f64 = points.iter().map(|(x, _)| (x - middle) * (x - middle)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = points.iter().map(|(x, y)| (x - middle) * (y - height)).sum::<f64>() / spread;
    let bare = Line { slope, ci95: None, p: None, deviation: None, n: points.len() };
    let Ok(student) = StudentsT::new(0.0, 1.0, n - 2.0) else { return Some(bare) };
    let square = |(x, y): &(f64, f64)| {
        let off = y - height - slope * (x - middle);
        off * off
    };
    let deviation = (points.iter().map(square).sum::<f64>() / (n - 2.0)).sqrt();
    let error = deviation / spread.sqrt();
    let half = student.inverse_cdf(0.975) * error;
    let p = if error > 0.0 {
        2.0 * student.cdf(-(slope / error).abs())
    } else {
        f64::from(u8::from(slope == 0.0))
    };
    Some(Line {
        ci95: Some([slope - half, slope + half]),
        p: Some(p),
        deviation: Some(deviation),
        ..bare
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        // x 1..5, y 2 4 5 4 5: slope 0.6, s^2 = 2.4 / 3, error sqrt(0.08); t = 2.12132 with 3 degrees: p = 0.124027;
        // t(0.975, 3) = 3.182446
        let l = line(&[(1.0, 2.0), (2.0, 4.0), (3.0, 5.0), (4.0, 4.0), (5.0, 5.0)]).unwrap();
        assert!(
            (l.slope - 0.6).abs() < 1e-12 && (l.deviation.unwrap() - 0.8_f64.sqrt()).abs() < 1e-12
        );
        assert!((l.p.unwrap() - 0.124_027).abs() < 1e-5, "{l:?}");
        let [low, high] = l.ci95.unwrap();
        assert!(((high - low) / 2.0 - 3.182_446 * 0.08_f64.sqrt()).abs() < 1e-5, "{l:?}");
    }

    #[test]
    fn edges() {
        assert!(line(&[(1.0, 2.0)]).is_none() && line(&[(1.0, 2.0), (1.0, 3.0)]).is_none());
        assert!(line(&[(1.0, f64::NAN), (2.0, 3.0)]).is_none());
        let two = line(&[(0.0, 1.0), (2.0, 2.0)]).unwrap();
        assert_eq!((two.slope, two.ci95, two.p), (0.5, None, None));
        let straight = line(&[(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]).unwrap();
        assert_eq!((straight.p, straight.ci95), (Some(0.0), Some([1.0, 1.0])));
        let flat = line(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]).unwrap();
        assert_eq!((flat.slope, flat.p), (0.0, Some(1.0)));
    }
}
