//! Six planted mistakes, each of which the ladder must blame on the right rung.
//!
//! A small but whole chain from picture to decision stands in for a run: pictures with a sign are preprocessed, a linear
//! "network" on the means of 4 x 4 tiles classifies them, its map is measured with the mask, and everything goes through
//! a run store on disk. One link is broken at a time.

#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test that fails says where; small counts"
)]

use std::collections::BTreeMap;
use std::path::Path;

use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use sha2::{Digest as _, Sha256};

use harness::attribution::{Map, Upsampling};
use harness::compare::{Comparison, Margins, Step, compare};
use harness::metrics::{Mask, pixel_ratio, top_classes};
use harness::report::comparison;
use harness::store::{AttributionRow, FrameRow, RunStore, Stage, sketch};

const NATIVE: u32 = 160;
const SIDE: u32 = 112;
const TILES: usize = 4;
const CLASSES: usize = 6;

/// What is done wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    RedAndBlueSwapped,
    Bicubic,
    NotDividedBy255,
    WrongMean,
    MaskTransposed,
    ClassListOffByOne,
}

fn picture(class: usize, index: usize) -> RgbImage {
    RgbImage::from_fn(NATIVE, NATIVE, |x, y| {
        let (u, v) = (f64::from(x) / f64::from(NATIVE), f64::from(y) / f64::from(NATIVE));
        let wave = |k: f64| (k * u * 9.0 + v * (7.0 + index as f64)).sin().mul_add(55.0, 120.0);
        // a sign off the diagonal, with a sharp rim whose colour tells the class
        let r = ((u - 0.35).powi(2) + (v - 0.6).powi(2)).sqrt();
        let level = |v: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
            let byte = v.clamp(0.0, 255.0) as u8;
            byte
        };
        let rim = [level(200.0 - 25.0 * class as f64), level(30.0 * class as f64), 40];
        if r < 0.2 {
            Rgb(if r > 0.14 { rim } else { [235, 230, level(90.0 + 20.0 * class as f64)] })
        } else {
            Rgb([level(wave(1.0)), level(wave(1.7)), level(wave(2.3) * v)])
        }
    })
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|b| format!("{b:02x}")).collect()
}

fn mask() -> Mask {
    let bytes: Vec<u8> = (0..SIDE * SIDE)
        .map(|i| {
            let (u, v) =
                (f64::from(i % SIDE) / f64::from(SIDE), f64::from(i / SIDE) / f64::from(SIDE));
            if ((u - 0.35).powi(2) + (v - 0.6).powi(2)).sqrt() < 0.2 { 255 } else { 0 }
        })
        .collect();
    side_mask(&bytes)
}

fn side_mask(bytes: &[u8]) -> Mask {
    let side = usize::try_from(SIDE).unwrap();
    Mask::new(side, side, bytes).unwrap()
}

fn transposed(mask: &Mask) -> Mask {
    let n = mask.width();
    let bytes: Vec<u8> = (0..n * n)
        .map(|i| if mask.coverage()[(i % n) * n + i / n] > 0.5 { 255 } else { 0 })
        .collect();
    side_mask(&bytes)
}

fn tensor(picture: &RgbImage, mistake: Mistake) -> Vec<f32> {
    let filter =
        if mistake == Mistake::Bicubic { FilterType::CatmullRom } else { FilterType::Triangle };
    let small = resize(picture, SIDE, SIDE, filter);
    let mut mean = [0.485_f32, 0.456, 0.406];
    if mistake == Mistake::WrongMean {
        mean = [0.5; 3];
    }
    let scale = if mistake == Mistake::NotDividedBy255 { 1.0 } else { 255.0 };
    (0..3)
        .flat_map(|plane| {
            let channel = if mistake == Mistake::RedAndBlueSwapped { 2 - plane } else { plane };
            let std = [0.229_f32, 0.224, 0.225][plane];
            small
                .pixels()
                .map(move |p| (f32::from(p.0[channel]) / scale - mean[plane]) / std)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Means of the tiles, channel by channel: what stands for a feature map.
fn features(tensor: &[f32]) -> Vec<f32> {
    let side = usize::try_from(SIDE).unwrap();
    let tile = side / TILES;
    let mut sums = [0.0; 3 * TILES * TILES];
    for (i, value) in tensor.iter().enumerate() {
        let (c, y, x) = (i / (side * side), i / side % side, i % side);
        sums[(c * TILES + y / tile) * TILES + x / tile] += value;
    }
    sums.iter().map(|s| s / (tile * tile) as f32).collect()
}

fn weight(class: usize, feature: usize) -> f32 {
    ((class * 31 + feature * 17) % 23) as f32 / 11.0 - 1.0
}

fn frame(class: usize, index: usize, position: usize, mistake: Mistake) -> FrameRow {
    let picture = picture(class, index);
    let tensor = tensor(&picture, mistake);
    let features = features(&tensor);
    let logits: Vec<f32> = (0..CLASSES)
        .map(|c| features.iter().enumerate().map(|(k, f)| weight(c, k) * f).sum())
        .collect();
    let best = top_classes(&logits, 5);
    let cells: Vec<f64> = (0..TILES * TILES)
        .map(|cell| {
            let channels = (0..3).map(|c| c * TILES * TILES + cell);
            channels.map(|k| f64::from(weight(best[0], k) * features[k])).sum()
        })
        .collect();
    let mut mask = mask();
    if mistake == Mistake::MaskTransposed {
        mask = transposed(&mask);
    }
    let map = Map::new(TILES, TILES, cells).unwrap();
    let shift = usize::from(mistake == Mistake::ClassListOffByOne);
    let number = |class: usize| u16::try_from(class).unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "stored maps are f32")]
    let narrow: Vec<f32> = map.values().iter().map(|&v| v as f32).collect();
    FrameRow {
        position: u32::try_from(position).unwrap(),
        class: number(class + shift),
        index: u32::try_from(index).unwrap(),
        shape: "circular".to_owned(),
        environment: String::new(),
        image_hash: hash(picture.as_raw()),
        mask_share: mask.area_share(),
        top5: best.iter().map(|&c| number(c)).collect(),
        confidence: 0.5,
        tensor: sketch::of_tensor(&tensor, (mask.width(), mask.height())),
        features: sketch::of_features(&features),
        logits,
        attributions: vec![AttributionRow {
            method: "gradcam".to_owned(),
            target: number(best[0]),
            grid: (number(TILES), number(TILES)),
            map: narrow,
            ratio: pixel_ratio(&map, &mask, Upsampling::Nearest),
            ceiling: 1.0,
            proportional: None,
            evaluations: 1,
            localisation: None,
            ratio_error: None,
            map_error: Vec::new(),
        }],
        stages: vec![(Stage::Network, 1000 + 10 * position as u64)],
        preview: None,
    }
}

/// Writes a run with a mistake into a folder of its own.
fn run(folder: &Path, mistake: Mistake) {
    let settings = BTreeMap::from([
        ("set.model".to_owned(), "\"tiles\"".to_owned()),
        ("set.data".to_owned(), "\"made up\"".to_owned()),
    ]);
    let mut store = RunStore::create(folder, &settings).unwrap();
    for position in 0..18 {
        store.add(&frame(position % CLASSES, position / CLASSES, position, mistake)).unwrap();
    }
}

fn compared(mistake: Mistake) -> Comparison {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    run(&a, Mistake::None);
    run(&b, mistake);
    compare(&a, &b, &Margins::default()).unwrap()
}

#[test]
fn every_planted_mistake_is_blamed_on_its_rung_and_named() {
    for (mistake, step, words) in [
        (Mistake::RedAndBlueSwapped, Step::Tensor, "red and blue are swapped"),
        (Mistake::Bicubic, Step::Tensor, "resampled differently"),
        (Mistake::NotDividedBy255, Step::Tensor, "the second lacks the division by 255"),
        (Mistake::WrongMean, Step::Tensor, "another mean"),
        (Mistake::MaskTransposed, Step::Ratio, "transposed"),
        (Mistake::ClassListOffByOne, Step::Decision, "the true class by +1"),
    ] {
        let c = compared(mistake);
        assert_eq!(c.frames, [18, 0, 0], "{mistake:?}");
        assert_eq!(c.ladder.first, Some(step), "{mistake:?}: {:?}", c.ladder);
        let cause = c.ladder.cause.as_deref().unwrap();
        assert!(cause.contains(words), "{mistake:?}: {cause}");
        // nothing before the first rung differs
        for rung in c.ladder.rungs.iter().take_while(|r| r.step < step) {
            assert!(rung.worst <= rung.margin, "{mistake:?}: {rung:?}");
        }
    }
}

#[test]
fn a_run_is_equivalent_to_itself() {
    let c = compared(Mistake::None);
    assert_eq!(c.ladder.first, None);
    assert_eq!(c.ladder.rungs.len(), 7);
    assert!(c.equivalent, "{:?}", c.verdicts);
    assert!(c.ladder.rungs.iter().all(|r| r.worst == 0.0));
    let text = comparison::terminal_tables(&c);
    assert!(text.contains("equivalent; the runs stay together from picture to decision"), "{text}");
    let page = comparison::html(&c).unwrap();
    assert!(page.contains("Bland-Altman") && page.contains(", A against B (mean "));
    let [drawings, pictures, tables] = crate::resume::words_beside_pictures(&page);
    assert!(drawings == 2 && pictures == 0 && tables >= 3, "{tables}");
}

#[test]
fn runs_without_common_frames_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    run(&a, Mistake::None);
    let mut store = RunStore::create(&b, &BTreeMap::new()).unwrap();
    let mut other = frame(1, 2, 0, Mistake::None);
    other.index = 99;
    other.image_hash = "ffff".to_owned();
    store.add(&other).unwrap();
    let error = compare(&a, &b, &Margins::default()).unwrap_err().to_string();
    assert!(error.contains("expected frames in common, found none (18 and 1 frames)"), "{error}");
}
