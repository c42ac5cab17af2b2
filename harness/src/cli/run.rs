//! `roadgaze run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use clap::Args;
use models::Network;

use super::Outcome;
use super::progress::Bar;
use crate::attribution::Estimator;
use crate::report;
use crate::run::{self, Job, Method, RunPlan};

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// A plan; what it does not name keeps its default, arguments override it
    plan: Option<PathBuf>,
    /// Network: a name in the zoo, a manifest, or an ONNX file with its manifest beside it
    #[arg(long, value_name = "NAME|FILE")]
    model: Option<String>,
    /// Frames: synthetic:SET/SPLIT, for example synthetic:CF/test
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// Frames to process, the first ones of the data set (balanced over classes)
    #[arg(long, value_name = "N")]
    frames: Option<usize>,
    /// Explanations: gradcam, kernel-shap, both separated by a comma, or none
    #[arg(long, value_name = "LIST")]
    attribute: Option<String>,
    /// Coalitions that Kernel SHAP evaluates for a frame
    #[arg(long, value_name = "N")]
    shap_evals: Option<usize>,
    /// End a frame's explanation when the standard error of its pixel ratio is at most this
    #[arg(long, value_name = "ERROR")]
    shap_precision: Option<f64>,
    /// With --shap-precision: coalitions before the first look (--shap-evals is the most)
    #[arg(long, value_name = "N", requires = "shap_precision")]
    shap_least: Option<usize>,
    /// How coalitions are drawn: captum, paired, leverage, permutation or exact
    #[arg(long, value_name = "NAME")]
    shap_estimator: Option<String>,
    /// Seed of the coalition plan
    #[arg(long, value_name = "N")]
    shap_seed: Option<u64>,
    /// Record all coalition outputs of the first N frames for `roadgaze bench --estimators`
    #[arg(long, value_name = "N")]
    record_game: Option<usize>,
    /// With --record-game: evaluations of the reference
    #[arg(long, value_name = "N", requires = "record_game")]
    record_reference: Option<usize>,
    /// Threads for coalitions [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Run folder [default: runs/MODEL-DATA]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue a run that was cut off
    #[arg(long)]
    resume: bool,
    /// Start anew where the default folder already holds a run
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,
    /// Count frames that cannot be read instead of ending the run
    #[arg(long)]
    skip_bad: bool,
    /// Write a manifest for the ONNX file of --model beside it, from its graph, and stop
    #[arg(long)]
    write_manifest: bool,
    /// Print summary.json instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: RunArgs) -> anyhow::Result<Outcome> {
    let plan = plan(&args)?;
    if args.write_manifest {
        return write_manifest(Path::new(&plan.model));
    }
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&plan));
    if args.overwrite {
        remove_run(&folder)?;
    }
    let source = run::open_source(&plan.data)?;
    let network = Network::open(&plan.model)?;
    let stop = Arc::new(AtomicBool::new(false));
    let handle = Arc::clone(&stop);
    // a second Ctrl-C ends at once; the store survives that as well
    ctrlc::set_handler(move || {
        if handle.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .context("Ctrl-C could not be taken over")?;
    let job = Job { plan: &plan, folder: &folder, resume: args.resume, stop: &stop };
    let bar = Bar::new(args.json);
    bar.say(&format!("{} on {}, into {}", plan.model, plan.data, folder.display()));
    let summary = run::run(&job, &network, source.as_ref(), &mut |p| bar.show(p))?;
    bar.finish();
    if args.json {
        super::print(&serde_json::to_string_pretty(&summary)?);
    } else {
        super::print(&report::terminal_tables(&summary));
        super::print(&format!("report: {}", folder.join("report.html").display()));
        if !summary.complete {
            super::print(&format!(
                "stopped early; continue with --resume --out {}",
                folder.display()
            ));
        }
    }
    Ok(Outcome::Done)
}

fn plan(args: &RunArgs) -> anyhow::Result<RunPlan> {
    let mut plan = match &args.plan {
        Some(path) => RunPlan::read(path)?,
        None => RunPlan::default(),
    };
    set(&mut plan.model, args.model.clone());
    set(&mut plan.data, args.data.clone());
    set(&mut plan.frames, args.frames);
    set(&mut plan.threads, args.threads);
    set(&mut plan.shap.evaluations, args.shap_evals);
    set(&mut plan.shap.seed, args.shap_seed);
    set(&mut plan.record.frames, args.record_game);
    set(&mut plan.record.reference, args.record_reference);
    set(&mut plan.shap.least_evaluations, args.shap_least);
    if args.shap_precision.is_some() {
        plan.shap.precision = args.shap_precision;
    }
    plan.skip_bad |= args.skip_bad;
    if let Some(list) = &args.attribute {
        plan.attribute = methods(list)?;
    }
    if let Some(name) = &args.shap_estimator {
        plan.shap.estimator = Estimator::from_name(name).with_context(|| {
            let names: Vec<&str> = Estimator::ALL.iter().map(|e| e.name()).collect();
            format!("--shap-estimator: one of {} expected, `{name}` found", names.join(", "))
        })?;
    }
    Ok(plan)
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

/// A folder name that tells runs of other networks and data apart.
fn default_folder(plan: &RunPlan) -> PathBuf {
    let plain = |text: &str| -> String {
        let name = Path::new(text).file_stem().map_or_else(|| text.into(), |s| s.to_string_lossy());
        let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
        name.chars().map(keep).collect()
    };
    PathBuf::from("runs").join(format!(
        "{}-{}",
        plain(&plan.model),
        plain(&plan.data.replace([':', '/'], "-"))
    ))
}

/// Remove what a run has written, and nothing else.
fn remove_run(folder: &Path) -> anyhow::Result<()> {
    const FILES: [&str; 7] = [
        crate::store::FILE_NAME,
        "run.sqlite-wal",
        "run.sqlite-shm",
        "summary.json",
        "report.html",
        run::TELEMETRY,
        "telemetry.defmt.executable-sha256",
    ];
    for name in FILES {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                bail!("{}: {error}", path.display())
            }
            _ => {}
        }
    }
    Ok(())
}

fn write_manifest(model: &Path) -> anyhow::Result<Outcome> {
    let path = models::describe::manifest_path(model);
    if path.exists() {
        bail!("{}: a manifest is there already; move it away first", path.display());
    }
    let manifest = models::describe::describe(model)?;
    let text = manifest.to_toml()?;
    std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    super::print(&format!(
        "{} written from the graph; check mean, std, resize and classes, which no graph tells",
        path.display()
    ));
    Ok(Outcome::Done)
}
