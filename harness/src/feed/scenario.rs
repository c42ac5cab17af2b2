//! The scenario file: what the camera, its cable and its queue are like, and what goes wrong. TOML with a seed.
//!
//! ```toml
//! seed = 7
//! [camera]
//! fps = 30.0
//! jitter = { kind = "gaussian", micros = 400 }
//! drift_ppm = 20
//! [queue]
//! policy = "drop-oldest"
//! depth = 2
//! [[fault]]
//! kind = "stall"
//! lasting_ms = 200
//! every = 500
//! ```
//!
//! The same scenario and seed give the same delivered bytes on every processor: fractions become counts in a million
//! when the file is read, and no float decides anything after that.

use std::fs;
use std::path::{Path, PathBuf};

use firmware_host::fault::{Fault, FaultPlan, Kind, Start};
use firmware_host::random::MILLION;
use firmware_host::{DetectorSettings, Micros, Policy};
use serde::{Deserialize, Serialize};

use super::sensor::SensorSettings;

/// Frames that may wait in a queue at most.
pub const MAX_DEPTH: usize = 16;
/// Largest jitter, microseconds.
const MAX_JITTER: u32 = 10_000_000;

/// Why a scenario is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("{path}: {source}; name a TOML file of a scenario, docs/camera.md has one")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a scenario.
    #[error("{path}: {source}")]
    Toml {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of its range, or one is missing.
    #[error("scenario, {place}: {expected} expected, {found} found")]
    Value {
        /// Which setting.
        place: String,
        /// What is possible.
        expected: String,
        /// What was given.
        found: String,
    },
}

/// Deviation of a capture from its schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Jitter {
    /// None.
    #[default]
    None,
    /// Normal, cut at 3.4 standard deviations.
    Gaussian {
        /// Standard deviation.
        micros: u32,
    },
    /// Uniform between minus and plus this.
    Uniform {
        /// Half the width.
        micros: u32,
    },
    /// Some frames late, the others exact: an interrupt that is held off.
    Burst {
        /// Share of late frames, 0 to 1.
        share: f64,
        /// How late.
        micros: u32,
    },
}

impl Jitter {
    /// Its one number in microseconds.
    const fn micros(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Gaussian { micros } | Self::Uniform { micros } | Self::Burst { micros, .. } => {
                micros
            }
        }
    }
}

/// The camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraSettings {
    /// Frames a second.
    pub fps: f64,
    /// Deviation of each capture.
    pub jitter: Jitter,
    /// How much slower than stated its clock runs, in millionths.
    pub drift_ppm: i32,
    /// Exposure, noise and shutter; without it the picture is delivered as it was rendered.
    pub sensor: Option<SensorSettings>,
}

impl Default for CameraSettings {
    fn default() -> Self {
        Self { fps: 30.0, jitter: Jitter::None, drift_ppm: 0, sensor: None }
    }
}

/// What happens when the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// The camera waits.
    Block,
    /// The oldest waiting frame makes room.
    #[default]
    DropOldest,
    /// The new frame is not taken in.
    DropNewest,
    /// Only the newest frame waits.
    LatestOnly,
}

impl PolicyName {
    /// The policy of that name.
    #[must_use]
    pub const fn policy(self) -> Policy {
        match self {
            Self::Block => Policy::Block,
            Self::DropOldest => Policy::DropOldest,
            Self::DropNewest => Policy::DropNewest,
            Self::LatestOnly => Policy::LatestOnly,
        }
    }

    /// Find a policy by its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Block, Self::DropOldest, Self::DropNewest, Self::LatestOnly]
            .into_iter()
            .find(|p| p.policy().name() == name)
    }
}

/// The queue between camera and pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSettings {
    /// What happens when it is full.
    pub policy: PolicyName,
    /// Frames that may wait, 1 to [`MAX_DEPTH`].
    pub depth: usize,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { policy: PolicyName::DropOldest, depth: 2 }
    }
}

/// When the receiver raises an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchSettings {
    /// Equal pictures in a row, the first not counted.
    pub frozen_frames: u32,
    /// Black pictures in a row.
    pub black_frames: u32,
    /// Highest mean that counts as black, 0 to 255.
    pub black_level: u8,
}

impl Default for WatchSettings {
    fn default() -> Self {
        let DetectorSettings { frozen_frames, black_frames, black_level } =
            DetectorSettings::default();
        Self { frozen_frames, black_frames, black_level }
    }
}

impl WatchSettings {
    /// For the detectors.
    #[must_use]
    pub const fn detectors(self) -> DetectorSettings {
        let Self { frozen_frames, black_frames, black_level } = self;
        DetectorSettings { frozen_frames, black_frames, black_level }
    }
}

/// Kinds of faults by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "described at firmware_host::fault::Kind")]
pub enum FaultName {
    Drop,
    Late,
    Stall,
    Duplicate,
    Reorder,
    Freeze,
    Black,
    Tear,
    Shift,
    Occlude,
    WrongSize,
    FlipBits,
    Truncate,
}

/// One fault: what, where it begins (exactly one of `share`, `every`, `at`), and for how many frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSettings {
    /// What goes wrong.
    pub kind: FaultName,
    /// At each frame with this chance, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// At every n-th frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// The first of every n-th; without it the n-th.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u32>,
    /// At this frame alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u32>,
    /// Frames from there on; more than one is a burst.
    #[serde(default = "one")]
    pub length: u32,
    /// `late`: by how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_ms: Option<u32>,
    /// `stall`: how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting_ms: Option<u32>,
    /// `shift`: columns to the right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<i16>,
    /// `flip-bits`: how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u16>,
}

const fn one() -> u32 {
    1
}

/// A whole scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// The camera.
    pub camera: CameraSettings,
    /// The queue.
    pub queue: QueueSettings,
    /// The detectors.
    pub watch: WatchSettings,
    /// What goes wrong, in this order.
    #[serde(rename = "fault")]
    pub faults: Vec<FaultSettings>,
}

impl Scenario {
    /// Read a scenario; what it does not name keeps its default.
    ///
    /// # Errors
    /// If the file cannot be read, names an unknown setting, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ScenarioError::File { path: path.to_owned(), source })?;
        let scenario: Self = toml::from_str(&text).map_err(|source| ScenarioError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Check every value.
    ///
    /// # Errors
    /// The first value that is out of its range.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let wrong = |place: &str, expected: &str, found: String| {
            Err(ScenarioError::Value {
                place: place.to_owned(),
                expected: expected.to_owned(),
                found,
            })
        };
        let fps = self.camera.fps;
        if !(0.1..=1000.0).contains(&fps) {
            return wrong("camera.fps", "0.1 to 1000", fps.to_string());
        }
        if !(1..=MAX_DEPTH).contains(&self.queue.depth) {
            return wrong("queue.depth", "1 to 16 frames", self.queue.depth.to_string());
        }
        if self.camera.drift_ppm.unsigned_abs() > 100_000 {
            return wrong(
                "camera.drift_ppm",
                "-100000 to 100000",
                self.camera.drift_ppm.to_string(),
            );
        }
        if let Jitter::Burst { share, .. } = self.camera.jitter {
            per_million("camera.jitter.share", share)?;
        }
        let micros = self.camera.jitter.micros();
        if micros > MAX_JITTER {
            return wrong("camera.jitter.micros", "0 to 10000000 (10 s)", micros.to_string());
        }
        if let Some((name, expected, found)) =
            self.camera.sensor.as_ref().and_then(SensorSettings::problem)
        {
            return wrong(&format!("camera.sensor.{name}"), expected, found);
        }
        self.fault_plan().map(drop)
    }

    /// Nanoseconds from one frame to the next.
    #[must_use]
    pub fn period_nanos(&self) -> u64 {
        let nanos = 1e9 / self.camera.fps * (1.0 + f64::from(self.camera.drift_ppm) * 1e-6);
        rounded(nanos)
    }

    /// Time from one frame to the next.
    #[must_use]
    pub fn period(&self) -> Micros {
        Micros(self.period_nanos() / 1000)
    }

    /// The faults, ready to strike.
    ///
    /// # Errors
    /// If one lacks a value or has one that is out of range, or there are too many.
    pub fn fault_plan(&self) -> Result<FaultPlan, ScenarioError> {
        let mut plan = FaultPlan::new(self.seed);
        for (i, settings) in self.faults.iter().enumerate() {
            let place = format!("fault {} ({:?})", i + 1, settings.kind);
            let fault = settings.fault(&place)?;
            plan.push(fault).map_err(|refused| ScenarioError::Value {
                place,
                expected: "at most 16 faults, each of 1 to 1000 frames,".to_owned(),
                found: format!("number {} of {} frames", i + 1, refused.length),
            })?;
        }
        Ok(plan)
    }
}

impl FaultSettings {
    fn fault(&self, place: &str) -> Result<Fault, ScenarioError> {
        let missing = |expected: &str| ScenarioError::Value {
            place: place.to_owned(),
            expected: expected.to_owned(),
            found: "nothing".to_owned(),
        };
        let start = match (self.share, self.every, self.at) {
            (Some(share), None, None) => Start::Chance { per_million: per_million(place, share)? },
            (None, Some(n), None) if n > 0 => Start::Every { n, first: self.first.unwrap_or(n) },
            (None, None, Some(sequence)) => Start::At { sequence },
            found => {
                return Err(ScenarioError::Value {
                    place: place.to_owned(),
                    expected: "exactly one of share, every (1 or more) and at".to_owned(),
                    found: format!("share {:?}, every {:?}, at {:?}", found.0, found.1, found.2),
                });
            }
        };
        let millis = |ms: u32| Micros(u64::from(ms) * 1000);
        let kind = match self.kind {
            FaultName::Drop => Kind::Drop,
            FaultName::Late => {
                Kind::Late { by: millis(self.by_ms.ok_or_else(|| missing("by_ms"))?) }
            }
            FaultName::Stall => Kind::Stall {
                lasting: millis(self.lasting_ms.ok_or_else(|| missing("lasting_ms"))?),
            },
            FaultName::Duplicate => Kind::Duplicate,
            FaultName::Reorder => Kind::Reorder,
            FaultName::Freeze => Kind::Freeze,
            FaultName::Black => Kind::Black,
            FaultName::Tear => Kind::Tear,
            FaultName::Shift => {
                Kind::Shift { columns: self.columns.ok_or_else(|| missing("columns"))? }
            }
            FaultName::Occlude => Kind::Occlude,
            FaultName::WrongSize => Kind::WrongSize,
            FaultName::FlipBits => Kind::FlipBits { count: self.count.unwrap_or(1) },
            FaultName::Truncate => Kind::Truncate,
        };
        Ok(Fault { kind, start, length: self.length })
    }
}

fn per_million(place: &str, share: f64) -> Result<u32, ScenarioError> {
    if !(0.0..=1.0).contains(&share) {
        return Err(ScenarioError::Value {
            place: place.to_owned(),
            expected: "a share of 0 to 1".to_owned(),
            found: share.to_string(),
        });
    }
    Ok(u32::try_from(rounded(share * f64::from(MILLION))).unwrap_or(MILLION))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked ranges, at most 1e10"
)]
const fn rounded(value: f64) -> u64 {
    (value + 0.5) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FaultPlan, String> {
        let scenario: Scenario = toml::from_str(text).map_err(|e| e.to_string())?;
        scenario.check().map_err(|e| e.to_string())?;
        scenario.fault_plan().map_err(|e| e.to_string())
    }

    #[test]
    fn the_example_in_the_documentation_is_a_scenario() {
        let example: String = include_str!("scenario.rs")
            .lines()
            .skip_while(|l| !l.contains("```toml"))
            .skip(1)
            .take_while(|l| !l.contains("```"))
            .map(|l| l.trim_start_matches("//!").trim_start().to_owned() + "\n")
            .collect();
        let plan = parse(&example).unwrap();
        assert_eq!(
            plan.faults(),
            [Fault {
                kind: Kind::Stall { lasting: Micros(200_000) },
                start: Start::Every { n: 500, first: 500 },
                length: 1
            }]
        );
    }

    #[test]
    fn every_fault_has_a_name_and_survives_toml() {
        for name in [
            "drop",
            "late",
            "stall",
            "duplicate",
            "reorder",
            "freeze",
            "black",
            "tear",
            "shift",
            "occlude",
            "wrong-size",
            "flip-bits",
            "truncate",
        ] {
            let text = format!(
                "[[fault]]\nkind = \"{name}\"\nat = 3\nby_ms = 5\nlasting_ms = 5\ncolumns = 4\ncount = 2"
            );
            let plan = parse(&text).unwrap();
            assert_eq!(plan.faults()[0].kind.name(), name);
            let scenario: Scenario = toml::from_str(&text).unwrap();
            let again: Scenario = toml::from_str(&toml::to_string(&scenario).unwrap()).unwrap();
            assert_eq!(again, scenario);
        }
    }

    #[test]
    fn errors_name_the_place_and_both_values() {
        for (text, words) in [
            ("[[fault]]\nkind = \"late\"\nat = 1", &["fault 1", "by_ms"][..]),
            ("[[fault]]\nkind = \"drop\"", &["exactly one of share, every"]),
            ("[[fault]]\nkind = \"drop\"\nshare = 2.0", &["0 to 1", "2 found"]),
            ("[camera]\nfps = 0.0", &["camera.fps", "0 found"]),
            ("[queue]\ndepth = 99", &["queue.depth", "99 found"]),
            ("[camera]\ndrift_ppm = -2147483648", &["drift_ppm", "-2147483648 found"]),
            (
                "[camera]\njitter = { kind = 'uniform', micros = 2147483648 }",
                &["jitter.micros", "2147483648 found"],
            ),
            ("[camera.sensor]\ngain = nan", &["camera.sensor.gain", "0 to 1000", "NaN found"]),
            ("[camera.sensor]\ntarget_level = -1.0", &["sensor.target_level", "-1 found"]),
            ("[camera.sensor]\nexposure_micros = 0", &["sensor.exposure_micros", "0 found"]),
            (
                "[camera.sensor]\nexposure_range_micros = [9, 5]",
                &["sensor.exposure_range_micros", "[9, 5] found"],
            ),
            ("[camera]\nfsp = 3", &["fsp"]),
        ] {
            let error = parse(text).unwrap_err();
            assert!(words.iter().all(|w| error.contains(w)), "{error}");
        }
    }
}
