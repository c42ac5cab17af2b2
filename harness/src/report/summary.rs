//! The figures of a run, schema 1 of `summary.json`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::metrics::Undefined;
use crate::stats::{self, MeanInterval, Percentiles};
use crate::store::{AttributionRow, FrameRow, Stage, Stored, VERDICT};
use crate::telemetry::device::{self, DeviceSample};

/// Version of this schema.
pub const SCHEMA: u32 = 1;

/// A share with its 95 % Wilson interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// 0 to 1; absent when there are no trials.
    pub value: Option<f64>,
    /// Trials.
    pub n: usize,
    /// Lower and upper end.
    pub ci95: Option<[f64; 2]>,
}

/// The pixel ratio of one method, as the maps stand unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Mean over the frames that have one, 0 to 1.
    pub mean: Option<f64>,
    /// 95 % interval of the mean.
    pub ci95: Option<[f64; 2]>,
    /// Frames that have one.
    pub n: usize,
    /// Frames without, by reason; never averaged.
    pub undefined: BTreeMap<&'static str, usize>,
    /// Mean share of the image that the mask covers: what a map that ignores the picture would score.
    pub chance: Option<f64>,
    /// Mean of the highest ratio that a map of this grid could reach.
    pub ceiling: Option<f64>,
    /// Mean ratio of the map whose cells are their own coverage by the mask: a network that looks at the
    /// whole sign and at nothing else.
    pub proportional: Option<f64>,
    /// Mean forward passes a frame.
    pub evaluations: Option<f64>,
    /// Mean of the corrected ratios; null unless every frame of the run that has a ratio has a corrected one.
    pub corrected: Option<MeanInterval>,
    /// Frames whose ratio could not be corrected.
    pub uncorrected: usize,
}

impl Ratio {
    /// The mean to be shown and its 95 % interval: of the corrected ratios where there are such.
    pub(super) fn shown(&self) -> (Option<f64>, Option<[f64; 2]>) {
        self.corrected.map_or((self.mean, self.ci95), |c| (Some(c.mean), c.ci95))
    }

    /// The ratio of a frame of the kind that is shown.
    pub(super) fn of_frame(&self, row: &AttributionRow) -> Option<f64> {
        if self.corrected.is_some() { row.corrected() } else { row.ratio.ok() }
    }
}

/// Accuracy and pixel ratios of a group of frames.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Frames.
    pub n: usize,
    /// Share of frames whose best class is the true one.
    pub top1: Share,
    /// Pixel ratios by method.
    pub pixel_ratio: BTreeMap<String, Ratio>,
}

/// What the device was like while the run went on; what it does not tell is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Device {
    /// Samples, two a second.
    pub samples: usize,
    /// Mean clock, MHz: smallest, mean, largest.
    pub frequency_mhz: Option<[f64; 3]>,
    /// Hottest sensor at the hottest moment, degrees Celsius.
    pub temperature_max_c: Option<f64>,
    /// Times that a core was slowed down for heat.
    pub throttled: Option<u64>,
    /// Most memory of the process, MiB.
    pub rss_max_mib: Option<f64>,
    /// Processes that wanted to run: mean of the one-minute means.
    pub load_mean: Option<f64>,
    /// Energy that the processor package took, joules; absent if its counter wrapped.
    pub energy_j: Option<f64>,
}

impl Device {
    fn of(samples: &[DeviceSample]) -> Option<Self> {
        let all = |value: fn(&DeviceSample) -> Option<f64>| -> Vec<f64> {
            samples.iter().filter_map(value).collect()
        };
        let highest = |values: Vec<f64>| values.into_iter().reduce(f64::max);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let grown = |value: fn(&DeviceSample) -> Option<u64>| {
            let mut counts = samples.iter().filter_map(value);
            let first = counts.next()?;
            counts.next_back().unwrap_or(first).checked_sub(first)
        };
        let clocks = all(|s| s.frequency_mhz);
        let loads = all(|s| s.load);
        let least = clocks.iter().copied().reduce(f64::min);
        let most = clocks.iter().copied().reduce(f64::max);
        (!samples.is_empty()).then(|| Self {
            samples: samples.len(),
            frequency_mhz: least.zip(most).map(|(low, high)| [low, mean(&clocks), high]),
            temperature_max_c: highest(all(|s| s.temperature_c)),
            throttled: device::throttled(samples),
            rss_max_mib: highest(all(|s| s.rss_bytes.map(|b| b as f64 / 1_048_576.0))),
            load_mean: (!loads.is_empty()).then(|| mean(&loads)),
            energy_j: grown(|s| s.energy_microjoules).map(|uj| uj as f64 / 1e6),
        })
    }
}

/// Frames counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Frames {
    /// Frames due.
    #[serde(rename = "in")]
    pub due: u64,
    /// Frames in the store.
    pub processed: u64,
    /// Frames dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// Accuracy of the whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// The best class is the true one.
    pub top1: Share,
    /// The true class is among the best five.
    pub top5: Share,
}

/// All figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Version of the schema.
    pub schema: u32,
    /// Whether every frame that was asked for is in.
    pub complete: bool,
    /// Frames in, processed, dropped.
    pub frames: Frames,
    /// Accuracy.
    pub accuracy: Accuracy,
    /// Pixel ratio by method.
    pub pixel_ratio: BTreeMap<String, Ratio>,
    /// The same by shape of the sign.
    pub by_shape: BTreeMap<String, Group>,
    /// The same by environment.
    pub by_environment: BTreeMap<String, Group>,
    /// The same by class, three digits so that they sort.
    pub by_class: BTreeMap<String, Group>,
    /// Times by stage.
    pub latency_ms: BTreeMap<&'static str, Percentiles>,
    /// The camera feed: pace, queue, faults, alarms, explanations beside it; null for a plain run in lockstep.
    pub feed: Value,
    /// The verdict against budgets; null if there were none.
    pub verdict: Value,
    /// State of the device while the run went on.
    pub device: Option<Device>,
    /// Share of multiply-accumulates done in integers, 0 to 1.
    pub integer_mac_share: Value,
    /// Settings that decide the results.
    pub settings: BTreeMap<String, Value>,
    /// Hashes of model, data, plan and executable.
    pub hashes: BTreeMap<String, Value>,
    /// The machine.
    pub machine: BTreeMap<String, Value>,
}

impl Summary {
    /// The figures of a stored run.
    #[must_use]
    pub fn of(stored: &Stored) -> Self {
        let frames: Vec<&FrameRow> = stored.frames.iter().collect();
        let methods = methods(&frames);
        let all = group(&frames, &methods);
        let hits5 = frames.iter().filter(|f| f.top5.contains(&f.class)).count();
        let asked = integer(stored, "frames.asked");
        let due = integer(stored, "frames.due");
        let dropped: BTreeMap<String, u64> = stored
            .settings
            .get("frames.dropped")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let processed = frames.len() as u64;
        let lost: u64 = dropped.values().sum();
        Self {
            schema: SCHEMA,
            complete: asked.is_some_and(|asked| asked == processed + lost),
            frames: Frames { due: due.or(asked).unwrap_or(processed + lost), processed, dropped },
            accuracy: Accuracy { top1: all.top1, top5: share(hits5, frames.len()) },
            pixel_ratio: all.pixel_ratio,
            by_shape: by(&frames, &methods, |f| f.shape.clone()),
            by_environment: by(&frames, &methods, |f| f.environment.clone()),
            by_class: by(&frames, &methods, |f| format!("{:03}", f.class)),
            latency_ms: latencies(&frames),
            feed: value(stored, "feed"),
            verdict: value(stored, VERDICT),
            // figures that cannot be read are left out, the rest is still worth telling
            device: stored.device_samples().ok().and_then(|samples| Device::of(&samples)),
            integer_mac_share: value(stored, "integer_mac_share"),
            settings: section(stored, "set."),
            hashes: section(stored, "hash."),
            machine: section(stored, "machine."),
        }
    }
}

impl Summary {
    /// Times by stage, in the order in which a frame passes the stages.
    pub fn stages(&self) -> impl Iterator<Item = (&'static str, &Percentiles)> {
        Stage::ALL.iter().filter_map(|s| Some((s.name(), self.latency_ms.get(s.name())?)))
    }
}

/// The methods, and whether every frame with a ratio has a corrected one: a mean of both kinds would be neither.
fn methods(frames: &[&FrameRow]) -> BTreeMap<String, bool> {
    let mut methods = BTreeMap::new();
    for a in frames.iter().flat_map(|f| &f.attributions) {
        let all = methods.entry(a.method.clone()).or_insert(true);
        *all &= a.ratio.is_err() || a.corrected().is_some();
    }
    methods
}

fn group(frames: &[&FrameRow], methods: &BTreeMap<String, bool>) -> Group {
    let correct = frames.iter().filter(|f| f.correct()).count();
    let here = |m: &str| frames.iter().any(|f| f.attributions.iter().any(|a| a.method == m));
    let explained = methods.iter().filter(|(m, _)| here(m));
    let pixel_ratio = explained.map(|(m, all)| (m.clone(), ratio(frames, m, *all))).collect();
    Group { n: frames.len(), top1: share(correct, frames.len()), pixel_ratio }
}

fn by(
    frames: &[&FrameRow],
    methods: &BTreeMap<String, bool>,
    key: impl Fn(&FrameRow) -> String,
) -> BTreeMap<String, Group> {
    let mut parts: BTreeMap<String, Vec<&FrameRow>> = BTreeMap::new();
    for &frame in frames {
        parts.entry(key(frame)).or_default().push(frame);
    }
    let named = parts.into_iter().filter(|(k, _)| !k.is_empty());
    named.map(|(k, v)| (k, group(&v, methods))).collect()
}

fn ratio(frames: &[&FrameRow], method: &str, all_corrected: bool) -> Ratio {
    let mut undefined =
        BTreeMap::from([(Undefined::NoPositive.name(), 0), (Undefined::EmptyMask.name(), 0)]);
    let (mut values, mut chance, mut ceiling) = (vec![], vec![], vec![]);
    let (mut proportional, mut evaluations, mut corrected) = (vec![], vec![], vec![]);
    for frame in frames {
        for a in frame.attributions.iter().filter(|a| a.method == method) {
            chance.push(frame.mask_share);
            ceiling.push(a.ceiling);
            proportional.extend(a.proportional);
            evaluations.push(f64::from(a.evaluations));
            corrected.extend(a.corrected());
            match a.ratio {
                Ok(value) => values.push(value),
                Err(reason) => *undefined.entry(reason.name()).or_default() += 1,
            }
        }
    }
    let (mean, ci95) = mean_interval(&values);
    Ratio {
        mean,
        ci95,
        n: values.len(),
        undefined,
        chance: mean_interval(&chance).0,
        ceiling: mean_interval(&ceiling).0,
        proportional: mean_interval(&proportional).0,
        evaluations: mean_interval(&evaluations).0,
        uncorrected: values.len() - corrected.len(),
        corrected: stats::mean_interval(&corrected).filter(|_| all_corrected),
    }
}

fn share(hits: usize, n: usize) -> Share {
    let interval = stats::wilson(hits, n);
    Share { value: interval.map(|i| i.value), n, ci95: interval.map(|i| i.ci95) }
}

fn mean_interval(values: &[f64]) -> (Option<f64>, Option<[f64; 2]>) {
    stats::mean_interval(values).map_or((None, None), |m| (Some(m.mean), m.ci95))
}

fn latencies(frames: &[&FrameRow]) -> BTreeMap<&'static str, Percentiles> {
    let of = |stage: Stage| {
        let times = frames.iter().flat_map(|f| f.stages.iter().filter(move |(s, _)| *s == stage));
        Percentiles::of(times.map(|(_, micros)| *micros))
    };
    Stage::ALL.into_iter().filter_map(|stage| Some((stage.name(), of(stage)?))).collect()
}

fn value(stored: &Stored, name: &str) -> Value {
    stored.settings.get(name).map_or(Value::Null, |text| {
        serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
    })
}

fn integer(stored: &Stored, name: &str) -> Option<u64> {
    value(stored, name).as_u64()
}

fn section(stored: &Stored, prefix: &str) -> BTreeMap<String, Value> {
    stored
        .settings
        .keys()
        .filter_map(|name| Some((name.strip_prefix(prefix)?.to_owned(), value(stored, name))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::RatioError;
    use crate::store::testing::row;

    #[test]
    fn means_are_corrected_for_all_frames_or_for_none() {
        let frame = |n: u32, shape: &str, cross_fit: Option<f64>| {
            let mut row = FrameRow { shape: shape.to_owned(), ..row(n) };
            row.attributions.truncate(1);
            row.attributions[0].method = "kernel-shap".to_owned();
            row.attributions[0].ratio = Ok(0.5);
            row.attributions[0].ratio_error =
                Some(RatioError { standard_error: 0.01, units: 10, cross_fit });
            row
        };
        let mean = |rows: &[FrameRow], shape: &str| {
            let frames: Vec<&FrameRow> = rows.iter().collect();
            let known = methods(&frames);
            let groups = by(&frames, &known, |f| f.shape.clone());
            let total = group(&frames, &known).pixel_ratio["kernel-shap"].clone();
            (total, groups[shape].pixel_ratio["kernel-shap"].shown().0.unwrap())
        };
        let mut rows = vec![frame(0, "circular", Some(0.7)), frame(1, "triangular", Some(0.7))];
        let (total, circular) = mean(&rows, "circular");
        assert!((total.shown().0.unwrap() - 0.6).abs() < 1e-12 && total.uncorrected == 0);
        assert!((circular - 0.6).abs() < 1e-12);
        assert_eq!(total.of_frame(&rows[0].attributions[0]), Some(0.6));
        // one frame without, in another shape: the plain ratio everywhere
        rows.push(frame(2, "triangular", None));
        let (total, circular) = mean(&rows, "circular");
        assert!(total.corrected.is_none() && total.uncorrected == 1);
        assert!((total.shown().0.unwrap() - 0.5).abs() < 1e-12 && (circular - 0.5).abs() < 1e-12);
        assert_eq!(total.of_frame(&rows[0].attributions[0]), Some(0.5));
    }
}
