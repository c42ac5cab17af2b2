//! Vectors, rotations and the pinhole camera.
//!
//! World: metres; x right, y up, z forward; the origin lies on the ground below the camera, which
//! looks along +z before its own pitch, yaw and roll. Pixels: x right, y down, pixel centres at .5.

use crate::num::sin_cos;

/// A point or direction in the world, metres.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Vec3 {
    /// Right.
    pub x: f32,
    /// Up.
    pub y: f32,
    /// Forward.
    pub z: f32,
}

impl Vec3 {
    /// A vector from its components.
    #[must_use]
    #[inline]
    pub const fn new(x: f32, y: f32, z: f32) -> Self {
        Self { x, y, z }
    }

    /// Sum.
    #[must_use]
    #[inline]
    pub fn plus(self, o: Self) -> Self {
        Self::new(self.x + o.x, self.y + o.y, self.z + o.z)
    }

    /// Difference.
    #[must_use]
    #[inline]
    pub fn minus(self, o: Self) -> Self {
        Self::new(self.x - o.x, self.y - o.y, self.z - o.z)
    }

    /// Multiple.
    #[must_use]
    #[inline]
    pub fn scale(self, k: f32) -> Self {
        Self::new(self.x * k, self.y * k, self.z * k)
    }

    /// Scalar product.
    #[must_use]
    #[inline]
    pub fn dot(self, o: Self) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    /// Vector product.
    #[must_use]
    #[inline]
    pub fn cross(self, o: Self) -> Self {
        Self::new(
            self.y * o.z - self.z * o.y,
            self.z * o.x - self.x * o.z,
            self.x * o.y - self.y * o.x,
        )
    }

    /// Length.
    #[must_use]
    #[inline]
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The unit vector of the same direction; the vector itself if it has no length.
    #[must_use]
    #[inline]
    pub fn unit(self) -> Self {
        let l = self.length();
        if l > 0.0 { self.scale(1.0 / l) } else { self }
    }
}

/// An orthonormal frame; maps local coordinates to the world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotation {
    /// Image of the local x axis.
    pub right: Vec3,
    /// Image of the local y axis.
    pub up: Vec3,
    /// Image of the local z axis.
    pub forward: Vec3,
}

impl Rotation {
    /// Roll about z, then pitch about x (positive looks up), then yaw about y (positive looks right); radians.
    #[must_use]
    #[inline]
    pub fn from_angles(yaw: f32, pitch: f32, roll: f32) -> Self {
        let ((sy, cy), (sp, cp), (sr, cr)) = (sin_cos(yaw), sin_cos(pitch), sin_cos(roll));
        let forward = Vec3::new(sy * cp, sp, cy * cp);
        let right0 = Vec3::new(cy, 0.0, -sy);
        let up0 = forward.cross(right0);
        let right = right0.scale(cr).plus(up0.scale(sr));
        let up = up0.scale(cr).minus(right0.scale(sr));
        Self { right, up, forward }
    }

    /// Local to world.
    #[must_use]
    #[inline]
    pub fn apply(&self, v: Vec3) -> Vec3 {
        self.right.scale(v.x).plus(self.up.scale(v.y)).plus(self.forward.scale(v.z))
    }

    /// World to local.
    #[must_use]
    #[inline]
    pub fn inverse(&self, v: Vec3) -> Vec3 {
        Vec3::new(v.dot(self.right), v.dot(self.up), v.dot(self.forward))
    }
}

/// An ideal pinhole camera (lens distortion is applied where a finished background is sampled).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Optical centre.
    pub position: Vec3,
    /// Orientation; `forward` is the optical axis.
    pub rotation: Rotation,
    /// Focal length in pixels of the picture that this camera paints.
    pub focal_px: f32,
    /// Principal point, pixels from the left.
    pub centre_x: f32,
    /// Principal point, pixels from the top.
    pub centre_y: f32,
}

impl Camera {
    /// Pixel position and depth in metres along the optical axis; `None` nearer than 5 cm or behind.
    #[must_use]
    #[inline]
    pub fn project(&self, p: Vec3) -> Option<(f32, f32, f32)> {
        let v = self.rotation.inverse(p.minus(self.position));
        if v.z < 0.05 {
            return None;
        }
        let k = self.focal_px / v.z;
        Some((self.centre_x + v.x * k, self.centre_y - v.y * k, v.z))
    }

    /// Unit direction in the world of the ray through a pixel position.
    #[must_use]
    #[inline]
    pub fn ray(&self, x: f32, y: f32) -> Vec3 {
        let local = Vec3::new(
            (x - self.centre_x) / self.focal_px,
            (self.centre_y - y) / self.focal_px,
            1.0,
        );
        self.rotation.apply(local).unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ray_through_a_projected_point_meets_that_point() {
        let camera = Camera {
            position: Vec3::new(0.0, 1.6, 0.0),
            rotation: Rotation::from_angles(0.3, -0.1, 0.05),
            focal_px: 400.0,
            centre_x: 112.0,
            centre_y: 112.0,
        };
        let p = Vec3::new(2.0, 3.0, 9.0);
        let (x, y, depth) = camera.project(p).unwrap();
        let to_p = p.minus(camera.position);
        assert!(camera.ray(x, y).cross(to_p.unit()).length() < 1e-5);
        assert!((depth - to_p.dot(camera.rotation.forward)).abs() < 1e-5);
        // yaw looks right, pitch looks up
        assert!(Rotation::from_angles(0.2, 0.0, 0.0).forward.x > 0.0);
        assert!(Rotation::from_angles(0.0, 0.2, 0.0).forward.y > 0.0);
    }
}
