//! Does a run survive its death? Killed at random moments, stopped by Ctrl-C, cut off by a full disk: what is resumed
//! ends with the summary of a run that nothing disturbed.
#![expect(clippy::print_stdout, reason = "figures for docs/measurements.md")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::program::{binary, manifest, outcome, results, roadgaze};

const FRAMES: &str = "24";

fn command(folder: &Path, more: &[&str]) -> Command {
    let mut command = roadgaze(&["run", "--model", &manifest("resnet-micro"), "--frames", FRAMES]);
    command.args(["--attribute", "gradcam,kernel-shap", "--shap-grid", "3x3"]);
    command.args(["--shap-evals", "40", "--threads", "2"]);
    command.arg("--out").arg(folder).args(more);
    command
}

fn start(folder: &Path) -> Child {
    let mut command = command(folder, &["--resume"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub(crate) fn stored_frames(folder: &Path) -> i64 {
    let path = folder.join("run.sqlite");
    // never creates the file: the run would take it for one that it did not start
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let Ok(db) = Connection::open_with_flags(path, flags) else { return 0 };
    db.query_row("SELECT count(*) FROM frame", [], |row| row.get(0)).unwrap_or(0)
}

/// The run that nothing disturbs.
fn undisturbed(folder: &Path) -> serde_json::Value {
    let (code, _, stderr) = outcome(&mut command(folder, &[]));
    assert_eq!(code, Some(0), "{stderr}");
    let expected = results(folder);
    assert_eq!(expected["complete"], true);
    assert_eq!(expected["frames"]["processed"], 24);
    expected
}

#[test]
fn killed_twenty_times_and_resumed_it_ends_with_the_same_summary() {
    let folder = tempfile::tempdir().unwrap();
    let expected = undisturbed(&folder.path().join("undisturbed"));
    let out = folder.path().join("killed");
    let (mut kills, mut state) = (0, 5_u64);
    for _ in 0..20 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = start(&out);
        // from before the store exists to some frames later
        sleep(Duration::from_millis(20 + (state >> 33) % 500));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
        if stored_frames(&out) >= 20 {
            // begin anew, so that all twenty hit a run at work
            fs::remove_dir_all(&out).unwrap();
        }
    }
    assert!(kills >= 15, "only {kills} of 20 runs were still at work when they were killed");
    let (code, _, stderr) = outcome(&mut command(&out, &["--resume"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(results(&out), expected);
}

#[test]
fn ctrl_c_ends_cleanly_and_resume_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let expected = undisturbed(&folder.path().join("undisturbed"));
    let out = folder.path().join("stopped");
    let child = start(&out);
    for _ in 0..6000 {
        if stored_frames(&out) >= 3 {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    // built into the shell: a small system has no program of that name
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let stopped = results(&out);
    if ended.status.code() == Some(130) {
        assert_eq!(stopped["complete"], false);
        assert!(stopped["frames"]["processed"].as_u64().unwrap() >= 3);
    } else {
        // the machine was faster than the signal
        assert_eq!((ended.status.code(), &stopped), (Some(0), &expected));
    }
    let (code, _, stderr) = outcome(&mut command(&out, &["--resume"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(results(&out), expected);
}

/// Runs a shell script in a mount namespace of its own; `None` where the system does not allow one.
fn with_own_mounts(script: &str, folder: &Path) -> Option<(i32, String)> {
    let allowed = |flags: &[&str]| {
        let status = Command::new("unshare").args(flags).arg("true").stderr(Stdio::null()).status();
        status.is_ok_and(|s| s.success())
    };
    let flags: &[&str] = [&["--mount"][..], &["--user", "--map-root-user", "--mount"]]
        .into_iter()
        .find(|flags| allowed(flags))?;
    let mut shell = Command::new("unshare");
    shell.args(flags).args(["sh", "-euc", script]);
    shell.env("ROADGAZE", binary()).env("MODEL", manifest("resnet-micro")).env("DIR", folder);
    let (code, stdout, stderr) = outcome(&mut shell);
    Some((code.unwrap_or(-1), stdout + &stderr))
}

#[test]
fn a_full_disk_is_named_and_the_run_goes_on_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        mount -t tmpfs -o size=400k none "$DIR"
        run() { "$ROADGAZE" run --model "$MODEL" --frames 24 --attribute gradcam --out "$DIR/out" "$@"; }
        if run; then exit 9; else echo "exit code $?"; fi
        mount -o remount,size=64m "$DIR"
        run --resume --json | grep -c '"complete": true'
    "#;
    let Some((code, said)) = with_own_mounts(script, folder.path()) else {
        println!("skipped: no mount namespace of one's own on this system");
        return;
    };
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("exit code 2"), "{said}");
    assert!(said.contains("no room left on the disk") && said.contains("--resume"), "{said}");
}

#[test]
fn a_read_only_folder_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        mount -t tmpfs -o ro none "$DIR"
        "$ROADGAZE" run --model "$MODEL" --frames 2 --out "$DIR"
    "#;
    let Some((code, said)) = with_own_mounts(script, folder.path()) else {
        println!("skipped: no mount namespace of one's own on this system");
        return;
    };
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("a run folder that can be written expected, Read-only"), "{said}");
    assert!(said.contains("choose another with --out"), "{said}");
}

/// That what is to be looked at on a page has words as well: drawings, pictures, and tables with their heads. Gives the number of
/// drawings, pictures and tables.
pub(crate) fn words_beside_pictures(page: &str) -> [usize; 3] {
    let all = |what: &str, with: &str| {
        let count = page.matches(what).count();
        assert_eq!(page.matches(with).count(), count, "not every {what} is a {with}");
        count
    };
    all("<th ", "<th scope=\"");
    assert!(!page.contains("<th>") && !page.contains("aria-label=\"\""));
    [
        all("<svg", "<svg role=\"img\" aria-label=\""),
        all("<img", "<img alt=\"Frame "),
        all("<table", "<table aria-label=\""),
    ]
}

#[test]
fn report_makes_the_same_files_again_from_the_store_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    undisturbed(&out);
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let (summary, page) = (read("summary.json"), read("report.html"));
    for name in ["summary.json", "report.html", "telemetry.defmt"] {
        fs::remove_file(out.join(name)).unwrap();
    }
    let (code, printed, stderr) =
        outcome(&mut roadgaze(&["report", out.to_str().unwrap(), "--json"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(read("summary.json"), summary);
    assert_eq!(read("report.html"), page);
    assert_eq!(printed.trim(), summary.trim());
    let [drawings, pictures, tables] = words_beside_pictures(&page);
    assert_eq!((drawings, tables), (3, 4), "ratios by either method, latency");
    assert!(pictures > 0);
    for words in ["Pixel ratio by shape, Kernel SHAP: ", "medians: ", "heat map of the positive"] {
        assert!(page.contains(words), "{words}");
    }
}
