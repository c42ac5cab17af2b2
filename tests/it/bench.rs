//! Does `roadgaze bench` print what it was asked to measure, for people and for programs?
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use serde_json::Value;

use crate::program::{manifest, outcome, roadgaze};

fn bench(network: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = roadgaze(&["bench", "--model", &manifest(network), "--warm-up", "1"]);
    outcome(command.args(["--frames", "4"]).args(more))
}

fn json(network: &str, more: &[&str]) -> Value {
    let (code, stdout, stderr) = bench(network, &[more, &["--json"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn a_forward_of_kernel_shap_stands_beside_a_classification_with_their_ratio() {
    let found = json("resnet-micro-int8", &["--shap", "--isa", "scalar"]);
    assert_eq!((&found["scenario"], &found["isa"]), (&"kernel-shap".into(), &"scalar".into()));
    for name in ["classification_ms", "kernel_shap_ms", "ratio"] {
        let median = &found["cost"][name];
        assert_eq!(median["n"], 4, "{found}");
        let [low, value, high] = [&median["ci95"][0], &median["value"], &median["ci95"][1]]
            .map(|number| number.as_f64().unwrap());
        assert!(0.0 < low && low <= value && value <= high, "{found}");
    }
    let (code, stdout, stderr) = bench("resnet-micro", &["--shap"]);
    assert_eq!(code, Some(0), "{stderr}");
    for line in
        ["no integer kernels", "plain classification: median", "ratio of neighbours: median"]
    {
        assert!(stdout.contains(line), "`{line}` missing in: {stdout}");
    }
}

#[test]
fn it_is_measured_on_one_thread_and_in_no_scenario() {
    for other in [["--threads", "2"], ["--scenario", "offline"], ["--rate", "5"]] {
        let (code, _, stderr) = bench("resnet-micro", &[&["--shap"], &other[..]].concat());
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("--shap") && stderr.contains(other[0]), "{stderr}");
    }
}

#[test]
fn the_gain_of_computing_by_difference_stands_beside_both_times() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json").display().to_string();
    let (code, _, stderr) =
        outcome(&mut roadgaze(&["plan", "--evaluations", "98", "--out", &plan]));
    assert_eq!(code, Some(0), "{stderr}");
    let more = ["--shap-reuse", "--plan", &plan, "--rounds", "3", "--threads", "2"];
    let found = json("resnet-micro-int8", &more);
    assert_eq!(found["scenario"], "kernel-shap-reuse", "{found}");
    assert_eq!((&found["estimator"], &found["threads"]), (&"permutation".into(), &2.into()));
    assert_eq!(found["gain"]["forwards"], 98, "{found}");
    for name in ["whole_ms", "by_difference_ms", "gain"] {
        let median = &found["gain"][name];
        assert_eq!(median["n"], 3, "{found}");
        assert!(median["value"].as_f64().unwrap() > 0.0, "{found}");
    }
    for other in [["--plan", &plan], ["--rounds", "2"]] {
        let (code, _, stderr) = bench("resnet-micro-int8", &other);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("--shap-reuse"), "{stderr}");
    }
}

#[test]
fn the_integer_kernels_in_use_are_told() {
    assert_eq!(json("resnet-micro-int8", &["--isa", "scalar"])["isa"], "scalar");
    assert_eq!(json("resnet-micro", &[])["isa"], Value::Null);
}
