//! Thin things drawn with coverage: wires, poles, branches, rails.
//!
//! A stroke is a segment between two world points with a radius at each end. Where it is thinner than
//! a pixel it keeps a pixel's width and loses opacity instead, so a wire fades with distance and never
//! breaks into dots.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel coordinates are clamped to the canvas before the cast"
)]

use crate::canvas::Rgb;
use crate::geometry::Vec3;

use super::painter::Painter;

const NEAR_METRES: f32 = 0.15;

impl Painter<'_> {
    /// Paint a straight round rod of one surface colour, lit as a cylinder.
    pub fn pole(&mut self, from: Vec3, to: Vec3, from_radius: f32, to_radius: f32, albedo: Rgb) {
        let axis = to.minus(from).unit();
        let middle = from.plus(to).scale(0.5);
        let toward = self.camera.position.minus(middle);
        let toward = toward.minus(axis.scale(toward.dot(axis))).unit();
        let side = toward.cross(axis);
        let light = self.light;
        let lit = |s: f32, front: f32| {
            albedo.times(light.on(side.scale(s).plus(toward.scale(front)).unit()))
        };
        let shades =
            [lit(-0.9, 0.3), lit(-0.5, 0.85), lit(0.0, 1.0), lit(0.5, 0.85), lit(0.9, 0.3)];
        self.stroke(from, to, from_radius, to_radius, |s, _| {
            let position = (s + 1.0) * 2.0;
            let index = (position as usize).min(3);
            shades[index].mix(shades[index + 1], position - index as f32)
        });
    }

    /// Paint a hanging wire: `sag` metres below the straight line in the middle.
    pub fn wire(&mut self, from: Vec3, to: Vec3, sag: f32, radius: f32, colour: Rgb) {
        const PIECES: u8 = 12;
        let at = |i: u8| {
            let t = f32::from(i) / f32::from(PIECES);
            let drop = 4.0 * sag * t * (1.0 - t);
            from.plus(to.minus(from).scale(t)).minus(Vec3::new(0.0, drop, 0.0))
        };
        for i in 0..PIECES {
            self.stroke(at(i), at(i + 1), radius, radius, |_, _| colour);
        }
    }

    /// Paint a segment with a radius at each end, metres. `shade(s, t)`: s from -1 to 1 across (positive
    /// to the right of the direction from `from` to `to` as seen on the picture), t from 0 to 1 along;
    /// returns outgoing light.
    pub fn stroke(
        &mut self,
        from: Vec3,
        to: Vec3,
        from_radius: f32,
        to_radius: f32,
        mut shade: impl FnMut(f32, f32) -> Rgb,
    ) {
        let camera = self.camera;
        let mut a = camera.rotation.inverse(from.minus(camera.position));
        let mut b = camera.rotation.inverse(to.minus(camera.position));
        if a.z < NEAR_METRES && b.z < NEAR_METRES {
            return;
        }
        // cut at the near plane; the radius at the cut differs little
        if a.z < NEAR_METRES {
            a = b.plus(a.minus(b).scale((b.z - NEAR_METRES) / (b.z - a.z)));
        } else if b.z < NEAR_METRES {
            b = a.plus(b.minus(a).scale((a.z - NEAR_METRES) / (a.z - b.z)));
        }
        let (za, zb) = (a.z.max(NEAR_METRES), b.z.max(NEAR_METRES));
        let project = |v: Vec3, z: f32| {
            let k = camera.focal_px / z;
            (camera.centre_x + v.x * k, camera.centre_y - v.y * k, k)
        };
        let (ax, ay, ka) = project(a, za);
        let (bx, by, kb) = project(b, zb);
        let (ra, rb) = (from_radius * ka, to_radius * kb);
        let (dx, dy) = (bx - ax, by - ay);
        let length = (dx * dx + dy * dy).sqrt();
        if length < 1e-3 {
            return;
        }
        let (ux, uy) = (dx / length, dy / length);
        let reach = ra.max(rb).max(0.5) + 1.0;
        let (width, height) = (self.canvas.width as f32, self.canvas.height as f32);
        let steep = dy.abs() > dx.abs();
        // march along the longer axis; on each step visit the few pixels across
        let (m0, m1, n0, slope, m_limit, n_limit) = if steep {
            (ay, by, ax, dx / dy, height, width)
        } else {
            (ax, bx, ay, dy / dx, width, height)
        };
        let across_reach = reach * (1.0 + slope * slope).sqrt();
        let first = (m0.min(m1) - 0.5).clamp(0.0, m_limit);
        let last = (m0.max(m1) + 0.5).clamp(0.0, m_limit);
        let Self { canvas, layers, haze, haze_metres, .. } = self;
        let (haze, haze_metres) = (*haze, *haze_metres);
        for m in first as usize..(last + 0.999) as usize {
            if m as f32 >= m_limit {
                break;
            }
            let mc = m as f32 + 0.5;
            let centre = n0 + (mc - m0) * slope;
            let low = (centre - across_reach).clamp(0.0, n_limit);
            let high = (centre + across_reach + 1.0).clamp(0.0, n_limit);
            for n in low as usize..high as usize {
                let nc = n as f32 + 0.5;
                let (x, y, px, py) = if steep { (n, m, nc, mc) } else { (m, n, mc, nc) };
                let index = y * canvas.width + x;
                if layers.hides(index) {
                    continue;
                }
                let (ex, ey) = (px - ax, py - ay);
                let along = ex * ux + ey * uy;
                // half a pixel of overlap joins the pieces of a chain
                let end = (along + 0.5).min(length - along + 0.5).clamp(0.0, 1.0);
                let t = (along / length).clamp(0.0, 1.0);
                let radius = ra + (rb - ra) * t;
                let across = ey * ux - ex * uy;
                let wide = radius.max(0.5);
                let cover = (wide + 0.5 - across.abs()).clamp(0.0, 1.0) * (radius / wide) * end;
                if cover > 0.003 {
                    let depth = za + (zb - za) * t;
                    let s = (across / wide).clamp(-1.0, 1.0);
                    let colour = shade(s, t).mix(haze, depth / (depth + haze_metres));
                    layers.over(index, &mut canvas.pixels[index], colour, cover);
                }
            }
        }
    }
}
