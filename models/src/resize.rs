//! Bilinear resizing with antialiasing, as Pillow and PyTorch define it.
//!
//! A triangle filter whose half width is the scale, but at least one source pixel, first along rows,
//! then along columns:
//!
//! ```text
//! centre(i) = (i + 1/2) * in / out          s = max(in / out, 1)
//! weight(j) = max(0, 1 - |j + 1/2 - centre| / s), normalized to sum 1
//! ```
//!
//! Pillow quantizes the weights to 22 bits and rounds half up to 8 bits after each pass; PyTorch
//! computes in f32. Both are here because their results differ by up to one level.

/// Bits of a weight behind the binary point in Pillow's 8-bit arithmetic.
const PILLOW_BITS: u32 = 22;

/// Contributions of source positions `first..first + weights.len()` to one target position.
struct Taps {
    first: usize,
    weights: Vec<f64>,
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions of at most 4096 pixels, floored and clamped as the reference does"
)]
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let mut weights: Vec<f64> = (first..end)
                .map(|j| (1.0 - ((j as f64 + 0.5 - centre) / support).abs()).max(0.0))
                .collect();
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|w| *w /= sum);
            Taps { first, weights }
        })
        .collect()
}

/// Applies taps along one axis of interleaved values: `lines` lines, `stride` apart, whose elements
/// are `step` apart; `combine` maps one target's taps and a reader of source values to its value.
fn pass<T: Copy + Default>(
    source: &[T],
    taps: &[Taps],
    (lines, line_in, line_out): (usize, usize, usize),
    (step_in, step_out): (usize, usize),
    inner: usize,
    combine: impl Fn(&Taps, &dyn Fn(usize) -> T) -> T,
) -> Vec<T> {
    let mut target = vec![T::default(); lines * taps.len() * inner];
    for line in 0..lines {
        for (i, tap) in taps.iter().enumerate() {
            for k in 0..inner {
                let read = |n: usize| source[line * line_in + (tap.first + n) * step_in + k];
                target[line * line_out + i * step_out + k] = combine(tap, &read);
            }
        }
    }
    target
}

fn both_passes<T: Copy + Default>(
    source: &[T],
    (width, height): (usize, usize),
    (to_width, to_height): (usize, usize),
    combine: impl Fn(&Taps, &dyn Fn(usize) -> T) -> T + Copy,
) -> Vec<T> {
    let rows =
        pass(source, &taps(width, to_width), (height, width * 3, to_width * 3), (3, 3), 3, combine);
    // along columns every pixel of a row is its own line
    pass(
        &rows,
        &taps(height, to_height),
        (to_width, 3, 3),
        (to_width * 3, to_width * 3),
        3,
        combine,
    )
}

/// `Image.resize((to_width, to_height), BILINEAR)` of Pillow on interleaved RGB bytes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "weights of at most 1 in 22 bits fit an i64, and the result is clamped to a byte"
)]
pub(crate) fn pillow(rgb: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
    both_passes(rgb, from, to, |tap, read| {
        let unit = f64::from(1_u32 << PILLOW_BITS);
        let half = 1_i64 << (PILLOW_BITS - 1);
        let sum: i64 = tap
            .weights
            .iter()
            .enumerate()
            .map(|(n, w)| i64::from(read(n)) * ((w * unit + 0.5).floor() as i64))
            .sum();
        u8::try_from(((sum + half) >> PILLOW_BITS).clamp(0, 255)).unwrap_or(u8::MAX)
    })
}

/// `torch.nn.functional.interpolate(mode="bilinear", antialias=True)` of interleaved RGB bytes on
/// the scale 0 to 1.
///
/// Deviation: sums in f64, so the last bit of an f32 may differ from PyTorch's.
#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the purpose")]
pub(crate) fn antialias(rgb: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    let values: Vec<f32> = rgb.iter().map(|&v| f32::from(v) / 255.0).collect();
    both_passes(&values, from, to, |tap, read| {
        tap.weights.iter().enumerate().map(|(n, w)| w * f64::from(read(n))).sum::<f64>() as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture by formula, so that the golden script and this test share no file.
    fn picture(width: usize, height: usize) -> Vec<u8> {
        let value =
            |x: usize, y: usize, c: usize| (x * 37 + y * 91 + c * 53 + (x * y) % 29 * 5) % 256;
        (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| value(x, y, c))))
            .map(|v| u8::try_from(v).unwrap())
            .collect()
    }

    // Pillow 12 and PyTorch 2.15 on `picture(9, 7)`, to 4 x 3
    const PILLOW: [u8; 36] = [
        101, 131, 142, 118, 122, 142, 122, 129, 121, 116, 116, 128, 114, 129, 125, 124, 126, 123,
        127, 124, 126, 160, 143, 114, 103, 146, 116, 132, 128, 128, 167, 123, 107, 148, 130, 96,
    ];
    const TORCH: [f32; 36] = [
        0.3970068, 0.5126531, 0.5545418, 0.4635785, 0.4772835, 0.5557013, 0.4779804, 0.5056773,
        0.4756575, 0.4548539, 0.4557663, 0.5038015, 0.4465382, 0.5059021, 0.4910266, 0.48583,
        0.4963457, 0.4809351, 0.4983093, 0.4872198, 0.4948547, 0.6276092, 0.5604284, 0.4460043,
        0.4061625, 0.5709804, 0.4551101, 0.5190749, 0.5012981, 0.5027601, 0.6552367, 0.4800506,
        0.4202979, 0.5807924, 0.5120448, 0.3777351,
    ];

    #[test]
    fn smaller_matches_pillow_and_pytorch() {
        let source = picture(9, 7);
        assert_eq!(pillow(&source, (9, 7), (4, 3)), PILLOW);
        for (found, expected) in antialias(&source, (9, 7), (4, 3)).iter().zip(TORCH) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn larger_matches_pillow() {
        let large = pillow(&picture(5, 4), (5, 4), (8, 6));
        assert_eq!(large[..24], LARGER_ROW);
        assert_eq!(large.len(), 8 * 6 * 3);
    }

    // Pillow 12 on `picture(5, 4)`, to 8 x 6, first row
    const LARGER_ROW: [u8; 24] = [
        0, 53, 106, 16, 69, 122, 39, 92, 145, 62, 115, 168, 86, 139, 192, 109, 162, 215, 132, 185,
        238, 148, 201, 254,
    ];

    #[test]
    fn the_same_size_changes_nothing_and_grey_stays_grey() {
        let source = picture(6, 5);
        assert_eq!(pillow(&source, (6, 5), (6, 5)), source);
        assert!(pillow(&[128; 30 * 20 * 3], (30, 20), (7, 7)).iter().all(|&v| v == 128));
    }
}
