//! Depthwise convolution: every channel has its own window, 7 x 7 in ConvNeXt, 3 x 3 in `MobileNet`.
//!
//! Channels are taken 16 at a time, so that the padded picture of such a group lies in the second cache and the rows
//! under the window in the first. The portable version multiplies in 16 bits (255 * 128 fits) and adds in 32; with
//! AVX2 two columns of the window are one `vpmaddubsw`, with VNNI four are one `vpdpbusd`.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(test)]
mod tests;

use crate::arithmetic::CodeRange;
use crate::buffer::{SharedMut, with_scratch};
use crate::elementwise::compiled;
use crate::epilogue::{Epilogue, LengthError};
use crate::gemm::{ShapeError, demand};
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;
use crate::layout::Window;
use crate::pack::PackError;
#[cfg(target_arch = "x86_64")]
use crate::saturation::Class;
use crate::threads::Threads;

/// Channels that are computed together.
const GROUP: usize = 16;

/// Weights `[C, kernel rows, kernel columns]`, packed.
#[derive(Clone, Debug)]
pub struct DepthwiseWeights {
    channels: usize,
    kernel: [usize; 2],
    /// `[group][row][column][16]`.
    plain: Vec<i8>,
    /// `[group][row][column / 4][16][column % 4]`.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "for AVX-512"))]
    quads: Vec<i8>,
    /// Class of each row of the window, one list a group; `None` where `vpmaddubsw` could saturate.
    #[cfg(target_arch = "x86_64")]
    classes: Vec<Option<Vec<Class>>>,
    sums: Vec<i32>,
}

impl DepthwiseWeights {
    /// Packs `weight(channel, row, column)`.
    ///
    /// # Errors
    /// If there are none, or too many.
    pub fn new(
        channels: usize,
        kernel: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> i8,
    ) -> Result<Self, PackError> {
        let window = kernel[0].checked_mul(kernel[1]).ok_or(PackError::TooLarge)?;
        if channels == 0 || window == 0 {
            return Err(PackError::Empty);
        }
        if window > 1 << 12 {
            return Err(PackError::TooDeep { found: window });
        }
        if channels > 1 << 16 {
            return Err(PackError::TooLarge);
        }
        let groups = channels.div_ceil(GROUP);
        let quads_a_row = kernel[1].div_ceil(4);
        let mut plain = vec![0; groups * window * GROUP];
        let mut quads = vec![0; groups * kernel[0] * quads_a_row * 4 * GROUP];
        let mut sums = vec![0; groups * GROUP];
        for channel in 0..channels {
            let (group, lane) = (channel / GROUP, channel % GROUP);
            for row in 0..kernel[0] {
                for column in 0..kernel[1] {
                    let value = weight(channel, row, column);
                    sums[channel] += i32::from(value);
                    plain[((group * kernel[0] + row) * kernel[1] + column) * GROUP + lane] = value;
                    let quad = (group * kernel[0] + row) * quads_a_row + column / 4;
                    quads[(quad * GROUP + lane) * 4 + column % 4] = value;
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        let classes = quads
            .chunks_exact(kernel[0] * quads_a_row * 4 * GROUP)
            .map(|group| avx2::classes(group, quads_a_row))
            .collect();
        Ok(Self {
            channels,
            kernel,
            plain,
            quads,
            #[cfg(target_arch = "x86_64")]
            classes,
            sums,
        })
    }

    /// C.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Requantization of the sums with activations of zero point `input_zero`.
    ///
    /// # Errors
    /// If there is not one bias and one multiplier a channel.
    pub fn epilogue(
        &self,
        input_zero: u8,
        bias: &[i32],
        multipliers: &[f32],
        range: CodeRange,
    ) -> Result<Epilogue, LengthError> {
        Epilogue::with_sums(&self.sums, self.channels, input_zero, bias, multipliers, range)
    }
}

/// Computes a depthwise convolution of codes with zero point `zero`; a residual of the epilogue does not apply.
///
/// # Errors
/// If the sizes do not fit each other.
pub fn run(
    isa: Isa,
    threads: &Threads,
    window: &Window,
    (codes, zero): (&[u8], u8),
    weights: &DepthwiseWeights,
    epilogue: &Epilogue,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    let Some([rows, columns]) = window.output() else {
        return Err(ShapeError {
            what: "window",
            expected: window.height,
            found: window.kernel[0],
        });
    };
    let c = window.channels;
    demand("channels", weights.channels, c)?;
    demand("kernel rows", weights.kernel[0], window.kernel[0])?;
    demand("kernel columns", weights.kernel[1], window.kernel[1])?;
    demand("picture", window.height * window.width * c, codes.len())?;
    demand("output", rows * columns * c, out.len())?;
    demand("epilogue", weights.sums.len(), epilogue.channels_padded())?;
    let picture = Picture { window, codes, zero, rows, columns };
    let out = SharedMut::new(out);
    threads.for_each(c.div_ceil(GROUP), |group| {
        picture.group(isa, group, weights, epilogue, out);
    });
    Ok(())
}

struct Picture<'a> {
    window: &'a Window,
    codes: &'a [u8],
    zero: u8,
    rows: usize,
    columns: usize,
}

/// Rows of a group of 16 channels with border, `[padded rows][padded columns][16]`.
struct Group<'a> {
    padded: &'a [u8],
    padded_columns: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Columns of the output.
    columns: usize,
}

/// Sums of one row of the output.
type Sums<'a> = &'a mut [[i32; GROUP]];

impl Picture<'_> {
    fn group(
        &self,
        isa: Isa,
        group: usize,
        weights: &DepthwiseWeights,
        epilogue: &Epilogue,
        out: SharedMut<u8>,
    ) {
        let window = self.window;
        let [top, left, bottom, right] = window.pads;
        let c = window.channels;
        let (first, lanes) = (group * GROUP, (c - group * GROUP).min(GROUP));
        let (height, width) = (window.height + top + bottom, window.width + left + right);
        // three columns more: four columns are loaded at once
        let bytes = (height * width + 3) * GROUP;
        with_scratch(bytes, |padded| {
            padded.fill(self.zero);
            for y in 0..window.height {
                let line =
                    &mut padded[((y + top) * width + left) * GROUP..][..window.width * GROUP];
                let cells = line.as_chunks_mut::<GROUP>().0.iter_mut();
                let codes = &self.codes[y * window.width * c..][..window.width * c];
                for (cell, codes) in cells.zip(codes.chunks_exact(c)) {
                    let codes = &codes[first..first + lanes];
                    match codes.first_chunk() {
                        Some(whole) => *cell = *whole,
                        None => cell[..lanes].copy_from_slice(codes),
                    }
                }
            }
            let picture = Group {
                padded,
                padded_columns: width,
                kernel: window.kernel,
                stride: window.stride,
                columns: self.columns,
            };
            let mut finish = |y: usize, sums: &[[i32; GROUP]]| {
                finish_row(isa, epilogue, sums, (y * self.columns, first, c, lanes), out);
            };
            picture.run(isa, group, weights, self.rows, &mut finish);
        });
    }
}

impl Group<'_> {
    fn run(
        &self,
        isa: Isa,
        group: usize,
        weights: &DepthwiseWeights,
        rows: usize,
        finish: &mut dyn FnMut(usize, &[[i32; GROUP]]),
    ) {
        let mut sums = vec![[0_i32; GROUP]; self.columns];
        #[cfg(target_arch = "x86_64")]
        let quads = || {
            let size = self.kernel[0] * self.kernel[1].div_ceil(4) * 4 * GROUP;
            &weights.quads[group * size..][..size]
        };
        match isa.kind() {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vnni | Kind::Amx if self.stride == [1, 1] => {
                // SAFETY: the `Isa` exists, so the processor has AVX-512 VNNI
                unsafe { avx512::rows(self, quads(), rows, &mut sums, finish) }
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 | Kind::AvxVnni
                if self.stride == [1, 1] && weights.classes[group].is_some() =>
            {
                let classes = weights.classes[group].as_deref().unwrap_or(&[]);
                // SAFETY: the `Isa` exists, so the processor has AVX2
                unsafe { avx2::rows(self, (quads(), classes), rows, &mut sums, finish) }
            }
            _ => {
                let size = self.kernel[0] * self.kernel[1] * GROUP;
                let weights = &weights.plain[group * size..][..size];
                for y in 0..rows {
                    row(isa, self, weights, y, &mut sums);
                    finish(y, &sums);
                }
            }
        }
    }
}

compiled! {
    fn row(picture: &Group<'_>, weights: &[i8], y: usize, sums: Sums<'_>) {
        for (x, sums) in sums.iter_mut().enumerate() {
            *sums = [0; GROUP];
            for ky in 0..picture.kernel[0] {
                let line = (y * picture.stride[0] + ky) * picture.padded_columns;
                let start = (line + x * picture.stride[1]) * GROUP;
                let codes = picture.padded[start..][..picture.kernel[1] * GROUP].as_chunks::<GROUP>().0;
                let taps = weights[ky * picture.kernel[1] * GROUP..].as_chunks::<GROUP>().0;
                for (codes, taps) in codes.iter().zip(taps) {
                    for lane in 0..GROUP {
                        // at most 255 * 128 in magnitude
                        let product = i16::from(codes[lane]) * i16::from(taps[lane]);
                        sums[lane] += i32::from(product);
                    }
                }
            }
        }
    }
}

compiled! {
    fn finish_row(
        epilogue: &Epilogue,
        sums: &[[i32; GROUP]],
        place: (usize, usize, usize, usize),
        out: SharedMut<u8>,
    ) {
        let (position, first, channels, lanes) = place;
        for (x, sums) in sums.iter().enumerate() {
            // SAFETY: each group of channels belongs to one task
            let out = unsafe { out.part((position + x) * channels + first, lanes) };
            epilogue.row(sums, first, None, out);
            if let Some(table) = epilogue.table() {
                table.scalar(out);
            }
        }
    }
}
