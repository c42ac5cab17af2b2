//! Every kernel against the sums written out, at sizes with and without remainders, saturating codes included.

use super::*;
use crate::arithmetic::CodeRange;
use crate::epilogue::{Rescale, Residual};
use crate::layout::Window;

/// Numbers that look random and are the same everywhere (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn codes(&mut self, count: usize, saturating: bool) -> Vec<u8> {
        (0..count).map(|_| if saturating { 255 } else { self.next() as u8 }).collect()
    }

    /// `bits` 6 and 7: at most 32 and 64 in magnitude; 0: mostly small ones; 8: all values, the most negative often.
    fn weights(&mut self, count: usize, bits: u32) -> Vec<i8> {
        let one = |v: u64| match bits {
            0 if !v.is_multiple_of(40) => (v % 17) as i8 - 8,
            6 if v.is_multiple_of(2) => 32,
            6 => (v % 65) as i8 - 32,
            7 => ((v % 129) as i32 - 64) as i8,
            _ if v.is_multiple_of(3) => -128,
            _ if v % 3 == 1 => 127,
            _ => v as i8,
        };
        (0..count).map(|_| one(self.next() >> 8)).collect()
    }
}

struct Case {
    window: Window,
    channels: usize,
    bits: u32,
    saturating: bool,
    variant: usize,
}

/// What the convolution must give, straight from its definition.
fn expected(case: &Case, x: &[u8], zero: u8, w: &[i8], acc_bias: &[i32]) -> Vec<i32> {
    let window = &case.window;
    let [rows, columns] = window.output().unwrap();
    let c = window.channels;
    let mut out = Vec::new();
    for oy in 0..rows {
        for ox in 0..columns {
            for n in 0..case.channels {
                let mut sum = acc_bias[n];
                for ky in 0..window.kernel[0] {
                    for kx in 0..window.kernel[1] {
                        let y = (oy * window.stride[0] + ky).checked_sub(window.pads[0]);
                        let x_at = (ox * window.stride[1] + kx).checked_sub(window.pads[1]);
                        for k in 0..c {
                            let code = match (y, x_at) {
                                (Some(y), Some(xx)) if y < window.height && xx < window.width => {
                                    x[(y * window.width + xx) * c + k]
                                }
                                _ => zero,
                            };
                            let at = ((n * window.kernel[0] + ky) * window.kernel[1] + kx) * c + k;
                            sum += (i32::from(code) - i32::from(zero)) * i32::from(w[at]);
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn check(case: &Case, seed: u64) {
    let mut draw = Draw(seed);
    let window = &case.window;
    let (taps, depth) = window.taps();
    let x = draw.codes(window.height * window.width * window.channels, case.saturating);
    let w = draw.weights(case.channels * taps * depth, case.bits);
    let zero = draw.next() as u8;
    let bias: Vec<i32> = (0..case.channels).map(|_| draw.next() as i32 >> 12).collect();
    let sums = expected(case, &x, zero, &w, &bias);
    let scale = 100.0 / sums.iter().map(|s| s.abs()).max().unwrap().max(1) as f32;
    let factors: Vec<f32> =
        (0..case.channels).map(|_| scale * (1.0 + (draw.next() % 8) as f32 / 4.0)).collect();
    let packed =
        PackedWeights::new(case.channels, taps, depth, |n, t, k| w[(n * taps + t) * depth + k])
            .unwrap();
    let ranges = [CodeRange::of(draw.next() as u8), CodeRange::relu(draw.next() as u8)];
    let range = ranges[case.variant % 2];
    let mut epilogue = Epilogue::new(&packed, zero, &bias, &factors, range).unwrap();
    let table: [u8; 256] = std::array::from_fn(|i| (i * 91 + 5) as u8);
    let rescale = Rescale {
        factors: (0..case.channels).map(|n| 0.3 + n as f32 / 64.0).collect(),
        offsets: (0..case.channels).map(|n| n as f32 / 8.0 - 1.0).collect(),
        range: CodeRange::of(77),
    };
    let rounded = case.variant != 4;
    let own = if rounded { 0.75 } else { 1.0 };
    let range_of_sum = CodeRange::relu(3);
    let residual = Residual { own, rounded, other: 0.5, other_zero: 9, range: range_of_sum };
    match case.variant {
        0 => {}
        1 => epilogue = epilogue.with_table(&table),
        2 | 4 => epilogue = epilogue.with_residual(residual),
        _ => {
            let rescaled = epilogue.with_rescale(case.channels, rescale.clone()).unwrap();
            epilogue = rescaled.with_residual(residual);
        }
    }
    let other = draw.codes(sums.len(), false);
    let codes: Vec<u8> = sums
        .iter()
        .enumerate()
        .map(|(i, &sum)| {
            let n = i % case.channels;
            let code = range.code(sum as f32 * factors[n]);
            let add = |own: u8, own_zero: i32| {
                let own = (i32::from(own) - own_zero) as f32 * residual.own;
                residual.range.code(own + (f32::from(other[i]) - 9.0) * residual.other)
            };
            match case.variant {
                0 => code,
                1 => table[usize::from(code)],
                2 => add(code, range.zero()),
                4 => {
                    let other = (f32::from(other[i]) - 9.0) * residual.other;
                    residual.range.code(sum as f32 * factors[n] + other)
                }
                _ => {
                    let own = (i32::from(code) - range.zero()) as f32 * rescale.factors[n]
                        + rescale.offsets[n];
                    add(rescale.range.code(own), 77)
                }
            }
        })
        .collect();
    for isa in Isa::available() {
        for threads in [1, 3] {
            let threads = Threads::new(threads);
            let mut out = vec![0; codes.len()];
            let mut floats = vec![0.0; codes.len()];
            with_scratch(window.scratch(), |scratch| {
                scratch.fill(0xaa);
                let x = window.arrange(&threads, &x, zero, scratch).unwrap();
                let other = (case.variant > 1).then_some(&other[..]);
                run(isa, &threads, &x, &packed, &epilogue, other, Output::Codes(&mut out)).unwrap();
                let out = Output::Floats(&mut floats);
                run(isa, &threads, &x, &packed, &epilogue, other, out).unwrap();
            });
            let wrong = out.iter().zip(&codes).position(|(a, b)| a != b);
            assert_eq!(wrong, None, "{isa} {:?} N {}", window, case.channels);
            for (i, (&float, &sum)) in floats.iter().zip(&sums).enumerate() {
                assert_eq!(float, sum as f32 * factors[i % case.channels], "{isa} {window:?}");
            }
        }
    }
}

fn square(size: usize, channels: usize, kernel: usize, stride: usize, pad: usize) -> Window {
    Window {
        height: size,
        width: size,
        channels,
        kernel: [kernel; 2],
        stride: [stride; 2],
        pads: [pad; 4],
    }
}

#[test]
fn linear_layers_of_every_remainder() {
    for depth in [1, 3, 4, 5, 31, 64, 65, 96, 128, 200] {
        for (positions, channels) in [(1, 82), (5, 16), (15, 33), (17, 31), (33, 32), (48, 1)] {
            for (bits, saturating) in [(0, true), (6, true), (7, false), (8, false), (8, true)] {
                let window = Window { height: 1, width: positions, ..square(1, depth, 1, 1, 0) };
                let variant = (depth + positions) % 5;
                check(&Case { window, channels, bits, saturating, variant }, depth as u64);
            }
        }
    }
}

#[test]
fn convolutions_of_the_networks_in_small() {
    let windows = [
        square(7, 64, 3, 1, 1),
        square(14, 32, 3, 1, 1),
        square(9, 20, 3, 1, 1),
        square(14, 64, 3, 2, 1),
        square(60, 16, 3, 2, 1),
        square(16, 64, 1, 2, 0),
        square(64, 4, 7, 2, 3),
        square(16, 4, 4, 4, 0),
        square(8, 96, 2, 2, 0),
        square(5, 8, 5, 1, 2),
        Window { pads: [1, 0, 2, 3], ..square(9, 12, 3, 1, 0) },
        Window { pads: [0, 2, 0, 0], height: 4, ..square(11, 12, 3, 1, 0) },
        Window { pads: [2; 4], ..square(3, 4, 1, 1, 0) },
    ];
    for (i, window) in windows.into_iter().enumerate() {
        for (bits, saturating) in [(0, false), (6, true), (7, false), (8, true)] {
            for variant in [i % 5, (i + 2) % 5] {
                check(&Case { window, channels: 40, bits, saturating, variant }, i as u64);
            }
        }
    }
}

#[test]
fn tensors_of_the_wrong_size_are_refused() {
    let packed = PackedWeights::new(4, 1, 8, |_, _, _| 1).unwrap();
    let epilogue = Epilogue::new(&packed, 0, &[0; 4], &[1.0; 4], CodeRange::of(0)).unwrap();
    let x = [0_u8; 24];
    let run = |positions: usize, out: &mut [u8]| {
        let x = Activations::rows(&x, positions, 8);
        run(Isa::SCALAR, &Threads::single(), &x, &packed, &epilogue, None, Output::Codes(out))
    };
    run(3, &mut [0; 12]).unwrap();
    run(4, &mut [0; 16]).unwrap_err();
    run(3, &mut [0; 11]).unwrap_err();
    run(usize::MAX, &mut [0; 12]).unwrap_err();
}

/// A processor without dot product would pass every other test without having run that code.
#[cfg(target_arch = "aarch64")]
#[test]
#[expect(clippy::print_stdout, reason = "the number is evidence for whoever runs it")]
fn dot_product_code_runs_where_the_processor_has_it_and_only_there() {
    use std::sync::atomic::Ordering::Relaxed;

    let there = Isa::available().iter().any(|isa| isa.name() == "neon-dot");
    for window in [square(7, 64, 3, 1, 1), square(5, 8, 1, 1, 0)] {
        let before = neon::DOT_TILES.load(Relaxed);
        check(&Case { window, channels: 40, bits: 8, saturating: true, variant: 1 }, 7);
        assert_eq!(neon::DOT_TILES.load(Relaxed) > before, there);
    }
    println!("tiles computed by sdot so far: {}", neon::DOT_TILES.load(Relaxed));
}
