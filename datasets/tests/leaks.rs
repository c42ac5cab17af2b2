//! The background tells the environment; in C the environment tells the class; in U nothing tells it.
//!
//! The sign is replaced by a disc that is the same for all classes, so that neither its art nor its
//! outline is there to be learnt; everything else is what the data set shows. A simple classifier, a
//! ridge regression on random rectified features of colours and edges in a coarse grid, is fitted to
//! pictures of the train split and asked about pictures of the test split.
#![expect(clippy::print_stdout, reason = "figures of passing tests are shown with --nocapture")]
#![expect(
    clippy::unwrap_used,
    reason = "the functions that tests share count as code outside of tests"
)]

use datasets::canvas::Rgb;
use datasets::compose::{Background, Scratch};
use datasets::config::Split;
use datasets::environment::Environment;
use datasets::plate::Face;
use datasets::renderer::{Rendered, render_face};
use datasets::rng::Stream;
use datasets::sets::{Set, SetName};
use datasets::source::FrameKey;
use datasets::synthetic::Synthetic;

const SIZE: usize = 96;
/// Cells along a side of the picture.
const GRID: usize = 6;
/// Numbers that describe a cell.
const PER_CELL: usize = 8;
/// Random features of the classifier.
const HIDDEN: usize = 700;
const CLASSES: usize = 82;
const PLACES: usize = Environment::ALL.len();
const TRAIN_PER_CLASS: u32 = 24;
const TEST_PER_CLASS: u32 = 10;

/// Stands in for every sign: a grey disc of about their area.
struct Disc;

impl Face for Disc {
    fn signed_distance_mm(&self, x: f32, y: f32) -> f32 {
        (x * x + y * y).sqrt() - 310.0
    }

    fn half_mm(&self) -> [f32; 2] {
        [310.0, 310.0]
    }

    fn colour(&self, _: f32, _: f32, _: f32) -> Rgb {
        Rgb::grey(0.4)
    }
}

/// Pictures as rows of features, with what there is to guess.
struct Sample {
    rows: Vec<Vec<f64>>,
    classes: Vec<usize>,
    places: Vec<usize>,
}

/// Colours and edges of a picture outside the sign's region, cell by cell.
fn features(done: &Rendered) -> Vec<f64> {
    let side = SIZE / GRID;
    let value = |x: usize, y: usize| {
        let p = done.image.get_pixel(u32::try_from(x).unwrap(), u32::try_from(y).unwrap()).0;
        p.map(|c| (f64::from(c) + 4.0) / 259.0)
    };
    let hidden = |x: usize, y: usize| {
        done.mask.get_pixel(u32::try_from(x).unwrap(), u32::try_from(y).unwrap()).0[0] > 0
    };
    let mut row = Vec::with_capacity(GRID * GRID * PER_CELL);
    for cell in 0..GRID * GRID {
        let (left, top) = (cell % GRID * side, cell / GRID * side);
        let mut sums = [0.0; PER_CELL];
        let mut count = 0.0_f64;
        for y in top..top + side - 1 {
            for x in left..left + side - 1 {
                if hidden(x, y) || hidden(x + 1, y) || hidden(x, y + 1) || hidden(x + 1, y + 1) {
                    continue;
                }
                let ([r, g, b], right, below) = (value(x, y), value(x + 1, y), value(x, y + 1));
                let (dx, dy) = ((right[1] - g).abs(), (below[1] - g).abs());
                let parts =
                    [g.ln(), (r / g).ln(), (b / g).ln(), dx, dy, dx * dy, g * g, (r - b).abs()];
                sums.iter_mut().zip(parts).for_each(|(s, v)| *s += v);
                count += 1.0;
            }
        }
        // a cell behind the sign says nothing: it is filled with the mean of the others later
        row.extend(sums.map(|s| if count > 12.0 { s / count } else { f64::NAN }));
    }
    row
}

fn sample(set: Set, split: Split, per_class: u32) -> Sample {
    let source = Synthetic::new(SetName::new(set, split).size(SIZE)).unwrap();
    let keys: Vec<FrameKey> = (0..per_class)
        .flat_map(|index| (0..82).map(move |class| FrameKey { class, index }))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<Vec<(Vec<f64>, usize, usize)>> = std::thread::scope(|scope| {
        let (source, keys) = (&source, &keys);
        let work = |thread: usize| {
            let mut scratch = Scratch::new(SIZE);
            let mine = keys.iter().skip(thread).step_by(threads);
            mine.map(|&key| {
                let config = source.config(key);
                let done = render_face(&config, &Disc, Background::Painted, &mut scratch);
                let place = Environment::ALL.iter().position(|&e| e == config.environment);
                (features(&done), usize::from(key.class), place.unwrap())
            })
            .collect()
        };
        let handles: Vec<_> = (0..threads).map(|t| scope.spawn(move || work(t))).collect();
        handles.into_iter().map(|h| h.join().unwrap()).collect()
    });
    let mut all = Sample { rows: Vec::new(), classes: Vec::new(), places: Vec::new() };
    // the order of the keys again, so that the result does not depend on the number of threads
    for at in 0..keys.len() {
        let (row, class, place) = parts[at % threads][at / threads].clone();
        all.rows.push(row);
        all.classes.push(class);
        all.places.push(place);
    }
    all
}

/// Mean 0 and deviation 1 by the train rows; what is missing becomes the mean.
fn standardise(train: &mut [Vec<f64>], test: &mut [Vec<f64>]) {
    for column in 0..train[0].len() {
        let seen: Vec<f64> = train.iter().map(|r| r[column]).filter(|v| !v.is_nan()).collect();
        let n = seen.len().max(1) as f64;
        let mean = seen.iter().sum::<f64>() / n;
        let deviation = (seen.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt();
        for row in train.iter_mut().chain(test.iter_mut()) {
            let v = (row[column] - mean) / deviation.max(1e-9);
            row[column] = if v.is_nan() { 0.0 } else { v.clamp(-4.0, 4.0) };
        }
    }
}

/// The features themselves, a constant, and random rectified sums of them.
fn lift(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let inputs = rows[0].len();
    let mut s = Stream::new("leak-test", &[]);
    let weights: Vec<Vec<f64>> =
        (0..HIDDEN).map(|_| (0..inputs).map(|_| f64::from(s.normal())).collect()).collect();
    let scale = 1.0 / (inputs as f64).sqrt();
    let one = |row: &Vec<f64>| {
        let mut lifted: Vec<f64> = weights
            .iter()
            .map(|w| (scale * w.iter().zip(row).map(|(a, b)| a * b).sum::<f64>()).max(0.0))
            .collect();
        lifted.extend(row.iter().map(|v| 0.5 * v));
        lifted.push(1.0);
        lifted
    };
    rows.iter().map(one).collect()
}

/// Guesses of ridge regressions to the indicators of each label.
fn guess(train: &[Vec<f64>], labels: &[usize], kinds: usize, test: &[Vec<f64>]) -> Vec<usize> {
    let n = train[0].len();
    // normal equations, lower triangle
    let mut a = vec![0.0; n * n];
    let mut b = vec![0.0; n * kinds];
    for (row, &label) in train.iter().zip(labels) {
        for i in 0..n {
            let target = &mut a[i * n..=i * n + i];
            target.iter_mut().zip(row).for_each(|(t, v)| *t += row[i] * v);
            b[i * kinds + label] += row[i];
        }
    }
    let ridge = 0.02 * train.len() as f64;
    for i in 0..n {
        a[i * n + i] += ridge;
    }
    // Cholesky, then two triangular solutions
    for i in 0..n {
        for j in 0..=i {
            let (upper, row) = a.split_at(i * n);
            let other = if i == j { row } else { &upper[j * n..] };
            let sum: f64 = row[..j].iter().zip(&other[..j]).map(|(x, y)| x * y).sum();
            let rest = a[i * n + j] - sum;
            a[i * n + j] = if i == j { rest.sqrt() } else { rest / a[j * n + j] };
        }
    }
    for i in 0..n {
        let (done, rest) = b.split_at_mut(i * kinds);
        for k in 0..i {
            let factor = a[i * n + k];
            let above = &done[k * kinds..(k + 1) * kinds];
            rest[..kinds].iter_mut().zip(above).for_each(|(r, v)| *r -= factor * v);
        }
        rest[..kinds].iter_mut().for_each(|r| *r /= a[i * n + i]);
    }
    for i in (0..n).rev() {
        let (head, done) = b.split_at_mut((i + 1) * kinds);
        let mine = &mut head[i * kinds..];
        for k in i + 1..n {
            let factor = a[k * n + i];
            let below = &done[(k - i - 1) * kinds..(k - i) * kinds];
            mine.iter_mut().zip(below).for_each(|(r, v)| *r -= factor * v);
        }
        mine.iter_mut().for_each(|r| *r /= a[i * n + i]);
    }
    let best = |row: &Vec<f64>| {
        let score = |kind: usize| (0..n).map(|i| row[i] * b[i * kinds + kind]).sum::<f64>();
        let scores: Vec<f64> = (0..kinds).map(score).collect();
        (0..kinds).max_by(|&i, &j| scores[i].total_cmp(&scores[j])).unwrap_or(0)
    };
    test.iter().map(best).collect()
}

fn share_right(guesses: &[usize], truth: &[usize]) -> f64 {
    let right = guesses.iter().zip(truth).filter(|(a, b)| a == b).count();
    right as f64 / truth.len() as f64
}

/// Probability of as many right guesses if the labels had nothing to do with the pictures.
fn permutation_p(guesses: &[usize], truth: &[usize]) -> f64 {
    let seen = share_right(guesses, truth);
    let mut s = Stream::new("leak-permutation", &[]);
    let mut shuffled = truth.to_vec();
    let (mut as_good, rounds) = (0_u32, 4000_u32);
    for _ in 0..rounds {
        for last in (1..shuffled.len()).rev() {
            shuffled.swap(last, s.below(last + 1));
        }
        as_good += u32::from(share_right(guesses, &shuffled) >= seen);
    }
    f64::from(as_good + 1) / f64::from(rounds + 1)
}

/// Share of places and of classes named right, and the p value of the latter.
fn examine(set: Set) -> (f64, f64, f64) {
    let mut train = sample(set, Split::Train, TRAIN_PER_CLASS);
    let mut test = sample(set, Split::Test, TEST_PER_CLASS);
    standardise(&mut train.rows, &mut test.rows);
    let (fit, ask) = (lift(&train.rows), lift(&test.rows));
    let places = guess(&fit, &train.places, PLACES, &ask);
    let classes = guess(&fit, &train.classes, CLASSES, &ask);
    let result = (
        share_right(&places, &test.places),
        share_right(&classes, &test.classes),
        permutation_p(&classes, &test.classes),
    );
    println!(
        "{set}: {} train, {} test pictures; environment {:.1} %, class {:.2} % (chance {:.2} %), p {:.4}",
        fit.len(),
        ask.len(),
        100.0 * result.0,
        100.0 * result.1,
        100.0 / CLASSES as f64,
        result.2
    );
    result
}

#[test]
fn the_background_tells_the_environment_and_in_u_nothing_of_the_class() {
    let (place, _, p) = examine(Set::SIX[0]);
    assert!(place > 0.80, "the environment is named in {place} of the pictures");
    assert!(p > 0.01, "the background of U tells the class: p {p}");
}

#[test]
fn in_c_the_background_tells_the_class() {
    let (place, class, p) = examine(Set::SIX[3]);
    assert!(place > 0.80, "the environment is named in {place} of the pictures");
    assert!(class > 2.5 / CLASSES as f64, "the class is named in {class} of the pictures");
    assert!(p < 0.001, "p {p}");
}
