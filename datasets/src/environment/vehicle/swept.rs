//! Bodies of cars and vans: the side profile swept across the width.

use crate::canvas::Rgb;
use crate::environment::facade::band;
use crate::environment::painter::Painter;
use crate::environment::tile::fract;
use crate::geometry::Vec3;
use crate::num::smoothstep;

use super::{GLASS, Kind, Vehicle};

impl Vehicle {
    pub(super) fn paint_swept(&self, p: &mut Painter<'_>) {
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
}
