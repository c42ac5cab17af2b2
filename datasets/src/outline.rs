//! The edge of a plate: a circle or a polygon with rounded corners, with exact distances.
//!
//! Coordinates are millimetres from the centre of the bounding box, x right, y up.

use serde::Deserialize;

/// Corner radius of squares and rectangles, millimetres.
const PLATE_RADIUS_MM: f32 = 40.0;
/// Corner radius of triangles, millimetres.
const TRIANGLE_RADIUS_MM: f32 = 45.0;
/// Share of an octagon's width that one side takes: sqrt(2) - 1.
const OCTAGON_SIDE: f32 = core::f32::consts::SQRT_2 - 1.0;

/// Outline by name, as the catalogue gives it; together with the size it fixes the plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutlineName {
    /// Disc.
    Circle,
    /// Equilateral triangle, point up, corners rounded by 45 mm.
    TriangleUp,
    /// Equilateral triangle, point down, corners rounded by 45 mm.
    TriangleDown,
    /// Square with corners rounded by 40 mm.
    Square,
    /// Rectangle with corners rounded by 40 mm.
    Rectangle,
    /// Rectangle with sharp corners.
    RectangleSharp,
    /// Square on its corner, corners rounded by 40 mm.
    Diamond,
    /// Regular octagon with flat top, corners rounded by 10 mm.
    Octagon,
    /// Two crossed boards with square ends, sharp corners.
    Cross,
}

/// Shape of a plate, exact for distances inside and outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Outline {
    /// Disc of a radius in millimetres.
    Circle(f32),
    /// All points within `radius` millimetres of the polygon `core`, which is convex unless the
    /// radius is 0.
    RoundedPolygon {
        /// Corners in order.
        core: Vec<[f32; 2]>,
        /// Corner radius, millimetres.
        radius: f32,
    },
}

impl OutlineName {
    /// The outline whose bounding box is `width` x `height` millimetres.
    #[must_use]
    pub fn expand(self, [width, height]: [f32; 2]) -> Outline {
        let (x, y) = (0.5 * width, 0.5 * height);
        let rounded = |core: Vec<[f32; 2]>, radius| Outline::RoundedPolygon { core, radius };
        let rectangle = |r: f32| {
            rounded(vec![[r - x, r - y], [x - r, r - y], [x - r, y - r], [r - x, y - r]], r)
        };
        match self {
            Self::Circle => Outline::Circle(x),
            Self::TriangleUp | Self::TriangleDown => {
                let r = TRIANGLE_RADIUS_MM;
                let up = if self == Self::TriangleUp { 1.0 } else { -1.0 };
                rounded(vec![[r - x, up * (r - y)], [x - r, up * (r - y)], [0.0, up * (y - r)]], r)
            }
            Self::Square | Self::Rectangle => rectangle(PLATE_RADIUS_MM),
            Self::RectangleSharp => rectangle(0.0),
            Self::Diamond => {
                let r = PLATE_RADIUS_MM;
                rounded(vec![[r - x, 0.0], [0.0, r - y], [x - r, 0.0], [0.0, y - r]], r)
            }
            Self::Octagon => {
                let r = 10.0;
                let (a, b) = (x - r, (x - r) * OCTAGON_SIDE);
                let corners =
                    [(a, b), (b, a), (-b, a), (-a, b), (-a, -b), (-b, -a), (b, -a), (a, -b)];
                rounded(corners.iter().map(|&(x, y)| [x, y]).collect(), r)
            }
            Self::Cross => rounded(cross(x, y), 0.0),
        }
    }
}

/// Corners of the St Andrew's cross: boards from corner to corner of the box, see
/// [`CROSS_BOARD_MM`].
fn cross(x: f32, y: f32) -> Vec<[f32; 2]> {
    // the ends of a board touch the box with one corner at the side and one at the top
    let (dx, dy, w) = (2.0 * x, 2.0 * y, CROSS_BOARD_MM);
    // direction (c, s) of the rising board: box width = L c + w s, height = L s + w c; solved by
    // iteration from the diagonal, which converges in a few steps
    let (mut c, mut s) = (dx, dy);
    for _ in 0..24 {
        let l = (c * c + s * s).sqrt();
        let (uc, us) = (c / l, s / l);
        (c, s) = (dx - w * us, dy - w * uc);
    }
    let length = (c * c + s * s).sqrt();
    let (c, s) = (c / length, s / length);
    let (hl, hw) = (0.5 * length, 0.5 * w);
    let at = |along: f32, across: f32| [along * c - across * s, along * s + across * c];
    // where the edges of the two boards meet
    let (side, top) = (hw / s, hw / c);
    let (p, q) = (at(hl, -hw), at(hl, hw));
    let flip_x = |v: [f32; 2]| [-v[0], v[1]];
    let flip = |v: [f32; 2]| [-v[0], -v[1]];
    let flip_y = |v: [f32; 2]| [v[0], -v[1]];
    vec![
        [side, 0.0],
        p,
        q,
        [0.0, top],
        flip_x(q),
        flip_x(p),
        [-side, 0.0],
        flip(p),
        flip(q),
        [0.0, -top],
        flip_y(q),
        flip_y(p),
    ]
}

/// Width of the boards of the cross, millimetres.
const CROSS_BOARD_MM: f32 = 160.0;

impl Outline {
    /// Distance to the edge in millimetres, negative inside.
    #[must_use]
    #[inline]
    pub fn signed_distance_mm(&self, x: f32, y: f32) -> f32 {
        match self {
            Self::Circle(radius) => (x * x + y * y).sqrt() - radius,
            Self::RoundedPolygon { core, radius } => polygon_distance(core, x, y) - radius,
        }
    }

    /// [`Outline::signed_distance_mm`] of many points, the same bits.
    pub fn signed_distances_mm(&self, x: &[f32], y: &[f32], distances: &mut [f32]) {
        match self {
            Self::Circle(radius) => {
                for ((d, x), y) in distances.iter_mut().zip(x).zip(y) {
                    *d = (x * x + y * y).sqrt() - radius;
                }
            }
            Self::RoundedPolygon { core, radius } => {
                let points = x.chunks(LANES).zip(y.chunks(LANES));
                for ((x, y), distances) in points.zip(distances.chunks_mut(LANES)) {
                    let mut lanes = ([0.0; LANES], [0.0; LANES]);
                    lanes.0[..x.len()].copy_from_slice(x);
                    lanes.1[..y.len()].copy_from_slice(y);
                    let found = polygon_distances(core, &lanes.0, &lanes.1);
                    for (d, found) in distances.iter_mut().zip(found) {
                        *d = found - radius;
                    }
                }
            }
        }
    }

    /// Left, bottom, right and top of the bounding box, millimetres from its centre.
    #[must_use]
    pub fn bounds(&self) -> [f32; 4] {
        match self {
            Self::Circle(r) => [-r, -r, *r, *r],
            Self::RoundedPolygon { core, radius } => {
                let mut b = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
                for &[x, y] in core {
                    b = [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)];
                }
                [b[0] - radius, b[1] - radius, b[2] + radius, b[3] + radius]
            }
        }
    }

    /// Area in square millimetres (Steiner: core, strips along the edges, one disc of corners).
    #[must_use]
    pub fn area_mm2(&self) -> f32 {
        use core::f32::consts::PI;
        match self {
            Self::Circle(r) => PI * r * r,
            Self::RoundedPolygon { core, radius } => {
                let (mut twice, mut edges) = (0.0, 0.0);
                for (a, b) in sides(core) {
                    twice += a[0] * b[1] - b[0] * a[1];
                    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
                    edges += (dx * dx + dy * dy).sqrt();
                }
                0.5 * twice.abs() + edges * radius + PI * radius * radius
            }
        }
    }
}

/// Pairs of neighbouring corners.
fn sides(core: &[[f32; 2]]) -> impl Iterator<Item = ([f32; 2], [f32; 2])> + '_ {
    core.iter().zip(core.iter().cycle().skip(1)).map(|(a, b)| (*a, *b))
}

/// Signed distance to a simple polygon: nearest side, sign from the crossing parity.
fn polygon_distance(core: &[[f32; 2]], x: f32, y: f32) -> f32 {
    let (mut nearest, mut inside) = (f32::MAX, false);
    for (i, a) in core.iter().enumerate() {
        // not `sides`: this loop is the most frequent one of the sign
        let b = if i + 1 < core.len() { core[i + 1] } else { core[0] };
        let (ex, ey) = (b[0] - a[0], b[1] - a[1]);
        let (px, py) = (x - a[0], y - a[1]);
        let t = ((px * ex + py * ey) / (ex * ex + ey * ey)).clamp(0.0, 1.0);
        let (dx, dy) = (px - ex * t, py - ey * t);
        nearest = nearest.min(dx * dx + dy * dy);
        if (a[1] > y) != (b[1] > y) && px < ex * py / ey {
            inside = !inside;
        }
    }
    if inside { -nearest.sqrt() } else { nearest.sqrt() }
}

/// Points whose distances are worked out together: processors do several at a time.
const LANES: usize = 8;

/// As [`polygon_distance`], operation by operation, of several points.
fn polygon_distances(core: &[[f32; 2]], x: &[f32; LANES], y: &[f32; LANES]) -> [f32; LANES] {
    let (mut nearest, mut inside) = ([f32::MAX; LANES], [false; LANES]);
    for (a, b) in sides(core) {
        let (ex, ey) = (b[0] - a[0], b[1] - a[1]);
        let square = ex * ex + ey * ey;
        for lane in 0..LANES {
            let (px, py) = (x[lane] - a[0], y[lane] - a[1]);
            let t = ((px * ex + py * ey) / square).clamp(0.0, 1.0);
            let (dx, dy) = (px - ex * t, py - ey * t);
            let d = dx * dx + dy * dy;
            nearest[lane] = if d < nearest[lane] { d } else { nearest[lane] };
            // without branches; the division by 0 of a level side is not used
            let between = (a[1] > y[lane]) != (b[1] > y[lane]);
            inside[lane] ^= between & (px < ex * py / ey);
        }
    }
    core::array::from_fn(|lane| {
        let distance = nearest[lane].sqrt();
        if inside[lane] { -distance } else { distance }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_of_every_outline_is_the_size_asked_for() {
        use OutlineName::{
            Circle, Cross, Diamond, Octagon, Rectangle, Square, TriangleDown, TriangleUp,
        };
        for (name, size) in [
            (Circle, [600.0, 600.0]),
            (TriangleUp, [900.0, 791.6]),
            (TriangleDown, [900.0, 791.6]),
            (Square, [600.0, 600.0]),
            (Rectangle, [630.0, 420.0]),
            (Diamond, [815.4, 815.4]),
            (Octagon, [600.0, 600.0]),
            (Cross, [635.26, 858.72]),
        ] {
            let b = name.expand(size).bounds();
            assert!((b[2] - b[0] - size[0]).abs() < 0.5, "{name:?}: {b:?}");
            assert!((b[3] - b[1] - size[1]).abs() < 0.5, "{name:?}: {b:?}");
        }
    }

    #[test]
    fn many_points_at_once_have_the_distances_of_single_points() {
        let names = [
            OutlineName::Circle,
            OutlineName::TriangleDown,
            OutlineName::Diamond,
            OutlineName::Octagon,
            OutlineName::Cross,
        ];
        for outline in names.map(|name| name.expand([700.0, 700.0])) {
            for count in [0, 1, 7, 8, 9, 500_u16] {
                let at = |k: f32| (0..count).map(|i| k * f32::from(i % 37) - 400.0).collect();
                let (x, y): (Vec<f32>, Vec<f32>) = (at(23.0), at(19.0));
                let mut distances = vec![0.0; x.len()];
                outline.signed_distances_mm(&x, &y, &mut distances);
                for (i, d) in distances.iter().enumerate() {
                    assert_eq!(d.to_bits(), outline.signed_distance_mm(x[i], y[i]).to_bits());
                }
            }
        }
    }

    #[test]
    fn distances_of_a_rounded_square_are_exact() {
        let square = OutlineName::Square.expand([600.0, 600.0]);
        assert!((square.signed_distance_mm(0.0, 0.0) + 300.0).abs() < 1e-3);
        assert!((square.signed_distance_mm(310.0, 0.0) - 10.0).abs() < 1e-3);
        let corner = 260.0 + 50.0 * core::f32::consts::FRAC_1_SQRT_2;
        assert!((square.signed_distance_mm(corner, corner) - 10.0).abs() < 1e-3);
        let area = 360_000.0 - (4.0 - core::f32::consts::PI) * 1600.0;
        assert!((square.area_mm2() - area).abs() < 1.0);
    }
}
