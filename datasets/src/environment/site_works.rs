//! What is built and stored on a construction site: concrete shell with scaffolding, heaps, huts, barriers and beacons.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::noise::lattice;
use crate::num::smoothstep;
use crate::rng::{Stream, unit_from_bits};

use super::facade::band;
use super::painter::Painter;
use super::ridge::Shaded;
use super::solids::{Cuboid, Side};
use super::tile::{Field, Pattern, floor_fast, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);
const RED: Rgb = Rgb::new(0.56, 0.035, 0.03);
const WHITE: Rgb = Rgb::new(0.72, 0.72, 0.70);
const STOREY: f32 = 3.1;

/// A building while its frame is put up.
#[derive(Clone, Copy, Debug)]
pub struct Shell {
    /// Extent; the height is a multiple of the storey.
    pub body: Cuboid,
    /// Share of the bays whose outer wall stands already.
    pub walled: f32,
    /// Colour of the masonry.
    pub brick: Rgb,
    /// Colour of the safety net on the scaffold, if there is one.
    pub net: Option<Rgb>,
    /// Seed.
    pub seed: u64,
}

impl Shell {
    /// A shell of some storeys.
    #[must_use]
    pub fn new(
        s: &mut Stream,
        base: Vec3,
        right: Vec3,
        width: f32,
        depth: f32,
        storeys: f32,
    ) -> Self {
        let c = Rgb::srgb8;
        Self {
            body: Cuboid::new(base, right, width, STOREY * storeys, depth),
            walled: s.range(0.1, 0.8),
            brick: *s.pick(&[c(178, 176, 168), c(160, 84, 58), c(168, 162, 150), c(186, 178, 160)]),
            net: s
                .chance(0.45)
                .then(|| *s.pick(&[c(70, 122, 88), c(150, 162, 168), c(60, 92, 140)])),
            seed: s.bits(),
        }
    }

    /// Paint the frame, what sticks out of its top, and the scaffold.
    pub fn paint(&self, p: &mut Painter<'_>) {
        let stain = Field::new(Pattern::Fractal, self.seed, 18.0);
        let shell = *self;
        let dusk = p.light.dusk;
        p.cuboid(&self.body, |face, u, v, fp| {
            if face.side == Side::Top {
                return (Rgb::grey(0.3).times(face.light), 1.0);
            }
            (shell.face(face.light, face.width, u, v, fp, dusk, &stain), 1.0)
        });
        self.crown(p);
        self.scaffold(p);
    }

    fn face(
        &self,
        light: Rgb,
        width: f32,
        u: f32,
        v: f32,
        fp: f32,
        dusk: f32,
        stain: &Field,
    ) -> Rgb {
        let bay_width = width / (width / 5.0).floor().max(1.0);
        let (level, y) = (floor_fast(v / STOREY), fract(v / STOREY) * STOREY);
        let bay = floor_fast(u / bay_width);
        let x = fract(u / bay_width) * bay_width;
        let tone = lattice(self.seed, bay, level);
        let cloud = 1.0 + 0.35 * stain.signed(u, 0.6 * v, fp);
        let concrete = Rgb::new(0.33, 0.325, 0.31).scale(cloud);
        let height = self.body.size.y / STOREY;
        // walls grow from below
        let closed = tone < self.walled * (1.35 - 0.8 * v / (STOREY * height));
        let mut c = if closed {
            let course =
                band(fract(v / 0.25) * 0.25, 0.0, 0.02, fp) * (1.0 - smoothstep(0.04, 0.12, fp));
            let window = band(x, 0.3 * bay_width, 0.7 * bay_width, fp) * band(y, 1.0, 2.5, fp);
            let hole = light.scale(0.035);
            let block =
                0.92 + 0.16 * lattice(self.seed ^ 5, floor_fast(u / 0.5), floor_fast(v / 0.25));
            self.brick.scale(cloud * block * (1.0 - 0.3 * course)).times(light).mix(hole, window)
        } else {
            // open: daylight on the floor's edge, dark ceiling, props, a rear wall
            let depth = smoothstep(0.1, STOREY, y);
            let back = light.scale(0.10 - 0.075 * depth);
            let prop =
                band(fract(x / 1.25) * 1.25, 0.55, 0.67, fp) * f32::from(u8::from(tone > 0.6));
            let core = f32::from(u8::from(lattice(self.seed ^ 9, bay, 3) < 0.4))
                * band(x, 0.8, bay_width - 1.2, fp);
            let inside = back.mix(concrete.times(light).scale(0.3), core);
            let lamp = Rgb::new(1.0, 0.85, 0.6).scale(
                0.45 * dusk * f32::from(u8::from(lattice(self.seed, level, 7) < 0.6)) * depth,
            );
            let rail =
                band(y, 0.55, 0.67, fp).max(band(y, 1.0, 1.12, fp)).max(band(y, 0.28, 0.43, fp));
            inside
                .plus(lamp)
                .mix(Rgb::srgb8(140, 52, 36).times(light), 0.8 * prop)
                .mix(Rgb::srgb8(178, 146, 96).times(light), 0.9 * rail)
        };
        let column = band(x, -1.0, 0.25, fp).max(band(x, bay_width - 0.2, bay_width + 1.0, fp));
        let slab = band(y, -1.0, 0.26, fp);
        c = c.mix(concrete.times(light).scale(0.85), column);
        c = c.mix(concrete.times(light).scale(1.05), slab);
        c.scale(1.0 - 0.3 * band(y, STOREY - 0.3, STOREY, fp) * (1.0 - column))
    }

    /// Starter bars, column forms and the edge rail above the last slab.
    fn crown(&self, p: &mut Painter<'_>) {
        let mut s = Stream::from_seed(self.seed ^ 0xc);
        let top = self.body.size.y;
        let bays = (self.body.size.x / 5.0).floor().max(1.0);
        let rust = Rgb::srgb8(110, 66, 44);
        let form = if s.chance(0.5) { Rgb::srgb8(206, 160, 40) } else { Rgb::srgb8(156, 52, 40) };
        for z in [0.5, -0.5] {
            let mut i = 0.0;
            while i <= bays {
                let foot = self.body.point(i / bays - 0.5, top, z);
                if s.chance(0.55) {
                    for j in 0..4_u8 {
                        let a = foot.plus(self.body.right.scale(0.14 * f32::from(j) - 0.2));
                        p.pole(a, a.plus(UP.scale(s.range(0.9, 1.4))), 0.025, 0.02, rust);
                    }
                } else {
                    let shaft = Cuboid::new(foot, self.body.right, 0.6, 2.7, 0.6);
                    p.cuboid(&shaft, |f, _, v, fp| {
                        let waler = band(fract(v / 0.7) * 0.7, 0.0, 0.14, fp);
                        (form.mix(Rgb::srgb8(150, 116, 70), 1.0 - waler).times(f.light), 1.0)
                    });
                }
                i += 1.0;
            }
            for h in [0.55, 1.05] {
                let (a, b) = (self.body.point(-0.5, top + h, z), self.body.point(0.5, top + h, z));
                p.pole(a, b, 0.06, 0.06, Rgb::srgb8(178, 146, 96));
            }
        }
    }

    /// Tube scaffold before the visible walls: standards, ledgers, decks, braces, net.
    fn scaffold(&self, p: &mut Painter<'_>) {
        let height = self.body.size.y + 1.2;
        let inward = self.body.inward();
        let size = self.body.size;
        let sides = [
            (inward.scale(-1.0), self.body.right, size.x, size.z),
            (self.body.right.scale(-1.0), inward, size.z, size.x),
            (self.body.right, inward, size.z, size.x),
        ];
        for (index, (out, along, width, depth)) in sides.into_iter().enumerate() {
            if index > 0 && (self.seed >> index) & 1 == 0 {
                continue;
            }
            let middle = self.body.base.plus(out.scale(0.5 * depth));
            if p.camera.position.minus(middle).dot(out) <= 0.0 {
                continue;
            }
            let light = p.light.on(out);
            let (net, seed) = (self.net, self.seed);
            for (step, distance) in [0.35, 1.1].into_iter().enumerate() {
                let corner = middle.plus(out.scale(distance)).minus(along.scale(0.5 * width));
                p.quad(corner, along.scale(width), UP.scale(height), |u, v, fp| {
                    let (x, y) = (fract(u / 2.5) * 2.5, fract(v / 2.0) * 2.0);
                    let tube = band(x, 0.0, 0.07, fp);
                    let deck = band(y, 0.0, 0.13, fp);
                    let toe = band(y, 0.13, 0.3, fp);
                    let rail = band(y, 0.62, 0.68, fp).max(band(y, 1.08, 1.14, fp));
                    let bay = floor_fast(u / 2.5);
                    let t =
                        if (bay + floor_fast(v / 2.0)) & 1 == 0 { x / 2.5 } else { 1.0 - x / 2.5 };
                    let brace = if bay % 4 == 1 { band(y - 2.0 * t, -0.05, 0.05, fp) } else { 0.0 };
                    let steel = light.scale(0.38);
                    if step == 0 {
                        return (steel.scale(0.55), tube.max(deck));
                    }
                    let metal = tube.max(rail).max(brace);
                    let mut c = steel;
                    c = c.mix(Rgb::srgb8(176, 142, 84).times(light), toe);
                    c = c.mix(light.scale(0.12), deck);
                    let mut cover = metal.max(toe).max(deck);
                    if let Some(net) = net
                        && lattice(seed ^ 0x4e7, bay / 3, floor_fast(v / 4.0)) < 0.75
                    {
                        let fold = 0.8 + 0.3 * lattice(seed, floor_fast(u / 0.4), 2);
                        let under = net.times(light).scale(fold);
                        c = under.mix(c, 0.7 * cover);
                        cover = cover.max(0.72);
                    }
                    (c, cover)
                });
            }
        }
    }
}

/// A heap of gravel, sand or earth.
pub fn heap(
    p: &mut Painter<'_>,
    base: Vec3,
    radius: f32,
    height: f32,
    colour: Rgb,
    snow: f32,
    seed: u64,
) {
    let rough = Field::new(Pattern::Fractal, seed, 3.0 * radius);
    let grain = Field::new(Pattern::Grain, seed, 14.0);
    let right = p.facing_right(base);
    let toward = Vec3::new(right.z, 0.0, -right.x);
    let light = Shaded::new(&p.light, right, toward);
    let lean = 0.3 * (unit_from_bits(seed) - 0.5);
    p.billboard(base.minus(UP.scale(0.1)), 2.2 * radius, 1.15 * height, |u, v, fp| {
        let (x, y) = (u / radius + lean * (v / height), v / height);
        let n = rough.at(u, 0.0, fp) - 0.5;
        let outline = 1.0 - x.abs() - 0.18 * (1.0 - smoothstep(0.0, 0.35, x.abs())) + 0.16 * n;
        let cover = ((outline - y) * height / fp + 0.5).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return (Rgb::default(), 0.0);
        }
        // gullies run down from the top
        let run = rough.at(2.0 * u / (1.2 - 0.8 * y.min(1.0)), 0.25 * v, fp) - 0.5;
        let lit = light.at(1.1 * x + 1.4 * run, 0.75, 0.8);
        let clods = grain.signed(0.3 * u, 0.3 * v, fp);
        let foot = 0.7 + 0.3 * smoothstep(0.0, 0.15, y);
        let c = colour.scale((1.0 + 0.6 * run + 0.4 * clods) * foot);
        let lying = snow * smoothstep(0.45, 0.6, 0.5 + run + 0.2 * y);
        (c.mix(Rgb::new(0.8, 0.82, 0.86), 0.85 * lying).times(lit), cover)
    });
}

/// A site hut: a container with windows and a door.
pub fn hut(p: &mut Painter<'_>, body: &Cuboid, paint: Rgb, seed: u64) {
    let (sky, dusk) = (p.light.sky, p.light.dusk);
    p.cuboid(body, |face, u, v, fp| {
        let (w, h) = (face.width, face.height);
        let frame = 1.0 - band(u, 0.16, w - 0.16, fp) * band(v, 0.16, h - 0.18, fp);
        let rib = 1.0 + 0.1 * (fract(u / 0.2) - 0.5) * (1.0 - smoothstep(0.05, 0.15, fp));
        let mut c = paint.scale(rib * (1.0 - 0.4 * frame)).times(face.light);
        if matches!(face.side, Side::Front | Side::Back) {
            let door = band(u, 0.5, 1.4, fp) * band(v, 0.15, 2.2, fp);
            c = c.mix(Rgb::grey(0.45).times(face.light), door);
            let x = fract((u - 2.0) / 2.0) * 2.0;
            let hole = band(x, 0.3, 1.5, fp) * band(v, 1.0, 2.05, fp) * band(u, 2.0, w - 0.3, fp);
            let bars = band(x, 0.87, 0.93, fp);
            let lamp =
                Rgb::new(0.9, 0.85, 0.65).scale(0.6 * dusk * f32::from(u8::from(seed & 1 == 0)));
            c = c.mix(sky.scale(0.3).plus(lamp).mix(face.light.scale(0.6), bars), hole);
        }
        (c, 1.0)
    });
}

/// A red and white barrier board on posts with feet and yellow lamps at its ends.
pub fn barrier(p: &mut Painter<'_>, from: Vec3, to: Vec3, lit: bool) {
    let edge = to.minus(from);
    let mut normal = Vec3::new(-edge.z, 0.0, edge.x).unit();
    if p.camera.position.minus(from).dot(normal) < 0.0 {
        normal = normal.scale(-1.0);
    }
    let light = p.light.on(normal);
    for t in [0.06, 0.94] {
        let foot = from.plus(edge.scale(t));
        p.pole(foot, foot.plus(UP.scale(1.15)), 0.03, 0.03, Rgb::grey(0.4));
        let along = normal.scale(0.4);
        p.pole(
            foot.minus(along).plus(UP.scale(0.06)),
            foot.plus(along).plus(UP.scale(0.06)),
            0.06,
            0.06,
            Rgb::grey(0.04),
        );
    }
    for (low, high) in [(0.85, 1.1), (0.15, 0.27)] {
        p.quad(from.plus(UP.scale(low)), edge, UP.scale(high - low), |u, _, fp| {
            let red = band(fract(u / 0.5) * 0.5, 0.0, 0.25, fp);
            (WHITE.mix(RED, red).times(light), 1.0)
        });
    }
    for t in [0.06, 0.94] {
        warning_lamp(p, from.plus(edge.scale(t)).plus(UP.scale(1.25)), lit);
    }
}

/// A beacon (Leitbake): a board of red and white diagonals on a rubber foot, with a lamp; `lean` is the
/// direction in which traffic passes, 1 or -1.
pub fn beacon(p: &mut Painter<'_>, foot: Vec3, heading: Vec3, lean: f32, lamp: bool) {
    let right = Vec3::new(heading.z, 0.0, -heading.x);
    let block = Cuboid::new(foot, right, 0.42, 0.13, 0.8);
    p.cuboid(&block, |f, _, _, _| (Rgb::grey(0.035).times(f.light), 1.0));
    let light = p.light.on(heading.scale(-1.0));
    let corner = foot.minus(right.scale(0.125)).plus(UP.scale(0.22));
    p.quad(corner, right.scale(0.25), UP.scale(1.0), |u, v, fp| {
        let red = band(fract((v - lean * u) / 0.36) * 0.36, 0.0, 0.18, fp);
        let rim = 1.0 - band(u, 0.012, 0.238, fp) * band(v, 0.012, 0.988, fp);
        (WHITE.mix(RED, red).mix(Rgb::grey(0.5), 0.5 * rim).times(light), 1.0)
    });
    if lamp {
        warning_lamp(p, foot.plus(UP.scale(1.34)), true);
    }
}

/// A round yellow lamp.
fn warning_lamp(p: &mut Painter<'_>, at: Vec3, lit: bool) {
    let light = p.light.on(UP);
    let amber = Rgb::new(0.75, 0.36, 0.02);
    let shine =
        if lit { Rgb::new(0.9, 0.45, 0.03).scale(0.35 + p.light.dusk) } else { Rgb::default() };
    p.billboard(at.minus(UP.scale(0.1)), 0.22, 0.22, |u, v, fp| {
        let r = (u * u + (v - 0.11) * (v - 0.11)).sqrt();
        let cover = ((0.1 - r) / fp + 0.5).clamp(0.0, 1.0);
        let rim = smoothstep(0.07, 0.085, r);
        (amber.times(light).plus(shine).mix(Rgb::grey(0.04), 0.8 * rim), cover)
    });
    if lit && p.light.dusk > 0.2 {
        super::street_furniture::glow(p, at, 0.5, Rgb::new(1.0, 0.55, 0.08).scale(p.light.dusk));
    }
}
