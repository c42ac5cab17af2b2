//! What becomes of a run folder that the disk has damaged? Cut short, bits flipped: a clear error, or exactly what was
//! written; never other numbers, never a panic.
#![expect(clippy::print_stdout, reason = "figures for docs/measurements.md")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::Stdio;

use harness::store::{FILE_NAME, Stored, StoredFrame};

use crate::program::{manifest, outcome, roadgaze};

const FRAMES: usize = 8;

fn whole_run(folder: &Path) -> Vec<StoredFrame> {
    let mut command = roadgaze(&["run", "--model", &manifest("resnet-micro"), "--frames", "8"]);
    command.args(["--attribute", "gradcam", "--threads", "1"]).arg("--out").arg(folder);
    let (code, _, stderr) = outcome(&mut command);
    assert_eq!(code, Some(0), "{stderr}");
    let stored = Stored::open(folder).unwrap();
    assert_eq!(stored.frames.len(), FRAMES);
    stored.frames
}

/// Opens a folder; the frames, or the message. A panic fails the test.
fn opened(folder: &Path) -> Result<Vec<StoredFrame>, String> {
    let folder = folder.to_owned();
    catch_unwind(move || Stored::open(&folder).map(|s| s.frames).map_err(|e| e.to_string()))
        .expect("opening a store never panics")
}

/// A new folder with these files.
fn folder_of(place: &Path, files: &BTreeMap<&str, Vec<u8>>) -> std::path::PathBuf {
    let folder = place.join("damaged");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir(&folder).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

fn draw(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn a_store_with_flipped_bits_is_refused_or_reads_as_it_was_written() {
    let place = tempfile::tempdir().unwrap();
    let sound = whole_run(&place.path().join("run"));
    let bytes = fs::read(place.path().join("run").join(FILE_NAME)).unwrap();
    let (mut state, mut refused, mut equal) = (42, 0, 0);
    for case in 0..3000 {
        let mut damaged = bytes.clone();
        // one bit; every third time a burst of them
        for _ in 0..if case % 3 == 0 { 16 } else { 1 } {
            let at = draw(&mut state) % damaged.len();
            damaged[at] ^= 1 << (draw(&mut state) % 8);
        }
        let folder = folder_of(place.path(), &BTreeMap::from([(FILE_NAME, damaged)]));
        match opened(&folder) {
            Ok(frames) => {
                assert!(frames == sound, "case {case}: other rows than were written");
                equal += 1;
            }
            Err(message) => {
                assert!(
                    message.contains(FILE_NAME) && message.len() > 60,
                    "case {case}: {message}"
                );
                refused += 1;
            }
        }
    }
    println!("3000 stores with flipped bits: {refused} refused, {equal} read as they were written");
    // most of the file is numbers, each under a seal
    assert!(refused > 1500, "{refused} refused");
}

#[test]
fn a_store_cut_short_is_refused_and_a_journal_cut_short_gives_a_part_of_the_rows() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    let sound = whole_run(&run);
    let bytes = fs::read(run.join(FILE_NAME)).unwrap();
    let mut state = 7;
    for _ in 0..200 {
        let length = draw(&mut state) % bytes.len();
        let folder =
            folder_of(place.path(), &BTreeMap::from([(FILE_NAME, bytes[..length].to_vec())]));
        let message = opened(&folder).expect_err("a part of a store is no store");
        assert!(message.contains(FILE_NAME) && message.len() > 60, "{message}");
    }
    // a run that died: rows in the write-ahead log, which has checksums of its own
    let (store, log) = with_journal(&place.path().join("killed"));
    let alive =
        folder_of(place.path(), &BTreeMap::from([(FILE_NAME, store.clone()), (LOG, log.clone())]));
    let all = opened(&alive).unwrap();
    assert!(all.len() >= 2 && log.len() > 10_000, "{} rows, log of {}", all.len(), log.len());
    let mut fewer = 0;
    for case in 0..600 {
        let mut damaged = log.clone();
        let at = draw(&mut state) % damaged.len();
        if case % 2 == 0 {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << (draw(&mut state) % 8);
        }
        let files = BTreeMap::from([(FILE_NAME, store.clone()), (LOG, damaged)]);
        match opened(&folder_of(place.path(), &files)) {
            Ok(frames) => {
                for frame in &frames {
                    let written = sound.iter().find(|f| f.position == frame.position).unwrap();
                    assert_eq!(frame.logits, written.logits, "case {case}: a row was invented");
                    assert_eq!(frame.image_hash, written.image_hash);
                    assert_eq!(frame.attributions, written.attributions);
                }
                fewer += usize::from(frames.len() < all.len());
            }
            Err(message) => assert!(message.contains(FILE_NAME), "case {case}: {message}"),
        }
    }
    println!(
        "600 damaged journals: {fewer} gave fewer rows, which a resumed run computes again; none gave others"
    );
}

const LOG: &str = "run.sqlite-wal";

/// Store and write-ahead log of a run that was killed after some frames.
fn with_journal(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let mut command = roadgaze(&["run", "--model", &manifest("resnet-micro"), "--frames", "8"]);
    command.args(["--attribute", "gradcam", "--threads", "1"]).arg("--out").arg(folder);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    loop {
        // two rows of about ten kilobytes each
        let length = fs::metadata(folder.join(LOG)).map_or(0, |m| m.len());
        if length > 150_000 || child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    (read(FILE_NAME), read(LOG))
}

/// The commands that read a run folder, on damaged ones: exit code 0 or 2 and one line that names the file.
#[test]
fn every_command_that_reads_a_run_refuses_a_damaged_one_with_one_line() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    whole_run(&run);
    let bytes = fs::read(run.join(FILE_NAME)).unwrap();
    let sound = run.display().to_string();
    let mut state = 9;
    let mut refusals = 0;
    for case in 0..24 {
        let mut damaged = bytes.clone();
        match case % 3 {
            0 => damaged.truncate(draw(&mut state) % bytes.len()),
            1 => damaged[24 + case] ^= 0x10,
            _ => {
                let at = bytes.len() / 2 + draw(&mut state) % (bytes.len() / 2);
                damaged[at..].fill(0);
            }
        }
        let folder = folder_of(place.path(), &BTreeMap::from([(FILE_NAME, damaged)]));
        let name = folder.display().to_string();
        let model = manifest("resnet-micro");
        let commands: [&[&str]; 4] = [
            &["report", &name],
            &["compare", &name, &sound],
            &["export", &name, "--format", "jsonl"],
            &[
                "run",
                "--model",
                &model,
                "--frames",
                "8",
                "--attribute",
                "gradcam",
                "--resume",
                "--out",
                &name,
            ],
        ];
        let (code, _, stderr) = outcome(&mut roadgaze(commands[case % 4]));
        assert!(!stderr.contains("panicked"), "case {case}: {stderr}");
        match code {
            Some(0) => {}
            Some(2) => {
                let last = stderr.lines().last().unwrap_or_default();
                assert!(
                    last.starts_with("roadgaze: ") && last.contains(FILE_NAME),
                    "{case}: {stderr}"
                );
                refusals += 1;
            }
            // no file at all is a folder without a run: a resumed one begins anew
            _ => panic!("case {case}: exit code {code:?}: {stderr}"),
        }
    }
    assert!(refusals >= 12, "{refusals} of 24 refused");
}
