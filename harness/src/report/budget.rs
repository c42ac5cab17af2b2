//! Budgets from a TOML file, and the verdict on a run: VALID, or INVALID with the sentence that says why.
//!
//! ```toml
//! confidence = 0.99
//! max_dropped_share = 0.0
//! [stage.decision]      # from the scheduled capture to the class
//! limit_ms = 33.3
//! share = 0.999         # of frames that must be in time
//! [device]
//! max_temperature_c = 85.0
//! no_throttling = true
//! ```
//!
//! A run is valid when every claim is supported by enough frames (see [`crate::stats::claim`]), and when the conditions were
//! the stated ones: books that balance, a camera that kept its own time, a device that did not slow down for heat.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use firmware_host::{Budget, DeadlineMonitor, Micros, StageRecord};
use serde::{Deserialize, Serialize};

use crate::stats::claim::{frames_needed, supported};
use crate::store::{Stage, StoreError, Stored};
use crate::telemetry::device::{DeviceSample, throttled};

/// Why budgets are not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// The file could not be read.
    #[error("{path}: {source}; name a TOML file of budgets, docs/camera.md has one")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no budgets.
    #[error("{path}: {source}")]
    Toml {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of its range, or a stage has another name.
    #[error("{path}, {place}: {expected} expected, {found} found; correct it in that file")]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which setting.
        place: String,
        /// What is possible.
        expected: String,
        /// What was given.
        found: String,
    },
}

/// What one stage may take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageBudget {
    /// Longest permitted time, milliseconds, rounded to the microseconds in which times are measured.
    pub limit_ms: f64,
    /// Share of frames that must keep it, above 0 and below 1.
    #[serde(default = "ninety_nine")]
    pub share: f64,
}

impl StageBudget {
    /// The longest permitted time.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked when read: 0 to 1e9 milliseconds"
    )]
    pub fn limit(&self) -> Micros {
        Micros((self.limit_ms * 1000.0).round() as u64)
    }
}

const fn ninety_nine() -> f64 {
    0.99
}

/// What the device may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceBudget {
    /// Highest temperature, degrees Celsius.
    pub max_temperature_c: Option<f64>,
    /// No core may be slowed down for heat; a device that does not tell is no reason to doubt.
    pub no_throttling: bool,
    /// Most memory of the process, MiB.
    pub max_rss_mib: Option<f64>,
}

/// All budgets of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budgets {
    /// Confidence of every claim, above 0 and below 1.
    pub confidence: f64,
    /// Share of frames that may be dropped, for whatever reason, 0 to 1.
    pub max_dropped_share: Option<f64>,
    /// By name of the stage.
    pub stage: BTreeMap<String, StageBudget>,
    /// The device.
    pub device: DeviceBudget,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            confidence: 0.99,
            max_dropped_share: None,
            stage: BTreeMap::new(),
            device: DeviceBudget::default(),
        }
    }
}

impl Budgets {
    /// Read budgets.
    ///
    /// # Errors
    /// If the file cannot be read, names an unknown setting or stage, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self, BudgetError> {
        let text = fs::read_to_string(path)
            .map_err(|source| BudgetError::File { path: path.to_owned(), source })?;
        let budgets: Self = toml::from_str(&text).map_err(|source| BudgetError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        budgets.check(path)?;
        Ok(budgets)
    }

    fn check(&self, path: &Path) -> Result<(), BudgetError> {
        let wrong = |place: String, expected: String, found: String| {
            Err(BudgetError::Value { path: path.to_owned(), place, expected, found })
        };
        let inside = |v: f64| v > 0.0 && v < 1.0;
        if !inside(self.confidence) {
            let found = self.confidence.to_string();
            return wrong("confidence".into(), "a number above 0 and below 1".into(), found);
        }
        if let Some(share) = self.max_dropped_share.filter(|share| !(0.0..=1.0).contains(share)) {
            let expected = "a share of 0 to 1 (0.001 for 0.1 %)".to_owned();
            return wrong("max_dropped_share".into(), expected, share.to_string());
        }
        if let Some(limit) = self.device.max_temperature_c.filter(|limit| !limit.is_finite()) {
            return wrong("device.max_temperature_c".into(), "a number".into(), limit.to_string());
        }
        let below = |limit: &f64| limit.is_nan() || *limit < 0.0;
        if let Some(limit) = self.device.max_rss_mib.filter(below) {
            let expected = "a number of 0 or more".to_owned();
            return wrong("device.max_rss_mib".into(), expected, limit.to_string());
        }
        for (name, budget) in &self.stage {
            if Stage::from_name(name).is_none() {
                let names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
                return wrong(
                    "stage".into(),
                    format!("one of {}", names.join(", ")),
                    format!("`{name}`"),
                );
            }
            if !inside(budget.share) {
                let found = budget.share.to_string();
                return wrong(format!("stage.{name}.share"), "above 0 and below 1".into(), found);
            }
            if !(budget.limit_ms >= 0.0 && budget.limit_ms < 1e9) {
                let found = budget.limit_ms.to_string();
                return wrong(
                    format!("stage.{name}.limit_ms"),
                    "a time of 0 or more".into(),
                    found,
                );
            }
        }
        Ok(())
    }
}

/// How a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// The frames support it.
    Met,
    /// More frames were late than permitted.
    Missed,
    /// Too few frames to say.
    TooFewFrames,
}

/// One budget with what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Stage.
    pub stage: String,
    /// Limit, milliseconds.
    pub limit_ms: f64,
    /// Share of frames that must keep it.
    pub share: f64,
    /// Frames measured.
    pub frames: u64,
    /// Frames over the limit; each is a `Deadline` event in the log of a run with this budget.
    pub overruns: u64,
    /// Most frames over the limit in a row.
    pub overruns_in_a_row: u32,
    /// Longest time, milliseconds.
    pub worst_ms: f64,
    /// Fewest frames that would support the claim with as many overruns.
    pub needed: Option<u64>,
    /// The outcome.
    pub state: ClaimState,
}

/// The verdict on a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether everything holds.
    pub valid: bool,
    /// Why not, a sentence a reason; empty if valid.
    pub reasons: Vec<String>,
    /// The claims.
    pub claims: Vec<Claim>,
}

impl Verdict {
    /// `VALID`, or `INVALID: ` and the reasons.
    #[must_use]
    pub fn sentence(&self) -> String {
        if self.valid {
            let frames = self.claims.iter().map(|c| c.frames).min();
            let over = frames.map_or_else(String::new, |n| format!(" over {n} frames"));
            format!("VALID: {} of {} budgets kept{over}", self.claims.len(), self.claims.len())
        } else {
            format!("INVALID: {}", self.reasons.join("; "))
        }
    }
}

/// Judge a stored run.
///
/// # Errors
/// If the store cannot be read.
pub fn judge(budgets: &Budgets, stored: &Stored) -> Result<Verdict, StoreError> {
    let mut reasons = Vec::new();
    let claims: Vec<Claim> = budgets
        .stage
        .iter()
        .map(|(name, budget)| claim(budgets.confidence, name, *budget, stored))
        .collect();
    for c in &claims {
        let Claim { stage, limit_ms, share, frames, overruns, .. } = c;
        let percent = 100.0 * share;
        let needed = c.needed.map_or_else(|| "more".to_owned(), |n| n.to_string());
        match c.state {
            ClaimState::Met => {}
            ClaimState::Missed => reasons.push(format!(
                "{stage}: {overruns} of {frames} frames took more than {limit_ms} ms, {:.3} % may",
                100.0 - percent
            )),
            ClaimState::TooFewFrames => reasons.push(format!(
                "{stage}: {percent} % within {limit_ms} ms needs {needed} frames at {} % confidence with {overruns} over it, \
                 there are {frames}",
                100.0 * budgets.confidence
            )),
        }
    }
    books(budgets, stored, &mut reasons);
    device(budgets, stored, &mut reasons)?;
    Ok(Verdict { valid: reasons.is_empty(), reasons, claims })
}

fn claim(confidence: f64, name: &str, budget: StageBudget, stored: &Stored) -> Claim {
    let mut monitor = DeadlineMonitor::new([Some(Budget { limit: budget.limit() })]);
    let stages = stored.frames.iter().flat_map(|frame| frame.stages.iter());
    for (_, micros) in stages.filter(|(stage, _)| stage.name() == name) {
        monitor.judge(0, Micros(*micros));
    }
    let [StageRecord { met, missed: overruns, worst, longest_row, .. }] = *monitor.stages();
    let frames = met + overruns;
    let state = if supported(budget.share, confidence, overruns, frames) {
        ClaimState::Met
    } else if overruns as f64 > (1.0 - budget.share) * frames as f64 {
        ClaimState::Missed
    } else {
        ClaimState::TooFewFrames
    };
    let needed = frames_needed(budget.share, confidence, overruns);
    let StageBudget { limit_ms, share } = budget;
    Claim {
        stage: name.to_owned(),
        limit_ms,
        share,
        frames,
        overruns,
        overruns_in_a_row: longest_row,
        worst_ms: worst.0 as f64 / 1000.0,
        needed,
        state,
    }
}

fn number(stored: &Stored, name: &str) -> Option<u64> {
    stored.settings.get(name)?.parse().ok()
}

fn books(budgets: &Budgets, stored: &Stored, reasons: &mut Vec<String>) {
    let processed = stored.frames.len() as u64;
    let due = number(stored, "frames.due")
        .or_else(|| number(stored, "frames.asked"))
        .unwrap_or(processed);
    if let Some(limit) = budgets.max_dropped_share {
        let dropped = due.saturating_sub(processed);
        if due == 0 || dropped as f64 > limit * due as f64 {
            reasons.push(format!(
                "{dropped} of {due} frames were not processed, {:.3} % may be",
                100.0 * limit
            ));
        }
    }
    if let Some(late) = number(stored, "feed.camera_late").filter(|&late| late > 0) {
        let worst = number(stored, "feed.camera_late_worst_micros").unwrap_or(0) as f64 / 1000.0;
        reasons.push(format!(
            "the simulated camera was late for {late} frames by up to {worst:.1} ms, so the load was not the stated one; \
             hold frames in memory with --preload, or lower --realtime"
        ));
    }
}

fn device(budgets: &Budgets, stored: &Stored, reasons: &mut Vec<String>) -> Result<(), StoreError> {
    let samples = stored.device_samples()?;
    let highest = |value: &dyn Fn(&DeviceSample) -> Option<f64>| {
        samples.iter().filter_map(value).reduce(f64::max)
    };
    if let Some(limit) = budgets.device.max_temperature_c {
        match highest(&|s| s.temperature_c) {
            Some(found) if found > limit => {
                reasons.push(format!(
                    "the device reached {found:.1} degrees, {limit:.1} are permitted"
                ));
            }
            Some(_) => {}
            None => reasons
                .push("this device tells no temperature; take max_temperature_c out".to_owned()),
        }
    }
    if let Some(limit) = budgets.device.max_rss_mib
        && let Some(found) = highest(&|s| s.rss_bytes.map(|b| b as f64 / 1_048_576.0))
        && found > limit
    {
        reasons.push(format!("the process took {found:.0} MiB, {limit:.0} are permitted"));
    }
    if budgets.device.no_throttling
        && let Some(times) = throttled(&samples).filter(|&times| times > 0)
    {
        reasons.push(format!("a core was slowed down for heat {times} times"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
