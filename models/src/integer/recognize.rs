//! Walks a graph in QDQ form in the order of its nodes and turns what lies between quantizations into steps. What of it is
//! needed is decided afterwards, from the outputs back (`demand`).

mod demand;
mod shapes;

use std::collections::HashMap;

use kernels::Quantization;

use crate::integer::codes::{Axes, Cells, Tensor};
use crate::integer::expression::{Expression, Form};
use crate::integer::graph::{Graph, input, integer, number, sizes};
use crate::integer::product;
use crate::integer::step::{
    Affine, Limits, Quantized, Step, Steps, Sum, Table, Tail, TensorId, Work,
};
use crate::integer::unary;
use crate::onnx::{self, pb};

/// Tensors larger than this are not those of a network for a camera: 256 Mi codes.
const MAX_CODES: usize = 1 << 28;
/// Default of the attribute `epsilon` of `LayerNormalization` (ONNX operator set 17).
const DEFAULT_EPSILON: f32 = 1e-5;

/// Finds all steps and what else has to stay in the graph.
pub(crate) fn recognize(graph: &pb::GraphProto, shape: [usize; 3]) -> Steps {
    let mut walk = Recognizer {
        graph: Graph::new(graph),
        steps: Steps::default(),
        numbers: HashMap::new(),
        codes: HashMap::new(),
        shapes: HashMap::new(),
    };
    if let Some(picture) = onnx::data_input(graph) {
        walk.shapes.insert(&picture.name, [&[1], &shape[..]].concat());
    }
    for node in &graph.node {
        let Some(output) = node.output.first().filter(|o| !o.is_empty()) else { continue };
        if let Err(reason) = walk.visit(node, output) {
            if let Some(reason) = reason {
                walk.steps.reasons.insert(output.clone(), reason);
            }
            if let Some(shape) = walk.float_shape(node) {
                walk.shapes.insert(output, shape);
            }
        }
    }
    walk.demand_all(graph);
    walk.steps
}

/// Code of 0 where signed codes have the zero point 0: they are 128 lower than ours.
const SIGNED_ZERO: u8 = 128;

/// `Err` if the node stays in the graph, with a reason where it is worth telling.
type Visit = Result<(), Option<String>>;

struct Recognizer<'g> {
    graph: Graph<'g>,
    steps: Steps,
    /// Tensors of numbers that are functions of codes.
    numbers: HashMap<&'g str, Expression>,
    /// Tensors of codes.
    codes: HashMap<&'g str, (TensorId, Axes)>,
    /// Shapes of tensors of numbers that are computed in f32.
    shapes: HashMap<&'g str, Vec<usize>>,
}

impl<'g> Recognizer<'g> {
    fn visit(&mut self, node: &'g pb::NodeProto, output: &'g str) -> Visit {
        match node.op_type.as_str() {
            "QuantizeLinear" => return self.quantize(node, output),
            "DequantizeLinear" => {
                let &(id, axes) = input(node, 0).and_then(|n| self.codes.get(n)).ok_or(None)?;
                let mut quantization = self.graph.quantization(node).ok_or(None)?;
                if input(node, 2).is_none() && self.graph.is_signed(input(node, 0).ok_or(None)?) {
                    // the zero that is meant by leaving it out, in the unsigned domain
                    quantization = Quantization::new(quantization.scale(), SIGNED_ZERO)
                        .map_err(|e| Some(e.to_string()))?;
                }
                let tensor = self.steps.tensors[id];
                let form = if tensor.quantization == quantization {
                    Form::Codes(id)
                } else {
                    Form::Function { input: id, numbers: unary::identity(quantization) }
                };
                self.numbers.insert(output, Expression { cells: tensor.cells, axes, form });
                return Ok(());
            }
            "MaxPool" => return self.max_pool(node, output),
            _ => {}
        }
        if let Some(&(id, axes)) = input(node, 0).and_then(|n| self.codes.get(n)) {
            // codes that only change their axes, as in `QOperator` files
            let cells = self.steps.cells(id);
            let axes = self.view(node, axes, cells).ok_or(None)?;
            self.codes.insert(output, (id, axes));
            return Ok(());
        }
        let expression = self.expression(node, output)?;
        self.numbers.insert(output, expression);
        Ok(())
    }

    fn known(&self, node: &pb::NodeProto, position: usize) -> Option<&Expression> {
        self.numbers.get(input(node, position)?)
    }

    /// The tensor that an input dequantizes.
    fn operand(&self, node: &pb::NodeProto) -> Result<(TensorId, Tensor, Axes), Option<String>> {
        let x = self.known(node, 0).ok_or(None)?;
        let Form::Codes(id) = x.form else {
            return Err(Some("expected a quantized input".to_owned()));
        };
        Ok((id, self.steps.tensors[id], x.axes))
    }

    fn expression(
        &self,
        node: &'g pb::NodeProto,
        output: &'g str,
    ) -> Result<Expression, Option<String>> {
        match node.op_type.as_str() {
            "Conv" | "Gemm" | "MatMul" => {
                let operand = self.operand(node)?;
                let found = if node.op_type == "Conv" {
                    product::convolution(&self.graph, node, operand)
                } else {
                    product::linear(&self.graph, node, operand)
                };
                let (product, cells, axes) = found.map_err(Some)?;
                check_size(cells)?;
                let product = Box::new(product);
                let form = Form::Product { product, limits: Limits::NONE };
                return Ok(Expression { cells, axes, form });
            }
            "GlobalAveragePool" | "ReduceMean" => return self.mean(node),
            "LayerNormalization" => return self.norm(node),
            "Transpose" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Identity"
            | "Dropout" => {
                let x = self.known(node, 0).ok_or(None)?;
                let axes = self.view(node, x.axes, x.cells).ok_or(None)?;
                return Ok(x.with_axes(axes));
            }
            _ => {}
        }
        self.elementwise(node).or_else(|| self.written_out_norm(node, output)).ok_or(None)
    }

    fn elementwise(&self, node: &pb::NodeProto) -> Option<Expression> {
        let op = node.op_type.as_str();
        let binary = matches!(op, "Add" | "Sub" | "Mul" | "Div");
        if let (true, Some(a), Some(b)) = (binary, self.known(node, 0), self.known(node, 1)) {
            if let (Some((x, f)), Some((y, g))) = (self.function(a), self.function(b))
                && x == y
                && a.axes == b.axes
            {
                let numbers = unary::combine(op, &f, &g)?;
                return Some(Expression {
                    form: Form::Function { input: x, numbers },
                    ..a.clone()
                });
            }
            return if op == "Add" { a.plus(b) } else { None };
        }
        let position = (0..2).find(|i| self.known(node, *i).is_some())?;
        let x = self.known(node, position)?;
        if let Some((id, numbers)) = self.function(x)
            && let Some(numbers) = unary::apply(&self.graph, node, position, &numbers)
        {
            return Some(Expression { form: Form::Function { input: id, numbers }, ..x.clone() });
        }
        if matches!(op, "Relu" | "Clip") {
            return x.limited(unary::limits(&self.graph, node)?);
        }
        if !binary {
            return None;
        }
        let constant = self.graph.constant(input(node, 1 - position)?)?;
        x.with_constants(op, &x.channels_of(&constant)?, position == 1)
    }

    /// An expression as a function of one code: of the tensor that all tables before it started from.
    fn function(&self, x: &Expression) -> Option<(TensorId, unary::Numbers)> {
        let (mut id, mut numbers) = match &x.form {
            Form::Codes(id) => (*id, unary::identity(self.steps.tensors[*id].quantization)),
            Form::Function { input, numbers } => (*input, numbers.clone()),
            _ => return None,
        };
        while let Some(Work::Table { input, table }) = self.maker(id) {
            numbers = Box::new(table.map(|code| numbers[usize::from(code)]));
            id = *input;
        }
        Some((id, numbers))
    }

    /// What makes a tensor. Tensors and steps are made in pairs.
    fn maker(&self, id: TensorId) -> Option<&Work> {
        self.steps.steps.get(id).filter(|s| s.output == id).map(|s| &s.work)
    }

    fn mean(&self, node: &pb::NodeProto) -> Result<Expression, Option<String>> {
        let (id, tensor, axes) = self.operand(node)?;
        let mut after = axes;
        if node.op_type == "ReduceMean" {
            let attribute = node.attribute.iter().find(|a| a.name == "axes");
            let tensor = || self.graph.integers(input(node, 1)?);
            let over = attribute.map(|a| a.ints.clone()).or_else(tensor).ok_or(None)?;
            let mut over: Vec<i64> = over.iter().map(|a| a.rem_euclid(4)).collect();
            over.sort_unstable();
            let expected: &[i64] = match axes {
                Axes::ChannelsFirst => &[2, 3],
                Axes::ChannelsLast => &[1, 2],
                Axes::Rows => return Err(None),
            };
            if over != expected {
                return Err(None);
            }
            if integer(node, "keepdims").unwrap_or(1) == 0 {
                after = Axes::Rows;
            }
        } else if axes != Axes::ChannelsFirst {
            return Err(None);
        }
        let cells = Cells { height: 1, width: 1, channels: tensor.cells.channels };
        let form = Form::Mean { input: id, limits: Limits::NONE };
        Ok(Expression { cells, axes: after, form })
    }

    fn norm(&self, node: &pb::NodeProto) -> Result<Expression, Option<String>> {
        let (id, tensor, axes) = self.operand(node)?;
        let rank = i64::try_from(axes.rank()).ok().ok_or(None)?;
        let axis = integer(node, "axis").unwrap_or(-1).rem_euclid(rank);
        let last = axes != Axes::ChannelsFirst || tensor.cells.count() == 1;
        if axis != rank - 1 || !last || axes == Axes::ChannelsFirst {
            return Err(Some("expected a layer norm over the channels, lying last".to_owned()));
        }
        let list = |position: usize| {
            let name = input(node, position)?;
            self.graph.constant(name).map(|c| c.values)
        };
        let weight = list(1).ok_or(None)?;
        let bias = match input(node, 2) {
            Some(_) => list(2).ok_or(None)?,
            None => vec![0.0; weight.len()],
        };
        let eps = f64::from(number(node, "epsilon").unwrap_or(DEFAULT_EPSILON));
        if weight.len() != tensor.cells.channels || bias.len() != weight.len() {
            return Err(Some(format!("expected {} weights", tensor.cells.channels)));
        }
        let form = Form::Norm { input: id, weight, bias, eps };
        Ok(Expression { cells: tensor.cells, axes, form })
    }

    /// A layer norm in nine nodes, as before operator set 17.
    fn written_out_norm(&self, node: &'g pb::NodeProto, output: &'g str) -> Option<Expression> {
        if node.op_type != "Add" {
            return None;
        }
        let (norm, source) = self.graph.written_out_norm(output)?;
        let x = self.numbers.get(source)?;
        let Form::Codes(id) = x.form else { return None };
        let whole = norm.weight.len() == x.cells.channels && norm.bias.len() == norm.weight.len();
        if x.axes == Axes::ChannelsFirst || !whole {
            return None;
        }
        let (weight, bias, eps) = (norm.weight, norm.bias, norm.eps);
        Some(Expression { form: Form::Norm { input: id, weight, bias, eps }, ..x.clone() })
    }

    fn max_pool(&mut self, node: &'g pb::NodeProto, output: &'g str) -> Visit {
        let codes = input(node, 0).and_then(|n| self.codes.get(n)).copied();
        let (id, axes, dequantized) = match codes {
            Some((id, axes)) => (id, axes, false),
            None => self.operand(node).map(|(id, _, axes)| (id, axes, true))?,
        };
        let tensor = self.steps.tensors[id];
        let kernel = sizes(node, "kernel_shape").unwrap_or_default();
        let ([rows, columns], true) = (&kernel[..], axes == Axes::ChannelsFirst) else {
            return Err(None);
        };
        if node.output.len() > 1 {
            return Err(Some("indices of the maxima are not supported".to_owned()));
        }
        let window = product::window(node, tensor.cells, [*rows, *columns]).map_err(Some)?;
        let [height, width] = window.output().ok_or(None)?;
        let cells = Cells { height, width, channels: tensor.cells.channels };
        let work = Work::MaxPool { input: id, window };
        let id = self.push(node, work, Tensor { cells, ..tensor })?;
        if dequantized {
            self.numbers.insert(output, Expression { cells, axes, form: Form::Codes(id) });
        } else {
            self.codes.insert(output, (id, axes));
        }
        Ok(())
    }

    fn quantize(&mut self, node: &'g pb::NodeProto, output: &'g str) -> Visit {
        let source = input(node, 0).ok_or(None)?;
        let quantization = self.graph.quantization(node).ok_or_else(|| {
            Some("expected one scale and an 8-bit zero point for the whole tensor".to_owned())
        })?;
        let Some(x) = self.numbers.get(source).cloned() else {
            // numbers of the graph: the picture, or what stays in f32
            let shape = self.shapes.get(source).ok_or(None)?;
            let &[1, channels, height, width] = &shape[..] else { return Err(None) };
            let cells = Cells { height, width, channels };
            let work = Work::Quantize { float: source.to_owned() };
            let id = self.push(node, work, Tensor { cells, quantization })?;
            self.codes.insert(output, (id, Axes::ChannelsFirst));
            return Ok(());
        };
        let (cells, axes) = (x.cells, x.axes);
        let result = |limits: Limits| Quantized { quantization, limits };
        let table = |numbers: &unary::Numbers| -> Table {
            Box::new(numbers.map(|number| quantization.quantize(number)))
        };
        let work = match x.form {
            Form::Codes(id) if self.steps.tensors[id].quantization == quantization => {
                self.codes.insert(output, (id, axes));
                return Ok(());
            }
            Form::Codes(_) | Form::Function { .. } => {
                let (input, numbers) = self.function(&x).ok_or(None)?;
                Work::Table { input, table: table(&numbers) }
            }
            Form::Product { product, limits } => {
                Work::Product { product, first: Some(result(limits)), tail: Tail::default() }
            }
            Form::ProductSum { product, other, limits } => {
                let sum = Some(Sum { other, result: result(limits) });
                let tail = Tail { sum, ..Tail::default() };
                Work::Product { product, first: None, tail }
            }
            Form::Affine { input, factors, offsets, limits } => {
                let affine = Affine { factors, offsets, result: result(limits) };
                Work::Affine { input, affine }
            }
            Form::Sum { a, b, limits } => Work::Add { a, b, result: result(limits) },
            Form::Mean { input, limits } => Work::Mean { input, result: result(limits) },
            Form::Norm { input, weight, bias, eps } => {
                Work::Norm { input, weight, bias, eps, output: quantization }
            }
        };
        let id = self.push(node, work, Tensor { cells, quantization })?;
        self.codes.insert(output, (id, axes));
        Ok(())
    }

    fn push(
        &mut self,
        node: &pb::NodeProto,
        work: Work,
        tensor: Tensor,
    ) -> Result<TensorId, Option<String>> {
        check_size(tensor.cells)?;
        let output = self.steps.tensors.len();
        self.steps.tensors.push(tensor);
        let name = input(node, 0).unwrap_or(&node.name).to_owned();
        self.steps.steps.push(Step { name, work, output });
        Ok(output)
    }
}

fn check_size(cells: Cells) -> Result<(), Option<String>> {
    let codes = cells.height.checked_mul(cells.width).and_then(|n| n.checked_mul(cells.channels));
    match codes {
        Some(1..=MAX_CODES) => Ok(()),
        _ => Err(Some(format!("expected at most {MAX_CODES} codes, found {cells:?}"))),
    }
}
