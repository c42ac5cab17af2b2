//! The central contrast: correlated against uncorrelated training, on the same pictures.

use super::contrast_row::{Row, rows};
use super::contrast_rule::published;
use super::over_trainings::{self, Group};
use super::{ATTRIBUTION_SET, across, empty, not_measured};
use crate::study::book::Book;
use crate::study::finding::{Figure, Finding, Table};
use crate::study::paper;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "contrast",
        "Does training with correlated backgrounds make a network look at the background?",
        "Mean pixel ratio of the network trained on uncorrelated pictures less that of its twin trained on correlated ones, \
         frame by frame on the same test pictures; positive: the correlated network looks at the background more. Student's \
         95 % interval of the paired difference, sign-flip test, Cohen's d_z. Where there are two or more seeds of one architecture, \
         number format and level, Student's t over the mean differences of the seeds decides, and a single one does not. Holm's \
         adjustment over all tests that decide. `same class` keeps the frames on which both predict one class, so that maps of one \
         class are compared. The interval over frames is of these signs; `class means` takes the class as the unit, as one would for \
         other signs. Ratios of orders (permutation) are corrected for what clipping makes of sampling noise; `maps as they stand` is \
         without that, and so is the whole row where one of the two has no correction (`ratios`).",
    );
    let rows = rows(book);
    let groups = over_trainings::groups(&rows);
    let alone = |row: &Row<'_>| groups.iter().all(|group| !group.holds(row));
    let [of_rows, of_groups] = across::holm(
        rows.iter().map(|row| alone(row).then_some(row.paired.test.p)),
        groups.iter().map(Group::p),
    );
    let mut table = Table::new(
        "contrast",
        "Uncorrelated less correlated training, paired",
        &[
            "architecture",
            "weights",
            "level",
            "test",
            "method",
            "frames",
            "correlated",
            "uncorrelated",
            "difference",
            "published",
            "p",
            "p (Holm)",
            "d_z",
            "difference, same class",
            "difference, class means",
            "difference, maps as they stand",
            "ratios",
            "networks",
        ],
    );
    table.rows.extend(rows.iter().zip(&of_rows).map(|(r, p)| r.items(*p)));
    let marks = groups.iter().filter_map(Group::mark).chain(rows.iter().map(|r| r.mark(&rows)));
    finding.figures.push(Figure::Intervals {
        title: "Uncorrelated less correlated training".to_owned(),
        axis: "difference of the mean pixel ratio".to_owned(),
        marks: marks.collect(),
        published: rows
            .iter()
            .all(|r| paper::has(&r.correlated.architecture))
            .then_some(paper::RATIO_DROP),
        line: Some(0.0),
    });
    finding.tables.push(table);
    finding.tables.extend(over_trainings::table(&groups, &of_groups));
    let asked: Vec<(&Group<'_>, Option<f64>)> =
        groups.iter().zip(of_groups).filter(|(g, _)| g.set() == ATTRIBUTION_SET).collect();
    finding.headline = over_trainings::headline(&asked);
    finding.verdicts.extend(asked.iter().map(|(group, p)| group.verdict(*p)));
    for (r, p_holm) in rows.iter().zip(of_rows).filter(|(r, _)| r.set == ATTRIBUTION_SET) {
        finding.verdicts.push(r.verdict(book, &rows, p_holm));
    }
    for (architecture, _) in paper::PARAMETERS {
        if rows.iter().all(|r| r.correlated.architecture != architecture) {
            finding.verdicts.push(not_measured(
                &format!("{architecture}: correlated against uncorrelated"),
                published(architecture),
                "needs two networks of this architecture, trained on C and on U of one level",
            ));
        }
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;
    use crate::study::book::Entry;
    use crate::study::finding::{Item, Ruling};

    fn book(architecture: &str, shift: f64, jitter: f64) -> Book {
        let (c, u) = (network("c", architecture, "CF"), network("u", architecture, "UF"));
        let base = |i: usize| 0.6 + 0.3 * noise(i);
        Book {
            entries: vec![
                entry(&c, "CF", "gradcam", 300, |i, p| p.ratio = Some(base(i))),
                entry(&u, "CF", "gradcam", 300, |i, p| {
                    p.ratio = Some(base(i) + shift + jitter * noise(i * 13 + 5));
                    // every tenth frame is another class to the second network
                    p.predicted = if i % 10 == 0 { p.class + 1 } else { p.class };
                }),
            ],
            ..Book::default()
        }
    }

    fn ruling(architecture: &str, shift: f64, jitter: f64) -> Ruling {
        finding(&book(architecture, shift, jitter)).verdicts[0].ruling
    }

    #[test]
    fn a_planted_difference_is_found_with_its_size() {
        let found = finding(&book("convnext-tiny", 0.015, 0.02));
        let row = &found.tables[0].rows[0];
        let Item::Number { value, ci95: Some([low, high]), .. } = row[8] else { panic!("{row:?}") };
        assert!((value - 0.015).abs() < 0.002 && low > 0.01 && high < 0.02, "{row:?}");
        let Item::P(p) = row[10] else { panic!("{row:?}") };
        assert!(p < 0.001, "{p}");
        assert_eq!(row[5], Item::Count(300));
        assert_ne!(row[13], Item::Nothing);
    }

    #[test]
    fn the_rules_tell_agreement_contradiction_and_too_few_frames_apart() {
        assert_eq!(ruling("convnext-tiny", 0.015, 0.02), Ruling::Reproduced);
        assert_eq!(ruling("convnext-tiny", -0.015, 0.02), Ruling::NotReproduced);
        assert_eq!(ruling("convnext-tiny", 0.1, 0.02), Ruling::NotReproduced);
        assert_eq!(ruling("convnext-tiny", 0.006, 0.9), Ruling::Undecided);
        assert_eq!(ruling("resnet50", 0.001, 0.01), Ruling::Reproduced);
        assert_eq!(ruling("resnet50", 0.02, 0.01), Ruling::NotReproduced);
        assert_eq!(ruling("resnet50", 0.001, 0.9), Ruling::Undecided);
    }

    #[test]
    fn the_verdict_has_the_p_value_that_holm_leaves() {
        let book = book("resnet50", 0.02, 0.5);
        // the same pictures by another method: a family of two
        let twice = book.entries.iter().map(|e| Entry {
            explainer: "captum, 1000".to_owned(),
            points: e.points[..20].to_vec(),
            ..e.clone()
        });
        let entries = book.entries.iter().cloned().chain(twice).collect();
        let found = finding(&Book { entries, ..Book::default() });
        let rows = &found.tables[0].rows;
        assert!(rows.iter().any(|r| r[10] != r[11]), "{rows:?}");
        for (row, verdict) in rows.iter().zip(&found.verdicts) {
            let printed = format!("p (Holm) {},", row[11].shown());
            assert!(verdict.found.contains(&printed), "{printed} {}", verdict.found);
        }
    }

    #[test]
    fn a_side_without_correction_is_compared_as_the_maps_stand() {
        let mut book = book("resnet50", 0.0, 0.02);
        for p in &mut book.entries[0].points {
            p.plain_ratio = p.ratio;
            p.ratio = p.ratio.map(|r| r + 0.02);
            p.corrected = true;
        }
        for p in &mut book.entries[1].points {
            p.plain_ratio = p.ratio;
        }
        let found = finding(&book);
        let row = &found.tables[0].rows[0];
        assert_eq!((&row[8], row[16].shown().contains("not all")), (&row[15], true), "{row:?}");
        assert_eq!(
            found.verdicts[0].ruling,
            Ruling::Reproduced,
            "no difference but the correction"
        );
    }

    #[test]
    fn absent_architectures_are_named() {
        let found = finding(&book("resnet50", 0.0, 0.1));
        let missing: Vec<_> =
            found.verdicts.iter().filter(|v| v.ruling == Ruling::Missing).collect();
        assert_eq!(missing.len(), 2, "{missing:?}");
    }
}
