//! From the pose in the configuration to camera, lens, plate and road in the world.

use crate::config::{PoseConfig, REFERENCE_SIZE};
use crate::geometry::{Camera, Rotation, Vec3};
use crate::num::{atan2, cos, radians, sin_cos, tan};

/// Radial lens distortion: the ideal pinhole position of an output pixel at distance r from the
/// centre is `r * (1 + k1 * (r / r_corner)^2)`. Positive `k1` is barrel distortion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// Centre of the picture, pixels, both ways.
    pub centre: f32,
    /// Distance from the centre to the corner, pixels.
    pub corner: f32,
    /// Relative displacement at the corner.
    pub k1: f32,
}

impl Lens {
    /// The lens of a square picture.
    #[must_use]
    pub fn new(size: usize, k1: f32) -> Self {
        let centre = 0.5 * size as f32;
        Self { centre, corner: centre * core::f32::consts::SQRT_2, k1 }
    }

    /// Ideal pinhole position of an output position.
    #[must_use]
    #[inline]
    pub fn undistort(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = (x - self.centre, y - self.centre);
        let k = 1.0 + self.k1 * (dx * dx + dy * dy) / (self.corner * self.corner);
        (self.centre + dx * k, self.centre + dy * k)
    }

    /// Output position of an ideal position (fixed-point iteration; error below 0.01 pixels for
    /// |k1| up to 0.15 inside the frame).
    #[must_use]
    pub fn distort(&self, x: f32, y: f32) -> (f32, f32) {
        let (ix, iy) = (x - self.centre, y - self.centre);
        let (mut dx, mut dy) = (ix, iy);
        for _ in 0..8 {
            let r2 = ((dx * dx + dy * dy) / (self.corner * self.corner)).min(2.0);
            let k = (1.0 + self.k1 * r2).max(0.3);
            dx = ix / k;
            dy = iy / k;
        }
        (self.centre + dx, self.centre + dy)
    }
}

/// A flat plate in the world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlatePose {
    /// Centre of the front face.
    pub centre: Vec3,
    /// `right` and `up` span the face as a viewer in front of it sees them; `forward` points away
    /// from the viewer into the plate.
    pub rotation: Rotation,
}

impl PlatePose {
    /// Unit normal of the face, towards the viewer.
    #[must_use]
    #[inline]
    pub fn normal(&self) -> Vec3 {
        self.rotation.forward.scale(-1.0)
    }

    /// World position of a point of the face, or `behind_mm` behind it; millimetres right and up.
    #[must_use]
    pub fn world(&self, x_mm: f32, y_mm: f32, behind_mm: f32) -> Vec3 {
        let local = Vec3::new(x_mm, y_mm, behind_mm).scale(1e-3);
        self.centre.plus(self.rotation.apply(local))
    }
}

/// Maps ideal pixel positions to millimetres on a plane: a plane seen by a pinhole is a homography.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlaneMap {
    x: [f32; 3],
    y: [f32; 3],
    w: [f32; 3],
}

impl PlaneMap {
    /// The plane `behind_mm` behind a plate's face.
    #[must_use]
    pub fn new(camera: &Camera, plate: &PlatePose, behind_mm: f32) -> Self {
        let o = plate.rotation.inverse(camera.position.minus(plate.centre));
        let o = Vec3::new(o.x, o.y, o.z - 1e-3 * behind_mm);
        let inv_f = 1.0 / camera.focal_px;
        let dx = plate.rotation.inverse(camera.rotation.right.scale(inv_f));
        let dy = plate.rotation.inverse(camera.rotation.up.scale(-inv_f));
        let d0 = plate
            .rotation
            .inverse(camera.rotation.forward)
            .minus(dx.scale(camera.centre_x))
            .minus(dy.scale(camera.centre_y));
        // ray o + t d meets z = 0 at t = -o.z / d.z, so x = (o.x d.z - o.z d.x) / d.z
        let row =
            |pick: fn(Vec3) -> f32| [dx, dy, d0].map(|d| 1000.0 * (pick(o) * d.z - o.z * pick(d)));
        Self { x: row(|v| v.x), y: row(|v| v.y), w: [dx.z, dy.z, d0.z] }
    }

    /// Millimetres right and up of the plate's centre.
    #[must_use]
    #[inline]
    pub fn at(&self, px: f32, py: f32) -> (f32, f32) {
        let dot = |r: &[f32; 3]| r[0] * px + r[1] * py + r[2];
        let w = dot(&self.w);
        // nearly parallel rays meet the plane far away; keep them finite
        let inv = 1.0 / if w.abs() < 1e-7 { 1e-7 } else { w };
        (dot(&self.x) * inv, dot(&self.y) * inv)
    }
}

/// Everything geometric about a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScenePose {
    /// The ideal pinhole camera, in pixels of the output.
    pub camera: Camera,
    /// Its lens.
    pub lens: Lens,
    /// The sign.
    pub plate: PlatePose,
    /// See [`crate::environment::View::road_bearing`], radians.
    pub road_bearing: f32,
    /// See [`crate::environment::View::kerb_x`], metres.
    pub kerb_x: f32,
}

/// Lowest and highest optical centre above the ground, metres: a small car to a lorry's cab.
const CAMERA_HEIGHT_M: [f32; 2] = [1.05, 3.2];

impl ScenePose {
    /// Place camera and sign for a picture of `size` x `size` pixels.
    ///
    /// The sign stands straight ahead (world x = 0) at the configured distance and elevation; the
    /// camera turns away from it until it appears at the configured offset.
    #[must_use]
    pub fn new(pose: &PoseConfig, size: usize) -> Self {
        let side = size as f32;
        let focal_px = 0.5 * side / tan(radians(0.5 * pose.fov_deg));
        let (sin_pitch, cos_pitch) = sin_cos(radians(pose.pitch_deg));
        let (rise, ahead) = (pose.distance_m * sin_pitch, pose.distance_m * cos_pitch);
        // the elevation rules, so a camera that would be too low or too high lifts the sign with it
        let camera_height =
            (pose.sign_height_m - rise).clamp(CAMERA_HEIGHT_M[0], CAMERA_HEIGHT_M[1]);
        let centre = Vec3::new(0.0, camera_height + rise, ahead);
        // turn the offset back by the roll: what remains is yaw and pitch of the camera
        let (sin_roll, cos_roll) = sin_cos(radians(pose.roll_deg));
        let (ox, oy) = (pose.offset_x * side, -pose.offset_y * side);
        let (qx, qy) = (ox * cos_roll - oy * sin_roll, ox * sin_roll + oy * cos_roll);
        // Turning one way also moves the picture a little the other way, hence two corrections.
        let (mut aim_x, mut aim_y) = (qx, qy);
        let mut camera = Camera {
            position: Vec3::new(0.0, camera_height, 0.0),
            rotation: Rotation::from_angles(0.0, 0.0, 0.0),
            focal_px,
            centre_x: 0.5 * side,
            centre_y: 0.5 * side,
        };
        for _ in 0..3 {
            let elevation = radians(pose.pitch_deg) - atan2(aim_y, focal_px);
            let azimuth = -atan2(aim_x, focal_px * cos(elevation));
            camera.rotation = Rotation::from_angles(azimuth, elevation, 0.0);
            if let Some((x, y, _)) = camera.project(centre) {
                aim_x += qx - (x - camera.centre_x);
                aim_y += qy - (camera.centre_y - y);
            }
            camera.rotation = Rotation::from_angles(azimuth, elevation, radians(pose.roll_deg));
        }
        let plate = PlatePose {
            centre,
            rotation: Rotation::from_angles(
                radians(pose.yaw_deg),
                radians(pose.plate_tilt_deg),
                radians(pose.plate_lean_deg),
            ),
        };
        let road_bearing = radians((pose.yaw_deg + pose.road_skew_deg).clamp(-60.0, 60.0));
        // the carriageway's edge passes the sign at the gap and is followed back to z = 0
        let kerb_x = -ahead * tan(road_bearing) - pose.kerb_gap_m / cos(road_bearing);
        Self { camera, lens: Lens::new(size, pose.distortion_k1), plate, road_bearing, kerb_x }
    }

    /// Output pixel of a point in the world; `None` behind the camera.
    #[must_use]
    pub fn pixel(&self, p: Vec3) -> Option<(f32, f32)> {
        let (x, y, _) = self.camera.project(p)?;
        Some(self.lens.distort(x, y))
    }

    /// Size of the output relative to the reference size.
    #[must_use]
    pub fn scale(&self) -> f32 {
        2.0 * self.lens.centre / REFERENCE_SIZE as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::HIGH;
    use crate::config::{Identity, SceneConfig, Split};
    use crate::environment::Environment;

    fn poses() -> impl Iterator<Item = (PoseConfig, ScenePose)> {
        (0..300).map(|index| {
            let id = Identity { split: Split::Train, class: 1, index };
            let config = SceneConfig::draw(id, &HIGH, Environment::Coast);
            (config.pose, ScenePose::new(&config.pose, 224))
        })
    }

    #[test]
    fn the_sign_appears_where_and_as_large_as_asked() {
        for (config, pose) in poses() {
            let (x, y, _) = pose.camera.project(pose.plate.centre).unwrap();
            let want = (224.0 * (0.5 + config.offset_x), 224.0 * (0.5 + config.offset_y));
            assert!((x - want.0).abs() < 2.0 && (y - want.1).abs() < 2.0, "{x} {y} {want:?}");
            let d = pose.plate.centre.minus(pose.camera.position).length();
            assert!((d - config.distance_m).abs() < 1e-3);
            assert!((pose.camera.focal_px / d - config.pixels_per_metre).abs() < 0.1);
        }
    }

    #[test]
    fn plane_map_inverts_the_projection_and_the_lens_inverts_itself() {
        for (_, pose) in poses() {
            let map = PlaneMap::new(&pose.camera, &pose.plate, 0.0);
            let back = PlaneMap::new(&pose.camera, &pose.plate, 15.0);
            for (x, y) in [(0.0, 0.0), (-200.0, 100.0), (150.0, -250.0)] {
                for (m, behind) in [(map, 0.0), (back, 15.0)] {
                    let world = pose.plate.world(x, y, behind);
                    let (px, py, _) = pose.camera.project(world).unwrap();
                    let (ox, oy) = pose.lens.distort(px, py);
                    let (ux, uy) = pose.lens.undistort(ox, oy);
                    assert!((ux - px).abs() < 0.01 && (uy - py).abs() < 0.01);
                    let (gx, gy) = m.at(px, py);
                    assert!((gx - x).abs() < 0.1 && (gy - y).abs() < 0.1, "{gx} {gy}");
                }
            }
        }
    }

    #[test]
    fn the_kerb_passes_left_of_the_sign() {
        for (config, pose) in poses() {
            let foot = pose.plate.centre;
            let at_sign = pose.kerb_x + foot.z * tan(pose.road_bearing);
            let gap = (foot.x - at_sign) * cos(pose.road_bearing);
            assert!((gap - config.kerb_gap_m).abs() < 1e-3, "{gap}");
        }
    }
}
