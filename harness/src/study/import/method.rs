//! Whether a run was explained as a method says.
//!
//! The device tells every setting of its plan. The desktop tells fewer, but super-pixels, seed and class stand in its coalition plan
//! and in its maps as well. Whatever a store tells must be so in the method; what it does not tell is taken as it is.

use serde_json::Value;

use super::Import;
use crate::attribution::{Estimator, Grid, Plan};
use crate::run::{Method, RunPlan, Target};
use crate::store::{FrameRow, Stored};
use crate::study::StudyError;
use crate::study::cell::Cell;

/// What the user can do about any of it.
const REMEDY: &str = "name the method that the run was made with";

/// How the names of settings begin that decide what a map shows.
///
/// The number of evaluations is not among them: it is part of the name that sets maps apart in every table (`Cell::explainer`), and
/// `--evaluations` lowers that of a method, which no run that exists can follow.
const DECISIVE: [&str; 11] = [
    "target",
    "upsampling",
    "gradcam.",
    "shap.estimator",
    "shap.grid.",
    "shap.baseline",
    "shap.output",
    "shap.precision",
    "shap.least_evaluations",
    "shap.plans",
    "shap.seed",
];

/// A setting as a store tells it.
struct Told {
    /// Where it stands.
    place: String,
    /// Its name in [`RunPlan::settings`].
    setting: String,
    /// Its value as JSON.
    value: String,
}

/// Settings and coalition plan of a run against the method.
pub(super) fn check_settings(
    import: &Import,
    stored: &Stored,
    cell: &Cell,
) -> Result<(), StudyError> {
    let wanted = cell.plan.settings();
    let mut all: Vec<Told> = stored.settings.iter().filter_map(of_setting).collect();
    if cell.plan.attribute.first() == Some(&Method::KernelShap) {
        all.extend(only_plan(import, stored)?.iter().flat_map(of_plan));
    }
    for told in all.iter().filter(|told| decides(told, &cell.plan)) {
        let expected =
            wanted.get(&told.setting).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        if told.value != expected {
            return Err(import.refused(&told.place, &expected, &told.value, REMEDY));
        }
    }
    Ok(())
}

/// Class and super-pixels of a map against the method: a frame tells them whatever else the store is silent about.
pub(super) fn check_map(import: &Import, frame: &FrameRow, cell: &Cell) -> Result<(), StudyError> {
    let method = cell.attribution();
    let Some(map) = frame.attributions.iter().find(|a| Some(a.method.as_str()) == method) else {
        return Ok(());
    };
    let refused = |what: &str, expected: &str, found: &str| {
        let place = format!("frame {}, {what}", frame.position);
        Err(import.refused(&place, expected, found, REMEDY))
    };
    let (word, class) = match cell.plan.target {
        Target::Predicted => ("predicted", frame.top5.first().copied()),
        Target::True => ("true", Some(frame.class)),
    };
    if let Some(class) = class.filter(|class| *class != map.target) {
        return refused("target", &format!("the {word} class {class}"), &map.target.to_string());
    }
    let grid = Grid { rows: usize::from(map.grid.0), columns: usize::from(map.grid.1) };
    let wanted = cell.plan.shap.grid;
    // a map of GradCAM has the cells of the network
    if cell.plan.attribute.first() == Some(&Method::KernelShap) && grid != wanted {
        return refused("super-pixels", &wanted.to_string(), &grid.to_string());
    }
    Ok(())
}

/// Whether a setting must be that of the method.
fn decides(told: &Told, plan: &RunPlan) -> bool {
    let setting = told.setting.as_str();
    let other_method = match plan.attribute.first() {
        Some(Method::Gradcam) => "shap.",
        Some(Method::KernelShap) => "gradcam.",
        None => return false,
    };
    let exact = plan.shap.estimator == Estimator::Exact;
    let idle = match setting {
        // nobody looks before the end
        "shap.least_evaluations" => plan.shap.precision.is_none(),
        // nothing is drawn
        "shap.seed" => exact,
        // maps that all follow one plan are set apart by name (`collect::ONE_PLAN`): a store that tells it is worth no less than
        // one that does not
        "shap.plans" => exact || told.value == "1",
        _ => false,
    };
    DECISIVE.iter().any(|start| setting.starts_with(start))
        && !setting.starts_with(other_method)
        && !idle
}

fn of_setting((key, value): (&String, &String)) -> Option<Told> {
    let setting = key.strip_prefix("set.")?.to_owned();
    Some(Told { place: key.clone(), setting, value: value.clone() })
}

fn of_plan(plan: &Plan) -> [Told; 4] {
    let Grid { rows, columns } = plan.grid();
    [
        ("shap.estimator", Value::from(plan.estimator().name())),
        ("shap.grid.rows", Value::from(rows)),
        ("shap.grid.columns", Value::from(columns)),
        ("shap.seed", Value::from(plan.seed())),
    ]
    .map(|(setting, value)| Told {
        place: format!("coalition plan, {setting}"),
        setting: setting.to_owned(),
        value: value.to_string(),
    })
}

/// The coalition plan of a run that has one; several lie under other hashes than that of them all.
fn only_plan(import: &Import, stored: &Stored) -> Result<Option<Plan>, StudyError> {
    let Ok(body) = stored.plan(&stored.text("hash.plan")) else { return Ok(None) };
    Plan::from_json(&String::from_utf8_lossy(&body)).map(Some).map_err(|error| {
        let found = format!("one that was changed ({error})");
        let remedy = "restore the store from a copy, or leave the run out";
        import.refused("coalition plan", "a plan as it was drawn", &found, remedy)
    })
}
