//! Times one network in this engine, as `models/desktop/engine_bench.py` needs it: one line of JSON on standard output.
//!
//! ```text
//! cargo run --release -p models --example engine -- MODEL.onnx [--threads 1] [--runs 50] [--isa NAME]
//!     [--input FILE.f32] [--floats] [--layers]
//! ```
//!
//! `--input` is the raw input tensor in little-endian f32; without it a fixed pattern is used. The JSON has times in
//! milliseconds, the logits, a hash of the feature map, and the resident memory in MiB.
#![expect(clippy::print_stdout, reason = "the output of a program")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use models::describe::{describe, manifest_path};
use models::{Classifier as _, EngineOptions, Manifest, ModelError, Network};

#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn now() -> Instant {
    Instant::now()
}

struct Arguments {
    model: String,
    threads: usize,
    runs: usize,
    options: EngineOptions,
    input: Option<String>,
    layers: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut rest = std::env::args().skip(1);
    let mut parsed = Arguments {
        model: rest.next().ok_or("expected the path of a model, found nothing")?,
        threads: 1,
        runs: 50,
        options: EngineOptions::default(),
        input: None,
        layers: false,
    };
    while let Some(flag) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{flag}: expected a value"));
        let number = |text: String| text.parse::<usize>().map_err(|e| format!("{text}: {e}"));
        match flag.as_str() {
            "--threads" => parsed.threads = number(value()?)?,
            "--runs" => parsed.runs = number(value()?)?,
            "--isa" => parsed.options.isa = value()?.parse().map_err(|e| format!("{e}"))?,
            "--input" => parsed.input = Some(value()?),
            "--floats" => parsed.options.integers = false,
            "--layers" => parsed.layers = true,
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    Ok(parsed)
}

fn network(path: &str, options: EngineOptions) -> Result<Network, ModelError> {
    let path = Path::new(path);
    let beside = manifest_path(path);
    let manifest = if beside.exists() { Manifest::read(&beside)? } else { describe(path)? };
    Network::with_options(manifest, path, options)
}

fn input(network: &Network, file: Option<&str>) -> Result<Vec<f32>, String> {
    let length = 3 * network.info().height * network.info().width;
    let Some(file) = file else {
        let wave = |i: usize| f32::from(u8::try_from(i * 7919 % 251).unwrap_or(0)) / 64.0 - 2.0;
        return Ok((0..length).map(wave).collect());
    };
    let bytes = std::fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
}

/// Resident and peak memory, MiB.
fn memory() -> [f64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    ["VmRSS:", "VmHWM:"].map(|name| field(name).unwrap_or(0.0) / 1024.0)
}

fn run() -> Result<(), String> {
    let arguments = arguments()?;
    let start = now();
    let network = network(&arguments.model, arguments.options).map_err(|e| e.to_string())?;
    let load = start.elapsed();
    let x = input(&network, arguments.input.as_deref())?;
    let mut session = network.session_with_threads(arguments.threads).map_err(|e| e.to_string())?;
    let first = session.run(&x).map_err(|e| e.to_string())?;
    for _ in 0..3 {
        session.logits(&x).map_err(|e| e.to_string())?;
    }
    let mut times = Vec::with_capacity(arguments.runs);
    for _ in 0..arguments.runs {
        let start = now();
        session.logits(&x).map_err(|e| e.to_string())?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let [resident, peak] = memory();
    let map = first.feature_map.as_ref().map(|m| {
        let sum: f64 = m.data.iter().map(|v| f64::from(*v)).sum();
        serde_json::json!({ "shape": [m.channels, m.height, m.width], "sum": sum })
    });
    if arguments.layers {
        let origin = now();
        let clock = || -> Duration { origin.elapsed() };
        let layers = session.profile(&x, 15, &clock).map_err(|e| e.to_string())?;
        for layer in layers {
            println!(
                "{:8.3} ms {:9.2} MMAC {:7.1} GMAC/s  {:20} {}",
                layer.ms,
                f64::from(u32::try_from(layer.macs / 1000).unwrap_or(u32::MAX)) / 1e3,
                layer.gmacs(),
                layer.kernel,
                layer.name
            );
        }
    }
    let report = network.report();
    println!(
        "{}",
        serde_json::json!({
            "isa": network.options().isa.name(),
            "threads": arguments.threads,
            "times_ms": times,
            "load_ms": load.as_secs_f64() * 1e3,
            "resident_mib": resident,
            "peak_mib": peak,
            "integer_mac_share": network.info().integer_mac_share,
            "steps": report.steps,
            "in_floats": report.in_floats,
            "logits": first.logits,
            "feature_map": map,
        })
    );
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("{}", serde_json::json!({ "error": problem }));
            ExitCode::from(2)
        }
    }
}
