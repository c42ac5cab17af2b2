//! A cell of the grid: one network on one data set by one method, which is an ordinary run in a folder of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use datasets::sets::{Set, SetName};
use models::Manifest;
use models::manifest::Accuracy;
use serde::{Deserialize, Serialize};

use super::StudyError;
use super::import::{self, Import};
use super::plan::{GridBlock, MethodSettings, NetworkEntry, StudyPlan};
use crate::attribution::Plan;
use crate::run::{Method, RunPlan, ShapSettings};

/// Who tells an accuracy that no cell of the study measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// The network's manifest.
    Manifest,
    /// The plan of the study.
    Plan,
}

/// An accuracy that is known without a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownAccuracy {
    /// Who tells it.
    pub told: Told,
    /// Set, share, number of pictures and interval.
    pub figures: Accuracy,
}

/// What is known of a network before it is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkFacts {
    /// Name in the tables.
    pub name: String,
    /// Architecture; empty where nobody says.
    pub architecture: String,
    /// Set that it was trained on; empty where nobody says.
    pub train: String,
    /// Number format; empty where nobody says.
    pub precision: String,
    /// Strength of the correlation where it is not that of the set.
    pub strength: Option<f64>,
    /// Hash of the model file; empty if the network does not exist.
    pub sha256: String,
    /// Hash of the network in floating point that it was quantized from; empty where nobody says.
    #[serde(default)]
    pub float_sha256: String,
    /// Manifest, if the network exists.
    pub manifest: Option<PathBuf>,
    /// Why it cannot be used.
    pub missing: Option<String>,
    /// Accuracy measured elsewhere: rows of the manifest, then those of the plan.
    #[serde(default)]
    pub accuracy: Vec<KnownAccuracy>,
}

fn known(told: Told, rows: &[Accuracy]) -> impl Iterator<Item = KnownAccuracy> {
    rows.iter().map(move |figures| KnownAccuracy { told, figures: figures.clone() })
}

impl NetworkFacts {
    /// What the plan alone tells, whether the network exists or not.
    #[must_use]
    pub fn planned(entry: &NetworkEntry) -> Self {
        let named = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            name: entry.name.clone(),
            architecture: named(&entry.architecture),
            train: named(&entry.train),
            precision: named(&entry.precision),
            strength: entry.strength,
            accuracy: known(Told::Plan, &entry.accuracy).collect(),
            ..Self::default()
        }
    }

    /// Looks the network up in the zoo or by its path; one that is not there is no error.
    ///
    /// # Errors
    /// If the plan names another training set than the manifest.
    pub fn find(entry: &NetworkEntry) -> Result<Self, StudyError> {
        let model = entry.model.as_ref().unwrap_or(&entry.name);
        let found = models::zoo::find(model).and_then(|path| Ok((Manifest::read(&path)?, path)));
        let mut facts = Self::planned(entry);
        match found {
            Ok((manifest, path)) => {
                let told = |key: &str| {
                    manifest.training.get(key).and_then(|v| v.as_str()).unwrap_or("").to_owned()
                };
                let fill = |field: &mut String, value: String| {
                    if field.is_empty() {
                        *field = value;
                    }
                };
                // a name of the architecture is the user's; the training set is a fact
                let set = told("set");
                let ours = Set::from_name(&set).is_some();
                if ours && !facts.train.is_empty() && facts.train != set {
                    return Err(StudyError::Plan {
                        place: format!("network {}, train", entry.name),
                        problem: format!(
                            "expected {set}, as its manifest says, found {}",
                            facts.train
                        ),
                        remedy: "correct the plan, or leave `train` out".to_owned(),
                    });
                }
                fill(&mut facts.architecture, manifest.architecture.clone());
                fill(&mut facts.train, told("set"));
                fill(&mut facts.precision, manifest.precision.name().to_owned());
                let dose = manifest.training.get("strength").and_then(toml::Value::as_float);
                facts.strength = facts.strength.or(dose);
                facts.accuracy.splice(0..0, known(Told::Manifest, &manifest.accuracy));
                let calibration = manifest.training.get("calibration");
                let float = calibration.and_then(|c| c.get("from_sha256")).and_then(|v| v.as_str());
                facts.float_sha256 = float.unwrap_or_default().to_owned();
                facts.sha256 = manifest.sha256;
                facts.manifest = Some(path);
            }
            Err(error) => facts.missing = Some(error.to_string()),
        }
        Ok(facts)
    }

    /// The training set, if it is one of ours.
    #[must_use]
    pub fn set(&self) -> Option<Set> {
        Set::from_name(&self.train)
    }

    /// Whether its multiplications are on integers.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.precision.starts_with("int8")
    }
}

/// What is known of a data set from its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Name as `--data` takes it.
    pub name: String,
    /// `CF` and the like; empty for a folder.
    pub set: String,
    /// `test` or `train`; empty for a folder.
    pub split: String,
    /// Kind of corner case; empty for ordinary pictures.
    pub corner_case: String,
    /// Severity of the corner case, 0 without one.
    pub severity: u8,
    /// Environment that every picture is forced into; empty where the set draws it.
    pub environment: String,
}

impl DataFacts {
    /// The facts of a name as it stands in a plan: `CF`, `CF/test`, `synthetic:CF/test?...`, or a folder.
    ///
    /// # Errors
    /// If it starts like a rendered set and is none.
    pub fn of(name: &str, options: &[(&str, String)]) -> Result<Self, StudyError> {
        let short = Set::from_name(name).is_some();
        let first = name.split(['/', '?']).next().unwrap_or_default();
        let rendered = short
            || name.starts_with(datasets::sets::spec::PREFIX)
            || Set::from_name(first).is_some_and(|_| name.contains('/'));
        if !rendered {
            if options.is_empty() {
                return Ok(Self { name: name.to_owned(), ..Self::default() });
            }
            return Err(StudyError::Plan {
                place: format!("data `{name}`"),
                problem:
                    "expected a rendered set beside corner_cases or environments, found a folder"
                        .to_owned(),
                remedy: "name a set such as CF".to_owned(),
            });
        }
        let mut text = if short { format!("{name}/test") } else { name.to_owned() };
        for (option, value) in options {
            let joint = if text.contains('?') { '&' } else { '?' };
            text.push_str(&format!("{joint}{option}={value}"));
        }
        let parsed: SetName =
            text.parse().map_err(|source: datasets::source::SourceError| StudyError::Plan {
                place: "data".to_owned(),
                problem: source.to_string(),
                remedy: "docs/study.md describes the file".to_owned(),
            })?;
        let case = parsed.corner_case;
        let kind = if case.severity == 0 { String::new() } else { word(&case.kind) };
        Ok(Self {
            name: parsed.to_string(),
            set: parsed.set.to_string(),
            split: parsed.split.as_str().to_owned(),
            corner_case: kind,
            severity: case.severity,
            environment: parsed
                .environment
                .map(datasets::sets::spec::environment_word)
                .unwrap_or_default(),
        })
    }

    /// Ordinary test pictures of a set: of its own size and strength, from the first one on; their number does not matter.
    #[must_use]
    pub fn is_plain_test(&self) -> bool {
        self.split == "test" && self.differs_in("per_class")
    }

    /// Whether the pictures are those of the set but for their number and this one option.
    pub(super) fn differs_in(&self, option: &str) -> bool {
        let options = self.name.split_once('?').map_or("", |(_, options)| options);
        let key = |o: &str| o.split_once('=').map_or("", |(key, _)| key) == option;
        options.split('&').all(|o| o.is_empty() || o.starts_with("per_class=") || key(o))
    }

    pub(super) fn slug(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let body = self.name.strip_prefix(datasets::sets::spec::PREFIX).unwrap_or(&self.name);
        body.chars().map(plain).collect::<String>().trim_matches('-').to_owned()
    }
}

/// The name that serde gives a word.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

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
        let zoo =
            |train: &str| PLAN.replace("'nobody'", "'resnet50-cf'").replace("'CF'\nprec", train);
        let found = |text: String| cells(&StudyPlan::parse(&text, "p").unwrap());
        let error = found(zoo("'UF'\nprec")).unwrap_err().to_string();
        assert!(error.contains("network resnet50-cf, train: expected CF"), "{error}");
        assert_eq!(found(zoo("'CF'\nprec")).unwrap().len(), 10);
    }

    #[test]
    fn other_pictures_than_those_of_the_set_are_not_taken_for_them() {
        let of = |name: &str| DataFacts::of(name, &[]).unwrap();
        for (name, plain, fog) in [
            ("CF", true, true),
            ("synthetic:CF/test?per_class=3", true, true),
            ("synthetic:CF/test?strength=0.50", false, false),
            ("synthetic:CF/test?size=96", false, false),
            ("synthetic:CF/test?first=4", false, false),
            ("synthetic:CF/test?per_class=3&corner_case=fog:2", false, true),
            ("synthetic:CF/test?size=96&corner_case=fog:2", false, false),
            ("synthetic:CF/train", false, true),
        ] {
            let data = of(name);
            assert_eq!(
                (data.is_plain_test(), data.differs_in("corner_case")),
                (plain, fog),
                "{name}"
            );
        }
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

    #[test]
    fn accuracy_comes_from_the_manifest_and_then_from_the_plan() {
        let row = Accuracy { set: "UH/test".to_owned(), top1: 0.5, n: 10, ci95: None };
        let entry = NetworkEntry {
            name: "resnet50-cf".to_owned(),
            accuracy: vec![row.clone()],
            ..NetworkEntry::default()
        };
        let facts = NetworkFacts::find(&entry).unwrap();
        let (last, first) = facts.accuracy.split_last().unwrap();
        assert_eq!((last.told, &last.figures), (Told::Plan, &row));
        assert!(first.iter().any(|k| k.told == Told::Manifest && k.figures.set == "CF/test"));
        // the column of an older study has no such list
        let old = serde_json::to_string(&NetworkFacts::default()).unwrap();
        let old = old.replace(",\"accuracy\":[]", "");
        assert!(!old.contains("accuracy"), "{old}");
        assert_eq!(serde_json::from_str::<NetworkFacts>(&old).unwrap(), NetworkFacts::default());
    }

    #[test]
    fn a_manifest_tells_which_network_it_was_quantized_from() {
        let named = |name: &str| NetworkEntry { name: name.to_owned(), ..NetworkEntry::default() };
        let integer = NetworkFacts::find(&named("resnet50-cf")).unwrap();
        let float = NetworkFacts::find(&named("resnet50-cf.f16")).unwrap();
        assert_eq!(integer.float_sha256, float.sha256);
        assert!(float.float_sha256.is_empty() && !float.sha256.is_empty());
    }
}
