//! Does a run say which integer kernels it used, and are its results the same with all of them?

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use harness::store::Stored;
use harness::store::kernels::INTEGER_KERNELS;
use models::engine::Isa;

use crate::live_run::summary;
use crate::program::{manifest, outcome, results, roadgaze};
use crate::resume::stored_frames;

fn run(network: &str, folder: &Path, more: &[&str]) -> Command {
    let mut command = roadgaze(&["run", "--model", &manifest(network), "--threads", "1"]);
    command.args([
        "--attribute",
        "gradcam,kernel-shap",
        "--shap-grid",
        "3x3",
        "--shap-evals",
        "24",
    ]);
    command.arg("--out").arg(folder).args(more);
    command
}

/// Runs to the end; what was printed.
fn done(mut command: Command) -> (String, String) {
    let (code, stdout, stderr) = outcome(&mut command);
    assert_eq!(code, Some(0), "{stderr}");
    (stdout, stderr)
}

#[test]
fn every_instruction_set_gives_the_same_bits_and_is_named() {
    for network in ["resnet-micro-int8", "convnext-micro-int8"] {
        let folder = tempfile::tempdir().unwrap();
        let mut first: Option<(Stored, serde_json::Value)> = None;
        for isa in Isa::available() {
            let out = folder.path().join(isa.name());
            let (stdout, _) = done(run(network, &out, &["--frames", "3", "--isa", isa.name()]));
            assert!(stdout.contains(&format!("integer kernels: {isa}, ")), "{stdout}");
            assert_eq!(summary(&out)["machine"]["integer_kernels"], isa.name());
            let page = std::fs::read_to_string(out.join("report.html")).unwrap();
            assert!(page.contains(&format!("integer kernels: {isa}, ")));
            let stored = Stored::open(&out).unwrap();
            assert_eq!(stored.text(INTEGER_KERNELS), isa.name());
            let Some((expected, figures)) = &first else {
                first = Some((stored, results(&out)));
                continue;
            };
            assert_eq!(&results(&out), figures, "{isa}");
            for (a, b) in expected.frames.iter().zip(&stored.frames) {
                let place = format!("{network}, {isa}, frame {}", a.position);
                assert_eq!((&a.logits, &a.features), (&b.logits, &b.features), "{place}");
                assert_eq!(a.attributions, b.attributions, "{place}");
            }
            assert_eq!((expected.frames.len(), stored.frames.len()), (3, 3));
        }
    }
}

#[test]
fn without_the_option_it_is_the_best_and_a_network_in_f32_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("int8");
    let (stdout, _) = done(run("resnet-micro-int8", &out, &["--frames", "1", "--json"]));
    let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(printed["machine"]["integer_kernels"], Isa::detect().name());
    let out = folder.path().join("f32");
    let (stdout, stderr) = done(run("resnet-micro", &out, &["--frames", "1", "--isa", "scalar"]));
    assert!(stdout.contains("integer kernels: none, the network runs in f32"), "{stdout}");
    assert!(stderr.contains("--isa scalar changes nothing"), "{stderr}");
    assert_eq!(Stored::open(&out).unwrap().text(INTEGER_KERNELS), "none");
}

#[test]
fn what_this_processor_lacks_is_refused_with_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = if cfg!(target_arch = "x86_64") { "neon-dot" } else { "avx2" };
    for command in ["run", "bench"] {
        let (code, stdout, stderr) =
            outcome(roadgaze(&[command, "--model", "x", "--isa", foreign]).current_dir(&folder));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        for part in ["--isa", "scalar", foreign, "leave it out"] {
            assert!(stderr.contains(part), "`{part}` missing in: {stderr}");
        }
    }
}

#[test]
fn a_run_may_be_resumed_with_another_instruction_set_and_tells_both() {
    let folder = tempfile::tempdir().unwrap();
    let frames = ["--frames", "12"];
    let whole = folder.path().join("whole");
    done(run("resnet-micro-int8", &whole, &frames));
    let out = folder.path().join("cut");
    let mut first = run("resnet-micro-int8", &out, &[&frames[..], &["--isa", "scalar"]].concat());
    let mut child = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while stored_frames(&out) < 2 && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let left = 12 - stored_frames(&out);
    let best = Isa::detect().name();
    done(run("resnet-micro-int8", &out, &[&frames[..], &["--resume", "--isa", best]].concat()));
    assert_eq!(results(&out), results(&whole));
    let used = Stored::open(&out).unwrap().text(INTEGER_KERNELS);
    let both =
        if left == 0 || best == "scalar" { "scalar".to_owned() } else { format!("scalar, {best}") };
    assert_eq!(used, both);
}
