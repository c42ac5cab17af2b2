//! How a network is run: instruction set, integers or not, and what one layer costs.

use std::time::Duration;

pub use kernels::{Isa, IsaError, Threads};

pub use crate::integer::Report;

use crate::integer;
use crate::onnx::{self, pb};

/// What the integer engine makes of a graph, without loading it into the runtime: which parts run in integers, and
/// what stays in f32 and why. `height` and `width` are those of the picture.
#[must_use]
pub fn survey(mut proto: pb::ModelProto, height: usize, width: usize, isa: Isa) -> Report {
    onnx::widen_halves(&mut proto);
    if let Some(graph) = proto.graph.as_mut() {
        integer::normalize(graph);
    }
    integer::lower(&mut proto, [3, height, width], isa).report
}

/// Choices made when a network is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Instruction set of the integer kernels.
    pub isa: Isa,
    /// Whether quantized parts run in integers; without, the runtime computes everything in f32.
    pub integers: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { isa: Isa::detect(), integers: true }
    }
}

/// What one layer of a network costs, as `roadgaze bench --layers` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerProfile {
    /// Name of the node.
    pub name: String,
    /// What it does: `product + residual`, or the runtime's name of the operator.
    pub kernel: String,
    /// Median time of one call, milliseconds.
    pub ms: f64,
    /// Multiplications with accumulation of one call.
    pub macs: u64,
    /// Whether it runs in integers.
    pub is_integer: bool,
}

impl LayerProfile {
    /// 10^9 multiplications with accumulation a second; 0 for layers without any.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    pub fn gmacs(&self) -> f64 {
        if self.ms > 0.0 { self.macs as f64 / self.ms / 1e6 } else { 0.0 }
    }
}

/// Median of some times, milliseconds.
pub(crate) fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |t| t.as_secs_f64() * 1e3)
}
