//! What a network is and how it wants its input: a TOML file beside the ONNX file.
//!
//! ```toml
//! schema = 1
//! name = "resnet50-cf"
//! architecture = "resnet50"
//! file = "resnet50-cf.onnx"          # beside the manifest
//! sha256 = "9f86d0..."               # of that file
//! precision = "f16-weights"          # f32 | f16-weights | int8-qdq
//! feature_map = "/layer4/layer4.2/relu_2/Relu_output_0"
//!
//! [input]
//! width = 224
//! height = 224
//! mean = [0.485, 0.456, 0.406]       # on the scale 0 to 1, in the order of the channels
//! std = [0.229, 0.224, 0.225]
//! channel_order = "rgb"              # rgb | bgr
//! resize = "none"                    # none | bilinear-antialias | pillow-bilinear
//!
//! [classes]
//! count = 82
//! hash = "4355a4..."                 # sha256 of the names joined by line feeds
//!
//! [head]                             # what follows the global average pooling
//! kind = "layernorm-linear"          # linear | layernorm-linear
//! weight = "fc.weight"               # [classes, channels]
//! bias = "fc.bias"
//! norm_weight = "norm.weight"        # layernorm-linear alone
//! norm_bias = "norm.bias"
//! eps = 1e-6
//!
//! [training]                         # free form, shown in reports
//! set = "CF"
//!
//! [[accuracy]]
//! set = "CF/test"
//! top1 = 0.9932
//! n = 8200
//! ci95 = [0.9912, 0.9948]
//! ```
//!
//! `feature_map` and `head` may be left out, both or either: they are then looked for in the graph. A `feature_map` without
//! `head` must be the tensor that the pooling before the head that was found reads.
//!
//! Of an ONNX file with external data every weight file has an entry `[[external]]` with `file` and `sha256`.

mod check;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// The version of the format that this code reads and writes.
pub const SCHEMA: u32 = 1;

/// Manifests are short; a larger file is something else.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Description of a network, one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format, [`SCHEMA`].
    pub schema: u32,
    /// Short name, unique in a zoo.
    pub name: String,
    /// Family and size: `resnet50`, `convnext-tiny`, ...
    pub architecture: String,
    /// The ONNX file, relative to the folder of the manifest.
    pub file: String,
    /// sha256 of the ONNX file, hexadecimal.
    pub sha256: String,
    /// Number format of the weights in the file.
    #[serde(default)]
    pub precision: Precision,
    /// Name of the tensor that the global average pooling reads; found in the graph if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_map: Option<String>,
    /// Weight files of an ONNX file with external data, each with its hash; none may be left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<ExternalFile>,
    /// Day on which it was made, year-month-day.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub date: String,
    /// Licence of the weights.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// Shape and normalization of the input.
    pub input: Input,
    /// What the logits stand for.
    pub classes: Classes,
    /// The layers behind the global average pooling; found in the graph if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadNames>,
    /// How the network was trained: free form, for people and reports.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub training: toml::Table,
    /// Measured accuracy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accuracy: Vec<Accuracy>,
}

/// Number format of the weights in an ONNX file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// 32-bit floating point.
    #[default]
    #[serde(rename = "f32")]
    F32,
    /// Stored as 16-bit floating point, widened when loaded, computed in 32 bits.
    #[serde(rename = "f16-weights")]
    F16Weights,
    /// 8-bit integers between `QuantizeLinear` and `DequantizeLinear` nodes.
    #[serde(rename = "int8-qdq")]
    Int8Qdq,
}

impl Precision {
    /// The name in the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16Weights => "f16-weights",
            Self::Int8Qdq => "int8-qdq",
        }
    }
}

/// A file with weights that an ONNX file refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalFile {
    /// Relative to the folder of the ONNX file.
    pub file: String,
    /// sha256, hexadecimal.
    pub sha256: String,
}

/// Input tensor: `[1, 3, height, width]`, `(value / 255 - mean) / std` in f32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Subtracted from each channel, on the scale 0 to 1, in the order of the channels.
    pub mean: [f32; 3],
    /// Divides each channel afterwards.
    pub std: [f32; 3],
    /// Order of the channel planes.
    #[serde(default)]
    pub channel_order: ChannelOrder,
    /// What happens to pictures of another size.
    #[serde(default)]
    pub resize: Resize,
}

/// Order of the three channel planes in the input tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How a picture of another size becomes an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Pictures of another size are refused.
    #[default]
    None,
    /// Triangle filter widened by the scale, in f32: `torch.nn.functional.interpolate(mode="bilinear",
    /// antialias=True)` on the scale 0 to 1.
    BilinearAntialias,
    /// The same filter in Pillow's 8-bit fixed-point arithmetic: `Image.resize(BILINEAR)`.
    PillowBilinear,
}

/// The classes of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// Number of logits.
    pub count: usize,
    /// [`class_list_hash`](crate::digest::class_list_hash) of the names; empty if the list is not known.
    #[serde(default)]
    pub hash: String,
}

/// Names of the tensors of the head in the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadNames {
    /// Which layers.
    pub kind: HeadKind,
    /// Weight of the linear layer.
    pub weight: String,
    /// Bias of the linear layer, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<String>,
    /// Scale of the layer norm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_weight: Option<String>,
    /// Shift of the layer norm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_bias: Option<String>,
    /// Added to the variance in the layer norm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
}

/// The layers between the global average pooling and the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// One linear layer (`ResNet`).
    Linear,
    /// Layer norm over the channels, then a linear layer (ConvNeXt).
    LayernormLinear,
}

/// Accuracy on one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Data set and split, `CF/test`.
    pub set: String,
    /// Share of images whose first class is right, 0 to 1.
    pub top1: f64,
    /// Number of images.
    pub n: u64,
    /// 95 % interval of `top1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci95: Option<[f64; 2]>,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// If the file is missing, is not valid TOML of this schema, or states impossible values.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let remedy = "give a manifest (.toml), an ONNX file, or the name of a network of the zoo";
        let size = fs::metadata(path)
            .map_err(|e| ModelError::file(path, format!("manifest cannot be read: {e}"), remedy))?
            .len();
        if size > MAX_MANIFEST_BYTES {
            let problem = format!("expected a manifest below 1 MiB, found {size} bytes");
            return Err(ModelError::file(path, problem, remedy));
        }
        let text = fs::read_to_string(path)
            .map_err(|e| ModelError::file(path, format!("manifest cannot be read: {e}"), remedy))?;
        Self::parse(&text, path)
    }

    /// Parses the text of a manifest; the path is for messages alone.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
        let manifest: Self = toml::from_str(text).map_err(|e| {
            let problem = format!("not a manifest: {}", e.to_string().trim().replace('\n', " "));
            ModelError::file(path, problem, "compare it with those in models/zoo")
        })?;
        manifest.check(path)?;
        Ok(manifest)
    }

    /// As TOML text.
    ///
    /// # Errors
    /// If the free-form part cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, ModelError> {
        toml::to_string(self)
            .map_err(|e| ModelError::run(self.name.clone(), format!("manifest not writable: {e}")))
    }

    /// Where the ONNX file lies, given where the manifest lies.
    #[must_use]
    pub fn model_path(&self, manifest_path: &Path) -> PathBuf {
        manifest_path.parent().unwrap_or_else(|| Path::new("")).join(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const TEXT: &str = r#"
        schema = 1
        name = "net"
        architecture = "resnet50"
        file = "net.onnx"
        sha256 = "00"
        precision = "f16-weights"
        [input]
        width = 224
        height = 112
        mean = [0.485, 0.456, 0.406]
        std = [0.229, 0.224, 0.225]
        [classes]
        count = 2
        [head]
        kind = "linear"
        weight = "fc.weight"
        [training]
        set = "CF"
        [[accuracy]]
        set = "CF/test"
        top1 = 0.99
        n = 100
    "#;

    pub(super) fn parse(text: &str) -> Result<Manifest, ModelError> {
        Manifest::parse(text, Path::new("net.toml"))
    }

    #[test]
    fn a_manifest_survives_writing_and_reading() {
        let manifest = parse(TEXT).unwrap();
        assert_eq!(manifest.precision, Precision::F16Weights);
        assert_eq!(manifest.input.mean[0].to_bits(), 0.485_f32.to_bits());
        assert_eq!(parse(&manifest.to_toml().unwrap()).unwrap(), manifest);
    }
}
