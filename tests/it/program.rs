//! Starts the binary as a user does, on a micro network and few frames.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The binary that was built beside these tests (`harness/tests/binary.rs` sees to that in a run of all tests).
pub(crate) fn binary() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join("roadgaze");
    assert!(path.is_file(), "{}: build it with `cargo build -p harness`", path.display());
    path
}

/// A command of it, without a zoo that might differ between machines.
pub(crate) fn roadgaze(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env("ROADGAZE_ZOO", "/nonexistent").env("NO_COLOR", "1");
    command
}

/// Manifest of a golden network, for example `resnet-micro` or `convnext-micro-int8`, in a copy that takes any list of 82
/// classes.
pub(crate) fn manifest(name: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("networks");
    copy_network(name, &folder);
    folder.join(format!("{name}.toml")).display().to_string()
}

/// Copies a golden network into a folder; its manifest then takes any list of 82 classes.
pub(crate) fn copy_network(name: &str, folder: &Path) {
    let made_by = if name.ends_with("-int8") { "calibration" } else { "desktop" };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(made_by);
    let text = fs::read_to_string(golden.join(format!("{name}.toml"))).unwrap();
    let open_list: Vec<&str> = text.lines().filter(|line| !line.starts_with("hash = ")).collect();
    let model = fs::read(golden.join(format!("{name}.onnx"))).unwrap();
    fs::create_dir_all(folder).unwrap();
    // whole or not at all: other tests may read the same file at this moment
    for (ending, bytes) in [("onnx", model), ("toml", open_list.join("\n").into_bytes())] {
        let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
        file.write_all(&bytes).unwrap();
        file.persist(folder.join(format!("{name}.{ending}"))).unwrap();
    }
}

/// Runs a command to its end; the exit code, standard output and standard error.
pub(crate) fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Summary of a run folder without what depends on the speed of the machine.
pub(crate) fn results(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("summary.json")).unwrap();
    let mut summary: Value = serde_json::from_str(&text).unwrap();
    for timed in ["latency_ms", "machine", "device", "feed"] {
        summary.as_object_mut().unwrap().remove(timed).unwrap();
    }
    summary
}
