//! Does the help of a command say something else than before? Then the change is to be seen when it is reviewed.
//!
//! `INSTA_UPDATE=always cargo test --release --workspace --test it help` accepts all changes.

use crate::program::{outcome, roadgaze};

/// Standard output of `roadgaze ARGUMENTS --help`, wrapped at the same width everywhere.
fn help(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = outcome(
        roadgaze(arguments).arg("--help").env("COLUMNS", "100").env_remove("CLICOLOR_FORCE"),
    );
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    stdout
}

#[test]
fn help_of_every_command_is_as_reviewed() {
    let main = help(&[]);
    let listed = main.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let mut names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 10 && names.contains(&"run"), "{names:?}");
    names.retain(|name| *name != "help");
    // not listed: packages are made with it
    names.push("generate");
    insta::assert_snapshot!("roadgaze", main);
    for name in names {
        insta::assert_snapshot!(name, help(&[name]));
    }
}
