//! `roadgaze compare`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Outcome;
use crate::compare::{self, Margins};
use crate::report::comparison;

/// Arguments of `compare`.
#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    /// Folder of the first run, for example that of the device
    a: PathBuf,
    /// Folder of the second run, for example that of the desktop
    b: PathBuf,
    /// What still counts as the same, as TOML [default: built in, printed with --print-margins]
    #[arg(long, value_name = "FILE")]
    margins: Option<PathBuf>,
    /// Print the margins in use, as TOML, and stop
    #[arg(long)]
    print_margins: bool,
    /// Write a page with plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// Exit code 0 if the runs are equivalent within the margins, 1 if not.
pub(super) fn execute(args: &CompareArgs) -> anyhow::Result<Outcome> {
    let margins = args.margins.as_deref().map_or_else(|| Ok(Margins::default()), Margins::read)?;
    if args.print_margins {
        super::print(toml::to_string(&margins)?.trim_end());
        return Ok(Outcome::Done);
    }
    let comparison = compare::compare(&args.a, &args.b, &margins)?;
    if args.json {
        super::print(&serde_json::to_string_pretty(&comparison)?);
    } else {
        super::print(&comparison::terminal_tables(&comparison));
    }
    if let Some(path) = &args.html {
        let page = comparison::html(&comparison)?;
        std::fs::write(path, page).with_context(|| path.display().to_string())?;
    }
    Ok(if comparison.equivalent { Outcome::Done } else { Outcome::Missed })
}
