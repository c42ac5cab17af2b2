//! Do folders work as data sets of the main job? Rendered, as published and plain ones; and what of bad files?
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::Path;

use crate::program::{manifest, outcome, results, roadgaze};

/// Runs the micro network on a data set; exit code and standard error.
fn run(data: &str, frames: &str, out: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = roadgaze(&["run", "--model", &manifest("resnet-micro"), "--data", data]);
    command.args(["--frames", frames, "--attribute", "gradcam", "--threads", "1"]);
    let (code, _, stderr) = outcome(command.arg("--out").arg(out).args(more));
    (code, stderr)
}

fn render(out: &Path) {
    let (code, _, stderr) = outcome(
        roadgaze(&["render", "--set", "CF", "--split", "test", "--per-class", "1", "--size", "64"])
            .arg("--out")
            .arg(out),
    );
    assert_eq!(code, Some(0), "{stderr}");
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy_tree(&path, &target) } else { drop(fs::copy(&path, &target)) }
    }
}

#[test]
fn a_rendered_folder_gives_what_its_set_gives() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("set");
    render(&folder);
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let name = "synthetic:CF/test?per_class=1&size=64";
    for (data, out) in [(name, &a), (folder.to_str().unwrap(), &b)] {
        let (code, stderr) = run(data, "20", out, &[]);
        assert_eq!(code, Some(0), "{stderr}");
    }
    for part in ["accuracy", "pixel_ratio", "frames"] {
        assert_eq!(results(&a)[part], results(&b)[part], "{part}");
    }
}

#[test]
fn the_published_layout_and_a_plain_folder_of_some_classes_run() {
    let dir = tempfile::tempdir().unwrap();
    let rendered = dir.path().join("set");
    render(&rendered);
    let published = dir.path().join("published");
    for part in ["Cycles", "Masks", "CsvFiles"] {
        copy_tree(&rendered.join(part), &published.join(part));
    }
    let plain = dir.path().join("plain");
    for class in ["14_Stop", "13_VorfahrtGewaehren", "40_Kreisverkehr"] {
        let target = plain.join(class);
        copy_tree(&rendered.join("Cycles").join(class), &target);
        let mask = rendered.join("Masks").join(class).join("0_msk.png");
        fs::copy(mask, target.join("0_cycles_msk.png")).unwrap();
    }
    for (data, frames) in [(published, "82"), (plain, "3")] {
        let out = dir.path().join(format!("run of {frames}"));
        let (code, stderr) = run(data.to_str().unwrap(), frames, &out, &[]);
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(results(&out)["frames"]["processed"].to_string(), frames);
    }
}

#[test]
fn a_small_folder_runs_whole_unless_more_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("set"), dir.path().join("run"));
    for class in 0..3_u32 {
        let class = folder.join(format!("{class}_Class"));
        fs::create_dir_all(&class).unwrap();
        let picture = image::RgbImage::from_pixel(64, 64, image::Rgb([60, 120, 200]));
        picture.save(class.join("a.png")).unwrap();
        let mask = image::GrayImage::from_fn(64, 64, |x, _| image::Luma([255 * u8::from(x < 16)]));
        mask.save(class.join("a_msk.png")).unwrap();
    }
    let data = folder.to_str().unwrap();
    let (code, stderr) = run(data, "4", &out, &[]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--frames") && stderr.contains("1 to 3"), "{stderr}");
    let mut command = roadgaze(&["run", "--model", &manifest("resnet-micro"), "--data", data]);
    let (code, _, stderr) =
        outcome(command.args(["--attribute", "gradcam", "--threads", "1"]).arg("--out").arg(&out));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(results(&out)["frames"]["processed"], 3);
}

#[test]
fn a_bad_picture_ends_the_run_with_its_name_or_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("set");
    render(&folder);
    let bad = folder.join("Cycles/14_Stop/0_cycles.png");
    fs::write(&bad, "not a picture").unwrap();
    let out = dir.path().join("run");
    let data = folder.to_str().unwrap();
    let (code, stderr) = run(data, "81", &out, &[]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("14_Stop") && stderr.contains("expected a PNG"), "{stderr}");
    let (code, stderr) = run(data, "81", &out, &["--skip-bad"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("cannot be used: 1") && stderr.contains("14_Stop"), "{stderr}");
}

/// The reader of folders takes wider pictures than the camera link carries: such a one cannot be delivered.
#[test]
fn a_frame_that_a_shard_could_not_deliver_is_no_gap_in_the_merged_run() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("set");
    for class in 0..5_u32 {
        let folder = data.join(format!("{class}_Class"));
        fs::create_dir_all(&folder).unwrap();
        let width = if class == 3 { 4100 } else { 32 };
        let picture = image::RgbImage::from_pixel(width, 32, image::Rgb([60, 120, 200]));
        picture.save(folder.join("a.png")).unwrap();
        let mask =
            image::GrayImage::from_fn(width, 32, |x, _| image::Luma([255 * u8::from(x < 16)]));
        mask.save(folder.join("a_msk.png")).unwrap();
    }
    let out = |name: &str| dir.path().join(name);
    let parts: [(&str, &[&str]); 3] = [
        ("whole", &["--skip-bad"]),
        ("one", &["--skip-bad", "--shard", "1/2"]),
        ("two", &["--skip-bad", "--shard", "2/2"]),
    ];
    for (name, more) in parts {
        let (code, stderr) = run(data.to_str().unwrap(), "5", &out(name), more);
        assert_eq!(code, Some(0), "{name}: {stderr}");
    }
    let mut merge = roadgaze(&["merge"]);
    merge.arg(out("one")).arg(out("two")).arg("--out").arg(out("merged"));
    let (code, _, stderr) = outcome(&mut merge);
    assert_eq!(code, Some(0), "{stderr}");
    let merged = results(&out("merged"));
    assert_eq!(merged["frames"]["in"], 5, "{merged}");
    assert_eq!(merged["frames"]["dropped"]["bad_source"], 1, "{merged}");
    assert_eq!((&merged["frames"]["processed"], &merged["complete"]), (&4.into(), &true.into()));
    assert_eq!(merged, results(&out("whole")));
}
