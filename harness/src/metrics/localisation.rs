//! Where the attribution lies, beside the pixel ratio: pointing game, relevance rank, zones.
//!
//! With a the map at the size of the picture, c the coverage, N pixels:
//!
//! ```text
//! pointing        mean of c over the pixels at which a is highest
//! relevance rank  K = sum c;  sum of c over the K pixels of highest a, divided by K
//! inside, border  sum of max(a, 0) over the zone / sum of max(a, 0) over all pixels
//! ```
//!
//! Pointing game: Zhang et al., arXiv 1608.00507. Relevance rank accuracy: Arras et al., arXiv
//! 2003.07258, equation 5. Deviation: both are made tie-correct, because every cell of a coarse map is
//! a plateau of equal pixels. Of equal pixels each counts alike, which is the expectation over a random
//! choice among them: the result depends neither on the order of the pixels nor on their number.

use serde::{Deserialize, Serialize};

use super::border::{Zone, zones};
use super::mask::{FULL, Mask, byte_sum};
use super::pixel_ratio::Undefined;
use crate::attribution::{Map, Upsampling};

/// What a map says about where the network looked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Localisation {
    /// Share of the highest plateau that lies on the sign, 0 to 1.
    pub pointing: f64,
    /// Share of the sign's area that the most relevant pixels of the same number cover, 0 to 1.
    pub relevance_rank: f64,
    /// Share of the positive attribution on the sign, away from its edge.
    pub inside: f64,
    /// Share of the positive attribution near the sign's edge, on either side.
    pub border: f64,
    /// Share of the picture that the zone `inside` takes: what a map that knows nothing has there.
    pub inside_area: f64,
    /// Share of the picture that the zone `border` takes.
    pub border_area: f64,
}

impl Localisation {
    /// Share of the positive attribution off the sign, away from its edge.
    #[must_use]
    pub fn outside(&self) -> f64 {
        (1.0 - self.inside - self.border).max(0.0)
    }
}

/// A frame's mask with the zones of its pixels, shared by the maps of all methods.
#[derive(Clone, Debug)]
pub struct Zoned<'a> {
    mask: &'a Mask,
    zones: Vec<Zone>,
}

/// Pixels of equal attribution.
#[derive(Clone, Copy, Debug, Default)]
struct Plateau {
    value: f64,
    pixels: f64,
    covered: f64,
    inside: f64,
    border: f64,
}

impl<'a> Zoned<'a> {
    /// Finds the zones of a mask.
    #[must_use]
    pub fn new(mask: &'a Mask) -> Self {
        Self { mask, zones: zones(mask) }
    }

    /// Where a map lies.
    ///
    /// # Errors
    /// [`Undefined`] if the mask is empty or nothing is positive.
    pub fn localise(&self, map: &Map, rule: Upsampling) -> Result<Localisation, Undefined> {
        let sign = self.mask.area();
        if sign <= 0.0 {
            return Err(Undefined::EmptyMask);
        }
        let mut plateaus = self.plateaus(map, rule);
        plateaus.sort_by(|a, b| b.value.total_cmp(&a.value));
        let sum = |f: &dyn Fn(&Plateau) -> f64| plateaus.iter().map(f).sum::<f64>();
        let positive = sum(&|p| p.value.max(0.0) * p.pixels);
        if positive <= 0.0 {
            return Err(Undefined::NoPositive);
        }
        let all = sum(&|p| p.pixels);
        Ok(Localisation {
            pointing: pointing(&plateaus),
            relevance_rank: relevance_rank(&plateaus, sign),
            inside: sum(&|p| p.value.max(0.0) * p.inside) / positive,
            border: sum(&|p| p.value.max(0.0) * p.border) / positive,
            inside_area: sum(&|p| p.inside) / all,
            border_area: sum(&|p| p.border) / all,
        })
    }

    /// One plateau a cell if cells stay flat, else one a pixel.
    fn plateaus(&self, map: &Map, rule: Upsampling) -> Vec<Plateau> {
        let (height, width) = (self.mask.height(), self.mask.width());
        let mut plateaus = match rule {
            Upsampling::Nearest => self.cells(map),
            Upsampling::Bilinear => {
                let values = map.upsample(rule, height, width);
                let pixels = self.mask.bytes().chunks_exact(1).zip(self.zones.chunks_exact(1));
                let plateau = |(value, (bytes, zones))| {
                    let mut plateau = Plateau { value, ..Plateau::default() };
                    plateau.add(bytes, zones);
                    plateau
                };
                values.into_iter().zip(pixels).map(plateau).collect()
            }
        };
        plateaus.retain(|p| p.pixels > 0.0);
        plateaus
    }

    /// The pixels of each cell, stretch by stretch: in a row, those of a cell lie side by side.
    fn cells(&self, map: &Map) -> Vec<Plateau> {
        let (height, width) = (self.mask.height(), self.mask.width());
        let rule = Upsampling::Nearest;
        let columns: Vec<usize> =
            (0..width).map(|x| rule.taps(x, width, map.width())[0].0).collect();
        let plateau = |&value: &f64| Plateau { value, ..Plateau::default() };
        let mut cells: Vec<Plateau> = map.values().iter().map(plateau).collect();
        let lines = self.mask.bytes().chunks_exact(width).zip(self.zones.chunks_exact(width));
        for (y, (bytes, zones)) in lines.enumerate() {
            let row = &mut cells[rule.taps(y, height, map.height())[0].0 * map.width()..];
            let mut start = 0;
            for stretch in columns.chunk_by(|a, b| a == b) {
                let end = start + stretch.len();
                row[stretch[0]].add(&bytes[start..end], &zones[start..end]);
                start = end;
            }
        }
        cells
    }
}

impl Plateau {
    /// Adds pixels of this value.
    fn add(&mut self, coverage: &[u8], zones: &[Zone]) {
        let count = |zone: Zone| -> u32 { zones.iter().map(|z| u32::from(*z == zone)).sum() };
        self.pixels += coverage.len() as f64;
        self.covered += byte_sum(coverage) / FULL;
        self.inside += f64::from(count(Zone::Inside));
        self.border += f64::from(count(Zone::Border));
    }
}

/// Values this near to each other, as a share of the largest, are equal but for rounding: interpolation between
/// equal cells gives a few last bits of its own to every pixel.
const SAME: f64 = 1e-12;

/// Runs of equal values in a list that is sorted by them: pixels and covered pixels of each.
fn runs(sorted: &[Plateau]) -> impl Iterator<Item = (f64, f64)> {
    let largest = sorted.iter().fold(0.0_f64, |top, p| top.max(p.value.abs()));
    sorted
        .chunk_by(move |a, b| a.value - b.value <= SAME * largest)
        .map(|run| run.iter().fold((0.0, 0.0), |(n, c), p| (n + p.pixels, c + p.covered)))
}

fn pointing(sorted: &[Plateau]) -> f64 {
    runs(sorted).next().map_or(0.0, |(pixels, covered)| covered / pixels)
}

fn relevance_rank(sorted: &[Plateau], count: f64) -> f64 {
    let mut open = count;
    let mut hit = 0.0;
    for (pixels, covered) in runs(sorted) {
        let taken = pixels.min(open);
        hit += covered * taken / pixels;
        open -= taken;
        if open <= 0.0 {
            break;
        }
    }
    (hit / count).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sign that covers the left half of a picture of 56 x 56 pixels.
    fn half() -> Mask {
        let bytes: Vec<u8> = (0..56 * 56).map(|i| if i % 56 < 28 { 255 } else { 0 }).collect();
        Mask::new(56, 56, &bytes).unwrap()
    }

    fn localise(mask: &Mask, values: &[f64], rule: Upsampling) -> Result<Localisation, Undefined> {
        Zoned::new(mask).localise(&Map::new(1, values.len(), values.to_vec()).unwrap(), rule)
    }

    #[test]
    fn a_plateau_across_the_edge_counts_by_its_share() {
        let mask = half();
        // seven cells of 8 columns; the fourth lies half on the sign
        let l = localise(&mask, &[0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0], Upsampling::Nearest).unwrap();
        assert!((l.pointing - 0.5).abs() < 1e-12);
        // 448 pixels of the top cell, half on the sign, then 1,120 of the 2,688 others of which 1,344 are on it
        let expected = (224.0 + 1120.0 * 1344.0 / 2688.0) / 1568.0;
        assert!((l.relevance_rank - expected).abs() < 1e-12, "{l:?}");
        // half width 2: columns 26 to 29 of 24 to 31 are border
        assert!((l.border - 0.5).abs() < 1e-12 && (l.inside - 0.25).abs() < 1e-12, "{l:?}");
        assert!((l.outside() - 0.25).abs() < 1e-12);
        assert!((l.border_area - 4.0 / 56.0).abs() < 1e-12);
        assert!((l.inside_area - 26.0 / 56.0).abs() < 1e-12);
    }

    #[test]
    fn ties_do_not_depend_on_the_order_of_the_cells() {
        let mask = half();
        let ahead = localise(&mask, &[1.0, 0.0, 0.0, 1.0], Upsampling::Nearest).unwrap();
        let behind = localise(&mask, &[0.0, 1.0, 1.0, 0.0], Upsampling::Nearest).unwrap();
        for (a, b) in
            [(ahead.pointing, behind.pointing), (ahead.relevance_rank, behind.relevance_rank)]
        {
            assert!((a - 0.5).abs() < 1e-12 && (b - 0.5).abs() < 1e-12, "{ahead:?} {behind:?}");
        }
    }

    #[test]
    fn a_map_on_the_sign_is_perfect_and_a_flat_one_is_chance() {
        let mask = half();
        for rule in [Upsampling::Nearest, Upsampling::Bilinear] {
            let l = localise(&mask, &[3.0, 1.0, -1.0, -1.0], rule).unwrap();
            assert!((l.pointing - 1.0).abs() < 1e-12 && l.relevance_rank > 0.99, "{l:?}");
            let flat = localise(&mask, &[2.0; 4], rule).unwrap();
            assert!((flat.pointing - 0.5).abs() < 1e-12);
            assert!((flat.relevance_rank - 0.5).abs() < 1e-12);
            assert!((flat.border - flat.border_area).abs() < 1e-12);
        }
        let none = localise(&mask, &[-1.0, 0.0], Upsampling::Nearest);
        assert_eq!(none, Err(Undefined::NoPositive));
        let empty = Mask::new(56, 56, &vec![0; 56 * 56]).unwrap();
        assert_eq!(localise(&empty, &[1.0], Upsampling::Nearest), Err(Undefined::EmptyMask));
    }
}
