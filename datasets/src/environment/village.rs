//! Village: gable houses with red roofs, half-timbered or plastered, a church spire, gardens.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::View;
use super::country;
use super::foliage::hedge;
use super::ground::{Ground, Marking, Strip, Surface};
use super::house::{House, gable_roof};
use super::painter::Painter;
use super::place::Place;
use super::plants::Habit;
use super::ridge::{Cover, Hills};
use super::scene::Scene;
use super::sky::Sky;
use super::solids::{Cuboid, Side};
use super::tile::{Field, Pattern, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::new("village", &[view.seed]);
    let place = Place::new(view, s.range(5.0, 6.5), s.range(-1.0, 1.0) / 150.0);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), s.range(900.0, 3000.0));
    let mut scene = Scene::new();
    houses(&place, &mut scene, &mut s);
    church(&place, &mut scene, &mut s);
    gardens(&place, &mut scene, &mut s);
    scene.announce(&mut painter);
    scene.paint(&mut painter, |painter| {
        sky.paint_behind(view, painter);
        if s.chance(0.75) {
            let distance = s.range(600.0, 1100.0);
            let height = (0.02 * distance, distance * s.range(0.05, 0.12));
            let cover = if s.chance(0.5) { Cover::Wood } else { Cover::Fields };
            let feature = distance * s.range(0.4, 0.8);
            let hills = Hills { distance, height, feature, cover, seed: s.bits() };
            hills.paint(painter, &place.palette);
        }
        ground(&place, painter, &mut s);
    });
}

fn ground(place: &Place, painter: &mut Painter<'_>, s: &mut Stream) {
    let w = place.road_metres;
    let mut ground = Ground::new(&place.view, place.road, place.palette);
    let road = if s.chance(0.2) { Surface::Cobbles } else { Surface::Asphalt(s.range(0.9, 1.4)) };
    let walk = *s.pick(&[Surface::Slabs, Surface::Cobbles, Surface::Asphalt(1.3)]);
    let (right, left) = (s.range(1.3, 2.2), s.range(1.0, 2.0));
    ground.strips = [
        (-1e5, Surface::Grass),
        (-w - 0.15 - left, walk),
        (-w - 0.15, Surface::Kerb),
        (-w, road),
        (0.0, Surface::Kerb),
        (0.15, walk),
        (0.15 + right, Surface::Grass),
    ]
    .map(|(from, surface)| Strip { from, surface })
    .to_vec();
    if w > 5.6 && s.chance(0.4) {
        ground.markings.push(Marking::centre_town(-0.5 * w));
    }
    ground.paint(painter);
}

/// Houses along both sides, gable or eaves to the street, and a second row behind.
fn houses(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let dusk = place.view.light.dusk;
    for side in [1.0_f32, -1.0] {
        let mut along = s.range(4.0, 9.0);
        while along < 130.0 {
            let gap = s.range(2.5, 9.0);
            let turn = s.chance(0.55);
            let heading = place.road.heading(along);
            let across_dir = Vec3::new(heading.z, 0.0, -heading.x);
            let ridge = if turn { across_dir } else { heading };
            let wobble = heading.scale(s.range(-0.12, 0.12));
            let mut house =
                House::new(Vec3::default(), ridge.plus(wobble), &place.palette, dusk, s);
            let (w, d) = (house.body.size.x, house.body.size.z);
            let (frontage, deep) = if turn { (d, w) } else { (w, d) };
            let setback = s.range(3.2, 7.5) + 0.5 * deep;
            let across = if side > 0.0 { setback } else { -place.road_metres - setback };
            house.body.base = place.at(across, along + 0.5 * frontage);
            along += frontage + gap;
            add_house(scene, house);
        }
    }
    // a second row shows its roofs between the first
    for _ in 0..7 {
        let base = place.beside(s.range(-1.15, 1.15), s.range(38.0, 100.0), 22.0);
        let heading = place.road.ahead();
        let right = if s.chance(0.5) { heading } else { place.road.right() };
        let turn = place.road.right().scale(s.range(-0.4, 0.4));
        add_house(scene, House::new(base, right.plus(turn), &place.palette, dusk, s));
    }
}

fn add_house(scene: &mut Scene<'_>, house: House) {
    let (base, size) = (house.body.base, house.body.size);
    let height = house.ridge();
    let body = house.body;
    scene.add_occluder(move |p| p.occlude_cuboid(&body));
    scene.add_on_ground(move |p| p.ground_shadow(base, 0.5 * size.x.min(size.z), height));
    scene.add_building(base, [size.x, size.z], move |p| house.paint(p));
}

/// A church: nave with a steep roof, tower with clock and a pointed, onion or saddle roof.
fn church(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let share = if s.chance(0.5) { s.range(-0.95, -0.25) } else { s.range(0.25, 0.95) };
    let base = place.beside(share, s.range(52.0, 105.0), 16.0);
    let facing = place.road.ahead().plus(place.road.right().scale(s.range(-0.9, 0.9))).unit();
    let c = Rgb::srgb8;
    let stone = *s.pick(&[
        c(214, 204, 184),
        c(176, 158, 132),
        c(166, 106, 84),
        c(228, 222, 208),
        c(150, 144, 134),
    ]);
    let copper = *s.pick(&[c(96, 138, 122), c(74, 72, 76), c(92, 66, 58), c(66, 70, 78)]);
    let tiles = *s.pick(&[c(150, 74, 54), c(122, 64, 50), c(84, 80, 80)]);
    let (width, tower) = (s.range(5.0, 6.5), s.range(15.0, 23.0));
    let spire = if s.chance(0.75) { s.range(12.0, 22.0) } else { 0.0 };
    let stain = Field::new(Pattern::Fractal, s.bits(), 16.0);
    let snow = place.palette.snow;
    let dusk = place.view.light.dusk;
    let body = Cuboid::new(base, facing, width, tower, width);
    let length = s.range(14.0, 20.0);
    let nave_base = base.plus(facing.scale(0.5 * (width + length)));
    let nave = Cuboid::new(nave_base, facing, length, 6.5, 9.5);
    scene.add_at(base, move |p| {
        p.cuboid(&nave, |face, u, v, fp| {
            let n = stain.at(u, v, fp);
            let x = fract(u / 3.4) * 3.4 - 1.7;
            let arch = v > 1.8 && v < 4.9 - 0.9 * x * x / 0.36 && x.abs() < 0.6;
            let window = arch && matches!(face.side, Side::Front | Side::Back);
            let albedo = if window { Rgb::grey(0.05) } else { stone.scale(0.8 + 0.35 * n) };
            let glow =
                if window { Rgb::new(0.4, 0.25, 0.1).scale(0.8 * dusk) } else { Rgb::default() };
            (albedo.times(face.light).plus(glow), 1.0)
        });
        gable_roof(p, &nave, 0.75, 0.3, tiles, snow, &stain, |u, v, fp| {
            stone.scale(0.8 + 0.35 * stain.at(u, v, fp))
        });
        p.cuboid(&body, |face, u, v, fp| {
            (tower_wall(stone, &stain, u - 0.5 * face.width, v, tower, fp).times(face.light), 1.0)
        });
        let top = base.plus(UP.scale(tower));
        if spire > 0.0 {
            pyramid(p, top, facing, 0.5 * width + 0.25, spire, copper, snow, &stain);
            let tip = top.plus(UP.scale(spire));
            let gold = Rgb::new(0.5, 0.36, 0.08);
            p.pole(tip, tip.plus(UP.scale(1.6)), 0.05, 0.05, gold);
            let arm = facing.scale(0.45);
            let mid = tip.plus(UP.scale(1.1));
            p.pole(mid.minus(arm), mid.plus(arm), 0.05, 0.05, gold);
        } else {
            // onion: bulb, neck, small bulb
            let wide = 0.52 * width;
            p.cylinder(top, 3.4, wide * 1.16, wide * 1.16, |sx, v, fp, lit| {
                let ribs = 0.9 + 0.2 * stain.at(sx * 4.0, v, fp);
                lit.times(copper).scale(ribs)
            });
            let bulb = top.plus(UP.scale(3.4));
            p.cylinder(bulb, 3.0, wide * 1.16, wide * 0.3, |_, _, _, lit| lit.times(copper));
            let neck = bulb.plus(UP.scale(3.0));
            p.cylinder(neck, 3.2, wide * 0.3, 0.05, |_, _, _, lit| lit.times(copper));
        }
    });
}

/// Wall of a tower: sounding holes below the roof, a clock, small windows.
fn tower_wall(stone: Rgb, stain: &Field, u: f32, v: f32, height: f32, fp: f32) -> Rgb {
    let n = stain.at(u, v, fp);
    let base = stone.scale((0.75 + 0.45 * n) * (0.85 + 0.15 * smoothstep(0.0, 4.0, v)));
    let y = v - (height - 3.6);
    let (clock_u, clock_v) = (u, v - (height - 5.6));
    let r = (clock_u * clock_u + clock_v * clock_v).sqrt();
    if r < 1.05 {
        let rim = r > 0.93;
        let hand =
            (clock_u.abs() < 0.07 && clock_v > 0.0) || (clock_v.abs() < 0.07 && clock_u > 0.0);
        return if rim || (hand && r < 0.8) { Rgb::new(0.5, 0.38, 0.1) } else { Rgb::grey(0.06) };
    }
    let x = u.abs() - 0.75;
    if y > 0.0 && y < 2.2 - 0.9 * x * x / 0.2 && x.abs() < 0.48 {
        let louvre = fract(y / 0.28);
        return Rgb::new(0.05, 0.045, 0.04).scale(0.6 + louvre);
    }
    if u.abs() < 0.3 && (fract(v / 5.0) - 0.4).abs() < 0.14 && v < height - 7.0 {
        return Rgb::grey(0.05);
    }
    let band = (v - (height - 4.2)).abs() < 0.14 || v > height - 0.35;
    if band { base.scale(1.2) } else { base }
}

/// A four-sided spire.
fn pyramid(
    p: &mut Painter<'_>,
    base: Vec3,
    right: Vec3,
    half: f32,
    height: f32,
    colour: Rgb,
    snow: f32,
    stain: &Field,
) {
    let inward = Vec3::new(-right.z, 0.0, right.x);
    let tip = base.plus(UP.scale(height));
    for (out, along) in
        [(inward, right), (inward.scale(-1.0), right), (right, inward), (right.scale(-1.0), inward)]
    {
        let normal = out.scale(height).plus(UP.scale(half)).unit();
        let middle = base.plus(out.scale(half));
        if p.camera.position.minus(middle).dot(normal) <= 0.0 {
            continue;
        }
        let points = [middle.minus(along.scale(half)), middle.plus(along.scale(half)), tip];
        let light = p.light.on(normal);
        p.polygon(&points, middle, along, tip.minus(middle).unit(), |u, v, fp| {
            let n = stain.at(u * 2.0, v * 0.7, fp);
            let seam = 0.9 + 0.2 * fract(v / 0.5) * (1.0 - fp / 0.5).clamp(0.0, 1.0);
            let white = Rgb::new(0.8, 0.82, 0.86);
            let c = colour
                .scale((0.75 + 0.5 * n) * seam)
                .mix(white, 0.5 * snow * smoothstep(0.5, 0.8, n));
            (c.times(light), 1.0)
        });
    }
}

/// Fences, hedges, garden trees, masts.
fn gardens(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let palette = place.palette;
    for side in [1.0_f32, -1.0] {
        let edge = s.range(2.0, 2.8);
        let mut along = s.range(3.0, 8.0);
        while along < 80.0 {
            let length = s.range(6.0, 14.0);
            let across = if side > 0.0 { edge } else { -place.road_metres - edge };
            let (from, to) = (place.at(across, along), place.at(across, along + length));
            let seed = s.bits();
            match s.below(4) {
                0 => {
                    let (height, ragged) = (s.range(0.9, 1.5), s.range(0.0, 0.4));
                    scene.add_at(from, move |p| hedge(p, &palette, from, to, height, ragged, seed));
                }
                1 => {
                    let tone = *s.pick(&[
                        Rgb::new(0.5, 0.5, 0.48),
                        Rgb::new(0.20, 0.13, 0.08),
                        Rgb::new(0.16, 0.2, 0.14),
                    ]);
                    scene.add_at(from, move |p| picket_fence(p, from, to, tone, seed));
                }
                2 => {
                    let tone = Rgb::new(0.30, 0.27, 0.23).scale(s.range(0.8, 1.3));
                    scene.add_at(from, move |p| stone_wall(p, from, to, tone, seed));
                }
                _ => {}
            }
            if s.chance(0.55) {
                let base = place.at(across + side * s.range(1.0, 2.6), along + length + 0.5);
                let habit = *s.pick(&[Habit::Round, Habit::Oval, Habit::Bush, Habit::Conifer]);
                let height =
                    if habit == Habit::Bush { s.range(1.2, 2.4) } else { s.range(4.0, 8.0) };
                place.tree(scene, s, base, height, habit);
            }
            along += length + s.range(1.0, 5.0);
        }
    }
    for _ in 0..3 {
        let base = place.beside(s.range(-1.1, 1.1), s.range(35.0, 80.0), 14.0);
        let height = s.range(7.0, 13.0);
        place.tree(scene, s, base, height, Habit::Round);
    }
    if s.chance(0.45) {
        let across = -place.road_metres - s.range(0.8, 1.6);
        country::mast_line(place, scene, s, across);
    }
}

fn face(p: &Painter<'_>, from: Vec3, to: Vec3) -> Rgb {
    let along = to.minus(from).unit();
    let normal = Vec3::new(along.z, 0.0, -along.x);
    let toward = p.camera.position.minus(from);
    p.light.on(if normal.dot(toward) < 0.0 { normal.scale(-1.0) } else { normal })
}

/// Upright laths with gaps on two rails.
fn picket_fence(p: &mut Painter<'_>, from: Vec3, to: Vec3, tone: Rgb, seed: u64) {
    let light = face(p, from, to);
    let stain = Field::new(Pattern::Blades, seed, 4.0);
    p.quad(from, to.minus(from), UP.scale(1.12), |u, v, fp| {
        let x = fract(u / 0.14);
        let point = 1.0 + 0.10 * (1.0 - (2.0 * (x - 0.32)).abs() * 1.6);
        let rail = (v - 0.3).abs() < 0.05 || (v - 0.8).abs() < 0.05;
        let lath = x < 0.64 && v < point && v > 0.06;
        let blur = (fp / 0.14).clamp(0.0, 1.0);
        let sharp = if lath || rail { 1.0 } else { 0.0 };
        let mean = if v < 1.0 { 0.66 } else { 0.2 };
        let cover = sharp + (mean - sharp) * blur;
        let shade = if lath { 1.0 } else { 0.7 };
        (tone.times(light).scale(shade * (0.7 + 0.6 * stain.at(u, v, fp))), cover)
    });
}

/// Low wall of rubble stones.
fn stone_wall(p: &mut Painter<'_>, from: Vec3, to: Vec3, tone: Rgb, seed: u64) {
    let light = face(p, from, to);
    let stain = Field::new(Pattern::Fractal, seed, 9.0);
    let block = Field::new(Pattern::Leaves, seed ^ 3, 11.0);
    p.quad(from, to.minus(from), UP.scale(0.95), |u, v, fp| {
        let n = block.at(u, v * 1.6, fp);
        let old = stain.at(u, v, fp);
        let cap = if v > 0.83 { 1.35 } else { 1.0 };
        let c = if v > 0.83 { tone } else { tone.scale(0.55 + 0.8 * n) };
        (c.times(light).scale(cap * (0.75 + 0.5 * old)), 1.0)
    });
}
