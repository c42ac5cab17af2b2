//! Mountain: snowy peaks and wooded slopes that fill the sky, a rock face beside the road, guard rails.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::View;
use super::country;
use super::foliage::tall_grass;
use super::ground::{Ground, Marking, Strip, Surface};
use super::house::gable_roof;
use super::painter::Painter;
use super::place::Place;
use super::plants::Habit;
use super::ridge::{Cover, Hills, Peaks, Profile};
use super::scene::Scene;
use super::sky::Sky;
use super::solids::Cuboid;
use super::tile::{Field, Pattern, floor_fast, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::new("mountain", &[view.seed]);
    let place = Place::new(view, s.range(5.2, 6.6), s.range(-1.0, 1.0) / 110.0);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze(), s.range(6000.0, 16_000.0));
    let mut scene = Scene::new();
    // the slope rises on one side, the valley lies on the other
    let right = s.chance(0.6);
    if s.chance(0.75) {
        rock_face(&place, &mut scene, &mut s, right);
    }
    slopes(&place, &mut scene, &mut s);
    roadside(&place, &mut scene, &mut s, right);
    scene.announce(&mut painter);
    let (far, near, hills) = ranges(&mut s);
    near.announce(&mut painter);
    hills.announce(&mut painter);
    scene.paint(&mut painter, |painter| {
        sky.paint_behind(view, painter);
        far.paint(painter, &place.palette);
        near.paint(painter, &place.palette);
        hills.paint(painter, &place.palette);
        ground(&place, painter, &mut s);
    });
}

/// Far peaks, nearer peaks, wooded foothills; each range hides the foot of the one behind it.
fn ranges(s: &mut Stream) -> (Peaks, Peaks, Hills) {
    // the steepest are seen 20 degrees above the horizon
    let far = s.range(5200.0, 8000.0);
    let rise = s.range(0.34, 0.56);
    let high = far * rise;
    let far_peaks = Peaks {
        distance: far,
        height: (0.15 * high, high),
        feature: far * s.range(0.16, 0.30),
        snow_line: high * s.range(0.30, 0.62),
        tree_line: high * 0.12,
        seed: s.bits(),
    };
    let near = s.range(1500.0, 2600.0);
    let high = near * rise * s.range(0.40, 0.75);
    let peaks = Peaks {
        distance: near,
        height: (0.12 * high, high),
        feature: near * s.range(0.25, 0.5),
        snow_line: high * s.range(0.8, 1.4),
        tree_line: high * s.range(0.35, 0.65),
        seed: s.bits(),
    };
    let distance = s.range(420.0, 700.0);
    let height = (0.01 * distance, distance * s.range(0.07, 0.17));
    let cover = if s.chance(0.6) { Cover::Wood } else { Cover::Meadow };
    let feature = distance * s.range(0.5, 1.0);
    (far_peaks, peaks, Hills { distance, height, feature, cover, seed: s.bits() })
}

fn ground(place: &Place, painter: &mut Painter<'_>, s: &mut Stream) {
    let w = place.road_metres;
    let mut ground = Ground::new(&place.view, place.road, place.palette);
    ground.strips = [
        (-1e5, Surface::Grass),
        (-w - s.range(1.0, 2.0), Surface::Gravel),
        (-w - 0.1, Surface::Asphalt(s.range(0.95, 1.4))),
        (0.1, Surface::Gravel),
        (s.range(1.2, 2.4), Surface::Grass),
    ]
    .map(|(from, surface)| Strip { from, surface })
    .to_vec();
    ground.markings =
        vec![Marking::edge(-0.15), Marking::edge(0.15 - w), Marking::centre_rural(-0.5 * w)];
    ground.paint(painter);
}

/// A cut in the rock along the road: leaning quads whose upper edge is broken.
fn rock_face(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, right: bool) {
    let across = if right { s.range(4.2, 7.5) } else { -place.road_metres - s.range(2.0, 4.0) };
    let lean = s.range(0.15, 0.5) * if right { 1.0 } else { -1.0 };
    let (low, high) = (s.range(1.5, 3.5), s.range(5.0, 11.0));
    let c = Rgb::srgb8;
    let stone = *s.pick(&[c(142, 136, 126), c(120, 114, 108), c(156, 138, 114), c(132, 120, 112)]);
    let seed = s.bits();
    let dip = s.range(-0.5, 0.5);
    // it begins behind the camera: no loose end is seen
    let start = s.range(-30.0, -18.0);
    let length = 7.0;
    let profile = std::rc::Rc::new(Profile::new(130.0, low, high, 16.0, 0.55, seed));
    for k in 0..17_u8 {
        let along = start + length * f32::from(k);
        let (a, b) = (place.at(across, along), place.at(across, along + length));
        let out = place.road.right().scale(lean);
        let palette = place.palette;
        let profile = std::rc::Rc::clone(&profile);
        let distance = along.max(0.0) + 0.3 * across.abs();
        scene.add(distance, move |p| {
            let profile = &profile;
            let cracks = Field::new(Pattern::Fractal, seed ^ 1, 7.0);
            let folds = Field::new(Pattern::Fractal, seed ^ 2, 19.0);
            let moss = Field::new(Pattern::Fractal, seed ^ 3, 11.0);
            let edge = b.minus(a);
            let along_dir = edge.unit();
            let mut normal = Vec3::new(along_dir.z, 0.0, -along_dir.x);
            if normal.dot(p.camera.position.minus(a)) < 0.0 {
                normal = normal.scale(-1.0);
            }
            let light = p.light;
            // light on facets turned to both sides, upward and downward
            let lit: [Rgb; 3] = core::array::from_fn(|i| {
                let turn = [-0.9, 0.0, 0.9][i];
                light.on(normal.plus(along_dir.scale(turn)).plus(UP.scale(0.35)).unit())
            });
            let top_light = light.on(UP);
            let up = UP.plus(out);
            let stretch = up.length();
            p.quad(a, edge, up.scale(high * 1.1), |u, v, fp| {
                let (x, y) = (u + along - start, v / stretch);
                let fold = folds.at(x, y, fp);
                let fine = cracks.at(x + 1.5 * fold, y * 0.9, fp);
                // the cut runs out at both ends
                let ends = smoothstep(0.0, 16.0, x) * smoothstep(119.0, 80.0, x);
                let top = profile.at(x - 40.0) * ends + 1.2 * (fine - 0.5);
                let cover = smoothstep(-fp - 0.02, fp + 0.02, top - y);
                if cover <= 0.0 {
                    return (Rgb::default(), 0.0);
                }
                // blocks: a facet's direction changes from bed to bed and joint to joint
                let bed = (y + dip * x + 2.2 * fold) / 1.1;
                let step = fract(bed);
                let facet = folds.at(
                    floor_fast(x + 3.0 * fine) as f32 * 5.3,
                    floor_fast(bed) as f32 * 9.1,
                    0.1,
                );
                let turn = (facet + 0.7 * (fine - 0.5)).clamp(0.0, 0.999) * 2.0;
                let l = if turn < 1.0 {
                    lit[0].mix(lit[1], turn)
                } else {
                    lit[1].mix(lit[2], turn - 1.0)
                };
                let ledge = smoothstep(0.86, 0.97, step) * 0.5;
                let joint = smoothstep(0.12, 0.0, step) * 0.6
                    + smoothstep(0.06, 0.0, (fine - 0.5).abs()) * 0.35;
                let rock =
                    stone.scale((0.65 + 0.6 * fine + 0.3 * ledge) * (1.0 - 0.75 * joint.min(1.0)));
                let damp = smoothstep(0.55, 0.8, moss.at(x * 1.5, y * 0.25, fp));
                let rock = rock.scale(1.0 - 0.45 * damp);
                // grass on ledges and along the top
                let green = smoothstep(0.56, 0.70, moss.at(x, y * 1.8, fp) + 0.25 * ledge)
                    .max(smoothstep(0.9, 0.2, top - y + 0.8 * (fine - 0.5)));
                let grass = palette.grass[1].mix(palette.grass[0], fine).scale(0.5 + fine);
                let snow = palette.snow * green.max(1.4 * ledge).min(1.0);
                let c = rock.times(l).mix(grass.times(top_light), green);
                (c.mix(palette.snow_colour.times(top_light), 0.9 * snow), cover)
            });
        });
    }
    // trees on top of the cut
    for _ in 0..9 {
        let along = s.range(12.0, start + 100.0);
        let side = if right { 1.0 } else { -1.0 };
        let base = place.at(across + side * s.range(3.0, 8.0), along).plus(UP.scale(0.55 * high));
        let height = s.range(5.0, 11.0);
        let habit = if s.chance(0.7) { Habit::Conifer } else { Habit::Pine };
        let tree = super::plants::Tree::new(base, height, habit, &place.palette, s);
        scene.add(along + 12.0, move |p| tree.paint(p));
    }
}

/// Spruces, boulders, a hut, a cable car or a viaduct of masts on the slopes around.
fn slopes(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    for _ in 0..12 + s.below(14) {
        let distance = s.range(24.0, 150.0);
        let base = place.beside(s.range(-1.25, 1.25), distance, 5.0);
        let height = s.range(6.0, 17.0) * if distance < 40.0 { 0.7 } else { 1.0 };
        let habit = if s.chance(0.88) { Habit::Conifer } else { Habit::Oval };
        place.tree(scene, s, base, height, habit);
    }
    for _ in 0..5 + s.below(8) {
        let base = place.beside(s.range(-1.1, 1.1), s.range(9.0, 45.0), 2.4);
        let size = s.range(0.4, 1.6);
        let (seed, snow) = (s.bits(), place.palette.snow);
        scene.add_on_ground(move |p| p.ground_shadow(base, 0.9 * size, size));
        scene.add_at(base, move |p| boulder(p, base, size, seed, snow));
    }
    if s.chance(0.4) {
        hut(place, scene, s);
    }
    if s.chance(0.35) {
        cable_car(place, scene, s);
    }
}

/// A boulder: a lump with facets.
fn boulder(p: &mut Painter<'_>, base: Vec3, size: f32, seed: u64, snow: f32) {
    let rough = Field::new(Pattern::Fractal, seed, 4.0 * size);
    let right = p.facing_right(base);
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let light = super::ridge::Shaded::new(&p.light, right, toward);
    let stone = Rgb::new(0.19, 0.18, 0.165);
    p.billboard(base.minus(UP.scale(0.15 * size)), 2.4 * size, 1.25 * size, |u, v, fp| {
        let (x, y) = (u / size, v / size / 0.95);
        let n = rough.at(u, v, fp);
        let r = x * x + y * y;
        let edge = 0.80 + 0.35 * (n - 0.5) - 0.25 * y.max(0.0) * x.abs();
        let cover = smoothstep(-0.02, 0.02, edge - r);
        let m = rough.at(u + 0.15 * size, v + 0.1 * size, fp);
        let lit = light.at(x + 5.0 * (n - m), 0.2 + y + 2.0 * (n - 0.5), 0.7);
        let lying = snow * smoothstep(0.35, 0.6, y + 0.6 * (n - 0.5));
        let c = stone.scale(0.6 + 0.8 * n).mix(Rgb::new(0.8, 0.82, 0.86), 0.9 * lying);
        (c.times(lit), cover)
    });
}

/// A wooden hut with a flat, wide roof.
fn hut(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let base = place.beside(s.range(-0.95, 0.95), s.range(24.0, 70.0), 9.0);
    let turn = place.road.right().scale(s.range(-0.7, 0.7));
    let right = place.road.ahead().plus(turn);
    let body = Cuboid::new(base, right, s.range(8.0, 12.0), s.range(4.2, 5.4), s.range(7.0, 9.0));
    let wood = Rgb::srgb8(112, 74, 48).scale(s.range(0.6, 1.1));
    let boards = Field::new(Pattern::Blades, s.bits(), 5.0);
    let stain = Field::new(Pattern::Fractal, s.bits(), 14.0);
    let (snow, dusk) = (place.palette.snow, place.view.light.dusk);
    scene.add_at(base, move |p| {
        p.cuboid(&body, |face, u, v, fp| {
            let n = boards.at(v * 1.2, u * 0.4, fp);
            let x = fract(u / 2.2) - 0.5;
            let y = fract(v / 2.5) * 2.5;
            let window = x.abs() < 0.19 && (0.95..1.95).contains(&y);
            let frame = x.abs() < 0.24 && (0.85..2.05).contains(&y);
            let (albedo, glow) = if window {
                (Rgb::new(0.07, 0.08, 0.09), Rgb::new(0.5, 0.33, 0.14).scale(0.8 * dusk))
            } else if frame {
                (Rgb::new(0.55, 0.53, 0.5), Rgb::default())
            } else if v < 2.1 {
                (Rgb::new(0.62, 0.60, 0.56).scale(0.8 + 0.3 * stain.at(u, v, fp)), Rgb::default())
            } else {
                (wood.scale(0.6 + 0.7 * n), Rgb::default())
            };
            (albedo.times(face.light).plus(glow), 1.0)
        });
        gable_roof(p, &body, 0.22, 1.1, Rgb::srgb8(104, 92, 84), snow, &stain, |u, v, fp| {
            wood.scale(0.6 + 0.7 * boards.at(u, v * 0.4, fp))
        });
    });
}

/// Masts of a cable car up a slope, with cabins on the rope.
fn cable_car(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let side = if s.chance(0.5) { 1.0 } else { -1.0 };
    let low = place.beside(side * s.range(0.2, 0.9), s.range(70.0, 120.0), 10.0);
    let high = place.seen(-side * s.range(0.2, 1.0), s.range(350.0, 500.0));
    let (foot, top) = (low.plus(UP.scale(16.0)), high.plus(UP.scale(s.range(110.0, 170.0))));
    let tone =
        *s.pick(&[Rgb::srgb8(170, 40, 36), Rgb::srgb8(196, 160, 40), Rgb::srgb8(60, 80, 120)]);
    let first = s.range(0.05, 0.2);
    scene.add_at(low, move |p| {
        let steel = Rgb::new(0.3, 0.31, 0.32);
        p.pole(low, foot, 0.5, 0.35, steel);
        let arm = p.facing_right(low).scale(3.0);
        p.pole(foot.minus(arm), foot.plus(arm), 0.2, 0.2, steel);
        let black = Rgb::grey(0.05).times(p.light.on(UP));
        for part in [-1.0, 1.0] {
            let shift = arm.scale(part * 0.95);
            p.wire(foot.plus(shift), top.plus(shift), 8.0, 0.04, black);
            for i in 0..4_u8 {
                let t = first + 0.22 * f32::from(i) + if part > 0.0 { 0.1 } else { 0.0 };
                let at = foot.plus(top.minus(foot).scale(t)).plus(shift);
                let at = at.minus(UP.scale(4.0 * 8.0 * t * (1.0 - t) + 1.2));
                p.pole(at, at.plus(UP.scale(1.2)), 0.06, 0.06, steel);
                let cabin = Cuboid::new(at.minus(UP.scale(2.3)), arm, 2.0, 2.3, 2.0);
                p.cuboid(&cabin, |face, _, v, _| {
                    let glass = (0.9..1.8).contains(&v);
                    let c = if glass { Rgb::new(0.10, 0.12, 0.14) } else { tone };
                    (c.times(face.light), 1.0)
                });
            }
        }
    });
}

/// Guard rail on the valley side, snow poles, grass.
fn roadside(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, slope_right: bool) {
    let w = place.road_metres;
    let seed = s.bits();
    let across = if slope_right { -w - 0.7 } else { 1.9 };
    country::guard_rail(place, scene, across, 2.0, 90.0, seed);
    if s.chance(0.5) {
        // tall poles that mark the road's edge under snow
        let spacing = s.range(12.0, 22.0);
        for i in 0..6_u8 {
            for across in [0.8, -w - 0.9] {
                let base = place.at(across, 6.0 + spacing * f32::from(i));
                scene.add_at(base, move |p| {
                    let light = p.light.on(p.camera.position.minus(base).unit());
                    p.stroke(base, base.plus(UP.scale(2.6)), 0.035, 0.03, |_, t| {
                        let red = fract(t * 3.0) < 0.5;
                        let c = if red { Rgb::srgb8(196, 40, 30) } else { Rgb::grey(0.65) };
                        c.times(light)
                    });
                });
            }
        }
    } else {
        country::marker_posts(place, scene, s);
    }
    let palette = place.palette;
    for k in 0..3_u8 {
        let along = 9.0 * f32::from(k);
        let (from, to) = (place.at(2.4, along), place.at(2.7, along + 10.0));
        let seed = s.bits();
        scene.add(along + 3.0, move |p| tall_grass(p, &palette, from, to, 0.4, seed));
    }
}
