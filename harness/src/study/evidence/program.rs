//! Was a pack made by the running program? If not, both are named, so that who verifies it knows which one to ask.
//!
//! One version may be built from several commits, a commit from files that were changed since, and either by another compiler.
//! So version and commit are what is said, but not all that is compared.

use serde_json::Value;

use super::{Evidence, Toolchain};
use crate::study::collect;

/// The program itself among the tools of the list.
const PROGRAM: &str = "roadgaze";
/// In place of the version, where a list does not tell it.
const UNKNOWN_VERSION: &str = "of an unknown version";

impl Evidence {
    /// The program that made the pack and the running one, if the list tells that they are not the same.
    pub(in crate::study) fn other_program(&self) -> Option<String> {
        let version = env!("CARGO_PKG_VERSION");
        self.other_than(version, &Toolchain::of_this_program(), &collect::executable())
    }

    fn other_than(&self, version: &str, toolchain: &Toolchain, executable: &str) -> Option<String> {
        let known = self.tools.get(PROGRAM).map_or(UNKNOWN_VERSION, String::as_str);
        let (there, here) = (words(known, &self.toolchain), words(version, toolchain));
        if there != here {
            return Some(format!("the pack was made by {there}, this program is {here}"));
        }
        let same = self.toolchain == *toolchain && self.executables.contains(executable);
        (!same).then(|| format!("the pack was made by another build of {there} than this program"))
    }
}

/// The program that made a list, whatever else that list holds.
pub(super) fn maker(list: &Value) -> String {
    let version = list["tools"][PROGRAM].as_str().unwrap_or(UNKNOWN_VERSION);
    let commit = list["toolchain"]["commit"].as_str().map(str::to_owned);
    let modified = list["toolchain"]["modified"].as_bool();
    words(version, &Toolchain { commit, modified, ..Toolchain::default() })
}

/// Version and commit of a program.
fn words(version: &str, toolchain: &Toolchain) -> String {
    let commit = toolchain.commit.as_deref().unwrap_or("unknown");
    let changed = if toolchain.modified == Some(true) { ", files changed" } else { "" };
    format!("{PROGRAM} {version} (commit {commit}{changed})")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::SCHEMA;
    use super::*;

    const VERSION: &str = "1.2.3";
    const HASH: &str = "00ff";

    fn toolchain(commit: Option<&str>, rustc: &str) -> Toolchain {
        Toolchain {
            commit: commit.map(str::to_owned),
            modified: commit.map(|_| false),
            rustc: rustc.to_owned(),
            ..Toolchain::default()
        }
    }

    /// The list of a pack that was made at the commit `aa`.
    fn list() -> Evidence {
        Evidence {
            schema: SCHEMA,
            written_unix: 0,
            executables: BTreeSet::from([HASH.to_owned()]),
            networks: BTreeMap::new(),
            not_packed: BTreeMap::new(),
            data: BTreeMap::new(),
            coalition_plans: BTreeSet::new(),
            tools: BTreeMap::from([(PROGRAM.to_owned(), VERSION.to_owned())]),
            toolchain: toolchain(Some("aa"), "rustc 1"),
            files: Vec::new(),
        }
    }

    #[test]
    fn the_same_program_is_not_named_and_another_one_is_with_version_and_commit() {
        let made = toolchain(Some("aa"), "rustc 1");
        assert_eq!(list().other_than(VERSION, &made, HASH), None);
        let changed = Toolchain { modified: Some(true), ..made.clone() };
        for (version, toolchain, here) in [
            ("1.2.4", &made, "roadgaze 1.2.4 (commit aa)"),
            (VERSION, &toolchain(Some("bb"), "rustc 1"), "roadgaze 1.2.3 (commit bb)"),
            (VERSION, &toolchain(None, "rustc 1"), "roadgaze 1.2.3 (commit unknown)"),
            (VERSION, &changed, "roadgaze 1.2.3 (commit aa, files changed)"),
        ] {
            let expected =
                format!("the pack was made by roadgaze 1.2.3 (commit aa), this program is {here}");
            assert_eq!(list().other_than(version, toolchain, HASH), Some(expected));
        }
    }

    #[test]
    fn another_build_of_the_same_commit_is_another_program() {
        let expected = "the pack was made by another build of roadgaze 1.2.3 (commit aa)";
        for (rustc, executable) in [("rustc 2", HASH), ("rustc 1", "11ee")] {
            let here = toolchain(Some("aa"), rustc);
            let found = list().other_than(VERSION, &here, executable).unwrap();
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn a_list_of_before_there_were_toolchains_has_no_commit() {
        let old = Evidence { toolchain: Toolchain::default(), tools: BTreeMap::new(), ..list() };
        let found = old.other_than(VERSION, &toolchain(Some("aa"), ""), HASH).unwrap();
        assert!(found.contains("roadgaze of an unknown version (commit unknown), "), "{found}");
    }
}
