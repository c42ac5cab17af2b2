//! Does what a reader opens follow from the study? Report and tables are made again from `study.sqlite` and compared.
//!
//! The list of hashes alone would not tell: who changes a page can write its new hash into the list.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::book::Book;
use super::evidence::{self, Evidence};
use super::verify::{Check, PAGES, TOLERANCE};
use super::{REPORT, TABLES, analyse, texts};

/// Report and LaTeX byte for byte; CSV field by field, because it has all digits of a number; and no table that is not derived.
///
/// Another program may word or round otherwise. Its pages do not hold then, since nobody can tell that from a page that was
/// changed, but the reader learns which program to ask.
pub(super) fn check(pack: &Path, book: &Book, list: &Evidence) -> Check {
    let (looked_at, mut wrong) = match texts(book, &analyse(book)) {
        Ok(derived) => (derived.len(), differences(pack, &derived)),
        Err(error) => (0, vec![format!("{REPORT}: a page of the study expected, {error}")]),
    };
    if !wrong.is_empty()
        && let Some(programs) = list.other_program()
    {
        // before the files, of which a reader may be shown the first ones alone
        wrong.insert(
            0,
            format!(
                "{programs}; the same pages byte for byte are promised of the same program alone: \
                 verify the pack with the one that made it"
            ),
        );
    }
    Check { what: PAGES, looked_at, wrong }
}

/// Files that are not what the study gives, and tables that it does not give.
fn differences(pack: &Path, derived: &[(String, String)]) -> Vec<String> {
    let of = |(name, text): &(String, String)| difference(pack, name, text);
    let mut wrong: Vec<String> = derived.iter().filter_map(of).collect();
    let known: BTreeSet<&str> = derived.iter().map(|(name, _)| name.as_str()).collect();
    let (tables, mut paths) = (pack.join(TABLES), Vec::new());
    if tables.is_dir()
        && let Err(error) = evidence::walk(&tables, &mut paths)
    {
        wrong.push(format!("a folder that can be read expected, {error}"));
    }
    for path in paths {
        let inner = evidence::inner(pack, &path);
        if !known.contains(inner.as_str()) {
            wrong.push(format!("{inner}: does not follow from the study"));
        }
    }
    wrong
}

/// Where a file parts from what the study gives.
fn difference(pack: &Path, name: &str, text: &str) -> Option<String> {
    let kept = match fs::read_to_string(pack.join(name)) {
        Ok(kept) => kept,
        Err(error) => {
            return Some(format!("{name}: a page or table expected, found none ({error})"));
        }
    };
    let csv = name.ends_with(".csv");
    let same: fn(&str, &str) -> bool = if csv { alike } else { |a, b| a == b };
    let line = text.lines().zip(kept.lines()).position(|(a, b)| !same(a, b));
    if let Some(line) = line {
        return Some(format!("{name}, line {}: differs from the study", line + 1));
    }
    if text.lines().count() != kept.lines().count() {
        return Some(format!("{name}: another number of lines than the study gives"));
    }
    (!csv && text != kept).then(|| format!("{name}: other ends of lines than the study gives"))
}

/// Equal field by field, numbers within the tolerance.
fn alike(a: &str, b: &str) -> bool {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split(',').collect(), b.split(',').collect());
    a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0),
            _ => a == b,
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::study::book::Entry;
    use crate::study::verify;

    /// A pack of a study in which nothing was run; the folder lives as long as the test.
    fn pack() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let facts = [("title", "A study"), ("roadgaze", env!("CARGO_PKG_VERSION"))];
        let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut entry = Entry { id: "cells/a/CF-test/cam-2".to_owned(), ..Entry::default() };
        entry.asked = 2;
        let book = Book { facts: BTreeMap::from(facts), entries: vec![entry] };
        book.write(folder.path()).unwrap();
        evidence::write(folder.path(), &folder.path().join("pack"), &[]).unwrap();
        folder
    }

    /// What does not hold, by check.
    fn wrong(pack: &Path) -> Vec<(&'static str, Vec<String>)> {
        let checks = verify(pack, 1).unwrap();
        checks.into_iter().filter(|c| !c.wrong.is_empty()).map(|c| (c.what, c.wrong)).collect()
    }

    /// Writes the hash of a changed file into the list, as who forges a pack would.
    fn mend_list(pack: &Path, name: &str) {
        let path = pack.join(evidence::FILE_NAME);
        let mut list: Evidence = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let new = evidence::packed(pack, &pack.join(name)).unwrap();
        list.files.retain(|f| f.path != name);
        list.files.push(new);
        fs::write(&path, serde_json::to_string_pretty(&list).unwrap()).unwrap();
    }

    #[test]
    fn a_changed_page_is_found_although_its_hash_was_mended() {
        for (name, from, to) in [
            (REPORT, "not measured", "reproduced"),
            ("tables/verdicts.tex", "not measured", "reproduced"),
            ("tables/verdicts.csv", "not measured", "reproduced"),
        ] {
            let folder = pack();
            let pack = folder.path().join("pack");
            assert!(wrong(&pack).is_empty(), "{:?}", wrong(&pack));
            let anchor = evidence::anchor(&pack).unwrap();
            let text = fs::read_to_string(pack.join(name)).unwrap();
            assert!(text.contains(from), "{name}");
            fs::write(pack.join(name), text.replacen(from, to, 1)).unwrap();
            mend_list(&pack, name);
            let found = wrong(&pack);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, "report and tables against the study");
            assert!(found[0].1[0].starts_with(&format!("{name}, line ")), "{found:?}");
            assert_ne!(evidence::anchor(&pack).unwrap(), anchor, "the list itself is another");
        }
    }

    #[test]
    fn a_page_that_is_gone_and_a_table_of_ones_own_are_found() {
        let folder = pack();
        let pack = folder.path().join("pack");
        fs::write(pack.join("tables/mine.tex"), "made up").unwrap();
        mend_list(&pack, "tables/mine.tex");
        let text = fs::read_to_string(pack.join(REPORT)).unwrap();
        fs::write(pack.join(REPORT), format!("{text}\n")).unwrap();
        mend_list(&pack, REPORT);
        let found = wrong(&pack);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1[0].starts_with(REPORT), "{found:?}");
        assert_eq!(found[0].1[1], "tables/mine.tex: does not follow from the study");
    }

    #[test]
    fn numbers_of_a_csv_may_differ_in_their_last_digits_alone() {
        assert!(alike("a,0.1234567890123456,n", "a,0.1234567890123457,n"));
        assert!(!alike("a,0.1234,n", "a,0.1235,n") && !alike("a,1", "b,1") && !alike("a", "a,"));
    }
}
