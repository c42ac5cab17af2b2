//! Reads the list of a pack. The schema is looked at before all else: a list of another one may have other names, or the same
//! names for something else.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Evidence, FILE_NAME, SCHEMA, program};
use crate::study::StudyError;

impl Evidence {
    /// The list of the pack in a folder.
    ///
    /// # Errors
    /// If there is none, it is of another schema, or its values are not what the schema promises.
    pub(in crate::study) fn read(pack: &Path) -> Result<Self, StudyError> {
        let path = pack.join(FILE_NAME);
        let place = || path.display().to_string();
        let text = fs::read_to_string(&path).map_err(|source| StudyError::Plan {
            place: place(),
            problem: source.to_string(),
            remedy: "name a folder that `roadgaze study --evidence` has written".to_owned(),
        })?;
        let json = |source| StudyError::Json { place: place(), source };
        let list: Value = serde_json::from_str(&text).map_err(json)?;
        let found = list.get("schema");
        if found.and_then(Value::as_u64) != Some(u64::from(SCHEMA)) {
            let found = found.map_or_else(|| "none".to_owned(), |found| format!("schema {found}"));
            return Err(StudyError::Plan {
                place: place(),
                problem: format!("list of schema {SCHEMA} expected, {found} found"),
                remedy: format!(
                    "verify the pack with the program that made it: {}",
                    program::maker(&list)
                ),
            });
        }
        // from the text once more, so that an error has its line
        serde_json::from_str(&text).map_err(json)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What reading a list says.
    fn problem(list: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), list).unwrap();
        Evidence::read(folder.path()).unwrap_err().to_string()
    }

    #[test]
    fn a_list_of_another_schema_is_refused_with_the_program_that_can_read_it() {
        let commit = "0123456789".repeat(4);
        let of = |schema: Value| {
            json!({
                "schema": schema,
                "tools": { "roadgaze": "9.8.7" },
                "toolchain": { "commit": commit, "linker": "unheard of" },
                "files": "not even a list",
            })
        };
        for schema in [json!(SCHEMA + 1), json!(SCHEMA - 1), json!("2"), json!(-2), Value::Null] {
            let error = problem(&of(schema.clone()).to_string());
            for part in [
                format!("{FILE_NAME}: list of schema {SCHEMA} expected, schema {schema} found; "),
                format!("with the program that made it: roadgaze 9.8.7 (commit {commit})"),
            ] {
                assert!(error.contains(&part), "{part}: {error}");
            }
        }
        for list in ["{}", "[]", "2"] {
            let error = problem(list);
            assert!(error.contains("expected, none found; verify the pack with"), "{error}");
            assert!(error.ends_with("roadgaze of an unknown version (commit unknown)"), "{error}");
        }
        // of our schema, and still no list
        let error = problem(&of(json!(SCHEMA)).to_string());
        assert!(!error.contains("expected, none found") && error.contains("line 1"), "{error}");
    }

    #[test]
    fn a_list_that_is_not_there_or_no_json_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Evidence::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(FILE_NAME) && error.contains("--evidence"), "{error}");
        let error = problem("{\"schema\": 2,");
        assert!(error.contains(FILE_NAME) && error.contains("EOF"), "{error}");
    }
}
