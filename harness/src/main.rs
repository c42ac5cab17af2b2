//! The `roadgaze` command line: arguments in, exit code out.
//!
//! Exit codes: 0 done, 1 a budget or margin is missed, 2 wrong usage or bad input.

use std::process::ExitCode;

use clap::Parser as _;
use harness::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            harness::cli::print_error(&error);
            ExitCode::from(2)
        }
    }
}
