//! The command line: one file a command, each a set of arguments and what to do with them.
//!
//! Exit codes: 0 done, 1 a budget, margin or self-test is missed, 2 wrong usage or bad input, 130 stopped by Ctrl-C.

mod bench;
mod calibrate;
mod camera;
mod compare;
mod decode;
mod doctor;
mod estimators;
mod export;
mod generate;
mod live;
mod merge;
mod old_run;
mod own_model;
mod plan;
mod progress;
mod render;
mod report;
mod run;
mod study;
mod verify;
mod view;

use clap::{Parser, Subcommand};

/// Whether what was asked for is done, or a limit that the user set was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1.
    Missed,
    /// Exit code 130, as shells have it: Ctrl-C came first.
    Stopped,
}

/// Does the network still look at the sign on the vehicle's own computer, and does it answer in time?
///
/// Without a command, the built-in plan runs: rendered test frames, a network of the zoo, GradCAM and Kernel SHAP.
#[derive(Debug, Parser)]
#[command(name = "roadgaze", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stream frames, classify and explain them, store and report the result
    Run(Box<run::RunArgs>),
    Render(render::Render),
    /// Serve frames as camera link packets, for `roadgaze run --camera` on another box
    Camera(camera::CameraArgs),
    /// Quantize a network to 8-bit integers, with a report of what it costs
    Calibrate(calibrate::CalibrateArgs),
    /// Make summary.json and report.html again from the store of a run
    Report(report::ReportArgs),
    /// Draw a coalition plan, which device and desktop can both follow
    Plan(plan::PlanArgs),
    /// Compare two runs: where they part, and whether they are equivalent
    Compare(compare::CompareArgs),
    /// Compare estimators of Kernel SHAP on recorded games
    Estimators(estimators::EstimatorArgs),
    /// Put the shards of an evaluation together into one run
    Merge(merge::MergeArgs),
    /// Measure how fast a network is on this machine
    Bench(bench::BenchArgs),
    /// Work through a grid of networks, data sets and explanations, and hold the result against the paper
    Study(study::StudyArgs),
    /// Check the evidence pack of a study: files, rows, figures and pictures, each derived again
    Verify(verify::VerifyArgs),
    /// Write a run for other tools: Parquet, CSV, JSON lines or MCAP
    Export(export::ExportArgs),
    /// Print the device events of a run
    Decode(decode::DecodeArgs),
    /// Write man pages and shell completions
    #[command(hide = true)]
    Generate(generate::GenerateArgs),
    /// Known-answer self-test and state of this device
    Doctor(doctor::DoctorArgs),
}

impl Cli {
    /// Do what was asked for.
    ///
    /// # Errors
    /// With a message for the user: place, expected, found, remedy.
    pub fn execute(self) -> anyhow::Result<Outcome> {
        match self.command {
            None => run::execute(self.run),
            Some(Command::Run(args)) => run::execute(*args),
            Some(Command::Render(args)) => args.execute(),
            Some(Command::Camera(args)) => camera::execute(&args),
            Some(Command::Calibrate(args)) => calibrate::execute(&args),
            Some(Command::Report(args)) => report::execute(&args),
            Some(Command::Plan(args)) => plan::execute(&args),
            Some(Command::Compare(args)) => compare::execute(&args),
            Some(Command::Estimators(args)) => estimators::execute(&args),
            Some(Command::Merge(args)) => merge::execute(&args),
            Some(Command::Bench(args)) => bench::execute(&args),
            Some(Command::Study(args)) => study::execute(&args),
            Some(Command::Verify(args)) => verify::execute(&args),
            Some(Command::Export(args)) => export::execute(&args),
            Some(Command::Decode(args)) => decode::execute(&args),
            Some(Command::Generate(args)) => generate::execute(&args),
            Some(Command::Doctor(args)) => doctor::execute(&args),
        }
    }
}

/// A line for the user; a reader that closed the pipe is no error.
fn print(line: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// A remark beside the result.
fn tell(line: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr(), "{line}"));
}
