//! Zones of a picture by distance to the sign's edge: inside, border, outside.
//!
//! A pixel belongs to the border if its centre lies within a distance of the centre of a pixel on the
//! other side (coverage above one half against the rest). Beyond the picture there is no other side.

use std::ops::Range;

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
///
/// Only the smallest rectangle around the sign, with the half width around it, is looked at: beyond, no sign is near.
#[must_use]
pub fn zones(mask: &Mask) -> Vec<Zone> {
    let (height, width) = (mask.height(), mask.width());
    let reach = border_pixels(height, width);
    let mut zones = vec![Zone::Outside; height * width];
    let sign = |byte: u8| byte > HALF;
    let rows = extent(mask.bytes().chunks_exact(width).map(|row| row.iter().any(|&c| sign(c))));
    let mut column = vec![false; width];
    for row in mask.bytes().chunks_exact(width) {
        column.iter_mut().zip(row).for_each(|(any, &c)| *any |= sign(c));
    }
    let columns = extent(column.into_iter());
    let (Some(rows), Some(columns)) = (rows, columns) else { return zones };
    let (rows, columns) = (around(rows, reach, height), around(columns, reach, width));
    let within = columns.len();
    let sign: Vec<u8> = mask.bytes()[rows.start * width..rows.end * width]
        .chunks_exact(width)
        .flat_map(|row| row[columns.clone()].iter().map(|&c| u8::from(sign(c))))
        .collect();
    let ground: Vec<u8> = sign.iter().map(|s| 1 - s).collect();
    let (near_sign, near_ground) = (dilate(&sign, within, reach), dilate(&ground, within, reach));
    for (i, y) in rows.enumerate() {
        let at = i * within..(i + 1) * within;
        let near = near_sign[at.clone()].iter().zip(&near_ground[at.clone()]);
        let row = &mut zones[y * width..(y + 1) * width][columns.clone()];
        for ((zone, near), sign) in row.iter_mut().zip(near).zip(&sign[at]) {
            *zone = match (near, sign) {
                ((1, 1), _) => Zone::Border,
                (_, 1) => Zone::Inside,
                _ => Zone::Outside,
            };
        }
    }
    zones
}

/// The largest byte that counts as less than half covered.
const HALF: u8 = 127;

/// From the first to behind the last that holds.
fn extent(holds: impl Iterator<Item = bool>) -> Option<Range<usize>> {
    let mut held = holds.enumerate().filter(|(_, holds)| *holds).map(|(i, _)| i);
    let first = held.next()?;
    Some(first..held.last().unwrap_or(first) + 1)
}

/// The range with so much more on both sides as there is.
fn around(range: Range<usize>, more: usize, length: usize) -> Range<usize> {
    range.start.saturating_sub(more)..(range.end + more).min(length)
}

/// Half width of the border in whole pixels, at least 1.
#[must_use]
pub fn border_pixels(height: usize, width: usize) -> usize {
    // 1 / BORDER_SHARE is a whole number
    (height.min(width) / 28).max(1)
}

/// 1 for each pixel whose centre is at most `reach` from the centre of a pixel of the set.
///
/// First the distance along the column, then for each pixel of a row the pixels beside it whose distance leaves
/// it within reach (a disc is a stack of stretches). Row by row and in bytes, so that both become vector code.
fn dilate(set: &[u8], width: usize, reach: usize) -> Vec<u8> {
    let beyond = u8::try_from(reach + 1).unwrap_or(u8::MAX);
    let height = set.len() / width;
    let mut distance: Vec<u8> = set.iter().map(|&s| if s == 0 { beyond } else { 0 }).collect();
    let mut carry = |from: usize, to: usize| {
        let (above, below) = distance.split_at_mut(from.max(to) * width);
        let (from, to) = if from < to {
            (&above[from * width..][..width], &mut below[..width])
        } else {
            (&below[..width], &mut above[to * width..][..width])
        };
        for (to, from) in to.iter_mut().zip(from) {
            *to = (*to).min(from.saturating_add(1));
        }
    };
    (1..height).for_each(|y| carry(y - 1, y));
    (1..height).rev().for_each(|y| carry(y, y - 1));
    let mut near = vec![0_u8; set.len()];
    for (near, distance) in near.chunks_exact_mut(width).zip(distance.chunks_exact(width)) {
        for aside in 0..=reach.min(width - 1) {
            // a stretch at column distance d has half length sqrt(reach^2 - d^2)
            let limit = u8::try_from((reach * reach - aside * aside).isqrt()).unwrap_or(u8::MAX);
            let hit = |d: u8| u8::from(d <= limit);
            let pairs = near[aside..].iter_mut().zip(distance);
            pairs.for_each(|(near, &d)| *near |= hit(d));
            near.iter_mut().zip(&distance[aside..]).for_each(|(near, &d)| *near |= hit(d));
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
        let shapes: [&dyn Fn(usize, usize) -> bool; 8] = [
            &|y, x| (y as f64 - 40.0).hypot(x as f64 - 60.0) < 25.0,
            &|y, x| y > 20 && x > y && x < 100,
            &|y, x| (y * 7 + x * 13) % 41 == 0,
            &|_, x| x < 3,
            &|y, x| y == 44 && x == 111,
            &|y, x| (y + x) % 30 == 0 && y > 80,
            &|_, _| true,
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
