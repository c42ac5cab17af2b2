//! Small quantized graphs, built here, run in integers and by the runtime in f32: both have to give what they mean.

mod reference;

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message as _;

use crate::engine::{EngineOptions, Isa};
use crate::error::ModelError;
use crate::manifest::{Classes, Input, Manifest, SCHEMA};
use crate::onnx::{element, pb};
use crate::{Classifier as _, Network, Prediction};
use reference::{Numbers, Reference};

const SIDE: usize = 12;
const CLASSES: usize = 5;

/// Builds graphs in QDQ form.
#[derive(Default)]
struct Builder {
    graph: pb::GraphProto,
    state: u32,
}

impl Builder {
    fn draw(&mut self) -> u32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.state >> 8
    }

    fn tensor(&mut self, name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        self.graph.initializer.push(pb::TensorProto {
            name: name.to_owned(),
            dims: dims.iter().map(|d| i64::try_from(*d).unwrap()).collect(),
            data_type,
            raw_data,
            ..Default::default()
        });
        name.to_owned()
    }

    fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Vec<i64>)]) -> String {
        let output = format!("{op}_{}", self.graph.node.len());
        let attribute = |(name, ints): &(&str, Vec<i64>)| {
            let single = matches!(*name, "group" | "axis" | "transB");
            pb::AttributeProto {
                name: (*name).to_owned(),
                i: if single { ints[0] } else { 0 },
                ints: if single { vec![] } else { ints.clone() },
                r#type: if single { 2 } else { 7 },
                ..Default::default()
            }
        };
        self.graph.node.push(pb::NodeProto {
            name: output.clone(),
            op_type: op.to_owned(),
            input: inputs.iter().map(|i| (*i).to_owned()).collect(),
            output: vec![output.clone()],
            attribute: attributes.iter().map(attribute).collect(),
            ..Default::default()
        });
        output
    }

    fn parameters(&mut self, scale: f32, zero: u8, signed: bool) -> (String, String) {
        let count = self.graph.initializer.len();
        let s =
            self.tensor(&format!("s{count}"), &[], element::FLOAT, scale.to_le_bytes().to_vec());
        let (kind, zero) =
            if signed { (element::INT8, zero.wrapping_sub(128)) } else { (element::UINT8, zero) };
        (s, self.tensor(&format!("z{count}"), &[], kind, vec![zero]))
    }

    /// Quantize and dequantize.
    fn qdq(&mut self, x: &str, scale: f32, zero: u8, signed: bool) -> String {
        let (s, z) = self.parameters(scale, zero, signed);
        let q = self.node("QuantizeLinear", &[x, &s, &z], &[]);
        self.node("DequantizeLinear", &[&q, &s, &z], &[])
    }

    /// Weights with one scale an output channel, dequantized.
    fn weights(&mut self, dims: &[usize], axis: usize, scale: f32) -> String {
        let count = dims.iter().product::<usize>();
        let codes: Vec<u8> = (0..count).map(|_| u8::try_from(self.draw() % 255).unwrap()).collect();
        let id = self.graph.initializer.len();
        let w = self.tensor(&format!("w{id}"), dims, element::INT8, codes);
        let scales: Vec<f32> = (0..dims[axis])
            .map(|n| scale * (1.0 + f32::from(u8::try_from(n % 4).unwrap()) / 8.0))
            .collect();
        let bytes = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
        let s = self.tensor(&format!("ws{id}"), &[dims[axis]], element::FLOAT, bytes);
        let z = self.tensor(&format!("wz{id}"), &[dims[axis]], element::INT8, vec![0; dims[axis]]);
        self.node(
            "DequantizeLinear",
            &[&w, &s, &z],
            &[("axis", vec![i64::try_from(axis).unwrap()])],
        )
    }

    fn constant(&mut self, dims: &[usize], value: impl Fn(usize) -> f32) -> String {
        let count = dims.iter().product::<usize>();
        let id = self.graph.initializer.len();
        let bytes = (0..count).flat_map(|i| value(i).to_le_bytes()).collect();
        self.tensor(&format!("c{id}"), dims, element::FLOAT, bytes)
    }

    fn finish(mut self, logits: &str) -> pb::ModelProto {
        let dimension = |value: i64| pb::tensor_shape_proto::Dimension {
            value: Some(pb::tensor_shape_proto::dimension::Value::DimValue(value)),
            ..Default::default()
        };
        let side = i64::try_from(SIDE).unwrap();
        let shape = pb::TensorShapeProto { dim: [1, 3, side, side].map(dimension).to_vec() };
        let tensor = pb::type_proto::Tensor { elem_type: element::FLOAT, shape: Some(shape) };
        let r#type = pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(tensor)),
            ..Default::default()
        };
        self.graph.input.push(pb::ValueInfoProto {
            name: "x".to_owned(),
            r#type: Some(r#type),
            ..Default::default()
        });
        self.graph
            .output
            .push(pb::ValueInfoProto { name: logits.to_owned(), ..Default::default() });
        pb::ModelProto {
            ir_version: 8,
            opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: 17 }],
            graph: Some(self.graph),
            ..Default::default()
        }
    }
}

/// Convolution, residual, max pool, depthwise, layer norm, linear with GELU, constants, pooling, linear.
fn network(signed: bool) -> pb::ModelProto {
    let mut b = Builder { state: 7, ..Default::default() };
    let x = b.qdq("x", 0.03, 120, signed);
    let w = b.weights(&[8, 3, 3, 3], 0, 0.004);
    let bias = b.constant(&[8], |i| if i % 2 == 0 { 0.21 } else { -0.33 });
    let y = b.node("Conv", &[&x, &w, &bias], &[("pads", vec![1; 4]), ("kernel_shape", vec![3, 3])]);
    let y = b.node("Relu", &[&y], &[]);
    let y = b.qdq(&y, 0.02, 0, signed);
    let w = b.weights(&[8, 8, 1, 1], 0, 0.003);
    let z = b.node("Conv", &[&y, &w], &[("kernel_shape", vec![1, 1])]);
    let z = b.qdq(&z, 0.02, 110, signed);
    let sum = b.node("Add", &[&z, &y], &[]);
    let sum = b.node("Relu", &[&sum], &[]);
    let sum = b.qdq(&sum, 0.025, 0, signed);
    let pool = [("kernel_shape", vec![3, 3]), ("strides", vec![2, 2]), ("pads", vec![1; 4])];
    let pooled = b.node("MaxPool", &[&sum], &pool);
    let pooled = b.qdq(&pooled, 0.025, 0, signed);
    let w = b.weights(&[8, 1, 5, 5], 0, 0.002);
    let window = [("kernel_shape", vec![5, 5]), ("pads", vec![2; 4]), ("group", vec![8])];
    let d = b.node("Conv", &[&pooled, &w], &window);
    let d = b.qdq(&d, 0.02, 128, signed);
    let d = b.node("Transpose", &[&d], &[("perm", vec![0, 2, 3, 1])]);
    let (scale, shift) = (b.constant(&[8], |i| [0.8, 1.2][i % 2]), b.constant(&[8], |_| 0.1));
    let d = b.node("LayerNormalization", &[&d, &scale, &shift], &[("axis", vec![-1])]);
    let d = b.qdq(&d, 0.02, 128, signed);
    let w = b.weights(&[8, 16], 1, 0.004);
    let bias = b.constant(&[16], |_| 0.05);
    let h = b.node("MatMul", &[&d, &w], &[]);
    let h = b.node("Add", &[&h, &bias], &[]);
    let h = b.qdq(&h, 0.03, 128, signed);
    let (root, one, half) = (
        b.constant(&[], |_| std::f32::consts::SQRT_2),
        b.constant(&[], |_| 1.0),
        b.constant(&[], |_| 0.5),
    );
    let e = b.node("Div", &[&h, &root], &[]);
    let e = b.node("Erf", &[&e], &[]);
    let e = b.qdq(&e, 0.008, 128, signed);
    let e = b.node("Add", &[&e, &one], &[]);
    let e = b.node("Mul", &[&h, &e], &[]);
    let e = b.node("Mul", &[&e, &half], &[]);
    let e = b.qdq(&e, 0.02, 10, signed);
    let w = b.weights(&[16, 8], 1, 0.003);
    let f = b.node("MatMul", &[&e, &w], &[]);
    let f = b.qdq(&f, 0.02, 128, signed);
    let f = b.node("Transpose", &[&f], &[("perm", vec![0, 3, 1, 2])]);
    let layer_scale = b.constant(&[8, 1, 1], |i| [0.5, -0.25][i % 2]);
    let f = b.node("Mul", &[&layer_scale, &f], &[]);
    let f = b.qdq(&f, 0.01, 128, signed);
    let f = b.node("Add", &[&f, &pooled], &[]);
    let f = b.qdq(&f, 0.03, 60, signed);
    let g = b.node("GlobalAveragePool", &[&f], &[]);
    let g = b.qdq(&g, 0.012, 60, signed);
    let g = b.node("Flatten", &[&g], &[]);
    let w = b.weights(&[CLASSES, 8], 0, 0.005);
    let bias = b.constant(&[CLASSES], |_| 0.3);
    let logits = b.node("Gemm", &[&g, &w, &bias], &[("transB", vec![1])]);
    b.finish(&logits)
}

fn open(proto: &pb::ModelProto, integers: bool, isa: Isa) -> Result<Network, ModelError> {
    open_sized(proto, CLASSES, integers, isa)
}

/// A graph with so many numbers at its end.
fn open_sized(
    proto: &pb::ModelProto,
    count: usize,
    integers: bool,
    isa: Isa,
) -> Result<Network, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, proto.encode_to_vec()).unwrap();
    open_file(&path, count, integers, isa)
}

fn open_file(path: &Path, count: usize, integers: bool, isa: Isa) -> Result<Network, ModelError> {
    let manifest = Manifest {
        schema: SCHEMA,
        name: "test".to_owned(),
        architecture: "unknown".to_owned(),
        file: String::new(),
        sha256: crate::digest::sha256_hex(&std::fs::read(path).unwrap()),
        precision: crate::manifest::Precision::Int8Qdq,
        feature_map: None,
        external: vec![],
        date: String::new(),
        licence: String::new(),
        input: Input {
            width: SIDE,
            height: SIDE,
            mean: [0.5; 3],
            std: [0.25; 3],
            channel_order: crate::manifest::ChannelOrder::Rgb,
            resize: crate::manifest::Resize::None,
        },
        classes: Classes { count, hash: String::new() },
        head: None,
        training: toml::Table::new(),
        accuracy: vec![],
    };
    Network::with_options(manifest, path, EngineOptions { isa, integers })
}

fn picture() -> Vec<f32> {
    let wave = |i: usize| f32::from(u8::try_from(i * 7919 % 251).unwrap()) / 40.0 - 3.1;
    (0..3 * SIDE * SIDE).map(wave).collect()
}

fn run(network: &Network, threads: usize) -> Prediction {
    network.session_with_threads(threads).unwrap().run(&picture()).unwrap()
}

/// The graph up to a node, whose output is that of the graph.
fn cut(proto: &pb::ModelProto, end: usize) -> pb::ModelProto {
    let mut proto = proto.clone();
    let graph = proto.graph.as_mut().unwrap();
    graph.node.truncate(end + 1);
    graph.output[0].name.clone_from(&graph.node[end].output[0]);
    proto
}

/// How far the error function of the integers' tables may be off: its fit, and rounding to f32 (`unary::erf`).
const ERF_OF_INTEGERS: f64 = 1.2e-7 + 1.0 / 16_777_216.0;
/// How far that of the runtime may be off: its fit (Abramowitz and Stegun, 7.1.28), and 14 roundings of a base that is
/// raised to the power of 16 by four squarings, inverted and subtracted.
const ERF_OF_RUNTIME: f64 = 3e-7 + (16.0 * 14.0 + 17.0) / 16_777_216.0;

/// Every code of every layer is a rounding of the number that is meant, within the bound that [`reference`] derives;
/// gives the numbers of every quantized tensor.
fn check_every_layer(proto: &pb::ModelProto, integers: bool) -> BTreeMap<String, Vec<f32>> {
    let graph = proto.graph.as_ref().unwrap();
    let picture = picture().iter().map(|v| f64::from(*v)).collect();
    let picture = Numbers::exact(vec![1, 3, SIDE, SIDE], picture, 0.0);
    let known = BTreeMap::from([("x".to_owned(), picture)]);
    let erf = if integers { ERF_OF_INTEGERS } else { ERF_OF_RUNTIME };
    let mut reference = Reference { graph, known, erf };
    let mut all = BTreeMap::new();
    for (end, node) in graph.node.iter().enumerate() {
        let quantize = graph.node.iter().find(|n| n.output[0] == node.input[0]);
        let Some(quantize) = quantize.filter(|q| q.op_type == "QuantizeLinear") else { continue };
        let meant = reference.numbers(&quantize.input[0]);
        let (scale, zero) =
            (reference.numbers(&node.input[1]).values[0], reference.numbers(&node.input[2]));
        let signed = graph
            .initializer
            .iter()
            .any(|t| t.name == node.input[2] && t.data_type == element::INT8);
        let lowest = if signed { -128.0 } else { 0.0 } - zero.values[0];
        let part = open_sized(&cut(proto, end), meant.values.len(), integers, Isa::SCALAR).unwrap();
        let found = run(&part, 1).logits;
        let steps: Vec<f64> = found.iter().map(|v| (f64::from(*v) / scale).round()).collect();
        for (i, (found, steps)) in found.iter().zip(&steps).enumerate() {
            let place = format!("{}, number {i}, integers {integers}", node.name);
            let exact = meant.values[i] / scale;
            let bound = meant.bounds[i] / scale + 2.0 * reference::U * exact.abs();
            assert!(
                bound < 0.5,
                "{place}: with a bound of {bound} steps most codes would be right"
            );
            let off = (steps - exact.clamp(lowest, lowest + 255.0)).abs();
            assert!(
                off <= 0.5 + bound,
                "{place}: {steps} steps found, {exact} meant, bound {bound}"
            );
            // a number of a code, rounded to f32 when it was made from it
            let number = steps * scale;
            assert!((f64::from(*found) - number).abs() <= reference::U * number.abs(), "{place}");
        }
        let numbers = steps.iter().map(|steps| steps * scale).collect();
        let numbers = Numbers::exact(meant.dims, numbers, scale);
        reference.known.insert(node.output[0].clone(), numbers);
        all.insert(node.output[0].clone(), found);
    }
    let meant = reference.numbers(&graph.output[0].name);
    let logits = run(&open(proto, integers, Isa::SCALAR).unwrap(), 1).logits;
    for (i, found) in logits.iter().enumerate() {
        let (meant, bound) = (meant.values[i], meant.bounds[i]);
        assert!((f64::from(*found) - meant).abs() <= bound, "logit {i}: {found}, {meant} meant");
    }
    all
}

#[test]
fn every_layer_gives_what_the_quantized_graph_means() {
    for signed in [false, true] {
        let proto = network(signed);
        for integers in [false, true] {
            let layers = check_every_layer(&proto, integers);
            assert_eq!(
                layers.len(),
                14,
                "one for each pair of QuantizeLinear and DequantizeLinear"
            );
            let whole = open(&proto, integers, Isa::SCALAR).unwrap();
            let map = run(&whole, 1).feature_map.unwrap();
            assert_eq!([map.channels, map.height, map.width], [8, 6, 6]);
            // fused or not, cut or whole: the same codes
            assert!(layers.values().any(|numbers| *numbers == map.data), "integers {integers}");
        }
        let integers = open(&proto, true, Isa::SCALAR).unwrap();
        assert_eq!(integers.report().in_floats, Vec::<String>::new());
        assert!((integers.info().integer_mac_share - 1.0).abs() < 1e-12, "all in integers");
        // quantize; 5 products and convolutions with all that follows them; pool, norm, mean, two bridges
        assert_eq!(integers.report().steps, 11);
    }
}

#[test]
fn every_isa_and_thread_count_gives_the_same_bits() {
    let proto = network(false);
    let expected = run(&open(&proto, true, Isa::SCALAR).unwrap(), 1);
    for isa in Isa::available() {
        let network = open(&proto, true, isa).unwrap();
        for threads in [1, 3] {
            assert_eq!(run(&network, threads), expected, "{isa}, {threads} threads");
        }
    }
}

#[test]
fn what_is_not_recognized_stays_in_floats_and_is_reported() {
    let mut proto = network(false);
    let graph = proto.graph.as_mut().unwrap();
    let pool = graph.node.iter_mut().find(|n| n.op_type == "MaxPool").unwrap();
    pool.attribute.push(pb::AttributeProto {
        name: "dilations".to_owned(),
        ints: vec![2, 2],
        r#type: 7,
        ..Default::default()
    });
    let integers = open(&proto, true, Isa::detect()).unwrap();
    let report = integers.report();
    assert!(
        report.in_floats.iter().any(|l| l.contains("MaxPool") && l.contains("dilated")),
        "{report:?}"
    );
    let share = integers.info().integer_mac_share;
    assert!(share > 0.2 && share < 1.0, "what comes before the pooling is in integers: {share}");
    check_every_layer(&proto, true);
}

/// Quantized pictures, channels last.
fn channels_last(b: &mut Builder) -> String {
    let x = b.qdq("x", 0.03, 120, false);
    b.node("Transpose", &[&x], &[("perm", vec![0, 2, 3, 1])])
}

const NUMBERS: usize = 3 * SIDE * SIDE;

#[test]
fn a_product_that_ends_in_floats_is_computed_as_a_whole_by_difference() {
    let mut b = Builder { state: 3, ..Default::default() };
    let x = channels_last(&mut b);
    let w = b.weights(&[3, 4], 1, 0.004);
    let bias = b.constant(&[4], |_| 0.2);
    let y = b.node("MatMul", &[&x, &w], &[]);
    let y = b.node("Add", &[&y, &bias], &[]);
    let logits = b.node("Tanh", &[&y], &[]);
    let network = open_sized(&b.finish(&logits), 4 * SIDE * SIDE, true, Isa::detect()).unwrap();
    let report = network.report();
    assert_eq!((report.steps, report.in_floats.len()), (2, 1), "all but the last node: {report:?}");
    let (mut whole, mut by_difference) = (network.session().unwrap(), network.session().unwrap());
    let mut picture = picture();
    for changed in [0, 5, 90] {
        // one cell, as a super-pixel would
        picture[changed] += 1.5;
        let found = by_difference.run_by_difference(&picture).unwrap();
        assert_eq!(found.logits, whole.run(&picture).unwrap().logits);
    }
}

#[test]
fn signed_codes_without_a_zero_point_have_the_zero_that_is_meant() {
    let mut b = Builder { state: 3, ..Default::default() };
    let (s, z) = b.parameters(0.03, 128, true);
    let q = b.node("QuantizeLinear", &["x", &s, &z], &[]);
    // the zero point 0 of signed codes is left out
    let x = b.node("DequantizeLinear", &[&q, &s], &[]);
    let x = b.node("Relu", &[&x], &[]);
    let end = b.qdq(&x, 0.02, 3, true);
    let proto = b.finish(&end);
    let logits =
        |integers| run(&open_sized(&proto, NUMBERS, integers, Isa::SCALAR).unwrap(), 1).logits;
    let (integers, floats) = (logits(true), logits(false));
    let largest = floats.iter().copied().fold(0.0, f32::max);
    assert!(largest > 2.0 && floats.contains(&0.0), "the picture has both signs: {largest}");
    // ties of the first quantization (a step of 0.03) may round the other way; a wrong zero is 128 of them
    for (found, expected) in integers.iter().zip(&floats) {
        assert!((found - expected).abs() < 0.05, "{found} found, {expected} meant");
    }
}

/// Both ways of running a graph give the same numbers up to a step of their codes.
fn assert_same(proto: &pb::ModelProto, count: usize, step: f32) -> Vec<f32> {
    let logits =
        |integers| run(&open_sized(proto, count, integers, Isa::SCALAR).unwrap(), 1).logits;
    let (integers, floats) = (logits(true), logits(false));
    for (i, (found, expected)) in integers.iter().zip(&floats).enumerate() {
        assert!((found - expected).abs() < 1.01 * step, "number {i}: {found}, {expected} meant");
    }
    floats
}

#[test]
fn zero_points_that_differ_from_channel_to_channel_do_so_where_the_scales_are_equal() {
    let mut b = Builder { state: 3, ..Default::default() };
    let scales = b.constant(&[3], |_| 0.02);
    let zeros = b.tensor("zeros", &[3], element::UINT8, vec![10, 128, 250]);
    let axis = [("axis", vec![1])];
    let q = b.node("QuantizeLinear", &["x", &scales, &zeros], &axis);
    let x = b.node("DequantizeLinear", &[&q, &scales, &zeros], &axis);
    let end = b.qdq(&x, 0.05, 128, false);
    let floats = assert_same(&b.finish(&end), NUMBERS, 0.05);
    // 10, 128 and 250 steps of 0.02 below 0 are there
    let lowest: Vec<f32> = floats
        .chunks(SIDE * SIDE)
        .map(|channel| channel.iter().copied().fold(0.0, f32::min))
        .collect();
    assert!(lowest[0] > -0.3 && lowest[1] < -2.0 && lowest[2] < -2.7, "{lowest:?}");
}

#[test]
fn a_bias_at_the_end_of_32_bits_does_not_turn_over() {
    let mut b = Builder { state: 3, ..Default::default() };
    let x = b.qdq("x", 0.03, 120, false);
    let w = b.tensor("w", &[4, 3, 1, 1], element::INT8, vec![100; 12]);
    let (s, z) = b.parameters(1e-9, 128, true);
    let w = b.node("DequantizeLinear", &[&w, &s, &z], &[]);
    // accumulators have steps of 3e-11, and the sums of 3 products go up to 20,000 steps
    let bias = b.constant(&[4], |_| 2_147_480_000.0 * 3e-11);
    let y = b.node("Conv", &[&x, &w, &bias], &[("kernel_shape", vec![1, 1])]);
    let end = b.qdq(&y, 0.01, 128, false);
    let floats = assert_same(&b.finish(&end), 4 * SIDE * SIDE, 0.01);
    assert!(floats.iter().all(|v| (v - 0.06).abs() < 1e-3), "{floats:?}");
}

/// A layer norm in nine nodes, over these axes.
fn written_out(axes: &[i64], twice: bool) -> pb::ModelProto {
    let mut b = Builder { state: 3, ..Default::default() };
    let x = channels_last(&mut b);
    let reduced = [("axes", axes.to_vec())];
    let mean = b.node("ReduceMean", &[&x], &reduced);
    let centre = b.node("Sub", &[&x, &mean], &[]);
    let other = if twice { b.node("Add", &[&centre, &x], &[]) } else { centre.clone() };
    let square = b.node("Mul", &[&centre, &other], &[]);
    let variance = b.node("ReduceMean", &[&square], &reduced);
    let (eps, scale, shift) = (
        b.constant(&[], |_| 1e-2),
        b.constant(&[3], |i| [0.8, 1.2, 0.5][i]),
        b.constant(&[3], |_| 0.1),
    );
    let sum = b.node("Add", &[&variance, &eps], &[]);
    let root = b.node("Sqrt", &[&sum], &[]);
    let ratio = b.node("Div", &[&centre, &root], &[]);
    let scaled = b.node("Mul", &[&ratio, &scale], &[]);
    let shifted = b.node("Add", &[&scaled, &shift], &[]);
    let end = b.qdq(&shifted, 0.03, 128, false);
    b.finish(&end)
}

#[test]
fn a_norm_in_nine_nodes_is_one_over_channels_only_where_it_is() {
    for (axes, twice, recognized) in [
        (vec![-1], false, true),
        (vec![1, 2, 3], false, false),
        (vec![1, 2], false, false),
        (vec![-1], true, false),
    ] {
        let proto = written_out(&axes, twice);
        let network = |integers| open_sized(&proto, NUMBERS, integers, Isa::SCALAR).unwrap();
        let norm =
            network(true).session().unwrap().profile(&picture(), 1, &|| std::time::Duration::ZERO);
        let norm = norm.unwrap().iter().any(|layer| layer.kernel.contains("norm"));
        assert_eq!(norm, recognized, "axes {axes:?}, {twice}");
        let (integers, floats) = (run(&network(true), 1).logits, run(&network(false), 1).logits);
        for (found, expected) in integers.iter().zip(&floats) {
            assert!((found - expected).abs() < 0.031, "axes {axes:?}: {found}, {expected} meant");
        }
    }
}

#[test]
fn a_profile_names_every_layer() {
    let network = open(&network(false), true, Isa::detect()).unwrap();
    let mut session = network.session().unwrap();
    let ticks = std::cell::Cell::new(0);
    let clock = || {
        ticks.set(ticks.get() + 1);
        std::time::Duration::from_millis(ticks.get())
    };
    let layers = session.profile(&vec![0.5; 3 * SIDE * SIDE], 3, &clock).unwrap();
    let macs: u64 = layers.iter().map(|l| l.macs).sum();
    assert_eq!(macs, network.info().macs);
    assert!(layers.iter().any(|l| l.kernel == "product + table" && l.is_integer), "{layers:?}");
    assert!(layers.iter().all(|l| (l.ms - 1.0).abs() < 1e-9), "one tick a layer");
}

/// Damages the bytes of a model in many ways: loading has to end in a network or an error.
#[test]
fn damaged_files_end_in_an_error_or_a_network_never_in_a_panic() {
    let bytes = network(false).encode_to_vec();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    let mut state = 99_u64;
    let mut draw = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut loaded, mut refused) = (0, 0);
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + draw(4) {
            let at = draw(damaged.len());
            match draw(3) {
                0 => damaged[at] = u8::try_from(draw(256)).unwrap(),
                1 => damaged[at] ^= 1 << draw(8),
                _ => {
                    let end = (at + 1 + draw(8)).min(damaged.len());
                    damaged.drain(at..end);
                }
            }
        }
        std::fs::write(&path, &damaged).unwrap();
        match open_file(&path, CLASSES, true, Isa::SCALAR) {
            Ok(network) => {
                loaded += 1;
                if let Ok(mut session) = network.session() {
                    match session.run(&[0.1; 3 * SIDE * SIDE]) {
                        Ok(prediction) => assert_eq!(prediction.logits.len(), CLASSES),
                        Err(error) => assert!(!error.to_string().is_empty(), "says what is wrong"),
                    }
                }
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty(), "an error says what is wrong");
            }
        }
    }
    assert!(loaded > 20 && refused > 20, "{loaded} loaded, {refused} refused: damage is one-sided");
}
