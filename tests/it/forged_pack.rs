//! What does the reader of an evidence pack learn of one who has changed its study and made figures, pages and list anew? What the
//! run stores, the renderer and the manifests of the networks say is held against it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::evidence_pack::{STUDY, packed_in, verified};
use crate::program::{manifest, outcome, roadgaze};

const OWN: &str = "cells/n/CF-test/shap-98-4";
const IMPORTED: &str = "cells/imported/far/CF-test/shap";

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
