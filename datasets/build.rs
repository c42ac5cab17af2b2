//! Lists `signs/*.svg` and writes a table that embeds them, sorted by class id.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=signs");
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("signs");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        let Some(stem) = name.strip_suffix(".svg") else { continue };
        let (id, class) = stem
            .split_once('_')
            .ok_or_else(|| format!("signs/{name}: expected NNN_Name.svg, rename the file"))?;
        let id: u16 =
            id.parse().map_err(|e| format!("signs/{name}: expected a number first: {e}"))?;
        files.push((id, class.to_owned(), path.clone()));
    }
    files.sort();
    let mut table = String::from("static SVGS: &[(u16, &str, &str)] = &[\n");
    for (id, class, path) in files {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(table, "    ({id}, {class:?}, include_str!({path:?})),")?;
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("svgs.rs"), table)?;
    Ok(())
}
