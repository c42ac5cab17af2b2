//! What the windows of some outputs read, when the others need not be computed anew.
//!
//! Outputs that lie anywhere get their windows copied one behind the other ([`Window::arrange_cells`]), which leaves the
//! kernel of a product as it is. Kernels that work on rows get the part of the picture under a rectangle
//! of outputs ([`Window::excerpt`]), its border filled in.

use std::ops::Range;

use crate::gemm::{Activations, ShapeError, demand};
use crate::layout::{SLACK, Window};

impl Window {
    /// Bytes of a kernel row in [`Window::arrange_cells`]: whole 64, as weights are packed, but where there is only one.
    fn tap_bytes(&self) -> usize {
        if self.kernel == [1, 1] {
            self.channels
        } else {
            (self.kernel[1] * self.channels).next_multiple_of(64)
        }
    }

    /// Bytes of scratch memory that [`Window::arrange_cells`] needs for so many outputs.
    #[must_use]
    pub fn scratch_of(&self, outputs: usize) -> usize {
        outputs * self.kernel[0] * self.tap_bytes() + SLACK
    }

    /// Copies the windows of these outputs, each `row * columns + column`, into `scratch`.
    ///
    /// # Errors
    /// If the picture or the scratch memory has another size than the window says, or there is no such output.
    pub fn arrange_cells<'a>(
        &self,
        codes: &[u8],
        zero: u8,
        outputs: &[usize],
        scratch: &'a mut [u8],
    ) -> Result<Activations<'a>, ShapeError> {
        let [rows, columns] = self.fitting(codes)?;
        demand("scratch memory", self.scratch_of(outputs.len()), scratch.len())?;
        let depth = self.tap_bytes();
        let step = self.kernel[0] * depth;
        for (&output, window) in outputs.iter().zip(scratch.chunks_exact_mut(step.max(1))) {
            if output >= rows * columns {
                return Err(ShapeError {
                    what: "outputs",
                    expected: rows * columns,
                    found: output,
                });
            }
            self.copy_window(codes, zero, depth, [output / columns, output % columns], window);
        }
        let count = outputs.len();
        Ok(Activations {
            data: scratch,
            runs: 1,
            run_stride: 0,
            run_length: count,
            step,
            period: count,
            valid: count,
            tap_stride: depth,
        })
    }

    /// The part of a picture that a rectangle of outputs (rows, columns) reads, and the window over it, which has no
    /// border and just these outputs.
    ///
    /// # Errors
    /// If the picture has another size than the window says, or the rectangle is empty or not within the output.
    pub fn excerpt(
        &self,
        codes: &[u8],
        border: u8,
        [rows, columns]: [Range<usize>; 2],
    ) -> Result<(Self, Vec<u8>), ShapeError> {
        let [height, width] = self.fitting(codes)?;
        for (range, whole) in [(&rows, height), (&columns, width)] {
            if range.is_empty() || range.end > whole {
                return Err(ShapeError { what: "outputs", expected: whole, found: range.end });
            }
        }
        let side = |range: &Range<usize>, axis: usize| {
            (range.len() - 1) * self.stride[axis] + self.kernel[axis]
        };
        let part = Self { height: side(&rows, 0), width: side(&columns, 1), pads: [0; 4], ..*self };
        let c = self.channels;
        // of the padded picture
        let (top, left) = (rows.start * self.stride[0], columns.start * self.stride[1]);
        let from = self.pads[1].saturating_sub(left).min(part.width);
        let to = (self.width + self.pads[1]).saturating_sub(left).min(part.width);
        let mut excerpt = vec![border; part.height * part.width * c];
        for (y, line) in excerpt.chunks_exact_mut((part.width * c).max(1)).enumerate() {
            let y = (top + y).checked_sub(self.pads[0]);
            if let Some(y) = y.filter(|y| *y < self.height && from < to) {
                let start = (y * self.width + left + from - self.pads[1]) * c;
                line[from * c..to * c].copy_from_slice(&codes[start..][..(to - from) * c]);
            }
        }
        Ok((part, excerpt))
    }

    /// Rows and columns of the output over this picture.
    fn fitting(&self, codes: &[u8]) -> Result<[usize; 2], ShapeError> {
        demand("picture", self.height * self.width * self.channels, codes.len())?;
        self.output().ok_or(ShapeError {
            what: "window",
            expected: self.height,
            found: self.kernel[0],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CodeRange, Epilogue, Isa, Output, PackedWeights, Threads, gemm, pooling};

    /// Numbers below a limit, the same in every run.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }

        fn window(&mut self) -> Window {
            loop {
                let window = Window {
                    height: 1 + self.below(9),
                    width: 1 + self.below(9),
                    channels: [1, 3, 5, 64, 100][self.below(5)],
                    kernel: [1 + self.below(4), 1 + self.below(4)],
                    stride: [1 + self.below(3), 1 + self.below(3)],
                    pads: [self.below(3), self.below(3), self.below(3), self.below(3)],
                };
                if window.output().is_some() {
                    return window;
                }
            }
        }

        fn range(&mut self, whole: usize) -> Range<usize> {
            let start = self.below(whole);
            start..start + 1 + self.below(whole - start)
        }
    }

    fn codes(window: &Window) -> Vec<u8> {
        let count = window.height * window.width * window.channels;
        (0..count).map(|i| (i * 97 + i / 5 + 1) as u8).collect()
    }

    #[test]
    fn some_outputs_are_those_of_the_whole() {
        let (mut draw, threads) = (Draw(3), Threads::single());
        for _ in 0..200 {
            let window = draw.window();
            let x = codes(&window);
            let ((taps, depth), zero, n) = (window.taps(), 77, 33);
            let weight = |n: usize, t: usize, k: usize| (n * 31 + t * 17 + k * 7) as u8 as i8 / 4;
            let weights = PackedWeights::new(n, taps, depth, weight).unwrap();
            let (bias, factors) = (vec![5; n], vec![0.001; n]);
            let range = CodeRange::of(120);
            let epilogue = Epilogue::new(&weights, zero, &bias, &factors, range).unwrap();
            let [rows, columns] = window.output().unwrap();
            let count = 1 + draw.below(20);
            let outputs: Vec<usize> = (0..count).map(|_| draw.below(rows * columns)).collect();
            for isa in Isa::available() {
                let run = |x: &Activations<'_>| {
                    let mut out = vec![0; x.positions() * n];
                    let into = Output::Codes(&mut out);
                    gemm::run(isa, &threads, x, &weights, &epilogue, None, into).unwrap();
                    out
                };
                let mut scratch = vec![9; window.scratch()];
                let whole = run(&window.arrange(&threads, &x, zero, &mut scratch).unwrap());
                let mut scratch = vec![200; window.scratch_of(outputs.len())];
                let some = run(&window.arrange_cells(&x, zero, &outputs, &mut scratch).unwrap());
                for (&output, found) in outputs.iter().zip(some.chunks_exact(n)) {
                    assert_eq!(found, &whole[output * n..][..n], "{isa} {window:?} {output}");
                }
            }
        }
    }

    #[test]
    fn an_excerpt_has_the_outputs_of_its_rectangle() {
        let (mut draw, threads) = (Draw(4), Threads::single());
        for _ in 0..2_000 {
            let window = draw.window();
            let (x, c) = (codes(&window), window.channels);
            let [rows, columns] = window.output().unwrap();
            let rectangle = [draw.range(rows), draw.range(columns)];
            let run = |window: &Window, x: &[u8]| {
                let [rows, columns] = window.output().unwrap();
                let mut out = vec![0; rows * columns * c];
                pooling::max(Isa::SCALAR, &threads, window, x, &mut out).unwrap();
                out
            };
            let whole = run(&window, &x);
            let (part, excerpt) = window.excerpt(&x, 0, rectangle.clone()).unwrap();
            let some = run(&part, &excerpt);
            let [ys, xs] = rectangle;
            assert_eq!(part.output(), Some([ys.len(), xs.len()]));
            let cells = ys.flat_map(|y| xs.clone().map(move |x| y * columns + x));
            for (cell, found) in cells.zip(some.chunks_exact(c)) {
                assert_eq!(found, &whole[cell * c..][..c], "{window:?} {cell}");
            }
        }
    }

    #[test]
    fn outputs_that_are_not_there_are_refused() {
        let window = Window {
            height: 4,
            width: 4,
            channels: 2,
            kernel: [3, 3],
            stride: [1, 1],
            pads: [0; 4],
        };
        let x = codes(&window);
        let mut scratch = vec![0; window.scratch_of(1)];
        assert!(window.arrange_cells(&x, 0, &[3], &mut scratch).is_ok());
        assert!(window.arrange_cells(&x, 0, &[4], &mut scratch).is_err());
        assert!(window.arrange_cells(&x[1..], 0, &[3], &mut scratch).is_err());
        assert!(window.arrange_cells(&x, 0, &[2, 3], &mut scratch).is_err());
        assert!(window.excerpt(&x, 0, [0..2, 0..2]).is_ok());
        assert!(window.excerpt(&x, 0, [0..2, 1..3]).is_err());
        assert!(window.excerpt(&x, 0, [0..2, 1..1]).is_err());
    }
}
