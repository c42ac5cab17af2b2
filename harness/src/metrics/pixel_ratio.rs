//! Pixel ratio: the share of the positive attribution that lies on the sign.
//!
//! ```text
//! ratio = sum over pixels of coverage * max(a, 0) / sum over pixels of max(a, 0)
//! ```
//!
//! with a the map at the size of the picture by a named rule: [`Upsampling::Nearest`] spreads each
//! cell evenly over its pixels, [`Upsampling::Bilinear`] interpolates the signed map and clips then.
//! Sielemann et al., arXiv 2512.05937; how a 7 x 7 map meets a 224-pixel mask is not stated there.
//! Higher means less attention to the background.

use serde::{Deserialize, Serialize};

use super::mask::Mask;
use crate::attribution::{Map, Upsampling};

/// Why a pixel ratio does not exist. Such frames are counted, never averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undefined {
    /// No positive attribution anywhere.
    NoPositive,
    /// The mask covers nothing.
    EmptyMask,
}

impl Undefined {
    /// The name in logs and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoPositive => "no_positive",
            Self::EmptyMask => "empty_mask",
        }
    }
}

/// Pixel ratio of a map, 0 to 1.
///
/// # Errors
/// [`Undefined`] if the mask is empty or nothing is positive.
pub fn pixel_ratio(map: &Map, mask: &Mask, rule: Upsampling) -> Result<f64, Undefined> {
    if mask.is_blank() {
        return Err(Undefined::EmptyMask);
    }
    let positive = mask.positive(map, rule);
    if positive.all > 0.0 {
        Ok((positive.inside / positive.all).clamp(0.0, 1.0))
    } else {
        Err(Undefined::NoPositive)
    }
}

/// Grid ceiling: the highest pixel ratio that a `rows * columns` map without negative cells can
/// reach with this mask, which is that of the one cell that lies on the sign most.
#[must_use]
pub fn ceiling(mask: &Mask, rows: usize, columns: usize, rule: Upsampling) -> f64 {
    let cells = mask.spread(rule, rows, columns);
    cells.iter().filter(|c| c.all > 0.0).map(|c| c.inside / c.all).fold(0.0, f64::max)
}

/// Pixel ratio of the map whose cells are their own coverage: what a network that looks at the whole
/// sign and nothing else reaches on this grid. Below the [`ceiling`], since edge cells count too.
#[must_use]
pub fn proportional(mask: &Mask, rows: usize, columns: usize, rule: Upsampling) -> Option<f64> {
    let cells = mask.spread(rule, rows, columns);
    let share = |c: &super::mask::Spread| if c.all > 0.0 { c.inside / c.all } else { 0.0 };
    let map = Map::new(rows, columns, cells.iter().map(share).collect())?;
    pixel_ratio(&map, mask, rule).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disc in the middle of a picture of 224 pixels.
    fn disc(radius: f64) -> Mask {
        let bytes: Vec<u8> = (0..224 * 224)
            .map(|i| {
                let (y, x) = (f64::from(i / 224) - 111.5, f64::from(i % 224) - 111.5);
                if x.hypot(y) <= radius { 255 } else { 0 }
            })
            .collect();
        Mask::new(224, 224, &bytes).unwrap()
    }

    fn map(values: Vec<f64>) -> Map {
        Map::new(7, 7, values).unwrap()
    }

    #[test]
    fn a_map_that_knows_nothing_has_the_area_share() {
        let mask = disc(50.0);
        let share = mask.area_share();
        assert!((share - 0.1565).abs() < 1e-3, "{share}");
        for rule in [Upsampling::Nearest, Upsampling::Bilinear] {
            let ratio = pixel_ratio(&map(vec![2.0; 49]), &mask, rule).unwrap();
            assert!((ratio - share).abs() < 1e-12, "{ratio}");
        }
    }

    #[test]
    fn proportional_attribution_reaches_the_known_limits_of_the_grid() {
        // coverage of the disc and ratio, by an independent computation
        for (share, expected) in [(0.056, 0.59), (0.157, 0.86), (0.307, 0.81), (0.507, 0.89)] {
            let mask = disc((share * 224.0 * 224.0 / std::f64::consts::PI).sqrt());
            let ratio = proportional(&mask, 7, 7, Upsampling::Nearest).unwrap();
            assert!((ratio - expected).abs() < 0.015, "{share} {ratio}");
            assert!(ceiling(&mask, 7, 7, Upsampling::Nearest) >= ratio);
        }
    }

    #[test]
    fn negative_cells_do_not_count_and_soft_edges_do() {
        let mut values = vec![-5.0; 49];
        values[0] = 1.0;
        values[24] = 3.0;
        let mut bytes = vec![0; 224 * 224];
        for y in 96..128 {
            bytes[y * 224 + 96..y * 224 + 128].fill(51);
        }
        let mask = Mask::new(224, 224, &bytes).unwrap();
        let ratio = pixel_ratio(&map(values), &mask, Upsampling::Nearest).unwrap();
        assert!((ratio - 0.75 * 0.2).abs() < 1e-12, "{ratio}");
        assert!((ceiling(&mask, 7, 7, Upsampling::Nearest) - 0.2).abs() < 1e-12);
        assert!(mask.hard().area_share() == 0.0);
    }

    #[test]
    fn what_does_not_exist_has_a_name() {
        let mask = disc(50.0);
        for rule in [Upsampling::Nearest, Upsampling::Bilinear] {
            let none = pixel_ratio(&map(vec![-1.0; 49]), &mask, rule);
            assert_eq!(none, Err(Undefined::NoPositive));
            let empty = Mask::new(224, 224, &vec![0; 224 * 224]).unwrap();
            assert_eq!(pixel_ratio(&map(vec![1.0; 49]), &empty, rule), Err(Undefined::EmptyMask));
        }
        assert_eq!(Undefined::NoPositive.name(), "no_positive");
        assert!(Mask::new(2, 2, &[0; 3]).is_none());
    }
}
