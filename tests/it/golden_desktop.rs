//! Same as the desktop? Preprocessing, logits, feature maps, `GradCAM` and Kernel SHAP against what PyTorch and Captum
//! made of the same files (`golden/README.md`).
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::PathBuf;

use harness::attribution::{
    Baseline, GradCamSettings, MaskedPicture, Output, Plan, Solution, gradcam, kernel_shap,
};
use models::manifest::{ChannelOrder, Input, Resize};
use models::{Classifier as _, Network, Prediction, Preprocessor, describe};
use serde_json::Value;

/// `GradCAM` against Captum, relative to the largest cell.
const GRADCAM_TOLERANCE: f64 = 1e-4;
/// Kernel SHAP against the desktop's solution in f64, relative to `|f(x) - f(baseline)|`.
const KERNEL_SHAP_TOLERANCE: f64 = 1e-4;
/// The same against Captum itself, whose regression runs in f32 with weights of a million: on these very values
/// scikit-learn's f32 fit is 1.9e-4 (`ResNet`) and 1.6e-4 (ConvNeXt) off its own f64 fit.
const CAPTUM_F32_FIT_TOLERANCE: f64 = 3e-4;
/// Logits of one runtime against another, both f32, relative to the largest.
const LOGIT_TOLERANCE: f64 = 1e-4;
/// Half-precision weights move logits by about 2^-11 a layer.
const HALF_TOLERANCE: f64 = 1e-2;
const FAMILIES: [&str; 2] = ["resnet-micro", "convnext-micro"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/desktop").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path(name)).unwrap()).unwrap()
}

/// All numbers in nested lists, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| v.abs().max(m))
}

fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len(), "number of values");
    found.iter().zip(expected).fold(0.0, |m, (a, b)| (a - b).abs().max(m))
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

struct Case {
    network: Network,
    rgb: Vec<u8>,
    input: Vec<f32>,
    preprocessor: Preprocessor,
    golden: Value,
    prediction: Prediction,
    target: usize,
}

fn case(name: &str, golden: &str) -> Case {
    let network = Network::load(&path(&format!("{name}.toml"))).unwrap();
    let golden = json(&format!("{golden}.json"));
    let picture = image::open(path(golden["picture"].as_str().unwrap())).unwrap().to_rgb8();
    let preprocessor = Preprocessor::new(&network.manifest().input);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let input = preprocessor.run(picture.as_raw(), width, height).unwrap();
    let prediction = network.session().unwrap().run(&input).unwrap();
    let target = usize::try_from(golden["target"].as_u64().unwrap()).unwrap();
    Case { network, rgb: picture.into_raw(), input, preprocessor, golden, prediction, target }
}

#[test]
fn preprocessing_equals_torchvision() {
    let golden = json("preprocessing.json");
    for (rule, resize) in
        [("none", Resize::None), ("bilinear-antialias", Resize::BilinearAntialias)]
    {
        let g = &golden[rule];
        let array = |key: &str| -> [f32; 3] {
            #[expect(clippy::cast_possible_truncation, reason = "written from f32")]
            let narrow: Vec<f32> = numbers(&g[key]).iter().map(|&v| v as f32).collect();
            narrow.try_into().unwrap()
        };
        let picture = image::open(path(g["picture"].as_str().unwrap())).unwrap().to_rgb8();
        let input = Input {
            width: 224,
            height: 224,
            mean: array("mean"),
            std: array("std"),
            channel_order: ChannelOrder::Rgb,
            resize,
        };
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let tensor = Preprocessor::new(&input).run(picture.as_raw(), width, height).unwrap();
        let every = usize::try_from(g["every"].as_u64().unwrap()).unwrap();
        let probes: Vec<f64> = tensor
            .chunks_exact(224 * 224)
            .flat_map(|plane| {
                (0..224).step_by(every).flat_map(move |y| {
                    (0..224).step_by(every).map(move |x| f64::from(plane[y * 224 + x]))
                })
            })
            .collect();
        // exact without resizing; with it PyTorch computes filter positions in f32, off by up to 1e-5 pixels
        let bound = if resize == Resize::None { 1e-8 } else { 5e-5 };
        let worst = difference(&probes, &numbers(&g["values"]));
        assert!(worst <= bound, "{rule}: {worst}");
        for (plane, sum) in tensor.chunks_exact(224 * 224).zip(numbers(&g["channel_sums"])) {
            let found: f64 = plane.iter().map(|&v| f64::from(v)).sum();
            assert!((found - sum).abs() < 0.05, "{rule}: {found} {sum}");
        }
    }
}

#[test]
fn logits_and_feature_maps_equal_pytorch() {
    for name in FAMILIES {
        for (suffix, bound) in [("", LOGIT_TOLERANCE), ("-f16", HALF_TOLERANCE)] {
            let c = case(&format!("{name}{suffix}"), name);
            let features = c.prediction.feature_map.as_ref().unwrap();
            let pairs = [
                (wide(&c.prediction.logits), numbers(&c.golden["f32"]["logits"])),
                (wide(&features.data), numbers(&c.golden["f32"]["feature_map"])),
            ];
            for (found, expected) in pairs {
                let worst = difference(&found, &expected) / largest(&expected);
                assert!(worst < bound, "{name}{suffix}: {worst}");
            }
        }
    }
}

#[test]
fn gradcam_equals_captum() {
    for name in FAMILIES {
        let c = case(name, name);
        for output in [Output::Logit, Output::Probability] {
            let settings = GradCamSettings { output, relu: false };
            let map =
                gradcam(&c.prediction, c.network.head().unwrap(), c.target, settings).unwrap();
            for precision in ["f32", "f64"] {
                let expected = numbers(&c.golden[precision]["gradcam"][output.name()]);
                let worst = difference(map.values(), &expected) / largest(&expected);
                assert!(worst < GRADCAM_TOLERANCE, "{name} {output:?} {precision}: {worst}");
            }
        }
    }
}

#[test]
fn kernel_shap_equals_captum_along_the_same_plan() {
    for name in FAMILIES {
        let c = case(name, name);
        let file = json(&format!("{name}-plan.json"));
        let plan = Plan::read(&path(&format!("{name}-plan.json"))).unwrap();
        assert_eq!(plan.hash(), file["hash"].as_str().unwrap());
        let colour: Vec<u8> = file["baseline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| u8::try_from(v.as_u64().unwrap()).unwrap())
            .collect();
        let baseline = Baseline::Colour(colour.try_into().unwrap());
        let output = match file["output"].as_str().unwrap() {
            "logit" => Output::Logit,
            _ => Output::Probability,
        };
        let baseline = baseline.tensor(&c.rgb, &c.input, &c.preprocessor);
        let picture =
            MaskedPicture::new(c.input.clone(), baseline, (224, 224), plan.grid()).unwrap();
        let run = |threads: usize, solution: Solution| {
            let mut sessions: Vec<_> = (0..threads).map(|_| c.network.session().unwrap()).collect();
            kernel_shap(&plan, &picture, c.target, output, solution, None, &mut sessions).unwrap()
        };
        let exact = run(1, Solution::Exact);
        assert_eq!(run(2, Solution::Exact), exact, "{name}: another number of threads");
        let span = exact.full - exact.empty;
        assert!((exact.map.sum() - span).abs() < 1e-9, "{name}: sum");
        let soft = run(2, Solution::CaptumSoft);
        for (precision, key, map, bound) in [
            ("f32", "captum", &soft.map, CAPTUM_F32_FIT_TOLERANCE),
            ("f32", "exact", &soft.map, KERNEL_SHAP_TOLERANCE),
            ("f32", "exact", &exact.map, KERNEL_SHAP_TOLERANCE),
            ("f64", "exact", &exact.map, KERNEL_SHAP_TOLERANCE),
        ] {
            let expected = numbers(&c.golden[precision]["kernel_shap"][key]);
            let worst = difference(map.values(), &expected) / span.abs();
            assert!(worst < bound, "{name} {precision} {key}: {worst}");
        }
    }
}

#[test]
fn a_manifest_written_from_the_graph_finds_the_same_tap_and_head() {
    for name in FAMILIES {
        let written = Network::load(&path(&format!("{name}.toml"))).unwrap();
        let model = path(&format!("{name}.onnx"));
        let manifest = describe::describe(&model).unwrap();
        assert_eq!(manifest.feature_map, written.manifest().feature_map);
        let found = Network::with_manifest(manifest, &model).unwrap();
        let (found_head, head) = (found.head().unwrap(), written.head().unwrap());
        assert_eq!((found_head.kind(), found_head.bias()), (head.kind(), head.bias()));
        assert!((0..82).all(|class| found_head.row(class) == head.row(class)));
        let scale = |h: &models::Head| h.norm().map(|n| n.weight.clone());
        assert_eq!(scale(found_head), scale(head));
        assert!(found.info().macs > 0 && found.info().integer_mac_share == 0.0);
    }
}
