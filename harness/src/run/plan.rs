//! Everything that can be set for a run, from a TOML file or the command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attribution::{Baseline, Estimator, GradCamSettings, Grid, Output, Upsampling};
use crate::games::RecordSettings;
use crate::store::Shard;

/// Why a plan is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file could not be read.
    #[error(
        "{path}: {source}; expected a plan or a target profile, a TOML file, or a command that \
         `roadgaze --help` lists"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a plan.
    #[error("{path}: {source}")]
    Toml {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value cannot be written as TOML.
    #[error("the plan cannot be printed: {0}; this is a bug in roadgaze")]
    Print(#[from] toml::ser::Error),
    /// A value is out of its range.
    #[error("{name}: {expected} expected, {found} found")]
    Range {
        /// Setting.
        name: &'static str,
        /// What is possible.
        expected: String,
        /// What was given.
        found: String,
    },
}

/// A way to explain a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// `GradCAM` at the last feature map, in closed form.
    Gradcam,
    /// Kernel SHAP (or another estimator of Shapley values) on super-pixels.
    KernelShap,
}

impl Method {
    /// Name in the store, in `summary.json` and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gradcam => "gradcam",
            Self::KernelShap => "kernel-shap",
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Gradcam, Self::KernelShap].into_iter().find(|m| m.name() == name)
    }
}

/// Which class is explained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The class with the highest logit.
    #[default]
    Predicted,
    /// The true class.
    True,
}

/// Settings of Kernel SHAP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShapSettings {
    /// How coalitions are drawn and weighed.
    pub estimator: Estimator,
    /// Coalitions a frame, the two ends included; with a precision, at most.
    pub evaluations: usize,
    /// End a frame's explanation when the standard error of its pixel ratio is at most this.
    pub precision: Option<f64>,
    /// With a precision: coalitions before the first look.
    pub least_evaluations: usize,
    /// Super-pixels.
    pub grid: Grid,
    /// What a masked super-pixel shows.
    pub baseline: Baseline,
    /// Number that is explained.
    pub output: Output,
    /// Seed of the coalition plans.
    pub seed: u64,
    /// Different coalition plans, dealt out to the frames; 1 = the same for all, whose ratios then err together.
    pub plans: usize,
    /// Frames that are explained this way, spread evenly over the run; 0 = all.
    pub frames: usize,
}

impl Default for ShapSettings {
    fn default() -> Self {
        Self {
            estimator: Estimator::Permutation,
            evaluations: 290,
            precision: None,
            least_evaluations: 290,
            grid: Grid::default(),
            baseline: Baseline::Zero,
            output: Output::Logit,
            seed: 1,
            plans: 32,
            frames: 0,
        }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunPlan {
    /// Name of a network in the zoo, a manifest, or an ONNX file with its manifest beside it.
    pub model: String,
    /// `synthetic:CF/test` and the like, or a folder.
    pub data: String,
    /// Frames to process; the first ones of the data set, which are balanced over classes.
    pub frames: usize,
    /// How decisions are explained.
    pub attribute: Vec<Method>,
    /// Class that is explained.
    pub target: Target,
    /// Settings of `GradCAM`.
    pub gradcam: GradCamSettings,
    /// Settings of Kernel SHAP.
    pub shap: ShapSettings,
    /// Games to record for `roadgaze bench --estimators`.
    pub record: RecordSettings,
    /// How a map of few cells meets a mask of many pixels.
    pub upsampling: Upsampling,
    /// Threads that evaluate coalitions; 0 = all cores.
    pub threads: usize,
    /// Pictures kept for the report: those of the positions below this number.
    pub previews: usize,
    /// Count frames that cannot be read instead of ending the run.
    pub skip_bad: bool,
    /// Part of the frames that this machine does; nothing = all.
    pub shard: Option<Shard>,
}

impl Default for RunPlan {
    fn default() -> Self {
        Self {
            model: DEFAULT_MODEL.to_owned(),
            data: "synthetic:CF/test".to_owned(),
            frames: 82,
            attribute: vec![Method::Gradcam, Method::KernelShap],
            target: Target::Predicted,
            gradcam: GradCamSettings::default(),
            shap: ShapSettings::default(),
            record: RecordSettings::default(),
            upsampling: Upsampling::Nearest,
            threads: 0,
            previews: 200,
            skip_bad: false,
            shard: None,
        }
    }
}

/// Network of the built-in plan.
const DEFAULT_MODEL: &str = "resnet50-cf";
/// What a name gets behind it where the zoo holds the network in floating point alone.
const FLOAT_SUFFIX: &str = ".f32";
/// Frames that the built-in plan explains by Kernel SHAP: two cores are through within three minutes.
const BUILT_IN_SHAP_FRAMES: usize = 10;

impl RunPlan {
    /// What runs when nothing is asked for: 82 rendered frames, one of each class, `GradCAM` on all and Kernel SHAP on
    /// ten of them.
    #[must_use]
    pub fn built_in() -> Self {
        let shap = ShapSettings { frames: BUILT_IN_SHAP_FRAMES, ..ShapSettings::default() };
        Self { shap, ..Self::default() }
    }

    /// Name of the network as the zoo has it: `NAME`, or `NAME.f32` where only that one is there.
    #[must_use]
    pub fn model_in_zoo(&self) -> String {
        let float = format!("{}{FLOAT_SUFFIX}", self.model);
        let found = |name: &str| models::zoo::find(name).is_ok();
        if !found(&self.model) && found(&float) { float } else { self.model.clone() }
    }

    /// Whether a method explains the frame at a position.
    #[must_use]
    pub const fn explains(&self, method: Method, position: u32) -> bool {
        let wanted = self.shap.frames;
        let (position, frames) = (position as usize, self.frames);
        match method {
            Method::Gradcam => true,
            // the last of each of `wanted` equal parts, so that the first results come at once
            Method::KernelShap => {
                wanted == 0
                    || wanted >= frames
                    || (position + 1) * wanted / frames > position * wanted / frames
            }
        }
    }

    /// Read a plan; what it does not name keeps its default.
    ///
    /// # Errors
    /// If the file cannot be read or names an unknown setting or value.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = fs::read_to_string(path)
            .map_err(|source| PlanError::File { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Parse the text of a plan; the path is for messages alone.
    ///
    /// # Errors
    /// If it names an unknown setting or value.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PlanError> {
        toml::from_str(text)
            .map_err(|source| PlanError::Toml { path: path.to_owned(), source: Box::new(source) })
    }

    /// The plan as text, every setting named but those that are nothing unless given (`shap.precision`, `shard`).
    ///
    /// # Errors
    /// If a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, PlanError> {
        Ok(toml::to_string(self)?)
    }

    /// Positions to process in a data set of that many frames.
    ///
    /// # Errors
    /// If no frame is asked for, or more than there are.
    pub fn positions(&self, available: usize) -> Result<Vec<u32>, PlanError> {
        if self.frames == 0 || self.frames > available {
            return Err(PlanError::Range {
                name: "--frames",
                expected: format!("1 to {available}, as many as {} has,", self.data),
                found: self.frames.to_string(),
            });
        }
        let all = 0..u32::try_from(self.frames).unwrap_or(u32::MAX);
        let mine: Vec<u32> = match self.shard {
            None => all.collect(),
            Some(shard) => all.filter(|&position| shard.holds(position)).collect(),
        };
        if mine.is_empty() {
            return Err(PlanError::Range {
                name: "--shard",
                expected: format!("at most {} shards, one a frame,", self.frames),
                found: self.shard.map(|s| s.to_string()).unwrap_or_default(),
            });
        }
        Ok(mine)
    }

    /// Threads to use.
    #[must_use]
    pub fn thread_count(&self) -> usize {
        if self.threads > 0 {
            return self.threads;
        }
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// The settings that decide the results, by dotted name.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<String, Value> {
        let mut flat = BTreeMap::new();
        flatten("", &serde_json::to_value(self).unwrap_or(Value::Null), &mut flat);
        // speed and by-products, not results
        flat.remove("threads");
        flat.retain(|name, _| !name.starts_with("record."));
        // recorded games take grid, baseline and output from there
        if !self.attribute.contains(&Method::KernelShap) && self.record.frames == 0 {
            flat.retain(|name, _| !name.starts_with("shap."));
        }
        flat
    }
}

impl RunPlan {
    /// The plan of a stored run, from its settings as [`RunPlan::settings`] named them, each with `set.` before it.
    ///
    /// # Errors
    /// If they are not those of a plan of this version.
    pub fn from_settings(stored: &BTreeMap<String, String>) -> Result<Self, serde_json::Error> {
        let mut tree = serde_json::Map::new();
        for (name, text) in stored {
            if let Some(name) = name.strip_prefix("set.") {
                insert(&mut tree, name, serde_json::from_str(text)?);
            }
        }
        // a run from before there were several plans followed one
        if let Some(Value::Object(shap)) = tree.get_mut("shap") {
            shap.entry("plans").or_insert_with(|| Value::from(1));
        }
        serde_json::from_value(Value::Object(tree))
    }
}

/// Put a value back into the tree that its dotted name comes from.
fn insert(tree: &mut serde_json::Map<String, Value>, name: &str, value: Value) {
    let Some((folder, rest)) = name.split_once('.') else {
        tree.insert(name.to_owned(), value);
        return;
    };
    let inner = tree.entry(folder).or_insert_with(|| Value::Object(serde_json::Map::new()));
    if let Value::Object(inner) = inner {
        insert(inner, rest, value);
    }
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name =
                    if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, field, into);
            }
        }
        other => {
            into.insert(prefix.to_owned(), other.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan whose optional settings are all given.
    fn every_setting() -> RunPlan {
        let shap = ShapSettings {
            precision: Some(0.02),
            baseline: Baseline::Blur { radius: 8 },
            ..ShapSettings::default()
        };
        let shard = Some(Shard { number: 1, of: 4 });
        RunPlan { shap, shard, ..RunPlan::default() }
    }

    #[test]
    fn a_plan_survives_toml_and_unknown_settings_are_refused() {
        let plan = RunPlan { frames: 7, ..RunPlan::default() };
        for plan in [plan, RunPlan::built_in(), every_setting()] {
            let text = plan.to_toml().unwrap();
            assert_eq!(RunPlan::parse(&text, Path::new("p")).unwrap(), plan, "{text}");
        }
        assert!(toml::from_str::<RunPlan>("frmes = 7").is_err());
        assert_eq!(toml::from_str::<RunPlan>("").unwrap(), RunPlan::default());
    }

    #[test]
    fn kernel_shap_is_spread_over_the_frames() {
        for (frames, wanted) in [(82, 10), (10, 10), (7, 3), (5, 9), (30, 0)] {
            let shap = ShapSettings { frames: wanted, ..ShapSettings::default() };
            let plan = RunPlan { frames, shap, ..RunPlan::default() };
            let chosen: Vec<u32> = (0..u32::try_from(frames).unwrap())
                .filter(|&p| plan.explains(Method::KernelShap, p))
                .collect();
            let expected = if wanted == 0 { frames } else { wanted.min(frames) };
            assert_eq!(chosen.len(), expected, "{chosen:?}");
            assert!(plan.explains(Method::Gradcam, 0));
        }
        assert!(!RunPlan::built_in().explains(Method::KernelShap, 0), "the first result is quick");
    }

    #[test]
    fn settings_are_flat_and_leave_speed_out() {
        let settings = RunPlan::built_in().settings();
        assert_eq!(settings.get("shap.seed"), Some(&Value::from(1)));
        assert_eq!(settings.get("shap.plans"), Some(&Value::from(32)));
        assert!(!settings.contains_key("threads"));
        // what no coalition is drawn from decides nothing
        let plain = RunPlan { attribute: vec![Method::Gradcam], ..RunPlan::default() }.settings();
        assert!(!plain.keys().any(|name| name.starts_with("shap.")), "{plain:?}");
    }

    #[test]
    fn a_plan_is_found_again_in_its_settings() {
        let shard = Some(Shard { number: 2, of: 3 });
        let plan = RunPlan { frames: 9, shard, ..RunPlan::built_in() };
        let stored = plan.settings().into_iter().map(|(k, v)| (format!("set.{k}"), v.to_string()));
        let mut stored: BTreeMap<String, String> = stored.collect();
        stored.insert("hash.model".to_owned(), "no setting".to_owned());
        assert_eq!(RunPlan::from_settings(&stored).unwrap(), plan);
        stored.remove("set.shap.plans");
        assert_eq!(RunPlan::from_settings(&stored).unwrap().shap.plans, 1, "an older run");
        stored.insert("set.frmes".to_owned(), "3".to_owned());
        assert!(RunPlan::from_settings(&stored).is_err());
    }

    #[test]
    fn more_frames_than_there_are_is_an_error_with_both_numbers() {
        let error = RunPlan::default().positions(10).unwrap_err().to_string();
        assert!(error.contains("1 to 10") && error.contains("82 found"), "{error}");
    }
}
