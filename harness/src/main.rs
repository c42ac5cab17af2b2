//! The roadgaze command line: arguments in, exit code out.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use harness::cli::{Cli, Outcome};

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Missed) => ExitCode::from(1),
        Ok(Outcome::Stopped) => ExitCode::from(130),
        Err(error) => {
            drop(writeln!(std::io::stderr(), "roadgaze: {error:#}"));
            ExitCode::from(2)
        }
    }
}
