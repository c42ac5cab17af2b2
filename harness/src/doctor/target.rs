//! What the machine does not meet of a target profile, each with the command that mends it.

use std::fs;
use std::path::Path;
use std::thread;

use super::{Fact, device};
use crate::run::TargetProfile;
use crate::run::machine;

/// Compare this machine with a profile; a fact without a warning is met. `folder` is where runs will be stored.
pub(super) fn facts(profile: &TargetProfile, folder: &Path) -> Vec<Fact> {
    let features = machine::cpu_features();
    let governor = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").ok();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    vec![
        architecture(profile, std::env::consts::ARCH),
        isa(profile, &features),
        cores_of(profile, cores),
        governor_of(profile, governor.as_deref().map(str::trim)),
        temperature(profile, device::hottest()),
        at_least(
            "target memory",
            device::memory_mib(),
            profile.memory_mib,
            "stop other programs: `systemctl list-units --state=running`, `ps aux --sort=-rss`",
        ),
        at_least(
            "target disk",
            device::free_disk_mib(folder),
            profile.disk_mib,
            "free some, or name another disk with --out: `df -h`",
        ),
    ]
}

fn fact(name: &'static str, value: String, warning: Option<String>) -> Fact {
    Fact { name, value, warning }
}

fn architecture(profile: &TargetProfile, found: &str) -> Fact {
    let warning = (found != profile.architecture).then(|| {
        format!("{} expected: install the package for this architecture", profile.architecture)
    });
    fact("target architecture", found.to_owned(), warning)
}

fn isa(profile: &TargetProfile, found: &[&str]) -> Fact {
    let missing: Vec<String> = profile
        .isa
        .iter()
        .filter(|any| !any.iter().any(|name| found.contains(&name.as_str())))
        .map(|any| any.join(" or "))
        .collect();
    let warning = (!missing.is_empty()).then(|| {
        format!(
            "{} expected: in a virtual machine pass the host's processor through (`-cpu host`)",
            missing.join(", ")
        )
    });
    fact("target instruction sets", found.join(" "), warning)
}

fn cores_of(profile: &TargetProfile, found: usize) -> Fact {
    let expected = profile.cores.expected;
    let warning = (found < expected).then(|| {
        format!(
            "{expected} expected: `cat /sys/devices/system/cpu/offline`, then \
             `echo 1 > /sys/devices/system/cpu/cpuN/online`; or fewer cores in the profile"
        )
    });
    fact("target cores", found.to_string(), warning)
}

fn governor_of(profile: &TargetProfile, found: Option<&str>) -> Fact {
    let expected = &profile.governor;
    let (value, warning) = match found {
        Some(name) if name == expected => (name.to_owned(), None),
        Some(name) => (
            name.to_owned(),
            Some(format!("{expected} expected: `cpupower frequency-set -g {expected}`")),
        ),
        None => (
            "not readable".to_owned(),
            Some(format!(
                "{expected} expected: no cpufreq driver here; `modprobe cpufreq_{expected}`, or set it in the firmware"
            )),
        ),
    };
    fact("target governor", value, warning)
}

fn temperature(profile: &TargetProfile, found: Option<f64>) -> Fact {
    let most = profile.hottest_celsius;
    let (value, warning) = match found {
        Some(celsius) => (
            format!("{celsius:.0} C"),
            (celsius > most).then(|| format!("at most {most:.0} C expected: cool it, or wait")),
        ),
        None => (
            "not readable".to_owned(),
            Some(format!(
                "at most {most:.0} C expected: no thermal zone here; `modprobe` the driver, see `sensors-detect`"
            )),
        ),
    };
    fact("target temperature", value, warning)
}

fn at_least(name: &'static str, found: Option<u64>, least: u64, remedy: &str) -> Fact {
    let value = found.map_or_else(|| "not readable".to_owned(), |mib| format!("{mib} MiB"));
    let warning =
        found.is_none_or(|mib| mib < least).then(|| format!("{least} MiB expected: {remedy}"));
    fact(name, value, warning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::CoreProfile;

    fn profile() -> TargetProfile {
        TargetProfile {
            name: "t".to_owned(),
            architecture: "aarch64".to_owned(),
            isa: vec![vec!["dotprod".to_owned(), "i8mm".to_owned()]],
            cores: CoreProfile { expected: 4, stream: vec![0], explain: vec![1, 2] },
            governor: "performance".to_owned(),
            hottest_celsius: 80.0,
            memory_mib: 1000,
            disk_mib: 1000,
        }
    }

    #[test]
    fn what_is_met_has_no_warning_and_what_is_not_names_the_remedy() {
        let p = profile();
        assert_eq!(architecture(&p, "aarch64").warning, None);
        assert!(architecture(&p, "x86_64").warning.unwrap().contains("aarch64 expected"));
        assert_eq!(isa(&p, &["neon", "i8mm"]).warning, None);
        assert!(isa(&p, &["neon"]).warning.unwrap().contains("dotprod or i8mm expected"));
        assert_eq!(cores_of(&p, 4).warning, None);
        assert!(cores_of(&p, 2).warning.unwrap().contains("4 expected"));
        assert_eq!(governor_of(&p, Some("performance")).warning, None);
        let warning = governor_of(&p, Some("powersave")).warning.unwrap();
        assert!(warning.contains("cpupower frequency-set -g performance"), "{warning}");
        assert!(governor_of(&p, None).warning.is_some());
        assert_eq!(temperature(&p, Some(79.0)).warning, None);
        assert!(temperature(&p, Some(81.0)).warning.is_some());
        assert_eq!(at_least("m", Some(1000), 1000, "r").warning, None);
        assert!(at_least("m", Some(999), 1000, "r").warning.unwrap().contains("1000 MiB"));
        assert!(at_least("m", None, 1000, "r").warning.is_some());
    }
}
