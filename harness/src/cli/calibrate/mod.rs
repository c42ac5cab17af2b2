//! `roadgaze calibrate`: a network in f32 becomes a quantized one, with manifest and report.

mod drift;
mod page;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use anyhow::{Context as _, bail};
use calibration::calibrate::write_whole;
use calibration::{Calibrated, Method, Report, Settings, Step};
use clap::Args;
use datasets::folder::OpenOptions;
use datasets::source::FrameSource;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use models::manifest::{Accuracy, Manifest};
use models::{Network, zoo};

use super::Outcome;
use crate::clock;
use drift::Drift;

/// Arguments of `calibrate`.
#[derive(Args, Debug)]
pub(super) struct CalibrateArgs {
    /// Network in f32: a name in the zoo, a manifest, or an ONNX file with its manifest beside it
    #[arg(long, value_name = "NAME|FILE")]
    model: String,
    /// Pictures to calibrate with: synthetic:SET/train or a folder
    #[arg(long, value_name = "NAME|DIR", default_value = "synthetic:CF/train")]
    data: String,
    /// Pictures to observe, the first ones of the data set (balanced over classes)
    #[arg(long, value_name = "N", default_value_t = 300)]
    images: usize,
    /// How the range of an activation is chosen: minmax, percentile, entropy or mse
    #[arg(long, value_name = "NAME", default_value = "percentile", value_parser = parse_method)]
    method: Method,
    /// Share of the values that the percentile covers
    #[arg(long, value_name = "PERCENT", default_value_t = Method::COVERED)]
    percentile: f64,
    /// Bits of a weight; 8 where the target has VNNI or dot products, 7 anywhere
    #[arg(long, value_name = "N", default_value_t = 7)]
    weight_bits: u32,
    /// Scale of the weights of a channel: max (nothing is clipped) or mse (least error)
    #[arg(long, value_name = "NAME", default_value = "mse", value_parser = parse_weight_range)]
    weight_range: calibration::weights::WeightRange,
    /// Leave the biases as they are
    #[arg(long)]
    no_bias_correction: bool,
    /// Equalize the channels of convolutions in a row first
    #[arg(long)]
    equalize: bool,
    /// Leave the channels of residual streams (`ConvNeXt`) as they are
    #[arg(long)]
    no_stream_equalization: bool,
    /// Keep this layer, node or tensor in f32; a * at the end stands for any ending; may be repeated
    #[arg(long, value_name = "NAME")]
    keep_f32: Vec<String>,
    /// Keep each layer in f32 that alone brings the logits below this signal-to-noise ratio
    #[arg(long, value_name = "DB")]
    keep_f32_below: Option<f64>,
    /// Pictures for the noise of each layer; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 16)]
    sqnr_images: usize,
    /// Pictures for the sensitivity of each layer; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 4)]
    sensitivity_images: usize,
    /// Pictures on which both networks are compared [default: the test half of a rendered set, or
    /// what follows the calibration pictures]
    #[arg(long, value_name = "NAME|DIR")]
    check_data: Option<String>,
    /// Number of these pictures; 0 leaves the comparison out
    #[arg(long, value_name = "N", default_value_t = 410)]
    check_images: usize,
    /// Compare this quantized network with --model, and make none
    #[arg(long, value_name = "NAME|FILE")]
    check_only: Option<String>,
    /// Exit code 1 if top-1 falls by more than this, in percentage points
    #[arg(long, value_name = "POINTS")]
    margin_top1: Option<f64>,
    /// Exit code 1 if the mean pixel ratio moves by more than this
    #[arg(long, value_name = "RATIO")]
    margin_ratio: Option<f64>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// The ONNX file to write; manifest and report go beside it
    #[arg(long, value_name = "FILE", required_unless_present = "check_only")]
    out: Option<PathBuf>,
    /// Print the report as JSON instead of text
    #[arg(long)]
    json: bool,
}

fn parse_method(name: &str) -> Result<Method, String> {
    Method::from_name(name).ok_or_else(|| "expected minmax, percentile, entropy or mse".to_owned())
}

fn parse_weight_range(name: &str) -> Result<calibration::weights::WeightRange, String> {
    use calibration::weights::WeightRange;
    match name {
        "max" => Ok(WeightRange::Max),
        "mse" => Ok(WeightRange::Mse),
        _ => Err("expected max or mse".to_owned()),
    }
}

pub(super) fn execute(args: &CalibrateArgs) -> anyhow::Result<Outcome> {
    check_margins(args)?;
    let manifest_path = zoo::find(&args.model)?;
    let bar = Bar::new(args.json);
    if let Some(quantized) = &args.check_only {
        return check_only(args, &manifest_path, quantized, &bar);
    }
    let out = args.out.as_deref().context("--out: name the ONNX file to write")?;
    let manifest = Manifest::read(&manifest_path)?;
    let source_file = manifest.model_path(&manifest_path);
    if same_file(out, &source_file) || same_file(&out.with_extension("toml"), &manifest_path) {
        bail!("--out {}: this is the network in f32; choose another name", out.display());
    }
    let source = datasets::open::open(&args.data, &OpenOptions::default())?;
    // before the work of an hour, not after it
    let check = if args.check_images > 0 { Some(HeldOut::open(args, &manifest)?) } else { None };
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| {
            format!("--out {}: its folder cannot be made, name another", out.display())
        })?;
    }
    let settings = settings(args);
    let show = |step| {
        bar.show(step);
    };
    let mut done = calibration::calibrate(&manifest_path, source.as_ref(), &settings, out, &show)?;
    let quantized_path = done.write(out)?;
    let drift = if let Some(check) = &check {
        let networks = (Network::load(&manifest_path)?, Network::load(&quantized_path)?);
        let drift = measure(args, &networks.0, &networks.1, check, &bar)?;
        add_accuracy(&mut done, &drift);
        write_whole(&quantized_path, done.manifest.to_toml()?.as_bytes())?;
        done.report.drift = Some(serde_json::to_value(&drift)?);
        Some(drift)
    } else {
        None
    };
    bar.finish();
    write_report(out, &done.report, drift.as_ref())?;
    if args.json {
        super::print(&done.report.to_json()?);
    } else {
        super::print(done.report.to_text().trim_end());
        if let Some(drift) = &drift {
            super::print(&drift.to_text());
        }
        super::print(&format!(
            "{} written, with {} and {}",
            out.display(),
            quantized_path.display(),
            page_path(out).display()
        ));
    }
    Ok(verdict(args, drift.as_ref()))
}

fn settings(args: &CalibrateArgs) -> Settings {
    Settings {
        method: match args.method {
            Method::Percentile { .. } => Method::Percentile { covered: args.percentile },
            other => other,
        },
        weight_bits: args.weight_bits,
        weight_range: args.weight_range,
        bias_correction: !args.no_bias_correction,
        equalize: args.equalize,
        equalize_streams: !args.no_stream_equalization,
        keep_f32: args.keep_f32.clone(),
        keep_below_db: args.keep_f32_below,
        images: args.images,
        sqnr_images: args.sqnr_images,
        sensitivity_images: args.sensitivity_images,
        threads: threads(args),
        date: date(clock::unix_seconds()),
    }
}

fn threads(args: &CalibrateArgs) -> usize {
    args.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1)
}

fn check_only(
    args: &CalibrateArgs,
    manifest_path: &Path,
    quantized: &str,
    bar: &Bar,
) -> anyhow::Result<Outcome> {
    let networks = (Network::load(manifest_path)?, Network::open(quantized)?);
    if args.check_images == 0 {
        bail!("--check-images: expected at least 1 with --check-only, found 0");
    }
    let check = HeldOut::open(args, networks.0.manifest())?;
    let drift = measure(args, &networks.0, &networks.1, &check, bar)?;
    bar.finish();
    if args.json {
        super::print(&serde_json::to_string_pretty(&drift)?);
    } else {
        super::print(&drift.to_text());
    }
    Ok(verdict(args, Some(&drift)))
}

/// Pictures on which both networks are compared.
struct HeldOut {
    source: Box<dyn FrameSource>,
    positions: Range<usize>,
}

impl HeldOut {
    fn open(args: &CalibrateArgs, manifest: &Manifest) -> anyhow::Result<Self> {
        let name = args.check_data.clone().unwrap_or_else(|| held_out(&args.data));
        // a folder need not hold every class of the network
        let classes = u16::try_from(manifest.classes.count).ok();
        let source = datasets::open::open(&name, &OpenOptions { classes, ..Default::default() })?;
        manifest.check_classes(source.class_names())?;
        // pictures that were calibrated with are not held out
        let first = if name == args.data { args.images } else { 0 };
        let last = first.checked_add(args.check_images).filter(|last| *last <= source.len());
        let Some(last) = last else {
            bail!(
                "{}: expected {} pictures after the first {first} for the comparison, found {}; ask for \
                 fewer with --images or --check-images, or name others with --check-data",
                source.name(),
                args.check_images,
                source.len().saturating_sub(first)
            );
        };
        Ok(Self { source, positions: first..last })
    }
}

fn measure(
    args: &CalibrateArgs,
    exact: &Network,
    quantized: &Network,
    check: &HeldOut,
    bar: &Bar,
) -> anyhow::Result<Drift> {
    let (source, positions) = (check.source.as_ref(), check.positions.clone());
    let done = |done| {
        bar.show(Step { name: "comparing both networks", done, total: args.check_images });
    };
    Ok(drift::measure(exact, quantized, source, positions, threads(args), &done)?)
}

/// The half of a rendered set that was not calibrated with.
fn held_out(data: &str) -> String {
    if data.starts_with("synthetic:") {
        data.replacen("/train", "/test", 1)
    } else {
        data.to_owned()
    }
}

/// A margin that nothing could miss would say that all is well.
fn check_margins(args: &CalibrateArgs) -> anyhow::Result<()> {
    let margins = [("--margin-top1", args.margin_top1), ("--margin-ratio", args.margin_ratio)];
    for (name, margin) in margins {
        let Some(margin) = margin else { continue };
        if !(0.0..=f64::MAX).contains(&margin) {
            bail!("{name}: a number from 0 on expected, {margin} found");
        }
        if args.check_images == 0 {
            bail!("{name}: a comparison expected, --check-images 0 found, which leaves it out");
        }
    }
    Ok(())
}

fn verdict(args: &CalibrateArgs, drift: Option<&Drift>) -> Outcome {
    let Some(drift) = drift else { return Outcome::Done };
    let mut missed = Vec::new();
    if let Some(margin) = args.margin_top1.filter(|m| drift.top1_change() * -100.0 > *m) {
        missed.push(format!("top-1 falls by more than {margin} points"));
    }
    if let Some(margin) = args.margin_ratio.filter(|m| drift.ratio_change().abs() > *m) {
        missed.push(format!("the mean pixel ratio moves by more than {margin}"));
    }
    if args.margin_ratio.is_some() && drift.ratio_change.is_none() {
        missed.push("no picture has a pixel ratio of both networks".to_owned());
    }
    for line in &missed {
        super::tell(&format!("margin missed: {line}"));
    }
    if missed.is_empty() { Outcome::Done } else { Outcome::Missed }
}

/// The manifest states what was measured on held-out pictures.
fn add_accuracy(done: &mut Calibrated, drift: &Drift) {
    let top1 = drift.quantized.top1;
    let set = drift.data.strip_prefix("synthetic:").unwrap_or(&drift.data).to_owned();
    let n = top1.n as u64;
    done.manifest.accuracy = vec![Accuracy { set, top1: top1.value, n, ci95: Some(top1.ci95) }];
}

fn write_report(out: &Path, report: &Report, drift: Option<&Drift>) -> anyhow::Result<()> {
    write_whole(&out.with_extension("calibration.json"), report.to_json()?.as_bytes())?;
    write_whole(&page_path(out), page::html(report, drift).as_bytes())?;
    Ok(())
}

fn page_path(out: &Path) -> PathBuf {
    out.with_extension("calibration.html")
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// Year-month-day of a time in seconds since 1970 (UTC), by the civil calendar: Hinnant,
/// "chrono-compatible low-level date algorithms", `civil_from_days`.
fn date(unix_seconds: u64) -> String {
    let days = unix_seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + 400 * era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A bar on standard error with the step that is under way.
#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    step: Mutex<&'static str>,
}

impl Bar {
    fn new(quiet: bool) -> Self {
        let bar = ProgressBar::new(0);
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{bar:28.cyan/blue} {pos}/{len} {msg}, {eta} left";
        // the template is a constant; the default bar would do as well
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Self { bar, step: Mutex::new("") }
    }

    fn show(&self, step: Step) {
        let mut current = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != step.name {
            *current = step.name;
            self.bar.set_message(step.name);
            self.bar.set_length(step.total as u64);
            self.bar.reset_eta();
        }
        self.bar.set_position(step.done as u64);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::stats::MeanInterval;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: CalibrateArgs,
    }

    fn arguments(more: &str) -> CalibrateArgs {
        let line = format!("x --model net --out net-int8.onnx {more}");
        Line::try_parse_from(line.split_whitespace()).unwrap().args
    }

    #[test]
    fn a_margin_that_nothing_could_miss_is_refused() {
        let check = |more| check_margins(&arguments(more)).map_err(|error| error.to_string());
        assert_eq!(check("--margin-top1 0.2 --margin-ratio 0"), Ok(()));
        assert_eq!(check("--check-images 0"), Ok(()));
        for (more, expected) in [
            ("--margin-top1 NaN", "--margin-top1: a number from 0 on expected, NaN found"),
            ("--margin-ratio=-1", "--margin-ratio: a number from 0 on expected, -1 found"),
            ("--margin-top1 0.2 --check-images 0", "--margin-top1: a comparison expected"),
        ] {
            let error = check(more).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_margin_of_a_ratio_that_is_not_there_is_missed() {
        let args = arguments("--margin-ratio 0.2");
        let ratio = MeanInterval { mean: 0.125, deviation: None, ci95: None, n: 8 };
        assert_eq!(verdict(&args, Some(&Drift::example(Some(ratio)))), Outcome::Done);
        assert_eq!(verdict(&args, Some(&Drift::example(None))), Outcome::Missed);
        assert_eq!(verdict(&arguments(""), Some(&Drift::example(None))), Outcome::Done);
    }

    #[test]
    fn dates_of_known_seconds() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_735_689_599, "2024-12-31"),
            (1_735_689_600, "2025-01-01"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn a_folder_that_lacks_classes_of_the_network_is_held_out_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let stop = folder.path().join("14_Stop");
        std::fs::create_dir(&stop).unwrap();
        image::RgbImage::new(64, 64).save(stop.join("0.png")).unwrap();
        let mask = image::GrayImage::from_pixel(64, 64, image::Luma([255]));
        mask.save(stop.join("0_msk.png")).unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/desktop");
        let mut manifest = Manifest::read(&golden.join("resnet-micro.toml")).unwrap();
        manifest.classes.hash.clear();
        let open = |images: usize| {
            let data = folder.path().display();
            let more = format!("--data {data} --images {images} --check-images 1");
            HeldOut::open(&arguments(&more), &manifest)
        };
        assert_eq!(open(0).unwrap().positions, 0..1);
        let error = open(1).err().unwrap().to_string();
        assert!(error.contains("ask for fewer with --images or"), "{error}");
    }

    #[test]
    fn held_out_pictures_are_of_the_other_half() {
        assert_eq!(held_out("synthetic:CF/train?size=224"), "synthetic:CF/test?size=224");
        assert_eq!(held_out("/data/train"), "/data/train");
    }
}
