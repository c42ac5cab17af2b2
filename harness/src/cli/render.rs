//! `roadgaze render`: writes a set to disk, or describes it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use datasets::config::Split;
use datasets::sets::{Set, SetName, spec};
use datasets::source::FrameSource as _;
use datasets::synthetic::Synthetic;
use datasets::write::{Description, Format, Progress, WriteOptions, write};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Outcome, print};

/// Render a set of traffic-sign pictures with masks and metadata.
///
/// A run that was stopped continues when the same command is given again.
#[derive(Args, Debug)]
pub(super) struct Render {
    /// UF UM UH CF CM CH, or a shape subset CMC CMT CMR.
    #[arg(long, value_parser = parse_set)]
    set: Set,
    /// Which half of the set: train or test.
    #[arg(long, default_value = "test", value_parser = parse_split)]
    split: Split,
    /// Pictures of each class [default: 500 for train, 600 for test].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    per_class: Option<u32>,
    /// Index of the first picture of each class.
    #[arg(long, default_value_t = 0, value_name = "INDEX")]
    first: u32,
    /// Side of the pictures, pixels, 64 to 1024.
    #[arg(long, default_value = "224", value_parser = parse_size)]
    size: usize,
    /// Files: a png a picture and mask, or npy shards for training.
    #[arg(long, value_enum, default_value = "png")]
    format: FormatName,
    /// Frames of an npy shard.
    #[arg(long, default_value_t = Format::SHARD_FRAMES, value_name = "N")]
    shard_frames: usize,
    /// Worker threads [default: one a processor].
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Put every picture into a corner case, for example fog:3 (severities 1 to 5).
    #[arg(long, value_name = "KIND:SEVERITY", value_parser = parse_corner_case)]
    corner_case: Option<datasets::corner_case::CornerCase>,
    /// How strongly the background of a C set goes with the class, 0 (as U) to 1, in place of the set's own.
    #[arg(long, value_name = "S", value_parser = parse_strength)]
    strength: Option<datasets::sets::Strength>,
    /// Own photographs behind the signs: folder:DIR, one sub-folder an environment.
    #[arg(long, value_name = "folder:DIR", value_parser = parse_environments)]
    environments: Option<PathBuf>,
    /// The folder to write.
    #[arg(long, value_name = "DIR", required_unless_present = "describe")]
    out: Option<PathBuf>,
    /// Print what the set is and how much its background tells about the class; render nothing.
    #[arg(long)]
    describe: bool,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    Png,
    Npy,
}

fn parse_set(text: &str) -> Result<Set, String> {
    Set::from_name(text).ok_or_else(|| {
        "expected UF, UM, UH, CF, CM or CH, or a shape subset CMC, CMT or CMR".to_owned()
    })
}

fn parse_split(text: &str) -> Result<Split, String> {
    Split::ALL
        .into_iter()
        .find(|split| split.as_str() == text)
        .ok_or_else(|| "expected train or test".to_owned())
}

fn joined((problem, remedy): (String, String)) -> String {
    format!("{problem}; {remedy}")
}

fn parse_size(text: &str) -> Result<usize, String> {
    spec::parse_size(text).map_err(joined)
}

fn parse_corner_case(text: &str) -> Result<datasets::corner_case::CornerCase, String> {
    spec::parse_corner_case(text).map_err(joined)
}

fn parse_strength(text: &str) -> Result<datasets::sets::Strength, String> {
    text.parse().map_err(joined)
}

fn parse_environments(text: &str) -> Result<PathBuf, String> {
    spec::parse_environments(text).map_err(joined)
}

impl Render {
    pub(super) fn execute(self) -> anyhow::Result<Outcome> {
        let mut name = SetName::new(self.set, self.split).size(self.size);
        name.per_class = self.per_class.unwrap_or(name.per_class);
        name.first = self.first;
        name.corner_case = self.corner_case.unwrap_or(name.corner_case);
        name.strength = self.strength;
        name.photographs.clone_from(&self.environments);
        name.check().map_err(|wrong| anyhow::anyhow!("--strength: {}", joined(wrong)))?;
        let source = Synthetic::new(name)?;
        if self.describe {
            self.describe(&source)?;
            return Ok(Outcome::Done);
        }
        let out = self.out.clone().ok_or_else(|| anyhow!("--out is missing: name a folder"))?;
        let shard_frames = self.shard_frames.max(1);
        let options = WriteOptions {
            out,
            format: match self.format {
                FormatName::Png => Format::Png,
                FormatName::Npy => Format::Npy { shard_frames },
            },
            threads: self.threads.map_or_else(processors, NonZeroUsize::get),
        };
        let bar = progress_bar(&source.name(), self.json);
        let step = |p: Progress| {
            if bar.length() != Some(p.total as u64) {
                bar.set_length(p.total as u64);
                bar.set_position(p.resumed as u64);
                bar.reset_eta();
            }
            bar.set_position(p.written as u64);
        };
        let done = write(&source, &source.identity_table(), &options, &step);
        bar.finish_and_clear();
        report(&done?, &options, self.json)?;
        Ok(Outcome::Done)
    }

    fn describe(&self, source: &Synthetic) -> anyhow::Result<()> {
        let table = source.environment_table();
        let names = source.environment_names();
        if self.json {
            let rows: serde_json::Map<_, _> = source
                .classes()
                .iter()
                .map(|&class| {
                    let class = usize::from(class);
                    (source.class_names()[class].clone(), table.row(class).into())
                })
                .collect();
            let text = serde_json::to_string_pretty(&serde_json::json!({
                "name": source.name(),
                "frames": source.len(),
                "classes": source.classes().len(),
                "information_bits": source.information_bits(),
                "environments": names,
                "marginal": table.marginal(),
                "environment_given_class": rows,
                "content_hash": source.content_hash(),
            }))?;
            print(&text);
            return Ok(());
        }
        print(&source.name());
        print(&format!("{} frames of {} classes", source.len(), source.classes().len()));
        print(&format!(
            "the background carries {:.2} bits about the class: I(class; environment)",
            source.information_bits()
        ));
        print(&format!("\nP(environment | class), %\n{:28}{}", "", names.join("  ")));
        let row = |start: &str, shares: &[f64]| {
            let cells: Vec<String> = shares
                .iter()
                .zip(&names)
                .map(|(p, name)| format!("{:>1$.0}  ", 100.0 * p, name.len()))
                .collect();
            print(&format!("{start:28}{}", cells.concat()));
        };
        for &class in source.classes() {
            let class = usize::from(class);
            row(&format!("{class:3} {:24.24}", source.class_names()[class]), table.row(class));
        }
        row("all", &table.marginal());
        Ok(())
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn progress_bar(name: &str, hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0).with_message(name.to_owned());
    let template = "{msg} {wide_bar} {pos}/{len} frames, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn report(done: &Description, options: &WriteOptions, json: bool) -> anyhow::Result<()> {
    if json {
        let value = serde_json::json!({
            "out": options.out,
            "name": done.request.name,
            "format": done.request.format,
            "frames": done.frames(),
            "source_hash": done.request.source_hash,
            "content_sha256": done.content_sha256,
        });
        print(&serde_json::to_string(&value).context("cannot print the result")?);
    } else {
        let folder = options.out.display();
        print(&format!("{folder}: {} frames of {}", done.frames(), done.request.name));
    }
    Ok(())
}
