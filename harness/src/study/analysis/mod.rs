//! From a book to findings: the tables of the paper first, then what it left open. One question a file.
//!
//! Comparisons are made frame by frame wherever both sides saw the same sign; frames are paired by class and index. Every
//! p-value of a family of tests is adjusted by Holm's method. Whatever is drawn is drawn with the seed `SEED`.

mod accuracy;
mod across;
mod alike;
mod case_loss;
mod cases;
mod contrast;
mod contrast_row;
mod contrast_rule;
mod corner_cases;
mod counterfactual;
mod dose;
mod estimator;
mod familiar;
mod familiar_pairs;
mod familiar_rows;
mod familiar_trainings;
mod level_steps;
mod level_trainings;
mod levels;
mod measurement;
mod moved;
mod movement;
mod moving;
mod once;
mod one_shape;
mod one_shape_trainings;
mod over_trainings;
mod own_shape;
mod pairs;
mod partial;
mod precision;
mod ratios;
mod reaction;
mod repeats;
mod seeds;
mod shape_order;
mod shape_trainings;
mod shapes;
mod shares;
#[cfg(test)]
mod testing;
mod trainings;
mod twins;
mod views;
mod worst_case;
mod worst_count;
mod zone_asked;
mod zone_bins;
mod zone_pose;
mod zone_together;
mod zone_trainings;
mod zones;

use std::collections::BTreeMap;

use datasets::catalogue::Shape;
use datasets::sets::{Correlation, Level, Set};

use super::book::{Book, Entry, Point};
use super::cell::NetworkFacts;
use super::finding::{FINDINGS_SCHEMA, Finding, Findings, Ruling, Verdict};
use crate::stats::{self, MeanInterval};

/// Seed of all permutation tests and bootstraps of a study.
pub(super) const SEED: u64 = 1;

/// Test set on which the paper measured attribution.
const ATTRIBUTION_SET: &str = "CF";

/// All findings of a book.
#[must_use]
pub fn analyse(book: &Book) -> Findings {
    let complete = book.entries.iter().filter(|e| e.points.len() == e.asked).count();
    let begun =
        book.entries.iter().filter(|e| !e.points.is_empty() && e.points.len() < e.asked).count();
    let fact = |name: &str| book.facts.get(name).cloned().unwrap_or_default();
    let cells = [complete, begun, book.entries.len() - complete - begun];
    let book = &own_shape::own_shape(once::once(book));
    Findings {
        schema: FINDINGS_SCHEMA,
        title: fact("title"),
        about: fact("about"),
        cells,
        findings: vec![
            accuracy::finding(book),
            ratios::finding(book),
            contrast::finding(book),
            shapes::finding(book),
            levels::finding(book),
            pairs::finding(book),
            corner_cases::finding(book),
            counterfactual::finding(book),
            zones::finding(book),
            precision::finding(book),
            dose::finding(book),
            trainings::finding(book),
            estimator::finding(book),
        ],
        missing: missing(book),
    }
}

/// Networks that do not exist once each, then cells that are not complete.
fn missing(book: &Book) -> Vec<(String, String)> {
    let mut networks: BTreeMap<&str, usize> = BTreeMap::new();
    let mut cells = Vec::new();
    for entry in &book.entries {
        if entry.network.missing.is_some() && entry.points.is_empty() {
            *networks.entry(&entry.network.name).or_default() += 1;
        } else if entry.points.len() < entry.asked {
            let why = entry.problem.clone().unwrap_or_else(|| "not run yet".to_owned());
            cells.push((entry.id.clone(), why));
        }
    }
    let networks = networks.into_iter().map(|(name, cells)| {
        (format!("network {name}"), format!("does not exist; {cells} cells wait for it"))
    });
    networks.chain(cells).collect()
}

/// Networks in the order of the plan, each once.
fn networks(book: &Book) -> Vec<&NetworkFacts> {
    let mut all: Vec<&NetworkFacts> = Vec::new();
    for entry in &book.entries {
        if all.iter().all(|n| n.name != entry.network.name) {
            all.push(&entry.network);
        }
    }
    all
}

/// Explainers that the book has maps of, `gradcam` first.
fn explainers(book: &Book) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for entry in book.entries.iter().filter(|e| !e.explainer.is_empty() && !e.points.is_empty()) {
        if !all.contains(&entry.explainer.as_str()) {
            all.push(&entry.explainer);
        }
    }
    all.sort_by_key(|name| (*name != "gradcam", *name));
    all
}

/// The cell of ordinary test pictures with the most frames; any explainer if that is `None`.
fn plain<'a>(
    book: &'a Book,
    network: &str,
    set: &str,
    explainer: Option<&str>,
) -> Option<&'a Entry> {
    book.entries
        .iter()
        .filter(|e| e.network.name == network && e.data.is_plain_test() && e.data.set == set)
        .filter(|e| explainer.is_none_or(|wanted| e.explainer == wanted) && !e.points.is_empty())
        .max_by_key(|e| e.points.len())
}

/// A network's name in a table; with the set of test pictures where that is not the usual one.
fn on_set(network: &NetworkFacts, set: &str) -> String {
    if set == ATTRIBUTION_SET { network.name.clone() } else { format!("{} on {set}", network.name) }
}

/// A network trained on the correlated set and one trained on the uncorrelated set of the same level, all else equal.
#[derive(Clone, Copy, Debug)]
struct Contrast<'a> {
    correlated: &'a NetworkFacts,
    uncorrelated: &'a NetworkFacts,
    level: Level,
}

/// All such pairs, those with missing networks among them. Of several trainings each meets the one of its own seed; one whose seed
/// nobody tells meets those that have no such partner (`seeds::meet`).
fn contrasts(book: &Book) -> Vec<Contrast<'_>> {
    let all = networks(book);
    let mut found = Vec::new();
    for &correlated in &all {
        let Some(set) = whole_set(correlated) else { continue };
        if set.correlation != Correlation::Correlated {
            continue;
        }
        let twin = Set { correlation: Correlation::Uncorrelated, ..set };
        for &uncorrelated in &all {
            let pair = [correlated, uncorrelated];
            if uncorrelated.is_like(correlated)
                && whole_set(uncorrelated) == Some(twin)
                && seeds::meet(all.iter().copied(), NetworkFacts::is_like, pair)
            {
                found.push(Contrast { correlated, uncorrelated, level: set.level });
            }
        }
    }
    found
}

/// The training set of a network, if it is one of the six at its own strength.
fn whole_set(network: &NetworkFacts) -> Option<Set> {
    network.set().filter(|set| set.shape.is_none() && network.strength.is_none())
}

/// The set whose parts the single-shape trainings saw.
const CM: Set = Set::new(Correlation::Correlated, Level::Medium);

/// The shape that a network was trained on alone, at the set's own strength.
fn single_shape(network: &NetworkFacts) -> Option<Shape> {
    network.set().filter(|_| network.strength.is_none())?.shape
}

/// Frames that both cells have, by class and index.
fn paired<'a>(a: &'a Entry, b: &'a Entry) -> Vec<(&'a Point, &'a Point)> {
    let of_b: BTreeMap<(u16, u32), &Point> = b.points.iter().map(|p| (p.key(), p)).collect();
    a.points.iter().filter_map(|p| Some((p, *of_b.get(&p.key())?))).collect()
}

/// Ratios of both sides where both have one: corrected, or, where one side has no correction, both as the maps stand.
fn ratio_pairs(pairs: &[(&Point, &Point)]) -> Vec<(f64, f64)> {
    alike::Measure::of_pairs(pairs).pairs(pairs)
}

/// Second less first.
fn differences(pairs: &[(f64, f64)]) -> Vec<f64> {
    pairs.iter().map(|(a, b)| b - a).collect()
}

fn ratios(points: &[Point]) -> Vec<f64> {
    points.iter().filter_map(|p| p.ratio).collect()
}

fn hits(points: &[Point]) -> usize {
    hits_of(points.iter())
}

fn hits_of<'a>(points: impl Iterator<Item = &'a Point>) -> usize {
    points.filter(|p| p.correct()).count()
}

/// What stands in a column `published` where the paper has no number.
const NOT_PUBLISHED: &str = "not published";

/// Why nothing is held against the paper.
const NOT_OF_THE_PAPER: &str = "not one of the paper's networks";

/// Whom a verdict is on where another is on the paper's networks.
const OF_OTHERS: &str = "networks that the paper does not have";

/// What a verdict on differences of single trainings has to add.
const SINGLE: &str =
    "Each is one training, and two trainings on one set differ too (question `trainings`)";

/// The ruling on networks that the paper does not have: what the rule decides, either way, is an answer.
const fn answered(ruling: Ruling) -> Ruling {
    if ruling.is_decided() { Ruling::Answered } else { Ruling::Undecided }
}

/// A number, or the smallest and the largest of several.
fn range_words(counts: &[usize]) -> String {
    match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "-".to_owned(),
    }
}

/// `Kernel SHAP (captum)` and the like.
fn title(explainer: &str) -> String {
    match explainer {
        "gradcam" => "GradCAM".to_owned(),
        "" => "decision".to_owned(),
        estimator => format!("Kernel SHAP ({estimator})"),
    }
}

/// Name of a shape as stored.
fn shape_word(shape: Shape) -> &'static str {
    shape.word()
}

const fn level_letter(level: Level) -> &'static str {
    match level {
        Level::Frontal => "F",
        Level::Medium => "M",
        Level::High => "H",
    }
}

/// How an interval lies to a published range: inside or touching it agrees, beside it contradicts. An interval that is wider
/// than `widest` says nothing either way.
fn range_ruling(ci95: Option<[f64; 2]>, published: [f64; 2], widest: f64) -> Ruling {
    match ci95 {
        None => Ruling::Undecided,
        Some([low, high]) if low > published[1] || high < published[0] => Ruling::NotReproduced,
        Some([low, high]) if high - low > widest => Ruling::Undecided,
        Some(_) => Ruling::Reproduced,
    }
}

/// The verdict for a question whose cells are not there.
fn not_measured(what: &str, published: Option<String>, why: &str) -> Verdict {
    Verdict {
        what: what.to_owned(),
        published,
        found: "-".to_owned(),
        ruling: Ruling::Missing,
        why: why.to_owned(),
    }
}

fn mean(values: &[f64]) -> Option<MeanInterval> {
    stats::mean_interval(values)
}

/// Holm's adjustment over the tests that were made.
fn holm(p: impl IntoIterator<Item = Option<f64>>) -> Vec<Option<f64>> {
    let raw: Vec<Option<f64>> = p.into_iter().collect();
    let made: Vec<f64> = raw.iter().flatten().copied().collect();
    let mut adjusted = stats::holm(&made).into_iter();
    raw.into_iter().map(|p| p.and_then(|_| adjusted.next())).collect()
}

/// Whether an interval leaves out zero.
fn beside_zero(ci95: Option<[f64; 2]>) -> bool {
    ci95.is_some_and(|[low, high]| low > 0.0 || high < 0.0)
}

/// A finding without content yet.
fn empty(id: &str, question: &str, definition: &str) -> Finding {
    Finding {
        id: id.to_owned(),
        question: question.to_owned(),
        headline: None,
        definition: definition.to_owned(),
        verdicts: Vec::new(),
        figures: Vec::new(),
        tables: Vec::new(),
    }
}
