//! Is the log of the device complete, and can other tools read it?
#![expect(clippy::print_stdout, reason = "a test that cannot run says so")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::live_run::{books, run, summary};
use crate::program::{binary, outcome, roadgaze};

/// The events of a run, as `roadgaze decode --json` prints them.
fn events(folder: &Path) -> Vec<Value> {
    let log = folder.join("telemetry.defmt").display().to_string();
    let (code, stdout, stderr) = outcome(&mut roadgaze(&["decode", &log, "--json"]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap()
}

#[test]
fn every_missed_deadline_is_an_event_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let budget = folder.path().join("budget.toml");
    let path = budget.display().to_string();
    let whole = ["--frames", "6", "--attribute", "gradcam", "--budget", &path];
    let realtime = ["--realtime", "20", "--preload", "6", "--queue", "block", "--depth", "16"];
    let feeds: [&[&str]; 3] = [&[], &["--seed", "3"], &realtime];
    for (number, feed) in feeds.into_iter().enumerate() {
        for (limit, late) in [("0", true), ("1e8", false)] {
            fs::write(&budget, format!("[stage.network]\nlimit_ms = {limit}\nshare = 0.2"))
                .unwrap();
            let out = folder.path().join(format!("run{number}-{late}"));
            let mut command = run(&out, "", &[&whole[..], feed].concat());
            let (code, stdout, stderr) = outcome(&mut command);
            // a camera that a busy machine made late is a reason of its own for an invalid run
            let valid = !late && !stderr.contains("camera was late");
            assert_eq!(code, Some(i32::from(!valid)), "{stderr}");
            let found = summary(&out);
            let (_, processed, _) = books(&found);
            let missed = if late { processed } else { 0 };
            let events = events(&out);
            let missed_events: Vec<&Value> =
                events.iter().filter(|e| text(e, "message").starts_with("Deadline")).collect();
            assert_eq!(missed_events.len() as u64, missed, "{events:?}");
            for event in missed_events {
                assert_eq!(text(event, "level"), "warn");
                let message = text(event, "message");
                assert!(message.contains(r#"stage: "network", verdict: Missed"#), "{message}");
            }
            let claim = &found["verdict"]["claims"][0];
            assert_eq!(
                (&claim["overruns"], &claim["overruns_in_a_row"]),
                (&missed.into(), &missed.into())
            );
            let line = format!("deadlines of network: {missed} of {processed} frames over ");
            assert!(stdout.contains(&line), "{stdout}");
        }
    }
}

/// `cargo install defmt-print`: the reader of those who made the format.
#[test]
fn defmt_print_reads_the_same_events() {
    match Command::new("defmt-print").arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: no defmt-print on PATH (cargo install defmt-print)");
            return;
        }
        found => assert!(found.unwrap().status.success()),
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let faults = "[[fault]]\nkind = \"drop\"\nevery = 4\n[[fault]]\nkind = \"flip-bits\"\nevery = 5\ncount = 3\n";
    let (code, _, stderr) = outcome(&mut run(&out, faults, &["--frames", "12"]));
    assert_eq!(code, Some(0), "{stderr}");
    let mut command = Command::new("defmt-print");
    command.args(["--log-format", "{t} {L} {s}", "--show-skipped-frames", "-e"]).arg(binary());
    command.stdin(fs::File::open(out.join("telemetry.defmt")).unwrap());
    let (code, stdout, stderr) = outcome(&mut command);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let line = |e: &Value| {
        let level = text(e, "level").to_uppercase();
        let micros = e["time_us"].as_u64().unwrap();
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        // it fills levels up to the longest
        format!("{seconds}.{micros:06} {level:<5} {}", text(e, "message"))
    };
    let expected: Vec<String> = events(&out).iter().map(line).collect();
    assert!(expected.len() > 30, "{expected:?}");
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
}
