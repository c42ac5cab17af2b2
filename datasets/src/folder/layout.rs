//! Finds the pictures of a folder and their masks, by layout; reads no picture.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use super::decode::{bad_file, is_picture};
use super::masks::{Masks, is_mask};
use super::table::Table;
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
            if !entry.image.is_file() {
                return Err(bad_file(&entry.image, "expected a picture, found no file"));
            }
            if !entry.mask.is_file() {
                let mask = entry.mask.display();
                return Err(bad_file(&entry.image, format!("expected a mask {mask}, found none")));
            }
            stays_inside(&inside, &entry.mask)?;
            Ok(entry)
        })
        .collect();
    frames.sort_by_key(|frame| frame.as_ref().map_or(None, |entry| Some(entry.key)));
    Ok(Found { layout, frames: each_once(frames) })
}

/// A key stands for one frame: what has that of the one before it is an error. Takes frames sorted by key.
fn each_once(frames: Frames) -> Frames {
    let mut before: Option<(FrameKey, PathBuf)> = None;
    let once = |frame: Result<Entry, SourceError>| {
        let entry = frame?;
        if let Some((key, image)) = &before
            && *key == entry.key
        {
            let FrameKey { class, index } = entry.key;
            let image = image.display();
            let problem = format!("number {index} of class {class} is {image} already");
            return Err(bad_file(&entry.image, problem));
        }
        before = Some((entry.key, entry.image.clone()));
        Ok(entry)
    };
    frames.into_iter().map(once).collect()
}

/// Pictures of a rendered set that are not there any more.
pub(super) fn gone(root: &Path, table: &Table) -> Vec<SourceError> {
    let names = Description::read(root).ok().flatten().map_or_else(Vec::new, |d| d.class_names);
    let image = |key: FrameKey| {
        let name = names.get(usize::from(key.class)).map_or("", String::as_str);
        let class = root.join("Cycles").join(format!("{}_{name}", key.class));
        class.join(format!("{}_cycles.png", key.index))
    };
    let missing = table.keys().map(image).filter(|image| !image.exists());
    missing.map(|image| bad_file(&image, "expected a rendered picture, found none")).collect()
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

/// Layout and class names by id: those of the description, then those of the class folders, with or without pictures.
pub(super) fn names(
    root: &Path,
    entries: &[Entry],
    classes: Option<u16>,
) -> Result<(Layout, Vec<String>), SourceError> {
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
        let name = class_name(entry.image.parent().unwrap_or(root));
        if names[class].is_empty() {
            names[class] = name;
        } else if names[class] != name {
            return Err(bad_file(
                &entry.image,
                format!("class id {class} is called both `{}` and `{name}`", names[class]),
            ));
        }
    }
    let folders = if layout == Layout::Plain { root.to_owned() } else { root.join("Cycles") };
    for folder in list(&folders)?.into_iter().filter(|path| path.is_dir()) {
        let Ok(class) = class_id(&folder) else { continue };
        if classes.is_some_and(|count| class >= count) {
            continue;
        }
        let class = usize::from(class);
        if class >= names.len() {
            names.resize(class + 1, String::new());
        }
        if names[class].is_empty() {
            names[class] = class_name(&folder);
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

/// What stands behind the first underscore of a class folder's name.
fn class_name(folder: &Path) -> String {
    folder_name(folder).split_once('_').map_or_else(String::new, |(_, name)| name.to_owned())
}

/// The number in front of the first underscore: digits alone, no sign.
fn number<T: FromStr>(name: &str) -> Option<T> {
    let digits = name.split('_').next().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    digits?.parse().ok()
}

/// The class id before the first underscore of a class folder's name.
fn class_id(folder: &Path) -> Result<u16, SourceError> {
    let name = folder_name(folder);
    number(&name).filter(|&id| id <= LARGEST_CLASS).ok_or_else(|| {
        bad_file(folder, format!("unknown class id: expected a folder <id>_<name>, found `{name}`"))
    })
}

/// What stands in a folder, sorted; hidden files are left out.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
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
    // spreadsheets put a byte order mark in front of what they export
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let entry = |line: &str| {
        let relative = PathBuf::from(line.trim_matches('"').replace('\\', "/"));
        // a list must not reach files outside of the data set
        let stays = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if !relative.components().all(stays) {
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
    let index = number(&stem).ok_or_else(|| {
        bad_file(image, format!("expected a picture <number>_cycles.png, found `{stem}`"))
    })?;
    let digits = stem.split('_').next().unwrap_or_default();
    let masks = root.join("Masks").join(class_folder.file_name().unwrap_or_default());
    let mask = masks.join(format!("{digits}_msk.png"));
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
        let masks = Masks::of(root, &folder)?;
        for image in list(&folder)?.into_iter().filter(|path| is_picture(path)) {
            if is_mask(&image) {
                continue;
            }
            let index = next.entry(class).or_insert(0);
            let key = FrameKey { class, index: *index };
            *index += 1;
            let mask = masks.find(&image);
            frames.push(Ok(Entry { key, image, mask }));
        }
    }
    Ok(frames)
}
