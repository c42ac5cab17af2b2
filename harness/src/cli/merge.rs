//! `roadgaze merge`.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::{report, store};

/// Arguments of `merge`.
#[derive(Args, Debug)]
pub(super) struct MergeArgs {
    /// Run folders of all shards
    #[arg(required = true, value_name = "DIR")]
    parts: Vec<PathBuf>,
    /// Folder for the whole run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print summary.json instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &MergeArgs) -> anyhow::Result<Outcome> {
    let frames = store::merge(&args.parts, &args.out)?;
    let summary = report::write(&args.out)?;
    if args.json {
        super::print(&serde_json::to_string_pretty(&summary)?);
    } else {
        super::print(&report::terminal_tables(&summary));
        super::print(&format!(
            "{frames} frames from {} parts: {}",
            args.parts.len(),
            args.out.display()
        ));
    }
    Ok(Outcome::Done)
}
