//! Farmland: a country road between fields, with bales, masts, power lines and wind turbines above the horizon.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::num::sin_cos;
use crate::rng::Stream;

use super::country;
use super::foliage::{TreeLine, hedge, tall_grass};
use super::ground::{Ground, Surface};
use super::painter::Painter;
use super::place::Place;
use super::plants::Habit;
use super::ridge::{Cover, Hills};
use super::scene::Scene;
use super::sky::Sky;
use super::solids::Cuboid;
use super::tile::{Field, Pattern};
use super::{Season, View};

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::new("farmland", &[view.seed]);
    let place = Place::new(view, s.range(4.8, 7.2), s.range(-1.0, 1.0) / 260.0);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), s.range(1200.0, 4500.0));
    let mut scene = Scene::new();
    let hills = far(&mut s);
    let fields = fields(&place, &mut s);
    landmarks(&place, &mut scene, &mut s);
    near(&place, &mut scene, &mut s);
    scene.paint(&mut painter, |painter| {
        sky.paint(view, painter);
        for range in hills {
            range.paint(painter, &place.palette);
        }
        fields.paint(painter);
    });
}

/// Low hills behind everything, the farthest first.
fn far(s: &mut Stream) -> Vec<Hills> {
    let ranges: u8 = if s.chance(0.6) { 2 } else { 1 };
    let range = |i: u8| {
        let distance =
            if i + 1 == ranges { s.range(700.0, 1100.0) } else { s.range(2200.0, 4000.0) };
        let high = distance * s.range(0.02, 0.07);
        let cover = if s.chance(0.7) { Cover::Fields } else { Cover::Wood };
        let height = (0.1 * high, high);
        let feature = distance * s.range(0.35, 0.8);
        Hills { distance, height, feature, cover, seed: s.bits() }
    };
    (0..ranges).map(range).collect()
}

/// The ground: strips of crops on both sides of the road.
fn fields(place: &Place, s: &mut Stream) -> Ground {
    let palette = &place.palette;
    let mut ground =
        Ground::rural(&place.view, place.road, *palette, place.road_metres, s.range(0.8, 1.35));
    let verge = s.range(2.5, 5.0);
    let mut across = verge;
    let mut left = Vec::new();
    for _ in 0..5 {
        ground = ground.strip(across, Surface::Crop(palette.crop(s), s.range(0.35, 0.9)));
        across += s.range(18.0, 60.0);
        left.push((s.range(18.0, 60.0), Surface::Crop(palette.crop(s), s.range(0.35, 0.9))));
    }
    let mut strips = Vec::new();
    let mut edge = -place.road_metres - verge;
    for (width, surface) in left {
        edge -= width;
        strips.insert(0, super::ground::Strip { from: edge, surface });
    }
    strips[0].from = -1e5;
    strips.push(super::ground::Strip { from: -place.road_metres - verge, surface: Surface::Grass });
    ground.strips.remove(0);
    strips.append(&mut ground.strips);
    ground.strips = strips;
    ground
}

/// What stands above the horizon and tells the place.
fn landmarks(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let palette = place.palette;
    // tree rows between the fields
    for _ in 0..3 {
        let distance = s.range(140.0, 520.0);
        let centre = s.range(-1.3, 1.3);
        let from = place.seen(centre - s.range(0.3, 1.0), distance);
        let to = place.seen(centre + s.range(0.3, 1.0), distance * s.range(0.8, 1.3));
        let line = TreeLine {
            from,
            to,
            height: s.range(8.0, 20.0),
            crown: s.range(5.0, 10.0),
            conifers: if s.chance(0.3) { 0.5 } else { 0.05 },
            gaps: s.range(0.05, 0.45),
            seed: s.bits(),
        };
        scene.add(distance, move |p| line.paint(p, &palette));
    }
    let choice = s.below(4);
    if choice != 0 {
        let near = s.range(55.0, 110.0);
        let height = s.range(32.0, 48.0);
        let slant = s.range(-0.25, 0.25);
        let share = s.range(-0.9, 0.9);
        let first = place.seen(share, near);
        let run =
            place.seen(share + 1.6 * if s.chance(0.5) { 1.0 } else { -1.0 }, near * (1.6 + slant));
        let step = run.minus(first).unit().scale(s.range(150.0, 220.0));
        let towers: Vec<Vec3> = (-1..5_i8).map(|i| first.plus(step.scale(f32::from(i)))).collect();
        country::power_line(scene, &towers, height);
    }
    if choice != 1 {
        let (sin, cos) = sin_cos(s.range(0.0, core::f32::consts::TAU));
        let facing = Vec3::new(sin, 0.0, cos);
        for _ in 0..2 + s.below(4) {
            let distance = s.range(260.0, 1100.0);
            let base = place.seen(s.range(-1.05, 1.05), distance);
            let (height, phase) = (s.range(90.0, 140.0), s.range(0.0, 2.1));
            scene.add_at(base, move |p| country::wind_turbine(p, base, height, facing, phase));
        }
    }
    if s.chance(0.55) {
        let across = if s.chance(0.6) { s.range(2.2, 4.5) } else { -place.road_metres - 3.0 };
        country::mast_line(place, scene, s, across);
    }
    if s.chance(0.5) {
        barn(place, scene, s);
    }
}

/// A big barn, sometimes with a silo beside it.
fn barn(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let distance = s.range(50.0, 160.0);
    let base = place.beside(s.range(-0.95, 0.95), distance, 14.0);
    let (sin, cos) = sin_cos(s.range(0.0, core::f32::consts::TAU));
    let right = Vec3::new(cos, 0.0, sin);
    let (width, depth, eaves) = (s.range(18.0, 34.0), s.range(10.0, 14.0), s.range(4.0, 5.5));
    let wall = *s.pick(&[
        Rgb::srgb8(120, 84, 62),
        Rgb::srgb8(150, 74, 60),
        Rgb::srgb8(148, 144, 132),
        Rgb::srgb8(104, 112, 100),
    ]);
    let roof =
        *s.pick(&[Rgb::srgb8(140, 74, 56), Rgb::srgb8(92, 86, 84), Rgb::srgb8(126, 122, 118)]);
    let boards = Field::new(Pattern::Blades, s.bits(), 6.0);
    let stain = Field::new(Pattern::Fractal, s.bits(), 22.0);
    let cuboid = Cuboid::new(base, right, width, eaves, depth);
    let snow = place.palette.snow;
    scene.add_at(base, move |p| {
        p.cuboid(&cuboid, |face, u, v, fp| {
            let door = (u - 0.5 * face.width).abs() < 2.2 && v < 3.8;
            let n = boards.at(u, v * 0.4, fp);
            let dirt = 0.75 + 0.25 * (v / 1.5).min(1.0);
            let albedo = if door { wall.scale(0.4) } else { wall.scale(0.7 + 0.6 * n) };
            (albedo.times(face.light).scale(dirt), 1.0)
        });
        super::house::gable_roof(p, &cuboid, 0.42, 0.5, roof, snow, &stain, |u, v, fp| {
            wall.scale(0.7 + 0.6 * boards.at(u, v * 0.4, fp))
        });
    });
    if s.chance(0.5) {
        let silo = base.plus(right.scale(0.5 * width + 4.0));
        let (height, radius) = (s.range(9.0, 16.0), s.range(1.8, 2.8));
        let tone = Rgb::new(0.42, 0.43, 0.43).scale(s.range(0.7, 1.2));
        scene.add_at(silo, move |p| {
            p.cylinder(silo, height, radius, radius, |s, v, fp, lit| {
                let band = boards.at(v * 2.0, s * 0.3, fp);
                lit.times(tone).scale(0.85 + 0.3 * band)
            });
            let top = silo.plus(Vec3::new(0.0, height, 0.0));
            p.cylinder(top, 0.7 * radius, radius, 0.1, |_, _, _, lit| lit.times(tone).scale(0.9));
        });
    }
}

/// The verge, the crop beside it, bales, trees and marker posts.
fn near(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let palette = place.palette;
    let season = place.view.season;
    if place.road_metres > 5.4 {
        country::marker_posts(place, scene, s);
    }
    let verge = s.range(1.6, 2.6);
    for (across, height) in [(verge, 0.55), (-place.road_metres - verge, 0.6)] {
        let height = if season == Season::Winter { 0.4 * height } else { height };
        for k in 0..4_u8 {
            let from = place.at(across, 9.0 * f32::from(k));
            let to = place.at(across + s.range(-0.1, 0.3), 9.0 * f32::from(k) + 10.0);
            let (seed, near) = (s.bits(), 9.0 * f32::from(k) + 3.0);
            scene.add(near, move |p| tall_grass(p, &palette, from, to, height, seed));
        }
    }
    let crop_wall = matches!(season, Season::Summer | Season::Autumn) && s.chance(0.4);
    if crop_wall {
        maize(place, scene, s);
    } else {
        if season != Season::Winter || s.chance(0.3) {
            bales(place, scene, s);
        }
        if s.chance(0.35) {
            let across = s.range(2.8, 4.0);
            let rails = s.chance(0.3);
            country::pasture_fence(place, scene, s, across, rails);
        }
    }
    if s.chance(0.3) {
        // an avenue of fruit trees or poplars
        let habit = *s.pick(&[Habit::Round, Habit::Oval, Habit::Column]);
        let (spacing, height) = (s.range(9.0, 15.0), s.range(6.0, 11.0));
        for i in 0..8_u8 {
            for across in [6.5, -place.road_metres - 4.0] {
                if s.chance(0.75) {
                    let base = place.at(across + s.range(-0.4, 0.4), 20.0 + spacing * f32::from(i));
                    let height = height * s.range(0.8, 1.2);
                    place.tree(scene, s, base, height, habit);
                }
            }
        }
    } else {
        for _ in 0..1 + s.below(3) {
            let side = if s.chance(0.5) { 1.0 } else { -1.0 };
            let base = place.beside(side * s.range(0.45, 1.1), s.range(22.0, 90.0), 5.0);
            let habit = *s.pick(&[Habit::Round, Habit::Round, Habit::Oval, Habit::Bush]);
            let height = if habit == Habit::Bush { s.range(2.0, 4.0) } else { s.range(7.0, 14.0) };
            place.tree(scene, s, base, height, habit);
        }
    }
    if s.chance(0.3) {
        let across = s.range(5.0, 12.0);
        let (from, to) = (place.at(across, s.range(10.0, 25.0)), place.at(across + 3.0, 90.0));
        let seed = s.bits();
        scene.add_at(from, move |p| hedge(p, &palette, from, to, 1.8, 0.9, seed));
    }
}

/// Rows of tall maize on the right side.
fn maize(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let mut palette = place.palette;
    let c = Rgb::srgb8;
    let (leaf, stalk) = if place.view.season == Season::Summer {
        (c(92, 116, 48), c(150, 140, 80))
    } else {
        (c(150, 134, 80), c(168, 146, 96))
    };
    palette.grass = [leaf, leaf.scale(0.5)];
    palette.straw = stalk;
    let start = s.range(3.2, 5.5);
    let height = s.range(1.9, 2.6);
    for row in 0..5_u8 {
        let across = start + 0.75 * f32::from(row);
        for k in 0..5_u8 {
            let a = 12.0 * f32::from(k) - 2.0;
            let (from, to) = (place.at(across, a), place.at(across, a + 12.3));
            let (seed, distance) = (s.bits(), a.max(0.0) + across);
            let height = height * s.range(0.92, 1.08);
            scene.add(distance, move |p| tall_grass(p, &palette, from, to, height, seed));
        }
    }
}

/// Bales on the stubble, single or stacked.
fn bales(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let wrapped = s.chance(0.2);
    let straw = if wrapped { Rgb::new(0.62, 0.66, 0.62) } else { Rgb::srgb8(190, 164, 104) };
    let (sin, cos) = sin_cos(s.range(0.0, core::f32::consts::TAU));
    let axis = Vec3::new(cos, 0.0, sin);
    for _ in 0..4 + s.below(6) {
        let base = place.beside(s.range(-1.1, 1.1), s.range(16.0, 80.0), 6.0);
        let seed = s.bits();
        scene.add_on_ground(move |p| p.ground_shadow(base, 0.75, 1.3));
        scene.add_at(base, move |p| country::round_bale(p, base, 0.68, axis, straw, seed));
    }
    if s.chance(0.45) {
        // a stack: rows of five, four, three
        let side = if s.chance(0.5) { -0.75 } else { 0.75 };
        let middle = place.beside(side, s.range(13.0, 26.0), 6.0);
        let across = Vec3::new(axis.z, 0.0, -axis.x);
        for row in 0..4_u8 {
            for i in 0..6 - row {
                let x = f32::from(i) - 0.5 * f32::from(5 - row);
                let base = middle.plus(across.scale(1.36 * x)).plus(Vec3::new(
                    0.0,
                    1.18 * f32::from(row),
                    0.0,
                ));
                let seed = s.bits();
                scene
                    .add_at(middle, move |p| country::round_bale(p, base, 0.68, axis, straw, seed));
            }
        }
        scene.add_on_ground(move |p| p.ground_shadow(middle, 4.2, 3.0));
    }
}
