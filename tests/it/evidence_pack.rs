//! What does the reader of a damaged evidence pack, or of one that another program has made, learn? Every check says what it
//! found and what it could not open, and none ends the others.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{manifest, outcome, roadgaze};

pub(crate) const STUDY: &str = "study.sqlite";
const RESULTS: &str = "results.json";
const RUN: &str = "cells/n/CF-test/gradcam-4/run.sqlite";

/// A pack of one network on four frames; the folder lives as long as the test.
fn packed() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let pack = packed_in(folder.path(), "", "");
    (folder, pack)
}

/// The same in a given folder, with more methods, and more behind the grid.
pub(crate) fn packed_in(folder: &Path, methods: &str, more: &str) -> PathBuf {
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
pub(crate) fn verified(pack: &Path) -> (String, String) {
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
