//! State of the device: what a reader of figures must know, and what speaks against measuring now.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::Fact;
use crate::run::machine;

/// A run of a day stores about this much; below it a warning is due.
const LEAST_FREE_MIB: u64 = 2048;
/// The default run takes below 1 GiB.
const LEAST_MEMORY_MIB: u64 = 1024;
/// Processors of vehicles throttle from about here, degrees Celsius.
const HOT_CELSIUS: f64 = 85.0;

/// Facts that could be read, in a fixed order; what this system does not tell is left out.
pub(super) fn facts(folder: &Path) -> Vec<Fact> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut facts: Vec<Fact> = machine::facts()
        .into_iter()
        .filter(|(name, _)| *name != "governor")
        .map(|(name, value)| Fact { name, value, warning: None })
        .collect();
    facts.push(integer_dot_product(&machine::cpu_features()));
    let kernel = read("/proc/sys/kernel/osrelease").map(|text| fact("kernel", text.trim()));
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let frequency = ["scaling_cur_freq", "cpuinfo_max_freq"]
        .map(|name| read(&format!("/sys/devices/system/cpu/cpu0/cpufreq/{name}")));
    let load = read("/proc/loadavg");
    facts.extend(
        [
            kernel,
            governor.map(|text| governor_of(text.trim())),
            match frequency {
                [Some(now), Some(most)] => frequency_of(&now, &most),
                _ => None,
            },
            temperature(&zones()),
            load.and_then(|text| load_of(&text, cores)),
            read("/proc/meminfo").and_then(|text| memory_of(&text)),
            free_disk(folder),
        ]
        .into_iter()
        .flatten(),
    );
    facts
}

fn fact(name: &'static str, value: impl Into<String>) -> Fact {
    Fact { name, value: value.into(), warning: None }
}

fn warned(name: &'static str, value: String, warning: Option<&str>) -> Fact {
    Fact { name, value, warning: warning.map(str::to_owned) }
}

fn integer_dot_product(features: &[&str]) -> Fact {
    let known = ["avx512vnni", "avxvnni", "dotprod"];
    let found: Vec<&str> = known.into_iter().filter(|name| features.contains(name)).collect();
    let warning = found
        .is_empty()
        .then_some("int8 networks run without dot-product instructions, at about half the speed");
    let value = if found.is_empty() { "none".to_owned() } else { found.join(" ") };
    warned("int8 dot product", value, warning)
}

fn governor_of(name: &str) -> Fact {
    let warning = (name != "performance").then_some(
        "times depend on the load before; `cpupower frequency-set -g performance` for a measurement",
    );
    warned("governor", name.to_owned(), warning)
}

fn frequency_of(now_khz: &str, most_khz: &str) -> Option<Fact> {
    let mhz = |text: &str| text.trim().parse::<u64>().ok().map(|khz| khz / 1000);
    let (now, most) = (mhz(now_khz)?, mhz(most_khz)?);
    Some(fact("frequency", format!("{now} of {most} MHz")))
}

/// Temperatures of all thermal zones, degrees Celsius.
fn zones() -> Vec<f64> {
    let Ok(entries) = fs::read_dir("/sys/class/thermal") else { return Vec::new() };
    entries
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("temp")).ok())
        .filter_map(|text| text.trim().parse::<f64>().ok())
        .map(|thousandths| thousandths / 1000.0)
        .collect()
}

/// Hottest thermal zone, degrees Celsius.
pub(super) fn hottest() -> Option<f64> {
    zones().into_iter().max_by(f64::total_cmp)
}

/// Memory available, MiB.
pub(super) fn memory_mib() -> Option<u64> {
    mib_of(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// Room on the disk of a folder, MiB.
pub(super) fn free_disk_mib(folder: &Path) -> Option<u64> {
    mib_of_df(&df(folder)?)
}

fn temperature(zones: &[f64]) -> Option<Fact> {
    let hottest = zones.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let warning =
        (hottest >= HOT_CELSIUS).then_some("the processor may throttle: cool it, or wait");
    hottest.is_finite().then(|| warned("temperature", format!("{hottest:.0} C"), warning))
}

fn load_of(text: &str, cores: usize) -> Option<Fact> {
    let minute: f64 = text.split_whitespace().next()?.parse().ok()?;
    let busy = minute > 0.5 * cores as f64;
    let warning = busy.then_some("other work runs here: times will be too long; stop it first");
    Some(warned("load of the last minute", format!("{minute:.2} on {cores} cores"), warning))
}

fn memory_of(meminfo: &str) -> Option<Fact> {
    let (free, all) = (mib_of(meminfo, "MemAvailable:")?, mib_of(meminfo, "MemTotal:")?);
    let warning = (free < LEAST_MEMORY_MIB).then_some("a run takes up to 1 GiB: free some memory");
    Some(warned("memory", format!("{free} of {all} MiB available"), warning))
}

fn mib_of(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Asks `df`, because the standard library does not know file systems.
fn df(folder: &Path) -> Option<String> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn free_disk(folder: &Path) -> Option<Fact> {
    free_disk_of(&df(folder)?)
}

fn mib_of_df(df: &str) -> Option<u64> {
    let kib: u64 = df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib / 1024)
}

fn free_disk_of(df: &str) -> Option<Fact> {
    let free = mib_of_df(df)?;
    let warning =
        (free < LEAST_FREE_MIB).then_some("a long run may fill the disk: free some, or use --out");
    Some(warned("free disk", format!("{free} MiB"), warning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_kernel_become_facts_with_warnings_where_due() {
        let memory = memory_of("MemTotal: 2097152 kB\nMemAvailable:  524288 kB\n").unwrap();
        assert_eq!(memory.value, "512 of 2048 MiB available");
        assert!(memory.warning.is_some());
        assert!(memory_of("MemTotal: 1 kB").is_none());
        let load = load_of("0.31 0.50 0.60 1/234 5678\n", 2).unwrap();
        assert_eq!((load.value.as_str(), load.warning), ("0.31 on 2 cores", None));
        assert!(load_of("3.1 0 0", 2).unwrap().warning.is_some());
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 50 4194304 50% /\n";
        assert_eq!(free_disk_of(df).unwrap(), fact("free disk", "4096 MiB"));
        assert!(free_disk_of("").is_none());
        assert_eq!(frequency_of("1200000\n", "3000000\n").unwrap().value, "1200 of 3000 MHz");
        assert!(temperature(&[40.0, 91.5]).unwrap().warning.is_some());
        assert!(temperature(&[]).is_none());
        assert!(governor_of("powersave").warning.is_some());
        assert!(governor_of("performance").warning.is_none());
        assert!(integer_dot_product(&["avx2"]).warning.is_some());
        assert!(integer_dot_product(&["avx2", "avxvnni"]).warning.is_none());
    }
}
