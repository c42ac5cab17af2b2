//! Which part of the background the sign will cover: nothing is painted there.
//!
//! A sign covers a quarter of a typical picture. What lies behind its inside reaches the finished
//! picture nowhere, except within the reach of the background's own blur, which is left as a margin. The
//! pixels that remain are the same with and without this.

use core::ops::Range;

use crate::camera_pose::{PlaneMap, ScenePose};
use crate::canvas::Canvas;
use crate::plate::Face;

/// Canvas pixels a side of the squares that are decided together.
const BLOCK: usize = 4;
/// Half the diagonal of a square, canvas pixels.
const BLOCK_RADIUS: f32 = 0.5 * BLOCK as f32 * core::f32::consts::SQRT_2;
/// Millimetres a pixel change slowly over the plate; this covers the change within the margin.
const PERSPECTIVE: f32 = 1.1;

/// Mark the canvas pixels that lie behind the face and farther than `margin` output pixels from its
/// edge; `scale` is the number of canvas pixels an output pixel.
pub(crate) fn mark<F: Face>(
    face: &F,
    pose: &ScenePose,
    scale: f32,
    margin: f32,
    canvas: &mut Canvas,
) {
    let map = PlaneMap::new(&pose.camera, &pose.plate, 0.0);
    let shift = 0.5 * canvas.width as f32;
    // position on the picture of a position on the canvas
    let back = |v: f32| (v - shift) / scale + pose.lens.centre;
    // lens distortion moves the output pixels closer together by at most this
    let stretch = 1.0 + 3.0 * pose.lens.k1.abs();
    let clear = PERSPECTIVE * (margin * stretch + BLOCK_RADIUS / scale);
    let half = face.half_mm();
    let blocks = canvas.width.div_ceil(BLOCK);
    canvas.unseen.clear();
    for row in 0..canvas.height.div_ceil(BLOCK) {
        let y = back((row as f32 + 0.5) * BLOCK as f32);
        let behind = |column: usize| {
            let x = back((column as f32 + 0.5) * BLOCK as f32);
            let here = map.at(x, y);
            if here.0.abs() > half[0] || here.1.abs() > half[1] {
                return false;
            }
            let distance = face.signed_distance_mm(here.0, here.1);
            distance < 0.0 && -distance > clear * largest_stretch(&map, (x, y), here)
        };
        let gap = longest_run(blocks, behind);
        for _ in row * BLOCK..((row + 1) * BLOCK).min(canvas.height) {
            canvas.unseen.push(gap.start * BLOCK..(gap.end * BLOCK).min(canvas.width));
        }
    }
}

/// Most millimetres on the plate that one pixel covers in any direction: the larger singular value of
/// the map's derivative.
fn largest_stretch(map: &PlaneMap, (x, y): (f32, f32), here: (f32, f32)) -> f32 {
    let (right, down) = (map.at(x + 1.0, y), map.at(x, y + 1.0));
    let (a, b) = (right.0 - here.0, right.1 - here.1);
    let (c, d) = (down.0 - here.0, down.1 - here.1);
    let (squares, area) = (a * a + b * b + c * c + d * d, a * d - b * c);
    (0.5 * (squares + (squares * squares - 4.0 * area * area).max(0.0).sqrt())).sqrt()
}

/// Longest range of numbers below `count` for all of which the condition holds; 0..0 if for none.
fn longest_run(count: usize, holds: impl Fn(usize) -> bool) -> Range<usize> {
    let (mut best, mut start) = (0..0, None);
    for i in 0..=count {
        match (i < count && holds(i), start) {
            (true, None) => start = Some(i),
            (false, Some(from)) => {
                if i - from > best.len() {
                    best = from..i;
                }
                start = None;
            }
            _ => {}
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::art::SignFace;
    use crate::canvas::Rgb;
    use crate::compose::Scratch;
    use crate::config::tests::{FRONTAL, HIGH};
    use crate::config::{Identity, SceneConfig, Split};
    use crate::environment::Environment;
    use crate::renderer::Renderer;

    #[test]
    fn the_longest_run_is_found_at_both_ends_and_in_the_middle() {
        let runs = |bits: &[bool]| longest_run(bits.len(), |i| bits[i]);
        assert_eq!(runs(&[true, false, true, true]), 2..4);
        assert_eq!(runs(&[true, true, false, true]), 0..2);
        assert_eq!(runs(&[false, false]), 0..0);
    }

    /// Pictures with garbage left in the unseen pixels equal pictures with everything painted.
    #[test]
    fn nothing_of_the_picture_depends_on_the_unseen_pixels() {
        let mut hidden = 0;
        for index in 0..24_u32 {
            let class = u16::try_from(index * 7 % 82).unwrap();
            let id = Identity { split: Split::Test, class, index };
            let level = if index % 2 == 0 { FRONTAL } else { HIGH };
            let environment = Environment::ALL[index as usize % 10];
            let config = SceneConfig::draw(id, &level, environment);
            let face = SignFace::new(class).unwrap();
            let renderer = Renderer::new(128).unwrap();
            let (mut fresh, mut used) = (Scratch::new(128), Scratch::new(128));
            let plain = renderer.render(&config, &face, &mut fresh);
            hidden += fresh.background.unseen.iter().map(Range::len).sum::<usize>();
            used.unseen = Rgb::grey(40.0);
            let other = renderer.render(&config, &face, &mut used);
            assert!(plain == other, "picture {index}");
        }
        assert!(hidden > 24 * 1500, "{hidden}");
    }
}
