//! Runs are read back as they were stored, also those that are cut off, resumed, or still going on; foreign files are refused.

use super::super::RunStore;
use super::*;

pub(crate) fn row(position: u32) -> FrameRow {
    FrameRow {
        position,
        class: 3,
        index: 9,
        shape: "circular".to_owned(),
        environment: "forest".to_owned(),
        image_hash: "00ff".to_owned(),
        mask_share: 0.25,
        top5: vec![3, 1, 2, 4, 0],
        confidence: 0.75,
        logits: vec![0.5, -1.25, 3.0],
        tensor: vec![0.25, -2.0],
        features: Vec::new(),
        attributions: vec![
            AttributionRow {
                method: "gradcam".to_owned(),
                target: 3,
                grid: (2, 2),
                map: vec![1.0, -2.0, 0.0, 0.5],
                ratio: Ok(0.625),
                ceiling: 0.9,
                proportional: Some(0.8),
                evaluations: 1,
                localisation: Some(Localisation {
                    pointing: 1.0,
                    relevance_rank: 0.5,
                    inside: 0.25,
                    border: 0.5,
                    inside_area: 0.125,
                    border_area: 0.0625,
                }),
                ratio_error: None,
                map_error: Vec::new(),
            },
            AttributionRow {
                method: "kernel-shap".to_owned(),
                target: 3,
                grid: (1, 2),
                map: vec![-1.0, 0.0],
                ratio: Err(Undefined::NoPositive),
                ceiling: 0.9,
                proportional: Some(0.8),
                evaluations: 17,
                localisation: None,
                ratio_error: Some(RatioError {
                    standard_error: 0.125,
                    units: 10,
                    cross_fit: Some(0.75),
                }),
                map_error: vec![0.5, 0.25],
            },
        ],
        stages: vec![(Stage::Network, 1234), (Stage::Store, 5)],
        preview: Some(Preview { jpeg: vec![1, 2, 3], mask_png: vec![4] }),
    }
}

fn settings(seed: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("seed".to_owned(), seed.to_owned()), ("started".to_owned(), seed.to_owned())])
}

#[test]
fn cross_fit_ratios_of_halves_are_not_taken_for_those_of_orders() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = RunStore::create(dir.path(), &settings("7")).unwrap();
    store.add(&row(1)).unwrap();
    store.finish().unwrap();
    let frames = Stored::open(dir.path()).unwrap().frames;
    let errors: Vec<_> = frames[0].attributions.iter().filter_map(|a| a.ratio_error).collect();
    assert!(!errors.is_empty() && errors.iter().all(|e| e.cross_fit.is_none()), "{errors:?}");
}

#[test]
fn what_was_stored_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = settings("7");
    told.insert(OF_SINGLE_ORDERS.to_owned(), "32".to_owned());
    let mut store = RunStore::create(dir.path(), &told).unwrap();
    store.add_plans(&[("abc".to_owned(), b"body")]).unwrap();
    let timeless = |p| FrameRow { stages: vec![(Stage::Network, 1234)], ..row(p) };
    store.add(&timeless(4)).unwrap();
    store.add_store_time(4, 5);
    store.add(&timeless(2)).unwrap();
    store.add_store_time(2, 5);
    store.finish().unwrap();
    let stored = Stored::open(dir.path()).unwrap();
    let want: Vec<_> = [2, 4].map(|p| FrameRow { preview: None, ..row(p) }).into();
    assert_eq!(stored.frames, want);
    assert_eq!(stored.preview(4).unwrap(), row(4).preview);
    assert_eq!(stored.preview(5).unwrap(), None);
    assert_eq!(stored.plan("abc").unwrap(), b"body");
    assert_eq!(stored.methods(), ["gradcam", "kernel-shap"]);
}

#[test]
fn a_frame_goes_in_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = RunStore::create(dir.path(), &settings("7")).unwrap();
    let mut twice = row(1);
    twice.attributions.push(twice.attributions[0].clone()); // violates the primary key
    assert!(store.add(&twice).is_err());
    assert!(store.done().is_empty());
    assert!(Stored::open(dir.path()).unwrap().frames.is_empty());
    store.add(&row(1)).unwrap();
}

#[test]
fn resuming_knows_what_is_done_and_refuses_other_settings() {
    let dir = tempfile::tempdir().unwrap();
    let fixed = |name: &str| name != "started";
    RunStore::resume(dir.path(), &settings("7"), fixed).unwrap().add(&row(1)).unwrap();
    assert!(matches!(RunStore::create(dir.path(), &settings("7")), Err(StoreError::Exists { .. })));
    let mut later = settings("7");
    later.insert("started".to_owned(), "8".to_owned());
    let store = RunStore::resume(dir.path(), &later, fixed).unwrap();
    assert_eq!(store.done().iter().copied().collect::<Vec<_>>(), [1]);
    drop(store);
    let error = RunStore::resume(dir.path(), &settings("8"), fixed).unwrap_err().to_string();
    assert!(error.contains("seed = 7") && error.contains("now it is 8"), "{error}");
}

#[test]
fn a_run_is_read_while_it_stores_frames() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = RunStore::create(dir.path(), &settings("7")).unwrap();
    store.add(&row(0)).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut counts = std::collections::BTreeSet::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                counts.insert(Stored::open(dir.path()).unwrap().frames.len());
            }
            counts.len()
        });
        for n in 1..300 {
            let timeless = FrameRow { stages: vec![(Stage::Network, 1234)], ..row(n) };
            store.add(&timeless).unwrap();
            store.add_store_time(n, 5);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reading.join().unwrap() > 1, "it was not read meanwhile");
    });
}

#[test]
fn a_folder_behind_a_link_is_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("disk")).unwrap();
    std::os::unix::fs::symlink("disk", dir.path().join("runs")).unwrap();
    let folder = dir.path().join("runs/first");
    RunStore::create(&folder, &settings("7")).unwrap().add(&row(1)).unwrap();
    RunStore::resume(&folder, &settings("7"), |_| true).unwrap().add(&row(2)).unwrap();
    assert_eq!(Stored::open(&folder).unwrap().frames.len(), 2);
}

#[test]
fn a_verdict_on_fewer_frames_does_not_outlive_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = RunStore::create(dir.path(), &settings("7")).unwrap();
    store.set(super::super::VERDICT, "{\"valid\":true}").unwrap();
    drop(store);
    drop(RunStore::resume(dir.path(), &settings("7"), |_| true).unwrap());
    assert_eq!(Stored::open(dir.path()).unwrap().text("verdict"), "null");
}

#[test]
fn events_without_room_add_up_over_the_parts_of_a_run() {
    let dir = tempfile::tempdir().unwrap();
    RunStore::create(dir.path(), &settings("7")).unwrap().add_unlogged(3).unwrap();
    RunStore::resume(dir.path(), &settings("7"), |_| true).unwrap().add_unlogged(2).unwrap();
    assert_eq!(Stored::open(dir.path()).unwrap().settings[super::super::UNLOGGED], "5");
}

#[test]
fn a_foreign_file_is_refused_with_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Stored::open(dir.path()).unwrap_err().to_string().contains("no file found"));
    std::fs::write(dir.path().join(FILE_NAME), b"this is no database, only a line of text")
        .unwrap();
    assert!(matches!(Stored::open(dir.path()), Err(StoreError::Damaged { .. })));
    let other = tempfile::tempdir().unwrap();
    let db = Connection::open(other.path().join(FILE_NAME)).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = Stored::open(other.path()).unwrap_err().to_string();
    assert!(error.contains("schema 2 expected") && error.contains("schema 99 found"), "{error}");
}
