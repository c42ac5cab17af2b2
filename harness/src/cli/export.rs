//! `roadgaze export`: a run for other tools.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::export::{self, Format};

/// Arguments of `export`.
#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Folder of a run
    folder: PathBuf,
    /// parquet, csv, jsonl or mcap
    #[arg(long, value_name = "NAME", value_parser = format)]
    format: Format,
    /// Folder to write [default: export-FORMAT in the folder of the run]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the files as JSON
    #[arg(long)]
    json: bool,
}

fn format(name: &str) -> Result<Format, String> {
    Format::from_name(name).ok_or_else(|| "parquet, csv, jsonl or mcap expected".to_owned())
}

pub(super) fn execute(args: &ExportArgs) -> anyhow::Result<Outcome> {
    let default = || args.folder.join(format!("export-{}", args.format.name()));
    let out = args.out.clone().unwrap_or_else(default);
    let files = export::export(&args.folder, args.format, &out)?;
    if args.json {
        super::print(&serde_json::to_string_pretty(&files)?);
    } else {
        for file in files {
            super::print(&file.display().to_string());
        }
    }
    Ok(Outcome::Done)
}
