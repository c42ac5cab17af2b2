//! Pads a picture so that the windows of a convolution can be read as taps ([`crate::gemm::Activations`]).
//!
//! With stride 1, rows are padded on one side alone: the border at the start of a row is also the border at the end
//! of the row before it, and all positions, border included, form one run:
//!
//! ```text
//! . . . . . .        period = W + 1, valid = W for a 3 x 3 window
//! . x x x x x        (the border cell at the end of a row is the first of the next)
//! . x x x x x .
//! ```
//!
//! With a larger stride, each row of the output is a run of its own. Where such runs are too short to fill a tile, the
//! windows are copied one behind the other instead.

use crate::gemm::{Activations, ShapeError, demand};
use crate::threads::Threads;

/// Bytes beyond the last window that vector loads may reach.
pub(crate) const SLACK: usize = 64;
/// Runs at least so long fill most of a tile.
const SHORT_RUN: usize = 28;
/// Padded pictures above this are refused: 1 GiB.
const MAX_BYTES: usize = 1 << 30;

/// Window of a convolution or pooling over a picture in NHWC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows H of the picture.
    pub height: usize,
    /// Columns W of the picture.
    pub width: usize,
    /// Bytes C of a cell.
    pub channels: usize,
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Rows and columns from window to window.
    pub stride: [usize; 2],
    /// Border above, on the left, below, on the right.
    pub pads: [usize; 4],
}

impl Window {
    /// Rows and columns of the output; `None` if the window does not fit or the numbers are beyond all bounds.
    #[must_use]
    pub fn output(&self) -> Option<[usize; 2]> {
        let [top, left, bottom, right] = self.pads;
        let side = |size: usize, before: usize, after: usize, axis: usize| {
            let padded = size.checked_add(before)?.checked_add(after)?;
            let room = padded.checked_sub(self.kernel[axis])?;
            (self.kernel[axis] > 0).then_some(())?;
            Some(room.checked_div(self.stride[axis])? + 1)
        };
        let output = [side(self.height, top, bottom, 0)?, side(self.width, left, right, 1)?];
        (self.height > 0 && self.width > 0 && self.padded_bytes()? <= MAX_BYTES).then_some(output)
    }

    fn padded_bytes(&self) -> Option<usize> {
        let [top, left, bottom, right] = self.pads;
        let rows = self.height.checked_add(top)?.checked_add(bottom)?;
        let columns = self.width.checked_add(left)?.checked_add(right)?;
        let windows = self.kernel[0].checked_mul(self.kernel[1])?;
        // the copied windows of a stride are no larger than this either
        rows.checked_mul(columns)?.checked_mul(self.channels)?.checked_mul(windows.max(1))
    }

    /// Whether positions can be read from the picture as it is.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.pads == [0; 4]
    }

    /// Number of taps and bytes of each tap: one tap a kernel row.
    #[must_use]
    pub const fn taps(&self) -> (usize, usize) {
        (self.kernel[0], self.kernel[1] * self.channels)
    }

    /// Bytes of scratch memory that [`Window::arrange`] needs.
    #[must_use]
    pub fn scratch(&self) -> usize {
        let Some([rows, columns]) = self.output() else { return 0 };
        match self.plan(columns) {
            Plan::Direct => 0,
            Plan::Flat { period } => {
                let rows = self.height + self.pads[0] + self.pads[2];
                (rows * period + self.kernel[1]) * self.channels + SLACK
            }
            Plan::Rows { period } => {
                (self.height + self.pads[0] + self.pads[2]) * period * self.channels + SLACK
            }
            Plan::Windows { depth } => rows * columns * self.kernel[0] * depth + SLACK,
        }
    }

    fn plan(&self, columns: usize) -> Plan {
        if self.is_direct() {
            return Plan::Direct;
        }
        let padded = self.width + self.pads[1] + self.pads[3];
        if self.stride == [1, 1] {
            let period = self.width + self.pads[1].max(self.pads[3]);
            return if columns <= period {
                Plan::Flat { period }
            } else {
                Plan::Rows { period: padded }
            };
        }
        if columns < SHORT_RUN {
            // whole 64 bytes a tap, as weights are packed
            return Plan::Windows { depth: (self.kernel[1] * self.channels).next_multiple_of(64) };
        }
        Plan::Rows { period: padded }
    }

    /// Copies the picture into `scratch` with its border, and says where the windows lie.
    ///
    /// # Errors
    /// If the picture or the scratch memory has another size than the window says.
    pub fn arrange<'a>(
        &self,
        threads: &Threads,
        codes: &'a [u8],
        zero: u8,
        scratch: &'a mut [u8],
    ) -> Result<Activations<'a>, ShapeError> {
        let Some([rows, columns]) = self.output() else {
            return Err(ShapeError {
                what: "window",
                expected: self.height,
                found: self.kernel[0],
            });
        };
        let c = self.channels;
        demand("picture", self.height * self.width * c, codes.len())?;
        if !self.is_direct() {
            demand("scratch memory", self.scratch(), scratch.len())?;
        }
        Ok(match self.plan(columns) {
            Plan::Direct => Activations::rows(codes, self.height * self.width, c),
            Plan::Flat { period } => {
                self.pad(threads, codes, zero, period, scratch);
                Activations {
                    data: scratch,
                    runs: 1,
                    run_stride: 0,
                    run_length: (rows - 1) * period + columns,
                    step: c,
                    period,
                    valid: columns,
                    tap_stride: period * c,
                }
            }
            Plan::Rows { period } => {
                self.pad(threads, codes, zero, period, scratch);
                Activations {
                    data: scratch,
                    runs: rows,
                    run_stride: self.stride[0] * period * c,
                    run_length: columns,
                    step: self.stride[1] * c,
                    period: columns,
                    valid: columns,
                    tap_stride: period * c,
                }
            }
            Plan::Windows { depth } => {
                self.gather(threads, codes, zero, depth, [rows, columns], scratch);
                Activations {
                    data: scratch,
                    runs: 1,
                    run_stride: 0,
                    run_length: rows * columns,
                    step: self.kernel[0] * depth,
                    period: rows * columns,
                    valid: rows * columns,
                    tap_stride: depth,
                }
            }
        })
    }

    /// Rows of `period` cells, the picture behind the left border.
    fn pad(&self, threads: &Threads, codes: &[u8], zero: u8, period: usize, into: &mut [u8]) {
        let [top, left, ..] = self.pads;
        let (row, line) = (self.width * self.channels, period * self.channels);
        let before = left * self.channels;
        let chunks = crate::elementwise::Chunks::new(into, line);
        // some rows a task: a row alone is not worth waking a thread
        let rows = chunks.count();
        let tasks = (threads.count() * 2).min(rows);
        threads.for_each(tasks, |task| {
            for y in crate::gemm::part(rows, tasks, task) {
                let (_, out) = chunks.take(y);
                match y.checked_sub(top).filter(|y| *y < self.height) {
                    Some(y) => {
                        out[..before].fill(zero);
                        out[before..before + row].copy_from_slice(&codes[y * row..][..row]);
                        out[before + row..].fill(zero);
                    }
                    None => out.fill(zero),
                }
            }
        });
    }

    /// Every window by itself, `depth` bytes a kernel row.
    fn gather(
        &self,
        threads: &Threads,
        codes: &[u8],
        zero: u8,
        depth: usize,
        [rows, columns]: [usize; 2],
        into: &mut [u8],
    ) {
        let length = self.kernel[0] * depth;
        let (into, slack) = into.split_at_mut(rows * columns * length);
        slack.fill(zero);
        let chunks = crate::elementwise::Chunks::new(into, columns * length);
        threads.for_each(rows, |oy| {
            let (_, line) = chunks.take(oy);
            for (ox, window) in line.chunks_exact_mut(length).enumerate() {
                self.copy_window(codes, zero, depth, [oy, ox], window);
            }
        });
    }

    /// The window of one output, `depth` bytes a kernel row.
    pub(crate) fn copy_window(
        &self,
        codes: &[u8],
        zero: u8,
        depth: usize,
        [oy, ox]: [usize; 2],
        window: &mut [u8],
    ) {
        let c = self.channels;
        let first = ox * self.stride[1];
        // columns of the picture that the window meets
        let from = self.pads[1].saturating_sub(first).min(self.kernel[1]);
        let to = (self.width + self.pads[1]).saturating_sub(first).min(self.kernel[1]);
        for (ky, tap) in window.chunks_exact_mut(depth).enumerate() {
            let y = (oy * self.stride[0] + ky).checked_sub(self.pads[0]);
            let Some(y) = y.filter(|y| *y < self.height && from < to) else {
                tap.fill(zero);
                continue;
            };
            let start = (y * self.width + first + from - self.pads[1]) * c;
            tap[..from * c].fill(zero);
            tap[from * c..to * c].copy_from_slice(&codes[start..][..(to - from) * c]);
            tap[to * c..].fill(zero);
        }
    }
}

enum Plan {
    Direct,
    Flat { period: usize },
    Rows { period: usize },
    Windows { depth: usize },
}
