//! Files that lead elsewhere or claim to be huge, and a folder that goes away: one clear line, nothing written outside,
//! memory bounded. Limits on memory are set with `ulimit -v`, so that a program that takes more dies and the test fails.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::{binary, copy_network, manifest, outcome, roadgaze};

/// Address space of the program in these tests, KiB: 1.5 GiB, of which a run on the micro network uses a third.
const ADDRESS_SPACE: &str = "1500000";

/// Runs `roadgaze` with bounded memory; exit code and standard error.
fn bounded(arguments: &[&str]) -> (Option<i32>, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")]).arg(binary());
    shell.args(arguments).env("ROADGAZE_ZOO", "/nonexistent").env("NO_COLOR", "1");
    let (code, _, stderr) = outcome(&mut shell);
    (code, stderr)
}

fn refused(arguments: &[&str], parts: &[&str]) {
    let (code, stderr) = bounded(arguments);
    assert_eq!(code, Some(2), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    for part in parts {
        assert!(last.contains(part), "`{part}` missing in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn memory_is_enough_for_an_honest_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let model = manifest("resnet-micro");
    let run = ["run", "--model", &model, "--frames", "2", "--threads", "2", "--out", &out];
    let (code, stderr) = bounded(&run);
    assert_eq!(code, Some(0), "{stderr}");
}

/// A PNG whose header claims so many pixels; the data is missing.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut crc = !0_u32;
    for &byte in &header {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d".to_vec();
    png.extend(header);
    png.extend((!crc).to_be_bytes());
    png.extend(b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e");
    png
}

#[test]
fn pictures_whose_header_claims_ten_gigabytes_are_refused() {
    for (width, height) in
        [(60_000, 60_000), (16_384, 16_384), (u32::MAX / 2, 2), (1, u32::MAX / 2)]
    {
        let folder = tempfile::tempdir().unwrap();
        let class = folder.path().join("data/000_Only");
        fs::create_dir_all(&class).unwrap();
        fs::write(class.join("1.png"), png_header(width, height)).unwrap();
        image::GrayImage::new(64, 64).save(class.join("1_msk.png")).unwrap();
        let (data, out) = (folder.path().join("data"), folder.path().join("out"));
        let (data, out) = (data.display().to_string(), out.display().to_string());
        let model = manifest("resnet-micro");
        refused(
            &["run", "--model", &model, "--data", &data, "--frames", "1", "--out", &out],
            &["1.png", "expected a PNG or JPEG picture", "--skip-bad"],
        );
    }
}

/// An ONNX file: a graph of `bytes`.
fn graph_file(path: &Path, length: u64, bytes: impl Iterator<Item = Vec<u8>>) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    let mut head = vec![0x3a];
    let mut rest = length;
    while rest >= 0x80 {
        head.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    head.push(u8::try_from(rest).unwrap());
    file.write_all(&head).unwrap();
    for piece in bytes {
        file.write_all(&piece).unwrap();
    }
    file.flush().unwrap();
}

#[test]
fn graphs_of_hundreds_of_millions_of_nodes_are_refused_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    copy_network("resnet-micro", folder.path());
    let model = folder.path().join("resnet-micro.onnx");
    let toml = folder.path().join("resnet-micro.toml").display().to_string();
    let out = folder.path().join("out").display().to_string();
    let run = ["run", "--model", &toml, "--frames", "1", "--out", &out];
    // 100 million empty nodes: 200 MB in the file, dozens of gigabytes once built
    let million = [0x0a_u8, 0].repeat(1_000_000);
    graph_file(&model, 200_000_000, (0..100).map(|_| million.clone()));
    refused(&run, &["resnet-micro.onnx", "expected at most 500000 nodes"]);
    // four billion of them: a file of 8 GB, all holes
    graph_file(&model, 8_000_000_000, std::iter::empty());
    fs::OpenOptions::new().write(true).open(&model).unwrap().set_len(8_000_000_006).unwrap();
    refused(&run, &["resnet-micro.onnx", "expected at most 1073741824 bytes, found 8000000006"]);
    // a length that is not there
    graph_file(&model, 4_000_000_000, std::iter::empty());
    refused(&run, &["resnet-micro.onnx", "ends within its message"]);
}

#[test]
fn links_and_paths_that_lead_out_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let model = manifest("resnet-micro");
    let outside = folder.path().join("outside");
    // files of the run itself
    for name in
        ["run.sqlite", "telemetry.defmt", "summary.part", "telemetry.defmt.executable-sha256"]
    {
        let out = folder.path().join(format!("out-{name}"));
        fs::create_dir(&out).unwrap();
        symlink(&outside, out.join(name)).unwrap();
        let out = out.display().to_string();
        let (code, stderr) = bounded(&["run", "--model", &model, "--frames", "1", "--out", &out]);
        assert!(code == Some(0) || code == Some(2), "{name}: {stderr}");
        assert!(!outside.exists(), "{name}: written through the link");
        if code == Some(2) {
            assert!(stderr.lines().last().unwrap().contains(name), "{stderr}");
        }
    }
    // the model file of a manifest
    fs::write(&outside, "not for you").unwrap();
    copy_network("resnet-micro", folder.path());
    let toml = folder.path().join("resnet-micro.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace("resnet-micro.onnx", "../../outside.onnx")).unwrap();
    let (toml, out) = (toml.display().to_string(), folder.path().join("out").display().to_string());
    refused(
        &["run", "--model", &toml, "--frames", "1", "--out", &out],
        &["resnet-micro.toml", "../../outside.onnx"],
    );
}

#[test]
fn a_run_folder_that_vanishes_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for replaced in [false, true] {
        let mut command =
            roadgaze(&["run", "--model", &manifest("resnet-micro"), "--frames", "400"]);
        command.args(["--attribute", "gradcam", "--data", "synthetic:CF/test?size=64"]);
        command.arg("--out").arg(&out).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        while !out.join("run.sqlite-wal").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
        fs::rename(&out, folder.path().join(format!("gone-{replaced}"))).unwrap();
        if replaced {
            fs::create_dir(&out).unwrap();
            fs::write(out.join("run.sqlite"), "another").unwrap();
        }
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{stderr}");
        let last = stderr.lines().last().unwrap();
        assert!(last.contains("out/run.sqlite: the run store is gone"), "{stderr}");
        drop(fs::remove_dir_all(&out));
    }
}
