//! How does a network fail to load? Each message names the place, what was expected, what was found, and a remedy.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use models::{Manifest, Network};
use tempfile::TempDir;

/// A folder with a copy of a good network.
fn copy(name: &str) -> (TempDir, PathBuf) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/desktop");
    let folder = tempfile::tempdir().unwrap();
    for ending in ["onnx", "toml"] {
        let file = format!("{name}.{ending}");
        fs::copy(source.join(&file), folder.path().join(&file)).unwrap();
    }
    let manifest = folder.path().join(format!("{name}.toml"));
    (folder, manifest)
}

fn message(manifest: &Path) -> String {
    Network::load(manifest).unwrap_err().to_string()
}

fn edit(manifest: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(manifest).unwrap();
    assert!(text.contains(old), "{old}");
    fs::write(manifest, text.replacen(old, new, 1)).unwrap();
}

#[test]
fn missing_files_are_named() {
    let (folder, manifest) = copy("resnet-micro");
    fs::remove_file(folder.path().join("resnet-micro.onnx")).unwrap();
    let error = message(&manifest);
    assert!(error.contains("resnet-micro.onnx: model file cannot be read"), "{error}");
    let error = Network::open("no-such-network").unwrap_err().to_string();
    assert!(error.contains("no-such-network: no network of this name"), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_refused_without_a_panic() {
    let (folder, manifest) = copy("resnet-micro");
    let model = folder.path().join("resnet-micro.onnx");
    let whole = fs::read(&model).unwrap();
    for part in 0..40 {
        fs::write(&model, &whole[..whole.len() * part / 40]).unwrap();
        let error = message(&manifest);
        assert!(error.contains("resnet-micro.onnx"), "{error}");
        // also with the hash of the cut file, as if it had been exported so
        if let Ok(mut cut) = models::describe::describe(&model) {
            cut.classes.count = 82;
            assert!(Network::with_manifest(cut, &model).is_err(), "{part} of 40 parts loaded");
        }
    }
}

#[test]
fn a_changed_file_is_noticed_by_its_hash() {
    let (folder, manifest) = copy("convnext-micro");
    let model = folder.path().join("convnext-micro.onnx");
    let mut bytes = fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&model, bytes).unwrap();
    let error = message(&manifest);
    assert!(error.contains("convnext-micro.onnx: sha256: expected"), "{error}");
}

#[test]
fn wrong_statements_in_the_manifest_are_found_out() {
    let cases = [
        ("count = 82", "count = 43", "logits: expected 43 classes as in the manifest, found 82"),
        ("width = 224", "width = 96", "expected shape [1, 3, 224, 96] as the manifest says"),
        ("feature_map = \"", "feature_map = \"no", "expected a tensor `no"),
        ("weight = \"", "weight = \"no", "head not supported for GradCAM"),
    ];
    for (old, new, expected) in cases {
        let (_folder, manifest) = copy("resnet-micro");
        edit(&manifest, old, new);
        let error = message(&manifest);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_the_manifest_does_not_name_of_feature_map_and_head_is_found_in_the_graph() {
    let (_folder, path) = copy("resnet-micro");
    let whole = Network::load(&path).unwrap();
    let table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    for left_out in [&["head"][..], &["feature_map"], &["feature_map", "head"]] {
        let mut table = table.clone();
        left_out.iter().for_each(|name| drop(table.remove(*name).unwrap()));
        fs::write(&path, table.to_string()).unwrap();
        let network = Network::load(&path).unwrap();
        assert_eq!(network.head().unwrap(), whole.head().unwrap(), "{left_out:?}");
        assert_eq!(network.info().feature_map, whole.info().feature_map, "{left_out:?}");
    }
    // a tensor of the graph, but not the one that the head which is found there belongs to
    let mut other = table.clone();
    other.remove("head").unwrap();
    let right = other.insert("feature_map".to_owned(), "fc.weight".into()).unwrap();
    fs::write(&path, other.to_string()).unwrap();
    let error = message(&path);
    let expected = format!("feature_map: expected `{}`, which", right.as_str().unwrap());
    assert!(error.contains(&expected) && error.contains("found fc.weight"), "{error}");
    assert!(error.contains("or name `head` too"), "{error}");
}

#[test]
fn another_class_list_is_refused() {
    let (_folder, path) = copy("resnet-micro");
    let manifest = Manifest::read(&path).unwrap();
    let names: Vec<String> = (0..82).map(|i| format!("class-{i}")).collect();
    manifest.check_classes(&names).unwrap();
    let error = manifest.check_classes(&names[..43]).unwrap_err().to_string();
    assert!(error.contains("found 43 classes in the data set"), "{error}");
}
