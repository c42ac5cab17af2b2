//! Does the help of a command say something else than before? Then the change is to be seen when it is reviewed. And is
//! the plan that is printed the one that would run?
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

#[test]
fn a_printed_plan_is_the_plan_with_all_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.toml");
    let print = |arguments: &[&str]| {
        let (code, stdout, stderr) =
            outcome(roadgaze(&["run"]).args(arguments).arg("--print-plan"));
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        stdout
    };
    let default = print(&[]);
    for setting in
        ["frames = 82", "evaluations = 290", "estimator = \"permutation\"", "frames = 10"]
    {
        assert!(default.contains(setting), "{setting} is missing in\n{default}");
    }
    let changed = print(&["--attribute", "kernel-shap", "--shap-evals", "98", "--frames", "7"]);
    assert_ne!(changed, default);
    std::fs::write(&file, &changed).unwrap();
    assert_eq!(print(&[file.to_str().unwrap()]), changed);
}
