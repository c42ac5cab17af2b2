//! A study from plan to verified evidence pack, on a micro network: killed and resumed, in shards, tampered with.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{manifest, outcome, roadgaze};

/// Two networks (one file under two names), one that does not exist, ordinary and hard pictures.
fn plan(folder: &Path) -> PathBuf {
    let micro = manifest("resnet-micro");
    let text = format!(
        r#"title = "Micro"
threads = 2
[[network]]
name = "correlated"
model = "{micro}"
architecture = "resnet50"
train = "CF"
[[network]]
name = "uncorrelated"
model = "{micro}"
architecture = "resnet50"
train = "UF"
[[network]]
name = "not-trained-yet"
architecture = "convnext-tiny"
train = "CF"
[method.gradcam]
attribute = "gradcam"
[method.shap]
attribute = "kernel-shap"
shap = {{ estimator = "permutation", evaluations = 98 }}
[[grid]]
methods = ["gradcam", "shap"]
data = ["CF"]
frames = 6
[[grid]]
networks = ["correlated", "uncorrelated"]
methods = ["gradcam"]
data = ["UF"]
frames = 6
[[grid]]
networks = ["correlated"]
methods = ["gradcam"]
data = ["CF"]
corner_cases = ["fog"]
severities = [5]
frames = 4
[[grid]]
networks = ["correlated"]
methods = ["gradcam"]
data = ["CF"]
environments = ["coast"]
frames = 4
"#
    );
    let path = folder.join("plan.toml");
    fs::write(&path, text).unwrap();
    path
}

/// Exit code, standard output and standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    outcome(&mut roadgaze(args))
}

fn results(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("results.json")).unwrap()).unwrap()
}

#[test]
fn a_study_runs_in_shards_is_collected_packed_verified_and_tampering_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let (plan, out) = (plan.to_str().unwrap(), folder.path().join("study"));
    let out_text = out.to_str().unwrap();
    for shard in ["1/2", "2/2"] {
        let (code, _, stderr) = run(&["study", plan, "--out", out_text, "--shard", shard]);
        assert_eq!(code, Some(0), "{stderr}");
    }
    let (code, stdout, stderr) = run(&["study", plan, "--out", out_text]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains("cell 1/"), "the shards have done all of it: {stderr}");
    assert!(stdout.contains("8 complete, 0 begun, 2 not there"), "{stdout}");

    // one file under two names: no difference between them, on every frame
    let found = results(&out);
    let contrast =
        found["findings"].as_array().unwrap().iter().find(|f| f["id"] == "contrast").unwrap();
    let row = &contrast["tables"][0]["rows"][0];
    assert_eq!(row[8]["number"]["value"].as_f64(), Some(0.0), "{row}");
    assert_eq!(row[5]["count"].as_u64(), Some(6), "{row}");
    let missing = found["missing"].to_string();
    assert!(missing.contains("not-trained-yet"), "{missing}");
    for name in ["report.html", "tables/accuracy.csv", "tables/contrast.tex", "study.sqlite"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let before = fs::read(out.join("results.json")).unwrap();
    let (code, _, _) = run(&["report", out_text]);
    assert_eq!((code, fs::read(out.join("results.json")).unwrap()), (Some(0), before));

    let pack = folder.path().join("pack");
    let pack_text = pack.to_str().unwrap();
    let (code, _, stderr) =
        run(&["study", plan, "--out", out_text, "--collect", "--evidence", pack_text]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, stdout, stderr) = run(&["verify", pack_text]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(stdout.matches("holds").count(), 6, "{stdout}");

    // a figure that was made up
    let path = pack.join("results.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"count\": 6", "\"count\": 7", 1)).unwrap();
    let (code, stdout, _) = run(&["verify", pack_text]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("FAILS  files") && stdout.contains("FAILS  figures"), "{stdout}");
    fs::write(&path, text).unwrap();

    // a ratio that was changed in a run store, with everything behind it collected again
    let cell = pack.join("cells/correlated/CF-test/gradcam-6/run.sqlite");
    let db = rusqlite::Connection::open(&cell).unwrap();
    let sql = "SELECT value FROM setting WHERE name = 'machine.integer_kernels'";
    let used: String = db.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(used, "\"none\"", "a cell tells its integer kernels as every run does");
    db.execute("UPDATE attribution SET pixel_ratio = 0.99 WHERE position = 0", []).unwrap();
    drop(db);
    let (code, stdout, _) = run(&["verify", pack_text, "--frames", "6"]);
    assert_eq!(code, Some(1), "{stdout}");
    for check in ["FAILS  files", "FAILS  rows", "FAILS  pictures"] {
        assert!(stdout.contains(check), "{check}: {stdout}");
    }
}

#[test]
fn cells_of_another_network_are_refused_and_a_lower_number_of_frames_is_another_cell() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let plan = plan.to_str().unwrap();
    let out = folder.path().join("study");
    let out = out.to_str().unwrap();
    let (code, stdout, stderr) = run(&["study", plan, "--out", out, "--frames", "2"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("8 complete"), "{stdout}");
    let (code, stdout, _) = run(&["study", plan, "--out", out, "--list"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("shap-98-6") && stdout.contains("to do"), "{stdout}");

    // the same cell by another network
    let text = fs::read_to_string(plan).unwrap();
    let other = text.replacen(&manifest("resnet-micro"), &manifest("resnet-micro-f16"), 1);
    fs::write(plan, other).unwrap();
    let (code, _, stderr) = run(&["study", plan, "--out", out, "--frames", "2"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("set.model") && stderr.contains("choose another --out"), "{stderr}");
    let (code, _, stderr) = run(&["verify", out]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--evidence"), "{stderr}");
}

/// All numbers of the findings, without what depends on the machine.
fn findings(folder: &Path) -> Value {
    results(folder)["findings"].take()
}

#[test]
fn a_study_that_was_killed_goes_on_and_ends_as_if_nothing_had_been() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let plan = plan.to_str().unwrap();
    let [whole, cut] = ["whole", "cut"].map(|name| folder.path().join(name));
    let (code, _, stderr) = run(&["study", plan, "--out", whole.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");

    let mut child = roadgaze(&["study", plan, "--out", cut.to_str().unwrap()])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // kill it while it is at the second cell
    let second = cut.join("cells/uncorrelated/CF-test/gradcam-6/run.sqlite");
    while !second.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!cut.join("study.sqlite").exists(), "it was not killed in time");
    let (code, _, stderr) = run(&["study", plan, "--out", cut.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(findings(&cut), findings(&whole));
}
