//! Which pixels a plate may cover, and where they lie on its face.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions are clamped to the canvas before the cast"
)]

use crate::camera_pose::{PlaneMap, ScenePose};

use super::{BARE_EDGE_MM, Face, PlateScene};

/// First and last pixel column and row (exclusive) that a plate can touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelBox {
    /// First column.
    pub left: usize,
    /// Column after the last.
    pub right: usize,
    /// First row.
    pub top: usize,
    /// Row after the last.
    pub bottom: usize,
}

impl PixelBox {
    /// Around points of the picture, `pad` pixels wider, cut to a canvas of `size` x `size`.
    #[must_use]
    pub fn around(points: &[(f32, f32)], pad: f32, size: usize) -> Self {
        let limit = size as f32;
        let (mut low, mut high) = ((limit, limit), (0.0_f32, 0.0_f32));
        for &(x, y) in points {
            low = (low.0.min(x - pad), low.1.min(y - pad));
            high = (high.0.max(x + pad), high.1.max(y + pad));
        }
        let cut = |v: f32| v.clamp(0.0, limit) as usize;
        Self {
            left: cut(low.0),
            right: cut(high.0 + 1.0),
            top: cut(low.1),
            bottom: cut(high.1 + 1.0),
        }
    }
}

/// Pixels that the plate or its rim may cover.
#[must_use]
pub fn pixel_box(half: [f32; 2], scene: &PlateScene<'_>, size: usize) -> PixelBox {
    let mut points = Vec::with_capacity(16);
    for behind in [0.0, scene.rim_depth_mm] {
        for (kx, ky) in
            [(-1., -1.), (0., -1.), (1., -1.), (1., 0.), (1., 1.), (0., 1.), (-1., 1.), (-1., 0.)]
        {
            let corner = scene.plate.world(kx * half[0], ky * half[1], behind);
            points.extend(scene.pose.pixel(corner));
        }
    }
    PixelBox::around(&points, 2.0, size)
}

/// A pixel on the face: its centre and how it moves with a step of one pixel right and one down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    pub(super) x: f32,
    pub(super) y: f32,
    right: [f32; 2],
    down: [f32; 2],
}

impl Patch {
    /// From the centres of the pixel, of the one to its right and of the one below.
    #[inline]
    fn between((x, y): (f32, f32), (rx, ry): (f32, f32), (dx, dy): (f32, f32)) -> Self {
        // Within one pixel the homography is affine to about one pixel over the focal length.
        Self { x, y, right: [rx - x, ry - y], down: [dx - x, dy - y] }
    }

    /// Sample in column i and row j of n x n.
    #[inline]
    pub(super) fn sample(&self, i: usize, j: usize, n: usize) -> (f32, f32) {
        let step = 1.0 / n as f32;
        let (a, b) = ((i as f32 + 0.5) * step - 0.5, (j as f32 + 0.5) * step - 0.5);
        (
            self.x + a * self.right[0] + b * self.down[0],
            self.y + a * self.right[1] + b * self.down[1],
        )
    }

    /// No point of the pixel lies farther than this from its centre in x or in y, millimetres.
    #[inline]
    pub(super) fn radius(&self) -> f32 {
        let half = |k: usize| 0.5 * (self.right[k].abs() + self.down[k].abs());
        half(0).max(half(1))
    }

    /// Longest and shortest extent of the pixel on the face, millimetres.
    #[inline]
    pub(super) fn extents(&self) -> (f32, f32) {
        let length = |v: [f32; 2]| (v[0] * v[0] + v[1] * v[1]).sqrt();
        let (a, b) = (length(self.right), length(self.down));
        (a.max(b), a.min(b))
    }
}

/// Most share of its longest extent that a pixel reaches from its centre.
const REACH: f32 = 0.75;

/// The pixels of a plate's box and one more column and row, row by row.
#[derive(Clone, Debug)]
pub struct Projection {
    area: PixelBox,
    columns: usize,
    /// Ideal pinhole positions of the centres.
    ideal_x: Vec<f32>,
    ideal_y: Vec<f32>,
    /// Points of the face, millimetres.
    x: Vec<f32>,
    y: Vec<f32>,
    /// Their signed distances to the outline, millimetres.
    edge: Vec<f32>,
}

impl Projection {
    /// A plate on a picture of `size` x `size` pixels.
    #[must_use]
    pub fn new<F: Face>(face: &F, scene: &PlateScene<'_>, size: usize) -> Self {
        let area = pixel_box(face.half_mm(), scene, size);
        let columns = area.right.saturating_sub(area.left) + 1;
        let rows = area.bottom.saturating_sub(area.top) + 1;
        let zeros = || vec![0.0; columns * rows];
        let mut all = Self {
            area,
            columns,
            ideal_x: zeros(),
            ideal_y: zeros(),
            x: zeros(),
            y: zeros(),
            edge: zeros(),
        };
        let map = PlaneMap::new(&scene.pose.camera, &scene.plate, 0.0);
        for row in 0..rows {
            all.project_row(row, scene.pose, &map);
        }
        face.signed_distances_mm(&all.x, &all.y, &mut all.edge);
        all
    }

    fn project_row(&mut self, row: usize, pose: &ScenePose, map: &PlaneMap) {
        let range = row * self.columns..(row + 1) * self.columns;
        let py = (self.area.top + row) as f32 + 0.5;
        let (ideal_x, ideal_y) =
            (&mut self.ideal_x[range.clone()], &mut self.ideal_y[range.clone()]);
        for (i, (ix, iy)) in ideal_x.iter_mut().zip(ideal_y.iter_mut()).enumerate() {
            (*ix, *iy) = pose.lens.undistort((self.area.left + i) as f32 + 0.5, py);
        }
        let face = self.x[range.clone()].iter_mut().zip(&mut self.y[range]);
        for ((x, y), (ix, iy)) in face.zip(ideal_x.iter().zip(ideal_y.iter())) {
            (*x, *y) = map.at(*ix, *iy);
        }
    }

    /// The pixels that the plate or its rim may cover.
    #[must_use]
    pub fn area(&self) -> PixelBox {
        self.area
    }

    /// Place of a pixel of the area in the lists.
    #[inline]
    pub(super) fn index(&self, px: usize, py: usize) -> usize {
        (py - self.area.top) * self.columns + px - self.area.left
    }

    /// Ideal pinhole position.
    #[inline]
    pub(super) fn ideal(&self, index: usize) -> (f32, f32) {
        (self.ideal_x[index], self.ideal_y[index])
    }

    /// Signed distance of the centre to the outline, millimetres.
    #[inline]
    pub(super) fn edge(&self, index: usize) -> f32 {
        self.edge[index]
    }

    /// The pixel on the face.
    #[inline]
    pub(super) fn patch(&self, index: usize) -> Patch {
        let at = |i: usize| (self.x[i], self.y[i]);
        Patch::between(at(index), at(index + 1), at(index + self.columns))
    }

    /// The pixel on another plane.
    #[inline]
    pub(super) fn patch_on(&self, map: &PlaneMap, index: usize) -> Patch {
        let at = |i: usize| map.at(self.ideal_x[i], self.ideal_y[i]);
        Patch::between(at(index), at(index + 1), at(index + self.columns))
    }

    /// Whether the plate covers a pixel of the picture wholly.
    #[must_use]
    #[inline]
    pub fn covers(&self, px: usize, py: usize) -> bool {
        let PixelBox { left, right, top, bottom } = self.area;
        if !(left..right).contains(&px) || !(top..bottom).contains(&py) {
            return false;
        }
        let index = self.index(px, py);
        let edge = self.edge[index];
        edge < -BARE_EDGE_MM && is_inside(edge, reach(&self.patch(index)))
    }
}

/// No point of a pixel lies farther than this from its centre, millimetres.
#[inline]
pub(super) fn reach(patch: &Patch) -> f32 {
    REACH * patch.extents().0
}

/// Whether a pixel lies wholly on the printed part of the face.
#[inline]
pub(super) fn is_inside(edge: f32, reach: f32) -> bool {
    edge < -reach - BARE_EDGE_MM
}
