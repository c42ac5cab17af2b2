//! What may explain a difference, as far as the stored values tell.
//!
//! The stored points of the input tensor (`store::sketch`) tell the usual mistakes of preprocessing apart, because
//! each leaves its own mark on the channels: with a and b the points of a channel in the two runs,
//!
//! ```text
//! b = s a + o exactly, channel by channel     scale (255: a missing division), mean or standard deviation
//! b of channel c follows a of channel 2 - c   red and blue swapped
//! nearly a, but not along a line              another filter or size
//! ```

use super::Pair;
use super::ladder::Step;
use crate::store::sketch::RASTER;

/// Correlation from which points lie on a line but for rounding.
const ON_A_LINE: f64 = 0.999_99;
/// Correlation from which pictures are the same but for sharpness.
const SAME_PICTURE: f64 = 0.9;
/// A slope or offset (in standard deviations of the tensor) nearer to 1 or 0 than this is no change.
const NO_CHANGE: f64 = 1e-3;

/// A sentence on what was found in the frames that part at a step.
pub(super) fn of(step: Step, pairs: &[Pair<'_>]) -> Option<String> {
    match step {
        Step::Input => Some(
            "the runs saw different pictures: other data, another decoder, or another renderer".to_owned(),
        ),
        Step::Tensor => pairs.first().map(tensor),
        Step::Logits => Some(
            "the same tensor, other logits: another network file, precision or runtime".to_owned(),
        ),
        Step::Features => Some("the same logits, other features: the tap is at another layer".to_owned()),
        Step::Attribution => Some(
            "the same network output, other maps: another layer, plan, baseline or explained output".to_owned(),
        ),
        Step::Ratio => Some(ratio(pairs)),
        Step::Decision => Some(decision(pairs)),
    }
}

fn tensor(pair: &Pair<'_>) -> String {
    let plane = RASTER * RASTER;
    let (a, b) = (&pair.a.tensor, &pair.b.tensor);
    if a.len() != 3 * plane || b.len() != 3 * plane {
        return format!("tensors of another shape: {} and {} stored values", a.len(), b.len());
    }
    let channel = |x: &'_ [f32], c: usize| -> Vec<f64> {
        x[c * plane..(c + 1) * plane].iter().map(|&v| f64::from(v)).collect()
    };
    let lines = |other: &dyn Fn(usize) -> usize| -> Vec<Line> {
        (0..3).map(|c| Line::through(&channel(a, other(c)), &channel(b, c))).collect()
    };
    let own = lines(&|c| c);
    let swapped = lines(&|c| 2 - c);
    let all = |lines: &[Line], least: f64| lines.iter().all(|l| l.correlation >= least);
    if all(&own, ON_A_LINE) {
        return scale(&own);
    }
    // every channel of a grey picture resembles every other; swapped only if it fits better
    let fit = |lines: &[Line]| lines.iter().map(|l| l.correlation).fold(1.0, f64::min);
    if all(&swapped, ON_A_LINE) && fit(&swapped) > fit(&own) {
        return "red and blue are swapped (RGB against BGR)".to_owned();
    }
    let transposed: Vec<Line> = (0..3)
        .map(|c| {
            let x = channel(a, c);
            let turned: Vec<f64> =
                (0..plane).map(|i| x[(i % RASTER) * RASTER + i / RASTER]).collect();
            Line::through(&turned, &channel(b, c))
        })
        .collect();
    if all(&transposed, ON_A_LINE) {
        return "rows and columns are swapped".to_owned();
    }
    if all(&own, SAME_PICTURE) {
        return "the same picture, resampled differently: another filter (bilinear, bicubic, antialias) or crop".to_owned();
    }
    "the tensors have little in common: another picture, crop or layout".to_owned()
}

fn scale(lines: &[Line]) -> String {
    let slopes: Vec<f64> = lines.iter().map(|l| l.slope).collect();
    let same_slope = |wanted: f64| slopes.iter().all(|s| (s / wanted - 1.0).abs() < 0.01);
    if same_slope(255.0) || same_slope(1.0 / 255.0) {
        let which = if same_slope(255.0) { "second" } else { "first" };
        return format!("one run is 255 times the other: the {which} lacks the division by 255");
    }
    if slopes.iter().all(|s| (s - 1.0).abs() < NO_CHANGE) {
        let offsets: Vec<String> = lines.iter().map(|l| format!("{:+.4}", l.offset)).collect();
        return format!("another mean: channels are shifted by {}", offsets.join(", "));
    }
    let slopes: Vec<String> = slopes.iter().map(|s| format!("{s:.4}")).collect();
    format!("another standard deviation or scale: channels are stretched by {}", slopes.join(", "))
}

/// Least squares line `b = offset + slope a`.
struct Line {
    slope: f64,
    offset: f64,
    correlation: f64,
}

impl Line {
    fn through(a: &[f64], b: &[f64]) -> Self {
        let n = a.len() as f64;
        let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
        let sum = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
            x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
        };
        let (aa, ab, bb) =
            (sum(a, mean_a, a, mean_a), sum(a, mean_a, b, mean_b), sum(b, mean_b, b, mean_b));
        let slope = if aa > 0.0 { ab / aa } else { 0.0 };
        let correlation = if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 };
        Self { slope, offset: mean_b - slope * mean_a, correlation }
    }
}

fn ratio(pairs: &[Pair<'_>]) -> String {
    let same_area = pairs.iter().all(|p| (p.a.mask_share - p.b.mask_share).abs() < 1e-6);
    if same_area {
        "the same maps, other ratios, masks of the same area: the masks lie elsewhere (transposed, mirrored) or \
         meet the map by another rule"
            .to_owned()
    } else {
        "the same maps, other ratios, masks of another area: another mask, threshold or size"
            .to_owned()
    }
}

fn decision(pairs: &[Pair<'_>]) -> String {
    let step = |p: &Pair<'_>| {
        let truth = i32::from(p.b.class) - i32::from(p.a.class);
        let best = i32::from(*p.b.top5.first()?) - i32::from(*p.a.top5.first()?);
        Some((truth, best))
    };
    let steps: Vec<(i32, i32)> = pairs.iter().filter_map(step).collect();
    // of a list that is shifted round, the last class may wrap
    let mut counted: Vec<((i32, i32), usize)> = Vec::new();
    for s in &steps {
        match counted.iter_mut().find(|c| c.0 == *s) {
            Some(c) => c.1 += 1,
            None => counted.push((*s, 1)),
        }
    }
    match counted.into_iter().max_by_key(|c| c.1) {
        Some(((truth, best), n)) if 10 * n >= 9 * steps.len() && (truth, best) != (0, 0) => {
            format!(
                "the same logits, but the class list is shifted: the true class by {truth:+}, the best class by {best:+}"
            )
        }
        _ => "logits within the margin, but another class is best: near ties".to_owned(),
    }
}
