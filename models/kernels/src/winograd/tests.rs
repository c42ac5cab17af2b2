//! The algebra, the ranges that the module promises, and every version against the direct form in portable code.

use proptest::prelude::*;

use super::job::NEEDS;
use super::transform::{self, INVERSE_OF_NINE, Lanes};
use super::*;
use crate::arithmetic::CodeRange;
use crate::buffer::with_scratch;
use crate::epilogue::{Rescale, Residual};
use crate::gemm::{self, Output};

impl Lanes for i64 {
    fn zero() -> Self {
        0
    }

    fn add(self, other: Self) -> Self {
        self + other
    }

    fn sub(self, other: Self) -> Self {
        self - other
    }

    fn double(self) -> Self {
        2 * self
    }

    fn four(self) -> Self {
        4 * self
    }

    fn six(self) -> Self {
        6 * self
    }
}

/// Coefficients of each result of a linear function: `[results][arguments]`.
fn matrix<const A: usize, const R: usize>(f: impl Fn([i64; A]) -> [i64; R]) -> [[i64; A]; R] {
    let mut rows = [[0; A]; R];
    for argument in 0..A {
        let mut unit = [0; A];
        unit[argument] = 1;
        for (row, value) in rows.iter_mut().zip(f(unit)) {
            row[argument] = value;
        }
    }
    rows
}

#[test]
fn transforms_give_the_sums_of_the_direct_form_times_9_and_a_power_of_two() {
    let [b, g] = [
        matrix(transform::input::<i64>).map(Vec::from),
        matrix(transform::weights::<i64>).map(Vec::from),
    ];
    let a = matrix(transform::output::<i64>);
    for (row, excess) in transform::EXCESS.into_iter().enumerate() {
        for cell in 0..NEEDS {
            for weight in 0..3 {
                let factor: i64 = (0..NEEDS).map(|e| a[row][e] * b[e][cell] * g[e][weight]).sum();
                let expected = if cell == row + weight { 3 << excess } else { 0 };
                assert_eq!(factor, expected, "result {row} of cell {cell} and weight {weight}");
            }
        }
    }
    assert_eq!(INVERSE_OF_NINE.wrapping_mul(9), 1);
    assert_eq!(transform::EXCESS.iter().max(), Some(&3), "sums end at 2^(31 - 6)");
}

#[test]
fn numbers_stay_within_16_bits() {
    let extremes = |rows: &[Vec<i64>]| {
        let of = |row: &Vec<i64>, sign: i64| row.iter().map(|c| (sign * c).max(0)).sum::<i64>();
        let mut most = (0, 0);
        for i in rows {
            for j in rows {
                let positive = of(i, 1) * of(j, 1) + of(i, -1) * of(j, -1);
                let negative = of(i, 1) * of(j, -1) + of(i, -1) * of(j, 1);
                most = (most.0.max(positive), most.1.max(negative));
            }
        }
        most
    };
    let b = extremes(&matrix(transform::input::<i64>).map(Vec::from));
    let g = extremes(&matrix(transform::weights::<i64>).map(Vec::from));
    assert_eq!((b, g.0.max(g.1)), ((68, 50), 49));
    assert!(i16::try_from(68 * 255).is_ok() && i16::try_from(-50 * 255).is_ok());
    assert!(i16::try_from(49 * 128).is_ok());
    let two_products = 2 * 68 * 255 * 49 * 128_i64;
    assert!(i32::try_from(two_products).is_ok(), "one instruction adds two products");
}

#[derive(Clone, Copy, Debug)]
enum Weights {
    /// From -64 to 64.
    Trained,
    /// All the same.
    All(i8),
    /// The largest of either sign, as often.
    Alternating,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    size: [usize; 2],
    pads: [usize; 4],
    channels: [usize; 2],
    weights: Weights,
    codes: Option<u8>,
    zero: u8,
    epilogue: usize,
}

fn check(case: Case) {
    let [c, n] = case.channels;
    let [height, width] = case.size;
    let window =
        Window { height, width, channels: c, kernel: [3; 2], stride: [1; 2], pads: case.pads };
    let mut state = 1_u32;
    let mut draw = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as u8
    };
    let codes: Vec<u8> =
        (0..height * width * c).map(|_| case.codes.unwrap_or_else(&mut draw)).collect();
    let drawn: Vec<i8> = (0..n * 9 * c)
        .map(|i| match case.weights {
            Weights::Trained => (i32::from(draw() % 129) - 64) as i8,
            Weights::All(weight) => weight,
            Weights::Alternating if i % 2 == 0 => 127,
            Weights::Alternating => -127,
        })
        .collect();
    let weights =
        PackedWeights::new(n, 3, 3 * c, |n, tap, k| drawn[(n * 3 + tap) * 3 * c + k]).unwrap();
    assert!(fits(&window, &weights), "{case:?}");
    let bias: Vec<i32> = (0..n).map(|n| n as i32 * 100 - 4000).collect();
    let scale = 200.0 / (weights.reach() as f32).max(1.0);
    let factors: Vec<f32> = (0..n).map(|n| scale * (1.0 + n as f32 / 16.0)).collect();
    let range = [CodeRange::of(100), CodeRange::relu(20)][case.epilogue % 2];
    let rescale = Rescale {
        factors: (0..n).map(|n| 0.3 + n as f32 / 64.0).collect(),
        offsets: (0..n).map(|n| n as f32 / 8.0 - 1.0).collect(),
        range: CodeRange::of(77),
    };
    let residual =
        Residual { own: 0.75, rounded: true, other: 0.5, other_zero: 9, range: CodeRange::relu(3) };
    let table: [u8; 256] = std::array::from_fn(|i| (i * 91 + 5) as u8);
    let epilogue = Epilogue::new(&weights, case.zero, &bias, &factors, range).unwrap();
    let epilogue = match case.epilogue {
        0 | 1 => epilogue,
        2 => epilogue.with_table(&table),
        3 => epilogue.with_residual(residual),
        4 => epilogue.with_residual(Residual { rounded: false, own: 1.0, ..residual }),
        5 => epilogue.with_rescale(n, rescale).unwrap(),
        _ => epilogue.with_rescale(n, rescale).unwrap().with_residual(residual),
    };
    let [rows, columns] = window.output().unwrap();
    let other: Vec<u8> = (0..rows * columns * n).map(|_| draw()).collect();
    let other = epilogue.has_residual().then_some(&other[..]);
    let mut expected = vec![0; rows * columns * n];
    let single = Threads::single();
    with_scratch(window.scratch(), |scratch| {
        let x = window.arrange(&single, &codes, case.zero, scratch).unwrap();
        let out = Output::Codes(&mut expected);
        gemm::run(Isa::SCALAR, &single, &x, &weights, &epilogue, other, out).unwrap();
    });
    for isa in Isa::available() {
        for threads in [1, 2, 3] {
            let threads = Threads::new(threads);
            let mut out = vec![0; expected.len()];
            let x = (&codes[..], case.zero);
            run(isa, &threads, &window, x, &weights, &epilogue, other, &mut out).unwrap();
            let wrong = out.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(wrong, None, "{isa} {case:?}");
        }
    }
}

const PLAIN: Case = Case {
    size: [8, 8],
    pads: [1; 4],
    channels: [16, 32],
    weights: Weights::Trained,
    codes: None,
    zero: 131,
    epilogue: 0,
};

#[test]
fn pictures_of_every_size_and_border() {
    for size in
        [[1, 1], [2, 5], [3, 4], [4, 4], [5, 7], [7, 7], [9, 14], [13, 6], [14, 14], [1, 40]]
    {
        for pads in [[1; 4], [0, 2, 2, 0], [2, 0, 0, 2], [3; 4]] {
            check(Case { size, pads, ..PLAIN });
        }
    }
    for size in [[3, 3], [6, 6], [7, 10], [3, 19]] {
        check(Case { size, pads: [0; 4], ..PLAIN });
    }
}

#[test]
fn channels_of_every_remainder() {
    for c in [4, 8, 12, 16, 20, 32, 36, 48, 64, 100] {
        for n in [1, 15, 16, 17, 32, 33, 82] {
            check(Case { size: [5, 6], channels: [c, n], ..PLAIN });
        }
    }
}

#[test]
fn layers_of_the_networks() {
    let sizes = [([56, 56], [64, 64]), ([28, 28], [128, 32]), ([14, 14], [256, 64])];
    for (size, channels) in sizes {
        check(Case { size, channels, ..PLAIN });
    }
    check(Case { size: [7, 7], channels: [512, 40], ..PLAIN });
}

#[test]
fn every_epilogue() {
    for epilogue in 0..7 {
        for n in [32, 41] {
            check(Case { size: [9, 7], channels: [32, n], epilogue, ..PLAIN });
        }
    }
}

#[test]
fn codes_and_weights_at_their_ends() {
    for zero in [0, 1, 254, 255] {
        for codes in [Some(0), Some(255), None] {
            for (weights, c) in [
                // 9 * 112 * 128 * 255 is just below 2^25
                (Weights::All(-128), 112),
                (Weights::All(127), 112),
                (Weights::Alternating, 224),
                (Weights::Trained, 512),
            ] {
                let channels = [c, 3];
                check(Case { size: [6, 5], channels, weights, codes, zero, ..PLAIN });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_small_convolution(
        size in [1..19_usize, 1..19_usize],
        pads in [0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize],
        groups in 1..20_usize,
        n in 1..70_usize,
        codes in proptest::option::weighted(0.2, any::<u8>()),
        zero in any::<u8>(),
        epilogue in 0..7_usize,
    ) {
        let [top, left, bottom, right] = pads;
        prop_assume!(size[0] + top + bottom >= 3 && size[1] + left + right >= 3);
        check(Case { size, pads, channels: [4 * groups, n], codes, zero, epilogue, ..PLAIN });
    }
}

#[test]
fn it_is_chosen_by_tiles_and_instruction_set() {
    // rows and columns, channels; on AVX2, AVX-VNNI and AVX-512 VNNI
    let layers = [
        (56, 64, [true, true, true]),
        (28, 128, [true, true, true]),
        (14, 256, [true, true, false]),
        (7, 512, [true, false, false]),
        (4, 512, [false, false, false]),
        (56, 16, [false, false, false]),
    ];
    for (size, channels, expected) in layers {
        let weights = PackedWeights::new(channels, 3, 3 * channels, |_, _, _| 1).unwrap();
        let window = Window {
            height: size,
            width: size,
            channels,
            kernel: [3; 2],
            stride: [1; 2],
            pads: [1; 4],
        };
        for isa in Isa::available() {
            let names = ["avx2", "avx-vnni", "avx512-vnni"];
            let at = names.iter().position(|name| *name == isa.name());
            let expected = at.is_some_and(|at| expected[at]);
            assert_eq!(applies(isa, &window, &weights), expected, "{isa} {size} {channels}");
        }
    }
}

#[test]
fn layers_that_this_form_cannot_compute_are_left_to_the_direct_one() {
    let window = |c: usize| Window {
        height: 9,
        width: 9,
        channels: c,
        kernel: [3, 3],
        stride: [1, 1],
        pads: [1; 4],
    };
    let weights = |c: usize, w: i8| PackedWeights::new(4, 3, 3 * c, |_, _, _| w).unwrap();
    assert!(fits(&window(112), &weights(112, -128)));
    assert!(!fits(&window(116), &weights(116, -128)), "sums beyond 2^25");
    assert!(!fits(&window(6), &weights(6, 1)), "channels in groups of 4");
    assert!(!fits(&Window { stride: [2, 1], ..window(8) }, &weights(8, 1)));
    assert!(!fits(&Window { stride: [1, 2], ..window(8) }, &weights(8, 1)));
    let five = PackedWeights::new(4, 5, 5 * 8, |_, _, _| 1).unwrap();
    assert!(!fits(&Window { kernel: [5, 5], ..window(8) }, &five));
}

#[test]
fn tensors_of_the_wrong_size_are_refused() {
    let window =
        Window { height: 4, width: 4, channels: 4, kernel: [3, 3], stride: [1, 1], pads: [1; 4] };
    let weights = PackedWeights::new(4, 3, 12, |_, _, _| 1).unwrap();
    let plain = Epilogue::new(&weights, 0, &[0; 4], &[1.0; 4], CodeRange::of(0)).unwrap();
    let rule =
        Residual { own: 1.0, rounded: true, other: 1.0, other_zero: 0, range: CodeRange::of(0) };
    let residual = plain.clone().with_residual(rule);
    let threads = Threads::single();
    let x = [0; 65];
    for isa in Isa::available() {
        let run = |x: &[u8], epilogue: &Epilogue, other: Option<&[u8]>, length: usize| {
            let mut out = vec![0; length];
            run(isa, &threads, &window, (x, 0), &weights, epilogue, other, &mut out)
        };
        run(&x[..64], &plain, None, 64).unwrap();
        run(&x[..63], &plain, None, 64).unwrap_err();
        run(&x[..65], &plain, None, 64).unwrap_err();
        run(&x[..64], &plain, None, 63).unwrap_err();
        run(&x[..64], &residual, None, 64).unwrap_err();
        run(&x[..64], &residual, Some(&x[..64]), 64).unwrap();
    }
}
