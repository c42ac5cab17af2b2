//! Plant of industry: silos, tanks, chimneys with their plume, pipe bridges, yard lamps.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::facade::{band, pick_colour};
use super::painter::Painter;
use super::ridge::Shaded;
use super::street_furniture::glow;
use super::tile::{Field, Pattern, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);
/// Light of high-pressure sodium lamps.
pub const SODIUM: Rgb = Rgb::new(1.0, 0.5, 0.12);

/// A silo of sheet steel on a skirt or on legs, with conical roof, ladder and handrail.
pub fn silo(p: &mut Painter<'_>, base: Vec3, height: f32, radius: f32, tone: Rgb, seed: u64) {
    let stain = Field::new(Pattern::Fractal, seed, 24.0);
    let rust = Field::new(Pattern::Blades, seed ^ 1, 10.0);
    let ribbed = seed & 1 == 0;
    let legs = if seed & 2 == 0 { 0.28 * height } else { 0.0 };
    let steel = Rgb::grey(0.26);
    if legs > 0.0 {
        let right = p.facing_right(base);
        let inward = Vec3::new(-right.z, 0.0, right.x);
        for (x, z) in [(-0.85, 0.5), (0.85, 0.5), (-0.85, -0.5), (0.85, -0.5)] {
            let foot = base.plus(right.scale(x * radius)).plus(inward.scale(z * radius));
            p.pole(foot, foot.plus(UP.scale(legs)), 0.16, 0.16, steel);
        }
        let side = right.scale(0.85 * radius);
        p.pole(base.minus(side), base.plus(side).plus(UP.scale(legs)), 0.07, 0.07, steel);
        p.pole(base.plus(side), base.minus(side).plus(UP.scale(legs)), 0.07, 0.07, steel);
        // hopper
        let spout = base.plus(UP.scale(0.25 * legs));
        p.cylinder(spout, 0.75 * legs, 0.22, radius, |_, _, _, lit| lit.times(tone).scale(0.6));
    }
    let foot = base.plus(UP.scale(legs));
    let wall = height - legs;
    p.cylinder(foot, wall, radius, radius, |s, v, fp, lit| {
        let turn = 1.4 * s * radius;
        let ring = band(fract(v / 2.4) * 2.4, 0.0, 0.07, fp);
        let fade = 1.0 - smoothstep(0.08, 0.25, fp);
        let wave =
            if ribbed { 0.22 * fade * ((fract(v / 0.34) - 0.5).abs() - 0.25) * 4.0 } else { 0.0 };
        let streak = 0.3 * rust.signed(turn, 0.08 * v, fp) + 0.25 * stain.signed(turn, v, fp);
        let brown = smoothstep(0.62, 0.9, rust.at(turn + 3.0, 0.1 * v, fp))
            * smoothstep(0.4, 1.0, v / wall);
        let c = tone.scale(1.0 + wave + streak - 0.25 * ring);
        let c = c.mix(Rgb::srgb8(120, 84, 60), 0.35 * brown);
        // the sky mirrored along the flank
        let gleam = smoothstep(0.25, 0.0, (s + 0.45).abs()) * 0.12;
        c.times(lit).plus(lit.scale(gleam))
    });
    let top = foot.plus(UP.scale(wall));
    p.cylinder(top, 0.32 * radius, radius, 0.15, |_, _, _, lit| lit.times(tone).scale(0.85));
    // ladder with cage on the side to the camera, rail round the top
    let right = p.facing_right(base);
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let at = base.plus(toward.scale(radius)).plus(right.scale(0.3 * radius));
    for x in [-0.3, 0.3] {
        let rail = at.plus(right.scale(x));
        p.pole(
            rail.plus(UP.scale(0.4)),
            rail.plus(UP.scale(height + 0.8)),
            0.04,
            0.04,
            steel.scale(0.6),
        );
    }
    for x in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let z: f32 = 1.0 - x * x;
        let post = top.plus(right.scale(x * radius)).plus(toward.scale(z.max(0.0).sqrt() * radius));
        p.pole(post, post.plus(UP.scale(1.1)), 0.035, 0.035, steel);
    }
    let rail = |h: f32| top.plus(UP.scale(h));
    for h in [0.55, 1.1] {
        p.pole(
            rail(h).minus(right.scale(radius)),
            rail(h).plus(right.scale(radius)),
            0.03,
            0.03,
            steel,
        );
    }
}

/// A spherical gas tank on legs.
pub fn gas_sphere(p: &mut Painter<'_>, base: Vec3, radius: f32, seed: u64) {
    let stain = Field::new(Pattern::Fractal, seed, 26.0);
    let right = p.facing_right(base);
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let lift = 0.35 * radius;
    for x in [-0.92_f32, -0.6, -0.2, 0.2, 0.6, 0.92] {
        let foot = base.plus(right.scale(x * radius));
        p.pole(foot, foot.plus(UP.scale(lift + radius)), 0.22, 0.22, Rgb::grey(0.42));
    }
    let light = Shaded::new(&p.light, right, toward);
    p.billboard(base.plus(UP.scale(lift)), 2.05 * radius, 2.05 * radius, |u, v, fp| {
        let (x, y) = (u / radius, v / radius - 1.0);
        let r = x * x + y * y;
        let cover = ((1.0 - r.sqrt()) * radius / fp + 0.5).clamp(0.0, 1.0);
        let z = (1.0 - r).max(0.0).sqrt();
        let seam = band((x / z.max(0.2) * 1.4).abs() - 0.9, -0.02, 0.02, fp / radius).max(band(
            y.abs() - 0.5,
            -0.01,
            0.01,
            fp / radius,
        ));
        let tone = 0.62 + 0.2 * stain.signed(u, 0.4 * v, fp) - 0.12 * seam;
        (light.at(x, y, z).scale(tone), cover)
    });
    let top = base.plus(UP.scale(lift + 2.0 * radius));
    p.pole(
        top.minus(right.scale(1.4)).plus(UP.scale(1.0)),
        top.plus(right.scale(1.4)).plus(UP.scale(1.0)),
        0.05,
        0.05,
        Rgb::grey(0.3),
    );
    // stairs up the flank
    let foot = base.plus(right.scale(1.35 * radius)).plus(toward.scale(0.3 * radius));
    p.pole(foot, top.plus(UP.scale(0.4)), 0.16, 0.12, Rgb::grey(0.22));
}

/// A tall chimney: brick, concrete with red and white rings, or bare steel.
pub fn chimney(p: &mut Painter<'_>, base: Vec3, height: f32, radius: f32, seed: u64) {
    let stain = Field::new(Pattern::Fractal, seed, 30.0);
    let kind = seed % 3;
    let c = Rgb::srgb8;
    let (body, lean) = match kind {
        0 => (c(132, 78, 60), 0.58),
        1 => (c(168, 164, 154), 0.68),
        _ => (c(150, 154, 156), 1.0),
    };
    p.cylinder(base, height, radius, lean * radius, |s, v, fp, lit| {
        let from_top = height - v;
        let mut a = body.scale(1.0 + 0.3 * stain.signed(3.0 * s, 0.25 * v, fp));
        match kind {
            0 => {
                let hoop = band(fract(v / 3.2) * 3.2, 0.0, 0.1, fp);
                a = a.scale(1.0 - 0.35 * hoop);
                a = a.scale(1.0 + 0.25 * band(from_top, 0.0, 1.6, fp));
            }
            1 => {
                let ring = fract(from_top / 7.0) * 7.0;
                let painted = band(from_top, -1.0, 21.0, fp);
                let red = band(ring, -1.0, 3.5, fp);
                a = a.mix(Rgb::grey(0.55).mix(c(176, 46, 38), red), painted);
            }
            _ => a = a.scale(1.0 - 0.3 * band(fract(v / 6.0) * 6.0, 0.0, 0.18, fp)),
        }
        // soot below the mouth
        a.scale(1.0 - 0.55 * smoothstep(3.0, 0.0, from_top)).times(lit)
    });
    let right = p.facing_right(base);
    for part in [0.62, 0.97] {
        let r = radius * (1.0 + (lean - 1.0) * part) + 0.7;
        let at = base.plus(UP.scale(part * height));
        for h in [0.0, 1.1] {
            let at = at.plus(UP.scale(h));
            p.pole(at.minus(right.scale(r)), at.plus(right.scale(r)), 0.07, 0.07, Rgb::grey(0.16));
        }
    }
    if p.light.dusk > 0.2 {
        let top = base.plus(UP.scale(height));
        glow(p, top, 1.6, Rgb::new(1.0, 0.1, 0.06).scale(p.light.dusk));
    }
}

/// Smoke or steam that leaves a mouth of the given radius and drifts to one side; `wind` is -1..1.
pub fn plume(p: &mut Painter<'_>, mouth: Vec3, radius: f32, wind: f32, steam: bool, seed: u64) {
    let puffs = Field::new(Pattern::Fractal, seed, 34.0 * radius);
    let fine = Field::new(Pattern::Fractal, seed ^ 1, 12.0 * radius);
    let right = p.facing_right(mouth).scale(if wind < 0.0 { -1.0 } else { 1.0 });
    let strength = wind.abs().max(0.15);
    let length = 46.0 * radius;
    let rise = length * (1.05 - 0.75 * strength);
    let lit = p.light.sky.scale(0.95).plus(p.light.sun.scale(0.55));
    let dark = p.light.sky.scale(0.55).plus(p.light.sun.scale(0.1));
    let tone = if steam { Rgb::grey(0.98) } else { Rgb::new(0.62, 0.6, 0.58) };
    let corner = mouth.minus(right.scale(2.0 * radius)).minus(UP.scale(0.3 * radius));
    let width = length * (0.35 + 0.65 * strength) + 2.0 * radius;
    p.quad(corner, right.scale(width), UP.scale(1.25 * rise), |u, v, fp| {
        let (x, y) = ((u - 2.0 * radius) / radius, (v - 0.3 * radius) / radius);
        // the axis bends from upward to the wind's direction
        let reach = width / radius;
        let t = (x / reach).clamp(-0.1, 1.0);
        let axis = rise / radius * (t.max(0.0) * (1.7 - 0.9 * t)).sqrt() * 0.8;
        let half = 0.9 + 7.5 * t.max(0.0) + 0.09 * y.max(0.0);
        let n = 0.65 * puffs.at(u - 0.4 * v, v, fp) + 0.35 * fine.at(u, v, fp);
        let away = (y - axis).abs() / (half * 1.6 + 0.35 * axis * (1.0 - smoothstep(0.0, 0.12, t)));
        let body = 1.25 - away - 1.5 * (0.5 - n);
        let side = smoothstep(-1.8, 0.2, x) * smoothstep(-0.3, 0.3, y);
        let fade = (1.0 - t).max(0.0) * (if steam { 0.92 } else { 0.62 });
        let cover = smoothstep(0.25, 0.85, body) * side * fade;
        if cover <= 0.003 {
            return (Rgb::default(), 0.0);
        }
        let bulge = smoothstep(-0.6, 0.7, (y - axis) / half + 2.2 * (n - 0.5));
        (dark.mix(lit, bulge).times(tone), cover)
    });
}

/// Pipes on steel trestles from one point to another, `height` metres above the ground.
pub fn pipe_bridge(p: &mut Painter<'_>, from: Vec3, to: Vec3, height: f32, seed: u64) {
    let mut s = Stream::from_seed(seed);
    let edge = to.minus(from);
    let along = edge.unit();
    let across = Vec3::new(-along.z, 0.0, along.x);
    let steel = pick_colour(&mut s, &[(92, 98, 102), (74, 92, 108), (112, 78, 62), (96, 112, 92)]);
    let up = UP.scale(height);
    let bays = (edge.length() / 9.0).floor().max(1.0);
    // trestles
    let mut i = 0.0;
    while i <= bays {
        let foot = from.plus(edge.scale(i / bays));
        for z in [1.1, -1.1] {
            let foot = foot.plus(across.scale(z));
            p.pole(foot, foot.plus(up).plus(UP.scale(2.3)), 0.14, 0.14, steel);
        }
        for y in [0.0, 1.1, 2.2] {
            let at = foot.plus(up).plus(UP.scale(y));
            p.pole(at.minus(across.scale(1.2)), at.plus(across.scale(1.2)), 0.1, 0.1, steel);
        }
        i += 1.0;
    }
    // girders and pipes
    for z in [1.1, -1.1] {
        let shift = across.scale(z).plus(up);
        for y in [-0.1, 2.3] {
            let shift = shift.plus(UP.scale(y));
            p.pole(from.plus(shift), to.plus(shift), 0.11, 0.11, steel);
        }
        let half_bays = 2.0 * bays;
        let mut k = 0.0;
        while k < half_bays {
            let (a, b) = if fract(0.5 * k) < 0.25 { (-0.1, 2.3) } else { (2.3, -0.1) };
            let at =
                |t: f32, y: f32| from.plus(edge.scale(t / half_bays)).plus(shift).plus(UP.scale(y));
            p.pole(at(k, a), at(k + 1.0, b), 0.06, 0.06, steel);
            k += 1.0;
        }
        for (level, count) in [(0.15, 2_u8), (1.25, 2)] {
            for j in 0..count {
                let radius = s.range(0.14, 0.42);
                let tone = pick_colour(
                    &mut s,
                    &[
                        (188, 190, 190),
                        (170, 172, 170),
                        (196, 156, 50),
                        (128, 86, 62),
                        (84, 112, 92),
                    ],
                );
                let shift = up
                    .plus(across.scale(z * (0.25 + 0.55 * f32::from(j))))
                    .plus(UP.scale(level + radius));
                p.pole(from.plus(shift), to.plus(shift), radius, radius, tone);
            }
        }
    }
}

/// A tall lamp of the yard with two sodium heads.
pub fn yard_lamp(p: &mut Painter<'_>, foot: Vec3, height: f32, right: Vec3) {
    let top = foot.plus(UP.scale(height));
    p.pole(foot, top, 0.11, 0.07, Rgb::grey(0.24));
    for side in [-1.0, 1.0] {
        let head = top.plus(right.scale(0.9 * side));
        p.pole(top, head, 0.05, 0.05, Rgb::grey(0.24));
        p.pole(head, head.plus(right.scale(0.7 * side)), 0.13, 0.1, Rgb::grey(0.3));
        if p.light.dusk > 0.2 {
            let lamp = head.plus(right.scale(0.35 * side)).minus(UP.scale(0.15));
            glow(p, lamp, 1.3, SODIUM.scale(0.25 + 0.75 * p.light.dusk));
        }
    }
}
