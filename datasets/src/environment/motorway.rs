//! Motorway: two carriageways of three lanes, guard rails, gantry or bridge, noise barrier or bushes, lorries.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::rng::{Stream, key};

use super::View;
use super::facade::{band, pick_colour};
use super::foliage::TreeLine;
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
const LANE_METRES: f32 = 3.75;
const SHOULDER_METRES: f32 = 2.75;
/// Carriageway with hard shoulder and inner margin.
const WIDTH_METRES: f32 = SHOULDER_METRES + 3.0 * LANE_METRES + 0.75;

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::from_seed(key("motorway", &[view.seed]));
    let place = Place::new(view, WIDTH_METRES, s.range(-1.0, 1.0) / 700.0);
    let median = s.range(2.6, 4.2);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), s.range(1000.0, 3000.0));
    let ground = ground(&place, median, &mut s);
    let mut scene = Scene::new();
    borders(&place, median, &mut scene, &mut s);
    rails(&place, median, &mut scene);
    traffic(&place, median, &mut scene, &mut s);
    let over = s.below(5);
    if over < 3 {
        gantry(&place, median, &mut scene, &mut s);
    }
    if over > 1 {
        bridge(&place, median, &mut scene, &mut s);
    }
    scene.paint(&mut painter, |painter| {
        sky.paint(view, painter);
        ground.paint(painter);
    });
}

fn ground(place: &Place, median: f32, s: &mut Stream) -> Ground {
    let w = WIDTH_METRES;
    let far = -2.0 * w - median;
    let road =
        if s.chance(0.25) { Surface::Concrete } else { Surface::Asphalt(s.range(0.8, 1.25)) };
    let mut ground = Ground::new(&place.view, place.road, place.palette);
    ground.strips = [
        (-1e5, Surface::Grass),
        (far, road),
        (-w - median, Surface::Grass),
        (-w, road),
        (0.0, Surface::Gravel),
        (0.6, Surface::Grass),
    ]
    .map(|(from, surface)| Strip { from, surface })
    .to_vec();
    for (edge, sign) in [(0.0, -1.0), (far, 1.0)] {
        let inner = SHOULDER_METRES + 3.0 * LANE_METRES;
        for across in [SHOULDER_METRES, inner] {
            let line = Marking { width: 0.3, ..Marking::edge(edge + sign * across) };
            ground.markings.push(line);
        }
        for lane in [1.0, 2.0] {
            let across = edge + sign * (SHOULDER_METRES + lane * LANE_METRES);
            ground.markings.push(Marking::lane_motorway(across));
        }
    }
    ground
}

/// Noise barriers or bushes and trees on both sides, woods far away.
fn borders(place: &Place, median: f32, scene: &mut Scene<'_>, s: &mut Stream) {
    let palette = place.palette;
    for _ in 0..3 {
        let (distance, centre) = (s.range(180.0, 500.0), s.range(-1.2, 1.2));
        let line = TreeLine {
            from: place.seen(centre - 0.9, distance),
            to: place.seen(centre + 0.9, distance * s.range(0.9, 1.2)),
            height: s.range(10.0, 20.0),
            crown: s.range(5.0, 9.0),
            conifers: 0.2,
            gaps: s.range(0.0, 0.25),
            seed: s.bits(),
        };
        scene.add(distance, move |p| line.paint(p, &palette));
    }
    for side in [1.0_f32, -1.0] {
        let edge = if side > 0.0 { 0.0 } else { -2.0 * WIDTH_METRES - median };
        if s.chance(0.5) {
            let across = edge + side * s.range(3.2, 5.5);
            let extent = (s.range(3.0, 5.0), s.range(70.0, 160.0));
            barrier(place, scene, s, across, extent);
        } else {
            for i in 0..14_u8 {
                let along = 12.0 + 7.0 * f32::from(i) + s.range(-2.0, 2.0);
                let base = place.at(edge + side * s.range(4.5, 10.0), along);
                let bush = s.chance(0.65);
                let habit = if bush { Habit::Bush } else { Habit::Round };
                let height = if bush { s.range(1.8, 3.8) } else { s.range(6.0, 12.0) };
                place.tree(scene, s, base, height, habit);
            }
        }
    }
}

/// A wall of ribbed panels between steel posts, against the noise.
fn barrier(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, across: f32, extent: (f32, f32)) {
    let (height, end) = extent;
    let panel = pick_colour(
        s,
        &[(112, 128, 104), (150, 148, 140), (136, 116, 92), (96, 116, 128), (164, 156, 134)],
    );
    let stripe = pick_colour(s, &[(84, 104, 84), (170, 166, 156), (120, 84, 66), (72, 92, 112)]);
    let stain = Field::new(Pattern::Fractal, s.bits(), 14.0);
    let glazed = s.chance(0.35);
    let mut along = 0.0;
    while along < end {
        let (near, far) = (place.at(across, along), place.at(across, along + 20.0));
        scene.add(along + across.abs(), move |p| {
            let edge = far.minus(near);
            let normal = Vec3::new(-edge.z, 0.0, edge.x).unit();
            let faces = p.camera.position.minus(near).dot(normal) > 0.0;
            let light = p.light.on(if faces { normal } else { normal.scale(-1.0) });
            p.quad(near, edge, UP.scale(height), |u, v, fp| {
                let rib = 0.82 + 0.3 * fract(v / 0.25) * (1.0 - fp / 0.25).clamp(0.0, 1.0);
                let old = 0.75 + 0.5 * stain.at(u + along, v, fp);
                let seam = band(fract(v / 1.0), 0.0, 0.04, fp);
                let top = band(v, height - 1.0, height - 0.12, fp);
                let post = band(fract(u / 4.0) * 4.0, 0.0, 0.18, fp);
                let base = 1.0 - band(v, 0.5, 99.0, fp);
                let c = panel.mix(stripe, top).scale(rib * old * (1.0 - 0.4 * seam));
                let c = c.mix(Rgb::grey(0.3).scale(old), base);
                let c = c.mix(furniture::STEEL.scale(0.7), post);
                let clear = if glazed { top * (1.0 - post) * 0.75 } else { 0.0 };
                (c.times(light), 1.0 - clear)
            });
        });
        along += 20.0;
    }
}

fn rails(place: &Place, median: f32, scene: &mut Scene<'_>) {
    let road = place.road;
    let w = WIDTH_METRES;
    for across in [1.9, -w - 0.6, -w - median + 0.6, -2.0 * w - median - 0.9] {
        let mut from = 2.0;
        while from < 150.0 {
            let a: f32 = from;
            scene.add(a + across.abs(), move |p| {
                furniture::guard_rail(p, &road, across, a, a + 16.0);
            });
            from += 16.0;
        }
    }
}

fn traffic(place: &Place, median: f32, scene: &mut Scene<'_>, s: &mut Stream) {
    for (edge, sign) in [(0.0, -1.0), (-2.0 * WIDTH_METRES - median, 1.0)] {
        for lane in [0.5, 1.5, 2.5] {
            let across = edge + sign * (SHOULDER_METRES + lane * LANE_METRES);
            let mut along = s.range(17.0, 50.0);
            while along < 220.0 {
                let heavy = lane < 1.0 && s.chance(0.6);
                let kind = match (heavy, s.below(8)) {
                    (true, _) => Kind::Lorry,
                    (_, 0) => Kind::Van,
                    _ => Kind::Car,
                };
                let heading = place.road.heading(along).scale(-sign);
                let vehicle = Vehicle::new(s, kind, place.at(across, along), heading);
                scene.add_on_ground(move |p| vehicle.paint_shadow(p));
                scene.add_at(vehicle.base, move |p| vehicle.paint(p));
                along += s.range(26.0, 75.0);
            }
        }
    }
}

/// A steel truss over the carriageway with blue boards.
fn gantry(place: &Place, median: f32, scene: &mut Scene<'_>, s: &mut Stream) {
    let along = s.range(26.0, 70.0);
    let (left, right) = (-WIDTH_METRES - 0.5 * median, s.range(2.3, 3.4));
    let high = s.range(6.2, 7.0);
    let at = |across: f32, up: f32| place.road.world(across, up, along);
    let (feet, low, top) = (
        [at(left, 0.0), at(right, 0.0)],
        [at(left, high), at(right, high)],
        [at(left, high + 1.3), at(right, high + 1.3)],
    );
    let axis = low[1].minus(low[0]).unit();
    let arrow_down = s.chance(0.5);
    let words = Field::new(Pattern::Grain, s.bits(), 30.0);
    let mut boards = Vec::new();
    let mut across = -SHOULDER_METRES - 3.0 * LANE_METRES + s.range(0.0, 1.0);
    while across < 0.5 {
        let wide = s.range(3.4, 5.2);
        boards.push((at(across, high - 0.6), wide, s.range(2.6, 3.6)));
        across += wide + s.range(0.3, 3.0);
    }
    scene.add_at(feet[1], move |p| {
        let steel = furniture::STEEL;
        for i in 0..2 {
            p.pole(feet[i], top[i], 0.2, 0.2, steel);
        }
        p.pole(low[0], low[1], 0.12, 0.12, steel);
        p.pole(top[0], top[1], 0.12, 0.12, steel);
        let step = low[1].minus(low[0]).scale(1.0 / 12.0);
        for i in 0..12_u8 {
            let a = low[0].plus(step.scale(f32::from(i)));
            let b = a.plus(step);
            let lift = UP.scale(1.3);
            let (a, b) = if i % 2 == 0 { (a, b.plus(lift)) } else { (a.plus(lift), b) };
            p.pole(a, b, 0.06, 0.06, steel);
        }
        let light = p.light.on(Vec3::new(axis.z, 0.0, -axis.x));
        let light = light.plus(Rgb::grey(0.15 * p.light.dusk));
        for &(corner, wide, tall) in &boards {
            p.quad(corner, axis.scale(wide), UP.scale(tall), |u, v, fp| {
                let inner = band(u, 0.08, wide - 0.08, fp) * band(v, 0.08, tall - 0.08, fp);
                let rim = band(u, 0.13, wide - 0.13, fp) * band(v, 0.13, tall - 0.13, fp);
                // destinations: lines of letters of different length
                let row = (v - 0.9) / 0.62;
                let line = row - fract(row);
                let length = wide * (0.45 + 0.4 * words.at(3.7 * line, 9.1, 0.01));
                let letter = 0.35 + 0.65 * words.at(u * 4.0, line * 5.0, fp);
                let text = band(fract(row) * 0.62, 0.12, 0.46, fp)
                    * band(u, 0.45, length, fp)
                    * band(v, 0.9, tall - 0.35, fp)
                    * letter
                    * (1.0 - band(fract(u / 0.26) * 0.26, 0.0, 0.05, fp));
                let x = (u - 0.5 * wide).abs();
                let y = if arrow_down { v - 0.22 } else { 0.78 - v };
                let arrow = band(x, -1.0, 0.06, fp) * band(v, 0.25, 0.75, fp);
                let head = band(x - y, -9.0, 0.0, fp) * band(y, 0.0, 0.26, fp);
                let white = (1.0 - rim).max(text).max(arrow).max(head) * inner;
                let c = Rgb::srgb8(18, 74, 148).mix(Rgb::grey(0.75), white);
                (c.times(light), 1.0)
            });
        }
    });
}

/// A road bridge across both carriageways.
fn bridge(place: &Place, median: f32, scene: &mut Scene<'_>, s: &mut Stream) {
    let along = s.range(55.0, 130.0);
    let (left, right) = (-2.0 * WIDTH_METRES - median - 5.0, 6.0);
    let (clear, deck) = (s.range(4.9, 6.0), s.range(1.1, 1.7));
    let tone = Rgb::new(0.34, 0.335, 0.32).scale(s.range(0.8, 1.25));
    let stain = Field::new(Pattern::Fractal, s.bits(), 18.0);
    let axis = place.road.right();
    let middle = place.road.world(0.5 * (left + right), clear, along);
    let slab = Cuboid::new(middle, axis, right - left + 40.0, deck, 9.0);
    let pier_across = [left, -WIDTH_METRES - 0.5 * median, right];
    let piers = pier_across.map(|a| {
        Cuboid::new(
            place.at(a, along),
            axis,
            if a < right && a > left { 0.9 } else { 3.0 },
            clear,
            8.0,
        )
    });
    let rail = Cuboid::new(middle.plus(UP.scale(deck)), axis, right - left + 40.0, 1.0, 9.0);
    scene.add(along - 4.5, move |p| {
        for pier in &piers {
            p.cuboid(pier, |f, u, v, fp| {
                (tone.times(f.light).scale(0.65 + 0.5 * stain.at(u, v, fp)), 1.0)
            });
        }
        // the soffit, in shade
        let corner = slab.point(-0.5, 0.0, -0.5);
        let dark = tone.times(p.light.on(UP.scale(-1.0))).scale(0.5);
        p.quad(corner, axis.scale(slab.size.x), slab.inward().scale(9.0), |_, _, _| (dark, 1.0));
        p.cuboid(&slab, |f, u, v, fp| {
            let streak = stain.at(u * 2.0, 0.3 * v, fp);
            let coping = 1.0 + 0.2 * band(v, deck - 0.3, deck, fp);
            (tone.times(f.light).scale((0.75 + 0.45 * streak) * coping), 1.0)
        });
        p.cuboid(&rail, |f, u, v, fp| {
            let bars = band(fract(u / 0.14) * 0.14, 0.0, 0.025, fp)
                .max(band(fract(u / 2.0) * 2.0, 0.0, 0.07, fp))
                .max(band(v, 0.93, 1.0, fp));
            let open = if f.side == Side::Top { 0.0 } else { bars };
            (furniture::STEEL.scale(0.8).times(f.light), open)
        });
    });
}
