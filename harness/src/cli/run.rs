//! `roadgaze run`: opens what the plan names, watches the run, and tells how it ended.

mod arguments;

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use datasets::source::{FrameSource, Skipped};
use models::engine::Isa;
use models::{EngineOptions, Network};

pub(super) use self::arguments::RunArgs;
use self::arguments::plan;
use super::old_run::{OldRun, remove_run};
use super::progress::Bar;
use super::view::Screen;
use super::{Outcome, own_model};
use crate::clock::Clock;
use crate::feed::Preloaded;
use crate::report;
use crate::report::budget::Budgets;
use crate::run::{
    self, Done, Explainer, Job, Method, Replay, RunError, RunPlan, Sameness, Service, Signals,
    TargetProfile,
};
use crate::store::Stored;

/// Exit code after Ctrl-C, as shells have it.
const STOPPED: i32 = 130;

pub(super) fn execute(args: RunArgs) -> anyhow::Result<Outcome> {
    if args.live && !std::io::stdout().is_terminal() {
        bail!("--live: a terminal expected, none found; leave --live out");
    }
    let clock = Clock::start();
    let recorded = args.feed.replay.as_deref().map(Replay::read).transpose()?;
    let mut plan = plan(&args, recorded.as_ref().map(|recorded| &recorded.plan))?;
    if args.print_plan {
        super::print(plan.to_toml()?.trim_end());
        return Ok(Outcome::Done);
    }
    let preload = args.feed.preload.or_else(|| recorded.as_ref()?.preload);
    let budgets = args.feed.budget.as_deref().map(Budgets::read).transpose()?;
    let mut feed = args.feed.feed(recorded)?;
    let live = feed.is_some();
    if live && (args.resume || plan.shard.is_some() || plan.record.frames > 0) {
        bail!(
            "--resume, --shard and --record-game: a run in lockstep without scenario expected; \
             a feed cannot be taken up in the middle, give the whole run again"
        );
    }
    if let Some(address) = &args.feed.camera {
        plan.data = format!("camera {address}");
    }
    if args.write_manifest {
        return own_model::write_manifest(Path::new(&plan.model));
    }
    if let Some(path) = &args.target {
        let profile = TargetProfile::read(path)?;
        if plan.threads == 0 {
            plan.threads = profile.threads();
        }
        if let Some(problem) = profile.bind() {
            super::tell(&format!("warning: {problem}"));
        }
        if let Some(feed) = feed.as_mut().filter(|feed| feed.is_open_loop()) {
            feed.threads.stream = profile.cores.stream;
            feed.threads.explain = profile.cores.explain;
        }
    }
    plan.model = plan.model_in_zoo();
    own_model::offer_manifest(&plan.model, args.json)?;
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&plan));
    let network = open_network(&plan.model, args.isa)?;
    let source = match args.feed.camera {
        Some(_) => None,
        None => Some(open_source(&plan, &network, preload)?),
    };
    if let Some(source) = source.as_ref().filter(|_| !args.says_how_many()) {
        // nobody asked for the number that the built-in plan has
        plan.frames = plan.frames.min(source.len().max(1));
    }
    let signals = Arc::new(Signals::default());
    if args.overwrite {
        refuse_early(&plan, &network, source.as_deref(), &signals)?;
    }
    end_on_ctrl_c(&signals)?;
    let mut old = None;
    match &args.feed.camera {
        _ if !args.overwrite => {}
        None => OldRun::remove(&folder)?,
        // it may not answer
        Some(_) => old = Some(OldRun::set_aside(&folder)?),
    }
    let job = Job {
        plan: &plan,
        folder: &folder,
        resume: args.resume,
        signals: &signals,
        feed: feed.as_ref(),
        budgets: budgets.as_ref(),
        pictures: args.live,
        service: Service::Whole,
    };
    let done = watch(&args, &job, &network, source.as_deref(), clock);
    let failed = done.as_ref().err().and_then(|error| error.downcast_ref::<RunError>());
    if matches!(failed, Some(RunError::Link(_)))
        && Stored::open(&folder).is_ok_and(|run| run.frames.is_empty())
    {
        // nothing was received: the folder is free for the next attempt
        remove_run(&folder)?;
    }
    let settled = old.map_or(Ok(false), |old| old.settle());
    if let (Err(_), Err(error)) = (&done, &settled) {
        super::tell(&format!("the run that was there could not be put back: {error:#}"));
    }
    let done = done?;
    if settled? {
        super::tell("stopped before the camera answered: the run that was there stays");
        return Ok(Outcome::Stopped);
    }
    if let Some(source) = &source {
        tell_skipped(source.skipped());
    }
    let Done { summary, verdict, sameness } = done;
    if args.json {
        super::print(&serde_json::to_string_pretty(&summary)?);
    } else {
        super::print(&report::terminal_tables(&summary));
        super::print(&format!("report: {}", folder.join("report.html").display()));
    }
    let same = sameness.as_ref().is_none_or(|s| tell_sameness(s, args.feed.replay.as_deref()));
    let valid = verdict.as_ref().is_none_or(|verdict| {
        super::tell(&verdict.sentence());
        verdict.valid
    });
    if signals.stopped() && live {
        super::tell("stopped early: what was processed until then is stored and reported");
        return Ok(Outcome::Stopped);
    }
    if signals.stopped() && !summary.complete {
        let folder = folder.display();
        super::tell(&format!("stopped early; the same command with --resume goes on in {folder}"));
        return Ok(Outcome::Stopped);
    }
    Ok(if same && valid { Outcome::Done } else { Outcome::Missed })
}

/// Run under the eyes of the user: on a screen, or with a bar.
fn watch(
    args: &RunArgs,
    job: &Job<'_>,
    network: &Network,
    source: Option<&dyn FrameSource>,
    clock: Clock,
) -> anyhow::Result<Done> {
    let (title, signals) = (in_words(job.plan), Arc::clone(job.signals));
    if args.live {
        let screen = Screen::open(title, clock, signals);
        let mut screen = screen.context("--live: the terminal cannot be used; leave --live out")?;
        return Ok(run::run(job, network, source, &mut |p| screen.show(p))?);
    }
    let mut bar = Bar::new(args.json, clock, signals);
    bar.say(&title);
    let done = run::run(job, network, source, &mut |p| bar.show(p));
    bar.finish();
    Ok(done?)
}

/// What a run would be refused for at its beginning: a slip in the arguments must not cost the run that is there.
fn refuse_early(
    plan: &RunPlan,
    network: &Network,
    source: Option<&dyn FrameSource>,
    signals: &Arc<Signals>,
) -> Result<(), RunError> {
    if let Some(source) = source {
        network.manifest().check_classes(source.class_names())?;
        plan.positions(source.len())?;
    }
    let plan = RunPlan { threads: 1, ..plan.clone() };
    drop(Explainer::new(&plan, network, signals)?);
    Ok(())
}

/// Open the network, with the integer kernels of one instruction set if one was asked for.
fn open_network(model: &str, isa: Option<Isa>) -> anyhow::Result<Network> {
    let options = EngineOptions { isa: isa.unwrap_or_else(Isa::detect), ..Default::default() };
    let network = Network::open_with(model, options)?;
    if let (Some(isa), None) = (isa, network.integer_kernels()) {
        super::tell(&format!("warning: --isa {isa} changes nothing: {model} runs in f32"));
    }
    Ok(network)
}

/// Open the data set, and hold its first frames in memory if that was asked for.
fn open_source(
    plan: &RunPlan,
    network: &Network,
    preload: Option<usize>,
) -> anyhow::Result<Box<dyn FrameSource>> {
    let source = run::open_source(plan, network)?;
    let Some(count) = preload else { return Ok(source) };
    if count == 0 {
        bail!("--preload: 1 or more frames expected, 0 found");
    }
    Ok(Box::new(Preloaded::load(source.as_ref(), count.min(plan.frames), plan.frames, |_| {})?))
}

/// Says how a replay compares; whether it is the same to the bit.
fn tell_sameness(sameness: &Sameness, run: Option<&Path>) -> bool {
    let run = run.unwrap_or_else(|| Path::new("")).display();
    match sameness.different.first() {
        None => {
            super::tell(&format!("replay: all {} frames as in {run}, to the bit", sameness.frames));
            true
        }
        Some(first) => {
            super::tell(&format!(
                "replay: {} of {} frames differ from {run}, the first at position {first}; \
                 `roadgaze compare` tells where they part",
                sameness.different.len(),
                sameness.frames
            ));
            false
        }
    }
}

/// Ctrl-C asks for a clean end, a second one ends at once; the store survives that as well.
pub(super) fn end_on_ctrl_c(signals: &Arc<Signals>) -> anyhow::Result<()> {
    let handle = Arc::clone(signals);
    ctrlc::set_handler(move || {
        if handle.stop() {
            std::process::exit(STOPPED);
        }
    })
    .context("Ctrl-C could not be taken over")
}

/// What will be done, on one line.
fn in_words(plan: &RunPlan) -> String {
    let shap = &plan.shap;
    let share = match shap.frames {
        0 => "all".to_owned(),
        n if n >= plan.frames => "all".to_owned(),
        n => n.to_string(),
    };
    let methods: Vec<String> = plan
        .attribute
        .iter()
        .map(|method| match method {
            Method::Gradcam => "GradCAM on all".to_owned(),
            Method::KernelShap => format!(
                "Kernel SHAP ({}, {} evaluations, {}, baseline {}) on {share}",
                shap.estimator.name(),
                shap.evaluations,
                shap.grid,
                shap.baseline
            ),
        })
        .collect();
    let methods =
        if methods.is_empty() { "no explanations".to_owned() } else { methods.join(", ") };
    if plan.data.starts_with("camera ") {
        return format!("{} on the frames of {}: {methods}", plan.model, plan.data);
    }
    format!("{} on {} frames of {}: {methods}", plan.model, plan.frames, plan.data)
}

/// Lists what `--skip-bad` left out when the data set was opened.
fn tell_skipped(skipped: &[Skipped]) {
    if !skipped.is_empty() {
        super::tell(&format!("left out because they cannot be used: {}", skipped.len()));
    }
    for one in skipped {
        super::tell(&format!("  {one}"));
    }
}

/// A folder name that tells runs of other networks and data apart.
fn default_folder(plan: &RunPlan) -> PathBuf {
    let plain = |text: &str| -> String {
        let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
        text.chars().map(keep).collect()
    };
    // what follows a dot is part of the name (`resnet50-cf.f16`) unless it says what kind of file this is
    let file = Path::new(&plan.model);
    let file = match file.extension().and_then(OsStr::to_str) {
        Some("onnx" | "toml") => file.file_stem(),
        _ => file.file_name(),
    };
    let model = file.map_or_else(|| plan.model.as_str().into(), OsStr::to_string_lossy);
    let shard = plan.shard.map(|s| format!("-{}-of-{}", s.number, s.of)).unwrap_or_default();
    PathBuf::from("runs").join(format!("{}-{}{shard}", plain(&model), plain(&plan.data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_folder_tells_networks_and_data_apart() {
        let folder = |model: &str, data: &str| {
            let plan =
                RunPlan { model: model.to_owned(), data: data.to_owned(), ..RunPlan::built_in() };
            default_folder(&plan).display().to_string()
        };
        let cases = [
            ("resnet50-cf", "synthetic:CF/test", "runs/resnet50-cf-synthetic-CF-test"),
            ("resnet50-cf.f16", "synthetic:CF/test", "runs/resnet50-cf-f16-synthetic-CF-test"),
            ("/nets/own.onnx", "signs", "runs/own-signs"),
            ("own.toml", "signs.v1", "runs/own-signs-v1"),
            ("own", "signs.v2", "runs/own-signs-v2"),
            ("own", "camera 10.0.0.1:7100", "runs/own-camera-10-0-0-1-7100"),
            ("own", "camera 10.0.0.1:7200", "runs/own-camera-10-0-0-1-7200"),
        ];
        for (model, data, expected) in cases {
            assert_eq!(folder(model, data), expected);
        }
    }
}
