//! Finds the pictures of a folder and their masks, by layout; reads no picture.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::decode::{bad_file, is_picture};
use super::{Entry, Layout, OpenOptions};
use crate::source::{FrameKey, SourceError};
use crate::write::Description;
use crate::write::description::UNFINISHED;

/// Largest class id that is taken for one; published vocabularies have some hundred.
const LARGEST_CLASS: u16 = 9_999;

/// The frames of a folder, or what is wrong with each, sorted by key.
pub(super) struct Found {
    pub(super) layout: Layout,
    pub(super) frames: Vec<Result<Entry, SourceError>>,
}

/// Error about a folder as a whole.
pub(super) fn not_a_data_set(root: &Path, problem: &str) -> SourceError {
    SourceError::File {
        path: root.to_owned(),
        problem: problem.to_owned(),
        remedy:
            "name a folder made by `roadgaze render`, one with Cycles/ and Masks/, or one with \
                 class sub-folders <id>_<name> of pictures and masks <picture>_msk.png"
                .into(),
    }
}

/// Find out the layout and list the frames.
pub(super) fn find(root: &Path, options: &OpenOptions) -> Result<Found, SourceError> {
    if !root.is_dir() {
        let what = if root.exists() { "a file" } else { "nothing" };
        return Err(not_a_data_set(root, &format!("expected a folder, found {what}")));
    }
    if root.join(UNFINISHED).exists() {
        return Err(not_a_data_set(
            root,
            "the data set is unfinished: run the same `roadgaze render` again to complete it",
        ));
    }
    let layout = layout_of(root)?;
    let pictures = match (layout, &options.list) {
        (Layout::Plain, Some(_)) => {
            return Err(not_a_data_set(root, "a list needs CsvFiles/, found a plain folder"));
        }
        (Layout::Plain, None) => plain(root)?,
        (_, Some(list)) => listed(root, list)?,
        (_, None) => published(root)?,
    };
    let inside = fs::canonicalize(root)
        .map_err(|e| not_a_data_set(root, &format!("the folder cannot be resolved: {e}")))?;
    let mut frames: Vec<_> = pictures
        .into_iter()
        .map(|picture| {
            let entry = picture?;
            within_classes(&entry, options.classes)?;
            stays_inside(&inside, &entry.image)?;
            if !entry.mask.is_file() {
                let mask = entry.mask.display();
                return Err(bad_file(&entry.image, format!("expected a mask {mask}, found none")));
            }
            stays_inside(&inside, &entry.mask)?;
            Ok(entry)
        })
        .collect();
    frames.sort_by_key(|frame| frame.as_ref().map_or(None, |entry| Some(entry.key)));
    Ok(Found { layout, frames })
}

fn layout_of(root: &Path) -> Result<Layout, SourceError> {
    match Description::read(root) {
        Err(e) => Err(not_a_data_set(root, &e.to_string())),
        Ok(Some(d)) if !d.request.format.eq("png") => Err(not_a_data_set(
            root,
            "holds npy shards, which are for training: render with --format png",
        )),
        Ok(Some(_)) => Ok(Layout::Rendered),
        Ok(None) if root.join("Cycles").is_dir() => Ok(Layout::Synset),
        Ok(None) => Ok(Layout::Plain),
    }
}

/// Layout and class names by id: those of the description, then those of the class folders.
pub(super) fn names(root: &Path, entries: &[Entry]) -> Result<(Layout, Vec<String>), SourceError> {
    let layout = layout_of(root)?;
    if let Ok(Some(description)) = Description::read(root) {
        return Ok((layout, description.class_names));
    }
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        let class = usize::from(entry.key.class);
        if class >= names.len() {
            names.resize(class + 1, String::new());
        }
        let folder = folder_name(entry.image.parent().unwrap_or(root));
        let name = folder.split_once('_').map_or("", |(_, name)| name);
        if names[class].is_empty() {
            name.clone_into(&mut names[class]);
        } else if names[class] != name {
            return Err(bad_file(
                &entry.image,
                format!("class id {class} is called both `{}` and `{name}`", names[class]),
            ));
        }
    }
    Ok((layout, names))
}

fn within_classes(entry: &Entry, classes: Option<u16>) -> Result<(), SourceError> {
    match classes {
        Some(count) if entry.key.class >= count => Err(bad_file(
            &entry.image,
            format!(
                "unknown class id {}: expected 0 to {}",
                entry.key.class,
                count.saturating_sub(1)
            ),
        )),
        _ => Ok(()),
    }
}

/// Refuse links that lead out of the data set.
fn stays_inside(root: &Path, file: &Path) -> Result<(), SourceError> {
    let real = fs::canonicalize(file)
        .map_err(|e| bad_file(file, format!("expected a picture, found none: {e}")))?;
    if real.starts_with(root) {
        Ok(())
    } else {
        Err(bad_file(file, format!("leads out of the data set to {}", real.display())))
    }
}

fn folder_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The class id before the first underscore of a class folder's name.
fn class_id(folder: &Path) -> Result<u16, SourceError> {
    let name = folder_name(folder);
    let number = name.split('_').next().unwrap_or_default();
    number.parse().ok().filter(|&id| id <= LARGEST_CLASS).ok_or_else(|| {
        bad_file(folder, format!("unknown class id: expected a folder <id>_<name>, found `{name}`"))
    })
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(|e| bad_file(folder, format!("the folder cannot be listed: {e}")))?;
    paths.retain(|path| !folder_name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

type Frames = Vec<Result<Entry, SourceError>>;

/// All pictures of `Cycles/`.
fn published(root: &Path) -> Result<Frames, SourceError> {
    let mut frames = Vec::new();
    for class in list(&root.join("Cycles"))?.into_iter().filter(|path| path.is_dir()) {
        for image in list(&class)?.into_iter().filter(|path| is_picture(path)) {
            frames.push(published_entry(root, &image));
        }
    }
    Ok(frames)
}

/// The pictures of a list: one column, no header, backslash or slash, relative to the data set or to `Cycles/`.
fn listed(root: &Path, name: &str) -> Result<Frames, SourceError> {
    let path = root.join("CsvFiles").join(name);
    let text = fs::read_to_string(&path)
        .map_err(|e| bad_file(&path, format!("expected a list of pictures: {e}")))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let entry = |line: &str| {
        let relative = PathBuf::from(line.trim_matches('"').replace('\\', "/"));
        // a list must not reach files outside of the data set
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(bad_file(&path, format!("`{line}` leads out of the data set")));
        }
        let below = |part: Component<'_>| part.as_os_str() == "Cycles";
        let start = relative.components().position(below).map_or(0, |at| at + 1);
        let image: PathBuf = relative.components().skip(start).collect();
        published_entry(root, &root.join("Cycles").join(image))
    };
    Ok(lines.map(entry).collect())
}

/// `Cycles/<class>/<i>_cycles.png` with `Masks/<class>/<i>_msk.png`.
fn published_entry(root: &Path, image: &Path) -> Result<Entry, SourceError> {
    let class_folder = image.parent().unwrap_or(root);
    let class = class_id(class_folder)?;
    let stem = image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let number = stem.split('_').next().unwrap_or_default();
    let index = number.parse().map_err(|_e| {
        bad_file(image, format!("expected a picture <number>_cycles.png, found `{stem}`"))
    })?;
    let mask = root.join("Masks").join(folder_name(class_folder)).join(format!("{number}_msk.png"));
    Ok(Entry { key: FrameKey { class, index }, image: image.to_owned(), mask })
}

/// Class sub-folders; the index of a picture is its place among the sorted names of its class.
fn plain(root: &Path) -> Result<Frames, SourceError> {
    let mut frames = Vec::new();
    let mut next: BTreeMap<u16, u32> = BTreeMap::new();
    for folder in list(root)?.into_iter().filter(|path| path.is_dir()) {
        if folder_name(&folder).eq_ignore_ascii_case("masks") {
            continue;
        }
        let class = match class_id(&folder) {
            Ok(class) => class,
            Err(error) => {
                frames.push(Err(error));
                continue;
            }
        };
        for image in list(&folder)?.into_iter().filter(|path| is_picture(path)) {
            let stem = image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if stem.ends_with("_msk") || stem.ends_with("_mask") {
                continue;
            }
            let index = next.entry(class).or_insert(0);
            let key = FrameKey { class, index: *index };
            *index += 1;
            let mask = plain_mask(root, &folder, &stem);
            frames.push(Ok(Entry { key, image, mask }));
        }
    }
    Ok(frames)
}

/// The first mask that exists; where none does, the name that it should have.
fn plain_mask(root: &Path, folder: &Path, stem: &str) -> PathBuf {
    let beside = folder.join(format!("{stem}_msk.png"));
    let class = folder_name(folder);
    let candidates = [
        folder.join(format!("{stem}_mask.png")),
        folder.join("masks").join(format!("{stem}.png")),
        folder.join("masks").join(format!("{stem}_msk.png")),
        root.join("masks").join(&class).join(format!("{stem}.png")),
        root.join("masks").join(&class).join(format!("{stem}_msk.png")),
    ];
    if beside.is_file() {
        return beside;
    }
    candidates.into_iter().find(|path| path.is_file()).unwrap_or(beside)
}
