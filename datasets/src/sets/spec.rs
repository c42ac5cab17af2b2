//! Names of rendered data sets: `synthetic:CF/test?per_class=200&size=224`, with every part checked.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::config::{REFERENCE_SIZE, Split};
use crate::corner_case::{CornerCase, CornerCaseKind};
use crate::environment::Environment;
use crate::sets::{Correlation, CorrelationSettings, Set, Strength, default_per_class};
use crate::source::SourceError;

/// What a name of a rendered data set starts with.
pub const PREFIX: &str = "synthetic:";

/// Sides of a picture that can be rendered, pixels.
pub const SIZES: std::ops::RangeInclusive<usize> = 64..=1024;

/// Most images of a class; far above any use, so that a typing error is noticed.
const MOST_PER_CLASS: u32 = 1_000_000;

/// Everything that selects the frames of a rendered data set.
///
/// The text form is `synthetic:SET/SPLIT`, then after a `?` and separated by `&` any of `per_class=N`, `first=N`,
/// `size=PIXELS`, `strength=S`, `corner_case=KIND:SEVERITY`, `environment=NAME` and, as the last one, `environments=folder:DIR`. Whatever has its
/// default is left out, so equal specifications have equal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetName {
    /// Which set.
    pub set: Set,
    /// Which half of it.
    pub split: Split,
    /// Images of each class.
    pub per_class: u32,
    /// Index of the first image of each class.
    pub first: u32,
    /// Side of the picture, pixels.
    pub size: usize,
    /// How strongly the background of a C set goes with the class, whatever `sets.toml` says; `None` leaves it to that.
    pub strength: Option<Strength>,
    /// Corner case that every picture gets.
    pub corner_case: CornerCase,
    /// Environment in which every sign stands, whatever the set would draw; `None` leaves it to the set.
    pub environment: Option<Environment>,
    /// Folder of the user's own photographs, one sub-folder an environment, instead of painted environments.
    pub photographs: Option<PathBuf>,
}

impl SetName {
    /// A set and split with all defaults.
    #[must_use]
    pub fn new(set: Set, split: Split) -> Self {
        Self {
            set,
            split,
            per_class: default_per_class(split),
            first: 0,
            size: REFERENCE_SIZE,
            strength: None,
            corner_case: CornerCase::NONE,
            environment: None,
            photographs: None,
        }
    }

    /// The same with another number of images a class.
    #[must_use]
    pub fn per_class(mut self, per_class: u32) -> Self {
        self.per_class = per_class;
        self
    }

    /// The same at another size.
    #[must_use]
    pub fn size(mut self, size: usize) -> Self {
        self.size = size;
        self
    }

    /// How strongly the environments go with the class.
    #[must_use]
    pub fn correlation_settings(&self) -> CorrelationSettings {
        let own = self.set.correlation_settings();
        self.strength.map_or(own, |s| CorrelationSettings { strength: s.value(), ..own })
    }

    /// Whether the parts go together.
    ///
    /// # Errors
    /// Problem and remedy, if they contradict each other.
    pub fn check(&self) -> Result<(), (String, String)> {
        if self.environment.is_some() && self.photographs.is_some() {
            return Err((
                "expected `environment` or `environments`, found both".into(),
                "name a painted environment or a folder of photographs".into(),
            ));
        }
        if self.strength.is_some() && self.set.correlation == Correlation::Uncorrelated {
            return Err((
                format!("expected no `strength`: in {} nothing is correlated", self.set),
                "take the C set; its strength 0 equals U".into(),
            ));
        }
        if self.strength.is_some() && self.environment.is_some() {
            return Err((
                "expected `strength` or `environment`, found both".into(),
                "a forced environment leaves nothing to correlate".into(),
            ));
        }
        Ok(())
    }

    fn set_option(&mut self, key: &str, value: &str) -> Result<(), (String, String)> {
        match key {
            "per_class" => self.per_class = number(key, value, 1..=MOST_PER_CLASS)?,
            "first" => self.first = number(key, value, 0..=MOST_PER_CLASS)?,
            "size" => self.size = parse_size(value)?,
            "strength" => self.strength = Some(value.parse()?),
            "corner_case" => self.corner_case = parse_corner_case(value)?,
            "environment" => self.environment = Some(parse_environment(value)?),
            "environments" => self.photographs = Some(parse_environments(value)?),
            _ => {
                return Err((
                    format!("unknown option `{key}`"),
                    "use per_class, first, size, strength, corner_case, environment or environments"
                        .into(),
                ));
            }
        }
        Ok(())
    }
}

/// A side length in pixels.
///
/// # Errors
/// Problem and remedy, if it is not a number in [`SIZES`].
pub fn parse_size(value: &str) -> Result<usize, (String, String)> {
    value.parse().ok().filter(|size| SIZES.contains(size)).ok_or_else(|| {
        (
            format!(
                "expected a size from {} to {} pixels, found `{value}`",
                SIZES.start(),
                SIZES.end()
            ),
            "224 is what the networks take".into(),
        )
    })
}

/// A corner case such as `fog:3`.
///
/// # Errors
/// Problem and remedy, if kind or severity are unknown.
pub fn parse_corner_case(value: &str) -> Result<CornerCase, (String, String)> {
    let wrong = |problem: String| {
        (problem, "write KIND:SEVERITY, for example fog:3, with a severity from 1 to 5".to_owned())
    };
    if value == "none" {
        return Ok(CornerCase::NONE);
    }
    let (kind, severity) = value
        .split_once(':')
        .ok_or_else(|| wrong(format!("corner case `{value}` has no severity")))?;
    let kind = parse_kind(kind).ok_or_else(|| {
        wrong(format!(
            "unknown corner case `{kind}`: known are fog, occlusion, rain, snow, low_sun, night"
        ))
    })?;
    let severity = severity
        .parse()
        .ok()
        .filter(|s| (1..=5).contains(s))
        .ok_or_else(|| wrong(format!("severity `{severity}` is not a number from 1 to 5")))?;
    Ok(CornerCase { kind, severity })
}

fn parse_kind(word: &str) -> Option<CornerCaseKind> {
    let kind = toml::Value::from(word).try_into().ok()?;
    (kind != CornerCaseKind::None).then_some(kind)
}

fn kind_word(kind: CornerCaseKind) -> String {
    let value = toml::Value::try_from(kind).ok();
    value.as_ref().and_then(toml::Value::as_str).unwrap_or("none").to_owned()
}

/// A painted environment such as `inner_city`.
///
/// # Errors
/// Problem and remedy, if there is none of that name.
pub fn parse_environment(word: &str) -> Result<Environment, (String, String)> {
    toml::Value::from(word).try_into().map_err(|_unknown: toml::de::Error| {
        let known: Vec<String> = Environment::ALL.iter().map(|&e| environment_word(e)).collect();
        (format!("unknown environment `{word}`"), format!("use one of {}", known.join(", ")))
    })
}

/// The word for an environment in files, names and tables, for example `inner_city`.
#[must_use]
pub fn environment_word(environment: Environment) -> String {
    let value = toml::Value::try_from(environment).ok();
    value.as_ref().and_then(toml::Value::as_str).unwrap_or_default().to_owned()
}

/// The folder in `folder:DIR`.
///
/// # Errors
/// Problem and remedy, if the prefix or the folder is missing.
pub fn parse_environments(value: &str) -> Result<PathBuf, (String, String)> {
    match value.strip_prefix("folder:") {
        Some(dir) if !dir.is_empty() => Ok(PathBuf::from(dir)),
        _ => Err((
            format!("expected `folder:DIR`, found `{value}`"),
            "name a folder with one sub-folder of photographs for each environment".into(),
        )),
    }
}

fn number(
    key: &str,
    value: &str,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, (String, String)> {
    value.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
        (
            format!("expected {key} from {} to {}, found `{value}`", range.start(), range.end()),
            format!("for example {key}={}", (*range.start()).max(50)),
        )
    })
}

impl FromStr for SetName {
    type Err = SourceError;

    /// Reads the text form; the prefix `synthetic:` may be missing.
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let fail = |problem: String, remedy: String| SourceError::Name {
            name: text.to_owned(),
            problem,
            remedy,
        };
        let body = text.strip_prefix(PREFIX).unwrap_or(text);
        let (path, options) = body.split_once('?').unwrap_or((body, ""));
        let (set, split) = path.split_once('/').ok_or_else(|| {
            fail(
                format!("expected SET/SPLIT, found `{path}`"),
                "for example synthetic:CF/test".into(),
            )
        })?;
        let set = Set::from_name(set).ok_or_else(|| {
            fail(
                format!("unknown set `{set}`"),
                "use UF, UM, UH, CF, CM or CH, or the shape subsets CMC, CMT, CMR".into(),
            )
        })?;
        let split = match split {
            "train" => Split::Train,
            "test" => Split::Test,
            other => {
                return Err(fail(
                    format!("unknown split `{other}`"),
                    "use train or test, for example synthetic:CF/test".into(),
                ));
            }
        };
        let mut name = Self::new(set, split);
        let mut rest = options;
        while !rest.is_empty() {
            let (key, value) = rest.split_once('=').ok_or_else(|| {
                fail(
                    format!("expected OPTION=VALUE, found `{rest}`"),
                    "for example synthetic:CF/test?per_class=50&size=128".into(),
                )
            })?;
            // a folder's name may hold any character: this option takes everything that follows
            let (value, tail) = match key {
                "environments" => (value, ""),
                _ => value.split_once('&').unwrap_or((value, "")),
            };
            name.set_option(key, value).map_err(|(problem, remedy)| fail(problem, remedy))?;
            rest = tail;
        }
        name.check().map_err(|(problem, remedy)| fail(problem, remedy))?;
        Ok(name)
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::new(self.set, self.split);
        let mut options = Vec::new();
        if self.per_class != default.per_class {
            options.push(format!("per_class={}", self.per_class));
        }
        if self.first != default.first {
            options.push(format!("first={}", self.first));
        }
        if self.size != default.size {
            options.push(format!("size={}", self.size));
        }
        if let Some(strength) = self.strength {
            options.push(format!("strength={strength}"));
        }
        if self.corner_case != default.corner_case {
            let CornerCase { kind, severity } = self.corner_case;
            options.push(format!("corner_case={}:{severity}", kind_word(kind)));
        }
        if let Some(environment) = self.environment {
            options.push(format!("environment={}", environment_word(environment)));
        }
        if let Some(dir) = &self.photographs {
            options.push(format!("environments=folder:{}", dir.display()));
        }
        write!(f, "{PREFIX}{}/{}", self.set, self.split)?;
        if options.is_empty() { Ok(()) } else { write!(f, "?{}", options.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_themselves() {
        for text in [
            "synthetic:CF/test",
            "synthetic:CMT/train?per_class=7",
            "synthetic:UH/test?per_class=200&first=100&size=96&corner_case=fog:3",
            "synthetic:UF/test?size=64&environments=folder:/my photos/a&b=c?",
            "synthetic:CF/test?per_class=2&environment=inner_city",
            "synthetic:CF/train?per_class=2&strength=0.25&corner_case=rain:1",
        ] {
            let name: SetName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
        let short: SetName = "cf/test?size=224".parse().unwrap();
        assert_eq!(short.to_string(), "synthetic:CF/test", "defaults are left out");
        assert_eq!(short.per_class, 600);
    }

    #[test]
    fn each_mistake_is_named_with_its_remedy() {
        for (text, problem) in [
            ("synthetic:CF", "expected SET/SPLIT"),
            ("synthetic:CX/test", "unknown set `CX`"),
            ("synthetic:CF/val", "unknown split `val`"),
            ("synthetic:CF/test?per_class", "expected OPTION=VALUE"),
            ("synthetic:CF/test?per_class=0", "per_class from 1"),
            ("synthetic:CF/test?size=32", "from 64 to 1024"),
            ("synthetic:CF/test?colour=red", "unknown option `colour`"),
            ("synthetic:CF/test?corner_case=fog", "no severity"),
            ("synthetic:CF/test?corner_case=fog:6", "severity `6`"),
            ("synthetic:CF/test?corner_case=meteor:1", "unknown corner case `meteor`"),
            ("synthetic:CF/test?environment=moon", "unknown environment `moon`"),
            ("synthetic:CF/test?environment=coast&environments=folder:DIR", "found both"),
            ("synthetic:CF/test?environments=DIR", "expected `folder:DIR`"),
            ("synthetic:CF/test?strength=1.5", "strength from 0 to 1"),
            ("synthetic:UF/test?strength=0.5", "in UF nothing is correlated"),
            ("synthetic:CF/test?strength=0.5&environment=coast", "`strength` or `environment`"),
        ] {
            let error = text.parse::<SetName>().unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(text), "{text}: {error}");
        }
    }
}
