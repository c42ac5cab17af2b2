//! Where the sign is: coverage of every pixel, 0 to 1.

use crate::attribution::{Map, Upsampling};

/// Coverage of each pixel by the sign: 0 outside, 1 inside, between on the edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    height: usize,
    width: usize,
    coverage: Vec<f64>,
}

impl Mask {
    /// A mask from 8-bit coverage, row by row; 255 is fully covered. `None` if the number of bytes
    /// does not fit or is zero.
    #[must_use]
    pub fn new(height: usize, width: usize, coverage: &[u8]) -> Option<Self> {
        let fits = height.checked_mul(width) == Some(coverage.len()) && !coverage.is_empty();
        let coverage = coverage.iter().map(|&c| f64::from(c) / 255.0).collect();
        fits.then_some(Self { height, width, coverage })
    }

    /// The same mask with hard edges: 1 where more than half is covered.
    #[must_use]
    pub fn hard(&self) -> Self {
        let coverage = self.coverage.iter().map(|&c| if c > 0.5 { 1.0 } else { 0.0 }).collect();
        Self { coverage, ..*self }
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Coverage of each pixel, row by row.
    #[must_use]
    pub fn coverage(&self) -> &[f64] {
        &self.coverage
    }

    /// Share of the picture that the sign covers: the pixel ratio of a map that knows nothing.
    #[must_use]
    pub fn area_share(&self) -> f64 {
        self.coverage.iter().sum::<f64>() / pixels(&self.coverage)
    }

    /// What one unit in each cell of a `rows * columns` map spreads over the picture: for each cell
    /// the sum over all pixels, and the part of it inside the mask.
    pub(crate) fn spread(&self, rule: Upsampling, rows: usize, columns: usize) -> Vec<Spread> {
        let mut cells = vec![Spread::default(); rows * columns];
        let across: Vec<_> = (0..self.width).map(|x| rule.taps(x, self.width, columns)).collect();
        for y in 0..self.height {
            for (row, weight) in rule.taps(y, self.height, rows) {
                for (taps, coverage) in across.iter().zip(&self.coverage[y * self.width..]) {
                    for (column, share) in taps {
                        let cell = &mut cells[row * columns + column];
                        cell.all += weight * share;
                        cell.inside += weight * share * coverage;
                    }
                }
            }
        }
        cells
    }

    /// Sum of the positive part of a map over all pixels, and over those inside the mask.
    pub(crate) fn positive(&self, map: &Map, rule: Upsampling) -> Spread {
        match rule {
            // cells do not mix, so clipping them is clipping pixels
            Upsampling::Nearest => self
                .spread(rule, map.height(), map.width())
                .iter()
                .zip(map.values())
                .fold(Spread::default(), |sum, (cell, &value)| sum.plus(value.max(0.0), *cell)),
            Upsampling::Bilinear => map
                .upsample(rule, self.height, self.width)
                .iter()
                .zip(&self.coverage)
                .fold(Spread::default(), |sum, (&value, &coverage)| {
                    sum.plus(value.max(0.0), Spread { all: 1.0, inside: coverage })
                }),
        }
    }
}

/// An amount over all pixels, and the part of it inside the mask.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) all: f64,
    pub(crate) inside: f64,
}

impl Spread {
    fn plus(self, amount: f64, unit: Self) -> Self {
        Self { all: self.all + amount * unit.all, inside: self.inside + amount * unit.inside }
    }
}

#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
const fn pixels(coverage: &[f64]) -> f64 {
    coverage.len() as f64
}
