//! A study from plan to verified evidence pack, on a micro network: killed and resumed, in shards, tampered with.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{manifest, outcome, roadgaze};

/// Two networks (one with f32 and with f16 weights), one that does not exist, ordinary and hard pictures.
fn plan(folder: &Path) -> PathBuf {
    let (micro, half) = (manifest("resnet-micro"), manifest("resnet-micro-f16"));
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
model = "{half}"
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
        let (code, stdout, stderr) = run(&["study", plan, "--out", out_text, "--shard", shard]);
        assert_eq!(code, Some(0), "{stderr}");
        // the other shard may be writing: nothing is collected, and the user is told what to do
        for name in ["study.sqlite", "results.json", "report.html"] {
            assert!(!out.join(name).exists(), "{name}");
        }
        let next = format!("shard {shard} is done");
        assert!(stderr.contains(&next) && stderr.contains("--collect"), "{stderr}");
        assert!(stdout.is_empty(), "{stdout}");
    }
    let (code, _, stderr) = run(&["study", plan, "--shard", "1/2", "--collect"]);
    assert_eq!(code, Some(2), "{stderr}");
    let (code, stdout, stderr) = run(&["study", plan, "--out", out_text]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains("cell 1/"), "the shards have done all of it: {stderr}");
    assert!(stdout.contains("8 complete, 0 begun, 2 not there"), "{stdout}");

    // the same weights, rounded in one of the two: next to no difference
    let found = results(&out);
    let contrast =
        found["findings"].as_array().unwrap().iter().find(|f| f["id"] == "contrast").unwrap();
    let row = &contrast["tables"][0]["rows"][0];
    let difference = row[8]["number"]["value"].as_f64().unwrap();
    assert!(difference.abs() < 0.01, "{row}");
    assert_eq!(row[5]["count"].as_u64(), Some(6), "{row}");
    let missing = found["missing"].to_string();
    assert!(missing.contains("not-trained-yet"), "{missing}");
    for name in ["report.html", "tables/accuracy.csv", "tables/contrast.tex", "study.sqlite"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    let [drawings, _, tables] = crate::resume::words_beside_pictures(&page);
    assert!(drawings > 0 && tables > 1, "{drawings} drawings, {tables} tables");
    let before = fs::read(out.join("results.json")).unwrap();
    let (code, _, _) = run(&["report", out_text]);
    assert_eq!((code, fs::read(out.join("results.json")).unwrap()), (Some(0), before));

    let pack = folder.path().join("pack");
    let pack_text = pack.to_str().unwrap();
    let (code, _, stderr) =
        run(&["study", plan, "--out", out_text, "--collect", "--evidence", pack_text]);
    assert_eq!(code, Some(0), "{stderr}");
    let anchor = stderr.lines().find(|line| line.starts_with("sha256 of evidence.json: "));
    let anchor = anchor.unwrap().to_owned();
    for (name, of) in [("correlated", "resnet-micro"), ("uncorrelated", "resnet-micro-f16")] {
        let packed = fs::read_to_string(pack.join(format!("networks/{name}.toml"))).unwrap();
        assert_eq!(packed, fs::read_to_string(manifest(of)).unwrap(), "{name}");
    }
    let (code, stdout, stderr) = run(&["verify", pack_text]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(stdout.matches("holds").count(), 6, "{stdout}");
    assert!(stdout.contains(&anchor), "the number to keep: {stdout}");

    // a journal that SQLite would read in place of what has a hash
    let journal = pack.join("study.sqlite-wal");
    fs::write(&journal, "other rows").unwrap();
    let (code, stdout, _) = run(&["verify", pack_text]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("study.sqlite-wal: not in") && journal.exists(), "{stdout}");
    fs::remove_file(&journal).unwrap();

    // a file outside the pack in its list
    let path = pack.join("evidence.json");
    let text = fs::read_to_string(&path).unwrap();
    let stray = text.replacen("\"LIMITS.md\"", "\"../LIMITS.md\"", 1);
    assert_ne!(stray, text);
    fs::write(&path, stray).unwrap();
    let (code, stdout, _) = run(&["verify", pack_text]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("../LIMITS.md: a path inside the pack expected"), "{stdout}");
    fs::write(&path, text).unwrap();

    // hard pictures that pass for ordinary ones
    let path = pack.join("study.sqlite");
    let before = fs::read(&path).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let sql =
        "UPDATE cell SET data = replace(data, '\"corner_case\":\"fog\"', '\"corner_case\":\"\"')";
    db.execute(sql, []).unwrap();
    drop(db);
    let (code, stdout, _) = run(&["verify", pack_text]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("has other facts than its name"), "{stdout}");
    fs::write(&path, before).unwrap();

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

/// A run folder as the desktop would have written it: neither shape nor environment, no correction, few settings, no seals.
fn strip(run: &Path) {
    let db = rusqlite::Connection::open(run.join("run.sqlite")).unwrap();
    db.execute_batch(
        "DROP TABLE seal; PRAGMA application_id = 0;
         UPDATE frame SET shape = '', environment = '';
         UPDATE attribution SET inside = NULL, border = NULL, inside_area = NULL, border_area = NULL, pointing = NULL,
             relevance_rank = NULL, ratio_error = NULL, sample_units = NULL, cross_fit = NULL, map_error = x'';
         DELETE FROM setting WHERE name LIKE 'set.%' OR name IN ('hash.data', 'hash.executable');
         INSERT INTO setting VALUES ('set.shap.estimator', '\"permutation\"'), ('set.shap.evaluations', '98'),
             ('backend', '\"torch\"'), ('machine.device', '\"cuda\"');",
    )
    .unwrap();
}

#[test]
fn a_run_of_another_machine_is_taken_in_packed_and_verified_and_another_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan_path = plan(folder.path());
    let plan = plan_path.to_str().unwrap();
    let there = folder.path().join("desktop/one");
    let (code, _, stderr) = run(&[
        "run",
        "--model",
        &manifest("resnet-micro"),
        "--data",
        "synthetic:CF/test",
        "--frames",
        "6",
        "--attribute",
        "gradcam,kernel-shap",
        "--shap-evals",
        "98",
        "--out",
        there.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(0), "{stderr}");
    strip(&there);
    let import = |run: &str, method: &str| {
        format!(
            "[[import]]\nrun = \"{run}\"\ndata = \"CF\"\nmethod = \"{method}\"\n\
             network = {{ name = \"elsewhere\", architecture = \"resnet50\", train = \"CF\", precision = \"f32\" }}\n"
        )
    };
    let text = fs::read_to_string(plan).unwrap();
    let imports = ["shap", "gradcam"].map(|method| import("desktop/one", method)).concat();
    let absent = import("desktop/none", "gradcam").replace("\"CF\"\nmethod", "\"UF\"\nmethod");
    fs::write(plan, format!("{text}{imports}{absent}")).unwrap();

    let (out, pack) = (folder.path().join("study"), folder.path().join("pack"));
    let [out_text, pack_text] = [&out, &pack].map(|path| path.to_str().unwrap());
    let (code, stdout, stderr) = run(&["study", plan, "--out", out_text, "--evidence", pack_text]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("10 complete, 0 begun, 3 not there"), "{stdout}");
    let (_, stdout, _) = run(&["study", plan, "--out", out_text, "--list"]);
    assert!(
        stdout.contains("cells/imported/elsewhere/UF-test/gradcam") && stdout.contains("no run"),
        "{stdout}"
    );

    // the same network on the same frames: both maps are found again, the ratio without its correction
    let db = rusqlite::Connection::open(out.join("study.sqlite")).unwrap();
    let same = |import: &str, own: &str, ratio: &str| -> i64 {
        let sql = format!(
            "SELECT count(*) FROM frame i JOIN frame o USING (class, class_index) WHERE i.cell = ?1 AND o.cell = ?2
             AND i.map = o.map AND i.pixel_ratio IS o.{ratio} AND i.shape = o.shape AND i.environment = o.environment
             AND i.yaw_deg = o.yaw_deg AND i.corrected = 0 AND i.inside IS NULL"
        );
        let ids = [import, own].map(|id| format!("cells/{id}"));
        db.query_row(&sql, ids, |row| row.get(0)).unwrap()
    };
    assert_eq!(
        same("imported/elsewhere/CF-test/gradcam", "correlated/CF-test/gradcam-6", "pixel_ratio"),
        6
    );
    assert_eq!(
        same("imported/elsewhere/CF-test/shap", "correlated/CF-test/shap-98-6", "plain_ratio"),
        6
    );
    let sql = "SELECT made_by || explainer || evaluations FROM cell WHERE id = 'cells/imported/elsewhere/CF-test/shap'";
    let told: String = db.query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(told.contains("torch") && told.ends_with("permutation, 98, one plan98"), "{told}");
    let table = fs::read_to_string(out.join("tables/ratio.csv")).unwrap();
    // of the same file as `correlated`: one network, by another method
    assert!(table.contains("Kernel SHAP (permutation, 98, one plan)"), "{table}");
    assert!(!table.contains("elsewhere"), "{table}");

    // the pack holds the store, and needs the folder of the run no longer
    assert!(pack.join("cells/imported/elsewhere/CF-test/shap/run.sqlite").is_file());
    fs::rename(folder.path().join("desktop"), folder.path().join("moved")).unwrap();
    let (code, stdout, stderr) = run(&["verify", pack_text, "--frames", "6"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let cell = pack.join("cells/imported/elsewhere/CF-test/shap/run.sqlite");
    let db = rusqlite::Connection::open(cell).unwrap();
    db.execute("UPDATE attribution SET pixel_ratio = 0.99 WHERE method = 'kernel-shap'", [])
        .unwrap();
    drop(db);
    let (code, stdout, _) = run(&["verify", pack_text, "--frames", "6"]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("FAILS  rows") && stdout.contains("FAILS  pictures"), "{stdout}");

    // pictures of another set
    fs::rename(folder.path().join("moved"), folder.path().join("desktop")).unwrap();
    let db = rusqlite::Connection::open(there.join("run.sqlite")).unwrap();
    db.execute("DELETE FROM setting WHERE name = 'data.name'", []).unwrap();
    db.execute("UPDATE frame SET image_hash = '0011223344556677' WHERE position = 5", []).unwrap();
    drop(db);
    let (code, _, stderr) = run(&["study", plan, "--out", out_text, "--collect"]);
    assert_eq!(code, Some(2), "{stderr}");
    for part in ["desktop/one, frame 5", "with hash", "found 0011223344556677", "name the data set"]
    {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}
