//! The commands and what they have in common; one file a command.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

mod render;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// How a command ended when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Done,
    /// A budget or margin is missed: exit code 1.
    Missed,
}

impl Outcome {
    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Missed => ExitCode::from(1),
        }
    }
}

/// Does the network still look at the sign on the vehicle's own computer?
#[derive(Debug, Parser)]
#[command(name = "roadgaze", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Render(render::Render),
}

impl Cli {
    /// Run the command.
    ///
    /// # Errors
    /// On wrong usage or bad input, with a message for the user.
    pub fn execute(self) -> anyhow::Result<Outcome> {
        match self.command {
            Some(Command::Render(render)) => render.execute(),
            None => {
                Self::command().print_help()?;
                Ok(Outcome::Done)
            }
        }
    }
}

/// Print an error with its causes, once.
pub fn print_error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
