//! Industrial estate: halls with docks along one side, plant behind a mesh fence on the other, chimneys above.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::rng::Stream;

use super::View;
use super::facade::pick_colour;
use super::ground::{Ground, Marking, Surface};
use super::hall::Hall;
use super::industry;
use super::painter::Painter;
use super::place::Place;
use super::plants::Habit;
use super::scene::Scene;
use super::sky::Sky;
use super::solids::{Cuboid, level_direction};
use super::street_furniture as furniture;
use super::vehicle::{Kind, Vehicle};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Where things lie across the road, metres.
struct Layout {
    /// 1 if the near hall stands on the right, -1 on the left.
    hall_side: f32,
    fence: f32,
    left_fence: f32,
}

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::new("industrial-estate", &[view.seed]);
    let place = Place::new(view, s.range(6.5, 9.0), s.range(-1.0, 1.0) / 500.0);
    let layout = Layout {
        hall_side: if s.chance(0.5) { 1.0 } else { -1.0 },
        fence: s.range(3.2, 5.5),
        left_fence: -place.road_metres - s.range(2.5, 5.0),
    };
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), s.range(650.0, 1600.0));
    let ground = ground(&place, &layout, &mut s);
    let mut scene = Scene::new();
    skyline(&place, &mut scene, &mut s);
    halls(&place, &layout, &mut scene, &mut s);
    plant(&place, &layout, &mut scene, &mut s);
    roadside(&place, &layout, &mut scene, &mut s);
    scene.announce(&mut painter);
    scene.paint(&mut painter, |painter| {
        sky.paint_behind(view, painter);
        ground.paint(painter);
    });
}

fn ground(place: &Place, layout: &Layout, s: &mut Stream) -> Ground {
    let w = place.road_metres;
    let yard = |s: &mut Stream| {
        if s.chance(0.5) { Surface::Concrete } else { Surface::Asphalt(s.range(1.0, 1.4)) }
    };
    let verge = if s.chance(0.6) { Surface::Grass } else { Surface::Slabs };
    let (left, right) = (yard(s), yard(s));
    let mut ground = Ground::new(&place.view, place.road, place.palette)
        .strip(-1e4, left)
        .strip(layout.left_fence, verge)
        .strip(-w - 0.15, Surface::Kerb)
        .strip(-w, Surface::Asphalt(s.range(0.95, 1.3)))
        .strip(0.0, Surface::Kerb)
        .strip(0.15, verge)
        .strip(layout.fence + 0.2, right)
        .marking(Marking::centre_town(-0.5 * w));
    ground.snow *= 0.7;
    ground
}

/// Far halls, chimneys and masts over everything.
fn skyline(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    for _ in 0..4 + s.below(4) {
        let distance = s.range(130.0, 320.0);
        let base = place.beside(s.range(-1.15, 1.15), distance, 25.0);
        let right = level_direction(s.range(-0.5, 0.5));
        let size = (s.range(30.0, 80.0), s.range(8.0, 20.0), s.range(20.0, 40.0));
        let hall = Hall::new(s, Cuboid::new(base, right, size.0, size.1, size.2));
        let body = hall.body;
        scene.add_occluder(move |p| p.occlude_cuboid(&body));
        scene.add_building(base, [size.0, size.2], move |p| hall.paint(p));
    }
    let wind = s.range(-1.0, 1.0);
    // one chimney stands towards a border, others anywhere
    let side = if s.chance(0.5) { 1.0 } else { -1.0 };
    for i in 0..1 + s.below(3) {
        let share = if i == 0 { side * s.range(0.45, 0.9) } else { s.range(-1.0, 1.0) };
        let distance = s.range(110.0, 260.0);
        let base = place.beside(share, distance, 16.0);
        let (height, radius) = (distance * s.range(0.2, 0.34) + 8.0, s.range(1.5, 2.8));
        let (seed, smokes, steam) = (s.bits(), i == 0 || s.chance(0.5), s.chance(0.6));
        scene.add(distance, move |p| {
            industry::chimney(p, base, height, radius, seed);
            if smokes {
                let mouth = base.plus(UP.scale(height));
                industry::plume(p, mouth, 0.75 * radius, wind, steam, seed);
            }
        });
    }
}

/// A row of halls along one side with lorries at their docks.
fn halls(place: &Place, layout: &Layout, scene: &mut Scene<'_>, s: &mut Stream) {
    let side = layout.hall_side;
    let road_edge = if side > 0.0 { layout.fence } else { layout.left_fence };
    let across = road_edge + side * s.range(13.0, 24.0);
    let mut along = s.range(4.0, 16.0);
    for _ in 0..2 {
        let (length, height, depth) =
            (s.range(34.0, 62.0), s.range(7.5, 12.5), s.range(22.0, 36.0));
        let heading = place.road.heading(along + 0.5 * length);
        let outward = Vec3::new(heading.z, 0.0, -heading.x).scale(-side);
        let front = place.at(across, along + 0.5 * length);
        let base = front.minus(outward.scale(0.5 * depth));
        let hall = Hall::new(s, Cuboid::new(base, heading.scale(-side), length, height, depth));
        let far = place.at(across, along + length).length() + 1.0;
        let body = hall.body;
        scene.add_occluder(move |p| p.occlude_cuboid(&body));
        scene.add(far, move |p| hall.paint(p));
        let mut index = 0.0;
        while (index + 1.0) * hall.door_pitch < length {
            if s.chance(0.4) {
                let door = hall.door(index);
                let mut lorry = Vehicle::new(s, Kind::Lorry, door, outward);
                lorry.base = door.plus(outward.scale(0.5 * lorry.size.x + 0.4));
                let key = door.length();
                scene.add_on_ground(move |p| lorry.paint_shadow(p));
                scene.add(key, move |p| lorry.paint(p));
            }
            index += 1.0;
        }
        along += length + s.range(9.0, 18.0);
    }
}

/// Silos, tanks, pipe bridges, stacks of containers on the other side.
fn plant(place: &Place, layout: &Layout, scene: &mut Scene<'_>, s: &mut Stream) {
    let side = -layout.hall_side;
    let c = Rgb::srgb8;
    let edge = if side > 0.0 { layout.fence } else { -layout.left_fence - place.road_metres };
    let clear = edge + 4.0;
    // silos in a row, the first where the picture's border is
    let tone = *s.pick(&[c(196, 196, 190), c(168, 172, 174), c(182, 172, 150), c(206, 206, 204)]);
    let (height, radius) = (s.range(14.0, 24.0), s.range(1.9, 3.2));
    let first = place.beside(side * s.range(0.5, 0.95), s.range(38.0, 66.0), clear + radius);
    let row = level_direction(s.range(0.0, 3.0)).scale(2.15 * radius);
    let seed = s.bits();
    for i in 0..2 + s.below(4) {
        let base = first.plus(row.scale(i as f32));
        let (road, _) = place.road.local(base);
        if road > -place.road_metres - clear && road < clear {
            continue;
        }
        let high = height * if s.chance(0.8) { 1.0 } else { 0.7 };
        scene.add_on_ground(move |p| p.ground_shadow(base, radius, high));
        scene.add_at(base, move |p| industry::silo(p, base, high, radius, tone, seed));
    }
    match s.below(3) {
        0 => {
            let radius = s.range(5.5, 8.5);
            let distance = s.range(60.0, 110.0);
            let base = place.beside(side * s.range(0.3, 0.9), distance, clear + radius);
            let seed = s.bits();
            scene.add_at(base, move |p| industry::gas_sphere(p, base, radius, seed));
        }
        1 => {
            // wide storage tanks: silos without legs
            let radius = s.range(5.0, 8.0);
            for _ in 0..3 {
                let distance = s.range(55.0, 110.0);
                let base = place.beside(side * s.range(0.2, 1.0), distance, clear + radius);
                let (height, seed) = (s.range(8.0, 13.0), s.bits() | 3);
                let tone = Rgb::grey(s.range(0.45, 0.65));
                scene.add_at(base, move |p| industry::silo(p, base, height, radius, tone, seed));
            }
        }
        _ => {
            // process tower: open storeys of steel with vessels
            let base = place.beside(side * s.range(0.35, 0.9), s.range(55.0, 90.0), clear + 6.0);
            let (height, seed) = (s.range(16.0, 27.0), s.bits());
            scene.add_at(base, move |p| tower(p, base, height, seed));
        }
    }
    // pipes over the road or beside it
    let along = s.range(34.0, 75.0);
    let seed = s.bits();
    if s.chance(0.55) {
        let (a, b) = (place.at(-42.0, along + s.range(-6.0, 6.0)), place.at(42.0, along));
        let height = s.range(5.6, 7.2);
        scene.add(along, move |p| industry::pipe_bridge(p, a, b, height, seed));
    } else {
        let across = if side > 0.0 { clear + 1.0 } else { -place.road_metres - clear - 1.0 };
        let (a, b) = (place.at(across, 18.0), place.at(across * 1.2, 95.0));
        scene.add(60.0, move |p| industry::pipe_bridge(p, a, b, 4.6, seed));
    }
    if s.chance(0.75) {
        containers(place, scene, s, side, clear);
    }
}

/// Stacked containers.
fn containers(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, side: f32, clear: f32) {
    let base = place.beside(side * s.range(0.4, 1.0), s.range(20.0, 34.0), clear + 3.0);
    let right = place.road.heading(20.0).plus(place.road.right().scale(s.range(-0.3, 0.3)));
    let step = right.unit().scale(6.3);
    for column in 0..3_u8 {
        for level in 0..1 + s.below(3) {
            let at = base.plus(step.scale(f32::from(column))).plus(UP.scale(2.62 * level as f32));
            let paint = pick_colour(
                s,
                &[
                    (142, 62, 44),
                    (46, 78, 116),
                    (70, 104, 84),
                    (150, 150, 146),
                    (176, 120, 46),
                    (96, 50, 46),
                ],
            );
            let (body, seed) = (Cuboid::new(at, right, 6.06, 2.6, 2.44), s.bits());
            let key = base.plus(step.scale(f32::from(column))).length();
            scene.add(key - 0.01 * level as f32, move |p| p.container(&body, paint, seed));
        }
    }
}

/// An open steel structure with platforms, vessels and pipes.
fn tower(p: &mut Painter<'_>, base: Vec3, height: f32, seed: u64) {
    let mut s = Stream::from_seed(seed);
    let steel = pick_colour(&mut s, &[(108, 114, 116), (92, 108, 122), (140, 120, 84)]);
    let right = level_direction(s.range(0.0, 1.5));
    let inward = Vec3::new(-right.z, 0.0, right.x);
    let half = s.range(3.6, 5.5);
    for _ in 0..3 {
        let at = base
            .plus(right.scale(s.range(-0.6, 0.6) * half))
            .plus(inward.scale(s.range(-0.5, 0.5) * half));
        let (r, h) = (s.range(0.6, 1.4), height * s.range(0.7, 1.15));
        let tone = Rgb::grey(s.range(0.35, 0.6));
        p.cylinder(at, h, r, r, |_, v, _, lit| {
            let ring = if super::tile::fract(v / 3.0) < 0.08 { 0.75 } else { 1.0 };
            lit.times(tone).scale(ring)
        });
    }
    let corner = |x: f32, z: f32, y: f32| {
        base.plus(right.scale(x * half)).plus(inward.scale(z * half)).plus(UP.scale(y))
    };
    let storeys = (height / 4.2).floor().max(2.0);
    let ring = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
    for i in 0..4 {
        let (a, b) = (ring[i], ring[(i + 1) % 4]);
        p.pole(corner(a.0, a.1, 0.0), corner(a.0, a.1, height), 0.16, 0.14, steel);
        let mut k = 1.0;
        while k <= storeys {
            let y = height * k / storeys;
            p.pole(corner(a.0, a.1, y), corner(b.0, b.1, y), 0.17, 0.17, steel);
            p.pole(corner(a.0, a.1, y + 1.1), corner(b.0, b.1, y + 1.1), 0.035, 0.035, steel);
            let below = y - height / storeys;
            let (y0, y1) = if super::tile::fract(0.5 * k) < 0.25 { (below, y) } else { (y, below) };
            p.pole(corner(a.0, a.1, y0), corner(b.0, b.1, y1), 0.07, 0.07, steel);
            k += 1.0;
        }
    }
    if p.light.dusk > 0.2 {
        for y in [0.3, 0.62, 0.95] {
            let at = corner(s.range(-1.0, 1.0), -1.0, y * height);
            furniture::glow(p, at, 0.9, industry::SODIUM.scale(p.light.dusk));
        }
    }
}

/// Fences, lamps, lorries, trailers, a few trees.
fn roadside(place: &Place, layout: &Layout, scene: &mut Scene<'_>, s: &mut Stream) {
    let colour = *s.pick(&[Rgb::grey(0.3), Rgb::srgb8(52, 84, 62), Rgb::grey(0.22)]);
    let height = s.range(1.9, 2.3);
    for across in [layout.fence, layout.left_fence] {
        let gate = s.range(20.0, 50.0);
        for k in 0..9_u8 {
            let along = 10.0 * f32::from(k) - 2.0;
            if (along - gate).abs() < 6.0 {
                continue;
            }
            let (a, b) = (place.at(across, along), place.at(across, along + 10.0));
            scene.add(along.max(0.0) + 0.6 * across.abs(), move |p| {
                furniture::mesh_fence(p, a, b, height, colour);
            });
        }
    }
    // lamps of the street and of the yards
    let (first, spacing) = (s.range(12.0, 26.0), s.range(24.0, 34.0));
    for i in 0..4_u8 {
        let foot = place.at(-place.road_metres - 1.0, first + spacing * f32::from(i));
        let right = place.road.right();
        scene.add_at(foot, move |p| industry::yard_lamp(p, foot, 8.5, right));
    }
    for _ in 0..2 + s.below(3) {
        let foot = place.beside(s.range(-1.0, 1.0), s.range(28.0, 80.0), 8.0);
        let (height, right) = (s.range(11.0, 15.0), level_direction(s.range(0.0, 3.0)));
        scene.add_at(foot, move |p| industry::yard_lamp(p, foot, height, right));
    }
    // lorries on the road and at its edge
    let w = place.road_metres;
    for (share, across, way) in
        [(0.6, -0.74 * w, -1.0), (0.35, -0.26 * w, 1.0), (0.5, -w + 1.4, 1.0)]
    {
        if s.chance(share) {
            let along = s.range(24.0, 60.0);
            let kind = *s.pick(&[Kind::Lorry, Kind::Lorry, Kind::Van, Kind::Car]);
            let base = place.at(across, along);
            let vehicle = Vehicle::new(s, kind, base, place.road.heading(along).scale(way));
            scene.add_on_ground(move |p| vehicle.paint_shadow(p));
            scene.add_at(base, move |p| vehicle.paint(p));
        }
    }
    for _ in 0..s.below(3) {
        let base = place.beside(s.range(-1.1, 1.1), s.range(45.0, 110.0), 6.5);
        let habit = *s.pick(&[Habit::Oval, Habit::Column, Habit::Bush]);
        let height = if habit == Habit::Bush { 2.4 } else { s.range(6.0, 10.0) };
        place.tree(scene, s, base, height, habit);
    }
}
