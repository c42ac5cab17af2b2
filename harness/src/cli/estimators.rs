//! `roadgaze estimators`, also `roadgaze bench --estimators`: recorded games through every estimator.

use std::path::PathBuf;

use clap::Args;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};

use super::Outcome;
use crate::attribution::Estimator;
use crate::games::{self, Line, Recorded, Study};
use crate::report::chart::{self, Series};
use crate::stats::ShareInterval;

/// Numbers of evaluations beside those that were recorded.
const SIZES: [usize; 2] = [250, 500];

/// Arguments of `estimators`.
#[derive(Args, Debug)]
pub(super) struct EstimatorArgs {
    /// Game files that `roadgaze run --record-game` wrote
    #[arg(required = true, value_name = "GAME")]
    games: Vec<PathBuf>,
    /// Numbers of evaluations to look at beside those that were recorded
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = SIZES)]
    at: Vec<usize>,
    /// Write plots of bias and coverage as SVG into this folder
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

impl EstimatorArgs {
    /// As `roadgaze bench --estimators` has them.
    pub(super) fn of_bench(games: &[PathBuf], plots: Option<&PathBuf>, json: bool) -> Self {
        Self { games: games.to_vec(), at: SIZES.to_vec(), plots: plots.cloned(), json }
    }
}

pub(super) fn execute(args: &EstimatorArgs) -> anyhow::Result<Outcome> {
    let games: Vec<Recorded> =
        args.games.iter().map(|path| Recorded::read(path)).collect::<Result<_, _>>()?;
    let study = games::study(&games, &args.at)?;
    if args.json {
        super::print(&serde_json::to_string_pretty(&study)?);
    } else {
        super::print(&lines(&study.lines).to_string());
        super::print(&references(&study));
    }
    if let Some(folder) = &args.plots {
        std::fs::create_dir_all(folder)?;
        for (name, svg) in plots(&study)? {
            std::fs::write(folder.join(name), svg)?;
        }
    }
    Ok(Outcome::Done)
}

fn lines(lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "estimator",
        "evaluations",
        "forwards",
        "trials",
        "bias of ratio",
        "95 % interval",
        "RMSE",
        "claimed error",
        "coverage",
        "shared error",
        "cells RMSE",
        "failed",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for line in lines {
        table.add_row([
            line.estimator.clone(),
            format!("{:.0}", line.evaluations),
            format!("{:.0}", line.forwards),
            line.trials.to_string(),
            format!("{:+.4}", line.bias.mean),
            line.bias.ci95.map_or_else(String::new, |[l, h]| format!("{l:+.4} to {h:+.4}")),
            format!("{:.4}", line.rmse),
            line.claimed.map_or_else(|| "-".to_owned(), |c| format!("{c:.4}")),
            percent(line.coverage),
            line.shared.map_or_else(|| "-".to_owned(), |s| format!("{s:.4}")),
            format!("{:.1} %", line.cells * 100.0),
            line.failed.to_string(),
        ]);
    }
    table
}

fn percent(share: Option<ShareInterval>) -> String {
    share.map_or_else(|| "-".to_owned(), |s| format!("{:.0} %", s.value * 100.0))
}

fn references(study: &Study) -> String {
    let n = study.references.len() as f64;
    let mean =
        |f: &dyn Fn(&games::Reference) -> f64| study.references.iter().map(f).sum::<f64>() / n;
    format!(
        "against {} references of {:.0} evaluations: mean ratio {:.4}, mean standard error {:.4}",
        study.references.len(),
        mean(&|r| r.evaluations as f64),
        mean(&|r| r.ratio),
        mean(&|r| r.standard_error)
    )
}

fn plots(study: &Study) -> anyhow::Result<Vec<(&'static str, String)>> {
    let series = |value: &dyn Fn(&Line) -> Option<f64>| -> Vec<Series> {
        let mut all: Vec<Series> = Vec::new();
        for line in &study.lines {
            let Some(y) = value(line) else { continue };
            if all.last().is_none_or(|s| s.name != line.estimator) {
                all.push(Series { name: line.estimator.clone(), points: Vec::new() });
            }
            if let Some(last) = all.last_mut() {
                last.points.push((line.evaluations, y));
            }
        }
        // what has no interval comes last, so that the others have the same colours in every plot
        all.sort_by_key(|s| s.name == Estimator::Permutation.name());
        all
    };
    let bias = series(&|l| Some(l.bias.mean));
    let rmse = series(&|l| Some(l.rmse));
    let coverage = series(&|l| l.coverage.map(|c| c.value));
    Ok(vec![
        (
            "estimators-bias.svg",
            chart::lines("estimators", "evaluations", "bias of the pixel ratio", &bias, &[0.0])?,
        ),
        (
            "estimators-rmse.svg",
            chart::lines("estimators", "evaluations", "RMSE of the pixel ratio", &rmse, &[])?,
        ),
        (
            "estimators-coverage.svg",
            chart::lines(
                "estimators",
                "evaluations",
                "coverage of the 95 % interval",
                &coverage,
                &[0.95],
            )?,
        ),
    ])
}
