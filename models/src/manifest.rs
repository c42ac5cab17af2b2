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

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::class_list_hash;
use crate::error::ModelError;

/// The version of the format that this code reads and writes.
pub const SCHEMA: u32 = 1;

/// Manifests are short; a larger file is something else.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// Larger inputs than this are a slip of the pen: 4096 x 4096 x 3 floats are 200 MB.
const MAX_SIDE: usize = 4096;

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
    /// [`class_list_hash`] of the names; empty if the list is not known.
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

    /// Checks the class list of a data set against that of the network.
    ///
    /// # Errors
    /// If their number or their names differ.
    pub fn check_classes<S: AsRef<str>>(&self, names: &[S]) -> Result<(), ModelError> {
        let remedy = "use a network trained on this data set";
        if names.len() != self.classes.count {
            return Err(ModelError::mismatch(
                format!("{}: classes", self.name),
                format!("{} classes as in the network", self.classes.count),
                format!("{} classes in the data set", names.len()),
                remedy,
            ));
        }
        let found = class_list_hash(names);
        if !self.classes.hash.is_empty() && self.classes.hash != found {
            return Err(ModelError::mismatch(
                format!("{}: class list", self.name),
                format!("names with hash {}", self.classes.hash),
                format!("names with hash {found}"),
                "the classes have other names or another order: use a network trained on this data set",
            ));
        }
        Ok(())
    }

    fn check(&self, path: &Path) -> Result<(), ModelError> {
        let wrong = |field: &str, expected: &str, found: String| {
            let place = format!("{}: {field}", path.display());
            Err(ModelError::mismatch(place, expected, found, "correct the manifest"))
        };
        if self.schema != SCHEMA {
            return wrong("schema", &SCHEMA.to_string(), self.schema.to_string());
        }
        let side = 1..=MAX_SIDE;
        if !side.contains(&self.input.width) || !side.contains(&self.input.height) {
            let found = format!("{} x {}", self.input.width, self.input.height);
            return wrong("input", "width and height of 1 to 4096 pixels", found);
        }
        if self.input.mean.iter().any(|m| !m.is_finite()) {
            return wrong("input.mean", "finite numbers", format!("{:?}", self.input.mean));
        }
        if self.input.std.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return wrong("input.std", "positive numbers", format!("{:?}", self.input.std));
        }
        if self.classes.count == 0 {
            return wrong("classes.count", "at least 1", "0".to_owned());
        }
        let plain = |file: &str| {
            let parts: Vec<_> = Path::new(file).components().collect();
            matches!(parts.as_slice(), [std::path::Component::Normal(_)])
        };
        if !plain(&self.file) {
            return wrong("file", "the name of a file beside the manifest", self.file.clone());
        }
        if let Some(head) = &self.head {
            let normed = head.norm_weight.is_some();
            if (head.kind == HeadKind::LayernormLinear) != normed {
                let expected = "norm_weight for layernorm-linear and none for linear";
                return wrong("head", expected, format!("{:?}", head.norm_weight));
            }
            if head.eps.is_some_and(|e| !(e.is_finite() && e >= 0.0)) {
                return wrong("head.eps", "a number of at least 0", format!("{:?}", head.eps));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
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

    fn parse(text: &str) -> Result<Manifest, ModelError> {
        Manifest::parse(text, Path::new("net.toml"))
    }

    #[test]
    fn a_manifest_survives_writing_and_reading() {
        let manifest = parse(TEXT).unwrap();
        assert_eq!(manifest.precision, Precision::F16Weights);
        assert_eq!(manifest.input.mean[0].to_bits(), 0.485_f32.to_bits());
        assert_eq!(parse(&manifest.to_toml().unwrap()).unwrap(), manifest);
    }

    #[test]
    fn errors_name_place_expected_found() {
        let cases = [
            ("schema = 1", "schema = 9", "net.toml: schema: expected 1, found 9"),
            ("width = 224", "width = 0", "net.toml: input: expected width and height"),
            ("0.229", "0.0", "net.toml: input.std: expected positive numbers"),
            ("\"net.onnx\"", "\"../net.onnx\"", "net.toml: file: expected the name of a file"),
            ("kind = \"linear\"", "kind = \"layernorm-linear\"", "head: expected norm_weight"),
            ("name =", "nam =", "missing field `name`"),
        ];
        for (old, new, message) in cases {
            let error = parse(&TEXT.replace(old, new)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn class_lists_are_compared_by_number_and_name() {
        let mut manifest = parse(TEXT).unwrap();
        manifest.check_classes(&["a", "b"]).unwrap();
        let error = manifest.check_classes(&["a"]).unwrap_err().to_string();
        assert!(error.contains("expected 2 classes as in the network, found 1"), "{error}");
        manifest.classes.hash = class_list_hash(&["a", "b"]);
        manifest.check_classes(&["a", "b"]).unwrap();
        manifest.check_classes(&["b", "a"]).unwrap_err();
    }
}
