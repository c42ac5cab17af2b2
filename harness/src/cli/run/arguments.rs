//! Arguments of `roadgaze run`, and the plan that they make of a file, of a run that is replayed, or of the one that is built in.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use models::engine::Isa;

use crate::attribution::{Baseline, Estimator, Grid, Output};
use crate::cli::live::FeedArgs;
use crate::run::{Method, RunPlan, Shard, Target};

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(in crate::cli) struct RunArgs {
    /// A plan; what it does not name keeps its default, arguments override it
    plan: Option<PathBuf>,
    /// Network: a name in the zoo, a manifest, or an ONNX file with its manifest beside it
    #[arg(long, value_name = "NAME|FILE")]
    model: Option<String>,
    /// Frames: synthetic:SET/SPLIT, for example synthetic:CF/test, or a folder of pictures with masks
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// Frames to process, the first ones of the data set (balanced over classes)
    #[arg(long, value_name = "N")]
    frames: Option<usize>,
    /// Explanations: gradcam, kernel-shap, both separated by a comma, or none; Kernel SHAP then explains every frame
    /// unless --shap-frames says otherwise
    #[arg(long, value_name = "LIST")]
    attribute: Option<String>,
    /// Class that is explained: predicted or true
    #[arg(long, value_name = "WHICH", value_parser = target)]
    explained_class: Option<Target>,
    /// Number that is explained: logit or probability
    #[arg(long, value_name = "WHICH", value_parser = output)]
    output: Option<Output>,
    /// Frames that Kernel SHAP explains, spread over the run; 0: all
    #[arg(long, value_name = "N")]
    shap_frames: Option<usize>,
    /// Coalitions that Kernel SHAP evaluates for a frame
    #[arg(long, value_name = "N")]
    shap_evals: Option<usize>,
    /// Super-pixels: rows x columns, for example 7x7
    #[arg(long, value_name = "GRID")]
    shap_grid: Option<Grid>,
    /// What a masked super-pixel shows: zero, mean-colour, blur:RADIUS or #RRGGBB
    #[arg(long, value_name = "WHAT")]
    shap_baseline: Option<Baseline>,
    /// End a frame's explanation when the standard error of its pixel ratio is at most this
    #[arg(long, value_name = "ERROR")]
    shap_precision: Option<f64>,
    /// With --shap-precision: coalitions before the first look (--shap-evals is the most)
    #[arg(long, value_name = "N", requires = "shap_precision")]
    shap_least: Option<usize>,
    /// How coalitions are drawn: captum, paired, leverage, permutation or exact
    #[arg(long, value_name = "NAME")]
    shap_estimator: Option<String>,
    /// Seed of the coalition plans
    #[arg(long, value_name = "N")]
    shap_seed: Option<u64>,
    /// Different coalition plans, dealt out to the frames; 1 = the same for all, whose ratios then err together
    #[arg(long, value_name = "N")]
    shap_plans: Option<usize>,
    /// Record all coalition outputs of the first N frames for `roadgaze bench --estimators`
    #[arg(long, value_name = "N")]
    record_game: Option<usize>,
    /// With --record-game: evaluations of the reference
    #[arg(long, value_name = "N", requires = "record_game")]
    record_reference: Option<usize>,
    /// Threads for coalitions [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Instruction set of the integer kernels [default: the best that this processor has]
    #[arg(long, value_name = "NAME")]
    pub(super) isa: Option<Isa>,
    /// Part of the frames that this machine does: I/N, I from 1 to N; `roadgaze merge` puts the parts together
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Target profile: its threads and cores are used
    #[arg(long, value_name = "FILE")]
    pub(super) target: Option<PathBuf>,
    /// Run folder [default: runs/MODEL-DATA]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Continue a run that was cut off
    #[arg(long)]
    pub(super) resume: bool,
    /// Start anew where the run folder already holds a run
    #[arg(long, conflicts_with = "resume")]
    pub(super) overwrite: bool,
    /// Count frames that cannot be read instead of ending the run
    #[arg(long)]
    skip_bad: bool,
    /// Write a manifest for the ONNX file of --model beside it, from its graph, and stop
    #[arg(long)]
    pub(super) write_manifest: bool,
    /// Print the plan with all its settings as TOML, and stop
    #[arg(long, conflicts_with_all = ["write_manifest", "json", "live"])]
    pub(super) print_plan: bool,
    /// Show the stream on the terminal: picture with attribution, delays, counters; q ends it
    #[arg(long, conflicts_with = "json")]
    pub(super) live: bool,
    /// Print summary.json instead of tables
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) feed: FeedArgs,
}

impl RunArgs {
    /// Whether arguments or a plan say how many frames; else the number is that of the built-in plan.
    pub(super) const fn says_how_many(&self) -> bool {
        self.frames.is_some() || self.plan.is_some()
    }
}

/// The plan with what the arguments say in it; `recorded` is that of a run to be replayed.
pub(super) fn plan(args: &RunArgs, recorded: Option<&RunPlan>) -> anyhow::Result<RunPlan> {
    let mut plan = match (&args.plan, recorded) {
        (_, Some(recorded)) => recorded.clone(),
        (Some(path), None) => RunPlan::read(path)?,
        (None, None) => RunPlan::built_in(),
    };
    set(&mut plan.model, args.model.clone());
    set(&mut plan.data, args.data.clone());
    set(&mut plan.frames, args.frames);
    set(&mut plan.threads, args.threads);
    set(&mut plan.target, args.explained_class);
    set(&mut plan.shap.evaluations, args.shap_evals);
    set(&mut plan.shap.seed, args.shap_seed);
    set(&mut plan.shap.plans, args.shap_plans);
    set(&mut plan.record.frames, args.record_game);
    set(&mut plan.record.reference, args.record_reference);
    set(&mut plan.shap.least_evaluations, args.shap_least);
    if args.shap_precision.is_some() {
        plan.shap.precision = args.shap_precision;
    }
    set(&mut plan.shap.grid, args.shap_grid);
    set(&mut plan.shap.baseline, args.shap_baseline);
    plan.shard = args.shard.or(plan.shard);
    plan.skip_bad |= args.skip_bad;
    if let Some(list) = &args.attribute {
        plan.attribute = methods(list)?;
        // whoever names the methods wants them on every frame
        plan.shap.frames = 0;
    }
    set(&mut plan.shap.frames, args.shap_frames);
    if let Some(output) = args.output {
        plan.shap.output = output;
        plan.gradcam.output = output;
    }
    if let Some(name) = &args.shap_estimator {
        plan.shap.estimator = Estimator::from_name(name).with_context(|| {
            let names: Vec<&str> = Estimator::ALL.iter().map(|e| e.name()).collect();
            format!("--shap-estimator: one of {} expected, `{name}` found", names.join(", "))
        })?;
    }
    Ok(plan)
}

fn target(name: &str) -> Result<Target, String> {
    match name {
        "predicted" => Ok(Target::Predicted),
        "true" => Ok(Target::True),
        _ => Err("predicted or true expected".to_owned()),
    }
}

fn output(name: &str) -> Result<Output, String> {
    [Output::Logit, Output::Probability]
        .into_iter()
        .find(|o| o.name() == name)
        .ok_or_else(|| "logit or probability expected".to_owned())
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn methods(list: &str) -> anyhow::Result<Vec<Method>> {
    let mut methods = Vec::new();
    for name in list.split(',').map(str::trim).filter(|n| !n.is_empty() && *n != "none") {
        let method = Method::from_name(name).with_context(|| {
            format!("--attribute: gradcam, kernel-shap or none expected, `{name}` found")
        })?;
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    Ok(methods)
}
