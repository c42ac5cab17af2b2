//! A network of the user's own: an ONNX file that has no manifest yet.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::Outcome;

/// `--write-manifest`: write it and stop.
pub(super) fn write_manifest(model: &Path) -> anyhow::Result<Outcome> {
    let path = models::describe::manifest_path(model);
    if path.exists() {
        bail!("{}: a manifest is there already; move it away first", path.display());
    }
    write(model, &path)?;
    Ok(Outcome::Done)
}

/// Ask, on a terminal, whether to write a missing manifest; elsewhere the error says how.
pub(super) fn offer_manifest(model: &str, quiet: bool) -> anyhow::Result<()> {
    let file = Path::new(model);
    let path = models::describe::manifest_path(file);
    let is_onnx = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"));
    let someone_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if quiet || !is_onnx || !file.is_file() || path.exists() || !someone_there {
        return Ok(());
    }
    let question =
        format!("{model} has no manifest. Write {} from its graph? [Y/n] ", path.display());
    drop(std::io::stderr().write_all(question.as_bytes()));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("the answer could not be read")?;
    if matches!(answer.trim(), "" | "y" | "Y" | "yes") {
        write(file, &path)?;
    }
    Ok(())
}

fn write(model: &Path, path: &Path) -> anyhow::Result<()> {
    let manifest = models::describe::describe(model)?;
    let text = manifest.to_toml()?;
    std::fs::write(path, text)
        .with_context(|| format!("{}: the manifest cannot be written", path.display()))?;
    let input = &manifest.input;
    let tap = manifest.feature_map.as_deref().unwrap_or("none found, so no GradCAM");
    super::tell(&format!(
        "{} written: {}, {} classes, {} x {} pixels, feature map {tap}",
        path.display(),
        manifest.architecture,
        manifest.classes.count,
        input.width,
        input.height,
    ));
    super::tell(
        "no graph tells mean, std, channel order, resize rule and class list: ImageNet's mean and std, rgb, no resizing \
         and an unchecked list were assumed; correct them if the network was trained otherwise",
    );
    Ok(())
}
