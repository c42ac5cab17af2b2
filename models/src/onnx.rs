//! ONNX files as protobuf: reading with limits, widening 16-bit floats, choosing outputs.
//!
//! The graph is edited here, before the runtime sees it, so that one file in a standard format
//! serves every runtime.

mod census;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Component, Path};

use half::{bf16, f16};
use prost::Message as _;
pub use tract_onnx::pb;

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
    }
    let external = inline_external(path, graph)?;
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

/// Moves weights of files beside the ONNX file (`data_location = EXTERNAL`) into the graph.
fn inline_external(
    path: &Path,
    graph: &mut pb::GraphProto,
) -> Result<Vec<ExternalFile>, ModelError> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
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
        let number = |key: &str| entry(key).and_then(|v| v.parse::<usize>().ok());
        let start = number("offset").unwrap_or(0);
        let end = number("length").map_or(Some(bytes.len()), |length| start.checked_add(length));
        let range = end.and_then(|end| bytes.get(start..end)).ok_or_else(|| {
            let problem = format!(
                "tensor `{}`: expected bytes from {start} to {end:?}, found {} bytes in all",
                tensor.name,
                bytes.len()
            );
            ModelError::file(&folder.join(&location), problem, "copy or export the file again")
        })?;
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

/// Whether the file keeps any weight in 16 bits.
#[must_use]
pub fn has_half_weights(proto: &pb::ModelProto) -> bool {
    let half = |t: &pb::TensorProto| is_half(t.data_type);
    proto.graph.as_ref().is_some_and(|g| g.initializer.iter().any(half))
}

/// Whether the graph has `QuantizeLinear` nodes.
#[must_use]
pub fn is_quantized(proto: &pb::ModelProto) -> bool {
    proto.graph.as_ref().is_some_and(|g| g.node.iter().any(|n| n.op_type == "QuantizeLinear"))
}

const fn is_half(data_type: i32) -> bool {
    data_type == element::FLOAT16 || data_type == element::BFLOAT16
}

/// Turns every 16-bit floating-point tensor of a graph into f32, exactly, and removes the `Cast`
/// nodes that did so at run time. Activations become f32 as well.
pub fn widen_halves(proto: &mut pb::ModelProto) {
    let Some(graph) = proto.graph.as_mut() else { return };
    let mut widened: HashMap<String, ()> = HashMap::new();
    for tensor in &mut graph.initializer {
        if is_half(tensor.data_type) {
            widen(tensor);
            widened.insert(tensor.name.clone(), ());
        }
    }
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            if node.op_type == "Cast" && attribute.name == "to" && is_half_i64(attribute.i) {
                attribute.i = i64::from(element::FLOAT);
            }
            if let Some(tensor) = attribute.t.as_mut().filter(|t| is_half(t.data_type)) {
                widen(tensor);
            }
        }
    }
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        if let Some(tensor) = tensor_type(info).filter(|t| is_half(t.elem_type)) {
            tensor.elem_type = element::FLOAT;
        }
    }
    // a stale element type there would contradict the edited graph
    graph.value_info.clear();
    let to_float = |n: &pb::NodeProto| {
        n.attribute.iter().any(|a| a.name == "to" && a.i == i64::from(element::FLOAT))
    };
    let mut alias: HashMap<String, String> = HashMap::new();
    graph.node.retain(|node| {
        let (Some(input), Some(output)) = (node.input.first(), node.output.first()) else {
            return true;
        };
        let redundant = node.op_type == "Cast" && to_float(node) && widened.contains_key(input);
        if redundant {
            alias.insert(output.clone(), input.clone());
        }
        !redundant
    });
    for input in graph.node.iter_mut().flat_map(|n| &mut n.input) {
        if let Some(name) = alias.get(input) {
            input.clone_from(name);
        }
    }
}

fn is_half_i64(data_type: i64) -> bool {
    i32::try_from(data_type).is_ok_and(is_half)
}

fn widen(tensor: &mut pb::TensorProto) {
    let to_f32 = |bits: u16| match tensor.data_type {
        element::BFLOAT16 => bf16::from_bits(bits).to_f32(),
        _ => f16::from_bits(bits).to_f32(),
    };
    tensor.raw_data = if tensor.raw_data.is_empty() {
        // the bits of each value in the low half of an int32 (onnx.proto, `int32_data`)
        let bits = |&v: &i32| u16::try_from(v & 0xffff).unwrap_or(0);
        tensor.int32_data.iter().flat_map(|v| to_f32(bits(v)).to_le_bytes()).collect()
    } else {
        let (pairs, _) = tensor.raw_data.as_chunks::<2>();
        pairs.iter().flat_map(|&p| to_f32(u16::from_le_bytes(p)).to_le_bytes()).collect()
    };
    tensor.int32_data.clear();
    tensor.data_type = element::FLOAT;
}

fn tensor_type(info: &mut pb::ValueInfoProto) -> Option<&mut pb::type_proto::Tensor> {
    let pb::type_proto::Value::TensorType(tensor) = info.r#type.as_mut()?.value.as_mut()?;
    Some(tensor)
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

/// The one input that is not a weight: some exporters list weights as inputs too.
#[must_use]
pub fn data_input(graph: &pb::GraphProto) -> Option<&pb::ValueInfoProto> {
    let is_weight = |name: &str| graph.initializer.iter().any(|t| t.name == name);
    let mut inputs = graph.input.iter().filter(|i| !is_weight(&i.name));
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
    use super::*;

    fn half_tensor(name: &str, values: &[f32]) -> pb::TensorProto {
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

    #[test]
    fn halves_become_floats_and_their_casts_go() {
        let cast = pb::NodeProto {
            op_type: "Cast".into(),
            input: vec!["w".into()],
            output: vec!["w32".into()],
            attribute: vec![pb::AttributeProto {
                name: "to".into(),
                i: i64::from(element::FLOAT),
                ..Default::default()
            }],
            ..Default::default()
        };
        let user = pb::NodeProto {
            op_type: "Add".into(),
            input: vec!["x".into(), "w32".into()],
            output: vec!["y".into()],
            ..Default::default()
        };
        let mut proto = pb::ModelProto {
            graph: Some(pb::GraphProto {
                node: vec![cast, user],
                initializer: vec![half_tensor("w", &[1.5, -0.25])],
                ..Default::default()
            }),
            ..Default::default()
        };
        assert!(has_half_weights(&proto));
        widen_halves(&mut proto);
        let graph = proto.graph.unwrap();
        assert_eq!(graph.node.len(), 1);
        assert_eq!(graph.node[0].input, ["x", "w"]);
        let expected: Vec<u8> = [1.5_f32, -0.25].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(graph.initializer[0].raw_data, expected);
        check_whole(&graph.initializer[0]).unwrap();
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
