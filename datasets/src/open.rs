//! One door to every data set: a name such as `synthetic:CF/test`, or a folder.

use std::path::Path;

use crate::folder::{Folder, OpenOptions};
use crate::sets::spec::PREFIX;
use crate::source::{FrameSource, SourceError};
use crate::synthetic::Synthetic;

/// Open a data set by its name.
///
/// Whatever starts with `synthetic:` is rendered, anything else is a folder.
///
/// # Errors
/// If the name is not understood, or the folder is no data set or holds a file that cannot be used.
pub fn open(name: &str, options: &OpenOptions) -> Result<Box<dyn FrameSource>, SourceError> {
    if name.starts_with(PREFIX) {
        return Ok(Box::new(Synthetic::open(name)?));
    }
    if !Path::new(name).exists() {
        return Err(SourceError::Name {
            name: name.to_owned(),
            problem: "expected a rendered set or a folder, found neither".into(),
            remedy: "for example synthetic:CF/test?per_class=50, or the path of a folder".into(),
        });
    }
    Ok(Box::new(Folder::open(Path::new(name), options)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders_go_through_one_door() {
        let options = OpenOptions::default();
        assert_eq!(open("synthetic:UF/train", &options).unwrap().len(), 41_000);
        let error = |name: &str| open(name, &options).err().unwrap().to_string();
        assert!(error("CF/test").contains("for example synthetic:CF/test"), "a likely slip");
        assert!(error("synthetic:XX/test").contains("unknown set `XX`"));
    }
}
