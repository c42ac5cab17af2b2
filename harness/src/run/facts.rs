//! What is stored of a run before its first frame: settings, hashes, network, machine; and which of it must stay the same.

use std::collections::BTreeMap;

use datasets::source::FrameSource;
use models::Network;
use models::engine::Isa;

use super::{Explainer, Job, machine};
use crate::clock;
use crate::store::kernels::{self, INTEGER_KERNELS};
use crate::telemetry;

/// What is stored of a run before its first frame, by name; values are JSON.
pub(super) fn describe(
    job: &Job<'_>,
    network: &Network,
    source: Option<&dyn FrameSource>,
    explainer: &Explainer,
    asked: usize,
) -> BTreeMap<String, String> {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let mut all = BTreeMap::new();
    for (name, value) in job.plan.settings() {
        all.insert(format!("set.{name}"), value.to_string());
    }
    all.insert("hash.model".to_owned(), text(network.sha256()));
    if let Some(source) = source {
        all.insert("hash.data".to_owned(), text(&source.content_hash()));
        all.insert("data.name".to_owned(), text(&source.name()));
    }
    if let Some(feed) = job.feed {
        let scenario = serde_json::to_string(&feed.scenario).unwrap_or_default();
        all.insert("feed.scenario".to_owned(), scenario);
        all.insert("feed.pace".to_owned(), text(&feed.pace_name()));
        if let Some(count) = feed.preload {
            all.insert("feed.preload".to_owned(), count.to_string());
        }
        if let Some(replay) = &feed.replay {
            let run = replay.run().display().to_string();
            all.insert("feed.replay_of".to_owned(), text(&run));
        }
    }
    if let Some(hash) = explainer.plan_hash() {
        all.insert("hash.plan".to_owned(), text(hash));
    }
    let executable = std::env::current_exe()
        .and_then(|path| telemetry::file_hash(&path))
        .unwrap_or_else(|_| "unknown".to_owned());
    all.insert("hash.executable".to_owned(), text(&executable));
    let names = source.map_or(&[][..], |source| source.class_names());
    all.insert("class_names".to_owned(), serde_json::json!(names).to_string());
    all.insert("frames.asked".to_owned(), asked.to_string());
    let share = network.info().integer_mac_share;
    all.insert("integer_mac_share".to_owned(), serde_json::json!(share).to_string());
    all.insert("model.macs".to_owned(), network.info().macs.to_string());
    all.insert("started_unix".to_owned(), clock::unix_seconds().to_string());
    for (name, value) in machine::facts() {
        all.insert(format!("machine.{name}"), text(&value));
    }
    let isa = network.integer_kernels().map_or(kernels::NONE, Isa::name);
    all.insert(INTEGER_KERNELS.to_owned(), text(isa));
    all
}

/// Settings and hashes that must not change when a run is resumed.
pub(super) fn decides_results(name: &str) -> bool {
    name.starts_with("set.") || (name.starts_with("hash.") && name != "hash.executable")
}
