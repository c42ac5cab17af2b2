//! Is anything lost or invented when the process dies? SIGKILL at hundreds of random moments of every command that writes.
//!
//! What counts as acknowledged is what the program tells its service manager: `STATUS=7 of 24 frames`. After the kill at
//! least those frames must be in the store, each as the undisturbed run has it, and no other; resumed to the end, the
//! summary must be equal. SIGKILL leaves the page cache to the system, so this does not show what a disk forgets; that
//! each frame is a transaction with `synchronous = FULL` is what stands against it.
#![expect(clippy::print_stdout, reason = "figures for docs/measurements.md")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::clock::Clock;
use harness::store::Stored;

use crate::program::{manifest, outcome, results, roadgaze};

/// Kills of `run`, shared by two threads; those of the other commands add 140.
const KILLS_OF_RUN: usize = 400;
const FRAMES: usize = 10;

/// Numbers that look random and are the same in every run of the test.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        let step = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = step.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn run(folder: &Path, more: &[&str]) -> Command {
    let mut command = roadgaze(&["run", "--model", &manifest("resnet-micro"), "--frames"]);
    command.args([&FRAMES.to_string(), "--data", "synthetic:CF/test?size=64"]);
    command.args([
        "--attribute",
        "gradcam,kernel-shap",
        "--shap-grid",
        "2x2",
        "--shap-evals",
        "16",
    ]);
    command.args(["--threads", "1"]).arg("--out").arg(folder).args(more);
    command
}

/// What decides results of every stored frame, by position; times differ from run to run.
fn frames(folder: &Path) -> BTreeMap<u32, String> {
    let stored = Stored::open(folder).unwrap();
    let without_times = |mut frame: harness::store::StoredFrame| {
        frame.stages.clear();
        (frame.position, format!("{frame:?}"))
    };
    stored.frames.into_iter().map(without_times).collect()
}

/// Starts a run, kills it at a random moment, and gives the frames that it had acknowledged; none if it was through.
fn run_and_kill(out: &Path, socket_path: &Path, draw: &mut Draw) -> Option<usize> {
    drop(fs::remove_file(socket_path));
    let socket = UnixDatagram::bind(socket_path).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut command = run(out, &["--resume"]);
    command.env("NOTIFY_SOCKET", socket_path).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // one in four before anything is stored, the others after some frames of this part and a random while
    let early = draw.below(4) == 0;
    let wanted = if early { 0 } else { 1 + draw.below(3) };
    let (mut seen, mut acknowledged) = (0, 0);
    let mut message = [0_u8; 256];
    while seen < wanted {
        match socket.recv(&mut message) {
            Ok(length) => {
                let text = String::from_utf8_lossy(&message[..length]).into_owned();
                if let Some(count) = acknowledged_in(&text) {
                    acknowledged = count;
                    seen += 1;
                }
            }
            Err(_) if child.try_wait().unwrap().is_some() => return None,
            Err(_) => {}
        }
    }
    let pause = if early { draw.below(400_000) } else { draw.below(30_000) };
    std::thread::sleep(Duration::from_micros(pause));
    // what it told until now is what it has to keep
    socket.set_nonblocking(true).unwrap();
    while let Ok(length) = socket.recv(&mut message) {
        let text = String::from_utf8_lossy(&message[..length]).into_owned();
        acknowledged = acknowledged_in(&text).unwrap_or(acknowledged);
    }
    let was_at_work = child.try_wait().unwrap().is_none();
    if was_at_work {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    was_at_work.then_some(acknowledged)
}

fn acknowledged_in(message: &str) -> Option<usize> {
    let status = message.lines().find_map(|line| line.strip_prefix("STATUS="))?;
    status.split(' ').next()?.parse().ok()
}

#[derive(Default)]
struct Tally {
    kills: usize,
    with_frames: usize,
    resumed_to_the_end: usize,
}

/// Kills runs until the share of this thread is reached.
fn kill_runs(place: &Path, seed: u64, share: usize, expected: &BTreeMap<u32, String>) -> Tally {
    let reference = results(&place.join("../undisturbed"));
    let (out, socket) = (place.join("run"), place.join("notify"));
    let (mut draw, mut tally) = (Draw(seed), Tally::default());
    let mut kept = 0;
    while tally.kills < share {
        let Some(acknowledged) = run_and_kill(&out, &socket, &mut draw) else {
            // it was faster than the signal: that was a whole run
            assert_eq!(results(&out), reference);
            fs::remove_dir_all(&out).unwrap();
            kept = 0;
            continue;
        };
        tally.kills += 1;
        if out.join("run.sqlite").exists() && has_tables(&out) {
            let found = frames(&out);
            assert!(
                found.len() >= acknowledged.max(kept),
                "{acknowledged} acknowledged, {kept} kept"
            );
            for (position, row) in &found {
                assert_eq!(Some(row), expected.get(position), "frame {position} was invented");
            }
            kept = found.len();
            tally.with_frames += usize::from(kept > 0);
        } else {
            assert_eq!(
                (acknowledged, kept),
                (0, 0),
                "an acknowledged frame is gone with its store"
            );
        }
        if kept + 2 >= FRAMES {
            let (code, _, stderr) = outcome(&mut run(&out, &["--resume"]));
            assert_eq!(code, Some(0), "{stderr}");
            assert_eq!(results(&out), reference, "after {} kills", tally.kills);
            assert_eq!(&frames(&out), expected);
            tally.resumed_to_the_end += 1;
            fs::remove_dir_all(&out).unwrap();
            kept = 0;
        }
    }
    tally
}

/// Whether the first transaction, which makes the tables, has come through.
fn has_tables(folder: &Path) -> bool {
    let db = rusqlite::Connection::open(folder.join("run.sqlite")).unwrap();
    db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap() > 0
}

#[test]
fn no_acknowledged_frame_is_lost_and_none_invented_by_four_hundred_kills_of_a_run() {
    let place = tempfile::tempdir().unwrap();
    let undisturbed = place.path().join("undisturbed");
    let (code, _, stderr) = outcome(&mut run(&undisturbed, &[]));
    assert_eq!(code, Some(0), "{stderr}");
    let expected = frames(&undisturbed);
    assert_eq!(expected.len(), FRAMES);
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2_u64)
            .map(|number| {
                let (place, expected) = (place.path().join(number.to_string()), &expected);
                fs::create_dir(&place).unwrap();
                scope.spawn(move || kill_runs(&place, 11 + number, KILLS_OF_RUN / 2, expected))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    println!(
        "run: {} kills, {} of them with frames in the store, {} runs resumed to the end with an equal summary",
        sum(|t| t.kills),
        sum(|t| t.with_frames),
        sum(|t| t.resumed_to_the_end)
    );
    assert!(sum(|t| t.with_frames) > KILLS_OF_RUN / 3 && sum(|t| t.resumed_to_the_end) > 20);
}

/// Files of a folder by name, with their bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(one) = folders.pop() {
        for entry in fs::read_dir(&one).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

/// How long a command takes that is left alone and does its work.
fn undisturbed(command: &mut Command) -> Duration {
    let ((code, _, stderr), took) = Clock::start().time(|| outcome(command));
    assert_eq!(code, Some(0), "{stderr}");
    Duration::from_micros(took.0)
}

/// Kills a command at a random moment of the time that it takes; whether it was still at work.
fn kill_within(took: Duration, command: &mut Command, draw: &mut Draw) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let micros = u64::try_from(took.as_micros()).unwrap().max(1);
    std::thread::sleep(Duration::from_micros(draw.below(micros)));
    let at_work = child.try_wait().unwrap().is_none();
    if at_work {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    at_work
}

#[test]
fn a_rendering_that_is_killed_sixty_times_ends_with_the_same_files() {
    let place = tempfile::tempdir().unwrap();
    let render = |out: &Path| {
        let mut command =
            roadgaze(&["render", "--set", "CF", "--split", "test", "--per-class", "1"]);
        command.args(["--size", "64", "--format", "png", "--threads", "2"]).arg("--out").arg(out);
        command
    };
    let whole = place.path().join("whole");
    let took = undisturbed(&mut render(&whole));
    let expected = contents(&whole);
    let (mut draw, mut kills, out) = (Draw(3), 0, place.path().join("killed"));
    while kills < 60 {
        let killed = kill_within(took, &mut render(&out), &mut draw);
        kills += usize::from(killed);
        // after six kills, or where it was done before the kill came: to the end, and from the beginning
        if !killed || kills % 6 == 0 {
            let (code, _, stderr) = outcome(&mut render(&out));
            assert_eq!(code, Some(0), "{stderr}");
            assert!(contents(&out) == expected, "other files after {kills} kills");
            fs::remove_dir_all(&out).unwrap();
        }
    }
    println!("render: {kills} kills, equal files after at most six");
}

#[test]
fn merge_report_and_export_are_there_whole_or_not_at_all_after_eighty_kills() {
    let place = tempfile::tempdir().unwrap();
    let parts: Vec<String> = (1..=3)
        .map(|i| {
            let out = place.path().join(format!("part-{i}"));
            let (code, _, stderr) = outcome(&mut run(&out, &["--shard", &format!("{i}/3")]));
            assert_eq!(code, Some(0), "{stderr}");
            out.display().to_string()
        })
        .collect();
    let merge = |out: &Path| {
        let mut command = roadgaze(&["merge"]);
        command.args(&parts).arg("--out").arg(out);
        command
    };
    let merged = place.path().join("merged");
    let took = undisturbed(&mut merge(&merged));
    let (expected, summary) = (frames(&merged), results(&merged));
    let (mut draw, mut kills) = (Draw(8), 0);
    while kills < 40 {
        let out = place.path().join("killed-merge");
        let killed = kill_within(took, &mut merge(&out), &mut draw);
        kills += usize::from(killed);
        if out.join("run.sqlite").exists() {
            assert_eq!(frames(&out), expected, "a part of a merge");
            let (code, _, stderr) = outcome(&mut roadgaze(&["report", out.to_str().unwrap()]));
            assert_eq!(code, Some(0), "{stderr}");
            // killed between moving the store and removing the empty folder that it was made in, which the next call removes
            let (code, _, stderr) = outcome(&mut merge(&out));
            assert_eq!(code, Some(2), "a merge into a run: {stderr}");
        } else {
            let (code, _, stderr) = outcome(&mut merge(&out));
            assert_eq!(code, Some(0), "{stderr}");
        }
        assert_eq!(results(&out), summary);
        assert!(!out.join("merging.part").exists());
        fs::remove_dir_all(&out).unwrap();
    }
    let read = |name: &str| fs::read(merged.join(name)).unwrap();
    let (text, page) = (read("summary.json"), read("report.html"));
    let mut report = roadgaze(&["report", merged.to_str().unwrap()]);
    let took = undisturbed(&mut report);
    while kills < 80 {
        kills += usize::from(kill_within(took, &mut report, &mut draw));
        assert!(read("summary.json") == text && read("report.html") == page, "half a report");
    }
    println!("merge and report: {kills} kills");
}
