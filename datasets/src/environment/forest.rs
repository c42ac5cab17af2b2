//! Forest: trunks and crowns close on both sides, leaf litter, ferns, light falling through.

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::num::{lerp, smoothstep};
use crate::rng::Stream;

use super::View;
use super::country;
use super::foliage::{TreeLine, tall_grass};
use super::ground::{Ground, Marking, Strip, Surface};
use super::painter::Painter;
use super::place::Place;
use super::plants::{Clump, Foliage, Habit};
use super::scene::Scene;
use super::sky::Sky;
use super::tile::{Field, Pattern};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Which trees grow here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Smooth grey trunks, high crowns.
    Beech,
    /// Dark spruces, branched low.
    Spruce,
    /// Tall bare reddish trunks with crowns on top.
    Pine,
    /// Everything together.
    Mixed,
    /// White trunks.
    Birch,
}

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::new("forest", &[view.seed]);
    let place = Place::new(view, s.range(4.6, 6.6), s.range(-1.0, 1.0) / 180.0);
    let stand = *s.pick(&[
        Stand::Beech,
        Stand::Beech,
        Stand::Spruce,
        Stand::Spruce,
        Stand::Pine,
        Stand::Mixed,
        Stand::Birch,
    ]);
    let sky = Sky::new(view);
    let mut painter = Painter::new(canvas, view, sky.haze().scale(0.8), s.range(350.0, 900.0));
    let mut scene = Scene::new();
    depth(&place, &mut scene, &mut s, stand);
    trunks(&place, &mut scene, &mut s, stand);
    undergrowth(&place, &mut scene, &mut s);
    scene.announce(&mut painter);
    scene.paint(&mut painter, |painter| {
        sky.paint_behind(view, painter);
        ground(&place, painter, &mut s);
    });
}

fn ground(place: &Place, painter: &mut Painter<'_>, s: &mut Stream) {
    let w = place.road_metres;
    let mut ground = Ground::new(&place.view, place.road, place.palette);
    let verge = s.range(0.6, 1.6);
    ground.strips = [
        (-1e5, Surface::Litter),
        (-w - verge, Surface::Grass),
        (-w - 0.3, Surface::Gravel),
        (-w, Surface::Asphalt(s.range(0.8, 1.1))),
        (0.0, Surface::Gravel),
        (0.3, Surface::Grass),
        (verge, Surface::Litter),
    ]
    .map(|(from, surface)| Strip { from, surface })
    .to_vec();
    if w > 5.5 {
        ground.markings.push(Marking::centre_rural(-0.5 * w));
        ground.markings.push(Marking::edge(-0.15));
        ground.markings.push(Marking::edge(0.15 - w));
    }
    ground.paint(painter);
}

/// The inside of the forest as walls one behind the other, and the gap of the road far ahead.
fn depth(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, stand: Stand) {
    let palette = place.palette;
    let far = TreeLine {
        from: place.at(-160.0, 210.0),
        to: place.at(160.0, 235.0),
        height: s.range(20.0, 30.0),
        crown: s.range(6.0, 9.0),
        conifers: if matches!(stand, Stand::Spruce | Stand::Pine) { 0.9 } else { 0.3 },
        gaps: 0.0,
        seed: s.bits(),
    };
    scene.add(230.0, move |p| far.paint(p, &palette));
    let needle = matches!(stand, Stand::Spruce | Stand::Pine);
    let crown = if needle { palette.needle(s) } else { palette.leaf(s).scale(0.8) };
    let bare = palette.bare() && !needle;
    let height = s.range(17.0, 26.0);
    let start = if stand == Stand::Spruce { 0.1 } else { s.range(0.2, 0.4) };
    for side in [1.0_f32, -1.0] {
        let edge =
            if side > 0.0 { s.range(9.0, 13.0) } else { -place.road_metres - s.range(8.0, 12.0) };
        for k in 0..4_u8 {
            let near = [-30.0, 30.0, 75.0, 130.0][usize::from(k)];
            let length = [62.0, 47.0, 57.0, 90.0][usize::from(k)];
            let (from, to) = (place.at(edge, near), place.at(edge, near + length));
            let seed = s.bits();
            let distance = near.max(0.0) + edge.abs() + 26.0;
            if !bare {
                let solid = UP.scale(0.42 * height);
                scene.add_occluder(move |p| {
                    p.occlude(&[from, to, to.plus(solid), from.plus(solid)]);
                });
            }
            scene.add(distance, move |p| wall(p, from, to, height, start, crown, bare, seed));
        }
        // single trees break the wall's upper edge
        for _ in 0..9 {
            let base = place.at(edge - side * s.range(0.5, 3.0), s.range(28.0, 150.0));
            let (conifer, tall) = (needle || s.chance(0.2), s.range(0.75, 1.15) * height);
            let habit = match (conifer, stand) {
                (true, Stand::Pine) => Habit::Pine,
                (true, _) => Habit::Conifer,
                _ => Habit::Oval,
            };
            place.tree(scene, s, base, tall, habit);
        }
        // close the view past the wall's near end
        let (a, b) = (place.at(edge + side * 45.0, 8.0), place.at(edge, 60.0));
        let seed = s.bits();
        scene.add(150.0, move |p| wall(p, a, b, height, start, crown, bare, seed));
    }
}

/// A wall of forest seen from its edge: dark depth with pale trunks below, foliage above with holes.
fn wall(
    p: &mut Painter<'_>,
    from: Vec3,
    to: Vec3,
    height: f32,
    start: f32,
    crown: Rgb,
    bare: bool,
    seed: u64,
) {
    let mut s = Stream::from_seed(seed);
    let edge = to.minus(from);
    let right = p.facing_right(from.plus(edge.scale(0.5)));
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let look = Foliage::new(p.light, crown, right, toward, 9.0, s.bits());
    let stems = Field::new(Pattern::Blades, s.bits(), 46.0);
    let patches = Field::new(Pattern::Fractal, s.bits(), 34.0);
    let ambient = p.light.on(UP);
    let depth = Rgb::new(0.020, 0.024, 0.017).mix(crown.scale(0.22), 0.5);
    let stem = Rgb::new(0.075, 0.066, 0.055);
    p.quad(from, edge, UP.scale(height), |u, v, fp| {
        let level = v / height;
        let patch = patches.at(u, v * 0.8, fp);
        let (rough, leaf) = look.noise(u, v, fp);
        let trunk = stems.at(u, 0.06 * v, fp);
        let stripe = smoothstep(0.62, 0.70, trunk) + 0.5 * smoothstep(0.38, 0.34, trunk);
        // light seeps in from above and from gaps behind
        let gap = smoothstep(0.62, 0.85, patch) * (0.3 + level);
        let inside = depth
            .scale(0.7 + 1.6 * level + 0.9 * gap)
            .mix(stem.scale(0.5 + 0.8 * level), stripe.min(1.0) * 0.8);
        let inside = inside.times(ambient);
        let leafy = smoothstep(start - 0.15, start + 0.25, level + 0.7 * (rough - 0.5))
            .max(smoothstep(0.14, 0.02, level) * 0.8);
        let top = 1.0 - 0.25 * patch + 0.12 * (leaf - 0.5);
        let mut cover = smoothstep(0.0, 0.03, top - level);
        if bare {
            // branches and sky through them, denser below
            let strand = stems.at(u * 3.0 + v * 0.6, v * 0.4, fp);
            let branch = smoothstep(0.50, 0.62, strand + 0.25 * (rough - 0.5));
            let open = smoothstep(0.15, 0.8, level);
            cover *= lerp(1.0, 0.25 + 0.75 * branch.max(stripe.min(1.0)), open);
            return (stem.scale(0.8).times(ambient).mix(inside, 0.6), cover);
        }
        let normal = Vec3::new(1.2 * (rough - 0.5), 0.35 + 0.4 * (leaf - 0.5), 0.7);
        let open = (0.18 + 0.75 * level + 1.3 * (rough - 0.5)).clamp(0.05, 1.1);
        let leaves = look.lit(normal, open, leaf);
        // holes to the sky in the crowns
        let hole = smoothstep(0.66, 0.76, patch)
            * smoothstep(0.45, 0.8, level)
            * smoothstep(0.55, 0.35, leaf);
        (inside.mix(leaves, leafy), cover * (1.0 - 0.8 * hole))
    });
}

/// Trees near the road, each with its bark.
fn trunks(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, stand: Stand) {
    for i in 0..26_u8 {
        let side = if i % 2 == 0 { 1.0 } else { -1.0 };
        let nearest = if i % 2 == 0 { 2.6 } else { 1.8 };
        let across = nearest + s.range(0.0, 1.0) * s.range(1.0, 14.0);
        let along = 5.0 + 75.0 * s.unit() * s.range(0.3, 1.0);
        let across = if side > 0.0 { across } else { -place.road_metres - across };
        let base = place.at(across, along);
        if base.length() < 4.5 {
            continue;
        }
        let kind = match stand {
            Stand::Mixed => *s.pick(&[Stand::Beech, Stand::Spruce, Stand::Pine, Stand::Birch]),
            other if s.chance(0.85) => other,
            _ => Stand::Spruce,
        };
        match kind {
            Stand::Spruce if base.length() > 15.0 => {
                let height = s.range(9.0, 26.0);
                place.tree(scene, s, base, height, Habit::Conifer);
            }
            Stand::Spruce => trunk(place, scene, s, base, Stand::Spruce),
            other => trunk(place, scene, s, base, other),
        }
    }
}

/// A tall trunk with its lower branches and the foliage that hangs into the picture.
fn trunk(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, base: Vec3, kind: Stand) {
    let height = s.range(18.0, 28.0);
    let radius = s.range(0.13, 0.34);
    let (bark, first_branch) = match kind {
        Stand::Beech => (Rgb::new(0.20, 0.195, 0.175), s.range(0.2, 0.4)),
        Stand::Pine => (Rgb::new(0.20, 0.115, 0.07), s.range(0.5, 0.7)),
        Stand::Birch => (Rgb::new(0.52, 0.51, 0.48), s.range(0.2, 0.4)),
        _ => (Rgb::new(0.10, 0.08, 0.062), s.range(0.1, 0.3)),
    };
    let radius = if kind == Stand::Birch { 0.6 * radius } else { radius };
    let bark = bark.scale(s.range(0.75, 1.2));
    let needle = matches!(kind, Stand::Pine | Stand::Spruce);
    let palette = place.palette;
    let leaf = if needle { palette.needle(s) } else { palette.leaf(s) };
    let bare = palette.bare() && !needle;
    let seed = s.bits();
    let lean = Vec3::new(s.range(-0.6, 0.6), 0.0, s.range(-0.3, 0.3));
    scene.add_on_ground(move |p| p.ground_shadow(base, 1.2 * radius, 3.0));
    scene.add_at(base, move |p| {
        let mut s = Stream::from_seed(seed);
        let ridges = Field::new(Pattern::Blades, s.bits(), 2.4);
        let moss = Field::new(Pattern::Fractal, s.bits(), 5.0);
        let light = p.light;
        let top = base.plus(UP.scale(height)).plus(lean);
        let toward = p.camera.position.minus(base).unit();
        let side = Vec3::new(-toward.z, 0.0, toward.x).scale(-1.0);
        let shades: [Rgb; 5] = core::array::from_fn(|i| {
            let x: f32 = [-0.95, -0.5, 0.0, 0.5, 0.95][i];
            let front = (1.0 - x * x).max(0.0).sqrt();
            light.on(side.scale(x).plus(toward.scale(front)).unit())
        });
        let fp = p.pixel_metres(base.length().max(1.0));
        let shade = |sx: f32, t: f32| {
            let at = (sx + 1.0) * 2.0;
            let index = bin(at);
            let lit = shades[index]
                .mix(shades[index + 1], at - f32::from(u8::try_from(index).unwrap_or(0)));
            let v = t * height;
            // the texture is compressed towards the silhouette
            let arc = sx * (1.0 + 0.3 * sx * sx) * radius;
            let groove = ridges.at(arc * 1.6, v * 0.5, fp);
            let green =
                smoothstep(0.5, 0.75, moss.at(arc + 2.0, v, fp) + 0.25 * (1.0 - v / 3.0).max(0.0));
            let mut c = bark.scale(0.55 + 0.9 * groove);
            if kind == Stand::Birch {
                let dark = smoothstep(0.60, 0.68, moss.at(arc * 0.6, v * 5.0, fp));
                c = bark.scale(0.85 + 0.3 * groove).mix(Rgb::grey(0.03), dark);
            }
            let c = c.mix(Rgb::new(0.07, 0.085, 0.03), 0.55 * green);
            // below the canopy little light arrives
            c.times(lit).scale(0.80 - 0.25 * sx.abs())
        };
        // three pieces: flared foot, stem, top
        let at = |t: f32| base.plus(top.minus(base).scale(t));
        p.stroke(base, at(0.03), radius * 1.5, radius * 1.08, |x, t| shade(x, 0.03 * t));
        p.stroke(at(0.03), at(0.5), radius * 1.08, radius * 0.72, |x, t| shade(x, 0.03 + 0.47 * t));
        p.stroke(at(0.5), at(1.0), radius * 0.72, radius * 0.15, |x, t| shade(x, 0.5 + 0.5 * t));
        let right = p.facing_right(base);
        let look = Foliage::new(light, leaf, right, toward, 8.0, s.bits());
        let branch_lit = bark.times(light.on(toward)).scale(0.6);
        let mut clumps = Vec::new();
        for _ in 0..11 {
            let t = s.range(first_branch, (first_branch + 0.45).min(0.95));
            let from = at(t);
            let out = right.scale(s.range(-3.4, 3.4)).plus(UP.scale(s.range(-0.3, 1.4)));
            let to = from.plus(out);
            p.stroke(from, to, radius * 0.22, radius * 0.07, |_, _| branch_lit);
            if bare {
                for _ in 0..5 {
                    let root = from.plus(out.scale(s.range(0.25, 0.95)));
                    let twig = right.scale(s.range(-1.0, 1.0)).plus(UP.scale(s.range(-0.2, 1.0)));
                    p.stroke(root, root.plus(twig), radius * 0.06, radius * 0.02, |_, _| {
                        branch_lit
                    });
                }
            } else {
                let size = s.range(0.8, 1.9);
                let flat = if needle { 0.55 } else { 0.85 };
                let x = to.minus(base).dot(right);
                clumps.push(Clump {
                    centre: (x, to.y - base.y),
                    radii: (size * 1.15, size * flat),
                    outward: Vec3::new(0.12 * x, 0.35, s.range(0.1, 0.6)),
                    open: s.range(0.45, 0.95),
                });
            }
        }
        look.crown(p, base, clumps);
    });
}

/// Index of the strip below a position in [0, 4].
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in [0, 4]")]
fn bin(at: f32) -> usize {
    (at as usize).min(3)
}

/// Young trees, ferns and grass at the edge; a pile of logs sometimes.
fn undergrowth(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let palette = place.palette;
    for i in 0..14_u8 {
        let side = if i % 2 == 0 { 1.0 } else { -1.0 };
        let across = s.range(2.2, 8.0);
        let across = if side > 0.0 { across } else { -place.road_metres - across };
        let base = place.at(across, s.range(7.0, 55.0));
        let conifer = s.chance(0.3);
        let habit = if conifer { Habit::Conifer } else { Habit::Bush };
        let height = if conifer { s.range(1.5, 5.0) } else { s.range(0.7, 2.2) };
        place.tree(scene, s, base, height, habit);
    }
    for (across, height) in [(1.4, 0.6), (-place.road_metres - 1.0, 0.6)] {
        for k in 0..4_u8 {
            let along = 9.0 * f32::from(k);
            let (from, to) = (place.at(across, along), place.at(across + 0.3, along + 10.0));
            let seed = s.bits();
            scene.add(along + 3.0, move |p| tall_grass(p, &palette, from, to, height, seed));
        }
    }
    if s.chance(0.5) {
        country::marker_posts(place, scene, s);
    }
    if s.chance(0.35) {
        logs(place, scene, s);
    }
}

/// Felled trunks stacked beside the road, their cut faces to the camera.
fn logs(place: &Place, scene: &mut Scene<'_>, s: &mut Stream) {
    let side = if s.chance(0.5) { -0.7 } else { 0.7 };
    let middle = place.beside(side, s.range(10.0, 20.0), 3.0);
    let across = place.road.right();
    let wood = Rgb::new(0.42, 0.30, 0.17);
    let rings = Field::new(Pattern::Fractal, s.bits(), 1.2);
    for row in 0..5_u8 {
        for i in 0..9 - row {
            let x = 0.44 * (f32::from(i) - 0.5 * f32::from(8 - row));
            let r = s.range(0.17, 0.23);
            let up = 0.2 + 0.37 * f32::from(row);
            let at = middle.plus(across.scale(x)).plus(UP.scale(up));
            let tone = wood.scale(s.range(0.7, 1.15));
            scene.add_at(middle, move |p| {
                let lit = p.light.on(p.camera.position.minus(at).unit()).times(tone);
                p.billboard(at.minus(UP.scale(r)), 2.0 * r, 2.0 * r, |u, v, fp| {
                    let y = v - r;
                    let d = (u * u + y * y).sqrt();
                    let cover = smoothstep(-fp, fp, r - d);
                    let ring = 0.8 + 0.4 * rings.at(d * 3.0, 0.2 * u, fp);
                    let c = if d > 0.88 * r { lit.scale(0.3) } else { lit.scale(ring) };
                    (c, cover)
                });
            });
        }
    }
}
