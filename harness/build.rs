//! Links the executable so that defmt frames can be decoded from it.
//!
//! A frame names its format string by the low 16 bits of a symbol's address at run time. So the symbols
//! must lie below 64 KiB, in a section of their own, in an image that is not relocated (`-no-pie`).
//! The section is described by the linker script that the defmt crate ships; used as it is, it would
//! replace the linker's default layout, so it is rewritten here to be inserted into that layout.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

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
    println!("cargo::rerun-if-changed=build.rs");
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
