//! What does a command tell the service manager that started it?
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::live_run::run;
use crate::program::{manifest, outcome, roadgaze};

const READY: &str = "READY=1\n";
const STOPPING: &str = "STOPPING=1\nEXTEND_TIMEOUT_USEC=600000000\n";

/// What a command that succeeds tells from beginning to end.
fn told(folder: &Path, command: &mut Command) -> Vec<String> {
    let socket = folder.join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let ended = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        // as the messages come: a socket takes few of them, and then the command would wait
        let listening = scope.spawn(|| {
            let (mut told, mut buffer) = (Vec::new(), [0; 1024]);
            loop {
                // asked first: what was told before the end is in the socket by now
                let is_last = ended.load(Ordering::SeqCst);
                match manager.recv(&mut buffer) {
                    Ok(len) => told.push(String::from_utf8(buffer[..len].to_vec()).unwrap()),
                    Err(_) if is_last => return told,
                    Err(_) => {}
                }
            }
        });
        let (code, _, stderr) = outcome(command.env("NOTIFY_SOCKET", &socket));
        ended.store(true, Ordering::SeqCst);
        assert_eq!(code, Some(0), "{stderr}");
        listening.join().unwrap()
    });
    fs::remove_file(&socket).unwrap();
    told
}

#[test]
fn the_end_of_the_frames_is_told_with_a_wish_for_time_to_write_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--frames", "2", "--attribute", "none"];
    let expected = [
        READY,
        "WATCHDOG=1\nSTATUS=1 of 2 frames\n",
        "WATCHDOG=1\nSTATUS=2 of 2 frames\n",
        STOPPING,
    ];
    let mut command = run(&folder.path().join("run"), "", &more);
    assert_eq!(told(folder.path(), &mut command), expected);
    // with nothing left to do
    let mut command = run(&folder.path().join("run"), "", &more);
    assert_eq!(told(folder.path(), command.arg("--resume")), [READY, STOPPING]);
}

#[test]
fn a_study_of_several_runs_begins_once_and_ends_once() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.toml");
    let text = format!(
        r#"title = "Two cells"
threads = 1
[[network]]
name = "micro"
model = "{}"
architecture = "resnet50"
train = "CF"
[method.gradcam]
attribute = "gradcam"
[[grid]]
methods = ["gradcam"]
data = ["CF", "UF"]
frames = 2
"#,
        manifest("resnet-micro")
    );
    fs::write(&plan, text).unwrap();
    let out = folder.path().join("study");
    let [plan, out] = [&plan, &out].map(|path| path.to_str().unwrap());
    let study = || roadgaze(&["study", plan, "--out", out]);
    let sign = |run: u32, frames: u32| {
        format!("WATCHDOG=1\nSTATUS=run {run} of 2: {frames} of 2 frames\n")
    };
    let mut expected = vec![READY.to_owned()];
    expected.extend([1, 2].iter().flat_map(|&run| [0, 1, 2].map(|frames| sign(run, frames))));
    expected.push(STOPPING.to_owned());
    assert_eq!(told(folder.path(), &mut study()), expected);
    // all cells are there: nothing but collecting
    assert_eq!(told(folder.path(), &mut study()), [READY, STOPPING]);
    assert_eq!(told(folder.path(), study().arg("--collect")), [READY, STOPPING]);
}
