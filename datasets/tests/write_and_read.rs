//! What is written comes back, whatever the number of threads; what is wrong is named.
#![expect(
    clippy::unwrap_used,
    reason = "the functions that tests share count as code outside of tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use datasets::folder::{Folder, Layout, OpenOptions};
use datasets::source::{FrameSource, MetadataValue, SourceError};
use datasets::synthetic::Synthetic;
use datasets::write::{Description, Format, WriteOptions, write};

const NAME: &str = "synthetic:CMT/test?per_class=1&size=64";

fn render(out: &Path, name: &str, format: Format, threads: usize) -> Description {
    let source = Synthetic::open(name).unwrap();
    let options = WriteOptions { out: out.to_owned(), format, threads };
    write(&source, &source.identity_table(), &options, &|_| {}).unwrap()
}

fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, at: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(root, root, &mut files);
    files
}

/// Masks below a folder that another process writes: what vanishes while it is looked at is not counted.
fn masks_in(root: &Path) -> usize {
    let Ok(entries) = fs::read_dir(root) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => masks_in(&entry.path()),
            _ => usize::from(entry.file_name().to_string_lossy().ends_with("_msk.png")),
        })
        .sum()
}

fn refused(root: &Path) -> String {
    Folder::open(root, &OpenOptions::default()).unwrap_err().to_string()
}

fn first(folder: &Path, ending: &str) -> std::path::PathBuf {
    let mut files: Vec<_> = tree(folder).into_keys().filter(|f| f.ends_with(ending)).collect();
    files.sort();
    folder.join(&files[0])
}

#[test]
fn any_number_of_threads_writes_the_same_tree() {
    let dir = tempfile::tempdir().unwrap();
    for format in [Format::Png, Format::Npy { shard_frames: 7 }] {
        let trees: Vec<_> = [1, 2, 7]
            .map(|threads| {
                let out = dir.path().join(format!("{format:?} {threads}"));
                render(&out, NAME, format, threads);
                tree(&out)
            })
            .into();
        assert!(trees[0] == trees[1] && trees[0] == trees[2], "{format:?}");
        assert!(!trees[0].keys().any(|name| name.contains("part")), "{:?}", trees[0].keys());
    }
}

#[test]
fn a_rendered_folder_reads_back_as_it_was_rendered() {
    let dir = tempfile::tempdir().unwrap();
    let done = render(dir.path(), NAME, Format::Png, 2);
    let source = Synthetic::open(NAME).unwrap();
    let folder = Folder::open(dir.path(), &OpenOptions::default()).unwrap();
    assert_eq!(folder.layout(), Layout::Rendered);
    assert_eq!(folder.len(), source.len());
    assert_eq!(folder.class_names(), source.class_names());
    assert_eq!(folder.content_hash(), done.content_sha256);
    for position in 0..source.len() {
        let want = source.frame(position).unwrap();
        assert_eq!(folder.key(position).unwrap(), want.key, "the order of the set");
        let got = folder.frame(position).unwrap();
        assert!(got.image == want.image && got.mask == want.mask);
        for (name, value) in &want.metadata {
            assert_eq!(got.metadata.get(name), Some(value), "{name}");
        }
        assert!(matches!(got.metadata["mask_share"], MetadataValue::Number(x) if x > 0.02));
    }
}

#[test]
fn a_finished_folder_is_left_alone_and_a_foreign_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    render(dir.path(), NAME, Format::Png, 1);
    let before = tree(dir.path());
    render(dir.path(), NAME, Format::Png, 1);
    assert!(before == tree(dir.path()));
    let attempt = |out: &Path, name: &str, format| {
        let source = Synthetic::open(name).unwrap();
        let options = WriteOptions { out: out.to_owned(), format, threads: 1 };
        write(&source, &source.identity_table(), &options, &|_| {}).unwrap_err().to_string()
    };
    let other = attempt(dir.path(), "synthetic:UF/test?per_class=1&size=64", Format::Png);
    assert!(other.contains("holds another data set") && other.contains("UF/test"), "{other}");
    let other = attempt(dir.path(), NAME, Format::Npy { shard_frames: 9 });
    assert!(other.contains("expected format npy, found png"), "{other}");
    let used = tempfile::tempdir().unwrap();
    fs::write(used.path().join("letter.txt"), "dear").unwrap();
    let other = attempt(used.path(), NAME, Format::Png);
    assert!(other.contains("letter.txt") && other.contains("--out"), "{other}");
    let other = attempt(&used.path().join("letter.txt"), NAME, Format::Png);
    assert!(other.contains("a file is in the way"), "{other}");
}

#[test]
fn a_run_that_stopped_continues_to_the_same_tree() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, cut) = (dir.path().join("whole"), dir.path().join("cut"));
    for format in [Format::Png, Format::Npy { shard_frames: 5 }] {
        for out in [&whole, &cut] {
            fs::remove_dir_all(out).ok();
        }
        render(&whole, NAME, format, 1);
        // a source that fails in the middle stands for the killed run
        let source = Failing { inner: Synthetic::open(NAME).unwrap(), from: 12 };
        let options = WriteOptions { out: cut.clone(), format, threads: 1 };
        let table = source.inner.identity_table();
        let error = write(&source, &table, &options, &|_| {}).unwrap_err();
        assert!(error.to_string().contains("frame 99"), "{error}");
        assert!(!cut.join("dataset.toml").exists());
        assert!(refused(&cut).contains("unfinished"));
        render(&cut, NAME, format, 2);
        assert!(tree(&whole) == tree(&cut), "{format:?}");
    }
}

#[test]
fn what_a_run_leaves_that_is_killed_in_its_last_moment_is_tidied_up() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, cut) = (dir.path().join("whole"), dir.path().join("cut"));
    for out in [&whole, &cut] {
        render(out, NAME, Format::Png, 1);
    }
    // the description is there, what the run itself needed not yet gone
    for name in ["dataset.part.toml", "journal.part"] {
        fs::write(cut.join(name), "left behind").unwrap();
    }
    render(&cut, NAME, Format::Png, 1);
    assert!(tree(&whole) == tree(&cut));
}

/// Not a test by itself: the process that [`a_killed_run_continues_to_the_same_tree`] kills.
#[test]
#[ignore = "started by another test, which kills it"]
fn a_run_to_be_killed() {
    if let Some(out) = std::env::var_os(OUT_TO_BE_KILLED) {
        render(Path::new(&out), KILLED_NAME, Format::Png, 2);
    }
}

const OUT_TO_BE_KILLED: &str = "ROADGAZE_TEST_OUT_TO_BE_KILLED";
const KILLED_NAME: &str = "synthetic:CMT/test?per_class=4&size=96";

#[test]
fn a_killed_run_continues_to_the_same_tree() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, cut) = (dir.path().join("whole"), dir.path().join("cut"));
    render(&whole, KILLED_NAME, Format::Png, 2);
    let mut kills = 0;
    for pictures in [1, 20, 55] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_run_to_be_killed", "--ignored"])
            .env(OUT_TO_BE_KILLED, &cut)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let written = || masks_in(&cut);
        while written() < pictures && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        // SIGKILL: nothing is cleaned up
        child.kill().unwrap();
        child.wait().unwrap();
        if cut.join("dataset.toml").exists() {
            break;
        }
        kills += 1;
        for name in tree(&cut).into_keys().filter(|name| name.ends_with(".png")) {
            image::open(cut.join(&name)).unwrap_or_else(|e| panic!("{name} is not whole: {e}"));
        }
    }
    assert!(kills > 0, "the run was over before it could be killed");
    render(&cut, KILLED_NAME, Format::Png, 1);
    assert!(tree(&whole) == tree(&cut), "after {kills} kills");
}

struct Failing {
    inner: Synthetic,
    from: usize,
}

impl FrameSource for Failing {
    fn name(&self) -> String {
        self.inner.name()
    }
    fn content_hash(&self) -> String {
        self.inner.content_hash()
    }
    fn class_names(&self) -> &[String] {
        self.inner.class_names()
    }
    fn len(&self) -> usize {
        self.inner.len()
    }
    fn key(&self, position: usize) -> Result<datasets::source::FrameKey, SourceError> {
        self.inner.key(position)
    }
    fn frame(&self, position: usize) -> Result<datasets::source::Frame, SourceError> {
        if position >= self.from {
            return Err(SourceError::OutOfRange { position: 99, len: self.len() });
        }
        self.inner.frame(position)
    }
}

#[test]
fn the_published_layout_is_read_with_its_lists_and_mask_level() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for (class, folder) in [(0, "0_Stop"), (7, "7_Vorfahrt")] {
        fs::create_dir_all(root.join("Cycles").join(folder)).unwrap();
        fs::create_dir_all(root.join("Masks").join(folder)).unwrap();
        for i in 0..2_u8 {
            let image = image::RgbImage::from_pixel(8, 6, image::Rgb([class, i, 9]));
            image.save(root.join(format!("Cycles/{folder}/{i}_cycles.png"))).unwrap();
            let mask =
                image::GrayImage::from_fn(8, 6, |x, _| image::Luma([[9, 11][usize::from(x > 3)]]));
            mask.save(root.join(format!("Masks/{folder}/{i}_msk.png"))).unwrap();
        }
    }
    fs::create_dir(root.join("CsvFiles")).unwrap();
    fs::write(
        root.join("CsvFiles/a_train.csv"),
        "7_Vorfahrt\\1_cycles.png\r\nCycles\\0_Stop\\0_cycles.png\r\n",
    )
    .unwrap();
    let all = Folder::open(root, &OpenOptions::default()).unwrap();
    assert_eq!((all.layout(), all.len()), (Layout::Synset, 4));
    assert_eq!(all.class_names()[7], "Vorfahrt");
    let keys: Vec<_> = (0..4).map(|p| all.key(p).unwrap()).map(|k| (k.class, k.index)).collect();
    assert!(keys[0].0 != keys[1].0 && keys[2].0 != keys[3].0, "balanced: {keys:?}");
    let last = keys.iter().position(|&key| key == (7, 1)).unwrap();
    let frame = all.frame(last).unwrap();
    assert_eq!(frame.mask.get_pixel(3, 0).0, [0], "9 is background");
    assert_eq!(frame.mask.get_pixel(4, 0).0, [255], "11 is sign");
    let list = |name: &str| OpenOptions { list: Some(name.to_owned()), ..OpenOptions::default() };
    let train = Folder::open(root, &list("a_train.csv")).unwrap();
    assert_eq!(train.len(), 2);
    fs::write(root.join("CsvFiles/evil.csv"), "..\\..\\etc\\passwd\n").unwrap();
    let error = Folder::open(root, &list("evil.csv")).unwrap_err().to_string();
    assert!(error.contains("leads out of the data set"), "{error}");
    let error = Folder::open(root, &list("none.csv")).unwrap_err().to_string();
    assert!(error.contains("none.csv") && error.contains("expected a list"), "{error}");
}

/// Two classes of two pictures, masks beside.
fn plain(root: &Path) {
    for folder in ["3_Stop", "4"] {
        fs::create_dir_all(root.join(folder)).unwrap();
        for i in 0..2_u8 {
            let image = image::RgbImage::from_pixel(8, 6, image::Rgb([i, 0, 9]));
            image.save(root.join(format!("{folder}/p{i}.png"))).unwrap();
            let mask = image::GrayImage::from_pixel(8, 6, image::Luma([200]));
            mask.save(root.join(format!("{folder}/p{i}_msk.png"))).unwrap();
        }
    }
}

#[test]
fn each_bad_file_is_named_and_can_be_skipped() {
    type Spoil = fn(&Path);
    let cases: [(&str, &str, Spoil); 8] = [
        ("3_Stop/p1.png", "expected a PNG or JPEG picture", |r| {
            fs::write(r.join("3_Stop/p1.png"), "not a picture").unwrap();
        }),
        ("3_Stop/p1.png", "expected a mask", |r| {
            fs::remove_file(r.join("3_Stop/p1_msk.png")).unwrap();
        }),
        ("3_Stop/p1_msk.png", "of 8 x 6 pixels as its picture, found 5 x 6", |r| {
            image::GrayImage::new(5, 6).save(r.join("3_Stop/p1_msk.png")).unwrap();
        }),
        ("3_Stop/p1_msk.png", "empty mask", |r| {
            image::GrayImage::new(8, 6).save(r.join("3_Stop/p1_msk.png")).unwrap();
        }),
        ("garden", "unknown class id", |r| fs::create_dir(r.join("garden")).unwrap()),
        ("4/p0.png", "expected a PNG or JPEG picture", |r| {
            let whole = fs::read(r.join("4/p0.png")).unwrap();
            fs::write(r.join("4/p0.png"), &whole[..whole.len() / 2]).unwrap();
        }),
        ("4/p0.png", "expected a PNG or JPEG picture", |r| {
            // a header that promises 60,000 x 60,000 pixels
            let mut bytes = fs::read(r.join("4/p0.png")).unwrap();
            bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
            bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
            fs::write(r.join("4/p0.png"), bytes).unwrap();
        }),
        ("4/link.png", "leads out of the data set", |r| {
            let outside = r.parent().unwrap().join("outside.png");
            image::RgbImage::new(8, 6).save(&outside).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(&outside, r.join("4/link.png")).unwrap();
            fs::copy(r.join("4/p0_msk.png"), r.join("4/link_msk.png")).unwrap();
        }),
    ];
    for (file, problem, spoil) in cases {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("set");
        plain(&root);
        assert_eq!(Folder::open(&root, &OpenOptions::default()).unwrap().len(), 4);
        spoil(&root);
        let error = refused(&root);
        assert!(error.contains(file) && error.contains(problem), "{file}: {error}");
        let skip = OpenOptions { skip_bad: true, ..OpenOptions::default() };
        let folder = Folder::open(&root, &skip).unwrap();
        assert_eq!(folder.skipped().len(), 1, "{file}: {:?}", folder.skipped());
        assert!(folder.skipped()[0].path.ends_with(file), "{:?}", folder.skipped());
    }
}

#[test]
fn a_folder_of_some_classes_gets_the_names_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    plain(dir.path());
    let options = OpenOptions { classes: Some(82), ..OpenOptions::default() };
    let names =
        || Folder::open(dir.path(), &options).map(|folder| folder.class_names().to_vec()).unwrap();
    assert_eq!(names().len(), 82);
    assert_eq!((names()[3].as_str(), names()[4].as_str()), ("Stop", ""), "not our class 3");
    fs::rename(dir.path().join("3_Stop"), dir.path().join("3_Geschwindigkeit60")).unwrap();
    fs::rename(dir.path().join("4"), dir.path().join("14_Stop")).unwrap();
    let source = Synthetic::open(NAME).unwrap();
    assert_eq!(names(), source.class_names());
}

#[test]
fn folders_that_are_no_data_set_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refused(&dir.path().join("none")).contains("expected a folder, found nothing"));
    assert!(refused(dir.path()).contains("expected pictures, found none"));
    fs::write(dir.path().join("file"), "x").unwrap();
    assert!(refused(&dir.path().join("file")).contains("expected a folder, found a file"));
    let root = dir.path().join("set");
    plain(&root);
    let known = OpenOptions { classes: Some(4), ..OpenOptions::default() };
    let error = Folder::open(&root, &known).unwrap_err().to_string();
    assert!(error.contains("unknown class id 4: expected 0 to 3"), "{error}");
    fs::write(root.join("dataset.toml"), "layout = ").unwrap();
    assert!(refused(&root).contains("not the description"));
}

#[test]
fn a_changed_pixel_of_a_rendered_set_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    render(dir.path(), NAME, Format::Png, 2);
    let file = first(dir.path(), "_cycles.png");
    let mut image = image::open(&file).unwrap().into_rgb8();
    image.get_pixel_mut(1, 1).0[0] ^= 1;
    image.save(&file).unwrap();
    assert!(refused(dir.path()).contains("pixels differ from those rendered"));
}

#[test]
fn own_photographs_stand_behind_the_signs() {
    let dir = tempfile::tempdir().unwrap();
    for (label, level) in [("desert", 200_u8), ("jungle", 30), ("space", 2)] {
        fs::create_dir(dir.path().join(label)).unwrap();
        let photo = image::RgbImage::from_pixel(150, 110, image::Rgb([level, level, level]));
        photo.save(dir.path().join(label).join("a.png")).unwrap();
    }
    let name = format!(
        "synthetic:CF/test?per_class=1&size=64&environments=folder:{}",
        dir.path().display()
    );
    let source = Synthetic::open(&name).unwrap();
    assert_eq!(source.environment_names(), ["desert", "jungle", "space"]);
    assert!(source.information_bits() > 0.5);
    let mut means: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for position in 0..40 {
        let frame = source.frame(position).unwrap();
        let MetadataValue::Text(label) = &frame.metadata["environment"] else { panic!("a word") };
        let corner = f64::from(frame.image.get_pixel(1, 1).0[1]);
        means.entry(label.clone()).or_default().push(corner);
    }
    let mean = |label: &str| means[label].iter().sum::<f64>() / means[label].len() as f64;
    assert!(mean("desert") > mean("jungle") && mean("jungle") > mean("space"), "{means:?}");
    fs::remove_dir_all(dir.path().join("space")).unwrap();
    fs::create_dir(dir.path().join("space")).unwrap();
    let error = Synthetic::open(&name).unwrap_err().to_string();
    assert!(error.contains("space") && error.contains("no photographs"), "{error}");
}
