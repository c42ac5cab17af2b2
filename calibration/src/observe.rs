//! Streams pictures through the network in f32 and keeps what ranges and bias correction need: a
//! histogram a tensor and a mean a channel.
//!
//! Memory does not depend on the number of pictures. Sums are integers, so that neither threads nor
//! order change a bit of the result.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use datasets::source::FrameSource;
use models::digest::sha256_hex;
use models::{Preprocessor, Probe, ProbeSession};
use serde::Serialize;

use crate::error::CalibrationError;
use crate::histogram::{Histogram, exact_count};

/// Means are summed in steps of 2^-40.
const FIXED_POINT: f64 = 1_099_511_627_776.0;

/// The first pictures of a data set, ready for a network.
pub struct Pictures<'a> {
    source: &'a dyn FrameSource,
    count: usize,
    preprocessor: Preprocessor,
}

impl fmt::Debug for Pictures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pictures of {}", self.count, self.source.name())
    }
}

/// Which picture was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PictureId {
    /// Position in the data set.
    pub position: usize,
    /// First 16 hexadecimal digits of the sha256 of its RGB bytes.
    pub sha256: String,
}

impl<'a> Pictures<'a> {
    /// The first `count` pictures of a source.
    ///
    /// # Errors
    /// If there are none, or fewer.
    pub fn first(
        source: &'a dyn FrameSource,
        count: usize,
        preprocessor: Preprocessor,
    ) -> Result<Self, CalibrationError> {
        let found = source.len();
        if count == 0 || found < count {
            return Err(CalibrationError::Images {
                place: source.name(),
                problem: format!("expected at least {} pictures, found {found}", count.max(1)),
                remedy: if count == 0 {
                    "ask for some with --images".to_owned()
                } else {
                    "ask for fewer with --images, or give a larger data set".to_owned()
                },
            });
        }
        Ok(Self { source, count, preprocessor })
    }

    /// Number of pictures.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none; never, see [`Pictures::first`].
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// At most this many of them.
    #[must_use]
    pub fn at_most(&self, count: usize) -> Self {
        let preprocessor = self.preprocessor.clone();
        Self { source: self.source, count: self.count.min(count), preprocessor }
    }

    fn input(&self, position: usize) -> Result<(Vec<f32>, PictureId), CalibrationError> {
        let frame = self.source.frame(position)?;
        let side = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let (width, height) = (side(frame.image.width()), side(frame.image.height()));
        let input = self.preprocessor.run(frame.image.as_raw(), width, height)?;
        let mut sha256 = sha256_hex(frame.image.as_raw());
        sha256.truncate(16);
        Ok((input, PictureId { position, sha256 }))
    }

    /// Runs `each` on every picture, in `threads` threads with a state each; gives the states.
    pub(crate) fn stream<S: Send>(
        &self,
        threads: usize,
        start: &(dyn Fn() -> Result<S, CalibrationError> + Sync),
        each: &EachPicture<'_, S>,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<S>, CalibrationError> {
        let (next, finished, failed) =
            (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let work = || {
            let mut state = start()?;
            loop {
                let position = next.fetch_add(1, Ordering::Relaxed);
                if position >= self.count || failed.load(Ordering::Relaxed) {
                    return Ok(state);
                }
                let result =
                    self.input(position).and_then(|(input, id)| each(&mut state, &input, id));
                if let Err(error) = result {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
                done(finished.fetch_add(1, Ordering::Relaxed) + 1);
            }
        };
        thread::scope(|scope| {
            let handles: Vec<_> =
                (0..threads.clamp(1, self.count)).map(|_| scope.spawn(work)).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().map_err(|_panic| CalibrationError::Thread)?)
                .collect()
        })
    }
}

/// What is done with a picture: state of the thread, input tensor, identity.
pub(crate) type EachPicture<'e, S> =
    dyn Fn(&mut S, &[f32], PictureId) -> Result<(), CalibrationError> + Sync + 'e;

/// What shall be kept of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) histogram: bool,
    /// Axis of the channels whose means are wanted; `usize::MAX` stands for the last.
    pub(crate) channels: Option<usize>,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Values of each tensor that decides a grid.
    pub histograms: BTreeMap<String, Histogram>,
    /// Mean of each channel of each tensor that a layer reads.
    pub means: BTreeMap<String, Vec<f64>>,
    /// The pictures, by position.
    pub pictures: Vec<PictureId>,
}

struct Watcher {
    session: ProbeSession,
    histograms: Vec<Histogram>,
    sums: Vec<Vec<i128>>,
    pictures: Vec<PictureId>,
}

/// Shows all pictures to the network and keeps what is wanted of each tensor of the probe, in its order.
pub(crate) fn observe(
    probe: &Probe,
    wanted: &[Wanted],
    pictures: &Pictures<'_>,
    threads: usize,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Observed, CalibrationError> {
    let start = || {
        Ok(Watcher {
            session: probe.session()?,
            histograms: vec![Histogram::default(); wanted.len()],
            sums: vec![Vec::new(); wanted.len()],
            pictures: Vec::new(),
        })
    };
    let each = |watcher: &mut Watcher, input: &[f32], id: PictureId| {
        let Watcher { session, histograms, sums, .. } = watcher;
        let mut problem = None;
        session.run(input, &mut |i, values| {
            if let Err(bad) = histograms[i].add_if(wanted[i].histogram, values) {
                problem.get_or_insert((i, bad));
            }
            if let Some(axis) = wanted[i].channels {
                add_means(&mut sums[i], &probe.shapes()[i], axis, values);
            }
        })?;
        if let Some((i, bad)) = problem {
            return Err(CalibrationError::Activation {
                tensor: wanted[i].name.clone(),
                problem: format!(
                    "expected finite values, found {bad} in picture {} of the data set",
                    id.position
                ),
                remedy: "the network overflows or was damaged: check its weights, or leave this \
                         picture out"
                    .to_owned(),
            });
        }
        watcher.pictures.push(id);
        Ok(())
    };
    let watchers = pictures.stream(threads, &start, &each, done)?;
    let mut observed = Observed::default();
    for (i, tensor) in wanted.iter().enumerate() {
        let mut histogram = Histogram::default();
        let mut sums: Vec<i128> = Vec::new();
        for watcher in &watchers {
            histogram.merge(&watcher.histograms[i]);
            sums.resize(sums.len().max(watcher.sums[i].len()), 0);
            sums.iter_mut().zip(&watcher.sums[i]).for_each(|(sum, part)| *sum += part);
        }
        if tensor.histogram {
            check_extent(&tensor.name, &histogram, pictures.len())?;
            observed.histograms.insert(tensor.name.clone(), histogram);
        }
        if tensor.channels.is_some() {
            let frames = exact_count(pictures.len() as u64);
            let means = sums.iter().map(|&sum| from_fixed(sum) / frames).collect();
            observed.means.insert(tensor.name.clone(), means);
        }
    }
    observed.pictures = watchers.into_iter().flat_map(|w| w.pictures).collect();
    observed.pictures.sort_unstable();
    Ok(observed)
}

impl Histogram {
    fn add_if(&mut self, wanted: bool, values: &[f32]) -> Result<(), f32> {
        if wanted { self.add(values) } else { Ok(()) }
    }
}

fn check_extent(name: &str, seen: &Histogram, pictures: usize) -> Result<(), CalibrationError> {
    if seen.count() > 0 && seen.min() < seen.max() {
        return Ok(());
    }
    Err(CalibrationError::Activation {
        tensor: name.to_owned(),
        problem: format!(
            "expected values that differ, found {} everywhere in {pictures} pictures",
            seen.min()
        ),
        remedy: "the layer is dead or all pictures are the same: train it again, give other \
                 pictures, or keep its readers in f32 with --keep-f32"
            .to_owned(),
    })
}

/// Adds the mean of each channel of one picture.
fn add_means(sums: &mut Vec<i128>, shape: &[usize], axis: usize, values: &[f32]) {
    let axis = axis.min(shape.len().saturating_sub(1));
    let channels = shape.get(axis).copied().unwrap_or(1).max(1);
    let inner: usize = shape.iter().skip(axis + 1).product::<usize>().max(1);
    let mut means = vec![0.0_f64; channels];
    for (block, part) in values.chunks(inner).enumerate() {
        means[block % channels] += part.iter().map(|&v| f64::from(v)).sum::<f64>();
    }
    let each = exact_count((values.len() / channels).max(1) as u64);
    sums.resize(channels, 0);
    for (sum, mean) in sums.iter_mut().zip(means) {
        *sum += to_fixed(mean / each);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates; means are far below 2^87")]
fn to_fixed(value: f64) -> i128 {
    (value * FIXED_POINT).round() as i128
}

#[expect(clippy::cast_precision_loss, reason = "53 bits of a mean are enough")]
fn from_fixed(value: i128) -> f64 {
    value as f64 / FIXED_POINT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_run_along_the_channels() {
        // [1, 2, 1, 2] by axis 1, then by the last
        let values = [1.0, 3.0, -2.0, -4.0];
        let mut sums = Vec::new();
        add_means(&mut sums, &[1, 2, 1, 2], 1, &values);
        add_means(&mut sums, &[1, 2, 1, 2], 1, &values);
        assert_eq!(sums.iter().map(|&s| from_fixed(s)).collect::<Vec<_>>(), [4.0, -6.0]);
        let mut sums = Vec::new();
        add_means(&mut sums, &[1, 2, 1, 2], usize::MAX, &values);
        assert_eq!(sums.iter().map(|&s| from_fixed(s)).collect::<Vec<_>>(), [-0.5, -0.5]);
    }

    #[test]
    fn an_activation_without_extent_is_an_error() {
        let mut seen = Histogram::default();
        seen.add(&[0.0; 10]).unwrap();
        let error = check_extent("relu_3", &seen, 7).unwrap_err().to_string();
        assert!(error.contains("activation `relu_3`: expected values that differ"), "{error}");
        assert!(error.contains("found 0 everywhere in 7 pictures"), "{error}");
        seen.add(&[1.0]).unwrap();
        check_extent("relu_3", &seen, 7).unwrap();
    }
}
