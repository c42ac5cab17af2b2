//! Is a verdict what the stored run and the budgets say, and is a budget file checked?

use super::*;
use crate::store::{FrameRow, RunStore};

fn row(position: u32, micros: u64) -> FrameRow {
    FrameRow {
        position,
        class: 0,
        index: position,
        shape: String::new(),
        environment: String::new(),
        image_hash: String::new(),
        mask_share: 0.1,
        top5: vec![0],
        confidence: 1.0,
        logits: vec![1.0],
        tensor: Vec::new(),
        features: Vec::new(),
        attributions: Vec::new(),
        stages: vec![(Stage::Network, micros)],
        preview: None,
    }
}

fn verdict(
    toml: &str,
    times: &[u64],
    settings: &[(&str, &str)],
    samples: &[DeviceSample],
) -> Verdict {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut store = RunStore::create(dir.path(), &settings).unwrap();
    for (position, micros) in (0..).zip(times) {
        store.add(&row(position, *micros)).unwrap();
    }
    store.add_device_samples(samples).unwrap();
    drop(store);
    let budgets: Budgets = toml::from_str(toml).unwrap();
    budgets.check(Path::new("budget.toml")).unwrap();
    judge(&budgets, &Stored::open(dir.path()).unwrap()).unwrap()
}

const NETWORK: &str = "[stage.network]\nlimit_ms = 30.0\nshare = 0.9";

#[test]
fn enough_frames_in_time_are_valid_too_few_are_not_and_say_how_many_are_missing() {
    let good = verdict(NETWORK, &[20_000; 60], &[], &[]);
    assert!(good.valid, "{good:?}");
    assert_eq!(good.sentence(), "VALID: 1 of 1 budgets kept over 60 frames");
    let few = verdict(NETWORK, &[20_000; 20], &[], &[]);
    assert_eq!(
        few.sentence(),
        "INVALID: network: 90 % within 30 ms needs 44 frames at 99 % confidence with 0 over it, there are 20"
    );
}

#[test]
fn late_frames_dropped_frames_a_late_camera_and_heat_are_reasons() {
    let mut times = vec![20_000; 40];
    times.extend([31_000; 10]);
    // the machine was started anew after the second
    let samples = [7, 8, 0, 2].map(|n| DeviceSample {
        throttled: Some(n),
        temperature_c: Some(91.0),
        ..DeviceSample::default()
    });
    let toml = format!(
        "max_dropped_share = 0.01\n{NETWORK}\n[device]\nno_throttling = true\nmax_temperature_c = 85.0"
    );
    let settings = [
        ("frames.due", "60"),
        ("feed.camera_late", "3"),
        ("feed.camera_late_worst_micros", "4500"),
    ];
    let found = verdict(&toml, &times, &settings, &samples);
    assert!(!found.valid);
    let claim = &found.claims[0];
    assert_eq!((claim.overruns, claim.overruns_in_a_row), (10, 10));
    assert!((claim.worst_ms - 31.0).abs() < 1e-9, "{claim:?}");
    let text = found.sentence();
    for part in [
        "network: 10 of 50 frames took more than 30 ms, 10.000 % may",
        "10 of 60 frames were not processed",
        "late for 3 frames by up to 4.5 ms",
        "91.0 degrees, 85.0 are permitted",
        "slowed down for heat 3 times",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

#[test]
fn numbers_out_of_their_range_are_refused_with_place_range_and_remedy() {
    for (text, place, found) in [
        ("max_dropped_share = 1.01", "max_dropped_share: a share of 0 to 1", "1.01 found"),
        ("max_dropped_share = -0.1", "max_dropped_share: a share of 0 to 1", "-0.1 found"),
        ("max_dropped_share = nan", "max_dropped_share: a share of 0 to 1", "NaN found"),
        ("confidence = 1.0", "confidence: a number above 0 and below 1", "1 found"),
        ("[stage.network]\nlimit_ms = 1.0\nshare = 99.0", "stage.network.share", "99 found"),
        ("[stage.network]\nlimit_ms = nan", "stage.network.limit_ms", "NaN found"),
        ("[device]\nmax_temperature_c = inf", "device.max_temperature_c: a number", "inf found"),
        ("[device]\nmax_rss_mib = nan", "device.max_rss_mib: a number of 0", "NaN found"),
    ] {
        let budgets: Budgets = toml::from_str(text).unwrap();
        let error = budgets.check(Path::new("b.toml")).unwrap_err().to_string();
        for part in ["b.toml, ", place, found, "; correct it in that file"] {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
    for text in ["max_dropped_share = 0.0", "max_dropped_share = 1.0"] {
        toml::from_str::<Budgets>(text).unwrap().check(Path::new("b.toml")).unwrap();
    }
}

#[test]
fn a_stage_nobody_measured_supports_nothing_and_unknown_names_are_refused() {
    let found = verdict("[stage.kernel_shap]\nlimit_ms = 5.0", &[1; 10], &[], &[]);
    assert!(!found.valid && found.reasons[0].contains("there are 0"), "{found:?}");
    let budgets: Budgets = toml::from_str("[stage.netwrok]\nlimit_ms = 1.0").unwrap();
    let error = budgets.check(Path::new("b.toml")).unwrap_err().to_string();
    assert!(error.contains("b.toml") && error.contains("network") && error.contains("`netwrok`"));
}
