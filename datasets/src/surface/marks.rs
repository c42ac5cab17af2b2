//! Single marks on a plate, each in a place of its own: streaks, scratches, dents, stickers.

use super::Spot;
use crate::canvas::Rgb;
use crate::num::{lerp, sin_cos};
use crate::rng::Stream;

/// Twice the most millimetres that a streak swings to a side.
pub(super) const WOBBLE: f32 = 6.0;

/// Bend of a scratch, 1/mm: times its distances from both ends.
const BEND: f32 = 0.0006;

/// Rust or soot that ran down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streak {
    x: f32,
    top: f32,
    length: f32,
    width: f32,
    strength: f32,
    pub(super) colour: Rgb,
}

impl Streak {
    /// False only where the opacity is 0.
    #[inline]
    pub(super) fn may_reach(&self, spot: Spot) -> bool {
        // noise lies within +-0.5 and the width grows by up to 0.8; a millimetre for the rounding
        let reach = 0.5 * WOBBLE + 1.8 * self.width + 0.5 * spot.footprint + 1.0;
        (spot.x - self.x).abs() <= reach && spot.y <= self.top
    }

    /// `wobble` is what streaks at this height swing to the right, millimetres.
    pub(super) fn opacity_at(&self, spot: Spot, wobble: f32) -> f32 {
        let below = self.top - spot.y;
        if below < 0.0 || below > self.length {
            return 0.0;
        }
        let d = (spot.x - self.x - wobble).abs();
        // a run spreads a little on its way down and thins out
        let t = below / self.length;
        let width = self.width * (1.0 + 0.8 * t) + 0.5 * spot.footprint;
        if d > width {
            return 0.0;
        }
        let profile = 1.0 - (d / width) * (d / width);
        let start = (below / 6.0).min(1.0);
        self.strength * profile * start * (1.0 - t) * (1.0 - 0.4 * t)
    }
}

/// Streaks below the bolts and elsewhere.
pub(super) fn draw_streaks(
    s: &mut Stream,
    amount: f32,
    half: [f32; 2],
    bolts: &[[f32; 2]],
) -> Vec<Streak> {
    if amount <= 0.0 {
        return Vec::new();
    }
    let rust = Rgb::new(0.16, 0.065, 0.022);
    let soot = Rgb::new(0.065, 0.06, 0.052);
    let mut streaks = Vec::new();
    for bolt in bolts {
        for _ in 0..2 {
            streaks.push(Streak {
                x: bolt[0] + s.range(-4.0, 4.0),
                top: bolt[1] - 5.0,
                length: s.range(50.0, 60.0 + 260.0 * amount),
                width: s.range(3.0, 8.0),
                strength: (0.35 + 0.5 * amount) * s.range(0.5, 1.0),
                colour: rust.mix(soot, s.unit()),
            });
        }
    }
    let count = s.below(4) + s.below(8);
    for _ in 0..count {
        let from_top = s.chance(0.7);
        let y = s.range(-0.5, 0.95) * half[1];
        streaks.push(Streak {
            x: s.range(-0.9, 0.9) * half[0],
            top: if from_top { half[1] } else { y },
            length: s.range(0.3, 1.5) * half[1],
            width: s.range(2.5, 11.0),
            strength: (0.12 + 0.4 * amount) * s.range(0.4, 1.0),
            colour: soot.mix(rust, 0.25 * s.unit()),
        });
    }
    streaks
}

/// What a branch or a vehicle left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scratch {
    /// Middle and half size of a box around it, millimetres.
    middle: [f32; 2],
    half: [f32; 2],
    from: [f32; 2],
    along: [f32; 2],
    length: f32,
    width: f32,
    opacity: f32,
    pub(super) tone: f32,
}

impl Scratch {
    fn new(
        from: [f32; 2],
        along: [f32; 2],
        length: f32,
        width: f32,
        opacity: f32,
        tone: f32,
    ) -> Self {
        let half_way = along.map(|a| 0.5 * length * a);
        // a millimetre for the rounding
        let beside = 0.25 * BEND * length * length + 0.5 * width + 1.0;
        Self {
            middle: [from[0] + half_way[0], from[1] + half_way[1]],
            half: half_way.map(|h| h.abs() + beside),
            from,
            along,
            length,
            width,
            opacity,
            tone,
        }
    }

    /// False only where the opacity is 0.
    #[inline]
    pub(super) fn may_reach(&self, spot: Spot) -> bool {
        let pixel = 0.5 * spot.footprint;
        (spot.x - self.middle[0]).abs() <= self.half[0] + pixel
            && (spot.y - self.middle[1]).abs() <= self.half[1] + pixel
    }

    pub(super) fn opacity_at(&self, spot: Spot) -> f32 {
        let (dx, dy) = (spot.x - self.from[0], spot.y - self.from[1]);
        let t = dx * self.along[0] + dy * self.along[1];
        if t < 0.0 || t > self.length {
            return 0.0;
        }
        // slightly bent, thinner at both ends
        let end = (4.0 * t * (self.length - t) / (self.length * self.length)).min(1.0);
        let bend = BEND * t * (self.length - t);
        let d = (dx * self.along[1] - dy * self.along[0] + bend).abs();
        let width = self.width * end;
        let reach = 0.5 * (width + spot.footprint);
        if d >= reach {
            return 0.0;
        }
        // share of the pixel that the line covers
        let cover = ((reach - d) / spot.footprint).min(width / spot.footprint).min(1.0);
        self.opacity * cover
    }
}

pub(super) fn draw_scratches(s: &mut Stream, amount: f32, half: [f32; 2]) -> Vec<Scratch> {
    if amount <= 0.0 {
        return Vec::new();
    }
    // one pass of a branch or a vehicle leaves a bundle of about one direction
    let main = s.range(-0.9, 0.9);
    let count = 2 + s.below(6) + s.below(6);
    (0..count)
        .map(|_| {
            let (sin, cos) = sin_cos(main + 0.25 * s.normal());
            let from = [s.range(-0.9, 0.7) * half[0], s.range(-0.9, 0.9) * half[1]];
            let length = s.range(30.0, 60.0 + 330.0 * amount);
            let width = s.range(0.7, 1.4 + 2.4 * amount);
            let opacity = s.range(0.35, 0.8);
            let tone = if s.chance(0.65) { s.range(0.4, 0.62) } else { s.range(0.06, 0.2) };
            Scratch::new(from, [cos, sin], length, width, opacity, tone)
        })
        .collect()
}

/// A dent or a bowl; its profile is `(1 - r^2)^2`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dent {
    pub(super) at: [f32; 2],
    pub(super) radius: f32,
    /// Steepest slope.
    pub(super) slope: f32,
}

/// Dents, and the wide shallow bowls that every sheet has from cutting and mounting.
pub(super) fn draw_dents(s: &mut Stream, amount: f32, half: [f32; 2]) -> Vec<Dent> {
    let mut dent = |radius: [f32; 2], slope: [f32; 2]| Dent {
        at: [s.range(-1.0, 1.0) * half[0], s.range(-1.0, 1.0) * half[1]],
        radius: s.range(radius[0], radius[1]),
        slope: s.range(slope[0], slope[1]),
    };
    let mut dents: Vec<Dent> = (0..2).map(|_| dent([250.0, 480.0], [-0.03, 0.03])).collect();
    if amount > 0.0 {
        dents.extend((0..3).map(|_| dent([45.0, 190.0], [0.12 * amount, 0.36 * amount])));
    }
    dents
}

/// A round or rectangular sticker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sticker {
    at: [f32; 2],
    axis: [f32; 2],
    half: [f32; 2],
    round: bool,
    paper: Rgb,
    ink: Rgb,
}

impl Sticker {
    /// Its colour and opacity, if it covers any of the pixel.
    pub(super) fn colour_at(&self, spot: Spot) -> Option<(Rgb, f32)> {
        let (dx, dy) = (spot.x - self.at[0], spot.y - self.at[1]);
        let u = dx * self.axis[0] + dy * self.axis[1];
        let v = dy * self.axis[0] - dx * self.axis[1];
        let outside = if self.round {
            (u * u + v * v).sqrt() - self.half[0]
        } else {
            (u.abs() - self.half[0]).max(v.abs() - self.half[1])
        };
        let opacity = (0.5 - outside / spot.footprint).clamp(0.0, 1.0);
        if opacity <= 0.0 {
            return None;
        }
        // a blot and lines of print, too small to read
        let (un, vn) = (u / self.half[0], v / self.half[1]);
        let blot = (un + 0.35) * (un + 0.35) + vn * vn < 0.16;
        let line = un > 0.05 && un < 0.85 && (vn.abs() < 0.14 || (vn.abs() - 0.5).abs() < 0.11);
        let colour = if blot || line { self.paper.mix(self.ink, 0.85) } else { self.paper };
        Some((colour, opacity))
    }
}

pub(super) fn draw_sticker(s: &mut Stream, half: [f32; 2]) -> Sticker {
    let (sin, cos) = sin_cos(0.35 * s.normal());
    let side = s.range(22.0, 46.0);
    let round = s.chance(0.4);
    let hue =
        |s: &mut Stream| Rgb::new(s.range(0.02, 0.8), s.range(0.02, 0.7), s.range(0.02, 0.75));
    let (paper, ink) = (hue(s), hue(s));
    Sticker {
        at: [s.range(-0.6, 0.6) * half[0], s.range(-0.7, 0.6) * half[1]],
        axis: [cos, sin],
        half: [side, if round { side } else { side * s.range(0.4, 0.8) }],
        round,
        paper: if s.chance(0.5) { Rgb::grey(lerp(0.6, 0.8, s.unit())) } else { paper },
        ink,
    }
}
