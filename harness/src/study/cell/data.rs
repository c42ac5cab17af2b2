//! What is known of a data set of a study from its name.

use datasets::sets::{Set, SetName};
use serde::{Deserialize, Serialize};

use crate::study::StudyError;

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
    pub(in crate::study) fn differs_in(&self, option: &str) -> bool {
        let options = self.name.split_once('?').map_or("", |(_, options)| options);
        let key = |o: &str| o.split_once('=').map_or("", |(key, _)| key) == option;
        options.split('&').all(|o| o.is_empty() || o.starts_with("per_class=") || key(o))
    }

    pub(in crate::study) fn slug(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let body = self.name.strip_prefix(datasets::sets::spec::PREFIX).unwrap_or(&self.name);
        body.chars().map(plain).collect::<String>().trim_matches('-').to_owned()
    }
}

/// The name that serde gives a word.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
