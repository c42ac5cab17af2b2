//! Elementary functions with the same bits on every machine.
//!
//! The C library's `sin` or `exp` may differ in the last bit between platforms, and one bit in a
//! pixel breaks the golden hashes. These use only IEEE-754 add, subtract, multiply, divide, square root and floor, which
//! are exact everywhere, and Rust never contracts them into fused operations. Relative error is
//! about 1e-6, far below one grey level.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "exponent arithmetic; every cast is of a value whose range was just limited"
)]

/// Largest whole number not above x for |x| < 2^31, without a call of the library.
#[must_use]
#[inline]
pub fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole > x { whole - 1.0 } else { whole }
}

/// Limit of [`floor_small`], 2^22.
pub const SMALL: f32 = 4_194_304.0;

/// Largest whole number not above x for |x| < [`SMALL`]; any number outside.
///
/// A float of 1.5 * 2^23 has no room for fractions: x added to it is rounded to a whole number, which
/// then stands in its lowest bits. A cast would have to look for overflow and NaN as well.
#[must_use]
#[inline]
pub fn floor_small(x: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    let shifted = x + SHIFT;
    let nearest = shifted.to_bits().wrapping_sub(SHIFT.to_bits()) as i32;
    nearest.wrapping_sub(i32::from(shifted - SHIFT > x))
}

/// Degrees to radians.
#[must_use]
#[inline]
pub fn radians(degrees: f32) -> f32 {
    degrees * (core::f32::consts::PI / 180.0)
}

/// Sine and cosine of an angle in radians, |x| up to about 1e4.
#[must_use]
#[inline]
pub fn sin_cos(x: f32) -> (f32, f32) {
    // nearest multiple of pi/2, subtracted in two parts (Cody-Waite)
    let n = floor(x * core::f32::consts::FRAC_2_PI + 0.5);
    let r = (x - n * 1.570_312_5) - n * 4.838_268e-4;
    let r2 = r * r;
    let s = r + r * r2 * (-1.666_666_5e-1 + r2 * (8.333_226e-3 - r2 * 1.951_781_6e-4));
    let c =
        1.0 - 0.5 * r2 + r2 * r2 * (4.166_664_6e-2 - r2 * (1.388_731_6e-3 - r2 * 2.443_315_7e-5));
    match (n as i32) & 3 {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    }
}

/// Sine of an angle in radians.
#[must_use]
#[inline]
pub fn sin(x: f32) -> f32 {
    sin_cos(x).0
}

/// Cosine of an angle in radians.
#[must_use]
#[inline]
pub fn cos(x: f32) -> f32 {
    sin_cos(x).1
}

/// Tangent of an angle in radians.
#[must_use]
#[inline]
pub fn tan(x: f32) -> f32 {
    let (s, c) = sin_cos(x);
    s / c
}

/// 2 to the power x, for x in [-126, 127]; clamped outside.
#[must_use]
#[inline]
pub fn exp2(x: f32) -> f32 {
    let x = x.clamp(-126.0, 127.0);
    let n = floor(x + 0.5);
    let f = (x - n) * core::f32::consts::LN_2;
    let p = 1.0
        + f * (1.0
            + f * (0.5
                + f * (1.666_666_7e-1
                    + f * (4.166_666_8e-2 + f * (8.333_334e-3 + f * 1.388_889e-3)))));
    let scale = f32::from_bits((((n as i32).clamp(-126, 127) + 127) as u32) << 23);
    p * scale
}

/// e to the power x.
#[must_use]
#[inline]
pub fn exp(x: f32) -> f32 {
    exp2(x * core::f32::consts::LOG2_E)
}

/// Logarithm to base 2 of a positive normal number; -126 for anything smaller.
#[must_use]
#[inline]
pub fn log2(x: f32) -> f32 {
    if x < f32::MIN_POSITIVE {
        return -126.0;
    }
    let bits = x.to_bits();
    let mut e = ((bits >> 23) as i32 - 127) as f32;
    let mut m = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    if m > core::f32::consts::SQRT_2 {
        m *= 0.5;
        e += 1.0;
    }
    // ln m = 2 artanh((m - 1) / (m + 1))
    let t = (m - 1.0) / (m + 1.0);
    let t2 = t * t;
    let series = 1.0 + t2 * (1.0 / 3.0 + t2 * (0.2 + t2 * (1.0 / 7.0 + t2 * (1.0 / 9.0))));
    e + 2.0 * t * series * core::f32::consts::LOG2_E
}

/// x to the power y for x >= 0; 0 for x = 0.
#[must_use]
#[inline]
pub fn pow(x: f32, y: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { exp2(y * log2(x)) }
}

/// Angle of the vector (x, y) in radians, in [-pi, pi]; 0 for the zero vector.
#[must_use]
#[inline]
pub fn atan2(y: f32, x: f32) -> f32 {
    use core::f32::consts::{FRAC_PI_2, FRAC_PI_4, PI};
    let (ax, ay) = (x.abs(), y.abs());
    let (lo, hi) = if ax < ay { (ax, ay) } else { (ay, ax) };
    if hi == 0.0 {
        return 0.0;
    }
    // fold [0, 1] once more to keep the argument below tan(pi/8)
    let t = lo / hi;
    let (base, t) = if t > 0.414_213_57 { (FRAC_PI_4, (t - 1.0) / (t + 1.0)) } else { (0.0, t) };
    let t2 = t * t;
    let a = base
        + t * (1.0
            + t2 * (-1.0 / 3.0 + t2 * (0.2 + t2 * (-1.0 / 7.0 + t2 * (1.0 / 9.0 - t2 / 11.0)))));
    let a = if ax < ay { FRAC_PI_2 - a } else { a };
    let a = if x < 0.0 { PI - a } else { a };
    if y < 0.0 { -a } else { a }
}

/// Hermite step: 0 below `low`, 1 above `high`, smooth between.
#[must_use]
#[inline]
pub fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Linear interpolation from a (t = 0) to b (t = 1).
#[must_use]
#[inline]
pub fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Nearest 8-bit level of a value in [0, 1], half up, clamped.
#[must_use]
#[inline]
pub fn to_u8(x: f32) -> u8 {
    (x.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(name: &str, got: f32, want: f64, tolerance: f64) {
        let error = (f64::from(got) - want).abs() / want.abs().max(1.0);
        assert!(error < tolerance, "{name}: got {got}, expected {want}");
    }

    #[test]
    fn functions_agree_with_the_standard_library() {
        for i in -4000..4000_i16 {
            let x = f32::from(i) * 0.01;
            let w = f64::from(x);
            close("sin", sin(x), w.sin(), 2e-6);
            close("cos", cos(x), w.cos(), 2e-6);
            close(
                "exp2",
                exp2(x * 0.5) / exp2((x * 0.5).floor()),
                (w * 0.5 - (w * 0.5).floor()).exp2(),
                3e-6,
            );
            let p = x.abs() + 1e-3;
            close("log2", log2(p), f64::from(p).log2(), 2e-6);
            close("pow", pow(p * 0.02, 0.4545), (f64::from(p * 0.02)).powf(0.4545), 3e-6);
            close("atan2", atan2(x, 3.0), w.atan2(3.0), 2e-6);
            close("atan2", atan2(-1.5, x), (-1.5_f64).atan2(w), 2e-6);
        }
    }

    #[test]
    fn floors_of_small_numbers_are_those_of_the_standard_library() {
        let mut s = crate::rng::Stream::new("floor", &[]);
        let ends = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1e-30, -1e-30, SMALL - 0.5, 0.5 - SMALL];
        let close = (-50..50_i16).flat_map(|i| {
            let x = f32::from(i);
            [x, x.next_up(), x.next_down(), x + 0.5, (x + 0.5).next_up(), (x + 0.5).next_down()]
        });
        let drawn = (0..100_000).map(|_| s.range(-1.0, 1.0) * exp2(s.range(-20.0, 22.0)));
        for x in ends.into_iter().chain(close).chain(drawn) {
            assert_eq!(floor_small(x), x.floor() as i32, "{x}");
        }
    }

    #[test]
    fn levels_round_half_up_and_clamp() {
        assert_eq!(
            (to_u8(-1.0), to_u8(0.0), to_u8(0.5), to_u8(1.0), to_u8(9.0)),
            (0, 0, 128, 255, 255)
        );
    }
}
