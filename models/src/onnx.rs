//! ONNX files as protobuf, read with limits: nothing goes on to the runtime that it would not survive.
//!
//! Records are counted before anything is built (`census`), graphs and tensors looked through (`checks`), weights of other
//! files fetched (`external`) and 16-bit floats widened (`halves`). The graph is asked and edited here (`graph`), before the
//! runtime sees it, so that one file in a standard format serves every runtime.

mod census;
mod checks;
mod external;
mod graph;
mod halves;

use std::fs;
use std::path::Path;

use prost::Message as _;
pub use tract_onnx::pb;

use self::checks::{check_axis, check_order, check_quantization, check_whole};
use self::external::{MAX_EXTERNAL_BYTES, inline_external};
pub use self::graph::{
    constant_value, data_input, element_count, element_type, is_quantized, set_outputs, shape,
};
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
/// ConvNeXt-Large in QDQ form has about 5,000.
const MAX_NODES: usize = 100_000;

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

/// The bytes of an ONNX file.
#[must_use]
pub fn encode(proto: &pb::ModelProto) -> Vec<u8> {
    proto.encode_to_vec()
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

    pub(super) fn node(op: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
        pb::NodeProto {
            name: format!("{op} of {output}"),
            op_type: op.into(),
            input: inputs.iter().map(|&i| i.into()).collect(),
            output: vec![output.into()],
            ..Default::default()
        }
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
