//! Residential street: detached houses in gardens, hedges and low fences, garages, cars parked at the kerb.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::rng::{Stream, key};

use super::View;
use super::building::Detached;
use super::facade::{band, pick_colour};
use super::foliage::hedge;
use super::ground::{Ground, Marking, Strip, Surface};
use super::painter::Painter;
use super::place::Place;
use super::plants::Habit;
use super::scene::Scene;
use super::sky::Sky;
use super::solids::{Cuboid, Side};
use super::street_furniture as furniture;
use super::tile::{Field, Pattern, fract};
use super::vehicle::{Kind, Vehicle};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// One side of the street.
#[derive(Clone, Copy)]
struct Row {
    /// 1 on the right, -1 on the left.
    side: f32,
    /// Outer edge of the pavement, metres across.
    edge: f32,
}

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::from_seed(key("residential", &[view.seed]));
    let carriageway = s.range(5.2, 7.0);
    let place = Place::new(view, carriageway, s.range(-1.0, 1.0) / 170.0);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), s.range(900.0, 2200.0));
    let right = Row { side: 1.0, edge: s.range(1.7, 2.5) };
    let left = Row { side: -1.0, edge: -carriageway - s.range(1.5, 2.3) };
    let ground = ground(&place, right, left, &mut s);

    let mut scene = Scene::new();
    for row in [right, left] {
        plots(&place, &mut scene, &mut s, row);
    }
    behind(&place, &mut scene, &mut s);
    kerbside(&place, &mut scene, &mut s);
    scene.announce(&mut painter);
    scene.paint(&mut painter, |painter| {
        sky.paint_behind(view, painter);
        ground.paint(painter);
    });
}

fn ground(place: &Place, right: Row, left: Row, s: &mut Stream) -> Ground {
    let w = place.road_metres;
    let walk = *s.pick(&[Surface::Slabs, Surface::Slabs, Surface::Asphalt(1.25)]);
    let mut ground = Ground::new(&place.view, place.road, place.palette);
    ground.strips = [
        (-1e5, Surface::Grass),
        (left.edge, walk),
        (-w - 0.14, Surface::Kerb),
        (-w, Surface::Asphalt(s.range(0.85, 1.3))),
        (0.0, Surface::Kerb),
        (0.14, walk),
        (right.edge, Surface::Grass),
    ]
    .map(|(from, surface)| Strip { from, surface })
    .to_vec();
    if w > 6.2 && s.chance(0.25) {
        ground.markings.push(Marking::centre_town(-0.5 * w));
    }
    ground
}

/// House, garage, drive, fence and garden, one plot after the other.
fn plots(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, row: Row) {
    // streets are built over in one go: most neighbours keep the building line
    let line = s.range(4.0, 7.0);
    let mut along = s.range(-4.0, 6.0);
    while along < 125.0 {
        let heading = place.road.heading(along);
        // right as seen by somebody who looks at the front
        let front_right = heading.scale(-row.side);
        let mut house = Detached::new(s, Vec3::default(), front_right);
        let (width, depth) = (house.size.x, house.size.z);
        let side_gap = s.range(1.6, 3.5);
        let garage = s.chance(0.7).then(|| s.range(2.9, 5.8));
        let drive = garage.unwrap_or(0.0);
        let setback = line + s.range(-0.4, 1.2);
        let middle = along + side_gap + 0.5 * width;
        house.base = place.at(row.edge + row.side * (setback + 0.5 * depth), middle);
        let (base, radius, tall) =
            (house.base, 0.5 * depth.min(width), house.size.y + 0.7 * house.rise);
        scene.add_on_ground(move |p| p.ground_shadow(base, radius, tall));
        scene.add_occluder(move |p| house.occlude(p));
        scene.add_building(base, [house.size.x, house.size.z], move |p| house.paint(p));
        let plot = 2.0 * side_gap + width + drive;
        if let Some(wide) = garage {
            let at = along + 1.6 * side_gap + width + 0.5 * wide;
            let back = setback + s.range(0.3, 3.5);
            add_garage(place, scene, s, row, (at, back, wide), front_right);
        }
        let fence_end = along + plot - drive;
        boundary(place, scene, s, row, along, fence_end);
        garden(place, scene, s, row, (along, fence_end), setback);
        along += plot;
    }
}

/// A garage with its drive; `spot` is metres along, metres behind the pavement, and width.
fn add_garage(
    place: &Place,
    scene: &mut Scene<'_>,
    s: &mut Stream,
    row: Row,
    spot: (f32, f32, f32),
    front_right: Vec3,
) {
    let (along, back, wide) = spot;
    let depth = s.range(5.5, 6.5);
    let base = place.at(row.edge + row.side * (back + 0.5 * depth), along);
    let body = Cuboid::new(base, front_right, wide, s.range(2.5, 2.9), depth);
    let wall =
        pick_colour(s, &[(214, 208, 196), (196, 190, 178), (224, 218, 202), (166, 150, 132)]);
    let door = pick_colour(
        s,
        &[(206, 206, 202), (120, 92, 66), (88, 94, 98), (70, 88, 76), (150, 152, 150)],
    );
    let stain = Field::new(Pattern::Fractal, s.bits(), 9.0);
    let slats = s.chance(0.5);
    let snow = place.palette.snow;
    let doors = if wide > 4.6 { 2.0 } else { 1.0 };
    let pitch = wide / doors;
    scene.add_at(base, move |p| {
        p.cuboid(&body, |f, u, v, fp| {
            let old = 0.85 + 0.3 * stain.at(u, v, fp);
            if f.side == Side::Top {
                let felt = Rgb::grey(0.12).mix(Rgb::new(0.8, 0.82, 0.86), snow.min(1.0));
                return (felt.times(f.light).scale(old), 1.0);
            }
            let foot = 0.7 + 0.3 * (v / 0.8).min(1.0);
            let mut c = wall.scale(old);
            if f.side == Side::Front {
                let x = fract(u / pitch) * pitch;
                let leaf = band(x, 0.3, pitch - 0.3, fp) * band(v, -1.0, 2.12, fp);
                let t = if slats { fract(v / 0.53) } else { fract(x / 0.16) };
                let groove = 1.0 - 0.35 * band(t, 0.0, 0.08, fp * 2.0);
                c = c.mix(door.scale(groove), leaf);
            }
            // edge of the flat roof
            let rim = band(v, f.height - 0.22, f.height, fp);
            (c.mix(Rgb::grey(0.10), rim).times(f.light).scale(foot), 1.0)
        });
    });
    let corner = place.at(row.edge, along).minus(front_right.scale(0.5 * wide));
    let reach = place.road.right().scale(row.side * back);
    let tone = pick_colour(s, &[(136, 130, 124), (150, 132, 118), (122, 120, 118)]);
    scene.add_on_ground(move |p| {
        let light = p.light.on(UP);
        p.quad(corner, front_right.scale(wide), reach, |u, v, fp| {
            let joint = band(fract(u / 0.2) * 0.2, 0.0, 0.012, fp).max(band(
                fract(v / 0.1) * 0.1,
                0.0,
                0.012,
                fp,
            ));
            let c = tone.scale((0.8 + 0.4 * stain.at(u, v, fp)) * (1.0 - 0.3 * joint));
            (c.times(light), 1.0)
        });
    });
    if s.chance(0.45) && back > 4.6 {
        let spot = place.at(row.edge + row.side * (back - 2.6), along);
        add_vehicle(scene, Vehicle::new(s, Kind::Car, spot, place.road.right().scale(row.side)));
    } else if s.chance(0.6) {
        let foot = place.at(row.edge + row.side * 0.7, along + 0.5 * wide);
        let seed = s.bits();
        scene.add_at(foot, move |p| {
            furniture::bin(p, &mut Stream::from_seed(seed), foot, front_right);
        });
    }
}

/// What separates the front garden from the pavement, with a gap for the garden gate.
fn boundary(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, row: Row, from: f32, to: f32) {
    let palette = place.palette;
    let across = row.edge + row.side * 0.25;
    let gate = from + (to - from) * s.range(0.35, 0.65);
    let kind = s.below(8);
    let height = s.range(0.8, 1.6);
    let tone = pick_colour(
        s,
        &[(222, 222, 216), (112, 82, 58), (94, 84, 76), (140, 116, 84), (66, 78, 70)],
    );
    let stone = Rgb::new(0.34, 0.32, 0.29).scale(s.range(0.7, 1.4));
    for (a, b) in [(from, gate - 0.6), (gate + 0.6, to)] {
        // in short pieces, so that they sort well among cars and trees
        let pieces = ((b - a) / 5.0).ceil().max(1.0);
        let step = (b - a) / pieces;
        let mut start = a;
        while start < b - 0.1 {
            let (near, far) = (place.at(across, start), place.at(across, start + step));
            let seed = s.bits();
            let distance = start.max(0.0) + across.abs();
            scene.add(distance, move |p| match kind {
                0..=3 => hedge(p, &palette, near, far, height, 0.12, seed),
                4 => furniture::board_fence(p, near, far, 0.75 * height + 0.2, 0.38, tone, seed),
                5 => furniture::low_wall(p, near, far, 0.55, stone, seed),
                6 => {
                    furniture::low_wall(p, near, far, 0.45, stone, seed);
                    let (n, f) = (near.plus(UP.scale(0.45)), far.plus(UP.scale(0.45)));
                    furniture::board_fence(p, n, f, 0.62, 0.45, tone, seed);
                }
                _ => furniture::mesh_fence(p, near, far, 1.1, Rgb::new(0.05, 0.09, 0.06)),
            });
            start += step;
        }
    }
    if kind > 3 || s.chance(0.4) {
        for post in [gate - 0.6, gate + 0.6] {
            let pillar = Cuboid::new(place.at(across, post), place.road.right(), 0.36, 1.25, 0.36);
            scene.add_at(pillar.base, move |p| {
                p.cuboid(&pillar, |f, _, v, fp| {
                    let cap = 1.0 + 0.3 * band(v, 1.15, 2.0, fp);
                    (stone.times(f.light).scale(cap * (0.7 + 0.25 * v)), 1.0)
                });
            });
        }
    }
}

/// Trees and shrubs of the front garden, sometimes a path to the door.
fn garden(
    place: &Place,
    scene: &mut Scene<'_>,
    s: &mut Stream,
    row: Row,
    extent: (f32, f32),
    setback: f32,
) {
    let (from, to) = extent;
    for _ in 0..1 + s.below(4) {
        let habit = *s.pick(&[
            Habit::Bush,
            Habit::Bush,
            Habit::Bush,
            Habit::Round,
            Habit::Oval,
            Habit::Conifer,
            Habit::Column,
        ]);
        let height = match habit {
            Habit::Bush => s.range(0.9, 2.3),
            Habit::Conifer | Habit::Column => s.range(2.5, 7.5),
            _ => s.range(3.5, 6.5),
        };
        let across = row.edge + row.side * s.range(1.0, setback - 0.8);
        let base = place.at(across, s.range(from, to));
        // keeps clear of the camera
        if base.z > 7.0 || habit == Habit::Bush && base.z > 4.0 {
            place.tree(scene, s, base, height, habit);
        }
    }
}

/// Second row: roofs and old trees above the first.
fn behind(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    for _ in 0..6 {
        let base = place.beside(s.range(-1.15, 1.15), s.range(42.0, 110.0), 27.0);
        let heading = place.road.ahead().plus(place.road.right().scale(s.range(-0.5, 0.5))).unit();
        let turn = if s.chance(0.5) { 1.0 } else { -1.0 };
        let house = Detached::new(s, base, heading.scale(turn));
        scene.add_occluder(move |p| house.occlude(p));
        scene.add_building(base, [house.size.x, house.size.z], move |p| house.paint(p));
    }
    for _ in 0..9 {
        let base = place.beside(s.range(-1.15, 1.15), s.range(36.0, 120.0), 22.0);
        let habit = *s.pick(&[Habit::Round, Habit::Round, Habit::Oval, Habit::Conifer]);
        let height = s.range(8.0, 16.0);
        place.tree(scene, s, base, height, habit);
    }
}

fn add_vehicle(scene: &mut Scene<'_>, vehicle: Vehicle) {
    scene.add_on_ground(move |p| vehicle.paint_shadow(p));
    scene.add_at(vehicle.base, move |p| vehicle.paint(p));
}

/// Parked cars, lamps, street trees, somebody on foot.
fn kerbside(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let w = place.road_metres;
    for (across, first, direction, share) in
        [(-1.05, s.range(11.0, 20.0), 1.0, 0.55), (-w + 1.05, s.range(5.0, 14.0), -1.0, 0.6)]
    {
        let mut along = first;
        while along < 90.0 {
            if s.chance(share) {
                let kind = if s.chance(0.08) { Kind::Van } else { Kind::Car };
                let base = place.at(across + s.range(-0.1, 0.1), along);
                let heading = place.road.heading(along).scale(direction);
                add_vehicle(scene, Vehicle::new(s, kind, base, heading));
            }
            along += s.range(5.6, 8.5);
        }
    }
    let (mut along, spacing) = (s.range(10.0, 26.0), s.range(26.0, 36.0));
    let (lamps_across, reach) = if s.chance(0.5) { (0.5, -1.0) } else { (-w - 0.5, 1.0) };
    let height = s.range(4.2, 5.6);
    let toward = place.road.right().scale(reach);
    while along < 120.0 {
        let foot = place.at(lamps_across, along);
        scene.add_at(foot, move |p| furniture::lamp_post(p, foot, height, toward, 0.5));
        along += spacing;
    }
    if s.chance(0.35) {
        let (spacing, height) = (s.range(9.0, 14.0), s.range(4.5, 8.0));
        let across = if s.chance(0.5) { -w - 0.6 } else { 0.7 };
        for i in 0..6_u8 {
            let base = place.at(across, 15.0 + spacing * f32::from(i));
            let height = height * s.range(0.85, 1.15);
            place.tree(scene, s, base, height, Habit::Round);
        }
    }
    if s.chance(0.4) {
        let across = if s.chance(0.5) { s.range(0.6, 1.4) } else { -w - s.range(0.5, 1.2) };
        let foot = place.at(across, s.range(13.0, 40.0));
        let seed = s.bits();
        scene.add_at(foot, move |p| {
            furniture::pedestrian(p, &mut Stream::from_seed(seed), foot);
        });
    }
}
