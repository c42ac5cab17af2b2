//! Procedural noise: value noise on an integer lattice and sums of its octaves.

use crate::rng::{mix, unit_from_bits};

/// Random value in [0, 1) of a lattice point.
#[must_use]
#[inline]
pub fn lattice(seed: u64, x: i32, y: i32) -> f32 {
    let packed = (u64::from(x.cast_unsigned()) << 32) | u64::from(y.cast_unsigned());
    unit_from_bits(mix(seed ^ packed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Largest integer not above x, limited to +-1e9.
#[expect(clippy::cast_possible_truncation, reason = "limited just before")]
fn floor_i32(x: f32) -> i32 {
    x.floor().clamp(-1.0e9, 1.0e9) as i32
}

/// Smooth value noise in [0, 1), one feature per unit length.
#[must_use]
pub fn value(seed: u64, x: f32, y: f32) -> f32 {
    let (xi, yi) = (floor_i32(x), floor_i32(y));
    let (fx, fy) = (x - x.floor(), y - y.floor());
    let (u, v) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let (x1, y1) = (xi.wrapping_add(1), yi.wrapping_add(1));
    let top = lattice(seed, xi, yi) * (1.0 - u) + lattice(seed, x1, yi) * u;
    let bottom = lattice(seed, xi, y1) * (1.0 - u) + lattice(seed, x1, y1) * u;
    top * (1.0 - v) + bottom * v
}

/// Fractal sum of `octaves` value noises, each twice as fine and half as strong; in [0, 1).
#[must_use]
pub fn fractal(seed: u64, x: f32, y: f32, octaves: u32) -> f32 {
    let (mut sum, mut weight, mut total, mut scale) = (0.0, 1.0, 0.0, 1.0);
    for octave in 0..octaves {
        sum += weight * value(seed.wrapping_add(u64::from(octave)), x * scale, y * scale);
        total += weight;
        weight *= 0.5;
        scale *= 2.03; // not 2, so that lattices of the octaves do not line up
    }
    sum / total
}

/// Distance to the nearest of one random point per unit cell (Worley), in about [0, 1.4], with the
/// random value of that point's cell.
#[must_use]
pub fn cells(seed: u64, x: f32, y: f32) -> (f32, f32) {
    let (xi, yi) = (floor_i32(x), floor_i32(y));
    let (mut best, mut id) = (f32::MAX, 0.0);
    for dy in -1..=1 {
        for dx in -1..=1 {
            let (cx, cy) = (xi.wrapping_add(dx), yi.wrapping_add(dy));
            let px = x.floor() + f32::from(i8::try_from(dx).unwrap_or(0)) + lattice(seed, cx, cy);
            let py =
                y.floor() + f32::from(i8::try_from(dy).unwrap_or(0)) + lattice(seed ^ 0x55, cx, cy);
            let d = (px - x) * (px - x) + (py - y) * (py - y);
            if d < best {
                best = d;
                id = lattice(seed ^ 0xaa, cx, cy);
            }
        }
    }
    (best.sqrt(), id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stays_in_range_is_continuous_and_not_constant() {
        let (mut low, mut high) = (1.0_f32, 0.0_f32);
        for i in 0..2000_u16 {
            let (x, y) = (f32::from(i) * 0.13 - 100.0, f32::from(i) * 0.07);
            let n = fractal(7, x, y, 4);
            assert!((0.0..1.0).contains(&n), "{n}");
            assert!((n - fractal(7, x + 1e-3, y, 4)).abs() < 0.02);
            low = low.min(n);
            high = high.max(n);
        }
        assert!(high - low > 0.4, "{low} to {high}");
    }
}
