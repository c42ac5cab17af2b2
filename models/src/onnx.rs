//! ONNX files as protobuf: reading with limits (`census`), widening 16-bit floats (`halves`), choosing outputs.
//!
//! The graph is edited here, before the runtime sees it, so that one file in a standard format
//! serves every runtime.

mod census;
mod halves;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Component, Path};

use prost::Message as _;
pub use tract_onnx::pb;

pub use self::halves::{has_half_weights, widen_halves};
use crate::digest::sha256_hex;
use crate::error::ModelError;
use crate::manifest::ExternalFile;

/// ONNX element types by their number in `TensorProto.DataType`.
pub mod element {
    /// 32-bit floating point.
    pub const FLOAT: i32 = 1;
    /// Unsigned 8-bit integer.
    pub const UINT8: i32 = 2;
    /// Signed 8-bit integer.
    pub const INT8: i32 = 3;
    /// Signed 32-bit integer.
    pub const INT32: i32 = 6;
    /// Signed 64-bit integer.
    pub const INT64: i32 = 7;
    /// Boolean, one byte.
    pub const BOOL: i32 = 9;
    /// IEEE 754 binary16.
    pub const FLOAT16: i32 = 10;
    /// 64-bit floating point.
    pub const DOUBLE: i32 = 11;
    /// The upper half of a binary32.
    pub const BFLOAT16: i32 = 16;
}

/// Protobuf itself ends at 2 GiB; no network for a vehicle's camera comes near this.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Weights from files beside an ONNX file, in all: tensors may share bytes there, so that the files do not bound them.
const MAX_EXTERNAL_BYTES: usize = 1 << 30;
/// Most dimensions that any operator could mean.
const MAX_AXIS: i64 = 64;
/// ConvNeXt-Large in QDQ form has about 5,000.
const MAX_NODES: usize = 100_000;
const EXTERNAL: i32 = 1;

/// A decoded ONNX file.
#[derive(Debug)]
pub struct OnnxFile {
    /// The model, its weights inside.
    pub proto: pb::ModelProto,
    /// sha256 of the ONNX file, hexadecimal.
    pub sha256: String,
    /// The weight files that it referred to.
    pub external: Vec<ExternalFile>,
}

/// Reads an ONNX file and the weight files it refers to, and checks that every tensor is whole.
///
/// # Errors
/// If a file is missing, too large, truncated or not ONNX.
pub fn read(path: &Path) -> Result<OnnxFile, ModelError> {
    from_bytes(
        read_limited(path, "give the path of an ONNX file, or a name from `models/zoo`")?,
        path,
    )
}

/// [`read`] for a file that is already in memory; the path is for messages, and weight files lie beside it.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<OnnxFile, ModelError> {
    let sha256 = sha256_hex(&bytes);
    let whole = "the file is damaged or incomplete: copy or export it again";
    let undecodable = |e: &dyn std::fmt::Display| {
        let problem =
            format!("expected an ONNX model, found {} undecodable bytes ({e})", bytes.len());
        ModelError::file(path, problem, whole)
    };
    // before anything is built in memory: a record of two bytes becomes hundreds
    let records = census::count(&bytes).map_err(|e| undecodable(&e))?;
    if records > census::MOST_RECORDS {
        let problem = format!(
            "expected at most {} nodes, names and other records, found {records} or more",
            census::MOST_RECORDS
        );
        return Err(ModelError::file(path, problem, "simplify the graph"));
    }
    let mut proto = pb::ModelProto::decode(bytes.as_slice()).map_err(|e| undecodable(&e))?;
    drop(bytes);
    let graph = proto.graph.as_mut().ok_or_else(|| {
        ModelError::file(path, "expected an ONNX model with a graph, found none", whole)
    })?;
    if graph.node.is_empty() || graph.output.is_empty() {
        let problem = format!(
            "expected a graph with nodes and outputs, found {} and {}",
            graph.node.len(),
            graph.output.len()
        );
        return Err(ModelError::file(path, problem, whole));
    }
    if graph.node.len() > MAX_NODES {
        let problem = format!("expected at most {MAX_NODES} nodes, found {}", graph.node.len());
        return Err(ModelError::file(path, problem, "simplify the graph"));
    }
    for node in &graph.node {
        check_axis(node).map_err(|problem| ModelError::file(path, problem, whole))?;
        check_quantization(node).map_err(|problem| {
            let remedy = "quantize for operator set 13 to 17, with a zero point for every tensor";
            ModelError::file(path, problem, remedy)
        })?;
    }
    check_order(graph).map_err(|problem| {
        ModelError::file(path, problem, "check it with onnx.checker and export it again")
    })?;
    let external = inline_external(path, graph, MAX_EXTERNAL_BYTES)?;
    for tensor in &graph.initializer {
        check_whole(tensor).map_err(|problem| ModelError::file(path, problem, whole))?;
    }
    Ok(OnnxFile { proto, sha256, external })
}

/// Refuses an axis that no tensor has, and of `LayerNormalization` every one before the last: shape inference in tract
/// 0.23.9 counts up to an axis that wraps around below zero, and the rank isn't known yet (found by fuzzing).
fn check_axis(node: &pb::NodeProto) -> Result<(), String> {
    let lowest = if node.op_type == "LayerNormalization" { -1 } else { -MAX_AXIS };
    match node.attribute.iter().find(|a| a.name == "axis" && !(lowest..=MAX_AXIS).contains(&a.i)) {
        Some(axis) => Err(format!(
            "node `{}` ({}): expected an axis from {lowest} to {MAX_AXIS}, found {}",
            node.name, node.op_type, axis.i
        )),
        None => Ok(()),
    }
}

/// Refuses forms of quantization that tract 0.23.9 and our own operators would misread: a scale for each block of codes,
/// and signed codes that only an attribute speaks of (both since operator set 21).
fn check_quantization(node: &pb::NodeProto) -> Result<(), String> {
    let quantizes = node.op_type == "QuantizeLinear";
    if !quantizes && node.op_type != "DequantizeLinear" {
        return Ok(());
    }
    let attribute = |name: &str| node.attribute.iter().find(|a| a.name == name).map_or(0, |a| a.i);
    let refuse = |expected: &str, name: &str| {
        let (node, op, found) = (&node.name, &node.op_type, attribute(name));
        Err(format!("node `{node}` ({op}): expected {expected}, found {name} {found}"))
    };
    if attribute("block_size") != 0 {
        return refuse("one scale for a tensor or for a channel", "block_size");
    }
    let unsigned = [0, i64::from(element::UINT8)].contains(&attribute("output_dtype"));
    let has_zero = node.input.get(2).is_some_and(|zero| !zero.is_empty());
    if quantizes && !unsigned && !has_zero {
        return refuse("a zero point, whose type is that of the codes", "output_dtype");
    }
    Ok(())
}

/// Refuses a graph in which a tensor has two makers, or is made of itself: walks along its nodes would not end.
fn check_order(graph: &pb::GraphProto) -> Result<(), String> {
    let weights: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (at, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().map(String::as_str).filter(|o| !o.is_empty()) {
            if makers.insert(output, at).is_some() || weights.contains(output) {
                return Err(format!("tensor `{output}`: expected one maker, found two"));
            }
        }
    }
    // nodes go as soon as their inputs are there (Kahn, CACM 5 (1962) 558); those of a circle never do
    let mut waits = vec![0_usize; graph.node.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    for (at, node) in graph.node.iter().enumerate() {
        for maker in node.input.iter().filter_map(|i| makers.get(i.as_str())) {
            waits[at] += 1;
            readers[*maker].push(at);
        }
    }
    let mut ready: Vec<usize> = (0..waits.len()).filter(|at| waits[*at] == 0).collect();
    while let Some(at) = ready.pop() {
        for &reader in &readers[at] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.push(reader);
            }
        }
    }
    match waits.iter().position(|left| *left > 0) {
        None => Ok(()),
        Some(at) => {
            let (name, op) = (&graph.node[at].name, &graph.node[at].op_type);
            Err(format!("node `{name}` ({op}): expected inputs made before it, found a circle"))
        }
    }
}

fn read_limited(path: &Path, remedy: &str) -> Result<Vec<u8>, ModelError> {
    let size = fs::metadata(path)
        .map_err(|e| ModelError::file(path, format!("model file cannot be read: {e}"), remedy))?
        .len();
    if size > MAX_FILE_BYTES {
        let problem = format!("expected at most {MAX_FILE_BYTES} bytes, found {size}");
        return Err(ModelError::file(path, problem, remedy));
    }
    fs::read(path)
        .map_err(|e| ModelError::file(path, format!("model file cannot be read: {e}"), remedy))
}

/// Moves weights of files beside the ONNX file (`data_location = EXTERNAL`) into the graph, at most so many bytes.
fn inline_external(
    path: &Path,
    graph: &mut pb::GraphProto,
    most: usize,
) -> Result<Vec<ExternalFile>, ModelError> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut total = 0_usize;
    for tensor in &mut graph.initializer {
        if tensor.data_location != Some(EXTERNAL) {
            continue;
        }
        let entry = |key: &str| {
            tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str())
        };
        let location = entry("location").unwrap_or_default().to_owned();
        let parts: Vec<_> = Path::new(&location).components().collect();
        if !matches!(parts.as_slice(), [Component::Normal(_)]) {
            let problem = format!(
                "tensor `{}`: expected its data in a file beside the model, found `{location}`",
                tensor.name
            );
            return Err(ModelError::file(path, problem, "export with external_data=False"));
        }
        if !files.contains_key(&location) {
            let remedy =
                "copy the weight file beside the ONNX file, or export with external_data=False";
            let bytes = read_limited(&folder.join(&location), remedy)?;
            files.insert(location.clone(), bytes);
        }
        let bytes = files.get(&location).map_or(&[][..], Vec::as_slice);
        let number = |key: &str| -> Result<Option<usize>, ModelError> {
            entry(key).map(str::parse::<usize>).transpose().map_err(|e| {
                let problem = format!("tensor `{}`: {key} of its data: {e}", tensor.name);
                ModelError::file(path, problem, "export the file again")
            })
        };
        let start = number("offset")?.unwrap_or(0);
        let end = number("length")?.map_or(Some(bytes.len()), |length| start.checked_add(length));
        let range = end.and_then(|end| bytes.get(start..end)).ok_or_else(|| {
            let problem = format!(
                "tensor `{}`: expected bytes from {start} to {end:?}, found {} bytes in all",
                tensor.name,
                bytes.len()
            );
            ModelError::file(&folder.join(&location), problem, "copy or export the file again")
        })?;
        total = total.saturating_add(range.len());
        if total > most {
            let problem = format!(
                "tensor `{}`: expected at most {most} bytes from weight files, found {total}",
                tensor.name
            );
            return Err(ModelError::file(path, problem, "export with external_data=False"));
        }
        tensor.raw_data = range.to_vec();
        tensor.data_location = None;
        tensor.external_data.clear();
    }
    Ok(files
        .into_iter()
        .map(|(file, bytes)| ExternalFile { file, sha256: sha256_hex(&bytes) })
        .collect())
}

/// The bytes of an ONNX file.
#[must_use]
pub fn encode(proto: &pb::ModelProto) -> Vec<u8> {
    proto.encode_to_vec()
}

/// Number of elements of a tensor, if its dimensions make sense.
#[must_use]
pub fn element_count(tensor: &pb::TensorProto) -> Option<usize> {
    tensor
        .dims
        .iter()
        .try_fold(1_usize, |product, &dim| product.checked_mul(usize::try_from(dim).ok()?))
}

fn check_whole(tensor: &pb::TensorProto) -> Result<(), String> {
    let name = &tensor.name;
    let count = element_count(tensor)
        .ok_or_else(|| format!("tensor `{name}`: impossible shape {:?}", tensor.dims))?;
    let width = match tensor.data_type {
        element::UINT8 | element::INT8 | element::BOOL => 1,
        element::FLOAT16 | element::BFLOAT16 => 2,
        element::FLOAT | element::INT32 => 4,
        element::INT64 | element::DOUBLE => 8,
        _ => return Ok(()), // left to the runtime to judge
    };
    let (expected, found, unit) = if tensor.raw_data.is_empty() {
        let values = match tensor.data_type {
            element::FLOAT => tensor.float_data.len(),
            element::INT64 => tensor.int64_data.len(),
            element::DOUBLE => tensor.double_data.len(),
            _ => tensor.int32_data.len(),
        };
        (Some(count), values, "values")
    } else {
        (count.checked_mul(width), tensor.raw_data.len(), "bytes")
    };
    if expected == Some(found) {
        return Ok(());
    }
    let expected = expected.map_or_else(|| "fewer".to_owned(), |n| n.to_string());
    Err(format!("tensor `{name}` {:?}: expected {expected} {unit}, found {found}", tensor.dims))
}

/// Whether the graph has `QuantizeLinear` nodes.
#[must_use]
pub fn is_quantized(proto: &pb::ModelProto) -> bool {
    proto.graph.as_ref().is_some_and(|g| g.node.iter().any(|n| n.op_type == "QuantizeLinear"))
}

/// Shape of a graph input or output; `None` for dimensions that are not fixed in the file.
#[must_use]
pub fn shape(info: &pb::ValueInfoProto) -> Option<Vec<Option<usize>>> {
    use pb::tensor_shape_proto::dimension::Value;
    let pb::type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    let dims = &tensor.shape.as_ref()?.dim;
    let fixed = |dim: &pb::tensor_shape_proto::Dimension| match dim.value.as_ref()? {
        Value::DimValue(value) => usize::try_from(*value).ok().filter(|v| *v > 0),
        Value::DimParam(_) => None,
    };
    Some(dims.iter().map(fixed).collect())
}

/// Element type of a graph input or output, a number of [`element`]; `None` or 0 if the file does not say.
#[must_use]
pub fn element_type(info: &pb::ValueInfoProto) -> Option<i32> {
    let pb::type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    Some(tensor.elem_type)
}

/// Value of a `Constant` node, from whichever of its attributes has it.
#[must_use]
pub fn constant_value(node: &pb::NodeProto) -> Option<Cow<'_, pb::TensorProto>> {
    let attribute = node.attribute.iter().find(|a| a.name.starts_with("value"))?;
    if node.op_type != "Constant" {
        return None;
    }
    let floats = |list: &[f32]| list.iter().flat_map(|v| v.to_le_bytes()).collect();
    let integers = |list: &[i64]| list.iter().flat_map(|v| v.to_le_bytes()).collect();
    let (data_type, count, raw_data) = match attribute.name.as_str() {
        "value" => return attribute.t.as_ref().map(Cow::Borrowed),
        "value_float" => (element::FLOAT, None, floats(&[attribute.f])),
        "value_floats" => (element::FLOAT, Some(attribute.floats.len()), floats(&attribute.floats)),
        "value_int" => (element::INT64, None, integers(&[attribute.i])),
        "value_ints" => (element::INT64, Some(attribute.ints.len()), integers(&attribute.ints)),
        _ => return None,
    };
    let dims = count.map(i64::try_from).transpose().ok()?.into_iter().collect();
    Some(Cow::Owned(pb::TensorProto { dims, data_type, raw_data, ..Default::default() }))
}

/// The one input that is not a weight: some exporters list weights as inputs too.
#[must_use]
pub fn data_input(graph: &pb::GraphProto) -> Option<&pb::ValueInfoProto> {
    let weights: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut inputs = graph.input.iter().filter(|i| !weights.contains(i.name.as_str()));
    let first = inputs.next()?;
    inputs.next().is_none().then_some(first)
}

/// Makes these tensors the outputs of the graph, in this order.
pub fn set_outputs(graph: &mut pb::GraphProto, names: &[&str]) {
    graph.output = names
        .iter()
        .map(|&name| pb::ValueInfoProto { name: name.to_owned(), ..Default::default() })
        .collect();
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    pub(super) fn half_tensor(name: &str, values: &[f32]) -> pb::TensorProto {
        pb::TensorProto {
            name: name.to_owned(),
            dims: vec![i64::try_from(values.len()).unwrap()],
            data_type: element::FLOAT16,
            raw_data: values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_bits().to_le_bytes())
                .collect(),
            ..Default::default()
        }
    }

    #[test]
    fn an_axis_that_no_tensor_has_is_refused() {
        let node = |i: i64| pb::NodeProto {
            name: "norm".into(),
            op_type: "LayerNormalization".into(),
            attribute: vec![pb::AttributeProto { name: "axis".into(), i, ..Default::default() }],
            ..Default::default()
        };
        assert_eq!(check_axis(&node(-1)), Ok(()));
        for far in [i64::MIN, -2, 65] {
            let problem = check_axis(&node(far)).unwrap_err();
            assert!(problem.contains("node `norm`") && problem.contains(&far.to_string()));
        }
    }

    fn node(op: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
        pb::NodeProto {
            name: format!("{op} of {output}"),
            op_type: op.into(),
            input: inputs.iter().map(|&i| i.into()).collect(),
            output: vec![output.into()],
            ..Default::default()
        }
    }

    fn with_int(mut node: pb::NodeProto, name: &str, i: i64) -> pb::NodeProto {
        let name = name.to_owned();
        node.attribute.push(pb::AttributeProto { name, i, r#type: 2, ..Default::default() });
        node
    }

    #[test]
    fn quantization_that_would_be_misread_is_refused() {
        let quantize = |inputs: &[&str]| node("QuantizeLinear", inputs, "q");
        let signed = i64::from(element::INT8);
        let unsigned = i64::from(element::UINT8);
        for plain in [
            quantize(&["x", "s"]),
            with_int(quantize(&["x", "s"]), "output_dtype", unsigned),
            with_int(quantize(&["x", "s", "z"]), "output_dtype", signed),
            with_int(quantize(&["x", "s", "z"]), "axis", 1),
            with_int(node("Cast", &["x"], "q"), "block_size", 4),
        ] {
            assert_eq!(check_quantization(&plain), Ok(()));
        }
        let problem = with_int(quantize(&["x", "s", ""]), "output_dtype", signed);
        let problem = check_quantization(&problem).unwrap_err();
        assert!(problem.contains("`QuantizeLinear of q`") && problem.contains("a zero point"));
        let blocks = with_int(node("DequantizeLinear", &["w", "s"], "d"), "block_size", 16);
        let problem = check_quantization(&blocks).unwrap_err();
        assert!(problem.ends_with("found block_size 16"), "{problem}");
    }

    #[test]
    fn tensors_with_two_makers_and_circles_are_refused() {
        let check = |node: Vec<pb::NodeProto>| {
            let initializer = vec![half_tensor("w", &[1.0])];
            check_order(&pb::GraphProto { node, initializer, ..Default::default() })
        };
        let line = || vec![node("Mul", &["x", "w"], "a"), node("Relu", &["a"], "b")];
        assert_eq!(check(line()), Ok(()));
        // not in order, which the runtime puts right
        assert_eq!(check(line().into_iter().rev().collect()), Ok(()));
        let twice = [line(), vec![node("Identity", &["b"], "a")]].concat();
        assert_eq!(check(twice), Err("tensor `a`: expected one maker, found two".to_owned()));
        let weight = [line(), vec![node("Identity", &["b"], "w")]].concat();
        assert_eq!(check(weight), Err("tensor `w`: expected one maker, found two".to_owned()));
        let circle = [line(), vec![node("Identity", &["d"], "c"), node("Identity", &["c"], "d")]];
        let problem = check(circle.concat()).unwrap_err();
        assert!(problem.contains("`Identity of c`") && problem.contains("a circle"), "{problem}");
    }

    #[test]
    fn tensors_that_share_the_bytes_of_a_file_count_each_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.onnx");
        fs::write(folder.path().join("w.bin"), [0; 400]).unwrap();
        let external = |name: &str, entries: &[(&str, &str)]| pb::TensorProto {
            name: name.into(),
            data_location: Some(EXTERNAL),
            external_data: entries
                .iter()
                .map(|&(key, value)| pb::StringStringEntryProto {
                    key: key.into(),
                    value: value.into(),
                })
                .collect(),
            ..Default::default()
        };
        let all = [("location", "w.bin")];
        let graph = |initializer: Vec<pb::TensorProto>| pb::GraphProto {
            initializer,
            ..Default::default()
        };
        let mut three = graph(["a", "b", "c"].map(|name| external(name, &all)).to_vec());
        let error = inline_external(&path, &mut three.clone(), 1_000).unwrap_err().to_string();
        assert!(error.contains("tensor `c`: expected at most 1000 bytes"), "{error}");
        assert_eq!(inline_external(&path, &mut three, 1_200).unwrap().len(), 1);
        assert_eq!(three.initializer[2].raw_data.len(), 400);
        // a place that is no number is not the beginning of the file
        let odd = [("location", "w.bin"), ("offset", "4x"), ("length", "4")];
        let error = inline_external(&path, &mut graph(vec![external("d", &odd)]), 1_000);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("tensor `d`: offset of its data"), "{error}");
    }

    #[test]
    fn constants_are_read_from_every_attribute() {
        let constant = |attribute: pb::AttributeProto| pb::NodeProto {
            op_type: "Constant".into(),
            attribute: vec![attribute],
            ..Default::default()
        };
        let named = |name: &str| pb::AttributeProto { name: name.into(), ..Default::default() };
        let bytes = |node: &pb::NodeProto| {
            let value = constant_value(node).unwrap();
            (value.data_type, value.dims.clone(), value.raw_data.clone())
        };
        let one = constant(pb::AttributeProto { f: 0.5, ..named("value_float") });
        assert_eq!(bytes(&one), (element::FLOAT, vec![], 0.5_f32.to_le_bytes().to_vec()));
        let list = constant(pb::AttributeProto { ints: vec![7], ..named("value_ints") });
        assert_eq!(bytes(&list), (element::INT64, vec![1], 7_i64.to_le_bytes().to_vec()));
        let whole = pb::AttributeProto { t: Some(half_tensor("t", &[1.0])), ..named("value") };
        assert_eq!(bytes(&constant(whole)).1, [1]);
        assert_eq!(constant_value(&constant(named("value_string"))), None);
        assert_eq!(constant_value(&node("Relu", &["x"], "y")), None);
    }

    #[test]
    fn a_tensor_with_missing_bytes_is_named() {
        let mut tensor = half_tensor("w", &[1.0, 2.0, 3.0]);
        tensor.raw_data.pop();
        let problem = check_whole(&tensor).unwrap_err();
        assert_eq!(problem, "tensor `w` [3]: expected 6 bytes, found 5");
        tensor.dims = vec![i64::MAX, i64::MAX];
        assert!(check_whole(&tensor).unwrap_err().contains("impossible shape"));
    }

    #[test]
    fn garbage_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.onnx");
        let missing = read(&path).unwrap_err().to_string();
        assert!(missing.contains("net.onnx: model file cannot be read"), "{missing}");
        for bytes in [&[][..], &[0xff; 64], b"hello world"] {
            fs::write(&path, bytes).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("copy or export it again"), "{error}");
        }
    }
}
