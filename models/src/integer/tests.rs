//! Small quantized graphs, built here, run in integers and by the runtime in f32: the numbers have to agree.
//!
//! The f32 execution of a QDQ graph is what ONNX defines; a step of the last quantization apart is rounding.

use std::path::Path;

use prost::Message as _;

use crate::classifier::{Classifier as _, Network, Prediction};
use crate::engine::{EngineOptions, Isa};
use crate::error::ModelError;
use crate::manifest::{Classes, Input, Manifest, SCHEMA};
use crate::onnx::{element, pb};

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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, proto.encode_to_vec()).unwrap();
    open_file(&path, integers, isa)
}

fn open_file(path: &Path, integers: bool, isa: Isa) -> Result<Network, ModelError> {
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
        classes: Classes { count: CLASSES, hash: String::new() },
        head: None,
        training: toml::Table::new(),
        accuracy: vec![],
    };
    Network::with_options(manifest, path, EngineOptions { isa, integers })
}

fn run(network: &Network, threads: usize) -> Prediction {
    let wave = |i: usize| f32::from(u8::try_from(i * 7919 % 251).unwrap()) / 40.0 - 3.1;
    let x: Vec<f32> = (0..3 * SIDE * SIDE).map(wave).collect();
    network.session_with_threads(threads).unwrap().run(&x).unwrap()
}

#[test]
fn integers_give_what_the_quantized_graph_means() {
    for signed in [false, true] {
        let proto = network(signed);
        let floats = open(&proto, false, Isa::SCALAR).unwrap();
        let integers = open(&proto, true, Isa::SCALAR).unwrap();
        assert_eq!(integers.report().in_floats, Vec::<String>::new());
        assert!((integers.info().integer_mac_share - 1.0).abs() < 1e-12, "all in integers");
        // quantize; 5 products and convolutions with all that follows them; pool, norm, mean, two bridges
        assert_eq!(integers.report().steps, 11);
        let (a, b) = (run(&floats, 1), run(&integers, 1));
        let largest = a.logits.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for (a, b) in a.logits.iter().zip(&b.logits) {
            assert!((a - b).abs() < 0.03 * largest, "{a} {b}");
        }
        let (a, b) = (a.feature_map.unwrap(), b.feature_map.unwrap());
        assert_eq!([a.channels, a.height, a.width], [8, 6, 6]);
        let steps = a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs() / 0.03);
        let off = steps.clone().filter(|s| *s > 0.5).count();
        assert!(steps.fold(0.0, f32::max) < 2.1, "at most two steps apart");
        // six quantizations in a row: a code that rounds the other way early on moves some after it
        assert!(off * 4 < a.data.len(), "{off} of {} a step apart", a.data.len());
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
    let floats = open(&proto, false, Isa::SCALAR).unwrap();
    let integers = open(&proto, true, Isa::detect()).unwrap();
    let report = integers.report();
    assert!(
        report.in_floats.iter().any(|l| l.contains("MaxPool") && l.contains("dilated")),
        "{report:?}"
    );
    let share = integers.info().integer_mac_share;
    assert!(share > 0.2 && share < 1.0, "what comes before the pooling is in integers: {share}");
    let (a, b) = (run(&floats, 1), run(&integers, 2));
    let largest = a.logits.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    for (a, b) in a.logits.iter().zip(&b.logits) {
        assert!((a - b).abs() < 0.03 * largest, "{a} {b}");
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
        match open_file(&path, true, Isa::SCALAR) {
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
