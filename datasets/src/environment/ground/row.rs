//! The ground along one row of pixels, number by number instead of pixel by pixel: that is arithmetic
//! that processors do for several pixels at a time.

use crate::geometry::{Camera, Vec3};

use super::{Road, Spot};

/// A camera above the ground, as the rays of its pixels need it.
#[derive(Debug)]
pub(super) struct Rays {
    camera: Camera,
    /// Height of the camera, metres.
    height: f32,
    /// How a ray changes from a pixel to the next on the right.
    step: Vec3,
    road: Road,
    /// Position of the camera in the road frame, metres.
    across: f32,
    along: f32,
    /// Distance at which half of the light is replaced by haze, metres.
    haze_metres: f32,
    /// Columns as numbers.
    columns: Vec<f32>,
}

impl Rays {
    pub(super) fn new(camera: Camera, road: Road, haze_metres: f32, width: usize) -> Self {
        let flat = Vec3::new(camera.position.x, 0.0, camera.position.z);
        let d = flat.minus(road.world(0.0, 0.0, 0.0));
        Self {
            camera,
            height: camera.position.y.max(0.05),
            step: camera.rotation.right.scale(1.0 / camera.focal_px),
            road,
            across: d.dot(road.right()),
            along: d.dot(road.ahead()),
            haze_metres,
            columns: (0..width).map(|x| x as f32).collect(),
        }
    }
}

/// Where the rays of a row of pixels meet the ground.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// How steeply each ray falls.
    fall: Vec<f32>,
    depth: Vec<f32>,
    air: Vec<f32>,
    across: Vec<f32>,
    along: Vec<f32>,
    px_across: Vec<f32>,
    px_along: Vec<f32>,
    footprint: Vec<f32>,
}

impl Row {
    /// Trace row `y`. Where a ray does not fall the numbers mean nothing.
    pub(super) fn trace(&mut self, rays: &Rays, y: usize) {
        let Rays { camera, height, step, road, haze_metres, columns, .. } = rays;
        let focal = camera.focal_px;
        let rotation = camera.rotation;
        let start = rotation
            .forward
            .plus(rotation.up.scale((camera.centre_y - y as f32 - 0.5) / focal))
            .plus(rotation.right.scale((0.5 - camera.centre_x) / focal));
        let (ahead, right) = (road.ahead(), road.right());
        let width = columns.len();
        for list in [
            &mut self.fall,
            &mut self.depth,
            &mut self.air,
            &mut self.across,
            &mut self.along,
            &mut self.px_across,
            &mut self.px_along,
            &mut self.footprint,
        ] {
            list.resize(width, 0.0);
        }
        let (fall, depth, air) =
            (&mut self.fall[..width], &mut self.depth[..width], &mut self.air[..width]);
        let (across, along) = (&mut self.across[..width], &mut self.along[..width]);
        let (px_across, px_along) = (&mut self.px_across[..width], &mut self.px_along[..width]);
        let footprint = &mut self.footprint[..width];
        for (i, &x) in columns.iter().enumerate() {
            fall[i] = -(start.y + step.y * x);
            depth[i] = height / fall[i];
            air[i] = depth[i] / (depth[i] + haze_metres);
        }
        for (i, &x) in columns.iter().enumerate() {
            let d = start.plus(step.scale(x));
            along[i] = rays.along + depth[i] * d.dot(ahead);
            across[i] = rays.across + depth[i] * d.dot(right) - road.shift(along[i]);
        }
        for i in 0..width {
            px_across[i] = depth[i] / focal;
            px_along[i] = px_across[i] * depth[i] / height;
            footprint[i] = px_across[i] * (depth[i] / height).sqrt();
        }
    }

    /// Depth of a pixel's ground and share of haze before it, if its ray falls.
    #[inline]
    pub(super) fn seen(&self, x: usize) -> Option<(f32, f32)> {
        // near the horizon nothing but haze is left
        (self.fall[x] > 1e-5).then(|| (self.depth[x], self.air[x]))
    }

    #[inline]
    pub(super) fn spot(&self, x: usize) -> Spot {
        Spot {
            across: self.across[x],
            along: self.along[x],
            px_across: self.px_across[x],
            px_along: self.px_along[x],
            footprint: self.footprint[x],
        }
    }
}
