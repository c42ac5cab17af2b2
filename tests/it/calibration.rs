//! Does a calibrated file say the same as the network it was made from? Micro networks of both families, whole way:
//! rendered pictures, ranges, file, manifest, and the file run as its nodes say.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use calibration::{Calibrated, CalibrationError, Method, Settings, calibrate};
use datasets::source::{Frame, FrameKey, FrameSource, SourceError};
use datasets::synthetic::Synthetic;
use image::{GrayImage, Rgb, RgbImage};
use models::manifest::{Manifest, Precision};
use models::onnx::{self, pb};
use models::{Classifier as _, Network, Preprocessor};

const FAMILIES: [&str; 2] = ["resnet-micro", "convnext-micro"];

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/desktop").join(name)
}

/// The first pictures of a rendered set, rendered once for all tests.
struct Kept {
    names: Vec<String>,
    frames: Vec<Frame>,
}

impl FrameSource for &'static Kept {
    fn name(&self) -> String {
        "kept".to_owned()
    }

    fn content_hash(&self) -> String {
        "1".repeat(64)
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn len(&self) -> usize {
        self.frames.len()
    }

    fn key(&self, position: usize) -> Result<FrameKey, SourceError> {
        Ok(self.frames[position].key)
    }

    fn frame(&self, position: usize) -> Result<Frame, SourceError> {
        Ok(self.frames[position].clone())
    }
}

fn pictures() -> &'static Kept {
    static KEPT: LazyLock<Kept> = LazyLock::new(|| {
        let set = Synthetic::open("synthetic:CF/train?per_class=1&size=224").unwrap();
        let frames = (0..18).map(|position| set.frame(position).unwrap()).collect();
        Kept { names: set.class_names().to_vec(), frames }
    });
    &KEPT
}

fn settings() -> Settings {
    Settings { images: 8, sqnr_images: 4, sensitivity_images: 1, threads: 2, ..Settings::default() }
}

fn made(name: &str, settings: &Settings, out: &Path) -> Calibrated {
    let manifest = golden(&format!("{name}.toml"));
    calibrate(&manifest, &pictures(), settings, out, &|_| {}).unwrap()
}

fn refused(manifest: &Path, source: &dyn FrameSource, settings: &Settings) -> String {
    let out = Path::new("out.onnx");
    calibrate(manifest, source, settings, out, &|_| {}).unwrap_err().to_string()
}

/// Logits of a network for a picture of the set.
fn logits(network: &Network, position: usize) -> Vec<f32> {
    let frame = pictures().frame(position).unwrap();
    let input = Preprocessor::new(&network.manifest().input).run(&frame.image, 224, 224).unwrap();
    network.session().unwrap().logits(&input).unwrap()
}

fn best(logits: &[f32]) -> usize {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap()
}

#[test]
fn the_quantized_file_answers_as_the_network_in_f32() {
    for name in FAMILIES {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join(format!("{name}-int8.onnx"));
        let done = made(name, &settings(), &out);
        let manifest_path = done.write(&out).unwrap();
        let report = &done.report;
        assert!(report.integer_mac_share > 0.999, "{name}: {}", report.integer_mac_share);
        let kept = report.logits_sqnr_db.unwrap();
        assert!(kept > 20.0, "{name}: {kept} dB");
        for layer in &report.layers {
            assert!(layer.weight_sqnr_db.unwrap() > 25.0, "{name}: {layer:?}");
            assert!(
                layer.alone_sqnr_db.unwrap() > kept - 1.0,
                "{name}: one alone is less: {layer:?}"
            );
        }
        let manifest = Manifest::read(&manifest_path).unwrap();
        assert_eq!(manifest.precision, Precision::Int8Qdq);
        assert!(manifest.feature_map.as_ref().unwrap().ends_with("_dequantized"));
        let exact = Network::load(&golden(&format!("{name}.toml"))).unwrap();
        let quantized = Network::load(&manifest_path).unwrap();
        quantized.head().unwrap();
        let (mut same, mut signal, mut error) = (0, 0.0, 0.0);
        for position in 8..18 {
            let (a, b) = (logits(&exact, position), logits(&quantized, position));
            same += usize::from(best(&a) == best(&b));
            for (x, y) in a.iter().zip(&b) {
                signal += f64::from(x * x);
                error += f64::from((x - y).powi(2));
            }
        }
        // other pictures than those that were calibrated with
        assert!(10.0 * (signal / error).log10() > 18.0, "{name}: {signal} {error}");
        assert!(same >= 8, "{name}: {same} of 10 answers");
    }
}

#[test]
fn threads_do_not_change_a_bit_and_methods_do() {
    let out = Path::new("x.onnx");
    let one = made("resnet-micro", &Settings { threads: 1, ..settings() }, out);
    let quick = Settings { sqnr_images: 0, sensitivity_images: 0, ..settings() };
    assert!(one.bytes == made("resnet-micro", &quick, out).bytes, "two threads");
    let mut seen = vec![one.bytes];
    for other in [
        Settings { method: Method::Minmax, ..quick.clone() },
        Settings { method: Method::Entropy, ..quick.clone() },
        Settings { method: Method::Mse, ..quick.clone() },
        Settings { weight_bits: 8, ..quick.clone() },
        Settings { bias_correction: false, ..quick.clone() },
        Settings { equalize: true, ..quick.clone() },
        Settings { keep_f32: vec!["conv1".to_owned()], ..quick },
    ] {
        let other = Settings { images: 4, ..other };
        let bytes = made("resnet-micro", &other, out).bytes;
        assert!(!seen.contains(&bytes), "{other:?} changes nothing");
        seen.push(bytes);
    }
}

#[test]
fn sensitive_layers_are_kept_in_f32_on_demand() {
    let free = made("convnext-micro", &settings(), Path::new("x.onnx")).report;
    let weakest = free.by_sensitivity()[0].clone();
    let limit = weakest.alone_sqnr_db.unwrap() + 0.01;
    let settings = Settings { keep_below_db: Some(limit), ..settings() };
    let kept = made("convnext-micro", &settings, Path::new("x.onnx")).report;
    let floats: Vec<&str> =
        kept.layers.iter().filter(|l| !l.integer).map(|l| l.name.as_str()).collect();
    assert_eq!(floats, [weakest.name.as_str()]);
    assert!(kept.integer_mac_share < free.integer_mac_share);
    assert!(kept.stays_f32.iter().any(|s| s.name == weakest.name));
    assert!(kept.to_text().contains("kept in f32 as asked"));
}

#[test]
fn layer_scales_are_folded_and_the_rest_is_named() {
    let report = made("convnext-micro", &settings(), Path::new("x.onnx")).report;
    assert_eq!(report.folded.layer_scales, 4);
    let left: BTreeMap<String, usize> =
        report.f32_summary().into_iter().map(|(op, _, count)| (op, count)).collect();
    // 4 blocks, stem, 3 steps and head; GELU as the exporter writes it
    assert_eq!(left["LayerNormalization"], 9);
    // where the tensor of an equalized stream is read as a whole, its factors are put back: once in each of these
    let multiplied = 8 + report.equalized_streams;
    assert_eq!((left["Erf"], left["Div"], left["Mul"], left["Add"]), (4, 4, multiplied, 4));
    assert_eq!(report.data.pictures.len(), 8);
    assert_eq!(report.schema, 1);
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["settings"]["method"], "percentile");
}

fn calibrated(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/calibration").join(name)
}

/// The picture of the golden files of the desktop.
fn golden_input(manifest: &Manifest) -> Vec<f32> {
    let picture = image::open(golden("picture-224x224.png")).unwrap().to_rgb8();
    Preprocessor::new(&manifest.input).run(&picture, 224, 224).unwrap()
}

/// Logits of a graph run node by node in f32, as its `QuantizeLinear` and `DequantizeLinear` nodes say.
fn simulated(model: &Path, input: &[f32]) -> Vec<f32> {
    let proto = onnx::read(model).unwrap().proto;
    let output = proto.graph.as_ref().unwrap().output[0].name.clone();
    let probe = models::Probe::new(proto, (224, 224), &[output], "golden").unwrap();
    let mut logits = Vec::new();
    probe.session().unwrap().run(input, &mut |_, values| logits = values.to_vec()).unwrap();
    logits
}

/// Largest difference, relative to the largest value.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    found.iter().zip(expected).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs())) / largest
}

/// A code that falls on the other side of a tie moves a logit of these micro networks by this much at most.
const TIE_TOLERANCE: f32 = 0.02;

#[test]
fn golden_quantized_files_still_say_what_they_said() {
    for name in FAMILIES {
        let manifest_path = calibrated(&format!("{name}-int8.toml"));
        let text = fs::read_to_string(calibrated(&format!("{name}-int8.json"))).unwrap();
        let stored: serde_json::Value = serde_json::from_str(&text).unwrap();
        let numbers = stored["logits"].as_array().unwrap().iter();
        #[expect(clippy::cast_possible_truncation, reason = "they were written from f32")]
        let expected: Vec<f32> = numbers.map(|v| v.as_f64().unwrap() as f32).collect();
        let network = Network::load(&manifest_path).unwrap();
        let input = golden_input(network.manifest());
        let nodes = simulated(&calibrated(&format!("{name}-int8.onnx")), &input);
        assert!(difference(&nodes, &expected) < 1e-3, "{name}: {}", difference(&nodes, &expected));
        let found = network.session().unwrap().logits(&input).unwrap();
        let off = difference(&found, &expected);
        assert!(off < TIE_TOLERANCE, "{name}: {off}");
        assert_eq!(best(&found), best(&expected), "{name}");
    }
}

/// `cargo test -p tests --test it -- --ignored golden_quantized_files_are_made_anew`
#[test]
#[ignore = "writes into the source tree"]
fn golden_quantized_files_are_made_anew() {
    fs::create_dir_all(calibrated("")).unwrap();
    for name in FAMILIES {
        let out = calibrated(&format!("{name}-int8.onnx"));
        let done = made(name, &Settings { date: "2026-11-25".to_owned(), ..settings() }, &out);
        let manifest_path = done.write(&out).unwrap();
        let input = golden_input(&Manifest::read(&manifest_path).unwrap());
        let logits = simulated(&out, &input);
        let golden = serde_json::json!({
            "network": format!("{name}-int8.onnx"),
            "picture": "../desktop/picture-224x224.png",
            "best": best(&logits),
            "logits": logits,
        });
        fs::write(out.with_extension("json"), format!("{golden}\n")).unwrap();
    }
}

/// Pictures of one colour.
struct Plain {
    names: Vec<String>,
    count: usize,
}

impl FrameSource for Plain {
    fn name(&self) -> String {
        "plain".to_owned()
    }

    fn content_hash(&self) -> String {
        "0".repeat(64)
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn len(&self) -> usize {
        self.count
    }

    fn key(&self, _position: usize) -> Result<FrameKey, SourceError> {
        Ok(FrameKey { class: 0, index: 0 })
    }

    fn frame(&self, position: usize) -> Result<Frame, SourceError> {
        let image = RgbImage::from_pixel(224, 224, Rgb([124, 116, 104]));
        let key = self.key(position)?;
        Ok(Frame { key, image, mask: GrayImage::new(224, 224), metadata: BTreeMap::new() })
    }
}

#[test]
fn bad_input_is_refused_with_a_remedy() {
    let manifest = golden("resnet-micro.toml");
    let settings = Settings { images: 2, ..settings() };
    let plain = |count| Plain { names: pictures().class_names().to_vec(), count };
    let none = refused(&manifest, &plain(0), &settings);
    assert_eq!(
        none,
        "plain: expected at least 2 pictures, found 0; ask for fewer with --images, or give a larger data set"
    );
    let zero = refused(&manifest, &plain(3), &Settings { images: 0, ..settings.clone() });
    assert!(zero.contains("ask for some with --images"), "{zero}");
    let bits = refused(&manifest, &plain(3), &Settings { weight_bits: 9, ..settings.clone() });
    assert_eq!(bits, "--weight-bits: expected 2 to 8, found 9");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("int8.onnx");
    let done = made("resnet-micro", &settings, &out);
    let quantized = done.write(&out).unwrap();
    let twice = refused(&quantized, &pictures(), &settings);
    assert!(twice.contains("it is quantized already; give the f32 network"), "{twice}");
    fs::write(&out, b"other").unwrap();
    let damaged = refused(&quantized, &pictures(), &settings);
    assert!(damaged.contains("int8.onnx: expected an ONNX model"), "{damaged}");
}

/// A golden network whose constants were edited, with its manifest; gives the manifest.
fn edited(name: &str, folder: &Path, edit: impl FnMut(&mut pb::TensorProto)) -> PathBuf {
    rewritten(name, folder, |graph, _| graph.initializer.iter_mut().for_each(edit))
}

/// A golden network whose graph and manifest were edited; gives the manifest.
fn rewritten(
    name: &str,
    folder: &Path,
    edit: impl FnOnce(&mut pb::GraphProto, &mut Manifest),
) -> PathBuf {
    let mut proto = onnx::read(&golden(&format!("{name}.onnx"))).unwrap().proto;
    let mut manifest = Manifest::read(&golden(&format!("{name}.toml"))).unwrap();
    edit(proto.graph.as_mut().unwrap(), &mut manifest);
    let bytes = onnx::encode(&proto);
    let path = folder.join("edited.onnx");
    fs::write(&path, &bytes).unwrap();
    manifest.file = "edited.onnx".to_owned();
    manifest.sha256 = models::digest::sha256_hex(&bytes);
    let path = path.with_extension("toml");
    fs::write(&path, manifest.to_toml().unwrap()).unwrap();
    path
}

/// Multiplies the constants of some channels (axis 0).
fn scale(tensor: &mut pb::TensorProto, channels: std::ops::Range<usize>, factor: f32) {
    let each = tensor.raw_data.len() / usize::try_from(tensor.dims[0]).unwrap();
    for bytes in tensor.raw_data[channels.start * each..channels.end * each].chunks_exact_mut(4) {
        let value = f32::from_le_bytes(bytes.try_into().unwrap());
        bytes.copy_from_slice(&(value * factor).to_le_bytes());
    }
}

#[test]
fn streams_of_uneven_channels_keep_their_small_ones() {
    // two of the 24 channels of a stream grow to 200 times the others, as in trained ConvNeXts; the block undoes it, the
    // norm behind the stream gives the others their weight back
    let folder = tempfile::tempdir().unwrap();
    let manifest = edited("convnext-micro", folder.path(), |t| match t.name.as_str() {
        "features.4.1.weight" | "features.4.1.bias" => scale(t, 0..2, 200.0),
        "features.5.0.block.0.weight" => scale(t, 0..2, 1.0 / 200.0),
        "features.6.0.weight" => scale(t, 2..24, 50.0),
        _ => {}
    });
    let made = |equalize_streams: bool| {
        let settings = Settings { equalize_streams, sensitivity_images: 0, ..settings() };
        let out = folder.path().join(format!("{equalize_streams}.onnx"));
        let done = calibrate(&manifest, &pictures(), &settings, &out, &|_| {}).unwrap();
        let quantized = Network::load(&done.write(&out).unwrap()).unwrap();
        (done.report, quantized)
    };
    let exact = Network::load(&manifest).unwrap();
    let kept = |quantized: &Network| {
        let (mut signal, mut error) = (0.0, 0.0);
        for position in 8..18 {
            for (x, y) in logits(&exact, position).iter().zip(logits(quantized, position)) {
                signal += f64::from(x * x);
                error += f64::from((x - y).powi(2));
            }
        }
        10.0 * (signal / error).log10()
    };
    let ((plain, before), (report, after)) = (made(false), made(true));
    assert_eq!((plain.equalized_streams, report.equalized_streams > 0), (0, true));
    let (before, after) = (kept(&before), kept(&after));
    assert!(after > 20.0 && after > before + 6.0, "{before:.1} dB without, {after:.1} dB with");
    assert!(report.integer_mac_share > 0.999, "{}", report.integer_mac_share);
}

fn node(op: &str, input: &str, output: &str) -> pb::NodeProto {
    pb::NodeProto {
        name: format!("{op} of {input}"),
        op_type: op.to_owned(),
        input: vec![input.to_owned()],
        output: vec![output.to_owned()],
        ..Default::default()
    }
}

#[test]
fn a_feature_map_that_is_folded_away_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = rewritten("resnet-micro", folder.path(), |graph, manifest| {
        let at = graph.node.iter().position(|n| n.op_type == "GlobalAveragePool").unwrap();
        let tap = std::mem::replace(&mut graph.node[at].input[0], "passed".to_owned());
        graph.node.insert(at, node("Identity", &tap, "passed"));
        manifest.feature_map = Some("passed".to_owned());
    });
    let map = Network::load(&manifest).unwrap().info().feature_map;
    let settings = Settings { images: 2, sqnr_images: 0, sensitivity_images: 0, ..settings() };
    let out = folder.path().join("int8.onnx");
    let done = calibrate(&manifest, &pictures(), &settings, &out, &|_| {}).unwrap();
    assert_eq!(done.manifest.feature_map, None);
    let quantized = Network::load(&done.write(&out).unwrap()).unwrap();
    assert!(map.is_some() && quantized.info().feature_map == map);
}

#[test]
fn the_last_feature_map_keeps_its_meaning_whatever_pools_it() {
    // `torch.export` and MMPreTrain write a mean over both axes; two channels of its stream are 200 times the others
    let folder = tempfile::tempdir().unwrap();
    let manifest = rewritten("convnext-micro", folder.path(), |graph, _| {
        let pool = graph.node.iter_mut().find(|n| n.op_type == "GlobalAveragePool").unwrap();
        pool.op_type = "ReduceMean".to_owned();
        pool.attribute.push(pb::AttributeProto {
            name: "axes".to_owned(),
            ints: vec![2, 3],
            r#type: 7,
            ..Default::default()
        });
        for tensor in &mut graph.initializer {
            match tensor.name.as_str() {
                "features.6.1.weight" | "features.6.1.bias" => scale(tensor, 0..2, 200.0),
                "features.7.0.block.0.weight" => scale(tensor, 0..2, 1.0 / 200.0),
                _ => {}
            }
        }
    });
    let settings = Settings { sqnr_images: 0, sensitivity_images: 0, ..settings() };
    let out = folder.path().join("int8.onnx");
    let done = calibrate(&manifest, &pictures(), &settings, &out, &|_| {}).unwrap();
    let map = |network: &Network| {
        let input = golden_input(network.manifest());
        network.session().unwrap().run(&input).unwrap().feature_map.unwrap().data
    };
    let exact = map(&Network::load(&manifest).unwrap());
    let found = map(&Network::load(&done.write(&out).unwrap()).unwrap());
    let off = difference(&found, &exact);
    assert!(off < 0.1, "{off} of the largest value");
}

#[test]
fn a_network_that_ends_in_probabilities_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = rewritten("resnet-micro", folder.path(), |graph, _| {
        let logits = std::mem::replace(&mut graph.output[0].name, "p".to_owned());
        graph.node.push(node("Softmax", &logits, "p"));
    });
    let loaded = Network::load(&manifest).unwrap_err().to_string();
    for said in [loaded, refused(&manifest, &pictures(), &settings())] {
        let expected = "output, found Softmax `p`; export the network without it";
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_network_without_activity_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |edit: &dyn Fn(&mut pb::TensorProto)| {
        edited("resnet-micro", folder.path(), |tensor| {
            if tensor.name.starts_with("layer1.0.conv1") {
                edit(tensor);
            }
        })
    };
    let settings = Settings { images: 2, ..settings() };
    let dead = write(&|t| t.raw_data.fill(0));
    let error = calibrate(&dead, &pictures(), &settings, Path::new("x.onnx"), &|_| {}).unwrap_err();
    assert!(matches!(error, CalibrationError::Activation { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("/layer1/layer1.0/relu/Relu_output_0"), "{text}");
    assert!(text.contains("found 0 everywhere in 2 pictures"), "{text}");
    let broken = write(&|t| t.raw_data[..4].copy_from_slice(&f32::NAN.to_le_bytes()));
    let text = refused(&broken, &pictures(), &settings);
    assert!(text.contains("expected finite values, found NaN in picture"), "{text}");
}
