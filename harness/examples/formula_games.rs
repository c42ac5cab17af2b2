//! Writes game files of formulas, so that estimators can be compared where evaluations cost nothing.
//!
//! `cargo run --release --example formula_games -- DIR`, then `roadgaze estimators DIR/rough/*.game`.
//!
//! 49 players on a 7 x 7 grid; players have worths, nine in the middle large, 40 around small and of both signs:
//!
//! ```text
//! v(S) = 1 / (1 + exp(-(sum of worths in S - s0 total) / (tau total)))
//! ```
//!
//! s0 says how much of the picture must be seen, tau how sharply the class score rises. In these smooth games what a player adds
//! always has the sign of its worth, so nothing is clipped wrongly. The rough games therefore have 400 interactions of three
//! players more, of both signs (`q z_a z_b z_c`, q of deviation 0.01). The sign is a disc of 50 pixels'
//! radius in a picture of 224 pixels. Four games for each of six settings, smooth and rough, ten repeats.
#![expect(clippy::print_stdout, reason = "an example talks")]

use std::path::{Path, PathBuf};

use datasets::rng::Stream;
use harness::attribution::{Baseline, Coalition, Grid, Output, Upsampling};
use harness::games::{About, RecordSettings, record};
use harness::metrics::{Mask, Shares};

const SETTINGS: [(f64, f64); 6] =
    [(0.2, 0.05), (0.2, 0.15), (0.35, 0.05), (0.35, 0.15), (0.5, 0.05), (0.5, 0.15)];
const GAMES: u64 = 4;

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "games".to_owned()));
    for kind in ["smooth", "rough"] {
        write(&folder.join(kind), kind)?;
    }
    Ok(())
}

fn write(folder: &Path, kind: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let shares = Shares::of(&disc()?, 7, 7, Upsampling::Nearest);
    let record_settings =
        RecordSettings { frames: 1, reference: 400_000, evaluations: 1000, repeats: 10 };
    for (number, (s0, tau)) in SETTINGS.into_iter().enumerate() {
        for game in 0..GAMES {
            let worths = worths(game);
            let total: f64 = worths.iter().sum();
            let rough = if kind == "rough" { triples(game) } else { Vec::new() };
            let value = |c: &Coalition| {
                let sum: f64 = c.members().map(|i| worths[i]).sum();
                let whole = |t: &&Triple| t.players.iter().all(|&p| c.contains(p));
                let interactions: f64 = rough.iter().filter(whole).map(|t| t.worth).sum();
                1.0 / (1.0 + (-(sum - s0 * total) / (tau * total)).exp()) + interactions
            };
            let about = About {
                picture: format!("{kind} formula s0 {s0} tau {tau} game {game}"),
                image_hash: String::new(),
                network: "formula".to_owned(),
                network_hash: String::new(),
                target: 0,
                output: Output::Probability,
                baseline: Baseline::Zero,
                grid: Grid::default(),
            };
            let recorded = record(about, shares.clone(), record_settings, &mut [value])?;
            let path = folder.join(format!("{number}-{game}.game"));
            recorded.write(&path)?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

/// Worth of three players together.
struct Triple {
    players: [usize; 3],
    worth: f64,
}

fn triples(game: u64) -> Vec<Triple> {
    let mut stream = Stream::new("formula triples", &[game]);
    (0..400)
        .map(|_| {
            let players = std::array::from_fn(|_| stream.below(49));
            Triple { players, worth: 0.01 * normal(&mut stream) }
        })
        .collect()
}

/// The sum of twelve uniform numbers less 6 has mean 0 and deviation 1.
fn normal(stream: &mut Stream) -> f64 {
    (0..12).map(|_| f64::from(stream.unit())).sum::<f64>() - 6.0
}

/// Nine of about 20 in the middle, 40 around zero.
fn worths(game: u64) -> Vec<f64> {
    let mut stream = Stream::new("formula games", &[game]);
    (0..49)
        .map(|i| {
            let middle = (2..5).contains(&(i / 7)) && (2..5).contains(&(i % 7));
            if middle { 20.0 + 6.0 * normal(&mut stream) } else { 1.5 * normal(&mut stream) }
        })
        .collect()
}

fn disc() -> anyhow::Result<Mask> {
    let bytes: Vec<u8> = (0..224 * 224_i32)
        .map(|i| {
            let (y, x) = (i / 224 - 112, i % 224 - 112);
            if y * y + x * x < 50 * 50 { 255 } else { 0 }
        })
        .collect();
    Mask::new(224, 224, &bytes).ok_or_else(|| anyhow::anyhow!("a mask of no size"))
}
