//! Where a drawing is of one colour. Most of a sign is, and there no sample has to be filtered.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "texel positions are not negative, and outside the drawing they are found to be so"
)]

use super::Level;

/// Texels a side of the squares that are decided together.
const BLOCK: usize = 4;

/// Distances, in blocks, to where the colour changes.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    columns: usize,
    /// For each block, how many rings of blocks round it (itself the first) are of its colour.
    rings: Vec<u8>,
    colours: Vec<[u8; 3]>,
}

impl Plain {
    /// Of the finest level of a drawing. Blocks that it does not fill do not count.
    pub(super) fn new(level: &Level) -> Self {
        let (columns, rows) = (level.width / BLOCK, level.height / BLOCK);
        let blocks = (0..columns * rows).map(|i| (i % columns * BLOCK, i / columns * BLOCK));
        let one_colour = |(x, y): (usize, usize)| {
            let first = level.texels[y * level.width + x];
            let same = (y..y + BLOCK).all(|y| {
                let start = y * level.width + x;
                level.texels[start..start + BLOCK].iter().all(|t| *t == first)
            });
            same.then_some(first)
        };
        let found: Vec<Option<[u8; 3]>> = blocks.map(one_colour).collect();
        let mut plain = Self {
            columns,
            rings: vec![0; found.len()],
            colours: found.iter().map(|c| c.unwrap_or_default()).collect(),
        };
        // A block counts if the next to the right and the one below are of its colour: then a square of
        // blocks that count is of one colour. Chebyshev distance in two passes (Rosenfeld and Pfaltz, 1966).
        let counts = |i: usize| {
            found[i].is_some()
                && (i + 1 >= found.len() || found[i + 1] == found[i])
                && (i + columns >= found.len() || found[i + columns] == found[i])
        };
        for i in 0..found.len() {
            if counts(i) {
                plain.rings[i] = plain.grown(i, [(-1, -1), (0, -1), (1, -1), (-1, 0)], u8::MAX);
            }
        }
        for i in (0..found.len()).rev() {
            let before = plain.rings[i];
            plain.rings[i] = plain.grown(i, [(1, 1), (0, 1), (-1, 1), (1, 0)], before);
        }
        plain
    }

    /// One more ring than the least of these neighbours has, at most `limit`; outside the drawing is none.
    fn grown(&self, block: usize, neighbours: [(isize, isize); 4], limit: u8) -> u8 {
        let (x, y) = (block % self.columns, block / self.columns);
        let rings = |(dx, dy): (isize, isize)| {
            let (x, y) = (x.checked_add_signed(dx)?, y.checked_add_signed(dy)?);
            (x < self.columns).then(|| self.rings.get(y * self.columns + x).copied()).flatten()
        };
        let least = neighbours.map(|n| rings(n).unwrap_or(0)).into_iter().fold(u8::MAX, u8::min);
        least.saturating_add(1).min(limit)
    }

    /// The colour, if all texels no farther than `reach` to the right or left and up or down have the same.
    #[inline]
    pub(super) fn colour(&self, u: f32, v: f32, reach: f32) -> Option<[u8; 3]> {
        let (x, y) = (u as usize / BLOCK, v as usize / BLOCK);
        if u < 0.0 || v < 0.0 || x >= self.columns {
            return None;
        }
        let block = y * self.columns + x;
        let rings = *self.rings.get(block)?;
        // the first ring is the block itself, at whose edge the place may lie
        let clear = BLOCK as f32 * (f32::from(rings) - 1.0);
        (reach <= clear).then(|| self.colours[block])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_be_plain_is_of_one_colour() {
        let (width, height) = (61, 47);
        let disc = |i: usize| {
            let (x, y) = ((i % width) as f32 - 40.0, (i / width) as f32 - 20.0);
            if x * x + y * y < 300.0 { [200, 10, 20] } else { [7, 8, 9] }
        };
        let level = Level { width, height, texels: (0..width * height).map(disc).collect() };
        let plain = Plain::new(&level);
        let mut known = 0;
        for i in 0..width * height {
            let (x, y) = (i % width, i / width);
            for reach in 0..12_u8 {
                let r = usize::from(reach);
                let Some(colour) = plain.colour(x as f32 + 0.5, y as f32 + 0.5, f32::from(reach))
                else {
                    continue;
                };
                known += 1;
                for ty in y.saturating_sub(r)..=(y + r).min(height - 1) {
                    for tx in x.saturating_sub(r)..=(x + r).min(width - 1) {
                        assert_eq!(level.texels[ty * width + tx], colour, "{x} {y} {reach}");
                    }
                }
            }
        }
        assert!(known > 2000, "{known}");
        assert_eq!(plain.colour(-1.0, 3.0, 0.0), None);
        assert_eq!(plain.colour(3.0, 400.0, 0.0), None);
    }
}
