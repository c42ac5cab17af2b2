//! Static post-training quantization: an f32 ONNX network in, a standard QDQ ONNX network out.
//!
//! ```text
//! frames -> Network (f32, every tensor shown) -> observe -> range -> grid
//! f32 graph -> simplify -> equalize -> placement -> weights -> qdq -> file, manifest, report
//! ```
//!
//! # The file
//! Operator set 13 to 18 as the network had it; per-tensor u8 activations with a zero point,
//! per-channel s8 weights with zero point 0, i32 biases whose scale is input scale x weight scale.
//!
//! * An activation `t` on a grid is followed by one `QuantizeLinear` (`t_quantized`) and one
//!   `DequantizeLinear` (`t_dequantized`); every reader of `t` reads `t_dequantized`.
//! * A weight `w` is stored as `w_quantized`, and `DequantizeLinear` makes `w` of it; so the names in
//!   a manifest stay valid.
//! * `Conv [+ Relu]`, `Gemm`, `MatMul + Add(bias)`, `Add` of two activations `[+ Relu]` and global
//!   average pooling read and make grid values. `MaxPool`, `Transpose`, `Reshape` and `Flatten` have
//!   the same grid on both sides.
//! * The last linear layer gives its logits in f32.
//! * All else (layer norm, GELU) stands in f32 between `DequantizeLinear` and `QuantizeLinear`, so
//!   that an engine can make a table of what works on single values.
//!
//! # Arithmetic
//! ```text
//! code = saturate(round_half_even(value / scale) + zero_point)        value = (code - zero_point) * scale
//! ```
//!
//! Shapes: N images (always 1), C channels in, K channels out.
//!
//! Not done here: training with quantization, mixed widths below 8 bits, grids that follow the
//! picture, execution (`models`), the drift of accuracy and attribution (`harness`, which knows both).
#![forbid(unsafe_code)]

pub mod calibrate;
pub mod entropy;
mod equalize;
pub mod error;
pub mod grid;
pub mod histogram;
pub mod mse;
mod net;
pub mod observe;
mod placement;
mod qdq;
pub mod range;
pub mod report;
mod search;
mod sensitivity;
mod simplify;
mod sqnr;
mod streams;
mod tensor;
pub mod weights;

pub use calibrate::{Calibrated, Settings, Step, calibrate};
pub use error::CalibrationError;
pub use placement::StaysFloat;
pub use range::Method;
pub use report::Report;
pub use simplify::Folded;
