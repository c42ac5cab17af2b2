//! Is this device fit for a run? Known answers recomputed here, and what the device says of itself.
//!
//! A wrong processor flag, a bad compiler or a failing memory bar show up as a wrong known answer; a throttled
//! processor or a full disk as a fact with a warning. Nothing here needs a network of the zoo or a data set.

mod device;
mod known_answers;
mod target;

use std::path::Path;

use serde::Serialize;

use crate::clock::Clock;
use crate::run::TargetProfile;

/// Version of the schema of `doctor --json`.
pub const SCHEMA: u32 = 1;

/// A known answer, recomputed.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was tried.
    pub name: &'static str,
    /// Whether the answer was right.
    pub passed: bool,
    /// The difference that was found, or what went wrong.
    pub detail: String,
    /// How long it took, milliseconds.
    pub ms: f64,
}

/// Something that the device says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What.
    pub name: &'static str,
    /// The value with its unit.
    pub value: String,
    /// What speaks against measuring now, and the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// What the doctor found.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// Version of the schema.
    pub schema: u32,
    /// Whether every known answer was right.
    pub passed: bool,
    /// Whether the device is as the target profile wants it; true without one.
    pub meets_target: bool,
    /// Known answers.
    pub checks: Vec<Check>,
    /// State of the device.
    pub device: Vec<Fact>,
}

/// Recompute all known answers and ask the device for its state; the store is tried in `folder`. With a target profile,
/// what the device does not meet of it is a fact with a warning.
#[must_use]
pub fn examine(folder: &Path, target: Option<&TargetProfile>) -> Diagnosis {
    let clock = Clock::start();
    let run = |(name, check): (&'static str, known_answers::Try)| {
        let (answer, taken) = clock.time(|| check(folder));
        let (passed, detail) = match answer {
            Ok(detail) => (true, detail),
            Err(problem) => (false, problem),
        };
        Check { name, passed, detail, ms: taken.0 as f64 / 1000.0 }
    };
    let checks: Vec<Check> = known_answers::ALL.into_iter().map(run).collect();
    let passed = checks.iter().all(|check| check.passed);
    let mut device = device::facts(folder);
    let target = target.map_or_else(Vec::new, |profile| target::facts(profile, folder));
    let meets_target = target.iter().all(|fact| fact.warning.is_none());
    device.extend(target);
    Diagnosis { schema: SCHEMA, passed, meets_target, checks, device }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_machine_passes_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let diagnosis = examine(folder.path(), None);
        for check in &diagnosis.checks {
            assert!(check.passed, "{}: {}", check.name, check.detail);
        }
        assert!(diagnosis.passed && diagnosis.checks.len() >= 6);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(diagnosis.device.iter().any(|fact| fact.name == "cores"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_fails_the_store_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "in the way").unwrap();
        let diagnosis = examine(&file, None);
        let failed: Vec<_> = diagnosis.checks.iter().filter(|c| !c.passed).collect();
        assert_eq!(failed.iter().map(|c| c.name).collect::<Vec<_>>(), ["run store"]);
        assert!(!diagnosis.passed && failed[0].detail.contains("choose another"), "{failed:?}");
    }
}
