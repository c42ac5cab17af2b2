//! `roadgaze report`.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::report;
use crate::report::budget::{Budgets, judge};
use crate::store::Stored;
use crate::study;

/// Arguments of `report`.
#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// Folder of a run or of a study
    folder: PathBuf,
    /// Budgets that the run has to keep: a TOML file; exit code 1 if it does not
    #[arg(long, value_name = "FILE")]
    budget: Option<PathBuf>,
    /// Print summary.json instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &ReportArgs) -> anyhow::Result<Outcome> {
    if args.folder.join(study::book::FILE_NAME).is_file() {
        return super::study::report(&args.folder, args.json);
    }
    let summary = report::write(&args.folder)?;
    if args.json {
        super::print(&serde_json::to_string_pretty(&summary)?);
    } else {
        super::print(&report::terminal_tables(&summary));
    }
    let Some(path) = &args.budget else { return Ok(Outcome::Done) };
    let verdict = judge(&Budgets::read(path)?, &Stored::open(&args.folder)?)?;
    super::tell(&verdict.sentence());
    Ok(if verdict.valid { Outcome::Done } else { Outcome::Missed })
}
