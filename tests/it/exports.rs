//! Does a user's own network run? Graphs as torchvision, timm and `MMPreTrain` export them, by both exporters of PyTorch, get a
//! manifest from `describe`, and the feature map and head that it names are the right ones.
//!
//! The graphs come without their weights (`roadgaze-desktop exports`); they are filled here.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use models::manifest::HeadKind;
use models::onnx::{element, element_count, pb};
use models::{Classifier as _, Network, describe};
use prost::Message as _;

fn exports() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/exports");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    files
}

/// Gives every tensor without values some that keep activations in range: small ones of either sign for matrices,
/// positive ones for scales and variances.
fn fill(graph: &mut pb::GraphProto) {
    for tensor in &mut graph.initializer {
        let count = element_count(tensor).unwrap();
        let has_values = !tensor.raw_data.is_empty() || !tensor.float_data.is_empty();
        if tensor.data_type != element::FLOAT || has_values || count == 0 {
            continue;
        }
        let inputs = count / usize::try_from(tensor.dims[0]).unwrap();
        let mut state = count as u64;
        let values = (0..count).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let uniform = f32::from(u16::try_from(state >> 48).unwrap()) / 32_768.0 - 1.0;
            if tensor.dims.len() == 1 {
                0.3 + 0.1 * uniform
            } else {
                uniform * (3.0 / inputs as f32).sqrt()
            }
        });
        tensor.raw_data = values.flat_map(f32::to_le_bytes).collect();
    }
}

fn filled(path: &Path, into: &Path) -> PathBuf {
    let mut proto = pb::ModelProto::decode(fs::read(path).unwrap().as_slice()).unwrap();
    fill(proto.graph.as_mut().unwrap());
    let model = into.join(path.file_name().unwrap());
    fs::write(&model, proto.encode_to_vec()).unwrap();
    model
}

#[test]
fn every_export_gets_a_manifest_with_feature_map_and_head() {
    let files = exports();
    assert_eq!(files.len(), 16, "{files:?}");
    let folder = tempfile::tempdir().unwrap();
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let model = filled(&path, folder.path());
        let manifest = describe::describe(&model).unwrap();
        let (architecture, kind, channels) = if name.contains("resnet50") {
            ("resnet50", HeadKind::Linear, 2048)
        } else {
            ("convnext-tiny", HeadKind::LayernormLinear, 768)
        };
        assert_eq!(manifest.architecture, architecture, "{name}");
        assert_eq!((manifest.classes.count, manifest.input.width), (82, 224), "{name}");
        assert!(manifest.feature_map.is_some(), "{name}");
        assert_eq!(manifest.head.as_ref().map(|h| h.kind), Some(kind), "{name}");
        let again = models::Manifest::parse(&manifest.to_toml().unwrap(), &model).unwrap();
        assert_eq!(again, manifest, "{name}");
        // one form of each family is run: that takes seconds
        if name.contains("exported-18") && name.starts_with("timm") {
            let network = Network::with_manifest(manifest, &model).unwrap();
            let info = network.info().clone();
            assert_eq!(info.feature_map, Some([channels, 7, 7]), "{name}");
            let input: Vec<f32> =
                (0..3 * 224 * 224).map(|i| ((i % 1000) as f32 / 500.0) - 1.0).collect();
            let prediction = network.session().unwrap().run(&input).unwrap();
            let expected = logits_of(&network, &prediction.feature_map.unwrap());
            let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            for (found, expected) in prediction.logits.iter().zip(expected) {
                let difference = (f64::from(*found) - expected).abs() / largest;
                assert!(difference < 1e-4, "{name}: {found} {expected}");
            }
        }
        fs::remove_file(model).unwrap();
    }
}

/// What head and feature map of the manifest say the logits are: pooling, layer norm, linear layer.
fn logits_of(network: &Network, map: &models::FeatureMap) -> Vec<f64> {
    let head = network.head().unwrap();
    let cells = map.height * map.width;
    let mut pooled: Vec<f64> = map
        .data
        .chunks_exact(cells)
        .map(|c| c.iter().map(|&v| f64::from(v)).sum::<f64>() / cells as f64)
        .collect();
    if let Some(norm) = head.norm() {
        let n = pooled.len() as f64;
        let mean = pooled.iter().sum::<f64>() / n;
        let variance = pooled.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / n;
        for ((g, &w), &b) in pooled.iter_mut().zip(&norm.weight).zip(&norm.bias) {
            *g = (*g - mean) / (variance + norm.eps).sqrt() * f64::from(w) + f64::from(b);
        }
    }
    let logit = |class: usize| -> f64 {
        let row = head.row(class).unwrap();
        row.iter().zip(&pooled).map(|(&w, g)| f64::from(w) * g).sum::<f64>()
            + f64::from(head.bias()[class])
    };
    (0..head.classes()).map(logit).collect()
}
