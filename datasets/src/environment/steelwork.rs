//! Prisms, lattice girders and containers: the stock from which machines, cranes and plants are put together.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;

use super::facade::band;
use super::painter::Painter;
use super::solids::{Cuboid, Side};
use super::tile::{Field, Pattern, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// A convex outline in an upright plane, swept sideways.
#[derive(Clone, Copy, Debug)]
pub struct Prism<'a> {
    /// Where the outline's (0, 0) lies, in the middle of the thickness.
    pub base: Vec3,
    /// Unit vector of the outline's x, level.
    pub along: Vec3,
    /// Corners (x along, y up), metres, counter-clockwise.
    pub outline: &'a [(f32, f32)],
    /// Thickness, metres.
    pub thickness: f32,
}

/// Which face of a [`Prism`] is shaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    /// The outline itself: (u, v) are its (x, y).
    Cap,
    /// The face from one corner to the next: u along the edge, v across the thickness.
    Edge(usize),
}

impl Painter<'_> {
    /// Paint the visible faces of a prism. `shade(facet, light, u, v, footprint)` returns outgoing light and opacity.
    pub fn prism(
        &mut self,
        prism: &Prism<'_>,
        mut shade: impl FnMut(Facet, Rgb, f32, f32, f32) -> (Rgb, f32),
    ) {
        let along = prism.along;
        let side = Vec3::new(along.z, 0.0, -along.x);
        let eye = self.camera.position;
        let at = |(x, y): (f32, f32), z: f32| {
            prism.base.plus(along.scale(x)).plus(UP.scale(y)).plus(side.scale(z))
        };
        let half = 0.5 * prism.thickness;
        let count = prism.outline.len();
        for i in 0..count {
            let (a, b) = (prism.outline[i], prism.outline[(i + 1) % count]);
            let normal = along.scale(b.1 - a.1).minus(UP.scale(b.0 - a.0));
            if normal.length() < 1e-4 {
                continue;
            }
            let normal = normal.unit();
            let corner = at(a, -half);
            if eye.minus(corner).dot(normal) > 0.0 {
                let light = self.light.on(normal);
                let edge = at(b, -half).minus(corner);
                self.quad(corner, edge, side.scale(prism.thickness), |u, v, fp| {
                    shade(Facet::Edge(i), light, u, v, fp)
                });
            }
        }
        let toward = if eye.minus(prism.base).dot(side) > 0.0 { 1.0 } else { -1.0 };
        if eye.minus(at((0.0, 0.0), toward * half)).dot(side.scale(toward)) <= 0.0 {
            return;
        }
        let light = self.light.on(side.scale(toward));
        let mut corners = [Vec3::new(0.0, 0.0, 0.0); 12];
        let count = count.min(12);
        for (corner, &point) in corners.iter_mut().zip(prism.outline) {
            *corner = at(point, toward * half);
        }
        let origin = at((0.0, 0.0), toward * half);
        self.polygon(&corners[..count], origin, along, UP, |u, v, fp| {
            shade(Facet::Cap, light, u, v, fp)
        });
    }

    /// A lattice girder of square section: four chords, struts and diagonals on all four sides.
    /// `across` is a vector across the girder from axis to chord plane, its length half the width.
    pub fn girder(&mut self, from: Vec3, to: Vec3, across: Vec3, radius: f32, albedo: Rgb) {
        let axis = to.minus(from);
        let half = across.length();
        let other = axis.unit().cross(across.unit()).scale(half);
        let corner = |t: f32, i: usize| {
            let (a, b) = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)][i % 4];
            from.plus(axis.scale(t)).plus(across.scale(a)).plus(other.scale(b))
        };
        let panels = (axis.length() / (2.0 * half)).max(1.0).floor();
        // where a bar is thinner than half a pixel the diagonals merge: leave out every other side
        let far =
            self.camera.position.minus(from).length().min(self.camera.position.minus(to).length());
        let sides: &[usize] =
            if self.pixel_metres(far) > 1.2 * radius { &[0, 1] } else { &[0, 1, 2, 3] };
        for &i in sides {
            let mut k = 0.0;
            while k < panels {
                let (t0, t1) = (k / panels, (k + 1.0) / panels);
                let (a, b) = if fract(0.5 * k) < 0.25 { (i, i + 1) } else { (i + 1, i) };
                self.pole(corner(t0, a), corner(t1, b), 0.55 * radius, 0.55 * radius, albedo);
                self.pole(corner(t0, i), corner(t0, i + 1), 0.5 * radius, 0.5 * radius, albedo);
                k += 1.0;
            }
        }
        for i in 0..4 {
            self.pole(corner(0.0, i), corner(1.0, i), radius, radius, albedo);
        }
    }

    /// A steel container: corrugated sides, frame, doors with locking bars at its ends.
    pub fn container(&mut self, body: &Cuboid, paint: Rgb, seed: u64) {
        let stain = Field::new(Pattern::Fractal, seed, 9.0);
        let rust = Field::new(Pattern::Fractal, seed ^ 1, 4.0);
        self.cuboid(body, |face, u, v, fp| {
            let (w, h) = (face.width, face.height);
            let frame = 1.0 - band(u, 0.13, w - 0.13, fp) * band(v, 0.14, h - 0.11, fp);
            let dirt = 1.0 + 0.35 * stain.signed(u, 0.4 * v, fp);
            let mut k = dirt;
            match face.side {
                Side::Top => k *= 0.9,
                Side::Left | Side::Right => {
                    let bar = band(fract(u / (0.25 * w) + 0.5) * 0.25 * w, 0.0, 0.045, fp);
                    let gap = band(u, 0.5 * w - 0.015, 0.5 * w + 0.015, fp);
                    k *= 1.0 + 0.3 * bar - 0.6 * gap;
                }
                Side::Front | Side::Back => {
                    let t = fract(u / 0.28);
                    let fade = 1.0 - smoothstep(0.08, 0.2, fp);
                    let wave = if t < 0.3 {
                        0.16
                    } else if t < 0.5 {
                        -0.3
                    } else if t < 0.8 {
                        -0.06
                    } else {
                        0.05
                    };
                    k *= 1.0 + wave * fade * (1.0 - frame);
                }
            }
            k *= 1.0 - 0.12 * frame;
            let rusty = smoothstep(0.8, 0.98, rust.at(u, 0.5 * v, fp) + 0.12 * frame);
            let c = paint.scale(k).mix(Rgb::srgb8(112, 66, 42), 0.45 * rusty);
            (c.times(face.light).scale(0.75 + 0.25 * smoothstep(0.0, 0.5, v)), 1.0)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Canvas;
    use crate::environment::testing;

    #[test]
    fn a_prism_is_closed_and_equals_the_box_of_the_same_size() {
        let view = testing::view(3);
        let paint = |prism: bool| {
            let mut canvas = Canvas::new(64, 64, Rgb::default());
            let mut p = Painter::new(&mut canvas, &view, Rgb::default(), 1e9);
            let centre = p.camera.position.plus(p.camera.rotation.forward.scale(14.0));
            // below the eye: a box has no underside, a prism has one
            let base = Vec3::new(centre.x, 0.0, centre.z);
            let along = Vec3::new(0.8, 0.0, 0.6);
            if prism {
                let outline = [(-1.5, 0.0), (1.5, 0.0), (1.5, 3.0), (-1.5, 3.0)];
                let prism = Prism { base, along, outline: &outline, thickness: 2.0 };
                p.prism(&prism, |_, light, _, _, _| (light, 1.0));
            } else {
                let body = Cuboid::new(base, along, 3.0, 3.0, 2.0);
                p.cuboid(&body, |face, _, _, _| (face.light, 1.0));
            }
            canvas.pixels
        };
        let (a, b) = (paint(true), paint(false));
        let differing = a.iter().zip(&b).filter(|(a, b)| (a.r - b.r).abs() > 1e-3).count();
        assert!(b.iter().filter(|p| p.r > 0.0).count() > 100);
        assert!(differing < 12, "{differing}");
    }
}
