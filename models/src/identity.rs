//! Are the files of a network those that its manifest speaks of? All that its numbers come from has a hash there.

use std::path::Path;

use crate::error::ModelError;
use crate::manifest::Manifest;
use crate::onnx::OnnxFile;

/// Compares an ONNX file and the weight files that it refers to with the hashes of a manifest; `path` is that of the ONNX
/// file.
///
/// # Errors
/// If a hash differs, the manifest names a weight file that the ONNX file does not refer to, or leaves one out.
pub fn check(manifest: &Manifest, path: &Path, file: &OnnxFile) -> Result<(), ModelError> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let found = |name: &str| {
        file.external.iter().find(|f| f.file == name).map_or("no such reference", |f| &f.sha256)
    };
    let external =
        manifest.external.iter().map(|f| (folder.join(&f.file), f.sha256.as_str(), found(&f.file)));
    let own = (path.to_owned(), manifest.sha256.as_str(), file.sha256.as_str());
    for (path, expected, found) in std::iter::once(own).chain(external) {
        check_hash(&path, expected, found)?;
    }
    let named = |name: &str| manifest.external.iter().any(|f| f.file == name);
    match file.external.iter().find(|f| !named(&f.file)) {
        None => Ok(()),
        Some(missing) => Err(ModelError::mismatch(
            format!("{}: external", path.display()),
            "file and sha256 in the manifest of every weight file that the ONNX file refers to",
            format!("none of `{}`", missing.file),
            format!(
                "if it is the right file, add to the manifest: [[external]] file = \"{}\" sha256 = \"{}\"",
                missing.file, missing.sha256
            ),
        )),
    }
}

fn check_hash(path: &Path, expected: &str, found: &str) -> Result<(), ModelError> {
    if expected.eq_ignore_ascii_case(found) {
        return Ok(());
    }
    Err(ModelError::mismatch(
        format!("{}: sha256", path.display()),
        expected,
        found,
        "the file is not the one of the manifest: fetch it again, or correct `sha256` if you changed it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::ExternalFile;
    use crate::onnx::pb;

    const MANIFEST: &str = r#"
        schema = 1
        name = "net"
        architecture = "resnet50"
        file = "net.onnx"
        sha256 = "aa"
        [input]
        width = 224
        height = 224
        mean = [0.5, 0.5, 0.5]
        std = [0.25, 0.25, 0.25]
        [classes]
        count = 2
    "#;

    /// What is said of a file with these weight files.
    fn said(external: &str, files: &[(&str, &str)]) -> Result<(), String> {
        let text = format!("{MANIFEST}{external}");
        let manifest = Manifest::parse(&text, Path::new("net.toml")).unwrap();
        let one = |(file, sha256): &(&str, &str)| ExternalFile {
            file: (*file).to_owned(),
            sha256: (*sha256).to_owned(),
        };
        let file = OnnxFile {
            proto: pb::ModelProto::default(),
            sha256: "AA".to_owned(),
            external: files.iter().map(one).collect(),
        };
        check(&manifest, Path::new("zoo/net.onnx"), &file).map_err(|error| error.to_string())
    }

    #[test]
    fn every_file_that_weights_come_from_has_a_hash_in_the_manifest() {
        let entry = "[[external]]\nfile = \"w.bin\"\nsha256 = \"bb\"";
        said("", &[]).unwrap();
        said(entry, &[("w.bin", "bb")]).unwrap();
        let error = said("", &[("w.bin", "bb")]).unwrap_err();
        let parts = ["zoo/net.onnx: external: expected file and sha256", "found none of `w.bin`"];
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(error.contains("[[external]] file = \"w.bin\" sha256 = \"bb\""), "{error}");
        let error = said(entry, &[("w.bin", "bb"), ("v.bin", "cc")]).unwrap_err();
        assert!(error.contains("found none of `v.bin`"), "{error}");
        let error = said(entry, &[("w.bin", "cc")]).unwrap_err();
        assert!(error.contains("zoo/w.bin: sha256: expected bb, found cc"), "{error}");
        let error = said(entry, &[]).unwrap_err();
        assert!(error.contains("found no such reference"), "{error}");
    }
}
