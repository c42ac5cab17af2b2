//! Boxes, billboards and cylinders, each a few polygons of the painter.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::sin_cos;

use super::painter::Painter;

/// A box that stands upright, turned about the vertical.
#[derive(Clone, Copy, Debug)]
pub struct Cuboid {
    /// Centre of the bottom face.
    pub base: Vec3,
    /// Unit vector along the width, horizontal.
    pub right: Vec3,
    /// Width (along `right`), height, depth (along the horizontal normal to `right`), metres.
    pub size: Vec3,
}

/// Sides of a [`Cuboid`] seen with `right` to the right: the front looks against its depth axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Towards the viewer who sees `right` on the right.
    Front,
    /// Opposite of the front.
    Back,
    /// At the end of the width axis.
    Right,
    /// At the start of the width axis.
    Left,
    /// Upper face.
    Top,
}

/// A face while it is shaded.
#[derive(Clone, Copy, Debug)]
pub struct Face {
    /// Which one.
    pub side: Side,
    /// Outward unit normal.
    pub normal: Vec3,
    /// Light that falls onto it.
    pub light: Rgb,
    /// Extent along u, metres.
    pub width: f32,
    /// Extent along v, metres.
    pub height: f32,
}

impl Cuboid {
    /// A box on a base point, its width axis along `right`.
    #[must_use]
    pub fn new(base: Vec3, right: Vec3, width: f32, height: f32, depth: f32) -> Self {
        Self { base, right: right.unit(), size: Vec3::new(width, height, depth) }
    }

    /// Unit vector along the depth, away from a viewer who sees `right` on the right.
    #[must_use]
    pub fn inward(&self) -> Vec3 {
        Vec3::new(-self.right.z, 0.0, self.right.x)
    }

    /// World position of a point given by x in -0.5..0.5 of the width, y metres above the base and z in
    /// -0.5..0.5 of the depth (-0.5 is the front).
    #[must_use]
    pub fn point(&self, x: f32, y: f32, z: f32) -> Vec3 {
        self.base
            .plus(self.right.scale(x * self.size.x))
            .plus(self.inward().scale(z * self.size.z))
            .plus(Vec3::new(0.0, y, 0.0))
    }
}

impl Painter<'_> {
    /// Paint the visible faces of a box. `shade(face, u, v, footprint)` takes metres from the lower
    /// left corner of the face as seen from outside and returns outgoing light and opacity.
    pub fn cuboid(
        &mut self,
        cuboid: &Cuboid,
        mut shade: impl FnMut(&Face, f32, f32, f32) -> (Rgb, f32),
    ) {
        let (w, h, d) = (cuboid.size.x, cuboid.size.y, cuboid.size.z);
        let (right, inward, up) = (cuboid.right, cuboid.inward(), Vec3::new(0.0, 1.0, 0.0));
        let faces = [
            (Side::Back, inward, (0.5, 0.0, 0.5), right.scale(-w), up.scale(h)),
            (Side::Left, right.scale(-1.0), (-0.5, 0.0, 0.5), inward.scale(-d), up.scale(h)),
            (Side::Right, right, (0.5, 0.0, -0.5), inward.scale(d), up.scale(h)),
            (Side::Front, inward.scale(-1.0), (-0.5, 0.0, -0.5), right.scale(w), up.scale(h)),
            (Side::Top, up, (-0.5, h, -0.5), right.scale(w), inward.scale(d)),
        ];
        for (side, normal, (x, y, z), edge_u, edge_v) in faces {
            let corner = cuboid.point(x, y, z);
            if self.camera.position.minus(corner).dot(normal) <= 0.0 {
                continue;
            }
            let face = Face {
                side,
                normal,
                light: self.light.on(normal),
                width: edge_u.length(),
                height: edge_v.length(),
            };
            self.quad(corner, edge_u, edge_v, |u, v, footprint| shade(&face, u, v, footprint));
        }
    }

    /// Paint an upright rectangle that faces the camera, its bottom edge centred on `base`.
    /// `shade(u, v, footprint)`: u from -width/2 to width/2, v from 0 to height, metres.
    pub fn billboard(
        &mut self,
        base: Vec3,
        width: f32,
        height: f32,
        mut shade: impl FnMut(f32, f32, f32) -> (Rgb, f32),
    ) {
        let right = self.facing_right(base);
        let corner = base.minus(right.scale(0.5 * width));
        let up = Vec3::new(0.0, height, 0.0);
        self.quad(corner, right.scale(width), up, |u, v, footprint| {
            shade(u - 0.5 * width, v, footprint)
        });
    }

    /// Paint an upright cylinder or cone. `shade(s, v, footprint, light)`: s from -1 (left silhouette)
    /// to 1, v metres above the base; `light` is what falls onto the surface there.
    pub fn cylinder(
        &mut self,
        base: Vec3,
        height: f32,
        bottom_radius: f32,
        top_radius: f32,
        mut shade: impl FnMut(f32, f32, f32, Rgb) -> Rgb,
    ) {
        let right = self.facing_right(base);
        let toward = Vec3::new(right.z, 0.0, -right.x);
        let light = self.light;
        let lean = (bottom_radius - top_radius) / height.max(1e-3);
        // light over 16 strips of the round surface, interpolated
        let mut strips = [Rgb::default(); 17];
        for (i, strip) in strips.iter_mut().enumerate() {
            let s = i as f32 / 8.0 - 1.0;
            let front = (1.0 - s * s).max(0.0).sqrt();
            let normal = right.scale(s).plus(toward.scale(front)).plus(Vec3::new(0.0, lean, 0.0));
            *strip = light.on(normal.unit());
        }
        let widest = bottom_radius.max(top_radius);
        self.billboard(base, 2.0 * widest, height, |u, v, footprint| {
            let radius = bottom_radius + (top_radius - bottom_radius) * (v / height);
            let s = u / radius.max(1e-4);
            let inside = ((radius - u.abs()) / footprint + 0.5).clamp(0.0, 1.0);
            if inside <= 0.0 {
                return (Rgb::default(), 0.0);
            }
            let position = (s.clamp(-1.0, 1.0) + 1.0) * 8.0;
            let index = strip_index(position);
            let lit = strips[index].mix(strips[index + 1], position - index as f32);
            (shade(s.clamp(-1.0, 1.0), v, footprint, lit), inside)
        });
    }

    /// Unit horizontal vector to the right as seen by a viewer who looks at the point.
    #[must_use]
    pub fn facing_right(&self, point: Vec3) -> Vec3 {
        let d = point.minus(self.camera.position);
        let length = (d.x * d.x + d.z * d.z).sqrt();
        if length < 1e-3 { self.level_right() } else { Vec3::new(d.z / length, 0.0, -d.x / length) }
    }
}

/// Strip that a position in [0, 16] falls into.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in [0, 16]")]
fn strip_index(position: f32) -> usize {
    (position as usize).min(15)
}

/// Unit horizontal vector at an angle from the world's x axis, radians, turning towards z.
#[must_use]
pub fn level_direction(angle: f32) -> Vec3 {
    let (s, c) = sin_cos(angle);
    Vec3::new(c, 0.0, s)
}
