//! What is known of a network of a study before it is loaded: from the plan and from its manifest.

use std::path::PathBuf;

use datasets::sets::Set;
use models::manifest::Accuracy;
use models::{Manifest, ModelError};
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

/// The manifest of a network in the zoo or by its path, and where it lies.
fn at_hand(entry: &NetworkEntry) -> Result<(Manifest, PathBuf), ModelError> {
    let path = models::zoo::find(entry.model.as_ref().unwrap_or(&entry.name))?;
    Ok((Manifest::read(&path)?, path))
}

/// What a manifest tells of the training.
struct Training {
    /// Set; empty where it does not say.
    set: String,
    strength: Option<f64>,
    seed: Option<u64>,
}

impl Training {
    fn of(manifest: &Manifest) -> Self {
        let value = |key: &str| manifest.training.get(key);
        let whole = |value: &toml::Value| i32::try_from(value.as_integer()?).ok().map(f64::from);
        Self {
            set: value("set").and_then(toml::Value::as_str).unwrap_or_default().to_owned(),
            // who writes 1 means 1.0
            strength: value("strength").and_then(|told| told.as_float().or_else(|| whole(told))),
            seed: value("seed")
                .and_then(toml::Value::as_integer)
                .and_then(|seed| u64::try_from(seed).ok()),
        }
    }
}

/// Takes out of a plan's entry what its manifest contradicts, and says each.
///
/// A name of the architecture is the user's; what a network was trained on, from which seed and how strongly correlated, and whether
/// it computes with integers are facts, and decide what it is compared with.
fn contradictions(entry: &mut NetworkEntry, manifest: &Manifest) -> Vec<StudyError> {
    let told = Training::of(manifest);
    let precision = manifest.precision.name();
    let ours = Set::from_name(&told.set).is_some();
    let train = entry.train.take_if(|set| ours && !set.is_empty() && *set != told.set);
    let format = entry.precision.take_if(|format| {
        !format.is_empty() && computes_in_integers(format) != computes_in_integers(precision)
    });
    let strength = entry.strength.take_if(|planned| {
        told.strength.is_some_and(|strength| strength.total_cmp(planned).is_ne())
    });
    let seed = entry.seed.take_if(|planned| told.seed.is_some_and(|seed| seed != *planned));
    [
        ("train", told.set, train),
        ("precision", precision.to_owned(), format),
        ("strength", words(told.strength).unwrap_or_default(), words(strength)),
        ("seed", words(told.seed).unwrap_or_default(), words(seed)),
    ]
    .into_iter()
    .filter_map(|(what, expected, found)| {
        Some(StudyError::Plan {
            place: format!("network {}, {what}", entry.name),
            problem: format!("expected {expected}, as its manifest says, found {}", found?),
            remedy: format!("correct the plan, or leave `{what}` out"),
        })
    })
    .collect()
}

/// A number as a reader is told it.
fn words(number: Option<impl ToString>) -> Option<String> {
    number.map(|number| number.to_string())
}

/// Whether the multiplications of a number format are on integers.
fn computes_in_integers(precision: &str) -> bool {
    precision.starts_with("int8")
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
    /// If the plan says otherwise than the manifest what it was trained on, from which seed, how strongly correlated, or whether it
    /// computes with integers.
    pub fn find(entry: &NetworkEntry) -> Result<Self, StudyError> {
        let mut facts = Self::planned(entry);
        match at_hand(entry) {
            Ok((manifest, path)) => {
                let all = contradictions(&mut entry.clone(), &manifest);
                if let Some(first) = all.into_iter().next() {
                    return Err(first);
                }
                let fill = |field: &mut String, value: String| {
                    if field.is_empty() {
                        *field = value;
                    }
                };
                let told = Training::of(&manifest);
                fill(&mut facts.architecture, manifest.architecture.clone());
                fill(&mut facts.train, told.set);
                fill(&mut facts.precision, manifest.precision.name().to_owned());
                facts.strength = facts.strength.or(told.strength);
                facts.seed = facts.seed.or(told.seed);
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

    /// Takes out of a plan's entry what [`NetworkFacts::find`] would not accept, so that the manifest tells it; gives each reason.
    pub(in crate::study) fn correct(entry: &mut NetworkEntry) -> Vec<StudyError> {
        at_hand(entry).map_or_else(|_| Vec::new(), |(manifest, _)| contradictions(entry, &manifest))
    }

    /// The training set, if it is one of ours.
    #[must_use]
    pub fn set(&self) -> Option<Set> {
        Set::from_name(&self.train)
    }

    /// Whether its multiplications are on integers.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        computes_in_integers(&self.precision)
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
    use std::fs;

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

    /// A manifest of the zoo in a folder of its own, in which other texts stand for some.
    fn altered(changes: &[(&str, &str)]) -> (tempfile::TempDir, NetworkEntry) {
        let folder = tempfile::tempdir().unwrap();
        let mut text = fs::read_to_string(models::zoo::find("resnet50-cf").unwrap()).unwrap();
        for (from, to) in changes {
            assert!(text.contains(*from), "{from}");
            text = text.replacen(*from, to, 1);
        }
        let path = folder.path().join("a.toml");
        fs::write(&path, text).unwrap();
        let model = Some(path.to_string_lossy().into_owned());
        (folder, NetworkEntry { name: "a".to_owned(), model, ..NetworkEntry::default() })
    }

    #[test]
    fn a_plan_may_not_say_otherwise_than_a_manifest_what_decides_on_comparisons() {
        type Change = fn(&mut NetworkEntry);
        let cases: [(Change, Option<&str>); 11] = [
            (|e| e.train = Some("CF".to_owned()), None),
            (|e| e.train = Some("UF".to_owned()), Some("train: expected CF")),
            (|e| e.seed = Some(1), None),
            (|e| e.seed = Some(2), Some("seed: expected 1")),
            (|e| e.strength = Some(0.5), None),
            (|e| e.strength = Some(0.25), Some("strength: expected 0.5")),
            (|e| e.precision = Some("int8-qdq".to_owned()), None),
            (|e| e.precision = Some("int8".to_owned()), None),
            (|e| e.precision = Some("f32".to_owned()), Some("precision: expected int8-qdq")),
            (|e| e.precision = Some(String::new()), None),
            (|e| e.architecture = Some("mine".to_owned()), None),
        ];
        for (change, problem) in cases {
            let (_folder, mut entry) = altered(&[("seed = 1", "seed = 1\nstrength = 0.5")]);
            change(&mut entry);
            let found = NetworkFacts::find(&entry).map(drop).map_err(|error| error.to_string());
            let Some(problem) = problem else {
                assert_eq!(found, Ok(()), "{entry:?}");
                assert!(NetworkFacts::correct(&mut entry).is_empty(), "{entry:?}");
                continue;
            };
            let error = found.unwrap_err();
            let (what, _) = problem.split_once(':').unwrap();
            let start = format!("network a, {problem}, as its manifest says, found ");
            assert!(error.starts_with(&start), "{error}");
            let remedy = format!("; correct the plan, or leave `{what}` out");
            assert!(error.ends_with(&remedy), "{error}");
            // without it the manifest tells
            assert_eq!(NetworkFacts::correct(&mut entry).len(), 1, "{entry:?}");
            let facts = NetworkFacts::find(&entry).unwrap();
            assert_eq!((facts.train.as_str(), facts.precision.as_str()), ("CF", "int8-qdq"));
            assert_eq!((facts.strength, facts.seed), (Some(0.5), Some(1)));
        }
        // of floating point a plan may know more, of a manifest that is silent as well
        let (_folder, mut entry) =
            altered(&[("\"int8-qdq\"", "\"f16-weights\""), ("seed = 1\n", "")]);
        entry.precision = Some("f32".to_owned());
        (entry.seed, entry.strength) = (Some(7), Some(1.0));
        let facts = NetworkFacts::find(&entry).unwrap();
        assert_eq!((facts.precision.as_str(), facts.seed), ("f32", Some(7)));
        assert_eq!(facts.strength, Some(1.0));
        // each by itself, in one go
        let (_folder, mut entry) = altered(&[("seed = 1", "seed = 1\nstrength = 1")]);
        entry.train = Some("UF".to_owned());
        entry.precision = Some("f32".to_owned());
        (entry.seed, entry.strength) = (Some(7), Some(0.0));
        let all = NetworkFacts::correct(&mut entry);
        let places: Vec<String> = all.iter().map(ToString::to_string).collect();
        for (place, what) in places.iter().zip(["train", "precision", "strength", "seed"]) {
            assert!(place.starts_with(&format!("network a, {what}: ")), "{places:?}");
        }
        assert_eq!(places.len(), 4, "{places:?}");
        assert!(places[2].contains("expected 1, as its manifest says, found 0"), "{places:?}");
    }

    #[test]
    fn a_strength_without_a_point_is_a_number() {
        for (written, strength) in [("1", 1.0), ("0", 0.0), ("1.0", 1.0), ("0.25", 0.25)] {
            let to = format!("seed = 1\nstrength = {written}");
            let (_folder, mut entry) = altered(&[("seed = 1", to.as_str())]);
            assert_eq!(NetworkFacts::find(&entry).unwrap().strength, Some(strength), "{written}");
            entry.strength = Some(0.5);
            let error = NetworkFacts::find(&entry).unwrap_err().to_string();
            assert!(error.contains("network a, strength: expected "), "{error}");
        }
    }
}
