//! Where the mask of a picture of the user's own lies. Endings and `masks` may be written in letters of any case, as cameras and
//! other systems write them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::layout::list;
use crate::source::SourceError;

/// Endings of a mask's name.
const ENDINGS: [&str; 2] = ["_msk", "_mask"];

/// Whether a file is a mask by its name.
pub(super) fn is_mask(file: &Path) -> bool {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ENDINGS.iter().any(|ending| stem.ends_with(ending))
}

/// The places in which masks of a class may lie.
pub(super) struct Masks {
    beside: Files,
    below: Files,
    apart: Files,
}

/// Files of a folder by their names.
struct Files {
    folder: PathBuf,
    exact: BTreeMap<OsString, PathBuf>,
    /// By their names in small letters.
    any_case: BTreeMap<OsString, Vec<PathBuf>>,
}

impl Masks {
    /// The places for a class folder of a data set.
    ///
    /// # Errors
    /// If a folder that is there cannot be listed.
    pub(super) fn of(root: &Path, class: &Path) -> Result<Self, SourceError> {
        let apart = masks_in(root)?.join(class.file_name().unwrap_or_default());
        Ok(Self {
            beside: Files::of(class)?,
            below: Files::of(&masks_in(class)?)?,
            apart: Files::of(&apart)?,
        })
    }

    /// The first mask that is there; where none is, the name that it should have.
    pub(super) fn find(&self, image: &Path) -> PathBuf {
        let stem = image.file_stem().unwrap_or_default();
        let places = [
            (&self.beside, "_msk.png"),
            (&self.beside, "_mask.png"),
            (&self.below, ".png"),
            (&self.below, "_msk.png"),
            (&self.apart, ".png"),
            (&self.apart, "_msk.png"),
        ];
        let found = places.into_iter().find_map(|(files, ending)| files.get(stem, ending));
        found.map_or_else(|| self.beside.folder.join(with(stem, "_msk.png")), Path::to_owned)
    }
}

impl Files {
    /// The files of a folder; none if it is not there.
    fn of(folder: &Path) -> Result<Self, SourceError> {
        let paths = if folder.is_dir() { list(folder)? } else { Vec::new() };
        let mut exact = BTreeMap::new();
        let mut any_case: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_owned();
            any_case.entry(name.to_ascii_lowercase()).or_default().push(path.clone());
            exact.insert(name, path);
        }
        Ok(Self { folder: folder.to_owned(), exact, any_case })
    }

    /// A file of this name; the ending may be written in letters of any case, the stem is that of one picture.
    fn get(&self, stem: &OsStr, ending: &str) -> Option<&Path> {
        let name = with(stem, ending);
        let begins = |path: &&PathBuf| {
            let bytes = path.file_name().unwrap_or_default().as_encoded_bytes();
            bytes.starts_with(stem.as_encoded_bytes())
        };
        let other = || self.any_case.get(&name.to_ascii_lowercase())?.iter().find(begins);
        self.exact.get(&name).or_else(other).map(PathBuf::as_path)
    }
}

/// The folder of masks inside a folder, however it is written.
fn masks_in(folder: &Path) -> Result<PathBuf, SourceError> {
    let is_masks = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("masks")) && path.is_dir()
    };
    let usual = folder.join("masks");
    if usual.is_dir() {
        return Ok(usual);
    }
    Ok(list(folder)?.into_iter().find(is_masks).unwrap_or(usual))
}

fn with(stem: &OsStr, ending: &str) -> OsString {
    let mut name = stem.to_owned();
    name.push(ending);
    name
}
