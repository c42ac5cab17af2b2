//! Does a run with a camera keep its books, judge itself, and give the same again from its list of delivered frames?
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{manifest, outcome, results, roadgaze};

/// A run of the micro network, with a scenario if there is one.
pub(crate) fn run(folder: &Path, scenario: &str, more: &[&str]) -> Command {
    let mut command = roadgaze(&["run", "--model", &manifest("resnet-micro"), "--threads", "1"]);
    command.args(["--shap-grid", "3x3", "--shap-evals", "24"]);
    if !scenario.is_empty() {
        let path = folder.with_extension("scenario.toml");
        fs::write(&path, scenario).unwrap();
        command.arg("--scenario").arg(path);
    }
    command.arg("--out").arg(folder).args(more);
    command
}

pub(crate) fn summary(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("summary.json")).unwrap()).unwrap()
}

/// Frames in, processed and dropped; asserts that they balance.
pub(crate) fn books(summary: &Value) -> (u64, u64, u64) {
    let frames = &summary["frames"];
    let number = |value: &Value| value.as_u64().unwrap();
    let dropped: u64 = frames["dropped"].as_object().unwrap().values().map(number).sum();
    let (due, processed) = (number(&frames["in"]), number(&frames["processed"]));
    assert_eq!(due, processed + dropped, "{frames}");
    (due, processed, dropped)
}

const FAULTS: &str = "seed = 11\n\
    [[fault]]\nkind = \"drop\"\nevery = 10\n\
    [[fault]]\nkind = \"flip-bits\"\nevery = 7\ncount = 3\n\
    [[fault]]\nkind = \"shift\"\nevery = 5\ncolumns = 20\n";

#[test]
fn in_realtime_every_frame_is_in_one_account_and_the_replay_gives_the_same_results() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    let more = ["--realtime", "60", "--frames", "48", "--preload", "8", "--depth", "3"];
    let mut command = run(&first, FAULTS, &more);
    command.args(["--attribute", "gradcam,kernel-shap", "--explain-every", "6"]);
    let (code, stdout, stderr) = outcome(&mut command);
    assert_eq!(code, Some(0), "{stderr}");
    let found = summary(&first);
    let (due, processed, dropped) = books(&found);
    assert_eq!(due, 48);
    assert!(processed > 0 && dropped >= 4, "every tenth never came: {found}");
    let line = format!("frames: 48 in = {processed} processed + {dropped} dropped");
    assert!(stdout.contains(&line), "{stdout}");
    assert_eq!(found["feed"]["pace"], "realtime");
    assert_eq!(found["latency_ms"]["decision"]["n"], processed);
    assert_eq!(found["latency_ms"]["service"]["n"], processed);
    let page = fs::read_to_string(first.join("report.html")).unwrap();
    assert!(page.contains("Camera feed") && page.contains("decision"), "no feed in the report");
    // the same frames once more, in lockstep: same pixels, logits, features, maps
    let again = folder.path().join("again");
    let mut replay = roadgaze(&["run", "--threads", "2", "--replay"]);
    replay.arg(&first).arg("--out").arg(&again);
    let (code, _, stderr) = outcome(&mut replay);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains(&format!("replay: all {processed} frames as in")), "{stderr}");
    let repeated = summary(&again);
    assert_eq!(books(&repeated), (due, processed, dropped));
    assert_eq!(repeated["pixel_ratio"], found["pixel_ratio"]);
    // another network is no replay
    let other = folder.path().join("other");
    let mut replay = roadgaze(&["run", "--model", &manifest("convnext-micro"), "--replay"]);
    replay.arg(&first).arg("--out").arg(&other);
    let (code, _, stderr) = outcome(&mut replay);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("differ from"), "{stderr}");
}

#[test]
fn in_lockstep_a_scenario_is_a_function_of_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    for out in [&one, &two] {
        let mut command = run(out, FAULTS, &["--frames", "30", "--attribute", "gradcam"]);
        let (code, _, stderr) = outcome(&mut command);
        assert_eq!(code, Some(0), "{stderr}");
    }
    let found = results(&one);
    assert_eq!(found, results(&two));
    let dropped = &found["frames"]["dropped"];
    // numbers 10 and 20 never came; 7, 14, 21 and 28 came damaged
    assert_eq!((&dropped["lost"], &dropped["bad_packet"]), (&2.into(), &4.into()), "{dropped}");
    assert_eq!(books(&summary(&one)), (30, 24, 6));
}

#[test]
fn a_stall_is_seen_in_p99_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let scenario = "[[fault]]\nkind = \"stall\"\nevery = 40\nlasting_ms = 200\n";
    let more = ["--realtime", "50", "--frames", "90", "--preload", "4", "--attribute", "none"];
    let (code, stdout, stderr) =
        outcome(run(&out, scenario, &more).args(["--queue", "block", "--depth", "16"]));
    assert_eq!(code, Some(0), "{stderr}");
    let found = summary(&out);
    assert_eq!(books(&found), (90, 90, 0));
    // frame 40 was due 200 ms before it came, the ones behind it 180, 160 and so on
    let p99 = found["latency_ms"]["decision"]["p99"].as_f64().unwrap();
    assert!(p99 >= 180.0, "p99 {p99} ms");
    assert_eq!(found["feed"]["struck"][0], "stall: 2 frames");
    assert!(stdout.contains("stalls"), "{stdout}");
}

#[test]
fn budgets_end_in_a_verdict_and_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let budget = folder.path().join("budget.toml");
    let path = budget.display().to_string();
    let more = ["--frames", "12", "--attribute", "none", "--budget", &path];
    for (limit, expected, word) in [("1e8", 0, "VALID: 1 of 1"), ("0.0001", 1, "INVALID: network")]
    {
        fs::write(&budget, format!("[stage.network]\nlimit_ms = {limit}\nshare = 0.5")).unwrap();
        let out = folder.path().join(format!("run{expected}"));
        let (code, _, stderr) = outcome(&mut run(&out, "", &more));
        assert_eq!(code, Some(expected), "{stderr}");
        assert!(stderr.contains(word), "{stderr}");
        assert_eq!(summary(&out)["verdict"]["valid"], expected == 0);
        let page = fs::read_to_string(out.join("report.html")).unwrap();
        assert!(page.contains(if expected == 0 { "Verdict: VALID" } else { "Verdict: INVALID" }));
        assert!(summary(&out)["device"]["samples"].as_u64().unwrap() >= 2);
    }
}

#[test]
fn what_cannot_be_used_is_said_in_one_line_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, "[camera]\nfsp = 3").unwrap();
    let bad = bad.display().to_string();
    for (arguments, word) in [
        (vec!["--scenario", &bad], "fsp"),
        (vec!["--scenario", "/nonexistent.toml"], "/nonexistent.toml"),
        (vec!["--budget", &bad], "bad.toml"),
        (vec!["--replay", "/nonexistent"], "/nonexistent"),
        (vec!["--queue", "drop-newest"], "--realtime"),
        (vec!["--realtime", "30", "--resume"], "--resume"),
        (vec!["--realtime", "30", "--preload", "0"], "--preload"),
        (vec!["--camera", "nowhere"], "HOST:PORT"),
        (vec!["--live"], "terminal"),
    ] {
        let (code, _, stderr) = outcome(&mut run(&out, "", &arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
