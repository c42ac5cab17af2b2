//! How strongly the background goes with the class, as a dose: 0 to 1 in steps of a hundredth.

use std::fmt;
use std::str::FromStr;

/// Strength of the correlation of a C set in place of that in `sets.toml`; 0 makes it equal to U, 1 leaves only the environments that
/// the catalogue lists for a class.
///
/// Hundredths, so that names of sets are equal exactly when the sets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strength(u8);

impl Strength {
    /// 0 to 1.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl FromStr for Strength {
    /// Problem and remedy.
    type Err = (String, String);

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            let problem =
                format!("expected a strength from 0 to 1 in steps of 0.01, found `{text}`");
            (problem, "for example 0.25".to_owned())
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if whole.len() != 1 || decimals.len() > 2 || !digits(whole) || !digits(decimals) {
            return Err(wrong());
        }
        let hundredths = format!("{whole}{decimals:0<2}").parse::<u8>().ok();
        hundredths.filter(|h| *h <= 100).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_lead_back_to_themselves() {
        for (text, value, shown) in
            [("0", 0.0, "0.00"), ("0.5", 0.5, "0.50"), ("0.25", 0.25, "0.25"), ("1.0", 1.0, "1.00")]
        {
            let strength: Strength = text.parse().unwrap();
            assert!((strength.value() - value).abs() < 1e-12);
            assert_eq!(strength.to_string(), shown);
            assert_eq!(shown.parse::<Strength>().unwrap(), strength);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", ".5", "1.01", "2", "0.255", "-0.1", "+1", "0,5", "1e-1", "half"] {
            let (problem, _) = text.parse::<Strength>().unwrap_err();
            assert!(problem.contains(&format!("found `{text}`")), "{problem}");
        }
    }
}
