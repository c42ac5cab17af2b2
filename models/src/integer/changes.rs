//! Which cells of a tensor differ from those of the call before, and which cells of an output that can reach.

use std::ops::Range;

use kernels::layout::Window;

/// One flag a cell, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    width: usize,
    flags: Vec<bool>,
}

impl Changes {
    /// No cell differs.
    pub(crate) fn none([height, width]: [usize; 2]) -> Self {
        Self { width: width.max(1), flags: vec![false; height * width] }
    }

    /// The cells in which two tensors of codes differ.
    pub(crate) fn between(size: [usize; 2], before: &[u8], now: &[u8]) -> Self {
        let mut changes = Self::none(size);
        let channels = (now.len() / changes.flags.len().max(1)).max(1);
        let row = changes.width * channels;
        let rows = before.chunks_exact(row).zip(now.chunks_exact(row));
        for (flags, (before, now)) in changes.flags.chunks_exact_mut(changes.width).zip(rows) {
            // of most pictures most rows are equal, and whole rows are compared fast
            if before != now {
                let cells = before.chunks_exact(channels).zip(now.chunks_exact(channels));
                for (flag, (before, now)) in flags.iter_mut().zip(cells) {
                    *flag = before != now;
                }
            }
        }
        changes
    }

    /// Marks a cell.
    pub(crate) fn mark(&mut self, cell: usize) {
        self.flags[cell] = true;
    }

    /// Marks those of another tensor of the same size.
    pub(crate) fn add(&mut self, other: &Self) {
        self.flags.iter_mut().zip(&other.flags).for_each(|(flag, other)| *flag |= other);
    }

    /// Whether no cell differs.
    pub(crate) fn is_empty(&self) -> bool {
        !self.flags.contains(&true)
    }

    /// Number of all cells, marked or not.
    pub(crate) const fn size(&self) -> usize {
        self.flags.len()
    }

    /// The marked cells in the order of memory.
    pub(crate) fn cells(&self) -> Vec<usize> {
        self.flags.iter().enumerate().filter_map(|(cell, flag)| flag.then_some(cell)).collect()
    }

    /// Rows and columns of the smallest rectangle around all marks; `None` without any.
    pub(crate) fn rectangle(&self) -> Option<[Range<usize>; 2]> {
        let (mut rows, mut columns) = (None, None);
        let wider = |range: Option<Range<usize>>, at: usize| match range {
            None => at..at + 1,
            Some(range) => range.start.min(at)..range.end.max(at + 1),
        };
        for (y, flags) in self.flags.chunks_exact(self.width).enumerate() {
            if let Some(first) = flags.iter().position(|f| *f) {
                let last = flags.iter().rposition(|f| *f).unwrap_or(first);
                rows = Some(wider(rows, y));
                columns = Some(wider(Some(wider(columns, first)), last));
            }
        }
        Some([rows?, columns?])
    }

    /// Marks the smallest rectangle around all marks.
    pub(crate) fn fill_rectangle(&mut self) {
        let Some([rows, columns]) = self.rectangle() else { return };
        for y in rows {
            self.flags[y * self.width..][columns.clone()].fill(true);
        }
    }

    /// The outputs whose windows hold a marked cell: no other output can differ.
    pub(crate) fn through(&self, window: &Window) -> Self {
        let Some([rows, columns]) = window.output() else { return Self::none([0, 0]) };
        let mut outputs = Self::none([rows, columns]);
        let mut line = vec![false; columns];
        for (y, flags) in self.flags.chunks_exact(self.width).enumerate() {
            if !flags.contains(&true) {
                continue;
            }
            line.fill(false);
            for (x, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
                line[readers(x, window, 1, columns)].fill(true);
            }
            for oy in readers(y, window, 0, rows) {
                let row = &mut outputs.flags[oy * columns..][..columns];
                row.iter_mut().zip(&line).for_each(|(flag, reached)| *flag |= reached);
            }
        }
        outputs
    }
}

/// The outputs along an axis (0: rows, 1: columns) whose windows hold this row or column of the picture.
fn readers(at: usize, window: &Window, axis: usize, outputs: usize) -> Range<usize> {
    let at = at + window.pads[axis];
    let (kernel, stride) = (window.kernel[axis], window.stride[axis]);
    // output o reads from o * stride to o * stride + kernel - 1
    let end = (at / stride + 1).min(outputs);
    let start = (at + 1).saturating_sub(kernel).div_ceil(stride).min(end);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers below a limit, the same in every run.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % limit
        }
    }

    fn windows(draw: &mut Draw) -> Window {
        loop {
            let window = Window {
                height: 1 + draw.below(12),
                width: 1 + draw.below(12),
                channels: 1,
                kernel: [1 + draw.below(7), 1 + draw.below(7)],
                stride: [1 + draw.below(4), 1 + draw.below(4)],
                pads: [draw.below(4), draw.below(4), draw.below(4), draw.below(4)],
            };
            if window.output().is_some() {
                return window;
            }
        }
    }

    /// Whether an output's window holds a cell, by walking through the window.
    fn holds(window: &Window, output: usize, cell: usize) -> bool {
        let [_, columns] = window.output().unwrap();
        let (oy, ox) = (output / columns, output % columns);
        let (y, x) = (cell / window.width, cell % window.width);
        (0..window.kernel[0]).any(|ky| oy * window.stride[0] + ky == y + window.pads[0])
            && (0..window.kernel[1]).any(|kx| ox * window.stride[1] + kx == x + window.pads[1])
    }

    #[test]
    fn exactly_the_outputs_whose_windows_hold_a_changed_cell_are_reached() {
        let mut draw = Draw(5);
        let mut reached = 0;
        for _ in 0..2_000 {
            let window = windows(&mut draw);
            let mut changes = Changes::none([window.height, window.width]);
            for _ in 0..draw.below(4) {
                changes.mark(draw.below(window.height * window.width));
            }
            let [rows, columns] = window.output().unwrap();
            let outputs = changes.through(&window);
            assert_eq!(outputs.size(), rows * columns);
            for output in 0..rows * columns {
                let expected = changes.cells().iter().any(|cell| holds(&window, output, *cell));
                assert_eq!(outputs.flags[output], expected, "{window:?}, output {output}");
                reached += usize::from(expected);
            }
            assert_eq!(outputs.is_empty(), outputs.cells().is_empty());
        }
        assert!(reached > 2_000, "only {reached} outputs reached: nothing was tested");
    }

    #[test]
    fn a_rectangle_is_the_smallest_around_all_marks() {
        let mut draw = Draw(9);
        for _ in 0..500 {
            let (height, width) = (1 + draw.below(9), 1 + draw.below(9));
            let mut changes = Changes::none([height, width]);
            for _ in 0..draw.below(5) {
                changes.mark(draw.below(height * width));
            }
            let cells = changes.cells();
            let ends = |of: &dyn Fn(usize) -> usize| {
                let low = cells.iter().map(|c| of(*c)).min()?;
                let high = cells.iter().map(|c| of(*c)).max()?;
                Some(low..high + 1)
            };
            let expected = ends(&|c| c / width).zip(ends(&|c| c % width));
            assert_eq!(changes.rectangle(), expected.clone().map(|(y, x)| [y, x]));
            changes.fill_rectangle();
            let area = expected.map_or(0, |(y, x)| y.len() * x.len());
            assert_eq!(changes.cells().len(), area);
        }
    }

    #[test]
    fn cells_that_differ_in_any_channel_are_found() {
        let (size, channels) = ([3, 4], 5);
        let codes: Vec<u8> = (0..60).collect();
        assert!(Changes::between(size, &codes, &codes).is_empty());
        for cell in 0..12 {
            for channel in 0..channels {
                let mut other = codes.clone();
                other[cell * channels + channel] ^= 1;
                assert_eq!(Changes::between(size, &codes, &other).cells(), [cell]);
            }
        }
    }
}
