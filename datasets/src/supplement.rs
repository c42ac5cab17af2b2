//! The supplementary plate beside some signs: white, black rim, random bars or an arrow. It is
//! furniture: not part of the mask, and drawn without regard to the class.

use crate::canvas::Rgb;
use crate::plate::Face;
use crate::rng::Stream;

/// A white rectangular plate with black bars that cannot be read.
#[derive(Clone, Debug)]
pub struct Supplement {
    half: [f32; 2],
    bars: Vec<Bar>,
    arrow: bool,
}

/// A black rectangle: centre and half size, millimetres.
#[derive(Clone, Copy, Debug)]
struct Bar {
    at: [f32; 2],
    half: [f32; 2],
}

const CORNER_MM: f32 = 20.0;

impl Supplement {
    /// A plate of random height and contents, 420 or 600 mm wide.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut s = Stream::from_seed(seed);
        let half = if s.chance(0.6) {
            [210.0, s.range(105.0, 130.0)]
        } else {
            [300.0, s.range(150.0, 168.0)]
        };
        let arrow = s.chance(0.3);
        let mut bars = Vec::new();
        if !arrow {
            let rows = 1 + s.below(2);
            for row in 0..rows {
                let y = if rows == 1 { 0.0 } else { half[1] * (0.36 - 0.72 * row as f32) };
                let height = half[1] * if rows == 1 { 0.34 } else { 0.22 };
                // letters as blocks: unreadable, but of the density of print
                let mut x = -half[0] * s.range(0.45, 0.8);
                let end = -x;
                while x < end {
                    let width = height * s.range(0.25, 0.6);
                    let tall = height * if s.chance(0.2) { 0.62 } else { 1.0 };
                    bars.push(Bar { at: [x + width, y - (height - tall)], half: [width, tall] });
                    let wide_gap = s.chance(0.2);
                    let gap = height * s.range(0.22, if wide_gap { 1.2 } else { 0.4 });
                    x += 2.0 * width + gap;
                }
            }
        }
        Self { half, bars, arrow }
    }

    fn ink(&self, x: f32, y: f32) -> f32 {
        let boxed = |bar: &Bar| {
            ((x - bar.at[0]).abs() - bar.half[0]).max((y - bar.at[1]).abs() - bar.half[1])
        };
        let bars = self.bars.iter().map(boxed).fold(f32::MAX, f32::min);
        let rim = (self.signed_distance_mm(x, y) + 11.0).abs() - 5.0;
        let mut ink = bars.min(rim);
        if self.arrow {
            let shaft = (y.abs() - 0.10 * self.half[1]).max(x.abs() - 0.55 * self.half[0]);
            let tip = 0.62 * self.half[0];
            let head = ((x.abs() - tip) * 0.6 + y.abs() * 0.8).max(0.36 * self.half[0] - x.abs());
            ink = ink.min(shaft).min(head);
        }
        ink
    }
}

impl Face for Supplement {
    fn signed_distance_mm(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x.abs() - self.half[0] + CORNER_MM, y.abs() - self.half[1] + CORNER_MM);
        let (ox, oy) = (dx.max(0.0), dy.max(0.0));
        (ox * ox + oy * oy).sqrt() + dx.max(dy).min(0.0) - CORNER_MM
    }

    fn half_mm(&self) -> [f32; 2] {
        self.half
    }

    fn colour(&self, x: f32, y: f32, footprint: f32) -> Rgb {
        let black = (0.5 - self.ink(x, y) / footprint).clamp(0.0, 1.0);
        Rgb::grey(0.78).mix(Rgb::grey(0.03), black)
    }
}
