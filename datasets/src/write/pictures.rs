//! One PNG a picture and one a mask, in the layout of the published sister set.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use super::disk::{WriteError, create_folder, write_whole};
use super::journal::Journal;
use super::{Run, row_of};
use crate::source::{FrameKey, FrameSource};

/// Name of a class's folder: `<id>_<Name>`.
fn class_folder(source: &dyn FrameSource, class: u16) -> String {
    let name = source.class_names().get(usize::from(class)).map_or("", String::as_str);
    format!("{class}_{name}")
}

/// Files of picture and mask.
fn paths(source: &dyn FrameSource, out: &Path, key: FrameKey) -> (PathBuf, PathBuf) {
    let class = class_folder(source, key.class);
    (
        out.join("Cycles").join(&class).join(format!("{}_cycles.png", key.index)),
        out.join("Masks").join(&class).join(format!("{}_msk.png", key.index)),
    )
}

/// Strike frames from the journal whose files are no longer there.
pub(super) fn forget_missing(
    source: &dyn FrameSource,
    out: &Path,
    journal: &mut Journal,
) -> Result<(), WriteError> {
    for position in 0..source.len() {
        if journal.has(position) {
            let (image, mask) = paths(source, out, source.key(position)?);
            if !image.is_file() || !mask.is_file() {
                journal.forget(position);
            }
        }
    }
    Ok(())
}

/// Write all frames that the journal lacks.
pub(super) fn write_all(run: &Run<'_>, journal: &mut Journal) -> Result<(), WriteError> {
    let missing = journal.missing();
    let mut classes: Vec<u16> = Vec::new();
    for &position in &missing {
        classes.push(run.source.key(position)?.class);
    }
    classes.sort_unstable();
    classes.dedup();
    for class in classes {
        let folder = class_folder(run.source, class);
        create_folder(&run.out.join("Cycles").join(&folder))?;
        create_folder(&run.out.join("Masks").join(&folder))?;
    }
    let journal = Mutex::new(journal);
    run.each(&missing, &|position| {
        let frame = run.source.frame(position)?;
        let (image, mask) = paths(run.source, run.out, frame.key);
        let size = frame.image.dimensions();
        write_png(&image, frame.image.as_raw(), size, ExtendedColorType::Rgb8)?;
        write_png(&mask, frame.mask.as_raw(), size, ExtendedColorType::L8)?;
        let row = row_of(run.source, position, &frame);
        journal.lock().unwrap_or_else(PoisonError::into_inner).append(&row)?;
        run.one_more();
        Ok(())
    })
}

fn write_png(
    path: &Path,
    pixels: &[u8],
    (width, height): (u32, u32),
    color: ExtendedColorType,
) -> Result<(), WriteError> {
    write_whole(path, |file| {
        PngEncoder::new_with_quality(file, CompressionType::Fast, FilterType::Adaptive)
            .write_image(pixels, width, height, color)
            .map_err(io::Error::other)
    })
}

/// Write the list of all pictures: one column, no header, backslash paths relative to the data set.
pub(super) fn write_list(
    source: &dyn FrameSource,
    out: &Path,
    name: &str,
) -> Result<(), WriteError> {
    let folder = out.join("CsvFiles");
    create_folder(&folder)?;
    let mut keys = Vec::with_capacity(source.len());
    for position in 0..source.len() {
        keys.push(source.key(position)?);
    }
    keys.sort_unstable();
    write_whole(&folder.join(name), |file| {
        keys.iter().try_for_each(|key| {
            let class = class_folder(source, key.class);
            writeln!(file, "Cycles\\{class}\\{}_cycles.png", key.index)
        })
    })
}
