//! Does the doctor tell a sound device from a broken one, for people and for machines?

use serde_json::Value;

use crate::program::{outcome, roadgaze};

#[test]
fn a_sound_device_passes_with_every_known_answer() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let (code, stdout, stderr) = outcome(&mut roadgaze(&["doctor", "--json", "--folder", place]));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&found["schema"], &found["passed"]), (&1.into(), &true.into()));
    let names: Vec<&str> =
        found["checks"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    for name in ["preprocessing", "Shapley values", "GradCAM", "run store"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let facts = found["device"].as_array().unwrap();
    for name in ["cores", "cpu_features", "free disk"] {
        assert!(facts.iter().any(|f| f["name"] == name), "{facts:?}");
    }
    let (code, stdout, _) = outcome(&mut roadgaze(&["doctor", "--folder", place]));
    assert_eq!(code, Some(0));
    assert!(stdout.contains("all known answers are right"), "{stdout}");
}

#[test]
fn a_folder_that_cannot_be_written_is_found_out() {
    let (code, stdout, _) = outcome(&mut roadgaze(&["doctor", "--folder", "/proc/nowhere"]));
    assert_eq!(code, Some(1));
    assert!(stdout.contains("WRONG") && stdout.contains("do not trust"), "{stdout}");
}
