//! Trees in winter: a forking skeleton of strokes with a haze of twigs.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::{sin_cos, smoothstep};
use crate::rng::Stream;

use super::painter::Painter;
use super::plants::{Habit, Tree};
use super::tile::{Field, Pattern};

/// A branch that still has to fork.
#[derive(Clone, Copy)]
struct Branch {
    from: Vec3,
    direction: Vec3,
    length: f32,
    radius: f32,
    level: u8,
}

/// Paint a tree without leaves.
pub(super) fn paint(tree: &Tree, painter: &mut Painter<'_>) {
    let mut s = Stream::from_seed(tree.seed);
    let h = tree.height;
    let Some((_, _, depth)) = painter.camera.project(tree.base.plus(Vec3::new(0.0, h * 0.5, 0.0)))
    else {
        return;
    };
    let pixels = painter.camera.focal_px * h / depth;
    // finer levels only where they can be seen
    let levels = match pixels {
        p if p > 260.0 => 6,
        p if p > 110.0 => 5,
        p if p > 45.0 => 4,
        _ => 3,
    };
    let bark = Rgb::new(0.105, 0.090, 0.074).scale(s.range(0.7, 1.5));
    twigs(tree, painter, &mut s, bark);
    let (spread, trunk) = match tree.habit {
        Habit::Column => (0.28, 0.22),
        Habit::Bush => (0.75, 0.05),
        Habit::Oval => (0.48, 0.30),
        _ => (0.62, 0.28),
    };
    let up = Vec3::new(0.0, 1.0, 0.0);
    let right = painter.facing_right(tree.base);
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let tilt = up.plus(right.scale(s.range(-0.06, 0.06))).unit();
    let mut open = vec![Branch {
        from: tree.base,
        direction: tilt,
        length: trunk * h,
        radius: h * s.range(0.014, 0.022),
        level: 0,
    }];
    while let Some(b) = open.pop() {
        // two pieces with a bend make a branch less straight
        let bend = right.scale(s.range(-0.14, 0.14)).plus(toward.scale(s.range(-0.14, 0.14)));
        let middle = b.from.plus(b.direction.scale(0.5 * b.length));
        let onward = b.direction.plus(bend).unit();
        let to = middle.plus(onward.scale(0.5 * b.length));
        let (r1, r2) = (b.radius * 0.85, b.radius * 0.7);
        if b.radius * painter.camera.focal_px / depth > 0.8 {
            painter.pole(b.from, middle, b.radius, r1, bark);
            painter.pole(middle, to, r1, r2, bark);
        } else {
            let colour = bark.times(painter.light.on(toward)).scale(0.85);
            painter.stroke(b.from, to, b.radius, r2, |_, _| colour);
        }
        if b.level >= levels {
            continue;
        }
        let children: u8 = if b.level == 0 {
            4
        } else if s.chance(0.45) {
            3
        } else {
            2
        };
        let start = s.range(0.0, 6.3);
        for i in 0..children {
            let (sin, cos) =
                sin_cos(start + f32::from(i) * core::f32::consts::TAU / f32::from(children));
            let around =
                right.scale(cos).plus(toward.scale(sin)).plus(up.scale(s.range(-0.1, 0.45)));
            let leader = i == 0 && b.level < 3;
            let turn = if leader { 0.18 } else { spread * s.range(0.75, 1.35) };
            // forks leave the branch at different heights
            let t = if leader { 1.0 } else { s.range(0.7, 1.0) };
            open.push(Branch {
                from: b.from.plus(to.minus(b.from).scale(t)),
                direction: onward.plus(around.scale(turn)).plus(up.scale(0.08)).unit(),
                length: if b.level == 0 {
                    h * s.range(0.2, 0.28)
                } else {
                    b.length * s.range(0.62, 0.86)
                },
                radius: r2 * if leader { 0.9 } else { s.range(0.5, 0.72) },
                level: b.level + 1,
            });
        }
    }
}

/// The finest twigs are too many to draw: a translucent, ragged crown.
fn twigs(tree: &Tree, painter: &mut Painter<'_>, s: &mut Stream, bark: Rgb) {
    let h = tree.height;
    let (wide, tall, middle) = tree.crown();
    let (rx, ry) = (wide * h * 1.05, tall * h * 1.0);
    let rough = Field::new(Pattern::Fractal, s.bits(), 0.8 * h);
    let fine = Field::new(Pattern::Blades, s.bits(), 0.22 * h);
    let base = tree.base.plus(Vec3::new(0.0, (middle * h - ry).max(0.0), 0.0));
    let colour = bark.times(painter.light.on(Vec3::new(0.0, 0.5, 0.0))).scale(1.25);
    painter.billboard(base, 2.0 * rx, 2.0 * ry, |u, v, footprint| {
        let (x, y) = (u / rx, v / ry - 1.0);
        let r2 = x * x + y * y;
        if r2 > 1.0 {
            return (Rgb::default(), 0.0);
        }
        // twigs fan out: run the pattern along the radius
        let n = rough.at(u, v, footprint);
        let strand = fine.at(u * 1.3 + v * 0.2 * x, v * 0.9 - u * 0.3 * x, footprint);
        let rim = 1.0 - smoothstep(0.45 + 0.5 * n, 0.6 + 0.5 * n, r2);
        let dense = smoothstep(0.42, 0.8, strand) * 0.5 + 0.10;
        (colour, rim * dense * smoothstep(0.2, 0.6, n))
    });
}
