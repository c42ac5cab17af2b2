//! Weights in files beside an ONNX file: brought into the graph, so that one model in memory is whole.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::{pb, read_limited};
use crate::digest::sha256_hex;
use crate::error::ModelError;
use crate::manifest::ExternalFile;

/// Weights from files beside an ONNX file, in all: tensors may share bytes there, so that the files do not bound them.
pub(super) const MAX_EXTERNAL_BYTES: usize = 1 << 30;
/// `DataLocation.EXTERNAL` of ONNX.
const EXTERNAL: i32 = 1;

/// Moves weights of files beside the ONNX file (`data_location = EXTERNAL`) into the graph, at most so many bytes.
pub(super) fn inline_external(
    path: &Path,
    graph: &mut pb::GraphProto,
    most: usize,
) -> Result<Vec<ExternalFile>, ModelError> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut total = 0_usize;
    for tensor in &mut graph.initializer {
        if tensor.data_location != Some(EXTERNAL) {
            continue;
        }
        let entry = |key: &str| {
            tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str())
        };
        let location = entry("location").unwrap_or_default().to_owned();
        let parts: Vec<_> = Path::new(&location).components().collect();
        if !matches!(parts.as_slice(), [Component::Normal(_)]) {
            let problem = format!(
                "tensor `{}`: expected its data in a file beside the model, found `{location}`",
                tensor.name
            );
            return Err(ModelError::file(path, problem, "export with external_data=False"));
        }
        if !files.contains_key(&location) {
            let remedy =
                "copy the weight file beside the ONNX file, or export with external_data=False";
            let bytes = read_limited(&folder.join(&location), remedy)?;
            files.insert(location.clone(), bytes);
        }
        let bytes = files.get(&location).map_or(&[][..], Vec::as_slice);
        let number = |key: &str| -> Result<Option<usize>, ModelError> {
            entry(key).map(str::parse::<usize>).transpose().map_err(|e| {
                let problem = format!("tensor `{}`: {key} of its data: {e}", tensor.name);
                ModelError::file(path, problem, "export the file again")
            })
        };
        let start = number("offset")?.unwrap_or(0);
        let end = number("length")?.map_or(Some(bytes.len()), |length| start.checked_add(length));
        let range = end.and_then(|end| bytes.get(start..end)).ok_or_else(|| {
            let problem = format!(
                "tensor `{}`: expected bytes from {start} to {end:?}, found {} bytes in all",
                tensor.name,
                bytes.len()
            );
            ModelError::file(&folder.join(&location), problem, "copy or export the file again")
        })?;
        total = total.saturating_add(range.len());
        if total > most {
            let problem = format!(
                "tensor `{}`: expected at most {most} bytes from weight files, found {total}",
                tensor.name
            );
            return Err(ModelError::file(path, problem, "export with external_data=False"));
        }
        tensor.raw_data = range.to_vec();
        tensor.data_location = None;
        tensor.external_data.clear();
    }
    Ok(files
        .into_iter()
        .map(|(file, bytes)| ExternalFile { file, sha256: sha256_hex(&bytes) })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn tensors_that_share_the_bytes_of_a_file_count_each_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.onnx");
        fs::write(folder.path().join("w.bin"), [0; 400]).unwrap();
        let external = |name: &str, entries: &[(&str, &str)]| pb::TensorProto {
            name: name.into(),
            data_location: Some(EXTERNAL),
            external_data: entries
                .iter()
                .map(|&(key, value)| pb::StringStringEntryProto {
                    key: key.into(),
                    value: value.into(),
                })
                .collect(),
            ..Default::default()
        };
        let all = [("location", "w.bin")];
        let graph = |initializer: Vec<pb::TensorProto>| pb::GraphProto {
            initializer,
            ..Default::default()
        };
        let mut three = graph(["a", "b", "c"].map(|name| external(name, &all)).to_vec());
        let error = inline_external(&path, &mut three.clone(), 1_000).unwrap_err().to_string();
        assert!(error.contains("tensor `c`: expected at most 1000 bytes"), "{error}");
        assert_eq!(inline_external(&path, &mut three, 1_200).unwrap().len(), 1);
        assert_eq!(three.initializer[2].raw_data.len(), 400);
        // a place that is no number is not the beginning of the file
        let odd = [("location", "w.bin"), ("offset", "4x"), ("length", "4")];
        let error = inline_external(&path, &mut graph(vec![external("d", &odd)]), 1_000);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("tensor `d`: offset of its data"), "{error}");
    }
}
