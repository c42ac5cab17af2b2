//! Things of the open country: pylons, turbines, masts with wires, bales, fences, marker posts, barriers.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::{sin_cos, smoothstep};
use crate::rng::Stream;

use super::painter::Painter;
use super::place::Place;
use super::scene::Scene;
use super::tile::{Field, Pattern, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

fn steel() -> Rgb {
    Rgb::new(0.23, 0.24, 0.25)
}

/// A lattice tower of a power line; `across` is the unit direction of its arms.
pub fn pylon(painter: &mut Painter<'_>, base: Vec3, across: Vec3, height: f32) {
    let colour = steel().times(painter.light.on(UP.scale(0.4))).scale(0.8);
    let along = Vec3::new(-across.z, 0.0, across.x);
    let foot = 0.095 * height;
    let corner = |level: f32, i: u8| {
        // straight taper to the lower arm, then slender
        let half = foot * (1.0 - level / 0.72).max(0.0) * 0.86 + 0.014 * height * (1.1 - level);
        let (a, b) = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)][usize::from(i & 3)];
        base.plus(UP.scale(level * height)).plus(across.scale(a * half)).plus(along.scale(b * half))
    };
    let r = 0.0034 * height;
    let levels = [0.0, 0.16, 0.30, 0.42, 0.52, 0.61, 0.69, 0.77, 0.85, 0.93, 1.0];
    for pair in levels.windows(2) {
        let (low, high) = (pair[0], pair[1]);
        for i in 0..4 {
            let next = (i + 1) & 3;
            painter.stroke(corner(low, i), corner(high, i), r, r, |_, _| colour);
            painter.stroke(corner(low, i), corner(high, next), 0.6 * r, 0.6 * r, |_, _| colour);
            painter.stroke(corner(low, next), corner(high, i), 0.6 * r, 0.6 * r, |_, _| colour);
        }
    }
    for (level, half) in pylon_arms(height) {
        for side in [-1.0, 1.0] {
            let tip = base.plus(UP.scale(level * height)).plus(across.scale(side * half));
            for i in 0..4 {
                painter.stroke(corner(level + 0.035, i), tip, 0.7 * r, 0.5 * r, |_, _| colour);
                painter.stroke(corner(level, i), tip, 0.7 * r, 0.5 * r, |_, _| colour);
            }
            for k in 1..4_u8 {
                let t = f32::from(k) * 0.25;
                let root = base.plus(UP.scale(level * height));
                let lower = root.plus(tip.minus(root).scale(t));
                let upper = lower.plus(UP.scale(0.035 * height * (1.0 - t)));
                painter.stroke(lower, upper, 0.5 * r, 0.5 * r, |_, _| colour);
            }
            let insulator = tip.minus(UP.scale(0.035 * height));
            painter.stroke(tip, insulator, 0.9 * r, 0.9 * r, |_, _| colour.scale(0.6));
        }
    }
}

/// Level (share of the height) and half length (metres) of a pylon's arms.
fn pylon_arms(height: f32) -> [(f32, f32); 2] {
    [(0.70, 0.26 * height), (0.87, 0.17 * height)]
}

/// A power line: towers on a straight line with sagging conductors between them.
pub fn power_line(scene: &mut Scene<'_>, towers: &[Vec3], height: f32) {
    let Some((first, last)) = towers.first().zip(towers.last()) else { return };
    let run = last.minus(*first).unit();
    let across = Vec3::new(-run.z, 0.0, run.x);
    for pair in towers.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let middle = a.plus(b).scale(0.5);
        scene.add_at(middle, move |p| {
            let colour = Rgb::new(0.05, 0.05, 0.055).times(p.light.on(UP));
            for (level, half) in pylon_arms(height) {
                for part in [-1.0, -0.55, 0.55, 1.0] {
                    let up = UP.scale((level - 0.035) * height);
                    let side = across.scale(part * half);
                    p.wire(
                        a.plus(up).plus(side),
                        b.plus(up).plus(side),
                        0.16 * height,
                        0.035,
                        colour,
                    );
                }
            }
            let top = UP.scale(height);
            p.wire(a.plus(top), b.plus(top), 0.11 * height, 0.02, colour);
        });
    }
    for &tower in towers {
        scene.add_at(tower, move |p| pylon(p, tower, across, height));
    }
}

/// A wind turbine, `height` metres to the hub; `facing` is the unit direction of its axis.
pub fn wind_turbine(painter: &mut Painter<'_>, base: Vec3, height: f32, facing: Vec3, phase: f32) {
    let white = Rgb::new(0.74, 0.75, 0.76);
    let hub = base.plus(UP.scale(height));
    let (bottom, top) = (0.022 * height, 0.011 * height);
    painter.pole(base, hub, bottom, top, white);
    let side = Vec3::new(facing.z, 0.0, -facing.x);
    let nacelle = facing.scale(0.045 * height);
    painter.pole(hub.minus(nacelle), hub.plus(nacelle), 0.018 * height, 0.016 * height, white);
    let nose = hub.plus(facing.scale(0.05 * height));
    for k in 0..3_u8 {
        let (sin, cos) = sin_cos(phase + f32::from(k) * core::f32::consts::TAU / 3.0);
        let out = side.scale(sin).plus(UP.scale(cos));
        let length = 0.62 * height;
        let shoulder = nose.plus(out.scale(0.18 * length));
        let tip = nose.plus(out.scale(length));
        painter.pole(nose, shoulder, 0.008 * height, 0.013 * height, white);
        painter.pole(shoulder, tip, 0.013 * height, 0.002 * height, white);
    }
}

/// A row of wooden masts with wires along the road.
pub fn mast_line(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, across: f32) {
    let spacing = s.range(24.0, 38.0);
    let height = s.range(7.0, 9.5);
    let start = s.range(-24.0, 2.0);
    let cross_arm = s.chance(0.6);
    let mut previous: Option<Vec3> = None;
    for i in 0..8_u8 {
        let along = start + spacing * f32::from(i);
        let base = place.at(across + s.range(-0.2, 0.2), along);
        let right = place.road.right();
        if let Some(before) = previous {
            scene.add_at(before.plus(base).scale(0.5), move |p| {
                let colour = Rgb::new(0.03, 0.03, 0.03).times(p.light.on(UP));
                for part in [-0.75, 0.0, 0.75] {
                    let (side, up) = if cross_arm {
                        (right.scale(part), height - 0.35)
                    } else {
                        (right.scale(0.12), height - 0.35 - 0.5 * (part + 0.75))
                    };
                    let at = |q: Vec3| q.plus(side).plus(UP.scale(up));
                    p.wire(at(before), at(base), 0.025 * spacing, 0.011, colour);
                }
            });
        }
        let brown = Rgb::new(0.13, 0.10, 0.075).scale(s.range(0.8, 1.3));
        scene.add_on_ground(move |p| p.ground_shadow(base, 0.16, height));
        scene.add_at(base, move |p| {
            p.pole(base, base.plus(UP.scale(height)), 0.13, 0.09, brown);
            if cross_arm {
                let bar = base.plus(UP.scale(height - 0.5));
                p.pole(bar.minus(right.scale(0.9)), bar.plus(right.scale(0.9)), 0.05, 0.05, brown);
            }
            for part in [-0.75, 0.0, 0.75] {
                let foot = if cross_arm {
                    base.plus(right.scale(part)).plus(UP.scale(height - 0.5))
                } else {
                    base.plus(right.scale(0.12)).plus(UP.scale(height - 0.5 - 0.5 * (part + 0.75)))
                };
                p.pole(foot, foot.plus(UP.scale(0.17)), 0.03, 0.02, Rgb::new(0.5, 0.52, 0.5));
            }
        });
        previous = Some(base);
    }
}

/// A round bale lying on the field, its flat side towards `axis`.
pub fn round_bale(
    painter: &mut Painter<'_>,
    base: Vec3,
    radius: f32,
    axis: Vec3,
    straw: Rgb,
    seed: u64,
) {
    let fibre = Field::new(Pattern::Blades, seed, 1.6);
    let tone = Field::new(Pattern::Fractal, seed ^ 5, 3.0);
    let toward = painter.camera.position.minus(base);
    let axis = if axis.dot(toward) < 0.0 { axis.scale(-1.0) } else { axis };
    let half = 0.62;
    let side = Vec3::new(axis.z, 0.0, -axis.x);
    let light = painter.light;
    let ring = |a: f32, at: f32| {
        let (sin, cos) = sin_cos(a);
        base.plus(UP.scale(radius * (1.0 + cos)))
            .plus(side.scale(radius * sin))
            .plus(axis.scale(at))
    };
    // the mantle in strips, then the face with its spiral
    let steps: u8 = 20;
    for i in 0..steps {
        let width = core::f32::consts::TAU / f32::from(steps);
        let a = width * f32::from(i);
        let (sin, cos) = sin_cos(a + 0.5 * width);
        let normal = UP.scale(cos).plus(side.scale(sin));
        if normal.dot(painter.camera.position.minus(ring(a, 0.0))) <= 0.0 {
            continue;
        }
        let from = ring(a, -half);
        let lit = light.on(normal).times(straw).scale(0.55 + 0.25 * (1.0 + cos));
        painter.quad(
            from,
            axis.scale(2.0 * half),
            ring(a + width, -half).minus(from),
            |u, v, fp| {
                let n = fibre.at(u * 1.4, v + a * radius, fp);
                (lit.scale(0.62 + 0.75 * n), 1.0)
            },
        );
    }
    let lit = light.on(axis).times(straw);
    let corner = base.plus(axis.scale(half)).minus(side.scale(radius));
    let (edge_u, edge_v) = (side.scale(2.0 * radius), UP.scale(2.0 * radius));
    painter.quad(corner, edge_u, edge_v, |u, v, fp| {
        let (x, y) = (u - radius, v - radius);
        let r = (x * x + y * y).sqrt();
        let inside =
            smoothstep(-fp, fp, radius * (0.98 + 0.04 * tone.at(x * 3.0, y * 3.0, fp)) - r);
        let spiral = fibre.at(r * 6.0, 0.3 * (x + y), fp);
        let shade = (0.60 + 0.55 * spiral) * (0.75 + 0.25 * v / radius).min(1.1);
        (lit.scale(shade * (0.85 + 0.3 * tone.at(x, y, fp))), inside)
    });
}

/// Wooden posts with strands of wire along the road.
pub fn pasture_fence(
    place: &Place,
    scene: &mut Scene<'_>,
    s: &mut Stream,
    across: f32,
    rails: bool,
) {
    let spacing = s.range(2.6, 4.0);
    let height = s.range(1.0, 1.35);
    let brown = Rgb::new(0.19, 0.155, 0.12).scale(s.range(0.7, 1.3));
    let mut previous: Option<Vec3> = None;
    for i in 0..22_u8 {
        let base = place.at(across + s.range(-0.08, 0.08), spacing * f32::from(i) - 4.0);
        let top = base.plus(UP.scale(height * s.range(0.94, 1.06)));
        let before = previous.replace(base);
        scene.add_at(base, move |p| {
            if let Some(before) = before {
                for part in [0.35, 0.65, 0.92] {
                    let up = UP.scale(height * part);
                    if rails {
                        p.pole(before.plus(up), base.plus(up), 0.05, 0.05, brown);
                    } else {
                        let grey = Rgb::new(0.12, 0.12, 0.12).times(p.light.on(UP));
                        p.wire(before.plus(up), base.plus(up), 0.02, 0.004, grey);
                    }
                }
            }
            p.pole(base, top, 0.05, 0.045, brown);
        });
    }
}

/// White marker posts (Leitpfosten) with black band and reflector every 50 m on both sides.
pub fn marker_posts(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let start = s.range(-20.0, 25.0);
    for i in 0..6_u8 {
        for across in [0.9, -place.road_metres - 0.9] {
            let base = place.at(across, start + 50.0 * f32::from(i));
            let right_side = across > 0.0;
            scene.add_at(base, move |p| {
                let light = p.light.on(p.camera.position.minus(base).unit());
                p.billboard(base, 0.13, 1.0, |u, v, _| {
                    // the top is cut off at a slant, the band follows it
                    let slant = v + 0.8 * if right_side { u } else { -u };
                    if slant > 0.98 {
                        return (Rgb::default(), 0.0);
                    }
                    let band = (0.70..0.90).contains(&slant);
                    let lens = u.abs() < 0.025 && (0.73..0.87).contains(&v);
                    let albedo = if lens {
                        Rgb::new(0.7, 0.66, 0.5)
                    } else if band {
                        Rgb::grey(0.03)
                    } else {
                        Rgb::grey(0.68)
                    };
                    (albedo.times(light).scale(1.0 - 4.0 * u.abs()), 1.0)
                });
            });
        }
    }
}

/// A steel guard rail along the road: the corrugated band on posts every 2 m.
pub fn guard_rail(
    place: &Place,
    scene: &mut Scene<'_>,
    across: f32,
    from: f32,
    to: f32,
    seed: u64,
) {
    let length = 8.0;
    let count = ((to - from) / length).ceil().max(0.0);
    let stain = Field::new(Pattern::Fractal, seed, 5.0);
    let mut k = 0.0;
    while k < count {
        let start = from + k * length;
        let (a, b) = (place.at(across, start), place.at(across, start + length));
        let nearest = if a.length() < b.length() { a } else { b };
        scene.add_at(nearest, move |p| {
            let edge = b.minus(a);
            let along = edge.unit();
            let mut normal = Vec3::new(along.z, 0.0, -along.x);
            if normal.dot(p.camera.position.minus(a)) < 0.0 {
                normal = normal.scale(-1.0);
            }
            let mut t = 0.0;
            while t < 1.0 {
                let foot = a.plus(edge.scale(t));
                p.pole(foot, foot.plus(UP.scale(0.68)), 0.05, 0.05, steel().scale(0.8));
                t += 0.25;
            }
            let light = p.light;
            let lit: [Rgb; 5] = core::array::from_fn(|i| {
                let tilt = [0.8, -0.7, 0.5, 0.8, -0.8][i];
                light.on(normal.plus(UP.scale(tilt)).unit())
            });
            p.quad(a.plus(UP.scale(0.44)), edge, UP.scale(0.31), |u, v, fp| {
                // two waves: each has an upper and a lower flank
                let wave = fract(v / 0.155);
                let dent = stain.at(u, v, fp);
                let up_flank = smoothstep(0.35, 0.65, wave + 0.3 * (dent - 0.5));
                let l = lit[1].mix(lit[0], up_flank);
                let groove = 1.0 - 0.35 * (1.0 - ((v - 0.155).abs() / 0.03).min(1.0));
                (l.times(Rgb::new(0.36, 0.37, 0.38)).scale(groove * (0.8 + 0.4 * dent)), 1.0)
            });
        });
        k += 1.0;
    }
}
