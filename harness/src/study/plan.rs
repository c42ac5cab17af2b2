//! A study as a TOML file: networks, ways to explain, and the blocks of a grid of both over data sets.
//!
//! ```toml
//! title = "Two networks"
//! [[network]]
//! name = "resnet50-cf"        # of the zoo; what its manifest tells need not stand here
//! [method.gradcam]
//! attribute = "gradcam"
//! [[grid]]
//! methods = ["gradcam"]
//! data = ["CF", "UF"]         # SET, SET/SPLIT or any data set; the test half unless said otherwise
//! frames = 820
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use datasets::sets::Set;
use models::manifest::Accuracy;
use serde::{Deserialize, Serialize};

use super::StudyError;
use super::import::{self, ImportEntry};
use crate::attribution::{GradCamSettings, Upsampling};
use crate::run::{Method, ShapSettings, Target};

/// Plans that are built in, by name.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("zoo", include_str!("../../../deploy/studies/zoo.toml")),
    ("paper", include_str!("../../../deploy/studies/paper.toml")),
    ("small", include_str!("../../../deploy/studies/small.toml")),
];

/// A study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyPlan {
    /// What the study is called in its report.
    pub title: String,
    /// What a reader should know of it, in a sentence or two.
    #[serde(default)]
    pub about: String,
    /// Threads that evaluate coalitions; 0 = all cores.
    #[serde(default)]
    pub threads: usize,
    /// Networks, those that do not exist yet among them.
    #[serde(default, rename = "network")]
    pub networks: Vec<NetworkEntry>,
    /// Ways to explain, by name.
    pub method: BTreeMap<String, MethodSettings>,
    /// Blocks of the grid, worked through in this order.
    #[serde(default, rename = "grid")]
    pub grids: Vec<GridBlock>,
    /// Runs that exist already, taken in as cells.
    #[serde(default, rename = "import", skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<ImportEntry>,
    /// Where relative paths of imports start: the folder of the plan's file, or the current one (empty) for a built-in plan.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A network; what is not named is taken from its manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkEntry {
    /// Name in the tables and, unless `model` names another, in the zoo.
    pub name: String,
    /// A manifest, or an ONNX file with its manifest beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `resnet50`, `convnext-tiny`, `convnext-small`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Set that it was trained on: UF UM UH CF CM CH CMC CMT CMR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// Number format: `f32`, `f16-weights`, `int8-qdq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Strength of the correlation of its training set, 0 to 1, where that is not the set's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// Seed of its training: what tells several trainings on one set apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Accuracy that was measured elsewhere, for a network that no longer exists or never was in the zoo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accuracy: Vec<Accuracy>,
}

/// What is wrong with a row of `[[network.accuracy]]`: what was expected, and what was found.
fn wrong_accuracy(row: &Accuracy) -> Option<(&'static str, String)> {
    let [low, high] = row.ci95.unwrap_or([row.top1; 2]);
    if row.set.strip_suffix("/test").and_then(Set::from_name).is_none() {
        return Some(("the test half of a set, such as CF/test", format!("`{}`", row.set)));
    }
    if row.n == 0 {
        return Some(("pictures", "n = 0".to_owned()));
    }
    let ordered = 0.0 <= low && low <= row.top1 && row.top1 <= high && high <= 1.0;
    (!ordered)
        .then(|| ("0 <= low <= top1 <= high <= 1", format!("{} in {low} to {high}", row.top1)))
}

/// How decisions are explained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MethodSettings {
    /// The method; nothing: decisions alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<Method>,
    /// Class that is explained.
    pub target: Target,
    /// Settings of `GradCAM`.
    pub gradcam: GradCamSettings,
    /// Settings of Kernel SHAP.
    pub shap: ShapSettings,
    /// How a map of few cells meets a mask of many pixels.
    pub upsampling: Upsampling,
}

/// Every network of a block meets every data set by every method.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridBlock {
    /// Names of networks; none: all.
    #[serde(default)]
    pub networks: Vec<String>,
    /// Data sets.
    pub data: Vec<String>,
    /// Names of methods.
    pub methods: Vec<String>,
    /// First frames of the data set.
    pub frames: usize,
    /// Corner cases: every data set is multiplied by kinds and severities.
    #[serde(default)]
    pub corner_cases: Vec<String>,
    /// Severities of the corner cases, 1 to 5.
    #[serde(default)]
    pub severities: Vec<u8>,
    /// Environments in which every sign shall stand: every data set is multiplied by them.
    #[serde(default)]
    pub environments: Vec<String>,
}

impl StudyPlan {
    /// Read a plan: the name of a built-in one, or a file.
    ///
    /// # Errors
    /// If there is no such plan, or it names what it does not define.
    pub fn open(name: &str) -> Result<Self, StudyError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(text, name);
        }
        let text = fs::read_to_string(Path::new(name)).map_err(|source| StudyError::Plan {
            place: name.to_owned(),
            problem: source.to_string(),
            remedy: format!("name a file, or a built-in plan: {}", names(&BUILT_IN)),
        })?;
        let folder = Path::new(name).parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { folder, ..Self::parse(&text, name)? })
    }

    /// Read a plan from text; `place` is where it came from.
    ///
    /// # Errors
    /// As [`StudyPlan::open`].
    pub fn parse(text: &str, place: &str) -> Result<Self, StudyError> {
        let plan: Self = toml::from_str(text).map_err(|source| StudyError::Plan {
            place: place.to_owned(),
            problem: source.to_string(),
            remedy: "docs/study.md describes the file".to_owned(),
        })?;
        plan.check(place)?;
        Ok(plan)
    }

    /// The plan as text.
    ///
    /// # Errors
    /// If a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, StudyError> {
        toml::to_string(self).map_err(|source| StudyError::Plan {
            place: self.title.clone(),
            problem: source.to_string(),
            remedy: "this is a bug in roadgaze".to_owned(),
        })
    }

    /// The same with at most so many frames a cell, and at most so many evaluations of Kernel SHAP a frame.
    #[must_use]
    pub fn limited(mut self, frames: Option<usize>, evaluations: Option<usize>) -> Self {
        for grid in &mut self.grids {
            grid.frames = grid.frames.min(frames.unwrap_or(usize::MAX));
        }
        for import in &mut self.imports {
            import.frames = [import.frames, frames].into_iter().flatten().min();
        }
        for method in self.method.values_mut() {
            let shap = &mut method.shap;
            shap.evaluations = shap.evaluations.min(evaluations.unwrap_or(usize::MAX));
            shap.least_evaluations = shap.least_evaluations.min(shap.evaluations);
        }
        self
    }

    fn check(&self, place: &str) -> Result<(), StudyError> {
        let wrong = |at: String, expected: String, found: &str| {
            Err(StudyError::Plan {
                place: format!("{place}, {at}"),
                problem: format!("expected {expected}, found {found}"),
                remedy: "docs/study.md describes the file".to_owned(),
            })
        };
        if let Some(name) = self.method.keys().find(|name| !is_plain_name(name)) {
            return wrong("method".into(), NAME_RULE.to_owned(), &format!("`{name}`"));
        }
        let mut known = BTreeSet::new();
        for network in &self.networks {
            if !is_plain_name(&network.name) {
                let expected = format!("{NAME_RULE} (a file goes into `model`)");
                return wrong("network.name".into(), expected, &format!("`{}`", network.name));
            }
            if !known.insert(network.name.as_str()) {
                let found = format!("`{}` twice", network.name);
                return wrong("network.name".into(), "every name once".into(), &found);
            }
            if let Some(strength) = network.strength.filter(|s| !(0.0..=1.0).contains(s)) {
                let at = format!("network {}, strength", network.name);
                return wrong(at, "a number from 0 to 1".into(), &strength.to_string());
            }
            if let Some((expected, found)) = network.accuracy.iter().find_map(wrong_accuracy) {
                let at = format!("network {}, accuracy", network.name);
                return wrong(at, expected.to_owned(), &found);
            }
        }
        for (name, method) in &self.method {
            if method.shap.frames != 0 {
                let at = format!("method.{name}.shap.frames");
                let expected = "nothing (`frames` of the grid says how many)".to_owned();
                return wrong(at, expected, &method.shap.frames.to_string());
            }
        }
        for (name, method) in &self.method {
            // cells of one estimator are held against each other, network by network
            let like = |other: &MethodSettings| {
                other.attribute.is_some()
                    && other.attribute == method.attribute
                    && (other.attribute != Some(Method::KernelShap)
                        || other.shap.estimator == method.shap.estimator)
            };
            if let Some((other, _)) = self.method.iter().find(|(_, m)| like(m) && *m != method) {
                let expected = "one setting of an estimator in a study".to_owned();
                return wrong(
                    format!("method.{name}"),
                    expected,
                    &format!("another in method.{other}"),
                );
            }
        }
        if let Some((at, expected, found)) = import::wrong(self) {
            return wrong(at, expected, &found);
        }
        for (number, grid) in (1..).zip(&self.grids) {
            let at = |what: &str| format!("grid {number}, {what}");
            if let Some(other) = grid.networks.iter().find(|n| !known.contains(n.as_str())) {
                let all: Vec<&str> = known.iter().copied().collect();
                return wrong(at("networks"), all.join(", "), &format!("`{other}`"));
            }
            if let Some(other) = grid.methods.iter().find(|m| !self.method.contains_key(*m)) {
                let all: Vec<&str> = self.method.keys().map(String::as_str).collect();
                return wrong(at("methods"), all.join(", "), &format!("`{other}`"));
            }
            if grid.methods.is_empty() || grid.data.is_empty() {
                return wrong(at("methods and data"), "at least one of each".into(), "none");
            }
            if grid.frames == 0 {
                return wrong(at("frames"), "at least 1".into(), "0");
            }
            if grid.corner_cases.is_empty() != grid.severities.is_empty() {
                let expected = "both or none of `corner_cases` and `severities`".to_owned();
                return wrong(at("corner cases"), expected, "one of them");
            }
        }
        Ok(())
    }
}

/// What [`is_plain_name`] asks for.
pub(super) const NAME_RULE: &str = "letters, digits, -, . and _, a dot not first,";

/// Whether a name of a network can be that of a folder everywhere.
pub(super) fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

fn names(plans: &[(&str, &str)]) -> String {
    plans.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "title = 't'\n[[network]]\nname = 'a'\n[method.m]\n[[grid]]\nmethods = ['m']\ndata = ['CF']\nframes = 8\n";

    #[test]
    fn built_in_plans_are_sound_and_survive_toml() {
        for (name, _) in BUILT_IN {
            let plan = StudyPlan::open(name).unwrap();
            assert!(!plan.title.is_empty() && !plan.about.is_empty(), "{name}");
            assert_eq!(StudyPlan::parse(&plan.to_toml().unwrap(), name).unwrap(), plan);
        }
    }

    #[test]
    fn the_paper_has_27_networks() {
        let plan = StudyPlan::open("paper").unwrap();
        let trained = plan.networks.iter().filter(|n| n.precision.as_deref() == Some("f32"));
        let trained: Vec<_> = trained.filter(|n| n.strength.is_none()).collect();
        assert_eq!(trained.len(), 27);
        let facts: BTreeSet<_> =
            trained.iter().map(|n| (n.architecture.clone(), n.train.clone())).collect();
        assert_eq!(facts.len(), 27, "three architectures x nine training sets");
    }

    #[test]
    fn what_a_plan_names_must_be_there() {
        StudyPlan::parse(SMALL, "p").unwrap();
        for (from, to, problem) in [
            ("methods = ['m']", "methods = ['n']", "grid 1, methods: expected m, found `n`"),
            ("frames = 8", "frames = 0", "frames: expected at least 1"),
            ("frames = 8", "frames = 8\nnetworks = ['b']", "networks: expected a, found `b`"),
            ("frames = 8", "frames = 8\ncorner_cases = ['fog']", "one of them"),
            ("name = 'a'", "name = 'a/b'", "network.name"),
            ("name = 'a'", "name = '..'", "network.name"),
            ("[method.m]", "[method.'../x']\n[method.m]", "method: expected letters"),
            ("title = 't'", "titel = 't'", "unknown field"),
            (
                "[method.m]",
                "[method.m]\nattribute = 'kernel-shap'\n[method.n]\nattribute = 'kernel-shap'\nshap = { evaluations = 98 }",
                "method.m: expected one setting of an estimator in a study, found another in method.n",
            ),
        ] {
            let text = SMALL.replace(from, to);
            let error = StudyPlan::parse(&text, "p").unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        let error = StudyPlan::open("nowhere.toml").unwrap_err().to_string();
        assert!(error.contains("zoo, paper"), "{error}");
    }

    #[test]
    fn accuracy_of_a_network_that_is_gone_may_stand_in_the_plan() {
        let row = "name = 'a'\n[[network.accuracy]]\nset = 'CF/test'\ntop1 = 0.9996\nn = 49200\nci95 = [0.9994, 0.9997]\n";
        let text = SMALL.replace("name = 'a'\n", row);
        let plan = StudyPlan::parse(&text, "p").unwrap();
        assert_eq!(plan.networks[0].accuracy[0].n, 49_200);
        assert_eq!(StudyPlan::parse(&plan.to_toml().unwrap(), "p").unwrap(), plan);
        for (from, to, problem) in [
            ("CF/test", "CF/train", "network a, accuracy: expected the test half of a set"),
            ("49200", "0", "found n = 0"),
            ("top1 = 0.9996", "top1 = 99.96", "found 99.96 in 0.9994 to 0.9997"),
        ] {
            let error = StudyPlan::parse(&text.replace(from, to), "p").unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_limit_lowers_and_never_raises() {
        let plan = StudyPlan::parse(SMALL, "p").unwrap().limited(Some(5), Some(100));
        assert_eq!((plan.grids[0].frames, plan.method["m"].shap.evaluations), (5, 100));
        let plan = StudyPlan::parse(SMALL, "p").unwrap().limited(Some(50), None);
        assert_eq!(plan.grids[0].frames, 8);
    }
}
