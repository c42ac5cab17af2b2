//! Writes the manifest of a network that came without one, from its graph.

use std::path::{Path, PathBuf};

use crate::error::ModelError;
use crate::manifest::{
    ChannelOrder, Classes, HeadKind, Input, Manifest, Precision, Resize, SCHEMA,
};
use crate::onnx;
use crate::topology::Topology;

/// Mean and standard deviation of `ImageNet`, which torchvision, timm and `MMPreTrain` use unless told otherwise.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
const DEFAULT_SIDE: usize = 224;

/// Where the manifest of an ONNX file belongs: beside it, with the ending `toml`.
#[must_use]
pub fn manifest_path(model: &Path) -> PathBuf {
    model.with_extension("toml")
}

/// A manifest for an ONNX file. What a graph does not tell is assumed and must be checked by a
/// person: normalization (that of `ImageNet`), channel order (RGB), and the class list (left open).
///
/// # Errors
/// If the file cannot be read, or does not have one picture as input and one row of logits.
pub fn describe(model: &Path) -> Result<Manifest, ModelError> {
    let file = onnx::read(model)?;
    let mut proto = file.proto;
    let precision = if onnx::is_quantized(&proto) {
        Precision::Int8Qdq
    } else if onnx::has_half_weights(&proto) {
        Precision::F16Weights
    } else {
        Precision::F32
    };
    onnx::widen_halves(&mut proto);
    let place = model.display().to_string();
    let graph = proto.graph.unwrap_or_default();
    let shape = onnx::data_input(&graph).and_then(onnx::shape).unwrap_or_default();
    let side = |axis: usize| shape.get(axis).copied().flatten().unwrap_or(DEFAULT_SIDE);
    let topology = Topology::new(&graph);
    let found = topology.find(&place).ok();
    let count = found
        .as_ref()
        .map(|f| f.head.classes())
        .or_else(|| onnx::shape(graph.output.first()?)?.last().copied().flatten())
        .ok_or_else(|| {
            let remedy = "write a manifest by hand, with `classes.count`";
            ModelError::graph(place, "the number of classes is not stated in the graph", remedy)
        })?;
    let name = model.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let convolutions = graph.node.iter().filter(|n| n.op_type == "Conv").count();
    let architecture = architecture(found.as_ref().map(|f| f.names.kind), convolutions);
    Ok(Manifest {
        schema: SCHEMA,
        name,
        architecture: architecture.to_owned(),
        file: model.file_name().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default(),
        sha256: file.sha256,
        precision,
        feature_map: found.as_ref().map(|f| f.feature_map.clone()),
        external: file.external,
        date: String::new(),
        licence: String::new(),
        input: Input {
            width: side(3),
            height: side(2),
            mean: IMAGENET.0,
            std: IMAGENET.1,
            channel_order: ChannelOrder::Rgb,
            resize: Resize::None,
        },
        classes: Classes { count, hash: String::new() },
        head: found.map(|f| f.names),
        training: toml::Table::new(),
        accuracy: Vec::new(),
    })
}

/// Family and size by the kind of head and the number of convolutions: He et al. 2016, table 1;
/// Liu et al. 2022 (arXiv 2201.03545), table 9.
const fn architecture(kind: Option<HeadKind>, convolutions: usize) -> &'static str {
    match (kind, convolutions) {
        (Some(HeadKind::Linear), 20) => "resnet18",
        (Some(HeadKind::Linear), 36) => "resnet34",
        (Some(HeadKind::Linear), 53) => "resnet50",
        (Some(HeadKind::Linear), 104) => "resnet101",
        (Some(HeadKind::Linear), 155) => "resnet152",
        (Some(HeadKind::LayernormLinear), 22) => "convnext-tiny",
        (Some(HeadKind::LayernormLinear), 40) => "convnext-small",
        _ => "unknown",
    }
}
