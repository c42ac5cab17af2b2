//! What does the user see when something is wrong? Exit code 2 and one line: place, expected, found, remedy.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::Path;

use image::RgbImage;
use models::digest::sha256_hex;
use models::onnx::pb;
use prost::Message as _;
use tempfile::TempDir;

use crate::program::{copy_network, manifest, outcome, roadgaze};

/// Runs `roadgaze run` on two frames; what it says on standard error, with the folder called `DIR`.
fn complaint(folder: &Path, arguments: &[&str]) -> String {
    let out = folder.join("out");
    let mut command = roadgaze(&["run", "--frames", "2", "--out", out.to_str().unwrap()]);
    let (code, stdout, stderr) = outcome(command.args(arguments));
    assert_eq!(code, Some(2), "{stdout}{stderr}");
    assert_eq!(stdout, "");
    let golden = Path::new(env!("CARGO_TARGET_TMPDIR")).join("networks");
    let last = stderr.lines().rfind(|line| line.starts_with("roadgaze: ")).unwrap_or(&stderr);
    last.replace(folder.to_str().unwrap(), "DIR").replace(golden.to_str().unwrap(), "NETWORKS")
}

/// A folder with a copy of the micro network.
fn network() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    copy_network("resnet-micro", folder.path());
    let manifest = folder.path().join("resnet-micro.toml").display().to_string();
    (folder, manifest)
}

/// Place, what was expected, what was found, remedy: all of it stands on the one line.
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` missing in: {said}");
    }
    assert!(said.starts_with("roadgaze: ") && !said.contains("panicked"), "{said}");
}

/// As with `| head`.
#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    for arguments in [&["render", "--set", "CF", "--describe"][..], &["study", "--print-plan"]] {
        let mut command = roadgaze(arguments);
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!((done.status.code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_missing_model_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_says(
        &complaint(folder.path(), &["--model", "no-such.onnx"]),
        &["no-such.onnx: no such model file"],
    );
    let said = complaint(folder.path(), &["--model", "no-such-network"]);
    assert!(said.contains("no network of this name in the zoo"), "{said}");
}

#[test]
fn an_onnx_file_without_a_manifest_says_how_to_get_one() {
    let (folder, manifest) = network();
    fs::remove_file(manifest).unwrap();
    let model = folder.path().join("resnet-micro.onnx").display().to_string();
    assert_says(
        &complaint(folder.path(), &["--model", &model]),
        &[
            "DIR/resnet-micro.onnx: expected its manifest DIR/resnet-micro.toml, found none",
            "--write-manifest",
        ],
    );
    let (code, _, stderr) = outcome(&mut roadgaze(&["run", "--model", &model, "--write-manifest"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("ImageNet's mean and std"), "{stderr}");
    let out = folder.path().join("own").display().to_string();
    let run = ["run", "--model", &model, "--frames", "2", "--attribute", "gradcam", "--out", &out];
    let (code, stdout, stderr) = outcome(&mut roadgaze(&run));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("pixel ratio gradcam"), "{stdout}");
}

#[test]
fn a_truncated_onnx_file_is_named() {
    let (folder, manifest) = network();
    let model = folder.path().join("resnet-micro.onnx");
    let whole = fs::read(&model).unwrap();
    fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    assert_says(
        &complaint(folder.path(), &["--model", &manifest]),
        &["DIR/resnet-micro.onnx", "again"],
    );
}

#[test]
fn a_wrong_number_of_classes_is_named() {
    let (folder, manifest) = network();
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("count = 82", "count = 43")).unwrap();
    assert_says(
        &complaint(folder.path(), &["--model", &manifest]),
        &[
            "DIR/resnet-micro.onnx: logits: expected 43 classes as in the manifest, found 82",
            "correct `classes`",
        ],
    );
}

#[test]
fn a_data_set_with_a_class_that_the_network_does_not_know_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let class = folder.path().join("data/090_Only");
    fs::create_dir_all(&class).unwrap();
    RgbImage::new(224, 224).save(class.join("1.png")).unwrap();
    image::GrayImage::from_pixel(224, 224, image::Luma([255]))
        .save(class.join("1_msk.png"))
        .unwrap();
    let data = folder.path().join("data").display().to_string();
    let arguments = ["--model", &manifest("resnet-micro"), "--data", &data];
    assert_says(
        &complaint(folder.path(), &arguments),
        &["DIR/data/090_Only/1.png: unknown class id 90: expected 0 to 81", "--skip-bad"],
    );
}

#[test]
fn a_head_that_gradcam_does_not_know_is_named_and_kernel_shap_still_works() {
    let (folder, manifest) = network();
    let model = folder.path().join("resnet-micro.onnx");
    let mut proto = pb::ModelProto::decode(fs::read(&model).unwrap().as_slice()).unwrap();
    let nodes = &mut proto.graph.as_mut().unwrap().node;
    let pool = nodes.iter_mut().find(|n| n.op_type == "GlobalAveragePool").unwrap();
    pool.op_type = "GlobalMaxPool".to_owned();
    let bytes = proto.encode_to_vec();
    let text = fs::read_to_string(&manifest).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    table.insert("sha256".to_owned(), sha256_hex(&bytes).into());
    table.remove("feature_map");
    table.remove("head");
    fs::write(&manifest, table.to_string()).unwrap();
    fs::write(&model, bytes).unwrap();
    let gradcam = ["--model", &manifest, "--attribute", "gradcam"];
    assert_says(
        &complaint(folder.path(), &gradcam),
        &[
            "head not supported for GradCAM",
            "expected global average pooling",
            "explain this network with kernel-shap",
        ],
    );
    let out = folder.path().join("shap").display().to_string();
    let mut command = roadgaze(&["run", "--frames", "1", "--shap-evals", "150", "--out", &out]);
    command.args(["--model", &manifest, "--attribute", "kernel-shap"]);
    let (code, _, stderr) = outcome(&mut command);
    // the runtime may not have this pooling; then it says so instead of computing something else
    assert!(code == Some(0) || stderr.contains("GlobalMaxPool"), "{stderr}");
}

#[test]
fn a_folder_without_masks_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let class = folder.path().join("data/000_Only");
    fs::create_dir_all(&class).unwrap();
    RgbImage::new(224, 224).save(class.join("1.png")).unwrap();
    let data = folder.path().join("data").display().to_string();
    let arguments = ["--model", &manifest("resnet-micro"), "--data", &data];
    assert_says(
        &complaint(folder.path(), &arguments),
        &["DIR/data/000_Only/1.png", "expected a mask DIR/data/000_Only/1_msk.png, found none"],
    );
}

#[test]
fn a_file_in_place_of_the_run_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out"), "in the way").unwrap();
    let said = complaint(folder.path(), &["--model", &manifest("resnet-micro")]);
    assert_says(
        &said,
        &["DIR/out", "a run folder that can be written expected", "choose another with --out"],
    );
}

#[test]
fn a_folder_that_holds_a_run_is_not_overwritten_and_not_mixed_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let model = manifest("resnet-micro");
    let run = ["run", "--model", &model, "--frames", "2", "--attribute", "gradcam", "--out", &out];
    let (code, _, stderr) = outcome(&mut roadgaze(&run));
    assert_eq!(code, Some(0), "{stderr}");
    assert_says(
        &complaint(folder.path(), &["--model", &model]),
        &["DIR/out/run.sqlite: this folder already holds a run", "--resume"],
    );
    let other = ["--model", &model, "--attribute", "none", "--resume"];
    assert_says(
        &complaint(folder.path(), &other),
        &[
            "the run was started with set.attribute",
            "resume with the same settings or choose another --out",
        ],
    );
}

#[test]
fn a_slip_beside_overwrite_does_not_cost_the_run_that_is_there() {
    let (folder, model) = network();
    let out = folder.path().join("out");
    let mut first = roadgaze(&["run", "--model", &model, "--frames", "1", "--attribute", "none"]);
    let (code, _, stderr) = outcome(first.arg("--out").arg(&out));
    assert_eq!(code, Some(0), "{stderr}");
    let before = fs::read(out.join("run.sqlite")).unwrap();
    for arguments in [
        &["--model", "no-such-network"][..],
        &["--model", &model, "--data", "synthetic:CF/tset"],
        &["--model", &model, "--frames", "99999"],
        &["--model", &model, "--attribute", "kernel-shap", "--shap-evals", "3"],
    ] {
        let mut command = roadgaze(&["run", "--overwrite", "--out", out.to_str().unwrap()]);
        let (code, stdout, stderr) = outcome(command.args(arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {stdout}{stderr}");
        assert!(out.join("report.html").is_file(), "{arguments:?}");
        assert_eq!(fs::read(out.join("run.sqlite")).unwrap(), before, "{arguments:?}");
    }
    let mut again = roadgaze(&["run", "--model", &model, "--frames", "2", "--attribute", "none"]);
    let (code, _, stderr) = outcome(again.arg("--overwrite").arg("--out").arg(&out));
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn wrong_usage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = manifest("resnet-micro");
    let cases: [(&[&str], &str); 8] = [
        (&["--attribute", "lime"], "gradcam, kernel-shap or none expected, `lime` found"),
        (&["--shap-grid", "7 by 7"], "expected ROWSxCOLUMNS, found `7 by 7`"),
        (&["--shap-grid", "300x300"], "2 to 4096 super-pixels, found 90000"),
        (&["--shap-grid", "1x500"], "at most 224 x 224"),
        (&["--shap-baseline", "grey"], "zero, mean-colour, blur:RADIUS (at most 4096) or #RRGGBB"),
        (&["--shap-estimator", "captum", "--shap-evals", "30"], "determine 49 attributions"),
        (&["--data", "CF/test"], "for example synthetic:CF/test"),
        (&["--frames", "0"], "frames: 1 to"),
    ];
    for (arguments, expected) in cases {
        let mut all = vec!["--model", &model, "--overwrite"];
        if arguments[0] != "--attribute" {
            all.extend(["--attribute", "kernel-shap"]);
        }
        all.extend(arguments);
        let out = folder.path().join("out");
        let mut command = roadgaze(&["run", "--frames", "1", "--out", out.to_str().unwrap()]);
        if arguments[0] == "--frames" {
            command = roadgaze(&["run", "--out", out.to_str().unwrap()]);
        }
        let (code, stdout, stderr) = outcome(command.args(all));
        assert_eq!(code, Some(2), "{arguments:?}: {stdout}{stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn several_grids_and_baselines_run() {
    let folder = tempfile::tempdir().unwrap();
    let model = manifest("convnext-micro");
    let cases = [("4x6", "mean-colour"), ("5x3", "blur:6"), ("8x8", "#7c7468"), ("2x2", "zero")];
    for (grid, baseline) in cases {
        let out = folder.path().join(grid).display().to_string();
        let mut command = roadgaze(&["run", "--model", &model, "--frames", "1", "--out", &out]);
        command.args(["--attribute", "kernel-shap", "--shap-evals", "200", "--json"]);
        command.args([
            "--shap-grid",
            grid,
            "--shap-baseline",
            baseline,
            "--explained-class",
            "true",
        ]);
        let (code, stdout, stderr) = outcome(&mut command);
        assert_eq!(code, Some(0), "{stderr}");
        let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let rows: usize = grid.split('x').next().unwrap().parse().unwrap();
        assert_eq!(summary["settings"]["shap.grid.rows"], rows);
        assert_eq!(summary["settings"]["target"], "true");
        let ratio = &summary["pixel_ratio"]["kernel-shap"];
        assert!(ratio["ceiling"].as_f64().unwrap() > ratio["chance"].as_f64().unwrap(), "{ratio}");
        assert!(ratio["evaluations"].as_f64().unwrap() <= 200.0, "{ratio}");
    }
}
