//! Frame by frame: accuracy, pixel ratio, order of the maps, latency; and the verdicts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Pair;
use super::ladder::{Ladder, Step, maps};
use super::margins::Margins;
use crate::stats::{self, BcaInterval, Equivalence, MeanInterval, Paired};
use crate::store::Stage;

/// Seed of everything that is drawn in a comparison.
const SEED: u64 = 1;

/// Accuracy of both runs on the same frames.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Frames that both have right, only the first, only the second, neither.
    pub counts: [usize; 4],
    /// Difference, frame by frame.
    pub paired: Option<Paired>,
    #[serde(skip)]
    differences: Vec<f64>,
}

impl Accuracy {
    pub(super) fn of(pairs: &[Pair<'_>]) -> Self {
        let hit = |right: bool| if right { 1.0 } else { 0.0 };
        let both: Vec<(f64, f64)> =
            pairs.iter().map(|p| (hit(p.a.correct()), hit(p.b.correct()))).collect();
        let count = |a: bool, b: bool| {
            pairs.iter().filter(|p| p.a.correct() == a && p.b.correct() == b).count()
        };
        Self {
            counts: [
                count(true, true),
                count(true, false),
                count(false, true),
                count(false, false),
            ],
            paired: stats::paired(&both, SEED),
            differences: both.iter().map(|(a, b)| b - a).collect(),
        }
    }
}

/// The pixel ratio of one method in both runs.
#[derive(Clone, Debug, Serialize)]
pub struct RatioComparison {
    /// Whether the ratios are the corrected ones: so if every frame has one in both runs.
    pub corrected: bool,
    /// Frames in which one run has a ratio and the other none.
    pub one_sided: usize,
    /// Difference, frame by frame: second less first.
    pub paired: Option<Paired>,
    /// Bootstrap interval of the mean difference.
    pub bootstrap: Option<BcaInterval>,
    /// Largest absolute difference of a frame.
    pub worst: f64,
    /// Rank correlation of the maps, frame by frame.
    pub correlation: Option<Correlation>,
    /// By shape, environment and class; p-values adjusted for the number of groups of a kind.
    pub groups: BTreeMap<&'static str, BTreeMap<String, Group>>,
    /// Ratios of both runs, frame by frame.
    #[serde(skip)]
    pub points: Vec<(f64, f64)>,
}

impl RatioComparison {
    /// What is compared, for tables.
    pub(crate) fn title(&self, method: &str) -> String {
        format!("pixel ratio {method}{}", if self.corrected { ", corrected" } else { "" })
    }
}

/// Rank correlation over the frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Correlation {
    /// Mean over the frames.
    pub mean: f64,
    /// Lowest.
    pub least: f64,
    /// Frames whose maps have an order.
    pub n: usize,
}

/// The difference in a group of frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Mean difference with interval.
    pub difference: MeanInterval,
    /// Sign-flip test, adjusted by Holm's method over the groups of this kind.
    pub p_holm: f64,
    /// Cohen's `d_z`.
    pub effect: Option<f64>,
}

/// Median times of a stage, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Median of each run.
    pub median_ms: [f64; 2],
    /// Second over first.
    pub factor: f64,
}

/// One thing held against its margin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What was asked for.
    pub wanted: String,
    /// Whether it is so.
    pub met: bool,
}

pub(super) fn ratios(pairs: &[Pair<'_>]) -> BTreeMap<String, RatioComparison> {
    let mut methods: Vec<&str> =
        pairs.iter().flat_map(|p| maps(p).map(|(a, _)| a.method.as_str())).collect();
    methods.sort_unstable();
    methods.dedup();
    methods.into_iter().map(|m| (m.to_owned(), ratio(pairs, m))).collect()
}

fn ratio(pairs: &[Pair<'_>], method: &str) -> RatioComparison {
    let mut points = Vec::new();
    let mut corrected = Vec::new();
    let mut keys = Vec::new();
    let mut orders = Vec::new();
    let mut one_sided = 0;
    for pair in pairs {
        let Some((a, b)) = maps(pair).find(|(a, _)| a.method == method) else { continue };
        match (a.ratio, b.ratio) {
            (Ok(plain_a), Ok(plain_b)) => {
                points.push((plain_a, plain_b));
                corrected.extend(a.corrected().zip(b.corrected()));
                keys.push(pair.a);
            }
            (Err(_), Err(_)) => {}
            _ => one_sided += 1,
        }
        let wide = |map: &[f32]| map.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        orders.extend(stats::spearman(&wide(&a.map), &wide(&b.map)));
    }
    let all_corrected = !points.is_empty() && corrected.len() == points.len();
    if all_corrected {
        points = corrected;
    }
    let differences: Vec<f64> = points.iter().map(|(a, b)| b - a).collect();
    let correlation = (!orders.is_empty()).then(|| Correlation {
        mean: orders.iter().sum::<f64>() / orders.len() as f64,
        least: orders.iter().copied().fold(1.0, f64::min),
        n: orders.len(),
    });
    let by = |name: &dyn Fn(usize) -> String| {
        let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (i, difference) in differences.iter().enumerate() {
            groups.entry(name(i)).or_default().push(*difference);
        }
        adjusted(&groups)
    };
    let groups = BTreeMap::from([
        ("shape", by(&|i| keys[i].shape.clone())),
        ("environment", by(&|i| keys[i].environment.clone())),
        ("class", by(&|i| format!("{:03}", keys[i].class))),
    ]);
    RatioComparison {
        corrected: all_corrected,
        one_sided,
        paired: stats::paired(&points, SEED),
        bootstrap: stats::bca_mean(&differences, SEED),
        worst: differences.iter().fold(0.0, |top, d| top.max(d.abs())),
        correlation,
        groups,
        points,
    }
}

fn adjusted(groups: &BTreeMap<String, Vec<f64>>) -> BTreeMap<String, Group> {
    let tested: Vec<(&String, MeanInterval, f64, Option<f64>)> = groups
        .iter()
        .filter_map(|(name, d)| {
            let test = stats::sign_flip(d, SEED)?;
            Some((name, stats::mean_interval(d)?, test.p, stats::cohen_dz(d)))
        })
        .collect();
    let p: Vec<f64> = tested.iter().map(|t| t.2).collect();
    tested
        .into_iter()
        .zip(stats::holm(&p))
        .map(|((name, difference, _, effect), p_holm)| {
            (name.clone(), Group { difference, p_holm, effect })
        })
        .collect()
}

pub(super) fn latency(pairs: &[Pair<'_>]) -> BTreeMap<&'static str, Latency> {
    let median = |side: &dyn Fn(&Pair<'_>) -> Option<u64>| {
        let times: Vec<f64> =
            pairs.iter().filter_map(|p| side(p).map(|us| us as f64 / 1000.0)).collect();
        stats::percentile(&times, 0.5)
    };
    let of = |frame: &crate::store::FrameRow, stage: Stage| {
        frame.stages.iter().find(|(s, _)| *s == stage).map(|(_, us)| *us)
    };
    Stage::ALL
        .into_iter()
        .filter_map(|stage| {
            let first = median(&|p| of(p.a, stage))?;
            let second = median(&|p| of(p.b, stage))?;
            let factor = if first > 0.0 { second / first } else { f64::NAN };
            Some((stage.name(), Latency { median_ms: [first, second], factor }))
        })
        .collect()
}

pub(super) fn verdicts(
    ladder: &Ladder,
    accuracy: &Accuracy,
    ratios: &BTreeMap<String, RatioComparison>,
    latency: &BTreeMap<&'static str, Latency>,
    frames: usize,
    margins: &Margins,
) -> Vec<Verdict> {
    let held = &margins.equivalence;
    let mut verdicts = vec![same_input(ladder, margins.ladder.strict)];
    verdicts.push(equivalence(
        "accuracy".to_owned(),
        stats::tost(&accuracy.differences, held.accuracy),
        held.accuracy,
        frames,
    ));
    for (method, r) in ratios {
        let differences: Vec<f64> = r.points.iter().map(|(a, b)| b - a).collect();
        verdicts.push(equivalence(
            r.title(method),
            stats::tost(&differences, held.pixel_ratio),
            held.pixel_ratio,
            differences.len(),
        ));
        let share = r.one_sided as f64 / (r.one_sided + differences.len()).max(1) as f64;
        verdicts.push(Verdict {
            what: format!("undefined in one run alone {method}"),
            found: format!("{} frames, {:.1} %", r.one_sided, share * 100.0),
            wanted: format!("at most {:.1} %", held.one_sided * 100.0),
            met: share <= held.one_sided,
        });
        if let Some(c) = r.correlation {
            verdicts.push(Verdict {
                what: format!("order of the maps {method}"),
                found: format!("mean rank correlation {:.4}, least {:.4}", c.mean, c.least),
                wanted: format!("mean at least {}", held.rank_correlation),
                met: c.mean >= held.rank_correlation,
            });
        }
    }
    if let (Some(most), Some(l)) = (held.latency_factor, latency.get(Stage::Network.name())) {
        verdicts.push(Verdict {
            what: "network time".to_owned(),
            found: format!("{:.3} of the first run's median", l.factor),
            wanted: format!("at most {most}"),
            met: l.factor <= most,
        });
    }
    verdicts
}

fn same_input(ladder: &Ladder, strict: bool) -> Verdict {
    let limit = if strict { Step::Decision } else { Step::Tensor };
    let early = ladder.first.filter(|step| *step <= limit);
    Verdict {
        what: "ladder".to_owned(),
        found: ladder
            .first
            .map_or_else(|| "together to the end".to_owned(), |s| format!("part at {}", s.name())),
        wanted: if strict { "together to the end" } else { "the same input and tensor" }.to_owned(),
        met: early.is_none(),
    }
}

fn equivalence(what: String, test: Option<Equivalence>, margin: f64, n: usize) -> Verdict {
    Verdict {
        what,
        found: test.map_or_else(
            || format!("{n} frames: too few for a test"),
            |t| {
                format!(
                    "difference {:+.5}, 90 % interval {:+.5} to {:+.5}, p {:.2e}, n {}",
                    t.difference, t.ci90[0], t.ci90[1], t.p, t.n
                )
            },
        ),
        wanted: format!("within \u{b1}{margin} (p < 0.05)"),
        met: test.is_some_and(|t| t.equivalent),
    }
}
