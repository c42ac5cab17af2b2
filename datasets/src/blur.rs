//! Small convolutions on a canvas: defocus and motion.

use crate::canvas::{Canvas, Rgb};
use crate::num::{exp, sin_cos};

/// Blur of a circle of confusion of the given radius, pixels.
///
/// A disc of radius r has variance r^2/4 on each axis. Deviation: a Gaussian of that variance is used,
/// because it separates into two passes; below 2 pixels the difference is under a grey level.
pub fn defocus(canvas: &mut Canvas, radius: f32) {
    let sigma = 0.5 * radius;
    if sigma < 0.12 {
        return;
    }
    let kernel = half_kernel(sigma);
    let reach = kernel.len() - 1;
    let (width, height) = (canvas.width, canvas.height);
    // numbers instead of colours: plain lists, of which processors take several numbers at a time
    let line = 3 * width;
    let mut across = vec![0.0; line * height];
    let mut padded = vec![0.0; 3 * (width + 2 * reach)];
    for (from, to) in canvas.pixels.chunks_exact(width).zip(across.chunks_exact_mut(line)) {
        for (i, values) in padded.chunks_exact_mut(3).enumerate() {
            let pixel = from[i.saturating_sub(reach).min(width - 1)];
            values.copy_from_slice(&[pixel.r, pixel.g, pixel.b]);
        }
        weigh(to, &kernel, |k| {
            (&padded[3 * (reach - k)..][..line], &padded[3 * (reach + k)..][..line])
        });
    }
    let mut down = vec![0.0; line];
    for (y, row) in canvas.pixels.chunks_exact_mut(width).enumerate() {
        weigh(&mut down, &kernel, |k| {
            let (above, below) = (y.saturating_sub(k), (y + k).min(height - 1));
            (&across[above * line..][..line], &across[below * line..][..line])
        });
        for (pixel, v) in row.iter_mut().zip(down.chunks_exact(3)) {
            *pixel = Rgb::new(v[0], v[1], v[2]);
        }
    }
}

/// Sum of a kernel's weights, each times what lies that far to both sides: `beside(0)` is the middle, twice.
fn weigh<'a>(sum: &mut [f32], kernel: &[f32], beside: impl Fn(usize) -> (&'a [f32], &'a [f32])) {
    for (s, c) in sum.iter_mut().zip(beside(0).0) {
        *s = c * kernel[0];
    }
    for (k, &weight) in kernel.iter().enumerate().skip(1) {
        let (before, after) = beside(k);
        for ((s, a), b) in sum.iter_mut().zip(before).zip(after) {
            *s += (a + b) * weight;
        }
    }
}

/// How far [`defocus`] of a radius carries light, pixels.
#[must_use]
pub fn reach(radius: f32) -> f32 {
    if 0.5 * radius < 0.12 { 0.0 } else { 2.6 * 0.5 * radius + 0.5 }
}

/// Weights at 0, 1, 2, ... pixels; the full kernel sums to 1.
fn half_kernel(sigma: f32) -> Vec<f32> {
    let mut kernel = Vec::new();
    let mut distance = 0.0_f32;
    while distance <= 2.6 * sigma + 0.5 {
        kernel.push(exp(-0.5 * distance * distance / (sigma * sigma)));
        distance += 1.0;
    }
    let total = kernel[0] + 2.0 * kernel.iter().skip(1).sum::<f32>();
    kernel.iter().map(|w| w / total).collect()
}

/// Blur along a straight line of `length` pixels, centred, `angle` radians from the x axis.
pub fn motion(canvas: &mut Canvas, length: f32, angle: f32, spare: &mut Vec<Rgb>) {
    if length < 0.5 {
        return;
    }
    let taps = line_taps(length, angle);
    let (width, height) = (canvas.width, canvas.height);
    spare.clear();
    spare.resize(width * height, Rgb::default());
    for &(dx, dy, weight) in &taps {
        for y in 0..height {
            let source = y.saturating_add_signed(dy).min(height - 1);
            let from = &canvas.pixels[source * width..(source + 1) * width];
            let to = &mut spare[y * width..(y + 1) * width];
            let start = dx.min(0).unsigned_abs().min(width);
            let end = width - dx.max(0).unsigned_abs().min(width);
            for x in (0..start).chain(end.max(start)..width) {
                let clamped = x.saturating_add_signed(dx).min(width - 1);
                to[x] = to[x].plus(from[clamped].scale(weight));
            }
            if start < end {
                let shifted = &from[start.saturating_add_signed(dx)..end.saturating_add_signed(dx)];
                for (t, f) in to[start..end].iter_mut().zip(shifted) {
                    *t = t.plus(f.scale(weight));
                }
            }
        }
    }
    core::mem::swap(&mut canvas.pixels, spare);
}

/// Whole-pixel offsets and weights of a line: points along it, spread over their four neighbours.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a line is at least 0 and at most some tens of pixels long"
)]
fn line_taps(length: f32, angle: f32) -> Vec<(isize, isize, f32)> {
    let (sin, cos) = sin_cos(angle);
    let steps = 2 * (length as usize) + 3;
    let mut taps: Vec<(isize, isize, f32)> = Vec::new();
    for i in 0..steps {
        let t = ((i as f32 + 0.5) / steps as f32 - 0.5) * length;
        let (x, y) = (t * cos, t * sin);
        let (fx, fy) = (x - x.floor(), y - y.floor());
        for (ox, oy, w) in [
            (0.0, 0.0, (1.0 - fx) * (1.0 - fy)),
            (1.0, 0.0, fx * (1.0 - fy)),
            (0.0, 1.0, (1.0 - fx) * fy),
            (1.0, 1.0, fx * fy),
        ] {
            if w <= 0.0 {
                continue;
            }
            let at = ((x.floor() + ox) as isize, (y.floor() + oy) as isize);
            match taps.iter_mut().find(|t| (t.0, t.1) == at) {
                Some(tap) => tap.2 += w / steps as f32,
                None => taps.push((at.0, at.1, w / steps as f32)),
            }
        }
    }
    taps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blurs_keep_a_flat_picture_and_spread_a_point_with_the_right_variance() {
        let mut spare = Vec::new();
        let mut flat = Canvas::new(9, 9, Rgb::grey(0.5));
        defocus(&mut flat, 1.4);
        motion(&mut flat, 3.0, 0.4, &mut spare);
        assert!(flat.pixels.iter().all(|p| (p.g - 0.5).abs() < 1e-5));

        for (radius, length, want) in [(2.0, 0.0, 1.0), (0.0, 6.0, 3.0)] {
            let mut point = Canvas::new(31, 31, Rgb::default());
            point.pixels[15 * 31 + 15] = Rgb::grey(1.0);
            defocus(&mut point, radius);
            motion(&mut point, length, 0.0, &mut spare);
            let (mut sum, mut var, mut mean) = (0.0, 0.0, 0.0);
            for (i, p) in point.pixels.iter().enumerate() {
                let d = (i % 31) as f32 - 15.0;
                sum += p.g;
                mean += p.g * d;
                var += p.g * d * d;
            }
            assert!((sum - 1.0).abs() < 1e-4 && mean.abs() < 1e-3);
            assert!((var - want).abs() < 0.25, "variance {var}, expected {want}");
        }
    }
}
