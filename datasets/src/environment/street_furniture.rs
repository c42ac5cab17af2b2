//! Lamp posts, signals, rails, fences and bins along a road.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::facade::{band, pick_colour};
use super::painter::Painter;
use super::road::Road;
use super::solids::Cuboid;
use super::tile::{Field, Pattern, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);
/// Galvanized steel.
pub const STEEL: Rgb = Rgb::new(0.30, 0.31, 0.32);

/// A lamp post whose arm reaches `reach` metres along `toward`.
pub fn lamp_post(p: &mut Painter<'_>, foot: Vec3, height: f32, toward: Vec3, reach: f32) {
    let top = foot.plus(UP.scale(height));
    let grey = Rgb::grey(0.16);
    p.pole(foot, top, 0.085, 0.05, grey);
    let head = top.plus(toward.scale(reach)).plus(UP.scale(0.25));
    p.pole(top, head, 0.045, 0.04, grey);
    p.pole(
        head.minus(toward.scale(0.1)),
        head.plus(toward.scale(0.6)),
        0.09,
        0.06,
        Rgb::grey(0.22),
    );
    if p.light.dusk > 0.25 {
        let lamp = head.plus(toward.scale(0.3)).minus(UP.scale(0.1));
        glow(p, lamp, 0.9, Rgb::new(1.0, 0.78, 0.5).scale(p.light.dusk));
    }
}

/// Light that spreads round a lamp, as a lens sees it.
pub fn glow(p: &mut Painter<'_>, at: Vec3, radius: f32, light: Rgb) {
    let base = at.minus(UP.scale(radius));
    p.billboard(base, 2.0 * radius, 2.0 * radius, |u, v, _| {
        let d = (u * u + (v - radius) * (v - radius)).sqrt() / radius;
        let t = (1.0 - d).max(0.0);
        (light.scale(0.6 + 1.4 * t * t), t * t * t)
    });
}

/// A traffic signal on a post; `state` 0 red, 1 amber, 2 green.
pub fn traffic_light(p: &mut Painter<'_>, foot: Vec3, height: f32, state: usize) {
    p.pole(foot, foot.plus(UP.scale(height)), 0.06, 0.06, Rgb::grey(0.25));
    let light = p.light.on(Vec3::new(0.0, 0.2, -1.0));
    let colours =
        [Rgb::new(1.0, 0.05, 0.03), Rgb::new(1.0, 0.45, 0.03), Rgb::new(0.05, 0.85, 0.35)];
    p.billboard(foot.plus(UP.scale(height - 0.9)), 0.32, 0.95, |u, v, fp| {
        let slot = (v / 0.316).min(2.99);
        let index = if slot < 1.0 { 2 } else { usize::from(slot < 2.0) };
        let y = (fract(slot) - 0.5) * 0.316;
        let d = (u * u + y * y).sqrt();
        let lens = band(d, -1.0, 0.1, fp);
        let shine =
            if index == state { colours[index].scale(0.9) } else { colours[index].scale(0.03) };
        (Rgb::grey(0.03).times(light).mix(shine, lens), 1.0)
    });
}

/// A W-profile guard rail with posts every 4 m, between two distances along the road.
pub fn guard_rail(p: &mut Painter<'_>, road: &Road, across: f32, from: f32, to: f32) {
    let mut b = to;
    while b > from {
        let a = (b - 4.0).max(from);
        let (near, far) = (road.world(across, 0.0, a), road.world(across, 0.0, b));
        let edge = far.minus(near);
        let side = Vec3::new(-edge.z, 0.0, edge.x).unit();
        let toward =
            if p.camera.position.minus(near).dot(side) > 0.0 { side } else { side.scale(-1.0) };
        p.pole(far, far.plus(UP.scale(0.72)), 0.05, 0.05, STEEL.scale(0.7));
        let (high, low) = (
            p.light.on(toward.plus(UP.scale(0.9)).unit()),
            p.light.on(toward.minus(UP.scale(0.9)).unit()),
        );
        p.quad(near.plus(UP.scale(0.44)), edge, UP.scale(0.31), |u, v, fp| {
            // two waves with a groove between
            let t = fract(v / 0.155 + 0.01);
            let bright = smoothstep(0.1, 0.9, t);
            let fade = smoothstep(0.06, 0.2, fp);
            let lit = low.mix(high, bright * (1.0 - fade) + 0.55 * fade);
            let joint = band(u, 0.0, 0.05, fp);
            (STEEL.times(lit).scale(1.15 - 0.4 * joint), 1.0)
        });
        b = a;
    }
}

/// A mesh fence of the given height with posts every 2.5 m.
pub fn mesh_fence(p: &mut Painter<'_>, from: Vec3, to: Vec3, height: f32, colour: Rgb) {
    let edge = to.minus(from);
    let normal = Vec3::new(-edge.z, 0.0, edge.x).unit();
    let light = p.light.on(normal).plus(p.light.on(normal.scale(-1.0))).scale(0.5);
    let wire = colour.times(light);
    p.quad(from, edge, UP.scale(height), |u, v, fp| {
        let width = 0.012;
        let (a, b) = (fract(u / 0.1) * 0.1, fract(v / 0.2) * 0.2);
        let fine = 1.0 - smoothstep(0.04, 0.12, fp);
        let mesh = band(a, 0.0, width, fp).max(band(b, 0.0, width, fp)) * fine + 0.2 * (1.0 - fine);
        let post = band(fract(u / 2.5) * 2.5, 0.0, 0.06, fp);
        let rail = band(v, height - 0.05, height, fp);
        (wire, mesh.max(post).max(rail))
    });
}

/// A fence of upright boards (`gap` 0 is a closed wall), painted or weathered.
pub fn board_fence(
    p: &mut Painter<'_>,
    from: Vec3,
    to: Vec3,
    height: f32,
    gap: f32,
    colour: Rgb,
    seed: u64,
) {
    let edge = to.minus(from);
    let normal = Vec3::new(-edge.z, 0.0, edge.x).unit();
    let toward =
        if p.camera.position.minus(from).dot(normal) > 0.0 { normal } else { normal.scale(-1.0) };
    let light = p.light.on(toward);
    let stain = Field::new(Pattern::Blades, seed, 4.0);
    p.quad(from, edge, UP.scale(height), |u, v, fp| {
        let t = fract(u / 0.14);
        let board = band(t * 0.14, gap * 0.14, 0.14, fp);
        let rails = band(v, 0.18, 0.26, fp).max(band(v, height - 0.3, height - 0.22, fp)) * 0.8;
        let tone = 0.8 + 0.5 * stain.at(u, v, fp);
        let foot = 0.65 + 0.35 * smoothstep(0.0, 0.4, v);
        let seam = 1.0 - 0.35 * band(t * 0.14, -0.01, 0.012, fp);
        (colour.times(light).scale(tone * foot * seam), board.max(rails))
    });
}

/// A low wall of stone or render with a coping.
pub fn low_wall(p: &mut Painter<'_>, from: Vec3, to: Vec3, height: f32, colour: Rgb, seed: u64) {
    let edge = to.minus(from);
    let normal = Vec3::new(-edge.z, 0.0, edge.x).unit();
    let toward =
        if p.camera.position.minus(from).dot(normal) > 0.0 { normal } else { normal.scale(-1.0) };
    let (light, top) = (p.light.on(toward), p.light.on(UP));
    let stain = Field::new(Pattern::Fractal, seed, 6.0);
    p.quad(from, edge, UP.scale(height), |u, v, fp| {
        let tone = 1.0 + 0.4 * stain.signed(u, v, fp);
        let foot = 0.6 + 0.4 * smoothstep(0.0, 0.35, v);
        (colour.times(light).scale(tone * foot), 1.0)
    });
    let back = toward.scale(-0.25);
    p.quad(from.plus(UP.scale(height)), edge, back, |u, v, fp| {
        (colour.times(top).scale(1.05 + 0.3 * stain.signed(u, v, fp)), 1.0)
    });
}

/// A wheeled refuse bin.
pub fn bin(p: &mut Painter<'_>, s: &mut Stream, foot: Vec3, right: Vec3) {
    let lid = pick_colour(s, &[(52, 52, 54), (46, 66, 112), (176, 150, 40), (92, 66, 46)]);
    let body = Cuboid::new(foot, right, 0.55, 1.0, 0.6);
    p.cuboid(&body, |f, _, v, fp| {
        let c = Rgb::grey(0.045).mix(lid, band(v, 0.92, 2.0, fp)).times(f.light);
        (c.scale(0.6 + 0.4 * v), 1.0)
    });
}

/// A bollard with a light band.
pub fn bollard(p: &mut Painter<'_>, foot: Vec3) {
    let colour = Rgb::grey(0.07);
    p.cylinder(foot, 0.95, 0.06, 0.055, |_, v, fp, light| {
        colour.mix(Rgb::grey(0.5), band(v, 0.75, 0.85, fp)).times(light)
    });
}

/// Somebody on foot, seen from afar: coat, trousers, head; `step` 0..1 is the phase of the gait.
pub fn pedestrian(p: &mut Painter<'_>, s: &mut Stream, foot: Vec3) {
    let height = s.range(1.6, 1.85);
    let coat = pick_colour(
        s,
        &[(52, 54, 62), (92, 48, 46), (112, 104, 90), (60, 72, 88), (34, 34, 38), (150, 140, 124)],
    );
    let legs = pick_colour(s, &[(44, 50, 66), (40, 40, 42), (92, 84, 72)]);
    let (stride, skin) = (s.range(0.06, 0.2), Rgb::srgb8(172, 128, 104).scale(s.range(0.35, 1.0)));
    let hair = Rgb::srgb8(70, 52, 40).scale(s.range(0.3, 1.5));
    let light = p.light;
    let right = p.facing_right(foot);
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let lit = |x: f32| light.on(right.scale(x).plus(toward.scale(0.7)).plus(UP.scale(0.2)).unit());
    let (left_light, right_light) = (lit(-0.7), lit(0.7));
    p.ground_shadow(foot, 0.3, height);
    p.billboard(foot, 1.0, height, |u, v, fp| {
        let t = v / height;
        let soft = |d: f32| (d / fp + 0.5).clamp(0.0, 1.0);
        let leg = |side: f32| {
            let lean = side * stride * (1.0 - t / 0.5) + side * 0.05;
            soft(0.075 + 0.03 * t - (u - lean).abs()) * band(t, 0.0, 0.52, fp)
        };
        let trunk = soft(
            0.16 + 0.06 * smoothstep(0.45, 0.78, t) - 0.12 * smoothstep(0.78, 0.86, t) - u.abs(),
        ) * band(t, 0.42, 0.86, fp);
        let arm = soft(0.055 - (u.abs() - 0.24 - 0.05 * (0.8 - t)).abs()) * band(t, 0.44, 0.8, fp);
        let (hx, hy) = (u / 0.095, (t - 0.925) * height / 0.13);
        let head = soft((1.0 - (hx * hx + hy * hy).sqrt()) * 0.1);
        let falls = left_light.mix(right_light, (u * 2.2 + 0.5).clamp(0.0, 1.0));
        let face = skin.mix(hair, smoothstep(-0.1, 0.2, hy));
        let mut c = legs;
        c = c.mix(coat, trunk.max(arm));
        c = c.mix(face, head);
        let cover = leg(-1.0).max(leg(1.0)).max(trunk).max(arm).max(head);
        (c.times(falls).scale(0.75 + 0.25 * t), cover)
    });
}
