//! The printed faces of the signs: SVG drawings, rasterized once into mip-mapped textures.
//!
//! The same bytes everywhere: with flat colours and source-over, tiny-skia runs its 16-bit integer
//! pipeline, and coverage comes from fixed-point edges. Its approximate instructions (`rcp`,
//! `rsqrt`) sit in blend modes, gradients and filters, which the drawings do not use; stroking and
//! flattening need add, multiply, divide and square root only. (Two library functions, `acos` and
//! `powf`, are reached in the test for degenerate cubic strokes, where the last bit decides
//! nothing.) The result is 8-bit before anything of ours is computed from it.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "texel positions are clamped to the texture before the cast"
)]

mod plain;

use std::sync::OnceLock;

use resvg::{tiny_skia, usvg};

use crate::canvas::{Rgb, srgb_decode, srgb_encode};
use crate::catalogue::{Catalogue, Sign};
use crate::num::{floor_small, to_u8};
use crate::plate::Face;

use plain::Plain;

include!(concat!(env!("OUT_DIR"), "/svgs.rs"));

/// Texels along the longer side of [`texture`].
pub const TEXELS: u32 = 384;

/// The drawings: class id, name, SVG text; sorted by id.
#[must_use]
pub fn svgs() -> &'static [(u16, &'static str, &'static str)] {
    SVGS
}

/// Why a drawing could not be rasterized.
#[derive(Debug, thiserror::Error)]
#[error("art of sign {id}: {problem}")]
pub struct ArtError {
    /// Class id.
    pub id: u16,
    /// What is wrong.
    pub problem: String,
}

/// One level of the pyramid, sRGB, 8 bits; box-filtered in linear light.
#[derive(Clone, Debug)]
struct Level {
    width: usize,
    height: usize,
    texels: Vec<[u8; 3]>,
}

/// A face as square texels with mip levels.
#[derive(Clone, Debug)]
pub struct Texture {
    /// Texels across.
    pub width: usize,
    /// Texels down.
    pub height: usize,
    /// Edge of a texel, millimetres.
    pub texel_mm: f32,
    /// Coverage of the finest level by the drawing, 0 to 255, rows from the top.
    pub alpha: Vec<u8>,
    size_mm: [f32; 2],
    levels: Vec<Level>,
    plain: Plain,
}

/// Linear light of an 8-bit sRGB value.
#[inline]
fn decode_table() -> &'static [f32; 256] {
    static TABLE: OnceLock<[f32; 256]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = [0.0; 256];
        for (byte, value) in (0..=u8::MAX).zip(table.iter_mut()) {
            *value = srgb_decode(f32::from(byte) / 255.0);
        }
        table
    })
}

/// Linear light of a texel.
#[inline]
fn decode([r, g, b]: [u8; 3]) -> Rgb {
    let table = decode_table();
    Rgb::new(table[usize::from(r)], table[usize::from(g)], table[usize::from(b)])
}

/// The texture of a sign at [`TEXELS`], made on the first call for its class.
///
/// # Panics
/// Only if embedded art is broken, which a test of this crate excludes.
#[must_use]
pub fn texture(sign: &Sign) -> &'static Texture {
    static TEXTURES: OnceLock<Vec<OnceLock<Texture>>> = OnceLock::new();
    let all =
        TEXTURES.get_or_init(|| Catalogue::get().signs().iter().map(|_| OnceLock::new()).collect());
    all[usize::from(sign.id)].get_or_init(|| match rasterize(sign, TEXELS) {
        Ok(texture) => texture,
        Err(error) => panic!("{error}"),
    })
}

/// Rasterize the drawing of a sign with `texels` along its longer side.
///
/// # Errors
/// If there is no drawing, it cannot be parsed, or `texels` is 0.
pub fn rasterize(sign: &Sign, texels: u32) -> Result<Texture, ArtError> {
    let fail = |problem: String| ArtError { id: sign.id, problem };
    let (_, _, svg) = SVGS
        .get(usize::from(sign.id))
        .ok_or_else(|| fail("no SVG file, add it to datasets/signs".to_owned()))?;
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default())
        .map_err(|e| fail(format!("not an SVG drawing: {e}")))?;
    let [w_mm, h_mm] = sign.size_mm;
    let texel_mm = w_mm.max(h_mm) / texels as f32;
    let count = |mm: f32| ((mm / texel_mm - 1e-3).ceil().max(1.0)) as u32;
    let mut pixmap = tiny_skia::Pixmap::new(count(w_mm), count(h_mm))
        .ok_or_else(|| fail(format!("expected a size in texels, found {texels}")))?;
    // the drawing's own size may differ from the plate's by rounding
    let scale = tiny_skia::Transform::from_scale(
        w_mm / tree.size().width() / texel_mm,
        h_mm / tree.size().height() / texel_mm,
    );
    resvg::render(&tree, scale, &mut pixmap.as_mut());
    let (width, height) = (pixmap.width() as usize, pixmap.height() as usize);
    let alpha = pixmap.pixels().iter().map(|p| p.alpha()).collect();
    let mut colours: Vec<Option<[u8; 3]>> = pixmap
        .pixels()
        .iter()
        .map(|p| {
            let c = p.demultiply();
            (p.alpha() > 127).then(|| [c.red(), c.green(), c.blue()])
        })
        .collect();
    spread(&mut colours, width, height);
    let texels = colours.into_iter().map(Option::unwrap_or_default).collect();
    let mut levels = vec![Level { width, height, texels }];
    while let Some(next) = levels.last().and_then(halve) {
        levels.push(next);
    }
    let plain = Plain::new(&levels[0]);
    Ok(Texture { width, height, texel_mm, alpha, size_mm: sign.size_mm, levels, plain })
}

/// Continue the colours outside the drawing, from the nearest texel in steps to the four
/// neighbours, so that filtering at the edge never mixes in emptiness.
fn spread(colours: &mut [Option<[u8; 3]>], width: usize, height: usize) {
    // those with an empty neighbour alone pass their colour on
    let mut front = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            let empty = |j: usize| colours[j].is_none();
            let passes = x > 0 && empty(i - 1)
                || x + 1 < width && empty(i + 1)
                || y > 0 && empty(i - width)
                || y + 1 < height && empty(i + width);
            if passes && colours[i].is_some() {
                front.push(i);
            }
        }
    }
    while !front.is_empty() {
        let mut next = Vec::new();
        for &i in &front {
            let (x, y) = (i % width, i / width);
            let neighbours = [
                (x > 0).then(|| i - 1),
                (x + 1 < width).then(|| i + 1),
                (y > 0).then(|| i - width),
                (y + 1 < height).then(|| i + width),
            ];
            for j in neighbours.into_iter().flatten() {
                if colours[j].is_none() {
                    colours[j] = colours[i];
                    next.push(j);
                }
            }
        }
        front = next;
    }
}

/// The next coarser level: mean of 2 x 2 texels in linear light; `None` after one texel.
fn halve(fine: &Level) -> Option<Level> {
    if fine.width == 1 && fine.height == 1 {
        return None;
    }
    let (width, height) = (fine.width.div_ceil(2), fine.height.div_ceil(2));
    let linear = decode_table();
    let mut texels = Vec::with_capacity(width * height);
    let mean = |four: [[u8; 3]; 4]| {
        // most of a sign is flat colour
        if four[1..].iter().all(|t| *t == four[0]) {
            return four[0];
        }
        core::array::from_fn(|k| {
            let sum: f32 = four.iter().map(|t| linear[usize::from(t[k])]).sum();
            to_u8(srgb_encode(0.25 * sum))
        })
    };
    for rows in fine.texels.chunks(2 * fine.width) {
        // the last row and the last column stand for themselves if their number is odd
        let (upper, lower) = rows.split_at(fine.width);
        let lower = if lower.is_empty() { upper } else { lower };
        for (a, b) in upper.chunks(2).zip(lower.chunks(2)) {
            let last = a.len() - 1;
            texels.push(mean([a[0], a[last], b[0], b[last]]));
        }
    }
    Some(Level { width, height, texels })
}

impl Level {
    /// Bilinear sample in linear light; texel centres at .5, clamped at the border.
    #[inline]
    fn sample(&self, x: f32, y: f32) -> Rgb {
        let axis = |v: f32, size: usize| {
            let last = (size - 1) as f32;
            let v = (v - 0.5).clamp(0.0, last);
            let i = floor_small(v);
            (i as usize, (i as usize + 1).min(size - 1), v - i as f32)
        };
        let (x0, x1, fx) = axis(x, self.width);
        let (y0, y1, fy) = axis(y, self.height);
        let at = |x: usize, y: usize| self.texels[y * self.width + x];
        let four = [at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1)];
        // most of a sign is flat colour, and between equal numbers there is nothing to interpolate
        if four[1..].iter().all(|t| *t == four[0]) {
            return decode(four[0]);
        }
        let [a, b, c, d] = four.map(decode);
        a.mix(b, fx).mix(c.mix(d, fx), fy)
    }
}

impl Texture {
    /// What [`Texture::sample`] gives at all points no farther than `radius_mm` in x and y, if it is known
    /// to be the same.
    #[must_use]
    #[inline]
    fn plain_colour(&self, x_mm: f32, y_mm: f32, radius_mm: f32, footprint_mm: f32) -> Option<Rgb> {
        let u = (x_mm + 0.5 * self.size_mm[0]) / self.texel_mm;
        let v = (0.5 * self.size_mm[1] - y_mm) / self.texel_mm;
        // A sample takes two texels each way, on the coarser of two levels at most this wide; one more for
        // the rounding.
        let widest = 2.0 * (footprint_mm / self.texel_mm).max(1.0);
        self.plain.colour(u, v, radius_mm / self.texel_mm + 2.0 * widest + 1.0).map(decode)
    }

    /// Linear-light reflectance around a point, millimetres from the plate's centre, x right, y up,
    /// averaged over about `footprint_mm`; outside the drawing the colour of its edge.
    #[must_use]
    #[inline]
    pub fn sample(&self, x_mm: f32, y_mm: f32, footprint_mm: f32) -> Rgb {
        let u = (x_mm + 0.5 * self.size_mm[0]) / self.texel_mm;
        let v = (0.5 * self.size_mm[1] - y_mm) / self.texel_mm;
        // the level is piecewise linear between powers of two: no logarithm
        let mut texels = (footprint_mm / self.texel_mm).max(1.0);
        let (mut level, mut scale) = (0, 1.0);
        while texels >= 2.0 && level + 1 < self.levels.len() {
            texels *= 0.5;
            scale *= 0.5;
            level += 1;
        }
        let fine = self.levels[level].sample(u * scale, v * scale);
        let t = (texels - 1.0).min(1.0);
        if t < 0.02 || level + 1 == self.levels.len() {
            return fine;
        }
        fine.mix(self.levels[level + 1].sample(u * scale * 0.5, v * scale * 0.5), t)
    }
}

/// The printed side of a catalogued sign.
#[derive(Clone, Copy, Debug)]
pub struct SignFace {
    sign: &'static Sign,
    texture: &'static Texture,
}

impl SignFace {
    /// The face of a class, if there is one.
    #[must_use]
    pub fn new(class: u16) -> Option<Self> {
        let sign = Catalogue::get().sign(class)?;
        Some(Self { sign, texture: texture(sign) })
    }

    /// The sign.
    #[must_use]
    pub fn sign(&self) -> &'static Sign {
        self.sign
    }
}

impl Face for SignFace {
    fn signed_distance_mm(&self, x: f32, y: f32) -> f32 {
        self.sign.outline.signed_distance_mm(x, y)
    }

    fn signed_distances_mm(&self, x: &[f32], y: &[f32], distances: &mut [f32]) {
        self.sign.outline.signed_distances_mm(x, y, distances);
    }

    fn half_mm(&self) -> [f32; 2] {
        self.sign.size_mm.map(|v| 0.5 * v)
    }

    #[inline]
    fn colour(&self, x: f32, y: f32, footprint: f32) -> Rgb {
        self.texture.sample(x, y, footprint)
    }

    #[inline]
    fn plain_colour(&self, x: f32, y: f32, radius: f32, footprint: f32) -> Option<Rgb> {
        self.texture.plain_colour(x, y, radius, footprint)
    }
}

#[cfg(test)]
#[path = "art_tests.rs"]
mod tests;
