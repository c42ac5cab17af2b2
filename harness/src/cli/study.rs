//! `roadgaze study`.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use models::zoo;

use super::Outcome;
use crate::clock::Clock;
use crate::run::{Shard, Signals, service};
use crate::study::{self, Cell, Findings, State, StudyPlan, StudyProgress};

/// Exit code after Ctrl-C, as shells have it.
const STOPPED: i32 = 130;
/// Where standard error is no terminal, a line this often.
const LINE_EVERY_SECONDS: f64 = 15.0;
/// Width of the table of verdicts where standard output is no terminal.
const COLUMNS: u16 = 160;

/// Arguments of `study`.
#[derive(Args, Debug)]
pub(super) struct StudyArgs {
    /// A plan: zoo, paper, small, or a TOML file
    #[arg(default_value = "zoo")]
    plan: String,
    /// Folder of the study; what is there is not done again [default: runs/study-PLAN]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Part of the cells that this machine does: I/N, I from 1 to N; a call without it collects all
    #[arg(long, value_name = "I/N", conflicts_with_all = ["collect", "evidence"])]
    shard: Option<Shard>,
    /// At most so many frames a cell
    #[arg(long, value_name = "N")]
    frames: Option<usize>,
    /// At most so many evaluations of Kernel SHAP a frame
    #[arg(long, value_name = "N")]
    evaluations: Option<usize>,
    /// Threads for coalitions [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Run nothing: collect what is there and write the report
    #[arg(long)]
    collect: bool,
    /// Write an evidence pack as well: stores, report, hashes, versions, limits; `roadgaze verify` checks it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["list", "print_plan"])]
    evidence: Option<PathBuf>,
    /// List the cells and how far each is, and stop
    #[arg(long, conflicts_with = "collect")]
    list: bool,
    /// Print the plan, and stop
    #[arg(long)]
    print_plan: bool,
    /// Print the findings as JSON instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &StudyArgs) -> anyhow::Result<Outcome> {
    let mut plan = StudyPlan::open(&args.plan)?.limited(args.frames, args.evaluations);
    plan.threads = args.threads.unwrap_or(plan.threads);
    if args.print_plan {
        super::print(plan.to_toml()?.trim_end());
        return Ok(Outcome::Done);
    }
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&args.plan));
    let cells = study::cells(&plan)?;
    if !args.collect
        && let Some(note) = missing(&cells)
    {
        super::tell(&note);
    }
    if args.list {
        super::print(&list(&folder, &study::shard(cells, args.shard))?.to_string());
        return Ok(Outcome::Done);
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let signals = Arc::new(Signals::default());
    let mine = study::shard(cells.clone(), args.shard);
    service::ready();
    let worked =
        if args.collect { Ok(BTreeMap::new()) } else { work(&folder, &mine, &signals, args.json) };
    // not before the last run has ended, and also where one failed
    service::stopping();
    let failed = worked?;
    if let Some(shard) = args.shard {
        return end_of_shard(shard, args, &folder, &mine, &failed, signals.stopped());
    }
    study::collect(&folder, &plan, &cells, &failed)?.write(&folder)?;
    report(&folder, args.json)?;
    if signals.stopped() {
        super::tell(&format!("stopped early; the same command goes on in {}", folder.display()));
        return Ok(Outcome::Stopped);
    }
    if let Some(pack) = &args.evidence {
        service::more_time();
        let evidence = study::evidence::write(&folder, pack, &cells)?;
        super::tell(&format!("evidence: {} files in {}", evidence.files.len() + 1, pack.display()));
        super::tell(&anchor(pack)?);
    }
    all_run(&failed, cells.len())?;
    Ok(Outcome::Done)
}

/// Which networks cannot be used, and where they could come from; that is no error, but must not go unnoticed.
fn missing(cells: &[Cell]) -> Option<String> {
    let own = cells.iter().filter(|cell| cell.import.is_none());
    let missing: BTreeMap<&str, &str> = own
        .filter_map(|cell| Some((cell.plan.model.as_str(), cell.network.missing.as_deref()?)))
        .collect();
    let (_, why) = missing.first_key_value()?;
    Some(format!(
        "networks that cannot be used, whose cells are left out: {}; the first: {why}; what comes with roadgaze lies in \
         models/zoo of its sources, and {}=FOLDER names another zoo",
        missing.len(),
        zoo::ZOO_VARIABLE
    ))
}

/// Runs what is missing of the cells; gives why some could not be run, by their ids.
fn work(
    folder: &Path,
    cells: &[Cell],
    signals: &Arc<Signals>,
    quiet: bool,
) -> anyhow::Result<BTreeMap<String, String>> {
    let handle = Arc::clone(signals);
    // a second Ctrl-C ends at once; the stores survive that as well
    ctrlc::set_handler(move || {
        if handle.stop() {
            std::process::exit(STOPPED);
        }
    })
    .context("Ctrl-C could not be taken over")?;
    let mut bar = StudyBar::new(quiet);
    let states = study::work(folder, cells, signals, &mut |p| bar.show(p))?;
    bar.bar.finish_and_clear();
    let failed = cells.iter().zip(states).filter_map(|(cell, state)| match state {
        State::Failed(why) => Some((cell.id.clone(), why)),
        _ => None,
    });
    Ok(failed.collect())
}

fn all_run(failed: &BTreeMap<String, String>, cells: usize) -> anyhow::Result<()> {
    match failed.first_key_value() {
        Some((id, why)) => {
            bail!("{} of {cells} cells could not be run; the first: {id}: {why}", failed.len())
        }
        None => Ok(()),
    }
}

/// A shard collects nothing: the others may be writing stores at this moment, and all would write one report.
fn end_of_shard(
    shard: Shard,
    args: &StudyArgs,
    folder: &Path,
    cells: &[Cell],
    failed: &BTreeMap<String, String>,
    stopped: bool,
) -> anyhow::Result<Outcome> {
    if stopped {
        super::tell(&format!("stopped early; the same command goes on in {}", folder.display()));
        return Ok(Outcome::Stopped);
    }
    all_run(failed, cells.len())?;
    let limit = |name: &str, value: Option<usize>| {
        value.map_or_else(String::new, |value| format!(" --{name} {value}"))
    };
    super::tell(&format!(
        "shard {shard} is done: {} cells; when all shards are, `roadgaze study {}{}{} --out {} --collect` writes the report",
        cells.len(),
        args.plan,
        limit("frames", args.frames),
        limit("evaluations", args.evaluations),
        folder.display()
    ));
    Ok(Outcome::Done)
}

/// Writes the report of a study and prints what it says.
pub(super) fn report(folder: &Path, json: bool) -> anyhow::Result<Outcome> {
    let findings = study::report(folder)?;
    if json {
        super::print(&serde_json::to_string_pretty(&findings)?);
    } else {
        super::print(&verdicts(&findings).to_string());
        let [complete, begun, absent] = findings.cells;
        super::print(&format!("cells: {complete} complete, {begun} begun, {absent} not there"));
        super::print(&format!("report: {}", folder.join(study::REPORT).display()));
    }
    Ok(Outcome::Done)
}

/// The line with the number that tells this pack from any other.
pub(super) fn anchor(pack: &Path) -> anyhow::Result<String> {
    let hash = study::evidence::anchor(pack)?;
    Ok(format!("sha256 of {}: {hash}", study::evidence::FILE_NAME))
}

fn default_folder(plan: &str) -> PathBuf {
    let stem = Path::new(plan).file_stem().map_or_else(|| plan.into(), |s| s.to_string_lossy());
    PathBuf::from("runs").join(format!("study-{stem}"))
}

fn empty_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(comfy_table::ContentArrangement::Dynamic)
        .set_header(header.iter().copied());
    table
}

fn verdicts(findings: &Findings) -> Table {
    let mut table = empty_table(&["question", "statement", "published", "found", "verdict"]);
    // a file or a pipe has no width, and the longest text would set it
    if !std::io::stdout().is_terminal() {
        table.set_width(COLUMNS);
    }
    for finding in &findings.findings {
        for v in &finding.verdicts {
            table.add_row([
                finding.id.as_str(),
                v.what.as_str(),
                v.published.as_deref().unwrap_or(""),
                v.found.as_str(),
                v.ruling.words(),
            ]);
        }
    }
    table
}

fn list(folder: &Path, cells: &[Cell]) -> anyhow::Result<Table> {
    let mut table = empty_table(&["cell", "frames", "state"]);
    for cell in cells {
        let state = study::work::state(folder, cell)?;
        let frames = match (&state, &cell.import) {
            (State::Stored { of, .. }, _) => of.to_string(),
            // how many there are stands in the run
            (_, Some(import)) => import.frames.map_or_else(|| "-".to_owned(), |n| n.to_string()),
            (_, None) => cell.plan.frames.to_string(),
        };
        let state = match state {
            State::Stored { frames, of } if frames == of => "complete".to_owned(),
            State::Stored { frames: 0, .. } => "to do".to_owned(),
            State::Stored { frames, of } => format!("{frames} of {of}"),
            State::NoNetwork(_) => "no network".to_owned(),
            State::NoRun(_) => "no run".to_owned(),
            State::Failed(why) => why,
        };
        table.add_row([cell.id.clone(), frames, state]);
    }
    Ok(table)
}

/// How far a study is, on standard error: a bar on a terminal, a line now and then elsewhere.
struct StudyBar {
    bar: ProgressBar,
    lines: bool,
    clock: Clock,
    next_line_seconds: f64,
    last_cell: usize,
}

impl StudyBar {
    fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(1000);
        if quiet || !terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        // the template is a constant; the default bar would do as well
        let style = ProgressStyle::with_template("{bar:24.cyan/blue} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        let clock = Clock::start();
        Self { bar, lines: !quiet && !terminal, clock, next_line_seconds: 0.0, last_cell: 0 }
    }

    fn show(&mut self, p: &StudyProgress<'_>) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        let position = (p.share.clamp(0.0, 1.0) * 1000.0) as u64;
        self.bar.set_position(position);
        let left = p.seconds_left.map_or_else(String::new, |s| format!(", {} left", duration(s)));
        let text = format!(
            "cell {}/{}{left}  {} {}/{}",
            p.number, p.cells, p.cell.id, p.frames.0, p.frames.1
        );
        let seconds = self.clock.now().0 as f64 / 1e6;
        if self.lines && (seconds >= self.next_line_seconds || p.number != self.last_cell) {
            self.next_line_seconds = seconds + LINE_EVERY_SECONDS;
            self.last_cell = p.number;
            super::tell(&text);
        }
        self.bar.set_message(text);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds from 0 on")]
fn duration(seconds: f64) -> String {
    let all = seconds.max(0.0).round() as u64;
    match (all / 3600, all / 60 % 60, all % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_not_there_is_told_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.toml");
        let text = "title = 'one'
[[network]]
name = 'a'
model = 'not-there'
[method.gradcam]
attribute = 'gradcam'
[[grid]]
data = ['CF']
methods = ['gradcam']
frames = 1
";
        std::fs::write(&path, text).unwrap();
        let cells = study::cells(&StudyPlan::open(path.to_str().unwrap()).unwrap()).unwrap();
        let note = missing(&cells).unwrap();
        assert!(note.contains("left out: 1; the first: not-there: no network"), "{note}");
        assert!(note.contains("ROADGAZE_ZOO=FOLDER"), "{note}");
        assert_eq!(missing(&[]), None);
    }
}
