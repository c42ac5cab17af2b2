//! What a store tells of its explanations, held against the method.

use super::{cells, entries, plan, store_with};
use crate::attribution::{Estimator, Grid, Plan};
use crate::store::FrameRow;

const SHAP: &str = "evaluations = 1000";

/// Explainer of the only cell, or why there is none; `shap` are the settings of Kernel SHAP.
fn taken(
    method: &str,
    shap: &str,
    told: &[(&str, &str)],
    plans: &[(String, String)],
    change: impl Fn(&mut FrameRow),
) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    store_with(folder.path(), told, plans, change);
    let mut plan = plan(folder.path(), SHAP, shap);
    method.clone_into(&mut plan.imports[0].method);
    let entries = entries(folder.path(), &plan).map_err(|error| error.to_string())?;
    Ok(entries[0].explainer.clone())
}

#[test]
fn a_setting_that_the_store_tells_must_be_that_of_the_method() {
    for (name, value, expected) in [
        ("set.shap.grid.rows", "14", "7"),
        ("set.shap.grid.columns", "4", "7"),
        ("set.shap.precision", "0.02", "null"),
        ("set.shap.baseline", "\"mean-colour\"", "\"zero\""),
        ("set.shap.output", "\"probability\"", "\"logit\""),
        ("set.shap.plans", "16", "32"),
        ("set.shap.seed", "2", "1"),
        ("set.target", "\"true\"", "\"predicted\""),
        ("set.upsampling", "\"bilinear\"", "\"nearest\""),
    ] {
        let error = taken("shap", SHAP, &[(name, value)], &[], |_| {}).unwrap_err();
        let problem = format!("there, {name}: expected {expected}, found {value}; name the method");
        assert!(error.contains(&problem), "{error}");
        // what Kernel SHAP was asked for decides nothing of the other maps in the store
        let cam = taken("cam", SHAP, &[(name, value)], &[], |_| {});
        assert_eq!(cam.is_ok(), name.starts_with("set.shap."), "{cam:?}");
    }
}

#[test]
fn a_store_that_tells_all_of_the_method_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let settings = cells(&plan(folder.path(), "", "")).unwrap()[0].plan.settings();
    let told: Vec<(String, String)> = settings
        .into_iter()
        .map(|(name, value)| (format!("set.{name}"), value.to_string()))
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert!(told.contains(&("set.shap.precision", "null")), "{told:?}");
    assert_eq!(taken("shap", SHAP, &told, &[], |_| {}).unwrap(), "permutation, 962");
}

#[test]
fn what_decides_nothing_or_is_in_the_name_of_the_maps_may_differ() {
    let told = [("set.shap.plans", "1"), ("set.shap.evaluations", "500")];
    assert_eq!(taken("shap", SHAP, &told, &[], |_| {}).unwrap(), "permutation, 482, one plan");
    // nobody looks before the end, unless a precision is asked for
    let least = ("set.shap.least_evaluations", "98");
    taken("shap", SHAP, &[least], &[], |_| {}).unwrap();
    let adaptive = format!("{SHAP}, precision = 0.02");
    let told = [least, ("set.shap.precision", "0.02")];
    let error = taken("shap", &adaptive, &told, &[], |_| {}).unwrap_err();
    assert!(error.contains("set.shap.least_evaluations: expected 290, found 98"), "{error}");
    taken("shap", &adaptive, &told[1..], &[], |_| {}).unwrap();
    // all coalitions are all, whatever was to be drawn
    let told =
        [("set.shap.estimator", "\"exact\""), ("set.shap.plans", "4"), ("set.shap.seed", "2")];
    let all = "estimator = 'exact', grid = { rows = 2, columns = 3 }";
    let small = |frame: &mut FrameRow| {
        frame.attributions[1].grid = (2, 3);
        frame.attributions[1].map.truncate(6);
    };
    taken("shap", all, &told, &[], small).unwrap();
}

#[test]
fn the_only_coalition_plan_tells_what_the_settings_leave_out() {
    let draw = |estimator, rows, seed| {
        Plan::draw(estimator, Grid { rows, columns: 7 }, 1000, seed).unwrap()
    };
    let stored = |plan: &Plan, body: String| {
        let hash = format!("\"{}\"", plan.hash());
        let plans = [(plan.hash().to_owned(), body)];
        taken("shap", SHAP, &[("hash.plan", hash.as_str())], &plans, |_| {})
    };
    let same = draw(Estimator::Permutation, 7, 1);
    let text = same.to_json().unwrap();
    assert_eq!(stored(&same, text.clone()).unwrap(), "permutation, 962, one plan");
    for (other, problem) in [
        (
            draw(Estimator::Captum, 7, 1),
            "shap.estimator: expected \"permutation\", found \"captum\"",
        ),
        (draw(Estimator::Permutation, 4, 1), "shap.grid.rows: expected 7, found 4"),
        (draw(Estimator::Permutation, 7, 2), "shap.seed: expected 1, found 2"),
    ] {
        let error = stored(&other, other.to_json().unwrap()).unwrap_err();
        let problem = format!("there, coalition plan, {problem}; name the method");
        assert!(error.contains(&problem), "{error}");
    }
    let first = same.coalitions()[2].to_string();
    let changed = text.replacen(&first, &first.replace('0', "1"), 1);
    let error = stored(&same, changed).unwrap_err();
    assert!(error.contains("there, coalition plan: expected a plan as it was drawn"), "{error}");
    assert!(error.contains("they were changed"), "{error}");
}

#[test]
fn maps_tell_their_super_pixels_and_their_class() {
    let other_grid = |frame: &mut FrameRow| {
        if frame.position == 1 {
            frame.attributions[1].grid = (2, 7);
            frame.attributions[1].map.truncate(14);
        }
    };
    let error = taken("shap", SHAP, &[], &[], other_grid).unwrap_err();
    let problem = "there, frame 1, super-pixels: expected 7x7, found 2x7; name the method";
    assert!(error.contains(problem), "{error}");
    taken("cam", SHAP, &[], &[], other_grid).unwrap();

    // taken for another class, and explained for the true one
    let missed = |frame: &mut FrameRow| frame.top5 = vec![frame.class + 1];
    for method in ["shap", "cam"] {
        let error = taken(method, SHAP, &[], &[], missed).unwrap_err();
        assert!(error.contains("there, frame 0, target: expected the predicted class "), "{error}");
    }
    let of_the_truth = "evaluations = 1000 }\ntarget = 'true'\n#";
    let told = [("set.target", "\"true\"")];
    taken("shap", of_the_truth, &told, &[], missed).unwrap();
    let predicted = |frame: &mut FrameRow| {
        missed(frame);
        frame.attributions[1].target = frame.top5[0];
    };
    taken("shap", SHAP, &[], &[], predicted).unwrap();
    let error = taken("shap", of_the_truth, &told, &[], predicted).unwrap_err();
    assert!(error.contains("there, frame 0, target: expected the true class "), "{error}");
}
