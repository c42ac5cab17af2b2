//! Imports of stores as the desktop writes them.

mod method;

use std::fs;
use std::path::Path;

use super::super::analyse;
use super::super::collect::collect;
use super::super::work;
use super::*;
use crate::store::{AttributionRow, RunStore};

const DATA: &str = "synthetic:CF/test?size=64";

const PLAN: &str = "title = 't'\n[[network]]\nname = 'a'\n\
    [method.cam]\nattribute = 'gradcam'\n[method.shap]\nattribute = 'kernel-shap'\nshap = { evaluations = 1000 }\n\
    [[import]]\nrun = 'there'\ndata = 'synthetic:CF/test?size=64'\nmethod = 'shap'\n\
    network = { name = 'a.f32', architecture = 'resnet50', train = 'CF' }\n";

fn plan(folder: &Path, from: &str, to: &str) -> StudyPlan {
    assert!(PLAN.contains(from), "{from}");
    let path = folder.join("plan.toml");
    fs::write(&path, PLAN.replacen(from, to, 1)).unwrap();
    StudyPlan::open(path.to_str().unwrap()).unwrap()
}

fn map(method: &str, target: u16, value: f32, evaluations: u32) -> AttributionRow {
    let mut map = vec![1.0; 49];
    map[0] = value;
    AttributionRow {
        method: method.to_owned(),
        target,
        grid: (7, 7),
        map,
        ratio: Ok(0.5),
        ceiling: 1.0,
        proportional: Some(0.8),
        evaluations,
        localisation: None,
        ratio_error: None,
        map_error: Vec::new(),
    }
}

/// What the stores of `docs/desktop-runs` tell.
const TOLD: [(&str, &str); 13] = [
    ("backend", "\"torch\""),
    ("data.name", "\"CF/test?size=64\""),
    ("frames.asked", "3"),
    ("hash.model", "\"abcd\""),
    ("hash.plan", "\"one\""),
    ("set.data", "\"CF/test?size=64\""),
    ("set.gradcam.output", "\"logit\""),
    ("set.model", "\"a.f32\""),
    ("set.shap.estimator", "\"permutation\""),
    ("set.shap.output", "\"logit\""),
    ("set.shap.solver", "\"exact\""),
    ("set.target", "\"predicted\""),
    ("set.upsampling", "\"nearest\""),
];

/// Three frames by two methods, without shape, environment and many settings; `change` may spoil a frame.
fn store(folder: &Path, change: impl Fn(&mut FrameRow)) {
    store_with(folder, &[], &[], change);
}

/// The same with more or other settings, and coalition plans under their hashes.
fn store_with(
    folder: &Path,
    told: &[(&str, &str)],
    plans: &[(String, String)],
    change: impl Fn(&mut FrameRow),
) {
    let set = Synthetic::open(DATA).unwrap();
    let mut settings = BTreeMap::new();
    for (name, value) in TOLD.iter().chain(told) {
        settings.insert((*name).to_owned(), (*value).to_owned());
    }
    let mut store = RunStore::create(&folder.join("there"), &settings).unwrap();
    store.add_plans(plans).unwrap();
    for position in 0..3_u32 {
        let key = set.key(usize::try_from(position).unwrap()).unwrap();
        let rendered = set.render(key).unwrap();
        let mut row = FrameRow {
            position,
            class: key.class,
            index: key.index,
            image_hash: hex(&Sha256::digest(rendered.image.as_raw())[..8]),
            mask_share: 0.25,
            top5: vec![key.class],
            confidence: 0.75,
            attributions: vec![
                map("gradcam", key.class, 2.0, 1),
                map("kernel-shap", key.class, 3.0, 962),
            ],
            ..FrameRow::default()
        };
        change(&mut row);
        store.add(&row).unwrap();
    }
    store.finish().unwrap();
}

fn entries(folder: &Path, plan: &StudyPlan) -> Result<Vec<Entry>, StudyError> {
    let cells = cells(plan)?;
    Ok(collect(&folder.join("study"), plan, &cells, &BTreeMap::new())?.entries)
}

#[test]
fn a_run_of_the_desktop_becomes_a_cell_with_what_its_store_does_not_tell() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), |_| {});
    let plan = plan(folder.path(), "", "");
    let entry = entries(folder.path(), &plan).unwrap().remove(0);
    assert_eq!(entry.id, "cells/imported/a.f32/CF-test-size-64/shap");
    assert_eq!((entry.asked, entry.points.len(), entry.problem), (3, 3, None));
    let explainer = "permutation, 962, one plan";
    assert_eq!(entry.explainer, explainer, "1,000 are asked for, whole orders are drawn");
    assert_eq!((entry.evaluations, entry.hash_plan.as_str()), (962, "one"));
    assert_eq!(
        (entry.network.sha256.as_str(), entry.made_by["backend"].as_str()),
        ("abcd", "torch")
    );
    let set = Synthetic::open(DATA).unwrap();
    for point in &entry.points {
        assert_eq!(point.map[..2], [3.0, 1.0], "the map of the other method was taken");
        assert!(!point.corrected && point.ratio == point.plain_ratio);
        let key = FrameKey { class: point.class, index: point.index };
        let drawn = set.config(key);
        assert_eq!(point.environment, datasets::synthetic::environment_word(drawn.environment));
        let shape = datasets::catalogue::Catalogue::get().sign(point.class).unwrap().shape;
        assert_eq!(point.shape, shape.word());
        assert!(point.pose.is_some());
    }
    // the map of the same name in the same store, by the other method
    let cam = self::plan(folder.path(), "method = 'shap'", "method = 'cam'");
    let entry = entries(folder.path(), &cam).unwrap().remove(0);
    assert_eq!((entry.points[0].map[0], entry.hash_plan.as_str()), (2.0, ""));
}

#[test]
fn a_limit_takes_the_first_frames_and_a_run_that_was_cut_off_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), |_| {});
    let plan = plan(folder.path(), "", "").limited(Some(2), None);
    let entry = entries(folder.path(), &plan).unwrap().remove(0);
    assert_eq!((entry.asked, entry.points.len()), (2, 2));
    let db = rusqlite::Connection::open(folder.path().join("there/run.sqlite")).unwrap();
    db.execute_batch("DROP TABLE seal; PRAGMA application_id = 0").unwrap();
    db.execute("UPDATE setting SET value = '5' WHERE name = 'frames.asked'", []).unwrap();
    let plan = plan.limited(Some(50), None);
    assert_eq!(plan.imports[0].frames, Some(2), "a limit is never raised");
    let whole = self::plan(folder.path(), "", "");
    let entry = entries(folder.path(), &whole).unwrap().remove(0);
    assert_eq!((entry.asked, entry.points.len()), (5, 3));
    assert_eq!(entry.problem.as_deref(), Some("3 of 5 frames"));
}

#[test]
fn a_run_that_is_not_what_the_plan_says_is_refused_by_name() {
    type Spoil = fn(&mut FrameRow);
    let same: Spoil = |_| {};
    let cases: [(&str, &str, Spoil, &[&str]); 8] = [
        (
            "run = 'there'",
            "run = 'there'\nsha256 = 'ffff'",
            same,
            &["hash.model: expected ffff, found abcd"],
        ),
        (
            "CF/test?size",
            "UF/test?size",
            same,
            &["data.name: expected synthetic:UF/test?size=64", "correct `data`"],
        ),
        (
            "shap = {",
            "target = 'predicted'\nshap = { estimator = 'captum',",
            same,
            &["set.shap.estimator: expected \"captum\", found \"permutation\""],
        ),
        ("", "", |f| f.class += 1, &["frame 0: expected class", "renderer of this version"]),
        (
            "",
            "",
            |f| f.index += u32::from(f.position == 1),
            &["frame 1: expected class", "index 0, found"],
        ),
        ("", "", |f| f.position += 49_200, &["frame 49200: expected a position below 49200"]),
        (
            "",
            "",
            |f| f.image_hash = "00".repeat(if f.position == 2 { 8 } else { 0 }) + &f.image_hash,
            &["frame 2: expected pixels of synthetic:CF/test?size=64 with hash"],
        ),
        (
            "",
            "",
            |f| f.attributions.truncate(1),
            &["frames: expected frames by kernel-shap, found 3 frames, methods: gradcam"],
        ),
    ];
    for (from, to, spoil, problems) in cases {
        let folder = tempfile::tempdir().unwrap();
        store(folder.path(), spoil);
        let plan = plan(folder.path(), from, to);
        let error = entries(folder.path(), &plan).unwrap_err().to_string();
        for problem in problems {
            assert!(error.contains(problem), "{problem}: {error}");
        }
        assert!(error.contains("there"), "the folder is not named: {error}");
    }
}

#[test]
fn a_run_of_other_pictures_is_refused_and_their_number_does_not_matter() {
    for (told, accepted) in [
        ("synthetic:CF/test?size=64", true),
        ("synthetic:CF/test?per_class=4&size=64", true),
        ("synthetic:CF/test?size=64&strength=0.25", false),
        ("synthetic:CF/test?per_class=4&size=64&corner_case=fog:3", false),
        ("synthetic:CF/test?first=3&size=64", false),
        ("CF/unknown", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("\"{told}\"");
        store_with(folder.path(), &[("data.name", name.as_str())], &[], |_| {});
        let plan = plan(folder.path(), "", "");
        let found = entries(folder.path(), &plan).map(|e| e.len()).map_err(|e| e.to_string());
        if accepted {
            assert_eq!(found, Ok(1), "{told}");
            continue;
        }
        let problem = format!("data.name: expected {DATA}, found {told}; correct `data`");
        let error = found.unwrap_err();
        assert!(error.contains(&problem), "{error}");
    }
}

#[test]
fn a_run_that_is_not_there_is_listed_and_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), "", "");
    let cells = cells(&plan).unwrap();
    let state = work::state(folder.path(), &cells[0]).unwrap();
    assert!(matches!(&state, State::NoRun(why) if why.contains("there/run.sqlite")), "{state:?}");
    let book = collect(folder.path(), &plan, &cells, &BTreeMap::new()).unwrap();
    let findings = analyse(&book);
    assert_eq!(findings.cells, [0, 0, 1]);
    let (what, why) = &findings.missing[0];
    assert!(
        what.contains("cells/imported/a.f32") && why.contains("no run is there"),
        "{what}: {why}"
    );
}

#[test]
fn what_a_plan_says_of_an_import_must_hold_together() {
    let twice = |to: &str| {
        let start = PLAN.find("[[import]]").unwrap();
        format!("{PLAN}{}", PLAN[start..].replace("'there'", "'elsewhere'").replace("'shap'", to))
    };
    for (text, problem) in [
        (
            PLAN.replace("'a.f32'", "'a'"),
            "import 1, network.name: expected a name that no [[network]] has",
        ),
        (PLAN.replace("'a.f32'", "'a/b'"), "network.name: expected letters"),
        (PLAN.replace("'a.f32'", "'b', model = 'b.onnx'"), "network.model: expected nothing"),
        (
            PLAN.replace("method = 'shap'", "method = 'none'"),
            "import 1, method: expected cam, shap",
        ),
        (PLAN.replace("run = 'there'", "run = 'there'\nframes = 0"), "frames: expected at least 1"),
        (
            twice("'cam'").replacen("'CF' }", "'UF' }", 1),
            "network: expected equal facts of `a.f32`",
        ),
        (twice("'shap'"), "cells/imported/a.f32/CF-test-size-64/shap twice"),
        (
            PLAN.replace("'synthetic:CF/test?size=64'", "'folder'"),
            "data: expected a rendered set such as CF",
        ),
    ] {
        let parsed = StudyPlan::parse(&text, "p").and_then(|plan| cells(&plan));
        let error = parsed.unwrap_err().to_string();
        assert!(error.contains(problem), "{problem}: {error}");
    }
    let plan = StudyPlan::parse(&twice("'cam'"), "p").unwrap();
    assert_eq!(cells(&plan).unwrap().len(), 2);
    assert_eq!(StudyPlan::parse(&plan.to_toml().unwrap(), "p").unwrap(), plan);
}

#[test]
fn runs_of_one_name_are_of_one_network() {
    let of = |sha256: &str| {
        let network = NetworkFacts { sha256: sha256.to_owned(), ..NetworkFacts::default() };
        let points = vec![super::super::book::Point::default()];
        Entry { network, import: Some(format!("run-{sha256}")), points, ..Entry::default() }
    };
    check_networks(&[of("aa"), of("aa")]).unwrap();
    let error = check_networks(&[of("aa"), of("bb")]).unwrap_err().to_string();
    assert!(
        error.contains("run-bb") && error.contains("expected aa, as in run-aa, found bb"),
        "{error}"
    );
}

#[test]
fn the_plan_of_the_zoo_takes_every_run_of_the_desktop() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let plan = StudyPlan::open("zoo").unwrap();
    let named =
        |run: &str| plan.imports.iter().any(|i| i.run == format!("runs/desktop-runs/{run}"));
    let mut runs = 0;
    for file in fs::read_dir(root.join("docs/desktop-runs")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if let Some(run) = name.strip_suffix(".sqlite.xz") {
            assert!(named(run), "{run}");
            runs += 1;
        }
    }
    assert!(runs >= 7, "{runs}");
    // a file's own folder is where its paths start, a built-in plan has none
    assert_eq!(plan.folder, Path::new(""));
    assert!(cells(&plan).unwrap().iter().all(|c| c.import.is_some()));
}
