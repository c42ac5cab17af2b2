//! A picture in linear light while it is being painted.

use core::ops::Range;
use std::sync::OnceLock;

use crate::num::floor;

/// Linear-light RGB, 0 = black, 1 = a white diffuse surface under the scene's full light; may exceed 1.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Rgb {
    /// Red.
    pub r: f32,
    /// Green.
    pub g: f32,
    /// Blue.
    pub b: f32,
}

impl Rgb {
    /// A colour from linear components.
    #[must_use]
    #[inline]
    pub const fn new(r: f32, g: f32, b: f32) -> Self {
        Self { r, g, b }
    }

    /// A grey.
    #[must_use]
    #[inline]
    pub const fn grey(v: f32) -> Self {
        Self { r: v, g: v, b: v }
    }

    /// A colour from sRGB-encoded 8-bit components, as colour pickers and standards give them.
    #[must_use]
    #[inline]
    pub fn srgb8(r: u8, g: u8, b: u8) -> Self {
        // a table: surfaces call this for every pixel
        static TABLE: OnceLock<[f32; 256]> = OnceLock::new();
        let table = TABLE.get_or_init(|| {
            let mut level = 0.0;
            core::array::from_fn(|_| {
                let linear = srgb_decode(level / 255.0);
                level += 1.0;
                linear
            })
        });
        Self::new(table[usize::from(r)], table[usize::from(g)], table[usize::from(b)])
    }

    /// Every component times a factor.
    #[must_use]
    #[inline]
    pub fn scale(self, k: f32) -> Self {
        Self::new(self.r * k, self.g * k, self.b * k)
    }

    /// Component-wise product: a surface colour under a light colour.
    #[must_use]
    #[inline]
    pub fn times(self, o: Self) -> Self {
        Self::new(self.r * o.r, self.g * o.g, self.b * o.b)
    }

    /// Component-wise sum.
    #[must_use]
    #[inline]
    pub fn plus(self, o: Self) -> Self {
        Self::new(self.r + o.r, self.g + o.g, self.b + o.b)
    }

    /// From self (t = 0) to the other (t = 1).
    #[must_use]
    #[inline]
    pub fn mix(self, o: Self, t: f32) -> Self {
        Self::new(
            self.r + (o.r - self.r) * t,
            self.g + (o.g - self.g) * t,
            self.b + (o.b - self.b) * t,
        )
    }

    /// Luminance with the BT.709 weights.
    #[must_use]
    #[inline]
    pub fn luminance(self) -> f32 {
        0.2126 * self.r + 0.7152 * self.g + 0.0722 * self.b
    }
}

/// sRGB transfer function (IEC 61966-2-1), encoded to linear.
#[must_use]
pub fn srgb_decode(v: f32) -> f32 {
    if v <= 0.040_45 { v / 12.92 } else { crate::num::pow((v + 0.055) / 1.055, 2.4) }
}

/// sRGB transfer function (IEC 61966-2-1), linear to encoded.
#[must_use]
pub fn srgb_encode(v: f32) -> f32 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * crate::num::pow(v, 1.0 / 2.4) - 0.055 }
}

/// A rectangle of linear-light pixels, rows from the top.
#[derive(Clone, Debug)]
pub struct Canvas {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// `width * height` pixels, row by row.
    pub pixels: Vec<Rgb>,
    /// Columns of each row that nothing of the finished picture depends on, because something opaque is
    /// going to be painted over them; painters may leave them out. Empty: there are none.
    pub unseen: Vec<Range<usize>>,
}

impl Canvas {
    /// A canvas of one colour.
    #[must_use]
    #[inline]
    pub fn new(width: usize, height: usize, fill: Rgb) -> Self {
        Self { width, height, pixels: vec![fill; width * height], unseen: Vec::new() }
    }

    /// The columns `from..to` of a row without the unseen ones: the part left of them and the part right
    /// of them, either of which may be empty.
    #[must_use]
    #[inline]
    pub fn seen(&self, y: usize, columns: Range<usize>) -> [Range<usize>; 2] {
        let (from, to) = (columns.start, columns.end);
        match self.unseen.get(y) {
            Some(gap) if !gap.is_empty() => {
                [from..to.min(gap.start).max(from), from.max(gap.end).min(to)..to]
            }
            _ => [from..to, to..to],
        }
    }

    /// Give all unseen pixels one colour.
    pub fn fill_unseen(&mut self, colour: Rgb) {
        for (row, gap) in self.pixels.chunks_exact_mut(self.width).zip(&self.unseen) {
            if let Some(pixels) = row.get_mut(gap.clone()) {
                pixels.fill(colour);
            }
        }
    }

    /// The pixel at column x, row y.
    #[must_use]
    #[inline]
    pub fn at(&self, x: usize, y: usize) -> Rgb {
        self.pixels[y * self.width + x]
    }

    /// Lay a colour over the pixel at column x, row y with the given opacity.
    #[inline]
    pub fn blend(&mut self, x: usize, y: usize, colour: Rgb, opacity: f32) {
        let p = &mut self.pixels[y * self.width + x];
        *p = p.mix(colour, opacity);
    }

    /// Bilinear sample at continuous pixel coordinates (pixel centres at .5), clamped at the border.
    #[must_use]
    #[inline]
    pub fn sample(&self, x: f32, y: f32) -> Rgb {
        let (x0, x1, fx) = neighbours(x, self.width);
        let (y0, y1, fy) = neighbours(y, self.height);
        let top = self.at(x0, y0).mix(self.at(x1, y0), fx);
        let bottom = self.at(x0, y1).mix(self.at(x1, y1), fx);
        top.mix(bottom, fy)
    }
}

/// The two nearest pixel indices to a continuous coordinate, and the weight of the second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the canvas"
)]
#[inline]
fn neighbours(x: f32, size: usize) -> (usize, usize, f32) {
    let last = (size - 1) as f32;
    let x = (x - 0.5).clamp(0.0, last);
    let i = floor(x);
    (i as usize, ((i + 1.0).min(last)) as usize, x - i)
}
