//! Wheels and the dark below the body.

use crate::canvas::Rgb;
use crate::environment::facade::band;
use crate::environment::painter::Painter;
use crate::environment::solids::{Cuboid, Side};
use crate::geometry::Vec3;
use crate::num::smoothstep;

use super::{TYRE, Vehicle};

impl Vehicle {
    pub(super) fn paint_wheels(&self, p: &mut Painter<'_>) {
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
    pub(super) fn paint_wheel(&self, p: &mut Painter<'_>, x: f32, behind: f32, radius: f32) {
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
}
