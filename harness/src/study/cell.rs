//! A cell of the grid: one network on one data set by one method, which is an ordinary run in a folder of its own.

mod data;
mod network;

use std::collections::BTreeSet;

pub use data::DataFacts;
pub use network::{KnownAccuracy, NetworkFacts, Told};

use super::StudyError;
use super::import::{self, Import};
use super::plan::{GridBlock, MethodSettings, NetworkEntry, StudyPlan};
use crate::attribution::Plan;
use crate::run::{Method, RunPlan, ShapSettings};

/// One network on one data set by one method.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Folder of its run inside the study, and its key.
    pub id: String,
    /// The network.
    pub network: NetworkFacts,
    /// The data set.
    pub data: DataFacts,
    /// Name of the method in the plan.
    pub method: String,
    /// The run; of an import what it must be.
    pub plan: RunPlan,
    /// Where the run lies if it is not the study's own.
    pub import: Option<Import>,
}

impl Cell {
    pub(super) fn new(
        network: &NetworkFacts,
        model: &str,
        data: DataFacts,
        (name, method): (&str, &MethodSettings),
        frames: usize,
        threads: usize,
    ) -> Self {
        let plan = RunPlan {
            model: model.to_owned(),
            data: data.name.clone(),
            frames,
            attribute: method.attribute.into_iter().collect(),
            target: method.target,
            gradcam: method.gradcam,
            shap: method.shap,
            upsampling: method.upsampling,
            threads,
            previews: PREVIEWS,
            ..RunPlan::default()
        };
        let evaluations = match method.attribute {
            Some(Method::KernelShap) => format!("-{}", method.shap.evaluations),
            _ => String::new(),
        };
        let id = format!("cells/{}/{}/{name}{evaluations}-{frames}", network.name, data.slug());
        let network = network.clone();
        Self { id, network, data, method: name.to_owned(), plan, import: None }
    }

    /// Name of what explains: `gradcam`, or the estimator of Shapley values with its evaluations, because what fewer of them
    /// say is another measure; empty for decisions alone.
    #[must_use]
    pub fn explainer(&self, evaluations: usize) -> String {
        let shap = &self.plan.shap;
        match self.plan.attribute.first() {
            Some(Method::Gradcam) => Method::Gradcam.name().to_owned(),
            Some(Method::KernelShap) if shap.precision.is_some() => {
                format!("{}, up to {evaluations}", shap.estimator.name())
            }
            Some(Method::KernelShap) => format!("{}, {evaluations}", shap.estimator.name()),
            None => String::new(),
        }
    }

    /// Coalitions of a frame, ends and repeats included; 0 if none are evaluated.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        match self.plan.attribute.first() {
            Some(Method::KernelShap) => coalitions(&self.plan.shap),
            _ => 0,
        }
    }

    /// Name of the method in the run store; none for decisions alone.
    #[must_use]
    pub fn attribution(&self) -> Option<&'static str> {
        self.plan.attribute.first().map(|method| method.name())
    }
}

/// Coalitions that settings lead to, ends and repeats included: as many as whole units of the sample make up.
pub(super) fn coalitions(shap: &ShapSettings) -> usize {
    Plan::draw(shap.estimator, shap.grid, shap.evaluations, shap.seed)
        .map_or(shap.evaluations, |plan| plan.coalitions().len())
}

/// Pictures that every run keeps for its own report.
const PREVIEWS: usize = 8;

/// All cells of a plan in its order, each once, those of missing networks among them.
///
/// # Errors
/// If a data set is not understood.
pub fn cells(plan: &StudyPlan) -> Result<Vec<Cell>, StudyError> {
    let find = |entry| Ok((entry, NetworkFacts::find(entry)?));
    let facts: Vec<(&NetworkEntry, NetworkFacts)> =
        plan.networks.iter().map(find).collect::<Result<_, StudyError>>()?;
    let mut cells = Vec::new();
    let mut seen = BTreeSet::new();
    for grid in &plan.grids {
        let data = data_of(grid)?;
        for method in &grid.methods {
            let Some(settings) = plan.method.get(method) else { continue };
            for (entry, network) in &facts {
                if !grid.networks.is_empty() && !grid.networks.contains(&entry.name) {
                    continue;
                }
                let model = entry.model.as_ref().unwrap_or(&entry.name);
                for data in &data {
                    let named = (method.as_str(), settings);
                    let cell =
                        Cell::new(network, model, data.clone(), named, grid.frames, plan.threads);
                    if seen.insert(cell.id.clone()) {
                        cells.push(cell);
                    }
                }
            }
        }
    }
    cells.extend(import::cells(plan)?);
    Ok(cells)
}

fn data_of(grid: &GridBlock) -> Result<Vec<DataFacts>, StudyError> {
    let mut variants: Vec<Vec<(&str, String)>> = vec![Vec::new()];
    if !grid.corner_cases.is_empty() {
        variants = grid
            .corner_cases
            .iter()
            .flat_map(|kind| grid.severities.iter().map(move |s| format!("{kind}:{s}")))
            .map(|case| vec![("corner_case", case)])
            .collect();
    }
    if !grid.environments.is_empty() {
        variants = variants
            .iter()
            .flat_map(|options| {
                grid.environments.iter().map(move |environment| {
                    let more = ("environment", environment.clone());
                    options.iter().cloned().chain([more]).collect()
                })
            })
            .collect();
    }
    grid.data
        .iter()
        .flat_map(|name| variants.iter().map(move |options| DataFacts::of(name, options)))
        .collect()
}
#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "title = 't'\n[[network]]\nname = 'nobody'\narchitecture = 'resnet50'\ntrain = 'CF'\nprecision = 'f32'\n\
        [method.cam]\nattribute = 'gradcam'\n[method.shap]\nattribute = 'kernel-shap'\nshap = { evaluations = 98 }\n\
        [[grid]]\nmethods = ['cam', 'shap']\ndata = ['CF', 'synthetic:UF/test']\nframes = 8\n\
        [[grid]]\nmethods = ['cam']\ndata = ['CF']\ncorner_cases = ['fog', 'snow']\nseverities = [1, 5]\nframes = 4\n\
        [[grid]]\nmethods = ['cam']\ndata = ['CF']\nenvironments = ['coast', 'forest']\nframes = 4\n\
        [[grid]]\nmethods = ['cam']\ndata = ['CF']\nframes = 8\n";

    #[test]
    fn a_plan_may_not_say_otherwise_than_a_manifest_what_a_network_was_trained_on() {
        let zoo = |train: &str| {
            PLAN.replace("'nobody'", "'resnet50-cf.f16'").replace("'CF'\nprec", train)
        };
        let found = |text: String| cells(&StudyPlan::parse(&text, "p").unwrap());
        let error = found(zoo("'UF'\nprec")).unwrap_err().to_string();
        assert!(error.contains("network resnet50-cf.f16, train: expected CF"), "{error}");
        assert_eq!(found(zoo("'CF'\nprec")).unwrap().len(), 10);
    }

    #[test]
    fn a_grid_unfolds_each_cell_once() {
        let cells = cells(&StudyPlan::parse(PLAN, "p").unwrap()).unwrap();
        assert_eq!(cells.len(), 4 + 4 + 2, "the last block repeats a cell");
        assert_eq!(cells[0].id, "cells/nobody/CF-test/cam-8");
        assert_eq!(cells[2].id, "cells/nobody/CF-test/shap-98-8");
        assert_eq!(cells[2].explainer(cells[2].evaluations()), "permutation, 98");
        let fog = &cells[5].data;
        assert_eq!((fog.corner_case.as_str(), fog.severity), ("fog", 5));
        assert_eq!(cells[8].data.environment, "coast");
        assert!(cells[0].network.missing.is_some() && cells[0].data.is_plain_test());
        assert!(!fog.is_plain_test());
        let lost = PLAN.replace("'synthetic:UF/test'", "'synthetic:XX/test'");
        let error = super::cells(&StudyPlan::parse(&lost, "p").unwrap()).unwrap_err().to_string();
        assert!(error.contains("unknown set `XX`"), "{error}");
    }
}
