//! Every version against the sums written out.

use super::*;

/// Weights are at most `limit` in magnitude, 128 at most.
fn check(
    size: [usize; 2],
    channels: usize,
    (kernel, limit): (usize, i32),
    stride: usize,
    pad: usize,
) {
    let window = Window {
        height: size[0],
        width: size[1],
        channels,
        kernel: [kernel; 2],
        stride: [stride; 2],
        pads: [pad; 4],
    };
    let mut state = 1_u32;
    let mut draw = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as u8
    };
    let codes: Vec<u8> =
        (0..size[0] * size[1] * channels).map(|_| draw().saturating_mul(2)).collect();
    let weights: Vec<i8> = (0..channels * kernel * kernel)
        .map(|_| i32::from(draw() as i8).clamp(-limit, limit.min(127)) as i8)
        .collect();
    let weight = |c: usize, y: usize, x: usize| weights[(c * kernel + y) * kernel + x];
    let packed = DepthwiseWeights::new(channels, [kernel; 2], weight).unwrap();
    let zero = 131;
    let bias: Vec<i32> = (0..channels).map(|c| c as i32 * 1000 - 4000).collect();
    let factors: Vec<f32> = (0..channels).map(|c| 0.002 + c as f32 * 1e-4).collect();
    let range = CodeRange::of(100);
    let epilogue = packed.epilogue(zero, &bias, &factors, range).unwrap();
    let [rows, columns] = window.output().unwrap();
    let mut expected = Vec::new();
    for oy in 0..rows {
        for ox in 0..columns {
            for c in 0..channels {
                let mut sum = bias[c];
                for ky in 0..kernel {
                    for kx in 0..kernel {
                        let (y, x) = (
                            (oy * stride + ky) as i64 - pad as i64,
                            (ox * stride + kx) as i64 - pad as i64,
                        );
                        if (0..size[0] as i64).contains(&y) && (0..size[1] as i64).contains(&x) {
                            let code = codes[(y as usize * size[1] + x as usize) * channels + c];
                            sum +=
                                (i32::from(code) - i32::from(zero)) * i32::from(weight(c, ky, kx));
                        }
                    }
                }
                expected.push(range.code(sum as f32 * factors[c]));
            }
        }
    }
    for isa in Isa::available() {
        for threads in [1, 3] {
            let mut out = vec![0; expected.len()];
            let threads = Threads::new(threads);
            run(isa, &threads, &window, (&codes, zero), &packed, &epilogue, &mut out).unwrap();
            assert_eq!(out, expected, "{isa} {window:?}");
        }
    }
}

#[test]
fn windows_of_all_kinds() {
    // limits: two groups of four columns in one 16-bit sum, one group, not even one
    for limit in [32, 64, 128] {
        for channels in [1, 15, 16, 40] {
            check([7, 7], channels, (7, limit), 1, 3);
            check([14, 9], channels, (3, limit), 1, 1);
            check([9, 17], channels, (3, limit), 2, 1);
            check([12, 12], channels, (5, limit), 1, 0);
            check([1, 1], channels, (7, limit), 1, 3);
            check([6, 30], channels, (4, limit), 1, 2);
            check([5, 21], channels, (11, limit), 1, 5);
        }
    }
}
