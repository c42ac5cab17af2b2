//! `roadgaze verify`: check an evidence pack.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::study;

/// Most lines about what does not hold, for each check.
const MOST_LINES: usize = 10;

/// Arguments of `verify`.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// Folder that `roadgaze study --evidence` has written
    pack: PathBuf,
    /// Pictures of each cell to render again
    #[arg(long, value_name = "N", default_value_t = 3)]
    frames: usize,
}

/// Exit code 0 if all holds, 1 if something does not or cannot be read; an error if there is no list to check by.
pub(super) fn execute(args: &VerifyArgs) -> anyhow::Result<Outcome> {
    let checks = study::verify(&args.pack, args.frames)?;
    for check in &checks {
        let sign = if check.wrong.is_empty() { "holds" } else { "FAILS" };
        super::print(&format!("{sign}  {} ({} looked at)", check.what, check.looked_at));
        for line in check.wrong.iter().take(MOST_LINES) {
            super::print(&format!("       {line}"));
        }
        if check.wrong.len() > MOST_LINES {
            super::print(&format!("       and {} more", check.wrong.len() - MOST_LINES));
        }
    }
    super::print(&format!(
        "{} (compare it with the number that was kept)",
        super::study::anchor(&args.pack)?
    ));
    let all = checks.iter().all(|check| check.wrong.is_empty());
    Ok(if all { Outcome::Done } else { Outcome::Missed })
}
