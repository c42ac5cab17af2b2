//! Artefacts of JPEG compression, without a file: 8 x 8 cosine transform, quantization, and back.
//!
//! A real codec would do, but its bits are not ours to promise: libraries differ between versions,
//! and use vector code that differs between machines. The loss of JPEG lies in the quantization
//! alone (ITU-T T.81, annex A.3.4 and the example tables of annex K), so that is all this computes, in
//! plain floating point. Colour is subsampled 4:2:0, as cameras do.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "levels are clamped to a byte before the cast"
)]

use std::sync::OnceLock;

use image::RgbImage;

use crate::num::{cos, floor};

/// T.81 table K.1.
#[rustfmt::skip]
const LUMINANCE: [u8; 64] = [
    16, 11, 10, 16,  24,  40,  51,  61,
    12, 12, 14, 19,  26,  58,  60,  55,
    14, 13, 16, 24,  40,  57,  69,  56,
    14, 17, 22, 29,  51,  87,  80,  62,
    18, 22, 37, 56,  68, 109, 103,  77,
    24, 35, 55, 64,  81, 104, 113,  92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103,  99,
];

/// T.81 table K.2.
#[rustfmt::skip]
const CHROMINANCE: [u8; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];

const BLOCK: usize = 8;
type Block = [[f32; BLOCK]; BLOCK];

/// Quantization steps of a quality from 1 to 100, by the rule of the Independent JPEG Group.
fn steps(table: &[u8; 64], quality: u8) -> Block {
    let quality = f32::from(quality.clamp(1, 100));
    let percent = if quality < 50.0 { 5000.0 / quality } else { 200.0 - 2.0 * quality };
    let mut steps = [[1.0; BLOCK]; BLOCK];
    for (i, &base) in table.iter().enumerate() {
        let step = ((f32::from(base) * percent + 50.0) * 0.01).floor();
        steps[i / BLOCK][i % BLOCK] = step.clamp(1.0, 255.0);
    }
    steps
}

/// `basis()[u][x]`: the orthonormal cosine basis.
fn basis() -> &'static Block {
    static BASIS: OnceLock<Block> = OnceLock::new();
    BASIS.get_or_init(|| {
        let mut basis = [[0.0; BLOCK]; BLOCK];
        for (u, row) in basis.iter_mut().enumerate() {
            let norm = if u == 0 { 0.125_f32.sqrt() } else { 0.5 };
            for (x, b) in row.iter_mut().enumerate() {
                let angle = (2 * x + 1) as f32 * u as f32 * (core::f32::consts::PI / 16.0);
                *b = norm * cos(angle);
            }
        }
        basis
    })
}

/// c = a b
fn product(a: &Block, b: &Block) -> Block {
    let mut c = [[0.0; BLOCK]; BLOCK];
    for i in 0..BLOCK {
        for k in 0..BLOCK {
            let f = a[i][k];
            for j in 0..BLOCK {
                c[i][j] += f * b[k][j];
            }
        }
    }
    c
}

fn transposed(a: &Block) -> Block {
    let mut t = [[0.0; BLOCK]; BLOCK];
    for i in 0..BLOCK {
        for j in 0..BLOCK {
            t[j][i] = a[i][j];
        }
    }
    t
}

/// A channel whose sides are padded to whole blocks, values around 0.
struct Plane {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Plane {
    fn compress(&mut self, steps: &Block) {
        let d = basis();
        let dt = transposed(d);
        for by in (0..self.height).step_by(BLOCK) {
            for bx in (0..self.width).step_by(BLOCK) {
                let mut block = [[0.0; BLOCK]; BLOCK];
                for (y, row) in block.iter_mut().enumerate() {
                    let start = (by + y) * self.width + bx;
                    row.copy_from_slice(&self.values[start..start + BLOCK]);
                }
                let mut f = product(&product(d, &block), &dt);
                for (row, step) in f.iter_mut().zip(steps) {
                    for (v, q) in row.iter_mut().zip(step) {
                        *v = floor(*v / q + 0.5) * q;
                    }
                }
                let block = product(&product(&dt, &f), d);
                for (y, row) in block.iter().enumerate() {
                    let start = (by + y) * self.width + bx;
                    self.values[start..start + BLOCK].copy_from_slice(row);
                }
            }
        }
    }
}

/// Replace a picture by what a JPEG file of the given quality (1 to 100) would show.
pub fn degrade(image: &mut RgbImage, quality: u8) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    if width == 0 || height == 0 {
        return;
    }
    let padded = |n: usize| n.div_ceil(2 * BLOCK) * 2 * BLOCK;
    let (full_w, full_h) = (padded(width), padded(height));
    let plane = |w: usize, h: usize| Plane { width: w, height: h, values: vec![0.0; w * h] };
    let mut luma = plane(full_w, full_h);
    let mut blue = plane(full_w / 2, full_h / 2);
    let mut red = plane(full_w / 2, full_h / 2);
    let bytes = image.as_raw();
    for y in 0..full_h {
        for x in 0..full_w {
            let at = 3 * (y.min(height - 1) * width + x.min(width - 1));
            let [r, g, b] = [0, 1, 2].map(|c| f32::from(bytes[at + c]));
            // JFIF: BT.601 luma, colour differences scaled to the same range
            let l = 0.299 * r + 0.587 * g + 0.114 * b;
            luma.values[y * full_w + x] = l - 128.0;
            let half = (y / 2) * (full_w / 2) + x / 2;
            blue.values[half] += 0.25 * (b - l) / 1.772;
            red.values[half] += 0.25 * (r - l) / 1.402;
        }
    }
    luma.compress(&steps(&LUMINANCE, quality));
    let chroma = steps(&CHROMINANCE, quality);
    blue.compress(&chroma);
    red.compress(&chroma);
    for (i, pixel) in image.pixels_mut().enumerate() {
        let (x, y) = (i % width, i / width);
        let l = luma.values[y * full_w + x] + 128.0;
        let half = (y / 2) * (full_w / 2) + x / 2;
        let (cb, cr) = (blue.values[half], red.values[half]);
        let level = |v: f32| (v + 0.5).clamp(0.0, 255.0) as u8;
        pixel.0 = [
            level(l + 1.402 * cr),
            level(l - 0.344_14 * cb - 0.714_14 * cr),
            level(l + 1.772 * cb),
        ];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::fractal;

    fn picture() -> RgbImage {
        RgbImage::from_fn(50, 34, |x, y| {
            let n = |seed| (255.0 * fractal(seed, x as f32 * 0.2, y as f32 * 0.2, 3)) as u8;
            image::Rgb([n(1), n(2), n(3)])
        })
    }

    fn error(quality: u8) -> f64 {
        let before = picture();
        let mut after = before.clone();
        degrade(&mut after, quality);
        let squares = before.as_raw().iter().zip(after.as_raw()).map(|(a, b)| {
            let d = f64::from(*a) - f64::from(*b);
            d * d
        });
        squares.sum::<f64>() / before.as_raw().len() as f64
    }

    #[test]
    fn the_transform_is_orthonormal() {
        let unit = product(basis(), &transposed(basis()));
        for (i, row) in unit.iter().enumerate() {
            for (j, v) in row.iter().enumerate() {
                let want = if i == j { 1.0 } else { 0.0 };
                assert!((v - want).abs() < 1e-5, "{i} {j} {v}");
            }
        }
    }

    #[test]
    fn a_flat_picture_survives_and_loss_grows_as_quality_falls() {
        let grey = RgbImage::from_pixel(40, 40, image::Rgb([120, 120, 120]));
        let mut after = grey.clone();
        degrade(&mut after, 80);
        let far = grey.as_raw().iter().zip(after.as_raw()).any(|(a, b)| a.abs_diff(*b) > 2);
        assert!(!far, "flat grey changed by more than two levels");
        assert!(error(95) < error(70) && error(70) < error(30), "{} {}", error(95), error(30));
    }
}
