//! Two boxes as two processes on loopback: a camera and a target, either of which may die.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::live_run::{books, run, summary};
use crate::program::{outcome, roadgaze};

/// A camera that says where it serves; killed when dropped.
struct Camera {
    child: Option<Child>,
    address: String,
}

impl Camera {
    fn start(address: &str, more: &[&str]) -> Self {
        let mut command = roadgaze(&["camera", "--serve", address, "--json", "--preload", "4"]);
        command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(line.starts_with("serving") && address.contains("://"), "camera: {line}");
        Self { child: Some(child), address }
    }

    /// What it says when all frames are sent.
    fn end(mut self) -> Value {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn target(folder: &Path, camera: &str, more: &[&str]) -> Command {
    let mut command = run(folder, "", &["--camera", camera, "--attribute", "gradcam"]);
    command.args(more);
    command
}

fn stored_frames(folder: &Path) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let Ok(db) = Connection::open_with_flags(folder.join("run.sqlite"), flags) else { return 0 };
    db.query_row("SELECT count(*) FROM frame", [], |row| row.get(0)).unwrap_or(0)
}

/// Wait until a target has stored so many frames; gives up after half a minute.
fn wait_for_frames(folder: &Path, frames: i64, target: &mut Child) {
    for _ in 0..1500 {
        if stored_frames(folder) >= frames {
            return;
        }
        if let Some(status) = target.try_wait().unwrap() {
            panic!("the target ended early: {status}");
        }
        sleep(Duration::from_millis(20));
    }
    panic!("{frames} frames were not stored in time");
}

#[test]
fn over_tcp_every_frame_arrives_and_the_replay_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let camera = Camera::start("127.0.0.1:0", &["--frames", "24", "--fps", "0"]);
    let (code, _, stderr) = outcome(&mut target(&out, &camera.address, &["--queue", "block"]));
    assert_eq!(code, Some(0), "{stderr}");
    let served = camera.end();
    assert_eq!((&served["sent"], &served["connections"]), (&24.into(), &1.into()), "{served}");
    assert_eq!(served["dropped_by_own_queue"], 0, "{served}");
    let found = summary(&out);
    assert_eq!(books(&found), (24, 24, 0));
    assert_eq!(found["complete"], true);
    assert_eq!(found["feed"]["camera_ended"], true);
    assert_eq!(found["machine"]["integer_kernels"], "none");
    let again = folder.path().join("again");
    let mut replay = roadgaze(&["run", "--preload", "4", "--replay"]);
    let (code, _, stderr) = outcome(replay.arg(&out).arg("--out").arg(&again));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("replay: all 24 frames"), "{stderr}");
}

#[test]
fn over_udp_lost_datagrams_cost_frames_that_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let more = ["--udp", "--frames", "40", "--fps", "20", "--lose", "0.02"];
    let camera = Camera::start("127.0.0.1:0", &more);
    assert!(camera.address.starts_with("udp://"), "{}", camera.address);
    let (code, _, stderr) = outcome(&mut target(&out, &camera.address, &[]));
    assert_eq!(code, Some(0), "{stderr}");
    let served = camera.end();
    assert!(served["lost_datagrams"].as_u64().unwrap() > 0, "{served}");
    let (due, processed, dropped) = books(&summary(&out));
    assert_eq!(due, 40);
    assert!(processed > 0 && dropped > 0, "{processed} processed, {dropped} dropped");
}

#[test]
fn a_target_that_is_killed_is_followed_by_another_and_the_gap_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let camera = Camera::start("127.0.0.1:0", &["--frames", "150", "--fps", "15"]);
    let mut command = target(&first, &camera.address, &[]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_frames(&first, 5, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(stored_frames(&first) >= 5, "what was stored survives");
    let (code, _, stderr) = outcome(&mut target(&second, &camera.address, &[]));
    assert_eq!(code, Some(0), "{stderr}");
    let served = camera.end();
    assert_eq!(served["connections"], 2, "{served}");
    let found = summary(&second);
    let (due, processed, dropped) = books(&found);
    assert_eq!(due, 150);
    assert!(processed > 0 && dropped >= 5, "those of the first target are missing here: {found}");
    assert_eq!(found["feed"]["camera_ended"], true);
}

#[test]
fn a_camera_that_is_killed_ends_the_run_with_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let camera = Camera::start("127.0.0.1:0", &["--frames", "500", "--fps", "20"]);
    let mut command = target(&out, &camera.address, &["--give-up-after", "2"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_frames(&out, 5, &mut child);
    drop(camera);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let found = summary(&out);
    let (due, processed, dropped) = books(&found);
    assert_eq!(due, 500);
    assert!(processed >= 5 && dropped > 0, "{found}");
    assert_eq!(found["feed"]["camera_ended"], false);
}

#[test]
fn a_camera_that_is_killed_and_started_again_is_found_again() {
    for transport in ["--tcp", "--udp"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let more = [transport, "--frames", "60", "--fps", "20"];
        let camera = Camera::start("127.0.0.1:0", &more);
        let address = camera.address.clone();
        let mut child = target(&out, &address, &["--give-up-after", "20"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_frames(&out, 5, &mut child);
        drop(camera);
        let camera = Camera::start(address.split("://").nth(1).unwrap(), &more);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{transport}: {output:?}");
        drop(camera);
        let found = summary(&out);
        let (due, processed, _) = books(&found);
        assert_eq!(due, 60, "{transport}");
        assert!(processed >= 6, "{transport}: {found}");
        assert_eq!(found["feed"]["camera_ended"], true, "{transport}");
        if transport == "--tcp" {
            assert_eq!(found["feed"]["connections"], 2);
        }
    }
}

#[test]
fn overwrite_costs_the_run_that_is_there_only_if_the_camera_answers() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let overwrite = |frames: &str| {
        let camera = Camera::start("127.0.0.1:0", &["--frames", frames, "--fps", "0"]);
        let more = ["--overwrite", "--queue", "block"];
        let (code, _, stderr) = outcome(&mut target(&out, &camera.address, &more));
        assert_eq!(code, Some(0), "{stderr}");
        camera.end();
        assert!(!out.join("overwritten.part").exists());
        books(&summary(&out))
    };
    assert_eq!(overwrite("6"), (6, 6, 0));
    let files = ["run.sqlite", "summary.json", "report.html", "telemetry.defmt"];
    let contents = || files.map(|name| fs::read(out.join(name)).unwrap());
    let before = contents();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = ["--overwrite", "--give-up-after", "1"];
    let (code, _, stderr) = outcome(&mut target(&out, &free.to_string(), &more));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("no camera within 1 s"), "{stderr}");
    assert!(contents() == before && !out.join("overwritten.part").exists());
    assert_eq!(overwrite("4"), (4, 4, 0));
}

#[test]
fn nobody_there_is_an_error_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["tcp", "udp"] {
        let address = format!("{scheme}://{free}");
        let out = folder.path().join(scheme);
        let (code, _, stderr) = outcome(&mut target(&out, &address, &["--give-up-after", "1"]));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("no camera within 1 s") && stderr.contains(&address), "{stderr}");
        assert!(!out.join("run.sqlite").exists(), "the folder is free for the next attempt");
        let mut camera = roadgaze(&["camera", "--serve", &address, "--wait", "0"]);
        let (code, _, stderr) = outcome(&mut camera);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("no receiver within 0 s"), "{stderr}");
    }
}
