//! The row of a cell in `study.sqlite`, column by column, against the same row collected again.
//!
//! These columns decide what a cell is called in every table, which cells are compared with which, and which program and network
//! a figure is put down to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::values;
use crate::study::book::Entry;

/// Columns that say otherwise than what was collected again, a line each.
pub(super) fn differences(kept: &Entry, derived: &Entry) -> Vec<String> {
    let [found, expected] = [kept, derived].map(columns);
    let names: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let mut wrong = Vec::new();
    for name in names {
        let [expected, found] = [&expected, &found].map(|c| c.get(name).unwrap_or(&Value::Null));
        let place = format!("{}, {name}", kept.id);
        values::compare(&place, expected, found, &mut 0, &mut wrong);
    }
    // why a cell failed stands in no store; that frames are missing does
    if let (None, Some(why)) = (&kept.problem, &derived.problem) {
        wrong.push(format!("{}, problem: \"{why}\" expected, nothing found", kept.id));
    }
    wrong
}

/// All columns that follow from plan, manifest and run store, by name; frames and reasons are no such columns.
fn columns(entry: &Entry) -> BTreeMap<String, Value> {
    let mut network = serde_json::to_value(&entry.network).unwrap_or_default();
    if let Some(missing) = network.get_mut("missing") {
        // the reason is in words, which are the program's
        *missing = Value::from(entry.network.missing.is_some());
    }
    let data = serde_json::to_value(&entry.data).unwrap_or_default();
    let made_by = entry.made_by.iter();
    [
        ("network", network),
        ("data", data),
        ("method", Value::from(entry.method.as_str())),
        ("explainer", Value::from(entry.explainer.as_str())),
        ("frames_asked", Value::from(entry.asked)),
        ("executable", Value::from(entry.executable.as_str())),
        ("hash_data", Value::from(entry.hash_data.as_str())),
        ("import", Value::from(entry.import.as_deref())),
        ("hash_plan", Value::from(entry.hash_plan.as_str())),
        ("evaluations", Value::from(entry.evaluations)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .chain(made_by.map(|(name, told)| (format!("made_by.{name}"), Value::from(told.as_str()))))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::cell::NetworkFacts;

    fn derived() -> Entry {
        Entry {
            id: "cells/n/CF-test/shap-98-2".to_owned(),
            network: NetworkFacts {
                name: "n".to_owned(),
                train: "CF".to_owned(),
                precision: "f32".to_owned(),
                strength: Some(0.1 + 0.2),
                seed: Some(1),
                ..NetworkFacts::default()
            },
            method: "shap".to_owned(),
            explainer: "captum, 98".to_owned(),
            asked: 2,
            executable: "aa".to_owned(),
            hash_plan: "bb".to_owned(),
            evaluations: 98,
            made_by: BTreeMap::from([("backend".to_owned(), "torch".to_owned())]),
            ..Entry::default()
        }
    }

    #[test]
    fn every_column_that_says_otherwise_is_named_with_both_values() {
        type Change = fn(&mut Entry);
        let cases: [(Change, &str); 14] = [
            (
                |e| e.explainer = "permutation, 98".to_owned(),
                "explainer: \"captum, 98\" expected, \"permutation, 98\" found",
            ),
            (|e| e.evaluations = 962, "evaluations: 98 expected, 962 found"),
            (|e| e.method = "cam".to_owned(), "method: \"shap\" expected, \"cam\" found"),
            (|e| e.asked = 3, "frames_asked: 2 expected, 3 found"),
            (|e| e.executable = "cc".to_owned(), "executable: \"aa\" expected, \"cc\" found"),
            (|e| e.hash_plan.clear(), "hash_plan: \"bb\" expected, \"\" found"),
            (|e| e.hash_data = "d".to_owned(), "hash_data: \"\" expected, \"d\" found"),
            (|e| e.import = Some("r".to_owned()), "import: nothing expected, \"r\" found"),
            (|e| e.made_by.clear(), "made_by.backend: \"torch\" expected, nothing found"),
            (|e| e.network.train = "UF".to_owned(), "network/train: \"CF\" expected, \"UF\" found"),
            (|e| e.network.seed = None, "network/seed: 1 expected, nothing found"),
            (|e| e.network.strength = Some(0.5), "network/strength: 0.3"),
            (
                |e| e.network.missing = Some("gone".to_owned()),
                "network/missing: false expected, true found",
            ),
            (|e| e.data.severity = 5, "data/severity: 0 expected, 5 found"),
        ];
        assert!(differences(&derived(), &derived()).is_empty());
        for (change, line) in cases {
            let mut kept = derived();
            change(&mut kept);
            let wrong = differences(&kept, &derived());
            assert_eq!(wrong.len(), 1, "{line}: {wrong:?}");
            let line = format!("cells/n/CF-test/shap-98-2, {line}");
            assert!(wrong[0].starts_with(&line), "{line}: {wrong:?}");
        }
    }

    #[test]
    fn a_reason_may_be_worded_otherwise_but_missing_frames_may_not_be_kept_secret() {
        let problem = |why: &str| Entry { problem: Some(why.to_owned()), ..derived() };
        let (begun, failed) = (problem("1 of 2 frames"), problem("the disk is full"));
        assert!(differences(&failed, &begun).is_empty() && differences(&begun, &failed).is_empty());
        assert!(differences(&failed, &derived()).is_empty(), "no store tells why it failed");
        let wrong = differences(&derived(), &begun);
        assert!(
            wrong[0].ends_with("problem: \"1 of 2 frames\" expected, nothing found"),
            "{wrong:?}"
        );
        let missing = |why: &str| {
            let missing = Some(why.to_owned());
            Entry { network: NetworkFacts { missing, ..derived().network }, ..derived() }
        };
        assert!(differences(&missing("none was found"), &missing("not in the zoo")).is_empty());
    }
}
