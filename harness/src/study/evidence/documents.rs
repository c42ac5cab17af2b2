//! Texts of the pack that come with the program: what a reviewer asks, and the definitions as they were when it was built.

/// Path inside the pack, and text.
pub(super) const ALL: [(&str, &str); 10] = [
    ("README.md", include_str!("readme.md")),
    ("LIMITS.md", include_str!("limits.md")),
    ("ANOMALIES.md", include_str!("anomalies.md")),
    ("REQUIREMENTS.md", include_str!("requirements.md")),
    ("TOOL-CLASSIFICATION.md", include_str!("tool-classification.md")),
    ("documents/data-sets.md", include_str!("../../../../docs/data-sets.md")),
    ("documents/kernel-shap.md", include_str!("../../../../docs/kernel-shap.md")),
    ("documents/metrics.md", include_str!("../../../../docs/metrics.md")),
    ("documents/sets.toml", include_str!("../../../../datasets/sets.toml")),
    ("documents/study.md", include_str!("../../../../docs/study.md")),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{FILE_NAME, book, networks};
    use super::*;
    use crate::study::{Book, REPORT, RESULTS, TABLES, analyse, texts};

    fn named(name: &str) -> &'static str {
        ALL.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Texts of our own, without what was written for the repository.
    fn ours() -> impl Iterator<Item = (&'static str, &'static str)> {
        ALL.into_iter().filter(|(name, _)| !name.contains('/'))
    }

    #[test]
    fn the_map_names_the_three_standards_and_the_sheets() {
        let map = named("REQUIREMENTS.md");
        let sheets = ["TOOL-CLASSIFICATION.md", "ANOMALIES.md", "LIMITS.md"];
        for name in ["ISO 26262-8", "ISO 21448", "ISO/PAS 8800"].into_iter().chain(sheets) {
            assert!(map.contains(name), "{name}");
        }
        let all = ["plan.toml", RESULTS, REPORT, book::FILE_NAME, FILE_NAME];
        for name in all.into_iter().chain(ALL.into_iter().map(|(name, _)| name)) {
            let folder = name.split('/').next().unwrap();
            let readme = named("README.md");
            assert!(readme.contains(folder) || name == "README.md", "{name}");
        }
    }

    #[test]
    fn every_file_that_a_text_names_is_packed_or_lies_in_the_repository() {
        let findings = analyse(&Book::default());
        let tables: Vec<String> =
            texts(&Book::default(), &findings).unwrap().into_iter().map(|(name, _)| name).collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (text, content) in ours() {
            for name in content.split('`').skip(1).step_by(2) {
                let packed = ALL.iter().any(|(known, _)| *known == name)
                    || tables.iter().any(|known| known == name)
                    || [FILE_NAME, RESULTS, REPORT, book::FILE_NAME, "plan.toml", "run.sqlite"]
                        .contains(&name);
                let folder =
                    |name: &str| name == networks::FOLDER || name == TABLES || name == "cells";
                if name.starts_with("documents/")
                    || name.starts_with("tables/") && name != "tables/"
                {
                    assert!(packed || name == "documents/", "{text} names {name}");
                } else if name.ends_with(".md")
                    || name.contains('/') && !name.contains([' ', '*', '#'])
                {
                    let there = packed || folder(name.trim_end_matches('/'));
                    assert!(there || root.join(name).exists(), "{text} names {name}");
                }
            }
        }
    }

    #[test]
    fn every_part_of_the_report_that_a_text_names_is_there() {
        let findings = analyse(&Book::default());
        let known = |id: &str| id == "missing" || findings.findings.iter().any(|f| f.id == id);
        let map = named("REQUIREMENTS.md");
        let places = map.split("`#").chain(map.split("report.html#").skip(1)).skip(1);
        let mut looked_at = 0;
        for place in places {
            let id: String =
                place.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            assert!(known(&id), "#{id} is no part of the report");
            looked_at += 1;
        }
        assert!(looked_at > 5, "{looked_at}");
    }

    #[test]
    fn the_sheets_speak_of_this_version_and_claim_no_qualification() {
        for name in ["TOOL-CLASSIFICATION.md", "ANOMALIES.md"] {
            let version = format!("Version {}", env!("CARGO_PKG_VERSION"));
            assert!(named(name).contains(&version), "{name}: look through it, then name {version}");
        }
        let sheet = named("TOOL-CLASSIFICATION.md");
        for part in
            ["No qualification was done", "TI2", "TD1", "TD3", "TCL1", "TCL3", "desktop run"]
        {
            assert!(sheet.contains(part), "{part}");
        }
    }
}
