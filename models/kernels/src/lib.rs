//! Integer kernels of the networks: every SIMD version equals its scalar twin bit for bit.
//!
//! ```text
//! NHWC u8 -> taps of contiguous bytes -> i32 tile -> Epilogue (requantize, table, rescale, residual) -> NHWC u8
//! ```
//!
//! An [`Isa`] exists only if this processor has it, so whoever holds one may call its kernels. Activations are
//! `u8` with a zero point, weights `i8` with zero point 0, accumulators `i32`; tensors lie channels last.
//! Everything after the accumulator is written once, in `f32` operations that IEEE 754 defines to the bit, and
//! compiled for each instruction set; only multiplications with accumulation are written for each of them.
//!
//! Shape legend: H x W cells, C input channels, N output channels, K bytes a tap, M positions (cells of the output).
//!
//! Not done here: signed activations (the caller adds 128 to code and zero point), weights with a zero
//! point, batches, dilated columns.
#![expect(
    unsafe_code,
    reason = "SIMD loads and stores, AMX through inline assembly, threads that borrow"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "codes, accumulators and counts; the range of each is stated where it is made"
)]

pub mod arithmetic;
mod buffer;
pub mod depthwise;
pub mod elementwise;
pub mod epilogue;
mod excerpt;
pub mod gemm;
pub mod isa;
pub mod layer_norm;
pub mod layout;
pub mod pack;
pub mod pooling;
#[cfg(target_arch = "x86_64")]
mod saturation;
pub mod table;
pub mod threads;
pub mod winograd;

// what an operator needs
pub use arithmetic::{CodeRange, Quantization, QuantizationError};
pub use buffer::with_scratch;
pub use epilogue::{Epilogue, Rescale, Residual};
pub use gemm::{Activations, Output, ShapeError};
pub use isa::{Isa, IsaError};
pub use pack::{PackError, PackedWeights};
pub use table::Table;
pub use threads::Threads;
