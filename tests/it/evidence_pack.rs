//! What does the reader of a damaged evidence pack, or of one that another program has made, learn? Every check says what it
//! found and what it could not open, and none ends the others.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{manifest, outcome, roadgaze};

const STUDY: &str = "study.sqlite";
const RESULTS: &str = "results.json";
const RUN: &str = "cells/n/CF-test/gradcam-4/run.sqlite";
const OWN: &str = "cells/n/CF-test/shap-98-4";
const IMPORTED: &str = "cells/imported/far/CF-test/shap";

/// A pack of one network on four frames; the folder lives as long as the test.
fn packed() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let pack = packed_in(folder.path(), "", "");
    (folder, pack)
}

/// The same in a given folder, with more methods, and more behind the grid.
fn packed_in(folder: &Path, methods: &str, more: &str) -> PathBuf {
    let text = format!(
        r#"title = "Pack"
threads = 1
[[network]]
name = "n"
model = "{}"
architecture = "resnet50"
train = "CF"
[method.gradcam]
attribute = "gradcam"
{methods}
[[grid]]
methods = ["gradcam"]
data = ["CF"]
frames = 4
{more}
"#,
        manifest("resnet-micro")
    );
    let [plan, out, pack] = ["plan.toml", "study", "pack"].map(|name| folder.join(name));
    fs::write(&plan, text).unwrap();
    let mut command = roadgaze(&["study"]);
    command.arg(&plan).arg("--out").arg(&out).arg("--evidence").arg(&pack);
    let (code, _, stderr) = outcome(&mut command);
    assert_eq!(code, Some(0), "{stderr}");
    for name in [STUDY, RESULTS, RUN] {
        assert!(pack.join(name).is_file(), "{name}");
    }
    pack
}

/// What `verify` prints, and each check in its order: `+` holds, `-` does not.
fn verified(pack: &Path) -> (String, String) {
    let (code, stdout, stderr) = outcome(roadgaze(&["verify"]).arg(pack));
    let sign = |line: &str| match line.split_once("  ")?.0 {
        "holds" => Some('+'),
        "FAILS" => Some('-'),
        _ => None,
    };
    let signs: String = stdout.lines().filter_map(sign).collect();
    assert_eq!(code, Some(i32::from(signs.contains('-'))), "{stdout}{stderr}");
    assert!(stderr.is_empty(), "{stderr}");
    assert!(stdout.contains("sha256 of evidence.json: "), "the number to compare: {stdout}");
    (signs, stdout)
}

/// The first half: a file that a full disk or a broken copy has cut off.
fn half(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes[..bytes.len() / 2].to_vec())
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding_beside_its_hash_and_ends_no_other_check() {
    let (_folder, pack) = packed();
    assert_eq!(verified(&pack).0, "++++++");
    let [study, results, run] =
        [STUDY, RESULTS, RUN].map(|name| fs::read(pack.join(name)).unwrap());
    let headless = [&[0; 100][..], &study[100..]].concat();
    for (name, damaged, signs, line) in [
        // pictures are checked from the run stores
        (STUDY, half(&study), "-----+", "study.sqlite: study store expected, found what cannot"),
        (STUDY, Some(headless), "-----+", "study.sqlite: study store expected, found what cannot"),
        (STUDY, Some(Vec::new()), "-----+", "study.sqlite: study store expected of schema"),
        (STUDY, None, "-----+", "study.sqlite: study store expected, no file found"),
        (RESULTS, half(&results), "-++-++", "results.json: figures as JSON expected, found none"),
        (RESULTS, Some(vec![0xff; 9]), "-++-++", "results.json: figures as JSON expected"),
        (RESULTS, Some(b"[]".to_vec()), "-++-++", "an object of"),
        (RESULTS, None, "-++-++", "results.json: figures as JSON expected, found none"),
        (RUN, half(&run), "--+++-", "run.sqlite: the file ("),
        (RUN, None, "--+++-", "run.sqlite: run store of schema"),
        ("report.html", None, "-+++-+", "report.html: a page or table expected, found none"),
    ] {
        let path = pack.join(name);
        let before = fs::read(&path).unwrap();
        let hash = match &damaged {
            Some(bytes) => {
                fs::write(&path, bytes).unwrap();
                format!("{name}: sha256 ")
            }
            None => {
                fs::remove_file(&path).unwrap();
                format!("{name}: file expected, none found")
            }
        };
        let (found, stdout) = verified(&pack);
        assert_eq!(found, signs, "{name}: {stdout}");
        for part in [hash.as_str(), line] {
            assert!(stdout.contains(part), "{name}, {part}: {stdout}");
        }
        let waiting = stdout.matches("not made: study.sqlite cannot be read").count();
        assert_eq!(waiting, if name == STUDY { 3 } else { 0 }, "{stdout}");
        assert!(!stdout.contains("computed again (0 looked at)") || name == RUN, "{stdout}");
        fs::write(&path, before).unwrap();
    }

    // both kinds of stores at once: each is named
    fs::write(pack.join(STUDY), "no store").unwrap();
    fs::write(pack.join(RUN), "none either").unwrap();
    let (signs, stdout) = verified(&pack);
    assert_eq!(signs, "------", "{stdout}");
    assert_eq!(stdout.matches("run.sqlite: the file (").count(), 2, "{stdout}");
}

#[test]
fn what_must_not_be_opened_is_named_and_the_checks_that_wait_for_it_do_not_hold() {
    let (_folder, pack) = packed();
    let journal = pack.join("study.sqlite-journal");
    fs::write(&journal, "other rows").unwrap();
    let (signs, stdout) = verified(&pack);
    assert_eq!(signs, "------", "{stdout}");
    assert!(stdout.contains("study.sqlite-journal: not in evidence.json"), "{stdout}");
    assert_eq!(stdout.matches("not made: what stands in a journal").count(), 5, "{stdout}");
    assert_eq!(fs::read_to_string(&journal).unwrap(), "other rows");
    fs::remove_file(&journal).unwrap();

    // a cell outside the pack: all but its rows and pictures is checked
    let db = rusqlite::Connection::open(pack.join(STUDY)).unwrap();
    db.execute_batch(
        "PRAGMA foreign_keys = OFF; UPDATE cell SET id = '../n'; UPDATE frame SET cell = '../n';",
    )
    .unwrap();
    drop(db);
    let (signs, stdout) = verified(&pack);
    assert_eq!((signs.len(), &signs[..1]), (6, "-"), "{stdout}");
    assert!(stdout.contains("cell ../n: a folder inside the pack expected"), "{stdout}");
    assert!(stdout.contains("against the run stores (0 looked at)"), "{stdout}");
    assert!(stdout.contains("computed again (0 looked at)"), "{stdout}");
}

#[test]
fn pages_of_another_program_do_not_hold_and_the_reader_learns_which_one_to_ask() {
    let (_folder, pack) = packed();
    let place = pack.join("evidence.json");
    let text = fs::read_to_string(&place).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    let own = (list["toolchain"]["commit"].clone(), env!("CARGO_PKG_VERSION"));
    let foreign = "0123456789".repeat(4);
    let made_by = |commit: &Value, version: &str| {
        let mut list = list.clone();
        list["toolchain"]["commit"] = commit.clone();
        list["tools"]["roadgaze"] = version.into();
        fs::write(&place, serde_json::to_string_pretty(&list).unwrap()).unwrap();
    };

    // as long as all is the same it does not matter who made it
    made_by(&Value::from(foreign.as_str()), own.1);
    let (signs, stdout) = verified(&pack);
    assert_eq!(signs, "++++++", "{stdout}");
    assert!(!stdout.contains(&foreign), "{stdout}");

    // more files than lines are shown
    let mut pages: Vec<PathBuf> =
        fs::read_dir(pack.join("tables")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.push(pack.join("report.html"));
    assert!(pages.len() > 10, "{}", pages.len());
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        fs::write(page, format!("{text}\none more line\n")).unwrap();
    }
    let shown = own.0.as_str().unwrap_or("unknown");
    for (commit, version, there) in [
        (&Value::from(foreign.as_str()), own.1, format!("{} (commit {foreign}", own.1)),
        (&own.0, "0.0.9", format!("0.0.9 (commit {shown}")),
        (&Value::Null, "0.0.9", "0.0.9 (commit unknown".to_owned()),
    ] {
        made_by(commit, version);
        let (signs, stdout) = verified(&pack);
        assert_eq!(signs, "-+++-+", "{stdout}");
        for part in [
            format!("the pack was made by roadgaze {there}"),
            format!("this program is roadgaze {} (commit {shown}", own.1),
            "byte for byte are promised of the same program alone".to_owned(),
            "verify the pack with the one that made it".to_owned(),
            " more\n".to_owned(),
        ] {
            assert!(stdout.contains(&part), "{part}: {stdout}");
        }
    }

    // what this program has made and somebody has changed has no such excuse
    fs::write(&place, text).unwrap();
    let (signs, stdout) = verified(&pack);
    assert_eq!(signs, "-+++-+", "{stdout}");
    assert!(!stdout.contains("was made by"), "{stdout}");
}

/// A pack that has Kernel SHAP as well, by the study ([`OWN`]) and by a run that was imported ([`IMPORTED`]).
fn packed_with_import() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut run = roadgaze(&["run", "--data", "synthetic:CF/test", "--frames", "4"]);
    run.args(["--attribute", "kernel-shap", "--shap-evals", "98", "--model"]);
    run.arg(manifest("resnet-micro")).arg("--out").arg(folder.path().join("there"));
    let (code, _, stderr) = outcome(&mut run);
    assert_eq!(code, Some(0), "{stderr}");
    let shap = "[method.shap]\nattribute = \"kernel-shap\"\nshap = { evaluations = 98 }";
    let more = "[[grid]]\nmethods = [\"shap\"]\ndata = [\"CF\"]\nframes = 4\n\
        [[import]]\nrun = \"there\"\ndata = \"CF\"\nmethod = \"shap\"\n\
        network = { name = \"far\", architecture = \"resnet50\", train = \"CF\", precision = \"f32\" }";
    let pack = packed_in(folder.path(), shap, more);
    (folder, pack)
}

/// Changes the study of a pack and makes figures, pages and list anew, as who forges a pack would.
fn forge(pack: &Path, sql: &str) {
    let db = rusqlite::Connection::open(pack.join(STUDY)).unwrap();
    db.execute_batch(sql).unwrap();
    drop(db);
    let (code, _, stderr) = outcome(roadgaze(&["report"]).arg(pack));
    assert_eq!(code, Some(0), "{stderr}");
    let place = pack.join("evidence.json");
    let mut list: Value = serde_json::from_str(&fs::read_to_string(&place).unwrap()).unwrap();
    let files = list["files"].as_array_mut().unwrap();
    files.retain(|file| pack.join(file["path"].as_str().unwrap()).exists());
    for file in files {
        let path = pack.join(file["path"].as_str().unwrap());
        file["sha256"] = harness::telemetry::file_hash(&path).unwrap().into();
    }
    fs::write(&place, serde_json::to_string_pretty(&list).unwrap()).unwrap();
}

#[test]
fn a_cell_that_says_otherwise_than_its_run_is_found_although_pages_and_list_were_made_anew() {
    let (_folder, pack) = packed_with_import();
    assert_eq!(verified(&pack).0, "++++++");
    let study = fs::read(pack.join(STUDY)).unwrap();
    forge(&pack, "");
    assert_eq!(verified(&pack).0, "++++++", "the same rows");
    let network = |from: &str, to: &str| format!("network = replace(network, '{from}', '{to}')");
    for (cell, set, line) in [
        (
            OWN,
            "explainer = 'captum, 98'".to_owned(),
            "explainer: \"permutation, 98\" expected, \"captum, 98\" found",
        ),
        (
            IMPORTED,
            "explainer = 'captum, 98'".to_owned(),
            "explainer: \"permutation, 98\" expected, \"captum, 98\" found",
        ),
        (OWN, "evaluations = 962".to_owned(), "evaluations: 98 expected, 962 found"),
        (IMPORTED, "evaluations = 962".to_owned(), "evaluations: 98 expected, 962 found"),
        (
            OWN,
            "made_by = '{\"backend\":\"torch\"}'".to_owned(),
            "made_by.backend: nothing expected, \"torch\" found",
        ),
        (OWN, "executable = 'ff'".to_owned(), "executable: \""),
        (IMPORTED, "executable = 'ff'".to_owned(), "executable: \""),
        (IMPORTED, "hash_plan = 'ff'".to_owned(), "hash_plan: \""),
        (IMPORTED, "import = 'here'".to_owned(), "import: \"there\" expected, \"here\" found"),
        (
            OWN,
            network("\"train\":\"CF\"", "\"train\":\"UF\""),
            "network/train: \"CF\" expected, \"UF\" found",
        ),
        (
            OWN,
            network("\"precision\":\"f32\"", "\"precision\":\"int8-qdq\""),
            "network/precision: \"f32\" expected, \"int8-qdq\" found",
        ),
        (
            IMPORTED,
            network("\"seed\":null", "\"seed\":7"),
            "network/seed: nothing expected, 7 found",
        ),
    ] {
        fs::write(pack.join(STUDY), &study).unwrap();
        forge(&pack, &format!("UPDATE cell SET {set} WHERE id = '{cell}'"));
        let (signs, stdout) = verified(&pack);
        assert_eq!(signs, "+-++++", "{line}: {stdout}");
        let line = format!("{cell}, {line}");
        assert!(stdout.contains(&line), "{line}: {stdout}");
        assert_eq!(stdout.matches(" expected, ").count(), 1, "nothing else: {stdout}");
    }

    // what is not there
    let without = |table: &str, key: &str| format!("DELETE FROM {table} WHERE {key} = '{OWN}';");
    let [frames, cell] = [without("frame", "cell"), without("cell", "id")];
    for (sql, line) in [
        (format!("{frames}{cell}"), "a cell of the study expected, none found"),
        (frames, "4 frames expected, 0 found"),
    ] {
        fs::write(pack.join(STUDY), &study).unwrap();
        forge(&pack, &sql);
        let (found, stdout) = verified(&pack);
        assert_eq!(found, "+-++++", "{line}: {stdout}");
        assert!(stdout.contains(&format!("{OWN}: {line}")), "{line}: {stdout}");
    }

    // the plan as well: the settings of the runs are others
    fs::write(pack.join(STUDY), &study).unwrap();
    let place = pack.join("plan.toml");
    let (from, to) = ("estimator = \"permutation\"", "estimator = \"captum\"");
    let plan = fs::read_to_string(&place).unwrap();
    assert!(plan.contains(from), "{plan}");
    fs::write(&place, plan.replace(from, to)).unwrap();
    let sql = format!(
        "UPDATE fact SET value = replace(value, '{from}', '{to}') WHERE name = 'plan';
         UPDATE cell SET explainer = 'captum, 98' WHERE method = 'shap'"
    );
    forge(&pack, &sql);
    let (signs, stdout) = verified(&pack);
    assert_eq!(signs, "+-++++", "{stdout}");
    for line in [
        format!("{OWN}: set.shap.estimator \"captum\" expected, \"permutation\" found"),
        "set.shap.estimator: expected \"captum\", found \"permutation\"".to_owned(),
    ] {
        assert!(stdout.contains(&line), "{line}: {stdout}");
    }
}

/// How often a text stands in another.
fn times(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_study_that_claims_another_renderer_is_held_against_the_hashes_of_its_stores() {
    let (_folder, pack) = packed_with_import();
    let study = fs::read(pack.join(STUDY)).unwrap();
    let renderer = datasets::renderer::RENDERER_VERSION;
    let other = "UPDATE fact SET value = '0' WHERE name = 'renderer';";
    let none = "DELETE FROM fact WHERE name = 'renderer';";
    let turned = "UPDATE frame SET yaw_deg = 40;";
    for (sql, found, frames) in [
        (other.to_owned(), "`0`", 0),
        (format!("{other}{turned}"), "`0`", 4),
        (format!("{none}{turned}"), "nothing", 4),
    ] {
        fs::write(pack.join(STUDY), &study).unwrap();
        forge(&pack, &sql);
        let (signs, stdout) = verified(&pack);
        assert_eq!(signs, "+-++++", "{sql}: {stdout}");
        let line = format!("fact renderer: `{renderer}` expected, {found} found");
        assert_eq!(times(&stdout, &line), 1, "{sql}: {stdout}");
        let line = format!("{OWN}: frame ");
        assert_eq!(times(&stdout, &line), frames, "{sql}: {stdout}");
    }
}

#[test]
fn a_network_that_was_run_has_its_manifest_in_the_pack_and_nothing_is_told_in_its_place() {
    let (_folder, pack) = packed_with_import();
    // of an imported run no manifest was at hand, and none is missed
    assert!(!pack.join("networks/far.toml").exists());
    assert_eq!(verified(&pack).0, "++++++");
    fs::remove_file(pack.join("networks/n.toml")).unwrap();
    let row = r#"{"told":"manifest","figures":{"set":"CF/test","top1":0.99,"n":9000}}"#;
    let made_up = format!(
        "UPDATE cell SET network =
             replace(replace(network, '\"accuracy\":[', '\"accuracy\":[{row}'), '\"seed\":null', '\"seed\":7')
         WHERE import IS NULL"
    );
    for sql in ["", made_up.as_str()] {
        forge(&pack, sql);
        let (signs, stdout) = verified(&pack);
        assert_eq!(signs, "+-++++", "{sql}: {stdout}");
        let line = "networks/n.toml: manifest of a network that was run expected, none found";
        assert_eq!(times(&stdout, line), 1, "{sql}: {stdout}");
        assert_eq!(times(&stdout, " expected, "), 1, "nothing else: {stdout}");
    }
}

#[test]
fn as_many_pictures_are_rendered_as_were_asked_for() {
    let (_folder, pack) = packed();
    for (asked, looked_at) in [("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 4), ("9", 4)] {
        let mut command = roadgaze(&["verify", "--frames", asked]);
        let (code, stdout, stderr) = outcome(command.arg(&pack));
        assert_eq!(code, Some(0), "{stdout}{stderr}");
        let line = format!("rendered and computed again ({looked_at} looked at)");
        assert!(stdout.contains(&line), "{line}: {stdout}");
    }
}

#[test]
fn a_list_of_another_schema_is_one_error_that_names_the_program_that_made_it() {
    let (_folder, pack) = packed();
    let place = pack.join("evidence.json");
    let mut list: Value = serde_json::from_str(&fs::read_to_string(&place).unwrap()).unwrap();
    let schema = list["schema"].as_u64().unwrap();
    list["tools"]["roadgaze"] = "9.8.7".into();
    for found in [schema + 1, schema - 1] {
        list["schema"] = found.into();
        fs::write(&place, serde_json::to_string_pretty(&list).unwrap()).unwrap();
        let (code, stdout, stderr) = outcome(roadgaze(&["verify"]).arg(&pack));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        for part in [
            format!("evidence.json: list of schema {schema} expected, schema {found} found; "),
            "verify the pack with the program that made it: roadgaze 9.8.7 (commit ".to_owned(),
        ] {
            assert!(stderr.contains(&part), "{part}: {stderr}");
        }
    }
}
