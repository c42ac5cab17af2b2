//! Judging a manifest: whether its values make sense, and whether its classes are those of a data set.

use std::path::{Component, Path};

use super::{HeadKind, Manifest, SCHEMA};
use crate::digest::class_list_hash;
use crate::error::ModelError;

/// Larger inputs than this are a slip of the pen: 4096 x 4096 x 3 floats are 200 MB.
const MAX_SIDE: usize = 4096;

impl Manifest {
    /// Checks the class list of a data set against that of the network.
    ///
    /// # Errors
    /// If their number or their names differ.
    pub fn check_classes<S: AsRef<str>>(&self, names: &[S]) -> Result<(), ModelError> {
        let remedy = "use a network trained on this data set";
        if names.len() != self.classes.count {
            return Err(ModelError::mismatch(
                format!("{}: classes", self.name),
                format!("{} classes as in the network", self.classes.count),
                format!("{} classes in the data set", names.len()),
                remedy,
            ));
        }
        let found = class_list_hash(names);
        if !self.classes.hash.is_empty() && self.classes.hash != found {
            return Err(ModelError::mismatch(
                format!("{}: class list", self.name),
                format!("names with hash {}", self.classes.hash),
                format!("names with hash {found}"),
                "the classes have other names or another order: use a network trained on this data set",
            ));
        }
        Ok(())
    }

    /// Refuses values that no network has; the path is for messages alone.
    pub(super) fn check(&self, path: &Path) -> Result<(), ModelError> {
        let wrong = |field: &str, expected: &str, found: String| {
            let place = format!("{}: {field}", path.display());
            Err(ModelError::mismatch(place, expected, found, "correct the manifest"))
        };
        if self.schema != SCHEMA {
            return wrong("schema", &SCHEMA.to_string(), self.schema.to_string());
        }
        let side = 1..=MAX_SIDE;
        if !side.contains(&self.input.width) || !side.contains(&self.input.height) {
            let found = format!("{} x {}", self.input.width, self.input.height);
            return wrong("input", "width and height of 1 to 4096 pixels", found);
        }
        if self.input.mean.iter().any(|m| !m.is_finite()) {
            return wrong("input.mean", "finite numbers", format!("{:?}", self.input.mean));
        }
        if self.input.std.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return wrong("input.std", "positive numbers", format!("{:?}", self.input.std));
        }
        if self.classes.count == 0 {
            return wrong("classes.count", "at least 1", "0".to_owned());
        }
        let plain = |file: &str| {
            let parts: Vec<_> = Path::new(file).components().collect();
            matches!(parts.as_slice(), [Component::Normal(_)])
        };
        if !plain(&self.file) {
            return wrong("file", "the name of a file beside the manifest", self.file.clone());
        }
        if let Some(head) = &self.head {
            let normed = head.norm_weight.is_some();
            if (head.kind == HeadKind::LayernormLinear) != normed {
                let expected = "norm_weight for layernorm-linear and none for linear";
                return wrong("head", expected, format!("{:?}", head.norm_weight));
            }
            if head.eps.is_some_and(|e| !(e.is_finite() && e >= 0.0)) {
                return wrong("head.eps", "a number of at least 0", format!("{:?}", head.eps));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TEXT, parse};
    use super::*;

    #[test]
    fn errors_name_place_expected_found() {
        let cases = [
            ("schema = 1", "schema = 9", "net.toml: schema: expected 1, found 9"),
            ("width = 224", "width = 0", "net.toml: input: expected width and height"),
            ("0.229", "0.0", "net.toml: input.std: expected positive numbers"),
            ("\"net.onnx\"", "\"../net.onnx\"", "net.toml: file: expected the name of a file"),
            ("kind = \"linear\"", "kind = \"layernorm-linear\"", "head: expected norm_weight"),
            ("name =", "nam =", "missing field `name`"),
        ];
        for (old, new, message) in cases {
            let error = parse(&TEXT.replace(old, new)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn class_lists_are_compared_by_number_and_name() {
        let mut manifest = parse(TEXT).unwrap();
        manifest.check_classes(&["a", "b"]).unwrap();
        let error = manifest.check_classes(&["a"]).unwrap_err().to_string();
        assert!(error.contains("expected 2 classes as in the network, found 1"), "{error}");
        manifest.classes.hash = class_list_hash(&["a", "b"]);
        manifest.check_classes(&["a", "b"]).unwrap();
        manifest.check_classes(&["b", "a"]).unwrap_err();
    }
}
