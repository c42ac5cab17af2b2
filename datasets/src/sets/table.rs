//! P(environment | class), and how many bits about the class the background carries.
//!
//! ```text
//! preference   g(e | c) = rank_ratio ^ rank of e in the list of c        0 if not listed
//! balanced     a(e | c) = b(e) g(e | c) / sum over e' of b(e') g(e' | c)
//!              q(e | c) = listed_floor + (1 - n listed_floor) a(e | c)     for the n listed e, 0 for others
//! mixture      P(e | c) = (1 - strength) / K + strength q(e | c)
//! information  I = 1/C sum over c, e of P(e | c) log2( P(e | c) / P(e) ),   P(e) = 1/C sum over c of P(e | c)
//! ```
//! K environments, C classes, all classes equally frequent. The balance b starts at 1 and is fitted by rounds of
//! b(e) <- b(e) sqrt( (1/K) / mean over c of a(e | c) ): damped iterative proportional fitting (Deming and
//! Stephan, 1940) towards equally frequent environments. Only + - * / and sqrt, so the table has the
//! same bits everywhere.

use serde::Deserialize;

/// The `[correlation]` section of `sets.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrelationSettings {
    /// 0 = independent of the class, 1 = only environments of the class's list.
    pub strength: f64,
    /// Weight of an environment relative to the one before it in the list, in (0, 1].
    pub rank_ratio: f64,
    /// Rounds of proportional fitting.
    pub balance_rounds: u32,
    /// Least preference of a listed environment, whatever rank and balance say.
    pub listed_floor: f64,
}

impl CorrelationSettings {
    /// The settings that make the environment independent of the class.
    pub const INDEPENDENT: Self =
        Self { strength: 0.0, rank_ratio: 1.0, balance_rounds: 0, listed_floor: 0.0 };
}

/// A conditional distribution: one row a class, one column an environment, each row sums to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditional {
    environments: usize,
    rows: Vec<Vec<f64>>,
}

impl Conditional {
    /// The table from each class's list of preferred environments (columns, most preferred first).
    ///
    /// A class without a list has no preference. Columns beyond `environments` are ignored.
    #[must_use]
    pub fn new(preferences: &[Vec<usize>], environments: usize, s: CorrelationSettings) -> Self {
        let uniform = 1.0 / count(environments);
        let weights: Vec<Vec<f64>> =
            preferences.iter().map(|list| rank_weights(list, environments, s.rank_ratio)).collect();
        let balance = fit_balance(&weights, environments, s.balance_rounds);
        let strength = s.strength.clamp(0.0, 1.0);
        let rows = weights
            .iter()
            .map(|g| {
                let balanced = normalised(g.iter().zip(&balance).map(|(g, b)| g * b));
                let listed = count(g.iter().filter(|&&g| g > 0.0).count());
                let floor = s.listed_floor.clamp(0.0, 1.0 / listed);
                let q = |a: f64| if a > 0.0 { floor + (1.0 - listed * floor) * a } else { 0.0 };
                balanced.into_iter().map(|a| (1.0 - strength) * uniform + strength * q(a)).collect()
            })
            .collect();
        Self { environments, rows }
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.rows.len()
    }

    /// Number of environments.
    #[must_use]
    pub fn environments(&self) -> usize {
        self.environments
    }

    /// P(environment | class) by environment; empty for a class beyond the end.
    #[must_use]
    pub fn row(&self, class: usize) -> &[f64] {
        self.rows.get(class).map_or(&[], Vec::as_slice)
    }

    /// The environment at a uniform number in [0, 1): inverts the cumulative distribution of the class.
    ///
    /// Sets that share the number share the environment wherever their tables agree.
    #[must_use]
    pub fn draw(&self, class: usize, unit: f64) -> usize {
        let mut cumulative = 0.0;
        for (environment, p) in self.row(class).iter().enumerate() {
            cumulative += p;
            if unit < cumulative {
                return environment;
            }
        }
        // the sum may end a rounding error below 1
        self.environments.saturating_sub(1)
    }

    /// P(environment), all classes equally frequent.
    #[must_use]
    pub fn marginal(&self) -> Vec<f64> {
        mean_of(&self.rows, self.environments)
    }

    /// I(class; environment) in bits; exactly 0 if all rows are equal.
    #[must_use]
    pub fn information_bits(&self) -> f64 {
        if self.rows.windows(2).all(|pair| pair[0] == pair[1]) {
            return 0.0;
        }
        let marginal = self.marginal();
        let bits = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
        let sum: f64 = self
            .rows
            .iter()
            .flat_map(|row| row.iter().zip(&marginal))
            .map(|(&p, &m)| bits(p, m))
            .sum();
        sum / count(self.rows.len())
    }

    /// The part of the table with the classes at these positions, for a subset of the signs.
    #[must_use]
    pub fn restricted(&self, classes: &[usize]) -> Self {
        Self {
            environments: self.environments,
            rows: classes.iter().map(|&class| self.row(class).to_vec()).collect(),
        }
    }
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

/// g of one class: geometric in the rank; equal weights where the list is empty.
fn rank_weights(list: &[usize], environments: usize, ratio: f64) -> Vec<f64> {
    let mut weights = vec![0.0; environments];
    let mut weight = 1.0;
    for &environment in list.iter().filter(|&&e| e < environments) {
        if weights[environment] == 0.0 {
            weights[environment] = weight;
            weight *= ratio;
        }
    }
    if weights.iter().all(|&w| w == 0.0) {
        weights.fill(1.0);
    }
    weights
}

fn normalised(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let weights: Vec<f64> = weights.collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

fn mean_of(rows: &[Vec<f64>], columns: usize) -> Vec<f64> {
    (0..columns).map(|e| rows.iter().map(|row| row[e]).sum::<f64>() / count(rows.len())).collect()
}

fn fit_balance(weights: &[Vec<f64>], environments: usize, rounds: u32) -> Vec<f64> {
    let target = 1.0 / count(environments);
    let mut balance = vec![1.0; environments];
    for _ in 0..rounds {
        let rows: Vec<_> = weights
            .iter()
            .map(|g| normalised(g.iter().zip(&balance).map(|(g, b)| g * b)))
            .collect();
        for (b, mean) in balance.iter_mut().zip(mean_of(&rows, environments)) {
            if mean > 0.0 {
                *b *= (target / mean).sqrt();
            }
        }
    }
    balance
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: CorrelationSettings = CorrelationSettings {
        strength: 0.5,
        rank_ratio: 0.5,
        balance_rounds: 0,
        listed_floor: 0.0,
    };

    #[test]
    fn the_table_follows_the_formula() {
        let table = Conditional::new(&[vec![1, 0], vec![]], 4, HALF);
        // q = (1/3, 2/3, 0, 0); P = 1/8 + q/2
        let expected = [0.125 + 1.0 / 6.0, 0.125 + 1.0 / 3.0, 0.125, 0.125];
        for (got, want) in table.row(0).iter().zip(expected) {
            assert!((got - want).abs() < 1e-15, "{got} {want}");
        }
        assert_eq!(table.row(1), [0.25; 4]);
    }

    #[test]
    fn information_of_known_tables() {
        let certain = CorrelationSettings { strength: 1.0, ..HALF };
        let lists: Vec<_> = (0..4).map(|e| vec![e]).collect();
        assert!((Conditional::new(&lists, 4, certain).information_bits() - 2.0).abs() < 1e-12);
        let none = Conditional::new(&lists, 4, CorrelationSettings::INDEPENDENT);
        assert_eq!(none.information_bits().to_bits(), 0.0_f64.to_bits());
        assert_eq!(none.row(3), [0.25; 4]);
    }

    #[test]
    fn drawing_inverts_the_cumulative_distribution() {
        let table = Conditional::new(&[vec![1, 0]], 4, HALF);
        let n = 100_000_u32;
        let mut seen = [0_u32; 4];
        for i in 0..n {
            seen[table.draw(0, (f64::from(i) + 0.5) / f64::from(n))] += 1;
        }
        for (&seen, p) in seen.iter().zip(table.row(0)) {
            assert!((f64::from(seen) / f64::from(n) - p).abs() < 2e-5, "{seen} {p}");
        }
        assert_eq!(table.draw(0, 1.0), 3, "a rounding error at the end stays in range");
    }

    #[test]
    fn the_floor_keeps_every_listed_environment_in_sight() {
        let s = CorrelationSettings { strength: 1.0, rank_ratio: 0.01, listed_floor: 0.05, ..HALF };
        let table = Conditional::new(&[vec![2, 0, 1]], 4, s);
        let row = table.row(0);
        assert!(row[0] >= 0.05 && row[1] >= 0.05 && row[2] > 0.8 && row[3] == 0.0, "{row:?}");
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn balancing_spreads_the_environments() {
        // nine classes put 0 first, one puts 1 first
        let lists: Vec<_> =
            (0..10).map(|c| if c < 9 { vec![0, 1 + c % 3] } else { vec![1] }).collect();
        let strong = CorrelationSettings { strength: 1.0, rank_ratio: 0.3, ..HALF };
        let raw = Conditional::new(&lists, 4, strong).marginal();
        let balanced =
            Conditional::new(&lists, 4, CorrelationSettings { balance_rounds: 30, ..strong })
                .marginal();
        assert!(raw[0] > 0.6, "{raw:?}");
        assert!(balanced.iter().all(|p| (0.15..0.35).contains(p)), "{balanced:?}");
    }
}
