//! `roadgaze report`.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::report;

/// Arguments of `report`.
#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// Folder of a run
    folder: PathBuf,
    /// Print summary.json instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let summary = report::write(&args.folder)?;
    if args.json {
        super::print(&serde_json::to_string_pretty(&summary)?);
    } else {
        super::print(&report::terminal_tables(&summary));
    }
    Ok(Outcome::Done)
}
