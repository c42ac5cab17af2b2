//! Zones of a picture by distance to the sign's edge: inside, border, outside.
//!
//! A pixel belongs to the border if its centre lies within a distance of the centre of a pixel on the
//! other side (coverage above one half against the rest). Beyond the picture there is no other side.

use super::mask::Mask;

/// Half width of the border as a share of the picture's shorter side: 8 pixels of 224, a quarter of
/// a super-pixel of the 7 x 7 grid.
pub const BORDER_SHARE: f64 = 1.0 / 28.0;

/// Where a pixel lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// On the sign, farther from its edge than the border's half width.
    Inside,
    /// Within the half width of the edge, on either side.
    Border,
    /// Off the sign, farther from its edge.
    Outside,
}

/// The zone of every pixel, row by row; the half width is [`BORDER_SHARE`].
#[must_use]
pub fn zones(mask: &Mask) -> Vec<Zone> {
    let (height, width) = (mask.height(), mask.width());
    let reach = border_pixels(height, width);
    let sign: Vec<bool> = mask.coverage().iter().map(|&c| c > 0.5).collect();
    let ground: Vec<bool> = sign.iter().map(|s| !s).collect();
    let (near_sign, near_ground) =
        (dilate(&sign, height, width, reach), dilate(&ground, height, width, reach));
    (0..sign.len())
        .map(|i| match (sign[i], near_sign[i] && near_ground[i]) {
            (_, true) => Zone::Border,
            (true, false) => Zone::Inside,
            (false, false) => Zone::Outside,
        })
        .collect()
}

/// Half width of the border in whole pixels, at least 1.
#[must_use]
pub fn border_pixels(height: usize, width: usize) -> usize {
    // 1 / BORDER_SHARE is a whole number
    (height.min(width) / 28).max(1)
}

/// Pixels whose centre is at most `reach` from the centre of a pixel of the set.
///
/// First the distance along the column, then for each pixel of a row the stretch of the row that its
/// column distance leaves within reach (a disc is a stack of stretches): two passes over the picture.
fn dilate(set: &[bool], height: usize, width: usize, reach: usize) -> Vec<bool> {
    let beyond = reach + 1;
    let mut column = vec![beyond; set.len()];
    for x in 0..width {
        let mut distance = beyond;
        for y in 0..height {
            distance = if set[y * width + x] { 0 } else { (distance + 1).min(beyond) };
            column[y * width + x] = distance;
        }
        distance = beyond;
        for y in (0..height).rev() {
            distance = if set[y * width + x] { 0 } else { (distance + 1).min(beyond) };
            let cell = &mut column[y * width + x];
            *cell = (*cell).min(distance);
        }
    }
    // half length of the stretch by column distance: floor(sqrt(reach^2 - d^2))
    let half: Vec<usize> = (0..=reach).map(|d| (reach * reach - d * d).isqrt()).collect();
    let mut near = vec![false; set.len()];
    // number of stretches that start less those that end at each column
    let mut steps = vec![0_i32; width + 1];
    for (row, distances) in near.chunks_mut(width).zip(column.chunks(width)) {
        steps.fill(0);
        for (x, distance) in distances.iter().enumerate() {
            let Some(half) = half.get(*distance) else { continue };
            steps[x.saturating_sub(*half)] += 1;
            steps[(x + half + 1).min(width)] -= 1;
        }
        let mut open = 0;
        for (pixel, step) in row.iter_mut().zip(&steps) {
            open += step;
            *pixel = open > 0;
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(height: usize, width: usize, sign: impl Fn(usize, usize) -> bool) -> Mask {
        let bytes: Vec<u8> =
            (0..height * width).map(|i| if sign(i / width, i % width) { 255 } else { 0 }).collect();
        Mask::new(height, width, &bytes).unwrap()
    }

    /// The definition, pixel against pixel.
    fn slow(mask: &Mask) -> Vec<Zone> {
        let (h, w) = (mask.height(), mask.width());
        let reach = border_pixels(h, w);
        let on = |i: usize| mask.coverage()[i] > 0.5;
        (0..h * w)
            .map(|i| {
                let near = (0..h * w).any(|j| {
                    let (dy, dx) = ((i / w).abs_diff(j / w), (i % w).abs_diff(j % w));
                    on(i) != on(j) && dy * dy + dx * dx <= reach * reach
                });
                match (near, on(i)) {
                    (true, _) => Zone::Border,
                    (_, true) => Zone::Inside,
                    _ => Zone::Outside,
                }
            })
            .collect()
    }

    #[test]
    fn zones_equal_the_definition_on_awkward_shapes() {
        let (h, w) = (90, 112);
        let shapes: [&dyn Fn(usize, usize) -> bool; 6] = [
            &|y, x| (y as f64 - 40.0).hypot(x as f64 - 60.0) < 25.0,
            &|y, x| y > 20 && x > y && x < 100,
            &|y, x| (y * 7 + x * 13) % 41 == 0,
            &|_, x| x < 3,
            &|y, x| y == 44 && x == 111,
            &|_, _| false,
        ];
        for (i, shape) in shapes.iter().enumerate() {
            let mask = picture(h, w, shape);
            assert!(zones(&mask) == slow(&mask), "shape {i}");
        }
    }

    #[test]
    fn a_straight_edge_has_a_border_of_the_half_width_on_both_sides() {
        let mask = picture(224, 224, |_, x| x < 100);
        let row = &zones(&mask)[..224];
        let count = |zone| row.iter().filter(|z| **z == zone).count();
        assert_eq!((count(Zone::Inside), count(Zone::Border), count(Zone::Outside)), (92, 16, 116));
        assert!((224.0 * BORDER_SHARE - 8.0).abs() < 1e-12);
    }
}
