//! Painting the nearest things first: what something opaque hides is never shaded.
//!
//! The painter's algorithm lays things over each other from far to near, and much of what it shades is
//! covered later. Here things come in the opposite order. An opaque surface closes its pixels: whatever
//! lies behind leaves them alone. What is half transparent needs to know what lies behind it, so it waits
//! as a [`Layer`] until sky and ground are painted, and then all that wait are laid over each other from
//! far to near. Every pixel thus goes through the operations of the painter's algorithm in their order,
//! less those whose result an opaque surface would have replaced: the picture has the same bits.

use crate::canvas::{Canvas, Rgb};

/// Number of a thing, from 1 on, the nearest first. [`OPEN`] stands for none.
type Thing = u32;
const OPEN: Thing = 0;
/// Closes the pixels on which nothing of the finished picture depends.
const UNSEEN: Thing = Thing::MAX;

/// What waits to be laid over a pixel.
#[derive(Clone, Copy, Debug)]
struct Layer {
    pixel: u32,
    paint: Paint,
}

#[derive(Clone, Copy, Debug)]
enum Paint {
    /// A colour and its opacity.
    Over(Rgb, f32),
    /// A shadow: a factor.
    Times(Rgb),
}

impl Paint {
    #[inline]
    fn lay(self, pixel: &mut Rgb) {
        *pixel = match self {
            Self::Over(colour, opacity) => pixel.mix(colour, opacity),
            Self::Times(factor) => pixel.times(factor),
        };
    }
}

/// Which pixels are closed, and what waits.
#[derive(Debug)]
pub(super) struct Layers {
    /// The thing that closed each pixel.
    closed_by: Vec<Thing>,
    /// The thing that is being painted; [`OPEN`] while painting goes straight to the canvas.
    current: Thing,
    waiting: Vec<Layer>,
    /// How many layers waited when each thing began.
    starts: Vec<usize>,
}

impl Layers {
    /// Nothing painted; the unseen pixels of the canvas are closed.
    pub(super) fn new(canvas: &Canvas) -> Self {
        let mut closed_by = vec![OPEN; canvas.width * canvas.height];
        for (row, gap) in closed_by.chunks_exact_mut(canvas.width.max(1)).zip(&canvas.unseen) {
            if let Some(row) = row.get_mut(gap.clone()) {
                row.fill(UNSEEN);
            }
        }
        Self { closed_by, current: OPEN, waiting: Vec::new(), starts: Vec::new() }
    }

    /// Begin the next thing; it lies behind all before it.
    pub(super) fn begin(&mut self) {
        self.starts.push(self.waiting.len());
        self.current = Thing::try_from(self.starts.len()).unwrap_or(UNSEEN);
    }

    /// From now on paint what lies behind all things, far to near.
    pub(super) fn begin_backdrop(&mut self) {
        self.current = OPEN;
    }

    /// Whether something nearer hides a pixel.
    #[inline]
    pub(super) fn hides(&self, index: usize) -> bool {
        let by = self.closed_by[index];
        by != OPEN && by != self.current
    }

    /// For each pixel, whether no thing has closed it.
    pub(super) fn open(&self) -> impl Iterator<Item = bool> + '_ {
        self.closed_by.iter().map(|&by| by == OPEN)
    }

    /// Paint something opaque.
    #[inline]
    pub(super) fn set(&mut self, index: usize, pixel: &mut Rgb, colour: Rgb) {
        *pixel = colour;
        self.closed_by[index] = self.current;
    }

    /// Lay a colour over a pixel.
    #[inline]
    pub(super) fn over(&mut self, index: usize, pixel: &mut Rgb, colour: Rgb, opacity: f32) {
        self.lay(index, pixel, Paint::Over(colour, opacity));
    }

    /// Multiply a pixel by a factor.
    #[inline]
    pub(super) fn times(&mut self, index: usize, pixel: &mut Rgb, factor: Rgb) {
        self.lay(index, pixel, Paint::Times(factor));
    }

    #[inline]
    fn lay(&mut self, index: usize, pixel: &mut Rgb, paint: Paint) {
        // a canvas has at most 4,096 pixels a side
        #[expect(clippy::cast_possible_truncation, reason = "below 2^24")]
        let place = index as u32;
        // what lies below is known if this thing closed the pixel, or if no thing is being painted
        if self.closed_by[index] == self.current {
            paint.lay(pixel);
        } else {
            self.waiting.push(Layer { pixel: place, paint });
        }
    }

    /// Lay everything that waits, far to near.
    pub(super) fn finish(&mut self, canvas: &mut Canvas) {
        let mut end = self.waiting.len();
        for (before, &start) in self.starts.iter().enumerate().rev() {
            let thing = Thing::try_from(before + 1).unwrap_or(UNSEEN);
            for layer in &self.waiting[start..end] {
                let index = layer.pixel as usize;
                // what a thing laid before it closed the pixel itself is covered
                if self.closed_by[index] != thing {
                    layer.paint.lay(&mut canvas.pixels[index]);
                }
            }
            end = start;
        }
        self.waiting.clear();
        self.starts.clear();
    }
}

#[cfg(test)]
mod tests {
    use crate::canvas::{Canvas, Rgb};
    use crate::environment::painter::Painter;
    use crate::environment::scene::Scene;
    use crate::environment::testing;
    use crate::rng::Stream;

    /// Quads that are opaque in part, poles and shadows, one over the other.
    fn paint_thing(p: &mut Painter<'_>, number: u64) {
        let mut s = Stream::new("layers-test", &[number]);
        let (right, up) = (p.camera.rotation.right, p.camera.rotation.up);
        for _ in 0..4 {
            let depth = s.range(3.0, 40.0);
            let mut across = || 0.3 * depth * s.range(-1.0, 1.0);
            let corner = right.scale(across()).plus(up.scale(across()));
            let (wide, tall) = (right.scale(across()), up.scale(across()));
            let corner =
                p.camera.position.plus(p.camera.rotation.forward.scale(depth)).plus(corner);
            let colour = Rgb::new(s.unit(), s.unit(), s.unit());
            let (cut, opacity) = (wide.length() * s.unit(), s.unit());
            match s.below(4) {
                0 => p.pole(corner, corner.plus(wide).plus(tall), 0.2, 0.01, colour),
                1 => p.darken(corner, wide, tall, |_, _, _| colour),
                _ => p.quad(corner, wide, tall, |u, _, _| {
                    (colour, if u < cut { 1.0 } else { opacity })
                }),
            }
        }
    }

    #[test]
    fn near_to_far_gives_the_bits_of_far_to_near() {
        for seed in 0..12 {
            let view = testing::view(seed);
            let numbers = 100 * seed..100 * seed + 30;
            let mut far_to_near = Canvas::new(64, 64, Rgb::grey(0.4));
            let mut painter = Painter::new(&mut far_to_near, &view, Rgb::grey(0.8), 100.0);
            numbers.clone().for_each(|number| paint_thing(&mut painter, number));

            let mut near_to_far = Canvas::new(64, 64, Rgb::grey(9.0));
            let mut painter = Painter::new(&mut near_to_far, &view, Rgb::grey(0.8), 100.0);
            let mut scene = Scene::new();
            for (nearer, number) in (0_u8..).zip(numbers.clone()) {
                if number % 100 < 5 {
                    scene.add_on_ground(move |p| paint_thing(p, number));
                } else {
                    scene.add(-f32::from(nearer), move |p| paint_thing(p, number));
                }
            }
            scene.paint(&mut painter, |p| {
                let open: Vec<bool> = p.layers.open().collect();
                assert!(open.contains(&true) && open.contains(&false), "view {seed}");
                for (pixel, open) in p.canvas.pixels.iter_mut().zip(open) {
                    if open {
                        *pixel = Rgb::grey(0.4);
                    }
                }
            });
            let bits = |c: &Canvas| -> Vec<[u32; 3]> {
                c.pixels.iter().map(|p| [p.r, p.g, p.b].map(f32::to_bits)).collect()
            };
            assert!(bits(&far_to_near) == bits(&near_to_far), "view {seed}");
        }
    }
}
