//! Answers that are known beforehand, from formulas or from PyTorch, computed again on this device.

use std::collections::BTreeMap;
use std::path::Path;

use firmware_host::link::HEADER_LEN;
use firmware_host::{FrameHeader, LinkError, Micros, Packet};
use models::manifest::{ChannelOrder, Input, Resize};
use models::{FeatureMap, Head, LayerNorm, Prediction, Preprocessor};

use crate::attribution::{
    Coalition, Estimator, GradCamSettings, Grid, Output, Plan, Solution, explain, gradcam,
};
use crate::clock::Clock;
use crate::metrics::Undefined;
use crate::store::{AttributionRow, FrameRow, RunStore, Stage, Stored};

/// Says how near the answer is, or what is wrong.
pub(super) type Try = fn(&Path) -> Result<String, String>;

/// All of them, in the order in which data flows.
pub(super) const ALL: [(&str, Try); 6] = [
    ("camera link", camera_link),
    ("preprocessing", preprocessing),
    ("Shapley values", shapley_values),
    ("Kernel SHAP", kernel_shap),
    ("GradCAM", gradient),
    ("run store", store),
];

/// Every one of the first thousand flipped bits of a packet is noticed.
fn camera_link(_folder: &Path) -> Result<String, String> {
    let header = FrameHeader {
        sequence: 7,
        position: 3,
        scheduled: Micros(11),
        captured: Micros(12),
        exposure_micros: 0,
        width: 16,
        height: 8,
    };
    let mut bytes: Vec<u8> = (0_u8..=255).cycle().take(HEADER_LEN + 16 * 8 * 3).collect();
    let length = header.seal(&mut bytes).map_err(|e| e.to_string())?;
    let read = |bytes: &[u8]| -> Result<FrameHeader, LinkError> {
        let packet = Packet::new(bytes)?;
        let header = FrameHeader::parse(&packet)?;
        packet.pixels(&header).map(|_| header)
    };
    let whole = bytes.get(..length).ok_or("a sealed packet is longer than its buffer")?;
    if read(whole).map_err(|e| e.to_string())? != header {
        return Err("a whole packet came back changed".to_owned());
    }
    let flips = (length * 8).min(1000);
    for bit in 0..flips {
        let mut damaged = whole.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if read(&damaged).is_ok_and(|found| found == header) {
            return Err(format!("a flipped bit {bit} was not noticed"));
        }
    }
    Ok(format!("{flips} of {flips} flipped bits noticed"))
}

/// Bits that torchvision 0.29 gives: `normalize(to_tensor(picture), mean, std)`.
fn preprocessing(_folder: &Path) -> Result<String, String> {
    const EXPECTED: [u32; 6] =
        [0xc007_8bbd, 0xbff2_989b, 0x3e52_1b48, 0xbf30_0b78, 0x4028_f5c3, 0x3fd7_37ef];
    let input = Input {
        width: 2,
        height: 1,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
        channel_order: ChannelOrder::Rgb,
        resize: Resize::None,
    };
    let tensor = Preprocessor::new(&input)
        .run(&[0, 128, 255, 13, 77, 200], 2, 1)
        .map_err(|e| e.to_string())?;
    let found: Vec<u32> = tensor.iter().map(|v| v.to_bits()).collect();
    if found == EXPECTED {
        Ok("equal to torchvision, bit for bit".to_owned())
    } else {
        Err(format!("expected {EXPECTED:08x?} as torchvision, found {found:08x?}"))
    }
}

/// Groups of players that earn something together, and what.
const DIVIDENDS: [(&[usize], f64); 5] = [
    (&[0], 1.5),
    (&[1, 2], 4.0),
    (&[2, 3, 4], -3.0),
    (&[0, 1, 5, 6], 2.0),
    (&[0, 1, 2, 3, 4, 5, 6, 7, 8], 7.0),
];
const GRID: Grid = Grid { rows: 2, columns: 5 };

/// A dividend is shared equally among its group (Shapley 1953), so the values are known: exact enumeration must find them.
fn shapley_values(_folder: &Path) -> Result<String, String> {
    let game = |c: &Coalition| -> f64 {
        let paid = |group: &&[usize]| group.iter().all(|&player| c.contains(player));
        DIVIDENDS.iter().filter(|(group, _)| paid(group)).map(|(_, worth)| worth).sum()
    };
    let expected: Vec<f64> = (0..GRID.players())
        .map(|player| {
            let shares = DIVIDENDS.iter().filter(|(group, _)| group.contains(&player));
            shares.map(|(group, worth)| worth / group.len() as f64).sum()
        })
        .collect();
    let plan = Plan::draw(Estimator::Exact, GRID, 0, 0).map_err(|e| e.to_string())?;
    let found = explain(&plan, &mut [game], Solution::Exact).map_err(|e| e.to_string())?;
    near("1,024 coalitions enumerated", found.map.values(), &expected, 1e-12)
}

/// In a game without interaction everybody is worth what he adds; the regression must find that from any sample.
fn kernel_shap(_folder: &Path) -> Result<String, String> {
    let expected: Vec<f64> = (0..49).map(|i| f64::from(i) - 20.0).collect();
    let game = |c: &Coalition| 3.0 + c.members().map(|i| i as f64 - 20.0).sum::<f64>();
    let plan = Plan::draw(Estimator::Captum, Grid::default(), 300, 1).map_err(|e| e.to_string())?;
    let found = explain(&plan, &mut [game, game], Solution::Exact).map_err(|e| e.to_string())?;
    near("300 evaluations on two threads", found.map.values(), &expected, 1e-9)
}

const CHANNELS: usize = 6;
const CLASSES: usize = 4;
const CELLS: (usize, usize) = (3, 2);
const CLASS: usize = 2;

/// The closed form against central differences of an own forward pass in f64: with and without layer norm, for
/// logit and probability.
fn gradient(_folder: &Path) -> Result<String, String> {
    let mut worst = 0.0_f64;
    for normed in [false, true] {
        let norm = normed.then(|| LayerNorm {
            weight: numbers(5, CHANNELS),
            bias: numbers(6, CHANNELS),
            eps: 1e-6,
        });
        let head = Head::new(numbers(1, CLASSES * CHANNELS), numbers(2, CLASSES), CHANNELS, norm)
            .map_err(|e| e.to_string())?;
        let data = numbers(3, CHANNELS * CELLS.0 * CELLS.1);
        let wide: Vec<f64> = data.iter().map(|&v| f64::from(v)).collect();
        for output in [Output::Logit, Output::Probability] {
            let logits = forward(&head, &wide).iter().map(|&v| narrow(v)).collect();
            let (height, width) = CELLS;
            let map = FeatureMap { channels: CHANNELS, height, width, data: data.clone() };
            let prediction = Prediction { logits, feature_map: Some(map) };
            let settings = GradCamSettings { output, relu: false };
            let found = gradcam(&prediction, &head, CLASS, settings).map_err(|e| e.to_string())?;
            let expected = by_differences(&head, &wide, output);
            let scale = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            worst = worst.max(distance(found.values(), &expected) / scale);
        }
    }
    let what = "2 heads x 2 outputs against finite differences";
    near(what, &[worst], &[0.0], 1e-5)
}

fn forward(head: &Head, features: &[f64]) -> Vec<f64> {
    let cells = (CELLS.0 * CELLS.1) as f64;
    let mut pooled: Vec<f64> =
        features.chunks_exact(CELLS.0 * CELLS.1).map(|c| c.iter().sum::<f64>() / cells).collect();
    if let Some(norm) = head.norm() {
        let n = pooled.len() as f64;
        let mean = pooled.iter().sum::<f64>() / n;
        let variance = pooled.iter().map(|g| (g - mean) * (g - mean)).sum::<f64>() / n;
        let scale = (variance + norm.eps).sqrt();
        for ((g, &w), &b) in pooled.iter_mut().zip(&norm.weight).zip(&norm.bias) {
            *g = (*g - mean) / scale * f64::from(w) + f64::from(b);
        }
    }
    (0..head.classes())
        .map(|class| {
            let row = head.row(class).unwrap_or_default();
            let sum: f64 = row.iter().zip(&pooled).map(|(&w, g)| f64::from(w) * g).sum();
            sum + f64::from(head.bias()[class])
        })
        .collect()
}

fn by_differences(head: &Head, features: &[f64], output: Output) -> Vec<f64> {
    const STEP: f64 = 1e-4;
    let value = |features: &[f64]| -> f64 {
        let logits = forward(head, features);
        match output {
            Output::Logit => logits[CLASS],
            Output::Probability => {
                let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = logits.iter().map(|l| (l - top).exp()).collect();
                powers[CLASS] / powers.iter().sum::<f64>()
            }
        }
    };
    let cells = CELLS.0 * CELLS.1;
    let mut map = vec![0.0; cells];
    for channel in features.chunks_exact(cells).enumerate().map(|(k, _)| k * cells) {
        let slope = |i: usize| {
            let shifted = |by: f64| {
                let mut moved = features.to_vec();
                moved[i] += by;
                value(&moved)
            };
            (shifted(STEP) - shifted(-STEP)) / (2.0 * STEP)
        };
        let weight = (channel..channel + cells).map(slope).sum::<f64>() / cells as f64;
        for (cell, a) in map.iter_mut().zip(&features[channel..]) {
            *cell += weight * a;
        }
    }
    map
}

/// What was stored is read back by a second connection; the time of a commit is that of this disk.
fn store(folder: &Path) -> Result<String, String> {
    const COMMITS: u32 = 20;
    let temporary = folder.join(format!(".roadgaze-doctor-{}", std::process::id()));
    let try_it = || -> Result<String, String> {
        let settings = BTreeMap::from([("doctor".to_owned(), "1".to_owned())]);
        let mut store = RunStore::create(&temporary, &settings).map_err(|e| e.to_string())?;
        let clock = Clock::start();
        let mut times = Vec::new();
        for position in 0..COMMITS {
            let (stored, taken) = clock.time(|| store.add(&row(position)));
            stored.map_err(|e| e.to_string())?;
            times.push(taken.0 as f64 / 1000.0);
        }
        let found = Stored::open(&temporary).map_err(|e| e.to_string())?;
        let expected: Vec<FrameRow> = (0..COMMITS).map(row).collect();
        if found.frames != expected {
            return Err("what was read back is not what was stored".to_owned());
        }
        let median = crate::stats::percentile(&times, 0.5).unwrap_or(0.0);
        Ok(format!("{COMMITS} frames read back as stored; {median:.2} ms a commit"))
    };
    let result = try_it();
    // what cannot be removed was never made
    drop(std::fs::remove_dir_all(&temporary));
    result
}

fn row(position: u32) -> FrameRow {
    let map = AttributionRow {
        method: "gradcam".to_owned(),
        target: 3,
        grid: (2, 2),
        map: numbers(u64::from(position), 4),
        ratio: if position.is_multiple_of(2) { Ok(0.625) } else { Err(Undefined::NoPositive) },
        ceiling: 0.9,
        proportional: Some(0.8),
        evaluations: 1,
        localisation: None,
        ratio_error: None,
        map_error: Vec::new(),
    };
    FrameRow {
        position,
        class: 3,
        index: position,
        shape: "circular".to_owned(),
        environment: "forest".to_owned(),
        image_hash: "00ff".to_owned(),
        mask_share: 0.25,
        top5: vec![3, 1, 2, 4, 0],
        confidence: 0.75,
        logits: numbers(9, 82),
        tensor: Vec::new(),
        features: Vec::new(),
        attributions: vec![map],
        stages: vec![(Stage::Network, 1234)],
        preview: None,
    }
}

fn near(what: &str, found: &[f64], expected: &[f64], bound: f64) -> Result<String, String> {
    let worst = distance(found, expected);
    // also false for a difference that is no number
    if worst <= bound {
        Ok(format!("{what}: largest difference {worst:.1e}"))
    } else {
        Err(format!("{what}: expected a difference of at most {bound:.0e}, found {worst:.1e}"))
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m })
}

/// Numbers between -1 and 1 that look random: the upper bits of a linear congruential sequence (Knuth's MMIX).
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let level = u16::try_from(state >> 48).unwrap_or(0);
            f32::from(level) / 32_768.0 - 1.0
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "logits have 24 bits in a prediction")]
const fn narrow(value: f64) -> f32 {
    value as f32
}
