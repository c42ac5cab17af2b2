//! Things of the coast: water, dunes, lighthouse, boats, gulls, beach chairs, groynes.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::{sin_cos, smoothstep};
use crate::rng::Stream;

use super::painter::Painter;
use super::place::Place;
use super::ridge::{Profile, Shaded};
use super::scene::Scene;
use super::season::Palette;
use super::tile::{Field, Pattern, floor_fast, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Paint the sea from `near` metres ahead to the horizon: waves that shrink with distance, sky in their
/// backs, foam near the beach, glitter below the sun.
pub fn sea(painter: &mut Painter<'_>, near: f32, sky: Rgb, seed: u64) {
    let mut s = Stream::from_seed(seed);
    let light = painter.light;
    let deep = Rgb::srgb8(46, 78, 92).mix(Rgb::srgb8(60, 84, 84), s.unit());
    let swell = Field::new(Pattern::Fractal, s.bits(), 90.0);
    let ripple = Field::new(Pattern::Fractal, s.bits(), 14.0);
    let f = painter.camera.rotation.forward;
    let ahead = Vec3::new(f.x, 0.0, f.z).unit();
    let right = Vec3::new(ahead.z, 0.0, -ahead.x);
    let body = deep.times(light.on(UP));
    let to_sun = Vec3::new(light.to_sun.dot(right), light.to_sun.y, light.to_sun.dot(ahead));
    let glitter = light.sun.scale(1.3 * (1.0 - to_sun.y).max(0.0));
    let reach = 9000.0;
    let corner = ahead.scale(near).minus(right.scale(reach));
    painter.quad(corner, right.scale(2.0 * reach), ahead.scale(reach), |u, v, fp| {
        let distance = near + v;
        let x = u - reach;
        // waves run towards the beach: crests lie across the view
        let fp = fp * 0.5;
        let big = swell.at(x * 0.35, distance * 1.2, fp);
        let small = ripple.at(x * 0.4, distance * 1.3, fp);
        let slope = 0.65 * (big - 0.5) + 0.5 * (small - 0.5);
        // flatter view, more sky
        let mirror = 0.35 + 0.45 * (distance / (distance + 150.0));
        let mut c = body.mix(sky, (mirror + 0.9 * slope).clamp(0.08, 0.92));
        let bearing = x / distance;
        let sun_bearing = if to_sun.z > 0.05 { to_sun.x / to_sun.z } else { 9.0 };
        let off = (bearing - sun_bearing) * 5.0;
        let path = 1.0 / (1.0 + off * off * off * off);
        c = c.plus(glitter.scale(path * (0.15 + smoothstep(0.1, 0.35, slope))));
        // breakers: broken lines of foam
        let line = fract(v / 13.0 + 0.9 * big);
        let foam = smoothstep(0.80, 0.93, line)
            * smoothstep(0.45, 0.6, small + 0.25 * big)
            * smoothstep(75.0, 15.0, v);
        let crest = smoothstep(0.30, 0.42, slope) * 0.4;
        let white = light.on(UP).scale(0.75);
        (c.mix(white, foam.max(crest).min(1.0)), smoothstep(0.0, 4.0, v + 6.0 * (big - 0.3)))
    });
}

/// A row of dunes as a ring: sand with ripples below, marram grass on the crests.
#[derive(Clone, Copy, Debug)]
pub struct Dunes {
    /// Distance of the ring, metres.
    pub distance: f32,
    /// Lowest and highest crest, metres.
    pub height: (f32, f32),
    /// Width of a dune, metres.
    pub feature: f32,
    /// How much grass grows, 0 to 1.
    pub grass: f32,
    /// Everything else.
    pub seed: u64,
}

impl Dunes {
    /// Paint them; `share(u)` from 0 to 1 scales the height along the arc.
    pub fn paint(&self, painter: &mut Painter<'_>, palette: &Palette, share: impl Fn(f32) -> f32) {
        let mut s = Stream::from_seed(self.seed);
        let (low, high) = self.height;
        let reach = super::ridge::reach(painter, self.distance);
        let profile = Profile::new(reach, low, high, self.feature, 0.0, s.bits());
        let (right, toward) = painter.ring_axes();
        let base = Shaded::new(&painter.light, right, toward);
        let soft = Field::new(Pattern::Fractal, s.bits(), 2.2 * self.feature);
        let tufts = Field::new(Pattern::Blades, s.bits(), 1.9);
        let patches = Field::new(Pattern::Fractal, s.bits(), 9.0);
        let ripples = Field::new(Pattern::Grain, s.bits(), 6.0);
        let sand = Rgb::srgb8(214, 194, 156).mix(Rgb::srgb8(196, 178, 146), s.unit());
        let (blade, dry) = (Rgb::srgb8(116, 122, 78).mix(palette.grass[0], 0.3), palette.straw);
        let (grass, feature, snow) = (self.grass, self.feature, palette.snow);
        painter.ring(self.distance, high + 1.3, |u, v, fp| {
            let scale = share(u);
            let skyline = profile.at(u) * scale;
            let patch = patches.at(u, v * 0.5, fp);
            let n = soft.at(u, v * 2.5, fp);
            let level = (v / skyline.max(0.05)).min(2.0);
            // tufts grow in patches, densest near the crest
            let grown =
                smoothstep(0.62 - 0.45 * grass, 0.75 - 0.45 * grass, patch + 0.30 * (level - 0.5));
            let strand = tufts.at(u + 0.35 * v * (patch - 0.3), v * 0.25, fp);
            let blades = grown * (0.25 + 0.75 * patch) * 1.1 * (0.2 + 1.2 * strand);
            let over = v - skyline;
            let sandy = smoothstep(fp, -fp, over);
            let hairy = smoothstep(0.06, -0.06, over - blades * scale.min(1.0)) * grown;
            let cover = sandy.max(hairy);
            if cover <= 0.0 {
                return (Rgb::default(), 0.0);
            }
            let slope =
                (profile.at(u + 0.1 * feature) - profile.at(u - 0.1 * feature)) / (0.2 * feature);
            let lit = base.at(-2.0 * slope - 1.6 * (n - 0.5), 0.75, 0.55);
            let grain = ripples.at(u, v * 3.0, fp);
            let c = sand.scale(0.82 + 0.25 * n + 0.12 * (grain - 0.5));
            let c = c.mix(palette.snow_colour, 0.85 * snow * smoothstep(0.35, 0.6, n));
            let straw = dry.mix(blade, smoothstep(0.3, 0.7, patch));
            let green = straw.scale(0.35 + 1.0 * strand);
            let amount = if over > 0.0 {
                1.0
            } else {
                grown * smoothstep(0.32, 0.55, strand + 0.35 * (level - 0.6))
            };
            (c.mix(green, amount).times(lit), cover)
        });
    }
}

/// A lighthouse in two colours, with gallery and lantern.
pub fn lighthouse(
    p: &mut Painter<'_>,
    base: Vec3,
    height: f32,
    colours: [Rgb; 2],
    bands: f32,
    dusk: f32,
) {
    let (bottom, top) = (0.105 * height, 0.062 * height);
    let stain = Field::new(Pattern::Fractal, 77, 12.0);
    p.cylinder(base, height, bottom, top, |sx, v, fp, lit| {
        let band = floor_fast(v / height * bands) & 1;
        let tone = if band == 0 { colours[0] } else { colours[1] };
        let old = stain.at(sx * 3.0, v * 0.4, fp);
        let window = sx.abs() < 0.10 && fract(v / 5.0) > 0.55 && fract(v / 5.0) < 0.80;
        let c = if window { Rgb::grey(0.05) } else { tone.scale(0.8 + 0.35 * old) };
        lit.times(c)
    });
    let gallery = base.plus(UP.scale(height));
    let dark = Rgb::new(0.07, 0.07, 0.075);
    p.cylinder(gallery.minus(UP.scale(0.3)), 0.5, top * 1.5, top * 1.5, |_, _, _, l| {
        l.times(dark.scale(2.0))
    });
    p.cylinder(gallery, 1.2, top * 1.45, top * 1.45, |_, v, fp, l| {
        // railing seen against the lantern
        let bar = v > 1.05 || fract(v / 0.4) < 0.2;
        l.times(if bar && fp < 0.2 { Rgb::grey(0.6) } else { dark })
    });
    let lamp = 0.11 * height;
    p.cylinder(gallery.plus(UP.scale(0.4)), lamp, top * 0.9, top * 0.9, |sx, v, _, l| {
        let bar = fract(sx * 2.5 + 0.5) < 0.12 || v < 0.4;
        let glass = Rgb::new(0.35, 0.42, 0.46);
        let light = Rgb::new(1.6, 1.3, 0.7).scale(dusk * (1.0 - sx.abs()));
        if bar { l.times(colours[1].scale(0.6)) } else { l.times(glass).plus(light) }
    });
    let roof = gallery.plus(UP.scale(0.4 + lamp));
    p.cylinder(roof, 0.08 * height, top, 0.1, |_, _, _, l| l.times(colours[0].scale(0.8)));
    let tip = roof.plus(UP.scale(0.08 * height));
    p.pole(tip, tip.plus(UP.scale(0.08 * height)), 0.05, 0.03, dark);
}

/// A sailing boat on the water; `along` is the direction in which it sails.
pub fn sail_boat(
    p: &mut Painter<'_>,
    base: Vec3,
    along: Vec3,
    length: f32,
    hull: Rgb,
    sail: Rgb,
    seed: u64,
) {
    let cloth = Field::new(Pattern::Fractal, seed, length);
    let side = Vec3::new(-along.z, 0.0, along.x);
    let side = if side.dot(p.camera.position.minus(base)) < 0.0 { side.scale(-1.0) } else { side };
    let light = p.light.on(side.plus(UP.scale(0.3)).unit());
    let half = 0.5 * length;
    let deck = 0.11 * length;
    let at = |x: f32, y: f32| base.plus(along.scale(x)).plus(UP.scale(y));
    let hull_points =
        [at(-0.92 * half, 0.0), at(0.8 * half, 0.0), at(half, deck * 1.2), at(-half, deck)];
    p.polygon(&hull_points, base, along, UP, |_, v, _| {
        let stripe = if v > 0.75 * deck { 0.6 } else { 1.0 };
        (hull.times(light).scale(stripe), 1.0)
    });
    let mast_foot = at(0.1 * half, deck);
    let mast = 1.35 * length;
    let top = mast_foot.plus(UP.scale(mast));
    for (x0, x1, foot, peak) in [(0.1, -0.85, 0.12, 0.97), (0.14, 0.97, 0.06, 0.82)] {
        let points = [
            at(x0 * half, deck + foot * mast),
            at(x1 * half, deck + foot * mast),
            at(x0 * half, deck + peak * mast),
        ];
        p.polygon(&points, base, along, UP, |u, v, fp| {
            let n = cloth.at(u, v * 0.5, fp);
            let seam = 1.0 - 0.12 * smoothstep(0.06, 0.0, fract(v / (0.22 * length)));
            (sail.times(light).scale((0.75 + 0.4 * n) * seam), 0.97)
        });
    }
    p.pole(mast_foot, top, 0.012 * length, 0.006 * length, Rgb::new(0.35, 0.33, 0.3));
    let line = Rgb::grey(0.1);
    p.wire(top, at(half, deck), 0.0, 0.015, line);
    p.wire(top, at(-half, deck), 0.0, 0.015, line);
}

/// A gull in flight: two bent wings and a body; `beat` from -1 (wings down) to 1 (up).
pub fn gull(p: &mut Painter<'_>, at: Vec3, span: f32, beat: f32, turn: f32) {
    let (sin, cos) = sin_cos(turn);
    let wing = Vec3::new(cos, 0.0, sin);
    let ahead = Vec3::new(-sin, 0.0, cos);
    let white = Rgb::new(0.72, 0.73, 0.75);
    // wings are seen from below, lit by the ground and the sky behind
    let under = p.light.on(UP.scale(0.2)).times(white).scale(0.95);
    let tip = Rgb::grey(0.05).times(p.light.on(UP));
    let body = ahead.scale(0.17 * span);
    p.stroke(at.minus(body), at.plus(body), 0.035 * span, 0.045 * span, |s, _| {
        under.scale(0.8 - 0.3 * s)
    });
    for side in [-1.0, 1.0] {
        let elbow =
            at.plus(wing.scale(side * 0.22 * span)).plus(UP.scale((0.10 + 0.08 * beat) * span));
        let hand = at
            .plus(wing.scale(side * 0.5 * span))
            .plus(UP.scale((0.06 + 0.16 * beat) * span))
            .minus(ahead.scale(0.06 * span));
        p.stroke(at, elbow, 0.055 * span, 0.05 * span, |_, _| under);
        p.stroke(elbow, hand, 0.05 * span, 0.012 * span, |_, t| {
            under.mix(tip, smoothstep(0.7, 0.85, t))
        });
    }
}

/// A roofed wicker beach chair (Strandkorb) facing `front`.
pub fn beach_chair(p: &mut Painter<'_>, base: Vec3, front: Vec3, stripe: Rgb, seed: u64) {
    let weave = Field::new(Pattern::Blades, seed, 1.4);
    let right = Vec3::new(-front.z, 0.0, front.x).unit();
    let wicker = Rgb::srgb8(196, 170, 126);
    let body = super::solids::Cuboid::new(base, right, 1.25, 0.95, 0.85);
    let hood_base = base.plus(front.unit().scale(-0.15)).plus(UP.scale(0.9));
    let hood = super::solids::Cuboid::new(hood_base, right, 1.25, 0.75, 0.6);
    for part in [body, hood] {
        p.cuboid(&part, |face, u, v, fp| {
            let n = weave.at(u * 1.5, v * 1.5, fp);
            let inside = face.normal.dot(front) > 0.7 && (0.1..1.15).contains(&u);
            let c = if inside {
                let band = fract(u / 0.22) < 0.5;
                if band { stripe } else { Rgb::grey(0.66) }
            } else {
                wicker.scale(0.6 + 0.7 * n)
            };
            let shade = if inside { 0.5 + 0.35 * v } else { 1.0 };
            (c.times(face.light).scale(shade), 1.0)
        });
    }
}

/// A sand fence or row of groyne piles between two points on the ground.
pub fn piles(p: &mut Painter<'_>, from: Vec3, to: Vec3, count: u8, height: f32, seed: u64) {
    let mut s = Stream::from_seed(seed);
    let wood = Rgb::new(0.14, 0.12, 0.10);
    for i in 0..count {
        let t = f32::from(i) / f32::from(count.max(2) - 1);
        let foot = from.plus(to.minus(from).scale(t));
        let tall = height * s.range(0.8, 1.1);
        let radius = 0.1 * height.min(1.2);
        p.pole(
            foot,
            foot.plus(UP.scale(tall)),
            radius,
            radius * 0.9,
            wood.scale(s.range(0.8, 1.5)),
        );
    }
}

/// Sheep on the dyke: a woolly body, a head, four legs.
pub fn sheep(p: &mut Painter<'_>, base: Vec3, along: Vec3, seed: u64) {
    let wool = Field::new(Pattern::Leaves, seed, 3.0);
    let right = p.facing_right(base);
    let sign = if along.dot(right) < 0.0 { -1.0 } else { 1.0 };
    let light = p.light.on(right.scale(0.2).plus(UP.scale(0.6)));
    let cream = Rgb::srgb8(214, 204, 182);
    for x in [-0.33, -0.25, 0.22, 0.30] {
        let foot = base.plus(right.scale(x));
        p.pole(foot, foot.plus(UP.scale(0.4)), 0.035, 0.04, Rgb::grey(0.06));
    }
    p.billboard(base, 1.5, 1.1, |u, v, fp| {
        let (x, y) = (u * sign, v - 0.58);
        let n = wool.at(u, v, fp);
        let body = 1.0 - (x * x / 0.22 + y * y / 0.095) + 0.35 * (n - 0.5);
        let (hx, hy) = (x - 0.52, v - 0.72);
        let head = 1.0 - (hx * hx / 0.025 + hy * hy / 0.014);
        let cover = smoothstep(0.0, 0.15, body.max(head));
        let c = if body > head { cream.scale(0.6 + 0.5 * n + 0.5 * y) } else { Rgb::grey(0.10) };
        (c.times(light), cover)
    });
}

/// Put gulls into the sky of a place.
pub fn gulls(place: &Place, scene: &mut Scene<'_>, s: &mut Stream, count: usize) {
    for _ in 0..count {
        let distance = s.range(9.0, 60.0);
        let ground = place.seen(s.range(-1.1, 1.1), distance);
        let at = ground.plus(UP.scale(1.8 + distance * s.range(0.04, 0.42)));
        let (span, beat, turn) = (s.range(1.2, 1.6), s.range(-0.9, 1.0), s.range(0.0, 6.2));
        scene.add(distance, move |p| gull(p, at, span, beat, turn));
    }
}
