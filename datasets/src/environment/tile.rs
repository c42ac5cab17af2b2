//! Noise read from precomputed, seamless tiles with a pyramid of averages: fast, and never aliased.
//!
//! Hashing a lattice costs about 20 ns a sample and a painted background needs several samples a
//! pixel. A tile is computed once for the process (it depends on nothing) and read with bilinear
//! interpolation on the level of its pyramid that fits the footprint of the pixel, so texture fades to
//! its mean far away instead of glittering. Places differ by the offset and turn of [`Field`].
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lattice indices are wrapped to the tile with a mask"
)]

use std::sync::OnceLock;

use crate::num::{SMALL, floor_small, to_u8};
use crate::rng::{Stream, key, mix, unit_from_bits};

/// Texels along an edge of the finest level; a power of two.
const SIZE: usize = 256;
const LEVELS: usize = 8;
/// What reading a level needs to know of it.
#[derive(Clone, Copy)]
struct Level {
    /// 256 times the texels of this level in one texel of the finest: eight bits of fraction.
    scale: f32,
    /// Texels along an edge are two to this power, and this mask and one.
    shift: u32,
    mask: u32,
    /// Where the level starts among the texels.
    start: u32,
}

const TABLE: [Level; LEVELS] = {
    let mut table = [Level { scale: 256.0, shift: 0, mask: 0, start: 0 }; LEVELS];
    let mut start = 0;
    let mut level = 0;
    while level < LEVELS {
        let size = SIZE as u32 >> level;
        table[level] = Level {
            scale: size as f32 * (256.0 / SIZE as f32),
            shift: size.trailing_zeros(),
            mask: size - 1,
            start,
        };
        start += size * size;
        level += 1;
    }
    table
};

/// Which pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Six octaves of value noise: clouds, patches, rock. One coarse feature is 1/8 of the tile.
    Fractal,
    /// Independent texels: asphalt, sand, gravel.
    Grain,
    /// Clusters of small leaves: bright tips, dark gaps. About 40 clusters along the tile.
    Leaves,
    /// Blades: noise stretched 8 times along v: grass, bark, reed, streaks.
    Blades,
}

/// A seamless square of values in [0, 1] with its pyramid of averages.
///
/// A texel holds, in 8 bits each, its own value and those to its right, below, and below right: one
/// load has all that bilinear interpolation needs.
#[derive(Debug)]
pub struct Tile {
    /// All levels one after the other, the finest first.
    texels: Vec<u32>,
}

impl Tile {
    /// The tile of a pattern.
    #[must_use]
    pub fn of(pattern: Pattern) -> &'static Self {
        static TILES: OnceLock<[Tile; 4]> = OnceLock::new();
        let tiles = TILES.get_or_init(|| {
            [
                Self::from_fn(stretched(wrapped_fractal(1, 8, 8, 6), 1.9)),
                Self::from_fn(grain()),
                Self::from_fn(leaves()),
                Self::from_fn(stretched(wrapped_fractal(4, 64, 8, 3), 1.6)),
            ]
        });
        match pattern {
            Pattern::Fractal => &tiles[0],
            Pattern::Grain => &tiles[1],
            Pattern::Leaves => &tiles[2],
            Pattern::Blades => &tiles[3],
        }
    }

    fn from_fn(f: impl Fn(usize, usize) -> f32) -> Self {
        let base: Vec<f32> = (0..SIZE * SIZE).map(|i| f(i % SIZE, i / SIZE)).collect();
        let mut levels = vec![base];
        for level in 1..LEVELS {
            let size = SIZE >> level;
            let finer = &levels[level - 1];
            let at = |x: usize, y: usize| finer[y * size * 2 + x];
            let coarser = (0..size * size)
                .map(|i| {
                    let (x, y) = (2 * (i % size), 2 * (i / size));
                    0.25 * (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1))
                })
                .collect();
            levels.push(coarser);
        }
        let texels = levels
            .iter()
            .enumerate()
            .flat_map(|(level, values)| {
                let size = SIZE >> level;
                let at = |x: usize, y: usize| to_u8(values[(y % size) * size + x % size]);
                (0..size * size)
                    .map(|i| {
                        let (x, y) = (i % size, i / size);
                        let four = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
                        u32::from_le_bytes(four)
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        Self { texels }
    }

    /// Value at (x, y) texels of the finest level, averaged over about `footprint` texels.
    #[must_use]
    #[inline]
    pub fn sample(&self, x: f32, y: f32, footprint: f32) -> f32 {
        sample(&self.texels, x, y, footprint)
    }
}

#[inline]
fn sample(texels: &[u32], x: f32, y: f32, footprint: f32) -> f32 {
    // the exponent of the footprint is the level
    let exponent = (footprint.max(1.0).to_bits() >> 23).wrapping_sub(127);
    let level = &TABLE[(exponent as usize).min(LEVELS - 1)];
    // fixed point: eight bits below the texel
    let (x, y) = (x * level.scale, y * level.scale);
    let small = (x.abs() < SMALL) & (y.abs() < SMALL);
    let (xf, yf) =
        if small { (floor_small(x), floor_small(y)) } else { (floor_large(x), floor_large(y)) };
    let (xf, yf) = (xf - 128, yf - 128);
    let (fx, fy) = ((xf & 255) as u32, yf & 255);
    let (xi, yi) = ((xf >> 8) as u32 & level.mask, (yf >> 8) as u32 & level.mask);
    // upper and lower pair in the halves of a word, of which one multiplication takes both
    let four = texels[(level.start + ((yi << level.shift) | xi)) as usize];
    let (left, right) = (four & 0x00ff_00ff, (four >> 8) & 0x00ff_00ff);
    let pair = left * (256 - fx) + right * fx;
    let (top, bottom) = ((pair & 0xffff).cast_signed(), (pair >> 16).cast_signed());
    let value = (top << 8) + (bottom - top) * fy;
    value as f32 * (1.0 / (255.0 * 65_536.0))
}

/// A tile laid over a surface: scaled to metres and moved to a place of its own.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    texels: &'static [u32],
    texels_per_metre: f32,
    offset: (f32, f32),
}

impl Field {
    /// A pattern whose tile is `tile_metres` wide, placed by the seed.
    #[must_use]
    pub fn new(pattern: Pattern, seed: u64, tile_metres: f32) -> Self {
        let mut stream = Stream::from_seed(key("field", &[seed]));
        let size = SIZE as f32;
        Self {
            texels: &Tile::of(pattern).texels,
            texels_per_metre: size / tile_metres,
            offset: (stream.unit() * size, stream.unit() * size),
        }
    }

    /// Value in [0, 1] at (u, v) metres, averaged over `footprint` metres.
    #[must_use]
    #[inline]
    pub fn at(&self, u: f32, v: f32, footprint: f32) -> f32 {
        let k = self.texels_per_metre;
        sample(self.texels, u * k + self.offset.0, v * k + self.offset.1, footprint * k)
    }

    /// As [`Field::at`], with the mean taken out: about -0.5 to 0.5.
    #[must_use]
    #[inline]
    pub fn signed(&self, u: f32, v: f32, footprint: f32) -> f32 {
        self.at(u, v, footprint) - 0.5
    }
}

/// Largest integer not above x for |x| < 2^31, without a library call.
#[must_use]
#[inline]
pub fn floor_fast(x: f32) -> i32 {
    if x.abs() < SMALL { floor_small(x) } else { floor_large(x) }
}

/// As [`floor_fast`]; kept out of the way of the common case.
#[cold]
fn floor_large(x: f32) -> i32 {
    let i = x as i32;
    i - i32::from((i as f32) > x)
}

/// Fractional part of x for |x| < 2^31, in [0, 1).
#[must_use]
#[inline]
pub fn fract(x: f32) -> f32 {
    x - floor_fast(x) as f32
}

/// Random values of lattice points.
#[derive(Clone, Copy)]
struct Lattice {
    key: u64,
}

impl Lattice {
    fn new(seed: u64) -> Self {
        Self { key: key("tile", &[seed]) }
    }

    #[inline]
    fn at(self, x: u32, y: u32) -> f32 {
        let packed = (u64::from(x) << 32) | u64::from(y);
        unit_from_bits(mix(self.key ^ packed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// Independent texels.
fn grain() -> impl Fn(usize, usize) -> f32 {
    let lattice = Lattice::new(2);
    move |x, y| lattice.at(x as u32, y as u32)
}

/// Contrast stretch about 0.5, clamped to [0, 1].
fn stretched(pattern: impl Fn(usize, usize) -> f32, gain: f32) -> impl Fn(usize, usize) -> f32 {
    move |x, y| ((pattern(x, y) - 0.5) * gain + 0.5).clamp(0.0, 1.0)
}

/// Value noise with `nx` by `ny` cells on the tile, and finer octaves, all of which wrap around.
fn wrapped_fractal(seed: u64, nx: u32, ny: u32, octaves: u32) -> impl Fn(usize, usize) -> f32 {
    let lattices: Vec<(u32, Lattice)> =
        (0..octaves).map(|o| (o, Lattice::new(seed * 100 + u64::from(o)))).collect();
    move |x, y| fractal_at(&lattices, x, y, nx, ny)
}

fn fractal_at(lattices: &[(u32, Lattice)], x: usize, y: usize, nx: u32, ny: u32) -> f32 {
    let (mut sum, mut total, mut weight) = (0.0, 0.0, 1.0);
    for &(octave, lattice) in lattices {
        let (cx, cy) = (nx << octave, ny << octave);
        let px = (x as f32 + 0.5) / SIZE as f32 * cx as f32;
        let py = (y as f32 + 0.5) / SIZE as f32 * cy as f32;
        let (xi, yi) = (px as u32, py as u32);
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (fx, fy) = (ease(px - xi as f32), ease(py - yi as f32));
        let at = |dx: u32, dy: u32| lattice.at((xi + dx) % cx, (yi + dy) % cy);
        let top = at(0, 0) + (at(1, 0) - at(0, 0)) * fx;
        let bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * fx;
        sum += weight * (top + (bottom - top) * fy);
        total += weight;
        weight *= 0.55;
    }
    sum / total
}

/// Overlapping leaves: the topmost of nine neighbouring cells' discs, brighter at its tip.
fn leaves() -> impl Fn(usize, usize) -> f32 {
    let lattices = [31, 32, 33, 34, 35].map(Lattice::new);
    let soft = wrapped_fractal(36, 10, 10, 2);
    move |x, y| (leaf_at(&lattices, x, y) + 0.35 * (soft(x, y) - 0.5)).clamp(0.0, 1.0)
}

fn leaf_at(lattices: &[Lattice; 5], x: usize, y: usize) -> f32 {
    const CELLS: u32 = 42;
    let [ranks, across, down, lean, turn] = lattices;
    let px = (x as f32 + 0.5) / SIZE as f32 * CELLS as f32;
    let py = (y as f32 + 0.5) / SIZE as f32 * CELLS as f32;
    let (xi, yi) = (px as u32, py as u32);
    let (mut top, mut value) = (-1.0_f32, 0.12_f32);
    for dy in 0..3_u32 {
        for dx in 0..3_u32 {
            let (cx, cy) = ((xi + dx + CELLS - 1) % CELLS, (yi + dy + CELLS - 1) % CELLS);
            let rank = ranks.at(cx, cy);
            let ox = (xi + dx) as f32 - 1.0 + across.at(cx, cy) - px;
            let oy = (yi + dy) as f32 - 1.0 + down.at(cx, cy) - py;
            // an ellipse in one of many directions
            let (a, b) = (lean.at(cx, cy) - 0.5, turn.at(cx, cy) - 0.5);
            let long = (a * a + b * b).sqrt().max(1e-3);
            let (p, q) = ((ox * a + oy * b) / long, (oy * a - ox * b) / long);
            let d = p * p * 1.6 + q * q * 4.5;
            if d < 0.55 && rank > top {
                top = rank;
                value = 0.28 + 0.45 * rank + 0.3 * (p + 0.3);
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_seamless_and_fade_to_their_mean() {
        for pattern in [Pattern::Fractal, Pattern::Grain, Pattern::Leaves, Pattern::Blades] {
            let tile = Tile::of(pattern);
            let period = SIZE as f32;
            for i in 0..200_u16 {
                let (x, y) = (f32::from(i) * 1.37 - 60.0, f32::from(i) * 0.71);
                let here = tile.sample(x, y, 1.0);
                assert!((0.0..=1.0).contains(&here));
                assert!((here - tile.sample(x + period, y - period, 1.0)).abs() < 1e-3);
            }
            let spread = |footprint: f32| {
                let all: Vec<f32> = (0..400_u16)
                    .map(|i| tile.sample(f32::from(i) * 7.7, f32::from(i) * 3.3, footprint))
                    .collect();
                let (low, high) =
                    all.iter().fold((1.0_f32, 0.0_f32), |(l, h), &v| (l.min(v), h.max(v)));
                high - low
            };
            assert!(spread(1.0) > 0.5, "{pattern:?}");
            assert!(spread(200.0) < 0.25 * spread(1.0) + 0.12, "{pattern:?}");
        }
        assert_eq!((floor_fast(-0.5), floor_fast(2.0), floor_fast(-3.0)), (-1, 2, -3));
    }
}
