//! Perspective painter: textured polygons of world points on a linear-light canvas, laid over each other
//! farthest first (in which order they are painted, see [`super::scene::Scene::paint`]).
//!
//! A polygon is clipped at the near plane, projected and filled row by row; for every pixel the ray
//! is intersected with the polygon's plane, so textures are exact in perspective. In the plane
//! spanned by `edge_u` and `edge_v` a pixel has coordinates (u, v) in metres and depth t:
//!
//! ```text
//! w = n . d      t = (n . o) / w      u = t (u' . d) - u' . o      v = t (v' . d) - v' . o
//! ```
//!
//! with ray d (forward component 1) and plane origin o in camera coordinates, normal n, and u', v' the
//! basis dual to the unit edges. All four are rational in the pixel position: one division a pixel.
//!
//! Anti-aliasing: a canvas pixel is one sample of a polygon (the canvas is painted finer than the
//! image); thin things are drawn with coverage instead, see [`super::strokes`].
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel coordinates are clamped to the canvas before the cast"
)]

use crate::canvas::{Canvas, Rgb};
use crate::geometry::{Camera, Vec3};

use super::layers::Layers;
use super::{Light, View};

/// Nearest depth that is painted, metres.
const NEAR_METRES: f32 = 0.15;

/// A canvas, the camera that looks at it, and the air between.
#[derive(Debug)]
pub struct Painter<'a> {
    /// What is painted on.
    pub canvas: &'a mut Canvas,
    /// The pinhole of the view, in pixels of the canvas.
    pub camera: Camera,
    /// Light of the scene; surfaces take it from [`Light::on`].
    pub light: Light,
    /// Colour of the air far away, as light that reaches the camera.
    pub haze: Rgb,
    /// Distance at which half of an object's light is replaced by haze, metres.
    pub haze_metres: f32,
    /// Depth of the nearest opaque surface announced for each pixel; empty while there is none.
    pub(super) nearest: Vec<f32>,
    /// What nearer things hide, and what waits to be laid over the rest.
    pub(super) layers: Layers,
}

/// A plane in the world: a point of it and two unit vectors in it, not necessarily perpendicular.
#[derive(Clone, Copy, Debug)]
struct Plane {
    origin: Vec3,
    unit_u: Vec3,
    unit_v: Vec3,
}

/// Where the ray of a pixel meets a plane: metres along the two unit vectors, width of the pixel on the
/// plane and depth, metres.
#[derive(Clone, Copy, Debug)]
struct Hit {
    u: f32,
    v: f32,
    footprint: f32,
    depth: f32,
}

/// Where the pixels lie on a plane.
#[derive(Clone, Copy, Debug)]
struct PlaneMap {
    /// Coefficients of x, y and 1 (pixels) of the numerators of u and v and of the denominator.
    u: [f32; 3],
    v: [f32; 3],
    w: [f32; 3],
    depth_numerator: f32,
    u0: f32,
    v0: f32,
    /// Metres a pixel on the plane for each metre of depth (grows with obliqueness).
    pixel_metres: f32,
}

impl PlaneMap {
    fn new(camera: &Camera, plane: Plane) -> Option<Self> {
        let Plane { origin, unit_u, unit_v } = plane;
        let o = camera.rotation.inverse(origin.minus(camera.position));
        let (eu, ev) = (camera.rotation.inverse(unit_u), camera.rotation.inverse(unit_v));
        let n = eu.cross(ev);
        let area = n.dot(n);
        if area < 1e-8 {
            return None;
        }
        let dual_u = ev.cross(n).scale(1.0 / area);
        let dual_v = n.cross(eu).scale(1.0 / area);
        let k = n.dot(o);
        let linear = |a: Vec3, scale: f32| {
            let (ax, ay) = (a.x / camera.focal_px, -a.y / camera.focal_px);
            [ax * scale, ay * scale, (a.z - ax * camera.centre_x - ay * camera.centre_y) * scale]
        };
        // cosine between the plane's normal and the ray to its origin stands for the whole plane
        let cosine = (k.abs() / (area.sqrt() * o.length().max(1e-3))).max(0.12);
        Some(Self {
            u: linear(dual_u, k),
            v: linear(dual_v, k),
            w: linear(n, 1.0),
            depth_numerator: k,
            u0: dual_u.dot(o),
            v0: dual_v.dot(o),
            pixel_metres: 1.0 / (camera.focal_px * cosine.sqrt()),
        })
    }

    /// The row of pixels whose centres lie at this height.
    fn row(&self, y: f32) -> Row<'_> {
        let at = |k: &[f32; 3]| k[1] * y + k[2];
        Row { map: self, u: at(&self.u), v: at(&self.v), w: at(&self.w) }
    }
}

/// A plane along one row of pixels.
#[derive(Clone, Copy, Debug)]
struct Row<'a> {
    map: &'a PlaneMap,
    u: f32,
    v: f32,
    w: f32,
}

impl Row<'_> {
    /// Where the ray of the pixel in a column meets the plane.
    #[inline]
    fn at(&self, x: usize) -> Option<Hit> {
        let map = self.map;
        let x = x as f32 + 0.5;
        let inverse = 1.0 / (map.w[0] * x + self.w);
        let depth = map.depth_numerator * inverse;
        let u = (map.u[0] * x + self.u) * inverse - map.u0;
        let v = (map.v[0] * x + self.v) * inverse - map.v0;
        // the edge of a clipped polygon may fall just outside the plane's visible half
        let ahead = depth > 0.0 && depth < 1e7;
        ahead.then_some(Hit { u, v, footprint: depth * map.pixel_metres, depth })
    }
}

impl<'a> Painter<'a> {
    /// A painter of the view with air of the given colour and clarity.
    #[must_use]
    pub fn new(canvas: &'a mut Canvas, view: &View, haze: Rgb, haze_metres: f32) -> Self {
        Self {
            layers: Layers::new(canvas),
            canvas,
            camera: view.camera,
            light: view.light,
            haze,
            haze_metres,
            nearest: Vec::new(),
        }
    }

    /// Light of an object at a depth after it came through the air.
    #[must_use]
    #[inline]
    pub fn through_air(&self, colour: Rgb, depth: f32) -> Rgb {
        colour.mix(self.haze, depth / (depth + self.haze_metres))
    }

    /// Metres that one canvas pixel covers at a depth.
    #[must_use]
    pub fn pixel_metres(&self, depth: f32) -> f32 {
        depth / self.camera.focal_px
    }

    /// Unit vector of the ground plane that points to the right of the camera.
    #[must_use]
    pub fn level_right(&self) -> Vec3 {
        let f = self.camera.rotation.forward;
        Vec3::new(f.z, 0.0, -f.x).unit()
    }

    /// Paint a convex polygon of coplanar world points. `origin` and the unit vectors `unit_u`,
    /// `unit_v` (not necessarily perpendicular) span the plane; `shade(u, v, footprint)` takes metres
    /// from the origin and the width of a pixel on the plane in metres, and returns the light that
    /// leaves the surface towards the camera (haze is added here) and the opacity, 0 to 1.
    pub fn polygon(
        &mut self,
        points: &[Vec3],
        origin: Vec3,
        unit_u: Vec3,
        unit_v: Vec3,
        mut shade: impl FnMut(f32, f32, f32) -> (Rgb, f32),
    ) {
        let (haze, haze_metres) = (self.haze, self.haze_metres);
        let plane = Plane { origin, unit_u, unit_v };
        self.visit(points, plane, |layers, index, pixel, hit| {
            let (colour, opacity) = shade(hit.u, hit.v, hit.footprint);
            if opacity > 0.0 {
                let colour = colour.mix(haze, hit.depth / (hit.depth + haze_metres));
                if opacity >= 1.0 {
                    layers.set(index, pixel, colour);
                } else {
                    layers.over(index, pixel, colour, opacity);
                }
            }
        });
    }

    /// Paint the parallelogram that starts in `origin` and has the two edges; `shade` as in
    /// [`Painter::polygon`], u along `edge_u` from 0 to its length, v along `edge_v`.
    pub fn quad(
        &mut self,
        origin: Vec3,
        edge_u: Vec3,
        edge_v: Vec3,
        shade: impl FnMut(f32, f32, f32) -> (Rgb, f32),
    ) {
        let corners =
            [origin, origin.plus(edge_u), origin.plus(edge_u).plus(edge_v), origin.plus(edge_v)];
        self.polygon(&corners, origin, edge_u.unit(), edge_v.unit(), shade);
    }

    /// Multiply what is painted already on a parallelogram by `factor(u, v, footprint)`: shadows.
    pub fn darken(
        &mut self,
        origin: Vec3,
        edge_u: Vec3,
        edge_v: Vec3,
        mut factor: impl FnMut(f32, f32, f32) -> Rgb,
    ) {
        let corners =
            [origin, origin.plus(edge_u), origin.plus(edge_u).plus(edge_v), origin.plus(edge_v)];
        let haze_metres = self.haze_metres;
        let plane = Plane { origin, unit_u: edge_u.unit(), unit_v: edge_v.unit() };
        self.visit(&corners, plane, |layers, index, pixel, hit| {
            let air = hit.depth / (hit.depth + haze_metres);
            let factor = factor(hit.u, hit.v, hit.footprint);
            layers.times(index, pixel, factor.mix(Rgb::grey(1.0), air));
        });
    }

    /// Announce an opaque convex polygon that will be painted: whatever lies behind it is skipped from now
    /// on. It must not reach beyond the surface that is painted later.
    pub fn occlude(&mut self, points: &[Vec3]) {
        let [origin, second, third, ..] = *points else { return };
        let (unit_u, unit_v) = (second.minus(origin).unit(), third.minus(second).unit());
        let Self { canvas, camera, nearest, .. } = self;
        if nearest.is_empty() {
            *nearest = vec![f32::MAX; canvas.width * canvas.height];
        }
        let plane = Plane { origin, unit_u, unit_v };
        scan(canvas, camera, points, plane, |index, _, x, row| {
            if let Some(hit) = row.at(x) {
                // the surface itself must stay in front of its mark
                nearest[index] = nearest[index].min(hit.depth * 1.02 + 0.3);
            }
        });
    }

    /// Announce the sides of a box, see [`Painter::occlude`].
    pub fn occlude_cuboid(&mut self, cuboid: &super::solids::Cuboid) {
        let height = cuboid.size.y;
        let corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)];
        for (i, &(x0, z0)) in corners.iter().enumerate() {
            let (x1, z1) = corners[(i + 1) & 3];
            let (a, b) = (cuboid.point(x0, 0.0, z0), cuboid.point(x1, 0.0, z1));
            let normal = b.minus(a).cross(Vec3::new(0.0, 1.0, 0.0));
            if normal.dot(self.camera.position.minus(a)).abs() > 0.0 {
                let up = Vec3::new(0.0, height, 0.0);
                self.occlude(&[a, b, b.plus(up), a.plus(up)]);
            }
        }
    }

    /// Call `visit` for every pixel of a convex polygon that neither a nearer thing nor an announced surface
    /// hides.
    fn visit(
        &mut self,
        points: &[Vec3],
        plane: Plane,
        mut visit: impl FnMut(&mut Layers, usize, &mut Rgb, Hit),
    ) {
        let Self { canvas, camera, layers, nearest, .. } = self;
        scan(canvas, camera, points, plane, |index, pixel, x, row| {
            if layers.hides(index) {
                return;
            }
            let Some(hit) = row.at(x) else { return };
            if nearest.get(index).is_none_or(|&n| hit.depth <= n) {
                visit(layers, index, pixel, hit);
            }
        });
    }

    /// Lay what waits over the backdrop, see [`Layers`].
    pub(super) fn finish(&mut self) {
        self.layers.finish(self.canvas);
    }
}

/// Call `visit(index, pixel, column, row)` for every pixel of a convex polygon that is not marked as unseen on
/// the canvas.
#[inline]
fn scan(
    canvas: &mut Canvas,
    camera: &Camera,
    points: &[Vec3],
    plane: Plane,
    mut visit: impl FnMut(usize, &mut Rgb, usize, &Row<'_>),
) {
    let outline = project_clipped(camera, points);
    let outline = outline.as_slice();
    if outline.len() < 3 || !touches(outline, canvas) {
        return;
    }
    let Some(map) = PlaneMap::new(camera, plane) else { return };
    let (top, bottom) = extent(outline.iter().map(|p| p.1));
    let width = canvas.width;
    for y in rows(top, bottom, canvas.height) {
        let yc = y as f32 + 0.5;
        let Some((left, right)) = span(outline, yc) else { continue };
        let parts = canvas.seen(y, rows(left, right, width));
        let line = map.row(yc);
        let row = &mut canvas.pixels[y * width..(y + 1) * width];
        for part in parts {
            for (x, pixel) in part.clone().zip(&mut row[part]) {
                visit(y * width + x, pixel, x, &line);
            }
        }
    }
}

/// Smallest and largest value.
fn extent(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)))
}

/// Whether an outline may cover a pixel of the canvas.
fn touches(outline: &[(f32, f32)], canvas: &Canvas) -> bool {
    let (left, right) = extent(outline.iter().map(|p| p.0));
    let (top, bottom) = extent(outline.iter().map(|p| p.1));
    // edges are interpolated between corners that may lie far outside: room for the rounding of that
    let room = 1.0 + 1e-6 * (left.abs() + right.abs());
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    bottom > 0.0 && top < height && right > -room && left < width + room
}

/// Canvas rows (or columns) whose centres lie in [low, high).
#[inline]
fn rows(low: f32, high: f32, size: usize) -> core::ops::Range<usize> {
    let limit = size as f32;
    // ceil(a - 0.5) of a non-negative number is the truncated a + 0.5 up to the ties
    let index = |a: f32| (a.clamp(0.0, limit) + 0.5) as usize;
    index(low).min(size)..index(high).min(size)
}

/// Horizontal extent of a convex outline at height y.
#[inline]
fn span(outline: &[(f32, f32)], y: f32) -> Option<(f32, f32)> {
    let (mut left, mut right) = (f32::MAX, f32::MIN);
    let mut previous = outline[outline.len() - 1];
    for &p in outline {
        // the same edge is computed in the same direction for both neighbours: no gaps
        let (a, b) = if previous.1 <= p.1 { (previous, p) } else { (p, previous) };
        if a.1 <= y && y < b.1 {
            let x = a.0 + (b.0 - a.0) * ((y - a.1) / (b.1 - a.1));
            left = left.min(x);
            right = right.max(x);
        }
        previous = p;
    }
    (left < right).then_some((left, right))
}

/// Up to 24 projected corners, without a heap allocation.
struct Outline {
    points: [(f32, f32); Self::CAPACITY],
    count: usize,
}

impl Outline {
    const CAPACITY: usize = 24;

    fn push(&mut self, p: (f32, f32)) {
        if self.count < Self::CAPACITY {
            self.points[self.count] = p;
            self.count += 1;
        }
    }

    fn as_slice(&self) -> &[(f32, f32)] {
        &self.points[..self.count]
    }
}

/// Project a polygon, cut off at the near plane (Sutherland-Hodgman with one plane).
fn project_clipped(camera: &Camera, points: &[Vec3]) -> Outline {
    let mut outline = Outline { points: [(0.0, 0.0); Outline::CAPACITY], count: 0 };
    let local = |p: Vec3| camera.rotation.inverse(p.minus(camera.position));
    let project = |v: Vec3| {
        let k = camera.focal_px / v.z;
        (camera.centre_x + v.x * k, camera.centre_y - v.y * k)
    };
    let Some(&last) = points.last() else { return outline };
    let mut previous = local(last);
    for &point in points {
        let p = local(point);
        if (p.z < NEAR_METRES) != (previous.z < NEAR_METRES) {
            let t = (NEAR_METRES - previous.z) / (p.z - previous.z);
            let cut = previous.plus(p.minus(previous).scale(t));
            outline.push(project(Vec3::new(cut.x, cut.y, NEAR_METRES)));
        }
        if p.z >= NEAR_METRES {
            outline.push(project(p));
        }
        previous = p;
    }
    outline
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::testing;

    #[test]
    fn texture_coordinates_agree_with_projection() {
        let view = testing::view(3);
        let mut canvas = Canvas::new(64, 64, Rgb::default());
        let mut painter = Painter::new(&mut canvas, &view, Rgb::default(), 1e9);
        let camera = painter.camera;
        let (origin, eu, ev) =
            (Vec3::new(-9.0, 0.5, 12.0), Vec3::new(18.0, 0.0, 3.0), Vec3::new(1.0, 12.0, 0.0));
        let mut seen = Vec::new();
        painter.quad(origin, eu, ev, |u, v, footprint| {
            seen.push((u, v, footprint));
            (Rgb::grey(1.0), 1.0)
        });
        assert!(!seen.is_empty());
        for &(u, v, footprint) in &seen {
            let p = origin.plus(eu.unit().scale(u)).plus(ev.unit().scale(v));
            let (x, y, depth) = camera.project(p).unwrap();
            // pixel centres
            assert!((x - x.floor() - 0.5).abs() < 0.02, "{x}");
            assert!((y - y.floor() - 0.5).abs() < 0.02, "{y}");
            assert!(footprint >= depth / camera.focal_px * 0.99);
        }
    }

    #[test]
    fn adjacent_quads_leave_no_gap_and_polygons_behind_the_camera_are_not_seen() {
        let view = testing::view(5);
        let mut canvas = Canvas::new(64, 64, Rgb::default());
        let mut painter = Painter::new(&mut canvas, &view, Rgb::default(), 1e9);
        let centre = painter.camera.position.plus(painter.camera.rotation.forward.scale(5.0));
        let (right, up) = (painter.camera.rotation.right, painter.camera.rotation.up);
        let white = |_: f32, _: f32, _: f32| (Rgb::grey(1.0), 1.0);
        let base = centre.minus(up.scale(50.0));
        painter.quad(base, right.scale(60.0), up.scale(100.0), white);
        painter.quad(base, right.scale(-60.0), up.scale(100.0), white);
        assert!(painter.canvas.pixels.iter().all(|p| p.r == 1.0));
        let behind = painter.camera.position.minus(painter.camera.rotation.forward.scale(5.0));
        painter.quad(behind, right, up, |_, _, _| (Rgb::default(), 1.0));
        assert!(painter.canvas.pixels.iter().all(|p| p.r == 1.0));
    }
}
