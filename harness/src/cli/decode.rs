//! `roadgaze decode`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::Outcome;
use crate::telemetry;

/// Arguments of `decode`.
#[derive(Args, Debug)]
pub(super) struct DecodeArgs {
    /// The log, telemetry.defmt of a run
    log: PathBuf,
    /// The executable that wrote it [default: this one]
    #[arg(long, value_name = "FILE")]
    executable: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &DecodeArgs) -> anyhow::Result<Outcome> {
    let executable = match &args.executable {
        Some(path) => path.clone(),
        None => std::env::current_exe().context("the running executable cannot be found")?,
    };
    let decoded = telemetry::decode_file(&args.log, &executable)?;
    for line in &decoded.lines {
        let telemetry::Line { level, time, place, message } = line;
        if args.json {
            let micros = line.micros();
            let object =
                json!({"level": level, "time_us": micros, "place": place, "message": message});
            super::print(&object.to_string());
        } else {
            super::print(&format!("{time:>12} {level:<5} {message}"));
        }
    }
    if decoded.malformed > 0 {
        super::tell(&format!("{} frames of the log were damaged", decoded.malformed));
    }
    Ok(Outcome::Done)
}
