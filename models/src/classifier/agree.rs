//! Holds a graph against its manifest: the input, the logits, the tensor that GradCAM reads, and the head behind it.

use tract_onnx::prelude::TypedModel;

use crate::error::ModelError;
use crate::head::Head;
use crate::manifest::Manifest;
use crate::onnx;
use crate::topology::Topology;

type TapAndHead = (Option<String>, Option<Head>, String);

/// Feature map and head by the names in the manifest, and what it does not name found in the graph; without them the
/// reason is kept, since everything but GradCAM still works.
pub(super) fn tap_and_head(
    manifest: &Manifest,
    graph: &onnx::pb::GraphProto,
    place: &str,
) -> Result<TapAndHead, ModelError> {
    let topology = Topology::new(graph);
    let wrong = |expected: String, found: &str, remedy: &str| {
        Err(ModelError::mismatch(format!("{place}: feature_map"), expected, found, remedy))
    };
    let tap = manifest.feature_map.as_deref();
    if let Some(tap) = tap.filter(|tap| !topology.has_tensor(tap)) {
        return wrong(
            format!("a tensor `{tap}` as the manifest says"),
            "none of this name",
            "correct `feature_map` in the manifest, or leave it out to have it found",
        );
    }
    let named = manifest.head.as_ref().map(|names| topology.named(names, place)).transpose()?;
    if tap.is_some() && named.is_some() {
        return Ok((tap.map(str::to_owned), named, String::new()));
    }
    match topology.find(place) {
        // the head that was found says nothing of a tensor that its pooling does not read
        Ok(found) if tap.is_some_and(|tap| tap != found.feature_map) => wrong(
            format!("`{}`, which the pooling before the head reads", found.feature_map),
            tap.unwrap_or_default(),
            "correct it in the manifest, leave it out, or name `head` too",
        ),
        Ok(found) => Ok((Some(found.feature_map), named.or(Some(found.head)), String::new())),
        Err(ModelError::Head { problem, .. }) => {
            let named = match (tap, named) {
                (Some(_), _) => "`feature_map` alone is named in the manifest; in the graph: ",
                (_, Some(_)) => "`head` alone is named in the manifest; in the graph: ",
                _ => "",
            };
            Ok((None, None, format!("{named}{problem}")))
        }
        Err(other) => Err(other),
    }
}

/// Refuses a graph that ends in probabilities: whoever takes them for logits takes the softmax of a softmax.
pub(super) fn check_logits(graph: &onnx::pb::GraphProto, place: &str) -> Result<(), ModelError> {
    let Some(found) = Topology::new(graph).probabilities() else { return Ok(()) };
    Err(ModelError::mismatch(
        format!("{place}: logits"),
        "logits as the first output",
        found,
        "export the network without it",
    ))
}

/// Refuses a graph whose input is not the picture that the manifest describes.
pub(super) fn check_input(
    manifest: &Manifest,
    graph: &onnx::pb::GraphProto,
    place: &str,
) -> Result<(), ModelError> {
    let input = onnx::data_input(graph).ok_or_else(|| {
        let problem = "expected one input, found none or several";
        ModelError::graph(place, problem, "export the network with the picture as its only input")
    })?;
    // the runtime would take the normalized numbers for pixels
    let element = onnx::element_type(input).unwrap_or(0);
    if element != 0 && element != onnx::element::FLOAT {
        return Err(ModelError::mismatch(
            format!("{place}: input `{}`", input.name),
            "numbers in f32 (ONNX element type 1)",
            format!("element type {element}"),
            "export the network without what turns pixels into numbers in front of it",
        ));
    }
    let expected = [1, 3, manifest.input.height, manifest.input.width];
    let Some(found) = onnx::shape(input) else { return Ok(()) };
    let agrees = found.len() == 4
        && found.iter().zip(expected).all(|(have, want)| have.is_none_or(|have| have == want));
    if agrees {
        return Ok(());
    }
    Err(ModelError::mismatch(
        format!("{place}: input `{}`", input.name),
        format!("shape {expected:?} as the manifest says"),
        format!("{found:?}"),
        "correct width and height in the manifest, or export with batch 1 and 3 channels",
    ))
}

/// Shape of an output of the loaded graph.
pub(super) fn output_shape(
    model: &TypedModel,
    position: usize,
) -> Result<Vec<usize>, tract_onnx::prelude::TractError> {
    let fact = model.output_fact(position)?;
    Ok(fact.shape.as_concrete().map(<[usize]>::to_vec).unwrap_or_default())
}

type Shaped = Result<[usize; 3], ModelError>;

/// Channels, height and width of the second output, the feature map.
pub(super) fn feature_shape(
    model: &TypedModel,
    place: &str,
) -> Result<Shaped, tract_onnx::prelude::TractError> {
    let shape = output_shape(model, 1)?;
    Ok(match shape[..] {
        [1, channels, height, width] => Ok([channels, height, width]),
        _ => Err(ModelError::mismatch(
            format!("{place}: feature_map"),
            "shape [1, channels, height, width]",
            format!("{shape:?}"),
            "correct `feature_map` in the manifest, or leave it out to have it found",
        )),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::onnx::{element, pb};

    const MANIFEST: &str = r#"
        schema = 1
        name = "net"
        architecture = "unknown"
        file = "net.onnx"
        sha256 = "00"
        [input]
        width = 8
        height = 8
        mean = [0.5, 0.5, 0.5]
        std = [0.25, 0.25, 0.25]
        [classes]
        count = 2
    "#;

    fn node(op: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
        pb::NodeProto {
            op_type: op.to_owned(),
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: vec![output.to_owned()],
            ..Default::default()
        }
    }

    /// A linear layer and these nodes behind it, of a picture of these elements.
    fn graph(elem_type: i32, behind: Vec<pb::NodeProto>) -> pb::GraphProto {
        let tensor = pb::type_proto::Tensor { elem_type, ..Default::default() };
        let value = Some(pb::type_proto::Value::TensorType(tensor));
        let r#type = Some(pb::TypeProto { value, ..Default::default() });
        let named = |name: &str| pb::ValueInfoProto { name: name.to_owned(), ..Default::default() };
        let node = [vec![node("Gemm", &["x", "w"], "y")], behind].concat();
        let last = node.last().map_or("", |n| n.output[0].as_str());
        pb::GraphProto {
            input: vec![pb::ValueInfoProto { r#type, ..named("x") }],
            output: vec![named(last)],
            node,
            ..Default::default()
        }
    }

    #[test]
    fn pixels_where_numbers_are_meant_are_refused() {
        let manifest = Manifest::parse(MANIFEST, Path::new("net.toml")).unwrap();
        let check = |elem_type| check_input(&manifest, &graph(elem_type, vec![]), "net.onnx");
        check(element::FLOAT).unwrap();
        check(0).unwrap();
        for other in [element::UINT8, element::INT8, element::DOUBLE] {
            let error = check(other).unwrap_err().to_string();
            assert!(error.starts_with("net.onnx: input `x`: expected numbers in f32"), "{error}");
            assert!(error.contains(&format!("found element type {other};")), "{error}");
        }
    }

    #[test]
    fn probabilities_are_no_logits() {
        let check = |behind| check_logits(&graph(element::FLOAT, behind), "net.onnx");
        check(vec![]).unwrap();
        check(vec![node("Flatten", &["y"], "z")]).unwrap();
        // its softmax is the same again
        check(vec![node("LogSoftmax", &["y"], "z")]).unwrap();
        for op in ["Softmax", "Sigmoid"] {
            let quantized = vec![
                node(op, &["y"], "p"),
                node("QuantizeLinear", &["p", "s", "z"], "q"),
                node("DequantizeLinear", &["q", "s", "z"], "d"),
            ];
            for behind in [vec![node(op, &["y"], "p")], quantized] {
                let error = check(behind).unwrap_err().to_string();
                let expected = format!("expected logits as the first output, found {op} `p`");
                assert!(error.contains(&expected), "{error}");
            }
        }
    }
}
