//! The figures of a run, schema 1 of `summary.json`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::metrics::Undefined;
use crate::stats;
use crate::store::{FrameRow, Stage, Stored};

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

/// The pixel ratio of one method.
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

/// Times of one stage, milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
    /// Frames measured.
    pub n: usize,
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
    pub latency_ms: BTreeMap<&'static str, Latency>,
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
        let all = group(&frames);
        let hits5 = frames.iter().filter(|f| f.top5.contains(&f.class)).count();
        let asked = integer(stored, "frames.asked");
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
            frames: Frames { due: asked.unwrap_or(processed + lost), processed, dropped },
            accuracy: Accuracy { top1: all.top1, top5: share(hits5, frames.len()) },
            pixel_ratio: all.pixel_ratio,
            by_shape: by(&frames, |f| f.shape.clone()),
            by_environment: by(&frames, |f| f.environment.clone()),
            by_class: by(&frames, |f| format!("{:03}", f.class)),
            latency_ms: latencies(&frames),
            integer_mac_share: value(stored, "integer_mac_share"),
            settings: section(stored, "set."),
            hashes: section(stored, "hash."),
            machine: section(stored, "machine."),
        }
    }
}

impl Summary {
    /// Times by stage, in the order in which a frame passes the stages.
    pub fn stages(&self) -> impl Iterator<Item = (&'static str, &Latency)> {
        Stage::ALL.iter().filter_map(|s| Some((s.name(), self.latency_ms.get(s.name())?)))
    }
}

fn group(frames: &[&FrameRow]) -> Group {
    let correct = frames.iter().filter(|f| f.correct()).count();
    let mut methods: Vec<&str> =
        frames.iter().flat_map(|f| f.attributions.iter().map(|a| a.method.as_str())).collect();
    methods.sort_unstable();
    methods.dedup();
    let pixel_ratio = methods.into_iter().map(|m| (m.to_owned(), ratio(frames, m))).collect();
    Group { n: frames.len(), top1: share(correct, frames.len()), pixel_ratio }
}

fn by(frames: &[&FrameRow], key: impl Fn(&FrameRow) -> String) -> BTreeMap<String, Group> {
    let mut parts: BTreeMap<String, Vec<&FrameRow>> = BTreeMap::new();
    for &frame in frames {
        parts.entry(key(frame)).or_default().push(frame);
    }
    parts.into_iter().filter(|(k, _)| !k.is_empty()).map(|(k, v)| (k, group(&v))).collect()
}

fn ratio(frames: &[&FrameRow], method: &str) -> Ratio {
    let mut undefined =
        BTreeMap::from([(Undefined::NoPositive.name(), 0), (Undefined::EmptyMask.name(), 0)]);
    let (mut values, mut chance, mut ceiling) = (vec![], vec![], vec![]);
    let (mut proportional, mut evaluations) = (vec![], vec![]);
    for frame in frames {
        for a in frame.attributions.iter().filter(|a| a.method == method) {
            chance.push(frame.mask_share);
            ceiling.push(a.ceiling);
            proportional.extend(a.proportional);
            evaluations.push(f64::from(a.evaluations));
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
    }
}

fn share(hits: usize, n: usize) -> Share {
    let interval = stats::wilson(hits, n);
    Share { value: interval.map(|i| i.value), n, ci95: interval.map(|i| i.ci95) }
}

fn mean_interval(values: &[f64]) -> (Option<f64>, Option<[f64; 2]>) {
    stats::mean_interval(values).map_or((None, None), |m| (Some(m.mean), m.ci95))
}

fn latencies(frames: &[&FrameRow]) -> BTreeMap<&'static str, Latency> {
    let mut out = BTreeMap::new();
    for stage in Stage::ALL {
        let mut millis: Vec<f64> = frames
            .iter()
            .flat_map(|f| f.stages.iter().filter(|(s, _)| *s == stage))
            .map(|(_, micros)| *micros as f64 / 1000.0)
            .collect();
        millis.sort_by(f64::total_cmp);
        let at = |p: f64| stats::percentile(&millis, p);
        if let (Some(p50), Some(p90), Some(p99), Some(&max)) =
            (at(0.5), at(0.9), at(0.99), millis.last())
        {
            out.insert(stage.name(), Latency { p50, p90, p99, max, n: millis.len() });
        }
    }
    out
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
