//! Machines of a construction site: tower crane and excavator.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::{sin_cos, smoothstep};
use crate::rng::Stream;

use super::facade::band;
use super::painter::Painter;
use super::solids::Cuboid;
use super::steelwork::{Facet, Prism};
use super::tile::{Field, Pattern, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// A tower crane: lattice mast, jib, counter jib with ballast, A-frame with ties, cab, trolley and hook.
/// `jib` is the level unit vector along the jib, `load` where the trolley stands on it, 0 to 1.
pub fn tower_crane(
    p: &mut Painter<'_>,
    base: Vec3,
    height: f32,
    jib: Vec3,
    length: f32,
    paint: Rgb,
    load: f32,
) {
    let side = Vec3::new(jib.z, 0.0, -jib.x);
    let top = base.plus(UP.scale(height));
    let foot = Cuboid::new(base, jib, 4.5, 1.2, 4.5);
    p.cuboid(&foot, |f, _, v, _| (f.light.scale(0.3 + 0.06 * v), 1.0));
    p.girder(base, top, side.scale(0.95), 0.13, paint);
    // slewing ring and cab
    let ring = Cuboid::new(top, jib, 2.2, 1.3, 2.2);
    p.cuboid(&ring, |f, _, _, _| (paint.scale(0.7).times(f.light), 1.0));
    let deck = top.plus(UP.scale(1.9));
    let rear = deck.minus(jib.scale(0.3 * length));
    let tip = deck.plus(jib.scale(length));
    let apex = deck.plus(UP.scale(6.5));
    p.girder(deck, rear, side.scale(0.55), 0.09, paint);
    p.girder(deck, tip, side.scale(0.6), 0.09, paint);
    for z in [-0.6, 0.6] {
        let leg = side.scale(z);
        p.pole(deck.plus(leg).plus(jib.scale(0.9)), apex, 0.1, 0.08, paint);
        p.pole(deck.plus(leg).minus(jib.scale(0.9)), apex, 0.1, 0.08, paint);
    }
    let steel = Rgb::grey(0.12);
    for at in [deck.plus(jib.scale(0.38 * length)), deck.plus(jib.scale(0.78 * length)), rear] {
        p.pole(apex, at.plus(UP.scale(0.6)), 0.05, 0.05, steel);
    }
    let ballast = rear.minus(UP.scale(2.2)).plus(jib.scale(1.6));
    let blocks = Cuboid::new(ballast, jib, 3.0, 2.6, 1.6);
    p.cuboid(&blocks, |f, u, _, fp| {
        let joint = band(fract(u) * 1.0, 0.0, 0.06, fp);
        (f.light.scale(0.34 * (1.0 - 0.5 * joint)), 1.0)
    });
    let cab = Cuboid::new(top.plus(side.scale(1.7)).plus(jib.scale(0.8)), jib, 1.8, 2.1, 1.5);
    let sky = p.light.sky;
    p.cuboid(&cab, |f, u, v, fp| {
        let pane = band(u, 0.15, f.width - 0.12, fp) * band(v, 0.7, 1.9, fp);
        (paint.times(f.light).mix(sky.scale(0.22), pane), 1.0)
    });
    // trolley, ropes, hook with a bundle or a bucket
    let trolley = deck.plus(jib.scale(length * load)).minus(UP.scale(0.9));
    let drop = height * (0.3 + 0.35 * fract(load * 7.3));
    let hook = trolley.minus(UP.scale(drop));
    let black = Rgb::grey(0.03);
    for x in [-0.4, 0.4] {
        let rope = jib.scale(x);
        p.pole(trolley.plus(rope), hook.plus(rope.scale(0.4)), 0.03, 0.03, black);
    }
    p.pole(trolley.minus(jib.scale(0.9)), trolley.plus(jib.scale(0.9)), 0.2, 0.2, steel);
    p.pole(
        hook.plus(UP.scale(0.5)),
        hook.minus(UP.scale(0.5)),
        0.25,
        0.12,
        Rgb::srgb8(196, 152, 30),
    );
    let bundle = Cuboid::new(hook.minus(UP.scale(3.4)), jib, 3.2, 0.8, 1.0);
    for x in [-1.4, 1.4] {
        p.pole(
            hook.minus(UP.scale(0.4)),
            hook.minus(UP.scale(2.6)).plus(jib.scale(x)),
            0.025,
            0.025,
            black,
        );
    }
    p.cuboid(&bundle, |f, _, v, fp| {
        let board = 0.8 + 0.3 * band(fract(v / 0.2) * 0.2, 0.03, 0.2, fp);
        (Rgb::srgb8(176, 140, 88).times(f.light).scale(board), 1.0)
    });
    if p.light.dusk > 0.2 {
        super::street_furniture::glow(p, apex, 1.2, Rgb::new(1.0, 0.1, 0.05).scale(p.light.dusk));
        let flood = top.minus(UP.scale(0.5));
        super::street_furniture::glow(p, flood, 1.6, Rgb::new(1.0, 0.95, 0.8).scale(p.light.dusk));
    }
}

/// A crawler excavator on its tracks.
#[derive(Clone, Copy, Debug)]
pub struct Excavator {
    /// Middle between the tracks, on the ground.
    pub base: Vec3,
    /// Level unit vector along the boom.
    pub ahead: Vec3,
    /// Level unit vector along the tracks.
    pub tracks: Vec3,
    /// Size against a machine of 22 t.
    pub scale: f32,
    /// Paint.
    pub paint: Rgb,
    /// Angle of the boom above the horizontal and of the stick below it, radians.
    pub pose: (f32, f32),
    /// Seed of dirt.
    pub seed: u64,
}

impl Excavator {
    /// A machine in a drawn pose and make.
    #[must_use]
    pub fn new(s: &mut Stream, base: Vec3, ahead: Vec3) -> Self {
        let c = Rgb::srgb8;
        let turn = s.range(-0.6, 0.6);
        let (sin, cos) = sin_cos(turn);
        let tracks = Vec3::new(ahead.x * cos + ahead.z * sin, 0.0, ahead.z * cos - ahead.x * sin);
        Self {
            base,
            ahead,
            tracks,
            scale: s.range(0.85, 1.15),
            paint: *s.pick(&[c(208, 150, 26), c(214, 162, 40), c(206, 104, 30), c(190, 186, 176)]),
            pose: (s.range(0.75, 1.05), s.range(0.7, 1.35)),
            seed: s.bits(),
        }
    }

    /// Paint the whole machine, farthest parts first.
    pub fn paint(&self, p: &mut Painter<'_>) {
        let k = self.scale;
        let stain = Field::new(Pattern::Fractal, self.seed, 5.0);
        let side = Vec3::new(self.ahead.z, 0.0, -self.ahead.x);
        let eye = p.camera.position.minus(self.base);
        self.undercarriage(p, &stain);
        let boom_first = eye.dot(self.ahead) < 0.0;
        if boom_first {
            self.arm(p, &stain);
        }
        // house with the engine behind, cab in front on the left, as the driver sees it
        let parts: [(bool, f32); 2] = if eye.dot(side) > 0.0 {
            [(true, -0.75), (false, 0.45)]
        } else {
            [(false, 0.45), (true, -0.75)]
        };
        let floor = self.base.plus(UP.scale(1.05 * k));
        self.house(p, floor, &stain);
        for (is_cab, z) in parts {
            let at = floor.plus(side.scale(z * k));
            if is_cab { self.cab(p, at) } else { self.hood(p, at, &stain) }
        }
        if !boom_first {
            self.arm(p, &stain);
        }
    }

    fn undercarriage(&self, p: &mut Painter<'_>, stain: &Field) {
        let k = self.scale;
        let across = Vec3::new(self.tracks.z, 0.0, -self.tracks.x);
        let far_first = if p.camera.position.minus(self.base).dot(across) > 0.0 {
            [-1.0, 1.0]
        } else {
            [1.0, -1.0]
        };
        let outline: [(f32, f32); 8] = [
            (-1.9, 0.0),
            (1.9, 0.0),
            (2.25, 0.3),
            (2.25, 0.65),
            (1.95, 0.95),
            (-1.95, 0.95),
            (-2.25, 0.65),
            (-2.25, 0.3),
        ]
        .map(|(x, y)| (x * k, y * k));
        for z in far_first {
            let base = self.base.plus(across.scale(1.1 * z * k));
            let track = Prism { base, along: self.tracks, outline: &outline, thickness: 0.6 * k };
            p.prism(&track, |facet, light, u, v, fp| {
                let mud = stain.at(u, v, fp);
                let dark = Rgb::grey(0.035).mix(Rgb::srgb8(120, 98, 72), 0.5 * mud);
                let c = if facet == Facet::Cap {
                    let (x, y) = (u / k, v / k);
                    let roller = fract(x / 0.55 + 0.5) - 0.5;
                    let wheel = (roller * roller * 0.3 + (y - 0.28) * (y - 0.28)).sqrt() < 0.17;
                    let frame = band(y, 0.35, 0.7, fp) * band(x, -1.7, 1.7, fp);
                    let shoe = 0.7 + 0.5 * f32::from(u8::from(fract(x / 0.2) < 0.6));
                    let c = dark.scale(shoe).mix(Rgb::grey(0.08), frame);
                    if wheel { Rgb::grey(0.12) } else { c }
                } else {
                    dark.scale(0.6 + 0.6 * f32::from(u8::from(fract(u / (0.2 * k)) < 0.6)))
                };
                (c.times(light), 1.0)
            });
        }
    }

    fn house(&self, p: &mut Painter<'_>, floor: Vec3, stain: &Field) {
        let k = self.scale;
        let outline =
            [(-2.6, 0.0), (1.3, 0.0), (1.3, 0.3), (-2.6, 0.3)].map(|(x, y)| (x * k, y * k));
        let deck = Prism { base: floor, along: self.ahead, outline: &outline, thickness: 2.7 * k };
        p.prism(&deck, |_, light, u, v, fp| {
            (Rgb::grey(0.07).scale(0.8 + 0.4 * stain.at(u, v, fp)).times(light), 1.0)
        });
    }

    fn hood(&self, p: &mut Painter<'_>, at: Vec3, stain: &Field) {
        let k = self.scale;
        let paint = self.paint;
        // the counterweight spans the whole width behind; the hood lies in front of it on the right
        let side = Vec3::new(self.ahead.z, 0.0, -self.ahead.x);
        let rear = [(-2.75, 0.1), (-1.5, 0.1), (-1.5, 1.3), (-2.5, 1.3), (-2.8, 0.9)]
            .map(|(x, y)| (x * k, y * k));
        let front = [(-1.5, 0.25), (1.2, 0.25), (1.1, 0.95), (-0.2, 1.15), (-1.5, 1.2)]
            .map(|(x, y)| (x * k, y * k));
        let weight = Prism {
            base: at.minus(side.scale(0.45 * k)),
            along: self.ahead,
            outline: &rear,
            thickness: 2.7 * k,
        };
        let hood = Prism {
            base: at.plus(side.scale(0.2 * k)),
            along: self.ahead,
            outline: &front,
            thickness: 1.3 * k,
        };
        let looks_back = p.camera.position.minus(at).dot(self.ahead) < 0.0;
        for prism in if looks_back { [hood, weight] } else { [weight, hood] } {
            let dark = prism.thickness > 2.0 * k;
            p.prism(&prism, |facet, light, u, v, fp| {
                let dirt = 0.8 + 0.35 * stain.at(u, v, fp);
                let mut c = if dark { paint.mix(Rgb::grey(0.06), 0.75) } else { paint };
                if facet == Facet::Cap && !dark {
                    let grille = band(u, -1.2 * k, -0.4 * k, fp) * band(v, 0.5 * k, 1.0 * k, fp);
                    let seam = band(u, 0.1, 0.15, fp);
                    c = c.mix(Rgb::grey(0.03), (0.8 * grille).max(0.6 * seam));
                    c = c.mix(Rgb::grey(0.04), band(v, 0.25 * k, 0.38 * k, fp));
                }
                (c.scale(dirt).times(light), 1.0)
            });
        }
    }

    fn cab(&self, p: &mut Painter<'_>, at: Vec3) {
        let k = self.scale;
        let outline = [(-0.6, 0.25), (1.15, 0.25), (1.3, 1.0), (0.95, 2.0), (-0.6, 2.0)]
            .map(|(x, y)| (x * k, y * k));
        let cab = Prism { base: at, along: self.ahead, outline: &outline, thickness: 1.05 * k };
        let (paint, sky, dusk) = (self.paint, p.light.sky, p.light.dusk);
        p.prism(&cab, |facet, light, u, v, fp| {
            let glass =
                sky.scale(0.10 + 0.12 * v / k).plus(Rgb::new(0.5, 0.4, 0.2).scale(0.3 * dusk));
            let (pane, frame) = match facet {
                Facet::Cap => (
                    band(u, -0.48 * k, 1.0 * k, fp)
                        * band(v, 0.85 * k, 1.88 * k, fp)
                        * (1.0 - band(u, 0.18 * k, 0.26 * k, fp)),
                    paint,
                ),
                Facet::Edge(1 | 2) => {
                    (band(v, 0.1 * k, 0.95 * k, fp) * band(u, 0.06, 9.0, fp), Rgb::grey(0.05))
                }
                Facet::Edge(4) => {
                    (band(u, 0.15 * k, 0.9 * k, fp) * band(v, 0.1, 0.9 * k, fp), paint)
                }
                Facet::Edge(_) => (0.0, paint),
            };
            (frame.times(light).mix(glass, pane), 1.0)
        });
    }

    /// Boom, stick, cylinders and bucket, all in the plane of `ahead`.
    fn arm(&self, p: &mut Painter<'_>, stain: &Field) {
        let k = self.scale;
        let side = Vec3::new(self.ahead.z, 0.0, -self.ahead.x);
        let plane = self.base.plus(side.scale(0.15 * k));
        let (sin, cos) = sin_cos(self.pose.0);
        let root = (0.9 * k, 1.7 * k);
        // the boom bends in its middle
        let knee = (root.0 + 2.9 * k * cos, root.1 + 2.9 * k * sin);
        let (s2, c2) = sin_cos(self.pose.0 - 0.62);
        let tip = (knee.0 + 2.9 * k * c2, knee.1 + 2.9 * k * s2);
        let (s3, c3) = sin_cos(self.pose.1);
        let wrist = (tip.0 + 2.9 * k * c3 * 0.45, tip.1 - 2.9 * k * s3);
        let back = (tip.0 - 0.75 * k * c3 * 0.45, tip.1 + 0.75 * k * s3);
        let beam = |p: &mut Painter<'_>,
                    a: (f32, f32),
                    b: (f32, f32),
                    wa: f32,
                    wb: f32,
                    thick: f32,
                    c: Rgb| {
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let l = (dx * dx + dy * dy).sqrt().max(1e-3);
            let (nx, ny) = (-dy / l, dx / l);
            let outline = [
                (a.0 - nx * wa, a.1 - ny * wa),
                (b.0 - nx * wb, b.1 - ny * wb),
                (b.0 + nx * wb, b.1 + ny * wb),
                (a.0 + nx * wa, a.1 + ny * wa),
            ];
            let prism =
                Prism { base: plane, along: self.ahead, outline: &outline, thickness: thick * k };
            p.prism(&prism, |_, light, u, v, fp| {
                (c.scale(0.8 + 0.35 * stain.at(u, v, fp)).times(light), 1.0)
            });
        };
        let paint = self.paint;
        let rod = |p: &mut Painter<'_>, a: (f32, f32), b: (f32, f32)| {
            let at = |q: (f32, f32)| plane.plus(self.ahead.scale(q.0)).plus(UP.scale(q.1));
            let middle = at(a).plus(at(b)).scale(0.5);
            p.pole(at(a), middle, 0.11 * k, 0.11 * k, Rgb::grey(0.06));
            p.pole(middle, at(b), 0.055 * k, 0.055 * k, Rgb::grey(0.5));
        };
        rod(p, (1.2 * k, 1.2 * k), (knee.0 - 0.1 * k, knee.1 - 0.25 * k));
        beam(p, root, knee, 0.3 * k, 0.42 * k, 0.5, paint);
        beam(p, knee, tip, 0.42 * k, 0.2 * k, 0.5, paint);
        rod(p, (knee.0, knee.1 + 0.5 * k), back);
        beam(p, back, tip, 0.16 * k, 0.3 * k, 0.38, paint);
        beam(p, tip, wrist, 0.3 * k, 0.15 * k, 0.38, paint);
        rod(p, (tip.0 + 0.35 * k, tip.1 - 0.2 * k), (wrist.0 + 0.3 * k, wrist.1 + 0.35 * k));
        // bucket: curls back towards the machine, teeth at its lip
        let w = wrist;
        let shell = [
            (w.0 + 0.25 * k, w.1 + 0.1 * k),
            (w.0 - 0.35 * k, w.1 + 0.05 * k),
            (w.0 - 1.05 * k, w.1 - 0.75 * k),
            (w.0 - 0.75 * k, w.1 - 1.1 * k),
            (w.0 - 0.15 * k, w.1 - 1.25 * k),
            (w.0 + 0.3 * k, w.1 - 0.85 * k),
        ];
        let bucket = Prism { base: plane, along: self.ahead, outline: &shell, thickness: 1.15 * k };
        p.prism(&bucket, |_, light, u, v, fp| {
            let worn = smoothstep(0.45, 0.75, stain.at(u, v, fp));
            let c = Rgb::grey(0.07).mix(Rgb::srgb8(140, 116, 88), 0.6 * worn);
            (c.times(light), 1.0)
        });
        for z in [-0.5, -0.25, 0.0, 0.25, 0.5] {
            let at = |x: f32, y: f32| {
                plane
                    .plus(self.ahead.scale(w.0 + x * k))
                    .plus(UP.scale(w.1 + y * k))
                    .plus(side.scale(z * k))
            };
            p.pole(at(-0.95, -0.75), at(-1.2, -1.05), 0.07 * k, 0.03 * k, Rgb::grey(0.2));
        }
    }
}
