//! Bodies of lorries and buses: boxes.

use crate::canvas::Rgb;
use crate::environment::facade::band;
use crate::environment::painter::Painter;
use crate::environment::solids::{Cuboid, Side};
use crate::environment::tile::fract;
use crate::geometry::Vec3;
use crate::num::smoothstep;

use super::{GLASS, Vehicle};

impl Vehicle {
    pub(super) fn paint_lorry(&self, p: &mut Painter<'_>) {
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

    pub(super) fn paint_bus(&self, p: &mut Painter<'_>) {
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
