//! What is known of a network of a study before it is loaded: from the plan and from its manifest.

use std::path::PathBuf;

use datasets::sets::Set;
use models::Manifest;
use models::manifest::Accuracy;
use serde::{Deserialize, Serialize};

use crate::study::StudyError;
use crate::study::plan::NetworkEntry;

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
    /// Seed of its training; none where nobody says.
    #[serde(default)]
    pub seed: Option<u64>,
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
            seed: entry.seed,
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
                let seed = manifest.training.get("seed").and_then(toml::Value::as_integer);
                facts.seed = facts.seed.or(seed.and_then(|s| s.try_into().ok()));
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

    /// Whether two networks are alike but for what they were trained on: architecture, kind of numbers and, where both are
    /// known, the seed of the training, so that of several trainings each meets the one of its own seed.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.architecture == other.architecture
            && self.is_integer() == other.is_integer()
            && self.has_seed_of(other)
    }

    /// Whether both were trained from one seed, as far as is known.
    #[must_use]
    pub fn has_seed_of(&self, other: &Self) -> bool {
        self.seed.zip(other.seed).is_none_or(|(a, b)| a == b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn seeds_tell_apart_where_both_are_known() {
        let seeded = |seed| NetworkFacts { seed, ..NetworkFacts::default() };
        for (a, b, alike) in [
            (Some(1), Some(1), true),
            (Some(1), Some(2), false),
            (Some(1), None, true),
            (None, None, true),
        ] {
            assert_eq!(seeded(a).is_like(&seeded(b)), alike, "{a:?} {b:?}");
        }
        let integer = NetworkFacts { precision: "int8-qdq".to_owned(), ..seeded(None) };
        assert!(!integer.is_like(&seeded(None)));
        // the zoo's manifests name their seed
        let entry = NetworkEntry { name: "resnet50-cf".to_owned(), ..NetworkEntry::default() };
        assert_eq!(NetworkFacts::find(&entry).unwrap().seed, Some(1));
    }
}
