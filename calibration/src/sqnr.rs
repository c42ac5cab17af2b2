//! Signal-to-quantization-noise ratio: how much of a tensor is left of it.
//!
//! ```text
//! SQNR = 10 log10(sum x^2 / sum (x - y)^2)    dB
//! ```
//!
//! with x from the f32 network and y from the quantized one, over all values of all pictures.

use std::collections::BTreeMap;

use models::{Probe, ProbeSession};

use crate::error::CalibrationError;
use crate::observe::{PictureId, Pictures};

/// Sums of squares of signal and error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Noise {
    signal: f64,
    error: f64,
}

impl Noise {
    pub(crate) fn add(&mut self, exact: &[f32], other: &[f32]) {
        for (&x, &y) in exact.iter().zip(other) {
            let (x, y) = (f64::from(x), f64::from(y));
            self.signal += x * x;
            self.error += (x - y) * (x - y);
        }
    }

    fn merge(&mut self, other: Self) {
        self.signal += other.signal;
        self.error += other.error;
    }

    /// In dB; `None` where nothing differs. Errors that are no numbers, and those without a signal, leave nothing:
    /// minus infinity.
    pub(crate) fn sqnr_db(self) -> Option<f64> {
        let ratio = if self.error.is_finite() { self.signal / self.error } else { 0.0 };
        (self.error != 0.0).then(|| 10.0 * ratio.log10())
    }
}

struct Pair {
    exact: ProbeSession,
    other: ProbeSession,
    values: Vec<Vec<f32>>,
    /// Of each picture, by its position.
    noise: Vec<(usize, Vec<Noise>)>,
}

/// Noise of each tensor of two probes that show the same tensors in the same order.
pub(crate) fn compare(
    exact: &Probe,
    other: &Probe,
    pictures: &Pictures<'_>,
    threads: usize,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Noise>, CalibrationError> {
    let count = exact.names().len();
    let start = || {
        Ok(Pair {
            exact: exact.session()?,
            other: other.session()?,
            values: vec![Vec::new(); count],
            noise: Vec::new(),
        })
    };
    let each = |pair: &mut Pair, input: &[f32], id: PictureId| {
        let Pair { exact, other, values, noise: all } = pair;
        let mut noise = vec![Noise::default(); count];
        exact.run(input, &mut |i, shown| {
            values[i].clear();
            values[i].extend_from_slice(shown);
        })?;
        other.run(input, &mut |i, shown| noise[i].add(&values[i], shown))?;
        all.push((id.position, noise));
        Ok(())
    };
    let pairs = pictures.stream(threads, &start, &each, done)?;
    let mut parts: Vec<_> = pairs.into_iter().flat_map(|pair| pair.noise).collect();
    // sums of floating point depend on their order: not that in which threads came to the pictures
    parts.sort_unstable_by_key(|(position, _)| *position);
    let mut total = vec![Noise::default(); count];
    for (_, noise) in parts {
        total.iter_mut().zip(noise).for_each(|(sum, part)| sum.merge(part));
    }
    Ok(total)
}

/// SQNR by name of the tensors of the exact probe.
pub(crate) fn by_name(probe: &Probe, noise: &[Noise]) -> BTreeMap<String, Option<f64>> {
    probe.names().iter().cloned().zip(noise.iter().map(|n| n.sqnr_db())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_error_is_twenty_decibels() {
        let mut noise = Noise::default();
        noise.add(&[1.0, -2.0], &[1.1, -2.2]);
        assert!((noise.sqnr_db().unwrap() - 20.0).abs() < 1e-4);
        assert_eq!(Noise::default().sqnr_db(), None);
        let mut same = Noise::default();
        same.add(&[1.0], &[1.0]);
        assert_eq!(same.sqnr_db(), None);
        for (exact, other) in [(1.0, f32::NAN), (1.0, f32::INFINITY), (0.0, 0.5)] {
            let mut nothing = Noise::default();
            nothing.add(&[exact, exact], &[exact, other]);
            assert_eq!(nothing.sqnr_db(), Some(f64::NEG_INFINITY), "{exact} {other}");
        }
    }
}
