//! `roadgaze plan`: draw a coalition plan into a file.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Outcome;
use crate::attribution::{Estimator, Grid, Plan};

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    /// How coalitions are drawn: captum, paired, leverage, permutation or exact
    #[arg(long, value_name = "NAME", default_value = "permutation")]
    estimator: String,
    /// Evaluations, the full and the empty coalition included
    #[arg(long, value_name = "N", default_value_t = 1000)]
    evaluations: usize,
    /// Seed of the draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Super-pixels down and across
    #[arg(long, value_name = "N", default_value_t = 7)]
    grid: usize,
    /// File to write [default: print]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn execute(args: &PlanArgs) -> anyhow::Result<Outcome> {
    let estimator = Estimator::from_name(&args.estimator).with_context(|| {
        let names: Vec<&str> = Estimator::ALL.iter().map(|e| e.name()).collect();
        format!("--estimator: one of {} expected, `{}` found", names.join(", "), args.estimator)
    })?;
    let grid = Grid { rows: args.grid, columns: args.grid };
    let text = Plan::draw(estimator, grid, args.evaluations, args.seed)?.to_json()?;
    match &args.out {
        Some(path) => std::fs::write(path, text).with_context(|| path.display().to_string())?,
        None => super::print(&text),
    }
    Ok(Outcome::Done)
}
