//! Finds the last feature map and the head in a graph, walking back from the logits.
//!
//! Understood, as PyTorch exports `ResNet` and ConvNeXt:
//!
//! ```text
//! feature map -> GlobalAveragePool | ReduceMean over height and width
//!             -> [LayerNormalization, or the nine nodes it is written as before opset 17]
//!             -> Gemm | MatMul [+ Add] -> logits
//! ```
//!
//! with any reshaping, `Cast` and quantization in between. Weights may be stored as halves, or as
//! integers behind `DequantizeLinear`.

mod constant;

use std::collections::HashMap;

use self::constant::transpose;
pub(crate) use self::constant::{Constant, floats};
use crate::error::ModelError;
use crate::head::{Head, LayerNorm};
use crate::manifest::{HeadKind, HeadNames};
use crate::onnx::pb;

/// No chain of pass-through nodes in a head is longer than this.
const MAX_STEPS: usize = 32;
/// Default of the attribute `epsilon` of `LayerNormalization` (ONNX operator set 17).
const DEFAULT_EPSILON: f64 = 1e-5;

/// What was found at the end of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Tensor that the pooling reads, `[1, channels, height, width]`.
    pub feature_map: String,
    /// Names of the head's tensors.
    pub names: HeadNames,
    /// Their values.
    pub head: Head,
}

/// A graph with its tensors by name.
#[derive(Debug)]
pub struct Topology<'g> {
    graph: &'g pb::GraphProto,
    producers: HashMap<&'g str, &'g pb::NodeProto>,
    weights: HashMap<&'g str, &'g pb::TensorProto>,
}

impl<'g> Topology<'g> {
    /// Indexes a graph.
    #[must_use]
    pub fn new(graph: &'g pb::GraphProto) -> Self {
        let producers =
            graph.node.iter().flat_map(|n| n.output.iter().map(move |o| (o.as_str(), n))).collect();
        let weights = graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
        Self { graph, producers, weights }
    }

    /// Whether a tensor of this name exists.
    #[must_use]
    pub fn has_tensor(&self, name: &str) -> bool {
        self.producers.contains_key(name) || self.weights.contains_key(name)
    }

    /// The node that makes probabilities of the logits, if the graph ends in one.
    #[must_use]
    pub fn probabilities(&self) -> Option<String> {
        let output = self.graph.output.first()?;
        let node = self.producers.get(self.skip(&output.name))?;
        matches!(node.op_type.as_str(), "Softmax" | "Sigmoid").then(|| describe(node))
    }

    /// Looks for feature map and head, from the first output back.
    ///
    /// # Errors
    /// [`ModelError::Head`] that says at which node the graph departs from what is understood.
    pub fn find(&self, place: &str) -> Result<Found, ModelError> {
        self.walk().map_err(|problem| ModelError::Head { place: place.to_owned(), problem })
    }

    /// The head whose tensors have these names.
    ///
    /// # Errors
    /// [`ModelError::Head`] if a tensor is missing or of the wrong shape.
    pub fn named(&self, names: &HeadNames, place: &str) -> Result<Head, ModelError> {
        let refuse = |problem: String| ModelError::Head { place: place.to_owned(), problem };
        let constant = |name: &str| {
            self.constant(name).ok_or_else(|| {
                refuse(format!("expected a weight tensor `{name}` in the graph, found none"))
            })
        };
        let weight = constant(&names.weight)?;
        let bias = names.bias.as_deref().map(constant).transpose()?;
        let norm = match (names.kind, names.norm_weight.as_deref()) {
            (HeadKind::LayernormLinear, Some(name)) => {
                let scale = constant(name)?.values;
                let shift = names.norm_bias.as_deref().map(constant).transpose()?;
                Some(LayerNorm {
                    bias: shift.map_or_else(|| vec![0.0; scale.len()], |c| c.values),
                    weight: scale,
                    eps: names.eps.unwrap_or(DEFAULT_EPSILON),
                })
            }
            _ => None,
        };
        let [rows, columns] = weight.dims[..] else {
            return Err(refuse(format!("expected a weight matrix, found shape {:?}", weight.dims)));
        };
        // [classes, channels] unless bias or norm say that it is the transposed matrix of a MatMul
        let transposed = match (&bias, &norm) {
            (Some(b), _) if b.values.len() != rows => b.values.len() == columns,
            (None, Some(n)) if n.weight.len() != columns => n.weight.len() == rows,
            _ => self.multiplies_untransposed(&names.weight),
        };
        build(&weight, transposed, bias, norm)
    }

    fn multiplies_untransposed(&self, weight: &str) -> bool {
        self.graph.node.iter().any(|n| {
            n.input.get(1).is_some_and(|w| w == weight)
                && (n.op_type == "MatMul"
                    || (n.op_type == "Gemm" && integer(n, "transB").unwrap_or(0) == 0))
        })
    }

    fn walk(&self) -> Result<Found, String> {
        let logits = self.graph.output.first().map_or("", |o| o.name.as_str());
        let mut cursor = self.skip(logits);
        let node = self.producer(cursor)?;
        let (weight_name, transposed, bias_name) = match node.op_type.as_str() {
            "Gemm" => {
                let unit = |name| number(node, name).is_none_or(|v| v == 1.0);
                if integer(node, "transA").unwrap_or(0) != 0 || !unit("alpha") || !unit("beta") {
                    return Err(format!("{}: expected a plain Gemm", describe(node)));
                }
                cursor = input(node, 0)?;
                let transposed = integer(node, "transB").unwrap_or(0) == 0;
                (input(node, 1)?, transposed, input(node, 2).ok())
            }
            "MatMul" => {
                cursor = input(node, 0)?;
                (input(node, 1)?, true, None)
            }
            "Add" => {
                let (a, b) = (input(node, 0)?, input(node, 1)?);
                let (bias, product) = if self.is_constant(a) { (a, b) } else { (b, a) };
                let matmul = self.producer(self.skip(product))?;
                if matmul.op_type != "MatMul" || !self.is_constant(bias) {
                    return Err(format!("expected MatMul + Add, found {}", describe(matmul)));
                }
                cursor = input(matmul, 0)?;
                (input(matmul, 1)?, true, Some(bias))
            }
            "Softmax" | "LogSoftmax" | "Sigmoid" => {
                return Err(format!(
                    "expected logits as the output, found {}: export without it",
                    describe(node)
                ));
            }
            _ => return Err(format!("expected a linear layer, found {}", describe(node))),
        };
        let weight = self
            .constant(weight_name)
            .ok_or_else(|| format!("expected constant weights, found `{weight_name}`"))?;
        let constant_bias = |name: &str| {
            let bias = self.constant(name);
            bias.ok_or_else(|| format!("expected a constant bias, found `{name}`"))
        };
        let bias = bias_name.map(constant_bias).transpose()?;
        cursor = self.skip(cursor);
        let norm = self.layer_norm(cursor)?;
        let norm = norm.map(|(names, norm, before)| {
            cursor = self.skip(before);
            (names, norm)
        });
        let feature_map = self.pooled(cursor)?.to_owned();
        let (norm_names, norm) =
            norm.map_or((None, None), |(names, norm)| (Some(names), Some(norm)));
        let names = HeadNames {
            kind: if norm.is_some() { HeadKind::LayernormLinear } else { HeadKind::Linear },
            weight: weight_name.to_owned(),
            bias: bias_name.map(str::to_owned),
            norm_weight: norm_names.as_ref().map(|(w, _)| w.clone()),
            norm_bias: norm_names.and_then(|(_, b)| b),
            eps: norm.as_ref().map(|n| n.eps),
        };
        let head = build(&weight, transposed, bias, norm).map_err(|e| e.to_string())?;
        Ok(Found { feature_map, names, head })
    }

    /// Layer norm that makes this tensor, with the names of its weights and the tensor it reads.
    #[expect(clippy::type_complexity, reason = "used by `walk` and the lowering alone")]
    pub(crate) fn layer_norm(
        &self,
        name: &'g str,
    ) -> Result<Option<((String, Option<String>), LayerNorm, &'g str)>, String> {
        let node = self.producer(name)?;
        let values = |n: &str| {
            self.constant(n).map(|c| c.values).ok_or_else(|| format!("`{n}` is not constant"))
        };
        if node.op_type == "LayerNormalization" {
            let axis = integer(node, "axis").unwrap_or(-1);
            if axis != -1 && axis != 1 && axis != 3 {
                return Err(format!("{}: expected the last axis", describe(node)));
            }
            let (scale, shift) = (input(node, 1)?, input(node, 2).ok());
            let weight = values(scale)?;
            let bias = shift.map_or_else(|| Ok(vec![0.0; weight.len()]), values)?;
            let eps = number(node, "epsilon").map_or(DEFAULT_EPSILON, f64::from);
            let names = (scale.to_owned(), shift.map(str::to_owned));
            return Ok(Some((names, LayerNorm { weight, bias, eps }, input(node, 0)?)));
        }
        if node.op_type != "Add" {
            return Ok(None);
        }
        // Add(Mul(Div(Sub(x, mean), Sqrt(Add(mean of squares, eps))), weight), bias)
        let steps = || -> Option<((String, Option<String>), LayerNorm, &'g str)> {
            let (shift, scaled) = self.split(node)?;
            let (scale, ratio) = self.split(self.made_by(scaled, "Mul")?)?;
            let divide = self.made_by(ratio, "Div")?;
            let centre = self.made_by(divide.input.first()?, "Sub")?;
            let root = self.made_by(divide.input.get(1)?, "Sqrt")?;
            let (eps, variance) = self.split(self.made_by(root.input.first()?, "Add")?)?;
            let (spread, mean) = (
                self.made_by(variance, "ReduceMean")?,
                self.made_by(centre.input.get(1)?, "ReduceMean")?,
            );
            let source = centre.input.first()?;
            let known = self.is_over_last(spread)
                && self.is_over_last(mean)
                && mean.input.first()? == source
                && self.is_square(spread.input.first()?, centre.output.first()?);
            if !known {
                return None;
            }
            let eps = self.constant(eps)?.values.first().copied().map(f64::from)?;
            let norm = LayerNorm {
                weight: self.constant(scale)?.values,
                bias: self.constant(shift)?.values,
                eps,
            };
            let names = (scale.to_owned(), Some(shift.to_owned()));
            Some((names, norm, source.as_str()))
        };
        steps()
            .map(Some)
            .ok_or_else(|| format!("expected pooling or a layer norm, found {}", describe(node)))
    }

    /// Whether this reduces the last axis alone, said in the one way that holds for tensors of any rank.
    fn is_over_last(&self, node: &'g pb::NodeProto) -> bool {
        integers(node, "axes")
            .or_else(|| self.integer_constant(input(node, 1).ok()?))
            .is_some_and(|axes| axes == [-1])
    }

    /// Whether the first tensor is the square of the second.
    fn is_square(&self, name: &'g str, of: &str) -> bool {
        let Ok(node) = self.producer(name) else { return false };
        let inputs: Vec<&str> = node.input.iter().map(String::as_str).collect();
        match (node.op_type.as_str(), inputs.as_slice()) {
            ("Mul", [a, b]) => *a == of && *b == of,
            ("Pow", [base, power]) => {
                *base == of && self.constant(power).is_some_and(|p| p.values == [2.0])
            }
            _ => false,
        }
    }

    /// The tensor whose average over height and width this is.
    fn pooled(&self, name: &'g str) -> Result<&'g str, String> {
        let node = self.producer(name)?;
        let source = input(node, 0).unwrap_or_default();
        match node.op_type.as_str() {
            "GlobalAveragePool" => return Ok(source),
            "ReduceMean" => {
                let mut axes = integers(node, "axes")
                    .or_else(|| self.integer_constant(input(node, 1).ok()?))
                    .unwrap_or_default();
                axes.iter_mut().for_each(|a| *a = (*a).rem_euclid(4));
                axes.sort_unstable();
                if axes == [2, 3] {
                    return Ok(source);
                }
                let before = self.producers.get(source);
                if let Some(turn) = before.filter(|n| axes == [1, 2] && n.op_type == "Transpose")
                    && integers(turn, "perm").is_some_and(|p| p == [0, 2, 3, 1])
                {
                    return input(turn, 0);
                }
            }
            _ => {}
        }
        Err(format!("expected global average pooling, found {}", describe(node)))
    }

    /// Follows nodes that neither mix nor scale channels, upwards.
    fn skip(&self, mut name: &'g str) -> &'g str {
        const PASS: [&str; 11] = [
            "Flatten",
            "Reshape",
            "Squeeze",
            "Unsqueeze",
            "Identity",
            "Dropout",
            "Transpose",
            "Cast",
            "Expand",
            "QuantizeLinear",
            "DequantizeLinear",
        ];
        for _ in 0..MAX_STEPS {
            let Some(node) = self.producers.get(name) else { break };
            if !PASS.contains(&node.op_type.as_str()) && !self.is_identity_gather(node) {
                break;
            }
            let Some(next) = node.input.first() else { break };
            name = next;
        }
        name
    }

    /// `as_strided` of a contiguous tensor, as the `torch.export` exporter writes it: a `Gather`
    /// that takes every element in its place.
    fn is_identity_gather(&self, node: &pb::NodeProto) -> bool {
        let indices = || {
            let indices = self.integer_constant(node.input.get(1)?)?;
            (node.op_type == "Gather" && integer(node, "axis").unwrap_or(0) == 0).then_some(indices)
        };
        indices().is_some_and(|list| (0_i64..).zip(&list).all(|(i, &index)| i == index))
    }

    fn producer(&self, name: &str) -> Result<&'g pb::NodeProto, String> {
        self.producers.get(name).copied().ok_or_else(|| {
            format!("expected pooling and a linear layer, found the input or weight `{name}`")
        })
    }

    fn made_by(&self, name: &'g str, op_type: &str) -> Option<&'g pb::NodeProto> {
        let node = self.producers.get(name).copied()?;
        (node.op_type == op_type).then_some(node)
    }

    /// Constant and variable input of a node with two inputs.
    fn split(&self, node: &'g pb::NodeProto) -> Option<(&'g str, &'g str)> {
        let (a, b) = (node.input.first()?, node.input.get(1)?);
        if self.is_constant(a) { Some((a, b)) } else { self.is_constant(b).then_some((b, a)) }
    }

    fn is_constant(&self, name: &str) -> bool {
        self.constant(name).is_some()
    }
}

fn build(
    weight: &Constant,
    transposed: bool,
    bias: Option<Constant>,
    norm: Option<LayerNorm>,
) -> Result<Head, ModelError> {
    let (rows, columns) = match weight.dims[..] {
        [rows, columns] => (rows, columns),
        _ => (0, 0),
    };
    let turned;
    let (values, classes, channels) = if transposed {
        turned = transpose(&weight.values, rows, columns).values;
        (turned, columns, rows)
    } else {
        (weight.values.clone(), rows, columns)
    };
    let bias = bias.map_or_else(|| vec![0.0; classes], |b| b.values);
    Head::new(values, bias, channels, norm)
}

fn input(node: &pb::NodeProto, position: usize) -> Result<&str, String> {
    node.input
        .get(position)
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| format!("{}: expected input {position}, found none", describe(node)))
}

fn integer(node: &pb::NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|a| a.name == name).map(|a| a.i)
}

fn number(node: &pb::NodeProto, name: &str) -> Option<f32> {
    node.attribute.iter().find(|a| a.name == name).map(|a| a.f)
}

fn integers(node: &pb::NodeProto, name: &str) -> Option<Vec<i64>> {
    node.attribute.iter().find(|a| a.name == name).map(|a| a.ints.clone())
}

fn describe(node: &pb::NodeProto) -> String {
    format!("{} `{}`", node.op_type, node.output.first().map_or("", String::as_str))
}
