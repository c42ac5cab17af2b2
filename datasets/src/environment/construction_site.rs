//! Construction site: raw earth and barriers along the road, a shell behind scaffolding, cranes, excavators, heaps.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::rng::Stream;

use super::View;
use super::facade::pick_colour;
use super::foliage::TreeLine;
use super::ground::{Ground, Marking, Surface};
use super::painter::Painter;
use super::place::Place;
use super::scene::Scene;
use super::site_machines::{self, Excavator};
use super::site_works::{self, Shell};
use super::sky::Sky;
use super::solids::{Cuboid, level_direction};
use super::street_furniture as furniture;
use super::vehicle::{Kind, Vehicle};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::new("construction-site", &[view.seed]);
    let place = Place::new(view, s.range(6.0, 8.0), s.range(-1.0, 1.0) / 450.0);
    let fence = s.range(4.0, 6.5);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), s.range(800.0, 1800.0));
    let ground = ground(&place, &mut s);
    let mut scene = Scene::new();
    distance(&place, &mut scene, &mut s);
    shells(&place, fence, &mut scene, &mut s);
    yard(&place, fence, &mut scene, &mut s);
    roadside(&place, fence, &mut scene, &mut s);
    scene.paint(&mut painter, |painter| {
        sky.paint(view, painter);
        ground.paint(painter);
    });
}

fn ground(place: &Place, s: &mut Stream) -> Ground {
    let w = place.road_metres;
    let yellow = Rgb::new(0.72, 0.45, 0.03);
    let line = |across: f32, dash| Marking { across, width: 0.15, dash, colour: yellow };
    let (gravel, soil) = (s.range(1.0, 2.2), s.range(5.0, 12.0));
    let mut ground = Ground::new(&place.view, place.road, place.palette)
        .strip(-1e4, Surface::Soil)
        .strip(-w - soil, Surface::Gravel)
        .strip(-w - 1.2, Surface::Soil)
        .strip(-w - 0.1, Surface::Asphalt(s.range(0.95, 1.35)))
        .strip(0.1, Surface::Soil)
        .strip(gravel, Surface::Gravel)
        .strip(gravel + s.range(0.8, 2.5), Surface::Soil)
        // the temporary lanes swerve from the old, ground-off markings
        .marking(Marking {
            across: -0.5 * w + 0.5,
            width: 0.14,
            dash: Some((4.0, 8.0)),
            colour: Rgb::grey(0.24),
        })
        .marking(line(-0.35, None))
        .marking(line(-0.5 * w - 0.2, if s.chance(0.5) { None } else { Some((3.0, 3.0)) }))
        .marking(line(0.3 - w, None));
    ground.snow *= 0.6;
    ground
}

/// Cranes above everything, woods or houses far away.
fn distance(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let palette = place.palette;
    for _ in 0..2 {
        let far = s.range(200.0, 420.0);
        let centre = s.range(-1.0, 1.0);
        let line = TreeLine {
            from: place.seen(centre - s.range(0.5, 1.2), far),
            to: place.seen(centre + s.range(0.5, 1.2), far),
            height: s.range(8.0, 15.0),
            crown: s.range(6.0, 10.0),
            conifers: 0.2,
            gaps: s.range(0.1, 0.4),
            seed: s.bits(),
        };
        scene.add(far, move |p| line.paint(p, &palette));
    }
    let border = if s.chance(0.5) { 1.0 } else { -1.0 };
    let c = Rgb::srgb8;
    for i in 0..1 + s.below(3) {
        let (share, far) = if i == 0 {
            (border * s.range(0.4, 0.85), s.range(75.0, 130.0))
        } else {
            (-border * s.range(0.0, 0.95), s.range(120.0, 240.0))
        };
        let base = place.beside(share, far, 12.0);
        let height = (far * s.range(0.24, 0.33)).clamp(24.0, 60.0);
        // the first jib swings over the middle of the picture
        let swing = if i == 0 { s.range(-0.7, 0.7) } else { s.range(-3.1, 3.1) };
        let jib = level_direction(swing).scale(if i == 0 { -border } else { 1.0 });
        let length = s.range(32.0, 52.0);
        let paint = *s.pick(&[
            c(214, 164, 30),
            c(206, 152, 34),
            c(176, 44, 36),
            c(196, 196, 190),
            c(60, 84, 120),
        ]);
        let load = s.range(0.3, 0.9);
        scene.add(far, move |p| {
            site_machines::tower_crane(p, base, height, jib, length, paint, load);
        });
    }
}

/// One or two concrete frames.
fn shells(place: &Place, fence: f32, scene: &mut Scene<'_>, s: &mut Stream) {
    let side = if s.chance(0.5) { 1.0 } else { -1.0 };
    for i in 0..1 + s.below(2) {
        let side = if i == 0 { side } else { -side };
        let (width, depth) = (s.range(18.0, 34.0), s.range(11.0, 16.0));
        let storeys = s.range(2.0, 5.99).floor();
        let far = if i == 0 { s.range(34.0, 58.0) } else { s.range(65.0, 110.0) };
        let clear = fence + 0.5 * depth + s.range(5.0, 9.0);
        let base = place.beside(side * s.range(0.55, 1.05), far, clear);
        let heading = place.road.heading(far);
        // the front faces the road or the camera
        let right = if s.chance(0.5) {
            heading.scale(-side).plus(place.road.right().scale(s.range(-0.3, 0.3)))
        } else {
            place.road.right().plus(heading.scale(s.range(-0.5, 0.5)))
        };
        let base =
            if s.chance(0.5) { base } else { base.plus(place.road.right().scale(side * 4.0)) };
        let shell = Shell::new(s, base, right, width, depth, storeys);
        scene.add_on_ground(move |p| p.ground_shadow(base, 0.5 * depth, 3.0 * storeys));
        scene.add_at(base, move |p| shell.paint(p));
    }
}

/// Machines, heaps, huts and containers behind the fence.
fn yard(place: &Place, fence: f32, scene: &mut Scene<'_>, s: &mut Stream) {
    let soil = place.palette.soil;
    let snow = place.palette.snow;
    let side = if s.chance(0.6) { 1.0 } else { -1.0 };
    for i in 0..1 + s.below(2) {
        let side = if i == 0 { side } else { -side };
        let share = side * s.range(0.45, 0.85);
        let base = place.beside(share, s.range(17.0, 30.0), fence + 4.0);
        // the boom is seen from the side
        let across = place.view.camera.rotation.right;
        let way = if s.chance(0.6) { -side } else { side };
        let ahead = Vec3::new(across.x, 0.0, across.z)
            .scale(way)
            .plus(place.road.ahead().scale(s.range(-0.7, 0.5)))
            .unit();
        let machine = Excavator::new(s, base, ahead);
        scene.add_on_ground(move |p| p.ground_shadow(base, 2.0, 2.6));
        scene.add_at(base, move |p| machine.paint(p));
    }
    let c = Rgb::srgb8;
    for _ in 0..3 + s.below(5) {
        let base = place.beside(s.range(-1.15, 1.15), s.range(14.0, 60.0), fence + 3.0);
        let radius = s.range(2.0, 5.5);
        let height = radius * s.range(0.45, 0.68);
        let colour = match s.below(3) {
            0 => soil.scale(s.range(0.8, 1.2)),
            1 => c(150, 146, 138),
            _ => c(178, 152, 112),
        };
        let seed = s.bits();
        scene.add_on_ground(move |p| p.ground_shadow(base, radius, height));
        scene.add_at(base, move |p| site_works::heap(p, base, radius, height, colour, snow, seed));
    }
    // huts in two storeys
    let base = place.beside(s.range(-1.0, 1.0), s.range(28.0, 60.0), fence + 4.0);
    let right = place.road.right().plus(place.road.ahead().scale(s.range(-0.8, 0.8))).unit();
    let paint = pick_colour(s, &[(196, 194, 186), (60, 92, 132), (186, 150, 60), (150, 156, 158)]);
    for column in 0..2 + s.below(2) {
        for level in 0..2_u8 {
            if level == 1 && s.chance(0.3) {
                continue;
            }
            let at =
                base.plus(right.scale(6.1 * column as f32)).plus(UP.scale(2.75 * f32::from(level)));
            let (body, seed) = (Cuboid::new(at, right, 6.05, 2.7, 2.5), s.bits());
            let key = Vec3::new(at.x, 0.0, at.z).length() - 0.01 * f32::from(level);
            scene.add(key, move |p| site_works::hut(p, &body, paint, seed));
        }
    }
    for _ in 0..1 + s.below(3) {
        let base = place.beside(s.range(-1.1, 1.1), s.range(22.0, 55.0), fence + 3.5);
        let right = level_direction(s.range(-0.8, 0.8));
        let paint = pick_colour(s, &[(142, 62, 44), (46, 78, 116), (186, 150, 60), (90, 96, 98)]);
        let (body, seed) = (Cuboid::new(base, right, 6.05, 2.6, 2.44), s.bits());
        scene.add_at(base, move |p| p.container(&body, paint, seed));
    }
    if s.chance(0.5) {
        let base = place.beside(s.range(-0.9, 0.9), s.range(24.0, 50.0), fence + 4.0);
        let heading = place.road.right().plus(place.road.ahead().scale(s.range(-1.0, 1.0)));
        let lorry = Vehicle::new(s, Kind::Lorry, base, heading);
        scene.add_on_ground(move |p| lorry.paint_shadow(p));
        scene.add_at(base, move |p| lorry.paint(p));
    }
}

/// Barriers, beacons, mesh fence, traffic.
fn roadside(place: &Place, fence: f32, scene: &mut Scene<'_>, s: &mut Stream) {
    let w = place.road_metres;
    for (across, share) in [(fence, 0.85), (-w - fence, 0.6)] {
        for k in 0..14_u8 {
            let along = 7.0 * f32::from(k);
            if s.chance(1.0 - share) {
                continue;
            }
            let (a, b) =
                (place.at(across, along), place.at(across + s.range(-0.15, 0.15), along + 7.0));
            scene.add(along + 0.6 * across.abs(), move |p| {
                furniture::mesh_fence(p, a, b, 2.0, Rgb::grey(0.36));
                for foot in [a, a.plus(b).scale(0.5)] {
                    let block = Cuboid::new(foot, b.minus(a), 0.25, 0.16, 0.7);
                    p.cuboid(&block, |f, _, _, _| (f.light.scale(0.26), 1.0));
                }
            });
        }
    }
    // barriers on the right, beacons on both sides of the lanes
    let (first, step) = (s.range(8.0, 12.0), s.range(3.2, 5.5));
    let boards = s.chance(0.7);
    let lit = s.chance(0.7);
    for k in 0..9_u8 {
        let along = first + step * f32::from(k);
        if boards {
            let (a, b) = (place.at(1.7, along), place.at(1.8, along + 2.6));
            scene.add_at(a, move |p| site_works::barrier(p, a, b, lit));
        }
    }
    let (first, step) = (s.range(9.0, 15.0), s.range(6.0, 10.0));
    for k in 0..9_u8 {
        let along = first + step * f32::from(k);
        for (across, lean) in [(0.55, 1.0), (-w - 0.5, -1.0)] {
            let foot = place.at(across, along);
            let heading = place.road.heading(along);
            // every other one carries a lamp
            let lamp = k & 1 == 0;
            scene.add_at(foot, move |p| site_works::beacon(p, foot, heading, lean, lamp));
        }
    }
    for (share, across, way) in [(0.5, -0.78 * w, -1.0), (0.4, -0.28 * w, 1.0)] {
        if s.chance(share) {
            let along = s.range(22.0, 60.0);
            let kind = *s.pick(&[Kind::Lorry, Kind::Van, Kind::Car, Kind::Car]);
            let base = place.at(across, along);
            let vehicle = Vehicle::new(s, kind, base, place.road.heading(along).scale(way));
            scene.add_on_ground(move |p| vehicle.paint_shadow(p));
            scene.add_at(base, move |p| vehicle.paint(p));
        }
    }
}
