//! What quantization changes on pictures that it has not seen: accuracy, pixel ratio, single answers.
//!
//! Both networks see the same pictures, so differences are taken picture by picture.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use datasets::source::{Frame, FrameSource};
use models::{Classifier as _, Network, Preprocessor, Session};
use serde::Serialize;

use crate::attribution::{GradCamSettings, Upsampling, gradcam};
use crate::metrics::{self, Mask};
use crate::run::RunError;
use crate::stats::{MeanInterval, ShareInterval, mean_interval, wilson};

/// One network on all pictures.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Side {
    /// Name in its manifest.
    pub(super) name: String,
    /// sha256 of its file.
    pub(super) sha256: String,
    /// Share of its multiply-accumulates on integers, as it was run here.
    pub(super) integer_mac_share: f64,
    /// Share of right answers.
    pub(super) top1: ShareInterval,
    /// Pixel ratio by `GradCAM` of its own answer; absent if it has no head for it.
    pub(super) pixel_ratio: Option<MeanInterval>,
}

/// Answers that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Flips {
    /// Right in f32, wrong when quantized.
    pub(super) lost: usize,
    /// Wrong in f32, right when quantized.
    pub(super) gained: usize,
    /// Wrong in both, with another class.
    pub(super) moved: usize,
}

/// Both networks, and what differs between them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Drift {
    /// Data set.
    pub(super) data: String,
    /// Identity of its content.
    pub(super) content_hash: String,
    /// Position of the first picture.
    pub(super) first: usize,
    /// The network in f32.
    pub(super) exact: Side,
    /// The quantized one.
    pub(super) quantized: Side,
    /// Quantized minus f32, picture by picture: 1 gained, -1 lost.
    pub(super) top1_change: Option<MeanInterval>,
    /// Quantized minus f32, pictures where both exist.
    pub(super) ratio_change: Option<MeanInterval>,
    /// Answers that changed.
    pub(super) flips: Flips,
    /// How likely flips as uneven as these are if neither direction is favoured (exact test of `McNemar`).
    pub(super) flips_p: f64,
}

impl Drift {
    /// Change of top-1, -1 to 1.
    pub(super) fn top1_change(&self) -> f64 {
        self.top1_change.map_or(0.0, |m| m.mean)
    }

    /// Change of the mean pixel ratio.
    pub(super) fn ratio_change(&self) -> f64 {
        self.ratio_change.map_or(0.0, |m| m.mean)
    }

    /// A few lines for a terminal.
    pub(super) fn to_text(&self) -> String {
        let Flips { lost, gained, moved } = self.flips;
        format!(
            "on {} held-out pictures of {}:\n  top-1        {:.2} % -> {:.2} %, change {} points\n  \
             pixel ratio  {} -> {}, change {}\n  answers      {lost} lost, {gained} gained, {moved} \
             wrong in another way (p {:.3})",
            self.exact.top1.n,
            self.data,
            100.0 * self.exact.top1.value,
            100.0 * self.quantized.top1.value,
            interval(self.top1_change.as_ref(), 100.0, 3),
            mean(self.exact.pixel_ratio.as_ref()),
            mean(self.quantized.pixel_ratio.as_ref()),
            interval(self.ratio_change.as_ref(), 1.0, 5),
            self.flips_p,
        )
    }
}

/// A mean with its interval, signed.
pub(super) fn interval(value: Option<&MeanInterval>, factor: f64, digits: usize) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let number = |v: f64| format!("{:+.digits$}", v * factor);
    match value.ci95 {
        Some([low, high]) => {
            format!("{} ({} to {})", number(value.mean), number(low), number(high))
        }
        None => number(value.mean),
    }
}

/// A mean with four digits.
pub(super) fn mean(value: Option<&MeanInterval>) -> String {
    value.map_or_else(|| "-".to_owned(), |m| format!("{:.4}", m.mean))
}

/// What both networks said of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair {
    class: usize,
    answers: [usize; 2],
    ratios: [Option<f64>; 2],
}

/// Compares two networks on these pictures.
///
/// # Errors
/// If a picture cannot be had, a network fails, or they have other classes than the pictures.
pub(super) fn measure(
    exact: &Network,
    quantized: &Network,
    source: &dyn FrameSource,
    positions: Range<usize>,
    threads: usize,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Drift, RunError> {
    for network in [exact, quantized] {
        network.manifest().check_classes(source.class_names())?;
    }
    let networks = [exact, quantized];
    let next = AtomicUsize::new(positions.start);
    let (finished, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || -> Result<Vec<(usize, Pair)>, RunError> {
        let mut workers = [Worker::new(exact)?, Worker::new(quantized)?];
        let mut pairs = Vec::new();
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            if position >= positions.end || failed.load(Ordering::Relaxed) {
                return Ok(pairs);
            }
            let pair = source
                .frame(position)
                .map_err(RunError::from)
                .and_then(|frame| pair(&mut workers, &frame));
            match pair {
                Ok(pair) => pairs.push((position, pair)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            done(finished.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let parts: Vec<Vec<(usize, Pair)>> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .map(|h| h.join().map_err(|_panic| RunError::Thread("comparison"))?)
            .collect::<Result<_, RunError>>()
    })?;
    let mut pairs: Vec<(usize, Pair)> = parts.into_iter().flatten().collect();
    pairs.sort_unstable_by_key(|(position, _)| *position);
    let pairs: Vec<Pair> = pairs.into_iter().map(|(_, pair)| pair).collect();
    let side = |i: usize| side(networks[i], &pairs, i);
    let changes: Vec<f64> = pairs.iter().map(|p| right(p, 1) - right(p, 0)).collect();
    let ratio_changes: Vec<f64> =
        pairs.iter().filter_map(|p| Some(p.ratios[1]? - p.ratios[0]?)).collect();
    let flips = flips(&pairs);
    Ok(Drift {
        data: source.name(),
        content_hash: source.content_hash(),
        first: positions.start,
        exact: side(0),
        quantized: side(1),
        top1_change: mean_interval(&changes),
        ratio_change: mean_interval(&ratio_changes),
        flips,
        flips_p: mcnemar(flips.lost, flips.gained),
    })
}

fn right(pair: &Pair, i: usize) -> f64 {
    f64::from(u8::from(pair.answers[i] == pair.class))
}

fn side(network: &Network, pairs: &[Pair], i: usize) -> Side {
    let hits = pairs.iter().filter(|p| p.answers[i] == p.class).count();
    let ratios: Vec<f64> = pairs.iter().filter_map(|p| p.ratios[i]).collect();
    let none = ShareInterval { value: 0.0, ci95: [0.0, 1.0], n: 0 };
    Side {
        name: network.info().name.clone(),
        sha256: network.sha256().to_owned(),
        integer_mac_share: network.info().integer_mac_share,
        top1: wilson(hits, pairs.len()).unwrap_or(none),
        pixel_ratio: mean_interval(&ratios),
    }
}

fn flips(pairs: &[Pair]) -> Flips {
    let mut flips = Flips::default();
    for pair in pairs.iter().filter(|p| p.answers[0] != p.answers[1]) {
        match (pair.answers[0] == pair.class, pair.answers[1] == pair.class) {
            (true, _) => flips.lost += 1,
            (_, true) => flips.gained += 1,
            _ => flips.moved += 1,
        }
    }
    flips
}

/// Two-sided exact test of `McNemar` (1947): both directions are equally likely.
///
/// ```text
/// p = min(1, 2 sum over k <= min(lost, gained) of C(n, k) / 2^n),    n = lost + gained
/// ```
fn mcnemar(lost: usize, gained: usize) -> f64 {
    let (n, fewer) = (lost + gained, lost.min(gained));
    // in logarithms: 2^-n is no f64 from n = 1075 on
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for k in 0..=fewer {
        sum += log_term.exp();
        log_term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    (2.0 * sum).min(1.0)
}

/// A network with what one thread needs to ask it.
struct Worker<'n> {
    network: &'n Network,
    session: Session,
    preprocessor: Preprocessor,
}

impl<'n> Worker<'n> {
    fn new(network: &'n Network) -> Result<Self, RunError> {
        let preprocessor = Preprocessor::new(&network.manifest().input);
        Ok(Self { network, session: network.session()?, preprocessor })
    }

    fn ask(
        &mut self,
        frame: &Frame,
        mask: Option<&Mask>,
    ) -> Result<(usize, Option<f64>), RunError> {
        let side = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let (width, height) = (side(frame.image.width()), side(frame.image.height()));
        let input = self.preprocessor.run(frame.image.as_raw(), width, height)?;
        let prediction = self.session.run(&input)?;
        let answer = metrics::top_classes(&prediction.logits, 1).first().copied().unwrap_or(0);
        let map =
            self.network.head().ok().and_then(|head| {
                gradcam(&prediction, head, answer, GradCamSettings::default()).ok()
            });
        let ratio = map
            .zip(mask)
            .and_then(|(map, mask)| metrics::pixel_ratio(&map, mask, Upsampling::default()).ok());
        Ok((answer, ratio))
    }
}

fn pair(workers: &mut [Worker<'_>; 2], frame: &Frame) -> Result<Pair, RunError> {
    let side = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let mask = Mask::new(side(frame.mask.height()), side(frame.mask.width()), frame.mask.as_raw());
    let [exact, quantized] = workers;
    let (a, b) = (exact.ask(frame, mask.as_ref())?, quantized.ask(frame, mask.as_ref())?);
    Ok(Pair { class: usize::from(frame.key.class), answers: [a.0, b.0], ratios: [a.1, b.1] })
}

#[cfg(test)]
impl Drift {
    /// Two networks of one accuracy, whose pixel ratio and its change are the same number.
    pub(super) fn example(ratio: Option<MeanInterval>) -> Self {
        let side = |name: &str| Side {
            name: name.to_owned(),
            sha256: "0".to_owned(),
            integer_mac_share: 0.5,
            top1: ShareInterval { value: 0.5, ci95: [0.25, 0.75], n: 8 },
            pixel_ratio: ratio,
        };
        Self {
            data: "d".to_owned(),
            content_hash: "0".to_owned(),
            first: 0,
            exact: side("net"),
            quantized: side("net-int8"),
            top1_change: None,
            ratio_change: ratio,
            flips: Flips::default(),
            flips_p: 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_are_counted_by_direction() {
        let pair = |class, a, b| Pair { class, answers: [a, b], ratios: [None; 2] };
        let pairs = [pair(1, 1, 1), pair(1, 1, 2), pair(1, 2, 1), pair(1, 2, 3), pair(1, 2, 2)];
        assert_eq!(flips(&pairs), Flips { lost: 1, gained: 1, moved: 1 });
    }

    #[test]
    fn mcnemar_by_the_binomial() {
        // 2 * (1 + 8 + 28) / 256
        assert!((mcnemar(2, 6) - 74.0 / 256.0).abs() < 1e-12);
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(3, 3), 1.0);
        assert!((mcnemar(10, 0) - 2.0 / 1024.0).abs() < 1e-12);
        // more flips than 2^-n can be written for
        assert_eq!(mcnemar(600, 600), 1.0);
        assert!((mcnemar(700, 500) / 8.535_366_081e-9 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn changes_are_written_with_sign_and_interval() {
        let change =
            MeanInterval { mean: -0.0005, deviation: None, ci95: Some([-0.001, 0.0]), n: 10 };
        assert_eq!(interval(Some(&change), 100.0, 2), "-0.05 (-0.10 to +0.00)");
        assert_eq!(interval(None, 1.0, 2), "-");
    }
}
