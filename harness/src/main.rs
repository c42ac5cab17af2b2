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
            drop(writeln!(std::io::stderr(), "roadgaze: {}", in_one_line(&error)));
            ExitCode::from(2)
        }
    }
}

/// The error and its causes; a cause that the text before it already tells is not told again.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(&format!(": {cause}"));
        }
    }
    text
}
