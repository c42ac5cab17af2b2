//! Coast: the sea to the horizon, dunes or a dyke, lighthouse, sails, gulls, a wide sky.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::num::{sin_cos, smoothstep};
use crate::rng::Stream;

use super::View;
use super::country;
use super::foliage::tall_grass;
use super::ground::{Ground, Marking, Strip, Surface};
use super::painter::Painter;
use super::place::Place;
use super::plants::Habit;
use super::scene::Scene;
use super::seaside;
use super::sky::Sky;
use super::solids::Cuboid;

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::new("coast", &[view.seed]);
    let place = Place::new(view, s.range(4.8, 6.4), s.range(-1.0, 1.0) / 220.0);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), s.range(2500.0, 9000.0));
    let dyke = s.chance(0.35);
    let ground = ground(&place, &mut s, dyke);
    let (beach, waves) = (s.range(38.0, 75.0), s.bits());
    let mut scene = Scene::new();
    water(&place, &mut scene, &mut s);
    if dyke {
        dyke_bank(&place, &mut scene, &mut s);
    } else {
        dunes(&place, &mut scene, &mut s);
    }
    landmarks(&place, &mut scene, &mut s);
    let count = 3 + s.below(7);
    seaside::gulls(&place, &mut scene, &mut s, count);
    scene.paint(&mut painter, |painter| {
        sky.paint(view, painter);
        ground.paint(painter);
        seaside::sea(painter, beach, sky.haze(), waves);
    });
}

fn ground(place: &Place, s: &mut Stream, dyke: bool) -> Ground {
    let w = place.road_metres;
    let soft = if dyke { Surface::Grass } else { Surface::Sand };
    let mut ground = Ground::new(&place.view, place.road, place.palette);
    let verge = s.range(0.8, 2.0);
    let far = if s.chance(0.5) { Surface::Grass } else { soft };
    ground.strips = [
        (-1e5, far),
        (-w - verge, Surface::Grass),
        (-w - 0.1, Surface::Asphalt(s.range(1.0, 1.5))),
        (0.1, if dyke { Surface::Grass } else { Surface::Sand }),
        (verge, soft),
    ]
    .map(|(from, surface)| Strip { from, surface })
    .to_vec();
    ground.markings = vec![Marking::edge(-0.15), Marking::edge(0.15 - w)];
    if w > 5.5 {
        ground.markings.push(Marking::centre_rural(-0.5 * w));
    }
    ground
}

/// Boats, a ferry far out, groynes.
fn water(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let sails =
        [Rgb::grey(0.74), Rgb::grey(0.70), Rgb::srgb8(150, 52, 40), Rgb::srgb8(60, 84, 130)];
    for _ in 0..3 + s.below(5) {
        let distance = s.range(60.0, 260.0);
        let base = place.seen(s.range(-1.05, 1.05), distance);
        let (sin, cos) = sin_cos(s.range(-0.7, 0.7));
        let right = place.road.right();
        let along = right.scale(cos).plus(place.road.ahead().scale(sin));
        let along = if s.chance(0.5) { along } else { along.scale(-1.0) };
        let length = s.range(7.0, 14.0);
        let hull = *s.pick(&[Rgb::grey(0.7), Rgb::srgb8(40, 56, 92), Rgb::srgb8(130, 40, 36)]);
        let (sail, seed) = (*s.pick(&sails), s.bits());
        scene.add_at(base, move |p| seaside::sail_boat(p, base, along, length, hull, sail, seed));
    }
    if s.chance(0.5) {
        let base = place.seen(s.range(-0.9, 0.9), s.range(600.0, 1500.0));
        let right = place.road.right();
        let tone = *s.pick(&[Rgb::srgb8(40, 60, 96), Rgb::srgb8(128, 44, 38), Rgb::grey(0.6)]);
        scene.add_at(base, move |p| ferry(p, base, right, tone));
    }
    if s.chance(0.5) {
        let (from, to) =
            (place.seen(s.range(-1.0, 1.0), 44.0), place.seen(s.range(-1.0, 1.0), 100.0));
        let seed = s.bits();
        scene.add_at(from, move |p| seaside::piles(p, from, to, 34, 1.3, seed));
    }
    if s.chance(0.3) {
        // wind farm at sea
        let facing = place.seen(0.0, 1.0).unit().scale(-1.0);
        for i in 0..7_u8 {
            let base = place
                .seen(-1.0 + 0.3 * f32::from(i) + s.range(-0.05, 0.05), s.range(900.0, 1600.0));
            let phase = s.range(0.0, 2.0);
            scene.add_at(base, move |p| country::wind_turbine(p, base, 100.0, facing, phase));
        }
    }
}

/// A ship: hull, white decks, funnel.
fn ferry(p: &mut Painter<'_>, base: Vec3, right: Vec3, tone: Rgb) {
    for (width, low, high, shift, c) in [
        (120.0, 0.0, 9.0, 0.0, tone),
        (96.0, 9.0, 19.0, -4.0, Rgb::grey(0.72)),
        (60.0, 19.0, 24.0, 8.0, Rgb::grey(0.70)),
        (9.0, 24.0, 32.0, -16.0, tone),
    ] {
        let foot = base.plus(right.scale(shift)).plus(UP.scale(low));
        let part = Cuboid::new(foot, right, width, high - low, 18.0);
        p.cuboid(&part, |face, u, v, fp| {
            let window = low > 1.0 && (v % 3.3) > 1.2 && (v % 3.3) < 2.3 && (u % 2.6) < 1.7;
            let dark = if window { 0.3 + 0.7 * (fp / 3.0).min(1.0) } else { 1.0 };
            (c.times(face.light).scale(dark), 1.0)
        });
    }
}

/// Dunes on both sides: near ones tall, with gaps through which the sea is seen.
fn dunes(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let palette = place.palette;
    let open = s.range(-0.5, 0.5);
    let width = s.range(0.16, 0.38);
    for distance in [s.range(34.0, 44.0), s.range(19.0, 26.0), s.range(11.0, 14.0)] {
        let dunes = seaside::Dunes {
            distance,
            height: (0.02 * distance, distance * s.range(0.10, 0.21)),
            feature: distance * s.range(0.5, 0.9),
            grass: s.range(0.3, 0.95),
            seed: s.bits(),
        };
        let gap = open + s.range(-0.1, 0.1);
        // the road keeps its opening: its bearing against the viewing direction
        let f = place.view.camera.rotation.forward;
        let at_road = place.road.local(Vec3::new(f.x * distance, 0.0, f.z * distance)).0;
        let road_gap = -(at_road + 0.5 * place.road_metres) / distance;
        let half_road = (0.5 * place.road_metres + 2.5) / distance;
        scene.add(distance, move |p| {
            dunes.paint(p, &palette, |u| {
                let angle = u / distance;
                let sea = smoothstep(0.5 * width, width, (angle - gap).abs());
                let road = smoothstep(half_road, half_road + 0.25, (angle - road_gap).abs());
                sea.max(0.1) * road
            });
        });
    }
    for k in 0..5_u8 {
        let along = 5.0 * f32::from(k) + 1.0;
        let (from, to) = (place.at(1.5, along), place.at(1.8, along + 6.0));
        let (seed, height) = (s.bits(), s.range(0.4, 0.8));
        let mut tinted = palette;
        tinted.grass = [Rgb::srgb8(132, 134, 90), Rgb::srgb8(96, 100, 66)];
        scene.add(along + 3.0, move |p| tall_grass(p, &tinted, from, to, height, seed));
    }
    if s.chance(0.6) {
        // a sand fence along the path
        let (rails, across) = (s.chance(0.5), s.range(1.8, 3.0));
        country::pasture_fence(place, scene, s, across, rails);
    }
}

/// A green dyke with sheep.
fn dyke_bank(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let palette = place.palette;
    let across = s.range(6.0, 10.0);
    let (height, run) = (s.range(4.5, 6.5), s.range(12.0, 17.0));
    let meadow = palette.grass;
    let snow = palette.snow;
    let seed = s.bits();
    let end = s.range(90.0, 200.0);
    let from = place.at(across, -30.0);
    let edge = place.road.ahead().scale(end + 30.0);
    let rise = place.road.right().scale(run).plus(UP.scale(height));
    let normal = UP.scale(run).minus(place.road.right().scale(height)).unit();
    scene.add(40.0, move |p| {
        let light = p.light.on(normal);
        let soft = super::tile::Field::new(super::tile::Pattern::Fractal, seed, 26.0);
        let blades = super::tile::Field::new(super::tile::Pattern::Blades, seed ^ 1, 2.5);
        p.quad(from, edge, rise, |u, v, fp| {
            let n = soft.at(u, v, fp);
            let b = blades.at(u, v * 0.4, fp);
            // paths that the sheep have trodden run along the bank
            let track = 0.85 + 0.15 * smoothstep(0.1, 0.3, ((v + 2.0 * n) / 2.6).fract());
            let c = meadow[1].mix(meadow[0], n).scale((0.7 + 0.6 * b) * track);
            (
                c.mix(Rgb::new(0.8, 0.82, 0.86), 0.85 * snow * smoothstep(0.3, 0.55, n))
                    .times(light),
                1.0,
            )
        });
    });
    for _ in 0..5 + s.below(8) {
        let t = s.range(0.05, 0.98);
        let along = s.range(6.0, 60.0);
        let base = place.at(across, along).plus(rise.scale(t));
        let (direction, seed) = (if s.chance(0.5) { 1.0 } else { -1.0 }, s.bits());
        let heading = place.road.ahead().scale(direction);
        scene.add(39.0 - 0.1 * (60.0 - along), move |p| seaside::sheep(p, base, heading, seed));
    }
    let rails = s.chance(0.3);
    country::pasture_fence(place, scene, s, 4.0, rails);
}

/// Lighthouse, beach chairs, wind-bent trees, flag poles.
fn landmarks(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let dusk = place.view.light.dusk;
    if s.chance(0.6) {
        let side = if s.chance(0.5) { -1.0 } else { 1.0 };
        let base = place.beside(side * s.range(0.4, 0.98), s.range(60.0, 130.0), 12.0);
        let c = Rgb::srgb8;
        let colours = *s.pick(&[
            [c(186, 44, 36), c(230, 226, 216)],
            [c(186, 44, 36), c(230, 226, 216)],
            [c(38, 40, 44), c(228, 224, 214)],
            [c(150, 82, 62), c(150, 82, 62)],
        ]);
        let (height, bands) = (s.range(17.0, 30.0), 3.0 + f32::from(u8::from(s.chance(0.5))) * 2.0);
        scene.add_at(base, move |p| seaside::lighthouse(p, base, height, colours, bands, dusk));
    }
    if s.chance(0.6) {
        for _ in 0..3 + s.below(6) {
            let base = place.beside(s.range(-1.1, 1.1), s.range(13.0, 42.0), 4.0);
            let (sin, cos) = sin_cos(s.range(-2.2, -0.9));
            let front = Vec3::new(cos, 0.0, sin);
            let stripe = *s.pick(&[
                Rgb::srgb8(40, 70, 130),
                Rgb::srgb8(170, 44, 40),
                Rgb::srgb8(60, 110, 80),
            ]);
            let seed = s.bits();
            scene.add_at(base, move |p| seaside::beach_chair(p, base, front, stripe, seed));
        }
    }
    if s.chance(0.45) {
        // flags on poles, flying in one wind
        let wind = if s.chance(0.5) { 1.0 } else { -1.0 };
        for i in 0..3_u8 {
            let base = place.beside(
                0.45 * f32::from(i) - 0.6 + s.range(-0.1, 0.1),
                s.range(16.0, 30.0),
                4.0,
            );
            let tone = *s.pick(&[
                Rgb::srgb8(180, 40, 36),
                Rgb::srgb8(40, 80, 150),
                Rgb::srgb8(214, 180, 50),
                Rgb::srgb8(50, 120, 90),
            ]);
            let height = s.range(6.0, 8.5);
            let phase = s.range(0.0, 6.0);
            scene.add_at(base, move |p| flag(p, base, height, tone, wind, phase));
        }
    }
    if s.chance(0.5) {
        for _ in 0..3 {
            let base = place.beside(s.range(-1.1, 1.1), s.range(26.0, 60.0), 7.0);
            let height = s.range(3.5, 7.5);
            let habit = if s.chance(0.6) { Habit::Pine } else { Habit::Bush };
            let height = if habit == Habit::Bush { 0.4 * height } else { height };
            place.tree(scene, s, base, height, habit);
        }
    }
}

/// A flag in the wind.
fn flag(p: &mut Painter<'_>, base: Vec3, height: f32, tone: Rgb, wind: f32, phase: f32) {
    let top = base.plus(UP.scale(height));
    p.pole(base, top, 0.05, 0.03, Rgb::grey(0.6));
    let right = p.facing_right(base).scale(wind);
    let light = p.light.on(p.camera.position.minus(base).unit());
    let corner = top.minus(UP.scale(1.5));
    p.quad(corner, right.scale(2.3), UP.scale(1.9), |u, v, _| {
        // waves grow towards the free end
        let (wave, slope) = sin_cos(3.2 * u + phase);
        let y = v - 0.16 * wave * u / 2.3 - 0.2;
        let inside = (0.0..1.3).contains(&y) && u < 2.15;
        let cross = !(0.43..=0.87).contains(&y);
        let c = if cross { Rgb::grey(0.7) } else { tone };
        (c.times(light).scale(0.85 + 0.3 * slope * u / 2.3), f32::from(u8::from(inside)))
    });
}
