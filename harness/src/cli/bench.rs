//! `roadgaze bench`: how fast a network is on this machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use datasets::folder::OpenOptions;
use models::engine::Isa;
use models::{EngineOptions, Network, Preprocessor, Session};
use serde_json::{Value, json};

use super::Outcome;
use super::estimators::{self, EstimatorArgs};
use crate::attribution::{MaskedPicture, Plan};
use crate::bench::{self, Measured, Median, RateLimit, Scenario};
use crate::clock::Clock;
use crate::run::ShapSettings;
use crate::stats::Percentiles;

/// Arguments of `bench`.
#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    /// Network: a name in the zoo, a manifest, or an ONNX file with its manifest beside it
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "estimators")]
    model: Option<String>,
    /// In place of a network: estimators of Kernel SHAP on recorded games, as `roadgaze estimators`
    #[arg(long, value_name = "GAME", num_args = 1.., conflicts_with = "model")]
    estimators: Vec<PathBuf>,
    /// With --estimators: write plots of bias and coverage as SVG into this folder
    #[arg(long, value_name = "DIR", requires = "estimators")]
    plots: Option<PathBuf>,
    /// single-stream, constant-rate or offline
    #[arg(long, value_name = "NAME", default_value = "single-stream")]
    scenario: String,
    /// Threads: single-stream shares the work of one picture among them, the others run a picture on each
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Instruction set of the integer kernels [default: the best that this processor has]
    #[arg(long, value_name = "NAME")]
    isa: Option<Isa>,
    /// Pictures to measure
    #[arg(long, value_name = "N", default_value_t = 100)]
    frames: usize,
    /// Pictures before that, of each session, which are not counted
    #[arg(long, value_name = "N", default_value_t = 10)]
    warm_up: usize,
    /// Pictures a second; constant-rate alone
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// Show what each layer costs, and stop
    #[arg(long, conflicts_with_all = ["rate", "find_rate"])]
    layers: bool,
    /// Show what a forward pass of Kernel SHAP costs beside a plain classification, on one thread
    #[arg(long, conflicts_with_all = ["scenario", "threads", "rate", "find_rate", "layers", "estimators"])]
    shap: bool,
    /// Show what Kernel SHAP gains by computing only what differs from masked picture to masked picture
    #[arg(long, conflicts_with_all = ["scenario", "rate", "find_rate", "layers", "shap", "estimators"])]
    shap_reuse: bool,
    /// With --shap-reuse: a coalition plan as `roadgaze plan` writes it [default: that of a run]
    #[arg(long, value_name = "FILE", requires = "shap_reuse")]
    plan: Option<PathBuf>,
    /// With --shap-reuse: times that the plan is evaluated each way
    #[arg(long, value_name = "N", default_value_t = 5, requires = "shap_reuse")]
    rounds: usize,
    /// Look for the highest constant rate whose p99 keeps the limit
    #[arg(long, conflicts_with = "rate")]
    find_rate: bool,
    /// Limit of --find-rate, milliseconds [default: one period of the rate tried]
    #[arg(long, value_name = "MS", requires = "find_rate")]
    limit_ms: Option<f64>,
    /// Pictures: synthetic:SET/SPLIT, or a folder; the first 16 are used in turn
    #[arg(long, value_name = "NAME", default_value = "synthetic:CF/test")]
    data: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Different pictures that are shown in turn.
const PICTURES: usize = 16;

pub(super) fn execute(args: &BenchArgs) -> anyhow::Result<Outcome> {
    let Some(model) = &args.model else {
        let (games, plots) = (&args.estimators, args.plots.as_ref());
        return estimators::execute(&EstimatorArgs::of_bench(games, plots, args.json));
    };
    let scenario = scenario(args)?;
    if args.threads == 0 || args.frames == 0 {
        bail!(
            "--threads and --frames: at least 1 expected, {} and {} found",
            args.threads,
            args.frames
        );
    }
    let options = EngineOptions { isa: args.isa.unwrap_or_else(Isa::detect), ..Default::default() };
    let network = Network::open_with(model, options)?;
    let clock = Clock::start();
    if args.shap {
        return shap(args, &network, clock);
    }
    if args.shap_reuse {
        return shap_reuse(args, &network, clock);
    }
    let (inputs, preprocess) = inputs(args, &network, clock)?;
    let mut sessions = if scenario == Scenario::SingleStream {
        vec![network.session_with_threads(args.threads)?]
    } else {
        (0..args.threads).map(|_| network.session()).collect::<Result<Vec<_>, _>>()?
    };
    if args.layers {
        return layers(args, &network, &mut sessions[0], &inputs[0], clock);
    }
    let (mut out, mut lines) = heading(args, &network);
    extend(&mut out, json!({ "preprocess_ms": preprocess }));
    if args.find_rate {
        let limit = RateLimit { limit_ms: args.limit_ms, share: 0.99 };
        let found =
            bench::find_rate(limit, &mut sessions, &inputs, args.warm_up, args.frames, clock)?;
        for t in &found.trials {
            let kept = if t.kept { "kept" } else { "missed" };
            lines.push(format!(
                "{:8.2} Hz: p99 {:.1} ms, limit {:.1} ms {kept}",
                t.rate_hz, t.p99_ms, t.limit_ms
            ));
        }
        let rate = found.rate_hz.map_or_else(|| "none".to_owned(), |r| format!("{r:.2} Hz"));
        lines.push(format!(
            "highest rate that keeps the limit at p99 over {} pictures: {rate}",
            found.pictures
        ));
        if let Some(needed) = found.needed_for_claim.filter(|&n| n > found.pictures as u64) {
            lines.push(format!("an estimate: a claim at 99 % confidence needs {needed} pictures (--frames {needed})"));
        }
        let missed = found.rate_hz.is_none();
        extend(&mut out, json!({ "scenario": "find-rate", "found": found }));
        print(args, &out, &lines)?;
        return Ok(if missed { Outcome::Missed } else { Outcome::Done });
    }
    let measured = bench::run(scenario, &mut sessions, &inputs, args.warm_up, args.frames, clock)?;
    let Measured { latency: l, service, rate_hz, warm_up } = measured;
    extend(
        &mut out,
        json!({
            "scenario": scenario.name(),
            "asked_hz": args.rate,
            "p50_ms": l.p50,
            "p90_ms": l.p90,
            "p95_ms": l.p95,
            "p97_ms": l.p97,
            "p99_ms": l.p99,
            "p999_ms": l.p999,
            "max_ms": l.max,
            "n": l.n,
            "warm_up": warm_up,
            "rate_hz": rate_hz,
            "service_ms": service,
        }),
    );
    lines.push(format!(
        "{}: {} pictures after {warm_up} to warm up, {rate_hz:.2} a second",
        scenario.name(),
        l.n
    ));
    lines.push(row("latency", &l));
    lines.push(row("service", &service));
    lines.push(row("preprocess", &preprocess));
    print(args, &out, &lines)?;
    Ok(Outcome::Done)
}

/// Which network, and how it runs.
fn heading(args: &BenchArgs, network: &Network) -> (Value, Vec<String>) {
    let (info, isa) = (network.info(), network.integer_kernels().map(Isa::name));
    let kernels = isa.map_or_else(
        || "no integer kernels".to_owned(),
        |isa| {
            let percent = 100.0 * info.integer_mac_share;
            format!("{isa}, {percent:.1} % of multiply-accumulates in integers")
        },
    );
    let out = json!({
        "schema": bench::SCHEMA,
        "model": info.name,
        "model_sha256": network.sha256(),
        "threads": args.threads,
        "isa": isa,
        "integer_mac_share": info.integer_mac_share,
        "macs": info.macs,
    });
    (out, vec![format!("{}, {} threads, {kernels}", info.name, args.threads)])
}

/// The first picture with the settings of a run: its tensor, and what masking makes of it along the plan of a run.
fn masked(args: &BenchArgs, network: &Network) -> anyhow::Result<(Vec<f32>, MaskedPicture, Plan)> {
    let ShapSettings { estimator, evaluations, grid, baseline, seed, .. } = ShapSettings::default();
    let plan = match &args.plan {
        Some(path) => Plan::read(path)?,
        None => Plan::draw(estimator, grid, evaluations, seed)?,
    };
    let source = datasets::open::open(&args.data, &OpenOptions::default())?;
    let preprocessor = Preprocessor::new(&network.manifest().input);
    let image = source.frame(0)?.image;
    let side = |s: u32| usize::try_from(s).unwrap_or(usize::MAX);
    let input = preprocessor.run(image.as_raw(), side(image.width()), side(image.height()))?;
    let masked = baseline.tensor(image.as_raw(), &input, &preprocessor);
    let (width, height) = preprocessor.size();
    let picture = MaskedPicture::new(input.clone(), masked, (height, width), plan.grid())?;
    Ok((input, picture, plan))
}

/// A forward pass of Kernel SHAP, with the settings of a run, beside a plain classification.
fn shap(args: &BenchArgs, network: &Network, clock: Clock) -> anyhow::Result<Outcome> {
    let (input, picture, plan) = masked(args, network)?;
    let (_, coalitions) = plan.distinct();
    let (mut plain, mut explaining) = (network.session()?, network.session()?);
    let sides = ((&mut plain, &input[..]), (&mut explaining, &picture));
    let passes = (args.warm_up, args.frames);
    let cost = bench::shap_cost(sides.0, sides.1, &coalitions, passes, clock)?;
    let (mut out, mut lines) = heading(args, network);
    extend(&mut out, json!({ "scenario": "kernel-shap", "warm_up": args.warm_up, "cost": cost }));
    lines.extend([
        median("plain classification", &cost.classification_ms, " ms"),
        median("forward of Kernel SHAP", &cost.kernel_shap_ms, " ms"),
        median("ratio of neighbours", &cost.ratio, ""),
        format!("a forward of Kernel SHAP takes {:+.1} %", 100.0 * (cost.ratio.value - 1.0)),
    ]);
    print(args, &out, &lines)?;
    Ok(Outcome::Done)
}

/// A whole plan with every picture computed as a whole, and computed by difference.
fn shap_reuse(args: &BenchArgs, network: &Network, clock: Clock) -> anyhow::Result<Outcome> {
    let (_, picture, plan) = masked(args, network)?;
    let mut sessions =
        (0..args.threads).map(|_| network.session()).collect::<Result<Vec<_>, _>>()?;
    let gain = bench::reuse_gain(&plan, &picture, &mut sessions, args.rounds, clock)?;
    let (mut out, mut lines) = heading(args, network);
    let estimator = plan.estimator().name();
    let about = json!({ "scenario": "kernel-shap-reuse", "estimator": estimator, "gain": gain });
    extend(&mut out, about);
    lines.extend([
        format!("plan of {estimator}: {} forward passes", gain.forwards),
        median("as a whole", &gain.whole_ms, " ms a pass"),
        median("by difference", &gain.by_difference_ms, " ms a pass"),
        median("gain, round by round", &gain.gain, ""),
    ]);
    print(args, &out, &lines)?;
    Ok(Outcome::Done)
}

fn median(name: &str, median: &Median, unit: &str) -> String {
    let Median { value, ci95: [low, high], n } = median;
    format!("{name:>24}: median {value:.3}{unit} (95 %: {low:.3} to {high:.3}, n {n})")
}

/// Median time and work of every layer, in the order in which they run.
fn layers(
    args: &BenchArgs,
    network: &Network,
    session: &mut Session,
    input: &[f32],
    clock: Clock,
) -> anyhow::Result<Outcome> {
    let now = || Duration::from_micros(clock.now().0);
    let layers = session.profile(input, args.frames, &now)?;
    let total: f64 = layers.iter().map(|l| l.ms).sum();
    if args.json {
        let rows: Vec<Value> = layers
            .iter()
            .map(|l| {
                json!({
                    "name": l.name,
                    "kernel": l.kernel,
                    "ms": l.ms,
                    "macs": l.macs,
                    "gmacs_per_s": l.gmacs(),
                    "integer": l.is_integer,
                })
            })
            .collect();
        let out = json!({
            "schema": bench::SCHEMA,
            "model": network.info().name,
            "threads": args.threads,
            "n": args.frames,
            "total_ms": total,
            "layers": rows,
        });
        super::print(&serde_json::to_string_pretty(&out)?);
        return Ok(Outcome::Done);
    }
    super::print(&format!("{:>9} {:>6} {:>9} {:>8}  kernel, layer", "ms", "%", "MMAC", "GMAC/s"));
    for l in &layers {
        super::print(&format!(
            "{:>9.3} {:>6.1} {:>9.1} {:>8.1}  {}{}, {}",
            l.ms,
            100.0 * l.ms / total.max(f64::MIN_POSITIVE),
            l.macs as f64 / 1e6,
            l.gmacs(),
            l.kernel,
            if l.is_integer { " (integers)" } else { "" },
            l.name
        ));
    }
    super::print(&format!("{total:>9.3}  sum of the medians over {} passes", args.frames));
    Ok(Outcome::Done)
}

fn row(name: &str, p: &Percentiles) -> String {
    format!(
        "{name:>10} ms: p50 {:.2}  p90 {:.2}  p95 {:.2}  p97 {:.2}  p99 {:.2}  p99.9 {:.2}  max {:.2}",
        p.p50, p.p90, p.p95, p.p97, p.p99, p.p999, p.max
    )
}

fn print(args: &BenchArgs, out: &Value, lines: &[String]) -> anyhow::Result<()> {
    if args.json {
        super::print(&serde_json::to_string_pretty(out)?);
    } else {
        lines.iter().for_each(|line| super::print(line));
    }
    Ok(())
}

fn extend(out: &mut Value, more: Value) {
    if let (Value::Object(out), Value::Object(more)) = (out, more) {
        out.extend(more);
    }
}

fn scenario(args: &BenchArgs) -> anyhow::Result<Scenario> {
    match (args.scenario.as_str(), args.rate) {
        ("single-stream", None) => Ok(Scenario::SingleStream),
        ("offline", None) => Ok(Scenario::Offline),
        ("constant-rate", Some(rate_hz)) => Ok(Scenario::ConstantRate { rate_hz }),
        ("constant-rate", None) if args.find_rate => Ok(Scenario::ConstantRate { rate_hz: 1.0 }),
        ("constant-rate", None) => {
            bail!("--scenario constant-rate: --rate HZ expected, nothing found")
        }
        ("single-stream" | "offline", Some(_)) => {
            bail!("--rate: --scenario constant-rate expected, {} found", args.scenario)
        }
        (other, _) => {
            bail!("--scenario: single-stream, constant-rate or offline expected, `{other}` found")
        }
    }
}

/// Preprocessed pictures, and how long that took.
fn inputs(
    args: &BenchArgs,
    network: &Network,
    clock: Clock,
) -> anyhow::Result<(Vec<Vec<f32>>, Percentiles)> {
    let source = datasets::open::open(&args.data, &OpenOptions::default())?;
    let preprocessor = Preprocessor::new(&network.manifest().input);
    let (mut inputs, mut times) = (Vec::new(), Vec::new());
    for position in 0..source.len().min(PICTURES) {
        let frame = source.frame(position)?;
        let side = |s: u32| usize::try_from(s).unwrap_or(usize::MAX);
        let (width, height) = (side(frame.image.width()), side(frame.image.height()));
        let (input, taken) = clock.time(|| preprocessor.run(frame.image.as_raw(), width, height));
        inputs.push(input?);
        times.push(taken.0);
    }
    let times =
        Percentiles::of(times).with_context(|| format!("--data {}: no pictures", args.data))?;
    Ok((inputs, times))
}
