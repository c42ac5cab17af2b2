//! A target profile: what the vehicle computer should be like, and which of its cores a run may use.
//!
//! `roadgaze run --target FILE` applies what it may (threads and cores), `roadgaze doctor --target FILE` says what the
//! machine does not meet. Profiles lie in `deploy/targets`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::PlanError;

/// What a machine should be like.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetProfile {
    /// Name for people.
    pub name: String,
    /// `x86_64` or `aarch64`.
    pub architecture: String,
    /// Instruction sets that must be there, by the names that `roadgaze doctor` prints; one of each inner list is enough.
    pub isa: Vec<Vec<String>>,
    /// Cores.
    pub cores: CoreProfile,
    /// Frequency governor that measurements need.
    pub governor: String,
    /// Hottest thermal zone at which a run may start, degrees Celsius.
    pub hottest_celsius: f64,
    /// Memory that must be available, MiB.
    pub memory_mib: u64,
    /// Room that the run folder's disk must have, MiB.
    pub disk_mib: u64,
}

/// Cores of a target and who may use them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreProfile {
    /// Cores that the machine should have.
    pub expected: usize,
    /// Cores for camera, network and store.
    pub stream: Vec<usize>,
    /// Cores for explanations.
    pub explain: Vec<usize>,
}

impl TargetProfile {
    /// Read a profile.
    ///
    /// # Errors
    /// If the file cannot be read, is no profile, or names cores that the target does not have.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = fs::read_to_string(path)
            .map_err(|source| PlanError::File { path: path.to_owned(), source })?;
        let profile: Self = toml::from_str(&text).map_err(|source| PlanError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let cores = &profile.cores;
        let named = || cores.stream.iter().chain(&cores.explain);
        let wrong = named().find(|&&core| core >= cores.expected);
        if let Some(core) = wrong {
            return Err(PlanError::Range {
                name: "cores",
                expected: format!("numbers below {} in {}", cores.expected, path.display()),
                found: core.to_string(),
            });
        }
        if cores.stream.is_empty() || cores.explain.is_empty() {
            return Err(PlanError::Range {
                name: "cores.stream and cores.explain",
                expected: format!("one core or more each in {}", path.display()),
                found: "none".to_owned(),
            });
        }
        Ok(profile)
    }

    /// Threads for explanations.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.cores.explain.len()
    }

    /// All cores of the run, as `taskset` and systemd write them.
    #[must_use]
    pub fn core_list(&self) -> String {
        let mut cores: Vec<usize> =
            self.cores.stream.iter().chain(&self.cores.explain).copied().collect();
        cores.sort_unstable();
        cores.dedup();
        cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// Bind this process, and the threads that it starts from now on, to the profile's cores; gives what could not be
    /// done as a sentence.
    ///
    /// Asks `taskset` of util-linux, because the system call needs code that this crate does not allow itself.
    #[must_use]
    pub fn bind(&self) -> Option<String> {
        let list = self.core_list();
        let process = std::process::id().to_string();
        let remedy = format!("start roadgaze with `taskset -c {list}` or CPUAffinity= of systemd");
        match Command::new("taskset").args(["-cp", &list, &process]).output() {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Some(format!("cores {list} could not be taken ({}); {remedy}", said.trim()))
            }
            Err(error) => Some(format!("taskset: {error}; {remedy}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Vec<std::path::PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/targets");
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn every_shipped_profile_is_read() {
        let files = shipped();
        assert!(files.len() >= 3, "{files:?}");
        for file in files {
            let profile = TargetProfile::read(&file).unwrap();
            assert!(profile.threads() > 0 && profile.hottest_celsius > 40.0, "{}", file.display());
        }
    }

    #[test]
    fn cores_that_are_not_there_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        let text = fs::read_to_string(&shipped()[0]).unwrap();
        let at = text.find("stream = [").unwrap();
        fs::write(&path, format!("{}stream = [99, {}", &text[..at], &text[at + 10..])).unwrap();
        let error = TargetProfile::read(&path).unwrap_err().to_string();
        assert!(error.contains("99 found"), "{error}");
    }

    #[test]
    fn core_lists_are_sorted_without_doubles() {
        let mut profile = TargetProfile::read(&shipped()[0]).unwrap();
        profile.cores = CoreProfile { expected: 9, stream: vec![3, 1], explain: vec![3, 8] };
        assert_eq!(profile.core_list(), "1,3,8");
        assert_eq!(profile.threads(), 2);
    }
}
