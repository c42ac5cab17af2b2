//! The state of the machine while it works, sampled twice a second: a latency without it explains nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Clock;

/// Time between two samples.
pub const INTERVAL: Duration = Duration::from_millis(500);

/// One sample; what this machine does not tell is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeviceSample {
    /// Time since the start of the run, microseconds.
    pub at_micros: u64,
    /// Mean clock of the cores, MHz.
    pub frequency_mhz: Option<f64>,
    /// Hottest sensor, degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Times that a core was slowed down for heat, since boot.
    pub throttled: Option<u64>,
    /// Memory of this process, bytes.
    pub rss_bytes: Option<u64>,
    /// Processes that want to run, mean over a minute.
    pub load: Option<f64>,
    /// Energy counter of the processor package, microjoules; wraps.
    pub energy_microjoules: Option<u64>,
}

/// Times that a core was slowed down for heat from the first sample to the last; none if the machine does not tell.
///
/// The counter begins anew when the machine is started anew, as between two parts of a run that is resumed: so its rises
/// from one sample to the next are added up.
#[must_use]
pub fn throttled(samples: &[DeviceSample]) -> Option<u64> {
    let counts: Vec<u64> = samples.iter().filter_map(|sample| sample.throttled).collect();
    let rises = counts.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    (!counts.is_empty()).then(|| rises.sum())
}

/// Where the figures stand; another root in tests.
#[derive(Clone, Debug)]
pub struct Probe {
    root: PathBuf,
}

impl Default for Probe {
    fn default() -> Self {
        Self { root: PathBuf::from("/") }
    }
}

impl Probe {
    /// Read everything once.
    #[must_use]
    pub fn sample(&self, at_micros: u64) -> DeviceSample {
        DeviceSample {
            at_micros,
            frequency_mhz: self.frequency(),
            temperature_c: self.temperature(),
            throttled: self.throttled(),
            rss_bytes: self.rss(),
            load: self.first_number("proc/loadavg"),
            energy_microjoules: self.integer("sys/class/powercap/intel-rapl:0/energy_uj"),
        }
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    fn integer(&self, path: &str) -> Option<u64> {
        self.read(path)?.trim().parse().ok()
    }

    fn first_number(&self, path: &str) -> Option<f64> {
        self.read(path)?.split_whitespace().next()?.parse().ok()
    }

    fn each<T: FromStr>(&self, folder: &str, prefix: &str, file: &str) -> Vec<T> {
        let numbered = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            name.strip_prefix(prefix)?.parse::<u32>().ok()
        };
        let Ok(entries) = fs::read_dir(self.root.join(folder)) else { return Vec::new() };
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| numbered(path).is_some())
            .filter_map(|path| fs::read_to_string(path.join(file)).ok()?.trim().parse().ok())
            .collect()
    }

    fn frequency(&self) -> Option<f64> {
        let kilohertz: Vec<u64> =
            self.each("sys/devices/system/cpu", "cpu", "cpufreq/scaling_cur_freq");
        if let Some(mean) = mean(kilohertz.iter().map(|&k| k as f64 / 1000.0)) {
            return Some(mean);
        }
        let text = self.read("proc/cpuinfo")?;
        let lines = text.lines().filter(|line| line.starts_with("cpu MHz"));
        mean(lines.filter_map(|line| line.split_once(':')?.1.trim().parse().ok()))
    }

    fn temperature(&self) -> Option<f64> {
        // below zero in a cold vehicle
        let millidegrees: Vec<i64> = self.each("sys/class/thermal", "thermal_zone", "temp");
        millidegrees.into_iter().max().map(|m| m as f64 / 1000.0)
    }

    fn throttled(&self) -> Option<u64> {
        let counts: Vec<u64> =
            self.each("sys/devices/system/cpu", "cpu", "thermal_throttle/core_throttle_count");
        (!counts.is_empty()).then(|| counts.iter().sum())
    }

    fn rss(&self) -> Option<u64> {
        let text = self.read("proc/self/status")?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes * 1024)
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// A thread that samples until it is stopped.
#[derive(Debug)]
pub struct Sampler {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Vec<DeviceSample>>,
}

impl Sampler {
    /// Start to sample twice a second.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(clock: Clock) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("device".to_owned()).spawn(move || {
            let probe = Probe::default();
            let mut samples = vec![probe.sample(clock.now().0)];
            while matches!(stopped.recv_timeout(INTERVAL), Err(mpsc::RecvTimeoutError::Timeout)) {
                samples.push(probe.sample(clock.now().0));
            }
            samples.push(probe.sample(clock.now().0));
            samples
        })?;
        Ok(Self { stop, thread })
    }

    /// Stop; gives all samples, or none if the thread failed.
    #[must_use]
    pub fn finish(self) -> Vec<DeviceSample> {
        // a thread that ended already does not listen
        self.stop.send(()).unwrap_or(());
        self.thread.join().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Probe) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let probe = Probe { root: dir.path().to_owned() };
        (dir, probe)
    }

    #[test]
    fn figures_come_from_where_linux_keeps_them() {
        let (_dir, probe) = root(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1800000\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "1000000\n"),
            ("sys/devices/system/cpu/cpufreq/scaling_cur_freq", "9\n"),
            ("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n"),
            ("sys/class/thermal/thermal_zone0/temp", "48500\n"),
            ("sys/class/thermal/thermal_zone1/temp", "51250\n"),
            ("sys/class/powercap/intel-rapl:0/energy_uj", "77\n"),
            ("proc/loadavg", "1.25 0.8 0.5 2/300 999\n"),
            ("proc/self/status", "Name:\tx\nVmRSS:\t  2048 kB\n"),
        ]);
        let expected = DeviceSample {
            at_micros: 5,
            frequency_mhz: Some(1400.0),
            temperature_c: Some(51.25),
            throttled: Some(3),
            rss_bytes: Some(2048 * 1024),
            load: Some(1.25),
            energy_microjoules: Some(77),
        };
        assert_eq!(probe.sample(5), expected);
    }

    #[test]
    fn a_restart_of_the_machine_hides_no_throttling() {
        let samples = |counts: &[Option<u64>]| -> Vec<DeviceSample> {
            let sample = |&throttled| DeviceSample { throttled, ..DeviceSample::default() };
            counts.iter().map(sample).collect()
        };
        assert_eq!(throttled(&samples(&[])), None);
        assert_eq!(throttled(&samples(&[None, None])), None);
        assert_eq!(throttled(&samples(&[Some(7)])), Some(0));
        assert_eq!(throttled(&samples(&[Some(7), None, Some(9), Some(9)])), Some(2));
        let restarted = [Some(50), Some(53), Some(0), Some(4)];
        assert_eq!(throttled(&samples(&restarted)), Some(7));
    }

    #[test]
    fn a_machine_in_the_cold_tells_its_temperature() {
        let (_dir, probe) = root(&[
            ("sys/class/thermal/thermal_zone0/temp", "-12500\n"),
            ("sys/class/thermal/thermal_zone1/temp", "-5000\n"),
        ]);
        assert_eq!(probe.sample(0).temperature_c, Some(-5.0));
    }

    #[test]
    fn what_a_machine_does_not_tell_is_absent() {
        let (_dir, probe) = root(&[("proc/cpuinfo", "cpu MHz : 2000.0\ncpu MHz\t: 3000.0\n")]);
        let expected = DeviceSample { frequency_mhz: Some(2500.0), ..DeviceSample::default() };
        assert_eq!(probe.sample(0), expected);
    }
}
