//! `roadgaze doctor`.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{Table, TableStyle, presets};

use super::Outcome;
use crate::doctor::{self, Diagnosis};
use crate::run::TargetProfile;

const STYLE: TableStyle = presets::NOTHING;

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// Folder in which runs will be stored: its disk is tried
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Target profile that this machine should meet, for example deploy/targets/arm-automotive.toml
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &DoctorArgs) -> anyhow::Result<Outcome> {
    let target = args.target.as_deref().map(TargetProfile::read).transpose()?;
    let diagnosis = doctor::examine(&args.folder, target.as_ref());
    if args.json {
        super::print(&serde_json::to_string_pretty(&diagnosis)?);
    } else {
        super::print(&tables(&diagnosis));
    }
    Ok(if diagnosis.passed && diagnosis.meets_target { Outcome::Done } else { Outcome::Missed })
}

fn tables(diagnosis: &Diagnosis) -> String {
    let mut checks = Table::new();
    checks.load_style(STYLE).set_header(["known answer", "", "found", "ms"]);
    for check in &diagnosis.checks {
        let verdict = if check.passed { "ok" } else { "WRONG" };
        checks.add_row([check.name, verdict, &check.detail, &format!("{:.1}", check.ms)]);
    }
    let mut device = Table::new();
    device.load_style(STYLE).set_header(["device", "state"]);
    for fact in &diagnosis.device {
        device.add_row([fact.name, &fact.value]);
    }
    let mut text = format!("{checks}\n\n{device}\n");
    for fact in &diagnosis.device {
        if let Some(warning) = &fact.warning {
            text.push_str(&format!("\nwarning: {} ({}): {warning}", fact.name, fact.value));
        }
    }
    let verdict = if diagnosis.passed {
        "\nall known answers are right"
    } else {
        "\nnot every known answer is right: do not trust figures of this device"
    };
    text.push_str(verdict);
    if !diagnosis.meets_target {
        text.push_str("\nthis machine is not what the target profile asks for: see the warnings");
    }
    text
}
