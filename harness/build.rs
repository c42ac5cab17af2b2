//! Links the executable so that defmt frames can be decoded from it.
//!
//! A frame names its format string by the low 16 bits of a symbol's address at run time. So the symbols
//! must lie below 64 KiB, in a section of their own, in an image that is not relocated (`-no-pie`).
//! The section is described by the linker script that the defmt crate ships; used as it is, it would
//! replace the linker's default layout, so it is rewritten here to be inserted into that layout.
//!
//! Also tells the program what built it (`ROADGAZE_*`, read by `study::evidence::toolchain`).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is made of, relative to this folder. A change of any of it compiles `harness` anew anyway, so that asking for
/// the commit again costs no build, and the answer is that of the sources that were compiled.
const SOURCES: [&str; 20] = [
    "build.rs",
    "Cargo.toml",
    "src",
    "defmt_host/src",
    "../Cargo.toml",
    "../Cargo.lock",
    "../firmware_host/src",
    "../datasets/build.rs",
    "../datasets/sets.toml",
    "../datasets/signs",
    "../datasets/src",
    "../models/src",
    "../models/kernels/src",
    "../calibration/src",
    "../deploy/studies",
    "../docs/data-sets.md",
    "../docs/kernel-shap.md",
    "../docs/metrics.md",
    "../docs/study.md",
    // a commit changes neither HEAD nor any source
    "../.git/logs/HEAD",
];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let shipped = find_shipped_script(&out).unwrap_or_else(|| {
        panic!(
            "{}: no defmt-*/out/defmt.x beside it; run `cargo clean` and build again",
            out.display()
        )
    });
    let script = fs::read_to_string(&shipped).expect("defmt.x was just found");
    let end = script.rfind("\n}").expect("defmt.x has a SECTIONS block") + 2;
    // INSERT has to follow the block directly, the assertion comes after it
    let (sections, assertion) = script.split_at(end);
    let path = out.join("defmt-host.x");
    fs::write(&path, format!("{sections}\nINSERT AFTER .comment;\n{assertion}"))
        .expect("OUT_DIR can be written");
    // a path that is not there would run this script with every build
    for path in SOURCES.iter().filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    for (name, value) in toolchain() {
        println!("cargo::rustc-env=ROADGAZE_{name}={value}");
    }
    // `rustc-link-arg`, not `-bins`: unit tests that log are executables as well
    println!("cargo::rustc-link-arg=-T{}", path.display());
    println!("cargo::rustc-link-arg=-no-pie");
}

/// defmt's build script runs before this one (it has a `links` key) and leaves its script in an `OUT_DIR` beside ours.
fn find_shipped_script(out: &Path) -> Option<PathBuf> {
    let build = out.parent()?.parent()?;
    let mut found: Vec<PathBuf> = fs::read_dir(build)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("out/defmt.x")))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop()
}

/// Compiler, profile, target and commit; empty where they cannot be known.
fn toolchain() -> [(&'static str, String); 7] {
    let given = |name: &str| env::var(name).unwrap_or_default();
    let rustc = output(Command::new(given("RUSTC")).arg("-V")).unwrap_or_default();
    let (commit, modified) = commit().unwrap_or_default();
    [
        ("RUSTC", rustc),
        ("PROFILE", given("PROFILE")),
        ("OPT_LEVEL", given("OPT_LEVEL")),
        ("TARGET", given("TARGET")),
        ("TARGET_FEATURES", given("CARGO_CFG_TARGET_FEATURE")),
        ("COMMIT", commit),
        ("MODIFIED", modified),
    ]
}

/// The commit that is checked out, and whether files that git knows differ from it.
fn commit() -> Option<(String, String)> {
    // sources from an archive may lie inside another repository, whose commit says nothing of them
    if !Path::new("../.git").exists() {
        return None;
    }
    let head = output(Command::new("git").args(["rev-parse", "HEAD"]))?;
    // other programs may use git meanwhile: nothing is locked; from the root, so that all folders count
    let status = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"];
    let changed = output(Command::new("git").args(status).current_dir(".."))?;
    Some((head, if changed.is_empty() { "no" } else { "yes" }.to_owned()))
}

/// What a program prints; `None` if it is not there or fails.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
