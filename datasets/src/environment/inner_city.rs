//! Inner city: closed rows of four to six storeys, shops, parked cars, tram wires, crossings.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::rng::{Stream, key};

use super::View;
use super::building::TownHouse;
use super::facade::band;
use super::ground::{Ground, Marking, Surface};
use super::painter::Painter;
use super::road::Road;
use super::scene::Scene;
use super::season::Palette;
use super::sky::Sky;
use super::street_furniture as furniture;
use super::tile::fract;
use super::vehicle::{Kind, Vehicle};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Widths across the street, metres.
struct Street {
    carriageway: f32,
    /// Building lines.
    left: f32,
    right: f32,
    /// Where the street ends in another.
    length: f32,
    tram: bool,
}

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::from_seed(key("inner-city", &[view.seed]));
    let carriageway = s.range(6.5, 9.5);
    let street = Street {
        carriageway,
        left: -carriageway - 2.2 - s.range(2.6, 4.5),
        right: s.range(4.4, 8.0),
        length: s.range(55.0, 130.0),
        tram: s.chance(0.4),
    };
    let road = Road::new(view, s.range(-1.0, 1.0) / 420.0);
    let palette = Palette::new(view);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), 700.0);
    let ground = ground(view, &street, road, palette, &mut s);
    let mut scene = Scene::new();
    houses(&mut scene, &mut s, &street, road);
    traffic(&mut scene, &mut s, &street, road);
    crossing(&mut scene, &mut s, &street, road);
    details(&mut scene, &mut s, &street, road);
    if street.tram {
        // in front of everything
        scene.add(f32::NEG_INFINITY, |p| wires(p, &street, &road));
    }
    scene.announce(&mut painter);
    scene.paint(&mut painter, |painter| {
        sky.paint_behind(view, painter);
        ground.paint(painter);
    });
}

fn ground(view: &View, street: &Street, road: Road, palette: Palette, s: &mut Stream) -> Ground {
    let w = street.carriageway;
    let tone = s.range(0.8, 1.15);
    let parking = if s.chance(0.5) { Surface::Cobbles } else { Surface::Asphalt(tone * 0.92) };
    let mut ground = Ground::new(view, road, palette)
        .strip(-1e4, Surface::Slabs)
        .strip(-w - 2.35, Surface::Kerb)
        .strip(-w - 2.2, parking)
        .strip(-w, Surface::Asphalt(tone))
        .strip(0.0, Surface::Kerb)
        .strip(0.15, Surface::Slabs);
    if street.tram {
        let steel = Rgb::grey(0.09);
        for track in [-0.3, -0.7] {
            for rail in [-0.72, 0.72] {
                let across = track * w + rail;
                ground = ground.marking(Marking { across, width: 0.1, dash: None, colour: steel });
            }
        }
    } else {
        ground = ground.marking(Marking::centre_town(-0.5 * w));
    }
    ground.snow *= 0.5;
    ground
}

/// Both rows of houses and the house that closes the street.
fn houses(scene: &mut Scene<'_>, s: &mut Stream, street: &Street, road: Road) {
    let gap = street.right - street.left;
    for (across, side) in [(street.left, 1.0), (street.right, -1.0)] {
        let mut along = s.range(-6.0, 2.0);
        // a side street opens somewhere
        let opening = s.range(24.0, 70.0);
        let mut open = s.chance(0.6);
        while along < street.length {
            if open && along > opening {
                open = false;
                along += s.range(8.0, 11.0);
            }
            let width = s.range(9.0, 19.0);
            let (near, far) =
                (road.world(across, 0.0, along), road.world(across, 0.0, along + width));
            let outward = road.right().scale(side);
            let house = TownHouse::new(s, near, far, outward, gap);
            scene.add_occluder(move |p| house.occlude(p));
            // what stands on the pavement before any part of the front comes later
            scene.add((along + width).max(0.0) + 2.0, move |p| house.paint(p));
            along += width;
        }
    }
    // across the end
    let mut across = street.left - 30.0;
    while across < street.right + 30.0 {
        let width = s.range(11.0, 18.0);
        let far = street.length + 14.0;
        let (near, end) = (road.world(across, 0.0, far), road.world(across + width, 0.0, far));
        let house = TownHouse::new(s, near, end, road.heading(far).scale(-1.0), 30.0);
        scene.add_occluder(move |p| house.occlude(p));
        scene.add(far + 10.0, move |p| house.paint(p));
        across += width;
    }
}

fn add_vehicle(scene: &mut Scene<'_>, vehicle: Vehicle) {
    scene.add_on_ground(move |p| vehicle.paint_shadow(p));
    scene.add_at(vehicle.base, move |p| vehicle.paint(p));
}

fn traffic(scene: &mut Scene<'_>, s: &mut Stream, street: &Street, road: Road) {
    let w = street.carriageway;
    let kind = |s: &mut Stream| if s.chance(0.13) { Kind::Van } else { Kind::Car };
    // parked on the left, and further away on the right
    for (across, first, share) in
        [(-w - 1.15, s.range(3.0, 9.0), 0.85), (-1.0, s.range(11.0, 18.0), 0.6)]
    {
        if across > -2.0 && (street.tram || s.chance(0.4)) {
            continue;
        }
        let mut along = first;
        while along < 75.0 {
            if s.chance(share) {
                let ahead = road.heading(along).scale(if across < -2.0 && s.chance(0.7) {
                    -1.0
                } else {
                    1.0
                });
                let kind = kind(s);
                let base = road.world(across + s.range(-0.1, 0.1), 0.0, along);
                add_vehicle(scene, Vehicle::new(s, kind, base, ahead));
            }
            along += s.range(5.4, 6.6);
        }
    }
    for (share, across, direction) in [(0.55, -0.3, 1.0), (0.6, -0.72, -1.0)] {
        if s.chance(share) {
            let along = s.range(16.0, 50.0);
            let kind = match s.below(8) {
                0 => Kind::Bus,
                1 => Kind::Lorry,
                2 => Kind::Van,
                _ => Kind::Car,
            };
            let base = road.world(across * w, 0.0, along);
            add_vehicle(scene, Vehicle::new(s, kind, base, road.heading(along).scale(direction)));
        }
    }
}

/// Zebra or stop line with signals.
fn crossing(scene: &mut Scene<'_>, s: &mut Stream, street: &Street, road: Road) {
    if s.chance(0.3) {
        return;
    }
    let w = street.carriageway;
    let along = s.range(8.0, 26.0);
    let zebra = s.chance(0.5);
    let wear = s.range(0.5, 0.85);
    scene.add_on_ground(move |p| {
        let corner = road.world(-w, 0.0, along);
        let light = p.light.on(UP);
        let depth = if zebra { 3.4 } else { 0.5 };
        let white = Rgb::grey(0.6).times(light);
        let edge = road.heading(along).scale(depth);
        p.quad(corner, road.right().scale(w), edge, |u, v, fp| {
            let bar = if zebra { band(fract(u) * 1.0, 0.0, 0.5, fp) } else { 1.0 };
            (white, wear * bar * band(v, 0.0, depth, fp))
        });
    });
    let state = s.below(3);
    for across in [0.5, -w - 2.8] {
        let foot = road.world(across, 0.0, along + if zebra { 4.2 } else { 1.2 });
        if !zebra {
            scene.add_at(foot, move |p| furniture::traffic_light(p, foot, 3.3, state));
        }
    }
    if s.chance(0.6) {
        let foot = road.world(-w * s.unit(), 0.0, along + s.range(0.6, 2.6));
        let mut stream = Stream::from_seed(s.bits());
        scene.add_at(foot, move |p| furniture::pedestrian(p, &mut stream, foot));
    }
}

/// People, lamps, bins, bollards, trees of the pavement.
fn details(scene: &mut Scene<'_>, s: &mut Stream, street: &Street, road: Road) {
    let w = street.carriageway;
    for _ in 0..s.below(7) {
        let right = s.chance(0.45);
        let across = if right {
            s.range(1.6, street.right - 0.6)
        } else {
            s.range(street.left + 0.6, -w - 2.7)
        };
        let along = s.range(if right { 11.0 } else { 7.0 }, 45.0);
        let foot = road.world(across, 0.0, along);
        let mut stream = Stream::from_seed(s.bits());
        scene.add_at(foot, move |p| furniture::pedestrian(p, &mut stream, foot));
    }
    let mut along = s.range(9.0, 20.0);
    let spacing = s.range(22.0, 30.0);
    while along < street.length {
        let foot = road.world(-w - 2.75, 0.0, along);
        let toward = road.right();
        scene.add_at(foot, move |p| furniture::lamp_post(p, foot, 6.5, toward, 1.4));
        along += spacing;
    }
    if s.chance(0.5) {
        for i in 0..8_u8 {
            let foot = road.world(0.55, 0.0, 9.0 + 1.8 * f32::from(i));
            scene.add_at(foot, move |p| furniture::bollard(p, foot));
        }
    }
    let foot = road.world(street.right - 0.8, 0.0, s.range(10.0, 25.0));
    let mut stream = Stream::from_seed(s.bits());
    let right = road.ahead();
    scene.add_at(foot, move |p| furniture::bin(p, &mut stream, foot, right));
}

/// Overhead line of the tram: two contact wires hung from cross wires between the houses.
fn wires(p: &mut Painter<'_>, street: &Street, road: &Road) {
    let w = street.carriageway;
    let dark = Rgb::grey(0.02);
    let mut along = street.length - 5.0;
    while along > 4.0 {
        let (a, b) = (road.world(street.left, 8.2, along), road.world(street.right, 8.2, along));
        p.wire(a, b, 1.5, 0.012, dark);
        along -= 22.0;
    }
    for track in [-0.3, -0.7] {
        let mut far = street.length;
        while far > 2.0 {
            let near = (far - 22.0).max(1.0);
            let (a, b) = (road.world(track * w, 6.0, near), road.world(track * w, 6.0, far));
            p.wire(b, a, 0.1, 0.014, dark);
            far = near - 0.01;
            if near <= 1.0 {
                break;
            }
        }
    }
}
