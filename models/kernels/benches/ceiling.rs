//! How many multiplications a second does a product kernel reach when nothing but the kernel counts?
//!
//! ```text
//! cargo bench -p kernels --bench ceiling [-- ROUNDS]
//! ```
//!
//! For every instruction set of the processor, on one thread: a product whose operands lie in the first caches, and shapes of
//! ResNet50, each with the epilogue that the network has there. Median and best of the rounds, GMAC/s. What a layer of
//! `roadgaze bench --layers` reaches less than the first line is memory, packing or its epilogue.
#![expect(clippy::print_stdout, reason = "the result")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall end")]
#![expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
#![expect(
    clippy::disallowed_methods,
    reason = "the clock of the harness stands to the right of this crate"
)]

use std::time::Instant;

use kernels::layout::Window;
use kernels::{
    CodeRange, Epilogue, Isa, Output, PackedWeights, Residual, Threads, gemm, with_scratch,
};

/// Name; rows and columns of the picture, its channels, side of the window, channels that come out, residual.
const SHAPES: [(&str, usize, usize, usize, usize, bool); 8] = [
    ("in the first caches, 6 x 8 x 512 to 32", 0, 512, 1, 32, false),
    ("1 x 1, 56 x 56 x 64 to 256, residual", 56, 64, 1, 256, true),
    ("1 x 1, 56 x 56 x 256 to 64", 56, 256, 1, 64, false),
    ("3 x 3, 28 x 28 x 128 to 128", 28, 128, 3, 128, false),
    ("1 x 1, 14 x 14 x 1024 to 256", 14, 1024, 1, 256, false),
    ("3 x 3, 14 x 14 x 256 to 256", 14, 256, 3, 256, false),
    ("1 x 1, 7 x 7 x 512 to 2048, residual", 7, 512, 1, 2048, true),
    ("3 x 3, 7 x 7 x 512 to 512", 7, 512, 3, 512, false),
];

fn main() {
    let rounds = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(30);
    for isa in Isa::available().into_iter().filter(|&isa| isa != Isa::SCALAR) {
        println!("{isa}");
        for (name, side, channels, kernel, out, residual) in SHAPES {
            let (height, width) = if side == 0 { (6, 8) } else { (side, side) };
            let border = kernel / 2;
            let window = Window {
                height,
                width,
                channels,
                kernel: [kernel; 2],
                stride: [1; 2],
                pads: [border; 4],
            };
            let times = times(isa, &window, out, residual, rounds);
            let macs = (height * width * out * kernel * kernel * channels) as f64;
            let gmacs = |seconds: f64| macs / seconds / 1e9;
            let [median, best] = [times[times.len() / 2], times[0]].map(gmacs);
            println!("  {median:7.1} median {best:7.1} best   {name}");
        }
    }
}

/// Seconds of a call in each round, the shortest first.
fn times(isa: Isa, window: &Window, out: usize, residual: bool, rounds: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let (taps, depth) = window.taps();
    let x: Vec<u8> = (0..window.height * window.width * window.channels).map(|_| byte()).collect();
    // 7 bits, as in the zoo
    let weights = PackedWeights::new(out, taps, depth, |n, t, k| {
        i8::try_from((n * 31 + t * 7 + k * 13) % 127).unwrap() - 63
    });
    let weights = weights.unwrap();
    let range = CodeRange::relu(0);
    let mut epilogue = Epilogue::new(&weights, 3, &vec![0; out], &vec![1e-4; out], range).unwrap();
    let mut other = Vec::new();
    if residual {
        let rule = Residual { own: 0.5, rounded: true, other: 0.5, other_zero: 9, range };
        epilogue = epilogue.with_residual(rule);
        other = (0..window.height * window.width * out).map(|_| byte()).collect();
    }
    let other = residual.then_some(other.as_slice());
    let mut codes = vec![0; window.height * window.width * out];
    let threads = Threads::single();
    // short calls are repeated within a round, so that the clock does not count
    let calls = 1 + 20_000_000 / (window.height * window.width * out * taps * depth);
    let mut call = || {
        with_scratch(window.scratch(), |scratch| {
            let x = window.arrange(&threads, &x, 3, scratch).unwrap();
            gemm::run(isa, &threads, &x, &weights, &epilogue, other, Output::Codes(&mut codes))
                .unwrap();
        });
    };
    call();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| call());
            start.elapsed().as_secs_f64() / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}
