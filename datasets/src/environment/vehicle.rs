//! Cars, vans, lorries and buses, built in perspective from body panels of real dimensions.
//!
//! A car is a side profile swept across its width: every stretch of the profile is a plane panel, so is the
//! glazed part of the side, which leans in. Wheels, lights, seams and glass are functions of metres on the panels.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::facade::band;
use super::painter::Painter;
use super::solids::{Cuboid, Side};
use super::tile::fract;

/// What drives or stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Passenger car: hatchback, saloon, estate or off-road, chosen by the seed.
    Car,
    /// Delivery van without side windows at the back.
    Van,
    /// Lorry with a box body or semitrailer.
    Lorry,
    /// City bus.
    Bus,
}

/// A vehicle on the ground.
#[derive(Clone, Copy, Debug)]
pub struct Vehicle {
    /// Middle of its footprint, on the ground.
    pub base: Vec3,
    /// Unit direction of travel, level.
    pub heading: Vec3,
    /// What it is.
    pub kind: Kind,
    /// Length, width and height, metres.
    pub size: Vec3,
    /// Paint.
    pub colour: Rgb,
    /// Whether lamps burn.
    pub lamps: bool,
    variant: f32,
    /// Corners of the side profile of cars and vans: metres behind the front, height, half width.
    profile: [(f32, f32, f32); 9],
    wheel_radius: f32,
}

/// Paints of the German fleet (sRGB): mostly greys, black and white.
const PAINT: [(u8, u8, u8); 14] = [
    (34, 35, 38),
    (42, 44, 48),
    (92, 95, 98),
    (122, 125, 128),
    (160, 162, 162),
    (178, 178, 176),
    (206, 206, 202),
    (214, 212, 206),
    (44, 54, 78),
    (58, 72, 100),
    (108, 34, 34),
    (70, 36, 38),
    (66, 78, 70),
    (128, 116, 98),
];
/// Curtains and boxes of lorries (sRGB).
const CARGO: [(u8, u8, u8); 8] = [
    (196, 196, 192),
    (180, 180, 178),
    (64, 84, 124),
    (128, 52, 48),
    (66, 98, 82),
    (176, 148, 82),
    (100, 104, 110),
    (206, 204, 196),
];
const TYRE: Rgb = Rgb::grey(0.022);
const GLASS: Rgb = Rgb::grey(0.018);

impl Vehicle {
    /// A vehicle of a kind; shape, size and paint are drawn.
    #[must_use]
    pub fn new(s: &mut Stream, kind: Kind, base: Vec3, heading: Vec3) -> Self {
        let table: &[(u8, u8, u8)] = match kind {
            Kind::Lorry => &CARGO,
            Kind::Van => {
                &[(206, 206, 202), (198, 198, 194), (120, 124, 128), (176, 158, 96), (66, 78, 104)]
            }
            Kind::Bus => &[(196, 190, 178), (150, 60, 56), (84, 112, 98), (188, 176, 128)],
            Kind::Car => &PAINT,
        };
        let &(r, g, b) = s.pick(table);
        let variant = s.unit();
        let (size, profile, wheel_radius) = match kind {
            Kind::Car => car_profile(s, variant),
            Kind::Van => van_profile(s),
            Kind::Lorry => {
                (Vec3::new(s.range(9.0, 16.0), 2.5, s.range(3.4, 3.95)), [(0.0, 0.0, 1.25); 9], 0.5)
            }
            Kind::Bus => (Vec3::new(12.0, 2.55, 3.1), [(0.0, 0.0, 1.27); 9], 0.48),
        };
        Self {
            base,
            heading: Vec3::new(heading.x, 0.0, heading.z).unit(),
            kind,
            size,
            colour: Rgb::srgb8(r, g, b),
            lamps: s.chance(0.35),
            variant,
            profile,
            wheel_radius,
        }
    }

    fn right(&self) -> Vec3 {
        Vec3::new(self.heading.z, 0.0, -self.heading.x)
    }

    /// World position: metres to the right, up, and behind the front end.
    fn at(&self, x: f32, y: f32, behind: f32) -> Vec3 {
        self.base
            .plus(self.right().scale(x))
            .plus(self.heading.scale(0.5 * self.size.x - behind))
            .plus(Vec3::new(0.0, y, 0.0))
    }

    /// Darken the ground below and beside the vehicle.
    pub fn paint_shadow(&self, p: &mut Painter<'_>) {
        let (length, width) = (self.size.x, self.size.y);
        let sun = p.light.to_sun;
        if p.light.sun.luminance() > 1e-3 && sun.y > 0.05 {
            let level = (sun.x * sun.x + sun.z * sun.z).sqrt();
            let away = Vec3::new(-sun.x, 0.0, -sun.z).unit();
            let reach = (self.size.z * level / sun.y).min(8.0);
            let middle = self.base.plus(away.scale(0.5 * reach));
            let (across, along) = (away.dot(self.right()).abs(), away.dot(self.heading).abs());
            let (l, w) = (length + along * reach, width + across * reach);
            let factor = p.shade_factor();
            self.soft_rectangle(p, middle, l, w, 0.5, factor);
        }
        self.soft_rectangle(p, self.base, length + 0.5, width + 0.5, 0.55, Rgb::grey(0.30));
    }

    fn soft_rectangle(&self, p: &mut Painter<'_>, middle: Vec3, l: f32, w: f32, soft: f32, f: Rgb) {
        let corner = middle.minus(self.heading.scale(0.5 * l)).minus(self.right().scale(0.5 * w));
        p.darken(corner, self.heading.scale(l), self.right().scale(w), |u, v, _| {
            let rim = |a: f32, extent: f32| smoothstep(0.0, soft, a.min(extent - a));
            Rgb::grey(1.0).mix(f, rim(u, l) * rim(v, w))
        });
    }

    /// Paint the body.
    pub fn paint(&self, p: &mut Painter<'_>) {
        match self.kind {
            Kind::Car | Kind::Van => self.paint_swept(p),
            Kind::Lorry => self.paint_lorry(p),
            Kind::Bus => self.paint_bus(p),
        }
    }

    /// Light from a painted and varnished panel: body colour plus the mirrored surroundings.
    fn varnish(&self, p: &Painter<'_>, normal: Vec3, tilt: f32) -> Rgb {
        let falls = p.light.on(normal);
        let up = smoothstep(-0.25, 0.55, normal.y + tilt);
        let mirrored = falls.scale(0.12).mix(p.light.sky, up);
        self.colour.times(falls).scale(0.92).plus(mirrored.scale(0.05 + 0.1 * up))
    }

    fn paint_swept(&self, p: &mut Painter<'_>) {
        let right = self.right();
        self.paint_wheels(p);
        // below the glass first, then what stands on it
        self.paint_side(p, false);
        for i in [0, 1, 2, 6, 7] {
            self.paint_panel(p, i);
        }
        self.paint_side(p, true);
        for i in [3, 4, 5] {
            self.paint_panel(p, i);
        }
        let _ = right;
    }

    /// Panel between two corners of the profile, across the whole width. Order: bumper, grille, bonnet,
    /// windscreen, roof, rear window, boot or tailgate, bumper.
    fn paint_panel(&self, p: &mut Painter<'_>, i: usize) {
        let (a, b) = (self.profile[i], self.profile[i + 1]);
        let right = self.right();
        let origin = self.at(0.0, a.1, a.0);
        let along = self.at(0.0, b.1, b.0).minus(origin);
        let length = along.length();
        if length < 0.02 {
            return;
        }
        let tangent = along.unit();
        // heading is forward; the panel's outward normal is up for the roof
        let normal = right.cross(tangent).scale(-1.0);
        if p.camera.position.minus(origin).dot(normal) <= 0.0 {
            return;
        }
        let corners = [
            self.at(-a.2, a.1, a.0),
            self.at(a.2, a.1, a.0),
            self.at(b.2, b.1, b.0),
            self.at(-b.2, b.1, b.0),
        ];
        let falls = p.light.on(normal);
        let (low, high) = (self.varnish(p, normal, -0.25), self.varnish(p, normal, 0.2));
        let sky = p.light.sky;
        let dusk = p.light.dusk;
        let rear = i >= 5;
        let night = if self.lamps || dusk > 0.4 { 0.25 + dusk } else { 0.0 };
        let height = |v: f32| a.1 + (b.1 - a.1) * (v / length);
        let van = self.kind == Kind::Van;
        p.polygon(&corners, origin, right, tangent, |u, v, fp| {
            let t = v / length;
            let half = a.2 + (b.2 - a.2) * t;
            let edge = half - u.abs();
            let body = low.mix(high, if rear { 1.0 - t } else { t });
            let mut c = body.scale(0.72 + 0.28 * smoothstep(0.0, 0.16, edge));
            let y = height(v);
            match i {
                3 | 5 => {
                    // glass in a frame; a van's tailgate is two doors with small windows
                    let inset = if van && rear { 0.22 } else { 0.09 };
                    let pane = band(edge, inset, 9.0, fp) * band(v, 0.06, length - 0.07, fp);
                    let reflect = smoothstep(0.0, 1.0, if rear { 1.0 - t } else { t } + 0.12 * u);
                    let mut glass = GLASS.plus(sky.scale(0.04 + 0.22 * reflect));
                    // seats and headrests
                    let seat = band((u.abs() - 0.38).abs(), -0.1, 0.13, fp) * band(y, 0.0, 1.3, fp);
                    glass = glass.scale(1.0 - 0.45 * seat);
                    let pane = if van && rear {
                        pane * band(u.abs(), 0.05, 9.0, fp) * band(t, 0.0, 0.45, 0.05)
                    } else {
                        pane
                    };
                    c = c.mix(glass, pane);
                }
                6 => {
                    // rear lights, number plate, seam
                    let tall: f32 = if van { 0.7 } else { 0.3 };
                    let lamp = band(edge, 0.03, 0.34 - 0.14 * f32::from(u8::from(van)), fp)
                        * band(v, 0.06, (0.06 + tall).min(length), fp);
                    let red = Rgb::new(0.24, 0.012, 0.010)
                        .times(falls)
                        .plus(Rgb::new(0.9, 0.05, 0.03).scale(0.4 * night));
                    c = c.mix(red, lamp);
                    let plate = band(u, -0.27, 0.27, fp) * band(y, 0.66, 0.78, fp);
                    c = c.mix(Rgb::grey(0.62).times(falls), plate);
                    let seam = band(u.abs(), half - 0.4, half - 0.385, fp);
                    c = c.scale(1.0 - 0.4 * seam);
                }
                0 | 7 => {
                    // bumpers: painted above, plastic below
                    let plastic = 1.0 - smoothstep(0.40, 0.46, y);
                    c = c.mix(Rgb::grey(0.035).times(falls), plastic);
                    c = c.scale(0.55 + 0.45 * smoothstep(0.2, 0.5, y));
                }
                1 => {
                    let lamp = band(edge, 0.04, 0.40, fp) * band(t, 0.35, 0.85, fp / length);
                    let white = Rgb::grey(0.35)
                        .times(falls)
                        .plus(Rgb::new(1.0, 0.94, 0.82).scale(1.2 * night));
                    let grille =
                        band(u.abs(), -1.0, half - 0.5, fp) * band(t, 0.15, 0.8, fp / length);
                    c = c.mix(
                        Rgb::grey(0.03).plus(Rgb::grey(0.1).times(falls).scale(fract(v / 0.05))),
                        grille,
                    );
                    c = c.mix(white, lamp);
                    let plate = band(u, -0.26, 0.26, fp) * band(v, -0.02, 0.1, fp);
                    c = c.mix(Rgb::grey(0.62).times(falls), plate);
                }
                _ => {}
            }
            (c, 1.0)
        });
    }

    /// The side towards the camera: up to the sills of the windows, or above (`glazed`).
    fn paint_side(&self, p: &mut Painter<'_>, glazed: bool) {
        let right = self.right();
        let side = if p.camera.position.minus(self.base).dot(right) > 0.0 { 1.0 } else { -1.0 };
        let normal = right.scale(side);
        if p.camera.position.minus(self.at(side * self.profile[2].2, 0.0, 0.0)).dot(normal) <= 0.0 {
            return;
        }
        let q = self.profile;
        let back = self.heading.scale(-1.0);
        let falls = p.light.on(normal);
        let (low, high) = (self.varnish(p, normal, -0.2), self.varnish(p, normal, 0.45));
        let sky = p.light.sky;
        if glazed {
            let foot = self.at(side * q[3].2, q[3].1, q[3].0);
            let corners = [
                foot,
                self.at(side * q[4].2, q[4].1, q[4].0),
                self.at(side * q[5].2, q[5].1, q[5].0),
                self.at(side * q[6].2, q[6].1, q[6].0),
            ];
            let up = self.at(side * q[4].2, q[4].1, q[3].0).minus(foot);
            let tall = up.length();
            let van = self.kind == Kind::Van;
            p.polygon(&corners, foot, back, up.unit(), |u, v, fp| {
                let t = v / tall;
                let front = (q[4].0 - q[3].0) * t;
                let rear = q[6].0 - q[3].0 + (q[5].0 - q[6].0) * t;
                let rear = if van { rear.min(1.5) } else { rear - 0.16 };
                let pane = band(u, front + 0.1, rear, fp) * band(v, 0.0, tall - 0.1, fp);
                let pillar = band(u, 1.28, 1.37, fp).max(band(u, 2.2, 2.27, fp));
                let reflect = smoothstep(-0.2, 1.1, t + 0.15 * fract(u * 0.7));
                let glass = GLASS.plus(sky.scale(0.03 + 0.2 * reflect));
                let body = high.scale(0.85 + 0.15 * t);
                (body.mix(glass.mix(Rgb::grey(0.01), pillar), pane), 1.0)
            });
            return;
        }
        let corner = |i: usize| self.at(side * q[2].2, q[i].1, q[i].0);
        let corners = [corner(0), corner(1), corner(2), corner(3), corner(6), corner(7), corner(8)];
        let origin = self.at(side * q[2].2, 0.0, 0.0);
        let axles = self.axles();
        let arch = self.wheel_radius + 0.06;
        let (length, belt) = (self.size.x, q[3].1);
        let up = Vec3::new(0.0, 1.0, 0.0);
        let doors = [q[3].0 + 0.1, q[3].0 + 1.25, q[3].0 + 2.15];
        p.polygon(&corners, origin, back, up, |u, v, fp| {
            let d =
                axles.map(|z| ((u - z) * (u - z) + (v - arch + 0.04) * (v - arch + 0.04)).sqrt());
            let well = band(d[0].min(d[1]), -1.0, arch, fp);
            // the flank bulges: bright shoulder, crease, darker towards the sill
            let t = (v / belt).clamp(0.0, 1.0);
            let shoulder = smoothstep(0.45, 0.9, t);
            let mut c = low.mix(high, shoulder).scale(0.7 + 0.3 * smoothstep(0.25, 0.7, t));
            c = c.scale(1.0 + 0.16 * band(v, belt - 0.26, belt - 0.2, fp));
            c = c.mix(Rgb::grey(0.03).times(falls), 1.0 - smoothstep(0.28, 0.34, v));
            let seam = doors.iter().map(|&z| band(u, z, z + 0.014, fp)).fold(0.0, f32::max);
            c = c.scale(1.0 - 0.55 * seam * band(v, 0.32, 9.0, fp));
            let handle =
                band(u - doors[1] + 0.22, 0.0, 0.16, fp) * band(v, belt - 0.2, belt - 0.16, fp);
            c = c.mix(Rgb::grey(0.04), 0.7 * handle);
            let tail = band(length - u, 0.0, 0.22, fp) * band(v, belt - 0.28, belt - 0.05, fp);
            c = c.mix(Rgb::new(0.22, 0.012, 0.01).times(falls), tail);
            let lamp = band(u, 0.0, 0.3, fp) * band(v, 0.62, 0.76, fp);
            c = c.mix(Rgb::grey(0.3).times(falls), lamp);
            (c.mix(Rgb::grey(0.006), well), 1.0)
        });
    }

    /// Metres behind the front of the two axles.
    fn axles(&self) -> [f32; 2] {
        match self.kind {
            Kind::Car => [0.2 * self.size.x, 0.8 * self.size.x],
            Kind::Van => [0.17 * self.size.x, 0.78 * self.size.x],
            Kind::Lorry => [1.5, self.size.x - 2.6],
            Kind::Bus => [2.7, 8.7],
        }
    }

    fn paint_wheels(&self, p: &mut Painter<'_>) {
        let half = 0.5 * self.size.y;
        // belly in shade
        let size = (self.size.y - 0.2, 0.3, self.size.x - 0.5);
        let belly = Cuboid::new(self.base, self.right(), size.0, size.1, size.2);
        p.cuboid(&belly, |_, _, v, _| (Rgb::grey(0.008), smoothstep(0.1, 0.2, v)));
        let [front, rear] = self.axles();
        let [near, far] = if p.camera.position.minus(self.base).dot(self.heading) > 0.0 {
            [front, rear]
        } else {
            [rear, front]
        };
        for behind in [far, near] {
            for side in [-1.0, 1.0] {
                self.paint_wheel(p, side * half, behind, self.wheel_radius);
            }
        }
    }

    /// One wheel: tread seen from the end, disc seen from the side.
    fn paint_wheel(&self, p: &mut Painter<'_>, x: f32, behind: f32, radius: f32) {
        let right = self.right();
        let outer = x.signum();
        let falls = p.light.on(right.scale(outer));
        let middle = self.at(x - outer * 0.12, 0.0, behind);
        let tread = Cuboid::new(middle, right, 0.22, 1.6 * radius, 1.5 * radius);
        let ends = p.light.on(self.heading);
        p.cuboid(&tread, |f, _, v, _| {
            let lit =
                if matches!(f.side, Side::Front | Side::Back) { ends } else { Rgb::grey(0.0) };
            (TYRE.times(lit).scale(0.4 + v), 1.0)
        });
        let corner = self.at(x, 0.0, behind + radius);
        let edge_u = self.heading.scale(2.0 * radius);
        if p.camera.position.minus(corner).dot(right.scale(outer)) <= 0.0 {
            return;
        }
        let (spokes, silver) = (self.variant, Rgb::grey(0.28));
        p.quad(corner, edge_u, Vec3::new(0.0, 2.0 * radius, 0.0), |u, v, fp| {
            let (a, b) = (u - radius, v - radius);
            let d = (a * a + b * b).sqrt();
            let rim = 1.0 - smoothstep(0.64 * radius - 0.5 * fp, 0.64 * radius + 0.5 * fp, d);
            // five spokes from the sign of a cubic in the direction
            let (ca, cb) = (a / d.max(1e-3), b / d.max(1e-3));
            let five = ca * (16.0 * ca * ca * ca * ca - 20.0 * ca * ca + 5.0) + 0.2 * cb;
            let open = smoothstep(0.1, 0.5, five) * band(d, 0.2 * radius, 0.56 * radius, fp);
            let metal = silver.scale(0.5 + 0.6 * spokes).times(falls);
            let c = TYRE.times(falls).mix(metal.mix(Rgb::grey(0.01), open), rim);
            (c, band(d, -1.0, radius, fp))
        });
    }

    fn paint_lorry(&self, p: &mut Painter<'_>) {
        let right = self.right();
        let (length, width, height) = (self.size.x, self.size.y, self.size.z);
        let from_behind = p.camera.position.minus(self.base).dot(self.heading) < 0.0;
        let cab_colour = Rgb::srgb8(150, 152, 152).mix(self.colour, self.variant);
        let cab_height = 2.6 + 0.35 * self.variant;
        let cab = |p: &mut Painter<'_>| {
            let base = self.at(0.0, 0.55, 1.05);
            let cab = Cuboid::new(base, right, width - 0.06, cab_height, 2.1);
            let sky = p.light.sky;
            p.cuboid(&cab, |f, u, v, fp| {
                let mut c = cab_colour.times(f.light);
                let glass = GLASS.plus(sky.scale(0.05 + 0.12 * smoothstep(1.0, 2.2, v)));
                match f.side {
                    Side::Back => {
                        let pane = band(u, 0.12, f.width - 0.12, fp) * band(v, 1.1, 1.95, fp);
                        let grille = band(u, 0.4, f.width - 0.4, fp) * band(v, 0.35, 0.9, fp);
                        let lamp = band((u - 0.5 * f.width).abs(), 0.75, 1.1, fp)
                            * band(v, 0.05, 0.25, fp);
                        c = c
                            .mix(Rgb::grey(0.03), grille)
                            .mix(glass, pane)
                            .mix(Rgb::grey(0.6), lamp);
                    }
                    Side::Left | Side::Right => {
                        let along = if f.side == Side::Left { u } else { f.width - u };
                        let pane = band(along, 0.1, 1.05, fp) * band(v, 1.15, 1.9, fp);
                        c = c.mix(glass, pane).scale(1.0 - 0.5 * band(along, 1.2, 1.22, fp));
                    }
                    _ => {}
                }
                (c.scale(0.75 + 0.25 * smoothstep(0.0, 0.6, v)), 1.0)
            });
        };
        let body = |p: &mut Painter<'_>| {
            let deck = 1.0;
            let load = length - 2.5;
            let base = self.at(0.0, deck, 2.5 + 0.5 * load);
            let load_box = Cuboid::new(base, right, width, height - deck, load);
            let colour = self.colour;
            let stripes = self.variant;
            let night = if self.lamps { 0.2 + p.light.dusk } else { p.light.dusk };
            p.cuboid(&load_box, |f, u, v, fp| {
                let dirt = 1.0 - 0.35 * (1.0 - smoothstep(0.0, 1.2, v));
                let mut c = colour.times(f.light).scale(dirt);
                match f.side {
                    Side::Front => {
                        let middle = 0.5 * f.width;
                        let seam = band(u, middle - 0.02, middle + 0.02, fp);
                        let rods = [0.35, 0.9].map(|o| band((u - middle).abs(), o, o + 0.05, fp));
                        c = c
                            .scale(1.0 - 0.6 * seam)
                            .mix(Rgb::grey(0.3).times(f.light), rods[0].max(rods[1]));
                        let hinge = band(fract(v / 0.6) * 0.6, 0.0, 0.06, fp)
                            * band(u.min(f.width - u), 0.0, 0.18, fp);
                        let frame = 1.0
                            - band(u, 0.09, f.width - 0.09, fp)
                                * band(v, 0.12, f.height - 0.12, fp);
                        c = c.scale(1.0 - 0.35 * frame).scale(1.0 - 0.4 * hinge);
                    }
                    Side::Left | Side::Right => {
                        // buckles and folds of the curtain, or ribs of the box
                        let fold = if stripes < 0.5 { fract(u / 0.55) } else { fract(u / 1.2) };
                        c = c.scale(0.9 + 0.14 * smoothstep(0.0, 0.5, fold));
                        let rail =
                            band(v, f.height - 0.16, f.height, fp).max(band(v, 0.0, 0.12, fp));
                        c = c.mix(Rgb::grey(0.1).times(f.light), rail);
                    }
                    _ => {}
                }
                (c, 1.0)
            });
            self.paint_chassis(p, load, night);
        };
        let tyres = |p: &mut Painter<'_>| {
            for behind in [1.5, length - 4.2, length - 2.9, length - 1.6] {
                for x in [-0.5 * width + 0.05, 0.5 * width - 0.05] {
                    self.paint_wheel(p, x, behind, 0.5);
                }
            }
        };
        if from_behind {
            cab(p);
            tyres(p);
            body(p);
        } else {
            body(p);
            tyres(p);
            cab(p);
        }
    }

    /// Underride guard, lamps, mud flaps and the shadow between the wheels.
    fn paint_chassis(&self, p: &mut Painter<'_>, load: f32, night: f32) {
        let under = Cuboid::new(
            self.at(0.0, 0.42, 2.5 + 0.5 * load),
            self.right(),
            self.size.y - 0.1,
            0.58,
            load - 0.1,
        );
        p.cuboid(&under, |f, u, v, fp| {
            if f.side != Side::Front {
                return (Rgb::grey(0.02), 0.9);
            }
            let bar = band(v, 0.08, 0.22, fp);
            let lamp = band((u - 0.5 * f.width).abs(), 0.75, 1.12, fp) * band(v, 0.28, 0.42, fp);
            let plate =
                band(u, 0.5 * f.width - 0.26, 0.5 * f.width + 0.26, fp) * band(v, 0.3, 0.41, fp);
            let red = Rgb::new(0.25, 0.012, 0.01)
                .times(f.light)
                .plus(Rgb::new(0.5, 0.02, 0.01).scale(night));
            let c = Rgb::grey(0.012).mix(Rgb::grey(0.12).times(f.light), bar);
            (c.mix(red, lamp).mix(Rgb::grey(0.6).times(f.light), plate), 1.0)
        });
    }

    fn paint_bus(&self, p: &mut Painter<'_>) {
        self.paint_wheels(p);
        let body = Cuboid::new(
            self.base.plus(Vec3::new(0.0, 0.3, 0.0)),
            self.right(),
            self.size.y,
            self.size.z - 0.3,
            self.size.x,
        );
        let (colour, sky, dusk) = (self.colour, p.light.sky, p.light.dusk);
        p.cuboid(&body, |f, u, v, fp| {
            let mut c = colour.times(f.light).scale(0.75 + 0.25 * smoothstep(0.0, 0.5, v));
            let (low, high) =
                if matches!(f.side, Side::Left | Side::Right) { (0.85, 2.35) } else { (1.0, 2.2) };
            let pane = band(u, 0.15, f.width - 0.15, fp) * band(v, low, high, fp);
            let post = band(fract(u / 1.5) * 1.5, 0.0, 0.07, fp);
            let lit = Rgb::new(0.9, 0.85, 0.7).scale(0.35 * dusk);
            let glass = GLASS.plus(sky.scale(0.05 + 0.14 * smoothstep(low, high, v))).plus(lit);
            c = c.mix(glass.scale(1.0 - 0.7 * post), if f.side == Side::Top { 0.0 } else { pane });
            if f.side == Side::Front {
                let lamp = band((u - 0.5 * f.width).abs(), 1.0, 1.2, fp) * band(v, 0.5, 0.95, fp);
                c = c.mix(Rgb::new(0.24, 0.012, 0.01).times(f.light), lamp);
            }
            (c, 1.0)
        });
        for x in [-0.5, 0.5] {
            for behind in self.axles() {
                self.paint_wheel(p, x * self.size.y, behind, self.wheel_radius);
            }
        }
    }
}

/// Size, profile and wheel radius of a passenger car. The corners follow the outline from the lower front edge over
/// the roof to the lower rear edge.
fn car_profile(s: &mut Stream, variant: f32) -> (Vec3, [(f32, f32, f32); 9], f32) {
    let tall = if variant > 0.72 { s.range(0.12, 0.24) } else { 0.0 };
    let (length, roof) = match variant {
        v if v < 0.35 => (s.range(3.8, 4.3), s.range(1.46, 1.54)),
        v if v < 0.55 => (s.range(4.5, 4.8), s.range(1.42, 1.47)),
        _ => (s.range(4.45, 4.8), s.range(1.46, 1.52)),
    };
    let (roof, belt) = (roof + tall, 0.93 + 0.7 * tall);
    let half = 0.5 * s.range(1.76, 1.9);
    let top = half - s.range(0.22, 0.28);
    let cowl = 0.27 * length;
    let saloon = (0.35..0.55).contains(&variant);
    // metres from the rear end: foot and top of the rear window
    let (foot, crown) = if saloon { (0.5, 1.25) } else { (0.1, 0.1 + s.range(0.28, 0.55)) };
    let profile = [
        (0.12, 0.2 + tall * 0.5, half),
        (0.0, 0.5, half - 0.02),
        (0.08, 0.74 + 0.7 * tall, half),
        (cowl, belt, half),
        (cowl + s.range(0.75, 0.95), roof, top),
        (length - crown, roof - 0.05, top),
        (length - foot, belt + 0.02, half),
        (length, 0.56, half - 0.02),
        (length - 0.1, 0.22 + tall * 0.5, half),
    ];
    (Vec3::new(length, 2.0 * half, roof), profile, 0.31 + 0.2 * tall)
}

fn van_profile(s: &mut Stream) -> (Vec3, [(f32, f32, f32); 9], f32) {
    let (length, roof) = (s.range(5.0, 6.2), s.range(1.95, 2.6));
    let half = 0.98;
    let profile = [
        (0.1, 0.25, half),
        (0.0, 0.55, half - 0.02),
        (0.1, 0.95, half),
        (0.75, 1.18, half),
        (1.55, roof - 0.06, half - 0.12),
        (length - 0.14, roof, half - 0.12),
        (length - 0.03, 1.2, half),
        (length, 0.5, half - 0.01),
        (length - 0.06, 0.28, half),
    ];
    (Vec3::new(length, 2.0 * half, roof), profile, 0.34)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Canvas;
    use crate::environment::testing;
    use crate::geometry::Rotation;

    #[test]
    fn every_kind_paints_finite_light_from_every_side() {
        for kind in [Kind::Car, Kind::Van, Kind::Lorry, Kind::Bus] {
            for i in 0..16_u8 {
                let mut view = testing::view(u64::from(i));
                // looks a little down, at the vehicle
                view.camera.rotation = Rotation::from_angles(0.0, -0.12, 0.0);
                let mut canvas = Canvas::new(64, 64, Rgb::grey(0.3));
                let mut p = Painter::new(&mut canvas, &view, Rgb::grey(0.5), 500.0);
                let angle = f32::from(i) * 0.4;
                let heading = Vec3::new(crate::num::sin(angle), 0.0, crate::num::cos(angle));
                let mut s = Stream::new("vehicle-test", &[u64::from(i)]);
                let ahead = view.camera.rotation.forward;
                let base = Vec3::new(ahead.x, 0.0, ahead.z).unit().scale(2.0 + f32::from(i));
                let vehicle = Vehicle::new(&mut s, kind, base, heading);
                vehicle.paint_shadow(&mut p);
                vehicle.paint(&mut p);
                assert!(canvas.pixels.iter().all(|c| c.r.is_finite() && c.g >= 0.0 && c.b < 9.0));
                assert!(canvas.pixels.iter().any(|c| *c != Rgb::grey(0.3)), "{kind:?} {i}");
            }
        }
    }
}
