//! Axes and shapes along the way: of codes behind a node that moves nothing, of numbers that stay in f32.

use super::Recognizer;
use crate::integer::codes::{Axes, Cells, resolve};
use crate::integer::expression::Expression;
use crate::integer::graph::{input, integer, sizes};
use crate::integer::product;
use crate::onnx::pb;

impl Recognizer<'_> {
    /// Axes after a node that does not change memory.
    pub(super) fn view(&self, node: &pb::NodeProto, axes: Axes, cells: Cells) -> Option<Axes> {
        let from = axes.shape(cells);
        let list = |name: &str| {
            sizes(node, name).map(|l| l.iter().filter_map(|v| i64::try_from(*v).ok()).collect())
        };
        let axes_of = || -> Option<Vec<i64>> {
            let tensor = || self.graph.integers(input(node, 1)?);
            let attribute = node.attribute.iter().find(|a| a.name == "axes");
            attribute.map(|a| a.ints.clone()).or_else(tensor)
        };
        match node.op_type.as_str() {
            "Identity" | "Dropout" => Some(axes),
            "Transpose" => axes.transposed(&sizes(node, "perm")?, cells),
            "Reshape" => {
                let target: Vec<i64> = input(node, 1)
                    .and_then(|n| self.graph.integers(n))
                    .or_else(|| list("shape"))?;
                let allow_zero = integer(node, "allowzero").unwrap_or(0) != 0;
                axes.reshaped(&resolve(&target, &from, allow_zero)?, cells)
            }
            "Flatten" => {
                let rank = i64::try_from(from.len()).ok()?;
                let at = integer(node, "axis").unwrap_or(1);
                let at = usize::try_from(if at < 0 { at + rank } else { at }).ok()?;
                let (outer, inner) = from.split_at_checked(at)?;
                axes.reshaped(&[outer.iter().product(), inner.iter().product()], cells)
            }
            "Squeeze" => {
                let rank = i64::try_from(from.len()).ok()?;
                let gone: Vec<i64> = axes_of()?.iter().map(|a| a.rem_euclid(rank)).collect();
                let shape: Vec<usize> = (0_i64..)
                    .zip(&from)
                    .filter_map(|(i, &size)| (!gone.contains(&i)).then_some(size))
                    .collect();
                axes.reshaped(&shape, cells)
            }
            "Unsqueeze" => {
                let added = axes_of()?;
                let rank = i64::try_from(from.len() + added.len()).ok()?;
                let added: Vec<i64> = added.iter().map(|a| a.rem_euclid(rank)).collect();
                let mut rest = from.iter().copied();
                let shape = (0..rank)
                    .map(|i| if added.contains(&i) { Some(1) } else { rest.next() })
                    .collect::<Option<Vec<usize>>>()?;
                axes.reshaped(&shape, cells)
            }
            _ => None,
        }
    }

    /// Shape of what a node that stays in f32 makes, where that is easy to tell.
    pub(super) fn float_shape(&self, node: &pb::NodeProto) -> Option<Vec<usize>> {
        let shape = |position: usize| -> Option<Vec<usize>> {
            let name = input(node, position)?;
            let known = self.numbers.get(name).map(Expression::shape);
            known.or_else(|| self.shapes.get(name).cloned())
        };
        match node.op_type.as_str() {
            "Relu"
            | "Clip"
            | "Sigmoid"
            | "Tanh"
            | "Erf"
            | "Gelu"
            | "Sqrt"
            | "Exp"
            | "Abs"
            | "Neg"
            | "Identity"
            | "LayerNormalization"
            | "BatchNormalization"
            | "Softmax"
            | "HardSwish"
            | "HardSigmoid"
            | "LeakyRelu"
            | "InstanceNormalization" => shape(0),
            "Add" | "Sub" | "Mul" | "Div" | "Pow" => match (shape(0), shape(1)) {
                (Some(a), Some(b)) => (a == b).then_some(a),
                (a, b) => a.or(b),
            },
            "Transpose" => {
                let from = shape(0)?;
                sizes(node, "perm")?.iter().map(|p| from.get(*p).copied()).collect()
            }
            "Conv" | "MaxPool" | "AveragePool" => {
                let &[1, channels, height, width] = &shape(0)?[..] else { return None };
                let weights = input(node, 1).and_then(|n| self.graph.constant(n));
                let (n, kernel) = match (node.op_type.as_str(), weights) {
                    ("Conv", Some(w)) => (*w.dims.first()?, w.dims.get(2..4)?.to_vec()),
                    ("Conv", None) => return None,
                    _ => (channels, sizes(node, "kernel_shape")?),
                };
                let cells = Cells { height, width, channels };
                let kernel = [*kernel.first()?, *kernel.get(1)?];
                let [height, width] = product::window(node, cells, kernel).ok()?.output()?;
                Some(vec![1, n, height, width])
            }
            _ => None,
        }
    }
}
