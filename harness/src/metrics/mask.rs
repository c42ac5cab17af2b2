//! Where the sign is: coverage of every pixel, 0 to 1.

use crate::attribution::{Map, Upsampling};

/// Coverage of each pixel by the sign: 0 outside, 1 inside, between on the edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    height: usize,
    width: usize,
    bytes: Vec<u8>,
    coverage: Vec<f64>,
}

impl Mask {
    /// A mask from 8-bit coverage, row by row; 255 is fully covered. `None` if the number of bytes
    /// does not fit or is zero.
    #[must_use]
    pub fn new(height: usize, width: usize, coverage: &[u8]) -> Option<Self> {
        let fits = height.checked_mul(width) == Some(coverage.len()) && !coverage.is_empty();
        fits.then(|| Self::of(height, width, coverage.to_vec()))
    }

    fn of(height: usize, width: usize, bytes: Vec<u8>) -> Self {
        let share: [f64; 256] = std::array::from_fn(|level| level as f64 / FULL);
        let coverage = bytes.iter().map(|&c| share[usize::from(c)]).collect();
        Self { height, width, bytes, coverage }
    }

    /// The same mask with hard edges: 1 where more than half is covered.
    #[must_use]
    pub fn hard(&self) -> Self {
        let bytes = self.bytes.iter().map(|&c| if c > 127 { 255 } else { 0 }).collect();
        Self::of(self.height, self.width, bytes)
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

    /// The same in 8 bits, 255 for fully covered.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Sum of the coverage over all pixels.
    pub(crate) fn area(&self) -> f64 {
        byte_sum(&self.bytes) / FULL
    }

    /// Share of the picture that the sign covers: the pixel ratio of a map that knows nothing.
    #[must_use]
    pub fn area_share(&self) -> f64 {
        self.area() / pixels(&self.coverage)
    }

    /// Whether no pixel is covered at all.
    pub(crate) fn is_blank(&self) -> bool {
        self.bytes.iter().all(|&c| c == 0)
    }

    /// What one unit in each cell of a `rows * columns` map spreads over the picture: for each cell
    /// the sum over all pixels, and the part of it inside the mask. Rows are summed before columns are
    /// weighed, so each pixel is touched once (nearest) or twice (bilinear).
    pub(crate) fn spread(&self, rule: Upsampling, rows: usize, columns: usize) -> Vec<Spread> {
        let mut cells = vec![Spread::default(); rows * columns];
        if cells.is_empty() {
            return cells;
        }
        match rule {
            Upsampling::Nearest => self.spread_nearest(rows, columns, &mut cells),
            Upsampling::Bilinear => self.spread_bilinear(rows, columns, &mut cells),
        }
        cells
    }

    fn spread_nearest(&self, rows: usize, columns: usize, cells: &mut [Spread]) {
        // the pixels x with floor(x * columns / width) = column
        let edge = |column: usize| (column * self.width).div_ceil(columns);
        let stretches: Vec<_> = (0..columns).map(|c| edge(c)..edge(c + 1)).collect();
        for (y, line) in self.bytes.chunks_exact(self.width).enumerate() {
            let row = y * rows / self.height;
            for (stretch, cell) in stretches.iter().zip(&mut cells[row * columns..]) {
                cell.all += stretch.len() as f64;
                cell.inside += byte_sum(&line[stretch.clone()]);
            }
        }
        cells.iter_mut().for_each(|cell| cell.inside /= FULL);
    }

    fn spread_bilinear(&self, rows: usize, columns: usize, cells: &mut [Spread]) {
        let rule = Upsampling::Bilinear;
        let across: Vec<_> = (0..self.width).map(|x| rule.taps(x, self.width, columns)).collect();
        let mut line = vec![Spread::default(); columns];
        for (y, coverage) in self.coverage.chunks_exact(self.width).enumerate() {
            line.fill(Spread::default());
            for (taps, coverage) in across.iter().zip(coverage) {
                for (column, share) in taps {
                    line[*column].all += share;
                    line[*column].inside += share * coverage;
                }
            }
            for (row, weight) in rule.taps(y, self.height, rows) {
                for (cell, part) in cells[row * columns..].iter_mut().zip(&line) {
                    *cell = cell.plus(weight, *part);
                }
            }
        }
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

/// Value of a byte that stands for full coverage.
pub(crate) const FULL: f64 = 255.0;

/// Exact: a picture of 16 million pixels has a sum below 2^32.
pub(crate) fn byte_sum(bytes: &[u8]) -> f64 {
    bytes.iter().map(|&b| u64::from(b)).sum::<u64>() as f64
}

#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
const fn pixels(coverage: &[f64]) -> f64 {
    coverage.len() as f64
}
